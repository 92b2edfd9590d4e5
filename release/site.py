"""`make site`: the pages of docs/ and a page for each class, made into a site with a search by Sphinx."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from release.classpages import ClassPages
from release.source import ROOT
from virtcim.app.platforms import load_classes
from virtcim.platforms.registry import load_platforms
from virtcim.providers.kinds import KINDS
from virtcim.providers.site import Site
from virtcim.registration.catalog import build_catalog

__all__ = ["build_site", "class_pages", "dead_links", "write_source"]

HOW = ROOT / "packaging" / "site"
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")


def class_pages() -> ClassPages:
    """Make the pages of the classes, for the platforms that come with virtcim."""
    platforms = load_platforms(())
    return ClassPages(build_catalog(Site((), platforms, KINDS)), platforms, load_classes(platforms, None))


def write_source(into: Path) -> None:
    """Write what Sphinx makes the site of: the pages as they stand in the tree, and those of the classes."""
    shutil.copytree(HOW, into, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.txt", "__pycache__"))
    for name in PAGES:
        shutil.copyfile(ROOT / name, into / ("index.md" if name == "README.md" else name))
    shutil.copytree(ROOT / "docs", into / "docs", dirs_exist_ok=True)
    pages = class_pages()
    classes = into / "classes"
    classes.mkdir()
    (classes / "index.md").write_text(pages.index(), encoding="utf-8")
    for name in pages.names:
        (classes / f"{name}.md").write_text(pages.page(name), encoding="utf-8")
    with (into / "index.md").open("a", encoding="utf-8") as index:
        index.write(_tree("classes/index", *_in_order(), *(name.removesuffix(".md") for name in PAGES[1:])))


def _in_order() -> Iterator[str]:
    """Give the pages in the order in which docs/README.md lists them; it has to list them all."""
    names = re.findall(r"^\* \[([\w-]+)\.md\]", (ROOT / "docs/README.md").read_text(encoding="utf-8"), re.MULTILINE)
    yield from (f"docs/{name}" for name in ("README", *names))


def _tree(*names: str) -> str:
    return "\n".join(["", "```{toctree}", ":hidden:", ":maxdepth: 1", "", *names, "```", ""])


def build_site(into: Path, python: Path) -> None:
    """Make the site.

    Parameters:
        into: the directory, which is made anew.
        python: the interpreter of the environment that has packaging/site/requirements.txt.

    Raises:
        SystemExit: Sphinx has something to complain of, or a link leads nowhere; the text says so.
    """
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "source"
        write_source(source)
        shutil.rmtree(into, ignore_errors=True)
        done = subprocess.run(
            [python, "-m", "sphinx", "-W", "--keep-going", "-q", "-j", "auto",
             "-d", Path(directory) / "doctrees", source, into],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"sphinx: status {done.returncode}; expected 0\n{done.stdout}{done.stderr}")
    if dead := dead_links(into):
        raise SystemExit("\n".join(f"{page}: {link} leads nowhere" for page, link in dead))


class _Page(HTMLParser):
    """Reads where a page leads to, and what can be led to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = {""}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.links.add(value)
            elif name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value or "")


def dead_links(site: Path) -> list[tuple[str, str]]:
    """Find links within a site that lead to no file, or to no place in it.

    Returns:
        pairs of page and link.
    """
    pages: dict[Path, _Page] = {}
    for file in sorted(site.resolve().rglob("*.html")):
        pages[file] = _Page()
        pages[file].feed(file.read_text(encoding="utf-8"))
    dead = []
    for file, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            known = pages.get(target)
            if not target.exists() or (known is not None and unquote(parts.fragment) not in known.anchors):
                dead.append((str(file.relative_to(site.resolve())), link))
    return dead


def main() -> None:
    """Make the site, and print where it is."""
    parser = argparse.ArgumentParser(prog="python -m release.site", description="Make the site of the documentation.")
    parser.add_argument("--into", type=Path, default=ROOT / "build/site", help="the directory; default: build/site")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="the interpreter that has Sphinx")
    arguments = parser.parse_args()
    build_site(arguments.into, arguments.python)
    print(f"{arguments.into}/index.html")


if __name__ == "__main__":
    main()
