"""Queries and filters, each from its text by the parser of its language.

The parser is loaded by the first query.
"""

from __future__ import annotations

from virtcim.cimom.query.languages import Language, language_of
from virtcim.cimom.query.queries import AssociationQuery, Filter, Query
from virtcim.providers.interface import CIMError, Status

__all__ = ["parse", "parse_filter", "parse_select"]


def parse(language: str, text: str) -> Query | Filter | AssociationQuery:
    """Parse a query: a `Filter` for FQL, else a `Query`, or an `AssociationQuery` for ASSOCIATORS OF in WQL.

    Parameters:
        language: the name of the language, in any of the spellings that clients use.
        text: the query.

    Raises:
        CIMError: QUERY_LANGUAGE_NOT_SUPPORTED; INVALID_QUERY with the position and what was expected there;
            QUERY_FEATURE_NOT_SUPPORTED.
    """
    known = language_of(language)
    from virtcim.cimom.query import parser

    return parser.parse(known, text)


def parse_select(language: str, text: str) -> Query:
    """Parse the query of an indication filter (DSP1054): a select statement.  Raises what `parse` raises."""
    query = parse(language, text)
    if isinstance(query, Filter):
        raise CIMError(Status.QUERY_LANGUAGE_NOT_SUPPORTED, f"{query.language.value} has no select statements")
    if isinstance(query, AssociationQuery):
        raise CIMError(Status.INVALID_QUERY, "A select statement is expected")
    return query


def parse_filter(language: str, text: str) -> Filter:
    """Parse the filter of a pull operation (DSP0200 1.4, section 5.4.2.13): FQL.  Raises what `parse` raises."""
    if language_of(language) is not Language.FQL:
        raise CIMError(Status.QUERY_LANGUAGE_NOT_SUPPORTED, f"Filters are in {Language.FQL.value}, not in {language!r}")
    query = parse(language, text)
    assert isinstance(query, Filter)
    return query
