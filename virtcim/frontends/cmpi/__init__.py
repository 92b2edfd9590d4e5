"""The bridge into other CIM servers: the daemon's side of `libvirtcim.so` (docs/cmpi.md).

Layer rule: imports `providers.interface`, and `registration.schema`, the view of classes that both share.  What the
bridge has in common with the embedded server (class store, namespaces, traversal, typing of requests) comes from
`virtcim` as arguments, described in `frontends.cmpi.model`.
"""
