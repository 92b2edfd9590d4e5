"""Templates: an image, the settings of the guests that are made of it, and what is asked of whoever makes one.

A template is a TOML document, of a file of the administrator's or made at run time.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from virtcim.images.templates.document import document_of, parse_template
from virtcim.images.templates.errors import TemplateError
from virtcim.images.templates.parameters import Parameter, ParameterType, is_on
from virtcim.images.templates.sizes import size_of
from virtcim.images.templates.template import (
    ANY_VERSION,
    FORMATS,
    ExtraDisk,
    ImageSource,
    SettingValue,
    Template,
    check_values,
)

__all__ = [
    "ANY_VERSION",
    "FORMATS",
    "ExtraDisk",
    "ImageSource",
    "Parameter",
    "ParameterType",
    "SettingValue",
    "Template",
    "TemplateError",
    "check_values",
    "document_of",
    "is_on",
    "parse_template",
    "size_of",
]
