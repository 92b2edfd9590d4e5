"""`python -m virtcim.app.documentation CLASSES DEVICES`: write the pages of all classes and devices (`make docs`)."""

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

__all__ = ["page"]


def page() -> str:
    """The page, for the platforms that come with virtcim."""
    registry = load_platforms(())
    return document(build_catalog(Site((), registry, KINDS)), registry, load_classes(registry, None))


if __name__ == "__main__":
    pages = (page, document_devices)
    for name, written in zip(sys.argv[1:], pages, strict=False):
        Path(name).write_text(written(), encoding="utf-8")
