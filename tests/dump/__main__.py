"""`python -m tests.dump FILE ...`: dump what a tree shows; `python -m tests.dump --compare A B`: compare two dumps."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.bed.server import ROOT
from tests.dump.comparison import differences, report
from tests.dump.sources import SOURCES, dump
from tests.dump.trees import Tree


def main() -> int:
    """Run the command line; 1 when two dumps differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.dump", description=__doc__)
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help=f"where to write a dump; the end of its name says of which host: {', '.join(SOURCES)} (old-corpus.txt)",
    )
    parser.add_argument("--tree", type=Path, default=ROOT, metavar="DIR", help="the source tree to serve (this one)")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="what runs it (this interpreter)")
    parser.add_argument("--compare", action="store_true", help="compare two dumps")
    parser.add_argument("--examples", type=int, default=3, metavar="N", help="how many of like differences to show (3)")
    arguments = parser.parse_args()
    if arguments.compare:
        if len(arguments.files) != 2:
            parser.error(f"--compare: {len(arguments.files)} files given; expected two")
        before, after = (file.read_text(encoding="utf-8").splitlines() for file in arguments.files)
        found = list(differences(before, after))
        if found:
            print(report(found, arguments.examples))
        print(f"{len(found)} differences in {len(before)} and {len(after)} facts")
        return 1 if found else 0
    wanted = {file: file.stem.rpartition("-")[2] for file in arguments.files}
    for file, source in wanted.items():
        if source not in SOURCES:
            parser.error(f"{file}: the name ends in no known host; expected one of {', '.join(SOURCES)}")
    tree = Tree(arguments.tree, arguments.python)
    for file, source in wanted.items():
        # A process of its own, because a host may take its process into a network of its own.
        with ProcessPoolExecutor(1) as pool:
            lines = pool.submit(dump, source, tree).result()
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        print(f"{file}: {len(lines)} facts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
