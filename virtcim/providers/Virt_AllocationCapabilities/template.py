"""Settings that show what a pool can give: a minimum, a maximum, a default, a step, or one possible choice.

They are instances of the classes of guests' settings, and belong to no guest.  They are found by association and by
GetInstance, and are not listed among the settings of guests.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterable
from typing import Self

from virtcim.providers.base import Element, MainKey
from virtcim.providers.interface import Properties
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.sources import PLATFORMS
from virtcim.providers.Virt_DevicePool import DevicePool

__all__ = ["AMOUNT", "Sample", "Template", "template_table", "template_type"]

_DEFAULT, _SUPPORTED = 0, 3
_POINT, _MINIMUMS, _MAXIMUMS, _INCREMENTS = 0, 1, 2, 3
_SOURCE = "what host and hypervisor can do"


class Sample(enum.Enum):
    """What the values of a template mean: the word in its InstanceID, ValueRole and ValueRange (DSP1043)."""

    MINIMUM = ("Minimum", _SUPPORTED, _MINIMUMS)
    MAXIMUM = ("Maximum", _SUPPORTED, _MAXIMUMS)
    DEFAULT = ("Default", _DEFAULT, _POINT)
    INCREMENT = ("Increment", _SUPPORTED, _INCREMENTS)
    POINT = ("Point", _SUPPORTED, _POINT)

    @property
    def word(self) -> str:
        """libvirt-cim's word for it."""
        return self.value[0]

    @property
    def role(self) -> int:
        """CIM_SettingsDefineCapabilities.ValueRole."""
        return self.value[1]

    @property
    def range(self) -> int:
        """CIM_SettingsDefineCapabilities.ValueRange."""
        return self.value[2]


class Template(Element):
    """A setting that shows what a pool can give.

    Attributes:
        pool: the pool.
        sample: what the values mean.
        values: the properties that the setting has.
        instance_id: the key: the pool, the sample, and what tells it from others of the kind.
    """

    __slots__ = ("instance_id", "pool", "sample", "values")

    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "Missing InstanceID")
    source = PLATFORMS

    def __init__(self, pool: DevicePool, sample: Sample, detail: str, values: Properties) -> None:
        self.pool = pool
        self.sample = sample
        self.values = {name: value for name, value in values.items() if value is not None}
        self.instance_id = "/".join(part for part in (pool.instance_id, sample.word, detail) if part)
        super().__init__(pool.site, pool.platform, self.instance_id)

    @classmethod
    def made_from(cls, owner: object) -> Iterable[Self]:
        """None: templates are not listed."""
        return ()

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return tuple(self.values.items())

    @property
    def element_name(self) -> str:
        """The sample, and what tells it from others of its kind."""
        return self.instance_id[len(self.pool.instance_id) + 1 :]


def _value(name: str) -> Property[Template]:
    return Property(name, lambda template: template.values.get(name), _SOURCE)


AMOUNT = ("VirtualQuantity", "VirtualQuantityUnits")


def template_table(*names: str) -> PropertyTable[Template]:
    """The properties of the templates of a class: `names`, beside those that all have."""
    return PropertyTable[Template](
        attribute(
            "InstanceID",
            lambda template: template.instance_id,
            source="InstanceID of the pool, the sample, what it is of",
        ),
        attribute(
            "ElementName",
            lambda template: template.element_name,
            source="the part of InstanceID after that of the pool",
        ),
        attribute("PoolID", lambda template: template.pool.instance_id, source="InstanceID of the pool"),
        attribute("ResourceType", lambda template: template.pool.resource_type, source="ResourceType of the pool"),
        map(_value, names),
    )


def template_type(word: str, *names: str) -> type[Template]:
    """The type of the templates of a class that guests have settings of, too.

    Parameters:
        word: the part of the name of the class before ResourceAllocationSettingData.
        names: the properties that they can have beside those that all have.
    """
    base = f"{word}ResourceAllocationSettingData"
    return type(f"{word}Template", (Template,), {"__slots__": (), "base": base, "table": template_table(*names)})
