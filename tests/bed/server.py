"""`virtcim serve` as a process of its own, and the clients that talk to it."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import bcrypt
import pywbem

from tests.bed import loopguard
from tests.bed.classes import put_compiled

ROOT = Path(__file__).resolve().parents[2]

LISTENING = re.compile(r"^virtcim: listening on (?P<scheme>https?)://(?P<host>.+):(?P<port>\d+)$")

#: Runs the console script of setup.cfg without asking where pip put it, and watches its event loop.
COMMAND = [sys.executable, "-P", loopguard.__file__]
UNGUARDED = [sys.executable, "-c", "import sys; from virtcim.app.entry import main; sys.exit(main())"]

#: Seconds until a started server must answer: a first start compiles the classes.
START_PATIENCE = 120.0

#: Seconds within which the server must end after SIGTERM, and what a loaded machine may add.
STOP_LIMIT = 2.0
STOP_SLACK = 30.0

#: Work of most tests is quick, and is to be the method's own answer however loaded the machine is.
PATIENT = "\n[providers.jobs]\ngrace = 60\n"


class WbemcliError(Exception):
    """wbemcli reported an error; the text is what it wrote."""


def run_command(*words: str | Path, patience: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself within some seconds, with this tree on its path; what it writes is kept."""
    return subprocess.run(
        [*map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=patience,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def wait_until(condition: Callable[[], Any], timeout: float = 60.0, interval: float = 0.05) -> Any:
    """Poll until `condition()` is true and return what it returned; AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not true within {timeout} s, last value: {value!r}"
        time.sleep(interval)


class Server:
    """A running `virtcim serve` on a free port, with a state directory and a user of its own.

    Parameters:
        uris: libvirt connections to serve.
        arguments: further options of `virtcim serve`.
        auth: "htpasswd" (a user made here), "none", or "default" (the server makes its user).
        config: the text of a configuration file (TOML); where it says nothing of jobs, the server is `PATIENT`.
        environment: variables added to the server's environment.
        within: the file of a mount namespace to run in (`Libvirtd.namespace`).
        guarded: whether its event loop is looked after; that costs some time at each of its turns.
        compiled: whether it finds its classes compiled, as that of a package; else its first start compiles them.
    """

    def __init__(
        self,
        *uris: str,
        arguments: Sequence[str] = (),
        auth: str = "htpasswd",
        config: str | None = None,
        environment: Mapping[str, str] | None = None,
        within: str | None = None,
        guarded: bool = True,
        compiled: bool = True,
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="virtcim-server-"))
        # A server of another user finds its configuration.
        self.directory.chmod(0o711)
        self.state_dir = self.directory / "state"
        self.error_file = self.directory / "stderr"
        self.compiled = compiled
        self.user: str | None = None
        self.password: str | None = None
        self.host = ""
        self.port = 0
        self.command = [
            *(COMMAND if guarded else UNGUARDED),
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--state-dir",
            str(self.state_dir),
        ]
        for uri in uris:
            self.command += ["--uri", uri]
        if "--config" not in arguments:
            text = config or ""
            (self.directory / "virtcim.toml").write_text(text if "[providers.jobs]" in text else text + PATIENT)
            self.command += ["--config", str(self.directory / "virtcim.toml")]
        if auth == "htpasswd":
            self.user, self.password = "bed", secrets.token_hex(8)
            passwords = self.directory / "htpasswd"
            # Four rounds: tests are not about the price of a password.
            digest = bcrypt.hashpw(self.password.encode(), bcrypt.gensalt(4)).decode()
            passwords.write_text(f"{self.user}:{digest}\n")
            passwords.chmod(0o600)
            self.command += ["--auth", f"htpasswd:{passwords}"]
        elif auth == "none":
            self.command += ["--auth", "none"]
        self.command += arguments
        if within is not None:
            self.command = ["nsenter", f"--mount={within}", *self.command]
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        self.process: subprocess.Popen[str] | None = None
        self.start_seconds = 0.0

    @property
    def errors(self) -> str:
        """What the server wrote to standard error so far."""
        return self.error_file.read_text(errors="replace") if self.error_file.exists() else ""

    @property
    def url(self) -> str:
        """`http://HOST:PORT`."""
        return f"http://{self.host}:{self.port}"

    @property
    def login_url(self) -> str:
        """`url` with this server's user."""
        login = f"{self.user}:{self.password}@" if self.user is not None else ""
        return f"http://{login}{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self.process is not None, "the server does not run"
        return self.process.pid

    def start(self) -> None:
        """Start the server and wait for its listening line."""
        if self.compiled:
            put_compiled(self.state_dir)
        began = time.monotonic()
        with self.error_file.open("a") as errors:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=self.environment,
                cwd=self.directory,
            )
        assert self.process.stdout is not None
        # The deadline is kept by ending the server, which ends the wait for its line.
        watchdog = threading.Timer(START_PATIENCE, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline().rstrip("\n")
        finally:
            watchdog.cancel()
        match = LISTENING.match(line)
        if match is None:
            self.process.kill()
            status = self.process.wait()
            raise AssertionError(f"no listening line but {line!r}, exit status {status}\n{self.errors}")
        self.start_seconds = time.monotonic() - began
        self.host, self.port = match["host"], int(match["port"])

    @cached_property
    def https_port(self) -> int:
        """The port of HTTPS, of a server that was told to listen there too: its second line says it."""
        assert self.process is not None
        assert self.process.stdout is not None
        match = LISTENING.match(self.process.stdout.readline().rstrip("\n"))
        assert match is not None
        assert match["scheme"] == "https"
        return int(match["port"])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the server by a signal, assert that it ends in time, and return its exit status."""
        assert self.process is not None
        process, self.process = self.process, None
        began = time.monotonic()
        process.send_signal(number)
        try:
            status = process.wait(STOP_LIMIT + STOP_SLACK)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"still running {time.monotonic() - began:.1f} s after {number.name}") from None
        finally:
            if process.stdout is not None:
                process.stdout.close()
        at = self.errors.find(loopguard.MARK)
        assert at < 0, self.errors[at : at + 4000]
        return status

    def close(self) -> None:
        """Stop the server, if it runs, and remove its directory."""
        try:
            if self.process is not None:
                self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self.errors:
            error.add_note(f"virtcim serve wrote:\n{self.errors[-4000:]}")
        self.close()

    def kept(self, collection: str) -> list[Any]:
        """The records of a table of its state that are on disk."""
        with closing(sqlite3.connect(f"file:{self.state_dir}/state.sqlite?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT value FROM record WHERE collection = ?", (collection,))
            return [json.loads(value) for (value,) in rows]

    def client(self, namespace: str = "root/virt") -> RawClient:
        """A raw HTTP client with this server's user."""
        return RawClient(self.host, self.port, self.user, self.password, namespace)

    def pywbem(self, namespace: str = "root/virt") -> Any:
        """A pywbem connection with this server's user."""
        credentials = (self.user, self.password) if self.user is not None else None
        return pywbem.WBEMConnection(self.url, credentials, default_namespace=namespace, timeout=120)

    def wbemcli(self, operation: str, path: str = "", *arguments: str, namespace: str = "root/virt") -> list[str]:
        """Run wbemcli and return the lines it printed.

        Parameters:
            operation: ein, ei, gi, ain, ai, rin, ri, cm, ...; options such as `-ac CLASS` stand in `arguments`.
            path: class name, or class name and keys: `KVM_ComputerSystem.CreationClassName="...",Name="..."`.
            arguments: options (`-nl`, `-ac X`, ...) go before the path, the rest after it.

        Raises:
            WbemcliError: wbemcli reported an error.
        """
        options: list[str] = []
        rest = list(arguments)
        while rest and rest[0].startswith("-"):
            options.append(rest.pop(0))
            if options[-1] in ("-ac", "-arc", "-ar", "-arr"):
                options.append(rest.pop(0))
        login = f"{self.user}:{self.password}@" if self.user is not None else ""
        url = f"http://{login}{self.host}:{self.port}/{namespace}:{path}"
        done = subprocess.run(
            ["wbemcli", operation, *options, url, *rest],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        # wbemcli ends with status 0 on some errors; it marks them by a starred line.
        report = done.stderr + (done.stdout if done.stdout.lstrip().startswith("*") else "")
        if done.returncode != 0 or report.lstrip().startswith("*"):
            raise WbemcliError(report.strip())
        return [line for line in done.stdout.splitlines() if line]


def client_hello() -> bytes:
    """What a client of TLS begins a handshake with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


def instance_name(class_name: str, keys: Mapping[str, str]) -> str:
    """INSTANCENAME for string keys."""
    bindings = "".join(
        f'<KEYBINDING NAME="{name}"><KEYVALUE VALUETYPE="string">{text(value)}</KEYVALUE></KEYBINDING>'
        for name, value in keys.items()
    )
    return f'<INSTANCENAME CLASSNAME="{class_name}">{bindings}</INSTANCENAME>'


def class_parameter(name: str, class_name: str) -> str:
    """IPARAMVALUE that holds a class name."""
    return f'<IPARAMVALUE NAME="{name}"><CLASSNAME NAME="{class_name}"/></IPARAMVALUE>'


def parameter(name: str, inner: str) -> str:
    """IPARAMVALUE with `inner`, which is XML."""
    return f"<IPARAMVALUE NAME={quoteattr(name)}>{inner}</IPARAMVALUE>"


def text(value: str) -> str:
    """`value` as XML character data."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def simple_request(operation: str, parameters: Iterable[str], namespace: str = "root/virt") -> bytes:
    """A CIM-XML request message for an intrinsic operation."""
    spaces = "".join(f'<NAMESPACE NAME="{part}"/>' for part in namespace.split("/"))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<CIM CIMVERSION="2.0" DTDVERSION="2.0"><MESSAGE ID="1" PROTOCOLVERSION="1.0"><SIMPLEREQ>'
        f'<IMETHODCALL NAME="{operation}"><LOCALNAMESPACEPATH>{spaces}</LOCALNAMESPACEPATH>{"".join(parameters)}'
        "</IMETHODCALL></SIMPLEREQ></MESSAGE></CIM>"
    ).encode()


class RawClient:
    """CIM-XML over one keep-alive connection of http.client: exact bytes, and no parsing that would cost time."""

    def __init__(
        self, host: str, port: int, user: str | None, password: str | None, namespace: str = "root/virt"
    ) -> None:
        self.namespace = namespace
        self.connection = http.client.HTTPConnection(host, port, timeout=120)
        self.headers = {"Content-Type": 'application/xml; charset="utf-8"', "CIMOperation": "MethodCall"}
        if user is not None:
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            self.headers["Authorization"] = f"Basic {token}"

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def figure(self, name: str) -> float:
        """A figure of `/metrics`, by its name without `virtcim_`."""
        self.connection.request("GET", "/metrics", headers=self.headers)
        text = self.connection.getresponse().read().decode()
        found = re.search(rf"^virtcim_{name} ([0-9.e+]+)$", text, re.MULTILINE)
        assert found is not None, text
        return float(found[1])

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, http.client.HTTPMessage, bytes]:
        """POST `body`; headers given here replace the usual ones.  Returns status, headers and body of the answer."""
        self.connection.request("POST", "/cimom", body, {**self.headers, **(headers or {})})
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()

    def prepared(self, operation: str, *parameters: str, target: str = "") -> tuple[bytes, dict[str, str]]:
        """Body and headers of an intrinsic operation; `target` is the CIMObject beside the namespace."""
        headers = {"CIMMethod": operation, "CIMObject": quote(self.namespace + target, safe="")}
        return simple_request(operation, parameters, self.namespace), headers

    def call(self, operation: str, *parameters: str) -> bytes:
        """An intrinsic operation; returns the body of its answer, AssertionError when it is an error."""
        status, headers, answer = self.post(*self.prepared(operation, *parameters))
        assert status == 200, f"{operation}: HTTP {status}, CIMError {headers.get('CIMError')}: {answer[:500]!r}"
        assert b"<ERROR " not in answer, f"{operation}: {answer[:800]!r}"
        return answer

    def invoke(self, class_name: str, keys: Mapping[str, str], method: str, parameters: Mapping[str, str]) -> bytes:
        """An extrinsic method on an instance, for names that pywbem cannot put into its CIMObject header."""
        spaces = "".join(f'<NAMESPACE NAME="{part}"/>' for part in self.namespace.split("/"))
        given = "".join(
            f'<PARAMVALUE NAME="{name}"><VALUE>{text(value)}</VALUE></PARAMVALUE>' for name, value in parameters.items()
        )
        body = (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            '<CIM CIMVERSION="2.0" DTDVERSION="2.0"><MESSAGE ID="1" PROTOCOLVERSION="1.0"><SIMPLEREQ>'
            f'<METHODCALL NAME="{method}"><LOCALINSTANCEPATH><LOCALNAMESPACEPATH>{spaces}</LOCALNAMESPACEPATH>'
            f"{instance_name(class_name, keys)}</LOCALINSTANCEPATH>{given}"
            "</METHODCALL></SIMPLEREQ></MESSAGE></CIM>"
        )
        escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in keys.items()}
        quoted = ",".join(f'{name}="{value}"' for name, value in escaped.items())
        headers = {"CIMMethod": method, "CIMObject": quote(f"{self.namespace}:{class_name}.{quoted}", safe="")}
        status, _, answer = self.post(body.encode(), headers)
        assert status == 200, f"{method}: HTTP {status}: {answer[:500]!r}"
        return answer
