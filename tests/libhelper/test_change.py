"""Changes of domains on libvirt's test driver: all or nothing, and nobody else's change lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from virtcim.libhelper.documents.domain import DomainConfig
from virtcim.libhelper.domains.change import DomainChange, LiveStep, NotKeptError, PartlyDoneError, change_domains
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings

ONE, OTHER = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
NEW = "00000000-0000-4000-8000-000000000003"


def domain(name: str, uuid: str) -> str:
    return (
        f"<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>65536</memory><vcpu>2</vcpu>"
        "<os><type>hvm</type></os></domain>"
    )


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Hypervisor]:
    file = tmp_path / "node.xml"
    file.write_text(f"<node>{domain('one', ONE)}{domain('other', OTHER)}</node>")
    made = Hypervisor(f"test://{file}", HypervisorSettings(interval=0.5))
    made.start()
    assert made.wait_ready(60)
    yield made
    made.stop()


def title(node: Hypervisor, uuid: str) -> str | None:
    return DomainConfig.parse(node.domains.xml(uuid)).title


def name_it(change: DomainChange, text: str) -> None:
    assert change.defined is not None
    change.defined.set(change.defined.config, {"title": text})


def refuse(_domain: libvirt.virDomain) -> None:
    raise LibvirtError("no", libvirt.VIR_ERR_OPERATION_FAILED)


def test_a_change_shows_in_the_inventory(node: Hypervisor) -> None:
    node.domains.change(ONE, lambda change: name_it(change, "new"))
    record = node.inventory.domain_by_uuid(ONE)
    assert record is not None
    assert record.defined is not None
    assert record.defined.title == "new"


def test_a_definition_that_is_not_kept_is_gone_at_once(node: Hypervisor) -> None:
    def refuse_when_seen(_kept: DomainConfig) -> None:
        assert node.inventory.wait_for(lambda now: now.domain("new") is not None, 60)
        raise NotKeptError("no")

    for _ in range(5):
        with pytest.raises(NotKeptError):
            node.domains.define(domain("new", NEW), check=refuse_when_seen)
        assert node.inventory.domain("new") is None


def test_a_step_that_fails_undoes_the_others(node: Hypervisor) -> None:
    trail: list[str] = []

    def edit(change: DomainChange) -> None:
        name_it(change, "new")
        change.steps.append(LiveStep("one", lambda _: trail.append("do"), lambda _: trail.append("undo")))
        change.steps.append(LiveStep("two", refuse, None))

    before = node.domains.xml(ONE)
    with pytest.raises(LibvirtError, match="no") as caught:
        node.domains.change(ONE, edit)
    assert not isinstance(caught.value, PartlyDoneError)
    assert trail == ["do", "undo"]
    assert node.domains.xml(ONE) == before


def test_what_cannot_be_undone_is_named(node: Hypervisor) -> None:
    def edit(change: DomainChange) -> None:
        change.steps.append(LiveStep("the first", lambda _: None, None))
        change.steps.append(LiveStep("the second", lambda _: None, refuse))
        change.steps.append(LiveStep("the third", refuse, None))

    with pytest.raises(PartlyDoneError, match="no; what stands: the second, the first"):
        node.domains.change(ONE, edit)


def test_all_domains_or_none(node: Hypervisor) -> None:
    def broken(change: DomainChange) -> None:
        name_it(change, "b")
        change.steps.append(LiveStep("nothing", refuse, None))

    works = [node.domains.work(ONE, lambda change: name_it(change, "a")), node.domains.work(OTHER, broken)]
    with pytest.raises(LibvirtError, match="no"):
        change_domains(works)
    assert (title(node, ONE), title(node, OTHER)) == (None, None)
    works[1] = node.domains.work(OTHER, lambda change: name_it(change, "b"))
    change_domains(works)
    assert (title(node, ONE), title(node, OTHER)) == ("a", "b")


def test_a_change_from_outside_is_not_lost(node: Hypervisor) -> None:
    """Somebody redefines the domain between our reading and our writing."""
    seen: list[str | None] = []

    def edit(change: DomainChange) -> None:
        assert change.defined is not None
        seen.append(change.defined.config.description)
        name_it(change, "ours")
        if len(seen) == 1:
            theirs = domain("one", ONE).replace("<memory>", "<description>theirs</description><memory>")
            change.domain.connect().defineXML(theirs)

    node.domains.change(ONE, edit)
    config = DomainConfig.parse(node.domains.xml(ONE))
    assert (config.title, config.description) == ("ours", "theirs")
    assert seen == [None, "theirs"]


def test_a_domain_that_is_started_in_between_is_changed_as_it_runs(node: Hypervisor) -> None:
    ran: list[bool] = []

    def edit(change: DomainChange) -> None:
        ran.append(change.live is not None)
        name_it(change, "ours")
        if len(ran) == 1:
            change.domain.create() if change.live is None else change.domain.destroy()

    was = node.inventory.domain("one")
    assert was is not None
    node.domains.change(ONE, edit)
    assert ran == [was.active, not was.active]
    assert title(node, ONE) == "ours"


def test_a_start_waits_for_a_change(node: Hypervisor) -> None:
    """Else the domain could run with the old definition, and later changes would not be of both."""
    node.domains.destroy("one")
    starter = threading.Thread(target=node.domains.start, args=("one",))

    def edit(change: DomainChange) -> None:
        assert change.live is None
        starter.start()
        starter.join(0.2)
        assert starter.is_alive()
        name_it(change, "ours")

    node.domains.change(ONE, edit)
    starter.join(60)
    with node.domains.handle("one") as found:
        assert found.isActive()
        assert DomainConfig.parse(found.XMLDesc(0)).title == "ours"


def test_who_is_always_overtaken_gives_up(node: Hypervisor) -> None:
    counter = iter(range(100))

    def edit(change: DomainChange) -> None:
        name_it(change, "ours")
        text = f"<description>{next(counter)}</description><memory>"
        change.domain.connect().defineXML(domain("one", ONE).replace("<memory>", text))

    with pytest.raises(LibvirtError) as caught:
        node.domains.change(ONE, edit)
    assert caught.value.is_timeout
    assert title(node, ONE) is None


def test_domains_come_and_go(node: Hypervisor) -> None:
    uuid = "00000000-0000-4000-8000-000000000003"
    assert node.domains.define(domain("third", uuid)) == uuid
    assert node.inventory.domain("third") is not None
    with pytest.raises(LibvirtError):
        node.domains.define("<domain/>")
    node.domains.remove(uuid)
    assert node.inventory.domain("third") is None
    with pytest.raises(LibvirtError) as caught:
        node.domains.remove(uuid)
    assert caught.value.is_no_domain


def test_questions_without_answer(node: Hypervisor) -> None:
    """The test driver cannot check a domain without defining it."""
    assert node.domains.check("<domain/>") is None
    assert node.host_capabilities().guests
