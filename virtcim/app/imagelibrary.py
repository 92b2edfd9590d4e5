"""The library of templates and images that a server has, and its appliances."""

from __future__ import annotations

from virtcim.app.config import Settings
from virtcim.images.appliances.catalogs import Catalogs
from virtcim.images.appliances.scratch import clear_scratch
from virtcim.images.library import Filling, Library
from virtcim.images.store import ImageStore, KeptTemplate, StoredImage, TemplateStore, template_files
from virtcim.providers.interface import Store
from virtcim.providers.Virt_ApplianceCatalog import Shelf

__all__ = ["make_library", "make_shelf"]


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


def make_shelf(settings: Settings) -> Shelf:
    """Make what shows appliances, as the settings say."""
    catalogs = Catalogs(settings.appliances, settings.images, settings.state_dir / "catalogs")
    scratch = settings.appliances.scratch or settings.state_dir / "appliances"
    clear_scratch(scratch)
    return Shelf(settings.appliances, settings.images, catalogs, scratch)
