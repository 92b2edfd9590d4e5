"""`.ci/signed`: new commits without the sign-off of their author are refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.bed.server import ROOT

AUTHOR = "A User <user@example.org>"


def git(directory: Path, *words: str) -> None:
    identity = ("-c", "user.name=A User", "-c", "user.email=user@example.org")
    subprocess.run(["git", *identity, *words], cwd=directory, check=True, capture_output=True)


def looked_at(directory: Path, *base: str) -> tuple[int, str]:
    # BASE is what continuous integration compares this project with.
    environment = {name: value for name, value in os.environ.items() if name != "BASE"}
    done = subprocess.run(
        [ROOT / ".ci/signed", *base], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_new_commits_need_the_sign_off_of_their_author(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "commit", "--allow-empty", "-m", "of old")
    assert looked_at(tmp_path)[0] == 0, "nothing is new where there is no remote branch"
    git(tmp_path, "branch", "base")
    git(tmp_path, "commit", "--allow-empty", "--signoff", "-m", "signed")
    assert looked_at(tmp_path, "base") == (0, "")
    git(tmp_path, "commit", "--allow-empty", "-m", "by somebody else\n\nSigned-off-by: B User <b@example.org>")
    status, errors = looked_at(tmp_path, "base")
    assert status == 1
    assert f"by somebody else: no sign-off; expected Signed-off-by: {AUTHOR}" in errors
    assert len(errors.splitlines()) == 1
    status, errors = looked_at(tmp_path, "lost")
    assert (status, errors) == (1, "signed: lost: no such commit here; expected what the new commits are on top of\n")
