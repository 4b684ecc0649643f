"""Code metrics against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from isthmus.errors import ShapeError
from isthmus.metrics import (
    active_units,
    code_correlation,
    effective_rank,
    mean_absolute_correlation,
    participation_ratio,
    principal_components,
)


def _orthogonal(n: int, scales: list[float]) -> np.ndarray:
    """Return centred codes whose units are exactly uncorrelated, with these standard deviations."""
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(n, len(scales)))
    q, _ = np.linalg.qr(raw - raw.mean(axis=0))
    return q * np.sqrt(n) * scales


def test_active_units_follow_the_variance_of_the_code() -> None:
    codes = _orthogonal(200, [1.0, 0.11, 0.09, 0.0]) + 5.0
    np.testing.assert_array_equal(active_units(codes), [True, True, False, False])
    np.testing.assert_array_equal(active_units(codes, threshold=1e-3), [True, True, True, False])


def test_relative_activity_does_not_depend_on_the_scale_of_the_code() -> None:
    codes = _orthogonal(200, [1.0, 0.11, 0.09, 0.0])
    for factor in (1e-4, 1.0, 1e4):
        np.testing.assert_array_equal(active_units(codes * factor, relative=True), [True, True, False, False])
    assert not active_units(np.ones((5, 3)), relative=True).any()


@pytest.mark.parametrize("units", [1, 4])
def test_equal_variances_fill_every_direction(units: int) -> None:
    codes = _orthogonal(50, [3.0] * units)
    assert effective_rank(codes) == pytest.approx(units)
    assert participation_ratio(codes) == pytest.approx(units)


def test_unequal_variances_in_closed_form() -> None:
    scales = np.array([3.0, 2.0, 1.0])
    rng = np.random.default_rng(1)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    codes = _orthogonal(80, list(scales)) @ rotation - 7.0
    assert effective_rank(codes) == pytest.approx(np.exp(stats.entropy(scales)))
    assert participation_ratio(codes) == pytest.approx((scales**2).sum() ** 2 / (scales**4).sum())


def test_more_units_than_records() -> None:
    codes = np.random.default_rng(2).normal(size=(5, 40))
    assert 1.0 < effective_rank(codes) <= 4.0 + 1e-9  # Five centred points span four directions.
    scores, shares = principal_components(codes, 4)
    np.testing.assert_allclose(scores.T @ scores, np.diag(np.diag(scores.T @ scores)), atol=1e-9)
    assert shares.sum() == pytest.approx(1.0)


def test_a_code_that_does_not_vary() -> None:
    codes = np.full((6, 3), 0.1)
    assert effective_rank(codes) == 0.0
    assert participation_ratio(codes) == 0.0
    assert mean_absolute_correlation(codes) == 0.0
    np.testing.assert_array_equal(principal_components(codes)[1], [0.0, 0.0])


def test_correlation_equals_numpy() -> None:
    rng = np.random.default_rng(3)
    codes = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + 100.0
    np.testing.assert_allclose(code_correlation(codes), np.corrcoef(codes.T), atol=1e-10)
    constant = np.column_stack([codes, np.full(60, 0.3)])
    np.testing.assert_array_equal(code_correlation(constant)[4], [0, 0, 0, 0, 1])
    off_diagonal = np.abs(np.corrcoef(codes.T))[~np.eye(4, dtype=bool)]
    assert mean_absolute_correlation(codes) == pytest.approx(off_diagonal.mean())


def test_principal_components_equal_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    codes = rng.normal(size=(70, 5)) * [5, 3, 1, 0.5, 0.1]
    scores, shares = principal_components(codes, 2)
    pca = PCA(2).fit(codes)
    np.testing.assert_allclose(np.abs(scores), np.abs(pca.transform(codes)), atol=1e-9)
    np.testing.assert_allclose(shares, pca.explained_variance_ratio_, rtol=1e-9)
    assert (scores[np.abs(scores).argmax(axis=0), [0, 1]] > 0).all()


def test_one_unit_still_gives_two_coordinates() -> None:
    scores, shares = principal_components(np.arange(6.0)[:, None])
    assert scores.shape == (6, 2)
    np.testing.assert_array_equal(scores[:, 1], 0)
    np.testing.assert_allclose(shares, [1, 0])


def test_codes_must_be_a_matrix() -> None:
    with pytest.raises(ShapeError) as caught:
        active_units(np.zeros((2, 3, 4)))
    assert str(caught.value) == (
        "active_units: codes must be a matrix (records, units) with at least one of each; got shape (2, 3, 4). "
        "Pass what transform returns."
    )
    with pytest.raises(ShapeError, match="effective_rank"):
        effective_rank(np.zeros((0, 3)))
