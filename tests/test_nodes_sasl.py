"""Nodes that want a name and a password: SASL over TLS, with what libvirt's own files have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.sshd import free_port
from tests.test_nodes import managed
from tests.test_nodes_real import CONNECTED, NO_CONTACT

pytestmark = [pytest.mark.root, pytest.mark.qemu]

PASSWORD = "s3cret of a host"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Libvirtd]:
    with Libvirtd(tls_port=free_port(), users={"keeper": PASSWORD}) as made:
        yield made


@pytest.fixture(scope="module")
def served(daemon: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("known")
    uris = {
        "known": with_password(daemon, directory / "right.conf", PASSWORD),
        "wrong": with_password(daemon, directory / "wrong.conf", "guessed"),
        "unknown": daemon.tls_uri(),
    }
    config = "uris = ['test:///default']\n" + "".join(
        f"[node.{name}]\nuris = ['{uri}']\n" for name, uri in uris.items()
    )
    with Server(config=config) as server:
        yield server


def with_password(daemon: Libvirtd, file: Path, password: str) -> str:
    """The URI of a daemon for who has a name and a password in a file of libvirt's form."""
    file.write_text(
        f"[credentials-bed]\nauthname=keeper\npassword={password}\n[auth-libvirt-127.0.0.1]\ncredentials=bed\n"
    )
    return f"{daemon.tls_uri()}&authfile={file}"


def test_a_node_is_reached_with_the_password_that_libvirt_finds(served: Server) -> None:
    ask: Any = served.pywbem()
    wait_until(lambda: managed(ask, "known")["State"] == CONNECTED, 60)
    assert ask.EnumerateInstanceNames("KVM_HostSystem", "root/virt/known")


@pytest.mark.parametrize(("name", "reason"), [("wrong", "authentication failed"), ("unknown", "credentials")])
def test_a_node_without_the_right_password_says_so(served: Server, name: str, reason: str) -> None:
    ask: Any = served.pywbem()
    wait_until(lambda: managed(ask, name)["Trouble"], 60)
    node = managed(ask, name)
    assert node["State"] == NO_CONTACT
    assert reason in node["Trouble"]
    assert PASSWORD not in str(dict(node)) + served.errors
    assert "guessed" not in str(dict(node)) + served.errors
