"""Tables of a TOML document, of which each entry is taken once and held against its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from virtcim.images.templates.errors import TemplateError
from virtcim.images.templates.sizes import size_of
from virtcim.images.templates.template import SettingValue

__all__ = ["TableReader"]

Kind = TypeVar("Kind")


class TableReader:
    """Takes what is expected out of a table, and complains of what is left.

    Parameters:
        table: of the document.
        where: its name, for messages; "" for the document.
    """

    def __init__(self, table: Mapping[str, Any], where: str) -> None:
        self._left = dict(table)
        self._where = f"{where}." if where else ""

    def text(self, name: str, default: str | None = None) -> str:
        """Take a text; without a default it has to be there."""
        value = self._take(name, default, str, "a text")
        return str(value)

    def number(self, name: str, default: int) -> int:
        """Take a whole number, no less than 0."""
        value = self._take(name, default, int, "a whole number")
        if value < 0:
            raise TemplateError(f"{self._where}{name}: {value} cannot be; expected no less than 0")
        return int(value)

    def bound(self, name: str) -> int | None:
        """Take a number or size that may be left out."""
        return self.size(name) if name in self._left else None

    def switch(self, name: str, default: bool) -> bool:
        """Take true or false."""
        return bool(self._take(name, default, bool, "true or false"))

    def size(self, name: str) -> int:
        """Take a size: bytes, or a text such as `10 GiB`."""
        value = self._left.pop(name, 0)
        try:
            return size_of(value)
        except TemplateError as error:
            raise TemplateError(f"{self._where}{name}: {error}") from None

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of texts."""
        value = self._take(name, [], list, "a list of texts")
        if not all(isinstance(each, str) for each in value):
            raise TemplateError(f"{self._where}{name}: {value!r:.80} is not a list of texts; expected texts only")
        return tuple(value)

    def values(self, name: str) -> Mapping[str, SettingValue]:
        """Take a table of properties."""
        return _values(self._take(name, {}, dict, "a table"), f"{self._where}{name}")

    def part(self, name: str, make: Callable[[TableReader], Kind]) -> Kind | None:
        """Take a table that may be left out."""
        if name not in self._left:
            return None
        return self._made(self._take(name, {}, dict, "a table"), f"{self._where}{name}", make)

    def parts(self, name: str, make: Callable[[TableReader], Kind]) -> tuple[Kind, ...]:
        """Take a list of tables."""
        tables = self._take(name, [], list, "a list of tables")
        made = []
        for place, table in enumerate(tables):
            if not isinstance(table, dict):
                raise TemplateError(f"{self._where}{name}[{place}]: {table!r:.80} is not a table; expected one")
            made.append(self._made(table, f"{self._where}{name}[{place}]", make))
        return tuple(made)

    def rest(self) -> Mapping[str, SettingValue]:
        """Take all that is left, as properties."""
        left, self._left = self._left, {}
        return _values(left, self._where.rstrip("."))

    def end(self) -> None:
        """Complain of what nobody has taken."""
        if self._left:
            raise TemplateError(
                f"{self._where}{next(iter(self._left))}: is not a part of a template; expected one of docs/templates.md"
            )

    def _made(self, table: Mapping[str, Any], where: str, make: Callable[[TableReader], Kind]) -> Kind:
        reader = TableReader(table, where)
        made = make(reader)
        reader.end()
        return made

    def _take(self, name: str, default: Any, kind: type, expected: str) -> Any:
        value = self._left.pop(name, default)
        if value is None:
            raise TemplateError(f"{self._where}{name}: is missing; expected {expected}")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise TemplateError(f"{self._where}{name}: {value!r:.80} is not {expected}; expected {expected}")
        _refuse_nul(value, f"{self._where}{name}")
        return value


def _refuse_nul(value: object, where: str) -> None:
    """Refuse what no name and no text of libvirt's can hold."""
    if any(isinstance(each, str) and "\0" in each for each in (value if isinstance(value, list) else (value,))):
        raise TemplateError(f"{where}: holds a NUL; expected none")


def _values(table: Mapping[str, Any], where: str) -> Mapping[str, SettingValue]:
    held: dict[str, SettingValue] = {}
    for name, value in table.items():
        _refuse_nul(value, f"{where}.{name}")
        if isinstance(value, list) and all(isinstance(each, str | int) for each in value):
            held[name] = tuple(value)
        elif isinstance(value, str | int | bool):
            held[name] = value
        else:
            raise TemplateError(f"{where}.{name}: {value!r:.80} cannot be the value of a property")
    return held
