"""What a class declares: itself, its properties, methods and parameters, each in one line with its qualifiers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

__all__ = ["class_facts"]

_LONG = 60
"""Characters of a text from which on its beginning and a digest stand for it: descriptions are long and many."""

_PROPERTIES = frozenset({"PROPERTY", "PROPERTY.ARRAY", "PROPERTY.REFERENCE"})
_PARAMETERS = frozenset({"PARAMETER", "PARAMETER.ARRAY", "PARAMETER.REFERENCE", "PARAMETER.REFARRAY"})


def class_facts(element: Any) -> Iterator[tuple[str, str]]:
    """Take apart a CLASS element; yields subjects and what is declared of them."""
    name = element.get("NAME")
    yield f"class {name}", _declared(element)
    for child in element:
        member = f"{name}.{child.get('NAME')}"
        if child.tag in _PROPERTIES:
            yield f"class-property {member}", _declared(child)
        elif child.tag == "METHOD":
            yield f"method {member}", _declared(child)
            parameters = [each for each in child if each.tag in _PARAMETERS]
            for number, parameter in enumerate(parameters):
                yield f"parameter {member}({parameter.get('NAME')})", f"{number} {_declared(parameter)}"


def _declared(element: Any) -> str:
    """The kind of an element, its attributes, its default and its qualifiers, sorted by name."""
    attributes = [f"{name}={value}" for name, value in sorted(element.items()) if name != "NAME"]
    default = _value(element)
    qualifiers = sorted(_qualifier(child) for child in element if child.tag == "QUALIFIER")
    return " ".join([element.tag, *attributes, *([] if default is None else [f"= {default}"]), *qualifiers])


def _qualifier(element: Any) -> str:
    attributes = " ".join(f"{name}={value}" for name, value in sorted(element.items()) if name != "NAME")
    return f"[{element.get('NAME')}({attributes}) {_value(element)}]"


def _value(element: Any) -> str | None:
    """The value in an element, as JSON; None without one."""
    for child in element:
        if child.tag == "VALUE":
            return _text(child)
        if child.tag == "VALUE.ARRAY":
            return f"[{', '.join(map(_text, child))}]"
    return None


def _text(element: Any) -> str:
    text = element.text or ""
    if len(text) <= _LONG:
        return json.dumps(text, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{json.dumps(text[: _LONG // 2], ensure_ascii=False)}...{digest}"
