"""The embedded CIMOM: HTTP, CIM-XML, operations, class store, association traversal.  Knows nothing of libvirt."""
