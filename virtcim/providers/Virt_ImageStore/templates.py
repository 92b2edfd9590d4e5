"""The providers of templates and their groups: reading, and making, changing and removing those made at run time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from virtcim.images.library import Library
from virtcim.images.templates import Template, TemplateError, parse_template
from virtcim.providers.errors import store_failure
from virtcim.providers.interface import (
    CIMError,
    InstancePath,
    InstanceProvider,
    Keys,
    Properties,
    RequestContext,
    Status,
)
from virtcim.providers.keys import instance_id
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.overlays import refuse_hanging
from virtcim.providers.templates import TEMPLATE_PREFIX
from virtcim.providers.Virt_ImageStore.elements import (
    GROUP_PREFIX,
    TEMPLATE,
    TEMPLATE_GROUP,
    ShownGroup,
    ShownTemplate,
)

__all__ = ["TemplateGroupProvider", "TemplatesProvider", "raise_in_cim"]


class TemplateGroupProvider(InstanceProvider):
    """Serves Virt_TemplateGroup.

    Parameters:
        library: has the templates.
        namespace: where the groups are shown.
    """

    class_names = (TEMPLATE_GROUP,)

    def __init__(self, library: Library, namespace: str) -> None:
        self._library = library
        self._namespace = namespace

    def instances(self, class_name: str, context: RequestContext) -> Iterable[ShownGroup]:
        return self.all()

    def all(self) -> list[ShownGroup]:
        """All groups, sorted by name."""
        return [ShownGroup(name, self._namespace) for name in self._library.templates.groups()]

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> ShownGroup:
        given = instance_id(class_name, keys)
        name = given.removeprefix(GROUP_PREFIX)
        if name == given or name not in self._library.templates.groups():
            raise CIMError(Status.NOT_FOUND, f"group of templates {name[:64]!r}: does not exist")
        return ShownGroup(name, self._namespace)


class TemplatesProvider(InstanceProvider):
    """Serves Virt_Template.

    Parameters:
        library: has the templates.
        nodes: whose guests may hang on an image.
        namespace: where the templates are shown.
    """

    class_names = (TEMPLATE,)

    def __init__(self, library: Library, nodes: NodeRegistry, namespace: str) -> None:
        self._library = library
        self._nodes = nodes
        self._namespace = namespace

    def instances(self, class_name: str, context: RequestContext) -> Iterable[ShownTemplate]:
        return [ShownTemplate(each, self._namespace) for each in self._library.templates.all()]

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> ShownTemplate:
        given = instance_id(class_name, keys)
        key = given.removeprefix(TEMPLATE_PREFIX)
        template = self._library.templates.find(key)
        if template is None or key == given:
            raise CIMError(Status.NOT_FOUND, f"template {key[:80]!r}: does not exist")
        return ShownTemplate(template, self._namespace)

    def _find_version(self, class_name: str, keys: Keys, context: RequestContext) -> Template:
        """Find the version of a template that is to be changed or removed: never just the newest one of an id."""
        template = self.get_instance(class_name, keys, context).template
        given = instance_id(class_name, keys).removeprefix(TEMPLATE_PREFIX)
        if given not in (template.key, f"{template.id}:{template.version}"):
            text = f"template {given[:80]!r}: names no version; expected such as {template.key}"
            raise CIMError(Status.NOT_FOUND, text)
        return template

    def create_instance(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        with raise_in_cim():
            template = _document(properties)
            self._library.check(template)
            self._library.templates.add(template, context.principal)
        return ShownTemplate(template, self._namespace).path()

    def modify_instance(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        before = self._find_version(class_name, keys, context)
        now = ShownTemplate(before, self._namespace).properties()
        for name, value in properties.items():
            if name != "Document" and value != now.get(name):
                raise CIMError(Status.NOT_SUPPORTED, f"template {before.key}: {name} is changed by Document")
        with raise_in_cim():
            template = _document(properties)
            if template.key != before.key:
                known = before.key
                raise TemplateError(f"template {known}: the document is of {template.key}; expected {known}")
            self._library.check(template)
            if template.image != before.image:
                self._refuse_hanging(before, "its image cannot be changed, only that of a new version")
            self._library.templates.change(template, context.principal)

    def delete_instance(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        template = self._find_version(class_name, keys, context)
        self._refuse_hanging(template, "cannot be removed")
        with raise_in_cim():
            self._library.templates.remove(template.key)

    def _refuse_hanging(self, template: Template, text: str) -> None:
        """Refuse what would leave guests over an image that no template has any more."""
        others = (each for each in self._library.templates.all() if each.key != template.key)
        if template.image is not None and all(each.image != template.image for each in others):
            refuse_hanging(self._nodes, self._library, template, f"template {template.key}: {text}")


@contextmanager
def raise_in_cim() -> Iterator[None]:
    """Raise what cannot be of a template as an error of CIM."""
    try:
        yield
    except TemplateError as error:
        raise store_failure(error, Status.INVALID_PARAMETER) from None


def _document(properties: Properties) -> Template:
    """Read the template that a client sends.

    Raises:
        TemplateError: it is none.
        CIMError: INVALID_PARAMETER where none was sent.
    """
    document = properties.get("Document")
    if not isinstance(document, str):
        raise CIMError(Status.INVALID_PARAMETER, "Document: is missing; expected a template in TOML")
    return parse_template(document)
