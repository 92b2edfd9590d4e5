"""The XML of what is to be made: a virtual network, a storage pool, a storage volume.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from virtcim.libhelper.xml.text import check_text

__all__ = ["NewAddress", "NewNetwork", "NewPool", "NewVolume"]


@dataclass(frozen=True, slots=True)
class NewAddress:
    """An address of the host in a network, and the addresses that are given to guests.

    Attributes:
        address: the address.
        prefix: the length of the prefix.
        family: `ipv4` or `ipv6`.
        first, last: the range that is given out; None for none.
    """

    address: str
    prefix: int
    family: str = "ipv4"
    first: str | None = None
    last: str | None = None


@dataclass(frozen=True, slots=True)
class NewNetwork:
    """A virtual network to be made.

    Attributes:
        name: its name.
        mode: libvirt's word for how traffic leaves it (`nat`, `route`, `open`, `bridge`); None for an isolated one.
        device: the network interface of the host through which it leaves.
        bridge: the bridge that it has, or is.
        domain: the name of its DNS domain.
        addresses: those of the host in it.
    """

    name: str
    mode: str | None = "nat"
    device: str | None = None
    bridge: str | None = None
    domain: str | None = None
    addresses: Sequence[NewAddress] = ()

    def xml(self) -> str:
        """The `<network>`.

        Raises:
            ValueRejectedError: a text that XML does not know.
        """
        root = etree.Element("network")
        _add(root, "name", self.name)
        if self.mode is not None:
            _add(root, "forward", mode=self.mode, dev=self.device)
        if self.mode != "bridge" or self.bridge is not None:
            _add(root, "bridge", name=self.bridge)
        if self.domain is not None:
            _add(root, "domain", name=self.domain)
        for address in self.addresses:
            entry = _add(
                root,
                "ip",
                family=None if address.family == "ipv4" else address.family,
                address=address.address,
                prefix=str(address.prefix),
            )
            if address.first is not None:
                _add(_add(entry, "dhcp"), "range", start=address.first, end=address.last)
        return _text(root)


@dataclass(frozen=True, slots=True)
class NewPool:
    """A storage pool to be made.  What is None is left out.

    Attributes:
        name, type: its name, and its type in libvirt's words.
        target: the path under which its volumes are found.
        hosts: the remote hosts.
        devices: the devices of the host that hold it, or the iSCSI target.
        directory: what the remote host exports.
        adapter: the SCSI adapter of the host.
        wwnn, wwpn: of a virtual host bus adapter.
        source_name: its name where it is kept.
        source_format: the format of what it is kept in.
        initiator: the IQN by which the host logs in.
    """

    name: str
    type: str
    target: str | None = None
    hosts: Sequence[str] = ()
    devices: Sequence[str] = ()
    directory: str | None = None
    adapter: str | None = None
    wwnn: str | None = None
    wwpn: str | None = None
    source_name: str | None = None
    source_format: str | None = None
    initiator: str | None = None

    def xml(self) -> str:
        """The `<pool>`; raises ValueRejectedError for a text that XML does not know."""
        root = etree.Element("pool", type=check_text(self.type))
        _add(root, "name", self.name)
        source = etree.Element("source")
        for host in self.hosts:
            _add(source, "host", name=host)
        for device in self.devices:
            _add(source, "device", path=device)
        if self.directory is not None:
            _add(source, "dir", path=self.directory)
        if self.wwnn is not None or self.wwpn is not None:
            _add(source, "adapter", type="fc_host", parent=self.adapter, wwnn=self.wwnn, wwpn=self.wwpn)
        elif self.adapter is not None:
            _add(source, "adapter", type="scsi_host", name=self.adapter)
        if self.initiator is not None:
            _add(_add(source, "initiator"), "iqn", name=self.initiator)
        if self.source_name is not None:
            _add(source, "name", self.source_name)
        if self.source_format is not None:
            _add(source, "format", type=self.source_format)
        if len(source):
            root.append(source)
        if self.target is not None:
            _add(_add(root, "target"), "path", self.target)
        return _text(root)


@dataclass(frozen=True, slots=True)
class NewVolume:
    """A storage volume to be made.

    Attributes:
        name: its name.
        capacity: bytes that the guest sees.
        allocation: bytes that are taken from the pool at once; None for all.
        format: in libvirt's words; None leaves it to the pool.
        backing_path, backing_format: what is under it.
    """

    name: str
    capacity: int
    allocation: int | None = None
    format: str | None = None
    backing_path: str | None = None
    backing_format: str | None = None

    def xml(self) -> str:
        """The `<volume>`; raises ValueRejectedError for a text that XML does not know."""
        root = etree.Element("volume")
        _add(root, "name", self.name)
        _add(root, "capacity", str(self.capacity), unit="bytes")
        if self.allocation is not None:
            _add(root, "allocation", str(self.allocation), unit="bytes")
        if self.format is not None:
            _add(_add(root, "target"), "format", type=self.format)
        if self.backing_path is not None:
            backing = _add(root, "backingStore")
            _add(backing, "path", self.backing_path)
            if self.backing_format is not None:
                _add(backing, "format", type=self.backing_format)
        return _text(root)


def _add(above: etree._Element, tag: str, content: str | None = None, /, **attributes: str | None) -> etree._Element:
    """A new element, last in the one above; attributes that are None are left out."""
    element = etree.SubElement(
        above, tag, {name: check_text(value) for name, value in attributes.items() if value is not None}
    )
    if content is not None:
        element.text = check_text(content)
    return element


def _text(root: etree._Element) -> str:
    return etree.tostring(root, encoding="unicode")
