"""The library of templates and images that a server has, and its appliances."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from virtcim.app.config import Settings
from virtcim.images.appliances.catalogs import Catalogs
from virtcim.images.appliances.scratch import clear_scratch
from virtcim.images.library import Filling, Library
from virtcim.images.store import ImageStore, StoredImage
from virtcim.images.templates import SettingValue, Template, TemplateError
from virtcim.images.templates.store import KeptTemplate, TemplateStore, template_files
from virtcim.providers.interface import Store
from virtcim.providers.Virt_ApplianceCatalog import Shelf
from virtcim.schema.classes import ClassStore, PropertyDeclaration
from virtcim.schema.names import base_of, prefix_of

__all__ = ["make_library", "make_shelf", "template_checker"]

_SETTINGS = "VirtualSystemSettingData"
_RESOURCE = "{}ResourceAllocationSettingData"
_SETTINGS_END = "SettingData"
_PYTHON = {"boolean": bool, "string": str, "datetime": str, "char16": str}
"""How the values of properties are written in templates, by CIM's type; all others are whole numbers."""


def make_library(settings: Settings, store: Store) -> Library:
    """Read all templates, those of the administrator's files among them.

    Parameters:
        settings: say where files and images are.
        store: keeps what was made at run time.
    """
    templates = TemplateStore(store.table("template", KeptTemplate))
    templates.configure(template_files(settings.images.directory))
    directory = settings.images.cache or settings.state_dir / "images"
    images = ImageStore(directory, store.table("image", StoredImage), settings.images)
    return Library(templates, images, settings.images, store.table("image filling", Filling), store.flush)


def template_checker(classes: ClassStore) -> Callable[[Template], None]:
    """Make what refuses templates whose settings no class of guests' settings has, or which are of another type.

    Parameters:
        classes: the class store, with the classes of all platforms.

    Returns:
        a function that raises TemplateError, whose text names the setting.
    """

    named: dict[str, list[str]] = {}
    for each in classes:
        if each.endswith(_SETTINGS_END) and prefix_of(each) != "CIM":
            named.setdefault(base_of(each), []).append(each)

    def known(name: str) -> Mapping[str, PropertyDeclaration]:
        """The properties of the classes of that name, whichever platform they are of."""
        return {
            declared.name: declared for each in named.get(name, ()) for declared in classes[each].properties.values()
        }

    def check_values(where: str, name: str, values: Mapping[str, SettingValue]) -> None:
        properties = known(name)
        for each, value in values.items():
            declared = properties.get(each)
            if declared is None:
                raise TemplateError(f"{where}.{each}: is not a property of {name}; expected one that the class has")
            kind = _PYTHON.get(declared.type, int)
            items = value if isinstance(value, tuple) else (value,)
            if isinstance(value, tuple) != declared.is_array or not all(type(item) is kind for item in items):
                text = f"{declared.type}{'[]' if declared.is_array else ''}"
                raise TemplateError(f"{where}.{each}: {value!r:.80} cannot be its value; expected {text}")

    def check(template: Template) -> None:
        check_values("settings", _SETTINGS, template.settings)
        check_values("disk", _RESOURCE.format("Disk"), template.disk)
        for number, resource in enumerate(template.resources):
            name, where = _RESOURCE.format(resource["kind"]), f"resources[{number}]"
            if name not in named:
                text = f"{where}.kind: {resource['kind']!r:.80} is not a kind of resource"
                raise TemplateError(f"{text}; expected such as Disk, Net or Graphics")
            check_values(where, name, {each: value for each, value in resource.items() if each != "kind"})

    return check


def make_shelf(settings: Settings) -> Shelf:
    """Make what shows appliances, as the settings say."""
    catalogs = Catalogs(settings.appliances, settings.images, settings.state_dir / "catalogs")
    scratch = settings.appliances.scratch or settings.state_dir / "appliances"
    clear_scratch(scratch)
    return Shelf(settings.appliances, settings.images, catalogs, scratch)
