"""`virtcim watch` and `virtcim subscriptions`: what changes, and who is told of it, by the server's own door."""

from __future__ import annotations

import argparse
import http.server
import json
import os
import queue
import socket
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from virtcim.app.commands.asking import add_server_options, run_connected
from virtcim.app.commands.grammar import Commands

if TYPE_CHECKING:
    import pywbem

__all__ = ["add_watching"]

EVERYTHING = "SELECT * FROM CIM_InstIndication"
ALERTS = "SELECT * FROM CIM_AlertIndication"
"""What is watched without a query."""

MAX_BODY = 16 * 1024 * 1024

TAKEN = (
    '<?xml version="1.0" encoding="utf-8" ?>\n<CIM CIMVERSION="2.0" DTDVERSION="2.0"><MESSAGE ID="{}" '
    'PROTOCOLVERSION="1.0"><SIMPLEEXPRSP><EXPMETHODRESPONSE NAME="ExportIndication"></EXPMETHODRESPONSE>'
    "</SIMPLEEXPRSP></MESSAGE></CIM>"
)

Values = Mapping[str, Any]


def add_watching(commands: Commands) -> None:
    """Add the two commands to the subparsers of the command line."""
    watch = commands.add_parser(
        "watch",
        help="print changes as they come",
        description="Subscribe to a running server, and print what changes until interrupted.",
    )
    watch.add_argument("query", nargs="?", help="which indications, in CQL or WQL; default: all changes and alerts")
    watch.add_argument("--json", action="store_true", help="print each indication as a line of JSON")
    watch.add_argument("--count", type=int, metavar="N", help="end after so many")
    watch.set_defaults(run=lambda arguments: run_connected(arguments, _watch))
    listed = commands.add_parser(
        "subscriptions",
        help="list who is told of changes",
        description="List the subscriptions of a running server: filter, listener and state.",
    )
    listed.add_argument("--json", action="store_true", help="print each subscription as a line of JSON")
    listed.set_defaults(run=lambda arguments: run_connected(arguments, _subscriptions))
    for parser in (watch, listed):
        add_server_options(parser)


def _watch(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> None:
    """Print what a server tells until there is enough of it."""
    queries = [arguments.query] if arguments.query else [EVERYTHING, ALERTS]
    told: queue.Queue[Values] = queue.Queue()
    with _listening(connection, told) as url, _subscribed(connection, url, queries):
        print(f"virtcim: watching {connection.url}", file=sys.stderr, flush=True)
        number = 0
        while arguments.count is None or number < arguments.count:
            indication = told.get()
            number += 1
            print(json.dumps(indication, ensure_ascii=False) if arguments.json else described(indication), flush=True)


def described(indication: Values) -> str:
    """Say in a line what an indication tells.

    Parameters:
        indication: its properties as `read_indication` has them.
    """
    when = str(indication.get("IndicationTime") or "")
    clock = f"{when[8:10]}:{when[10:12]}:{when[12:14]}" if len(when) > 14 else "--:--:--"
    if "SourceInstance" not in indication:
        words = indication.get("Message") or indication.get("Description") or indication.get("Class")
        return f"{clock} alert    {words}"
    source, previous = indication["SourceInstance"], indication.get("PreviousInstance")
    path = str(indication.get("SourceInstanceModelPath") or source.get("Class"))
    name = path.partition(":")[2] or path
    if previous is None:
        return f"{clock} {'deleted ' if 'Delet' in indication['Class'] else 'created '} {name}"
    changed = [key for key in sorted({*source, *previous}) if source.get(key) != previous.get(key)]
    parts = ", ".join(f"{key} {_short(previous.get(key))} -> {_short(source.get(key))}" for key in changed)
    return f"{clock} modified {name}: {parts}"


def _short(value: Any) -> str:
    text = "NULL" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_indication(body: bytes) -> tuple[str, dict[str, Any]]:
    """Read an export message.

    Returns:
        the number of the message, and the properties of the indication, its class as `Class`, embedded instances as
        mappings.

    Raises:
        ValueError: it is none.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error)) from None
    message, instance = root.find("MESSAGE"), root.find(".//EXPPARAMVALUE/INSTANCE")
    if message is None or instance is None:
        raise ValueError("no export message")
    return message.get("ID") or "", _properties(instance, parser)


def _properties(instance: Any, parser: Any) -> dict[str, Any]:
    """The properties of an INSTANCE element that have a value."""
    from lxml import etree

    found: dict[str, Any] = {"Class": instance.get("CLASSNAME")}
    for element in instance:
        name, kind = element.get("NAME"), element.get("TYPE")
        if element.tag == "PROPERTY.ARRAY":
            values = element.findall("VALUE.ARRAY/VALUE")
            found[name] = [_value(each.text or "", kind) for each in values]
        elif element.tag == "PROPERTY" and (value := element.find("VALUE")) is not None:
            text = value.text or ""
            embedded = element.get("EmbeddedObject") is not None
            found[name] = _properties(etree.fromstring(text, parser), parser) if embedded else _value(text, kind)
        elif element.tag == "PROPERTY.REFERENCE" and len(element):
            found[name] = "".join(element.itertext()).strip()
    return found


def _value(text: str, kind: str | None) -> str | int | bool | float:
    if kind == "boolean":
        return text.strip().lower() == "true"
    if kind and "int" in kind:
        return int(text)
    return float(text) if kind and kind.startswith("real") else text


@contextmanager
def _listening(connection: pywbem.WBEMConnection, told: queue.Queue[Values]) -> Iterator[str]:
    """Listen on the address by which the server is reached, and give the URL for it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            try:
                if not 0 < length <= MAX_BODY:
                    raise ValueError(f"{length} bytes")
                number, indication = read_indication(self.rfile.read(length))
            except ValueError as error:
                self.send_error(400, str(error)[:80])
                return
            told.put(indication)
            answer = TAKEN.format(number if number.isalnum() else "0").encode()
            self.send_response_only(200)
            self.send_header("Content-Type", 'application/xml; charset="utf-8"')
            self.send_header("CIMExport", "MethodResponse")
            self.send_header("Content-Length", str(len(answer)))
            # Head and body in one write: two would wait for each other.
            self._headers_buffer.extend((b"\r\n", answer))  # type: ignore[attr-defined]
            self.flush_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing of requests."""

    parts = urlsplit(connection.url)
    family = socket.AF_INET6 if ":" in (parts.hostname or "") else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((parts.hostname, parts.port or 5988))  # sends nothing; tells our address on the way there
        address = probe.getsockname()[0]

    class Listener(http.server.ThreadingHTTPServer):
        address_family = family

    with Listener((address, 0), Handler) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        try:
            yield f"http://{f'[{address}]' if ':' in address else address}:{listener.server_address[1]}"
        finally:
            listener.shutdown()


@contextmanager
def _subscribed(connection: pywbem.WBEMConnection, url: str, queries: list[str]) -> Iterator[None]:
    """Subscribe to some queries while the block goes on."""
    import pywbem

    name = f"virtcim-watch:{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    made: list[Any] = []

    def create(class_name: str, **properties: Any) -> Any:
        path = connection.CreateInstance(pywbem.CIMInstance(class_name, properties))
        made.append(path)
        return path

    try:
        destination = create(
            "CIM_ListenerDestinationCIMXML", Name=name, Destination=url, PersistenceType=pywbem.Uint16(3)
        )
        for number, query in enumerate(queries):
            selected = create("CIM_IndicationFilter", Name=f"{name}:{number}", Query=query, QueryLanguage="DMTF:CQL")
            create("CIM_IndicationSubscription", Filter=selected, Handler=destination)
        yield
    finally:
        # Subscriptions before what they refer to.
        for path in sorted(made, key=lambda path: path.classname != "CIM_IndicationSubscription"):
            try:
                connection.DeleteInstance(path)
            except pywbem.Error as error:
                print(f"virtcim: {path.classname} stays: {error}", file=sys.stderr)


def _subscriptions(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> None:
    """List the subscriptions of a server."""
    states = {2: "enabled", 3: "failing", 4: "disabled"}
    filters = {_key(each.path): each["Query"] for each in connection.EnumerateInstances("CIM_IndicationFilter")}
    for each in connection.EnumerateInstances("CIM_FilterCollection"):
        filters[_key(each.path)] = f"all filters of {each['CollectionName']}"
    places = {_key(each.path): each for each in connection.EnumerateInstances("CIM_ListenerDestination")}
    now = datetime.now(UTC)
    for each in connection.EnumerateInstances("CIM_AbstractIndicationSubscription"):
        query, place = filters.get(_key(each["Filter"])), places.get(_key(each["Handler"]))
        if query is None or place is None:
            continue  # it ended just now
        line = {
            "listener": place["Destination"],
            "state": states.get(int(each["SubscriptionState"]), str(each["SubscriptionState"])),
            "query": query,
            "filter": _key(each["Filter"])[2],
            "deliveries": place.get("Description"),
            "since": str(each.get("SubscriptionStartTime") or now),
        }
        if arguments.json:
            print(json.dumps(line, ensure_ascii=False))
        else:
            print(f"{line['state']:8}  {line['listener']}  {line['deliveries']}\n          {line['query']}")


def _key(path: Any) -> tuple[str, str, str]:
    keys = path.keybindings
    return path.classname.lower(), str(keys.get("SystemName")).lower(), str(keys.get("Name") or keys.get("InstanceID"))
