"""`python -m virtcim.app.documentation CLASSES DEVICES METHODS`: write the pages of all of these (`make docs`)."""

from __future__ import annotations

import sys
from pathlib import Path

from virtcim.app.platforms import load_classes
from virtcim.platforms.registry import load_platforms
from virtcim.providers.kinds import KINDS
from virtcim.providers.site import Site
from virtcim.registration.catalog import build_catalog
from virtcim.registration.devices import document_devices
from virtcim.registration.documentation import document
from virtcim.registration.methods import document_methods

__all__ = ["methods_page", "page"]


def page() -> str:
    """Write the page of the classes, for the platforms that come with virtcim."""
    registry = load_platforms(())
    return document(build_catalog(Site((), registry, KINDS)), registry, load_classes(registry, None))


def methods_page() -> str:
    """Write the page of the methods, likewise."""
    registry = load_platforms(())
    return document_methods(build_catalog(Site((), registry, KINDS)), registry, load_classes(registry, None))


if __name__ == "__main__":
    pages = (page, document_devices, methods_page)
    for name, written in zip(sys.argv[1:], pages, strict=False):
        Path(name).write_text(written(), encoding="utf-8")
