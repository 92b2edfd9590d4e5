"""What virtcim keeps in the metadata of a guest."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.growth import assert_linear
from virtcim.providers.requested import recorded_state, without_own_metadata
from virtcim.providers.states import RequestedState

OWN = '<virtcim:requested xmlns:virtcim="urn:virtcim:requested-state">{}</virtcim:requested>'
DOMAIN = "<domain>\n  <description>{}</description>\n  <metadata>{}\n  </metadata>\n</domain>"


@pytest.mark.parametrize(
    "own",
    [
        "\n    " + OWN.format(3),
        "\n    <v:other xmlns:v='urn:virtcim:other'>\n<a>x</a></v:other>\n    " + OWN.format(3),
        "\n    <other xmlns='urn:virtcim:other'/>" + OWN.format(3),
    ],
)
def test_own_elements(own: str) -> None:
    foreign = '\n    <app:x xmlns:app="http://example.org/urn:virtcim:"> <app:y/> </app:x>'
    description = "urn:virtcim: 3 &lt;a xmlns=&quot;urn:virtcim:requested-state&quot;>3&lt;"
    xml = DOMAIN.format(description, foreign + own + foreign)
    assert recorded_state(xml) == 3
    assert without_own_metadata(xml) == DOMAIN.format(description, foreign + foreign)
    without = without_own_metadata(xml)
    assert without_own_metadata(without) == without
    assert recorded_state(without) == RequestedState.UNKNOWN


@pytest.mark.parametrize("text", ["", "x", "-1", "1234567", "<a>3</a>"])
def test_what_is_no_state(text: str) -> None:
    assert recorded_state(DOMAIN.format("", OWN.format(text))) == RequestedState.UNKNOWN


HOSTILE: dict[str, Callable[[int], str]] = {
    "blanks in the description": lambda n: DOMAIN.format(" " * n, OWN.format(3)),
    "blanks in the metadata": lambda n: DOMAIN.format("", "<a>" + " " * n + "</a>" + OWN.format(3)),
    "text": lambda n: DOMAIN.format("urn:virtcim:" * n, ""),
    "namespaces of one element": lambda n: DOMAIN.format(
        "", "<a" + "".join(f' xmlns:a{number}="urn:virtcim:requested-state"' for number in range(n)) + ">x</a>"
    ),
    "empty elements": lambda n: DOMAIN.format("", '<a xmlns="urn:virtcim:x"/>' * n),
    "own elements": lambda n: DOMAIN.format("", OWN.format("x") * n),
    "elements without an end": lambda n: '<a xmlns="urn:virtcim:x">' * n,
    "starts": lambda n: "urn:virtcim:" + "<a:a" * n,
    "blanks in a tag": lambda n: "urn:virtcim:<a" + " " * n,
}


@pytest.mark.parametrize("read", [recorded_state, without_own_metadata])
@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length(name: str, read: Callable[[str], object]) -> None:
    assert_linear(read, HOSTILE[name], 20_000)
