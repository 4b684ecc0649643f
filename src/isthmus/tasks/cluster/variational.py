r"""Variational deep embedding: a VAE whose prior is a mixture with one Gaussian a cluster.

Jiang, Zheng, Tan, Tang and Zhou, "Variational Deep Embedding: An Unsupervised and Generative Approach to Clustering",
IJCAI 2017. A record is drawn by c ~ Categorical(w), z ~ N(m_c, s_c^2), x ~ p(x | z)::

    L(x)     = E_q(z|x)[log p(x | z) + log p(z) - log q(z | x)],   p(z) = sum_c w_c N(z; m_c, s_c^2)
    p(c | z) = w_c N(z; m_c, s_c^2) / p(z)                                          equation 16

L is their equation 9 with q(c | x) = p(c | z), which makes it largest: their section 3.2. Its expectation is taken with
one draw of z, where they take part of it in closed form. As there, the networks are trained with a plain prior first,
and the mixture begins as one that is fitted to the codes.
"""

# ruff: noqa: D102 - what each method does stands at Rule

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor

from isthmus import artifact, checks, metrics, networks, training
from isthmus.data import Data
from isthmus.feeding import Feed
from isthmus.networks.priors import normal_log_density
from isthmus.tasks.cluster.evidence import Evidence, of_bic
from isthmus.tasks.cluster.rules import Float32, Float64, Rule, fitted_mixture

if TYPE_CHECKING:
    from isthmus.tasks.cluster.clusterer import Clusterer

__all__ = ["VaDE"]

WIDTH = 10  # numbers in a code: Jiang et al., section 4.2


class VaDE(Rule):
    """Variational deep embedding.

    Parameters
    ----------
    model : VAE
        With the mixture as its prior.
    """

    needs = ("transform", "code_posterior", "losses", "to_parts")
    trains = True
    about = "variational deep embedding"

    def __init__(self, model: Any) -> None:
        self.model = model

    @staticmethod
    def default_model(data: Data, features: str, seed: int) -> Any:
        from isthmus import models

        numbers = int(np.prod([side or WIDTH for side in data.schema.shape] or [WIDTH]))
        return models.VAE(latent_dim=min(WIDTH, max(1, numbers // 2)), prior="normal", random_state=seed)

    @classmethod
    def evidence(cls, view: Float32, most: int, seed: int) -> Evidence:
        return of_bic(view, most, seed)

    @classmethod
    def learn(cls, task: Clusterer, data: Data, view: Float32, k: int, seed: int) -> tuple[Self, Float64]:
        model = copy.deepcopy(task.model_)
        checks.plain_posterior(type(task).__name__, model)
        device = next(model.module_.parameters()).device
        model.set_params(prior="mixture", components=k)
        model.module_.prior = _prior(view, k, seed).to(device)
        rule = cls(model)
        bound = rule._train(data, device, seed)
        rule.score = -bound
        return rule, rule.probabilities(task, data)

    def _train(self, data: Data, device: torch.device, seed: int) -> float:
        """Train everything on the bound; return its last value, in nats per example."""
        feed = Feed(data, self.model.preprocessor_, device)
        batches = feed.batches(np.arange(len(data)))
        plan = self.model._plan(batches, device, seed)
        progress = training.Engine(self.model.module_, self.model.players(), batches, plan).run()
        self.model.module_.eval()
        return float(progress.history[-1]["train_loss"])

    def _log_chances(self, x: Tensor) -> Tensor:
        """Return log w_c N(z; m_c, s_c^2) at the middle of each posterior: (b, k)."""
        z = self.model.encode(x).float()
        log_w, means, log_vars = self.model.module_.prior.components()
        return log_w + normal_log_density(z[:, None], means, log_vars).sum(-1)

    def probabilities(self, task: Clusterer, data: Data) -> Float64:
        return metrics.softmax(self.model._figures(data, self._log_chances))

    def parts(self, task: Clusterer) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, training.to_arrays(self.model.module_.state_dict(), "module.")

    @classmethod
    def restore(cls, task: Clusterer, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        weights = training.to_tensors(artifact.under("module.", arrays))
        k, width = weights["prior.means"].shape
        model = copy.deepcopy(task.model_)
        device = next(model.module_.parameters()).device
        model.set_params(prior="mixture", components=int(k))
        model.module_.prior = networks.MixturePrior(width, int(k), torch.Generator()).to(device)
        model.module_.load_state_dict(weights)
        return cls(model)


def _prior(codes: Float32, k: int, seed: int) -> networks.MixturePrior:
    """Return a mixture of k diagonal Gaussians, fitted to codes, as a prior."""
    found = fitted_mixture(codes, k, seed, "diag")
    prior = networks.MixturePrior(codes.shape[1], k, torch.Generator().manual_seed(0))
    with torch.no_grad():
        prior.logits.copy_(torch.from_numpy(np.log(found.weights_)))
        prior.means.copy_(torch.from_numpy(found.means_))
        prior.log_vars.copy_(torch.from_numpy(np.log(found.covariances_)))
    return prior
