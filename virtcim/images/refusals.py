"""Kinds of refusal that all stores have, so that whoever passes one on need not read its text.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

__all__ = ["FixedError", "MissingError", "TakenError", "UnfitError"]


class MissingError(Exception):
    """There is nothing of the name that was asked for."""


class TakenError(Exception):
    """There is something of the name that was asked for already."""


class FixedError(Exception):
    """It is of a file of the administrator's, and changed there only."""


class UnfitError(Exception):
    """What was asked for cannot be: a name that is none, or a choice that there is not."""
