"""Fixtures: the programs, the toy catalog behind a daemon, and test brokers."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cimom.toy import Toy, class_store
from tests.cmpi.broker import BUILD, ROOT, Broker
from tests.conftest import missing
from tests.providers.conftest import corpus  # noqa: F401
from virtcim.app.assembly import make_daemon
from virtcim.cimom.access import Access
from virtcim.cimom.core import Core
from virtcim.cimom.indications.relay import Relay
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cmpi.daemon import CmpiDaemon
from virtcim.frontends.cmpi.settings import CmpiSettings
from virtcim.schema.classes import ClassStore

CLASSES = class_store()


def provider_of(class_name: str) -> str:
    """As the registration names providers: one for the instances, one for each association."""
    associations = {"Toy_SystemDevice", "Toy_Partner", "Toy_Elsewhere"}
    return class_name if class_name in associations else "Toy"


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    """The library and the test broker, plain and with sanitizers."""
    if shutil.which("cc") is None or not Path("/usr/include/cbor.h").exists():
        missing("a C compiler and libcbor-dev")
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:  # held by one of the workers that run tests side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run(
            ["make", "-f", "cmpi/build.mk", "cmpi-test-programs"], cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert made.returncode == 0, made.stderr


@pytest.fixture
def toy() -> Toy:
    made = Toy()
    made.fill()
    return made


class Bridge:
    """The daemon's side over the toy catalog, on a socket of its own."""

    def __init__(self, toy: Toy, socket: Path, classes: ClassStore = CLASSES) -> None:
        self.toy = toy
        self.classes = classes
        self.socket = socket
        self.daemon: CmpiDaemon | None = None

    def start(self, relay: Relay | None = None, access: Access | None = None, **settings: Any) -> None:
        core = Core(self.toy.catalog, self.classes, ServerSettings(), access)
        self.daemon = make_daemon(core, provider_of, CmpiSettings(socket=self.socket, **settings), relay)
        self.daemon.start()

    def stop(self) -> None:
        if self.daemon is not None:
            self.daemon.stop()
            self.daemon = None


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "cmpi.sock"


@pytest.fixture
def bridge(toy: Toy, socket: Path) -> Iterator[Bridge]:
    made = Bridge(toy, socket)
    made.start()
    yield made
    made.stop()


@pytest.fixture(params=["sfcb", "sfcb-fork", "pegasus"])
def broker(request: pytest.FixtureRequest, bridge: Bridge) -> Iterator[Broker]:
    """A test broker in each imitation; at its end it must have freed everything."""
    with Broker(bridge.socket, pegasus=request.param == "pegasus", fork=request.param == "sfcb-fork") as made:
        yield made


@pytest.fixture
def new_broker(socket: Path) -> Iterator[Callable[..., Broker]]:
    """Makes test brokers; those that are not closed by the test are closed, and checked, after it."""
    made: list[Broker] = []

    def make(**options: Any) -> Broker:
        made.append(Broker(socket, **options))
        return made[-1]

    yield make
    for each in made:
        if each.process.poll() is None:
            each.close()
