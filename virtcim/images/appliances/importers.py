"""Importers of what is no OVF: plugins that make an appliance of it.

A plugin is an entry point of the group `virtcim.appliance_importers`: an object with `endings`, those of the names of
files that it takes, and `convert`, which makes a package of one in a directory that is thrown away afterwards.

An importer can be asked for by its name, too, and then gets appliances that could be read without it: `virt-v2v`, which
is always known, makes guests of another hypervisor's run here.

Layer rule: imports `errors`, `package` and `virtv2v` of this package, and `libhelper.work`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, TypeVar

from virtcim.images.appliances.errors import ApplianceError, UnfitOrderError
from virtcim.images.appliances.package import Package, open_package
from virtcim.images.appliances.virtv2v import VIRT_V2V, VirtV2v
from virtcim.libhelper.work import Work, WorkCancelledError

__all__ = ["IMPORTER_PLUGINS", "Importer", "open_any"]

IMPORTER_PLUGINS = "virtcim.appliance_importers"
_OWN = (".ova", ".ovf")

Result = TypeVar("Result")


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


def open_any(path: Path, scratch: Path, work: Work, *, without: Collection[str] = (), importer: str = "") -> Package:
    """Open an appliance, or make one of a file that a plugin takes.

    Parameters:
        path: of the file.
        scratch: an empty directory for what a plugin makes, which lives as long as the package is read.
        without: see `open_package`.
        importer: the name of the one that is to take it; "" for none where it can be read without, else for one by its
            ending.

    Raises:
        ApplianceError: it is none, or the importer failed, or is not known.
        OSError: it cannot be opened.
    """
    if importer:
        return _open_by(importer, path, scratch, work, without)
    if path.suffix.lower() in _OWN:
        return open_package(path, without=without)
    for point in entry_points(group=IMPORTER_PLUGINS):
        if path.suffix.lower() in _of(path, point.name, point.load, lambda found: found.endings):
            made = _of(path, point.name, point.load, lambda found: found.convert(path, scratch, work))
            return _open_made(path, point.name, made, scratch, without)
    raise ApplianceError(f"appliance {path.name!r}: is of no kind that is known; expected NAME.ova or NAME.ovf")


def _open_by(name: str, path: Path, scratch: Path, work: Work, without: Collection[str]) -> Package:
    """Have an importer make an appliance of a file.  What is one already is checked before, and its licences stay."""
    known: dict[str, Callable[[], Importer]] = {VIRT_V2V: VirtV2v}
    known |= {point.name: point.load for point in entry_points(group=IMPORTER_PLUGINS)}
    if name not in known:
        raise UnfitOrderError(f"importer {name[:80]!r}: is not known; expected one of {', '.join(sorted(known))}")
    licences: tuple[str, ...] = ()
    if path.suffix.lower() in _OWN:
        before = open_package(path, without=without)
        before.check_files(work)
        licences = tuple(before.appliance.all_licences)
    package = _open_made(
        path, name, _of(path, name, known[name], lambda found: found.convert(path, scratch, work)), scratch, without
    )
    package.appliance = replace(package.appliance, licences=(*licences, *package.appliance.licences))
    return package


def _of(path: Path, name: str, load: Callable[[], Importer], ask: Callable[[Importer], Result]) -> Result:
    """Ask an importer for something; one of others is not trusted to work."""
    try:
        return ask(load())
    except (ApplianceError, WorkCancelledError):
        raise
    except Exception as error:
        text = f"appliance {path.name!r}: importer {name!r} failed: {type(error).__name__}: {error}"
        raise ApplianceError(text) from error


def _open_made(path: Path, name: str, made: Path, scratch: Path, without: Collection[str]) -> Package:
    if not made.resolve().is_relative_to(scratch.resolve()):
        raise ApplianceError(f"appliance {path.name!r}: importer {name!r} made it elsewhere")
    return open_package(made, without=without)
