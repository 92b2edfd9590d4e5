"""What DSP0200 says of HTTP: methods, headers, the errors below the CIM level."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.cimom.harness import (
    RawClient,
    RunningServer,
    class_name,
    element,
    extrinsic,
    http_request,
    intrinsic,
    message,
    namespace_path,
    quote,
    system,
    value,
)
from tests.cimom.toy import ODD_NAMES
from virtcim.frontends.http import seldom
from virtcim.frontends.http.sending import WHOLE_LIMIT
from virtcim.providers.interface import LONGEST_DESCRIPTION

SYSTEMS = intrinsic("EnumerateInstanceNames", ClassName=class_name("Toy_System"))


def test_headers_of_an_answer(raw: RawClient) -> None:
    response = raw.post(SYSTEMS)
    assert response.status == 200
    assert response.headers["content-type"] == 'application/xml; charset="utf-8"'
    assert response.headers["cimoperation"] == "MethodResponse"
    assert int(response.headers["wbemserverresponsetime"]) >= 0
    assert response.xml.find("MESSAGE[@ID='1001']") is not None


def test_one_connection_serves_many_requests(raw: RawClient) -> None:
    for _ in range(3):
        assert raw.post(SYSTEMS).status == 200
    raw.send(http_request(SYSTEMS.encode()) * 5)
    assert [raw.receive().status for _ in range(5)] == [200] * 5


@pytest.mark.parametrize(
    ("headers", "status", "cim_error"),
    [
        ({"CIMOperation": None}, 400, "unsupported-operation"),
        ({"CIMOperation": "Nonsense"}, 400, "unsupported-operation"),
        ({"CIMOperation": "MethodResponse"}, 400, "unsupported-operation"),
        ({"CIMMethod": None}, 400, "header-mismatch"),
        ({"CIMMethod": ""}, 400, "header-mismatch"),
        ({"CIMMethod": "GetInstance"}, 400, "header-mismatch"),
        ({"CIMMethod": "%FF"}, 400, "header-mismatch"),
        ({"CIMObject": None}, 400, "header-mismatch"),
        ({"CIMObject": "root/other"}, 400, "header-mismatch"),
        ({"CIMObject": "root/toy:Toy_System"}, 400, "header-mismatch"),
        ({"CIMProtocolVersion": "2.0"}, 501, "unsupported-protocol-version"),
        ({"CIMProtocolVersion": "1.1"}, 400, "header-mismatch"),
        ({"Content-Type": "application/json"}, 415, None),
        ({"Content-Type": "text/plain"}, 415, None),
        ({"Content-Type": "application/x\xd3l"}, 415, None),
        ({"Content-Type": "application/x\udcd3l"}, 415, None),
        ({"Content-Type": "application/xml; charset=\udcd3"}, 400, "request-not-well-formed"),
        ({"CIMMethod": "\udcd3"}, 400, "header-mismatch"),
        ({"Content-Type": "application/xml; charset=utf-16"}, 400, "request-not-well-formed"),
        ({"Content-Type": "application/xml; charset=\xd3"}, 400, "request-not-well-formed"),
        ({"CIMMethod": None, "CIMObject": None, "CIMBatch": ""}, 501, "multiple-requests-unsupported"),
        ({"CIMMETHOD": "GetInstance"}, 400, "header-mismatch"),
        ({"cimobject": "root%2Ffar"}, 400, "header-mismatch"),
        ({"Content-Encoding": "gzip"}, 415, None),
        ({"Expect": "200-ok"}, 417, None),
    ],
)
def test_faulty_headers(raw: RawClient, headers: dict[str, str | None], status: int, cim_error: str | None) -> None:
    response = raw.post(SYSTEMS, headers)
    assert (response.status, response.headers.get("cimerror")) == (status, cim_error)
    assert b"Traceback" not in response.body


@pytest.mark.parametrize(
    "again", [{"HOST": "localhost"}, {"content-type": "application/xml"}, {"Origin": "http://a", "origin": "http://a"}]
)
def test_headers_that_are_given_twice(raw: RawClient, again: dict[str, str]) -> None:
    assert raw.post(SYSTEMS, again).status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": None},
        {"Content-Type": "text/xml"},
        {"Content-Type": "Application/XML;charset=utf-8"},
        {"Content-Type": "application/xml; charset=ISO-8859-1"},
        {"Content-Type": "application/xml; x=y; Charset='US-ASCII'"},
        {"cimmethod": "EnumerateInstanceNames"},
        {"Content-Encoding": "identity"},
        {"CIMProtocolVersion": "1.0"},
        {"CIMObject": "/root/toy/"},
        {"CIMObject": "ROOT%2fToy"},
        {"CIMObject": "root/toy"},
        {"CIMMethod": "enumerateinstancenames"},
        {"CIMOperation": "methodcall"},
        {"Accept-Encoding": "gzip, deflate"},
        {"X-Unknown": "\xff\xfe"},
    ],
)
def test_tolerated_headers(raw: RawClient, headers: dict[str, str | None]) -> None:
    assert raw.post(SYSTEMS, headers).status == 200


@pytest.mark.parametrize("name", ODD_NAMES)
def test_object_header_of_odd_names(raw: RawClient, name: str) -> None:
    body = extrinsic("Change", system(name), State=value(2))
    path = f'root/toy:Toy_System.CreationClassName="Toy_System",Name="{name}"'
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    spec = f'root/toy:Toy_System.Name="{escaped}",CreationClassName="Toy_System"'
    assert raw.post(body, {"CIMObject": quote(path)}).cim_status == 0
    assert raw.post(body, {"CIMObject": quote(spec)}).cim_status == 0
    if name.isascii():
        assert raw.post(body, {"CIMObject": spec}).cim_status == 0


@pytest.mark.parametrize(
    "cim_object",
    [
        "root/toy",
        "root/toy:Toy_System",
        'root/toy:Toy_Disk.CreationClassName="Toy_System",Name="plain"',
        'root/toy:Toy_System.CreationClassName="Toy_System",Name="other"',
        'root/toy:Toy_System.Name="plain"',
    ],
)
def test_object_header_names_another_target(raw: RawClient, cim_object: str) -> None:
    response = raw.post(extrinsic("Change", system("plain"), State=value(2)), {"CIMObject": quote(cim_object)})
    assert (response.status, response.headers["cimerror"]) == (400, "header-mismatch")


CALL = element("IMETHODCALL", namespace_path("root/toy"), NAME="EnumerateClassNames")


@pytest.mark.parametrize(
    ("body", "status", "cim_error"),
    [
        ("", 400, "request-not-well-formed"),
        ("no xml", 400, "request-not-well-formed"),
        ("<CIM>", 400, "request-not-well-formed"),
        ("<CIM></CIM><CIM></CIM>", 400, "request-not-well-formed"),
        (b"<CIM>\xff\xfe</CIM>", 400, "request-not-well-formed"),
        ("<CIM>&unknown;</CIM>", 400, "request-not-well-formed"),
        ("<CIM>\x01</CIM>", 400, "request-not-well-formed"),
        ("<CIM>\x00</CIM>", 400, "request-not-well-formed"),
        ('<?xml version="1.0" encoding="utf-16"?><CIM/>'.encode("utf-16"), 400, "request-not-well-formed"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?><CIM CIMVERSION="2.0"/>', 400, "request-not-well-formed"),
        ('<?xml version="1.0" encoding="nonsense"?><CIM/>', 400, "request-not-well-formed"),
        ("<html></html>", 400, "request-not-valid"),
        ("<CIM></CIM>", 400, "request-not-valid"),
        ('<CIM CIMVERSION="2.0" DTDVERSION="2.0"></CIM>', 400, "request-not-valid"),
        (
            '<CIM CIMVERSION="2.0" DTDVERSION="2.0"><MESSAGE ID="1" PROTOCOLVERSION="1.0"/></CIM>',
            400,
            "request-not-valid",
        ),
        (message("<NONSENSE/>"), 400, "request-not-valid"),
        (message(element("IMETHODCALL", namespace_path("root/toy"))), 400, "request-not-valid"),
        (message(element("IMETHODCALL", NAME="GetClass")), 400, "request-not-valid"),
        (message(element("IMETHODCALL", element("LOCALNAMESPACEPATH"), NAME="X")), 400, "request-not-valid"),
        (message(CALL + CALL), 400, "request-not-valid"),
        (message(element("METHODCALL", namespace_path("root/toy"), NAME="X")), 400, "request-not-valid"),
        (intrinsic("GetClass", ClassName="<X/>"), 400, "request-not-valid"),
        (intrinsic("GetClass", ClassName="<VALUE><VALUE/></VALUE>"), 400, "request-not-valid"),
        (intrinsic("GetClass", ClassName="<CLASSNAME/>"), 400, "request-not-valid"),
        (intrinsic("GetClass", ClassName=class_name("A") + class_name("B")), 400, "request-not-valid"),
        (message(CALL, CIMVERSION="3.0"), 501, "unsupported-cim-version"),
        (message(CALL, DTDVERSION="1.0"), 501, "unsupported-dtd-version"),
        (message(CALL, PROTOCOLVERSION="2.0"), 501, "unsupported-protocol-version"),
        (message(CALL).replace("SIMPLEREQ", "MULTIREQ"), 501, "multiple-requests-unsupported"),
        (message(CALL).replace("SIMPLEREQ", "SIMPLEEXPREQ"), 400, "unsupported-operation"),
    ],
)
def test_faulty_messages(raw: RawClient, body: str | bytes, status: int, cim_error: str) -> None:
    response = raw.post(body)
    assert (response.status, response.headers.get("cimerror")) == (status, cim_error)
    assert raw.post(SYSTEMS).status == 200


@pytest.mark.parametrize("blanks", [" ", "\r\n\t "])
def test_white_space_before_the_declaration_is_tolerated(raw: RawClient, blanks: str) -> None:
    assert raw.post(blanks + SYSTEMS, {"CIMMethod": "EnumerateInstanceNames"}).cim_status == 0


def test_doctype_without_subset_is_tolerated(raw: RawClient) -> None:
    body = SYSTEMS.replace("<CIM ", '<!DOCTYPE CIM SYSTEM "http://nowhere.example/cim.dtd"><CIM ', 1)
    assert raw.post(body).status == 200
    assert raw.post(body.replace("Toy_System", "&bomb;")).status == 400


@pytest.mark.parametrize(
    "subset",
    [
        '[<!ENTITY a "x">]',
        'SYSTEM "x" [<!ENTITY a "x">]',
        'PUBLIC "[" "]" [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]',
        "[]",
    ],
)
def test_doctype_with_subset_is_refused(raw: RawClient, subset: str) -> None:
    response = raw.post(SYSTEMS.replace("<CIM ", f"<!-- - --><?x ??>\n<!DOCTYPE CIM {subset}><CIM ", 1))
    assert (response.status, response.headers["cimerror"]) == (400, "request-not-valid")


def test_entity_bomb(raw: RawClient) -> None:
    entities = '<!ENTITY a0 "xxxxxxxxxx">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    body = SYSTEMS.replace("<CIM ", f"<!DOCTYPE CIM [{entities}]><CIM ", 1).replace("Toy_System", "&a11;")
    assert raw.post(body).status == 400


@pytest.mark.parametrize("tag", ["x", "VALUE.REFERENCE", "KEYBINDING"])
def test_deep_nesting(raw: RawClient, tag: str) -> None:
    assert raw.post(f"<{tag}>" * 50_000 + f"</{tag}>" * 50_000).status == 400
    inner = system("plain")
    for _ in range(40):
        path = element("VALUE.REFERENCE", element("LOCALINSTANCEPATH", namespace_path("root/toy"), inner))
        inner = element("INSTANCENAME", element("KEYBINDING", path, NAME="Antecedent"), CLASSNAME="Toy_Partner")
    response = raw.post(intrinsic("GetInstance", InstanceName=inner))
    assert (response.status, response.headers["cimerror"]) == (400, "request-not-valid")


def test_body_limits(make_server: Callable[..., RunningServer]) -> None:
    server = make_server(max_body=10_000, max_elements=1000)
    padding = " " * 10_000
    with RawClient(server.port) as client:
        client.send(http_request((SYSTEMS + padding).encode())[:400])
        assert client.receive().status == 413
        assert client.is_closed()
    with RawClient(server.port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nCIMOperation: MethodCall\r\nCIMMethod: a\r\nCIMObject: b\r\n")
        client.send(b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n")
        client.send((b"1000\r\n" + b"x" * 4096 + b"\r\n") * 3)
        assert client.receive().status == 413
    with RawClient(server.port) as client:
        assert client.post("<a/>" * 2400).status == 413
    with RawClient(server.port) as client:
        assert client.post(SYSTEMS).status == 200


@pytest.mark.parametrize(
    ("start", "headers", "status"),
    [
        ("POST /cimom HTTP/1.1", {"X-Long": "x" * 40_000}, 431),
        ("POST /cimom HTTP/1.1", {"X-" + "y" * 40_000: "x"}, 431),
        ("POST /cimom HTTP/1.1", {f"X-{n}": "x" for n in range(1000)}, 431),
        (f"POST /{'x' * 40_000} HTTP/1.1", {}, 414),
        ("POST /cimom HTTP/2.0", {}, 505),
        ("POST /cimom HTTP/9.9", {}, 400),
        ("POST /cimom HTTP", {}, 400),
        ("NONSENSE /cimom HTTP/1.1", {}, 501),
    ],
    ids=["value", "name", "number", "target", "2.0", "9.9", "half", "method"],
)
def test_early_refusals(server: RunningServer, start: str, headers: dict[str, str], status: int) -> None:
    request = "\r\n".join([start, "Host: x", *(f"{name}: {value}" for name, value in headers.items()), "", ""])
    with RawClient(server.port) as client:
        client.send(request.encode())
        received = client.receive()
        assert (received.version, received.status) == ("HTTP/1.1", status)


def test_a_body_without_length(raw: RawClient) -> None:
    response = raw.post(SYSTEMS, {"Content-Length": None})
    assert response.status == 411
    assert raw.is_closed()


def test_a_charset_that_contradicts_the_body(raw: RawClient) -> None:
    body = intrinsic("GetInstance", InstanceName=system("k\xf6ln:colon"))
    assert raw.post(body).cim_status == 0
    for charset in ("us-ascii", "iso-8859-1"):
        response = raw.post(body, {"Content-Type": f"application/xml; charset={charset}"})
        assert (response.status, response.headers["cimerror"]) == (400, "request-not-well-formed")


def test_large_body_is_taken(raw: RawClient) -> None:
    assert raw.post(SYSTEMS + " " * 3_000_000).status == 200


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_chunked_request(raw: RawClient, size: int) -> None:
    body = SYSTEMS.encode()
    head = http_request(body, {"Content-Length": None, "Transfer-Encoding": "chunked"})[: -len(body)]
    chunks = (body[i : i + size] for i in range(0, len(body), size))
    raw.send(head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n")
    assert raw.receive().status == 200
    assert raw.post(SYSTEMS).status == 200


def test_expect_continue(raw: RawClient) -> None:
    body = SYSTEMS.encode()
    raw.send(http_request(body, {"Expect": "100-continue"})[: -len(body)])
    assert raw.receive().status == 100
    raw.send(body)
    assert raw.receive().status == 200
    assert raw.post(SYSTEMS).status == 200


def test_compressed_request_is_not_inflated(raw: RawClient) -> None:
    response = raw.post(gzip.compress(b"x" * 10_000_000), {"Content-Encoding": "gzip"})
    assert response.status == 415


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("GET", 405),
        ("HEAD", 405),
        ("PUT", 405),
        ("DELETE", 405),
        ("TRACE", 405),
        ("M-POST", 501),
        ("PROPFIND", 501),
        ("NONSENSE", 501),
    ],
)
def test_other_methods(server: RunningServer, method: str, status: int) -> None:
    with RawClient(server.port) as client:
        client.send(f"{method} /cimom HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        response = client.receive(has_body=method != "HEAD")
        assert response.status == status
        assert "POST" in response.headers["allow"]
        assert b"Traceback" not in response.body


def test_options(raw: RawClient) -> None:
    raw.send(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
    response = raw.receive()
    assert response.status == 200
    assert "POST" in response.headers["allow"]
    groups = set(response.headers["73-cimsupportedfunctionalgroups"].split(", "))
    assert {"Basic Read", "Association Traversal", "Query Execution", "Pulled Read", "Pulled Query Execution"} < groups
    assert "Schema Manipulation" not in groups
    assert response.headers["73-cimsupportedquerylanguages"] == "DMTF:CQL, DMTF:FQL, WQL"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\0\0\0\0\r\n\r\n",
    ],
)
def test_garbage(server: RunningServer, garbage: bytes) -> None:
    with RawClient(server.port, timeout=60) as client:
        client.send(garbage)
        response = client.receive()
        assert response.status in {400, 501, 505}
        assert b"Traceback" not in response.body
    with RawClient(server.port) as client:
        assert client.post(SYSTEMS).status == 200


def test_http_1_0(server: RunningServer) -> None:
    with RawClient(server.port) as client:
        client.send(http_request(SYSTEMS.encode()).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert client.receive().status == 200
        assert client.is_closed()


def test_http_1_0_is_not_told_to_continue(server: RunningServer) -> None:
    """Who speaks HTTP/1.0 takes the first status line for that of the answer."""
    with RawClient(server.port) as client:
        sent = http_request(SYSTEMS.encode(), {"Expect": "100-continue"})
        client.send(sent.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert client.receive().status == 200


def test_http_1_0_keeps_the_connection_when_asked(server: RunningServer) -> None:
    with RawClient(server.port) as client:
        for _ in range(2):
            sent = http_request(SYSTEMS.encode(), {"Connection": "keep-alive"})
            client.send(sent.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
            response = client.receive()
            assert response.status == 200
            assert response.headers["connection"] == "keep-alive"


def test_connection_close(raw: RawClient) -> None:
    response = raw.post(SYSTEMS, {"Connection": "close"})
    assert response.status == 200
    assert response.headers["connection"] == "close"
    assert raw.is_closed()


def test_pipelining(raw: RawClient) -> None:
    """Answers come in the order of the requests, faults among them."""
    raw.send(http_request(SYSTEMS.encode()) + http_request(b"<CIM") + http_request(SYSTEMS.encode()))
    assert [raw.receive().status for _ in range(3)] == [200, 400, 200]


def test_chunked_request_with_extension_and_trailer(raw: RawClient) -> None:
    body = SYSTEMS.encode()
    head = http_request(body, {"Content-Length": None, "Transfer-Encoding": "chunked", "Trailer": "X-Sum"})
    raw.send(head[: -len(body)] + b"%x;part=1\r\n%b\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(body), body))
    assert raw.receive().status == 200
    assert raw.post(SYSTEMS).status == 200


@pytest.mark.parametrize(
    "headers",
    [{"Transfer-Encoding": "chunked"}, {"Content-Length": "3, 4"}, {"Content-Length": "-1"}, {"Content-Length": "+5"}],
)
def test_lengths_that_may_be_read_in_two_ways(server: RunningServer, headers: dict[str, str]) -> None:
    """What follows must not be taken for a request of its own."""
    with RawClient(server.port) as client:
        assert client.post(SYSTEMS, headers).status == 400
        assert client.is_closed()


def test_large_answers_tell_their_length(raw: RawClient, server: RunningServer) -> None:
    for number in range(1000):
        server_provider(server).add("Toy_System", Name=f"guest{number}")
    response = raw.post(intrinsic("EnumerateInstances", ClassName=class_name("Toy_System")))
    assert "transfer-encoding" not in response.headers
    assert int(response.headers["content-length"]) == len(response.body) > WHOLE_LIMIT
    assert len(response.xml.findall(".//VALUE.NAMEDINSTANCE")) > 1000
    assert raw.post(SYSTEMS).status == 200
    raw.send(
        http_request(intrinsic("EnumerateInstances", ClassName=class_name("Toy_System")).encode()).replace(
            b"HTTP/1.1", b"HTTP/1.0", 1
        )
    )
    response = raw.receive()
    assert "transfer-encoding" not in response.headers
    assert len(response.xml.findall(".//VALUE.NAMEDINSTANCE")) > 1000


def server_provider(server: RunningServer) -> Any:
    provider = server.server.core.namespaces["root/toy"].provider("Toy_System")
    assert provider is not None
    return provider


def test_attributes_are_bounded_as_elements_are(make_server: Callable[..., RunningServer]) -> None:
    with RawClient(make_server(max_elements=1000).port) as client:
        assert client.post("<a " + " ".join(f'b{number}=""' for number in range(2001)) + "/>").status == 413
        assert client.is_closed()


def test_an_error_quotes_little_of_what_was_sent(raw: RawClient) -> None:
    answer = raw.post(intrinsic("GetInstance", InstanceName=system("x" * 1_000_000)))
    assert answer.cim_status == 6
    assert len(answer.description) == LONGEST_DESCRIPTION + len("...")


@pytest.mark.parametrize("rest", [b"zz\r\n", b"5\r\nhello\r\nx\r\n", b"-1\r\n", b"1\r\n  \r\n"])
def test_chunks_that_are_none_are_refused_at_once(server: RunningServer, rest: bytes) -> None:
    """Whoever waits for the rest of a body is told that it never comes."""
    with RawClient(server.port) as client:
        request = http_request(SYSTEMS.encode(), {"Content-Length": None, "Transfer-Encoding": "chunked"})
        client.send(request.partition(b"\r\n\r\n")[0] + b"\r\n\r\n1\r\n \r\n")
        server.run(asyncio.sleep(0.05))  # it is being read
        client.send(rest)
        answer = client.receive()
        assert (answer.status, b"completely" in answer.body) == (400, True)
        assert client.is_closed()


def test_strangers_do_not_fill_the_log(
    server: RunningServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send_bad() -> None:
        with RawClient(server.port) as client:
            client.send(b"GET / HTTP/9.9\r\n\r\n")
            assert client.receive().status == 400

    def told() -> list[str]:
        return [each.getMessage() for each in caplog.records if "Bad request" in each.getMessage()]

    with caplog.at_level(logging.INFO):
        for _ in range(5):
            send_bad()
        assert len(told()) == 1
        monkeypatch.setattr(seldom, "INTERVAL", 0)
        send_bad()
    assert told()[1].endswith("bad ones since the last such line: 5")
