"""The refusals of this package (DSP0200 1.4, sections 5.3.3 and 5.4.2.13)."""

from __future__ import annotations

from virtcim.providers.interface import CIMError, Status

__all__ = ["invalid_query", "unsupported_feature"]


def invalid_query(text: str) -> CIMError:
    """The query is wrong."""
    return CIMError(Status.INVALID_QUERY, text)


def unsupported_feature(text: str) -> CIMError:
    """The query may be right, and asks for something that is not here."""
    return CIMError(Status.QUERY_FEATURE_NOT_SUPPORTED, f"{text} is not supported")
