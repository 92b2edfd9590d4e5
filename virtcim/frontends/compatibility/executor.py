"""What stands between the core and the front ends, by the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from virtcim.frontends.compatibility.settings import CompatibilitySettings

if TYPE_CHECKING:
    from virtcim.cimom.core import Core, Executor

__all__ = ["translation_of"]


def translation_of(settings: CompatibilitySettings) -> Callable[[Core], Executor]:
    """Make what stands between the core and the front ends, by the settings."""
    if not settings.libvirt_cim:
        return lambda core: core
    # Here, since a server without clients of libvirt-cim has no use for it.
    from virtcim.frontends.compatibility.translation import LibvirtCim

    return lambda core: LibvirtCim(core, settings)
