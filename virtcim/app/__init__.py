"""The command line, configuration and start-up: the one package that knows all the others."""
