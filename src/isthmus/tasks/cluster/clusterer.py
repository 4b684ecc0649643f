"""Clustering of records by a model's codes: scikit-learn's cluster contract.

Each way of finding them is a :class:`isthmus.tasks.cluster.methods.Method`; what no way changes is here, once: how many
clusters, which of several runs is kept and how well they agree, and which members stand for a cluster or doubt it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal, Self, TypedDict

import numpy as np
from sklearn.base import ClusterMixin
from sklearn.utils.validation import check_is_fitted

from isthmus import checks, documents, gradients, telling
from isthmus import data as isthmus_data
from isthmus.base import SIDE, seed_to_fit
from isthmus.data import Data, Schema
from isthmus.errors import ArtifactError
from isthmus.tasks.classify.evaluation import doubtful_rows
from isthmus.tasks.cluster.communities import CommunityMethod, NeighbourGraphMethod
from isthmus.tasks.cluster.embedded import DEC, IDEC
from isthmus.tasks.cluster.evidence import Evidence
from isthmus.tasks.cluster.graph import Float32, Float64, Int64
from isthmus.tasks.cluster.methods import Chances, KMeansMethod, Method, MixtureMethod
from isthmus.tasks.cluster.variational import VaDE
from isthmus.tasks.estimator import TaskEstimator, selected
from isthmus.training import distributed

__all__ = ["METHODS", "Clusterer"]

METHODS: dict[str, type[Method]] = {
    "communities": CommunityMethod,
    "k-means": KMeansMethod,
    "mixture": MixtureMethod,
    "neighbour-graph": NeighbourGraphMethod,
    "dec": DEC,
    "idec": IDEC,
    "vade": VaDE,
}

RUNS = 5  # of a method that leaves the model as it is
MAX_CLUSTERS = 20  # clusters among which the number is looked for
LARGEST = 2**27  # numbers of a picture
REFERENCES = 2000  # members that a medoid is compared with, at most


@dataclass(kw_only=True, eq=False, repr=False)
class Clusterer(ClusterMixin, TaskEstimator):
    """Find the groups that records fall into.

    Parameters
    ----------
    model : model, optional
        What gives the codes. One that has been fitted is used as it is; of any other a copy is fitted on the records.
        By default the one that serves the method best.
    n_clusters : int, optional
        How many; by default as many as there are, 20 at most, with the evidence in ``evidence_``. "communities" and
        "neighbour-graph" may answer 1: the records do not fall into groups.
    method : str, default="auto"
        "auto" is "communities": groups may differ in size, form and density, where gaps part them.

        - "communities": parts of the graph of nearest codes that keep most of their weight to themselves, whatever
          their sizes (normalised cut, Shi and Malik 2000): :mod:`isthmus.tasks.cluster.communities`.
        - "k-means", "mixture": k-means and a mixture of Gaussians on the codes.
        - "neighbour-graph": a mixture of Gaussians on the layout of that graph (N2D, McConville et al., ICPR 2020).
        - "dec", "idec": the code itself learns the clusters, without the reconstruction (Xie et al., ICML 2016) or
          beside it (Guo et al., IJCAI 2017).
        - "vade": a VAE whose prior has one Gaussian a cluster (Jiang et al., IJCAI 2017).
    features : str, default="auto"
        What of the records the model sees. "auto" is "gradients" for pictures of one size where the clusterer brings
        its own model and the method does not train it further, and "records" elsewhere.

        - "records": everything.
        - "gradients": of pictures, their histograms of oriented gradients (Dalal and Triggs, CVPR 2005), which hardly
          change when a line is moved or bent a little: :mod:`isthmus.gradients`.
    runs : int, optional
        Times that the clusters are looked for, with other seeds and the same model. The run with the best score is
        kept; for "communities" its probabilities are averaged with those of the others. By default 5, and 1 for the
        methods that train networks.
    device : str, default="auto"
        Where the clusterer's own model is trained: "cpu", "cuda", "mps", or the fastest at hand.
    verbose : int, default=0
        Whether to show the progress of a model that is trained here.
    random_state : int, RandomState or None, default=None
        Seed of everything random.

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n,)
        Cluster of each record of the fit, from 0, the largest cluster first.
    probabilities_ : ndarray of float64, shape (n, k)
        How likely each is in each cluster.
    n_clusters_ : int
        How many there are.
    evidence_ : Evidence or None
        Scores of the numbers of clusters, where the number was estimated.
    stability_ : float
        Mean adjusted Rand index between the runs, 1 where all agree; NaN after a single run. For "communities" a run
        also draws anew how much each record counts, so that a low one says that the clusters hang on the sample.
    medoids_ : ndarray of int64, shape (k,)
        Row of the most central member of each cluster: its code is nearest to those of the others.
    method_, features_ : str
        Which way, and what the model sees.
    schema_ : Schema
        Kind and shape of the records.
    model_ : model
        The fitted model.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder, Clusterer
    >>> X = load_digits().images.astype("uint8")
    >>> clusterer = Clusterer(model=Autoencoder(max_epochs=20), n_clusters=10, random_state=0).fit(X)
    >>> clusterer.labels_.shape, clusterer.medoids_.shape
    ((1797,), (10,))
    """

    n_clusters: int | None = None
    method: str = "auto"
    features: str = "auto"
    runs: int | None = None
    device: str = "auto"
    verbose: int = 0

    labels_: Int64 = field(init=False)
    probabilities_: Float64 = field(init=False)
    n_clusters_: int = field(init=False)
    evidence_: Evidence | None = field(init=False)
    stability_: float = field(init=False)
    medoids_: Int64 = field(init=False)
    method_: str = field(init=False)
    features_: str = field(init=False)
    schema_: Schema = field(init=False)

    def __post_init__(self) -> None:
        """Refuse a single cluster here: scikit-learn's battery assigns 1 to the attribute later, and expects a fit."""
        checks.more_than_one_cluster(type(self).__name__, self.n_clusters)

    def set_params(self, **params: Any) -> Self:
        """Set parameters; they are the constructor's."""
        checks.more_than_one_cluster(type(self).__name__, params.get("n_clusters"))
        super().set_params(**params)
        return self

    # ------------------------------------------------------------------ fit

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find clusters.

        Parameters
        ----------
        X : array, data frame, path, or Data
            Records: whatever :func:`isthmus.data.open` takes.
        y : ignored
            Labels, if there are any, are not looked at.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            ``n_clusters`` is below 2 or above the number of records, or the model cannot do what the method needs.
        DataError
            There is one record, or all have the same code, or a code is not finite.
        """
        owner = type(self).__name__
        checks.choice(owner, "method", self.method, ("auto", *METHODS))
        checks.choice(owner, "features", self.features, ("auto", "records", "gradients"))
        checks.integer(owner, "runs", self.runs, low=1, optional=True)
        data = telling.belongs(isthmus_data.open(X), X)
        checks.enough_for_clusters(owner, len(data))
        checks.number_of_clusters(owner, self.n_clusters, len(data))
        self.method_ = "communities" if self.method == "auto" else self.method
        self.seed_ = seed_to_fit(self.random_state, self.device)
        method = METHODS[self.method_]
        self.schema_, self.features_ = data.schema, self._features(data)
        if self.features_ == "gradients":
            data = gradients.described(data)
        self._learn_model(data, method.needs, lambda model: method.fit_model(model, data, owner))
        self._forget_width()
        codes = self._codes(data)
        checks.codes_are_finite(owner, codes)
        checks.codes_differ(owner, codes)
        view = method.view(codes, self.seed_)
        self.evidence_ = None if self.n_clusters else method.evidence(view, min(MAX_CLUSTERS, len(data)), self.seed_)
        k = distributed.first_says(self.n_clusters or self.evidence_.best)  # type: ignore[union-attr]
        self.fitted_method_, probabilities = self._best_of_runs(method, data, view, int(k))
        self._number_clusters(probabilities)
        self.medoids_ = _medoids(codes, self.labels_, self.n_clusters_)
        return self

    def _features(self, data: Data) -> str:
        """Return what the model is to see."""
        if self.features == "gradients":
            schema = data.schema
            checks.pictures_with_outlines(type(self).__name__, schema.kind, schema.shape, suits=gradients.suits(data))
        if self.features != "auto":
            return self.features
        is_free = self.model is None and not METHODS[self.method_].trains
        return "gradients" if is_free and gradients.suits(data) else "records"

    def _forget_width(self) -> None:
        """Remove ``n_features_in_`` of the model where the records are pictures: the model sees their histograms."""
        if self.features_ == "gradients":
            del self.n_features_in_

    def _open(self, X: Any, labels: Any = None) -> Data:
        """Return records as the model takes them, the columns of a table in the order of the fit, found by name."""
        data = telling.belongs(isthmus_data.open(X, labels=labels, schema=self.schema_), X)
        if data.schema.kind == "table" and self.schema_.kind == "table":
            data = telling.belongs(selected(data, [column.name for column in self.schema_.columns]), X)
        if self.features_ == "records":
            return super()._open(data)
        return gradients.described(isthmus_data.conform(data, self.schema_, type(self).__name__))

    def _best_of_runs(self, method: type[Method], data: Data, view: Any, k: int) -> tuple[Method, Chances]:
        """Return the run with the best score, and its probabilities; set ``stability_``."""
        from sklearn.metrics import adjusted_rand_score

        count, coder = self.runs or (1 if method.trains else RUNS), self._coder()
        runs = [method.learn(coder, data, view, k, (self.seed_ + i) % 2**32) for i in range(count)]
        labels = [found.argmax(axis=1) for _, found in runs]
        agreement = [adjusted_rand_score(a, b) for a, b in combinations(labels, 2)]
        self.stability_ = float(np.mean(agreement)) if agreement else float("nan")
        return method.settled(view, runs)

    def _number_clusters(self, found: Chances) -> None:
        """Give clusters numbers by size, the largest first; empty ones are left out."""
        likeliest = found.argmax(axis=1)
        sizes = np.bincount(likeliest, minlength=found.shape[1])
        order = np.argsort(-sizes, kind="stable")
        self.columns_ = order[: np.count_nonzero(sizes)]
        self.probabilities_ = self._in_order(found)
        self.labels_ = np.argsort(order)[likeliest].astype(np.int64)  # two clusters may be as likely: one choice counts
        self.n_clusters_ = len(self.columns_)
        checks.fewer_clusters(type(self).__name__, self.n_clusters, self.n_clusters_)

    def _in_order(self, found: Chances) -> Float64:
        """Return probabilities of the clusters that there are, by size."""
        kept = np.asarray(found[:, self.columns_], np.float64)
        total = kept.sum(axis=1, keepdims=True)
        return np.asarray(np.where(total > 0, kept, 1.0) / np.where(total > 0, total, kept.shape[1]))

    # ------------------------------------------------------------------ use

    def predict_proba(self, X: Any) -> Float64:
        """Return how likely records are in each cluster.

        Parameters
        ----------
        X : as in :meth:`fit`

        Returns
        -------
        ndarray of float64, shape (n, k)
        """
        check_is_fitted(self, "fitted_method_")
        return self._in_order(self.fitted_method_.probabilities(self._coder(), self._open(X)))

    def predict(self, X: Any) -> Int64:
        """Return the likeliest cluster of each record: int64, shape (n,)."""
        return np.asarray(self.predict_proba(X).argmax(axis=1), np.int64)

    def codes(self, X: Any) -> Float32:
        """Return the codes of records, which the clusters were found among: float32, shape (n, latent_dim)."""
        check_is_fitted(self, "fitted_method_")
        return self._codes(self._open(X))

    def doubtful(self, cluster: int, count: int = 10) -> Int64:
        """Return rows of the members of a cluster that are least sure to be in it, the least sure first.

        Parameters
        ----------
        cluster : int
            Which, from 0.
        count : int, default=10
            How many, at most.

        Returns
        -------
        ndarray of int64
            Rows of the fit's records; those with the smallest lead of this cluster's probability over the next one's.
        """
        check_is_fitted(self, "fitted_method_")
        checks.integer(type(self).__name__, "cluster", cluster, low=0, high=self.n_clusters_ - 1)
        rows = np.flatnonzero(self.labels_ == cluster)
        return np.asarray(rows[doubtful_rows(self.probabilities_[rows], count)[0]])

    @property
    def provenance_(self) -> dict[str, Any]:
        """What the model's file remembers of the records."""
        found: dict[str, Any] = self.model_.provenance_
        return found

    # ------------------------------------------------------------------ what the base asks

    def default_model(self, data: Data) -> Any:
        """Return the unfitted model that serves the method best."""
        model = METHODS[self.method_].default_model(data, self.features_, self.seed_)
        return model.set_params(device=self.device, verbose=self.verbose)

    def task_state(self) -> documents.State:
        """Return method, clusters of the records of the fit, evidence, and what the method learned."""
        document, arrays = self.fitted_method_.state()
        about = {
            "method": self.method_,
            "features": self.features_,
            "schema": self.schema_.to_dict(),
            "seed": self.seed_,
            "evidence": None if self.evidence_ is None else self.evidence_.to_dict(),
            "stability": None if np.isnan(self.stability_) else self.stability_,
            "rule": document,
        }
        own = {
            "labels": self.labels_,
            "probabilities": self.probabilities_,
            "columns": self.columns_,
            "medoids": self.medoids_,
        }
        return about, own | documents.prefixed("rule", arrays)

    def load_task_state(self, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Set what :meth:`task_state` returned."""
        its = documents.read(_Document, document, "task")
        self.method_, self.features_, self.seed_ = its["method"], its["features"], its["seed"]
        self.schema_ = Schema.from_dict(its["schema"])
        self.evidence_ = None if its["evidence"] is None else Evidence.from_dict(its["evidence"])
        self.stability_ = float("nan") if its["stability"] is None else its["stability"]
        self.columns_ = documents.array(arrays, "columns", (None,), "i")
        self.n_clusters_ = k = len(self.columns_)
        self.labels_ = documents.array(arrays, "labels", (None,), "i")
        self.probabilities_ = documents.array(arrays, "probabilities", (len(self.labels_), k))
        self.medoids_ = documents.array(arrays, "medoids", (k,), "i")
        if not k or len(set(self.columns_.tolist())) < k or self.columns_.min() < 0:
            raise ArtifactError("its array 'columns' must name the clusters that the rule tells apart, each once")
        self._forget_width()
        method, arrays = METHODS[self.method_], documents.under("rule", arrays)
        self.fitted_method_ = method.from_state(its["rule"], arrays, self._coder())

    def _blank(self) -> Any:
        """Return one record like those of the fit, of pictures that the model sees the histograms of too."""
        if self.features_ != "gradients":
            return super()._blank()
        shape = tuple(side or SIDE for side in self.schema_.shape)
        if math.prod(shape) > LARGEST:
            raise ArtifactError(f"pictures of {math.prod(shape):,} numbers are larger than any that were learned from")
        return np.zeros((1, *shape), self.schema_.dtype)


class _Document(TypedDict):
    method: str
    features: Literal["records", "gradients"]
    schema: dict[str, Any]
    seed: int
    evidence: dict[str, Any] | None
    stability: float | None
    rule: dict[str, Any]


def _medoids(codes: Float32, labels: Int64, k: int) -> Int64:
    """Return the row of each cluster's most central member, by its mean distance from (2,000 of) the others."""
    from scipy.spatial.distance import cdist

    found = []
    for cluster in range(k):
        rows = np.flatnonzero(labels == cluster)
        others = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), REFERENCES)).astype(np.int64))]
        totals = [cdist(codes[part], codes[others]).sum(axis=1) for part in np.array_split(rows, -(-len(rows) // 1000))]
        found.append(rows[int(np.concatenate(totals).argmin())])
    return np.asarray(found, np.int64)
