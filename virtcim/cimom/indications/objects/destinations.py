"""Destinations as CIM objects: listeners, and the CIM servers that take indications."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypedDict

from virtcim.cimom.indications.addresses import checked_url
from virtcim.cimom.indications.objects.named import NamedProvider, invalid, left_properties
from virtcim.cimom.indications.queue import DestinationQueue
from virtcim.cimom.indications.records import DestinationRecord
from virtcim.cimom.indications.relayed import RELAYED_DESTINATION
from virtcim.providers.interface import CIMValue, InstancePath, Keys, Properties, RequestContext

__all__ = ["DESTINATIONS", "DestinationProvider", "RelayedDestinationProvider"]

DESTINATIONS = ("CIM_ListenerDestinationCIMXML", "CIM_IndicationHandlerCIMXML")
"""The class of destinations, and its older name, which clients of libvirt-cim use."""

OTHER_PROTOCOL, CIM_XML = 1, 2
TRANSIENT = 3


class Place(TypedDict):
    """Where indications go, as the fields of a destination's record."""

    url: str
    is_transient: bool


class DestinationProvider(NamedProvider[DestinationRecord]):
    """Serves CIM_ListenerDestinationCIMXML and CIM_IndicationHandlerCIMXML."""

    class_names = DESTINATIONS

    def records(self) -> Iterable[DestinationRecord]:
        return self._subscriptions.destinations()

    def record(self, key: str) -> DestinationRecord | None:
        return self._subscriptions.destination(key)

    def named_records(self, class_name: str, name: str) -> Iterable[DestinationRecord]:
        return self._subscriptions.destinations_named(class_name, name)

    def shown(self, record: DestinationRecord) -> Properties:
        return {
            "Destination": record.url,
            "Description": record.properties.get("Description") or self._account(record.key),
            "Protocol": CIM_XML,
            "PersistenceType": TRANSIENT if record.is_transient else 2,
            "ElementName": record.properties.get("ElementName") or record.name,
        }

    def create_instance(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        given = dict(properties)
        named = self.named(class_name, given, context)
        record = DestinationRecord(**named, **self._place(given), properties=left_properties(given))
        self._subscriptions.add_destination(record)
        return self._instance(record, context).path()

    def modify_instance(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        record = self.find_changeable(class_name, keys, context)
        shown = self.shown(record)
        given = self.amended(record, shown, properties)
        if given["Description"] == shown["Description"]:
            given["Description"] = record.properties.get("Description")
        self._subscriptions.replace_destination(
            replace(record, **self._place(given), properties=left_properties(given))
        )

    def delete_instance(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        self._subscriptions.remove_destination(self.find_changeable(class_name, keys, context))

    def _account(self, key: str) -> str:
        """Say what has become of the indications for a destination."""
        queue = self._queues.find(key)
        if queue is None:
            return "Nothing was sent since the server started"
        error = f"; the last attempt failed: {queue.last_error}" if queue.last_error else ""
        return f"{account(queue)}{error}"

    def _place(self, given: dict[str, CIMValue]) -> Place:
        """Take what says where indications go out of the properties of a destination.

        Raises:
            CIMError: INVALID_PARAMETER for what the server cannot or may not speak to.
        """
        protocol, persistence = given.pop("Protocol", None), given.pop("PersistenceType", None)
        if protocol not in (None, CIM_XML):
            raise invalid(f"Protocol: {protocol} is not supported; expected {CIM_XML} (CIM-XML)")
        if given.get("username") is not None or given.get("password") is not None:
            raise invalid("username and password: logins are not sent to listeners; expected neither")
        url = checked_url(str(given.pop("Destination", None) or ""), self._settings)
        return {"url": url, "is_transient": persistence == TRANSIENT}


class RelayedDestinationProvider(NamedProvider[DestinationRecord]):
    """Serves CIM_ListenerDestination: the CIM servers that take indications."""

    class_names = (RELAYED_DESTINATION,)

    def records(self) -> Iterable[DestinationRecord]:
        return self._relayed.destinations()

    def record(self, key: str) -> DestinationRecord | None:
        return self._relayed.destination(key)

    def named_records(self, class_name: str, name: str) -> Iterable[DestinationRecord]:
        return [each for each in self._relayed.destinations() if each.name == name]

    def shown(self, record: DestinationRecord) -> Properties:
        queue = self._relayed.queue(record)
        return {
            "Destination": record.url,
            "Description": None if queue is None else account(queue),
            "Protocol": OTHER_PROTOCOL,
            "OtherProtocol": "CMPI",
            "PersistenceType": 2,
            "ElementName": "A CIM server that has the bridge",
        }


def account(queue: DestinationQueue) -> str:
    """Say what has become of the indications in a queue since the server started."""
    return f"{len(queue)} waiting, {queue.delivered} delivered, {queue.dropped} dropped"
