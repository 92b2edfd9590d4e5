"""What of libvirt's events is trouble that somebody should have a look at.

Layer rule: imports libvirt and events.
"""

from __future__ import annotations

import enum
from typing import Any

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.events import Event

__all__ = ["Trouble", "TroubleKind", "trouble_of"]


class TroubleKind(enum.Enum):
    """What kind of trouble a guest has."""

    IO_ERROR = "io-error"
    WATCHDOG = "watchdog"
    THRESHOLD = "block-threshold"
    PANIC = "panic"
    CRASH = "crash"
    FAILURE = "failure"
    MEMORY_FAILURE = "memory-failure"
    REMOVAL_FAILED = "device-removal-failed"
    CONTROL_ERROR = "control-error"


@immutable
class Trouble:
    """Trouble that a guest has.

    Attributes:
        kind: what kind.
        text: what happened, in words.
        device: the device that it is about, by its target or alias; "" for the guest as a whole.
    """

    kind: TroubleKind
    text: str
    device: str = ""


_WATCHDOG_ACTIONS = ("left alone", "paused", "reset", "powered off", "shut down", "left to a debugger", "sent an NMI")
_IO_ACTIONS = ("goes on", "is paused", "is told of it")
_STOPPED = {
    libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED: Trouble(TroubleKind.CRASH, "it crashed"),
    libvirt.VIR_DOMAIN_EVENT_STOPPED_FAILED: Trouble(TroubleKind.FAILURE, "its emulator ended by an error"),
}


def trouble_of(event: Event) -> Trouble | None:
    """Tell what trouble an event is about; None for an event that is about none."""
    if event.source != "domain":
        return None
    detail = event.detail
    match event.name:
        case "io-error":
            path, alias, action, reason = detail
            what = f"{path} ({reason})" if reason else path
            return Trouble(TroubleKind.IO_ERROR, f"I/O error on {what}: the guest {_word(_IO_ACTIONS, action)}", alias)
        case "watchdog":
            return Trouble(TroubleKind.WATCHDOG, f"its watchdog expired: it was {_word(_WATCHDOG_ACTIONS, detail[0])}")
        case "block-threshold":
            device, path, threshold, excess = detail
            text = f"disk {device}{f' ({path})' if path else ''} is written {excess} bytes beyond {threshold}"
            return Trouble(TroubleKind.THRESHOLD, text, device)
        case "memory-failure":
            return Trouble(TroubleKind.MEMORY_FAILURE, "memory of the host that it uses failed")
        case "device-removal-failed":
            return Trouble(TroubleKind.REMOVAL_FAILED, f"it did not give back device {detail[0]}", detail[0])
        case "control-error":
            return Trouble(TroubleKind.CONTROL_ERROR, "libvirt lost control of its emulator")
        case "lifecycle" if detail[0] == libvirt.VIR_DOMAIN_EVENT_CRASHED:
            return Trouble(TroubleKind.PANIC, "its operating system panicked")
        case "lifecycle" if detail[0] == libvirt.VIR_DOMAIN_EVENT_STOPPED:
            return _STOPPED.get(detail[1])
    return None


def _word(words: tuple[str, ...], number: Any) -> str:
    """The word for one of libvirt's numbers, or the number itself where there is none."""
    return words[number] if isinstance(number, int) and 0 <= number < len(words) else str(number)
