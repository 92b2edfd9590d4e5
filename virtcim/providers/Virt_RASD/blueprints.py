"""What kind of device each kind of setting makes, and how a new one is completed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from virtcim.libhelper.documents.domain import Console, Controller, Input, Interface
from virtcim.providers.deviceids import Kind
from virtcim.providers.drafts import Draft, ValueRefusedError
from virtcim.providers.Virt_RASD.character_source import finish_character
from virtcim.providers.Virt_RASD.disk_source import disk_class, finish_disk
from virtcim.providers.Virt_RASD.display_address import display_class, finish_display
from virtcim.providers.Virt_RASD.network_source import finish_interface
from virtcim.providers.Virt_RASD.other_device import finish_other, other_class

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Device
    from virtcim.providers.drafts import Surroundings

__all__ = ["BLUEPRINTS", "Blueprint"]


@dataclass(frozen=True, slots=True)
class Blueprint:
    """How a device of a kind is made.

    Attributes:
        device_class: from the surroundings and what the client gave to the class of the device.
        finish: checks a new device as a whole and fills in what was left open.
    """

    device_class: Callable[[Surroundings, Mapping[str, Any]], type[Device]]
    finish: Callable[[Draft], None]


def _always(device: type[Device]) -> Callable[[Surroundings, Mapping[str, Any]], type[Device]]:
    return lambda _around, _given: device


def _finish_input(draft: Draft) -> None:
    kind = draft.now("type")
    if kind is None:
        raise ValueRefusedError("InputRASD ResourceSubType field not valid")
    if kind in ("evdev", "passthrough") and draft.now("source_dev") is None and draft.now("source_evdev") is None:
        raise ValueRefusedError("Missing `Address' field")
    if kind == "passthrough":
        draft.put("bus", "virtio")
    elif draft.now("bus") is None and kind != "evdev":
        buses = draft.around.platform.buses
        draft.put("bus", {"mouse": buses.mouse, "tablet": buses.tablet}.get(kind, "ps2"))


def _finish_controller(draft: Draft) -> None:
    kind = draft.now("type")
    if kind is None:
        raise ValueRefusedError("ControllerRASD ResourceSubType field not valid")
    others = [
        device for device in draft.around.config.devices if isinstance(device, Controller) and device.type == kind
    ]
    taken = {device.index for device in others}
    if draft.now("index") is None:
        draft.put("index", next(index for index in range(len(taken) + 1) if index not in taken))
    elif draft.now("index") in taken and not (kind == "usb" and draft.now("model") is not None):
        raise ValueRefusedError(f"Index: the guest has a controller {kind} {draft.now('index')} already")


BLUEPRINTS: Mapping[Kind, Blueprint] = {
    Kind.DISK: Blueprint(disk_class, finish_disk),
    Kind.NETWORK: Blueprint(_always(Interface), finish_interface),
    Kind.GRAPHICS: Blueprint(display_class, finish_display),
    Kind.INPUT: Blueprint(_always(Input), _finish_input),
    Kind.CONSOLE: Blueprint(_always(Console), finish_character),
    Kind.CONTROLLER: Blueprint(_always(Controller), _finish_controller),
    Kind.OTHER: Blueprint(other_class, finish_other),
}
