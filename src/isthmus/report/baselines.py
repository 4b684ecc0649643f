"""The baselines' reconstructions of held-out records, in the units of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import metrics
from isthmus.data import Data
from isthmus.encoded import Encoded

__all__ = ["reconstruct", "spaced"]

FOLDS = 5  # parts in which baselines without training records are fitted and scored
MAX_TRAIN = 50_000_000  # training numbers that baselines learn from (400 MB in float64)
MAX_TEXTS = 20_000

Float64 = NDArray[np.float64]


def reconstruct(
    preprocessor: Any, data: Data, train: Data | None, size: int, random_state: int
) -> tuple[list[tuple[metrics.Baseline, Any]], list[str]]:
    """Return the baselines' reconstructions of held-out records.

    Parameters
    ----------
    preprocessor : Preprocessor or None
        Of the model: baselines see what its network sees, and go back as its output does.
    data : Data
        The held-out records.
    train : Data or None
        What the baselines learn from. Without it each part of the held-out records is given back by baselines fitted
        on the other parts.
    size : int
        The model's code size.
    random_state : int
        Seed of the baselines and of the parts.

    Returns
    -------
    baselines : list of (Baseline, block)
        Each with the records that it gives back; none where a kind of data has none.
    notes : list of str
        Sentences on how they were fitted, or why there are none.
    """
    if preprocessor is None or None in tuple(preprocessor.shape_):
        return [], ["No baselines: PCA, k-means and the mean need records of one size."]
    if train is None and len(data) < 2:
        return [], ["No baselines: they need training records, or more than one record."]
    notes = []
    if train is None:
        notes.append(
            "The baselines were fitted without training records: each of "
            f"{min(FOLDS, len(data))} parts of these records was given back by baselines fitted on the others."
        )
    if data.schema.kind == "text":
        return [_most_common_bytes(data, data if train is None else train)], notes
    test = _rows(preprocessor, data)
    if train is None:
        found = _cross_fit(test, size, random_state)
    else:
        chosen = spaced(len(train), max(2, MAX_TRAIN // test.shape[1]))
        found = _fit(_rows(preprocessor, train.subset(chosen)), test, size, random_state)
    return [
        (baseline, Encoded.from_one_hot(baseline.reconstruction, preprocessor).block()) for baseline in found
    ], notes


def _rows(preprocessor: Any, data: Data) -> Float64:
    """Return records as the network sees them, categories as indicators."""
    return Encoded(preprocessor.encode(data.chunk(0, len(data))), preprocessor).one_hot


def spaced(n: int, limit: int) -> NDArray[np.int64]:
    """Return at most ``limit`` evenly spaced row numbers below ``n``."""
    return np.unique(np.linspace(0, n - 1, min(n, limit)).astype(np.int64))


def _fit(train: Float64, test: Float64, size: int, random_state: int) -> list[metrics.Baseline]:
    return [
        metrics.pca_baseline(train, test, size, random_state=random_state),
        metrics.kmeans_baseline(train, test, size, random_state=random_state),
        metrics.mean_baseline(train, test),
    ]


def _cross_fit(rows: Float64, size: int, random_state: int) -> list[metrics.Baseline]:
    """Give every part of the rows back by baselines fitted on the other parts."""
    order = np.random.default_rng(random_state).permutation(len(rows))
    merged: list[metrics.Baseline] = []
    for part in np.array_split(order, min(FOLDS, len(rows))):
        found = _fit(rows[np.setdiff1d(order, part)], rows[part], size, random_state)
        if not merged:
            merged = [metrics.Baseline(b.name, b.title, b.size, np.empty_like(rows)) for b in found]
        for whole, piece in zip(merged, found, strict=True):
            whole.reconstruction[part] = piece.reconstruction
    return merged


def _most_common_bytes(data: Data, train: Data) -> tuple[metrics.Baseline, list[bytes]]:
    """Give every text back as the most common byte at each place: the mean record of text."""
    texts = train.take(spaced(len(train), MAX_TEXTS))
    common = bytes(
        int(np.bincount([text[place] for text in texts if len(text) > place]).argmax())
        for place in range(max(len(text) for text in texts))
    )
    given = [common[: len(text)] for text in data.take(np.arange(len(data)))]
    return metrics.Baseline("mean", "most common byte at each place", 0, np.empty((0, 0))), given
