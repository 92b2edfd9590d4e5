"""Settings: the file, the command line, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtcim.config import ConfigError, load, parse_listen
from virtcim.credentials import first_password
from virtcim.main import main


def written(directory: Path, text: str) -> Path:
    file = directory / "virtcim.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_file_sets_every_layer(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        'uris = ["test:///default"]\n[server]\nmax_body = 1000\n[inventory]\ninterval = 3\nread_only = true\n'
        'watch_directories = {"/somewhere" = "domain"}\n[providers]\nshutdown_timeout = 5\n',
    )
    settings = load(file, {})
    assert settings.uris == ("test:///default",)
    assert settings.server.max_body == 1000
    assert settings.inventory.interval == 3.0
    assert settings.inventory.read_only
    assert settings.inventory.watch_directories == {Path("/somewhere"): "domain"}
    assert settings.providers.shutdown_timeout == 5.0


def test_command_line_wins(tmp_path: Path) -> None:
    file = written(tmp_path, 'listen = "127.0.0.1:1"\nuris = ["a:///"]\n')
    settings = load(file, {"listen": "127.0.0.1:2", "uris": None})
    assert settings.listen == "127.0.0.1:2"
    assert settings.uris == ("a:///",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1\n", "colour"),
        ("[server]\ncolour = 1\n", "server.colour"),
        ("[server]\nmax_body = 'big'\n", "server.max_body"),
        ("[server]\nmax_body = true\n", "server.max_body"),
        ("server = 1\n", "server"),
        ("uris = 'qemu:///system'\n", "uris"),
        ("log_level = 'LOUD'\n", "log_level"),
        ("listen = '127.0.0.1'\n", "listen"),
        ("auth = 'maybe'\n", "auth"),
        ("listen = '0.0.0.0:5988'\nauth = 'none'\n", "auth"),
        ("listen = '[::]:5988'\nauth = 'none'\n", "auth"),
        ("= 1\n", "virtcim.toml"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(written(tmp_path, text), {})
    assert named in str(raised.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "[::1]", "localhost"])
def test_no_authentication_on_loopback(host: str) -> None:
    assert load(None, {"listen": f"{host}:0", "auth": "none"}).auth == "none"


@pytest.mark.parametrize("text", ["", ":5988", "host", "host:", "host:x", "host:65536", "::1:5988", "h:-1", "h:٣"])
def test_listen_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_listen(text)


def test_listen_of_ipv6() -> None:
    assert parse_listen("[::1]:5988") == ("::1", 5988)


def test_wrong_setting_ends_with_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--listen", "0.0.0.0:0", "--auth", "none"]) == 2
    assert "loopback" in capsys.readouterr().err


def test_password_is_kept_and_private(tmp_path: Path) -> None:
    user, password = first_password(tmp_path)
    assert first_password(tmp_path) == (user, password)
    file = tmp_path / "password"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(password) >= 20


def test_damaged_password_file_is_no_open_door(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="user:password"):
        first_password(tmp_path)
