"""Imports point one way, each layer knows only what it may, and everything stands in the one package `virtcim`."""

from __future__ import annotations

import ast
import configparser
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: What each package of `virtcim` may import of the others.
ALLOWED: dict[str, set[str]] = {
    "libhelper": set(),
    "schema": set(),
    "mof": set(),
    "platforms": {"libhelper"},
    "images": {"platforms", "libhelper"},
    "providers": {"images", "platforms", "libhelper", "schema"},
    "cimom": {"providers.interface", "schema"},
    "frontends": {"providers.interface", "schema", "cimom"},
    "registration": {"providers", "images", "platforms", "libhelper", "schema"},
    "app": {"frontends", "cimom", "registration", "providers", "images", "platforms", "libhelper", "schema", "mof"},
    "testing": {"registration", "providers", "images", "platforms", "libhelper", "schema", "mof"},
}

#: What every package may import of `virtcim` itself: its version, the declaration of classes whose objects do not
#: change, what goes first, who starts threads, and files that others may not choose.
EVERYBODYS = {
    "__version__",
    "files.naming_file",
    "files.read_own",
    "files.write_anew",
    "immutable.immutable",
    "precedence.Precedence",
    "precedence.answers",
    "starter.start_elsewhere",
}

#: The folders of `frontends` that all front ends may import, and what these may import of each other.
SHARED_BY_FRONT_ENDS: dict[str, set[str]] = {"http": set(), "reading": set()}

FRONT_ENDS = sorted(path.parent.name for path in (ROOT / "virtcim" / "frontends").glob("*/__init__.py"))

LIBVIRT = {"libvirt", "libvirt_qemu", "libvirtaio", "libvirt_lxc"}

#: Libraries that are somebody else's business.
FOREIGN: dict[str, set[str]] = {
    "libhelper": {"pywbem", "aiohttp"},
    "platforms": {*LIBVIRT, "pywbem", "aiohttp", "lxml"},
    "images": {*LIBVIRT, "pywbem"},
    "providers": {*LIBVIRT, "pywbem", "aiohttp"},
    "cimom": {*LIBVIRT, "aiohttp", "lxml", "pywbem", "cbor2"},
    "frontends": LIBVIRT,
}

#: Words that give away that a layer knows what it should not.
WORDS: dict[str, tuple[str, ...]] = {
    "libhelper": ("EnabledState", "CIMError", "InstanceID", "OperationalStatus", "CIM_"),
    "images": ("EnabledState", "CIMError", "OperationalStatus", "virDomain"),
    "cimom": ("virDomain", "VIR_DOMAIN", "qemu:///", "KVM_", "Virt_"),
}


def modules(package: str) -> Iterator[Path]:
    yield from (ROOT / "virtcim" / package).rglob("*.py")


@functools.cache
def imports(path: Path) -> tuple[str, ...]:
    """The full names of all modules that a module imports, wherever in it, and for type checking too."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = path.relative_to(ROOT).parts[: -node.level]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            found += (f"{base}.{name.name}" for name in node.names)
    return tuple(found)


def own_imports(path: Path) -> Iterator[str]:
    """What a module imports of this project, without the name of the project, and without what is everybody's."""
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "virtcim" and rest not in EVERYBODYS:
            yield rest


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def test_every_package_has_its_rule() -> None:
    found = {path.parent.name for path in (ROOT / "virtcim").glob("*/__init__.py")}
    assert found == set(ALLOWED)


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_point_one_way(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in modules(package)
        for module in own_imports(path)
        if not any(is_within(module, allowed) for allowed in {package, *ALLOWED[package]})
    ]
    assert not wrong


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_no_front_end_imports_another(front_end: str) -> None:
    allowed = {front_end, *SHARED_BY_FRONT_ENDS.get(front_end, SHARED_BY_FRONT_ENDS)}
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in modules(f"frontends/{front_end}")
        for module in own_imports(path)
        if is_within(module, "frontends") and not any(is_within(module, f"frontends.{each}") for each in allowed)
    ]
    assert not wrong


def test_a_server_knows_no_other_command() -> None:
    """Only the command line's grammar does, by their names, and loads the one that is called."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in (ROOT / "virtcim" / "app").glob("*.py")
        for module in own_imports(path)
        if is_within(module, "app.commands") and path.name != "main.py"
    ]
    assert not wrong


@pytest.mark.parametrize("package", sorted(FOREIGN))
def test_each_layer_leaves_the_libraries_of_others_alone(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in modules(package)
        for module in imports(path)
        if module.partition(".")[0] in FOREIGN[package]
    ]
    assert not wrong


def test_one_module_loads_aiohttp() -> None:
    """The one that does it without the certificate authorities of the system."""
    importers = {
        str(path.relative_to(ROOT / "virtcim"))
        for path in (ROOT / "virtcim").rglob("*.py")
        if any(is_within(module, "aiohttp") for module in imports(path))
    }
    assert importers == {"frontends/http/library.py"}


def requirements() -> list[str]:
    """What `setup.cfg` asks for, without what is for tests."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    return [*settings["options"]["install_requires"].split(), *settings["options.extras_require"]["dnssd"].split()]


def test_aiohttp_is_bounded_above() -> None:
    """Parts of it that are its own are used: another major version may have others in their place."""
    (asked,) = (each for each in requirements() if each.startswith("aiohttp"))
    assert re.fullmatch(r"aiohttp>=[\d.]+,<\d+", asked)


def test_what_is_imported_is_asked_for() -> None:
    """A library that only another one brings may be gone with its next version."""
    asked = {re.split("[<>=]", each)[0] for each in requirements()}
    foreign = {name.partition(".")[0] for path in (ROOT / "virtcim").rglob("*.py") for name in imports(path)}
    foreign -= {*sys.stdlib_module_names, "virtcim"}
    brought = packages_distributions()
    assert {name for name in foreign if not asked & {each.replace("_", "-") for each in brought[name]}} == set()


@pytest.mark.parametrize("package", sorted(WORDS))
def test_each_layer_speaks_its_own_language(package: str) -> None:
    """Code, not documentation: names and strings that only another layer can know."""
    wrong = []
    for path in modules(package):
        text = path.read_text()
        if not any(word in text for word in WORDS[package]):
            continue
        tree = ast.parse(text)
        documentation = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                spoken = node.value
            elif isinstance(node, ast.Name | ast.Attribute):
                spoken = node.id if isinstance(node, ast.Name) else node.attr
            else:
                continue
            if any(word in spoken for word in WORDS[package]):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {spoken!r}")
    assert not wrong


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph() -> dict[str, set[str]]:
    """Which module of this project names which other one in an import, for type checking too.

    That a package is loaded before what stands in it is not counted: it is the package that names that.
    """
    paths = {module_name(path): path for path in (ROOT / "virtcim").rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for name, path in paths.items():
        named = {full if full in paths else full.rpartition(".")[0] for full in imports(path)}
        graph[name] = {module for module in named if module in paths and module != name}
    return graph


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The sets of modules each of which leads to all the others (Tarjan's algorithm), of two modules and more."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in order:
                visit(other)
            if other in stack:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == order[module]:
            place = stack.index(module)
            if len(stack) - place > 1:
                found.append(set(stack[place:]))
            del stack[place:]

    for module in sorted(graph):
        if module not in order:
            visit(module)
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert [sorted(circle) for circle in circles(import_graph())] == []


def test_what_providers_and_the_core_handle_has_a_type() -> None:
    """mypy checks nothing of what is declared as Any: it stands for values of clients, whose class says their type."""
    words = [
        word
        for package in ("providers", "cimom")
        for path in sorted((ROOT / "virtcim" / package).rglob("*.py"))
        for word in re.findall(r"\bAny\b", path.read_text())
    ]
    assert len(words) <= 125


def test_a_circle_is_found() -> None:
    graph = import_graph()
    graph["virtcim.libhelper.inventory.records"] |= {"virtcim.libhelper.hypervisor"}
    (circle,) = (found for found in circles(graph) if "virtcim.libhelper.hypervisor" in found)
    assert {"virtcim.libhelper.inventory.records", "virtcim.libhelper.inventory.inventory"} < circle


#: The modules of indications, each of which may import those before it only: what changes goes one way.
INDICATIONS = (
    "settings", "records", "names", "addresses", "predefined", "repeats", "filters", "served", "subscriptions",
    "journal", "queue", "relay", "streams", "recent", "engine", "delivery", "relayed", "objects", "subscribing",
    "service",
)  # fmt: skip


def test_indications_go_one_way() -> None:
    package = "cimom.indications"
    top = ROOT / "virtcim" / "cimom" / "indications"
    files = [(path.relative_to(top).with_suffix("").parts[0], path) for path in modules("cimom/indications")]
    assert {name for name, _ in files} - {"__init__"} == set(INDICATIONS)
    wrong = [
        f"{name} imports {module}"
        for name, path in files
        if name in INDICATIONS
        for module in own_imports(path)
        if is_within(module, package) and module.split(".")[2] not in (*INDICATIONS[: INDICATIONS.index(name)], name)
    ]
    assert not wrong


def test_no_provider_waits_for_who_follows_changes() -> None:
    lifecycle = "providers.lifecycle"
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in modules("providers")
        if not is_within(module_name(path), f"virtcim.{lifecycle}")
        for module in own_imports(path)
        if is_within(module, lifecycle)
    ]
    assert not wrong


def test_the_provider_interface_imports_only_what_lies_below_all() -> None:
    imported = own_imports(ROOT / "virtcim" / "providers" / "interface.py")
    assert all(is_within(module, "schema") for module in imported)


#: The names of packages that a bare import would find through the links at the top of the tree, and load a second time.
BARE = "cimom|cmpi|frontends|libhelper|mof|platforms|providers|registration|schema"

BARE_IMPORT = re.compile(rf"^\s*(?:>>> )?(?:from (?:{BARE})[.\s]|import (?:{BARE})\b)|-m (?:{BARE})\b", re.MULTILINE)


def test_nothing_imports_a_package_without_its_root() -> None:
    suffixes = {".py", ".md", ".cfg", ".toml", ".mk", ".service", ""}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    names = listed.stdout.split("\n") if listed.returncode == 0 else map(str, ROOT.rglob("*"))
    wrong = []
    for name in filter(None, names):
        path = ROOT / name
        if path.suffix in suffixes and path.is_file() and not path.is_symlink():
            text = path.read_text("utf-8", "replace")
            wrong += [f"{name}: {found[0].strip()}" for found in BARE_IMPORT.finditer(text)]
    assert not wrong


def test_entry_points_lead_into_the_one_package() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    lines = [line for group in settings["options.entry_points"].values() for line in group.split("\n") if line]
    assert lines
    assert [line for line in lines if not line.partition("=")[2].strip().startswith("virtcim.")] == []


LOADED_TWICE = """
import importlib, os, pkgutil, sys
import virtcim
for found in pkgutil.walk_packages(virtcim.__path__, "virtcim."):
    importlib.import_module(found.name)
files = {}
for name, module in sorted(sys.modules.items()):
    if getattr(module, "__file__", None) and name != "__main__":
        # Through the links at the top of the tree the same file has another path.
        files.setdefault(os.path.realpath(module.__file__), []).append(name)
twice = [names for names in files.values() if len(names) > 1 and any("virtcim" in name for name in names)]
sys.exit(repr(twice) if twice else 0)
"""


def test_no_module_is_loaded_under_two_names() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED_TWICE], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
