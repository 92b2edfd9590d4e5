"""`<rng>`: random number generators."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device, VirtioOptions
from virtcim.libhelper.xml.mapping import Int, OnOff, Replacement, Text, YesNo

__all__ = ["Rng"]


class Rng(VirtioOptions, Device):
    """A `<rng>`.  `backend` is the path of a random device; `rate_bytes` may pass in `rate_period` milliseconds."""

    tag = "rng"
    replacements = (
        Replacement(fields=("backend_model",), takes=("backend",)),
        Replacement(fields=("backend_type",), takes=("backend/source", "backend/protocol")),
        # Who waits for another one does not connect anew.
        Replacement(fields=("backend_source_mode",), takes=("backend/source/reconnect",)),
    )
    model = Text("@model")
    rate_bytes = Int("rate/@bytes")
    rate_period = Int("rate/@period")
    backend_model = Text("backend/@model")
    backend = Text("backend")
    backend_type = Text("backend/@type")
    backend_source_mode = Text("backend/source/@mode")
    backend_source_path = Text("backend/source/@path")
    backend_source_host = Text("backend/source/@host")
    backend_source_service = Text("backend/source/@service")
    backend_source_bind_host = Text("backend/source[@mode='bind']/@host")
    backend_source_bind_service = Text("backend/source[@mode='bind']/@service")
    backend_source_connect_host = Text("backend/source[@mode='connect']/@host")
    backend_source_connect_service = Text("backend/source[@mode='connect']/@service")
    backend_source_tls = YesNo("backend/source/@tls")
    backend_source_reconnect_enabled = YesNo("backend/source/reconnect/@enabled")
    backend_source_reconnect_timeout = Int("backend/source/reconnect/@timeout")
    backend_source_reconnect_delay = Int("backend/source/reconnect/@delay")
    backend_protocol_type = Text("backend/protocol/@type")
    backend_log_file = Text("backend/log/@file")
    backend_log_append = OnOff("backend/log/@append")
