"""Options: what the domain XML says of the guest or of one of its devices and no other property shows.

Each is a text `path=value`: `driver/@iommu=on`, `input/settings/@frequency=44100`.  The path is that of the value in
its element; where an element occurs more often, its number stands behind it, from 1: `codec[1]/@type=micro`.  A value
is spelt as in the XML, a size is in the unit of the declaration (KiB, or bytes), and an element that is there or not
is `yes`.  Together with the other properties they make another guest of what was read of one.

What libvirt or the host chooses by themselves is declared in `hidden`, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.xml.mapping import Attributes, Field, Flag, Items, Mapped, Size, read_number
from virtcim.providers.drafts import Draft, ValueRefusedError
from virtcim.providers.hidden import hidden_because
from virtcim.providers.properties import Property, PropertyTable

__all__ = ["MEMORY_PATHS", "OPTIONS", "PROCESSOR_PATHS", "SYSTEM_BESIDE", "OptionsProperty", "with_options"]

OPTIONS = "Options"
MEMORY_PATHS = ("memory", "currentMemory", "maxMemory", "memtune", "numatune")
PROCESSOR_PATHS = ("vcpu", "iothread", "defaultiothread", "cputune")
"""The beginnings of the paths of the domain that the settings of its memory and of its processors show."""
_OWN_PATHS = ("@", "name", "uuid", "genid", "metadata", "seclabel", "devices")
"""What a guest has as itself, and who looks after its security has; `devices` have settings of their own."""
SYSTEM_BESIDE = (*MEMORY_PATHS, *PROCESSOR_PATHS, *_OWN_PATHS)
"""The beginnings of the paths that the settings of the guest as a whole leave out."""
_DEVICES = "devices/"
_MOST = 1000
"""Elements of one name."""

_Handle = TypeVar("_Handle", contravariant=True)


def _none(_cls: type[Mapped]) -> Iterable[str]:
    return ()


@immutable
class OptionsProperty(Property[_Handle]):
    """The property Options.

    Attributes:
        classes: of the elements that have options.
        paths_of: gives what is an option of such a class, without numbers.
    """

    classes: tuple[type[Mapped], ...] = ()
    paths_of: Callable[[type[Mapped]], Iterable[str]] = _none


@immutable
class _Options:
    """The options that the elements of one class have.

    Attributes:
        tag: of the element; "" for the domain.
        fields: what is an option, by name, each with its path; of `Items` a part may be.
        hidden: the paths below `Items` that are none.
        places: by the path without numbers, the fields that lead to it.
    """

    tag: str
    fields: Mapping[str, tuple[Field[Any], str]]
    hidden: frozenset[str]
    places: Mapping[str, tuple[Field[Any], ...]]


def with_options(
    table: PropertyTable[_Handle],
    *classes: type[Mapped],
    get: Callable[[_Handle], Mapped],
    below: Sequence[str] = ("",),
    beside: Sequence[str] = (),
) -> PropertyTable[_Handle]:
    """Add the property Options to a table.

    Parameters:
        table: of everything else.
        classes: of the elements that its handles show.
        get: from the handle to the element.
        below: the beginnings of the paths that are meant; of the domain as a whole only some are.
        beside: the beginnings of the paths that are not.

    Returns:
        the table with the property at its end: what it says holds, whatever others fill in.
    """
    known: dict[type[Mapped], _Options] = {}

    def options_of(cls: type[Mapped]) -> _Options | None:
        if cls not in classes:
            return None
        if cls not in known:  # when it is asked for, as a start has no time for it
            known[cls] = _options_of(cls, frozenset(_words(table.values())), below, beside)
        return known[cls]

    def read(handle: _Handle) -> list[str] | None:
        element = get(handle)
        options = known.get(type(element)) or options_of(type(element))
        if options is None:
            return None
        names = element.held_fields() & options.fields.keys()
        return list(_texts(options, element, names)) or None if names else None

    def write(draft: Draft, value: Sequence[str | None]) -> None:
        options = options_of(type(draft.base))
        if options is None:
            raise ValueRefusedError(f"{OPTIONS} does not apply to <{draft.base.tag}>", contradiction=True)
        _write(options, draft, value)

    def paths_of(cls: type[Mapped]) -> Iterable[str]:
        options = options_of(cls)
        return () if options is None else options.places

    places = ", ".join(cls.location or "what stands below " + ", ".join(filter(None, below)) for cls in classes)
    if DomainConfig in classes and below == ("",):
        places = "what stands below none of " + ", ".join(beside)
    source = f"domain XML {places}: what no other property shows"
    return PropertyTable(table, OptionsProperty(OPTIONS, read, source, write, classes, paths_of))


def _words(properties: Iterable[Property[Any]]) -> Iterator[str]:
    """The paths that the sources of properties name."""
    for declared in properties:
        for word in declared.source.split():
            yield _plain(word.rstrip(",;:"))


def _options_of(cls: type[Mapped], shown: frozenset[str], below: Sequence[str], beside: Sequence[str]) -> _Options:
    tag = "" if cls.location == "" else str(cls.tag)
    fields: dict[str, tuple[Field[Any], str]] = {}
    places: dict[str, tuple[Field[Any], ...]] = {}
    hidden: set[str] = set()
    paths = {field.path for field in cls.declared().values() if not isinstance(field, Items)}
    for name, field in cls.declared().items():
        if not field.path.startswith(tuple(below)) or field.path.startswith(tuple(beside)):
            continue
        if isinstance(field, Flag) and any(path.startswith(f"{field.path}/") for path in paths):
            continue  # it is there because of what is in it
        found = dict(_places(field, (), "", tag, shown, paths, hidden))
        if found:
            fields[name] = (field, _plain(field.path))
            places.update(found)
    return _Options(tag, fields, frozenset(hidden), places)


def _places(
    field: Field[Any],
    above: tuple[Field[Any], ...],
    prefix: str,
    tag: str,
    shown: frozenset[str],
    paths: Collection[str],
    hidden: set[str],
) -> Iterator[tuple[str, tuple[Field[Any], ...]]]:
    """The paths that are options at a field and below it, each with the fields that lead there."""
    path = _join(prefix, _plain(field.path))
    if _is_shown(path, tag, shown, paths) or not (field.writable and field.readable) or isinstance(field, Attributes):
        hidden.add(path)
    elif isinstance(field, Items):
        for sub in field.record.declared().values():
            yield from _places(sub, (*above, field), path, tag, shown, paths, hidden)
    elif hidden_because(f"{tag}/{path}" if tag else path) is not None:
        hidden.add(path)
    else:
        yield path, (*above, field)


def _is_shown(path: str, tag: str, shown: frozenset[str], paths: Collection[str]) -> bool:
    """Whether a property shows a value, or all that is in an element that it stands in and that is no value itself."""
    own = path
    while path:
        places = (f"{_DEVICES}{tag}/{path}", f"{_DEVICES}*/{path}") if tag else (path,)
        if (path == own or path not in paths) and not shown.isdisjoint(places):
            return True
        path = path.rpartition("/")[0]
    return False


def _plain(path: str) -> str:
    """A path without what selects one of several elements (`sysinfo[@type='smbios']`)."""
    return "/".join(step.partition("[")[0] for step in path.split("/"))


def _join(prefix: str, path: str) -> str:
    return path if not prefix else prefix if path == "." else f"{prefix}/{path}"


def _texts(options: _Options, element: Mapped, names: Collection[str]) -> Iterator[str]:
    """The texts of some fields, in the order of the declarations."""
    ordered = names if len(names) == 1 else [name for name in options.fields if name in names]
    for name in ordered:
        field, path = options.fields[name]
        yield from _texts_of(options, field, path, path, getattr(element, name))


def _texts_of(options: _Options, field: Field[Any], path: str, shown_path: str, value: Any) -> Iterator[str]:
    """The texts of one field.

    Parameters:
        path: without numbers.
        shown_path: with them.
    """
    if isinstance(field, Items):
        for number, item in enumerate(value, 1):
            for name, sub in item.declared().items():
                below = _join(path, sub.path)
                if name in item.held_fields() and below not in options.hidden:
                    inside = _join(f"{shown_path}[{number}]", sub.path)
                    yield from _texts_of(options, sub, below, inside, getattr(item, name))
    elif field.many:
        for number, each in enumerate(value, 1):
            element, at, attribute = shown_path.partition("/@")
            yield f"{element}[{number}]{at}{attribute}={each}"
    elif value != "":
        yield f"{shown_path}={_text(field, value)}"


def _text(field: Field[Any], value: Any) -> str:
    if isinstance(field, Flag):
        return "yes"
    return str(field.write(value) if isinstance(value, bool) else value)


def _value(field: Field[Any], text: str, whole: str) -> Any:
    """The value that a text means.

    Raises:
        ValueRefusedError: none.
    """
    found: Any
    if isinstance(field, Flag):
        found = True if text == "yes" else None
    elif isinstance(field, Size):
        found = read_number(text)
    else:
        found = field.read(text) if text else None
    if found is None:
        raise ValueRefusedError(f"{OPTIONS}: {whole:.100} has no value that it can have; expected path=value")
    return found


def _write(options: _Options, draft: Draft, value: Sequence[str | None]) -> None:
    """Have the element say these options and no others."""
    found: dict[str, Any] = {}
    for text in value:
        _take(options, found, text or "")
    for name, (field, path) in options.fields.items():
        now = draft.now(name)
        wanted: Any
        if isinstance(field, Items):
            wanted = _items(options, field, path, now or (), found.get(name, {}))
        elif field.many:
            wanted = _in_order(found.get(name, {}))
        else:
            wanted = found.get(name)
        if (wanted not in (None, [])) or (now not in (None, (), []) and name in draft.base.held_fields()):
            draft.put(name, wanted)


def _take(options: _Options, found: dict[str, Any], text: str) -> None:
    """Take in one option.

    Parameters:
        found: values by the names of their fields; below elements that occur more often, by their numbers.
    """
    shown_path, separator, value = text.partition("=")
    steps = [step.partition("[") for step in shown_path.split("/")]
    path = "/".join(step[0] for step in steps)
    fields = options.places.get(path, ())
    numbers = [_number(step[2], text) for step in steps if step[1]]
    if not fields or not separator or len(numbers) != sum(field.many for field in fields):
        expected = ", ".join(options.places)
        raise ValueRefusedError(f"{OPTIONS}: {text:.100} is not known; expected path=value of {expected}")
    place = found
    for field in fields[:-1]:
        place = place.setdefault(field.name, {}).setdefault(numbers.pop(0), {})
    last = fields[-1]
    if last.many:
        place.setdefault(last.name, {})[numbers.pop(0)] = _value(last, value, text)
    else:
        place[last.name] = _value(last, value, text)


def _number(text: str, whole: str) -> int:
    number = read_number(text.removesuffix("]")) or 0
    if not 0 < number <= _MOST:
        raise ValueRefusedError(f"{OPTIONS}: {whole:.100} has a number that is none; expected 1 to {_MOST}")
    return number


def _in_order(numbered: Mapping[int, Any]) -> list[Any]:
    return [numbered[number] for number in sorted(numbered)]


def _items(
    options: _Options, field: Items[Any], path: str, now: Sequence[Any], numbered: Mapping[int, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The elements of one name: what other properties say of them stays, and so does their number."""
    subs = {sub.name: _join(path, sub.path) for sub in field.record.declared().values()}
    is_counted = any(each in options.hidden for each in subs.values())
    if is_counted and max(numbered, default=0) > len(now):
        raise ValueRefusedError(f"{OPTIONS}: there are {len(now)} {path}, and not {max(numbered)}")
    made = []
    for number in range(1, len(now) + 1) if is_counted else sorted(numbered):
        before = now[number - 1] if number <= len(now) else {}
        known = before if isinstance(before, Mapping) else before.as_dict()
        item = {name: value for name, value in known.items() if subs[name] in options.hidden}
        for name, value in numbered.get(number, {}).items():
            sub = field.record.declared()[name]
            if isinstance(sub, Items):
                item[name] = _items(options, sub, subs[name], known.get(name) or (), value)
            else:
                item[name] = _in_order(value) if sub.many else value
        made.append(item)
    return made
