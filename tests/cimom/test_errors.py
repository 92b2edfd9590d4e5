"""Error instances, for those who can read them."""

from __future__ import annotations

import pytest
import pywbem

from tests.cimom.harness import RawClient, class_name, intrinsic
from tests.cimom.toy import MOF, Toy
from virtcim.frontends.cimxml.errors import ErrorWriter
from virtcim.providers.interface import CIMError, Status
from virtcim.schema.classes import ClassStore
from virtcim.schema.errors import error_properties
from virtcim.schema.mof import load_class_store

DISKS = intrinsic("EnumerateInstances", ClassName=class_name("Toy_Disk"))


def test_libvirt_errors(connection: pywbem.WBEMConnection, toy: Toy) -> None:
    toy.provider.failure = CIMError(Status.FAILED, "Requested operation is not valid: <domain> is running", 55)
    with pytest.raises(pywbem.CIMError) as error:
        connection.EnumerateInstances("Toy_Disk")
    (instance,) = error.value.instances
    assert instance.classname == "CIM_Error"
    assert dict(instance) == {
        "ErrorType": 4,
        "OwningEntity": "libvirt",
        "MessageID": "libvirt:55",
        "Message": "Requested operation is not valid: <domain> is running",
        "PerceivedSeverity": 5,
        "ProbableCause": 0,
        "CIMStatusCode": 1,
        "CIMStatusCodeDescription": "CIM_ERR_FAILED",
    }


@pytest.mark.parametrize(
    "failure", [CIMError(Status.INVALID_PARAMETER, "odd"), CIMError(Status.NOT_SUPPORTED), RuntimeError("x")]
)
def test_own_errors_are_code_and_text(raw: RawClient, toy: Toy, failure: Exception) -> None:
    toy.provider.failure = failure
    response = raw.post(DISKS)
    assert response.cim_status
    assert b"<INSTANCE" not in response.body


@pytest.mark.parametrize(
    ("status", "libvirt_code", "kind"),
    [
        (Status.FAILED, None, 4),
        (Status.FAILED, 1, 4),
        (Status.INVALID_PARAMETER, None, 1),
        (Status.INVALID_PARAMETER, 8, 4),
        (Status.ACCESS_DENIED, 29, 7),
        (Status.NOT_FOUND, None, 9),
        (Status.NOT_SUPPORTED, 3, 10),
    ],
)
def test_kinds_of_errors(status: Status, libvirt_code: int | None, kind: int) -> None:
    properties = error_properties(int(status), status.name, "odd", libvirt_code)
    assert properties["ErrorType"] == kind
    assert properties["MessageID"] == (f"CIM:{int(status)}" if libvirt_code is None else f"libvirt:{libvirt_code}")
    assert (properties.get("OtherErrorType") == "Request Error") is (kind == 1)


@pytest.mark.parametrize("connection_header", ["Keep-Alive, TE", "Keep-Alive"])
def test_not_for_those_who_cannot_read_them(raw: RawClient, toy: Toy, connection_header: str) -> None:
    toy.provider.failure = CIMError(Status.FAILED, "no", 1)
    body = DISKS.replace('ID="1001"', 'ID="4711"')
    response = raw.post(body, {"User-Agent": None, "Connection": connection_header})
    assert response.cim_status == Status.FAILED
    assert b"CIM_Error" not in response.body
    assert b"CIM_Error" in raw.post(DISKS).body


def test_none_where_the_class_is_not_declared(classes: ClassStore) -> None:
    text = MOF.read_text().partition("class CIM_Error")[0]
    writer = ErrorWriter(load_class_store([(MOF.name, text)], [], [], None))
    error = CIMError(Status.FAILED, "no & never", 1)
    assert writer.element(error, True) == b'<ERROR CODE="1" DESCRIPTION="no &amp; never"></ERROR>'
    assert b"<INSTANCE" in ErrorWriter(classes).element(error, True)
