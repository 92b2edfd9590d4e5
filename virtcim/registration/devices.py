"""The page of the devices: each element and attribute that libvirt knows, and what shows it, or why nothing does.

What is mapped comes from `libhelper`, what is shown from the sources that the tables of the settings and devices name.
A test holds the page against libvirt's own schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from virtcim.libhelper.documents.domain import DEVICE_CLASSES
from virtcim.libhelper.xml.mapping import Children, Field, Items, Mapped
from virtcim.providers.deviceids import DeviceKind, kinds_of
from virtcim.providers.hidden import HIDDEN, hidden_because
from virtcim.providers.kinds import KINDS
from virtcim.providers.options import OptionsProperty
from virtcim.providers.properties import PropertyTable

__all__ = ["document_devices", "mapped_paths", "shown_as", "shown_paths", "unexplained"]

_INTRODUCTION = """\
# The devices

Written by `make docs`; a test holds it against libvirt's schema (`domaincommon.rng`).

What the XML of a domain can say of its devices, and the property that shows it. Paths begin below `<devices>`; where a
path is shown, so is what stands below it. Properties without a class belong to the setting data of the device, whose
class the head of the table names; [classes.md](classes.md) tells their types and which ones can be written.

`Options` is a list of texts `path=value` of what has no property of its own: `driver/@iommu=on`, and with a number
where an element occurs more often, `codec[1]/@type=micro`. A list that is written takes the place of the one that is
there. The setting data of the memory, of the processors and of the virtual system have such a list, too. What is read
of a guest this way makes another one like it.

What is not shown is kept: domain XML is edited in place, and only what belongs to a thing that goes goes with it.
"""

_SELECTOR = re.compile(r"\[@[^\]]{0,80}\]")
_SOURCE = re.compile(r"devices/([^\s,;:]{1,200})")


def mapped_paths() -> Mapping[str, str]:
    """Each path below `<devices>` that is mapped, in the order of the declarations, with the type of its value."""
    found: dict[str, str] = {}
    for tag, cls in DEVICE_CLASSES.items():
        _add(found, cls, tag)
    return found


def _add(found: dict[str, str], cls: type[Mapped], prefix: str) -> None:
    for field in cls.declared().values():
        path = _below(prefix, field)
        if isinstance(field, Items) and not isinstance(field, Children):
            _add(found, field.record, path)
        else:
            found.setdefault(path, field.describe())


def _below(prefix: str, field: Field[Any]) -> str:
    path = _SELECTOR.sub("", field.path)
    return prefix if path == "." else f"{prefix}/{path}"


def shown_paths() -> Mapping[str, tuple[str, ...]]:
    """By path below `<devices>`, the properties that show it and what stands below it; those of devices with class."""
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        _collect(found, kind.setting.table, kind, "")
    for kind in KINDS:
        if kind.device is not None:
            _collect(found, kind.device.table, kind, f"{kind.device.base}.")
    return {path: tuple(names) for path, names in found.items()}


def _collect(found: dict[str, list[str]], table: PropertyTable[Any], kind: DeviceKind, owner: str) -> None:
    tags = [tag for tag, cls in DEVICE_CLASSES.items() if kind in kinds_of(cls(), KINDS)]
    for name, declared in table.items():
        if isinstance(declared, OptionsProperty):
            for cls in declared.classes:
                found.update({f"{cls.tag}/{path}": [name] for path in declared.paths_of(cls) if cls.location})
            continue
        for match in _SOURCE.findall(declared.source):
            tag, separator, rest = _SELECTOR.sub("", match).partition("/")
            for each in tags if tag == "*" else [tag]:
                names = found.setdefault(f"{each}{separator}{rest}", [])
                if owner + name not in names:
                    names.append(owner + name)


def shown_as(path: str, shown: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The properties that show a path, or what it stands in; none where none does, or it is hidden on its own."""
    if path not in shown and hidden_because(path) is not None:
        return ()
    while path not in shown:
        path, separator, _ = path.rpartition("/")
        if not separator:
            return ()
    return shown[path]


def document_devices() -> str:
    """The page, in Markdown."""
    shown, mapped = shown_paths(), mapped_paths()
    classes = {kind: kind.setting.base for kind in KINDS}
    parts = [_INTRODUCTION]
    for tag, cls in DEVICE_CLASSES.items():
        paths = [path for path in mapped if path == tag or path.startswith(f"{tag}/")]
        bases = ", ".join(f"[{classes[kind]}](classes.md#{classes[kind].lower()})" for kind in kinds_of(cls(), KINDS))
        parts.append(f"## {tag}\n\n{bases}\n\n| Path | Shown as | Not shown, because |\n| --- | --- | --- |")
        parts.extend(_row(path, shown) for path in paths)
        parts.append("")
    parts.append("## What is not mapped\n\n| Path | Because |\n| --- | --- |")
    parts.extend(f"| `{pattern}` | {reason} |" for pattern, reason in HIDDEN.items() if not _fits(pattern, mapped))
    return "\n".join(parts) + "\n"


def _fits(pattern: str, paths: Mapping[str, str]) -> bool:
    return any(fnmatchcase(path, pattern) for path in paths)


def _row(path: str, shown: Mapping[str, tuple[str, ...]]) -> str:
    names = shown_as(path, shown)
    because = "" if names else hidden_because(path) or "?"
    return f"| `{path.partition('/')[2] or path}` | {', '.join(f'`{name}`' for name in names)} | {because} |"


def unexplained(paths: Iterable[str]) -> list[str]:
    """Those of the paths that are neither shown nor hidden for a reason."""
    shown = shown_paths()
    return [path for path in paths if not shown_as(path, shown) and hidden_because(path) is None]
