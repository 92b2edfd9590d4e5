"""What all resource allocation settings have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any, Generic, Self, TypeVar, cast

from virtcim.libhelper.documents.domain import Device
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, MainKey, class_of, no_such_domain
from virtcim.providers.deviceids import DeviceEntry
from virtcim.providers.drafts import Draft, address_lists
from virtcim.providers.guest import CHANGEABLE_TYPE, Configuration, Guest
from virtcim.providers.guests import made_by_type, split_identifier
from virtcim.providers.interface import CIMError, Properties, Status
from virtcim.providers.options import with_options
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.sources import PARTS_OF_GUESTS
from virtcim.providers.Virt_DevicePool import pool_for
from virtcim.providers.Virt_RASD.placement import address_on_parent, controller_of, parent_of
from virtcim.schema.paths import InstancePath, format_key, format_path

__all__ = [
    "ADDRESS",
    "BOOTABLE",
    "COMMON",
    "COUNT",
    "OTHER",
    "PLACED",
    "POOLED",
    "ResourceSetting",
    "device_table",
    "pool_id",
]

Described = TypeVar("Described", covariant=True)
"""The part of the domain XML that a setting is made from."""

OTHER = 1
"""ResourceType Other."""
COUNT = "count"

_VIRTUALIZED = 3


class ResourceSetting(Element, Generic[Described]):
    """The setting data of one resource.

    Attributes:
        configuration: that it is a part of.
        entry: the resource.
        device: its part of the domain XML.
        instance_id: the key.
    """

    __slots__ = ("configuration", "device", "entry", "guest", "instance_id")

    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "Missing InstanceID")
    ignores_case = True
    source = PARTS_OF_GUESTS
    indicated_as = "ResourceAllocationSettingData"

    def __init__(self, configuration: Configuration, entry: DeviceEntry) -> None:
        self.guest = configuration.guest
        self.configuration = configuration
        self.entry = entry
        self.device: Described = entry.device
        self.instance_id = configuration.resource_id(entry.identifier)
        super().__init__(self.guest.site, self.guest.platform, self.instance_id)

    @classmethod
    def made_from(cls, owner: Guest) -> Sequence[Self]:
        return [each for each in _of_guest(owner) if type(each) is cls]

    @classmethod
    def all_of(cls, site: Site, platform: Platform) -> Iterable[Self]:
        return cast("Sequence[Self]", made_by_type(site, platform, ResourceSetting, _of_guest).get(cls, ()))

    @classmethod
    def in_configuration(cls, configuration: Configuration) -> Sequence[Self]:
        """The settings of this type in a configuration, in the order of the resources."""
        return [each for each in configuration.memo(ResourceSetting, _of_configuration) if type(each) is cls]

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        if not site.hypervisors(platform):
            text = "No such instance"
        elif not any(split_identifier(site, platform, key)):
            text = f"No such instance ({key}): {no_such_domain(key.partition('/')[0])}"
        else:
            text = f"No such instance ({key})"
        return CIMError(Status.NOT_FOUND, text)

    def declared_values(self: Self) -> Properties:
        return self.table.layers("device").of_resource(self, self.entry)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.guest.domain.revision


def device_table(
    classes: Sequence[type[Device]], *groups: Property[Any] | PropertyTable[Any] | Iterable[Property[Any]]
) -> PropertyTable[Any]:
    """Make the table of settings of devices, with the options that no other property shows.

    Parameters:
        classes: of the devices that have options; another setting shows those of all others.
        groups: properties, and tables to take over, as for `PropertyTable`.
    """
    return with_options(PropertyTable(*groups), *classes, get=attrgetter("device"))


def _of_configuration(configuration: Configuration) -> tuple[ResourceSetting[Any], ...]:
    """All settings of a configuration, in the order of the resources: few enough to be gone through for those of a
    type, where a tuple for each type would be larger."""
    return tuple(entry.kind.setting(configuration, entry) for entry in configuration.entries.values())


def _of_guest(guest: Guest) -> tuple[ResourceSetting[Any], ...]:
    """The settings of all configurations of a guest."""
    settings = [each.memo(ResourceSetting, _of_configuration) for each in guest.all_configurations]
    return settings[0] if len(settings) == 1 else tuple(chain.from_iterable(settings))


def pool_id(setting: ResourceSetting[object]) -> str | None:
    """The InstanceID of the pool that the resource is taken from; None where it is taken from none."""
    pool = pool_for(setting.guest, setting.entry)
    return None if pool is None else pool.instance_id


def _parent(setting: ResourceSetting[Device]) -> str | None:
    """The controller that the device is attached to, as a WBEM URI (DSP0207)."""
    named = controller_of(setting.entry) if setting.device.address else None
    identifier = None if named is None else parent_of(setting.entry, named, setting.configuration.entries)
    if identifier is None:
        return None
    start = _start_of_path(setting.namespace, setting.platform.prefix)
    return f"{start}{format_key(setting.configuration.resource_id(identifier))}"


@lru_cache(maxsize=1024)
def _start_of_path(namespace: str, prefix: str) -> str:
    """What the WBEM URIs of all controllers of a platform begin with, up to the value of their key."""
    path = InstancePath(class_of(prefix, "ControllerResourceAllocationSettingData"), {"InstanceID": ""}, namespace)
    return format_path(path).removesuffix(format_key(""))


def _address_lists(names: bool) -> Callable[[ResourceSetting[Device]], list[str] | None]:
    """A getter of AddressProperties (`names`) or of AddressValues."""

    def get(setting: ResourceSetting[Device]) -> list[str] | None:
        address = setting.device.address
        return (list(address) if names else list(address.values())) or None

    return get


def _write_boot_order(draft: Draft, value: int) -> None:
    """BootOrder; the list of kinds of devices that the guest has ends, as libvirt takes one or the other."""
    draft.put("boot_order", value or None)
    if value and draft.context.config.os_boot_devs:
        draft.domain_fields["os_boot_devs"] = []


COMMON = PropertyTable[ResourceSetting[object]](
    attribute(
        "InstanceID", lambda setting: setting.instance_id, source="domain XML name, and the identifier of the resource"
    ),
    attribute("ElementName", lambda setting: setting.entry.identifier, source="the identifier of the resource"),
    attribute("ChangeableType", lambda setting: setting.configuration.changeable_type, source=CHANGEABLE_TYPE),
    constant("ConsumerVisibility", _VIRTUALIZED, "always Virtualized"),
    constant("AutomaticAllocation", True, "always true: allocated when the guest starts"),
    constant("AutomaticDeallocation", True, "always true: released when the guest stops"),
)

POOLED = PropertyTable[ResourceSetting[object]](Property("PoolID", pool_id, "the pool of all resources of the kind"))

PLACED = PropertyTable[ResourceSetting[Device]](
    constant("VirtualQuantity", 1, "always 1: one device"),
    constant("VirtualQuantityUnits", COUNT),
    Property("Parent", _parent, "domain XML devices/*/address: the controller it names"),
    Property(
        "AddressOnParent",
        lambda setting: address_on_parent(setting.device.address),
        "domain XML devices/*/address: bus:target:unit, port, slot or slot.function",
    ),
)
"""What a device on a bus has."""

BOOTABLE = PropertyTable[ResourceSetting[Device]](
    Property(
        "BootOrder",
        lambda setting: setting.device.boot_order,
        "domain XML devices/*/boot/@order",
        _write_boot_order,
    ),
)
"""What a device has that a guest can be booted from."""

ADDRESS = PropertyTable[ResourceSetting[Device]](
    Property("AddressProperties", _address_lists(True), "domain XML devices/*/address: the names", address_lists),
    Property("AddressValues", _address_lists(False), "domain XML devices/*/address: the values", address_lists),
)
