"""The option of `virtcim serve` that opens the bridge's socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.bed import Server


def test_one_option_opens_the_socket(serve: Callable[..., Server], tmp_path: Path) -> None:
    path = tmp_path / "cmpi.sock"
    server = serve("test:///default", arguments=["--cmpi-socket", str(path)], config='[cmpi]\nsocket = "/nowhere"\n')
    assert path.is_socket()
    assert path.stat().st_mode & 0o777 == 0o600
    server.stop()
    assert not path.exists()
