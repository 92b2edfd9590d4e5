"""While libvirt holds a guest for a job, what cannot be done is refused at once, and what is kept of it waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.bed import Libvirtd, wait_until
from tests.conftest import Guests
from tests.providers.outcome import outcome
from tests.providers.recorded import CONTEXT
from tests.providers.snapshotservice import COMPLETED, FULL, INVALID_STATE, SnapshotService
from virtcim.providers.interface import EmbeddedInstance
from virtcim.providers.requested import recorded_state

ENABLED, QUIESCE, RESET = 2, 9, 11
BUSY = 4099
BACKUP = """<domainbackup mode='pull'><server transport='unix' socket='{directory}/nbd'/>
<disks><disk name='vda' backup='yes' type='file'><scratch file='{directory}/scratch'/></disk></disks></domainbackup>"""


@pytest.fixture
def service(libvirtd: Libvirtd, guests: Guests) -> Iterator[SnapshotService]:
    made = SnapshotService(libvirtd.uri(), "KVM")
    yield made
    made.close()


@pytest.fixture
def held(service: SnapshotService, libvirtd: Libvirtd, guests: Guests, tmp_path: Path) -> Iterator[Any]:
    """A guest that runs, and whose disk is being backed up: libvirt's object of it."""
    name = guests.boot_sector("held")
    libvirtd.virsh("start", name)
    wait_until(lambda: (now := service.hypervisor.inventory.domain(name)) is not None and now.active)
    connection = libvirtd.connect()
    domain = connection.lookupByName(name)
    domain.backupBegin(BACKUP.format(directory=tmp_path), None, 0)
    yield domain
    if domain.isActive() and domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE:
        domain.abortJob()
    connection.close()


def request(service: SnapshotService, state: int) -> Any:
    keys = service.system("held").keys
    provider = service.providers["KVM_ComputerSystem"]
    result = provider.invoke_method(
        "KVM_ComputerSystem", keys, "RequestStateChange", {"RequestedState": state}, CONTEXT
    )
    return outcome(result).return_value


def test_a_guest_that_is_held_is_not_changed(service: SnapshotService, held: Any) -> None:
    name = "KVM_VirtualSystemManagementService"
    (management,) = service.instances(name)
    vssd = EmbeddedInstance(
        "KVM_VirtualSystemSettingData", {"InstanceID": "KVM:held", "Description": "changed meanwhile"}
    )
    before = held.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)

    def modify() -> Any:
        provider = service.providers[name]
        return outcome(
            provider.invoke_method(name, management.keys(), "ModifySystemSettings", {"SystemSettings": vssd}, CONTEXT)
        ).return_value

    # libvirt's own answer, after 30 s, would be Timeout.
    assert modify() == INVALID_STATE
    assert service.take("held", FULL).return_value == INVALID_STATE
    assert held.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) == before
    held.abortJob()
    wait_until(lambda: held.jobInfo()[0] == libvirt.VIR_DOMAIN_JOB_NONE)
    assert modify() == 0
    assert service.take("held", FULL).return_value == COMPLETED


def test_a_guest_that_is_held_can_be_paused_and_not_resumed(service: SnapshotService, held: Any) -> None:
    assert request(service, QUIESCE) == 0
    assert held.state()[0] == libvirt.VIR_DOMAIN_PAUSED
    assert request(service, ENABLED) == BUSY
    assert request(service, RESET) == BUSY
    assert recorded_state(held.XMLDesc(0)) == 0
    assert service.guest("held")["RequestedState"] == QUIESCE
    held.abortJob()
    # What was accepted is kept with the guest once that is possible.
    wait_until(lambda: recorded_state(held.XMLDesc(0)) == QUIESCE)
    assert request(service, ENABLED) == 0
