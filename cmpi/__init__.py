"""The bridge into other CIM servers: the daemon's side of `libvirtcim.so` (docs/cmpi.md).

Layer rule: imports `providers.interface` and nothing else of this project.  What it shares with the embedded server
(class store, namespaces, traversal, typing of requests) comes from `virtcim` as arguments, described in
`cmpi.model`.
"""
