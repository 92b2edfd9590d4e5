#!/usr/bin/env python3
"""Pause a guest, and have it go on: a method call, and the state before, meanwhile and after.

$ examples/pause.py test
2
9
2
"""

import pywbem
from connecting import connect, find_guest, read_words

PAUSED, RUNNING = 9, 2

(name,) = read_words("GUEST")
connection = connect()
guest = find_guest(connection, name)
print(guest["EnabledState"])
for state in (PAUSED, RUNNING):
    code, _ = connection.InvokeMethod("RequestStateChange", guest.path, RequestedState=pywbem.Uint16(state))
    if code != 0:
        raise SystemExit(f"RequestStateChange returned {code}")
    print(connection.GetInstance(guest.path)["EnabledState"])
