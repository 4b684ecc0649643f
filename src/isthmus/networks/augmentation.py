"""Augmentation: harmless changes of pictures during training, drawn anew for every batch.

Shifts, rotations and elastic deformations follow Simard, Steinkraus and Platt, "Best Practices for Convolutional
Neural Networks Applied to Visual Document Analysis" (ICDAR 2003), section 2. All are one resampling of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["AUGMENTATIONS", "Augmentation", "augment"]

AUGMENTATIONS = ("shift", "flip", "rotate", "elastic", "binarise")

SHIFT = 0.08  # of a side, at most
TURN = math.radians(12)  # at most
ELASTIC = 0.05  # of a side, standard deviation of the displacement
ELASTIC_GRID = 4  # displacements are drawn on a grid of so many points a side, and interpolated


def augment(x: Tensor, kinds: Sequence[str], rng: torch.Generator) -> Tensor:
    """Return changed copies of pictures.

    Parameters
    ----------
    x : tensor of float, shape (b, channels, height, width)
        Pictures.
    kinds : sequence of {"shift", "flip", "rotate", "elastic", "binarise"}
        Which changes: whole-pixel shifts of up to 8 % of a side, left-right flips of every second picture on average,
        rotations of up to 12 degrees, smooth displacements of 5 % of a side. "binarise" comes last and takes values in
        [0, 1], of records of any shape, as the chances of ones (Salakhutdinov and Murray, ICML 2008).
    rng : torch.Generator
        Source of chance, on the pictures' device.

    Returns
    -------
    tensor, the shape of ``x``
        What comes in from outside repeats the border.
    """
    if "binarise" in kinds:
        others = [kind for kind in kinds if kind != "binarise"]
        return torch.bernoulli(augment(x, others, rng) if others else x, generator=rng)
    b, _, height, width = x.shape
    if "flip" in kinds:
        flipped = torch.rand(b, generator=rng, device=x.device) < 0.5
        x = torch.where(flipped[:, None, None, None], x.flip(-1), x)
    if not {"shift", "rotate", "elastic"} & set(kinds):
        return x

    def uniform(limit: float) -> Tensor:
        return (torch.rand(b, generator=rng, device=x.device) * 2 - 1) * limit

    turn = uniform(TURN) if "rotate" in kinds else torch.zeros(b, device=x.device)
    down, right = torch.zeros(b, device=x.device), torch.zeros(b, device=x.device)
    if "shift" in kinds:
        # In the grid's units a side is 2 long; whole pixels keep pictures sharp.
        down = (uniform(SHIFT) * height).round() * 2 / height
        right = (uniform(SHIFT) * width).round() * 2 / width
    ratio = height / width
    affine = torch.stack(
        [
            torch.stack([turn.cos(), -turn.sin() * ratio, right], -1),
            torch.stack([turn.sin() / ratio, turn.cos(), down], -1),
        ],
        1,
    )  # (b, 2, 3)
    grid = F.affine_grid(affine, list(x.shape), align_corners=False)  # (b, height, width, 2)
    if "elastic" in kinds:
        coarse = torch.randn((b, 2, ELASTIC_GRID, ELASTIC_GRID), generator=rng, device=x.device) * (2 * ELASTIC)
        smooth = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
        grid = grid + smooth.movedim(1, -1)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


class Augmentation(nn.Module):
    """Augmentation as the first layer of the networks in training; it has no weights.

    Held-out records are drawn as zeros and ones too, where "binarise" is asked for: that says what a record is.

    Parameters
    ----------
    kinds : sequence of str, default=()
        As :func:`augment` takes them.
    """

    def __init__(self, kinds: Sequence[str] = ()) -> None:
        super().__init__()
        self.kinds = tuple(kinds)

    def forward(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """Return scaled records, augmented: (b, *record) -> the same."""
        kinds = self.kinds if self.training else tuple(kind for kind in self.kinds if kind == "binarise")
        return augment(x, kinds, rng) if kinds else x
