"""Network filters: what `<filter>` holds.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

from virtcim.libhelper.documents.domain.interface import FilterParameter
from virtcim.libhelper.xml.mapping import Attributes, Children, ElementName, Int, Items, Mapped, Text

__all__ = ["FilterConfig", "FilterReference", "FilterRule", "RuleMatch"]


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
