"""Filters, their collections and destinations as CIM objects that intrinsic operations create, modify and delete.

They live in the Interop namespace, under each of its names: in their paths stands the name that was asked for, since
clients compare the paths that they get with those that they built.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Generic, TypedDict, TypeVar

from virtcim.cimom.access import Access, Role
from virtcim.cimom.context import principal_of
from virtcim.cimom.indications.addresses import checked_url
from virtcim.cimom.indications.queue import DestinationQueue, Queues
from virtcim.cimom.indications.records import (
    DestinationRecord,
    FilterCollection,
    FilterRecord,
    NamedRecord,
)
from virtcim.cimom.indications.relayed import RELAYED_DESTINATION, Relayed
from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.cimom.indications.subscriptions import Subscriptions
from virtcim.providers.interface import (
    Association,
    CIMError,
    CIMValue,
    End,
    Instance,
    InstancePath,
    InstanceProvider,
    Keys,
    Properties,
    RequestContext,
    Status,
)

__all__ = [
    "DESTINATIONS",
    "FILTER",
    "CollectionProvider",
    "DestinationProvider",
    "FilterProvider",
    "MemberOfCollection",
    "RelayedDestinationProvider",
]

FILTER = "CIM_IndicationFilter"
DESTINATIONS = ("CIM_ListenerDestinationCIMXML", "CIM_IndicationHandlerCIMXML")
"""The class of destinations, and its older name, which clients of libvirt-cim use."""
COLLECTION = "CIM_FilterCollection"

SYSTEM_KEYS = ("SystemCreationClassName", "SystemName", "CreationClassName", "Name")
MAX_NAME = 1024
"""Characters of a name."""

OTHER_PROTOCOL, CIM_XML = 1, 2
TRANSIENT = 3

Record = TypeVar("Record", FilterRecord, DestinationRecord)


class Named(TypedDict):
    """The fields of a `NamedRecord` that its keys and its maker give."""

    class_name: str
    system_class: str
    system: str
    name: str
    owner: str
    created: datetime


class Selection(TypedDict):
    """What a filter selects, as the fields of its record."""

    query: str
    language: str
    source_namespaces: tuple[str, ...]


class Place(TypedDict):
    """Where indications go, as the fields of a destination's record."""

    url: str
    is_transient: bool


class NamedInstance(Instance):
    """A filter or destination, as one name of the Interop namespace shows it.

    Parameters:
        record: what is known of it.
        namespace: the name that was asked for.
        shown: what it shows beside its keys.
    """

    __slots__ = ("_shown", "class_name", "identity", "namespace", "record", "revision")

    def __init__(self, record: NamedRecord, namespace: str, shown: Properties) -> None:
        self.record = record
        self.class_name = record.class_name
        self.namespace = namespace
        self.identity: Hashable = record.key
        self.revision: Hashable = record.created, record.revision
        self._shown = shown

    def keys(self) -> dict[str, CIMValue]:
        record = self.record
        values = (record.system_class, record.system, record.class_name, record.name)
        return dict(zip(SYSTEM_KEYS, values, strict=True))

    def properties(self) -> Properties:
        shown = {**self.record.properties, **self._shown, **self.keys()}
        return {name: value for name, value in shown.items() if value is not None}


class NamedProvider(InstanceProvider, Generic[Record]):
    """What filters and destinations have in common.

    Parameters:
        subscriptions: all of them.
        settings: limits.
        access: decides who may change what another user made.
        system: the keys of the system that the server runs on, for clients that leave them out.
        origin: gives a name to what a client gives none.
        queues: what waits to be delivered.
        relayed: what clients of other CIM servers have subscribed to.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        settings: IndicationSettings,
        access: Access,
        system: tuple[str, str],
        origin: Callable[[], str],
        queues: Queues,
        relayed: Relayed,
    ) -> None:
        self._queues = queues
        self._relayed = relayed
        self._subscriptions = subscriptions
        self._settings = settings
        self._access = access
        self._system = system
        self._origin = origin

    @abstractmethod
    def records(self) -> Iterable[Record]:
        """All of them."""

    @abstractmethod
    def record(self, key: str) -> Record | None:
        """The one with a key."""

    @abstractmethod
    def named_records(self, class_name: str, name: str) -> Iterable[Record]:
        """Those of a class with a name."""

    @abstractmethod
    def shown(self, record: Record) -> Properties:
        """What an instance shows beside its keys and what the client gave."""

    def instances(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return [self._instance(each, context) for each in self.records() if each.class_name == class_name]

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        return self._instance(self.find(class_name, keys), context)

    def some(self, keys: Iterable[str], context: RequestContext) -> list[Instance]:
        """Those of all classes whose records have one of these keys, each once."""
        records = [each for key in dict.fromkeys(keys) if (each := self.record(key)) is not None]
        return [
            self._instance(each, context) for name in self.class_names for each in records if each.class_name == name
        ]

    def _instance(self, record: Record, context: RequestContext) -> NamedInstance:
        return NamedInstance(record, context.namespace, self.shown(record))

    def find(self, class_name: str, keys: Keys) -> Record:
        """The one with these keys; blanks around them do not count, and those that are missing are any.

        Raises:
            CIMError: NOT_FOUND.
        """
        given = {name.lower(): str(value).strip() for name, value in keys.items() if value is not None}
        name = given.pop("name", None)
        found = [
            record
            for record in self.named_records(class_name, name or "")
            if all(_own(record, key).lower() == value.lower() for key, value in given.items())
        ]
        if len(found) != 1:
            raise CIMError(Status.NOT_FOUND, f"There is no {class_name} with the name {name!r}")
        return found[0]

    def require_changeable(self, record: NamedRecord, context: RequestContext) -> None:
        """Refuse to change what another user made, unless who asks administers.

        Raises:
            CIMError: ACCESS_DENIED; NOT_SUPPORTED for what is in another CIM server.
        """
        require_owner(record.owner, context, self._access)
        if self._relayed.is_one(record):
            raise elsewhere(record.name)

    def named(self, class_name: str, given: dict[str, CIMValue], context: RequestContext) -> Named:
        """Take the keys and the owner out of the properties of a new instance.

        Raises:
            CIMError: INVALID_PARAMETER for a CreationClassName of another class, or a name that is too long.
        """
        system_class, system, creation_class, name = (str(given.pop(key, None) or "").strip() for key in SYSTEM_KEYS)
        if creation_class and creation_class.lower() != class_name.lower():
            raise invalid(f"CreationClassName: {creation_class!r} is another class; expected {class_name}")
        if len(name) > MAX_NAME:
            raise invalid(f"Name: it has {len(name)} characters; expected at most {MAX_NAME}")
        return {
            "class_name": class_name,
            "system_class": system_class or self._system[0],
            "system": system or self._system[1],
            "name": name or self._origin(),
            "owner": principal_of(context).name,
            "created": datetime.now(UTC),
        }


class FilterProvider(NamedProvider[FilterRecord]):
    """Serves CIM_IndicationFilter."""

    class_names = (FILTER,)

    def records(self) -> Iterable[FilterRecord]:
        return [*self._subscriptions.filters(), *self._relayed.filters()]

    def record(self, key: str) -> FilterRecord | None:
        return self._subscriptions.filter(key) or self._relayed.filter(key)

    def named_records(self, class_name: str, name: str) -> Iterable[FilterRecord]:
        own = self._subscriptions.filters_named(class_name, name)
        return [*own, *(each for each in self._relayed.filters() if each.name == name)]

    def shown(self, record: FilterRecord) -> Properties:
        spaces = record.source_namespaces
        return {
            "Query": record.query,
            "QueryLanguage": record.language,
            "SourceNamespaces": spaces or None,
            "SourceNamespace": spaces[0] if len(spaces) == 1 else None,
            "ElementName": record.properties.get("ElementName") or record.name,
            "IndividualSubscriptionSupported": True,
        }

    def create_instance(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        given = dict(properties)
        named = self.named(class_name, given, context)
        record = FilterRecord(**named, **_selection(given), properties=left_properties(given))
        self._subscriptions.add_filter(record)
        return self._instance(record, context).path()

    def modify_instance(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        record = self.find(class_name, keys)
        self.require_changeable(record, context)
        shown = dict(self._instance(record, context).properties())
        if "SourceNamespace" in properties and "SourceNamespaces" not in properties:
            shown.pop("SourceNamespaces", None)
        given = {**shown, **properties}
        for key in SYSTEM_KEYS:
            given.pop(key, None)
        self._subscriptions.replace_filter(replace(record, **_selection(given), properties=left_properties(given)))

    def delete_instance(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        record = self.find(class_name, keys)
        self.require_changeable(record, context)
        self._subscriptions.remove_filter(record)


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
        record = self.find(class_name, keys)
        self.require_changeable(record, context)
        shown = self._instance(record, context).properties()
        given = {**shown, **properties}
        for key in SYSTEM_KEYS:
            given.pop(key, None)
        if given.get("Description") == shown["Description"]:
            given["Description"] = record.properties.get("Description")
        self._subscriptions.replace_destination(
            replace(record, **self._place(given), properties=left_properties(given))
        )

    def delete_instance(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        record = self.find(class_name, keys)
        self.require_changeable(record, context)
        self._subscriptions.remove_destination(record)

    def _instance(self, record: DestinationRecord, context: RequestContext) -> NamedInstance:
        shown = self.shown(record)
        instance = NamedInstance(record, context.namespace, shown)
        # What its queue has done is shown as well.
        instance.revision = instance.revision, shown["Description"]
        return instance

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

    def _instance(self, record: DestinationRecord, context: RequestContext) -> NamedInstance:
        shown = self.shown(record)
        instance = NamedInstance(record, context.namespace, shown)
        # What its queue has done is shown as well.
        instance.revision = instance.revision, shown["Description"]
        return instance


def account(queue: DestinationQueue) -> str:
    """Say what has become of the indications in a queue since the server started."""
    return f"{len(queue)} waiting, {queue.delivered} delivered, {queue.dropped} dropped"


class CollectionInstance(Instance):
    """A collection of filters.

    Parameters:
        collection: what is known of it.
        namespace: the name of the Interop namespace that was asked for.
    """

    __slots__ = ("class_name", "collection", "identity", "namespace")

    def __init__(self, collection: FilterCollection, namespace: str) -> None:
        self.collection = collection
        self.class_name = COLLECTION
        self.namespace = namespace
        self.identity: Hashable = collection.key

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return 0

    def keys(self) -> dict[str, CIMValue]:
        return {"InstanceID": self.collection.instance_id}

    def properties(self) -> Properties:
        name = self.collection.name
        return {**self.keys(), "CollectionName": name, "ElementName": name}


class CollectionProvider(InstanceProvider):
    """Serves CIM_FilterCollection.

    Parameters:
        subscriptions: know the collections.
    """

    class_names = (COLLECTION,)

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions

    def instances(self, class_name: str, context: RequestContext) -> list[CollectionInstance]:
        return [CollectionInstance(each, context.namespace) for each in self._subscriptions.collections.values()]

    def some(self, keys: Iterable[str], context: RequestContext) -> list[CollectionInstance]:
        """Those that have one of these keys."""
        wanted = frozenset(keys)
        return [each for each in self.instances(COLLECTION, context) if each.collection.key in wanted]

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        return CollectionInstance(self.find(class_name, keys), context.namespace)

    def find(self, class_name: str, keys: Keys) -> FilterCollection:
        """The one with this InstanceID.  Raises CIMError NOT_FOUND."""
        wanted = next((str(value).strip() for name, value in keys.items() if name.lower() == "instanceid"), "")
        for collection in self._subscriptions.collections.values():
            if collection.instance_id.lower() == wanted.lower():
                return collection
        raise CIMError(Status.NOT_FOUND, f"There is no {class_name} with the InstanceID {wanted!r}")


class MemberOfCollection(Association):
    """CIM_MemberOfCollection: the filters of a collection.

    Parameters:
        collections, filters: what it connects.
    """

    class_names = ("CIM_MemberOfCollection",)
    left = End("Collection", frozenset({COLLECTION}))
    right = End("Member", frozenset({FILTER}))

    def __init__(self, collections: CollectionProvider, filters: FilterProvider) -> None:
        self._collections = collections
        self._filters = filters

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        return self._filters.some(self._collections.find(COLLECTION, left.keys()).members, context)

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        collections = self._collections.instances(COLLECTION, context)
        return [each for each in collections if right.identity in each.collection.members]

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return self._collections.instances(COLLECTION, context)

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]


def invalid(text: str) -> CIMError:
    """The error for a value that cannot be."""
    return CIMError(Status.INVALID_PARAMETER, text)


def elsewhere(name: str) -> CIMError:
    """The error for changing here what another CIM server has."""
    return CIMError(Status.NOT_SUPPORTED, f"{name} is in another CIM server; expected to be changed there")


def require_owner(owner: str, context: RequestContext, access: Access) -> None:
    """Refuse to change what another user made, unless who asks administers.  Raises CIMError ACCESS_DENIED."""
    principal = principal_of(context)
    if principal.name != owner and access.role(principal, context.namespace) < Role.ADMINISTER:
        raise CIMError(Status.ACCESS_DENIED, f"{principal.called} may not change what others made")


def _own(record: NamedRecord, key: str) -> str:
    """The value of a key, named in lower case; "" for what is none."""
    return {
        "systemcreationclassname": record.system_class,
        "systemname": record.system,
        "creationclassname": record.class_name,
    }.get(key, "")


def _selection(given: dict[str, CIMValue]) -> Selection:
    """Take what a filter selects out of its properties.  Raises CIMError INVALID_PARAMETER for what is missing."""
    query, language = (str(given.pop(name, None) or "").strip() for name in ("Query", "QueryLanguage"))
    for name, value in (("Query", query), ("QueryLanguage", language)):
        if not value:
            raise invalid(f"{name}: it is missing; expected that of a filter")
    spaces, space = given.pop("SourceNamespaces", None), given.pop("SourceNamespace", None)
    listed = spaces if isinstance(spaces, list | tuple) else ()
    wanted = [str(each or "").strip().strip("/") for each in listed or (space,)]
    given.pop("IndividualSubscriptionSupported", None)
    return {"query": query, "language": language, "source_namespaces": tuple(filter(None, wanted))}


def left_properties(given: Mapping[str, CIMValue]) -> dict[str, CIMValue]:
    """The properties that the server keeps as they are."""
    return {name: value for name, value in given.items() if value is not None}
