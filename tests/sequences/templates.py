"""Templates and images: offered, guests made of them, taken away while in use, cloned, changed behind the back."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pywbem

from tests.images.provisioningbed import TEMPLATE
from tests.sequences.client import SPACE, Answer, Client, configuration, system, system_setting
from tests.sequences.facts import ENABLED, Facts
from tests.sequences.rules import GUESTS, MANAGEMENT, MOST, Rule, Step, World, wrong

INTEROP = "root/interop"
IMAGE_POOL = "images"
IMAGE = "/boot.qcow2"
MOST_TEMPLATES = 3
MADE_OF = "metadata/*[local-name()='template']//text()"
FULL_COPY, OVERLAY = 2, 3
TERMINATE = pywbem.Uint16(4)


def offered(client: Client) -> list[str]:
    """The templates of the walk."""
    with client.connection(INTEROP) as connection:
        paths = connection.EnumerateInstanceNames("Virt_Template")
    return sorted(str(each["InstanceID"]) for each in paths if str(each["InstanceID"]).startswith("template:own"))


def template_path(instance_id: str) -> pywbem.CIMInstanceName:
    """The path of a template."""
    return pywbem.CIMInstanceName("Virt_Template", {"InstanceID": instance_id}, namespace=INTEROP)


def volumes_of(facts: Facts) -> dict[str, int]:
    """The volumes of the pool of images, but for the images themselves, which stay for the next guest."""
    volumes = facts.pools[IMAGE_POOL].volumes if IMAGE_POOL in facts.pools else {}
    return {path: size for path, size in volumes.items() if not Path(path).name.startswith("virtcim-")}


def offer(world: World) -> Step | None:
    """CreateInstance of Virt_Template, perhaps with a checksum that the image has not."""
    if len(offered(world.client)) >= MOST_TEMPLATES:
        return None
    name, content = world.new_name("own"), world.images.files[IMAGE]
    sha256 = hashlib.sha256(content if world.dice.random() < 0.8 else b"another").hexdigest()
    document = TEMPLATE.format(url=f"{world.images.url}{IMAGE}", sha256=sha256)
    document = document.replace('id = "boot"', f'id = "{name}"').replace("= 64", "= 32")
    instance = pywbem.CIMInstance("Virt_Template", {"Document": document})
    return Step(
        f"offer {name}",
        lambda: world.client.do(lambda connection: connection.CreateInstance(instance, namespace=INTEROP)),
        lambda _: "" if f"template:{name}@1" in offered(world.client) else "it is not there",
    )


def withdraw(world: World) -> Step | None:
    """DeleteInstance of Virt_Template: refused while guests hang on it."""
    if not (there := offered(world.client)):
        return None
    which = world.dice.choice(there)

    def holds(facts: Facts) -> str:
        users = over(facts, which.removeprefix("template:").partition("@")[0])
        return wrong(which in offered(world.client), False) or wrong(users, [], "over its image:")

    return Step(
        f"withdraw {which}",
        lambda: world.client.do(lambda connection: connection.DeleteInstance(template_path(which))),
        holds,
        lambda _: wrong(which in offered(world.client), True),
    )


def make(world: World) -> Step | None:
    """DefineSystem after a template, with something that happens meanwhile, or nothing."""
    name, there = world.fresh(GUESTS), offered(world.client)
    if name is None or not there or len(world.facts.guests) >= MOST:
        return None
    template, starts = world.dice.choice(there), world.dice.random() < 0.5
    mode = world.dice.choice(["overlay", "full"])
    hap = world.dice.choice(["", "", "", "ended", "withdrawn", "changed"])
    parameters = [f"start={'yes' if starts else 'no'}", f"copy={mode}", f"hostname={name}"]
    wish = system_setting(VirtualSystemIdentifier=name)
    wish["TemplateParameters"] = pywbem.CIMProperty("TemplateParameters", parameters, type="string", is_array=True)
    happened: list[str] = []

    def meanwhile(connection: Any, job: Any) -> bool:
        if hap and not happened:
            happened.append(hap)
            if hap == "ended":
                world.client.call(job.path, "RequestStateChange", RequestedState=TERMINATE)
            elif hap == "withdrawn":
                world.client.do(lambda _: connection.DeleteInstance(template_path(template)))
            else:
                world.images.files[IMAGE] = world.images.files[IMAGE][:-1] + b"x"
        return False

    def act() -> Answer:
        right = world.images.files[IMAGE]
        try:
            return world.client.call(
                MANAGEMENT,
                "DefineSystem",
                meanwhile=meanwhile,
                SystemSettings=wish,
                ReferenceConfiguration=configuration_of(template),
            )
        finally:
            world.images.files[IMAGE] = right

    def holds(facts: Facts) -> str:
        guest = facts.guests.get(name)
        if guest is None:
            return "it is not there"
        (disk,) = guest.find("devices/disk[@device='disk']/source/@file")
        made = volumes_of(facts).keys() - volumes_of(world.facts).keys()
        return (
            wrong(guest.enabled == ENABLED, starts, "runs:")
            or wrong(disk in made, True, f"{disk} in the pool:")
            or wrong(template.partition(":")[2] in "".join(guest.find(MADE_OF)), True, "made of it:")
        )

    def stays(facts: Facts) -> str:
        return wrong(name in facts.guests, False, "there:") or wrong(volumes_of(facts), volumes_of(world.facts))

    return Step(f"make {name} of {template} {parameters} {hap}", act, holds, stays)


def configuration_of(template: str) -> pywbem.CIMInstanceName:
    """The path of the settings of a template."""
    return pywbem.CIMInstanceName("KVM_VirtualSystemSettingData", {"InstanceID": template}, namespace=SPACE)


def clone(world: World) -> Step | None:
    """DefineSystem after a guest, with disks of its own."""
    new = world.fresh(GUESTS)
    if new is None or len(world.facts.guests) >= MOST:
        return None
    if (found := world.pick(lambda guest: f"/pool-{IMAGE_POOL}/" in guest.defined)) is None:
        return None
    name, guest = found
    mode = world.dice.choice([FULL_COPY, OVERLAY])
    wish = system_setting(VirtualSystemIdentifier=new, CloneMode=pywbem.Uint16(mode))

    def act() -> Answer:
        return world.client.call(
            MANAGEMENT, "DefineSystem", SystemSettings=wish, ReferenceConfiguration=configuration(name)
        )

    def holds(facts: Facts) -> str:
        if new not in facts.guests:
            return "it is not there"
        path = "devices/disk[@device='disk']/source/@file"
        own, others = facts.guests[new].find(path), facts.guests[name].find_running(path)
        gone = [each for each in own + others if not Path(each).exists()]
        return (
            wrong(set(own) & set(others), set(), "disks of both:")
            or wrong(gone, [], "files that are not there:")
            or wrong(facts.guests[name].enabled, guest.enabled)
        )

    return Step(f"clone {name} as {new} {mode}", act, holds)


def offer_guest(world: World) -> Step | None:
    """CreateTemplateFromSystem."""
    if len(offered(world.client)) >= MOST_TEMPLATES or (found := world.pick()) is None:
        return None
    name, new = found[0], world.new_name("own")

    def act() -> Answer:
        given = {"System": system(name), "TemplateID": new}
        return world.client.at(INTEROP).call("Virt_ImageStore", "CreateTemplateFromSystem", **given)

    return Step(
        f"offer {name} as {new}",
        act,
        lambda _: "" if f"template:{new}@1" in offered(world.client) else "it is not there",
    )


def over(facts: Facts, template: str) -> list[str]:
    """The guests whose disks lie over the image of a template."""
    return [
        name
        for name, guest in facts.guests.items()
        for disk in guest.find_running("devices/disk[@device='disk']/source/@file")
        if f"/virtcim-{template}-" in backing_of(disk)
    ]


def backing_of(disk: str) -> str:
    """The file that an image lies over; "" for none, and where there is no such image."""
    command = ["qemu-img", "info", "--force-share", "--output=json", disk]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return str(json.loads(run.stdout).get("full-backing-filename", "")) if run.returncode == 0 else ""


def spoiled(before: Facts, after: Facts) -> str:
    """Which image that a guest lies over is another, or gone; "" for none."""
    for path, digest in before.bases.items():
        template = Path(path).name.removeprefix("virtcim-").rpartition("-")[0]
        if after.bases.get(path) != digest and (users := over(after, template)):
            return f"{path} is {'another' if path in after.bases else 'gone'}, and {users} lie over it"
    return ""


WEIGHTS: dict[Rule, int] = {offer: 2, withdraw: 2, make: 5, clone: 3, offer_guest: 1}
