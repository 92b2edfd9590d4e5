"""What a client wants of a guest or of one of its resources, on its way into the domain XML.

The properties of a class are declared once, for reading and for writing: a property that can be written has a writer,
which takes the client's value into a `Draft`.  A draft collects values of XML fields; it changes nothing itself.

Layer rule: imports `libhelper`, `platforms` and modules of `providers` that know no classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from virtcim.providers.units import size_in

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Device, DomainConfig
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.platforms.base import Platform
    from virtcim.providers.site import Site

__all__ = [
    "Draft",
    "DraftContext",
    "GivenProperties",
    "ValueRefusedError",
    "Writer",
    "address_lists",
    "as_text",
    "chosen",
    "flag",
    "kibibytes",
    "number_text",
    "same",
    "to",
    "yes_no",
]

GivenProperties = Mapping[str, Any]
"""What a client gave, by property: values of the types that the class declares."""

Writer = Callable[["Draft", Any], None]
"""Takes the value of a client, which is not None, into a draft; raises `ValueRefusedError` when it cannot be."""


class Writable(Protocol):
    """A declared property, as far as a draft needs it."""

    @property
    def write(self) -> Writer | None: ...


class ValueRefusedError(Exception):
    """A value that is not possible.

    Attributes:
        text: for the client; names the property.
        detail: more of it, where there is any.
        contradiction: whether the value would do, and only contradicts another one.
    """

    def __init__(self, text: str, detail: str = "", *, contradiction: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.detail = detail
        self.contradiction = contradiction

    def __str__(self) -> str:
        return f"{self.text}, {self.detail}" if self.detail else self.text


class DraftContext:
    """Where a draft is made: the platform and hypervisor, and the guest's configuration as it is.

    Attributes:
        config: the domain as it is in the document that is edited.
        live: whether it is the configuration of a running guest.
    """

    __slots__ = ("config", "hypervisor", "live", "platform", "site")

    def __init__(
        self, site: Site, platform: Platform, hypervisor: Hypervisor, config: DomainConfig, live: bool = False
    ) -> None:
        self.site = site
        self.platform = platform
        self.hypervisor = hypervisor
        self.config = config
        self.live = live


class Draft:
    """Values of XML fields, collected from properties.

    Attributes:
        context: where it is made.
        base: the object as it is; an empty one of its class when it is to be new.
        given: the values that the client gave and that are to be written, by property; none is None.
        fields: what is to be written.
        properties: for each of these fields, the property that it was written for.
        domain_fields: what is to be written to the domain as a whole, from the draft of a device.
        device_fields: what is to be written to devices, from the draft of the domain.
        autostart: whether the guest is to be started with the host; None to leave it.
        is_new: whether the object does not exist yet.
    """

    __slots__ = (
        "_name",
        "autostart",
        "base",
        "context",
        "device_fields",
        "domain_fields",
        "fields",
        "given",
        "is_new",
        "properties",
    )

    def __init__(self, context: DraftContext, base: Any, given: GivenProperties, is_new: bool) -> None:
        self.context = context
        self.base = base
        self.given = given
        self.fields: dict[str, object] = {}
        self.properties: dict[str, str] = {}
        self.domain_fields: dict[str, object] = {}
        self.device_fields: list[tuple[Device, dict[str, object]]] = []
        self.autostart: bool | None = None
        self.is_new = is_new
        self._name = ""

    def put(self, field: str, value: object) -> None:
        """Have a field written; None removes it.

        Raises:
            ValueRefusedError: the property means nothing to this kind of resource.
        """
        if field not in self.base.declared():
            raise ValueRefusedError(f"{self._name} does not apply to <{self.base.tag}>", contradiction=True)
        self.fields[field] = value
        if self._name in self.given:
            self.properties[field] = self._name

    def put_device(self, device: Device, field: str, value: object) -> None:
        """Have a field of a device written."""
        self.device_fields.append((device, {field: value}))

    def now(self, field: str) -> Any:
        """The value of a field as it is going to be."""
        return self.fields[field] if field in self.fields else getattr(self.base, field)

    def write(self, table: Mapping[str, Writable]) -> None:
        """Take in everything that was given, in the order of the table.

        Raises:
            ValueRefusedError: a value is not possible.
        """
        for name, declared in table.items():
            if declared.write is not None and name in self.given:
                self._name = name
                declared.write(self, self.given[name])
        self._name = ""


def same(one: object, other: object) -> bool:
    """Whether two property values are the same to a client: lists and tuples of the same values are."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return bool(one == other)


def to(field: str, convert: Callable[[Any], Any] | None = None) -> Writer:
    """Write one field.

    Parameters:
        convert: from the property's value to the field's.
    """
    return lambda draft, value: draft.put(field, value if convert is None else convert(value))


def as_text(field: str) -> Writer:
    """Write one field; the empty text removes it."""
    return lambda draft, value: draft.put(field, value or None)


def flag(field: str) -> Writer:
    """Write a field that is an element that is there or not."""
    return lambda draft, value: draft.put(field, True if value else None)


def chosen(name: str, field: str, words: Mapping[Any, Any]) -> Writer:
    """Write one field with the word that stands for the property's value.

    Parameters:
        name: of the property, for the error.
        words: property value to field value.
    """

    def write(draft: Draft, value: object) -> None:
        try:
            draft.put(field, words[value])
        except KeyError:
            raise ValueRefusedError(f"Invalid value for {name}: {value}") from None

    return write


def yes_no(name: str, field: str) -> Writer:
    """Write a boolean field from a property that says yes or no."""
    return chosen(name, field, {"yes": True, "no": False, "": None})


def number_text(name: str, field: str) -> Writer:
    """Write a number from a property that is a text; the empty text removes it."""

    def write(draft: Draft, value: str) -> None:
        if value and not (value.isascii() and value.isdigit()):
            raise ValueRefusedError(f"Invalid value for {name}: {value}")
        draft.put(field, int(value) if value else None)

    return write


def kibibytes(draft: Draft, value: int, name: str, shown: str = "byte*2^10") -> int:
    """A size in the units that the client names, in KiB, of which libvirt knows whole ones only.

    Without units it is in bytes for what is new, as libvirt-cim has it, and for what is there already in the unit that
    it is `shown` in.
    """
    units = draft.given.get("AllocationUnits") or ("byte" if draft.is_new else shown)
    factor = size_in(units)
    if factor is None:
        raise ValueRefusedError("Unknown AllocationUnits in Memory RASD", f"{name} in {units}")
    size, rest = divmod(value * factor, 1024)
    if rest:
        raise ValueRefusedError(f"{name}: {value} {units} are no whole KiB; expected a multiple of 1024 bytes")
    return size


def address_lists(draft: Draft, _value: object) -> None:
    """Write the address of a device from the lists of its names and values."""
    names = draft.given.get("AddressProperties") or ()
    values = draft.given.get("AddressValues") or ()
    if len(names) != len(values) or None in names or None in values:
        raise ValueRefusedError("AddressProperties not matching AddressValues")
    draft.put("address", dict(zip(names, values, strict=True)) or None)
