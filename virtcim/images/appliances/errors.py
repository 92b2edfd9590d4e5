"""What is wrong with an appliance.

Layer rule: imports `images.refusals`.
"""

from __future__ import annotations

from virtcim.images.refusals import MissingError, TakenError, UnfitError

__all__ = ["ApplianceError", "MissingGuestError", "TakenNameError", "UnfitOrderError"]


class ApplianceError(ValueError):
    """An appliance that cannot be taken, or cannot be made; the text names what is wrong with it and where."""


class MissingGuestError(ApplianceError, MissingError):
    """The guest that an appliance is to be made of does not exist."""


class TakenNameError(ApplianceError, TakenError):
    """A guest or a file that is to be made has the name of one that is there already."""


class UnfitOrderError(ApplianceError, UnfitError):
    """An import or export is asked for in a way that there is not, or that the appliance does not have."""
