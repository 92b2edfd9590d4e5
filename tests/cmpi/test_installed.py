"""The embedded server and an installed CIM server with virtcim registered in it: the same questions, the same answers.

`make test-cimom CIMOM=http://... EMBEDDED=http://...` runs this, with one `virtcim serve` behind both URLs (user and
password may stand in them).  Without the two it is left out.  Through a CIM server that asks for no login everybody may
only read: with `administer = ["*"]` in `[roles]` both sides are equal.  What the classes of an older schema in the CIM
server do not declare, and what SFCB 1.3 does not show of embedded instances, is left out of the comparison, and named
(`-rs`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pywbem

from tests.bed import wait_until
from tests.bed.listener import Listener
from tests.cmpi.views import in_order, of_client

CIMOM = os.environ.get("VIRTCIM_TEST_CIMOM", "")
EMBEDDED = os.environ.get("VIRTCIM_TEST_EMBEDDED", "")
NAMESPACE = os.environ.get("VIRTCIM_TEST_NAMESPACE", "root/virt")

pytestmark = pytest.mark.skipif(not (CIMOM and EMBEDDED), reason="needs VIRTCIM_TEST_CIMOM and VIRTCIM_TEST_EMBEDDED")

VOLATILE = {
    "loadpercentage", "upuptime", "onlinetime", "currentdate", "localdatetime", "freespace",
    "metricvalue", "timestamp", "duration",
}  # fmt: skip
"""Properties that differ between two looks."""


def connect(url: str) -> pywbem.WBEMConnection:
    parts = urllib.parse.urlsplit(url)
    login = (parts.username, parts.password) if parts.username else None
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return pywbem.WBEMConnection(address, login, default_namespace=NAMESPACE, no_verification=True, timeout=120)


@pytest.fixture(scope="module")
def theirs() -> Iterator[pywbem.WBEMConnection]:
    connection = connect(CIMOM)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def ours() -> Iterator[pywbem.WBEMConnection]:
    connection = connect(EMBEDDED)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def present(ours: pywbem.WBEMConnection) -> dict[str, list[pywbem.CIMInstance]]:
    """The instances by creation class, of all classes that have some."""
    found: dict[str, list[pywbem.CIMInstance]] = {}
    for top in ours.EnumerateClassNames():
        if top.startswith("CIM_"):
            for instance in ours.EnumerateInstances(top):
                found.setdefault(instance.classname, []).append(instance)
    found.pop(OF_THE_EMBEDDED_SERVER, None)
    assert found
    return found


OF_THE_EMBEDDED_SERVER = "CIM_AggregatedVirtualSystemManagementService"
"""The association with the embedded server's own system, which another CIM server does not have."""

Lacking = dict[str, set[str]]


@pytest.fixture(scope="module")
def lacking(
    ours: pywbem.WBEMConnection, theirs: pywbem.WBEMConnection, present: dict[str, list[pywbem.CIMInstance]]
) -> Lacking:
    """The properties, in lower case, that the classes of the CIM server do not declare, by class, and those that hold
    embedded instances where it shows none, as SFCB 1.3 does."""
    found = {}
    for class_name, instances in present.items():
        own, other = (
            {name.lower() for name in connection.GetClass(class_name, LocalOnly=False).properties}
            for connection in (ours, theirs)
        )
        found[class_name] = own - other
        held = {each.name.lower() for instance in instances for each in embedded(instance)}
        if held:
            shown = theirs.EnumerateInstances(class_name)
            found[class_name] |= held - {each.name.lower() for instance in shown for each in embedded(instance)}
    return found


def embedded(instance: pywbem.CIMInstance) -> list[pywbem.CIMProperty]:
    """List the properties that hold embedded instances, or are texts of such."""
    return [each for each in instance.properties.values() if each.embedded_object and each.value is not None]


def view(item: Any, lacking: Lacking) -> Any:
    """Comparable, without what differs between two looks."""
    viewed = of_client(item)
    if isinstance(item, pywbem.CIMInstance):
        path, properties = viewed
        without = VOLATILE | lacking.get(item.classname, set())
        return path, {name: value for name, value in properties.items() if name not in without}
    return viewed


def views(items: list[Any], lacking: Lacking) -> list[Any]:
    return in_order(view(each, lacking) for each in items)


def once(items: list[Any], lacking: Lacking) -> list[Any]:
    """OpenPegasus asks for each association class, and shows what two of them lead to twice."""
    viewed = views(items, lacking)
    return [each for number, each in enumerate(viewed) if each not in viewed[:number]]


def test_the_schema_declares_what_is_shown(present: dict[str, list[pywbem.CIMInstance]], lacking: Lacking) -> None:
    names = {
        f"{class_name.partition('_')[2]}.{each.name}"
        for class_name, instances in present.items()
        for instance in instances
        for each in instance.properties.values()
        if each.value is not None and each.name.lower() in lacking[class_name]
    }
    if names:
        pytest.skip(f"this CIM server, or its older classes, lacks {', '.join(sorted(names))}")


def test_enumerations(
    ours: pywbem.WBEMConnection,
    theirs: pywbem.WBEMConnection,
    present: dict[str, list[pywbem.CIMInstance]],
    lacking: Lacking,
) -> None:
    for class_name in present:
        expected = [each for each in ours.EnumerateInstances(class_name) if each.classname == class_name]
        found = [each for each in theirs.EnumerateInstances(class_name) if each.classname == class_name]
        assert views(found, lacking) == views(expected, lacking), class_name
        names = [each for each in theirs.EnumerateInstanceNames(class_name) if each.classname == class_name]
        assert views(names, lacking) == views([each.path for each in expected], lacking), class_name


@pytest.mark.parametrize("class_name", ["CIM_ComputerSystem", "CIM_LogicalDevice", "CIM_SettingData"])
def test_superclasses_answer_for_all(
    ours: pywbem.WBEMConnection, theirs: pywbem.WBEMConnection, class_name: str
) -> None:
    own = {each.classname for each in ours.EnumerateInstanceNames(class_name)}
    found = [each for each in theirs.EnumerateInstanceNames(class_name) if each.classname in own]
    assert views(found, {}) == views(ours.EnumerateInstanceNames(class_name), {})


def test_get_instance(
    theirs: pywbem.WBEMConnection, present: dict[str, list[pywbem.CIMInstance]], lacking: Lacking
) -> None:
    for instances in present.values():
        for instance in instances[:3]:
            found = theirs.GetInstance(instance.path)
            found.path = instance.path
            assert view(found, lacking) == view(instance, lacking)


def test_property_lists(theirs: pywbem.WBEMConnection, present: dict[str, list[pywbem.CIMInstance]]) -> None:
    name = next(name for name in present if name.endswith("_ComputerSystem"))
    found = theirs.GetInstance(present[name][0].path, PropertyList=["EnabledState", "ElementName"])
    given = {key.lower() for key, each in found.properties.items() if each.value is not None}
    assert given - {"creationclassname", "name"} == {"enabledstate", "elementname"}


def test_associations(
    ours: pywbem.WBEMConnection,
    theirs: pywbem.WBEMConnection,
    present: dict[str, list[pywbem.CIMInstance]],
    lacking: Lacking,
) -> None:
    for class_name, instances in present.items():
        for instance in instances[:2]:
            path = instance.path
            for operation in ("AssociatorNames", "ReferenceNames", "Associators", "References"):
                found = once(getattr(theirs, operation)(path), lacking)
                expected = views(getattr(ours, operation)(path), lacking)
                association = "AssocClass" if operation.startswith("Associator") else "ResultClass"
                own = views(getattr(ours, operation)(path, **{association: OF_THE_EMBEDDED_SERVER}), lacking)
                assert found == [each for each in expected if each not in own], (operation, class_name)


@pytest.mark.parametrize(
    "filters",
    [
        {"AssocClass": "CIM_SystemDevice"},
        {"ResultClass": "CIM_LogicalDevice"},
        {"ResultClass": "CIM_Processor", "Role": "GroupComponent"},
        {"ResultRole": "GroupComponent"},
    ],
)
def test_association_filters(
    ours: pywbem.WBEMConnection,
    theirs: pywbem.WBEMConnection,
    present: dict[str, list[pywbem.CIMInstance]],
    filters: dict[str, str],
) -> None:
    name = next(name for name in present if name.endswith("_ComputerSystem"))
    path = present[name][0].path
    assert once(theirs.AssociatorNames(path, **filters), {}) == views(ours.AssociatorNames(path, **filters), {})


def test_errors(
    ours: pywbem.WBEMConnection, theirs: pywbem.WBEMConnection, present: dict[str, list[pywbem.CIMInstance]]
) -> None:
    name = next(name for name in present if name.endswith("_ComputerSystem"))
    path = present[name][0].path.copy()
    path["Name"] = "no such guest"
    said = []
    for connection in (ours, theirs):
        with pytest.raises(pywbem.CIMError) as caught:
            connection.GetInstance(path)
        said.append((caught.value.status_code, caught.value.status_description))
    assert said[0][0] == said[1][0] == pywbem.CIM_ERR_NOT_FOUND
    assert said[0][1] in said[1][1]


def test_a_method(
    ours: pywbem.WBEMConnection, theirs: pywbem.WBEMConnection, present: dict[str, list[pywbem.CIMInstance]]
) -> None:
    """RequestStateChange to a state that does not exist changes nothing, and comes back as the provider said."""
    name = next(name for name in present if name.endswith("_ComputerSystem"))
    path = present[name][0].path
    said = []
    for connection in (ours, theirs):
        try:
            value, _ = connection.InvokeMethod("RequestStateChange", path, RequestedState=pywbem.Uint16(9999))
        except pywbem.CIMError as error:
            value = f"status {error.status_code}"
        said.append(value)
    if said[1] == f"status {pywbem.CIM_ERR_ACCESS_DENIED}" and not urllib.parse.urlsplit(CIMOM).username:
        pytest.skip("a CIM server without authentication only reads: set roles, or a user in CIMOM (docs/cmpi.md)")
    assert said[0] == said[1] != 0


@pytest.mark.skipif(shutil.which("wbemcli") is None, reason="needs wbemcli")
def test_wbemcli(present: dict[str, list[pywbem.CIMInstance]]) -> None:
    name = next(name for name in present if name.endswith("_ComputerSystem"))
    done = subprocess.run(
        ["wbemcli", "-nl", "ein", f"{CIMOM}/{NAMESPACE}:{name}"], capture_output=True, text=True, timeout=60, check=True
    )
    assert len(done.stdout.splitlines()) == len(present[name])


def prefix_of(present: dict[str, list[pywbem.CIMInstance]]) -> str:
    """Find a platform that has guests."""
    return next(name for name in present if name.endswith("_ComputerSystem")).partition("_")[0]


def settings_of(prefix: str, name: str) -> tuple[pywbem.CIMInstance, pywbem.CIMInstance]:
    """Make the settings of a guest, and those of its memory."""
    # The prefix of a platform is the name of its type of guest, but for QEMU without KVM.
    kind = "qemu" if prefix == "KVM" else prefix.lower()
    system = {"VirtualSystemIdentifier": name, "VirtualSystemType": kind}
    memory = {
        "VirtualQuantity": pywbem.Uint64(16),
        "AllocationUnits": "byte*2^20",
        "ResourceType": pywbem.Uint16(4),
    }
    return (
        pywbem.CIMInstance(f"{prefix}_VirtualSystemSettingData", system),
        pywbem.CIMInstance(f"{prefix}_MemResourceAllocationSettingData", memory),
    )


FORMS: dict[str, Callable[[pywbem.CIMInstance], Any]] = {
    "instance": lambda instance: instance,
    "CIM-XML": lambda instance: instance.tocimxmlstr(),
    "MOF": lambda instance: instance.tomof(),
}
"""How a client sends embedded instances: with the attribute EmbeddedObject, or as text without it."""


@pytest.mark.parametrize("form", FORMS)
def test_a_guest_is_defined_with_embedded_instances(
    ours: pywbem.WBEMConnection,
    theirs: pywbem.WBEMConnection,
    present: dict[str, list[pywbem.CIMInstance]],
    form: str,
) -> None:
    prefix = prefix_of(present)
    name = f"made-{uuid.uuid4().hex[:8]}"
    (service,) = theirs.EnumerateInstanceNames(f"{prefix}_VirtualSystemManagementService")
    system, memory = settings_of(prefix, name)
    written = FORMS[form]
    guest = path_of(prefix, name)
    try:
        invoke(theirs, "DefineSystem", service, SystemSettings=written(system), ResourceSettings=[written(memory)])
    except pywbem.CIMError as error:
        if error.status_code == pywbem.CIM_ERR_ACCESS_DENIED and not urllib.parse.urlsplit(CIMOM).username:
            pytest.skip("a CIM server without authentication only reads: set roles, or a user in CIMOM (docs/cmpi.md)")
        raise
    try:
        given = {each["InstanceID"]: each for each in ours.EnumerateInstances(memory.classname)}
        assert given[f"{name}/mem"]["VirtualQuantity"] == 16 << 10
    finally:
        invoke(theirs, "DestroySystem", service, AffectedSystem=guest)


def path_of(prefix: str, name: str) -> pywbem.CIMInstanceName:
    """Make the path of a guest."""
    class_name = f"{prefix}_ComputerSystem"
    return pywbem.CIMInstanceName(class_name, {"CreationClassName": class_name, "Name": name}, namespace=NAMESPACE)


def invoke(connection: pywbem.WBEMConnection, method: str, path: pywbem.CIMInstanceName, **given: Any) -> Any:
    """Call a method that is to succeed, and wait in the same server for its job where it makes one.

    Returns:
        what it gives back; of a job, the reference `Job` alone.
    """
    value, out = connection.InvokeMethod(method, path, **given)
    if value == JOB_STARTED:
        job = wait_until(lambda: (shown := connection.GetInstance(out["Job"]))["JobState"] in OVER and shown, 120)
        assert job["JobState"] == COMPLETED, job["ErrorDescription"]
    else:
        assert value == 0
    return out


JOB_STARTED = 4096
COMPLETED = 7
OVER = (COMPLETED, 8, 9, 10)
ENABLED = 2
CHANGES = ("CIM_InstCreation", "CIM_InstModification", "CIM_InstDeletion")


@contextlib.contextmanager
def subscribed(connection: pywbem.WBEMConnection, listener: Listener) -> Iterator[None]:
    """Subscribe in the CIM server itself to what happens to guests."""
    interop = "root/PG_InterOp"
    try:
        connection.GetClass("CIM_IndicationSubscription", namespace=interop)
    except pywbem.CIMError:
        interop = "root/interop"
    made = []

    def create(class_name: str, **properties: Any) -> pywbem.CIMInstanceName:
        made.append(connection.CreateInstance(pywbem.CIMInstance(class_name, properties), namespace=interop))
        return made[-1]

    def named(class_name: str, **properties: Any) -> pywbem.CIMInstanceName:
        keys = {
            "SystemCreationClassName": "CIM_ComputerSystem", "SystemName": "localhost",
            "CreationClassName": class_name, "Name": f"virtcim-{uuid.uuid4()}",
        }  # fmt: skip
        return create(class_name, **keys, **properties)

    try:
        handler = named("CIM_ListenerDestinationCIMXML", Destination=listener.url, PersistenceType=pywbem.Uint16(2))
        for change in CHANGES:
            selected = named(
                "CIM_IndicationFilter",
                Query=f"SELECT * FROM {change} WHERE SourceInstance ISA CIM_ComputerSystem",
                QueryLanguage="CIM:CQL",
                SourceNamespace=NAMESPACE,
                SourceNamespaces=[NAMESPACE],
            )
            create("CIM_IndicationSubscription", Filter=selected, Handler=handler)
        yield
    finally:
        for path in reversed(made):
            # SFCB deletes, and answers what pywbem does not read.
            with contextlib.suppress(pywbem.CIMXMLParseError):
                connection.DeleteInstance(path)


def test_indications(
    ours: pywbem.WBEMConnection, theirs: pywbem.WBEMConnection, present: dict[str, list[pywbem.CIMInstance]]
) -> None:
    """A subscription in the CIM server brings what happens to a guest from its definition to its end, each once.

    OpenPegasus delivers what comes within moments in any order.
    """
    prefix = prefix_of(present)
    name = f"told-{uuid.uuid4().hex[:8]}"
    (service,) = ours.EnumerateInstanceNames(f"{prefix}_VirtualSystemManagementService")
    settings, memory = settings_of(prefix, name)

    def is_about(indication: Any, ending: str) -> bool:
        source = indication["SourceInstance"]
        return bool(source["Name"] == name and indication.classname == f"{prefix}_ComputerSystem{ending}Indication")

    def is_start(indication: Any) -> bool:
        before, after = indication["PreviousInstance"]["EnabledState"], indication["SourceInstance"]["EnabledState"]
        return bool(before != ENABLED and after == ENABLED)

    with Listener() as listener, subscribed(theirs, listener):
        invoke(ours, "DefineSystem", service, SystemSettings=settings, ResourceSettings=[memory])
        guest = path_of(prefix, name)
        try:
            invoke(ours, "RequestStateChange", guest, RequestedState=pywbem.Uint16(ENABLED))
        finally:
            with contextlib.suppress(pywbem.CIMError, AssertionError):
                invoke(ours, "RequestStateChange", guest, RequestedState=pywbem.Uint16(3))
            invoke(ours, "DestroySystem", service, AffectedSystem=guest)
        listener.wait(lambda each: is_about(each, "Created"))
        listener.wait(lambda each: is_about(each, "Deleted"))
        started = listener.wait(lambda each: is_about(each, "Modified") and is_start(each))
        told = [each for each in listener.received if each["SourceInstance"]["Name"] == name]
    for ending in ("Created", "Deleted"):
        assert len([each for each in told if is_about(each, ending)]) == 1
    assert started["SourceInstance"]["Name"] == name
    assert len({each["IndicationIdentifier"] for each in told}) == len(told)
