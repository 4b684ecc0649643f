"""The objectives of both players against their closed-form optimum on a known pair of distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from isthmus import GAN, VAEGAN, AdversarialAutoencoder, ConditionalGAN, networks
from isthmus.models.gan import LOSSES, squared_slope
from isthmus.training import Step

# Two coins: real records are 1 with chance .7, generated ones with chance .4.
P, Q = torch.tensor([0.3, 0.7]), torch.tensor([0.6, 0.4])
RATIO = P.log() - Q.log()


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def _pairs(c):
    """Return C of every pair of a real and a generated coin out of ten, as often as they occur."""
    real = torch.repeat_interleave(c, torch.tensor([3, 7]))
    fake = torch.repeat_interleave(c, torch.tensor([6, 4]))
    return real.repeat_interleave(10), fake.repeat(10)


def _best_critic(name):
    """Return the critic (its value of either side of the coin) that lowers its loss most, and that loss."""
    c = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([c], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = LOSSES[name][0](*_pairs(c))
        loss.backward()
        return loss

    optimizer.step(closure)
    return c.detach().float(), closure().item()


def _kl(p, q):
    return (p * (p / q).log()).sum().item()


@pytest.mark.parametrize("name", ["minimax", "non-saturating"])
def test_the_best_critic_knows_the_ratio_and_its_loss_the_jensen_shannon_divergence(name):
    c, loss = _best_critic(name)
    torch.testing.assert_close(c, RATIO, atol=1e-4, rtol=0)  # Goodfellow et al. 2014, proposition 1
    middle = (P + Q) / 2
    divergence = (_kl(P, middle) + _kl(Q, middle)) / 2
    assert loss == pytest.approx(2 * math.log(2) - 2 * divergence, abs=1e-6)  # theorem 1


def test_the_best_least_squares_critic_is_the_share_of_real_records():
    c, loss = _best_critic("least-squares")
    torch.testing.assert_close(c, P / (P + Q), atol=1e-4, rtol=0)  # Mao et al. 2017, equation 3
    assert loss == pytest.approx(0.5 * (P * Q / (P + Q)).sum().item(), abs=1e-6)


def test_the_best_relativistic_critic_knows_how_ratios_differ():
    c, loss = _best_critic("relativistic")
    d = (RATIO[1] - RATIO[0]).item()
    assert (c[1] - c[0]).item() == pytest.approx(d, abs=1e-4)
    alike = (P * Q).sum().item() * math.log(2)
    unlike = P[1] * Q[0] * math.log1p(math.exp(-d)) + P[0] * Q[1] * math.log1p(math.exp(d))
    assert loss == pytest.approx(alike + float(unlike), abs=1e-6)


def test_the_best_hinge_critic_gives_the_total_variation():
    """Lim and Ye 2017: with C = sign(p - q) the loss is 2 sum min(p, q) = 2 - 2 TV, and no C does better."""
    best = LOSSES["hinge"][0](*_pairs(torch.tensor([-1.0, 1.0]))).item()
    assert best == pytest.approx(2 * torch.minimum(P, Q).sum().item(), abs=1e-6)
    values = torch.linspace(-3, 3, 25)
    assert all(LOSSES["hinge"][0](*_pairs(torch.stack([u, v]))).item() >= best - 1e-6 for u in values for v in values)


def test_the_best_critic_with_slope_one_gives_the_wasserstein_distance():
    """Between coins at 0 and 1 it is the mass that has to move: |p_1 - q_1|."""
    best = min(
        LOSSES["wasserstein"][0](*_pairs(torch.stack([torch.zeros(()), d]))).item() for d in torch.linspace(-1, 1, 21)
    )
    assert best == pytest.approx(-abs(P[1] - Q[1]).item(), abs=1e-6)


def test_in_the_minimax_game_one_player_loses_what_the_other_wins():
    a, b = torch.randn(2, 50, generator=_rng())
    b.requires_grad_()
    critic, generator = (LOSSES["minimax"][i](a, b) for i in (0, 1))
    (one,), (other,) = (torch.autograd.grad(loss, b) for loss in (critic, generator))
    torch.testing.assert_close(one, -other)


@pytest.mark.parametrize("name", LOSSES)
def test_generators_gain_by_seeming_more_real(name):
    a, b = torch.randn(2, 50, generator=_rng())
    b = (b / 4).requires_grad_()
    (slope,) = torch.autograd.grad(LOSSES[name][1](a, b), b)
    assert (slope < 0).all()


def test_squared_slope_is_that_of_a_linear_critic():
    critic, x = nn.Linear(5, 1), torch.randn(7, 5, generator=_rng(), requires_grad=True)
    slopes = squared_slope(critic(x)[:, 0], x)
    torch.testing.assert_close(slopes, critic.weight.square().sum().expand(7))
    assert torch.autograd.grad(slopes.sum(), critic.weight)[0].abs().sum() > 0


def test_octaves_are_sines_and_cosines_at_doubling_frequencies():
    x = torch.randn(6, 3, generator=_rng())
    seen = networks.Octaves(2, 4)(x)
    assert seen.shape == (6, 3 + 2 * 4 * 2)
    torch.testing.assert_close(seen[:, :3], x)
    torch.testing.assert_close(seen[:, 3 + 4 + 2], torch.sin(2 * math.pi * x[:, 1]))
    torch.testing.assert_close(seen[:, 3 + 8], torch.cos(math.pi / 2 * x[:, 0]))


def test_hinge_critics_have_unit_spectral_norms(gaussian_table):
    model = GAN(loss="hinge", max_epochs=3, random_state=0).fit(gaussian_table)
    layers = [layer for layer in model.module_.critic.modules() if isinstance(layer, nn.Linear)]
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1.0, abs=0.2)


def test_the_share_of_augmented_records_grows_while_the_critic_is_sure():
    core = networks.AdversarialCore(nn.Identity(), nn.Identity(), networks.Gaussian())
    core.adapt(torch.ones(10), torch.zeros(10))
    assert core.strength.item() == pytest.approx(1e-3)
    core.adapt(torch.zeros(10), torch.ones(10))
    assert core.strength.item() == 0


def test_the_average_begins_with_the_last_moves_and_remembers_more_and_more():
    core = networks.AdversarialCore(nn.Identity(), nn.Linear(1, 1, bias=False), networks.Gaussian())
    values = torch.arange(1.0, 301.0)
    for value in values:
        core.decoder.weight.data.fill_(value)
        core.update_average()
    shares = 10 / (values + 10)
    expected = core.average.weight.new_zeros(())
    start = 1.0
    for value, share in zip(values, shares, strict=True):
        expected, start = expected + share * (value - expected), start * (1 - share)
    assert core.average.weight.item() == pytest.approx(expected.item(), rel=0.01)
    assert start < 1e-3


@pytest.mark.long
def test_separate_pieces_are_drawn_as_often_as_they_occur():
    """Four points far apart: nearly all draws lie at one of them, and at each of them lies a share of its size."""
    corners = np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]]) * 3
    X = corners[np.arange(1200) % 4] + 0.05 * np.random.default_rng(0).normal(size=(1200, 2))
    drawn = GAN(max_epochs=80, random_state=0).fit(X).sample(400, random_state=0)
    distance = np.linalg.norm(drawn[:, None] - corners, axis=2)
    assert (distance.min(1) < 0.5).mean() > 0.95
    assert (np.bincount(distance.argmin(1), minlength=4) > 50).all()  # a hundred, and fifty are six deviations fewer


@pytest.mark.long
def test_codes_of_an_adversarial_autoencoder_lie_as_the_prior_does(gaussian_table):
    model = AdversarialAutoencoder(latent_dim=2, max_epochs=60, random_state=0).fit(gaussian_table)
    plain = AdversarialAutoencoder(latent_dim=2, max_epochs=60, penalty=0, random_state=0).fit(gaussian_table)
    apart = [nats_from_standard_normal(each.transform(gaussian_table)) for each in (model, plain)]
    assert apart[0] < 0.1
    assert apart[0] < apart[1]


def nats_from_standard_normal(codes):
    """Return KL(N(mean, covariance) || N(0, I)) of the Gaussian with the codes' moments."""
    mean, covariance = codes.mean(0), np.cov(codes.T)
    return 0.5 * (np.trace(covariance) + mean @ mean - len(mean) - np.linalg.slogdet(covariance)[1])


def test_a_class_begins_at_its_mean_record():
    """Whatever the network makes of the noise, classes differ at first by the means of their records."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 30, 10])
    X = np.array([[-4.0, 0.0, 1.0], [0.0, 4.0, 1.0], [4.0, 0.0, -9.0]])[y] + rng.normal(size=(100, 3))
    model = ConditionalGAN(latent_dim=2, hidden=(8,), max_epochs=1, learning_rate=1e-12, random_state=0).fit(X, y)
    core = model.module_
    whole = sum(share * X[y == c].mean(axis=0) for c, share in enumerate([0.6, 0.3, 0.1]))
    offset = np.stack([X[y == c].mean(axis=0) - whole for c in range(3)]) / X.std(axis=0)
    assert core.starts.numpy() == pytest.approx(offset, abs=1e-3)
    z = core.prior.sample((5, 2), torch.Generator().manual_seed(0))
    for c in range(3):
        code = core.code(z, torch.full((5,), c))
        assert torch.allclose(core.decode(code) - core.average(code), core.starts[c].expand(5, 3), atol=1e-6)
    halves = torch.tensor([[0.0, 0.0, 0.5, 0.5, 0.0]])  # a code whose class is uncertain lies between
    assert torch.allclose(core.decode(halves) - core.average(halves), core.starts[:2].mean(0), atol=1e-6)


def test_files_of_conditional_gans_without_starts_are_taken():
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    core = ConditionalGAN(latent_dim=2, hidden=(8,), max_epochs=1, random_state=0).fit(X, y).module_
    weights = {name: tensor for name, tensor in core.state_dict().items() if name != "starts"}
    core.load_state_dict(weights)
    assert not core.starts.any()


def test_likeness_is_the_distance_that_the_critic_sees(gaussian_table):
    model = VAEGAN(latent_dim=2, max_epochs=1, random_state=0).fit(gaussian_table)
    core = model.module_
    x = core.scale(torch.from_numpy(model.preprocessor_.encode(gaussian_table[:9])))
    with torch.no_grad():
        theta = model.decode(core.encode(x))
        expected = sum(
            0.5 * (core.critic.features(theta[i : i + 1]) - core.critic.features(x[i : i + 1])).square().sum()
            for i in range(9)
        )
        assert model._likeness(theta, Step(x, _rng())).item() == pytest.approx(expected.item() / 9, rel=1e-4)
