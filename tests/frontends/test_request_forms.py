"""What libvirt-cim's clients send, on each platform: its answer, or another one that docs/compatibility.md lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Libvirtd, Server, container_root, container_xml
from tests.cimom.harness import RawClient
from tests.frontends.requestforms import EVERYWHERE, FORMS, Form, Guest
from tests.frontends.wireforms import WIRE_FORMS, WireForm
from tests.xpath import nodes

DROP_IN = "[compatibility]\nlibvirt_cim = true\n"
PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
POOL = "<pool type='dir'><name>{0.name}</name><target><path>{0}</path></target></pool>"


def asked(forms: Iterable[Form | WireForm]) -> list[Any]:
    """Each form with each platform that is asked it."""
    return [
        pytest.param(prefix, form, marks=pytest.mark.lxc if prefix == "LXC" else (), id=f"{prefix}: {form.name}")
        for prefix in EVERYWHERE
        for form in forms
        if prefix in getattr(form, "of", EVERYWHERE)
    ]


@contextmanager
def host_of(prefix: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, str, str]]:
    """A connection, and the names of a guest and of a storage pool of it."""
    if prefix == "Test":
        yield "test:///default", "test", "default-pool"
        return
    daemon: Libvirtd = request.getfixturevalue("libvirtd")
    driver = "lxc" if prefix == "LXC" else "qemu"
    if prefix == "LXC":
        daemon.define(container_xml("formed", container_root(daemon.directory / "root")), "lxc")
    else:
        daemon.define("<domain type='qemu'><name>formed</name><memory>65536</memory><os><type>hvm</type></os></domain>")
    directory = daemon.directory / f"formed-{prefix}"
    directory.mkdir()
    storage = daemon.connect().storagePoolCreateXML(POOL.format(directory))
    yield daemon.uri(driver), "formed", directory.name
    storage.destroy()
    daemon.remove_domains()


@pytest.fixture(scope="module")
def modes(request: pytest.FixtureRequest) -> Iterator[Callable[[str], tuple[Guest, Guest]]]:
    """The guest of a platform as everywhere, and in the drop-in mode; each is begun when it is asked for."""
    with ExitStack() as stack:

        @cache
        def begin(prefix: str) -> tuple[Guest, Guest]:
            uri, name, pool = stack.enter_context(host_of(prefix, request))
            servers = [stack.enter_context(Server(uri, auth="none", config=text)) for text in ("", DROP_IN)]
            true, drop_in = (Guest(each.pywbem(), prefix, name, pool, each.port) for each in servers)
            return true, drop_in

        yield begin


def answer_of(form: Form, guest: Guest) -> tuple[int, str]:
    """The status and the text of an error, or the return value; what was made is gone again."""
    try:
        value = form.ask(guest)
    except pywbem.CIMError as error:
        return int(error.status_code), str(error.status_description)
    guest.remove_others()
    return 0, str(value)


@pytest.mark.parametrize("is_drop_in", [False, True], ids=["true form", "drop-in"])
@pytest.mark.parametrize(("prefix", "form"), asked(FORMS))
def test_an_answer_is_that_of_libvirt_cim_or_listed(
    modes: Callable[[str], tuple[Guest, Guest]], prefix: str, form: Form, is_drop_in: bool
) -> None:
    status, text = answer_of(form, modes(prefix)[is_drop_in])
    instead = form.instead
    expected = form if instead is None or (is_drop_in and instead.is_undone) else instead
    assert (status, text[: len(expected.text)]) == (expected.status, expected.text), text


def test_each_other_answer_is_listed() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    listed = {form.instead.listed for form in FORMS if form.instead is not None}
    assert [words for words in sorted(listed) if not any(words in row for row in rows)] == []


@pytest.mark.parametrize("is_drop_in", [False, True], ids=["true form", "drop-in"])
@pytest.mark.parametrize(("prefix", "form"), asked(WIRE_FORMS))
def test_a_request_is_taken_as_each_client_writes_it(
    modes: Callable[[str], tuple[Guest, Guest]], prefix: str, form: WireForm, is_drop_in: bool
) -> None:
    guest = modes(prefix)[is_drop_in]
    named = {"space": "root%2Fvirt", "class": f"{prefix}_ComputerSystem", "name": guest.name}
    headers = {name: text and text.format(**named) for name, text in form.headers.items()}
    with RawClient(guest.port) as client:
        answer = client.post(form.body(prefix, guest.name), headers)
    assert answer.status == 200, answer.headers.get("cimerror")
    other = form.drop_in_status
    assert answer.cim_status == (other if is_drop_in and other is not None else form.status), answer.description
    assert nodes(answer.xml, form.found)
    guest.remove_others()
