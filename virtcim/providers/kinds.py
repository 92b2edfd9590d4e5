"""The kinds of resources that guests have, each declared once: its XML, its classes, and what can be done with it.

Devices, settings, pools, templates, hot plug and the making of new devices read these declarations; `docs/changing.md`
says what a further kind needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtcim.libhelper.documents.domain import (
    Audio,
    Channel,
    Console,
    Controller,
    Device,
    Disk,
    DomainConfig,
    Filesystem,
    Graphics,
    Hostdev,
    Input,
    Interface,
    Lease,
    MemBalloon,
    MemoryDevice,
    Parallel,
    Redirdev,
    Rng,
    Serial,
    Shmem,
    Smartcard,
    Sound,
    Tpm,
    Video,
    Vsock,
    Watchdog,
)
from virtcim.platforms.base import Feature
from virtcim.providers.deviceids import DeviceKind, Identify
from virtcim.providers.interface import Properties
from virtcim.providers.Virt_AllocationCapabilities import templates
from virtcim.providers.Virt_AllocationCapabilities.template import AMOUNT, template_type
from virtcim.providers.Virt_Device.Virt_ConsoleDisplayController import ConsoleDisplayController
from virtcim.providers.Virt_Device.Virt_Controller import Controller as ControllerDevice
from virtcim.providers.Virt_Device.Virt_DisplayController import DisplayController
from virtcim.providers.Virt_Device.Virt_LogicalDisk import LogicalDisk
from virtcim.providers.Virt_Device.Virt_Memory import Memory
from virtcim.providers.Virt_Device.Virt_NetworkPort import NetworkPort
from virtcim.providers.Virt_Device.Virt_PointingDevice import PointingDevice
from virtcim.providers.Virt_Device.Virt_Processor import Processor
from virtcim.providers.Virt_DevicePool.Virt_ControllerPool import ControllerPool
from virtcim.providers.Virt_DevicePool.Virt_DiskPool import DiskPool
from virtcim.providers.Virt_DevicePool.Virt_GraphicsPool import GraphicsPool
from virtcim.providers.Virt_DevicePool.Virt_InputPool import InputPool
from virtcim.providers.Virt_DevicePool.Virt_MemoryPool import MemoryPool
from virtcim.providers.Virt_DevicePool.Virt_NetworkPool import NetworkPool
from virtcim.providers.Virt_DevicePool.Virt_ProcessorPool import ProcessorPool
from virtcim.providers.Virt_RASD.character_source import finish_character
from virtcim.providers.Virt_RASD.disk_source import disk_class, finish_disk
from virtcim.providers.Virt_RASD.display_address import display_class, finish_display
from virtcim.providers.Virt_RASD.network_source import finish_interface
from virtcim.providers.Virt_RASD.newdevice import always, finish_controller, finish_input
from virtcim.providers.Virt_RASD.other_device import finish_other, other_class, other_device
from virtcim.providers.Virt_RASD.Virt_AudioResourceAllocationSettingData import AudioSetting
from virtcim.providers.Virt_RASD.Virt_BalloonResourceAllocationSettingData import BalloonSetting
from virtcim.providers.Virt_RASD.Virt_ConsoleResourceAllocationSettingData import ConsoleSetting
from virtcim.providers.Virt_RASD.Virt_ControllerResourceAllocationSettingData import ControllerSetting
from virtcim.providers.Virt_RASD.Virt_DiskResourceAllocationSettingData import DiskSetting
from virtcim.providers.Virt_RASD.Virt_GraphicsResourceAllocationSettingData import GraphicsSetting
from virtcim.providers.Virt_RASD.Virt_HostDeviceResourceAllocationSettingData import HostDeviceSetting
from virtcim.providers.Virt_RASD.Virt_InputResourceAllocationSettingData import InputSetting
from virtcim.providers.Virt_RASD.Virt_LeaseResourceAllocationSettingData import LeaseSetting
from virtcim.providers.Virt_RASD.Virt_MemoryModuleResourceAllocationSettingData import MemoryModuleSetting
from virtcim.providers.Virt_RASD.Virt_MemResourceAllocationSettingData import MemorySetting
from virtcim.providers.Virt_RASD.Virt_NetResourceAllocationSettingData import NetworkSetting
from virtcim.providers.Virt_RASD.Virt_PortResourceAllocationSettingData import PortSetting
from virtcim.providers.Virt_RASD.Virt_ProcResourceAllocationSettingData import ProcessorSetting
from virtcim.providers.Virt_RASD.Virt_ResourceAllocationSettingData import OtherSetting
from virtcim.providers.Virt_RASD.Virt_RNGResourceAllocationSettingData import RNGSetting
from virtcim.providers.Virt_RASD.Virt_SharedMemoryResourceAllocationSettingData import SharedMemorySetting
from virtcim.providers.Virt_RASD.Virt_TPMResourceAllocationSettingData import TPMSetting
from virtcim.providers.Virt_RASD.Virt_VideoResourceAllocationSettingData import VideoSetting
from virtcim.providers.Virt_RASD.Virt_VsockResourceAllocationSettingData import VsockSetting
from virtcim.providers.Virt_RASD.Virt_WatchdogResourceAllocationSettingData import WatchdogSetting

__all__ = ["KINDS"]

_OTHER, _PROCESSOR, _MEMORY, _ETHERNET, _DISK, _STORAGE_EXTENT, _GRAPHICS_CONTROLLER = 1, 3, 4, 10, 17, 31, 24
"""ResourceType."""
_PSEUDO_TERMINAL = 2
"""SourceType."""
_DISPLAYS = frozenset({"vnc", "spice", "sdl", "rdp", "dbus", "egl-headless", "console"})
_MODULES = frozenset({"dimm", "nvdimm", "sgx-epc", "virtio-mem", "virtio-pmem"})


def _console_port(console: Console, ordinal: int) -> int:
    return ordinal if console.target_port is None else int(console.target_port)


def _display(graphics: Graphics, ordinal: int) -> str:
    display = f":{graphics.display}" if graphics.type == "sdl" and graphics.display else ""
    return f"{graphics.type or 'graphics'}{display}"


def _terminal(console: Console, ordinal: int) -> str | None:
    """A pseudo terminal is also listed as graphics."""
    return f"console:{_console_port(console, ordinal)}" if console.type == "pty" else None


def _controller(controller: Controller, ordinal: int) -> str:
    return f"controller:{controller.type}:{ordinal if controller.index is None else controller.index}"


def _by_ordinal(device: Device, ordinal: int) -> str:
    return f"{device.tag}:{ordinal}"


def _by_port(device: Serial | Parallel, ordinal: int) -> str:
    return f"{device.tag}:{ordinal if device.target_port is None else device.target_port}"


def _channel(channel: Channel, ordinal: int) -> str:
    return f"channel:{ordinal if channel.target_name is None else channel.target_name}"


def _audio(audio: Audio, ordinal: int) -> str:
    return f"audio:{ordinal if audio.id is None else audio.id}"


def _is_memory(given: Properties) -> bool:
    """Memory modules are devices of their own."""
    return given.get("ResourceType") == _MEMORY and given.get("ResourceSubType") not in _MODULES


def _is_display(given: Properties) -> bool:
    return given.get("ResourceType") == _GRAPHICS_CONTROLLER and given.get("ResourceSubType") in _DISPLAYS


def _is_console(given: Properties) -> bool:
    return (given.get("ResourceType"), given.get("OtherResourceType")) == (_OTHER, "console")


def _is_controller(given: Properties) -> bool:
    return (given.get("ResourceType"), given.get("OtherResourceType")) == (_OTHER, "controller")


def _other_kind(
    name: str,
    setting: type[Any],
    identifiers: Mapping[type[Any], Identify],
    plugs: frozenset[str] = frozenset(),
) -> DeviceKind:
    """Declare a kind of devices that libvirt-cim did not know: they have settings only.

    Parameters:
        name: for messages.
        setting: the type of the settings.
        identifiers: how a device is named, by its class.
        plugs: the elements that are plugged into a running guest when a client does not tell it from its definition.
    """
    classes = tuple(identifiers)
    return DeviceKind(
        name=name,
        identifiers=identifiers,
        setting=setting,
        is_meant=lambda given: other_device(given) in classes,
        device_class=always(classes[0]) if len(classes) == 1 else other_class,
        finish=finish_other,
        plugs=plugs,
    )


KINDS: tuple[DeviceKind, ...] = (
    DeviceKind(
        name="network interface",
        identifiers={Interface: lambda device, ordinal: device.mac_address or f"interface:{ordinal}"},
        device=NetworkPort,
        setting=NetworkSetting,
        pool=NetworkPool,
        is_meant=lambda given: given.get("ResourceType") == _ETHERNET,
        device_class=always(Interface),
        finish=finish_interface,
        template=template_type("Net", *AMOUNT, "ResourceSubType", "NetworkType", "NetworkName"),
        templates=templates.networks,
        plugs=frozenset({"interface"}),
        is_hot=True,
        is_hot_in_containers=True,
    ),
    DeviceKind(
        name="disk",
        identifiers={
            Disk: lambda device, ordinal: device.target_dev or f"disk:{ordinal}",
            Filesystem: lambda device, ordinal: device.target_dir or f"filesystem:{ordinal}",
        },
        device=LogicalDisk,
        setting=DiskSetting,
        pool=DiskPool,
        is_meant=lambda given: given.get("ResourceType") in (_DISK, _STORAGE_EXTENT),
        device_class=disk_class,
        finish=finish_disk,
        template=template_type(
            "Disk",
            *AMOUNT,
            "AllocationUnits",
            "Address",
            "AutomaticAllocation",
            "VirtualDevice",
            "MountPoint",
            "EmulatedType",
            "BusType",
            "DriverType",
            "readonly",
        ),
        templates=templates.disks,
        plugs=frozenset({"disk"}),
        is_hot=True,
        is_hot_in_containers=True,
    ),
    DeviceKind(
        name="memory",
        identifiers={DomainConfig: lambda _config, _ordinal: "mem"},
        device=Memory,
        setting=MemorySetting,
        pool=MemoryPool,
        is_meant=_is_memory,
        template=template_type("Mem", *AMOUNT, "AllocationUnits", "Limit", "Reservation"),
        templates=templates.memory,
        is_hot=True,
        is_hot_in_containers=True,
    ),
    DeviceKind(
        name="processors",
        identifiers={DomainConfig: lambda _config, _ordinal: "proc"},
        device=Processor,
        setting=ProcessorSetting,
        pool=ProcessorPool,
        is_meant=lambda given: given.get("ResourceType") == _PROCESSOR,
        template=template_type("Proc", *AMOUNT, "Weight"),
        templates=templates.processors,
        is_hot=True,
    ),
    DeviceKind(
        name="graphical console",
        identifiers={
            Graphics: _display,
            Console: _terminal,
        },
        device=DisplayController,
        setting=GraphicsSetting,
        pool=GraphicsPool,
        is_meant=_is_display,
        is_shared=lambda given: given.get("ResourceSubType") == "console",
        device_class=display_class,
        finish=finish_display,
        feature=Feature.GRAPHICS,
        template=template_type("Graphics", *AMOUNT, "ResourceSubType", "Address"),
        templates=templates.graphics,
    ),
    DeviceKind(
        name="input device",
        identifiers={Input: lambda device, ordinal: f"{device.type}:{device.bus or device.source_dev or ordinal}"},
        device=PointingDevice,
        setting=InputSetting,
        pool=InputPool,
        device_class=always(Input),
        finish=finish_input,
        template=template_type("Input", *AMOUNT, "ResourceSubType", "BusType"),
        templates=templates.inputs,
        is_hot=True,
    ),
    DeviceKind(
        name="text console",
        identifiers={Console: lambda device, ordinal: f"charconsole:{_console_port(device, ordinal)}"},
        device=ConsoleDisplayController,
        setting=ConsoleSetting,
        synonyms=("Character",),
        is_meant=_is_console,
        is_shared=lambda given: given.get("SourceType") == _PSEUDO_TERMINAL,
        device_class=always(Console),
        finish=finish_character,
    ),
    DeviceKind(
        name="controller",
        identifiers={Controller: _controller},
        device=ControllerDevice,
        setting=ControllerSetting,
        pool=ControllerPool,
        is_meant=_is_controller,
        device_class=always(Controller),
        finish=finish_controller,
        template=template_type("Controller", *AMOUNT, "OtherResourceType", "ResourceSubType"),
        templates=templates.controllers,
        plugs=frozenset({"controller"}),
        is_hot=True,
    ),
    _other_kind(
        "port",
        PortSetting,
        {
            Serial: _by_port,
            Parallel: _by_port,
            Channel: _channel,
            Redirdev: _by_ordinal,
            Smartcard: _by_ordinal,
        },
        plugs=frozenset({"redirdev", "channel"}),
    ),
    _other_kind("device of the host", HostDeviceSetting, {Hostdev: _by_ordinal}, plugs=frozenset({"hostdev"})),
    _other_kind("graphics adapter", VideoSetting, {Video: _by_ordinal}),
    _other_kind("sound device", AudioSetting, {Sound: _by_ordinal, Audio: _audio}),
    _other_kind("memory module", MemoryModuleSetting, {MemoryDevice: _by_ordinal}, plugs=frozenset({"memory"})),
    _other_kind("memory balloon", BalloonSetting, {MemBalloon: _by_ordinal}),
    _other_kind("shared memory", SharedMemorySetting, {Shmem: _by_ordinal}, plugs=frozenset({"shmem"})),
    _other_kind("random number generator", RNGSetting, {Rng: _by_ordinal}, plugs=frozenset({"rng"})),
    _other_kind("trusted platform module", TPMSetting, {Tpm: _by_ordinal}),
    _other_kind("watchdog", WatchdogSetting, {Watchdog: _by_ordinal}, plugs=frozenset({"watchdog"})),
    _other_kind("socket", VsockSetting, {Vsock: _by_ordinal}, plugs=frozenset({"vsock"})),
    _other_kind("lease", LeaseSetting, {Lease: _by_ordinal}),
    DeviceKind(
        name="other device",
        identifiers={Device: _by_ordinal},
        setting=OtherSetting,
        device_class=other_class,
        finish=finish_other,
    ),
)
"""In the order in which libvirt-cim lists the resources of a guest; the last one is for all others."""
