r"""Better codes than an encoder's: a few steps of descent on each record's own code, with the rate in view.

Kim, Wiseman, Miller, Sontag and Rush, "Semi-Amortized Variational Autoencoders" (ICML 2018): an encoder that serves all
records serves none best. What is descended is what a file costs, with the rounding replaced by noise as in training of
learned codecs (Balle, Laparra and Simoncelli, "End-to-End Optimized Image Compression", ICLR 2017)::

    E_u ||g(z + u) - x||^2 + 2 D sum_j (z_j - c_j)^2 / (2 s_j^2),    u_j uniform within the step of unit j

c_j and s_j are mean and deviation of the unit, so that the sum is the nats that a Gaussian takes; D, the squared error
that rounding one number costs, makes error and nats one currency: at the best steps, the error falls by 2 D with each
nat.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.coding.codes import Lattice
from isthmus.encoded import as_tensor
from isthmus.tasks.compression.records import Cut, Records

__all__ = ["can_be_refined", "refined"]

RATE = 0.1  # of a step, in deviations of a unit; it falls to zero
FIRST, SECOND = 0.9, 0.99  # memories of the means of gradients and their squares (Adam)


def can_be_refined(records: Records, lattice: Lattice) -> bool:
    """Tell whether a gradient leads from records to their codes."""
    return lattice.ordered and not records.model.module_.likelihood.codes


def refined(records: Records, lattice: Lattice, steps: int) -> list[NDArray[np.float32]]:
    """Return codes of records that are better on a lattice, as ``records.codes``."""
    cut, rng = Cut(records.codes), torch.Generator().manual_seed(0)
    return [
        _Descent(records, lattice, size, rng).end(x, np.concatenate(cut.next(len(x))), steps)
        for x, size in _inputs(records)
    ]


def _inputs(records: Records) -> Iterator[tuple[Tensor, tuple[int, ...] | None]]:
    """Yield encoded records, and their size where sizes differ."""
    for block in records.model.encoded_blocks(records.data):
        for values in block.blocks(max(len(block), 1)):
            yield as_tensor(values), values.shape[2:] if block.varies else None


class _Descent:
    """Adam on the codes of some records."""

    def __init__(self, records: Records, lattice: Lattice, size: tuple[int, ...] | None, rng: torch.Generator) -> None:
        self.model, self._size, self._rng = records.model, size, rng
        self._device = next(self.model.module_.parameters()).device
        self._lattices, self._lattice = records.lattices, lattice

    def end(self, x: Tensor, codes: NDArray[Any], steps: int) -> NDArray[np.float32]:
        """Return where codes (n, units, height, width) come to."""
        shape = codes.shape if self._size is not None else (len(codes), *(side or 1 for side in self.model.code_shape_))
        centres, spreads, widths = self._by_unit(len(shape) - 1)
        wanted = x.to(self._device).float()
        z = torch.as_tensor(codes.reshape(shape).copy(), device=self._device)
        price = self._price(z, widths)
        mean, square = torch.zeros_like(z), torch.zeros_like(z)
        for step in range(steps):
            z.requires_grad_(True)
            with torch.enable_grad():
                error = (self._decoded(z + self._noise(z, widths)) - wanted).square().sum()
                nats = ((z - centres) / spreads).square().sum() / 2
                (gradient,) = torch.autograd.grad(error + price * nats, z)
            gradient = gradient * spreads
            mean, square = mean.lerp(gradient, 1 - FIRST), square.lerp(gradient.square(), 1 - SECOND)
            size = RATE * (1 - step / steps) / (1 - FIRST ** (step + 1))
            root = (square / (1 - SECOND ** (step + 1))).sqrt() + 1e-12
            z = (z - size * spreads * mean / root).detach()
        found: NDArray[np.float32] = z.cpu().numpy().reshape(codes.shape)
        return found

    def _price(self, z: Tensor, widths: Tensor) -> float:
        """Return 2 D, the squared error that a nat is worth."""
        with torch.no_grad():
            moved = self._decoded(z + self._noise(z, widths)) - self._decoded(z)
        return 2 * float(moved.square().sum()) / z.numel()

    def _decoded(self, z: Tensor) -> Tensor:
        module = self.model.module_
        found: Tensor = module.unscale(module.mean(self.model.decode(z, self._size)))
        return found.float()

    def _noise(self, z: Tensor, widths: Tensor) -> Tensor:
        return (torch.rand(z.shape, generator=self._rng).to(self._device) - 0.5) * widths

    def _by_unit(self, axes: int) -> list[Tensor]:
        parts = (self._lattices.centres, self._lattices.spreads, self._lattice.steps)
        tensors = (torch.as_tensor(part, dtype=torch.float32, device=self._device) for part in parts)
        return [tensor.reshape(-1, *(1 for _ in range(axes - 1))) for tensor in tensors]
