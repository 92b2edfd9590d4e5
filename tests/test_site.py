"""The site of the documentation: Sphinx has nothing to complain of, and every link leads somewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from release.site import build_site, dead_links
from release.source import ROOT


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text(
        '<a id="here" href="#here"></a><a href="a/b.html#there"></a><a href="a/b.html#nowhere"></a>'
        '<img src="none.png"><svg><a href="a/c.html"></a></svg><a href="https://example.com/"></a><a href="a/"></a>'
    )
    (tmp_path / "a/b.html").write_text('<p id="there"><a href="../index.html#here"></a></p>')
    dead = [("index.html", "a/b.html#nowhere"), ("index.html", "a/c.html"), ("index.html", "none.png")]
    assert dead_links(tmp_path) == dead


@pytest.mark.slow
def test_the_site_is_made_and_searched(tmp_path: Path) -> None:
    """With the generator that is pinned, as `make site` does; `build_site` ends for a link that leads nowhere."""
    python = tmp_path / "environment/bin/python"
    subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    wanted = ROOT / "packaging/site/requirements.txt"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", wanted], check=True)
    site = tmp_path / "site"
    build_site(site, python)
    assert "<svg" in (site / "classes/KVM_ComputerSystem.html").read_text()
    index = (site / "searchindex.js").read_text()
    assert "classes/KVM_ComputerSystem" in index
    assert "enabledst" in index, "names of properties are found"
