"""The inner form of records: it goes in and out once, and says of them what the outer calls say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from isthmus import VAE, Autoencoder, data
from isthmus.encoded import Encoded

SMALL: dict[str, Any] = {"hidden": (8,), "latent_dim": 2, "max_epochs": 2, "random_state": 0}


def people(n: int = 90) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(n)],
            "height": rng.normal(170, 10, n).round(1),
            "children": rng.integers(0, 5, n),
            "city": rng.choice(["Rome", "Oslo", "Lima"], n),
        },
        index=np.arange(n) + 500,
    )
    frame.loc[501::7, "height"] = np.nan
    return frame


def pictures(n: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 5, 4, 3), dtype=np.uint8)


def of_several_sizes() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (8 + 4 * (i % 2), 12), dtype=np.uint8) for i in range(24)]


KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "array": (np.random.default_rng(0).normal(size=(90, 5)).astype(np.float32), SMALL),
    "integers": (np.random.default_rng(0).integers(0, 9, (90, 5)), SMALL),
    "pictures": (pictures(), SMALL),
    "table": (people(), SMALL),
    "text": (["so it goes"[: 3 + i % 7] for i in range(60)], SMALL),
    "several sizes": (of_several_sizes(), {"max_epochs": 1, "random_state": 0}),
}


def fitted(kind: str) -> tuple[Any, Any]:
    X, options = KINDS[kind]
    opened = data.open(X, sizes="group") if kind == "several sizes" else X
    return Autoencoder(**options).fit(opened), opened


def equal(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    elif isinstance(one, list):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    else:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_inside_and_outside_say_the_same(kind: str) -> None:
    model, X = fitted(kind)
    records = model.encoded(X)
    codes, back = model.crossed(records)
    equal(model.codes_of(records), model.transform(X))
    equal(codes, model.transform(X))
    equal(back.container(), model.reconstruct(X))
    equal(model.reconstructed(records).container(), model.reconstruct(X))
    np.testing.assert_array_equal(model.log_probs(records), model.score_samples(X))
    sizes = [picture.shape[:2] for picture in X.chunk(0, len(X))] if kind == "several sizes" else None
    if kind != "table":  # ids are those of the records, which no code knows
        equal(model.decoded(codes, sizes=sizes).container(), model.reconstruct(X))


@pytest.mark.parametrize("kind", KINDS)
def test_records_come_back(kind: str) -> None:
    model, X = fitted(kind)
    records = model.encoded(X)
    given = [*X.chunk(0, len(X))] if kind == "several sizes" else X
    equal(records.container(), given)
    equal(records.snapped().container(), given)
    rows = np.array([3, 3, 0])
    some = records.take(rows)
    assert len(some) == 3
    expected = given.iloc[rows] if kind == "table" else [given[row] for row in rows]
    equal(some.container(), expected if isinstance(given, pd.DataFrame | list) else np.stack(expected))


def test_rows_are_what_the_network_sees_and_categories_indicators() -> None:
    model, X = fitted("table")
    records = model.encoded(X)
    x = model.module_.scale(data_tensor(records)).numpy()
    numbers = [field.index for field in model.preprocessor_.fields_ if field.kind != "category"]
    np.testing.assert_allclose(records.scaled[:, numbers], x[:, numbers], rtol=1e-5, atol=1e-6)
    rows = records.one_hot
    widths = [field.size for field in model.preprocessor_.fields_]
    assert rows.shape == (len(X), sum(widths))
    start = sum(widths[:-1])
    assert (rows[:, start:].sum(axis=1) == 1).all()
    again = Encoded.from_one_hot(rows, model.preprocessor_)
    np.testing.assert_allclose(again.array, records.array, rtol=1e-5)


def data_tensor(records: Encoded) -> Any:
    import torch

    return torch.from_numpy(records.array)


def test_marked_places_take_the_values_of_others() -> None:
    model, X = fitted("array")
    records, other = model.encoded(X), model.encoded(X[::-1].copy())
    marked = np.zeros(X.shape, bool)
    marked[:, 2] = True
    mixed = records.put(marked, other).container()
    np.testing.assert_array_equal(mixed[:, 2], X[::-1, 2])
    np.testing.assert_array_equal(np.delete(mixed, 2, axis=1), np.delete(X, 2, axis=1))


def test_new_records_are_those_that_sample_returns() -> None:
    model = VAE(**SMALL).fit(people())
    equal(model.sampled(7, random_state=3).container(), model.sample(7, random_state=3))
