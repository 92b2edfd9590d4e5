"""What filters and destinations have in common: they bear names, belong to users, and are found by their keys."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Generic, TypedDict, TypeVar

from virtcim.cimom.access import Access, Role
from virtcim.cimom.context import principal_of
from virtcim.cimom.indications.queue import Queues
from virtcim.cimom.indications.records import DestinationRecord, FilterRecord, NamedRecord
from virtcim.cimom.indications.relayed import Relayed
from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.cimom.indications.subscriptions import Subscriptions
from virtcim.providers.interface import (
    CIMError,
    CIMValue,
    Instance,
    InstanceProvider,
    Keys,
    Properties,
    RequestContext,
    Status,
)

__all__ = [
    "Named",
    "NamedInstance",
    "NamedProvider",
    "elsewhere",
    "invalid",
    "left_properties",
    "require_owner",
]

SYSTEM_KEYS = ("SystemCreationClassName", "SystemName", "CreationClassName", "Name")
MAX_NAME = 1024
"""Characters of a name."""

Record = TypeVar("Record", FilterRecord, DestinationRecord)


class Named(TypedDict):
    """The fields of a `NamedRecord` that its keys and its maker give."""

    class_name: str
    system_class: str
    system: str
    name: str
    owner: str
    created: datetime


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
        # What its queue has done is shown as well, in the description of a destination.
        self.revision: Hashable = record.created, record.revision, shown.get("Description")
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

    def find_changeable(self, class_name: str, keys: Keys, context: RequestContext) -> Record:
        """Find the one with these keys, which who asks may change.

        Raises:
            CIMError: NOT_FOUND; ACCESS_DENIED for what another user made, unless who asks administers; NOT_SUPPORTED
                for what is in another CIM server.
        """
        record = self.find(class_name, keys)
        require_owner(record.owner, context, self._access)
        if self._relayed.is_one(record):
            raise elsewhere(record.name)
        return record

    def amended(self, record: Record, shown: Properties, changes: Properties) -> dict[str, CIMValue]:
        """The properties of an instance, without its keys, of which some are changed.

        Parameters:
            shown: what it shows beside its keys and what the client gave.
        """
        given = {**record.properties, **shown, **changes}
        return {name: value for name, value in given.items() if name not in SYSTEM_KEYS}

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


def left_properties(given: Mapping[str, CIMValue]) -> dict[str, CIMValue]:
    """The properties that the server keeps as they are."""
    return {name: value for name, value in given.items() if value is not None}
