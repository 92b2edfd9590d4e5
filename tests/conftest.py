"""Fixtures of the test bed."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator, Iterator

import libvirt
import pytest
from hypothesis import HealthCheck, settings

from tests.bed import Libvirtd, Server, baseline_xml, boot_sector_xml, container_root, container_xml, why_unavailable
from tests.bed.linux import LinuxGuest, UnavailableError, linux_guest

# libvirt-python otherwise prints every error that a test provokes.
libvirt.registerErrorHandler(lambda *_: None, None)

# How long an example takes says more of what else runs on the machine than of the code.
settings.register_profile("virtcim", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("virtcim")


LONGEST = (
    "test_soak.py",
    "test_storm.py",
    "test_sequences.py",
    "test_graph.py",
    "test_walk.py",
    "test_following.py",
    "test_serve.py",
    "test_security.py",
    "test_vsms_qemu.py",
    "test_vsms_edits.py",
    "test_actions.py",
    "test_search.py",
    "test_wheel.py",
    "test_catalog.py",
)
"""Files that take the most time, to be run first: beside others, one that begins last is waited for."""


NEEDS = {
    "libvirtd": ("root", "qemu"),
    "new_libvirtd": ("root", "qemu"),
    "linux": ("qemu",),
    "pam_server": ("root",),
}
"""What a test needs that has a fixture; files and tests that start daemons of their own are marked where they stand."""


HAS_FAILED = pytest.StashKey[bool]()
"""Whether a test failed that is being tried."""


LONGEST_NAME = 48
"""Characters of a text that names a case: a checksum has more."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case of bytes, or of a long text, by its place: a packed file and its checksum differ from one worker to
    the next, and tell a reader nothing."""
    is_opaque = isinstance(val, bytes) or (isinstance(val, str) and len(val) > LONGEST_NAME)
    return argname if is_opaque else None


# Before pytest leaves out what `-m` does not want.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, and mark what needs more than this tree."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            for marker in NEEDS.get(fixture, ()):
                item.add_marker(marker)
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what UTF-8 does not have in captured output: a worker that runs beside others could not hand it over."""
    report = yield
    report.sections = [(title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections]
    item.stash[HAS_FAILED] = item.stash.get(HAS_FAILED, False) or report.failed
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Give what is tried once more daemons and servers of its own: those of the first try have what that left."""
    has_failed = item.stash.get(HAS_FAILED, False)
    item.stash[HAS_FAILED] = False
    if has_failed and item.config.getoption("reruns", None):
        item.session._setupstate.teardown_exact(None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show how tests failed that passed when they were tried once more."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.write_sep("_", f"{report.nodeid}, at its first try")
        terminalreporter.write_line(report.longreprtext)


def missing(reason: str) -> None:
    """Skip for want of something on this machine; in continuous integration nothing may be wanting."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have the whole test bed: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="module", autouse=True)
def _small_heap() -> None:
    """Have garbage looked for in what the tests of a file make: all that was made before takes a second to go through,
    and many tests end by a collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def libvirtd() -> Iterator[Libvirtd]:
    """One private libvirtd for the whole run.  Tests that stop it make their own (`new_libvirtd`)."""
    if (reason := why_unavailable()) is not None:
        missing(reason)
    with Libvirtd() as daemon:
        yield daemon


@pytest.fixture
def new_libvirtd() -> Iterator[Callable[[], Libvirtd]]:
    """Makes further private daemons, running and empty: to be stopped, killed, migrated to."""
    if (reason := why_unavailable()) is not None:
        missing(reason)
    made: list[Libvirtd] = []

    def make() -> Libvirtd:
        daemon = Libvirtd()
        made.append(daemon)
        daemon.start()
        return daemon

    yield make
    for daemon in made:
        daemon.close()


class Guests:
    """Defines guests on a daemon, each with what it needs.  All return the name of the guest."""

    def __init__(self, daemon: Libvirtd) -> None:
        self.daemon = daemon

    def baseline(self, name: str, title: str | None = None, description: str | None = None) -> str:
        """An inactive guest with nine resource allocations; it can be started, too."""
        self.daemon.define(baseline_xml(name, self.daemon.new_image(), title=title, description=description))
        return name

    def boot_sector(self, name: str, machine: str = "pc") -> str:
        """A guest that answers the power button and unplug requests 0.1 s after its start."""
        self.daemon.define(boot_sector_xml(name, self.daemon.new_image(), machine=machine))
        return name

    def container(self, name: str) -> str:
        """An LXC container."""
        root = container_root(self.daemon.directory / "root")
        self.daemon.define(container_xml(name, root), "lxc")
        return name


@pytest.fixture
def guests(libvirtd: Libvirtd) -> Iterator[Guests]:
    """Guests on the session's daemon; after the test the daemon is empty again."""
    libvirtd.remove_domains()
    yield Guests(libvirtd)
    libvirtd.remove_domains()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers: `serve(uri, ..., auth=..., config=...)`; the test's end is theirs."""
    running: list[Server] = []

    def start(*uris: str, **options: object) -> Server:
        server = Server(*uris, **options)  # type: ignore[arg-type]
        running.append(server)
        server.start()
        return server

    yield start
    for server in running:
        server.close()


@pytest.fixture(scope="module")
def default_server() -> Iterator[Server]:
    """A server on libvirt's test driver, for tests that only read."""
    with Server("test:///default") as server:
        yield server


@pytest.fixture(scope="module")
def linux(tmp_path_factory: pytest.TempPathFactory) -> LinuxGuest:
    """What a tiny Linux guest boots from."""
    try:
        return linux_guest(tmp_path_factory.mktemp("linux"))
    except UnavailableError as error:
        missing(str(error))
        raise
