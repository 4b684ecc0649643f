"""Pages fit their column, and every picture is small, described, and beside the command that made it.

How many characters of code a container holds was measured in a browser at a window of 1280 pixels. CONTRIBUTING.md is
the page contributing.md.
"""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if page.name != "contributing.md"]
PICTURES = DOCS / "assets" / "pictures"

COLUMN = 80
WIDE_COLUMN = 109  # of a page that hides its table of contents
README_COLUMN = 88  # of the page that shows a repository
INDENTED = 4  # fewer in a list
CONTAINERS = {
    "gallery": 54,
    "terminal": 124,
}  # classes of docs.css with smaller letters; both on pages with the wide column
FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)[^\n`]*\n(?P<code>.*?)^(?P=indent)(?P=fence)$", re.MULTILINE | re.DOTALL
)
IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<path>[^)#\s]+)(?P<theme>#only-light|#only-dark)?\)")


def blocks(text: str) -> list[tuple[int, int, str]]:
    """Return line, indentation and code of each fenced block of a page."""
    return [
        (text.count("\n", 0, match.start()) + 2, len(match["indent"]), match["code"]) for match in FENCE.finditer(text)
    ]


def room(text: str, first: int, indent: int, column: int) -> int:
    """Return how many characters a block has room for, by the container that is open above its first line."""
    above = "\n".join(text.splitlines()[: first - 1])
    for name, characters in CONTAINERS.items():
        opened = above.rpartition(f'<div class="{name}"')
        if opened[1] and opened[2].count("<div") + 1 > opened[2].count("</div>"):
            return characters
    return column - INDENTED * (indent > 0)


def too_wide(text: str, column: int) -> list[str]:
    """Return the lines of code that are wider than their container."""
    found = []
    for first, indent, code in blocks(text):
        most = room(text, first, indent, column)
        for number, line in enumerate(code.splitlines(), first):
            if len(line) - indent > most:
                found.append(f"line {number}: {len(line) - indent} characters, room for {most}: {line.strip()}")
    return found


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_no_block_of_code_is_wider_than_its_column(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    hidden = text.startswith("---\nhide: [toc]\n---\n")
    column = README_COLUMN if page.name == "README.md" else WIDE_COLUMN if hidden else COLUMN
    assert too_wide(text, column) == []


def test_a_wide_line_is_found_at_its_place() -> None:
    text = "# Title\n\n```text\nshort\n" + 81 * "x" + "\n```\n\n- item\n\n  ```python\n  " + 77 * "y" + "\n  ```\n"
    assert [line.partition(":")[0] for line in too_wide(text, COLUMN)] == ["line 5", "line 11"]
    assert too_wide(text, WIDE_COLUMN) == []
    card = '<div class="gallery" markdown>\n<div markdown>\n\n```text\n' + 55 * "x" + "\n```\n\n</div>\n</div>\n"
    assert [line.partition(":")[0] for line in too_wide(card + text, COLUMN)] == ["line 5", "line 14", "line 20"]


def test_pages_with_the_wide_column_hide_their_contents() -> None:
    assert (DOCS / "contributing.md").read_text(encoding="utf-8").startswith("---\nhide: [toc]\n---\n")
    wide = too_wide((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), WIDE_COLUMN)
    assert wide == []


# ------------------------------------------------------------------ pictures


def uses() -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Return page, verb and commands of each use in docs/pictures, which is read and not run."""
    tree = ast.parse((DOCS / "pictures" / "__main__.py").read_text(encoding="utf-8"))
    named = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}

    def text(value: ast.expr) -> str:
        return ast.literal_eval(named[value.id] if isinstance(value, ast.Name) else value)

    found = {}
    for key, use in zip(named["USES"].keys, named["USES"].values, strict=True):
        page, verb, _, _, commands = use.args
        found[text(key)] = (text(page), text(verb), tuple(text(command) for command in commands.elts))
    return found


USES = uses()


def commands_on(page: Path) -> list[list[str]]:
    """Return the words of every command of isthmus that stands in a block of a page."""
    lines = "\n".join(code for *_, code in blocks(page.read_text(encoding="utf-8"))).replace("\\\n", " ").splitlines()
    typed = (line.strip().removeprefix("$ ") for line in lines)
    return [shlex.split(line, comments=True) for line in typed if line.startswith("isthmus ")]


@pytest.mark.parametrize("name", USES)
def test_a_picture_stands_beside_the_command_that_made_it(name: str) -> None:
    page, verb, commands = USES[name]
    there, at_home = commands_on(DOCS / page), commands_on(DOCS / "index.md")
    (shown,) = [command for command in commands if command.startswith(f"isthmus {verb} ")]
    assert [command for command in commands if shlex.split(command) not in there] == []
    assert shlex.split(shown) in at_home
    for shows in (DOCS / page, DOCS / "index.md"):
        themes = [
            image["theme"]
            for image in IMAGE.finditer(shows.read_text(encoding="utf-8"))
            if f"/{name}-" in image["path"]
        ]
        assert themes == ["#only-light", "#only-dark"], shows


def test_inputs_of_the_pictures_are_written_and_a_picture_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = ("canvas", "inputs", "drawings")
    monkeypatch.syspath_prepend(DOCS / "pictures")
    monkeypatch.chdir(tmp_path)
    try:
        canvas, inputs, drawings = (importlib.import_module(name) for name in modules)
    finally:
        for name in modules:  # names so common must not stay for other tests
            sys.modules.pop(name, None)
    for prepare in (
        inputs.noisy_digits,
        inputs.torn_digits,
        inputs.few_labels,
        inputs.wines,
        inputs.irises,
        inputs.people,
    ):
        prepare()
    assert len(Path("people.csv").read_text().splitlines()) == 601
    assert sum(line != "" for line in Path("few.csv").read_text().splitlines()[1:]) == 50
    cells = [cell for line in Path("flowers.csv").read_text().splitlines()[1:] for cell in line.split(",")]
    assert len(cells) == 5 * 150
    assert 0.07 < cells.count("") / len(cells) < 0.13
    drawings.parts(canvas.DARK).savefig("parts.png", transparent=True)
    with Image.open("parts.png") as picture:
        assert picture.getpixel((0, 0))[3] == 0


class Tags(HTMLParser):
    """Collects the pictures of tags in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "img":
            self.images.append((given.get("alt") or "", given.get("src") or ""))


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_picture_exists_and_says_what_it_shows(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    for alt, path in [*((image["alt"], image["path"]) for image in IMAGE.finditer(text)), *tags.images]:
        assert (page.parent / path).is_file(), path
        assert len(alt.split()) >= 6, path


def test_every_picture_is_used_and_all_are_small() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in [*PAGES, ROOT / "README.md"])
    files = sorted(path for path in (DOCS / "assets").rglob("*") if path.suffix in {".png", ".webp"})
    assert [path.name for path in files if path.name not in pages] == []
    assert sum(path.stat().st_size for path in files) < 1_000_000


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.webp")), ids=lambda path: path.stem)
def test_a_picture_of_both_themes_is_transparent_and_twice_as_fine_as_a_screen(path: Path) -> None:
    name, _, theme = path.stem.rpartition("-")
    assert theme in {"light", "dark"}
    assert all((PICTURES / f"{name}-{each}.webp").exists() for each in ("light", "dark"))
    with Image.open(path) as picture:
        assert picture.width >= 900
        assert picture.convert("RGBA").getpixel((0, picture.height - 1))[3] == 0
