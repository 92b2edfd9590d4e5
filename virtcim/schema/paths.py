r"""Names of instances, as values and as text (WBEM URIs: DSP0207 1.0; DSP0004 2.8, section 8.2.5).

This is the one reader and the one writer of such texts.  Read are also the form without the slash before the namespace,
those of WMI (`\\host\root\virt:Class`, `Class="value"`), and blanks around names and values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from virtcim.immutable import immutable
from virtcim.schema.values import format_datetime, parse_datetime

__all__ = ["InstancePath", "format_key", "format_path", "key_of", "parse_path", "same_path"]

MAX_NESTING = 4
"""References in the keys of references."""

_HEAD = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31}):(?=//))?(?://(?P<host>[^/]*)/|/)?(?:(?P<namespace>[\w/.-]*):)?"
    r"(?P<class>[^\W\d]\w*)(?P<keys>[.=].*)\Z",
    re.DOTALL,
)
_NAME = re.compile(r"\s*([^\W\d]\w*)\s*=\s*")
_QUOTED = {
    '"': re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"\s*', re.DOTALL),
    "'": re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'\s*", re.DOTALL),
}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}\Z")
# DSP0004 wants a point; Python, and so pywbem, leaves it out where an exponent follows: 5e-324.
_REAL = re.compile(r"[+-]?(?:[0-9]{0,40}\.[0-9]{1,40}(?:[eE][+-]?[0-9]{1,3})?|[0-9]{1,40}[eE][+-]?[0-9]{1,3})\Z")


@immutable
class InstancePath:
    """The name of an instance (DSP0004 1.3, section 8.2.5).

    `keys` maps key property names, in the order of the class, to values.  `namespace` has no leading or trailing
    slash; None means the namespace of the request.  The host is added by the front end.
    """

    class_name: str
    keys: Mapping[str, Any]
    namespace: str | None = None


def format_path(path: InstancePath, namespace: str | None = None) -> str:
    """Write a path as a WBEM URI without a host: `/root/virt:KVM_DiskPool.InstanceID="DiskPool/default"`.

    Parameters:
        path: its keys may be references, which are written as such texts themselves.
        namespace: where the instance lives, if the path does not say.

    Returns:
        the text; without a namespace it begins with `/:`, as DSP0207 has it.
    """
    keys = ",".join(f"{name}={format_key(value)}" for name, value in path.keys.items())
    return f"/{path.namespace or namespace or ''}:{path.class_name}.{keys}"


def format_key(value: Any) -> str:
    """Write the value of a key as it stands in a WBEM URI."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        digits, e, power = repr(value).partition("e")
        return f"{digits if '.' in digits else f'{digits}.0'}{e}{power}"
    if isinstance(value, InstancePath):
        value = format_path(value)
    elif isinstance(value, (datetime, timedelta)):
        value = format_datetime(value)
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse_path(text: str) -> InstancePath:
    r"""Read a path in the form `[[scheme:]//host/|/][namespace:]Class.key="value",...`.

    WMI's backslashes before the class (`\\host\root\virt:Class`) and its single key without a name (`Class="value"`)
    are read too; that key gets the name "".  The host is dropped.

    Returns:
        the path; its values are strings, integers, reals and booleans as they are written.  What a string means as the
        key of a class, a reference or a datetime, is told by the class.

    Raises:
        ValueError: when it is none.
    """
    head, quote, rest = text.strip().partition('"')
    match = _HEAD.match(head.replace("\\", "/") + quote + rest)
    if match is None:
        raise ValueError("is not an instance path")
    if match["keys"].startswith("="):
        only, *others = _parse_keys("_" + match["keys"]).values()
        if others:
            raise ValueError("has faulty keys")
        keys = {"": only}
    else:
        keys = _parse_keys(match["keys"][1:])
    return InstancePath(match["class"], keys, (match["namespace"] or "").strip("/") or None)


def _parse_keys(text: str) -> dict[str, Any]:
    """The keys in `name=value,...`, taken piece by piece: no piece is looked at again when the next one is wrong."""
    keys: dict[str, Any] = {}
    seen: set[str] = set()
    position = 0
    while True:
        name = _NAME.match(text, position)
        if name is None or name[1].lower() in seen:
            raise ValueError("has faulty keys")
        seen.add(name[1].lower())
        keys[name[1]], position = _key_value(text, name.end())
        if position == len(text):
            return keys
        if text[position] != ",":
            raise ValueError("has faulty keys")
        position += 1


def _key_value(text: str, start: int) -> tuple[Any, int]:
    """The value that begins at `start`, and where it and the blanks after it end."""
    pattern = _QUOTED.get(text[start : start + 1])
    if pattern is not None:
        quoted = pattern.match(text, start)
        if quoted is None:
            raise ValueError("has faulty keys")
        return _ESCAPE.sub(r"\1", quoted[1]), quoted.end()
    end = text.find(",", start)
    end = len(text) if end < 0 else end
    return _bare_value(text[start:end].strip()), end


def _bare_value(text: str) -> bool | int | float:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if _INTEGER.match(text):
        return int(text)
    if _REAL.match(text):
        return float(text)
    raise ValueError("has faulty keys")


def key_of(keys: Mapping[str, Any], name: str) -> Any:
    """Give the value of a key, whose name is written in any case; None where it is not there."""
    wanted = name.lower()
    return next((value for key, value in keys.items() if key.lower() == wanted), None)


def same_path(left: InstancePath, right: InstancePath, depth: int = 0) -> bool:
    """Whether two paths name the same instance.  A namespace that is not given equals any."""
    if left.class_name.lower() != right.class_name.lower():
        return False
    if left.namespace and right.namespace and left.namespace.lower() != right.namespace.lower():
        return False
    if len(left.keys) != len(right.keys):
        return False
    if "" in left.keys or "" in right.keys:
        return len(left.keys) == 1 and _same_key(next(iter(left.keys.values())), next(iter(right.keys.values())), depth)
    others = {name.lower(): value for name, value in right.keys.items()}
    return all(
        name.lower() in others and _same_key(value, others[name.lower()], depth) for name, value in left.keys.items()
    )


def _same_key(left: Any, right: Any, depth: int) -> bool:
    """Whether two key values are equal; a reference or datetime may be written as text on one side."""
    if isinstance(left, str) and not isinstance(right, str):
        left, right = right, left
    if isinstance(right, str) and not isinstance(left, str):
        try:
            if isinstance(left, InstancePath):
                right = parse_path(right)
            elif not isinstance(left, (bool, int, float)):
                right = parse_datetime(right)
        except ValueError:
            return False
    if isinstance(left, InstancePath):
        return isinstance(right, InstancePath) and depth < MAX_NESTING and same_path(left, right, depth + 1)
    return type(left) is type(right) and bool(left == right)
