"""`python -m tests.walk URL`: walk a server, print the graph's size and what does not hold together."""

from __future__ import annotations

import argparse
import sys

from tests.walk.clients import sample
from tests.walk.walker import NAMESPACES, Walker
from tests.walk.wire import Wire


def main() -> int:
    """The command line; 1 when there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.walk", description=__doc__)
    parser.add_argument("url", help="http://user:password@host:port")
    parser.add_argument("--namespace", action="append", help="a namespace to walk (repeatable; default: all three)")
    parser.add_argument("--thorough", type=int, default=1, help="on how many like instances each filter is tried")
    parser.add_argument("--sample", action="store_true", help="ask pywbem and wbemcli for one instance of each class")
    arguments = parser.parse_args()
    with Wire(arguments.url) as wire:
        walker = Walker(wire, arguments.namespace or NAMESPACES, arguments.thorough)
        report = walker.walk()
        if arguments.sample:
            print(f"{sample(walker)} classes sampled by pywbem and wbemcli")
    print(report.summary())
    print(report.text())
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
