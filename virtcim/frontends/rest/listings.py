"""Instances as JSON: one, all, or a page of them; and their ETags."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from virtcim.cimom.requests import Projection
from virtcim.cimom.results import Batch, Extents, Instances
from virtcim.frontends.rest.answers import Answer, listed
from virtcim.frontends.rest.calls import Call
from virtcim.frontends.rest.targets import namespace_href
from virtcim.frontends.rest.values import shown, shown_properties
from virtcim.providers.interface import Instance, InstancePath
from virtcim.schema.classes import ClassStore

__all__ = ["MAX_PAGE", "Listings"]

log = logging.getLogger(__name__)

MAX_PAGE = 10**9
"""What a client may ask for; the server tells fewer."""


class Listings:
    """Shows instances.

    Parameters:
        classes: where their classes are.
        max_objects: instances of one page.
    """

    def __init__(self, classes: ClassStore, max_objects: int) -> None:
        self._classes = classes
        self._max_objects = max_objects
        self._salt = secrets.randbits(64)

    def listing(
        self,
        namespace: str,
        instances: Iterable[Instance],
        projection: Projection,
        with_path: bool = True,
        **further: Any,
    ) -> Answer:
        """List instances; a broken one is left out.

        Parameters:
            namespace: of those that do not say theirs.
            with_path: whether each has its path and its ETag; the results of a query have none.
            further: members after the list, as `answers.listed` has them.
        """
        found = self._each(instances, lambda each: self.shown(namespace, each, projection, with_path))
        return Answer(pieces=listed("instances", found, **further))

    def names(self, result: Extents | Instances) -> Answer:
        """List the names of instances; a broken one is left out."""
        instances = result.instances
        found = self._each(instances, lambda each: self.named(each.path(), each.namespace or result.namespace))
        return Answer(pieces=listed("instances", found))

    def page(self, batch: Batch, call: Call) -> Answer:
        """Show the instances of a page, and where the next one is."""
        following = None
        if batch.context is not None:
            size = f"?max={self.page_size(call)}"
            following = f"{namespace_href(batch.namespace)}/pages/{quote(batch.context, safe='')}{size}"
        return self.listing(batch.namespace, batch.instances, batch.projection, next=following)

    def page_size(self, call: Call) -> int:
        """The instances of a page."""
        return min(call.number("max", MAX_PAGE), self._max_objects) if "max" in call.query else self._max_objects

    def shown(
        self, namespace: str, instance: Instance, projection: Projection, with_path: bool = True
    ) -> dict[str, Any]:
        """Show an instance.  Raises whatever a broken one raises."""
        own = instance.namespace or namespace
        declaration = self._classes[instance.class_name]
        wanted = projection.properties
        if projection.limit_class is not None:
            limit = frozenset(self._classes[projection.limit_class].properties)
            wanted = limit if wanted is None else wanted & limit
        properties = shown_properties(instance.properties(), declaration, wanted, own)
        if not with_path:
            return {"class": instance.class_name, "properties": properties}
        return {**self.named(instance.path(), own), "etag": self.tag(instance), "properties": properties}

    def named(self, path: InstancePath, namespace: str) -> dict[str, Any]:
        """Name an instance: its class, its namespace, its keys and where it is found."""
        place = path.namespace or namespace
        return {"class": path.class_name, "namespace": place, **shown(path, place)}

    def tag(self, instance: Instance) -> str:
        """The ETag of an instance: another one with each revision, and with each start of the server."""
        return f'"{hash((self._salt, instance.class_name, instance.revision)) & 0xFFFFFFFFFFFFFFFF:016x}"'

    @staticmethod
    def _each(instances: Iterable[Instance], show: Callable[[Instance], Any]) -> Iterator[Any]:
        """Show instances; a broken one is left out."""
        for instance in instances:
            try:
                yield show(instance)
            except Exception:
                log.exception("A %s is left out: %r", instance.class_name, instance.identity)
