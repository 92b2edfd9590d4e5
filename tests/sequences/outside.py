"""What is done behind the server's back, by libvirt's own tools."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Callable

from tests.bed import boot_sector_xml
from tests.sequences.client import Answer
from tests.sequences.devices import DEVICES
from tests.sequences.rules import GUESTS, MIB, MOST, NETWORKS, POOLS, Rule, Step, World
from tests.sequences.templates import IMAGE_POOL

FILTER = "<filter name='{}'><rule action='drop' direction='in'><tcp dstportstart='{}'/></rule></filter>"


def virsh(world: World, *commands: tuple[str, ...]) -> Step:
    """A step of some commands, each of which may fail."""

    def act() -> Answer:
        reasons = []
        for command in commands:
            try:
                world.daemon.virsh(*command)
            except subprocess.CalledProcessError as error:
                reasons.append(error.stderr.strip())
        return Answer(not reasons, "; ".join(reasons))

    return Step("virsh " + "; ".join(" ".join(each) for each in commands), act)


def written(world: World, name: str, text: str) -> str:
    """A file with this content."""
    path = world.daemon.directory / name
    path.write_text(text)
    return str(path)


def filled(world: World) -> str:
    """What fills the memory of a guest with what takes its time to be sent."""
    file = world.daemon.images / "filling"
    if not file.exists():
        file.write_bytes(os.urandom(4 * MIB))
    device = f"loader,file={file},addr=0x1000000,force-raw=on"
    return (
        "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
        f"<qemu:arg value='-device'/><qemu:arg value='{device}'/></qemu:commandline>"
    )


def define_there(world: World) -> Step | None:
    """A new guest with some more devices."""
    name = world.fresh(GUESTS)
    if name is None or len(world.facts.guests) >= MOST:
        return None
    xml = boot_sector_xml(name, world.daemon.new_image(), machine=world.dice.choice(["pc", "q35"]))
    devices = "".join(world.dice.sample(DEVICES, world.dice.randint(0, 4)))
    if "usb" in devices:
        xml = xml.replace("<controller type='usb' model='none'/>", "")
    end = f"</devices>{filled(world)}" if world.dice.random() < 0.4 else "</devices>"
    xml = xml.replace("</devices>", f"{devices}{end}")
    return virsh(world, ("define", written(world, f"{name}.define.xml", xml)))


def redefine(world: World) -> Step | None:
    """A guest with another definition."""
    if (found := world.pick()) is None:
        return None
    name, guest = found
    xml = re.sub(r"<description>.*?</description>", "", guest.defined)
    number = next(world.numbers)
    change: Callable[[str], str] = world.dice.choice(
        [
            lambda text: text.replace("</uuid>", f"</uuid><description>changed {number}</description>", 1),
            lambda text: re.sub(r"<title>.*?</title>|(?=<memory )", f"<title>{number}</title>", text, count=1),
            lambda text: re.sub(r"<(rng|watchdog|graphics)\b[^>]*?(?:/>|>.*?</\1>)", "", text, flags=re.DOTALL),
            lambda text: re.sub(r"<on_reboot>\w+<", "<on_reboot>destroy<", text),
        ]
    )
    return virsh(world, ("define", written(world, f"{name}.define.xml", change(xml))))


def handle(world: World) -> Step | None:
    """One of virsh's many commands for a guest."""
    if (found := world.pick()) is None:
        return None
    name, guest = found
    number = next(world.numbers)
    snapshots = sorted(guest.parents)
    commands: list[tuple[str, ...]] = [
        ("start", name),
        ("destroy", name),
        ("suspend", name),
        ("resume", name),
        ("managedsave", name),
        ("managedsave-remove", name),
        ("reset", name),
        ("autostart", name),
        ("autostart", name, "--disable"),
        ("desc", name, "--config", f"told {number}"),
        ("desc", name, "--live", f"told {number}"),
        ("setvcpus", name, "2", "--config"),
        ("snapshot-create-as", name, f"o{number}"),
        ("snapshot-create-as", name, f"o{number}", "--disk-only", "--no-metadata"),
        ("attach-disk", name, str(world.image()), "vde", "--persistent" if guest.running else "--config"),
        ("detach-disk", name, "vde", "--persistent" if guest.running else "--config"),
        ("metadata", name, "http://example.org/other", "--key", "o", "--set", f"<n>{number}</n>", "--config"),
        ("blkdeviotune", name, "vda", "--total-iops-sec", str(1000 + number)),
    ]
    if snapshots:
        which = world.dice.choice(snapshots)
        commands += [("snapshot-delete", name, which), ("snapshot-revert", name, which)] * 2
        commands += [("snapshot-delete", name, which, "--metadata")]
    if guest.checkpoints:
        commands += [("checkpoint-delete", name, sorted(guest.checkpoints)[0])] * 2
    # libvirt 9 puts what it keeps of checkpoints where it keeps snapshots, under another name.
    free = world.fresh(GUESTS)
    if free is not None and not guest.running and not guest.checkpoints:
        commands += [("domrename", name, free)]
    return virsh(world, world.dice.choice(commands))


def undefine(world: World) -> Step | None:
    """A guest goes, with all that libvirt keeps of it."""
    if (found := world.pick()) is None or len(world.facts.guests) < 2:
        return None
    name = found[0]
    flags = ("--managed-save", "--snapshots-metadata", "--checkpoints-metadata", "--nvram")
    return virsh(world, ("undefine", name, *flags), ("destroy", name))


def storage(world: World) -> Step | None:
    """Pools and volumes."""
    name = world.dice.choice(POOLS)
    there = world.facts.pools.get(name)
    directory = world.daemon.directory / f"pool-{name}"
    if there is None:
        return virsh(
            world,
            ("pool-define-as", name, "dir", "--target", str(directory)),
            ("pool-build", name),
            ("pool-start", name),
        )
    if not there.active:
        return virsh(world, world.dice.choice([("pool-start", name), ("pool-undefine", name)]))
    number = next(world.numbers)
    commands: list[tuple[str, ...]] = [
        ("vol-create-as", name, f"w{number}", "1M", "--format", "qcow2"),
        ("vol-create-as", name, f"w{number}", "1M"),
        ("pool-refresh", name),
        ("pool-destroy", name),
        ("pool-autostart", name),
    ]
    if there.volumes:
        path = world.dice.choice(sorted(there.volumes))
        commands += [("vol-delete", path), ("vol-resize", path, "4M")]
    return virsh(world, world.dice.choice(commands))


def images(world: World) -> Step | None:
    """The pool of templates and what is in it."""
    there = world.facts.pools.get(IMAGE_POOL)
    if there is None or not there.active:
        return virsh(world, ("pool-start", IMAGE_POOL))
    commands: list[tuple[str, ...]] = [("pool-refresh", IMAGE_POOL), ("pool-destroy", IMAGE_POOL)]
    if there.volumes:
        path = world.dice.choice(sorted(there.volumes))
        commands += [("vol-delete", path), ("vol-resize", path, "4M")]
    return virsh(world, world.dice.choice(commands))


def net(world: World) -> Step | None:
    """Networks, which are not started: their bridges would be those of the machine."""
    name = world.dice.choice(NETWORKS)
    if name in world.facts.networks:
        return virsh(world, world.dice.choice([("net-undefine", name), ("net-autostart", name)]))
    xml = f"<network><name>{name}</name><forward mode='bridge'/><bridge name='nowhere'/></network>"
    return virsh(world, ("net-define", written(world, f"{name}.xml", xml)))


def filters(world: World) -> Step | None:
    """Network filters."""
    own = sorted(each for each in world.facts.filters if each.startswith("own-"))
    if own and world.dice.random() < 0.5:
        return virsh(world, ("nwfilter-undefine", own[0]))
    number = next(world.numbers)
    return virsh(world, ("nwfilter-define", written(world, "filter.xml", FILTER.format(f"own-{number}", number + 1))))


def foreign_file(world: World) -> Step | None:
    """A file in the directory of a pool, that libvirt finds at a refresh."""
    name = world.dice.choice(POOLS)
    there = world.facts.pools.get(name)
    if there is None or not there.active:
        return None
    with contextlib.suppress(OSError):
        (world.daemon.directory / f"pool-{name}" / world.new_name("f")).write_bytes(bytes(512))
    return virsh(world, ("pool-refresh", name))


WEIGHTS: dict[Rule, int] = {
    define_there: 3,
    redefine: 3,
    handle: 14,
    undefine: 1,
    storage: 4,
    net: 2,
    filters: 1,
    foreign_file: 1,
    images: 2,
}
