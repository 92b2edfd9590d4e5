"""Random sequences on a real host: `docs/testing.md` says what is done, and what is looked at after each step.

`VIRTCIM_SEQUENCES_STEPS` sets the length of the long run, `VIRTCIM_SEQUENCES_SEED` makes it the same again.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.bed import why_unavailable
from tests.conftest import missing
from tests.sequences.moves import THERE
from tests.sequences.walk import Walk
from tests.test_walk import have_rates
from tests.walk import Walker, Wire
from tests.walk.walker import NAMESPACES

pytestmark = [pytest.mark.root, pytest.mark.qemu]

SHORT_STEPS = 12
LONG_STEPS = int(os.environ.get("VIRTCIM_SEQUENCES_STEPS", "400"))
SEED = int(os.environ.get("VIRTCIM_SEQUENCES_SEED", random.SystemRandom().randrange(10**6)))


@pytest.mark.parametrize(
    ("seed", "steps"),
    [
        pytest.param(7, 8, id="short"),
        # Templates, a migration, and two clients at one moment, of which one seed in some thousand has all so soon.
        pytest.param(3707, SHORT_STEPS, id="wide"),
        pytest.param(SEED, LONG_STEPS, id="long", marks=pytest.mark.slow),
    ],
)
def test_what_is_answered_shown_and_told_is_true(seed: int, steps: int) -> None:
    if (reason := why_unavailable()) is not None:
        missing(reason)
    with Walk(seed) as walk:
        walk.go(range(1, steps + 1))
        walk.compare_with_another()
        if steps > SHORT_STEPS:
            check_graph(walk)
    print(f"seed {seed}\n{walk.tally.text()}")
    assert walk.tally.done


def check_graph(walk: Walk) -> None:
    """Walk all that is shown then, of both hosts: associations are found from both their ends."""
    have_rates(walk.server, "root/virt")
    with Wire(walk.server.login_url) as wire:
        report = Walker(wire, (*NAMESPACES, THERE), followed=1, share=12).walk()
    assert not report.findings, report.text()
