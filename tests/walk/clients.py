"""A sample of the walk by the clients that users have: pywbem and wbemcli."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

import pywbem

from tests.walk.walker import Walker, from_pywbem
from tests.walk.wire import Path, Wire

__all__ = ["sample"]

_TRAVERSALS = {"ain": "AssociatorNames", "ai": "Associators", "rin": "ReferenceNames", "ri": "References"}
_BEGIN = re.compile(r"[^/\s]+/root/[^:\s]+:\w+\.").match  # HOST/NAMESPACE:CLASS.KEY=...


def sample(walker: Walker, every: int = 1) -> int:
    """Every read operation on one instance of each class, or of `every` so many, by both clients; how many classes.

    What the clients get is held against what the walker got; differences are findings of its report.
    """
    wire = walker.wire
    credentials = (wire.user, wire.password) if wire.user is not None else None
    first: dict[tuple[str, str], Path] = {}
    for path in walker.found:
        if path not in walker.unlisted:
            first.setdefault((path.namespace, path.class_name), path)
    with pywbem.WBEMConnection(wire.address, credentials, timeout=60, no_verification=True) as connection:
        sampled = list(first.values())[::every]
        for path in sampled:
            _sample_class(walker, connection, path)
    return len(sampled)


def _sample_class(walker: Walker, connection: pywbem.WBEMConnection, path: Path) -> None:
    declared = walker.classes[path.class_name]
    names = connection.EnumerateInstanceNames(declared.name, namespace=path.namespace)
    counts = {
        "ein": len(names),
        "ei": len(connection.EnumerateInstances(declared.name, namespace=path.namespace)),
    }
    (name,) = (each for each in names if from_pywbem(each, path.namespace) == path)
    instance = connection.GetInstance(name)
    sent = {value.name for value in walker.found[path].properties.values()}
    if set(instance.keys()) != sent:
        walker.report.add("pywbem reads other properties", path, set(instance.keys()) ^ sent)
    if not declared.is_association:
        links = walker.links[path.namespace, path]
        for command, operation in _TRAVERSALS.items():
            found = getattr(connection, operation)(name)
            counts[command] = len(found)
            wanted = len({link.path if command.startswith("r") else link.other for link in links})
            if len(found) != wanted:
                walker.report.add("pywbem finds another number", path, f"{operation}: {len(found)}, not {wanted}")
    _sample_by_wbemcli(walker, path, names.index(name), counts)


def _sample_by_wbemcli(walker: Walker, path: Path, index: int, counts: Mapping[str, int]) -> None:
    """The commands of wbemcli on a class and on its instance at `index`; each is to print so many lines."""
    class_name = walker.classes[path.class_name].name
    listed = _wbemcli(walker.wire, "ein", path.namespace, class_name) or []
    if len(listed) != counts["ein"]:
        walker.report.add("wbemcli finds another number", path, f"ein: {len(listed)}, not {counts['ein']}")
        return
    _, _, target = listed[index].partition(f"/{path.namespace}:")
    for command, wanted in counts.items():
        lines = _wbemcli(walker.wire, command, path.namespace, class_name if command in ("ein", "ei") else target)
        if lines is None or len(lines) != wanted:
            walker.report.add("wbemcli finds another number", path, f"{command}: {lines and len(lines)}, not {wanted}")
    if _wbemcli(walker.wire, "gi", path.namespace, target) is None:
        walker.report.add("wbemcli fails", path, f"gi {target}")


def _wbemcli(wire: Wire, command: str, namespace: str, target: str) -> list[str] | None:
    """The lines by which wbemcli begins an instance or a path; None when it reports an error.

    A value of several lines, such as the text of a template, goes on in lines of its own.
    """
    scheme, _, host = wire.address.partition("://")
    login = f"{wire.user}:{wire.password}@" if wire.user is not None else ""
    done = subprocess.run(
        ["wbemcli", "-noverify", command, f"{scheme}://{login}{host}/{namespace}:{target}"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    if done.returncode != 0 or "*" in (done.stderr.lstrip()[:1], done.stdout.lstrip()[:1]):
        return None
    return [line for line in done.stdout.splitlines() if _BEGIN(line)]
