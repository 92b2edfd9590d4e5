"""What is asked of whoever makes a guest of a template."""

from __future__ import annotations

import re
from collections.abc import Callable

from virtcim.images.templates.errors import TemplateError
from virtcim.images.templates.sizes import size_of
from virtcim.immutable import immutable

__all__ = ["CLOUD", "COMMON", "Parameter", "ParameterType", "check_value", "is_on"]

_DIGITS = re.compile(r"[0-9]{1,20}\Z")
_HASH = re.compile(r"\$(?:5|6|y|gy|7|2[aby])\$[./A-Za-z0-9$=,]{8,200}\Z")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\Z")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")
_KEY = re.compile(r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+(?: [^\n]*)?\Z")
_SWITCHES = {"yes": True, "true": True, "1": True, "on": True, "no": False, "false": False, "0": False, "off": False}


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


COMMON = (
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

CLOUD = (
    Parameter("hostname", "Host name", description="the name of the guest, where it is not given"),
    Parameter("user", "User", description="who can log in"),
    Parameter("ssh_keys", "SSH keys", ParameterType.KEYS, description="of the user, one a line"),
    Parameter("password_hash", "Password, hashed", ParameterType.HASH, secret=True, description="as crypt(3) has it"),
    Parameter("user_data", "User data", secret=True, description="#cloud-config or a script, beside what is made here"),
    Parameter("network_config", "Network", secret=True, description="of cloud-init, version 1 or 2"),
)
"""What can be said of a guest with cloud-init."""


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


def is_on(text: str) -> bool:
    """Whether the value of a switch means yes."""
    return _SWITCHES[text.lower()]
