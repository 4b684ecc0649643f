r"""How a restorer learns from noisy pictures alone, and an honest look at what came of it.

With noise n of a known covariance in y = x + n, and new noise z like it, two pictures are made of each::

    in = y + z / 2,    target = y - 2 z

The noise of the two is uncorrelated, since E (n + z / 2)(n - 2 z) = 0, and for Gaussian noise independent. So the
network that comes nearest to the targets is the one that comes nearest to the clean pictures (Pang et al.,
"Recorrupted-to-Recorrupted: Unsupervised Deep Learning for Image Denoising", CVPR 2021, section 3). How strong the
noise is, and how it grows with light, :func:`isthmus.training.noise.estimated` finds out.

This way was chosen on photographs with Gaussian noise, of which it made most: with few steps .7 dB less than a network
that learned from the clean ones, where targets from neighbouring pixels (Huang et al., "Neighbor2Neighbor", CVPR 2021)
were 1.1 dB behind. It is for noise that is independent from pixel to pixel; :class:`NoisyHeldOut` finds out whether it
is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from isthmus.networks.restoring import RestoringNetwork, planes
from isthmus.training.noise import Noise
from isthmus.training.restoring import Plan, cut, middle, turned

__all__ = ["Noisy", "NoisyHeldOut", "NoisyPairs", "recorrupted"]

Float32 = NDArray[np.float32]

RATIO = 0.5  # of the noise that is added to what the network reads, to the noise that is there
# Of the estimated deviation: on photographs with noise of 25 levels, new noise that was 5 % too strong cost .45 dB, and
# 10 % 1.2 dB; 5 % too weak gained .06 dB, and 10 % too weak cost .24 dB.
CAUTION = 0.97
SPACING = 4  # pixels from one hidden one to the next
HIDINGS = 4  # times that pixels are hidden, in all pictures together at least
NEARBY = 1e-3  # of white, how far a picture is moved to see how its restoration moves
LAGS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0))  # rows and columns between pixels that are compared


class Noisy(NamedTuple):
    """A noisy picture in colour, or one band of it.

    Parameters
    ----------
    values : tensor of float32, shape (3, h, w) or (1, h, w)
        White is 1.
    noise : Noise
        That it has.
    """

    values: Tensor
    noise: Noise


def recorrupted(noisy: Noisy, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return two noisier pictures whose noise is next to uncorrelated: what is read, and what is to be predicted."""
    new = CAUTION * noisy.noise.drawn(noisy.values, rng)
    return noisy.values + RATIO * new, noisy.values - new / RATIO


class NoisyPairs:
    """Batches of pairs of noisier patches: what step number k gets depends on the seed and k alone.

    Parameters
    ----------
    pictures : sequence of Noisy
        One at least, of the size of a patch or larger.
    plan : Plan
    """

    def __init__(self, pictures: Sequence[Noisy], plan: Plan) -> None:
        self.pictures, self.plan = pictures, plan
        sizes = np.sqrt([picture.values.numel() for picture in pictures])
        self.weights = sizes / sizes.sum()

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return what the network reads, (b, 6, h, w), and what it is to predict, (b, 3, h, w)."""
        rng = np.random.default_rng([self.plan.seed, step])
        inputs, targets = zip(*(self._pair(rng) for _ in range(self.plan.batch_size)), strict=True)
        return planes(torch.stack(inputs)), torch.stack(targets)

    def _pair(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        values, noise = self.pictures[rng.choice(len(self.pictures), p=self.weights)]
        patch = _planes(turned(cut(_pixels(values), self.plan.patch, rng), rng))
        one, other = recorrupted(Noisy(patch, noise), rng)
        return one.expand(3, -1, -1), other.expand(3, -1, -1)


def _pixels(values: Tensor) -> Float32:
    return values.permute(1, 2, 0).numpy()


def _planes(pixels: Float32) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


# ------------------------------------------------------------------ an honest look


class NoisyHeldOut:
    """The middle of noisy pictures, by which a network is judged without clean ones.

    Parameters
    ----------
    pictures : sequence of Noisy
        Sides of 8 at least.
    seed : int, default=0
    """

    def __init__(self, pictures: Sequence[Noisy], seed: int = 0) -> None:
        self.pictures = [Noisy(_planes(middle(_pixels(values))), noise) for values, noise in pictures]
        self.seed = seed

    def scores(self, network: RestoringNetwork) -> dict[str, float]:
        """Return PSNR in dB, over all pictures: as it is estimated, and of hidden pixels against their noisy values."""
        found = self.judged(network)
        return {"estimated": _decibels(found["error"]), "blind_spot": _decibels(found["hidden_error"])}

    @torch.no_grad()
    def judged(self, network: RestoringNetwork) -> dict[str, float]:
        """Return what can be said of a network without clean pictures.

        Returns
        -------
        dict
            Mean squares, where white is 1: ``noise`` as it was estimated; ``error`` of the restored pictures, by
            Stein's estimate; and of pixels that the network could not see, against their noisy values,
            ``hidden_error`` of the network, ``neighbours_error`` of the mean of their eight neighbours, and
            ``median_error`` of their median. ``correlation``: of the residual at the lag where it is largest, and
            ``correlation_bound``, which the one of white noise would keep to (95 %). ``colour``: see :class:`Noise`.
            ``signal`` is the variance of the pictures.
        """
        sums: dict[str, list[float]] = {}
        correlations = np.zeros(len(LAGS))
        count = sum(noisy.values.numel() for noisy in self.pictures)
        for number, noisy in enumerate(self.pictures):
            rng = np.random.default_rng([self.seed, number])
            values, variance = noisy.values, noisy.noise.variance(noisy.values)
            restored = _restored(network, values)
            its = {
                "noise": variance.mean().item(),
                "signal": values.var(correction=0).item(),
                "colour": noisy.noise.colour,
                "error": _stein(network, noisy, restored, variance, rng),
                **_hidden(network, values, max(1, HIDINGS // len(self.pictures)), rng),
            }
            for name, value in its.items():
                sums.setdefault(name, []).append(value * values.numel() / count)
            whitened = (values - restored) / variance.clamp_min(1e-12).sqrt()
            correlations += _correlations(whitened) * values.numel() / count
        largest = float(correlations[np.abs(correlations).argmax()])
        found = {name: float(np.sum(values)) for name, values in sums.items()}
        return {**found, "correlation": largest, "correlation_bound": 1.96 / math.sqrt(count)}


def _restored(network: RestoringNetwork, values: Tensor) -> Tensor:
    """Return what a network makes of a picture of one or of three channels: (c, h, w)."""
    device = next(network.parameters()).device
    x = planes(values.expand(3, -1, -1)[None]).to(device, memory_format=torch.channels_last)
    found = network(x)[0].float().cpu()
    return found if len(values) == 3 else found.mean(0, keepdim=True)


def _stein(
    network: RestoringNetwork, noisy: Noisy, restored: Tensor, variance: Tensor, rng: np.random.Generator
) -> float:
    """Return the mean squared error as it is estimated without bias from a noisy picture.

    For Gaussian noise ``E |f(y) - x|^2 = E |f(y) - y|^2 - sigma^2 + 2 sigma^2 div f(y)`` (Stein, "Estimation of the
    Mean of a Multivariate Normal Distribution", 1981). With noise of covariance S the last term is 2 trace(S J), and
    trace(S J) is the expectation of d' J d along random directions d of that covariance (Ramani, Blu and Unser,
    "Monte-Carlo SURE", IEEE TIP 2008).
    """
    direction = noisy.noise.drawn(noisy.values, rng)
    step = NEARBY / max(variance.mean().sqrt().item(), 1e-12)
    moved = (_restored(network, noisy.values + step * direction) - restored) / step
    return float((restored - noisy.values).square().mean() - variance.mean() + 2 * (direction * moved).mean())


def _hidden(network: RestoringNetwork, values: Tensor, times: int, rng: np.random.Generator) -> dict[str, float]:
    """Return squared errors of pixels that were hidden, each by the mean of its neighbours (Krull et al. 2019).

    Their noise cannot be predicted where it is independent, so no error is smaller than its variance (Batson and Royer,
    "Noise2Self", ICML 2019, proposition 1).
    """
    around = _neighbours(values)
    guesses = {"neighbours_error": around.mean(0), "median_error": around.median(0).values}
    found: dict[str, list[float]] = {}
    for _ in range(times):
        top, left = rng.integers(SPACING, size=2)
        hidden = torch.zeros(values.shape[1:], dtype=torch.bool)
        hidden[top::SPACING, left::SPACING] = True
        its = {"hidden_error": _restored(network, torch.where(hidden, guesses["neighbours_error"], values)), **guesses}
        for name, guess in its.items():
            found.setdefault(name, []).append((guess - values)[:, hidden].square().mean().item())
    return {name: float(np.mean(errors)) for name, errors in found.items()}


def _neighbours(values: Tensor) -> Tensor:
    """Return the eight neighbours of each pixel: (8, c, h, w); beyond the border as in a mirror."""
    height, width = values.shape[1:]
    wide = F.pad(values[None], (1, 1, 1, 1), mode="reflect")[0]
    places = [(row, column) for row in range(3) for column in range(3) if (row, column) != (1, 1)]
    return torch.stack([wide[:, row : row + height, column : column + width] for row, column in places])


def _correlations(residual: Tensor) -> np.ndarray:
    """Return the autocorrelation at some lags of a residual, (c, h, w), whose variance is that of the noise, 1.

    What is left where a network takes away hardly anything says nothing of the noise: it is not enlarged to 1.
    """
    centred = (residual - residual.mean((1, 2), keepdim=True)).double()
    height, width = centred.shape[1:]
    power = centred.square().mean().clamp_min(1)
    found = []
    for down, right in LAGS:
        one = centred[:, down:, max(right, 0) : width + min(right, 0)]
        other = centred[:, : height - down, max(-right, 0) : width - max(right, 0)]
        found.append(float((one * other).mean() / power))
    return np.array(found)


def _decibels(error: float) -> float:
    return round(-10 * math.log10(max(error, 1e-10)), 3)
