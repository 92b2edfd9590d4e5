"""Graphical consoles of a guest, and pseudo terminals (as libvirt-cim lists them)."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Console, Graphics
from virtcim.providers.consoles import graphics_address
from virtcim.providers.drafts import to
from virtcim.providers.properties import MappedField, Property, constant
from virtcim.providers.Virt_RASD.display_address import (
    HIDDEN,
    is_ipv6_only,
    listen_addresses,
    write_address,
    write_ipv6_only,
    write_key_map,
    write_listens,
    write_password,
    write_sub_type,
)
from virtcim.providers.Virt_RASD.setting import COMMON, COUNT, POOLED, ResourceSetting, device_table

__all__ = ["GraphicsSetting"]

_GRAPHICS_CONTROLLER = 24


class GraphicsSetting(ResourceSetting[Graphics | Console]):
    """A graphical console of a guest (Virt_GraphicsResourceAllocationSettingData)."""

    __slots__ = ()

    base = "GraphicsResourceAllocationSettingData"


def _sub_type(setting: GraphicsSetting) -> str | None:
    kind: str | None = "console" if isinstance(setting.device, Console) else setting.device.type
    return kind


def _key_map(setting: GraphicsSetting) -> str | None:
    keymap: str | None = None if isinstance(setting.device, Console) else setting.device.keymap
    return keymap


def _password(setting: GraphicsSetting) -> str | None:
    return HIDDEN if getattr(setting.device, "passwd_set", False) else None


def _is_ipv6_only(setting: GraphicsSetting) -> bool | None:
    """Whether it listens on one IPv6 address; NULL for what does not listen on an address."""
    if isinstance(setting.device, Console):
        return None
    listen = setting.device.listen or setting.device.listen_address
    return None if listen is None else is_ipv6_only(listen)


def _of(name: str, field: MappedField) -> Property[GraphicsSetting]:
    """What a display has and a pseudo terminal has not; the empty text and 0 remove it."""
    write = to(field.name, lambda value: value if value or value is False else None)
    return Property(
        name,
        lambda setting: getattr(setting.device, field.name) if isinstance(setting.device, Graphics) else None,
        f"domain XML {Graphics.field_path(field.name)}",
        write,
    )


GraphicsSetting.table = device_table(
    (Graphics,),
    COMMON,
    constant("ResourceType", _GRAPHICS_CONTROLLER),
    POOLED,
    constant("VirtualQuantity", 1, "always 1: one device"),
    constant("VirtualQuantityUnits", COUNT),
    Property("ResourceSubType", _sub_type, f"domain XML {Graphics.field_path('type')}", write_sub_type),
    Property(
        "Address",
        lambda setting: graphics_address(setting.device),
        ", ".join(
            f"domain XML {path}"
            for path in (
                Graphics.field_path("listen"),
                Graphics.field_path("port"),
                Graphics.field_path("socket"),
                Graphics.field_path("dbus_address"),
                Console.field_path("source_path"),
            )
        ),
        write_address,
    ),
    Property("KeyMap", _key_map, f"domain XML {Graphics.field_path('keymap')}", write_key_map),
    Property("Password", _password, "asterisks when domain XML devices/graphics/@passwd is there", write_password),
    Property("IsIPv6Only", _is_ipv6_only, f"domain XML {Graphics.field_path('listen')}", write_ipv6_only),
    Property(
        "ListenAddresses",
        lambda setting: None if isinstance(setting.device, Console) else listen_addresses(setting.device),
        f"domain XML {Graphics.field_path('listens')}",
        write_listens,
    ),
    _of("TLSPort", Graphics.tls_port),
    _of("WebSocketPort", Graphics.websocket),
    _of("Display", Graphics.display),
    _of("XAuthority", Graphics.xauth),
    _of("FullScreen", Graphics.fullscreen),
    _of("SharePolicy", Graphics.share_policy),
    _of("PowerControl", Graphics.power_control),
    _of("PasswordValidTo", Graphics.passwd_valid_to),
    _of("Connected", Graphics.connected),
    _of("DefaultMode", Graphics.default_mode),
    _of("MouseMode", Graphics.mouse_mode),
    _of("CopyPaste", Graphics.clipboard_copypaste),
    _of("FileTransfer", Graphics.filetransfer_enable),
    _of("OpenGL", Graphics.gl_enable),
    _of("RenderNode", Graphics.gl_rendernode),
    _of("ReplaceUser", Graphics.replace_user),
    _of("MultipleUsers", Graphics.multi_user),
    _of("PeerToPeer", Graphics.p2p),
    _of("AudioID", Graphics.audio_id),
)
