"""XPath in tests."""

from __future__ import annotations

from typing import Any

from lxml import etree

__all__ = ["nodes"]


def nodes(element: etree._Element, path: str) -> list[Any]:
    """List what an XPath finds.

    Parameters:
        element: where the path begins.
        path: one that finds nodes, rather than a number, a text or a truth.

    Returns:
        elements, or the values of attributes and texts as the path names them.
    """
    found = element.xpath(path)
    assert isinstance(found, list), f"{path}: {found!r} is no list of nodes"
    return found
