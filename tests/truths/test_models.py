"""Objectives against independent truths: PCA, autograd, brute force, closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from isthmus import Autoencoder, ContractiveAutoencoder, SparseAutoencoder, networks
from isthmus.models.contractive import exact_contraction
from isthmus.models.sparse import coin_kl
from isthmus.training.optimizers import ROOMY_STEPS, Muon, polar_factor, polar_factor_in_bfloat16
from isthmus.training.schedules import one_cycle


def test_the_linear_autoencoder_is_pca():
    """Baldi and Hornik (1989): with squared error, its best is PCA's error, and nothing is below it."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(600, 4)) @ rng.normal(size=(4, 12)) + 0.3 * rng.normal(size=(600, 12))).astype(np.float32)
    model = Autoencoder(
        latent_dim=3, hidden=(), likelihood="gaussian-fixed", scaling="none", max_epochs=150, random_state=0
    ).fit(X, validation=0)
    error = ((model.reconstruct(X) - X) ** 2).sum(1).mean()
    pca = PCA(3).fit(X)
    best = ((pca.inverse_transform(pca.transform(X)) - X) ** 2).sum(1).mean()
    assert best <= error * (1 + 1e-6)
    assert error == pytest.approx(best, rel=0.01)


def test_exact_contraction_equals_autograd():
    torch.manual_seed(0)
    layer = torch.nn.Linear(5, 3).double()
    x = torch.randn(4, 5, dtype=torch.float64)
    z = layer(x).sigmoid()
    for i in range(4):
        jacobian = torch.autograd.functional.jacobian(lambda v: layer(v).sigmoid(), x[i])
        assert exact_contraction(z.float(), layer.weight)[i].item() == pytest.approx(
            jacobian.square().sum().item(), rel=1e-5
        )


def test_the_estimated_contraction_is_unbiased(blobs):
    model = ContractiveAutoencoder(hidden=(8,), latent_dim=3, max_epochs=1, random_state=0).fit(blobs)
    x = model.module_.scale(torch.from_numpy(model.preprocessor_.encode(blobs[:1])))
    jacobian = torch.autograd.functional.jacobian(lambda v: model.encode(v[None])[0], x[0])
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        estimates = model._estimated(x.expand(20000, -1), rng)[1]
    spread = estimates.std().item() / math.sqrt(20000)
    assert estimates.mean().item() == pytest.approx(jacobian.square().sum().item(), abs=4 * spread)


def test_coin_kl_equals_the_sum_over_outcomes():
    for rho, q in ((0.05, 0.3), (0.5, 0.5), (0.9, 0.2)):
        expected = torch.distributions.kl_divergence(
            torch.distributions.Bernoulli(torch.tensor(rho)), torch.distributions.Bernoulli(torch.tensor(q))
        )
        assert coin_kl(rho, torch.tensor(q)).item() == pytest.approx(expected.item(), abs=1e-6)


def test_top_k_keeps_the_k_largest(digits):
    model = SparseAutoencoder(latent_dim=12, k=4, max_epochs=1, random_state=0).fit(digits[:200])
    x = model.module_.scale(torch.from_numpy(model.preprocessor_.encode(digits[:20])))
    with torch.no_grad():
        a, z = model.module_.encode(x), model.encode(x)
    for dense, sparse in zip(a, z, strict=True):
        expected = torch.where(dense >= dense.sort(descending=True).values[3], dense, 0.0)
        assert torch.equal(sparse, expected)


def test_polar_factor_equals_the_svd():
    torch.manual_seed(0)
    matrices = torch.randn(3, 16, 40)
    u, _, vt = torch.linalg.svd(matrices, full_matrices=False)
    newton_schulz = (1.5, -0.5, 0.0)  # converges to the polar factor from every norm of 1
    assert (polar_factor(matrices, [newton_schulz] * 20) - u @ vt).abs().max() < 1e-5


def test_polar_factor_moves_every_direction_at_nearly_one_speed():
    torch.manual_seed(0)
    u, v = torch.linalg.qr(torch.randn(64, 64))[0], torch.linalg.qr(torch.randn(128, 64))[0]
    s = torch.logspace(-2.5, 0, 64)
    s /= s.norm()
    speeds = u.mT @ polar_factor(((u * s) @ v.mT)[None])[0] @ v
    within = s > 3e-3
    assert within.sum() > 40
    assert (speeds.diagonal()[within] - 1).abs().max() < 0.199
    assert (speeds - speeds.diagonal().diag()).abs().max() < 1e-3  # the directions themselves are kept


@pytest.mark.parametrize("records", [5, 35, 200])
def test_polar_factor_is_exact_where_one_direction_is_by_far_the_longest(records):
    """Of records that have much in common, as behind a rectifier, the gradient is nearly of rank one."""
    rng = torch.Generator().manual_seed(records)
    inputs = torch.relu(1 + torch.randn(records, 2048, generator=rng, dtype=torch.float64))
    gradient = (torch.randn(64, records, generator=rng, dtype=torch.float64) @ inputs)[None]
    rounded = (gradient * torch.logspace(-2, 0, 64, dtype=torch.float64)[:, None]).float()
    apart = polar_factor(rounded).double() - polar_factor(rounded.double())
    assert torch.linalg.matrix_norm(apart, 2).item() < 2e-4


@pytest.mark.parametrize("shape", [(300, 400), (400, 300), (257, 260)])
def test_muon_moves_each_block_of_rows_of_a_large_matrix_by_its_own_polar_factor(shape):
    rng = torch.Generator().manual_seed(0)
    gradient = torch.randn(shape, generator=rng)
    weight = torch.nn.Parameter(torch.zeros(shape))
    weight.grad = gradient
    optimizer = Muon([weight], peak=1.0)
    optimizer.step(1.0)
    wide, moved = (gradient, -weight.detach()) if shape[0] < shape[1] else (gradient.T, -weight.detach().T)
    rows = -(-wide.shape[0] // 3)  # three blocks of at most 128
    for block, step in zip(wide.split(rows), moved.split(rows), strict=True):
        u, _, v = torch.linalg.svd(block, full_matrices=False)
        speeds = (u.T @ step @ v.T) * (3 / max(1.0, shape[0] / shape[1])) ** 0.5
        assert (speeds.diagonal() - 1).abs().max() < 0.2
        assert (speeds - speeds.diagonal().diag()).abs().max() < 1e-3


def test_polar_factor_in_bfloat16_is_that_in_float32_up_to_rounding():
    torch.manual_seed(0)
    matrices = torch.randn(2, 96, 160) * torch.logspace(-1.5, 0, 96)[:, None]
    exact, rounded = polar_factor(matrices, ROOMY_STEPS), polar_factor_in_bfloat16(matrices)
    assert (exact - rounded).norm() / exact.norm() < 0.03
    assert polar_factor_in_bfloat16(torch.zeros(1, 4, 4)).abs().max() == 0


@pytest.mark.parametrize("noise", [0.0, 1e-4, 1e-2])
def test_polar_factor_in_bfloat16_of_nearly_one_direction_is_no_longer_than_that(noise):
    """A batch with one odd record has such a gradient; rounding must not carry it out of the polynomials' interval."""
    rng = torch.Generator().manual_seed(0)
    rows = torch.zeros(1, 100, 1)
    rows[:, :3] = 1.0
    for _ in range(20):
        direction = rows @ torch.relu(torch.randn(1, 1, 200, generator=rng))
        factor = polar_factor_in_bfloat16(direction + noise * torch.randn(1, 100, 200, generator=rng))
        assert torch.linalg.matrix_norm(factor, 2).item() < 1.25


def test_one_cycle_rises_and_ends_at_zero():
    assert [one_cycle(p) for p in (0.0, 0.05, 0.1, 1.0)] == pytest.approx([0.0, 0.5, 1.0, 0.0])


# ---------------------------------------------------------------------- corruptions and augmentations


def test_corruptions_do_what_they_say():
    rng = torch.Generator().manual_seed(0)
    x = torch.rand((64, 1, 24, 24), generator=rng) + 0.1
    noise = networks.corrupt(x, "gaussian", 0.5, rng) - x
    assert noise.std().item() == pytest.approx(0.5, rel=0.02)
    assert noise.mean().item() == pytest.approx(0.0, abs=0.02)
    masked = networks.corrupt(x, "masking", 0.25, rng)
    assert (masked == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert torch.equal(masked[masked != 0], x[masked != 0])
    speckled = networks.corrupt(x, "salt-and-pepper", 0.2, rng)
    assert (speckled != x).float().mean().item() == pytest.approx(0.2, abs=0.01)
    holed = networks.corrupt(x, "holes", 0.15, rng)
    assert (holed == 0).float().mean().item() == pytest.approx(0.15, abs=0.03)
    flat = torch.full((2, 3, 20, 20), 0.7)
    for kind in ("blur", "downscale"):
        assert torch.allclose(networks.corrupt(flat, kind, None, rng), flat, atol=1e-5)
        assert networks.corrupt(x, kind, None, rng).var() < x.var()


def test_augmentations_keep_shape_and_flips_are_exact():
    rng = torch.Generator().manual_seed(0)
    x = torch.rand((40, 2, 9, 12), generator=rng)
    flipped = networks.augment(x, ("flip",), rng)
    as_it_was, turned = (flipped == x).flatten(1).all(1), (flipped == x.flip(-1)).flatten(1).all(1)
    assert bool((as_it_was | turned).all())
    assert bool(as_it_was.any())
    assert bool(turned.any())
    for kind in networks.AUGMENTATIONS:
        assert networks.augment(x, (kind,), rng).shape == x.shape
    spot = torch.zeros((200, 1, 25, 25))
    spot[:, :, 12, 12] = 1.0
    moved = networks.augment(spot, ("shift",), rng)
    assert torch.allclose(moved.flatten(1).sum(1), torch.ones(200), atol=1e-4)
    assert set(moved.flatten(1).amax(1).round(decimals=3).tolist()) == {1.0}  # whole pixels: nothing is blurred
