"""`make dist`: the source archive, which builds and passes its tests where it is unpacked, and the wheel."""

from __future__ import annotations

import argparse
import gzip
import io
import shutil
import tarfile
import tempfile
from pathlib import Path

from release.source import ROOT, last_change, source_files
from release.wheels import own_wheel
from virtcim import __version__

__all__ = ["build_archive"]


def build_archive(into: Path) -> Path:
    """Write the source archive: every file of the source, links as links, the same bytes from the same source.

    Returns:
        the file.
    """
    into.mkdir(parents=True, exist_ok=True)
    file = into / f"virtcim-{__version__}.tar.gz"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in source_files():
            member = archive.gettarinfo(ROOT / path, f"virtcim-{__version__}/{path}")
            member.uid = member.gid = 0
            member.uname = member.gname = "root"
            member.mtime = last_change()
            member.mode = 0o755 if member.mode & 0o100 or not member.isfile() else 0o644
            if member.isfile():
                with (ROOT / path).open("rb") as stream:
                    archive.addfile(member, stream)
            else:
                archive.addfile(member)
    file.write_bytes(gzip.compress(content.getvalue(), 9, mtime=0))
    return file


def main() -> None:
    """Build the archive and the wheel, and print where they are."""
    parser = argparse.ArgumentParser(prog="python -m release.dist", description="Build the source archive and wheel.")
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="the directory; default: dist")
    into = parser.parse_args().into
    print(build_archive(into))
    with tempfile.TemporaryDirectory() as directory:
        print(shutil.copy2(own_wheel(Path(directory)), into))


if __name__ == "__main__":
    main()
