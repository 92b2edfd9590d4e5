"""What guests here have beyond what OVF has words for: written into descriptors as settings that others may leave out.

Only settings that name nothing of a host stand here, since a descriptor may come from anybody.

Layer rule: imports `errors` of this package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from virtcim.images.appliances.errors import ApplianceError
from virtcim.immutable import immutable

__all__ = ["NAMESPACE", "OWN_SETTINGS", "fields_of", "settings_of"]

NAMESPACE = "urn:virtcim:ovf:1"
_KEY = "virtcim."


@immutable
class OwnSetting:
    """A setting: the field of the domain that it is of, and what its text looks like."""

    field: str
    pattern: re.Pattern[str]
    is_flag: bool = False
    is_list: bool = False


def _word(field: str) -> OwnSetting:
    return OwnSetting(field, re.compile(r"[A-Za-z0-9._-]{1,64}"))


def _flag(field: str) -> OwnSetting:
    return OwnSetting(field, re.compile(r"true|false"), is_flag=True)


OWN_SETTINGS: Mapping[str, OwnSetting] = {
    "title": OwnSetting("title", re.compile(r"[^\x00-\x1f]{1,256}")),
    "machine": _word("os_type_machine"),
    "clock": _word("clock_offset"),
    "cpu.mode": _word("cpu_mode"),
    "cpu.model": _word("cpu_model"),
    "on_poweroff": _word("on_poweroff"),
    "on_reboot": _word("on_reboot"),
    "on_crash": _word("on_crash"),
    "boot": OwnSetting("os_boot_devs", re.compile(r"(hd|cdrom|network|fd)(,(hd|cdrom|network|fd)){0,3}"), is_list=True),
    "acpi": _flag("features_acpi"),
    "apic": _flag("features_apic"),
    "pae": _flag("features_pae"),
}
"""By their keys."""


def fields_of(config: Mapping[str, str]) -> dict[str, Any]:
    """Read the settings among what vendors add, as fields of a domain.

    Raises:
        ApplianceError: one has a value that it cannot have.
    """
    found: dict[str, Any] = {}
    for key, text in config.items():
        setting = OWN_SETTINGS.get(key.removeprefix(_KEY)) if key.startswith(_KEY) else None
        if setting is None:
            continue
        if not setting.pattern.fullmatch(text):
            raise ApplianceError(f"setting {key!r}: is {text[:80]!r}; expected {setting.pattern.pattern}")
        found[setting.field] = text == "true" if setting.is_flag else text.split(",") if setting.is_list else text
    return found


def settings_of(config: Any) -> dict[str, str]:
    """Write the settings of a domain, by their keys."""
    found = {}
    for key, setting in OWN_SETTINGS.items():
        value = getattr(config, setting.field)
        if value in (None, "", ()):
            continue
        text = str(value).lower() if setting.is_flag else ",".join(value) if setting.is_list else value
        if setting.pattern.fullmatch(text):
            found[f"{_KEY}{key}"] = text
    return found
