"""What a server shows, as facts: a subject, and what is said of it.

Names stand as the server sent them, save those in paths, which are in lower case with their keys sorted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from lxml import etree

from tests.dump.declarations import class_facts
from tests.walk.walker import NAMESPACES
from tests.walk.wire import ClassDeclaration, Instance, Path, PropertyValue, Wire, WireError, embedded_instance

__all__ = ["Fact", "Shown", "value_text"]


class Fact(NamedTuple):
    """A line of a dump.

    Attributes:
        subject: what it is about: the kind of fact, the namespace and what stands in it, down to the property.
        text: what is said of it; "" where its being there says all.
    """

    subject: str
    text: str = ""


class Shown:
    """Everything that a server shows.

    Parameters:
        wire: the connection to it.
        namespaces: which of its namespaces; all when left out.
        prefix: with what the names of the classes begin whose declarations are shown.
    """

    def __init__(self, wire: Wire, namespaces: Iterable[str] = (), prefix: str = "") -> None:
        self._wire = wire
        self._prefix = prefix
        self._wanted = tuple(namespaces)
        self._classes: dict[str, dict[str, ClassDeclaration]] = {}

    def everything(self) -> Iterator[Fact]:
        """Declarations, instances, and what leads from each to others."""
        first: dict[str, list[Fact]] = {}
        for namespace in self._namespaces():
            yield Fact(f"namespace {namespace}")
            yield from self._declarations(namespace, first)
            instances = list(self._enumerate(namespace))
            yield from _described(instances)
            yield from self._led_to(namespace, instances)

    def instances(self) -> Iterator[Fact]:
        """What enumerations give, in all namespaces."""
        for namespace in self._namespaces():
            yield from _described(self._enumerate(namespace))

    def _namespaces(self) -> list[str]:
        """The namespaces that are wanted: those that the server names, and those that every one has."""
        if self._wanted:
            return list(self._wanted)
        listed = self._wire.instances("root/interop", "CIM_Namespace")
        return sorted({*NAMESPACES, *(str(each.properties["name"].value) for each in listed)})

    def _declarations(self, namespace: str, first: dict[str, list[Fact]]) -> Iterator[Fact]:
        """All classes of a namespace; one that an earlier namespace has alike is only named.

        Parameters:
            first: the facts of each class where it was first found, taken in here.
        """
        for element in self._wire.call("EnumerateClassNames", namespace, DeepInheritance=True):
            name = element.get("NAME")
            if not name.startswith(self._prefix):
                continue
            (declared,) = self._wire.call(
                "GetClass", namespace, ClassName=name, LocalOnly=False, IncludeQualifiers=True, IncludeClassOrigin=True
            )
            found = [Fact(*each) for each in class_facts(declared)]
            earlier = first.setdefault(name, found)
            yield Fact(
                f"declared {namespace} {name}", "" if earlier == found else "otherwise than in the namespaces before"
            )
            if earlier is found:
                yield from found
            elif earlier != found:
                yield from (Fact(f"{subject} in {namespace}", text) for subject, text in found)

    def _enumerate(self, namespace: str) -> Iterator[Instance | Fact]:
        """All that can be enumerated: each topmost class with its subclasses; an error is a fact of its own."""
        for declared in self._classes_of(namespace).values():
            if declared.superclass is not None or declared.is_indication:
                continue
            try:
                yield from self._wire.instances(namespace, declared.name)
            except WireError as error:
                yield Fact(f"error EnumerateInstances {namespace} {declared.name}", str(error))

    def _classes_of(self, namespace: str) -> dict[str, ClassDeclaration]:
        if namespace not in self._classes:
            self._classes[namespace] = self._wire.classes(namespace)
        return self._classes[namespace]

    def _led_to(self, namespace: str, instances: Iterable[Instance | Fact]) -> Iterator[Fact]:
        """Where each instance of a namespace leads; and those of it that only this finds."""
        classes = self._classes_of(namespace)
        waiting = [each.path for each in instances if isinstance(each, Instance) and each.path is not None]
        known = set(waiting)
        while waiting:
            source = waiting.pop()
            if classes[source.class_name].is_association:
                continue
            for link in self._names("ReferenceNames", source):
                yield link if isinstance(link, Fact) else Fact(f"reference {path_text(source)} {path_text(link)}")
            for other in self._names("AssociatorNames", source):
                if isinstance(other, Fact):
                    yield other
                    continue
                yield Fact(f"associated {path_text(source)} {path_text(other)}")
                if other not in known and other.namespace == namespace:
                    known.add(other)
                    waiting.append(other)
                    yield from self._reached(other)

    def _names(self, operation: str, source: Path) -> Iterable[Path | Fact]:
        try:
            return self._wire.object_names(operation, source)
        except WireError as error:
            return [Fact(f"error {operation} {path_text(source)}", str(error))]

    def _reached(self, path: Path) -> Iterator[Fact]:
        """What GetInstance tells of an instance that is not enumerated."""
        try:
            yield from _facts_of("reached", self._wire.get(path))
        except WireError as error:
            yield Fact(f"error GetInstance {path_text(path)}", str(error))


def _described(instances: Iterable[Instance | Fact]) -> Iterator[Fact]:
    for each in instances:
        if isinstance(each, Fact):
            yield each
        else:
            yield from _facts_of("instance", each)


def _facts_of(kind: str, instance: Instance) -> Iterator[Fact]:
    """An instance and its properties, those without a value too."""
    path = "" if instance.path is None else path_text(instance.path)
    yield Fact(f"{kind} {path}", instance.class_name)
    for value in instance.properties.values():
        yield Fact(f"property {path} {value.name}", value_text(value))


def value_text(value: PropertyValue) -> str:
    """A type and a value."""
    kind = f"{value.type}{'[]' if value.is_array else ''}{' embedded' if value.embedded else ''}"
    if isinstance(value.value, list):
        return f"{kind} [{', '.join(_item_text(each, value.embedded) for each in value.value)}]"
    return f"{kind} {_item_text(value.value, value.embedded)}"


def _item_text(item: Any, embedded: bool) -> str:
    if item is None:
        return "NULL"
    if isinstance(item, Path):
        return path_text(item)
    return _embedded_text(str(item)) if embedded else _quoted(str(item))


def _embedded_text(text: str) -> str:
    """An instance in a string, its properties sorted; as it was sent where it is none."""
    try:
        held = embedded_instance(text)
    except (etree.XMLSyntaxError, ValueError, AttributeError):
        return _quoted(text)
    inner = sorted(f"{value.name}={value_text(value)}" for value in held.properties.values())
    return f"{held.class_name}{{{', '.join(inner)}}}"


def path_text(path: Path) -> str:
    """A path as a WBEM URI without a host: texts in quotes, numbers and truth values bare."""
    return f"{path.namespace}:{path.class_name}.{','.join(f'{name}={_key_text(key)}' for name, key in path.keys)}"


def _key_text(key: Path | str) -> str:
    if isinstance(key, Path):
        return _quoted(path_text(key))
    return _quoted(key) if getattr(key, "kind", "string") == "string" else str(key)


def _quoted(text: str) -> str:
    """A text in quotes, in one line."""
    return json.dumps(text, ensure_ascii=False)
