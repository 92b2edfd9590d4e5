"""A guest changes, and a listener is told: through every part, with real ones at both ends."""

from __future__ import annotations

from itertools import pairwise

from tests.bed import Libvirtd, Server
from tests.bed.listener import Listener, subscribed
from tests.bed.views import DISABLED, ENABLED
from tests.conftest import Guests

MODIFIED = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem"


def test_a_guest_that_virsh_starts_is_told_to_a_listener(libvirtd: Libvirtd, guests: Guests) -> None:
    guests.boot_sector("told")
    with Server(libvirtd.uri()) as server, Listener() as listener, subscribed(server, listener, MODIFIED):
        libvirtd.virsh("start", "told")
        last = listener.wait(lambda each: each["SourceInstance"]["EnabledState"] == ENABLED)
        told = listener.received[: listener.received.index(last) + 1]
    assert {each.classname for each in told} == {"KVM_ComputerSystemModifiedIndication"}
    assert {each["SourceInstance"]["Name"] for each in told} == {"told"}
    assert last["SourceInstanceModelPath"] == (
        '/root/virt:KVM_ComputerSystem.CreationClassName="KVM_ComputerSystem",Name="told"'
    )
    assert told[0]["PreviousInstance"]["EnabledState"] == DISABLED
    for before, after in pairwise(told):
        assert after["PreviousInstance"] == before["SourceInstance"]
    assert [each["SequenceNumber"] for each in told] == list(range(len(told)))
    assert len({each["SequenceContext"] for each in told}) == 1
    assert len({each["IndicationIdentifier"] for each in told}) == len(told)
