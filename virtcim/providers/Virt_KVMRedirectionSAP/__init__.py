"""Where clients reach the graphical consoles of guests: <prefix>_KVMRedirectionSAP (DSP1076)."""

from virtcim.providers.Virt_KVMRedirectionSAP.Virt_KVMRedirectionSAP import (
    KVMRedirectionSAP,
    KVMRedirectionSAPProvider,
    access_points_of,
)

__all__ = ["KVMRedirectionSAP", "KVMRedirectionSAPProvider", "access_points_of"]
