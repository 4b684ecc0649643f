"""The hierarchy of codes against torch's own divergences and two estimates of one likelihood."""

from __future__ import annotations

import math

import pytest
import torch

from isthmus import LadderVAE
from isthmus.networks.ladder import gaussian_kl
from isthmus.training import Step


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def ladder(gaussian_table):
    return LadderVAE(latent_dim=4, levels=2, width=16, max_epochs=5, random_state=0).fit(gaussian_table)


def _scaled(model, X):
    return model.module_.scale(torch.from_numpy(model.preprocessor_.encode(X)))


def test_gaussian_kl_equals_torchs():
    mean_q, log_q, mean_p, log_p = torch.randn(4, 7, generator=_rng())
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(mean_q, (0.5 * log_q).exp()), normal(mean_p, (0.5 * log_p).exp())
    )
    torch.testing.assert_close(gaussian_kl((mean_q, log_q), (mean_p, log_p)), expected)


def test_ladder_log_ratio_averages_to_minus_the_kl(ladder, gaussian_table):
    x = _scaled(ladder, gaussian_table[:1]).expand(40_000, -1)
    with torch.no_grad():
        descent = ladder.module_.descend(x, torch.randn(40_000, 4, generator=_rng()))
    kl = descent.kl.sum(1)
    error = 4 * (descent.log_ratio + kl).std() / 40_000**0.5
    assert (descent.log_ratio + kl).mean().abs() < error


def test_ladder_codes_lead_back_to_the_same_theta(ladder, gaussian_table):
    x = _scaled(ladder, gaussian_table[:50])
    with torch.no_grad():
        descent = ladder.module_.descend(x, torch.randn(50, 4, generator=_rng()))
        torch.testing.assert_close(ladder.module_.decode(descent.code), descent.theta)


@pytest.mark.long
def test_ladder_weights_average_to_the_likelihood_of_a_tiny_model(ladder, gaussian_table):
    """E_q[w] = E_p[p(x | z)] = p(x), whatever q: two estimates of one number."""
    x = _scaled(ladder, gaussian_table[:5])
    with torch.no_grad():
        by_q = ladder.module_.importance_bound(x, 2000, _rng(1))
        codes = ladder.module_.draw((200_000, 4), _rng(2))
        theta = ladder.module_.decode(codes)
        log_p = torch.stack([-ladder.module_.nll(theta, row.expand(200_000, -1)) for row in x])
        by_p = torch.logsumexp(log_p, 1) - math.log(200_000)
    torch.testing.assert_close(by_q, by_p, atol=0.15, rtol=0)


def test_ladder_free_bits_count_a_level_at_least_so_much(gaussian_table):
    model = LadderVAE(latent_dim=4, levels=2, free_bits=30.0, warm_up=0, max_epochs=1, random_state=0).fit(
        gaussian_table
    )
    model.module_.train()
    terms = model.losses(
        Step(model.module_.scale(torch.from_numpy(model.preprocessor_.encode(gaussian_table))), _rng())
    )
    assert terms["kl"].item() == pytest.approx(60.0)
    assert model.level_kl(gaussian_table).shape == (2,)
