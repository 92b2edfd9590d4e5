"""`<disk>`: hard disks, CD-ROM and floppy drives, LUNs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import ClassVar

from virtcim.libhelper.documents.domain.device import Device, DriverThread, SecurityLabel, VirtioOptions
from virtcim.libhelper.xml.mapping import (
    Attributes,
    Chain,
    Flag,
    Int,
    Items,
    Mapped,
    OnOff,
    Own,
    Replacement,
    Size,
    Text,
    Texts,
    YesNo,
)

__all__ = ["BackingStore", "Disk", "EncryptionSecret", "Slice", "SourceHost", "StorageSource"]


class SourceHost(Mapped):
    """A `<host>` of a network source."""

    tag = "host"
    name = Text("@name")
    port = Int("@port")
    transport = Text("@transport")
    socket = Text("@socket")


class EncryptionSecret(Mapped):
    """A `<secret>` of an encrypted image, by its UUID or by what it is used for."""

    tag = "secret"
    type = Text("@type")
    uuid = Text("@uuid")
    usage = Text("@usage")


class Slice(Mapped):
    """A `<slice>` of a source, in bytes."""

    tag = "slice"
    type = Text("@type")
    offset = Int("@offset")
    size = Int("@size")


class StorageSource(Mapped):
    """The `<source>` of a disk in each of its kinds: file, block, dir, network, volume, nvme, vhostuser."""

    #: The fields that say which image it is; everything else in a source says how that image is reached and read.
    location_fields: ClassVar[tuple[str, ...]] = (
        "source_file",
        "source_dev",
        "source_dir",
        "source_pool",
        "source_volume",
        "source_protocol",
        "source_name",
        "source_query",
        "source_hosts",
        "source_snapshot_name",
        "source_type",
        "source_namespace",
        "source_address",
        "source_path",
    )
    source_file = Own("source/@file")
    source_dev = Own("source/@dev")
    source_dir = Text("source/@dir")
    source_pool = Text("source/@pool")
    source_volume = Own("source/@volume")
    source_protocol = Text("source/@protocol")
    source_name = Own("source/@name")
    source_query = Text("source/@query")
    source_tls = YesNo("source/@tls")
    source_tls_hostname = Text("source/@tlsHostname")
    source_type = Text("source/@type")
    source_namespace = Int("source/@namespace")
    source_managed = YesNo("source/@managed")
    source_path = Own("source/@path")
    source_mode = Text("source/@mode")
    source_fdgroup = Text("source/@fdgroup")
    source_startup_policy = Text("source/@startupPolicy")
    source_index = Int("source/@index")
    source_address = Attributes("source/address")
    source_hosts = Items("source/host", SourceHost)
    source_snapshot_name = Text("source/snapshot/@name")
    source_config_file = Text("source/config/@file")
    source_auth_username = Text("source/auth/@username")
    source_auth_secret_type = Text("source/auth/secret/@type")
    source_auth_secret_uuid = Text("source/auth/secret/@uuid")
    source_auth_secret_usage = Text("source/auth/secret/@usage")
    source_initiator_iqn_name = Text("source/initiator/iqn/@name")
    source_ssl_verify = YesNo("source/ssl/@verify")
    source_readahead_size = Int("source/readahead/@size")
    source_timeout_seconds = Int("source/timeout/@seconds")
    source_identity_user = Text("source/identity/@user")
    source_identity_group = Text("source/identity/@group")
    source_identity_username = Text("source/identity/@username")
    source_identity_keyfile = Text("source/identity/@keyfile")
    source_identity_agentsock = Text("source/identity/@agentsock")
    source_known_hosts_path = Text("source/knownHosts/@path")
    source_cookie_names = Texts("source/cookies/cookie/@name", writable=False)
    source_encryption_format = Text("source/encryption/@format")
    source_encryption_engine = Text("source/encryption/@engine")
    source_encryption_secrets = Items("source/encryption/secret", EncryptionSecret)
    source_encryption_secret_type = Text("source/encryption/secret/@type")
    source_encryption_secret_uuid = Text("source/encryption/secret/@uuid")
    source_encryption_secret_usage = Text("source/encryption/secret/@usage")
    source_reservations_managed = YesNo("source/reservations/@managed")
    source_reservations_source_type = Text("source/reservations/source/@type")
    source_reservations_source_path = Text("source/reservations/source/@path")
    source_reservations_source_mode = Text("source/reservations/source/@mode")
    source_reservations_source_reconnect_enabled = YesNo("source/reservations/source/reconnect/@enabled")
    source_reservations_source_reconnect_timeout = Int("source/reservations/source/reconnect/@timeout")
    source_slices = Items("source/slices/slice", Slice)
    source_reconnect_enabled = YesNo("source/reconnect/@enabled")
    source_reconnect_timeout = Int("source/reconnect/@timeout")
    source_reconnect_delay = Int("source/reconnect/@delay")
    source_seclabels = Items("source/seclabel", SecurityLabel)


class BackingStore(StorageSource):
    """One image of a backing chain, or the other side of a copy."""

    tag = "backingStore"
    type = Text("@type")
    index = Int("@index")
    format_type = Text("format/@type")


class DiskTarget(Mapped):
    """What a disk has behind its source: how the guest sees it, and the limits it is under."""

    auth_username = Text("auth/@username")
    auth_secret_type = Text("auth/secret/@type")
    auth_secret_uuid = Text("auth/secret/@uuid")
    auth_secret_usage = Text("auth/secret/@usage")

    backing_chain = Chain("backingStore", BackingStore)
    backenddomain_name = Text("backenddomain/@name")
    geometry_cyls = Int("geometry/@cyls")
    geometry_heads = Int("geometry/@heads")
    geometry_secs = Int("geometry/@secs")
    geometry_trans = Text("geometry/@trans")
    blockio_logical_block_size = Int("blockio/@logical_block_size")
    blockio_physical_block_size = Int("blockio/@physical_block_size")
    blockio_discard_granularity = Int("blockio/@discard_granularity")

    mirror_type = Text("mirror/@type", writable=False)
    mirror_job = Text("mirror/@job", writable=False)
    mirror_ready = Text("mirror/@ready", writable=False)
    mirror_format_type = Text("mirror/format/@type", writable=False)
    mirror_source_file = Text("mirror/source/@file", writable=False)
    mirror_source_dev = Text("mirror/source/@dev", writable=False)

    target_dev = Text("target/@dev")
    target_bus = Text("target/@bus")
    target_tray = Text("target/@tray")
    target_removable = OnOff("target/@removable")
    target_rotation_rate = Int("target/@rotation_rate")

    iotune_total_bytes_sec = Int("iotune/total_bytes_sec")
    iotune_read_bytes_sec = Int("iotune/read_bytes_sec")
    iotune_write_bytes_sec = Int("iotune/write_bytes_sec")
    iotune_total_iops_sec = Int("iotune/total_iops_sec")
    iotune_read_iops_sec = Int("iotune/read_iops_sec")
    iotune_write_iops_sec = Int("iotune/write_iops_sec")
    iotune_total_bytes_sec_max = Int("iotune/total_bytes_sec_max")
    iotune_read_bytes_sec_max = Int("iotune/read_bytes_sec_max")
    iotune_write_bytes_sec_max = Int("iotune/write_bytes_sec_max")
    iotune_total_iops_sec_max = Int("iotune/total_iops_sec_max")
    iotune_read_iops_sec_max = Int("iotune/read_iops_sec_max")
    iotune_write_iops_sec_max = Int("iotune/write_iops_sec_max")
    iotune_size_iops_sec = Int("iotune/size_iops_sec")
    iotune_group_name = Text("iotune/group_name")
    iotune_total_bytes_sec_max_length = Int("iotune/total_bytes_sec_max_length")
    iotune_read_bytes_sec_max_length = Int("iotune/read_bytes_sec_max_length")
    iotune_write_bytes_sec_max_length = Int("iotune/write_bytes_sec_max_length")
    iotune_total_iops_sec_max_length = Int("iotune/total_iops_sec_max_length")
    iotune_read_iops_sec_max_length = Int("iotune/read_iops_sec_max_length")
    iotune_write_iops_sec_max_length = Int("iotune/write_iops_sec_max_length")

    throttle_filters = Texts("throttlefilters/throttlefilter/@group")

    readonly = Flag("readonly")
    shareable = Flag("shareable")
    transient = Flag("transient")
    transient_share_backing = YesNo("transient/@shareBacking")
    serial = Own("serial")
    wwn = Own("wwn")
    vendor = Text("vendor")
    product = Text("product")
    encryption_format = Text("encryption/@format")
    encryption_engine = Text("encryption/@engine")
    encryption_secrets = Items("encryption/secret", EncryptionSecret)
    encryption_secret_type = Text("encryption/secret/@type")
    encryption_secret_uuid = Text("encryption/secret/@uuid")
    encryption_secret_usage = Text("encryption/secret/@usage")


def _peaks(limit: str) -> Iterator[Replacement]:
    """What goes with a limit of what a guest reads and writes: a guest with a peak of no limit does not start."""
    peak, length = f"{limit}_max", f"{limit}_max_length"
    gone = frozenset({None})
    yield Replacement(fields=(f"iotune_{limit}",), takes=(f"iotune/{peak}", f"iotune/{length}"), among=gone)
    yield Replacement(fields=(f"iotune_{peak}",), takes=(f"iotune/{length}",), among=gone)


_LIMITS = tuple(f"{kind}_{unit}_sec" for kind in ("total", "read", "write") for unit in ("bytes", "iops"))


class Disk(StorageSource, DiskTarget, VirtioOptions, Device):
    """A `<disk>`.

    Credentials are held as references to libvirt secrets only; the values of cookies are never read.
    """

    tag = "disk"
    replacements = (
        # What is in a source is said of that image.  What to do where the image is missing is said of the drive, and
        # libvirt itself hands the labels of an image on to the next one (virStorageSourceInitChainElement).
        Replacement(
            fields=("type", *StorageSource.location_fields),
            takes=("source", "backingStore", "mirror", "auth", "encryption"),
            keeps=("source/@startupPolicy", "source/seclabel"),
        ),
        # The name under which the guest knows the disk (serial, wwn) stays; where the new bus cannot have it, libvirt
        # refuses the change.
        Replacement(
            fields=("target_bus",),
            takes=(
                "@model",
                "vendor",
                "product",
                "target/@removable",
                "target/@rotation_rate",
                "driver/@iommu",
                "driver/@ats",
                "driver/@packed",
                "driver/@page_per_vq",
                "driver/@event_idx",
                "driver/@ioeventfd",
                "driver/@queues",
                "driver/@queue_size",
                "driver/@iothread",
                "driver/iothreads",
                "address",
            ),
        ),
        # A tray, a platter and a unit of a SCSI bus of the host are there in drives of one kind.
        Replacement(
            fields=("device",),
            takes=(
                "@rawio",
                "@sgio",
                "geometry",
                "source/reservations",
                "target/@tray",
                "target/@removable",
                "target/@rotation_rate",
            ),
        ),
        # libvirt itself says of what is in these drives that it is not written.
        Replacement(fields=("device",), takes=("readonly",), among=frozenset({"cdrom"})),
        # How an image is opened is decided by the program that serves it.
        Replacement(
            fields=("type",),
            takes=(
                "@snapshot",
                "driver/@cache",
                "driver/@error_policy",
                "driver/@rerror_policy",
                "driver/@io",
                "driver/@copy_on_read",
                "driver/@discard",
                "driver/@detect_zeroes",
                "driver/@discard_no_unref",
                "driver/@iothread",
                "driver/iothreads",
                "driver/@ioeventfd",
                "driver/@event_idx",
                "driver/metadata_cache",
                "blockio",
                "iotune",
                "throttlefilters",
            ),
            among=frozenset({"vhostuser"}),
        ),
        # Only a directory is shown in this format.
        Replacement(fields=("type",), takes=("driver/@type",), among=frozenset({"dir"})),
        Replacement(fields=("type",), takes=("source/@startupPolicy",), among=frozenset({"nvme", "vhostuser"})),
        # A secret is that of somebody, and of something that is encrypted.
        Replacement(fields=("auth_username",), takes=("auth",), among=frozenset({None})),
        Replacement(fields=("source_auth_username",), takes=("source/auth",), among=frozenset({None})),
        Replacement(fields=("encryption_format",), takes=("encryption",), among=frozenset({None})),
        Replacement(fields=("source_encryption_format",), takes=("source/encryption",), among=frozenset({None})),
        # Images on this host can be missing when a guest starts, and have labels; libvirt takes neither for others.
        Replacement(fields=("source_protocol",), takes=("source/@startupPolicy", "source/seclabel")),
        # The images below, and how they are cached, are those that the header of this format names.
        Replacement(
            fields=("driver_type",),
            takes=("backingStore", "source/dataStore", "driver/metadata_cache", "driver/@discard_no_unref"),
        ),
        *chain.from_iterable(map(_peaks, _LIMITS)),
    )
    never_empty = (
        *Device.never_empty,
        "auth",
        "encryption",
        "source/auth",
        "source/encryption",
        "source/initiator/iqn",
        "source/initiator",
    )
    type = Text("@type")
    device = Text("@device")
    model = Text("@model")
    rawio = YesNo("@rawio")
    sgio = Text("@sgio")
    snapshot = Text("@snapshot")

    driver_name = Text("driver/@name")
    driver_type = Text("driver/@type")
    driver_cache = Text("driver/@cache")
    driver_error_policy = Text("driver/@error_policy")
    driver_rerror_policy = Text("driver/@rerror_policy")
    driver_io = Text("driver/@io")
    driver_ioeventfd = OnOff("driver/@ioeventfd")
    driver_event_idx = OnOff("driver/@event_idx")
    driver_copy_on_read = OnOff("driver/@copy_on_read")
    driver_discard = Text("driver/@discard")
    driver_detect_zeroes = Text("driver/@detect_zeroes")
    driver_discard_no_unref = OnOff("driver/@discard_no_unref")
    driver_iothread = Int("driver/@iothread")
    driver_iothreads = Items("driver/iothreads/iothread", DriverThread)
    driver_queues = Int("driver/@queues")
    driver_queue_size = Int("driver/@queue_size")
    driver_metadata_cache_max_size = Size("driver/metadata_cache/max_size", unit="bytes", absent="bytes")
