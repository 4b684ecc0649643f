"""How the photographic codec learns: patches of photographs at qualities drawn at random, bits and errors together.

What step number k gets depends on the seed and k alone. So a run that was stopped and goes on sees what one that was
not sees.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus import documents
from isthmus.errors import TrainingError
from isthmus.networks.photographic import UNIT, Analysis, Coded, Decoder, as_whole, slope_of, with_noise
from isthmus.training import checkpoints
from isthmus.training.optimizers import AdamW, Muon, Optimizer, load_state_tensors, state_tensors
from isthmus.training.precision import autocast
from isthmus.training.restoring import cut, turned

__all__ = ["Codec", "HeldOut", "Patches", "Plan", "Progress", "cost_of", "optimizers_of", "to_units", "train"]

Levels = NDArray[np.uint8]

QUALITIES = (0.1, 0.35, 0.6, 0.85)  # at which held-out pictures are scored
EVENED = 0.4  # power of lambda that the costs at different rates differ by; without it the high ones would decide
WHOLE = 0.5  # share of the batches whose patches are as large as may be; places at the border of others are not whole
NOISY, SIGMAS = 0.2, (1.0, 40.0)  # share of the patches that noise is added to, and its deviation, in levels
QUIET = 5.0  # deviation at which a noisy patch counts half: it costs several times as much as one without noise
AHEAD = 3  # batches that are made while the networks are busy
SPIKE = 3.0  # times the usual cost, beyond which a batch is passed over
TOLD, KEPT = 100, 120.0  # steps after which a line is told, and seconds after which a checkpoint is written


@dataclass(frozen=True)
class Plan:
    """What a run is: two runs of one plan make the same networks, bit for bit with one thread.

    Parameters
    ----------
    steps : int
        Of the optimiser, all runs together; the rate falls to nothing meanwhile.
    data : str
        Digest of what is learned from.
    batch_size : int, default=4
        Patches a step.
    patch : int, default=256
        Pixels a side, a multiple of 64.
    rate : float, default=0.008
        Of Muon, at the start.
    warm : int, default=100
        Steps in which the rate rises to it.
    precision : {"bfloat16", "float32"}, default="bfloat16"
        Of convolutions.
    seed : int, default=0
        Of everything random.
    begun_with : str, default="nothing"
        What the networks were before the first step: "nothing", or the fingerprint of the decoder's weights.
    """

    steps: int
    data: str
    batch_size: int = 4
    patch: int = 256
    rate: float = 0.008
    warm: int = 100
    precision: str = "bfloat16"
    seed: int = 0
    begun_with: str = "nothing"


@dataclass
class Progress:
    """Where a run is.

    Parameters
    ----------
    step : int
        Steps that are done.
    seconds : float
        Wall time that they took, all runs together.
    loss : float, optional
        Moving mean of the cost.
    history : list of dict
        What was measured: ``step``, ``seconds``, and bits a pixel and PSNR in dB by quality.
    """

    step: int = 0
    seconds: float = 0.0
    loss: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)


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


def train(
    codec: Codec,
    patches: Patches,
    *,
    device: torch.device,
    held_out: HeldOut | None = None,
    every: int | None = None,
    max_seconds: float | None = None,
    checkpoint: Path | None = None,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Train a codec in place, for the steps of a plan or the seconds given; the parameters are those of the restorer's.

    Raises
    ------
    ParameterError
        The checkpoint is of another plan.
    TrainingError
        The cost is no number any more.
    """
    plan = patches.plan
    codec = codec.train().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizers = optimizers_of(codec, plan.rate)
    progress = _begun(checkpoint, plan, codec, optimizers)
    began, spent = time.perf_counter(), progress.seconds
    saved, loss = began, None if progress.loss is None else torch.tensor(progress.loss, device=device)
    for step, batch in enumerate(_ahead(patches, progress.step), progress.step):
        left = 1 - step / plan.steps
        if max_seconds is not None:
            left = min(left, 1 - progress.seconds / max_seconds)
            if left <= 0:
                break
        torch.manual_seed(plan.seed * 1_000_003 + step)
        now = _slopes(codec, Batch(*(each.to(device) for each in batch)), plan.precision)
        if loss is None or now < SPIKE * loss:
            for optimizer in optimizers:
                optimizer.step(min(1, (step + 1) / max(1, plan.warm)) * left)
            loss = now if loss is None else loss.lerp(now, 0.02)
        codec.zero_grad()
        progress.step, progress.seconds = step + 1, spent + time.perf_counter() - began
        if progress.step % TOLD == 0:
            progress.loss = _finite(loss)
            tell(progress)
        if every is not None and held_out is not None and progress.step % every == 0:
            _score(progress, held_out, codec, tell)
        if checkpoint is not None and time.perf_counter() - saved > KEPT:
            progress.loss, saved = _finite(loss), time.perf_counter()
            _keep(checkpoint, plan, progress, codec, optimizers)
    if held_out is not None:
        _score(progress, held_out, codec, tell)
    if checkpoint is not None:
        _keep(checkpoint, plan, progress, codec, optimizers)
    return progress


def _slopes(codec: Codec, batch: Batch, precision: str) -> Tensor:
    """Return the mean cost of a batch, and leave its gradient in the codec."""
    x, quality, share = batch
    with autocast(x.device.type, precision):
        coded = codec(x, quality, noisy=True)
    cost = (share * evened(cost_of(coded, x, quality), quality)).mean()
    cost.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(codec.parameters(), 5.0)
    return cost.detach()


def _finite(loss: Tensor) -> float:
    if not math.isfinite(found := loss.item()):
        raise TrainingError("the photographic codec's cost was no number any more; lower the learning rate.")
    return found


def _ahead(patches: Patches, first: int) -> Iterator[Batch]:
    """Yield the batches of the steps from a first one, made while the networks are busy with those before."""
    steps = patches.plan.steps
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(patches.batch, step) for step in range(first, min(first + AHEAD, steps))]
        for step in range(first, steps):
            yield waiting.pop(0).result()
            if step + AHEAD < steps:
                waiting.append(pool.submit(patches.batch, step + AHEAD))


def _keep(path: Path, plan: Plan, progress: Progress, codec: Codec, optimizers: list[Optimizer]) -> None:
    tensors = documents.prefixed("module", codec.state_dict())
    tensors |= documents.prefixed("optimizer", state_tensors(optimizers))
    checkpoints.write(path, tensors, progress, plan)


def _begun(path: Path | None, plan: Plan, codec: Codec, optimizers: list[Optimizer]) -> Progress:
    """Return where a run goes on; take over the weights and the optimisers of its checkpoint."""
    if path is None or not path.exists():
        return Progress()
    tensors, progress, _ = checkpoints.read(path, plan, codec)
    codec.load_state_dict(documents.under("module", tensors))
    load_state_tensors(optimizers, documents.under("optimizer", tensors))
    found: Progress = documents.read(Progress, progress)
    return found


def _score(progress: Progress, held_out: HeldOut, codec: Codec, tell: Callable[[Progress], None]) -> None:
    progress.history.append({"step": progress.step, "seconds": round(progress.seconds, 1), **held_out.scores(codec)})
    tell(progress)


class HeldOut:
    """The middle of pictures that are not trained on.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, (h, w, 3)
        All of one size.
    """

    def __init__(self, pictures: Sequence[Levels]) -> None:
        self.x = to_units(pictures)

    @torch.no_grad()
    def scores(self, codec: Codec) -> dict[str, float]:
        """Return bits a pixel and PSNR in dB, means over pictures, by quality; and the mean cost of all, evened."""
        found: dict[str, float] = {}
        costs = []
        for at in QUALITIES:
            bits, decibels = [], []
            for x in self.x.to(next(codec.parameters()).device).split(1):  # type: ignore[no-untyped-call]
                quality = torch.full((1,), at, device=x.device)
                coded = codec(x, quality)
                bits.append(sum(coded.bits).item() / x[0, 0].numel())
                error = (coded.picture.clamp(-4, 255 / UNIT - 4) - x).square().mean() * UNIT**2
                decibels.append(10 * (255**2 / error).log10().item())
                costs.append(evened(cost_of(coded, x, quality), quality).item())
            found |= {f"bpp_{at}": round(float(np.mean(bits)), 4), f"psnr_{at}": round(float(np.mean(decibels)), 3)}
        return {**found, "cost": round(float(np.mean(costs)), 5)}
