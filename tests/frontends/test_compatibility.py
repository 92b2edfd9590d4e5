"""The drop-in mode: what libvirt-cim's clients ask, and what libvirt-cim answered, over each front end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt
import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.cimom.harness import RawClient, Response, RunningServer, class_name, instance_name, intrinsic
from tests.cmpi.broker import Broker
from tests.conftest import Guests
from tests.frontends.adapters import Adapter, CIMXMLAdapter, CMPIAdapter
from tests.frontends.libvirtcim import ROWS, VIRT, Row, guest, path
from tests.frontends.libvirtcimerrors import ERRORS
from tests.providers.conftest import classes  # noqa: F401
from tests.providers.migrationbed import COMPLETED, EXCEPTION, OFFLINE, RUNNING, begin_migration, guest_xml
from tests.providers.poolhost import add_pools, put_filter
from tests.providers.poolservice import HASTY, PoolService
from tests.providers.recorded import PATIENT, PLATFORMS, Served, domain_xml, hypervisor, platform
from tests.providers.snapshotservice import FULL, MEMORY, MEMORY_AND_STOP, SnapshotService
from tests.xpath import nodes
from virtcim.app.assembly import make_daemon
from virtcim.cimom.core import Core
from virtcim.cimom.requests import (
    AssociationFilter,
    Associators,
    EnumerateClassNames,
    EnumerateInstances,
    GetInstance,
    InvokeMethod,
)
from virtcim.cimom.results import MethodOutcome, OneInstance
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cmpi.settings import CmpiSettings
from virtcim.frontends.compatibility import CompatibilitySettings, translation, translation_of
from virtcim.frontends.compatibility.differences import (
    DIFFERENCES,
    KNOWN_SETTING_CLASSES,
    OTHER_SETTING_CLASSES,
)
from virtcim.frontends.compatibility.translation import LibvirtCim
from virtcim.frontends.http.listener import open_tcp
from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.inventory.records import Document
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.providers.interface import Catalog, CIMError, EmbeddedInstance, InstancePath, Status
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.kinds import KINDS
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.site import Site
from virtcim.registration.catalog import build_catalog
from virtcim.registration.table import make_table
from virtcim.schema.classes import ClassStore

DROP_IN = CompatibilitySettings(libvirt_cim=True)
OFF = CompatibilitySettings()
CONFIG = "[compatibility]\nlibvirt_cim = true\n"

SHUT_DOWN, REBOOT = 4, 10
SNAPSHOTS = "VirtualSystemSnapshotService"

WEB = """<emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/srv/images/root.qcow2'/>
<target dev='vda' bus='virtio'/></disk>
<controller type='usb' index='0'/>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/>
<bandwidth><inbound average='100' peak='200'/></bandwidth></interface>
<serial type='pty'><target port='0'/></serial><console type='pty'><target type='virtio' port='0'/></console>
<input type='mouse' bus='ps2'/><graphics type='vnc' port='5900'/><sound model='ich6'/><video><model type='vga'/></video>
<watchdog model='i6300esb'/><memballoon model='virtio'/><rng model='virtio'><backend model='random'/></rng>"""

XEN = """<controller type='xenbus' index='0'/><input type='mouse' bus='xen'/>
<interface type='ethernet'><mac address='52:54:00:00:00:0e'/></interface>"""


@pytest.fixture(scope="module")
def served() -> Served:
    """Hosts of all platforms; a guest that runs as it is defined, one that does not, and one that is off."""
    hosts = {prefix: hypervisor(prefix) for prefix in ("KVM", "Xen", "LXC")}
    add_pools(hosts["KVM"])
    hosts["KVM"].put(domain_xml("web", WEB), active=True)
    hosts["KVM"].put(domain_xml("off"))
    put_filter(hosts["KVM"], "<filter name='inner'/>")
    put_filter(hosts["KVM"], "<filter name='outer'><filterref filter='inner'/></filter>")
    defined = Document(domain_xml("torn").replace("65536", "131072"), DomainConfig.parse)
    hosts["KVM"].put(domain_xml("torn"), active=True, defined_document=defined)
    hosts["Xen"].put(domain_xml("dom", XEN, kind="xen"))
    return Served([(platform(prefix), host) for prefix, host in hosts.items()])


@contextmanager
def served_by(
    way: str, catalog: Catalog, store: ClassStore, settings: CompatibilitySettings, directory: Path
) -> Iterator[Adapter]:
    """A front end over a catalog, with the drop-in mode as the settings have it."""
    translate = translation_of(settings)
    if way == "cimxml":
        server = RunningServer(catalog, store, translate=translate)
        yield CIMXMLAdapter(server.url, store)
        server.stop()
        assert not server.invalid
        assert not server.errors
    else:
        table = make_table(catalog, store)
        names = [name for each in table.namespaces for name in table.classes(each)]
        socket = directory / "cmpi.sock"
        core = Core(catalog, store, ServerSettings())
        daemon = make_daemon(translate(core), table.provider_of, CmpiSettings(socket=socket))
        daemon.start()
        with Broker(socket, sanitized=False) as broker:
            yield CMPIAdapter(broker, store, {name: table.provider_of(name) for name in names})
        daemon.stop()


@pytest.fixture(scope="module", params=["cimxml", "cmpi"])
def way(request: pytest.FixtureRequest) -> str:
    """The front ends."""
    name: str = request.param
    if name == "cmpi":
        request.getfixturevalue("programs")
    return name


@pytest.fixture(scope="module")
def adapters(
    way: str,
    served: Served,
    classes: ClassStore,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Adapter, Adapter]]:
    """The drop-in mode and, beside it, the true form."""
    first, second = tmp_path_factory.mktemp("dropin"), tmp_path_factory.mktemp("true")
    with (
        served_by(way, served.catalog, classes, DROP_IN, first) as drop_in,
        served_by(way, served.catalog, classes, OFF, second) as true,
    ):
        yield drop_in, true


def answer_of(adapter: Adapter, row: Row) -> tuple[int, Any]:
    """The status, and what of the answer is compared."""
    outcome = adapter.send(row.request, "root")
    return outcome.status, outcome.text if outcome.status else row.pick(outcome.value)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_as_libvirt_cim_answered(adapters: tuple[Adapter, Adapter], row: Row) -> None:
    drop_in, true = adapters
    status, answer = answer_of(drop_in, row)
    assert status == row.status, answer
    if row.status:
        assert answer.startswith(row.answer)
    else:
        assert answer == row.answer
    assert (answer_of(true, row) == (status, answer)) == row.is_same


REFUSING = """<node><domain type='test'><name>test</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>
<memory>65536</memory><os><type>hvm</type></os></domain>
<network><name>default</name><bridge name='virbr0'/><ip address='192.168.122.1' netmask='255.255.255.0'/></network>
<pool type='dir'><name>default-pool</name><target><path>/default-pool</path></target></pool></node>"""


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """libvirt's test driver, once as itself and once in the place of LXC, and a recorded host of KVM."""
    node = tmp_path_factory.mktemp("refusing") / "node.xml"
    node.write_text(REFUSING)
    drivers = {prefix: Hypervisor(f"test://{node}", HypervisorSettings()) for prefix in ("Test", "LXC")}
    for each in drivers.values():
        each.start()
        assert each.wait_ready(60)
    wait_until(drivers["Test"].inventory.networks)
    kvm = hypervisor("KVM")
    kvm.put(domain_xml("web", WEB), active=True)
    yield Served([(platform("KVM"), kvm), *((platform(prefix), each) for prefix, each in drivers.items())])
    for each in drivers.values():
        each.stop()


@pytest.mark.parametrize("row", ERRORS, ids=[row.name for row in ERRORS])
def test_what_libvirt_cim_said_of_errors(refusing: Served, classes: ClassStore, row: Row) -> None:  # noqa: F811
    core = Core(refusing.catalog, classes, ServerSettings())
    told: list[tuple[int, str]] = []
    for executor in (LibvirtCim(core, DROP_IN), core):
        with pytest.raises(CIMError) as error:
            executor.execute(row.request)
        told.append((int(error.value.status), error.value.description))
    (status, text), true = told
    assert status == row.status, text
    assert text.startswith(row.answer)
    assert true == (status, text)


def test_the_differences_stand_in_the_order_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text()
    sections = [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]
    places = [sections.index(each.section) for each in DIFFERENCES]
    assert places == sorted(set(places))


@pytest.fixture
def units(served: Served, classes: ClassStore) -> Iterator[Callable[..., tuple[str, ...]]]:  # noqa: F811
    """Tells in which units memory is shown by servers with the drop-in mode for some clients only."""
    running: list[RunningServer] = []

    def ask(server: RunningServer, port: int, namespace: str = VIRT) -> tuple[str, ...]:
        if server not in running:
            running.append(server)
        client = pywbem.WBEMConnection(f"http://127.0.0.1:{port}", default_namespace=namespace)
        found = client.EnumerateInstances("KVM_MemResourceAllocationSettingData")
        client.close()
        return tuple(sorted({each["AllocationUnits"] for each in found}))

    yield ask
    for each in running:
        each.stop()
        assert not each.invalid


def test_clients_of_another_listener_see_the_true_form(
    served: Served,
    classes: ClassStore,  # noqa: F811
    units: Callable[..., tuple[str, ...]],
) -> None:
    endpoints = [*open_tcp("127.0.0.1", 0), *open_tcp("127.0.0.1", 0)]
    old, new = (each.port for each in endpoints)
    translate = translation_of(replace(DROP_IN, listeners=(f"127.0.0.1:{old}",)))
    server = RunningServer(served.catalog, classes, endpoints=lambda: endpoints, translate=translate)
    for _ in range(2):  # the second time from what was written the first time
        assert units(server, old) == ("KiloBytes",)
        assert units(server, new) == ("byte*2^10",)


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[PoolService]:
    """libvirt's test driver with 120 guests."""
    guests = "".join(
        f"<domain type='test'><name>guest-{number:03}</name><memory>65536</memory><os><type>hvm</type></os></domain>"
        for number in range(120)
    )
    file = tmp_path / "node.xml"
    file.write_text(f"<node>{guests}</node>")
    made = PoolService(f"test://{file}", "Test")
    yield made
    made.close()


@contextmanager
def half_drop_in(catalog: Catalog, store: ClassStore) -> Iterator[dict[int, str]]:
    """A server with the drop-in mode on the first of two listeners; in which units each port has the memory."""
    endpoints = [*open_tcp("127.0.0.1", 0), *open_tcp("127.0.0.1", 0)]
    old, new = (each.port for each in endpoints)
    translate = translation_of(replace(DROP_IN, listeners=(f"127.0.0.1:{old}",)))
    server = RunningServer(catalog, store, endpoints=lambda: endpoints, translate=translate)
    try:
        yield {old: "KiloBytes", new: "byte*2^10"}
    finally:
        server.stop()
    assert not server.invalid


def units_of(answer: Response) -> list[str | None]:
    """The units in an answer, of each instance."""
    return [each.text for each in nodes(answer.xml, "//PROPERTY[@NAME='AllocationUnits']/VALUE")]


@pytest.mark.parametrize("is_first", [True, False], ids=["drop-in first", "true form first"])
def test_what_is_laid_out_for_one_listener_is_not_given_to_another(
    is_first: bool,
    crowd: PoolService,
    classes: ClassStore,  # noqa: F811
) -> None:
    request = intrinsic("EnumerateInstances", VIRT, ClassName=class_name("Test_MemResourceAllocationSettingData"))
    with half_drop_in(crowd.catalog, classes) as forms:
        for _ in range(2):
            for port in sorted(forms, key=list(forms).index, reverse=not is_first):
                with RawClient(port) as client:
                    # From the third time on a class is given as it was laid out.
                    for _ in range(3):
                        assert units_of(client.post(request)) == [forms[port]] * 120


@pytest.mark.parametrize("is_first", [True, False], ids=["drop-in first", "true form first"])
def test_what_was_answered_at_one_listener_is_not_given_to_another(
    is_first: bool,
    crowd: PoolService,
    classes: ClassStore,  # noqa: F811
) -> None:
    name = instance_name("Test_MemResourceAllocationSettingData", InstanceID="guest-007/mem")
    # The clients send the same bytes, even of the host that they ask.
    request = intrinsic("GetInstance", VIRT, InstanceName=name)
    with half_drop_in(crowd.catalog, classes) as forms:
        for _ in range(2):
            for port in sorted(forms, key=list(forms).index, reverse=not is_first):
                with RawClient(port) as client:
                    for _ in range(2):
                        assert units_of(client.post(request)) == [forms[port]]


def test_clients_of_another_namespace_see_the_true_form(
    served: Served,
    classes: ClassStore,  # noqa: F811
    units: Callable[..., tuple[str, ...]],
) -> None:
    node: Any = hypervisor("KVM")
    node.put(domain_xml("far"))
    far = build_catalog(Site([(platform("KVM"), node)], PLATFORMS, KINDS, ProviderSettings(namespace="root/far")))
    catalog = Catalog(
        {**far.namespaces, **served.catalog.namespaces},
        {**far.associations, **served.catalog.associations},
    )
    server = RunningServer(catalog, classes, translate=translation_of(replace(DROP_IN, namespaces=("Root/Virt/",))))
    assert units(server, server.port) == ("KiloBytes",)
    assert units(server, server.port, "root/far") == ("byte*2^10",)


@pytest.mark.parametrize("is_bridge", [True, False])
def test_the_bridge_is_a_listener(
    is_bridge: bool,
    served: Served,
    classes: ClassStore,  # noqa: F811
    tmp_path: Path,
    programs: None,
) -> None:
    listener = str(tmp_path / "cmpi.sock") if is_bridge else "127.0.0.1:5988"
    memory = EnumerateInstances(namespace=VIRT, class_name="KVM_MemResourceAllocationSettingData")
    with served_by("cmpi", served.catalog, classes, replace(DROP_IN, listeners=(listener,)), tmp_path) as adapter:
        shown = {properties["AllocationUnits"] for _, _, properties in adapter.send(memory, "root").value}
    assert shown == {"KiloBytes" if is_bridge else "byte*2^10"}


def test_listeners() -> None:
    def includes(listener: str, *listeners: str) -> bool:
        return CompatibilitySettings(True, listeners).includes(listener)

    assert includes("")
    assert includes("10.0.0.1:5988", "10.0.0.1:5988")
    assert includes("10.0.0.1:5988", "0.0.0.0:5988")
    assert includes("[fd00::1]:5989", "[::]:5989")
    assert includes("/run/a", "/run/b", "/run/a")
    assert not includes("10.0.0.1:5989", "0.0.0.0:5988")
    assert not includes("10.0.0.1:5988", "[::]:5988")
    assert not includes("/run/a", "10.0.0.1:5988")
    assert not includes("", "10.0.0.1:5988")
    for wrong in ("localhost:5988", "10.0.0.1", "::1:5988", "[10.0.0.1]:5988", ""):
        with pytest.raises(ValueError, match="is no listener; expected ADDRESS:PORT or the path of a Unix socket"):
            CompatibilitySettings(True, (wrong,))


@pytest.fixture
def client(served: Served, classes: ClassStore) -> Iterator[pywbem.WBEMConnection]:  # noqa: F811
    """A client of the drop-in mode."""
    server = RunningServer(served.catalog, classes, translate=translation_of(DROP_IN))
    made = pywbem.WBEMConnection(server.url, default_namespace=VIRT)
    yield made
    made.close()
    server.stop()
    assert not server.invalid


def test_the_classes_of_settings_are_all_there_are() -> None:
    """What libvirt-cim did not know is left out of its answers: a further kind of devices has to say which it is."""
    assert sorted(kind.setting.base for kind in KINDS) == sorted((*KNOWN_SETTING_CLASSES, *OTHER_SETTING_CLASSES))


def test_pulls_count_and_choose_what_is_shown(client: pywbem.WBEMConnection) -> None:
    memory = "KVM_MemResourceAllocationSettingData"
    opened = client.OpenEnumerateInstances("CIM_ResourceAllocationSettingData", MaxObjectCount=10)
    assert len(opened.instances) == 10
    rest = client.PullInstancesWithPath(opened.context, 100)
    found = [*opened.instances, *rest.instances]
    assert rest.eos
    assert "KVM_VideoResourceAllocationSettingData" not in {each.classname for each in found}
    assert {each["AllocationUnits"] for each in found if each.classname == memory} == {"KiloBytes"}
    chosen = client.OpenEnumerateInstances(
        memory, FilterQueryLanguage="DMTF:FQL", FilterQuery="AllocationUnits = 'KiloBytes'", MaxObjectCount=100
    )
    assert len(chosen.instances) == 3
    source = pywbem.CIMInstanceName("KVM_AllocationCapabilities", {"InstanceID": "NetworkPool/default"}, namespace=VIRT)
    opened = client.OpenAssociatorInstances(source, AssocClass="KVM_SettingsDefineCapabilities", MaxObjectCount=25)
    assert len(opened.instances) == 25
    rest = client.PullInstancesWithPath(opened.context, 100)
    assert {each["InstanceID"] for each in [*opened.instances, *rest.instances]} == {
        "Minimum",
        "Maximum",
        "Default",
        "Increment",
    }
    assert len(rest.instances) == 15
    query = f"SELECT InstanceID, AllocationUnits FROM {memory} WHERE AllocationUnits = 'KiloBytes'"
    opened = client.OpenQueryInstances("DMTF:CQL", query, MaxObjectCount=1)
    assert [each["AllocationUnits"] for each in opened.instances] == ["KiloBytes"]
    assert len(client.PullInstances(opened.context, 100).instances) == 2


def test_templates_have_no_key(client: pywbem.WBEMConnection) -> None:
    default = pywbem.CIMInstanceName("KVM_MemResourceAllocationSettingData", {"InstanceID": "Default"}, namespace=VIRT)
    with pytest.raises(pywbem.CIMError) as error:
        client.GetInstance(default)
    assert error.value.status_code == pywbem.CIM_ERR_NOT_FOUND
    source = pywbem.CIMInstanceName("KVM_AllocationCapabilities", {"InstanceID": "MemoryPool/0"}, namespace=VIRT)
    names = client.AssociatorNames(source, AssocClass="KVM_SettingsDefineCapabilities")
    assert default.keybindings in [each.keybindings for each in names]
    links = client.EnumerateInstances("KVM_SettingsDefineCapabilities")
    assert len([each for each in links if each["PartComponent"]["InstanceID"] == "Default"]) > 10


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[PoolService]:
    """libvirt's test driver, where all that can become a job does."""
    made = PoolService("test:///default", "Test", settings=ProviderSettings(jobs=HASTY))
    yield made
    made.close()


def invoke(method: str, base: str = "VirtualSystemManagementService", **arguments: Any) -> InvokeMethod:
    return InvokeMethod(namespace=VIRT, target=f"Test_{base}", method=method, arguments=arguments)


def test_methods_answer_when_all_is_done(
    way: str,
    driver: PoolService,
    classes: ClassStore,  # noqa: F811
    tmp_path: Path,
) -> None:
    pool = InstancePath("Test_DiskPool", {"InstanceID": "DiskPool/made"}, VIRT)
    setting = driver.setting("DiskPool", Type=1, Path="/srv/made")
    other = InstancePath("Test_DiskPool", {"InstanceID": "DiskPool/default-pool"}, VIRT)

    def on_pools(method: str, **arguments: Any) -> InvokeMethod:
        return invoke(method, "ResourcePoolConfigurationService", **arguments)

    create = on_pools("CreateChildResourcePool", ElementName="made", Settings=[setting], ParentPool=[other])
    volume = driver.setting("StorageVolume", FormatType=1, VolumeName="v", Path="/srv/made", Capacity=1 << 60)
    with served_by(way, driver.catalog, classes, DROP_IN, tmp_path) as adapter:
        assert adapter.send(create, "root").value == (0, {"Pool": (VIRT, pool.class_name, dict(pool.keys))})
        again = adapter.send(create, "root")
        assert (again.status, again.text) == (Status.FAILED, "Pool with that name already exists")
        refused = adapter.send(on_pools("CreateResourceInPool", Pool=pool, Settings=volume), "root")
        assert refused.status == Status.FAILED
        assert refused.text.startswith("Unable to create storage volume: ")
        assert adapter.send(on_pools("DeleteResourcePool", Pool=pool), "root").value == (0, {})


def dropped_in(site: Served, classes: ClassStore) -> LibvirtCim:  # noqa: F811
    """What is served, as clients of libvirt-cim see it."""
    return LibvirtCim(Core(site.catalog, classes, ServerSettings()), DROP_IN)


@pytest.fixture
def uri_of_a_node(tmp_path: Path) -> str:
    """The URI of a host of libvirt's test driver with one guest, which runs."""
    node = tmp_path / "node.xml"
    node.write_text(f"<node>{domain_xml('web', kind='test')}</node>")
    return f"test://{node}"


@pytest.fixture
def snapshots(uri_of_a_node: str) -> Iterator[SnapshotService]:
    """libvirt's test driver, where nothing takes so long that it becomes a job."""
    made = SnapshotService(uri_of_a_node, "Test", settings=ProviderSettings(jobs=PATIENT))
    yield made
    made.close()


def taking(snapshots: SnapshotService) -> InvokeMethod:
    """The request for a snapshot that leaves the guest off."""
    return invoke("CreateSnapshot", SNAPSHOTS, AffectedSystem=snapshots.system("web"), SnapshotType=MEMORY_AND_STOP)


def test_snapshots_are_jobs_however_short_they_are(
    way: str,
    snapshots: SnapshotService,
    classes: ClassStore,  # noqa: F811
    tmp_path: Path,
) -> None:
    """libvirt-cim answered 0 with a job, and with the settings of the guest as its snapshot."""
    settings = snapshots.vssd_path("web")
    apply = invoke("ApplySnapshot", SNAPSHOTS, Snapshot=settings)
    resulting = {"ResultingSnapshot": (VIRT, settings.class_name, dict(settings.keys))}
    first, second = tmp_path / "dropin", tmp_path / "true"
    first.mkdir()
    second.mkdir()
    with served_by(way, snapshots.catalog, classes, DROP_IN, first) as adapter:
        for request, expected in ((taking(snapshots), resulting), (apply, {})):
            value, out = adapter.send(request, "root").value
            namespace, class_name, keys = out.pop("Job")
            assert (value, out, class_name) == (0, expected, "Test_ConcreteJob")
            job = InstancePath(class_name, keys, namespace)
            *_, shown = adapter.send(GetInstance(namespace=VIRT, path=job), "root").value
            assert (shown["JobState"], shown["Name"]) == (COMPLETED, f"{request.method} web")
            assert shown["Status"] == "Snapshot complete"
    with served_by(way, snapshots.catalog, classes, OFF, second) as adapter:
        assert adapter.send(taking(snapshots), "root").value == (0, resulting)
        assert adapter.send(apply, "root").value == (0, {})


def test_what_is_always_a_job_can_be_one(classes: ClassStore) -> None:  # noqa: F811
    found = [method for each in DIFFERENCES for method in each.jobs]
    assert len(found) == 4
    assert all(classes[f"KVM_{base}"].methods[name].parameters["job"].is_out for base, name in found)


def test_a_snapshot_whose_job_is_gone_when_it_has_ended(
    uri_of_a_node: str,
    classes: ClassStore,  # noqa: F811
) -> None:
    """Nobody can look at a job that is not kept; the snapshot was taken all the same."""
    service = SnapshotService(uri_of_a_node, "Test", settings=ProviderSettings(jobs=replace(PATIENT, retention=0.0)))
    try:
        answer = dropped_in(service, classes).execute(taking(service))
        assert isinstance(answer, MethodOutcome)
        assert (answer.return_value, set(answer.out)) == (0, {"Job", "ResultingSnapshot"})
    finally:
        service.close()


def test_methods_whose_jobs_are_gone_when_they_have_ended(classes: ClassStore) -> None:  # noqa: F811
    service = PoolService("test:///default", "Test", settings=ProviderSettings(jobs=replace(HASTY, retention=0.0)))
    try:
        drop_in = dropped_in(service, classes)
        pool = service.setting("DiskPool", Type=1, Path="/srv/made")
        create = invoke(
            "CreateChildResourcePool", "ResourcePoolConfigurationService", ElementName="made", Settings=[pool]
        )
        done = drop_in.execute(create)
        assert isinstance(done, MethodOutcome)
        assert (done.return_value, set(done.out)) == (0, {"Pool"})
        with pytest.raises(CIMError, match="Pool with that name already exists"):
            drop_in.execute(create)
    finally:
        service.close()


def test_a_job_is_found_by_the_class_that_libvirt_cim_had_for_it(
    snapshots: SnapshotService,
    classes: ClassStore,  # noqa: F811
) -> None:
    drop_in = dropped_in(snapshots, classes)
    taken = drop_in.execute(taking(snapshots))
    assert isinstance(taken, MethodOutcome)
    job = taken.out["Job"]
    assert isinstance(job, InstancePath)
    look = GetInstance(namespace=VIRT, path=InstancePath("CIM_ConcreteJob", job.keys, VIRT))
    shown = drop_in.execute(look)
    assert isinstance(shown, OneInstance)
    assert (shown.instance.class_name, shown.instance.keys()) == (job.class_name, job.keys)
    listed: Any = drop_in.execute(EnumerateInstances(namespace=VIRT, class_name="CIM_ConcreteJob"))
    assert [each.keys() for each in listed.instances] == [job.keys]
    another = GetInstance(namespace=VIRT, path=path("CIM_ConcreteJob", InstanceID="another"))
    core = Core(snapshots.catalog, classes, ServerSettings())
    for executor, request in ((core, look), (drop_in, another)):
        with pytest.raises(CIMError) as error:
            executor.execute(request)
        assert error.value.status is Status.NOT_FOUND


def test_a_snapshot_is_applied_and_removed_by_the_settings_of_its_guest(
    uri_of_a_node: str,
    classes: ClassStore,  # noqa: F811
) -> None:
    """libvirt-cim's clients know a snapshot by nothing else; its removal was done when it answered."""
    service = SnapshotService(uri_of_a_node, "Test", settings=ProviderSettings(jobs=HASTY))
    drop_in = dropped_in(service, classes)

    def call(method: str, **arguments: Any) -> tuple[Any, set[str]]:
        done = drop_in.execute(invoke(method, SNAPSHOTS, **arguments))
        assert isinstance(done, MethodOutcome)
        return done.return_value, set(done.out)

    own = service.vssd_path("web")
    try:
        taken = call("CreateSnapshot", AffectedSystem=service.system("web"), SnapshotType=MEMORY)
        assert taken == (0, {"Job", "ResultingSnapshot"})
        (name,) = service.tree("web")
        assert service.get("Test_VirtualSystemSettingData", **service.snapshot("web", name).keys) is not None
        assert call("ApplySnapshot", Snapshot=own) == (0, {"Job"})
        (job,) = [each for each in service.instances("Test_ConcreteJob") if "Apply" in str(each.properties()["Name"])]
        assert job.properties()["JobState"] == COMPLETED
        assert service.applied("web") == name
        assert call("DestroySnapshot", AffectedSnapshot=own) == (0, set())
        assert not service.tree("web")
        with pytest.raises(CIMError, match="Unable to remove snapshot: there is none"):
            call("DestroySnapshot", AffectedSnapshot=own)
    finally:
        service.close()


def test_saved_memory_goes_before_snapshots(
    snapshots: SnapshotService,
    classes: ClassStore,  # noqa: F811
) -> None:
    snapshots.take("web")
    drop_in = dropped_in(snapshots, classes)
    drop_in.execute(taking(snapshots))
    drop_in.execute(invoke("DestroySnapshot", SNAPSHOTS, AffectedSnapshot=snapshots.vssd_path("web")))
    assert len(snapshots.tree("web")) == 1


def test_classes_of_platforms_that_are_not_there_stay_hidden(
    driver: PoolService,
    classes: ClassStore,  # noqa: F811
) -> None:
    hidden = replace(driver.catalog, hidden=lambda _namespace: frozenset({"bhyve"}))
    core = Core(hidden, classes, ServerSettings())
    ask = EnumerateClassNames(namespace=VIRT, class_name="CIM_ComputerSystem", deep=True)
    first: Any = core.execute(ask)
    second: Any = LibvirtCim(core, DROP_IN).execute(ask)
    assert first.names == second.names
    assert "BHYVE_ComputerSystem" not in second.names


def test_the_path_of_a_new_volume_does_not_count(served: Served, classes: ClassStore) -> None:  # noqa: F811
    setting = EmbeddedInstance("KVM_StorageVolumeResourceAllocationSettingData", {"Path": "/tmp", "VolumeName": "v"})
    create = invoke("CreateResourceInPool", "ResourcePoolConfigurationService", Settings=setting)
    meant: Any = dropped_in(served, classes).translate_request(create)
    assert meant.arguments["Settings"].properties == {"VolumeName": "v"}


def refuse_to_save(_domain: str) -> None:
    raise LibvirtError("it will not", libvirt.VIR_ERR_INTERNAL_ERROR)


def test_a_snapshot_that_takes_longer_or_fails(
    snapshots: SnapshotService,
    classes: ClassStore,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer is 0 with the job all the same, which tells how it ended."""
    may_end = threading.Event()
    drop_in = dropped_in(snapshots, classes)
    for save, state, status, patience in (
        (lambda _domain: may_end.wait(60), RUNNING, "Running", 0.2),
        (refuse_to_save, EXCEPTION, "Failed", 60.0),
    ):
        monkeypatch.setattr(translation, "ASKED_PATIENCE", patience)
        monkeypatch.setattr(snapshots.hypervisor.domains, "managed_save", save)
        answer = drop_in.execute(taking(snapshots))
        assert isinstance(answer, MethodOutcome)
        assert (answer.return_value, set(answer.out)) == (0, {"Job"})
        job = answer.out["Job"]
        assert isinstance(job, InstancePath)
        look = GetInstance(namespace=VIRT, path=job)
        shown = drop_in.execute(look)
        assert isinstance(shown, OneInstance)
        properties = shown.instance.properties()
        assert (properties["JobState"], properties["Status"]) == (state, status)
        may_end.set()
        snapshots.end_of(job)


def test_settings_come_back_as_they_were_sent(driver: PoolService, classes: ClassStore) -> None:  # noqa: F811
    net = driver.setting(
        "Net",
        NetworkType="network",
        PoolID="NetworkPool/default",
        Address="52:54:00:00:00:0a",
        Reservation=100,
        AllocationUnits="kilobytes per second",
    )
    memory = driver.setting("Mem", VirtualQuantity=65536, AllocationUnits="KiloBytes")
    system = EmbeddedInstance("Test_VirtualSystemSettingData", {"VirtualSystemIdentifier": "made"})
    define = invoke("DefineSystem", SystemSettings=system, ResourceSettings=[memory, net])
    core = Core(driver.catalog, classes, ServerSettings())
    drop_in = LibvirtCim(core, DROP_IN)
    done = drop_in.execute(define)
    assert isinstance(done, MethodOutcome)
    assert done.return_value == 0
    read = path("Test_NetResourceAllocationSettingData", InstanceID="made/52:54:00:00:00:0a")
    shown: Any = drop_in.execute(GetInstance(namespace=VIRT, path=read))
    properties = shown.instance.properties()
    assert (properties["Reservation"], properties["AllocationUnits"]) == (100, "KiloBytes per Second")


def test_input_devices_of_containers_are_left_out(served: Served, classes: ClassStore) -> None:  # noqa: F811
    drop_in = dropped_in(served, classes)

    def settings_sent(prefix: str) -> list[str]:
        kinds = [f"{prefix}_{kind}ResourceAllocationSettingData" for kind in ("Mem", "Input")]
        define = InvokeMethod(
            namespace=VIRT,
            target=f"{prefix}_VirtualSystemManagementService",
            method="DefineSystem",
            arguments={"ResourceSettings": [EmbeddedInstance(kind, {}) for kind in kinds]},
        )
        meant: Any = drop_in.translate_request(define)
        return [each.class_name for each in meant.arguments["ResourceSettings"]]

    assert settings_sent("LXC") == ["LXC_MemResourceAllocationSettingData"]
    assert len(settings_sent("KVM")) == 2


def test_what_does_not_count_beside_an_address(served: Served, classes: ClassStore) -> None:  # noqa: F811
    drop_in = dropped_in(served, classes)

    def meant(kind: str, **properties: Any) -> set[str]:
        setting = EmbeddedInstance(f"KVM_{kind}ResourceAllocationSettingData", properties)
        request: Any = drop_in.translate_request(invoke("AddResourceSettings", ResourceSettings=[setting]))
        return set(request.arguments["ResourceSettings"][0].properties)

    assert meant("Graphics", IsIPv6Only=True, Address="127.0.0.1:-1") == {"Address"}
    assert meant("Graphics", IsIPv6Only=True) == {"IsIPv6Only"}
    assert meant("Disk", PoolID="DiskPool/other", Address="/images/a") == {"Address"}
    assert meant("Disk", PoolID="DiskPool/images", Address="a") == {"PoolID", "Address"}


def test_what_is_no_uuid_is_not_taken_for_one(driver: PoolService, classes: ClassStore) -> None:  # noqa: F811
    core = Core(driver.catalog, classes, ServerSettings())
    settings = {"VirtualSystemIdentifier": "made", "UUID": "256"}
    define = invoke("DefineSystem", SystemSettings=EmbeddedInstance("Test_VirtualSystemSettingData", settings))
    with pytest.raises(CIMError, match="Invalid value for UUID: 256"):
        core.execute(define)
    done = LibvirtCim(core, DROP_IN).execute(define)
    assert isinstance(done, MethodOutcome)
    assert done.return_value == 0


@pytest.mark.parametrize(
    "pool", ["MemoryPool/0", "ProcessorPool/0", "NetworkPool/default", "InputPool/0", "GraphicsPool/0"]
)
def test_templates_are_taken_when_they_are_sent(
    pool: str,
    driver: PoolService,
    classes: ClassStore,  # noqa: F811
) -> None:
    drop_in = dropped_in(driver, classes)
    wait_until(driver.hypervisor.inventory.networks)
    source = path("Test_AllocationCapabilities", InstanceID=pool)
    found: Any = drop_in.execute(
        Associators(namespace=VIRT, path=source, filter=AssociationFilter("Test_SettingsDefineCapabilities"))
    )
    templates = [each.properties() for each in found.instances if each.keys()["InstanceID"] == "Default"]
    assert templates
    for number, template in enumerate(templates):
        limit = {"Limit": 50} if pool == "ProcessorPool/0" else {}
        setting = EmbeddedInstance(found.instances[0].class_name, {**template, **limit})
        system = EmbeddedInstance("Test_VirtualSystemSettingData", {"VirtualSystemIdentifier": f"made-{number}"})
        define = invoke("DefineSystem", SystemSettings=system, ResourceSettings=[setting])
        done = drop_in.execute(define)
        assert isinstance(done, MethodOutcome)
        assert done.return_value == 0


def test_what_the_state_of_a_guest_forbids(driver: PoolService, classes: ClassStore) -> None:  # noqa: F811
    system = EmbeddedInstance(
        "Test_VirtualSystemSettingData", {"InstanceID": "Test:test", "VirtualSystemIdentifier": "other"}
    )
    rename = invoke("ModifySystemSettings", SystemSettings=system)
    core = Core(driver.catalog, classes, ServerSettings())
    done = core.execute(rename)
    assert isinstance(done, MethodOutcome)
    assert done.return_value == 5
    with pytest.raises(CIMError, match="Failed to define domain: not possible in this state") as error:
        LibvirtCim(core, DROP_IN).execute(rename)
    assert error.value.status is Status.FAILED


class EndingDomains:
    """Operations on domains, where all that is asked of one ends in the same way."""

    def __init__(self, end: Callable[[], None]) -> None:
        self.shutdown = self.reboot = lambda _domain: end()

    @contextmanager
    def event_wait(self, domain: str, name: str) -> Iterator[threading.Event]:
        yield threading.Event()

    def set_metadata(self, *_: str) -> None:
        """Keep nothing."""


def ending(end: Callable[[Any], None], settings: ProviderSettings) -> tuple[Any, Served]:
    """A host with a guest that runs, where all that is asked of it ends in one way, and what is served of it."""
    host = hypervisor("Test")
    host.put(domain_xml("guest"), active=True)
    host.domains = EndingDomains(lambda: end(host))
    return host, Served([(platform("Test"), host)], settings)


def asking_for(state: int) -> InvokeMethod:
    target = path("Test_ComputerSystem", CreationClassName="Test_ComputerSystem", Name="guest")
    return InvokeMethod(namespace=VIRT, target=target, method="RequestStateChange", arguments={"RequestedState": state})


def asked(
    end: Callable[[Any], None],
    state: int,
    classes: ClassStore,  # noqa: F811
    jobs: JobSettings,
) -> tuple[int | None, int, str]:
    """Ask a guest in the drop-in mode; give what it answers, or 0 for nothing, the status and the text of its error."""
    _, site = ending(end, ProviderSettings(shutdown_timeout=0.3, jobs=jobs))
    try:
        done = dropped_in(site, classes).execute(asking_for(state))
    except CIMError as error:
        return None, error.status, error.description
    assert isinstance(done, MethodOutcome)
    assert done.out == {}
    return int(done.return_value), 0, ""  # type: ignore[arg-type]


def goes_down(host: Any) -> None:
    threading.Timer(0.05, host.put, [domain_xml("guest")]).start()


def takes_no_notice(_host: Any) -> None:
    """Do nothing."""


def refuses(code: int) -> Callable[[Any], None]:
    def refuse(_host: Any) -> None:
        raise LibvirtError("it will not", code)

    return refuse


@pytest.mark.parametrize("jobs", [HASTY, PATIENT], ids=["job", "answer"])
@pytest.mark.parametrize(
    ("state", "end", "answer"),
    [
        (SHUT_DOWN, goes_down, (0, 0, "")),
        (SHUT_DOWN, takes_no_notice, (0, 0, "")),
        (REBOOT, takes_no_notice, (0, 0, "")),
        (SHUT_DOWN, refuses(libvirt.VIR_ERR_OPERATION_INVALID), (None, Status.FAILED, "Invalid state transition")),
        (REBOOT, refuses(libvirt.VIR_ERR_OPERATION_INVALID), (None, Status.FAILED, "Domain not running")),
        (REBOOT, refuses(libvirt.VIR_ERR_NO_SUPPORT), (None, Status.NOT_SUPPORTED, "State not supported")),
        (
            SHUT_DOWN,
            refuses(libvirt.VIR_ERR_INTERNAL_ERROR),
            (None, Status.FAILED, "Unable to shutdown domain: it will not"),
        ),
    ],
)
def test_a_guest_that_takes_its_time(
    state: int,
    end: Callable[[Any], None],
    answer: tuple[int | None, int, str],
    jobs: JobSettings,
    classes: ClassStore,  # noqa: F811
) -> None:
    """libvirt-cim's 0 said of a shutdown that the guest was asked; and there were no jobs."""
    assert asked(end, state, classes, jobs) == answer


def test_a_guest_that_takes_longer_than_a_client_waits(
    classes: ClassStore,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(translation, "ASKED_PATIENCE", 0.2)
    host, site = ending(takes_no_notice, ProviderSettings(shutdown_timeout=600, jobs=HASTY))
    done = dropped_in(site, classes).execute(asking_for(SHUT_DOWN))
    assert isinstance(done, MethodOutcome)
    assert (done.return_value, done.out) == (0, {})
    (job,) = site.instances("Test_ConcreteJob")
    assert job.properties()["JobState"] == RUNNING
    host.put(domain_xml("guest"))


@pytest.mark.parametrize(("state", "answer"), [(4, 0), (10, 0), (2, 3)])
def test_what_is_not_seen_in_time(state: int, answer: int, served: Served, classes: ClassStore) -> None:  # noqa: F811
    """libvirt-cim's 0 said of a shutdown that the guest was asked."""
    core = Core(served.catalog, classes, ServerSettings())
    request = InvokeMethod(
        namespace=VIRT, target=guest("web"), method="requeststatechange", arguments={"RequestedState": state}
    )
    method = classes["KVM_ComputerSystem"].methods["requeststatechange"]
    late = MethodOutcome(VIRT, "KVM_ComputerSystem", method, 3)
    assert LibvirtCim(core, DROP_IN).translate_result(request, late) == replace(late, return_value=answer)


def ended(client: pywbem.WBEMConnection, job: pywbem.CIMInstanceName) -> pywbem.CIMInstance:
    """Poll a job until it is over, as the scripts of libvirt-cim do."""
    return wait_until(lambda: shown if (shown := client.GetInstance(job))["JobState"] >= COMPLETED else None, 60)


@pytest.mark.parametrize("kind", [FULL, MEMORY_AND_STOP])
def test_a_snapshot_of_a_guest_that_runs(
    guests: Guests, libvirtd: Libvirtd, serve: Callable[..., Server], kind: int
) -> None:
    name = guests.baseline("kept")
    libvirtd.virsh("start", name)
    client: Any = serve(libvirtd.uri(), config=CONFIG).pywbem()
    (snapshots,) = client.EnumerateInstanceNames("KVM_VirtualSystemSnapshotService")
    (system,) = client.EnumerateInstanceNames("KVM_ComputerSystem")
    kind_of_it = pywbem.Uint16(kind)
    value, out = client.InvokeMethod("CreateSnapshot", snapshots, AffectedSystem=system, SnapshotType=kind_of_it)
    assert (value, out["Job"].classname) == (0, "KVM_ConcreteJob")
    assert ended(client, out["Job"])["JobState"] == COMPLETED
    assert client.GetInstance(out["ResultingSnapshot"]) is not None
    value, applied = client.InvokeMethod("ApplySnapshot", snapshots, Snapshot=out["ResultingSnapshot"])
    assert (value, set(applied)) == (0, {"Job"})
    assert ended(client, applied["Job"])["JobState"] == COMPLETED
    assert libvirtd.list_all()[name] == "running"


def test_the_size_of_a_disk_is_known_when_its_guest_is_made(
    libvirtd: Libvirtd, guests: Guests, serve: Callable[..., Server]
) -> None:
    """The test suite of libvirt-cim asks for it at once."""
    client: Any = serve(libvirtd.uri(), config=CONFIG).pywbem()
    name, image = "sized", libvirtd.new_image()
    (service,) = client.EnumerateInstanceNames("KVM_VirtualSystemManagementService")
    system = pywbem.CIMInstance("KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": name})
    disk = pywbem.CIMInstance(
        "KVM_DiskResourceAllocationSettingData", {"VirtualDevice": "vda", "Address": str(image), "DriverType": "qcow2"}
    )
    disk_path = pywbem.CIMInstanceName(disk.classname, {"InstanceID": f"{name}/vda"}, namespace=VIRT)
    for _ in range(3):
        value, out = client.InvokeMethod("DefineSystem", service, SystemSettings=system, ResourceSettings=[disk])
        assert value == 0
        assert client.GetInstance(disk_path)["VirtualQuantity"] == 1 << 20
        client.InvokeMethod("DestroySystem", service, AffectedSystem=out["ResultingSystem"])


@pytest.mark.parametrize("is_there_already", [False, True])
def test_a_migration_is_a_job_however_short_it_is(
    new_libvirtd: Callable[[], Libvirtd], serve: Callable[..., Server], is_there_already: bool
) -> None:
    """A definition moves in no time; and what forbids a migration is told by its job."""
    here, there = new_libvirtd(), new_libvirtd()
    xml = guest_xml("mover", "", "", None)
    here.define(xml)
    if is_there_already:
        there.define(xml)
    sockets = f'[providers.migration]\nsocket_directory = "{here.directory}"\n'
    client: Any = serve(here.uri(), there.uri(), config=f"{sockets}{CONFIG}").pywbem()
    job = begin_migration(client, "mover", there, 0, MigrationType=pywbem.Uint16(OFFLINE))
    assert job.classname == "KVM_MigrationJob"
    shown = ended(client, job)
    assert shown["JobState"] == (EXCEPTION if is_there_already else COMPLETED)
    # What libvirt-cim's scripts look at when the migration is over.
    assert shown["Status"] == (shown["ErrorDescription"] if is_there_already else "Completed")
    assert ("mover" in there.list_all(), "mover" in here.list_all()) == (True, is_there_already)
