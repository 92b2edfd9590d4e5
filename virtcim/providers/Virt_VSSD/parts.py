"""The settings of a guest that are lists of texts or of several fields, each way: read from and written to the XML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod

from virtcim.libhelper.documents.domain import Disk, DomainConfig, Hostdev, Interface, Redirdev
from virtcim.providers.drafts import Draft, ValueRefusedError, Writer
from virtcim.providers.processors import put_cells, put_maximum

__all__ = [
    "HYPERV_FIELDS",
    "boot_devices",
    "clock",
    "cpu_features",
    "hyperv_features",
    "numa_cells",
    "secure_boot",
    "timers",
    "write_adjustment",
    "write_arguments",
    "write_boot_devices",
    "write_clock",
    "write_cpu_features",
    "write_firmware",
    "write_hyperv_features",
    "write_loader",
    "write_loader_type",
    "write_mode",
    "write_model",
    "write_numa_cells",
    "write_secure_boot",
    "write_start",
    "write_timers",
    "write_timezone",
    "write_topology",
]

_UTC, _LOCAL = 0, 1
_CLOCKS = {"utc": _UTC, "localtime": _LOCAL, "absolute": _UTC}
_CLOCK_WORDS = {_UTC: "utc", _LOCAL: "localtime"}
_RESET = "reset"
"""ClockAdjustment of a clock that is set anew at each start."""
_BOOT_WORDS = {"disk": "hd", "lun": "hd", "cdrom": "cdrom", "floppy": "fd"}
_BOOT_KINDS = frozenset({"hd", "cdrom", "fd", "network"})
_SECURE_BOOT, _ENROLLED_KEYS = "secure-boot", "enrolled-keys"
_POLICIES = frozenset({"force", "require", "optional", "disable", "forbid"})
_HYPERV = (
    "relaxed",
    "vapic",
    "spinlocks",
    "vpindex",
    "runtime",
    "synic",
    "stimer",
    "reset",
    "frequencies",
    "reenlightenment",
    "tlbflush",
    "ipi",
    "evmcs",
    "avic",
    "emsr_bitmap",
    "xmm_input",
)
"""The features of `<hyperv>` that are on or off."""
HYPERV_FIELDS = tuple(DomainConfig.declared()[f"features_hyperv_{name}_state"] for name in _HYPERV)
_TOPOLOGY = ("cpu_topology_sockets", "cpu_topology_dies", "cpu_topology_cores", "cpu_topology_threads")
_TOPOLOGY_NAMES = {
    "CPUSockets": "cpu_topology_sockets",
    "CPUDies": "cpu_topology_dies",
    "CPUCores": "cpu_topology_cores",
    "CPUThreads": "cpu_topology_threads",
}
_TIMER_FLAGS = {"yes": True, "no": False}
_TIMER_NUMBERS = frozenset({"frequency", "catchup_threshold", "catchup_slew", "catchup_limit"})
_TIMER_TEXTS = frozenset({"tickpolicy", "track", "mode"})
_TIMER = re.compile(r"([a-z0-9]+)(?::(.*))?")
_OF_FIRMWARE = (
    "os_loader",
    "os_loader_readonly",
    "os_loader_type",
    "os_loader_secure",
    "os_loader_stateless",
    "os_loader_format",
    "os_nvram",
    "os_nvram_template",
    "os_nvram_template_format",
    "os_nvram_format",
    "os_nvram_type",
    "os_nvram_source_file",
    "os_nvram_source_dev",
    "os_nvram_source_protocol",
    "os_nvram_source_name",
    "os_nvram_source_hosts",
)
"""What describes one firmware and its variables, which another one does not read."""
_CELL = re.compile(r"([0-9,^-]*):([0-9]{1,15})")
_EFI, _BIOS = "efi", "bios"


def clock(config: DomainConfig) -> int | None:
    """The time zone that the clock follows; NULL without a clock, and for one of a zone of its own."""
    if config.clock_offset == "variable":
        return _LOCAL if config.clock_basis == "localtime" else _UTC
    return _CLOCKS.get(config.clock_offset or "")


def write_clock(draft: Draft, value: int) -> None:
    """ClockOffset."""
    if value not in _CLOCK_WORDS:
        raise ValueRefusedError(f"Invalid value for ClockOffset: {value}")
    draft.put("clock_offset", _CLOCK_WORDS[value])
    for field in ("clock_adjustment", "clock_basis", "clock_timezone", "clock_start"):
        if getattr(draft.base, field) is not None:
            draft.put(field, None)


def write_adjustment(draft: Draft, value: str) -> None:
    """ClockAdjustment: the clock runs beside the one of ClockOffset, by so many seconds; "" for no longer."""
    _check_clock(draft, "ClockAdjustment")
    basis = clock(draft.base) if "clock_offset" not in draft.fields else _CLOCKS.get(draft.now("clock_offset"))
    word = _CLOCK_WORDS[_UTC if basis is None else basis]
    if value in ("", _RESET):
        draft.put("clock_offset", word)
        draft.put("clock_adjustment", value or None)
        if draft.base.clock_basis is not None:
            draft.put("clock_basis", None)
        return
    if not _is_seconds(value):
        raise ValueRefusedError(f"ClockAdjustment: {value:.20} is not a number of seconds; expected one, or {_RESET}")
    draft.put("clock_offset", "variable")
    draft.put("clock_adjustment", value)
    draft.put("clock_basis", word)


def write_start(draft: Draft, value: int) -> None:
    """ClockStart: each start of the guest is at that time; 0 for no longer."""
    _check_clock(draft, "ClockStart")
    draft.put("clock_offset", "absolute" if value else "utc")
    draft.put("clock_start", value or None)


def _check_clock(draft: Draft, name: str) -> None:
    others = sorted({"ClockTimezone", "ClockAdjustment", "ClockStart"}.intersection(draft.given) - {name})
    if others:
        raise ValueRefusedError(f"{name} and {others[0]} contradict each other", contradiction=True)


def _is_seconds(value: str) -> bool:
    digits = value.removeprefix("-")
    return digits.isascii() and digits.isdecimal() and len(digits) <= len(str(1 << 62))


def write_timezone(draft: Draft, value: str) -> None:
    """ClockTimezone."""
    if not value:
        raise ValueRefusedError("ClockTimezone is empty; ClockOffset sets the clock to UTC or to that of the host")
    if "ClockOffset" in draft.given:
        raise ValueRefusedError("ClockOffset and ClockTimezone contradict each other", contradiction=True)
    draft.put("clock_offset", "timezone")
    draft.put("clock_timezone", value)
    for field in ("clock_adjustment", "clock_basis", "clock_start"):
        if getattr(draft.base, field) is not None:
            draft.put(field, None)


def timers(config: DomainConfig) -> list[str] | None:
    """Each timer as `name:attribute=value,attribute=value`."""
    return [_timer_text(timer.as_dict()) for timer in config.clock_timers] or None


def _timer_text(fields: Mapping[str, object]) -> str:
    words = {True: "yes", False: "no"}
    settings = ",".join(
        f"{name}={words.get(value, value) if isinstance(value, bool) else value}"
        for name, value in fields.items()
        if name != "name"
    )
    return f"{fields.get('name', '')}:{settings}" if settings else str(fields.get("name", ""))


def write_timers(draft: Draft, value: Sequence[str]) -> None:
    """Timers; the list replaces the one that is there."""
    draft.put("clock_timers", [_timer(text) for text in value])
    if value and draft.now("clock_offset") is None:
        draft.put("clock_offset", "utc")


def _timer(text: str) -> dict[str, object]:
    found = _TIMER.fullmatch(text)
    if found is None:
        raise ValueRefusedError(f"Timers: {text} is not of the form name:attribute=value")
    fields: dict[str, object] = {"name": found[1]}
    for part in filter(None, (found[2] or "").split(",")):
        name, _, value = part.partition("=")
        if name == "present" and value in _TIMER_FLAGS:
            fields[name] = _TIMER_FLAGS[value]
        elif name in _TIMER_NUMBERS and value.isdigit():
            fields[name] = int(value)
        elif name in _TIMER_TEXTS and value:
            fields[name] = value
        else:
            raise ValueRefusedError(f"Timers: {part} in {text} is not known")
    return fields


def boot_devices(config: DomainConfig) -> list[str] | None:
    """The list of `<os>`, else the kinds of the devices that have an order of their own."""
    if config.os_boot_devs:
        return list(config.os_boot_devs)
    ordered = sorted(
        (device for device in config.devices if device.boot_order is not None),
        key=lambda device: device.boot_order or 0,
    )
    words = [word for word in map(_boot_word, ordered) if word is not None]
    return list(dict.fromkeys(words)) or None


def _boot_word(device: object) -> str | None:
    match device:
        case Disk():
            return _BOOT_WORDS.get(device.device or "disk")
        case Interface():
            return "network"
        case Hostdev() | Redirdev():
            return "hd"
        case _:
            return None


def write_boot_devices(draft: Draft, value: Sequence[str | None]) -> None:
    """BootDevices; the order that single devices have ends, as libvirt takes one or the other."""
    for word in value:
        if word not in _BOOT_KINDS:
            raise ValueRefusedError(f"Invalid value for BootDevices: {word}")
    draft.put("os_boot_devs", list(value))
    for device in draft.base.devices:
        if device.boot_order is not None:
            draft.put_device(device, "boot_order", None)


def write_firmware(draft: Draft, value: str) -> None:
    """Firmware: what libvirt chooses takes the place of a file that was named."""
    if value not in (_EFI, _BIOS, ""):
        raise ValueRefusedError(f"Invalid value for Firmware: {value}")
    draft.put("os_firmware", value or None)
    for field in _OF_FIRMWARE:
        if field in draft.base.held_fields():
            draft.put(field, None)
    if draft.base.os_firmware_features:
        draft.put("os_firmware_features", [])


def write_loader(draft: Draft, value: str) -> None:
    """FirmwareLoader."""
    draft.put("os_loader", value or None)
    _protect_flash(draft)


def write_loader_type(draft: Draft, value: str) -> None:
    """FirmwareLoaderType."""
    draft.put("os_loader_type", value or None)
    _protect_flash(draft)


def _protect_flash(draft: Draft) -> None:
    """Make a flash read only that nothing is said of: libvirt would let the guest write into the host's file."""
    is_flash = draft.now("os_loader") is not None and draft.now("os_loader_type") == "pflash"
    if is_flash and draft.base.os_loader_readonly is None:
        draft.put("os_loader_readonly", True)


def secure_boot(config: DomainConfig) -> bool | None:
    """Whether the firmware is asked for secure boot, or is loaded as such."""
    for feature in config.os_firmware_features:
        if feature.name == _SECURE_BOOT:
            return feature.enabled
    return config.os_loader_secure


def write_secure_boot(draft: Draft, value: bool) -> None:
    """SecureBoot; without it no keys are asked for either."""
    if draft.now("os_firmware") == _EFI:
        _ask_of_firmware(draft, {_SECURE_BOOT: value} if value else {_SECURE_BOOT: value, _ENROLLED_KEYS: None})
    elif draft.now("os_loader") is not None:
        draft.put("os_loader_secure", value)
    elif value:
        raise ValueRefusedError("SecureBoot needs the firmware efi", contradiction=True)
    if value:
        draft.put("features_smm_state", True)


def enrolled_keys(config: DomainConfig) -> bool | None:
    """Whether the firmware is asked for variables that hold keys already."""
    return next((feature.enabled for feature in config.os_firmware_features if feature.name == _ENROLLED_KEYS), None)


def write_enrolled_keys(draft: Draft, value: bool) -> None:
    """EnrolledKeys."""
    if draft.now("os_firmware") != _EFI:
        raise ValueRefusedError("EnrolledKeys needs the firmware efi", contradiction=True)
    _ask_of_firmware(draft, {_ENROLLED_KEYS: value})


def _ask_of_firmware(draft: Draft, features: Mapping[str, bool | None]) -> None:
    """Ask for features of the firmware or for their absence; None leaves one to libvirt."""
    now = [each if isinstance(each, Mapping) else each.as_dict() for each in draft.now("os_firmware_features")]
    others = [each for each in now if each["name"] not in features]
    wanted = [{"enabled": value, "name": name} for name, value in features.items() if value is not None]
    draft.put("os_firmware_features", others + wanted)


def cpu_features(config: DomainConfig) -> list[str] | None:
    """Each feature as `policy:name`."""
    return [f"{feature.policy or 'require'}:{feature.name}" for feature in config.cpu_features] or None


def write_cpu_features(draft: Draft, value: Sequence[str]) -> None:
    """CPUFeatures; the list replaces the one that is there."""
    features = []
    for text in value:
        policy, separator, name = text.partition(":")
        if not separator or policy not in _POLICIES or not name:
            raise ValueRefusedError(f"CPUFeatures: {text} is not of the form require:vmx")
        features.append({"policy": policy, "name": name})
    draft.put("cpu_features", features)
    _check_features(draft)


def write_mode(draft: Draft, value: str) -> None:
    """CPUMode; a model goes with the mode that it was of, and features with the last one."""
    draft.put("cpu_mode", value or None)
    if not {"CPUModel", "CPUFeatures"} & draft.given.keys() and value:
        _check_features(draft)


def write_model(draft: Draft, value: str) -> None:
    """CPUModel; a model has the mode custom, or is what the host's processor behaves like on POWER."""
    mode = draft.now("cpu_mode")
    is_compatible = mode == "host-model" and (draft.now("os_type_arch") or "").startswith("ppc64")
    if value and mode not in (None, "custom") and not is_compatible:
        raise ValueRefusedError(f"CPUModel and the CPUMode {mode} contradict each other", contradiction=True)
    draft.put("cpu_model", value or None)
    if value and mode is None:
        draft.put("cpu_mode", "custom")
        draft.put("cpu_match", draft.now("cpu_match") or "exact")
    if "CPUFeatures" not in draft.given:
        _check_features(draft)


def _check_features(draft: Draft) -> None:
    """Refuse features of no processor in particular, which libvirt does not take."""
    mode = draft.now("cpu_mode")
    model = draft.now("cpu_model") if mode == draft.base.cpu_mode else draft.fields.get("cpu_model")
    if draft.now("cpu_features") and mode in (None, "custom") and model is None:
        given = ", ".join(name for name in ("CPUMode", "CPUModel") if name in draft.given)
        leaves = f"{given}: " if given else ""
        raise ValueRefusedError(
            f"{leaves}CPUFeatures needs CPUMode or CPUModel; expected one that has them, or CPUFeatures empty",
            contradiction=True,
        )


def write_topology(name: str, field: str) -> Writer:
    """Write one number of the topology; those that were never given become 1, and with all 0 there is none.

    The sockets that are not named follow from the processors that the guest can have; where these do not fill them,
    and where the sockets are named, the greatest number of processors follows from the topology.
    """

    def write(draft: Draft, value: int) -> None:
        draft.put(field, value or None)
        if field != _last_given(draft):
            return
        if not any(draft.now(each) for each in _TOPOLOGY):
            draft.put("cpu_topology", False)
            return
        for each in _TOPOLOGY:
            if draft.now(each) is None and each != "cpu_topology_dies":
                draft.put(each, 1)
        _fit_processors(draft)

    return write


def _last_given(draft: Draft) -> str:
    """The field of the last number of the topology that the client gave: only then all of them are known."""
    return [field for name, field in _TOPOLOGY_NAMES.items() if name in draft.given][-1]


def _fit_processors(draft: Draft) -> None:
    """Have sockets and processors agree, as libvirt takes them only then."""
    in_a_socket = prod(draft.now(each) or 1 for each in (*_TOPOLOGY[1:], "cpu_topology_clusters"))
    processors = draft.now("vcpu") or 1
    if "CPUSockets" not in draft.given and processors % in_a_socket == 0:
        draft.put("cpu_topology_sockets", processors // in_a_socket)
        return
    wanted = in_a_socket * draft.now("cpu_topology_sockets")
    if wanted == processors:
        return
    current = draft.base.vcpu_current or processors
    if wanted < current:
        raise ValueRefusedError(
            f"{', '.join(name for name in _TOPOLOGY_NAMES if name in draft.given)}: the topology has {wanted} "
            f"processors and the guest {current}; expected at least as many, or another VirtualQuantity first"
        )
    put_maximum(draft, wanted)
    draft.put("vcpu_current", None if wanted == current else current)


def numa_cells(config: DomainConfig) -> list[str] | None:
    """Each cell as `processors:KiB`."""
    return [f"{cell.cpus or ''}:{cell.memory or 0}" for cell in config.cpu_numa_cells] or None


def write_numa_cells(draft: Draft, value: Sequence[str]) -> None:
    """NUMACells; of a cell that stays, what is not named here stays, too.  A cell may have memory only."""
    known = draft.base.cpu_numa_cells
    cells = []
    for place, text in enumerate(value):
        found = _CELL.fullmatch(text)
        if found is None:
            raise ValueRefusedError(f"NUMACells: {text} is not of the form 0-1:1048576")
        kept = known[place].as_dict() if place < len(known) else {"id": place}
        cells.append({**kept, "cpus": found[1] or None, "memory": int(found[2])})
    put_cells(draft, cells)


def hyperv_features(config: DomainConfig) -> list[str] | None:
    """The names of the features that are on."""
    return [name for name in _HYPERV if getattr(config, f"features_hyperv_{name}_state")] or None


def write_hyperv_features(draft: Draft, value: Sequence[str]) -> None:
    """HyperVFeatures; the list replaces the one that is there."""
    for name in value:
        if name not in _HYPERV:
            raise ValueRefusedError(f"Invalid value for HyperVFeatures: {name}")
    for name in _HYPERV:
        field = f"features_hyperv_{name}_state"
        if name in value:
            draft.put(field, True)
            if name == "spinlocks" and draft.now("features_hyperv_spinlocks_retries") is None:
                draft.put("features_hyperv_spinlocks_retries", 8191)
        elif getattr(draft.base, field):
            draft.put(field, False)


def write_arguments(draft: Draft, value: Sequence[str]) -> None:
    """InitArguments."""
    draft.put("os_initargs", list(value))
