"""The DMTF classes, in MOF."""

from virtcim.schema.sources import FILES, VERSION, texts

__all__ = ["FILES", "VERSION", "texts"]
