"""Tables with values that many records share, through everything that a model can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import isthmus
from isthmus import GAN, VAE, Autoencoder, ConditionalVAE
from isthmus.report import evaluate
from isthmus.tasks import Detector, attribute, examine, impute

QUICK: dict[str, Any] = {"hidden": (32,), "max_epochs": 25, "random_state": 0}
CODES = {1, 5, 9, 40}


def shops(n: int = 500, *, holes: bool = False) -> pd.DataFrame:
    """Return a code, an amount that is mostly zero, ages with 999 for "not known", a number and a word."""
    rng = np.random.default_rng(0)
    region = rng.integers(0, 2, n)
    frame = pd.DataFrame(
        {
            "code": np.where(region, rng.choice([1, 40], n), rng.choice([5, 9], n)).astype(np.int32),
            "gain": np.where(rng.random(n) < 0.8, 0.0, rng.lognormal(6, 1, n).round(2)),
            "age": np.where(rng.random(n) < 0.1, 999, rng.integers(18, 90, n)).astype(np.int16),
            "size": rng.normal(2 + region, 0.5, n),
            "region": np.where(region, "north", "south"),
        }
    )
    if holes:
        frame["gain"] = frame["gain"].mask(rng.random(n) < 0.1)
    return frame


@pytest.fixture(scope="module", params=[False, True], ids=["full", "with holes"])
def fitted(request: pytest.FixtureRequest) -> tuple[Any, pd.DataFrame]:
    frame = shops(holes=request.param)
    return VAE(**QUICK).fit(frame), frame


def test_draws_have_the_shares_and_the_types(fitted: tuple[Any, pd.DataFrame]) -> None:
    model, frame = fitted
    drawn = model.sample(2000, random_state=0)
    assert (drawn.dtypes == frame.dtypes).all()
    assert set(drawn["code"]) <= CODES
    for name, value in (("gain", 0), ("age", 999), ("code", 40)):
        assert (drawn[name] == value).mean() == pytest.approx((frame[name] == value).mean(), abs=0.1)
    assert drawn["gain"].isna().mean() == pytest.approx(frame["gain"].isna().mean(), abs=0.06)
    ages = drawn["age"][drawn["age"] != 999]
    assert ages.between(18, 89).all()
    assert ages.mean() == pytest.approx(frame["age"][frame["age"] != 999].mean(), abs=4)


def test_what_comes_back_is_of_the_values(fitted: tuple[Any, pd.DataFrame], tmp_path: Path) -> None:
    model, frame = fitted
    again = model.reconstruct(frame)
    assert (again.dtypes == frame.dtypes).all()
    assert set(again["code"]) <= CODES
    assert np.isfinite(model.score_samples(frame)).all()
    path = tmp_path / "model.safetensors"
    model.save(path)
    loaded = isthmus.load(path)
    np.testing.assert_array_equal(loaded.score_samples(frame), model.score_samples(frame))
    pd.testing.assert_frame_equal(loaded.sample(50, random_state=1), model.sample(50, random_state=1))


def test_tasks(fitted: tuple[Any, pd.DataFrame]) -> None:
    model, frame = fitted
    some = frame.iloc[:60].astype({"gain": float})
    holes = some.copy()
    holes.loc[holes.index[::3], "gain"] = np.nan
    filled = impute(model, holes, draws=20)
    assert not filled.records["gain"].isna().any()
    assert set(filled.records["code"]) <= CODES
    detector = Detector(model=Autoencoder(**QUICK), random_state=0).fit(frame)
    strange = some.assign(code=np.int32(1000), age=np.int16(-500))
    assert (detector.score_samples(strange) < detector.score_samples(some)).mean() > 0.9
    assert attribute(model, some).gap < 0.1  # the sums are complete
    assert examine(model, frame).looked_at
    assert evaluate(model, frame.iloc[:200]).to_dict()


@pytest.mark.parametrize("model", [Autoencoder(**QUICK), ConditionalVAE(**QUICK), GAN(max_epochs=5, random_state=0)])
def test_other_models(model: Any) -> None:
    frame = shops()
    y = frame.pop("region") if isinstance(model, ConditionalVAE) else None
    drawn = model.fit(frame, y).sample(300, random_state=0)
    assert (drawn.dtypes == frame.dtypes).all()
    assert set(drawn["code"]) <= CODES
    assert 0.4 < (drawn["gain"] == 0).mean() < 1


def test_rows_of_numbers_without_names() -> None:
    frame = shops().drop(columns="region")
    X = frame.to_numpy(float)
    model = VAE(**QUICK).fit(X)
    assert model.likelihood_reason_.startswith("table, because many records share values")
    drawn = model.sample(2000, random_state=0)
    assert np.isin(drawn[:, 0], list(CODES)).mean() > 0.98
    assert (drawn[:, 1] == 0).mean() == pytest.approx(0.8, abs=0.1)
    assert (model.reconstruct(X)[:, 1] == 0).mean() > 0.5
    # A table of the same numbers has the same likelihood, give or take the noise of training.
    named = VAE(**QUICK).fit(frame.astype(float))
    assert model.score(X) == pytest.approx(named.score(frame.astype(float)), abs=1.5)


def test_the_density_is_that_of_the_data_whatever_the_scaling() -> None:
    """A column times ten is log(10) nats less likely, where it is no atom, with quantiles as with deviations."""
    frame = shops()
    for scaling in ("standard", "quantile"):
        model = VAE(scaling=scaling, **QUICK).fit(frame)
        tenfold = frame.assign(gain=10 * frame["gain"])
        other = VAE(scaling=scaling, **QUICK).fit(tenfold)
        change = model.score_samples(frame) - other.score_samples(tenfold)
        assert change[frame["gain"] == 0].mean() == pytest.approx(0, abs=0.15)
        assert change[frame["gain"] != 0].mean() == pytest.approx(np.log(10), abs=0.3)
