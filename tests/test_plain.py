"""What others wrote is shown escaped and cut, wherever it is shown."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from isthmus import data
from isthmus.errors import DataError, IsthmusError, IsthmusWarning, OutputExistsError, ShapeError
from isthmus.plain import SENTENCE, escaped, sentence, shortened, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred", r"\u001b[31mred"),
        ("\x9b2J", r"\u009b2J"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2066x\u2069\u200f", r"\u2066x\u2069\u200f"),
        ("nul\0", r"nul\u0000"),
        ("caf\udce9", r"caf\udce9"),
        ("tag\U000e0041", r"tag\udb40\udc41"),
        ("\u200b\ufeff\u2028", r"\u200b\ufeff\u2028"),
    ],
)
def test_characters_that_act_are_escaped(text: str, expected: str) -> None:
    assert escaped(text) == expected
    assert json.loads(f'"{escaped(text)}"') == text


@pytest.mark.parametrize("text", ["Zürich 東京 наука עברית العربية", "👩‍🔬 😀", "a\\b 'c' \"d\"", "50 € – ½"])
def test_what_is_only_text_stays(text: str) -> None:
    assert escaped(text) == text
    assert sentence(text) == text


def test_lines_may_stay() -> None:
    assert escaped("a\n\tb\x1b", lines=True) == "a\n\tb\\u001b"


def test_long_texts_lose_their_middle() -> None:
    assert shortened("x" * 200) == "x" * 200
    assert shortened("x" * 1000).count("x") == 200
    assert "(800 more)" in shortened("x" * 1000)


@pytest.mark.parametrize("mark", ["'", '"', ""])
def test_one_long_name_leaves_the_sentence_whole(mark: str) -> None:
    name = "x" * 100_000
    found = shown(f"t.csv: there is no column {mark}{name}{mark} in the user's file; it's the model's fault.")
    assert len(found) < 400
    assert found.startswith("t.csv: there is no column ")
    assert found.endswith(" in the user's file; it's the model's fault.")


def test_apostrophes_are_no_quotation_marks() -> None:
    text = "the model's file, " + "which is long, " * 30 + "is not the user's."
    assert shown(text) == text


def test_a_sentence_has_a_limit() -> None:
    assert len(sentence("many words " * 10_000)) < SENTENCE + 50


@pytest.mark.parametrize("kind", [IsthmusError, DataError, ShapeError, OutputExistsError])
def test_every_error_is_one_plain_line(kind: type[IsthmusError]) -> None:
    error = kind(f"column '\x1b[2J\n{'y' * 100_000}' is odd.")
    assert str(error).startswith(r"column '\u001b[2J\n" + "y" * 50)
    assert str(error).endswith("y' is odd.")
    assert len(str(error)) < 300
    assert "\n" in str(kind("one\ntwo", lines=True))


def test_warnings_and_what_python_prints_of_data_do_not_act(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2Ja.csv"
    path.write_text("a,a\x1b]0;title\x07\n1,2\n3,x\n")
    opened = data.open(path)
    assert opened.source == path.name
    assert repr(opened) == r"Data(\u001b[2Ja.csv: 2 records of kind table, 2, mixed)"
    assert r"\u001b[2Ja.csv was read as" in opened.notes[0]
    assert not any(character in note for note in opened.notes for character in "\x1b\x07")
    with pytest.warns(IsthmusWarning) as told:
        warnings.warn(f"column '{chr(27)}[2J' of '{'x' * 5000}' is empty", IsthmusWarning, stacklevel=1)
    assert str(told[0].message).startswith(r"column '\u001b[2J' of 'xxx")
    assert len(str(told[0].message)) < 400
