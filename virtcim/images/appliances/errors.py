"""What is wrong with an appliance.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

__all__ = ["ApplianceError"]


class ApplianceError(ValueError):
    """An appliance that cannot be taken, or cannot be made; the text names what is wrong with it and where."""
