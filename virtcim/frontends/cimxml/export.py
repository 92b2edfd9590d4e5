"""Indications sent as CIM-XML export messages (DSP0200 1.4, section 6.4; DSP0201 2.4, section 5.3)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from lxml import etree

from virtcim.cimom.indications.addresses import PORTS
from virtcim.cimom.indications.delivery import DeliveryError
from virtcim.cimom.indications.records import DestinationRecord
from virtcim.cimom.indications.settings import DestinationSettings, IndicationSettings
from virtcim.cimom.recent import Recent
from virtcim.frontends.cimxml.encode import EncodedInstance, Encoder
from virtcim.frontends.http.client import Connection, HTTPClientError
from virtcim.providers.interface import EmbeddedInstance
from virtcim.schema.classes import ClassStore

__all__ = ["CIMXMLExport", "export_message"]

log = logging.getLogger(__name__)

START = (
    '<?xml version="1.0" encoding="utf-8" ?>\n<CIM CIMVERSION="2.0" DTDVERSION="2.0">'
    '<MESSAGE ID="{number}" PROTOCOLVERSION="1.0"><SIMPLEEXPREQ><EXPMETHODCALL NAME="ExportIndication">'
    '<EXPPARAMVALUE NAME="NewIndication">'
)
END = "</EXPPARAMVALUE></EXPMETHODCALL></SIMPLEEXPREQ></MESSAGE></CIM>"

HEADERS = (
    b'Content-Type: application/xml; charset="utf-8"\r\n'
    b"CIMExport: MethodRequest\r\nCIMExportMethod: ExportIndication\r\n"
)

RECENT = 256
"""Embedded instances whose text is remembered: some KiB each, for as long as the destinations of an indication take."""

_PARSER_OPTIONS = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def export_message(encoder: Encoder, indication: EmbeddedInstance, number: int) -> bytes:
    """Write an indication as an export message.

    Parameters:
        encoder: of the namespace whose names references without one have.
        number: MESSAGE ID.
    """
    return f"{START.format(number=number)}{encoder.embedded_element(indication)}{END}".encode()


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
        place: scheme, host and port.
        files: times and sizes of the files that its TLS context was made from.
        used: when something was sent last, as `time.monotonic` counts.
        yes: the last answer that said that an indication was taken, without its number; None before the first.
    """

    connection: Connection
    place: tuple[str, str, int]
    files: tuple[object, ...]
    used: float
    yes: bytes | None = None


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
        self._encoded: Recent[EmbeddedInstance, EncodedInstance] = Recent(self._encoder.encoded, RECENT)
        self._settings = settings
        self._lines: dict[str, _Line] = {}
        self._number = 0

    async def send(self, destination: DestinationRecord, indication: EmbeddedInstance) -> None:
        """Send an indication, and read that it was taken.

        Raises:
            DeliveryError: it was not.
        """
        url = urlsplit(destination.url)
        host = url.hostname or ""
        port = url.port or PORTS[url.scheme]
        if not self._settings.allows(host, port):
            raise DeliveryError(f"{host}:{port} is not among the destinations that the settings allow")
        line = await self._line(destination.key, (url.scheme, host, port))
        self._number = number = self._number + 1
        body = export_message(self._encoder, self._with_encoded(indication), number)
        target = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
        line.used = time.monotonic()
        try:
            answer = await line.connection.post(target, HEADERS, body)
        except HTTPClientError as error:
            raise DeliveryError(str(error)) from error
        if answer.status != 200:
            fault = answer.headers.get("cimerror", "")
            raise DeliveryError(f"it answers with HTTP status {answer.status}{f' ({fault[:80]})' if fault else ''}")
        # Listeners say yes in the same words each time: XML that differs in the number alone is read once.
        said = answer.body.replace(b'ID="%d"' % number, b"", 1)
        if said != line.yes:
            check_answer(answer.body)
            line.yes = said

    def _with_encoded(self, indication: EmbeddedInstance) -> EmbeddedInstance:
        """An indication whose embedded instances are encoded: they are the same for every destination."""
        properties = dict(indication.properties)
        for name, value in indication.properties.items():
            if isinstance(value, EmbeddedInstance):
                with contextlib.suppress(ValueError, KeyError):  # it is told of where the whole is written
                    properties[name] = self._encoded(value)
        return EmbeddedInstance(indication.class_name, properties)

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

    async def _line(self, key: str, place: tuple[str, str, int]) -> _Line:
        """The connection to a destination: another one when its URL or its certificates changed."""
        scheme, host, port = place
        wanted = self._settings.tls_of(host, port) if scheme == "https" else None
        files: tuple[object, ...] = ()
        line = self._lines.get(key)
        if wanted is not None and (line is None or time.monotonic() - line.used > self._settings.check_seconds):
            files = await asyncio.to_thread(_stamps, wanted)
        elif line is not None:
            files = line.files
        if line is not None and line.place == place and line.files == files:
            return line
        if line is not None:
            line.connection.close()
        context = None
        if wanted is not None:
            try:
                context = await asyncio.to_thread(make_client_context, wanted)
            except (OSError, ValueError) as error:
                raise DeliveryError(f"the certificates for it cannot be used: {error}") from error
        limits = self._settings
        connection = Connection(host, port, context, limits.timeout, limits.max_answer)
        line = self._lines[key] = _Line(connection, place, files, time.monotonic())
        return line


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


def _stamps(settings: DestinationSettings) -> tuple[object, ...]:
    """What tells whether files have changed."""
    found: list[object] = []
    for file in settings.files:
        try:
            stat = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)
