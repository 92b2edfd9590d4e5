"""The tests.  A package, so that tests and benchmarks share the bed: `from tests.bed import ...`."""
