"""From a reference to the element that it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from virtcim.providers.interface import CIMError, InstancePath, Status

if TYPE_CHECKING:
    from virtcim.providers.base import Element
    from virtcim.providers.site import Site

__all__ = ["element_at", "require_own", "same_element"]


def element_at(site: Site, path: InstancePath) -> Element:
    """The element that a reference means.

    Raises:
        CIMError: as GetInstance does; INVALID_CLASS for a class that is not served; NOT_FOUND for another namespace.
    """
    require_own(site, path)
    return cast("Element", site.provider_of(path.class_name).element(path.class_name, path.keys))


def require_own(site: Site, path: InstancePath) -> None:
    """Refuse a reference into the namespace of another site, where an element can have the same keys.

    Raises:
        CIMError: NOT_FOUND.
    """
    if path.namespace and path.namespace.strip("/").lower() != site.namespace.lower():
        text = f"{path.class_name}: lives in {path.namespace}; expected one of {site.namespace}"
        raise CIMError(Status.NOT_FOUND, text)


def same_element(one: InstancePath, other: InstancePath) -> bool:
    """Whether two references, both made here, mean one element."""
    return one.class_name == other.class_name and dict(one.keys) == dict(other.keys)
