"""A client of the server, and how its answers are taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pywbem

from tests.bed import Server
from tests.frontends.client import Client as RestClient
from tests.frontends.client import basic

SPACE = "root/virt"
STARTED = 4096
COMPLETED, OVER = 7, (7, 8, 9, 10)
PATIENCE = 120.0
"""Seconds until a job has to be over, on a loaded machine."""


@dataclass(frozen=True)
class Answer:
    """What came of a request.

    Attributes:
        done: whether what was asked was done; None where nobody can know, as the answer was lost.
        reason: why it was not.
    """

    done: bool | None
    reason: str = ""
    out: Mapping[str, Any] = field(default_factory=dict)


class Client:
    """Asks a server, which may be started again meanwhile on another port.

    Parameters:
        space: the namespace of the node that is asked.
    """

    def __init__(self, server: Server, space: str = SPACE) -> None:
        self._server, self.space = server, space

    def at(self, space: str) -> Client:
        """A client of another node of the same server."""
        return Client(self._server, space)

    def call(
        self,
        target: str | pywbem.CIMInstanceName,
        method: str,
        *,
        meanwhile: Callable[[Any, Any], bool] = lambda _connection, _job: False,
        **parameters: Any,
    ) -> Answer:
        """Invoke a method of an instance, or of the only one of a class, and wait for its job.

        Parameters:
            meanwhile: is given a connection and the job as it is shown, until it is over; true: not to wait any more.
        """
        try:
            with self._server.pywbem(self.space) as connection:
                path = self.service(target) if isinstance(target, str) else target
                code, out = connection.InvokeMethod(method, path, **parameters)
                if code == STARTED:
                    return self._end(connection, out["Job"], out, meanwhile)
        except pywbem.CIMError as error:
            return Answer(False, f"{error.status_code_name} {error.status_description}")
        except pywbem.Error as error:
            return Answer(None, repr(error))
        return Answer(code == 0, f"returned {code}" if code else "", out)

    def connection(self, space: str) -> Any:
        """A connection to a namespace of the server."""
        return self._server.pywbem(space)

    def do(self, operation: Callable[[Any], Any]) -> Answer:
        """Do an operation of a namespace, such as the creation of an instance."""
        try:
            with self._server.pywbem(self.space) as connection:
                operation(connection)
        except pywbem.CIMError as error:
            return Answer(False, f"{error.status_code_name} {error.status_description}")
        except pywbem.Error as error:
            return Answer(None, repr(error))
        return Answer(True)

    def service(self, class_name: str) -> pywbem.CIMInstanceName:
        """The path of the only instance of a class."""
        with self._server.pywbem(self.space) as connection:
            (path,) = connection.EnumerateInstanceNames(class_name)
        assert isinstance(path, pywbem.CIMInstanceName)
        return path

    def _end(self, connection: Any, job: Any, out: Mapping[str, Any], meanwhile: Callable[[Any, Any], bool]) -> Answer:
        deadline = time.monotonic() + PATIENCE
        while (shown := connection.GetInstance(job))["JobState"] not in OVER:
            if meanwhile(connection, shown):
                return Answer(True, "", out)
            assert time.monotonic() < deadline, f"the job does not end: {dict(shown.items())}"
            time.sleep(0.05)
        if shown["JobState"] == COMPLETED:
            return Answer(True, "", out)
        return Answer(False, f"job {shown['JobState']}: {shown['ErrorDescription']}", out)

    def everything(self) -> list[Any]:
        """All instances that are no associations, as JSON."""
        address = f"/api/namespaces/{quote(self.space, safe='')}/classes/CIM_ManagedElement/instances"
        return list(self._rest().get(address)["instances"])

    def _rest(self) -> RestClient:
        assert self._server.user is not None
        return RestClient(self._server.port, {"Authorization": basic(self._server.user, self._server.password)})


def setting(kind: str, **properties: Any) -> pywbem.CIMInstance:
    """An instance of KVM_<kind>ResourceAllocationSettingData."""
    return pywbem.CIMInstance(f"KVM_{kind}ResourceAllocationSettingData", properties)


def system_setting(**properties: Any) -> pywbem.CIMInstance:
    """An instance of KVM_VirtualSystemSettingData."""
    return pywbem.CIMInstance("KVM_VirtualSystemSettingData", properties)


def by_id(class_name: str, identifier: str) -> pywbem.CIMInstanceName:
    """The path of what has an InstanceID."""
    return pywbem.CIMInstanceName(f"KVM_{class_name}", {"InstanceID": identifier}, namespace=SPACE)


def system(name: str, space: str = SPACE) -> pywbem.CIMInstanceName:
    """The path of a guest."""
    keys = {"CreationClassName": "KVM_ComputerSystem", "Name": name}
    return pywbem.CIMInstanceName("KVM_ComputerSystem", keys, namespace=space)


def configuration(name: str, part: str = "") -> pywbem.CIMInstanceName:
    """The path of the settings of a guest, or of a part: "defined", "snapshot/NAME"."""
    return by_id("VirtualSystemSettingData", f"KVM:{name}/{part}" if part else f"KVM:{name}")
