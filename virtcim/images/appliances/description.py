"""What an appliance is, as plain values: what the descriptor says, whichever version of OVF it says it in.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace

from virtcim.immutable import immutable

__all__ = [
    "Appliance",
    "Collection",
    "DeploymentOption",
    "Disk",
    "File",
    "Hardware",
    "Item",
    "Network",
    "OperatingSystem",
    "Product",
    "Property",
    "StartupItem",
    "System",
    "numbered",
    "parts_of",
    "systems_of",
]


_ETHERNET = 10
"""The type of a port."""


@immutable
class File:
    """A file that the appliance refers to (`File`).

    Attributes:
        id: by which disks and drives name it.
        href: its name in the package.
        size: in bytes; None where it is not said.
        compression: `gzip` or `identity`.
        chunk_size: bytes of each of the parts into which it is split; None for a whole file.
    """

    id: str
    href: str
    size: int | None = None
    compression: str = "identity"
    chunk_size: int | None = None


@immutable
class Disk:
    """A virtual disk (`Disk` of DiskSection).

    Attributes:
        id: by which drives name it.
        capacity: as it is written: a number, or `${key}` for the value of a property.
        unit: bytes that one of that number is.
        file: id of the file with its content; "" for an empty disk.
        format: the URI of the file's format.
        parent: id of the disk that this one holds the differences to; "" for none.
    """

    id: str
    capacity: str
    unit: int = 1
    file: str = ""
    format: str = ""
    parent: str = ""


@immutable
class Network:
    """A network that ports of the appliance are connected to."""

    name: str
    description: str = ""


@immutable
class DeploymentOption:
    """One of the sizes and shapes in which the appliance can be had (`Configuration`)."""

    id: str
    label: str = ""
    description: str = ""
    is_default: bool = False


@immutable
class Property:
    """A property of a product, which the guest is told (`Property`).

    Attributes:
        key: its full name: with class and instance of the product, as the OVF environment has it.
        type: `string`, `boolean`, `uint8` and so on.
        qualifiers: what its value is bound to, as in `MinLen(1) MaxLen(8)`.
        value: by default; None where it has none.
        values: by default in the deployment options that have others, by the id of the option.
        is_configurable: whether it may be chosen.
        is_password: whether it is not to be shown.
    """

    key: str
    type: str
    qualifiers: str = ""
    value: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    description: str = ""
    is_configurable: bool = False
    is_password: bool = False

    def default(self, option: str) -> str | None:
        """The value that it has in a deployment option unless it is told another."""
        return self.values.get(option, self.value)


@immutable
class Product:
    """What runs in a system, or what a collection makes up (`ProductSection`)."""

    class_name: str = ""
    instance: str = ""
    name: str = ""
    vendor: str = ""
    version: str = ""
    properties: tuple[Property, ...] = ()


@immutable
class Item:
    """A piece of virtual hardware (`Item`, `StorageItem`, `EthernetPortItem`): the values of a resource allocation.

    Attributes:
        values: the texts of each property, by its name.
        configurations: ids of the deployment options that it is of; none for all.
        bound: `normal`, `min` or `max`.
        is_required: whether the system does not work without it.
        config: what a vendor adds, by key.
    """

    values: Mapping[str, tuple[str, ...]]
    configurations: tuple[str, ...] = ()
    bound: str = "normal"
    is_required: bool = True
    config: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The first value of a property; "" where it has none."""
        return next(iter(self.values.get(name, ())), "")

    @property
    def resource_type(self) -> int:
        """What it is, in numbers of the DMTF; 0 where that is not said."""
        text = self.text("ResourceType")
        return int(text) if text else 0


@immutable
class Hardware:
    """The virtual hardware of a system (`VirtualHardwareSection`).

    Attributes:
        kinds: the types of systems that it fits, such as `vmx-10`.
        items: its pieces.
        transports: how the guest expects to be told its properties.
        config: what a vendor adds, by key.
    """

    kinds: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    transports: tuple[str, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)


@immutable
class OperatingSystem:
    """What is installed in a system: the number of CIM_OperatingSystem.OSType, words, and a vendor's word."""

    id: int = 0
    version: str = ""
    description: str = ""
    word: str = ""


@immutable
class System:
    """A virtual system.

    Attributes:
        id: its name in the appliance.
        name: for people; "" for none.
        hardware: alternatives of its virtual hardware, the first one preferred; none where it is not said.
        licences: texts to be accepted.
    """

    id: str
    name: str = ""
    info: str = ""
    annotation: str = ""
    system: OperatingSystem = field(default_factory=OperatingSystem)
    hardware: tuple[Hardware, ...] = ()
    products: tuple[Product, ...] = ()
    licences: tuple[str, ...] = ()


@immutable
class StartupItem:
    """When a member of a collection is started (`Item` of StartupSection).

    Attributes:
        id: of the member.
        order: members of one order start together, those of a greater one later; 0 for no order.
        delay: seconds before the next ones start.
        action: `powerOn`, or `none` for a member that is not started.
        waits: whether the next ones start only when the guest says that it is ready.
    """

    id: str
    order: int
    delay: int = 0
    action: str = "powerOn"
    waits: bool = False


@immutable
class Collection:
    """Systems, and collections of them, that belong together."""

    id: str
    name: str = ""
    info: str = ""
    annotation: str = ""
    products: tuple[Product, ...] = ()
    licences: tuple[str, ...] = ()
    startup: tuple[StartupItem, ...] = ()
    members: tuple[System | Collection, ...] = ()


@immutable
class Appliance:
    """An appliance.

    Attributes:
        version: of OVF: `0.9`, `1` or `2`.
        files, disks, networks, options: by their ids, in the order of the descriptor.
        content: its one system, or the collection of its systems.
        licences: of the whole.
        warnings: what is left out, in words.
    """

    version: str
    content: System | Collection
    files: Mapping[str, File] = field(default_factory=dict)
    disks: Mapping[str, Disk] = field(default_factory=dict)
    networks: Mapping[str, Network] = field(default_factory=dict)
    options: Mapping[str, DeploymentOption] = field(default_factory=dict)
    licences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def content_of(self, disk: Disk) -> tuple[Disk, ...]:
        """The disks whose files make up what a disk holds: itself and its parents, each of differences to the next one.

        None for an empty disk.
        """
        found, current = [], disk
        while True:
            if current.file:
                found.append(current)
            if not current.parent:
                return tuple(found)
            current = self.disks[current.parent]

    @property
    def systems(self) -> tuple[System, ...]:
        """All its systems, in the order in which they are started."""
        return tuple(systems_of(self.content))

    @property
    def all_licences(self) -> tuple[str, ...]:
        """Every text that is to be accepted, once each."""
        texts = [*self.licences, *(text for part in parts_of(self.content) for text in part.licences)]
        return tuple(dict.fromkeys(texts))

    @property
    def products(self) -> tuple[Product, ...]:
        """The products of all its parts, the whole first."""
        return tuple(product for part in parts_of(self.content) for product in part.products)

    @property
    def default_option(self) -> str:
        """The deployment option that is taken unless another is asked for; "" where there are none."""
        marked = (option.id for option in self.options.values() if option.is_default)
        return next(marked, next(iter(self.options), ""))

    def products_of(self, system: System) -> tuple[Product, ...]:
        """The products whose properties a system is told: its own, and those of the collections that it is in."""
        return tuple(product for part in _way_to(self.content, system) for product in part.products)


def parts_of(part: System | Collection) -> Iterator[System | Collection]:
    """A part, and all systems and collections in it."""
    yield part
    if isinstance(part, Collection):
        for member in part.members:
            yield from parts_of(member)


def systems_of(part: System | Collection) -> Iterator[System]:
    """All systems of a part, in the order in which they are started."""
    if isinstance(part, System):
        yield part
        return
    orders = {item.id: item.order for item in part.startup}
    # Those without an order come last, as nobody waits for them.
    for member in sorted(part.members, key=lambda each: (not orders.get(each.id), orders.get(each.id, 0))):
        yield from systems_of(member)


def _way_to(part: System | Collection, system: System) -> tuple[System | Collection, ...]:
    if part is system:
        return (part,)
    for member in part.members if isinstance(part, Collection) else ():
        way = _way_to(member, system)
        if way:
            return (part, *way)
    return ()


def numbered(part: System | Collection, number: int) -> System | Collection:
    """Make a replica of a part: it and all in it have ids and names of their own, and no addresses of their ports."""
    id_, name = f"{part.id}-{number}", part.name and f"{part.name}-{number}"
    if isinstance(part, Collection):
        return replace(
            part,
            id=id_,
            name=name,
            startup=tuple(replace(item, id=f"{item.id}-{number}") for item in part.startup),
            members=tuple(numbered(member, number) for member in part.members),
        )
    hardware = tuple(replace(each, items=tuple(map(_without_address, each.items))) for each in part.hardware)
    return replace(part, id=id_, name=name, hardware=hardware)


def _without_address(item: Item) -> Item:
    if item.resource_type != _ETHERNET:
        return item
    return replace(item, values={name: texts for name, texts in item.values.items() if name != "Address"})
