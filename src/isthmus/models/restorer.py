"""The restorer: noise, JPEG blocks, holes, small and blurred pictures, by one network that comes with the package.

It learned from clean photographs that were damaged in every way of :mod:`isthmus.networks.degradations`. It is told what
is missing, how much a picture is to be enlarged and whether blur is to go; how strong the noise is it sees for itself
(Zhang et al., "Beyond a Gaussian Denoiser", TIP 2017, section III-D).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus import artifact
from isthmus.networks.restoring import RestoringNetwork, fill, planes
from isthmus.tasks.pixels import Pixels
from isthmus.tasks.tiling import Enlarged, Source, Tile, Whole, tiles

__all__ = ["SHIPPED", "Restorer"]

SHIPPED = Path(__file__).with_name("restorer_1.safetensors")


class Restorer:
    """SKETCH: the estimator's face (fit, load, save, parameters) is to come."""

    def __init__(self, network: RestoringNetwork) -> None:
        self.module_ = network.eval().to(memory_format=torch.channels_last)

    @classmethod
    @functools.cache
    def shipped(cls) -> Restorer:
        """Return the restorer that comes with the package."""
        document, arrays = artifact.read(SHIPPED, "Restorer")
        network = RestoringNetwork(**document["network"])
        network.load_state_dict({name: torch.from_numpy(array).float() for name, array in arrays.items()})
        return cls(network)

    @torch.no_grad()
    def tiles_of(
        self, source: Source, pixels: Pixels, *, known: Tensor | None = None, scale: int = 1, deblur: bool = False
    ) -> Iterator[tuple[Tile, NDArray[np.generic]]]:
        """Yield a restored picture tile by tile, in its own numbers.

        Parameters
        ----------
        source : Source
            The picture, 0 for black and 1 for white.
        pixels : Pixels
            What its numbers mean.
        known : tensor, shape (1, height, width), optional
            1 where a pixel is known, 0 where it is missing. Then the picture must be in memory, and known pixels come
            back as they are.
        scale : {1, 2, 3, 4}, default=1
            How much to enlarge it.
        deblur : bool, default=False
            Whether to remove blur.
        """
        given = source if scale == 1 else Enlarged(source, scale)
        mask = None if known is None else Whole(known)
        height, width, _ = given.shape
        for tile in tiles(height, width, self.module_.reach):
            x = tile.read(given)
            seen = None if mask is None else tile.read(mask)[None]
            found = x.clone()
            for group in pixels.groups:
                colours = x[list(group)].expand(3, -1, -1)[None]
                restored = self.module_(planes(colours, seen, scale=scale, deblur=deblur))[0]
                found[list(group)] = restored if len(group) == 3 else restored.mean(0, keepdim=True)
            if seen is not None:
                found = torch.where(seen[0] > 0, x, found)
            yield tile, pixels.from_unit(tile.core(found))

    def picture(
        self, picture: NDArray[np.generic], *, known: NDArray[np.bool_] | None = None, scale: int = 1, deblur: bool = False
    ) -> NDArray[np.generic]:
        """Return one restored picture: (h, w[, c]) -> (scale h, scale w[, c])."""
        channels = 1 if picture.ndim == 2 else picture.shape[2]
        pixels = Pixels.of(picture.dtype, channels, float(picture.min()), float(picture.max()))
        values = pixels.to_unit(picture)
        mask = None if known is None else torch.from_numpy(known.astype(np.float32))[None]
        if mask is not None:
            values = fill(values[None], mask[None])[0]
        size = (picture.shape[0] * scale, picture.shape[1] * scale, *picture.shape[2:])
        result = np.empty(size, picture.dtype)
        for tile, found in self.tiles_of(Whole(values), pixels, known=mask, scale=scale, deblur=deblur):
            result[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] = found
        return result
