"""Settings: the file, the command line, and what is refused."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from tests.cimom.toy import class_store
from virtcim.app.config import (
    HIGHEST,
    LOWEST,
    ConfigError,
    Settings,
    check_number,
    load,
    naming,
    parse_auth,
    parse_listen,
)
from virtcim.app.credentials import first_password
from virtcim.app.main import main
from virtcim.app.reference import documented, reference
from virtcim.app.roles import make_access
from virtcim.cimom.access import NamespaceRoles, Role, RoleSettings
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.frontends.cmpi.settings import CmpiSettings
from virtcim.frontends.http.tls import TLSSettings


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


def test_command_line_goes_into_tables(tmp_path: Path) -> None:
    file = written(tmp_path, "[cmpi]\nusers = [7]\nsocket = '/a'\n")
    settings = load(file, {"cmpi.enabled": True, "cmpi.socket": Path("/b"), "tls.self_signed": True, "tls.names": None})
    assert settings.cmpi == CmpiSettings(enabled=True, socket=Path("/b"), users=(7,))
    assert settings.tls == TLSSettings(self_signed=True)


def test_command_line_into_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^cmpi: "):
        load(written(tmp_path, "cmpi = 1\n"), {"cmpi.enabled": True})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1\n", "colour"),
        ("[server]\ncolour = 1\n", "server.colour"),
        ("[server]\nmax_body = 'big'\n", "server.max_body"),
        ("[server]\nmax_body = true\n", "server.max_body"),
        ("server = 1\n", "server: 1 is not a table; expected one"),
        ("[server]\nmax_body = -1\n", "server.max_body: -1 cannot be; expected 1 or more"),
        ("[server]\nmax_body = 0\n", "server.max_body: 0 cannot be"),
        ("[server]\nuser_share = 1.5\n", "server.user_share: 1.5 cannot be; expected more than 0, and at most 1"),
        ("[server]\nlogin_delay = -1\n", "server.login_delay: -1.0 cannot be; expected 0 or more"),
        ("[server]\nidle_timeout = nan\n", "server.idle_timeout: nan cannot be"),
        ("[server]\nbody_timeout = inf\n", "server.body_timeout: inf cannot be"),
        ("[server]\npull_timeout = 700\n", "pull_timeout is 700; expected 1 (pull_min_timeout) to 600"),
        ("[inventory]\ninterval = 0\n", "inventory.interval: 0.0 cannot be"),
        ("[inventory]\nreaders = 0\n", "inventory.readers: 0 cannot be"),
        ("[providers.jobs]\nworkers = 0\n", "providers.jobs.workers: 0 cannot be"),
        ("[cmpi]\ngroup = -2\n", "cmpi.group: -2 cannot be; expected -1 or more"),
        ("[cmpi]\nusers = [-1]\n", "cmpi.users: -1 cannot be; expected 0 or more"),
        ("uris = 'qemu:///system'\n", "uris"),
        ("log_level = 'LOUD'\n", "log_level"),
        ("log_format = 'verse'\n", "log_format"),
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


def every_number(kind: type[Any], where: str = "") -> Iterator[tuple[str, type[Any]]]:
    for name, hint in typing.get_type_hints(kind).items():
        if dataclasses.is_dataclass(hint):
            yield from every_number(hint, f"{where}{name}.")  # type: ignore[arg-type]
        elif hint in (int, float):
            yield f"{where}{name}", hint


@pytest.mark.parametrize(("name", "kind"), list(every_number(Settings)))
def test_every_number_has_bounds_and_its_default_is_within(name: str, kind: type[Any]) -> None:
    value: Any = Settings()
    for part in name.split("."):
        value = getattr(value, part)
    check_number(kind, value, name)
    first, *inner = name.split(".")
    for impossible in (-2, 2**60) if kind is int else (-2, 2**60, float("nan"), float("inf")):
        nested: Any = impossible
        for part in reversed(inner):
            nested = {part: nested}
        with pytest.raises(ConfigError, match=f"^{name}: .* cannot be; expected "):
            load(None, {first: nested})


def test_bounds_are_of_settings_that_there_are() -> None:
    lists = {"cmpi.users"}
    assert (LOWEST.keys() | HIGHEST.keys()) - lists <= {name for name, _ in every_number(Settings)}


def test_a_fault_names_its_setting(tmp_path: Path) -> None:
    expected = r"^auth: /nowhere: No such file or directory; expected a file$"
    with pytest.raises(ConfigError, match=expected), naming("auth", "a file"):
        Path("/nowhere").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^--config: .*missing\.toml: No such file or directory; expected"):
        load(tmp_path / "missing.toml", {})


def every_dataclass(kind: type[Any]) -> set[type[Any]]:
    found = {kind}
    for hint in typing.get_type_hints(kind).values():
        for each in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(each):
                found |= every_dataclass(each)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("kind", sorted(every_dataclass(Settings), key=attrgetter("__name__")))
def test_every_setting_is_documented(kind: type[Any]) -> None:
    texts = documented(kind)
    for item in dataclasses.fields(kind):
        if not dataclasses.is_dataclass(typing.get_type_hints(kind)[item.name]):
            assert len(texts.get(item.name, "")) > 8, f"{kind.__name__}.{item.name} is not in its docstring"


def test_the_page_about_settings_is_current() -> None:
    page = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == reference(), "run: python -m virtcim.app.reference > docs/configuration.md"


def test_the_example_of_the_page_is_taken(tmp_path: Path) -> None:
    text = reference().partition("```toml\n")[2].partition("```")[0]
    settings = load(written(tmp_path, text), {})
    assert settings.listen_https == "0.0.0.0:5989"
    assert settings.roles.namespaces["interop"].read == ("*",)
    assert settings.compatibility.includes("127.0.0.1:5988")
    assert not settings.compatibility.includes("127.0.0.1:5989")


@pytest.mark.parametrize("page", ["security.md", "compatibility.md"])
def test_examples_in_other_pages_are_taken(tmp_path: Path, page: str) -> None:
    text = (Path(__file__).parent.parent / "docs" / page).read_text(encoding="utf-8")
    for example in text.split("```toml\n")[1:]:
        load(written(tmp_path, example.partition("```")[0]), {})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("password", [("password", "")]),
        ("pam", [("pam", "")]),
        ("pam:login, htpasswd:/a:b", [("pam", "login"), ("htpasswd", "/a:b")]),
        ("certificate", [("certificate", "")]),
    ],
)
def test_ways_to_authenticate(text: str, found: list[tuple[str, str]]) -> None:
    assert parse_auth(text) == found


@pytest.mark.parametrize(
    "text", ["", "htpasswd", "htpasswd:", "pam:", "none,password", "password:x", "certificate,pam", "a"]
)
def test_ways_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="auth"):
        parse_auth(text)


def test_roles_of_the_interop_namespace_count_under_every_name() -> None:
    roles = RoleSettings(read=(), administer=(), namespaces={"Interop": NamespaceRoles(read=("anna",))})
    access = make_access(roles, class_store(), {})
    anna = Principal("anna", Mechanism.PAM)
    for name in ("interop", "root/interop", "ROOT/PG_InterOp", "/root/interop/"):
        assert access.role(anna, name) is Role.READ
    assert access.role(anna, "root/virt") is Role.NONE
