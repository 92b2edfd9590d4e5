"""What can be allocated from pools (CIM_AllocationCapabilities; DSP1043), and the settings that show it."""

from __future__ import annotations

from virtcim.providers.Virt_AllocationCapabilities.provider import (
    AllocationCapabilitiesProvider,
    TemplateProvider,
)
from virtcim.providers.Virt_AllocationCapabilities.template import Sample, Template
from virtcim.providers.Virt_AllocationCapabilities.templates import find_template, template_types, templates_of
from virtcim.providers.Virt_AllocationCapabilities.Virt_AllocationCapabilities import (
    AllocationCapabilities,
    capabilities_of,
)

__all__ = [
    "AllocationCapabilities",
    "AllocationCapabilitiesProvider",
    "Sample",
    "Template",
    "TemplateProvider",
    "capabilities_of",
    "find_template",
    "template_types",
    "templates_of",
]
