"""The provider interface: all that a front end (`cimom`, `cmpi`) knows of providers, and the reverse.

Layer rule: this module imports nothing of this project but `schema`, which lies below all.  `cimom` and `cmpi` import
it and no other module of `providers`; providers import it and neither of the front ends.

A provider speaks plain Python values.  The CIM type of each comes from the class declaration:

====================== =================================================================
CIM type               Python value
====================== =================================================================
boolean                `bool`
uint8 .. sint64        `int`
real32, real64         `float`
string, char16         `str`
datetime, a point      timezone-aware `datetime.datetime`
datetime, an interval  `datetime.timedelta`
reference              `InstancePath`
embedded instance      `EmbeddedInstance`
array of the above     `list` or `tuple`
NULL                   `None`
====================== =================================================================
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, ItemsView, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from typing import Generic, TypeAlias, TypeVar

from virtcim.immutable import immutable
from virtcim.schema.paths import InstancePath

__all__ = [
    "Alert",
    "Association",
    "CIMError",
    "CIMScalar",
    "CIMValue",
    "Catalog",
    "ChangeListener",
    "ChangeSource",
    "EmbeddedInstance",
    "End",
    "Instance",
    "InstanceChange",
    "InstancePath",
    "InstanceProvider",
    "Keys",
    "Lifecycle",
    "MethodResult",
    "Parameters",
    "Properties",
    "RequestContext",
    "RevisedInstance",
    "Role",
    "Status",
    "Store",
    "Table",
]

Record = TypeVar("Record")


class Status(enum.IntEnum):
    """The CIM status codes (DSP0200 1.4, section 5.3.3, and CIM_Error.CIMStatusCode)."""

    FAILED = 1
    ACCESS_DENIED = 2
    INVALID_NAMESPACE = 3
    INVALID_PARAMETER = 4
    INVALID_CLASS = 5
    NOT_FOUND = 6
    NOT_SUPPORTED = 7
    CLASS_HAS_CHILDREN = 8
    CLASS_HAS_INSTANCES = 9
    INVALID_SUPERCLASS = 10
    ALREADY_EXISTS = 11
    NO_SUCH_PROPERTY = 12
    TYPE_MISMATCH = 13
    QUERY_LANGUAGE_NOT_SUPPORTED = 14
    INVALID_QUERY = 15
    METHOD_NOT_AVAILABLE = 16
    METHOD_NOT_FOUND = 17
    NAMESPACE_NOT_EMPTY = 20
    INVALID_ENUMERATION_CONTEXT = 21
    INVALID_OPERATION_TIMEOUT = 22
    PULL_HAS_BEEN_ABANDONED = 23
    PULL_CANNOT_BE_ABANDONED = 24
    FILTERED_ENUMERATION_NOT_SUPPORTED = 25
    CONTINUATION_ON_ERROR_NOT_SUPPORTED = 26
    SERVER_LIMITS_EXCEEDED = 27
    SERVER_IS_SHUTTING_DOWN = 28
    QUERY_FEATURE_NOT_SUPPORTED = 29


class Role(enum.IntEnum):
    """What somebody may do; each role holds those before it."""

    NONE = 0
    READ = 1
    OPERATE = 2
    ADMINISTER = 3


LONGEST_DESCRIPTION = 4096
"""Characters of the text of an error: it may quote what a client has sent, which is of any length."""


class CIMError(Exception):
    """A CIM error as the client is to see it.

    Parameters:
        status: the CIM status code.
        description: text for the client; names the object and, where libvirt refused, holds libvirt's own text.  What
            is beyond `LONGEST_DESCRIPTION` is cut off.
        libvirt_code: libvirt's error number, where libvirt caused the error.
    """

    def __init__(self, status: Status, description: str = "", libvirt_code: int | None = None) -> None:
        if len(description) > LONGEST_DESCRIPTION:
            description = f"{description[:LONGEST_DESCRIPTION]}..."
        super().__init__(description)
        self.status = status
        self.description = description
        self.libvirt_code = libvirt_code

    def __str__(self) -> str:
        return f"CIM_ERR_{self.status.name}: {self.description}"


@immutable
class EmbeddedInstance:
    """A CIM instance as the value of a property or parameter (DSP0201 1.4, attribute EmbeddedObject)."""

    class_name: str
    properties: Properties


class RevisedInstance(EmbeddedInstance):
    """An embedded instance that is given again and again: whoever has written it at a revision need not do so anew.

    Parameters:
        class_name: its class.
        identity: tells it from all others of its class in a namespace.
        revision: another value once any of its properties has changed.
        compute: gives its properties, once somebody asks for them.
    """

    __slots__ = ("_compute", "_known", "identity", "revision")

    identity: Hashable
    revision: Hashable
    _compute: Callable[[], Properties]
    _known: Properties | None

    def __init__(
        self, class_name: str, identity: Hashable, revision: Hashable, compute: Callable[[], Properties]
    ) -> None:
        for name, value in (
            ("class_name", class_name),
            ("identity", identity),
            ("revision", revision),
            ("_compute", compute),
            ("_known", None),
        ):
            object.__setattr__(self, name, value)

    @property
    def properties(self) -> Properties:
        """Its properties."""
        known = self._known
        if known is None:
            known = self._compute()
            object.__setattr__(self, "_known", known)
        return known


CIMScalar: TypeAlias = bool | int | float | str | datetime | timedelta | InstancePath | EmbeddedInstance
"""A value that is no array and not NULL."""

CIMValue: TypeAlias = CIMScalar | Sequence[CIMScalar | None] | None
"""A value of a property, a parameter or a method, as the table above has it."""

Keys: TypeAlias = Mapping[str, CIMValue]
"""The values of key properties, by name."""

Properties: TypeAlias = Mapping[str, CIMValue]
"""The values of properties, by name."""

Parameters: TypeAlias = Mapping[str, CIMValue]
"""The values of the parameters of a method that were given, by name, spelt as the class declares them."""


@immutable
class RequestContext:
    """Who asks, and where: what a provider may want to know of a request.

    `principal` is the authenticated user ("" when authentication is off).  `namespace` is the target namespace.
    `as_job` says that the work of a method is to be a job from its beginning, however short it may be; `patience`, how
    many seconds the caller waits for the end of what has become a job, None for as long as it takes.
    """

    namespace: str
    principal: str = ""
    request_id: str = ""
    as_job: bool = False
    patience: float | None = 0.0


@immutable
class MethodResult:
    """What an extrinsic method gives back: the return value and the output parameters that are not NULL."""

    return_value: CIMValue
    out: Parameters = field(default_factory=dict)


class SharedProperties:
    """Properties that many instances have with the same values.

    Attributes:
        values: by name; they do not change.
        written: what a front end has made of them, which goes when they go.
    """

    __slots__ = ("values", "written")

    def __init__(self, values: Properties) -> None:
        self.values = values
        self.written: object = None


class LayeredProperties(Mapping[str, CIMValue]):
    """All properties of an instance, some of which it shares with others.

    They are put together when somebody asks for one of them; who writes each layer by itself does not.

    Attributes:
        shared: those; the same object for all instances that share them.
        own: all others.
    """

    __slots__ = ("_all", "own", "shared")

    def __init__(self, shared: SharedProperties, own: Properties) -> None:
        self.shared = shared
        self.own = own
        self._all: dict[str, CIMValue] | None = None

    @property
    def together(self) -> dict[str, CIMValue]:
        """Both layers in one."""
        known = self._all
        if known is None:
            known = self._all = {**self.shared.values, **self.own}
        return known

    def __getitem__(self, name: str) -> CIMValue:
        return self.together[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.together)

    def __len__(self) -> int:
        return len(self.together)

    def items(self) -> ItemsView[str, CIMValue]:
        return self.together.items()

    def __repr__(self) -> str:
        return repr(self.together)


class Instance(ABC):
    """A handle on one CIM instance: cheap to make, its properties are computed only when asked for.

    Attributes:
        class_name: the creation class, spelt as the class store has it (`KVM_ComputerSystem`).
        namespace: where it lives; the site that it belongs to, which is one node, sets it.
        identity: unique among the instances of `class_name` in a namespace, and hashable.
        revision: equal revisions of one identity promise equal properties.  Front ends may cache encoded
            instances under (class_name, identity) as long as the revision stays the same.
        lasting: whether, as long as the revision of its namespace in the catalog stays the same, an instance with these
            keys is there and has equal properties.
    """

    __slots__ = ()

    class_name: str
    namespace: str
    identity: Hashable
    revision: Hashable
    lasting: bool = False

    @abstractmethod
    def keys(self) -> dict[str, CIMValue]:
        """The key properties and their values, in the order of the class."""

    @abstractmethod
    def properties(self) -> Properties:
        """All properties that have a value, keys included.  A property left out is NULL."""

    def path(self) -> InstancePath:
        """Give the instance path, with the namespace where the instance lives."""
        return InstancePath(self.class_name, self.keys(), self.namespace)


class InstanceProvider(ABC):
    """Serves the instances of one or more creation classes.

    Attributes:
        class_names: the creation classes it serves: concrete classes, one for each platform that is present or known.
    """

    class_names: Sequence[str]

    @abstractmethod
    def instances(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        """The instances whose creation class is `class_name` (not of its subclasses).

        A broken instance is left out with a log line; a class whose hypervisor is absent has no instances.
        Makes no libvirt call: the inventory already knows.
        """

    def is_lasting(self, class_name: str) -> bool:
        """Whether the instances of a creation class are `Instance.lasting`, and none come as long either."""
        return False

    @abstractmethod
    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        """The instance with just these keys (names in any case, values as the client sent them).

        Raises:
            CIMError: NOT_FOUND when there is none; INVALID_PARAMETER when a key is missing, unknown or of the
                wrong type; with libvirt-cim's text where it has one.
        """

    def source(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        """The instance from which associations are followed: `get_instance`, and its errors in libvirt-cim's words.

        An incomplete path comes here as it was sent.
        """
        return self.get_instance(class_name, keys, context)

    def invoke_method(
        self,
        class_name: str,
        keys: Keys | None,
        method: str,
        parameters: Parameters,
        context: RequestContext,
    ) -> MethodResult:
        """Carry out an extrinsic method and wait until the inventory shows its effect.

        Parameters:
            keys: of the target instance; None when the method was invoked on the class.
            method: spelt as the class declares it.
            parameters: the input parameters that were given, typed and spelt as the class declares them.

        Raises:
            CIMError: METHOD_NOT_AVAILABLE when the class declares the method and the provider does not have it.
        """
        raise CIMError(Status.METHOD_NOT_AVAILABLE, f"{class_name}.{method} is not available")

    def create_instance(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        """Create an instance and return its path.  Raises CIMError NOT_SUPPORTED unless overridden."""
        raise CIMError(Status.NOT_SUPPORTED, f"Instances of {class_name} cannot be created")

    def modify_instance(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        """Set just these properties of an instance.  Raises CIMError NOT_SUPPORTED unless overridden."""
        raise CIMError(Status.NOT_SUPPORTED, f"Instances of {class_name} cannot be modified")

    def delete_instance(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        """Delete an instance.  Raises CIMError NOT_SUPPORTED unless overridden."""
        raise CIMError(Status.NOT_SUPPORTED, f"Instances of {class_name} cannot be deleted")


@immutable
class End:
    """One end of an association: its role (the name of the reference property) and the creation classes found there."""

    role: str
    class_names: frozenset[str]


class Association(ABC):
    """One association, declared: its classes, its two ends, and a way from each end to the other.

    The front end's one engine makes the four association operations, their filters and the instances of the
    association class from this.

    Attributes:
        class_names: the creation classes of the association (`KVM_SystemDevice`, `Xen_SystemDevice`, ...).
        left, right: the two ends, in the order of the keys of the class.
    """

    class_names: Sequence[str]
    left: End
    right: End

    @abstractmethod
    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        """The instances at the right end that are associated with `left`."""

    @abstractmethod
    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        """The instances at the left end that are associated with `right`."""

    @abstractmethod
    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        """The instances at the left end from which `to_right` reaches every instance of `class_name`."""

    @abstractmethod
    def class_name(self, left: Instance, right: Instance) -> str:
        """The creation class of the association between these two."""

    def properties(self, left: Instance, right: Instance) -> Properties:
        """Properties of the association beside its two references."""
        return {}

    def create(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        """Associate two elements, and return the path of the association.

        Parameters:
            class_name: the creation class of the association.
            properties: those of the association, its references among them.

        Raises:
            CIMError: NOT_SUPPORTED unless overridden.
        """
        raise CIMError(Status.NOT_SUPPORTED, f"Instances of {class_name} cannot be created")

    def delete(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        """End an association.

        Parameters:
            class_name: the creation class of the association.
            keys: the two references (names in any case).

        Raises:
            CIMError: NOT_SUPPORTED unless overridden.
        """
        raise CIMError(Status.NOT_SUPPORTED, f"Instances of {class_name} cannot be deleted")

    def modify(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        """Set just these properties of an association.

        Parameters:
            class_name: the creation class of the association.
            keys: the two references (names in any case).
            properties: those to set; keys are not among them.

        Raises:
            CIMError: NOT_SUPPORTED unless overridden.
        """
        raise CIMError(Status.NOT_SUPPORTED, f"Instances of {class_name} cannot be modified")


class Lifecycle(enum.Enum):
    """What has become of an instance (CIM_InstIndication)."""

    CREATED = enum.auto()
    MODIFIED = enum.auto()
    DELETED = enum.auto()


@immutable
class InstanceChange:
    """One instance before and after a change.

    Attributes:
        kind: what has become of it.
        before, after: the instance; None where there was or is none.
        indication: the class of the indication that tells of it, where that is one of our own; "" for the DMTF's.
    """

    kind: Lifecycle
    before: Instance | None
    after: Instance | None
    indication: str = ""

    @property
    def instance(self) -> Instance:
        """The instance as it is now, or as it was last (CIM_InstIndication.SourceInstance)."""
        instance = self.after or self.before
        assert instance is not None
        return instance


@immutable
class Alert:
    """Something that somebody should have a look at (CIM_AlertIndication).

    Attributes:
        namespace: of what it is about.
        element: what it is about; None for what has no instance (any more).
        element_name: what it is about, for people.
        properties: AlertType, PerceivedSeverity, ProbableCause and whatever else is known, by name.
        time: when it happened, in UTC.
    """

    namespace: str
    element: Instance | None
    element_name: str
    properties: Properties
    time: datetime


class ChangeListener(ABC):
    """Who wants to know of changes.  All methods may be called from any thread, and return at once."""

    @property
    @abstractmethod
    def is_active(self) -> bool:
        """Whether anything is wanted."""

    @property
    @abstractmethod
    def is_lasting(self) -> bool:
        """Whether anything is wanted by who wants it still after the end of the server; while it is not, no last known
        state has to be kept."""

    @abstractmethod
    def wants(self, class_name: str) -> bool:
        """Whether changes of instances of a creation class are wanted."""

    @abstractmethod
    def changed(self, changes: Sequence[InstanceChange], time: datetime) -> None:
        """Take what one change of one thing means for instances; never empty, and in order for each thing.

        Parameters:
            time: when it happened, in UTC.
        """

    @abstractmethod
    def alert(self, alert: Alert) -> None:
        """Take an alert."""


class ChangeSource(ABC):
    """Where changes of instances are known.

    Attributes:
        class_names: the creation classes whose instances can be told of, each with the namespaces where they live.
        indications: the indication classes of our own that can be told, each with the classes whose instances it is
            about.
    """

    class_names: Mapping[str, frozenset[str]]
    indications: Mapping[str, frozenset[str]]

    @abstractmethod
    def start(self, listener: ChangeListener) -> None:
        """Tell of all changes from now on, and of those since the last known state of an earlier run."""

    @abstractmethod
    def wanted_changed(self) -> None:
        """Take notice that the listener wants something else than before; called from any thread."""

    @abstractmethod
    def stop(self) -> None:
        """Tell nothing any more."""


def _no_revision(_namespace: str) -> Hashable:
    return object()


def _nothing(_namespace: str) -> frozenset[str]:
    return frozenset()


@immutable
class Catalog:
    """Which provider serves which class in which namespace: what `registration` hands to the front ends.

    Attributes:
        namespaces: namespace name (`root/virt`) to the providers that serve it.  A creation class has one provider
            in a namespace; in another one it can have another provider, and other instances.
        associations: namespace name to the associations that can be traversed from there.
        revision: gives the revision of everything that the lasting instances of a namespace, spelt in any way, are made
            from.  It is asked often, in every thread, that of the event loop among them: it looks at some numbers, and
            waits for nothing.  Without it no revision equals another one.
        hidden: gives the schema names (`kvm`, in lower case) whose classes a namespace does not have now, although they
            are served elsewhere.  It is asked as often, and waits as little.
    """

    namespaces: Mapping[str, Sequence[InstanceProvider]]
    associations: Mapping[str, Sequence[Association]]
    revision: Callable[[str], Hashable] = _no_revision
    hidden: Callable[[str], frozenset[str]] = _nothing


class Table(ABC, Generic[Record]):
    """Records of one kind by key, kept in memory and, behind it, on disk.

    All methods answer from memory and at once, in any thread; the disk follows.  A record is never changed: another
    one takes its place.
    """

    @abstractmethod
    def get(self, key: str) -> Record | None:
        """Give the record with a key; None when there is none."""

    @abstractmethod
    def items(self) -> list[tuple[str, Record]]:
        """List all keys and records, in the order of the keys."""

    @abstractmethod
    def __len__(self) -> int:
        """Count the records."""

    @abstractmethod
    def put(self, key: str, record: Record) -> None:
        """Keep a record under a key, in place of the one that is there, if any."""

    @abstractmethod
    def append(self, record: Record) -> str:
        """Keep a record behind all others, and return its key.

        Such keys are numbers in decimal, with zeros in front, so that their order is that of the numbers.  A table
        whose records are appended has no other keys.
        """

    @abstractmethod
    def remove(self, key: str) -> None:
        """Keep the record with a key no longer; nothing happens when there is none."""


class Store(ABC):
    """What outlives the server: tables of records, written behind by one thread.

    Whoever changes a table never waits for the disk; a disk that is slow, full or locked by another process costs what
    was changed since it was well if the server ends meanwhile, and nothing else.
    """

    @abstractmethod
    def table(self, name: str, kind: type[Record]) -> Table[Record]:
        """Open a table, with the records of earlier runs of the server.

        Parameters:
            name: of the table, the same in every version of the server; opened once.
            kind: the frozen dataclass of its records.  Its fields are what JSON knows, datetimes, intervals,
                enumerations, tuples, mappings by name, further such dataclasses and, as `CIMValue`, CIM values.  A
                field that is added later needs a default.

        Raises:
            ValueError: the table is open already.
        """

    @abstractmethod
    def flush(self, timeout: float) -> bool:
        """Wait until everything that was changed before the call is on disk, safe from the end of the process and of
        the machine.

        Parameters:
            timeout: seconds to wait at most.

        Returns:
            whether it is.
        """
