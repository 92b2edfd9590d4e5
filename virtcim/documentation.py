"""`python -m virtcim.documentation FILE`: write the page of all classes (`make docs`)."""

from __future__ import annotations

import sys
from pathlib import Path

import mof
import schema
from cimom.mof import load_class_store
from platforms.registry import load_platforms
from providers.site import Site
from registration.catalog import build_catalog
from registration.documentation import document

__all__ = ["page"]


def page() -> str:
    """The page, for the platforms that come with virtcim."""
    registry = load_platforms(())
    classes = load_class_store([*schema.texts(), *mof.texts()], mof.templates(), list(registry.prefixes), None)
    return document(build_catalog(Site((), registry)), registry, classes)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
