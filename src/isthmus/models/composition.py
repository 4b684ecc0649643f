"""Encoder, decoder and likelihood for a model's data: what every model with a code is made of."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from isthmus import checks, networks
from isthmus.base import Model

__all__ = ["USUAL_LATENT_DIM", "augmented", "compose", "latent_dim"]

USUAL_LATENT_DIM = 32


def latent_dim(model: Model) -> int:
    """Return the code's width: the one asked for, or 32, or half of the numbers in a record where that is less."""
    if model.latent_dim is not None:
        return int(model.latent_dim)
    numbers = int(np.prod([side or 32 for side in model.preprocessor_.shape_]))
    return max(1, min(USUAL_LATENT_DIM, numbers // 2))


def compose(model: Model, rng: torch.Generator, *, tied: bool = False) -> networks.Core:
    """Choose the likelihood, rescale the preprocessor to its support, and build the networks between.

    Parameters
    ----------
    model : Model
        With ``preprocessor_`` fitted; its ``likelihood_reason_`` is set.
    rng : torch.Generator
        Of the initial weights.
    tied : bool, default=False
        Whether the decoder uses the encoder's matrices, transposed.

    Returns
    -------
    networks.Core
    """
    pre = model.preprocessor_
    for kind in model.augment:
        checks.choice(type(model).__name__, "each of augment", kind, networks.AUGMENTATIONS)
    if model.augment:
        checks.needs_pictures(type(model).__name__, "augment", model.schema_.kind)
    likelihood, model.likelihood_reason_ = networks.make_likelihood(model.likelihood, pre, model.scaling)
    width = latent_dim(model)
    encoder, decoder = networks.build(
        model.network,
        pre.shape_,
        likelihood.theta_shape(pre.shape_),
        width,
        model.hidden,
        activation=model.activation,
        norm=model.norm,
        dropout=model.dropout,
        tied=tied,
        fields=pre.fields_,
        rng=rng,
    )
    return networks.Core(encoder, decoder, likelihood, pre.shift_, pre.factor_)


def augmented(model: Model, x: Tensor, rng: torch.Generator) -> Tensor:
    """Return scaled records, changed harmlessly if the model asks for it and is training."""
    if model.augment and model.module_.training:
        return networks.augment(x, model.augment, rng)
    return x
