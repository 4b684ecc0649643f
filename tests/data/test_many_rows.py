"""Very many records: what is held out, looked at, read and remembered of them, at sizes that are called many here."""

from __future__ import annotations

import os
import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from isthmus import data
from isthmus.data import looking, splitting, stores
from isthmus.data.coded_labels import CodedLabels
from isthmus.data.rows import Rows
from isthmus.data.writing import write_table_blocks
from isthmus.errors import DataError


def written(folder: Path, n: int, group: int, files: int = 1) -> Path:
    """Write n rows that number themselves, in row groups."""
    rng = np.random.default_rng(0)
    table = pa.table(
        {"number": np.arange(n, dtype=np.float64), "other": rng.normal(size=n), "y": [f"k{i % 3}" for i in range(n)]}
    )
    target = folder / "set"
    target.mkdir(exist_ok=True)
    edges = np.linspace(0, n, files + 1).astype(int).tolist()
    for k, (start, stop) in enumerate(pairwise(edges)):
        parquet.write_table(table.slice(start, stop - start), target / f"{k}.parquet", row_group_size=group)
    return target


def numbers(table: pa.Table) -> list[int]:
    return [int(number) for number in table.column("number").to_pylist()]


# ---------------------------------------------------------------------- held out


def test_few_are_held_out_as_they_always_were():
    records = data.open(np.zeros((500, 2)))
    wanted = np.sort(np.random.default_rng(7).permutation(500)[:50])
    assert splitting.apart(records, 0.1, 7).tolist() == wanted.tolist()
    for found, part in zip(data.divide(records, 0.2, 3), data.split(records, (0.8, 0.2), random_state=3), strict=True):
        assert np.asarray(found.rows).tolist() == part.rows.tolist()


@pytest.mark.parametrize("share", [0.001, 0.05, 0.1, 0.5])
@pytest.mark.parametrize("n", [1001, 5000, 12_345])
def test_of_many_runs_are_held_out_that_are_spread_over_all(many, n, share):
    rows = splitting.apart(data.open(np.zeros((n, 2))), share, 0)
    assert isinstance(rows, Rows)
    assert len(rows) == min(round(n * share), 200)
    assert len(rows.starts) <= 8
    assert len(np.unique(np.asarray(rows))) == len(rows)
    part = np.asarray(rows) * min(8, len(rows)) // n
    assert np.unique(part).tolist() == list(range(min(8, len(rows))))  # some in each eighth
    others = splitting.apart(data.open(np.zeros((n, 2))), share, 1)
    assert np.asarray(others).tolist() != np.asarray(rows).tolist()
    assert np.asarray(splitting.apart(data.open(np.zeros((n, 2))), share, 0)).tolist() == np.asarray(rows).tolist()


@pytest.mark.parametrize(("group", "files"), [(500, 1), (100, 3), (7, 1), (4000, 1)])
def test_of_a_parquet_file_beginnings_of_row_groups_are_held_out(many, tmp_path, group, files):
    opened = data.open(written(tmp_path, 4000, group, files))
    rows = splitting.apart(opened, 0.1, 0)
    assert 150 <= len(rows) <= 200
    assert np.isin(rows.starts, opened.edges).all()
    lengths = np.diff(opened.edges)[np.searchsorted(opened.edges, rows.starts)]
    assert (rows.stops - rows.starts <= np.maximum(lengths // 2, 0)).all()


def test_training_and_test_records_of_many_are_disjoint_complete_and_found_again(many, tmp_path):
    opened = data.open(written(tmp_path, 4000, 300), label_column="y")
    train, test = data.divide(opened, 0.1, 0)
    assert sorted([*np.asarray(train.rows), *np.asarray(test.rows)]) == list(range(4000))
    assert numbers(train.take([0, 1, -1])) == np.asarray(train.rows)[[0, 1, -1]].tolist()
    assert [label[1:] for label in test.labels.tolist()] == [str(row % 3) for row in np.asarray(test.rows)]
    assert isinstance(train.labels, CodedLabels)
    assert train.labels.codes is opened.labels.codes  # nothing is copied
    few = train.subset(Rows([10, 50], [20, 60]))
    assert numbers(few.take(np.arange(20))) == np.asarray(train.rows)[[*range(10, 20), *range(50, 60)]].tolist()
    assert few.labels.tolist() == [f"k{number % 3}" for number in numbers(few.take(np.arange(20)))]
    assert few.side_columns.labels.cells.to_pylist() == few.labels.tolist()
    assert [start for start, _ in train.chunks(rows=1500)] == [0, 1500, 3000]
    assert [n for _, block in train.chunks(rows=1500) for n in numbers(block)] == np.asarray(train.rows).tolist()


# ---------------------------------------------------------------------- the first look


def test_few_records_are_all_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 1)
    np.save(tmp_path / "x.npy", np.zeros((5000, 3)))
    opened = data.open(tmp_path / "x.npy")
    assert not opened.resident
    assert len(looking.places_to_look_at(opened)) == 5000
    monkeypatch.setattr(looking, "MOST_BYTES", 5000 * 24)
    assert len(looking.places_to_look_at(opened)) == 5000
    monkeypatch.setattr(looking, "MOST_BYTES", 5000 * 24 - 24)
    assert len(looking.places_to_look_at(opened)) == 4999
    assert len(looking.places_to_look_at(data.open(np.zeros((10**7, 1), np.uint8)))) == 10**7  # in memory


@pytest.mark.parametrize("n", [1001, 1500, 9999, 50_000])
def test_of_many_so_many_are_looked_at_that_lie_evenly_among_all(many, tmp_path, n):
    np.save(tmp_path / "x.npy", np.zeros((n, 1), np.uint8))
    places = looking.places_to_look_at(data.open(tmp_path / "x.npy"))
    assert len(places) == 1000
    assert len(places.starts) <= 8
    assert abs(np.asarray(places).mean() / n - 0.5) < 0.07
    assert np.bincount(np.asarray(places) * 8 // n, minlength=8).min() > 0


@pytest.mark.parametrize(("group", "files"), [(500, 1), (100, 3), (7, 1), (4000, 1)])
def test_a_look_at_a_parquet_file_decodes_little_more_than_it_looks_at(many, tmp_path, group, files):
    opened = data.open(written(tmp_path, 4000, group, files))
    places = looking.places_to_look_at(opened)
    assert len(places) == 1000
    looked = opened.subset(places)
    found = [number for _, block in looked.chunks(rows=90) for number in numbers(block)]
    assert found == np.asarray(places).tolist()
    assert opened.store.decoded <= 1000 * 1.5


def test_a_look_tells_how_far_it_is(tmp_path):
    told: list[float] = []
    watched = looking.watched(data.open(np.arange(30.0).reshape(10, 3)), told.append)
    assert [block.tolist() for _, block in watched.chunks(rows=4)][2] == [[24, 25, 26], [27, 28, 29]]
    assert told == [0.4, 0.8, 1.0]


# ---------------------------------------------------------------------- reading


def test_rows_of_a_large_row_group_are_decoded_no_further_than_they_are_asked_for(many, tmp_path):
    opened = data.open(written(tmp_path, 4000, 1000))
    store = opened.store
    assert numbers(store.chunk(0, 40)) == list(range(40))
    assert store.decoded <= 64
    assert numbers(store.chunk(40, 80)) == list(range(40, 80))  # goes on
    assert store.decoded <= 128
    assert numbers(store.chunk(50, 80)) == list(range(50, 80))  # still there
    assert store.decoded <= 128
    assert numbers(store.take(np.array([2900, 100, 70, 1005]))) == [2900, 100, 70, 1005]
    assert numbers(store.chunk(0, 10)) == list(range(10))  # begins anew
    assert numbers(store.chunk(990, 2010)) == list(range(990, 2010))
    assert numbers(pickle.loads(pickle.dumps(store)).chunk(5, 7)) == [5, 6]
    assert len(store._readers) <= store.streams


def test_labels_of_many_rows_are_codes_and_side_columns_wait(many, tmp_path):
    opened = data.open(written(tmp_path, 4000, 300, files=2), label_column="y")
    assert isinstance(opened.labels, CodedLabels)
    assert opened.labels.codes.nbytes == 4000
    assert opened.labels.tolist() == [f"k{i % 3}" for i in range(4000)]
    table = opened.side_columns.into_table(opened.chunk(0, 4000))
    assert table.column("y").to_pylist() == opened.labels.tolist()
    assert table.column_names == ["number", "other", "y"]


def test_a_large_row_group_that_is_damaged_is_named(many, tmp_path):
    path = written(tmp_path, 4000, 2000) / "0.parquet"
    content = bytearray(path.read_bytes())
    opened = data.open(path)
    content[1000:9000] = bytes(8000)
    stamp = path.stat()
    path.write_bytes(bytes(content))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(DataError, match=r"0\.parquet' cannot be read"):
        for _ in opened.chunks():
            pass


def test_tables_of_many_rows_are_written_as_they_come(many, tmp_path):
    opened = data.open(written(tmp_path, 2500, 300), label_column="y")
    for suffix in (".parquet", ".csv"):
        target = tmp_path / f"out{suffix}"
        blocks = (block for _, block in opened.chunks(rows=700))
        write_table_blocks(target, blocks, opened.schema, opened.side_columns)
        whole = tmp_path / f"whole{suffix}"
        data.write(whole, opened.chunk(0, 2500), opened.schema, side_columns=opened.side_columns)
        one, other = (parquet.read_table(p) if suffix == ".parquet" else p.read_bytes() for p in (target, whole))
        assert one == other
