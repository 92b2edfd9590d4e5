#!/usr/bin/env python3
"""Be told when a guest changes its state: subscribe, pause it and have it go on, and print what comes.

$ examples/watch.py web
web: state 2 before, 9 now
web: state 9 before, 2 now
"""

import logging
import queue
import socket

import pywbem
from connecting import connect, find_guest, invoke, read_words

PAUSED, RUNNING = 9, 2
INTEROP = "root/interop"

logging.disable()
(name,) = read_words("GUEST")
connection = connect()
guest = find_guest(connection, name)
told: queue.Queue[pywbem.CIMInstance] = queue.Queue()
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
listener = pywbem.WBEMListener(host="127.0.0.1", http_port=port)
listener.add_callback(lambda indication, _host: told.put(indication))
listener.start()
manager = pywbem.WBEMSubscriptionManager("example")
server = manager.add_server(pywbem.WBEMServer(connection))
try:
    manager.add_destination(server, f"http://127.0.0.1:{port}", destination_id="1")
    selected = manager.add_filter(
        server,
        ["root/virt"],
        "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA KVM_ComputerSystem AND "
        "SourceInstance.EnabledState <> PreviousInstance.EnabledState",
        query_language="DMTF:CQL",
        filter_id="1",
    )
    manager.add_subscriptions(server, selected.path)
    for state in (PAUSED, RUNNING):
        invoke(connection, "RequestStateChange", guest.path, RequestedState=pywbem.Uint16(state))
        while (indication := told.get(timeout=60))["SourceInstance"]["Name"] != name:
            pass
        before, now = indication["PreviousInstance"], indication["SourceInstance"]
        print(f"{name}: state {before['EnabledState']} before, {now['EnabledState']} now")
finally:
    manager.remove_all_servers()
    listener.stop()
