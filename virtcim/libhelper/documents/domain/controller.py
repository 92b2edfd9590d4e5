"""`<controller>`: PCI bridges and ports, SCSI, SATA, USB, virtio-serial and other controllers."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device, DriverThread, VirtioOptions
from virtcim.libhelper.xml.mapping import Int, Items, OnOff, Replacement, Size, Text

__all__ = ["Controller"]


class Controller(VirtioOptions, Device):
    """A `<controller>`."""

    tag = "controller"
    replacements = (
        Replacement(
            fields=("model",),
            takes=("@ports", "@vectors", "model", "driver", "master", "target", "pcihole64", "address"),
        ),
        Replacement(
            fields=("type",),
            takes=(
                "@model",
                "@ports",
                "@vectors",
                "@maxGrantFrames",
                "@maxEventChannels",
                "model",
                "driver",
                "master",
                "target",
                "pcihole64",
                "address",
            ),
        ),
    )
    type = Text("@type")
    index = Int("@index")
    model = Text("@model")
    ports = Int("@ports")
    vectors = Int("@vectors")
    max_grant_frames = Int("@maxGrantFrames")
    max_event_channels = Int("@maxEventChannels")
    model_name = Text("model/@name")
    driver_queues = Int("driver/@queues")
    driver_cmd_per_lun = Int("driver/@cmd_per_lun")
    driver_max_sectors = Int("driver/@max_sectors")
    driver_ioeventfd = OnOff("driver/@ioeventfd")
    driver_iothread = Int("driver/@iothread")
    driver_iothreads = Items("driver/iothreads/iothread", DriverThread)
    master_startport = Int("master/@startport")
    target_chassis_nr = Text("target/@chassisNr")
    target_chassis = Text("target/@chassis")
    target_port = Text("target/@port")
    target_bus_nr = Text("target/@busNr")
    target_index = Int("target/@index")
    target_mem_reserve = Int("target/@memReserve")
    target_hotplug = OnOff("target/@hotplug")
    target_node = Int("target/node")
    pcihole64 = Size("pcihole64")
