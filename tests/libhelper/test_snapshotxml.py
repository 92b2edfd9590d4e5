"""Snapshots and checkpoints, read from XML and edited in place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.documents.snapshot import (
    CheckpointConfig,
    CheckpointDocument,
    SnapshotConfig,
    SnapshotDisk,
    SnapshotDocument,
)
from virtcim.libhelper.domains.snapshots import SnapshotPlan
from virtcim.libhelper.xml.text import ValueRejectedError

DOMAINS = sorted((Path(__file__).parents[1] / "data/domains").glob("kvm-*.xml"))

SNAPSHOT = """<domainsnapshot>
  <name>s &amp; t</name>
  <!-- whose? -->
  <description>before
the update</description>
  <state>running</state>
  <parent>
    <name>root</name>
  </parent>
  <creationTime>1767225600</creationTime>
  <memory snapshot='external' file='/srv/m'/>
  <disks>
    <disk name='vda' snapshot='external' type='file'>
      <driver type='qcow2'/>
      <source file='/srv/vda.s' startupPolicy='optional'><seclabel model='dac' relabel='no'/></source>
    </disk>
    <disk name='vdb' snapshot='no'/>
  </disks>
  {domain}
  <cookie><cpu mode='custom'/><slirpHelper/></cookie>
</domainsnapshot>"""

CHECKPOINT = """<domaincheckpoint>
  <name>c</name>
  <description>d</description>
  <parent><name>b</name></parent>
  <creationTime>5</creationTime>
  <disks><disk name='vda' checkpoint='bitmap' bitmap='c' size='4096'/><disk name='vdb' checkpoint='no'/></disks>
  {domain}
</domaincheckpoint>"""


@pytest.fixture(params=DOMAINS, ids=lambda path: path.stem)
def domain(request: pytest.FixtureRequest) -> str:
    text: str = request.param.read_text()
    return text.strip()


def test_a_snapshot_is_read_with_its_guest(domain: str) -> None:
    read = SnapshotConfig.parse(SNAPSHOT.replace("{domain}", domain))
    assert (read.name, read.description, read.state) == ("s & t", "before\nthe update", "running")
    assert (read.parent_name, read.created) == ("root", datetime(2026, 1, 1, tzinfo=UTC))
    assert (read.memory_snapshot, read.memory_file) == ("external", "/srv/m")
    assert read.disks == (
        SnapshotDisk(name="vda", snapshot="external", type="file", driver_type="qcow2", source_file="/srv/vda.s"),
        SnapshotDisk(name="vdb", snapshot="no"),
    )
    assert read.domain == DomainConfig.parse(domain)
    assert read.is_external
    assert read.has_memory


def test_a_checkpoint_is_read_with_its_guest(domain: str) -> None:
    read = CheckpointConfig.parse(CHECKPOINT.replace("{domain}", domain))
    assert (read.name, read.parent_name, read.created) == ("c", "b", datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC))
    assert [(disk.name, disk.checkpoint, disk.bitmap, disk.size) for disk in read.disks] == [
        ("vda", "bitmap", "c", 4096),
        ("vdb", "no", None, None),
    ]
    assert read.domain == DomainConfig.parse(domain)


def test_what_is_not_asked_for_stays_as_it_is(domain: str) -> None:
    for text, document in ((SNAPSHOT, SnapshotDocument), (CHECKPOINT, CheckpointDocument)):
        whole = text.replace("{domain}", domain)
        unchanged = document(whole)
        assert unchanged.tostring() == document(unchanged.tostring()).tostring()
        edited = document(whole)
        described = edited.config.description
        edited.set({"description": "other"})
        assert edited.config.description == "other"
        assert edited.tostring() == unchanged.tostring().replace(f">{described}<", ">other<")
        edited.set({"description": described})
        assert edited.tostring() == unchanged.tostring()


def test_what_libvirt_alone_sets_is_not_written() -> None:
    document = SnapshotDocument(SNAPSHOT.replace("{domain}", ""))
    for name in ("parent_name", "state", "creation_time", "domains"):
        with pytest.raises(ValueRejectedError):
            document.set({name: "x"})


@pytest.mark.parametrize(
    ("inner", "is_external", "has_memory"),
    [
        ("", False, False),
        ("<memory snapshot='internal'/><disks><disk name='vda' snapshot='internal'/></disks>", False, True),
        ("<memory snapshot='no'/><disks><disk name='vda' snapshot='internal'/></disks>", False, False),
        ("<memory snapshot='no'/><disks><disk name='vda' snapshot='external'/></disks>", True, False),
    ],
)
def test_kinds_of_snapshots(inner: str, is_external: bool, has_memory: bool) -> None:
    read = SnapshotConfig.parse(f"<domainsnapshot>{inner}</domainsnapshot>")
    assert (read.is_external, read.has_memory) == (is_external, has_memory)
    assert read.domain is None


@pytest.mark.parametrize("time", ["", "soon", "99999999999999999", "-99999999999999999"])
def test_a_time_that_is_none(time: str) -> None:
    assert SnapshotConfig.parse(f"<domainsnapshot><creationTime>{time}</creationTime></domainsnapshot>").created is None


XML_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn")), min_size=1)


@given(name=XML_TEXT, description=XML_TEXT, path=XML_TEXT)
def test_what_is_asked_for_reads_as_it_was_meant(name: str, description: str, path: str) -> None:
    disk = SnapshotDisk(name="vda", snapshot="external", type="file", source_file=path)
    plan = SnapshotPlan(name, description, memory_file=path, disks=(disk,))
    read = SnapshotConfig.parse(plan.xml)
    if not (name.isspace() or description.isspace()):
        assert (read.name, read.description) == (name, description)
    assert (read.memory_snapshot, read.memory_file, read.disks) == ("external", path, (disk,))
