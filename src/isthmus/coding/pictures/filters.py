"""The filters of PNG (ISO/IEC 15948, section 9): each row less what is predicted from its left and from above.

Taking a filter back goes from left to right and from above, so it cannot be done for a whole row or column at once, but
it can along a diagonal: all pixels of one are known once the two diagonals before it are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "Rows", "filtered", "unfiltered"]

Rows = NDArray[np.uint8]

NONE, SUB, UP, AVERAGE, PAETH = range(5)
KINDS = 5


def filtered(rows: Rows, above: Rows, kinds: NDArray[np.uint8], pixel: int) -> Rows:
    """Return rows less their predictions.

    Parameters
    ----------
    rows : ndarray of uint8, shape (n, length)
    above : ndarray of uint8, shape (length,)
        The row before the first; of a picture's first row zeros.
    kinds : ndarray of uint8, shape (n,)
        Of the filter of each row: none, sub, up, average, Paeth.
    pixel : int
        Bytes of a pixel, at least 1.
    """
    predicted = np.zeros(rows.shape, np.int16)
    up = np.vstack([above, rows[:-1]]).astype(np.int16)
    for kind in np.unique(kinds).tolist():
        chosen = kinds == kind
        left, corner = (_to_the_right(part[chosen], pixel) for part in (rows.astype(np.int16), up))
        predicted[chosen] = _predicted(kind, left, up[chosen], corner)
    return (rows - predicted).astype(np.uint8)


def unfiltered(differences: Rows, above: Rows, kinds: NDArray[np.uint8], pixel: int) -> Rows:
    """Return the rows that :func:`filtered` was given."""
    count, length = differences.shape
    width = length // pixel
    given = _skewed(differences.reshape(count, width, pixel))
    found = np.zeros((width + count + 2, count + 1, pixel), np.int16)  # [x + y + 2, y + 1]; zeros left of the rows
    found[1 + np.arange(width), 0] = above.reshape(width, pixel)
    masks = {kind: (kinds == kind)[:, None] for kind in np.unique(kinds).tolist() if kind}
    for diagonal in range(width + count - 1):
        left, up = found[diagonal + 1, 1:], found[diagonal + 1, :-1]
        corner = found[diagonal, :-1]
        total = given[diagonal]
        for kind, mask in masks.items():
            total = total + _predicted(kind, left, up, corner) * mask
        inside = slice(max(0, diagonal - width + 1), min(count, diagonal + 1))
        found[diagonal + 2, 1:][inside] = total[inside] & 255
    return _straight(found[2:, 1:], width).astype(np.uint8).reshape(count, length)


def _predicted(
    kind: int, left: NDArray[np.int16], up: NDArray[np.int16], corner: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Return what a filter predicts."""
    if kind == PAETH:
        to_left, to_up, to_corner = np.abs(up - corner), np.abs(left - corner), np.abs(left + up - 2 * corner)
        nearest = np.where(to_up <= to_corner, up, corner)
        return np.where((to_left <= to_up) & (to_left <= to_corner), left, nearest)
    if kind == AVERAGE:
        return left + up >> 1
    return (np.zeros_like(left), left, up)[kind]


def _to_the_right(rows: NDArray[np.int16], pixel: int) -> NDArray[np.int16]:
    """Return rows moved by a pixel, with zeros at their left."""
    moved = np.zeros_like(rows)
    moved[:, pixel:] = rows[:, :-pixel] if pixel < rows.shape[1] else 0
    return moved


def _skewed(rows: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return pixels (y, x) at (x + y, y)."""
    count, width, pixel = rows.shape
    flat = np.zeros((count * (width + count + 1), pixel), np.int16)
    flat.reshape(count, width + count + 1, pixel)[:, :width] = rows
    return np.ascontiguousarray(flat[: count * (width + count)].reshape(count, width + count, pixel).swapaxes(0, 1))


def _straight(skewed: NDArray[np.int16], width: int) -> NDArray[np.int16]:
    """Return pixels (x + y, y) at (y, x)."""
    length, count, pixel = skewed.shape
    flat = np.zeros((count * (length + 1), pixel), np.int16)
    flat[: count * length].reshape(count, length, pixel)[:] = skewed.swapaxes(0, 1)
    return flat.reshape(count, length + 1, pixel)[:, :width]
