"""Puts the foreign parts of the console where it is served from, out of what npm has installed.

Used as `python -m release.console NODE_MODULES PARTS` by `make console`; licences go along into `licences.json`, which
the console's About page shows.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

#: What is copied: below node_modules, to below parts/.
FILES = {
    "htm/preact/standalone.module.js": "htm/preact/standalone.module.js",
    "uplot/dist/uPlot.esm.js": "uplot/uPlot.esm.js",
    "uplot/dist/uPlot.min.css": "uplot/uPlot.min.css",
    "cytoscape/dist/cytoscape.esm.min.mjs": "cytoscape/cytoscape.esm.min.mjs",
    "@xterm/xterm/lib/xterm.mjs": "xterm/xterm.mjs",
    "@xterm/xterm/css/xterm.css": "xterm/xterm.css",
    "@novnc/novnc/core": "novnc/core",
    "@novnc/novnc/vendor": "novnc/vendor",
}


def licence(package: Path) -> dict[str, str]:
    """What the About page tells of a package: name, version, licence, and the licence's text."""
    declared = json.loads((package / "package.json").read_text())
    texts = sorted(each for each in package.iterdir() if each.name.upper().startswith(("LICENSE", "LICENCE")))
    return {
        "name": declared["name"],
        "version": declared["version"],
        "license": declared.get("license", ""),
        "text": texts[0].read_text(errors="replace") if texts else "",
    }


def packages(modules: Path) -> list[Path]:
    """The packages that the files are of."""
    names = {"/".join(name.split("/")[: 2 if name.startswith("@") else 1]) for name in FILES}
    return [modules / name for name in sorted(names)]


def main(modules: Path, parts: Path) -> None:
    """Copy the files and write down the licences.

    Parameters:
        modules: the directory node_modules.
        parts: the directory to fill; what is in it goes.
    """
    shutil.rmtree(parts, ignore_errors=True)
    for source, target in FILES.items():
        found = modules / source
        (parts / target).parent.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            shutil.copytree(found, parts / target)
        else:
            shutil.copyfile(found, parts / target)
    found_licences = [licence(each) for each in packages(modules)]
    (parts / "licences.json").write_text(json.dumps(found_licences, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
