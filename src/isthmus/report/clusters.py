"""Figures of clusters: medoids, uncertain members, and the score of each number of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from isthmus.data import Data
from isthmus.report import plots

if TYPE_CHECKING:
    from isthmus.tasks import Clusterer, Evidence

__all__ = ["evidence", "members", "scatter"]

ACROSS = 10  # pictures in a row: the medoid, and the most doubtful members
DOWN = 20  # clusters that are shown, the largest
POINTS = 5000  # codes that are drawn
DOUBTFUL = 5  # codes that are ringed in each cluster


def members(clusterer: Clusterer, data: Data) -> Figure:
    """Draw, for each cluster, its medoid and its most doubtful members; codes as points where records are no pictures.

    Parameters
    ----------
    clusterer : Clusterer
        Fitted.
    data : Data
        The records that it was fitted on.
    """
    if data.schema.kind != "image" or None in data.schema.shape:
        return scatter(clusterer, data)
    shown = range(min(clusterer.n_clusters_, DOWN))
    rows = [_row_of(clusterer, cluster) for cluster in shown]
    wanted = np.unique(np.concatenate(rows))
    pictures = np.asarray(data.take(wanted))
    blank = np.zeros_like(pictures[0])
    sheet = [
        [pictures[np.searchsorted(wanted, row)] for row in chosen] + [blank] * (ACROSS - len(chosen)) for chosen in rows
    ]
    sizes = np.bincount(clusterer.labels_)
    names = [f"cluster {cluster}\n{sizes[cluster]:,} records" for cluster in shown]
    captions = ["medoid", "most doubtful", *[""] * (ACROSS - 2)]
    return plots.picture_rows(sheet, names, captions, apart="first")


def _row_of(clusterer: Clusterer, cluster: int) -> NDArray[np.int64]:
    """Return the row of a cluster's medoid, and those of its most doubtful members, but for the medoid."""
    medoid = clusterer.medoids_[cluster]
    doubtful = clusterer.doubtful(cluster, ACROSS)
    return np.concatenate([[medoid], doubtful[doubtful != medoid][: ACROSS - 1]])


def scatter(clusterer: Clusterer, data: Data) -> Figure:
    """Draw codes along their first two principal components: clusters in colour, medoids and doubtful members marked.

    Parameters
    ----------
    clusterer : Clusterer
        Fitted.
    data : Data
        The records that it was fitted on.
    """
    from sklearn.decomposition import PCA

    doubtful = np.concatenate([clusterer.doubtful(cluster, DOUBTFUL) for cluster in range(clusterer.n_clusters_)])
    some = np.unique(np.linspace(0, len(data) - 1, min(len(data), POINTS)).astype(np.int64))
    rows = np.unique(np.concatenate([some, doubtful, clusterer.medoids_]))
    codes = clusterer.codes(data.subset(rows))
    codes = np.pad(codes, ((0, 0), (0, max(0, 2 - codes.shape[1]))))
    along = PCA(2, random_state=0).fit(codes)
    places = along.transform(codes)
    figure = plots.code_scatter(places, np.nan_to_num(along.explained_variance_ratio_), clusterer.labels_[rows])
    axes = figure.axes[0]
    rings, stars = np.searchsorted(rows, doubtful), np.searchsorted(rows, clusterer.medoids_)
    with plots.style():
        axes.scatter(places[rings, 0], places[rings, 1], s=46, facecolors="none", edgecolors=plots.INK, linewidths=0.7)
        star: dict[str, Any] = {
            "marker": "*",
            "color": plots.INK,
            "edgecolors": "white",
            "linewidths": 0.8,
            "zorder": 3,
        }
        axes.scatter(places[stars, 0], places[stars, 1], s=120, **star)
        axes.set_title("stars: medoids; rings: most doubtful members")
    return figure


def evidence(found: Evidence, chosen: int) -> Figure:
    """Draw the score of each number of clusters, and the one that was taken.

    Parameters
    ----------
    found : Evidence
    chosen : int
        Number of clusters.
    """
    with plots.style():
        figure = Figure(figsize=(5.4, 3.4), layout="constrained")
        axes = figure.subplots()
        axes.plot(found.numbers, found.scores, color=plots.MODEL, marker="o", markersize=4)
        for at in np.flatnonzero(found.numbers == chosen):  # a single cluster has no split, and so no score
            axes.plot(chosen, found.scores[at], color=plots.RIVAL, marker="o", markersize=8)
            axes.annotate(f" {chosen}", (chosen, found.scores[at]), color=plots.RIVAL, va="bottom")
        axes.set(xlabel="number of clusters", ylabel=found.criterion)
        axes.set_title(found.title.replace(" (", "\n("))  # the reference on a line of its own
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid()
        return figure
