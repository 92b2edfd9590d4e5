"""The bridge into other CIM servers: the daemon's side of `libvirtcim.so` (docs/cmpi.md)."""
