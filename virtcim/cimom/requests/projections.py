"""What of an instance or of a class is asked for."""

from __future__ import annotations

from virtcim.immutable import immutable

__all__ = ["ALL", "ClassProjection", "Projection"]


@immutable
class Projection:
    """What of an instance is asked for.

    Attributes:
        properties: lower-case names of the PropertyList; None for all.
        limit_class: only the properties of this class (DeepInheritance=false); None for those of the creation class.
        class_origin: whether each property says which class introduced it (IncludeClassOrigin).
    """

    properties: frozenset[str] | None = None
    limit_class: str | None = None
    class_origin: bool = False


ALL = Projection()
"""All properties."""


@immutable
class ClassProjection:
    """What of a class is asked for: the parameters of GetClass (DSP0200 1.4, section 5.3.2.1).

    Attributes:
        local_only: only what the class itself declares.
        qualifiers: whether qualifiers are wanted.
        class_origin: whether each element says which class introduced it.
        properties: lower-case names of the PropertyList; None for all.
    """

    local_only: bool = True
    qualifiers: bool = True
    class_origin: bool = False
    properties: frozenset[str] | None = None
