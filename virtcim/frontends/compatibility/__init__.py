"""The drop-in mode for clients of libvirt-cim: what differs is translated back, between the core and the front ends."""

from __future__ import annotations

from virtcim.frontends.compatibility.settings import CompatibilitySettings
from virtcim.frontends.compatibility.translation import LibvirtCim, translation_of

__all__ = ["CompatibilitySettings", "LibvirtCim", "translation_of"]
