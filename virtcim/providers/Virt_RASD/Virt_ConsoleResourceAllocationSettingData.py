"""Text consoles of a guest."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Console
from virtcim.libhelper.documents.domain.chardev import CharacterSource
from virtcim.providers.consoles import bind_url, connect_url, source_path, source_type
from virtcim.providers.deviceids import Kind
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.Virt_RASD.character_source import write_character
from virtcim.providers.Virt_RASD.setting import COMMON, OTHER, PLACED, ResourceSetting

__all__ = ["CHARACTER", "ConsoleSetting"]


class ConsoleSetting(ResourceSetting[Console]):
    """A text console of a guest."""

    __slots__ = ()

    base = "ConsoleResourceAllocationSettingData"
    kind = Kind.CONSOLE


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
        f"domain XML {Console.field_path('source_path')}",
        write_character,
    ),
    Property(
        "BindURL",
        lambda setting: bind_url(setting.device),
        "domain XML devices/console/source of mode bind",
        write_character,
    ),
    Property(
        "ConnectURL",
        lambda setting: connect_url(setting.device),
        "domain XML devices/console/source of mode connect",
        write_character,
    ),
)

ConsoleSetting.table = PropertyTable(
    COMMON,
    PLACED,
    CHARACTER,
    constant("ResourceType", OTHER),
    constant("OtherResourceType", "console"),
    attribute("TargetType", lambda setting: setting.device.target_type, Console, writable=True),
)
