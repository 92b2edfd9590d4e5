"""Operations on classes and qualifiers (DSP0200 1.4, section 5.3.2)."""

from __future__ import annotations

from typing import ClassVar

from virtcim.cimom.requests.projections import ClassProjection
from virtcim.cimom.requests.request import Request
from virtcim.immutable import immutable

__all__ = ["EnumerateClassNames", "EnumerateClasses", "EnumerateQualifiers", "GetClass", "GetQualifier"]


@immutable(kw_only=True)
class GetClass(Request):
    """GetClass (5.3.2.1)."""

    operation: ClassVar[str] = "GetClass"
    quick: ClassVar[bool] = True
    class_name: str
    projection: ClassProjection = ClassProjection()


@immutable(kw_only=True)
class EnumerateClasses(Request):
    """EnumerateClasses (5.3.2.10).

    Attributes:
        class_name: whose subclasses are meant; None for all classes.
        deep: whether subclasses of subclasses are meant too (DeepInheritance).
    """

    operation: ClassVar[str] = "EnumerateClasses"
    class_name: str | None = None
    deep: bool = False
    projection: ClassProjection = ClassProjection()


@immutable(kw_only=True)
class EnumerateClassNames(Request):
    """EnumerateClassNames (5.3.2.11); attributes as of `EnumerateClasses`."""

    operation: ClassVar[str] = "EnumerateClassNames"
    class_name: str | None = None
    deep: bool = False


@immutable(kw_only=True)
class EnumerateQualifiers(Request):
    """EnumerateQualifiers (5.3.2.22)."""

    operation: ClassVar[str] = "EnumerateQualifiers"


@immutable(kw_only=True)
class GetQualifier(Request):
    """GetQualifier (5.3.2.20)."""

    operation: ClassVar[str] = "GetQualifier"
    quick: ClassVar[bool] = True
    qualifier_name: str
