"""How all examples reach the server: VIRTCIM_URL, VIRTCIM_USER and VIRTCIM_PASSWORD say where, and as whom.

For a server on this host: export VIRTCIM_URL=http://127.0.0.1:5988 VIRTCIM_USER=virtcim, and
VIRTCIM_PASSWORD=$(cut -d: -f2 /var/lib/virtcim/password).
"""

import os

import pywbem


def connect(namespace: str = "root/virt") -> pywbem.WBEMConnection:
    """Connect to the server."""
    credentials = os.environ["VIRTCIM_USER"], os.environ["VIRTCIM_PASSWORD"]
    return pywbem.WBEMConnection(
        os.environ.get("VIRTCIM_URL", "http://127.0.0.1:5988"), credentials, default_namespace=namespace
    )


def find_guest(connection: pywbem.WBEMConnection, name: str) -> pywbem.CIMInstance:
    """Find a guest by its name."""
    for guest in connection.EnumerateInstances("Virt_ComputerSystem"):
        if guest["Name"] == name:
            return guest
    raise SystemExit(f"{name}: there is no guest of this name")
