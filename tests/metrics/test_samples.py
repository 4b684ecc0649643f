"""Measures of samples against closed forms, naive double loops, SciPy, and what chance allows."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from scipy import linalg, stats

from isthmus.errors import DataError, ParameterError, ShapeError
from isthmus.metrics import (
    class_coverage,
    classifier_two_sample_test,
    column_shapes,
    density_coverage,
    frechet_distance,
    frechet_interval,
    gaussian_frechet_distance,
    kernel_distance,
    memorisation,
    mode_coverage,
    neighbours,
    precision_recall,
    real_baseline,
)


def _normal(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def _with_root_of_product(mean: np.ndarray, covariance: np.ndarray, other: np.ndarray, other_cov: np.ndarray) -> float:
    """Return the distance as the paper writes it, with SciPy's root of a matrix that is not symmetric."""
    root = linalg.sqrtm(covariance @ other_cov)
    return float(np.sum((mean - other) ** 2) + np.trace(covariance + other_cov - 2.0 * root.real))


# ------------------------------------------------------------------ Frechet


def test_frechet_distance_equals_scipys_root() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 7)) @ rng.normal(size=(7, 7)), rng.normal(size=(200, 7)) @ rng.normal(size=(7, 7)) + 1
    wanted = _with_root_of_product(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T))
    assert frechet_distance(x, y) == pytest.approx(wanted, rel=1e-9)
    assert frechet_distance(y, x) == pytest.approx(wanted, rel=1e-9)
    assert frechet_distance(x + 1e6, y + 1e6) == pytest.approx(wanted, rel=1e-7)


def test_frechet_distance_of_gaussians_that_share_their_axes() -> None:
    rotation, _ = np.linalg.qr(_normal(5, 5, 1))
    a, b = np.array([4.0, 1.0, 0.25, 0.0, 0.0]), np.array([1.0, 1.0, 0.0, 9.0, 0.0])
    wanted = np.sum((np.sqrt(a) - np.sqrt(b)) ** 2) + 5.0
    first, second = (rotation * a) @ rotation.T, (rotation * b) @ rotation.T
    assert gaussian_frechet_distance(np.zeros(5), first, np.ones(5), second) == pytest.approx(wanted, rel=1e-12)


def test_frechet_distance_from_itself_is_nothing() -> None:
    x = np.repeat(_normal(40, 3, 2), 4, axis=1)  # singular: 12 features that span 3 directions
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-9)


def test_the_jackknife_takes_off_what_few_rows_add() -> None:
    # N(0, I) against N(1/2, I) in 6 dimensions: the truth is 1.5.
    plain, corrected, covered = [], [], 0
    for seed in range(60):
        x, y = _normal(150, 6, 2 * seed), _normal(150, 6, 2 * seed + 1, shift=0.5)
        interval = frechet_interval(x, y, random_state=seed)
        plain.append(frechet_distance(x, y))
        corrected.append(interval.mean)
        covered += interval.low < 1.5 < interval.high
    assert np.mean(plain) > 1.65
    assert np.mean(corrected) == pytest.approx(1.5, abs=0.06)
    assert covered >= 51


def test_the_interval_does_not_depend_on_the_order_of_the_rows() -> None:
    x, y = _normal(2000, 3, 3), _normal(2000, 3, 4)
    in_order = frechet_interval(np.sort(x, axis=0), np.sort(y, axis=0))
    shuffled = frechet_interval(np.random.default_rng(0).permutation(np.sort(x, axis=0)), np.sort(y, axis=0))
    assert in_order.high - in_order.low == pytest.approx(shuffled.high - shuffled.low, rel=0.8)
    assert in_order.low < 0.02


# ------------------------------------------------------------------ kernel


def test_kernel_distance_equals_a_double_loop() -> None:
    x, y = _normal(30, 4, 5), _normal(30, 4, 6)
    kernel = lambda a, b: (a @ b / 4 + 1) ** 3  # noqa: E731
    pairs = [(i, j) for i in range(30) for j in range(30)]
    within = sum(kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in pairs if i != j) / (30 * 29)
    across = sum(kernel(x[i], y[j]) for i, j in pairs) / 900
    found = kernel_distance(x, y, block_size=30)
    assert found.mean == pytest.approx(within - 2 * across)
    assert (found.n, math.isnan(found.low)) == (1, True)


def test_kernel_distance_is_that_of_the_first_three_moments() -> None:
    # In one dimension it is 3 (m1 - m1')^2 + 3 (m2 - m2')^2 + (m3 - m3')^2 for raw moments m.
    x, y = _normal(20_000, 1, 7), _normal(20_000, 1, 8, shift=0.5)
    moments = [0.0 - 0.5, 1.0 - 1.25, 0.0 - (3 * 0.5 + 0.125)]
    wanted = 3 * moments[0] ** 2 + 3 * moments[1] ** 2 + moments[2] ** 2
    found = kernel_distance(x, y)
    assert found.low < wanted < found.high
    assert found.mean == pytest.approx(wanted, rel=0.1)


def test_kernel_distance_of_one_distribution_is_zero_on_average() -> None:
    found = [
        kernel_distance(_normal(60, 5, 2 * seed), _normal(60, 5, 2 * seed + 1), block_size=20) for seed in range(200)
    ]
    values = np.array([one.mean for one in found])
    assert abs(values.mean()) < 3.0 * values.std() / np.sqrt(200)
    assert (values < 0).any()


# ------------------------------------------------------------------ two-sample test


@pytest.mark.parametrize("classifier", ["nearest-neighbours", "logistic"])
def test_p_values_under_the_null_are_even(classifier: str) -> None:
    p = np.array(
        [
            classifier_two_sample_test(
                _normal(100, 3, 2 * seed), _normal(100, 3, 2 * seed + 1), classifier=classifier, random_state=seed
            ).p_value
            for seed in range(150)
        ]
    )
    # An exact test of counts is a little cautious, never rash.
    for level in (0.05, 0.1, 0.25, 0.5):
        assert (p <= level).mean() <= level + 3 * math.sqrt(level * (1 - level) / 150)
    assert (p <= 0.5).mean() > 0.25


def test_the_best_linear_classifier_has_the_known_accuracy() -> None:
    x, y = _normal(4000, 3, 9), _normal(4000, 3, 10) + np.array([1.0, 0.0, 0.0])
    found = classifier_two_sample_test(x, y, classifier="logistic")
    assert found.accuracy.low < stats.norm.cdf(0.5) < found.accuracy.high
    assert found.p_value < 1e-30


def test_neighbours_see_what_a_line_does_not() -> None:
    x, y = _normal(1000, 2, 11), 2.0 * _normal(1000, 2, 12)
    assert classifier_two_sample_test(x, y, classifier="logistic").p_value > 1e-3
    assert classifier_two_sample_test(x, y).p_value < 1e-6


def test_an_unknown_classifier_is_refused() -> None:
    with pytest.raises(ParameterError) as caught:
        classifier_two_sample_test(_normal(8, 1, 0), _normal(8, 1, 1), classifier="logistics")
    assert str(caught.value) == (
        "classifier_two_sample_test: classifier must be one of 'nearest-neighbours', 'logistic'; "
        "it is 'logistics'; did you mean 'logistic'?"
    )


# ------------------------------------------------------------------ balls


def _naive(x: np.ndarray, y: np.ndarray, k: int) -> dict[str, float]:
    """Return all four figures from whole matrices of distances, as the papers write them."""
    between = lambda a, b: np.linalg.norm(a[:, None] - b[None], axis=2)  # noqa: E731
    reach = lambda a: np.sort(between(a, a), axis=1)[:, k]  # noqa: E731
    d = between(x, y)
    return {
        "precision": float((d <= reach(x)[:, None]).any(axis=0).mean()),
        "recall": float((d <= reach(y)[None]).any(axis=1).mean()),
        "density": float((d <= reach(x)[:, None]).sum(axis=0).mean() / k),
        "coverage": float((d.min(axis=1) <= reach(x)).mean()),
    }


@pytest.mark.parametrize("block", [1 << 22, 700])
@pytest.mark.parametrize("k", [1, 4])
def test_balls_equal_the_naive_way(k: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK_VALUES", block)
    x, y = _normal(150, 3, 13), 0.8 * _normal(110, 3, 14) + 1.0
    wanted = _naive(x, y, k)
    first, second = precision_recall(x, y, k=k), density_coverage(x, y, k=k)
    found = {
        "precision": first.precision.mean,
        "recall": first.recall.mean,
        "density": second.density.mean,
        "coverage": second.coverage.mean,
    }
    assert found == pytest.approx(wanted, abs=1e-12)
    assert 0.0 < wanted["recall"] < wanted["precision"] < 1.0


@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_the_same_records_and_others_far_away(offset: float) -> None:
    x = _normal(200, 4, 15) + offset
    same, apart = precision_recall(x, x), precision_recall(x, x + 100.0)
    assert (same.precision.mean, same.recall.mean) == (1.0, 1.0)
    assert (apart.precision.mean, apart.recall.mean) == (0.0, 0.0)
    assert density_coverage(x, x).coverage.mean == 1.0
    far = density_coverage(x, x + 100.0)
    assert (far.density.mean, far.coverage.mean) == (0.0, 0.0)


def test_copies_of_few_records_count_as_covered_only_where_they_are() -> None:
    x = np.repeat(_normal(10, 2, 16), 10, axis=0)  # every ball has radius 0
    assert precision_recall(x, x[:10], k=3).precision.mean == 1.0
    assert density_coverage(x, x[:10], k=5).coverage.mean == pytest.approx(0.1)


def test_half_the_modes_are_half_the_recall() -> None:
    x = np.concatenate([_normal(500, 2, 17), _normal(500, 2, 18, shift=50.0)])
    y = _normal(1000, 2, 19)
    assert precision_recall(x, y).precision.low > 0.95
    assert precision_recall(x, y).recall.mean == pytest.approx(0.5, abs=0.03)
    assert density_coverage(x, y).coverage.mean == pytest.approx(0.5, abs=0.03)
    assert density_coverage(x, y).density.mean == pytest.approx(1.0, abs=0.15)


def test_coverage_under_the_null_is_the_one_expected() -> None:
    # Naeem et al.: 1 - (m - 1) ... (m - k) / ((2 m - 1) ... (2 m - k)) for two sets of m rows
    m, k = 400, 3
    wanted = 1.0 - math.prod((m - i) / (2 * m - i) for i in range(1, k + 1))
    found = [
        density_coverage(_normal(m, 2, 2 * seed), _normal(m, 2, 2 * seed + 1), k=k).coverage.mean for seed in range(20)
    ]
    assert np.mean(found) == pytest.approx(wanted, abs=0.012)


def test_memory_does_not_grow_with_the_product_of_the_sets() -> None:
    x, y = _normal(6000, 2, 20), _normal(6000, 2, 21)
    tracemalloc.start()
    precision_recall(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120e6 < 6000 * 6000 * 8


def test_features_must_be_finite_matrices_of_one_width() -> None:
    with pytest.raises(ShapeError) as caught:
        frechet_distance(np.zeros((5, 2)), np.zeros((5, 3)))
    assert str(caught.value) == (
        "frechet_distance: real and generated must be matrices (records, features) of one width; "
        "got shapes (5, 2), (5, 3). Flatten every record to one row, or pass the features of one network."
    )
    with pytest.raises(DataError) as caught:
        kernel_distance(np.zeros((3, 1)), [[0.0], [np.nan], [1.0]])
    assert str(caught.value) == (
        "kernel_distance: generated must be finite; row 1, column 0 is nan. Leave such rows out first."
    )
    with pytest.raises(DataError, match="precision_recall: generated must have at least 4 rows; it has 3"):
        precision_recall(np.zeros((4, 1)), np.zeros((3, 1)))
    with pytest.raises(ShapeError, match=r"means must have shape \(d,\) and covariances \(d, d\)"):
        gaussian_frechet_distance([0.0], [[1.0]], [0.0, 0.0], np.eye(2))


# ------------------------------------------------------------------ copies


def test_neighbours_and_distances_equal_a_naive_search() -> None:
    train, held_out, generated = _normal(300, 5, 22), _normal(80, 5, 23), _normal(60, 5, 24)
    d = np.linalg.norm(generated[:, None] - train[None], axis=2)
    found = memorisation(generated, train, held_out)
    np.testing.assert_array_equal(found.indices, d.argmin(axis=1))
    np.testing.assert_allclose(found.distances, d.min(axis=1), rtol=1e-12)
    baseline = np.linalg.norm(held_out[:, None] - train[None], axis=2).min(axis=1)
    np.testing.assert_allclose(found.held_out_distances, baseline, rtol=1e-12)
    assert found.ratio.mean == pytest.approx(d.min(axis=1).mean() / baseline.mean())
    assert found.held_out_too_close == pytest.approx(0.05, abs=0.0126)


def test_new_records_are_not_called_copies() -> None:
    p, ratios, close = [], [], []
    for seed in range(100):
        found = memorisation(*(_normal(n, 3, 3 * seed + i) for i, n in enumerate((100, 200, 100))))
        p.append(found.p_value)
        ratios.append(found.ratio.mean)
        close.append(found.too_close.mean)
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.03)
    assert np.mean(close) == pytest.approx(0.05, abs=0.02)


def test_copies_are_found() -> None:
    train, held_out = _normal(500, 4, 25, shift=1e4), _normal(200, 4, 26, shift=1e4)
    copies = memorisation(np.concatenate([train[:60], held_out[:40]]), train, held_out)
    assert (copies.copies, copies.held_out_copies) == (0.6, 0.0)
    np.testing.assert_array_equal(copies.indices[:60], np.arange(60))
    assert copies.p_value < 1e-6
    near = memorisation(train[:100] + 0.01 * _normal(100, 4, 27), train, held_out)
    assert (near.copies, near.too_close.mean) == (0.0, 1.0)
    assert near.ratio.high < 0.2


def test_held_out_copies_say_nothing() -> None:
    train = _normal(20, 2, 28)
    with pytest.raises(DataError) as caught:
        memorisation(train, train, train[:5])
    assert str(caught.value) == (
        "memorisation: every held-out record is a copy of a training record, so they tell nothing about copying. "
        "Pass records that the model did not learn from."
    )


# ------------------------------------------------------------------ modes


def test_modes_of_a_ring() -> None:
    angles = 2 * np.pi * np.arange(8) / 8
    centres = np.column_stack([np.cos(angles), np.sin(angles)])
    rng = np.random.default_rng(29)
    modes = rng.integers(0, 5, 20_000)  # three of eight are never reached
    found = mode_coverage(centres[modes] + 0.02 * rng.normal(size=(20_000, 2)), centres, 0.02)
    assert (found.covered, found.n_modes) == (5, 8)
    assert found.good.mean == pytest.approx(stats.chi2(2).cdf(9.0), abs=0.004)
    assert found.kl == pytest.approx(math.log(8 / 5), abs=1e-3)
    assert found.counts[5:].sum() == 0
    nothing = mode_coverage(centres + 10.0, centres, 0.02)
    assert (nothing.covered, nothing.good.mean, nothing.kl) == (0, 0.0, math.inf)


def test_classes_and_their_evenness() -> None:
    rng = np.random.default_rng(30)
    expected = np.array([0.5, 0.25, 0.125, 0.125])
    labels = rng.choice(4, 5000, p=[0.4, 0.4, 0.2, 0.0])
    shares = np.bincount(labels, minlength=4) / 5000
    assert class_coverage(labels, 4).kl == pytest.approx(stats.entropy(shares, np.full(4, 0.25)))
    found = class_coverage(labels, 4, expected=expected)
    assert found.covered == 3
    assert found.kl == pytest.approx(stats.entropy(shares, expected))
    assert class_coverage(np.arange(1000), 1000).kl == pytest.approx(0.0, abs=1e-12)


def test_evenness_by_chance_is_what_the_page_says() -> None:
    rng = np.random.default_rng(31)
    found = [class_coverage(rng.integers(0, 10, 500), 10).kl for _ in range(300)]
    assert np.mean(found) == pytest.approx(9 / 1000, rel=0.1)


def test_what_modes_refuse() -> None:
    with pytest.raises(DataError) as caught:
        class_coverage([0, 1, 10], 10)
    assert str(caught.value) == (
        "class_coverage: labels must be whole numbers from 0 to 9; got 0 to 10. "
        "Number the classes first: np.unique(labels, return_inverse=True)."
    )
    with pytest.raises(DataError, match="got <U1"):
        class_coverage(["a", "b"], 2)
    with pytest.raises(ParameterError, match="expected must hold 3 numbers above 0 with sum 1"):
        class_coverage([0, 1], 3, expected=[0.5, 0.5, 0.5])
    with pytest.raises(ParameterError, match="mode_coverage: deviation must be a number above 0; it is 0"):
        mode_coverage([[0.0]], [[0.0]], 0)


# ------------------------------------------------------------------ baseline


def test_real_records_against_real_records() -> None:
    rows = np.arange(100.0)[:, None]
    first, second = real_baseline(lambda x, y: (x, y), rows, 40, random_state=3)
    assert first.shape == second.shape == (40, 1)
    assert not set(first.ravel()) & set(second.ravel())
    assert real_baseline(frechet_distance, _normal(2000, 3, 32)) < 0.03
    assert real_baseline(column_shapes, pa.table({"a": rows.ravel()}), 50).score > 0.7
    with pytest.raises(ParameterError) as caught:
        real_baseline(frechet_distance, rows, 51)
    assert str(caught.value) == (
        "real_baseline: n must be from 1 to half of the 100 real rows, as the two parts share none; it is 51."
    )
