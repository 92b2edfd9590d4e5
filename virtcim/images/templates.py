"""Templates: an image, the settings of the guests that are made of it, and what is asked of whoever makes one.

A template is a TOML document, of a file of the administrator's or made at run time.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, fields, replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from virtcim.images.toml import read_toml
from virtcim.immutable import immutable

__all__ = [
    "ANY_VERSION",
    "FORMATS",
    "ExtraDisk",
    "ImageSource",
    "Parameter",
    "ParameterType",
    "Template",
    "TemplateError",
    "check_values",
    "document_of",
    "parse_template",
    "size_of",
]

FORMATS = ("qcow2", "raw", "vmdk", "vdi", "vhd", "iso")
"""The formats of images: they are named, and never guessed from what a guest may have written."""

CUSTOMIZATIONS = ("none", "cloud-init")

ANY_VERSION = 0
"""Stands for the newest version."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_GROUP = re.compile(r"[^\s/@][^/@\n]{0,63}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
_SIZE = re.compile(r"([0-9]{1,20})\s*(B|KiB|MiB|GiB|TiB)?\Z")
_DIGITS = re.compile(r"[0-9]{1,20}\Z")
_MOST_SIZE = 1 << 60
"""Bytes: what file systems hold."""
_UNITS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_HASH = re.compile(r"\$(?:5|6|y|gy|7|2[aby])\$[./A-Za-z0-9$=,]{8,200}\Z")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\Z")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")
_MODE = re.compile(r"[0-7]{3,4}\Z")
_KEY = re.compile(r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+(?: [^\n]*)?\Z")

SettingValue = str | int | bool | tuple[str, ...] | tuple[int, ...]
"""The value of a property, as the document has it."""

Kind = TypeVar("Kind")


class TemplateError(ValueError):
    """A template, or a value that is given for one, cannot be; the text says why."""


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

    @property
    def is_stored(self) -> bool:
        """Whether it can only be in the store: it was put there by hand."""
        return bool(self.sha256) and not self.url and not self.volume


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


class ParameterType:
    """The types of parameters."""

    TEXT, NUMBER, SWITCH, CHOICE, SIZE, KEYS, HASH = "text", "number", "switch", "choice", "size", "keys", "hash"
    ALL = (TEXT, NUMBER, SWITCH, CHOICE, SIZE, KEYS, HASH)


@immutable
class Parameter:
    """What is asked of whoever makes a guest.

    Attributes:
        name: under which the value is given.
        label: for people.
        type: of `ParameterType`.
        default: in its place where none is given; "" for none.
        choices: of type `choice`.
        least, most: of a number; of a size, in bytes.
        required: whether a guest cannot be made without it.
        secret: whether the value is shown to nobody.
        description: for people.
    """

    name: str
    label: str = ""
    type: str = ParameterType.TEXT
    default: str = ""
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    required: bool = False
    secret: bool = False
    description: str = ""


_COMMON = (
    Parameter("memory", "Memory", ParameterType.SIZE, least=1 << 20, description="instead of what the template says"),
    Parameter("processors", "Processors", ParameterType.NUMBER, least=1, description="likewise"),
    Parameter("disk", "Size of the disk", ParameterType.SIZE, description="no less than that of the image"),
    Parameter(
        "copy", "Disk", ParameterType.CHOICE, choices=("overlay", "full"), description="over the image, or its own"
    ),
    Parameter("pool", "Storage pool", description="for the disks"),
    Parameter("start", "Start it", ParameterType.SWITCH, default="yes"),
    Parameter(
        "wait", "Wait for", ParameterType.CHOICE, choices=("address", "agent"), description="of the guest, once started"
    ),
)
"""What can be said of every guest."""

_CLOUD = (
    Parameter("hostname", "Host name", description="the name of the guest, where it is not given"),
    Parameter("user", "User", description="who can log in"),
    Parameter("ssh_keys", "SSH keys", ParameterType.KEYS, description="of the user, one a line"),
    Parameter("password_hash", "Password, hashed", ParameterType.HASH, secret=True, description="as crypt(3) has it"),
    Parameter("user_data", "User data", secret=True, description="#cloud-config or a script, beside what is made here"),
    Parameter("network_config", "Network", secret=True, description="of cloud-init, version 1 or 2"),
)
"""What can be said of a guest with cloud-init."""


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
        known = {each.name: each for each in _COMMON}
        if self.customize == "cloud-init":
            known |= {each.name: each for each in _CLOUD}
        return tuple((known | {each.name: each for each in self.parameters}).values())


def parse_template(text: str, origin: str = "") -> Template:
    """Read a template.

    Parameters:
        text: a document in TOML.
        origin: the file that it is from.

    Raises:
        TemplateError: it is no TOML, or no template; the text names what is wrong in it.
    """
    try:
        table = read_toml(text)
    except ValueError as error:
        raise TemplateError(f"template: {error}") from None
    reader = _Reader(table, "")
    template = Template(
        id=reader.text("id"),
        version=reader.number("version", 1),
        title=reader.text("title", ""),
        description=reader.text("description", ""),
        group=reader.text("group", "templates"),
        os=reader.text("os", ""),
        platforms=reader.texts("platforms"),
        architecture=reader.text("architecture", ""),
        image=reader.part("image", _image),
        copy=reader.text("copy", "overlay"),
        size=reader.size("size"),
        pool=reader.text("pool", ""),
        disk=reader.values("disk"),
        disks=reader.parts("disks", _extra_disk),
        settings=reader.values("settings"),
        resources=reader.parts("resources", _resource),
        parameters=reader.parts("parameters", _parameter),
        customize=reader.text("customize", "none"),
        seed_device=reader.text("seed_device", ""),
        keep_seed=reader.switch("keep_seed", False),
        user_data=reader.text("user_data", ""),
        files=reader.parts("files", _guest_file),
        provisioner=reader.text("provisioner", ""),
        appliances=reader.texts("appliances"),
        tried=reader.switch("tried", True),
        origin=origin,
    )
    reader.end()
    _check(template)
    return template


def document_of(template: Template) -> str:
    """Write a template as `parse_template` reads it; what is as it would be anyway is left out."""
    lines = list(_lines(template, ("origin",)))
    if template.image is not None:
        lines += ["", "[image]", *_lines(template.image)]
    for name in ("disk", "settings"):
        held: Mapping[str, SettingValue] = getattr(template, name)
        if held:
            lines += ["", f"[{name}]", *(_line(each, value) for each, value in held.items())]
    for resource in template.resources:
        lines += ["", "[[resources]]", *(_line(each, value) for each, value in resource.items())]
    for disk in template.disks:
        lines += ["", "[[disks]]", *_lines(disk)]
    for file in template.files:
        lines += ["", "[[files]]", *_lines(file)]
    for parameter in template.parameters:
        lines += ["", "[[parameters]]", *_lines(parameter)]
    return "\n".join(lines) + "\n"


def _lines(made: Any, without: Sequence[str] = ()) -> Iterator[str]:
    """Lines of the fields of a dataclass that are plain values and not as they are by default."""
    for each in fields(made):
        value = getattr(made, each.name)
        if each.name in without or value == each.default or value is None:
            continue
        if isinstance(value, str | int | bool) or (
            isinstance(value, tuple) and value and all(isinstance(item, str | int) for item in value)
        ):
            yield _line(each.name, value)


def _line(name: str, value: SettingValue) -> str:
    # JSON's strings, numbers, booleans and lists of these are TOML's, but for one character.
    shown = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
    # Without apostrophes it is known to be one text, however long (`toml`).
    return f"{name} = {shown}".replace("\x7f", "\\u007f").replace("'", "\\u0027")


class _Reader:
    """Takes what is expected out of a table, and complains of what is left.

    Parameters:
        table: of the document.
        where: its name, for messages; "" for the document.
    """

    def __init__(self, table: Mapping[str, Any], where: str) -> None:
        self._left = dict(table)
        self._where = f"{where}." if where else ""

    def text(self, name: str, default: str | None = None) -> str:
        """Take a text; without a default it has to be there."""
        value = self._take(name, default, str, "a text")
        return str(value)

    def number(self, name: str, default: int) -> int:
        """Take a whole number, no less than 0."""
        value = self._take(name, default, int, "a whole number")
        if value < 0:
            raise TemplateError(f"{self._where}{name}: {value} cannot be; expected no less than 0")
        return int(value)

    def bound(self, name: str) -> int | None:
        """Take a number or size that may be left out."""
        return self.size(name) if name in self._left else None

    def switch(self, name: str, default: bool) -> bool:
        """Take true or false."""
        return bool(self._take(name, default, bool, "true or false"))

    def size(self, name: str) -> int:
        """Take a size: bytes, or a text such as `10 GiB`."""
        value = self._left.pop(name, 0)
        try:
            return size_of(value)
        except TemplateError as error:
            raise TemplateError(f"{self._where}{name}: {error}") from None

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of texts."""
        value = self._take(name, [], list, "a list of texts")
        if not all(isinstance(each, str) for each in value):
            raise TemplateError(f"{self._where}{name}: {value!r:.80} is not a list of texts; expected texts only")
        return tuple(value)

    def values(self, name: str) -> Mapping[str, SettingValue]:
        """Take a table of properties."""
        return _values(self._take(name, {}, dict, "a table"), f"{self._where}{name}")

    def part(self, name: str, make: Callable[[_Reader], Kind]) -> Kind | None:
        """Take a table that may be left out."""
        if name not in self._left:
            return None
        return self._made(self._take(name, {}, dict, "a table"), f"{self._where}{name}", make)

    def parts(self, name: str, make: Callable[[_Reader], Kind]) -> tuple[Kind, ...]:
        """Take a list of tables."""
        tables = self._take(name, [], list, "a list of tables")
        made = []
        for place, table in enumerate(tables):
            if not isinstance(table, dict):
                raise TemplateError(f"{self._where}{name}[{place}]: {table!r:.80} is not a table; expected one")
            made.append(self._made(table, f"{self._where}{name}[{place}]", make))
        return tuple(made)

    def rest(self) -> Mapping[str, SettingValue]:
        """Take all that is left, as properties."""
        left, self._left = self._left, {}
        return _values(left, self._where.rstrip("."))

    def end(self) -> None:
        """Complain of what nobody has taken."""
        if self._left:
            raise TemplateError(
                f"{self._where}{next(iter(self._left))}: is not a part of a template; expected one of docs/templates.md"
            )

    def _made(self, table: Mapping[str, Any], where: str, make: Callable[[_Reader], Kind]) -> Kind:
        reader = _Reader(table, where)
        made = make(reader)
        reader.end()
        return made

    def _take(self, name: str, default: Any, kind: type, expected: str) -> Any:
        value = self._left.pop(name, default)
        if value is None:
            raise TemplateError(f"{self._where}{name}: is missing; expected {expected}")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise TemplateError(f"{self._where}{name}: {value!r:.80} is not {expected}; expected {expected}")
        _refuse_nul(value, f"{self._where}{name}")
        return value


def _refuse_nul(value: object, where: str) -> None:
    """Refuse what no name and no text of libvirt's can hold."""
    if any(isinstance(each, str) and "\0" in each for each in (value if isinstance(value, list) else (value,))):
        raise TemplateError(f"{where}: holds a NUL; expected none")


def _values(table: Mapping[str, Any], where: str) -> Mapping[str, SettingValue]:
    held: dict[str, SettingValue] = {}
    for name, value in table.items():
        _refuse_nul(value, f"{where}.{name}")
        if isinstance(value, list) and all(isinstance(each, str | int) for each in value):
            held[name] = tuple(value)
        elif isinstance(value, str | int | bool):
            held[name] = value
        else:
            raise TemplateError(f"{where}.{name}: {value!r:.80} cannot be the value of a property")
    return held


def _image(reader: _Reader) -> ImageSource:
    return ImageSource(
        url=reader.text("url", ""),
        sha256=reader.text("sha256", "").lower(),
        checksum_url=reader.text("checksum_url", ""),
        pool=reader.text("pool", ""),
        volume=reader.text("volume", ""),
        format=reader.text("format", "qcow2"),
        size=reader.number("size", 0),
    )


def _extra_disk(reader: _Reader) -> ExtraDisk:
    return ExtraDisk(
        reader.size("size"),
        reader.text("format", "qcow2"),
        reader.text("sha256", "").lower(),
        reader.text("bus", ""),
    )


def _guest_file(reader: _Reader) -> GuestFile:
    return GuestFile(reader.text("path"), reader.text("content", ""), reader.text("mode", "0644"))


def _resource(reader: _Reader) -> Mapping[str, SettingValue]:
    return {"kind": reader.text("kind"), **reader.rest()}


def _parameter(reader: _Reader) -> Parameter:
    return Parameter(
        name=reader.text("name"),
        label=reader.text("label", ""),
        type=reader.text("type", ParameterType.TEXT),
        default=reader.text("default", ""),
        choices=reader.texts("choices"),
        least=reader.bound("least"),
        most=reader.bound("most"),
        required=reader.switch("required", False),
        secret=reader.switch("secret", False),
        description=reader.text("description", ""),
    )


def _check(template: Template) -> None:
    """Refuse what contradicts itself.

    Raises:
        TemplateError: it does.
    """
    _expect("id", template.id, _ID.match(template.id), "letters, digits, dots, underscores and hyphens")
    _expect("version", template.version, template.version >= 1, "1 or more")
    _expect("group", template.group, _GROUP.match(template.group), "a name without slash and @")
    _expect("copy", template.copy, template.copy in ("overlay", "full"), "overlay or full")
    _expect("customize", template.customize, template.customize in CUSTOMIZATIONS, " or ".join(CUSTOMIZATIONS))
    for disk in template.disks:
        _expect("disks.size", disk.size, disk.size > 0, "more than 0")
        _expect("disks.format", disk.format, disk.format in ("qcow2", "raw"), "qcow2 or raw")
        _expect("disks.sha256", disk.sha256, not disk.sha256 or _SHA256.match(disk.sha256), "64 hexadecimal digits")
    _check_files(template)
    image = template.image
    if image is not None:
        _expect("image.format", image.format, image.format in FORMATS, " or ".join(FORMATS))
        _expect("image.sha256", image.sha256, not image.sha256 or _SHA256.match(image.sha256), "64 hexadecimal digits")
        if not (image.url or image.volume or image.sha256):
            raise TemplateError("image: says nowhere where it is; expected url, or pool and volume, or sha256")
        if bool(image.pool) != bool(image.volume):
            raise TemplateError("image: pool and volume belong together; expected both or none")
        if image.format in ("vmdk", "vdi", "vhd", "iso") and template.copy == "overlay":
            raise TemplateError(f'image.format: nothing can lie over {image.format}; expected copy = "full"')
    names = set()
    for parameter in template.parameters:
        _expect("parameters.name", parameter.name, _NAME.match(parameter.name), "letters, digits and underscores")
        _expect("parameters.type", parameter.type, parameter.type in ParameterType.ALL, " or ".join(ParameterType.ALL))
        if parameter.name in names:
            raise TemplateError(f"parameters.name: {parameter.name!r} is there twice; expected names of their own")
        if parameter.type == ParameterType.CHOICE and not parameter.choices:
            raise TemplateError(f"parameters.choices: {parameter.name!r} has none")
        names.add(parameter.name)
        if parameter.default:
            check_value(parameter, parameter.default)


def _check_files(template: Template) -> None:
    if template.files and template.customize != "cloud-init":
        raise TemplateError('files: are written by cloud-init; expected customize = "cloud-init"')
    for at, file in enumerate(template.files):
        steps = file.path.split("/")
        is_path = not steps[0] and len(steps) > 1 and all(each not in ("", ".", "..") for each in steps[1:])
        _expect("files.path", file.path, is_path, "the path of a file from the root of the guest")
        _expect("files.mode", file.mode, _MODE.match(file.mode), "three or four octal digits")
        if file.path in (each.path for each in template.files[:at]):
            raise TemplateError(f"files.path: {file.path!r:.80} is there twice; expected each file once")


def _expect(name: str, value: object, holds: object, expected: str) -> None:
    if not holds:
        raise TemplateError(f"{name}: {value!r:.80} cannot be; expected {expected}")


def size_of(value: object) -> int:
    """Read a size in bytes: a whole number, or a text such as `512 MiB`.

    Raises:
        TemplateError: it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        size = value
    else:
        found = _SIZE.match(value.strip()) if isinstance(value, str) else None
        if found is None:
            raise TemplateError(f"{value!r:.80} is no size; expected bytes, or a number with KiB, MiB, GiB or TiB")
        size = int(found[1]) * _UNITS[found[2]]
    if size > _MOST_SIZE:
        raise TemplateError("is more than 1 EiB; expected less")
    return size


_SWITCHES = {"yes": True, "true": True, "1": True, "on": True, "no": False, "false": False, "0": False, "off": False}


def check_value(parameter: Parameter, text: str) -> None:
    """Refuse a value that a parameter cannot have; a secret one is not repeated.

    Raises:
        TemplateError: it cannot be; the text names the parameter.
    """
    shown = "the value" if parameter.secret else repr(text[:80])

    def refuse(expected: str) -> TemplateError:
        return TemplateError(f"{parameter.name}: {shown} cannot be; expected {expected}")

    match parameter.type:
        case ParameterType.NUMBER | ParameterType.SIZE:
            is_number = parameter.type == ParameterType.NUMBER
            if is_number and not _DIGITS.match(text):
                raise refuse("a whole number")
            amount = int(text) if is_number else _sized(text, refuse)
            if amount < (parameter.least or 0) or (parameter.most is not None and amount > parameter.most):
                most = "" if parameter.most is None else f", and at most {parameter.most}"
                raise refuse(f"{parameter.least or 0} or more{most}")
        case ParameterType.SWITCH:
            if text.lower() not in _SWITCHES:
                raise refuse("yes or no")
        case ParameterType.CHOICE:
            if text not in parameter.choices:
                raise refuse(" or ".join(parameter.choices))
        case ParameterType.KEYS:
            if not all(_KEY.match(line) for line in text.splitlines() if line.strip()):
                raise refuse("public keys of SSH, one a line")
        case ParameterType.HASH:
            if not _HASH.match(text):
                raise refuse("a hash as crypt(3) has it, such as of `openssl passwd -6`")
        case _:
            _check_text(parameter, text, refuse)


def _check_text(parameter: Parameter, text: str, refuse: Callable[[str], TemplateError]) -> None:
    if parameter.name == "hostname" and not (_HOST_NAME.match(text) and len(text) <= 253):
        raise refuse("letters, digits and hyphens")
    if parameter.name == "user" and not _USER.match(text):
        raise refuse("the name of a user")
    if parameter.most is not None and len(text) > parameter.most:
        raise refuse(f"at most {parameter.most} characters")


def _sized(text: str, refuse: Callable[[str], TemplateError]) -> int:
    try:
        return size_of(text)
    except TemplateError:
        raise refuse("bytes, or a number with KiB, MiB, GiB or TiB, of no more than 1 EiB") from None


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


def is_on(text: str) -> bool:
    """Whether the value of a switch means yes."""
    return _SWITCHES[text.lower()]


def next_version(template: Template, versions: Iterable[int]) -> Template:
    """Give a template the version after the last one there is."""
    return replace(template, version=max(versions, default=0) + 1, origin="")
