"""`<tpm>`: trusted platform modules."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device
from virtcim.libhelper.xml.mapping import Flag, Int, Replacement, Text, YesNo

__all__ = ["Tpm"]


class Tpm(Device):
    """A `<tpm>`.  `backend_encryption_secret` is the UUID of a libvirt secret."""

    tag = "tpm"
    replacements = (
        Replacement(fields=("model",), takes=("address",)),
        Replacement(fields=("backend_type",), takes=("backend",)),
    )
    model = Text("@model")
    backend_type = Text("backend/@type")
    backend_version = Text("backend/@version")
    backend_persistent_state = YesNo("backend/@persistent_state")
    backend_debug = Int("backend/@debug")
    backend_device_path = Text("backend/device/@path")
    backend_source_type = Text("backend/source/@type")
    backend_source_mode = Text("backend/source/@mode")
    backend_source_path = Text("backend/source/@path")
    backend_encryption_secret = Text("backend/encryption/@secret")
    backend_profile_source = Text("backend/profile/@source")
    backend_profile_remove_disabled = Text("backend/profile/@removeDisabled")
    backend_profile_name = Text("backend/profile/@name")
    backend_active_pcr_banks_sha1 = Flag("backend/active_pcr_banks/sha1")
    backend_active_pcr_banks_sha256 = Flag("backend/active_pcr_banks/sha256")
    backend_active_pcr_banks_sha384 = Flag("backend/active_pcr_banks/sha384")
    backend_active_pcr_banks_sha512 = Flag("backend/active_pcr_banks/sha512")
