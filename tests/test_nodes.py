"""Several nodes in one server: by configuration, in files of their own, and at run time."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Server, wait_until
from tests.bed.listener import Listener, subscribed
from tests.bed.server import COMMAND, ROOT
from tests.libhelper.test_uris import HOSTILE
from tests.providers.test_two_nodes import GUESTS, LOCAL, OTHER, node_file

WEST = "root/virt/west"


def names(ask: Any, namespace: str, class_name: str = "Test_ComputerSystem") -> set[str]:
    """The names of the instances of a class in a namespace; none where namespace or class does not exist."""
    try:
        return {path["Name"] for path in ask.EnumerateInstanceNames(class_name, namespace)}
    except pywbem.CIMError as error:
        # A namespace does not show a platform that was never seen there.
        if error.status_code not in (pywbem.CIM_ERR_INVALID_NAMESPACE, pywbem.CIM_ERR_INVALID_CLASS):
            raise
        return set()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Any]]:
    """A server with a local node and a further one, and a connection to it."""
    directory = tmp_path_factory.mktemp("nodes")
    local, other = (f"test://{node_file(directory, number, guests)}" for number, guests in enumerate(GUESTS.values()))
    config = f"uris = ['{local}']\n[node.other]\nuris = ['{other}']\ncomment = 'Second floor'\n"
    with Server(config=config) as server:
        yield server, server.pywbem()


def test_a_node_of_the_configuration_has_a_namespace(served: tuple[Server, Any]) -> None:
    _, ask = served
    wait_until(lambda: names(ask, OTHER) == GUESTS[OTHER].keys())
    assert names(ask, LOCAL) == GUESTS[LOCAL].keys()
    listed = {each["Name"] for each in ask.EnumerateInstances("CIM_Namespace", "root/interop")}
    assert {LOCAL, OTHER} <= listed


def test_nodes_come_and_go_with_their_files(served: tuple[Server, Any], tmp_path: Path) -> None:
    server, ask = served
    directory = server.directory / "nodes.d"
    directory.mkdir()
    file = directory / "west.toml"
    file.write_text(f"[node.west]\nuris = ['test://{node_file(tmp_path, 3, {'far': 1})}']\n")
    (directory / "broken.toml").write_text("[node.broken\n")
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: names(ask, WEST) == {"far"})
    assert str(directory / "broken.toml") in server.errors
    assert names(ask, OTHER) == GUESTS[OTHER].keys()
    path = ask.EnumerateInstanceNames("Test_ComputerSystem", WEST)[0]
    assert ask.InvokeMethod("RequestStateChange", path, RequestedState=pywbem.Uint16(9))[0] == 0
    moved = file.rename(directory / "moved.toml")
    (directory / "twice.toml").write_text(moved.read_text().replace("node.west", "node.West"))
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: managed(ask, "west")["Origin"] == str(moved))
    assert ask.GetInstance(path)["EnabledState"] == 9, "the connection stands, or the test driver had made it anew"
    assert f"{directory / 'twice.toml'}: node 'West' exists already, from {moved}" in server.errors
    moved.write_text("[node.west]\nuris = [")
    (directory / "twice.toml").unlink()
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not names(ask, WEST))
    assert f"{moved}: " in server.errors
    moved.unlink()
    server.process.send_signal(signal.SIGHUP)
    assert names(ask, OTHER) == GUESTS[OTHER].keys()


@pytest.fixture(scope="module")
def permissive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose settings let nodes be made at run time, on this machine and on some hosts."""
    directory = tmp_path_factory.mktemp("managed")
    local = f"test://{node_file(directory, 0, {'here': 1})}"
    config = (
        f"uris = ['{local}']\n[nodes]\ntransports = ['unix', 'ssh', 'tls', 'tcp']\n"
        "hosts = ['127.0.0.1', '*.example.com', '10.0.0.*', 'fd00::*']\n"
        f"patience = 20\n[node.fixed]\nuris = ['test://{node_file(directory, 1, {'fixed': 1})}']\n"
    )
    with Server(config=config) as server:
        yield server


def managed(ask: Any, name: str) -> Any:
    """Ask for a node."""
    return ask.GetInstance(pywbem.CIMInstanceName("Virt_ManagedNode", {"Name": name}, namespace="root/interop"))


def has_state(ask: Any, name: str, state: int) -> Callable[[], bool]:
    """A condition: a node has a state."""
    return lambda: bool(managed(ask, name)["State"] == state)


def make(ask: Any, **properties: Any) -> Any:
    """Make a node."""
    return ask.CreateInstance(pywbem.CIMInstance("Virt_ManagedNode", properties), namespace="root/interop")


def test_a_node_is_made_changed_and_removed_by_cim(permissive: Server) -> None:
    server, ask = permissive, permissive.pywbem("root/interop")
    path = make(ask, Name="Lab", URIs=["test:///default"], Comment="first")
    assert path["Name"] == "Lab"
    node = ask.GetInstance(path)
    assert (node["State"], node["Origin"], node["Namespace"]) == (2, "", "root/virt/Lab")
    assert (node["Platforms"], node["Enabled"], node["ReadOnly"]) == (["Test"], True, False)
    assert names(ask, "root/virt/lab") == {"test"}
    node["Comment"] = "second"
    ask.ModifyInstance(node, PropertyList=["Comment"])
    assert managed(ask, "lab")["Comment"] == "second"
    server.stop()
    server.start()
    ask = server.pywbem("root/interop")
    wait_until(lambda: names(ask, "root/virt/Lab") == {"test"})
    path = managed(ask, "Lab").path
    node = ask.GetInstance(path)
    assert node["Comment"] == "second"
    node["Enabled"] = False
    ask.ModifyInstance(node, PropertyList=["Enabled"])
    assert names(ask, "root/virt/Lab") == set()
    assert ask.GetInstance(path)["State"] == 0
    ask.DeleteInstance(path)
    with pytest.raises(pywbem.CIMError) as raised:
        ask.GetInstance(path)
    assert raised.value.status_code == pywbem.CIM_ERR_NOT_FOUND


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("a/b", pywbem.CIM_ERR_INVALID_PARAMETER),
        ("x" * 300, pywbem.CIM_ERR_INVALID_PARAMETER),
        ("", pywbem.CIM_ERR_INVALID_PARAMETER),
        ("fixed", pywbem.CIM_ERR_ALREADY_EXISTS),
        ("FIXED", pywbem.CIM_ERR_ALREADY_EXISTS),
        ("default", pywbem.CIM_ERR_ALREADY_EXISTS),
    ],
)
def test_a_name_that_cannot_be_is_refused(permissive: Server, name: str, status: int) -> None:
    ask = permissive.pywbem("root/interop")
    with pytest.raises(pywbem.CIMError) as raised:
        make(ask, Name=name, URIs=["test:///default"])
    assert raised.value.status_code == status
    assert len(raised.value.status_description) < 400


def test_what_is_from_a_file_is_only_read(permissive: Server) -> None:
    server = permissive
    ask = server.pywbem("root/interop")
    node = managed(ask, "fixed")
    assert node["Origin"] == str(server.directory / "virtcim.toml")
    node["Comment"] = "mine"
    with pytest.raises(pywbem.CIMError, match="only the administrator"):
        ask.ModifyInstance(node, PropertyList=["Comment"])
    with pytest.raises(pywbem.CIMError, match="only the administrator"):
        ask.DeleteInstance(node.path)


def test_a_uri_of_a_client_is_held_to_the_rules(permissive: Server) -> None:
    """By each way in which a client can name one, and what was there stays."""
    ask = permissive.pywbem("root/interop")
    path = make(ask, Name="kept", URIs=["test:///default"])
    kept = ask.GetInstance(path)
    sent = [(uri, reason) for uri, reason in HOSTILE if uri and "\x00" not in uri]
    for uri, reason in [*sent, ("", "names no connection")]:
        for change in ({"URIs": [uri]}, {"URIs": ["test:///default", uri]}, {"MigrateURI": uri or "x"}):
            with pytest.raises(pywbem.CIMError) as raised:
                make(ask, **{"Name": "bad", "URIs": ["test:///default"], **change})
            expected = reason if uri or "URIs" in change else "not a URI of libvirt"
            assert expected in raised.value.status_description, (uri, change)
            told = pywbem.CIMInstance("Virt_ManagedNode", change, path=path)
            with pytest.raises(pywbem.CIMError) as raised:
                ask.ModifyInstance(told, PropertyList=list(change))
            assert raised.value.status_code == pywbem.CIM_ERR_INVALID_PARAMETER
            assert expected in raised.value.status_description, (uri, change)
    assert ask.GetInstance(path).properties == kept.properties
    assert "bad" not in {path["Name"] for path in ask.EnumerateInstanceNames("Virt_ManagedNode")}
    ask.DeleteInstance(path)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "names no connection"),
        ({"URIs": pywbem.CIMProperty("URIs", None, type="string", is_array=True)}, "names no connection"),
        ({"URIs": pywbem.CIMProperty("URIs", [], type="string", is_array=True)}, "names no connection"),
        ({"URIs": ["test:///default"] * 2}, "names a connection twice"),
        ({"URIs": [f"qemu+tls://h{number}.example.com/system" for number in range(17)]}, "has 17 URIs; expected 16"),
        ({"URIs": ["test:///default"], "Groups": [f"g{number}" for number in range(65)]}, "has 65 groups; expected 64"),
        ({"URIs": ["test:///default"], "Groups": ["a/b"]}, "group 'a/b': is not a name"),
        ({"URIs": ["test:///default"], "Groups": [""]}, "group '': is not a name"),
        ({"URIs": ["test:///default"], "Groups": ["g" * 300]}, "is not a name"),
        ({"URIs": ["test:///default"], "Groups": ["<b>\u202e"]}, "is not a name"),
        ({"URIs": ["test:///default"], "Comment": "x" * 5000}, "has 5000 characters in its comment; expected 4096"),
    ],
    ids=range(11),
)
def test_settings_that_cannot_be_are_refused(permissive: Server, values: dict[str, Any], reason: str) -> None:
    ask = permissive.pywbem("root/interop")
    with pytest.raises(pywbem.CIMError) as raised:
        make(ask, Name="bad", **values)
    assert raised.value.status_code == pywbem.CIM_ERR_INVALID_PARAMETER
    assert reason in raised.value.status_description
    assert len(raised.value.status_description) < 400
    assert "bad" not in {path["Name"] for path in ask.EnumerateInstanceNames("Virt_ManagedNode")}


def test_who_subscribes_is_told_of_nodes_groups_and_templates(permissive: Server) -> None:
    server, ask = permissive, permissive.pywbem("root/interop")
    classes = ("Virt_ManagedNode", "Virt_NodeGroup", "Virt_Template", "Virt_TemplateGroup")
    isa = " OR ".join(f"SourceInstance ISA {name}" for name in classes)
    queries = [f"SELECT * FROM CIM_Inst{kind} WHERE {isa}" for kind in ("Creation", "Modification", "Deletion")]
    document = 'id = "told"\nversion = 1\ngroup = "told"\ntitle = "%s"\n'
    with Listener() as listener, subscribed(server, listener, *queries, spaces=("interop",)):

        def told(kind: str, class_name: str, **properties: Any) -> Any:
            return listener.wait(
                lambda each: (
                    each.classname == f"CIM_Inst{kind}"
                    and each["SourceInstance"].classname == class_name
                    and all(each["SourceInstance"].get(name) == value for name, value in properties.items())
                )
            )

        path = make(ask, Name="Told", URIs=["test:///default"], Groups=["told"])
        created = told("Creation", "Virt_ManagedNode", Name="Told")
        assert created["SourceInstanceModelPath"].endswith('root/interop:Virt_ManagedNode.Name="Told"')
        told("Creation", "Virt_NodeGroup", Name="told")
        node = ask.GetInstance(path)
        node["Comment"] = "other"
        ask.ModifyInstance(node, PropertyList=["Comment"])
        modified = told("Modification", "Virt_ManagedNode", Comment="other")
        assert modified["ChangedPropertyNames"] == ["Comment"]
        assert not modified["PreviousInstance"]["Comment"]
        ask.DeleteInstance(path)
        assert told("Deletion", "Virt_ManagedNode", Name="Told")["SourceInstance"]["Comment"] == "other"
        told("Deletion", "Virt_NodeGroup", Name="told")
        template = ask.CreateInstance(pywbem.CIMInstance("Virt_Template", {"Document": document % "one"}))
        told("Creation", "Virt_Template", ElementName="one")
        told("Creation", "Virt_TemplateGroup", ElementName="told")
        changed = ask.GetInstance(template)
        changed["Document"] = document % "two"
        ask.ModifyInstance(changed, PropertyList=["Document"])
        assert told("Modification", "Virt_Template", ElementName="two")["PreviousInstance"]["ElementName"] == "one"
        ask.DeleteInstance(template)
        told("Deletion", "Virt_Template", ElementName="two")
        told("Deletion", "Virt_TemplateGroup", ElementName="told")
    guests = "SELECT * FROM CIM_InstCreation WHERE SourceInstance ISA CIM_ComputerSystem"
    with (
        pytest.raises(pywbem.CIMError, match="has no indications; expected root/virt"),
        subscribed(server, listener, guests, spaces=("interop",)),
    ):
        raise AssertionError("guests are not there")


def virtcim(server: Server, *arguments: str) -> tuple[int, str]:
    """Run the command line against a server, and return its exit status and what it wrote."""
    done = subprocess.run(
        [*COMMAND, *arguments, "--url", server.url, "--user", server.user or ""],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "VIRTCIM_PASSWORD": server.password or ""},
    )
    return done.returncode, done.stdout + done.stderr


def test_the_command_line_lists_adds_edits_and_removes_nodes(permissive: Server) -> None:
    server = permissive
    assert virtcim(server, "node", "add", "cli", "--uri", "test:///default", "--group", "lab") == (
        0,
        "cli: connected in root/virt/cli\n",
    )
    status, text = virtcim(server, "node", "list")
    assert status == 0
    rows = {line.split()[0]: line.split() for line in text.splitlines()}
    assert rows["cli"][1:4] == ["connected", "Test", "lab"]
    assert rows["fixed"][-1] == str(server.directory / "virtcim.toml")
    assert virtcim(server, "node", "edit", "cli", "--no-group", "--comment", "x")[0] == 0
    node = managed(server.pywbem(), "cli")
    assert (node["Comment"], node["Groups"] or [], node["URIs"]) == ("x", [], ["test:///default"])
    assert virtcim(server, "node", "check", "cli")[0] == 0
    status, text = virtcim(server, "node", "add", "bad", "--uri", "qemu+tls://127.0.0.1/system?no_verify=1")
    assert status == 1
    assert "no_verify" in text
    assert virtcim(server, "node", "remove", "cli") == (0, "cli: removed\n")
    assert virtcim(server, "node", "check", "cli")[0] == 1
