"""The sample domains and the walk over everything that is declared, for the tests of the XML mapping."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from virtcim.libhelper.xml.mapping import Field, Mapped

DATA = Path(__file__).parent.parent / "data"
SAMPLES = sorted((DATA / "domains").glob("*.xml"))

#: What libvirt's schema does not know, or that of an older libvirt; the mapping has to live with it.
BEYOND_THE_SCHEMA = {"beyond-the-schema", "kvm-newer"}


def sample(name: str) -> str:
    """The text of a sample domain."""
    return (DATA / "domains" / f"{name}.xml").read_text(encoding="utf-8")


def mapped_classes(base: type[Mapped] = Mapped) -> Iterator[type[Mapped]]:
    """All classes derived from `base`, each once."""
    found: dict[type[Mapped], None] = {}
    waiting = list(base.__subclasses__())
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            found[cls] = None
            waiting.extend(cls.__subclasses__())
    return iter(found)


def declarations(classes: Iterator[type[Mapped]]) -> dict[int, str]:
    """Every field, where it was declared: its identity, and its name for a report."""
    found: dict[int, str] = {}
    for cls in classes:
        for name, value in vars(cls).items():
            if isinstance(value, Field):
                found[id(value)] = f"{cls.__name__}.{name}"
    return found


def fields_held(held: Mapped) -> Iterator[tuple[Field[Any], Any]]:
    """Every field with a value in an object and in the objects in it."""
    for name, value in held.as_dict().items():
        yield held.declared()[name], value
        if isinstance(value, tuple):
            for item in value:
                if isinstance(item, Mapped):
                    yield from fields_held(item)
