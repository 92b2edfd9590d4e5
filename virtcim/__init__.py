"""The command line, configuration and start-up: the one package that knows all the others."""

__version__ = "0.1.0"
