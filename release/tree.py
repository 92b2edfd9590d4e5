"""`python -m release.tree ROOT`: lay out an installation below a root, as `make install` and the packages have it."""

from __future__ import annotations

import argparse
import gzip
import importlib.metadata
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from release.bom import write_bom
from release.commands import commands
from release.completion import SHELLS
from release.manual import PAGES
from release.source import ROOT, last_change, make_environment, run
from release.wheels import library_wheels, locked_names, own_wheel
from virtcim import __version__
from virtcim.app.pluginplaces import DIRECTORIES, LINKS

__all__ = ["FAMILIES", "copy_libraries", "lay_out", "settle"]

HOME = Path("usr/lib/virtcim")
"""The virtual environment of the installation."""

FAMILIES = ("debian", "fedora")
"""Where distributions differ: the PAM service, and where zsh looks for completions."""

COMPLETIONS: dict[str, str | dict[str, str]] = {
    "bash": "usr/share/bash-completion/completions/virtcim",
    "zsh": {"debian": "usr/share/zsh/vendor-completions/_virtcim", "fedora": "usr/share/zsh/site-functions/_virtcim"},
    "fish": "usr/share/fish/vendor_completions.d/virtcim.fish",
}

SCRIPT = """\
#!/{home}/bin/python3 -I
import sys

from virtcim.app.entry import main

sys.exit(main())
"""

UNWANTED = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""What pip notes in `.dist-info` for its own use; the package manager keeps what is installed."""


def lay_out(root: Path, family: str, python: Path, trial: bool = False) -> None:
    """Lay out a whole installation.

    Parameters:
        root: where to; what is there stays.
        family: one of `FAMILIES`.
        python: the interpreter that the installation runs with, on the system that it is for; of the version of the
            one that runs this.
        trial: take the libraries that are installed here as they are, in place of those of the lock file, and compile
            nothing: that is done in seconds.
    """
    packaging = ROOT / "packaging"
    _environment(root, python, trial)
    _link(root / "usr/bin/virtcim", f"../{HOME.relative_to('usr')}/bin/virtcim")
    for unit in sorted((packaging / "systemd").glob("virtcim*.s[eo]*")):
        if unit.suffix in {".service", ".socket"}:
            _install(unit, root / "usr/lib/systemd/system" / unit.name)
    _install(packaging / "systemd/virtcim.sysusers", root / "usr/lib/sysusers.d/virtcim.conf")
    _install(packaging / "systemd/virtcim.tmpfiles", root / "usr/lib/tmpfiles.d/virtcim.conf")
    _install(packaging / "pam" / ("virtcim" if family == "debian" else "virtcim.fedora"), root / "etc/pam.d/virtcim")
    _install(packaging / "logrotate/virtcim", root / "etc/logrotate.d/virtcim")
    _install(packaging / "virtcim.toml", root / "etc/virtcim/virtcim.toml")
    for name, page in PAGES.items():
        section = name.rpartition(".")[2]
        _compressed(page(), root / f"usr/share/man/man{section}/{name}.gz")
    for shell, write in SHELLS.items():
        place = COMPLETIONS[shell]
        _written(write(commands()), root / (place if isinstance(place, str) else place[family]))
    _documents(root / "usr/share/doc/virtcim")
    write_bom(root / HOME, root / "usr/share/doc/virtcim/virtcim.cdx.json")
    settle(root)


def _environment(root: Path, python: Path, trial: bool) -> None:
    """Make the virtual environment, with everything compiled to bytes that no time and no path go into."""
    home = root / HOME
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    settings = f"home = {python.parent}\ninclude-system-site-packages = false\nversion = {version}\n"
    _written(settings, home / "pyvenv.cfg")
    _link(home / "bin/python3", str(python))
    _link(home / "bin/python", "python3")
    _written(SCRIPT.format(home=HOME), home / "bin/virtcim", 0o755)
    site = home / f"lib/python{version}/site-packages"
    site.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as directory:
        wheels = [own_wheel(Path(directory), isolated=not trial)]
        if trial:
            copy_libraries(site)
        else:
            wheels += library_wheels()
        run(
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--no-index", "--no-compile", "--target"),
            *(site, *wheels),
        )
    for unwanted in (site / "bin", site / "certifi/tests"):
        shutil.rmtree(unwanted, ignore_errors=True)
    for information in site.glob("*.dist-info"):
        for name in UNWANTED:
            (information / name).unlink(missing_ok=True)
    _written("".join(f"{each}\n" for each in DIRECTORIES), site / LINKS.name)
    found = make_environment() | {"PYTHONPATH": str(site)}
    run(sys.executable, "-P", "-m", "virtcim.app.entry", "mof", "compile", "--into", site / "virtcim/mof",
        environment=found)  # fmt: skip
    if not trial:
        run("strip", "--strip-unneeded", *sorted(path for path in site.rglob("*.so") if not path.is_symlink()))
        run(
            *(sys.executable, "-m", "compileall", "-q", "-j", "0", "-p", "/", "-s", root),
            *("--invalidation-mode", "unchecked-hash", site),
        )


def copy_libraries(site: Path, *further: str) -> None:
    """Copy the libraries of the lock file, and further ones, from the environment that runs this.

    Parameters:
        site: the directory of packages of another environment.
    """
    for name in (*locked_names(), *further):
        for file in importlib.metadata.distribution(name).files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), site / file)


def _documents(directory: Path) -> None:
    """Put the pages and the examples there."""
    for name in ("README.md", "CHANGELOG.md", "SECURITY.md"):
        if (ROOT / name).exists():
            _install(ROOT / name, directory / name)
    for folder in ("docs", "examples"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file() and file.suffix in {".md", ".svg", ".webp", ".py", ".sh", ".txt"}:
                executable = bool(file.stat().st_mode & stat.S_IXUSR)
                target = directory / file.relative_to(ROOT)
                _install(file, target, 0o755 if executable else 0o644)


def settle(root: Path) -> None:
    """Give everything below a root modes that do not hang on the umask, and the time of the source."""
    epoch = last_change()
    for above, directories, files in os.walk(root, topdown=False):
        for name in (*files, *directories):
            path = Path(above, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
            os.utime(path, (epoch, epoch), follow_symlinks=False)


def _install(file: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    target.chmod(mode)


def _written(text: str, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    target.chmod(mode)


def _compressed(text: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _link(link: Path, target: str) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def main() -> None:
    """Lay out the installation that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m release.tree", description=f"Lay out virtcim {__version__}.")
    parser.add_argument("root", type=Path, help="where to: / or the root of a package")
    parser.add_argument("--family", choices=FAMILIES, default="debian", help="whose places; default: %(default)s")
    parser.add_argument("--python", type=Path, default=Path(f"/usr/bin/python3.{sys.version_info.minor}"),
                        help="the interpreter on the system that it is for; default: %(default)s")  # fmt: skip
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory) / "root"
        lay_out(made, arguments.family, arguments.python)
        shutil.rmtree(arguments.root / HOME, ignore_errors=True)
        shutil.copytree(made, arguments.root, symlinks=True, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
