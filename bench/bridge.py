"""What the bridge costs: the library in the CIM server's process, and the daemon.

The library runs in the test broker, with a broker that takes everything and keeps nothing (`cmpi/testbroker/idle.c`):
what the CIM server itself does with an instance, ten times as much and more, is not in the figures.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.measure import cpu_seconds
from bench.node import test_node
from tests.bed import Server
from tests.bed.server import ROOT, wait_until
from tests.cmpi.broker import Broker

#: Guests, with some eleven resource allocations each.
GUESTS = 1000

#: Answers that are taken for each figure.
ROUNDS = 10

#: Class -> the provider that is asked; above the registered classes, it answers for all that it serves.
CLASSES = {"Test_ComputerSystem": "Virt_ComputerSystem", "CIM_ResourceAllocationSettingData": "Virt_RASD"}


def measure_bridge(guests: int = GUESTS) -> dict[str, str]:
    """Measure the CPU time of one enumerated instance, in the library and in the daemon.

    Returns:
        class -> the figures as text; empty without a C compiler and libcbor.
    """
    if shutil.which("cc") is None or not Path("/usr/include/cbor.h").exists():
        return {}
    subprocess.run(["make", "-s", "-f", "cmpi/build.mk", "cmpi-test-programs"], cwd=ROOT, check=True)
    figures = {}
    with tempfile.TemporaryDirectory() as scratch:
        node, socket = Path(scratch, "node.xml"), Path(scratch, "cmpi.sock")
        node.write_text(test_node(guests))
        with (
            Server(f"test://{node}", arguments=["--cmpi-socket", str(socket)], guarded=False) as server,
            Broker(socket, sanitized=False) as broker,
        ):
            for class_name, provider in CLASSES.items():
                asked = (provider, "root/virt", class_name)

                def taken(count: int, asked: tuple[str, str, str] = asked) -> tuple[int, float]:
                    answer = broker.good("cost", count, *asked)
                    return answer["objects"], answer["cpu_seconds"]

                wait_until(lambda: taken(1)[0] >= guests, timeout=120)
                before = cpu_seconds(server.pid)
                objects, library = taken(ROUNDS)
                daemon = cpu_seconds(server.pid) - before
                figures[class_name] = (
                    f"{objects // ROUNDS} objects, library {library / objects * 1e6:.1f} us each, "
                    f"daemon {daemon / objects * 1e6:.1f} us each"
                )
    return figures
