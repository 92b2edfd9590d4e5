"""Options: what libvirt's XML says and no other property shows, read, written, and refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.libhelper.domain_samples import SAMPLES
from tests.providers.recorded import domain_xml
from tests.providers.test_vsms_values import changed
from virtcim.libhelper.documents.domain import DomainConfig, DomainDocument
from virtcim.libhelper.xml.mapping import Mapped
from virtcim.providers.deviceids import kinds_of
from virtcim.providers.drafts import Draft, ValueRefusedError
from virtcim.providers.kinds import KINDS
from virtcim.providers.options import OPTIONS, OptionsProperty
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData

SOUND = "<sound model='ich6'><codec type='micro'/><codec type='duplex'/></sound>"
DISK = (
    "<disk type='file' device='disk'><driver name='qemu' type='raw' iommu='on'/><source file='/a'/>"
    "<geometry cyls='100' heads='16' secs='63'/><target dev='vda' bus='virtio'/></disk>"
)


def options_of(*tables: Any) -> Iterator[OptionsProperty[Any]]:
    for table in tables:
        declared = table.get(OPTIONS)
        if declared is not None:
            assert isinstance(declared, OptionsProperty)
            yield declared


def elements() -> Iterator[tuple[DomainDocument, Any, OptionsProperty[Any]]]:
    """Each element of the sample domains that can have options, with the property that shows them."""
    for path in SAMPLES:
        document = DomainDocument(path.read_text(encoding="utf-8"))
        whole = [kind.setting.table for kind in KINDS if kind.is_guest_wide]
        for declared in options_of(VirtualSystemSettingData.table, *whole):
            yield document, document.config, declared
        for device in document.devices:
            for declared in options_of(*(kind.setting.table for kind in kinds_of(device, KINDS))):
                if type(device) in declared.classes:
                    yield document, device, declared


def current(document: DomainDocument, element: Any) -> Any:
    return document.config if isinstance(element, DomainConfig) else document.current(element)


def handle(element: Mapped) -> Any:
    return SimpleNamespace(device=element, config=element)


def written(declared: OptionsProperty[Any], base: Mapped, value: Sequence[str]) -> dict[str, object]:
    """The fields that a list of options sets."""
    draft = Draft(None, base, {OPTIONS: value}, is_new=False)  # type: ignore[arg-type]
    draft.write({OPTIONS: declared})
    return draft.fields


def test_what_is_read_is_what_is_written() -> None:
    seen = 0
    for document, element, declared in elements():
        shown = declared.get(handle(current(document, element)))
        if shown is None:
            continue
        assert isinstance(shown, list)
        assert len(set(shown)) == len(shown)
        seen += len(shown)
        for value in ([], shown):
            now = current(document, element)
            document.set(now, written(declared, now, value))
            assert (declared.get(handle(current(document, element))) or []) == value
    assert seen > 400


@pytest.mark.parametrize(
    ("xml", "kind", "identifier", "value", "path", "expected"),
    [
        (SOUND, "Audio", "sound:0", ["codec[1]/@type=output"], "codec_types", ["output"]),
        (SOUND, "Audio", "sound:0", [], "codec_types", []),
        (DISK, "Disk", "vda", ["driver/@iommu=off", "driver/@ats=on"], "driver_iommu", False),
        (DISK, "Disk", "vda", ["driver/@iommu=off"], "geometry_cyls", None),
        (DISK, "Disk", "vda", ["geometry/@cyls=7"], "driver_iommu", None),
    ],
)
def test_a_list_takes_the_place_of_the_one_that_is_there(
    xml: str, kind: str, identifier: str, value: list[str], path: str, expected: object
) -> None:
    (device,) = changed(domain_xml("guest", xml), kind, identifier, Options=value).devices
    found: Any = getattr(device, path)
    assert (list(found) if isinstance(found, tuple) else found) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "another",
        "driver/@iommu",
        "driver/@iommu=",
        "driver/@iommu=maybe",
        "driver[1]/@iommu=on",
        "target/@dev=vdb",
        "alias/@name=ua-1",
        "geometry/@cyls=many",
        "=on",
        "[",
    ],
)
def test_what_is_no_option_is_refused(text: str) -> None:
    with pytest.raises(ValueRefusedError, match=OPTIONS):
        changed(domain_xml("guest", DISK), "Disk", "vda", Options=[text])


@pytest.mark.parametrize("number", ["0", "1001", "x", "1]]", "-1", ""])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(ValueRefusedError, match=OPTIONS):
        changed(domain_xml("guest", SOUND), "Audio", "sound:0", Options=[f"codec[{number}]/@type=micro"])


def test_each_of_several_ciphers_is_told() -> None:
    ciphers = "<keywrap><cipher name='aes' state='off'/><cipher name='dea' state='on'/></keywrap>"
    config = DomainConfig.parse(f"<domain>{ciphers}</domain>")
    (declared,) = options_of(VirtualSystemSettingData.table)
    texts = declared.get(handle(config))
    assert isinstance(texts, list)
    assert texts == [
        "keywrap/cipher[1]/@name=aes",
        "keywrap/cipher[1]/@state=off",
        "keywrap/cipher[2]/@name=dea",
        "keywrap/cipher[2]/@state=on",
    ]
    again = written(declared, DomainConfig.parse("<domain/>"), texts)
    assert again == {"keywrap_ciphers": [{"name": "aes", "state": False}, {"name": "dea", "state": True}]}


def test_what_others_say_of_an_element_stays() -> None:
    cells = "<cpu><numa><cell id='0' cpus='0' memory='1024' memAccess='shared'/></numa></cpu>"
    declared = VirtualSystemSettingData.table[OPTIONS]
    assert isinstance(declared, OptionsProperty)
    config = DomainConfig.parse(domain_xml("guest", rest=cells))
    assert declared.get(handle(config)) == ["cpu/numa/cell[1]/@memAccess=shared"]
    fields = written(declared, config, ["cpu/numa/cell[1]/@discard=yes"])
    assert fields["cpu_numa_cells"] == [{"id": 0, "cpus": "0", "memory": 1024, "discard": True}]
    with pytest.raises(ValueRefusedError, match="there are 1"):
        written(declared, config, ["cpu/numa/cell[2]/@discard=yes"])
