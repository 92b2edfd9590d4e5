"""Benchmarks: `make bench`.

Many domains on libvirt's test driver and on a private libvirtd, a real `virtcim serve`, and raw HTTP, because every
CIM client costs more than the server.  The floor, libvirt-python alone, is measured in the same run.
"""
