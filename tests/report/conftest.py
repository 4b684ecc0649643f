"""A stand-in model: PCA behind the calls that every model has, so that reports are tested without training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA

import isthmus.data
from isthmus import preprocessing
from isthmus.encoded import Encoded


class LinearModel(BaseEstimator):
    """Encoded records, flattened, scaled and projected on their principal components."""

    def __init__(self, *, latent_dim: int = 4, random_state: int = 0) -> None:
        self.latent_dim = latent_dim
        self.random_state = random_state

    def fit(self, X: Any, labels: Any = None) -> LinearModel:
        data = isthmus.data.open(X, labels=labels)
        self.schema_ = data.schema
        self.preprocessor_ = preprocessing.for_data(data).fit(data)
        self.preprocessor_.rescale("none" if data.schema.kind == "text" else "standard", data)
        if data.schema.kind in ("array", "image") and self.preprocessor_.summary_.integers:
            self.preprocessor_.rescale("unit", data)
        rows = self._rows(data)
        self.latent_ = min(self.latent_dim, *rows.shape)
        self.pca_ = PCA(self.latent_, random_state=0).fit(rows)
        self.code_shape_ = (self.latent_,)
        self.likelihood_reason_ = "gaussian, because the stand-in is linear"
        self.notes_ = ["one thing was set aside while fitting"]
        self.history_ = [
            {
                "epoch": epoch,
                "seconds": 0.1 * epoch,
                "learning_rate": 0.01 / epoch,
                "train_loss": 10.0 / epoch,
                "validation_loss": 11.0 / epoch + 0.05 * epoch,
            }
            for epoch in range(1, 21)
        ]
        self.scores_: dict[str, Any] = {}
        self.provenance_ = {
            "isthmus": "0",
            "seed": 0,
            "device": "cpu",
            "threads": 2,
            "fingerprint": "ab" * 32,
            "seconds": 12.5,
            "command": ["isthmus", "fit", "my data.csv", "--seed", "0"],
        }
        return self

    def encoded(self, X: Any) -> Encoded:
        data = isthmus.data.open(X)
        return Encoded(self.preprocessor_.encode(data.chunk(0, len(data))), self.preprocessor_, data)

    def encoded_blocks(self, X: Any) -> Iterator[Encoded]:
        yield self.encoded(X)

    def _rows(self, data: Any) -> np.ndarray:
        return self.encoded(data).scaled

    def transform(self, X: Any) -> np.ndarray:
        return self.pca_.transform(self._rows(isthmus.data.open(X))).astype(np.float32)

    def inverse_transform(self, Z: np.ndarray) -> Any:
        rows = self.pca_.inverse_transform(np.asarray(Z, np.float64)).reshape(len(Z), *self.preprocessor_.shape_)
        encoded = (rows / self.preprocessor_.factor_ + self.preprocessor_.shift_).astype(np.float32)
        return isthmus.data.restore(self.preprocessor_.decode(encoded), self.schema_)

    def reconstruct(self, X: Any) -> Any:
        return self.inverse_transform(self.transform(X))

    def score_samples(self, X: Any) -> np.ndarray:
        rows = self._rows(isthmus.data.open(X))
        return -0.5 * np.square(rows - self.pca_.inverse_transform(self.pca_.transform(rows))).sum(axis=1)


@dataclass(frozen=True, eq=False)
class AsGiven(Encoded):
    """Encoded records that come back as they were given, whatever the preprocessor makes of them."""

    block_given: Any = None

    def snapped(self) -> Encoded:
        return self

    def block(self) -> Any:
        return self.block_given


class DrawingModel(LinearModel):
    """The same, which draws new records: from a Gaussian of its codes, or those of a list that it is given."""

    has_prior = True
    given: Any = None

    def sample(self, n: int, *, random_state: int) -> Any:
        if self.given is not None:
            return self.given[:n]
        codes = np.random.default_rng(random_state).normal(size=(n, self.latent_))
        return self.inverse_transform(codes * np.sqrt(self.pca_.explained_variance_))

    def sampled(self, n: int, *, random_state: int) -> Encoded:
        drawn = self.sample(n, random_state=random_state)
        return AsGiven(
            self.encoded(drawn).values, self.preprocessor_, block_given=isthmus.data.to_block(drawn, self.schema_)
        )

    def fingerprint(self, data: Any) -> str:
        return "of other records"


@pytest.fixture(scope="session")
def drawing_model() -> Callable[..., DrawingModel]:
    """Return the class of the stand-in that draws."""
    return DrawingModel


@pytest.fixture
def drawing(images: tuple[np.ndarray, ...]) -> DrawingModel:
    """Return the stand-in that draws, fitted on digits: eight numbers a code."""
    return DrawingModel(latent_dim=8).fit(images[0])


@pytest.fixture(scope="session")
def linear_model() -> Callable[..., LinearModel]:
    """Return the stand-in's class."""
    return LinearModel


@pytest.fixture(scope="session")
def images(digits: np.ndarray, digit_labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Training images, held-out images, and the classes of those."""
    return digits[:400], digits[400:600], digit_labels[400:600]


@pytest.fixture(scope="session")
def image_model(images: tuple[np.ndarray, ...]) -> LinearModel:
    """Return the stand-in on digits, eight numbers a code."""
    return LinearModel(latent_dim=8).fit(images[0])


def make_frame(n: int, seed: int) -> pd.DataFrame:
    """Return a table with every kind of column, among them an id and a constant."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    return pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.1, np.nan, np.round(40 + 12 * z[:, 0])),
            "income <k$>": np.exp(3 + 0.5 * z[:, 0] + 0.2 * z[:, 1]),
            "city": np.array(["Basel", "Bern", "Zürich"])[np.clip((z[:, 1] + 1.5).astype(int), 0, 2)],
            "member": z[:, 0] > 0,
            "born": pd.Timestamp("1990-01-01") + pd.to_timedelta(np.round(z[:, 1] * 1000), unit="D"),
            "id": [f"u{seed}-{row:05d}" for row in range(n)],
            "always": 1,
            "_n_": pd.array(rng.integers(0, 5, n), dtype="Int64"),
        }
    )


@pytest.fixture(scope="session")
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and held-out rows of one table."""
    return make_frame(300, 0), make_frame(80, 1)


@pytest.fixture(scope="session")
def texts() -> tuple[list[str], list[str]]:
    """Training and held-out sentences, one with markup and some with umlauts."""
    all_of_them = [
        f"{a} {b} {c}"
        for a in ("the red", "a blue", "one green", "no")
        for b in ("fox", "dog", "bird", "cow")
        for c in ("runs", "<b>sleeps</b>", "eats well", "is süß")
    ]
    order = np.random.default_rng(0).permutation(len(all_of_them))
    chosen = [all_of_them[place] for place in order]
    return chosen[:44], chosen[44:]


@pytest.fixture(params=["image", "array", "table", "text"])
def any_kind(request: pytest.FixtureRequest) -> tuple[LinearModel, Any, Any]:
    """Return a fitted stand-in, its training records and held-out ones, of each kind of data."""
    if request.param == "image":
        train, test, _ = request.getfixturevalue("images")
        return request.getfixturevalue("image_model"), train, test
    if request.param == "array":
        train = request.getfixturevalue("blobs")[:150]
        return LinearModel(latent_dim=2).fit(train), train, request.getfixturevalue("blobs")[150:]
    train, test = request.getfixturevalue("frames" if request.param == "table" else "texts")
    return LinearModel(latent_dim=3).fit(train), train, test
