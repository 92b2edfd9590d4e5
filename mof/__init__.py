"""The project's own classes, in MOF."""
