"""The forms for the settings of a guest: the fields that every platform has, those of its own, and their checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from virtcim.platforms.base import Feature, Platform
from virtcim.platforms.fields import (
    ALL_MODES,
    AT_REST,
    GUEST,
    HOST,
    KIBIBYTES,
    MEMORY,
    PROCESSORS,
    WHEN_MADE,
    FieldType,
    Mode,
    SettingField,
)

__all__ = ["check_form", "form_of"]


def form_of(platform: Platform) -> Sequence[SettingField]:
    """List the fields of the forms of a platform; where it has one of all platforms itself, its own stands."""
    fields = {field.key: field for field in (*_common(platform), *platform.fields)}
    return tuple(fields.values())


def _common(platform: Platform) -> Iterator[SettingField]:
    live = ALL_MODES if platform.supports(Feature.HOTPLUG) else AT_REST
    yield SettingField("VirtualSystemIdentifier", "Name", modes=frozenset({Mode.PROVISIONING}))
    yield SettingField("Title", "Title", description="What people call it.")
    yield SettingField("Description", "Description")
    yield SettingField(
        "DomainType",
        "Virtualization",
        FieldType.CHOICE,
        choices=platform.domain_types,
        default=platform.domain_types[0],
        modes=WHEN_MADE,
    )
    yield SettingField("AutoStart", "Start with the host", FieldType.SWITCH, default="0")
    yield SettingField("UUID", "UUID", modes=frozenset())
    yield SettingField("EnabledState", "State", element=GUEST, category="Run time", modes=frozenset())
    yield SettingField(
        "VirtualQuantity",
        "Processors",
        FieldType.NUMBER,
        PROCESSORS,
        "Resources",
        unit="count",
        least=1,
        default="1",
        modes=live,
    )
    yield SettingField(
        "VirtualQuantity", "Memory", FieldType.NUMBER, MEMORY, "Resources", unit=KIBIBYTES, least=1, modes=live
    )
    if platform.supports(Feature.WEIGHT):
        weights = platform.weights
        share = SettingField("Weight", "Share of the processors", FieldType.NUMBER, PROCESSORS, "Resources", modes=live)
        if len(weights) == 1:
            share = replace(share, least=weights[0].least, most=weights[0].most, default=str(weights[0].default))
        yield share
    if platform.boot_devices:
        yield SettingField(
            "BootDevices", "Boot from", FieldType.LIST, category="Boot", choices=("hd", "cdrom", "network", "fd")
        )
    yield SettingField("Name", "Host", element=HOST, category="Host", modes=frozenset())
    yield SettingField("HostFacts", "Facts", FieldType.LIST, HOST, "Host", modes=frozenset())


def check_form(platform: Platform, mode: Mode, values: Mapping[str, str]) -> Iterator[str]:
    """Look through a form that was filled in, and tell what is wrong with it.

    Parameters:
        values: by `SettingField.key`, as text; a list has a value per line.

    Returns:
        complaints, for people; the platform's own follow those about single fields.
    """
    fields = {field.key: field for field in form_of(platform)}
    for key, value in values.items():
        field = fields.get(key)
        if field is None:
            yield f"{key}: is no field; expected one of {', '.join(fields)}"
        elif mode not in field.modes:
            yield f"{field.label}: cannot be edited here"
        else:
            yield from _check_value(field, value)
    yield from platform.check_settings(mode, values)


def _check_value(field: SettingField, value: str) -> Iterator[str]:
    if field.type is FieldType.NUMBER:
        if not (value.isascii() and value.isdigit()):
            yield f"{field.label}: {value!r} is not a number; expected a whole number"
        elif (field.least is not None and int(value) < field.least) or (
            field.most is not None and int(value) > field.most
        ):
            bounds = f"{field.least or 0} or more" if field.most is None else f"{field.least or 0} to {field.most}"
            yield f"{field.label}: {value} cannot be; expected {bounds}"
        return
    given = value.splitlines() if field.type is FieldType.LIST else [value]
    for each in given:
        if field.choices and each not in field.choices:
            yield f"{field.label}: {each!r} is no choice; expected one of {', '.join(field.choices)}"
