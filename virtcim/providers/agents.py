"""Guests as those whose agents are asked: what there is inside of them comes and goes without a change of any record.

Layer rule: imports `site`, `sources` and `guest`; knows no classes.
"""

from __future__ import annotations

from collections.abc import Iterator

from virtcim.platforms.base import Platform
from virtcim.providers.guest import Guest
from virtcim.providers.guests import all_guests, split_identifier
from virtcim.providers.site import Site
from virtcim.providers.sources import Source

__all__ = ["AGENTS", "TOLD", "ask_agent"]

_PATIENCE = 2.0
"""Seconds that who asks waits for agents; those that take longer have told by the next time."""

TOLD = "the guest's agent, virDomainGetGuestInfo"
"""Where properties come from, for people."""


class _AgentSource(Source[Guest]):
    """Guests, whose agents are asked."""

    def owners(self, site: Site, platform: Platform) -> Iterator[Guest]:
        guests = list(all_guests(site, platform))
        for hypervisor in site.hypervisors(platform):
            hypervisor.agents.look((each.domain for each in guests if each.hypervisor is hypervisor), _PATIENCE)
        yield from guests

    def owners_near(self, site: Site, platform: Platform, key: str) -> Iterator[Guest]:
        for guest, _ in split_identifier(site, platform, key):
            ask_agent(guest)
            yield guest


AGENTS = _AgentSource()


def ask_agent(guest: Guest) -> None:
    """Have the agent of a guest asked, where it has not told anything of late, and wait a little for its answer."""
    guest.hypervisor.agents.look((guest.domain,), _PATIENCE)
