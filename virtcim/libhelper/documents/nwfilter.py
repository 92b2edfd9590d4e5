"""Network filters: what `<filter>` holds.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

from lxml import etree

from virtcim.libhelper.documents.domain.interface import FilterParameter
from virtcim.libhelper.xml.editing import MappedDocument, children_of
from virtcim.libhelper.xml.mapping import Attributes, Children, ElementName, Int, Items, Mapped, Text

__all__ = ["FilterConfig", "FilterDocument", "FilterReference", "FilterRule", "RuleMatch"]


class RuleMatch(Mapped):
    """What packets a rule is for: the protocol (`ip`, `tcp`, `mac` ...) and its attributes as the document has them."""

    protocol = ElementName()
    attributes = Attributes(".")


class FilterRule(Mapped):
    """A `<rule>`.  A rule without matches is for all packets."""

    tag = "rule"
    action = Text("@action")
    direction = Text("@direction")
    priority = Int("@priority")
    statematch = Text("@statematch")
    matches = Children(RuleMatch)


class FilterReference(Mapped):
    """A `<filterref>`: another filter that is taken in."""

    tag = "filterref"
    filter = Text("@filter")
    parameters = Items("parameter", FilterParameter)


class FilterConfig(Mapped):
    """A network filter."""

    tag = "filter"
    name = Text("@name")
    chain = Text("@chain")
    priority = Int("@priority")
    uuid = Text("uuid")
    filterrefs = Items("filterref", FilterReference)
    rules = Items("rule", FilterRule)


class FilterDocument(MappedDocument[FilterConfig]):
    """The text of a network filter, edited in place."""

    config_class = FilterConfig

    def add_reference(self, name: str) -> None:
        """Have it take in another filter, after all that it has.

        Parameters:
            name: of the other filter.

        Raises:
            ValueRejectedError: the name cannot stand in XML.
        """
        reference = self._root.makeelement(FilterReference.tag)
        self._editor.insert(self._root, len(self._root), reference)
        self._write(reference, FilterReference, {"filter": name})

    def remove_references(self, name: str) -> bool:
        """Have it leave out another filter; whether it took it in."""
        found = self._references(name)
        for reference in found:
            self._editor.remove(reference)
        self._config = None
        return bool(found)

    def refers_to(self, name: str) -> bool:
        """Whether it takes in the filter of this name."""
        return bool(self._references(name))

    def _references(self, name: str) -> list[etree._Element]:
        children = children_of(self._root)
        return [child for child in children if child.tag == FilterReference.tag and child.get("filter") == name]
