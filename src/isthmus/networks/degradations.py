"""What happens to pictures: noise, JPEG blocks, reduction, holes and blur, drawn anew for every patch.

A restorer learns from clean patches that were damaged here. Each kind of damage is a function of a patch and a random
generator that returns a :class:`Damaged` picture; :func:`damage` draws the kind, too. Mixtures of degradations instead
of one at a time follow Zhang et al., "Designing a Practical Degradation Model for Deep Blind Image Super-Resolution"
(ICCV 2021).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

__all__ = ["KINDS", "MARGIN", "Damaged", "damage"]

Float32 = NDArray[np.float32]
Random = np.random.Generator

MARGIN = 8  # pixels around a patch that are cut off after it was damaged: there JPEG and reduction know too little


class Damaged(NamedTuple):
    """A damaged picture on a scale of 0 to 1, and what is known of the damage."""

    picture: Float32  # (h, w, 3)
    known: Float32 | None = None  # (h, w): 1 or 0
    scale: float = 1.0
    deblur: bool = False


def damage(patch: NDArray[np.uint8], rng: Random) -> tuple[Damaged, Float32]:
    """Damage a patch in a way drawn at random.

    Parameters
    ----------
    patch : ndarray of uint8, shape (h, w, 3)
        A clean picture; grey where its three channels are the same. Sides are multiples of 12, which can be divided by
        each scale.
    rng : Generator

    Returns
    -------
    damaged : Damaged
        Without the margin.
    clean : ndarray of float32, shape (h - 16, w - 16, 3)
    """
    kinds, shares = zip(*KINDS.items(), strict=True)
    found = kinds[rng.choice(len(kinds), p=shares)](patch, rng)
    known = None if found.known is None else _inner(found.known)
    return found._replace(picture=_inner(found.picture), known=known), _inner(_unit(patch))


def noise(patch: NDArray[np.uint8], rng: Random) -> Damaged:
    """Add noise; every tenth picture is left as it is. Half of them come in whole levels, as files of 8 bits do."""
    clean = _unit(patch)
    if rng.random() < 0.1:
        return Damaged(clean)
    found = clean + _noise(clean, rng, strongest=60)
    return Damaged(_levels(found) if rng.random() < 0.5 else found)


def jpeg(patch: NDArray[np.uint8], rng: Random) -> Damaged:
    """Save as JPEG, every fourth time after noise was added, every tenth time twice."""
    picture = patch
    if rng.random() < 0.25:
        picture = _whole(_unit(patch) + _noise(_unit(patch), rng, strongest=25))
    for _ in range(2 if rng.random() < 0.1 else 1):
        picture = _saved(picture, rng, lowest=5, highest=95)
    return Damaged(_unit(picture))


def reduction(patch: NDArray[np.uint8], rng: Random) -> Damaged:
    """Reduce a picture to a half, a third or a quarter, and enlarge it again; half of them suffer in between."""
    scale = int(rng.choice([2, 3, 4]))
    height, width = patch.shape[:2]
    small = _resized(patch, width // scale, height // scale)
    if rng.random() < 0.25:
        small = _whole(_unit(small) + _noise(_unit(small), rng, strongest=20))
    if rng.random() < 0.3:
        small = _saved(small, rng, lowest=30, highest=97)
    return Damaged(_unit(_resized(small, width, height)), scale=scale)


def holes(patch: NDArray[np.uint8], rng: Random) -> Damaged:
    """Forget pixels: single ones, strokes or rectangles; every fifth picture is noisy, too."""
    clean = _unit(patch)
    size = patch.shape[0], patch.shape[1]
    known = _dots(size, rng) if rng.random() < 0.5 else _shapes(size, rng)
    if rng.random() < 0.2:
        clean = clean + _noise(clean, rng, strongest=30)
    return Damaged(clean, known=known)


def blur(patch: NDArray[np.uint8], rng: Random) -> Damaged:
    """Blur as a lens or a moving hand does, with a little noise."""
    clean = _unit(patch)
    if rng.random() < 0.6:
        found = ndimage.gaussian_filter(clean, (*rng.uniform(0.4, 2.5, 1).repeat(2), 0))
    else:
        found = ndimage.convolve(clean, _motion(rng)[:, :, np.newaxis])
    if rng.random() < 0.7:
        found = found + _noise(clean, rng, strongest=8)
    return Damaged(_levels(found), deblur=True)


KINDS: dict[Callable[[NDArray[np.uint8], Random], Damaged], float] = {
    noise: 0.42,
    jpeg: 0.22,
    reduction: 0.16,
    holes: 0.12,
    blur: 0.08,
}


# ------------------------------------------------------------------------ parts of it


def _noise(clean: Float32, rng: Random, strongest: float) -> Float32:
    """Return noise of a level drawn at random, in units of 1/255: white, growing with light, or in grains."""
    sigma = np.float32(rng.uniform(0, strongest) / 255)
    is_grey = _is_grey(clean)
    found = rng.standard_normal((*clean.shape[:2], 1 if is_grey else 3), dtype=np.float32)
    kind = rng.random()
    if kind < 0.65:
        return found * sigma
    if kind < 0.85:
        # Photons: the variance grows with the light (Foi et al., 2008). A share of it is there in the dark.
        floor = rng.uniform(0, 1)
        return found * sigma * np.sqrt(floor + (1 - floor) * 2 * clean, dtype=np.float32)
    grains = ndimage.gaussian_filter(found, (*rng.uniform(0.4, 1.0, 1).repeat(2), 0))
    return grains * (min(sigma, np.float32(30 / 255)) / grains.std())


def _is_grey(picture: Float32 | NDArray[np.uint8]) -> bool:
    return bool((picture[:, :, 0] == picture[:, :, 1]).all() and (picture[:, :, 0] == picture[:, :, 2]).all())


def _saved(picture: NDArray[np.uint8], rng: Random, lowest: int, highest: int) -> NDArray[np.uint8]:
    """Return a picture as it comes back from a JPEG file; a grey one is saved as such."""
    quality = int(rng.integers(lowest, highest + 1))
    is_grey = _is_grey(picture)
    given = Image.fromarray(picture[:, :, 0] if is_grey else picture)
    file = io.BytesIO()
    given.save(file, "JPEG", quality=quality, subsampling=int(rng.choice([0, 2])))
    found = np.asarray(Image.open(file))
    return np.repeat(found[:, :, np.newaxis], 3, 2) if is_grey else found


def _resized(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def _dots(size: tuple[int, int], rng: Random) -> Float32:
    return (rng.random(size, dtype=np.float32) >= rng.uniform(0.05, 0.95)).astype(np.float32)


def _shapes(size: tuple[int, int], rng: Random) -> Float32:
    """Return a mask of strokes, as of letters and scratches, and of rectangles."""
    from PIL import ImageDraw

    mask = Image.new("L", (size[1], size[0]), 1)
    draw = ImageDraw.Draw(mask)
    for _ in range(rng.integers(1, 13)):
        points = [tuple(p) for p in rng.uniform(-8, size[0] + 8, (int(rng.integers(2, 6)), 2)).tolist()]
        draw.line(points, fill=0, width=int(rng.integers(1, 7)))
    for _ in range(rng.integers(0, 4)):
        left, top = rng.uniform(0, size[0], 2)
        wide, high = rng.uniform(2, 28, 2)
        draw.rectangle([left, top, left + wide, top + high], fill=0)
    return np.asarray(mask, np.float32)


def _motion(rng: Random) -> Float32:
    """Return the kernel of a hand that moved along a line, (side, side), of sum 1."""
    length, angle = rng.uniform(2, 11), rng.uniform(0, np.pi)
    side = 13
    at = np.linspace(-length / 2, length / 2, 64)
    kernel = np.zeros((side, side), np.float32)
    np.add.at(kernel, (np.rint(at * np.sin(angle)).astype(int) + 6, np.rint(at * np.cos(angle)).astype(int) + 6), 1)
    return kernel / kernel.sum()


def _unit(picture: NDArray[np.uint8]) -> Float32:
    return picture.astype(np.float32) / np.float32(255)


def _whole(picture: Float32) -> NDArray[np.uint8]:
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _levels(picture: Float32) -> Float32:
    return _unit(_whole(picture))


def _inner(picture: Float32) -> Float32:
    return np.ascontiguousarray(picture[MARGIN:-MARGIN, MARGIN:-MARGIN])
