"""The description of all URLs for programs (OpenAPI 3.1), made from what is served and from the class store."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from virtcim import __version__
from virtcim.frontends.rest.calls import MAX_BATCH
from virtcim.frontends.rest.consoles import KINDS
from virtcim.frontends.rest.listings import MAX_PAGE
from virtcim.frontends.rest.operations import Operation
from virtcim.frontends.rest.summaries import MAX_SUMMARIES, MAX_WIDTH
from virtcim.frontends.rest.targets import ROOT
from virtcim.schema.classes import (
    ClassDeclaration,
    ClassStore,
    MethodDeclaration,
    ParameterDeclaration,
    PropertyDeclaration,
)
from virtcim.schema.values import INTEGER_RANGES, REAL_TYPES

__all__ = ["describe"]

EXACT_BITS = ("8", "16", "32")
"""Integers of these bits are numbers always; larger ones can be texts."""

DATETIME = r"^([0-9]{14}\.[0-9]{1,6}\**[+-][0-9]{3}|[0-9]{14}\.[0-9]{1,6}\**:000)$"

COUNT = {"type": "integer", "minimum": 1}

QUERY: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "properties": ("Which properties, with commas between.", {"type": "string"}),
    "filter": ("A condition in the language of `language`.", {"type": "string"}),
    "language": ("The query language.", {"type": "string"}),
    "max": ("Instances of a page; no more than the server's own limit are told.", {**COUNT, "maximum": MAX_PAGE}),
    "names": ("Whether only names are wanted.", {"type": "boolean"}),
    "deep": ("Whether subclasses show their own properties, or are listed.", {"type": "boolean"}),
    "superclass": ("Whose subclasses are meant.", {"type": "string"}),
    "associationClass": ("The class of the associations.", {"type": "string"}),
    "resultClass": ("The class of what is associated.", {"type": "string"}),
    "role": ("The role of the instance.", {"type": "string"}),
    "resultRole": ("The role of what is associated.", {"type": "string"}),
    "query": ("A select statement.", {"type": "string"}),
    "screens": ("Whether to take pictures of screens.", {"type": "boolean"}),
    "width": ("The width of these at most.", {**COUNT, "maximum": MAX_WIDTH}),
    "history": ("Whether to tell the load of the last minutes.", {"type": "boolean"}),
    "columns": ("Properties, of which a table is told.", {"type": "string"}),
    "guests": ("Which guests: CLASS/NAME, encoded each, with commas between.", {"type": "string"}),
    "after": ("The guest before the page: CLASS/NAME, encoded each.", {"type": "string"}),
    "lastEventId": ("As the header Last-Event-ID, for pages that cannot set it.", {"type": "string"}),
    "classes": ("Classes of instances, or of indications, with commas between.", {"type": "string"}),
    "namespace": ("Where it happens.", {"type": "string"}),
    "ticket": ("From a POST to `tickets`.", {"type": "string"}),
    "everywhere": ("Whether to end all sessions of the user.", {"type": "boolean"}),
}

OF_DESCRIPTION: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "classes": ("Only these classes are described, with commas between; else all that are served.", {"type": "string"}),
}

OF_SUMMARY: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "max": ("Guests of a page.", {**COUNT, "maximum": MAX_SUMMARIES}),
}

ENCODED = "([A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})"
KEY = f"{ENCODED}+={ENCODED}*"

PATH: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "namespace": ("The namespace: `root%2Fvirt`.", {"type": "string"}),
    "class": ("The class.", {"type": "string"}),
    "keys": (
        "The keys: `Name=value`, percent-encoded, with commas between.",
        {"type": "string", "pattern": f"^{KEY}(,{KEY})*$"},
    ),
    "method": ("The method.", {"type": "string"}),
    "context": ("Of the page, as the one before it has it.", {"type": "string"}),
    "guest": ("The name of the guest.", {"type": "string"}),
    "kind": ("`serial`, or `vnc` for the screen.", {"type": "string", "enum": sorted(KINDS)}),
}

AFTER = {"namespaces": "namespace", "classes": "class", "instances": "class", "methods": "method", "pages": "context"}
"""What stands for any segment, by the one before it; behind a class of instances stand keys."""

JSON = "application/json"
REFERENCE, INSTANCE, ERROR, OUTCOME = "Reference", "Instance", "Error", "Outcome"
NEW_INSTANCE, CHANGE, CLASS = "NewInstance", "Change", "Class"


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": {JSON: {"schema": schema}}}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _exactly(required: Iterable[str] = (), **properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object that has no other members than these, and all of those that are required."""
    return {**_object(**properties), "required": [*required], "additionalProperties": False}


def _list(name: str, items: Mapping[str, Any], **further: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object with a list in it."""
    return {**_object(**{name: {"type": "array", "items": items}}, **further), "required": [name]}


_TEXT, _FLAG = {"type": "string"}, {"type": "boolean"}

_INSTANCE: Mapping[str, Any] = {
    "class": _TEXT,
    "namespace": _TEXT,
    "path": _TEXT,
    "href": _TEXT,
    "etag": _TEXT,
    "properties": {"type": "object"},
}

_CLASS: Mapping[str, Any] = {
    "class": _TEXT,
    "superclass": {"type": ["string", "null"]},
    "href": _TEXT,
    "served": _FLAG,
    "association": _FLAG,
    "indication": _FLAG,
    "abstract": _FLAG,
    "keys": {"type": "array", "items": _TEXT},
    "qualifiers": {"type": "object"},
    "roles": {"type": "object"},
    "properties": {"type": "object"},
    "methods": {"type": "object"},
}

COMMON: Mapping[str, Mapping[str, Any]] = {
    REFERENCE: {
        "description": "An instance, by its path as WBEM URIs have it or by where it is found; one of them is enough.",
        **_object(path={"type": "string"}, href={"type": "string"}),
    },
    INSTANCE: {
        "description": "An instance: with names only it is without properties, and what a query finds is without path.",
        **_object(**_INSTANCE),
        "required": ["class"],
    },
    NEW_INSTANCE: _exactly(["class"], **{"class": _TEXT, "properties": {"type": "object"}}),
    CHANGE: {
        "description": "An instance as it was read, or the properties alone; only these are changed.",
        **_exactly(**_INSTANCE),
    },
    CLASS: {
        "description": "A class: in lists with what a tree needs, or with its name alone.",
        **_object(**_CLASS),
        "required": ["class"],
    },
    ERROR: {
        "description": "What is wrong; `status` is the status code of CIM, 0 for what HTTP alone knows.",
        **_object(
            status={"type": "integer"},
            name={"type": "string"},
            message={"type": "string"},
            libvirt={"type": "integer"},
        ),
        "required": ["status", "name", "message"],
    },
    OUTCOME: {
        **_object(ReturnValue={}, parameters={"type": "object"}),
        "required": ["ReturnValue", "parameters"],
    },
}

_BODY = {"CreateInstance": NEW_INSTANCE, "ModifyInstance": CHANGE}

PLAIN = _json({"type": "object"})
FAILED = {"description": "It was refused, or failed.", **_json(_ref(ERROR))}


def describe(classes: ClassStore, served: Iterable[str], operations: Iterable[Operation]) -> dict[str, Any]:
    """Describe all URLs.

    Parameters:
        classes: the class store.
        served: the classes whose schemas and methods are described.
        operations: what there is of URLs.
    """
    declarations = [classes[name] for name in sorted(set(served))]
    embedded = {
        name for each in declarations for name in _embedded_classes(each) if name is not None and name in classes
    }
    known = {each.name: each for each in (*declarations, *(classes[name] for name in embedded))}
    schemas = {**COMMON, **{f"{name}.properties": _schema(each, known) for name, each in known.items()}}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        place = _template(operation.pattern)
        paths.setdefault(place, _parameters_of(place))[operation.method.lower()] = _operation(operation)
    for place, methods in _further().items():
        paths[place] = {**_parameters_of(place), **methods}
    for declaration in declarations:
        paths |= _of_class(declaration, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "virtcim",
            "version": __version__,
            "summary": "CIM as JSON over HTTP",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"basic": []}, {"session": []}, {"plainSession": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-virtcim"},
                "plainSession": {"type": "apiKey", "in": "cookie", "name": "virtcim"},
            },
        },
    }


def _embedded_classes(declaration: ClassDeclaration) -> Iterator[str | None]:
    for each in declaration.properties.values():
        yield each.embedded_class
    for method in declaration.methods.values():
        for parameter in method.parameters.values():
            yield parameter.embedded_class


def _template(pattern: tuple[str, ...]) -> str:
    """A path with names in place of asterisks."""
    segments: list[str] = []
    for number, segment in enumerate(pattern):
        before = pattern[number - 1] if number else ""
        segments.append(segment if segment != "*" else f"{{{AFTER.get(before, 'keys')}}}")
    return "/".join([ROOT, *segments]) if segments else f"{ROOT}/"


def _parameters_of(place: str) -> dict[str, Any]:
    names = [each[1:-1] for each in place.split("/") if each.startswith("{")]
    if not names:
        return {}
    return {
        "parameters": [
            {"name": name, "in": "path", "required": True, "description": PATH[name][0], "schema": PATH[name][1]}
            for name in names
        ]
    }


def _query(
    names: Iterable[str],
    required: Iterable[str] = (),
    known: Mapping[str, tuple[str, Mapping[str, Any]]] = QUERY,
) -> list[dict[str, Any]]:
    """Describe parameters in the URL.

    Parameters:
        names: of the parameters.
        required: those that have to be there.
        known: what there is to say of each.
    """
    return [
        {
            "name": name,
            "in": "query",
            **({"required": True} if name in required else {}),
            "description": known[name][0],
            "schema": known[name][1],
        }
        for name in sorted(names)
    ]


MARK = {
    "name": "X-Virtcim-Request",
    "in": "header",
    "required": True,
    "description": "Any value: pages from elsewhere cannot send it.",
    "schema": {"type": "string"},
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag that the instance has to have; 412 where it has another one.",
    "schema": {"type": "string"},
}


def _operation(operation: Operation) -> dict[str, Any]:
    text = inspect.getdoc(operation.carry_out) or ""
    # What `query` is for a stream of events, it is here for nothing else.
    required = ("query",) if operation.operation == "ExecQuery" else ()
    parameters = _query(operation.query, required, {**QUERY, **OF_SUMMARY} if operation.asks else QUERY)
    if operation.method != "GET":
        parameters.append(MARK)
        if operation.pattern[2:4] == ("instances", "*"):
            parameters.append(IF_MATCH)
    name = operation.carry_out.__name__.strip("_")
    told: dict[str, Any] = {
        "operationId": f"{operation.method.lower()}-{'-'.join(operation.pattern).replace('*', 'any') or 'root'}",
        "summary": text.partition("\n")[0] or name.replace("_", " "),
        "responses": {**_success(operation), "default": FAILED},
    }
    if parameters:
        told["parameters"] = parameters
    if operation.method in {"POST", "PATCH"}:
        is_call = operation.pattern[-2:-1] == ("methods",)
        body = _exactly(parameters={"type": "object"}) if is_call else _ref(_BODY[operation.operation])
        told["requestBody"] = {"required": not is_call, **_json(body)}
    return told


def _success(operation: Operation) -> dict[str, Any]:
    match operation.operation:
        case "InvokeMethod" if operation.method == "POST":
            return {"200": {"description": "What the method gave back.", **_json(_ref(OUTCOME))}}
        case "CreateInstance":
            return {"201": {"description": "Where the instance is.", **_json(_ref(INSTANCE))}}
        case "ModifyInstance" | "DeleteInstance" | "CloseEnumeration":
            return {"204": {"description": "It is done."}}
        case "GetInstance":
            return {"200": {"description": "The instance.", **_json(_ref(INSTANCE))}}
        case "GetClass":
            return {"200": {"description": "The class.", **_json(_ref(CLASS))}}
        case "EnumerateClassNames":
            return {"200": {"description": "Classes.", **_json(_list("classes", _ref(CLASS)))}}
        case "AssociatorNames" | "ReferenceNames":
            return {"200": {"description": "Names of classes.", **_json(_list("classes", _ref(CLASS)))}}
        case "EnumerateInstances" | "Associators" | "References" | "ExecQuery" | "PullInstancesWithPath":
            found = _list("instances", _ref(INSTANCE), next=_TEXT)
            return {"200": {"description": "Instances, and where the next page is.", **_json(found)}}
    return {"200": {"description": "What there is.", **_json({"type": "object"})}}


def _further() -> dict[str, dict[str, Any]]:
    """The URLs that are no operations of CIM."""
    description = _further_url(
        "describe", "This description.", "200", answer=PLAIN, parameters=_query(["classes"], known=OF_DESCRIPTION)
    )
    return {
        f"{ROOT}/session": _session(),
        f"{ROOT}/batch": {"post": _batch()},
        **_streams(),
        f"{ROOT}/openapi.json": {"get": description},
        **_consoles(),
    }


def _further_url(
    name: str, summary: str, status: str, answer: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Describe one of these URLs.

    Parameters:
        status: of success.
        answer: what the response to that says beside the summary.
        more: further members.
    """
    success = {status: {"description": summary, **(answer or {})}}
    return {"operationId": name, "summary": summary, "responses": {**success, "default": FAILED}, **more}


def _session() -> dict[str, Any]:
    login = _exactly(["user", "password"], user={**_TEXT, "pattern": "^[^:]*$"}, password=_TEXT)
    return {
        "get": _further_url("get-session", "Who asks, and what the user may do where.", "200", answer=PLAIN),
        "post": _further_url(
            "log-in",
            "Begin a session.",
            "201",
            answer=PLAIN,
            parameters=[MARK],
            security=[{}],
            requestBody={"required": True, **_json(login)},
        ),
        "delete": _further_url("log-out", "End the session.", "204", parameters=[*_query(["everywhere"]), MARK]),
    }


def _batch() -> dict[str, Any]:
    request = _exactly(
        ["path"],
        id={"type": ["string", "integer"]},
        method={**_TEXT, "default": "GET"},
        path={**_TEXT, "pattern": f"^{ROOT}/"},
        ifMatch=_TEXT,
        body={},
    )
    requests = {"type": "array", "items": request, "minItems": 1, "maxItems": MAX_BATCH}
    done = _object(id={}, status={"type": "integer"}, headers={"type": "object"}, body={})
    told = _list("responses", {**done, "required": ["id", "status", "headers", "body"]})
    return _further_url(
        "batch",
        "Carry out several calls, one after the other; what is wrong with one of them is its answer.",
        "200",
        answer=_json(told),
        parameters=[MARK],
        requestBody={"required": True, **_json(_exactly(["requests"], requests=requests))},
    )


def _streams() -> dict[str, dict[str, Any]]:
    """What goes on happening, and what has happened of late."""
    return {
        f"{ROOT}/events": {
            "get": _further_url(
                "follow",
                "Follow what happens, as server-sent events.",
                "200",
                answer={"content": {"text/event-stream": {"schema": {"type": "string"}}}},
                parameters=_query(["classes", "namespace", "query", "language", "lastEventId"]),
            ),
            "delete": _further_url(
                "unfollow",
                "End a stream of events that is not come back to.",
                "204",
                parameters=[*_query(["lastEventId"], ["lastEventId"]), MARK],
            ),
        },
        f"{ROOT}/alerts": {
            "get": _further_url("alerts", "List the alerts of late, the newest first.", "200", answer=PLAIN),
        },
    }


def _consoles() -> dict[str, dict[str, Any]]:
    console = f"{ROOT}/namespaces/{{namespace}}/consoles/{{guest}}/{{kind}}"
    ticket = _further_url("console-ticket", "Get a ticket for a console.", "201", answer=PLAIN, parameters=[MARK])
    return {
        console: {
            "get": _further_url(
                "open-console", "Open a console by WebSocket.", "101", parameters=_query(["ticket"], ["ticket"])
            ),
        },
        f"{console}/tickets": {"post": ticket},
    }


def _of_class(declaration: ClassDeclaration, known: Mapping[str, ClassDeclaration]) -> dict[str, dict[str, Any]]:
    """The URLs of a class: its instances, and its methods."""
    name = declaration.name
    listing = f"{ROOT}/namespaces/{{namespace}}/classes/{name}/instances"
    own = {"allOf": [_ref(INSTANCE), _object(properties=_ref(f"{name}.properties"))]}
    found = _list("instances", own, next=_TEXT)
    paths: dict[str, dict[str, Any]] = {
        listing: {
            **_parameters_of(listing),
            "get": {
                "operationId": f"list-{name}",
                "summary": f"List the instances of {name} and of classes below it.",
                "tags": [name],
                "parameters": _query(("properties", "filter", "language", "max", "names", "deep")),
                "responses": {"200": {"description": "Instances.", **_json(found)}, "default": FAILED},
            },
        }
    }
    for method in declaration.methods.values():
        place = f"{ROOT}/namespaces/{{namespace}}/instances/{name}/{{keys}}/methods/{method.name}"
        paths[place] = {**_parameters_of(place), "post": _call(name, method, known)}
    return paths


def _call(name: str, method: MethodDeclaration, known: Mapping[str, ClassDeclaration]) -> dict[str, Any]:
    given = {each.name: _value(each, known) for each in method.parameters.values() if each.is_in}
    required = [
        each.name
        for each in method.parameters.values()
        if each.is_in and (qualifier := each.qualifiers.get("required")) is not None and qualifier.value
    ]
    out = {each.name: _value(each, known) for each in method.parameters.values() if each.is_out}
    parameters = {**_object(**given), "additionalProperties": False, **({"required": required} if required else {})}
    outcome = _object(ReturnValue=_scalar(method.return_type), parameters=_object(**out))
    return {
        "operationId": f"{name}-{method.name}",
        "summary": _described(method.qualifiers) or method.name,
        "tags": [name],
        "parameters": [MARK, IF_MATCH],
        "requestBody": {
            "required": bool(required),
            **_json(_exactly(["parameters"] if required else [], parameters=parameters)),
        },
        "responses": {"200": {"description": "What the method gave back.", **_json(outcome)}, "default": FAILED},
    }


def _schema(declaration: ClassDeclaration, known: Mapping[str, ClassDeclaration]) -> dict[str, Any]:
    """The properties of a class, as an object of JSON."""
    schema = _object(**{each.name: _value(each, known) for each in declaration.properties.values()})
    text = _described(declaration.qualifiers)
    return {**schema, **({"description": text} if text else {})}


def _value(
    declared: PropertyDeclaration | ParameterDeclaration, known: Mapping[str, ClassDeclaration]
) -> dict[str, Any]:
    if declared.type == "reference":
        schema = _ref(REFERENCE)
    elif declared.embedded_object:
        own = known.get(declared.embedded_class or "")
        schema = (
            {"allOf": [_ref(INSTANCE), _object(properties=_ref(f"{own.name}.properties"))]} if own else _ref(INSTANCE)
        )
    else:
        schema = _scalar(declared.type)
    if declared.is_array:
        schema = {"type": "array", "items": {"anyOf": [schema, {"type": "null"}]}}
    text = _described(declared.qualifiers)
    values = _value_map(declared)
    return {**schema, **({"description": text} if text else {}), **({"x-values": values} if values else {})}


def _scalar(cim_type: str) -> dict[str, Any]:
    if cim_type in INTEGER_RANGES:
        low, high = INTEGER_RANGES[cim_type]
        if cim_type.endswith(EXACT_BITS):
            return {"type": "integer", "minimum": low, "maximum": high}
        return {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^-?[0-9]{1,20}$"}]}
    if cim_type in REAL_TYPES:
        return {"type": "number"}
    if cim_type == "boolean":
        return {"type": "boolean"}
    return {"type": "string", **({"pattern": DATETIME} if cim_type == "datetime" else {})}


def _described(qualifiers: Mapping[str, Any]) -> str:
    found = qualifiers.get("description")
    return str(found.value) if found is not None and found.value else ""


def _value_map(declared: PropertyDeclaration | ParameterDeclaration) -> dict[str, str]:
    """What each value means."""
    keys, texts = declared.qualifiers.get("valuemap"), declared.qualifiers.get("values")
    if keys is None or texts is None or not keys.value or not texts.value:
        return {}
    return dict(zip(map(str, keys.value), map(str, texts.value), strict=False))
