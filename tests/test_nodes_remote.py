"""Nodes over SSH and over TLS: placed on by their group, and followed in their namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.linux import UnavailableError
from tests.bed.listener import Listener, subscribed
from tests.bed.sshd import Sshd, free_port
from tests.frontends.client import Client, basic
from tests.test_groups import INTEROP, SERVICE, group
from tests.test_nodes import managed, names
from tests.test_nodes_real import CONNECTED

pytestmark = [pytest.mark.root, pytest.mark.qemu, pytest.mark.slow]


class Remote(NamedTuple):
    """A server whose nodes are reached over the network, and the daemon of each."""

    server: Server
    daemons: dict[str, Libvirtd]


@pytest.fixture(scope="module")
def remote(libvirtd: Libvirtd) -> Iterator[Remote]:
    libvirtd.remove_domains()
    with Libvirtd(tls_port=free_port()) as far:
        try:
            with Sshd() as sshd:
                uris = {"ssh": sshd.uri(f"{libvirtd.directory}/run/libvirt/libvirt-sock"), "tls": far.tls_uri()}
                config = "uris = ['test:///default']\n[providers.jobs]\ngrace = 60.0\n" + "".join(
                    f"[node.{name}]\nuris = ['{uri}']\ngroups = ['remote', '{name}s']\n" for name, uri in uris.items()
                )
                with Server(config=config) as server:
                    ask = server.pywbem(INTEROP)
                    for name in uris:
                        wait_until(lambda name=name: managed(ask, name)["State"] == CONNECTED, 120)  # type: ignore[misc]
                    yield Remote(server, {"ssh": libvirtd, "tls": far})
        except UnavailableError as error:
            pytest.skip(str(error))
    libvirtd.remove_domains()


@pytest.mark.parametrize("transport", ["ssh", "tls"])
def test_a_guest_is_placed_and_followed(remote: Remote, transport: str) -> None:
    server, ask = remote.server, remote.server.pywbem(INTEROP)
    namespace, name = f"root/virt/{transport}", f"by-{transport}"
    (service,) = ask.EnumerateInstanceNames(SERVICE)
    system = pywbem.CIMInstance("KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": name})
    memory = {"ResourceType": pywbem.Uint16(4), "VirtualQuantity": pywbem.Uint64(65536), "AllocationUnits": "KiloBytes"}
    wish: dict[str, Any] = {
        "SystemSettings": system,
        "ResourceSettings": [pywbem.CIMInstance("KVM_MemResourceAllocationSettingData", memory)],
    }
    query = "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_ComputerSystem"
    with Listener() as listener, subscribed(server, listener, query, spaces=(namespace,)):
        value, out = ask.InvokeMethod("DefineSystemInGroup", service, Group=group(ask, f"{transport}s"), **wish)
        assert value == 0
        assert out["ResultingSystem"].namespace == namespace
        told = listener.wait(lambda each: name in str(each.properties.get("SourceInstanceModelPath")))
    assert namespace in told["SourceInstanceModelPath"]
    assert name in remote.daemons[transport].list_all()
    assert name in names(ask, namespace, "KVM_ComputerSystem")


def test_a_screen_that_is_elsewhere_is_refused_without_a_login(remote: Remote) -> None:
    """The URI of the node, with the user and the key, is for those who manage nodes."""
    ask = remote.server.pywbem("root/virt/ssh")
    guest = "<domain type='qemu'><name>shown</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    remote.daemons["ssh"].define(guest)
    wait_until(lambda: "shown" in names(ask, "root/virt/ssh", "KVM_ComputerSystem"))
    path = next(each for each in ask.EnumerateInstanceNames("KVM_ComputerSystem") if each["Name"] == "shown")
    assert ask.InvokeMethod("RequestStateChange", path, RequestedState=pywbem.Uint16(2))[0] == 0
    client = Client(remote.server.port, {"Authorization": basic(remote.server.user or "", remote.server.password)})
    refused = client.ask("POST", "/api/namespaces/root%2Fvirt%2Fssh/consoles/shown/vnc/tickets")
    text = refused.json["message"]
    assert (refused.json["name"], "hands over no screens" in text) == ("NOT_SUPPORTED", True)
    (uri,) = managed(remote.server.pywbem(INTEROP), "ssh")["URIs"]
    parts = urlsplit(uri)
    assert parts.hostname
    assert parts.hostname in text
    secrets = {name: value for name, value in parse_qsl(parts.query) if "/" in value}
    assert secrets
    for secret in ("@", *secrets, *secrets.values()):
        assert secret not in text


def test_both_stand_in_the_table(remote: Remote) -> None:
    ask = remote.server.pywbem(INTEROP)
    (service,) = ask.EnumerateInstanceNames(SERVICE)
    system = pywbem.CIMInstance("KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": "x"})
    _, out = ask.InvokeMethod("EvaluatePlacement", service, Group=group(ask, "remote"), SystemSettings=system)
    assert set(out["Nodes"]) == {"ssh", "tls"}
    assert set(out["Verdicts"]) == {2}
