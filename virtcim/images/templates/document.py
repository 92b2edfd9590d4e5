"""Templates as TOML documents: read, and written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from virtcim.images.templates.consistency import check_template
from virtcim.images.templates.errors import TemplateError
from virtcim.images.templates.parameters import Parameter, ParameterType
from virtcim.images.templates.reader import TableReader
from virtcim.images.templates.template import ExtraDisk, GuestFile, ImageSource, SettingValue, Template
from virtcim.images.toml import read_toml

__all__ = ["document_of", "parse_template"]


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
    reader = TableReader(table, "")
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
    check_template(template)
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


def _image(reader: TableReader) -> ImageSource:
    return ImageSource(
        url=reader.text("url", ""),
        sha256=reader.text("sha256", "").lower(),
        checksum_url=reader.text("checksum_url", ""),
        pool=reader.text("pool", ""),
        volume=reader.text("volume", ""),
        format=reader.text("format", "qcow2"),
        size=reader.number("size", 0),
    )


def _extra_disk(reader: TableReader) -> ExtraDisk:
    return ExtraDisk(
        reader.size("size"),
        reader.text("format", "qcow2"),
        reader.text("sha256", "").lower(),
        reader.text("bus", ""),
    )


def _guest_file(reader: TableReader) -> GuestFile:
    return GuestFile(reader.text("path"), reader.text("content", ""), reader.text("mode", "0644"))


def _resource(reader: TableReader) -> Mapping[str, SettingValue]:
    return {"kind": reader.text("kind"), **reader.rest()}


def _parameter(reader: TableReader) -> Parameter:
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
