"""A descriptor as a whole: its XML, held against what OVF says of it (DSP0243 1.1 and 2.1)."""

from __future__ import annotations

from collections.abc import Collection as Names

from lxml import etree

from virtcim.images.appliances.description import Appliance
from virtcim.images.appliances.descriptor.envelope import COLLECTION, NAMESPACES, SYSTEM, Envelope
from virtcim.images.appliances.descriptor.products import read_licences
from virtcim.images.appliances.descriptor.references import REFERENCE_SECTIONS, read_references
from virtcim.images.appliances.descriptor.systems import SystemReader
from virtcim.images.appliances.errors import ApplianceError
from virtcim.libhelper.xml.text import NotWellFormedError, parse_xml

__all__ = ["read_descriptor"]


def read_descriptor(text: bytes, *, without: Names[str] = ()) -> Appliance:
    """Read a descriptor.

    Parameters:
        text: XML in UTF-8.
        without: names of sections that are left out though the appliance says that it needs them; `Info` for what every
            section has to have once.

    Raises:
        ApplianceError: it is no descriptor, contradicts itself, or needs what is not understood.
    """
    try:
        root = parse_xml(text)
    except NotWellFormedError as error:
        raise ApplianceError(f"descriptor: {error}; expected XML") from None
    tag = etree.QName(root)
    version = NAMESPACES.get(tag.namespace or "")
    if tag.localname != "Envelope" or version is None:
        raise ApplianceError(f"descriptor: is a {root.tag[:120]!r}; expected the Envelope of OVF 1 or 2")
    return _read(Envelope(root, version, frozenset(without)))


def _read(envelope: Envelope) -> Appliance:
    envelope.check_form()
    sections: dict[str, list[etree._Element]] = {}
    contents = []
    for child, name in envelope.children(envelope.root):
        if name in (SYSTEM, COLLECTION):
            contents.append((child, name))
        elif name in REFERENCE_SECTIONS or name == "EulaSection":
            sections.setdefault(name, []).append(child)
        elif name != "Strings":
            envelope.leave_out(child, name, "descriptor")
    references = read_references(envelope, sections)
    if len(contents) != 1:
        raise ApplianceError(f"descriptor: has {len(contents)} systems or collections; expected one")
    ((element, name),) = contents
    content = SystemReader(envelope, references).read(element, name)
    return Appliance(
        version=envelope.version,
        content=content,
        files=references.files,
        disks=references.disks,
        networks=references.networks,
        options=references.options,
        licences=read_licences(envelope, sections),
        warnings=tuple(dict.fromkeys(envelope.warnings)),
    )
