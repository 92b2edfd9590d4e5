"""The values of a template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from fnmatch import fnmatchcase

from virtcim.images.templates.errors import TemplateError
from virtcim.images.templates.parameters import CLOUD, COMMON, Parameter, check_value
from virtcim.immutable import immutable

__all__ = [
    "ANY_VERSION",
    "CUSTOMIZATIONS",
    "FORMATS",
    "ExtraDisk",
    "GuestFile",
    "ImageSource",
    "SettingValue",
    "Template",
    "check_values",
]

FORMATS = ("qcow2", "raw", "vmdk", "vdi", "vhd", "iso")
"""The formats of images: they are named, and never guessed from what a guest may have written."""

CUSTOMIZATIONS = ("none", "cloud-init")

ANY_VERSION = 0
"""Stands for the newest version."""

SettingValue = str | int | bool | tuple[str, ...] | tuple[int, ...]
"""The value of a property, as the document has it."""


@immutable
class ImageSource:
    """Where the image of a template is.

    Attributes:
        url: of the image; "" where it is in the store or in a pool.
        sha256: of its content, in lower case; "" where nobody has said it.
        checksum_url: of a file with checksums, as `sha256sum` writes it.
        pool, volume: where it is in a storage pool of the node.
        format: one of `FORMATS`.
        size: bytes of the image; 0 where that is not known.
    """

    url: str = ""
    sha256: str = ""
    checksum_url: str = ""
    pool: str = ""
    volume: str = ""
    format: str = "qcow2"
    size: int = 0


@immutable
class ExtraDisk:
    """A further disk.

    Attributes:
        size: in bytes, no less than what its image holds.
        format: `qcow2` or `raw`.
        sha256: the image of the store that each guest gets a copy of; "" for an empty disk.
        bus: that it is at, in libvirt's word; "" for that of new disks.
    """

    size: int
    format: str = "qcow2"
    sha256: str = ""
    bus: str = ""


@immutable
class GuestFile:
    """A file that cloud-init writes in the guest.

    Attributes:
        path: in the guest, from its root.
        content: with `${name}` for the value of a parameter.
        mode: of access, in octal digits.
    """

    path: str
    content: str = ""
    mode: str = "0644"


@immutable
class Template:
    """A template.

    Attributes:
        id: tells it from the others.
        version: grows with each that takes the place of the one before.
        title, description: for people.
        group: of templates.
        os: the id of the operating system in libosinfo, such as `http://debian.org/debian/12`.
        platforms: the class prefixes of the platforms that it is for; none for all.
        architecture: in libvirt's word; "" for that of the node.
        image: of the system disk; None for a guest without one.
        copy: `overlay` over the image, or a `full` copy.
        size: bytes of the system disk; 0 for those of the image.
        pool: for the disks; "" for the usual one.
        disk: further properties of the system disk, as Virt_DiskResourceAllocationSettingData has them.
        disks: further ones.
        settings: properties of Virt_VirtualSystemSettingData.
        resources: settings of resources, each with its kind (`Mem`, `Net`, ...) as `kind`.
        parameters: what is asked.
        customize: `none` or `cloud-init`.
        seed_device: the name of the drive that the seed is in, such as `sda`; "" leaves it to the machine.
        keep_seed: whether the seed stays in its drive when the guest is done with it.
        user_data: for cloud-init, with `${name}` for the value of a parameter.
        files: that cloud-init writes.
        provisioner: the name of a plugin, or the path of an executable of root's; "" for none.
        appliances: types of systems of appliances, with `*` for anything, whose guests begin with its settings where
            it is of a file of the administrator's.
        tried: whether it was ever tried.
        origin: the file that it is from; "" for one that was made at run time.
    """

    id: str
    version: int = 1
    title: str = ""
    description: str = ""
    group: str = "templates"
    os: str = ""
    platforms: tuple[str, ...] = ()
    architecture: str = ""
    image: ImageSource | None = None
    copy: str = "overlay"
    size: int = 0
    pool: str = ""
    disk: Mapping[str, SettingValue] = field(default_factory=dict)
    disks: tuple[ExtraDisk, ...] = ()
    settings: Mapping[str, SettingValue] = field(default_factory=dict)
    resources: tuple[Mapping[str, SettingValue], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    customize: str = "none"
    seed_device: str = ""
    keep_seed: bool = False
    user_data: str = ""
    files: tuple[GuestFile, ...] = ()
    provisioner: str = ""
    appliances: tuple[str, ...] = ()
    tried: bool = True
    origin: str = ""

    @property
    def key(self) -> str:
        """`ID@VERSION`."""
        return f"{self.id}@{self.version}"

    def serves(self, prefix: str) -> bool:
        """Whether it is for a platform."""
        return not self.platforms or prefix.lower() in (each.lower() for each in self.platforms)

    def suits(self, kinds: Iterable[str], architecture: str) -> bool:
        """Whether guests of an appliance begin with its settings.

        Parameters:
            kinds: the types of systems that the appliance is for.
            architecture: in libvirt's word; "" where that is left open.
        """
        if self.architecture and architecture and self.architecture != architecture:
            return False
        return any(fnmatchcase(kind.lower(), each.lower()) for each in self.appliances for kind in kinds)

    @property
    def all_parameters(self) -> tuple[Parameter, ...]:
        """What can be said of its guests: what can be of every one, and what the template asks."""
        known = {each.name: each for each in COMMON}
        if self.customize == "cloud-init":
            known |= {each.name: each for each in CLOUD}
        return tuple((known | {each.name: each for each in self.parameters}).values())


def check_values(template: Template, given: Iterable[str]) -> Mapping[str, str]:
    """Read what is given for the parameters of a template.

    Parameters:
        given: `name=value` each.

    Returns:
        all that have a value, by name: those that are given, and the defaults.

    Raises:
        TemplateError: one is not known, is wrong, is given twice, or is missing.
    """
    known = {each.name: each for each in template.all_parameters}
    values: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or name not in known:
            raise TemplateError(f"{name[:64]}: is no parameter of {template.key}; expected one of {', '.join(known)}")
        if name in values:
            raise TemplateError(f"{name}: is given twice; expected one value")
        check_value(known[name], value)
        values[name] = value
    for parameter in known.values():
        if parameter.name not in values and parameter.default:
            values[parameter.name] = parameter.default
        if parameter.required and not values.get(parameter.name):
            raise TemplateError(f"{parameter.name}: is missing; {template.key} needs it")
    return values
