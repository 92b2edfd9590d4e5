"""`virtcim console`: a guest's serial console in this terminal, its graphical one in a viewer, or where they are."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from virtcim.app.commands.grammar import Commands
from virtcim.app.config import load

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import DomainConfig

__all__ = ["add_console"]

EXIT_FAILED = 1
ESCAPE = b"\x1d"
"""Ctrl-], which ends the session, as it does in `virsh console`."""
CHUNK = 1024
VIEWERS = ("remote-viewer", "vinagre", "remmina")
"""Programs that take the URL of a graphical console, the better ones first."""
DRAIN_SECONDS = 1.0
"""Seconds that a guest gets to answer what came from a file or pipe that has ended."""


class _Guest(NamedTuple):
    """A guest, and where it was found."""

    uri: str
    uuid: str
    name: str
    active: bool
    config: DomainConfig


def add_console(commands: Commands) -> None:
    """Add the command to the subparsers of the command line."""
    parser = commands.add_parser(
        "console",
        help="open the console of a guest",
        description="Open the serial console of a guest in this terminal; Ctrl-] leaves it.",
    )
    parser.add_argument("guest", metavar="GUEST", help="name or UUID")
    parser.add_argument("--uri", action="append", metavar="URI", help="where it is looked for; may be given again")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings of the server, in TOML")
    parser.add_argument("--device", metavar="ALIAS", help="which console, as libvirt calls it; default: the first one")
    parser.add_argument("--force", action="store_true", help="take the console away from who has it")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--graphical", action="store_true", help="start the viewer of the graphical console")
    how.add_argument("--print", action="store_true", help="print address and command of each console")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from virtcim.libhelper.errors import LibvirtError

    try:
        guest = _find(arguments.guest, arguments.uri or _uris(arguments.config))
        if guest is None:
            return _fail(f"{arguments.guest}: no guest of this name or UUID; expected one of --uri or of the settings")
        if arguments.print:
            return _print(guest)
        if not guest.active:
            return _fail(f"{guest.name}: does not run, and so has no console")
        if arguments.graphical:
            return _view(guest)
        return _serial(guest, arguments.device, arguments.force)
    except LibvirtError as error:
        return _fail(f"{arguments.guest}: {error.message}")


def _fail(text: str) -> int:
    print(f"virtcim: {text}", file=sys.stderr)
    return EXIT_FAILED


def _uris(config: Path | None) -> Sequence[str]:
    """Where guests are looked for: where the settings say, else at every hypervisor that can be here."""
    from virtcim.platforms.registry import load_platforms

    settings = load(config, {})
    return settings.uris or list(dict.fromkeys(uri for platform in load_platforms() for uri in platform.uris))


def _find(name: str, uris: Sequence[str]) -> _Guest | None:
    """Find a guest by its name, else by its UUID; where no URI has it, the error of the last one that is away.

    Raises:
        LibvirtError: it was not found, and not everybody could be asked.
    """
    from virtcim.libhelper.connections import close_connection, open_connection
    from virtcim.libhelper.documents.domain import DomainConfig
    from virtcim.libhelper.errors import LibvirtError, translated

    away: LibvirtError | None = None
    for uri in uris:
        try:
            connection = open_connection(uri)
        except LibvirtError as error:
            away = error
            continue
        try:
            for lookup in (connection.lookupByName, connection.lookupByUUIDString):
                with contextlib.suppress(LibvirtError), translated():
                    domain = lookup(name)
                    config = DomainConfig.parse(domain.XMLDesc(0))
                    return _Guest(uri, domain.UUIDString(), domain.name(), bool(domain.isActive()), config)
        finally:
            close_connection(connection)
    if away is not None:
        raise away
    return None


def _print(guest: _Guest) -> int:
    """Print each console with its address, and the command that opens it."""
    for line in _lines(guest):
        print(line)
    return 0


def _lines(guest: _Guest) -> Iterator[str]:
    from virtcim.libhelper.documents.domain import Console, Graphics
    from virtcim.providers.consoles import source_path

    for device in guest.config.devices:
        if isinstance(device, Console):
            command = ["virsh", "-c", guest.uri, "console", guest.name]
            address = source_path(device) or device.tty or "-"
            yield f"{device.target_type or 'serial'}\t{address}\t{shlex.join(command)}"
        elif isinstance(device, Graphics):
            url = _url(device)
            yield f"{device.type}\t{url or '-'}\t{shlex.join(['virt-viewer', '-c', guest.uri, guest.name])}"


def _url(device: Any) -> str | None:
    """Where a graphical console listens, as viewers want it; None as long as libvirt is still to choose."""
    from virtcim.providers.consoles import graphics_address

    address = graphics_address(device)
    if address is None or address.endswith(":-1") or device.type not in ("vnc", "spice", "rdp"):
        return None
    return f"{device.type}+unix://{address}" if address.startswith("/") else f"{device.type}://{address}"


def _view(guest: _Guest) -> int:
    """Run the viewer until it ends."""
    from virtcim.libhelper.documents.domain import Graphics

    urls = [_url(device) for device in guest.config.devices if isinstance(device, Graphics)]
    url = next((each for each in urls if each is not None), None)
    if shutil.which("virt-viewer"):
        command = ["virt-viewer", "-c", guest.uri, guest.name]
    elif url is None:
        return _fail(f"{guest.name}: has no graphical console that listens")
    else:
        viewer = next((each for each in VIEWERS if shutil.which(each)), None)
        if viewer is None:
            programs = ", ".join(("virt-viewer", *VIEWERS))
            return _fail(f"{guest.name}: its console is {url}, and there is no viewer; expected one of {programs}")
        command = [viewer, url]
    sys.stdout.flush()
    return subprocess.run(command, check=False).returncode


def _serial(guest: _Guest, device: str | None, force: bool) -> int:
    """Connect the console with this terminal, or with what stdin and stdout are."""
    from virtcim.libhelper.console import SerialConsole

    with SerialConsole(guest.uri, guest.uuid, device, force=force) as console:
        interactive = sys.stdin.isatty()
        if interactive:
            print(f"Connected to {guest.name}; Ctrl-] leaves it.", file=sys.stderr)
        ended = threading.Event()
        reader = threading.Thread(target=_write_out, args=(console, ended), name="console", daemon=True)
        with _raw(interactive):
            sender = threading.Thread(target=_send, args=(console, ended, interactive), name="keyboard", daemon=True)
            reader.start()
            sender.start()
            ended.wait()
        if interactive:
            print(file=sys.stderr)
        else:
            reader.join(DRAIN_SECONDS)
    return 0


def _write_out(console: Any, ended: threading.Event) -> None:
    """Write what the guest writes, until the console ends or nobody reads it any more."""
    try:
        while piece := console.read():
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        ended.set()


def _send(console: Any, ended: threading.Event, interactive: bool) -> None:
    """Send what is typed, until the key that leaves; or a file, until it ends and the guest had its time to answer."""
    from virtcim.libhelper.errors import LibvirtError

    with contextlib.suppress(LibvirtError):
        while typed := os.read(sys.stdin.fileno(), CHUNK):
            kept, key, _ = typed.partition(ESCAPE) if interactive else (typed, b"", b"")
            console.write(kept)
            if key:
                ended.set()
                return
    ended.wait(DRAIN_SECONDS)
    ended.set()


@contextmanager
def _raw(interactive: bool) -> Iterator[None]:
    """Hand every key on, as long as the block lasts."""
    if not interactive:
        yield
        return
    before = termios.tcgetattr(sys.stdin.fileno())
    try:
        tty.setraw(sys.stdin.fileno())
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
