"""The core of every model with a code: encoder, decoder, likelihood, and the scaling of records.

::

    record --scale--> x --encode--> z --decode--> theta --mean--> x --unscale--> record
                      |                             |
                      +------------ nll ------------+      -log p(x | theta) - log |dx / d record|, nats per example
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.networks.augmentation import Augmentation
from isthmus.networks.likelihoods import Likelihood

__all__ = ["Core", "Slopes"]


class Slopes(nn.Module):
    """Log derivatives of the quantile transform, which vary with the record.

    Parameters
    ----------
    columns : sequence of int
        Those that were brought to quantile scores.
    edges : sequence of array, shape (k + 1,) each
        Of the scores, rising: between two of them the slope is one.
    logs : sequence of array, shape (k + 2,) each
        Logarithms of the slopes, the outer ones beyond all edges.
    width : int
        Numbers in a record.
    """

    columns: Tensor
    edges: Tensor
    logs: Tensor

    def __init__(self, columns: Sequence[int], edges: Sequence[Any], logs: Sequence[Any], width: int) -> None:
        super().__init__()
        self.width = width
        longest = max(map(len, edges))
        padded = torch.full((len(columns), longest), torch.inf)
        slopes = torch.zeros(len(columns), longest + 1)
        for row, (some, its) in enumerate(zip(edges, logs, strict=True)):
            padded[row, : len(some)] = torch.as_tensor(some)
            slopes[row, : len(its)] = torch.as_tensor(its)
        self.register_buffer("columns", torch.as_tensor(columns, dtype=torch.long), persistent=False)
        self.register_buffer("edges", padded, persistent=False)
        self.register_buffer("logs", slopes, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return log |d score / d record| of scaled records, (b, width); 0 for other columns."""
        at = torch.searchsorted(self.edges, x[:, self.columns].T.float().contiguous(), right=True)
        found = torch.zeros(len(x), self.width, device=x.device)
        found[:, self.columns] = self.logs.gather(1, at).T
        return found


class Core(nn.Module):
    """Encoder, decoder and likelihood.

    Parameters
    ----------
    encoder : torch.nn.Module
        Scaled records (b, *shape) to codes (b, latent_dim) or (b, latent_dim, h', w').
    decoder : torch.nn.Module
        ``decoder(z, size)``: codes to the likelihood's parameters (b, *theta_shape). ``size`` is None, or the height
        and width of the pictures, which decoders for pictures of several sizes need.
    likelihood : Likelihood
        Prepared for the data.
    shift, factor : array of float, broadcastable to a record
        The network sees ``(record - shift) * factor``. They belong to the preprocessing and are saved there.

    Attributes
    ----------
    code_shape : tuple of (int or None)
        Of what the encoder gives for one record, without heads and classes; None for sides that follow the record's.
    slopes : Slopes or None
        Of columns that were brought to quantile scores before they were encoded.
    augmentation : Augmentation
        What happens to scaled records in training; nothing by default.
    """

    shift: Tensor
    factor: Tensor
    log_factor: Tensor
    code_shape: tuple[int | None, ...] = ()
    slopes: Slopes | None

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        shift: Any = 0.0,
        factor: Any = 1.0,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.slopes, self.augmentation = None, Augmentation()
        shift, factor = torch.as_tensor(shift), torch.as_tensor(factor)
        self.register_buffer("shift", shift.float().clone(), persistent=False)
        self.register_buffer("factor", factor.float().clone(), persistent=False)
        self.register_buffer("log_factor", factor.double().abs().log().float(), persistent=False)
        self._shifts, self._scales = bool((shift != 0).any()), bool((factor != 1).any())

    def scale(self, records: Tensor) -> Tensor:
        """Return (records - shift) * factor as 32-bit floats; integer codes as 64-bit integers.

        Parameters
        ----------
        records : Tensor of any real dtype, shape (b, *shape)
            As the preprocessor encodes them. Returned as they are where there is nothing to do.
        """
        if self.likelihood.codes:
            return records.long()
        x = records.float()
        owned = x is not records  # a fresh copy may be changed in place
        if self._shifts:
            x, owned = (x.sub_(self.shift) if owned else x - self.shift), True
        if self._scales:
            x = x.mul_(self.factor) if owned else x * self.factor
        return x

    def inputs(self, records: Tensor, rng: torch.Generator) -> Tensor:
        """Return encoded records as a loss takes them: scaled, and in training augmented, (b, *shape)."""
        x: Tensor = self.augmentation(self.scale(records), rng)
        return x

    def unscale(self, x: Tensor) -> Tensor:
        """Return x / factor + shift, the inverse of :meth:`scale`."""
        if self.likelihood.codes:
            return x
        if self._scales:
            x = x / self.factor
        return x + self.shift if self._shifts else x

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes of scaled records: (b, *shape) -> (b, latent_dim) or (b, latent_dim, h', w')."""
        return self.encoder(x)

    def decode(self, z: Tensor, size: tuple[int, ...] | None = None) -> Tensor:
        """Return the likelihood's parameters for codes: -> (b, *theta_shape).

        Parameters
        ----------
        z : Tensor
            Codes.
        size : (height, width), optional
            Of the pictures; without it, pictures of several sizes come out as large as the code reaches.
        """
        return self.decoder(z, size or None)

    def nll(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return -log p of each record in the units of the records: nats per example, shape (b,).

        Parameters
        ----------
        theta : Tensor, shape (b, *theta_shape)
        x : Tensor, shape (b, *shape)
            Scaled records.
        """
        log_factor = self.log_factor if self.slopes is None else self.log_factor + self.slopes(x)
        return -(self.likelihood.log_prob(theta, x) + self.likelihood.log_det(log_factor, x))

    def mean(self, theta: Tensor) -> Tensor:
        """Return the expected scaled records, (b, *shape)."""
        return self.likelihood.mean(theta)

    def drawn(self, theta: Tensor, rng: torch.Generator) -> Tensor:
        """Return scaled records drawn from p(x | theta), (b, *shape)."""
        return self.likelihood.sample(theta, rng)

    @torch.no_grad()
    def start_at(self, x: Tensor) -> None:
        """Start learned scales, and the decoder's output, at scaled records' spread and mean.

        Parameters
        ----------
        x : Tensor, shape (n, *shape)
            A sample of scaled records, all of one size.
        """
        self.likelihood.start_at(x)
        start = getattr(self.decoder, "start_at", None)
        if start is not None:
            start(self.likelihood.initial_theta(self.likelihood.statistics(x)))
