"""An indication service in this process, with changes made by hand, and listeners that do as they are told."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lxml import etree

from virtcim.app.store import SQLiteStore
from virtcim.cimom.access import Access, RoleSettings
from virtcim.cimom.discovery.objects import FixedInstance
from virtcim.cimom.indications.records import (
    DestinationRecord,
    FilterRecord,
    OnFatalError,
    SubscriptionRecord,
)
from virtcim.cimom.indications.service import IndicationService
from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.frontends.cimxml.export import CIMXMLExport
from virtcim.providers.interface import Alert, ChangeListener, ChangeSource, InstanceChange, Lifecycle, Store
from virtcim.schema.classes import ClassStore

SYSTEM = "CIM_ComputerSystem"
SPACE = "root/virt"

TAKEN = (
    b'<?xml version="1.0" encoding="utf-8"?><CIM CIMVERSION="2.0" DTDVERSION="2.4"><MESSAGE ID="1" '
    b'PROTOCOLVERSION="1.4"><SIMPLEEXPRSP><EXPMETHODRESPONSE NAME="ExportIndication"/></SIMPLEEXPRSP></MESSAGE></CIM>'
)


def system(name: str, state: int = 2, **more: Any) -> FixedInstance:
    return FixedInstance(SPACE, SYSTEM, {"CreationClassName": SYSTEM, "Name": name}, {"EnabledState": state, **more})


class Source(ChangeSource):
    """Changes that a test makes."""

    class_names: Mapping[str, frozenset[str]] = {
        SYSTEM: frozenset({SPACE}),
        "CIM_LogicalDisk": frozenset({SPACE}),
    }
    indications: Mapping[str, frozenset[str]] = {}

    def __init__(self) -> None:
        self.listener: ChangeListener | None = None

    def start(self, listener: ChangeListener) -> None:
        self.listener = listener

    def wanted_changed(self) -> None:
        pass

    def stop(self) -> None:
        self.listener = None

    def tell(self, before: FixedInstance | None, after: FixedInstance | None) -> None:
        """Tell of a change, as far as it is wanted."""
        assert self.listener is not None
        kind = Lifecycle.CREATED if before is None else Lifecycle.DELETED if after is None else Lifecycle.MODIFIED
        if self.listener.wants(SYSTEM):
            self.listener.changed([InstanceChange(kind, before, after)], datetime.now(UTC))

    def alert(self, **properties: Any) -> None:
        """Raise an alert."""
        assert self.listener is not None
        self.listener.alert(Alert(SPACE, None, "host", properties, datetime.now(UTC)))


class Running:
    """A running indication service.

    Parameters:
        follow: makes, with the store, what tells of changes; without it they are made by hand.
        spaces: the namespaces of the server.

    Attributes:
        source: makes changes by hand.
        service: what runs.
    """

    def __init__(
        self,
        directory: Path,
        classes: ClassStore,
        roles: RoleSettings | None = None,
        follow: Callable[[Store], ChangeSource] | None = None,
        spaces: Sequence[str] = (SPACE,),
        **settings: Any,
    ) -> None:
        self.store = SQLiteStore(directory / "state.sqlite")
        self.source = Source()
        options = IndicationSettings(**{"retry_first": 0.02, "retry_interval": 0.1, **settings})
        self.service = IndicationService(
            self.source if follow is None else follow(self.store),
            self.store,
            classes,
            Access(roles or RoleSettings(), {}, classes.ancestors),
            options,
            CIMXMLExport(classes, SPACE, "here", options),
            "toy",
            "here",
            "here",
            spaces,
            ["root/interop"],
        )
        self.service.start()

    def stop(self) -> None:
        self.service.stop()
        self.store.close()

    def subscribe(
        self,
        url: str,
        query: str = "SELECT * FROM CIM_InstIndication",
        name: str = "one",
        principal: Principal = Principal("", Mechanism.NONE),  # noqa: B008
        policy: OnFatalError = OnFatalError.IGNORE,
        is_transient: bool = False,
        spaces: tuple[str, ...] = (),
        **properties: Any,
    ) -> str:
        """Subscribe, and return the key of the destination."""
        now = datetime.now(UTC)
        named: dict[str, Any] = {
            "system_class": SYSTEM,
            "system": "here",
            "name": name,
            "owner": principal.name,
            "created": now,
        }
        selected = FilterRecord(
            class_name="CIM_IndicationFilter", query=query, language="DMTF:CQL", source_namespaces=spaces, **named
        )
        place = DestinationRecord(
            class_name="CIM_ListenerDestinationCIMXML",
            url=url,
            is_transient=is_transient,
            **named,
        )
        subscriptions = self.service.subscriptions
        subscriptions.add_filter(selected)
        if subscriptions.destination(place.key) is None:
            subscriptions.add_destination(place)
        record = SubscriptionRecord(
            filter=selected.key,
            destination=place.key,
            owner=principal.name,
            mechanism=str(principal.mechanism),
            groups=(),
            created=now,
            state_changed=now,
            on_fatal_error=policy,
            properties=properties,
        )
        subscriptions.add_subscription(record, principal)
        return place.key

    def queue(self, key: str) -> Any:
        return self.service.queues.find(key)


def answer(body: bytes = TAKEN, status: str = "200 OK", *headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: text/xml", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Scripted:
    """A listener that answers as it is told.

    Parameters:
        script: called with the number of the request and its body, gives the bytes of the answer; None closes the
            connection without one.
        tls: for HTTPS.

    Attributes:
        bodies: what was received, in order.
        heads: likewise.
        connections: how many were taken.
        peers: certificates that clients showed.
    """

    def __init__(
        self, script: Callable[[int, bytes], bytes | None] = lambda number, body: answer(), tls: Any = None
    ) -> None:
        self.script = script
        self.tls = tls
        self.bodies: list[bytes] = []
        self.heads: list[bytes] = []
        self.peers: list[Any] = []
        self.connections = 0
        self._came = threading.Condition()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._open: list[Any] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/path"

    def close(self) -> None:
        """Take no more, and end what was taken."""
        # A thread that waits for the next connection goes on waiting when the descriptor is merely closed.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._accepting.join(60)
        assert not self._accepting.is_alive()
        self._socket.close()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def wait_for(self, count: int, patience: float = 60) -> list[bytes]:
        with self._came:
            assert self._came.wait_for(lambda: len(self.bodies) >= count, patience), f"{len(self.bodies)} of {count}"
            return list(self.bodies)

    def names(self) -> list[Any]:
        """The names of the systems that were told of, each time that they were."""
        sources = (etree.fromstring(body).findtext(".//PROPERTY[@NAME='SourceInstance']/VALUE") for body in self.bodies)
        return [etree.fromstring(source or "").findtext("PROPERTY[@NAME='Name']/VALUE") for source in sources]

    def numbers(self) -> list[int]:
        """The sequence numbers."""
        return [int(re.findall(rb'"SequenceNumber"[^>]*><VALUE>(\d+)<', body)[0]) for body in self.bodies]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Any) -> None:
        self._open.append(connection)
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
                self.peers.append(connection.getpeercert())
                self._open.append(connection)
            rest = b""
            while True:
                while b"\r\n\r\n" not in rest:
                    part = connection.recv(65536)
                    if not part:
                        return
                    rest += part
                head, _, rest = rest.partition(b"\r\n\r\n")
                length = int(re.findall(rb"(?i)content-length: *(\d+)", head)[0])
                while len(rest) < length:
                    part = connection.recv(65536)
                    if not part:
                        return
                    rest += part
                body, rest = rest[:length], rest[length:]
                with self._came:
                    number = len(self.bodies)
                    self.bodies.append(body)
                    self.heads.append(head)
                    self._came.notify_all()
                reply = self.script(number, body)
                if reply is None:
                    return
                connection.sendall(reply)
        except (OSError, ssl.SSLError):
            return
        finally:
            connection.close()
