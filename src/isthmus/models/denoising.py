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

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from isthmus import checks, networks, training
from isthmus.base import Model
from isthmus.models.composition import compose
from isthmus.search import Choice, SearchSpace
from isthmus.training import Step

__all__ = ["DenoisingAutoencoder"]

JUDGED = 256  # records that are corrupted and restored after the fit, at most


@dataclass(kw_only=True, eq=False, repr=False)
class DenoisingAutoencoder(Model):
    """Autoencoder that restores corrupted records, with a code that ignores the corruption.

    Parameters
    ----------
    corruption : {"gaussian", "salt-and-pepper", "masking", "holes", "blur", "downscale", "replacement"}, optional
        What happens to a record before the encoder sees it; "holes", "blur" and "downscale" need pictures, and
        "replacement" of characters by others texts. Of a table, to its numbers. By default "gaussian", and of texts
        "replacement".
    corruption_level : float, optional
        How much: a standard deviation in scaled units (0.3), the share of numbers hit (0.2 salt-and-pepper,
        0.3 masking), the mean share of the area cut out (0.15 holes), the largest standard deviation of a blur in
        pixels (1.5), how many times smaller a side gets (2 downscale), the share of characters hit (0.1 replacement).
        The defaults are in parentheses.
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

    corruption: str | None = None
    corruption_level: float | None = None

    search_space: ClassVar[SearchSpace] = {
        **Model.search_space,
        "corruption": Choice((None, "salt-and-pepper", "masking")),
        "corruption_level": Choice((None, 0.05, 0.1, 0.2, 0.4)),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        if self.corruption is not None:
            checks.choice(owner, "corruption", self.corruption, tuple(networks.CORRUPTIONS))
        high = math.inf if self.corruption is None else networks.CORRUPTIONS[self.corruption][2]
        checks.number(owner, "corruption_level", self.corruption_level, low=0, high=high, above=True, optional=True)

    @property
    def corruption_(self) -> str:
        """Return what happens to a record before the encoder sees it."""
        return self.corruption or (networks.TEXT_CORRUPTIONS[0] if self.schema_.kind == "text" else "gaussian")

    @property
    def noise_(self) -> float:
        """The share of characters of a text that it was trained to restore."""
        return networks.CORRUPTIONS["replacement"][1] if self.corruption_level is None else self.corruption_level

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        owner, kind = type(self).__name__, self.schema_.kind
        if self.corruption_ in networks.IMAGE_CORRUPTIONS:
            checks.needs_pictures(owner, f"corruption={self.corruption!r}", kind)
        checks.suits_corruption(owner, self.corruption_, kind, of_texts=networks.TEXT_CORRUPTIONS)
        high = networks.CORRUPTIONS[self.corruption_][2]
        checks.number(owner, "corruption_level", self.corruption_level, high=high, optional=True)
        core = compose(self, rng)
        # Of a table only the numbers are corrupted: a category is a code, and a code plus noise means nothing.
        is_number = torch.tensor([field.kind == "number" for field in self.preprocessor_.fields_] or [True])
        core.register_buffer("is_number", is_number, persistent=False)
        return core

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return -log p(x | g(f(x~))) with x~ drawn from q(x~ | x)."""
        x_corrupt = self._corrupted(step.x, step.rng)
        theta = self.decode(self.encode(x_corrupt), step.size)
        return {"reconstruction": self.module_.nll(theta, step.x).mean()}

    def _corrupted(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """Return scaled records as the encoder sees them in training."""
        end = self.preprocessor_.classes_ - 1 if self.preprocessor_.classes_ else None
        x_corrupt = networks.corrupt(x, self.corruption_, self.corruption_level, rng, end=end)
        return torch.where(self.module_.is_number, x_corrupt, x) if self.preprocessor_.fields_ else x_corrupt

    def judge(self, batches: training.Batches, held_out: training.Batches | None) -> None:
        """Corrupt and restore some records, and warn if the restored ones are worse than the corrupted ones.

        ``provenance_["restoring"]`` has both errors: mean squares, or shares of wrong characters. Where numbers are
        blanked out, it is the blanks that count, and to leave them alone is to fill in the mean.
        """
        source = batches if held_out is None else held_out
        device = source.device
        rng = torch.Generator(device).manual_seed(self.provenance_["seed"])
        blanks, texts = self.corruption_ in networks.BLANKING, self.schema_.kind == "text"
        usual = _mean_of(self._some(batches)) if blanks else None
        before = after = count = 0.0
        for x in self._some(source):
            given = self._corrupted(x, rng)
            back = self._evaluate(given, self.cleaned)
            changed = (given != x) & self.module_.is_number if self.preprocessor_.fields_ else given != x
            alone = given if usual is None else usual.expand_as(x)
            counted = changed if blanks else torch.ones_like(changed)
            before += float(_errors(alone, x, texts)[counted].sum())
            after += float(_errors(back, x, texts)[counted].sum())
            count += float(counted.sum())
        values = self.preprocessor_.scaled_summary()
        self.provenance_["restoring"] = {
            "before": before / max(count, 1),
            "after": after / max(count, 1),
            "peak": float(np.max(values.high) - np.min(values.low)),
            "pictures": self.schema_.kind == "image",
            "texts": texts,
            "held_out": held_out is not None,
        }
        if sentence := checks.worse_than_nothing(self.provenance_["restoring"]):
            self.notes_.append(sentence)

    def _some(self, batches: training.Batches) -> Iterator[Tensor]:
        """Yield scaled records, evenly spaced; one by one where their sizes differ."""
        rows = batches.some(JUDGED)
        one_by_one = None in self.preprocessor_.shape_
        for part in np.split(rows, len(rows)) if one_by_one else [rows]:
            x: Tensor = self.module_.scale(batches.read_rows(part))
            yield x if self.preprocessor_.classes_ else x.float()


def _errors(x: Tensor, wanted: Tensor, texts: bool) -> Tensor:
    """Return squared errors of numbers, and 1 where the symbol of a text is another, shaped like x."""
    return (x != wanted).double() if texts else (x - wanted).double().square()


def _mean_of(blocks: Iterator[Tensor]) -> Tensor:
    """Return the mean of scaled records, of each channel where these are pictures, as one record."""
    parts = list(blocks)
    if parts[0].ndim == 2:
        return torch.cat(parts).mean(0, keepdim=True)
    return torch.stack([part.mean(dim=(0, 2, 3)) for part in parts]).mean(0)[None, :, None, None]
