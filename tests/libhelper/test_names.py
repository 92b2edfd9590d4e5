"""Names that are taken, and those that are not."""

from __future__ import annotations

import pytest

from virtcim.libhelper.names import CHECKPOINT, DOMAIN, SNAPSHOT, VOLUME, NameRule

UMLAUT = "\N{LATIN SMALL LETTER U WITH DIAERESIS}"


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (
            DOMAIN,
            ("web", ".hidden", "...", "a,b", " ", UMLAUT * 100),
            ("", ".", "..", "a/b", "a\nb", "\x7f", UMLAUT * 101),
        ),
        (
            SNAPSHOT,
            ("s1", "1st", "a b", UMLAUT),
            ("", ".s", "1", "007", "a,b", 'a"b', "a\\b", "a/b", "a\tb", "x" * 201),
        ),
        (CHECKPOINT, ("c.1", "1", "-", "_a"), ("", ".c", "a b", "a:b", UMLAUT, "a\n", "x" * 201)),
        (VOLUME, ("disk.qcow2", "a,b", UMLAUT), ("", "..", ".v", "a/b", "a\nb", "x" * 201)),
    ],
)
def test_what_something_can_be_called(rule: NameRule, right: tuple[str, ...], wrong: tuple[str, ...]) -> None:
    for name in right:
        assert rule.objection(name) == "", name
    for name in wrong:
        assert f"cannot be the name of a {rule.subject}; expected " in rule.objection(name), name
    assert len(rule.objection("x" * 1_000_000)) < 400
