"""`make deb`: the Debian packages virtcim and virtcim-cmpi, the same bytes from the same source."""

from __future__ import annotations

import argparse
import email.utils
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from release.source import ROOT, last_change, make_environment, package_version, run
from release.tree import lay_out, settle
from release.wheels import PYTHON

__all__ = ["build_packages"]

DEBIAN = ROOT / "packaging" / "debian"
MAINTAINER = f"{os.environ.get('DEBFULLNAME', 'virtcim')} <{os.environ.get('DEBEMAIL', 'virtcim@localhost')}>"
"""Who gives the packages away, in the variables of Debian's tools."""

SCRIPTS = ("postinst", "prerm", "postrm")


def build_packages(into: Path, trial: bool = False) -> list[Path]:
    """Build both packages.

    Parameters:
        into: the directory.
        trial: see `release.tree.lay_out`; hardly compressed either.

    Returns:
        the files.
    """
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="virtcim-deb-") as directory:
        roots = {"virtcim": Path(directory) / "virtcim", "virtcim-cmpi": Path(directory) / "virtcim-cmpi"}
        lay_out(roots["virtcim"], "debian", PYTHON, trial)
        _lay_out_library(roots["virtcim-cmpi"])
        for name, root in roots.items():
            document = root / "usr/share/doc" / name
            document.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(DEBIAN / "copyright", document / "copyright")
            (document / "changelog.gz").write_bytes(gzip.compress(_changelog(name).encode(), 9, mtime=0))
            overrides = DEBIAN / f"{name}.lintian-overrides"
            if overrides.exists():
                (root / "usr/share/lintian/overrides").mkdir(parents=True)
                shutil.copyfile(overrides, root / "usr/share/lintian/overrides" / name)
        return [_package(name, root, into, trial) for name, root in roots.items()]


def _lay_out_library(root: Path) -> None:
    """Compile the library for other CIM servers, from a copy of the source."""
    build = root.with_name("cmpi-build")
    shutil.copytree(ROOT / "cmpi", build / "cmpi")
    environment = make_environment() | {"CFLAGS": f"-g0 -ffile-prefix-map={build}=.", "LDFLAGS": "-s"}
    run("make", "-f", "cmpi/build.mk", "install-cmpi", f"DESTDIR={root}", cwd=build, environment=environment)
    document = root / "usr/share/doc/virtcim-cmpi"
    document.mkdir(parents=True)
    shutil.copyfile(ROOT / "docs/cmpi.md", document / "cmpi.md")


def _changelog(name: str) -> str:
    """Write Debian's change log of this version; what changed stands in the project's own."""
    time = email.utils.formatdate(last_change())
    return (
        f"{name} ({package_version()}) unstable; urgency=medium\n\n"
        f"  * See /usr/share/doc/virtcim/CHANGELOG.md.\n\n -- {MAINTAINER}  {time.replace('-0000', '+0000')}\n"
    )


def _package(name: str, root: Path, into: Path, trial: bool) -> Path:
    information = root / "DEBIAN"
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    information.mkdir()
    conffiles = [f"/{path.relative_to(root)}" for path in files if path.is_relative_to(root / "etc")]
    if conffiles:
        (information / "conffiles").write_text("".join(f"{each}\n" for each in conffiles))
    digests = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in files
               if not path.is_relative_to(root / "etc")]  # fmt: skip
    (information / "md5sums").write_text("".join(digests))
    size = sum(-(-path.lstat().st_size // 1024) for path in root.rglob("*") if not path.is_dir() or path.is_symlink())
    (information / "control").write_text(_control(name, root, size))
    if name == "virtcim":
        for script in SCRIPTS:
            shutil.copyfile(DEBIAN / script, information / script)
            (information / script).chmod(0o755)
    settle(root)
    architecture = _architecture()
    file = into / f"{name}_{package_version()}_{architecture}.deb"
    for earlier in into.glob(f"{name}_*_{architecture}.deb"):
        earlier.unlink()  # so that `apt install ./dist/virtcim_*.deb` means one
    compression = ("-Zgzip", "-z1") if trial else ("-Zxz",)
    run("dpkg-deb", "--root-owner-group", "--uniform-compression", *compression, "--build", root, file)
    return file


def _control(name: str, root: Path, size: int) -> str:
    """Fill in the paragraph of a package.

    Parameters:
        size: of what it installs, in KiB.
    """
    paragraphs = (DEBIAN / "control").read_text(encoding="utf-8").split("\n\n")
    (paragraph,) = (each for each in paragraphs if each.startswith(f"Package: {name}\n"))
    return paragraph.strip("\n").format(
        version=package_version(),
        architecture=_architecture(),
        maintainer=MAINTAINER,
        size=size,
        libraries=_libraries(root),
        python=f"3.{sys.version_info.minor}",
        next_python=f"3.{sys.version_info.minor + 1}",
    ) + "\n"  # fmt: skip


def _architecture() -> str:
    return run("dpkg", "--print-architecture").strip()


def _libraries(root: Path) -> str:
    """Ask dpkg-shlibdeps which packages have the libraries that binaries below a root are linked with."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "debian").mkdir()
        (Path(directory) / "debian/control").write_text("Source: virtcim\n\nPackage: virtcim\nArchitecture: any\n")
        bundled = sorted({path.parent for path in _binaries(root)})
        done = subprocess.run(
            ["dpkg-shlibdeps", "-O", "--ignore-missing-info", *(f"-l{path}" for path in bundled),
             *(f"-e{path}" for path in _binaries(root))],
            cwd=directory, env=make_environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"dpkg-shlibdeps: status {done.returncode}; expected 0\n{done.stderr}")
    return done.stdout.strip().removeprefix("shlibs:Depends=")


def _binaries(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*.so*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as stream:
                if stream.read(4) == b"\x7fELF":
                    yield path


def main() -> None:
    """Build the packages, and print where they are."""
    parser = argparse.ArgumentParser(prog="python -m release.deb", description="Build the Debian packages.")
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="the directory; default: dist")
    parser.add_argument("--trial", action="store_true", help="take the libraries that are here, and be quick")
    arguments = parser.parse_args()
    for file in build_packages(arguments.into, arguments.trial):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        print(f"{digest}  {file}")


if __name__ == "__main__":
    os.umask(0o022)
    main()
