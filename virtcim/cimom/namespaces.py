"""The namespaces of a server: which provider serves which class there, and how its instances are written."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from virtcim.cimom.associations import AssociationProvider, Link
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cimxml.cache import Bucket, CachedInstance, InstanceCache
from virtcim.frontends.cimxml.encode import NO_BODY, Body, EncodedReference, Encoder, Table
from virtcim.providers.interface import (
    Association,
    Catalog,
    CIMError,
    Instance,
    InstancePath,
    InstanceProvider,
    RequestContext,
    Status,
)
from virtcim.schema.classes import ClassStore

__all__ = ["Namespace", "Namespaces", "normalized"]

log = logging.getLogger(__name__)


def normalized(namespace: str) -> str:
    """A namespace name for comparison: any case, outer slashes tolerated (DSP0004 2.8, section 8.2.4)."""
    return namespace.strip("/").lower()


class Namespace:
    """One namespace.

    Attributes:
        name: as the catalog spells it.
        encoder: writes the instances that live here.
        associations: those that can be traversed from here.
        siblings: all namespaces, by normalized name.
    """

    def __init__(
        self, name: str, catalog: Catalog, classes: ClassStore, settings: ServerSettings, cache: InstanceCache
    ) -> None:
        self.name = name.strip("/")
        self.associations: tuple[Association, ...] = tuple(
            each for each in catalog.associations.get(name, ()) if any(known in classes for known in each.class_names)
        )
        self.siblings: Mapping[str, Namespace] = {}
        self._classes = classes
        self._cache = cache
        self._homes = {key.lower(): value.strip("/") for key, value in catalog.namespace_of.items()}
        self._providers: dict[str, InstanceProvider] = {}
        self._order: dict[str, int] = {}
        for provider in catalog.namespaces.get(name, ()):
            for class_name in provider.class_names:
                self._register(class_name, provider)
        by_class: dict[str, list[Association]] = {}
        for association in catalog.associations.get(name, ()):
            for class_name in association.class_names:
                by_class.setdefault(class_name, []).append(association)
        for class_name, associations in by_class.items():
            self._register(class_name, AssociationProvider(class_name, associations, self.resolve))
        self.encoder = Encoder(classes, self.name, settings.host_name, self.home)
        self.served = lru_cache(maxsize=1024)(self._served)
        self.path_start = lru_cache(maxsize=16)(self._path_start)

    def _register(self, class_name: str, provider: InstanceProvider) -> None:
        declaration = self._classes.get(class_name)
        if declaration is None:
            log.error("Class %s of provider %r is not declared; it is not served", class_name, provider)
            return
        if declaration.name.lower() not in self._providers:
            self._providers[declaration.name.lower()] = provider
            self._order[declaration.name] = len(self._order)

    def home(self, class_name: str) -> str:
        """The namespace where the instances of a class live: this one where it is served here."""
        lowered = class_name.lower()
        if lowered in self._providers:
            return self.name
        return self._homes.get(lowered, self.name)

    def at_home(self, class_name: str) -> Namespace:
        """The namespace object where the instances of a class live."""
        return self.siblings.get(normalized(self.home(class_name)), self)

    def provider(self, class_name: str) -> InstanceProvider | None:
        """The provider of a creation class, name in any case; None when it has none here."""
        return self._providers.get(class_name.lower())

    def _served(self, class_name: str) -> tuple[str, ...]:
        """The creation classes among a class and its descendants that have a provider here, in a stable order."""
        return tuple(sorted(self._classes.concrete(class_name) & self._order.keys(), key=self._order.__getitem__))

    def resolve(self, path: InstancePath, context: RequestContext) -> Instance:
        """The instance that a path names, in whichever namespace it lives.

        Raises:
            CIMError: NOT_FOUND when there is none, or what the provider raises.
        """
        name = path.namespace or self.home(path.class_name)
        place = self.siblings.get(normalized(name))
        provider = place.provider(path.class_name) if place else None
        if place is None or provider is None:
            raise CIMError(Status.NOT_FOUND, f"No instance of {path.class_name} exists in {name}")
        if place is not self:
            context = RequestContext(place.name, context.principal, context.request_id)
        declaration = self._classes[path.class_name]
        return provider.get_instance(declaration.name, path.keys, context)

    def encoded(self, instance: Instance, table: Table | None) -> tuple[bytes, Body] | None:
        """The INSTANCENAME and INSTANCE (`NO_BODY` without a table) of an instance that lives here.

        None when the instance is broken; the log tells why.
        """
        try:
            return (self.name_of(instance), NO_BODY) if table is None else self.name_and_body(instance, table)
        except Exception:
            log.exception("A %s is left out: %r", instance.class_name, instance.identity)
            return None

    def name_of(self, instance: Instance) -> bytes:
        """The INSTANCENAME of an instance that lives here.  Raises whatever a broken instance raises."""
        if isinstance(instance, Link):
            return self.encoder.instance_name(instance.class_name, self._link_keys(instance)).encode()
        return self._name(instance, *self._entry(instance))

    def body_of(self, instance: Instance, table: Table) -> Body:
        """The INSTANCE of an instance that lives here.  Raises whatever a broken instance raises."""
        if isinstance(instance, Link):
            return table.body({**instance.extra(), **self._link_keys(instance)})
        return self._body(instance, table, *self._entry(instance))

    def name_and_body(self, instance: Instance, table: Table) -> tuple[bytes, Body]:
        """The INSTANCENAME and INSTANCE of an instance that lives here.  Raises whatever a broken instance raises."""
        if isinstance(instance, Link):
            keys = self._link_keys(instance)
            name = self.encoder.instance_name(instance.class_name, keys).encode()
            return name, table.body({**instance.extra(), **keys})
        bucket, entry = self._entry(instance)
        return self._name(instance, bucket, entry), self._body(instance, table, bucket, entry)

    def _entry(self, instance: Instance) -> tuple[Bucket, CachedInstance]:
        bucket = self._cache.bucket(self.name, instance.class_name)
        return bucket, self._cache.entry(bucket, instance.identity, instance.revision, time.monotonic())

    def _name(self, instance: Instance, bucket: Bucket, entry: CachedInstance) -> bytes:
        name = entry.name
        if name is None:
            name = self.encoder.instance_name(instance.class_name, instance.keys()).encode()
            self._cache.store_name(bucket, instance.identity, entry, name)
        return name

    def _body(self, instance: Instance, table: Table, bucket: Bucket, entry: CachedInstance) -> Body:
        body = entry.bodies.get(table)
        if body is None:
            body = table.body(instance.properties())
            self._cache.store_body(bucket, instance.identity, entry, table, body)
        return body

    def _link_keys(self, link: Link) -> dict[str, EncodedReference]:
        """The two references of an association, from the cached names of its ends: links are not cached."""
        return {role: self.at_home(end.class_name).reference_to(end) for role, end in link.ends()}

    def reference_to(self, instance: Instance) -> EncodedReference:
        """The LOCALINSTANCEPATH of an instance that lives here."""
        name = self.name_of(instance).decode()
        return EncodedReference(
            f"<LOCALINSTANCEPATH>{self.encoder.local_namespace(self.name)}{name}</LOCALINSTANCEPATH>"
        )

    def _path_start(self, tag: str) -> bytes:
        """The start of an INSTANCEPATH or CLASSPATH, up to the name."""
        return f"<{tag}>{self.encoder.namespace_path(self.name)}".encode()

    def complete(
        self, class_name: str, instances: Iterable[Instance], table: Table | None
    ) -> Iterator[tuple[bytes, Body]]:
        """The whole of a creation class, as INSTANCENAME and INSTANCE (`NO_BODY` without a table).

        A broken instance is left out.  What else is remembered of the class is forgotten, so `instances` has to be
        complete.
        """
        bucket, now = self._cache.bucket(self.name, class_name), time.monotonic()
        identities = []
        for instance in instances:
            identity = instance.identity
            identities.append(identity)
            entry = bucket.get(identity)
            if entry is not None and entry.revision == instance.revision:
                entry.used = now
                name = entry.name
                body = NO_BODY if table is None else entry.bodies.get(table)
                if name is not None and body is not None:
                    yield name, body
                    continue
            encoded = self.encoded(instance, table)
            if encoded is not None:
                yield encoded
        self._cache.keep_only(bucket, identities)


class Namespaces:
    """All namespaces of a server.

    Parameters:
        catalog: which provider serves which class where.
        classes: the class store.
        settings: host name and cache limits.
    """

    def __init__(self, catalog: Catalog, classes: ClassStore, settings: ServerSettings) -> None:
        self.cache = InstanceCache(settings.cache_bytes, settings.cache_seconds)
        names = dict.fromkeys([*catalog.namespaces, *catalog.associations])
        self._by_name = {normalized(name): Namespace(name, catalog, classes, settings, self.cache) for name in names}
        for namespace in self._by_name.values():
            namespace.siblings = self._by_name

    def __getitem__(self, name: str) -> Namespace:
        """The namespace with this name.  Raises CIMError INVALID_NAMESPACE."""
        try:
            return self._by_name[normalized(name)]
        except KeyError:
            raise CIMError(Status.INVALID_NAMESPACE, f"Namespace {name} does not exist") from None
