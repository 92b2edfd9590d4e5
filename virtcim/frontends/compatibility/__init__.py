"""The drop-in mode for clients of libvirt-cim: what differs is translated back, between the core and the front ends."""

from virtcim.frontends.compatibility.executor import translation_of
from virtcim.frontends.compatibility.settings import CompatibilitySettings

__all__ = ["CompatibilitySettings", "translation_of"]
