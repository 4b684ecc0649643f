"""Masks of cells to fill, and records with other values in marked cells.

Marks lie as the cells of a block do (:class:`isthmus.data.Data`): a boolean array of the block's shape, (b, columns) of
a table, a list of arrays for pictures whose sizes differ.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import data as isthmus_data
from isthmus.checks import tasks as sentences
from isthmus.data import Data
from isthmus.preprocessing import Preprocessor, TablePreprocessor

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Marks", "as_type", "painted", "put", "to_places"]

Bools = NDArray[np.bool_]


class Marks:
    """Which cells of some records are marked.

    Parameters
    ----------
    mask : object
        As :func:`isthmus.tasks.inpaint` takes it; None for the empty cells of a table.
    data : Data
        The records.

    Raises
    ------
    ShapeError
        The mask fits neither one record nor all of them.
    DataError
        The kind of records cannot have marked cells, or needs a mask.
    """

    def __init__(self, mask: Any, data: Data) -> None:
        self.source, schema = data.source, data.schema
        self.mask: Any = None
        if schema.kind == "table":
            if mask is not None:
                marked = _read_table_mask(mask, [column.name for column in schema.columns])
                self.mask = _broadcast(marked, (len(schema.columns),), len(data))
        elif schema.kind not in ("array", "image"):
            raise sentences.no_inpainting(schema.kind)
        elif mask is None:
            raise sentences.mask_wanted(data.source, schema.kind)
        elif schema.kind == "image" and None in schema.shape:
            self.mask = _read_masks(mask)
            if len(self.mask) != len(data):
                raise sentences.mask_count(len(self.mask), len(data))
        else:
            self.mask = _broadcast(_read_mask(mask), tuple(int(side or 0) for side in schema.shape), len(data))

    def of(self, first: int, block: Any) -> Any:
        """Return the marks of a block whose first record has a number."""
        if self.mask is None:
            return np.stack([column.is_null().to_numpy() for column in block.columns], axis=1)
        if not isinstance(block, list):
            return self.mask[first : first + len(block)]
        marked = []
        for index, picture in enumerate(block, first):
            if self.mask[index].shape not in (picture.shape[:2], picture.shape):
                raise sentences.mask_size(index, self.mask[index].shape, picture.shape)
            marked.append(_broadcast(self.mask[index], picture.shape, 1)[0])
        return marked


def to_places(marked: Any, preprocessor: Preprocessor) -> Any:
    """Return marks of cells as marks of the encoded numbers that the cells became."""
    if isinstance(marked, list):
        return [to_places(one[np.newaxis], preprocessor)[0] for one in marked]
    if preprocessor.kind == "image":
        return marked[:, np.newaxis] if marked.ndim == 3 else np.moveaxis(marked, -1, 1)
    if not isinstance(preprocessor, TablePreprocessor):
        return marked
    return np.repeat(marked, [place.stop - place.start for _, place in preprocessor.places()], axis=1)


def put(block: Any, values: Any, marked: Any) -> Any:
    """Return a block with other values in its marked cells, in the block's own types, and everything else untouched.

    Parameters
    ----------
    block, values : blocks of records
        As many records; of a table ``values`` has the columns of ``block``. An empty cell there is not put. Rows of
        numbers may be put into a table, and the other way round.
    marked : marks
    """
    if isinstance(block, list):
        return [put(x, v, m) for x, v, m in zip(block, values, marked, strict=True)]
    if isinstance(block, np.ndarray):
        rows = values if isinstance(values, np.ndarray) else np.stack([c.to_numpy() for c in values.columns], axis=1)
        return np.where(marked, as_type(rows, block.dtype), block)
    import pyarrow as pa

    if isinstance(values, np.ndarray):
        values = pa.table(dict(zip(block.column_names, np.ascontiguousarray(values.T), strict=True)))
    other = dict(zip(values.column_names, values.columns, strict=True))
    named = zip(block.column_names, block.columns, marked.T, strict=True)
    columns = [_put(column, other[name], here) for name, column, here in named]
    return pa.Table.from_arrays(columns, schema=block.schema)


def as_type(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers in a type, rounded and clipped to it where it holds whole numbers."""
    if dtype.kind == "b":
        return np.asarray(values >= 0.5)
    if dtype.kind in "iu" and values.dtype != dtype:
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
    return values.astype(dtype, copy=False)


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


# ------------------------------------------------------------------ how masks are read


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
    found = painted(block) if data.schema.kind == "image" and data.names is not None else np.asarray(block != 0)
    return found[0] if len(found) == 1 else found


def _read_masks(mask: Any) -> list[Bools]:
    """Return one mask for each picture, from a list of arrays and files or a folder of pictures."""
    if isinstance(mask, str | os.PathLike):
        data = isthmus_data.open(mask, sizes="group")
        return [painted(np.asarray(picture)[None])[0] for picture in data.chunk(0, len(data))]
    if getattr(mask, "ndim", None) == 2:  # one picture, and not a list of rows
        mask = [mask]
    return [_read_mask(one) for one in mask]


def painted(pictures: NDArray[Any]) -> Bools:
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
