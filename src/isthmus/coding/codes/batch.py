"""Some records as whole numbers: what a piece of a stream holds, and the bytes that its check is taken of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source, varint
from isthmus.coding.tables.packing import at_most, cells_of, lines

__all__ = ["LIMIT", "NAMES_LIMIT", "Batch", "Size"]

Values = NDArray[np.int64]
Size = tuple[int, int, int, int]  # height and width of a picture, and of its code

LIMIT = 1 << 22  # whole numbers in one batch that is read
NAMES_LIMIT = 1 << 26  # bytes of names
SIDE_LIMIT = 1 << 24


@dataclass(frozen=True, eq=False)
class Batch:
    """Whole numbers of some records.

    Parameters
    ----------
    values : sequence of ndarray of int64
        One array (n, units, height, width) of all records or, where sizes differ, one (1, units, height, width) each.
        Codes that are no maps are of height and width 1.
    names : sequence of str, optional
        Of the files that the records were in.
    sizes : sequence of (int, int, int, int), optional
        Of each record, where sizes differ.
    """

    values: Sequence[Values]
    names: Sequence[str] | None = None
    sizes: Sequence[Size] | None = None

    def __len__(self) -> int:
        """Return the number of records."""
        return sum(map(len, self.values))

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the arrays."""
        return [part.shape for part in self.values]

    def head(self) -> bytes:
        """Return all that is not numbers of codes, as bytes."""
        if self.sizes is None:
            _, _, height, width = self.values[0].shape
            found = varint(0) + varint(height) + varint(width)
        else:
            found = varint(1) + b"".join(varint(side) for size in self.sizes for side in size)
        if self.names is None:
            return found + varint(0)
        return found + varint(1) + lines([name.encode("utf-8", "surrogateescape") for name in self.names])

    def to_bytes(self) -> bytes:
        """Return all of it as bytes: the head behind its length, then numbers of 32 bits, lowest byte first."""
        head = self.head()
        return varint(len(head)) + head + b"".join(part.astype("<i4").tobytes() for part in self.values)

    @classmethod
    def of_head(cls, head: bytes, records: int, units: int, name: str) -> Self:
        """Return a batch whose numbers are zeros, of what :meth:`head` returned.

        Raises
        ------
        ArtifactError
            It is none, or of more numbers than a batch can have.
        """
        source = Source.of(head, name)
        if at_most(source, 1, "kinds of sizes"):
            sizes: list[Size] | None = [_read_size(source) for _ in range(records)]
            places = [(1, size[2], size[3]) for size in sizes or ()]
        else:
            sizes = None
            height, width = (at_most(source, SIDE_LIMIT, "numbers in a row") for _ in range(2))
            places = [(records, height, width)]
        count = sum(units * n * height * width for n, height, width in places)
        if not records or not 0 < count <= LIMIT or min(map(min, places)) < 1:
            raise source.damaged("a piece of it is of no size that it can have")
        names = None
        if at_most(source, 1, "kinds of names"):
            cells = cells_of(source.up_to(NAMES_LIMIT), records)
            if cells is None:
                raise source.damaged("the names of its records are none")
            names = [cell.decode("utf-8", "surrogateescape") for cell in cells]
        if source.up_to(1):
            raise source.damaged("more follows the last of its names")
        return cls([np.zeros((n, units, height, width), np.int64) for n, height, width in places], names, sizes)

    @classmethod
    def of_bytes(cls, data: bytes, records: int, units: int, name: str) -> Self:
        """Return what :meth:`to_bytes` was called of; errors are those of :meth:`of_head`."""
        source = Source.of(data, name)
        head = source.take(at_most(source, len(data), "bytes of a head"))
        found = cls.of_head(head, records, units, name)
        for part in found.values:
            part[...] = np.frombuffer(source.take(4 * part.size), "<i4").reshape(part.shape)
        if source.up_to(1):
            raise source.damaged("more follows the last of its numbers")
        return found


def _read_size(source: Source) -> Size:
    height, width, *of_code = (at_most(source, SIDE_LIMIT, "pixels in a row") for _ in range(4))
    return height, width, of_code[0], of_code[1]
