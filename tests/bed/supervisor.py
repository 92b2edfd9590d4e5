"""Runs one private libvirtd in a mount namespace of its own, and ends all that came of it.

Started by `bed.daemon` as a script: ``python supervisor.py DIRECTORY``.  Commands come as lines on standard input,
answers go out as lines on standard output:

=========  ===============================================================================================
``start``  start libvirtd; answers ``started PID``
``stop``   SIGTERM to libvirtd, wait for its end; answers ``stopped``.  Guests go on running, as they do on a host
``kill``   the same by SIGKILL
=========  ===============================================================================================

End of input, whatever ended the test run, ends libvirtd and every process that descends from it.

libvirt lets QEMU and containers become orphans; this process is their "subreaper": it inherits them, so it knows
which processes are its own, and it reaps them.  Without that a container whose first process reaps nothing keeps
QEMU probes as zombies, and libvirtd waits 40 s for each.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

CLONE_NEWNS = 0x00020000
PR_SET_CHILD_SUBREAPER = 36

#: Seconds a daemon or guest gets to end by itself before SIGKILL.
PATIENCE = 15.0

#: Directory of the private host -> where libvirtd looks for it.
MOUNTS = {
    "etc": "/etc/libvirt",
    "lib": "/var/lib/libvirt",
    "log": "/var/log/libvirt",
    "cache": "/var/cache/libvirt",
    "run": "/run",
}


def enter_namespace(directory: Path) -> None:
    """Leave the host's mount namespace and put the private directories in place."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "cannot make a mount namespace")
    mount("--make-rprivate", "/")
    # A cgroup2 hierarchy without controllers beside cgroup1 confuses the LXC driver of libvirt 9.
    if os.path.ismount("/sys/fs/cgroup/unified"):
        subprocess.run(["umount", "/sys/fs/cgroup/unified"], check=True)
    # /run as a whole is private: that hides D-Bus, systemd and the system's libvirtd.  udev's database stays.
    if os.path.isdir("/run/udev"):
        (directory / "run/udev").mkdir(exist_ok=True)
        mount("--bind", "/run/udev", str(directory / "run/udev"))
    for name, target in MOUNTS.items():
        Path(target).mkdir(parents=True, exist_ok=True)
        mount("--rbind", str(directory / name), target)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def children() -> list[int]:
    """The processes whose parent is this one, those not yet reaped among them."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                _, parent = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[:2]
                if int(parent) == os.getpid():
                    found.append(int(entry))
    return found


class Supervisor:
    """Keeps the daemon's process id and reaps whatever dies."""

    def __init__(self, directory: Path) -> None:
        self.drivers = directory / "drivers"
        self.listens = (directory / "pki").exists()
        self.sasl = directory / "sasl"
        self.daemon: int | None = None
        self.log = os.open("/var/log/libvirt/output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def start(self) -> None:
        if self.daemon is None:
            environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
            if self.drivers.exists():
                environment["LIBVIRT_DRIVER_DIR"] = str(self.drivers)
            if self.sasl.exists():
                environment["SASL_CONF_PATH"] = str(self.sasl)
            self.daemon = os.posix_spawnp(
                "libvirtd",
                ["libvirtd", "--pid-file", "/run/libvirtd.pid", *(["--listen"] if self.listens else [])],
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, self.log, 1),
                    (os.POSIX_SPAWN_DUP2, self.log, 2),
                ],
                setsid=True,
            )

    def end(self, number: signal.Signals) -> None:
        """Send a signal to the daemon and wait until it has ended."""
        if self.daemon is None:
            return
        os.kill(self.daemon, number)
        deadline = time.monotonic() + PATIENCE
        while self.daemon is not None:
            if time.monotonic() > deadline:
                os.kill(self.daemon, signal.SIGKILL)
            time.sleep(0.01)
            self.reap()

    def end_all(self) -> None:
        """End the daemon and all it left behind."""
        self.end(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while remaining := children():
            for pid in remaining:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.reap()
            if time.monotonic() > deadline:
                print(f"still there: {remaining}", file=sys.stderr)
                return
            time.sleep(0.02)

    def reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                if pid == self.daemon:
                    self.daemon = None

    def serve(self) -> None:
        """Carry out commands until the input ends."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # Ctrl-C goes to the whole process group: the test run decides when the daemon ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([0, wake_read], [], [])
            if wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
                self.reap()
            if 0 in ready:
                line = os.read(0, 64)
                if not line:
                    return
                match line.strip():
                    case b"start":
                        self.start()
                        print(f"started {self.daemon}", flush=True)
                    case b"stop":
                        self.end(signal.SIGTERM)
                        print("stopped", flush=True)
                    case b"kill":
                        self.end(signal.SIGKILL)
                        print("stopped", flush=True)


def main() -> None:
    enter_namespace(Path(sys.argv[1]))
    supervisor = Supervisor(Path(sys.argv[1]))
    try:
        supervisor.serve()
    finally:
        supervisor.end_all()


if __name__ == "__main__":
    main()
