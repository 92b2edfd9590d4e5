"""What of a domain that is changing becomes a record, and what of its events counts as a change of state."""

from __future__ import annotations

from dataclasses import replace

import libvirt
import pytest

from virtcim.libhelper.events import Event
from virtcim.libhelper.inventory.inventory import _state_event, _Table
from virtcim.libhelper.inventory.kinds import DOMAIN, DomainFacts
from virtcim.libhelper.inventory.records import Domain
from virtcim.libhelper.states import DomainState, PausedReason, RunningReason, ShutoffReason

STARTED, SUSPENDED, RESUMED, STOPPED = (
    libvirt.VIR_DOMAIN_EVENT_STARTED,
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED,
    libvirt.VIR_DOMAIN_EVENT_RESUMED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED,
)
LIVE, DEFINED = "<domain type='qemu' id='7'><name>g</name></domain>", "<domain type='qemu'><name>g</name></domain>"


def facts(state: DomainState, reason: int = 1, number: int | None = None) -> DomainFacts:
    return DomainFacts("g", "u", number is not None, True, False, number, state, reason, False, False)


def record(known: DomainFacts) -> Domain:
    return Domain(
        uri="test:///",
        contact=True,
        revision=1,
        live_document=None,
        defined_document=None,
        state_changed=None,
        **known._asdict(),
    )


@pytest.mark.parametrize(
    ("state", "number", "live", "agree"),
    [
        (DomainState.RUNNING, 7, LIVE, True),
        (DomainState.SHUTOFF, None, None, True),
        (DomainState.RUNNING, 7, DEFINED, False),
        (DomainState.RUNNING, 6, LIVE, False),
        (DomainState.SHUTOFF, 7, LIVE, False),
    ],
)
def test_facts_and_xml_of_two_moments_do_not_agree(
    state: DomainState, number: int | None, live: str | None, agree: bool
) -> None:
    assert DOMAIN.agree(facts(state, number=number), (live, DEFINED)) is agree


def test_a_domain_that_starts_is_shown_as_it_was_but_for_its_state() -> None:
    stopped = facts(DomainState.SHUTOFF, ShutoffReason.SHUTDOWN)
    starting = facts(DomainState.PAUSED, PausedReason.STARTING_UP, 7)
    shown = stopped._replace(state=DomainState.PAUSED, reason=PausedReason.STARTING_UP)
    assert DOMAIN.shown(stopped, starting, (LIVE, DEFINED)) == (shown, (None, DEFINED))
    assert DOMAIN.shown(shown, starting, (LIVE, DEFINED)) == (shown, (None, DEFINED))
    # One that was not known, or has no definition, has nothing else to show.
    assert DOMAIN.shown(None, starting, (LIVE, DEFINED)) == (starting, (LIVE, DEFINED))
    assert DOMAIN.shown(stopped, starting, (LIVE, None)) == (starting, (LIVE, None))
    running = facts(DomainState.RUNNING, RunningReason.BOOTED, 7)
    assert DOMAIN.shown(shown, running, (LIVE, DEFINED)) == (running, (LIVE, DEFINED))


@pytest.mark.parametrize(
    ("before", "events", "now", "changed"),
    [
        (DomainState.SHUTOFF, [STARTED], DomainState.RUNNING, 0),
        (DomainState.RUNNING, [RESUMED], DomainState.RUNNING, None),
        (DomainState.SHUTOFF, [STARTED, RESUMED], DomainState.RUNNING, 1),
        (DomainState.RUNNING, [SUSPENDED, RESUMED], DomainState.RUNNING, 1),
        (DomainState.RUNNING, [SUSPENDED], DomainState.RUNNING, 0),
        (DomainState.BLOCKED, [RESUMED], DomainState.RUNNING, None),
        (DomainState.RUNNING, [STOPPED, STARTED], DomainState.RUNNING, 1),
        (DomainState.PAUSED, [SUSPENDED], DomainState.PAUSED, None),
        (None, [STARTED], DomainState.RUNNING, 0),
        (DomainState.RUNNING, [], DomainState.RUNNING, None),
    ],
)
def test_an_event_that_says_what_is_known_is_no_change(
    before: DomainState | None, events: list[int], now: DomainState, changed: int | None
) -> None:
    old = None if before is None else record(facts(before, number=7))
    told = tuple(Event("domain", "lifecycle", "u", "g", (each, 0)) for each in events)
    found = _state_event(old, facts(now, number=7), told)
    assert found is (None if changed is None else told[changed])


def test_records_that_come_go_and_replace_others_leave_the_order() -> None:
    table = _Table()

    def named(name: str, uuid: str = "") -> Domain:
        return record(facts(DomainState.SHUTOFF)._replace(name=name, uuid=uuid or f"uuid of {name}"))

    a, b, c = (named(name) for name in "abc")
    for each in (c, a, b):
        table.put(each)
    assert table.snapshot() == [a, b, c]
    ordered, new = table.ordered, replace(b, revision=2)
    table.put(new)
    assert table.snapshot() == [a, new, c]
    renamed, first = replace(new, name="d"), named("A")
    table.put(renamed)
    table.put(first)
    assert table.snapshot() == [first, a, c, renamed]
    # One that has gone is dropped a moment later than another one of its name came.
    again = named("a", "another uuid")
    table.put(again)
    table.drop(a)
    table.drop(renamed)
    assert table.snapshot() == [first, again, c]
    assert table.by_name["a"] is again
    assert table.ordered is ordered
