"""The DMTF classes, in MOF."""
