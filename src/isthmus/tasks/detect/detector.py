r"""Outlier detection by a model's codes and reconstructions, with scikit-learn's outlier contract.

p-values are conformal (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005, section 2.2; for
outliers Bates et al., "Testing for Outliers with Conformal p-values", Annals of Statistics 2023, equation 2)::

    p(x) = (1 + #{i : s_i >= s(x)}) / (m + 1)

with s the anomaly score and s_1 ... s_m that of records which neither the model nor the score was learned from. Of
records like those, at most a share a has p <= a, for every a, whatever the model, the data and their dimension. Where
the records to learn from hold outliers themselves, p-values err to the safe side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypedDict

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from isthmus import checks, documents, telling
from isthmus import data as isthmus_data
from isthmus.base import seed_to_fit
from isthmus.capabilities import Decodes, Reconstructs, RemembersRecords, Scores, has
from isthmus.data import Data
from isthmus.density import CodeDensity
from isthmus.encoded import Encoded
from isthmus.preprocessing import Features
from isthmus.tasks.detect.reasons import Crossed, Reason, from_repairs, from_residuals
from isthmus.tasks.detect.scores import (
    SCORERS,
    Residuals,
    ScoreDistribution,
    Scorer,
    combined,
    density_of,
    fit_scorers,
)
from isthmus.tasks.estimator import TaskEstimator, _is_fitted
from isthmus.tasks.foreign import coder_of, features_of
from isthmus.tasks.held_out import rows_not_trained_on

__all__ = ["METHODS", "Detector"]

METHODS = ("combined", "reconstruction", "distance", "likelihood")
FALSE_ALARMS = 0.01  # share of normal records that contamination="auto" takes for outliers
MAX_CALIBRATION_RECORDS = 10_000  # records that p-values are calibrated on
SMALL_PICTURE = 4096  # numbers up to which a dense network serves best
MIN_RECORDS = 20  # records below which none are kept back

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class _Rows:
    """Which records serve for what.

    Parameters
    ----------
    trained : array
        Seen by the model.
    fresh : array
        Not seen by the model: what is usual is learned from them.
    calibration : array
        Not learned from at all.
    """

    trained: Int64
    fresh: Int64
    calibration: Int64


@dataclass(kw_only=True, eq=False, repr=False)
class Detector(OutlierMixin, TaskEstimator):
    """Find outliers, with a p-value and the reasons for each.

    Parameters
    ----------
    model : model, optional
        What reconstructs records and gives codes. One that has been fitted is used as it is; of any other a copy is
        fitted on the records. By default a small autoencoder.
    method : {"auto", "combined", "reconstruction", "distance", "likelihood"}, default="auto"
        The anomaly score, see :mod:`isthmus.tasks.detect.scores`: how far it is from its reconstruction, how far its
        code from usual ones, how unlikely the model holds it to be, or the first two combined, of rows of numbers also
        with how far they are from the others by themselves. "auto" is "combined", and "distance" where the model cannot
        reconstruct.
    contamination : float or "auto", default="auto"
        Share of the records of ``fit`` that are outliers, in (0, 0.5]: so many are predicted as such. "auto" puts the
        threshold where one of a hundred usual records lies beyond it.
    calibration : float, default=0.2
        Share of the records that nothing is learned from, so that p-values can be calibrated on them; 10,000 at most,
        and none of fewer than 20. The smallest p-value is 1 over their number and one.
    random_state : int, RandomState or None, default=None
        Seed of everything random.
    device : str, default="auto"
        Where the detector's own model is trained: "cpu", "cuda", "mps", or the fastest at hand.
    verbose : int, default=0
        Whether to show progress, where the model is the detector's own.

    Attributes
    ----------
    offset_ : float
        Threshold of ``score_samples``: ``decision_function`` is ``score_samples - offset_``.
    method_ : str
        Which score.
    calibration_scores_ : ndarray of float64, shape (m,)
        Scores of the records calibrated on, the most anomalous first.
    notes_ : list of str
        What should be known about the fit.
    model_ : model
        The fitted model.

    Notes
    -----
    With a fitted model, ``fit`` takes records that it was not trained on, or the very records of its fit, of which
    those that it held out are used. They served to find its best epoch: p-values are valid but for that choice.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from isthmus import Detector
    >>> X = load_wine().data
    >>> detector = Detector(random_state=0).fit(X)
    >>> outlier = X[:1] * [1, 1, 1, 1, 1, 1, 1, 1, 1, 9, 1, 1, 1]
    >>> detector.predict(outlier), detector.reasons(outlier, k=1)[0][0].name
    (array([-1]), 'column 9')
    """

    method: str = "auto"
    contamination: Any = "auto"
    calibration: float = 0.2
    device: str = "auto"
    verbose: int = 0

    offset_: float = field(init=False)
    method_: str = field(init=False)
    calibration_scores_: Float64 = field(init=False)
    notes_: list[str] = field(init=False)
    # Densities of codes, of residuals and of each score that is combined; and what encodes records.
    density_: CodeDensity = field(init=False)
    residuals_: Residuals = field(init=False)
    scorers_: dict[str, Scorer] = field(init=False)
    score_distributions_: dict[str, ScoreDistribution] = field(init=False)
    coder_: Any = field(init=False)
    features_: Features = field(init=False)

    def default_model(self, data: Data) -> Any:  # noqa: D102
        from isthmus.models import Autoencoder

        common: dict[str, Any] = {"random_state": self.seed_, "device": self.device, "verbose": self.verbose}
        if data.schema.kind != "image":
            return Autoencoder(max_epochs=8, **common)
        small = math.prod(side or 0 for side in data.schema.shape) <= SMALL_PICTURE
        return Autoencoder(latent_dim=16, max_epochs=12, network="dense" if small else "auto", **common)

    # ------------------------------------------------------------------ fit

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is usual.

        Parameters
        ----------
        X : array, data frame, path, or Data
            Records: whatever :func:`isthmus.data.open` takes; normal ones, or most of them.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A parameter is not allowed, or the model cannot do what the method needs.
        DataError
            The data cannot be used.
        """
        owner = type(self).__name__
        checks.choice(owner, "method", self.method, ("auto", *METHODS))
        checks.contamination(owner, self.contamination)
        checks.number(owner, "calibration", self.calibration, low=0, high=1, below=True)
        if self.model is not None:
            checks.can(owner, self.model, *self.needs)
        self.seed_, self.notes_ = seed_to_fit(self.random_state), []
        self.__dict__.pop("model_", None)  # of an earlier fit, to whose records these need not conform
        if self.model is not None and _is_fitted(self.model):
            self._use(self.model)
            data = self._open(X)
            rows = self._rows_for_fitted_model(data)
        else:
            data = isthmus_data.open(X)
            rows = self._rows_with_fit(data)
        self.method_ = self._choose()
        self._learn(data, rows)
        kept = data.subset(rows.calibration)
        self.calibration_scores_ = np.sort(self._score(kept)) if len(kept) else np.empty(0, np.float64)
        self.offset_ = self._threshold(data)
        return self

    def _choose(self) -> str:
        """Return the method, once it is sure that the model can do what it needs."""
        if self.method == "auto":
            return "combined" if _can_reconstruct(self.model_) else "distance"
        if self.method in ("combined", "reconstruction") and not _can_reconstruct(self.model_):
            checks.can(type(self).__name__, self.model_, Reconstructs)
        if self.method == "likelihood":
            checks.can(type(self).__name__, self.model_, Scores)
        return self.method

    def _rows_with_fit(self, data: Data) -> _Rows:
        """Fit the model on records of which some are kept back, and return which are which."""
        order = np.random.default_rng(self.seed_).permutation(len(data))
        kept = self._count(len(data))
        calibration, learned = np.sort(order[:kept]), np.sort(order[kept:])
        self._learn_model(data.subset(learned))
        held_out = self.model_.held_out_rows() if has(self.model_, RemembersRecords) else np.empty(0, np.int64)
        fresh = learned[held_out]
        trained = np.setdiff1d(learned, fresh)
        return _Rows(trained, fresh if len(fresh) else trained, calibration)

    def _rows_for_fitted_model(self, data: Data) -> _Rows:
        """Return which records serve for what, beside a model that was fitted before."""
        unseen = rows_not_trained_on(self.model_, data)
        order = np.random.default_rng(self.seed_).permutation(unseen)
        if len(unseen) == len(data):
            kept = self._count(len(data))
            learned = np.sort(order[kept:])
            return _Rows(learned, learned, np.sort(order[:kept]))
        trained = np.setdiff1d(np.arange(len(data)), unseen)
        self.notes_.append(
            f"these are the records of the model's own fit: p-values are calibrated on half of the {len(unseen):,} "
            f"that it held out"
        )
        fresh = np.sort(order[len(order) // 2 :])
        return _Rows(trained, fresh if len(fresh) else trained, np.sort(order[: len(order) // 2]))

    def _count(self, n: int) -> int:
        """Return how many of ``n`` records to keep back."""
        return min(MAX_CALIBRATION_RECORDS, round(self.calibration * n)) if n >= MIN_RECORDS else 0

    def _learn(self, data: Data, rows: _Rows) -> None:
        """Fit the scores that the method needs, and their distributions over normal records."""
        trained, fresh = data.subset(rows.trained), data.subset(rows.fresh)
        codes = self._codes(trained)
        checks.codes_are_finite(type(self).__name__, codes)
        self.density_ = density_of(codes, self.seed_)
        self._use_coder(coder_of(self.model_, trained))
        if _can_reconstruct(self.model_):
            crossed = ((records, self.coder_.crossed(records)[1]) for records in self.coder_.encoded_blocks(fresh))
            self.residuals_ = Residuals.learn(
                self.features_, ((records.scaled, back.snapped().scaled) for records, back in crossed)
            )
        self.scorers_, self.score_distributions_ = {}, {}
        if self.method_ == "combined":
            blocks = (records.scaled for records in self.coder_.encoded_blocks(trained))
            self.scorers_ = fit_scorers(self.features_, blocks, self.seed_)
            each = [self._anomaly_scores(records) for records in self.coder_.encoded_blocks(fresh)]
            self.score_distributions_ = {
                name: ScoreDistribution.learn(np.concatenate([scores[name] for scores in each])) for name in each[0]
            }
        # Half of all codes are no farther from their Gaussian's mean, in deviations.
        self.radius_ = float(np.median(self.density_.middles(codes)[1]))

    def _use_coder(self, coder: Any) -> None:
        """Set what encodes and decodes records for the model, and their features."""
        self.coder_, self.features_ = coder, features_of(coder)

    def _threshold(self, data: Data) -> float:
        """Return the score below which records are outliers."""
        if self.contamination != "auto":
            return float(np.percentile(self._score(data), 100 * float(self.contamination)))
        scores = self.calibration_scores_
        if not len(scores):
            return float(np.quantile(self._score(data), FALSE_ALARMS))
        # p <= a where fewer than floor(a (m + 1)) calibration records are as anomalous.
        rank = int(np.floor(FALSE_ALARMS * (len(scores) + 1)))
        if rank == 0:
            self.notes_.append(
                f"about one of {len(scores) + 1} usual records is taken for an outlier, and no p-value is below "
                f"1/{len(scores) + 1}: there are {len(scores)} records to calibrate on"
            )
        # The record on the threshold lies beyond it too: an outlier among those calibrated on must not hide itself.
        return float(np.nextafter(scores[max(rank, 1) - 1], np.inf))

    # ------------------------------------------------------------------ use

    def score_samples(self, X: Any) -> Float64:
        """Return minus the anomaly score of records, (n,): higher for more normal ones.

        Parameters
        ----------
        X : as in :meth:`fit`
        """
        check_is_fitted(self, "offset_")
        return self._score(self._open(X))

    def decision_function(self, X: Any) -> Float64:
        """Return ``score_samples(X) - offset_``, (n,): negative for outliers.

        Parameters
        ----------
        X : as in :meth:`fit`
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Int64:
        """Return -1 for outliers and 1 for all others, (n,).

        Parameters
        ----------
        X : as in :meth:`fit`
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: Any) -> Float64:
        """Return conformal p-values, (n,), in (0, 1]: of usual records at most a share a has p <= a, for every a.

        Records that the fit learned from get larger ones than they would as new records.

        Parameters
        ----------
        X : as in :meth:`fit`

        Raises
        ------
        DataError
            All records of the fit were learned from.
        """
        check_is_fitted(self, "offset_")
        return self.p_values_of(self.score_samples(X))

    def p_values_of(self, scores: Float64) -> Float64:
        """Return the p-values of records whose ``score_samples`` are known, (n,)."""
        m = len(self.calibration_scores_)
        checks.nothing_to_calibrate_on(type(self).__name__, m)
        as_high = np.searchsorted(self.calibration_scores_, scores, side="right")
        return np.asarray((1 + as_high) / (m + 1))

    def reasons(self, X: Any, k: int = 3) -> list[list[Reason]]:
        """Return which features make records anomalous, the ``k`` that do most, with what was expected instead.

        See :mod:`isthmus.tasks.detect.reasons`.

        Parameters
        ----------
        X : as in :meth:`fit`
        k : int, default=3

        Returns
        -------
        list of list of Reason
            One list a record.

        Raises
        ------
        ParameterError
            The model cannot decode.
        """
        check_is_fitted(self, "offset_")
        checks.integer(type(self).__name__, "k", k, low=1)
        checks.can("reasons", self.model_, Decodes)
        blocks = self.coder_.encoded_blocks(self._open(X))
        return [reasons for records in blocks for reasons in self._reasons(records, int(k))]

    def _reasons(self, records: Encoded, k: int) -> list[list[Reason]]:
        if self.coder_ is self.model_ and records.preprocessor.kind in ("array", "table"):
            return from_repairs(self.model_, self.features_, self.residuals_, self._score_of, records, k)
        return from_residuals(self.coder_, self.features_, self.residuals_, self.density_, self.radius_, records, k)

    def _score(self, data: Data) -> Float64:
        return np.concatenate([self._score_of(records) for records in self.coder_.encoded_blocks(data)])

    def _score_of(self, records: Encoded, crossed: Crossed | None = None) -> Float64:
        """Return minus the anomaly score of encoded records, (n,), whose codes and reconstructions may be known."""
        if self.method_ == "combined":
            return -combined(self.score_distributions_, self._anomaly_scores(records, crossed))
        if self.method_ == "distance":
            return 2 * self.density_.log_prob(self.coder_.codes_of(records))
        if self.method_ == "likelihood":
            return self.coder_.log_probs(records)
        _, back = crossed or self.coder_.crossed(records)
        return -self.residuals_.anomaly_score(self.features_, records.scaled, back.snapped().scaled)

    def _anomaly_scores(self, records: Encoded, crossed: Crossed | None = None) -> dict[str, Float64]:
        """Return each anomaly score of encoded records that is combined, (n,) each."""
        codes, back = crossed or self.coder_.crossed(records)
        x = records.scaled
        scores = {
            "reconstruction": self.residuals_.anomaly_score(self.features_, x, back.snapped().scaled),
            "distance": -2 * self.density_.log_prob(codes),
        }
        quantities = x[:, ~self.features_.is_class] if self.scorers_ else x
        return scores | {name: scorer.anomaly_score(quantities) for name, scorer in self.scorers_.items()}

    # ------------------------------------------------------------------ files

    def task_state(self) -> documents.State:  # noqa: D102
        scorers = {name: scorer.state() for name, scorer in self.scorers_.items()}
        document = {
            "method": self.method_,
            "offset": self.offset_,
            "radius": self.radius_,
            "notes": telling.of_fit(self),
            "usual": {name: its.excess for name, its in self.score_distributions_.items()},
            "beside": {name: numbers for name, (numbers, _) in scorers.items()},
        }
        arrays: dict[str, np.ndarray] = {"calibration": self.calibration_scores_}
        arrays |= documents.prefixed("density", self.density_.state()[1])
        arrays |= {f"usual.{name}": its.knots for name, its in self.score_distributions_.items()}
        for name, (_, its) in scorers.items():
            arrays |= documents.prefixed(name, its)
        return document, arrays | ({"spread": self.residuals_.spread} if _can_reconstruct(self.model_) else {})

    def load_task_state(self, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:  # noqa: D102
        its = documents.read(_Document, document, "task")
        self.method_, self.notes_ = its["method"], its["notes"]
        self.offset_, self.radius_ = its["offset"], its["radius"]
        self.score_distributions_ = {
            name: ScoreDistribution.of(arrays, f"usual.{name}", excess) for name, excess in its["usual"].items()
        }
        self.calibration_scores_ = documents.array(arrays, "calibration", (None,))
        self.density_ = CodeDensity.from_state({}, documents.under("density", arrays))
        self.scorers_ = {
            name: SCORERS[name].from_state(numbers, documents.under(name, arrays))
            for name, numbers in its["beside"].items()
        }
        self._use_coder(self.model_)
        if _can_reconstruct(self.model_):
            self.residuals_ = Residuals(documents.array(arrays, "spread", self.features_.is_class.shape))


class _Document(TypedDict):
    """What a file holds; ``usual`` and ``beside`` are the score distributions and the scorers."""

    method: Literal["combined", "reconstruction", "distance", "likelihood"]
    offset: float
    radius: float
    notes: list[str]
    usual: dict[str, float]
    beside: dict[str, dict[str, int | float]]


def _can_reconstruct(model: Any) -> bool:
    return has(model, Reconstructs) or has(model, Decodes)
