"""Xen's Domain-0, which libvirt shows among the guests: it can be read like them, and nothing of it can be changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.recorded import CONTEXT, RecordedHypervisor, Served, hypervisor, platform
from virtcim.libhelper.connections import Connections
from virtcim.libhelper.context import Context
from virtcim.libhelper.domains.handle import domain_handle
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.states import DomainState
from virtcim.providers.interface import CIMError, Status

UUID = "00000000-0000-0000-0000-000000000000"

DOMAIN_0 = f"""\
<domain type='xen' id='0'>
  <name>Domain-0</name>
  <uuid>{UUID}</uuid>
  <memory unit='KiB'>1048576</memory>
  <currentMemory unit='KiB'>1048576</currentMemory>
  <vcpu placement='static'>2</vcpu>
  <os><type arch='x86_64' machine='xenpv'>xen</type></os>
  <clock offset='variable' adjustment='0' basis='utc'/>
  <on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>
  <devices/>
</domain>
"""
"""What libvirt's libxl driver makes of it."""

WANTED = "RequestedState"
NAMES = {"CreationClassName": "Xen_ComputerSystem", "Name": "Domain-0"}


@pytest.fixture
def host() -> RecordedHypervisor:
    made = hypervisor("Xen")
    made.put(DOMAIN_0, active=True, id=0, state=DomainState.RUNNING, uuid=UUID)
    made.put(DOMAIN_0.replace("Domain-0", "guest"), active=True, id=3, uuid=UUID.replace("0-", "1-"))
    return made


def test_it_is_shown_and_takes_no_request(host: RecordedHypervisor) -> None:
    site = Served([(platform("Xen"), host)])
    shown = site.guest("Domain-0", "Xen")
    assert shown["EnabledState"] == 2
    assert not shown.get("AvailableRequestedStates")
    assert site.guest("guest", "Xen")["AvailableRequestedStates"]
    provider = site.providers["Xen_ComputerSystem"]
    for state in (2, 3, 4, 9, 10, 11):
        with pytest.raises(CIMError, match="manages all guests of its host") as caught:
            provider.invoke_method(
                "Xen_ComputerSystem", NAMES, "RequestStateChange", {"RequestedState": state}, CONTEXT
            )
        assert caught.value.status is Status.ACCESS_DENIED


def test_no_operation_reaches_libvirt(host: RecordedHypervisor) -> None:
    """By its name or its UUID: there is no connection, so that who got further would fail otherwise."""
    inventory: Any = host.inventory
    context = Context("xen:///system", Connections("xen:///nowhere"), inventory, read_only=False)
    for name in ("Domain-0", UUID):
        with pytest.raises(LibvirtError, match="manages all guests") as caught, domain_handle(context, name):
            pytest.fail("it is handed out")
        assert caught.value.is_denied
