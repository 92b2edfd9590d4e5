"""The walk: every class, every instance, every reference and every association of a server, each checked against all
others.

A finding is a sentence with the place it is about.  Two answers that differ because the host has changed in between
are asked for again before they count.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import TypeVar

import pywbem

from tests.walk.values import value_faults
from tests.walk.wire import ClassDeclaration, Instance, Path, Wire, WireError, embedded_instance

__all__ = ["NAMESPACES", "Finding", "Report", "Walker", "from_pywbem"]

NAMESPACES = ("root/virt", "root/interop", "root/cimv2")

ATTEMPTS = 3
"""How often two answers are asked for that should be equal and are not."""

_WBEM_URI = re.compile(r"^(?://[^/]+/)?[\w/]*:?[A-Za-z]\w*_\w+\.\w+=")
"""A string that names an instance (DSP0207), as HostResource and Parent hold."""

_NOWHERE = "NoSuchRole"

First = TypeVar("First")
Second = TypeVar("Second")

Group = tuple[str, str, str, str]
"""What tells the links of an instance apart: association class, the own role, the other role, the other class."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold: what, where (a class or a path), and in detail."""

    what: str
    where: str
    detail: str = ""


@dataclass
class Report:
    """What a walk has found, and how much it has seen."""

    findings: list[Finding] = field(default_factory=list)
    classes: int = 0
    instances: Counter[str] = field(default_factory=Counter)
    unlisted: Counter[str] = field(default_factory=Counter)
    links: Counter[str] = field(default_factory=Counter)
    references: int = 0
    filtered: int = 0
    requests: int = 0

    def add(self, what: str, where: object, detail: object = "") -> None:
        """Take in a finding, once."""
        finding = Finding(what, str(where), str(detail))
        if finding not in self.findings:
            self.findings.append(finding)

    def summary(self) -> str:
        """The size of the graph, in a few lines."""
        prefixes: Counter[str] = Counter()
        for class_name, count in (self.instances + self.links).items():
            prefixes[class_name.partition("_")[0]] += count
        shares = ", ".join(f"{prefix} {count}" for prefix, count in prefixes.most_common())
        return (
            f"{self.classes} classes, {sum(self.instances.values())} instances of {len(self.instances)} of them, "
            f"{sum(self.unlisted.values())} more found by association only, "
            f"{sum(self.links.values())} links of {len(self.links)} associations ({shares}); "
            f"{self.references} references resolved, {self.filtered} filtered traversals, {self.requests} requests"
        )

    def text(self, examples: int = 5) -> str:
        """The findings, those of one kind together, with some examples of each."""
        kinds: dict[str, list[Finding]] = defaultdict(list)
        for finding in self.findings:
            kinds[finding.what].append(finding)
        lines = []
        for what, found in kinds.items():
            lines.append(f"{what} ({len(found)})")
            lines += [f"    {each.where}  {each.detail}" for each in found[:examples]]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Link:
    """An instance of an association as one of its ends sees it."""

    path: Path
    group: Group
    other: Path


class Walker:
    """Walks a server.

    Parameters:
        wire: the connection to it.
        namespaces: the namespaces to walk; the classes are those of the first one.
        thorough: of how many instances with links of the same kinds each filter is tried.
        followed: of how many of these the objects at the other ends are asked for, and not their names only, and the
            links of each association by themselves; without a number, of all.
        share: one of how many filters is tried, each time another one, and of how many classes of platforms that show
            nothing: those of their classes that the roots of the tree show are seen there.
        classes: the classes, where they are known from an earlier walk.
    """

    def __init__(
        self,
        wire: Wire,
        namespaces: Collection[str] = NAMESPACES,
        thorough: int = 1,
        followed: int | None = None,
        share: int = 1,
        classes: Mapping[str, ClassDeclaration] | None = None,
    ) -> None:
        self.wire = wire
        self.namespaces = tuple(namespaces)
        self.thorough = thorough
        self.followed = followed
        self.share = share
        self._filters = 0
        self.report = Report()
        self.classes: Mapping[str, ClassDeclaration] = classes or {}
        self.found: dict[Path, Instance] = {}
        self.links: dict[tuple[str, Path], list[_Link]] = defaultdict(list)
        self.unlisted: set[Path] = set()
        self._listed: dict[tuple[str, str], dict[Path, Set[str]]] = {}
        self._resolved: dict[Path, bool] = {}

    def walk(self) -> Report:
        """All of it."""
        self.classes = self.classes or self.wire.classes(self.namespaces[0])
        self.report.classes = len(self.classes)
        for namespace in self.namespaces:
            self._enumerate(namespace)
        for path, instance in list(self.found.items()):
            self._check_instance(path, instance)
        for namespace in self.namespaces:
            self._check_unions(namespace)
        self._collect_links()
        self._add_unlisted()
        self._check_traversals()
        self.report.references = len(self._resolved)
        self.report.requests = self.wire.requests
        return self.report

    def ancestors(self, class_name: str) -> list[str]:
        """A class and its superclasses, in lower case."""
        names = []
        key: str | None = class_name.lower()
        while key and key in self.classes:
            names.append(key)
            superclass = self.classes[key].superclass
            key = superclass.lower() if superclass else None
        return names

    def is_a(self, class_name: str, ancestor: str) -> bool:
        """Whether a class is another one or a descendant of it."""
        return ancestor.lower() in self.ancestors(class_name)

    def _enumerate(self, namespace: str) -> None:
        """Each class by both enumerations; what is of the class itself is kept."""
        shown = self._shown_schemas(namespace)
        for number, (key, declared) in enumerate(self.classes.items()):
            if declared.is_indication or (number % self.share and _schema(declared.name) not in shown):
                continue
            try:
                names, instances = self._enumerated(namespace, declared.name)
            except WireError as error:
                self.report.add("enumeration fails", f"{namespace}:{declared.name}", error)
                continue
            self._check_enumeration(f"{namespace}:{declared.name}", names, instances)
            self._listed[namespace, key] = {each.path: each.properties.keys() for each in instances if each.path}
            counter = self.report.links if declared.is_association else self.report.instances
            for instance in instances:
                if instance.path is not None and instance.path.class_name == key:
                    self.found[instance.path] = instance
                    counter[declared.name] += 1

    def _shown_schemas(self, namespace: str) -> set[str]:
        """The schema names of the classes that have instances, and of those that all platforms have in common."""
        roots = [each for each in self.classes.values() if each.superclass is None and not each.is_indication]
        schemas = {_schema(each.name) for each in roots} | {"virt"}
        for root in roots if self.share > 1 else ():
            try:
                schemas.update(_schema(path.class_name) for path in self.wire.names(namespace, root.name))
            except WireError as error:
                self.report.add("enumeration fails", f"{namespace}:{root.name}", error)
        return schemas

    def _enumerated(self, namespace: str, class_name: str) -> tuple[list[Path], list[Instance]]:
        """What both enumerations of a class give."""
        return self._agreeing(
            lambda: self.wire.names(namespace, class_name),
            lambda: self.wire.instances(namespace, class_name),
            lambda names, instances: [each.path for each in instances] == names,
        )

    def _check_enumeration(self, place: str, names: list[Path], instances: list[Instance]) -> None:
        """Both enumerations give the same, and nothing twice."""
        listed = [instance.path for instance in instances]
        if listed != names:
            difference = set(names) ^ {path for path in listed if path is not None}
            self.report.add("names and instances differ", place, sorted(difference)[:2])
        for path, count in Counter(names).items():
            if count > 1:
                self.report.add("enumerated twice", path)
        for instance in instances:
            if instance.path is None or instance.path.class_name != instance.class_name.lower():
                self.report.add("path and instance are of different classes", instance.path)

    def _check_unions(self, namespace: str) -> None:
        """A superclass shows what its subclasses show, and nothing else."""
        expected: dict[str, dict[Path, Instance]] = defaultdict(dict)
        for path, instance in self.found.items():
            if path.namespace == namespace:
                for ancestor in self.ancestors(path.class_name):
                    expected[ancestor][path] = instance
        for key, wanted in expected.items():
            if self._listed.pop((namespace, key), None) == {
                path: instance.properties.keys() for path, instance in wanted.items()
            }:
                continue
            # What comes and goes may have done so since.
            listed, instances = self._enumerated(namespace, self.classes[key].name)
            names = set(listed)
            place = f"{namespace}:{self.classes[key].name}"
            if names != wanted.keys():
                self.report.add("not the union of its subclasses", place, sorted(names ^ wanted.keys())[:2])
            for instance in instances:
                if instance.path in wanted and instance.properties.keys() != wanted[instance.path].properties.keys():
                    self.report.add("other properties than in its own class", place, instance.path)

    def _check_instance(self, path: Path, instance: Instance) -> None:
        """GetInstance, keys, values, references."""
        try:
            alone = self.wire.get(path)
            if alone.sent != instance.sent:
                alone, instance = self._asked_again(path, instance)
        except WireError as error:
            self.report.add("GetInstance of an enumerated name fails", path, error)
            alone = instance
        if alone.sent != instance.sent:
            names = [name for name, value in instance.properties.items() if alone.properties.get(name) != value]
            self.report.add("GetInstance and EnumerateInstances differ", path, names)
        self._check_values(path, instance)
        self._check_keys(path, instance)
        for value in instance.properties.values():
            for target in self._targets(path, value.value):
                self._check_target(path, value.name, target)

    def _asked_again(self, path: Path, instance: Instance) -> tuple[Instance, Instance]:
        """Both answers once more, until they agree."""
        return self._agreeing(
            lambda: self.wire.get(path),
            lambda: next(
                (each for each in self.wire.instances(path.namespace, path.class_name) if each.path == path), instance
            ),
            lambda alone, listed: alone.sent == listed.sent,
        )

    def _check_values(self, where: object, instance: Instance, keys_needed: bool = True) -> None:
        """Every property is one of the class, and every value is one that the property can have."""
        declared = self.classes.get(instance.class_name.lower())
        if declared is None:
            self.report.add("of an unknown class", where, instance.class_name)
            return
        for name, value in instance.properties.items():
            declaration = declared.properties.get(name)
            if declaration is None:
                self.report.add("property that the class does not have", where, value.name)
                continue
            for fault in value_faults(declaration, value, keys_needed):
                self.report.add(fault.what, where, f"{value.name}: {fault.detail}")
            if value.embedded and value.value is not None:
                for text in value.value if value.is_array else [value.value]:
                    if text:
                        self._check_values(f"{where} {value.name}", embedded_instance(text), keys_needed=False)
        if keys_needed:
            for name, declaration in declared.properties.items():
                if declaration.is_key and name not in instance.properties:
                    self.report.add("key is missing", where, declaration.name)

    def _check_keys(self, path: Path, instance: Instance) -> None:
        """The path has the keys of the class, with the values that the instance has."""
        declared = self.classes[path.class_name]
        wanted = {name for name, declaration in declared.properties.items() if declaration.is_key}
        if {name for name, _ in path.keys} != wanted:
            self.report.add("path without just the keys of its class", path)
        for name, key in path.keys:
            value = instance.properties.get(name)
            if value is not None and value.value != key:
                self.report.add("key of the path and of the instance differ", path, value.name)
        self._check_scope(path, instance)

    def _check_scope(self, path: Path, instance: Instance) -> None:
        """CreationClassName is the class; what SystemName names is there."""
        own = instance.properties.get("creationclassname")
        if own is not None and own.value is not None and own.value.lower() != path.class_name:
            self.report.add("CreationClassName is not the class", path, own.value)
        scope = instance.properties.get("systemcreationclassname"), instance.properties.get("systemname")
        if scope[0] is not None and scope[1] is not None and scope[0].value and scope[1].value:
            keys = (("creationclassname", scope[0].value), ("name", scope[1].value))
            self._check_target(path, "SystemName", Path(path.namespace, scope[0].value.lower(), keys))

    def _targets(self, path: Path, value: object) -> Iterator[Path]:
        """The instances that a value names: references, and strings that are instance paths."""
        match value:
            case Path():
                yield value
            case list():
                for each in value:
                    yield from self._targets(path, each)
            case str() if _WBEM_URI.match(value):
                name = pywbem.CIMInstanceName.from_wbem_uri(value)
                yield from_pywbem(name, path.namespace)

    def _check_target(self, path: Path, name: str, target: Path) -> None:
        """What is referred to exists, under just these keys."""
        if target in self.found:
            self._resolved[target] = True
        if target not in self._resolved:
            self._resolved[target] = self._resolves(target)
        if not self._resolved[target]:
            self.report.add("reference that leads nowhere", path, f"{name} -> {target}")
        declared = self.classes.get(path.class_name)
        declaration = declared.properties.get(name.lower()) if declared else None
        wanted = declaration.reference_class if declaration else None
        if wanted and not self.is_a(target.class_name, wanted):
            self.report.add("reference to another class than declared", path, f"{name} -> {target.class_name}")

    def _resolves(self, target: Path) -> bool:
        try:
            instance = self.wire.get(target)
        except WireError:
            return False
        values = {name: value.value for name, value in instance.properties.items()}
        return instance.class_name.lower() == target.class_name and all(
            values.get(name) == key for name, key in target.keys
        )

    def _collect_links(self) -> None:
        """The instances of associations as their ends are to see them, in the namespace where they were enumerated."""
        for path, instance in self.found.items():
            if not self.classes[path.class_name].is_association:
                continue
            ends = [
                (value.name.lower(), value.value)
                for value in instance.properties.values()
                if isinstance(value.value, Path)
            ]
            for own, end in ends:
                for role, other in ends:
                    if role != own:
                        group = (path.class_name, own, role, other.class_name)
                        self.links[path.namespace, end].append(_Link(path, group, other))

    def _add_unlisted(self) -> None:
        """The ends of associations that no enumeration lists, as a pool's templates are; they are instances, too."""
        for _, path in list(self.links):
            if path not in self.found and self._resolved.get(path):
                self.found[path] = self.wire.get(path)
                self.unlisted.add(path)
                self.report.unlisted[path.class_name] += 1
                self._check_instance(path, self.found[path])

    def _check_traversals(self) -> None:
        """The four operations from each instance in its own namespace, and their filters from some."""
        tried: Counter[tuple[str, frozenset[Group]]] = Counter()
        for path in self.found:
            if self.classes[path.class_name].is_association:
                continue
            links = self.links[path.namespace, path]
            groups = frozenset(link.group for link in links)
            kind = (path.place, groups)
            self._compare(path, links, "AssociatorNames")
            self._compare(path, links, "ReferenceNames")
            if self.followed is None or tried[kind] < self.followed:
                self._follow(path, links, groups)
            if tried[kind] < self.thorough:
                self._filter(path, links, groups)
            tried[kind] += 1

    def _follow(self, path: Path, links: list[_Link], groups: Iterable[Group]) -> None:
        """Without filters, what the instances look like; and each association by itself."""
        for operation in ("Associators", "References"):
            self._compare(path, links, operation)
        for name in {group[0] for group in groups}:
            self._compare(path, links, "AssociatorNames", AssocClass=name)

    def _filter(self, path: Path, links: list[_Link], groups: Iterable[Group]) -> None:
        """Each filter by itself, then all at once; of these, the walker's share."""
        for operation, filters in self._filters_of(sorted(groups)):
            self._filters += 1
            if self._filters % self.share == 0:
                self._compare(path, links, operation, **filters)

    def _filters_of(self, groups: list[Group]) -> Iterator[tuple[str, dict[str, str]]]:
        """The operations with filters that tell links of these groups apart."""
        for name in sorted({name for group in groups for name in self.ancestors(group[0])}):
            yield "AssociatorNames", {"AssocClass": name}
            yield "ReferenceNames", {"ResultClass": name}
        for name in sorted({name for group in groups for name in self.ancestors(group[3])}):
            yield "AssociatorNames", {"ResultClass": name}
        for role in [*sorted({role for group in groups for role in group[1:3]}), _NOWHERE]:
            yield "AssociatorNames", {"Role": role}
            yield "AssociatorNames", {"ResultRole": role}
            yield "ReferenceNames", {"Role": role}
        for association, near, far, result in groups:
            for operation in ("AssociatorNames", "Associators"):
                yield operation, {"AssocClass": association, "ResultClass": result, "Role": near, "ResultRole": far}
            yield "AssociatorNames", {"AssocClass": association, "Role": far, "ResultRole": near}
            yield "References", {"ResultClass": association, "Role": near}

    def _compare(self, path: Path, links: list[_Link], operation: str, **filters: str) -> None:
        """One traversal against what the enumerated associations say of it."""
        if filters:
            self.report.filtered += 1
        asks_for_links = operation.startswith("Reference")
        passed = [link for link in links if self._passes(link, asks_for_links, filters)]
        wanted = {link.path if asks_for_links else link.other for link in passed}
        try:
            if operation.endswith("Names"):
                names = self.wire.object_names(operation, path, **filters)
            else:
                instances = self.wire.objects(operation, path, **filters)
                names = [each.path for each in instances if each.path is not None]
                self._check_sent(path, operation, instances)
        except WireError as error:
            self.report.add(f"{operation} fails", path, f"{filters} {error}")
            return
        said = f"{operation} {filters or ''}"
        if len(names) != len(set(names)):
            self.report.add("found twice", path, said)
        for missing in wanted - set(names):
            self.report.add("not found from this end", path, f"{said} {missing}")
        for surplus in set(names) - wanted:
            self.report.add("found, and not enumerated", path, f"{said} {surplus}")

    def _check_sent(self, source: Path, operation: str, instances: Iterable[Instance]) -> None:
        """An instance is the same whichever way one comes to it."""
        for instance in instances:
            if instance.path is None:
                continue
            known = self.found.get(instance.path)
            if known is None:
                self._check_target(source, operation, instance.path)
            elif known.sent != instance.sent and known.properties.keys() != instance.properties.keys():
                self.report.add("differs when found by association", instance.path, f"{operation} from {source}")

    def _passes(self, link: _Link, asks_for_links: bool, filters: Mapping[str, str]) -> bool:
        association, near, far, result = link.group
        if asks_for_links:
            return self._fits(association, filters.get("ResultClass")) and _plays(near, filters.get("Role"))
        return (
            self._fits(association, filters.get("AssocClass"))
            and self._fits(result, filters.get("ResultClass"))
            and _plays(near, filters.get("Role"))
            and _plays(far, filters.get("ResultRole"))
        )

    def _fits(self, class_name: str, wanted: str | None) -> bool:
        return wanted is None or self.is_a(class_name, wanted)

    @staticmethod
    def _agreeing(
        first: Callable[[], First], second: Callable[[], Second], agree: Callable[[First, Second], bool]
    ) -> tuple[First, Second]:
        """Two answers, asked for again while they do not agree."""
        for _ in range(ATTEMPTS):
            one, other = first(), second()
            if agree(one, other):
                break
        return one, other


def _schema(class_name: str) -> str:
    """What stands before the underscore of a class name: of its platform, or CIM and the like."""
    return class_name.partition("_")[0].lower()


def _plays(role: str, wanted: str | None) -> bool:
    return wanted is None or role == wanted.lower()


def from_pywbem(name: pywbem.CIMInstanceName, namespace: str) -> Path:
    keys = tuple(
        sorted(
            (key.lower(), from_pywbem(value, namespace) if isinstance(value, pywbem.CIMInstanceName) else str(value))
            for key, value in name.keybindings.items()
        )
    )
    return Path((name.namespace or namespace).lower(), name.classname.lower(), keys)
