"""Columns of a table that no code holds: from the rows themselves where they are at hand, else as in training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import isthmus


def frame(n: int = 40, country: str = "nowhere") -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(20, 70, n)
    return pd.DataFrame(
        {
            "id": [f"person-{index}" for index in range(n)],
            "age": age,
            "number": np.arange(100, 100 + n),
            "income": age * 900.0,
            "country": [country] * n,
        }
    )


@pytest.fixture(scope="module")
def model():
    return isthmus.Autoencoder(latent_dim=1, max_epochs=1, random_state=0).fit(frame())


def test_they_come_back_from_the_rows(model):
    assert set(model.preprocessor_.set_aside_) == {"id", "number", "country"}
    rows = frame(12, "elsewhere").iloc[::-1]
    back = model.reconstruct(rows)
    for name in ("id", "number", "country"):
        assert back[name].tolist() == rows[name].tolist()
    assert (back.dtypes == rows.dtypes).all()


def test_an_empty_cell_of_a_constant_column_is_the_constant(model):
    rows = frame(12)
    rows.loc[3, "country"] = None
    rows.loc[4, "id"] = None
    back = model.reconstruct(rows)
    assert back["country"].tolist() == ["nowhere"] * 12
    assert back["id"].isna().tolist() == [index == 4 for index in range(12)]


def test_codes_alone_know_nothing_of_them(model):
    back = model.inverse_transform(model.transform(frame(12)))
    assert back["id"].isna().all()
    assert (back["number"] == 0).all()
    assert back["country"].tolist() == ["nowhere"] * 12
