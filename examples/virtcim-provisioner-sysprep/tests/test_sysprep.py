"""The example keeps the contract of all provisioners."""

from virtcim_provisioner_sysprep import Sysprep

from virtcim.testing import provisioner_suite

TestSysprep = provisioner_suite(Sysprep)
