"""Error messages about tasks: what a model must be able to do, and what a mask must look like."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from isthmus.capabilities import methods_of
from isthmus.checks.parameters import nearest
from isthmus.errors import ArtifactError, DataError, ParameterError, ShapeError

__all__ = [
    "a_model",
    "can",
    "codes_of_one_size",
    "enough_matching",
    "is_fitted",
    "known_columns",
    "labelled_pictures",
    "mask_count",
    "mask_kind",
    "mask_shape",
    "mask_size",
    "mask_wanted",
    "model_of_isthmus",
    "needs_records",
    "needs_tables",
    "no_inpainting",
    "rows_of",
    "rows_of_numbers",
    "tables_only",
    "two_records",
    "value_of_column",
    "values_of",
    "worse_than_nothing",
]

OWNERS = {"class_logits": "a ConditionalVAE", "code_posterior": "a VAE"}  # of methods that not every model has


def a_model(path: str, loaded: Any) -> None:
    """Refuse a file that holds a task object, or a restorer of pictures, where a model of records is needed."""
    if not hasattr(loaded, "model_") and not hasattr(loaded, "schema_"):
        raise ArtifactError(
            f"{path} holds a {type(loaded).__name__}, which denoises, fills and enlarges pictures and does nothing "
            f"else with them; a model of records is needed here, or none."
        )
    if hasattr(loaded, "model_"):
        raise ArtifactError(
            f"{path} holds a {type(loaded).__name__}, which has a model within; give it to the verb that made it, or "
            f"save its model alone (isthmus.load(path).model_.save)."
        )


def can(task: str, model: Any, *capabilities: type) -> None:
    """Refuse a model that lacks a method of a capability that a task needs."""
    for method in chain.from_iterable(map(methods_of, capabilities)):
        if not callable(getattr(model, method, None)):
            raise ParameterError(
                f"{task}: the model must have the method {method}(), which {type(model).__name__} does not have; "
                f"{OWNERS.get(method, 'every autoencoder of isthmus')} has it."
            )


def is_fitted(task: str, model: Any) -> None:
    """Refuse a model that has not been fitted."""
    if not hasattr(model, "schema_"):
        raise ParameterError(
            f"{task}: the model must be fitted; call {type(model).__name__}.fit(X) first, or isthmus.load a file."
        )


def model_of_isthmus(task: str, model: Any, *, own: bool) -> None:
    """Refuse to save a task whose model has no file format of its own."""
    if not own:
        raise ParameterError(
            f"{task}: only models of isthmus can be saved, and {type(model).__name__} is none; save it by its own "
            f"library's means, or use one of isthmus's."
        )


def rows_of_numbers(task: str, kind: str, model: str) -> None:
    """Refuse a model of another library for records that are no rows of numbers."""
    if kind not in ("array", "image"):
        raise DataError(
            f"{task}: {model} takes arrays only, and the data are of kind {kind!r}; use a model of isthmus."
        )


def no_inpainting(kind: str) -> DataError:
    """Return the error for records that have no cells to fill."""
    return DataError(f"inpaint: cells of arrays, images and tables can be filled; the data are of kind {kind!r}.")


def mask_wanted(source: str, kind: str) -> ParameterError:
    """Return the error for data with missing cells and no mask."""
    what = "an image or an array" if kind == "image" else "an array"
    return ParameterError(
        f"inpaint: {source} (kind {kind!r}) has no empty cells of its own, so mask must say what to fill; "
        f"pass {what} of the shape of one record, or of all, that is not zero where values are missing."
    )


def mask_shape(found: Sequence[int], record: Sequence[int], n: int) -> ShapeError:
    """Return the error for a mask that fits neither one record nor all of them."""
    return ShapeError(
        f"inpaint: mask must have the shape {tuple(record)}, for the same cells of every record, "
        f"or {(n, *record)}, for those of each; its shape is {tuple(found)}."
    )


def mask_count(found: int, n: int) -> ShapeError:
    """Return the error for a list of masks that is not as long as that of the pictures."""
    return ShapeError(f"inpaint: pictures of several sizes need one mask each, {n} in all; there are {found}.")


def mask_size(index: int, found: Sequence[int], wanted: Sequence[int]) -> ShapeError:
    """Return the error for one mask of a list that does not fit its picture."""
    return ShapeError(
        f"inpaint: mask {index} must have the height and width of its picture, {tuple(wanted[:2])}; "
        f"its shape is {tuple(found)}."
    )


def mask_kind(kind: str) -> DataError:
    """Return the error for a mask that holds no marks."""
    return DataError(
        f"inpaint: mask must be an array, an image or, for tables, a table of zeros and ones; its kind is {kind!r}."
    )


def labelled_pictures(task: str, kind: str, shape: Sequence[int | None], labels: Any) -> None:
    """Refuse data that a classifier of pictures cannot learn from."""
    if kind != "image" or None in shape:
        what = "pictures of several sizes" if kind == "image" else f"of kind {kind!r}"
        raise DataError(f"{task}: the data must be pictures of one size; they are {what}.")
    if labels is None:
        raise DataError(f"{task}: the pictures need labels; pass their classes as y.")
    if len(set(labels.tolist())) < 2:
        raise DataError(f"{task}: labels must name at least two classes; all pictures are of the class {labels[0]!r}.")


def two_records(n: int) -> None:
    """Refuse anything but two records."""
    if n != 2:
        raise DataError(f"interpolate: X must hold two records, the two ends; it holds {n}.")


def codes_of_one_size(task: str, codes: Any) -> None:
    """Refuse codes of pictures of several sizes."""
    if isinstance(codes, list):
        raise ParameterError(
            f"{task}: pictures of several sizes have codes of several sizes; fit on pictures of one size."
        )


def needs_records(task: str, parameter: str, value: Any, records: Any) -> None:
    """Refuse records of the fit where there are no others to set beside them."""
    if value is not None and records is None:
        raise ParameterError(
            f"{task}: {parameter} goes with records to judge the model by; name them as DATA, or name these as DATA."
        )


def needs_tables(task: str, parameter: str, value: Any) -> None:
    """Refuse the name of a column where there are none."""
    if value is not None:
        raise ParameterError(f"{task}: {parameter} names a column, and only tables have columns; leave it out.")


def tables_only(task: str, kind: str) -> None:
    """Refuse what asks for values of columns where there are none."""
    if kind != "table":
        raise ParameterError(f"{task}: only tables have columns; the model was fitted on data of kind {kind!r}.")


def values_of(task: str, text: str) -> dict[str, Any]:
    """Return the values of columns that a person typed: COLUMN=VALUE,COLUMN=LOW..HIGH."""
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            raise ParameterError(f"{task}: --where must be COLUMN=VALUE, with commas between; {part.strip()!r} is not.")
        low, dots, high = value.partition("..")
        found[name.strip()] = (low.strip(), high.strip()) if dots else value.strip()
    return found


def rows_of(task: str, text: str, n: int, count: int) -> list[int]:
    """Return row numbers that a person typed with commas between."""
    try:
        rows = [int(part) for part in text.split(",")]
    except ValueError:
        rows = []
    if len(rows) != count or not all(0 <= row < n for row in rows):
        raise ParameterError(
            f"{task}: rows must be {count} numbers from 0 to {n - 1} with a comma between; it is {text!r}."
        )
    return rows


def known_columns(task: str, given: Iterable[str], columns: Sequence[str]) -> None:
    """Refuse a column that the model's table does not have."""
    for name in given:
        if name not in columns:
            raise ParameterError(
                f"{task}: there is no column {name!r} among {', '.join(map(repr, columns))}{nearest(name, columns)}"
            )


def value_of_column(task: str, name: str, value: Any, kind: Any) -> Any:
    """Return a value as an Arrow scalar of a column's type; refuse what such a column cannot hold."""
    import pyarrow as pa

    try:
        return pa.scalar(value).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        raise ParameterError(f"{task}: column {name!r} holds values of type {kind}, and {value!r} is none.") from None


def enough_matching(found: int, wanted: int, drawn: int, where: Mapping[str, Any]) -> None:
    """Refuse to go on drawing for rows that hardly ever come."""
    if found < wanted:
        values = ", ".join(f"{name}={value!r}" for name, value in where.items())
        raise DataError(
            f"Of {drawn:,} new rows {found:,} have {values}, and {wanted:,} were asked for: the model hardly ever "
            f"draws them; ask for fewer, or for less."
        )


def worse_than_nothing(found: Mapping[str, Any]) -> str:
    """Return what is said of a model that restores records worse than they were; nothing of one that does not."""
    before, after, peak = (float(found[name]) for name in ("before", "after", "peak"))
    if not after >= before > 0:
        return ""
    if found.get("texts"):
        both = [f"{error:.1%} wrong characters" for error in (before, after)]
    elif found["pictures"]:
        both = [f"{10 * math.log10(peak**2 / error):.1f} dB" for error in (before, after)]
    else:
        both = [f"an error of {error**0.5:.3g}" for error in (before, after)]
    which = "records held out from the fit" if found["held_out"] else "the records of the fit themselves"
    return (
        f"this model does harm: on {which} it left {both[1]} where there was {both[0]} before; it takes more records, "
        f"or more epochs, to learn to restore"
    )
