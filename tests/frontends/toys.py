"""Small front ends and a translation: each shows a seam that a real one will use."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from lxml import etree

from virtcim.cimom.capabilities import CommunicationMechanism, ServerCapabilities
from virtcim.cimom.core import Executor
from virtcim.cimom.namespaces import normalized
from virtcim.cimom.principals import Principal
from virtcim.cimom.requests import Attempt, Caller, CreateInstance, EnumerateInstanceNames, Request
from virtcim.cimom.results import Extent, Extents, Path, Result
from virtcim.cimom.settings import ServerSettings
from virtcim.cimom.translation import Translation
from virtcim.frontends.http.exchange import Exchange, FrontEnd, FrontEndFactory, Gauge, HTTPFault, Reply, Route
from virtcim.providers.interface import CIMError, EmbeddedInstance, Instance

__all__ = ["JSON", "Envelope", "Shouting", "on_listener"]

NAMESPACE = "root/toy"


class Envelope:
    """Another media type with XML inside: counts the instances of a class."""

    mechanism = None
    gauges: tuple[Gauge, ...] = ()

    def __init__(self, core: Executor, settings: ServerSettings, capabilities: ServerCapabilities) -> None:
        self._core = core
        self.routes = (Route("POST", self.post, media_types=frozenset({"application/soap+xml"})),)

    async def post(self, exchange: Exchange) -> Reply:
        body = etree.fromstring(await exchange.body())
        request = EnumerateInstanceNames(
            namespace=NAMESPACE, caller=exchange.caller, class_name=body.findtext("Class") or ""
        )
        try:
            result = await exchange.run(lambda: self._core.execute(request))
        except CIMError as exc:
            return Reply([f"<Fault>{int(exc.status)}</Fault>".encode()], {"Content-Type": "application/soap+xml"}, 500)
        assert isinstance(result, Extents)
        count = sum(len(extent.instances) for extent in result.extents)
        return Reply([f"<Count>{count}</Count>".encode()], {"Content-Type": "application/soap+xml"})

    def sweep(self) -> None:
        return

    def tidy(self) -> None:
        return


class JSON:
    """A media type without XML, with paths of its own, and sessions beside the Authorization header."""

    mechanism: ClassVar[CommunicationMechanism] = CommunicationMechanism(
        name="JSON",
        class_name="CIM_ObjectManagerCommunicationMechanism",
        mechanism=1,
        protocol=1,
        capabilities_class="CIM_WBEMProtocolServiceCapabilities",
        version="0.1",
        properties={"OtherCommunicationMechanismDescription": "JSON over HTTP"},
    )

    def __init__(self, core: Executor, settings: ServerSettings, capabilities: ServerCapabilities) -> None:
        self._core = core
        self._sessions: dict[str, Principal] = {}
        types = frozenset({"application/json"})
        self.routes = (
            Route("POST", self.log_in, "/sessions", types),
            Route("DELETE", self.log_out, "/sessions", identify=self.of_session),
            Route("POST", self.create, "/disks", types, identify=self.of_session),
        )
        self.gauges = (Gauge("sessions", "Open sessions", lambda: len(self._sessions)),)

    def of_session(self, headers: Mapping[str, str], _is_encrypted: bool) -> Principal | None:
        return self._sessions.get(headers.get("X-Auth-Token", ""))

    async def log_in(self, exchange: Exchange) -> Reply:
        token = secrets.token_urlsafe()
        self._sessions[token] = exchange.caller.principal
        return Reply(headers={"X-Auth-Token": token}, status=201)

    async def log_out(self, exchange: Exchange) -> Reply:
        self._sessions.pop(exchange.headers.get("X-Auth-Token", ""), None)
        return Reply(status=200)

    async def create(self, exchange: Exchange) -> Reply:
        properties = json.loads(await exchange.body())
        try:
            made = await exchange.run(lambda: self._create(properties, exchange.caller), waits=True)
        except CIMError as exc:
            raise HTTPFault(403 if exc.status == 2 else 400, exc.description) from None
        return Reply([json.dumps(made).encode()], {"Content-Type": "application/json"}, 201)

    def _create(self, properties: dict[str, Any], caller: Caller) -> Mapping[str, Any]:
        instance = EmbeddedInstance("Toy_Disk", properties)
        result = self._core.execute(CreateInstance(namespace=NAMESPACE, caller=caller, instance=instance))
        assert isinstance(result, Path)
        return result.path.keys

    def sweep(self) -> None:
        return

    def tidy(self) -> None:
        return


class Loud(Instance):
    """An instance as clients of long ago expect it: its name in capitals."""

    __slots__ = ("_instance", "class_name", "identity", "namespace", "revision")

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.namespace = instance.namespace
        self.class_name = instance.class_name
        self.identity = instance.identity
        self.revision = instance.revision

    def keys(self) -> dict[str, Any]:
        return {**self._instance.keys(), "Name": str(self._instance.keys()["Name"]).upper()}

    def properties(self) -> Mapping[str, Any]:
        return {**self._instance.properties(), **self.keys()}


class Shouting(Translation):
    """A translation, in one namespace: disks have their names in capitals, and are created in small letters."""

    def concerns(self, attempt: Attempt) -> bool:
        return normalized(attempt.namespace) == NAMESPACE

    def translate_request(self, request: Request) -> Request:
        if not isinstance(request, CreateInstance):
            return request
        properties = {**request.instance.properties, "Name": str(request.instance.properties["Name"]).lower()}
        return replace(request, instance=EmbeddedInstance(request.instance.class_name, properties))

    def translate_result(self, request: Request, result: Result) -> Result:
        if not isinstance(result, Extents):
            return result
        extents = [Extent(each.class_name, [Loud(instance) for instance in each.instances]) for each in result.extents]
        return replace(result, extents=extents)


class _OnListener:
    """A front end for the clients of one listener, over a translation."""

    mechanism = None

    def __init__(self, factory: FrontEndFactory, listener: str, translate: Callable[[Executor], Executor]) -> None:
        self._factory = factory
        self._listener = listener
        self._translate = translate

    def __call__(self, core: Executor, settings: ServerSettings, capabilities: ServerCapabilities, /) -> FrontEnd:
        made: Any = self._factory(self._translate(core), settings, capabilities)
        made.routes = tuple(replace(route, listener=self._listener) for route in made.routes)
        front_end: FrontEnd = made
        return front_end


def on_listener(factory: FrontEndFactory, listener: str, translate: Callable[[Executor], Executor]) -> FrontEndFactory:
    """The factory of a front end that answers on one listener only.

    Parameters:
        listener: address and port.
        translate: what stands between the core and the front end.
    """
    return _OnListener(factory, listener, translate)
