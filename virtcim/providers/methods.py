"""Methods, declared: what an element can be asked to do, who may ask, and whether it may become a job.

`invoke_method`, the roles that methods need, the capabilities of services and the page of all classes read this.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from virtcim.immutable import immutable
from virtcim.providers.interface import MethodResult, RequestContext, Role

__all__ = ["Method", "MethodFailedError", "Parameters"]

Target = TypeVar("Target", contravariant=True)

Parameters = Mapping[str, Any]
"""The input parameters that were given, typed and spelt as the class declares them."""


@immutable
class Method(Generic[Target]):
    """One method of a class.

    Attributes:
        name: as the class declares it.
        run: carries it out on an instance, and returns when the inventory shows its effect.
        role: what its callers need.
        may_be_job: whether its work becomes a job where it takes long.
        capability: the value of SynchronousMethodsSupported that stands for it; None where there is none.
    """

    name: str
    run: Callable[[Target, Parameters, RequestContext], MethodResult]
    role: Role = Role.ADMINISTER
    may_be_job: bool = False
    capability: int | None = None


class MethodFailedError(Exception):
    """A method ends with a return code other than 0.

    Attributes:
        code: the return code, of the enumeration of the class.
        text: the reason, for the log.
    """

    def __init__(self, code: enum.IntEnum, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
