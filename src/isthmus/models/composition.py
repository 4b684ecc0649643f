"""Composition of encoder, decoder and likelihood for a model's data."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from isthmus import checks, networks
from isthmus.base import Model
from isthmus.likelihood_choice import facts_of

__all__ = ["DEFAULT_LATENT_DIM", "compose", "latent_dim"]

DEFAULT_LATENT_DIM = 32
OF_TEXTS = 128  # latent dimensions: a sentence says more than a picture's row, and each of its words counts


def latent_dim(model: Model) -> int:
    """Return the width asked of a network: the one given, or 32, or half of the numbers in a record if that is less.

    Of texts it is 128, or as many as there are bytes in the longest if that is less.
    """
    if model.latent_dim is not None:
        return int(model.latent_dim)
    if model.preprocessor_.summary_.sequences and not model.needs_factorised:
        return max(1, min(OF_TEXTS, int(model.preprocessor_.shape_[0] or 1)))
    numbers = int(np.prod([side or 32 for side in model.preprocessor_.shape_]))
    return max(1, min(DEFAULT_LATENT_DIM, numbers // 2))


def compose(
    model: Model,
    rng: torch.Generator,
    *,
    tied: bool = False,
    heads: int = 1,
    extra_dims: int = 0,
    width: int | None = None,
    network: Any = None,
    hidden: tuple[int, ...] | None = None,
    core: type[networks.Core] = networks.Core,
) -> Any:
    """Return encoder and decoder for a model's data, with the likelihood chosen for them.

    Parameters
    ----------
    model : Model
        With ``preprocessor_`` fitted and scaled.
    rng : torch.Generator
        Of the initial weights.
    tied : bool, default=False
        Whether the decoder uses the encoder's matrices, transposed.
    heads : int, default=1
        Numbers that the encoder gives for each number of the code.
    extra_dims : int, default=0
        Numbers that the decoder and the last layer of the encoder have beside the code: classes.
    width : int, optional
        Of the code, where it is not :func:`latent_dim`.
    network, hidden : optional
        As in :class:`isthmus.base.Model`, where they are not the model's.
    core : type, default=networks.Core
        What holds the parts.

    Returns
    -------
    networks.Core
        Of the type ``core``. Its ``code_shape`` is found by a trial: networks of the user's own need not keep to
        ``width``.
    """
    pre, owner = model.preprocessor_, type(model).__name__
    for kind in model.augment:
        checks.choice(owner, "each of augment", kind, networks.AUGMENTATIONS)
    if set(model.augment) - {"binarise"}:
        checks.needs_pictures(owner, "augment", model.schema_.kind)
    likelihood = model.chosen_likelihood(pre.scaling_).likelihood.prepare(facts_of(pre))
    if "binarise" in model.augment:
        checks.choice(owner, "likelihood (with augment='binarise')", likelihood.name, ("bernoulli",))
    width = latent_dim(model) if width is None else width
    encoder, decoder = networks.build(
        model.network if network is None else network,
        pre.shape_,
        likelihood.theta_shape(pre.shape_),
        width,
        model.hidden if hidden is None else hidden,
        activation=model.activation,
        norm=model.norm,
        dropout=model.dropout,
        tied=tied,
        fields=pre.scaled_fields() if likelihood.name == "table" else (),
        rng=rng,
        heads=heads,
        extra_dims=extra_dims,
        symbols=pre.classes_,
        preferred=likelihood.network,
        owner=owner,
    )
    made = core(encoder, decoder, likelihood, pre.shift_, pre.factor_)
    made.augmentation = networks.Augmentation(model.augment)
    columns, edges, logs = pre.log_slopes()
    if columns:
        made.slopes = networks.Slopes(columns, edges, logs, int(pre.shape_[0] or 0))
    made.code_shape = networks.code_shape(made, pre.shape_, heads, extra_dims)
    return made
