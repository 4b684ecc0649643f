"""What is chosen when nobody says: the likelihood from the values, the network from the kind and size of records."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.checks.likelihood import (
    check_heads,
    check_likelihood_kind,
    check_likelihood_scaling,
    check_module_runs,
    check_network,
    check_one_size,
    check_pictures_only,
    check_stages,
    check_theta_shape,
    check_tied,
)
from isthmus.checks.parameters import choice, integer, number, widths
from isthmus.networks.convolutional import ConvolutionalDecoder, ConvolutionalEncoder, usual_channels
from isthmus.networks.core import Core
from isthmus.networks.dense import CodesInput, DenseDecoder, DenseEncoder, TableInput, TiedDecoder
from isthmus.networks.layers import ACTIVATIONS, NORMS
from isthmus.networks.likelihoods import (
    Facts,
    FieldLike,
    Likelihood,
    SummaryLike,
    default_likelihood,
    likelihood_from,
)
from isthmus.networks.residual import ResidualBlock

__all__ = ["NETWORKS", "build", "choose", "code_shape", "facts_of", "make_likelihood"]

NETWORKS = ("auto", "dense", "convolutional", "residual")
NARROWEST, WIDEST = 64, 256  # first hidden layers of dense networks
UNSIZED = 64  # side of the pictures that networks for several sizes are tried on

Network = str | tuple[nn.Module, nn.Module]
GivenLikelihood = str | Mapping[str, Any] | Likelihood


class PreprocessorLike(Protocol):
    """What a likelihood asks of a fitted :class:`isthmus.preprocessing.Preprocessor`."""

    summary_: Any
    shape_: tuple[int | None, ...]
    scaling_: str
    shift_: NDArray[np.float32]
    factor_: NDArray[np.float32]
    step_: NDArray[np.float32] | None
    classes_: int

    def scaled_fields(self) -> Sequence[FieldLike]:
        """Return what each encoded column of a table is, in scaled units."""

    def rescale(self, scaling: str) -> Any:
        """Choose the scaling."""

    def encode(self, block: Any) -> Any:
        """Return records as numbers."""


# ----------------------------------------------------------------------------------------------------------- likelihood


def choose(
    summary: SummaryLike, likelihood: GivenLikelihood = "auto", owner: str = "likelihood", *, draws: bool = False
) -> tuple[Likelihood, str]:
    """Choose the likelihood from the data, or check the one asked for against them.

    Parameters
    ----------
    summary : Summary
        What the values look like.
    likelihood : str, Likelihood or dict, default="auto"
        A name in :data:`isthmus.networks.LIKELIHOODS`, one of them with its options, or what its ``to_dict``
        wrote. "auto" takes, in this order: for tables "table",
        for texts and one-hot rows "categorical", for zeros and ones "bernoulli", where records are to be drawn and many
        share values "table", for other whole numbers with at most 65,535 steps "discretised-logistic", and otherwise
        "gaussian" with a learned scale.
    owner : str
        Whom messages are about.
    draws : bool, default=False
        Whether the model is there to draw records.

    Returns
    -------
    likelihood : Likelihood
        Not yet prepared.
    reason : str
        One sentence.

    Raises
    ------
    ParameterError
        Nobody knows the name, or it is for other kinds of data.
    DataError
        The data lie outside its support; the sentence names column or channel and the range found.
    """
    if isinstance(likelihood, str) and likelihood == "auto":
        name, reason = default_likelihood(summary, marginals=draws)
        return likelihood_from(name), f"{name}, because {reason}"
    chosen = likelihood_from(likelihood, owner)
    name = likelihood if isinstance(likelihood, str) else chosen.name
    check_likelihood_kind(owner, name, summary.kind, tuple(chosen.scaling), default_likelihood(summary)[0])
    chosen.check_support(summary, owner)
    return chosen, f"{name}, as asked"


def make_likelihood(
    likelihood: GivenLikelihood,
    preprocessor: PreprocessorLike,
    scaling: str = "auto",
    owner: str = "likelihood",
    *,
    draws: bool = False,
) -> tuple[Likelihood, str]:
    """Choose the likelihood, rescale the preprocessor to its support, and fit the likelihood to the scaled data.

    Parameters
    ----------
    likelihood : str, Likelihood or dict
        As in :func:`choose`.
    preprocessor : Preprocessor
        Fitted; it is rescaled here.
    scaling : str, default="auto"
        A scaling of the preprocessor's, or "auto" for the usual one (or the one that is in force already).
    owner : str
        Whom messages are about.
    draws : bool, default=False
        Whether the model is there to draw records. Then "auto" takes the likelihood "table" also for rows of numbers
        with values that many of them share, and with that likelihood the scaling "quantile", by which what is drawn of
        a column has its distribution, whatever that is.

    Returns
    -------
    likelihood : Likelihood
        A prepared copy.
    reason : str
        One sentence.
    """
    summary = preprocessor.summary_
    chosen, reason = choose(summary, likelihood, owner, draws=draws)
    if scaling == "auto":
        # A preprocessor from a file is scaled already, by what was usual when it was fitted.
        fresh = preprocessor.scaling_ == "none"
        usual = chosen.usual_scaling(summary.kind, marginals=draws)
        scaling = usual if fresh else preprocessor.scaling_
    fits, usual = chosen.fits_scaling(scaling, summary), chosen.usual_scaling(summary.kind)
    check_likelihood_scaling(owner, chosen.name, scaling, fits=fits, needs=chosen.needs, usual=usual)
    if scaling != preprocessor.scaling_:
        preprocessor.rescale(scaling)
    return chosen.prepare(facts_of(preprocessor)), reason


def facts_of(preprocessor: PreprocessorLike) -> Facts:
    """Return what a fitted and scaled preprocessor knows of its data, in scaled units."""
    summary, shape, scaling = preprocessor.summary_, preprocessor.shape_, preprocessor.scaling_
    if summary.kind in ("table", "text"):
        one = torch.ones(())
        return Facts(
            shape, std=one, low=-one, high=one, classes=preprocessor.classes_, fields=preprocessor.scaled_fields()
        )
    sides = (-1, 1, 1) if summary.kind == "image" else (-1,)
    std = summary.std.reshape(sides)
    standardised = scaling in ("standard", "quantile")
    std = (std > 0).astype(np.float64) if standardised else std * np.abs(preprocessor.factor_)
    low, high = _scaled_range(preprocessor)
    step = preprocessor.step_
    return Facts(
        shape,
        std=torch.as_tensor(std).float(),
        low=low,
        high=high,
        step=None if step is None else torch.as_tensor(np.abs(step)).float(),
        by_column=preprocessor.factor_.size > 1 or scaling == "quantile",
        fields=preprocessor.scaled_fields(),
    )


def _scaled_range(preprocessor: PreprocessorLike) -> tuple[Tensor, Tensor]:
    """Return the lowest and the highest value that can occur, for each column or channel."""
    if preprocessor.scaling_ == "symmetric":
        return torch.tensor(-1.0), torch.tensor(1.0)
    if preprocessor.scaling_ == "unit":
        return torch.tensor(0.0), torch.tensor(1.0)
    summary = preprocessor.summary_
    rows = np.stack([summary.low, summary.high]).astype(summary.dtype)
    if summary.kind == "image":
        rows = rows.reshape(2, 1, 1, -1)
    scaled = (np.asarray(preprocessor.encode(rows), np.float32) - preprocessor.shift_) * preprocessor.factor_
    return torch.from_numpy(scaled[0]), torch.from_numpy(scaled[1])


# -------------------------------------------------------------------------------------------------------------- network


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
    beside: int = 0,
    owner: str = "network",
) -> tuple[nn.Module, nn.Module]:
    """Return an encoder and a decoder.

    Parameters
    ----------
    network : {"auto", "dense", "convolutional", "residual"} or (encoder, decoder)
        "auto" takes "convolutional" for pictures and "dense" for everything else; "dense" also for pictures of one size
        when ``hidden`` or ``tied`` is given, or when a side is below 8 pixels on average. A pair of modules is copied;
        it need not know of ``latent_dim`` and the options that follow.
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
    beside : int, default=0
        Numbers that the encoder gives, and the decoder takes, beside the code: one for each class.
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
    check_network(owner, network, NETWORKS)
    if not isinstance(network, str):
        return _own(network, shape, theta_shape, heads, beside, owner)
    integer(owner, "latent_dim", latent_dim, low=1)
    widths(owner, "hidden", hidden)
    choice(owner, "activation", activation, tuple(ACTIVATIONS))
    if norm is not None:
        choice(owner, "norm", norm, NORMS)
    number(owner, "dropout", dropout, low=0, high=1, below=True)
    if network == "auto":
        network = _choose_network(shape, hidden, tied=tied)
    options: dict[str, Any] = {"activation": activation, "norm": norm, "dropout": float(dropout)}
    first, inner = _first_layer(shape, theta_shape, fields, rng)
    if network == "dense":
        check_one_size(owner, network, shape)
        ends = (latent_dim * heads + beside, latent_dim + beside)
        return _dense(first, inner, theta_shape, latent_dim, ends, hidden, tied, owner, rng, options)
    check_tied(owner, tied=tied, dense=False)
    check_pictures_only(owner, network, shape)
    stages = usual_channels(*shape[-2:]) if hidden is None else tuple(hidden)
    check_stages(owner, len(stages), shape)
    if network == "residual":
        options["refine"] = partial(ResidualBlock, activation=activation, norm=norm, rng=rng)
    encoder = ConvolutionalEncoder(inner, latent_dim * heads + beside, stages, rng=rng, first=first, **options)
    return encoder, ConvolutionalDecoder(latent_dim + beside, theta_shape, stages, rng=rng, **options)


def _choose_network(shape: tuple[int | None, ...], hidden: Sequence[int] | None, *, tied: bool) -> str:
    """Return what serves these records best in equal time: convolutions wherever a picture has sides to halve."""
    if len(shape) < 3:
        return "dense"
    if None in shape:
        return "convolutional"
    return "dense" if hidden is not None or tied or not usual_channels(*shape[-2:]) else "convolutional"


def _first_layer(
    shape: tuple[int | None, ...],
    theta_shape: tuple[int | None, ...],
    fields: Sequence[FieldLike],
    rng: torch.Generator,
) -> tuple[nn.Module | None, tuple[int | None, ...]]:
    """Return what turns records into plain numbers, if anything must, and the shape after it."""
    if any(field.kind == "category" or field.atoms for field in fields):
        table = TableInput(fields, rng)
        return table, (table.width,)
    if len(theta_shape) > len(shape):
        codes = CodesInput(int(theta_shape[0] or 1), rng)
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
    outputs, code = ends  # of the encoder, and what the decoder takes
    encoder = DenseEncoder(inputs, outputs, hidden, rng=rng, first=first, **options)
    if not tied:
        return encoder, DenseDecoder(code, theta, hidden[::-1], rng=rng, **options)
    check_tied(owner, tied=True, dense=True, same=first is None and inputs == math.prod(theta) and outputs == code)
    return encoder, TiedDecoder(encoder, theta, **options)


class OwnDecoder(nn.Module):
    """A decoder of the user's own, which knows nothing of sizes and may return theta in another arrangement.

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
    beside: int,
    owner: str,
) -> tuple[nn.Module, nn.Module]:
    """Return copies of a pair of modules, after a first try on two empty records."""
    encoder, decoder = copy.deepcopy(network[0]), copy.deepcopy(network[1])
    x = _blank(shape, codes=len(theta_shape) > len(shape))
    with _trying(encoder, decoder):
        z = check_module_runs(owner, "encoder", encoder, x)
        width = check_heads(owner, z.shape[1], heads, beside)
        theta = check_module_runs(owner, "decoder", decoder, z[:, : width + beside])
    check_theta_shape(owner, theta.shape[1:], theta_shape)
    return encoder, OwnDecoder(decoder, theta_shape)


def code_shape(core: Core, shape: Sequence[int | None], heads: int = 1, beside: int = 0) -> tuple[int | None, ...]:
    """Return the shape of one code, found by encoding two empty records; None for sides that follow the record's.

    Parameters
    ----------
    core : Core
    shape : sequence of (int or None)
        Of one scaled record.
    heads, beside : int
        As in :func:`build`; they are not counted.
    """
    with _trying(core.encoder):
        first, *sides = core.encoder(_blank(shape, codes=core.likelihood.codes)).shape[1:]
    return (first - beside) // heads, *((None,) * len(sides) if None in shape else sides)


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
