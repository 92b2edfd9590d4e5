"""The manual pages: virtcim(1) from the grammar of the command line, virtcim.toml(5) from the settings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from release.commands import Command, Option, all_commands, commands
from release.source import changed_on
from virtcim import __version__
from virtcim.app.reference import reference

__all__ = ["PAGES"]

FILES = (
    ("/etc/virtcim/virtcim.toml", "the settings of the service; see virtcim.toml(5)."),
    ("/var/lib/virtcim", "what outlives the server: subscriptions, jobs, the password of the first start."),
    ("/var/log/virtcim", "the audit log, where one is wanted."),
    ("/run/virtcim/virtcim.sock", "where processes of this host ask without a password."),
    ("/etc/pam.d/virtcim", 'which users of the system may log in, with auth = "pam".'),
)

ENVIRONMENT = (
    ("VIRTCIM_PASSWORD", "the password for --user, where nobody is there to be asked."),
    ("STATE_DIRECTORY", "the state directory, as systemd names it."),
)

STATUSES = (
    ("0", "what was asked for is done."),
    ("1", "it could not be done; standard error says why."),
    ("2", "the command line or a setting is wrong; the message names it."),
    ("130", "interrupted."),
)


def program_page() -> str:
    """Write virtcim(1)."""
    root = commands()
    lines = [
        _title("VIRTCIM", 1, "User commands"),
        ".SH NAME",
        r"virtcim \- show libvirt's guests to CIM/WBEM clients",
        ".SH SYNOPSIS",
        ".B virtcim",
        ".I COMMAND",
        "[options]",
        ".SH DESCRIPTION",
        _text(root.description),
        "Providers show what libvirt runs in the virtualization classes of the DMTF; a server of their own answers any "
        "WBEM client.",
        ".SH COMMANDS",
    ]
    for command in all_commands(root):
        if command.words and not command.below:
            lines += _command(command)
    for heading, pairs in (("EXIT STATUS", STATUSES), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        lines.append(f".SH {heading}")
        for name, text in pairs:
            lines += [".TP", f".B {_text(name)}", _text(text)]
    lines += [".SH SEE ALSO", ".BR virtcim.toml (5),", ".BR virsh (1),", ".BR wbemcli (1)"]
    return "\n".join(lines) + "\n"


def _command(command: Command) -> Iterator[str]:
    words = " ".join(command.words)
    arguments = " ".join(f"[{each.value}]" if not each.choices else each.value for each in command.arguments)
    yield f'.SS "virtcim {_text(f"{words} {arguments}".strip())}"'
    yield _text(command.description or command.text)
    for option in command.options:
        if "--help" not in option.names:
            yield from _option(option)


def _option(option: Option) -> Iterator[str]:
    names = ", ".join(rf"\fB{_text(name)}\fR" for name in option.names)
    value = rf" \fI{_text(option.value)}\fR" if option.value else ""
    yield ".TP"
    yield f"{names}{value}"
    yield _text(option.text) or r"\&"


def settings_page() -> str:
    """Write virtcim.toml(5)."""
    lines = [
        _title("VIRTCIM.TOML", 5, "File formats"),
        ".SH NAME",
        r"virtcim.toml \- settings of the CIM server for libvirt",
        ".SH DESCRIPTION",
        "The service reads /etc/virtcim/virtcim.toml, a file in TOML, when it starts. Everything has a default. A "
        "setting that does not exist, or a value that does not fit, ends the start with a message that names it.",
        _text("virtcim check --config FILE") + " tells whether this host fits the settings.",
    ]
    for line in reference().splitlines():
        if line.startswith("## "):
            lines.append(f".SH {_text(line[3:].upper() if '[' not in line else line[3:])}")
        elif match := re.match(r"\| `([^`]+)` \| (.*?) \| (.*?) \| (.*) \|$", line):
            name, values, default, meaning = match.groups()
            lines += [".TP", rf"\fB{_text(name)}\fR ({_text(_plain(values))}; default {_text(_plain(default))})"]
            lines.append(_text(_plain(meaning)))
    lines += [".SH SEE ALSO", ".BR virtcim (1)"]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Take Markdown's marks off a text."""
    return re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", text).replace("`", "").replace("\\|", "|")


def _title(name: str, section: int, manual: str) -> str:
    return f'.TH {name} {section} {changed_on()} "virtcim {__version__}" "{manual}"'


def _text(text: str) -> str:
    """Escape what roff would read: backslashes, hyphens that are to stay, and a line's first point."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


PAGES = {"virtcim.1": program_page, "virtcim.toml.5": settings_page}
"""The manual pages by the names of their files."""
