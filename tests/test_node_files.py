"""The files that name nodes, and what is registered in other CIM servers for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from virtcim.app.commands.registration import make_plan
from virtcim.app.config import ConfigError, load
from virtcim.app.nodefiles import configured_nodes, served_nodes
from virtcim.app.store import DATABASE, SQLiteStore
from virtcim.images.toml import read_text
from virtcim.providers.nodes import MANAGED, ManagedNode, NodeSettings


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A configuration with a node, and files beside it: good ones, a broken one, and one that clashes."""
    file = tmp_path / "virtcim.toml"
    file.write_text("[node.west]\nuris = ['qemu:///system', 'lxc:///']\n[group.prod]\ntitle = 'P'\n")
    directory = tmp_path / "nodes.d"
    directory.mkdir()
    (directory / "10-broken.toml").write_text("[node.lost]\nuris = [\n")
    (directory / "20-east.toml").write_text(
        "[node.east]\nuris = ['qemu+tls://east/system']\ngroups = ['prod']\nread_only = true\n"
        "[node.off]\nuris = ['qemu+tls://off/system']\nenabled = false\n[group.'a b']\ntitle = 'no name'\n"
    )
    (directory / "30-again.toml").write_text(
        "[node.WEST]\nuris = ['test:///default']\n[node.late]\nuris = ['lxc:///']\n"
    )
    (directory / "40-wrong.toml").write_text("[node.south]\nuri = 'qemu:///system'\n")
    (directory / "notes.txt").write_text("[node.no]\n")
    os.mkfifo(directory / "50-pipe.toml")
    (directory / "51-directory.toml").mkdir()
    (directory / "52-loop.toml").symlink_to("52-loop.toml")
    (directory / "53-nowhere.toml").symlink_to("nowhere")
    (directory / "54-latin.toml").write_bytes(b"# \xe4\n")
    (directory / "55-empty.toml").touch()
    return file


def test_each_file_is_taken_or_named(configuration: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = configured_nodes(load(configuration, {}))
    directory = configuration.parent / "nodes.d"
    assert found.nodes.keys() == {"west", "east", "off", "late"}
    assert found.nodes["west"].uris == ("qemu:///system", "lxc:///")
    assert found.origins["west"] == str(configuration)
    assert found.origins["east"] == str(directory / "20-east.toml")
    assert found.nodes["east"] == NodeSettings(("qemu+tls://east/system",), ("prod",), read_only=True)
    assert found.groups.keys() == {"prod"}
    said = caplog.text
    assert f"{directory / '10-broken.toml'}: " in said
    assert f"{directory / '30-again.toml'}: node 'WEST' exists already, from {configuration}" in said
    assert f"{directory / '40-wrong.toml'}: node.south.uri: is not a setting; expected" in said
    assert "group 'a b': is not a name" in said
    assert f"{directory / '50-pipe.toml'}: is not a plain file" in said
    assert f"{directory / '51-directory.toml'}: is not a plain file" in said
    assert f"{directory / '52-loop.toml'}: Too many levels of symbolic links" in said
    assert f"{directory / '53-nowhere.toml'}: No such file" in said
    assert f"{directory / '54-latin.toml'}: 'utf-8' codec can't decode" in said
    assert "55-empty" not in said


def test_no_file_stays_open_of_what_is_none(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    before = os.listdir("/proc/self/fd")
    for path in (tmp_path, pipe):
        with pytest.raises(ValueError, match="is not a plain file"):
            read_text(path)
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[node.west]\n", "node.west: uris: names no connection"),
        ("[node.west]\nuris = ['test:///default', 'test:///default']\n", "names a connection twice"),
        ("[node.west]\nuris = ['']\n", "names no connection"),
        ("[node.west]\nuris = 'test:///default'\n", "node.west.uris: 'test:///default' is not a list"),
        ("[node.west]\nuris = ['x']\ngroups = ['a/b']\n", "group 'a/b': is not a name"),
        ("[nodes]\ntransports = ['ext']\n", "transports: 'ext' cannot be"),
        ("[nodes]\nmost = 0\n", "nodes.most"),
        ("uris = ['test:///default']\n[node.default]\nuris = ['lxc:///']\n", "expected one of the two"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "virtcim.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(file, {})
    assert reason in str(raised.value)


def test_the_namespaces_of_all_nodes_are_registered(configuration: Path) -> None:
    """Those of the files, and those that were made at run time, be it that the server runs."""
    state = configuration.parent / "state"
    state.mkdir()
    settings = load(configuration, {"state_dir": state})
    store = SQLiteStore(state / DATABASE)
    table = store.table(MANAGED, ManagedNode)
    table.put("lab", ManagedNode(NodeSettings(("test:///default",))))
    table.put("asleep", ManagedNode(NodeSettings(("test:///default",), enabled=False)))
    assert store.flush(30)
    try:
        assert list(served_nodes(settings)) == ["east", "lab", "late", "west"]
        table_of = make_plan(settings).table
    finally:
        store.close()
    for name in ("east", "lab", "late", "west"):
        assert "KVM_ComputerSystem" in table_of.classes(f"root/virt/{name}")
        assert "CIM_InstCreation" in table_of.classes(f"root/virt/{name}")
    assert not table_of.classes("root/virt/off")
    assert "Virt_ManagedNode" in table_of.classes("root/interop")
