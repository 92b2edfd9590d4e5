"""Templates as documents, and the store of them."""

from __future__ import annotations

import email
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.test_download import Records
from virtcim.images.seed import seed_files
from virtcim.images.templates import Template, TemplateError, check_values, document_of, parse_template
from virtcim.images.templates.store import BUILT_IN, KeptTemplate, TemplateStore, template_files

DOCUMENT = """\
id = "debian"
version = 3
platforms = ["KVM"]
customize = "cloud-init"
size = "10 GiB"
user_data = "#cloud-config\\nruncmd: [[echo, ${port}, $$HOME]]\\n"

[image]
url = "https://example.com/debian.qcow2"

[disk]
BusType = "virtio"

[settings]
EnableACPI = true
BootDevices = ["hd", "cdrom"]

[[resources]]
kind = "Mem"
VirtualQuantity = 512

[[disks]]
size = "1 GiB"

[[parameters]]
name = "port"
type = "number"
least = 1
most = 65535
default = "80"

[[parameters]]
name = "word"
required = true
secret = true
most = 8
"""


def test_a_template_is_written_as_it_is_read() -> None:
    template = parse_template(DOCUMENT)
    assert (template.key, template.size, template.disks[0].size) == ("debian@3", 10 << 30, 1 << 30)
    assert parse_template(document_of(template)) == template


LETTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


@given(
    st.text(LETTERS, max_size=40),
    st.text(LETTERS, max_size=40),
    st.integers(0, 2**53),
    st.lists(st.text(LETTERS, max_size=9), max_size=3),
)
def test_whatever_stands_in_a_template_is_written_as_it_is_read(a: str, b: str, number: int, texts: list[str]) -> None:
    template = Template("x", title=a, description=b, settings={"A": a, "N": number, "L": tuple(texts), "B": True})
    read = parse_template(document_of(template))
    assert (read.title, read.description, dict(read.settings)) == (a, b, dict(template.settings))


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ('id = "debian"', 'id = "../debian"', "id: "),
        ('id = "debian"', "", "id: is missing"),
        ("version = 3", "version = 0", "version: 0"),
        ("version = 3", "version = true", "version: True"),
        ('customize = "cloud-init"', 'customize = "magic"', "customize: "),
        ('size = "10 GiB"', 'size = "ten"', "size: 'ten' is no size"),
        ('url = "https://example.com/debian.qcow2"', "", "image: says nowhere"),
        ('url = "https://example.com/debian.qcow2"', f'pool = "x"\nsha256 = "{"0" * 64}"', "belong together"),
        ('url = "https', 'sha256 = "12"\nurl = "https', "image.sha256"),
        ('url = "https', 'format = "auto"\nurl = "https', "image.format"),
        ('url = "https', 'format = "vmdk"\nurl = "https', "nothing can lie over vmdk"),
        ('type = "number"', 'type = "colour"', "parameters.type"),
        ('default = "80"', 'default = "70000"', "port: '70000'"),
        ("EnableACPI = true", "EnableACPI = { a = 1 }", "settings.EnableACPI"),
        ("[[disks]]", "[disks]", "disks: "),
        ('kind = "Mem"', "", "kind: is missing"),
        ("size = ", "sise = ", "sise: is not a part"),
        ("[image]", "[image", "template: "),
        ('size = "10 GiB"', f"size = {10**30}", "size: is more than 1 EiB"),
        ('size = "10 GiB"', 'size = "99999999999999999999 TiB"', "size: is more than 1 EiB"),
        ('size = "10 GiB"', 'pool = "a\\u0000b"', "pool: holds a NUL"),
        ('["hd", "cdrom"]', '["hd", "a\\u0000b"]', "settings.BootDevices: holds a NUL"),
    ],
)
def test_a_wrong_template_is_refused_by_name(before: str, after: str, text: str) -> None:
    assert before in DOCUMENT
    with pytest.raises(TemplateError, match=text.replace("[", r"\[")):
        parse_template(DOCUMENT.replace(before, after, 1))


def test_values_have_the_limits_of_their_parameters() -> None:
    template = parse_template(DOCUMENT)
    values = check_values(template, ["word=hidden", "memory=1 GiB"])
    assert (values["port"], values["word"], values["start"]) == ("80", "hidden", "yes")
    for wrong, text in (
        (["port=8"], "word: is missing"),
        (["word=a", "word=b"], "given twice"),
        (["word=a", "port=0"], "1 or more, and at most 65535"),
        (["word=too long for it"], "word: the value cannot be; expected at most 8"),
        (["word=a", "start"], "start: is no parameter"),
        (["word=a", f"port={'9' * 5000}"], "expected a whole number"),
        (["word=a", f"memory={'9' * 5000}"], "expected bytes"),
        (["word=a", "memory=99999999999999999999 TiB"], "no more than 1 EiB"),
        (["word=a", "processors=\u0665"], "expected a whole number"),
    ):
        with pytest.raises(TemplateError, match=text) as refused:
            check_values(template, wrong)
        assert "too long" not in str(refused.value)


def test_parameters_stand_in_user_data() -> None:
    template = parse_template(DOCUMENT)
    values = check_values(template, ["word=hidden", "port=8080"])
    data = seed_files(template, "1", "we b_1!", values)
    assert b'"local-hostname": "we-b-1"' in data["meta-data"]
    parts = [each.get_payload(decode=True) for each in email.message_from_bytes(data["user-data"]).walk()]
    assert b"#cloud-config\nruncmd: [[echo, 8080, $HOME]]\n" in parts


FILES = """
[[files]]
path = "/etc/motd"
content = "${hostname}: ${port}, \\"quoted\\"\\n"
mode = "0600"

[[files]]
path = "/srv/empty"
"""


def test_files_of_a_template_are_written_by_cloud_init() -> None:
    template = parse_template(DOCUMENT + FILES)
    assert parse_template(document_of(template)) == template
    data = seed_files(template, "1", "web", check_values(template, ["word=hidden"]))
    parts = list(email.message_from_bytes(data["user-data"]).walk())
    config = parts[1].get_payload(decode=True)
    assert isinstance(config, bytes)
    assert json.loads(config.partition(b"\n")[2])["write_files"] == [
        {"path": "/etc/motd", "content": 'web: 80, "quoted"\n', "permissions": "0600"},
        {"path": "/srv/empty", "content": "", "permissions": "0644"},
    ]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("/etc/motd", "etc/motd", "files.path: 'etc/motd'"),
        ("/etc/motd", "/etc/../motd", "files.path"),
        ("/etc/motd", "/", "files.path"),
        ("/etc/motd", "/srv/empty", "is there twice"),
        ("0600", "rw", "files.mode"),
        ('"0600"', "600", "files\\[0\\].mode: 600 is not a text"),
        ("content", "contents", "contents: is not a part of a template"),
        ('customize = "cloud-init"', 'customize = "none"', "are written by cloud-init"),
    ],
)
def test_files_that_cannot_be_are_refused(old: str, new: str, text: str) -> None:
    with pytest.raises(TemplateError, match=text):
        parse_template((DOCUMENT + FILES).replace(old, new))


def test_user_data_that_the_schema_of_cloud_init_refuses_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a stand-in for cloud-init, as few hosts of guests have it: it is given a file, and its status counts."""
    tool = tmp_path / "cloud-init"
    tool.write_text('#!/bin/sh\n[ "$1 $2" = "schema --config-file" ] && ! grep -q bogus "$3"\n')
    tool.chmod(0o755)
    template = Template("a", customize="cloud-init")

    def seed(text: str) -> dict[str, bytes]:
        return seed_files(template, "1", "web", {"user_data": text})

    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    seed("#cloud-config\nruncmd: []\n")
    seed("#!/bin/sh\necho bogus\n")
    with pytest.raises(TemplateError, match="schema") as refused:
        seed("#cloud-config\nbogus: secret\n")
    assert "secret" not in str(refused.value)


def test_the_templates_that_come_with_it_are_read_and_told_untried(tmp_path: Path) -> None:
    found = {each.id: each for each in template_files(None)}
    assert len(found) == len(list(BUILT_IN.glob("*.toml"))) == 8
    for each in found.values():
        assert each.image is None or (
            not each.tried and each.image.url.startswith("https://") and not each.image.sha256
        )
    (tmp_path / "mine.toml").write_text('id = "container"\ntitle = "Mine"\n')
    (tmp_path / "broken.toml").write_text("id = ")
    mine = {each.id: each for each in template_files(tmp_path)}
    assert (mine["container"].title, len(mine)) == ("Mine", 8)


def test_files_that_are_none_of_templates_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pipe would be waited for, and what has no end be read until there is no memory."""
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "directory.toml").mkdir()
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    (tmp_path / "gone.toml").symlink_to("nowhere")
    (tmp_path / "latin.toml").write_bytes(b'id = "latin"\ntitle = "\xe9"\n')
    (tmp_path / "large.toml").write_bytes(b"#" * (5 << 20))
    (tmp_path / "mine.toml").write_text('id = "mine"\n')
    found = {each.id for each in template_files(tmp_path)}
    assert ("mine" in found, len(found)) == (True, 9)
    for name in ("pipe", "directory", "zero", "gone", "latin", "large"):
        assert f"{name}.toml" in caplog.text


def test_files_are_read_only_and_the_newest_version_is_found() -> None:
    kept: Records[KeptTemplate] = Records()
    store = TemplateStore(kept)
    store.configure([Template("a", 1, origin="/etc/a.toml"), Template("a", 2, origin="/etc/b.toml")])
    store.add(Template("a", 10), "ann")
    with pytest.raises(TemplateError, match="exists already"):
        store.add(Template("a", 2), "ann")
    with pytest.raises(TemplateError, match=r"of /etc/a\.toml"):
        store.remove("a@1")
    with pytest.raises(TemplateError, match=r"of /etc/a\.toml"):
        store.change(Template("a", 1), "ann")
    newest = store.find("a")
    assert newest is not None
    assert newest.key == "a@10"
    assert [each.key for each in TemplateStore(kept).all()] == ["a@10"]
    store.remove("a@10")
    assert (store.find("a@10"), kept.items()) == (None, [])


def test_a_document_that_takes_long_to_read_is_refused() -> None:
    """A dotted key costs by the square of its parts: the megabyte of a request would be read for an hour."""
    key = f"a{'.a' * 300} = 1"
    for text in (key, f"x = ['''\na = \"''', {{{key}}}, '''\"\n''']"):
        with pytest.raises(TemplateError, match="more than 100 dots"):
            parse_template(text)


def test_long_texts_come_back() -> None:
    template = Template("a", user_data="#!/bin/sh\n" + "echo it's done. \x7f\n" * 500, description="'''...'''" * 50)
    assert parse_template(document_of(template)) == template
