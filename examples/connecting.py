"""How all examples reach the server: VIRTCIM_URL, VIRTCIM_USER and VIRTCIM_PASSWORD say where, and as whom.

For a server on this host: export VIRTCIM_URL=http://127.0.0.1:5988 VIRTCIM_USER=virtcim, and
VIRTCIM_PASSWORD=$(cut -d: -f2 /var/lib/virtcim/password).
"""

import os
import time

import pywbem

JOB_STARTED = 4096

COMPLETED = 7
OVER = (COMPLETED, 8, 9, 10)  # terminated, killed, exception: JobState of CIM_ConcreteJob


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


def find_service(connection: pywbem.WBEMConnection, kind: str, platform: str = "KVM") -> pywbem.CIMInstanceName:
    """Find a service of the host by its class without the prefix of the platform."""
    return connection.EnumerateInstanceNames(f"{platform}_{kind}")[0]


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
