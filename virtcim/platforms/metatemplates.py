"""Kinds of new guests: what the templates of a platform, and guests without a template, begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from virtcim.immutable import immutable

__all__ = ["MetaTemplate", "SettingValue"]

SettingValue = str | int | bool


@immutable
class MetaTemplate:
    """A kind of new guests.

    Attributes:
        name: tells it from the others of the platform; letters, digits and hyphens.
        title: for people.
        settings: properties of Virt_VirtualSystemSettingData that such a guest has; everything else is left to the
            defaults of new guests.
    """

    name: str
    title: str
    settings: Mapping[str, SettingValue] = field(default_factory=dict)
