"""Directories that are gone when nobody works in them any more, however whoever did so has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.images.test_download import LISTED, Records
from virtcim.images.appliances.scratch import clear_scratch, scratch_directory
from virtcim.images.store import ImageStore, StoredImage

WORKER = """
import sys
from pathlib import Path
from virtcim.images.appliances.scratch import scratch_directory
with scratch_directory(Path(sys.argv[1])) as directory:
    (directory / "disk").write_text("content")
    print(directory, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_server_leaves_is_removed_and_what_is_used_stays(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        theirs = Path(worker.stdout.readline().strip())
        (tmp_path / "other").mkdir()
        (tmp_path / "virtcim-appliance-link").symlink_to(tmp_path / "other")
        with scratch_directory(tmp_path) as ours:
            clear_scratch(tmp_path)
            assert (theirs.exists(), ours.exists()) == (True, True)
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait(60)
            clear_scratch(tmp_path)
            assert (theirs.exists(), ours.exists()) == (False, True)
        assert not ours.exists()
    clear_scratch(tmp_path / "missing")
    assert {path.name for path in tmp_path.iterdir()} == {"other", "virtcim-appliance-link"}


def test_images_that_do_not_go_on_are_thrown_away(tmp_path: Path) -> None:
    store = ImageStore(tmp_path, Records[StoredImage](), LISTED)
    old, young = store.begin(), store.begin()
    store.write(old, 0, b"beginning")
    os.utime(tmp_path / "incoming" / old, (0, 0))
    last = store.begin()
    assert {path.name for path in (tmp_path / "incoming").iterdir()} == {young, last}
