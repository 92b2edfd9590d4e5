"""Which method needs which role: what elements declare, for every class that is served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from virtcim.providers.base import ElementProvider
from virtcim.providers.interface import Catalog, Role

__all__ = ["method_roles"]

_DELETE = "DeleteInstance"


def method_roles(catalog: Catalog) -> Mapping[str, Role]:
    """The roles that are needed for methods, and to delete instances, by `<class>.<method>`.

    What needs `administer`, as everything does unless an element declares less, is left out.
    """
    return {name: role for name, role in _declared(catalog) if role is not Role.ADMINISTER}


def _declared(catalog: Catalog) -> Iterator[tuple[str, Role]]:
    # Those of two sites declare the same.
    providers = {
        (type(provider), tuple(provider.class_names)): provider
        for group in catalog.namespaces.values()
        for provider in group
        if isinstance(provider, ElementProvider)
    }
    for provider in providers.values():
        yield from _declared_by(provider)


def _declared_by(provider: ElementProvider) -> Iterator[tuple[str, Role]]:
    for class_name in provider.class_names:
        _, element = provider.resolve(class_name)
        yield f"{class_name}.{_DELETE}", element.delete_role
        for method in element.methods:
            yield f"{class_name}.{method.name}", method.role
