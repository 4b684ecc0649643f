r"""The vector-quantised autoencoder: the code is a few whole numbers, and new ones are predicted one by one.

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
near to are moved to tokens of the data; both keep the whole book in use.
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
from isthmus.training import Player, Step, distributed

__all__ = ["VQVAE"]

TOKEN_WIDTH = 4  # numbers in a token, where nobody says
STEPS = (8, 5, 5, 5)  # of scalar quantisation; Mentzer et al., table 1, for about 2^10 entries


@dataclass(kw_only=True, eq=False, repr=False)
class VQVAE(Model):
    """Learn a code of whole numbers, and how probable each is.

    Parameters
    ----------
    quantisation : {"vector", "residual", "scalar"}, default="vector"
        A book of vectors; several books in a row, each for what the ones before left over; or rounding, without a book.
    tokens : int, optional
        Entries that a code is made of; by default one for four numbers of the code. Codes that are maps, as those of
        pictures of several sizes are, have one token a place.
    entries : int, default=256
        Vectors in a book.
    levels : int, default=4
        Books of "residual".
    steps : tuple of int, default=(8, 5, 5, 5)
        Levels that each number of a token is rounded to by "scalar"; as many as a token has numbers.
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
    >>> model = VQVAE(latent_dim=16, entries=64, max_epochs=5, random_state=0).fit(X)
    >>> model.code_numbers(X).shape, model.sample(4, random_state=0).shape
    ((1797, 4, 1), (4, 8, 8))
    """

    quantisation: str = "vector"
    tokens: int | None = None
    entries: int = 256
    levels: int = 4
    steps: tuple[int, ...] = STEPS
    commitment: float = 0.25

    has_prior: ClassVar[bool] = True
    bounds_likelihood: ClassVar[bool] = True
    search_space: ClassVar[SearchSpace] = {
        **Model.search_space,
        "quantisation": Choice(("vector", "residual")),
        "entries": Choice((64, 256, 1024)),
        "commitment": Number(0.1, 1.0, log=True),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.choice(owner, "quantisation", self.quantisation, ("vector", "residual", "scalar"))
        checks.integer(owner, "tokens", self.tokens, low=1, optional=True)
        checks.integer(owner, "entries", self.entries, low=2, high=2**16)
        checks.integer(owner, "levels", self.levels, low=1, high=64)
        checks.widths(owner, "steps", self.steps)
        for count in self.steps:
            checks.integer(owner, "each of steps", count, low=2, high=256)
        checks.number(owner, "commitment", self.commitment, low=0)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        core = compose(self, rng, width=self._wanted(), core=networks.QuantisedCore)
        core.width, tokens = self._width_and_tokens(*core.code_shape)
        if self.quantisation == "scalar":
            core.quantiser = networks.ScalarQuantiser(self.steps)
        else:
            levels = self.levels if self.quantisation == "residual" else 1
            core.quantiser = networks.VectorQuantiser(self.entries, core.width, levels, rng)
        if tokens is None:
            core.prior = None
        else:
            core.prior = networks.TokenPrior(core.quantiser.entries, tokens * core.quantiser.levels, rng)
        return core

    def _wanted(self) -> int:
        """Return the width to ask of a network: a usual one is made to fit tokens of scalar quantisation."""
        if self.quantisation != "scalar" or self.latent_dim is not None:
            return latent_dim(self)
        width = len(self.steps)
        if None in self.preprocessor_.shape_:
            return width
        return width * (self.tokens or max(1, latent_dim(self) // width))

    def _width_and_tokens(self, numbers: int, *sides: int | None) -> tuple[int, int | None]:
        """Return numbers in a token, and tokens in a code: None where that follows the record's size."""
        owner, scalar = type(self).__name__, self.quantisation == "scalar"
        if sides:  # one token a place of the map
            if scalar:
                checks.same_number(owner, "len(steps)", len(self.steps), "the channels of the code", numbers)
            places = None if None in sides else math.prod(side or 1 for side in sides)
            if self.tokens is not None:
                checks.same_number(owner, "tokens", self.tokens, "the places of the code's map", places)
            return numbers, places
        if scalar:
            checks.divides(owner, "len(steps)", len(self.steps), "latent_dim", numbers)
            if self.tokens is not None:
                checks.same_number(owner, "tokens * len(steps)", self.tokens * len(self.steps), "latent_dim", numbers)
            return len(self.steps), numbers // len(self.steps)
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
        players = [Player("model", own, self.losses, after=self._agree, measures=self._measures)]
        return players if core.prior is None else [*players, Player("prior", (core.prior,), self.prior_losses)]

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return -log p(x | z_q), and the price of the distance between tokens and entries."""
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
            numbers = core.numbers(step.x).flatten(1)
        return {"code": -core.prior.log_prob(numbers).mean()}

    def _agree(self) -> None:
        """Let processes that train together have one book: each has moved dead entries to tokens of its own."""
        for tensor in (*self.module_.quantiser.parameters(), *self.module_.quantiser.buffers()):
            distributed.same(tensor)

    def _measures(self) -> dict[str, float]:
        return self.module_.quantiser.use()

    # ------------------------------------------------------------------ use

    def code_numbers(self, X: Any) -> Any:
        """Return the whole numbers that stand for records.

        Parameters
        ----------
        X : as in :meth:`fit`

        Returns
        -------
        ndarray of int64, shape (n, tokens, levels)
            Below the number of entries. Pictures of several sizes give a list of arrays (tokens, levels).
        """
        blocks = [block.cpu().numpy() for block in self._run(X, self.module_.numbers)]
        return (
            [numbers for block in blocks for numbers in block] if None in self.code_shape_ else np.concatenate(blocks)
        )

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Return log p(x | k) + log p(k) of scaled records at their own code, a bound on log p(x): (b, ...) -> (b,)."""
        core = self.module_
        conditional = super().log_likelihood(x)
        numbers = core.numbers(x).flatten(1)
        if core.prior is None:  # every code is as likely as every other
            return conditional - numbers.shape[1] * float(np.log(core.quantiser.entries))
        return conditional + core.prior.log_prob(numbers)

    def sample_codes(
        self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0, labels: Tensor | None = None
    ) -> Tensor:
        """Return codes of tokens drawn one after the other from the prior; evenly where codes are maps."""
        core = self.module_
        levels, entries = core.quantiser.levels, core.quantiser.entries
        if core.prior is None:
            numbers = torch.randint(entries, (shape[0], math.prod(shape[2:]), levels), generator=rng)
            numbers = numbers.to(core.log_factor.device)
        else:
            numbers = core.prior.sample(shape[0], rng, temperature).view(shape[0], -1, levels)
        codes: Tensor = core.joined(core.quantiser.look_up(numbers), shape[2:])
        return codes
