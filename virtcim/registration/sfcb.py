"""SFCB: files staged by sfcbstage, from which sfcbrepos makes a new repository."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from virtcim.registration.cimservers import DMTF, CimServer, Plan, digest
from virtcim.registration.formats import sfcb_stanzas
from virtcim.registration.mof import closure
from virtcim.registration.record import NamespaceRecord, Record
from virtcim.registration.table import INDICATIONS
from virtcim.registration.tools import RegistrationError, Tools

__all__ = ["Sfcb"]

REGISTRATION = "virtcim.reg"
SCHEMA = "CIM_Schema.mof"
UNITS = ("sblim-sfcb", "sfcb")
"""Names under which distributions run SFCB in systemd."""

_CLASS = re.compile(r"^\s*class\s+(CIM_\w+)", re.MULTILINE)


def _is_running() -> bool:
    """Whether there is a process sfcbd."""
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().strip() == "sfcbd":
                return True
        except OSError:
            continue
    return False


def _holds(path: Path, text: str) -> bool:
    """Whether a file is there and holds a text."""
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def _missing(directory: Path) -> list[str]:
    """List the directories to be made so that this one exists."""
    return [str(each) for each in [directory, *directory.parents] if not each.exists()]


def _deepest_first(names: Iterable[str]) -> list[Path]:
    return [Path(name) for name in sorted(names, key=len, reverse=True)]


class Sfcb(CimServer):
    """SFCB 1.3 and later, running or stopped.

    Parameters:
        is_running: tells whether the server runs.
    """

    name = "sfcb"

    def __init__(self, tools: Tools, is_running: Callable[[], bool] = _is_running) -> None:
        super().__init__(tools)
        self._is_running = is_running

    def installed(self) -> bool:
        return self.tools.has("sfcbrepos") and self.tools.has("sfcbstage")

    def running(self) -> bool:
        return self._is_running()

    def registered(self) -> bool:
        return (self._directory("sfcbstage", "-s") / "regs" / REGISTRATION).exists()

    def register(self, plan: Plan, record: Record) -> None:
        stage = self._directory("sfcbstage", "-s")
        known, is_new = self._schema(plan, record)
        texts = {stage / "regs" / REGISTRATION: sfcb_stanzas(plan.table.entries)}
        for namespace in plan.table.namespaces:
            # SFCB leaves out of a namespace what is in its schema and nothing staged is derived from.
            served = [
                each.class_name
                for each in plan.table.entries
                if each.namespace == namespace and each.provider != INDICATIONS
            ]
            asked = {name.lower() for name in (*plan.further.get(namespace, ()), *served)}
            # What something new is derived from stays: of two declarations of a class, in two schemas, SFCB 1.3 loses
            # the keys.
            lacking = plan.missing_classes(namespace, known)
            kept = {above.lower() for name in lacking for above in plan.schema.ancestors(name)}
            missing = plan.missing_classes(namespace, known - (asked - kept))
            texts[stage / "mofs" / namespace / self._mof_name(namespace)] = plan.mof(missing, fill=True)
        options = self._whole_classes()
        fingerprint = digest("".join(f"{path.name}\0{text}\0" for path, text in texts.items()) + " ".join(options))
        gone = [namespace for namespace in record.namespaces if namespace not in plan.table.namespaces]
        if (
            record.digest == fingerprint
            and not is_new
            and not gone
            and all(_holds(path, text) for path, text in texts.items())
        ):
            return
        record.digest = ""
        for namespace in sorted(gone, key=lambda name: -name.count("/")):
            self._unstage(namespace, record)
            directory = stage / "mofs" / namespace
            if str(directory) in record.files and directory.is_dir() and not any(directory.iterdir()):
                self.tools.remove(directory)
                record.files.remove(str(directory))
        with tempfile.TemporaryDirectory(prefix="virtcim-") as temporary:
            for path, text in texts.items():
                (Path(temporary) / path.name).write_text(text, encoding="utf-8")
            self.tools.change("sfcbstage", "-r", f"{temporary}/{REGISTRATION}")
            for namespace in plan.table.namespaces:
                record.files.extend(_missing(stage / "mofs" / namespace))
                record.namespaces.setdefault(namespace, NamespaceRecord())
                self.tools.change("sfcbstage", "-n", namespace, f"{temporary}/{self._mof_name(namespace)}")
        self._rebuild(*options)
        record.digest = fingerprint

    def unregister(self, record: Record) -> None:
        record.digest = ""
        if self.registered():
            self.tools.change("sfcbunstage", "-r", REGISTRATION)
        for namespace in list(record.namespaces):
            self._unstage(namespace, record)
        for path in _deepest_first(record.files):
            if path.is_dir():
                self.tools.remove(path)
        self._rebuild()
        # SFCB cannot make a repository without a schema: ours, and its directory, go last.
        for path in _deepest_first(record.files):
            self.tools.remove(path)
        record.files.clear()

    def _unstage(self, namespace: str, record: Record) -> None:
        self.tools.change("sfcbunstage", "-n", namespace, self._mof_name(namespace), may_fail=True)
        del record.namespaces[namespace]

    @staticmethod
    def _mof_name(namespace: str) -> str:
        return f"virtcim-{namespace.replace('/', '-')}.mof"

    def _directory(self, tool: str, option: str) -> Path:
        """The default of an option, which the tools tell in their help."""
        said = self.tools.ask(tool, "-h") or ""
        # The tools are scripts for a shell whose echo knows -e; Debian's writes it.
        found = re.search(rf"^(?:-e)?\s*{option}\s.*\[(/.*)\]\s*$", said, re.MULTILINE)
        if found is None:
            raise RegistrationError(f"{tool} -h does not tell its default of {option}")
        return Path(found[1])

    def _schema(self, plan: Plan, record: Record) -> tuple[set[str], bool]:
        """Lower-case names of the DMTF classes that SFCB has, and whether they were put there now: an SFCB without any
        gets ours."""
        directory = self._directory("sfcbrepos", "-c")
        path = directory / SCHEMA
        if path.exists() and str(path) not in record.files:
            known: set[str] = set()
            for file in directory.rglob("*.mof"):
                known.update(name.lower() for name in _CLASS.findall(file.read_text(errors="replace")))
            return known, False
        names = [name for name in closure(plan.schema, plan.schema) if name.lower().startswith(DMTF)]
        text = plan.qualifiers() + plan.mof(names, fill=True)
        is_new = not _holds(path, text)
        if is_new:
            made = [*_missing(directory), str(path)]
            record.files.extend(name for name in made if name not in record.files)
            self.tools.write(path, text)
        return {name.lower() for name in names}, is_new

    def _whole_classes(self) -> tuple[str, ...]:
        """Choose the format of the repository in which each class stands with all that it inherits.

        In the other one SFCB 1.4 puts a class together from its superclasses and loses the qualifiers of parameters
        on the way.  Without EmbeddedInstance it refuses embedded instances in methods, with CIM_ERR_TYPE_MISMATCH.

        Returns:
            options of sfcbrepos; none for one that knows no formats.
        """
        said = self.tools.ask("sfcbrepos", "-h", with_errors=True) or ""  # where its usage goes
        return ("-t", "std") if "[-t format]" in said else ()

    def _rebuild(self, *options: str) -> None:
        """Make the repository anew; the server reads it at its start only.

        Parameters:
            options: further ones of sfcbrepos.
        """
        unit = self._unit() if self.running() else None
        if unit:
            self.tools.change("systemctl", "stop", unit)
        self.tools.change("sfcbrepos", "-f", *options)
        if unit:
            self.tools.change("systemctl", "start", unit)
        elif self.running():
            self.tools.say("restart SFCB: it reads its registrations at its start only")

    def _unit(self) -> str | None:
        for unit in UNITS:
            if self.tools.has("systemctl") and self.tools.ask("systemctl", "is-active", "--quiet", unit) is not None:
                return unit
        return None
