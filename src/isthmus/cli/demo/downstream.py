"""Downstream use of codes: a classifier with few labels, a map, clusters and outliers, compared with raw pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli.demo.drawing import pictures_of
from isthmus.cli.terminal import columns

if TYPE_CHECKING:
    from isthmus import Clusterer, Detector, Map
    from isthmus.base import Model
    from isthmus.data import Data

__all__ = ["Codes", "compare_with_pixels"]

LABELS = 5  # of each class that the classifier is given
NEIGHBOURS = 5  # on the map that vote
SHEET = (8, 4)  # digits in a row, and rows, of the picture of outliers


@dataclass
class Codes:
    """What was learned, and how good it is.

    Parameters
    ----------
    scores : list of (str, float, float, str)
        What was measured, with codes, without, and what was used without.
    chart : Map
    clusterer : Clusterer
        Of all digits.
    detector : Detector
    """

    scores: list[tuple[str, float, float, str]]
    chart: Map
    clusterer: Clusterer
    detector: Detector

    def table(self) -> list[str]:
        """Return the scores as lines."""
        body = [[what, f"{own:.3f}", f"{plain:.3f}", beside] for what, own, plain, beside in self.scores]
        return columns(["", "isthmus", "on pixels", "by"], body, words=("by",))

    def document(self) -> list[dict[str, Any]]:
        """Return the scores for machines."""
        return [{"what": what, "isthmus": own, "pixels": plain, "by": by} for what, own, plain, by in self.scores]

    def draw(self, records: Data, test: Data, folder: Path) -> None:
        """Write the page of the map, and the pictures of clusters and outliers."""
        from isthmus.artifact import replacing
        from isthmus.report import clusters, gallery, maps

        colourings = [
            maps.Colouring("digit", np.asarray(records.labels)),
            maps.Colouring("cluster", self.clusterer.labels_),
            maps.Colouring("anomaly score", -self.detector.score_samples(records)),
        ]
        views = [
            maps.MapView("Map", self.chart.transform(records)),
            maps.MapView("PCA", _principal(records, records)[1]),
        ]
        with replacing(folder / "map.html", force=True) as file:
            title, sentence = f"{len(records):,} digits", f"{len(test)} of them are new to the map."
            file.write(maps.map_page(records, views, colourings, title=title, sentence=sentence).encode())
        gallery.write_picture(clusters.members(self.clusterer, records), folder / "clusters.png", force=True)
        across, down = SHEET
        order = np.argsort(self.detector.score_samples(test), kind="stable")
        pictures = pictures_of(test)
        panels = {
            "most anomalous": pictures[order[: across * down]],
            "most normal": pictures[order[::-1][: across * down]],
        }
        captions = dict.fromkeys(panels, f"of {len(test)} held-out digits")
        sheets = gallery.titled_sheets(panels, columns=across, captions=captions)
        gallery.write_picture(sheets, folder / "outliers.png", force=True)


def compare_with_pixels(model: Model, records: Data, train: Data, test: Data, seed: int) -> Codes:
    """Put the codes of a model to four uses, and measure each beside one of scikit-learn's on the pixels."""
    from isthmus import Clusterer, Detector, Map

    chart = Map(random_state=seed).fit(train)
    clusterer = Clusterer(n_clusters=10, random_state=seed).fit(records)
    detector = Detector(model=model, random_state=seed).fit(train)
    scores = [
        _classified(model, train, test, seed),
        _mapped(chart, train, test),
        _clustered(clusterer, records, seed),
        _detected(detector, train, test, seed),
    ]
    return Codes(scores, chart, clusterer, detector)


def _classified(model: Model, train: Data, test: Data, seed: int) -> tuple[str, float, float, str]:
    from sklearn.linear_model import LogisticRegression

    from isthmus import Classifier

    y = np.asarray(train.labels)
    rng = np.random.default_rng(seed)
    known = np.concatenate([rng.choice(np.flatnonzero(y == digit), LABELS, replace=False) for digit in np.unique(y)])
    few = np.full(len(y), -1)
    few[known] = y[known]
    own = Classifier(model=model, random_state=seed).fit(pictures_of(train), few).score(test, test.labels)
    plain = LogisticRegression(max_iter=1000).fit(_flat(train)[known], y[known]).score(_flat(test), test.labels)
    return f"classified right, learned from {len(known)} labels", own, plain, "logistic regression"


def _mapped(chart: Map, train: Data, test: Data) -> tuple[str, float, float, str]:
    from isthmus import metrics

    old_labels, new_labels = np.asarray(train.labels), np.asarray(test.labels)

    def hits(old: np.ndarray, new: np.ndarray) -> float:
        return float(metrics.nearest_neighbour_hits(old, old_labels, new, new_labels, k=NEIGHBOURS).mean())

    own = hits(chart.transform(train), chart.transform(test))
    return f"with the class of their {NEIGHBOURS} neighbours on a map", own, hits(*_principal(train, test)), "PCA"


def _clustered(clusterer: Clusterer, records: Data, seed: int) -> tuple[str, float, float, str]:
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    plain = KMeans(10, n_init=10, random_state=seed).fit_predict(_flat(records))
    own, pixels = (float(adjusted_rand_score(records.labels, labels)) for labels in (clusterer.labels_, plain))
    return "clusters like classes, adjusted Rand index", own, pixels, "k-means"


def _detected(detector: Detector, train: Data, test: Data, seed: int) -> tuple[str, float, float, str]:
    from sklearn.ensemble import IsolationForest
    from sklearn.metrics import roc_auc_score

    usual = pictures_of(test)
    mirrored = usual[:, :, ::-1].copy()
    forest = IsolationForest(random_state=seed).fit(_flat(train))
    is_usual = np.repeat([1, 0], len(usual))
    own = np.concatenate([detector.score_samples(pictures) for pictures in (usual, mirrored)])
    plain = forest.score_samples(np.concatenate([usual, mirrored]).reshape(2 * len(usual), -1))
    area, plain_area = (float(roc_auc_score(is_usual, scores)) for scores in (own, plain))
    return "digits told from mirrored ones, area under ROC", area, plain_area, "isolation forest"


def _flat(records: Data) -> np.ndarray:
    pictures = pictures_of(records)
    return pictures.reshape(len(pictures), -1).astype(np.float32)


def _principal(train: Data, test: Data) -> tuple[np.ndarray, np.ndarray]:
    """Return both sets of digits along the first two principal components of the first."""
    from sklearn.decomposition import PCA

    linear = PCA(2).fit(_flat(train))
    return linear.transform(_flat(train)), linear.transform(_flat(test))
