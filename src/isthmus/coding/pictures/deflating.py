"""How the pixels of a PNG file were compressed, found by trying: so that the file comes back byte for byte.

Most PNG files were made with zlib, at one of its levels and strategies. Where one of these gives the bytes that are
there, it is noted. Whether they come back then depends on the zlib of whoever writes the file again: its check says so.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from isthmus.coding.pictures.png import Png

__all__ = ["Deflation", "found_deflation"]

START = 1 << 17  # bytes of rows that all settings are tried on
LEVELS = ((1, 0), (2, 3, 4, 5), (6,), (9, 8, 7))  # of zlib, by what it notes of them in its head
STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_RLE, zlib.Z_HUFFMAN_ONLY, zlib.Z_FIXED)
MEMORIES = (8, 9)
WINDOWS = range(9, 16)  # log2 of bytes
HEAD, TAIL = 2, 4  # bytes before what is compressed, and of the check behind it


class Deflation(NamedTuple):
    """Settings of zlib, and the two bytes that stand before what it compressed."""

    head: bytes
    level: int
    strategy: int
    memory: int
    window: int

    def compressed(self, rows: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what zlib makes of rows: head, deflated bytes, check."""
        deflating = zlib.compressobj(self.level, zlib.DEFLATED, -self.window, self.memory, self.strategy)
        check = 1
        yield self.head
        for row in rows:
            check = zlib.adler32(row, check)
            yield deflating.compress(row)
        yield deflating.flush()
        yield check.to_bytes(TAIL, "big")


def found_deflation(png: Png) -> Deflation | None:
    """Return the settings with which zlib gives the compressed pixels of a file, None where none does."""
    length = png.header.height * (png.header.row + 1)
    start = b"".join(_first(_rows(png), START))
    given = b"".join(_first(png.compressed(), 2 * START))
    for settings in _candidates(given[:HEAD]):
        compressed = settings.compressed([start])
        if len(start) < length:
            found = next(compressed) + next(compressed)
            fits = given.startswith(found) and _all_equal(settings.compressed(_rows(png)), png.compressed())
        else:
            fits = b"".join(compressed) == given
        if fits:
            return settings
    return None


def _candidates(head: bytes) -> Iterator[Deflation]:
    """Yield settings that zlib may have had where it wrote such a head."""
    window = (head[0] >> 4) + 8
    for level, strategy, memory in product(LEVELS[head[1] >> 6], STRATEGIES, MEMORIES):
        for tried in sorted({window, 15} & set(WINDOWS)):  # libpng notes a smaller one than it uses
            yield Deflation(head, level, strategy, memory, tried)
    if head[1] >> 6 == 0:  # strategies without a search note the least
        for level, strategy, memory in product(range(2, 10), STRATEGIES[2:], MEMORIES):
            yield Deflation(head, level, strategy, memory, max(window, WINDOWS[0]))


def _rows(png: Png) -> Iterator[bytes]:
    """Yield filtered rows, some at once."""
    for rows in png.filtered():
        yield rows.tobytes()


def _first(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield pieces until they have so many bytes, of which no more are given."""
    for piece in pieces:
        yield piece[:size]
        size -= len(piece)
        if size <= 0:
            return


def _all_equal(first: Iterator[bytes], second: Iterator[bytes]) -> bool:
    """Tell whether two sequences of pieces are the same bytes, looking no further than to the first difference."""
    left = right = b""
    while True:
        while not left and (piece := next(first, None)) is not None:
            left = piece
        while not right and (piece := next(second, None)) is not None:
            right = piece
        both = min(len(left), len(right))
        if left[:both] != right[:both]:
            return False
        if not both:
            return left == right
        left, right = left[both:], right[both:]
