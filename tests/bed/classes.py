"""The classes of the project, compiled once for all tests of a tree, as packages bring them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from virtcim import mof, schema
from virtcim.schema.classes import ClassStore
from virtcim.schema.mof import CACHE_NAME, load_class_store

__all__ = ["class_store", "put_compiled"]

ROOT = Path(__file__).resolve().parents[2]


@cache
def _compiled() -> Path:
    """Compile the classes that all platforms have in common, unless this was done.

    Returns:
        the directory with the compiled classes; it is named after what they are made of, the compiler included.
    """
    digest = hashlib.sha256()
    for module in (schema, mof):
        for file in sorted(Path(module.__path__[0]).iterdir()):
            if file.suffix in (".mof", ".py"):
                digest.update(f"{file.name}\0".encode() + file.read_bytes())
    directory = ROOT / "build" / "test-classes" / digest.hexdigest()[:16]
    if not (directory / CACHE_NAME).exists():
        load_class_store([*schema.texts(), *mof.texts()], mof.templates(), ["KVM"], directory)
    return directory


def class_store(prefixes: Iterable[str]) -> ClassStore:
    """Make the class store that a server with some platforms has.

    Parameters:
        prefixes: the schema names of the platforms (`KVM`).
    """
    sources = [*schema.texts(), *mof.texts()]
    return load_class_store(sources, mof.templates(), tuple(prefixes), None, compiled=[_compiled()])


def put_compiled(state_dir: Path) -> None:
    """Make a state directory that has the compiled classes, where there is none: its server need not compile them."""
    if not state_dir.exists():
        state_dir.mkdir(mode=0o700)
        shutil.copyfile(_compiled() / CACHE_NAME, state_dir / CACHE_NAME)
