"""Jobs on a real libvirtd: a guest is saved as a job, and a server that is killed remembers what it was about."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.guests import baseline_xml
from tests.conftest import Guests
from tests.providers.outcome import outcome
from tests.providers.poolservice import COMPLETED, EXCEPTION, HASTY, RUNNING, SUSPENDED, TERMINATED, PoolService
from tests.providers.recorded import CONTEXT
from tests.providers.test_rpcs_qemu import GIB, MIB, remove_all, sparse_image
from virtcim.libhelper.domains import live
from virtcim.providers.interface import InstancePath
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.settings import ProviderSettings

ENABLED, SHUT_DOWN, OFFLINE, REBOOT = 2, 4, 6, 10
TERMINATE = 4


def test_a_guest_is_saved_as_a_job(guests: Guests, libvirtd: Libvirtd) -> None:
    name = guests.boot_sector("saved")
    libvirtd.virsh("start", name)
    service = PoolService(
        libvirtd.uri(), "KVM", settings=ProviderSettings(settle_timeout=0.01, jobs=JobSettings(grace=0.01))
    )
    try:
        keys = {"CreationClassName": "KVM_ComputerSystem", "Name": name}
        system = service.providers["KVM_ComputerSystem"]

        def request(state: int) -> tuple[int, InstancePath]:
            result = system.invoke_method(
                "KVM_ComputerSystem", keys, "RequestStateChange", {"RequestedState": state}, CONTEXT
            )
            ended = outcome(result)
            return ended.return_value, ended.out["Job"]

        code, job = request(OFFLINE)
        assert code == 4096
        assert service.end_of(job)["JobState"] == COMPLETED
        assert service.shown(job)["Name"] == f"RequestStateChange Offline {name}"
        wait_until(lambda: service.guest(name)["EnabledState"] == OFFLINE)
        assert [each.identity for each in service.instances("KVM_ConcreteJob")] == [job.keys["InstanceID"]]

        libvirtd.virsh("start", name)
        wait_until(lambda: service.guest(name)["EnabledState"] == ENABLED)
        code, job = request(OFFLINE)
        assert code == 4096
        # The save may be over before it can be stopped; what is said is what is so.
        ended = service.job(job, "RequestStateChange", RequestedState=4).return_value
        shown = service.end_of(job)
        assert (ended, shown["JobState"]) in ((0, TERMINATED), (4, COMPLETED), (4097, COMPLETED))
        expected = ENABLED if shown["JobState"] == TERMINATED else OFFLINE
        wait_until(lambda: service.guest(name)["EnabledState"] == expected)
    finally:
        service.close()


def test_a_guest_that_does_not_react_is_waited_for_by_jobs(
    guests: Guests, libvirtd: Libvirtd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no operating system: the power button and the request to let go of a disk are lost on it."""
    monkeypatch.setattr(live, "_DETACH_TIMEOUT", 3.0)
    name, image = "deaf", tmp_path / "empty.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "1M"], check=True)
    libvirtd.define(baseline_xml(name, image))
    service = PoolService(
        libvirtd.uri(), "KVM", settings=ProviderSettings(settle_timeout=0.5, jobs=JobSettings(grace=0.2))
    )
    try:
        keys = {"CreationClassName": "KVM_ComputerSystem", "Name": name}

        def call(class_name: str, keys: Any, method: str, **parameters: Any) -> tuple[int, Any]:
            provider = service.providers[class_name]
            ended = outcome(provider.invoke_method(class_name, keys, method, parameters, CONTEXT))
            return ended.return_value, ended.out.get("Job")

        def request(state: int) -> tuple[int, Any]:
            return call("KVM_ComputerSystem", keys, "RequestStateChange", RequestedState=state)

        wait_until(lambda: service.instances("KVM_ComputerSystem"))
        libvirtd.virsh("start", name)
        wait_until(lambda: service.guest(name)["EnabledState"] == ENABLED)
        jobs = []
        for state in (REBOOT, SHUT_DOWN):
            code, job = request(state)
            assert code == 4096
            assert service.guest(name)["RequestedState"] == state
            assert service.shown(job)["JobState"] == RUNNING
            jobs.append(job)
        disk = InstancePath("KVM_DiskResourceAllocationSettingData", {"InstanceID": f"{name}/vda"})
        code, removal = call(
            "KVM_VirtualSystemManagementService", None, "RemoveResourceSettings", ResourceSettings=[disk]
        )
        assert code == 4096
        assert service.job(jobs[0], "RequestStateChange", RequestedState=TERMINATE).return_value == 0
        assert service.end_of(jobs[0])["JobState"] == TERMINATED
        shown = service.end_of(removal)
        assert (shown["JobState"], shown["ErrorDescription"]) == (
            EXCEPTION,
            "RemoveResourceSettings gave back 3: Remove resource failed: The guest has not let go of the device",
        )
        libvirtd.virsh("destroy", name)
        assert service.end_of(jobs[1])["JobState"] == COMPLETED
        assert service.guest(name)["RequestedState"] == SHUT_DOWN
    finally:
        service.close()


def test_a_server_that_is_killed_says_what_it_left(
    serve: Callable[..., Server], libvirtd: Libvirtd, tmp_path: Path
) -> None:
    server = serve(libvirtd.uri(), config="[providers.jobs]\ngrace = 0\n")
    try:
        connection = pywbem.WBEMConnection(server.url, (server.user, server.password), default_namespace="root/virt")
        (service,) = connection.EnumerateInstanceNames("KVM_ResourcePoolConfigurationService")
        directory = tmp_path / "pool"
        settings = f'instance of KVM_DiskPoolResourceAllocationSettingData {{ Type = 1; Path = "{directory}"; }};'
        connection.InvokeMethod("CreateChildResourcePool", service, ElementName="images", Settings=[settings])
        pool = pywbem.CIMInstanceName("KVM_DiskPool", {"InstanceID": "DiskPool/images"}, namespace="root/virt")
        wait_until(lambda: pool in [each.path for each in connection.EnumerateInstances("KVM_DiskPool")])
        sparse_image(directory / "big", 2 * GIB, 4 * MIB)
        connection.InvokeMethod("RefreshResourcesInPool", service, Pool=pool)
        volume = pywbem.CIMInstanceName(
            "KVM_StorageVolumeResourceAllocationSettingData",
            {"InstanceID": f"{directory}/big"},
            namespace="root/virt",
        )
        wait_until(lambda: volume in connection.EnumerateInstanceNames(volume.classname))
        copy = (
            "instance of KVM_StorageVolumeResourceAllocationSettingData "
            f'{{ VolumeName = "copy"; HostResource = {{ "{directory}/big" }}; }};'
        )
        code, out = connection.InvokeMethod("CreateResourceInPool", service, Pool=pool, Settings=copy)
        assert code == 4096
        job = out["Job"]

        def suspend() -> bool:
            """Have the job pause; at its beginning it has nothing yet that can."""
            code, _ = connection.InvokeMethod("RequestStateChange", job, RequestedState=pywbem.Uint16(3))
            assert code in (0, 1)
            return bool(code == 0)

        wait_until(suspend)
        assert connection.GetInstance(job)["JobState"] == SUSPENDED
        server.stop(signal.SIGKILL)
        server.start()
        connection = pywbem.WBEMConnection(server.url, (server.user, server.password), default_namespace="root/virt")
        shown = connection.GetInstance(job)
        assert shown["JobState"] == EXCEPTION
        assert "storage volume 'copy', unfinished" in shown["ErrorDescription"]
        (error,) = connection.InvokeMethod("GetErrors", job)[1]["Errors"]
        assert error["Message"] == shown["ErrorDescription"]
    finally:
        remove_all(libvirtd)


def test_a_copy_whose_libvirtd_dies_says_what_it_left(new_libvirtd: Callable[[], Libvirtd], tmp_path: Path) -> None:
    daemon = new_libvirtd()
    service = PoolService(daemon.uri(), "KVM", settings=ProviderSettings(jobs=HASTY))
    try:
        directory = tmp_path / "pool"
        setting = service.setting("DiskPool", Type=1, Path=str(directory))
        made = service.call("CreateChildResourcePool", ElementName="images", Settings=[setting])
        assert service.end_of(made.out["Job"])["JobState"] == COMPLETED
        pool = service.pool("DiskPool", "images")
        sparse_image(directory / "big", GIB, 8 * MIB)
        assert service.end_of(service.call("RefreshResourcesInPool", Pool=pool).out["Job"])["JobState"] == COMPLETED
        job = service.create_volume(pool, VolumeName="copy", HostResource=[str(directory / "big")]).out["Job"]
        service.until(job, lambda shown: shown["PercentComplete"] > 2)
        assert service.job(job, "RequestStateChange", RequestedState=3).return_value == 0
        daemon.kill()
        assert service.job(job, "RequestStateChange", RequestedState=2).return_value == 0
        shown = service.end_of(job)
        assert shown["JobState"] == EXCEPTION
        assert "this stands: storage volume 'copy', unfinished" in shown["ErrorDescription"]
        assert shown["ErrorCode"]
    finally:
        service.close()
