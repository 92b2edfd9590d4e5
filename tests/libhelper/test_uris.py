"""Which libvirt URIs a client may name: each way to more than a connection is refused on its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtcim.libhelper.uris import URIRules, shorten_uri

RULES = URIRules(frozenset({"unix", "ssh", "tls", "tcp"}), ("*.example.com", "10.0.0.*", "fd00::*"))


@pytest.mark.parametrize(
    "uri",
    [
        "qemu:///system",
        "qemu+unix:///session",
        "lxc:///",
        "test:///default",
        "qemu://west.example.com/system",
        "qemu+tls://WEST.example.com:16514/system",
        "qemu+ssh://root@10.0.0.7/system",
        "qemu+ssh://root@10.0.0.7/system?mode=direct&no_tty=1",
        "qemu+tcp://[fd00::7]:16509/system",
        "vpx://admin@vc.example.com/Folder/Cluster/host",
    ],
)
def test_what_is_harmless_is_taken(uri: str) -> None:
    RULES.check(uri)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("qemu:///system", "qemu:///system"),
        ("lxc:///", "lxc:///"),
        ("qemu+ssh://root:word@west.example.com/system?keyfile=/root/.ssh/id", "qemu+ssh://west.example.com/system"),
        ("qemu+ssh://a@b@[fd00::7]:2222/session?socket=/run/x", "qemu+ssh://[fd00::7]:2222/session"),
        ("qemu+unix:///system?socket=/srv/secret/socket", "qemu+unix:///system"),
        ("test:///srv/secret/node.xml", "test:///..."),
        ("vpx://admin@vc.example.com/Folder/Cluster/host", "vpx://vc.example.com/..."),
    ],
)
def test_neither_logins_nor_files_are_told(uri: str, told: str) -> None:
    assert shorten_uri(uri) == told


HOSTILE = [
    ("qemu+ext:///system?command=/bin/sh", "transport 'ext' can run a program"),
    ("qemu+EXT:///system", "not a URI of libvirt"),
    ("qemu+libssh://a.example.com/system", "'libssh' is not permitted"),
    ("qemu+ssh://a.example.com/system?command=/tmp/x", "parameter 'command'"),
    ("qemu+ssh://a.example.com/system?Command=/tmp/x", "parameter 'command'"),
    ("qemu+ssh://a.example.com/system?comman%64=/tmp/x", "parameter 'command'"),
    ("qemu+ssh://a.example.com/system?mode=auto;command=/tmp/x", "parameter 'command'"),
    ("qemu+ssh://a.example.com/system?mode=auto&command=/tmp/x", "parameter 'command'"),
    ("qemu+ssh://a.example.com/system?netcat=/tmp/x", "parameter 'netcat'"),
    ("qemu+ssh://a.example.com/system?keyfile=/root/.ssh/id", "parameter 'keyfile'"),
    ("qemu+ssh://a.example.com/system?known_hosts=/dev/null", "parameter 'known_hosts'"),
    ("qemu+ssh://a.example.com/system?known_hosts_verify=ignore", "parameter 'known_hosts_verify'"),
    ("qemu+ssh://a.example.com/system?sshauth=agent", "parameter 'sshauth'"),
    ("qemu+ssh://a.example.com/system?no_verify=1", "parameter 'no_verify'"),
    ("qemu+tls://a.example.com/system?no_verify", "parameter 'no_verify'"),
    ("qemu+tls://a.example.com/system?no_sanity=1", "parameter 'no_sanity'"),
    ("qemu+tls://a.example.com/system?pkipath=/tmp", "parameter 'pkipath'"),
    ("qemu+tls://a.example.com/system?tls_priority=NONE", "parameter 'tls_priority'"),
    ("qemu+unix:///system?socket=/tmp/s", "parameter 'socket'"),
    ("qemu+tls://a.example.com/system?name=test:///etc/passwd", "parameter 'name'"),
    ("qemu+ssh://a.example.com/system?proxy=netcat", "parameter 'proxy'"),
    ("qemu+ssh://a.example.com/system?mode=/x", "'/x' is not a value of 'mode'"),
    ("qemu+ssh://a.example.com/system?unknown=1", "parameter 'unknown'"),
    ("qemu:///embed?root=/tmp/x", "can choose a file"),
    ("test:///etc/passwd", "can choose a file"),
    ("test:////default", "can choose a file"),
    ("qemu:///system/../x", "can choose a file"),
    ("vpx://vc.example.com/a/%2e%2e/b", "not a place in an inventory"),
    ("qemu+ssh://-oProxyCommand=x@a.example.com/system", "not the name of a user"),
    ("qemu+ssh://-oProxyCommand=x/system", "not the name or address of a host"),
    ("qemu+ssh://user:secret@a.example.com/system", "holds a password"),
    ("qemu+ssh://a.example.com.evil.org/system", "is not permitted"),
    ("qemu+tcp://evil.org/system", "host 'evil.org' is not permitted"),
    ("qemu+ssh:///system", "names no host"),
    ("qemu+unix://a.example.com/system", "names a host for this machine"),
    ("qemu+tls://a.example.com:0/system", "0 is not a port"),
    ("qemu+tls://a.example.com:99999/system", "is not a URI"),
    ("qemu+tls://a.example.com:x/system", "is not a URI"),
    ("qemu+tls://[fd00::7/system", "is not a URI"),
    ("qemu:///system#x", "has a fragment"),
    ("west", "not a URI of libvirt"),
    ("", "not a URI of libvirt"),
    ("qemu:/system", "not a URI of libvirt"),
    ("qemu:///sys tem", "holds a character"),
    ("qemu:///system\n", "holds a character"),
    ("qemu:///system\x00", "holds a character"),
    ("qemu+tls://ä.example.com/system", "holds a character"),
    ("qemu+tls://a.example.com\\@evil.org/system", "holds a character"),
    (f"qemu+tls://{'a' * 2000}.example.com/system", "too long"),
]
"""URIs that could do more than connect to a host that is permitted, each with what its refusal says."""


@pytest.mark.parametrize(("uri", "reason"), HOSTILE)
def test_what_could_do_more_is_refused(uri: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        RULES.check(uri)
    assert reason in str(raised.value)
    assert "secret" not in str(raised.value)
    assert len(str(raised.value)) < 1500


def test_without_settings_nothing_is_permitted() -> None:
    for uri in ("qemu:///system", "qemu+ssh://a.example.com/system"):
        with pytest.raises(ValueError, match="not permitted; expected none"):
            URIRules().check(uri)


def test_a_migration_goes_to_a_permitted_host() -> None:
    RULES.check_migration("tcp://10.0.0.7:49152")
    RULES.check_migration("qemu+tls://a.example.com/system")
    for uri in (
        "tcp://evil.org",
        "tcp://10.0.0.7/x",
        "tcp://10.0.0.7?x=1",
        "unix:///tmp/x",
        "rdma://evil.org",
        "x",
        "tcp://10.0.0.7:x",
    ):
        with pytest.raises(ValueError, match=r"expected|not"):
            RULES.check_migration(uri)


@given(st.text(max_size=80))
def test_no_text_ends_otherwise(text: str) -> None:
    for uri in (text, f"qemu+ssh://{text}", f"qemu+tls://a.example.com/system?{text}"):
        try:
            RULES.check(uri)
        except ValueError:
            continue
        assert not {"command", "netcat", "socket", "keyfile", "pkipath"} & set(uri.replace("=", "?").split("?"))
