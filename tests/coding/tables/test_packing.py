"""Numbers and lists of cells as bytes: there and back, and each in one form only."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.coding.container import Source
from isthmus.coding.tables import packing
from isthmus.errors import ArtifactError


def source(data: bytes) -> Source:
    return Source(io.BytesIO(data), "it")


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers_with_a_sign(value: int) -> None:
    assert packing.read_signed(source(packing.signed(value))) == value
    assert len(packing.signed(value)) == max(1, -(-(2 * abs(value) - (value < 0)).bit_length() // 7))


@given(st.sets(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_rising_numbers(values: set[int]) -> None:
    data = packing.rising(np.array(sorted(values)))
    assert packing.read_rising(source(data), len(values)).tolist() == sorted(values)


@given(st.lists(st.one_of(st.binary(max_size=4), st.text("\n\x1b12a", max_size=4).map(str.encode))))
def test_cells_as_lines(cells: list[bytes]) -> None:
    joined = packing.lines(cells)
    assert joined.count(b"\n") == len(cells)
    assert packing.cells_of(joined, len(cells)) == cells
    assert packing.read_packed(source(packing.packed(cells)), len(cells), len(joined)) == cells


@given(st.text("\n\x1b12a", max_size=8).map(str.encode), st.integers(0, 4))
def test_lines_have_one_form(joined: bytes, count: int) -> None:
    cells = packing.cells_of(joined, count)
    if cells is not None:
        assert packing.lines(cells) == joined
        assert len(cells) == count


def test_cells_without_odd_signs_stand_as_they_are() -> None:
    assert packing.lines([b"ann", b"", b"bob"]) == b"ann\n\nbob\n"
    assert packing.lines([]) == b""


def test_more_than_a_limit_is_refused() -> None:
    assert packing.at_most(source(b"\x07"), 7, "things") == 7
    with pytest.raises(ArtifactError, match="it is damaged: it would have 8 things; "):
        packing.at_most(source(b"\x08"), 7, "things")
    with pytest.raises(ArtifactError, match="3 bytes in a string"):
        packing.read_string(source(b"\x03abc"), 2)
    assert packing.read_string(source(b"\x03abc"), 3) == b"abc"
