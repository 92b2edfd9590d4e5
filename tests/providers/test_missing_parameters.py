"""Every method that is served, called without its parameters, with NULL for each, and with empty arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import pywbem

from tests.bed import Server

NAMESPACES = ("root/virt", "root/interop")
AS_IN_LIBVIRT_CIM = {
    ("VirtualSystemManagementService", "ModifySystemSettings"): "Missing SystemSettings",
    ("VirtualSystemManagementService", "DefineSystem"): "ResourceSettings Error: No resources specified",
    ("VirtualSystemMigrationService", "MigrateSSHKeyCopy"): "Failed to get property 'SSH_Key_Src'.",
}
"""Where the class lets a parameter be left out, and so what libvirt-cim said without it stands: FAILED."""
NOT_BY_PARAMETERS = {
    ("VirtualSystemMigrationService", "MigrateSSHKeyDelete"): "has no parameters, and is not switched on",
    ("AggregatedManagementService", "DefineSystem"): "all may be left out, and there is no node",
}
NO_ERROR, NOT_SUPPORTED, INVALID = 0, 1, 4
"""What return values mean, whichever the method."""


def paths_with_methods(ask: Any, namespace: str) -> Iterator[tuple[pywbem.CIMClass, pywbem.CIMInstanceName]]:
    """Each class with methods, and an instance of it."""
    served = {each.classname for each in ask.EnumerateInstanceNames("CIM_ManagedElement", namespace=namespace)}
    for name in ask.EnumerateClassNames(namespace=namespace, DeepInheritance=True):
        declared = ask.GetClass(name, namespace=namespace, LocalOnly=False)
        if declared.methods:
            paths = ask.EnumerateInstanceNames(name, namespace=namespace) if name in served else []
            path = next((each for each in paths if each.classname == name), None)
            if path is not None:
                yield declared, path


def given(method: pywbem.CIMMethod, value: object, *, only_arrays: bool) -> list[pywbem.CIMParameter]:
    """The input parameters of a method, with one value for each."""
    inputs = (each for each in method.parameters.values() if "In" not in each.qualifiers or each.qualifiers["In"].value)
    return [
        pywbem.CIMParameter(
            each.name, each.type, value=value, is_array=each.is_array, reference_class=each.reference_class
        )
        for each in inputs
        if each.is_array or not only_arrays
    ]


def answer(ask: Any, method: str, path: Any, parameters: Sequence[pywbem.CIMParameter]) -> tuple[bool, int, str]:
    """Whether it is an error, the status or the return value, and the text."""
    try:
        value, _ = ask.InvokeMethod(method, path, Params=parameters)
    except pywbem.CIMError as error:
        return True, error.status_code, str(error.status_description)
    return False, value, ""


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_what_is_missing_is_an_invalid_parameter(namespace: str) -> None:
    called = 0
    with Server("test:///default") as server:
        ask = server.pywbem(namespace)
        for declared, path in paths_with_methods(ask, namespace):
            for method in declared.methods.values():
                place = declared.classname.partition("_")[2], method.name
                for parameters in (
                    [],
                    given(method, None, only_arrays=False),
                    given(method, [], only_arrays=True),
                ):
                    is_error, code, text = answer(ask, method.name, path, parameters)
                    called += 1
                    if is_error and code == pywbem.CIM_ERR_FAILED and place in AS_IN_LIBVIRT_CIM:
                        assert text == AS_IN_LIBVIRT_CIM[place]
                    elif is_error and place not in NOT_BY_PARAMETERS:
                        expected = (pywbem.CIM_ERR_INVALID_PARAMETER, pywbem.CIM_ERR_METHOD_NOT_AVAILABLE)
                        assert code in expected, (place, text)
                    elif not is_error:
                        assert code in (NO_ERROR, NOT_SUPPORTED, INVALID), (place, code)
    assert called > 50
