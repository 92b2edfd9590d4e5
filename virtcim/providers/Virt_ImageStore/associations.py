"""CIM_MemberOfCollection: the store and its groups; a group and its templates, as they are and as settings of nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from virtcim.images.library import Library
from virtcim.providers.base import class_of
from virtcim.providers.interface import Association, End, Instance, RequestContext
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.templates import TemplateSetting
from virtcim.providers.Virt_ImageStore.elements import (
    IMAGE_STORE,
    TEMPLATE,
    TEMPLATE_GROUP,
    ShownGroup,
    ShownStore,
    ShownTemplate,
)
from virtcim.providers.Virt_ImageStore.provider import ImageStoreProvider
from virtcim.providers.Virt_ImageStore.templates import TemplateGroupProvider

__all__ = ["StoreMembers", "TemplateMembers"]


class StoreMembers(Association):
    """The store, and the groups of templates.

    Parameters:
        store: its provider.
        groups: theirs.
    """

    class_names = ("CIM_MemberOfCollection",)
    left = End("Collection", frozenset({IMAGE_STORE}))
    right = End("Member", frozenset({TEMPLATE_GROUP}))

    def __init__(self, store: ImageStoreProvider, groups: TemplateGroupProvider) -> None:
        self._store = store
        self._groups = groups

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        return self._groups.all() if isinstance(left, ShownStore) else ()

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        return (self._store.service,) if isinstance(right, ShownGroup) else ()

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return (self._store.service,)

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]


class TemplateMembers(Association):
    """A group, its templates, and their settings on each node that has a platform for them.

    Parameters:
        library: has the templates.
        nodes: all nodes.
        groups: the provider of groups.
        namespace: where groups and templates are shown.
    """

    class_names = ("CIM_MemberOfCollection",)

    def __init__(self, library: Library, nodes: NodeRegistry, groups: TemplateGroupProvider, namespace: str) -> None:
        self._library = library
        self._nodes = nodes
        self._groups = groups
        self._namespace = namespace
        settings = {class_of(platform.prefix, TemplateSetting.base) for platform in nodes.local.platforms}
        self.left = End("Collection", frozenset({TEMPLATE_GROUP}))
        self.right = End("Member", frozenset({TEMPLATE, *settings}))

    def to_right(self, left: Instance, context: RequestContext) -> Iterator[Instance]:
        if not isinstance(left, ShownGroup):
            return
        for template in self._library.templates.all():
            if template.group != left.name:
                continue
            yield ShownTemplate(template, self._namespace)
            for site in self._nodes.sites():
                for platform in site.platforms:
                    if site.hypervisors(platform) and template.serves(platform.prefix):
                        yield TemplateSetting(site, platform, template)

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        if not isinstance(right, ShownTemplate | TemplateSetting):
            return ()
        return [each for each in self._groups.all() if each.name == right.template.group]

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return self._groups.all()

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]
