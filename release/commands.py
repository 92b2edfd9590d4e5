"""The grammar of the command line, as manual pages and completions need it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from virtcim.app.main import make_parser

__all__ = ["Command", "Option", "commands"]


@dataclass(frozen=True)
class Option:
    """An option, or a word that is no option.

    Attributes:
        names: `--listen`, `-v`; none for a word.
        value: how its value is called; empty where it has none.
        text: what it is for.
        choices: the values that it may have, where these are few.
        is_file: whether its value is a file or a directory.
    """

    names: tuple[str, ...]
    value: str
    text: str
    choices: tuple[str, ...]
    is_file: bool


@dataclass(frozen=True)
class Command:
    """A command, or the program itself.

    Attributes:
        words: by which it is called after `virtcim`; none for the program itself.
        text: what it does, in a line.
        description: what it does.
        options: its options.
        arguments: its words that are no options.
        below: its commands.
    """

    words: tuple[str, ...]
    text: str
    description: str
    options: tuple[Option, ...]
    arguments: tuple[Option, ...]
    below: tuple[Command, ...]


def commands() -> Command:
    """Read the grammar of `virtcim`."""
    return _read(make_parser(), (), "")


def _read(parser: argparse.ArgumentParser, words: tuple[str, ...], text: str) -> Command:
    options, arguments, below = [], [], []
    for action in parser._actions:  # argparse tells it nowhere else
        if isinstance(action, argparse._SubParsersAction):
            texts = {each.dest: each.help or "" for each in action._choices_actions}
            below += [_read(inner, (*words, name), texts.get(name, "")) for name, inner in action.choices.items()]
        elif action.option_strings:
            options.append(_option(action))
        else:
            arguments.append(_option(action))
    return Command(words, text, parser.description or "", tuple(options), tuple(arguments), tuple(below))


def _option(action: argparse.Action) -> Option:
    has_value = action.nargs != 0
    metavar = action.metavar if isinstance(action.metavar, str) else (action.dest or "").upper()
    choices = tuple(map(str, action.choices or ()))
    if choices and action.metavar is None:
        metavar = "|".join(choices)
    return Option(
        tuple(action.option_strings),
        metavar if has_value else "",
        (action.help or "") % {"default": action.default, "prog": "virtcim"},
        choices,
        action.type is Path,
    )


def all_commands(root: Command) -> Iterator[Command]:
    """Give a command and all below it."""
    yield root
    for each in root.below:
        yield from all_commands(each)
