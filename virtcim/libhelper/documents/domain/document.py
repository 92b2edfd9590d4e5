"""`DomainDocument`: the text of a domain, edited in place."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, overload

from lxml import etree

from virtcim.libhelper.documents.domain.device import Device
from virtcim.libhelper.documents.domain.domain import DEVICE_CLASSES, DomainConfig, device_class, device_elements
from virtcim.libhelper.xml.editing import MappedDocument
from virtcim.libhelper.xml.mapping import Step
from virtcim.libhelper.xml.text import MappingError, parse_xml, to_text

__all__ = ["DeviceNotFoundError", "DomainDocument"]

_DEVICES = Step("devices")


class DeviceNotFoundError(MappingError, LookupError):
    """The document has no such device."""


class DomainDocument(MappedDocument[DomainConfig]):
    """The XML of one domain, for editing.

    Only what is asked for changes: comments, unknown elements and attributes, namespaces, metadata and white space
    stay as they are.  Not for use by several threads at once.

    Parameters:
        xml: the text of a `<domain>`.

    Raises:
        NotWellFormedError: the text is not XML, exceeds the parser's limits or has a DOCTYPE.
        MappingError: the root element is not `<domain>`.
    """

    config_class = DomainConfig

    def __init__(self, xml: str | bytes) -> None:
        super().__init__(xml)
        # Every device that was handed out, with its element, so that it still names that element after edits.
        self._handed_out: dict[int, tuple[Device, etree._Element]] = {}

    @property
    def devices(self) -> tuple[Device, ...]:
        """The devices as they stand in the document now, in document order."""
        return self.config.devices

    def current(self, device: Device) -> Device:
        """A device that was handed out before, as it stands in the document now.

        Raises:
            DeviceNotFoundError: it is not in this document any more.
        """
        return self._current(self._element(device))

    def device_xml(self, device: Device | int) -> str:
        """The text of one device, to hand to libvirt for attaching, updating or detaching it.

        Raises:
            DeviceNotFoundError: no such device in this document.
        """
        element = copy.deepcopy(self._element(device))
        etree.cleanup_namespaces(element)
        return to_text(element)

    @overload
    def set(self, target: DomainConfig, values: Mapping[str, Any]) -> DomainConfig: ...
    @overload
    def set(self, target: Device | int, values: Mapping[str, Any]) -> Device: ...
    def set(self, target: DomainConfig | Device | int, values: Mapping[str, Any]) -> DomainConfig | Device:
        """Set fields of the domain or of one of its devices.

        A value that is in the document already is not written again.  None removes the attribute or element.  All
        values are checked before the first is written.

        Parameters:
            target: a `DomainConfig` for the domain itself; or the device: an object from `devices`, an object from
                elsewhere that equals one of them, or its place among them.
            values: field values by name.

        Returns:
            The domain, or the device, as it is now.

        Raises:
            ValueRejectedError: an unknown or read-only field, or a value that cannot be written.
            DeviceNotFoundError: no such device in this document.
        """
        if isinstance(target, DomainConfig):
            self._write(self._root, DomainConfig, values)
            return self.config
        element = self._element(target)
        self._write(element, device_class(str(element.tag)), values)
        return self._current(element)

    @overload
    def add_device(self, device: str | bytes) -> Device: ...
    @overload
    def add_device(self, device: type[Device], values: Mapping[str, Any]) -> Device: ...
    def add_device(self, device: str | bytes | type[Device], values: Mapping[str, Any] | None = None) -> Device:
        """Add a device behind the others of its kind.

        Parameters:
            device: the XML text of the device; or its class, with the values of its fields.
            values: field values by name.

        Returns:
            The new device as it reads now.

        Raises:
            NotWellFormedError: the text is not XML.
            ValueRejectedError: a value or a name is not accepted.
            MappingError: the class or the element is not that of a device.
        """
        if isinstance(device, type):
            if device.tag not in DEVICE_CLASSES:
                raise MappingError(f"{device.__name__} is not the class of a device element")
            encoded = device.encode_fields(values or {})
            element = self._root.makeelement(device.tag)
        else:
            encoded = {}
            element = parse_xml(device)
            if element.tag == "emulator":
                raise MappingError("<emulator> is not a device")
        self._insert(element)
        self._editor.apply(element, device_class(str(element.tag)), encoded)
        self._config = None
        return self._current(element)

    def remove_device(self, device: Device | int) -> None:
        """Remove a device; `<devices>`, too, where adding one has made it and nothing is left in it.

        Raises:
            DeviceNotFoundError: no such device in this document.
        """
        element = self._element(device)
        for key, (_, known) in list(self._handed_out.items()):
            if known is element:
                del self._handed_out[key]
        devices = element.getparent()
        self._editor.remove(element)
        self._editor.prune(devices, self._root)
        self._config = None

    def _devices(self) -> etree._Element | None:
        return self._editor.find(self._root, (_DEVICES,))

    def _device_elements(self) -> list[etree._Element]:
        devices = self._devices()
        return [] if devices is None else device_elements(devices)

    def _insert(self, element: etree._Element) -> None:
        devices, node = self._editor.ensure(self._root, DomainConfig.reader(), (_DEVICES,))
        self._editor.insert(devices, self._editor.position(devices, node, str(element.tag)), element)

    def _element(self, device: Device | int) -> etree._Element:
        if isinstance(device, int):
            elements = self._device_elements()
            if not 0 <= device < len(elements):
                raise DeviceNotFoundError(f"the domain has no device number {device}")
            return elements[device]
        known = self._handed_out.get(id(device))
        if known is not None:
            return known[1]
        for current in self.config.devices:
            if current == device:
                return self._handed_out[id(current)][1]
        raise DeviceNotFoundError(f"the domain has no such <{device.tag}>")

    def _current(self, element: etree._Element) -> Device:
        """The device that an element is now."""
        place = self._device_elements().index(element)
        return self.config.devices[place]

    def _read(self) -> DomainConfig:
        config = super()._read()
        for device, element in zip(config.devices, self._device_elements(), strict=True):
            self._handed_out[id(device)] = (device, element)
        return config
