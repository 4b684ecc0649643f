r"""The denoising autoencoder: given a corrupted record, return the clean one.

Paper: Vincent, Larochelle, Bengio and Manzagol, "Extracting and Composing Robust Features with Denoising
Autoencoders", ICML 2008.

::

        q(x~ | x)          f                    g
    x ------------> x~ ----------> z ------------------> theta ------>  p(x | theta)
      (corruption)                                                      the clean x

Objective, in nats per example (equation 5 of the paper, with any likelihood in the place of its cross-entropy)::

    L(x) = E_{q(x~ | x)} [ -log p(x | g(f(x~))) ]

Differs from the paper: a fresh corruption is drawn at each step, and layers are trained together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from isthmus import checks, networks
from isthmus.base import Model
from isthmus.models.composition import augmented, compose
from isthmus.search import Choice, SearchSpace

__all__ = ["DenoisingAutoencoder"]


@dataclass(kw_only=True, eq=False, repr=False)
class DenoisingAutoencoder(Model):
    """Learn to restore records, and with it a code that ignores the corruption.

    Parameters
    ----------
    corruption : {"gaussian", "salt-and-pepper", "masking", "holes", "blur", "downscale"}, default="gaussian"
        What happens to a record before the encoder sees it; the last three need pictures. Of a table, to its numbers.
    corruption_level : float, optional
        How much: a standard deviation in scaled units (0.3), the share of numbers hit (0.2 salt-and-pepper,
        0.3 masking), the mean share of the area cut out (0.15 holes), the largest standard deviation of a blur in
        pixels (1.5), how many times smaller a side gets (2 downscale). The defaults are in parentheses.
    **common
        The parameters of every model: :class:`isthmus.base.Model`.

    See Also
    --------
    isthmus.tasks.denoise : Restore records with any trained model.
    isthmus.tasks.inpaint : Fill marked holes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import DenoisingAutoencoder
    >>> X = load_digits().images.astype("uint8")
    >>> model = DenoisingAutoencoder(corruption="masking", max_epochs=5, random_state=0).fit(X)
    >>> model.reconstruct(X).shape
    (1797, 8, 8)
    """

    corruption: str = "gaussian"
    corruption_level: float | None = None

    search_space: ClassVar[SearchSpace] = {
        **Model.search_space,
        "corruption": Choice(("gaussian", "salt-and-pepper", "masking")),
        "corruption_level": Choice((None, 0.05, 0.1, 0.2, 0.4)),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.choice(owner, "corruption", self.corruption, tuple(networks.CORRUPTIONS))
        high = networks.CORRUPTIONS[self.corruption][2]
        checks.number(owner, "corruption_level", self.corruption_level, low=0, high=high, above=True, optional=True)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        if self.corruption in networks.IMAGE_CORRUPTIONS:
            checks.needs_pictures(type(self).__name__, f"corruption={self.corruption!r}", self.schema_.kind)
        checks.needs_numbers(type(self).__name__, self.schema_.kind)
        core = compose(self, rng)
        # Of a table only the numbers are corrupted: a category is a code, and a code plus noise means nothing.
        is_number = torch.tensor([field.kind == "number" for field in self.preprocessor_.fields_] or [True])
        core.register_buffer("is_number", is_number, persistent=False)
        return core

    def losses(self, records: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Return -log p(x | g(f(x~))) with x~ drawn from q(x~ | x)."""
        x = augmented(self, self.module_.scale(records), rng)
        x_corrupt = networks.corrupt(x, self.corruption, self.corruption_level, rng)
        if self.preprocessor_.fields_:
            x_corrupt = torch.where(self.module_.is_number, x_corrupt, x)
        theta = self.decode(self.encode(x_corrupt), tuple(x.shape[2:]))
        return {"reconstruction": self.module_.nll(theta, x).mean()}
