"""Encoder and decoder for some records: by default chosen from their kind and size."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.checks.likelihood import (
    check_heads,
    check_module_runs,
    check_network,
    check_one_size,
    check_pictures_only,
    check_stages,
    check_symbols_only,
    check_theta_shape,
    check_tied,
)
from isthmus.checks.parameters import choice, integer, number, widths
from isthmus.networks.convolutional import ConvolutionalDecoder, ConvolutionalEncoder, default_channels
from isthmus.networks.core import Core
from isthmus.networks.dense import CodesInput, DenseDecoder, DenseEncoder, TableInput, TiedDecoder
from isthmus.networks.layers import ACTIVATIONS, NORMS
from isthmus.networks.likelihoods import FieldLike
from isthmus.networks.residual import ResidualBlock
from isthmus.networks.sequence import SequenceDecoder, SequenceEncoder, default_units

__all__ = ["NETWORKS", "WITHOUT_SEQUENCE", "build", "code_shape"]

NETWORKS = ("auto", "dense", "convolutional", "residual", "sequence")
WITHOUT_SEQUENCE = NETWORKS[:-1]  # of models that do not take texts symbol by symbol
NARROWEST, WIDEST = 64, 256  # first hidden layers of dense networks
UNSIZED = 64  # side of the pictures that networks for several sizes are tried on

Network = str | tuple[nn.Module, nn.Module]


def build(
    network: Network,
    shape: Sequence[int | None],
    theta_shape: Sequence[int | None],
    latent_dim: int,
    hidden: Sequence[int] | None = None,
    *,
    rng: torch.Generator,
    activation: str = "relu",
    norm: str | None = None,
    dropout: float = 0.0,
    tied: bool = False,
    fields: Sequence[FieldLike] = (),
    heads: int = 1,
    extra_dims: int = 0,
    symbols: int | None = None,
    preferred: str | None = None,
    owner: str = "network",
) -> tuple[nn.Module, nn.Module]:
    """Return an encoder and a decoder.

    Parameters
    ----------
    network : {"auto", "dense", "convolutional", "residual", "sequence"} or (encoder, decoder)
        "auto" takes ``preferred`` if there is one, else "convolutional" for pictures and "dense" for everything else;
        "dense" also for pictures of one size when ``hidden`` or ``tied`` is given, or when a side is below 8 pixels on
        average. A pair of modules is copied; it need not know of ``latent_dim`` and the options that follow.
    shape : tuple of (int or None)
        Of one scaled record: ``(d,)``, ``(channels, height, width)``, ``(fields,)`` or ``(length,)``.
    theta_shape : tuple of (int or None)
        Of the likelihood's parameters for one record. One axis longer than ``shape`` when records hold integer codes.
    latent_dim : int
        Numbers in a code; channels of it where sizes differ.
    hidden : sequence of int, optional
        Dense: widths of the encoder's layers, mirrored in the decoder; () makes it linear; by default two layers,
        the first of 64 to 256 units. Convolutional and residual: channels of each stage, each of which halves the
        sides; by default (32, 64, 128, ...).
    rng : torch.Generator
        Source of the first weights.
    activation : str, default="relu"
        A name in :data:`isthmus.networks.layers.ACTIVATIONS`; code and output have none.
    norm : {None, "batch", "layer"}, default=None
        Normalisation between a layer and its activation.
    dropout : float, default=0
        Share of units (of channels, in pictures) silenced at each training step, in [0, 1).
    tied : bool, default=False
        Whether a dense decoder uses the encoder's matrices, transposed.
    fields : sequence of Field, default=()
        A table's encoded columns, in scaled units.
    heads : int, default=1
        Numbers that the encoder gives for each number of the code: 2 for a mean and a log-variance.
    extra_dims : int, default=0
        Numbers that the encoder gives, and the decoder takes, beside the code: one for each class.
    symbols : int, optional
        How many there are, where records hold integer codes; 0 otherwise. None: as many as theta has numbers for each
        place, if it has more than one.
    preferred : str, optional
        What "auto" takes: the likelihood's own choice.
    owner : str
        Whom messages are about.

    Returns
    -------
    encoder, decoder : torch.nn.Module
        ``encoder(x) -> z`` and ``decoder(z, size=None) -> theta``.

    Raises
    ------
    ParameterError
        An option is not allowed, or not for these records.
    ShapeError
        A network of the user's own does not fit the data.
    """
    shape, theta_shape = tuple(shape), tuple(theta_shape)
    if symbols is None:
        symbols = int(theta_shape[0] or 1) if len(theta_shape) > len(shape) else 0
    check_network(owner, network, NETWORKS)
    if not isinstance(network, str):
        return _own(network, shape, theta_shape, heads, extra_dims, symbols, owner)
    integer(owner, "latent_dim", latent_dim, low=1)
    widths(owner, "hidden", hidden)
    choice(owner, "activation", activation, tuple(ACTIVATIONS))
    if norm is not None:
        choice(owner, "norm", norm, NORMS)
    number(owner, "dropout", dropout, low=0, high=1, below=True)
    if network == "auto":
        network = preferred or _choose_network(shape, hidden, tied=tied)
    options: dict[str, Any] = {"activation": activation, "norm": norm, "dropout": float(dropout)}
    ends = (latent_dim * heads + extra_dims, latent_dim + extra_dims)  # of the encoder, and what the decoder takes
    if network == "sequence":
        check_tied(owner, tied=tied, dense=False)
        check_symbols_only(owner, network, symbols)
        return _sequence(shape, theta_shape, ends, hidden, symbols, rng, options)
    first, inner = _first_layer(shape, symbols, fields, rng)
    if network == "dense":
        check_one_size(owner, network, shape)
        return _dense(first, inner, theta_shape, latent_dim, ends, hidden, tied, owner, rng, options)
    check_tied(owner, tied=tied, dense=False)
    check_pictures_only(owner, network, shape)
    stages = default_channels(*shape[-2:]) if hidden is None else tuple(hidden)
    check_stages(owner, len(stages), shape)
    if network == "residual":
        options["refine"] = partial(ResidualBlock, activation=activation, norm=norm, rng=rng)
    encoder = ConvolutionalEncoder(inner, ends[0], stages, rng=rng, first=first, **options)
    return encoder, ConvolutionalDecoder(ends[1], theta_shape, stages, rng=rng, **options)


def _choose_network(shape: tuple[int | None, ...], hidden: Sequence[int] | None, *, tied: bool) -> str:
    """Return what serves these records best in equal time: convolutions wherever a picture has sides to halve."""
    if len(shape) < 3:
        return "dense"
    if None in shape:
        return "convolutional"
    return "dense" if hidden is not None or tied or not default_channels(*shape[-2:]) else "convolutional"


def _first_layer(
    shape: tuple[int | None, ...],
    symbols: int,
    fields: Sequence[FieldLike],
    rng: torch.Generator,
) -> tuple[nn.Module | None, tuple[int | None, ...]]:
    """Return what turns records into plain numbers, if anything must, and the shape after it."""
    if any(field.kind == "category" or field.atoms for field in fields):
        table = TableInput(fields, rng)
        return table, (table.width,)
    if symbols:
        codes = CodesInput(symbols, rng)
        return codes, (codes.width * int(shape[0] or 1), *shape[1:])
    return None, shape


def _dense(
    first: nn.Module | None,
    inner: tuple[int | None, ...],
    theta_shape: tuple[int | None, ...],
    latent_dim: int,
    ends: tuple[int, int],
    hidden: Sequence[int] | None,
    tied: bool,
    owner: str,
    rng: torch.Generator,
    options: dict[str, Any],
) -> tuple[nn.Module, nn.Module]:
    inputs = math.prod(int(side or 1) for side in inner)
    theta = tuple(int(side or 1) for side in theta_shape)
    if hidden is None:
        # A power of two at or above twice the inputs, and never a bottleneck before the code.
        first_width = min(WIDEST, max(NARROWEST, 2 ** math.ceil(math.log2(2 * inputs))))
        hidden = (max(first_width, latent_dim), max(first_width // 2, latent_dim))
    outputs, code = ends
    encoder = DenseEncoder(inputs, outputs, hidden, rng=rng, first=first, **options)
    if not tied:
        return encoder, DenseDecoder(code, theta, hidden[::-1], rng=rng, **options)
    check_tied(owner, tied=True, dense=True, same=first is None and inputs == math.prod(theta) and outputs == code)
    return encoder, TiedDecoder(encoder, theta, **options)


def _sequence(
    shape: tuple[int | None, ...],
    theta_shape: tuple[int | None, ...],
    ends: tuple[int, int],
    hidden: Sequence[int] | None,
    symbols: int,
    rng: torch.Generator,
    options: dict[str, Any],
) -> tuple[nn.Module, nn.Module]:
    length, theta = int(shape[0] or 1), tuple(int(side or 1) for side in theta_shape)
    units = default_units(length) if hidden is None else tuple(hidden)
    encoder = SequenceEncoder(symbols, length, ends[0], units, rng=rng, **options)
    return encoder, SequenceDecoder(ends[1], theta, units, rng=rng, **options)


class OwnDecoder(nn.Module):
    """Adapter of a user's decoder, which takes no size and may return theta in another shape.

    Parameters
    ----------
    module : torch.nn.Module
        ``module(z)`` returns as many numbers as ``theta_shape`` says, in that order.
    theta_shape : sequence of (int or None)
        Of the likelihood's parameters for one record.
    """

    def __init__(self, module: nn.Module, theta_shape: Sequence[int | None]) -> None:
        super().__init__()
        self.module = module
        self.theta_shape = tuple(theta_shape)

    def forward(self, z: Tensor, size: tuple[int, ...] | None = None) -> Tensor:
        """Return theta: codes -> (b, *theta_shape), cropped to ``size`` where sizes differ."""
        theta: Tensor = self.module(z)
        if None not in self.theta_shape:
            return theta.reshape(-1, *(int(side or 1) for side in self.theta_shape))
        return theta if size is None else theta[..., : size[0], : size[1]]


def _own(
    network: tuple[nn.Module, nn.Module],
    shape: tuple[int | None, ...],
    theta_shape: tuple[int | None, ...],
    heads: int,
    extra_dims: int,
    symbols: int,
    owner: str,
) -> tuple[nn.Module, nn.Module]:
    """Return copies of a pair of modules, after a first try on two empty records."""
    encoder, decoder = copy.deepcopy(network[0]), copy.deepcopy(network[1])
    x = _blank(shape, codes=symbols > 0)
    with _trying(encoder, decoder):
        z = check_module_runs(owner, "encoder", encoder, x)
        width = check_heads(owner, z.shape[1], heads, extra_dims)
        theta = check_module_runs(owner, "decoder", decoder, z[:, : width + extra_dims])
    check_theta_shape(owner, theta.shape[1:], theta_shape)
    return encoder, OwnDecoder(decoder, theta_shape)


def code_shape(core: Core, shape: Sequence[int | None], heads: int = 1, extra_dims: int = 0) -> tuple[int | None, ...]:
    """Return the shape of one code, found by encoding two empty records; None for sides that follow the record's.

    Parameters
    ----------
    core : Core
    shape : sequence of (int or None)
        Of one scaled record.
    heads, extra_dims : int
        As in :func:`build`; they are not counted.
    """
    with _trying(core.encoder):
        first, *sides = core.encoder(_blank(shape, codes=core.likelihood.codes)).shape[1:]
    return (first - extra_dims) // heads, *((None,) * len(sides) if None in shape else sides)


def _blank(shape: Sequence[int | None], *, codes: bool) -> Tensor:
    x = torch.zeros((2, *(UNSIZED if side is None else side for side in shape)))
    return x.long() if codes else x


@contextmanager
def _trying(*parts: nn.Module) -> Iterator[None]:
    """Run modules for a look at their shapes, without a trace in them."""
    modes = [(module, module.training) for part in parts for module in part.modules()]
    for part in parts:
        part.eval()
    with torch.no_grad():
        yield
    for module, training in modes:
        module.training = training
