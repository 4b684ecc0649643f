"""Imputation: draws against a linear Gaussian model's own conditional law, intervals that hold, types exactly."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_wine

import isthmus
from isthmus import VAE, Autoencoder
from isthmus.errors import DataError, IsthmusWarning, ParameterError, ShapeError
from isthmus.tasks import impute, inpaint

QUICK = {"max_epochs": 30, "random_state": 0, "optimizer": "adamw"}


@pytest.fixture(scope="module")
def linear():
    """Return a linear Gaussian model of five numbers and two codes, fitted to numbers of that law."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 2)) @ rng.normal(size=(2, 5)) + 0.5 * rng.normal(size=(2000, 5)) + 3
    model = isthmus.VAE(latent_dim=2, hidden=(), likelihood="gaussian", max_epochs=40, random_state=0)
    return model.fit(X.astype(np.float32)), X.astype(np.float32)


def law_of(model):
    """Return mean and covariance of the records that a linear VAE draws: p(x) = N(b, W W^T + s^2) in units of X."""
    with_codes = np.concatenate([np.zeros((1, 2)), np.eye(2)]).astype(np.float32)
    decoded = model.inverse_transform(with_codes).astype(np.float64)
    bias, weights = decoded[0], (decoded[1:] - decoded[0]).T
    noise = model.draw(np.zeros((200_000, 2), np.float32), random_state=0).astype(np.float64).var(axis=0)
    return bias, weights @ weights.T + np.diag(noise)


@pytest.mark.long
def test_draws_have_the_conditional_mean_and_spread_of_a_linear_gaussian_model(linear):
    model, X = linear
    mean, covariance = law_of(model)
    hole = np.array([1, 3])
    known = np.setdiff1d(np.arange(5), hole)
    marked = np.zeros((200, 5), bool)
    marked[:, hole] = True
    encoded = model.preprocessor_.encode(np.where(marked, X[:200].mean(axis=0), X[:200]))
    draws = np.stack(list(model.conditional_draws(encoded, marked, 1000, random_state=0)))
    gain = covariance[np.ix_(hole, known)] @ np.linalg.inv(covariance[np.ix_(known, known)])
    expected = mean[hole] + (X[:200, known] - mean[known]) @ gain.T
    spread = np.sqrt(np.diag(covariance[np.ix_(hole, hole)] - gain @ covariance[np.ix_(known, hole)]))
    assert np.abs(draws.mean(axis=0)[:, hole] - expected).mean() < 0.1 * spread.mean()
    assert np.allclose(draws[:, :, hole].std(axis=0).mean(axis=0), spread, rtol=0.1)
    assert np.array_equal(draws[0][:, known], X[:200][:, known])


def test_intervals_of_a_linear_model_hold_their_share(linear):
    model, X = linear
    marked = np.random.default_rng(1).random((1000, 5)) < 0.3
    found = impute(model, np.where(marked, np.nan, X[:1000]).astype(np.float32), level=0.8)
    held = ((found.low <= X[:1000]) & (X[:1000] <= found.high))[marked]
    assert abs(held.mean() - 0.8) < 4 * np.sqrt(0.16 / held.size)
    assert (found.low <= found.records)[marked].all()
    assert (found.records <= found.high)[marked].all()


@pytest.mark.long
@pytest.mark.parametrize("name", ["VAE", "Autoencoder"])
def test_better_than_the_mean_on_a_real_table_and_intervals_that_hold(name):
    X = load_breast_cancer().data
    train, test = X[:400], X[400:]
    marked = np.random.default_rng(0).random(test.shape) < 0.2
    model = getattr(isthmus, name)(**QUICK).fit(train)
    found = impute(model, np.where(marked, np.nan, test))

    def error(filled):
        return float(np.square((filled - test) / X.std(axis=0))[marked].mean())

    mean, median = (np.broadcast_to(f(train, axis=0), test.shape) for f in (np.mean, np.median))
    assert error(found.records) < 0.6 * min(error(mean), error(median))
    held = ((found.low <= test) & (test <= found.high))[marked].mean()
    assert 0.86 < held < 0.96
    assert np.array_equal(found.records[~marked], test[~marked])
    assert np.array_equal(found.low[~marked], test[~marked])


def people(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, n)
    city = np.where(age < 40, "Bern", np.where(age < 60, "Oslo", "Rome"))
    return pd.DataFrame(
        {
            "age": pd.array(age, dtype="Int64"),
            "income": np.round(age * 900.0 + rng.normal(0, 900, n), 2),
            "city": pd.Categorical(city),
            "member": pd.array(age > 50, dtype="boolean"),
            "born": pd.to_datetime("2020-01-01") - pd.to_timedelta(age * 365, unit="D"),
        }
    )


@pytest.fixture(scope="module", params=["VAE", "Autoencoder"])
def table_model(request):
    return getattr(isthmus, request.param)(**QUICK).fit(people())


@pytest.mark.long
def test_types_and_categories_of_a_table_come_back_exactly(table_model):
    whole = people()
    marked = np.random.default_rng(0).random(whole.shape) < 0.15
    holes = whole.mask(marked)
    holes = holes.astype(whole.dtypes.to_dict())
    found = impute(table_model, holes)
    for records in (found.records, found.low, found.high):
        assert records.dtypes.equals(whole.dtypes)
        assert not records.isna().any().any()
        pd.testing.assert_frame_equal(records.mask(marked), holes.mask(marked))
    assert np.array_equal(found.marked, marked)
    assert set(found.records["city"]) <= {"Bern", "Oslo", "Rome"}
    assert (found.records["city"] == whole["city"])[marked[:, 2]].mean() > 0.7
    assert (found.low["born"] <= found.high["born"]).all()
    chance = found.chance[marked]
    assert ((chance > 0) & (chance <= 1)).all()
    assert np.isnan(found.chance[~marked]).all()


@pytest.mark.long
@pytest.mark.parametrize("family", ["VAE", "Autoencoder"])
def test_a_table_that_had_empty_cells_in_training_is_never_filled_with_nothing(family):
    holes = people().mask(np.random.default_rng(0).random((400, 5)) < 0.15)
    model = getattr(isthmus, family)(**QUICK).fit(holes)
    found = impute(model, holes)
    assert not found.low.isna().any().any()
    assert not found.high.isna().any().any()
    assert not found.records.isna().any().any()


@pytest.mark.long
def test_pixels(digits):
    model = isthmus.Autoencoder(latent_dim=16, network="dense", **QUICK).fit(digits[:1500])
    hole = np.zeros((8, 8), bool)
    hole[2:5, 2:6] = True
    X = digits[1500:]
    found = impute(model, np.where(hole, 0, X).astype(np.uint8), hole)
    assert found.records.dtype == found.low.dtype == np.uint8
    assert np.array_equal(found.records[:, ~hole], X[:, ~hole])
    assert found.marked.shape == X.shape
    both = np.stack([found.low, found.records, found.high]).astype(int)
    assert (np.diff(both, axis=0) >= 0).all()


def test_colour_pictures_with_a_mask_each():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (60, 6, 5, 3), dtype=np.uint8)
    model = isthmus.VAE(latent_dim=3, max_epochs=1, random_state=0).fit(X)
    mask = rng.random((60, 6, 5)) < 0.2
    found = impute(model, X, mask, draws=4)
    assert np.array_equal(found.records[~mask], X[~mask])
    assert found.marked.shape == X.shape


@pytest.mark.long
@pytest.mark.parametrize("name", ["LadderVAE", "ConditionalVAE", "VAEGAN", "VQVAE"])
def test_other_models(name, digits, digit_labels):
    model = getattr(isthmus, name)(latent_dim=4, max_epochs=1, random_state=0).fit(digits[:200], digit_labels[:200])
    hole = np.zeros((8, 8), bool)
    hole[4:6, 4:6] = True
    found = impute(model, digits[:20], hole, draws=4)
    assert np.array_equal(found.records[:, ~hole], digits[:20][:, ~hole])


@pytest.mark.long
def test_the_same_seed_gives_the_same_draws(linear):
    model, X = linear
    holes = X[:50].copy()
    holes[::3, 0] = np.nan
    a, b, c = (impute(model, holes, random_state=seed).records for seed in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


# ------------------------------------------------------------------ what is refused


def test_nothing_to_fill(linear):
    model, X = linear
    with pytest.raises(ParameterError, match="so mask must say what to fill"):
        impute(model, X)
    with pytest.raises(DataError, match="no empty cell and no marked one, so there is nothing to fill"):
        impute(model, X, np.zeros(5))
    with pytest.raises(ShapeError, match=r"mask must have the shape \(5,\)"):
        impute(model, X, np.ones(4))


def test_parameters(linear):
    model, X = linear
    with pytest.raises(ParameterError, match="impute: level must be a number above 0 and below 1; it is 1"):
        impute(model, X, level=1)
    with pytest.raises(ParameterError, match=r"impute: the model must have the method reconstruct\(\)"):
        impute(object(), X)
    with pytest.raises(ParameterError, match="impute: the model must be fitted"):
        impute(isthmus.VAE(), X)


def test_records_without_cells():
    text = isthmus.Autoencoder(latent_dim=2, max_epochs=1, random_state=0).fit(["one", "two", "three", "four"] * 5)
    with pytest.raises(DataError, match="the data are of kind 'text'"):
        impute(text, ["one"])
    pictures = isthmus.data.open([np.zeros((8 + 8 * (i % 2), 8), np.uint8) for i in range(8)], sizes="group")
    with pytest.raises(ParameterError, match="pictures of several sizes have no intervals"):
        impute(isthmus.Autoencoder(latent_dim=2, max_epochs=1, random_state=0).fit(pictures), pictures)


def test_a_lost_column_is_refused_by_name(table_model):
    holes = people().mask(np.random.default_rng(0).random((400, 5)) < 0.15)
    with pytest.raises(DataError, match="now missing:\n- income"):
        impute(table_model, holes.drop(columns="income"))


@pytest.mark.long
def test_every_column_can_be_empty_in_some_row():
    X = load_wine().data
    model = isthmus.VAE(max_epochs=5, random_state=0).fit(X)
    holes = X.copy()
    holes[3] = np.nan
    assert np.isfinite(impute(model, holes).records).all()


def test_dates_stay_dates(table_model):
    holes = people()
    holes.loc[:20, "born"] = pd.NaT
    born = impute(table_model, holes).records["born"]
    assert born.dt.year.between(1930, 2005).all()
    assert isinstance(born.iloc[0], datetime.datetime)


@pytest.mark.long
def test_what_a_masked_array_hides_is_filled() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=200)
    hidden = np.ma.masked_array(np.stack([first, 2 * first], axis=1), np.zeros((200, 2), bool))
    hidden[::10, 1] = np.ma.masked
    found = impute(None, hidden)
    assert found.marked.sum() == 20
    assert np.abs(found.records[::10, 1] - 2 * first[::10]).mean() < 0.5
    kept = ~np.ma.getmaskarray(hidden)
    np.testing.assert_array_equal(found.records[kept], hidden.data[kept])


def correlated(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(n, 5))
    return pd.DataFrame(X, columns=list("abcde")).assign(job=pd.Series(rng.choice(["x", "y"], n), dtype="str"))


@pytest.mark.long
def test_a_column_that_is_missing_everywhere_is_filled_without_an_interval_and_that_is_said() -> None:
    full = correlated()
    model = VAE(max_epochs=5, random_state=0, device="cpu").fit(full)
    for hollow in (np.nan, None):  # of a type of numbers, and of none
        holes = full.assign(c=hollow)
        with pytest.warns(IsthmusWarning, match="300 cells of column 'c' are filled without an interval"):
            found = impute(model, holes, draws=5)
        assert found.records["c"].notna().all()
        assert int(found.marked.sum()) == 300
        assert found.low["c"].isna().all()
        assert found.high["c"].isna().all()
        assert np.isnan(found.chance[:, 2]).all()
    filled = inpaint(model, full.assign(c=None))
    assert filled["c"].notna().all()
    with pytest.warns(IsthmusWarning, match="300 cells of column 2 are filled without an interval"):
        found = impute(
            Autoencoder(max_epochs=2, random_state=0, device="cpu").fit(full.iloc[:, :5].to_numpy()),
            full.iloc[:, :5].assign(c=np.nan).to_numpy(),
        )
    assert np.isnan(found.high[:, 2]).all()


@pytest.mark.long
def test_what_nothing_can_fill_stays_empty_and_is_not_counted() -> None:
    holes = correlated(200).assign(q=np.nan)
    holes.loc[:99, "a"] = np.nan
    with pytest.warns(IsthmusWarning, match="200 cells of column 'q' stay empty: there is no value in that column"):
        found = impute(None, holes, device="cpu")
    assert int(found.marked.sum()) == 100
    assert found.records["a"].notna().all()
    assert found.records["q"].isna().all()
    X = holes.iloc[:, :5].assign(c=np.nan).to_numpy()
    with pytest.warns(IsthmusWarning, match="200 cells of column 2 stay empty"):
        found = impute(None, X, device="cpu")
    assert np.isnan(found.records[:, 2]).all()
    assert int(found.marked.sum()) == 100
