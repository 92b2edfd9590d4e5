"""The audit log: one line per change, carried out or refused, and per refused login.

A line is one JSON object, so that no name and no value can forge another line.  Passwords and the like are left out
by the names of what holds them.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from cimom.cimxml.decode import RawClassName, RawInstance, RawKey, RawNamedInstance, RawPath, Request
from cimom.principals import Principal
from cimom.requestid import request_id
from providers.interface import CIMError, EmbeddedInstance, InstancePath

__all__ = ["LOGGER", "Change", "plain", "record", "record_refused_login", "target"]

LOGGER = logging.getLogger("virtcim.audit")
"""The logger, by its name: `virtcim.audit`."""

HIDDEN = "(hidden)"
VALUE_LIMIT = 1024
"""Characters of one value: an audit line says what was asked for, it does not keep whole disk images."""

_SECRET = re.compile(r"passw|secret|passphrase|credential|private.?key|token|userinfo", re.IGNORECASE)
_URL_LOGIN = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/@\s]*@", re.IGNORECASE)
_XML_SECRET = re.compile(
    r"(<PROPERTY(?:\.ARRAY)?\s[^>]*NAME\s*=\s*[\"'][^\"']*(?:passw|secret|passphrase|credential|private.?key|token)"
    r"[^\"']*[\"'][^>]*>).*?(</PROPERTY|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_XML_ATTRIBUTE = re.compile(r"(passw\w*|secret\w*)(\s*=\s*)(\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_MOF_SECRET = re.compile(r"(\b\w*(?:passw|secret|passphrase|credential|token)\w*\s*=\s*)([^;]*)", re.IGNORECASE)


def plain(name: str, value: Any) -> Any:
    """A parameter as JSON can hold it, without secrets.

    Parameters:
        name: of the parameter or property; tells whether the value is a secret.
        value: as the client sent it, or as a Python value of the provider interface.
    """
    if value is None or isinstance(value, bool | int | float):
        return HIDDEN if value is not None and _SECRET.search(name) else value
    if _SECRET.search(name):
        return HIDDEN
    match value:
        case str():
            return _text(value)
        case RawInstance():
            return {each.name: plain(each.name, each.value) for each in value.properties}
        case RawNamedInstance():
            return {"path": target(value.path), "instance": plain(name, value.instance)}
        case RawPath() | RawClassName() | InstancePath():
            return target(value)
        case RawKey():
            return _text(value.text)
        case EmbeddedInstance():
            return {key: plain(key, each) for key, each in value.properties.items()}
        case Mapping():
            return {str(key): plain(str(key), each) for key, each in value.items()}
        case Iterable():
            return [plain(name, each) for each in value]
    return _text(str(value))


def _text(value: str) -> str:
    if "<" in value:
        value = _XML_SECRET.sub(rf"\1{HIDDEN}\2", value)
        value = _XML_ATTRIBUTE.sub(rf"\1\2\"{HIDDEN}\"", value)
    elif "instance of" in value.lower():
        value = _MOF_SECRET.sub(rf"\1{HIDDEN}", value)
    value = _URL_LOGIN.sub(rf"\1{HIDDEN}@", value)
    return value if len(value) <= VALUE_LIMIT else f"{value[:VALUE_LIMIT]}... ({len(value)} characters)"


def target(path: RawPath | RawClassName | RawNamedInstance | InstancePath) -> str:
    """An object path as people write it."""
    if isinstance(path, RawNamedInstance):
        path = path.path
    if isinstance(path, RawClassName):
        return path.name
    if not path.keys:
        return path.class_name
    pairs = path.keys.items() if isinstance(path, InstancePath) else path.keys
    keys = ",".join(f'{name}="{_key(value)}"' for name, value in pairs)
    return f"{path.class_name}.{keys}"


def _key(value: Any) -> str:
    if isinstance(value, RawPath | InstancePath):
        return target(value)
    return value.text if isinstance(value, RawKey) else str(value)


class Change:
    """A change under way: a context manager that writes its line at the end, whatever the end is.

    Parameters:
        request: as it came in.
        principal: who asks.
        origin: where the client is: address and port, or `local` with a process id.

    Attributes:
        return_value: of a method; to be set once it is known.
    """

    def __init__(self, request: Request, principal: Principal, origin: str) -> None:
        self._request = request
        self._principal = principal
        self._origin = origin
        self.return_value: Any = None

    def __enter__(self) -> Change:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        request = self._request
        parameters = request.parameters
        if request.operation.lower() == "setproperty":
            # What is secret is told by the property's name, which is a parameter of its own.
            names = {name.lower(): value for name, value in parameters}
            parameters = ((str(names.get("propertyname")), names.get("newvalue")),)
        applied_to = request.target or next(
            (value for name, value in request.parameters if isinstance(value, RawPath | RawNamedInstance)), None
        )
        record(
            self._principal,
            self._origin,
            request.namespace,
            request.operation,
            target(applied_to) if applied_to is not None else "",
            parameters,
            error=error,
            return_value=self.return_value,
        )


def record(
    principal: Principal,
    origin: str,
    namespace: str,
    operation: str,
    applied_to: str,
    parameters: Iterable[tuple[str, Any]],
    *,
    error: BaseException | None = None,
    return_value: Any = None,
) -> None:
    """Write a line about a change.

    Parameters:
        origin: where the client is.
        applied_to: the object path, or a class name.
        error: why it was refused or failed; None for success.
        return_value: of a method.
    """
    line: dict[str, Any] = {
        "time": _now(),
        "event": "change",
        "user": principal.name,
        "by": str(principal.mechanism),
        "from": origin,
        "request": request_id.get(),
        "namespace": namespace,
        "operation": operation,
        "target": _text(applied_to),
        "parameters": {name: plain(name, value) for name, value in parameters},
        "result": "success" if error is None else _status(error),
    }
    if return_value is not None:
        line["return"] = return_value
    if error is not None:
        line["error"] = _text(error.description if isinstance(error, CIMError) else repr(error))
    LOGGER.info("%s", json.dumps(line, default=str))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _status(error: BaseException) -> str:
    return f"CIM_ERR_{error.status.name}" if isinstance(error, CIMError) else "CIM_ERR_FAILED"


def record_refused_login(user: str, origin: str) -> None:
    """Write a line about a login that was refused."""
    LOGGER.warning("%s", json.dumps({"time": _now(), "event": "refused login", "user": user[:256], "from": origin}))
