"""CIM-XML as the walker speaks it: requests over one connection, and answers as plain values, without pywbem's cost.

A `Path` compares equal to every other path of the same instance: names in lower case, keys sorted, no host.
"""

from __future__ import annotations

import base64
import http.client
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

__all__ = [
    "ClassDeclaration",
    "Instance",
    "Path",
    "PropertyDeclaration",
    "PropertyValue",
    "Wire",
    "WireError",
    "embedded_instance",
]

_PARSER = etree.XMLParser(huge_tree=True, resolve_entities=False)


class WireError(Exception):
    """The server answered with an error.

    Attributes:
        code: the CIM status code; 0 when HTTP failed.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Key(str):
    """The value of a key, and the kind of value as which it was sent."""

    kind: str

    @classmethod
    def read(cls, element: Any) -> Key:
        """KEYVALUE."""
        key = cls(element.text or "")
        key.kind = element.get("VALUETYPE", "string")
        return key


class Path(NamedTuple):
    """The name of an instance, for comparison and for asking again."""

    namespace: str
    class_name: str
    keys: tuple[tuple[str, Path | str], ...]

    def __str__(self) -> str:
        keys = ",".join(f"{name}={value!s}" for name, value in self.keys)
        return f"{self.namespace}:{self.class_name}.{keys}"

    @property
    def place(self) -> str:
        """Namespace and class."""
        return f"{self.namespace}:{self.class_name}"


@dataclass(frozen=True, slots=True)
class PropertyValue:
    """A property of an instance: strings as they were sent, references as paths, None for NULL."""

    name: str
    type: str
    is_array: bool
    embedded: bool
    value: Any


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance: its class as sent, its properties by lower-case name, and the bytes it came as."""

    class_name: str
    properties: Mapping[str, PropertyValue]
    path: Path | None
    sent: bytes


@dataclass(frozen=True, slots=True)
class PropertyDeclaration:
    """What a class says of a property."""

    name: str
    type: str
    is_array: bool
    is_key: bool
    reference_class: str | None
    value_map: tuple[str, ...] | None
    max_length: int | None
    maximum: int | None
    minimum: int | None


@dataclass(frozen=True, slots=True)
class ClassDeclaration:
    """A class with all that it inherits."""

    name: str
    superclass: str | None
    is_association: bool
    is_indication: bool
    is_abstract: bool
    properties: Mapping[str, PropertyDeclaration]


class Wire:
    """A connection to a server.

    Parameters:
        url: `http://user:password@host:port`; certificates of https are not verified.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or "localhost"
        if parts.scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            port = parts.port or 5989
            self.connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=120, context=context
            )
        else:
            self.connection = http.client.HTTPConnection(host, parts.port or 5988, timeout=120)
        self.address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self.user = unquote(parts.username) if parts.username else None
        self.password = unquote(parts.password or "")
        self.requests = 0
        self.headers = {"Content-Type": 'application/xml; charset="utf-8"', "CIMOperation": "MethodCall"}
        if self.user is not None:
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            self.headers["Authorization"] = f"Basic {token}"

    def close(self) -> None:
        """Close the connection, and forget what was read."""
        self.connection.close()
        _read_names.clear()
        _read_properties.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, operation: str, namespace: str, **parameters: str | bool | Path | None) -> list[Any]:
        """An intrinsic operation; the elements of IRETURNVALUE.

        Parameters:
            parameters: class names and texts as `str`, booleans, instance names as `Path`; None is left out.

        Raises:
            WireError: the server answered with an error.
        """
        given = "".join(_parameter(name, value) for name, value in parameters.items() if value is not None)
        spaces = "".join(f'<NAMESPACE NAME="{part}"/>' for part in namespace.split("/"))
        body = (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            '<CIM CIMVERSION="2.0" DTDVERSION="2.0"><MESSAGE ID="1" PROTOCOLVERSION="1.0"><SIMPLEREQ>'
            f'<IMETHODCALL NAME="{operation}"><LOCALNAMESPACEPATH>{spaces}</LOCALNAMESPACEPATH>{given}'
            "</IMETHODCALL></SIMPLEREQ></MESSAGE></CIM>"
        )
        headers = {**self.headers, "CIMMethod": operation, "CIMObject": quote(namespace, safe="")}
        self.connection.request("POST", "/cimom", body.encode(), headers)
        response = self.connection.getresponse()
        answer = response.read()
        self.requests += 1
        if response.status != 200:
            raise WireError(0, f"HTTP {response.status} {response.headers.get('CIMError', '')}")
        root = etree.fromstring(answer, _PARSER)
        error = root.find(".//IMETHODRESPONSE/ERROR")
        if error is not None:
            raise WireError(int(error.get("CODE", "1")), error.get("DESCRIPTION", ""))
        found = root.find(".//IRETURNVALUE")
        return [] if found is None else list(found)

    def classes(self, namespace: str) -> dict[str, ClassDeclaration]:
        """All classes, by lower-case name."""
        elements = self.call(
            "EnumerateClasses", namespace, DeepInheritance=True, LocalOnly=False, IncludeQualifiers=True
        )
        return {element.get("NAME").lower(): _class(element) for element in elements}

    def instances(self, namespace: str, class_name: str) -> list[Instance]:
        """EnumerateInstances, with the properties of subclasses."""
        elements = self.call(
            "EnumerateInstances", namespace, ClassName=class_name, DeepInheritance=True, LocalOnly=False
        )
        return [_instance(element[1], _name(element[0], namespace)) for element in elements]

    def names(self, namespace: str, class_name: str) -> list[Path]:
        """EnumerateInstanceNames."""
        return [
            _name(element, namespace)
            for element in self.call("EnumerateInstanceNames", namespace, ClassName=class_name)
        ]

    def get(self, path: Path) -> Instance:
        """GetInstance."""
        (element,) = self.call("GetInstance", path.namespace, InstanceName=path, LocalOnly=False)
        return _instance(element, path)

    def objects(self, operation: str, source: Path, **filters: str | None) -> list[Instance]:
        """Associators or References."""
        elements = self.call(operation, source.namespace, ObjectName=source, **filters)
        return [_instance(element[1], _path(element[0], source.namespace)) for element in elements]

    def object_names(self, operation: str, source: Path, **filters: str | None) -> list[Path]:
        """AssociatorNames or ReferenceNames."""
        elements = self.call(operation, source.namespace, ObjectName=source, **filters)
        return [_path(element[0], source.namespace) for element in elements]


_RESERVED = frozenset({"dmtf reserved", "reserved"})

_CLASS_PARAMETERS = frozenset({"ClassName", "AssocClass", "ResultClass"})


def _parameter(name: str, value: str | bool | Path | None) -> str:
    if isinstance(value, bool):
        inner = f"<VALUE>{str(value).upper()}</VALUE>"
    elif isinstance(value, Path):
        inner = _name_text(value)
    elif name in _CLASS_PARAMETERS:
        inner = f"<CLASSNAME NAME={quoteattr(str(value))}/>"
    else:
        inner = f"<VALUE>{escape(str(value))}</VALUE>"
    return f'<IPARAMVALUE NAME="{name}">{inner}</IPARAMVALUE>'


def _name_text(path: Path) -> str:
    """INSTANCENAME."""
    bindings = "".join(
        f"<KEYBINDING NAME={quoteattr(name)}>{_key_text(value)}</KEYBINDING>" for name, value in path.keys
    )
    return f"<INSTANCENAME CLASSNAME={quoteattr(path.class_name)}>{bindings}</INSTANCENAME>"


def _key_text(value: Path | str) -> str:
    if isinstance(value, str):
        kind = value.kind if isinstance(value, Key) else "string"
        return f'<KEYVALUE VALUETYPE="{kind}">{escape(value)}</KEYVALUE>'
    spaces = "".join(f'<NAMESPACE NAME="{part}"/>' for part in value.namespace.split("/"))
    path = (
        f"<LOCALINSTANCEPATH><LOCALNAMESPACEPATH>{spaces}</LOCALNAMESPACEPATH>{_name_text(value)}</LOCALINSTANCEPATH>"
    )
    return f"<VALUE.REFERENCE>{path}</VALUE.REFERENCE>"


def _path(element: Any, namespace: str) -> Path:
    """INSTANCEPATH, LOCALINSTANCEPATH or INSTANCENAME."""
    if element.tag == "INSTANCENAME":
        return _name(element, namespace)
    spaces = "/".join(space.get("NAME") for space in element[0].iter("NAMESPACE"))
    return _name(element[1], spaces.lower())


_V = TypeVar("_V")

_READ_AT_MOST = 50_000

_read_names: dict[tuple[str, bytes], Path] = {}
_read_properties: dict[tuple[str, bytes], dict[str, PropertyValue]] = {}


def _kept(read: dict[tuple[str, bytes], _V], key: tuple[str, bytes], value: _V) -> _V:
    """Keep what was read of an element: a walk meets each instance in all its superclasses, and at each end."""
    if len(read) >= _READ_AT_MOST:
        read.clear()
    read[key] = value
    return value


def _name(element: Any, namespace: str) -> Path:
    """INSTANCENAME."""
    key = (namespace, etree.tostring(element, with_tail=False))
    return _read_names.get(key) or _kept(_read_names, key, _read_name(element, namespace))


def _read_name(element: Any, namespace: str) -> Path:
    keys: list[tuple[str, Path | str]] = []
    for binding in element:
        (value,) = binding
        keys.append(
            (
                binding.get("NAME").lower(),
                _path(value[0], namespace) if value.tag == "VALUE.REFERENCE" else Key.read(value),
            )
        )
    return Path(namespace.lower(), element.get("CLASSNAME").lower(), tuple(sorted(keys)))


def _instance(element: Any, path: Path | None) -> Instance:
    """INSTANCE."""
    namespace = path.namespace if path is not None else ""
    sent = etree.tostring(element, with_tail=False)
    properties = _read_properties.get((namespace, sent))
    if properties is None:
        properties = {each.name.lower(): each for each in _properties(element, namespace)}
        _kept(_read_properties, (namespace, sent), properties)
    return Instance(element.get("CLASSNAME"), properties, path, sent)


def _properties(element: Any, namespace: str) -> Iterator[PropertyValue]:
    for child in element:
        name, embedded = child.get("NAME"), child.get("EmbeddedObject") is not None
        match child.tag:
            case "PROPERTY":
                value = child.find("VALUE")
                text = None if value is None else value.text or ""
                yield PropertyValue(name, child.get("TYPE"), False, embedded, text)
            case "PROPERTY.ARRAY":
                array = child.find("VALUE.ARRAY")
                values = None if array is None else [None if v.tag == "VALUE.NULL" else v.text or "" for v in array]
                yield PropertyValue(name, child.get("TYPE"), True, embedded, values)
            case "PROPERTY.REFERENCE":
                reference = child.find("VALUE.REFERENCE")
                target = None if reference is None else _path(reference[0], namespace)
                yield PropertyValue(name, "reference", False, False, target)


def embedded_instance(text: str) -> Instance:
    """The instance in a property that holds one."""
    return _instance(etree.fromstring(text.encode(), _PARSER), None)


def _class(element: Any) -> ClassDeclaration:
    flags = _qualifiers(element)
    properties = {}
    for child in element:
        if child.tag in ("PROPERTY", "PROPERTY.ARRAY", "PROPERTY.REFERENCE"):
            declared = _declaration(child)
            properties[declared.name.lower()] = declared
    return ClassDeclaration(
        element.get("NAME"),
        element.get("SUPERCLASS"),
        _is_set(flags, "association"),
        _is_set(flags, "indication"),
        _is_set(flags, "abstract"),
        properties,
    )


def _declaration(element: Any) -> PropertyDeclaration:
    qualifiers = _qualifiers(element)
    is_reference = element.tag == "PROPERTY.REFERENCE"
    return PropertyDeclaration(
        element.get("NAME"),
        "reference" if is_reference else element.get("TYPE"),
        element.tag == "PROPERTY.ARRAY",
        _is_set(qualifiers, "key"),
        element.get("REFERENCECLASS"),
        _value_map(qualifiers),
        _number(qualifiers, "maxlen"),
        _number(qualifiers, "maxvalue"),
        _number(qualifiers, "minvalue"),
    )


def _qualifiers(element: Any) -> dict[str, str | list[str] | None]:
    found: dict[str, str | list[str] | None] = {}
    for child in element:
        if child.tag == "QUALIFIER":
            array, value = child.find("VALUE.ARRAY"), child.find("VALUE")
            if array is not None:
                found[child.get("NAME").lower()] = [each.text or "" for each in array]
            else:
                found[child.get("NAME").lower()] = None if value is None else value.text or ""
    return found


def _value_map(qualifiers: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The values that a property can have: those of its value map but the ones that the DMTF keeps for later."""
    codes, words = qualifiers.get("valuemap"), qualifiers.get("values")
    if not isinstance(codes, list):
        return None
    if not isinstance(words, list) or len(words) != len(codes):
        return tuple(codes)
    return tuple(code for code, word in zip(codes, words, strict=True) if word.lower() not in _RESERVED)


def _is_set(qualifiers: Mapping[str, Any], name: str) -> bool:
    return str(qualifiers.get(name, "FALSE")).upper() == "TRUE"


def _number(qualifiers: Mapping[str, Any], name: str) -> int | None:
    value = qualifiers.get(name)
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d+", value) else None
