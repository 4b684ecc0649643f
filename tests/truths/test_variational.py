"""Variational parts against numerical integration, autograd, and a model whose likelihood is known exactly."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from isthmus import VAE, ConditionalVAE, RegularizedAutoencoder, networks
from isthmus.models.total_correlation import kl_parts
from isthmus.models.wasserstein import squared_mmd
from isthmus.networks.priors import normal_log_density
from isthmus.training import Step


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def _step(model, X):
    return Step(model.module_.scale(torch.from_numpy(model.preprocessor_.encode(X))), _rng())


def _grid(width, points=801, reach=10.0):
    """Return a grid over [-reach, reach]^width, (points, width), and the volume of a cell."""
    axis = torch.linspace(-reach, reach, points, dtype=torch.float64)
    cell = (2 * reach / (points - 1)) ** width
    return torch.cartesian_prod(*[axis] * width).view(-1, width), cell


# ---------------------------------------------------------------------- Gaussians


@pytest.mark.parametrize(("mean", "log_var"), [(0.0, 0.0), (1.5, -1.0), (-0.7, 1.2)])
def test_kl_to_standard_normal_equals_the_integral(mean, log_var):
    z, cell = _grid(1, 20001, 15.0)
    log_q, log_p = normal_log_density(z, mean, log_var), normal_log_density(z, 0.0, 0.0)
    integral = (log_q.exp() * (log_q - log_p)).sum() * cell
    exact = networks.kl_to_standard_normal(torch.tensor(mean), torch.tensor(log_var))
    assert exact.item() == pytest.approx(integral.item(), abs=1e-4)


def test_normal_log_density_equals_torchs():
    z, mean, log_var = torch.randn(3, 5, 4, generator=_rng())
    expected = torch.distributions.Normal(mean, (0.5 * log_var).exp()).log_prob(z)
    torch.testing.assert_close(normal_log_density(z, mean, log_var), expected)


# ---------------------------------------------------------------------- priors


def _priors():
    flow = networks.FlowPrior(2, 4, _rng())
    with torch.no_grad():
        for parameter in flow.parameters():  # away from the identity that it begins at
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=_rng(1)))
    mixture = networks.MixturePrior(2, 3, _rng())
    encoder = nn.Linear(5, 4)
    vamp = networks.VampPrior((5,), 3, lambda x: encoder(x).chunk(2, 1))
    vamp.start_at(torch.randn(20, 5, generator=_rng(2)))
    return [networks.StandardNormal(), mixture, vamp, flow]


@pytest.mark.long
@pytest.mark.parametrize("prior", _priors(), ids=lambda prior: type(prior).__name__)
def test_priors_integrate_to_one_and_draw_what_they_say(prior):
    z, cell = _grid(2)
    with torch.no_grad():
        p = prior.log_prob(z.float()).double().exp() * cell
        draws = prior.sample((200_000, 2), _rng(3))
    assert p.sum().item() == pytest.approx(1.0, abs=2e-3)
    mean = (p[:, None] * z).sum(0)
    deviation = ((p[:, None] * z.square()).sum(0) - mean.square()).sqrt()
    torch.testing.assert_close(draws.double().mean(0), mean, atol=0.02, rtol=0)
    torch.testing.assert_close(draws.double().std(0), deviation, atol=0.02, rtol=0.01)


@pytest.mark.parametrize("prior", _priors(), ids=lambda prior: type(prior).__name__)
def test_temperature_zero_draws_middles_only(prior):
    with torch.no_grad():
        draws = prior.sample((50, 2), _rng(), 0.0)
    assert len(torch.unique(draws, dim=0)) <= 3


# ---------------------------------------------------------------------- flows


def _log_det_by_autograd(function, z):
    return torch.stack([torch.autograd.functional.jacobian(function, row).slogdet()[1] for row in z])


def test_inverse_autoregressive_flow_knows_its_determinant():
    flow = networks.InverseAutoregressiveFlow(4, 3, 3, _rng())
    z, context = torch.randn(6, 4, generator=_rng(1)), torch.randn(1, 3, generator=_rng(2))
    _, log_det = flow(z, context.expand(6, 3))
    expected = _log_det_by_autograd(lambda row: flow(row[None], context)[0][0], z)
    torch.testing.assert_close(log_det, expected, atol=1e-4, rtol=1e-4)


def test_masked_network_looks_back_only():
    network = networks.MaskedDense(5, 0, 2, 32, _rng())
    z = torch.randn(5, generator=_rng())
    for output in range(2):
        jacobian = torch.autograd.functional.jacobian(lambda row, i=output: network(row[None])[i][0], z)
        assert torch.equal(jacobian.triu(), torch.zeros(5, 5))  # nothing on or above the diagonal
        assert (jacobian.tril(-1) != 0).sum() == 10  # everything below


@pytest.mark.parametrize("width", [2, 5])
@pytest.mark.parametrize("steps", [1, 4, 5])
def test_coupling_flow_knows_its_determinant_and_its_inverse(width, steps):
    flow = networks.CouplingFlow(width, steps, _rng())
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=_rng(1)))
    z = torch.randn(6, width, generator=_rng(2))
    u, log_det = flow(z)
    torch.testing.assert_close(flow.inverse(u), z, atol=1e-4, rtol=1e-4)
    expected = _log_det_by_autograd(lambda row: flow(row[None])[0][0], z)
    torch.testing.assert_close(log_det, expected, atol=1e-4, rtol=1e-4)


# ---------------------------------------------------------------------- bounds


class LinearGaussian:
    """x = W z + m + s e: p(x) is N(m, W W^T + s^2 I), and the true posterior is Gaussian too."""

    def __init__(self):
        self.w, self.m, self.s = torch.randn(4, 2, generator=_rng()), torch.randn(4, generator=_rng(1)), 0.7
        decoder = nn.Linear(2, 4)
        decoder.weight.data, decoder.bias.data = self.w.clone(), self.m.clone()
        encoder = nn.Linear(4, 4)
        precision = torch.eye(2) + self.w.T @ self.w / self.s**2
        gain = torch.linalg.solve(precision, self.w.T) / self.s**2
        # The nearest diagonal Gaussian has the mean of the true posterior, and the inverse of its precisions.
        encoder.weight.data = torch.cat([gain, torch.zeros(2, 4)])
        # Draws from a wider one are worth less each, so that it takes many to come near.
        encoder.bias.data = torch.cat([-gain @ self.m, 1.0 - precision.diagonal().log()])
        likelihood = networks.Gaussian(scale=self.s)
        self.core = networks.VariationalCore(encoder, _Decoder(decoder), likelihood)

    def log_p(self, x):
        covariance = self.w @ self.w.T + self.s**2 * torch.eye(4)
        return torch.distributions.MultivariateNormal(self.m, covariance).log_prob(x)


class _Decoder(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, z, size=None):
        return self.layer(z)


@pytest.mark.long
def test_importance_bound_rises_to_the_exact_likelihood():
    model = LinearGaussian()
    x = torch.randn(200, 2, generator=_rng(2)) @ model.w.T + model.m + model.s * torch.randn(200, 4, generator=_rng(3))
    with torch.no_grad():
        rng = _rng(4)  # few draws, shared by all records, say little: average many such bounds
        bounds = {
            k: np.mean([model.core.importance_bound(x, k, rng).mean().item() for _ in range(max(10, 3000 // k))])
            for k in (1, 10, 100, 3000)
        }
    exact = model.log_p(x).mean().item()
    assert bounds[1] < bounds[10] < bounds[100] < exact + 0.01
    assert bounds[3000] == pytest.approx(exact, abs=0.01)


def test_both_forms_of_the_kl_agree():
    model = LinearGaussian()
    x = torch.randn(1, 4, generator=_rng(2))
    with torch.no_grad():
        q = model.core.posterior(x).repeated(100_000)
        z, log_q = q.draw(_rng(5))
        sampled = (log_q - model.core.prior.log_prob(z)).mean()
        exact = model.core.kl(model.core.posterior(x), z, log_q)[0]
    assert sampled.item() == pytest.approx(exact.item(), abs=0.02)


# ---------------------------------------------------------------------- the model


@pytest.mark.long
def test_a_linear_vae_reaches_the_likelihood_of_probabilistic_pca(gaussian_table):
    """Lucas et al., "Don't Blame the ELBO!" (NeurIPS 2019): the linear VAE's optimum is probabilistic PCA's."""
    from sklearn.decomposition import PCA

    exact = PCA(n_components=2).fit(gaussian_table).score(gaussian_table)
    model = VAE(
        latent_dim=2, hidden=(), likelihood=networks.Gaussian(share="shared"), scaling="none", max_epochs=200,
        batch_size=100, random_state=0,
    )  # fmt: skip
    model.fit(gaussian_table, validation=0)
    assert model.score(gaussian_table) == pytest.approx(exact, abs=0.05)
    draws = model.sample(5000, random_state=0)
    np.testing.assert_allclose(draws.mean(0), gaussian_table.mean(0), atol=0.15)
    np.testing.assert_allclose(np.cov(draws.T), np.cov(gaussian_table.T), atol=0.35)


def test_free_bits_are_free_and_beta_weighs():
    X = np.random.default_rng(0).normal(size=(64, 4))
    model = VAE(latent_dim=2, max_epochs=1, random_state=0, free_bits=50.0).fit(X)
    model.module_.train()
    terms = model.losses(_step(model, X))
    assert terms["kl"].item() == pytest.approx(100.0)  # two units, both far below their allowance
    plain, heavy = (VAE(latent_dim=2, max_epochs=1, random_state=0, beta=beta).fit(X) for beta in (1.0, 4.0))
    heavy.module_.load_state_dict(plain.module_.state_dict())
    kl = [model.losses(_step(model, X))["kl"].item() for model in (plain, heavy)]
    assert kl[1] == pytest.approx(4 * kl[0])


@pytest.mark.parametrize("parts", [{"prior": "mixture"}, {"prior": "flow"}, {"posterior": "flow"}])
def test_free_bits_of_a_code_whose_kl_is_no_sum_over_units(parts):
    X = np.random.default_rng(0).normal(size=(64, 4))
    model = VAE(latent_dim=2, max_epochs=1, random_state=0, free_bits=1e-9, **parts).fit(X)
    step = _step(model, X)
    model.module_.train()
    paid = model.losses(step)["kl"].item()
    q = model.module_.posterior(step.x)
    z, log_q = q.draw(_rng())
    estimate = (log_q - model.module_.prior.log_prob(z)).mean().item()  # of few draws, and so it may be below zero
    assert paid == pytest.approx(max(estimate, 2e-9), rel=1e-4)
    model.free_bits = 50.0
    assert model.losses(_step(model, X))["kl"].item() == pytest.approx(100.0)


def test_the_bound_of_a_conditional_model_is_that_of_its_likeliest_class(digits, digit_labels):
    model = ConditionalVAE(latent_dim=4, max_epochs=2, random_state=0).fit(digits[:200], digit_labels[:200])
    few, many = (
        np.mean([model.likelihood_bound(digits[:20], k=k, random_state=seed) for seed in range(20)]) for k in (1, 50)
    )
    assert many > few
    np.testing.assert_allclose(model.likelihood_bound(digits[:20], k=64), model.score_samples(digits[:20]), rtol=1e-5)


class Watched(VAE):
    """Remembers the shares of the budget that records of training, and held-out ones, come with."""

    def losses(self, step):
        vars(self).setdefault("shares", {True: [], False: []})[self.module_.training].append(step.share)
        return super().losses(step)


def test_warm_up_raises_beta_with_the_budget():
    X = np.random.default_rng(0).normal(size=(64, 4))
    model = VAE(latent_dim=2, warm_up=0.5, max_epochs=1, random_state=0).fit(X)
    kl = [model.losses(replace(_step(model, X), share=share))["kl"].item() for share in (0.0, 0.25, 0.5, 1.0)]
    assert kl == pytest.approx([0.0, kl[3] / 2, kl[3], kl[3]])
    assert kl[3] > 0


def test_held_out_records_are_scored_alike_in_every_epoch():
    X = np.random.default_rng(0).normal(size=(64, 4))
    model = Watched(latent_dim=2, warm_up=0.5, max_epochs=4, batch_size=16, random_state=0).fit(X)
    assert model.shares[True] == pytest.approx(np.arange(16) / 16)  # 58 records in four steps an epoch
    assert model.shares[False] == [1.0] * 4


def test_one_importance_sample_is_the_evidence_lower_bound():
    """With k = 1 and the same noise, -log w = -log p(x|z) + log q(z|x) - log p(z)."""
    X = np.random.default_rng(0).normal(size=(64, 4))
    model = VAE(latent_dim=2, max_epochs=1, random_state=0).fit(X)
    x = model.module_.scale(torch.from_numpy(model.preprocessor_.encode(X)))
    q, noise = model.module_.posterior(x), torch.randn(64, 2, generator=_rng())
    z, log_q = q.at(noise)
    expected = model.module_.nll(model.decode(z), x) + log_q - normal_log_density(z, 0.0, 0.0).sum(1)
    torch.testing.assert_close(-model.module_.log_weights(q, x, noise), expected)
    iwae = VAE(latent_dim=2, max_epochs=1, random_state=0, k=7).fit(X)
    assert set(iwae.history_[0]) >= {"train_importance_bound", "validation_importance_bound"}
    bound = iwae._importance_bound(iwae.module_.posterior(x), x, _rng())
    log_w = [
        iwae.module_.log_weights(iwae.module_.posterior(x), x, part)
        for part in torch.randn(7 * 64, 2, generator=_rng()).split(64)
    ]
    torch.testing.assert_close(bound, torch.logsumexp(torch.stack(log_w), 0) - math.log(7))


# ---------------------------------------------------------------------- other ways to know where codes lie


def test_squared_mmd_is_unbiased_and_sees_a_shift():
    def mmd(shift, n=64):
        a, b = torch.randn(n, 3, generator=rng), torch.randn(n, 3, generator=rng) + shift
        return squared_mmd(a, b).item()

    rng = _rng()
    same = [mmd(0.0) for _ in range(300)]
    assert abs(np.mean(same)) < 3 * np.std(same) / 300**0.5
    assert np.mean([mmd(0.5) for _ in range(50)]) > 5 * np.std(same) / 50**0.5


def test_squared_mmd_equals_its_definition():
    a, b = torch.randn(5, 2, generator=_rng()), torch.randn(5, 2, generator=_rng(1))

    def k(one, other):
        square = ((one - other) ** 2).sum().item()
        return sum(s * 4 / (s * 4 + square) for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))

    pairs = [(i, j) for i in range(5) for j in range(5)]
    expected = sum(k(a[i], a[j]) + k(b[i], b[j]) for i, j in pairs if i != j) / 20
    expected -= 2 * sum(k(a[i], b[j]) for i, j in pairs) / 25
    assert squared_mmd(a, b).item() == pytest.approx(expected, rel=1e-5)


def test_the_parts_of_the_kl_add_up_and_see_correlation():
    """For a Gaussian q(z) with correlation r, the total correlation is -log(1 - r^2) / 2 (closed form)."""
    m, r = 3000, 0.8
    noise = torch.randn(m, 2, generator=_rng())
    narrow = 0.3  # deviation of each posterior; the means spread such that q(z) has unit variances and correlation r
    means = _with_covariance(noise, torch.tensor([[1 - narrow**2, r], [r, 1 - narrow**2]]))
    q = networks.Posterior(means, torch.full((m, 2), 2 * math.log(narrow)))
    z, log_q = q.draw(_rng(1))
    information, correlation, units = kl_parts(z, q, m)
    prior = networks.StandardNormal()
    assert (information + correlation + units).item() == pytest.approx(
        (log_q - prior.log_prob(z)).mean().item(), rel=1e-4
    )
    assert correlation.item() == pytest.approx(-0.5 * math.log(1 - r**2), abs=0.04)
    assert units.item() == pytest.approx(0.0, abs=0.03)
    covariance = torch.tensor([[1, r], [r, 1]])
    entropy = 0.5 * torch.logdet(covariance).item() - 2 * math.log(narrow)
    assert information.item() == pytest.approx(entropy, abs=0.06)


def _with_covariance(noise, covariance):
    """Return independent noise with exactly this covariance."""
    noise = noise - noise.mean(0)
    whitened = torch.linalg.solve_triangular(
        torch.linalg.cholesky(torch.cov(noise.T, correction=0)), noise.T, upper=False
    )
    return (torch.linalg.cholesky(covariance) @ whitened).T


@pytest.mark.parametrize("smoothness", ["gradient", "weights"])
def test_smoothness_is_that_of_a_linear_decoder(smoothness):
    """For theta = W z the squared Jacobian norm is ||W||^2, and so is the weights' penalty."""
    X = np.random.default_rng(0).normal(size=(2000, 5))
    model = RegularizedAutoencoder(
        latent_dim=2, hidden=(), smoothness=smoothness, penalty=3.0, max_epochs=1, random_state=0
    )
    model.fit(X)
    model.module_.train()
    term = model.losses(_step(model, X))[smoothness]
    (weight,) = (p for p in model.module_.decoder.parameters() if p.ndim == 2)
    assert term.item() == pytest.approx(
        1.5 * weight.square().sum().item(), rel=0.1 if smoothness == "gradient" else 1e-5
    )
