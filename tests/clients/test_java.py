"""docs/consoles.md by a console in Java: the client of SBLIM, over HTTPS, with a password and with a certificate.

The client is `sblim-cim-client2.jar`, where distributions put it or where VIRTCIM_TEST_SBLIM names it; without it, or
without a JDK, this is left out.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bed import Libvirtd, Server
from tests.cimom.authority import Authority
from tests.conftest import Guests

CLIENT = Path(os.environ.get("VIRTCIM_TEST_SBLIM", "/usr/share/java/sblim-cim-client2.jar"))
CONSOLE = Path(__file__).with_name("Console.java")

pytestmark = [
    pytest.mark.skipif(not CLIENT.exists(), reason=f"{CLIENT} is not there (VIRTCIM_TEST_SBLIM names another)"),
    pytest.mark.skipif(shutil.which("javac") is None, reason="there is no JDK"),
]

EXPORT = "--add-exports=java.base/sun.security.ssl=ALL-UNNAMED"
"""The client takes Java's TLS by a name that newer ones keep to themselves."""

PASSWORD = "changeit"
"""Of the key stores, which Java does not read without."""


@pytest.mark.parametrize("with_certificate", [False, True], ids=["password", "certificate"])
def test_a_console_does_what_the_page_says(
    serve: Callable[..., Server], libvirtd: Libvirtd, guests: Guests, tmp_path: Path, with_certificate: bool
) -> None:
    libvirtd.virsh("start", guests.boot_sector("web"))
    authority = Authority(tmp_path / "authority")
    config = f"""
listen_https = "127.0.0.1:0"

[tls]
certificate = "{(own := authority.server())}"
key = "{own}"
client_ca = "{authority.file}"

[[tls.users]]
field = "CN"
match = "(.+)"
user = '\\1'

[roles]
administer = ["console", "bed"]
"""
    server = serve(libvirtd.uri(), config=config)
    user, password = (None, None) if with_certificate else (server.user, server.password)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stores = trust_store(authority, tmp_path) + (key_store(authority, tmp_path) if with_certificate else [])
    url = f"https://localhost:{server.https_port}"
    done = subprocess.run(
        ["java", EXPORT, *stores, "-cp", CLIENT, CONSOLE, url, user or "", password or "", str(port)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{server.errors}"
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    counted = {name: told.pop(name).split() for name in list(told) if name.startswith(("CIM_", "Virt_"))}
    assert {name for name, counts in counted.items() if counts[0] == "0" or len(set(counts)) > 1} == set()
    assert len(counted) == 7
    pulled, _, whole = told.pop("pulled").partition(" of ")
    assert pulled == whole != "0"
    assert told == {
        "server": "[virtcim]",
        "namespaces": "[root, root/cimv2, root/interop, root/virt]",
        "conforming": "[KVM_HostSystem, CIM_RegisteredProfile]",
        "central": "[KVM_HostSystem]",
        "WQL": "[web]",
        "CQL": "[web]",
        "GetSummary": "0 [web]",
        "pause": "0",
        "told": "web 2 9",
        "resume": "0",
        "define": "0 from-java",
        "memory": "65536 byte*2^10",
        "modify": "0",
        "modified": "98304",
        "destroy": "0",
        "error": "6",
    }


def trust_store(authority: Authority, directory: Path) -> list[str]:
    """What tells Java to trust the server's certificate."""
    store = directory / "trust.p12"
    words = ["keytool", "-importcert", "-noprompt", "-alias", "authority", "-file", str(authority.file)]
    subprocess.run([*words, "-keystore", str(store), "-storetype", "PKCS12", "-storepass", PASSWORD], check=True)
    return java_properties("trustStore", store)


def key_store(authority: Authority, directory: Path) -> list[str]:
    """What has Java show a certificate of the user `console`."""
    store, mine = directory / "mine.p12", str(authority.client("console.pem", "console"))
    words = [
        "openssl",
        "pkcs12",
        "-export",
        "-in",
        mine,
        "-inkey",
        mine,
        "-out",
        str(store),
        "-passout",
        f"pass:{PASSWORD}",
    ]
    subprocess.run(words, check=True)
    return java_properties("keyStore", store)


def java_properties(kind: str, store: Path) -> list[str]:
    return [
        f"-Djavax.net.ssl.{kind}={store}",
        f"-Djavax.net.ssl.{kind}Type=PKCS12",
        f"-Djavax.net.ssl.{kind}Password={PASSWORD}",
    ]
