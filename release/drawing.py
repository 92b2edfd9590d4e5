"""Drawings of what a class hangs on: a box for the class, and one for each class at the other end of an association."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

__all__ = ["Neighbour", "draw_neighbours"]

CHARACTER, ROW, PADDING, GAP = 7.3, 28, 8, 24
"""Width of a letter, height of a row, room within boxes, and between lines and boxes."""

FONT = "font-family='monospace' font-size='12'"


@dataclass(frozen=True, order=True)
class Neighbour:
    """A class at the other end of an association.

    Attributes:
        association: its class.
        role: the reference of it that leads there.
        other: the class there.
    """

    association: str
    role: str
    other: str


def draw_neighbours(name: str, neighbours: Sequence[Neighbour], pages: frozenset[str]) -> str:
    """Draw a class with its neighbours, as SVG that stands in a page: each name that has a page leads to it.

    Parameters:
        name: of the class.
        pages: names of the classes that have a page, which is called as they are.
    """
    groups = [(key, list(each)) for key, each in groupby(neighbours, lambda one: (one.association, one.role))]
    left = _width(name)
    trunk = 1 + left + GAP
    branch = trunk + max(_width(f"{association} ({role})") for (association, role), _ in groups)
    boxes = branch + GAP
    right = max(_width(each.other) for each in neighbours)
    width, height = boxes + right + 1, ROW * len(neighbours) + PADDING
    rows = [ROW * (number + 0.5) + PADDING / 2 for number in range(len(neighbours))]
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0f} {height:.0f}' width='{width:.0f}' "
        f"class='neighbours' role='img' {FONT} fill='none' stroke='currentColor'>",
        f"<title>{escape(name)} and the classes that it is associated with</title>",
        *_box(1, rows[0], left, name, frozenset()),
        f"<path d='M{1 + left:.0f} {rows[0]:.0f}H{trunk:.0f}'/>",
    ]
    row, first = 0, rows[0]
    for (association, role), members in groups:
        own = rows[row : row + len(members)]
        lines.append(f"<path d='M{trunk:.0f} {own[0]:.0f}H{branch:.0f}M{branch:.0f} {own[0]:.0f}V{own[-1]:.0f}'/>")
        lines.append(_text(trunk + PADDING, own[0] - 5, association, pages, f" ({role})"))
        for y, each in zip(own, members, strict=True):
            lines.append(f"<path d='M{branch:.0f} {y:.0f}H{boxes:.0f}'/>")
            lines += _box(boxes, y, right, each.other, pages)
        row, last = row + len(members), own[0]
    lines.append(f"<path d='M{trunk:.0f} {first:.0f}V{last:.0f}'/>")
    return "\n".join([*lines, "</svg>"])


def _width(text: str) -> float:
    return len(text) * CHARACTER + 2 * PADDING


def _box(x: float, y: float, width: float, text: str, pages: frozenset[str]) -> Iterator[str]:
    yield f"<rect x='{x:.0f}' y='{y - 11:.0f}' width='{width:.0f}' height='22' rx='3'/>"
    yield _text(x + PADDING, y + 4, text, pages)


def _text(x: float, y: float, text: str, pages: frozenset[str], further: str = "") -> str:
    shown = f"<tspan>{escape(text)}</tspan>"
    if text in pages:
        shown = f"<a href={quoteattr(f'{text}.html')}>{shown}</a>"
    return f"<text x='{x:.0f}' y='{y:.0f}' fill='currentColor' stroke='none'>{shown}{escape(further)}</text>"
