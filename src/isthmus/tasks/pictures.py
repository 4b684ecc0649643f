"""Picture files restored into picture files, of any size, in a bounded amount of memory.

A picture is read, restored and written in tiles; where a format does not allow to read or to write a part of it (PNG,
JPEG, WebP), that side is held in memory, which is said, and refused beyond a limit, before the work begins.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.checks import pictures as checks
from isthmus.checks.restoring import mask_marks_nothing, mask_of_picture_wanted
from isthmus.data import tiled_writing
from isthmus.data.tiled_writing import Block, Layout
from isthmus.data.windows import Picture, Read
from isthmus.tasks.masks import painted
from isthmus.tasks.pixels import Pixels
from isthmus.tasks.tiling import Filled, Source, Tile

__all__ = ["MEMORY", "RestoredFile", "Restores", "restore_file"]

MEMORY = 2**30
BAND_BYTES = 16 * 2**20  # of what is looked at at a time while a picture is surveyed

Bools = NDArray[np.bool_]
Progress = Callable[[float, float, float], None]


class Restores(Protocol):
    """What restores pictures tile by tile, as :class:`isthmus.models.Restorer` does."""

    def tiles_of(
        self, source: Source, pixels: Pixels, *, known: Tensor | None = None, scale: int = 1, deblur: bool = False
    ) -> Iterator[tuple[Tile, NDArray[Any]]]:
        """Yield the tiles of the restored picture, row by row, in the picture's own numbers."""


@dataclass(frozen=True)
class RestoredFile:
    """What was made of a picture file.

    Parameters
    ----------
    source, output : Path
    shape : tuple of int
        Of the result: height, width and, of several, channels.
    dtype : str
        Of its numbers.
    megapixels : float
        Of the result.
    seconds : float
        For reading, restoring and writing.
    missing : int
        Pixels that were filled.
    by_windows : bool
        Whether neither the picture nor the result was ever in memory as a whole.
    notes : tuple of str
        Sentences on what differs from what one may expect.
    """

    source: Path
    output: Path
    shape: tuple[int, ...]
    dtype: str
    megapixels: float
    seconds: float
    missing: int
    by_windows: bool
    notes: tuple[str, ...]


def restore_file(
    restorer: Restores,
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    mask: str | os.PathLike[str] | Bools | None = None,
    only_missing: bool = False,
    scale: int = 1,
    deblur: bool = False,
    memory: int | None = None,
    progress: Progress | None = None,
    force: bool = False,
) -> RestoredFile:
    """Restore the first picture of a file into another file.

    Parameters
    ----------
    restorer : Restorer
    source : path
        An image, or an array (``.npy``) of shape (height, width[, channels]). Numbers that are missing (NaN, infinite)
        are filled.
    output : path
        The suffix says the format: :data:`isthmus.data.tiled_writing.FORMATS`. JPEG files are written with quality 95
        and all of the colours' pixels (4:4:4), WebP files without loss. The colour profile and the resolution are kept
        where the format has a place for them.
    mask : path or array of bool, shape (height, width), optional
        What is to be filled: not zero, or of a picture neither black nor transparent. All else comes back as it is.
    only_missing : bool, default=False
        Whether missing numbers are all that is filled, as with an empty mask.
    scale : {1, 2, 3, 4}, default=1
        How much to enlarge.
    deblur : bool, default=False
        Whether to remove blur.
    memory : int, optional
        Bytes that picture, mask and result may take together, 1 GiB by default; the network's own need, some hundreds
        of megabytes, comes on top of it.
    progress : callable, optional
        Is told, after each tile, the megapixels that are restored, those of the result, and the seconds since the
        first.
    force : bool, default=False
        Whether an existing output may be replaced.

    Returns
    -------
    RestoredFile

    Raises
    ------
    DataError, DataTypeError, ShapeError
        The file holds no picture or is damaged, the mask does not fit it, or nothing of it is known.
    ParameterError
        The output's format does not hold the picture, a picture is to be filled and enlarged at once, or there is
        nothing to fill.
    OutOfMemoryError
        A side that cannot be read or written by windows takes more than `memory`; the sentence says how much.
    OutputExistsError
        The output exists and `force` is off.

    Notes
    -----
    Transparency is not restored: it comes back as it is, or enlarged by bicubic interpolation.
    """
    started = time.perf_counter()
    filling, most = only_missing or mask is not None, MEMORY if memory is None else memory
    if filling and scale != 1:
        raise checks.filled_and_enlarged()
    output = Path(output)
    picture = Picture(Path(source), kept=most // 8)
    layout = Layout.of(picture, scale)
    tiled_writing.check(output, layout, force=force)
    _check_memory(picture, layout, output, most, masked=filling)
    marked = None if mask is None else _marked(mask, picture)
    with picture.opened() as read:
        work = _Work(picture, read, marked, filling)
        blocks = work.blocks(restorer, layout, scale, deblur)
        tiled_writing.write(output, layout, _metered(blocks, layout, progress), force=force)
    return RestoredFile(
        source=picture.path,
        output=output,
        shape=layout.shape,
        dtype=layout.dtype.name,
        megapixels=layout.shape[0] * layout.shape[1] / 1e6,
        seconds=time.perf_counter() - started,
        missing=work.missing,
        by_windows=picture.by_windows and tiled_writing.is_streamed(output),
        notes=(*picture.notes, *work.notes),
    )


def _check_memory(picture: Picture, layout: Layout, output: Path, most: int, masked: bool) -> None:
    """Refuse what would take too much memory, before the work."""
    streamed = tiled_writing.is_streamed(output)
    decoded, written = (0 if picture.by_windows else picture.nbytes), (0 if streamed else layout.nbytes)
    # Decoders and encoders hold a second copy. Floats may be missing, which takes a mask of their own.
    marks = (picture.shape[0] * picture.shape[1]) * (masked + (layout.dtype.kind == "f"))
    needed = max(2 * decoded, decoded + written, 2 * written) + marks
    if needed > most:
        whole = [("decoded", decoded), ("written", written)]
        raise checks.beyond_memory(picture.path.name, needed, most, [how for how, size in whole if size])


def _marked(mask: str | os.PathLike[str] | Bools, picture: Picture) -> Bools:
    """Return what a mask marks, shape (height, width)."""
    if isinstance(mask, str | os.PathLike):
        drawn = Picture(Path(mask))
        with drawn.opened() as read:
            values = read(0, 0, *drawn.shape[:2])
    else:
        values = np.asarray(mask)
    if values.shape[:2] != picture.shape[:2]:
        raise checks.mask_of_another_size(values.shape, picture.shape)
    return painted(values[None])[0]


def _metered(blocks: Iterable[Block], layout: Layout, progress: Progress | None) -> Iterator[Block]:
    """Yield the parts of a result, and tell how far it is."""
    started, done = time.perf_counter(), 0.0
    for block in blocks:
        done += block.values.shape[0] * block.values.shape[1] / 1e6
        if progress is not None:
            progress(done, layout.shape[0] * layout.shape[1] / 1e6, time.perf_counter() - started)
        yield block


@dataclass(frozen=True)
class _Unit:
    """A picture file on the scale of a restorer.

    Parameters
    ----------
    shape : tuple of int
        Height, width and channels.
    pixels : Pixels
    windows : callable
        Reads of the file.
    """

    shape: tuple[int, int, int]
    pixels: Pixels
    windows: Read

    def read(self, top: int, left: int, height: int, width: int) -> Tensor:
        """Return a window: (channels, height, width), 0 for black and 1 for white."""
        return self.pixels.to_unit(self.windows(top, left, height, width))


class _Work:
    """A picture that is open, and what must be known of all of it before its first tile: its range, what is missing.

    Parameters
    ----------
    picture : Picture
    read : Read
        Of it.
    marked : ndarray of bool, shape (height, width), optional
        What a mask marks.
    filling : bool
        Whether all that is known comes back as it is.
    """

    def __init__(self, picture: Picture, read: Read, marked: Bools | None, filling: bool) -> None:
        header = picture.header
        self.name, self.windows, self.marked, self.filling = picture.path.name, read, marked, filling
        height, width, channels = (*picture.shape, 1)[:3]
        self.shape = height, width, channels
        self.seen = channels - (header.alpha and channels in (2, 4))
        self.dtype = np.dtype(header.dtype)
        self.holes = marked
        self.low, self.high, self.sums = np.inf, -np.inf, np.zeros(self.seen)
        if Pixels.range_tells(self.dtype, header.white) or filling:
            self._survey()
        self.missing = 0 if self.holes is None else int(np.count_nonzero(self.holes))
        if self.missing == height * width:
            raise checks.all_missing(self.name)
        if filling and not self.missing:
            raise mask_of_picture_wanted(self.name) if marked is None else mask_marks_nothing(self.name)
        alpha = self.seen < channels
        self.pixels = Pixels.of(self.dtype, channels, self.low, self.high, alpha=alpha, white=header.white)
        self.notes = self._notes(header.format)

    def blocks(self, restorer: Restores, layout: Layout, scale: int, deblur: bool) -> Iterator[Block]:
        """Yield the restored picture tile by tile."""
        source: Source = _Unit(self.shape, self.pixels, self.windows)
        known = None
        if self.missing and self.holes is not None:
            known = torch.from_numpy(~self.holes)[None]
            source = Filled(source, known, self._mean())
        given = known if self.filling else None
        for tile, found in restorer.tiles_of(source, self.pixels, known=given, scale=scale, deblur=deblur):
            values = found.reshape(tile.height, tile.width, self.shape[2])
            if scale == 1:
                values = self._kept(tile, values)
            yield Block(tile.top, tile.left, values.reshape(tile.height, tile.width, *layout.shape[2:]))

    def _survey(self) -> None:
        """Look at all numbers once: at the least and the greatest, at their sums, and at which are missing."""
        height, width, channels = self.shape
        rows = max(1, BAND_BYTES // (width * channels * self.dtype.itemsize))
        for top in range(0, height, rows):
            count = min(rows, height - top)
            band = self.windows(top, 0, count, width).reshape(count, width, channels)[..., : self.seen]
            finite = np.isfinite(band).all(axis=2) if self.dtype.kind == "f" else None
            if finite is not None and not finite.all():
                # A copy: the mask stays what a person gave.
                if self.holes is self.marked:
                    self.holes = np.zeros((height, width), np.bool_) if self.marked is None else self.marked.copy()
                self.holes[top : top + count] |= ~finite  # type: ignore[index]
            seen = band.reshape(-1, self.seen) if self.holes is None else band[~self.holes[top : top + count]]
            if len(seen):
                self.low, self.high = min(self.low, float(seen.min())), max(self.high, float(seen.max()))
                self.sums += seen.sum(axis=0, dtype=np.float64)

    def _mean(self) -> Tensor:
        """Return the mean of the known pixels on the scale of a restorer, shape (channels,)."""
        known = self.shape[0] * self.shape[1] - self.missing
        means = (self.sums / known - self.pixels.black) / (self.pixels.white - self.pixels.black)
        return torch.from_numpy(np.pad(means, (0, self.shape[2] - self.seen), constant_values=1.0).astype(np.float32))

    def _kept(self, tile: Tile, values: NDArray[Any]) -> NDArray[Any]:
        """Return a tile, (height, width, channels), with what is not to change as it was read."""
        if not self.filling and self.seen == self.shape[2]:
            return values
        read = self.windows(tile.top, tile.left, tile.height, tile.width).reshape(values.shape)
        changed = np.ones(values.shape, np.bool_)
        if self.filling:
            changed = ~np.isfinite(read) if self.dtype.kind == "f" else np.zeros(values.shape, np.bool_)
            if self.marked is not None:
                marked = self.marked[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
                changed |= marked[..., None]
        changed[..., self.seen :] = False
        return np.where(changed, values, read)

    def _notes(self, format: str) -> tuple[str, ...]:
        """Return sentences on what a person may not expect."""
        found = []
        if self.seen < self.shape[2] and format == "NumPy":
            found.append(checks.taken_as_transparency(self.name, self.shape[2]))
        if len(self.pixels.groups) > 1:
            found.append(checks.restored_one_by_one(self.name, self.seen))
        if self.holes is not self.marked and self.holes is not None:
            numbers = self.missing - (0 if self.marked is None else int(np.count_nonzero(self.marked)))
            found.append(checks.numbers_missing(self.name, numbers))
        return tuple(found)
