r"""Clusters learned together with the code: deep embedded clustering, with and without reconstruction.

Xie, Girshick and Farhadi, "Unsupervised Deep Embedding for Clustering Analysis", ICML 2016 (DEC); Guo, Gao, Liu and
Yin, "Improved Deep Embedded Clustering with Local Structure Preservation", IJCAI 2017 (IDEC). With z_i the code of a
record and m_j the centres, which begin as those of k-means::

    q_ij = (1 + ||z_i - m_j||^2)^-1 / sum_j' (1 + ||z_i - m_j'||^2)^-1        DEC, equation 1 (one degree of freedom)
    p_ij = (q_ij^2 / f_j) / sum_j' (q_ij'^2 / f_j'),   f_j = sum_i q_ij        DEC, equation 3
    L    = KL(P || Q) = sum_ij p_ij log(p_ij / q_ij)                           DEC, equation 2: encoder and centres
    L    = -log p(x | g(z)) / numbers of a record + gamma KL(P || Q)           IDEC, equation 7: the decoder too

Differs from the papers: P follows Q from step to step, with the f_j of the epoch before, where they compute it anew
every 140 steps; codes are divided by their mean distance from the middle, so that one degree of freedom suits any code;
the reconstruction is the model's likelihood.
"""

# ruff: noqa: D102 - what each method does stands at Method

from __future__ import annotations

import copy
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from isthmus import documents, ranks, training
from isthmus.capabilities import Encodes, Trainable
from isthmus.data import Data
from isthmus.fitting import Fit
from isthmus.tasks.cluster.evidence import Evidence, of_silhouettes
from isthmus.tasks.cluster.graph import Float32, Float64
from isthmus.tasks.cluster.methods import KMeansMethod, Method
from isthmus.tasks.coder import Coder

__all__ = ["DEC", "IDEC", "Centres", "divergence", "target_distribution"]

GAMMA = 0.1  # weight of the divergence beside the reconstruction: Guo et al., section 4.2
LR_SCALE = 0.1  # of the optimiser's default rate: the weights have been learned before
CHANGED = 0.001  # share of the records that change their cluster in an epoch, below which it is over: DEC, section 4.3


def target_distribution(q: Tensor, frequencies: Tensor) -> Tensor:
    """Return p_ij, which is sharper than q_ij and favours no large cluster (DEC, equation 3): (b, k).

    Parameters
    ----------
    q : tensor, shape (b, k)
        Rows add up to 1.
    frequencies : tensor, shape (k,)
        f_j, but for a common factor.
    """
    weighted = q.square() / frequencies
    return weighted / weighted.sum(1, keepdim=True)


def divergence(p: Tensor, log_q: Tensor) -> Tensor:
    """Return KL(P || Q) of each record, in nats: (b, k), (b, k) -> (b,)."""
    return (torch.xlogy(p, p) - p * log_q).sum(1)


class Centres(nn.Module):
    """Centres of clusters, and Student's t distribution about them.

    Parameters
    ----------
    centres : tensor, shape (k, d)
        In units of codes.
    scale : float
        Mean distance of a code from the middle of all.
    """

    scale: Tensor
    frequencies: Tensor

    def __init__(self, centres: Tensor, scale: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(float(scale)))
        self.register_buffer("frequencies", torch.full((len(centres),), 1 / len(centres)))
        self.centres = nn.Parameter(centres / scale)

    def forward(self, codes: Tensor) -> Tensor:
        """Return log q_ij of codes: (b, d) -> (b, k)."""
        squares = (codes.float()[:, None] / self.scale - self.centres).square().sum(2)
        return (-torch.log1p(squares)).log_softmax(1)


class DEC(Method):
    """Deep embedded clustering: the encoder and the centres move, the decoder is left behind.

    Parameters
    ----------
    model : Model
        Whose encoder has learned the clusters.
    centres : Centres
    """

    needs = (Encodes, Trainable, documents.Stateful)
    trains = True
    about = "deep embedded clustering"
    keeps_reconstruction: ClassVar[bool] = False

    def __init__(self, model: Any, centres: Centres) -> None:
        self.model, self.centres = model, centres

    @classmethod
    def evidence(cls, view: Float32, most: int, seed: int) -> Evidence:
        return of_silhouettes(view, most, seed)

    @classmethod
    def learn(cls, coder: Coder, data: Data, view: Float32, k: int, seed: int) -> tuple[Self, Float64]:
        begin = KMeansMethod.of_codes(view, k, seed)
        spread = float(np.linalg.norm(view - view.mean(axis=0), axis=1).mean())
        model = coder.model.copied()
        run = Fit(model, data.labelled(None), seed=seed)
        centres = Centres(torch.from_numpy(begin.arrays["centres"]).float(), max(spread, 1e-12)).to(run.device)
        method = cls(model, centres)
        method._train(run)
        q = method.probabilities(coder, data)
        method.score = -float(method._mean_divergence(q))
        return method, q

    def _train(self, run: Fit) -> None:
        both = nn.ModuleList([self.model.module_, self.centres])
        self._numbers = int(np.prod([side or 1 for side in self.model.preprocessor_.shape_]))
        self._sums = torch.zeros_like(self.centres.frequencies)
        player = training.Player("clusters", (both,), self._loss, lr_scale=LR_SCALE)
        settled = _Settled(lambda: self._labels(run.data), self._next_epoch)
        run.train([player], module=both, callbacks=[settled])

    def _loss(self, step: training.Step) -> dict[str, Tensor]:
        """Return KL(P || Q); the likelihood beside it where the reconstruction is kept."""
        log_q = self.centres(self.model.encode(step.x).flatten(1))
        q = log_q.detach().exp()
        self._sums += ranks.total(q.sum(0))
        p = target_distribution(q, self.centres.frequencies)
        terms = {"divergence": divergence(p, log_q).mean()}
        if self.keeps_reconstruction:
            terms["divergence"] = GAMMA * terms["divergence"]
            terms |= {name: term / self._numbers for name, term in self.model.losses(step).items()}
        return terms

    def _next_epoch(self) -> None:
        """Take over how frequent each cluster was."""
        self.centres.frequencies.copy_(self._sums / self._sums.sum())
        self._sums.zero_()

    def _labels(self, data: Data) -> np.ndarray:
        was_training = self.model.module_.training
        self.model.module_.eval()
        labels = self._log_q(data).argmax(axis=1)
        self.model.module_.train(was_training)
        return labels

    def _log_q(self, data: Data) -> Float64:
        """Return log q_ij of records, (n, k)."""
        found = self.model._figures(data, lambda x: self.centres(self.model.encode(x).flatten(1)))
        return np.asarray(found, np.float64)

    def _mean_divergence(self, q: Float64) -> float:
        rows = torch.from_numpy(q)
        return float(divergence(target_distribution(rows, rows.sum(0)), rows.clamp_min(1e-300).log()).mean())

    def probabilities(self, coder: Coder, data: Data) -> Float64:
        return np.exp(self._log_q(data))

    def state(self) -> documents.State:
        centres = training.to_arrays(self.centres.state_dict(), "centres.")
        return {}, centres | training.to_arrays(self.model.module_.state_dict(), "module.")

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, np.ndarray], coder: Coder) -> Self:
        model = copy.deepcopy(coder.model)
        model.module_.load_state_dict(training.to_tensors(documents.under("module", arrays)))
        found = training.to_tensors(documents.under("centres", arrays))
        centres = Centres(found["centres"])
        centres.load_state_dict(found)
        return cls(model, centres.to(next(model.module_.parameters()).device))


class IDEC(DEC):
    """Improved deep embedded clustering: the reconstruction keeps the code from forgetting what records are like."""

    about = "deep embedded clustering beside reconstruction"
    keeps_reconstruction = True


class _Settled(training.Callback):
    """Stops when hardly any record changes its cluster in an epoch."""

    def __init__(self, labels: Any, next_epoch: Any) -> None:
        self.labels, self.next_epoch = labels, next_epoch
        self.last: np.ndarray | None = None

    def on_epoch(self, state: training.FitState) -> str | None:
        self.next_epoch()
        last, self.last = self.last, self.labels()
        return "stop" if last is not None and float((last != self.last).mean()) < CHANGED else None
