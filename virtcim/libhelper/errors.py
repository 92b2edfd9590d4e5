"""libvirt's errors as an exception of our own, so that nobody above libhelper needs to import libvirt.

Layer rule: imports libvirt and nothing of this project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import libvirt

__all__ = ["LibvirtError", "look_up", "silence_libvirt", "translated", "unless_gone"]

Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")

_GONE = frozenset(
    {
        libvirt.VIR_ERR_NO_DOMAIN,
        libvirt.VIR_ERR_NO_NETWORK,
        libvirt.VIR_ERR_NO_STORAGE_POOL,
        libvirt.VIR_ERR_NO_STORAGE_VOL,
        libvirt.VIR_ERR_NO_NODE_DEVICE,
        libvirt.VIR_ERR_NO_NWFILTER,
        libvirt.VIR_ERR_NO_INTERFACE,
        libvirt.VIR_ERR_NO_SECRET,
        libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT,
        libvirt.VIR_ERR_NO_DOMAIN_CHECKPOINT,
    }
)
_GUEST_GONE = frozenset(
    {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT, libvirt.VIR_ERR_NO_DOMAIN_CHECKPOINT}
)
_UNSUPPORTED = frozenset(
    {
        libvirt.VIR_ERR_NO_SUPPORT,
        libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
        libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
        libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
    }
)
_DENIED = frozenset({libvirt.VIR_ERR_OPERATION_DENIED, libvirt.VIR_ERR_AUTH_FAILED, libvirt.VIR_ERR_ACCESS_DENIED})
_TIMEOUT_CODES = frozenset({libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_ERR_AGENT_UNRESPONSIVE})
_TRAY = "Tray of "
"""In QEMU's text when the drive is not open that libvirt takes for open."""
_STATE_LOCK = "cannot acquire state change lock"
"""In libvirt's text when a call has waited in vain for another one that holds the domain."""


class LibvirtError(Exception):
    """What libvirt refused, or could not do.

    Attributes:
        code: libvirt's error number (`VIR_ERR_*`); 0 when there is none.
        domain: the part of libvirt that raised it (`VIR_FROM_*`).
        level: 1 a warning, 2 an error.
        message: libvirt's own text.
    """

    def __init__(self, message: str, code: int = 0, domain: int = 0, level: int = libvirt.VIR_ERR_ERROR) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.domain = domain
        self.level = level

    @classmethod
    def of(cls, error: libvirt.libvirtError) -> LibvirtError:
        """The same error, as ours."""
        return cls(
            error.get_error_message() or str(error),
            error.get_error_code() or 0,
            error.get_error_domain() or 0,
            error.get_error_level() or libvirt.VIR_ERR_ERROR,
        )

    def saying(self, message: str) -> LibvirtError:
        """The same error with another text."""
        return LibvirtError(message, self.code, self.domain, self.level)

    @property
    def is_gone(self) -> bool:
        """Whether the object that was asked for does not exist (any more)."""
        return self.code in _GONE

    @property
    def is_guest_gone(self) -> bool:
        """Whether it is a guest, or a moment of one, that does not exist (any more)."""
        return self.code in _GUEST_GONE

    @property
    def is_denied(self) -> bool:
        """Whether libvirt does not let us, or does not know us."""
        return self.code in _DENIED

    @property
    def is_busy(self) -> bool:
        """Whether the object is held for another operation, or in use."""
        held = self.code == libvirt.VIR_ERR_OPERATION_TIMEOUT and _STATE_LOCK in self.message
        return bool(held or self.code == libvirt.VIR_ERR_RESOURCE_BUSY)

    @property
    def is_about_tray(self) -> bool:
        """Whether the tray of a drive is not where libvirt takes it to be."""
        return _TRAY in self.message

    @property
    def is_warning(self) -> bool:
        """Whether it is a warning only."""
        return bool(self.level == libvirt.VIR_ERR_WARNING)

    @property
    def is_no_domain(self) -> bool:
        """Whether there is no such domain."""
        return bool(self.code == libvirt.VIR_ERR_NO_DOMAIN)

    @property
    def is_unsupported(self) -> bool:
        """Whether this driver does not have the call, or not with these flags."""
        flags = self.code == libvirt.VIR_ERR_INVALID_ARG and "unsupported flags" in self.message
        return flags or self.code in _UNSUPPORTED

    @property
    def is_no_call(self) -> bool:
        """Whether this driver does not have the call at all, whatever it is asked."""
        return bool(self.code == libvirt.VIR_ERR_NO_SUPPORT)

    @property
    def is_unsupported_call(self) -> bool:
        """Whether it is the call that this driver does not have, rather than the configuration asked for."""
        return self.is_unsupported and self.code != libvirt.VIR_ERR_CONFIG_UNSUPPORTED

    @property
    def is_invalid_state(self) -> bool:
        """Whether the object was not in a state that allows the operation."""
        return bool(self.code == libvirt.VIR_ERR_OPERATION_INVALID)

    @property
    def is_duplicate_moment(self) -> bool:
        """Whether a snapshot or checkpoint has that name already: libvirt has no number of its own for that."""
        return bool(self.code == libvirt.VIR_ERR_OPERATION_FAILED and self.message.endswith(" already exists"))

    @property
    def is_risky(self) -> bool:
        """Whether libvirt would do it only when forced: what runs may not survive it."""
        return bool(self.code == libvirt.VIR_ERR_SNAPSHOT_REVERT_RISKY)

    @property
    def is_timeout(self) -> bool:
        """Whether somebody (a lock, a guest agent, our own time limit) did not answer in time."""
        return self.code in _TIMEOUT_CODES


@contextmanager
def translated() -> Iterator[None]:
    """Raise `LibvirtError` for every `libvirt.libvirtError` in the block."""
    try:
        yield
    except libvirt.libvirtError as error:
        raise LibvirtError.of(error) from error


@contextmanager
def unless_gone() -> Iterator[None]:
    """End the block, as if it were done, where what it looks for does not exist (any more)."""
    try:
        yield
    except libvirt.libvirtError as error:
        if not LibvirtError.of(error).is_gone:
            raise


def look_up(call: Callable[Arguments, Found], *arguments: Arguments.args, **further: Arguments.kwargs) -> Found | None:
    """Give what a call of libvirt's answers; None where what it looks for does not exist (any more).

    Raises:
        libvirt.libvirtError: it fails otherwise.
    """
    try:
        return call(*arguments, **further)
    except libvirt.libvirtError as error:
        if not LibvirtError.of(error).is_gone:
            raise
        return None


def silence_libvirt() -> None:
    """Keep libvirt from printing every error to stderr; they reach us as exceptions."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
