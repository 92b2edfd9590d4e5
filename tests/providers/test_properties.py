"""Property tables: values, sources and writers are declared, and mypy finds a path that does not exist."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from virtcim.libhelper.documents.domain import Interface
from virtcim.providers.properties import Property, PropertyTable, attribute, constant

ROOT = Path(__file__).parent.parent.parent

TABLES = """\
from virtcim.libhelper.documents.domain import DomainConfig, Interface
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.Virt_ComputerSystem import ComputerSystem
from virtcim.providers.Virt_Device import GuestDevice
from virtcim.providers.Virt_Device.device import COMMON
from virtcim.providers.Virt_VSSD.Virt_VirtualSystemSettingData import VirtualSystemSettingData, _xml


class Port(GuestDevice[Interface]):
    pass


ComputerSystem.table = PropertyTable(
    attribute("Name", lambda system: system.guest.name, DomainConfig),
    attribute("Name", lambda system: system.guest.nmae, DomainConfig),
    Property("Name", lambda system: system.guset.name, "domain XML name"),
)
Port.table = PropertyTable(
    COMMON,
    attribute("Name", lambda port: port.device.mac_address, Interface),
    attribute("Name", lambda port: port.device.mac_adress, Interface),
)
VirtualSystemSettingData.table = PropertyTable(
    _xml("Arch", DomainConfig.os_type_arch),
    _xml("Arch", DomainConfig.os_type_arhc),
)
ComputerSystem.table = PropertyTable(COMMON)
"""


@dataclass(frozen=True)
class Port:
    device: Interface
    name: str


def test_mypy_finds_every_misspelt_path_and_nothing_else(tmp_path: Path) -> None:
    module = tmp_path / "tables.py"
    module.write_text(TABLES)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "setup.cfg"), str(module)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    found = re.findall(r"tables\.py:(\d+): error: (.*)", run.stdout)
    lines = TABLES.splitlines()
    is_wrong = re.compile(r"nmae|guset|adress|arhc|PropertyTable\(COMMON")
    wrong = {number for number, line in enumerate(lines, 1) if is_wrong.search(line)}
    assert {int(number) for number, _ in found} == wrong, run.stdout
    assert sum("has no attribute" in text for _, text in found) == 4


def test_an_attribute_has_the_value_source_and_writer_of_its_field() -> None:
    declared: Property[Port] = attribute("Address", lambda port: port.device.mac_address, Interface, writable=True)
    assert declared.source == "domain XML devices/interface/mac/@address"
    assert declared.get(Port(Interface(mac_address="52:54:00:00:00:01"), "net")) == "52:54:00:00:00:01"
    assert declared.writable
    assert not attribute("Address", lambda port: port.device.mac_address, Interface).writable


def test_a_table_leaves_out_what_is_null_and_takes_over_other_tables() -> None:
    common = PropertyTable[Port](attribute("Name", lambda port: port.name, source="name"), constant("Role", "port"))
    table = PropertyTable[Port](common, Property("Address", lambda port: port.device.mac_address, "address"))
    assert table.values_of(Port(Interface(), "net")) == {"Name": "net", "Role": "port"}
    assert list(table.only(["Address", "Name"])) == ["Name", "Address"]


@pytest.mark.parametrize("get", [lambda port: port.name or port.device, lambda port: "text", lambda port: port])
def test_a_getter_that_is_more_than_a_path_is_refused_when_it_is_declared(get) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError):
        attribute("Name", get, source="text")


def test_a_field_that_the_mapped_class_does_not_have_is_refused_when_it_is_declared() -> None:
    with pytest.raises(KeyError):
        attribute("Name", lambda port: port.name, Interface)
