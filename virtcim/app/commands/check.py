"""`virtcim check`: what is wrong with this host's set-up, and what to do about it."""

from __future__ import annotations

import contextlib
import datetime
import errno
import grp
import json
import logging
import os
import pwd
import shutil
import socket
import sqlite3
import ssl
import stat
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from virtcim.app.certificates import CERTIFICATE, KEY
from virtcim.app.commands.selftest import ask_listeners, owner_of
from virtcim.app.config import Settings, is_loopback, parse_auth, parse_listen
from virtcim.app.layouts import LAYOUT, layout_of
from virtcim.app.platforms import find_platforms, is_here
from virtcim.app.privatefile import PrivateFile
from virtcim.app.store import DATABASE
from virtcim.frontends.http.listener import open_tcp
from virtcim.frontends.http.tls import TLSSettings, make_context
from virtcim.libhelper.connections import close_connection, is_local, open_connection, socket_path
from virtcim.libhelper.detect import detect
from virtcim.libhelper.errors import LibvirtError, silence_libvirt
from virtcim.libhelper.events import EventSubscription
from virtcim.platforms.base import Platform
from virtcim.platforms.calls import CallError, call_within
from virtcim.platforms.findings import Finding, Severity, error, ok, warning

__all__ = ["Finding", "Severity", "check_host", "findings"]

EXPIRES_SOON = datetime.timedelta(days=21)

LITTLE_SPACE = 4 << 20
"""Bytes that the state directory's disk must have left: for the compiled classes, and the database's log."""

EVENT_PATIENCE = 3.0
"""Seconds that libvirt gets to take a subscription to events."""


def check_host(settings: Settings, as_json: bool = False) -> int:
    """Print the report to stdout; the exit status is 1 when there is an error in it, else 0.

    Parameters:
        as_json: print it as one object, with `findings` (each with `check`, `severity` and `text`) and the numbers of
            `errors` and `warnings`.
    """
    silence_libvirt()
    logging.disable(logging.ERROR)  # what goes wrong here stands in the report
    found = []
    for name, finding in findings(settings):
        found.append({"check": name, "severity": finding.severity.name.lower(), "text": finding.text})
        if not as_json:
            print(f"{finding.severity.name.lower():8}{finding.text}", flush=True)
    numbers = Counter(each["severity"] for each in found)
    if as_json:
        print(json.dumps({"findings": found, "errors": numbers["error"], "warnings": numbers["warning"]}, indent=2))
    else:
        print(f"errors: {numbers['error']}, warnings: {numbers['warning']}, as they should be: {numbers['ok']}")
    return 1 if numbers["error"] else 0


def findings(settings: Settings) -> Iterator[tuple[str, Finding]]:
    """Look at everything, in the order in which a start would need it.

    Returns:
        the name of each check, with what it found.
    """
    for check in CHECKS:
        name = check.__name__.lstrip("_")
        try:
            for finding in check(settings):
                yield name, finding
        except Exception as failure:
            # One check that fails must not hide what the others find.
            yield name, error(f"{name}: {type(failure).__name__}: {failure}")


def _user(_settings: Settings) -> Iterator[Finding]:
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"#{uid}"
    if uid == 0:
        yield warning("running as root: a user of its own in the group libvirt is enough (see docs/security.md)")
    else:
        yield ok(f"running as {name}, not as root")


def _state_directory(settings: Settings) -> Iterator[Finding]:
    directory = settings.state_dir
    if not directory.exists():
        above = next(each for each in directory.absolute().parents if each.exists())
        if os.access(above, os.W_OK | os.X_OK):
            yield ok(f"state directory {directory} will be made")
        else:
            yield error(f"state directory {directory} cannot be made in {above}: make it, or set state_dir")
        return
    mode = stat.S_IMODE(directory.stat().st_mode)
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        yield error(f"state directory {directory} cannot be written: it should belong to the user of the server")
    elif mode & 0o077:
        yield warning(f"state directory {directory} has mode {mode:04o}: others can look in; chmod 700 {directory}")
    else:
        yield ok(f"state directory {directory}")
    for name in ("password", KEY):
        file = directory / name
        if file.exists():
            yield from _private(file)
    yield from _database(directory / DATABASE)
    free = shutil.disk_usage(directory).free
    if free < LITTLE_SPACE:
        yield error(
            f"state directory {directory}: {free // 1024} KiB are free; expected {LITTLE_SPACE // 1024} or more"
        )


def _audit_log(settings: Settings) -> Iterator[Finding]:
    """Look at the file of the audit log; none is made."""
    if not settings.audit_file:
        return
    file = Path(settings.audit_file)
    try:
        if file.exists():
            PrivateFile(str(file)).close()
        elif not os.access(file.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"cannot be made in {file.parent}")
    except OSError as failure:
        yield error(f"audit_file: {file}: {failure.strerror}; expected a file that the user of the server may write to")
    else:
        yield ok(f"audit log {file}{'' if file.exists() else ' will be made'}")


def _database(file: Path) -> Iterator[Finding]:
    """Look at the database, which a server may have open; nothing is changed."""
    if not file.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            layout = layout_of(connection)
    except sqlite3.Error as failure:
        yield error(f"{file}: {failure}; expected the database of an earlier start that this user may write to")
        return
    if layout > LAYOUT:
        yield error(
            f"{file}: its layout is {layout}, that of a later version; expected {LAYOUT} at most: what changes would "
            "be lost with the end of the server"
        )
    elif not os.access(file, os.W_OK):
        yield error(f"{file}: cannot be written; expected a file of the user of the server")
    else:
        yield ok(f"{file}: layout {layout}{'' if layout == LAYOUT else f', migrated to {LAYOUT} by the next start'}")


def _private(file: Path) -> Iterator[Finding]:
    if not os.access(file, os.R_OK):
        yield error(f"{file} cannot be read by this user")
        return
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o007:
        yield error(f"{file} has mode {mode:04o}: everybody can read it; chmod 600 {file}")
    elif mode & 0o020:
        yield warning(f"{file} has mode {mode:04o}: its group can write it; chmod 640 {file}")


def _hypervisors(settings: Settings) -> Iterator[Finding]:
    registry = find_platforms(settings)
    for registration in registry.registrations:
        if registration.failed:
            yield error(f"platform {registration.name}: {registration.reason}")
    patience = settings.platforms.patience
    here = [] if settings.uris else [platform for platform in registry if is_here(platform, patience)]
    wanted = list(settings.uris) or [uri for platform in here for uri in platform.uris]
    for uri in [each for each in wanted if registry.by_uri(each) is None]:
        yield error(f"uris: {registry.unknown(uri)}")
        wanted.remove(uri)
    read_only = settings.inventory.read_only
    found = {each.uri: each for each in detect(wanted, read_only=read_only)}
    for uri in wanted:
        answer = found.get(uri)
        if answer is None:
            if settings.uris:
                yield error(f"{uri} does not answer: {_why_not(uri)}")
            continue
        if answer.read_only and not read_only:
            yield warning(
                f"{uri} answers, but grants reading only: nothing can be changed; add the user to the group of "
                f"{_socket(uri)} (usually libvirt), or set inventory.read_only"
            )
        else:
            yield ok(f"{uri} answers{', read-only' if answer.read_only else ''}")
        yield from _events(uri, answer.read_only)
        platform = registry.by_driver(answer.facts.driver) or registry.by_uri(uri)
        if platform is not None and is_local(uri):
            yield from _prerequisites(platform, patience)
    if not found and not settings.uris:
        yield error(
            "no hypervisor answers on this host, so that there is nothing to serve until one does; "
            + "; ".join(f"{uri}: {_why_not(uri)}" for uri in wanted)
        )


def _socket(uri: str) -> str:
    return socket_path(uri) or "/run/libvirt/libvirt-sock"


def _why_not(uri: str) -> str:
    """A guess at why a local libvirt does not answer."""
    path = Path(_socket(uri))
    if not is_local(uri):
        return "is the host reachable, and may this user log in there?"
    try:
        path.stat()
    except FileNotFoundError:
        return f"there is no {path}: is libvirtd running?"
    except PermissionError:
        return f"{path} cannot be seen by this user"
    if not os.access(path, os.W_OK):
        group = path.stat().st_gid
        try:
            name = grp.getgrgid(group).gr_name
        except KeyError:
            name = str(group)
        return f"this user may not open {path}: add it to the group {name}"
    return f"{path} is there; see the log of libvirtd"


def _events(uri: str, read_only: bool) -> Iterator[Finding]:
    names: set[str] = set()

    def subscribe() -> None:
        with contextlib.suppress(LibvirtError):
            connection = open_connection(uri, read_only=read_only)
            subscription = EventSubscription(connection, lambda _event: None, lambda _reason: None)
            names.update(subscription.names)
            subscription.cancel()
            close_connection(connection)

    # libvirt has no time-out of its own.
    thread = threading.Thread(target=subscribe, daemon=True)
    thread.start()
    thread.join(EVENT_PATIENCE)
    if not names:
        yield warning(f"{uri} tells of no events: changes are seen with the next comparison (inventory.interval) only")


def _prerequisites(platform: Platform, patience: float) -> Sequence[Finding]:
    try:
        return call_within(patience, lambda: tuple(platform.prerequisites()))
    except CallError as failure:
        return (error(f"platform {platform.prefix} cannot tell what it needs: {failure}"),)


def _addresses(settings: Settings) -> Iterator[Finding]:
    if not is_resolvable(settings.server.host_name):
        yield warning(f"the host name {settings.server.host_name} cannot be resolved: clients get it in object paths")
    pid = owner_of(settings.state_dir)
    if pid is not None:
        yield ok(f"the server with process id {pid} has the state directory: its listeners are asked")
        yield from ask_listeners(settings, pid)
        return
    for name, listen in (("listen", settings.listen), ("listen_https", settings.listen_https)):
        if not listen:
            continue
        host, port = parse_listen(listen)
        try:
            for each in open_tcp(host, port):
                each.socket.close()
        except OSError as failure:
            yield error(
                f"{name}: {listen} cannot be listened on: {failure.strerror or failure}; "
                "another server, or this one, may run already"
            )
            continue
        if name == "listen" and not is_loopback(host):
            yield warning(f"listen: {listen} can be reached from elsewhere, and passwords go over it in the clear")
        else:
            yield ok(f"{name}: {listen} is free")
    if settings.listen_unix:
        above = Path(settings.listen_unix).absolute().parent
        if os.access(above, os.W_OK | os.X_OK):
            yield ok(f"listen_unix: {settings.listen_unix}")
        else:
            yield error(f"listen_unix: {above} is missing or cannot be written")


def is_resolvable(name: str) -> bool:
    """Whether a host name stands for an address here."""
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return False
    return True


def _certificates(settings: Settings) -> Iterator[Finding]:
    tls = settings.tls
    if not settings.listen_https and tls == TLSSettings():
        return
    if tls.certificate is None:
        pair = settings.state_dir / CERTIFICATE, settings.state_dir / KEY
        if not all(each.exists() for each in pair):
            if tls.self_signed:
                yield ok("a self-signed certificate will be made")
            else:
                yield error(
                    "tls: there is no certificate for HTTPS; expected tls.certificate with tls.key, or a pair that "
                    "signs itself, made by `virtcim certificate`"
                )
            return
        tls = TLSSettings(certificate=pair[0], key=pair[1], minimum_version=tls.minimum_version, ciphers=tls.ciphers)
    assert tls.certificate is not None
    assert tls.key is not None
    try:
        make_context(tls)
    except (OSError, ValueError) as failure:
        yield error(str(failure))
        return
    yield from _private(tls.key)
    yield from _validity(tls.certificate)
    if tls.client_ca is not None and not tls.users:
        yield warning("tls.client_ca is set, but no tls.users: no client certificate stands for a user")


def _validity(file: Path) -> Iterator[Finding]:
    from cryptography import x509

    certificate = x509.load_pem_x509_certificates(file.read_bytes())[0]
    now, end = datetime.datetime.now(datetime.UTC), certificate.not_valid_after_utc
    if end < now:
        yield error(f"certificate {file} expired on {end:%Y-%m-%d}")
    elif certificate.not_valid_before_utc > now:
        yield error(f"certificate {file} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}")
    elif end - now < EXPIRES_SOON:
        yield warning(f"certificate {file} expires on {end:%Y-%m-%d}")
    else:
        yield ok(f"certificate {file} is valid until {end:%Y-%m-%d}, with {ssl.OPENSSL_VERSION}")


def _authentication(settings: Settings) -> Iterator[Finding]:
    for mechanism, argument in parse_auth(settings.auth):
        match mechanism:
            case "none":
                yield warning("auth: 'none': every process on this host may do everything")
            case "htpasswd":
                file = Path(argument)
                if file.is_file():
                    yield ok(f"auth: password file {file}")
                    yield from _private(file)
                else:
                    yield error(f"auth: {file}: does not exist; expected a password file")
            case "pam":
                yield from _pam(argument or "virtcim")
            case "certificate":
                if settings.tls.client_ca is None and not settings.listen_unix:
                    yield error("auth: 'certificate' without tls.client_ca: nobody can log in")


def _pam(service: str) -> Iterator[Finding]:
    file = Path("/etc/pam.d") / service
    if not file.exists():
        yield error(f"auth: there is no PAM service {file}: copy packaging/pam/virtcim there, so that users can log in")
    else:
        yield ok(f"auth: PAM service {file}")
    if os.geteuid() != 0 and not os.access("/etc/shadow", os.R_OK):
        yield warning(
            "auth: PAM's pam_unix can check no password but this user's own, unless the user of the server is in the "
            "group shadow (SupplementaryGroups=shadow); users of a directory (SSSD) are not concerned"
        )


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _user,
    _state_directory,
    _audit_log,
    _addresses,
    _certificates,
    _authentication,
    _hypervisors,
)
