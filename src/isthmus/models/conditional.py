r"""The conditional variational autoencoder: draws records of a given class.

Papers: Kingma, Rezende, Mohamed and Welling, "Semi-supervised Learning with Deep Generative Models", NeurIPS 2014
(model M2), equations 6 and 9; Sohn, Lee and Yan, "Learning Structured Output Representation using Deep Conditional
Generative Models", NeurIPS 2015.

::

         encoder
    x -----------+--> mean, log s^2 ---> z ----+   decoder
                 |                             +----------> theta ------>  p(x | y, z)
                 +--> q(y | x)    y (class) ---+

Objective, in nats per example (equation 6, and the classifier of equation 9)::

    L(x, y) = E_q(z|x)[-log p(x | y, z)] + beta KL(q(z | x) || p(z)) - alpha log q(y | x)

and of a record without a label, over all classes that it may have (equation 7)::

    U(x) = sum_y q(y | x) E_q(z|x)[-log p(x | y, z)] + beta KL(q(z | x) || p(z)) + KL(q(y | x) || p(y))

Differs from the paper: q(z | x) does not see y, so that records without a label can be encoded. The
code is (z, q(y | x)): what the class does not say, and the class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus import checks, networks, ranks
from isthmus.base import RetiredParameters
from isthmus.models.composition import compose
from isthmus.models.variational import PriorModel
from isthmus.search import Number, SearchSpace
from isthmus.training import Step

__all__ = ["ConditionalVAE"]


@dataclass(kw_only=True, eq=False, repr=False)
class ConditionalVAE(PriorModel):
    """VAE with labels: draws records of a given class, and classifies records.

    Parameters
    ----------
    alpha : float, default=1
        Weight of -log q(y | x), above, averaged over the records that have a label.
    **common
        ``beta``, ``warm_up``, ``free_bits``, ``prior`` and ``components`` of
        :class:`isthmus.models.variational.PriorModel`, and the parameters of every model: :class:`isthmus.base.Model`.
        ``latent_dim`` counts the numbers beside the class.

    Attributes
    ----------
    classes_ : ndarray
        The labels, sorted. The last ``len(classes_)`` numbers of a code are their chances.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import ConditionalVAE
    >>> digits = load_digits()
    >>> X = digits.images.astype("uint8")
    >>> model = ConditionalVAE(latent_dim=8, max_epochs=5, random_state=0).fit(X, digits.target)
    >>> model.sample(4, y=7, random_state=0).shape
    (4, 8, 8)
    """

    alpha: float = 1.0

    search_space: ClassVar[SearchSpace] = {
        **PriorModel.search_space,
        "alpha": Number(0.1, 100.0, log=True),
    }
    learns_classes: ClassVar[bool] = True
    takes_unlabelled: ClassVar[bool] = True
    retired_parameters: ClassVar[RetiredParameters] = {"posterior": ("gaussian",), "k": (1,)}

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        checks.number(type(self).__name__, "alpha", self.alpha, low=0)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        core = compose(self, rng, heads=2, extra_dims=len(self.classes_), core=networks.ConditionalCore)
        core.with_classes(torch.as_tensor(self.class_counts_))
        core.prior = self.build_prior(core, rng)
        return core

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return E_q[-log p(x | y, z)], beta KL(q(z | x) || p(z)) and -alpha log q(y | x).

        Where labels are -1 the first is averaged over q(y | x), and the last is KL(q(y | x) || p(y)).
        """
        labels = step.labels
        q, logits = self.module_.posterior_and_logits(step.x)
        z, log_q = q.draw(step.rng)
        nll, kl_of_classes = self._nll_and_kl(step, z, logits)
        of_labelled = F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
        return {
            "reconstruction": nll.mean(),
            "kl": self.kl_weight(step) * self.kl(q, z, log_q),
            "class": self.alpha * ranks.average(of_labelled, (labels >= 0).sum()) + kl_of_classes.mean(),
        }

    def _nll_and_kl(self, step: Step, z: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return -log p(x | y, z), and of records without a label its mean over y and KL(q(y | x) || p(y)): (b,)."""
        x, labels, size = step.x, step.labels, step.size
        known = labels >= 0
        if ranks.every(known.all()):  # as mostly: nothing has to be taken apart and copied
            return self._nll(x, z, labels, size), torch.zeros(len(x), device=x.device)
        nll, kl = torch.empty(len(x), device=x.device), torch.zeros(len(x), device=x.device)
        if ranks.some(known.any()):
            with ranks.standing_in(known) as rows:
                found = self._nll(x[rows], z[rows], labels[rows].clamp_min(0), size)
            nll[known] = found[: len(nll[known])]
        with ranks.standing_in(~known) as rows:
            found, kl_of_classes = self._over_classes(x[rows], z[rows], logits[rows], size)
        count = len(nll[~known])
        nll[~known], kl[~known] = found[:count], kl_of_classes[:count]
        return nll, kl

    def _nll(self, x: Tensor, z: Tensor, labels: Tensor, size: tuple[int, ...]) -> Tensor:
        """Return -log p(x | y, z) of each record, (b,)."""
        nll: Tensor = self.module_.nll(self.decode(self.module_.code(z, labels), size), x)
        return nll

    def _over_classes(self, x: Tensor, z: Tensor, logits: Tensor, size: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Return sum_y q(y | x) -log p(x | y, z) and KL(q(y | x) || p(y)) of each record, (b,) each."""
        log_q, classes = logits.log_softmax(1), self.module_.classes
        every = torch.arange(classes, device=x.device).repeat_interleave(len(x))
        again = (classes, *(1 for _ in x.shape[1:]))
        codes = z.repeat(classes, *(1 for _ in z.shape[1:]))
        nll = self._nll(x.repeat(again), codes, every, size).view(classes, -1).T
        q = log_q.exp()
        return (q * nll).sum(1), (q * (log_q - self.module_.log_prior)).sum(1)

    def class_logits(self, X: Any) -> np.ndarray:
        """Return log q(y | x) of records, but for a constant of each: float32, (n, classes)."""
        return self._figures(X, lambda x: self.module_.posterior_and_logits(x)[1].float())

    def bound(self, x: Tensor, k: int, seed: int = 0) -> Tensor:
        """Return a bound on log p(x): log p(y) and the bound on log p(x | y) for the class y likeliest given x."""
        labels = self.module_.posterior_and_logits(x)[1].argmax(1)
        bound: Tensor = self.module_.importance_bound(x, k, torch.Generator().manual_seed(seed), labels)
        return bound + self.module_.log_prior[labels]

    def sample_codes(
        self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0, labels: Tensor | None = None
    ) -> Tensor:
        """Return codes with z from the prior and classes as asked, or as frequent as among the records fitted on."""
        n, classes = shape[0], self.module_.classes
        if labels is None:
            chances = self.module_.log_prior.exp().cpu()
            labels = torch.multinomial(chances, n, replacement=True, generator=rng)
        z = self.module_.prior.sample((n, shape[1] - classes, *shape[2:]), rng, temperature)
        return self.module_.code(z, labels.to(z.device))
