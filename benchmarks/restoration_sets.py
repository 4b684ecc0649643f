"""What ``restoration.py`` measures on: pictures, how they are damaged, and how what comes back is scored.

Needs NumPy and Pillow only, because the peers' child processes import it, too.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SEED = 0
SIGMAS, QUALITIES, SCALES = (15, 25, 50), (10, 20, 40), (2, 4)
JPEG_OF_SMALL = 70  # quality of the small pictures that are saved as JPEG before they are enlarged
FOLDERS = {"BSD68": "bsd68/gray", "CBSD68": "bsd68/color", "Set12": "set12", "Kodak": "kodak"}
VALIDATION = "photos-free/cid22"  # 24 pictures of 512x512 without loss; crops of them stand in for each set
CROPS = {"BSD68": (321, 481), "CBSD68": (321, 481), "Set12": (256, 256), "Kodak": (512, 512)}
TEXT = "The quick brown fox jumps over the lazy dog. "

Picture = np.ndarray  # uint8, (height, width) or (height, width, 3)


# ---------------------------------------------------------------------- pictures


def pictures(name: str, *, validation: bool = False, count: int | None = None) -> Iterator[tuple[str, Picture]]:
    """Yield the name and the pixels of the pictures of a set.

    Parameters
    ----------
    name : {"BSD68", "CBSD68", "Set12", "Kodak"}
        The first and third are grey.
    validation : bool, default=False
        Crops from the middle of the validation pictures instead, as large as those of the set.
    count : int, optional
        The first ones only.
    """
    where = VALIDATION if validation else FOLDERS[name]
    folder = Path(os.environ["ISTHMUS_DATA"]) / where
    files = sorted(path for path in folder.glob("*") if path.suffix in {".png", ".webp"})
    if not files:
        raise SystemExit(f"ISTHMUS_DATA holds no pictures in {where}; put the PNG or WebP files of {name} there.")
    for path in files[:count]:
        found = np.asarray(Image.open(path).convert("RGB" if name in {"CBSD68", "Kodak"} else "L"))
        yield path.stem, middle(found, *CROPS[name]) if validation else found


def middle(picture: Picture, height: int, width: int) -> Picture:
    """Return the middle of a picture."""
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


# ---------------------------------------------------------------------- damage


@dataclass(frozen=True)
class Case:
    """A picture, and what a method is given of it.

    Parameters
    ----------
    clean : ndarray of uint8, shape (height, width) or (height, width, 3)
    damaged : ndarray
        Noisy pictures are float32 on a scale of 0 to 255 and beyond; all others uint8.
    sigma : float, default=0
        Standard deviation of the noise, in levels.
    known : ndarray of bool, shape (height, width), optional
        False where a pixel is missing; there ``damaged`` is 0.
    scale : int, default=1
        How many times larger the sides of ``clean`` are.
    """

    clean: Picture
    damaged: np.ndarray
    sigma: float = 0.0
    known: np.ndarray | None = None
    scale: int = 1

    def untouched(self) -> np.ndarray:
        """Return the damaged picture; a small one enlarged by Pillow's bicubic interpolation."""
        height, width = self.clean.shape[:2]
        return self.damaged if self.scale == 1 else _resized(self.damaged, height, width)

    def score(self, restored: np.ndarray) -> float:
        """Return decibels against the clean picture: of the whole one, or of the luma of an enlarged one."""
        if restored.shape != self.clean.shape:
            raise SystemExit(f"A picture of {self.clean.shape} came back as one of {restored.shape}.")
        if self.scale == 1:
            return psnr(self.clean, restored)
        return psnr(inner(luma(self.clean), self.scale), inner(luma(restored), self.scale))


def noisy(picture: Picture, index: int, *, sigma: float) -> Case:
    """Add Gaussian noise; neither clipped nor rounded. The same picture always gets the same."""
    noise = _random(index).standard_normal(picture.shape)
    return Case(picture, (picture + sigma * noise).astype(np.float32), sigma=sigma)


def saved(picture: Picture, index: int, *, quality: int) -> Case:
    """Save as JPEG with Pillow's tables; a grey picture as a grey file."""
    del index
    return Case(picture, _as_jpeg(picture, quality))


def reduced(picture: Picture, index: int, *, scale: int, quality: int | None = None) -> Case:
    """Reduce by Pillow's bicubic interpolation to bytes, and perhaps save that as JPEG.

    What is left over where the sides cannot be divided is cut off before.
    """
    del index
    height, width = picture.shape[0] // scale, picture.shape[1] // scale
    clean = picture[: height * scale, : width * scale]
    small = _resized(clean, height, width)
    return Case(clean, small if quality is None else _as_jpeg(small, quality), scale=scale)


def sparse(picture: Picture, index: int) -> Case:
    """Forget half of the pixels, drawn at random."""
    return _forgotten(picture, _random(index).random(picture.shape[:2]) >= 0.5)


def written_over(picture: Picture, index: int) -> Case:
    """Forget what a text covers."""
    del index
    return _forgotten(picture, ~text_mask(*picture.shape[:2]))


def text_mask(height: int, width: int) -> np.ndarray:
    """Return where lines of text in Pillow's own font cover a picture: bool, shape (height, width)."""
    paper = Image.new("L", (width, height))
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(size=18)
    for line, top in enumerate(range(4, height, 30)):
        draw.text((4 - 40 * (line % 4), top), TEXT * (1 + width // 100), fill=255, font=font)
    return np.asarray(paper) > 0


def _forgotten(picture: Picture, known: np.ndarray) -> Case:
    return Case(picture, np.where(known, picture, 0).astype(np.uint8), known=known)


def _random(index: int) -> np.random.Generator:
    return np.random.default_rng((SEED, index))


def _as_jpeg(picture: Picture, quality: int) -> Picture:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _resized(picture: Picture, height: int, width: int) -> Picture:
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


# ---------------------------------------------------------------------- scores


def psnr(clean: np.ndarray, restored: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in decibels, on a scale of 0 to 255."""
    error = np.mean(np.square(np.asarray(clean, np.float64) - np.asarray(restored, np.float64)))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def luma(picture: Picture) -> np.ndarray:
    """Return the luma of ITU-R BT.601 between 16 and 235, not rounded, as papers on super-resolution score it."""
    return 16 + picture.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255


def inner(plane: np.ndarray, border: int) -> np.ndarray:
    """Return a plane without so many pixels at each border."""
    return plane[border:-border, border:-border]


# ---------------------------------------------------------------------- rows


@dataclass(frozen=True)
class Row:
    """One row of the results: a set, what is done to it, and who restores it.

    Parameters
    ----------
    name : str
    part : str
        What it is measured together with.
    pictures : str
        Name of the set.
    damage : callable
        Picture and its number -> :class:`Case`.
    untouched : str
        What the damaged picture itself is called in the results; empty where it is no bar (holes).
    peers : dict of str to int
        Methods of ``restoration_peers.py``, and of how many pictures they get one.
    """

    name: str
    part: str
    pictures: str
    damage: Callable[[Picture, int], Case]
    untouched: str
    peers: dict[str, int]


SHRINKERS = {"non-local means": 1, "total variation": 1, "wavelets": 1, "OpenCV non-local means": 1}
FILLERS = {"biharmonic": 1, "Telea": 1, "Navier-Stokes": 1}
# BM3D takes 5 seconds a picture and CBM3D 13: where they are left out, published figures are cited.
BM3D = {("BSD68", 25): {"BM3D": 1}, ("Set12", 25): {"BM3D": 1}, ("CBSD68", 25): {"BM3D": 4}}

ROWS = tuple(
    [
        Row(
            f"{name}, sigma {sigma}",
            "denoise-colour" if name == "CBSD68" else "denoise-grey",
            name,
            partial(noisy, sigma=sigma),
            "noisy",
            BM3D.get((name, sigma), {}) | SHRINKERS,
        )
        for name in ("BSD68", "Set12", "CBSD68")
        for sigma in SIGMAS
    ]
    + [Row(f"JPEG quality {q}", "jpeg", "BSD68", partial(saved, quality=q), "JPEG", {}) for q in QUALITIES]
    + [
        Row(f"x{scale}{of}", "enlarge", "CBSD68", partial(reduced, scale=scale, quality=quality), "bicubic", {})
        for of, quality in (("", None), (" of JPEG", JPEG_OF_SMALL))
        for scale in SCALES
    ]
    + [Row("half missing", "inpaint", "Set12", sparse, "", FILLERS)]
    + [Row("text", "inpaint", "Set12", written_over, "", FILLERS)]
)
