"""How a restorer learns, step by step: damaged patches of clean pictures in, the clean ones out."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from isthmus.networks.degradations import MARGIN, damage
from isthmus.networks.restoring import RestoringNetwork, fill, planes
from isthmus.training import distributed, steps
from isthmus.training.optimizers import Muon
from isthmus.training.precision import autocast
from isthmus.training.steps import Batches, Course, Progress

__all__ = [
    "HeldOut",
    "Patches",
    "Photographs",
    "Plan",
    "cut",
    "digest_of",
    "luma",
    "middle",
    "new_network",
    "sizes_of",
    "train",
    "turned",
]

Levels = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)

GREY = 0.45  # share of grey patches where there are pictures in colour
SIZES = 4  # at which a picture is shown, each smaller than the last by the root of 2
CROP = 256  # pixels a side of what is scored of a held-out picture


@dataclass(frozen=True)
class Plan(steps.Plan):
    """What a run is, of patches whose sides are 8 more than a multiple of 24."""

    batch_size: int = 10
    patch: int = 104
    rate: float = 0.01
    warm: int = 200


def new_network(seed: int, **shape: Any) -> RestoringNetwork:
    """Return a network that knows nothing; the global generators stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return RestoringNetwork(**shape)


# ------------------------------------------------------------------ pictures


class Photographs(NamedTuple):
    """Clean pictures, each at the sizes at which it can be shown: (h, w, 3) in colour, and (h, w, 1) in grey."""

    colour: list[list[Levels]]
    grey: list[list[Levels]]


def sizes_of(picture: Image.Image, *, least: float = 1.0, patch: int = 104) -> list[Levels]:
    """Return a picture at several sizes, of which patches can be cut with their margins.

    Parameters
    ----------
    picture : Image
        In colour or in grey, of 8 bits.
    least : float, default=1
        How much it is reduced at least: 2 for one that was a JPEG file, whose traces are gone then.
    patch : int, default=104
        Pixels a side of a patch.

    Returns
    -------
    list of ndarray of uint8, (h, w, channels)
    """
    found = [_reduced(picture, least * 2 ** (k / 2)) for k in range(SIZES)]
    return [size for size in found if min(size.shape[:2]) >= patch + 2 * MARGIN]


def _reduced(picture: Image.Image, factor: float) -> Levels:
    if factor != 1:
        size = round(picture.width / factor), round(picture.height / factor)
        if min(size) < 1:
            return np.zeros((0, 0, 1), np.uint8)
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
    levels = np.asarray(picture)
    return levels if levels.ndim == 3 else levels[:, :, np.newaxis]


def luma(picture: Levels) -> Levels:
    """Return the brightness of a picture: (h, w, 3) -> (h, w, 1)."""
    return np.asarray(Image.fromarray(picture).convert("L"))[:, :, np.newaxis]


def digest_of(parts: Iterable[bytes | NDArray[Any]]) -> str:
    """Return the SHA-256 of what is learned from, in hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else f"{part.shape}".encode() + part.tobytes())
    return digest.hexdigest()


class Patches:
    """Batches of damaged patches: what step number k gets depends on the seed and k alone.

    Parameters
    ----------
    photographs : Photographs
        One picture at least, of which each has a size at least.
    plan : Plan
    """

    def __init__(self, photographs: Photographs, plan: Plan) -> None:
        self.photographs, self.plan = photographs, plan
        self.grey = GREY if photographs.colour else 1.0
        self.weights = {id(kind): _weights(kind) for kind in photographs if kind}

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return what the network reads, (b, 6, h, w), and what it is to restore, (b, 3, h, w)."""
        rng = np.random.default_rng([self.plan.seed, step])
        inputs, clean = zip(*(self._pair(rng) for _ in range(self.plan.batch_size)), strict=True)
        return torch.cat(inputs), torch.cat(clean)

    def _pair(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        damaged, clean = damage(self._patch(rng), rng)
        x, known = _tensor(damaged.picture), None
        if damaged.known is not None:
            known = torch.from_numpy(damaged.known)[None, None]
            x = fill(x, known)
        return planes(x, known, scale=damaged.scale, deblur=damaged.deblur), _tensor(clean)

    def _patch(self, rng: np.random.Generator) -> Levels:
        """Return a clean patch; of two the one with more in it, half of the time."""
        kind = self.photographs.grey if rng.random() < self.grey else self.photographs.colour
        sizes = kind[rng.choice(len(kind), p=self.weights[id(kind)])]
        areas = np.sqrt([size.size for size in sizes])
        picture = sizes[rng.choice(len(sizes), p=areas / areas.sum())]
        side = self.plan.patch + 2 * MARGIN
        found = turned(max((cut(picture, side, rng) for _ in range(rng.integers(1, 3))), key=np.var), rng)
        return np.ascontiguousarray(np.broadcast_to(found, (*found.shape[:2], 3)))


def cut(picture: NDArray[Number], side: int, rng: np.random.Generator) -> NDArray[Number]:
    """Return a square of a picture, (h, w, channels), drawn at random."""
    top, left = (rng.integers(length - side + 1) for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def turned(patch: NDArray[Number], rng: np.random.Generator) -> NDArray[Number]:
    """Return a patch, (h, w, channels), turned and flipped at random."""
    if rng.random() < 0.5:
        patch = patch.transpose(1, 0, 2)
    return patch[:: rng.choice([1, -1]), :: rng.choice([1, -1])]


def _weights(kind: Sequence[Sequence[Levels]]) -> NDArray[np.float64]:
    """Return how often each photograph is drawn: by the root of its size."""
    found = np.sqrt([max(size.size for size in sizes) for sizes in kind])
    return found / found.sum()


def _tensor(picture: Float32) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]


def _unit(picture: Levels) -> Tensor:
    return _tensor(picture.astype(np.float32) / np.float32(255))


# ------------------------------------------------------------------ training


def loss_of(restored: Tensor, clean: Tensor) -> Tensor:
    """Return the mean over pictures of the root of their mean squared error, floored at a quarter of a level.

    So pictures with little and with much damage move the weights alike. The logarithm of the error, which is what PSNR
    counts, gives most of its attention to clean ones.
    """
    return (restored - clean).square().mean((1, 2, 3)).add((0.25 / 255) ** 2).sqrt().mean()


def train(network: RestoringNetwork, patches: Batches, *, device: torch.device, **course: Unpack[Course]) -> Progress:
    """Train a network in place; parameters and errors are those of :func:`isthmus.training.steps.run`."""
    network = network.train().requires_grad_(True).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    distributed.agree(network)

    def backward(_: int, batch: Sequence[Tensor]) -> Tensor:
        return _slopes(network, batch, device, patches.plan.precision)

    optimizers = [Muon(list(network.parameters()), patches.plan.rate)]
    return steps.run("Restorer", network, patches, optimizers, backward, **course)


def _slopes(network: RestoringNetwork, batch: Sequence[Tensor], device: torch.device, precision: str) -> Tensor:
    """Return the loss on a batch, and leave its gradient in the network: of ranks, each takes its share of the batch.

    One that has nothing of it goes along with a picture that does not count.
    """
    share = distributed.share()
    mine = len(batch[0][share]) / len(batch[0])
    x, clean = (each[share] if mine else each[:1] for each in batch)
    with autocast(device.type, precision):
        restored = network(x.to(device, memory_format=torch.channels_last))
    loss = mine * loss_of(restored.float(), clean.to(device))
    loss.backward()  # type: ignore[no-untyped-call]
    weights = list(network.parameters())
    found, _ = distributed.summed([loss.detach(), *(its.grad for its in weights)], [loss, *weights], says=False)
    for weight, slope in zip(weights, found[1:], strict=True):
        weight.grad = slope
    return found[0]  # type: ignore[return-value]


# ------------------------------------------------------------------ held-out pictures


class HeldOut:
    """The middle of pictures that are not trained on, damaged with a fixed seed.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, (h, w, 3) or (h, w, 1)
        Sides of 8 at least.
    seed : int, default=0
    """

    def __init__(self, pictures: Sequence[Levels], seed: int = 0) -> None:
        self.pictures, self.seed = [middle(picture) for picture in pictures], seed

    @torch.no_grad()
    def scores(self, network: RestoringNetwork) -> dict[str, float]:
        """Return PSNR in dB, mean over pictures, by kind of damage."""
        found: dict[str, list[float]] = {}
        device = next(network.parameters()).device
        for number, picture in enumerate(self.pictures):
            for name, (x, clean) in _damages(picture, np.random.default_rng([self.seed, number])).items():
                restored = network(x.to(device, memory_format=torch.channels_last)).clamp(0, 1).cpu()
                error = (restored - clean).square().mean().clamp_min(1e-10)
                found.setdefault(name, []).append(-10 * error.log10().item())
        return {name: round(float(np.mean(values)), 3) for name, values in found.items()}


def middle(picture: NDArray[Number]) -> NDArray[Number]:
    """Return the middle of a picture, (h, w, channels), of sides that the network can read."""
    sides = [min(CROP, length // 8 * 8) for length in picture.shape[:2]]
    top, left = ((length - side) // 2 for length, side in zip(picture.shape[:2], sides, strict=True))
    return picture[top : top + sides[0], left : left + sides[1]]


def _damages(picture: Levels, rng: np.random.Generator) -> dict[str, tuple[Tensor, Tensor]]:
    """Return what the network reads, and the clean picture, by the name of a damage; in colour where there is some."""
    found = {}
    is_grey = picture.shape[2] == 1
    grey = np.repeat(picture if is_grey else luma(picture), 3, 2)
    colour = np.repeat(picture, 3, 2) if is_grey else picture
    height, width = picture.shape[:2]
    clean, clean_grey = (_unit(levels) for levels in (colour, grey))
    for sigma in (15, 25, 50):
        noisy = clean_grey + sigma / 255 * _tensor(rng.standard_normal((height, width, 1), dtype=np.float32))
        found[f"grey_noise_{sigma}"] = planes(noisy), clean_grey
    if not is_grey:
        noisy = clean + 25 / 255 * _tensor(rng.standard_normal(colour.shape, dtype=np.float32))
        found["noise_25"] = planes(noisy), clean
    for quality in (10, 40):
        file = io.BytesIO()
        Image.fromarray(grey[:, :, 0]).save(file, "JPEG", quality=quality)
        saved = np.asarray(Image.open(file).convert("RGB"))
        found[f"grey_jpeg_{quality}"] = planes(_unit(saved)), clean_grey
    for scale in (2, 4):
        small = Image.fromarray(colour).resize((width // scale, height // scale), Image.Resampling.BICUBIC)
        large = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
        found[f"scale_{scale}"] = planes(_unit(large), scale=scale), clean
    known = torch.from_numpy((rng.random((1, 1, height, width)) < 0.5).astype(np.float32))
    found["grey_holes_50"] = planes(fill(clean_grey, known), known), clean_grey
    found["clean"] = planes(clean), clean
    return found
