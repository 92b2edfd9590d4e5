"""Settings: one TOML file, overridden by the command line, checked against the dataclasses that use them.

Each table of the file is a dataclass of the layer that it configures, so a setting is declared in one place, with its
default and its reason: `[server]` is `cimom.settings.ServerSettings`, `[tls]` is
`frontends.http.tls.TLSSettings`, `[roles]` is `cimom.access.RoleSettings`, `[providers]` is
`providers.settings.ProviderSettings`, `[inventory]` is `libhelper.settings.HypervisorSettings`, `[indications]` is
`cimom.indications.settings.IndicationSettings`, `[cmpi]` is `frontends.cmpi.settings.CmpiSettings`, `[compatibility]`
is `frontends.compatibility.settings.CompatibilitySettings`, `[loop]` is `app.loopwatch.LoopSettings`, `[platforms]` is
`platforms.settings.PlatformSettings`, `[images]` is `images.settings.ImageSettings`, `[appliances]`
is `images.appliances.settings.ApplianceSettings`, `[nodes]` is
`providers.nodes.NodesSettings`; each `[node.NAME]` is a `NodeSettings` of there, and each `[group.NAME]` a
`GroupSettings`.

The conversion is written out here, although the store's records go by cattrs (`app.codec`).  A person writes this file:
nothing in it may be converted silently, as cattrs makes numbers of text and lists of letters, so that every type would
need a hook; the bounds of a number go by the full name of its setting, which hooks are not told; and the groups of
errors that cattrs raises would have to be taken apart again for one line that names the setting.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import ipaddress
import math
import os
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar

from virtcim.app.loopwatch import LoopSettings
from virtcim.cimom.access import RoleSettings
from virtcim.cimom.indications.settings import IndicationSettings
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cmpi.settings import CmpiSettings
from virtcim.frontends.compatibility import CompatibilitySettings
from virtcim.frontends.http.tls import TLSSettings
from virtcim.images.appliances.settings import ApplianceSettings
from virtcim.images.settings import ImageSettings
from virtcim.immutable import immutable
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.platforms.settings import PlatformSettings
from virtcim.providers.nodes import DEFAULT, GroupSettings, NodeSettings, NodesSettings
from virtcim.providers.settings import ProviderSettings

__all__ = ["ConfigError", "Settings", "load", "naming", "parse_auth", "parse_listen"]

DEFAULT_LISTEN = "127.0.0.1:5988"

LOWEST: dict[str, float] = {
    "startup_wait": 0,  # serves at once
    "server.login_lifetime": 0,  # remembers no password
    "server.login_delay": 0,
    "server.stop_timeout": 0,
    "server.slow_seconds": 0,  # logs every operation
    "server.port": 0,  # takes a free one
    "server.cache_bytes": 0,  # keeps nothing
    "server.cache_seconds": 0,
    "inventory.keepalive_interval": -1,  # libvirt's word for no probes
    "inventory.keepalive_count": 0,
    "providers.settle_timeout": 0,
    "providers.shutdown_timeout": 0,
    "providers.jobs.grace": 0,  # makes a job of everything
    "providers.jobs.waiting": 0,
    "providers.jobs.retention": 0,
    "cmpi.users": 0,
    "cmpi.group": -1,  # none
}
"""The settings that may be 0 or less, by their full name, with the least that each may be.  A limit, a time or a number
of threads is more than 0 wherever it does not stand here."""

HIGHEST: dict[str, float] = {"server.user_share": 1, "server.port": 65535}
"""The settings that end below `MOST`."""

MOST = 2**53
"""What no setting exceeds: a float still counts every byte up to here."""

LONGEST = 1e9
"""Seconds that no setting exceeds, 30 years: waits of the operating system end near that."""

NOT_SET = "not set"
"""Marks a field of settings that nobody sets in a file."""

TEMPLATES_DIRECTORY = "templates.d"
"""The directory beside the configuration file with the administrator's templates."""

NODES_DIRECTORY = "nodes.d"
"""The directory beside the configuration file with further nodes."""

T = TypeVar("T")


class ConfigError(Exception):
    """A setting that cannot be taken; the text names it and says why."""


@immutable
class Settings:
    """All settings of `virtcim serve`.

    Attributes:
        uris: libvirt URIs to serve; empty: the hypervisor of every platform that answers here, and those that come
            later when they come.
        listen: `HOST:PORT` for HTTP; IPv6 addresses in brackets; port 0 picks a free one; empty: no HTTP.
        listen_https: `HOST:PORT` for HTTPS, usually with port 5989; empty: no HTTPS.
        listen_unix: path of a Unix socket, where users are known by the credentials of their processes; empty: none.
        state_dir: where the credentials, the class cache and the database live; made with mode 0700.
        auth: how users are authenticated: `password` (one user, made on first start), `htpasswd:FILE`, `pam` or
            `pam:SERVICE` (the users of the system), `certificate` (no passwords at all), several of them separated by
            commas, or `none` (loopback addresses only).  Client certificates and the Unix socket work beside each.
        audit_file: a file for the audit log, one JSON object per line; empty: with the other log lines only.
        log_level: of the log on stderr: DEBUG, INFO, WARNING or ERROR.
        log_format: of its lines: `text`, or `json` for programs; both name the request that a line belongs to.
        startup_wait: seconds that start-up waits for hypervisors before it serves without them.
        node: further nodes by name, each served as namespace `root/virt/NAME`; the one called `default` is this host,
            in place of `uris`.  More may be in `nodes.directory`.
        group: groups of nodes, by name.
        file: that these settings are from; no setting itself.
    """

    uris: tuple[str, ...] = ()
    listen: str = DEFAULT_LISTEN
    listen_https: str = ""
    listen_unix: str = ""
    state_dir: Path = field(default_factory=lambda: default_state_dir())
    auth: str = "password"
    audit_file: str = ""
    log_level: str = "INFO"
    log_format: str = "text"
    startup_wait: float = 10.0
    server: ServerSettings = field(default_factory=ServerSettings)
    tls: TLSSettings = field(default_factory=TLSSettings)
    roles: RoleSettings = field(default_factory=RoleSettings)
    providers: ProviderSettings = field(default_factory=ProviderSettings)
    inventory: HypervisorSettings = field(default_factory=HypervisorSettings)
    indications: IndicationSettings = field(default_factory=IndicationSettings)
    cmpi: CmpiSettings = field(default_factory=CmpiSettings)
    compatibility: CompatibilitySettings = field(default_factory=CompatibilitySettings)
    loop: LoopSettings = field(default_factory=LoopSettings)
    platforms: PlatformSettings = field(default_factory=PlatformSettings)
    nodes: NodesSettings = field(default_factory=NodesSettings)
    images: ImageSettings = field(default_factory=ImageSettings)
    appliances: ApplianceSettings = field(default_factory=ApplianceSettings)
    node: Mapping[str, NodeSettings] = field(default_factory=dict)
    group: Mapping[str, GroupSettings] = field(default_factory=dict)
    file: Path | None = field(default=None, metadata={NOT_SET: True})


def default_state_dir() -> Path:
    """The directory that systemd or the XDG base directory specification names, or /var/lib/virtcim for root."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/virtcim")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "virtcim"


def load(file: Path | None, overrides: dict[str, Any]) -> Settings:
    """Read the settings.

    Parameters:
        file: a TOML file, or None for the defaults.
        overrides: settings of the command line by name, those of a table as `table.name`; those that are None are
            left out.

    Raises:
        ConfigError: the file cannot be read, or holds an unknown setting or a value of the wrong type.
    """
    table: dict[str, Any] = {}
    if file is not None:
        try:
            table = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"--config: {file}: {error.strerror or error}; expected a file in TOML") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{file}: {error}; expected TOML in UTF-8") from error
    for full, value in overrides.items():
        where, _, name = full.rpartition(".")
        # A table that is none is named when it is read.
        if value is not None and isinstance(inner := table.setdefault(where, {}) if where else table, dict):
            inner[name] = value
    settings = dataclasses.replace(from_table(Settings, table, ""), file=file)
    if settings.nodes.directory is None and file is not None:
        beside = dataclasses.replace(settings.nodes, directory=file.parent / NODES_DIRECTORY)
        settings = dataclasses.replace(settings, nodes=beside)
    if settings.images.directory is None and file is not None:
        images = dataclasses.replace(settings.images, directory=file.parent / TEMPLATES_DIRECTORY)
        settings = dataclasses.replace(settings, images=images)
    check(settings)
    return settings


@contextmanager
def naming(setting: str, expected: str) -> Iterator[None]:
    """Name the setting that is at fault when what is done with it fails.

    Parameters:
        setting: its full name.
        expected: what would do where the operating system says no; a ValueError says itself what it expects.

    Raises:
        ConfigError: in place of OSError and ValueError.
    """
    try:
        yield
    except OSError as error:
        file = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes | Path) else ""
        raise ConfigError(f"{setting}: {file}{error.strerror or error}; expected {expected}") from error
    except ValueError as error:
        raise ConfigError(f"{setting}: {error}") from error


def check(settings: Settings) -> None:
    """Refuse what contradicts itself or is not safe."""
    addresses = (("listen", settings.listen), ("listen_https", settings.listen_https))
    hosts = [parse_listen(address, setting)[0] for setting, address in addresses if address]
    if not hosts and not settings.listen_unix and "LISTEN_FDS" not in os.environ:
        raise ConfigError("listen: listen, listen_https and listen_unix are all empty; expected one of them")
    if "none" in (mechanism for mechanism, _ in parse_auth(settings.auth)):
        for host in hosts:
            if not is_loopback(host):
                raise ConfigError(f"auth: 'none' is open to whoever reaches {host}; expected loopback addresses only")
    if settings.uris and DEFAULT in settings.node:
        raise ConfigError(f"uris: node.{DEFAULT} names the connections of this host, too; expected one of the two")
    if settings.log_level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ConfigError(f"log_level: {settings.log_level!r} is not a level; expected DEBUG, INFO, WARNING or ERROR")
    if settings.log_format not in ("text", "json"):
        raise ConfigError(f"log_format: {settings.log_format!r} is not a format; expected text or json")


def parse_auth(text: str) -> list[tuple[str, str]]:
    """Split the setting `auth` into mechanisms, each with its argument ("" without one).

    Raises:
        ConfigError: a mechanism is unknown or has the wrong argument, or they contradict each other.
    """
    found: list[tuple[str, str]] = []
    for item in text.split(","):
        mechanism, colon, argument = item.strip().partition(":")
        if mechanism not in {"none", "password", "htpasswd", "pam", "certificate"} or (
            (bool(colon) or mechanism == "htpasswd") and (not argument or mechanism not in {"htpasswd", "pam"})
        ):
            raise ConfigError(
                f"auth: {item.strip()!r} is not a mechanism; expected 'password', 'htpasswd:FILE', 'pam', "
                "'pam:SERVICE', 'certificate' or 'none'"
            )
        if mechanism == "pam" and "/" in argument:
            raise ConfigError(f"auth: {item.strip()!r}: has a slash; expected the name of a service in /etc/pam.d")
        found.append((mechanism, argument))
    if len(found) > 1 and any(mechanism in {"none", "certificate"} for mechanism, _ in found):
        raise ConfigError(f"auth: {text!r}: is more than one; expected 'none' or 'certificate' alone")
    return found


def parse_listen(text: str, setting: str = "listen") -> tuple[str, int]:
    """Split `HOST:PORT` or `[IPV6]:PORT`.

    Parameters:
        setting: its name, for messages.

    Raises:
        ConfigError: there is no port, or it is not between 0 and 65535.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{setting}: {text!r} is not an address; expected HOST:PORT, with a port up to 65535")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], int(port)
    if ":" in host:
        raise ConfigError(
            f"{setting}: {text!r} has several colons; expected an IPv6 address in brackets, [ADDRESS]:PORT"
        )
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether `host` can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def from_table(kind: type[T], table: dict[str, Any], where: str) -> T:
    """Make a settings dataclass from a table, naming whatever does not fit.

    Parameters:
        kind: a dataclass; nested dataclasses are nested tables.
        where: the dotted name of the table, for messages.
    """
    hints = typing.get_type_hints(kind)
    known = {item.name for item in dataclasses.fields(kind) if NOT_SET not in item.metadata}  # type: ignore[arg-type]
    values = {}
    for name, value in table.items():
        full = f"{where}.{name}" if where else name
        if name not in known:
            raise ConfigError(f"{full}: is not a setting; expected one of {', '.join(sorted(known))}")
        values[name] = convert(hints[name], value, full)
    try:
        return kind(**values)
    except ValueError as error:
        raise ConfigError(f"{where or 'settings'}: {error}") from error


EXPECTED = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}


def convert(hint: Any, value: Any, where: str) -> Any:
    """`value` as the type that `hint` says; TOML integers serve as floats and strings as paths."""
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: {value!r} is not a table; expected one")
        return from_table(typing.cast(type[Any], hint), value, where)
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        hints = [one for one in typing.get_args(hint) if one is not type(None)]
        return None if value is None else convert(hints[0], value, where)
    if typing.get_origin(hint) in (tuple, collections.abc.Sequence):
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where}: {value!r} is not a list; expected one")
        return tuple(convert(typing.get_args(hint)[0], item, where) for item in value)
    if typing.get_origin(hint) is collections.abc.Mapping:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: {value!r} is not a table; expected one")
        of_key, of_value = typing.get_args(hint)
        return {convert(of_key, key, where): convert(of_value, each, f"{where}.{key}") for key, each in value.items()}
    if hint is Path and isinstance(value, str | Path):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where}: {value!r} cannot be; expected {EXPECTED[hint]}")
    if hint in (int, float):
        check_number(hint, value, where)
    return value


def check_number(kind: type[int] | type[float], value: float, where: str) -> None:
    """Refuse a number that cannot be meant.

    Raises:
        ConfigError: it is out of the bounds of its setting, or not a number at all.
    """
    least = LOWEST.get(where)
    most = HIGHEST.get(where, MOST if kind is int else LONGEST)
    if math.isfinite(value) and value <= most and (value > 0 if least is None else value >= least):
        return
    positive = "1 or more" if kind is int else "more than 0"
    above = positive if least is None else f"{least:g} or more"
    raise ConfigError(f"{where}: {value!r} cannot be; expected {above}, and at most {most:g}")
