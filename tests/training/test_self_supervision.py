"""Noise estimated from noisy pictures alone, pairs to learn from, and the look at what came of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from isthmus.training.noise import Noise, estimated
from isthmus.training.restoring import Plan, new_network
from isthmus.training.self_supervision import Noisy, NoisyHeldOut, NoisyPairs, recorrupted


def clean(*shape: int, seed: int = 0) -> np.ndarray:
    """Return smooth planes with edges, (n, h, w), between 0.1 and 0.9."""
    rough = np.random.default_rng(seed).random(shape)
    smooth = ndimage.gaussian_filter(rough, (0, 8, 8)) + 0.02 * (ndimage.gaussian_filter(rough, (0, 12, 12)) > 0.5)
    return 0.1 + 0.8 * (smooth - smooth.min()) / (smooth.max() - smooth.min())


def tensors(planes: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(plane[None].astype(np.float32)) for plane in planes]


def level(noise: Noise, pictures: list[torch.Tensor]) -> float:
    return float(np.sqrt(np.mean([noise.variance(picture).mean().item() for picture in pictures])))


@pytest.mark.parametrize("sigma", [5, 25, 50])
def test_gaussian_noise_is_estimated_within_five_in_a_hundred(sigma: int) -> None:
    x = clean(3, 160, 200)
    noisy = tensors(x + sigma / 255 * np.random.default_rng(1).standard_normal(x.shape))
    found = estimated(noisy)
    assert level(found, noisy) == pytest.approx(sigma / 255, rel=0.05)
    assert found.slope.tolist() == [0]
    assert found.colour == pytest.approx(1, abs=0.15)


def test_noise_that_grows_with_light_is_estimated_as_a_line() -> None:
    x, slope, offset = clean(4, 200, 240), 0.01, 0.0004
    noisy = tensors(x + np.sqrt(slope * x + offset) * np.random.default_rng(1).standard_normal(x.shape))
    found = estimated(noisy)
    for light in (0.3, 0.5, 0.7):
        there = float(found.variance(torch.full((1, 8, 8), light)).mean())
        assert there**0.5 == pytest.approx((slope * light + offset) ** 0.5, rel=0.05)
    assert found.slope[0] == pytest.approx(slope, rel=0.3)


def test_pixels_at_black_and_white_and_margins_of_one_value_do_not_mislead() -> None:
    x = clean(4, 200, 240)
    x[:, :, :60] = 0
    noisy = x + 0.05 * np.random.default_rng(1).standard_normal(x.shape)
    noisy[:, :, 200:] = 0.4
    noisy = np.rint(noisy.clip(0, 1) * 255) / 255
    assert level(estimated(tensors(noisy)), tensors(np.full((1, 8, 8), 0.5))) == pytest.approx(0.05, rel=0.05)


def test_channels_have_their_own_noise_and_may_share_some() -> None:
    wanted = np.array([[1.0, 0.6, 0.0], [0.6, 1.0, 0.0], [0.0, 0.0, 1.0]])
    scale = np.array([0.02, 0.04, 0.08])
    noise = np.linalg.cholesky(wanted) @ np.random.default_rng(1).standard_normal((3, 200 * 240))
    planes = clean(1, 200, 240) + (scale[:, None] * noise).reshape(3, 200, 240)
    found = estimated([torch.from_numpy(planes.astype(np.float32))])
    assert np.sqrt(found.offset) == pytest.approx(scale, rel=0.07)
    assert found.correlation == pytest.approx(wanted, abs=0.08)
    drawn = found.drawn(torch.full((3, 200, 200), 0.5), np.random.default_rng(2)).flatten(1).numpy()
    assert drawn.std(1) == pytest.approx(scale, rel=0.07)
    assert np.corrcoef(drawn) == pytest.approx(found.correlation, abs=0.02)


def test_three_channels_that_are_one_get_the_same_noise() -> None:
    grey = clean(1, 96, 96) + 0.1 * np.random.default_rng(1).standard_normal((1, 96, 96))
    planes = torch.from_numpy(grey.astype(np.float32)).expand(3, -1, -1)
    drawn = estimated([planes]).drawn(planes, np.random.default_rng(2))
    assert torch.allclose(drawn[0], drawn[2], atol=1e-4)


def test_noise_that_is_alike_in_neighbours_is_seen() -> None:
    x = clean(3, 160, 200)
    alike = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal(x.shape), (0, 0.7, 0.7))
    assert estimated(tensors(x + 0.1 * alike / alike.std())).colour > 3


def test_a_single_range_of_light_has_no_slope() -> None:
    x = clean(1, 64, 64)
    assert estimated(tensors(x + 0.1 * np.random.default_rng(1).standard_normal(x.shape))).slope.tolist() == [0]


# ------------------------------------------------------------------ pairs


def noisy(side: int = 96, sigma: float = 0.1, count: int = 2) -> list[Noisy]:
    x = clean(count, side, side)
    pictures = tensors(x + sigma * np.random.default_rng(1).standard_normal(x.shape))
    noise = estimated(pictures)
    return [Noisy(picture, noise) for picture in pictures]


def test_the_noise_of_a_pair_is_uncorrelated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.training.self_supervision.CAUTION", 1.0)
    x, slope, offset = clean(1, 400, 400), 0.02, 0.001
    picture = tensors(x + np.sqrt(slope * x + offset) * np.random.default_rng(1).standard_normal(x.shape))[0]
    exact = Noise(*(np.array([value]) for value in (slope, offset, 0.0, 1.0)), np.eye(1), 1.0)
    one, other = (each.numpy() - x for each in recorrupted(Noisy(picture, exact), np.random.default_rng(2)))
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.01
    assert abs(one.mean()) < 0.002
    assert one.std() < other.std()


def test_a_batch_depends_on_the_seed_and_the_step_alone_and_keeps_precision() -> None:
    plan = Plan(9, "", batch_size=3, patch=32)
    pairs = NoisyPairs(noisy(), plan)
    pairs.batch(0)
    again = NoisyPairs(noisy(), Plan(99, "", batch_size=3, patch=32))
    for a, b in zip(pairs.batch(5), again.batch(5), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(pairs.batch(5)[1], pairs.batch(6)[1])
    x, target = pairs.batch(0)
    assert (x.shape, target.shape, target.dtype) == ((3, 6, 32, 32), (3, 3, 32, 32), torch.float32)
    assert torch.equal(target[:, 0], target[:, 2])
    assert len(target.unique()) > 1000


# ------------------------------------------------------------------ the look


def test_a_network_that_changes_nothing_leaves_all_the_noise() -> None:
    pictures = noisy()
    found = NoisyHeldOut(pictures).judged(new_network(0, channels=(8, 8, 8)))
    assert found["error"] == pytest.approx(found["noise"], rel=0.03)
    assert found["hidden_error"] == pytest.approx(found["neighbours_error"], rel=1e-6)
    assert found["neighbours_error"] == pytest.approx(0.01 * (1 + 1 / 8), rel=0.1)
    assert found["median_error"] > found["neighbours_error"]
    assert found["signal"] > found["noise"]


def test_the_error_is_estimated_without_the_clean_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    from isthmus.training import self_supervision

    x = clean(1, 256, 256)
    picture = tensors(x + 0.1 * np.random.default_rng(1).standard_normal(x.shape))[0]

    def smoothed(network: object, values: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(ndimage.gaussian_filter(values.numpy(), (0, 1, 1)))

    monkeypatch.setattr(self_supervision, "_restored", smoothed)
    exact = Noise(*(np.array([value]) for value in (0.0, 0.01, 0.0, 1.0)), np.eye(1), 1.0)
    held_out = NoisyHeldOut([Noisy(picture, exact)])
    found = held_out.judged(new_network(0, channels=(8, 8, 8)))
    true = float(np.square(smoothed(None, picture).numpy() - x).mean())
    assert found["error"] == pytest.approx(true, rel=0.15)
    scores = held_out.scores(new_network(0, channels=(8, 8, 8)))
    assert scores["estimated"] == pytest.approx(-10 * np.log10(true), abs=0.7)
    assert scores["blind_spot"] < scores["estimated"]
    assert found["correlation_bound"] == pytest.approx(1.96 / 256)
