"""A host with what the recorded domains do not have: consoles on the network, an operating system of no known type, a
layered volume, comments, jobs."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.providers.outcome import outcome
from tests.providers.poolhost import put_filter, put_pool
from tests.providers.recorded import Served, domain_xml, hypervisor, platform
from virtcim.libhelper.documents.snapshot import CheckpointConfig, SnapshotConfig
from virtcim.libhelper.host import HostFacts
from virtcim.libhelper.inventory.records import CHECKPOINTS, SNAPSHOTS, Checkpoint, Document, Snapshot
from virtcim.libhelper.work import Work
from virtcim.providers.interface import InstancePath, MethodResult
from virtcim.providers.jobs import Affected, JobOrder
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.settings import ProviderSettings

SYSINFO = """<sysinfo type='smbios'><system><entry name='manufacturer'>Maker</entry>
<entry name='product'>Box</entry><entry name='serial'>0001</entry></system></sysinfo>"""

CONSOLES = """
<console type='tcp'><source mode='bind' host='::1' service='4555'/><protocol type='telnet'/>
  <target type='virtio' port='0'/><address type='virtio-serial' controller='0' bus='0' port='3'/></console>
<console type='tcp'><source mode='connect' host='127.0.0.1' service='4556'/><protocol type='raw'/>
  <log file='/srv/console.log' append='on'/><target type='virtio' port='1'/></console>
<controller type='virtio-serial' index='0'/>"""

TUNED = """
<watchdog model='i6300esb' action='reset'><acpi index='3'/></watchdog>
<memballoon model='virtio'><driver iommu='on'/></memballoon>
<vsock model='virtio'><cid auto='yes'/><driver packed='on'/></vsock>"""
AGENT = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel>"

DISK = "<disk type='file'><source file='/srv/base.qcow2'/><target dev='vda'/></disk>"

SHARES = "<cputune><quota>50000</quota><period>100000</period></cputune>"

MADE = """<metadata><virtcim:template xmlns:virtcim='urn:virtcim:template'
  >debian@1 2026-01-01T00:00:00Z ann</virtcim:template></metadata>"""

LAYERS = "<pool type='dir'><name>layers</name><uuid>p9</uuid><target><path>/srv/layers</path></target></pool>"
LAYERED = """<volume type='file'><name>layer</name><key>/srv/layers/layer</key><capacity unit='bytes'>1048576</capacity>
<target><path>/srv/layers/layer</path><format type='qcow2'/></target>
<backingStore><path>/srv/layers/base</path><format type='raw'/></backingStore></volume>"""

FILTER = """<filter name='explained' chain='root'><uuid>f9</uuid>
<rule action='accept' direction='in'><all comment='what is known'/></rule>
<rule action='drop' direction='in'><tcp dstportstart='22' comment='no logins'/></rule></filter>"""

TREE = (
    ("clean", "", "<memory snapshot='no'/>", True),
    ("later", "<parent><name>clean</name></parent>", "<memory snapshot='external' file='/srv/later.memory'/>", False),
)
"""Name, parent, memory, and whether the guest goes on from it."""

GUEST = InstancePath("KVM_ComputerSystem", {"CreationClassName": "KVM_ComputerSystem", "Name": "rare"})


def serve_rare_guest() -> Served:
    """The host, with a job of each class that is done and one that has failed; the caller ends the jobs."""
    host = hypervisor("KVM", "other")
    host.facts = HostFacts(driver="QEMU", host_uuid="0000", libvirt_version=(9, 0, 0), sysinfo_xml=SYSINFO)
    changed = datetime(2026, 1, 1, tzinfo=UTC)
    rare = host.put(
        domain_xml("rare", CONSOLES + TUNED + AGENT, rest=SHARES + MADE),
        active=True,
        state_changed=changed,
        has_snapshots=True,
        has_checkpoints=True,
        parts={
            SNAPSHOTS: tuple(_snapshot(*each) for each in TREE),
            CHECKPOINTS: (_checkpoint("monday"), _checkpoint("tuesday", MONDAY)),
        },
    )
    host.agents.told[rare.uuid] = {"os.id": "plan9", "os.pretty-name": "Plan 9"}
    put_pool(host, LAYERS, (LAYERED,))
    put_filter(host, FILTER)
    served = Served([(platform("KVM"), host)], ProviderSettings(jobs=JobSettings(grace=0.0, retention=86_400.0)))
    (service,) = served.instances("KVM_VirtualSystemMigrationService")
    for base in ("ConcreteJob", "MigrationJob", "ProvisioningJob", "BackupJob"):
        for work in (_work, _work_that_fails):
            started = served.site.jobs.run(
                JobOrder(
                    "KVM", "DoSomething", work, "", service.path(), [Affected(GUEST, (2,))], principal="ann", base=base
                )
            )
            job = served.site.jobs.find(outcome(started).out["Job"].keys["InstanceID"])
            assert job is not None
            assert job.over.wait(60)
    return served


def _snapshot(name: str, parent: str, memory: str, is_current: bool) -> Snapshot:
    """A snapshot of the guest, of which one disk goes on in an overlay."""
    xml = (
        f"<domainsnapshot><name>{name}</name><description>kept</description><state>running</state>{parent}"
        f"<creationTime>1767225600</creationTime>{memory}<disks><disk name='vda' snapshot='external' type='file'>"
        f"<driver type='qcow2'/><source file='/srv/{name}.qcow2'/></disk></disks>"
        f"{domain_xml('rare', DISK)}</domainsnapshot>"
    )
    return Snapshot(name, f"rare/{name}", Document(xml, SnapshotConfig.parse), is_current)


MONDAY = "<parent><name>monday</name></parent>"


def _checkpoint(name: str, parent: str = "") -> Checkpoint:
    """A checkpoint of the guest."""
    xml = (
        f"<domaincheckpoint><name>{name}</name><description>kept</description>{parent}"
        "<creationTime>1767225600</creationTime>"
        "<disks><disk name='vda' checkpoint='bitmap'/></disks></domaincheckpoint>"
    )
    return Checkpoint(name, f"rare/{name}", Document(xml, CheckpointConfig.parse))


FIGURES: dict[str, int | str] = {
    "source": "a.example",
    "destination": "b.example",
    "guest": "rare",
    "place": "b.example",
    "data_total": 1 << 30,
    "data_processed": 1 << 29,
    "data_remaining": 1 << 29,
    "disk_total": 1 << 20,
    "disk_processed": 1 << 19,
    "iteration": 3,
    "memory_rate": 1 << 25,
    "dirty_rate": 100,
    "page_size": 4096,
    "downtime": 120,
    "throttle": 20,
    "postcopy_requests": 7,
    "bandwidth_limit": 32,
    "downtime_limit": 300,
    "in_postcopy": 1,
    "template": "debian@1",
    "step": "define the guest",
    "step_number": 3,
    "steps": 4,
    "mode": 3,
    "exports": "nbd+unix:///vda?socket=/run/rare.backup",
}
"""What is known of a migration, of a guest that is being made of a template, and of a backup."""


def _work(work: Work) -> MethodResult:
    work.tell(FIGURES)
    return MethodResult(0)


def _work_that_fails(_: object) -> MethodResult:
    raise RuntimeError("no such luck")
