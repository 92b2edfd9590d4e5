"""Which platforms there are, and their classes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from virtcim.app.apart import run_apart
from virtcim.app.config import Settings
from virtcim.platforms.calls import CallError, call_within

if TYPE_CHECKING:
    from virtcim.platforms.base import Platform
    from virtcim.platforms.registry import Registry
    from virtcim.schema.classes import ClassStore

__all__ = ["find_platforms", "is_here", "load_classes"]

_log = logging.getLogger(__name__)


def find_platforms(settings: Settings) -> Registry:
    """Load the platforms that the settings ask for; the registry knows of those that cannot be served, and why."""
    from virtcim.platforms.registry import load_platforms
    from virtcim.schema.classes import SchemaError

    registry = load_platforms(settings=settings.platforms)
    for platform in [each for each in registry if each.mof]:
        try:
            load_classes([platform], settings.state_dir if settings.state_dir.is_dir() else None)
        except SchemaError as error:
            registry.reject(platform, f"its MOF cannot be taken: {error}")
    return registry


def load_classes(platforms: Iterable[Platform], cache: Path | None) -> ClassStore:
    """Load the classes of some platforms, and those that all have in common.

    Parameters:
        cache: the directory of the class cache; None for none.

    Raises:
        SchemaError: the MOF of a platform is wrong.
    """
    from virtcim import mof, schema
    from virtcim.app.pluginplaces import DIRECTORIES
    from virtcim.schema.mof import load_class_store

    platforms = tuple(platforms)
    extensions = {platform.prefix: platform.mof for platform in platforms if platform.mof}
    prefixes = [platform.prefix for platform in platforms]
    return load_class_store(
        [*schema.texts(), *mof.texts()],
        mof.templates(),
        prefixes,
        cache,
        extensions,
        compiled=[mof.COMPILED, *DIRECTORIES],
        compile_apart=None if cache is None else partial(_compile_apart, cache),
    )


def is_here(platform: Platform, patience: float) -> bool:
    """Whether this host looks like having a platform; it does not where the platform cannot tell.

    Parameters:
        patience: seconds that it gets.
    """
    try:
        return bool(call_within(patience, platform.detect))
    except CallError as error:
        _log.error("platform %s cannot tell whether it is on this host: %s", platform.prefix, error)
        return False


def _compile_apart(cache: Path, prefix: str, text: str) -> None:
    """Have another process compile classes: the caller looks for the file that comes of it.

    Parameters:
        cache: the directory that the file is written to.
        prefix: of the platform whose MOF it is; empty for the common classes.
        text: the MOF of that platform.
    """
    run_apart("mof", "compile", "--into", str(cache), *(["--prefix", prefix, "-"] if prefix else []), text=text)
