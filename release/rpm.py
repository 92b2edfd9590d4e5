"""`make rpm`: the package for Fedora and EL, from the source archive and packaging/rpm/virtcim.spec."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from release.dist import build_archive
from release.source import ROOT, changed_on, make_environment, package_version, run

__all__ = ["build_rpm"]

PLACES = {
    "_unitdir": "/usr/lib/systemd/system",
    "_sysusersdir": "/usr/lib/sysusers.d",
    "_tmpfilesdir": "/usr/lib/tmpfiles.d",
}
"""Macros of systemd-rpm-macros, which other families than RPM's do without."""

SPECIFICATION = ROOT / "packaging" / "rpm" / "virtcim.spec"


def build_rpm(into: Path, *options: str) -> list[Path]:
    """Build the packages.

    Parameters:
        options: further ones of rpmbuild; `--nodeps` where RPM is not what installs what the build needs.

    Returns:
        the files.
    """
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="virtcim-rpm-") as directory:
        top = Path(directory)
        build_archive(top / "SOURCES")
        # What was built before saves the network here as well.
        defined = {
            "_topdir": directory,
            "virtcim_version": package_version(),
            "virtcim_date": changed_on(),
            "builder": sys.executable,
            "kept": str(ROOT / "build"),
        }
        defined |= {name: place for name, place in PLACES.items() if run("rpm", "--eval", f"%{{{name}}}")[0] == "%"}
        words = [word for name, value in defined.items() for word in ("--define", f"{name} {value}")]
        run("rpmbuild", "-bb", *options, *words, SPECIFICATION, environment=make_environment())
        return [Path(shutil.copy2(file, into)) for file in sorted((top / "RPMS").rglob("*.rpm"))]


def main() -> None:
    """Build the packages, and print where they are."""
    parser = argparse.ArgumentParser(prog="python -m release.rpm", description="Build the RPM packages.")
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="the directory; default: dist")
    parser.add_argument("options", nargs="*", help="of rpmbuild, after --")
    arguments = parser.parse_args()
    for file in build_rpm(arguments.into, *arguments.options):
        print(file)


if __name__ == "__main__":
    main()
