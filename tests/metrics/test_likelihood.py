"""Bounds, binarisation and information against closed forms: linear-Gaussian models, Gaussians, SciPy and torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from isthmus.errors import DataError, ParameterError, ShapeError
from isthmus.metrics import (
    active_units,
    bits_per_dimension,
    dynamic_binarisation,
    evidence_lower_bound,
    importance_weighted_bound,
    kl_per_unit,
    likelihood,
    mutual_information,
    nats_per_record,
    static_binarisation,
)
from isthmus.metrics.chance import own_generator


class LinearGaussian:
    """x = W z + e with z ~ N(0, I), e ~ N(0, s^2 I): everything about it is known."""

    def __init__(self, dimensions: int = 6, units: int = 2, noise: float = 0.5) -> None:
        rng = np.random.default_rng(0)
        self.weights, self.noise = rng.normal(size=(dimensions, units)), noise
        self.precision = np.eye(units) + self.weights.T @ self.weights / noise**2
        self.covariance = np.linalg.inv(self.precision)

    def records(self, n: int) -> np.ndarray:
        rng = np.random.default_rng(1)
        z = rng.normal(size=(n, self.weights.shape[1]))
        return z @ self.weights.T + self.noise * rng.normal(size=(n, len(self.weights)))

    def log_evidence(self, x: np.ndarray) -> np.ndarray:
        covariance = self.weights @ self.weights.T + self.noise**2 * np.eye(len(self.weights))
        return stats.multivariate_normal(np.zeros(len(covariance)), covariance).logpdf(x)

    def means(self, x: np.ndarray) -> np.ndarray:
        return x @ self.weights @ self.covariance / self.noise**2

    def log_weights(self, wider: float = 1.0):
        """Return the seam for the true posterior, its covariance times ``wider``."""
        root = torch.from_numpy(np.linalg.cholesky(self.covariance * wider))
        weights, units = torch.from_numpy(self.weights), self.weights.shape[1]
        log_det = 2.0 * root.diagonal().log().sum()

        def log_weights(x: torch.Tensor, k: int, rng: torch.Generator) -> torch.Tensor:
            mean = torch.from_numpy(self.means(x.numpy()))
            noise = torch.randn((k, len(x), units), generator=rng, dtype=x.dtype)
            z = mean + noise @ root.T
            log_q = -0.5 * (noise.square().sum(-1) + log_det + units * math.log(2 * math.pi))
            log_prior = -0.5 * (z.square().sum(-1) + units * math.log(2 * math.pi))
            log_likelihood = torch.distributions.Normal(z @ weights.T, self.noise).log_prob(x).sum(-1)
            return log_likelihood + log_prior - log_q

        return log_weights


MODEL = LinearGaussian()
X = torch.from_numpy(MODEL.records(200))
TRUTH = MODEL.log_evidence(X.numpy())


def test_the_true_posterior_gives_the_evidence_with_one_sample() -> None:
    bound = importance_weighted_bound(MODEL.log_weights(), X, 1)
    np.testing.assert_allclose(bound.value, TRUTH, rtol=1e-10)
    np.testing.assert_allclose(bound.elbo, TRUTH, rtol=1e-10)


def test_every_sample_of_the_true_posterior_counts() -> None:
    bound = importance_weighted_bound(MODEL.log_weights(), X, 40)
    np.testing.assert_allclose(bound.effective_samples, 40.0)
    np.testing.assert_allclose(bound.value, TRUTH, rtol=1e-10)


def test_the_bound_rises_with_k_to_the_evidence() -> None:
    wide = MODEL.log_weights(wider=4.0)
    bounds = [importance_weighted_bound(wide, X, k).value.mean() for k in (1, 3, 20, 2000)]
    assert bounds[:3] == sorted(bounds[:3])
    assert bounds[0] < TRUTH.mean() - 0.5
    assert bounds[-1] == pytest.approx(TRUTH.mean(), abs=0.01)


def test_the_mean_log_weight_is_the_elbo_in_closed_form() -> None:
    # KL(N(m, 4 C) || N(m, C)) = 1/2 (4 d - d - d log 4)
    bound = importance_weighted_bound(MODEL.log_weights(wider=4.0), X, 4000)
    np.testing.assert_allclose(bound.elbo.mean(), TRUTH.mean() - 0.5 * (4 * 2 - 2 - 2 * math.log(4)), atol=0.02)
    # The share of samples that count tends to 1 / E_q[w^2], and for normalised w along one axis E_q[w^2] = 4 / sqrt(7).
    np.testing.assert_allclose(np.median(bound.effective_samples) / 4000, 7.0 / 16.0, rtol=0.05)


@pytest.mark.parametrize("rows", [1, 7, 128, 4096])
def test_streaming_equals_all_at_once(rows: int) -> None:
    log_w = torch.from_numpy(np.random.default_rng(2).normal(-3e4, 50.0, (60, 9)))
    asked, place = [], {}

    def log_weights(x: torch.Tensor, k: int, rng: torch.Generator) -> torch.Tensor:
        asked.append(k * len(x))
        first = place.get(int(x[0]), 0)
        place[int(x[0])] = first + k
        return log_w[first : first + k, x.long()]

    bound = importance_weighted_bound(log_weights, torch.arange(9.0), 60, rows=rows)
    np.testing.assert_allclose(bound.value, special.logsumexp(log_w.numpy(), axis=0) - math.log(60), rtol=1e-12)
    np.testing.assert_allclose(bound.elbo, log_w.mean(0).numpy(), rtol=1e-12)
    assert max(asked) <= rows


def test_weights_of_zero_are_allowed_and_others_refused() -> None:
    with_zero = importance_weighted_bound(lambda x, k, rng: torch.full((k, len(x)), -math.inf), torch.zeros(2), 3)
    np.testing.assert_array_equal(with_zero.value, [-math.inf, -math.inf])
    np.testing.assert_array_equal(with_zero.effective_samples, [0.0, 0.0])
    with pytest.raises(DataError) as caught:
        importance_weighted_bound(lambda x, k, rng: (x / (x - 150.0)).expand(k, -1), torch.arange(200.0), 3)
    assert str(caught.value) == (
        "importance_weighted_bound: the log weights of record 150 hold NaN or infinity. "
        "A weight of zero, minus infinity, is allowed; look at that record and at the model's scales."
    )
    with pytest.raises(
        ShapeError, match=r"log_weights must return shape \(samples, records\) = \(3, 5\); got \(5, 3\)"
    ):
        importance_weighted_bound(lambda x, k, rng: torch.zeros(len(x), k), torch.zeros(5), 3)
    with pytest.raises(ParameterError, match="n_samples must be a whole number of at least 1; it is 0"):
        importance_weighted_bound(lambda x, k, rng: torch.zeros(k, len(x)), torch.zeros(5), 0)


def test_elbo_parts_add_up_to_the_evidence_at_the_true_posterior() -> None:
    mean, covariance = MODEL.means(X.numpy()), MODEL.covariance
    kl = 0.5 * (np.trace(covariance) + (mean**2).sum(1) - 2 - np.linalg.slogdet(covariance)[1])
    root, weights = torch.from_numpy(np.linalg.cholesky(covariance)), torch.from_numpy(MODEL.weights)

    def parts(x: torch.Tensor, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        m = torch.from_numpy(MODEL.means(x.numpy()))
        z = m + torch.randn((len(x), 2), generator=rng, dtype=x.dtype) @ root.T
        log_likelihood = torch.distributions.Normal(z @ weights.T, MODEL.noise).log_prob(x).sum(-1)
        spread = 0.5 * (np.trace(covariance) - 2 - np.linalg.slogdet(covariance)[1])
        return log_likelihood, 0.5 * m.square().sum(1) + spread

    bound = evidence_lower_bound(parts, X, 400)
    np.testing.assert_allclose(bound.kl, kl, rtol=1e-9)
    np.testing.assert_allclose(bound.value, bound.reconstruction - bound.kl)
    assert bound.value.mean() == pytest.approx(TRUTH.mean(), abs=0.02)


def test_parts_must_be_one_number_a_record() -> None:
    with pytest.raises(ShapeError) as caught:
        evidence_lower_bound(lambda x, rng: (torch.zeros(3), torch.zeros(3, 2)), torch.zeros(3))
    assert str(caught.value) == (
        "evidence_lower_bound: the KL divergence must be one number a record, shape (3,); got (3, 2). "
        "Sum over dimensions and units first."
    )


# ------------------------------------------------------------------ units and binarisation


@given(st.floats(-1e6, 1e6), st.integers(1, 10_000))
def test_bits_and_nats_go_both_ways(nats: float, dimensions: int) -> None:
    assert nats_per_record(bits_per_dimension(nats, dimensions), dimensions) == pytest.approx(nats)


def test_bits_of_an_even_law_over_256_levels_are_eight() -> None:
    np.testing.assert_allclose(bits_per_dimension(np.full(3, -12 * math.log(256)), 12), 8.0)
    with pytest.raises(ParameterError, match="dimensions must be a whole number of at least 1; it is 0"):
        bits_per_dimension(-1.0, 0)


def test_static_binarisation_is_one_draw_with_the_right_chances(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = np.random.default_rng(3).random((2000, 4, 4)).astype(np.float32)
    drawn = static_binarisation(grey, random_state=5)
    assert drawn.dtype == np.uint8
    assert set(np.unique(drawn)) == {0, 1}
    deviations = (drawn - grey).sum() / np.sqrt((grey * (1 - grey)).sum())
    assert abs(deviations) < 4.0
    np.testing.assert_array_equal(static_binarisation(grey[:7], random_state=5), drawn[:7])
    assert (static_binarisation(grey, random_state=6) != drawn).mean() > 0.2
    monkeypatch.setattr(likelihood, "_BLOCK_VALUES", 48)
    np.testing.assert_array_equal(static_binarisation(grey, random_state=5), drawn)


def test_dynamic_binarisation_is_drawn_anew() -> None:
    grey = torch.rand(500, 20, generator=torch.Generator().manual_seed(0))
    rng = torch.Generator().manual_seed(1)
    first, second = dynamic_binarisation(grey, rng), dynamic_binarisation(grey, rng)
    assert not torch.equal(first, second)
    assert torch.equal(dynamic_binarisation(grey, torch.Generator().manual_seed(1)), first)
    deviations = (first - grey).sum() / (grey * (1 - grey)).sum().sqrt()
    assert abs(float(deviations)) < 4.0
    assert torch.equal(dynamic_binarisation(first, rng), first)


def test_binarisation_refuses_what_is_no_chance() -> None:
    with pytest.raises(DataError) as caught:
        static_binarisation(np.array([[0, 255]], np.uint8))
    assert str(caught.value) == (
        "static_binarisation: images must have values in [0, 1]; these have values in [0, 255]. "
        "Divide 8-bit pictures by 255 first."
    )
    with pytest.raises(DataError, match=r"dynamic_binarisation: .* in \[nan, nan\]"):
        dynamic_binarisation(torch.tensor([0.5, math.nan]), torch.Generator())


# ------------------------------------------------------------------ codes


def test_kl_per_unit_equals_torch() -> None:
    rng = np.random.default_rng(4)
    mean, log_variance = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    q = torch.distributions.Normal(torch.from_numpy(mean), torch.from_numpy(np.exp(log_variance / 2)))
    wanted = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean(0)
    np.testing.assert_allclose(kl_per_unit(mean, log_variance), wanted.numpy(), rtol=1e-6)


def test_a_collapsed_unit_has_no_divergence_and_is_not_active() -> None:
    mean = np.column_stack([np.random.default_rng(5).normal(size=100), np.zeros(100)])
    log_variance = np.column_stack([np.full(100, -2.0), np.zeros(100)])
    assert kl_per_unit(mean, log_variance)[1] == 0.0
    np.testing.assert_array_equal(active_units(mean), [True, False])


def test_information_of_gaussians_in_closed_form() -> None:
    # x ~ N(0, 4), z | x ~ N(x, 1) in two dimensions: I = log 5 / 2 each, and z ~ N(0, 5)
    x = np.random.default_rng(6).normal(0.0, 2.0, (4000, 2))
    found = mutual_information(x, np.zeros_like(x))
    assert found.mutual_information.mean == pytest.approx(math.log(5.0), abs=0.05)
    assert found.mutual_information.low < math.log(5.0) < found.mutual_information.high + 0.02
    assert found.marginal_kl == pytest.approx(5.0 - 1.0 - math.log(5.0), abs=0.15)
    assert found.kl == pytest.approx(kl_per_unit(x, np.zeros_like(x)).sum())
    assert found.kl == pytest.approx(found.mutual_information.mean + found.marginal_kl)


def test_information_equals_a_double_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    mean, log_variance = 5.0 + rng.normal(size=(30, 3)), rng.normal(-8.0, 1.0, (30, 3))
    noise = own_generator(0, "mutual_information").standard_normal((30, 3))
    codes = noise * np.exp(log_variance / 2) + mean
    log_q = np.array(
        [stats.norm(m, np.exp(v / 2)).logpdf(codes).sum(1) for m, v in zip(mean, log_variance, strict=True)]
    )
    wanted = np.mean(np.diag(log_q) - special.logsumexp(log_q, axis=0) + math.log(30))
    assert mutual_information(mean, log_variance).mutual_information.mean == pytest.approx(wanted, abs=1e-7)
    monkeypatch.setattr(likelihood, "_BLOCK_VALUES", 64)
    assert mutual_information(mean, log_variance).mutual_information.mean == pytest.approx(wanted, abs=1e-7)


def test_information_has_its_limits() -> None:
    apart = np.arange(64.0)[:, None] * 100.0
    found = mutual_information(apart, np.zeros_like(apart))
    assert found.mutual_information.mean == pytest.approx(math.log(64))
    assert found.limit == math.log(64)
    same = mutual_information(np.zeros((64, 2)), np.zeros((64, 2)))
    assert same.mutual_information.mean == pytest.approx(0.0, abs=1e-12)
    assert same.marginal_kl == pytest.approx(0.0, abs=1e-12)
    assert mutual_information(apart, np.zeros_like(apart), max_records=16).limit == math.log(16)


def test_data_drawn_with_the_same_seed_are_not_the_noise() -> None:
    grey = np.random.default_rng(0).random((500, 8), np.float32)
    assert static_binarisation(grey, random_state=0).mean() == pytest.approx(0.5, abs=0.03)
    mean = np.random.default_rng(0).normal(0.0, 2.0, (4000, 1))
    found = mutual_information(mean, np.zeros_like(mean), random_state=0)
    assert found.mutual_information.mean == pytest.approx(math.log(5.0) / 2, abs=0.04)
    x = torch.randn(4000, generator=torch.Generator().manual_seed(0))

    def correlation(x: torch.Tensor, k: int, rng: torch.Generator) -> torch.Tensor:
        return x * torch.randn((k, len(x)), generator=rng)

    assert abs(importance_weighted_bound(correlation, x, 1).value.mean()) < 0.05


def test_posteriors_must_be_finite_matrices() -> None:
    with pytest.raises(ShapeError) as caught:
        kl_per_unit(np.zeros((3, 2)), np.zeros((3, 1)))
    assert str(caught.value) == (
        "kl_per_unit: mean and log_variance must be matrices (records, units) of one shape with at least one of each; "
        "got (3, 2) and (3, 1)."
    )
    with pytest.raises(DataError, match="mutual_information: log_variance must be finite; record 1, unit 0 is inf"):
        mutual_information(np.zeros((2, 1)), [[0.0], [np.inf]])
