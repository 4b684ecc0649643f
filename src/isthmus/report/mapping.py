"""Measures of a map on records that it was not trained on, compared with PCA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.data import is_labelled
from isthmus.metrics import Interval, Neighbourhoods, bootstrap_interval, nearest_neighbour_hits, neighbourhoods
from isthmus.report.maps import MapView

if TYPE_CHECKING:
    from isthmus.base import Model
    from isthmus.data import Data

__all__ = ["MapEvaluation", "evaluate_map"]

MAX_POOL = 10_000  # records that neighbours are looked for among: that takes the square of their number
NEIGHBOURS, VOTES = 15, 5


@dataclass(frozen=True)
class MapEvaluation:
    """Pictures of the same records, and their figures.

    Parameters
    ----------
    views : tuple of MapView
        The map, principal components, and two codes of another model where one was given.
    scores : mapping
        By title of a view, intervals of its figures by name; empty for records too few to tell.
    about : str
        What the figures come from.
    """

    views: tuple[MapView, ...]
    scores: Mapping[str, Mapping[str, Interval]]
    about: str


def evaluate_map(
    model: Model, data: Data, new: NDArray[np.int64] | None = None, *, other: Model | None = None
) -> MapEvaluation:
    """Measure how well a map and principal components keep neighbours.

    Parameters
    ----------
    model : Map
        Fitted.
    data : Data
        All records to draw; labels, where there are any, only score.
    new : ndarray of int, optional
        Numbers of the records that the map did not learn from. They are judged; without them all are.
    other : Model, optional
        Another one, whose first two codes are drawn too.

    Returns
    -------
    MapEvaluation
        Its figures: trustworthiness, continuity and neighbours kept (:func:`isthmus.metrics.neighbourhoods`) of the
        judged records among all, 10,000 at random where there are more: a few new ones among themselves would tell of
        distances across the map. And, where labels and new records are there, the share of these that have the label of
        most of their five nearest points among the others.
    """
    rows = np.arange(len(data)) if new is None else new
    records = model.plain_numbers(data)
    known = np.setdiff1d(np.arange(len(data)), rows) if len(rows) < len(data) else rows
    views = [_view("Map", model.transform(data), model), MapView("PCA", _components(records, known))]
    if other is not None:
        views.append(_view(f"{type(other).__name__}: first two codes", other.transform(data), other))
    judged, others = _pool(len(data), rows)
    pool = np.concatenate([judged, others])
    k = min(NEIGHBOURS, (len(pool) - 1) // 2)
    if k < 1:
        return MapEvaluation(tuple(views), {}, "")
    labels = None if data.labels is None or len(known) == len(data) else np.asarray(data.labels)
    scores = {}
    for view in views:
        kept = neighbourhoods(records[pool], view.points[pool], k=k)
        scores[view.title] = _kept(kept, len(judged)) | _told(view.points, labels, known, judged)
    which = "that the map was learned from" if new is None else "that the map did not learn from"
    among = f"all {len(pool):,}" if len(pool) == len(data) else f"{len(pool):,} at random"
    about = (
        f"Means over {len(judged):,} records {which}, with 95 % intervals: trustworthiness, continuity and share kept "
        f"of the {k} nearest among {among}."
    )
    return MapEvaluation(tuple(views), scores, about)


def _view(title: str, codes: NDArray[Any], model: Model) -> MapView:
    """Return a picture of the first two codes; of the only one over the number of the record."""
    codes = codes.reshape(len(codes), -1)
    if codes.shape[1] == 1:
        return MapView(title, np.column_stack([codes[:, 0], np.zeros(len(codes), codes.dtype)]))
    more = codes.shape[1] - 2
    return MapView(title, codes[:, :2], f"two of {codes.shape[1]} codes" if more and title == "Map" else "")


def _components(records: NDArray[np.float32], known: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the first two principal components of all records, learned from the known ones."""
    from sklearn.decomposition import PCA

    found = np.zeros((len(records), 2), np.float32)
    count = min(2, *records[known].shape)
    found[:, :count] = PCA(count, random_state=0).fit(records[known]).transform(records)
    return found


def _pool(n: int, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return those of the rows to judge, and the others that their neighbours may be, MAX_POOL together."""
    rng = np.random.default_rng(0)
    judged = np.sort(rng.permutation(rows)[: MAX_POOL // 2])
    others = rng.permutation(np.setdiff1d(np.arange(n), judged))[: MAX_POOL - len(judged)]
    return judged, np.sort(others)


def _kept(kept: Neighbourhoods, count: int) -> dict[str, Interval]:
    """Return what is kept of the neighbourhoods of the first records."""
    return {
        "trustworthiness": bootstrap_interval(kept.trustworthiness[:count]),
        "continuity": bootstrap_interval(kept.continuity[:count]),
        "neighbours kept": bootstrap_interval(kept.hit_rate[:count]),
    }


def _told(
    points: NDArray[Any], labels: NDArray[Any] | None, known: NDArray[np.int64], judged: NDArray[np.int64]
) -> dict[str, Interval]:
    """Return how often the nearest known points say the label of a new one; nothing where too few have labels."""
    if labels is None:
        return {}
    has_label = is_labelled(labels)
    codes = np.full(len(labels), -1)
    codes[has_label] = np.unique(labels[has_label].astype(str), return_inverse=True)[1]
    learned, new = known[has_label[known]], judged[has_label[judged]]
    if len(learned) < VOTES or len(new) == 0:
        return {}
    hits = nearest_neighbour_hits(points[learned], codes[learned], points[new], codes[new], k=VOTES)
    return {"5-NN accuracy": bootstrap_interval(hits)}
