"""Errors of libvirt and of the stores as CIM errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtcim.images.refusals import FixedError, MissingError, TakenError, UnfitError
from virtcim.libhelper.uris import shorten_uri
from virtcim.providers.interface import CIMError, Status

if TYPE_CHECKING:
    from virtcim.libhelper.errors import LibvirtError
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.libhelper.inventory.records import Domain

__all__ = ["access_denied", "guest_denied", "guest_failure", "libvirt_failure", "store_failure"]


def libvirt_failure(text: str, error: LibvirtError) -> CIMError:
    """What a client is told when libvirt refuses: our words, then libvirt's."""
    return _failure(text, error, error.is_gone)


def guest_failure(text: str, error: LibvirtError) -> CIMError:
    """What a client is told when libvirt refuses something of a guest.

    What a guest needs and does not find, such as its network, is not what was asked for: NOT_FOUND would tell of the
    guest.
    """
    return _failure(text, error, error.is_guest_gone)


def store_failure(error: Exception, otherwise: Status = Status.FAILED) -> CIMError:
    """What a client is told when a store of images, templates or appliances refuses.

    Parameters:
        otherwise: the status of a refusal that is of no kind that all stores have.
    """
    kinds = {
        MissingError: Status.NOT_FOUND,
        TakenError: Status.ALREADY_EXISTS,
        FixedError: Status.NOT_SUPPORTED,
        UnfitError: Status.INVALID_PARAMETER,
    }
    return CIMError(next((kinds[kind] for kind in kinds if isinstance(error, kind)), otherwise), str(error))


def _failure(text: str, error: LibvirtError, is_missing: bool) -> CIMError:
    if is_missing:
        status = Status.NOT_FOUND
    elif error.is_denied:
        status = Status.ACCESS_DENIED
    else:
        status = Status.FAILED
    return CIMError(status, f"{text}: {error.message}", error.code)


def access_denied(hypervisor: Hypervisor) -> CIMError:
    """What a client is told who wants to change something over a read-only connection."""
    return CIMError(Status.ACCESS_DENIED, f"The connection to {shorten_uri(hypervisor.uri)} is read-only")


def guest_denied(domain: Domain, hypervisor: Hypervisor) -> CIMError:
    """What a client is told who wants to change a guest of which nothing can be changed."""
    if domain.manages_host:
        return CIMError(Status.ACCESS_DENIED, f"{domain.name}: manages all guests of its host and cannot be changed")
    return access_denied(hypervisor)
