"""`<memballoon>`, `<memory>` and `<shmem>`: memory devices."""

from __future__ import annotations

from virtcim.libhelper.documents.domain.device import Device, VirtioOptions
from virtcim.libhelper.xml.mapping import Flag, Int, OnOff, Replacement, Size, Text, YesNo

__all__ = ["MemBalloon", "MemoryDevice", "Shmem"]


class MemBalloon(VirtioOptions, Device):
    """A `<memballoon>`.  `stats_period` is in seconds."""

    tag = "memballoon"
    replacements = (
        Replacement(fields=("model",), takes=("@autodeflate", "@freePageReporting", "stats", "driver", "address")),
    )
    model = Text("@model")
    autodeflate = OnOff("@autodeflate")
    free_page_reporting = OnOff("@freePageReporting")
    stats_period = Int("stats/@period")


class MemoryDevice(Device):
    """A `<memory>` device (DIMM, NVDIMM, virtio-mem ...).  Sizes are in KiB."""

    tag = "memory"
    replacements = (
        # Its size, its node and how its pages are shared are said of a module of any model that has them.
        Replacement(
            fields=("model",),
            takes=("@discard", "uuid", "source", "target", "address"),
            keeps=("target/size", "target/node"),
        ),
        Replacement(fields=("model",), takes=("target/node",), among=frozenset({"virtio-pmem"})),
    )
    model = Text("@model")
    access = Text("@access")
    discard = YesNo("@discard")
    uuid = Text("uuid")
    source_pagesize = Size("source/pagesize")
    source_nodemask = Text("source/nodemask")
    source_path = Text("source/path")
    source_alignsize = Size("source/alignsize")
    source_pmem = Flag("source/pmem")
    target_size = Size("target/size")
    target_node = Int("target/node")
    target_label_size = Size("target/label/size")
    target_block = Size("target/block")
    target_requested = Size("target/requested")
    target_current = Size("target/current", writable=False)
    target_readonly = Flag("target/readonly")
    target_dynamic_memslots = YesNo("target/@dynamicMemslots")
    target_address_base = Text("target/address/@base")


class Shmem(Device):
    """A `<shmem>`.  `size` is in bytes; libvirt takes MiB when a document names no unit."""

    tag = "shmem"
    # One model has a size of its own, the other one a server that gives it out and interrupts.
    replacements = (Replacement(fields=("model_type",), takes=("size", "server", "msi")),)
    name = Text("@name")
    role = Text("@role")
    model_type = Text("model/@type")
    size = Size("size", unit="bytes", absent="MiB")
    server = Flag("server")
    server_path = Text("server/@path")
    msi_vectors = Int("msi/@vectors")
    msi_ioeventfd = OnOff("msi/@ioeventfd")
