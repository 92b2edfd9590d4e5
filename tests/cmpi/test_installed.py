"""The embedded server and an installed CIM server with virtcim registered in it: the same questions, the same answers.

`make test-cimom CIMOM=http://... EMBEDDED=http://...` runs this, with one `virtcim serve` behind both URLs (user and
password may stand in them).  Without the two it is left out.  Through a CIM server that asks for no login everybody may
only read: with `administer = ["*"]` in `[roles]` both sides are equal.  What the classes of an older schema in the CIM
server do not declare is left out of the comparison, and named (`-rs`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
import pywbem

from tests.cmpi.views import in_order, of_client

CIMOM = os.environ.get("VIRTCIM_TEST_CIMOM", "")
EMBEDDED = os.environ.get("VIRTCIM_TEST_EMBEDDED", "")
NAMESPACE = os.environ.get("VIRTCIM_TEST_NAMESPACE", "root/virt")

pytestmark = pytest.mark.skipif(not (CIMOM and EMBEDDED), reason="needs VIRTCIM_TEST_CIMOM and VIRTCIM_TEST_EMBEDDED")

VOLATILE = {"loadpercentage", "upuptime", "onlinetime", "currentdate", "localdatetime", "freespace"}
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
    assert found
    return found


Lacking = dict[str, set[str]]


@pytest.fixture(scope="module")
def lacking(
    ours: pywbem.WBEMConnection, theirs: pywbem.WBEMConnection, present: dict[str, list[pywbem.CIMInstance]]
) -> Lacking:
    """The properties, in lower case, that the classes of the CIM server do not declare, by class."""
    found = {}
    for class_name in present:
        own, other = (
            {name.lower() for name in connection.GetClass(class_name, LocalOnly=False).properties}
            for connection in (ours, theirs)
        )
        found[class_name] = own - other
    return found


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
        pytest.skip(f"the classes of this CIM server are older, and lack {', '.join(sorted(names))}")


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
                assert found == expected, (operation, class_name)


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
