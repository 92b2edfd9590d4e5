"""The time that the parsers of a request take grows with its length.

MOF, paths, queries and the audit log have tests of their own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from tests.cimom.harness import extrinsic, system
from tests.growth import assert_linear
from virtcim.cimom.query.like import MAX_PATTERN_LENGTH, wql_matcher
from virtcim.frontends.cimxml.decode import RequestFault, decode_request
from virtcim.frontends.cimxml.headers import check_against_body
from virtcim.frontends.reading.elements import decode_instance
from virtcim.frontends.reading.raw import RawKey, RawPath, RawRequest
from virtcim.schema.values import INTEGER_RANGES, reader

TARGET = RawPath("Toy_System", (("Name", RawKey("x", "string", "")),))

HEADERS: dict[str, Callable[[int], str]] = {
    "keys": lambda n: 'Name="x",' * n,
    "names": lambda n: "a" * n,
    "equal signs": lambda n: "a=" * n,
    "escapes": lambda n: 'Name="' + '\\"' * n,
    "blanks": lambda n: 'Name="x"' + " " * n,
    "percent signs": lambda n: "%41%" * n,
    "entities": lambda n: f'Name="{"&amp;" * n}"',
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers(name: str) -> None:
    request = RawRequest("1", "1.0", "Change", True, "root/toy", TARGET, ())

    def check(keys: str) -> None:
        with contextlib.suppress(RequestFault):
            check_against_body({"CIMMethod": "Change", "CIMObject": f"root/toy:Toy_System.{keys}"}, request)

    assert_linear(check, HEADERS[name], 20_000)


def inside(text: str) -> str:
    return extrinsic("Change", system("plain"), State=text)


XML: dict[str, Callable[[int], str]] = {
    "attributes": lambda n: inside("<VALUE " + " ".join(f'a{number}="1"' for number in range(n)) + "></VALUE>"),
    "namespaces": lambda n: inside("<VALUE " + " ".join(f'xmlns:a{number}="1"' for number in range(n)) + "></VALUE>"),
    "comments in text": lambda n: inside("<VALUE>" + "a<!-- -->" * n + "</VALUE>"),
    "sections in text": lambda n: inside("<VALUE>" + "a<![CDATA[b]]>" * n + "</VALUE>"),
    "entities in text": lambda n: inside("<VALUE>" + "a&amp;&#10;" * n + "</VALUE>"),
    "embedded": lambda n: inside(f"<VALUE>{escape('<a>' * n)}</VALUE>"),
    "elements": lambda n: inside("<VALUE.ARRAY>" + "<VALUE></VALUE>" * n + "</VALUE.ARRAY>"),
    "depth": lambda n: "<a>" * n,
    "comments": lambda n: "<!-- -->" * n,
    "comment without an end": lambda n: "<!--" * n,
    "instructions": lambda n: "<?a b?>" * n,
    "instruction without an end": lambda n: "<?" * n,
    "document types": lambda n: "<!DOCTYPE " * n,
    "document type without an end": lambda n: "<!DOCTYPE a" + " 'b'" * n,
    "blanks": lambda n: " " * n,
}


@pytest.mark.parametrize("name", XML)
def test_requests(name: str) -> None:
    def decode(text: str) -> None:
        with contextlib.suppress(RequestFault):
            decode_request(text.encode())

    assert_linear(decode, XML[name], 20_000)


def properties(count: int) -> str:
    return "".join(f'<PROPERTY NAME="P{number}"><VALUE>x</VALUE></PROPERTY>' for number in range(count))


def anonymous_memory() -> int:
    """Read the bytes of memory that are the process's own."""
    return int(Path("/proc/self/status").read_text().partition("RssAnon:")[2].split()[0]) * 1024


def blanks(number: int) -> str:
    """A run of blanks that no other number has, longer than what the tree holds itself."""
    return "".join(" \t"[number >> place & 1] for place in range(40))


NEVER_HEARD: dict[str, Callable[[int], str]] = {
    "elements": lambda n: f"<element{n:025}></element{n:025}>",
    "attributes": lambda n: f'<VALUE attribute{n:025}="1"></VALUE>',
    "namespaces": lambda n: f'<VALUE xmlns="urn:{n:025}"></VALUE>',
    "prefixes": lambda n: f'<VALUE xmlns:p{n:025}="urn:x"></VALUE>',
    "instructions": lambda n: f"<?instruction{n:025} ?>",
    "blanks": lambda n: f"<VALUE></VALUE>{blanks(n)}",
    "blanks after a section": lambda n: f"<VALUE><![CDATA[x]]></VALUE>{blanks(n)}",
}


@pytest.mark.parametrize("kind", NEVER_HEARD)
def test_nothing_stays_of_names_that_clients_make_up(kind: str) -> None:
    make, count = NEVER_HEARD[kind], 500
    sizes = []
    for number in range(0, 160 * count, count):
        body = inside("".join(map(make, range(number, number + count)))).encode()
        with contextlib.suppress(RequestFault):
            decode_request(body)
        sizes.append(anonymous_memory())
    assert sizes[-1] - sizes[len(sizes) // 4] < 1 << 20


@pytest.mark.parametrize("torn", [False, True])
def test_embedded_instances(torn: bool) -> None:
    end = "" if torn else "</INSTANCE>"
    assert_linear(decode_instance, lambda n: f'<INSTANCE CLASSNAME="C">{properties(n // 5)}{end}')


@pytest.mark.parametrize("cim_type", [*INTEGER_RANGES, "real32", "real64", "boolean", "datetime", "char16", "string"])
@pytest.mark.parametrize("text", ["1", "0x1", " ", "1.", "1e", "-", "+", "*"])
def test_values(cim_type: str, text: str) -> None:
    assert_linear(reader(cim_type), lambda n: text * n, 200_000)


@pytest.mark.parametrize("piece", ["[", "[^", "[]", "%", "%a", "_", "[a-", "[a]%"])
def test_patterns(piece: str) -> None:
    """A pattern is short; the time grows with the length of the text."""
    matches = wql_matcher((piece * MAX_PATTERN_LENGTH)[: MAX_PATTERN_LENGTH // 4])
    assert_linear(matches, lambda n: "a" * n)
