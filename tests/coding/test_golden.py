"""Compressed files that were written once, of every form: they decode to the same data for ever, by the norm alone."""

from __future__ import annotations

import json

import pytest

from .golden_files import DIGESTS, FOLDER, by_isthmus, by_the_norm_alone, digest


@pytest.mark.parametrize("name", sorted(json.loads(DIGESTS.read_text())))
@pytest.mark.parametrize("decode", [by_the_norm_alone, by_isthmus])
def test_a_file_that_was_written_once_decodes_for_ever(decode, name: str) -> None:
    assert digest(decode((FOLDER / f"{name}.isth").read_bytes())) == json.loads(DIGESTS.read_text())[name]


def test_every_file_has_its_digest() -> None:
    assert {path.stem for path in FOLDER.glob("*.isth")} == set(json.loads(DIGESTS.read_text()))
