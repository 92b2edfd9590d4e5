"""The properties of an appliance: their values, held against what it says of them, and telling them to its guests.

A guest reads them from the OVF environment: a document on a disc of its own (DSP0243 2.1, section 11).

Layer rule: imports `description`, `errors` and `machine` of this package.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping

from lxml import etree

from virtcim.images.appliances.description import Appliance, Property, System
from virtcim.images.appliances.errors import ApplianceError, UnfitOrderError

__all__ = ["check_value", "environment_disc", "environment_text", "settle_properties"]

_NAMESPACE = "http://schemas.dmtf.org/ovf/environment/1"
_FILE = "ovf-env.xml"
_LABEL = "OVF ENV"
_INTEGER = re.compile(r"(?P<sign>u|s)?int(?P<bits>8|16|32|64)?", re.IGNORECASE)
_REAL = re.compile(r"[+-]?[0-9]{1,64}(\.[0-9]{0,64})?([eE][+-]?[0-9]{1,3})?")
_MOST_QUALIFIERS = 4096
_QUALIFIER = re.compile(r"(\w+)\s*[({]((?:[^(){}\"]|\"[^\"]*\")*)[)}]")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|([^\s,]+)")


def settle_properties(appliance: Appliance, option: str, given: Mapping[str, str]) -> dict[str, str]:
    """Settle the values of all properties.

    Parameters:
        option: the deployment option, by whose defaults the rest is filled in.
        given: values by key.

    Returns:
        values by key; those without a value are left out.

    Raises:
        ApplianceError: one is not known, may not be chosen, or has a value that it cannot have.
    """
    known: dict[str, Property] = {}
    for product in appliance.products:
        for each in product.properties:
            known.setdefault(each.key, each)
    unknown = [key for key in given if key not in known]
    if unknown:
        raise UnfitOrderError(f"property {unknown[0]!r}: is not known; expected {_listed(known)}")
    found = {}
    for key, each in known.items():
        value = each.default(option)
        if key in given and given[key] != value:
            if not each.is_configurable:
                raise UnfitOrderError(f"property {key!r}: may not be chosen; expected the appliance's own value")
            check_value(each, given[key])
            value = given[key]
        if value is not None:
            found[key] = value
    return found


def check_value(wanted: Property, value: str) -> None:
    """Hold a value against the type and the qualifiers of its property.

    Raises:
        ApplianceError: the property cannot have it; the text does not show what is a password.
    """
    shown = "a value" if wanted.is_password else repr(value[:80])
    kind = wanted.type.partition("(")[0].lower()
    integer = _INTEGER.fullmatch(kind)
    if integer is not None and not _is_integer(value, integer):
        raise ApplianceError(f"property {wanted.key!r}: is {shown}; expected a number of type {wanted.type}")
    if kind == "boolean" and value.lower() not in ("true", "false"):
        raise ApplianceError(f"property {wanted.key!r}: is {shown}; expected true or false")
    if kind in ("real", "real32", "real64") and not _REAL.fullmatch(value):
        raise ApplianceError(f"property {wanted.key!r}: is {shown}; expected a number")
    for name, argument in _QUALIFIER.findall(wanted.qualifiers[:_MOST_QUALIFIERS]):
        _check_qualifier(wanted, value, shown, name.lower(), argument.strip())


def _check_qualifier(wanted: Property, value: str, shown: str, name: str, argument: str) -> None:
    limit = int(argument) if re.fullmatch(r"-?[0-9]{1,19}", argument) else None
    number = int(value) if re.fullmatch(r"[+-]?[0-9]{1,20}", value) else None
    match name:
        case "minlen":
            wrong = limit is not None and len(value) < limit
        case "maxlen":
            wrong = limit is not None and len(value) > limit
        case "minvalue":
            wrong = limit is not None and number is not None and number < limit
        case "maxvalue":
            wrong = limit is not None and number is not None and number > limit
        case "valuemap":
            wrong = value not in [quoted or plain for quoted, plain in _QUOTED.findall(argument)]
        case _:
            wrong = False
    if wrong:
        raise ApplianceError(f"property {wanted.key!r}: is {shown}; expected {name}({argument[:200]})")


def _is_integer(value: str, kind: re.Match[str]) -> bool:
    if not re.fullmatch(r"[+-]?[0-9]{1,20}", value):
        return False
    bits = int(kind["bits"] or 64)
    least, most = (0, 2**bits - 1) if (kind["sign"] or "").lower() == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return bool(least <= int(value) <= most)


def environment_text(appliance: Appliance, system: System, values: Mapping[str, str]) -> bytes:
    """Write the document of what a system is told: its own properties, and those of the systems beside it.

    Parameters:
        values: of all properties, by key.
    """
    oe = f"{{{_NAMESPACE}}}"
    root = etree.Element(f"{oe}Environment", nsmap={"oe": _NAMESPACE})
    root.set(f"{oe}id", system.id)
    platform = etree.SubElement(root, f"{oe}PlatformSection")
    for name, text in (("Kind", "virtcim"), ("Version", "1"), ("Vendor", "virtcim"), ("Locale", "en")):
        etree.SubElement(platform, f"{oe}{name}").text = text
    _add_properties(root, oe, _keys(appliance, system), values)
    for other in appliance.systems:
        if other is not system:
            entity = etree.SubElement(root, f"{oe}Entity")
            entity.set(f"{oe}id", other.id)
            _add_properties(entity, oe, _keys(appliance, other), values)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def environment_disc(text: bytes) -> bytes:
    """Make the image of the disc (ISO 9660) that a guest finds the document on."""
    import pycdlib

    disc = pycdlib.PyCdlib()
    disc.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=_LABEL)
    disc.add_fp(io.BytesIO(text), len(text), "/OVF_ENV.XML;1", rr_name=_FILE, joliet_path=f"/{_FILE}")
    made = io.BytesIO()
    disc.write_fp(made)
    disc.close()
    return made.getvalue()


def _keys(appliance: Appliance, system: System) -> Iterator[str]:
    return (each.key for product in appliance.products_of(system) for each in product.properties)


def _add_properties(parent: etree._Element, oe: str, keys: Iterator[str], values: Mapping[str, str]) -> None:
    section = etree.SubElement(parent, f"{oe}PropertySection")
    for key in dict.fromkeys(keys):
        if key in values:
            element = etree.SubElement(section, f"{oe}Property")
            element.set(f"{oe}key", key)
            element.set(f"{oe}value", values[key])


def _listed(known: Mapping[str, Property]) -> str:
    names = [key for key, each in known.items() if each.is_configurable]
    return "one of " + ", ".join(names[:20]) if names else "none, as this appliance has none that may be chosen"
