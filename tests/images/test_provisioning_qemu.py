"""From a template to running guests on real QEMU: by a WBEM client alone, and by the command line."""

from __future__ import annotations

import email
import functools
import hashlib
import json
import os
import re
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import wait_until
from tests.bed.linux import AGENT, COMMAND_LINE, KEEPS_NAME, LEASES, LinuxGuest, seed_seen, seen
from tests.conftest import missing
from tests.images.cloningbed import Cloner, see_copied
from tests.images.provisioningbed import (
    COMPLETED,
    FAILED,
    KEY,
    PATIENCE,
    TEMPLATE,
    TERMINATED,
    Command,
    Provisioner,
    seed_of,
)

EMPTY = (
    "<domain type='qemu'><name>{}</name><memory unit='MiB'>32</memory><os><type arch='x86_64'>hvm</type></os></domain>"
)
NETWORK = """\
<network><name>leases</name><ip address='10.213.{number}.1' netmask='255.255.255.0'>
  <dhcp><range start='10.213.{number}.10' end='10.213.{number}.20'/></dhcp></ip></network>
"""
HASH = "$6$saltsalt$" + "x" * 86


def user_data(bed: Provisioner, name: str) -> Any:
    """What the seed of a guest tells cloud-init."""
    return json.loads(seed_of(bed.pool / f"{name}-seed.iso")["user-data"].removeprefix(b"#cloud-config\n"))


def test_a_guest_is_made_of_a_template(provisioner: Provisioner) -> None:
    template = provisioner.template("first")
    job = provisioner.provision(template, "web", f"ssh_keys={KEY}", "hostname=web.example.com")
    assert (job.classname, job["VirtualSystemName"], job["Template"]) == ("KVM_ProvisioningJob", "web", "first@1")
    assert 'Name="web"' in job["JobOutParameters"]["ResultingSystem"]
    assert provisioner.daemon.list_all()["web"] == "running"
    base = f"virtcim-first-{provisioner.sha256[:12]}.qcow2"
    assert {base, "web.qcow2", "web-seed.iso"} <= provisioner.files()
    assert (provisioner.pool / base).read_bytes() == provisioner.image
    assert provisioner.info("web.qcow2")["full-backing-filename"] == str(provisioner.pool / base)
    meta = json.loads(seed_of(provisioner.pool / "web-seed.iso")["meta-data"])
    assert meta["local-hostname"] == "web"
    assert meta["instance-id"] == provisioner.daemon.virsh("domuuid", "web").strip()
    user = user_data(provisioner, "web")
    assert (user["fqdn"], user["ssh_authorized_keys"]) == ("web.example.com", [KEY])
    made = provisioner.daemon.virsh("metadata", "web", "urn:virtcim:template")
    assert "first@1 20" in made
    assert (provisioner.server.user or "") in made
    settings = provisioner.wbem.EnumerateInstances("KVM_VirtualSystemSettingData")
    assert [each["Template"] for each in settings if each["ElementName"] == "web"] == ["first@1"]


def test_three_guests_by_the_command_line(provisioner: Provisioner, virtcim: Command, tmp_path: Path) -> None:
    image, key = tmp_path / "small.qcow2", tmp_path / "key.pub"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "3M"], check=True)
    key.write_text(f"{KEY}\n")
    given = ("Small Linux", "KVM", "small", str(image), "--setting", "DomainType=qemu")
    assert virtcim("template", "add-image", *given) == (0, "template small-linux@1\n")
    status, text = virtcim("provision", "small-linux", "--name", "node", "--count", "3", "--ssh-key", str(key))
    assert status == 0, text
    names = ["node-1", "node-2", "node-3"]
    assert [line for line in text.splitlines() if line.endswith(": made")] == [f"guest {name}: made" for name in names]
    running = provisioner.daemon.list_all()
    assert [running[name] for name in names] == ["running"] * 3
    assert [user_data(provisioner, name)["hostname"] for name in names] == names
    for name in names:
        made = provisioner.daemon.virsh("dumpxml", name)
        assert "<graphics type='vnc'" in made
        assert "<serial type='pty'" in made
    assert {user_data(provisioner, name)["ssh_authorized_keys"][0] for name in names} == {KEY}
    (base,) = [name for name in provisioner.files() if name.startswith("virtcim-small-linux-")]
    backing = {provisioner.info(f"{name}.qcow2")["full-backing-filename"] for name in names}
    assert backing == {str(provisioner.pool / base)}

    status, text = virtcim("template", "versions", "small-linux")
    assert status == 0
    assert "root/virt:node-1 root/virt:node-2 root/virt:node-3" in text
    for command in (("image", "remove", "Small Linux"), ("template", "remove", "small-linux")):
        status, text = virtcim(*command)
        assert status == 1
        assert "node-1, node-2, node-3" in text
    pool = provisioner.wbem.EnumerateInstanceNames("KVM_ResourcePoolConfigurationService")
    resource = pywbem.CIMInstance(
        "KVM_StorageVolumeResourceAllocationSettingData", {"Address": str(provisioner.pool / base)}
    )
    (path,) = [
        each
        for each in provisioner.wbem.EnumerateInstanceNames("KVM_DiskPool")
        if each["InstanceID"] == "DiskPool/templates"
    ]
    with pytest.raises(pywbem.CIMError, match="node-1"):
        provisioner.wbem.InvokeMethod("DeleteResourceInPool", pool[0], Resource=resource, Pool=path)
    assert base in provisioner.files()

    status, document = virtcim("template", "show", "small-linux")
    changed = tmp_path / "changed.toml"
    changed.write_text(re.sub('sha256 = "[0-9a-f]*"', f'sha256 = "{provisioner.sha256}"', document))
    status, text = virtcim("template", "edit", "small-linux", "--file", str(changed))
    assert status == 1
    assert "image cannot be changed" in text
    assert "node-1, node-2, node-3" in text
    changed.write_text(document.replace('title = "Small Linux"', 'title = "Smaller"'))
    edit = ("template", "edit", "small-linux", "--new-version", "--file", str(changed))
    assert virtcim(*edit) == (0, "template small-linux@2\n")
    assert virtcim("template", "clone", "small-linux", "other") == (0, "template other@1\n")
    status, text = virtcim("template", "list")
    assert [line.split()[:3] for line in text.splitlines() if "small" in line] == [
        ["other", "1", "small"],
        ["small-linux", "2", "small"],
    ]
    assert virtcim("template", "remove", "other") == (0, "template other@1: removed\n")


def test_the_store_shows_templates_and_where_they_can_be_had(provisioner: Provisioner) -> None:
    template = provisioner.template("shown")
    (store,) = provisioner.interop.EnumerateInstances("Virt_ImageStore")
    groups = provisioner.interop.AssociatorNames(store.path, AssocClass="CIM_MemberOfCollection")
    assert "virtcim:templates:linux" in {each["InstanceID"] for each in groups}
    (group,) = [each for each in groups if each["InstanceID"] == "virtcim:templates:linux"]
    members = provisioner.interop.AssociatorNames(group, AssocClass="CIM_MemberOfCollection", Role="Collection")
    classes = {each.classname: each.namespace for each in members if each.keybindings.get("InstanceID") == template}
    assert classes == {"Virt_Template": "root/interop", "KVM_VirtualSystemSettingData": "root/virt"}
    setting = provisioner.found(template)
    assert (setting["Template"], setting["DomainType"], setting["VirtualSystemType"]) == ("shown@1", "qemu", "KVM")
    parts = provisioner.wbem.Associators(setting.path, AssocClass="KVM_VirtualSystemSettingDataComponent")
    assert {(each.classname, each["InstanceID"]) for each in parts} == {
        ("KVM_MemResourceAllocationSettingData", f"{template}/0"),
        ("KVM_DiskResourceAllocationSettingData", f"{template}/disk"),
    }
    for each in parts:
        assert provisioner.wbem.GetInstance(each.path)["InstanceID"] == each["InstanceID"]
    listed = provisioner.wbem.EnumerateInstanceNames("KVM_VirtualSystemSettingData")
    assert not [each for each in listed if each["InstanceID"].startswith("template:")]


@pytest.mark.parametrize(("version", "made"), [("", "@2"), (":1", "@1")])
def test_wbemcli_makes_a_guest_of_a_template(provisioner: Provisioner, version: str, made: str) -> None:
    """It takes what has an @ in it for a login: the version is left out, or stands behind a colon."""
    name = f"by-wbemcli{made[1:]}"
    provisioner.template(name)
    newer = TEMPLATE.format(url=f"{provisioner.images.url}/boot.qcow2", sha256=provisioner.sha256)
    newer = newer.replace('id = "boot"', f'id = "{name}"\nversion = 2')
    provisioner.interop.CreateInstance(pywbem.CIMInstance("Virt_Template", {"Document": newer}))
    service = provisioner.service
    keys = ("SystemCreationClassName", "SystemName", "CreationClassName", "Name")
    path = f"{service.classname}." + ",".join(f'{key}="{service[key]}"' for key in keys)
    settings = (
        f"instance of KVM_VirtualSystemSettingData {{ VirtualSystemIdentifier = &quot;{name}&quot;; "
        "TemplateParameters = { &quot;start=no&quot; }; };"
    )
    reference = f'KVM_VirtualSystemSettingData.InstanceID="template:{name}{version}"'
    given = f'DefineSystem.SystemSettings="{settings}",ReferenceConfiguration={reference}'
    told = "".join(provisioner.server.wbemcli("cm", path, given))
    assert "4096" in told
    (job,) = [
        each.path
        for each in provisioner.wbem.EnumerateInstances("KVM_ProvisioningJob")
        if each["VirtualSystemName"] == name
    ]
    shown = provisioner.over(job)
    assert (shown["JobState"], shown["Template"]) == (COMPLETED, f"{name}{made}"), shown["ErrorDescription"]
    assert provisioner.daemon.list_all()[name] == "shut off"


def test_a_seed_is_gone_once_the_guest_has_shut_itself_down(provisioner: Provisioner) -> None:
    template = provisioner.template("seeded")
    kept = provisioner.template("kept", TEMPLATE.replace("[image]", "keep_seed = true\n\n[image]"))
    for name, which in (("orderly", template), ("cut", template), ("keeping", kept)):
        provisioner.provision(which, name)
        assert f"{name}-seed.iso" in provisioner.files()
    provisioner.daemon.virsh("destroy", "cut")
    for name in ("keeping", "orderly"):
        shut_down(provisioner, name)
    wait_until(lambda: "orderly-seed.iso" not in provisioner.files(), PATIENCE)
    wait_until(lambda: "urn:virtcim:seed" not in provisioner.daemon.virsh("dumpxml", "orderly"), PATIENCE)
    assert "seed.iso" not in provisioner.daemon.virsh("domblklist", "orderly")
    assert "hdc" in provisioner.daemon.virsh("domblklist", "orderly")
    assert {"cut-seed.iso", "keeping-seed.iso"} <= provisioner.files()
    assert "seeded@1" in provisioner.daemon.virsh("metadata", "orderly", "urn:virtcim:template")
    provisioner.daemon.virsh("start", "orderly")


def shut_down(bed: Provisioner, name: str) -> None:
    """Press the power button of a guest until it is off."""

    def is_off() -> bool:
        if bed.daemon.list_all()[name] == "running":
            bed.daemon.virsh("shutdown", name)
        return bed.daemon.list_all()[name] == "shut off"

    wait_until(is_off, PATIENCE)


def test_a_full_copy_is_resized_and_stands_alone(provisioner: Provisioner) -> None:
    template = provisioner.template("full")
    memory = pywbem.CIMInstance(
        "KVM_MemResourceAllocationSettingData",
        {"VirtualQuantity": pywbem.Uint64(96), "AllocationUnits": "byte*2^20"},
    )
    provisioner.provision(template, "alone", "copy=full", "disk=5 MiB", "start=no", resources=[memory])
    info = provisioner.info("alone.qcow2")
    assert (info["virtual-size"], info.get("backing-filename")) == (5 << 20, None)
    assert provisioner.daemon.list_all()["alone"] == "shut off"
    assert "<memory unit='KiB'>98304</memory>" in provisioner.daemon.virsh("dumpxml", "alone")


def test_an_image_is_a_volume_of_a_pool(provisioner: Provisioner) -> None:
    golden = provisioner.pool / "golden.qcow2"
    golden.write_bytes(provisioner.image)
    provisioner.daemon.virsh("pool-refresh", "templates")
    text = TEMPLATE.replace('url = "{url}"\nsha256 = "{sha256}"', 'pool = "templates"\nvolume = "golden.qcow2"')
    provisioner.provision(provisioner.template("golden", text), "gilded", "start=no")
    assert provisioner.info("gilded.qcow2")["full-backing-filename"] == str(golden)
    absent = provisioner.template("absent", text.replace("golden", "../golden"))
    job = provisioner.over(provisioner.define(absent, "absent"))
    assert (job["JobState"], "no volume" in job["ErrorDescription"]) == (FAILED, True)


def test_an_empty_guest_is_installed_from_a_disc(provisioner: Provisioner) -> None:
    disc = provisioner.pool / "install.iso"
    disc.write_bytes(bytes(1 << 16))
    given = {"EmulatedType": pywbem.Uint16(1), "Address": str(disc), "VirtualDevice": "hdc"}
    drive = pywbem.CIMInstance("KVM_DiskResourceAllocationSettingData", given)
    provisioner.provision("template:empty@1", "bare", "start=no", DomainType="qemu", resources=[drive])
    assert provisioner.info("bare-1.qcow2")["virtual-size"] == 20 << 30
    xml = provisioner.daemon.virsh("dumpxml", "bare")
    # The disk is booted from once there is something on it, and the disc before.
    assert re.findall("<boot dev='([a-z]+)'/>", xml) == ["hd", "cdrom"]
    assert str(disc) in xml


def test_templates_are_added_and_their_images_fetched(
    provisioner: Provisioner, virtcim: Command, tmp_path: Path
) -> None:
    content = provisioner.image + secrets.token_bytes(1000)
    sha256 = hashlib.sha256(content).hexdigest()
    provisioner.images.files["/pulled.qcow2"] = content
    file = tmp_path / "pulled.toml"
    file.write_text(
        TEMPLATE.format(url=f"{provisioner.images.url}/pulled.qcow2", sha256=sha256).replace("boot", "pulled", 1)
    )
    assert virtcim("template", "add", str(file)) == (0, "template pulled@1\n")
    assert virtcim("image", "pull", "pulled")[0] == 0
    status, text = virtcim("image", "list")
    assert (status, sha256[:12] in text) == (0, True)
    assert provisioner.images.asked["/pulled.qcow2"] == 1
    assert virtcim("image", "remove", sha256[:12]) == (0, f"image {sha256[:12]}: removed\n")
    assert sha256[:12] not in virtcim("image", "list")[1]
    assert virtcim("template", "remove", "pulled")[0] == 0
    status, text = virtcim("image", "pull", "pulled")
    assert (status, "does not exist" in text) == (1, True)


def test_a_running_guest_is_cloned(provisioner: Provisioner) -> None:
    see_copied(Cloner(provisioner.daemon, provisioner.server, provisioner.pool), running=True)


def test_a_guest_becomes_a_template(provisioner: Provisioner, virtcim: Command, tmp_path: Path) -> None:
    bed = Cloner(provisioner.daemon, provisioner.server, provisioner.pool)
    bed.guest("Model")
    before = bed.files()
    status, text = virtcim("template", "add", "--from-guest", "Model", "--title", "As Model", "--group", "made")
    assert (status, text.splitlines()[-1]) == (0, "template model@1"), text
    assert bed.files() == before
    shown = provisioner.interop.GetInstance(
        pywbem.CIMInstanceName("Virt_Template", {"InstanceID": "template:model@1"}, namespace="root/interop")
    )
    assert (shown["ElementName"], shown["GroupName"], shown["Platforms"]) == ("As Model", "made", ["KVM"])
    provisioner.provision("template:model@1", "like-model", "start=no")
    assert bed.holds(Path(bed.disk_of("like-model")), 0x5A)
    xml = provisioner.daemon.virsh("dumpxml", "like-model")
    assert "<memory unit='KiB'>32768</memory>" in xml
    assert "<interface type='user'>" in xml
    assert "52:54:00:11:22:33" not in xml
    assert virtcim("template", "add", "--from-guest", "Model", "--id", "model")[1].endswith("template model@2\n")
    provisioner.daemon.virsh("start", "Model")
    status, text = virtcim("template", "add", "--from-guest", "Model")
    assert status == 1
    assert "is not off" in text
    status, text = virtcim("template", "remove", "model@1")
    assert virtcim("template", "remove", "model@2")[0] == 1


def test_two_guests_of_one_image_fetch_it_once(provisioner: Provisioner) -> None:
    provisioner.images.files["/once.qcow2"] = provisioner.image
    other = provisioner.image + secrets.token_bytes(300_000)
    provisioner.images.files["/once.qcow2"] = other
    template = provisioner.template("once", url=f"{provisioner.images.url}/once.qcow2", sha256="")
    provisioner.images.gate.clear()
    try:
        jobs = [provisioner.define(template, f"once-{number}", "start=no") for number in range(3)]
        wait_until(lambda: provisioner.images.asked["/once.qcow2"] == 1, PATIENCE)
    finally:
        provisioner.images.gate.set()
    assert {provisioner.over(job)["JobState"] for job in jobs} == {COMPLETED}
    assert provisioner.images.asked["/once.qcow2"] == 1
    assert len([name for name in provisioner.files() if name.startswith("virtcim-once-")]) == 1


def test_a_name_that_is_taken_meanwhile_is_whose_was_first(provisioner: Provisioner) -> None:
    provisioner.images.files["/meanwhile.qcow2"] = provisioner.image + secrets.token_bytes(300_000)
    template = provisioner.template("meanwhile", url=f"{provisioner.images.url}/meanwhile.qcow2", sha256="")
    provisioner.images.gate.clear()
    try:
        lost = provisioner.define(template, "taken-by-virsh")
        both = [provisioner.define(template, "twice", "start=no") for _ in range(2)]
        theirs = provisioner.daemon.define(EMPTY.format("taken-by-virsh"))
    finally:
        provisioner.images.gate.set()
    job = provisioner.over(lost)
    assert job["JobState"] == FAILED
    assert "taken-by-virsh" in job["ErrorDescription"]
    assert provisioner.daemon.virsh("domuuid", "taken-by-virsh").strip() == theirs
    assert provisioner.daemon.list_all()["taken-by-virsh"] == "shut off"
    assert not [name for name in provisioner.files() if name.startswith("taken-by-virsh")]
    assert sorted(provisioner.over(job)["JobState"] for job in both) == [COMPLETED, FAILED]
    assert {"twice.qcow2", "twice-seed.iso"} <= provisioner.files()
    provisioner.daemon.virsh("start", "twice")


def test_what_fails_in_a_step_leaves_nothing(provisioner: Provisioner) -> None:
    wrong = provisioner.template("wrong", sha256="0" * 64, url=f"{provisioner.images.url}/wrong.qcow2")
    provisioner.images.files["/wrong.qcow2"] = secrets.token_bytes(70_000)
    right = provisioner.template("right")
    (provisioner.pool / "taken.qcow2").touch()
    (provisioner.pool / "seeded-seed.iso").touch()
    provisioner.daemon.virsh("pool-refresh", "templates")
    provisioner.provision(right, "before", "start=no")
    before = provisioner.files()
    cases: list[tuple[str, str, dict[str, Any], str]] = [
        (wrong, "checked", {}, "checksum"),
        (right, "taken", {}, "taken.qcow2"),
        (right, "seeded", {}, "seeded-seed.iso"),
        (right, "small", {"parameters": ["disk=1 KiB"]}, "less than the image"),
        (right, "unbootable", {"Kernel": "/nowhere/vmlinuz"}, "/nowhere/vmlinuz"),
    ]
    for template, name, given, text in cases:
        parameters = given.pop("parameters", [])
        job = provisioner.over(provisioner.define(template, name, *parameters, **given))
        assert job["JobState"] == FAILED, name
        assert text in job["ErrorDescription"], name
        assert (provisioner.files(), name in provisioner.daemon.list_all()) == (before, False), name


def test_a_job_is_ended_while_it_fetches(provisioner: Provisioner) -> None:
    provisioner.images.files["/slow.qcow2"] = provisioner.image + secrets.token_bytes(300_000)
    template = provisioner.template("slow", url=f"{provisioner.images.url}/slow.qcow2", sha256="")
    before = provisioner.files()
    provisioner.images.gate.clear()
    try:
        job = provisioner.define(template, "slow")
        wait_until(lambda: provisioner.wbem.GetInstance(job)["DataProcessed"], PATIENCE)
        shown = provisioner.wbem.GetInstance(job)
        assert (shown["Step"], shown["JobState"]) == ("fetch the image", 4)
        code, _ = provisioner.wbem.InvokeMethod("RequestStateChange", job, RequestedState=pywbem.Uint16(4))
        assert code in (0, 4096)
        assert provisioner.over(job)["JobState"] == TERMINATED
    finally:
        provisioner.images.gate.set()
    assert (provisioner.files(), "slow" in provisioner.daemon.list_all()) == (before, False)


def test_a_guest_that_is_waited_for_in_vain_leaves_nothing(provisioner: Provisioner) -> None:
    template = provisioner.template("vain")
    provisioner.provision(template, "before-vain", "start=no")
    before = provisioner.files()

    def is_waited_for(job: pywbem.CIMInstanceName) -> bool:
        return bool(provisioner.wbem.GetInstance(job)["Step"] == "wait for the guest")

    for name, wanted in (("vain-1", "address"), ("vain-2", "agent")):
        job = provisioner.define(template, name, f"wait={wanted}")
        wait_until(functools.partial(is_waited_for, job), PATIENCE)
        if wanted == "agent":
            provisioner.daemon.virsh("destroy", name)
            shown = provisioner.over(job)
            assert (shown["JobState"], "has ended" in shown["ErrorDescription"]) == (FAILED, True)
        else:
            provisioner.wbem.InvokeMethod("RequestStateChange", job, RequestedState=pywbem.Uint16(4))
            assert provisioner.over(job)["JobState"] == TERMINATED
        assert (provisioner.files(), name in provisioner.daemon.list_all()) == (before, False)


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        ("nothing=1", "is no parameter"),
        ("memory=much", "expected bytes"),
        ("processors=0", "1 or more"),
        ("hostname=-x", "letters, digits and hyphens"),
        ("ssh_keys=none", "public keys"),
        ("password_hash=secret-words", "a hash"),
        ("copy=half", "overlay or full"),
        ("start=maybe", "yes or no"),
        ("wait=forever", "address or agent"),
        ("pool=nowhere", "no storage pool 'nowhere'"),
        ("user_data=secret-words", "of no kind"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_is_done(
    provisioner: Provisioner, parameter: str, text: str
) -> None:
    template = (provisioner.found("template:strict@1") and "template:strict@1") or provisioner.template("strict")
    before = provisioner.files()
    with pytest.raises(pywbem.CIMError, match=text) as refused:
        provisioner.define(template, "strict", parameter)
    assert "secret-words" not in str(refused.value)
    assert provisioner.files() == before


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[settings]\nNoSuch = 1\n", r"settings\.NoSuch: is not a property"),
        ('[settings]\nEnableACPI = "maybe"\n', "expected boolean"),
        ("[settings]\nBootDevices = 1\n", r"expected string\[\]"),
        ('[[resources]]\nkind = "Bogus"\n', "is not a kind of resource"),
        ('[[resources]]\nkind = "Mem"\nVirtualQuantity = "many"\n', "expected uint64"),
        ("[disk]\nEmulatedType = true\n", "expected uint16"),
    ],
)
def test_a_template_has_settings_as_guests_have(provisioner: Provisioner, text: str, complaint: str) -> None:
    document = f'id = "unlike"\n{text}'
    with pytest.raises(pywbem.CIMError, match=complaint) as refused:
        provisioner.interop.CreateInstance(pywbem.CIMInstance("Virt_Template", {"Document": document}))
    assert refused.value.status_code == pywbem.CIM_ERR_INVALID_PARAMETER


def test_a_file_of_a_template_that_is_none_for_guests_makes_none(provisioner: Provisioner) -> None:
    wrong = provisioner.template("odd-one", TEMPLATE.replace('DomainType = "qemu"', 'DomainType = "qemu"\nNoSuch = 1'))
    with pytest.raises(pywbem.CIMError, match=r"odd-one@1: settings\.NoSuch"):
        provisioner.define(wrong, "odd-one")


def test_an_image_that_is_here_is_taken_as_what_it_is(provisioner: Provisioner) -> None:
    provisioner.provision(provisioner.template("as-it-is"), "as-it-is", "start=no")
    other = provisioner.template("as-raw", TEMPLATE.replace("[image]", '[image]\nformat = "raw"'))
    job = provisioner.over(provisioner.define(other, "as-raw"))
    assert (job["JobState"], "is qcow2; expected raw" in job["ErrorDescription"]) == (FAILED, True)


@pytest.mark.parametrize("name", ["..", "."])
def test_a_guest_is_not_called_like_a_directory(provisioner: Provisioner, name: str) -> None:
    """libvirt refuses it only after it has emptied the directory with the snapshots of all guests."""
    template = (provisioner.found("template:called@1") and "template:called@1") or provisioner.template("called")
    before = provisioner.files()
    with pytest.raises(pywbem.CIMError, match="cannot be the name"):
        provisioner.define(template, name)
    settings = pywbem.CIMInstance("KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": name})
    with pytest.raises(pywbem.CIMError, match="cannot be the name"):
        provisioner.wbem.InvokeMethod("DefineSystem", provisioner.service, SystemSettings=settings)
    assert (provisioner.files(), name in provisioner.daemon.list_all()) == (before, False)


def test_secrets_are_neither_logged_nor_shown(provisioner: Provisioner) -> None:
    template = provisioner.template("quiet")
    word = secrets.token_hex(16)
    data = f"#cloud-config\nwrite_files: [{{path: /x, content: {word}}}]\n"
    provisioner.provision(template, "quiet", f"password_hash={HASH}", f"user_data={data}", "start=no")
    message = email.message_from_bytes(seed_of(provisioner.pool / "quiet-seed.iso")["user-data"])
    parts = [each.get_payload(decode=True) for each in message.walk() if not each.is_multipart()]
    assert [word.encode() in part for part in parts] == [False, True]
    assert [HASH.encode() in part for part in parts] == [True, False]
    everything = provisioner.server.errors + provisioner.daemon.virsh("dumpxml", "quiet", "--security-info")
    for class_name in ("KVM_VirtualSystemSettingData", "KVM_ConcreteJob", "KVM_MethodResult"):
        everything += "".join(each.tomof() for each in provisioner.wbem.EnumerateInstances(class_name))
    assert word not in everything
    assert HASH not in everything


def test_a_guest_reads_its_seed_and_is_rid_of_it_once_it_bears_its_name(
    provisioner: Provisioner, linux: LinuxGuest, tmp_path: Path
) -> None:
    console = tmp_path / "console"
    telling(provisioner, linux, "reader", console, "hostname=reader.example.com", f"ssh_keys={KEY}", "wait=agent")
    # The job has waited until its agent answered.
    assert provisioner.daemon.virsh("domhostname", "reader", "--source", "agent").strip()
    seed = wait_until(lambda: seed_seen(console), PATIENCE)
    assert '"local-hostname": "reader"' in seed
    assert '"fqdn": "reader.example.com"' in seed
    assert KEY in seed
    wait_until(lambda: "reader-seed.iso" not in provisioner.files(), PATIENCE)
    wait_until(lambda: "urn:virtcim:seed" not in provisioner.daemon.virsh("dumpxml", "--inactive", "reader"), PATIENCE)
    assert provisioner.daemon.list_all()["reader"] == "running"
    for which in ([], ["--inactive"]):
        assert "seed.iso" not in provisioner.daemon.virsh("domblklist", "reader", *which)
    wait_until(lambda: seen(console).get("cd") in ("none", "0"), PATIENCE)


@pytest.mark.slow
def test_three_guests_of_one_call_boot_with_their_own_names_and_the_key(
    provisioner: Provisioner, linux: LinuxGuest, virtcim: Command, tmp_path: Path
) -> None:
    settings = f'Kernel = "{linux.kernel}"\nRamdisk = "{linux.ramdisk}"\nCommandLine = "{COMMAND_LINE} {AGENT}0"\n'
    text = TEMPLATE.replace("[settings]\n", f"[settings]\n{settings}").replace("= 64", "= 256")
    text = text.replace("[image]", "keep_seed = true\n\n[image]")
    provisioner.template("trio", f'{text}\n[[resources]]\nkind = ""\nResourceType = 1\nOtherResourceType = "channel"\n')
    key = tmp_path / "key.pub"
    key.write_text(f"{KEY}\n")
    given = ("--name", "three", "--count", "3", "--ssh-key", str(key), "--set", "wait=agent")
    status, written = virtcim("provision", "trio", *given)
    assert status == 0, written

    def is_called(name: str) -> bool:
        return provisioner.daemon.virsh("domhostname", name, "--source", "agent").strip() == name

    for name in ("three-1", "three-2", "three-3"):
        wait_until(functools.partial(is_called, name), PATIENCE)
        assert provisioner.daemon.virsh("get-user-sshkeys", name, "root").strip() == KEY


@pytest.mark.slow
def test_a_guest_that_tells_another_name_keeps_its_seed(
    provisioner: Provisioner, linux: LinuxGuest, tmp_path: Path
) -> None:
    consoles = {name: tmp_path / name for name in ("deaf", "hearing")}
    telling(provisioner, linux, "deaf", consoles["deaf"], more=KEEPS_NAME)
    wait_until(lambda: seed_seen(consoles["deaf"]), PATIENCE)
    wait_until(lambda: "(none)" in provisioner.daemon.virsh("domhostname", "deaf", "--source", "agent"), PATIENCE)
    telling(provisioner, linux, "hearing", consoles["hearing"])
    wait_until(lambda: "hearing-seed.iso" not in provisioner.files(), PATIENCE)
    assert "deaf-seed.iso" in provisioner.files()
    assert "deaf-seed.iso" in provisioner.daemon.virsh("domblklist", "deaf")


@pytest.mark.slow
def test_a_guest_that_tells_its_name_for_a_lease_is_rid_of_its_seed(
    provisioner: Provisioner, linux: LinuxGuest, tmp_path: Path
) -> None:
    network, console = tmp_path / "network.xml", tmp_path / "console"
    network.write_text(NETWORK.format(number=os.getpid() % 250))
    try:
        provisioner.daemon.virsh("net-create", str(network))
    except subprocess.CalledProcessError as error:
        missing(f"no network with leases here: {error.stderr}")
    port = pywbem.CIMInstance(
        "KVM_NetResourceAllocationSettingData", {"NetworkType": "network", "NetworkName": "leases"}
    )
    try:
        line = f"{COMMAND_LINE} {LEASES}"
        given = ("hostname=leasing.example.com", "wait=address")
        provisioned(provisioner, linux, "leasing", console, line, [port], *given)
        wait_until(lambda: "leasing-seed.iso" not in provisioner.files(), PATIENCE)
        assert "leasing" in provisioner.daemon.virsh("net-dhcp-leases", "leases")
        assert provisioner.daemon.list_all()["leasing"] == "running"
        assert "seed.iso" not in provisioner.daemon.virsh("domblklist", "leasing")
        provisioner.daemon.virsh("destroy", "leasing")
    finally:
        provisioner.daemon.virsh("net-destroy", "leases")


def telling(bed: Provisioner, linux: LinuxGuest, name: str, console: Path, *parameters: str, more: str = "") -> None:
    """Provision a guest that writes to a console, and has an agent that tells its host name."""
    agent = pywbem.CIMInstance(
        "KVM_ResourceAllocationSettingData", {"ResourceType": pywbem.Uint16(1), "OtherResourceType": "channel"}
    )
    provisioned(bed, linux, name, console, f"{COMMAND_LINE} {AGENT}0 {more}", [agent], *parameters)


def provisioned(
    bed: Provisioner,
    linux: LinuxGuest,
    name: str,
    console: Path,
    line: str,
    resources: list[pywbem.CIMInstance],
    *parameters: str,
) -> None:
    """Provision a guest of a Linux with a command line and a console, and with further resources."""
    settings = f'Kernel = "{linux.kernel}"\nRamdisk = "{linux.ramdisk}"\nCommandLine = "{line}"\n'
    text = TEMPLATE.replace("[settings]\n", f"[settings]\n{settings}").replace("= 64", "= 256")
    serial = {"SourceType": pywbem.Uint16(4), "SourcePath": str(console)}
    resources = [pywbem.CIMInstance("KVM_ConsoleResourceAllocationSettingData", serial), *resources]
    bed.provision(bed.template(name, text), name, *parameters, resources=resources)
