"""How the methods end: the DMTF's return codes, and CIM errors where only a text can say what is wrong.

A client can do something about a value only when it is told which one, so what libvirt-cim refused with a text is
refused with the same text, and so is every other value that is not possible.  What lies in the state of the guest or in
what the hypervisor can do is a return code, as the methods have one for each case.
"""

from __future__ import annotations

import enum
import logging
from typing import TYPE_CHECKING, NoReturn

from virtcim.providers.errors import guest_failure
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.methods import MethodFailedError

if TYPE_CHECKING:
    from virtcim.libhelper.errors import LibvirtError

__all__ = ["ReturnCode", "failure_of", "raise_error", "refused", "with_notes"]

_log = logging.getLogger(__name__)


class ReturnCode(enum.IntEnum):
    """The return codes of CIM_VirtualSystemManagementService."""

    COMPLETED = 0
    NOT_SUPPORTED = 1
    FAILED = 2
    TIMEOUT = 3
    INVALID_PARAMETER = 4
    INVALID_STATE = 5


def refused(text: str) -> CIMError:
    """A value that is not possible, as libvirt-cim tells it."""
    return CIMError(Status.FAILED, text)


def raise_error(error: CIMError) -> NoReturn:
    """Raise the first refusal, where no further ones are gathered."""
    raise error


def with_notes(text: str, error: BaseException) -> str:
    """A text with the notes of the error that it tells of."""
    return "; ".join([text, *getattr(error, "__notes__", ())])


def failure_of(text: str, error: LibvirtError, has_invalid_state: bool = True) -> CIMError | MethodFailedError:
    """How a method ends when libvirt refuses.

    Parameters:
        text: our words for what was tried.
        has_invalid_state: whether the method has the return code Invalid State.
    """
    if error.is_busy and not error.is_timeout and has_invalid_state:
        return MethodFailedError(ReturnCode.INVALID_STATE, f"{text}: {error.message}")
    if error.is_timeout:
        return MethodFailedError(ReturnCode.TIMEOUT, f"{text}: {error.message}")
    if error.is_unsupported_call:
        return MethodFailedError(ReturnCode.NOT_SUPPORTED, f"{text}: {error.message}")
    if error.is_invalid_state and has_invalid_state:
        return MethodFailedError(ReturnCode.INVALID_STATE, f"{text}: {error.message}")
    return guest_failure(text, error)
