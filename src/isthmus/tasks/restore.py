r"""Restoration: remove noise, and fill what is missing.

Denoising is one crossing of the code: what does not fit through it, noise above all, is left behind (Vincent et al.,
ICML 2008).

Inpainting alternates between the code and the record. With m = 1 on missing cells and r(x) = g(f(x)) the model's
reconstruction::

    x_0     = (1 - m) x + m fill
    x_{k+1} = (1 - m) x + m r(x_k)

a Markov chain of Rezende, Mohamed and Wierstra (ICML 2014, appendix F) without its noise. Kept is, record by record, the
x_{k+1} whose x_k was reconstructed best where the truth is known: (1 - m) (r(x_k) - x)^2 is smallest. So more rounds
never make the agreement with the known cells worse, and a record's result does not depend on the others.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import data as isthmus_data
from isthmus.checks import parameters as checks
from isthmus.checks import tasks as sentences
from isthmus.data import Data, Schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["STARTS", "denoise", "inpaint"]

STARTS = ("auto", "mean", "neighbours", "blank")
BLANKING = ("masking", "holes")  # corruptions that show a network zeros in the place of what is missing

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]


def denoise(model: Any, X: Any) -> Any:  # noqa: ANN401, N803
    """Return records with the noise removed: their reconstructions.

    Any model with a code narrower than its records does it; a ``DenoisingAutoencoder`` trained on such noise does it best.

    Parameters
    ----------
    model : fitted model
        With the method ``reconstruct``.
    X : array, data frame, path, or Data
        Noisy records, of the shape that the model was fitted on.

    Returns
    -------
    records
        In the units, types and container of the data that the model was fitted on.

    Raises
    ------
    ParameterError
        The model cannot reconstruct.
    DataError
        The data cannot be used with this model.

    Examples
    --------
    >>> from isthmus import DenoisingAutoencoder
    >>> from isthmus.tasks import denoise
    >>> model = DenoisingAutoencoder(max_epochs=5, random_state=0).fit("digits")
    >>> denoise(model, "digits").shape
    (1797, 8, 8)
    """
    sentences.can("denoise", model, "reconstruct")
    return model.reconstruct(X)


def inpaint(
    model: Any,  # noqa: ANN401
    X: Any,  # noqa: ANN401, N803
    mask: Any = None,  # noqa: ANN401
    *,
    iterations: int = 20,
    start: str = "auto",
) -> Any:  # noqa: ANN401
    """Fill marked cells of records; unmarked ones come back exactly as they were.

    Parameters
    ----------
    model : fitted model
        With the method ``reconstruct``.
    X : array, data frame, path, or Data
        Records with holes, of the shape that the model was fitted on. What stands in marked cells is not looked at.
    mask : array, data frame, path or list, optional
        What to fill: not zero where a value is missing. Of the shape of one record (the same cells of each), or of all
        records; for colour pictures the channels may be left out. A path is read as data are: an image file, ``.npy``,
        a table, a folder with one mask a picture. By default the empty cells of a table and the NaNs of an array.
    iterations : int, default=20
        Rounds between code and record.
    start : {"auto", "mean", "neighbours", "blank"}, default="auto"
        What fills the holes at first: the mean of the data that the model was fitted on (the most frequent value of a
        column that is no number); the known pixels around; or zero as the network sees it. "auto" takes "blank" for
        models that were trained to fill blanks, else "neighbours" for pictures and "mean" for the rest.

    Returns
    -------
    records
        In the container and with the types of ``X``.

    Raises
    ------
    ParameterError
        The model cannot reconstruct, or a parameter is not allowed.
    ShapeError
        The mask fits neither one record nor all of them.
    DataError
        The data cannot be used with this model.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import Autoencoder
    >>> from isthmus.tasks import inpaint
    >>> model = Autoencoder(max_epochs=5, random_state=0).fit("digits")
    >>> hole = np.zeros((8, 8))
    >>> hole[2:5, 2:5] = 1
    >>> inpaint(model, "digits", hole).shape
    (1797, 8, 8)
    """
    sentences.can("inpaint", model, "reconstruct")
    checks.integer("inpaint", "iterations", iterations, low=1)
    checks.choice("inpaint", "start", start, STARTS)
    if mask is None:
        X, mask = _without_nan(X)  # noqa: N806
    data = isthmus_data.open(X)
    if data.schema.kind == "table" and hasattr(model, "schema_") and model.schema_.kind == "table":
        data = data.select([column.name for column in model.schema_.columns])
    block = data.take(np.arange(len(data)))
    holes = _holes_for(model, data, block)
    marked = holes.marks(mask, block)
    filled = holes.fill(block, marked, _usual_start(model, data.schema) if start == "auto" else start)
    return isthmus_data.restore(_refine(model, holes, block, filled, marked, iterations), data.schema)


def _without_nan(X: Any) -> tuple[Any, Any]:  # noqa: ANN401, N803
    """Return an array with zeros in the place of NaNs, and where they were; other data as they are, and None."""
    if isinstance(X, np.ndarray) and X.dtype.kind == "f" and np.isnan(X).any():
        missing = np.isnan(X)
        return np.where(missing, 0, X).astype(X.dtype), missing
    return X, None


def _usual_start(model: Any, schema: Schema) -> str:  # noqa: ANN401
    if getattr(model, "corruption", None) in BLANKING and schema.kind != "table":
        return "blank"
    return "neighbours" if schema.kind == "image" else "mean"


def _refine(model: Any, holes: Holes, block: Any, filled: Any, marked: Any, iterations: int) -> Any:  # noqa: ANN401
    """Alternate between code and record; keep for each record the fill that agrees best with what is known."""
    best, lowest = filled, np.full(len(block), np.inf)
    for _ in range(iterations):
        reconstruction = holes.block(model.reconstruct(holes.container(filled)))
        distance = holes.distance(block, reconstruction, marked)
        filled = holes.replace(block, reconstruction, filled, marked)
        better = distance < lowest
        best, lowest = holes.choose(better, filled, best), np.where(better, distance, lowest)
    return best


# ------------------------------------------------------------------ holes, by kind of data


class Holes(ABC):
    """What filling holes means for one kind of data; blocks are those of :class:`isthmus.data.Data`.

    Parameters
    ----------
    model : fitted model
    schema : Schema
        Of the records with holes.
    n : int
        How many there are.
    """

    def __init__(self, model: Any, schema: Schema, n: int) -> None:  # noqa: ANN401
        self.model, self.schema, self.n = model, schema, n

    @abstractmethod
    def marks(self, mask: Any, block: Any) -> Any:  # noqa: ANN401
        """Return for every cell of a block whether it is to be filled."""

    @abstractmethod
    def fill(self, block: Any, marked: Any, start: str) -> Any:  # noqa: ANN401
        """Return a block whose marked cells have a first value."""

    @abstractmethod
    def distance(self, block: Any, reconstruction: Any, marked: Any) -> Float64:  # noqa: ANN401
        """Return how far each record's reconstruction is from its known cells, shape (n,)."""

    @abstractmethod
    def replace(self, block: Any, reconstruction: Any, filled: Any, marked: Any) -> Any:  # noqa: ANN401
        """Return a block with the marked cells of the reconstruction and the others as they were."""

    @abstractmethod
    def choose(self, first: Bools, a: Any, b: Any) -> Any:  # noqa: ANN401
        """Return the records of one block where told so, else those of another."""

    @abstractmethod
    def block(self, records: Any) -> Any:  # noqa: ANN401
        """Return records as a model gives them back, as a block."""

    def container(self, block: Any) -> Any:  # noqa: ANN401
        """Return a block as something that a model takes."""
        return block


class NumberHoles(Holes):
    """Arrays, and pictures of one size: marks are a boolean array of the block's shape."""

    def marks(self, mask: Any, block: NDArray[Any]) -> Bools:  # noqa: ANN401, D102
        if mask is None:
            raise sentences.mask_wanted("X", self.schema.kind)
        found = _mask_array(mask, self.schema.kind)
        shape = block.shape
        for target in (shape[1:], shape, (*shape[1:-1], 1), (*shape[:-1], 1)):
            if found.shape == target or (block.ndim == 4 and target[-1:] == (1,) and found.shape == target[:-1]):
                return np.broadcast_to(found.reshape(target), shape)
        raise sentences.mask_shape(found.shape, shape[1:], len(block))

    def fill(self, block: NDArray[Any], marked: Bools, start: str) -> NDArray[Any]:  # noqa: D102
        if start == "neighbours" and self.schema.kind == "image":
            return _from_neighbours(block, marked, _mean_record(self.model, block))
        first = _blank_record(self.model, block) if start == "blank" else _mean_record(self.model, block)
        return np.where(marked, first, block).astype(block.dtype)

    def distance(self, block: NDArray[Any], reconstruction: NDArray[Any], marked: Bools) -> Float64:  # noqa: D102
        difference = np.where(marked, 0.0, reconstruction.astype(np.float64) - block)
        return np.asarray(np.square(difference).reshape(len(block), -1).sum(axis=1))

    def replace(  # noqa: D102
        self, block: NDArray[Any], reconstruction: NDArray[Any], filled: NDArray[Any], marked: Bools
    ) -> NDArray[Any]:
        return np.where(marked, _as_type(reconstruction, block.dtype), block)

    def choose(self, first: Bools, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:  # noqa: D102
        return np.where(first.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    def block(self, records: Any) -> NDArray[Any]:  # noqa: ANN401, D102
        if isinstance(records, list):
            return np.stack([np.asarray(record) for record in records])
        return np.asarray(records.detach().cpu() if hasattr(records, "detach") else records)


class PictureHoles(Holes):
    """Pictures of several sizes: each is treated alone."""

    def _one(self, picture: NDArray[Any]) -> NumberHoles:
        return NumberHoles(self.model, replace(self.schema, shape=picture.shape), 1)

    def marks(self, mask: Any, block: Sequence[NDArray[Any]]) -> list[Bools]:  # noqa: ANN401, D102
        if mask is None:
            raise sentences.mask_wanted("X", self.schema.kind)
        masks = _mask_list(mask)
        if len(masks) != len(block):
            raise sentences.mask_shape((len(masks), *masks[0].shape), self.schema.shape, len(block))
        for index, (one, picture) in enumerate(zip(masks, block, strict=True)):
            if one.shape[:2] != picture.shape[:2]:
                raise sentences.different_picture_sizes(index, one.shape, picture.shape)
        return [self._one(picture).marks(one, picture[None])[0] for one, picture in zip(masks, block, strict=True)]

    def fill(  # noqa: D102
        self, block: Sequence[NDArray[Any]], marked: Sequence[Bools], start: str
    ) -> list[NDArray[Any]]:
        pairs = zip(block, marked, strict=True)
        return [self._one(picture).fill(picture[None], one[None], start)[0] for picture, one in pairs]

    def distance(  # noqa: D102
        self, block: Sequence[NDArray[Any]], reconstruction: Sequence[NDArray[Any]], marked: Sequence[Bools]
    ) -> Float64:
        triples = zip(block, reconstruction, marked, strict=True)
        return np.concatenate([self._one(x).distance(x[None], r[None], m[None]) for x, r, m in triples])

    def replace(  # noqa: D102
        self,
        block: Sequence[NDArray[Any]],
        reconstruction: Sequence[NDArray[Any]],
        filled: Sequence[NDArray[Any]],
        marked: Sequence[Bools],
    ) -> list[NDArray[Any]]:
        triples = zip(block, reconstruction, marked, strict=True)
        return [np.where(m, _as_type(r, x.dtype), x) for x, r, m in triples]

    def choose(  # noqa: D102
        self, first: Bools, a: Sequence[NDArray[Any]], b: Sequence[NDArray[Any]]
    ) -> list[NDArray[Any]]:
        return [x if one else y for one, x, y in zip(first, a, b, strict=True)]

    def block(self, records: Any) -> list[NDArray[Any]]:  # noqa: ANN401, D102
        return [np.asarray(record) for record in records]


class TableHoles(Holes):
    """Tables: marks are a boolean array (n, columns); a column's first value is its mean or its most frequent value."""

    def marks(self, mask: Any, block: pa.Table) -> Bools:  # noqa: ANN401, D102
        shape = (block.num_rows, block.num_columns)
        if mask is None:
            return np.stack([np.asarray(column.is_null()) for column in block.columns], axis=1)
        found = _mask_table(mask, block.column_names)
        if found.shape not in (shape, shape[1:], (1, shape[1])):
            raise sentences.mask_shape(found.shape, shape[1:], shape[0])
        return np.broadcast_to(found, shape)

    def fill(self, block: pa.Table, marked: Bools, start: str) -> pa.Table:  # noqa: D102
        mean = self.block(_mean_row(self.model, block))
        columns = []
        for index, name in enumerate(block.column_names):
            known = _usual_value(block.column(name), marked[:, index])
            value = known if known is not None else mean.column(name)[0].as_py()
            columns.append(_put(block.column(name), marked[:, index], [value] * self.n))
        return _table_like(block, columns)

    def distance(self, block: pa.Table, reconstruction: pa.Table, marked: Bools) -> Float64:  # noqa: D102
        total = np.zeros(self.n)
        for index, column in enumerate(self.schema.columns):
            x, r = block.column(column.name), reconstruction.column(column.name)
            off = _differences(x, r, column.type in ("number", "integer", "date"))
            total += np.where(marked[:, index], 0.0, off)
        return total

    def replace(self, block: pa.Table, reconstruction: pa.Table, filled: pa.Table, marked: Bools) -> pa.Table:  # noqa: D102
        columns = []
        for index, name in enumerate(block.column_names):
            values = reconstruction.column(name).to_pylist()
            # A model may find that a value is missing; but a hole is to be filled, so the one before stays.
            before = filled.column(name).to_pylist()
            values = [old if new is None else new for new, old in zip(values, before, strict=True)]
            columns.append(_put(block.column(name), marked[:, index], values))
        return _table_like(block, columns)

    def choose(self, first: Bools, a: pa.Table, b: pa.Table) -> pa.Table:  # noqa: D102
        import pyarrow as pa

        # Row k of both is a's where `first`, else b's: an index into the two, one after the other.
        rows = np.arange(self.n) + np.where(first, 0, self.n)
        return pa.concat_tables([a, b]).unify_dictionaries().take(rows)

    def block(self, records: Any) -> pa.Table:  # noqa: ANN401, D102
        data = isthmus_data.open(records).select([column.name for column in self.schema.columns])
        return data.take(np.arange(len(data)))


def _holes_for(model: Any, data: Data, block: Any) -> Holes:  # noqa: ANN401
    kind = data.schema.kind
    if kind == "table":
        return TableHoles(model, data.schema, len(data))
    if kind == "image" and isinstance(block, list):
        return PictureHoles(model, data.schema, len(data))
    if kind in ("array", "image"):
        return NumberHoles(model, data.schema, len(data))
    raise sentences.no_inpainting(kind)


# ------------------------------------------------------------------ masks


def _mask_array(mask: Any, kind: str) -> Bools:  # noqa: ANN401
    """Return a mask as a boolean array; a picture file is one mask, and its colours and opacity make one mark a pixel."""
    if isinstance(mask, str | os.PathLike):
        data = isthmus_data.open(mask)
        if data.schema.kind == "table":
            return _mask_table(mask, [column.name for column in data.schema.columns])
        block = data.take(np.arange(len(data)))
        if data.schema.kind == "text" or isinstance(block, list):
            raise sentences.mask_kind(data.schema.kind, "an array or an image of the records' shape")
        # Of an array file every side counts; a file or folder of pictures has one mask a picture, channels folded.
        found = _opaque_marks(block) if data.schema.container == "files" and data.names is not None else block != 0
        return found[0] if len(found) == 1 else found
    array = np.asarray(mask.detach().cpu() if hasattr(mask, "detach") else mask)
    return np.asarray(np.isnan(array) | (array != 0) if array.dtype.kind == "f" else array != 0)


def _mask_list(mask: Any) -> list[Bools]:  # noqa: ANN401
    """Return one mask for each picture, from a list of arrays or a folder of pictures."""
    if isinstance(mask, str | os.PathLike):
        data = isthmus_data.open(mask, sizes="group")
        block = data.take(np.arange(len(data)))
        return [_opaque_marks(np.asarray(picture)[None])[0] for picture in block]
    return [np.asarray(one) != 0 for one in mask]


def _opaque_marks(pictures: NDArray[Any]) -> Bools:
    """Return where pictures (n, h, w[, c]) are neither black nor transparent, shape (n, h, w)."""
    if pictures.ndim == 3:
        return np.asarray(pictures != 0)
    colours = pictures[..., :-1] if pictures.shape[-1] in (2, 4) else pictures
    marks = (colours != 0).any(axis=-1)
    return np.asarray(marks & (pictures[..., -1] != 0) if pictures.shape[-1] in (2, 4) else marks)


def _mask_table(mask: Any, names: Sequence[str]) -> Bools:  # noqa: ANN401
    """Return marks of cells, columns found by name where the mask has names."""
    if isinstance(mask, np.ndarray | list | tuple):
        return np.asarray(mask) != 0
    data = isthmus_data.open(mask)
    if data.schema.kind == "array":
        return np.asarray(data.take(np.arange(len(data))) != 0)
    if data.schema.kind != "table":
        raise sentences.mask_kind(data.schema.kind, "a table, or an array (rows, columns), of zeros and ones")
    known = {column.name for column in data.schema.columns}
    missing = [name for name in names if name not in known]
    if missing:
        raise sentences.mask_columns(missing)
    table = data.select(list(names)).take(np.arange(len(data)))
    return np.stack([_nonzero(column) for column in table.columns], axis=1)


def _nonzero(column: pa.ChunkedArray) -> Bools:
    return np.array([value is not None and value not in (0, False, "", "0") for value in column.to_pylist()], bool)


# ------------------------------------------------------------------ first values of numbers


def _mean_record(model: Any, block: NDArray[Any]) -> NDArray[Any]:  # noqa: ANN401
    """Return the mean of the data that a model was fitted on, as one record; of pictures of any size one per channel."""
    preprocessor = model.preprocessor_
    return _decoded(preprocessor, preprocessor.mean_, block)


def _blank_record(model: Any, block: NDArray[Any]) -> NDArray[Any]:  # noqa: ANN401
    """Return what the network sees as zeros, as one record."""
    preprocessor = model.preprocessor_
    return _decoded(preprocessor, preprocessor.shift_, block)


def _decoded(preprocessor: Any, encoded: NDArray[Any], block: NDArray[Any]) -> NDArray[Any]:  # noqa: ANN401
    """Return an encoded record, perhaps one value for many, in the units of the data and the shape of a block's records."""
    if block.ndim == 2:
        shape: tuple[int, ...] = block.shape[1:]
    else:
        shape = (block.shape[3] if block.ndim == 4 else 1, *block.shape[1:3])
    whole = np.broadcast_to(np.asarray(encoded, np.float32), shape)
    if None in preprocessor.shape_:
        return np.asarray(preprocessor.decode([whole])[0])
    return np.asarray(preprocessor.decode(whole[None])[0])


def _from_neighbours(block: NDArray[Any], marked: Bools, mean: NDArray[Any]) -> NDArray[Any]:
    """Fill holes of pictures (n, h, w[, c]) smoothly from the known pixels around; from the mean where there are none.

    Known pixels are averaged over squares of 2, 4, 8, ... a side until no square is empty; each hole then takes the
    value of the smallest square around it that knew anything.
    """
    pictures = block[..., None] if block.ndim == 3 else block
    known = ~(marked[..., None] if marked.ndim == 3 else marked)
    values, weights = np.where(known, pictures, 0).astype(np.float64), known.astype(np.float64)
    filled = _push_pull(values, weights, np.broadcast_to(mean.reshape(pictures.shape[1:]), pictures.shape))
    return np.where(marked, _as_type(filled.reshape(block.shape), block.dtype), block)


def _push_pull(values: Float64, weights: Float64, fallback: NDArray[Any]) -> Float64:
    """Return the weighted values, (n, h, w, c), with those of weight 0 taken from a coarser level of the pyramid."""
    if weights.all():
        return values
    if max(weights.shape[1:3]) == 1:
        return np.where(weights > 0, values, fallback.mean(axis=(1, 2), keepdims=True))
    sums, counts = _halved(values * weights), _halved(weights)
    averages = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    coarse = _push_pull(averages, np.minimum(counts, 1.0), fallback)
    wide = coarse.repeat(2, axis=1).repeat(2, axis=2)[:, : values.shape[1], : values.shape[2]]
    return np.where(weights > 0, values, wide)


def _halved(x: Float64) -> Float64:
    """Return the sums over squares of two by two; an odd side is padded with zeros."""
    n, height, width, channels = x.shape
    x = np.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    return np.asarray(x.reshape(n, (height + 1) // 2, 2, (width + 1) // 2, 2, channels).sum(axis=(2, 4)))


def _as_type(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers in a type, rounded and clipped to it where it holds whole numbers."""
    if dtype == bool:
        return np.asarray(values >= 0.5)
    if dtype.kind in "iu" and values.dtype != dtype:
        info = np.iinfo(dtype)
        return np.clip(np.rint(values), info.min, info.max).astype(dtype)
    return values.astype(dtype, copy=False)


# ------------------------------------------------------------------ cells of tables


def _mean_row(model: Any, block: pa.Table) -> Any:  # noqa: ANN401
    """Return the reconstruction of an empty row: what a model takes for usual where it knows nothing."""
    import pyarrow as pa

    return model.reconstruct(pa.table({f.name: pa.nulls(1, f.type) for f in block.schema}, schema=block.schema))


def _usual_value(column: pa.ChunkedArray, marked: Bools) -> Any:  # noqa: ANN401
    """Return the mean of a column's known numbers or its most frequent known value; None if nothing is known."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = column.filter(pa.array(~marked)).drop_null()
    if len(known) == 0:
        return None
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        mean = pc.mean(known).as_py()
        return round(mean) if pa.types.is_integer(column.type) else mean
    if pa.types.is_temporal(column.type):
        return pc.quantile(known.cast(_stored_as(column.type)), 0.5, interpolation="lower").cast(
            _stored_as(column.type)
        ).cast(column.type)[0].as_py()
    if pa.types.is_dictionary(column.type):
        known = known.cast(column.type.value_type)
    counts = known.value_counts()
    return counts[int(np.argmax(counts.field("counts")))]["values"].as_py()


def _stored_as(kind: pa.DataType) -> pa.DataType:
    """Return the integer type that a date or a time is stored in."""
    import pyarrow as pa

    return pa.int32() if kind.bit_width == 32 else pa.int64()


def _put(column: pa.ChunkedArray, marked: Bools, values: Sequence[Any]) -> pa.ChunkedArray:
    """Return a column with other values in its marked cells, in its own type; the rest is not touched."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not marked.any():
        return column
    chosen = pa.array([value if one else None for one, value in zip(marked, values, strict=True)])
    if pa.types.is_dictionary(column.type):
        plain = column.cast(column.type.value_type)
        mixed = pc.if_else(pa.array(marked), chosen.cast(column.type.value_type), plain.combine_chunks())
        return pa.chunked_array([mixed.dictionary_encode()]).cast(column.type)
    mixed = pc.if_else(pa.array(marked), chosen.cast(column.type, safe=False), column.combine_chunks())
    return pa.chunked_array([mixed], column.type)


def _table_like(block: pa.Table, columns: Sequence[pa.ChunkedArray]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_arrays(list(columns), schema=block.schema)


def _differences(x: pa.ChunkedArray, r: pa.ChunkedArray, ordered: bool) -> Float64:
    """Return for each row how far two columns are apart: squared, in variances, for numbers and dates; else 0 or 1."""
    if not ordered:
        return np.array([float(a != b) for a, b in zip(x.to_pylist(), r.to_pylist(), strict=True)])
    a, b = _numbers(x), _numbers(r)
    spread = float(np.nanvar(a)) if np.isfinite(a).any() else 0.0
    off = np.square(a - b) / (spread or 1.0)
    return np.where(np.isnan(a) | np.isnan(b), (np.isnan(a) != np.isnan(b)).astype(float), off)


def _numbers(column: pa.ChunkedArray) -> Float64:
    """Return a column of numbers or dates as floats, NaN where it is empty."""
    import pyarrow as pa

    if pa.types.is_temporal(column.type):
        column = column.cast(_stored_as(column.type))
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)
