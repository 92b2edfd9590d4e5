"""Make-believe tools of SFCB and OpenPegasus: this file stands on PATH under each of their names.

What they are asked to do they do to a directory, `FAKE_ROOT`: `log` tells every call, `stage`, `schema` and
`repository` are SFCB's, `pegasus.json` is what OpenPegasus knows, and the file `running` says that it runs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(os.environ["FAKE_ROOT"])
STATE = ROOT / "pegasus.json"


def load() -> dict[str, Any]:
    state: dict[str, Any] = json.loads(STATE.read_text())
    return state


def save(state: dict[str, Any]) -> None:
    STATE.write_text(json.dumps(state, indent=1, sort_keys=True))


def option(arguments: list[str], name: str, default: str = "") -> str:
    return arguments[arguments.index(name) + 1] if name in arguments else default


def files(arguments: list[str], valued: set[str]) -> list[str]:
    found, skip = [], False
    for each in arguments:
        if skip or each.startswith("-"):
            skip = not skip and each in valued
            continue
        found.append(each)
    return found


def names(text: str) -> tuple[list[str], list[str]]:
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', text)
    return re.findall(r"^class (\w+)", text, re.MULTILINE), re.findall(r"^Qualifier (\w+)", text, re.MULTILINE)


def explain(*options: str) -> None:
    """Print options as `echo -e` does: a shell that does not know -e writes it."""
    for option in options:
        print(f"-e \t{option}" if (ROOT / "echoes").exists() else f"\t{option}")


def sfcbstage(arguments: list[str]) -> int:
    if "-h" in arguments:
        explain("-n specify CIM namespace [root/cimv2]", f"-s specify staging directory [{ROOT}/stage]")
        return 0
    if registration := option(arguments, "-r"):
        (ROOT / "stage/regs").mkdir(parents=True, exist_ok=True)
        shutil.copy(registration, ROOT / "stage/regs")
    for mof in files(arguments, {"-r", "-n", "-s"}):
        directory = ROOT / "stage/mofs" / option(arguments, "-n", "root/cimv2")
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(mof, directory)
    return 0


def sfcbunstage(arguments: list[str]) -> int:
    if registration := option(arguments, "-r"):
        (ROOT / "stage/regs" / registration).unlink()
    for mof in files(arguments, {"-r", "-n", "-s"}):
        (ROOT / "stage/mofs" / option(arguments, "-n", "root/cimv2") / mof).unlink()
    return 0


def sfcbrepos(arguments: list[str]) -> int:
    if "-h" in arguments:
        formats = "-t" if (ROOT / "old").exists() else "-t format"
        print(f"usage: sfcbrepos [-h] [-f] [-s stagingdir] [{formats}]", file=sys.stderr)
        explain(
            f"-s specify staging directory [{ROOT}/stage]",
            f"-c specify directory containing CIM Schema MOFs [{ROOT}/schema]",
        )
        return 0
    if not (ROOT / "schema/CIM_Schema.mof").exists():
        print("no schema", file=sys.stderr)
        return 1
    if (ROOT / "broken").exists():
        print("syntax error", file=sys.stderr)
        return 1
    return 0


def systemctl(arguments: list[str]) -> int:
    return 0 if arguments[0] != "is-active" or arguments[-1] == (ROOT / "unit").read_text() else 3


def cimserver(arguments: list[str]) -> int:
    print("2.14.4")
    return 0


def cimconfig(arguments: list[str]) -> int:
    print(f"Planned value: {ROOT}/repository")
    return 0


def running() -> bool:
    return (ROOT / "running").exists()


def cimprovider(arguments: list[str]) -> int:
    if not running():
        return 1
    state = load()
    if "-l" in arguments:
        print("\n".join(["OperatingSystemModule", *state["modules"]]))
    elif "-r" in arguments:
        state["modules"].remove(option(arguments, "-m"))
        save(state)
    return 0


def compile_mof(arguments: list[str], directory: str = "") -> int:
    namespace = option(arguments, "-n")
    (mof,) = files(arguments, {"-n", "-R", "-N", "-I"})
    text = Path(mof).read_text()
    state = load()
    classes, qualifiers = names(text)
    if match := re.search(r'PG_ProviderModule \{\s*Name = "(\w+)"', text):
        if match[1] in state["modules"]:
            print("module exists", file=sys.stderr)
            return 1
        state["modules"].append(match[1])
    place = state["namespaces"].setdefault(namespace, {"classes": [], "qualifiers": []})
    if not place["qualifiers"] and not qualifiers:
        print("qualifier not declared", file=sys.stderr)
        return 1
    for kind, found in (("classes", classes), ("qualifiers", qualifiers)):
        place[kind].extend(name for name in found if name not in place[kind])
    save(state)
    for name in classes if directory else ():
        where = Path(directory) / namespace.replace("/", "#") / "classes"
        where.mkdir(parents=True, exist_ok=True)
        (where / f"{name}.#").touch()
    return 0


def cimmof(arguments: list[str]) -> int:
    return compile_mof(arguments) if running() else 1


def cimmofl(arguments: list[str]) -> int:
    return compile_mof(arguments, f"{option(arguments, '-R')}/{option(arguments, '-N')}")


def cimcli(arguments: list[str]) -> int:
    if not running():
        return 1
    state = load()
    namespace = option(arguments, "-n")
    place = state["namespaces"].get(namespace)
    command, *rest = arguments
    (name,) = files(rest, {"-n"}) or [""]
    if place is None:
        return 3
    if command == "nc":
        print("\n".join(place["classes"]))
    elif command == "gc":
        return 0 if name in place["classes"] else 6
    elif command in ("dc", "dq"):
        kind = "classes" if command == "dc" else "qualifiers"
        known = {each.lower(): each for each in place[kind]}
        if name in state["in_use"] or name.lower() not in known:
            return 1
        place[kind].remove(known[name.lower()])
    elif command == "di":
        child = f"{namespace}/{name.split(chr(34))[1]}"
        if any(state["namespaces"][child].values()):
            return 1
        del state["namespaces"][child]
    save(state)
    return 0


def main(tool: str, arguments: list[str]) -> int:
    with (ROOT / "log").open("a") as log:
        log.write(" ".join([tool, *arguments]) + "\n")
    status: int = globals()[tool](arguments)
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[0]).name, sys.argv[1:]))
