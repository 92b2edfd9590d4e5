"""The examples in docs/rest.md do what it says."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.bed import Server

PAGE = (Path(__file__).parents[2] / "docs" / "rest.md").read_text()
EXAMPLES = re.findall(r"```sh\n(.*?)```\n(?:```json\n(.*?)```\n)?", PAGE, re.DOTALL)


def holds(shown: Any, found: Any) -> bool:
    """Whether what is shown is a part of what is found."""
    if isinstance(shown, dict):
        return isinstance(found, dict) and all(name in found and holds(shown[name], found[name]) for name in shown)
    if isinstance(shown, list):
        return isinstance(found, list) and all(any(holds(each, one) for one in found) for each in shown)
    return bool(shown == found)


@pytest.mark.parametrize(("commands", "shown"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_example(default_server: Server, commands: str, shown: str) -> None:
    done = subprocess.run(
        ["bash", "-euc", commands],
        env={"U": default_server.login_url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    if shown:
        assert holds(json.loads(shown), json.loads(done.stdout)), done.stdout


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 9
    assert not holds({"a": 1}, {"a": 2})
