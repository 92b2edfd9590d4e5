"""Finds the platforms: the built-in ones and those that other packages add.

A package adds a platform by an entry point of the group `virtcim.platforms` that names a `Platform` object.  A plugin
that cannot be loaded, or that declares what is no platform, is reported and left out; the others are served.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from virtcim.platforms.base import Platform

__all__ = ["GROUP", "Registry", "load_platforms"]

GROUP = "virtcim.platforms"
BUILT_IN = ("kvm", "xen", "lxc", "test")

_log = logging.getLogger(__name__)


class Registry:
    """The known platforms, in a stable order: the built-in ones first, then plugins by name."""

    def __init__(self, platforms: Iterable[Platform]) -> None:
        self._platforms: dict[str, Platform] = {}
        for platform in platforms:
            known = self._platforms.setdefault(platform.prefix.lower(), platform)
            if known is not platform:
                _log.warning("platform prefix %s is taken already; the second one is left out", platform.prefix)

    def __iter__(self) -> Iterator[Platform]:
        return iter(self._platforms.values())

    def __len__(self) -> int:
        return len(self._platforms)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The class prefixes, spelt as declared."""
        return tuple(platform.prefix for platform in self)

    def by_prefix(self, prefix: str) -> Platform | None:
        """The platform with this class prefix (any case)."""
        return self._platforms.get(prefix.lower())

    def by_driver(self, driver: str) -> Platform | None:
        """The platform whose connections answer `driver` to virConnectGetType (any case)."""
        return next((platform for platform in self if platform.serves(driver)), None)

    def by_uri(self, uri: str) -> Platform | None:
        """The platform that a libvirt URI seems to belong to, as long as no connection has told its driver.

        The scheme is the driver's name, in lower case, with most drivers; with others it is that of the platform's own
        URIs (`vmwareplayer:///session`, whose driver is `VMware`).
        """
        scheme = _scheme(uri)
        return self.by_driver(scheme) or next(
            (platform for platform in self if scheme in map(_scheme, platform.uris)), None
        )

    def unknown(self, uri: str) -> str:
        """What to say of a URI that belongs to no platform."""
        schemes = {driver.lower() for platform in self for driver in platform.drivers}
        schemes |= {_scheme(each) for platform in self for each in platform.uris}
        return f"{uri!r}: no platform serves {_scheme(uri)!r}; expected one of {', '.join(sorted(schemes))}"


def _scheme(uri: str) -> str:
    return uri.partition(":")[0].partition("+")[0].lower()


def load_platforms(plugins: Iterable[EntryPoint] | None = None) -> Registry:
    """The registry of all platforms that can be found.

    Parameters:
        plugins: entry points to load in place of the installed ones of the group `virtcim.platforms`.

    The built-in platforms are always found, also from a source tree that is not installed.
    """
    found = [import_module(f"virtcim.platforms.{name}").PLATFORM for name in BUILT_IN]
    built_in = {f"platforms.{name}:PLATFORM" for name in BUILT_IN}
    candidates = entry_points(group=GROUP) if plugins is None else plugins
    plugins = sorted((entry for entry in candidates if entry.value not in built_in), key=lambda entry: entry.name)
    found.extend(platform for platform in map(_load, plugins) if platform is not None)
    return Registry(found)


def _load(plugin: EntryPoint) -> Platform | None:
    """The platform that a plugin names; None, and a line in the log, when it is broken in whatever way."""
    try:
        platform = plugin.load()
    except (Exception, SystemExit) as error:  # a plugin may fail in any way, and must not take the others with it
        _log.error(
            "platform plugin %s (%s) cannot be loaded: %s: %s", plugin.name, plugin.value, type(error).__name__, error
        )
        return None
    if not isinstance(platform, Platform):
        _log.error(
            "platform plugin %s (%s) names a %s and no Platform", plugin.name, plugin.value, type(platform).__name__
        )
        return None
    return platform
