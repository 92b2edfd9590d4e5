"""The two parts of the name of a class (DSP0004 2.8, section 5.1.2.3): that of its schema, and the rest."""

from __future__ import annotations

__all__ = ["base_of", "is_above_platforms", "is_of_platform", "prefix_of"]

_ABOVE = ("cim", "virt")
"""The schemas whose classes stand above those of every platform."""


def prefix_of(class_name: str) -> str:
    """Give the name of the schema of a class, which stands for its platform: `KVM` of `KVM_Memory`."""
    return class_name.partition("_")[0]


def base_of(class_name: str) -> str:
    """Give the rest of the name of a class: `Memory` of `KVM_Memory`."""
    return class_name.partition("_")[2]


def is_above_platforms(class_name: str) -> bool:
    """Tell whether a class, in any case, is above those of all platforms."""
    return prefix_of(class_name).lower() in _ABOVE


def is_of_platform(class_name: str, prefix: str) -> bool:
    """Tell whether a class, in any case, is of the platform with a prefix, or above those of all platforms."""
    return prefix_of(class_name).lower() == prefix.lower() or is_above_platforms(class_name)
