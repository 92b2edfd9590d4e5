"""What people call an input device."""

from __future__ import annotations

from virtcim.libhelper.documents.domain import Input

__all__ = ["input_caption"]

_BUSES = {"usb": "USB", "ps2": "PS2", "xen": "Xen", "virtio": "Virtio"}
_TYPES = {"mouse": "Mouse", "tablet": "Tablet", "keyboard": "Keyboard", "passthrough": "Passthrough", "evdev": "Evdev"}


def input_caption(device: Input) -> str:
    """The bus and the type in words: `USB Tablet`."""
    return f"{_BUSES.get(device.bus or '', 'Unknown bus')} {_TYPES.get(device.type or '', 'Unknown device type')}"
