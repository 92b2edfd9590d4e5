"""The IP addresses that guests have: <prefix>_IPProtocolEndpoint (DSP1036)."""

from virtcim.providers.Virt_IPProtocolEndpoint.Virt_IPProtocolEndpoint import (
    IPProtocolEndpoint,
    IPProtocolEndpointProvider,
    endpoints_of,
)

__all__ = ["IPProtocolEndpoint", "IPProtocolEndpointProvider", "endpoints_of"]
