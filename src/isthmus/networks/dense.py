"""Dense networks.

Hinton and Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 2006. With h_0 = x and an
activation s, hidden widths d_1 ... d_k::

    encoder   h_i = s(W_i h_{i-1} + b_i),  i = 1 ... k;    z = W_{k+1} h_k + b_{k+1}
    decoder   the mirror image: d_k ... d_1 units, and theta = V_{k+1} g_k + c_{k+1} without an activation

Tied weights are V_i = W_{k+2-i}^T (Vincent et al. 2008, section 2.2). ``hidden=()`` is the linear autoencoder, whose
best solution under squared error is that of principal component analysis (Baldi and Hornik 1989).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.networks import layers
from isthmus.networks.likelihoods import FieldLike
from isthmus.networks.likelihoods.arithmetic import are

__all__ = ["CodesInput", "DenseDecoder", "DenseEncoder", "TableInput", "TiedDecoder"]

ONE_HOT = 32  # categories up to which a column is written out as zeros and a one
SYMBOL = 16  # width of the vector that stands for a symbol of a text


class TableInput(nn.Module):
    """Rows of a table as plain numbers: categories become zeros and a one, or, where they are many, learned vectors.

    Beside a number with atoms stand zeros, and a one for the atom that it is.

    Parameters
    ----------
    fields : sequence of Field
        The encoded columns. A column of K > 32 categories becomes a vector of min(50, ceil(1.6 K^0.56)) numbers.
    rng : torch.Generator
        Source of the first vectors.

    Attributes
    ----------
    width : int
        Numbers that come out for one row.
    """

    plain: Tensor
    small: Tensor
    offsets: Tensor
    mixed: Tensor
    atoms: Tensor

    def __init__(self, fields: Sequence[FieldLike], rng: torch.Generator) -> None:
        super().__init__()
        categories = [field for field in fields if field.kind == "category"]
        small = [field for field in categories if field.size <= ONE_HOT]
        large = [field for field in categories if field.size > ONE_HOT]
        sizes = [field.size for field in small]
        plain = [field.index for field in fields if field.kind != "category"]
        self.ones = sum(sizes)
        for name, values in (
            ("plain", plain),
            ("small", [field.index for field in small]),
            ("offsets", [sum(sizes[:i]) for i in range(len(sizes))]),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.long), persistent=False)
        self.large = [field.index for field in large]
        widths = [min(50, math.ceil(1.6 * field.size**0.56)) for field in large]
        self.vectors = nn.ModuleList(
            layers.embedding(field.size, width, rng) for field, width in zip(large, widths, strict=True)
        )
        mixed = [field for field in fields for _ in field.atoms]
        self.register_buffer(
            "mixed", torch.tensor([field.index for field in mixed], dtype=torch.long), persistent=False
        )
        self.register_buffer("atoms", torch.tensor([a for field in fields for a in field.atoms]), persistent=False)
        self.width = len(plain) + self.ones + sum(widths) + len(mixed)

    def forward(self, x: Tensor) -> Tensor:
        """Return numbers, ones, vectors, atoms side by side: (b, fields) -> (b, width)."""
        parts = [x[:, self.plain]]
        if self.ones:
            places = x[:, self.small].long() + self.offsets
            parts.append(x.new_zeros(len(x), self.ones).scatter_(1, places, 1.0))
        parts.extend(vectors(x[:, i].long()) for i, vectors in zip(self.large, self.vectors, strict=True))
        if len(self.mixed):
            parts.append(are(x[:, self.mixed], self.atoms).to(x.dtype))
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


class CodesInput(nn.Module):
    """Integer codes as learned vectors, one for each symbol.

    Parameters
    ----------
    classes : int
        Number of symbols.
    rng : torch.Generator
        Source of the first vectors.
    """

    def __init__(self, classes: int, rng: torch.Generator) -> None:
        super().__init__()
        self.vectors = layers.embedding(classes, SYMBOL, rng)
        self.width = SYMBOL

    def forward(self, x: Tensor) -> Tensor:
        """Return vectors along the first axis of a record: (b, *shape) -> (b, 16 * shape[0], *shape[1:])."""
        vectors: Tensor = self.vectors(x.long()).movedim(-1, 1)  # (b, 16, *shape)
        return vectors.flatten(1, 2)


class DenseEncoder(nn.Module):
    """Records to codes.

    Parameters
    ----------
    inputs : int
        Numbers in a record, after ``first``.
    outputs : int
        Numbers in a code.
    hidden : sequence of int
        Widths of the layers between.
    activation, norm, dropout, rng
        As in :func:`isthmus.networks.build`.
    first : torch.nn.Module, optional
        What turns records into plain numbers: :class:`TableInput` or :class:`CodesInput`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: Sequence[int],
        *,
        activation: str,
        norm: str | None,
        dropout: float,
        rng: torch.Generator,
        first: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.first = first
        self.layers = _stack([inputs, *hidden, outputs], activation, norm, dropout, rng)

    def forward(self, x: Tensor) -> Tensor:
        """Return codes: (b, *shape) -> (b, outputs)."""
        if self.first is not None:
            x = self.first(x)
        return self.layers(x.flatten(1))


class DenseDecoder(nn.Module):
    """Codes to the likelihood's parameters.

    Parameters
    ----------
    inputs : int
        Numbers in a code.
    theta_shape : sequence of int
        Shape of the parameters of one record.
    hidden : sequence of int
        Widths of the layers between, from the code outwards.
    activation, norm, dropout, rng
        As in :func:`isthmus.networks.build`.
    """

    def __init__(
        self,
        inputs: int,
        theta_shape: Sequence[int],
        hidden: Sequence[int],
        *,
        activation: str,
        norm: str | None,
        dropout: float,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.theta_shape = tuple(theta_shape)
        self.layers = _stack([inputs, *hidden, math.prod(self.theta_shape)], activation, norm, dropout, rng)

    def forward(self, z: Tensor, size: tuple[int, ...] | None = None) -> Tensor:
        """Return theta: (b, inputs) -> (b, *theta_shape). ``size`` is known already."""
        return self.layers(z.flatten(1)).view(-1, *self.theta_shape)

    @torch.no_grad()
    def start_at(self, theta: Tensor) -> None:
        """Let the output begin about theta, shape ``theta_shape``."""
        bias = self.layers[-1].get_parameter("bias")
        bias.copy_(theta.expand(self.theta_shape).flatten())


class TiedDecoder(nn.Module):
    """A decoder with the encoder's matrices, transposed, and biases of its own.

    The encoder owns the matrices: they are not among this module's parameters, so that no file and no optimiser meets
    them twice.

    Parameters
    ----------
    encoder : DenseEncoder
        Whose matrices these are. Copy both together, or the copy of the decoder keeps matrices of its own.
    theta_shape : sequence of int
        As long, in all, as the encoder's input.
    activation, norm, dropout
        As in :func:`isthmus.networks.build`.
    """

    def __init__(
        self, encoder: DenseEncoder, theta_shape: Sequence[int], *, activation: str, norm: str | None, dropout: float
    ) -> None:
        super().__init__()
        self.theta_shape = tuple(theta_shape)
        # A list inside a tuple hides the layers from torch's registry.
        self._mirrored = ([layer for layer in reversed(encoder.layers) if isinstance(layer, nn.Linear)],)
        widths = [layer.in_features for layer in self._mirrored[0]]
        self.biases = nn.ParameterList(torch.zeros(width) for width in widths)
        self.between = nn.ModuleList(
            nn.Sequential(*_between(width, activation, norm, dropout)) for width in widths[:-1]
        )

    def forward(self, z: Tensor, size: tuple[int, ...] | None = None) -> Tensor:
        """Return theta: (b, latent_dim) -> (b, *theta_shape). ``size`` is known already."""
        h = z.flatten(1)
        for i, (layer, bias) in enumerate(zip(self._mirrored[0], self.biases, strict=True)):
            h = F.linear(h, layer.weight.T, bias)
            if i < len(self.between):
                h = self.between[i](h)
        return h.view(-1, *self.theta_shape)

    @torch.no_grad()
    def start_at(self, theta: Tensor) -> None:
        """Let the output begin about theta, shape ``theta_shape``."""
        self.biases[-1].copy_(theta.expand(self.theta_shape).flatten())


def _stack(
    widths: Sequence[int], activation: str, norm: str | None, dropout: float, rng: torch.Generator
) -> nn.Sequential:
    """Return linear layers from width to width, with everything that stands between two of them."""
    parts: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        parts.append(layers.linear(inputs, outputs, rng))
        if i < len(widths) - 2:
            parts.extend(_between(outputs, activation, norm, dropout))
    return nn.Sequential(*parts)


def _between(width: int, activation: str, norm: str | None, dropout: float) -> list[nn.Module]:
    parts = [layers.normalisation(norm, width, pictures=False)] if norm is not None else []
    unit = layers.activation(activation)
    if isinstance(unit, nn.ReLU):
        unit.inplace = True  # the layers before it need no output of theirs for their gradients
    parts.append(unit)
    if dropout > 0:
        parts.append(nn.Dropout(dropout))
    return parts
