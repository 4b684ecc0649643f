r"""Restoration: denoising and inpainting.

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

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import data as isthmus_data
from isthmus import networks, telling
from isthmus.capabilities import Reconstructs, Restores, has
from isthmus.checks import parameters as checks
from isthmus.checks import tasks as sentences
from isthmus.data import Data
from isthmus.data.arrow_schema import empty_table
from isthmus.data.tables import from_table
from isthmus.encoded import Encoded
from isthmus.preprocessing import Features, Preprocessor
from isthmus.tasks.masks import Marks, put, to_places

__all__ = ["STARTS", "begin", "denoise", "inpaint", "inpaint_blocks", "refine", "with_types_of", "without_nan"]

STARTS = ("auto", "mean", "neighbours", "blank")

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]


@telling.tells
def denoise(model: Any, X: Any) -> Any:
    """Return records with the noise removed: their reconstructions.

    Any model with a code narrower than its records does it; a ``DenoisingAutoencoder`` does it best. Of texts a model
    gives the likeliest one of which the given text is a copy with some characters replaced.

    Parameters
    ----------
    model : fitted model
        With the method ``reconstruct``; or an :class:`isthmus.Restorer`, which takes pictures of any size.
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
    if has(model, Restores):
        return model.denoise(X)
    sentences.can("denoise", model, Reconstructs)
    telling.gives_back()
    _warn_of_harm(model)
    return model.denoise(X) if hasattr(model, "denoise") else model.reconstruct(X)


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
        With the method ``reconstruct``, and its preprocessor; or an :class:`isthmus.Restorer`, which takes pictures of
        any size, and neither ``iterations`` nor ``start``.
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
    if has(model, Restores):
        checks.not_together("inpaint", "iterations", iterations, "model", type(model).__name__, plain=10)
        checks.not_together("inpaint", "start", start, "model", type(model).__name__, plain="auto")
        return model.inpaint(X, mask)
    given, (X, mask) = X, without_nan(X) if mask is None else (X, mask)
    opened = isthmus_data.open(X, schema=getattr(model, "schema_", None))
    data = telling.belongs(with_types_of(model, opened), given)
    (block,) = inpaint_blocks(model, data, mask, rows=len(data), iterations=iterations, start=start)
    return isthmus_data.restore(block, data.schema, data.side_columns)


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
    telling.belongs(data, given)
    marks, blocks = Marks(mask, data), data.chunks(max(1, rows))
    chosen = None if start == "auto" else (start,)

    def fill(first: int, block: Any) -> Any:
        marked = marks.of(first, block)
        begun, holes = begin(model, data, first, block, marked)
        return put(block, refine(model, begun, holes, iterations=iterations, starts=chosen).block(), marked)

    return telling.each(model, given, (fill(first, block) for first, block in blocks))


def begin(model: Any, data: Data, first: int, block: Any, marked: Any) -> tuple[Encoded, Any]:
    """Return a block encoded, with the mean in its marked cells, and which encoded numbers these cells became.

    Parameters
    ----------
    model : fitted model
    data : Data
        Where the block is from: its known cells that are unlike those of the fit are counted.
    first : int
        Number of the block's first record there.
    block : block of records
    marked : marks
    """
    pre = model.preprocessor_
    filled = model.opened(put(block, _means(pre, block), marked))
    encoded = telling.encode(pre, data, first, filled.chunk(0, len(filled)))
    return Encoded(encoded, pre, filled), to_places(marked, pre)


def _means(preprocessor: Preprocessor, block: Any) -> Any:
    """Return as many records as a block has, and of the same sizes, each of which is the mean record."""
    mean, shape = preprocessor.mean_record.astype(np.float32), preprocessor.shape_
    if isinstance(block, list):
        return preprocessor.decode([np.broadcast_to(mean, (len(mean), *picture.shape[:2])) for picture in block])
    one = preprocessor.decode(np.broadcast_to(mean, tuple(side or 1 for side in shape))[np.newaxis])
    if isinstance(one, np.ndarray):
        return np.broadcast_to(one, (len(block), *one.shape[1:]))
    return one.take(np.zeros(len(block), np.int64))


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


# ------------------------------------------------------------------ rounds between code and record


def refine(
    model: Any, records: Encoded, holes: Any, *, iterations: int = 10, starts: Sequence[str] | None = None
) -> Encoded:
    """Fill holes of encoded records; keep for each record the fill that agrees best with what is known of it.

    Parameters
    ----------
    model : fitted model
    records : Encoded
        What stands in the holes is not looked at.
    holes : ndarray of bool, shape (n, *shape), or list of such arrays
        Which encoded numbers are to be filled; all or none of a column.
    iterations : int, default=10
        Rounds.
    starts : sequence of str, optional
        What fills the holes at first, one after the other; by default what serves the model and the kind of records.

    Returns
    -------
    Encoded
        Snapped in the holes, and untouched elsewhere.
    """
    starts = default_starts(model, records) if starts is None else starts
    if records.varies:
        alone = (Encoded(record[np.newaxis], records.preprocessor) for record in records.values)
        pairs = zip(alone, holes, strict=True)
        parts = [_refine(model, one, hole[np.newaxis], iterations, starts) for one, hole in pairs]
        return records.replaced([part.values[0] for part in parts])
    return _refine(model, records, holes, iterations, starts)


def _refine(model: Any, records: Encoded, holes: Bools, iterations: int, starts: Sequence[str]) -> Encoded:
    features = Features.of(records.preprocessor) if records.preprocessor.fields_ else None
    best, lowest = records, np.full(len(records), np.inf)
    for start in starts:
        filled = begun = records.put(holes, first_values(records, holes, start))
        for _ in range(iterations):
            back = model.reconstructed(filled).snapped()
            # Where a reconstruction says that a cell is empty, it says nothing of its value.
            says = np.True_ if features is None else features.is_observed(back.array)
            distance = _distance(begun, back, says & ~holes)
            filled = filled.put(says & holes, back)
            better = distance < lowest
            best, lowest = best.put(_to_records(better, holes), filled), np.where(better, distance, lowest)
    return best


def default_starts(model: Any, records: Encoded) -> tuple[str, ...]:
    """Return the first fills to try: blanks for a model trained to fill them, else all kinds of start."""
    preprocessor = records.preprocessor
    if preprocessor.kind == "table":
        return ("mean",)
    if getattr(model, "corruption", None) in networks.BLANKING:
        return ("blank",)
    return ("mean", "neighbours", "blank") if preprocessor.kind == "image" else ("mean", "blank")


def first_values(records: Encoded, holes: Bools, start: str) -> Encoded:
    """Return records of first values, as many and of the same size: see ``start`` of :func:`inpaint`."""
    pre, shape = records.preprocessor, records.array.shape
    mean = np.broadcast_to(pre.mean_record, shape)
    if start == "neighbours" and pre.kind == "image":
        mean = _from_neighbours(records.array, holes, mean)
    elif start == "blank" and pre.kind != "table":
        mean = np.broadcast_to(pre.shift_, shape)
    return records.replaced(mean.astype(np.float32)).snapped()


def _distance(one: Encoded, other: Encoded, known: Bools) -> Float64:
    """Return how far records are apart in some places, (n,): squares as the network sees them, 1 a category."""
    pre = one.preprocessor
    off = np.square((one.array.astype(np.float64) - other.array) * pre.factor_)
    codes = [field.index for field in pre.fields_ if field.kind == "category"]
    off[:, codes] = one.array[:, codes] != other.array[:, codes]
    return np.asarray((off * known).reshape(len(off), -1).sum(axis=1))


def _to_records(which: Bools, holes: Bools) -> Bools:
    """Return what holds for records as what holds for each of their numbers: (n,) -> (n, ...)."""
    return np.broadcast_to(which.reshape(-1, *[1] * (holes.ndim - 1)), holes.shape)


def _from_neighbours(pictures: NDArray[Any], holes: Bools, mean: NDArray[Any]) -> Float64:
    """Return pictures (n, c, h, w) whose holes continue the known pixels around; the mean where none are known.

    Known pixels are averaged over squares of 2, 4, 8, ... a side; each hole takes the value of the smallest square
    around it in which something is known.
    """
    values = np.where(holes, 0, pictures).astype(np.float64)
    return _from_coarser(values, (~holes).astype(np.float64), mean)


def _from_coarser(values: Float64, weights: Float64, mean: NDArray[Any]) -> Float64:
    """Return values (n, c, h, w), those of weight 0 taken from averages over squares of two by two, and so on."""
    if weights.all():
        return values
    if max(weights.shape[2:]) == 1:
        return np.where(weights > 0, values, mean.mean(axis=(2, 3), keepdims=True))
    sums, counts = _halved(values * weights), _halved(weights)
    averages = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    coarse = _from_coarser(averages, np.minimum(counts, 1.0), mean)
    wide = coarse.repeat(2, axis=2).repeat(2, axis=3)[:, :, : values.shape[2], : values.shape[3]]
    return np.where(weights > 0, values, wide)


def _halved(x: Float64) -> Float64:
    """Return the sums over squares of two by two; an odd side is padded with zeros."""
    n, channels, height, width = x.shape
    x = np.pad(x, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)))
    return np.asarray(x.reshape(n, channels, (height + 1) // 2, 2, (width + 1) // 2, 2).sum(axis=(3, 5)))
