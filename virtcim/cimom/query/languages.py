"""The names of the query languages, as clients spell them (DSP0200 1.4, section 5.4.2.13; DSP0202; DSP0212)."""

from __future__ import annotations

import enum

from virtcim.providers.interface import CIMError, Status

__all__ = ["Language", "language_of"]


class Language(enum.Enum):
    """A query language, by its registered name."""

    CQL = "DMTF:CQL"
    FQL = "DMTF:FQL"
    WQL = "WQL"


_SPELLINGS = {
    "dmtf:cql": Language.CQL,
    "cim:cql": Language.CQL,
    "cql": Language.CQL,
    "dmtf:fql": Language.FQL,
    "fql": Language.FQL,
    "wql": Language.WQL,
    "wql1": Language.WQL,
    "wql2": Language.WQL,
}


def language_of(name: str) -> Language:
    """The language with this name, in any case, blanks around it ignored.

    Raises:
        CIMError: QUERY_LANGUAGE_NOT_SUPPORTED for any other name.
    """
    language = _SPELLINGS.get(name.strip().lower())
    if language is None:
        known = ", ".join(each.value for each in Language)
        raise CIMError(
            Status.QUERY_LANGUAGE_NOT_SUPPORTED,
            f"Query language {name[:64]!r} is not supported; supported are {known}",
        )
    return language
