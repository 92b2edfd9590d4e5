"""Where the plugins of a packaged installation stand."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ADDED", "DIRECTORIES", "LINKS"]

ADDED = Path("/var/lib/virtcim-plugins")
"""Where `virtcim plugin add` puts them."""

PACKAGED = Path("/usr/lib/virtcim-plugins")
"""Where packages of distributions have theirs."""

DIRECTORIES = (ADDED, PACKAGED)

LINKS = Path(__file__).parents[2] / "virtcim-plugins.pth"
"""The file beside the package `virtcim` of a packaged installation that names the directories (site(3))."""
