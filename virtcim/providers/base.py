"""What the providers share: handles on instances, and finding them by class and by keys."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from virtcim.platforms.base import Platform
from virtcim.providers.interface import (
    CIMError,
    CIMValue,
    Instance,
    InstanceProvider,
    Keys,
    MethodResult,
    Properties,
    RequestContext,
    Role,
    Status,
)
from virtcim.providers.keys import check_keys, main_key, strip_values
from virtcim.providers.methods import Method, MethodFailedError, Parameters
from virtcim.providers.properties import PropertyTable
from virtcim.providers.site import Site

if TYPE_CHECKING:
    from virtcim.libhelper.inventory.records import Host, Record
    from virtcim.providers.sources import Source

__all__ = ["Element", "ElementProvider", "MainKey", "class_of", "no_such_domain", "trimmed"]

_log = logging.getLogger(__name__)

_CAPTION_LENGTH = 64
"""MaxLen of CIM_ManagedElement.Caption."""


@lru_cache(maxsize=16384)
def class_of(prefix: str, base: str) -> str:
    """The name of a class; always the same object, so that comparing and hashing are cheap."""
    return f"{prefix}_{base}"


def trimmed(text: str, length: int = _CAPTION_LENGTH) -> str:
    """A text cut to `length` characters, the MaxLen of the property that takes it."""
    return text if len(text) <= length else text[: length - 1] + "…"


class MainKey(NamedTuple):
    """The key property by which an instance is found.

    Attributes:
        name: of the property.
        missing: what a client is told who leaves it out, in libvirt-cim's words.
        status: with which it is told.
    """

    name: str
    missing: str
    status: Status = Status.FAILED


class Element(Instance):
    """A handle on an instance whose properties are declared in a table.

    Attributes:
        base: the name of its class without the prefix.
        key_names: the key properties in the order of the class.
        main_key: the one that tells an instance from the others on its platform, or nearly so.
        ignores_case: whether the main key is found in any case.
        source: what there are instances for.
        surveyed: the types of the records of which each may have to do with any instance: when one changes, all
            instances are looked at.
        surveyed_properties: those that may change so of instances that are images of records otherwise.
        table: its properties.
        methods: what it can be asked to do.
        delete_role: what is needed to delete an instance, where that is possible.
        indicated_as: what the names of libvirt-cim's indications of its changes begin with, after the prefix; "" where
            it had none.
        site, platform: that it belongs to.
    """

    __slots__ = ("class_name", "identity", "namespace", "platform", "site")

    base: ClassVar[str]
    key_names: ClassVar[tuple[str, ...]]
    main_key: ClassVar[MainKey]
    ignores_case: ClassVar[bool] = False
    source: ClassVar[Source[Any]]
    table: ClassVar[PropertyTable[Self]]
    methods: ClassVar[Sequence[Method[Self]]] = ()
    delete_role: ClassVar[Role] = Role.ADMINISTER
    indicated_as: ClassVar[str] = ""
    surveyed: ClassVar[tuple[type[Record | Host], ...]] = ()
    surveyed_properties: ClassVar[tuple[str, ...]] = ()
    site: Site
    platform: Platform

    def __init__(self, site: Site, platform: Platform, identity: Hashable) -> None:
        self.site = site
        self.class_name = class_of(platform.prefix, self.base)
        self.namespace = site.namespace
        self.platform = platform
        self.identity = identity

    @classmethod
    @abstractmethod
    def made_from(cls, owner: Any) -> Iterable[Self]:
        """The instances of this type that one owner of the source has, in a stable order."""

    @classmethod
    def all_of(cls, site: Site, platform: Platform) -> Iterable[Self]:
        """All instances of this type on one platform, in a stable order."""
        return cls.source.instances(site, platform, cls)

    @classmethod
    def surveyed_on(cls, site: Site, platform: Platform) -> Iterable[Self]:
        """Those instances on one platform that are no image of a record, and are looked at as `surveyed` says."""
        return (each for each in cls.all_of(site, platform) if not each.is_of_record)

    @property
    def is_of_record(self) -> bool:
        """Whether it is an image of a record, of a type whose instances are looked at as `surveyed` says."""
        return False

    @classmethod
    def with_key(cls, site: Site, platform: Platform, key: str) -> Self | None:
        """The instance whose main key has this value; None when there is none.

        Parameters:
            key: in any case where the class does not tell cases apart; an instance in just this spelling goes before.
        """
        folded = key.casefold()
        other = None
        for owner in cls.source.owners_near(site, platform, key):
            for element in cls.made_from(owner):
                own = str(cls.table[cls.main_key.name].get(element))
                if own == key:
                    return element
                if other is None and cls.ignores_case and own.casefold() == folded:
                    other = element
        return other

    @classmethod
    def no_such(cls, site: Site, platform: Platform, key: str) -> CIMError:
        """The error for a main key that no instance has."""
        return CIMError(Status.NOT_FOUND, f"No such instance ({key})")

    @property
    def lasting(self) -> bool:  # type: ignore[override]
        return self.source.lasting

    def keys(self: Self) -> dict[str, CIMValue]:
        return self.table.some_of(self, self.key_names)

    def declared_values(self: Self) -> Properties:
        """The properties that the table declares, as far as they have a value."""
        return self.table.values_of(self)

    def properties(self: Self) -> Properties:
        values = self.declared_values()
        own = self.platform.properties.get(self.base)
        return values if own is None else {**values, **_own_values(self, own)}

    def __repr__(self) -> str:
        return f"<{self.class_name} {self.identity!r}>"


def _own_values(element: Element, own: Mapping[str, Callable[[Any], Any]]) -> dict[str, CIMValue]:
    """The properties that an element has on its platform only; without those that the platform fails to compute."""
    values = {}
    for name, get in own.items():
        try:
            value = get(element)
        except Exception:  # whatever is wrong with it must not take the other properties with it
            _log.exception("%r: the property %s of its platform is left out", element, name)
            continue
        if value is not None:
            values[name] = value
    return values


@lru_cache(maxsize=1024)
def _classes_of(
    platforms: tuple[Platform, ...], types: tuple[type[Element], ...]
) -> tuple[Mapping[str, tuple[Platform, type[Element]]], tuple[str, ...]]:
    """The classes of element types on all platforms, and their names alone: the same objects for all sites."""
    classes = {
        class_of(platform.prefix, element.base): (platform, element) for platform in platforms for element in types
    }
    return classes, tuple(classes)


class ElementProvider(InstanceProvider):
    """Serves the classes of some kinds of elements, for every platform.

    A subclass names the element types; enumeration, finding an instance, the key checks and which class is whose are
    done here, from what the types declare.

    Parameters:
        site: what there is to serve.

    Attributes:
        name: under which it is registered with CIM servers: libvirt-cim's, where that had such a provider.
        types: the element types that it serves.
    """

    name: ClassVar[str]
    types: Sequence[type[Element]]

    def __init__(self, site: Site) -> None:
        self.site = site
        self._classes, self.class_names = _classes_of(site.platforms, tuple(self.types))

    def instances(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        platform, element = self.resolve(class_name)
        return element.all_of(self.site, platform)

    def is_lasting(self, class_name: str) -> bool:
        _, element = self.resolve(class_name)
        return element.source.lasting

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        return self.element(class_name, keys)

    def element(self, class_name: str, keys: Keys) -> Element:
        """The instance with just these keys; raises what `get_instance` does.

        Where there is none, blanks and line ends around the values do not count: clients of libvirt-cim send some.
        """
        try:
            return self._exact(class_name, keys)
        except CIMError as error:
            stripped = strip_values(keys)
            if error.status is not Status.NOT_FOUND or stripped == keys:
                raise
            try:
                return self._exact(class_name, stripped)
            except CIMError:
                raise error from None

    def _exact(self, class_name: str, keys: Keys) -> Element:
        platform, element = self.resolve(class_name)
        instance = self.find(platform, element, keys)
        check_keys(instance, class_name, keys)
        return instance

    def resolve(self, class_name: str) -> tuple[Platform, type[Element]]:
        """The platform and the element type of a creation class.

        Raises:
            CIMError: INVALID_CLASS for a class that this provider does not serve.
        """
        try:
            return self._classes[class_name]
        except KeyError:
            raise CIMError(Status.INVALID_CLASS, f"{class_name} is not served here") from None

    def tables(self) -> Mapping[str, PropertyTable[Any]]:
        """The properties of each kind of class, by its name without the prefix: what documentation is made from."""
        return {element.base: element.table for element in self.types}

    def invoke_method(
        self,
        class_name: str,
        keys: Keys | None,
        method: str,
        parameters: Parameters,
        context: RequestContext,
    ) -> MethodResult:
        _, element = self.resolve(class_name)
        declared = next((each for each in element.methods if each.name == method), None)
        if declared is None:
            return super().invoke_method(class_name, keys, method, parameters, context)
        target = self.target(class_name, keys)
        try:
            return declared.run(target, parameters, context)
        except MethodFailedError as failed:
            _log.info("%s.%s: %s (%s)", class_name, method, failed.text, failed.code.name)
            return MethodResult(int(failed.code))

    def target(self, class_name: str, keys: Keys | None) -> Element:
        """The instance that a method is invoked on.

        Parameters:
            keys: None when the method was invoked on the class.

        Raises:
            CIMError: as `get_instance`; INVALID_PARAMETER where there is no instance: which one is meant is not known.
        """
        if keys is None:
            raise CIMError(Status.INVALID_PARAMETER, f"{class_name} was named alone; expected an instance of it")
        return self.element(class_name, keys)

    def find(self, platform: Platform, element: type[Element], keys: Keys) -> Element:
        """The instance that the main key of `keys` names; the other keys are checked by the caller.

        Raises:
            CIMError: NOT_FOUND when there is none, FAILED when the main key is missing.
        """
        key = main_key(keys, *element.main_key)
        found = element.with_key(self.site, platform, key)
        if found is None:
            raise element.no_such(self.site, platform, key)
        return found


def no_such_domain(name: str) -> str:
    """libvirt's text for a domain that does not exist."""
    return f"Domain not found: no domain with matching name '{name}'"
