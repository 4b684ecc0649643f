r"""Variational deep embedding: a VAE whose prior is a mixture with one Gaussian a cluster.

Jiang, Zheng, Tan, Tang and Zhou, "Variational Deep Embedding: An Unsupervised and Generative Approach to Clustering",
IJCAI 2017. A record is drawn by c ~ Categorical(w), z ~ N(m_c, s_c^2), x ~ p(x | z)::

    L(x)     = E_q(z|x)[log p(x | z) + log p(z) - log q(z | x)],   p(z) = sum_c w_c N(z; m_c, s_c^2)
    p(c | z) = w_c N(z; m_c, s_c^2) / p(z)                                          equation 16

L is their equation 9 with q(c | x) = p(c | z), which makes it largest: their section 3.2. Its expectation is taken with
one draw of z, where they take part of it in closed form. As there, the networks are trained with a plain prior first,
and the mixture begins as one that is fitted to the codes.

Differs from the paper: the first training has a KL term, which comes in slowly, so that codes say something of records.
Codes are distributions, so the mixture begins with the variance of their means in each cluster and their own mean
variance together, as the posteriors add up (Tomczak and Welling, "VAE with a VampPrior", AISTATS 2018, equation 8).
Without the latter a code costs so much at first that all records give theirs up, and end in one cluster. What training
made of it is kept where it bounds log p(x) more closely and clusters still tell records apart.
"""

# ruff: noqa: D102 - what each method does stands at Method

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from isthmus import checks, documents, metrics, networks, training
from isthmus.capabilities import Encodes, HasPosterior, Trainable
from isthmus.data import Data
from isthmus.fitting import Fit
from isthmus.networks.priors import normal_log_density
from isthmus.tasks.cluster.evidence import Evidence, of_bic
from isthmus.tasks.cluster.graph import Float32, Float64
from isthmus.tasks.cluster.methods import Method
from isthmus.tasks.cluster.mixture import fitted_mixture
from isthmus.tasks.coder import Coder
from isthmus.training import distributed

__all__ = ["VaDE", "nats_told"]

WIDTH = 10  # numbers in a code: Jiang et al., section 4.2
WARM_UP = 0.5  # share of the first training over which the KL term comes in by default
STARTS = 10  # of the mixture, the likeliest of which is kept
DRAWS = 8  # of each code, that the bound on log p(x) is found with
TOLD = 0.75  # of the nats that clusters told of a record at the start: with less, some of them have died


class VaDE(Method):
    """Variational deep embedding.

    Parameters
    ----------
    model : VAE
        With the mixture as its prior.
    """

    needs = (Encodes, HasPosterior, Trainable, documents.Stateful)
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
    def fit_model(cls, model: Any, data: Data, owner: str) -> Any:
        if getattr(model, "warm_up", None) == 0 and getattr(model, "k", 1) == 1:
            model.set_params(warm_up=WARM_UP)
        return super().fit_model(model, data, owner)

    @classmethod
    def learn(cls, coder: Coder, data: Data, view: Float32, k: int, seed: int) -> tuple[Self, Float64]:
        model = coder.model.copied()
        checks.plain_posterior(coder.owner, model)
        run = Fit(model, data.labelled(None), seed=seed)
        variances = np.exp(model._figures(data, lambda x: model.module_.gaussian(x)[1]))
        model.set_params(prior="mixture", components=k, warm_up=0.0)
        model.module_.prior = _prior(view, variances, k, seed).to(run.device)
        method = cls(model)
        start, begun = copy.deepcopy(model.module_.state_dict()), method.probabilities(coder, data)
        bound = method._bound(data)
        run.train()
        method.score, trained = method._bound(data), method.probabilities(coder, data)
        is_worse = method.score < bound or nats_told(trained) < TOLD * nats_told(begun)
        if distributed.any_says(is_worse):
            model.module_.load_state_dict(start)
            method.score, trained = bound, begun
        return method, trained

    def _bound(self, data: Data) -> float:
        """Return a bound on the mean log p(x), in nats per example."""
        return float(np.mean(self.model._figures(data, lambda x: self.model.bound(x, DRAWS)), dtype=np.float64))

    def _log_chances(self, x: Tensor) -> Tensor:
        """Return log w_c N(z; m_c, s_c^2) at the middle of each posterior: (b, k)."""
        z = self.model.encode(x).float()
        log_w, means, log_vars = self.model.module_.prior.components()
        return log_w + normal_log_density(z[:, None], means, log_vars).sum(-1)

    def probabilities(self, coder: Coder, data: Data) -> Float64:
        return metrics.softmax(self.model._figures(data, self._log_chances))

    def state(self) -> documents.State:
        return {}, training.to_arrays(self.model.module_.state_dict(), "module.")

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray], coder: Coder) -> Self:
        weights = training.to_tensors(documents.under("module", arrays))
        k, width = weights["prior.means"].shape
        model = copy.deepcopy(coder.model)
        device = next(model.module_.parameters()).device
        model.set_params(prior="mixture", components=int(k))
        model.module_.prior = networks.MixturePrior(width, int(k), torch.Generator()).to(device)
        model.module_.load_state_dict(weights)
        return cls(model)


def nats_told(chances: Float64) -> float:
    """Return what clusters tell of a record: the mutual information of the two, 0 where one cluster has all.

    Parameters
    ----------
    chances : ndarray, shape (n, k)
        Of each cluster; rows add up to 1.
    """
    from scipy.stats import entropy

    return float(entropy(chances.mean(axis=0)) - entropy(chances, axis=1).mean())


def _prior(codes: Float32, variances: Float32, k: int, seed: int) -> networks.MixturePrior:
    """Return the mixture of k diagonal Gaussians that posteriors add up to, as a prior.

    Parameters
    ----------
    codes, variances : ndarray of float32, shape (n, d)
        Means and variances of the posteriors.
    k : int
    seed : int
    """
    found = fitted_mixture(codes, k, seed, "diag", starts=STARTS)
    shares = found.predict_proba(codes)
    own = shares.T @ variances / shares.sum(axis=0)[:, None]
    prior = networks.MixturePrior(codes.shape[1], k, torch.Generator().manual_seed(0))
    with torch.no_grad():
        prior.logits.copy_(torch.from_numpy(np.log(found.weights_)))
        prior.means.copy_(torch.from_numpy(found.means_))
        prior.log_vars.copy_(torch.from_numpy(np.log(found.covariances_ + own)))
    return prior
