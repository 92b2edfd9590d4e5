"""`<filesystem>`: directories and file systems lent to a guest; the root of a container."""

from __future__ import annotations

from typing import ClassVar

from virtcim.libhelper.documents.domain.device import Device, IdRange, VirtioOptions
from virtcim.libhelper.xml.mapping import Flag, Int, Items, OnOff, Replacement, Size, Text

__all__ = ["Filesystem"]


class Filesystem(VirtioOptions, Device):
    """A `<filesystem>`.  The limits of space are in bytes, the size of a `ram` file system in KiB."""

    tag = "filesystem"
    #: The fields that say what is lent.
    location_fields: ClassVar[tuple[str, ...]] = (
        "source_dir",
        "source_file",
        "source_dev",
        "source_name",
        "source_pool",
        "source_volume",
        "source_socket",
        "source_usage",
    )
    replacements = (
        # The program that lends a directory, or the format of an image, is of no use to another kind.
        Replacement(fields=("type",), takes=("driver", "binary", "idmap")),
        # What may not be written stays so: where the new program cannot see to it, the change is refused.
        Replacement(
            fields=("driver_type",),
            takes=(
                "@accessmode",
                "@model",
                "@fmode",
                "@dmode",
                "@multidevs",
                "driver/@wrpolicy",
                "driver/@queue",
                "binary",
                "idmap",
            ),
            among=frozenset({"virtiofs", "handle"}),
        ),
        Replacement(fields=("accessmode",), takes=("@fmode", "@dmode")),
    )
    type = Text("@type")
    accessmode = Text("@accessmode")
    multidevs = Text("@multidevs")
    model = Text("@model")
    fmode = Text("@fmode")
    dmode = Text("@dmode")
    driver_type = Text("driver/@type")
    driver_format = Text("driver/@format")
    driver_wrpolicy = Text("driver/@wrpolicy")
    driver_queue = Int("driver/@queue")
    binary_path = Text("binary/@path")
    binary_xattr = OnOff("binary/@xattr")
    binary_cache_mode = Text("binary/cache/@mode")
    binary_sandbox_mode = Text("binary/sandbox/@mode")
    binary_lock_posix = OnOff("binary/lock/@posix")
    binary_lock_flock = OnOff("binary/lock/@flock")
    binary_thread_pool_size = Int("binary/thread_pool/@size")
    binary_openfiles_max = Int("binary/openfiles/@max")
    idmap_uids = Items("idmap/uid", IdRange)
    idmap_gids = Items("idmap/gid", IdRange)
    source_dir = Text("source/@dir")
    source_file = Text("source/@file")
    source_dev = Text("source/@dev")
    source_name = Text("source/@name")
    source_pool = Text("source/@pool")
    source_volume = Text("source/@volume")
    source_socket = Text("source/@socket")
    source_usage = Size("source/@usage", unit_attribute="units")
    target_dir = Text("target/@dir")
    readonly = Flag("readonly")
    space_hard_limit = Size("space_hard_limit", unit="bytes", absent="bytes")
    space_soft_limit = Size("space_soft_limit", unit="bytes", absent="bytes")
