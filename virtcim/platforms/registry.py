"""Finds the platforms: the built-in ones and those that other packages add.

A package adds a platform by an entry point of the group `virtcim.platforms` that names a `Platform` object.  A plugin
that cannot be loaded, that declares what is no platform, or that claims what belongs to another platform is left out,
and the registry knows why; the others are served.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from virtcim.immutable import immutable
from virtcim.platforms.base import API_VERSION, Platform
from virtcim.platforms.calls import Call, CallError
from virtcim.platforms.settings import PlatformSettings

__all__ = ["ALWAYS_SHOWN", "BUILT_IN", "GROUP", "Registration", "Registry", "load_platforms"]

GROUP = "virtcim.platforms"

BUILT_IN = (
    "kvm", "xen", "lxc", "test", "bhyve", "cloudhypervisor", "esx", "hyperv", "virtualbox", "virtuozzo", "vmwarehosted",
)  # fmt: skip
"""The modules of this package that have a `PLATFORM`, in the order in which their guests are shown."""

ALWAYS_SHOWN = frozenset({"kvm", "xen", "lxc"})
"""The prefixes, in lower case, whose classes every namespace has: libvirt-cim's clients take them for granted."""

_log = logging.getLogger(__name__)


@immutable
class Registration:
    """A platform that is installed, and what has become of it.

    Attributes:
        name: of its entry point: what `[platforms]` calls it.
        origin: the package that it comes from, with its version.
        platform: as it was loaded; None where it is not served.
        reason: why it is not served; "" where it is.
        failed: whether that is a fault, rather than the wish of the settings.
    """

    name: str
    origin: str
    platform: Platform | None = None
    reason: str = ""
    failed: bool = False


class Registry:
    """The known platforms, in a stable order: the built-in ones first, then plugins by name.

    Parameters:
        platforms: those that are served; each is called by its prefix.
        patience: seconds that each function of a platform that others have written gets; by default the default of the
            settings.
    """

    def __init__(self, platforms: Iterable[Platform] = (), patience: float | None = None) -> None:
        self.patience = PlatformSettings().patience if patience is None else patience
        self._registrations: list[Registration] = []
        self._platforms: dict[str, Platform] = {}
        for platform in platforms:
            self.add(platform.prefix.lower(), "", platform)

    def __iter__(self) -> Iterator[Platform]:
        return iter(self._platforms.values())

    def __len__(self) -> int:
        return len(self._platforms)

    @property
    def registrations(self) -> Sequence[Registration]:
        """All that are installed, served or not, in the order in which they came."""
        return tuple(self._registrations)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The class prefixes, spelt as declared."""
        return tuple(platform.prefix for platform in self)

    def add(self, name: str, origin: str, platform: object) -> None:
        """Serve a platform, unless something is wrong with it.

        Parameters:
            name: of its entry point.
            origin: the package that it comes from.
            platform: what the entry point names.
        """
        reason = self._objection(name, platform)
        if reason:
            self.leave_out(Registration(name, origin, reason=reason, failed=True))
            return
        assert isinstance(platform, Platform)
        self._platforms[platform.prefix.lower()] = platform
        self._registrations.append(Registration(name, origin, platform))

    def leave_out(self, registration: Registration) -> None:
        """Remember a platform that is not served."""
        if registration.failed:
            _log.error("platform %s%s: %s", registration.name, _of(registration.origin), registration.reason)
        self._registrations.append(registration)

    def reject(self, platform: Platform, reason: str) -> None:
        """Serve a platform no longer, as something is wrong with it after all.

        Parameters:
            reason: what it is, for people.
        """
        del self._platforms[platform.prefix.lower()]
        for number, registration in enumerate(self._registrations):
            if registration.platform is platform:
                _log.error("platform %s%s: %s", registration.name, _of(registration.origin), reason)
                self._registrations[number] = replace(registration, platform=None, reason=reason, failed=True)

    def _objection(self, name: str, platform: object) -> str:
        """What is wrong with a platform; "" where nothing is."""
        if any(each.name == name for each in self._registrations):
            return f"another package has a platform {name} as well; expected a name of its own"
        if not isinstance(platform, Platform):
            return f"its entry point names a {type(platform).__name__}; expected a Platform"
        if platform.api_version != API_VERSION:
            return f"written for version {platform.api_version!r} of the interface; expected {API_VERSION}"
        for known in self._registrations:
            if known.platform is None:
                continue
            if known.platform.prefix.lower() == platform.prefix.lower():
                return f"the class prefix {platform.prefix} is that of the platform {known.name}; expected another"
            shared = next(filter(known.platform.serves, platform.drivers), None)
            if shared is not None:
                return (
                    f"libvirt's driver {shared} is served by the platform {known.name}; expected one of the two in "
                    "platforms.disabled"
                )
        return ""

    def by_prefix(self, prefix: str) -> Platform | None:
        """The platform with this class prefix (any case)."""
        return self._platforms.get(prefix.lower())

    def by_driver(self, driver: str) -> Platform | None:
        """The platform whose connections answer `driver` to virConnectGetType (any case)."""
        return next((platform for platform in self if platform.serves(driver)), None)

    def by_uri(self, uri: str) -> Platform | None:
        """The platform that a libvirt URI seems to belong to, as long as no connection has told its driver.

        The scheme is the driver's name, in lower case, with most drivers; a platform whose driver has other schemes
        names them (`vmwareplayer:///session`, whose driver is `VMware`).
        """
        scheme = _scheme(uri)
        return self.by_driver(scheme) or next((each for each in self if scheme in _schemes(each)), None)

    def unknown(self, uri: str) -> str:
        """What to say of a URI that belongs to no platform."""
        schemes = set[str]().union(*(_schemes(each) or {name.lower() for name in each.drivers} for each in self))
        return f"{uri!r}: no platform serves {_scheme(uri)!r}; expected one of {', '.join(sorted(schemes))}"


def _scheme(uri: str) -> str:
    return uri.partition(":")[0].partition("+")[0].lower()


def _schemes(platform: Platform) -> set[str]:
    return {*platform.schemes, *map(_scheme, platform.uris)}


def _of(origin: str) -> str:
    return f" ({origin})" if origin else ""


def load_platforms(plugins: Iterable[EntryPoint] | None = None, settings: PlatformSettings | None = None) -> Registry:
    """Load the platforms that can be found and are wanted.

    The built-in platforms are always found, also from a source tree that is not installed.  What is not wanted is not
    imported.

    Parameters:
        plugins: entry points to load in place of the installed ones of the group `virtcim.platforms`.
        settings: which are wanted.
    """
    settings = settings or PlatformSettings()
    registry = Registry(patience=settings.patience)
    own = f"{__package__}."
    candidates = entry_points(group=GROUP) if plugins is None else plugins
    others = sorted((entry for entry in candidates if not entry.value.startswith(own)), key=_order)
    loading = [(entry, _load(entry) if settings.wants(entry.name) else None) for entry in others]
    for name in BUILT_IN:
        if settings.wants(name):
            registry.add(name, "virtcim", import_module(f"{own}{name}").PLATFORM)
        else:
            registry.leave_out(_unwanted(name, "virtcim", settings))
    for entry, call in loading:
        if call is None:
            registry.leave_out(_unwanted(entry.name, _origin(entry), settings))
            continue
        try:
            platform = call.result(settings.patience)
        except CallError as error:
            reason = f"{entry.value} cannot be loaded: {error}"
            registry.leave_out(Registration(entry.name, _origin(entry), reason=reason, failed=True))
        else:
            registry.add(entry.name, _origin(entry), platform)
    known = [each.name for each in registry.registrations]
    for name in dict.fromkeys((*settings.enabled, *settings.disabled)):
        if name not in known:
            reason = f"is not installed, although the settings name it; expected one of {', '.join(known)}"
            registry.leave_out(Registration(name, "", reason=reason, failed=True))
    return registry


def _load(entry: EntryPoint) -> Call[object]:
    """Begin to load a plugin; several are loaded at a time, so that those that hang hang together."""
    return Call(partial(EntryPoint.load, entry))


def _order(entry: EntryPoint) -> tuple[str, str]:
    return entry.name, _origin(entry)


def _unwanted(name: str, origin: str, settings: PlatformSettings) -> Registration:
    setting = "disabled" if name in settings.disabled else "enabled"
    reason = f"named in platforms.{setting}" if setting == "disabled" else f"not named in platforms.{setting}"
    return Registration(name, origin, reason=reason)


def _origin(entry: EntryPoint) -> str:
    """The package that a plugin comes from, with its version."""
    return "" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
