"""How all examples reach the server: VIRTCIM_URL, VIRTCIM_USER and VIRTCIM_PASSWORD say where, and as whom.

Without them it is the server of this host, http://127.0.0.1:5988, and the user that it made when it first started.
"""

import getpass
import os
import sys
import time
from pathlib import Path

import pywbem

JOB_STARTED = 4096

COMPLETED = 7
OVER = (COMPLETED, 8, 9, 10)  # terminated, killed, exception: JobState of CIM_ConcreteJob


def read_words(*names: str) -> list[str]:
    """Read the words behind the command, which have to be as many as there are names; else say which."""
    words = sys.argv[1:]
    if len(words) != len(names):
        raise SystemExit(f"usage: {sys.argv[0]} {' '.join(names)}")
    return words


def connect(namespace: str = "root/virt") -> pywbem.WBEMConnection:
    """Connect to the server."""
    url = os.environ.get("VIRTCIM_URL", "http://127.0.0.1:5988")
    return pywbem.WBEMConnection(url, who_asks(), default_namespace=namespace)


def who_asks() -> tuple[str, str]:
    """Get a user and a password: those of the environment, else those that the server has made."""
    user = os.environ.get("VIRTCIM_USER")
    if user is not None:
        return user, os.environ.get("VIRTCIM_PASSWORD") or getpass.getpass(f"Password of {user}: ")
    state = Path("/var/lib/virtcim") if os.geteuid() == 0 else Path.home() / ".local/state/virtcim"
    try:
        user, _, password = (state / "password").read_text().strip().partition(":")
    except OSError as error:
        raise SystemExit(f"VIRTCIM_USER: is not set, and {state}/password: {error.strerror}; expected a user") from None
    return user, password


def find_guest(connection: pywbem.WBEMConnection, name: str) -> pywbem.CIMInstance:
    """Find a guest by its name."""
    for guest in connection.EnumerateInstances("Virt_ComputerSystem"):
        if guest["Name"] == name:
            return guest
    raise SystemExit(f"guest {name}: there is none; expected the name of one")


def find_service(connection: pywbem.WBEMConnection, kind: str, platform: str = "KVM") -> pywbem.CIMInstanceName:
    """Find a service of the host by its class without the prefix of the platform."""
    for service in connection.EnumerateInstanceNames(f"{platform}_{kind}"):
        return service
    raise SystemExit(f"{platform}_{kind}: there is none; expected a host of that platform")


def invoke(
    connection: pywbem.WBEMConnection, method: str, path: pywbem.CIMInstanceName, **parameters: object
) -> dict[str, object]:
    """Call a method, and wait for its job where it makes one.

    Returns:
        what the method gives back; of a job, the reference `Job`.
    """
    code, out = connection.InvokeMethod(method, path, **parameters)
    if code == JOB_STARTED:
        job = wait_for(connection, out["Job"])
        if job["JobState"] != COMPLETED:
            raise SystemExit(f"{method}: {job['JobStatus']}: {job['ErrorDescription']}")
    elif code != 0:
        raise SystemExit(f"{method} returned {code}")
    return out


def wait_for(connection: pywbem.WBEMConnection, path: pywbem.CIMInstanceName) -> pywbem.CIMInstance:
    """Wait for the end of a job."""
    while (job := connection.GetInstance(path))["JobState"] not in OVER:
        time.sleep(0.1)
    return job
