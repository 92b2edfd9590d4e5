"""The classes of this project, in MOF: `virt.mof` for all platforms, `platform.mof` the template of each platform,
`nodes.mof` for nodes and groups of them, `images.mof` for images and templates, `appliances.mof` for appliances."""

from virtcim.mof.sources import COMPILED, templates, texts

__all__ = ["COMPILED", "templates", "texts"]
