r"""Histograms of oriented gradients (HOG) of pictures: features that small shifts and bends hardly change.

Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005. With m the length of the slope of a
pixel (central differences; of its channels the one with the longest) and a its direction::

    h_o(p) = sum_q N(q - p; s^2) m(q) max(0, 1 - |a(q) - a_o| / (2 pi / 8))        eight directions a_o, places p
    f      = sqrt(h)

Each pixel's slope is shared by the two directions and, with a Gaussian window, by the places that are nearest. Square
roots make Euclidean distances those of Hellinger (Arandjelovic and Zisserman, CVPR 2012).

Differs from the paper: directions go all the way round, windows are Gaussians, and blocks are not normalised: pictures
of one set are taken to be of one contrast.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from isthmus import data as isthmus_data
from isthmus.data import Data
from isthmus.errors import ShapeError

__all__ = ["described", "oriented_gradients", "suits"]

DIRECTIONS = 8
PLACES = 9.5  # along a side, about
REACH = 2.5  # of a window, in standard deviations
LARGEST = 64  # side of a picture; larger ones are made smaller
SMALLEST = 6  # side of a picture that has an outline
ROWS = 500  # pictures at a time


def suits(data: Data) -> bool:
    """Tell whether records are pictures of one size that have outlines."""
    sides = data.schema.shape[:2]
    return data.schema.kind == "image" and all(side is not None and side >= SMALLEST for side in sides)


def described(data: Data) -> Data:
    """Return pictures as rows of numbers."""
    found = [oriented_gradients(np.asarray(block)) for _, block in data.chunks(ROWS)]
    return isthmus_data.open(np.concatenate(found))


def oriented_gradients(pictures: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return square roots of histograms of oriented gradients.

    Parameters
    ----------
    pictures : array, shape (n, height, width) or (n, height, width, channels)
        Bytes, which count from 0 to 1, or other numbers.

    Returns
    -------
    ndarray of float32, shape (n, 8 * places)
        Direction by direction, each from left to right and from the top.

    Raises
    ------
    ShapeError
        These are not pictures, or there is none.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder
    >>> from isthmus.gradients import oriented_gradients
    >>> X = oriented_gradients(load_digits().images[:300])
    >>> X.shape, Autoencoder(latent_dim=16, max_epochs=2, random_state=0).fit_transform(X).shape
    ((300, 512), (300, 16))
    """
    pictures = np.asarray(pictures)
    if pictures.ndim not in (3, 4) or not pictures.size:
        raise ShapeError(
            f"oriented_gradients takes pictures as (n, height, width) or (n, height, width, channels); "
            f"these have the shape {pictures.shape}."
        )
    blocks = (pictures[start : start + ROWS] for start in range(0, len(pictures), ROWS))
    return np.concatenate([_histograms(block) for block in blocks])


def _histograms(pictures: NDArray[np.generic]) -> NDArray[np.float32]:
    x = torch.from_numpy(np.ascontiguousarray(pictures, np.float32))
    x = (x[:, None] if x.ndim == 3 else x.permute(0, 3, 1, 2)) / (255 if pictures.dtype == np.uint8 else 1)
    if max(x.shape[2:]) > LARGEST:
        ratio = LARGEST / max(x.shape[2:])
        x = F.interpolate(x, size=[max(1, round(ratio * side)) for side in x.shape[2:]], mode="area")
    histograms = _pooled(_by_direction(*_slopes(x)))
    return np.asarray(histograms.clamp_min(0).sqrt().flatten(1).numpy())


def _slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return how steep each pixel is to the right and downwards, in its steepest channel: twice (b, 1, h, w)."""
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    right = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    steepest = (right.square() + down.square()).argmax(1, keepdim=True)
    return right.gather(1, steepest), down.gather(1, steepest)


def _by_direction(right: Tensor, down: Tensor) -> Tensor:
    """Return the length of each slope, shared by the two directions next to its own: (b, 8, h, w)."""
    turns = torch.atan2(down, right) * (DIRECTIONS / (2 * math.pi))
    apart = torch.remainder(turns - torch.arange(DIRECTIONS).view(1, -1, 1, 1), DIRECTIONS)
    apart = torch.minimum(apart, DIRECTIONS - apart)
    return torch.hypot(right, down) * (1 - apart).clamp_min(0)


def _pooled(lengths: Tensor) -> Tensor:
    """Return sums of lengths under Gaussian windows about nine places along a side: (b, 8, h, w) -> (b, 8, h', w')."""
    step = max(1, round(max(lengths.shape[2:]) / PLACES))
    deviation = step / 2
    reach = math.ceil(REACH * deviation)
    window = torch.exp(-torch.arange(-reach, reach + 1).float().square() / (2 * deviation**2))
    window = (window / window.sum()).expand(DIRECTIONS, 1, -1)
    padding = (reach - step // 2, reach, reach - step // 2, reach)
    across = F.conv2d(F.pad(lengths, padding), window[:, :, None], stride=(1, step), groups=DIRECTIONS)
    return F.conv2d(across, window[..., None], stride=(step, 1), groups=DIRECTIONS)
