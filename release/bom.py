"""The bill of materials of an installation, in CycloneDX 1.5."""

from __future__ import annotations

import importlib.metadata
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from release.source import last_change
from virtcim import __version__

__all__ = ["write_bom"]


def write_bom(environment: Path, file: Path) -> None:
    """Write what an environment holds: each library with version, licence and digest-free package URL, and by whom it
    is needed.

    Parameters:
        environment: the virtual environment.
        file: where to.
    """
    (site,) = environment.glob("lib/python*/site-packages")
    found = sorted(importlib.metadata.distributions(path=[str(site)]), key=lambda each: _normal(each.name))
    libraries = [each for each in found if _normal(each.name) != "virtcim"]
    (own,) = (each for each in found if _normal(each.name) == "virtcim")
    names = {_normal(each.name) for each in found}
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, ' '.join(map(_url, found)))}",
        "version": 1,
        "metadata": {
            "timestamp": f"{datetime.fromtimestamp(last_change(), UTC):%Y-%m-%dT%H:%M:%SZ}",
            "component": _component(own) | {"type": "application"},
        },
        "components": [_component(each) for each in libraries],
        "dependencies": [
            {"ref": _url(each), "dependsOn": sorted(_needed(each, names, found))} for each in found
        ],
    }  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _component(each: importlib.metadata.Distribution) -> dict[str, Any]:
    name = each.metadata["License-Expression"] or (each.metadata["License"] or "").strip().partition("\n")[0]
    classified = [
        text.rpartition(" :: ")[2]
        for text in each.metadata.get_all("Classifier", [])
        if text.startswith("License :: OSI Approved :: ")
    ]
    licence = name if name and len(name) < 80 else ", ".join(classified)
    return {
        "type": "library",
        "bom-ref": _url(each),
        "name": each.name,
        "version": each.version if _normal(each.name) != "virtcim" else __version__,
        "purl": _url(each),
        **({"licenses": [{"license": {"name": licence}}]} if licence else {}),
    }


def _needed(
    each: importlib.metadata.Distribution, names: set[str], found: list[importlib.metadata.Distribution]
) -> set[str]:
    """Find the libraries that one needs: those that it asks for and that are there."""
    wanted = {
        _normal(text.partition(";")[0].split("[")[0].translate(str.maketrans("<>=!~(", "      ")).split()[0])
        for text in each.requires or ()
        if "extra ==" not in text
    }
    return {_url(other) for other in found if _normal(other.name) in wanted & names}


def _url(each: importlib.metadata.Distribution) -> str:
    return f"pkg:pypi/{_normal(each.name)}@{each.version}"


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
