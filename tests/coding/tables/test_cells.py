"""How a table is written is told from it; its cells are those that were written, and give the bytes back."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.coding.container import Source
from isthmus.coding.tables import Dialect, NoTable, Table, cut, sniffed
from isthmus.coding.tables.cells import names_in
from isthmus.coding.tables.dialect import SKIPPED
from isthmus.errors import ArtifactError

from .texts import NEWLINES, SEPARATORS

TEXTS = {
    "commas": (b"1,2\n3,4\n", Dialect(b",")),
    "no newline at the end": (b"1,2\n3,4", Dialect(b",")),
    "empty lines at the end": (b"1,2\n3,4\n\n\n", Dialect(b",")),
    "Windows": (b"1,2\r\n3,4\r\n", Dialect(b",", b"\r\n")),
    "old Mac": (b"1,2\r3,4\r", Dialect(b",", b"\r")),
    "decimal commas": (b"1,5;2\n3,5;4\n", Dialect(b";")),
    "tabs": (b"a b\t2\nc d\t4\n", Dialect(b"\t")),
    "bars": (b"1|2,5\n3|4,5\n", Dialect(b"|")),
    "spaces": (b"1 2 3\n4 5 6\n", Dialect(b" ")),
    "aligned by spaces": (b"  1 22\n 10  3\n", Dialect(b" ", spaced=True)),
    "a space behind each comma": (b"a, b, c\nd, e, f\n", Dialect(b",", spaced=True)),
    "header": (b"x,y\n1,2\n3,4\n", Dialect(b",", skipped=1, header=True)),
    "header of texts": (b"name,town\nann,ely\nbob,bath\n", Dialect(b",", skipped=1, header=True)),
    "lines before the header": (b"# made by us\nx,y\n1,2\n3,4\n5,6\n", Dialect(b",", skipped=2, header=True)),
    "quotes": (b'a,"b,c"\nd,"e\nf"\n', Dialect(b",", quote=b'"')),
    "quotes that are no quotes": (b'5" a,1\n6 b,2\n', Dialect(b",")),
    "single quotes": (b"a,'b,c'\nd,e\n", Dialect(b",", quote=b"'")),
    "one column": (b"1\n2.5\n3\n", Dialect(b"")),
    "one column with a name": (b"width\n1\n2.5\n", Dialect(b"", skipped=1, header=True)),
    "one cell": (b"5", Dialect(b"")),
    "one row": (b"a,b\n", Dialect(b",")),
    "byte order mark": (b"\xef\xbb\xbf1,2\n3,4\n", Dialect(b",")),
    "NUL bytes": (b"a\0,1\n\0,2\n", Dialect(b",")),
    "Latin-1": (b"\xe9t\xe9,1\nhiver,2\n", Dialect(b",")),
    "empty cells": (b",\n,\n1,\n", Dialect(b",")),
}
NO_TABLES = {
    "nothing": (b"", "it has no rows"),
    "newlines": (b"\n\n", "it has no rows"),
    "prose": (b"It was a dark night.\nThe rain fell\n", "nothing stands equally often in each of its lines"),
    "a word": (b"word", "nothing stands equally often"),
    "a longer row": (
        b"1,2\n3,4\n5,6,7\n8,9\n",
        "its rows have different lengths: row 3 has 3 cells, and others have 2",
    ),
    "a shorter row": (b"1,2\n3,4\n5\n8,9\n", "its rows have different lengths: row 3 has 1 cell, and others have 2"),
    "an open quote": (b'1,2\n3,"4\n5,6\n7,8,9\n', "its rows have different lengths: row 4 has 3 cells"),
    "UTF-16": ("1,2\n3,4\n".encode("utf-16"), "it is in UTF-16"),
}


@pytest.mark.parametrize(("data", "dialect"), TEXTS.values(), ids=TEXTS.keys())
def test_how_a_table_is_written(data: bytes, dialect: Dialect) -> None:
    found = sniffed(data)
    assert found == dialect
    table = cut(data, dialect)
    assert isinstance(table, Table)
    assert table.to_bytes() == data
    assert table.size == len(data)


@pytest.mark.parametrize(("data", "why"), NO_TABLES.values(), ids=NO_TABLES.keys())
def test_what_is_no_table(data: bytes, why: str) -> None:
    found = sniffed(data)
    assert isinstance(found, NoTable)
    assert found.why.startswith(why)


def test_rows_that_do_not_fit_a_dialect_are_counted_with_the_lines_before_them() -> None:
    found = cut(b"x,y\n1,2\n3\n", Dialect(b",", skipped=1, header=True))
    assert found == NoTable("its rows have different lengths: row 3 has 1 cell, and others have 2")
    assert isinstance(found, NoTable)
    assert found.fitting == len(b"x,y\n1,2\n")


def test_names_without_rows_are_no_table() -> None:
    assert cut(b"x,y\n", Dialect(b",", skipped=1, header=True)) == NoTable("it has no rows")
    assert cut(b"x,y", Dialect(b",", skipped=1, header=True)) == NoTable("it has no rows")


def test_a_table_can_be_too_wide() -> None:
    found = cut(b"," * (1 << 16) + b"\n", Dialect(b","))
    assert found == NoTable("it has 65,537 columns, and a table can have 65,536")
    assert isinstance(cut(b"," * 65_535 + b"\n", Dialect(b",")), Table)


def test_names_are_found_in_what_stands_before_the_rows() -> None:
    table = cut(b'\xef\xbb\xbfabout\n"a,b",c\n1,2\n', Dialect(b",", quote=b'"', skipped=2, header=True))
    assert isinstance(table, Table)
    assert (table.head, table.tail) == (b'\xef\xbb\xbfabout\n"a,b",c\n', b"\n")
    assert names_in(table.head, table.dialect) == [b'"a,b"', b"c"]
    assert names_in(table.head, Dialect(b",", skipped=2)) == []


@pytest.mark.parametrize("spaces", [0, 1, 254, 255, 256, 1000])
def test_spaces_before_a_cell_are_taken_off_up_to_255(spaces: int) -> None:
    data = b"1," + b" " * spaces + b"2\n3, 4\n"
    table = cut(data, Dialect(b",", spaced=True))
    assert isinstance(table, Table)
    assert table.gaps is not None
    assert table.gaps[1].tolist() == [min(spaces, 255), 1]
    assert table.columns[1][0] == b" " * (spaces - 255) + b"2"
    assert table.to_bytes() == data


def test_runs_of_spaces_are_one_separator() -> None:
    table = cut(b'  a   "b  c" d  \nee f g', Dialect(b" ", quote=b'"', spaced=True))
    assert isinstance(table, Table)
    assert table.columns == [[b"a", b"ee"], [b'"b  c"', b"f"], [b"d  ", b"g"]]
    assert np.transpose(table.gaps).tolist() == [[2, 2, 0], [0, 0, 0]]


cells = st.text("ab1 ,;|\t\"'\n\r.", max_size=5)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(SEPARATORS), st.sampled_from(NEWLINES), st.integers(2, 4))
def test_cells_are_those_that_pythons_csv_module_reads(
    data: st.DataObject, separator: str, newline: str, width: int
) -> None:
    rows = data.draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6))
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=newline).writerows(rows)
    content = text.getvalue().encode()
    table = cut(content, Dialect(separator.encode(), newline.encode(), b'"'))
    assert isinstance(table, Table)
    read = [[_unquoted(cell.decode()) for cell in row] for row in zip(*table.columns, strict=True)]
    assert read == rows


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


@settings(max_examples=500, deadline=None)
@given(
    st.text("ab1,;\"' \n\r\t|.", max_size=40).map(str.encode),
    st.builds(
        Dialect,
        st.sampled_from([b"", b",", b";", b"\t", b"|", b" "]),
        st.sampled_from([b"\n", b"\r\n", b"\r"]),
        st.sampled_from([b"", b'"', b"'"]),
        st.booleans(),
        st.integers(0, 2),
    ),
)
def test_whatever_is_cut_comes_back(data: bytes, dialect: Dialect) -> None:
    table = cut(data, dialect)
    if isinstance(table, Table):
        assert table.to_bytes() == data
        assert len({len(column) for column in table.columns}) == 1
    else:
        assert table.why != "its cells do not give its bytes again, which is a bug worth reporting"


@given(
    st.builds(
        Dialect,
        st.sampled_from([b"", b",", b";", b"\t", b"|", b" "]),
        st.sampled_from([b"\n", b"\r\n", b"\r"]),
        st.sampled_from([b"", b'"', b"'"]),
        st.booleans(),
        st.integers(0, SKIPPED + 1),
        st.booleans(),
    )
)
def test_a_dialect_is_written_and_read(dialect: Dialect) -> None:
    data = dialect.to_bytes()
    source = Source(io.BytesIO(data), "it")
    assert Dialect.read(source) == dialect
    assert source.position == len(data) <= 3


@pytest.mark.parametrize("data", [b"\x6c\x00", b"\xff\x01\x00", b"\x00\x44", b"\x00"])
def test_what_is_no_dialect_is_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError):
        Dialect.read(Source(io.BytesIO(data), "it"))


def test_a_long_line_of_digits_takes_no_longer_than_it_is() -> None:
    assert isinstance(sniffed(b"1" * 300_000 + b"x\n" + b"2" * 300_000 + b"y\n"), NoTable)
