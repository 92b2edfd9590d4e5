"""What a server that nobody asks for anything rare has not loaded: each takes time and memory of every start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.bed import Server
from tests.bed.server import ROOT, class_parameter, wait_until
from virtcim.app.certificates import make_pair

LISTING = """
import os, signal, sys
listed = sys.argv.pop(1)
def list_modules(*_):
    with open(listed + ".part", "w") as file:
        file.write("\\n".join(sys.modules))
    os.rename(listed + ".part", listed)
signal.signal(signal.SIGUSR1, list_modules)
from virtcim.app.entry import main
sys.exit(main())
"""
"""Runs the server, and writes what it has loaded into a file when it is sent SIGUSR1."""

RARE = {
    "the grammars of filters and of MOF": {"lark"},
    "certificates, which are made once": {"cryptography"},
    "passwords that are not of bcrypt": {"passlib", "configparser"},
    "figures, where nobody looks at them": {"prometheus_client", "http.server", "wsgiref"},
    "queues and sockets of logging": {"logging.handlers"},
    "units that clients name": {"fractions", "decimal"},
    "a second parser of XML": {"xml.etree", "pyexpat"},
    "the codec of records, where there are none": {"cattrs"},
    "the compiler of classes, and clients": {"pywbem", "ply", "requests", "urllib3"},
    "the bridge into other CIM servers": {"cbor2", "virtcim.frontends.cmpi.daemon", "virtcim.registration.actions"},
    "libvirt-cim's answers": {"virtcim.frontends.compatibility.translation"},
    "appliances and seeds": {
        "virtcim.images.appliances.importing",
        "virtcim.images.appliances.exporting",
        "virtcim.images.appliances.descriptor",
        "tarfile",
        "pycdlib",
        "email.mime",
    },
    "other commands": {
        "virtcim.app.commands.asking",
        "virtcim.app.commands.guest",
        "virtcim.app.commands.plugin",
        "virtcim.app.commands.watching",
    },
}


def test_a_started_server_has_not_loaded_what_few_need() -> None:
    server = Server("test:///default", arguments=["--listen-https", "127.0.0.1:0", "--tls", "self-signed"])
    listed = server.directory / "modules"
    server.command[1:3] = ["-c", LISTING, str(listed)]
    try:
        server.start()
        with server.client() as client:
            assert b"<VALUE.NAMEDINSTANCE" in client.call(
                "EnumerateInstances", class_parameter("ClassName", "Test_ComputerSystem")
            )
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGUSR1)
        wait_until(listed.exists)
        loaded = set(listed.read_text().split())
    finally:
        server.close()
    assert {"virtcim.app.serve", "virtcim.frontends.http.http", "aiohttp"} <= loaded
    assert {what: sorted(names & loaded) for what, names in RARE.items() if names & loaded} == {}


AUTHORITIES = """
import os, ssl, sys, threading
before, found = dict(os.environ), []

class Beside:
    # Asked for a module while aiohttp is loaded, it has another thread make a context and look at the environment.
    def find_spec(self, name, path, target=None):
        if name == "aiohttp.connector":
            thread = threading.Thread(target=self.look)
            thread.start()
            thread.join()
    def look(self):
        found.append(ssl.create_default_context().cert_store_stats()["x509"])
        assert dict(os.environ) == before, "the environment is another one"

sys.meta_path.insert(0, Beside())
from virtcim.frontends.http import library
import aiohttp.connector
of_aiohttp = aiohttp.connector._SSL_CONTEXT_VERIFIED, aiohttp.connector._SSL_CONTEXT_UNVERIFIED
print([each.cert_store_stats()["x509"] for each in of_aiohttp], found)
print(ssl.create_default_context().cert_store_stats()["x509"])
"""


def test_aiohttp_alone_is_loaded_without_authorities(tmp_path: Path) -> None:
    """Who makes a context meanwhile in another thread, as for a remote node, or afterwards, finds them."""
    certificate, _ = make_pair(tmp_path, ["localhost"])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SSL_CERT_FILE": str(certificate)}
    done = subprocess.run([sys.executable, "-c", AUTHORITIES], capture_output=True, text=True, env=environment)
    assert done.stdout.split("\n")[:2] == ["[0, 0] [1]", "1"], done.stderr


MEDIA_TYPES = """
import mimetypes, sys
mimetypes.knownfiles.append(sys.argv[1])
from virtcim.frontends.http import library
print(mimetypes.guess_type("a.virtcim")[0], mimetypes.guess_type("a.html")[0])
"""


def test_media_types_of_the_system_are_not_read(tmp_path: Path) -> None:
    types = tmp_path / "mime.types"
    types.write_text("application/x-virtcim virtcim\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", MEDIA_TYPES, types], capture_output=True, text=True, env=environment)
    assert done.stdout == "None text/html\n", done.stderr


BEGUN = """
import sys
from virtcim.app import entry, main, serve
print(*sys.modules)
"""

LATER = {
    "aiohttp",
    "virtcim.cimom.indications.service",
    "virtcim.cimom.operations",
    "virtcim.frontends.http.http",
    "virtcim.images.templates",
    "virtcim.platforms.base",
    "virtcim.providers.guest",
    "virtcim.providers.jobs",
    "virtcim.providers.site",
}


def test_what_answers_clients_is_not_loaded_before_the_hypervisors_are_read() -> None:
    """libvirt takes as long for its answers as loading does, which goes on beside."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", BEGUN], capture_output=True, text=True, env=environment, check=True)
    loaded = set(done.stdout.split())
    assert "virtcim.libhelper.hypervisor" in loaded
    assert LATER & loaded == set()
