"""`<hostdev>`: devices of the host given to a guest."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device, GuestNetwork, ReadOnlyShareable, Rom, Teaming
from virtcim.libhelper.documents.domain.disk import SourceHost
from virtcim.libhelper.xml.mapping import Attributes, Items, OnOff, Replacement, Text, YesNo

__all__ = ["Hostdev"]


class Hostdev(GuestNetwork, ReadOnlyShareable, Teaming, Rom, Device):
    """A `<hostdev>`."""

    tag = "hostdev"
    replacements = (Replacement(fields=("source_auth_username",), takes=("source/auth",), among=frozenset({None})),)
    never_empty = (*Device.never_empty, "source/auth", "source/initiator/iqn", "source/initiator", "teaming")
    mode = Text("@mode")
    type = Text("@type")
    managed = YesNo("@managed")
    model = Text("@model")
    sgio = Text("@sgio")
    rawio = YesNo("@rawio")
    display = OnOff("@display")
    ramfb = OnOff("@ramfb")
    driver_name = Text("driver/@name")
    driver_model = Text("driver/@model")
    source_startup_policy = Text("source/@startupPolicy")
    source_write_filtering = YesNo("source/@writeFiltering")
    source_guest_reset = Text("source/@guestReset")
    source_missing = YesNo("source/@missing", writable=False)
    source_protocol = Text("source/@protocol")
    source_name = Text("source/@name")
    source_wwpn = Text("source/@wwpn")
    source_vendor_id = Text("source/vendor/@id")
    source_product_id = Text("source/product/@id")
    source_adapter_name = Text("source/adapter/@name")
    source_address = Attributes("source/address")
    source_hosts = Items("source/host", SourceHost)
    source_auth_username = Text("source/auth/@username")
    source_auth_secret_type = Text("source/auth/secret/@type")
    source_auth_secret_uuid = Text("source/auth/secret/@uuid")
    source_auth_secret_usage = Text("source/auth/secret/@usage")
    source_initiator_iqn_name = Text("source/initiator/iqn/@name")
    source_block = Text("source/block")
    source_char = Text("source/char")
    source_interface = Text("source/interface")
