"""Images, templates and appliances: what guests are made from; knows nothing of CIM."""

from virtcim.images.settings import ImageSettings
from virtcim.images.templates import Template, TemplateError

__all__ = ["ImageSettings", "Template", "TemplateError"]
