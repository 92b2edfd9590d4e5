"""Many readers while guests and pools change: every answer is whole, and in the end everything is true."""

from __future__ import annotations

import threading

from tests.providers.recorded import Served, domain_xml, hypervisor, platform
from virtcim.providers.site import Site

CLASSES = ("KVM_ComputerSystem", "KVM_LogicalDisk", "KVM_DiskResourceAllocationSettingData")
DISK = "<disk type='file' device='disk'><source file='/images/d'/><target dev='vda'/></disk>"


def test_readers_and_a_writer() -> None:
    host = hypervisor()
    for number in range(20):
        host.put(domain_xml(f"g{number}", DISK))
    site = Served([(platform("KVM"), host)])
    assert isinstance(site.site, Site)
    failures: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                for class_name in CLASSES:
                    found = site.instances(class_name)
                    assert len(found) == 20
                    for instance in found:
                        assert instance.properties()["ElementName"]
                        assert instance.revision is not None
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for turn in range(60):
        host.put(domain_xml(f"g{turn % 20}", DISK), active=bool(turn % 2))
        host.put_pool("images", "/images", [("d", 1 << turn % 30)])
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert {i.properties()["VirtualQuantity"] for i in site.instances(CLASSES[2])} == {1 << 59 % 30}
    states = {str(i.identity): i.properties()["EnabledState"] for i in site.instances(CLASSES[0])}
    assert states == {f"g{number}": 2 if number % 2 else 3 for number in range(20)}
