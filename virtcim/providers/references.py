"""From a reference to the element that it means, and to the text of a reference (WBEM URI, DSP0207) and back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from virtcim.providers.interface import InstancePath

if TYPE_CHECKING:
    from virtcim.providers.base import Element
    from virtcim.providers.site import Site

__all__ = ["element_at", "read_uri", "same_element", "uri_of"]

_PATH = re.compile(r"\s*(?://[^/]*/)?(?:(?P<namespace>[\w/]+):)?(?P<class>\w+)\.(?P<keys>.+)", re.DOTALL)
_KEY = re.compile(
    r'(\w+)=(?:"([^"\\]*(?:\\.[^"\\]*)*)"|(-?\d{1,20})|(true|false))(?:,|\s*\Z)', re.DOTALL | re.IGNORECASE
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def element_at(site: Site, path: InstancePath) -> Element:
    """The element that a reference means.

    Raises:
        CIMError: as GetInstance does; INVALID_CLASS for a class that is not served.
    """
    return cast("Element", site.provider_of(path.class_name).element(path.class_name, path.keys))


def same_element(one: InstancePath, other: InstancePath) -> bool:
    """Whether two references, both made here, mean one element."""
    return one.class_name == other.class_name and dict(one.keys) == dict(other.keys)


def uri_of(path: InstancePath, namespace: str) -> str:
    """A reference as text: `root/virt:KVM_DiskPool.InstanceID="DiskPool/default"`."""
    keys = ",".join(f"{name}={_key_text(value)}" for name, value in path.keys.items())
    return f"{path.namespace or namespace}:{path.class_name}.{keys}"


def read_uri(text: str) -> InstancePath | None:
    """The reference that a text is, with or without a host and a namespace; None where it is none."""
    found = _PATH.fullmatch(text)
    if found is None:
        return None
    keys: dict[str, Any] = {}
    position = found.start("keys")
    while position < len(text):
        key = _KEY.match(text, position)
        if key is None:
            return None
        name, string, number, boolean = key.groups()
        if string is not None:
            keys[name] = _ESCAPED.sub(r"\1", string)
        else:
            keys[name] = int(number) if number is not None else boolean.lower() == "true"
        position = key.end()
    return InstancePath(found["class"], keys, found["namespace"])


def _key_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
