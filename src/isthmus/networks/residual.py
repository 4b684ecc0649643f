"""Residual convolutional networks.

He, Zhang, Ren and Sun, "Identity Mappings in Deep Residual Networks" (ECCV 2016), equation 1 and figure 4 (e), full
pre-activation; N is the normalisation, or nothing, and s the activation::

    h  <-  h + W_2 * s(N(W_1 * s(N(h))))

W_2 starts a tenth as large as W_1, so that each block starts near the identity.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from isthmus.networks import layers

__all__ = ["ResidualBlock"]

START = 0.1


class ResidualBlock(nn.Module):
    """Residual block of convolutions.

    Parameters
    ----------
    channels : int
        Of the feature maps.
    activation, norm, rng
        As in :func:`isthmus.networks.build`.
    """

    def __init__(self, channels: int, *, activation: str, norm: str | None, rng: torch.Generator) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for gain in (1.0, START):
            if norm is not None:
                parts.append(layers.normalisation(norm, channels, pictures=True))
            parts.append(layers.activation(activation))
            parts.append(layers.convolution(channels, channels, rng, gain=gain))
        self.correction = nn.Sequential(*parts)

    def forward(self, h: Tensor) -> Tensor:
        """Return h + correction(h): (b, channels, height, width), unchanged in shape."""
        return h + self.correction(h)
