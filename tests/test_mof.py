"""From MOF to the class store: cache, templates, what is refused."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from tests.bed import Server
from virtcim import mof, schema
from virtcim.schema import mofcompile
from virtcim.schema.classes import SchemaError
from virtcim.schema.mof import CACHE_NAME, MofSource, load_class_store

QUALIFIERS = MofSource(
    "qualifiers",
    """
    Qualifier Key : boolean = false, Scope(property, reference), Flavor(DisableOverride, ToSubclass);
    Qualifier Override : string = null, Scope(property, reference, method), Flavor(EnableOverride, Restricted);
    Qualifier Description : string = null, Scope(any), Flavor(EnableOverride, ToSubclass, Translatable);
    Qualifier EmbeddedInstance : string = null, Scope(property, method, parameter);
    Qualifier EmbeddedObject : boolean = false, Scope(property, method, parameter), Flavor(DisableOverride, ToSubclass);
    Qualifier Association : boolean = false, Scope(association), Flavor(DisableOverride, ToSubclass);
    Qualifier In : boolean = true, Scope(parameter), Flavor(DisableOverride, ToSubclass);
    Qualifier Out : boolean = false, Scope(parameter), Flavor(DisableOverride, ToSubclass);
    """,
)
BASE = MofSource("base", "class A_Base { [Key] string Name; uint8 Bytes[6] = {1, 2}; real32 Part = 0.5; };")


def test_a_valid_cache_is_read_without_pywbem(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from virtcim import mof, schema
from virtcim.schema.mof import load_class_store
store = load_class_store([*schema.texts(), *mof.texts()], mof.templates(), ["KVM"], Path(sys.argv[1]))
for name in store:
    store[name]
print(len(store), "pywbem" in sys.modules)
"""
    root = Path(schema.__file__).parents[2]

    def run() -> list[str]:
        command = [sys.executable, "-c", script, str(tmp_path)]
        return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split()

    first, second = run(), run()
    assert first[1] == "True"
    assert second == [first[0], "False"]


def test_a_server_loads_no_pywbem_even_when_it_has_to_have_classes_compiled() -> None:
    """Python writes a line for each module that it loads; the compiler runs in another process."""
    server = Server("test:///default", auth="none", guarded=False, compiled=False)
    server.command[1:1] = ["-X", "importtime"]
    with server:
        server.wbemcli("ein", "Test_ComputerSystem")
        assert (server.state_dir / CACHE_NAME).exists()
        errors = server.errors
    loaded = {line.rpartition("|")[2].strip() for line in errors.splitlines() if line.startswith("import time:")}
    assert "virtcim.schema.mof" in loaded
    assert [name for name in loaded if name.partition(".")[0] in {"pywbem", "ply", "requests"}] == []


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows with every compilation."""
    seen: list[object] = []
    compile_mof = mofcompile.compile_mof

    def counting(sources: list[tuple[str, str]]) -> object:
        seen.append(sources)
        return compile_mof(sources)

    monkeypatch.setattr(mofcompile, "compile_mof", counting)
    return seen


def test_the_cache_serves_any_platforms_but_only_the_same_mof(tmp_path: Path, compilations: list[object]) -> None:
    template = MofSource("template", "class Platform_Base : A_Base {};")
    load_class_store([QUALIFIERS, BASE], [template], ["KVM"], tmp_path)
    store = load_class_store([QUALIFIERS, BASE], [template], ["Xen", "LXC"], tmp_path)
    assert store.subclasses("A_Base", deep=True) == ["Xen_Base", "LXC_Base"]
    assert len(compilations) == 1
    changed = MofSource("base", BASE.text.replace("Part", "Share"))
    assert "share" in load_class_store([QUALIFIERS, changed], [template], [], tmp_path)["A_Base"].properties
    assert len(compilations) == 2
    assert [path.name for path in tmp_path.iterdir()] == [CACHE_NAME]


@pytest.mark.parametrize("damage", ["empty", "short", "bit", "other"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, compilations: list[object], damage: str) -> None:
    load_class_store([QUALIFIERS, BASE], [], [], tmp_path)
    path = tmp_path / CACHE_NAME
    content = path.read_bytes()
    damaged = {
        "empty": b"",
        "short": content[:-7],
        "bit": content[:-20] + bytes([content[-20] ^ 1]) + content[-19:],
        "other": b"\xff\x00\n" * 5,
    }[damage]
    path.write_bytes(damaged)
    assert load_class_store([QUALIFIERS, BASE], [], [], tmp_path)["A_Base"].keys == ("Name",)
    assert len(compilations) == 2
    assert path.read_bytes() == content


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    occupied = tmp_path / "file"
    occupied.touch()
    assert "A_Base" in load_class_store([QUALIFIERS, BASE], [], [], occupied / "cache")
    assert "cannot be written" in caplog.text


def test_types_and_values_survive(tmp_path: Path) -> None:
    text = """
    class A_Part : A_Base { };
    [Association] class A_Link { [Key] A_Base REF Whole; [Key] A_Part REF Part; };
    class A_Rest {
        sint64 Low = -5; boolean Yes = true; char16 Letter; string Words[] = {"a", "b\\n\\"c\\""};
        datetime When = "20200101000000.000000+000";
        [EmbeddedInstance("A_Part")] string Inner; [EmbeddedObject] string Any[];
        [Description("Does it.")] uint32 Do([In] string Given, [In(false), Out, Description("d")] A_Base REF Found[],
            [In, Out, EmbeddedInstance("A_Part")] string Both);
    };
    """
    for _ in range(2):  # the second time from the cache
        store = load_class_store([QUALIFIERS, BASE, ("rest", text)], [], [], tmp_path)
        base = store["A_Base"].properties
        assert (base["bytes"].array_size, base["bytes"].default, base["part"].default) == (6, (1, 2), 0.5)
        rest = store["A_Rest"].properties
        assert [rest[name].default for name in ("low", "yes", "letter")] == [-5, True, None]
        assert rest["words"].default == ("a", 'b\n"c"')
        assert rest["when"].default == "20200101000000.000000+000"
        assert (rest["inner"].embedded_object, rest["inner"].embedded_class) == ("instance", "A_Part")
        assert (rest["any"].embedded_object, rest["any"].embedded_class) == ("object", None)
        link = store["A_Link"]
        assert link.is_association
        assert [link.properties[key.lower()].reference_class for key in link.keys] == ["A_Base", "A_Part"]
        do = store["A_Rest"].methods["do"]
        directions = [(each.is_in, each.is_out) for each in do.parameters.values()]
        assert directions == [(True, False), (False, True), (True, True)]
        assert (do.parameters["found"].type, do.parameters["found"].is_array) == ("reference", True)
        assert do.parameters["both"].embedded_class == "A_Part"
        declared = store.qualifier_declarations
        assert declared["description"].scopes == {
            "CLASS",
            "ASSOCIATION",
            "INDICATION",
            "PROPERTY",
            "REFERENCE",
            "METHOD",
            "PARAMETER",
        }
        assert (declared["key"].overridable, declared["override"].tosubclass) == (False, False)
        assert declared["embeddedinstance"].tosubclass


def test_the_schema_name_is_replaced_wherever_a_class_is_named() -> None:
    template = """
    [Description("See\\nPlatform_Base, not MyPlatform_Base.")]
    class Platform_Base : A_Base { };
    class Platform_Holder : Platform_Base {
        [EmbeddedInstance("Platform_Base")] string Platform_Name;
        uint32 Give([In(false), Out] Platform_Base REF Given);
    };
    """
    store = load_class_store([QUALIFIERS, BASE], [("template", template)], ["KVM", "Xen"], None)
    holder = store["Xen_Holder"]
    assert holder.superclass == "Xen_Base"
    assert holder.properties["xen_name"].embedded_class == "Xen_Base"
    assert holder.methods["give"].parameters["given"].reference_class == "Xen_Base"
    assert store["KVM_Base"].qualifiers["description"].value == "See\nKVM_Base, not MyPlatform_Base."


@pytest.mark.parametrize(
    ("sources", "templates", "message"),
    [
        (["class A_Base { string Name };"], [], "MOF grammar error"),
        (["[Colour] class A_Base { };"], [], "Colour"),
        (["class A_Sub : A_Base { };"], [], "not declared before it"),
        ([BASE.text, "class A_Sub : A_Base { string Name; };"], [], r"A_Sub\.Name hides"),
        ([BASE.text, 'class A_Sub : A_Base { [Override("Name")] uint8 Name; };'], [], "another type"),
        (["class A_One { uint8 M(); };", "class A_Two : A_One { uint8 M(); };"], [], r"A_Two\.M hides"),
        (["[Association] class A_Link { [Key] A_Gone REF End; };"], [], r"A_Link\.End names A_Gone"),
        (["class A_Do { uint8 M(A_Gone REF P); };"], [], r"A_Do\.M\(P\) names A_Gone"),
        ([], ["class A_Base { };"], "named Platform_"),
        (["class Platform_Base { };"], [], "named Platform_"),
    ],
)
def test_mof_with_faults_is_refused(tmp_path: Path, sources: list[str], templates: list[str], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        load_class_store(
            [QUALIFIERS, *(MofSource("source", text) for text in sources)],
            [MofSource("template", text) for text in templates],
            ["KVM"],
            tmp_path,
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("prefix", ["", "KVM_", "K VM", "4K"])
def test_a_prefix_is_a_schema_name(prefix: str) -> None:
    with pytest.raises(ValueError, match="Not a schema name"):
        load_class_store([], [], [prefix], None)


def test_the_mof_of_the_project_compiles_without_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_class_store([*schema.texts(), *mof.texts()], mof.templates(), ["KVM"], None)
