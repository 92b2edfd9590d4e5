"""What a client asks for of a resource means something to it, or is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.providers.recorded import domain_xml
from tests.providers.test_device_values import settings_in
from tests.providers.test_vsms_edits import instances_of, served_file, write
from virtcim.providers.drafts import ValueRefusedError
from virtcim.providers.Virt_VirtualSystemManagementService.effect import check_effect

DISK = (
    "<disk type='file' device='disk'><driver name='qemu'{}/><source file='{}'/><target dev='vda' bus='virtio'/></disk>"
)
FILE = DISK.format(" cache='none'", "/a.img")
SPICE, VNC = "<graphics type='spice' passwd='x'/>", "<graphics type='vnc' passwd='x'/>"


def effect(before: str, after: str, asked: Mapping[str, Any]) -> str | None:
    """What is said of a change of a device; None where nothing is."""
    (old, *_), (new, *_) = (settings_in(domain_xml("guest", device)) for device in (before, after))
    try:
        check_effect("it", asked, old.properties(), new)
    except ValueRefusedError as error:
        return error.text
    return None


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [
        (FILE, DISK.format(" cache='unsafe'", "/a.img"), {"DriverCache": "unsafe"}),
        (FILE, DISK.format("", "/a.img"), {"DriverCache": ""}),
        (FILE, FILE, {"DriverCache": "none"}),
        (FILE, FILE, {"DriverCache": "NONE"}),
        (FILE, FILE, {"WWN": ""}),
        (FILE, FILE, {"BootOrder": 0, "shareable": False}),
        # It shows another value than it showed: what libvirt makes of it is held against what was asked, elsewhere.
        (FILE, DISK.format(" cache='writeback'", "/a.img"), {"DriverCache": "default"}),
        # A place has several names; who writes it sees whether it is another one.
        (FILE, FILE, {"Address": "pool/a.img"}),
        (FILE, FILE, {"HostResource": ["file:///a.img"]}),
        # It is shown as asterisks, before and after.
        (VNC, VNC, {"Password": "another"}),
        ("<memory model='dimm'><target><size unit='KiB'>1024</size></target></memory>",) * 2
        + ({"VirtualQuantity": 1 << 20, "AllocationUnits": "byte"},),
    ],
)
def test_what_has_an_effect_or_needs_none(before: str, after: str, asked: dict[str, Any]) -> None:
    assert effect(before, after, asked) is None


@pytest.mark.parametrize(
    ("before", "after", "asked", "name"),
    [
        (FILE, FILE, {"DriverCache": "unsafe"}, "DriverCache"),
        (FILE, FILE, {"MountPoint": "/mnt"}, "MountPoint"),
        (FILE, DISK.format(" cache='unsafe'", "/a.img"), {"DriverCache": "unsafe", "WWN": "5000"}, "WWN"),
        (VNC, VNC, {"SPICEPort": 5}, "SPICEPort"),
        # What it was went with something else that was asked for.
        (FILE, DISK.format("", "/a.img"), {"DriverCache": "unsafe"}, "DriverCache"),
        (
            "<console type='tcp'><source mode='bind' host='h' service='1'/></console>",
            "<console type='null'/>",
            {"SourceType": 0, "BindURL": "raw://h:2"},
            "BindURL",
        ),
        ("<console type='pty'/>", "<console type='pty'/>", {"ConnectURL": "file:///s"}, "ConnectURL"),
        (FILE, FILE, {"shareable": True}, "shareable"),
    ],
)
def test_what_has_no_effect(before: str, after: str, asked: dict[str, Any], name: str) -> None:
    assert effect(before, after, asked) == f"it: {name} means nothing to it as it is"


def test_a_guest_as_a_whole_has_no_name_in_the_message() -> None:
    _, guest = served_file(domain_xml("guest"))
    whole = instances_of(guest)[0]
    with pytest.raises(ValueRefusedError, match=r"^MemorySlots means nothing"):
        check_effect("", {"MemorySlots": 4}, whole.properties(), whole)
    check_effect("", {"AutoStart": 1, "ElementName": "other"}, whole.properties(), whole)


@pytest.mark.parametrize(
    ("console", "name"),
    [
        ("type='pty'", "SourcePath"),
        ("type='pty'", "BindURL"),
        ("type='file'><source path='/f'/></console><console type='null'", "ConnectURL"),
        ("type='unix'><source mode='bind' path='/s'/></console><console type='null'", "SourcePath"),
    ],
)
def test_a_console_of_another_kind_leads_nowhere(console: str, name: str) -> None:
    text = domain_xml("guest", f"<console {console}/>")
    _, guest = served_file(text)
    first = next(each for each in instances_of(guest) if each.base.startswith("Console"))
    with pytest.raises(ValueRefusedError, match=f"charconsole:0: {name} means nothing"):
        write(guest, text, first, {name: "file:///x"})
