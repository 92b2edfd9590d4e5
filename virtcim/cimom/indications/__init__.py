"""Indications (DSP1054 1.2): what changes is told to whoever subscribed, in order and soon.

A change goes one way: `engine` makes the indications of it, `filters` select, `queue` keeps what waits for each
destination, `delivery` has it sent by a front end.  `subscriptions` holds who wants what, `objects` and `service` show
that to clients.  What other CIM servers want, which deliver themselves, `relay` holds; what clients want that hold a
connection open, `streams`.
"""
