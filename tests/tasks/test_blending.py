"""Filling by what other columns and the model say: against closed forms, scikit-learn, and laws drawn from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import KNNImputer

import isthmus
from isthmus import data
from isthmus.tasks import impute
from isthmus.tasks.blending import _holes, _model_weight, _weights
from isthmus.tasks.cells import Cells
from isthmus.tasks.regressions import gaussian, neighbours, predictions, trees

QUICK = {"max_epochs": 3, "random_state": 0}


def law(n: int, d: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of a Gaussian law of mean 0, and its covariance."""
    mixing = np.random.default_rng(100).normal(size=(d, d)) + np.eye(d)
    return np.random.default_rng(seed).normal(size=(n, d)) @ mixing.T, mixing @ mixing.T


def with_holes(x: np.ndarray, share: float = 0.2, seed: int = 1) -> np.ndarray:
    marked = np.random.default_rng(seed).random(x.shape) < share
    marked[marked.all(axis=1)] = False
    return np.where(marked, np.nan, x)


def slices(d: int) -> list[slice]:
    return [slice(j, j + 1) for j in range(d)]


# ------------------------------------------------------------------ regressions


def test_the_gaussian_has_the_conditional_mean_of_the_law():
    x, covariance = law(1500)
    holes = with_holes(x)
    found = gaussian(holes, np.random.default_rng(0))
    missing = np.isnan(holes)
    expected = np.zeros_like(x)
    for row, empty in zip(np.arange(len(x)), missing, strict=True):
        if empty.any():
            gain = np.linalg.solve(covariance[np.ix_(~empty, ~empty)], covariance[np.ix_(~empty, empty)])
            expected[row, empty] = x[row, ~empty] @ gain
    apart = (found - expected)[missing]
    error = (x - expected)[missing]
    assert np.square(apart).mean() < 0.05 * np.square(error).mean()
    assert np.array_equal(found[~missing], x[~missing])


def test_more_columns_than_one_gaussian_holds_are_taken_with_their_like():
    base = np.random.default_rng(0).normal(size=(300, 60))
    x = np.concatenate([base, base + 0.1 * np.random.default_rng(1).normal(size=base.shape)], axis=1)
    holes = with_holes(x, 0.05)
    missing = np.isnan(holes)
    found = gaussian(holes, np.random.default_rng(0))
    assert np.square(found - x)[missing].mean() < 0.2


def test_neighbours_are_those_of_scikit_learn():
    holes = with_holes(law(200)[0])
    theirs = KNNImputer(n_neighbors=10, weights="distance").fit_transform(holes)
    assert np.allclose(neighbours(holes, np.random.default_rng(0)), theirs)


def test_trees_say_something_of_empty_cells_only_and_learn_what_is_not_linear():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 3))
    x[:, 2] = np.abs(x[:, 0]) - 0.8
    holes = x.copy()
    holes[::5, 2] = np.nan
    said = predictions(holes, slices(3), 0)
    found, spread = said.values["trees"], said.spread
    assert np.isfinite(found[::5, 2]).all()
    assert np.isnan(found).sum() == found.size - 160
    assert np.square(found - x)[::5, 2].mean() < 0.3 * np.square(said.values["gaussian"] - x)[::5, 2].mean()
    assert (spread[::5, 2] >= 0).all()


def test_a_column_alone_has_no_trees():
    found, _ = trees(with_holes(np.zeros((30, 1))), np.zeros((30, 1)), slices(1), np.random.default_rng(0))
    assert np.isnan(found).all()


# ------------------------------------------------------------------ weights


def test_weights_are_of_least_squares_and_near_shared_ones_where_there_is_little_to_go_by():
    rng = np.random.default_rng(0)
    said = rng.normal(size=(20_000, 3))
    truth = said @ [0.2, 0.7, 0.0] + rng.normal(size=20_000)
    assert np.allclose(_weights(said, truth, np.array([1.0, 0.0, 0.0])), [0.2, 0.7, 0.0], atol=0.05)
    shared = np.array([0.5, 0.25, 0.25])
    assert np.allclose(_weights(said[:0], truth[:0], shared), shared, atol=1e-6)
    silent = np.where([True, True, False], said, np.nan)
    assert _weights(silent, truth, shared)[2] == 0


def test_the_weight_of_a_model_is_between_none_and_all():
    rng = np.random.default_rng(0)
    base, truth = rng.normal(size=5000), rng.normal(size=5000)
    assert _model_weight(base, truth, truth, 0.0) > 0.95
    assert _model_weight(truth, base, truth, 0.0) < 0.05
    assert _model_weight(base, np.full(5000, np.nan), truth, 0.3) == 0.3


def test_columns_that_are_missing_together_are_hidden_together():
    marked = np.zeros((400, 5), bool)
    marked[::4, :3] = True
    hidden = _holes(~marked, marked, np.ones(5, bool), np.random.default_rng(0))
    assert hidden.any()
    assert not (hidden & marked).any()
    assert set(hidden[hidden.any(axis=1)][:, :3].sum(axis=1)) == {3}
    assert not hidden[:, 3:].any()


# ------------------------------------------------------------------ the whole


def frame(n: int, seed: int = 0) -> pd.DataFrame:
    """Return a table whose columns follow from one another, one of them not linearly, and one with an uneven error."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "x": x,
            "bent": np.sin(2 * x) + 0.1 * rng.normal(size=n),
            "uneven": x + np.exp(x / 2) * rng.normal(size=n),
            "count": pd.array(np.rint(20 + 5 * x + rng.normal(size=n)).astype(int), dtype="Int64"),
            "kind": np.where(x < -0.5, "low", np.where(x < 0.7, "middle", "high")),
            "day": pd.Timestamp("2024-03-01") + pd.to_timedelta(np.rint(30 * x), unit="D"),
        }
    )


@pytest.fixture(scope="module")
def filled():
    """Return a table, what is missing of it, and what is filled in without a model."""
    whole = frame(1500)
    marked = np.random.default_rng(5).random(whole.shape) < 0.2
    marked[marked.all(axis=1)] = False
    holes = whole.mask(marked).astype(whole.dtypes.to_dict())
    return whole, holes, marked, impute(None, holes, random_state=0)


@pytest.mark.long
def test_each_column_says_what_filled_it_and_how_far_off_that_is(filled):
    whole, _, marked, found = filled
    assert [fit.name for fit in found.columns] == list(whole.columns)
    for index, fit in enumerate(found.columns):
        assert fit.filled == marked[:, index].sum()
        assert set(fit.weights) == {"gaussian", "neighbours", "trees", "model"}
        assert fit.hidden >= 50
        assert fit.error < 0.95 * fit.baseline_error
    bent = next(fit for fit in found.columns if fit.name == "bent")
    truth, guess = (records["bent"].to_numpy()[marked[:, 1]] for records in (whole, found.records))
    assert np.sqrt(np.square(guess - truth).mean()) == pytest.approx(bent.error, rel=0.35)
    assert bent.weights["trees"] + bent.weights["neighbours"] > bent.weights["gaussian"]


def test_what_is_filled_is_better_than_the_mean_and_of_the_same_types(filled):
    whole, holes, marked, found = filled
    assert found.records.dtypes.equals(whole.dtypes)
    assert not found.records.isna().any().any()
    pd.testing.assert_frame_equal(found.records.mask(marked), holes.mask(marked))
    right = (found.records["kind"] == whole["kind"])[marked[:, 4]].mean()
    assert right > whole["kind"].value_counts(normalize=True).max() + 0.15
    days = (found.records["day"] - whole["day"]).dt.days.to_numpy()[marked[:, 5]]
    assert np.sqrt(np.square(days).mean()) < 20
    assert np.array_equal(found.records["day"].dt.normalize(), found.records["day"])


def test_intervals_hold_their_share_and_are_wide_where_cells_are_hard_to_tell(filled):
    whole, _, marked, found = filled
    held, cells = 0, 0
    for column in ("x", "bent", "uneven"):
        its = marked[:, whole.columns.get_loc(column)]
        low, high, truth = (records[column].to_numpy()[its] for records in (found.low, found.high, whole))
        held, cells = held + ((low <= truth) & (truth <= high)).sum(), cells + len(truth)
    assert abs(held / cells - 0.9) < 0.02 + 4 * np.sqrt(0.09 / cells)
    its = marked[:, 2] & ~marked[:, 0]
    width = (found.high["uneven"] - found.low["uneven"]).to_numpy()[its]
    large = whole["x"].to_numpy()[its] > 0.5
    assert width[large].mean() > 1.3 * width[~large].mean()
    assert np.isfinite(found.chance[marked]).all()


def test_a_model_has_no_say_in_records_that_it_was_fitted_on():
    holes = frame(90).drop(columns=["day"]).mask(np.random.default_rng(0).random((90, 5)) < 0.15)
    model = isthmus.Autoencoder(**QUICK).fit(holes)
    assert all(fit.weights["model"] == 0 for fit in impute(model, holes).columns)
    other = isthmus.Autoencoder(**QUICK).fit(frame(300, seed=3).drop(columns=["day"]))
    assert all(0 <= fit.weights["model"] <= 1 for fit in impute(other, holes).columns)


def test_a_column_of_which_little_is_known_and_a_row_alone_are_filled_by_the_model():
    x = law(200)[0]
    model = isthmus.VAE(**QUICK).fit(x)
    few = x.copy()
    few[5:, 0] = np.nan
    few[::3, 1] = np.nan
    found = impute(model, few)
    assert [fit.name for fit in found.columns] == ["column 1"]
    assert np.isfinite(found.records).all()
    unsure = np.isnan(found.low)  # five known cells do not tell how far off the others are
    np.testing.assert_array_equal(unsure, np.isnan(few) & (np.arange(6) == 0))
    assert (found.low <= found.records)[~unsure].all()
    alone = few[:1].copy()
    alone[0, 2] = np.nan
    assert impute(model, alone).columns == ()


@pytest.mark.long
def test_small_whole_numbers_do_not_wrap_around():
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, 300)
    x = np.clip(np.stack([base, base + rng.integers(-3, 4, 300), 255 - base], axis=1), 0, 255).astype(np.uint8)
    marked = rng.random(x.shape) < 0.2
    marked[marked.all(axis=1)] = False
    found = impute(None, x, marked)
    assert found.records.dtype == found.low.dtype == np.uint8
    assert np.abs(found.records.astype(int) - x)[marked].mean() < 20
    assert (found.low <= found.records).all()
    assert (found.records <= found.high).all()
    table = pd.DataFrame(x).add_prefix("c")
    ends = impute(None, table, marked)
    assert ends.low.dtypes.equals(table.dtypes)
    assert (ends.low <= ends.high).all().all()


def test_cells_become_numbers_and_come_back():
    opened = data.open(frame(50))
    block = opened.chunk(0, 50)
    known = np.ones((50, 6), bool)
    known[:5, 4] = False
    cells = Cells.learn(opened.schema, block, known)
    x = cells.numbers(block, known)
    assert np.isnan(x[:5, cells.columns[4].place]).all()
    assert np.allclose(np.nanmean(x, axis=0), 0, atol=1e-9)
    back = cells.put(block, np.where(np.isnan(x), 0, x))
    for name in block.column_names:
        rows = slice(5, None) if name == "kind" else slice(None)
        a, b = (np.asarray(table.column(name).to_pylist(), object)[rows] for table in (block, back))
        same = np.allclose(a.astype(float), b.astype(float)) if name in ("x", "bent", "uneven") else (a == b).all()
        assert same, name


def test_draws_do_not_run_away_from_the_records_of_training():
    x = np.random.default_rng(0).standard_t(2, size=(400, 4)).astype(np.float32)
    model = isthmus.VAE(max_epochs=10, random_state=0).fit(x)
    marked = np.random.default_rng(1).random(x.shape) < 0.5
    draws = np.stack(list(model.conditional_draws(x, marked, 30, random_state=0)))
    slack = 1e-3 * (x.max(axis=0) - x.min(axis=0))
    assert (draws >= x.min(axis=0) - slack).all()
    assert (draws <= x.max(axis=0) + slack).all()
