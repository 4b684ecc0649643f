"""Three damaged photographs, restored by the weights that come with isthmus, beside what they were."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.cli.terminal import columns
from isthmus.files import replacing

if TYPE_CHECKING:
    from isthmus.models.restorer import Restorer

__all__ = ["NAME", "document", "restore_photographs", "table"]

NAME = "restored.html"
SIGMA = 25.0  # standard deviation of the noise, in levels
SCRATCHES, WIDTH = 14, 4  # lines that are drawn over a photograph, and their pixels
SCALE = 2
CORNER, SIDE = (60, 190), 256  # of the photograph that is made small

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Restored:
    """A photograph before and after.

    Parameters
    ----------
    name : str
        Of the file that comes with scikit-learn.
    title : str
        What was done to it.
    before, after : ndarray, shape (height, width, 3)
    missing : ndarray of bool, shape (height, width), optional
        What was filled.
    psnr : (float, float)
        Of both to the original, in decibels.
    seconds : float
    """

    name: str
    title: str
    before: Bytes
    after: Bytes
    missing: NDArray[np.bool_] | None
    psnr: tuple[float, float]
    seconds: float


def restore_photographs(folder: Path, seed: int, about: dict[str, Any]) -> list[Restored]:
    """Damage the two photographs of scikit-learn in three ways, restore them, and write the page.

    Parameters
    ----------
    folder : Path
        Where the page goes.
    seed : int
        Of noise and scratches.
    about : dict
        ``command``, ``isthmus`` and ``created`` of the page.
    """
    from isthmus import artifact
    from isthmus.models.restorer import SHIPPED, Restorer
    from isthmus.report.restoration import compared, rendered

    found = list(_restored(Restorer.shipped(), np.random.default_rng(seed)))
    shown = [compared(one.title, one.before, one.after, dict(_facts(one)), missing=one.missing) for one in found]
    page = about | {
        "verb": "demo",
        "title": "Three photographs restored",
        "done": "Two photographs that come with scikit-learn were damaged, and restored by the weights that come with "
        "isthmus.",
        "caution": "PSNR compares with the photograph as it was before it was damaged.",
        "enlarged": True,
        "count": len(found),
        "megapixels": sum(one.after.shape[0] * one.after.shape[1] for one in found) / 1e6,
        "seconds": sum(one.seconds for one in found),
        "weights": SHIPPED.stem,
        "digest": artifact.describe(SHIPPED)["sha256"],
    }
    with replacing(folder / NAME, force=True) as file:
        file.write(rendered(page, shown).encode())
    return found


def _restored(restorer: Restorer, rng: np.random.Generator) -> Iterator[Restored]:
    """Yield the photographs, each restored."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    china, flower = (np.asarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg"))
    noisy = np.clip(china + rng.normal(0.0, SIGMA, china.shape), 0, 255).round().astype(np.uint8)
    started = time.perf_counter()
    after = restorer.denoise(noisy[None])[0]
    yield _judged("china.jpg", f"Noise removed (standard deviation {SIGMA:g})", china, noisy, after, started)
    holes = _scratches(flower.shape[:2], rng)
    scratched = np.where(holes[..., None], np.uint8(255), flower)
    started = time.perf_counter()
    after = restorer.inpaint(scratched[None], holes)[0]
    yield _judged("flower.jpg", "Scratches filled", flower, scratched, after, started, holes)
    (top, left), small_side = CORNER, SIDE // SCALE
    part = flower[top : top + SIDE, left : left + SIDE]
    small = np.asarray(Image.fromarray(part).resize((small_side, small_side), Image.Resampling.BICUBIC))
    started = time.perf_counter()
    after = restorer.enhance(small[None], scale=SCALE)[0]
    yield _judged(
        "flower.jpg", f"A part of {small_side}x{small_side} enlarged {SCALE} times", part, small, after, started
    )


def _judged(
    name: str,
    title: str,
    original: Bytes,
    before: Bytes,
    after: Bytes,
    started: float,
    missing: NDArray[np.bool_] | None = None,
) -> Restored:
    from PIL import Image

    seconds = time.perf_counter() - started
    height, width = after.shape[:2]
    shown = np.asarray(Image.fromarray(before).resize((width, height), Image.Resampling.BICUBIC))
    psnr = _psnr(original, shown), _psnr(original, after)
    return Restored(name, title, before, after, missing, psnr, seconds)


def _psnr(original: Bytes, picture: Bytes) -> float:
    error = np.mean((original.astype(np.float64) - picture) ** 2)
    return float(20 * np.log10(255) - 10 * np.log10(error))


def _scratches(size: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return lines that cross a picture, shape (height, width)."""
    from PIL import Image, ImageDraw

    height, width = size
    drawn = Image.new("L", (width, height))
    pen = ImageDraw.Draw(drawn)
    for _ in range(SCRATCHES):
        ends = rng.integers(0, (width, height), (2, 2))
        pen.line([tuple(end) for end in ends.tolist()], fill=255, width=WIDTH)
    return np.asarray(drawn) > 0


def _facts(one: Restored) -> Iterator[tuple[str, str]]:
    yield "photograph", one.name
    yield "PSNR before", f"{one.psnr[0]:.1f} dB{' (bicubic)' if one.before.shape != one.after.shape else ''}"
    yield "PSNR after", f"{one.psnr[1]:.1f} dB"
    yield "size", f"{one.after.shape[1]}x{one.after.shape[0]}"


def table(found: list[Restored]) -> list[str]:
    """Return what became of the photographs as lines."""
    head = ["", "PSNR before", "after", "seconds"]
    rows = [[f"{one.name}: {one.title}", *(f"{psnr:.1f}" for psnr in one.psnr), f"{one.seconds:.1f}"] for one in found]
    return columns(head, rows)


def document(found: list[Restored]) -> list[dict[str, Any]]:
    """Return the figures for machines."""
    return [
        {
            "photograph": one.name,
            "title": one.title,
            "psnr_before": one.psnr[0],
            "psnr_after": one.psnr[1],
            "seconds": one.seconds,
        }
        for one in found
    ]
