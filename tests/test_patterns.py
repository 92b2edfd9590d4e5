"""Every regular expression of the tree: none that a text from outside can make slow.

A pattern without an unbounded repetition looks at a text once.  Each other one stands in `REASONS`, with what bounds
its work: the text's length, where it comes from, or that there is nothing to try again.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "virtcim"

FUNCTIONS = {"compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"}

OURS = "what is matched is written in this tree"
ADMINISTRATOR = "what is matched comes from the administrator's files or programs"
LIBVIRT = "libvirt wrote the text: an attribute's value holds no < and no quote of its own"
DISJOINT = "anchored, and what follows a repetition cannot begin with what is repeated"

ONCE_EACH = "anchored; each character is given back once at most, and then the end is missed at once"
_RUN = "one class of characters: nothing is tried again"
_URI = "the text is bounded by _MOST_URI"
_QUOTED = "runs of plain characters and escapes, which cannot be told apart in two ways, from a place that is fixed"
REASONS: dict[tuple[str, str], str] = {
    ("libhelper/documents/domain/agreement.py", r"[0-9,^ -]+"): "one class of characters, matched from the start",
    ("libhelper/inventory/records.py", "[0-9]+"): "one class of characters, of 64 bytes",
    ("libhelper/documents/domain/alike.py", r"<uuid>[^<]*"): "ends at a character that it begins with",
    (
        "libhelper/documents/domain/domain.py",
        r"\s*<([A-Za-z][\w.-]*)",
    ): "classes that have no character in common, matched once from the start",
    ("schema/paths.py", r'"([^"\\]*(?:\\.[^"\\]*)*)"\s*'): _QUOTED,
    ("schema/paths.py", r"'([^'\\]*(?:\\.[^'\\]*)*)'\s*"): _QUOTED,
    (
        "schema/paths.py",
        r"\s*([^\W\d]\w*)\s*=\s*",
    ): "classes that have no character in common, from a place that is fixed",
    (
        "schema/paths.py",
        r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31}):(?=//))?(?://(?P<host>[^/]*)/|/)?(?:(?P<namespace>[\w/.-]*):)?"
        r"(?P<class>[^\W\d]\w*)(?P<keys>[.=].*)\Z",
    ): "each part ends at a character that it cannot hold, and is matched once from the start",
    ("images/toml.py", r"""[\w-]{1,64} = "(?:[^"\\']|\\.)*+\""""): "possessive: nothing is tried again",
    ("app/reference.py", r"^( *)([a-z_]+(?:, [a-z_]+)*): ?(.*)$"): OURS,
    (
        "cimom/query/like.py",
        r"%+|_|\[\^?\]?[^\]]*\]|.",
    ): "the length of a pattern is bounded by MAX_PATTERN_LENGTH, and what is put together is atomic",
    (
        "cimom/query/like.py",
        r"f'{first}{middle}{last}'",
    ): "the length of a pattern is bounded by MAX_PATTERN_LENGTH, and what is put together is atomic",
    ("cimom/query/parser.py", r"_?[A-Z]+\Z"): OURS,
    ("frontends/reading/elements.py", r"\s++"): "possessive: nothing is tried again",
    (
        "frontends/reading/elements.py",
        r"""<!DOCTYPE(?:[^\[>\"']|\"[^\"]*+\"|'[^']*+')*+\[""",
    ): "possessive: nothing is tried again",
    (
        "frontends/reading/xmltext.py",
        r"""<[^\s<>=\"'&]++|\s[^\s<>/=\"'&]++\s*+=|&[^\s;#&<]++|>\s{16,}+(?=<)""",
    ): "possessive: nothing is tried again",
    ("frontends/cimxml/headers.py", r'([^=,"]+)=("[^"\\]*(?:\\.[^"\\]*)*"|[^",]*)(?:,|\Z)'): DISJOINT,
    (
        "frontends/cimxml/repeats.py",
        r"(?:<\?xml[^<>]*\?>)?\s*<CIM\s[^<>]*>\s*<MESSAGE\s+ID=\"([\w.:-]{1,64})\"",
    ): "matched once, from the beginning of a body bounded by MAX_BODY; each run ends at a character that it has not",
    ("frontends/http/tls.py", r"self.match"): "the administrator writes the pattern; the value is bounded by MAX_VALUE",
    (
        "frontends/http/tls.py",
        r"'()' * groups",
    ): "the administrator writes the pattern; the value is bounded by MAX_VALUE",
    ("libhelper/host.py", r"<host>\s*<uuid>([^<]+)</uuid>"): LIBVIRT,
    ("libhelper/inventory/records.py", r"""<graphics(?:\s+[\w:.-]+=(?:'[^']*'|"[^"]*"))+"""): LIBVIRT,
    ("libhelper/inventory/records.py", r"""(\s)([\w:.-]+)=('[^']*'|"[^"]*")"""): LIBVIRT,
    ("libhelper/metrics/screen.py", r"P6(?:\s|#[^\n]*\n)+(\d{1,5})\s+(\d{1,5})\s+255\s"): DISJOINT,
    ("libhelper/uris.py", r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\Z|[0-9A-Fa-f:.]+\Z"): ONCE_EACH,
    ("libhelper/uris.py", r"[A-Za-z0-9]*\Z"): DISJOINT,
    ("libhelper/uris.py", r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z"): DISJOINT,
    ("libhelper/uris.py", r"[a-z][a-z0-9]*(\+[a-z0-9]+)?\Z"): DISJOINT,
    ("libhelper/xml/mapping.py", r"[ \t\r\n]*([+-]?[0-9]{1,20})[ \t\r\n]*"): DISJOINT,
    ("libhelper/xml/mapping.py", r"([^\[\]@/]+)(?:\[@([^=\]]+)='([^']*)'\])?"): OURS,
    ("libhelper/xml/mapping.py", r"\[@[^=]+='([^']*)'\]"): OURS,
    (
        "libhelper/xml/text.py",
        r"\ufeff?(?>\s+|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE",
    ): "atomic and possessive: nothing is tried again",
    ("platforms/base.py", r"[A-Za-z][A-Za-z0-9]*\Z"): ADMINISTRATOR,
    ("providers/Virt_RASD/processor_share.py", r"(\d{1,5}):([0-9,^-]+)"): DISJOINT,
    ("providers/Virt_VSSD/parts.py", r"([a-z0-9]+)(?::(.*))?"): DISJOINT,
    ("providers/Virt_VSSD/parts.py", r"([0-9,^-]*):([0-9]{1,15})"): DISJOINT,
    (
        "providers/Virt_VSMigrationService/wishes.py",
        r"(tcp|tcps)://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?/?|tcp:[A-Za-z0-9._-]+(?::[0-9]{1,5})?",
    ): DISJOINT,
    (
        "providers/requested.py",
        r"""<([\w:.-]+)\s+xmlns(?::\w+)?=(['\"])""",
    ): "what follows a repetition cannot begin with what is repeated, and a start is a <",
    ("app/commands/plugin.py", r"[-_.]+"): _RUN,
    ("app/commands/template.py", r"[^a-z0-9._]+"): _RUN,
    ("images/appliances/descriptor/hardware.py", r"(?:ovf:/{1,2}|/)?(disk|file)/(.+)"): DISJOINT,
    (
        "images/appliances/descriptor/products.py",
        r"(u?int(8|16|32|64)?|sint(8|16|32|64)|string|boolean|real(32|64)?|char16|datetime|password|ip(:.*)?)",
    ): DISJOINT,
    (
        "images/appliances/descriptor/hardware.py",
        r".*CIM_[A-Za-z]+SettingData(\.xsd)?",
    ): "each character is given back once; letters after one CIM_ end before the next",
    ("images/appliances/descriptor/hardware.py", r"[\s,]+"): _RUN,
    ("providers/Virt_ApplianceCatalog/templates.py", r"[^a-z0-9._-]+"): _RUN,
    ("images/appliances/descriptor/references.py", r"\$\{[^{}]+\}"): DISJOINT,
    ("images/appliances/hardware.py", r"[\s,]+"): _RUN,
    (
        "images/appliances/images.py",
        r"(?<![\w.])/[^\s':,]*/",
    ): "the line of a program of ours; given back to its last /",
    ("images/appliances/images.py", r"\(([0-9]{1,3})\.[0-9]+/100%"): "a line is bounded by _LINE",
    ("images/appliances/images.py", r"https?://(go\.microsoft\.com/fwlink/\?LinkId=137171|.*/vhd)"): _URI,
    ("images/appliances/images.py", r"https?://(www\.gnome\.org/~markmc/qcow-image-format\.html|.*qcow2?.*)"): _URI,
    ("images/appliances/images.py", r"https?://.*[/#]raw|raw"): _URI,
    ("images/appliances/images.py", r"https?://.*vhdx.*"): _URI,
    ("images/appliances/images.py", r"https?://www\.ecma-international\.org/.*Ecma-119.*"): _URI,
    ("images/appliances/images.py", r"https?://www\.vmware\.com/.*vmdk.*"): _URI,
    ("images/appliances/machine.py", r"(?:ovf:/{1,2}|/)?(disk|file)/(.+)"): DISJOINT,
    ("images/appliances/machine.py", r"\$\{([^{}]+)\}"): DISJOINT,
    (
        "images/appliances/manifest.py",
        r"(?P<algorithm>[A-Za-z0-9-]+) ?\((?P<name>.+)\) ?= ?(?P<digest>[0-9A-Fa-f]+)\s*",
    ): "anchored; digits after one ) end before the next",
    (
        "images/appliances/properties.py",
        r"(\w+)\s*[({]((?:[^(){}\"]|\"[^\"]*\")*)[)}]",
    ): "the text is bounded by _MOST_QUALIFIERS",
    (
        "images/appliances/properties.py",
        r"\"((?:[^\"\\]|\\.)*)\"|([^\s,]+)",
    ): "the text is bounded by _MOST_QUALIFIERS",
    ("images/appliances/units.py", r"[A-Za-z]*"): _RUN,
    ("images/appliances/units.py", r"\s*([*/])\s*([0-9]{1,20})(?:\s*\^\s*([0-9]{1,3}))?"): DISJOINT,
    ("images/download.py", r"([0-9a-fA-F]{64}|[0-9a-fA-F]{128})\s+[ *]?(\S.*)\Z"): DISJOINT,
    (
        "images/download.py",
        r"SHA(?:2-)?(?:256|512) ?\((.+)\) ?= ?([0-9a-fA-F]{64}|[0-9a-fA-F]{128})\Z",
    ): ONCE_EACH,
    ("images/download.py", r"bytes ([0-9]+)-[0-9]+/"): DISJOINT,
    (
        "images/templates/parameters.py",
        r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\Z",
    ): DISJOINT,
    ("images/templates/parameters.py", r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+(?: [^\n]*)?\Z"): DISJOINT,
    ("images/templates/sizes.py", r"([0-9]{1,20})\s*(B|KiB|MiB|GiB|TiB)?\Z"): DISJOINT,
    ("providers/units.py", r"([*/])\s*(\d{1,20})(?:\s*\^\s*([+-]?\d{1,3}))?\s*"): "the text is bounded by MAX_LENGTH",
    ("providers/units.py", r"(\d{1,20})\s*\*\s*"): "the text is bounded by MAX_LENGTH",
    ("providers/units.py", r"\s*(?:/|per)\s*s(?:ec(?:ond)?)?\s*$"): "the text is bounded by MAX_LENGTH",
    ("providers/units.py", r"[A-Za-z]+"): "the text is bounded by MAX_LENGTH",
    ("providers/units.py", r"/\s*second(?=\s*\*)"): "the text is bounded by MAX_LENGTH",
    ("registration/documentation.py", r"always (\d+)"): OURS,
    ("registration/pegasus.py", r"(\d+)\.(\d+)"): ADMINISTRATOR,
    ("registration/sfcb.py", r"^\s*class\s+(CIM_\w+)"): ADMINISTRATOR,
    ("registration/sfcb.py", r"f'^(?:-e)?\\s*{option}\\s.*\\[(/.*)\\]\\s*$'"): ADMINISTRATOR,
    ("schema/classes.py", r"f'\\b{template}_'"): OURS,
    (
        "schema/values.py",
        r"[+-]?(?:[0-9]+|0[xX][0-9a-fA-F]+|[01]+[bB])\Z",
    ): "the text is bounded by _MAX_NUMBER_LENGTH, or has the 25 characters of a datetime",
    (
        "schema/values.py",
        r"[+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?\Z",
    ): "the text is bounded by _MAX_NUMBER_LENGTH, or has the 25 characters of a datetime",
    (
        "schema/values.py",
        r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{1,6})(\**)([+-])(\d{3})\Z",
    ): "the text is bounded by _MAX_NUMBER_LENGTH, or has the 25 characters of a datetime",
    (
        "schema/values.py",
        r"(\d{8})(\d\d)(\d\d)(\d\d)\.(\d{1,6})(\**):000\Z",
    ): "the text is bounded by _MAX_NUMBER_LENGTH, or has the 25 characters of a datetime",
}


def patterns() -> Iterator[tuple[str, str, str]]:
    """List the patterns: file, the pattern on one line (or how it is put together), and it itself ("" then)."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "re" and node.func.attr in FUNCTIONS:
                given = node.args[0]
                text = given.value if isinstance(given, ast.Constant) else ""
                pattern = text.decode("latin-1") if isinstance(text, bytes) else str(text)
                yield str(file.relative_to(PACKAGE)), " ".join((pattern or ast.unparse(given)).split()), pattern


def is_unbounded(pattern: str) -> bool:
    """Whether a pattern repeats something without an end: a `*`, `+` or `{n,}` outside of sets and escapes."""
    bare = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern)
    return re.search(r"[*+]|\{\d*,\}", bare) is not None


def test_every_pattern_that_repeats_without_an_end_has_a_reason() -> None:
    found = {(file, text) for file, text, pattern in patterns() if not pattern or is_unbounded(pattern)}
    assert found - REASONS.keys() == set(), "say in REASONS what bounds them"
    assert REASONS.keys() - found == set(), "they are gone"


def test_patterns_are_called_by_the_name_of_their_module() -> None:
    """What is imported from `re` by name, or under another one, would be missed here."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "re", file
            elif isinstance(node, ast.Import):
                assert all(each.name != "re" or each.asname is None for each in node.names), file


@pytest.mark.parametrize(
    ("pattern", "unbounded"),
    [
        ("a*", True),
        ("a+", True),
        ("a{2,}", True),
        ("a{2,3}", False),
        (r"\*[*+]", False),
        ("(?>a+)", True),
        ("a?", False),
    ],
)
def test_what_counts_as_unbounded(pattern: str, unbounded: bool) -> None:
    assert is_unbounded(pattern) is unbounded
