"""Names in URLs: namespaces, classes, instances.

An instance is `/api/namespaces/root%2Fvirt/instances/KVM_ComputerSystem/CreationClassName=KVM_ComputerSystem,Name=web`:
its keys are one segment, each `Name=value`, with commas between; in names and values everything that is not a letter, a
digit or one of `-._~` is percent-encoded.  The value of a key that is a reference is the path of what it refers to, as
WBEM URIs have it (DSP0207): `/root/virt:KVM_Disk.Name="..."`.  The segment as a whole may be percent-encoded once more.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from virtcim.frontends.reading.raw import RawKey, RawPath
from virtcim.providers.interface import CIMError, InstancePath, Status
from virtcim.schema.classes import ClassStore
from virtcim.schema.paths import format_path, parse_path
from virtcim.schema.values import format_datetime

__all__ = ["ROOT", "Targets", "class_href", "decoded", "href", "namespace_href"]

ROOT = "/api"
MAX_NESTING = 4
"""References in keys of references."""


def _encoded(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def decoded(segment: str) -> str:
    """Read one segment of a path.

    Raises:
        CIMError: INVALID_PARAMETER for what is no UTF-8.
    """
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise _invalid(f"{segment[:60]}: is not UTF-8; expected percent-encoded UTF-8") from None


def namespace_href(namespace: str) -> str:
    """Write where a namespace is found."""
    return f"{ROOT}/namespaces/{_encoded(namespace)}"


def class_href(namespace: str, class_name: str) -> str:
    """Write where a class is found."""
    return f"{namespace_href(namespace)}/classes/{_encoded(class_name)}"


def href(path: InstancePath, namespace: str) -> str:
    """Write where an instance is found.

    Parameters:
        path: of the instance.
        namespace: where it lives, if the path does not say.
    """
    place = path.namespace or namespace
    keys = ",".join(f"{_encoded(name)}={_encoded(_text(value, place))}" for name, value in path.keys.items())
    return f"{namespace_href(place)}/instances/{_encoded(path.class_name)}/{keys}"


def _text(value: Any, namespace: str) -> str:
    """Write the value of a key.  Raises ValueError for NULL."""
    match value:
        case None:
            raise ValueError("a key is NULL")
        case bool():
            return "TRUE" if value else "FALSE"
        case InstancePath():
            return format_path(value, namespace)
        case str():
            return value
        case int() | float():
            return repr(value)
    return format_datetime(value)


class Targets:
    """Reads names in URLs.

    Parameters:
        classes: the class store, which tells which keys are references.
    """

    def __init__(self, classes: ClassStore) -> None:
        self._classes = classes

    def path(self, class_segment: str, keys_segment: str) -> RawPath:
        """Read an instance out of the two segments that name it.

        Raises:
            CIMError: INVALID_PARAMETER for keys that cannot be read.
        """
        class_name = decoded(class_segment)
        if "=" not in keys_segment:
            keys_segment = decoded(keys_segment)
        keys = []
        for part in keys_segment.split(","):
            name, equals, value = part.partition("=")
            if not equals or not name:
                raise _invalid(f"{decoded(part)[:60]}: is no key; expected Name=value, with commas between several")
            keys.append((decoded(name), self._key(class_name, decoded(name), decoded(value), 0)))
        return RawPath(class_name, tuple(keys))

    def reference(self, text: str) -> RawPath:
        """Read a reference: a path as WBEM URIs have it, or where the instance is found.

        Raises:
            ValueError: it is neither.
        """
        if text.startswith(f"{ROOT}/"):
            segments = text.split("/")
            if len(segments) != 7 or segments[2] != "namespaces" or segments[4] != "instances":
                raise ValueError("is not where an instance is found")
            path = self.path(segments[5], segments[6])
            return RawPath(path.class_name, path.keys, decoded(segments[3]))
        return self._raw(parse_path(text), 0)

    def _raw(self, path: InstancePath, depth: int) -> RawPath:
        keys = tuple(
            (name or None, self._key(path.class_name, name, self._bare(value), depth))
            for name, value in path.keys.items()
        )
        return RawPath(path.class_name, keys, path.namespace)

    @staticmethod
    def _bare(value: Any) -> str:
        return _text(value, "")

    def _key(self, class_name: str, name: str, text: str, depth: int) -> RawKey | RawPath:
        declaration = self._classes.get(class_name)
        declared = declaration.properties.get(name.lower()) if declaration is not None else None
        if declared is not None and declared.type == "reference" and depth < MAX_NESTING:
            try:
                return self._raw(parse_path(text), depth + 1)
            except ValueError as exc:
                raise _invalid(f"{name}: '{text[:60]}' {exc}") from None
        return RawKey(text, "string" if declared is not None and declared.type == "string" else "numeric", "")


def _invalid(text: str) -> CIMError:
    return CIMError(Status.INVALID_PARAMETER, text)
