"""Every type of a column comes back exactly from open, reconstruct and impute, or is refused when it is opened."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from isthmus import Autoencoder, Classifier, data, load, preprocessing
from isthmus.errors import DataTypeError, ShapeError
from isthmus.tasks import impute

N = 24
HOLES = (3, 17)


def holed(values: list[Any]) -> list[Any]:
    return [None if i in HOLES else value for i, value in enumerate(values)]


WHOLE = holed([i * 5 % 7 for i in range(N)])
WIDE = holed([2**63 + 5 * (i % 11) for i in range(N)])
WORDS = holed(["abcd"[i % 4] for i in range(N)])
BYTES = [None if word is None else word.encode() for word in WORDS]
FLAGS = holed([i % 3 == 0 for i in range(N)])
PRICES = holed([decimal.Decimal(f"{i % 9}.25") for i in range(N)])
DAYS = holed([datetime.date(2020, 1, 1) + datetime.timedelta(days=7 * i % 50) for i in range(N)])
MOMENTS = holed([datetime.datetime(2020, 1, 1, 3, 4, 5, 123456) + datetime.timedelta(hours=13 * i) for i in range(N)])
CLOCKS = [None if moment is None else moment.time() for moment in MOMENTS]
SPANS = holed([datetime.timedelta(seconds=7 * (i % 13)) for i in range(N)])
HALVES = pa.array([None if value is None else np.float16(value) for value in WHOLE], pa.float16())
MICRO, CODES = pa.array(MOMENTS, pa.timestamp("us")), pa.array(holed([i % 3 for i in range(N)]), pa.int8())


def categories(values: Any, *, ordered: bool = False) -> pa.Array:
    return pa.DictionaryArray.from_arrays(CODES, values, ordered=ordered)


ARROW = {
    **{
        str(dtype): pa.array(WHOLE, dtype) for dtype in (pa.int8(), pa.uint16(), pa.int64(), pa.float32(), pa.float64())
    },
    "uint64": pa.array(WIDE, pa.uint64()),
    "float16": HALVES,
    "bool": pa.array(FLAGS),
    "null": pa.nulls(N),
    **{str(dtype): pa.array(WORDS, dtype) for dtype in (pa.string(), pa.large_string(), pa.string_view())},
    "decimal32": pa.array(PRICES).cast(pa.decimal32(5, 2)),
    "decimal64": pa.array(PRICES).cast(pa.decimal64(12, 2)),
    "decimal128": pa.array(PRICES).cast(pa.decimal128(20, 2)),
    "decimal256": pa.array(PRICES).cast(pa.decimal256(50, 2)),
    "date32": pa.array(DAYS, pa.date32()),
    "date64": pa.array(DAYS, pa.date64()),
    "timestamp s": MICRO.cast(pa.timestamp("s"), safe=False),
    "timestamp us": MICRO,
    "timestamp ns with a zone": MICRO.cast(pa.timestamp("ns", "Europe/Oslo")),
    "time32 s": pa.array(CLOCKS).cast(pa.time32("s"), safe=False),
    "time64 ns": pa.array(CLOCKS, pa.time64("ns")),
    "duration s": pa.array(SPANS, pa.duration("s")),
    "duration ns": pa.array(SPANS, pa.duration("ns")),
    "categories": categories(pa.array(["x", "y", "z", "unused"])),
    "ordered categories": categories(pa.array(["z", "y", "x", "unused"]), ordered=True),
    "categories of views": categories(pa.array(["z", "y", "x"], pa.string_view())),
    "categories of numbers": categories(pa.array([30, 10, 20])),
    "categories of floats": categories(pa.array([30.5, 10.5, 20.5])),
    "categories of halves": categories(pa.array([np.float16(v) for v in (30.5, 10.5, 20.5)], pa.float16())),
    "categories of dates": categories(pa.array(DAYS[:3])),
    "categories of moments": categories(pa.array(MOMENTS[:3], pa.timestamp("us", "UTC"))),
    "categories of spans": categories(pa.array(SPANS[:3])),
    "categories of prices": categories(pa.array(PRICES[:3], pa.decimal32(5, 2))),
    "categories with a null": categories(pa.array(["z", None, "x"])),
    "categories that are there twice": categories(pa.array(["z", "y", "z"])),
}
PANDAS: dict[str, Callable[[], pd.Series]] = {
    "float16": lambda: pd.Series(np.arange(N, dtype=np.float16) % 5),
    "big-endian": lambda: pd.Series(np.array([i % 7 for i in range(N)], dtype=">i4")),
    "big-endian floats": lambda: pd.Series(np.array([i % 7 + 0.5 for i in range(N - 1)] + [np.nan], dtype=">f8")),
    "timedelta": lambda: pd.Series(pd.to_timedelta(SPANS)),
    "datetime with a zone": lambda: pd.Series(pd.to_datetime(MOMENTS)).dt.tz_localize("Europe/Oslo"),
    "Int64": lambda: pd.Series(WHOLE, dtype="Int64"),
    "boolean": lambda: pd.Series(FLAGS, dtype="boolean"),
    "str": lambda: pd.Series(WORDS),
    "string of Python": lambda: pd.Series(WORDS, dtype="string[python]"),
    "objects, None": lambda: pd.Series(WORDS, dtype=object),
    "objects, NaN": lambda: pd.Series([np.nan if w is None else w for w in WORDS], dtype=object),
    "objects, NA": lambda: pd.Series([pd.NA if w is None else w for w in WORDS], dtype=object),
    "objects, whole": lambda: pd.Series(WHOLE, dtype=object),
    "objects, prices": lambda: pd.Series(PRICES, dtype=object),
    "categories": lambda: pd.Series(pd.Categorical(WORDS, categories=list("dcbae"), ordered=True)),
    "categories of numbers": lambda: pd.Series(pd.Categorical(WHOLE)),
    "categories of Int64": lambda: pd.Series(pd.Categorical(pd.array(WHOLE, dtype="Int64"))),
    "categories of string": lambda: pd.Series(pd.Categorical(pd.array(WORDS, dtype="string"))),
    **{
        f"ArrowDtype {name}": lambda name=name: pd.Series(
            pd.arrays.ArrowExtensionArray(pa.chunked_array([ARROW[name]]))
        )
        for name in ("int64", "float16", "bool", "string", "decimal128", "date32", "duration ns", "categories", "null")
    },
}
POLARS = {
    "UInt64": pl.Series(WIDE, dtype=pl.UInt64),
    "Decimal": pl.Series(PRICES, dtype=pl.Decimal(20, 2)),
    "Enum": pl.Series(WORDS, dtype=pl.Enum(list("dcbae"))),
    "Categorical": pl.Series(WORDS, dtype=pl.Categorical),
    "Time": pl.Series(CLOCKS, dtype=pl.Time),
    "Datetime": pl.Series(MOMENTS, dtype=pl.Datetime("ns")),
    "Duration": pl.Series(SPANS, dtype=pl.Duration("ms")),
    "Null": pl.Series([None] * N, dtype=pl.Null),
}
NUMBERS = np.random.default_rng(0).normal(size=N)
READ = {
    **{f"arrow: {name}": (lambda its=its: pa.table({"n": NUMBERS, "c": its})) for name, its in ARROW.items()},
    **{f"pandas: {name}": (lambda its=its: pd.DataFrame({"n": NUMBERS, "c": its()})) for name, its in PANDAS.items()},
    **{f"polars: {name}": (lambda its=its: pl.DataFrame({"n": NUMBERS, "c": its})) for name, its in POLARS.items()},
}


def dtype_of(frame: Any) -> Any:
    if isinstance(frame, pa.Table):
        return frame.schema.field("c").type
    return repr(frame["c"].dtype)  # of categories with the values, and the type of these


def cells_of(frame: Any) -> list[Any]:
    column = frame["c"]
    values = column.to_pylist() if isinstance(frame, pa.Table) else list(column)
    return [None if value is None or value is pd.NA or value != value else value for value in values]


def equal(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    assert dtype_of(one) == dtype_of(other)
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    assert cells_of(one) == cells_of(other)


@pytest.mark.parametrize("name", READ)
def test_snapped_rows_are_those_that_decode_and_encode_give(name: str) -> None:
    opened = data.open(READ[name]())
    fitted = preprocessing.for_data(opened).fit(opened).rescale("standard")
    noise = 2 * np.random.default_rng(0).normal(size=(200, *fitted.shape_))
    x = (noise / fitted.factor_ + fitted.shift_).astype(np.float32)
    np.testing.assert_array_equal(fitted.snap(x), fitted.encode(fitted.decode(x)))


@pytest.mark.parametrize("name", READ)
def test_a_type_comes_back(name: str, tmp_path: Path) -> None:
    frame = READ[name]()
    opened = data.open(frame)
    equal(data.restore(opened.chunk(0, N), opened.schema), frame)
    assert str(data.inspect(frame))
    model = Autoencoder(hidden=(4,), latent_dim=1, max_epochs=1, random_state=0).fit(frame)
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    for records in (
        model.reconstruct(frame),
        model.inverse_transform(model.transform(frame)),
        again.reconstruct(frame),
    ):
        assert (type(records), dtype_of(records)) == (type(frame), dtype_of(frame))
    cells = cells_of(frame)
    if None in cells:
        filled = impute(model, frame).records
        assert (type(filled), dtype_of(filled)) == (type(frame), dtype_of(frame))
        both = [pair for pair in zip(cells, cells_of(filled), strict=True) if pair[0] is not None]
        assert all(one == other for one, other in both)
        assert None not in cells_of(filled) or not both
    assert data.is_missing(data.open(frame, label_column="c").labels).tolist() == [cell is None for cell in cells]
    for suffix in (".parquet", ".csv"):
        data.write(tmp_path / f"again{suffix}", opened.chunk(0, N), opened.schema)
        assert len(data.open(tmp_path / f"again{suffix}")) == N


REFUSED: dict[str, Callable[[], Any]] = {
    "binary": lambda: pa.array(BYTES),
    "categories of bytes": lambda: categories(pa.array([b"z", b"y", b"x"])),
    "list": lambda: pa.array([[i] for i in range(N)]),
    "struct": lambda: pa.array([{"a": i} for i in range(N)]),
    "map": lambda: pa.array([[("k", i)] for i in range(N)], pa.map_(pa.string(), pa.int64())),
    "run-end encoded": lambda: pa.RunEndEncodedArray.from_arrays(pa.array([10, N], pa.int32()), pa.array([1, 2])),
    "an interval of Arrow": lambda: pa.array([(1, i, 0) for i in range(N)], pa.month_day_nano_interval()),
    "uuid": lambda: pa.array([bytes(15) + bytes([i]) for i in range(N)], pa.uuid()),
    "period": lambda: pd.Series(pd.period_range("2020-01", periods=N, freq="M")),
    "interval": lambda: pd.Series(pd.interval_range(0, N)),
    "cut": lambda: pd.cut(pd.Series(NUMBERS), 3),
    "sparse": lambda: pd.Series(pd.arrays.SparseArray(np.arange(N))),
    "complex": lambda: pd.Series(NUMBERS.astype(complex)),
    "longdouble": lambda: pd.Series(NUMBERS.astype(np.longdouble)),
    "objects, wide": lambda: pd.Series([2**70] * N, dtype=object),
    "objects, mixed": lambda: pd.Series([1, "a"] * (N // 2), dtype=object),
    "objects, bytes": lambda: pd.Series(BYTES, dtype=object),
    "ArrowDtype list": lambda: pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([[[1]] * N]))),
    "Int128": lambda: pl.Series(WHOLE, dtype=pl.Int128),
    "Object": lambda: pl.Series([{i} for i in range(N)], dtype=pl.Object),
    "List": lambda: pl.Series([[i] for i in range(N)]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_types_are_refused_when_opened_and_only_where_asked_for(name: str) -> None:
    column = REFUSED[name]()
    if isinstance(column, pd.Series):
        frame: Any = pd.DataFrame({"n": NUMBERS, "c": column, "m": NUMBERS})
    elif isinstance(column, pl.Series):
        frame = pl.DataFrame({"n": NUMBERS, "c": column, "m": NUMBERS})
    else:
        frame = pa.table({"n": NUMBERS, "c": column, "m": NUMBERS})
    with pytest.raises(DataTypeError, match=r"^X: column 'c' ") as caught:
        data.open(frame)
    assert "\n" not in str(caught.value)
    if "columns=" in str(caught.value):  # the advice works
        assert len(data.open(frame, columns=["n"])) == N
        chosen = data.open(frame, columns=[2], label_column="n")
        assert [column.name for column in chosen.schema.columns] == ["m"]
        assert np.array_equal(chosen.labels, NUMBERS)
    with pytest.raises(DataTypeError, match=r"^X: column 'c' "):
        data.open(frame, label_column="c")


def test_spans_of_time_are_no_numbers() -> None:
    spans = pd.to_timedelta(np.arange(N) % 7, unit="s")
    frame = pd.DataFrame({"n": NUMBERS, "took": spans})
    kinds = np.where(NUMBERS > 0, "p", "q")
    model = Autoencoder(hidden=(4,), latent_dim=1, max_epochs=1, random_state=0)
    assert set(Classifier(model=model, method="probe", random_state=0).fit(frame, kinds).predict(frame)) <= {"p", "q"}
    fitted = model.fit(frame)
    with pytest.raises(ShapeError, match="column 'took' holds values of type integer"):
        fitted.reconstruct(frame.assign(took=np.arange(N)))
    with pytest.raises(ShapeError, match="was fitted on data of kind 'array'"):
        Autoencoder(hidden=(4,), max_epochs=1).fit(np.stack([NUMBERS, NUMBERS**2], axis=1)).reconstruct(frame)
    assert data.inspect(frame).high == NUMBERS.max()
