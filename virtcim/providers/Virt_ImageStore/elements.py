"""The store, groups of templates, and templates, as instances."""

from __future__ import annotations

from collections.abc import Hashable

from virtcim.images.library import Library
from virtcim.images.templates import Template, document_of
from virtcim.providers.base import trimmed
from virtcim.providers.interface import CIMValue, Instance, Properties
from virtcim.providers.templates import TEMPLATE_PREFIX

__all__ = ["IMAGE_STORE", "TEMPLATE", "TEMPLATE_GROUP", "ShownGroup", "ShownStore", "ShownTemplate"]

IMAGE_STORE, TEMPLATE_GROUP, TEMPLATE = "Virt_ImageStore", "Virt_TemplateGroup", "Virt_Template"

STORE_ID = "virtcim:images"
GROUP_PREFIX = "virtcim:templates:"
"""What the InstanceID of a group begins with, before its name."""


class ShownStore(Instance):
    """A handle on the store.

    Parameters:
        library: what it holds.
        namespace: where it is shown.
    """

    __slots__ = ("_library", "identity", "namespace")

    class_name = IMAGE_STORE

    def __init__(self, library: Library, namespace: str) -> None:
        self._library = library
        self.namespace = namespace
        self.identity: Hashable = STORE_ID

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        """What is shown: files may be taken away by hand."""
        return tuple(self._library.images.all())

    def keys(self) -> dict[str, CIMValue]:
        return {"InstanceID": STORE_ID}

    def properties(self) -> Properties:
        images = self._library.images.all()
        return {
            **self.keys(),
            "ElementName": "Images",
            "ImageIDs": [each.sha256 for each in images],
            "ImageNames": [each.name for each in images],
            "ImageSizes": [each.size for each in images],
            "ImageFormats": [each.format for each in images],
            "ImageURLs": [each.url for each in images],
        }


class ShownGroup(Instance):
    """A handle on a group of templates.

    Parameters:
        name: of the group.
        namespace: where it is shown.
    """

    __slots__ = ("identity", "name", "namespace", "revision")

    class_name = TEMPLATE_GROUP

    def __init__(self, name: str, namespace: str) -> None:
        self.name = name
        self.namespace = namespace
        self.identity: Hashable = name
        self.revision: Hashable = 0

    def keys(self) -> dict[str, CIMValue]:
        return {"InstanceID": f"{GROUP_PREFIX}{self.name}"}

    def properties(self) -> Properties:
        return {**self.keys(), "ElementName": self.name}


class ShownTemplate(Instance):
    """A handle on a template.

    Parameters:
        template: the template.
        namespace: where it is shown.
    """

    __slots__ = ("identity", "namespace", "revision", "template")

    class_name = TEMPLATE

    def __init__(self, template: Template, namespace: str) -> None:
        self.template = template
        self.namespace = namespace
        self.identity: Hashable = template.key
        self.revision: Hashable = repr(template)

    def keys(self) -> dict[str, CIMValue]:
        return {"InstanceID": f"{TEMPLATE_PREFIX}{self.template.key}"}

    def properties(self) -> Properties:
        template = self.template
        image = template.image
        parameters = template.all_parameters
        return {
            **self.keys(),
            "Name": template.id,
            "Version": template.version,
            "ElementName": template.title or template.id,
            "Caption": trimmed(template.title or template.id),
            "Description": template.description,
            "GroupName": template.group,
            "OperatingSystem": template.os,
            "Platforms": list(template.platforms),
            "Architecture": template.architecture,
            "ImageURL": "" if image is None else image.url,
            "ImageChecksum": "" if image is None else image.sha256,
            "Customization": template.customize,
            "Provisioner": template.provisioner,
            "Tried": template.tried,
            "Origin": template.origin,
            "ParameterNames": [each.name for each in parameters],
            "ParameterLabels": [each.label or each.name for each in parameters],
            "ParameterDefaults": ["" if each.secret else each.default for each in parameters],
            "Document": document_of(template),
        }
