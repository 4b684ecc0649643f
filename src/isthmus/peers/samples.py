"""A file in the forms in which codecs take it: bytes, a table, an array, a picture."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.pictures.png import Png
from isthmus.coding.recognising import BYTES
from isthmus.coding.tables import NoTable, sniffed

if TYPE_CHECKING:
    import pyarrow as pa
    from PIL.Image import Image

__all__ = ["PIXELS", "Sample", "differs"]

PIXELS = "pixels"  # the form in which pictures of all depths are compared
MAGIC = b"PAR1"  # that a Parquet file begins with
START = 1 << 20  # bytes of a text in which its separator is looked for
DEEP = 16  # bits of a sample
GREY = 0  # the type of colour in the head of a PNG file
MODES = {"1": "L", "P": "RGB", "PA": "RGBA", "LA": "RGBA"}  # of pictures, to those that all formats take


@dataclass(frozen=True)
class Sample:
    """A file that codecs are tried on.

    Parameters
    ----------
    path : Path
        Its name.
    data : bytes
        What is in it.
    kind : {"bytes", "table", "array", "pixels"}, default="bytes"
        The form in which isthmus gives it back the same: bytes, where these come back.
    bound : float, optional
        How far a number of an array may be off.
    """

    path: Path
    data: bytes
    kind: str = BYTES
    bound: float | None = None

    def form(self, takes: str) -> Any:
        """Return it as "bytes", "table", "array", "picture" or "pixels"; ValueError where it cannot be read as that."""
        return self.data if takes == BYTES else getattr(self, takes)

    @cached_property
    def table(self) -> pa.Table:
        """The table that a Parquet file or a text holds, as pyarrow reads it."""
        from pyarrow import csv, parquet

        if self.data.startswith(MAGIC):
            return parquet.read_table(io.BytesIO(self.data), use_threads=False)
        found = sniffed(self.data[:START])
        separator = "," if isinstance(found, NoTable) or not found.separator else found.separator.decode("latin-1")
        how = {
            "read_options": csv.ReadOptions(use_threads=False),
            "parse_options": csv.ParseOptions(delimiter=separator),
        }
        return csv.read_csv(io.BytesIO(self.data), **how)

    @cached_property
    def array(self) -> NDArray[Any]:
        """The array in a ``.npy`` file."""
        return np.load(io.BytesIO(self.data), allow_pickle=False)

    @cached_property
    def pixels(self) -> bytes:
        """Head and samples of a PNG file, of any depth."""
        png = Png(io.BytesIO(self.data))
        return png.header.to_bytes() + b"".join(rows.tobytes() for rows in png.rows())

    @cached_property
    def image(self) -> Image:
        """The picture, as Pillow opens it."""
        from PIL import Image

        opened = Image.open(io.BytesIO(self.data))
        # Pillow makes 8 bits of deep colours without a word; what it then compresses is another picture.
        depth, colour = self.data[24:26] if opened.format == "PNG" else (8, GREY)
        if (depth == DEEP and colour != GREY) or getattr(opened, "n_frames", 1) > 1:
            raise ValueError("Pillow reads no colours of 16 bits, and one frame of several")
        opened.load()
        return opened

    @cached_property
    def picture(self) -> Image:
        """The picture in a mode that all formats take: grey, colour, or colour with alpha."""
        has_hidden = "transparency" in self.image.info
        mode = "RGBA" if has_hidden else MODES.get(self.image.mode, self.image.mode)
        return self.image if mode == self.image.mode else self.image.convert(mode)


def differs(one: Any, other: Any) -> bool:
    """Tell whether two forms of one kind hold other values; numbers are compared bit for bit, but NaN in tables."""
    if isinstance(one, bytes):
        return bool(one != other)
    if isinstance(one, np.ndarray):
        return one.dtype != other.dtype or one.shape != other.shape or one.tobytes() != other.tobytes()
    if hasattr(one, "schema"):
        return _tables_differ(one, other)
    return one.mode != other.mode or differs(np.asarray(one), np.asarray(other))


def _tables_differ(one: pa.Table, other: pa.Table) -> bool:
    if one.schema != other.schema or one.num_rows != other.num_rows:
        return True
    return any(not a.equals(b) and _columns_differ(a, b) for a, b in zip(one.columns, other.columns, strict=True))


def _columns_differ(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    """Compare columns that Arrow finds different, which they are for it where they hold NaN."""
    if "float" not in str(one.type) and "double" not in str(one.type):
        return True
    same_gaps = one.is_null().equals(other.is_null())
    return not (same_gaps and np.array_equal(one.to_numpy(), other.to_numpy(), equal_nan=True))
