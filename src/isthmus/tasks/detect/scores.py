r"""Anomaly scores: one number a record, larger for more anomalous ones.

================  ==================================================================================================
reconstruction    log sum_j e_j, e_j = (x_j - r_j)^2 / s_j^2; s_j^2 is the mean square of x_j - r_j over records that
                  the model was not trained on, plus its mean over features, so that none outweighs the others because
                  its errors happened to be small. A category counts -2 log of the share of those records on which it
                  came back right, or wrong, whichever it does here; a missing number counts nothing. Differences of
                  pictures are blurred first: an edge that is off by part of a pixel leaves a positive and a negative
                  one side by side, and is no anomaly.
distance          -2 log p(z), p a mixture of Gaussians with full covariances, fitted to codes of records trained on.
                  With one Gaussian that is the squared Mahalanobis distance of the code, and a constant.
likelihood        -log p(x), the model's own (Bishop, "Novelty Detection and Neural Network Validation", 1994).
linear            log (x - m)^T S^-1 (x - m), of rows of up to 500 quantities.
isolation         s of :mod:`isthmus.tasks.detect.isolation`, of the same.
neighbours        log of the distance to the 20th nearest of the records trained on, of the same (Ramaswamy, Rastogi and
                  Shim, "Efficient Algorithms for Mining Outliers from Large Data Sets", SIGMOD 2000).
combined          sqrt(sum w u^2), u = -log of the share of normal records whose score is as high, of reconstruction
                  and of distance, and of linear, isolation and neighbours (w = 4, the others 1) where they are.
================  ==================================================================================================

The code and the distance between a record and its reconstruction show two kinds of anomaly: a record may be unlike
anything that the decoder can make, or like something that it makes only of rare codes (Zong et al., "Deep Autoencoding
Gaussian Mixture Model", ICLR 2018, section 3, puts both into one density). In tables a record is also anomalous by one
rare value (isolation), by breaking a relation between columns (linear), or by having few others around it (neighbours);
a network that is trained on some hundred rows learns these late. u is near 0 for the lower half of the scores, so that
a low score of one kind does not make up for a high one of another. Shares are those among records that the model was
not trained on; beyond four fifths of them the tail is that of an exponential law with the same mean excess (Pickands,
"Statistical Inference Using Extreme Order Statistics", Annals of Statistics 3, 1975, with shape 0), so that the most
anomalous records are still told apart.

Records to learn from may hold outliers, and these would pass for normal. A single Gaussian is therefore fitted again,
some times, to the four fifths that were likeliest: the concentration steps of Rousseeuw and Van Driessen, "A Fast
Algorithm for the Minimum Covariance Determinant Estimator", Technometrics 41, 1999, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import documents
from isthmus.density import CodeDensity
from isthmus.errors import ArtifactError
from isthmus.graph import nearest_rows
from isthmus.preprocessing import Features
from isthmus.tasks.detect.isolation import Forest

__all__ = [
    "SCORERS",
    "Ellipsoid",
    "Neighbours",
    "Residuals",
    "ScoreDistribution",
    "Scorer",
    "combined",
    "density_of",
    "fit_scorers",
]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

BLUR = 1 / 28  # deviation of the blur, as a share of the shorter side of a picture
SHARED = 1.0  # weight of the mean over features in s_j^2
COMPONENTS = 10  # Gaussians of the mixture, at most
ROWS_A_NUMBER = 20  # codes for each of d + 1 numbers, below which there are fewer Gaussians
ROWS = 10_000  # codes that the mixture is fitted to, at most
RIDGE = 1e-3  # added to variances of codes, as a share of their mean
TINY = 1e-12
KEPT = 0.8  # share of the records, the likeliest, that Gaussians are fitted to again
CONCENTRATIONS = 4  # times
NUMBERS = 500  # quantities in a row, at most, for linear, isolation and neighbours
NEAREST = 20  # the neighbour whose distance counts
REFERENCES = 4000  # records that neighbours are looked for among
KNOTS = np.linspace(0, 0.8, 33)  # shares whose quantiles are kept; beyond the last one is the tail
WEIGHTS = {"neighbours": 4.0}  # of u^2; 1 of every other score


@dataclass(frozen=True)
class Residuals:
    """How far records may be from their reconstructions, feature by feature.

    Parameters
    ----------
    spread : array, shape (d,)
        s_j^2 of quantities; of categories the share of records on which they come back wrong.
    """

    spread: Float64

    @classmethod
    def learn(cls, features: Features, pairs: Iterable[tuple[Float64, Float64]]) -> Self:
        """Return the spread over records that the model was not trained on.

        Parameters
        ----------
        features : Features
        pairs : iterable of (x, r)
            Records and their reconstructions as the network sees them, both (b, d), block by block.
        """
        total, n, is_class = np.zeros(len(features.is_class)), 0, features.is_class
        for x, r in pairs:
            total += np.where(is_class, x != r, np.square(_difference(features, x, r))).sum(axis=0)
            n += len(x)
        mean = total / n
        shared = SHARED * mean[~is_class].mean() if not is_class.all() else 0.0
        wrong = (total + 1) / (n + 2)  # never 0 nor 1
        return cls(np.where(is_class, wrong, mean + shared + TINY))

    def parts(self, features: Features, x: Float64, r: Float64) -> Float64:
        """Return e_j of records and their reconstructions, both (b, d)."""
        wrong = np.where(features.is_class, self.spread, 0.5)
        surprise = np.where(x != r, -2 * np.log(wrong), -2 * np.log1p(-wrong))
        errors = np.where(features.is_class, surprise, np.square(_difference(features, x, r)) / self.spread)
        has_mask = np.flatnonzero(features.mask >= 0)
        errors[:, has_mask] *= x[:, features.mask[has_mask]] > 0
        return errors

    def anomaly_score(self, features: Features, x: Float64, r: Float64) -> Float64:
        """Return log sum_j e_j of each record, (b,)."""
        return np.log(self.parts(features, x, r).sum(axis=1) + TINY)


def _difference(features: Features, x: Float64, r: Float64) -> Float64:
    """Return x - r, (b, d), blurred along the sides of pictures."""
    if features.picture is None:
        return x - r
    from scipy.ndimage import gaussian_filter

    deviation = BLUR * min(features.picture[1:])
    pictures = (x - r).reshape(len(x), *features.picture)
    return np.asarray(gaussian_filter(pictures, (0, 0, deviation, deviation))).reshape(len(x), -1)


def density_of(codes: Float32, seed: int) -> CodeDensity:
    """Return the mixture of Gaussians of some codes, (n, d); one alone is concentrated."""
    n, d = codes.shape
    some = codes[np.sort(np.random.default_rng(seed).permutation(n)[:ROWS])]
    components = int(np.clip(n // (ROWS_A_NUMBER * (d + 1)), 1, COMPONENTS))
    density = CodeDensity.fit(some, seed, components=components, ridge=RIDGE)
    # Of several Gaussians none is: rare kinds of normal records would be left out with the outliers.
    for _ in range(CONCENTRATIONS if components == 1 else 0):
        density = CodeDensity.fit(_lowest(some, -density.log_prob(some)), seed, components=components, ridge=RIDGE)
    return density


def _lowest(rows: Any, scores: Float64) -> Any:
    """Return the rows whose anomaly score is below its 80 % quantile."""
    return rows[scores <= np.quantile(scores, KEPT)]


@dataclass(frozen=True)
class Ellipsoid:
    """Mean and covariance of rows of numbers, fitted robustly by concentration steps.

    Parameters
    ----------
    mean : array, shape (d,)
    whitening : array, shape (d, d)
        W with S^-1 = W W^T.
    """

    mean: Float64
    whitening: Float64

    @classmethod
    def learn(cls, x: Float64) -> Self:
        """Return it for some rows, (n, d)."""
        found = cls._fit(x, spread := np.maximum(x.std(axis=0), TINY))
        for _ in range(CONCENTRATIONS):
            found = cls._fit(_lowest(x, found.anomaly_score(x)), spread)
        return found

    @classmethod
    def _fit(cls, x: Float64, spread: Float64) -> Self:
        mean = x.mean(axis=0)
        unit = (x - mean) / spread
        covariance = unit.T @ unit / len(x) + RIDGE * np.eye(len(mean))
        return cls(mean, np.linalg.inv(np.linalg.cholesky(covariance)).T / spread[:, None])

    def anomaly_score(self, x: Float64) -> Float64:
        """Return log (x - m)^T S^-1 (x - m) of rows, (n, d) -> (n,)."""
        # einsum, unlike a matrix product, sums every row in the same order whatever the number of rows.
        return np.asarray(np.log(np.square(np.einsum("nd,de->ne", x - self.mean, self.whitening)).sum(axis=1) + TINY))

    def state(self) -> documents.State:
        """Return what a file holds: numbers and arrays."""
        return {}, {"mean": self.mean, "whitening": self.whitening}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Return what :meth:`state` described."""
        mean = documents.array(arrays, "mean", (None,))
        return cls(mean, documents.array(arrays, "whitening", (len(mean), len(mean))))


@dataclass(frozen=True)
class Neighbours:
    """Records that others are measured by their distance to.

    Parameters
    ----------
    rows : array, shape (n, d)
    """

    rows: Float32

    @classmethod
    def learn(cls, x: Float64, seed: int) -> Self:
        """Return it for some rows, (n, d)."""
        some = np.sort(np.random.default_rng(seed).permutation(len(x))[:REFERENCES])
        return cls(x[some].astype(np.float32))

    def anomaly_score(self, x: Float64) -> Float64:
        """Return the log of the distance to the 20th nearest, or the farthest of fewer, (n, d) -> (n,)."""
        _, distances = nearest_rows(self.rows, NEAREST, x.astype(np.float32))
        return np.log(distances[:, -1].astype(np.float64) + TINY)

    def state(self) -> documents.State:
        """Return what a file holds: numbers and arrays."""
        return {}, {"rows": self.rows}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Return what :meth:`state` described."""
        return cls(documents.array(arrays, "rows", (None, None)))


Scorer = Ellipsoid | Forest | Neighbours

SCORERS: dict[str, type[Scorer]] = {"linear": Ellipsoid, "isolation": Forest, "neighbours": Neighbours}


def fit_scorers(features: Features, blocks: Iterable[Float64], seed: int) -> dict[str, Scorer]:
    """Return the scorers of records' own numbers, by name; none for pictures, and for too many numbers.

    Parameters
    ----------
    features : Features
    blocks : iterable of ndarray, (b, d)
        Records as the network sees them.
    seed : int
    """
    if features.picture is not None or not 1 < (~features.is_class).sum() <= NUMBERS:
        return {}
    x = np.concatenate([block[:, ~features.is_class] for block in blocks])
    return {
        "linear": Ellipsoid.learn(x),
        "isolation": Forest.grow(x, seed),
        "neighbours": Neighbours.learn(x, seed),
    }


@dataclass(frozen=True)
class ScoreDistribution:
    """Distribution of the anomaly scores of records that the model was not trained on.

    Parameters
    ----------
    knots : array, shape (33,)
        Quantiles of the scores, from the smallest to that of four fifths.
    excess : float
        By how much the last fifth exceeds the last knot, on average.
    """

    knots: Float64
    excess: float

    @classmethod
    def learn(cls, scores: Float64) -> Self:
        """Return it for the scores of some records."""
        knots = np.quantile(scores, KNOTS)
        beyond = scores[scores > knots[-1]] - knots[-1]
        excess = float(beyond.mean()) if len(beyond) else float(scores.std())
        return cls(knots, max(excess, TINY))

    @classmethod
    def of(cls, arrays: dict[str, NDArray[Any]], name: str, excess: float) -> Self:
        """Return it with the knots of a file."""
        knots = documents.array(arrays, name, KNOTS.shape)
        if excess <= 0 or (np.diff(knots) < 0).any():
            raise ArtifactError(f"its array {name!r} must rise, and its excess be above 0")
        return cls(knots, excess)

    def surprisal(self, scores: Float64) -> Float64:
        """Return u, minus the log of the share of those records with as high a score or a higher one."""
        within = -np.log1p(-np.interp(scores, self.knots, KNOTS))
        return np.asarray(within + np.maximum(scores - self.knots[-1], 0.0) / self.excess)


def combined(distributions: dict[str, ScoreDistribution], scores: dict[str, Float64]) -> Float64:
    """Return the root of the weighted sum of squares of u, over all scores."""
    names = sorted(distributions)  # whatever a file's order
    u = {name: distributions[name].surprisal(scores[name]) for name in names}
    squares: Any = sum(WEIGHTS.get(name, 1.0) * np.square(u[name]) for name in names)
    return np.asarray(np.sqrt(squares))
