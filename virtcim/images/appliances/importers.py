"""Importers of what is no OVF: plugins that make an appliance of it.

A plugin is an entry point of the group `virtcim.appliance_importers`: an object with `endings`, those of the names of
files that it takes, and `convert`, which makes a package of one in a directory that is thrown away afterwards.

Layer rule: imports `errors` and `package` of this package, and `libhelper.work`.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.package import Package, open_package
from virtcim.libhelper.work import Work

__all__ = ["IMPORTER_PLUGINS", "Importer", "open_any"]

IMPORTER_PLUGINS = "virtcim.appliance_importers"
_OWN = (".ova", ".ovf")


class Importer(Protocol):
    """Makes appliances of something else.

    Attributes:
        endings: of the names of files that it takes, such as `.vmcx`.
    """

    @property
    def endings(self) -> tuple[str, ...]: ...

    def convert(self, source: Path, directory: Path, work: Work) -> Path:
        """Make a package, `.ova` or `.ovf`, in a directory, and give its path."""
        ...


def open_any(path: Path, scratch: Path, work: Work, *, without: Collection[str] = ()) -> Package:
    """Open an appliance, or make one of a file that a plugin takes.

    Parameters:
        path: of the file.
        scratch: an empty directory for what a plugin makes, which lives as long as the package is read.
        without: see `open_package`.

    Raises:
        ApplianceError: it is none, or the plugin failed.
        OSError: it cannot be opened.
    """
    if path.suffix.lower() in _OWN:
        return open_package(path, without=without)
    for point in entry_points(group=IMPORTER_PLUGINS):
        try:
            importer: Importer = point.load()
            if path.suffix.lower() not in importer.endings:
                continue
            made = importer.convert(path, scratch, work)
        except ApplianceError:
            raise
        except Exception as error:
            # A plugin of others is not trusted to work.
            text = f"appliance {path.name!r}: importer {point.name!r} failed: {type(error).__name__}: {error}"
            raise ApplianceError(text) from error
        if not made.resolve().is_relative_to(scratch.resolve()):
            raise ApplianceError(f"appliance {path.name!r}: importer {point.name!r} made it elsewhere")
        return open_package(made, without=without)
    raise ApplianceError(f"appliance {path.name!r}: is of no kind that is known; expected NAME.ova or NAME.ovf")
