r"""The vector-quantised autoencoder: the code is a few indices of a codebook, and new ones are predicted one by one.

Papers: van den Oord, Vinyals and Kavukcuoglu, "Neural Discrete Representation Learning", NeurIPS 2017; residual
quantisation: Lee et al., CVPR 2022; finite scalar quantisation: Mentzer et al., ICLR 2024: see
:mod:`isthmus.networks.quantised`.

::

    x --encoder--> z_e --nearest entry e_k--> k --look up--> z_q --decoder--> theta ------>  p(x | k)
                                              |
                                              +--- prior: p(k) = prod_t p(k_t | k_1 ... k_t-1)

Objective, in nats per example (van den Oord et al., equation 3), and that of the prior beside it::

    L(x) = -log p(x | z_q) + ||sg[z_e] - e||^2 + beta ||z_e - sg[e]||^2          sg: held constant
    L(k) = -log p(k)

Together they bound the likelihood: log p(x) >= log p(x | k(x)) + log p(k(x)), because the encoder chooses one k for
sure.

Differs from the paper: the gradient of z_q reaches z_e through a rotation and not straight; entries that nothing is
near to are moved to tokens of the data; both keep the whole codebook in use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from isthmus import checks, networks
from isthmus.base import Model
from isthmus.models.composition import compose, latent_dim
from isthmus.search import Choice, Number, SearchSpace
from isthmus.training import Player, Step

__all__ = ["VQVAE"]

TOKEN_WIDTH = 4  # numbers in a token by default
FSQ_LEVELS = (8, 5, 5, 5)  # of scalar quantisation by default; Mentzer et al., table 1, for about 2^10 entries


@dataclass(kw_only=True, eq=False, repr=False)
class VQVAE(Model):
    """Vector-quantised autoencoder with a prior of its codebook indices.

    Parameters
    ----------
    quantisation : {"vector", "residual", "scalar"}, default="vector"
        A codebook of vectors; several, each for what the ones before left over; or rounding (FSQ), without codebook.
    tokens : int, optional
        Entries that a code is made of; by default one for four numbers of the code. Codes that are maps, as those of
        pictures of several sizes are, have one token a place.
    codebook_size : int, default=256
        Vectors in a codebook.
    n_quantizers : int, default=4
        Codebooks of "residual".
    fsq_levels : tuple of int, default=(8, 5, 5, 5)
        Values that "scalar" rounds each number of a token to; as many as a token has numbers.
    commitment : float, default=0.25
        beta above.
    **common
        The parameters of every model: :class:`isthmus.base.Model`. ``latent_dim`` counts the numbers before they are
        quantised, of all tokens.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import VQVAE
    >>> X = load_digits().images.astype("uint8")
    >>> model = VQVAE(latent_dim=16, codebook_size=64, max_epochs=5, random_state=0).fit(X)
    >>> model.code_indices(X).shape, model.sample(4, random_state=0).shape
    ((1797, 4, 1), (4, 8, 8))
    """

    quantisation: str = "vector"
    tokens: int | None = None
    codebook_size: int = 256
    n_quantizers: int = 4
    fsq_levels: tuple[int, ...] = FSQ_LEVELS
    commitment: float = 0.25

    renamed_parameters: ClassVar[dict[str, str]] = {
        "entries": "codebook_size",
        "levels": "n_quantizers",
        "steps": "fsq_levels",
    }
    has_prior: ClassVar[bool] = True
    bounds_likelihood: ClassVar[bool] = True
    search_space: ClassVar[SearchSpace] = {
        **Model.search_space,
        "quantisation": Choice(("vector", "residual")),
        "codebook_size": Choice((64, 256, 1024)),
        "commitment": Number(0.1, 1.0, log=True),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.choice(owner, "quantisation", self.quantisation, ("vector", "residual", "scalar"))
        checks.integer(owner, "tokens", self.tokens, low=1, optional=True)
        checks.integer(owner, "codebook_size", self.codebook_size, low=2, high=2**16)
        checks.integer(owner, "n_quantizers", self.n_quantizers, low=1, high=64)
        checks.widths(owner, "fsq_levels", self.fsq_levels)
        for count in self.fsq_levels:
            checks.integer(owner, "each of fsq_levels", count, low=2, high=256)
        checks.number(owner, "commitment", self.commitment, low=0)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        core = compose(self, rng, width=self._width_asked_for(), core=networks.QuantisedCore)
        core.width, tokens = self._width_and_tokens(*core.code_shape)
        if self.quantisation == "scalar":
            core.quantiser = networks.ScalarQuantiser(self.fsq_levels)
        else:
            depth = self.n_quantizers if self.quantisation == "residual" else 1
            core.quantiser = networks.VectorQuantiser(self.codebook_size, core.width, depth, rng)
        if tokens is None:
            core.prior = None
        else:
            core.prior = networks.TokenPrior(core.quantiser.codebook_size, tokens * core.quantiser.n_quantizers, rng)
        return core

    def _width_asked_for(self) -> int:
        """Return the width of the code to build; by default a multiple of the width of FSQ tokens."""
        if self.quantisation != "scalar" or self.latent_dim is not None:
            return latent_dim(self)
        width = len(self.fsq_levels)
        if None in self.preprocessor_.shape_:
            return width
        return width * (self.tokens or max(1, latent_dim(self) // width))

    def _width_and_tokens(self, numbers: int, *sides: int | None) -> tuple[int, int | None]:
        """Return numbers in a token, and tokens in a code: None where that follows the record's size."""
        owner, scalar = type(self).__name__, self.quantisation == "scalar"
        if sides:  # one token a place of the map
            if scalar:
                checks.same_number(owner, "len(fsq_levels)", len(self.fsq_levels), "the channels of the code", numbers)
            places = None if None in sides else math.prod(side or 1 for side in sides)
            if self.tokens is not None:
                checks.same_number(owner, "tokens", self.tokens, "the places of the code's map", places)
            return numbers, places
        if scalar:
            checks.divides(owner, "len(fsq_levels)", len(self.fsq_levels), "latent_dim", numbers)
            if self.tokens is not None:
                checks.same_number(
                    owner, "tokens * len(fsq_levels)", self.tokens * len(self.fsq_levels), "latent_dim", numbers
                )
            return len(self.fsq_levels), numbers // len(self.fsq_levels)
        if self.tokens is not None:
            checks.divides(owner, "tokens", self.tokens, "latent_dim", numbers)
            return numbers // self.tokens, self.tokens
        tokens = max(1, numbers // TOKEN_WIDTH)  # as many as there can be
        while numbers % tokens:
            tokens -= 1
        return numbers // tokens, tokens

    def players(self) -> list[Player]:  # noqa: D102
        core = self.module_
        own = (core.encoder, core.decoder, core.likelihood, core.quantiser)
        players = [Player("model", own, self.losses, metrics=self._metrics)]
        return players if core.prior is None else [*players, Player("prior", (core.prior,), self.prior_losses)]

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return -log p(x | z_q), and the codebook and commitment losses."""
        core = self.module_
        z = core.encoder(step.x).float()
        tokens = core.tokens_of(z)
        if core.training:
            core.quantiser.revive(tokens.detach(), step.rng)
        q, _, price = core.quantiser(tokens, self.commitment)
        theta = self.decode(core.joined(q, tuple(z.shape[2:])), step.size)
        return {"reconstruction": core.nll(theta, step.x).mean(), "quantisation": price.mean()}

    def prior_losses(self, step: Step) -> dict[str, Tensor]:
        """Return -log p(k) of the records' codes."""
        core = self.module_
        with torch.no_grad():
            indices = core.indices(step.x).flatten(1)
        return {"code": -core.prior.log_prob(indices).mean()}

    def _metrics(self) -> dict[str, float]:
        return self.module_.quantiser.use()

    # ------------------------------------------------------------------ use

    def code_indices(self, X: Any) -> Any:
        """Return the codebook indices that stand for records.

        Parameters
        ----------
        X : as in :meth:`fit`

        Returns
        -------
        ndarray of int64, shape (n, tokens, n_quantizers)
            From 0. Pictures of several sizes give a list of arrays (tokens, n_quantizers).
        """
        blocks = [block.cpu().numpy() for block in self._run(X, self.module_.indices)]
        return (
            [indices for block in blocks for indices in block] if None in self.code_shape_ else np.concatenate(blocks)
        )

    def look_up(self, indices: Any) -> Any:
        """Return the codes that codebook indices stand for, as :meth:`transform` does.

        Parameters
        ----------
        indices : array of int, shape (n, tokens, n_quantizers), or list of (int, int, array) of several sizes
            As :meth:`code_indices` returns them; of pictures of several sizes behind the height and width of the map.
        """
        self._is_fitted()
        core = self.module_
        device = core.log_factor.device

        def codes(rows: Any, sides: tuple[int, ...]) -> Tensor:
            found = torch.as_tensor(np.asarray(rows, np.int64), device=device)
            joined: Tensor = core.joined(core.quantiser.look_up(found), sides)
            return joined

        with torch.inference_mode():
            if None in self.code_shape_:
                return [codes(rows[None], (height, width))[0].cpu().numpy() for height, width, rows in indices]
            return self._flat(codes(indices, tuple(side or 1 for side in self.code_shape_[1:])))

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Return log p(x | k) + log p(k) of scaled records at their own code, a bound on log p(x): (b, ...) -> (b,)."""
        core = self.module_
        conditional = super().log_likelihood(x)
        indices = core.indices(x).flatten(1)
        if core.prior is None:  # every code is as likely as every other
            return conditional - indices.shape[1] * float(np.log(core.quantiser.codebook_size))
        return conditional + core.prior.log_prob(indices)

    def sample_codes(
        self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0, labels: Tensor | None = None
    ) -> Tensor:
        """Return codes of tokens drawn one after the other from the prior; evenly where codes are maps."""
        core = self.module_
        depth, codebook_size = core.quantiser.n_quantizers, core.quantiser.codebook_size
        if core.prior is None:
            indices = torch.randint(codebook_size, (shape[0], math.prod(shape[2:]), depth), generator=rng)
            indices = indices.to(core.log_factor.device)
        else:
            indices = core.prior.sample(shape[0], rng, temperature).view(shape[0], -1, depth)
        codes: Tensor = core.joined(core.quantiser.look_up(indices), shape[2:])
        return codes
