"""How the photographic codec learns: patches of photographs at qualities drawn at random, bits and errors together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.metrics import bd_rate
from isthmus.networks.photographic import UNIT, Analysis, Coded, Decoder, as_whole, slope_of, with_noise
from isthmus.training import steps
from isthmus.training.optimizers import AdamW, Muon, Optimizer
from isthmus.training.precision import autocast
from isthmus.training.restoring import cut, turned
from isthmus.training.steps import Batches, Course, Progress, Record

__all__ = ["Codec", "HeldOut", "Patches", "Plan", "bits_saved", "cost_of", "optimizers_of", "to_units", "train"]

Levels = NDArray[np.uint8]

QUALITIES = (0.1, 0.35, 0.6, 0.85)  # at which held-out pictures are scored
EVENED = 0.4  # power of lambda that the costs at different rates differ by; without it the high ones would decide
NEWEST = 0.02  # weight of the newest cost in their moving mean
WHOLE = 0.5  # share of the batches whose patches are as large as may be; places at the border of others are not whole
NOISY, SIGMAS = 0.2, (1.0, 40.0)  # share of the patches that noise is added to, and its deviation, in levels
QUIET = 5.0  # deviation at which a noisy patch counts half: it costs several times as much as one without noise
SPIKE = 3.0  # times the usual cost, beyond which a batch is passed over


@dataclass(frozen=True)
class Plan(steps.Plan):
    """What a run is, of patches whose sides are multiples of 64."""

    batch_size: int = 4
    patch: int = 256
    rate: float = 0.008
    warm: int = 100


class Codec(nn.Module):
    """Analysis and decoder."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.analysis, self.decoder = Analysis(), Decoder()

    def forward(self, x: Tensor, quality: Tensor, *, noisy: bool = False) -> Coded:
        """Return what becomes of pictures, (b, 3, h, w) in units."""
        coded: Coded = self.analysis(x, self.decoder, quality, with_noise if noisy else as_whole)
        return coded


def to_units(pictures: Sequence[Levels]) -> Tensor:
    """Return pictures of one size, each (h, w, 3), as the networks see them: (n, 3, h, w)."""
    x = np.stack(pictures).astype(np.float32) / np.float32(UNIT) - np.float32(128 / UNIT)
    return torch.from_numpy(x).permute(0, 3, 1, 2)  # by NumPy: torch's threads are busy with the networks


class Batch(NamedTuple):
    """Pictures in units, (b, 3, h, w), their qualities, (b,), and how much the cost of each counts, (b,)."""

    x: Tensor
    quality: Tensor
    share: Tensor


class Patches:
    """Patches of photographs, each with a quality: what step number k gets depends on the seed and k alone.

    Parameters
    ----------
    photographs : list of list of ndarray of uint8, (h, w, 3)
        Each at the sizes at which it can be shown, of which all hold a patch.
    plan : Plan
    """

    def __init__(self, photographs: Sequence[Sequence[Levels]], plan: Plan) -> None:
        self.photographs, self.plan = [sizes for sizes in photographs if sizes], plan
        weights = np.sqrt([max(size.size for size in sizes) for sizes in self.photographs])
        self.weights = weights / weights.sum()

    def batch(self, step: int) -> Batch:
        """Return what a step learns from."""
        rng = np.random.default_rng([self.plan.seed, step])
        count, side = self.plan.batch_size, self.plan.patch
        height, width = (side, side) if rng.random() < WHOLE else rng.integers(3 * side // 4, side, 2, endpoint=True)
        low, high = np.log(SIGMAS)
        sigmas = np.exp(rng.uniform(low, high, count)) * (rng.random(count) < NOISY)
        patches = [noisy(self._patch(rng)[:height, :width], sigma, rng) for sigma in sigmas]
        quality = (rng.random() + np.arange(count) / count) % 1  # each batch has low and high ones
        rest = (quality, 1 / (1 + sigmas / QUIET))
        return Batch(to_units(patches), *(torch.from_numpy(each.astype(np.float32)) for each in rest))

    def _patch(self, rng: np.random.Generator) -> Levels:
        sizes = self.photographs[rng.choice(len(self.photographs), p=self.weights)]
        areas = np.sqrt([size.size for size in sizes])
        return turned(cut(sizes[rng.choice(len(sizes), p=areas / areas.sum())], self.plan.patch, rng), rng)


def noisy(patch: Levels, sigma: float, rng: np.random.Generator) -> Levels:
    """Return a patch with noise of a deviation in levels, as pictures have it: of whole levels, and cut."""
    if not sigma:
        return patch
    noise = sigma * rng.standard_normal(patch.shape, dtype=np.float32)
    return np.clip(np.rint(patch + noise), 0, 255).astype(np.uint8)


def cost_of(coded: Coded, x: Tensor, quality: Tensor) -> Tensor:
    """Return bits a pixel and lambda times squared error in levels, of each picture: (b,)."""
    pixels = x.shape[2] * x.shape[3]
    error = (coded.picture.float() - x).square().mean((1, 2, 3)) * UNIT**2
    return sum(coded.bits) / pixels + slope_of(quality) * error


def evened(cost: Tensor, quality: Tensor) -> Tensor:
    """Return costs of which those at high qualities are not many times as large as those at low ones."""
    return cost * (0.01 / slope_of(quality)) ** EVENED


def optimizers_of(codec: nn.Module, rate: float) -> list[Optimizer]:
    """Return what moves the weights: Muon the kernels, AdamW all else and what begins as a transform that is good."""
    kernels: list[nn.Parameter] = []
    biases: list[nn.Parameter] = []
    transforms: list[nn.Parameter] = []
    for name, weight in codec.named_parameters():
        if any(part in name for part in ("carry", "mix", "coupling")):
            transforms.append(weight)
        else:
            (kernels if weight.ndim == 4 else biases).append(weight)
    return [Muon(kernels, rate), AdamW(biases, rate / 2), AdamW(transforms, rate / 20)]


def train(codec: Codec, patches: Batches, *, device: torch.device, **course: Unpack[Course]) -> Progress:
    """Train a codec in place; parameters and errors are those of :func:`isthmus.training.steps.run`."""
    plan = patches.plan
    codec = codec.train().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def backward(step: int, batch: Sequence[Tensor]) -> Tensor:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(plan.seed * 1_000_003 + step)
            return _slopes(codec, [each.to(device) for each in batch], plan.precision)

    how: dict[str, Any] = {"weight": NEWEST, "spike": SPIKE}
    return steps.run("PhotographicCodec", codec, patches, optimizers_of(codec, plan.rate), backward, **how, **course)


def _slopes(codec: Codec, batch: Sequence[Tensor], precision: str) -> Tensor:
    """Return the mean cost of a batch, and leave its gradient in the codec."""
    x, quality, share = batch
    with autocast(x.device.type, precision):
        coded = codec(x, quality, noisy=True)
    cost = (share * evened(cost_of(coded, x, quality), quality)).mean()
    cost.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(codec.parameters(), 5.0)
    return cost.detach()


class HeldOut:
    """Pictures that are not trained on.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, (h, w, 3)
    """

    def __init__(self, pictures: Sequence[Levels]) -> None:
        self.pictures = [to_units([picture]) for picture in pictures]

    @torch.no_grad()
    def scores(self, codec: Codec) -> dict[str, float]:
        """Return bits a pixel and PSNR in dB, means over pictures, by quality; and the mean cost of all, evened."""
        found: dict[str, float] = {}
        costs = []
        device = next(codec.parameters()).device
        for at in QUALITIES:
            bits, decibels = [], []
            for x in (picture.to(device) for picture in self.pictures):
                quality = torch.full((1,), at, device=device)
                coded = codec(x, quality)
                bits.append(sum(coded.bits).item() / x[0, 0].numel())
                error = (coded.picture.clamp(-4, 255 / UNIT - 4) - x).square().mean() * UNIT**2
                decibels.append(10 * (255**2 / error.clamp_min(1e-6)).log10().item())
                costs.append(evened(cost_of(coded, x, quality), quality).item())
            found |= {f"bpp_{at}": round(float(np.mean(bits)), 4), f"psnr_{at}": round(float(np.mean(decibels)), 3)}
        return {**found, "cost": round(float(np.mean(costs)), 5)}


def bits_saved(before: Record, after: Record) -> float | None:
    """Return the share of the bits that one of two scores of held-out pictures needs less at the same PSNR.

    Of the curves through the means at four qualities (Bjontegaard 2001); None where they have no PSNR in common.
    """
    curves = [
        ([one[f"bpp_{at}"] for at in QUALITIES], [one[f"psnr_{at}"] for at in QUALITIES]) for one in (after, before)
    ]
    if min(map(min, (rates for rates, _ in curves))) <= 0:
        return None
    found = -bd_rate(*curves[0], *curves[1])
    return found if np.isfinite(found) else None
