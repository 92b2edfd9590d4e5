"""Tests of the bridge into other CIM servers: the C library in the test broker, against the daemon's side."""
