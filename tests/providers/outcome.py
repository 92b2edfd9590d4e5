"""Results of methods as tests read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from virtcim.providers.interface import MethodResult

__all__ = ["Outcome", "outcome"]


@dataclass(frozen=True)
class Outcome:
    """Hold what a method gave back, for a test that says itself of which type each value is to be.

    Attributes:
        return_value: of the method; a number for nearly all.
        out: the output parameters that are not NULL, by name.
    """

    return_value: Any
    out: Mapping[str, Any]


def outcome(result: MethodResult) -> Outcome:
    """Read the result of a method.

    Parameters:
        result: as the provider gave it.

    Returns:
        the same values, without the types that they may have.
    """
    return Outcome(result.return_value, result.out)
