"""Corruptions of records for denoising autoencoders.

Vincent et al., "Extracting and Composing Robust Features with Denoising Autoencoders" (ICML 2008), section 2.3, uses
masking; "Stacked Denoising Autoencoders" (JMLR 2010), section 3.3, adds Gaussian and salt-and-pepper noise. Holes,
blur and downscaling are the corruptions of inpainting, deblurring and super-resolution.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["BLANKING", "CORRUPTIONS", "IMAGE_CORRUPTIONS", "TEXT_CORRUPTIONS", "corrupt"]


def gaussian(x: Tensor, level: float, rng: torch.Generator) -> Tensor:
    """X + level * e with e from N(0, I); ``level`` is a standard deviation in scaled units."""
    noise = torch.empty_like(x).normal_(generator=rng)
    return torch.add(x, noise, alpha=level)


def masking(x: Tensor, level: float, rng: torch.Generator) -> Tensor:
    """Set a share ``level`` of the numbers, chosen at random for each record, to zero."""
    return x * (torch.rand(x.shape, generator=rng, device=x.device) >= level)


def salt_and_pepper(x: Tensor, level: float, rng: torch.Generator) -> Tensor:
    """Set a share ``level`` of the numbers to the record's lowest or highest value, with even chances."""
    flat = x.flatten(1)
    low = flat.amin(1).view(-1, *[1] * (x.ndim - 1))
    high = flat.amax(1).view(-1, *[1] * (x.ndim - 1))
    chance = torch.rand(x.shape, generator=rng, device=x.device)
    x = torch.where(chance < level / 2, low, x)
    return torch.where(chance > 1 - level / 2, high, x)


def holes(x: Tensor, level: float, rng: torch.Generator) -> Tensor:
    """Cut one rectangle out of each picture, of a share ``level`` of its area on average, and fill it with zero."""
    height, width = x.shape[-2:]
    # The sides are uniform between half and one and a half times the root of the area's share.
    scale = (torch.rand((2, len(x)), generator=rng, device=x.device) + 0.5) * math.sqrt(level)
    h, w = (scale[0] * height).clamp(1, height), (scale[1] * width).clamp(1, width)
    corner = torch.rand((2, len(x)), generator=rng, device=x.device)
    top, left = corner[0] * (height - h), corner[1] * (width - w)
    rows = torch.arange(height, device=x.device)[None, :]
    columns = torch.arange(width, device=x.device)[None, :]
    in_rows = (rows >= top[:, None]) & (rows < (top + h)[:, None])
    in_columns = (columns >= left[:, None]) & (columns < (left + w)[:, None])
    hole = in_rows[:, None, :, None] & in_columns[:, None, None, :]
    return x.masked_fill(hole, 0.0)


def blur(x: Tensor, level: float, rng: torch.Generator) -> Tensor:
    """Blur each picture with a Gaussian of a standard deviation uniform in (0, level] pixels, the same for a batch."""
    sigma = max(1e-3, float(torch.rand((), generator=rng, device=x.device)) * level)
    reach = max(1, math.ceil(3 * sigma))
    offsets = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    channels = x.shape[1]
    x = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    x = F.conv2d(x, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    return F.conv2d(x, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)


def downscale(x: Tensor, level: float, rng: torch.Generator) -> Tensor:
    """Shrink each picture ``level`` times a side by area averages, and enlarge it again by bilinear interpolation."""
    height, width = x.shape[-2:]
    small = (max(1, round(height / level)), max(1, round(width / level)))
    shrunk = F.interpolate(x, size=small, mode="area")
    return F.interpolate(shrunk, size=(height, width), mode="bilinear", align_corners=False)


def replacement(x: Tensor, level: float, rng: torch.Generator, end: int) -> Tensor:
    """Set a share ``level`` of the symbols of sequences to some drawn from all of theirs; ends stay where they are."""
    found = x[x != end]
    if not len(found):
        return x
    others = found[torch.randint(len(found), x.shape, generator=rng, device=x.device)]
    hit = torch.rand(x.shape, generator=rng, device=x.device) < level
    return torch.where(hit & (x != end), others, x)


Corruption = Callable[..., Tensor]

# name: (corruption, usual level, largest level)
CORRUPTIONS: dict[str, tuple[Corruption, float, float]] = {
    "gaussian": (gaussian, 0.3, math.inf),
    "masking": (masking, 0.3, 1.0),
    "salt-and-pepper": (salt_and_pepper, 0.2, 1.0),
    "holes": (holes, 0.15, 1.0),
    "blur": (blur, 1.5, math.inf),
    "downscale": (downscale, 2.0, math.inf),
    "replacement": (replacement, 0.1, 1.0),
}
IMAGE_CORRUPTIONS = ("holes", "blur", "downscale")
TEXT_CORRUPTIONS = ("replacement",)
BLANKING = ("masking", "holes")  # that show zeros in the place of what is missing


def corrupt(x: Tensor, corruption: str, level: float | None, rng: torch.Generator, *, end: int | None = None) -> Tensor:
    """Return a corrupted copy of scaled records.

    Parameters
    ----------
    x : tensor, shape (b, d), (b, channels, height, width) or (b, length)
        Scaled records, or sequences of symbols.
    corruption : str
        A name of :data:`CORRUPTIONS`; of :data:`IMAGE_CORRUPTIONS` for pictures alone, "replacement" for sequences.
    level : float or None
        How much, in the corruption's own unit; None for the default amount.
    rng : torch.Generator
        Source of chance, on the records' device.
    end : int, optional
        The symbol that ends a sequence.

    Returns
    -------
    tensor, the shape of ``x``
    """
    law, usual, _ = CORRUPTIONS[corruption]
    level = usual if level is None else level
    return law(x, level, rng) if end is None else law(x, level, rng, end)
