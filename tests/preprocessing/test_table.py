from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus import data, preprocessing
from isthmus.errors import ArtifactError, DataError, DataTypeError, ParameterError, ShapeError
from isthmus.preprocessing import Differences, Field, TablePreprocessor


def fit(frame: Any, scaling: str = "standard", **options: Any) -> TablePreprocessor:
    opened = data.open(frame)
    fitted = preprocessing.for_data(opened, **options).fit(opened).rescale(scaling)
    assert isinstance(fitted, TablePreprocessor)
    return fitted


def block_of(frame: Any) -> pa.Table:
    opened = data.open(frame)
    return opened.take(np.arange(len(opened)))


def there_and_back(fitted: TablePreprocessor, frame: Any, *, like: bool = True) -> Any:
    block = block_of(frame)
    encoded = fitted.encode(block)
    assert encoded.dtype == np.float32
    assert encoded.shape == (len(block), *fitted.shape_)
    assert np.isfinite((encoded - fitted.shift_) * fitted.factor_).all()
    return data.restore(fitted.decode(encoded, block if like else None), fitted.schema_)


def people(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": np.arange(n) + 1000,
            "uuid": [f"{v:08x}" for v in rng.permutation(n)],
            "age": pd.array(rng.integers(0, 90, n), dtype="Int64"),
            "salary": rng.normal(3000, 500, n).round(2),
            "height": rng.normal(1.7, 0.1, n).astype(np.float32),
            "member": rng.random(n) > 0.3,
            "answered": pd.array(rng.random(n) > 0.5, dtype="boolean"),
            "children": rng.integers(0, 2, n),
            "city": rng.choice(["Rome", "Oslo", "Lima"], n).tolist(),
            "grade": pd.Categorical(rng.choice(["c", "a", "b"], n), ["d", "c", "b", "a"], ordered=True),
            "born": pd.Timestamp("1950-03-01") + pd.to_timedelta(rng.integers(0, 25_000, n), unit="D"),
            "seen": pd.Timestamp("2024-01-01", tz="Europe/Rome")
            + pd.to_timedelta(rng.integers(0, 9999, n), unit="min"),
            "country": "IT",
        }
    )
    frame.loc[::7, ["age", "answered"]] = pd.NA
    frame.loc[1::9, "salary"] = np.nan
    frame.loc[2::11, "city"] = None
    frame.loc[3::13, "seen"] = pd.NaT
    return frame


# --- random tables ---------------------------------------------------------------------------------------------------

whole = st.integers(-(2**20), 2**20)
dates = st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2030, 1, 1)).map(
    lambda t: t.replace(microsecond=0)
)
words = st.text(max_size=6)

CELLS: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "int64": (whole, lambda v: pd.array(v, dtype="int64")),
    "Int64": (st.none() | whole, lambda v: pd.array(v, dtype="Int64")),
    "Int8": (st.none() | st.integers(-128, 127), lambda v: pd.array(v, dtype="Int8")),
    "UInt64": (st.none() | st.integers(2**63, 2**63 + 2**20), lambda v: pd.array(v, dtype="UInt64")),
    "far": (st.integers(2**61, 2**61 + 2**22), lambda v: pd.array(v, dtype="int64")),
    "float64": (st.floats(-1e5, 1e5), lambda v: np.array(v, np.float64)),
    "float with nan": (st.none() | st.floats(-1e5, 1e5), lambda v: np.array(v, np.float64)),
    "float32": (st.floats(-1e5, 1e5, width=32), lambda v: np.array(v, np.float32)),
    "bool": (st.booleans(), lambda v: np.array(v, bool)),
    "boolean": (st.none() | st.booleans(), lambda v: pd.array(v, dtype="boolean")),
    "str": (words, lambda v: pd.array(v, dtype="str")),
    "str with None": (st.none() | words, lambda v: pd.array(v, dtype="str")),
    "string": (st.none() | words, lambda v: pd.array(v, dtype="string")),
    "category": (st.sampled_from("abc"), lambda v: pd.Categorical(v, ["unused", "c", "b", "a"])),
    "category with None": (st.none() | st.sampled_from("abc"), lambda v: pd.Categorical(v, list("cbaz"), ordered=True)),
    "numbered category": (st.sampled_from([3, 1]), lambda v: pd.Categorical(v, [3, 2, 1])),
    "days": (st.none() | dates.map(lambda t: t.replace(hour=0, minute=0, second=0)), pd.to_datetime),
    "minutes with zone": (dates.map(lambda t: t.replace(second=0)), lambda v: pd.to_datetime(v).tz_localize("UTC")),
    "durations": (st.integers(0, 10_000), lambda v: pd.to_timedelta(v, unit="s")),
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=5))
    n = draw(st.integers(2, 25))
    columns = {}
    for number, kind in enumerate(kinds):
        cells, make = CELLS[kind]
        columns[f"{number} {kind}"] = make(draw(st.lists(cells, min_size=n, max_size=n)))
    return pd.DataFrame({**columns, "anchor": np.arange(n) % 3 * 1.5 + 0.25})


@pytest.mark.long
@settings(max_examples=150, deadline=None)
@given(frame=frames(), scaling=st.sampled_from(preprocessing.TablePreprocessor.scalings))
def test_random_tables_come_back(stored: Any, frame: pd.DataFrame, scaling: str) -> None:
    fitted = fit(frame, scaling)
    out = there_and_back(fitted, frame)
    assert list(out.columns) == list(frame.columns)
    assert (out.dtypes == frame.dtypes).all()
    for name in frame:
        pd.testing.assert_series_equal(out[name].isna(), frame[name].isna())
        if frame[name].dtype.kind == "f":
            reach = float(frame[name].max() - frame[name].min())
            error = (out[name].astype(float) - frame[name].astype(float)).abs().max()
            assert not error > 1e-6 * reach + 1e-7 * frame[name].abs().max()
        elif scaling != "quantile" or frame[name].dtype.kind not in "iuMm":
            pd.testing.assert_series_equal(out[name], frame[name])
    loaded = stored(fitted)
    block = block_of(frame)
    np.testing.assert_array_equal(loaded.encode(block), fitted.encode(block))
    assert loaded.fields_ == fitted.fields_
    assert loaded.notes_ == preprocessing.from_state("TablePreprocessor", *fitted.state()).notes_


@settings(max_examples=150, deadline=None)
@given(frame=frames(), scaling=st.sampled_from(preprocessing.TablePreprocessor.scalings), seed=st.integers(0, 99))
def test_snapped_rows_are_those_that_decode_and_encode_give(frame: pd.DataFrame, scaling: str, seed: int) -> None:
    fitted = fit(frame, scaling)
    noise = np.random.default_rng(seed).normal(size=(40, *fitted.shape_)) * 2
    x = (noise / fitted.factor_ + fitted.shift_).astype(np.float32)
    np.testing.assert_array_equal(fitted.snap(x), fitted.encode(fitted.decode(x)))


# --- one frame with everything ---------------------------------------------------------------------------------------


def test_a_frame_with_everything_comes_back_as_it_was() -> None:
    frame = people()
    for scaling in preprocessing.TablePreprocessor.scalings:
        out = there_and_back(fit(frame, scaling), frame)
        pd.testing.assert_frame_equal(out.drop(columns="height"), frame.drop(columns="height"))
        np.testing.assert_allclose(out["height"], frame["height"], rtol=1e-6)
        assert out["height"].dtype == np.float32


def test_fields_of_a_frame_with_everything() -> None:
    assert fit(people()).fields_ == (
        Field("number", 0, 1, "age", mask=1),
        Field("mask", 1, 1, "age (observed)"),
        Field("number", 2, 1, "salary", mask=3),
        Field("mask", 3, 1, "salary (observed)"),
        Field("number", 4, 1, "height"),
        Field("category", 5, 2, "member"),
        Field("category", 6, 3, "answered"),
        Field("category", 7, 2, "children"),
        Field("category", 8, 5, "city"),
        Field("category", 9, 5, "grade"),
        Field("number", 10, 1, "born"),
        Field("number", 11, 1, "born (sine of week)"),
        Field("number", 12, 1, "born (cosine of week)"),
        Field("number", 13, 1, "born (sine of year)"),
        Field("number", 14, 1, "born (cosine of year)"),
        Field("number", 15, 1, "seen", mask=16),
        Field("mask", 16, 1, "seen (observed)"),
        Field("number", 17, 1, "seen (sine of day)", mask=16),
        Field("number", 18, 1, "seen (cosine of day)", mask=16),
    )


def test_notes_of_a_frame_with_everything() -> None:
    assert fit(people()).notes_ == [
        "column 'id' is set aside: its 200 whole numbers are all distinct and close together, like an id; "
        "codes alone give it back as 0",
        "column 'uuid' is set aside: its 200 values are all distinct, like an id; codes alone give it back empty",
        "column 'age': 29 of 200 cells are empty, which is modelled too",
        "column 'salary': 23 of 200 cells are empty, which is modelled too",
        "column 'answered': 29 of 200 cells are empty, which is modelled too",
        "column 'city': 18 of 200 cells are empty, which is modelled too",
        "column 'seen': 16 of 200 cells are empty, which is modelled too",
        "column 'country' is set aside: it is constant ('IT'); it comes back as it is",
    ]


def test_ids_come_back_from_the_records_or_as_placeholders() -> None:
    frame = people()
    out = there_and_back(fit(frame), frame, like=False)
    assert (out["id"] == 0).all()
    assert out["uuid"].isna().all()
    assert (out["country"] == "IT").all()
    assert (out.dtypes == frame.dtypes).all()


def test_numbers_are_standardised_and_what_is_missing_is_the_mean() -> None:
    frame = people()
    fitted = fit(frame)
    encoded = fitted.encode(block_of(frame))
    values = (encoded - fitted.shift_) * fitted.factor_
    for field in fitted.fields_:
        column = values[:, field.index]
        if field.kind == "number":
            seen = np.ones(200, bool) if field.mask < 0 else values[:, field.mask] == 1
            np.testing.assert_array_equal(column[~seen], 0)
            assert abs(column[seen].mean()) < 1e-4
            assert column[seen].std() == pytest.approx(1, rel=1e-3)
        else:
            assert (fitted.shift_[field.index], fitted.factor_[field.index]) == (0, 1)
            assert set(np.unique(column)) <= set(range(max(2, field.size)))
    assert fitted.summary_.low.shape == (sum(field.kind == "number" for field in fitted.fields_),)
    assert fitted.summary_.names[:2] == ("column 'age'", "column 'salary'")
    assert fitted.step_ is None
    summary = fitted.scaled_summary()
    assert (values >= summary.low - 1e-4).all()
    assert (values <= summary.high + 1e-4).all()
    np.testing.assert_allclose(summary.std, 1, rtol=1e-5)


def test_quantiles_make_numbers_normal() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.lognormal(0, 2, 20_000), "y": rng.exponential(9, 20_000)})
    frame.loc[::3, "y"] = np.nan
    fitted = fit(frame, "quantile")
    encoded = fitted.encode(block_of(frame))
    seen = encoded[:, 2] == 1
    for column in (encoded[:, 0], encoded[seen, 1]):
        assert abs(column.mean()) < 0.03
        assert abs(column.std() - 1) < 0.03
    np.testing.assert_array_equal(encoded[~seen, 1], 0)
    assert fitted.factor_.tolist() == [1, 1, 1]
    out = there_and_back(fitted, frame)
    np.testing.assert_allclose(out["x"], frame["x"], rtol=2e-3, atol=1e-6)
    fitted.rescale("standard")
    np.testing.assert_allclose(there_and_back(fitted, frame)["x"], frame["x"], atol=1e-5 * frame["x"].max())


# --- single columns --------------------------------------------------------------------------------------------------


def test_rare_categories_share_a_code_and_come_back_as_the_most_frequent_of_them() -> None:
    cells = ["a"] * 50 + ["b"] * 30 + ["c"] * 9 + ["d"] * 6 + ["e"] * 5
    fitted = fit(pd.DataFrame({"letter": cells}), categories=2)
    assert fitted.fields_ == (Field("category", 0, 3, "letter"),)
    out = there_and_back(fitted, pd.DataFrame({"letter": cells}))
    assert out["letter"].tolist() == ["a"] * 50 + ["b"] * 30 + ["c"] * 20
    assert fitted.notes_ == [
        "column 'letter': all but the 2 most frequent of its 5 categories share one code (20.0% of the cells); "
        "they come back as 'c'"
    ]


def test_256_categories_are_kept_by_default() -> None:
    rng = np.random.default_rng(0)
    fitted = fit(pd.DataFrame({"word": [f"w{v}" for v in rng.zipf(1.5, 30_000) % 5000]}))
    assert fitted.fields_[0].size == 257


def test_category_sets_and_unused_levels_are_kept() -> None:
    levels = ["unused", "b", "a"]
    frame = pd.DataFrame({"x": pd.Categorical(["a", "b", "b"] * 5, levels, ordered=True)})
    fitted = fit(frame)
    assert fitted.fields_[0].size == 4
    later = pd.DataFrame({"x": pd.Categorical(["unused", "a"], levels, ordered=True)})
    pd.testing.assert_frame_equal(there_and_back(fitted, later), later)
    assert fitted.notes_ == []


def test_what_training_did_not_have_is_read_as_said() -> None:
    frame = pd.DataFrame(
        {"x": [1.0, 2.5, 4.0] * 5, "c": ["a", "a", "b"] * 5, "b": [True, False, True] * 5, "f": [0, 1, 1] * 5}
    )
    fitted = fit(frame)
    later = pd.DataFrame({"x": [9.0, np.nan], "c": ["new", None], "b": [True, None], "f": [7, 0]})
    differences = Differences()
    encoded = fitted.encode(block_of(later), differences)
    np.testing.assert_array_equal(encoded, [[9, 2, 1, 1], [2.5, 2, 0, 0]])
    differences.records = 2
    empty = "1 cell is empty, where the fit had no empty ones, and is read as"
    assert differences.sentences(returned=True) == [
        "1 value lies beyond those of the fit and comes back clipped to them, in column 'x' (1 to 4; of 2 records)",
        "1 cell holds a category that the fit did not have, and is read as a rare one, in column 'c' ('new'; of 2 "
        "records)",
        f"{empty} the mean of its column, in column 'x' (of 2 records)",
        f"{empty} a rare category, in column 'c' (of 2 records)",
        f"{empty} 0, in column 'b' (of 2 records)",
        "1 cell is neither 0 nor 1, as all of the fit were, and is read as the nearer one, in column 'f' (7; of 2 "
        "records)",
    ]
    out = fitted.decode(encoded).to_pydict()
    assert out == {"x": [4.0, 2.5], "c": ["a", "a"], "b": [True, False], "f": [1, 0]}


def test_output_has_the_decimals_and_the_range_of_training() -> None:
    frame = pd.DataFrame(
        {"price": [1.25, 9.5, 3.75] * 5, "count": [1, 5, 9] * 5, "free": [0.123456789012, 1 / 3, 0.9] * 5}
    )
    out = fit(frame).decode(np.array([[1.3333, 3.6, 0.31415926], [-7.0, 99.0, 0.5]], np.float32)).to_pydict()
    assert out["price"] == [1.33, 1.25]
    assert out["count"] == [4, 9]
    assert out["free"] == [np.float32(0.31415926), 0.5]


def test_dates_keep_the_coarsest_unit_they_have() -> None:
    table = pa.table(
        {
            "day": pa.array(np.arange(0, 40_000, 37)[np.random.default_rng(0).permutation(1082)].astype(np.int32)).cast(
                pa.date32()
            ),
            "noon": pa.array(np.arange(1082) % 500 * 86_400 * 10**9 + 43_200 * 10**9).cast(pa.timestamp("ns")),
            "clock": pa.array((np.arange(1082) % 1440 * 60).astype(np.int32)).cast(pa.time32("s")),
            "precise": pa.array(np.arange(1082) * 13 % 997 * 10**6 + 5).cast(pa.time64("us")),
        }
    )
    fitted = fit(table)
    assert there_and_back(fitted, table).equals(table)
    names = [field.name for field in fitted.fields_]
    assert names[5:10] == [
        "noon",
        "noon (sine of week)",
        "noon (cosine of week)",
        "noon (sine of year)",
        "noon (cosine of year)",
    ]
    assert [name for name in names if name.startswith("clock")] == [
        "clock",
        "clock (sine of day)",
        "clock (cosine of day)",
    ]
    off = fitted.encode(block_of(table))[:1] + np.float32(0.3)
    assert fitted.decode(off).column("noon")[0].as_py().hour == 12


def test_phases_of_dates() -> None:
    days = pd.Series(pd.date_range("2023-01-01", periods=800, freq="D")[np.random.default_rng(0).permutation(800)])
    encoded = fit(pd.DataFrame({"t": days})).encode(block_of(pd.DataFrame({"t": days})))
    week = np.round(np.arctan2(encoded[:, 1], encoded[:, 2]) * 7 / (2 * np.pi)) % 7
    for number in range(7):
        assert days[week == number].dt.day_of_week.nunique() == 1
    year = np.arctan2(encoded[:, 3], encoded[:, 4]) / (2 * np.pi) % 1
    distance = np.abs(year - (days.dt.day_of_year - 1) / 365.2425)
    assert np.minimum(distance, 1 - distance).max() < 0.005


def test_decimals_and_durations_come_back_in_their_types() -> None:
    table = pa.table(
        {
            "money": pa.array([Decimal("1.10"), None, Decimal("-22.45")] * 5, pa.decimal128(9, 2)),
            "took": pa.array([5, 60, None] * 5, pa.duration("ms")),
            "half": pa.array(np.array([0.5, 1.5, 2.25] * 5, np.float16)),
        }
    )
    assert there_and_back(fit(table), table).equals(table)


def test_frames_of_other_libraries_come_back() -> None:
    frame = people()
    polars = pl.from_pandas(frame.drop(columns=["height", "born"]))
    assert there_and_back(fit(polars), polars).equals(polars)
    arrow = pa.Table.from_pandas(frame.drop(columns="height"), preserve_index=False)
    out = there_and_back(fit(arrow), arrow)
    assert out.schema.types == arrow.schema.types
    assert out.to_pylist() == arrow.to_pylist()


def test_columns_are_found_by_name_and_in_other_types() -> None:
    frame = people()
    fitted = fit(frame)
    block = block_of(frame)
    expected = fitted.encode(block)
    turned = block.select(block.column_names[::-1])
    np.testing.assert_array_equal(fitted.encode(turned), expected)
    plain = block.set_column(block.column_names.index("grade"), "grade", block.column("grade").cast(pa.string()))
    np.testing.assert_array_equal(fitted.encode(plain), expected)
    wide = block.set_column(block.column_names.index("age"), "age", block.column("age").cast(pa.float64()))
    np.testing.assert_array_equal(fitted.encode(wide), expected)
    unneeded = block.drop_columns(["id", "uuid", "country"])
    np.testing.assert_array_equal(fitted.encode(unneeded), expected)


def test_an_encoded_row_does_not_depend_on_its_block() -> None:
    frame = people()
    for scaling in preprocessing.TablePreprocessor.scalings:
        fitted = fit(frame, scaling)
        block = block_of(frame)
        whole_block = fitted.encode(block)
        for row in (0, 7, 199):
            np.testing.assert_array_equal(fitted.encode(block.slice(row, 1))[0], whole_block[row])


def test_one_pass_over_chunks_learns_the_same_as_one_over_all() -> None:
    frame = people(5000)
    opened = data.open(frame)

    class Chunked:
        """The same data in many small chunks."""

        schema, array, rows = opened.schema, None, None

        def __len__(self) -> int:
            return len(opened)

        def chunks(self) -> Any:
            return opened.chunks(rows=113)

    for scaling in preprocessing.TablePreprocessor.scalings:
        one, other = fit(frame, scaling), TablePreprocessor().fit(Chunked()).rescale(scaling)
        assert one.fields_ == other.fields_
        assert one.notes_ == other.notes_
        block = block_of(frame)
        np.testing.assert_allclose(one.encode(block), other.encode(block), rtol=1e-6, atol=1e-6)


def test_a_category_column_of_many_chunks_joins_their_dictionaries() -> None:
    first = pa.table({"c": pa.array(["a", "b", "a"]).dictionary_encode()})
    second = pa.table({"c": pa.array(["c", None, "c"]).dictionary_encode()})
    whole_table = pa.concat_tables([first, second])
    fitted = fit(whole_table)
    assert fitted.fields_[0].size == 5
    assert there_and_back(fitted, whole_table).column("c").to_pylist() == ["a", "b", "a", "c", None, "c"]
    np.testing.assert_array_equal(fitted.encode(whole_table)[:, 0], [0, 1, 0, 2, 4, 2])


def test_too_many_distinct_values_do_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from isthmus.preprocessing import scans

    monkeypatch.setattr(scans, "MAX_DISTINCT", 100)
    rng = np.random.default_rng(0)
    words = np.where(rng.random(5000) < 0.5, "often", [f"w{v}" for v in rng.integers(0, 10**9, 5000)])
    opened = data.open(
        pd.DataFrame({"id": [f"i{v}" for v in rng.permutation(5000)], "word": words, "x": rng.random(5000)})
    )

    class Chunked:
        """The same data in many small chunks."""

        schema, array, rows = opened.schema, None, None

        def __len__(self) -> int:
            return len(opened)

        def chunks(self) -> Any:
            return opened.chunks(rows=60)

    fitted = TablePreprocessor(max_categories=3).fit(Chunked())
    assert "'id' is set aside: its 5000 values are all distinct" in fitted.notes_[0]
    assert "column 'word': all but the 1 most frequent of its 2494 categories share one code (49.9%" in fitted.notes_[1]
    out = fitted.decode(fitted.encode(block_of(opened))).column("word").to_pylist()
    assert out.count("often") == (words == "often").sum()
    assert len(set(out)) == 2


def test_small_tables_have_no_ids() -> None:
    frame = pd.DataFrame({"name": ["a", "b", "c"], "rank": [1, 2, 3]})
    fitted = fit(frame)
    assert [field.name for field in fitted.fields_] == ["name", "rank"]
    pd.testing.assert_frame_equal(there_and_back(fitted, frame), frame)


def test_the_volume_change_of_standardised_numbers() -> None:
    frame = people()
    fitted = fit(frame[["age", "height", "city"]])
    expected = -np.log(frame["age"].std(ddof=0)) - np.log(frame["height"].astype(float).std(ddof=0))
    assert fitted.log_volume() == pytest.approx(expected, rel=1e-5)


# --- refusals --------------------------------------------------------------------------------------------------------


def test_missing_cells_can_be_refused() -> None:
    with pytest.raises(DataError, match="missing='refuse' allows no empty cells; column 'age' has one in row 0"):
        fit(people(), missing="refuse")
    full = people()[["height", "member"]]
    fitted = fit(full, missing="refuse")
    later = full.copy()
    later.loc[3, "height"] = np.nan
    with pytest.raises(DataError, match=r"column 'height' has one in row 3. Fill it, or use missing='mask'"):
        fitted.encode(block_of(later))


def test_a_table_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"at least one column must vary; all were set aside .*'a' is set aside: it is const"
    ):
        fit(pd.DataFrame({"a": [1, 1, 1], "b": [None, None, None]}))
    with pytest.raises(DataError, match=r"column 'c7' is set aside: [^']*; and 192 more\)\.$"):
        fit(pd.DataFrame(np.ones((3, 200))).add_prefix("c"))


def test_unsuitable_blocks_are_refused() -> None:
    fitted = fit(people())
    block = block_of(people())
    with pytest.raises(ShapeError, match=r"'age' is absent \(1 of 10 are\)"):
        fitted.encode(block.drop_columns("age"))
    words = pa.array(["x"] * 200)
    for name, wanted in (("age", "numbers"), ("children", "numbers"), ("born", r"dates of type timestamp\[us\]")):
        with pytest.raises(DataTypeError, match=f"column '{name}' must hold {wanted}, as in training; got string"):
            fitted.encode(block.set_column(block.column_names.index(name), name, words))
    lists = pa.array([[1]] * 200)
    with pytest.raises(
        DataTypeError, match=r"column 'city' must hold categories of type .*string, as in training; got list"
    ):
        fitted.encode(block.set_column(block.column_names.index("city"), "city", lists))
    with pytest.raises(ShapeError, match="must have 19 values each"):
        fitted.decode(np.zeros((2, 3), np.float32))


def test_quantiles_need_the_data() -> None:
    frame = people()
    fitted = fit(frame)
    with pytest.raises(ParameterError, match="TablePreprocessor: scaling='quantile' must be the first rescale"):
        fitted.rescale("quantile")
    assert fitted.rescale("quantile", data.open(frame)).scaling_ == "quantile"


def test_altered_states_are_refused() -> None:
    document, arrays = fit(people()).state()
    document = json.loads(json.dumps(document))
    for change in ({"columns": [{"kind": "numbers"}]}, {"columns": [{"kind": "exec"}]}, {"columns": 3}):
        with pytest.raises(ArtifactError, match="preprocessing part must be complete and unaltered"):
            TablePreprocessor.from_state({**document, **change}, arrays)
    broken = json.loads(json.dumps(document))
    broken["schema"]["arrow"] = "AAAA"
    with pytest.raises(ArtifactError, match="preprocessing part must be complete and unaltered"):
        TablePreprocessor.from_state(broken, arrays)


def test_an_id_is_one_in_whatever_order_its_rows_stand() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "year": np.arange(1960, 2020),
            "key": np.sort(rng.choice(200, 60, replace=False)),
            "price": np.sort(rng.choice(10**6, 60, replace=False)),
            "x": rng.normal(size=60),
        }
    )
    for order in (np.arange(60), np.arange(60)[::-1], rng.permutation(60)):
        assert fit(frame.iloc[order]).set_aside_ == ("year", "key")
