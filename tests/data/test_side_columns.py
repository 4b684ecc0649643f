"""What stands beside the records comes back with them: index, labels of columns, the column of the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from isthmus import Autoencoder, data
from isthmus.tasks import denoise, impute, inpaint

N = 30
RNG = np.random.default_rng(0)


def frame() -> pd.DataFrame:
    columns = {"x": RNG.normal(size=N), "l": pd.Categorical(list("abc") * 10), "y": RNG.normal(size=N)}
    found = pd.DataFrame(columns)
    found.loc[[3, 9], "x"] = np.nan
    found.loc[4, "l"] = None
    return found


def fitted(records: Any) -> Autoencoder:
    return Autoencoder(hidden=(4,), latent_dim=1, max_epochs=1, random_state=0).fit(records)


INDICES = {
    "named": pd.Index([*range(100, 100 + N)], name="k"),
    "dates": pd.date_range("2020", periods=N, freq="h", name="at"),
    "several levels": pd.MultiIndex.from_product([range(10), list("xyz")], names=["p", "q"]),
    "twins": pd.Index([7] * N),
    "texts": pd.Index([f"r{i}" for i in range(N)]),
    "a range": pd.RangeIndex(5, 5 + 2 * N, 2),
    "categories": pd.CategoricalIndex(list("ba") * 15),
}


@pytest.mark.parametrize("name", INDICES)
def test_the_index_of_a_frame_comes_back(name: str) -> None:
    records = frame().set_axis(INDICES[name])
    model = fitted(records)
    filled = impute(model, records)
    back = (model.reconstruct(records), denoise(model, records), inpaint(model, records), filled.records, filled.low)
    for each in back:
        pd.testing.assert_index_equal(each.index, records.index)
    if records.index.is_unique:
        assert records.fillna(filled.records)["x"].equals(filled.records["x"])
    some = data.open(records).subset(np.array([5, 3, 1]))
    assert model.reconstruct(some).index.equals(records.index[[5, 3, 1]])
    assert model.sample(3, random_state=0).index.equals(pd.RangeIndex(3))  # new records have none


def test_an_index_of_other_rows_is_not_given_to_these() -> None:
    model = fitted(frame().set_axis(INDICES["named"]))
    assert model.reconstruct(frame().head(7)).index.equals(pd.RangeIndex(7))
    other = pl.DataFrame({"x": [1.0, 2.0], "l": ["a", "b"], "y": [1.0, 2.0]})
    assert model.reconstruct(other).index.equals(pd.RangeIndex(2))


@pytest.mark.parametrize(
    "labels",
    [
        pd.Index([1, 2, 3]),
        pd.Index([1, "a", 2.5], dtype=object),
        pd.Index([("a", 1), ("b", 2), ("c", 3)], tupleize_cols=False, name="both"),
        pd.date_range("2020", periods=3, name="when"),
        pd.Index(["x", "l", "y"], name="feature"),
    ],
)
def test_the_labels_of_the_columns_come_back(labels: pd.Index) -> None:
    records = frame().set_axis(labels, axis=1)
    back = fitted(records).reconstruct(records)
    assert back.columns.tolist() == labels.tolist()
    assert back.columns.name == labels.name


@pytest.mark.parametrize("name", [name for name in INDICES if name != "categories"])
@pytest.mark.parametrize("resident", [True, False])
def test_the_index_in_a_parquet_file_is_no_record_and_comes_back(
    name: str, resident: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = frame().set_axis(INDICES[name])
    records.to_parquet(tmp_path / "in.parquet")
    if not resident:
        monkeypatch.setattr("isthmus.data.stores.RESIDENT_BYTES", 10)
    opened = data.open(tmp_path / "in.parquet", label_column="l")
    assert [column.name for column in opened.schema.columns] == ["x", "y"]
    assert (opened.resident, any("index" in note for note in opened.notes)) == (resident, name != "a range")
    data.write(tmp_path / "out.parquet", opened.chunk(0, N), opened.schema, side_columns=opened.side_columns)
    back = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(back, pd.read_parquet(tmp_path / "in.parquet"), check_freq=False)


def test_an_index_that_is_asked_for_is_a_column(tmp_path: Path) -> None:
    frame().set_axis(INDICES["named"]).to_parquet(tmp_path / "in.parquet")
    opened = data.open(tmp_path / "in.parquet", columns=["y", "k"])
    assert [column.name for column in opened.schema.columns] == ["y", "k"]
    assert data.open(tmp_path / "in.parquet", label_column="k").labels.tolist() == list(range(100, 100 + N))


def test_an_arrow_table_keeps_the_index_that_it_holds() -> None:
    table = pa.Table.from_pandas(frame().set_axis(INDICES["texts"]))
    back = fitted(table).reconstruct(table).to_pandas()
    assert back.index.equals(INDICES["texts"])
    strange = table.replace_schema_metadata({"pandas": b"{ no json"})
    assert "__index_level_0__" in [column.name for column in data.open(strange).schema.columns]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_column_of_labels_is_written_in_its_place(suffix: str, tmp_path: Path) -> None:
    records = frame()
    if suffix == ".csv":
        records.to_csv(tmp_path / "in.csv", index=False)
    else:
        records.to_parquet(tmp_path / "in.parquet")
    opened = data.open(tmp_path / f"in{suffix}", label_column="l")
    data.write(tmp_path / f"out{suffix}", opened.chunk(0, N), opened.schema, side_columns=opened.side_columns)
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    pd.testing.assert_frame_equal(read(tmp_path / f"out{suffix}"), read(tmp_path / f"in{suffix}"))


def test_labels_among_the_columns_of_a_matrix() -> None:
    matrix = np.column_stack([RNG.normal(size=N), np.arange(N) % 3, RNG.normal(size=N)])
    opened = data.open(matrix, label_column=1, columns=[1, 2, 0])
    assert opened.schema.shape == (2,)  # the labels are no record, also where all columns are named
    assert opened.notes == ["column 1 of X was set aside as the labels."]
    back = opened.side_columns.into_matrix(data.open(matrix, label_column=1).array)
    np.testing.assert_array_equal(back, matrix)


def test_whole_numbers_that_a_matrix_would_round_are_not_written_as_one(tmp_path: Path) -> None:
    opened = data.open(pa.table({"a": [2**53 + 1, 5], "b": [0.5, 1.5]}))
    with pytest.raises(Exception, match="holds whole numbers that float64 cannot hold exactly"):
        data.write(tmp_path / "t.npy", opened.chunk(0, 2), opened.schema)
    assert not list(tmp_path.iterdir())


# --- Parquet files that are streamed ---------------------------------------------------------------------------------


def sized(sizes: list[str], seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, 50) * 2
    return pa.table(
        {
            "a.b": rng.normal(size=50),
            "size": pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(sizes), ordered=True),
            "l": pa.array([None if i % 10 == 0 else "uv"[i % 2] for i in range(50)]).dictionary_encode(),
        }
    )


def test_streamed_files_are_as_files_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet.write_table(sized(["S", "M", "L", "XXL"], 0), tmp_path / "0.parquet", row_group_size=13)
    parquet.write_table(sized(["S", "M", "L", "XL"], 1), tmp_path / "1.parquet", row_group_size=13)
    small = data.open(tmp_path, label_column="l")
    monkeypatch.setattr("isthmus.data.stores.RESIDENT_BYTES", 10)
    large = data.open(tmp_path, label_column="l")
    assert (small.resident, large.resident) == (True, False)
    assert large.nbytes > 2 * 50 * 8  # of which the column with a dot in its name takes most
    assert small.schema == large.schema
    tables = [data.restore(opened.chunk(0, 100), opened.schema) for opened in (small, large)]
    assert tables[0].equals(tables[1])
    assert tables[1]["size"].chunk(0).dictionary.to_pylist() == ["S", "M", "L", "XXL", "XL"]
    assert tables[1].schema.field("size").type.ordered
    assert small.labels.tolist() == large.labels.tolist()
    assert data.is_missing(large.labels).sum() == 10
    rows = np.array([99, 0, 50])
    assert small.take(rows)["size"].to_pylist() == large.take(rows)["size"].to_pylist()
    assert fitted(small).reconstruct(small).equals(fitted(large).reconstruct(large))


@pytest.mark.parametrize("resident", [True, False])
def test_files_may_count_their_categories_differently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resident: bool
) -> None:
    parquet.write_table(sized(["S", "M", "L"], 0), tmp_path / "0.parquet")
    many = pd.DataFrame({"a.b": np.arange(200.0), "size": pd.Categorical([f"c{i}" for i in range(200)], ordered=True)})
    many["l"] = pd.Categorical(["u"] * 200)
    parquet.write_table(pa.Table.from_pandas(many, preserve_index=False), tmp_path / "1.parquet")
    if not resident:
        monkeypatch.setattr("isthmus.data.stores.RESIDENT_BYTES", 10)
    opened = data.open(tmp_path, label_column="l")
    sizes = data.restore(opened.chunk(45, 60), opened.schema)["size"]
    assert sizes.to_pylist()[5:] == [f"c{i}" for i in range(10)]
    assert data.inspect(opened).columns[1].distinct == len(set(sized(["S", "M", "L"], 0)["size"].to_pylist())) + 200


def test_files_of_other_types_are_named(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "0.parquet")
    parquet.write_table(pa.table({"a": [1.5], "b": ["x"]}), tmp_path / "1.parquet")
    with pytest.raises(
        Exception, match=r"1.parquet' cannot be read: its column 'a' is of type double, and that of '0.p"
    ):
        data.open(tmp_path)
    assert len(data.open(tmp_path, columns=["b"])) == 2  # only the columns asked for are looked at
