"""`make coverage`: which part of the lines the tests run, for each package of virtcim, and whether it is enough."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from release.source import ROOT
from virtcim.app.commands.showing import table

__all__ = ["by_package"]

ENOUGH = {"cimom": 90, "providers": 90, "libhelper": 90}
"""Per cent of the lines that tests have to run."""


def by_package(files: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Add up a report.

    Parameters:
        files: the part `files` of what `coverage json` writes.

    Returns:
        by the name of the package: lines that were run, and lines.
    """
    found: dict[str, tuple[int, int]] = {}
    for name, file in files.items():
        parts = name.split("/")
        package = parts[1] if len(parts) > 2 else "virtcim"
        run, lines = found.get(package, (0, 0))
        summary = file["summary"]
        found[package] = (run + summary["covered_lines"], lines + summary["num_statements"])
    return found


def main() -> None:
    """Show the table; the exit status is 1 where it is not enough."""
    coverage = [sys.executable, "-m", "coverage"]
    report = ROOT / "build/coverage/report.json"
    subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, check=False)
    subprocess.run([*coverage, "json", "--quiet", "-o", report], cwd=ROOT, check=True)
    subprocess.run([*coverage, "html", "--quiet", "-d", report.parent / "html"], cwd=ROOT, check=True)
    found = by_package(json.loads(report.read_text())["files"])
    percent = {name: 100 * run / lines for name, (run, lines) in sorted(found.items()) if lines}
    rows = [[name, str(found[name][1]), f"{each:.1f}", str(ENOUGH.get(name, ""))] for name, each in percent.items()]
    print(table(("PACKAGE", "LINES", "PERCENT", "EXPECTED"), rows))
    print(f"{report.parent}/html/index.html")
    wanting = [name for name, least in ENOUGH.items() if percent.get(name, 0) < least]
    if wanting:
        raise SystemExit(f"coverage: too little of {', '.join(wanting)}; expected as in the table")


if __name__ == "__main__":
    main()
