"""What systems and collections say of themselves: products with their properties, licences, annotations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from lxml import etree

from virtcim.images.appliances.description import DeploymentOption, Product, Property
from virtcim.images.appliances.descriptor.envelope import Envelope, put
from virtcim.images.appliances.errors import ApplianceError

__all__ = ["DESCRIPTIVE_SECTIONS", "Sections", "read_annotation", "read_licences", "read_products"]

DESCRIPTIVE_SECTIONS = frozenset({"ProductSection", "EulaSection", "AnnotationSection"})
"""The sections that these stand in."""

Sections: TypeAlias = Mapping[str, Sequence[etree._Element]]
"""Sections of a system or collection, by their names."""

_TYPES = re.compile(
    r"(u?int(8|16|32|64)?|sint(8|16|32|64)|string|boolean|real(32|64)?|char16|datetime|password|ip(:.*)?)",
    re.IGNORECASE,
)


def read_annotation(envelope: Envelope, sections: Sections) -> str:
    """Read what a system or collection says of itself."""
    texts = (envelope.text(section, "Annotation") for section in sections.get("AnnotationSection", ()))
    return "\n".join(text for text in texts if text)


def read_licences(envelope: Envelope, sections: Sections) -> tuple[str, ...]:
    """Read the texts that have to be agreed to."""
    return tuple(filter(None, (envelope.text(section, "License") for section in sections.get("EulaSection", ()))))


def read_products(
    envelope: Envelope, options: Mapping[str, DeploymentOption], sections: Sections
) -> tuple[Product, ...]:
    """Read the products of a system or collection, with their properties.

    Raises:
        ApplianceError: one contradicts itself, or is of a deployment option that is not there.
    """
    found: dict[tuple[str, str], Product] = {}
    for section in sections.get("ProductSection", ()):
        product = _product(envelope, options, section)
        put(found, (product.class_name, product.instance), product, "product")
    return tuple(found.values())


def _product(envelope: Envelope, options: Mapping[str, DeploymentOption], section: etree._Element) -> Product:
    class_name, instance = (envelope.attribute(section, name) or "" for name in ("class", "instance"))
    properties: dict[str, Property] = {}
    for child, name in envelope.children(section):
        if name == "Property":
            read = _property(envelope, options, child, class_name, instance)
            put(properties, read.key, read, "property")
    return Product(
        class_name=class_name,
        instance=instance,
        name=envelope.text(section, "Product"),
        vendor=envelope.text(section, "Vendor"),
        version=envelope.text(section, "Version") or envelope.text(section, "FullVersion"),
        properties=tuple(properties.values()),
    )


def _property(
    envelope: Envelope,
    options: Mapping[str, DeploymentOption],
    element: etree._Element,
    class_name: str,
    instance: str,
) -> Property:
    key = envelope.needed(element, "key", "property")
    if "." in key or ":" in key:
        # What the makers of well-known appliances do nevertheless (DSP0243, 9.5.1).
        envelope.warn(f"property {key[:80]!r}: has a key with a dot or a colon")
    kind = envelope.needed(element, "type", f"property {key!r}")
    if not _TYPES.fullmatch(kind.partition("(")[0]):
        raise ApplianceError(f"property {key!r}: is of the type {kind[:80]!r}; expected one of CIM")
    values = {}
    for child in envelope.all_named([element], "Value"):
        option = envelope.attribute(child, "configuration")
        value = envelope.attribute(child, "value") or ""
        if option is not None and option not in options:
            raise ApplianceError(f"property {key!r}: has a value for {option!r}; expected a deployment option")
        if option in values:
            raise ApplianceError(f"property {key!r}: has two values for one configuration; expected one")
        values[option] = value
    return Property(
        key=".".join(filter(None, (class_name, key, instance))),
        type=kind,
        qualifiers=envelope.attribute(element, "qualifiers") or "",
        value=envelope.attribute(element, "value") if None not in values else values[None],
        values={option: value for option, value in values.items() if option is not None},
        label=envelope.text(element, "Label"),
        description=envelope.text(element, "Description"),
        is_configurable=envelope.flag(element, "userConfigurable", otherwise=False),
        is_password=envelope.flag(element, "password", otherwise=False),
    )
