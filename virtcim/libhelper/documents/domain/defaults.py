"""What of a new guest decides which devices it has, and how they are, where nobody said anything.

Each device's class says so itself, from the traits of the guest: `default_values` gives the fields of the device that a
new guest gets, None where it gets none.
"""

from __future__ import annotations

from virtcim.immutable import immutable

__all__ = ["GuestTraits", "is_s390", "is_x86"]

_S390 = frozenset({"s390", "s390x"})
_X86 = frozenset({"x86_64", "i686"})


def is_s390(arch: str | None) -> bool:
    """Whether an architecture is that of a mainframe, which has channels in place of PCI."""
    return arch in _S390


def is_x86(arch: str | None) -> bool:
    """Whether an architecture is that of a PC."""
    return arch in _X86


@immutable
class GuestTraits:
    """What the devices of a new guest depend on.

    Attributes:
        arch: its architecture; None where the hypervisor chooses it.
        machine: its machine type; None where the hypervisor chooses it.
        is_container: whether it sees no machine at all.
        has_graphics: whether it can have a display.
        has_usb: whether it has a USB controller already.
        mouse_bus: the bus of its mouse.
    """

    arch: str | None = None
    machine: str | None = None
    is_container: bool = False
    has_graphics: bool = True
    has_usb: bool = False
    mouse_bus: str = "ps2"
