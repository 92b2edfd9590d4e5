"""Completion of the command line for bash, zsh and fish, written from its grammar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from release.commands import Command, Option, all_commands, commands

__all__ = ["SHELLS"]


def for_bash(root: Command) -> str:
    """Write the completion for bash: words by the command so far, files and choices by the option before."""
    lines = [
        "# Completion of virtcim for bash.",
        "_virtcim() {",
        '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" command= skip= each',
        '    for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
        "        if [[ -n $skip ]]; then skip=; continue; fi",
        '        case "$command $each" in',
    ]
    for command in all_commands(root):
        for below in command.below:
            path = " ".join(below.words)
            lines.append(f'            "{" ".join(command.words)} {below.words[-1]}") command="{path}" ;;')
    valued = sorted({name for each in all_commands(root) for option in each.options if option.value
                     for name in option.names})  # fmt: skip
    lines += [
        f"            {'|'.join(f'*{chr(34)} {name}{chr(34)}' for name in valued)}) skip=1 ;;",
        "        esac",
        "    done",
        '    case "$command $before" in',
    ]
    for command in all_commands(root):
        for option in command.options:
            if option.value:
                pattern = "|".join(f'"{" ".join(command.words)} {name}"' for name in option.names)
                lines.append(f"        {pattern}) {_bash_value(option)}; return ;;")
    lines += ["    esac", '    case "$command" in']
    for command in all_commands(root):
        words = [name for option in command.options for name in option.names]
        words += [below.words[-1] for below in command.below]
        words += [choice for argument in command.arguments for choice in argument.choices]
        lines.append(
            f'        "{" ".join(command.words)}") COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$word")) ;;'
        )
    lines += ["    esac", "}", "complete -F _virtcim virtcim"]
    return "\n".join(lines) + "\n"


def _bash_value(option: Option) -> str:
    if option.choices:
        return f'COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$word"))'
    return 'COMPREPLY=($(compgen -f -- "$word"))' if option.is_file else "COMPREPLY=()"


def for_zsh(root: Command) -> str:
    """Write the completion for zsh: a function for each command."""
    lines = ["#compdef virtcim", "# Completion of virtcim for zsh."]
    for command in all_commands(root):
        lines += ["", f"{_zsh_name(command)}() {{"]
        specifications = list(_zsh_options(command))
        if command.below:
            lines += ["    local -a commands", "    local line state context"]
            lines += ["    _arguments -C " + " ".join([*specifications, "'1: :->command'", "'*:: :->rest'"])]
            lines += ["    case $state in", "        command)", "            commands=("]
            lines += [f"                {_zsh_quoted(f'{each.words[-1]}:{each.text}')}" for each in command.below]
            lines += ["            )", "            _describe command commands ;;", "        rest)"]
            lines += ["            case $line[1] in"]
            lines += [f"                {each.words[-1]}) {_zsh_name(each)} ;;" for each in command.below]
            lines += ["            esac ;;", "    esac"]
        else:
            lines.append("    _arguments " + " ".join(specifications))
        lines.append("}")
    return "\n".join([*lines, "", '_virtcim "$@"', ""])


def _zsh_name(command: Command) -> str:
    return "_".join(["_virtcim", *command.words]).replace("-", "_")


def _zsh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh_options(command: Command) -> Iterator[str]:
    for option in command.options:
        text = option.text.replace("[", "(").replace("]", ")").replace(":", "\\:")
        for name in option.names:
            if not option.value:
                yield _zsh_quoted(f"{name}[{text}]")
            else:
                yield _zsh_quoted(f"*{name}[{text}]:{option.value.replace(':', ' ')}:{_zsh_values(option)}")
    for number, argument in enumerate(command.arguments, 1):
        yield _zsh_quoted(f"{number}:{argument.value}:{_zsh_values(argument)}")


def _zsh_values(option: Option) -> str:
    if option.choices:
        return f"({' '.join(option.choices)})"
    return "_files" if option.is_file else " "


def for_fish(root: Command) -> str:
    """Write the completion for fish."""
    lines = ["# Completion of virtcim for fish.", "complete -c virtcim -f"]
    for command in all_commands(root):
        condition = "__fish_use_subcommand" if not command.words else "; and ".join(
            f"__fish_seen_subcommand_from {word}" for word in command.words
        )  # fmt: skip
        if command.words and command.below:
            names = " ".join(each.words[-1] for each in command.below)
            inner = f"{condition}; and not __fish_seen_subcommand_from {names}"
        else:
            inner = condition
        lines += [
            f"complete -c virtcim -n '{inner}' -a {below.words[-1]} -d {_fish_quoted(below.text)}"
            for below in command.below
        ]
        for option in command.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            wants = ""
            if option.choices:
                wants = f" -x -a {_fish_quoted(' '.join(option.choices))}"
            elif option.value:
                wants = " -r -F" if option.is_file else " -x"
            lines.append(f"complete -c virtcim -n '{condition}' {names}{wants} -d {_fish_quoted(option.text)}")
        lines += [
            f"complete -c virtcim -n '{condition}' -a {_fish_quoted(' '.join(argument.choices))}"
            for argument in command.arguments if argument.choices
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS: dict[str, Callable[[Command], str]] = {"bash": for_bash, "zsh": for_zsh, "fish": for_fish}
"""What writes the completion for each shell."""


if __name__ == "__main__":
    print(SHELLS[sys.argv[1]](commands()), end="")
