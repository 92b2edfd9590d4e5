"""OpenPegasus: classes by cimmof, the registration as PG_* instances, removal by cimprovider and cimcli."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection
from pathlib import Path

from virtcim.registration.cimservers import CimServer, Plan, digest
from virtcim.registration.formats import pegasus_mof
from virtcim.registration.record import NamespaceRecord, Record
from virtcim.registration.table import LIBRARY
from virtcim.registration.tools import RegistrationError

__all__ = ["Pegasus"]

INTEROP_NAMESPACES = ("root/PG_InterOp", "root/interop")
"""Where the registration lives: the first one in source builds and before 2.12.1, else the second one."""

OWN_CLASSES = "pg_"
"""Beginning of the lower-case names of OpenPegasus's own classes."""

_GROUPS_SINCE = (2, 11)


class Pegasus(CimServer):
    """OpenPegasus 2.9 and later, running or stopped."""

    name = "pegasus"

    def installed(self) -> bool:
        return self.tools.has("cimserver") and self.tools.has("cimmof")

    def running(self) -> bool:
        return self.tools.ask("cimprovider", "-l") is not None

    def registered(self) -> bool:
        modules = self.tools.ask("cimprovider", "-l") or ""
        return LIBRARY in modules.split()

    def register(self, plan: Plan, record: Record) -> None:
        running = self.running()
        interop = self._interop(running)
        registration = pegasus_mof(plan.table.entries, plan.version, grouped=self._version() >= _GROUPS_SINCE)
        if not running and record.digest and record.digest != digest(registration):
            raise RegistrationError("OpenPegasus is stopped, and the registration in it is another: start cimserver")
        gone = [namespace for namespace in record.namespaces if namespace not in plan.table.namespaces]
        if gone and not running:
            raise RegistrationError(f"OpenPegasus is stopped, and has {', '.join(gone)} still: start cimserver")
        for namespace in plan.table.namespaces:
            self._load_classes(namespace, plan, record, running)
        if running and self.registered():
            if record.digest == digest(registration) and not gone:
                return
            self._remove_module()
        if running or not record.digest:
            self._compile(interop, registration, running)
        record.interop, record.digest = interop, digest(registration)
        for namespace in gone:
            self._remove_namespace(namespace, record)

    def unregister(self, record: Record) -> None:
        if not self.running():
            raise RegistrationError("OpenPegasus is stopped: start cimserver, which alone can remove providers")
        if self.registered():
            self._remove_module()
        record.digest = record.interop = ""
        # What is in another namespace goes before that.
        for namespace in sorted(record.namespaces, key=lambda name: -name.count("/")):
            self._remove_namespace(namespace, record)

    def _remove_namespace(self, namespace: str, record: Record) -> None:
        made = record.namespaces[namespace]
        self._remove_copies(namespace, made.kept)
        # A class can go when nothing is derived from it any more; some may be in use by others meanwhile.
        for names, command in ((made.classes, "dc"), (made.qualifiers, "dq")):
            kept = [
                name
                for name in reversed(names)
                if not self.tools.change("cimcli", command, "-n", namespace, name, may_fail=True)
            ]
            for name in kept:
                self.tools.say(f"{name} stays in {namespace}: something else uses it")
            names[:] = reversed(kept)
        if made.created and not made.classes and not made.qualifiers:
            parent, _, child = namespace.rpartition("/")
            self.tools.change("cimcli", "di", "-n", parent, f'__Namespace.Name="{child}"', may_fail=True)
        del record.namespaces[namespace]

    def _remove_copies(self, namespace: str, kept: Collection[str]) -> None:
        """Take out the classes of its own that OpenPegasus has put beside ours since: PG_RegisteredProfile and
        PG_ElementConformsToProfile, wherever the classes above them are served."""
        for name in sorted(self._own_classes(namespace, True).difference(kept)):
            self.tools.change("cimcli", "dc", "-n", namespace, name, may_fail=True)

    def _remove_module(self) -> None:
        # Disabling fails for a module that is disabled already.
        self.tools.change("cimprovider", "-d", "-m", LIBRARY, may_fail=True)
        self.tools.change("cimprovider", "-r", "-m", LIBRARY)

    def _version(self) -> tuple[int, ...]:
        found = re.search(r"(\d+)\.(\d+)", self.tools.ask("cimserver", "--version") or "")
        return tuple(map(int, found.groups())) if found else _GROUPS_SINCE

    def _repository(self) -> Path:
        """The directory of the repository, for a stopped server."""
        said = self.tools.ask("cimconfig", "-g", "repositoryDir", "-p") or ""
        _, _, value = said.strip().rpartition(": ")
        path = Path(value or "repository")
        if not path.is_absolute():
            path = Path(os.environ.get("PEGASUS_HOME", "/var/lib/Pegasus")) / path
        if not path.is_dir():
            raise RegistrationError(f"OpenPegasus is stopped, and its repository is not {path}: start cimserver")
        return path

    def _interop(self, running: bool) -> str:
        for namespace in INTEROP_NAMESPACES:
            if running:
                found = self.tools.ask("cimcli", "gc", "-niq", "-n", namespace, "PG_ProviderModule") is not None
            else:
                directory = self._repository() / namespace.replace("/", "#") / "classes"
                found = any(directory.glob("PG_ProviderModule.*"))
            if found:
                return namespace
        raise RegistrationError(f"None of {', '.join(INTEROP_NAMESPACES)} has the class PG_ProviderModule")

    def _classes(self, namespace: str, running: bool) -> set[str] | None:
        """Lower-case names of the classes in a namespace; None when there is no such namespace."""
        if running:
            said = self.tools.ask("cimcli", "nc", "-di", "-n", namespace)
            return None if said is None else set(said.lower().split())
        directory = self._repository() / namespace.replace("/", "#")
        if not directory.is_dir():
            return None
        return {path.name.partition(".")[0].lower() for path in (directory / "classes").iterdir()}

    def _own_classes(self, namespace: str, running: bool) -> set[str]:
        """Lower-case names of OpenPegasus's own classes in a namespace."""
        return {name for name in self._classes(namespace, running) or () if name.startswith(OWN_CLASSES)}

    def _load_classes(self, namespace: str, plan: Plan, record: Record, running: bool) -> None:
        known = self._classes(namespace, running)
        if namespace not in record.namespaces:
            kept = sorted(self._own_classes(namespace, running))
            record.namespaces[namespace] = NamespaceRecord(created=known is None, kept=kept)
        made = record.namespaces[namespace]
        missing = plan.missing_classes(namespace, known or ())
        own = plan.own_classes(namespace)
        fingerprint = digest(plan.mof(own))
        text = plan.mof(missing)
        if known is None:
            # An interrupted registration is taken up where it ended.
            made.created = True
            made.qualifiers = [each.name for each in plan.schema.qualifier_declarations.values()]
            text = plan.qualifiers() + text
        made.classes.extend(name for name in missing if name not in made.classes)
        if text:
            self._compile(namespace, text, running)
        older = [name for name in own if known and name.lower() in known]
        if older and made.digest != fingerprint:
            self._compile(namespace, plan.mof(older), running, "-uc")
        made.digest = fingerprint

    def _compile(self, namespace: str, text: str, running: bool, *options: str) -> None:
        """Compile MOF; -aE, since some of the DMTF's classes are experimental and would be skipped silently."""
        with tempfile.TemporaryDirectory(prefix="virtcim-") as directory:
            file = Path(directory) / f"virtcim-{namespace.replace('/', '-')}.mof"
            file.write_text(text, encoding="utf-8")
            if running:
                command = ["cimmof"]
            else:
                repository = self._repository()
                command = ["cimmofl", "-W", "-R", str(repository.parent), "-N", repository.name]
            self.tools.change(*command, "-w", "-aE", *options, "-n", namespace, str(file))
