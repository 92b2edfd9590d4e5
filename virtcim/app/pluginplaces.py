"""Where the plugins of a packaged installation stand."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ADDED", "DIRECTORIES", "LINKS"]

ADDED = Path("/var/lib/virtcim-plugins")
"""Where `virtcim plugin add` puts them."""

PACKAGED = Path("/usr/lib/virtcim-plugins")
"""Where packages of distributions have theirs."""

DIRECTORIES = (ADDED, PACKAGED)

LINKS = "virtcim-plugins.pth"
"""The file beside the package `virtcim` that names the directories (site(3))."""
