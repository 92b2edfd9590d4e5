"""Many clients at once, all operations, while guests come and go: no wrong answer, no exception, nothing left behind.

`VIRTCIM_SOAK_SECONDS` sets the length of the long run (300 s), `VIRTCIM_SOAK_CLIENTS` the number of clients (24).
"""

from __future__ import annotations

import collections
import contextlib
import os
import random
import re
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pywbem
from lxml import etree

from tests.bed import Libvirtd, RawClient, Server, wait_until
from tests.bed.server import class_parameter, instance_name, parameter, simple_request
from tests.bed.views import ENABLED_STATE, guest_keys
from tests.cimom.harness import faults
from tests.conftest import Guests

SHORT_SECONDS = 8.0
LONG_SECONDS = float(os.environ.get("VIRTCIM_SOAK_SECONDS", "300"))
CLIENTS = int(os.environ.get("VIRTCIM_SOAK_CLIENTS", "24"))

#: Of so many clients one is pywbem; the others send bytes.
PYWBEM_SHARE = 6

#: Seconds after which what virsh did must be seen by everybody, on a machine that has much else to do.
SETTLE = 6.0

#: Seconds in which a job has started or stopped a guest.
SLOWEST = 60.0

#: Seconds that the guests rest at most between two steps of virsh.
PAUSE = 2.0

#: One answer of so many is validated against the DTD; all are parsed.
VALIDATED = 10

ANCHORS = [f"anchor-{number}" for number in range(8)]
CHURNED = [f"churn-{number}" for number in range(6)]
OWN = re.compile(r"own-\d+")

FAILED, INVALID_NAMESPACE, INVALID_PARAMETER, INVALID_CLASS, NOT_FOUND, NOT_SUPPORTED = 1, 3, 4, 5, 6, 7
LANGUAGE, INVALID_QUERY, NO_CONTEXT = 14, 15, 21

#: Return value of a method that goes on as a job.
JOB_STARTED = 4096

#: EnabledState while a client's request to start a guest is under way.
STARTING = 10

SYSTEM = "KVM_ComputerSystem"
SERVICE = "KVM_VirtualSystemManagementService"

#: What the server may have more after the run than before: memory in KiB, descriptors, and threads, which are made as
#: many as were ever needed at once (4 to read, 16 for changes, 4 for jobs) and stay.
MEMORY_SLACK = 16 * 1024
DESCRIPTOR_SLACK = 4
THREAD_SLACK = 24

GUEST = """\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>16</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <controller type='usb' model='none'/>
    <interface type='user'><model type='virtio'/></interface>
    <serial type='pty'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""

_ERROR = re.compile(rb'<ERROR CODE="(\d+)" DESCRIPTION="([^"]*)"')
_CONTEXT = re.compile(rb'NAME="EnumerationContext" PARAMTYPE="string"><VALUE>([^<]+)<')
_NAME_KEY = re.compile(rb'<KEYBINDING NAME="Name"><KEYVALUE[^>]*>([^<]*)<')
_RETURN = re.compile(rb'<RETURNVALUE PARAMTYPE="uint32"><VALUE>(\d+)<')
_STATE = re.compile(rb'<PROPERTY NAME="EnabledState"[^>]*><VALUE>(\d+)<')


#: A port for VNC that somebody else on the machine took after libvirt had chosen it.
_TAKEN_PORT = "Address already in use"


class Wrong(Exception):
    """An answer that cannot be right."""


@dataclass(frozen=True)
class Presence:
    """Whether a guest is defined (None: virsh is at it), and since when."""

    defined: bool | None
    since: float


class Churn:
    """Guests that virsh defines, starts, suspends, resumes, destroys and undefines, in threads of their own."""

    def __init__(self, daemon: Libvirtd, directory: Path, seed: int) -> None:
        self.daemon = daemon
        self.directory = directory
        self.presence = dict.fromkeys(CHURNED, Presence(False, 0.0))
        self.steps: collections.Counter[str] = collections.Counter()
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(CHURNED[start::2],), name=f"churn {start}") for start in range(2)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the steps; the guests that are there go."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, names: list[str]) -> None:
        states = dict.fromkeys(names, "gone")
        while not self._stop.wait(self._random.uniform(0, PAUSE)):
            name = self._random.choice(names)
            states[name] = self._step(name, states[name])
        for name in names:
            if states[name] != "gone":
                self._virsh("destroy", name)
                self._undefine(name)

    def _step(self, name: str, state: str) -> str:
        match state:
            case "gone":
                file = self.directory / f"{name}.xml"
                file.write_text(GUEST.format(name=name))
                self.presence[name] = Presence(None, time.monotonic())
                if not self._virsh("define", str(file)):
                    raise AssertionError(f"{name} cannot be defined")
                self.presence[name] = Presence(True, time.monotonic())
                return "defined"
            case "defined" if self._random.random() < 0.6:
                self._virsh("start", name)
                return "running"
            case "running" if self._random.random() < 0.6:
                self._virsh("suspend", name)
                self._virsh("resume", name)
                return "running"
            case _:
                self._virsh("destroy", name)
                self._undefine(name)
                return "gone"

    def _undefine(self, name: str) -> None:
        """A client may have started the guest meanwhile: then it is there until it is destroyed."""
        self.presence[name] = Presence(None, time.monotonic())
        while name in self.daemon.list_all():
            self._virsh("undefine", name)
            self._virsh("destroy", name)
        self.presence[name] = Presence(False, time.monotonic())

    def _virsh(self, *arguments: str) -> bool:
        """Clients start and stop the same guests, so that a step may come too late."""
        self.steps[arguments[0]] += 1
        with contextlib.suppress(subprocess.CalledProcessError):
            self.daemon.virsh(*arguments)
            return True
        return False


class Watched:
    """What was known when an operation began, held against what is known at its end."""

    def __init__(self, churn: Churn) -> None:
        self._churn = churn
        self._began = time.monotonic()
        self._before = dict(churn.presence)

    def certain(self, name: str) -> bool | None:
        """Whether a guest was there, or was not, all the time; None when it came or went."""
        before, now = self._before[name], self._churn.presence[name]
        return before.defined if before == now and self._began - before.since > SETTLE else None

    def check_listed(self, names: list[str]) -> None:
        """Whether a list of all guests can be right."""
        if len(names) != len(set(names)):
            raise Wrong(f"twice in a list: {sorted(names)}")
        listed = set(names)
        if missing := [name for name in ANCHORS if name not in listed]:
            raise Wrong(f"not listed: {missing}")
        if strange := [name for name in listed if name not in {*ANCHORS, *CHURNED} and not OWN.fullmatch(name)]:
            raise Wrong(f"never defined: {strange}")
        for name in CHURNED:
            if (certain := self.certain(name)) is not None and certain != (name in listed):
                raise Wrong(f"{name} is {'there' if certain else 'gone'} for long, the list has {sorted(listed)}")


@dataclass
class Report:
    """What happened, from all clients."""

    operations: collections.Counter[str] = field(default_factory=collections.Counter)
    errors: collections.Counter[str] = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)
    answers: int = 0
    validated: int = 0
    slowest: float = 0.0


class Client:
    """One client; `act` carries out one operation of its choice, or a sequence of them, and judges the answers."""

    def __init__(self, number: int, server: Server, churn: Churn, report: Report, stable: dict[bytes, bytes]) -> None:
        self.number = number
        self.server = server
        self.churn = churn
        self.report = report
        self.stable = stable
        self.random = random.Random(number)
        self.actions: list[Callable[[], None]] = []

    def act(self) -> None:
        action = self.random.choice(self.actions)
        name = action.__name__
        began = time.monotonic()
        try:
            action()
        except Exception as exc:
            self.report.wrong.append(f"{name}: {type(exc).__name__}: {exc}")
        self.report.slowest = max(self.report.slowest, time.monotonic() - began)
        self.report.operations[name] += 1

    def close(self) -> None:
        """Close the connection."""


class Raw(Client):
    """A client that sends bytes."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.raw = self.server.client()
        self.actions = [
            self.list_names, self.list_names, self.list_instances, self.list_instances, self.get_anchor,
            self.get_anchor, self.get_churned, self.get_churned, self.associate_anchor, self.associate_churned,
            self.refer_host, self.pull, self.pull, self.open_and_close, self.abandon, self.query, self.pull_query,
            self.read_classes, self.change_state, self.hang_up, self.hang_up, self.send_nonsense,
            self.ask_for_what_is_not,
        ]  # fmt: skip

    def close(self) -> None:
        self.raw.close()

    def call(self, operation: str, *parameters: str, plausible: tuple[int, ...] = (), namespace: str = "") -> bytes:
        """An operation; its answer, or b"" for one of the plausible errors."""
        self.raw.namespace = namespace or "root/virt"
        body, headers = self.raw.prepared(operation, *parameters)
        status, headers_back, answer = self.raw.post(body, headers)
        if status != 200:
            raise Wrong(f"{operation}: HTTP {status} {headers_back.get('CIMError')} {answer[:200]!r}")
        return self.judge(operation, answer, plausible)

    def judge(self, operation: str, answer: bytes, plausible: tuple[int, ...]) -> bytes:
        report = self.report
        report.answers += 1
        if report.answers % VALIDATED == 0:
            report.validated += 1
            if found := faults(answer):
                raise Wrong(f"{operation}: {found}")
        else:
            etree.fromstring(answer)
        if (error := _ERROR.search(answer)) is None:
            return answer
        code = int(error[1])
        if code not in plausible:
            raise Wrong(f"{operation}: {error[0].decode()}")
        report.errors[f"{operation} {code}"] += 1
        return b""

    def check_stable(self, question: bytes, answer: bytes) -> None:
        """What does not change is answered by the same bytes, whoever asks and whenever."""
        if self.stable.setdefault(question, answer) != answer:
            raise Wrong(f"{question!r} had another answer: {answer[:2000]!r}")

    def list_names(self) -> None:
        watched = Watched(self.churn)
        watched.check_listed(names_in(self.call("EnumerateInstanceNames", class_parameter("ClassName", SYSTEM))))

    def list_instances(self) -> None:
        watched = Watched(self.churn)
        answer = self.call("EnumerateInstances", class_parameter("ClassName", SYSTEM))
        watched.check_listed(names_in(answer))
        if strange := {int(state) for state in _STATE.findall(answer)} - {*ENABLED_STATE.values(), STARTING}:
            raise Wrong(f"EnabledState {strange}")

    def get_anchor(self) -> None:
        name = self.random.choice(ANCHORS)
        answer = self.call("GetInstance", instance_parameter(name))
        self.check_stable(f"get {name}".encode(), answer)

    def get_churned(self) -> None:
        name = self.random.choice(CHURNED)
        watched = Watched(self.churn)
        answer = self.call("GetInstance", instance_parameter(name), plausible=(NOT_FOUND,))
        if (certain := watched.certain(name)) is not None and certain != bool(answer):
            raise Wrong(f"{name} is {'there' if certain else 'gone'} for long, the answer is {answer[:500]!r}")
        if answer and f"<VALUE>{name}</VALUE>".encode() not in answer:
            raise Wrong(f"another guest than {name}: {answer[:2000]!r}")

    def associate_anchor(self) -> None:
        name = self.random.choice(ANCHORS)
        operation, association = self.random.choice(
            [("Associators", "KVM_SystemDevice"), ("AssociatorNames", ""), ("ReferenceNames", ""), ("References", "")]
        )
        filters = (class_parameter("AssocClass", association),) if association else ()
        answer = self.call(operation, instance_parameter(name, "ObjectName"), *filters)
        if b"PATH>" not in answer:
            raise Wrong(f"{operation} of {name} finds nothing")
        if association:
            self.check_stable(f"{operation} {name}".encode(), answer)

    def associate_churned(self) -> None:
        name = self.random.choice(CHURNED)
        watched = Watched(self.churn)
        operation = self.random.choice(["Associators", "AssociatorNames", "References", "ReferenceNames"])
        answer = self.call(operation, instance_parameter(name, "ObjectName"), plausible=(NOT_FOUND,))
        if (certain := watched.certain(name)) is not None and certain != (b"PATH>" in answer):
            raise Wrong(f"{operation}: {name} is {'there' if certain else 'gone'} for long: {answer[:500]!r}")

    def refer_host(self) -> None:
        watched = Watched(self.churn)
        hosts = self.call("EnumerateInstanceNames", class_parameter("ClassName", "KVM_HostSystem"))
        (host,) = names_in(hosts)
        path = parameter(
            "ObjectName", instance_name("KVM_HostSystem", {"CreationClassName": "KVM_HostSystem", "Name": host})
        )
        answer = self.call("AssociatorNames", path, class_parameter("AssocClass", "KVM_HostedDependency"))
        watched.check_listed(names_in(answer))

    def pull(self) -> None:
        watched = Watched(self.churn)
        opening, pulling = self.random.choice(
            [("OpenEnumerateInstances", "PullInstancesWithPath"), ("OpenEnumerateInstancePaths", "PullInstancePaths")]
        )
        answer = self.call(opening, class_parameter("ClassName", SYSTEM), count(self.random.randrange(4)))
        found = names_in(answer)
        while (context := context_in(answer)) is not None:
            asked = self.random.randrange(1, 6)
            answer = self.call(pulling, parameter("EnumerationContext", value(context)), count(asked))
            found += names_in(answer)
        watched.check_listed(found)

    def open_and_close(self) -> None:
        answer = self.call("OpenEnumerateInstances", class_parameter("ClassName", SYSTEM), count(2))
        context = context_in(answer)
        if context is None:
            raise Wrong("the enumeration ended early")
        closing = parameter("EnumerationContext", value(context))
        self.call("CloseEnumeration", closing)
        if self.call("PullInstancesWithPath", closing, count(1), plausible=(NO_CONTEXT,)):
            raise Wrong("a closed enumeration goes on")

    def abandon(self) -> None:
        waiting = parameter("OperationTimeout", value("2"))
        self.call("OpenEnumerateInstances", class_parameter("ClassName", "CIM_ManagedElement"), waiting, count(1))

    def query(self) -> None:
        name = self.random.choice(ANCHORS)
        language = self.random.choice(["WQL", "DMTF:CQL"])
        text = f"SELECT Name, EnabledState FROM {SYSTEM} WHERE Name = '{name}'"
        answer = self.call("ExecQuery", parameter("QueryLanguage", value(language)), parameter("Query", value(text)))
        if answer.count(b"<INSTANCE ") != 1 or name.encode() not in answer:
            raise Wrong(f"{text}: {answer[:2000]!r}")
        self.check_stable(f"{language} {name}".encode(), answer)

    def pull_query(self) -> None:
        text = f"SELECT * FROM {SYSTEM} WHERE Name LIKE 'anchor-.'"
        answer = self.call(
            "OpenQueryInstances",
            parameter("FilterQueryLanguage", value("DMTF:CQL")),
            parameter("FilterQuery", value(text)),
            count(3),
        )
        found = answer.count(b"<INSTANCE ")
        while (context := context_in(answer)) is not None:
            answer = self.call("PullInstances", parameter("EnumerationContext", value(context)), count(3))
            found += answer.count(b"<INSTANCE ")
        if found != len(ANCHORS):
            raise Wrong(f"{text}: {found} instances")

    def read_classes(self) -> None:
        operation, *parameters = self.random.choice(
            [
                ("GetClass", class_parameter("ClassName", SYSTEM)),
                ("EnumerateClassNames", class_parameter("ClassName", "CIM_System")),
                ("EnumerateClasses", class_parameter("ClassName", "CIM_LogicalDevice")),
                ("EnumerateQualifiers",),
                ("GetQualifier", parameter("QualifierName", value("Key"))),
            ]
        )
        self.check_stable(operation.encode(), self.call(operation, *parameters))

    def change_state(self) -> None:
        """On a guest that virsh is busy with, too: libvirt may refuse it for any reason (1), or it may be gone (6)."""
        name, wanted = self.random.choice(CHURNED), self.random.choice(["2", "3", "9"])
        watched = Watched(self.churn)
        self.raw.namespace = "root/virt"
        answer = self.judge(
            "RequestStateChange",
            self.raw.invoke(SYSTEM, guest_keys(name), "RequestStateChange", {"RequestedState": wanted}),
            (FAILED, INVALID_PARAMETER, NOT_FOUND),
        )
        if answer and _RETURN.search(answer) is None:
            raise Wrong(f"RequestStateChange of {name}: {answer!r}")
        if answer and watched.certain(name) is False:
            raise Wrong(f"RequestStateChange of {name}, which is gone: {answer!r}")

    def hang_up(self) -> None:
        """Go away after some bytes of the request or of the answer, sometimes with a reset."""
        body, headers = self.raw.prepared("EnumerateInstances", class_parameter("ClassName", "CIM_ManagedElement"))
        head = "".join(f"{name}: {text}\r\n" for name, text in {**self.raw.headers, **headers}.items())
        message = f"POST /cimom HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body
        with socket.create_connection((self.server.host, self.server.port), 30) as connection:
            if self.random.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if self.random.random() < 0.3:
                connection.sendall(message[: self.random.randrange(len(message))])
                return
            connection.sendall(message)
            connection.recv(self.random.choice([1, 100, 10_000]))

    def send_nonsense(self) -> None:
        good = simple_request("EnumerateInstanceNames", [class_parameter("ClassName", SYSTEM)])
        headers = {"CIMMethod": "EnumerateInstanceNames", "CIMObject": "root%2Fvirt"}
        body, changed, expected = self.random.choice(
            [
                (good[:-20], {}, 400),
                (b"", {}, 400),
                (good.replace(b"SIMPLEREQ", b"SIMPLEEXPREQ"), {}, 400),
                (good.replace(b'CIMVERSION="2.0"', b'CIMVERSION="9.0"'), {}, 501),
                (good, {"CIMMethod": "GetInstance"}, 400),
                (good, {"CIMObject": "root%2Fother"}, 400),
                (good, {"CIMOperation": "Something"}, 400),
                (good, {"Content-Encoding": "gzip"}, 415),
                (os.urandom(200), {}, 400),
            ]
        )
        status, _, answer = self.raw.post(body, {**headers, **changed})
        if status != expected:
            raise Wrong(f"HTTP {status} instead of {expected} for {changed} {body!r}: {answer[:300]!r}")
        self.report.errors[f"HTTP {status}"] += 1

    def ask_for_what_is_not(self) -> None:
        operation, parameters, status, namespace = self.random.choice(
            [
                ("EnumerateInstances", [class_parameter("ClassName", "KVM_Nothing")], INVALID_CLASS, ""),
                ("EnumerateInstances", [class_parameter("ClassName", SYSTEM)], INVALID_NAMESPACE, "root/no"),
                ("EnumerateInstances", [], INVALID_PARAMETER, ""),
                ("GetInstance", [instance_parameter("nobody")], NOT_FOUND, ""),
                ("EnumerationCount", [], NOT_SUPPORTED, ""),
                ("DeleteClass", [class_parameter("ClassName", SYSTEM)], NOT_SUPPORTED, ""),
                ("PullInstancePaths", [parameter("EnumerationContext", value("x")), count(1)], NO_CONTEXT, ""),
                (
                    "ExecQuery",
                    [parameter("QueryLanguage", value("DMTF:CQL")), parameter("Query", value("SELECT FROM"))],
                    INVALID_QUERY,
                    "",
                ),
                (
                    "ExecQuery",
                    [parameter("QueryLanguage", value("SQL")), parameter("Query", value("SELECT 1"))],
                    LANGUAGE,
                    "",
                ),
            ]
        )
        if self.call(operation, *parameters, plausible=(status,), namespace=namespace):
            raise Wrong(f"{operation} with {parameters} is answered")


class Pywbem(Client):
    """A client of pywbem, which reads every answer, and makes a guest of its own now and then."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        credentials = (self.server.user, self.server.password)
        self.connection = pywbem.WBEMConnection(
            self.server.url, credentials, default_namespace="root/virt", timeout=60, use_pull_operations=True
        )
        self.actions = [
            self.iterate, self.iterate, self.follow, self.ask, self.walk_classes, self.discover, self.own_guest,
            self.own_filter,
        ]  # fmt: skip

    def close(self) -> None:
        self.connection.close()

    def iterate(self) -> None:
        watched = Watched(self.churn)
        watched.check_listed([
            each["Name"] for each in self.connection.IterEnumerateInstances(
                SYSTEM, MaxObjectCount=self.random.choice([1, 3, 1000]), FilterQueryLanguage="DMTF:FQL",
                FilterQuery="EnabledState <> 4711",
            )
        ])  # fmt: skip

    def follow(self) -> None:
        path = pywbem.CIMInstanceName(SYSTEM, guest_keys(self.random.choice(ANCHORS)), namespace="root/virt")
        for each in self.connection.IterAssociatorInstances(path, AssocClass="CIM_SystemDevice", MaxObjectCount=2):
            if each["SystemName"] != path["Name"]:
                raise Wrong(f"{each.path} is no device of {path}")

    def ask(self) -> None:
        found = self.connection.IterQueryInstances(
            "DMTF:CQL", f"SELECT Name FROM {SYSTEM} WHERE Name = '{ANCHORS[0]}'", MaxObjectCount=1
        )
        if [each["Name"] for each in found.generator] != ANCHORS[:1]:
            raise Wrong("another guest")

    def walk_classes(self) -> None:
        name = self.random.choice(self.connection.EnumerateClassNames(ClassName="CIM_ManagedSystemElement"))
        if self.connection.GetClass(name).superclass != "CIM_ManagedSystemElement":
            raise Wrong(f"{name} has another superclass")

    def discover(self) -> None:
        found = pywbem.WBEMServer(self.connection)
        if found.brand != "virtcim" or len(found.namespaces) != 4 or not found.profiles:
            raise Wrong("another server")

    def _is_in(self, guest: pywbem.CIMInstanceName, state: int) -> bool:
        return bool(self.connection.GetInstance(guest)["EnabledState"] == state)

    def own_guest(self) -> None:
        """DefineSystem, start, stop, DestroySystem."""
        name = f"own-{self.number}"
        (service,) = self.connection.EnumerateInstanceNames(SERVICE)
        settings = pywbem.CIMInstance(
            "KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": name, "VirtualSystemType": "qemu"}
        )
        memory = pywbem.CIMInstance(
            "KVM_MemResourceAllocationSettingData",
            {"VirtualQuantity": pywbem.Uint64(16), "AllocationUnits": "MegaBytes", "ResourceType": pywbem.Uint16(4)},
        )
        value, out = self.connection.InvokeMethod(
            "DefineSystem", service, [("SystemSettings", settings), ("ResourceSettings", [memory])]
        )
        if value != 0 or out["ResultingSystem"]["Name"] != name:
            raise Wrong(f"DefineSystem: {value} {out}")
        guest = pywbem.CIMInstanceName(SYSTEM, guest_keys(name), namespace="root/virt")
        try:
            for state in (2, 3):
                parameters = [("RequestedState", pywbem.Uint16(state))]
                value, _ = self.connection.InvokeMethod("RequestStateChange", guest, parameters)
                if value == JOB_STARTED:  # on a machine that has much else to do
                    wait_until(partial(self._is_in, guest, state), SLOWEST)
                    value = 0
                seen = self.connection.GetInstance(guest)["EnabledState"]
                if value != 0 or seen != state:
                    raise Wrong(f"RequestStateChange to {state}: {value}, then EnabledState {seen}")
        except pywbem.CIMError as exc:
            if _TAKEN_PORT not in exc.status_description:
                raise
        finally:
            value, _ = self.connection.InvokeMethod("DestroySystem", service, [("AffectedSystem", guest)])
        if value != 0:
            raise Wrong(f"DestroySystem: {value}")
        try:
            self.connection.GetInstance(guest)
        except pywbem.CIMError as exc:
            if exc.status_code != NOT_FOUND:
                raise
        else:
            raise Wrong(f"{name} is still there")

    def own_filter(self) -> None:
        """CreateInstance and DeleteInstance."""
        instance = pywbem.CIMInstance("KVM_FilterList", {"Name": f"own-{self.number}"})
        path = self.connection.CreateInstance(instance)
        try:
            if self.connection.GetInstance(path)["Name"] != instance["Name"]:
                raise Wrong("another filter")
        finally:
            self.connection.DeleteInstance(path)


def names_in(answer: bytes) -> list[str]:
    """The guests whose paths an answer holds."""
    return [name.decode() for name in _NAME_KEY.findall(answer)]


def context_in(answer: bytes) -> str | None:
    """The context of an enumeration that is not at its end."""
    found = _CONTEXT.search(answer)
    return found[1].decode() if found else None


def value(text: str) -> str:
    """A VALUE."""
    return f"<VALUE>{text.replace('&', '&amp;').replace('<', '&lt;')}</VALUE>"


def count(number: int) -> str:
    """MaxObjectCount."""
    return parameter("MaxObjectCount", value(str(number)))


def instance_parameter(name: str, parameter_name: str = "InstanceName") -> str:
    """A guest as the parameter of an operation."""
    return parameter(parameter_name, instance_name(SYSTEM, guest_keys(name)))


@dataclass
class Footprint:
    """What a server takes: memory in KiB as /proc has it (PSS), and what of it is cached; descriptors, threads."""

    memory: int
    cached: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int, cached: float) -> Footprint:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
        assert found is not None
        descriptors, threads = (len(list(Path(f"/proc/{pid}/{each}").iterdir())) for each in ("fd", "task"))
        return cls(int(found[1]), int(cached) // 1024, descriptors, threads)


class Soak:
    """A server, its guests, and the clients."""

    def __init__(self, server: Server, daemon: Libvirtd, directory: Path) -> None:
        self.server = server
        self.daemon = daemon
        self.directory = directory
        self.report = Report()
        self.steps: collections.Counter[str] = collections.Counter()
        self._stable: dict[bytes, bytes] = {}
        self._rounds = 0

    def run(self, seconds: float) -> None:
        """Let clients and virsh loose for some time; afterwards the guests are those of the beginning."""
        self._rounds += 1
        churn = Churn(self.daemon, self.directory, self._rounds)
        clients = [
            (Pywbem if number % PYWBEM_SHARE == 0 else Raw)(number, self.server, churn, self.report, self._stable)
            for number in range(CLIENTS)
        ]
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._drive, args=(client, end)) for client in clients]
        churn.start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        churn.stop()
        self.steps += churn.steps

    @staticmethod
    def _drive(client: Client, end: float) -> None:
        while time.monotonic() < end:
            client.act()
        client.close()

    def rest(self) -> Footprint:
        """Wait until the server has nothing left to do, and see what it takes then."""
        with self.server.client() as client:
            wait_until(lambda: sorted(self._listed(client)) == ANCHORS, 2 * SETTLE)
            wait_until(lambda: client.figure("open_enumerations") == 0)
            cached = client.figure("cache_bytes")
        wait_until(lambda: self._connections() == 0)
        return Footprint.of(self.server.pid, cached)

    @staticmethod
    def _listed(client: RawClient) -> list[str]:
        return names_in(client.call("EnumerateInstanceNames", class_parameter("ClassName", SYSTEM)))

    def _connections(self) -> int:
        """Sockets of clients that the server still holds."""
        rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
        local = f":{self.server.port:04X}"
        return sum(1 for row in rows if row.split()[1].endswith(local) and row.split()[3] == "01")


@pytest.fixture
def soak(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd, tmp_path: Path) -> Iterator[Soak]:
    for name in ANCHORS:
        guests.baseline(name)
    yield Soak(serve(libvirtd.uri()), libvirtd, tmp_path)
    for name in libvirtd.virsh("nwfilter-list").split():
        if OWN.fullmatch(name):
            libvirtd.virsh("nwfilter-undefine", name)


@pytest.mark.parametrize("seconds", [SHORT_SECONDS, pytest.param(LONG_SECONDS, marks=pytest.mark.slow)])
def test_everything_at_once(soak: Soak, seconds: float, capsys: pytest.CaptureFixture[str]) -> None:
    """The first fifth of the time fills what is filled once: caches, pools of threads."""
    soak.run(seconds / 5)
    before = soak.rest()
    soak.run(seconds * 4 / 5)
    after = soak.rest()
    report, errors = soak.report, soak.server.errors
    with capsys.disabled():
        print(f"\n{CLIENTS} clients, {seconds:.0f} s: {sum(report.operations.values())} actions, ", end="")
        print(f"{report.answers} raw answers ({report.validated} validated), slowest action {report.slowest:.2f} s")
        print(f"actions: {dict(report.operations.most_common())}")
        print(f"errors: {dict(report.errors.most_common())}")
        print(f"virsh: {dict(soak.steps.most_common())}")
        print(f"before: {before}\nafter:  {after}")
    assert not report.wrong, "\n".join([f"{len(report.wrong)} wrong", *report.wrong[:20]])
    for sign in ("Traceback", " ERROR "):
        assert sign not in errors, errors[max(0, errors.index(sign) - 500) :][:4000]
    assert after.memory <= before.memory + MEMORY_SLACK
    assert after.descriptors <= before.descriptors + DESCRIPTOR_SLACK
    assert after.threads <= before.threads + THREAD_SLACK
