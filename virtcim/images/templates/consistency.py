"""What has to hold between the values of a template."""

from __future__ import annotations

import re

from virtcim.images.templates.errors import TemplateError
from virtcim.images.templates.parameters import ParameterType, check_value
from virtcim.images.templates.template import CUSTOMIZATIONS, FORMATS, Template

__all__ = ["check_template"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_GROUP = re.compile(r"[^\s/@][^/@\n]{0,63}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
_MODE = re.compile(r"[0-7]{3,4}\Z")


def check_template(template: Template) -> None:
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
