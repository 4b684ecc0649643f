"""Classification from a model's codes, with few labels or many: scikit-learn's classifier contract.

Each way of learning them is a :class:`isthmus.tasks.classify.methods.Method`; what no way changes is here, once: which
records have a label, which way serves them, and probabilities that hold.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any, Self, TypedDict

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import check_is_fitted

from isthmus import checks, documents, metrics, telling
from isthmus import data as isthmus_data
from isthmus.base import seed_to_fit
from isthmus.capabilities import Classifies, has
from isthmus.data import Data
from isthmus.errors import ArtifactError
from isthmus.tasks.classify.evaluation import Classification
from isthmus.tasks.classify.methods import (
    Conditional,
    Features,
    LabelSplit,
    Ladder,
    Method,
    ModelClasses,
    Probe,
    Stacked,
)
from isthmus.tasks.classify.network import FineTuned, Head, Joint
from isthmus.tasks.classify.spreading import Spreading
from isthmus.tasks.estimator import TaskEstimator, _is_fitted, selected

__all__ = ["METHODS", "Classifier"]

METHODS: dict[str, type[Method]] = {
    "probe": Probe,
    "spreading": Spreading,
    "head": Head,
    "joint": Joint,
    "fine-tuned": FineTuned,
    "ladder": Ladder,
    "m2": Conditional,
    "m1m2": Stacked,
    "features": Features,
    "own": ModelClasses,
}

# What is tried beside a method that was chosen. The loss of a table knows no floor: where a column can be told ever
# more exactly, it takes over, and a head trained beside it is worse than one alone. Elsewhere it is better.
RIVALS = {"probe": "spreading", "spreading": "probe", "head": "joint"}

HELD_OUT = 0.1  # share of the labelled records that are calibrated on
MIN_RECORDS_TO_CALIBRATE = 200  # labelled records below which none are kept back
MIN_RECORDS_TO_TRAIN = 1000  # labelled records from which on networks learn more than a probe sees
RICH = 10  # unlabelled records for a labelled one, from which on they teach more than the labelled ones
SOME = 100  # unlabelled records that show where classes lie
MANY = 10_000  # unlabelled records that are worth a ladder network
MAX_RECORDS_TO_COMPARE = 100_000  # records up to which two methods are tried


@dataclass(kw_only=True, eq=False, repr=False)
class Classifier(ClassifierMixin, TaskEstimator):
    """Learn the classes of records, of which some may have no label.

    Parameters
    ----------
    model : model, optional
        What gives the codes. One that has been fitted is used as it is; of any other a copy is fitted on all records,
        labelled or not. By default the one that serves the method best.
    method : str, default="auto"
        "auto" chooses by the numbers of labelled and unlabelled records, of few labels by what tells those best that
        are left out, and says why (``method_reason_``).

        - "probe": logistic regression on frozen codes.
        - "spreading": classes spread from labelled records to their neighbours, over the graph of nearest frozen codes
          (Zhou et al., "Learning with Local and Global Consistency", NeurIPS 2003).
        - "head": the encoder and a softmax layer, trained from first weights by cross-entropy.
        - "joint": the same, beside the model's own loss (Le, Patterson and White, NeurIPS 2018).
        - "fine-tuned": the fitted encoder and a softmax layer, trained on by cross-entropy (Vincent et al., "Stacked
          Denoising Autoencoders", JMLR 2010, section 3.1).
        - "ladder": a ladder network (Rasmus et al., NeurIPS 2015): :class:`isthmus.LadderNetwork`.
        - "m2", "m1m2": a variational autoencoder with classes (Kingma et al., "Semi-supervised Learning with Deep
          Generative Models", NeurIPS 2014): :class:`isthmus.ConditionalVAE`, or one on the codes of ``model``.
        - "features": logistic regression on codes beside the features of a convolutional classifier, of pictures.
        - "own": the chances that a model which learns classes gives itself.
    calibrate : bool, default=True
        Whether logits are divided by a temperature found on labelled records that the method has not learned from (Guo
        et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2): a tenth of them, kept back, of 200
        or more; folds of them for "probe" and "spreading".
    random_state : int, RandomState or None, default=None
        Seed of everything random.
    device : str, default="auto"
        Where the classifier's own model is trained: "cpu", "cuda", "mps", or the fastest at hand.
    verbose : int, default=0
        Whether to show progress, where the classifier trains.

    Attributes
    ----------
    classes_ : ndarray, shape (k,)
        Labels, sorted.
    method_, method_reason_ : str
        Which way, and why.
    temperature_ : float
        What logits are divided by; 1 where there were too few labels to find it.
    notes_ : list of str
        What should be known about the fit.
    model_ : model
        The fitted model.

    Notes
    -----
    A label that is missing (None, NaN, an empty cell) or the whole number -1 is none. Where -1 and 1 are the only
    labels, they are two classes. With "head" and "joint" an unfitted model is trained by the classifier, and ``model_``
    is the trained one.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder, Classifier
    >>> digits = load_digits()
    >>> X = digits.images.astype("uint8")
    >>> classifier = Classifier(model=Autoencoder(max_epochs=5), method="probe", random_state=0)
    >>> classifier.fit(X[:1000], digits.target[:1000]).predict_proba(X[1000:]).shape
    (797, 10)
    """

    method: str = "auto"
    calibrate: bool = True
    device: str = "auto"
    verbose: int = 0

    classes_: NDArray[Any] = field(init=False)
    method_: str = field(init=False)
    method_reason_: str = field(init=False)
    temperature_: float = field(init=False)
    notes_: list[str] = field(init=False)

    # ------------------------------------------------------------------ fit

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn classes.

        Parameters
        ----------
        X : array, data frame, path, or Data
            Records: whatever :func:`isthmus.data.open` takes.
        y : array of shape (n,), optional
            Labels, where ``X`` does not bring them.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            There are no labels at all, or the model cannot do what the method needs.
        DataError
            All labels are missing, or all are the same, or are measurements and no classes.
        """
        owner = type(self).__name__
        checks.choice(owner, "method", self.method, ("auto", *METHODS))
        checks.finite_labels(owner, y)
        data = self._opened_to_fit(X, y)
        checks.needs_labels(owner, data.labels)
        labels = np.asarray(data.labels)
        is_known = isthmus_data.is_labelled(labels)
        self.classes_, _ = isthmus_data.classes_of(labels, is_known)
        checks.labels_are_classes(owner, labels[is_known], len(labels))
        numbers = isthmus_data.class_numbers(labels, is_known, self.classes_)
        self.seed_ = seed_to_fit(self.random_state)
        self.method_, self.method_reason_ = self._choose(data, numbers)
        self.notes_ = []
        method = METHODS[self.method_]
        split = LabelSplit(self.classes_, numbers, self._rows_to_calibrate_on(method, numbers))
        is_new = self._learn_model(data, method.needs, lambda model: method.fit_model(model, data, split, owner))
        self.fitted_method_ = method.learn(self._coder(), data, split)
        if self.method == "auto" and self.method_ in RIVALS and len(data) <= MAX_RECORDS_TO_COMPARE:
            self._compare(data, split, RIVALS[self.method_])
        if is_new and isinstance(self.fitted_method_, Head) and self.fitted_method_.starts_fresh:
            self._use(self.fitted_method_.model)
            self.fitted_method_.is_classifiers_model = True
        self.temperature_ = self._temperature(data, split)
        return self

    def _opened_to_fit(self, X: Any, y: Any) -> Data:
        """Return records with their labels; a table of plain numbers as a matrix, unless a fitted model knows better.

        A frame and the array of its values then give the same classifier.
        """
        if np.asarray(y).ndim == 2:
            warnings.warn(
                "A column-vector y was passed when a 1d array was expected; its one column is taken.",
                DataConversionWarning,
                stacklevel=3,
            )
        data = telling.belongs(isthmus_data.open(X, labels=y), X)
        return data if self.model is not None and _is_fitted(self.model) else isthmus_data.as_matrix(data)

    def _open(self, X: Any, labels: Any = None) -> Data:
        """Return records as the model takes them, the columns of a table in the order of the fit, found by name."""
        data = telling.belongs(isthmus_data.open(X, labels=labels, schema=getattr(self.model_, "schema_", None)), X)
        wanted = getattr(self, "feature_names_in_", None)
        if data.schema.kind == "table" and wanted is not None:
            found = selected(data, list(wanted))
            data = isthmus_data.as_matrix(found) if self.model_.schema_.kind == "array" else found
            telling.belongs(data, X)
        return super()._open(data)

    def _choose(self, data: Data, numbers: np.ndarray) -> tuple[str, str]:
        """Return a method and the reason for it."""
        if self.method != "auto":
            return self.method, f"{self.method}, as asked"
        labelled, unlabelled = int((numbers >= 0).sum()), int((numbers < 0).sum())
        counts = f"{labelled:,} records have a label and {unlabelled:,} have none"
        if has(self.model, Classifies):
            return "own", f"own, because {type(self.model).__name__} learns classes itself"
        one_size = None not in data.schema.shape
        if self.model is None and unlabelled >= max(MANY, RICH * labelled) and one_size and data.schema.kind != "text":
            return "ladder", f"ladder, because {counts}: a ladder network learns most from those"
        if labelled >= MIN_RECORDS_TO_TRAIN and self.model is None:
            trained = "joint" if data.schema.kind == "image" else "head"
            return trained, f"{trained}, because {counts}: enough to train the encoder with"
        if unlabelled >= max(SOME, RICH * labelled):
            return "spreading", f"spreading, because {counts}: those show where classes lie"
        return "probe", f"probe, because {counts}: codes learned from all of them need few to tell classes"

    def _compare(self, data: Data, split: LabelSplit, rival: str) -> None:
        """Take another method where it tells those labels better that neither has learned from."""
        own = self._loss_on_unseen(self.fitted_method_, data, split)
        if not math.isfinite(own):
            return
        other = METHODS[rival].learn(self._coder(), data, split)
        losses = {self.method_: own, rival: self._loss_on_unseen(other, data, split)}
        best, worse = sorted(losses, key=losses.__getitem__)
        if best == rival:
            self.method_, self.fitted_method_ = rival, other
        self.method_reason_ = (
            f"{best}, because on labels that it has not learned from its log loss is {losses[best]:.3g} nats, and that "
            f"of {worse} {losses[worse]:.3g}"
        )

    def _loss_on_unseen(self, method: Method, data: Data, split: LabelSplit) -> float:
        """Return the log loss of a method, calibrated, on labels that it has not learned from; infinity if all are."""
        unseen = self._unseen(method, data, split)
        return math.inf if unseen is None else metrics.log_loss(unseen[0] / _temperature(*unseen), unseen[1])

    def _rows_to_calibrate_on(self, method: type[Method], numbers: np.ndarray) -> NDArray[np.int64]:
        """Return labelled rows to keep back: a tenth of each class, in order; none of few."""
        rows = np.flatnonzero(numbers >= 0)
        if not self.calibrate or not method.holds_out or len(rows) < MIN_RECORDS_TO_CALIBRATE:
            return np.empty(0, np.int64)
        rng = np.random.default_rng(self.seed_)
        parts = [rng.permutation(rows[numbers[rows] == k]) for k in range(len(self.classes_))]
        return np.sort(np.concatenate([part[: int(HELD_OUT * len(part))] for part in parts]))

    def _unseen(
        self, method: Method, data: Data, split: LabelSplit
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
        """Return logits and class numbers of labelled records that a method has not learned from, if there are any."""
        if method.unseen is not None or len(split.held_out) == 0:
            return method.unseen
        return method.logits(self._coder(), data.subset(split.held_out)), split.numbers[split.held_out]

    def _temperature(self, data: Data, split: LabelSplit) -> float:
        """Return what makes the probabilities hold on records that the method has not learned from."""
        if not self.calibrate:
            return 1.0
        unseen = self._unseen(self.fitted_method_, data, split)
        if unseen is None:
            self.notes_.append(
                f"probabilities are not calibrated: that takes {MIN_RECORDS_TO_CALIBRATE} labels, or two of each class "
                f"for a probe"
            )
            return 1.0
        logits, numbers = unseen
        return _temperature(logits, numbers)

    # ------------------------------------------------------------------ use

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class, in the order of ``classes_``.

        Parameters
        ----------
        X : as in :meth:`fit`

        Returns
        -------
        ndarray of float64, shape (n, k)
        """
        check_is_fitted(self, "fitted_method_")
        return self._probabilities(self._open(X))

    def _probabilities(self, data: Data) -> NDArray[np.float64]:
        return metrics.softmax(self.fitted_method_.logits(self._coder(), data) / self.temperature_)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest class of each record: labels, shape (n,)."""
        numbers = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[numbers])

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the share of the labelled records that are classified rightly.

        Parameters
        ----------
        X : as in :meth:`fit`
        y : array of shape (n,), optional
            Labels, where ``X`` does not bring them; -1 and missing ones do not count.
        sample_weight : array of shape (n,), optional
            Weight of each record.

        Raises
        ------
        DataError
            A label is none of ``classes_``.
        """
        check_is_fitted(self, "fitted_method_")
        data = self._open(X, y)
        numbers = self._numbers(data)
        rows = np.flatnonzero(numbers >= 0)
        right = self._probabilities(data.subset(rows)).argmax(axis=1) == numbers[rows]
        weights = None if sample_weight is None else np.asarray(sample_weight)[rows]
        return float(np.average(right, weights=weights))

    def evaluate(self, X: Any, y: Any = None) -> Classification:
        """Return how good it is on labelled records: scores of each class, confusion, calibration, doubtful rows.

        Parameters
        ----------
        X : as in :meth:`fit`
        y : array of shape (n,), optional
            Labels, where ``X`` does not bring them.

        Returns
        -------
        Classification
            With ``to_dict()``; ``print`` shows it.
        """
        check_is_fitted(self, "fitted_method_")
        data = self._open(X, y)
        numbers = self._numbers(data)
        return Classification.of(self.classes_, self._probabilities(data), numbers)

    def _numbers(self, data: Data) -> NDArray[np.int64]:
        """Return class numbers of labels, -1 where there are none; refuse labels that were not there at fit."""
        owner = type(self).__name__
        checks.needs_labels(owner, data.labels)
        labels = np.asarray(data.labels)
        is_known = self._has_label(labels)
        checks.labels_seen_at_fit(owner, labels[is_known], self.classes_)
        return isthmus_data.class_numbers(labels, is_known, self.classes_)

    def _has_label(self, labels: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which records have a label, -1 being one where it was at fit."""
        return isthmus_data.is_labelled(labels, self.classes_)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    # ------------------------------------------------------------------ what the base asks

    def default_model(self, data: Data) -> Any:
        """Return the unfitted model that serves the method best."""
        return (
            METHODS[self.method_].default_model(data, self.seed_).set_params(device=self.device, verbose=self.verbose)
        )

    def task_state(self) -> documents.State:
        """Return method, classes, temperature, and what the method learned."""
        document, arrays = self.fitted_method_.state()
        about = {
            "method": self.method_,
            "reason": self.method_reason_,
            "classes": self.classes_.tolist(),
            "temperature": self.temperature_,
            "notes": telling.of_fit(self),
            "seed": self.seed_,
        }
        return about | {"rule": document}, arrays

    def load_task_state(self, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Set what :meth:`task_state` returned."""
        its = documents.read(_Document, document, "task")
        self.method_, self.method_reason_ = its["method"], its["reason"]
        self.classes_ = np.asarray(its["classes"])
        self.temperature_, self.notes_, self.seed_ = its["temperature"], its["notes"], its["seed"]
        if self.temperature_ <= 0 or its["classes"] != sorted(set(its["classes"])):
            raise ArtifactError("task.temperature must be above 0, and task.classes in order")
        self.fitted_method_ = METHODS[self.method_].from_state(its["rule"], arrays, self._coder())

    def _prove(self) -> None:
        """Judge one blank record, and see that it gets a probability of each class."""
        super()._prove()
        documents.array({"probabilities": self.predict_proba(self._blank())}, "probabilities", (1, len(self.classes_)))


class _Document(TypedDict):
    method: str
    reason: str
    classes: list[int] | list[float] | list[bool] | list[str]
    temperature: float
    notes: list[str]
    seed: int
    rule: dict[str, Any]


def _temperature(logits: NDArray[np.float64], numbers: NDArray[np.int64]) -> float:
    """Return the temperature at which unseen logits hold: (m, k) and (m,)."""
    # Of few records all may be right, and no probability would then be high enough: count one wrong (Platt 1999).
    return metrics.best_temperature(logits, numbers, smoothing=1 / (len(numbers) + 2))
