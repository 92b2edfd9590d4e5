"""Figures, health, request numbers and the log of slow operations."""

from __future__ import annotations

import html
import json
import logging
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.cimom.harness import RawClient, Response, RunningServer, class_name, extrinsic, intrinsic, system, value
from tests.cimom.toy import Toy
from virtcim.app.logs import JSONFormatter, RequestIdFilter, TextFormatter, configure_logging, log_writer
from virtcim.cimom.requestid import request_id
from virtcim.frontends.cimxml.cache import OVERHEAD
from virtcim.frontends.http.auth import BasicAuthenticator, PasswordFile
from virtcim.frontends.http.exposition import write_figures
from virtcim.frontends.http.metrics import SECONDS, Metrics
from virtcim.providers.interface import MethodResult, RequestContext, Status

ONE = intrinsic("GetInstance", InstanceName=system("plain"))


def get(raw: RawClient, path: str, headers: str = "") -> Response:
    raw.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
    return raw.receive()


def figures(response: Response) -> dict[tuple[str, str], float]:
    """The samples by name and labels."""
    families: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in families(response.body.decode())
        for sample in family.samples
    }


def test_metrics(raw: RawClient) -> None:
    raw.post(ONE)
    raw.post(intrinsic("EnumerateInstances", ClassName=class_name("Toy_None")))
    raw.post(intrinsic("OpenEnumerateInstances", ClassName=class_name("Toy_System")))
    for made_up in ("Nonsense", "More"):
        raw.post(intrinsic(made_up))
    raw.post(extrinsic("Count", class_name("Toy_System")))
    raw.post("<CIM>")
    response = get(raw, "/metrics")
    assert response.status == 200
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    found = figures(response)
    assert found["virtcim_operations_total", "GetInstance,0"] == 1
    assert found["virtcim_operations_total", "EnumerateInstances,5"] == 1
    assert found["virtcim_operations_total", "unknown,7"] == 2
    assert found["virtcim_operations_total", "InvokeMethod,0"] == 1
    assert found["virtcim_operation_seconds_count", "GetInstance"] == 1
    assert found["virtcim_refused_requests_total", "400"] == 1
    assert found["virtcim_open_enumerations", ""] == 1
    assert found["virtcim_held_instances", ""] == 13
    assert found["virtcim_cache_entries", ""] == 1
    assert found["virtcim_cache_bytes", ""] >= OVERHEAD
    assert found["virtcim_connections", ""] == 1
    assert found["virtcim_requests_in_flight", ""] == 1
    assert found["process_resident_memory_bytes", ""] > 0


def test_times_are_counted_by_bounds() -> None:
    """Each bound counts what took no longer, in both formats alike."""
    metrics = Metrics()
    for seconds in (0.001, 0.0011, 2.0, 30.0, 40.0):
        metrics.answered("GetInstance", 0, seconds)
    for accept, sort in (("", "openmetrics-text"), ("text/plain", "text/plain")):
        text, media_type = write_figures(metrics, accept)
        assert sort in media_type
        counts = re.findall(r'seconds_bucket{le="([^"]+)",operation="GetInstance"} ([0-9]+)', text.decode())
        found = {bound: int(count) for bound, count in counts}
        wanted = {"0.001": 1, "0.002": 2, "1.0": 2, "2.0": 3, "10.0": 3, "30.0": 4, "+Inf": 5}
        assert {bound: found[bound] for bound in wanted} == wanted
        assert len(found) == len(SECONDS) + 1
        assert 'virtcim_operation_seconds_sum{operation="GetInstance"} 72.0021' in text.decode()


@pytest.mark.parametrize(("public", "status"), [(False, 401), (True, 200)])
def test_metrics_are_for_users(
    make_server: Callable[..., RunningServer], tmp_path: Path, public: bool, status: int
) -> None:
    (tmp_path / "password").write_text("anna:a\n")
    server = make_server(BasicAuthenticator(PasswordFile(tmp_path / "password")), metrics_public=public)
    with RawClient(server.port) as raw:
        assert get(raw, "/metrics").status == status
        assert get(raw, "/metrics", "Authorization: Basic YW5uYTph\r\n").status == 200
        assert get(raw, "/health").status == 200


def test_metrics_can_be_off(make_server: Callable[..., RunningServer]) -> None:
    with RawClient(make_server(metrics=False).port) as raw:
        assert get(raw, "/metrics").status == 404
        assert get(raw, "/other").status == 404


def test_health(raw: RawClient, server: RunningServer) -> None:
    response = get(raw, "/health")
    assert (response.status, json.loads(response.body)) == (200, {"status": "ok"})
    server.server._handler.stop()
    response = get(raw, "/health")
    assert (response.status, json.loads(response.body)) == (503, {"status": "stopping"})


def test_request_numbers(
    raw: RawClient, toy: Toy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is logged in a worker thread, and what providers are told, has the number of the request."""
    seen: list[str] = []

    def invoke(_class: str, _keys: object, _method: str, _parameters: object, context: RequestContext) -> MethodResult:
        seen.extend((context.request_id, request_id.get()))
        return MethodResult(0)

    monkeypatch.setattr(toy.provider, "invoke_method", invoke)
    raw.post(extrinsic("Count", class_name("Toy_System")))
    raw.post(extrinsic("Count", class_name("Toy_System")))
    assert seen[0] == seen[1] != ""
    assert int(seen[2]) > int(seen[0])
    assert request_id.get() == ""


def test_slow_operations_are_logged(
    make_server: Callable[..., RunningServer], caplog: pytest.LogCaptureFixture
) -> None:
    with RawClient(make_server(slow_seconds=0.0).port) as raw:
        raw.post(extrinsic("Change", system("plain"), State=value(2)))
    (record,) = [each for each in caplog.records if "took" in each.message]
    assert record.levelno == logging.WARNING
    assert "Change in root/toy" in record.message
    assert vars(record)["target_class"] == "Toy_System"
    assert 0 < vars(record)["operation_seconds"] <= vars(record)["seconds"]
    caplog.clear()
    with RawClient(make_server().port) as raw:
        raw.post(ONE)
    assert not [each for each in caplog.records if "took" in each.message]


def test_log_lines(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "%s&", "args": ("a",), "levelname": "INFO", "seconds": 1.5})
    token = request_id.set("17")
    try:
        assert RequestIdFilter().filter(record)
        fields = json.loads(JSONFormatter().format(record))
    finally:
        request_id.reset(token)
    assert vars(record)["request"] == " [17]"
    assert {**fields, "time": ""} == {
        "time": "", "level": "INFO", "logger": "x", "message": "a&", "request": "17", "seconds": 1.5,
    }  # fmt: skip
    try:
        raise ValueError("broken")
    except ValueError as exc:
        record.exc_info = (type(exc), exc, exc.__traceback__)
    fields = json.loads(JSONFormatter().format(record))
    assert "request" not in fields
    assert "broken" in fields["exception"]
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    configure_logging("info", structured=True)
    root.info("here")
    writer = log_writer()
    assert writer is not None
    writer.flush()
    writer.close()
    assert json.loads(capfd.readouterr().err)["message"] == "here"


EVIL = "Change\n2026-01-01 00:00:00,000 INFO virtcim.audit: {}\r\x1b[2J\u2028\u202e\x00\udc80"


def test_no_value_begins_a_line_of_its_own() -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "%s in %r", "args": (EVIL, EVIL), "levelname": "INFO"})
    RequestIdFilter().filter(record)
    line = TextFormatter().format(record)
    assert line.isprintable()
    assert "Change\\n2026-01-01" in line
    assert JSONFormatter().format(record).isascii()
    assert json.loads(JSONFormatter().format(record))["message"] == f"{EVIL} in {EVIL!r}"


def test_trace_backs_are_indented() -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "failed", "levelname": "ERROR", "sinfo": EVIL})
    RequestIdFilter().filter(record)
    try:
        raise ValueError(EVIL)
    except ValueError as exc:
        record.exc_info = (type(exc), exc, exc.__traceback__)
    first, *others = TextFormatter().format(record).split("\n")
    assert first.endswith("x: failed")
    assert others
    assert all(each.startswith("    ") and each.isprintable() for each in others)


def test_messages_are_cut() -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "y" * 1_000_000, "levelname": "INFO"})
    RequestIdFilter().filter(record)
    assert len(TextFormatter().format(record)) < 70_000
    assert len(JSONFormatter().format(record)) < 70_000


def test_an_operation_forges_no_line(
    make_server: Callable[..., RunningServer], caplog: pytest.LogCaptureFixture
) -> None:
    """The log of slow operations names the operation as the client did."""
    caplog.handler.setFormatter(TextFormatter())
    caplog.handler.addFilter(RequestIdFilter())
    name = "Change&#10;2026-01-01 00:00:00,000 INFO virtcim.audit: {}"
    with RawClient(make_server(slow_seconds=0.0).port) as raw:
        body = intrinsic("Change").replace('NAME="Change"', f'NAME="{name}"')
        assert raw.post(body, {"CIMMethod": quote(html.unescape(name))}).cim_status == Status.NOT_SUPPORTED
        raw.post(intrinsic("x" * 5000))
    assert "took" in caplog.text
    assert not [each for each in caplog.text.splitlines() if each.startswith("2026-01-01")]
    assert all(len(each.getMessage()) < 500 for each in caplog.records if "took" in each.message)
