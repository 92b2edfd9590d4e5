"""The descriptor of an appliance: from its XML to the values of `description`.

Layer rule: imports `description`, `errors` and `units` of this package, and `libhelper.xml.text`.
"""

from virtcim.images.appliances.descriptor.reading import read_descriptor

__all__ = ["read_descriptor"]
