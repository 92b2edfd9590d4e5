"""What is raised over templates."""

from __future__ import annotations

__all__ = ["TemplateError"]


class TemplateError(ValueError):
    """A template, or a value that is given for one, cannot be; the text says why."""
