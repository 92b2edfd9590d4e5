"""Values that do not change: what a dataclass with slots can do, these classes can."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace

import pytest

from virtcim.immutable import immutable


@immutable
class Disk:
    name: str
    size: int = 3
    labels: list[str] = field(default_factory=list)
    place: str = field(default="here", compare=False)
    secret: str = field(default="", repr=False)
    known: int = field(default=7, init=False)


@dataclass(frozen=True, slots=True)
class Reference:
    name: str
    size: int = 3
    labels: list[str] = field(default_factory=list)
    place: str = field(default="here", compare=False)
    secret: str = field(default="", repr=False)
    known: int = field(default=7, init=False)


@immutable(kw_only=True)
class Image(Disk):
    format: str

    def __post_init__(self) -> None:
        if not self.format:
            raise ValueError("format is empty")

    def __repr__(self) -> str:
        return self.format


@immutable(eq=False)
class Handle:
    value: int


@immutable
class Nothing:
    pass


def test_it_is_as_a_dataclass_is() -> None:
    made, reference = Disk("a", labels=["b"], secret="c"), Reference("a", labels=["b"], secret="c")
    assert asdict(made) == asdict(reference)
    assert repr(made).partition("(")[2] == repr(reference).partition("(")[2]
    assert repr(made) == "Disk(name='a', size=3, labels=['b'], place='here', known=7)"
    assert [each.name for each in fields(made)] == [each.name for each in fields(reference)]
    assert Disk.__match_args__ == Reference.__match_args__
    assert not hasattr(made, "__dict__")
    assert Disk("a").labels is not Disk("a").labels


def test_objects_with_the_same_values_are_equal() -> None:
    assert Disk("a", place="there") == Disk("a") != Disk("b")
    assert Image("a", format="raw") != Disk("a")
    assert {Nothing(): 1}[Nothing()] == 1
    handle = Handle(1)
    assert handle == handle != Handle(1)
    assert {handle: 1}.get(Handle(1)) is None


def test_nothing_can_be_changed() -> None:
    made = Disk("a")
    with pytest.raises(FrozenInstanceError):
        made.size = 4  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del made.size
    with pytest.raises(FrozenInstanceError):
        made.other = 4  # type: ignore[attr-defined]
    assert replace(made, size=4) == Disk("a", 4)


def test_a_class_is_derived_with_methods_of_its_own() -> None:
    image = Image("a", 1, format="raw")
    assert (image.name, image.size, image.format, repr(image)) == ("a", 1, "raw", "raw")
    with pytest.raises(ValueError, match="format is empty"):
        Image("a", format="")
    with pytest.raises(TypeError, match="format"):
        Image("a")  # type: ignore[call-arg]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copies_are_equal(again: object) -> None:
    assert callable(again)
    made = Disk("a", labels=["b"])
    other = again(made)
    assert other == made
    assert other is not made


def test_a_value_without_a_default_stands_before_those_with_one() -> None:
    @immutable
    class Wrong:
        size: int = 3
        name: str  # type: ignore[misc]

    with pytest.raises(TypeError, match="Wrong: non-default argument"):
        Wrong(1, "a")


def test_the_first_object_is_made_as_all_others() -> None:
    @immutable
    class Sized:
        name: str
        size: int = 3

    @immutable
    class Derived(Sized):
        def __init__(self, name: str) -> None:
            Sized.__init__(self, name, size=len(name))

    with pytest.raises(TypeError, match="missing 1 required"):
        Sized()  # type: ignore[call-arg]
    assert [Derived("abcd").size, Derived("ab").size, Sized("a").size] == [4, 2, 3]
