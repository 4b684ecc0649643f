"""Tables in streams: what a damaged one still gives, rows that are had alone, Parquet, and which form a file takes."""

from __future__ import annotations

import io
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import isthmus
from isthmus.coding import contents, values
from isthmus.coding.chunks import Head
from isthmus.coding.container import STREAM, VALUES, Fields, Source, opened
from isthmus.coding.recognising import kind_of, recognised, write_recognised
from isthmus.coding.scheme import Scheme
from isthmus.coding.stream import Lost, Reader, salvage
from isthmus.coding.tables import ParquetTable, TextTable, coding, described, text
from isthmus.coding.tables import parquet as parquets
from isthmus.errors import ArtifactError, DataError, FormatNumberError, IsthmusError, ParameterError

from .. import tables_by_the_norm

HEADER = b"number,name,square\n"
LINES = [f"{n},{'abc'[n % 3]},{n * n}\n".encode() for n in range(90)]
DATA = HEADER + b"".join(LINES)


@pytest.fixture
def groups_of_20(monkeypatch: pytest.MonkeyPatch) -> None:
    real = text.rows_of_groups
    monkeypatch.setattr(text, "rows_of_groups", lambda file: real(file, rows=20))
    monkeypatch.setattr(parquets, "MOST_ROWS", 20)


def compressed(data: bytes) -> bytes:
    into = io.BytesIO()
    contents.write(into, TextTable(io.BytesIO(data)), verify=False)
    return into.getvalue()


def places(content: bytes) -> list[tuple[int, int]]:
    """Return where the payload of each chunk begins and ends."""
    source, found = Source.of(content, "it"), []
    Fields.read(source, opened(source))
    while True:
        head = Head.read(source, len(found), of_bytes=False)
        if head.kind:
            return found
        found.append((source.position, source.position + head.size))
        source.take(head.size)


# ------------------------------------------------------------------ damage


def saved(content: bytes) -> tuple[bytes, list[str]]:
    source = Source.of(content, "it")
    opened(source)
    found = list(salvage(source))
    sound = b"".join(piece for piece in found if isinstance(piece, bytes))
    return sound, [str(piece) for piece in found if isinstance(piece, Lost)]


@pytest.mark.usefixtures("groups_of_20")
def test_of_a_damaged_table_all_other_groups_are_saved() -> None:
    content = bytearray(compressed(DATA))
    assert saved(bytes(content)) == (DATA, [])
    start, stop = places(bytes(content))[2]
    content[(start + stop) // 2] ^= 8
    assert saved(bytes(content)) == (
        HEADER + b"".join(LINES[:40] + LINES[60:]),
        ["rows 40 to 59 (chunk 2)"],
    )


@pytest.mark.usefixtures("groups_of_20")
def test_a_damaged_head_of_a_group_loses_that_group() -> None:
    content = bytearray(compressed(DATA))
    content[places(bytes(content))[1][0] - 3] ^= 1
    assert saved(bytes(content)) == (HEADER + b"".join(LINES[:20] + LINES[40:]), ["rows 20 to 39 (chunk 1)"])


@pytest.mark.usefixtures("groups_of_20")
def test_of_a_table_that_is_cut_short_the_groups_before_are_saved() -> None:
    content = compressed(DATA)
    assert saved(content[: places(content)[3][1] - 1]) == (
        HEADER + b"".join(LINES[:60]),
        ["all from row 60 on (chunk 3 and later)"],
    )


# ------------------------------------------------------------------ some rows


@pytest.mark.usefixtures("groups_of_20")
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 90), (19, 21), (45, 46), (85, None), (30, 30), (0, 1000)])
def test_rows_are_had_alone_with_the_names_of_columns(start: int, stop: int | None) -> None:
    found = isthmus.read_rows(io.BytesIO(compressed(DATA)), start, stop)
    assert found == HEADER + b"".join(LINES[start:stop])


@pytest.mark.usefixtures("groups_of_20")
def test_no_other_groups_are_decoded() -> None:
    content = bytearray(compressed(DATA))
    for _, stop in [*places(bytes(content))[:2], *places(bytes(content))[3:]]:
        content[stop - 1] ^= 1
    assert isthmus.read_rows(io.BytesIO(bytes(content)), 41, 43) == HEADER + b"".join(LINES[41:43])
    with pytest.raises(ArtifactError, match="chunk 1 does not fit"):
        isthmus.read_rows(io.BytesIO(bytes(content)), 39, 43)


def test_rows_with_line_breaks_in_quotes() -> None:
    lines = [f'{n},"two\nlines {n}"\n'.encode() for n in range(40)]
    content = compressed(b"a,b\n" + b"".join(lines))
    assert isthmus.read_rows(io.BytesIO(content), 3, 5) == b"a,b\n" + b"".join(lines[3:5])


@pytest.mark.usefixtures("groups_of_20")
def test_rows_that_are_no_table_are_counted_as_lines() -> None:
    lines = [*LINES[:50], b"another,row\n", *LINES[50:], *LINES]
    content = compressed(HEADER + b"".join(lines))
    assert b"".join(Reader(io.BytesIO(content)).pieces()) == HEADER + b"".join(lines)
    assert isthmus.read_rows(io.BytesIO(content), 49, 52) == HEADER + b"".join(lines[49:52])


def test_rows_that_are_not_there_and_files_without_rows() -> None:
    content = compressed(DATA)
    with pytest.raises(ParameterError, match="has 90 rows, and row 90 was wanted"):
        isthmus.read_rows(io.BytesIO(content), 90)
    with pytest.raises(ArtifactError, match="is not compressed as a table"):
        isthmus.read_rows(io.BytesIO(isthmus.compress(DATA)))
    with pytest.raises(ArtifactError, match="its end is missing"):
        isthmus.read_rows(io.BytesIO(content[:-9]))


# ------------------------------------------------------------------ Parquet


def frame(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "count": rng.integers(0, 100, rows),
            "price": rng.normal(size=rows).round(2),
            "group": pd.Categorical(rng.choice(list("abc"), rows)),
            "note": rng.choice(["seen", "not seen", None], rows),
            "when": pd.date_range("2024-01-01", periods=rows, freq="h"),
        },
        index=pd.Index(rng.permutation(rows), name="id"),
    )


def through(path: Path) -> bytes:
    into = io.BytesIO()
    content = ParquetTable.of(path)
    assert isinstance(content, ParquetTable)
    contents.write(into, content)
    return into.getvalue()


@pytest.mark.usefixtures("groups_of_20")
def test_a_parquet_file_comes_back_with_its_schema_its_metadata_and_its_values(tmp_path: Path) -> None:
    frame(50).to_parquet(tmp_path / "a.parquet")
    content = through(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(Reader(io.BytesIO(content)).readall())
    before, after = (parquet.read_table(tmp_path / name) for name in ("a.parquet", "b.parquet"))
    assert after.equals(before, check_metadata=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "b.parquet"), frame(50))
    assert parquet.ParquetFile(tmp_path / "b.parquet").num_row_groups == 3


def test_groups_that_are_not_of_one_parquet_file_are_refused(tmp_path: Path) -> None:
    forms = []
    for number, columns in enumerate(({"a": [1, 2, 3]}, {"b": [0.5, 1.5, 2.5]})):
        parquet.write_table(pa.table(columns), path := tmp_path / f"{number}.parquet")
        content = ParquetTable.of(path)
        assert isinstance(content, ParquetTable)
        forms += [work().data for work in content.work()]
    table = parquets.DescribedParquet()
    assert parquet.read_table(io.BytesIO(b"".join(table.as_file(iter(forms[:1]))))).num_rows == 3
    for altered in (forms, [forms[0][:-1]], [forms[0] + b"\0"], [_with_half_a_number(forms[0])]):
        with pytest.raises(ArtifactError):
            b"".join(table.as_file(iter(altered)))


def _with_half_a_number(form: bytes) -> bytes:
    """Return a form whose last plane, of three numbers of four bytes, has one byte less."""
    assert form[-13] == 12
    return form[:-13] + bytes([11]) + form[-12:-1]


@pytest.mark.usefixtures("groups_of_20")
def test_rows_of_a_parquet_file_and_what_is_sound_of_a_damaged_one(tmp_path: Path) -> None:
    frame(50).to_parquet(tmp_path / "a.parquet")
    content = bytearray(through(tmp_path / "a.parquet"))
    found = parquet.read_table(io.BytesIO(isthmus.read_rows(io.BytesIO(bytes(content)), 15, 42)))
    assert found.equals(parquet.read_table(tmp_path / "a.parquet").slice(15, 27))
    content[places(bytes(content))[1][1] - 1] ^= 1
    sound, lost = saved(bytes(content))
    assert lost == ["rows 20 to 39 (chunk 1)"]
    rest = parquet.read_table(tmp_path / "a.parquet")
    assert parquet.read_table(io.BytesIO(sound)).equals(pa.concat_tables([rest.slice(0, 20), rest.slice(40)]))


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (pa.table({"l": [[1], [2]]}), "of type list"),
        (pa.table({"a": pa.array([], pa.int64())}), "no rows"),
        (pa.table({}), "no rows"),
        (None, "cannot be read as a Parquet file"),
    ],
)
def test_what_is_no_table_of_plain_columns_stays_bytes(tmp_path: Path, table: pa.Table | None, why: str) -> None:
    path = tmp_path / "a.parquet"
    if table is None:
        path.write_bytes(b"PAR1 and nothing else")
    else:
        parquet.write_table(table, path)
    with open(path, "rb") as file:
        found = recognised(path, file, kind_of(path))
    assert found.content is None
    assert why in str(found.why_not)


def test_planes_of_many_rows_stand_in_sections_as_the_format_says(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    numbers = np.cumsum(rng.integers(-3, 4, 1 << 14)) + 10_000
    lines = [f"{n},{n % 5},{'-' if n % 3 else rng.integers(10**9)}\n" for n in numbers]
    data = ("a,b,c\n" + "".join(lines)).encode()
    monkeypatch.setattr(tables_by_the_norm, "ValueCoder", Fast)
    content = compressed(data)
    assert tables_by_the_norm.table(content) == data == Reader(io.BytesIO(content)).readall()
    assert coding.sections(1 << 14)[1] == slice(1 << 12, 1 << 13)
    assert coding.sections((1 << 14) - 1) == [slice(0, (1 << 14) - 1)]


class Fast:
    """The compiled coder with the calls of the norm."""

    def __init__(self, scheme: Scheme) -> None:
        self._scheme, self._coder = scheme, None

    def decode(self, payload: bytes, into: values.Values, sides: list[values.Values]) -> None:
        self._coder = self._coder or values.ValueCoder(self._scheme, len(sides))
        into[:] = self._coder.decode(payload, len(into), sides)


# ------------------------------------------------------------------ which form a file takes


def written(data: bytes, **how: bool) -> bytes:
    source, into = io.BytesIO(data), io.BytesIO()
    size = write_recognised(into, TextTable(source), source, size=len(data), **how)
    assert size == len(into.getvalue())
    return into.getvalue()


def test_a_short_table_that_is_smaller_as_bytes_is_coded_so() -> None:
    tiny = b"a,b\n1,2\n3,4\n"
    assert written(tiny) == isthmus.compress(tiny)
    assert len(written(tiny, whatever=True)) > len(written(tiny))
    assert len(written(DATA)) < len(isthmus.compress(DATA))
    for data in (tiny, DATA):
        assert isthmus.decompress(written(data)) == data


def test_a_piece_that_does_not_come_back_is_a_bug_and_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values.ValueCoder, "decode", lambda self, payload, count, sides=(): np.zeros(count, np.int64))
    with pytest.raises(IsthmusError, match="does not decode to the same bytes") as caught:
        contents.write(io.BytesIO(), TextTable(io.BytesIO(DATA)))
    assert not isinstance(caught.value, ArtifactError | DataError)


def test_a_kind_of_tables_that_is_not_known_is_of_a_later_version() -> None:
    with pytest.raises(FormatNumberError, match="a table of kind 7"):
        described(Source.of(b"\7", "it"))
    with pytest.raises(ArtifactError, match="more follows"):
        described(Source.of(b"\0\0", "it"))
    head = Fields(VALUES, content=b"\1\7").to_bytes(STREAM)
    with pytest.raises(FormatNumberError):
        isthmus.decompress(head + bytes(30))


@pytest.mark.parametrize("rows", [(0, 5), (7, 12), (20, None)])
@pytest.mark.parametrize("index", [pd.RangeIndex(100, 160, 2), pd.Index(list("abcdefghij") * 3)])
def test_some_rows_of_a_data_frame_keep_their_index(tmp_path: Path, index: pd.Index, rows: tuple[int, int]) -> None:
    frame = pd.DataFrame({"x": range(30)}, index=index)
    frame.to_parquet(tmp_path / "frame.parquet")
    content, into = ParquetTable.of(tmp_path / "frame.parquet"), io.BytesIO()
    with mock.patch("isthmus.coding.tables.parquet.MOST_ROWS", 8):
        contents.write(into, content)
    into.seek(0)
    found = pd.read_parquet(io.BytesIO(isthmus.read_rows(into, *rows)))
    pd.testing.assert_frame_equal(found, frame.iloc[slice(*rows)])
