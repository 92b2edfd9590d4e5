"""The texts of the DMTF classes, in MOF."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["FILES", "VERSION", "texts"]

VERSION = "2.49.0"
"""The version of the CIM Schema."""

FILES = (
    "qualifiers.mof",
    "core.mof",
    "virtualization.mof",
    "system.mof",
    "device.mof",
    "network.mof",
    "event.mof",
    "interop.mof",
    "metrics.mof",
    "user.mof",
)
"""The MOF files in the order of compilation: a class comes after its superclass."""


def texts() -> list[tuple[str, str]]:
    """Name and text of each MOF file, in the order of compilation."""
    return [(name, files("virtcim.schema").joinpath(name).read_text(encoding="utf-8")) for name in FILES]
