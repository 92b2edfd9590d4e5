"""GetSummary: every guest of a host in one answer, with load, addresses and pictures of screens."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from tests.bed.server import wait_until
from tests.metrics.node import Node, serve_node, uuid_of
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.metrics.screen import to_png
from virtcim.libhelper.states import DomainState
from virtcim.providers.guest import Guest
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath, RevisedInstance, Status
from virtcim.providers.Virt_VirtualSystemManagementService import summary
from virtcim.providers.Virt_VirtualSystemManagementService.summary import LEASES_SECONDS, ask_for_leases

SERVICE = "Test_VirtualSystemManagementService"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
GUESTS = 3


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with serve_node(tmp_path_factory.mktemp("node"), GUESTS, sample_floor=0.05, sample_interval=0.1) as node:
        yield node


def summaries(node: Node, **parameters: Any) -> list[dict[str, Any]]:
    result = node.call(SERVICE, "GetSummary", **parameters)
    assert result.return_value == 0
    found = result.out["Summaries"]
    assert isinstance(found, list)
    assert all(isinstance(each, EmbeddedInstance) and each.class_name == "Virt_GuestSummary" for each in found)
    return [dict(each.properties) for each in found]


def path(name: str) -> InstancePath:
    return InstancePath("Test_ComputerSystem", {"CreationClassName": "Test_ComputerSystem", "Name": name}, "root/virt")


def test_all_guests_in_one_answer(node: Node) -> None:
    found = summaries(node)
    assert [each["Name"] for each in found] == [f"guest{number}" for number in range(GUESTS)]
    first = found[0]
    assert first["UUID"] == uuid_of(0)
    assert first["CreationClassName"] == "Test_ComputerSystem"
    assert first["EnabledState"] == 2
    assert first["NumberOfProcessors"] == 2
    assert first["MemoryUsage"] == first["MemoryMaximum"] == 64 << 20
    assert first["Answers"] is True
    assert "ScreenImage" not in first
    assert "Addresses" not in first, "there are no leases"


def test_only_what_is_asked_for(node: Node) -> None:
    whole = summaries(node)
    for names in (["Name", "EnabledState", "NumberOfProcessors"], ["name", "MEMORYUSAGE", "Nothing"], []):
        wanted = {name.lower() for name in names}
        expected = [{name: value for name, value in each.items() if name.lower() in wanted} for each in whole]
        assert summaries(node, Properties=names) == expected


def test_nobody_is_asked_for_what_the_inventory_knows(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def look() -> None:
        raise AssertionError("figures are sampled")

    monkeypatch.setattr(node.hypervisor.metrics, "look", look)
    assert len(summaries(node, Properties=["Name", "EnabledState"])) == GUESTS
    with pytest.raises(AssertionError):
        summaries(node, Properties=["Name", "ProcessorLoad"])


def test_those_that_are_named_in_their_order(node: Node) -> None:
    found = summaries(node, Systems=[path("guest2"), path("guest0")])
    assert [each["Name"] for each in found] == ["guest2", "guest0"]
    assert summaries(node, Systems=[]) == []


def test_a_guest_that_is_off_has_no_figures(node: Node) -> None:
    with node.hypervisor.domains.handle(uuid_of(1)) as domain:
        domain.destroy()
    try:
        assert node.hypervisor.inventory.wait_for(lambda held: not _active(held, uuid_of(1)), 60)
        [found] = summaries(node, Systems=[path("guest1")], IncludeScreens=True)
        assert found["EnabledState"] == 3
        assert not found.keys() & {"ProcessorLoad", "MemoryResident", "ScreenImage", "UpTime"}
        assert found["MemoryMaximum"] == 64 << 20
    finally:
        with node.hypervisor.domains.handle(uuid_of(1)) as domain:
            domain.create()
    assert node.hypervisor.inventory.wait_for(lambda held: _active(held, uuid_of(1)), 60)
    [found] = summaries(node, Systems=[path("guest1")])
    assert found["UpTime"].total_seconds() >= 0


def _active(inventory: Any, uuid: str) -> bool:
    return bool(inventory.domain_by_uuid(uuid).active)


def test_load_and_history(node: Node) -> None:
    def sampled() -> dict[str, Any] | None:
        [found] = summaries(node, Systems=[path("guest0")], IncludeHistory=True)
        return found if len(found.get("ProcessorLoadHistory", ())) > 1 and "ProcessorLoad" in found else None

    found = wait_until(sampled)
    # The test driver's guests have used as much processor time as time has gone by since 1970.
    assert found["ProcessorLoad"] == pytest.approx(50, rel=0.5)
    assert all(load > 0 for load in found["ProcessorLoadHistory"])
    assert len(found["HistoryTimes"]) == len(found["ProcessorLoadHistory"])
    assert found["HistoryTimes"] == sorted(found["HistoryTimes"])


def revised(node: Node) -> list[Any]:
    found = node.call(SERVICE, "GetSummary").out["Summaries"]
    assert isinstance(found, list)
    return found


def test_a_summary_is_of_another_revision_once_anything_of_it_has_changed(node: Node) -> None:
    def unchanged() -> bool:
        """Two in a row that are made of one sample."""
        return [each.revision for each in revised(node)] == [each.revision for each in revised(node)]

    wait_until(unchanged)
    before = revised(node)
    assert all(isinstance(each, RevisedInstance) for each in before)
    assert len({each.identity for each in before}) == GUESTS
    wait_until(lambda: revised(node)[0].properties["TimeStamp"] > before[0].properties["TimeStamp"])
    assert revised(node)[0].revision != before[0].revision
    samples = node.hypervisor.metrics
    running = revised(node)[1]
    with node.hypervisor.domains.handle(uuid_of(1)) as domain:
        domain.suspend()
        try:
            assert node.hypervisor.inventory.wait_for(
                lambda held: any(each.state is DomainState.PAUSED for each in held.domains()), 60
            )
            [paused] = [each for each in summary.summaries(guests(node)) if each.properties["Name"] == "guest1"]
        finally:
            domain.resume()
    assert samples.latest is not None
    assert paused.properties["EnabledState"] == 9
    assert isinstance(paused, RevisedInstance)
    assert paused.identity == running.identity
    assert isinstance(paused.revision, tuple)
    assert paused.revision[0] != running.revision[0], "its record is another one, whatever its figures are"


def guests(node: Node) -> list[Guest]:
    [platform] = [each for each in node.site.platforms if each.prefix == "Test"]
    return list(all_guests(node.site, platform))


def test_pictures_when_asked(node: Node) -> None:
    for found in summaries(node, IncludeScreens=True):
        assert base64.b64decode(found["ScreenImage"]).startswith(SIGNATURE)


@pytest.mark.parametrize("width", [0, 15, 1025, 65535])
def test_widths_that_are_not_taken(node: Node, width: int) -> None:
    with pytest.raises(CIMError, match="ScreenWidth") as caught:
        node.call(SERVICE, "GetSummary", ScreenWidth=width)
    assert caught.value.status is Status.INVALID_PARAMETER


def test_a_guest_that_there_is_not(node: Node) -> None:
    with pytest.raises(CIMError) as caught:
        node.call(SERVICE, "GetSummary", Systems=[path("nobody")])
    assert caught.value.status is Status.NOT_FOUND


def rows_of(png: bytes) -> tuple[int, list[bytes]]:
    """Read a PNG that has no filters: its width and its rows."""
    assert png.startswith(SIGNATURE)
    place, data, size = len(SIGNATURE), b"", (0, 0)
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        chunk = png[place + 8 : place + 8 + length]
        assert zlib.crc32(kind + chunk) == struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0]
        if kind == b"IHDR":
            size = struct.unpack(">II", chunk[:8])
        elif kind == b"IDAT":
            data += chunk
        place += 12 + length
    plain = zlib.decompress(data)
    line = 1 + 3 * size[0]
    assert len(plain) == line * size[1]
    return size[0], [plain[start + 1 : start + line] for start in range(0, len(plain), line)]


def pixmap(across: int, down: int) -> bytes:
    points = b"".join(bytes((column % 256, row % 256, 7)) for row in range(down) for column in range(across))
    return b"P6\n# a comment\n%d %d\n255\n" % (across, down) + points


@pytest.mark.parametrize(("across", "step"), [(10, 1), (16, 1), (17, 2), (720, 45)])
def test_a_pixmap_becomes_a_small_png(across: int, step: int) -> None:
    png = to_png(pixmap(across, 40), 16)
    assert png is not None
    width, rows = rows_of(png)
    assert width == len(range(0, across, step)) <= 16
    assert len(rows) == len(range(0, 40, step))
    assert rows[-1] == b"".join(bytes((column % 256, range(0, 40, step)[-1], 7)) for column in range(0, across, step))


@pytest.mark.parametrize(
    "picture",
    [b"", b"P6", b"P6 3 3 255 \0", b"P6 0 0 255 ", b"P5 1 1 255 \0\0\0", b"P6 99999 99999 255 x", b"\xff\xd8"],
)
def test_pictures_that_cannot_be_read(picture: bytes) -> None:
    assert to_png(picture, 16) is None


class SlowHost:
    """A hypervisor that has not answered yet when it is waited for.

    Parameters:
        steps: takes down what is done, in order.
    """

    def __init__(self, steps: list[str]) -> None:
        self._steps = steps

    def begin_ask(self, _what: str, _question: object) -> Future[object]:
        self._steps.append("asked")
        return Future()

    def take(self, what: str, _future: Future[object], timeout: float) -> object:
        self._steps.append("waited for")
        assert timeout <= LEASES_SECONDS
        raise LibvirtError(f"{what}: no answer")


def test_all_hosts_are_asked_for_leases_before_one_is_waited_for() -> None:
    steps: list[str] = []
    hosts: Any = {number: SlowHost(steps) for number in range(3)}
    assert ask_for_leases(hosts) == {0: {}, 1: {}, 2: {}}
    assert steps == ["asked"] * 3 + ["waited for"] * 3
