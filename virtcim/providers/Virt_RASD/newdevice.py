"""How new devices of the simpler kinds are completed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.domain import Controller
from virtcim.providers.drafts import Draft, ValueRefusedError

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Device
    from virtcim.providers.drafts import DraftContext, GivenProperties

__all__ = ["always", "finish_controller", "finish_input"]


def always(device: type[Device]) -> Callable[[DraftContext, GivenProperties], type[Device]]:
    """A kind all of whose devices are of one class."""
    return lambda _context, _given: device


def finish_input(draft: Draft) -> None:
    """Check a new input device as a whole, and fill in what was left open."""
    kind = draft.now("type")
    if kind is None:
        raise ValueRefusedError("InputRASD ResourceSubType field not valid")
    if kind in ("evdev", "passthrough") and draft.now("source_dev") is None and draft.now("source_evdev") is None:
        raise ValueRefusedError("Missing `Address' field")
    if kind == "passthrough":
        draft.put("bus", "virtio")
    elif draft.now("bus") is None and kind != "evdev":
        buses = draft.context.platform.buses
        draft.put("bus", {"mouse": buses.mouse, "tablet": buses.tablet}.get(kind, "ps2"))


def finish_controller(draft: Draft) -> None:
    """Check a new controller as a whole, and fill in what was left open."""
    kind = draft.now("type")
    if kind is None:
        raise ValueRefusedError("ControllerRASD ResourceSubType field not valid")
    others = [
        device for device in draft.context.config.devices if isinstance(device, Controller) and device.type == kind
    ]
    taken = {device.index for device in others}
    if draft.now("index") is None:
        draft.put("index", next(index for index in range(len(taken) + 1) if index not in taken))
    elif draft.now("index") in taken and not (kind == "usb" and draft.now("model") is not None):
        raise ValueRefusedError(f"Index: the guest has a controller {kind} {draft.now('index')} already")
