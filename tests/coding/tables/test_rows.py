"""Any text comes back from its groups, byte for byte; what is a table becomes one, however it is written."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.coding.tables import Dialect, Group, NoTable, cut, groups

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
