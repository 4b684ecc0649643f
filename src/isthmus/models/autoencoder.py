r"""The plain autoencoder: dense, convolutional, linear, with or without tied weights.

Paper: Hinton and Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313 (2006).
Linear case: Bourlard and Kamp (1988) and Baldi and Hornik (1989): with squared error it spans the space of PCA.

::

        f (encoder)          g (decoder)
    x ------------->  z  ------------->  theta  ------>  p(x | theta)
     (b, ...)      (b, latent_dim)     (b, ...)

Objective, in nats per example (Hinton and Salakhutdinov minimise the Bernoulli case)::

    L(x) = -log p(x | g(f(x)))

With ``likelihood="gaussian-fixed"`` that is 1/2 ||x - g(f(x))||^2 and a constant, with "bernoulli" the cross-entropy.

Differs from the paper: no layer-by-layer pre-training, which good initialisation has made needless; the weights start
orthogonal, the output starts at the data's mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from isthmus.base import Model
from isthmus.models.composition import compose
from isthmus.search import Choice, SearchSpace
from isthmus.training import Step

__all__ = ["Autoencoder"]


@dataclass(kw_only=True, eq=False, repr=False)
class Autoencoder(Model):
    """Plain autoencoder: encoder and decoder trained for reconstruction alone.

    Parameters
    ----------
    tied : bool, default=False
        Whether the decoder's matrices are the encoder's, transposed (dense networks).
    **common
        The parameters of every model: :class:`isthmus.base.Model`. ``hidden=()`` makes the linear autoencoder.

    See Also
    --------
    DenoisingAutoencoder : Learns to restore corrupted records.
    SparseAutoencoder : Few units of the code are active at a time.
    ContractiveAutoencoder : The code resists small changes of the record.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder
    >>> X = load_digits().images.astype("uint8")
    >>> model = Autoencoder(latent_dim=8, max_epochs=5, random_state=0).fit(X)
    >>> model.transform(X).shape
    (1797, 8)
    """

    tied: bool = False

    search_space: ClassVar[SearchSpace] = {
        **Model.search_space,
        "tied": Choice((False, True), kinds=("array", "table")),
    }

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        return compose(self, rng, tied=self.tied)

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return -log p(x | g(f(x)))."""
        theta = self.decode(self.encode(step.x), step.size)
        return {"reconstruction": self.module_.nll(theta, step.x).mean()}
