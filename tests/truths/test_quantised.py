"""Quantisers and the prior of tokens against brute force and exact sums."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from isthmus import VQVAE, networks
from isthmus.networks.quantised import rotated


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_nearest_entries_equal_a_search():
    quantiser = networks.VectorQuantiser(17, 3, 2, _rng())
    z = torch.randn(5, 4, 3, generator=_rng(1))
    numbers = quantiser.indices(z)
    left = z.clone()
    for level in range(2):
        book = quantiser.books[level].weight.detach()
        expected = (left[..., None, :] - book).square().sum(-1).argmin(-1)
        assert torch.equal(numbers[..., level], expected)
        left = left - book[expected]
    torch.testing.assert_close(z - left, quantiser.look_up(numbers))


def test_price_is_the_squared_distance():
    quantiser = networks.VectorQuantiser(8, 3, 1, _rng())
    z = torch.randn(5, 4, 3, generator=_rng(1), requires_grad=True)
    q, numbers, price = quantiser(z, commitment=0.25)
    distance = (z - quantiser.look_up(numbers)).square().flatten(1).sum(1)
    torch.testing.assert_close(price, 1.25 * distance)
    torch.testing.assert_close(q, quantiser.look_up(numbers))
    # d/dz sees the commitment only, d/de the other part only.
    entry = quantiser.books[0].weight
    by_z, by_entry = torch.autograd.grad(price.sum(), (z, entry))
    torch.testing.assert_close(by_z, 0.5 * (z - q).detach())
    expected = torch.zeros_like(entry).index_add_(0, numbers.flatten(), 2 * (q - z).detach().flatten(0, 1))
    torch.testing.assert_close(by_entry, expected)


def test_rotation_turns_the_gradient_back():
    z, q, g = torch.randn(3, 6, 4, generator=_rng())
    z.requires_grad_()
    turned = rotated(z, q)
    torch.testing.assert_close(turned.detach(), q)
    (back,) = torch.autograd.grad((turned * g).sum(), z)
    # Angles and, up to the stretching, lengths are kept: g is to q as the gradient of z is to z.
    stretch = q.norm(dim=1) / z.detach().norm(dim=1)
    torch.testing.assert_close((back * z.detach()).sum(1), (g * q).sum(1))
    torch.testing.assert_close(back.norm(dim=1), g.norm(dim=1) * stretch)


@pytest.mark.parametrize("steps", [(2, 3), (8, 5, 5, 5), (7,)])
def test_scalar_quantiser_reaches_every_entry_and_counts_them_apart(steps):
    quantiser = networks.ScalarQuantiser(steps)
    z = torch.randn(200_000, 1, len(steps), generator=_rng()) * 2
    numbers = quantiser.indices(z)
    assert set(numbers.flatten().tolist()) == set(range(quantiser.codebook_size))
    q, again, price = quantiser(z)
    assert torch.equal(again, numbers)
    torch.testing.assert_close(q, quantiser.look_up(numbers))
    assert len(torch.unique(q.flatten(0, 1), dim=0)) == quantiser.codebook_size
    assert q.abs().max() <= 1
    assert not price.any()


def test_dead_entries_are_revived_where_tokens_are():
    quantiser = networks.VectorQuantiser(32, 2, 1, _rng())
    with torch.no_grad():
        quantiser.books[0].weight += 100  # far from all tokens: one entry takes them all
    z = torch.randn(64, 4, 2, generator=_rng(1))
    for i in range(500):
        quantiser.revive(z, _rng(i))
        if i == 400:
            quantiser.use()  # begins to count
        quantiser(z)
    use = quantiser.use()
    assert use["used_entries"] >= 30
    assert use["used_entries"] + use["dead_entries"] == 32
    assert use["perplexity"] > 16


def test_use_is_counted_and_not_remembered():
    quantiser = networks.VectorQuantiser(64, 2, 1, _rng())
    with torch.no_grad():
        quantiser.books[0].weight[:] = torch.arange(64.0)[:, None]
    z = torch.arange(8.0)[None, :, None].expand(1, 8, 2)
    quantiser(z)
    assert quantiser.use() == {"perplexity": pytest.approx(8.0), "used_entries": 8, "dead_entries": 56}
    quantiser(z[:, :2])
    assert quantiser.use() == {"perplexity": pytest.approx(2.0), "used_entries": 2, "dead_entries": 62}


@pytest.mark.long
def test_token_prior_sums_to_one_and_draws_what_it_says():
    prior = networks.TokenPrior(3, 3, _rng())
    with torch.no_grad():
        prior.out.weight.mul_(20)
        codes = torch.tensor(list(itertools.product(range(3), repeat=3)))
        p = prior.log_prob(codes).exp()
        drawn = prior.sample(20_000, _rng(1))
    assert p.sum().item() == pytest.approx(1.0, abs=1e-5)
    assert p.max() / p.min() > 2  # it is no even distribution
    share = torch.bincount((drawn * torch.tensor([9, 3, 1])).sum(1), minlength=27) / 20_000
    torch.testing.assert_close(share, p, atol=0.015, rtol=0)


def test_bound_is_that_of_code_and_record(digits):
    model = VQVAE(latent_dim=8, codebook_size=16, max_epochs=2, random_state=0).fit(digits[:300])
    X = digits[:20]
    x = model.module_.scale(torch.from_numpy(model.preprocessor_.encode(X)))
    with torch.no_grad():
        numbers = torch.from_numpy(model.code_indices(X))
        z = model.module_.quantiser.look_up(numbers).flatten(1)
        expected = model.module_.prior.log_prob(numbers.flatten(1)) - model.module_.nll(model.decode(z), x)
    np.testing.assert_allclose(model.score_samples(X), expected.numpy(), rtol=1e-4)
    np.testing.assert_allclose(model.transform(X), z.numpy(), rtol=1e-5)


def test_history_names_use_and_dead_entries(digits):
    model = VQVAE(latent_dim=8, codebook_size=16, max_epochs=2, random_state=0).fit(digits[:300])
    last = model.history_[-1]
    assert 1 < last["perplexity"] <= 16
    assert last["used_entries"] + last["dead_entries"] == 16


def test_held_out_records_judge_the_prior_too(digits):
    model = VQVAE(latent_dim=8, codebook_size=16, max_epochs=2, random_state=0).fit(digits[:300])
    last = model.history_[-1]
    parts = [last[f"validation_{part}"] for part in ("model_reconstruction", "model_quantisation", "prior_code")]
    assert last["validation_loss"] == pytest.approx(sum(parts))
    assert 0 < last["validation_prior_code"] < 2 * np.log(16) + 1  # two tokens


@pytest.mark.long
def test_own_networks_that_end_in_maps_have_one_token_a_place(digits):
    own = (
        nn.Sequential(nn.Conv2d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 6, 3, 1, 1)),
        nn.Sequential(nn.Conv2d(6, 8, 3, 1, 1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1)),
    )
    model = VQVAE(network=own, codebook_size=16, max_epochs=2, random_state=0).fit(digits[:300])
    assert model.code_indices(digits[:5]).shape == (5, 16, 1)
    assert model.transform(digits[:5]).shape == (5, 6 * 4 * 4)
    assert model.sample(3, random_state=0).shape == (3, 8, 8)


def test_own_networks_that_end_in_vectors_are_cut_into_tokens(digits):
    own = nn.Sequential(nn.Flatten(), nn.Linear(64, 12)), nn.Linear(12, 64)
    model = VQVAE(network=own, codebook_size=16, max_epochs=2, random_state=0).fit(digits[:300])
    assert model.code_indices(digits[:5]).shape == (5, 3, 1)
    with pytest.raises(ValueError, match="tokens=5 must divide latent_dim, which is 12"):
        VQVAE(network=own, codebook_size=16, tokens=5).fit(digits[:300])


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"latent_dim": 10, "tokens": 4}, "tokens=4 must divide latent_dim, which is 10; take latent_dim=12"),
        ({"quantisation": "scalar", "latent_dim": 10}, r"len\(fsq_levels\)=4 must divide latent_dim, which is 10"),
        (
            {"quantisation": "scalar", "latent_dim": 16, "tokens": 3},
            r"tokens \* len\(fsq_levels\) is 12, and must equal latent_dim: 16",
        ),
        ({"entries": 64}, "VQVAE has no parameter 'entries' any more; it is 'codebook_size' now"),
        ({"quantisation": "vectors"}, "quantisation must be one of 'vector', 'residual', 'scalar'"),
        ({"fsq_levels": (1, 5)}, "each of fsq_levels must be a whole number of at least 2 and at most 256; it is 1"),
    ],
)
def test_sentences(digits, parameters, sentence):
    with pytest.raises(ValueError, match=sentence):
        VQVAE(**parameters).fit(digits[:50])
