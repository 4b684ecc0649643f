"""Error messages about likelihoods and networks: data outside a support, networks that cannot be built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.checks import parameters
from isthmus.errors import DataError, ParameterError, ShapeError

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "check_factorised",
    "check_heads",
    "check_likelihood_kind",
    "check_likelihood_scaling",
    "check_module_runs",
    "check_network",
    "check_one_hot_support",
    "check_one_size",
    "check_pictures_only",
    "check_scale",
    "check_stages",
    "check_symbols_only",
    "check_theta_shape",
    "check_tied",
    "check_unit_support",
    "check_whole_support",
]

LONGEST = 512  # sides of pictures of several sizes, as far as the depth of networks for them goes


def check_scale(owner: str, scale: Any) -> None:
    """Refuse a scale that is neither learned nor a positive number."""
    if isinstance(scale, str):
        parameters.choice(owner, "scale", scale, ("learned",))
    else:
        parameters.number(owner, "scale", scale, low=0, above=True)


def _number(value: float) -> str:
    return f"{value:.6g}"


def _first(bad: np.ndarray, names: Sequence[str], low: np.ndarray, high: np.ndarray) -> str:
    """Name the first column or channel that is bad, and its range."""
    index = int(np.flatnonzero(bad)[0])
    return f"{names[index]} has values in [{_number(low[index])}, {_number(high[index])}]"


def check_likelihood_kind(owner: str, likelihood: str, kind: str, allowed: Sequence[str], instead: str) -> None:
    """Refuse a likelihood that is not made for this kind of data."""
    if kind not in allowed:
        kinds = " or ".join(allowed)
        raise ParameterError(
            f"{owner}: likelihood={likelihood!r} is for data of kind {kinds}, and these data are of kind {kind}; "
            f"use likelihood={instead!r} or 'auto'."
        )


def check_factorised(owner: str, likelihood: str, *, is_factorised: bool) -> None:
    """Refuse a likelihood that writes a record symbol by symbol where all of it is needed at once."""
    if not is_factorised:
        raise ParameterError(
            f"{owner}: likelihood={likelihood!r} is for the networks of texts, and writes one symbol after the other, "
            f"which this model or network cannot use; use likelihood='categorical' or 'auto'."
        )


def check_likelihood_scaling(owner: str, likelihood: str, scaling: str, *, fits: bool, needs: str, usual: str) -> None:
    """Refuse a scaling that brings the data out of a likelihood's support, and name what it needs and the default."""
    if not fits:
        raise ParameterError(
            f"{owner}: likelihood={likelihood!r} needs {needs}, which scaling={scaling!r} does not give; "
            f"use scaling={usual!r} or 'auto'."
        )


def check_unit_support(
    owner: str, likelihood: str, low: np.ndarray, high: np.ndarray, names: Sequence[str], *, whole: bool
) -> None:
    """Refuse values outside [0, 1]; whole numbers from 0 upwards are fine, since they are scaled to [0, 1]."""
    bad = (low < 0) if whole else (low < 0) | (high > 1)
    if bad.any():
        raise DataError(
            f"{owner}: likelihood={likelihood!r} needs values in [0, 1] (or whole numbers from 0 upwards), but "
            f"{_first(bad, names, low, high)}; scale the data to [0, 1] or use likelihood='gaussian'."
        )


def check_whole_support(
    owner: str,
    likelihood: str,
    low: np.ndarray,
    high: np.ndarray,
    names: Sequence[str],
    *,
    integers: bool,
    most: int,
) -> None:
    """Refuse fractions, and whole numbers with more than ``most`` steps between the lowest and the highest."""
    if not integers:
        bad = (low != np.round(low)) | (high != np.round(high))
        bad = bad if bad.any() else np.ones_like(bad)
        raise DataError(
            f"{owner}: likelihood={likelihood!r} needs whole numbers, but there are fractions in the data, and "
            f"{_first(bad, names, low, high)}; round the data or use likelihood='gaussian'."
        )
    bad = high - low > most
    if bad.any():
        raise DataError(
            f"{owner}: likelihood={likelihood!r} counts at most {most} steps between the lowest and the highest value, "
            f"but {_first(bad, names, low, high)}; use likelihood='gaussian'."
        )


def check_one_hot_support(
    owner: str, likelihood: str, low: np.ndarray, high: np.ndarray, names: Sequence[str], *, one_hot: bool
) -> None:
    """Refuse rows that do not hold exactly one 1 among zeros."""
    if one_hot:
        return
    bad = (low < 0) | (high > 1)
    found = _first(bad, names, low, high) if bad.any() else "some rows do not have that"
    raise DataError(
        f"{owner}: likelihood={likelihood!r} needs rows with exactly one 1 and zeros elsewhere, but {found}; "
        f"use likelihood='auto', or give the categories as a column of a table."
    )


def check_pictures_only(owner: str, network: str, shape: Sequence[int | None]) -> None:
    """Refuse a convolutional network for records that are not pictures."""
    if len(shape) != 3:
        raise ParameterError(
            f"{owner}: network={network!r} is for images, and one encoded record here has shape {tuple(shape)}; "
            f"use network='dense' or 'auto'."
        )


def check_symbols_only(owner: str, network: str, symbols: int) -> None:
    """Refuse a network for sequences where records are no sequences of symbols."""
    if not symbols:
        raise ParameterError(f"{owner}: network={network!r} is for texts; use network='auto'.")


def check_stages(owner: str, stages: int, shape: Sequence[int | None]) -> None:
    """Refuse more stages than there is anything to halve: pictures are padded to a multiple of 2 ** stages."""
    sides = [side for side in shape[-2:] if side is not None]
    longest = max(sides) if len(sides) == 2 else LONGEST
    most = math.ceil(math.log2(max(8, longest))) + 1
    if stages > most:
        what = f"pictures of {sides[0]} x {sides[1]}" if len(sides) == 2 else "pictures of several sizes"
        raise ParameterError(
            f"{owner}: hidden must have at most {most} stages for {what}, since each halves the sides; it has {stages}."
        )


def check_one_size(owner: str, network: str, shape: Sequence[int | None]) -> None:
    """Refuse a dense network for pictures of several sizes."""
    if any(side is None for side in shape):
        raise ParameterError(
            f"{owner}: network={network!r} needs images of one size, and these have several; "
            f"use network='convolutional', or crop or pad them to one size when opening the data."
        )


def check_tied(owner: str, *, tied: bool, dense: bool, same: bool = True) -> None:
    """Refuse tied weights where the decoder is no mirror of the encoder."""
    if tied and not dense:
        raise ParameterError(f"{owner}: tied=True needs network='dense'; use it, or leave tied=False.")
    if tied and not same:
        raise ParameterError(
            f"{owner}: tied=True needs a decoder whose output is as wide as the encoder's input, which texts and "
            f"category columns do not have; leave tied=False."
        )


def check_network(owner: str, network: Any, allowed: Sequence[str]) -> None:
    """Refuse what is neither a known name nor a pair of torch modules."""
    if isinstance(network, str):
        parameters.choice(owner, "network", network, allowed)
        return
    from torch import nn

    pair = isinstance(network, tuple | list) and len(network) == 2
    if not pair or not all(isinstance(part, nn.Module) for part in network):
        names = ", ".join(repr(name) for name in allowed)
        raise ParameterError(
            f"{owner}: network must be one of {names} or a pair (encoder, decoder) of torch.nn.Module; "
            f"it is {network!r}."
        )


def check_module_runs(owner: str, role: str, module: nn.Module, x: Tensor) -> Tensor:
    """Return the output of the user's module for a batch; refuse one that fails, or returns anything but a batch."""
    try:
        result = module(x)
    except (RuntimeError, ValueError, IndexError, TypeError) as reason:
        raise ShapeError(
            f"{owner}: the {role} given in network fails on a batch of shape {tuple(x.shape)}: {reason}"
        ) from reason
    shape = getattr(result, "shape", None)
    if shape is None or len(shape) < 2 or shape[0] != x.shape[0]:
        received = f"shape {tuple(shape)}" if shape is not None else f"a {type(result).__name__}"
        raise ShapeError(
            f"{owner}: the {role} given in network must return one tensor with a row for each record; for a batch of "
            f"shape {tuple(x.shape)} it returned {received}."
        )
    return result


def check_heads(owner: str, received: int, heads: int, extra_dims: int) -> int:
    """Return the width of a code from what an encoder of the user's gives; refuse what cannot be cut into heads."""
    width, rest = divmod(received - extra_dims, heads)
    if rest or width < 1:
        parts = f"{heads} for each number of the code" + (f", and {extra_dims} for the classes" if extra_dims else "")
        raise ShapeError(
            f"{owner}: the encoder given in network returns {received} numbers for one record, and needs {parts}; "
            f"end it in a layer of {heads * max(1, width) + extra_dims}."
        )
    return width


def check_theta_shape(owner: str, received: Sequence[int], theta_shape: Sequence[int | None]) -> None:
    """Refuse a decoder of the user's whose output the likelihood cannot read."""
    if None in theta_shape:
        fits = len(received) == len(theta_shape) and all(
            wanted is None or side == wanted for side, wanted in zip(received, theta_shape, strict=True)
        )
    else:
        fits = int(np.prod(received)) == int(np.prod([side for side in theta_shape if side is not None]))
    if not fits:
        raise ShapeError(
            f"{owner}: the decoder given in network returns shape {tuple(received)} for one record, and the likelihood "
            f"needs {tuple(theta_shape)}; end the decoder in a layer of that size."
        )
