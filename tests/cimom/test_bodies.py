"""INSTANCE elements in two pieces: what is an instance's own, and what many have likewise."""

from __future__ import annotations

from itertools import product

from lxml import etree

from virtcim.frontends.cimxml.encode import LONGEST_USUAL, MAX_ENDS, Body, Table
from virtcim.providers.interface import LayeredProperties, SharedProperties

NAMES = tuple("ABCDEFGHIJ")


def make_table() -> Table:
    return Table(
        "C",
        tuple(
            (name, f'<PROPERTY NAME="{name}"/>', f'<PROPERTY NAME="{name}"><VALUE>', str, "</VALUE></PROPERTY>")
            for name in NAMES
        ),
    )


def read(body: Body) -> dict[str, str | None]:
    """The properties of an INSTANCE, each of which stands in it once."""
    element = etree.fromstring(b"".join(body))
    found = [(str(each.get("NAME")), each.findtext("VALUE")) for each in element]
    assert len(found) == len(dict(found))
    return dict(found)


def test_what_is_usual_is_there_once() -> None:
    table = make_table()
    first, second, third = (
        table.body({"A": name, "B": 7, "C": "same", "D": None}) for name in ("one", "two", "a third one")
    )
    assert second[0] is third[0]
    assert second[0] == b'<INSTANCE CLASSNAME="C"><PROPERTY NAME="A"><VALUE>'
    assert second[1] == b"two</VALUE></PROPERTY>"
    assert second[2] is third[2]
    nothing = dict.fromkeys(NAMES[3:])
    for body, name in ((first, "one"), (second, "two"), (third, "a third one")):
        assert read(body) == {"A": name, "B": "7", "C": "same", **nothing}
    assert read(table.body({"A": "two", "B": 8})) == {"A": "two", "B": "8", "C": None, **nothing}


def test_all_are_right_however_they_differ() -> None:
    table = make_table()
    for values in product(("x", "y", None), repeat=6):
        properties = {name: value for name, value in zip(NAMES, values, strict=False) if value is not None}
        wanted: dict[str, str | None] = {**dict.fromkeys(NAMES), **properties}
        body = table.body(properties)
        assert read(body) == wanted
        assert read((table.instance(properties).encode(), b"", b"")) == wanted
        if len(table._ends) == MAX_ENDS:  # what is not shared is the instance's own, and so counted as such
            assert body[2] in table._ends.values() or b"<VALUE>" not in body[2]
    assert len(table._ends) == MAX_ENDS


def test_long_values_are_not_kept() -> None:
    table, long = make_table(), "x" * (LONGEST_USUAL + 1)
    bodies = [table.body({"A": long, "B": "y" * LONGEST_USUAL}) for _ in range(2)]
    for _, filled, end in bodies:
        assert long.encode() in filled
        assert b"y" * LONGEST_USUAL in end


def test_what_instances_share_is_written_once_for_all_of_them() -> None:
    table = make_table()
    table.body({"A": "usual", "B": "usual", "C": "usual"})
    values = {"B": "usual", "C": "other", "D": "long" * LONGEST_USUAL}
    shared, owns = SharedProperties(values), ({"A": "one"}, {"A": "two"}, {"E": "three"})
    bodies = [table.body(LayeredProperties(shared, own)) for own in owns]
    assert bodies[0][2] is bodies[1][2]
    for body, own in zip(bodies, owns, strict=True):
        assert read(body) == {**dict.fromkeys(NAMES), **values, **own}
    other = make_table()
    assert read(other.body(LayeredProperties(shared, {"A": "one"}))) == read(bodies[0])
    assert read(table.body(LayeredProperties(shared, {"A": "two"}))) == read(bodies[1])


def test_all_that_share_something_are_right_however_they_differ() -> None:
    table = make_table()
    for values in product(("x", "y", None), repeat=6):
        properties = {name: value for name, value in zip(NAMES, values, strict=False) if value is not None}
        shared = SharedProperties({name: value for name, value in properties.items() if name < "D"})
        own = {name: value for name, value in properties.items() if name >= "D"}
        wanted: dict[str, str | None] = {**dict.fromkeys(NAMES), **properties}
        assert read(table.body(LayeredProperties(shared, own))) == wanted
