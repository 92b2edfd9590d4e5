"""docs/configuration.md, written from the dataclasses that the settings are: `python -m virtcim.app.reference`."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from virtcim.app.config import Settings

__all__ = ["documented", "reference"]

INTRODUCTION = """\
# Configuration

`virtcim serve --config FILE` reads settings from a TOML file; options of the command line go before what the file says.
Everything has a default, so that no file is needed. A setting that does not exist, or a value that does not fit, ends
the start with a message that names it. `virtcim check --config FILE` tells whether this host fits the settings.

This page is written by `python -m virtcim.app.reference > docs/configuration.md` from the dataclasses in which the
settings are declared; a test compares the two.

A file as an administrator might have it:

```toml
listen = "127.0.0.1:5988"
listen_https = "0.0.0.0:5989"
auth = "pam"
audit_file = "/var/log/virtcim/audit.log"

[tls]
certificate = "/etc/virtcim/certificate.pem"
key = "/etc/virtcim/key.pem"

[roles]
read = ["@monitoring"]
operate = ["@operators"]
administer = ["root", "@libvirt"]

[roles.namespaces."interop"]
read = ["*"]

[node.west]
uris = ["qemu+tls://west.example.com/system"]
groups = ["production"]

[group.production]
title = "Production"
variables = { pool = "images", bridge = "br0" }

[compatibility]
libvirt_cim = true
listeners = ["127.0.0.1:5988"]
```

See [security.md](security.md) for what to choose, and [compatibility.md](compatibility.md#the-drop-in-mode) for the
last table. All settings are read when the server starts; the nodes and groups also on SIGHUP ([nodes.md](nodes.md)).
"""

_SIMPLE = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path"}

_ATTRIBUTE = re.compile(r"^( *)([a-z_]+(?:, [a-z_]+)*): ?(.*)$")


def documented(kind: type[Any]) -> dict[str, str]:
    """What the docstring of a dataclass says of each attribute."""
    lines = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2].splitlines()
    texts: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        match = _ATTRIBUTE.match(line)
        if match is not None and len(match[1]) == 4:
            names = match[2].split(", ")
            texts.update(dict.fromkeys(names, match[3]))
        elif line.startswith(" " * 8):
            texts.update({name: f"{texts[name]} {line.strip()}".strip() for name in names})
        elif line.strip():
            break
    return texts


def reference() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_table(Settings, "")])


def _table(kind: type[Any], name: str) -> Iterator[str]:
    texts = documented(kind)
    hints = typing.get_type_hints(kind)
    yield f"## [{name}]" if name else "## At the top of the file"
    yield ""
    yield from ("| Setting | Values | Default | Meaning |", "|---|---|---|---|")
    further: list[tuple[type[Any], str]] = []
    for item in dataclasses.fields(kind):
        if f"{name}.{item.name}" in NOT_IN_FILES:
            continue
        inner = _dataclass(hints[item.name])
        full = f"{name}.{item.name}" if name else item.name
        if inner is not None:
            further.append((inner, f"{full}{_suffix(hints[item.name])}"))
            if item.name not in texts:
                continue
        text = texts[item.name].replace("``", "`").replace("|", "\\|")
        yield f"| `{item.name}` | {_values(hints[item.name])} | {_default(item)} | {text} |"
    yield ""
    for inner, full in further:
        yield from _table(inner, full)


def _dataclass(hint: Any) -> type[Any] | None:
    """The dataclass in a hint: itself, or that of the items of a list or table."""
    if dataclasses.is_dataclass(hint):
        return typing.cast(type[Any], hint)
    return next((each for each in typing.get_args(hint) if dataclasses.is_dataclass(each)), None)  # type: ignore[return-value]


def _suffix(hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin is tuple:
        return " (any number: [[...]])"
    return '."NAME"' if origin is collections.abc.Mapping else ""


def _values(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_values(each) for each in arguments if each is not type(None))
    if origin in (tuple, collections.abc.Sequence):
        return f"list of {_values(arguments[0])}"
    if origin is collections.abc.Mapping:
        return f"table of {_values(arguments[1])}"
    return "tables" if dataclasses.is_dataclass(hint) else str(getattr(hint, "__name__", hint))


MADE_AT_START = {
    "state_dir": "`$STATE_DIRECTORY`, else `/var/lib/virtcim` for root, else `~/.local/state/virtcim`",
    "host_name": "the name of the host",
}


NOT_IN_FILES = {"server.host", "server.port", ".file"}
"""What `listen` and its kin decide, and what is no setting."""


def _default(item: dataclasses.Field[Any]) -> str:
    if item.name in MADE_AT_START:
        return MADE_AT_START[item.name]
    value = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
    if value is dataclasses.MISSING:
        return "(needed)"
    if value is None:
        return "none"
    if dataclasses.is_dataclass(value):
        return "see below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(_quoted(each) for each in value)}]`"
    if isinstance(value, dict):
        return "`{}`" if not value else f"`{value}`"
    return f"`{_quoted(value)}`"


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str | Path) else str(value)


if __name__ == "__main__":
    sys.stdout.write(reference())
