"""`virtcim register`, `unregister` and `status`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from virtcim.registration import record as records
from virtcim.registration.cimservers import CimServer, Plan
from virtcim.registration.formats import file_texts
from virtcim.registration.pegasus import Pegasus
from virtcim.registration.record import Record
from virtcim.registration.sfcb import Sfcb
from virtcim.registration.tools import RegistrationError, Tools

__all__ = ["CIM_SERVERS", "choose", "register", "status", "unregister", "write"]

CIM_SERVERS: dict[str, Callable[[Tools], CimServer]] = {"pegasus": Pegasus, "sfcb": Sfcb}
"""What `--cimom` takes."""


def choose(name: str | None, tools: Tools) -> CimServer:
    """The CIM server that is meant.

    Parameters:
        name: of `CIM_SERVERS`, or None for the one that is installed.

    Raises:
        RegistrationError: it is not installed; or none is, or several are and none is named.
    """
    known = [make(tools) for each, make in CIM_SERVERS.items() if name in (None, each)]
    if not known:
        raise RegistrationError(f"CIM server {name!r}: is not known; expected {', '.join(CIM_SERVERS)}")
    found = [server for server in known if server.installed()]
    if not found:
        names = " or ".join(server.name for server in known)
        raise RegistrationError(f"No tools of {names} are on PATH: is it installed, and its directory on PATH?")
    if len(found) > 1:
        raise RegistrationError(f"{' and '.join(server.name for server in found)} are installed: say --cimom which one")
    return found[0]


def register(plan: Plan, server: CimServer, state_dir: Path) -> None:
    """Register everything.  What is registered already, and has not changed, stays as it is.

    Raises:
        RegistrationError: it cannot be done; what was done so far is remembered, and can be undone.
    """
    known = records.load(state_dir)
    record = known.setdefault(server.name, Record())
    if not state_dir.exists():
        record.files.append(str(state_dir))
    try:
        server.register(plan, record)
        record.version = plan.version
    finally:
        if not server.tools.dry_run:
            records.save(state_dir, known)


def write(plan: Plan, directory: Path, tools: Tools) -> None:
    """Write what a CIM server of another kind needs into files; no CIM server is asked or changed.

    Parameters:
        directory: made if need be; files of these names that are there are written anew.

    Raises:
        RegistrationError: a file cannot be written.
    """
    for name, text in file_texts(plan).items():
        try:
            tools.write(directory / name, text)
        except OSError as error:
            raise RegistrationError(
                f"{directory / name}: {error.strerror}; expected a place that can be written"
            ) from None


def unregister(server: CimServer, state_dir: Path) -> bool:
    """Leave the CIM server as it was before the first `register`.

    Returns:
        whether anything was registered there.

    Raises:
        RegistrationError: it cannot be done; what is left to do is remembered.
    """
    known = records.load(state_dir)
    record = known.get(server.name)
    if record is None:
        if server.registered():
            raise RegistrationError(
                f"{server.name} has a registration that {state_dir} does not tell of: register again from here, "
                "then unregister"
            )
        return False
    is_ours = str(state_dir) in record.files
    if server.tools.dry_run:
        record = replace(record, namespaces=dict(record.namespaces), files=list(record.files))
    try:
        server.unregister(record)
        known.pop(server.name)
    finally:
        if not server.tools.dry_run:
            records.save(state_dir, known)
    if is_ours:
        server.tools.remove(state_dir)
    return True


def status(
    servers: Sequence[CimServer], state_dir: Path, version: str, local: str = "", nodes: Iterable[str] = ()
) -> list[str]:
    """One line for each CIM server that is installed.

    Parameters:
        version: of this project; a registration by another one should be made again.
        local: the namespace below which the namespaces of nodes are.
        nodes: these, as they are now; where others are registered, registering is due.
    """
    known = records.load(state_dir)
    lines = []
    for server in servers:
        if not server.installed():
            continue
        record = known.get(server.name)
        running = "running" if server.running() else "stopped"
        if record is None:
            state = "registered by somebody else" if server.registered() else "not registered"
        else:
            places = ", ".join(record.namespaces)
            state = f"registered by virtcim {record.version} in {places}" if record.digest else "partly registered"
            if record.version != version:
                state += f"; this is virtcim {version}: register again"
            state += _due(record, local, nodes)
        lines.append(f"{server.name}: {running}, {state}")
    return lines or ["no CIM server is installed"]


def _due(record: Record, local: str, nodes: Iterable[str]) -> str:
    """Say which namespaces of nodes came or went since they were registered; "" where none did."""
    if not local or not record.digest:
        return ""
    registered = {name for name in record.namespaces if name.startswith(f"{local}/")}
    came, went = sorted(set(nodes) - registered), sorted(registered - set(nodes))
    changes = [f"{', '.join(names)} {what}" for names, what in ((came, "came"), (went, "went")) if names]
    return f"; {' and '.join(changes)} since: register again" if changes else ""
