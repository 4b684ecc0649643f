"""The bootstrap interval against SciPy's, against normal theory, and for its coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from isthmus.errors import DataError, ParameterError, ShapeError
from isthmus.metrics import bootstrap_interval, bootstrap_ratio


def test_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=300)
    ours = bootstrap_interval(values, n_resamples=20_000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1))
    width = ours.high - ours.low
    assert ours.mean == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.03 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.03 * width)


def test_interval_of_many_records_is_the_normal_one() -> None:
    values = np.random.default_rng(2).normal(10.0, 3.0, 20_000)
    interval = bootstrap_interval(values, n_resamples=2000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.08)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for seed in range(300):
        interval = bootstrap_interval(rng.normal(size=60), level=0.9, n_resamples=300, random_state=seed)
        covered += interval.low <= 0.0 <= interval.high
    assert 0.84 <= covered / 300 <= 0.95


def test_the_seed_decides_and_the_global_state_is_left_alone() -> None:
    values = np.random.default_rng(4).normal(size=50)
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is what is watched.
    first, second = bootstrap_interval(values, random_state=1), bootstrap_interval(values, random_state=1)
    assert first == second
    assert first != bootstrap_interval(values, random_state=2)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_one_record_has_no_interval() -> None:
    interval = bootstrap_interval([3.0])
    assert interval.mean == 3.0
    assert np.isnan(interval.low)
    assert np.isnan(interval.high)


def test_what_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        bootstrap_interval([1.0, np.nan])
    assert str(caught.value) == (
        "bootstrap_interval: values must be finite; got nan at position 1. Leave such records out first."
    )
    with pytest.raises(DataError, match="at least one number; got none"):
        bootstrap_interval([])
    with pytest.raises(ShapeError, match=r"one number a record; got shape \(2, 2\)"):
        bootstrap_interval(np.ones((2, 2)))
    with pytest.raises(ParameterError, match=r"level must lie between 0 and 1; got 95\. For 95 % write 0\.95"):
        bootstrap_interval([1.0, 2.0], level=95)
    with pytest.raises(ParameterError, match="n_resamples must be at least 1; got 0"):
        bootstrap_interval([1.0, 2.0], n_resamples=0)


def test_the_interval_of_a_ratio_holds_no_share_below_nothing() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.gamma(0.05, size=40), rng.gamma(2.0, size=40)
    found = bootstrap_ratio(ours, theirs)
    assert found.mean == pytest.approx(ours.mean() / theirs.mean())
    assert 0 <= found.low < found.mean < found.high
    assert found == bootstrap_ratio(ours, theirs)
    assert np.isnan(bootstrap_ratio([1.0], [2.0]).low)


def test_the_interval_of_a_ratio_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(200):
        theirs = rng.gamma(3.0, size=60)
        found = bootstrap_ratio(theirs * rng.uniform(0.2, 0.8, 60), theirs, n_resamples=300, random_state=seed)
        hits += found.low <= 0.5 <= found.high
    assert 180 <= hits <= 199
