r"""Restoration: remove noise, and fill what is missing.

Denoising is one crossing of the code: what does not fit through it, noise above all, is left behind (Vincent et al.,
ICML 2008).

Inpainting alternates between the code and the record. With m = 1 on missing cells and r(x) = g(f(x)) the model's
reconstruction::

    x_0     = (1 - m) x + m fill
    x_{k+1} = (1 - m) x + m r(x_k)

the Markov chain of Rezende, Mohamed and Wierstra (ICML 2014, appendix F) without its noise. It runs from several fills,
as it may end in different places. Kept is, record by record, the x_{k+1} whose x_k was reconstructed best where the
truth is known: the smallest (1 - m) (r(x_k) - x)^2. So neither more rounds nor more fills make the agreement with the
known cells worse, and a record's result does not depend on the others.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import data as isthmus_data
from isthmus import networks, telling
from isthmus.capabilities import Reconstructs
from isthmus.checks import parameters as checks
from isthmus.checks import tasks as sentences
from isthmus.data import Data
from isthmus.data.arrow_schema import empty_table
from isthmus.data.tables import from_table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "STARTS",
    "Holes",
    "as_type",
    "denoise",
    "holes_for",
    "inpaint",
    "inpaint_blocks",
    "with_types_of",
    "without_nan",
]

STARTS = ("auto", "mean", "neighbours", "blank")

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]


@telling.tells
def denoise(model: Any, X: Any) -> Any:
    """Return records with the noise removed: their reconstructions.

    Any model with a code narrower than its records does it; a ``DenoisingAutoencoder`` does it best.

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
    sentences.can("denoise", model, Reconstructs)
    telling.gives_back()
    _warn_of_harm(model)
    return model.reconstruct(X)


def _warn_of_harm(model: Any) -> None:
    """Tell where a model's fit found that it restores records worse than they were."""
    found = getattr(model, "provenance_", {}).get("restoring")
    if found and (sentence := sentences.worse_than_nothing(found)):
        telling.note(sentence)


@telling.tells
def inpaint(model: Any, X: Any, mask: Any = None, *, iterations: int = 10, start: str = "auto") -> Any:
    """Fill marked cells of records; unmarked ones come back exactly as they were.

    Parameters
    ----------
    model : fitted model
        With the method ``reconstruct``, and its preprocessor.
    X : array, data frame, path, or Data
        Records with holes, of the shape that the model was fitted on. What stands in marked cells is not looked at.
    mask : array, data frame, path or list, optional
        What to fill: not zero where a value is missing. Of the shape of one record (the same cells of each), or of all
        records; for colour pictures the channels may be left out. A path is read as data are: an image file, ``.npy``,
        a table, a folder with one mask a picture. By default the empty cells of a table and the NaNs of an array.
    iterations : int, default=10
        Rounds between code and record.
    start : {"auto", "mean", "neighbours", "blank"}, default="auto"
        What fills the holes at first: the mean of the data that the model was fitted on; the known pixels around; or
        zero as the network sees it. "auto" takes "blank" for models that were trained to fill blanks, and for others
        tries all. Tables always start from mean numbers and one of the categories.

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
    given, (X, mask) = X, without_nan(X) if mask is None else (X, mask)
    opened = isthmus_data.open(X, schema=getattr(model, "schema_", None))
    data = telling.belongs(with_types_of(model, opened), given)
    (block,) = inpaint_blocks(model, data, mask, rows=len(data), iterations=iterations, start=start)
    return isthmus_data.restore(block, data.schema, data.beside)


def inpaint_blocks(
    model: Any, data: Data, mask: Any = None, *, rows: int, iterations: int = 10, start: str = "auto"
) -> Iterator[Any]:
    """Do what :func:`inpaint` does to data larger than memory, so many records at a time.

    Parameters
    ----------
    model : fitted model
    data : Data
        Records with holes.
    mask : array, data frame, path or list, optional
        What to fill.
    rows : int
        Records in a block.
    iterations : int, default=10
        Rounds between code and record.
    start : str, default="auto"
        What fills the holes at first.

    Returns
    -------
    iterator of blocks
        As :meth:`isthmus.data.Data.take` returns them. What cannot be used is refused before the first.
    """
    sentences.can("inpaint", model, Reconstructs)
    _warn_of_harm(model)
    checks.integer("inpaint", "iterations", iterations, low=1)
    checks.choice("inpaint", "start", start, STARTS)
    given, data = data, with_types_of(model, data)
    holes = holes_for(model, telling.belongs(data, given), mask, start)
    blocks = data.chunks(max(1, rows))
    return telling.each(model, given, (holes.refine(first, block, iterations) for first, block in blocks))


def with_types_of(model: Any, data: Data) -> Data:
    """Return a table whose columns without any value have the types that a model was fitted on: they are to be filled.

    Other data, and those of no fitted model, are returned as they are.
    """
    import pyarrow as pa

    schema = getattr(model, "schema_", None)
    if schema is None or schema.kind != "table" or data.schema.kind != "table":
        return data
    hollow = {column.name for column in data.schema.columns if column.dtype == "null"}
    types = {f.name: f.type for f in empty_table(schema).schema if f.name in hollow and str(f.type) != "null"}
    if not types:
        return data
    block = data.chunk(0, len(data))
    fields = [field.with_type(types.get(field.name, field.type)) for field in block.schema]
    table = block.cast(pa.schema(fields, metadata=block.schema.metadata))
    found = from_table(table, source=data.source, container=data.schema.container, notes=data.notes)
    return found if data.labels is None else found.labelled(data.labels)


def without_nan(X: Any) -> tuple[Any, Any]:
    """Return an array with zeros in the place of NaNs, and where they were; other data as they are, and None.

    What a masked array hides is missing too.
    """
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        missing = np.ma.getmaskarray(X) | (np.isnan(X.data) if X.dtype.kind == "f" else False)
        return np.where(missing, 0, X.data).astype(X.dtype), missing
    if isinstance(X, np.ndarray) and X.dtype.kind == "f" and np.isnan(X).any():
        missing = np.isnan(X)
        return np.where(missing, 0, X).astype(X.dtype), missing
    return X, None


# ------------------------------------------------------------------ holes, by kind of data


class Holes(ABC):
    """What filling holes means for one kind of data; blocks are those of :class:`isthmus.data.Data`.

    Parameters
    ----------
    model : fitted model
    data : Data
        The records with holes.
    mask : object
        As :func:`inpaint` takes it.
    start : str
        What fills the holes at first.
    """

    def __init__(self, model: Any, data: Data, mask: Any, start: str) -> None:
        self.model, self.data, self.schema, self.n = model, data, data.schema, len(data)
        self.starts = self._usual_starts() if start == "auto" else (start,)
        self.mask = self.read(mask, data)

    def _usual_starts(self) -> tuple[str, ...]:
        if getattr(self.model, "corruption", None) in networks.BLANKING:
            return ("blank",)
        return ("mean", "neighbours", "blank") if self.schema.kind == "image" else ("mean", "blank")

    @abstractmethod
    def read(self, mask: Any, data: Data) -> Any:
        """Return the marks of all records, once it is sure that they fit."""

    @abstractmethod
    def marks(self, first: int, block: Any) -> Any:
        """Return for every cell of a block, whose first record has that number, whether it is to be filled."""

    @abstractmethod
    def fill(self, block: Any, marked: Any, start: str) -> Any:
        """Return a block whose marked cells have a first value."""

    @abstractmethod
    def put(self, block: Any, values: Any, marked: Any) -> Any:
        """Return a block with other values in the marked cells and everything else untouched."""

    @abstractmethod
    def look(self, first: int, block: Any, marked: Any) -> Any:
        """Count what of the known cells of a block is unlike those of the fit; return the block, begun and encoded.

        Parameters
        ----------
        first : int
            Number of the block's first record.
        block : block of records
        marked : marks
            Which cells are not known.
        """

    @abstractmethod
    def refine(self, first: int, block: Any, iterations: int) -> Any:
        """Alternate between code and record; keep for each record the fill that agrees best with what is known.

        Parameters
        ----------
        first : int
            Number of the block's first record.
        block : block of records
        iterations : int
        """


class RecordHoles(Holes):
    """Arrays and pictures, which a model takes and gives back as they are."""

    def look(self, first: int, block: Any, marked: Any) -> Any:
        return telling.encode(self.model.preprocessor_, self.data, first, self.fill(block, marked, self.starts[0]))

    def refine(self, first: int, block: Any, iterations: int) -> Any:
        marked = self.marks(first, block)
        self.look(first, block, marked)
        best, lowest = block, np.full(len(block), np.inf)
        for start in self.starts:
            filled = begun = self.fill(block, marked, start)
            for _ in range(iterations):
                reconstruction = self.block(self.model.reconstruct(self.source(filled)))
                distance = self.distance(begun, reconstruction, marked)
                filled = self.put(filled, reconstruction, marked)
                better = distance < lowest
                best, lowest = self.choose(better, filled, best), np.where(better, distance, lowest)
        return best

    @abstractmethod
    def distance(self, start: Any, reconstruction: Any, marked: Any) -> Float64:
        """Return how far each record's reconstruction is from its known cells, shape (b,)."""

    @abstractmethod
    def choose(self, first: Bools, a: Any, b: Any) -> Any:
        """Return the records of one block where told so, else those of another."""

    @abstractmethod
    def block(self, records: Any) -> Any:
        """Return records as a model gives them back, as a block."""

    def source(self, block: Any) -> Any:
        """Return a block as something that a model takes."""
        return block


class NumberHoles(RecordHoles):
    """Arrays, and pictures of one size: marks are a boolean array of the block's shape."""

    def read(self, mask: Any, data: Data) -> Bools:
        if mask is None:
            raise sentences.mask_wanted(data.source, self.schema.kind)
        record = tuple(int(side or 0) for side in self.schema.shape)
        return _broadcast(_read_mask(mask), record, self.n)

    def marks(self, first: int, block: NDArray[Any]) -> Bools:
        return self.mask[first : first + len(block)]

    def fill(self, block: NDArray[Any], marked: Bools, start: str) -> NDArray[Any]:
        return _first_values(self.model, block, marked, start)

    def distance(self, start: NDArray[Any], reconstruction: NDArray[Any], marked: Bools) -> Float64:
        difference = np.where(marked, 0.0, reconstruction.astype(np.float64) - start)
        return np.asarray(np.square(difference).reshape(len(start), -1).sum(axis=1))

    def put(self, block: NDArray[Any], values: NDArray[Any], marked: Bools) -> NDArray[Any]:
        return np.where(marked, as_type(values, block.dtype), block)

    def choose(self, first: Bools, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.where(first.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    def block(self, records: Any) -> NDArray[Any]:
        if isinstance(records, list):
            return np.stack([np.asarray(record) for record in records])
        return np.asarray(records.detach().cpu() if hasattr(records, "detach") else records)


class PictureHoles(RecordHoles):
    """Pictures of several sizes, as lists: each is treated alone."""

    def read(self, mask: Any, data: Data) -> list[Bools]:
        if mask is None:
            raise sentences.mask_wanted(data.source, self.schema.kind)
        masks = _read_masks(mask)
        if len(masks) != self.n:
            raise sentences.mask_count(len(masks), self.n)
        return masks

    def marks(self, first: int, block: list[NDArray[Any]]) -> list[Bools]:
        found = []
        for index, picture in enumerate(block, first):
            if self.mask[index].shape not in (picture.shape[:2], picture.shape):
                raise sentences.mask_size(index, self.mask[index].shape, picture.shape)
            found.append(_broadcast(self.mask[index], picture.shape, 1)[0])
        return found

    def fill(self, block: list[NDArray[Any]], marked: list[Bools], start: str) -> list[NDArray[Any]]:
        pairs = zip(block, marked, strict=True)
        return [_first_values(self.model, x[None], m[None], start)[0] for x, m in pairs]

    def distance(self, start: list[NDArray[Any]], reconstruction: list[NDArray[Any]], marked: list[Bools]) -> Float64:
        triples = zip(start, reconstruction, marked, strict=True)
        return np.array([np.square(r.astype(np.float64) - x)[~m].sum() for x, r, m in triples])

    def put(self, block: list[NDArray[Any]], values: list[NDArray[Any]], marked: list[Bools]) -> list[NDArray[Any]]:
        triples = zip(block, values, marked, strict=True)
        return [np.where(m, as_type(v, x.dtype), x) for x, v, m in triples]

    def choose(self, first: Bools, a: list[NDArray[Any]], b: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return [x if one else y for one, x, y in zip(first, a, b, strict=True)]

    def block(self, records: Any) -> list[NDArray[Any]]:
        return [np.asarray(record) for record in records]

    def source(self, block: list[NDArray[Any]]) -> Data:
        return isthmus_data.open(block, sizes="group")


class TableHoles(Holes):
    """Tables: marks are a boolean array (b, columns)."""

    def read(self, mask: Any, data: Data) -> Bools | None:
        if mask is None:
            return None
        found = _read_table_mask(mask, [column.name for column in self.schema.columns])
        return _broadcast(found, (len(self.schema.columns),), self.n)

    def marks(self, first: int, block: pa.Table) -> Bools:
        if self.mask is not None:
            return self.mask[first : first + block.num_rows]
        return np.stack([column.is_null().to_numpy() for column in block.columns], axis=1)

    def _usual_starts(self) -> tuple[str, ...]:
        return ("mean",)

    def refine(self, first: int, block: pa.Table, iterations: int) -> pa.Table:
        """Do it to encoded rows: to read and write a table each time takes longer than all else."""
        preprocessor, marked = self.model.preprocessor_, self.marks(first, block)
        filled = begun = self.look(first, block, marked)
        rows = self._begun(block, marked)
        is_hole = self._of_fields(marked, block.column_names)
        is_code = np.array([field.kind == "category" for field in preprocessor.fields_])
        best, lowest = begun, np.full(len(block), np.inf)
        for _ in range(iterations):
            values = preprocessor.decode(self.model.reconstruct_encoded(filled), rows)
            known = np.stack([column.is_valid().to_numpy() for column in values.columns], axis=1)
            is_known, reconstruction = self._of_fields(known, values.column_names), preprocessor.encode(values)
            off = np.where(is_code, begun != reconstruction, np.square((begun - reconstruction) * preprocessor.factor_))
            distance = (off * (is_known & ~is_hole)).sum(axis=1)
            filled = np.where(is_known & is_hole, reconstruction, filled)
            better = distance < lowest
            best, lowest = np.where(better[:, None], filled, best), np.where(better, distance, lowest)
        return self.put(block, preprocessor.decode(best, rows), marked)

    def look(self, first: int, block: pa.Table, marked: Bools) -> Any:
        return telling.encode(self.model.preprocessor_, self.data, first, self._begun(block, marked))

    def _begun(self, block: pa.Table, marked: Bools) -> pa.Table:
        """Return a block with first values, as the model takes it."""
        filled = isthmus_data.open(self.fill(block, marked, "mean"))
        data = isthmus_data.conform(filled, self.model.schema_, type(self.model).__name__)
        return data.chunk(0, len(data))

    def _of_fields(self, cells: Bools, names: Sequence[str]) -> Bools:
        """Return for the encoded numbers what holds for the cells of columns: (b, columns) -> (b, fields)."""
        places = {column.name: place for column, place in self.model.preprocessor_.places()}
        spans = [np.arange(places[name].start, places[name].stop) for name in names]
        found = np.zeros((len(cells), len(self.model.preprocessor_.fields_)), bool)
        found[:, np.concatenate(spans)] = np.repeat(cells, [len(span) for span in spans], axis=1)
        return found

    def fill(self, block: pa.Table, marked: Bools, start: str) -> pa.Table:
        row = _usual_row(self.model.preprocessor_)
        many = row.take(np.zeros(block.num_rows, dtype=np.int64))
        return self.put(block, self.block(many), marked)

    def put(self, block: pa.Table, values: pa.Table, marked: Bools) -> pa.Table:
        import pyarrow as pa

        other = dict(zip(values.column_names, values.columns, strict=True))
        named = zip(block.column_names, block.columns, marked.T, strict=True)
        columns = [_put(column, other[name], here) for name, column, here in named]
        return pa.Table.from_arrays(columns, schema=block.schema)

    def block(self, records: Any) -> pa.Table:
        data = isthmus_data.by_name(isthmus_data.open(records), self.schema)
        return data.chunk(0, len(data))


def holes_for(model: Any, data: Data, mask: Any, start: str = "auto") -> Holes:
    """Return what is to be filled of records, once it is sure that it can be."""
    kind = data.schema.kind
    if kind == "table":
        return TableHoles(model, data, mask, start)
    if kind == "image" and None in data.schema.shape:
        return PictureHoles(model, data, mask, start)
    if kind in ("array", "image"):
        return NumberHoles(model, data, mask, start)
    raise sentences.no_inpainting(kind)


# ------------------------------------------------------------------ masks


def _broadcast(found: Bools, record: tuple[int, ...], n: int) -> Bools:
    """Return the marks of n records from those of one record or of all, with or without the channels of pictures."""
    shapes = [record, (n, *record)]
    if len(record) == 3:
        shapes += [record[:2], (n, *record[:2])]
    if found.shape not in shapes:
        raise sentences.mask_shape(found.shape, record, n)
    if len(record) == 3 and shapes.index(found.shape) >= 2:
        found = found[..., None]
    return np.broadcast_to(found, (n, *record))


def _read_mask(mask: Any) -> Bools:
    """Return a mask as a boolean array; one picture file is one mask."""
    if not isinstance(mask, str | os.PathLike | Data):
        array = np.asarray(mask.detach().cpu() if hasattr(mask, "detach") else mask)
        return np.asarray(array != 0)
    data = isthmus_data.open(mask)
    if data.schema.kind not in ("array", "image"):
        raise sentences.mask_kind(data.schema.kind)
    block = data.chunk(0, len(data))
    if isinstance(block, list):
        raise sentences.mask_kind("images of several sizes")
    found = _painted(block) if data.schema.kind == "image" and data.names is not None else np.asarray(block != 0)
    return found[0] if len(found) == 1 else found


def _read_masks(mask: Any) -> list[Bools]:
    """Return one mask for each picture, from a list of arrays or a folder of pictures."""
    if isinstance(mask, str | os.PathLike):
        data = isthmus_data.open(mask, sizes="group")
        return [_painted(np.asarray(picture)[None])[0] for picture in data.chunk(0, len(data))]
    return [np.asarray(one) != 0 for one in mask]


def _painted(pictures: NDArray[Any]) -> Bools:
    """Return where pictures (n, h, w[, c]) are neither black nor transparent, shape (n, h, w)."""
    if pictures.ndim == 3:
        return np.asarray(pictures != 0)
    if pictures.shape[-1] in (2, 4):
        return np.asarray((pictures[..., :-1] != 0).any(axis=-1) & (pictures[..., -1] != 0))
    return np.asarray((pictures != 0).any(axis=-1))


def _read_table_mask(mask: Any, names: Sequence[str]) -> Bools:
    """Return marks of cells; columns are found by name where the mask has names."""
    data = isthmus_data.open(np.atleast_2d(mask) if isinstance(mask, np.ndarray | list | tuple) else mask)
    if data.schema.kind == "array":
        found = np.asarray(data.chunk(0, len(data)) != 0)
        return found[0] if len(found) == 1 else found
    if data.schema.kind != "table":
        raise sentences.mask_kind(data.schema.kind)
    table = data.select(list(names)).chunk(0, len(data))
    # An empty cell is no mark.
    columns = [[value not in (None, 0, "", "0") for value in column.to_pylist()] for column in table.columns]
    return np.array(columns, dtype=bool).T


# ------------------------------------------------------------------ first values of numbers


def _first_values(model: Any, block: NDArray[Any], marked: Bools, start: str) -> NDArray[Any]:
    """Return a block of numbers (b, ...) whose marked cells have a first value."""
    preprocessor = model.preprocessor_
    mean = np.broadcast_to(preprocessor.summary_.mean, block.shape)
    if start == "neighbours" and block.ndim > 2:
        values = _from_neighbours(block, marked, mean)
    elif start == "blank":
        values = _blank(preprocessor, block)
    else:
        values = mean
    return np.where(marked, as_type(values, block.dtype), block)


def _blank(preprocessor: Any, block: NDArray[Any]) -> NDArray[Any]:
    """Return what the network sees as zeros, in the units of the data, as one record."""
    shape: tuple[int, ...] = block.shape[1:]
    if block.ndim > 2:
        shape = (block.shape[3] if block.ndim == 4 else 1, *block.shape[1:3])
    whole = np.ascontiguousarray(np.broadcast_to(preprocessor.shift_, shape))
    return np.asarray(preprocessor.decode([whole] if None in preprocessor.shape_ else whole[None])[0])


def _from_neighbours(block: NDArray[Any], marked: Bools, mean: NDArray[Any]) -> Float64:
    """Return pictures (n, h, w[, c]) whose holes continue the known pixels around; the mean where none are known.

    Known pixels are averaged over squares of 2, 4, 8, ... a side; each hole takes the value of the smallest square
    around it in which something is known.
    """
    shape = block.shape if block.ndim == 4 else (*block.shape, 1)
    known = ~marked.reshape(shape)
    values = np.where(known, block.reshape(shape), 0).astype(np.float64)
    return _from_coarser(values, known.astype(np.float64), mean.reshape(shape)).reshape(block.shape)


def _from_coarser(values: Float64, weights: Float64, mean: NDArray[Any]) -> Float64:
    """Return values (n, h, w, c), those of weight 0 taken from averages over squares of two by two, and so on."""
    if weights.all():
        return values
    if max(weights.shape[1:3]) == 1:
        return np.where(weights > 0, values, mean.mean(axis=(1, 2), keepdims=True))
    sums, counts = _halved(values * weights), _halved(weights)
    averages = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    coarse = _from_coarser(averages, np.minimum(counts, 1.0), mean)
    wide = coarse.repeat(2, axis=1).repeat(2, axis=2)[:, : values.shape[1], : values.shape[2]]
    return np.where(weights > 0, values, wide)


def _halved(x: Float64) -> Float64:
    """Return the sums over squares of two by two; an odd side is padded with zeros."""
    n, height, width, channels = x.shape
    x = np.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    return np.asarray(x.reshape(n, (height + 1) // 2, 2, (width + 1) // 2, 2, channels).sum(axis=(2, 4)))


def as_type(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers in a type, rounded and clipped to it where it holds whole numbers."""
    if dtype.kind == "b":
        return np.asarray(values >= 0.5)
    if dtype.kind in "iu" and values.dtype != dtype:
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
    return values.astype(dtype, copy=False)


# ------------------------------------------------------------------ cells of tables


def _usual_row(preprocessor: Any) -> pa.Table:
    """Return one row with the mean of each column of numbers and dates, and one of the categories of each other."""
    kinds = np.array([field.kind for field in preprocessor.fields_])
    encoded = np.zeros((1, len(kinds)), dtype=np.float32)
    encoded[0, kinds == "mask"] = 1
    # Quantiles are normal scores, whose mean is 0.
    encoded[0, kinds == "number"] = 0 if preprocessor.scaling_ == "quantile" else preprocessor.summary_.mean
    return preprocessor.decode(encoded)


def _put(column: pa.ChunkedArray, values: pa.ChunkedArray, marked: Bools) -> pa.ChunkedArray:
    """Return a column with other values in its marked cells, in its own type; a value that is missing is not put."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not marked.any():
        return column
    plain = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    old, new = _cast(column, plain), _cast(values, plain)
    chosen = pc.and_(pa.array(np.ascontiguousarray(marked)), new.is_valid())
    mixed = pc.if_else(chosen, new, old)
    if pa.types.is_dictionary(column.type):
        mixed = mixed.dictionary_encode().cast(column.type)
    return pa.chunked_array([mixed], column.type)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    """Return a column as one array of a type; fractions are rounded where it holds whole numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type) and pa.types.is_integer(kind):
        column = pc.round(column)
    return column.cast(kind, safe=False).combine_chunks()
