"""Numbers and cells as bytes: what the description of a table is written in, and texts.

A list of cells is written as lines, since a coder of bytes knows lines best: each cell is followed by a line feed, and
the few cells that hold one themselves are escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source, varint

__all__ = [
    "at_most",
    "cells_of",
    "lines",
    "packed",
    "read_packed",
    "read_rising",
    "read_signed",
    "read_string",
    "rising",
    "signed",
    "string",
]

END, ESCAPE = b"\n", b"\x1b"
ESCAPED_ESCAPE, ESCAPED_END = ESCAPE + b"1", ESCAPE + b"2"


def signed(value: int) -> bytes:
    """Return a number of 64 bits with its sign in the lowest bit: 0, -1, 1, -2, ... become 0, 1, 2, 3, ..."""
    return varint(2 * value if value >= 0 else -2 * value - 1)


def read_signed(source: Source) -> int:
    """Return what :func:`signed` wrote."""
    value = source.varint()
    return -(value + 1 >> 1) if value & 1 else value >> 1


def at_most(source: Source, limit: int, what: str) -> int:
    """Return a number that has a limit.

    Raises
    ------
    ArtifactError
        It is above the limit; ``what`` says of what it is the number.
    """
    value = source.varint()
    if value > limit:
        raise source.damaged(f"it would have {value:,} {what}")
    return value


def rising(values: NDArray[np.int64]) -> bytes:
    """Return numbers of 64 bits, each above the one before: the first, then the differences less one."""
    numbers = values.tolist()
    steps = (varint(after - before - 1) for before, after in pairwise(numbers))
    return signed(numbers[0]) + b"".join(steps)


def read_rising(source: Source, count: int) -> NDArray[np.int64]:
    """Return so many numbers, at least one, that :func:`rising` wrote."""
    numbers = [read_signed(source)]
    for _ in range(count - 1):
        numbers.append(numbers[-1] + source.varint() + 1)
    if numbers[-1] >= 1 << 63:
        raise source.damaged("a number of its columns has more than 64 bits")
    return np.array(numbers, np.int64)


def string(text: bytes) -> bytes:
    """Return a string behind its length."""
    return varint(len(text)) + text


def read_string(source: Source, limit: int) -> bytes:
    """Return what :func:`string` wrote, of at most so many bytes."""
    return source.take(at_most(source, limit, "bytes in a string"))


def lines(cells: Sequence[bytes]) -> bytes:
    """Return cells as lines, which :func:`cells_of` undoes."""
    joined = b"".join([END.join(cells), END]) if cells else b""
    if joined.count(END) == len(cells) and ESCAPE not in joined:
        return joined
    return b"".join([cell.replace(ESCAPE, ESCAPED_ESCAPE).replace(END, ESCAPED_END) + END for cell in cells])


def cells_of(joined: bytes, count: int) -> list[bytes] | None:
    """Return so many cells from their lines; None where these are not what :func:`lines` makes of so many."""
    if joined.count(END) != count or joined[-1:] != END * (count > 0):
        return None
    cells = joined.split(END)[:-1]
    if ESCAPE in joined:
        cells = [cell.replace(ESCAPED_END, END).replace(ESCAPED_ESCAPE, ESCAPE) for cell in cells]
        if lines(cells) != joined:
            return None
    return cells


def packed(cells: Sequence[bytes]) -> bytes:
    """Return cells as their number, the bytes of their lines, and these."""
    return varint(len(cells)) + string(lines(cells))


def read_packed(source: Source, limit: int, size: int) -> list[bytes]:
    """Return what :func:`packed` wrote, at most ``limit`` cells of at most ``size`` bytes in all."""
    count = at_most(source, limit, "cells in a list")
    cells = cells_of(read_string(source, size), count)
    if cells is None:
        raise source.damaged("a list of cells in it is none")
    return cells
