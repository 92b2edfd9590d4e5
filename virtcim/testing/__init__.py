"""What authors of plugins hold their packages to, with pytest."""

from virtcim.testing.platforms import platform_suite
from virtcim.testing.provisioners import provisioner_suite

__all__ = ["platform_suite", "provisioner_suite"]
