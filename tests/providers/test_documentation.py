"""The page of all classes, and that what stands on it is true: each property is shown, each class, each method."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.providers.recorded import CONTEXT, PLATFORMS, Served
from virtcim.providers.associations.relation import Relation
from virtcim.providers.base import ElementProvider
from virtcim.providers.interface import CIMError, Instance, Status
from virtcim.providers.kinds import KINDS
from virtcim.providers.properties import PropertyTable
from virtcim.providers.site import Site
from virtcim.providers.Virt_AllocationCapabilities import Template
from virtcim.registration.catalog import INTEROP, build_catalog
from virtcim.registration.documentation import document
from virtcim.registration.methods import document_methods
from virtcim.schema.classes import ClassStore

PAGE = Path(__file__).parents[2] / "docs" / "classes.md"
METHODS = PAGE.with_name("methods.md")


def providers(served: Served) -> Iterator[ElementProvider]:
    for found in served.catalog.namespaces.values():
        for provider in found:
            assert isinstance(provider, ElementProvider)
            yield provider


def relations(served: Served) -> Iterator[Relation]:
    for found in served.catalog.associations.values():
        for association in found:
            assert isinstance(association, Relation)
            yield association


@pytest.fixture(scope="module")
def shown(corpus: Served, everything: list[Instance]) -> dict[str, set[str]]:
    """The properties that have a value in some instance, by the name of the class without its prefix."""
    found: dict[str, set[str]] = {}
    profiles = [
        instance
        for provider in corpus.catalog.namespaces[INTEROP]
        for class_name in provider.class_names
        for instance in provider.instances(class_name, CONTEXT)
    ]
    for instance in [*everything, *profiles]:
        found.setdefault(instance.class_name.partition("_")[2], set()).update(instance.properties())
    return found


def test_the_page_is_up_to_date(classes: ClassStore) -> None:
    catalog = build_catalog(Site((), PLATFORMS, KINDS))
    assert PAGE.read_text(encoding="utf-8") == document(catalog, PLATFORMS, classes), "run `make docs`"


def test_the_page_of_methods_is_up_to_date(classes: ClassStore) -> None:
    catalog = build_catalog(Site((), PLATFORMS, KINDS))
    assert METHODS.read_text(encoding="utf-8") == document_methods(catalog, PLATFORMS, classes), "run `make docs`"


def test_the_page_of_methods_has_what_the_classes_declare(corpus: Served, classes: ClassStore) -> None:
    """Each method of each class that is served, with its parameters, and in its example no other ones."""
    text = METHODS.read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in text.split("\n## ")[1:]}
    expected = {}
    for provider in providers(corpus):
        for element in provider.types:
            declared = classes[f"KVM_{element.base}"]
            for method in element.methods:
                if (found := declared.methods.get(method.name.lower())) is not None:
                    expected[f"{element.base}.{method.name}"] = found
    assert len(expected) > 50
    assert expected.keys() <= sections.keys()
    for name, declared_method in expected.items():
        section = sections[name]
        if "\nAs [" in section:
            continue
        names = [each.name for each in declared_method.parameters.values()]
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == names, name
        example = section.partition("```python\n")[2].partition("```")[0]
        call = ast.parse(example.replace("...}", "}")).body[0]
        assert isinstance(call, ast.Assign)
        assert isinstance(call.value, ast.Call)
        assert {each.arg for each in call.value.keywords} <= {
            each.name for each in declared_method.parameters.values() if each.is_in
        }


def test_every_class_stands_in_the_file_named_after_it() -> None:
    """And names itself, so that a search for the class finds it; templates alone share what they are made by."""
    catalog = build_catalog(Site((), PLATFORMS, KINDS))
    elements = {
        element
        for providers in catalog.namespaces.values()
        for provider in providers
        if isinstance(provider, ElementProvider)
        for element in provider.types
        if not issubclass(element, Template)
    }
    assert len(elements) > 50
    for element in elements:
        name = f"Virt_{element.base}"
        assert element.__module__.rpartition(".")[2] == name
        assert f"({name})" in (element.__doc__ or "").partition("\n")[0]


def test_every_declared_property_is_shown(corpus: Served, shown: dict[str, set[str]]) -> None:
    """A property that no recorded host has is one that nothing exercises."""
    missing = {
        base: set(table) - shown.get(base, set())
        for provider in providers(corpus)
        for base, table in provider.tables().items()
    }
    assert {base: names for base, names in missing.items() if names} == {}


def test_every_class_is_enumerated(corpus: Served, shown: dict[str, set[str]]) -> None:
    served = {name.partition("_")[2] for provider in providers(corpus) for name in provider.class_names}
    assert served - shown.keys() == set()


def test_every_association_is_enumerated(corpus: Served, rare_guest: Served) -> None:
    """With every property that it declares."""
    linked: dict[str, set[str]] = {}
    declared: dict[str, set[str]] = {}
    for served in (corpus, rare_guest):
        for relation in relations(served):
            declared.setdefault(relation.base, set()).update(relation.table)
            for class_name in relation.class_names:
                for left in relation.sources(class_name, CONTEXT):
                    for right in relation.to_right(left, CONTEXT):
                        linked.setdefault(relation.base, set()).update(relation.properties(left, right))
    assert linked == declared


def test_every_declaration_says_where_the_value_comes_from(corpus: Served, classes: ClassStore) -> None:
    tables = [item for provider in providers(corpus) for item in provider.tables().items()]
    tables += [(relation.base, relation.table) for relation in relations(corpus)]
    for base, table in tables:
        assert isinstance(table, PropertyTable)
        for name, declared in table.items():
            assert declared.source, (base, name)
            assert declared.name == name
            assert name == classes[f"KVM_{base}"].properties[name.lower()].name


def test_every_method_that_is_named_is_carried_out(corpus: Served, rare_guest: Served, classes: ClassStore) -> None:
    """Without parameters methods do nothing: what is not there says so, and everything else says something else."""
    checked = 0
    for provider in providers(rare_guest):
        for class_name in provider.class_names:
            instances = [*provider.instances(class_name, CONTEXT)]
            for instance in instances[:1]:
                for method in classes[class_name].methods.values():
                    checked += 1
                    is_there = responds(provider, instance, method.name)
                    declared = {each.name for each in provider.resolve(class_name)[1].methods}
                    assert is_there == (method.name in declared), (class_name, method.name)
    assert checked > 100


def responds(provider: ElementProvider, instance: Instance, method: str) -> bool:
    """Whether a method is available, whatever it says to a call without parameters."""
    try:
        provider.invoke_method(instance.class_name, instance.keys(), method, {}, CONTEXT)
    except CIMError as error:
        return error.status is not Status.METHOD_NOT_AVAILABLE
    except AttributeError:
        return True
    return True
