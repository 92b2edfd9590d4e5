"""One form for what the test broker and a CIM-XML client show, so that the two can be compared."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from typing import Any

import pywbem

__all__ = ["in_order", "of_broker", "of_client"]


def in_order(items: Iterable[Any]) -> list[Any]:
    """Views in an order of their own; the order of keys and properties in them does not matter."""
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True, default=str))


def _real32(value: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


def _scalar(cim_type: str, value: Any) -> Any:
    if cim_type == "real32":
        return _real32(value)
    if cim_type == "char16":
        return value if isinstance(value, str) else chr(value)
    if cim_type.startswith("real"):
        return float(value)
    return value


def of_broker(item: dict[str, Any]) -> Any:
    """A path or an instance that the test broker printed; NULL properties are left out."""
    if "path" in item:
        properties = _members(item["properties"])
        return of_broker(item["path"]), properties
    return item["namespace"], item["class"], _members(item["keys"])


def _members(members: dict[str, list[Any]]) -> dict[str, Any]:
    return {name.lower(): _broker_value(*typed) for name, typed in members.items() if typed[1] is not None}


def _broker_value(cim_type: str, value: Any) -> Any:
    if cim_type.endswith("[]"):
        return [_broker_value(cim_type[:-2], each) for each in value]
    if cim_type == "reference":
        return of_broker(value)
    if cim_type == "instance":
        return value["path"]["class"], _members(value["properties"])
    return _scalar(cim_type, value)


def of_client(item: Any) -> Any:
    """The same of a pywbem instance or path."""
    if isinstance(item, pywbem.CIMInstance):
        properties = {
            name.lower(): _client_value(each.type, each.value)
            for name, each in item.properties.items()
            if each.value is not None
        }
        return of_client(item.path), properties
    keys = {name.lower(): _client_value("", key) for name, key in item.keybindings.items()}
    return item.namespace, item.classname, keys


def _client_value(cim_type: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_client_value(cim_type, each) for each in value]
    if isinstance(value, pywbem.CIMInstanceName):
        return of_client(value)
    if isinstance(value, pywbem.CIMInstance):
        return value.classname, {
            name.lower(): _client_value(each.type, each.value)
            for name, each in value.properties.items()
            if each.value is not None
        }
    if isinstance(value, pywbem.CIMDateTime):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return _scalar(cim_type, float(value) if isinstance(value, float) else int(value))
