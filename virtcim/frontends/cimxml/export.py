"""Indications sent as CIM-XML export messages (DSP0200 1.4, section 6.4; DSP0201 2.4, section 5.3)."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from lxml import etree

from virtcim.cimom.indications.addresses import PORTS
from virtcim.cimom.indications.delivery import DeliveryError
from virtcim.cimom.indications.journal import Body
from virtcim.cimom.indications.records import DestinationRecord
from virtcim.cimom.indications.settings import DestinationSettings, IndicationSettings
from virtcim.cimom.recent import Recent
from virtcim.frontends.cimxml.encode import Encoder
from virtcim.frontends.http.client import NO_STATUS, Connection, HTTPClientError
from virtcim.frontends.http.stamps import stamps_of
from virtcim.providers.interface import Properties
from virtcim.schema.classes import ClassStore

__all__ = ["CIMXMLExport"]

START = (
    b'<?xml version="1.0" encoding="utf-8" ?>\n<CIM CIMVERSION="2.0" DTDVERSION="2.0">'
    b'<MESSAGE ID="%d" PROTOCOLVERSION="1.0"><SIMPLEEXPREQ><EXPMETHODCALL NAME="ExportIndication">'
    b'<EXPPARAMVALUE NAME="NewIndication"><INSTANCE CLASSNAME="%b">'
)
END = b"</INSTANCE></EXPPARAMVALUE></EXPMETHODCALL></SIMPLEEXPREQ></MESSAGE></CIM>"

HEADERS = (
    b'Content-Type: application/xml; charset="utf-8"\r\n'
    b"CIMExport: MethodRequest\r\nCIMExportMethod: ExportIndication\r\n"
)

RECENT = 128
"""Indications whose text is remembered: some ten KiB each, for as long as its destinations take."""

NUMBER = "SequenceNumber"
"""The property of an indication that is another one for each."""

MAX_FRAMES = 16
"""Texts around it that are kept for a destination: one for each of its filters and classes of indications."""

_PARSER_OPTIONS = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def check_answer(body: bytes) -> None:
    """Make sure that an answer says that an indication was taken.

    Raises:
        DeliveryError: it does not; the text says what it says instead.
    """
    try:
        root = etree.fromstring(body, etree.XMLParser(**_PARSER_OPTIONS))  # type: ignore[arg-type]
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DeliveryError(f"its answer cannot be read: {str(error)[:200]}") from None
    response = root.find("MESSAGE/SIMPLEEXPRSP/EXPMETHODRESPONSE")
    if response is None:
        raise DeliveryError("its answer is no response to an export")
    fault = response.find("ERROR")
    if fault is not None:
        code, text = fault.get("CODE", "?"), fault.get("DESCRIPTION", "")
        raise DeliveryError(f"it answers with CIM error {code[:20]}: {text[:200]}")


@dataclass(slots=True)
class _Line:
    """A connection to a destination.

    Attributes:
        url: of the destination.
        place: scheme, host and port.
        target: path and query.
        files: times and sizes of the files that its TLS context was made from.
        used: when something was sent last, as `time.monotonic` counts.
        yes: the last answer that said that an indication was taken, without its number; None before the first.
        frames: what stands before and behind the SequenceNumber in what only this destination is told, by the rest of
            that and the class.
    """

    connection: Connection
    url: str
    place: tuple[str, str, int]
    target: str
    files: tuple[object, ...]
    used: float
    yes: bytes | None = None
    frames: dict[tuple[object, ...], tuple[bytes, bytes]] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class _Context:
    """A TLS context.

    Attributes:
        files: times and sizes of the files that it is made from.
        made: itself, soon.
    """

    files: tuple[object, ...]
    made: asyncio.Future[ssl.SSLContext]


class CIMXMLExport:
    """Sends indications to listeners.  Everything runs in the loop of the delivery.

    Parameters:
        classes: the class store.
        namespace: where the instances live that indications tell of.
        host: the host in paths.
        settings: patience, limits, certificates.
    """

    def __init__(self, classes: ClassStore, namespace: str, host: str, settings: IndicationSettings) -> None:
        self._encoder = Encoder(classes, namespace, host)
        # What all destinations are told, who are many, is written once.
        self._shared: Recent[Body, bytes] = Recent(self._written, RECENT)
        self._settings = settings
        self._lines: dict[str, _Line] = {}
        self._contexts: dict[DestinationSettings, _Context] = {}
        self._number = 0

    async def send(self, destination: DestinationRecord, body: Body, own: Properties) -> None:
        """Send an indication, and read that it was taken.

        Parameters:
            destination: where to.
            body: what all who receive it are told.
            own: the properties that only this destination is told.

        Raises:
            DeliveryError: it was not.
            KeyError: its class does not exist.
        """
        line = self._lines.get(destination.key)
        if line is None or line.url != destination.url or line.place[0] == "https":
            line = await self._line(destination)
        self._number = number = self._number + 1
        message = self._message(line, number, body, own)
        line.used = time.monotonic()
        try:
            answer = await line.connection.post(line.target, HEADERS, message)
        except HTTPClientError as error:
            raise DeliveryError(str(error)) from error
        if answer.status not in (200, NO_STATUS):
            fault = answer.headers.get("cimerror", "")
            raise DeliveryError(f"it answers with HTTP status {answer.status}{f' ({fault[:80]})' if fault else ''}")
        # Listeners say yes in the same words each time: XML that differs in the number alone is read once.
        said = answer.body.replace(b'ID="%d"' % number, b"", 1)
        if said != line.yes:
            check_answer(answer.body)
            line.yes = said

    def _message(self, line: _Line, number: int, body: Body, own: Properties) -> bytes:
        """An export message.

        Parameters:
            number: MESSAGE ID.
            body, own: as in `send`.
        """
        name = body.class_name
        return b"".join((START % (number, name.encode()), self._shared(body), self._own(line, name, own), END))

    def _own(self, line: _Line, name: str, own: Properties) -> bytes:
        """Write what only one destination is told: from one indication to the next, only the number is another one."""
        number = own.get(NUMBER)
        if not isinstance(number, int):
            return self._encoder.property_elements(name, own).encode() if own else b""
        rest = {key: value for key, value in own.items() if key != NUMBER}
        told = name, *rest.items()
        frame = line.frames.get(told)
        if frame is None:
            if len(line.frames) >= MAX_FRAMES:
                line.frames.clear()
            start, zero, end = self._encoder.property_elements(name, {NUMBER: 0}).encode().partition(b">0<")
            elements = self._encoder.property_elements(name, rest).encode()
            frame = line.frames[told] = elements + start + zero[:1], zero[-1:] + end
        return b"%b%d%b" % (frame[0], number, frame[1])

    def _written(self, body: Body) -> bytes:
        return self._encoder.property_elements(body.class_name, body.properties).encode()

    async def sweep(self) -> None:
        """Close connections that nothing was sent on lately."""
        limit = time.monotonic() - self._settings.idle_timeout
        for key, line in list(self._lines.items()):
            if line.used < limit:
                del self._lines[key]
                line.connection.close()

    async def close(self) -> None:
        """Close all connections."""
        for line in self._lines.values():
            line.connection.close()
        self._lines.clear()

    async def _line(self, destination: DestinationRecord) -> _Line:
        """The connection to a destination: another one when its URL or its certificates changed.

        Raises:
            DeliveryError: there may be none, or its certificates cannot be used.
        """
        key, url = destination.key, urlsplit(destination.url)
        host = url.hostname or ""
        port = url.port or PORTS[url.scheme]
        if not self._settings.allows(host, port):
            raise DeliveryError(f"{host}:{port} is not among the destinations that the settings allow")
        place = url.scheme, host, port
        wanted = self._settings.tls_of(host, port) if url.scheme == "https" else None
        files: tuple[object, ...] = ()
        line = self._lines.get(key)
        if wanted is not None and (line is None or time.monotonic() - line.used > self._settings.check_seconds):
            files = await asyncio.to_thread(stamps_of, _files_of(wanted))
        elif line is not None:
            files = line.files
        target = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
        if line is not None and line.place == place and line.files == files:
            line.url, line.target = destination.url, target
            return line
        if line is not None:
            line.connection.close()
        context = None
        if wanted is not None:
            try:
                context = await self._context(wanted, files)
            except (OSError, ValueError) as error:
                raise DeliveryError(f"the certificates for it cannot be used: {error}") from error
        limits = self._settings
        connection = Connection(host, port, context, limits.timeout, limits.max_answer)
        line = self._lines[key] = _Line(connection, destination.url, place, target, files, time.monotonic())
        return line

    async def _context(self, wanted: DestinationSettings, files: tuple[object, ...]) -> ssl.SSLContext:
        """The TLS context of an entry of the settings: one for all its destinations, as the authorities of the system
        alone take a megabyte in each.

        Raises:
            OSError, ValueError: as `make_client_context`.
        """
        known = self._contexts.get(wanted)
        if known is None or known.files != files:
            made = asyncio.get_running_loop().run_in_executor(None, make_client_context, wanted)
            known = self._contexts[wanted] = _Context(files, made)
        try:
            # Whoever gives up waits for himself only.
            return await asyncio.shield(known.made)
        except (OSError, ValueError):
            if self._contexts.get(wanted) is known:
                del self._contexts[wanted]
            raise


def _files_of(settings: DestinationSettings) -> tuple[Path, ...]:
    """All files that the TLS context for a listener is made from: those of the system where no authority is named."""
    if settings.ca is not None or not settings.verify:
        return settings.files
    system = ssl.get_default_verify_paths()
    return (*settings.files, *(Path(each) for each in (system.cafile, system.capath) if each is not None))


def make_client_context(settings: DestinationSettings) -> ssl.SSLContext:
    """Make the TLS context for a listener.

    Raises:
        OSError, ValueError: a file cannot be read, or does not hold what it should.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca is not None:
        context.load_verify_locations(settings.ca)
    else:
        context.load_default_certs()
    if settings.certificate is not None and settings.key is not None:
        context.load_cert_chain(settings.certificate, settings.key, password=_no_passphrase)
    return context


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase; a server cannot ask for it")
