"""A server in a thread, whose every answer is checked against the CIM-XML DTD, and a client that sends raw bytes."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from tests.bed import loopguard
from virtcim.app.assembly import make_server
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cimxml.frontend import CIMXML, Answer
from virtcim.frontends.http.auth import Authenticator, NoAuthentication
from virtcim.frontends.http.listener import Endpoint
from virtcim.frontends.http.server import Server
from virtcim.providers.interface import Catalog
from virtcim.schema.classes import ClassStore

DTD = etree.DTD(str(Path(__file__).with_name("cim.dtd")))

_SELF_CLOSED = re.compile(rb"<[^>]*/>")
_REFERENCE = re.compile(rb"&(?!amp;|lt;|gt;|quot;|#13;)")


def faults(document: bytes) -> list[str]:
    """What is wrong with an answer: by the DTD, and by what some client cannot read."""
    try:
        root = etree.fromstring(document)
    except etree.XMLSyntaxError as exc:
        return [f"not well-formed: {exc}"]
    found = []
    if not DTD.validate(root):
        found.append(str(DTD.error_log))
    for pattern, name in ((_SELF_CLOSED, "a self-closed element"), (_REFERENCE, "an unusual reference")):
        if match := pattern.search(document):
            found.append(f"{name}: {match[0]!r}")
    found.extend(f"{word!r} in the answer" for word in (b"<![CDATA[", b"<!--", b"VALUE.NULL") if word in document)
    for value in root.iter("VALUE"):
        holder = value.getparent()
        if holder is not None and holder.tag == "VALUE.ARRAY":
            holder = holder.getparent()
        if holder is not None and holder.get("EmbeddedObject") and not _embedded_is_valid(value.text or ""):
            found.append(f"an embedded instance: {value.text!r}")
    return found


def _embedded_is_valid(text: str) -> bool:
    return DTD.validate(etree.fromstring(text))


class RunningServer:
    """A `frontends.http.server.Server` on a free port, running in a thread of its own.

    Attributes:
        cimxml: the front end whose answers are checked.
        answers: number of answers that were checked.
        invalid: answers that were not as they should be.
        errors: what the event loop reported as unhandled.
    """

    def __init__(
        self,
        catalog: Catalog,
        classes: ClassStore,
        settings: ServerSettings | None = None,
        authenticator: Authenticator | None = None,
        endpoints: Callable[[], list[Endpoint]] | None = None,
        **options: Any,
    ) -> None:
        self.loop = asyncio.new_event_loop()
        loopguard.watch(self.loop)
        self.loop.set_exception_handler(lambda _loop, context: self.errors.append(context))
        self.errors: list[dict[str, Any]] = []
        self.invalid: list[tuple[bytes, list[str]]] = []
        self.answers = 0
        self._thread = threading.Thread(target=self.loop.run_forever, name="server", daemon=True)
        self._thread.start()
        settings = settings or ServerSettings(port=0, host_name="toyhost")
        self._endpoints = endpoints
        self.server = self._make(catalog, classes, settings, authenticator or NoAuthentication(), options)
        self.run(self.server.start(self._endpoints() if self._endpoints is not None else None))
        self.port = self.server.port

    def _make(
        self,
        catalog: Catalog,
        classes: ClassStore,
        settings: ServerSettings,
        authenticator: Authenticator,
        options: dict[str, Any],
    ) -> Server:
        server = make_server(catalog, classes, settings, authenticator, **options)
        (self.cimxml,) = (each for each in server.frontends if isinstance(each, CIMXML))
        answered = self.cimxml.answer

        def checked(*arguments: Any, **options: Any) -> Answer:
            answer = answered(*arguments, **options)
            self.answers += 1
            if found := faults(b"".join(answer.pieces)):
                self.invalid.append((b"".join(answer.pieces), found))
            return answer

        self.cimxml.answer = checked  # type: ignore[method-assign]
        return server

    def run(self, work: Coroutine[Any, Any, Any], timeout: float = 20) -> Any:
        """Run a coroutine in the server's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def stop(self) -> None:
        """Stop the server and its loop."""
        self.run(self.server.stop())
        self.run(asyncio.sleep(0))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(60)
        self.loop.close()
        assert not (found := loopguard.violations(self.loop)), "\n".join(found)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Response:
    """An HTTP response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    version: str = "HTTP/1.1"

    @property
    def xml(self) -> etree._Element:
        return etree.fromstring(self.body)

    @property
    def cim_status(self) -> int:
        """The CODE of the ERROR element, 0 without one."""
        error = self.xml.find(".//ERROR")
        return 0 if error is None else int(error.get("CODE", "0"))

    @property
    def description(self) -> str:
        error = self.xml.find(".//ERROR")
        return "" if error is None else error.get("DESCRIPTION", "")


class RawClient:
    """Sends what it is told, byte for byte, on one connection.

    Attributes:
        headers: for every `post`.
    """

    def __init__(
        self, port: int = 0, timeout: float = 60, tls: ssl.SSLContext | None = None, path: Path | None = None
    ) -> None:
        self.headers: dict[str, str | None] = {}
        if path is not None:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(str(path))
        else:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._rest = b""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _more(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed")
        return data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._rest += self._more()
        head, _, self._rest = self._rest.partition(mark)
        return head

    def _exactly(self, size: int) -> bytes:
        parts = [self._rest]
        have = len(self._rest)
        while have < size:
            parts.append(self._more())
            have += len(parts[-1])
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]

    def receive(self, has_body: bool = True) -> Response:
        """The next response."""
        start, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(start.split()[1])
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            chunks = []
            while size := int(self._until(b"\r\n"), 16):
                chunks.append(self._exactly(size))
                self._until(b"\r\n")
            self._until(b"\r\n")
            body = b"".join(chunks)
        elif has_body and status != 100:
            body = self._exactly(int(headers.get("content-length", "0")))
        return Response(status, headers, body, start.split()[0])

    def is_closed(self) -> bool:
        """Whether the server has closed the connection."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def post(self, body: bytes | str, headers: Mapping[str, str | None] | None = None) -> Response:
        """POST a body with the CIM headers that fit it, changed by `headers` (None leaves one out)."""
        data = body.encode() if isinstance(body, str) else body
        self.send(http_request(data, {**self.headers, **(headers or {})}))
        return self.receive()


def http_request(body: bytes, headers: Mapping[str, str | None] | None = None) -> bytes:
    """A POST request with the CIM headers that fit `body`, changed by `headers`.

    A byte that is no UTF-8 is written as a surrogate, `\\udcd3` for 0xd3.
    """
    merged: dict[str, str | None] = {
        "Host": "localhost",
        "User-Agent": "raw",
        "Content-Type": 'application/xml; charset="utf-8"',
        "CIMOperation": "MethodCall",
        **_target_headers(body),
        "Content-Length": str(len(body)),
        **(headers or {}),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in merged.items() if value is not None)
    return f"POST /cimom HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "surrogateescape") + body


def _target_headers(body: bytes) -> dict[str, str]:
    """CIMMethod and CIMObject as the body has them; something harmless where it cannot be read."""
    try:
        call = etree.fromstring(body).find(".//SIMPLEREQ/*")
    except (etree.XMLSyntaxError, ValueError):
        call = None
    if call is None:
        return {"CIMMethod": "EnumerateInstances", "CIMObject": "root%2Ftoy"}
    name = call.get("NAME", "-")
    namespace = "/".join(each.get("NAME", "") for each in call.findall("./*/NAMESPACE"))
    target = call.find("./LOCALINSTANCEPATH")
    if target is None:
        target = call.find("./LOCALCLASSPATH")
    if target is not None and len(target):
        namespace = "/".join(each.get("NAME", "") for each in target.findall("./LOCALNAMESPACEPATH/NAMESPACE"))
        class_name = target[-1].get("CLASSNAME") or target[-1].get("NAME")
        namespace += f":{class_name}"
        keys = [
            f'{key.get("NAME")}="{(key[0].text or "")}"'
            for key in target[-1].findall("KEYBINDING")
            if len(key) and key[0].tag == "KEYVALUE"
        ]
        if keys:
            namespace += f".{','.join(keys)}"
    return {"CIMMethod": quote(name), "CIMObject": quote(namespace or "root/toy")}


def quote(text: str) -> str:
    """%-escaped as DSP0200 wants CIM headers."""
    return "".join(
        chr(byte) if (chr(byte).isalnum() and byte < 128) or chr(byte) in "_-" else f"%{byte:02X}"
        for byte in text.encode()
    )


def element(tag: str, *children: str, **attributes: str) -> str:
    """An XML element; children are XML already."""
    start = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    return f"<{tag}{start}>{''.join(children)}</{tag}>"


def message(call: str, message_id: str = "1001", **attributes: str) -> str:
    """A whole request around an IMETHODCALL or METHODCALL."""
    versions = {"CIMVERSION": "2.0", "DTDVERSION": "2.0", "PROTOCOLVERSION": "1.0", **attributes}
    protocol = versions.pop("PROTOCOLVERSION")
    inner = element("MESSAGE", element("SIMPLEREQ", call), ID=message_id, PROTOCOLVERSION=protocol)
    return f'<?xml version="1.0" encoding="utf-8" ?>{element("CIM", inner, **versions)}'


def namespace_path(namespace: str) -> str:
    return element("LOCALNAMESPACEPATH", *(element("NAMESPACE", NAME=part) for part in namespace.split("/")))


def instance_name(class_name: str, **keys: str) -> str:
    """INSTANCENAME with string keys."""
    bindings = (
        element("KEYBINDING", element("KEYVALUE", escape(value), VALUETYPE="string"), NAME=name)
        for name, value in keys.items()
    )
    return element("INSTANCENAME", *bindings, CLASSNAME=class_name)


def system(name: str) -> str:
    return instance_name("Toy_System", CreationClassName="Toy_System", Name=name)


def value(text: object) -> str:
    return element("VALUE", escape(str(text)))


def array(texts: Iterable[object]) -> str:
    return element("VALUE.ARRAY", *map(value, texts))


def class_name(name: str) -> str:
    return element("CLASSNAME", NAME=name)


def intrinsic(operation: str, namespace: str = "root/toy", **parameters: str) -> str:
    """A whole request for an intrinsic operation; parameter values are XML."""
    values = (element("IPARAMVALUE", xml, NAME=name) for name, xml in parameters.items())
    return message(element("IMETHODCALL", namespace_path(namespace), *values, NAME=operation))


def extrinsic(method: str, target: str, namespace: str = "root/toy", **parameters: str) -> str:
    """A whole request for an extrinsic method on an INSTANCENAME or CLASSNAME; parameter values are XML."""
    tag = "LOCALINSTANCEPATH" if target.startswith("<INSTANCENAME") else "LOCALCLASSPATH"
    values = (element("PARAMVALUE", xml, NAME=name) for name, xml in parameters.items())
    path = element(tag, namespace_path(namespace), target)
    return message(element("METHODCALL", path, *values, NAME=method))
