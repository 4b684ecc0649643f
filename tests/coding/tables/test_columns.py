"""What a column is, which planes it becomes, and that it comes back from them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.coding.container import Source
from isthmus.coding.tables import Dialect
from isthmus.coding.tables.columns import Categories, Column, Numbers, Texts, described
from isthmus.coding.tables.distinct import MANY, Distinct, spread
from isthmus.coding.tables.quoting import Quoting
from isthmus.coding.tables.spacing import Spacing
from isthmus.errors import ArtifactError

from .texts import columns

PLAIN, QUOTED = Dialect(b","), Dialect(b",", quote=b'"')


def planes_of(cells: list[str], dialect: Dialect = PLAIN) -> tuple[Column, list[str], list[list[int]]]:
    """Return a column, its planes as words, and their values, after it came back from them and from its description."""
    written = [cell.encode() for cell in cells]
    column, planes, text = described(Distinct.of(written), dialect)
    source = Source(io.BytesIO(column.to_bytes()), "it")
    read = Column.read(source, len(cells), sum(map(len, written)), dialect)
    assert (read, source.position) == (column, len(column.to_bytes()))
    found = read.cells([plane.values for plane in planes], text, len(cells), dialect)
    assert found is not None
    assert spread(found.cells, found.codes) == written
    for plane, form in zip(planes, read.forms, strict=True):
        assert (plane.size, plane.name, plane.ordered, plane.where) == (form.size, form.name, form.ordered, form.where)
        assert plane.values.dtype == (np.int32 if plane.size <= 1 << 31 else np.int64)
        assert 0 <= plane.values.min() <= plane.values.max() < plane.size
        if plane.where is not None:
            assert not plane.values[planes[plane.where].values != 0].any()
    words = [f"{plane.name} {plane.size}" + " ordered" * plane.ordered for plane in planes]
    return column, words, [plane.values.tolist() for plane in planes]


def test_numbers_are_counted_from_the_lowest() -> None:
    column, words, values = planes_of(["17", "90", "-3", "17"])
    assert isinstance(column.kind, Numbers)
    assert words == ["value 94 ordered"]
    assert values == [[20, 93, 0, 20]]


def test_numbers_with_a_common_step_are_counted_in_steps() -> None:
    assert planes_of(["0.25", "1.00", "0.50"])[1:] == (["value 4 ordered"], [[0, 3, 1]])


def test_few_numbers_that_lie_far_apart_become_ranks() -> None:
    assert planes_of(["0", "0", "99999", "2174", "0"])[1:] == (["rank 3 ordered"], [[0, 0, 2, 1, 0]])


def test_missing_cells_among_few_numbers_come_before_these() -> None:
    column, words, values = planes_of(["5", "NA", "7", "", "6", "5"])
    assert isinstance(column.kind, Numbers)
    assert column.kind.exceptions == (b"", b"NA")
    assert words == ["value 5 ordered"]
    assert values == [[2, 1, 4, 0, 3, 2]]


def test_missing_cells_among_many_numbers_have_a_plane_of_their_own() -> None:
    column, words, values = planes_of(["?", *map(str, range(0, 10_000, 7)), *["?"] * 100])
    assert isinstance(column.kind, Numbers)
    assert words == ["exception 2", "value 1429 ordered"]
    assert values[0] == [1] + [0] * 1429 + [1] * 100
    assert values[1] == [0, *range(1429), *[0] * 100]


def test_a_rare_odd_cell_takes_no_plane() -> None:
    column, words, _ = planes_of([*map(str, range(0, 10_000, 7)), "1e9"])
    assert isinstance(column.kind, Numbers)
    assert words == ["value 1430 ordered"]


def test_ways_to_write_numbers_have_a_plane_where_they_follow_no_rule() -> None:
    cells = [f"{number / 10:.{1 + number % 2}f}" for number in range(50)]
    assert planes_of(cells)[1] == ["value 50 ordered", "variant 3"]


def test_texts_that_repeat_are_categories_in_the_order_of_their_bytes() -> None:
    column, words, values = planes_of(["pear", "apple", "fig", "apple", "fig", "pear"])
    assert column.kind == Categories((b"apple", b"fig", b"pear"))
    assert words == ["category 3"]
    assert values == [[2, 0, 1, 0, 1, 2]]


def test_numbers_of_no_one_notation_are_categories_in_their_order() -> None:
    column, words, _ = planes_of(["1e5", "3E-7", "+2", "NA"] * 2)
    assert column.kind == Categories((b"NA", b"3E-7", b"+2", b"1e5"), ordered=True)
    assert words == ["category 4 ordered"]


def test_a_column_of_one_cell_is_one_category() -> None:
    assert planes_of(["7", "7"])[1:] == (["category 1"], [[0, 0]])
    assert planes_of([""])[1:] == (["category 1"], [[0]])


def test_texts_that_differ_are_text() -> None:
    column, words, _ = planes_of(["ann lee", "bob\0", "c\n\x1b12", "d"])
    assert (column.kind, words) == (Texts(), [])


def test_a_long_cell_is_text() -> None:
    assert planes_of(["x" * 1_000_000, "y", "z1"])[0].kind == Texts()


def test_nearly_all_different_cells_are_not_looked_up() -> None:
    numbers = [str(7 * number) for number in range(MANY + 5)]
    column, words, _ = planes_of([*numbers, "NA", "NA"])
    assert isinstance(column.kind, Numbers)
    assert column.kind.exceptions == (b"NA",)
    assert words == [f"value {MANY + 6} ordered"]
    texts = [f"{number:x}q{number}" for number in range(MANY + 5)]
    assert Distinct.of([text.encode() for text in texts]).many
    assert planes_of(texts)[0].kind == Texts()


def test_as_many_different_cells_as_can_be_are_categories() -> None:
    cells = [f"{number:04x}z" for number in range(MANY)]
    column, words, _ = planes_of(cells * 2)
    assert isinstance(column.kind, Categories)
    assert words == [f"category {MANY}"]


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 30).flatmap(lambda n_rows: columns(n_rows)), st.sampled_from([PLAIN, QUOTED]))
def test_any_column_comes_back(cells: list[str], dialect: Dialect) -> None:
    planes_of(cells, dialect)


# ------------------------------------------------------------------ quotes

QUOTES = {
    "never": (["a", "b", "a"], 0, []),
    "always": (['"a"', '"b"', '"a"'], 1, []),
    "where needed": (["a", '"b,c"', '"say ""so"""', '"two\nlines"', "d"], 2, []),
    "wherever there is something": (['"a"', "", '"b"', "NA"], 3, []),
    "broken": (['"a"', "b", "c", "a"], 0, [1, 0, 0, 0]),
    "none of quotes that are a part": (['"a"b', 'c"d', '"', '"a"b'], 0, []),
    "one cell both ways": (["5", '"5"', "5"], 0, [0, 1, 0]),
}


@pytest.mark.parametrize(("cells", "rule", "broken"), QUOTES.values(), ids=QUOTES.keys())
def test_quotes_follow_a_rule(cells: list[str], rule: int, broken: list[int]) -> None:
    column, words, values = planes_of(cells, QUOTED)
    assert column.quoting == Quoting(rule, bool(broken))
    assert ("quotes 2" in words) == bool(broken)
    if broken:
        assert values[-1] == broken


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text('ab",\n', max_size=6), min_size=1, max_size=20))
def test_cells_with_any_quotes_come_back(cells: list[str]) -> None:
    planes_of(cells, QUOTED)


# ------------------------------------------------------------------ spaces


@pytest.mark.parametrize(
    ("gaps", "own", "before", "expected"),
    [
        ([1, 1, 1], [1, 2, 3], [0, 0, 0], Spacing(0, 1, 1, False)),
        ([0, 0, 0], [1, 2, 3], [0, 0, 0], Spacing(0, 0, 0, False)),
        ([4, 3, 0], [1, 2, 5], [2, 2, 9], Spacing(1, 5, 4, False)),
        ([4, 3, 0], [2, 2, 9], [1, 2, 7], Spacing(2, 5, 4, False)),
        ([1, 1, 7], [1, 2, 3], [1, 1, 1], Spacing(0, 1, 7, True)),
    ],
    ids=["as many", "none", "right", "left", "none of these"],
)
def test_spaces_follow_a_rule(gaps: list[int], own: list[int], before: list[int], expected: Spacing) -> None:
    spacing, planes = Spacing.of(np.array(gaps), np.array(own), np.array(before))
    assert spacing == expected
    assert len(planes) == expected.broken


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 2000), st.integers(0, 2000)), min_size=1))
def test_any_spaces_come_back(rows: list[tuple[int, int, int]]) -> None:
    gaps, own, before = np.array(rows).T
    spacing, planes = Spacing.of(gaps, own, before)
    source = Source(io.BytesIO(spacing.to_bytes()), "it")
    read = Spacing.read(source)
    assert read == spacing
    assert [form.size for form in read.forms] == [plane.size for plane in planes]
    assert read.gaps(own, before, [plane.values for plane in planes]).tolist() == gaps.tolist()


# ------------------------------------------------------------------ descriptions that are none


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x08", "it would have 8 as the number of a kind of columns"),
        (b"\x01\x00\x00", "a column has no categories"),
        (b"\x01\x09", "it would have 9 cells in a list"),
        (b"\x01\x01\x7f", "it would have 127 bytes in a string"),
        (b"\x01\x02\x03a\nb", "a list of cells in it is none"),
        (b"\x01\x01\x03\x1b3\n", "a list of cells in it is none"),
        (b"\x05\0\0\1\0\0\x09", "it would have 9 listed numbers"),
        (b"\x05\0\0\1\0\0\0\0\0\1\0", "the numbers of a column have more than 64 bits"),
        (b"\x05\0\0\1\0\0\0\0\1\0\0", "the numbers of a column have more than 64 bits"),
        (b"\x05\0\0\1\0\0\0\0" + b"\xff" * 9 + b"\x01\x02\0", "the numbers of a column have more than 64 bits"),
        (
            b"\x05\0\0\1\0\0\x02" + b"\xfe" + b"\xff" * 8 + b"\x01\x05\0",
            "a number of its columns has more than 64 bits",
        ),
        (b"\x01\x01", "its end is missing"),
    ],
)
def test_what_is_no_column_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ArtifactError, match=why):
        Column.read(Source(io.BytesIO(data), "it"), 8, 50, PLAIN)


@pytest.mark.parametrize(
    ("data", "why"), [(b"\x06", "for spaces"), (b"\0\x81\x08", "width"), (b"\0\0\x80\x02", "spaces")]
)
def test_what_is_no_rule_for_spaces_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ArtifactError, match=why):
        Spacing.read(Source(io.BytesIO(data), "it"))


def test_what_is_no_rule_for_quotes_is_refused() -> None:
    with pytest.raises(ArtifactError, match="for quotes"):
        Quoting.read(Source(io.BytesIO(b"\x08"), "it"))
