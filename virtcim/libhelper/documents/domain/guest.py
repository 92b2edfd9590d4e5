"""The parts of a domain beside its devices: boot, features, CPU, clock, memory, tuning.

Each class is one part; `DomainConfig` puts them together.
"""

from __future__ import annotations

from typing import ClassVar

from virtcim.libhelper.documents.domain.device import IdRange
from virtcim.libhelper.xml.mapping import Flag, Int, Items, Mapped, OnOff, Replacement, Size, Text, Texts, YesNo

__all__ = [
    "BlockTune",
    "Boot",
    "CacheTune",
    "Clock",
    "Cpu",
    "CpuFeature",
    "CpuTune",
    "Features",
    "IdMap",
    "IoThread",
    "LifecycleActions",
    "Memory",
    "NumaCell",
    "NumaTune",
    "Perf",
    "PerfEvent",
    "Processors",
    "Sysinfo",
    "SysinfoEntry",
    "Timer",
    "VcpuPin",
]


class FirmwareFeature(Mapped):
    """A `<feature>` asked of the firmware."""

    tag = "feature"
    name = Text("@name")
    enabled = YesNo("@enabled")


class Environment(Mapped):
    """An `<initenv>` of a container."""

    tag = "initenv"
    name = Text("@name")
    value = Text(".")


class NvramHost(Mapped):
    """A `<host>` of variables of the firmware that are kept in the network."""

    tag = "host"
    name = Text("@name")
    port = Int("@port")


class Boot(Mapped):
    """`<bootloader>` and `<os>`."""

    replacements: ClassVar[tuple[Replacement, ...]] = (
        # Without a program of its own, the guest keeps no variables for it, which libvirt added.
        Replacement(fields=("os_loader",), takes=("os/loader", "os/nvram"), among=frozenset({None})),
        # QEMU hands these to a kernel, and does not start without one.
        Replacement(fields=("os_kernel",), takes=("os/initrd", "os/cmdline", "os/dtb"), among=frozenset({None})),
    )
    bootloader = Text("bootloader")
    bootloader_args = Text("bootloader_args")
    os_firmware = Text("os/@firmware")
    os_type = Text("os/type")
    os_type_arch = Text("os/type/@arch")
    os_type_machine = Text("os/type/@machine")
    os_firmware_features = Items("os/firmware/feature", FirmwareFeature)
    os_init = Text("os/init")
    os_initargs = Texts("os/initarg")
    os_initenvs = Items("os/initenv", Environment)
    os_initdir = Text("os/initdir")
    os_inituser = Text("os/inituser")
    os_initgroup = Text("os/initgroup")
    os_loader = Text("os/loader")
    os_loader_readonly = YesNo("os/loader/@readonly")
    os_loader_type = Text("os/loader/@type")
    os_loader_secure = YesNo("os/loader/@secure")
    os_loader_stateless = YesNo("os/loader/@stateless")
    os_loader_format = Text("os/loader/@format")
    os_nvram = Text("os/nvram")
    os_nvram_template = Text("os/nvram/@template")
    os_nvram_template_format = Text("os/nvram/@templateFormat")
    os_nvram_format = Text("os/nvram/@format")
    os_nvram_type = Text("os/nvram/@type")
    os_nvram_source_file = Text("os/nvram/source/@file")
    os_nvram_source_dev = Text("os/nvram/source/@dev")
    os_nvram_source_protocol = Text("os/nvram/source/@protocol")
    os_nvram_source_name = Text("os/nvram/source/@name")
    os_nvram_source_hosts = Items("os/nvram/source/host", NvramHost)
    os_nvram_source_auth_username = Text("os/nvram/source/auth/@username")
    os_nvram_source_auth_secret_type = Text("os/nvram/source/auth/secret/@type")
    os_nvram_source_auth_secret_uuid = Text("os/nvram/source/auth/secret/@uuid")
    os_nvram_source_auth_secret_usage = Text("os/nvram/source/auth/secret/@usage")
    os_kernel = Text("os/kernel")
    os_initrd = Text("os/initrd")
    os_cmdline = Text("os/cmdline")
    os_root = Text("os/root")
    os_dtb = Text("os/dtb")
    os_shim = Text("os/shim")
    os_acpi_table = Text("os/acpi/table")
    os_acpi_table_type = Text("os/acpi/table/@type")
    os_boot_devs = Texts("os/boot/@dev")
    os_bootmenu_enable = YesNo("os/bootmenu/@enable")
    os_bootmenu_timeout = Int("os/bootmenu/@timeout")
    os_smbios_mode = Text("os/smbios/@mode")
    os_bios_useserial = YesNo("os/bios/@useserial")
    os_bios_reboot_timeout = Int("os/bios/@rebootTimeout")


class Features(Mapped):
    """`<features>`.  A feature that is an element only reads True when the element is there."""

    features_pae = Flag("features/pae")
    features_acpi = Flag("features/acpi")
    features_apic = Flag("features/apic")
    features_apic_eoi = OnOff("features/apic/@eoi")
    features_hap = Flag("features/hap")
    features_hap_state = OnOff("features/hap/@state")
    features_viridian = Flag("features/viridian")
    features_privnet = Flag("features/privnet")
    features_hyperv_mode = Text("features/hyperv/@mode")
    features_hyperv_relaxed_state = OnOff("features/hyperv/relaxed/@state")
    features_hyperv_vapic_state = OnOff("features/hyperv/vapic/@state")
    features_hyperv_spinlocks_state = OnOff("features/hyperv/spinlocks/@state")
    features_hyperv_spinlocks_retries = Int("features/hyperv/spinlocks/@retries")
    features_hyperv_vpindex_state = OnOff("features/hyperv/vpindex/@state")
    features_hyperv_runtime_state = OnOff("features/hyperv/runtime/@state")
    features_hyperv_synic_state = OnOff("features/hyperv/synic/@state")
    features_hyperv_stimer_state = OnOff("features/hyperv/stimer/@state")
    features_hyperv_stimer_direct_state = OnOff("features/hyperv/stimer/direct/@state")
    features_hyperv_reset_state = OnOff("features/hyperv/reset/@state")
    features_hyperv_vendor_id_state = OnOff("features/hyperv/vendor_id/@state")
    features_hyperv_vendor_id_value = Text("features/hyperv/vendor_id/@value")
    features_hyperv_frequencies_state = OnOff("features/hyperv/frequencies/@state")
    features_hyperv_reenlightenment_state = OnOff("features/hyperv/reenlightenment/@state")
    features_hyperv_tlbflush_state = OnOff("features/hyperv/tlbflush/@state")
    features_hyperv_tlbflush_direct_state = OnOff("features/hyperv/tlbflush/direct/@state")
    features_hyperv_tlbflush_extended_state = OnOff("features/hyperv/tlbflush/extended/@state")
    features_hyperv_ipi_state = OnOff("features/hyperv/ipi/@state")
    features_hyperv_evmcs_state = OnOff("features/hyperv/evmcs/@state")
    features_hyperv_avic_state = OnOff("features/hyperv/avic/@state")
    features_hyperv_emsr_bitmap_state = OnOff("features/hyperv/emsr_bitmap/@state")
    features_hyperv_xmm_input_state = OnOff("features/hyperv/xmm_input/@state")
    features_kvm_hidden_state = OnOff("features/kvm/hidden/@state")
    features_kvm_hint_dedicated_state = OnOff("features/kvm/hint-dedicated/@state")
    features_kvm_poll_control_state = OnOff("features/kvm/poll-control/@state")
    features_kvm_pv_ipi_state = OnOff("features/kvm/pv-ipi/@state")
    features_kvm_dirty_ring_state = OnOff("features/kvm/dirty-ring/@state")
    features_kvm_dirty_ring_size = Int("features/kvm/dirty-ring/@size")
    features_xen_e820_host_state = OnOff("features/xen/e820_host/@state")
    features_xen_passthrough_state = OnOff("features/xen/passthrough/@state")
    features_xen_passthrough_mode = Text("features/xen/passthrough/@mode")
    features_pvspinlock_state = OnOff("features/pvspinlock/@state")
    features_pmu_state = OnOff("features/pmu/@state")
    features_vmport_state = OnOff("features/vmport/@state")
    features_gic_version = Text("features/gic/@version")
    features_smm_state = OnOff("features/smm/@state")
    features_smm_tseg = Size("features/smm/tseg", unit="bytes", absent="MiB")
    features_ioapic_driver = Text("features/ioapic/@driver")
    features_hpt_resizing = Text("features/hpt/@resizing")
    features_hpt_maxpagesize = Size("features/hpt/maxpagesize")
    features_vmcoreinfo_state = OnOff("features/vmcoreinfo/@state")
    features_htm_state = OnOff("features/htm/@state")
    features_nested_hv_state = OnOff("features/nested-hv/@state")
    features_ccf_assist_state = OnOff("features/ccf-assist/@state")
    features_msrs_unknown = Text("features/msrs/@unknown")
    features_cfpc_value = Text("features/cfpc/@value")
    features_sbbc_value = Text("features/sbbc/@value")
    features_ibs_value = Text("features/ibs/@value")
    features_ras_state = OnOff("features/ras/@state")
    features_ps2_state = OnOff("features/ps2/@state")
    features_aia_value = Text("features/aia/@value")
    features_tcg_tb_cache = Size("features/tcg/tb-cache")
    features_async_teardown_enabled = YesNo("features/async-teardown/@enabled")
    features_capabilities_policy = Text("features/capabilities/@policy")
    features_capabilities_audit_control_state = OnOff("features/capabilities/audit_control/@state")
    features_capabilities_audit_write_state = OnOff("features/capabilities/audit_write/@state")
    features_capabilities_block_suspend_state = OnOff("features/capabilities/block_suspend/@state")
    features_capabilities_chown_state = OnOff("features/capabilities/chown/@state")
    features_capabilities_dac_override_state = OnOff("features/capabilities/dac_override/@state")
    features_capabilities_dac_read_search_state = OnOff("features/capabilities/dac_read_search/@state")
    features_capabilities_fowner_state = OnOff("features/capabilities/fowner/@state")
    features_capabilities_fsetid_state = OnOff("features/capabilities/fsetid/@state")
    features_capabilities_ipc_lock_state = OnOff("features/capabilities/ipc_lock/@state")
    features_capabilities_ipc_owner_state = OnOff("features/capabilities/ipc_owner/@state")
    features_capabilities_kill_state = OnOff("features/capabilities/kill/@state")
    features_capabilities_lease_state = OnOff("features/capabilities/lease/@state")
    features_capabilities_linux_immutable_state = OnOff("features/capabilities/linux_immutable/@state")
    features_capabilities_mac_admin_state = OnOff("features/capabilities/mac_admin/@state")
    features_capabilities_mac_override_state = OnOff("features/capabilities/mac_override/@state")
    features_capabilities_mknod_state = OnOff("features/capabilities/mknod/@state")
    features_capabilities_net_admin_state = OnOff("features/capabilities/net_admin/@state")
    features_capabilities_net_bind_service_state = OnOff("features/capabilities/net_bind_service/@state")
    features_capabilities_net_broadcast_state = OnOff("features/capabilities/net_broadcast/@state")
    features_capabilities_net_raw_state = OnOff("features/capabilities/net_raw/@state")
    features_capabilities_setfcap_state = OnOff("features/capabilities/setfcap/@state")
    features_capabilities_setgid_state = OnOff("features/capabilities/setgid/@state")
    features_capabilities_setpcap_state = OnOff("features/capabilities/setpcap/@state")
    features_capabilities_setuid_state = OnOff("features/capabilities/setuid/@state")
    features_capabilities_sys_admin_state = OnOff("features/capabilities/sys_admin/@state")
    features_capabilities_sys_boot_state = OnOff("features/capabilities/sys_boot/@state")
    features_capabilities_sys_chroot_state = OnOff("features/capabilities/sys_chroot/@state")
    features_capabilities_sys_module_state = OnOff("features/capabilities/sys_module/@state")
    features_capabilities_sys_nice_state = OnOff("features/capabilities/sys_nice/@state")
    features_capabilities_sys_pacct_state = OnOff("features/capabilities/sys_pacct/@state")
    features_capabilities_sys_ptrace_state = OnOff("features/capabilities/sys_ptrace/@state")
    features_capabilities_sys_rawio_state = OnOff("features/capabilities/sys_rawio/@state")
    features_capabilities_sys_resource_state = OnOff("features/capabilities/sys_resource/@state")
    features_capabilities_sys_time_state = OnOff("features/capabilities/sys_time/@state")
    features_capabilities_sys_tty_config_state = OnOff("features/capabilities/sys_tty_config/@state")
    features_capabilities_syslog_state = OnOff("features/capabilities/syslog/@state")
    features_capabilities_wake_alarm_state = OnOff("features/capabilities/wake_alarm/@state")


class CpuFeature(Mapped):
    """A `<feature>` of the CPU."""

    tag = "feature"
    policy = Text("@policy")
    name = Text("@name")


class Sibling(Mapped):
    """The distance of one NUMA cell to another."""

    tag = "sibling"
    id = Int("@id")
    value = Int("@value")


class NumaCache(Mapped):
    """A `<cache>` of the memory of a NUMA cell.

    Its size is in KiB, a line of it in bytes: libvirt reads them so whatever unit stands beside them.
    """

    tag = "cache"
    level = Int("@level")
    associativity = Text("@associativity")
    policy = Text("@policy")
    size_value = Size("size/@value")
    line_value = Size("line/@value", unit="bytes", absent="bytes")


class NumaLatency(Mapped):
    """How long an access of one NUMA cell to another takes, in nanoseconds."""

    tag = "latency"
    initiator = Int("@initiator")
    target = Int("@target")
    cache = Int("@cache")
    type = Text("@type")
    value = Int("@value")


class NumaBandwidth(Mapped):
    """How much one NUMA cell can fetch of another in a second, in KiB."""

    tag = "bandwidth"
    initiator = Int("@initiator")
    target = Int("@target")
    cache = Int("@cache")
    type = Text("@type")
    value = Size("@value")


class NumaCell(Mapped):
    """A `<cell>` of the guest's NUMA topology.  `memory` is in KiB."""

    tag = "cell"
    id = Int("@id")
    cpus = Text("@cpus")
    memory = Size("@memory")
    mem_access = Text("@memAccess")
    discard = YesNo("@discard")
    distances = Items("distances/sibling", Sibling)
    caches = Items("cache", NumaCache)


class Cpu(Mapped):
    """`<cpu>`."""

    replacements: ClassVar[tuple[Replacement, ...]] = (
        # Which features a guest is to have or not is said of any processor; all else describes one of the old kind.
        Replacement(
            fields=("cpu_mode",),
            takes=(
                "cpu/@match",
                "cpu/@check",
                "cpu/@migratable",
                "cpu/@deprecated_features",
                "cpu/model",
                "cpu/vendor",
                "cpu/cache",
                "cpu/maxphysaddr",
            ),
        ),
        # Of a processor that nothing is said of, no feature can be.
        Replacement(fields=("cpu_mode",), takes=("cpu/feature",), among=frozenset({None})),
        Replacement(fields=("cpu_model",), takes=("cpu/vendor",)),
    )
    cpu_mode = Text("cpu/@mode")
    cpu_match = Text("cpu/@match")
    cpu_check = Text("cpu/@check")
    cpu_migratable = OnOff("cpu/@migratable")
    cpu_deprecated_features = OnOff("cpu/@deprecated_features")
    cpu_model = Text("cpu/model")
    cpu_model_fallback = Text("cpu/model/@fallback")
    cpu_model_vendor_id = Text("cpu/model/@vendor_id")
    cpu_vendor = Text("cpu/vendor")
    cpu_topology = Flag("cpu/topology")
    cpu_topology_sockets = Int("cpu/topology/@sockets")
    cpu_topology_dies = Int("cpu/topology/@dies")
    cpu_topology_clusters = Int("cpu/topology/@clusters")
    cpu_topology_cores = Int("cpu/topology/@cores")
    cpu_topology_threads = Int("cpu/topology/@threads")
    cpu_cache_level = Int("cpu/cache/@level")
    cpu_cache_mode = Text("cpu/cache/@mode")
    cpu_maxphysaddr_mode = Text("cpu/maxphysaddr/@mode")
    cpu_maxphysaddr_bits = Int("cpu/maxphysaddr/@bits")
    cpu_maxphysaddr_limit = Int("cpu/maxphysaddr/@limit")
    cpu_features = Items("cpu/feature", CpuFeature)
    cpu_numa_cells = Items("cpu/numa/cell", NumaCell)
    cpu_numa_interconnects_latencies = Items("cpu/numa/interconnects/latency", NumaLatency)
    cpu_numa_interconnects_bandwidths = Items("cpu/numa/interconnects/bandwidth", NumaBandwidth)


class Timer(Mapped):
    """A `<timer>`."""

    tag = "timer"
    name = Text("@name")
    present = YesNo("@present")
    tickpolicy = Text("@tickpolicy")
    track = Text("@track")
    frequency = Int("@frequency")
    mode = Text("@mode")
    catchup_threshold = Int("catchup/@threshold")
    catchup_slew = Int("catchup/@slew")
    catchup_limit = Int("catchup/@limit")


class Clock(Mapped):
    """`<clock>`."""

    clock_offset = Text("clock/@offset")
    clock_adjustment = Text("clock/@adjustment")
    clock_basis = Text("clock/@basis")
    clock_timezone = Text("clock/@timezone")
    clock_start = Int("clock/@start")
    clock_timers = Items("clock/timer", Timer)


class HugePage(Mapped):
    """A `<page>` of `<hugepages>`.  `size` is in KiB."""

    tag = "page"
    size = Size("@size")
    nodeset = Text("@nodeset")


class Memory(Mapped):
    """`<maxMemory>`, `<memory>`, `<currentMemory>`, `<memoryBacking>`, `<memtune>`; all sizes in KiB."""

    max_memory = Size("maxMemory")
    max_memory_slots = Int("maxMemory/@slots")
    memory = Size("memory")
    memory_dump_core = OnOff("memory/@dumpCore")
    current_memory = Size("currentMemory", fallback="memory")


class MemoryTune(Mapped):
    """`<memtune>` and `<memoryBacking>`; all sizes in KiB."""

    memtune_hard_limit = Size("memtune/hard_limit")
    memtune_soft_limit = Size("memtune/soft_limit")
    memtune_min_guarantee = Size("memtune/min_guarantee")
    memtune_swap_hard_limit = Size("memtune/swap_hard_limit")
    memory_backing_hugepages = Flag("memoryBacking/hugepages")
    memory_backing_hugepages_pages = Items("memoryBacking/hugepages/page", HugePage)
    memory_backing_nosharepages = Flag("memoryBacking/nosharepages")
    memory_backing_locked = Flag("memoryBacking/locked")
    memory_backing_source_type = Text("memoryBacking/source/@type")
    memory_backing_access_mode = Text("memoryBacking/access/@mode")
    memory_backing_allocation_mode = Text("memoryBacking/allocation/@mode")
    memory_backing_allocation_threads = Int("memoryBacking/allocation/@threads")
    memory_backing_discard = Flag("memoryBacking/discard")


class BlockDevice(Mapped):
    """A `<device>` of `<blkiotune>`."""

    tag = "device"
    path = Text("path")
    weight = Int("weight")
    read_iops_sec = Int("read_iops_sec")
    write_iops_sec = Int("write_iops_sec")
    read_bytes_sec = Int("read_bytes_sec")
    write_bytes_sec = Int("write_bytes_sec")


class ThrottleGroup(Mapped):
    """A `<throttlegroup>`: limits that disks have together which name it."""

    tag = "throttlegroup"
    group_name = Text("group_name")
    total_bytes_sec = Int("total_bytes_sec")
    read_bytes_sec = Int("read_bytes_sec")
    write_bytes_sec = Int("write_bytes_sec")
    total_iops_sec = Int("total_iops_sec")
    read_iops_sec = Int("read_iops_sec")
    write_iops_sec = Int("write_iops_sec")
    total_bytes_sec_max = Int("total_bytes_sec_max")
    read_bytes_sec_max = Int("read_bytes_sec_max")
    write_bytes_sec_max = Int("write_bytes_sec_max")
    total_iops_sec_max = Int("total_iops_sec_max")
    read_iops_sec_max = Int("read_iops_sec_max")
    write_iops_sec_max = Int("write_iops_sec_max")
    size_iops_sec = Int("size_iops_sec")
    total_bytes_sec_max_length = Int("total_bytes_sec_max_length")
    read_bytes_sec_max_length = Int("read_bytes_sec_max_length")
    write_bytes_sec_max_length = Int("write_bytes_sec_max_length")
    total_iops_sec_max_length = Int("total_iops_sec_max_length")
    read_iops_sec_max_length = Int("read_iops_sec_max_length")
    write_iops_sec_max_length = Int("write_iops_sec_max_length")


class BlockTune(Mapped):
    """`<blkiotune>` and `<throttlegroups>`."""

    blkiotune_weight = Int("blkiotune/weight")
    blkiotune_devices = Items("blkiotune/device", BlockDevice)
    throttle_groups = Items("throttlegroups/throttlegroup", ThrottleGroup)


class Vcpu(Mapped):
    """A `<vcpu>` of `<vcpus>`."""

    tag = "vcpu"
    id = Int("@id")
    enabled = YesNo("@enabled")
    hotpluggable = YesNo("@hotpluggable")
    order = Int("@order")


class IoThread(Mapped):
    """An `<iothread>` of `<iothreadids>`."""

    tag = "iothread"
    id = Int("@id")
    thread_pool_min = Int("@thread_pool_min")
    thread_pool_max = Int("@thread_pool_max")
    poll_max = Int("poll/@max")
    poll_grow = Int("poll/@grow")
    poll_shrink = Int("poll/@shrink")


class Processors(Mapped):
    """`<vcpu>`, `<vcpus>`, `<iothreads>`, `<iothreadids>`, `<defaultiothread>`."""

    # The list names every single processor that there was.
    replacements: ClassVar[tuple[Replacement, ...]] = (Replacement(fields=("vcpu",), takes=("vcpus",)),)
    vcpu = Int("vcpu")
    vcpu_placement = Text("vcpu/@placement")
    vcpu_cpuset = Text("vcpu/@cpuset")
    vcpu_current = Int("vcpu/@current", fallback="vcpu")
    vcpus = Items("vcpus/vcpu", Vcpu)
    iothreads = Int("iothreads")
    iothreadids = Items("iothreadids/iothread", IoThread)
    defaultiothread_thread_pool_min = Int("defaultiothread/@thread_pool_min")
    defaultiothread_thread_pool_max = Int("defaultiothread/@thread_pool_max")


class VcpuPin(Mapped):
    """A `<vcpupin>`."""

    tag = "vcpupin"
    vcpu = Int("@vcpu")
    cpuset = Text("@cpuset")


class IoThreadPin(Mapped):
    """An `<iothreadpin>`."""

    tag = "iothreadpin"
    iothread = Int("@iothread")
    cpuset = Text("@cpuset")


class VcpuScheduler(Mapped):
    """A `<vcpusched>`."""

    tag = "vcpusched"
    vcpus = Text("@vcpus")
    scheduler = Text("@scheduler")
    priority = Int("@priority")


class IoThreadScheduler(Mapped):
    """An `<iothreadsched>`."""

    tag = "iothreadsched"
    iothreads = Text("@iothreads")
    scheduler = Text("@scheduler")
    priority = Int("@priority")


class Cache(Mapped):
    """A `<cache>` of a `<cachetune>`.  `size` is in bytes."""

    tag = "cache"
    id = Int("@id")
    level = Int("@level")
    type = Text("@type")
    size = Size("@size", unit="bytes")


class CacheMonitor(Mapped):
    """A `<monitor>` of a `<cachetune>`."""

    tag = "monitor"
    level = Int("@level")
    vcpus = Text("@vcpus")


class CacheTune(Mapped):
    """A `<cachetune>`."""

    tag = "cachetune"
    vcpus = Text("@vcpus")
    caches = Items("cache", Cache)
    monitors = Items("monitor", CacheMonitor)


class MemoryNode(Mapped):
    """A `<node>` of a `<memorytune>`.  `bandwidth` is in per cent."""

    tag = "node"
    id = Int("@id")
    bandwidth = Int("@bandwidth")


class MemoryBandwidth(Mapped):
    """A `<memorytune>`."""

    tag = "memorytune"
    vcpus = Text("@vcpus")
    nodes = Items("node", MemoryNode)


class CpuTune(Mapped):
    """`<cputune>`.  Periods and quotas are in microseconds."""

    cputune_shares = Int("cputune/shares")
    cputune_period = Int("cputune/period")
    cputune_quota = Int("cputune/quota")
    cputune_global_period = Int("cputune/global_period")
    cputune_global_quota = Int("cputune/global_quota")
    cputune_emulator_period = Int("cputune/emulator_period")
    cputune_emulator_quota = Int("cputune/emulator_quota")
    cputune_iothread_period = Int("cputune/iothread_period")
    cputune_iothread_quota = Int("cputune/iothread_quota")
    cputune_vcpupins = Items("cputune/vcpupin", VcpuPin)
    cputune_emulatorpin_cpuset = Text("cputune/emulatorpin/@cpuset")
    cputune_iothreadpins = Items("cputune/iothreadpin", IoThreadPin)
    cputune_emulatorsched_scheduler = Text("cputune/emulatorsched/@scheduler")
    cputune_emulatorsched_priority = Int("cputune/emulatorsched/@priority")
    cputune_vcpuscheds = Items("cputune/vcpusched", VcpuScheduler)
    cputune_iothreadscheds = Items("cputune/iothreadsched", IoThreadScheduler)
    cputune_cachetunes = Items("cputune/cachetune", CacheTune)
    cputune_memorytunes = Items("cputune/memorytune", MemoryBandwidth)


class MemoryNodeTune(Mapped):
    """A `<memnode>`."""

    tag = "memnode"
    cellid = Int("@cellid")
    mode = Text("@mode")
    nodeset = Text("@nodeset")


class NumaTune(Mapped):
    """`<numatune>`."""

    replacements: ClassVar[tuple[Replacement, ...]] = (
        # Nodes are taken in some way only where they are named.
        Replacement(
            fields=("numatune_memory_nodeset",),
            takes=("numatune/memory",),
            keeps=("numatune/memory/@placement",),
            among=frozenset({None}),
        ),
    )
    numatune_memory_mode = Text("numatune/memory/@mode")
    numatune_memory_placement = Text("numatune/memory/@placement")
    numatune_memory_nodeset = Text("numatune/memory/@nodeset")
    numatune_memnodes = Items("numatune/memnode", MemoryNodeTune)


class SysinfoEntry(Mapped):
    """An `<entry>` of `<sysinfo>`."""

    tag = "entry"
    name = Text("@name")
    value = Text(".")


class BaseBoard(Mapped):
    """A `<baseBoard>` of `<sysinfo>`."""

    tag = "baseBoard"
    entries = Items("entry", SysinfoEntry)


class Sysinfo(Mapped):
    """`<sysinfo>` of SMBIOS.

    OEM strings and the contents of firmware configuration entries are not held: guests are given credentials that way.
    """

    sysinfo_type = Text("sysinfo/@type")
    sysinfo_bios_entries = Items("sysinfo[@type='smbios']/bios/entry", SysinfoEntry)
    sysinfo_system_entries = Items("sysinfo[@type='smbios']/system/entry", SysinfoEntry)
    sysinfo_base_boards = Items("sysinfo[@type='smbios']/baseBoard", BaseBoard)
    sysinfo_chassis_entries = Items("sysinfo[@type='smbios']/chassis/entry", SysinfoEntry)
    sysinfo_fwcfg_names = Texts("sysinfo[@type='fwcfg']/entry/@name", writable=False)


class LifecycleActions(Mapped):
    """What happens when a guest ends, and the power management it is shown."""

    on_poweroff = Text("on_poweroff")
    on_reboot = Text("on_reboot")
    on_crash = Text("on_crash")
    on_lockfailure = Text("on_lockfailure")
    pm_suspend_to_mem_enabled = YesNo("pm/suspend-to-mem/@enabled")
    pm_suspend_to_disk_enabled = YesNo("pm/suspend-to-disk/@enabled")


class PerfEvent(Mapped):
    """An `<event>` of `<perf>`."""

    tag = "event"
    name = Text("@name")
    enabled = YesNo("@enabled")


class Perf(Mapped):
    """`<perf>`: what the host counts of the guest."""

    perf_events = Items("perf/event", PerfEvent)


class IdMap(Mapped):
    """`<idmap>` of a container."""

    idmap_uids = Items("idmap/uid", IdRange)
    idmap_gids = Items("idmap/gid", IdRange)
