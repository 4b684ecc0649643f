"""Any text comes back from its groups, byte for byte; what is a table becomes one, however it is written."""

from __future__ import annotations

import io
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.coding.tables import Dialect, Group, NoTable, Stretch, cut, groups

from .texts import NEWLINES, SEPARATORS, Written, restored, tables

anything = st.one_of(
    st.binary(max_size=60),
    st.text("ab1,;\"' \n\r\t|.-", max_size=60).map(str.encode),
    st.lists(st.sampled_from([b"1", b"ab", b",", b";", b"\n", b"\r", b'"', b" ", b"", b"\xff", b"\0"])).map(b"".join),
)


@settings(max_examples=400, deadline=None)
@given(anything)
def test_any_bytes_come_back(data: bytes) -> None:
    assert restored(data)[0] == data


@settings(max_examples=300, deadline=None)
@given(tables())
def test_a_table_comes_back_as_a_table(table: Written) -> None:
    data = table.to_bytes()
    assert restored(data)[0] == data


@settings(max_examples=100, deadline=None)
@given(tables(), st.integers(1, 20), st.integers(1, 40), st.integers(4, 200))
def test_groups_of_any_size_make_up_the_file(table: Written, rows: int, cells: int, size: int) -> None:
    data = table.to_bytes()
    assert restored(data, rows=rows, cells=cells, size=size)[0] == data
    for group in groups(io.BytesIO(data), rows=rows, cells=cells, size=size):
        if isinstance(group, Group):
            assert group.layout.n_rows <= rows
            assert group.layout.n_rows * len(group.layout.columns) <= max(cells, len(group.layout.columns))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["1", "2.5", "x", "it's", "", "a b"]), min_size=3, max_size=3), min_size=2),
    st.sampled_from(SEPARATORS),
    st.sampled_from(NEWLINES),
)
def test_cells_are_those_that_were_written(rows: list[list[str]], separator: str, newline: str) -> None:
    data = Written(rows, separator, newline, "needed", newline).to_bytes()
    table = cut(data, Dialect(separator.encode(), newline.encode()))
    if not isinstance(table, NoTable):
        assert [list(row) for row in zip(*table.columns, strict=True)] == [[c.encode() for c in row] for row in rows]


# ------------------------------------------------------------------ groups


def parts(data: bytes, **limits: int) -> list[tuple[bool, int]]:
    """Return of each group whether it is a table, and its bytes."""
    found = list(groups(io.BytesIO(data), **limits))
    assert b"".join(part.to_bytes() for part in found) == data
    return [(isinstance(part, Group), len(part.to_bytes())) for part in found]


def test_groups_have_as_many_rows_as_they_may() -> None:
    data = b"x,y\n" + b"".join(b"%d,%d\n" % (row, row) for row in range(10))
    assert [size for _, size in parts(data, rows=4)] == [4 + 16, 16, 8]
    assert [size for _, size in parts(data, cells=6)] == [4 + 12, 12, 12, 4]
    assert [size for _, size in parts(data, size=10)] == [8, 8, 8, 8, 8, 4]
    assert all(is_table for is_table, _ in parts(data, rows=1))


def test_only_the_first_group_has_the_names() -> None:
    first, second = groups(io.BytesIO(b"x,y\n1,2\n3,4\n"), rows=1)
    assert isinstance(first, Group)
    assert isinstance(second, Group)
    assert (first.layout.names, second.layout.names) == ([b"x", b"y"], [])


def test_a_row_of_another_length_is_left_as_bytes() -> None:
    data = b"x,y\n" + b"".join(b"%d,%d\n" % (row, row) for row in range(30_000))
    data = data.replace(b"\n29000,29000\n", b"\n29000\n")
    found = list(groups(io.BytesIO(data), rows=10_000))
    assert [part.layout.n_rows for part in found if isinstance(part, Group)] == [10_000, 10_000, 9_000, 999]
    assert found[3] == Stretch(b"29000\n", "its rows have different lengths: row 29,002 has 1 cell, and others have 2")
    assert b"".join(part.to_bytes() for part in found) == data


def test_a_last_row_that_is_cut_short_is_left_as_bytes() -> None:
    data = b"".join(b"%d,%d,z\n" % (row, row) for row in range(1000))[:-4]
    assert [is_table for is_table, _ in parts(data)] == [True, False]


def test_groups_with_many_rows_of_other_lengths_are_left_as_bytes() -> None:
    data = b"".join(b"%d,%d\n" % (row, row) + b"7\n" * (row % 200 == 199) for row in range(20_000))
    found = list(groups(io.BytesIO(data), rows=8000))
    assert [isinstance(part, Group) for part in found] == [True, False] * 16 + [False] * 3
    assert found[-1] == Stretch(
        found[-1].to_bytes(), "its rows have different lengths: row 19,296 has 1 cell, and others have 2"
    )
    assert b"".join(part.to_bytes() for part in found) == data


def test_quotes_may_turn_out_to_be_none() -> None:
    data = b'"a,b",1\n' * 40_000 + b'5" wide,2\n'
    assert [is_table for is_table, _ in parts(data, rows=40_000)] == [True, True]


def test_newlines_in_quotes_end_no_group() -> None:
    data = b'"a\nb",1\n' * 5
    assert parts(data, rows=2) == [(True, 16), (True, 16), (True, 8)]
    assert parts(data, size=9) == [(True, 8)] * 5


def test_a_row_that_is_longer_than_a_group_is_left_as_bytes() -> None:
    data = b"1,2\n" * 4 + b"3," + b"4" * 50 + b"\n" + b"5,6\n"
    found = list(groups(io.BytesIO(data), size=20))
    assert [type(part).__name__ for part in found] == ["Group", *["Stretch"] * 3, "Group"]
    assert found[1].to_bytes() == data[16:36]
    assert isinstance(found[1], Stretch)
    assert found[1].why == "it has a row of more than 20 bytes"


def test_empty_lines_at_the_end_belong_to_the_last_group() -> None:
    assert parts(b"1,2\n3,4\n\n\n", rows=1) == [(True, 4), (True, 6)]
    assert parts(b"1,2\r\n3,4\r\n\r\n", rows=1) == [(True, 5), (True, 7)]
    assert parts(b"1,2\n3,4\n\n\n", size=9) == [(True, 9), (False, 1)]


def test_what_is_no_table_is_cut_all_the_same() -> None:
    data = b"Once upon a time\nthere was\na king.\n" * 3
    assert parts(data, size=100) == [(False, 100), (False, 5)]
    assert parts(b"") == []


def test_a_file_that_gives_little_at_a_time() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(3, size or 3))

    data = b"".join(b"%d,x\n" % row for row in range(100))
    found = list(groups(Slow(data), rows=30))
    assert b"".join(part.to_bytes() for part in found) == data
    assert [part.layout.n_rows for part in found if isinstance(part, Group)] == [30, 30, 30, 10]


def test_memory_does_not_grow_with_the_file() -> None:
    class Long:
        """A file that is made while it is read."""

        def __init__(self, lines: int) -> None:
            self.lines = lines

        def read(self, size: int) -> bytes:
            count = min(size // 8 + 1, self.lines)
            self.lines -= count
            return b"123,45.\n" * count

    def peak(lines: int) -> int:
        tracemalloc.start()
        assert sum(part.layout.n_rows for part in groups(Long(lines), size=1 << 16)) == lines
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    def least(lines: int) -> int:  # what runs the tests takes memory at times, in a thread of its own
        return min(peak(lines) for _ in range(2))

    assert least(200_000) < 1.2 * least(50_000)
