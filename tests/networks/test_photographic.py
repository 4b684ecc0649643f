"""The networks of the photographic codec: what they are before they learned anything, and what their bits mean."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from isthmus.coding.photographs.weights import Weights
from isthmus.errors import ArtifactError
from isthmus.networks import photographic
from isthmus.networks.photographic import LEVELS, UNIT, Analysis, Conditional, Decoder, bits_of, sides_of, with_noise
from isthmus.networks.photographic_integers import from_integers, to_integers, within_bounds


def picture(height: int, width: int) -> torch.Tensor:
    """Return a smooth picture with some noise, (1, 3, height, width), in units."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 9 + c) + np.cos(y / 7 - c) for c in range(3)])
    return torch.from_numpy((waves + 0.1 * rng.standard_normal(waves.shape)).astype(np.float32))[None]


@pytest.mark.parametrize("log_scale", [-3.0, 0.0, 3.0])
@pytest.mark.parametrize("away", [0.0, 0.3, 0.5, 1.7, 6.0])
def test_bits_are_those_of_the_mass_of_a_step(log_scale: float, away: float) -> None:
    scale = 2**log_scale
    inside, _ = quad(
        lambda t: math.exp(-abs(t) / scale) / (2 * scale), away - 0.5, away + 0.5, points=[0.0], epsabs=1e-13
    )
    expected = -math.log2(inside + photographic.SURPRISE / (1 + away**2))
    found = bits_of(torch.tensor(away + 2.0), torch.tensor(2.0), torch.tensor(log_scale))
    assert found.item() == pytest.approx(expected, rel=1e-4, abs=2e-5)


def test_slopes_of_bits_are_those_of_their_values() -> None:
    away = torch.tensor([-40.0, -3.2, -0.7, -0.4, -0.01, 0.2, 0.6, 2.5, 9.0], dtype=torch.float64)
    log_scale = torch.tensor([-4.0, -1.5, 0.0, 1.0, 3.0, 9.0], dtype=torch.float64)
    y, log_scale = (each.flatten().requires_grad_(True) for each in torch.meshgrid(away, log_scale, indexing="ij"))
    mean = torch.full_like(y, 0.125).requires_grad_(True)
    assert torch.autograd.gradcheck(bits_of, (y, mean, log_scale))


def test_a_surprise_is_bounded_in_cost_and_pull() -> None:
    y = torch.tensor(300.0, requires_grad=True)
    bits = bits_of(y, torch.tensor(0.0), torch.tensor(-4.0))
    bits.backward()
    assert bits.item() < 16 + 2 * math.log2(301)
    assert y.grad is not None
    assert 0 < y.grad.item() < 0.1


@pytest.mark.parametrize(("height", "width"), [(64, 96), (37, 51), (1, 1), (2, 5)])
def test_an_untrained_codec_is_one_of_wavelets(height: int, width: int) -> None:
    x = picture(height, width)
    with torch.no_grad():
        fine = Analysis()(x, decoder := Decoder(), torch.ones(1))
        coarse = Analysis()(x, decoder, torch.zeros(1))
    assert fine.picture.shape == x.shape
    assert [y.shape[2:] for y in fine.latents] == [torch.Size(sides) for sides in sides_of(height, width)[1:]]
    errors = [(found.picture - x).square().mean().sqrt().item() * UNIT for found in (fine, coarse)]
    assert errors[0] < 3  # levels, of a step of 8
    assert errors[1] > errors[0]


def test_a_conditional_vector_is_linear_between_its_anchors() -> None:
    found = Conditional(2)
    with torch.no_grad():
        found.anchors.copy_(torch.arange(16.0).view(8, 2) ** 2)
        values = found(torch.tensor([0.0, 1 / 14, 1 / 7, 1.0]))[:, 0, 0, 0]
    assert values.tolist() == pytest.approx([0, 2, 4, 196], abs=1e-3)


def test_the_prior_sees_only_what_a_decoder_has() -> None:
    """What is later in the order of rows, or of planes, changes no probability before it."""
    torch.manual_seed(0)
    decoder = Decoder()
    prior = decoder.levels[0].prior
    with torch.no_grad():
        prior.last.weight.normal_()
        prior.coupling.normal_()
        t, y = torch.randn(1, 24, 6, 7), torch.randn(1, 9, 6, 7).round()
        changed = y.clone()
        changed[0, 4, 3, 2] += 5
        means, others = (prior(t, latents, torch.ones(1))[0] for latents in (y, changed))
    moved = (means != others)[0]
    before = torch.arange(42).view(6, 7) < 3 * 7 + 2
    assert not moved[:, before].any()
    assert not moved[:5, 3, 2].any()
    assert moved[5:, 3, 2].all()
    assert moved[:, 3, 3].any()
    assert moved[:, 4, 2].any()


def test_bits_with_noise_have_slopes() -> None:
    x = picture(64, 64)
    analysis, decoder = Analysis(), Decoder()
    coded = analysis(x, decoder, torch.full((1,), 0.5), with_noise)
    sum(coded.bits).sum().backward()
    assert all(level.mix.weight.grad is not None and level.mix.weight.grad.abs().sum() > 0 for level in analysis.levels)
    assert len(coded.bits) == LEVELS


def test_weights_in_whole_numbers_come_back() -> None:
    torch.manual_seed(1)
    decoder = Decoder()
    with torch.no_grad():
        for weight in decoder.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    tensors = to_integers(decoder)
    again = to_integers(from_integers(tensors))
    assert all(np.array_equal(tensors[name], again[name]) for name in tensors)


def test_units_that_add_up_too_much_are_made_smaller_and_what_they_give_larger() -> None:
    decoder, x = Decoder(), picture(40, 56)
    with torch.no_grad():
        for name, value in decoder.named_parameters():
            if name.endswith(("prior.last.weight", "up.weight", "prior.above.weight")):
                value.normal_(0, 0.02)
        decoder.levels[2].look.weight.mul_(8)  # its units, of small input, are nowhere cut
        decoder.levels[2].prior.hidden.weight.mul_(20)
        with pytest.raises(ArtifactError):
            Weights(to_integers(decoder))
        found = within_bounds(decoder)
        Weights(to_integers(found))
        before, after = (Analysis()(0.02 * x, each, torch.ones(1)) for each in (decoder, found))
    torch.testing.assert_close(after.picture, before.picture, atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.stack(after.bits), torch.stack(before.bits), atol=0, rtol=1e-4)
    same = within_bounds(found).state_dict()
    assert all(torch.equal(value, same[name]) for name, value in found.state_dict().items())


def test_weights_that_are_too_large_are_refused() -> None:
    decoder = Decoder()
    with torch.no_grad():
        decoder.levels[1].look.weight[0, 0, 0, 0] = 9.0
    with pytest.raises(ValueError, match=r"levels\.1\.look\.weight"):
        to_integers(decoder)
