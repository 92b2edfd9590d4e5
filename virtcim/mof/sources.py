"""The texts of the classes of this project, in MOF."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["COMPILED", "templates", "texts"]

COMPILED = Path(__file__).parent
"""Where packages have the compiled classes, by `virtcim mof compile`."""


def texts() -> list[tuple[str, str]]:
    """Name and text of the MOF of the classes that all platforms have in common."""
    return [_text("virt.mof"), _text("nodes.mof"), _text("images.mof"), _text("appliances.mof")]


def templates() -> list[tuple[str, str]]:
    """Name and text of the MOF that is a template for the classes of each platform."""
    return [_text("platform.mof")]


def _text(name: str) -> tuple[str, str]:
    return name, files("virtcim.mof").joinpath(name).read_text(encoding="utf-8")
