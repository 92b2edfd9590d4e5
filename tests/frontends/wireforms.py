"""The bytes that clients of libvirt-cim send: wbemcli, pywbem, SFCC and scripts write one request in several ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from tests.cimom.harness import array, class_name, element, extrinsic, instance_name, intrinsic, namespace_path, value

__all__ = ["WIRE_FORMS", "WireForm"]

NAMESPACE = "root/virt"
WBEMCLI: dict[str, str | None] = {"User-Agent": None, "Connection": "Keep-Alive, TE", "CIMProtocolVersion": "1.0"}
PYWBEM: dict[str, str | None] = {"User-Agent": "pywbem/1.9", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
TRUE, FALSE = value("TRUE"), value("FALSE")


@dataclass(frozen=True)
class WireForm:
    """A request as a client writes it.

    Attributes:
        name: who writes what.
        body: of the request, for the prefix of a platform and the name of a guest.
        found: an XPath that finds something in the answer.
        status: the CIM status code of the answer.
        headers: what of the headers is not as usual; {space}, {class} and {name} stand for what is the guest's.
        drop_in_status: the code in the drop-in mode, where that is another one.
    """

    name: str
    body: Callable[[str, str], str]
    found: str = "//IMETHODRESPONSE | //METHODRESPONSE"
    status: int = 0
    headers: dict[str, str | None] = field(default_factory=dict)
    drop_in_status: int | None = None


def guest_name(prefix: str, guest: str) -> str:
    return instance_name(f"{prefix}_ComputerSystem", CreationClassName=f"{prefix}_ComputerSystem", Name=guest)


def asked(operation: str, **parameters: Callable[[str, str], str] | str) -> Callable[[str, str], str]:
    """An intrinsic operation; a parameter may depend on the guest."""

    def body(prefix: str, guest: str) -> str:
        given = {name: each if isinstance(each, str) else each(prefix, guest) for name, each in parameters.items()}
        return intrinsic(operation, NAMESPACE, **given).replace('ID="1001"', 'ID="4711"')

    return body


def systems(prefix: str, _guest: str) -> str:
    return class_name(f"{prefix}_ComputerSystem")


def of_systems(query: str, prefix: str, _guest: str) -> str:
    return value(query.format(f"{prefix}_ComputerSystem"))


def state_change(target: Callable[[str, str], str]) -> Callable[[str, str], str]:
    """RequestStateChange to a state that does not exist, with a parameter that names no type."""
    return lambda prefix, guest: extrinsic(
        "RequestStateChange", target(prefix, guest), NAMESPACE, RequestedState=value(77)
    )


def settings_text(prefix: str) -> str:
    """An embedded instance as CIM-XML."""
    name = element("PROPERTY", value("made"), NAME="VirtualSystemIdentifier", TYPE="string")
    return element("INSTANCE", name, CLASSNAME=f"{prefix}_VirtualSystemSettingData")


def settings_mof(prefix: str) -> str:
    """An embedded instance as MOF, with a property that classes of libvirt-cim do not have."""
    is_full = "false" if prefix == "LXC" else "true"
    named = f'VirtualSystemIdentifier = "made"; isFullVirt = {is_full};'
    return f"instance of {prefix}_VirtualSystemSettingData {{ {named} }};"


def defined(text: Callable[[str], str], **more: str) -> Callable[[str, str], str]:
    """DefineSystem on the class."""
    return lambda prefix, _guest: extrinsic(
        "DefineSystem",
        class_name(f"{prefix}_VirtualSystemManagementService"),
        NAMESPACE,
        SystemSettings=value(text(prefix)),
        **more,
    )


def by_instance(prefix: str, guest: str) -> str:
    """A read of an association, whose keys are references."""
    ends = {
        "ManagedElement": guest_name(prefix, guest),
        "SettingData": instance_name(f"{prefix}_VirtualSystemSettingData", InstanceID=f"{prefix}:{guest}"),
    }
    space = namespace_path(NAMESPACE)
    bindings = (
        element("KEYBINDING", element("VALUE.REFERENCE", element("LOCALINSTANCEPATH", space, end)), NAME=name)
        for name, end in ends.items()
    )
    return element("INSTANCENAME", *bindings, CLASSNAME=f"{prefix}_SettingsDefineState")


def _reads() -> Iterator[WireForm]:
    yield WireForm("wbemcli ein", asked("EnumerateInstanceNames", ClassName=systems), "//INSTANCENAME", 0, WBEMCLI)
    yield WireForm(
        "wbemcli ei",
        asked(
            "EnumerateInstances",
            ClassName=systems,
            DeepInheritance=TRUE,
            LocalOnly=FALSE,
            IncludeQualifiers=FALSE,
            IncludeClassOrigin=TRUE,
            PropertyList=array(["Name", "ElementName"]),
        ),
        "//PROPERTY[@NAME='ElementName']/@CLASSORIGIN",
        0,
        WBEMCLI,
    )
    yield WireForm(
        "wbemcli gi, with the name of the instance at the end",
        asked(
            "GetInstance", LocalOnly=FALSE, IncludeQualifiers=FALSE, IncludeClassOrigin=TRUE, InstanceName=guest_name
        ),
        "//INSTANCE/PROPERTY[@NAME='Name']",
        0,
        WBEMCLI,
    )
    for operation, found in (
        ("Associators", "//VALUE.OBJECTWITHPATH"),
        ("AssociatorNames", "//OBJECTPATH"),
        ("References", "//VALUE.OBJECTWITHPATH"),
        ("ReferenceNames", "//OBJECTPATH"),
    ):
        yield WireForm(f"wbemcli {operation}", asked(operation, ObjectName=guest_name), found, 0, WBEMCLI)
    yield WireForm(
        "wbemcli gp", asked("GetProperty", InstanceName=guest_name, PropertyName=value("Name")), "//VALUE", 0, WBEMCLI
    )
    yield WireForm(
        "wbemcli sp",
        asked("SetProperty", InstanceName=guest_name, PropertyName=value("Description"), NewValue=value("x")),
        status=7,
        found="//ERROR",
        headers=WBEMCLI,
    )
    yield WireForm("wbemcli gc", asked("GetClass", ClassName=systems, IncludeQualifiers=TRUE), "//CLASS", 0, WBEMCLI)
    yield WireForm("wbemcli ec", asked("EnumerateClasses", DeepInheritance=TRUE), "//CLASS", 0, WBEMCLI)
    yield WireForm(
        "pywbem, only what was asked for", asked("EnumerateInstances", ClassName=systems), "//INSTANCE", 0, PYWBEM
    )
    yield WireForm(
        "pywbem, keys that are references", asked("GetInstance", InstanceName=by_instance), "//INSTANCE", 0, PYWBEM
    )
    for name, query in (("", "select * from {}"), (" between blanks and line ends", "\n  select *\n from {}  \n")):
        yield WireForm(
            f"a query{name}",
            asked(
                "ExecQuery",
                QueryLanguage=value("WQL"),
                Query=partial(of_systems, query),
            ),
            "//VALUE.OBJECTWITHPATH",
        )
    yield WireForm(
        "a key between blanks and line ends",
        asked("GetInstance", InstanceName=lambda prefix, guest: guest_name(prefix, f"\n {guest}  ")),
        "//INSTANCE",
    )


def _methods() -> Iterator[WireForm]:
    yield WireForm(
        "wbemcli cm, a parameter without a type", state_change(guest_name), "//RETURNVALUE | //ERROR", 0, WBEMCLI, 7
    )
    for client, form in (
        ("wbemcli", '{space}%3A{class}.CreationClassName="{class}",Name="{name}"'),
        ("pywbem", 'root/virt:{class}.CreationClassName="{class}",Name="{name}"'),
        ("SFCC", '{space}%3A{class}.CreationClassName%3D"{class}",Name%3D"{name}"'),
    ):
        yield WireForm(
            f"CIMObject as {client} writes it",
            state_change(guest_name),
            "//RETURNVALUE | //ERROR",
            0,
            {"CIMObject": form, "User-Agent": None},
            7,
        )
    yield WireForm("an embedded instance as MOF", defined(settings_mof))
    yield WireForm("an embedded instance as CIM-XML", defined(settings_text))
    yield WireForm("a blank for a reference", defined(settings_text, ReferenceConfiguration=value(" ")))


WIRE_FORMS = (*_reads(), *_methods())
