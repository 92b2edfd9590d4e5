"""`virtcim plugin`: plugins of an installation that comes from a package, which has no pip of its own.

They stand beside the package's own directory, so that its upgrade leaves them alone: those that an administrator adds
in one directory, and those that distributions package in another one.  `LINKS`, which packages have among their
libraries, makes both known to Python.
"""

from __future__ import annotations

import argparse
import base64
import email
import email.message
import hashlib
import importlib.metadata
import io
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from virtcim.app.commands.grammar import Commands
from virtcim.app.commands.showing import table
from virtcim.app.failures import words_of
from virtcim.app.pluginplaces import ADDED, LINKS
from virtcim.platforms.registry import GROUP

__all__ = ["add_plugin_commands"]

EXIT_FAILED = 1

MOST_BYTES = 64 << 20
"""Of a plugin, unpacked."""


class PluginError(Exception):
    """A plugin cannot be added or removed; the text names it and says why."""


def add_plugin_commands(commands: Commands) -> None:
    """Add `virtcim plugin` to the subparsers of the command line."""
    parser = commands.add_parser(
        "plugin",
        help="add and remove plugins of a packaged installation",
        description="Add and remove platforms that are packages of their own. They run within the server and with its "
        "rights. An upgrade of virtcim keeps them.",
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    adding = verbs.add_parser("add", help="add a plugin, or replace it by another version",
                              description="Add a plugin, or replace it by another version.")  # fmt: skip
    adding.add_argument("wheel", type=Path, metavar="WHEEL", help="its file, as pip has it")
    adding.set_defaults(run=_reporting(_add))
    listing = verbs.add_parser("list", help="list them", description="List the plugins that are installed.")
    listing.set_defaults(run=_reporting(_list))
    removing = verbs.add_parser("remove", help="remove one that was added", description="Remove one that was added.")
    removing.add_argument("name", metavar="NAME", help="of its package")
    removing.set_defaults(run=_reporting(_remove))


def _reporting(action: Callable[[argparse.Namespace], None]) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        try:
            action(arguments)
        except (PluginError, OSError) as error:
            print(f"virtcim: {words_of(error)}", file=sys.stderr)
            return EXIT_FAILED
        return 0

    return run


def _add(arguments: argparse.Namespace) -> None:
    """`virtcim plugin add`."""
    _expect_package("pip install")
    content, metadata = read_wheel(arguments.wheel)
    name = _normal(metadata["Name"])
    before = next((each for each in _distributions(ADDED) if _normal(each.name) == name), None)
    for other in importlib.metadata.distributions():
        if _normal(other.name) == name and (before is None or other.version != before.version):
            where = other.locate_file("")
            raise PluginError(f"{metadata['Name']}: is installed in {where}; expected a name of its own")
    tops = {PurePosixPath(each).parts[0] for each in content}
    own = set() if before is None else {PurePosixPath(str(each)).parts[0] for each in before.files or ()}
    for top in sorted(tops - own):
        module = top.removesuffix(".py")
        if (ADDED / top).exists() or (module.isidentifier() and _is_module(module)):
            raise PluginError(f"{metadata['Name']}: {top} is there already; expected a name of its own")
    ADDED.mkdir(mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ADDED, prefix=".new-") as directory:
        for path, data in content.items():
            target = Path(directory, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod(0o644)
        if before is not None:
            _delete(before)
        for top in tops:
            os.rename(Path(directory, top), ADDED / top)
    for folder in ADDED.rglob("*"):
        if folder.is_dir():
            folder.chmod(0o755)
    print(f"{metadata['Name']} {metadata['Version']} is added; it is served once the server was restarted")


def read_wheel(file: Path) -> tuple[dict[str, bytes], email.message.Message]:
    """Read the wheel of a plugin, whole, and see that it is one that can be added.

    Returns:
        the content of each file by its path, and the metadata.

    Raises:
        PluginError: it is no wheel, is not whole, would be more than modules, or asks for what is not there.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
            names = [each.filename for each in archive.infolist() if not each.is_dir()]
            if sum(each.file_size for each in archive.infolist()) > MOST_BYTES:
                raise PluginError(f"{file}: unpacked it is more than {MOST_BYTES >> 20} MiB; expected less")
            content = {name: archive.read(name) for name in names}
    except zipfile.BadZipFile as error:
        raise PluginError(f"{file}: {error}; expected a wheel") from error
    parts = {name: PurePosixPath(name).parts for name in content}
    stray = [name for name, each in parts.items() if name.startswith("/") or ".." in each or each[0].endswith(".data")]
    if stray:
        raise PluginError(f"{file}: holds {stray[0]}; expected nothing but modules and what they read")
    information = {each[0] for each in parts.values() if each[0].endswith(".dist-info")}
    if len(information) != 1 or f"{(info := information.pop())}/METADATA" not in content:
        raise PluginError(f"{file}: has no metadata; expected a wheel")
    _check_record(file, content, info)
    tags = email.message_from_bytes(content.get(f"{info}/WHEEL", b"")).get_all("Tag", [])
    if not any(tag.startswith("py3-none-any") for tag in tags):
        raise PluginError(f"{file}: is for {', '.join(tags) or 'nothing'}; expected py3-none-any: no compiled modules")
    metadata = email.message_from_bytes(content[f"{info}/METADATA"])
    entries = content.get(f"{info}/entry_points.txt", b"").decode()
    if f"[{GROUP}]" not in entries.replace(" ", ""):
        raise PluginError(f"{file}: names no entry point of the group {GROUP}; expected a platform")
    for wanted in metadata.get_all("Requires-Dist", []):
        name = re.split(r"[^A-Za-z0-9._-]", wanted.strip(), maxsplit=1)[0]
        if "extra ==" not in wanted and not _is_installed(name):
            raise PluginError(f"{file}: asks for {name}; expected nothing but what virtcim has: see virtcim.cdx.json")
    return content, metadata


def _check_record(file: Path, content: dict[str, bytes], information: str) -> None:
    """See that each file is as the wheel says (PEP 376, PEP 427)."""
    record = content.get(f"{information}/RECORD", b"").decode()
    digests = {}
    for line in record.splitlines():
        path, _, rest = line.rpartition(",")[0].rpartition(",")
        digests[path.strip('"')] = rest
    for path, data in content.items():
        if path == f"{information}/RECORD":
            continue
        expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        if digests.get(path) != f"sha256={expected}":
            raise PluginError(f"{file}: {path} is not what its RECORD says; expected a wheel that is whole")


def _list(_arguments: argparse.Namespace) -> None:
    """`virtcim plugin list`."""
    rows = [
        (each.name, each.version, ", ".join(entry.name for entry in each.entry_points.select(group=GROUP)),
         str(each.locate_file("")))
        for each in importlib.metadata.distributions()
        if _normal(each.name) != "virtcim" and each.entry_points.select(group=GROUP)
    ]  # fmt: skip
    print(table(("NAME", "VERSION", "PLATFORMS", "DIRECTORY"), rows))


def _remove(arguments: argparse.Namespace) -> None:
    """`virtcim plugin remove`."""
    _expect_package("pip uninstall")
    added = {_normal(each.name): each for each in _distributions(ADDED)}
    found = added.get(_normal(arguments.name))
    if found is None:
        names = ", ".join(sorted(added)) or "none: nothing was added"
        raise PluginError(f"{arguments.name}: is not in {ADDED}; expected one of {names}")
    _delete(found)
    print(f"{found.name} {found.version} is removed; the server goes on with it until it is restarted")


def _delete(distribution: importlib.metadata.Distribution) -> None:
    # The list of them is one of them.
    files = [ADDED / file for file in distribution.files or () if ".." not in file.parts]
    for path in files:
        path.unlink(missing_ok=True)
        shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
    folders = {parent for path in files for parent in path.parents}
    for folder in sorted(folders, reverse=True):
        if folder.is_relative_to(ADDED) and folder != ADDED and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _distributions(directory: Path) -> Iterator[importlib.metadata.Distribution]:
    yield from importlib.metadata.distributions(path=[str(directory)])


def _expect_package(instead: str) -> None:
    """Refuse where the installation is pip's.

    Raises:
        PluginError: it is.
    """
    if not LINKS.exists():
        raise PluginError(f"{sys.prefix}: is no installation of a package; expected `{instead}` into this environment")


def _is_installed(name: str) -> bool:
    return any(_normal(each.name) == _normal(name) for each in importlib.metadata.distributions())


def _is_module(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
