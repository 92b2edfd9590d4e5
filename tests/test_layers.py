"""Imports point one way, and each layer knows only what it may."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

OWN = {"libhelper", "platforms", "providers", "cimom", "cmpi", "registration", "schema", "mof", "virtcim"}

#: What each package may import of this project, beside itself.
ALLOWED: dict[str, set[str]] = {
    "libhelper": set(),
    "platforms": {"libhelper"},
    "providers": {"platforms", "libhelper"},
    "cimom": {"providers.interface"},
    "cmpi": {"providers.interface", "registration", "virtcim"},
    "registration": {"providers", "platforms", "libhelper"},
    "schema": set(),
    "mof": set(),
    "virtcim": OWN,
}

#: Libraries that are somebody else's business.
FOREIGN: dict[str, set[str]] = {
    "libhelper": {"pywbem", "aiohttp"},
    "platforms": {"libvirt", "libvirt_qemu", "libvirtaio", "libvirt_lxc", "pywbem", "aiohttp", "lxml"},
    "providers": {"libvirt", "libvirt_qemu", "libvirtaio", "libvirt_lxc", "pywbem", "aiohttp"},
    "cimom": {"libvirt", "libvirt_qemu", "libvirtaio", "libvirt_lxc"},
    "cmpi": {"libvirt", "libvirt_qemu", "libvirtaio", "libvirt_lxc", "aiohttp"},
}

#: Words that give away that a layer knows what it should not.
WORDS: dict[str, tuple[str, ...]] = {
    "libhelper": ("EnabledState", "CIMError", "InstanceID", "OperationalStatus", "CIM_"),
    "cimom": ("virDomain", "VIR_DOMAIN", "qemu:///", "KVM_", "Virt_"),
}


def modules(package: str) -> Iterator[Path]:
    yield from (ROOT / package).rglob("*.py")


def imports(path: Path) -> Iterator[str]:
    """The full names of all modules that a module imports, wherever in it, and for type checking too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield ".".join(
                    [
                        *path.relative_to(ROOT).parent.parts[: len(path.relative_to(ROOT).parts) - node.level],
                        node.module or "",
                    ]
                )
            else:
                yield from (f"{node.module}.{name.name}" for name in node.names)


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_point_one_way(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in modules(package)
        for module in imports(path)
        if module.partition(".")[0] in OWN
        and not any(is_within(module, allowed) for allowed in {package, *ALLOWED[package]})
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


@pytest.mark.parametrize("package", sorted(WORDS))
def test_each_layer_speaks_its_own_language(package: str) -> None:
    """Code, not documentation: names and strings that only another layer can know."""
    wrong = []
    for path in modules(package):
        tree = ast.parse(path.read_text())
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


def test_providers_know_neither_front_end() -> None:
    wrong = [
        path
        for path in (ROOT / "providers").rglob("*.py")
        if any(
            is_within(module, front)
            for module in imports(path)
            for front in ("cimom", "cmpi", "registration", "virtcim")
        )
    ]
    assert not wrong


def test_the_provider_interface_imports_nothing_of_this_project() -> None:
    assert [m for m in imports(ROOT / "providers" / "interface.py") if m.partition(".")[0] in OWN] == []
