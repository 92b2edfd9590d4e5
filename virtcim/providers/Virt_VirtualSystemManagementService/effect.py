"""Whether what a client asks for means something to the resource that it is asked of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtcim.providers.drafts import ValueRefusedError, same

if TYPE_CHECKING:
    from virtcim.providers.base import Element
    from virtcim.providers.interface import Properties

__all__ = ["check_effect"]

_ELSEWHERE = frozenset(
    {"Password", "AutoStart", "AutomaticStartupAction", "VirtualSystemIdentifier", "ElementName", "AllocationUnits"}
)
"""What is not in the document, or is not shown as it is written."""
_PLACES = frozenset({"Address", "HostResource", "PoolID"})
"""What names a place, which has more names than the one that is shown: their writers see whether it is another one."""
_ALWAYS_SHOWN = frozenset({"Description"})
"""What has a text of ours where it has no value."""
_NOTHING: tuple[object, ...] = (None, "", 0, [], ())
"""How it is said that a property has no value; False is 0."""


def check_effect(identifier: str, asked: Properties, before: Properties, after: Element) -> None:
    """Refuse a property that means nothing to this kind of resource: it is written, and shows nothing, or what it did.

    Parameters:
        identifier: of the resource; "" for the guest as a whole.
        asked: the values that were written, by property.
        before: the properties as they were.
        after: the element as it is in the edited document.

    Raises:
        ValueRefusedError: names the resource and the property.
    """
    now = after.properties()
    for name, value in asked.items():
        # In other units a size has another number, and may be what it was.
        in_units = "AllocationUnits" in asked and isinstance(value, int) and not isinstance(value, bool)
        if name in _ELSEWHERE or name in _PLACES or in_units or _is_same(value, now.get(name)):
            continue
        if name in _ALWAYS_SHOWN and value in _NOTHING:
            continue
        if now.get(name) in _NOTHING or same(now.get(name), before.get(name)):
            prefix = f"{identifier}: " if identifier else ""
            raise ValueRefusedError(f"{prefix}{name} means nothing to it as it is", contradiction=True)


def _is_same(asked: object, shown: object) -> bool:
    if isinstance(asked, str) and isinstance(shown, str):
        return asked.casefold() == shown.casefold()
    return same(asked, shown) or (asked in _NOTHING and shown in _NOTHING)
