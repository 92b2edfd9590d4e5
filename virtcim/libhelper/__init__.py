"""The libvirt side: connections, domain XML, the inventory, operations.  Knows nothing of CIM."""
