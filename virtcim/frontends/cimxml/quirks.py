"""What single clients cannot read, and how they are known."""

from __future__ import annotations

from collections.abc import Mapping

from virtcim.immutable import immutable

__all__ = ["NO_QUIRKS", "SFCC", "WBEMCLI", "Quirks", "quirks_of"]


@immutable
class Quirks:
    """What a client cannot read.

    Attributes:
        needs_return_value: send an empty IRETURNVALUE where an operation has no result.  sfcc ends its process
            without it; others must not get it.
        plain_arrays: leave out EmbeddedObject on arrays, which wbemcli takes for an error.
        no_reference_arrays: leave out output parameters that are arrays of references, for which wbemcli would show
            not even the return value.
        no_error_instances: leave out the CIM_Error in ERROR, which ends sfcc's process and which wbemcli cannot parse.
    """

    needs_return_value: bool = False
    plain_arrays: bool = False
    no_reference_arrays: bool = False
    no_error_instances: bool = False


NO_QUIRKS = Quirks()
SFCC = Quirks(needs_return_value=True, no_error_instances=True)
WBEMCLI = Quirks(plain_arrays=True, no_reference_arrays=True, no_error_instances=True)

THEIR_MESSAGE_ID = "4711"


def quirks_of(headers: Mapping[str, str], message_id: str) -> Quirks:
    """The quirks of a client.  sfcc and wbemcli do not say who they are, but nobody else does it like they do.

    Parameters:
        headers: of the request; names in any case.
        message_id: of its message.
    """
    if message_id != THEIR_MESSAGE_ID or "User-Agent" in headers:
        return NO_QUIRKS
    tokens = {token.strip().lower() for token in headers.get("Connection", "").split(",")}
    return WBEMCLI if "te" in tokens else SFCC
