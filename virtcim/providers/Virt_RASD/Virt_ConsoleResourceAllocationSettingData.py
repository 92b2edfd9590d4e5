"""Text consoles of a guest."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Console
from virtcim.libhelper.documents.domain.chardev import CharacterSource
from virtcim.providers.consoles import bind_url, connect_url, peer_path, source_path, source_type
from virtcim.providers.properties import Property, PropertyTable, attribute, constant, paths_of
from virtcim.providers.Virt_RASD.character_source import write_character
from virtcim.providers.Virt_RASD.setting import ADDRESS, COMMON, OTHER, PLACED, ResourceSetting, device_table

__all__ = ["CHARACTER", "ConsoleSetting"]


class ConsoleSetting(ResourceSetting[Console]):
    """A text console of a guest (Virt_ConsoleResourceAllocationSettingData)."""

    __slots__ = ()

    base = "ConsoleResourceAllocationSettingData"


_SOCKET = paths_of(
    (
        Console,
        (
            Console.source_mode,
            Console.source_path,
            Console.source_host,
            Console.source_service,
            Console.protocol_type,
        ),
    )
)

CHARACTER = PropertyTable[ResourceSetting[CharacterSource]](
    Property(
        "SourceType",
        lambda setting: source_type(setting.device),
        f"domain XML {Console.field_path('type')}",
        write_character,
    ),
    Property(
        "SourcePath",
        lambda setting: source_path(setting.device),
        f"domain XML {Console.field_path('source_path')}, {Console.field_path('source_channel')}, "
        f"{Console.field_path('source_master')}",
        write_character,
    ),
    Property(
        "PeerPath",
        lambda setting: peer_path(setting.device),
        f"domain XML {Console.field_path('source_slave')}",
        write_character,
    ),
    Property(
        "BindURL",
        lambda setting: bind_url(setting.device),
        _SOCKET,
        write_character,
    ),
    Property(
        "ConnectURL",
        lambda setting: connect_url(setting.device),
        _SOCKET,
        write_character,
    ),
)

ConsoleSetting.table = device_table(
    (Console,),
    COMMON,
    PLACED,
    ADDRESS,
    CHARACTER,
    constant("ResourceType", OTHER),
    constant("OtherResourceType", "console"),
    attribute("TargetType", lambda setting: setting.device.target_type, Console, writable=True),
)
