"""Names that every system can have, and those that none of ours may carry."""

from __future__ import annotations

import unicodedata

import pytest

from isthmus.coding.names import why_refused, why_they_collide


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "a.txt",
        "logs/2026/mon.log",
        ".hidden",
        "a b",
        "…",
        "ß",
        "日本語/文書.txt",
        "CONSOLE",
        "nul-",
        "com10",
        "x" * 255,
    ],
)
def test_usual_names(name: str) -> None:
    assert why_refused(name) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("/etc/passwd", "is absolute"),
        ("//x", "is absolute"),
        ("..", "has the part '..'"),
        ("../x", "has the part '..'"),
        ("a/../../x", "has the part '..'"),
        ("./a", "has the part '.'"),
        ("a//b", "has the part ''"),
        ("a/", "has the part ''"),
        ("a\\b", r"holds the character '\\'"),
        ("..\\x", r"holds the character '\\'"),
        ("C:x", "holds the character ':'"),
        ("a:stream", "holds the character ':'"),
        ("a\x00b", r"holds the character '\x00'"),
        ("a\nb", r"holds the character '\n'"),
        ("a\x9bb", r"holds the character '\x9b'"),
        ("a\ud800", r"holds the character '\ud800'"),
        ("what?", "holds the character '?'"),
        ("a.", "has a part that ends in a dot or a space"),
        ("a /b", "has a part that ends in a dot or a space"),
        ("...", "has a part that ends in a dot or a space"),
        ("nul", "has the part 'nul', which is a device on Windows"),
        ("a/CON", "has the part 'CON', which is a device on Windows"),
        ("aux.tar.gz", "has the part 'aux.tar.gz', which is a device on Windows"),
        ("COM1.log", "has the part 'COM1.log', which is a device on Windows"),
        ("lpt¹", "has the part 'lpt¹', which is a device on Windows"),
        ("nul .txt", "has the part 'nul .txt', which is a device on Windows"),
        ("CONIN$", "has the part 'CONIN$', which is a device on Windows"),
        ("x" * 256, "has a part that is longer than 255 bytes"),
        ("é" * 128, "has a part that is longer than 255 bytes"),
        ("x/" * 2048 + "x", "is longer than 4,095 bytes"),
    ],
)
def test_names_that_some_system_cannot_have(name: str, why: str) -> None:
    assert why_refused(name) == why


def test_names_that_are_one_on_some_systems() -> None:
    assert why_they_collide(["a", "b", "A/b", "c"]) == (
        "a",
        "A/b",
        "cannot both be: one is a file, and a folder for the other",
    )
    assert why_they_collide(["Readme", "x", "README"])[:2] == ("Readme", "README")
    assert why_they_collide(["straße", "STRASSE"])[:2] == ("straße", "STRASSE")
    composed = "é"
    assert why_they_collide([composed, unicodedata.normalize("NFD", composed)]) is not None
    assert why_they_collide(["a", "a"]) is not None
    assert why_they_collide(["a/b", "a/c", "A/d", "b"]) is None
