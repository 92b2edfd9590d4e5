"""Changing an XML tree through the declarations, and nothing else in it.

What a class declares to go with the old thing (`Mapped.replacements`) goes when a change makes another thing of it.

A missing element goes where the declarations of its class have it among its siblings, indented like them.  An element
that this module made goes again when nothing is left in it, and so does one that libvirt would not take empty
(`Mapped.never_empty`); any other that was in the document stays.

Layer rule: imports `mapping` and `text` of this project and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from lxml import etree

from virtcim.libhelper.xml.mapping import (
    Attributes,
    Field,
    Flag,
    Ints,
    Items,
    Mapped,
    Node,
    Replacement,
    Size,
    Step,
    Texts,
    split_path,
)
from virtcim.libhelper.xml.text import MappingError, is_blank, parse_xml, to_text

__all__ = ["MappedDocument", "TreeEditor", "children_of", "element_text", "first_child", "object_text"]

_INDENT = "  "

Config = TypeVar("Config", bound=Mapped)


def children_of(element: etree._Element) -> list[etree._Element]:
    """The child elements, without comments and processing instructions."""
    return [child for child in element if isinstance(child.tag, str)]


def first_child(element: etree._Element, step: Step) -> etree._Element | None:
    """The first child that a step means; None when there is none."""
    return next((child for child in element if step.matches(child)), None)


def has_content(element: etree._Element, step: Step | None = None) -> bool:
    """True when an element has attributes (beside the one that selects it), children, or text but white space."""
    attributes = len(element.attrib)
    if step is not None and step.attribute is not None and step.attribute in element.attrib:
        attributes -= 1
    return bool(attributes or len(element) or not is_blank(element.text))


def drop_attribute(element: etree._Element, name: str) -> None:
    """Remove an attribute if it is there."""
    if name in element.attrib:
        del element.attrib[name]


class TreeEditor:
    """Edits one tree.

    Parameters:
        root: the root element of the tree.
        indented: whether new elements stand on lines of their own; None to do as the document does.
    """

    def __init__(self, root: etree._Element, *, indented: bool | None = None) -> None:
        self._indented = "\n" in (root.text or "") if indented is None else indented
        self._created: dict[etree._Element, Step] = {}
        self._text_before: dict[etree._Element, str | None] = {}

    def apply(self, element: etree._Element, cls: type[Mapped], encoded: Mapping[Field[Any], Any]) -> None:
        """Write values made ready by `cls.encode_fields` into the element of an object of `cls`.

        A value that the element has already is not written again, so that its spelling (the unit of a size) stays.
        """
        held = cls.from_element(element).as_dict()
        changed = {
            field.name
            for field, value in encoded.items()
            if (field.encode(held.get(field.name)) or None) != (value or None)
        }
        given = {field.name: value for field, value in encoded.items()}
        replaced = [
            each
            for each in cls.replacements
            if any(
                each.among is None or given[name] in each.among or (name in held and held[name] in each.among)
                for name in changed.intersection(each.fields)
            )
        ]
        filled = [found for found in map(partial(self._at, element), cls.never_empty) if found is not None]
        if replaced:
            for replacement in replaced:
                self._take_out(element, cls, replacement)
            held = cls.from_element(element).as_dict()
        for field, value in encoded.items():
            if field.name not in held or field.encode(held[field.name]) != value:
                self._writer(field)(element, cls.reader(), field, value)
        for emptied in filled:
            parent = emptied.getparent()
            if parent is not None and not has_content(emptied):
                self.remove(emptied)
                self.prune(parent, element)

    def _at(self, element: etree._Element, path: str) -> etree._Element | None:
        """The element at the end of a path, where it has something in it."""
        found = self.find(element, split_path(path)[0])
        return found if found is not None and has_content(found) else None

    def insert(self, parent: etree._Element, position: int, child: etree._Element) -> None:
        """Put `child` among the children of `parent`, indented like its siblings."""
        before = parent[position - 1] if position else None
        last = position >= len(parent)
        child.tail = None
        if before is None and last:
            self._text_before.setdefault(parent, parent.text)
            if self._indented and is_blank(parent.text):
                depth = sum(1 for _ in parent.iterancestors())
                parent.text = "\n" + _INDENT * (depth + 1)
                child.tail = "\n" + _INDENT * depth
        elif before is None:
            child.tail = parent.text if is_blank(parent.text) else None
        elif is_blank(before.tail):
            child.tail = before.tail
            if last:
                before.tail = parent.text if is_blank(parent.text) else None
        parent.insert(position, child)

    def remove(self, element: etree._Element) -> None:
        """Take an element out, with the white space that set it off and never with other text."""
        parent = element.getparent()
        if parent is None:
            raise ValueError("the root element cannot be removed")
        before, tail, last = element.getprevious(), element.tail, element.getnext() is None
        element.tail = None
        parent.remove(element)
        self._created.pop(element, None)
        if before is None and last and parent in self._text_before and is_blank(parent.text) and is_blank(tail):
            parent.text = self._text_before.pop(parent)
            return
        left = parent.text if before is None else before.tail
        if not is_blank(tail):
            left = (left or "") + (tail or "")
        elif last and is_blank(left):
            left = tail
        if before is None:
            parent.text = left
        else:
            before.tail = left

    def create(self, parent: etree._Element, node: Node | None, step: Step) -> etree._Element:
        """Make the element of a step below `parent`, where the declarations have it."""
        child = parent.makeelement(step.tag)
        if step.attribute is not None:
            child.set(step.attribute, step.value)
        self.insert(parent, self.position(parent, node, step.tag), child)
        self._created[child] = step
        return child

    def position(self, parent: etree._Element, node: Node | None, tag: str) -> int:
        """The place among the children of `parent` where an element `tag` belongs."""
        rank = None if node is None else node.rank(tag)
        if node is None or rank is None:
            return len(parent)
        place = 0
        for number, sibling in enumerate(parent, start=1):
            other = node.rank(sibling.tag)
            if other is not None and other <= rank:
                place = number
        return place

    def find(self, element: etree._Element, steps: Sequence[Step]) -> etree._Element | None:
        """The element at the end of a path; None when the path breaks off."""
        current: etree._Element | None = element
        for step in steps:
            if current is None:
                return None
            current = first_child(current, step)
        return current

    def ensure(self, element: etree._Element, node: Node, steps: Sequence[Step]) -> tuple[etree._Element, Node]:
        """The element at the end of a path, made with its parents where it is missing; and its node."""
        for step in steps:
            child = first_child(element, step)
            element = self.create(element, node, step) if child is None else child
            node = node.child(step)
        return element, node

    def prune(self, element: etree._Element | None, below: etree._Element) -> None:
        """Take out an element that this editor made and that has become empty, and so on upwards to `below`."""
        while element is not None and element is not below:
            if element not in self._created or has_content(element, self._created[element]):
                return
            parent = element.getparent()
            self.remove(element)
            element = parent

    def _take_out(self, element: etree._Element, cls: type[Mapped], replacement: Replacement) -> None:
        """Take out what describes the thing that is replaced."""
        stays = (*(cls.declared()[name].path for name in replacement.fields), *replacement.keeps)
        kept = [split_path(path) for path in stays]
        for path in replacement.takes:
            steps, attribute = split_path(path)
            parent = self.find(element, steps[:-1] if attribute is None else steps)
            if parent is None:
                continue
            if attribute is not None:
                drop_attribute(parent, attribute)
                self.prune(parent, element)
                continue
            attributes = {name for above, name in kept if above == steps and name is not None}
            children = [below[-1] for below, name in kept if below[:-1] == steps and name is None]
            for child in [child for child in parent if steps[-1].matches(child)]:
                if attributes or children:
                    self._empty(child, attributes, children)
                    self.prune(child, element)
                else:
                    self.remove(child)
            self.prune(parent, element)

    def _empty(self, element: etree._Element, attributes: set[str], children: Sequence[Step]) -> None:
        """Take everything out of an element but some of its attributes and children."""
        for name in set(element.attrib) - attributes:
            del element.attrib[name]
        for child in list(element):
            if not any(step.matches(child) for step in children):
                self.remove(child)
        if not is_blank(element.text):
            element.text = None

    def _writer(self, field: Field[Any]) -> Callable[[etree._Element, Node, Field[Any], Any], None]:
        if isinstance(field, Items):
            return self._write_items
        if isinstance(field, (Texts, Ints)):
            return self._write_list
        if isinstance(field, Attributes):
            return self._write_attributes
        if isinstance(field, Flag):
            return self._write_flag
        return self._write_attribute if field.attribute is not None else self._write_text

    def _write_attribute(self, element: etree._Element, node: Node, field: Field[Any], value: str | None) -> None:
        name = field.attribute or ""
        if value is None:
            holder = self.find(element, field.steps)
            if holder is not None:
                drop_attribute(holder, name)
                self._drop_unit(holder, field)
                self.prune(holder, element)
            return
        holder, _ = self.ensure(element, node, field.steps)
        holder.set(name, value)
        self._set_unit(holder, field)

    def _write_text(self, element: etree._Element, node: Node, field: Field[Any], value: str | None) -> None:
        if value is None:
            holder = self.find(element, field.steps)
            if holder is not None:
                self._drop_unit(holder, field)
                self._clear(holder, element)
            return
        holder, _ = self.ensure(element, node, field.steps)
        self._set_text(holder, value)
        self._set_unit(holder, field)

    def _set_text(self, element: etree._Element, value: str) -> None:
        element.text = value
        for child in element:
            child.tail = None

    def _clear(self, element: etree._Element, below: etree._Element) -> None:
        """Remove the text of an element; and the element when nothing else is in it."""
        if not is_blank(element.text):
            element.text = None
        for child in element:
            if not is_blank(child.tail):
                child.tail = None
        parent = element.getparent()
        if element is not below and not has_content(element):
            self.remove(element)
            self.prune(parent, below)

    def _set_unit(self, element: etree._Element, field: Field[Any]) -> None:
        """Name the unit, unless the one that is named or assumed is the one that was written."""
        if isinstance(field, Size) and element.get(field.unit_attribute, field.absent) != field.unit:
            element.set(field.unit_attribute, field.unit)

    def _drop_unit(self, element: etree._Element, field: Field[Any]) -> None:
        if isinstance(field, Size):
            drop_attribute(element, field.unit_attribute)

    def _write_flag(self, element: etree._Element, node: Node, field: Field[Any], value: bool | None) -> None:
        if value:
            self.ensure(element, node, field.steps)
            return
        parent = self.find(element, field.steps[:-1])
        if parent is not None:
            for child in children_of(parent):
                if field.steps[-1].matches(child):
                    self.remove(child)
            self.prune(parent, element)

    def _write_attributes(
        self, element: etree._Element, node: Node, field: Field[Any], value: Mapping[str, str] | None
    ) -> None:
        if not value:
            holder = self.find(element, field.steps)
            if holder is not None and holder is not element:
                parent = holder.getparent()
                self.remove(holder)
                self.prune(parent, element)
            return
        holder, _ = self.ensure(element, node, field.steps)
        for name in holder.attrib.keys() - value.keys():
            del holder.attrib[name]
        for name, text in value.items():
            holder.set(name, text)

    def _write_list(self, element: etree._Element, node: Node, field: Field[Any], value: Sequence[str]) -> None:
        def put(child: etree._Element, _node: Node, text: str) -> None:
            if field.attribute is None:
                self._set_text(child, text)
            else:
                child.set(field.attribute, text)

        self._write_children(element, node, field, value, put)

    def _write_items(
        self, element: etree._Element, node: Node, field: Field[Any], value: Sequence[Mapping[Field[Any], Any]]
    ) -> None:
        record: type[Mapped] = field.record  # type: ignore[attr-defined]

        def put(child: etree._Element, _node: Node, encoded: Mapping[Field[Any], Any]) -> None:
            self.apply(child, record, encoded)

        self._write_children(element, node, field, value, put)

    def _write_children(
        self,
        element: etree._Element,
        node: Node,
        field: Field[Any],
        values: Sequence[Any],
        put: Callable[[etree._Element, Node, Any], None],
    ) -> None:
        """Give the n-th of the repeated elements the n-th value; take out what is left over, add what is missing."""
        *upper, last = field.steps
        parent = self.find(element, upper)
        if parent is None:
            if not values:
                return
            parent, _ = self.ensure(element, node, upper)
        for step in upper:
            node = node.child(step)
        present = [child for child in children_of(parent) if last.matches(child)]
        for child in present[len(values) :]:
            self.remove(child)
        for number, value in enumerate(values):
            child = present[number] if number < len(present) else self.create(parent, node, last)
            put(child, node, value)
        if not values:
            self.prune(parent, element)


def element_text(cls: type[Mapped], values: Mapping[str, Any], *, indented: bool = True) -> str:
    """The XML text of one element, such as a device to be attached.

    Parameters:
        cls: a mapped class with an element of its own, such as `Disk` or `NetworkConfig`.
        values: field values by name.
        indented: whether its parts stand on lines of their own.

    Raises:
        ValueRejectedError: a value or a name is not accepted.
    """
    encoded = cls.encode_fields(values)
    root = etree.Element(cls.tag)
    TreeEditor(root, indented=indented).apply(root, cls, encoded)
    return to_text(root)


def object_text(made: Mapped) -> str:
    """The XML text of an object that is made here, such as the `NetworkConfig` of a network to be defined.

    Attributes come in the order of the declarations.

    Raises:
        ValueRejectedError: a value is not accepted.
    """
    held = made.writable_values()
    return element_text(type(made), {name: held[name] for name in made.declared() if name in held}, indented=False)


class MappedDocument(Generic[Config]):
    """The text of one object of libvirt, edited in place.

    Only what is asked for changes: comments, unknown elements and attributes, namespaces, metadata and white space
    stay as they are.  Not for use by several threads at once.

    Parameters:
        xml: the text.

    Raises:
        NotWellFormedError: the text is not XML, exceeds the parser's limits or has a DOCTYPE.
        MappingError: the root element is not that of `config_class`.
    """

    #: What the root element is read as.
    config_class: ClassVar[type[Any]]

    def __init__(self, xml: str | bytes) -> None:
        self._root = parse_xml(xml)
        if self._root.tag != self.config_class.tag:
            raise MappingError(f"expected a document <{self.config_class.tag}>, got <{self._root.tag}>")
        self._editor = TreeEditor(self._root)
        self._config: Config | None = None

    @property
    def config(self) -> Config:
        """The object as it stands in the document now."""
        if self._config is None:
            self._config = self._read()
        return self._config

    def tostring(self) -> str:
        """The text of the whole document, without an XML declaration."""
        return to_text(self._root, whole_document=True)

    def _read(self) -> Config:
        read: Config = self.config_class.from_element(self._root)
        return read

    def _write(self, element: etree._Element, cls: type[Mapped], values: Mapping[str, Any]) -> None:
        """Set fields of an element; a value that is in the document already is not written again, None removes."""
        self._editor.apply(element, cls, cls.encode_fields(values))
        self._config = None
