r"""A map: a two-dimensional code that keeps neighbours, with an encoder for new records and a decoder.

Papers: the picture is that of van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008, drawn from the
neighbour graph of UMAP (McInnes, Healy and Melville 2018). An encoder that carries the picture to new records:
van der Maaten, "Learning a Parametric Embedding by Preserving Local Structure", AISTATS 2009; Sainburg, McInnes and
Gentner, "Parametric UMAP", Neural Computation 33, 2021; Gisbrecht, Schulz and Hammer, "Parametric nonlinear
dimensionality reduction using kernel t-SNE", Neurocomputing 147, 2015.

::

    x_1 ... x_n --nearest neighbours--> graph --layout--> y_1 ... y_n        once, before the first step
                                                           |
    x --landmarks around it--> p(y | x), z ----------------+
                                                           y --decoder--> theta ------>  p(x | theta)

Objective: the layout y has the least of t-SNE's loss (:mod:`isthmus.layout`); then, in nats per example::

    L(x) = -log p(y | f(x)) - log p(x | g(y))

Encoder f and decoder g meet at the layout, and neither pulls at it: pixels would only tear the map.

Differs from the papers: parametric t-SNE and UMAP train a network on the graph's loss itself, which takes it many times
as long to come as near to the optimum as the free points of a layout do. The encoder learns where those points are, by
the landmarks of :class:`isthmus.networks.LandmarkEncoder`, instead of through layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from isthmus import checks, networks, ranks
from isthmus.base import Model
from isthmus.graph import fuzzy_graph, near_rows
from isthmus.layout import layout
from isthmus.models.components import MAX_RECORDS, PlainRecords
from isthmus.models.composition import compose
from isthmus.training import Batches, Step

__all__ = ["Map"]

METRIC = 32  # and those in which records are compared with landmarks
NEAR = 8  # landmarks that a record is placed by, at first
NOISE = 0.4  # of what is added to a record in training, as a share of the distance of its nearest neighbours
WIDTH = 0.05  # r at first, in deviations of the map


@dataclass(kw_only=True, eq=False, repr=False)
class Map(Model):
    """Two-dimensional map with an encoder for new records and a decoder.

    Codes are points: ``transform`` places records, ``inverse_transform`` shows what lies at a place. Coordinates have a
    deviation of 1, both together; only distances on the map mean something, and only small ones.

    Parameters
    ----------
    latent_dim : int, default=2
        Dimensions of the map.
    n_neighbors : int, default=15
        Nearest neighbours of a record that are kept near it; more show the large structure, fewer the details.
    exaggeration : float, default=1
        Factor on the attraction of neighbours: 1 draws as t-SNE does, 4 draws tight islands as UMAP does.
    landmarks : int, default=4096
        Records by which others are placed, at most: more are finer, and slower.
    network : {"auto", "dense", "convolutional", "residual"} or (encoder, decoder), default="auto"
        Of the decoder, "auto" a dense one; or any two ``torch.nn.Module``, of which the encoder learns the layout in
        the place of landmarks.
    **common
        The parameters of every model: :class:`isthmus.base.Model`. All records are trained on unless ``fit`` is given
        ``validation``; ``hidden`` are the decoder's widths.

    See Also
    --------
    Autoencoder : With ``latent_dim=2`` a plainer map, of what matters to a reconstruction.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Map
    >>> X = load_digits().images.astype("uint8")
    >>> model = Map(max_epochs=5, random_state=0).fit(X[:500])
    >>> model.transform(X[500:510]).shape, model.inverse_transform([[0.0, 0.0]]).shape
    ((10, 2), (1, 8, 8))
    """

    latent_dim: int | None = 2
    n_neighbors: int = 15
    exaggeration: float = 1.0
    landmarks: int = 4096

    needs_factorised: ClassVar[bool] = True
    stops_early: ClassVar[bool] = False
    default_steps: ClassVar[int] = 700

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.integer(owner, "n_neighbors", self.n_neighbors, low=2)
        checks.number(owner, "exaggeration", self.exaggeration, low=1)
        checks.integer(owner, "landmarks", self.landmarks, low=2)
        checks.check_network(owner, self.network, networks.WITHOUT_SEQUENCE)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        shape = self.preprocessor_.shape_
        checks.one_size(type(self).__name__, shape)
        width = int(self.latent_dim or 2)
        core = compose(self, rng, width=width, network="dense" if self.network == "auto" else self.network)
        if self._has_landmarks():
            first = core.encoder.first
            blank = core.scale(torch.zeros((1, *(side or 1 for side in shape))))
            inputs = (blank if first is None else first(blank)).flatten(1).shape[1]
            core.encoder = networks.LandmarkEncoder(inputs, width, min(METRIC, inputs), first)
        return core

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return -log p(y | f(x)) and -log p(x | g(y)); for records without a place the latter at their own code.

        ``step.labels`` are places in the layout, (b, latent_dim): NaN for records that it does not have.
        """
        core, places = self.module_, step.labels
        if places is None:
            theta = self.decode(self.encode(step.x), step.size)
            return {"reconstruction": core.nll(theta, step.x).mean()}
        known = places.isfinite().all(1)
        with ranks.standing_in(known) as rows:
            x, places = step.x[rows], places[rows].nan_to_num()
            theta = self.decode(places.view(-1, *core.code_shape), step.size)
            of_map, of_records = -self._log_density(x, places).sum(), core.nll(theta, x).sum()
            count = rows.sum()
            return {
                "map": ranks.average(of_map, count),
                "reconstruction": ranks.average(of_records, count),
            }

    def _log_density(self, x: Tensor, places: Tensor) -> Tensor:
        """Return log p(y | f(x)); an encoder of the user's own has one landmark: its code."""
        if self._has_landmarks():
            found: Tensor = self.module_.encoder.log_density(x, places)
            return found
        squares = (self.encode(x).float().flatten(1) - places).square().sum(1)
        return networks.log_cauchy_density(squares, torch.tensor(math.log(WIDTH)), places.shape[1])

    def _has_landmarks(self) -> bool:
        return isinstance(self.network, str)

    def prepare(self, batches: Batches, seed: int) -> None:
        """Compute the layout of the records, and start the encoder at it."""
        rng = np.random.default_rng(seed)
        rows = batches.drawn(MAX_RECORDS, rng)
        records = PlainRecords(batches, self.module_.scale, self._numbers)
        middle, directions = records.components(rng)
        x = records.projected(rows, middle, directions)
        indices, distances = near_rows(x, self.n_neighbors, seed=seed)
        dimensions = int(np.prod([side or 1 for side in self.code_shape_]))
        start = np.zeros((len(x), dimensions), np.float32)
        start[:, : x.shape[1]] = x[:, :dimensions]
        y = layout(fuzzy_graph(indices, distances), start, exaggeration=self.exaggeration, seed=seed)
        y /= max(float(y.std()), float(np.finfo(np.float32).tiny))
        places = torch.full((int(batches.rows[-1]) + 1, dimensions), torch.nan)
        places[rows] = torch.from_numpy(y)
        batches.labels = places.to(batches.device)

        if self._has_landmarks():
            chosen = np.sort(rng.permutation(len(rows))[: self.landmarks])
            self.module_.encoder.start_from(
                records.read(rows[chosen]),
                torch.from_numpy(y[chosen]).to(batches.device),
                directions,
                middle,
                near=NEAR,
                width=WIDTH,
                noise=NOISE * float(distances.mean()),
            )

    def plain_numbers(self, X: Any) -> np.ndarray:
        """Return records as rows of plain numbers, as the map compares them.

        Parameters
        ----------
        X : as in :meth:`fit`

        Returns
        -------
        ndarray of float32, shape (n, inputs)
            Scaled; categories of a table are zeros and a one.
        """
        return np.concatenate([block.cpu().numpy() for block in self._run(X, self._numbers)])

    def _numbers(self, x: Tensor) -> Tensor:
        return self.module_.encoder.features(x) if self._has_landmarks() else x.flatten(1).float()
