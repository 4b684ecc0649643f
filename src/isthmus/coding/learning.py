"""What a prior learns from texts: what follows in which context, and how much each voice of the predictor is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.coder import learner, table_bits
from isthmus.coding.prior import SLOT, SLOT_BITS, Prior, blank

__all__ = ["Learning", "learned", "practised"]

Learning = Callable[[int], None]  # is told the bytes that were learned from since it was told last

TEXTS_LIMIT = 16 << 20  # bytes that are learned from
PIECE = 1 << 15  # bytes of a text that are taken for one of its own
PRACTICE = 8  # one piece of so many is kept back
LEAST_COUNT, MOST_COUNT = (
    3,
    24,
)  # bits that a slot saw, to be kept; that its cells claim to have seen, so that they move
COUNT = 7  # byte of a slot that says how many bits its first cell saw; every fourth from there on does, of its cell


def learned(texts: Iterable[bytes], start: Prior | None, *, progress: Learning | None = None) -> Prior:
    """Return a prior for texts like those that are given.

    Most pieces of the texts say what follows which context. The others are then coded as texts of their own, each from
    the same start, and what the predictor has learned of its weights and maps meanwhile becomes their start.

    Parameters
    ----------
    texts : iterable of bytes
        Each is a text of its own, or a piece of a longer one.
    start : Prior or None
        Where to begin.
    progress : callable, optional
        Is told the bytes that were learned from, again and again.

    Raises
    ------
    IsthmusError
        There is no compiled coder: it would take days.
    """
    pieces = _pieces(texts)
    practice, others = pieces[PRACTICE // 2 :: PRACTICE], list(pieces)
    del others[PRACTICE // 2 :: PRACTICE]
    reader = learner(table_bits(sum(map(len, pieces))), start or blank())
    for piece in others:
        reader.begin(clear=False)
        reader.learn(piece)
        if progress:
            progress(len(piece))
    knowing = Prior({**(start or blank()).tensors, "slots": _best(reader.slots())})
    return practised(practice, knowing, progress=progress)


def practised(texts: Sequence[bytes], start: Prior, *, progress: Learning | None = None) -> Prior:
    """Return a prior with weights and maps as a predictor has them after it coded some texts, each from the start."""
    reader = learner(table_bits(max(map(len, texts), default=0)), start)
    for text in texts:
        reader.begin(clear=True)
        reader.learn(text)
        if progress:
            progress(len(text))
    return Prior({**start.tensors, **reader.state()}) if texts else start


def _pieces(texts: Iterable[bytes]) -> list[bytes]:
    """Return texts in pieces; of more than can be learned from every second, every fourth ... of them."""
    kept: list[bytes] = []
    size, number, every = 0, 0, 1
    for text in texts:
        for at in range(0, len(text), PIECE):
            if number % every == 0:
                kept.append(text[at : at + PIECE])
                size += len(kept[-1])
            number += 1
            if size > TEXTS_LIMIT:
                del kept[1::2]
                size, every = sum(map(len, kept)), 2 * every
    return kept


def _best(slots: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return, of slots (n, 64) whose hashes begin alike, the one that saw most; none that saw nearly nothing."""
    kept = min(len(slots), 1 << SLOT_BITS[1])
    near = slots.reshape(kept, -1, SLOT)
    seen = near[:, :, COUNT]
    best = np.take_along_axis(near, seen.argmax(1)[:, None, None], 1)[:, 0].copy()
    best[best[:, COUNT] < LEAST_COUNT] = 0
    best[:, COUNT::4] = np.minimum(best[:, COUNT::4], MOST_COUNT)
    return best
