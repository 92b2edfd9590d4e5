"""The state directory and the files in it: nobody else may put theirs there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from virtcim.app.certificates import CERTIFICATE, make_pair
from virtcim.app.credentials import first_password, make_state_dir
from virtcim.files import write_anew


def test_a_link_in_the_way_leads_nowhere(tmp_path: Path) -> None:
    """Whoever can write to the directory must not choose which file is overwritten, or keep the password open."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "password.new").symlink_to(victim)
    user, password = first_password(tmp_path)
    assert victim.read_text() == "precious"
    assert (tmp_path / "password").read_text() == f"{user}:{password}\n"
    assert not (tmp_path / "password").is_symlink()


def test_a_file_in_the_way_is_not_written_into(tmp_path: Path) -> None:
    left = tmp_path / "password.new"
    left.write_text("left over")
    left.chmod(0o666)
    with left.open() as held:
        write_anew(tmp_path / "password", "secret\n")
        assert held.read() == "left over"
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600


def test_a_certificate_is_written_into_no_file_of_others(tmp_path: Path) -> None:
    """Root makes it in the directory of the server's user, who knows the numbers of processes."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o600)
    for name in (f"{CERTIFICATE}.{os.getpid()}", f"{CERTIFICATE}.new", CERTIFICATE):
        (tmp_path / name).symlink_to(victim)
    certificate, _ = make_pair(tmp_path, ["localhost"])
    assert certificate.read_text().startswith("-----BEGIN CERTIFICATE")
    assert (victim.read_text(), stat.S_IMODE(victim.stat().st_mode)) == ("precious", 0o600)


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_state_directory_that_others_may_write_to_is_made_safe(
    tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    directory.chmod(mode)
    make_state_dir(directory)
    assert not directory.stat().st_mode & 0o022
    assert "others could write to it" in caplog.text


def test_a_state_directory_is_made_private(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_state_dir(tmp_path / "a" / "state")
    assert stat.S_IMODE((tmp_path / "a" / "state").stat().st_mode) == 0o700
    assert not caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_state_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o755)
    os.chown(directory, 12345, 12345)
    with pytest.raises(ValueError, match="it belongs to the user 12345"):
        make_state_dir(directory)
