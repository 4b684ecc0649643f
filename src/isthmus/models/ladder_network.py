r"""The ladder network: learns classes from few labelled and many unlabelled records.

Paper: Rasmus, Valpola, Honkala, Berglund and Raiko, "Semi-Supervised Learning with Ladder Networks", NeurIPS 2015;
the two paths and the combinator: :mod:`isthmus.networks.denoising_ladder`.

::

    x --clean--> z_1 --> ... --> z_L-1 --> z_L          the targets; z_L-1 is the code
                  |                |        |
    x --noisy--> z~1 --> ... --> z~L-1 --> z~L --> y~   noise at every layer
                  |                |        |
          z^0 <- z^1 <-- ... <-- z^L-1 <-- z^L          each layer's noise undone, given the layer above

Objective (algorithm 1), of the records whose class is known and of all::

    C = -log P(y~ = y | x) + sum_l lambda_l / m_l ||z_l - z^l||^2

A network that has seen few labels takes a whole kind of record (sevens with a bar) for another class at times, and
then defends the error. So in the first part of the training it learns some more classes, as Iscen, Tolias, Avrithis
and Chum do ("Label Propagation for Deep Semi-supervised Learning", CVPR 2019): those that the known ones spread to over
the graph of nearest records (:func:`isthmus.graph.spread`), where they are surest. Later these are unlabelled again,
and what was wrong among them is forgotten.

Differs from the paper: the noisy path of a batch without unlabelled records serves both terms. A decoder beside it all
learns -log p(x | z_L-1) from the code; no gradient reaches the ladder from there, but codes have a way back to records.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus import checks, networks, ranks
from isthmus.base import Model, RetiredParameters
from isthmus.graph import graph_of, spread
from isthmus.models.components import MAX_RECORDS, PlainRecords
from isthmus.models.composition import compose
from isthmus.search import Number, SearchSpace
from isthmus.training import Batches, Step

__all__ = ["LadderNetwork", "surest"]

NARROWEST, WIDEST = 64, 1000  # of the first layer by default
DECODER = 256  # widest layer of the way back from the code
SURE = 0.3  # share of the records of each class that are learned in the head start
GUESSED = -2  # stands for class 0 that was spread to a record, GUESSED - 1 for class 1, and so on; -1 for none


@dataclass(kw_only=True, eq=False, repr=False)
class LadderNetwork(Model):
    """Ladder network: a classifier from few labels and many unlabelled records.

    Parameters
    ----------
    noise : float, default=0.3
        Standard deviation of the noise of every layer, in scaled units (of normalised activations above the first).
    denoising : tuple of float, default=(1000, 10, 0.1)
        lambda_l, from the record upwards; the last one serves all layers that follow.
    head_start : float, default=0.15
        Share of the training in which classes that spread over the graph of nearest records are learned too; 0 for the
        network of the paper. Without effect where all records have a label.
    network : {"auto", "dense"}, default="auto"
        Dense, whatever the kind of data.
    **common
        The parameters of every model: :class:`isthmus.base.Model`. ``hidden`` are the widths below the code, by default
        four of which the first has twice as many units as a record has numbers, 1,000 at most, and ``latent_dim`` is
        the width of the layer below the classes. Layers are dense, rectified and normalised over the batch.

    Attributes
    ----------
    classes_ : ndarray
        The labels, sorted. Labels that are missing or -1 are none.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import LadderNetwork
    >>> digits = load_digits()
    >>> labels = digits.target.copy()
    >>> labels[100:] = -1
    >>> model = LadderNetwork(max_epochs=3, random_state=0).fit(digits.images.astype("uint8"), labels)
    >>> model.class_logits(digits.images.astype("uint8")).shape
    (1797, 10)
    """

    noise: float = 0.3
    denoising: tuple[float, ...] = (1000.0, 10.0, 0.1)
    head_start: float = 0.15
    optimizer: str = "adam"

    # Layers are rectified, normalised over the batch and disturbed by noise: no parameter chooses this.
    activation: ClassVar[str] = "relu"  # type: ignore[misc]
    norm: ClassVar[None] = None  # type: ignore[misc]
    dropout: ClassVar[float] = 0.0  # type: ignore[misc]
    retired_parameters: ClassVar[RetiredParameters] = {"activation": ("relu",), "norm": (None,), "dropout": (0.0,)}

    learns_classes: ClassVar[bool] = True
    takes_unlabelled: ClassVar[bool] = True
    compares_records: ClassVar[bool] = True  # layers are normalised over the batch
    needs_factorised: ClassVar[bool] = True
    stops_early: ClassVar[bool] = False
    min_batch_size: ClassVar[int] = 100
    # Layers are rectified and normalised, and of odd widths nothing is known.
    search_space: ClassVar[SearchSpace] = {
        **{name: Model.search_space[name] for name in ("learning_rate", "batch_size", "weight_decay")},
        "noise": Number(0.1, 0.6),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.number(owner, "noise", self.noise, low=0)
        checks.weights(owner, "denoising", self.denoising)
        checks.number(owner, "head_start", self.head_start, low=0, high=1)
        checks.choice(owner, "network", self.network, ("auto", "dense"))

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        checks.one_size(type(self).__name__, self.preprocessor_.shape_)
        width, hidden = self._widths()
        core: Any = compose(
            self, rng, width=width, network="dense", hidden=(min(DECODER, hidden[0]),), core=networks.LadderNetworkCore
        )
        inputs = math.prod(side or 1 for side in core.likelihood.theta_shape(self.preprocessor_.shape_))
        core.encoder = networks.DenoisingLadder((inputs, *hidden, width, len(self.classes_)), self.noise, rng)
        return core

    def _widths(self) -> tuple[int, tuple[int, ...]]:
        """Return the widths of the code and of the layers below it: 250 and 1,000-500-250-250 for wide records."""
        numbers = math.prod(side or 1 for side in self.preprocessor_.shape_)
        first = int(np.clip(2 * numbers, NARROWEST, WIDEST))
        hidden = (first, first // 2, first // 4, first // 4) if self.hidden is None else tuple(self.hidden)
        below = hidden[-1] if hidden else first
        return int(self.latent_dim or below), hidden or (first,)

    def prepare(self, batches: Batches, seed: int) -> None:
        """Spread known classes to neighbouring records, for the head start."""
        numbers = batches.labels.cpu().numpy()  # type: ignore[union-attr]
        has_label = numbers[batches.rows] >= 0
        known, unknown = batches.rows[has_label], batches.rows[~has_label]
        if self.head_start == 0 or len(unknown) == 0:
            return
        rng = np.random.default_rng(seed)
        rows = np.sort(np.concatenate([rng.permutation(known), rng.permutation(unknown)])[:MAX_RECORDS])
        records = PlainRecords(batches, self.module_.scale, self.module_.numbers)
        graph = graph_of(records.projected(rows, *records.components(rng)))
        shares = spread(graph, numbers[rows], len(self.classes_), even=False)  # surest() gives classes their shares
        guesses = surest(shares, numbers[rows])
        labels = numbers.copy()
        labels[rows[guesses >= 0]] = GUESSED - guesses[guesses >= 0]
        batches.labels = torch.from_numpy(labels).to(batches.device)

    def _taught(self, step: Step) -> Tensor:
        """Return class numbers, -1 for none; in the head start the guesses too."""
        labels: Tensor = step.labels
        if step.share < self.head_start:
            labels = torch.where(labels <= GUESSED, GUESSED - labels, labels)
        return labels.clamp_min(-1)

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return -log P(y~ = y | x) of the labelled records, the layers' costs, and -log p(x | z_L-1)."""
        core, labels = self.module_, self._taught(step)
        known = labels >= 0
        logits, costs, rest, codes = core.encoder.costs(core.numbers(step.x), known, step.rng)
        theta, clean = self.decode(codes, step.size), step.x[rest]
        nll = core.nll(theta, clean) if len(clean) else theta.flatten(1).sum(1)  # none here, some on other ranks
        weights = [*self.denoising, *[self.denoising[-1]] * len(costs)]
        return {
            "class": ranks.average(F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum"), known.sum()),
            "denoising": torch.stack([w * cost for w, cost in zip(weights, costs, strict=False)]).sum(),
            "reconstruction": ranks.mean(nll),
        }

    def class_logits(self, X: Any) -> np.ndarray:
        """Return log P(y | x) of records on the clean path, but for a constant of each: float32, (n, classes)."""
        return self._figures(X, self.module_.logits)


def surest(shares: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the classes of the unlabelled records that spreading is surest of, and -1 of all others: (n,).

    Classes count by the shares of the labels (class mass normalisation: Zhu, Ghahramani and Lafferty, "Semi-supervised
    Learning Using Gaussian Fields and Harmonic Functions", ICML 2003, section 4), and a record is the surer the more
    times likelier its class is than the next one.

    Parameters
    ----------
    shares : ndarray, shape (n, k)
        Probability of each class.
    numbers : ndarray, shape (n,)
        Known classes; -1 where there is none.
    """
    n, k = shares.shape
    prior = np.bincount(numbers[numbers >= 0], minlength=k)
    tiny = np.finfo(np.float64).tiny
    mass = np.log(np.maximum(shares * prior / np.maximum(shares.mean(axis=0), tiny), tiny))
    likeliest, leads = mass.argmax(axis=1), np.diff(np.partition(mass, -2, axis=1)[:, -2:])[:, 0]
    found = np.full(n, -1)
    for c in range(k):
        rows = np.flatnonzero(likeliest == c)
        rows = rows[np.argsort(-leads[rows], kind="stable")[: int(SURE * len(rows))]]
        found[rows] = c
    return np.where(numbers >= 0, -1, found)
