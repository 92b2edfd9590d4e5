"""From a template to running guests on real QEMU, by a WBEM client alone."""

from __future__ import annotations

import json

from tests.images.provisioningbed import KEY, Provisioner, seed_of


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
    seed = seed_of(provisioner.pool / "web-seed.iso")
    meta, user = json.loads(seed["meta-data"]), json.loads(seed["user-data"].removeprefix(b"#cloud-config\n"))
    assert meta["local-hostname"] == "web"
    assert meta["instance-id"] == provisioner.daemon.virsh("domuuid", "web").strip()
    assert (user["fqdn"], user["ssh_authorized_keys"]) == ("web.example.com", [KEY])
    made = provisioner.daemon.virsh("metadata", "web", "urn:virtcim:template")
    assert "first@1 20" in made
    assert provisioner.server.user in made
    (shown,) = [
        each
        for each in provisioner.wbem.EnumerateInstances("KVM_VirtualSystemSettingData")
        if each["ElementName"] == "web"
    ]
    assert shown["Template"] == "first@1"
