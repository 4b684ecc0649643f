"""Data frames of any library as Arrow tables, and back with dtypes, index and the columns' labels as they were."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.checks import data as checks
from isthmus.data.records import Data
from isthmus.data.side_columns import PANDAS
from isthmus.data.tables import from_table, named, twins

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

__all__ = ["from_frame", "to_pandas"]

PANDAS_KEY = b"isthmus.pandas"
ARROW = "arrow"  # where the storage of strings stands: a dtype of pandas that is the column's Arrow type
TOO_WIDE = ("Int128", "UInt128")  # dtypes of polars that Arrow does not have


def from_frame(
    frame: Any,
    library: str,
    *,
    columns: Sequence[str | int] | None = None,
    label_column: str | int | None = None,
    name: str = "X",
) -> Data:
    """Open a data frame of pandas, polars or pyarrow, or of any other library that exports Arrow streams."""
    if library not in ("pandas", "polars"):
        table = _from_stream(frame, name)
        return from_table(table, source=name, columns=columns, label_column=label_column)
    if library == "polars" and type(frame).__name__ == "LazyFrame":
        frame = frame.collect()
    names = [*frame.columns] if library == "polars" else _names(frame, name)
    columns = None if columns is None else named(names, columns, name)
    label = None if label_column is None else named(names, [label_column], name)[0]
    asked = {*(columns or ()), label}
    needed = names if columns is None else [each for each in names if each in asked]
    if twice := sorted({*twins(names)} & {*needed}):
        raise checks.duplicate_columns(name, twice)
    convert = _from_pandas if library == "pandas" else _from_polars
    return from_table(
        convert(frame, names, needed, name),
        source=name,
        container=library,
        columns=columns,
        label_column=label,
        index=frame.index if library == "pandas" else None,
    )


def _from_stream(frame: Any, name: str) -> pa.Table:
    """Return a table or record batch of pyarrow, or any object that exports an Arrow stream, as an Arrow table."""
    import pyarrow as pa

    try:
        return pa.Table.from_batches([frame]) if isinstance(frame, pa.RecordBatch) else pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise checks.unreadable_object(name, f"its Arrow stream is no table ({error})") from error


def _from_polars(frame: Any, names: list[str], needed: list[str], source: str) -> pa.Table:
    """Return some columns of a polars frame as an Arrow table."""
    frame = frame.select(needed)
    for column, dtype in frame.schema.items():
        if str(dtype) in TOO_WIDE:
            raise checks.too_wide(source, column, str(dtype))
        if str(dtype) == "Object":
            raise checks.unsupported_column(source, column, str(dtype))
    return frame.to_arrow()


# --- pandas ----------------------------------------------------------------------------------------------------------


def _names(frame: pandas.DataFrame, name: str) -> list[str]:
    """Return the columns' labels as text."""
    if frame.columns.nlevels > 1:
        raise checks.unreadable_object(
            name, "its columns have several levels; give every column one name with X.columns.to_flat_index()"
        )
    return [str(label) for label in frame.columns]


def _from_pandas(frame: pandas.DataFrame, names: list[str], needed: list[str], source: str) -> pa.Table:
    """Return some columns of a pandas frame as an Arrow table that remembers every dtype."""
    import pyarrow as pa

    labels, wanted = frame.columns, set(needed)
    if len(needed) < len(names):
        places = [place for place, name in enumerate(names) if name in wanted]
        frame, labels = frame.iloc[:, places], labels[places]
    frame = frame.set_axis(needed, axis=1)
    dtypes = list(frame.dtypes)
    for column, dtype in zip(needed, dtypes, strict=True):
        _refuse_dtype(source, column, dtype)
    swapped = {
        column: dtype.newbyteorder("=") for column, dtype in zip(needed, dtypes, strict=True) if _is_swapped(dtype)
    }
    frame = frame.astype(swapped) if swapped else frame
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise _unreadable_column(frame, source, error) from error
    remembered = {
        "dtypes": [
            _dtype_record(dtype, frame.iloc[:, place] if dtype == object else None)  # noqa: E721 - a dtype
            for place, dtype in enumerate(dtypes)
        ],
        "integer_names": bool(len(labels)) and all(isinstance(label, (int, np.integer)) for label in labels),
        **_labels_record(labels),
    }
    return table.replace_schema_metadata({**(table.schema.metadata or {}), PANDAS_KEY: json.dumps(remembered)})


def _refuse_dtype(source: str, column: str, dtype: Any) -> None:
    """Refuse a dtype whose values Arrow, or a table of records, has no place for."""
    of_categories = getattr(getattr(dtype, "categories", None), "dtype", dtype)
    kind = type(of_categories).__name__
    if kind == "SparseDtype":
        raise checks.unsupported_column(source, column, f"{dtype}, which is sparse")
    if getattr(dtype, "kind", "") == "c":
        raise checks.unsupported_column(source, column, f"{dtype} (Complex data not supported)")
    if kind in ("PeriodDtype", "IntervalDtype"):
        shown = str(of_categories) if of_categories is dtype else f"category of {of_categories}"
        raise checks.unsupported_column(source, column, shown)
    if isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize > 8:
        raise checks.too_wide(source, column, str(dtype))


def _is_swapped(dtype: Any) -> bool:
    """Tell whether numbers lie in memory with their bytes in the other order than this machine's."""
    return isinstance(dtype, np.dtype) and not dtype.isnative


def _unreadable_column(frame: pandas.DataFrame, source: str, error: Exception) -> Exception:
    """Return the sentence about the first column that Arrow cannot read."""
    import pyarrow as pa

    for name, column in frame.items():
        try:
            pa.Array.from_pandas(column)
        except OverflowError:
            return checks.too_wide(source, str(name), "whole numbers of more than 64 bits")
        except (pa.ArrowException, TypeError, ValueError) as its_error:
            return checks.column_values(source, str(name), str(its_error).split("\n")[0].rstrip("."))
    return checks.unreadable_object(source, f"it cannot be read as an Arrow table ({error})")


def _dtype_record(dtype: Any, column: pandas.Series | None) -> list[Any]:
    """Return what tells a pandas dtype from its like: its name, the storage of strings, the sign of a missing value.

    Only a column of objects shows which sign that is. Of categories the dtype of their values is added.
    """
    missing = str(getattr(dtype, "na_value", ""))
    if column is not None:
        empty = column[column.isna()]
        missing = str(empty.iloc[0]) if len(empty) else "None"
    storage = ARROW if type(dtype).__name__ == "ArrowDtype" else str(getattr(dtype, "storage", ""))
    record: list[Any] = [str(dtype), storage, missing]
    return [*record, _dtype_record(dtype.categories.dtype, None)] if str(dtype) == "category" else record


def to_pandas(table: pa.Table, index: pandas.Index | None = None) -> pandas.DataFrame:
    """Return an Arrow table as a pandas frame with every dtype as it was, and an index."""
    import pandas

    remembered = json.loads((table.schema.metadata or {}).get(PANDAS_KEY, b"{}"))
    names = _model_names(table)
    were = dict(zip(names, remembered.get("dtypes", ()), strict=False))
    in_arrow = [name for name in table.column_names if were.get(name, ("", ""))[1] == ARROW]
    frame = _without(table, in_arrow).to_pandas(integer_object_nulls=True)
    known = [(name, have, were[name]) for name, have in zip(frame.columns, frame.dtypes, strict=True) if name in were]
    wanted = {name: dtype for name, have, was in known if (dtype := _dtype_wanted(frame[name], have, was)) is not None}
    frame = frame.astype(wanted)  # of all at once: to set one column after another splits the frame each time
    columns = {name: _with_sign(frame[name], was) for name, _, was in known if was[0] == "object"}
    columns |= {name: pandas.arrays.ArrowExtensionArray(table.column(name)) for name in in_arrow}
    if columns:
        frame = pandas.DataFrame(
            {name: columns[name] if name in columns else frame[name] for name in table.column_names}
        )
    frame.columns = _labels(frame.columns, names, remembered)
    if index is not None and len(index) == len(frame):
        frame.index = index
    return frame


def _dtype_wanted(column: pandas.Series, have: Any, was: Sequence[Any]) -> Any:
    """Return the dtype that a column is to be given, or None where it has it."""
    import pandas

    dtype, storage, missing = was[:3]
    if dtype in ("string", "str"):
        return pandas.StringDtype(storage, na_value=pandas.NA if missing == "<NA>" else np.nan)
    if dtype == "category":
        values = (
            _dtype_wanted(column.cat.categories.to_series(), have.categories.dtype, was[3]) if len(was) > 3 else None
        )
        return None if values is None else pandas.CategoricalDtype(have.categories.astype(values), have.ordered)
    if str(have) == dtype:
        return None
    if dtype == "object" or dtype.startswith(">f") or not column.isna().any():
        return dtype
    return None


def _with_sign(column: pandas.Series, was: Sequence[Any]) -> pandas.Series:
    """Return a column of objects with the sign for a missing value that it had."""
    import pandas

    signs = {"None": None, "nan": np.nan, "<NA>": pandas.NA, "NaT": pandas.NaT}
    if was[2] not in signs or not column.isna().any():
        return column
    return column.where(column.notna(), signs[was[2]])


def _without(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return a table without some columns, of which its pandas metadata know nothing either."""
    if not names:
        return table
    document = json.loads((table.schema.metadata or {}).get(PANDAS, b'{"columns": []}'))
    document["columns"] = [column for column in document["columns"] if column["name"] not in names]
    return table.drop_columns(names).replace_schema_metadata({PANDAS: json.dumps(document)})


def _model_names(table: pa.Table) -> list[str]:
    """Return the names of all columns that the frame had, in its order, also of those that were left out."""
    document = json.loads((table.schema.metadata or {}).get(PANDAS, b'{"columns": []}'))
    return [column["name"] for column in document["columns"]]


# --- labels of a pandas frame's columns ------------------------------------------------------------------------------


def _labels_record(labels: pandas.Index) -> dict[str, Any]:
    """Return what tells the labels of columns from their texts: the labels where they are others, and their name."""
    record: dict[str, Any] = {}
    if not all(isinstance(label, (str, int, np.integer)) for label in labels) or len({*map(type, labels)}) > 1:
        record["labels"] = [_to_json(label) for label in labels]
    if labels.name is not None:
        record["labels_name"] = _to_json(labels.name)
    return record


def _labels(texts: pandas.Index, names: Sequence[str], remembered: dict[str, Any]) -> pandas.Index:
    """Return the labels of columns as they were, from their texts."""
    import pandas

    labels: list[Any] = list(texts)
    if "labels" in remembered:
        were = dict(zip(names, map(_from_json, remembered["labels"]), strict=False))
        labels = [were.get(text, text) for text in texts]
    elif remembered.get("integer_names"):
        labels = [int(text) for text in texts]
    elif "labels_name" not in remembered:
        return texts
    return pandas.Index(labels, name=_from_json(remembered.get("labels_name")), tupleize_cols=False)


def _to_json(label: Any) -> Any:
    """Return a label in JSON: texts and numbers as such, a tuple as a list, a time as its text; others as text."""
    if label is None or isinstance(label, str | int | float):
        return label
    if isinstance(label, tuple):
        return [_to_json(part) for part in label]
    if isinstance(label, np.generic):
        return label.item()
    return {"time": label.isoformat()} if type(label).__name__ == "Timestamp" else str(label)


def _from_json(label: Any) -> Any:
    """Return the label that :func:`_to_json` wrote."""
    import pandas

    if isinstance(label, list):
        return tuple(map(_from_json, label))
    return pandas.Timestamp(label["time"]) if isinstance(label, dict) else label
