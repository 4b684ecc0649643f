from __future__ import annotations

import datetime
import gzip
import random
import resource
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from isthmus import data
from isthmus.data import text_tables
from isthmus.data.notations import Conventions, plain_values
from isthmus.errors import DataError, ParameterError, ShapeError

DAY = datetime.date


def csv(tmp_path: Path, text: str, name: str = "t.csv", **options: Any) -> data.Data:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    return data.open(tmp_path / name, **options)


def test_csv_with_names(tmp_path: Path) -> None:
    opened = csv(tmp_path, "age,town,when\n31,Bern,2020-01-01\n,?,2021-02-03\n40,Genève,2021-02-03\n")
    assert [(c.name, c.type) for c in opened.schema.columns] == [
        ("age", "integer"),
        ("town", "category"),
        ("when", "date"),
    ]
    assert opened.chunk(0, 3).column("town").to_pylist() == ["Bern", None, "Genève"]
    assert opened.chunk(0, 3).column("age").to_pylist() == [31, None, 40]
    assert opened.notes == [
        "the first row of t.csv was read as the names of the columns.",
        "missing cells of t.csv: 1 empty, 1 '?'.",
    ]
    assert isinstance(data.restore(opened.chunk(0, 3), opened.schema), pa.Table)


def test_csv_without_names(tmp_path: Path) -> None:
    opened = csv(tmp_path, "1,a\n2,b\n3,a\n")
    assert [column.name for column in opened.schema.columns] == ["column_0", "column_1"]
    assert len(opened) == 3
    assert opened.notes == ["t.csv has no row of names; its columns were named column_0 to column_1."]


def test_csv_of_a_frame_with_its_row_numbers(tmp_path: Path) -> None:
    opened = csv(tmp_path, ",age,town\n0,31,Bern\n1,40,Basel\n")
    assert [(c.name, c.type) for c in opened.schema.columns] == [
        ("column_0", "integer"),
        ("age", "integer"),
        ("town", "category"),
    ]
    assert opened.notes == [
        "the first row of t.csv was read as the names of the columns.",
        "the first column of t.csv has no name and was called column_0; it may only number the rows.",
    ]
    assert len(csv(tmp_path, ",blue\nblue,red\nred,blue\nblue,blue\n")) == 4  # a missing cell, and no name
    assert len(csv(tmp_path, ",0.5\n1,0.5\n")) == 2


def test_the_header_of_thousands_of_columns_is_one(tmp_path: Path) -> None:
    names = [f"a column with a long name, number {i}" for i in range(9_000)]
    lines = [";".join(names), *(";".join(f"{row + i}" for i in range(9_000)) for row in range(3))]
    table = csv(tmp_path, "\n".join(lines))
    assert len(table) == 3
    assert [column.name for column in table.schema.columns[:2]] == names[:2]
    assert {column.type for column in table.schema.columns} == {"integer"}


def test_csv_header_can_be_forced(tmp_path: Path) -> None:
    assert len(csv(tmp_path, "1,2\n3,4\n", header=True)) == 1
    assert len(csv(tmp_path, "a,b\n3,4\n", header=False)) == 2
    assert len(csv(tmp_path, "name,town\nAnna,Bern\nBeat,Basel\n")) == 2
    assert len(csv(tmp_path, "red,blue\nblue,red\nred,blue\nblue,blue\n")) == 4


@pytest.mark.parametrize(("name", "mark"), [("t.tsv", "\t"), ("t.csv", ";"), ("t.csv", "|"), ("t.csv", "\t")])
def test_other_delimiters(tmp_path: Path, name: str, mark: str) -> None:
    opened = csv(tmp_path, mark.join("ab") + "\n" + mark.join(["1", "x, y"]) + "\n", name)
    assert opened.take([0]).to_pylist() == [{"a": 1, "b": "x, y"}]


def test_packed_csv_with_spaces_and_gaps(tmp_path: Path) -> None:
    text = "39, State-gov, 77516\n50, ?, 83311\n38, Private, ?\n"
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text.encode()))
    opened = data.open(tmp_path / "t.csv.gz")
    assert [column.type for column in opened.schema.columns] == ["integer", "category", "integer"]
    assert opened.chunk(0, 3).column(1).to_pylist() == ["State-gov", None, "Private"]
    assert opened.chunk(0, 3).column(2).to_pylist() == [77516, 83311, None]
    assert "spaces around the cells of 2 columns were removed." in opened.notes


def test_quoted_cells_and_line_ends(tmp_path: Path) -> None:
    opened = csv(tmp_path, 'a,b\r\n1,"x, ""y""\r\nz"\r\n2,w\r\n')
    assert opened.chunk(0, 2).column("b").to_pylist() == ['x, "y"\r\nz', "w"]


def test_types_may_widen_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_tables, "CELL_BYTES", 4096)
    rows = "".join(f"{i},{i}\n" for i in range(3000))
    opened = csv(tmp_path, "a,b\n" + rows + "2.5,x\n")
    assert [column.type for column in opened.schema.columns] == ["number", "category"]
    assert "column 'b': numbers and text are kept as text ('x' in row 3000)." in opened.notes
    assert opened.take([3000]).to_pylist() == [{"a": 2.5, "b": "x"}]


def column(tmp_path: Path, *cells: str, **options: Any) -> tuple[list[Any], str, list[str]]:
    """Return what a column of a text table is read as, its type, and the notes but that about the names."""
    lines = [f"{i + 1};{cell}" for i, cell in enumerate(cells)]
    opened = csv(tmp_path, "n;x\n" + "\n".join(lines) + "\n", **options)
    read = opened.chunk(0, len(opened)).column("x")
    return read.to_pylist(), str(read.type), opened.notes[1:]


@pytest.mark.parametrize(
    ("cells", "values", "said"),
    [
        (["1,5", "2,25"], [1.5, 2.25], "numbers with decimal commas are read (1,5)"),
        (["1.234,50", "12,5"], [1234.5, 12.5], "decimal commas, points between thousands"),
        (["1,234,567.5", "999"], [1234567.5, 999.0], "decimal points, commas between thousands"),
        (["1.234.567", "12"], [1234567, 12], "points between thousands"),
        (["1 234,5", "12"], [1234.5, 12.0], "decimal commas, gaps between thousands"),
        (["1\u00a0234,5", "1\u202f000"], [1234.5, 1000.0], "gaps between thousands"),
        (["1\u2009234.5", "9"], [1234.5, 9.0], "gaps between thousands"),
        (["1'234.5", "1\u2019000"], [1234.5, 1000.0], "gaps between thousands"),
        (["12,34,567.5", "1"], [1234567.5, 1.0], "commas between thousands"),
        (["12.5%", "3%"], [12.5, 3.0], "the unit '%'"),
        (["12,5 %", "3 %"], [12.5, 3.0], "decimal commas, the unit '%'"),
        (["$3.20", "-$4", "$1,200"], [3.2, -4.0, 1200.0], "the unit '$'"),
        (["3,20 \u20ac", "-4 \u20ac"], [3.2, -4.0], "the unit '\u20ac'"),
        (["CHF 5.50", "CHF 1'200.00"], [5.5, 1200.0], "the unit 'CHF'"),
        (["5.50 kr", "7 kr"], [5.5, 7.0], "the unit 'kr'"),
        (["(1,200.50)", "3.5"], [-1200.5, 3.5], "negative ones in brackets"),
        (["5-", "6"], [-5, 6], "minus signs behind"),
        (["\u22125", "6"], [-5, 6], "numbers"),
        (["1,5E+03", "2,0e1"], [1500.0, 20.0], "decimal commas"),
        (["31.12.2020", "01.02.2021"], [DAY(2020, 12, 31), DAY(2021, 2, 1)], "with the day first"),
        (["1.2.2020", "3.4.2021"], [DAY(2020, 2, 1), DAY(2021, 4, 3)], "with the day first"),
        (["12/31/2020", "01/02/2021"], [DAY(2020, 12, 31), DAY(2021, 1, 2)], "with the month first"),
        (["31/12/20", "01/02/99"], [DAY(2020, 12, 31), DAY(1999, 2, 1)], "years of two digits"),
        (["5 Jan 2020", "7 December 2021"], [DAY(2020, 1, 5), DAY(2021, 12, 7)], "the names of months"),
        (["7. M\u00e4rz 2021", "1. Dez. 2020"], [DAY(2021, 3, 7), DAY(2020, 12, 1)], "the names of months"),
        (["Jan 5, 2020", "Dec 7, 2021"], [DAY(2020, 1, 5), DAY(2021, 12, 7)], "the names of months"),
    ],
)
def test_written_numbers_and_dates_are_read_and_that_is_said(
    tmp_path: Path, cells: list[str], values: list[Any], said: str
) -> None:
    read, _, notes = column(tmp_path, *cells)
    assert read == values
    assert [type(value) for value in read] == [type(value) for value in values]
    assert len(notes) == 1
    assert said in notes[0]
    text, dtype, notes = column(tmp_path, *cells, "\u2014x")  # one other cell, and all stay as they are
    assert text == [*cells, "\u2014x"]
    assert dtype == "string"
    assert len(notes) == 1


def test_times_are_read_with_their_dates(tmp_path: Path) -> None:
    stamp = datetime.datetime
    read, dtype, _ = column(tmp_path, "31.12.2020 10:30", "01.02.2021 23:15")
    assert (read, dtype) == ([stamp(2020, 12, 31, 10, 30), stamp(2021, 2, 1, 23, 15)], "timestamp[s]")
    read, _, _ = column(tmp_path, "12/31/2020 10:30 PM", "1/2/2021 12:15:30.5 am")
    assert read == [stamp(2020, 12, 31, 22, 30), stamp(2021, 1, 2, 0, 15, 30, 500_000)]
    read, dtype, notes = column(tmp_path, "2020-01-01T10:00Z", "2021-01-01T10:00+02:00")
    assert dtype == "timestamp[s, tz=UTC]"
    assert [value.hour for value in read] == [10, 8]
    assert "as universal time (UTC)" in notes[0]
    assert column(tmp_path, "10:30", "11:15 PM")[0] == [datetime.time(10, 30), datetime.time(23, 15)]
    assert column(tmp_path, "10:30:15.5", "11:15:00")[1] == "time64[us]"
    assert column(tmp_path, "9:30", "10:15")[2] == ["column 'x': times of day are read (9:30)."]
    assert column(tmp_path, "2020/01/31", "2020/02/01")[0] == [DAY(2020, 1, 31), DAY(2020, 2, 1)]
    mixed = ["31.12.2020", "31.12.2020 10:30"]
    assert column(tmp_path, *mixed)[0] == mixed
    for dates in (["30.02.2020", "01.01.2020"], ["13/1/2020", "3/14/2020"]):
        read, _, notes = column(tmp_path, *dates)
        assert read == dates
        assert notes == ["column 'x': dates of several notations are kept as text."]


def test_dates_that_can_be_read_in_two_ways(tmp_path: Path) -> None:
    text = "n,x\n1,1/2/2020\n2,3/4/2020\n"
    opened = csv(tmp_path, text)
    assert opened.take([0]).column("x").to_pylist() == [DAY(2020, 1, 2)]
    assert "they could be read in both ways: day_first= (--day-first, --no-day-first) says which" in opened.notes[1]
    opened = csv(tmp_path, text, day_first=True)
    assert opened.take([0]).column("x").to_pylist() == [DAY(2020, 2, 1)]
    assert "both ways" not in opened.notes[1]
    other = csv(tmp_path, "y,x\n31/12/2020,1/2/2020\n30/11/2020,3/4/2020\n")  # another column shows it
    assert other.take([0]).column("x").to_pylist() == [DAY(2020, 2, 1)]
    assert all("both ways" not in note for note in other.notes)


def test_a_mark_that_can_be_read_in_two_ways(tmp_path: Path) -> None:
    text = 'n,x\n1,"1,234"\n2,"5,678"\n'
    opened = csv(tmp_path, text)
    assert opened.take([0, 1]).column("x").to_pylist() == [1234, 5678]
    assert "decimal= (--decimal) says which mark is the decimal one (1,234)" in opened.notes[1]
    assert csv(tmp_path, text, decimal=",").take([0, 1]).column("x").to_pylist() == [1.234, 5.678]
    assert column(tmp_path, "1,234", "5,678")[0] == [1.234, 5.678]  # semicolons are of countries with decimal commas
    opened = csv(tmp_path, "a;b\n1.234;1,5\n5.678;2,5\n")  # another column shows it
    assert opened.take([0]).to_pylist() == [{"a": 1234, "b": 1.5}]
    assert csv(tmp_path, "a;b\n1.234;2\n5.678;3\n").take([0]).to_pylist() == [{"a": 1.234, "b": 2}]
    assert column(tmp_path, "1,5", "2,5", decimal=".")[0] == ["1,5", "2,5"]


def test_the_delimiter_is_what_makes_numbers(tmp_path: Path) -> None:
    assert csv(tmp_path, "1,5;2,25\n1,7;3,5\n").take([0]).to_pylist() == [{"column_0": 1.5, "column_1": 2.25}]
    assert csv(tmp_path, "1,5;2,25;x\n1,7;3,5;y\n").schema.shape == (3,)
    assert csv(tmp_path, "sep=;\na;b\n1;2\n").take([0]).to_pylist() == [{"a": 1, "b": 2}]
    assert csv(tmp_path, "a;b\n1;2\n", delimiter=",").schema.shape == (1,)
    with pytest.raises(ParameterError, match="delimiter must be one of"):
        csv(tmp_path, "a;b\n1;2\n", delimiter=":")


def test_numbers_that_are_text(tmp_path: Path) -> None:
    read, _, notes = column(tmp_path, "00123", "456")
    assert read == ["00123", "456"]
    assert notes == [
        "column 'x': numbers with zeros in front are kept as text; as_text= (--as-text) names the columns to keep so "
        "(00123)."
    ]
    assert column(tmp_path, "00123", "456", as_text=())[0] == [123, 456]
    assert column(tmp_path, "01.11", "10.20")[0] == ["01.11", "10.20"]
    assert column(tmp_path, "+41791234567", "+41791234568")[0] == ["+41791234567", "+41791234568"]
    assert column(tmp_path, "+5", "-3")[0] == [5, -3]
    assert column(tmp_path, "0x1F", "12")[0] == ["0x1F", "12"]
    assert column(tmp_path, "12 kg", "13 kg")[0] == ["12 kg", "13 kg"]
    assert column(tmp_path, "192.168.1.1", "10.0.0.1")[0] == ["192.168.1.1", "10.0.0.1"]
    assert column(tmp_path, "\u20ac3", "$4")[2] == ["column 'x': numbers of several notations are kept as text."]
    assert column(tmp_path, "1", "2", as_text=["x"])[0] == ["1", "2"]
    assert column(tmp_path, "0.5", "0", "-0.25")[0] == [0.5, 0, -0.25]
    quoted = csv(tmp_path, 'id,zip\n1,"12"\n2,"55"\n')
    assert quoted.take([0]).to_pylist() == [{"id": 1, "zip": "12"}]
    assert "numbers in quotation marks are kept as text" in quoted.notes[1]
    assert csv(tmp_path, '"id","zip"\n"1","12"\n"2","55"\n').take([0]).to_pylist() == [{"id": 1, "zip": 12}]


def test_long_numbers_are_exact_or_said(tmp_path: Path) -> None:
    assert column(tmp_path, "18446744073709551615", "1")[:2] == ([2**64 - 1, 1], "uint64")
    read, dtype, notes = column(tmp_path, "12345678901234567890123", "5")
    assert (read, dtype) == (["12345678901234567890123", "5"], "string")
    assert notes == ["column 'x': whole numbers of more than 64 bits are kept as text, which is exact."]
    for cell in ("0.123456789012345678901", "9007199254740993"):
        _, dtype, notes = column(tmp_path, cell, "1.5")
        assert dtype == "double"
        assert f"numbers of more than 17 digits, or whole and beyond 2^53, are rounded ({cell})" in notes[0]
    assert column(tmp_path, "0.1234567890123456", "-1.2345678901234567e-100")[2] == []


def test_missing_cells_are_told_by_the_column(tmp_path: Path) -> None:
    read, _, notes = column(tmp_path, "1", "-", "None", "n.a.", "#DIV/0!", ".", "")
    assert read == [1, None, None, None, None, None, None]
    assert notes == ["missing cells of t.csv: 1 '-', 1 'None', 1 'n.a.', 1 '#DIV/0!', 1 '.' and 1 more."]
    read, _, notes = column(tmp_path, "brick", "-", "None", "NA", "stone")
    assert read == ["brick", "-", "None", None, "stone"]
    assert notes == [
        "column 'x': taken as categories: '-', 'None'; missing= (--missing) can say otherwise.",
        "missing cells of t.csv: 1 'NA'.",
    ]
    assert column(tmp_path, "brick", "-", "NA", missing=["-"])[0] == ["brick", None, "NA"]
    assert column(tmp_path, "1", "-999", missing=["-999"])[0] == [1, None]
    assert column(tmp_path, "NA", "CH", as_text=["x"])[0] == ["NA", "CH"]
    assert column(tmp_path, "31.12.2020", "-")[0] == [DAY(2020, 12, 31), None]


def test_a_note_for_many_columns(tmp_path: Path) -> None:
    names, cells = ";".join(f"c{i}" for i in range(300)), ";".join(["1,5"] * 300)
    opened = csv(tmp_path, f"{names}\n{cells}\n{cells}\n")
    assert opened.notes[1:] == [
        "columns 'c0', 'c1', 'c2', 'c3', 'c4' and 295 more: numbers with decimal commas are read (1,5)."
    ]


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("0,1,2,3\n5.1,3.5,1.4,0.2\n4.9,3.0,1.4,0.2\n", ["0", "1", "2", "3"], 2),
        (",0,1\n0,5.5,2\n1,6,7\n", ["column_0", "0", "1"], 2),
        ("0,1,2\n3,4,5\n6,7,8\n", ["column_0", "column_1", "column_2"], 3),
        ("country,2000,2001,2002\nA,5,6,7\nB,8,8,8\n", ["country", "2000", "2001", "2002"], 2),
        ("country,1990,2000,2011\nA,5,6.5,9\nB,8,8,3\n", ["country", "1990", "2000", "2011"], 2),
        ("400.5,401,402.5,403,404\n.1,.5,.2,.8,.4\n.3,.1,.2,.3,.5\n", ["400.5", "401", "402.5", "403", "404"], 2),
        ("a,a\n1,2\n3,4\n", ["a", "a_2"], 2),
        ("a,b,\n1,2,\n3,4,\n", ["a", "b"], 2),
        ("a,b\n1,2,\n3,4,\n", ["a", "b"], 2),
        ("a,b,\n1,2\n3,4\n", ["a", "b"], 2),
        ("a,b,,,\n1,2,,,\n3,4,,,\n", ["a", "b"], 2),
        ("1,2,\n3,4,\n", ["column_0", "column_1"], 2),
        ('"a","b"\n"r1",1,2\n"r2",3,4\n', ["column_0", "a", "b"], 2),
        ("NA,K,Cl\n1,2,3\n3,4,5\n", ["NA", "K", "Cl"], 2),
        ("year,2\n1990,3\n1991,4\n", ["year", "2"], 2),
        ("Anna,31\n", ["column_0", "column_1"], 1),
    ],
)
def test_names_are_told_by_all_columns(tmp_path: Path, text: str, names: list[str], rows: int) -> None:
    opened = csv(tmp_path, text)
    assert [column.name for column in opened.schema.columns] == names
    assert len(opened) == rows


def test_what_names_had_is_said(tmp_path: Path) -> None:
    assert csv(tmp_path, "a,a,a_2\n1,2,3\n").notes[1] == (
        "names that occur more than once in t.csv were told apart by a number ('a', 'a_2'): 'a'."
    )
    assert [c.name for c in csv(tmp_path, "a,a,a_2\n1,2,3\n").schema.columns] == ["a", "a_3", "a_2"]
    assert "which have no name, were left out: 1." in csv(tmp_path, "a,b,\n1,2,\n3,4,\n").notes[1]
    for text in ("a,b\n", "a,b", "name\n"):
        with pytest.raises(DataError, match="holds the names of columns and no rows"):
            csv(tmp_path, text)
    assert len(csv(tmp_path, "a,b\n", header=False)) == 1


@pytest.mark.long
def test_fifty_rows_of_twenty_thousand_columns(tmp_path: Path) -> None:
    names = ",".join(f"gene_{i:05d}_of_the_experiment" for i in range(20_000))
    rows = "\n".join(",".join(["0.25", "3"] * 10_000) for _ in range(50))
    opened = csv(tmp_path, f"{names}\n{rows}\n")
    assert len(opened) == 50
    assert opened.schema.shape == (20_000,)
    assert {column.type for column in opened.schema.columns} == {"number", "integer"}


def test_long_cells_and_rows(tmp_path: Path) -> None:
    long = "x" * 200_000
    assert csv(tmp_path, f"a,b\n1,{long}\n2,y\n").take([0]).to_pylist() == [{"a": 1, "b": long}]
    quoted = "x,\n" * 100_000 + "x"
    assert csv(tmp_path, f'a,b\n1,"{quoted}"\n2,y\n').take([0]).to_pylist() == [{"a": 1, "b": quoted}]
    with pytest.raises(DataError, match="its first row has 300,001 cells, and the limit is 200,000"):
        csv(tmp_path, "," * 300_000 + "\n1,2\n")


def test_memory_follows_what_is_there(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i}.5,abc\n" for i in range(20_000))
    (tmp_path / "t.csv").write_text("a,b,c\n" + rows, encoding="utf-8")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    for name in ("t.csv", "t.csv.gz"):
        data.open(tmp_path / name)
        tracemalloc.start()
        data.open(tmp_path / name)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * (tmp_path / "t.csv").stat().st_size + 2**21


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of the address space is one of Linux")
def test_a_small_file_opens_under_a_limit_of_memory(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n", encoding="utf-8")
    code = "from isthmus import data; import sys; print(len(data.open(sys.argv[1])))"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))

    command = [sys.executable, "-c", code, str(tmp_path / "t.csv")]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False)
    assert done.stdout == "2\n", done.stderr


def test_a_packed_file_may_not_unpack_to_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_tables, "PACKED_BYTES", 2**20)
    content = b"a,b\n" + b"0,0\n" * 2**20
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=r"unpacks to many times its [\d,]+ bytes, .* unpack it with gunzip"):
        data.open(tmp_path / "t.csv.gz")
    (tmp_path / "t.csv").write_bytes(gzip.decompress((tmp_path / "t.csv.gz").read_bytes()))  # as the sentence says
    assert len(data.open(tmp_path / "t.csv")) == 2**20
    chance = random.Random(0)
    text = "a,b\n" + "".join(f"{chance.random()},{i}\n" for i in range(100_000))
    (tmp_path / "u.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert len(data.open(tmp_path / "u.csv.gz")) == 100_000


def test_encodings_of_all_kinds(tmp_path: Path) -> None:
    def read(content: bytes, **options: Any) -> tuple[Any, list[str]]:
        (tmp_path / "t.csv").write_bytes(content)
        opened = data.open(tmp_path / "t.csv", **options)
        return opened.take([0]).column("b")[0].as_py(), opened.notes

    value, notes = read("a,b\n1,5 \u20ac\u201c\n".encode("cp1252"))
    assert value == "5 \u20ac\u201c"
    assert notes[0] == (
        "t.csv is no valid UTF-8 and was read as Windows-1252; encoding= (--encoding) reads it as another."
    )
    assert read(b"a,b\n1,\x81\xe9\n")[0] == "\x81\u00e9"
    assert read("a,b\n1,\u3042\n".encode("shift-jis"), encoding="shift-jis")[0] == "\u3042"
    assert read("a,b\n1,\u3042\n".encode("utf-32"))[0] == "\u3042"
    with pytest.raises(DataError, match="no valid UTF-8 text"):
        read("a,b\n1,\u00e9\n".encode("latin-1"), encoding="utf-8")
    for name in ("rot13", "nope"):
        with pytest.raises(ParameterError, match="encoding must be None or the name of an encoding"):
            read(b"a,b\n1,2\n", encoding=name)


def test_encodings(tmp_path: Path) -> None:
    for encoding, note in (("utf-8-sig", 0), ("latin-1", 1), ("utf-16", 1)):
        (tmp_path / "t.csv").write_bytes("a,b\n1,Zürich\n".encode(encoding))
        opened = data.open(tmp_path / "t.csv")
        assert opened.take([0]).to_pylist() == [{"a": 1, "b": "Zürich"}]
        assert len(opened.notes) == 1 + note


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n1,2\n3\n", "it is no regular table: line 3: 2 columns expected, 1 found: 3"),
        ("a,b\n", r"holds the names of columns and no rows; if its first row is a record, say so with header=False"),
        ("  \n", "it is empty"),
        ('a,b\n1,"x\n1,2\n', "a quotation mark is not closed"),
        ("a\nb,2\nc,4\n", "line 2: 1 column expected, 2 found: b,2"),
        ("a,b\n1,inf\n", "contains infinity in row 0, column 'b'"),
        ("a\0,b\n1,2\n", "it holds zero bytes, so it is no text"),
    ],
)
def test_unsuitable_csv(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        csv(tmp_path, text, header=True)


def test_unclosed_quotation_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_tables, "CELL_BYTES", 4096)
    with pytest.raises(DataError, match="quotation mark"):
        csv(tmp_path, 'a,b\n1,"x\n' + "1,2\n" * 5000)


def test_truncated_packed_csv(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 100)[:-10])
    with pytest.raises(DataError, match="truncated or damaged"):
        data.open(tmp_path / "t.csv.gz")


def test_csv_label_column(tmp_path: Path) -> None:
    opened = csv(tmp_path, "a,b,kind\n1,2,x\n3,4,y\n", label_column="kind")
    assert opened.labels.tolist() == ["x", "y"]
    assert opened.schema.shape == (2,)


def test_one_column_may_have_decimal_commas(tmp_path: Path) -> None:
    opened = csv(tmp_path, "price\n1,5\n,25\n3,75\n")
    assert opened.chunk(0, 3).column("price").to_pylist() == [1.5, 0.25, 3.75]


def test_a_note_says_that_points_in_a_file_of_semicolons_may_stand_between_thousands(tmp_path: Path) -> None:
    opened = csv(tmp_path, "name;sum\na;1.234\nb;2.500\n")
    assert opened.chunk(0, 2).column("sum").to_pylist() == [1.234, 2.5]
    assert any("decimal= (--decimal) says which" in note for note in opened.notes)
    told = csv(tmp_path, "name;sum\na;1.234\nb;2.500\n", decimal=",")
    assert told.chunk(0, 2).column("sum").to_pylist() == [1234, 2500]
    for text in ("name;sum\na;1.234\nb;2.5\n", "name,sum\na,1.234\nb,2.500\n"):
        assert len(csv(tmp_path, text).notes) == 1


def test_a_zero_with_a_sign_is_nothing_special_among_floats() -> None:
    found = plain_values(pa.chunked_array([["1.5", "-0", "-0.25"]]), Conventions())
    assert found is not None
    assert found[0].to_pylist() == [1.5, -0.0, -0.25]
    assert plain_values(pa.chunked_array([["1", "-0"]]), Conventions()) is None
    assert plain_values(pa.chunked_array([["1.5", "007"]]), Conventions()) is None


# --- for a fitted model ----------------------------------------------------------------------------------------------


FITTED = "zip;size;price;when;paid\n01067;M;12,5;31.12.2020;true\n04600;-;1,25;01.02.2021;false\n"


def types_of(opened: data.Data) -> list[str]:
    return [column.type for column in opened.schema.columns]


@pytest.mark.parametrize(
    ("row", "values"),
    [
        ("1067,S,3,2020-12-31,true", {"zip": "1067", "size": "S", "price": 3}),
        ("80331,7,007,2020-12-31,true", {"zip": "80331", "size": "7", "price": 7}),
        ("-,2020-01-01,-,-,-", {"zip": "-", "size": "2020-01-01", "price": None, "when": None, "paid": None}),
        ("NA,true,,2020-12-31,true", {"zip": None, "size": "true", "price": None}),
        ('"1067","S","3","2020-12-31",true', {"zip": "1067", "price": 3}),
    ],
)
def test_the_columns_of_a_fitted_table_have_its_types(tmp_path: Path, row: str, values: dict[str, Any]) -> None:
    schema = csv(tmp_path, FITTED).schema
    opened = csv(tmp_path, f"zip,size,price,when,paid\n{row}\n", "new.csv", schema=schema)
    found = opened.take([0]).to_pylist()[0]
    assert {name: found[name] for name in values} == values
    assert not any("kept as text" in note or "names of the columns" in note for note in opened.notes)


def test_a_cell_that_the_fit_has_no_place_for_is_named(tmp_path: Path) -> None:
    schema = csv(tmp_path, FITTED).schema
    text = "zip,size,price,when,paid\n1067,S,3,2020-12-31,true\n1067,S,-,2020-12-31,true\n1067,S,n.b.,-,true\n"
    with pytest.raises(ShapeError, match=r"'price' held values of type number in the fit, and row 2 holds 'n.b.'"):
        csv(tmp_path, text, schema=schema)
    opened = csv(tmp_path, text, schema=schema, missing=["-", "n.b."])
    assert opened.chunk(0, 3).column("price").to_pylist() == [3, None, None]


def test_names_of_the_fit_are_a_header_also_above_one_row_of_text(tmp_path: Path) -> None:
    schema = csv(tmp_path, "0,1,2\nx,y,z\nz,x,y\n", header=True).schema
    assert len(csv(tmp_path, "0,1,2\nx,y,z\n", schema=schema)) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("header", True),
        ("delimiter", ";"),
        ("encoding", "cp1252"),
        ("decimal", ","),
        ("day_first", True),
        ("missing", ["-"]),
        ("as_text", ["a"]),
    ],
)
def test_options_of_text_tables_are_refused_for_what_is_none(tmp_path: Path, name: str, value: Any) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    frame.to_parquet(tmp_path / "t.parquet")
    for source in (frame, tmp_path / "t.parquet", "digits", ["a", "b"], np.eye(3)):
        with pytest.raises(ParameterError, match=f"{name} is for text tables"):
            data.open(source, **{name: value})
    opened = csv(tmp_path, "a,b\n1,2\n")
    with pytest.raises(ParameterError, match=f"{name} is for opening, and t.csv is open already"):
        data.open(opened, **{name: value})
    with pytest.raises(ParameterError, match="columns is for opening"):
        data.open(opened, columns=["a"])
