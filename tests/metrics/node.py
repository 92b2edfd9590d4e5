"""A node of the test driver with a guest that runs, and the classes that it is served as."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.providers.recorded import CONTEXT, Served, platform
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.providers.interface import Instance, MethodResult

__all__ = ["NODE", "Node", "serve_node"]

GUEST = """\
<domain type='test'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>64</memory>
  <vcpu>2</vcpu>
  <os><type>hvm</type></os>
  <devices>
    <disk type='file'><source file='/guest/{name}'/><target dev='vda' bus='virtio'/></disk>
    <interface type='network'>
      <mac address='52:54:00:00:01:{number:02x}'/><source network='default'/><target dev='testnet{number}'/>
    </interface>
  </devices>
</domain>
"""


def uuid_of(number: int) -> str:
    """Make the UUID of a guest of the node."""
    return f"6695eb01-f6a4-8304-79aa-{number:012x}"


def node_xml(guests: int = 1) -> str:
    """Write a node with guests that run: `guest0`, `guest1`, ..."""
    documents = (GUEST.format(name=f"guest{each}", uuid=uuid_of(each), number=each % 256) for each in range(guests))
    network = "<network><name>default</name><bridge name='virbr0'/></network>"
    return f"<node><cpu><mhz>6000</mhz><active>4</active></cpu>{''.join(documents)}{network}</node>"


NODE = node_xml()


class Node(Served):
    """A site on a node of the test driver."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self.hypervisor = hypervisor
        super().__init__([(platform("Test"), hypervisor)])

    def value(self, metric: str, device: str = "", uuid: str = uuid_of(0)) -> dict[str, Any]:
        """Get the value of a metric of a guest by its key."""
        key = f"Test:{uuid}:{metric}" + (f":{device}" if device else "")
        return dict(self.get("Test_BaseMetricValue", InstanceID=key).properties())

    def associated(self, source: Instance, association: str) -> list[Instance]:
        """Follow an association from its left end."""
        [found] = [each for each in self.catalog.associations["root/virt"] if association in each.class_names]
        return list(found.to_right(source, CONTEXT))

    def call(self, class_name: str, method: str, **parameters: Any) -> MethodResult:
        """Invoke a method of the one instance of a class."""
        [service] = self.instances(class_name)
        return self.providers[class_name].invoke_method(class_name, service.keys(), method, parameters, CONTEXT)


@contextmanager
def serve_node(directory: Path, guests: int = 1, **settings: float) -> Iterator[Node]:
    """Serve a node of the test driver.

    Parameters:
        directory: for its description.
        guests: that run.
        settings: of the hypervisor.
    """
    file = directory / "node.xml"
    file.write_text(node_xml(guests))
    hypervisor = Hypervisor(f"test://{file}", HypervisorSettings(**settings))  # type: ignore[arg-type]
    hypervisor.start()
    try:
        assert hypervisor.wait_ready(60)
        node = Node(hypervisor)
        yield node
        node.site.jobs.stop(5)
    finally:
        hypervisor.stop()
