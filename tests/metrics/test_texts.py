"""Edit distance against its definition, by recursion."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import DataError, ShapeError
from isthmus.metrics import edit_distance

LETTERS = st.text("abc", max_size=6)


@cache
def by_definition(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return by_definition(a[1:], b[1:])
    return 1 + min(by_definition(a[1:], b), by_definition(a, b[1:]), by_definition(a[1:], b[1:]))


@settings(max_examples=100, deadline=None)
@given(LETTERS, LETTERS)
def test_the_fewest_edits_are_found(a: str, b: str) -> None:
    assert edit_distance([a, a.encode()], [b, b.encode()]).tolist() == [by_definition(a, b)] * 2


def test_refusals() -> None:
    with pytest.raises(ShapeError, match="edit_distance: original and reconstruction must have one shape"):
        edit_distance(["a"], ["a", "b"])
    with pytest.raises(DataError, match="edit_distance: at least one record is needed"):
        edit_distance([], [])
