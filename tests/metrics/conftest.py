"""Fixtures of the tests of figures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bed.server import Server


@pytest.fixture(scope="package")
def server() -> Iterator[Server]:
    """A server with the one guest of the test driver, which anybody may ask."""
    with Server("test:///default", auth="none") as running:
        yield running
