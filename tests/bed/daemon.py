"""A libvirtd of our own: real, on private directories, beside whatever the host runs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import libvirt

from tests.bed.guests import disk_image

SUPERVISOR = Path(__file__).with_name("supervisor.py")

#: What the daemons of earlier tests found out about the QEMU binaries, which takes seconds; libvirt asks anew when a
#: binary, itself or the kernel has changed.
CAPABILITIES = Path(__file__).resolve().parents[2] / "build" / "qemu-capabilities"

#: Seconds until a started daemon must answer; the first start on a machine probes every QEMU binary.
START_PATIENCE = 120.0

LIBVIRTD_CONF = """\
host_uuid = "{uuid}"
unix_sock_rw_perms = "0777"
unix_sock_ro_perms = "0777"
auth_unix_rw = "{rw_authentication}"
auth_unix_ro = "none"
max_client_requests = 20
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
"""

TLS_CONF = """\
listen_tls = 1
listen_tcp = 0
listen_addr = "127.0.0.1"
tls_port = "{port}"
auth_tls = "{authentication}"
ca_file = "{pki}/cacert.pem"
cert_file = "{pki}/servercert.pem"
key_file = "{pki}/serverkey.pem"
"""

# libvirt's own default on Debian, Kerberos, needs a realm.
SASL_CONF = """\
mech_list: scram-sha-256
sasldb_path: {users}
"""

# As root, QEMU may open what the bed makes and /dev/kvm whatever its mode: libvirt otherwise probes QEMU anew at
# every call when root may open /dev/kvm and QEMU's user may not.  No security driver, because the host's AppArmor
# profiles are not ours; output goes to files, so that no virtlogd is needed.
QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
stdio_handler = "file"
namespaces = []
seccomp_sandbox = 0
remote_display_port_min = {display}
remote_display_port_max = {last_display}
migration_port_min = {migration}
migration_port_max = {last_migration}
"""

FIRST_PORT, LAST_PORT, DISPLAYS, MIGRATIONS = 7_000, 15_000, 150, 50
"""Where daemons have ports, and how many each has for VNC and SPICE, and for memory and disks that are sent to it."""


def reserve_ports() -> tuple[int, socket.socket]:
    """Find ports that no other daemon of the bed has, and keep them until the socket is closed.

    libvirt looks for a free port and QEMU takes it a moment later, in which the guest of another daemon could.

    Returns:
        the first of them, and the socket.
    """
    for first in range(FIRST_PORT, LAST_PORT, DISPLAYS + MIGRATIONS):
        kept = socket.socket(socket.AF_UNIX)
        try:
            kept.bind(f"\0virtcim-bed-{first}")  # in the network that the ports are in, and gone with the process
        except OSError:
            kept.close()
        else:
            return first, kept
    raise OSError("all ports of the test bed are taken")


def why_unavailable() -> str | None:
    """Why this machine cannot run the bed; None when it can."""
    if os.geteuid() != 0:
        return "a private libvirtd needs root"
    for program in ("libvirtd", "virsh", "qemu-system-x86_64", "qemu-img", "as", "ld", "mount"):
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            return f"{program} is not installed"
    probe = subprocess.run(
        ["unshare", "--mount", "mount", "--bind", "/tmp", "/tmp"], capture_output=True, text=True, check=False
    )
    if probe.returncode != 0:
        return f"mount namespaces are not allowed here: {probe.stderr.strip()}"
    return None


class Libvirtd:
    """A private libvirtd with its own configuration, state, sockets and host UUID.

    It shares the network with the machine it runs on (VNC servers listen on its loopback address); networks are
    not started by themselves.  Several can run at once.

    Parameters:
        qemu_conf: further lines for qemu.conf.
        libvirtd_conf: further lines for libvirtd.conf.
        tls_port: where it listens on the loopback address, with certificates of its own; 0: nowhere.
        users: who may connect there, and the password of each; None: whoever has a certificate.
        rw_authentication: how who wants to write has to prove who he is: libvirtd's word for it.
    """

    def __init__(
        self,
        qemu_conf: str = "",
        libvirtd_conf: str = "",
        rw_authentication: str = "none",
        tls_port: int = 0,
        users: Mapping[str, str] | None = None,
    ) -> None:
        self.host_uuid = str(uuid.uuid4())
        # Not below pytest's directory: the path of a Unix socket must stay under 108 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="virtcim-bed-"))
        for name in ("etc/qemu", "etc/lxc", "lib/images", "log", "cache/qemu/capabilities", "run/libvirt", "run/lock"):
            (self.directory / name).mkdir(parents=True)
        conf = LIBVIRTD_CONF.format(uuid=self.host_uuid, rw_authentication=rw_authentication)
        self.tls_port = tls_port
        if tls_port:
            make_certificates(self.directory / "pki")
            authentication = "none" if users is None else "sasl"
            conf += TLS_CONF.format(port=tls_port, pki=self.directory / "pki", authentication=authentication)
        if users is not None:
            make_users(self.directory / "sasl", users)
        (self.directory / "etc/libvirtd.conf").write_text(conf + libvirtd_conf)
        display, self._ports = reserve_ports()
        migration = display + DISPLAYS
        ports = {
            "display": display,
            "last_display": migration - 1,
            "migration": migration,
            "last_migration": migration + MIGRATIONS - 1,
        }
        (self.directory / "etc/qemu.conf").write_text(QEMU_CONF.format(**ports) + qemu_conf)
        filters = Path("/etc/libvirt/nwfilter")
        if filters.is_dir():
            shutil.copytree(filters, self.directory / "etc/nwfilter")
        copy_files(CAPABILITIES, self._capabilities)
        self.pid: int | None = None
        self._omitted: tuple[str, ...] = ()
        self._supervisor: subprocess.Popen[str] | None = None

    @property
    def images(self) -> Path:
        """Where disk images of guests belong."""
        return self.directory / "lib/images"

    @property
    def xml_directory(self) -> Path:
        """Where libvirtd writes the XML of its QEMU domains (inside the namespace /etc/libvirt/qemu)."""
        return self.directory / "etc/qemu"

    @property
    def log(self) -> str:
        """What the daemon logged so far."""
        return "".join(path.read_text(errors="replace") for path in sorted((self.directory / "log").glob("*.log")))

    @property
    def _capabilities(self) -> Path:
        return self.directory / "cache/qemu/capabilities"

    def uri(self, driver: str = "qemu") -> str:
        """The URI of this daemon for a driver: qemu, lxc or test."""
        path = "default" if driver == "test" else "system"
        return f"{driver}+unix:///{path}?socket={self.directory}/run/libvirt/libvirt-sock"

    def tls_uri(self) -> str:
        """The URI of this daemon over TLS, with the certificates of a client."""
        return f"qemu+tls://127.0.0.1:{self.tls_port}/system?pkipath={self.directory}/pki"

    @property
    def namespace(self) -> str:
        """The file of the mount namespace in which this is the daemon on libvirt's default sockets."""
        if self._supervisor is None:
            raise RuntimeError("the private libvirtd was never started")
        return f"/proc/{self._supervisor.pid}/ns/mnt"

    def omit(self, *drivers: str) -> None:
        """Have the next start do without these drivers, as where their packages are not installed."""
        self._omitted = drivers
        links = self.directory / "drivers"
        shutil.rmtree(links, ignore_errors=True)
        links.mkdir()
        for module in Path("/usr").glob("lib*/**/libvirt/connection-driver/libvirt_driver_*.so"):
            if module.stem.removeprefix("libvirt_driver_") not in drivers:
                (links / module.name).symlink_to(module)

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        if self._supervisor is None:
            self._supervisor = subprocess.Popen(
                [sys.executable, str(SUPERVISOR), str(self.directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._expect("ready")
        self.pid = int(self._command("start", "started"))
        deadline = time.monotonic() + START_PATIENCE
        driver = next(driver for driver in ("qemu", "lxc") if driver not in self._omitted)
        socket_for_reading = f"{self.uri(driver)}-ro"
        while True:
            answer = self._run_virsh("--readonly", "--connect", socket_for_reading, "version")
            if answer.returncode == 0:
                break
            if time.monotonic() > deadline or not Path(f"/proc/{self.pid}").exists():
                raise RuntimeError(f"the private libvirtd does not answer: {answer.stderr.strip()}\n{self.log}")
            time.sleep(0.05)
        copy_files(self._capabilities, CAPABILITIES)

    def stop(self) -> None:
        """End the daemon as a service manager would (SIGTERM).  Guests go on running."""
        self._command("stop", "stopped")
        self.pid = None

    def kill(self) -> None:
        """End the daemon by SIGKILL.  Guests go on running."""
        self._command("kill", "stopped")
        self.pid = None

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the daemon and its guests, and remove its directories."""
        if self._supervisor is not None and self._supervisor.stdin is not None:
            self._supervisor.stdin.close()
            self._supervisor.wait(60)
            self._supervisor = None
        self._ports.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def virsh(self, *arguments: str, driver: str = "qemu") -> str:
        """Run virsh and return what it printed.

        Raises:
            subprocess.CalledProcessError: virsh failed; its complaint is in the notes of the exception.
        """
        done = self._run_virsh("--quiet", "--connect", self.uri(driver), *arguments)
        if done.returncode != 0:
            error = subprocess.CalledProcessError(done.returncode, ["virsh", *arguments], done.stdout, done.stderr)
            error.add_note(done.stderr.strip())
            raise error
        return done.stdout

    @staticmethod
    def _run_virsh(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["virsh", *arguments],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=120,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )

    def connect(self, driver: str = "qemu") -> Any:
        """A connection of libvirt-python to this daemon; the caller closes it."""
        return libvirt.open(self.uri(driver))

    def define(self, xml: str, driver: str = "qemu") -> str:
        """Define a domain and return its UUID."""
        connection = self.connect(driver)
        try:
            return str(connection.defineXML(xml).UUIDString())
        finally:
            connection.close()

    def new_image(self) -> Path:
        """A bootable disk image of its own (qcow2) with the boot-sector guest on it."""
        template = self.images / "boot-sector.qcow2"
        if not template.exists():
            disk_image(template)
        image = self.images / f"{uuid.uuid4().hex}.qcow2"
        shutil.copyfile(template, image)
        return image

    def list_all(self, driver: str = "qemu") -> dict[str, str]:
        """`virsh list --all`: names and states in virsh's words."""
        table = self._run_virsh("--connect", self.uri(driver), "list", "--all")
        if table.returncode != 0:
            raise RuntimeError(table.stderr)
        header, _, *rows = table.stdout.rstrip("\n").split("\n")
        name, state = header.index("Name"), header.index("State")
        return {row[name:state].strip(): row[state:].strip() for row in rows if row}

    def remove_domains(self) -> None:
        """Destroy and undefine every domain of this daemon."""
        for driver in ("qemu", "lxc"):
            connection = self.connect(driver)
            try:
                for domain in connection.listAllDomains():
                    remove_domain(domain)
            finally:
                connection.close()

    def _command(self, command: str, answer: str) -> str:
        if self._supervisor is None or self._supervisor.stdin is None:
            raise RuntimeError("the private libvirtd was never started")
        self._supervisor.stdin.write(f"{command}\n")
        self._supervisor.stdin.flush()
        return self._expect(answer)

    def _expect(self, answer: str) -> str:
        if self._supervisor is None or self._supervisor.stdout is None:
            raise RuntimeError("the private libvirtd was never started")
        line = self._supervisor.stdout.readline()
        word, _, rest = line.strip().partition(" ")
        if word != answer:
            raise RuntimeError(f"the supervisor of the private libvirtd said {line!r} instead of {answer!r}")
        return rest


def copy_files(source: Path, target: Path) -> None:
    """Put the XML files of a directory into another one, each in one step, but those that are there already."""
    for file in source.glob("*.xml"):
        there, content = target / file.name, file.read_bytes()
        if not there.exists() or there.read_bytes() != content:
            target.mkdir(parents=True, exist_ok=True)
            part = target / f"{file.name}.{uuid.uuid4().hex}"
            part.write_bytes(content)
            part.replace(there)


def make_users(directory: Path, users: Mapping[str, str]) -> None:
    """Make what SASL needs to know the users of a libvirtd.

    Parameters:
        directory: where it goes; it must not exist.
        users: their names and passwords.
    """
    directory.mkdir()
    known = directory / "passwd.db"
    (directory / "libvirt.conf").write_text(SASL_CONF.format(users=known))
    for name, password in users.items():
        command = ["saslpasswd2", "-p", "-c", "-a", "libvirt", "-f", str(known), name]
        subprocess.run(command, input=password, text=True, capture_output=True, check=True)


def make_certificates(directory: Path, *names: str) -> None:
    """Make an authority, and a certificate for the loopback address for both sides, under libvirt's names.

    Parameters:
        directory: where they go; it must not exist.
        names: of hosts that it is for, too.
    """
    directory.mkdir()
    authority = ["-x509", "-keyout", "cakey.pem", "-out", "cacert.pem", "-subj", "/CN=test bed"]
    usage = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    _openssl(directory, "req", "-newkey", "rsa:2048", "-nodes", "-days", "2", *authority, *usage)
    _openssl(
        directory,
        *("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"),
        *("-keyout", "serverkey.pem", "-out", "request.pem"),
    )
    (directory / "extensions").write_text(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n"
        "extendedKeyUsage=serverAuth,clientAuth\n"
        f"subjectAltName={','.join(['IP:127.0.0.1', *(f'DNS:{name}' for name in names)])}\n"
    )
    signed = ["-in", "request.pem", "-out", "servercert.pem", "-extfile", "extensions"]
    authority = ["-CA", "cacert.pem", "-CAkey", "cakey.pem", "-CAcreateserial"]
    _openssl(directory, "x509", "-req", "-days", "2", *signed, *authority)
    for part in ("key", "cert"):
        shutil.copy(directory / f"server{part}.pem", directory / f"client{part}.pem")


def _openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def remove_domain(domain: Any) -> None:
    """Destroy and undefine one domain, whatever hangs on it."""
    persistent = domain.isPersistent()
    if domain.isActive():
        domain.destroy()
    if persistent:
        container = domain.connect().getType() == "LXC"
        domain.undefineFlags(
            0
            if container
            else libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
        )
