"""`<graphics>`: VNC, SPICE, RDP, SDL and other displays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtcim.libhelper.documents.domain.defaults import GuestTraits, is_s390
from virtcim.libhelper.documents.domain.device import Device
from virtcim.libhelper.xml.mapping import Int, Items, Mapped, OnOff, Present, Replacement, Secret, Text, YesNo

__all__ = ["Graphics", "GraphicsChannel", "Listen"]


class Listen(Mapped):
    """A `<listen>` of a display."""

    tag = "listen"
    type = Text("@type")
    address = Text("@address")
    network = Text("@network")
    socket = Text("@socket")


class GraphicsChannel(Mapped):
    """A `<channel>` of a SPICE display."""

    tag = "channel"
    name = Text("@name")
    mode = Text("@mode")


class Graphics(Device):
    """A `<graphics>`.

    The password can be written and is never held; `passwd_set` says whether the document has one (libvirt shows it
    with VIR_DOMAIN_XML_SECURE only).  A `port` of -1 means that libvirt chooses one.
    """

    tag = "graphics"
    replacements = (
        # Where it listens, its password and its keys are said of a display of any kind that has them.
        Replacement(
            fields=("type",),
            takes=(
                "@tlsPort",
                "@websocket",
                "@display",
                "@xauth",
                "@fullscreen",
                "@sharePolicy",
                "@powerControl",
                "@defaultMode",
                "@replaceUser",
                "@multiUser",
                "@address",
                "@p2p",
                "@username",
                "channel",
                "image",
                "jpeg",
                "zlib",
                "playback",
                "streaming",
                "mouse",
                "clipboard",
                "filetransfer",
                "gl",
            ),
        ),
    )
    never_empty = (*Device.never_empty, "audio")
    type = Text("@type")
    port = Int("@port")
    tls_port = Int("@tlsPort")
    autoport = YesNo("@autoport")
    websocket = Int("@websocket")
    listen = Text("@listen")
    socket = Text("@socket")
    display = Text("@display")
    xauth = Text("@xauth")
    fullscreen = YesNo("@fullscreen")
    keymap = Text("@keymap")
    passwd = Secret("@passwd")
    passwd_set = Present("@passwd")
    passwd_valid_to = Text("@passwdValidTo")
    connected = Text("@connected")
    share_policy = Text("@sharePolicy")
    power_control = YesNo("@powerControl")
    default_mode = Text("@defaultMode")
    replace_user = YesNo("@replaceUser")
    multi_user = YesNo("@multiUser")
    dbus_address = Text("@address")
    p2p = YesNo("@p2p")
    username = Text("@username")
    listens = Items("listen", Listen)
    listen_type = Text("listen/@type")
    listen_address = Text("listen/@address")
    listen_network = Text("listen/@network")
    listen_socket = Text("listen/@socket")
    channels = Items("channel", GraphicsChannel)
    image_compression = Text("image/@compression")
    jpeg_compression = Text("jpeg/@compression")
    zlib_compression = Text("zlib/@compression")
    playback_compression = OnOff("playback/@compression")
    streaming_mode = Text("streaming/@mode")
    mouse_mode = Text("mouse/@mode")
    clipboard_copypaste = YesNo("clipboard/@copypaste")
    filetransfer_enable = YesNo("filetransfer/@enable")
    gl_enable = YesNo("gl/@enable")
    gl_rendernode = Text("gl/@rendernode")
    audio_id = Int("audio/@id")

    @classmethod
    def default_values(cls, guest: GuestTraits) -> Mapping[str, Any] | None:
        """libvirt-cim's display: VNC on the loopback address, at a port that libvirt chooses."""
        if guest.is_container or not guest.has_graphics or is_s390(guest.arch):
            return None
        return {"type": "vnc", "port": -1, "autoport": True, "listen": "127.0.0.1", "keymap": "en-us"}
