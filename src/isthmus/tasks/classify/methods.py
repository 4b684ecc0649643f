"""Methods of classification: each learns from a model's codes, or trains its networks, and returns logits."""

# ruff: noqa: D102 - what each method does stands at Method
from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import checks, documents
from isthmus import data as isthmus_data
from isthmus.capabilities import Classifies, Encodes, learns_classes
from isthmus.data import Data
from isthmus.tasks.coder import Coder, records_for

__all__ = [
    "Conditional",
    "Features",
    "LabelSplit",
    "Ladder",
    "Method",
    "ModelClasses",
    "Probe",
    "Stacked",
    "logistic_regression",
]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

WIDTH = 32  # of codes: also of records of fewer numbers, for what tells classes need not be what varies most
ITERATIONS = 2000  # of logistic regression, at most
FOLDS = 5


@dataclass(frozen=True)
class LabelSplit:
    """Classes of records: those to learn from, those kept back, and those not known.

    Parameters
    ----------
    classes : ndarray, shape (k,)
        Labels, sorted.
    numbers : ndarray of int64, shape (n,)
        Class numbers, -1 where there is no label.
    held_out : ndarray of int64, shape (m,)
        Rows with a label that is kept back, to calibrate on.
    """

    classes: NDArray[Any]
    numbers: Int64
    held_out: Int64

    @property
    def seen(self) -> Int64:
        """Class numbers that may be learned from, -1 elsewhere: (n,)."""
        seen = self.numbers.copy()
        seen[self.held_out] = -1
        return seen

    @property
    def rows(self) -> Int64:
        """Rows whose class may be learned from."""
        return np.flatnonzero(self.seen >= 0)


class Method(ABC):
    """A way of classifying: from records to one logit a class.

    Attributes
    ----------
    unseen : (ndarray of shape (m, k), ndarray of shape (m,)) or None
        Logits and true classes of records that it has not learned from, where it has made such itself.
    """

    needs: ClassVar[tuple[type, ...]] = (Encodes,)  # capabilities of the model
    holds_out: ClassVar[bool] = True  # whether it leaves some labelled records out, to be calibrated on

    unseen: tuple[Float64, Int64] | None = None

    @staticmethod
    @abstractmethod
    def default_model(data: Data, seed: Any) -> Any:
        """Return the unfitted model that serves this way best."""

    @classmethod
    def fit_model(cls, model: Any, data: Data, split: LabelSplit, owner: str) -> Any:
        """Return a model fitted to records; one that learns classes learns those that may be looked at.

        Parameters
        ----------
        model : model
            Unfitted.
        data : Data
            All records.
        split : LabelSplit
        owner : str
            Who wants it fitted, for sentences.
        """
        if not learns_classes(model):
            return model.fit(records_for(model, data, owner))
        if model.takes_unlabelled:
            return model.fit(data, split.seen)
        return model.fit(data.subset(split.rows), split.seen[split.rows])

    @classmethod
    @abstractmethod
    def learn(cls, coder: Coder, data: Data, split: LabelSplit) -> Self:
        """Return the method with what it learned of the classes.

        Parameters
        ----------
        coder : Coder
            With the model that gives the codes; it is left as it is.
        data : Data
            All records.
        split : LabelSplit
            Their classes.
        """

    @abstractmethod
    def logits(self, coder: Coder, data: Data) -> Float64:
        """Return the logits of records: (n, k)."""

    @abstractmethod
    def state(self) -> documents.State:
        """Return what :meth:`from_state` needs, as JSON and arrays."""

    @classmethod
    @abstractmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray], coder: Coder) -> Self:
        """Return the method that :meth:`state` described."""


# ------------------------------------------------------------------ on frozen codes


def logistic_regression() -> Any:
    """Return scikit-learn's logistic regression on standardised codes, unfitted."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))


class Probe(Method):
    """Logistic regression on the codes of a model that is left as it is (Alain and Bengio 2017 call it a probe).

    Parameters
    ----------
    weights : ndarray, shape (k, d)
    bias : ndarray, shape (k,)
    """

    holds_out = False

    def __init__(self, weights: Float64, bias: Float64) -> None:
        # One layout, whatever they come from: sums then run in one order, and a file gives the same bits.
        self.weights, self.bias = np.ascontiguousarray(weights), np.ascontiguousarray(bias)

    @staticmethod
    def default_model(data: Data, seed: Any) -> Any:
        from isthmus import models

        family = models.Autoencoder if data.schema.kind == "text" else models.DenoisingAutoencoder
        return family(latent_dim=WIDTH, random_state=seed)

    @classmethod
    def learn(cls, coder: Coder, data: Data, split: LabelSplit) -> Self:
        return cls.of_codes(coder.codes(data.subset(split.rows)), split.numbers[split.rows])

    @classmethod
    def of_codes(cls, codes: np.ndarray, numbers: Int64) -> Self:
        """Return the probe of codes (n, d) and their classes (n,)."""
        codes = codes.astype(np.float64)
        probe = cls._straight(logistic_regression().fit(codes, numbers))
        folds = min(FOLDS, int(np.bincount(numbers).min()))
        if folds > 1:
            from sklearn.model_selection import StratifiedKFold

            logits = np.empty((len(codes), len(probe.bias)))
            for train, test in StratifiedKFold(folds, shuffle=True, random_state=0).split(codes, numbers):
                logits[test] = cls._straight(logistic_regression().fit(codes[train], numbers[train])).of(codes[test])
            probe.unseen = logits, numbers
        return probe

    @classmethod
    def _straight(cls, pipeline: Any) -> Self:
        """Return a standardised regression as one linear map, with a logit for each of two classes too."""
        scaler, regression = pipeline[0], pipeline[1]
        weights = regression.coef_ / scaler.scale_
        bias = regression.intercept_ - weights @ scaler.mean_
        if len(bias) == 1:
            weights, bias = np.concatenate([0 * weights, weights]), np.concatenate([[0.0], bias])
        return cls(weights, bias)

    def of(self, codes: np.ndarray) -> Float64:
        """Return the logits of codes: (n, d) -> (n, k)."""
        # Row by row in the same order whatever their number: a row's result does not depend on the others.
        return np.einsum("nd,kd->nk", codes.astype(np.float64), self.weights) + self.bias

    def logits(self, coder: Coder, data: Data) -> Float64:
        return self.of(coder.codes(data))

    def state(self) -> documents.State:
        return {}, {"weights": self.weights, "bias": self.bias}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray], coder: Coder) -> Self:
        return cls(arrays["weights"], arrays["bias"])


class Features(Probe):
    """Logistic regression on a model's codes beside the features of a convolutional classifier of the same pictures."""

    holds_out = True
    network: Any = None

    @staticmethod
    def default_model(data: Data, seed: Any) -> Any:
        from isthmus import models

        return models.Autoencoder(random_state=seed)

    @classmethod
    def learn(cls, coder: Coder, data: Data, split: LabelSplit) -> Self:
        from isthmus.tasks.features import feature_network

        labelled, numbers = data.subset(split.rows), split.numbers[split.rows]
        network = feature_network(labelled, numbers, random_state=coder.seed, cache=False)
        method = cls.of_codes(cls._both(coder, network, labelled), numbers)
        method.network, method.unseen = network, None  # the network has learned from all of them
        return method

    @staticmethod
    def _both(coder: Coder, network: Any, data: Data) -> np.ndarray:
        pictures = np.asarray(data.chunk(0, len(data)))
        return np.concatenate([network.features(pictures), coder.codes(data)], axis=1)

    def logits(self, coder: Coder, data: Data) -> Float64:
        return self.of(self._both(coder, self.network, data))

    def state(self) -> documents.State:
        network, arrays = self.network.state()
        own, own_arrays = super().state()
        return own | {"network": network}, own_arrays | documents.prefixed("network", arrays)

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray], coder: Coder) -> Self:
        from isthmus.metrics.features import FeatureNetwork

        method = super().from_state(document, arrays, coder)
        method.network = FeatureNetwork.from_state(document["network"], documents.under("network", arrays))
        return method


# ------------------------------------------------------------------ models that know classes


class ModelClasses(Method):
    """The model's own chances of each class."""

    needs = (Classifies,)

    @staticmethod
    def default_model(data: Data, seed: Any) -> Any:
        from isthmus import models

        return models.LadderNetwork(random_state=seed)

    @classmethod
    def fit_model(cls, model: Any, data: Data, split: LabelSplit, owner: str) -> Any:
        return model.fit(data, split.seen, validation=0)

    @classmethod
    def learn(cls, coder: Coder, data: Data, split: LabelSplit) -> Self:
        checks.same_classes(coder.owner, type(coder.model).__name__, split.classes, coder.model.classes_)
        return cls()

    def logits(self, coder: Coder, data: Data) -> Float64:
        return np.asarray(coder.model.class_logits(data), np.float64)

    def state(self) -> documents.State:
        return {}, {}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray], coder: Coder) -> Self:
        return cls()


class Ladder(ModelClasses):
    """The ladder network (Rasmus et al. 2015), the usual one of the models that learn classes themselves."""


class Conditional(ModelClasses):
    """A variational autoencoder with the class beside the code (Kingma et al. 2014, model M2)."""

    @staticmethod
    def default_model(data: Data, seed: Any) -> Any:
        from isthmus import models

        return models.ConditionalVAE(alpha=10.0, random_state=seed)


class Stacked(Method):
    """Model M2 on the codes of model M1 (Kingma et al. 2014, section 2.3)."""

    def __init__(self, second: Any) -> None:
        self.second = second

    @staticmethod
    def default_model(data: Data, seed: Any) -> Any:
        from isthmus import models

        return models.VAE(random_state=seed)

    @classmethod
    def learn(cls, coder: Coder, data: Data, split: LabelSplit) -> Self:
        from isthmus import models

        budget = ("max_epochs", "max_seconds", "batch_size")
        spent: dict[str, Any] = {name: getattr(coder.model, name, None) for name in budget}
        second = models.ConditionalVAE(alpha=10.0, scaling="standard", random_state=coder.seed, **spent)
        return cls(second.fit(isthmus_data.open(coder.codes(data)), split.seen, validation=0))

    def logits(self, coder: Coder, data: Data) -> Float64:
        return np.asarray(self.second.class_logits(coder.codes(data)), np.float64)

    def state(self) -> documents.State:
        second, arrays = self.second.state()
        return {"second": second}, documents.prefixed("second", arrays)

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray], coder: Coder) -> Self:
        from isthmus import models

        second = documents.under("second", arrays)
        return cls(models.ConditionalVAE.from_state(document["second"], second, path="the classifier"))
