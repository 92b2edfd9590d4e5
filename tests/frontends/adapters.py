"""Sends the requests of the table of cases over each front end, and reads what comes of them as values.

A path is read as (namespace, class, keys), an instance with its path as (path, class, properties), one without as
(None, class, properties) or, of a query, (class, properties); what a method gives back as (return value, output
parameters).  Properties that are NULL are left out.  Sequences of instances and paths are in an order of their own.
"""

from __future__ import annotations

import base64
import datetime
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pywbem

from tests.cmpi.broker import Broker, instance, path, typed
from virtcim.cimom.core import Core
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.cimom.requests import (
    AssociatorNames,
    Associators,
    Caller,
    CreateInstance,
    DeleteInstance,
    EnumerateInstanceNames,
    EnumerateInstances,
    ExecQuery,
    GetInstance,
    GetProperty,
    InvokeMethod,
    ModifyInstance,
    Projection,
    ReferenceNames,
    References,
    Request,
    SetProperty,
)
from virtcim.cimom.results import (
    Extents,
    Instances,
    MethodOutcome,
    Nothing,
    OneInstance,
    Path,
    PropertyValue,
    Result,
)
from virtcim.providers.interface import CIMError, EmbeddedInstance, Instance, InstancePath
from virtcim.schema.classes import ClassStore, ParameterDeclaration, PropertyDeclaration
from virtcim.schema.paths import format_path, parse_path
from virtcim.schema.values import INTEGER_RANGES, format_datetime, parse_datetime

__all__ = ["Adapter", "CIMXMLAdapter", "CMPIAdapter", "CoreAdapter", "Outcome", "RESTAdapter"]

Element = PropertyDeclaration | ParameterDeclaration
NAMES = (EnumerateInstanceNames, AssociatorNames, ReferenceNames)


@dataclass(frozen=True)
class Outcome:
    """What came of a request: a status code and either a description or a value."""

    status: int = 0
    text: str = ""
    value: Any = None


class Adapter(ABC):
    """One way in.

    Attributes:
        name: of the front end, as cases name it.
    """

    name: str

    @abstractmethod
    def send(self, request: Request, user: str) -> Outcome:
        """Make a request as a user."""


def in_order(items: Iterable[Any]) -> list[Any]:
    """Items in an order of their own."""
    return sorted(items, key=repr)


def _without_null(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value is not None}


class CoreAdapter(Adapter):
    """The core itself, without a wire: what the front ends are compared with."""

    name = "core"

    def __init__(self, core: Core) -> None:
        self._core = core

    def send(self, request: Request, user: str) -> Outcome:
        caller = Caller(Principal(user, Mechanism.PASSWORD), "here", "1")
        try:
            result = self._core.execute(replace(request, caller=caller))
        except CIMError as exc:
            return Outcome(int(exc.status), exc.description)
        return Outcome(value=self._value(request, result))

    def _value(self, request: Request, result: Result) -> Any:
        match result:
            case OneInstance():
                return None, result.instance.class_name, self._properties(result.instance, result.projection)
            case Extents():
                found = [each for extent in result.extents for each in extent.instances]
                return self._items(request, found, result.projection)
            case Instances():
                return self._items(request, list(result.instances), result.projection)
            case Path():
                return self._plain(result.path)
            case PropertyValue():
                return self._plain(result.value)
            case MethodOutcome():
                return result.return_value, {name: self._plain(each) for name, each in result.out.items()}
        assert isinstance(result, Nothing)
        return None

    def _items(self, request: Request, found: list[Instance], projection: Projection) -> list[Any]:
        found = [each for each in found if all(key is not None for key in each.keys().values())]
        if isinstance(request, NAMES):
            return in_order(self._plain(each.path()) for each in found)
        if isinstance(request, ExecQuery):
            return in_order((each.class_name, self._properties(each, projection)) for each in found)
        return in_order(
            (self._plain(each.path()), each.class_name, self._properties(each, projection)) for each in found
        )

    def _properties(self, shown: Instance, projection: Projection) -> dict[str, Any]:
        limit = self._core.classes[projection.limit_class].properties if projection.limit_class else None
        return {
            name: self._plain(value)
            for name, value in shown.properties().items()
            if value is not None
            and (projection.properties is None or name.lower() in projection.properties)
            and (limit is None or name.lower() in limit)
        }

    def _plain(self, value: Any) -> Any:
        if isinstance(value, InstancePath):
            return (
                value.namespace or "root/toy",
                value.class_name,
                {name: self._plain(key) for name, key in value.keys.items()},
            )
        if isinstance(value, EmbeddedInstance):
            return value.class_name, {k: self._plain(v) for k, v in value.properties.items() if v is not None}
        if isinstance(value, list | tuple):
            # NULL in an array of texts: front ends write "", so that parallel arrays stay parallel.
            return ["" if each is None else self._plain(each) for each in value]
        return value


class CIMXMLAdapter(Adapter):
    """CIM-XML, by pywbem.

    Parameters:
        url: of the server; every user's password is the user's name.
        classes: tells the types of what is sent.
    """

    name = "cimxml"

    def __init__(self, url: str, classes: ClassStore) -> None:
        self._url = url
        self._classes = classes
        self._methods: dict[type[Request], Callable[[pywbem.WBEMConnection, Any], Any]] = {
            GetInstance: self._get,
            EnumerateInstances: self._enumerate,
            EnumerateInstanceNames: self._enumerate_names,
            CreateInstance: self._create,
            ModifyInstance: self._modify,
            DeleteInstance: self._delete,
            GetProperty: self._get_property,
            SetProperty: self._set_property,
            ExecQuery: self._query,
            Associators: self._associators,
            AssociatorNames: self._associator_names,
            References: self._references,
            ReferenceNames: self._reference_names,
            InvokeMethod: self._invoke,
        }

    def send(self, request: Request, user: str) -> Outcome:
        client = pywbem.WBEMConnection(self._url, (user, user), default_namespace=request.namespace.strip("/"))
        try:
            return Outcome(value=self._methods[type(request)](client, request))
        except pywbem.CIMError as exc:
            return Outcome(exc.status_code, exc.status_description)
        finally:
            client.close()

    def _get(self, client: pywbem.WBEMConnection, request: GetInstance) -> Any:
        found = client.GetInstance(
            self._path(request.path, request.namespace), PropertyList=_listed(request.projection)
        )
        return None, found.classname, self._shown(found)

    def _enumerate(self, client: pywbem.WBEMConnection, request: EnumerateInstances) -> Any:
        listed = _listed(request.projection)
        return self._items(
            client.EnumerateInstances(request.class_name, DeepInheritance=request.deep, PropertyList=listed)
        )

    def _enumerate_names(self, client: pywbem.WBEMConnection, request: EnumerateInstanceNames) -> Any:
        return in_order(map(self._seen, client.EnumerateInstanceNames(request.class_name)))

    def _create(self, client: pywbem.WBEMConnection, request: CreateInstance) -> Any:
        return self._seen(client.CreateInstance(self._instance(request.instance)))

    def _modify(self, client: pywbem.WBEMConnection, request: ModifyInstance) -> Any:
        sent = self._instance(request.instance)
        sent.path = self._path(request.path, request.namespace)
        client.ModifyInstance(sent, PropertyList=request.properties and list(request.properties))

    def _delete(self, client: pywbem.WBEMConnection, request: DeleteInstance) -> Any:
        client.DeleteInstance(self._path(request.path, request.namespace))

    def _get_property(self, client: pywbem.WBEMConnection, request: GetProperty) -> Any:
        found = client._imethodcall(
            "GetProperty",
            request.namespace,
            InstanceName=self._path(request.path, None),
            PropertyName=request.property_name,
        )
        (text,) = (child[2][0] for child in found if child[0] == "IRETURNVALUE")
        return int(text) if isinstance(text, str) else text

    def _set_property(self, client: pywbem.WBEMConnection, request: SetProperty) -> Any:
        client._imethodcall(
            "SetProperty",
            request.namespace,
            InstanceName=self._path(request.path, None),
            PropertyName=request.property_name,
            NewValue=str(request.value),
            has_return_value=False,
        )

    def _query(self, client: pywbem.WBEMConnection, request: ExecQuery) -> Any:
        found = client.ExecQuery(request.language, request.query)
        return in_order((each.classname, self._shown(each)) for each in found)

    def _associators(self, client: pywbem.WBEMConnection, request: Associators) -> Any:
        return self._items(client.Associators(self._path(request.path, request.namespace), **_filters(request)))

    def _associator_names(self, client: pywbem.WBEMConnection, request: AssociatorNames) -> Any:
        found = client.AssociatorNames(self._path(request.path, request.namespace), **_filters(request))
        return in_order(map(self._seen, found))

    def _references(self, client: pywbem.WBEMConnection, request: References) -> Any:
        return self._items(client.References(self._path(request.path, request.namespace), **_filters(request)))

    def _reference_names(self, client: pywbem.WBEMConnection, request: ReferenceNames) -> Any:
        found = client.ReferenceNames(self._path(request.path, request.namespace), **_filters(request))
        return in_order(map(self._seen, found))

    def _invoke(self, client: pywbem.WBEMConnection, request: InvokeMethod) -> Any:
        target = request.target
        class_name = target if isinstance(target, str) else target.class_name
        declared = self._classes[class_name].methods.get(request.method.lower())
        parameters = []
        for name, value in request.arguments.items():
            cim_type, sent = self._sent(declared.parameters.get(name.lower()) if declared else None, value)
            parameters.append(pywbem.CIMParameter(name, cim_type, value=sent))
        named = pywbem.CIMClassName(target) if isinstance(target, str) else self._path(target, request.namespace)
        returned, out = client.InvokeMethod(request.method, named, Params=parameters)
        assert declared is not None
        shown = {
            declared.parameters[name.lower()].name: self._seen(value)
            for name, value in out.items()
            if value is not None
        }
        return int(returned), shown

    def _path(self, sent: InstancePath, namespace: str | None) -> pywbem.CIMInstanceName:
        keys = {
            name: self._path(key, namespace) if isinstance(key, InstancePath) else key
            for name, key in sent.keys.items()
        }
        return pywbem.CIMInstanceName(sent.class_name, keys, namespace=sent.namespace or namespace)

    def _instance(self, sent: EmbeddedInstance) -> pywbem.CIMInstance:
        declaration = self._classes.get(sent.class_name)
        properties = []
        for name, value in sent.properties.items():
            declared = declaration.properties.get(name.lower()) if declaration else None
            cim_type, given = self._sent(declared, value)
            properties.append(pywbem.CIMProperty(name, given, cim_type))
        return pywbem.CIMInstance(sent.class_name, properties)

    def _sent(self, declared: Element | None, value: Any) -> tuple[str, Any]:
        """Type and value as pywbem takes them; what is not declared is sent as text."""
        cim_type = declared.type if declared is not None else "string"
        if isinstance(value, list):
            return cim_type, [self._sent(declared, each)[1] for each in value]
        match value:
            case InstancePath():
                return cim_type, self._path(value, "root/toy")
            case EmbeddedInstance():
                return cim_type, self._instance(value)
            case datetime.datetime() | datetime.timedelta():
                return cim_type, pywbem.CIMDateTime(format_datetime(value))
        return cim_type, None if value is None else pywbem.cimvalue(value, cim_type)

    def _items(self, found: Iterable[pywbem.CIMInstance]) -> list[Any]:
        return in_order((self._seen(each.path), each.classname, self._shown(each)) for each in found)

    def _shown(self, found: pywbem.CIMInstance) -> dict[str, Any]:
        return _without_null({name: self._seen(each.value) for name, each in found.properties.items()})

    def _seen(self, value: Any) -> Any:
        match value:
            case pywbem.CIMInstanceName():
                keys = {name: self._seen(key) for name, key in value.keybindings.items()}
                return value.namespace, value.classname, keys
            case pywbem.CIMInstance():
                return value.classname, self._shown(value)
            case pywbem.CIMDateTime():
                return parse_datetime(str(value))
            case list():
                return [self._seen(each) for each in value]
            case bool() | str() | None:
                return value
        return int(value)


def _listed(projection: Projection) -> list[str] | None:
    return None if projection.properties is None else sorted(projection.properties)


def _filters(request: Associators | AssociatorNames | References | ReferenceNames) -> dict[str, Any]:
    given = request.filter
    if isinstance(request, References | ReferenceNames):
        return {"ResultClass": given.association_class, "Role": given.role}
    return {
        "AssocClass": given.association_class,
        "ResultClass": given.result_class,
        "Role": given.role,
        "ResultRole": given.result_role,
    }


class CMPIAdapter(Adapter):
    """The bridge, by the test broker.  What a CIM server around the library does is done here: it asks for one class,
    and one provider of associations, at a time, and merges the answers.

    Parameters:
        broker: with the library.
        classes: tells the types of what is sent.
        registered: the classes that are registered, and their providers.
    """

    name = "cmpi"

    def __init__(self, broker: Broker, classes: ClassStore, registered: Mapping[str, str]) -> None:
        self._broker = broker
        self._classes = classes
        self._registered = registered
        self._associations = list(
            dict.fromkeys(provider for name, provider in registered.items() if classes[name].is_association)
        )
        self._methods: dict[type[Request], Callable[[Any], Any]] = {
            GetInstance: self._get,
            EnumerateInstances: self._enumerate,
            EnumerateInstanceNames: self._enumerate,
            CreateInstance: self._create,
            ModifyInstance: self._modify,
            DeleteInstance: self._delete,
            ExecQuery: self._query,
            Associators: self._associated,
            AssociatorNames: self._associated,
            References: self._associated,
            ReferenceNames: self._associated,
            InvokeMethod: self._invoke,
        }

    def send(self, request: Request, user: str) -> Outcome:
        self._broker.good("principal", user)
        try:
            return Outcome(value=self._methods[type(request)](request))
        except _Refused as exc:
            return Outcome(exc.status, exc.text)

    def _do(self, *words: Any) -> dict[str, Any]:
        answer = self._broker.do(*words)
        if answer["rc"]:
            raise _Refused(answer["rc"], answer["message"] or "")
        return answer

    def _results(self, *words: Any) -> list[Any]:
        found: list[Any] = self._do(*words)["results"]
        return found

    def _provider(self, class_name: str) -> str:
        return next((own for name, own in self._registered.items() if name.lower() == class_name.lower()), "Toy")

    def _get(self, request: GetInstance) -> Any:
        target = self._path(request.path, request.namespace)
        listed = None if request.projection.properties is None else tuple(request.projection.properties)
        (found,) = self._results("get", self._provider(request.path.class_name), target, listed)
        return None, found["path"]["class"], self._shown(found)

    def _enumerate(self, request: EnumerateInstances | EnumerateInstanceNames) -> Any:
        below = [each for each in self._registered if self._classes.is_a(each, request.class_name)]
        found = []
        for class_name in below or [request.class_name]:
            target = path(request.namespace, class_name)
            if isinstance(request, EnumerateInstanceNames):
                found += self._results("names", self._provider(class_name), target)
            else:
                listed = None if request.projection.properties is None else tuple(request.projection.properties)
                found += self._results("enumerate", self._provider(class_name), target, listed)
        if isinstance(request, EnumerateInstanceNames):
            return in_order(map(self._named, found))
        wanted = request.projection.properties
        return in_order(
            (
                self._named(each["path"]),
                each["path"]["class"],
                {k: v for k, v in self._shown(each).items() if wanted is None or k.lower() in wanted},
            )
            for each in found
        )

    def _create(self, request: CreateInstance) -> Any:
        class_name = request.instance.class_name
        target = path(request.namespace, class_name)
        (made,) = self._results("create", self._provider(class_name), target, self._instance(request.instance))
        return self._named(made)

    def _modify(self, request: ModifyInstance) -> Any:
        target = self._path(request.path, request.namespace)
        listed = None if request.properties is None else tuple(request.properties)
        self._do("modify", self._provider(request.path.class_name), target, self._instance(request.instance), listed)

    def _delete(self, request: DeleteInstance) -> Any:
        target = self._path(request.path, request.namespace)
        self._do("delete", self._provider(request.path.class_name), target)

    def _query(self, request: ExecQuery) -> Any:
        """A CIM server knows the class in FROM, and asks its provider."""
        class_name = request.query.split("FROM ")[1].split()[0]
        target = path(request.namespace, class_name)
        found = self._results("query", self._provider(class_name), target, request.query, request.language)
        return in_order((each["path"]["class"], self._shown(each)) for each in found)

    def _associated(self, request: Associators | AssociatorNames | References | ReferenceNames) -> Any:
        given = request.filter
        if isinstance(request, Associators | AssociatorNames):
            filters = [given.association_class, given.result_class, given.role, given.result_role]
        else:
            filters = [given.association_class, given.role]
        operation = {
            Associators: "associators",
            AssociatorNames: "associator-names",
            References: "references",
            ReferenceNames: "reference-names",
        }[type(request)]
        names_only = isinstance(request, NAMES)
        target = self._path(request.path, request.namespace)
        found = []
        for provider in self._associations:
            words = [operation, provider, target, *filters, *([] if names_only else [None])]
            found += self._results(*words)
        if names_only:
            shown = [self._named(each) for each in found]
        else:
            shown = [(self._named(each["path"]), each["path"]["class"], self._shown(each)) for each in found]
        return in_order(each for number, each in enumerate(shown) if each not in shown[:number])

    def _invoke(self, request: InvokeMethod) -> Any:
        target = request.target
        class_name = target if isinstance(target, str) else target.class_name
        declared = self._classes[class_name].methods.get(request.method.lower())
        arguments = [
            ("arg", name, self._typed(declared.parameters.get(name.lower()) if declared else None, value))
            for name, value in request.arguments.items()
        ]
        named = path(request.namespace, target) if isinstance(target, str) else self._path(target, request.namespace)
        answer = self._do("invoke", self._provider(class_name), named, request.method, *arguments)
        ((_, returned),) = answer["results"]
        return returned, {name: self._seen(*value) for name, value in answer["out"].items() if value[1] is not None}

    def _path(self, sent: InstancePath, namespace: str) -> Any:
        declaration = self._classes.get(sent.class_name)
        keys = {}
        for name, key in sent.keys.items():
            declared = declaration.properties.get(name.lower()) if declaration else None
            keys[name] = self._typed(declared, key, namespace)
        return path(sent.namespace or namespace, sent.class_name, **keys)

    def _instance(self, sent: EmbeddedInstance) -> Any:
        """An instance; what its class does not have is sent as text."""
        declaration = self._classes.get(sent.class_name)
        return instance(
            sent.class_name,
            {
                name: self._typed(declaration.properties.get(name.lower()) if declaration else None, value)
                for name, value in sent.properties.items()
            },
        )

    def _typed(self, declared: Element | None, value: Any, namespace: str = "root/toy") -> Any:
        cim_type = declared.type if declared is not None else "string"
        if any(isinstance(each, EmbeddedInstance) for each in (value if isinstance(value, list) else [value])):
            cim_type = "instance"
        if isinstance(value, list):
            return typed(cim_type, [self._word(each, namespace) for each in value])
        return typed(cim_type, self._word(value, namespace))

    def _word(self, value: Any, namespace: str) -> Any:
        match value:
            case InstancePath():
                return self._path(value, namespace)
            case EmbeddedInstance():
                return self._instance(value)
            case datetime.datetime() | datetime.timedelta():
                return format_datetime(value)
        return value

    def _named(self, found: dict[str, Any]) -> Any:
        keys = {name: self._seen(*value) for name, value in found["keys"].items()}
        return found["namespace"], found["class"], keys

    def _shown(self, found: dict[str, Any]) -> dict[str, Any]:
        return _without_null({name: self._seen(*value) for name, value in found["properties"].items()})

    def _seen(self, cim_type: str, value: Any) -> Any:
        if value is None:
            return None
        if cim_type.endswith("[]"):
            return [self._seen(cim_type[:-2], each) for each in value]
        match cim_type:
            case "reference":
                return self._named(value)
            case "instance":
                return value["path"]["class"], self._shown(value)
            case "datetime":
                return parse_datetime(value)
        return value


class RESTAdapter(Adapter):
    """JSON over HTTP.

    Parameters:
        port: of the server on this host; every user's password is the user's name.
        classes: tells the types of what is sent and of what comes back.
    """

    name = "rest"

    def __init__(self, port: int, classes: ClassStore) -> None:
        self._port = port
        self._classes = classes
        self._methods: dict[type[Request], Callable[[str, Any], Any]] = {
            GetInstance: self._get,
            EnumerateInstances: self._enumerate,
            EnumerateInstanceNames: self._enumerate,
            CreateInstance: self._create,
            ModifyInstance: self._modify,
            DeleteInstance: self._delete,
            ExecQuery: self._query,
            Associators: self._associated,
            AssociatorNames: self._associated,
            References: self._associated,
            ReferenceNames: self._associated,
            InvokeMethod: self._invoke,
        }

    def send(self, request: Request, user: str) -> Outcome:
        try:
            return Outcome(value=self._methods[type(request)](user, request))
        except _Refused as exc:
            return Outcome(exc.status, exc.text)

    def _ask(self, user: str, method: str, target: str, body: Any = None, **query: Any) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        if given:
            target = f"{target}?{urlencode(given)}"
        credentials = base64.b64encode(f"{user}:{user}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "X-Virtcim-Request": "1"}
        sent = None if body is None else json.dumps(body).encode()
        if sent is not None or method in {"POST", "PATCH"}:
            headers["Content-Type"] = "application/json"
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, target, sent, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        found: Any = json.loads(text) if text else None
        if answer.status >= 400:
            raise _Refused(found["status"], found["message"])
        return found

    def _place(self, request: Request) -> str:
        return f"/api/namespaces/{quote(request.namespace, safe='')}"

    def _href(self, path: InstancePath, request: Request) -> str:
        keys = ",".join(f"{name}={quote(self._key(value), safe='')}" for name, value in path.keys.items())
        return f"{self._place(request)}/instances/{path.class_name}/{keys}"

    def _key(self, value: Any) -> str:
        return format_path(value, "root/toy") if isinstance(value, InstancePath) else str(value)

    def _get(self, user: str, request: GetInstance) -> Any:
        found = self._ask(user, "GET", self._href(request.path, request), properties=self._listed(request.projection))
        return None, found["class"], self._shown(found)

    def _enumerate(self, user: str, request: EnumerateInstances | EnumerateInstanceNames) -> Any:
        target = f"{self._place(request)}/classes/{request.class_name}/instances"
        if isinstance(request, EnumerateInstanceNames):
            return self._items(self._ask(user, "GET", target, names="true"), names=True)
        deep = None if request.deep else "false"
        return self._items(self._ask(user, "GET", target, properties=self._listed(request.projection), deep=deep))

    def _create(self, user: str, request: CreateInstance) -> Any:
        return self._named(
            self._ask(user, "POST", f"{self._place(request)}/instances", self._instance(request.instance))
        )

    def _modify(self, user: str, request: ModifyInstance) -> Any:
        listed = None if request.properties is None else ",".join(request.properties)
        self._ask(user, "PATCH", self._href(request.path, request), self._instance(request.instance), properties=listed)

    def _delete(self, user: str, request: DeleteInstance) -> Any:
        self._ask(user, "DELETE", self._href(request.path, request))

    def _query(self, user: str, request: ExecQuery) -> Any:
        found = self._ask(user, "GET", f"{self._place(request)}/query", query=request.query, language=request.language)
        return in_order((each["class"], self._shown(each)) for each in found["instances"])

    def _associated(self, user: str, request: Associators | AssociatorNames | References | ReferenceNames) -> Any:
        given, names = request.filter, isinstance(request, NAMES)
        query = {"associationClass": given.association_class, "role": given.role, "names": "true" if names else None}
        where = "references"
        if isinstance(request, Associators | AssociatorNames):
            where = "associators"
            query |= {"resultClass": given.result_class, "resultRole": given.result_role}
        target = f"{self._href(request.path, request)}/{where}"
        return self._items(self._ask(user, "GET", target, **query), names=names)

    def _invoke(self, user: str, request: InvokeMethod) -> Any:
        named = request.target
        class_name = named if isinstance(named, str) else named.class_name
        declared = self._classes[class_name].methods.get(request.method.lower())
        target = f"{self._place(request)}/classes/{named}" if isinstance(named, str) else self._href(named, request)
        arguments = {name: self._sent(value) for name, value in request.arguments.items()}
        found = self._ask(user, "POST", f"{target}/methods/{request.method}", {"parameters": arguments})
        assert declared is not None
        shown = {
            name: self._seen(value, declared.parameters[name.lower()]) for name, value in found["parameters"].items()
        }
        return found["ReturnValue"], shown

    @staticmethod
    def _listed(projection: Projection) -> str | None:
        return None if projection.properties is None else ",".join(sorted(projection.properties))

    def _instance(self, sent: EmbeddedInstance) -> dict[str, Any]:
        return {"class": sent.class_name, "properties": {k: self._sent(v) for k, v in sent.properties.items()}}

    def _sent(self, value: Any) -> Any:
        match value:
            case list():
                return [self._sent(each) for each in value]
            case InstancePath():
                return {"path": format_path(value, "root/toy")}
            case EmbeddedInstance():
                return self._instance(value)
            case datetime.datetime() | datetime.timedelta():
                return format_datetime(value)
        return value

    def _items(self, found: dict[str, Any], *, names: bool = False) -> list[Any]:
        if names:
            return in_order(self._named(each) for each in found["instances"])
        return in_order((self._named(each), each["class"], self._shown(each)) for each in found["instances"])

    def _named(self, found: dict[str, Any]) -> Any:
        """The path of an instance, both forms of which have to say the same."""
        seen = self._reference(parse_path(found["path"]))
        _, _, _, namespace, _, class_name, keys = found["href"].split("/")
        declaration = self._classes[class_name]
        by_href = {}
        for part in keys.split(","):
            name, _, text = part.partition("=")
            declared = declaration.properties[unquote(name).lower()]
            by_href[unquote(name)] = self._read_key(unquote(text), declared)
        assert (unquote(namespace), class_name, by_href) == seen
        return seen

    def _reference(self, path: InstancePath) -> Any:
        declaration = self._classes[path.class_name]
        keys = {
            name: self._read_key(str(value), declaration.properties[name.lower()]) for name, value in path.keys.items()
        }
        return path.namespace, path.class_name, keys

    def _read_key(self, text: str, declared: PropertyDeclaration) -> Any:
        if declared.type == "reference":
            return self._reference(parse_path(text))
        return int(text) if declared.type in INTEGER_RANGES else text

    def _shown(self, found: dict[str, Any]) -> dict[str, Any]:
        declared = self._classes[found["class"]].properties
        return {name: self._seen(value, declared[name.lower()]) for name, value in found["properties"].items()}

    def _seen(self, value: Any, declared: Element) -> Any:
        if isinstance(value, list):
            # JSON has a NULL for texts, which the others write as "".
            return ["" if each is None else self._seen(each, declared) for each in value]
        if declared.type == "reference":
            return self._named(value)
        if declared.embedded_object:
            return value["class"], self._shown(value)
        if declared.type == "datetime":
            return parse_datetime(value)
        return int(value) if declared.type in INTEGER_RANGES else value


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
