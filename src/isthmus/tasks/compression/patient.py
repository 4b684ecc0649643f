r"""What takes minutes: latents, and small changes of the decoder's weights, learned for the one picture.

It begins with what the quick encoder found, and goes down the cost that training went down::

    J = bits of the latents + bits of the changes + lambda sum (x - x^)^2

Latents are not rounded meanwhile but pushed towards whole numbers, with noise, ever harder (soft rounding, Agustsson
and Theis, "Universally Quantized Neural Compression", NeurIPS 2020, section 4; with noise that fades, Kim et al., "C3",
CVPR 2024, section 3.1). The weights that change are some of the two finest levels, where most bits are; they are
rounded to few digits before the end, and the latents go on under them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.coding.photographs.changes import changes_to_bytes
from isthmus.networks.photographic import UNIT, Coded, Decoder, Latents, as_whole, sides_of, slope_of
from isthmus.networks.photographic_integers import Arrays, from_integers, to_integers
from isthmus.training.optimizers import Adam
from isthmus.training.precision import autocast

__all__ = ["EFFORTS", "Found", "Goal", "Patient", "Progress"]

EFFORTS = (0, 30, 60, 120, 250, 500, 1000, 2000, 4000, 8000)  # steps of each tile, by effort
RATE, CHANGE_RATE = 0.01, 1e-3  # of Adam, for latents in steps and for weights, at most
WAY = 160  # steps at these rates that a run is as long as, however many smaller ones it takes: further, it drifts
CHANGED = (
    *("levels.0.prior.hidden", "levels.0.prior.last", "levels.0.up"),
    *("levels.1.prior.last", "levels.1.up_bias"),
)  # what the names of weights that change begin with: more of them cost more than they gain
FIXED = ("anchors", "coupling")  # what those have in their names that do not
SHARPNESS = (3.0, 20.0)  # of soft rounding, at first and at the end
SETTLED = 0.7  # share of the steps after which changes are rounded
FINEST, COARSER = 1.0, (2.0, 4.0, 8.0)  # steps to which changes are rounded, for a root mean square of 1
CHECKS = 24  # times the picture is coded as it would stand in the file
PATIENCE = 5  # checks without a gain after which a run is over
GAIN = 2e-4  # of the cost, less than which is none
DECIBELS = 4.7  # for one unit of log lambda, about
OCTAVES = 0.75  # of bytes, for the same

#: Told the share that is done, bytes and PSNR in dB of the best so far; returns whether to go on.
Progress = Callable[[float, float, float], bool]


class Goal(NamedTuple):
    """What a file has to reach: "psnr", in dB at least, or "bits" at most."""

    kind: str
    value: float


class Found(NamedTuple):
    """What was learned: latents of each tile, finest first; changes of weights; bits and PSNR as estimated."""

    latents: list[Latents]
    changes: bytes
    bits: float
    psnr: float


class Patient:
    """Learns one picture.

    Parameters
    ----------
    tiles : sequence of tensor, shape (1, 3, h, w)
        In units.
    latents : sequence of list of tensor
        Of each, as the quick encoder found them, not rounded.
    decoder : Decoder
        With the weights that isthmus carries; not changed.
    quality : int
        From 0 to 255: of steps and of lambda.
    goal : Goal, optional
        Lambda is moved until it is reached.
    progress : callable, optional
    """

    def __init__(
        self,
        tiles: Sequence[Tensor],
        latents: Sequence[Latents],
        decoder: Decoder,
        quality: int,
        goal: Goal | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.tiles, self.goal, self.progress = tiles, goal, progress
        self.sides = [sides_of(*x.shape[2:]) for x in tiles]
        self.pixels = sum(x[0, 0].numel() for x in tiles)
        self.begun, self.decoder = to_integers(decoder), copy.deepcopy(decoder)
        self.quality = torch.tensor([quality / 255])
        self.slope = float(slope_of(self.quality))
        self.latents = [[y.detach().clone().requires_grad_(True) for y in each] for each in latents]
        self.weights = self._to_change()
        self.changes = b""
        self.best: Found | None = None
        self.best_cost = math.inf
        self.is_stopped = False

    def _to_change(self) -> list[nn.Parameter]:
        """Return the weights that change; no others have gradients."""
        found = []
        for name, weight in self.decoder.named_parameters():
            moves = name.startswith(CHANGED) and not any(part in name for part in FIXED)
            weight.requires_grad_(moves)
            found += [weight] if moves else []
        return found

    def learn(self, steps: int) -> Found:
        """Return the best that was found in so many steps of each tile."""
        pace = min(1.0, WAY / steps)
        on_latents = [Adam(each, pace * RATE) for each in self.latents]  # type: ignore[arg-type]
        on_weights = Adam(self.weights, pace * CHANGE_RATE)
        is_settled, stale = False, 0
        every = max(1, steps // CHECKS)
        self._check(0.0)
        for step in range(steps):
            share = step / steps
            if not is_settled and share >= SETTLED:
                self._settle()
                is_settled = True
            for number, optimizer in enumerate(on_latents):
                self._slopes(number, share)
                factor = min(1.0, (step + 1) / 10) * (0.5 + 0.5 * math.cos(math.pi * share))
                optimizer.step(factor)
                if not is_settled:
                    on_weights.step(factor)
                    self.decoder.zero_grad()
            if (step + 1) % every == 0:
                before = self.best_cost
                if not self._check(share):
                    break
                stale = stale + 1 if is_settled and self.best_cost > before * (1 - GAIN) else 0
                if stale == PATIENCE:
                    break
        if not is_settled:
            self._settle()
        self._check(1.0)
        if self.best is None:
            raise AssertionError("a check finds something")
        return self.best

    # ------------------------------------------------------------------ one step

    def _coded(self, number: int, quantised: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Coded:
        """Return what the decoder makes of the latents of a tile."""
        latents = self.latents[number]
        coded: Coded = self.decoder(lambda level, _: latents[level], self.sides[number], self.quality, quantised)
        return coded

    def _slopes(self, number: int, share: float) -> None:
        """Leave the gradient of the cost, in bits a pixel, in latents and weights."""
        sharpness = SHARPNESS[0] * (SHARPNESS[1] / SHARPNESS[0]) ** share

        def softly(y: Tensor) -> tuple[Tensor, Tensor]:
            noise = (torch.rand_like(y) - 0.5) * (1 - share)
            found = soft_round(soft_round(y, sharpness) + noise, sharpness)
            return found, found

        x = self.tiles[number]
        with autocast("cpu", "bfloat16"):
            coded = self._coded(number, softly)
        error = (coded.picture.float() - x).square().mean() * UNIT**2
        cost = sum(coded.bits).sum() / x[0, 0].numel() + self.slope * error  # type: ignore[union-attr]
        for y in self.latents[number]:
            y.grad = None
        cost.backward()

    # ------------------------------------------------------------------ as it would stand in the file

    @torch.no_grad()
    def _measured(self) -> tuple[float, float]:
        """Return bits of the latents and the sum of squared errors in levels."""
        bits = error = 0.0
        for number, x in enumerate(self.tiles):
            coded = self._coded(number, as_whole)
            bits += sum(coded.bits).item()  # type: ignore[union-attr]
            picture = coded.picture.clamp(-128 / UNIT, 127 / UNIT)
            error += float((picture - x).square().mean(1).sum()) * UNIT**2
        return bits, error

    def _check(self, share: float) -> bool:
        """Keep what is found if it is the best; move lambda towards the goal; return whether to go on."""
        bits, error = self._measured()
        bits += 8 * len(self.changes)
        psnr = 10 * math.log10(255**2 / max(error / self.pixels, 1e-9))
        cost = self._cost(bits, error, psnr)
        if cost < self.best_cost and (not self._is_changing() or share == 0.0):
            self.best_cost = cost
            self.best = Found([[y.detach().clone() for y in each] for each in self.latents], self.changes, bits, psnr)
        if self.goal is not None:
            missing = (
                (self.goal.value - psnr) / DECIBELS
                if self.goal.kind == "psnr"
                else (math.log2(self.goal.value) - math.log2(bits)) / OCTAVES
            )
            self.slope *= math.exp(0.5 * max(-0.5, min(0.5, missing)))
        best = self.best
        if self.progress is not None and best is not None and not self.is_stopped:
            self.is_stopped = not self.progress(share, best.bits / 8, best.psnr)
        return not self.is_stopped

    def _is_changing(self) -> bool:
        return bool(self.weights) and self.weights[0].requires_grad

    def _cost(self, bits: float, error: float, psnr: float) -> float:
        """Return what is to be small: the cost; or what the goal leaves free, where it is met."""
        if self.goal is None:
            return bits + self.slope * error
        if self.goal.kind == "psnr":
            return bits if psnr >= self.goal.value else 1e12 - psnr
        return error if bits <= self.goal.value else 1e12 + bits

    # ------------------------------------------------------------------ changes of weights

    def _settle(self) -> None:
        """Round the changes of each tensor to that step with which the cost is least, or drop them; they stay so."""
        found = to_integers(self.decoder)
        exact = {name: found[name].astype(np.int64) - self.begun[name] for name in found}
        chosen = {name: _rounded(change, FINEST) for name, change in exact.items() if change.any()}
        cost, packed = self._cost_with(chosen)
        for name in [*chosen]:
            for share in (*COARSER, None):
                tried = {key: change for key, change in chosen.items() if key != name}
                if share is not None:
                    tried[name] = _rounded(exact[name], share)
                now, then = self._cost_with(tried)
                if now < cost:
                    cost, packed, chosen = now, then, tried
        self.changes = packed
        self._take(chosen)
        for weight in self.weights:
            weight.requires_grad_(False)

    def _cost_with(self, changes: Arrays) -> tuple[float, bytes]:
        """Return the cost with changes of weights, and the changes as bytes."""
        packed = changes_to_bytes(changes)
        self._take(changes)
        bits, error = self._measured()
        return bits + 8 * len(packed) + self.slope * error, packed

    def _take(self, changes: Arrays) -> None:
        """Give the decoder the weights that it carries with these changes."""
        tensors = {**self.begun}
        for name, change in changes.items():
            tensors[name] = (tensors[name] + change).astype(tensors[name].dtype)
        self.decoder.load_state_dict(from_integers(tensors).state_dict())


def soft_round(y: Tensor, sharpness: float) -> Tensor:
    """Return y, nearer to whole numbers the greater the sharpness is: m + tanh(a (y - m)) / (2 tanh(a / 2))."""
    middle = y.detach().floor() + 0.5
    return middle + torch.tanh(sharpness * (y - middle)) / (2 * math.tanh(sharpness / 2))


def _rounded(change: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Return changes without their lowest bits: as many as a share of their root mean square has, at most twelve."""
    lowest = min(max(round(math.log2(max(share * float(np.sqrt(np.mean(change**2.0))), 1.0))), 0), 12)
    return (change + (1 << lowest >> 1)) >> lowest << lowest
