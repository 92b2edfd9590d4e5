"""Controllers as <prefix>_Controller."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Controller as ControllerXML
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.Virt_Device.device import COMMON, GuestDevice

__all__ = ["Controller"]

_OTHER, _UNKNOWN = 1, 2
_PROTOCOLS = {"pci": 5, "fdc": 7, "scsi": 9, "usb": 16, "ide": 37, "sata": 48}
"""libvirt's types in the values of CIM_Controller.ProtocolSupported; what has none is Other."""


class Controller(GuestDevice[ControllerXML]):
    """A controller of a guest (Virt_Controller)."""

    __slots__ = ()

    base = "Controller"


def _protocol(controller: Controller) -> int:
    kind = controller.device.type
    return _UNKNOWN if kind is None else _PROTOCOLS.get(kind, _OTHER)


def _description(controller: Controller) -> str | None:
    """The model; what the protocol is, where the value map has no word for it."""
    device = controller.device
    described: str | None = device.model if device.model or _protocol(controller) != _OTHER else device.type
    return described


Controller.table = PropertyTable(
    COMMON,
    Property("ProtocolSupported", _protocol, f"domain XML {ControllerXML.field_path('type')}"),
    Property(
        "ProtocolDescription",
        _description,
        f"domain XML {ControllerXML.field_path('model')}, else {ControllerXML.field_path('type')}",
    ),
    attribute("MaxNumberControlled", lambda device: device.device.ports, ControllerXML),
)
