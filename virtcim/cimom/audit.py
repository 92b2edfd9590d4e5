"""The audit log: one line per change, carried out or refused, and per refused login.

A line is one JSON object, so that no name and no value can forge another line.  It is made from decoded values: what
is secret is told by the name of the property or parameter that holds it, never looked for in text.  Every text is cut
before anything looks at it, so that a line costs no more than its own length, however long the request was.
"""

from __future__ import annotations

import datetime
import html
import json
import logging
import math
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import TypeVar

from virtcim.cimom.principals import Principal
from virtcim.cimom.requestid import request_id
from virtcim.immutable import immutable
from virtcim.providers.interface import (
    CIMError,
    EmbeddedInstance,
    InstancePath,
)

__all__ = [
    "ITEM_LIMIT",
    "LOGGER",
    "Change",
    "Undecoded",
    "line_of",
    "lines_left_out",
    "plain",
    "record",
    "record_refused_login",
    "target",
]

Shown = TypeVar("Shown", bound=object)

LOGGER = logging.getLogger("virtcim.audit")
"""The logger, by its name: `virtcim.audit`."""

HIDDEN = "(hidden)"
MORE = "..."
"""Stands for what is left out beyond a limit."""

VALUE_LIMIT = 1024
"""Characters of one value: an audit line says what was asked for, it does not keep whole disk images."""

NAME_LIMIT = 128
"""Characters of a name; the longest of the DMTF's properties has 66."""

ITEM_LIMIT = 64
"""Parameters, properties of an instance, elements of an array and keys of a path: more than any class has."""

DEPTH_LIMIT = 8
"""Instances and arrays in each other; real ones have three levels."""

PARAMETERS_LIMIT = 16 * 1024
"""Characters of all parameters in the line: with the other fields, less than the 48 KiB that journald takes."""

_INTEGER_BITS = 64
_SECRETS = (
    "passw",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "credential",
    "privatekey",
    "token",
    "userinfo",
    "templateparameter",
)
"""What the names of secrets hold, as `_letters` leaves them."""
_ASSIGNING = frozenset("=:{<")
_END_OF_AUTHORITY = frozenset("/?#")


@immutable
class Undecoded:
    """Text that a front end could not decode.  Nothing of it is shown: nobody can tell where in it a secret is.

    Attributes:
        length: in characters.
    """

    length: int


def plain(name: str, value: object) -> object:
    """A parameter as JSON can hold it, without secrets and within the limits of a line.

    Parameters:
        name: of the parameter or property; tells whether the value is a secret.
        value: a Python value of the provider interface, a mapping of names to such values, or `Undecoded`.
    """
    return _Rendering().value(name, value)


def target(path: InstancePath | str) -> str:
    """An object path as people write it, at most `VALUE_LIMIT` characters of it.

    Parameters:
        path: of an instance, or the name of a class.
    """
    return _cut(_without_logins(path, VALUE_LIMIT) if isinstance(path, str) else _path(path), VALUE_LIMIT)


def _path(path: InstancePath, depth: int = 0) -> str:
    pairs = [f'{key[:NAME_LIMIT]}="{_key(key, value, depth)}"' for key, value in islice(path.keys.items(), ITEM_LIMIT)]
    name = path.class_name[:NAME_LIMIT]
    return f"{name}.{','.join(pairs)}" if pairs else name


def _key(name: str, value: object, depth: int) -> str:
    if _is_secret(name):
        return HIDDEN
    if isinstance(value, InstancePath):
        text = _path(value, depth + 1)[:VALUE_LIMIT] if depth < DEPTH_LIMIT else MORE
    elif isinstance(value, str):
        text = _without_logins(value, VALUE_LIMIT)
    else:
        text = str(plain(name, value))
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _letters(text: str) -> str:
    """The letters and digits of a text, whatever their case, with what entities and compatible forms stand for."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", html.unescape(text)).casefold()))


def _is_secret(name: str) -> bool:
    """Whether a name speaks of a secret; one that is too long to be a name may."""
    return len(name) > NAME_LIMIT or any(word in _letters(name) for word in _SECRETS)


def _assigns_secret(text: str) -> bool:
    """Whether a text may give a secret a value: `password=x`, in whatever language that is written."""
    if _ASSIGNING.isdisjoint(html.unescape(text)):
        return False
    letters = _letters(text)
    return any(word in letters for word in _SECRETS)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}{MORE} ({len(text)} characters)"


def _without_logins(text: str, limit: int) -> str:
    """The first characters of a text, without the logins in its URLs.

    Parameters:
        limit: characters; a login that goes on beyond is left out as well.
    """
    first, *rest = text[:limit].split("://")
    shown = [first]
    for number, part in enumerate(rest, start=1):
        end = next((at for at, each in enumerate(part) if each in _END_OF_AUTHORITY or each.isspace()), len(part))
        login, at, host = part[:end].rpartition("@")
        is_open = end == len(part) and number == len(rest) and len(text) > limit
        shown.append(HIDDEN + ("" if is_open else at + host) + part[end:] if login or at or is_open else part)
    return "://".join(shown)


class _Rendering:
    """Turns values into what JSON can hold, without secrets and within the limits of one line.

    Attributes:
        withheld: whether something was hidden or could not be decoded.
    """

    def __init__(self) -> None:
        self._room = PARAMETERS_LIMIT
        self.withheld = False

    def value(self, name: str, value: object, depth: int = 0) -> object:
        """A value, by the name of what holds it."""
        if value is not None and _is_secret(name):
            self.withheld = True
            return self._taken(HIDDEN)
        match value:
            case None | bool():
                self._room -= len("false,")
                return value
            case int():
                return self._taken(value if value.bit_length() <= _INTEGER_BITS else f"({value.bit_length()} bits)")
            case float():
                return self._taken(value if math.isfinite(value) else str(value))
            case str():
                return self._text(value)
            case InstancePath():
                return self._taken(target(value))
            case EmbeddedInstance():
                return self.members(value.properties, depth)
            case Mapping():
                return self.members(value, depth)
            case list() | tuple():
                return self._elements(name, value, depth)
            case datetime.datetime() | datetime.timedelta():
                return self._taken(str(value))
            case Undecoded(length):
                return self._withhold(length)
        return self._taken(f"({type(value).__name__})")

    def members(self, members: Mapping[str, object], depth: int = 0) -> object:
        """The parameters of a request or the properties of an instance."""
        if depth >= DEPTH_LIMIT:
            return self._taken(MORE)
        shown: dict[str, object] = {}
        for number, (name, value) in enumerate(members.items()):
            if number == ITEM_LIMIT or self._room <= 0:
                shown[MORE] = MORE
                break
            shown[self._taken(_cut(name, NAME_LIMIT))] = self.value(name, value, depth + 1)
        return shown

    def _elements(self, name: str, values: Sequence[object], depth: int) -> object:
        if depth >= DEPTH_LIMIT:
            return self._taken(MORE)
        shown: list[object] = []
        for number, each in enumerate(values):
            if number == ITEM_LIMIT or self._room <= 0:
                shown.append(MORE)
                break
            shown.append(self.value(name, each, depth + 1))
        return shown

    def _text(self, text: str) -> str:
        if _assigns_secret(text[:VALUE_LIMIT]):
            return self._withhold(len(text))
        shown = _without_logins(text, VALUE_LIMIT)
        return self._taken(shown if len(text) <= VALUE_LIMIT else f"{shown}{MORE} ({len(text)} characters)")

    def _withhold(self, length: int) -> str:
        self.withheld = True
        return self._taken(f"(not shown: {length} characters)")

    def _taken(self, shown: Shown) -> Shown:
        """What is to be shown, after its length in the line was taken from the room there is."""
        self._room -= len(json.dumps(shown)) + len(", ")
        return shown


class Change:
    """A change under way: a context manager that writes its line at the end, whatever the end is.

    Parameters:
        principal: who asks.
        origin: where the client is: address and port, or `local` with a process id.
        namespace: the target namespace, as sent.
        operation: name of the intrinsic operation or extrinsic method, as sent.
        number: of the request; "" for that of the current task or thread.

    Attributes:
        applied_to: the path of the instance or the name of the class; "" for none.
        parameters: decoded values by name, as `plain` takes them; typed or, where the request is refused before,
            still as text.
        return_value: of a method; to be set once it is known.
    """

    def __init__(
        self,
        principal: Principal,
        origin: str,
        namespace: str,
        operation: str,
        number: str = "",
    ) -> None:
        self._principal = principal
        self._origin = origin
        self._namespace = namespace
        self._operation = operation
        self._number = number
        self.applied_to: InstancePath | str = ""
        self.parameters: Mapping[str, object] = {}
        self.return_value: object = None

    def __enter__(self) -> Change:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        record(
            self._principal,
            self._origin,
            self._namespace,
            self._operation,
            self.applied_to,
            self.parameters,
            error=error,
            return_value=self.return_value,
            number=self._number,
        )


def record(
    principal: Principal,
    origin: str,
    namespace: str,
    operation: str,
    applied_to: InstancePath | str,
    parameters: Mapping[str, object],
    *,
    error: BaseException | None = None,
    return_value: object = None,
    number: str = "",
) -> None:
    """Write a line about a change.

    The text of an error may quote what the request held: where something of that is not shown, it is not, either.

    Parameters:
        principal, origin, namespace, operation, applied_to, parameters: as `Change` takes them.
        error: why it was refused or failed; None for success.
        return_value: of a method.
        number: of the request; "" for that of the current task or thread.
    """
    rendering = _Rendering()
    line: dict[str, object] = {
        "time": _now(),
        "event": "change",
        "user": _cut(principal.name, NAME_LIMIT),
        "by": str(principal.mechanism),
        "from": _cut(origin, NAME_LIMIT),
        "request": number or request_id.get(),
        "namespace": _cut(namespace, NAME_LIMIT),
        "operation": _cut(operation, NAME_LIMIT),
        "target": target(applied_to),
        "parameters": rendering.members(parameters),
        "result": "success" if error is None else _status(error),
    }
    if return_value is not None:
        line["return"] = plain("", return_value)
    if error is not None:
        text = error.description if isinstance(error, CIMError) else repr(error)
        line["error"] = plain("", Undecoded(len(text)) if rendering.withheld else text)
    LOGGER.info("%s", json.dumps(line))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _status(error: BaseException) -> str:
    return f"CIM_ERR_{error.status.name}" if isinstance(error, CIMError) else "CIM_ERR_FAILED"


def record_refused_login(user: str, origin: str) -> None:
    """Write a line about a login that was refused."""
    line = {"time": _now(), "event": "refused login", "user": _cut(user, NAME_LIMIT), "from": _cut(origin, NAME_LIMIT)}
    LOGGER.warning("%s", json.dumps(line))


def lines_left_out(number: int) -> logging.LogRecord:
    """Make the record that stands in the audit log for lines that are not in it."""
    return line_of(json.dumps({"time": _now(), "event": "lines left out", "lines": number}))


def line_of(text: str) -> logging.LogRecord:
    """Make the record of a line that is written already."""
    return LOGGER.makeRecord(LOGGER.name, logging.WARNING, __file__, 0, "%s", (text,), None)
