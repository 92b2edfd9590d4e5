"""Where the serial consoles of guests are reached: <prefix>_TextRedirectionSAP (DSP1024)."""

from virtcim.providers.Virt_TextRedirectionSAP.Virt_TextRedirectionSAP import (
    TextRedirectionSAP,
    TextRedirectionSAPProvider,
    text_points_of,
)

__all__ = ["TextRedirectionSAP", "TextRedirectionSAPProvider", "text_points_of"]
