"""The elements of a descriptor, whichever version of OVF it is in.

OVF 0.9, which the DMTF was handed by vendors, and drafts of OVF 1 name their parts by `xsi:type`; these are read as far
as they say the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from lxml import etree

from virtcim.images.appliances.errors import ApplianceError

__all__ = [
    "COLLECTION",
    "INFO",
    "INSTANCE_COUNT",
    "MOST",
    "NAMESPACES",
    "SCALE_OUT",
    "SYSTEM",
    "VENDOR_CONFIG",
    "Envelope",
    "is_number",
    "put",
]

NAMESPACES = {
    "http://schemas.dmtf.org/ovf/envelope/1": "1",
    "http://schemas.dmtf.org/ovf/envelope/2": "2",
    "http://www.vmware.com/schema/ovf/1/envelope": "0.9",
}
"""The version of OVF by the namespace of its envelope."""

_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TYPE_SUFFIX = "_Type"
SYSTEM, COLLECTION = "VirtualSystem", "VirtualSystemCollection"
_VMWARE = "http://www.vmware.com/schema/ovf"
_WHERE = frozenset({
    "BootOrderSection", "CpuCompatibilitySection", "IpAssignmentSection", "StorageGroupSection", "StorageSection",
    "TagBasedPlacementGroupSection", "TagBasedPlacementSection", "VirtualDeviceGroupSection",
})  # fmt: skip
"""VMware's sections that say where and how a vCenter is to place things, not what the guest is; few mark them."""
_BEFORE_OVF = "http://www.vmware.com/schema/ovf/1/envelope"
"""The namespace of OVF 0.9, whose sections may do without an Info."""
INFO = "Info"
SCALE_OUT, INSTANCE_COUNT = "ScaleOutSection", "InstanceCount"
_OVF_2 = "http://schemas.dmtf.org/ovf/envelope/2"
_ALSO_IN_1 = frozenset({SCALE_OUT, INSTANCE_COUNT})
"""What OVF 2 has brought, and tools put into an envelope of OVF 1 under its own namespace."""
VENDOR_CONFIG = frozenset({"Config", "ExtraConfig"})
_TRUE, _FALSE = ("true", "1"), ("false", "0")
_NUMBER = re.compile(r"[0-9]{1,20}")
MOST = 2**64 - 1
"""The largest number that the schema has (`xs:unsignedLong`)."""
Key = TypeVar("Key")
Value = TypeVar("Value")


class Envelope:
    """A descriptor, element by element.

    Parameters:
        root: the Envelope.
        version: of OVF.
        without: names of sections that are left out though the appliance says that it needs them; `Info` for what every
            section has to have once.

    Attributes:
        root, version: likewise.
        warnings: what is left out, and what is not as it should be.
    """

    def __init__(self, root: etree._Element, version: str, without: frozenset[str]) -> None:
        self.root, self.version, self._without = root, version, without
        self.warnings: list[str] = []
        self._messages = self._read_messages()

    def warn(self, text: str) -> None:
        """Note what whoever takes the appliance over should know."""
        self.warnings.append(text)

    def check_form(self) -> None:
        """See that every system and section says what it is about (DSP0243, 7.1); tools write some that do not.

        Raises:
            ApplianceError: one says it twice.
        """
        own = etree.QName(self.root).namespace
        for element in self.root.iter(f"{{{own}}}*") if own != _BEFORE_OVF else ():
            kind = self.kind(element)
            if not kind.endswith("Section") and kind not in (SYSTEM, COLLECTION):
                continue
            count = sum(name == INFO for _, name in self.children(element))
            if INFO in self._without:
                continue
            if count > 1:
                raise ApplianceError(f"{kind}: has {count} Info; expected one, or to be read without Info")
            if not count:
                self.warn(f"{kind}: has no Info")

    def children(self, element: etree._Element) -> Iterator[tuple[etree._Element, str]]:
        """The elements in one, with what each is; "" never."""
        for child in element:
            if isinstance(child.tag, str):
                yield child, self.kind(child)

    def kind(self, element: etree._Element) -> str:
        """What an element is: its name where it is OVF's, with its namespace where it is not."""
        tag = etree.QName(element)
        own = tag.namespace in (etree.QName(self.root).namespace, None)
        own = own or (tag.namespace == _OVF_2 and tag.localname in _ALSO_IN_1)
        if own and tag.localname in ("Content", "Section"):
            kind = str(element.get(_XSI_TYPE, "")).rpartition(":")[2]
            return kind.removesuffix(_TYPE_SUFFIX) or tag.localname
        if own or tag.localname in VENDOR_CONFIG or tag.localname in ("Info", "Strings"):
            return tag.localname
        return f"{tag.localname} of {tag.namespace}"

    def all_named(self, elements: Iterable[etree._Element], wanted: str) -> Iterator[etree._Element]:
        """The children of elements that are of one kind."""
        for element in elements:
            yield from (child for child, name in self.children(element) if name == wanted)

    def local_text(self, element: etree._Element, name: str) -> str:
        """The text of a child, in whatever namespace: those of CIM classes have one for each."""
        found = (child for child in element if isinstance(child.tag, str) and etree.QName(child).localname == name)
        child = next(found, None)
        return "" if child is None else (child.text or "").strip()

    def text(self, element: etree._Element, name: str) -> str:
        """The text of a child, in the language of the descriptor."""
        child = next(self.all_named([element], name), None)
        if child is None:
            return ""
        told = "".join(map(str, child.itertext())).strip()
        return told or self._messages.get(self.attribute(child, "msgid") or "", "")

    def attribute(self, element: etree._Element, name: str) -> str | None:
        """An attribute, with the namespace of OVF, whichever version, or without."""
        for key in (*(f"{{{namespace}}}{name}" for namespace in NAMESPACES), name):
            value = element.get(key)
            if value is not None:
                return str(value).strip()
        return None

    def needed(self, element: etree._Element, name: str, context: str) -> str:
        """Read an attribute that has to be there.

        Parameters:
            context: whose it is, for the message.

        Raises:
            ApplianceError: it is not, or is empty.
        """
        value = self.attribute(element, name)
        if not value:
            raise ApplianceError(f"{context}: has no {name}; expected one")
        return value

    def size(self, element: etree._Element, name: str) -> int | None:
        """Read an attribute that is a number; None where it is not there.

        Raises:
            ApplianceError: it is none, or larger than `MOST`.
        """
        value = self.attribute(element, name)
        if value is None:
            return None
        if not is_number(value):
            raise ApplianceError(f"{name}: is {value[:80]!r}; expected a number")
        return int(value)

    def flag(self, element: etree._Element, name: str, *, otherwise: bool) -> bool:
        """Read an attribute that is true or false (`xs:boolean`).

        Parameters:
            otherwise: what it is where it is not there.

        Raises:
            ApplianceError: it is neither.
        """
        value = self.attribute(element, name)
        if value is None:
            return otherwise
        if value not in (*_TRUE, *_FALSE):
            raise ApplianceError(f"{name}: is {value[:80]!r}; expected true or false")
        return value in _TRUE

    def leave_out(self, element: etree._Element, name: str, context: str) -> None:
        """Leave out what is not understood.

        Raises:
            ApplianceError: the appliance needs it.
        """
        tag = etree.QName(element)
        where = tag.namespace == _VMWARE and tag.localname in _WHERE
        if self.flag(element, "required", otherwise=True) and not where and tag.localname not in self._without:
            raise ApplianceError(f"{context}: needs {name[:160]!r}, which is not understood; expected what OVF has")
        self.warn(f"{context}: {name[:160]} is left out")

    def _read_messages(self) -> dict[str, str]:
        """The texts of the descriptor's own language, by their ids."""
        language = self.root.get(_XML_LANG, "en-US")
        bundles = [child for child in self.root if isinstance(child.tag, str) and self.kind(child) == "Strings"]
        bundles.sort(key=lambda bundle: bundle.get(_XML_LANG) != language)
        found: dict[str, str] = {}
        for message in self.all_named(bundles[:1], "Msg"):
            found[self.attribute(message, "msgid") or ""] = (message.text or "").strip()
        return found


def is_number(text: str) -> bool:
    """Tell whether a text is a whole number of at most `MOST`."""
    return _NUMBER.fullmatch(text) is not None and int(text) <= MOST


def put(found: dict[Key, Value], key: Key, value: Value, what: str) -> None:
    """Keep a value under a key that must be its own.

    Raises:
        ApplianceError: another one has it.
    """
    if key in found:
        raise ApplianceError(f"{what} {key!r}: is there twice; expected ids of their own")
    found[key] = value
