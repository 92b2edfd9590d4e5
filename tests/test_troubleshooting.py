"""The page on troubleshooting quotes what the program says."""

from __future__ import annotations

import ast
import re

import pytest

from tests.bed.server import ROOT

PAGE = ROOT / "docs/troubleshooting.md"
MESSAGES = re.findall(r"^\| `(.+?)` \|", PAGE.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def said() -> str:
    """All constant texts of the program."""
    trees = (ast.parse(path.read_text()) for path in sorted((ROOT / "virtcim").rglob("*.py")))
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\0".join(value for value in constants if isinstance(value, str))


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_one_that_is_written(said: str, message: str) -> None:
    assert message in said


def test_the_page_has_messages() -> None:
    assert len(MESSAGES) > 10
