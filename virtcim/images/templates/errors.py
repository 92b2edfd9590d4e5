"""What is raised over templates."""

from __future__ import annotations

from virtcim.images.refusals import FixedError, MissingError, TakenError

__all__ = ["FixedTemplateError", "MissingTemplateError", "TakenTemplateError", "TemplateError"]


class TemplateError(ValueError):
    """A template, or a value that is given for one, cannot be; the text says why."""


class MissingTemplateError(TemplateError, MissingError):
    """There is no template of this id and version."""


class TakenTemplateError(TemplateError, TakenError):
    """There is a template of this id and version already."""


class FixedTemplateError(TemplateError, FixedError):
    """The template of this id and version is of a file."""
