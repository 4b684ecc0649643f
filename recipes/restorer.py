"""Train the network with which `isthmus denoise`, `inpaint` and `enhance` restore any picture.

    python recipes/restorer.py PHOTOGRAPHS VALIDATION --state STATE --steps 18000 -o restorer_1.safetensors

``PHOTOGRAPHS`` is a folder of folders of pictures. Those that were JPEG files or lossy WebP carry the traces of it: they
give colour only after they were reduced to a half or less, and grey at their full size. The run can be stopped at any
time and goes on where it was: all that it needs lies in ``STATE``. Every step draws from the seed and its own number, so
a run that was stopped sees what one that was not sees, on a processor as on a GPU.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from safetensors.torch import save_file as save_tensors
from torch import Tensor

from isthmus.networks.degradations import MARGIN, damage
from isthmus.networks.restoring import RestoringNetwork, fill, planes
from isthmus.training.optimizers import Muon

PATCH, BATCH = 104, 10  # pixels a side, and patches of a step
RATE, WARM = 0.01, 200
GREY = 0.45  # share of grey patches
SEED = 0


# ---------------------------------------------------------------------- photographs


def photographs(folder: Path) -> tuple[list[list[np.ndarray]], list[list[np.ndarray]]]:
    """Return what can be shown in colour and in grey: for each photograph the sizes at which it can be."""
    colour, grey = [], []
    for path in sorted([*folder.glob("*/*.webp"), *folder.glob("*/*.jpg")]):
        if path.parent.name == "cid22":
            continue  # share-alike: validation
        picture = Image.open(path).convert("RGB")
        is_lossless = "-lossless" in path.name
        least = 1.0 if is_lossless else 2.0
        sizes = [reduced(picture, least * 2 ** (k / 2)) for k in range(4)]
        colour.append([size for size in sizes if min(size.shape[:2]) >= PATCH + 2 * MARGIN])
        if path.suffix == ".webp" and not is_lossless:
            luma = np.asarray(picture.convert("L"))[:, :, np.newaxis]
            grey.append([luma, *(_luma(size) for size in colour[-1])])
        else:
            grey.append([_luma(size) for size in colour[-1]])
    return colour, grey


def reduced(picture: Image.Image, factor: float) -> np.ndarray:
    """Return a picture (h, w, 3) reduced by a factor."""
    if factor == 1:
        return np.asarray(picture)
    size = [round(side / factor) for side in picture.size]
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3))


def _luma(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).convert("L"))[:, :, np.newaxis]


def digest_of(folder: Path) -> str:
    """Return a digest of the photographs trained on."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*/*.webp"), *folder.glob("*/*.jpg")]):
        if path.parent.name != "cid22":
            digest.update(f"{path.parent.name}/{path.name}".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


class Patches:
    """Batches of damaged patches: what step number k gets depends on the seed and k alone."""

    def __init__(self, folder: Path) -> None:
        self.colour, self.grey = photographs(folder)
        self.weights = {id(kind): _weights(kind) for kind in (self.colour, self.grey)}

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return what the network reads, (b, 6, h, w), and what it is to restore, (b, 3, h, w)."""
        rng = np.random.default_rng([SEED, step])
        pairs = [self.pair(rng) for _ in range(BATCH)]
        inputs, clean = zip(*pairs, strict=True)
        return torch.cat(inputs), torch.cat(clean)

    def pair(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        damaged, clean = damage(self.patch(rng), rng)
        x, known = _tensor(damaged.picture), None
        if damaged.known is not None:
            known = torch.from_numpy(damaged.known)[None, None]
            x = fill(x, known)
        return planes(x, known, scale=damaged.scale, deblur=damaged.deblur), _tensor(clean)

    def patch(self, rng: np.random.Generator) -> np.ndarray:
        """Return a clean patch; of two the one with more in it, half of the time."""
        kind = self.grey if rng.random() < GREY else self.colour
        sizes = kind[rng.choice(len(kind), p=self.weights[id(kind)])]
        areas = np.sqrt([size.size for size in sizes])
        picture = sizes[rng.choice(len(sizes), p=areas / areas.sum())]
        found = max((_cut(picture, rng) for _ in range(rng.integers(1, 3))), key=np.var)
        if rng.random() < 0.5:
            found = found.transpose(1, 0, 2)
        found = found[:: rng.choice([1, -1]), :: rng.choice([1, -1])]
        return np.ascontiguousarray(np.broadcast_to(found, (*found.shape[:2], 3)))


def _weights(kind: list[list[np.ndarray]]) -> np.ndarray:
    """Return how often each photograph is drawn: by the root of its size."""
    found = np.sqrt([max(size.size for size in sizes) for sizes in kind])
    return found / found.sum()


def _cut(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = PATCH + 2 * MARGIN
    top, left = (rng.integers(length - side + 1) for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def _tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]


# ---------------------------------------------------------------------- training


def loss_of(restored: Tensor, clean: Tensor) -> Tensor:
    """Return the mean over pictures of the root of their mean squared error, floored at a quarter of a level.

    So pictures with little and with much damage move the weights alike. The logarithm of the error, which is what PSNR
    counts, gives most of its attention to clean ones.
    """
    return (restored - clean).square().mean((1, 2, 3)).add((0.25 / 255) ** 2).sqrt().mean()


def train(folder: Path, validation: Path, state: Path, steps: int, device: str) -> RestoringNetwork:
    """Train for so many steps, all runs together; the rate falls to nothing meanwhile."""
    torch.manual_seed(SEED)
    state.mkdir(parents=True, exist_ok=True)
    network = RestoringNetwork().to(device, memory_format=torch.channels_last)
    optimiser = Muon(list(network.parameters()), RATE)
    done, spent = _resumed(state, network, optimiser)
    checks = Validation(validation)
    began, mean = time.perf_counter(), None
    saved = began
    for step, (x, clean) in enumerate(_ahead(Patches(folder), done, steps), done):
        x = x.to(device, memory_format=torch.channels_last)
        with torch.autocast(device, torch.bfloat16):
            restored = network(x)
        loss = loss_of(restored.float(), clean.to(device))
        loss.backward()
        optimiser.step(min(1, (step + 1) / WARM) * (1 - step / steps))
        network.zero_grad()
        mean = loss.detach() if mean is None else mean.lerp(loss.detach(), 0.01)
        now = spent + time.perf_counter() - began
        if (step + 1) % 200 == 0:
            psnr = -20 * math.log10(mean.item())
            print(f"step {step + 1}, {psnr:.3f} dB, {now / 60:.1f} min", flush=True)
        if (step + 1) % 2000 == 0 or step + 1 == steps:
            record = {"step": step + 1, "minutes": round(now / 60, 1), **checks.scores(network, device)}
            print(json.dumps(record), flush=True)
            with (state / "curve.jsonl").open("a") as file:
                file.write(json.dumps(record) + "\n")
        if time.perf_counter() - saved > 120 or step + 1 == steps:
            saved = time.perf_counter()
            _save(state, network, optimiser, step + 1, now)
    return network


def _ahead(patches: Patches, first: int, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of some steps, made while the network is busy with those before."""
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(patches.batch, step) for step in range(first, min(first + 3, steps))]
        for step in range(first, steps):
            yield waiting.pop(0).result()
            if step + 3 < steps:
                waiting.append(pool.submit(patches.batch, step + 3))


class Validation:
    """Crops of lossless pictures that are not trained on, damaged with a fixed seed."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.glob("*.webp"))[::2]
        self.pictures = [np.asarray(Image.open(path).convert("RGB"))[128:384, 128:384] for path in paths]

    @torch.no_grad()
    def scores(self, network: RestoringNetwork, device: str) -> dict[str, float]:
        """Return PSNR in dB, mean over pictures, by kind of damage."""
        found: dict[str, list[float]] = {}
        for number, picture in enumerate(self.pictures):
            luma = np.repeat(_luma(picture), 3, 2)
            for name, (x, clean) in _damages(picture, luma, np.random.default_rng([SEED, number])).items():
                restored = network(x.to(device, memory_format=torch.channels_last)).clamp(0, 1).cpu()
                found.setdefault(name, []).append(-10 * (restored - clean).square().mean().log10().item())
        return {name: round(float(np.mean(values)), 3) for name, values in found.items()}


def _damages(colour: np.ndarray, grey: np.ndarray, rng: np.random.Generator) -> dict[str, tuple[Tensor, Tensor]]:
    import io

    found = {}
    clean, luma = _tensor(colour / np.float32(255)), _tensor(grey / np.float32(255))
    for sigma in (15, 25, 50):
        noisy = luma + sigma / 255 * _tensor(rng.standard_normal((*grey.shape[:2], 1), dtype=np.float32))
        found[f"grey_noise_{sigma}"] = planes(noisy), luma
    noisy = clean + 25 / 255 * _tensor(rng.standard_normal(colour.shape, dtype=np.float32))
    found["noise_25"] = planes(noisy), clean
    for quality in (10, 40):
        file = io.BytesIO()
        Image.fromarray(grey[:, :, 0]).save(file, "JPEG", quality=quality)
        saved = np.asarray(Image.open(file).convert("RGB")) / np.float32(255)
        found[f"grey_jpeg_{quality}"] = planes(_tensor(saved)), luma
    for scale in (2, 4):
        small = Image.fromarray(colour).resize((256 // scale,) * 2, Image.Resampling.BICUBIC)
        large = np.asarray(small.resize((256, 256), Image.Resampling.BICUBIC)) / np.float32(255)
        found[f"scale_{scale}"] = planes(_tensor(large), scale=scale), clean
    known = torch.from_numpy((rng.random((1, 1, 256, 256)) < 0.5).astype(np.float32))
    found["grey_holes_50"] = planes(fill(luma, known), known), luma
    found["clean"] = planes(clean), clean
    return found


def _save(state: Path, network: RestoringNetwork, optimiser: Muon, step: int, spent: float) -> None:
    tensors = {f"network.{name}": value.contiguous() for name, value in network.state_dict().items()}
    tensors |= {f"momentum.{k}": value.contiguous() for k, value in enumerate(optimiser.state["momentum"])}
    save_tensors(tensors, state / "training.part", {"progress": json.dumps([step, spent])})
    (state / "training.part").replace(state / "training.safetensors")


def _resumed(state: Path, network: RestoringNetwork, optimiser: Muon) -> tuple[int, float]:
    """Return the steps done and seconds spent of an earlier run; take over its weights."""
    path = state / "training.safetensors"
    if not path.exists():
        return 0, 0.0
    tensors = load_file(path)
    network.load_state_dict({name: tensors[f"network.{name}"] for name in network.state_dict()})
    for k, value in enumerate(optimiser.state["momentum"]):
        value.copy_(tensors[f"momentum.{k}"])
    size = int.from_bytes(path.read_bytes()[:8], "little")
    step, spent = json.loads(json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]["progress"])
    return step, spent


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=18_000)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    train(arguments.photographs, arguments.validation, arguments.state, arguments.steps, arguments.device)
