"""Which schemes serve a picture: for photographs or for drawings, and by colours or by channels. Tried on a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.pictures.layout import Layout
from isthmus.coding.pictures.schemes import DRAWING, PHOTOGRAPH, QUICK
from isthmus.coding.pictures.strips import Coding, rows_of_strip

__all__ = ["chosen", "sampled"]

SAMPLE = 1 << 14, 1 << 17  # pixels that candidates are tried on: at least, at most
SHARE = 8  # of its pixels that a picture has for each of them, in between
FEW, MOST = 0.3, 0.9  # share of pixels that are as the one to their left, below and above which no trial is needed


def sampled(height: int, width: int) -> slice:
    """Return the rows from the middle of a picture on which candidates are tried."""
    count = min(height, max(2, _sample_of(height, width) // max(width, 1)))
    return slice((height - count) // 2, (height - count) // 2 + count)


def chosen(layouts: Sequence[Layout], sample: NDArray[Any], *, fast: bool) -> Coding:
    """Return the coding of a picture.

    Parameters
    ----------
    layouts : sequence of Layout
        That of its channels, and where it has few colours before it that of these.
    sample : ndarray
        Rows of it.
    fast : bool
        Whether little time is to be spent.
    """
    photograph = QUICK if fast else PHOTOGRAPH
    pairs = [(layout, DRAWING) for layout in layouts] + [(layouts[-1], photograph)]
    if not sample.size:
        pairs = pairs[-1:]
    if len(pairs) == 2 and not FEW < (same := _share_of_same(sample)) < MOST:
        pairs = pairs[:1] if same >= MOST else pairs[-1:]
    codings = [_coding(*pair) for pair in pairs]
    if len(codings) == 1:
        return codings[0]
    layout = layouts[-1]
    narrow = sample[:, : _sample_of(layout.height, layout.width) // len(sample) + 1]
    return min(codings, key=lambda coding: _cost(coding, narrow))


def _sample_of(height: int, width: int) -> int:
    """Return how many pixels candidates are tried on."""
    return min(max(height * width // SHARE, SAMPLE[0]), SAMPLE[1])


def _coding(layout: Layout, kind: int) -> Coding:
    return Coding(layout, kind, rows_of_strip(layout.height, layout.width, len(layout.levels), kind))


def _share_of_same(sample: NDArray[Any]) -> float:
    """Return the share of pixels that are as the one to their left."""
    pixels = sample.reshape(*sample.shape[:2], -1)
    if pixels.shape[1] < 2:
        return 1.0
    return float((pixels[:, 1:] == pixels[:, :-1]).all(2).mean())


def _cost(coding: Coding, sample: NDArray[Any]) -> int:
    """Return the bytes of a picture, as a sample lets expect, with the colours that a file has to list."""
    whole = coding.layout
    layout = replace(whole, width=sample.shape[1], height=len(sample))
    payload = replace(coding, layout=layout).payload(np.ascontiguousarray(sample))
    parts = whole.height * whole.width / (layout.height * layout.width)
    return round(len(payload) * parts) + whole.colours.nbytes
