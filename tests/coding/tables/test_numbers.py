"""Numbers, dates and times come back as they were written; what is written otherwise is none."""

from __future__ import annotations

import datetime
import io
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.coding.container import Source
from isthmus.coding.tables.decimals import Decimals
from isthmus.coding.tables.distinct import Distinct
from isthmus.coding.tables.moments import Moments
from isthmus.coding.tables.notation import Reading, digits_of, matrix_of, texts_of
from isthmus.errors import ArtifactError


def read(notation: Any, cells: list[str]) -> Reading:
    reading = notation.of(Distinct.of([cell.encode() for cell in cells]))
    assert isinstance(reading, Reading)
    return reading


def decimals(reading: Reading) -> list[Decimal]:
    notation = reading.notation
    assert isinstance(notation, Decimals)
    return [Decimal(value).scaleb(-notation.places) for value in reading.values.tolist()]


DECIMALS = {
    "whole": (["1", "-2", "30"], Decimals()),
    "places": (["1.50", "-0.25", "0.00"], Decimals(places=2)),
    "shortest": ([f"{number / 1000:g}" for number in range(0, 2000, 7)], Decimals(places=3, rule=1)),
    "at least one place": ([str(number / 1000) for number in range(0, 2000, 7)], Decimals(places=3, rule=2)),
    "any places": (["0.70", "7.4", "0.5", "0.50", "1.2", "1.20"], Decimals(places=2, rule=0, varying=True)),
    "zeros in front": (["007", "123", "4567"], Decimals(whole=3)),
    "no zero in front": ([".5", "-.25", "1.5", "0"], Decimals(whole=0, places=2, rule=1)),
    "a point behind": (["5.", "6.", "-7."], Decimals(suffix=b".")),
    "a comma": (["1,5", "2,25"], Decimals(mark=b",", places=2, rule=1)),
    "a currency": (["$5.50", "$17.00"], Decimals(prefix=b"$", places=2)),
    "a unit": (["5 km", "17 km"], Decimals(suffix=b" km")),
    "names with numbers": (["id-0001", "id-0002"], Decimals(prefix=b"id", whole=1)),
    "18 digits": (["999999999999999999", "-999999999999999999"], Decimals()),
}


@pytest.mark.parametrize(("cells", "notation"), DECIMALS.values(), ids=DECIMALS.keys())
def test_how_numbers_are_written(cells: list[str], notation: Decimals) -> None:
    reading = read(Decimals, cells)
    if cells[0] != "id-0001":
        assert reading.notation == notation
        assert reading.known.all()
        bare = [cell.strip("$ km").replace(",", ".").rstrip(".") for cell in cells]
        assert decimals(reading) == [Decimal(cell) for cell in bare]
    written = reading.notation.cells(reading.values, reading.variants)
    assert [w for w, known in zip(written, reading.known, strict=True) if known] == [
        cell.encode() for cell, known in zip(cells, reading.known, strict=True) if known
    ]


@pytest.mark.parametrize(
    "odd", ["+1", "-0", "1e5", "007", ".5", "5.", "", "NA", "1 ", " 1", "--1", "1-", "1.2.3", "\0", "1\0"]
)
def test_cells_that_are_written_otherwise_are_no_numbers(odd: str) -> None:
    reading = read(Decimals, [*map(str, range(40)), odd])
    assert reading.known.tolist() == [True] * 40 + [False]


def test_numbers_of_more_than_18_digits_are_none() -> None:
    cells = ["1", "2", str(10**18 - 1), str(10**18), str(2**63), str(2**64), "9" * 1000]
    reading = read(Decimals, cells)
    assert reading.known.tolist() == [True, True, True, False, False, False, False]


def test_a_few_long_numbers_do_not_make_all_long() -> None:
    cells = [f"{number / 10:.1f}" for number in range(100)] + ["9.05333333333333", "10.55"]
    reading = read(Decimals, cells)
    assert isinstance(reading.notation, Decimals)
    assert reading.notation.places == 1
    assert int(reading.known.sum()) == 100


@pytest.mark.parametrize("cells", [[""], ["a", "b"], ["\0"], ["x" * 10_000], ["-", "."], ["a" * 40 + "1"]])
def test_cells_without_numbers_are_not_read_as_such(cells: list[str]) -> None:
    assert Decimals.of(Distinct.of([cell.encode() for cell in cells])) is None


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=30),
    st.integers(0, 6),
    st.sampled_from(["", "$", "EUR ", "a.b"]),
    st.sampled_from(["", "%", " kg", "."]),
)
def test_decimals_with_fixed_places_come_back(numbers: list[int], places: int, prefix: str, suffix: str) -> None:
    cells = [f"{prefix}{Decimal(number).scaleb(-places):f}{suffix}" for number in numbers]
    reading = read(Decimals, cells)
    column = Distinct.of([cell.encode() for cell in cells])
    assert reading.known.all()
    assert reading.notation.cells(reading.values, reading.variants) == column.cells


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6).map(repr), min_size=1, max_size=30))
def test_what_is_known_of_floats_is_exact(cells: list[str]) -> None:
    reading = Decimals.of(column := Distinct.of([cell.encode() for cell in cells]))
    if reading is not None:
        written = reading.notation.cells(reading.values, reading.variants)
        for cell, back, known in zip(column.cells, written, reading.known.tolist(), strict=True):
            assert not known or back == cell


@settings(max_examples=200, deadline=None)
@given(
    st.builds(
        Decimals,
        st.binary(max_size=32),
        st.binary(max_size=32),
        st.sampled_from([b".", b","]),
        st.integers(0, 84),
        st.integers(0, 18),
        st.integers(0, 2),
        st.booleans(),
    ),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=10),
    st.integers(0, 18),
)
def test_any_notation_is_written_and_read_and_writes_any_number(
    notation: Decimals, values: list[int], variant: int
) -> None:
    data = notation.to_bytes()
    source = Source(io.BytesIO(data), "it")
    assert Decimals.read(source) == notation
    assert source.position == len(data)
    assert len(notation.cells(np.array(values), np.full(len(values), variant))) == len(values)


@pytest.mark.parametrize(
    "data", [b"\x21" + bytes(60), b"\0\0\x7f\0\0", b"\0\0\0\x13\0", b"\0\0\0\0\x0c", b"\0\0\0", b""]
)
def test_what_is_no_notation_of_decimals_is_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError):
        Decimals.read(Source(io.BytesIO(data), "it"))


# ------------------------------------------------------------------ dates and times

EPOCH = datetime.datetime(1970, 1, 1)
moments = st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31))
PATTERNS = {
    "YYYY-MM-DD": ("%Y-%m-%d", datetime.timedelta(days=1)),
    "YYYY/MM/DD": ("%Y/%m/%d", datetime.timedelta(days=1)),
    "YYYY-MM-DD hh:mm:ss": ("%Y-%m-%d %H:%M:%S", datetime.timedelta(seconds=1)),
    "YYYY-MM-DDThh:mm:ssZ": ("%Y-%m-%dT%H:%M:%SZ", datetime.timedelta(seconds=1)),
    "YYYY-MM-DDThh:mm:ss.ffffff+01:00": ("%Y-%m-%dT%H:%M:%S.%f+01:00", datetime.timedelta(microseconds=1)),
    "YYYY-MM-DD hh:mm": ("%Y-%m-%d %H:%M", datetime.timedelta(seconds=1)),
}


@pytest.mark.parametrize(("picture", "pattern", "unit"), [(key, *value) for key, value in PATTERNS.items()])
@settings(max_examples=60, deadline=None)
@given(found=st.lists(moments, min_size=1, max_size=20))
def test_dates_and_times_are_those_of_pythons_datetime(
    picture: str, pattern: str, unit: datetime.timedelta, found: list[datetime.datetime]
) -> None:
    cells = list(dict.fromkeys(f"{moment.year:04d}" + moment.strftime(pattern.removeprefix("%Y")) for moment in found))
    reading = read(Moments, cells)
    assert reading.notation == Moments(picture.encode())
    parsed = [datetime.datetime.strptime(cell, pattern) for cell in cells]
    assert reading.values.tolist() == [(moment - EPOCH) // unit for moment in parsed]
    assert reading.known.all()
    assert reading.notation.cells(reading.values, reading.variants) == [cell.encode() for cell in cells]


@pytest.mark.parametrize(
    ("cells", "picture"),
    [
        (["31/01/2020", "01/02/2020"], b"DD/MM/YYYY"),
        (["01/31/2020", "02/01/2020"], b"MM/DD/YYYY"),
        (["31.01.2020", "01.02.2020"], b"DD.MM.YYYY"),
        (["12:30", "99:59"], b"hh:mm"),
        (["00:00:01.5", "23:59:59.9"], b"hh:mm:ss.f"),
    ],
)
def test_days_come_first_where_they_must(cells: list[str], picture: bytes) -> None:
    reading = read(Moments, cells)
    assert reading.notation == Moments(picture)
    assert reading.known.all()


@pytest.mark.parametrize(
    "odd", ["2020-02-30", "2020-13-01", "2020-00-01", "0000-00-00", "2020-1-01", "2020/01/01", "", "NA", "2020-01-01 "]
)
def test_dates_that_are_none_are_left(odd: str) -> None:
    reading = read(Moments, ["2020-01-01", "2020-02-29", odd])
    assert reading.known.tolist() == [True, True, False]


@pytest.mark.parametrize("cells", [["1", "2"], ["a"], ["2020"], ["20200131"], ["1:2"], ["x" * 1000], [""]])
def test_cells_without_dates_are_not_read_as_such(cells: list[str]) -> None:
    assert Moments.of(Distinct.of([cell.encode() for cell in cells])) is None


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([b"YYYY-MM-DD", b"hh:mm", b"DD/MM/YYYY hh:mm:ss.fffffffff", b"Y", b"f", b"sYM"]),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=10),
)
def test_any_picture_shows_any_number(picture: bytes, values: list[int]) -> None:
    notation = Moments(picture)
    assert Moments.read(Source(io.BytesIO(notation.to_bytes()), "it")) == notation
    cells = notation.cells(np.array(values), np.zeros(len(values), np.int64))
    assert [len(cell) for cell in cells] == [len(picture)] * len(values)


@pytest.mark.parametrize(
    "data", [b"\x29" + b"Y" * 41, b"\x03abc", b"\x0a" + b"Y" * 10, b"\x0a" + b"f" * 10, b"\x05YY", b""]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError):
        Moments.read(Source(io.BytesIO(data), "it"))


# ------------------------------------------------------------------ characters


@given(st.lists(st.integers(0, 10**18 - 1), min_size=1))
def test_digits_are_those_that_python_writes(values: list[int]) -> None:
    digits = digits_of(np.array(values), 18)
    assert [bytes(column).decode() for column in digits.T] == [f"{value:018d}" for value in values]


@given(st.lists(st.binary(max_size=12), min_size=1))
def test_characters_lie_by_place(cells: list[bytes]) -> None:
    characters, lengths = matrix_of(cells, 8)
    assert lengths.tolist() == [len(cell) for cell in cells]
    for column, cell in zip(characters.T, cells, strict=True):
        assert bytes(column).rstrip(b"\0") == cell[:8].rstrip(b"\0")


@given(st.lists(st.text("abc", min_size=5, max_size=5), min_size=1), st.data())
def test_characters_that_are_kept_make_cells(cells: list[str], data: st.DataObject) -> None:
    kept = np.array([data.draw(st.lists(st.booleans(), min_size=5, max_size=5)) for _ in cells]).T
    characters, _ = matrix_of([cell.encode() for cell in cells], 5)
    expected = ["".join(np.array(list(cell))[keep].tolist()).encode() for cell, keep in zip(cells, kept.T, strict=True)]
    assert texts_of(characters, kept) == expected
