"""Error instances, for those who can read them."""

from __future__ import annotations

import pytest
import pywbem

from tests.cimom.harness import RawClient, class_name, intrinsic, system
from tests.cimom.toy import MOF, Toy
from virtcim.frontends.cimxml.errors import ErrorWriter
from virtcim.providers.interface import CIMError, Status
from virtcim.schema.classes import ClassStore
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
    ("failure", "kind"),
    [(CIMError(Status.INVALID_PARAMETER, "odd"), 1), (CIMError(Status.NOT_SUPPORTED), 10), (RuntimeError("x"), 4)],
)
def test_own_errors(connection: pywbem.WBEMConnection, toy: Toy, failure: Exception, kind: int) -> None:
    toy.provider.failure = failure
    with pytest.raises(pywbem.CIMError) as error:
        connection.EnumerateInstances("Toy_Disk")
    (instance,) = error.value.instances
    assert (instance["OwningEntity"], instance["ErrorType"]) == ("virtcim", kind)
    assert instance["CIMStatusCode"] == error.value.status_code
    assert instance["MessageID"] == f"CIM:{error.value.status_code}"
    assert (instance.get("OtherErrorType") == "Request Error") is (kind == 1)


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
    error = CIMError(Status.FAILED, "no & never")
    assert writer.element(error, True) == b'<ERROR CODE="1" DESCRIPTION="no &amp; never"></ERROR>'
    assert b"<INSTANCE" in ErrorWriter(classes).element(error, True)


def test_missing_instance(raw: RawClient) -> None:
    response = raw.post(intrinsic("GetInstance", InstanceName=system("absent")))
    values = {each.get("NAME"): each.findtext("VALUE") for each in response.xml.iter("PROPERTY")}
    assert values["CIMStatusCode"] == "6"
    assert values["ErrorType"] == "9"
