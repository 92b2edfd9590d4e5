"""The pages of the classes on the site: one for each, with all that the class store knows, and no dead links."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from release.classpages import ClassPages
from tests.providers.recorded import PLATFORMS
from virtcim.providers.associations.relation import Relation
from virtcim.providers.kinds import KINDS
from virtcim.providers.site import Site
from virtcim.registration.catalog import build_catalog
from virtcim.schema.classes import ClassStore

PREFIX = next(iter(PLATFORMS)).prefix


@pytest.fixture(scope="module")
def pages(classes: ClassStore) -> ClassPages:
    return ClassPages(build_catalog(Site((), PLATFORMS, KINDS)), PLATFORMS, classes)


@pytest.fixture(scope="module")
def texts(pages: ClassPages) -> dict[str, str]:
    return {name: pages.page(name) for name in pages.names}


def test_each_class_has_a_page(pages: ClassPages, classes: ClassStore) -> None:
    """What is served, whatever else is declared for the first platform or by virtcim, and all superclasses."""
    declared = {name for name in classes if name.startswith((f"{PREFIX}_", "Virt_"))}
    assert len(declared) > 200
    assert {above for name in declared for above in classes.ancestors(name)} <= pages.names
    catalog = build_catalog(Site((), PLATFORMS, KINDS))
    served = {name for found in catalog.namespaces.values() for each in found for name in each.class_names}
    assert {name for name in served if name.partition("_")[0] in {PREFIX, "Virt", "CIM"}} <= pages.names
    index = pages.index()
    assert {name for name in pages.names if f"[{name}]({name}.md)" not in index} == set()


def test_each_property_and_method_stands_on_the_page(texts: dict[str, str], classes: ClassStore) -> None:
    for name, text in texts.items():
        declared = classes[name]
        _, _, tail = text.partition("## Properties\n")
        head, _, methods = tail.partition("## Methods\n")
        rows = re.findall(r"^\| `(\w+)` \|", head if tail else "", re.MULTILINE)
        assert rows == [each.name for each in declared.properties.values()], name
        if not tail:
            _, _, methods = text.partition("## Methods\n")
        parts = re.split(r"^### (\w+)\(\)$", methods, flags=re.MULTILINE)
        assert parts[1::2] == [each.name for each in declared.methods.values()], name
        for method, part in zip(declared.methods.values(), parts[2::2], strict=True):
            parameters = [each.name for each in method.parameters.values()]
            assert re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) == parameters, (name, method.name)


def test_values_and_units_stand_beside_properties(texts: dict[str, str]) -> None:
    (state,) = re.findall(r"^\| `EnabledState` \|.*", texts["KVM_ComputerSystem"], re.MULTILINE)
    assert "2 Enabled, 3 Disabled" in state
    (unit,) = re.findall(r"^\| `BlockSize` \|.*", texts["KVM_LogicalDisk"], re.MULTILINE)
    assert "| `Bytes` |" in unit
    assert "| `percent` |" in texts["KVM_Processor"], "by PUnit where there is one"


def test_links_lead_to_pages(texts: dict[str, str]) -> None:
    for name, text in texts.items():
        links = re.findall(r"\]\((\w+)\.md\)", text) + re.findall(r'href="(\w+)\.html"', text)
        assert set(links) <= texts.keys(), name


def drawing(text: str) -> list[tuple[str, str]]:
    """The names in the drawing of a page, with where each leads to."""
    (svg,) = re.findall(r"^<svg.*?^</svg>", text, re.MULTILINE | re.DOTALL)
    root = etree.fromstring(svg)
    space = {"s": "http://www.w3.org/2000/svg"}
    return [
        (str(each.findtext("s:tspan", namespaces=space)), str(each.get("href")))
        for each in root.iterfind(".//s:a", namespaces=space)
    ]


def test_drawings_show_what_the_associations_join(texts: dict[str, str]) -> None:
    catalog = build_catalog(Site((), PLATFORMS, KINDS))
    checked = 0
    for found in catalog.associations.values():
        for relation in found:
            assert isinstance(relation, Relation)
            left, right = relation.ends
            for here, there in ((left, right), (right, left)):
                for element in here.types:
                    shown = drawing(texts[f"{PREFIX}_{element.base}"])
                    assert all(target == f"{name}.html" for name, target in shown)
                    names = {name for name, _ in shown}
                    expected = {f"{PREFIX}_{other.base}" for other in there.types} | {f"{PREFIX}_{relation.base}"}
                    assert expected <= names, element.base
                    checked += 1
    assert checked > 50
