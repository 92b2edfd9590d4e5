"""Reading the settings that a client sends: properties by name, with errors that name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from virtcim.providers.interface import (
    CIMError,
    EmbeddedInstance,
    InstancePath,
    Parameters,
    Properties,
    Status,
)
from virtcim.providers.units import size_in
from virtcim.schema.names import base_of

__all__ = ["NO_POOL_TYPE", "GivenProperties", "SettingsError", "kind_of", "reference", "single_setting"]

NO_POOL_TYPE = "Storage pool type not supported"
"""libvirt-cim's words for what a pool cannot be, a network, too."""

T = TypeVar("T")


class SettingsError(Exception):
    """A property that is missing or is not possible; the text names it, in quotes."""

    @property
    def name(self) -> str:
        """The property: the first one that the text names."""
        return str(self).partition("`")[2].partition("'")[0]


class GivenProperties:
    """The properties of one setting; those that are NULL are not there.

    Parameters:
        properties: as the client sent them.
    """

    def __init__(self, properties: Properties) -> None:
        self._properties = {name.lower(): value for name, value in properties.items() if value is not None}

    def text(self, name: str) -> str | None:
        """A string; None where it is absent or blank."""
        value = self._properties.get(name.lower())
        if value is None:
            return None
        if not isinstance(value, str):
            raise SettingsError(f"`{name}' property is not a string")
        return value.strip() or None

    def needed(self, name: str) -> str:
        """A string that must be there."""
        value = self.text(name)
        if value is None:
            raise SettingsError(f"Missing `{name}' property")
        return value

    def texts(self, name: str) -> list[str]:
        """An array of strings, without NULLs and blank ones."""
        values = self._properties.get(name.lower(), ())
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise SettingsError(f"`{name}' property is not an array of strings")
        texts = []
        for value in values:
            if value is None:
                continue
            if not isinstance(value, str):
                raise SettingsError(f"`{name}' property is not an array of strings")
            texts.append(value.strip())
        return [text for text in texts if text]

    def number(self, name: str) -> int | None:
        """An integer; None where it is absent."""
        value = self._properties.get(name.lower())
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise SettingsError(f"`{name}' property is not an integer")
        return value

    def choice(self, name: str, choices: Mapping[int, T], refusal: str = "") -> T | None:
        """What a value of a value map stands for; None where it is absent.

        Parameters:
            refusal: what an error begins with.
        """
        value = self.number(name)
        if value is None:
            return None
        try:
            return choices[value]
        except KeyError:
            text = f"`{name}' property has the unknown value {value}"
            raise SettingsError(f"{refusal}: {text}" if refusal else text) from None

    def has(self, name: str) -> bool:
        """Whether it is there, be it blank."""
        return name.lower() in self._properties

    def size(self, name: str, units: str = "AllocationUnits") -> int | None:
        """A size in bytes; None where it is absent.

        Parameters:
            units: the property with its unit, which is bytes where that is absent.
        """
        value = self.number(name)
        if value is None:
            return None
        unit = self.text(units) or "byte"
        factor = size_in(unit)
        if factor is None:
            raise SettingsError(f"`{units}' property is not the unit of a size: {unit}")
        if value * factor >= 1 << 63:
            raise SettingsError(f"`{name}' property is too large")
        return value * factor


def single_setting(parameters: Parameters, name: str) -> EmbeddedInstance:
    """The embedded instance that a parameter is, or the only one that it holds.

    Raises:
        CIMError: INVALID_PARAMETER when it is missing, or holds several.
    """
    value = parameters.get(name)
    held = [each for each in (value if isinstance(value, list | tuple) else [value]) if each is not None]
    if not held:
        raise CIMError(Status.INVALID_PARAMETER, f"Missing argument `{name}'")
    if len(held) > 1 or not isinstance(held[0], EmbeddedInstance):
        raise CIMError(Status.INVALID_PARAMETER, f"Argument `{name}' is to hold one instance")
    return held[0]


def reference(parameters: Parameters, name: str) -> InstancePath:
    """The reference that a parameter is.

    Raises:
        CIMError: INVALID_PARAMETER when it is missing.
    """
    value = parameters.get(name)
    if not isinstance(value, InstancePath):
        raise CIMError(Status.INVALID_PARAMETER, f"Missing argument `{name}'")
    return value


def kind_of(setting: EmbeddedInstance) -> str:
    """The kind of resource that a setting is for: `NetPool` of KVM_NetPoolResourceAllocationSettingData."""
    return base_of(setting.class_name).removesuffix("ResourceAllocationSettingData")
