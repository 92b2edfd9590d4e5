"""The example keeps the contract of all platforms."""

from virtcim_platform_example import PLATFORM

from virtcim.testing import platform_suite

TestExample = platform_suite(PLATFORM)
