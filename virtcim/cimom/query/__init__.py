"""Query languages: DMTF:CQL (DSP0202 1.0), DMTF:FQL (DSP0212 1.0) and WQL.

`parse` makes an immutable value of a query; its `check` and `compile` hold it against the class store.  The grammar
library is loaded by the first query: it takes half a second and 8 MiB, which a server without filters is spared.

Supported of CQL: one class in FROM, with an alias; SELECT lists of properties; comparisons, LIKE, ISA, IS NULL, AND,
OR, NOT, ANY, EVERY, `[n]` and `[*]`; paths into embedded instances with and without a scope; symbolic constants;
arithmetic, also of datetimes; the functions in `functions`.  Joins, subqueries, ordering, aggregation and computed
or renamed columns are refused by name with QUERY_FEATURE_NOT_SUPPORTED.

WQL is read by the same grammar and adds ASSOCIATORS OF and REFERENCES OF; its LIKE has patterns of its own, and a
literal is converted where WMI does so (`Flag = 1`, `Number = "2"`).
"""

from virtcim.cimom.query.languages import Language
from virtcim.cimom.query.parsing import parse, parse_filter, parse_select
from virtcim.cimom.query.queries import AssociationQuery, Filter, Predicate, Query

__all__ = [
    "AssociationQuery",
    "Filter",
    "Language",
    "Predicate",
    "Query",
    "parse",
    "parse_filter",
    "parse_select",
]
