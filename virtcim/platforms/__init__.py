"""One module per virtualization platform, and the registry that finds them.

Layer rule: modules here import `libhelper` and each other, and nothing of `providers`, `cimom`, `cmpi`,
`registration` or `virtcim`.
"""
