r"""The ladder variational autoencoder: a hierarchy of latent variables.

Papers: Sonderby, Raiko, Maaloe, Sonderby and Winther, "Ladder Variational Autoencoders", NeurIPS 2016; posteriors as
changes of priors: Vahdat and Kautz, "NVAE", NeurIPS 2020, equation 6; the picture: :mod:`isthmus.networks.ladder`.

Objective, in nats per example (Sonderby et al., equation 5)::

    L(x) = E_q[-log p(x | z_1 ... z_L)] + beta sum_l E_q KL(q(z_l | x, z_>l) || p(z_l | z_>l))
    free bits: each level's KL counts as max(free_bits, its mean over the batch)

Differs from the paper: the posterior of a level is the output of a network that sees the path from above and the
record, where the paper multiplies two Gaussians; a path without randomness passes every level; blocks are residual,
normalised by record and not by batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from isthmus import checks, networks, ranks
from isthmus.base import Model, RetiredParameters
from isthmus.models.composition import compose, latent_dim
from isthmus.models.variational import FIXED_PRIOR, VariationalModel
from isthmus.search import Choice, Number, SearchSpace
from isthmus.training import Step

__all__ = ["LadderVAE"]

NARROWEST, WIDEST = 64, 256  # of the paths by default


@dataclass(kw_only=True, eq=False, repr=False)
class LadderVAE(VariationalModel):
    """VAE with a hierarchy of latent variables.

    Parameters
    ----------
    levels : int, optional
        Codes above each other, among which ``latent_dim`` is divided evenly; by default 3, 2 or 1, the most that it can
        be divided by.
    width : int, optional
        Numbers of the paths between levels; by default from 64 to 256, growing with ``latent_dim``.
    warm_up : float, default=0.2
        Share of the training over which ``beta`` rises from 0: upper levels need the time to be of use.
    free_bits : float, default=0
        Nats of KL of each level that are not penalised.
    **common
        ``beta`` of :class:`isthmus.models.variational.VariationalModel`, and the parameters of every model:
        :class:`isthmus.base.Model`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import LadderVAE
    >>> X = load_digits().images.astype("uint8")
    >>> model = LadderVAE(latent_dim=12, max_epochs=3, random_state=0).fit(X)
    >>> model.transform(X).shape, model.sample(4, random_state=0).shape
    ((1797, 12), (4, 8, 8))
    """

    levels: int | None = None
    width: int | None = None
    warm_up: float = 0.2
    free_bits: float = 0.0

    retired_parameters: ClassVar[RetiredParameters] = FIXED_PRIOR
    search_space: ClassVar[SearchSpace] = {
        **Model.search_space,
        "beta": Number(0.5, 2.0, log=True),
        "warm_up": Choice((0.0, 0.2, 0.5)),
        "free_bits": Choice((0.0, 0.1, 1.0)),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.integer(owner, "levels", self.levels, low=1, high=100, optional=True)
        checks.integer(owner, "width", self.width, low=1, optional=True)
        checks.number(owner, "free_bits", self.free_bits, low=0)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        numbers, levels = latent_dim(self), self.levels
        if levels is None:
            levels = next(count for count in (3, 2, 1) if numbers % count == 0)
        checks.divides(type(self).__name__, "levels", levels, "latent_dim", numbers)
        each = numbers // levels
        core = compose(
            self, rng, width=self.width or int(np.clip(8 * each, NARROWEST, WIDEST)), core=networks.LadderCore
        )
        width, *sides = core.code_shape
        core.ladder = networks.Ladder(levels, width, each, rng, maps=bool(sides))
        return core

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return E_q[-log p(x | z)] and beta times the KL terms of all levels."""
        x = step.x
        shape = self.module_.encode(x[:1]).shape[1:] if None in self.code_shape_ else self.code_shape_
        noise = torch.randn((len(x), *shape), generator=step.rng, device=x.device)
        descent = self.module_.descend(x, noise)
        levels = ranks.mean(self._by_level(descent.kl), 0)
        if self.free_bits and self.module_.training:
            levels = levels.clamp_min(self.free_bits)
        return {"reconstruction": self.module_.nll(descent.theta, x).mean(), "kl": self.kl_weight(step) * levels.sum()}

    def _by_level(self, kl: Tensor) -> Tensor:
        """Return the sum of each level: (b, *code_shape) -> (b, levels)."""
        return torch.stack([part.flatten(1).sum(1) for part in kl.chunk(len(self.module_.ladder), 1)], 1)

    def level_kl(self, X: object) -> np.ndarray:
        """Return KL(q || p) of each level, from the top, averaged over records: nats, shape (levels,)."""
        rng = torch.Generator().manual_seed(0)

        def each(x: Tensor) -> Tensor:
            noise = torch.randn(self.module_.encode(x[:1]).shape[1:], generator=rng).to(x.device)
            return self._by_level(self.module_.descend(x, noise).kl)

        found: np.ndarray = torch.cat([block.cpu() for block in self._run(X, each)]).double().mean(0).numpy()
        return found

    def sample_codes(
        self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0, labels: Tensor | None = None
    ) -> Tensor:
        """Return codes drawn from the prior, level by level: (n, *code_shape)."""
        codes: Tensor = self.module_.draw(shape, rng, temperature)
        return codes
