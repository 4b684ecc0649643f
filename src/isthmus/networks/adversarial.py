r"""The core of adversarial models: a generator, a critic, and an encoder that inverts the generator.

::

    z ~ prior --decoder (generator)--> theta --> x~ --+
                                                      +--critic--> one number: how real
                                                 x ---+
    x --encoder--> the code from which the generator makes something like x

At inference the generator's weights are an average over training (Yazici et al., "The Unusual Effectiveness of
Averaging in GAN Training", ICLR 2019): the last ones circle about the best, their mean lies nearer.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from isthmus import ranks
from isthmus.networks import layers
from isthmus.networks.auto import build
from isthmus.networks.core import Core
from isthmus.networks.likelihoods import Likelihood
from isthmus.networks.priors import Prior, StandardNormal
from isthmus.networks.variational import join_classes

__all__ = ["AdversarialCore", "Critic", "Octaves"]

DECAY = 0.999  # of the average, once training is long enough for it
ADAPTATION = 1e-3  # of the share of augmented records, a move
SURE = 0.6
OCTAVES = 6
FEATURES = 256
MAX_NUMBERS_WITH_OCTAVES = 64  # with more of them, a critic sees enough without octaves


class Octaves(nn.Module):
    """Fourier features: numbers with their sines and cosines at doubling frequencies.

    Tancik et al., "Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional Domains" (NeurIPS
    2020), with the frequencies of Mildenhall et al. (ECCV 2020), equation 4.

    Parameters
    ----------
    numbers : int
        How many of the first columns are numbers; the others go through as they are.
    octaves : int, default=6
        Frequencies, from a half up to 2^octaves / 4 turns a unit.
    """

    frequencies: Tensor

    def __init__(self, numbers: int, octaves: int = OCTAVES) -> None:
        super().__init__()
        self.numbers, self.octaves = numbers, octaves
        self.register_buffer("frequencies", math.pi * 2.0 ** torch.arange(-1, octaves - 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (b, d) -> (b, d + 2 octaves numbers)."""
        turns = (x[:, : self.numbers, None] * self.frequencies).flatten(1)
        return torch.cat([x, turns.sin(), turns.cos()], 1)


class Critic(nn.Module):
    """Critic: a feature network and a linear layer of scores.

    Parameters
    ----------
    shape : sequence of (int or None)
        Of a record as :meth:`isthmus.networks.Likelihood.one_hot` writes it.
    outputs : int
        Numbers that come out: one for each class, or one.
    hidden : sequence of int, optional
        As in :func:`isthmus.networks.build`.
    network : {"auto", "dense", "convolutional", "residual"}, default="auto"
    numbers : int, default=0
        How many columns of a row are numbers, and come first; up to 64 of them are seen in :class:`Octaves`.
    rng : torch.Generator
        Source of the first weights.
    owner : str
        Whom messages are about.
    """

    def __init__(
        self,
        shape: Sequence[int | None],
        outputs: int,
        hidden: Sequence[int] | None,
        *,
        network: str = "auto",
        numbers: int = 0,
        rng: torch.Generator,
        owner: str = "network",
    ) -> None:
        super().__init__()
        seen = tuple(shape)
        self.octaves = Octaves(numbers) if len(seen) == 1 and 0 < numbers <= MAX_NUMBERS_WITH_OCTAVES else nn.Identity()
        if isinstance(self.octaves, Octaves):
            seen = (int(seen[0] or 0) + 2 * self.octaves.octaves * numbers,)
        self.body, _ = build(network, seen, seen, FEATURES, hidden, activation="leaky-relu", rng=rng, owner=owner)
        self.head = layers.linear(FEATURES, outputs, rng)

    def features(self, x: Tensor) -> Tensor:
        """Return the features before the last layer, averaged over positions of pictures: (b, ...) -> (b, 256)."""
        found: Tensor = self.body(self.octaves(x))
        return found.flatten(2).mean(2) if found.ndim > 2 else found

    def forward(self, x: Tensor) -> Tensor:
        """Return the critic's scores: (b, ...) -> (b, outputs)."""
        realness: Tensor = self.head(nn.functional.leaky_relu(self.features(x))).float()
        return realness


class AdversarialCore(Core):
    """Encoder, generator and likelihood, a critic, and the generator's average.

    Parameters
    ----------
    encoder : torch.nn.Module
        Scaled records to codes, and to one logit a class.
    decoder : torch.nn.Module
        The generator.
    likelihood, shift, factor
        As in :class:`Core`.

    Attributes
    ----------
    critic : Critic
    prior : Prior
        Of the generator's noise; standard normal at first.
    average : torch.nn.Module
        The generator's mean over training.
    strength : Tensor
        Share of records that are augmented before the critic sees them.
    """

    critic: Critic
    prior: Prior
    log_prior: Tensor
    moves: Tensor
    strength: Tensor

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, likelihood: Likelihood, shift: Any = 0.0, factor: Any = 1.0
    ) -> None:
        super().__init__(encoder, decoder, likelihood, shift, factor)
        self.prior = StandardNormal()
        self.average = copy.deepcopy(decoder).requires_grad_(False)
        self.register_buffer("moves", torch.zeros((), dtype=torch.long))
        self.register_buffer("strength", torch.zeros(()))
        self.register_buffer("log_prior", torch.zeros(0))
        self.register_buffer("starts", torch.zeros(0))

    def with_classes(self, frequencies: Tensor, theta_shape: Sequence[int | None]) -> None:
        """Take over how frequent each class is among the records, (classes,), positive, and the shape of theta."""
        self.log_prior = (frequencies / frequencies.sum()).log().float()
        sides = [side for side in theta_shape if side is not None]
        if len(sides) == len(theta_shape):
            self.starts = torch.zeros(len(frequencies), *sides)

    @torch.no_grad()
    def start_classes_at(self, x: Tensor, labels: Tensor) -> None:
        """Start the generator at the mean record of each class.

        Parameters
        ----------
        x : tensor, shape (n, *shape)
            Scaled records, all of one size.
        labels : tensor of int64, shape (n,)
            A class without records begins where all do.
        """
        found = {c: self.likelihood.statistics(x[labels == c]) for c in sorted(set(labels.tolist()))}
        chances = self.log_prior[list(found)].softmax(0)
        whole = self.likelihood.initial_theta(torch.tensordot(chances, torch.stack(list(found.values())).float(), 1))
        for c, mean in found.items():
            self.starts[c] = self.likelihood.initial_theta(mean) - whole

    def generate(self, decoder: nn.Module, code: Tensor, size: tuple[int, ...] | None = None) -> Tensor:
        """Return theta of a code by a generator, its weights now or their average; of a class, about its start.

        Parameters
        ----------
        decoder : torch.nn.Module
            ``self.decoder`` or ``self.average``.
        code : tensor, shape (b, *code_shape)
        size : (height, width), optional
            As in :meth:`decode`.
        """
        theta: Tensor = decoder(code, size)
        if not len(self.starts):
            return theta
        chances = code[:, -self.classes :].flatten(2).mean(2) if code.ndim > 2 else code[:, -self.classes :]
        return theta + torch.tensordot(chances.to(theta.dtype), self.starts.to(theta.dtype), 1)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take files of models that had no starts."""
        state_dict.setdefault(f"{prefix}starts", torch.zeros_like(self.starts))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @property
    def classes(self) -> int:
        """Return how many classes there are; 0 where none are learned."""
        return len(self.log_prior)

    def encode(self, x: Tensor) -> Tensor:
        """Return codes; where classes are known, z and their chances."""
        heads: Tensor = self.encoder(x)
        if not self.classes:
            return heads
        logits = heads[:, -self.classes :]
        chances = logits.float().flatten(2).mean(2) if logits.ndim > 2 else logits.float()
        return join_classes(heads[:, : -self.classes], chances.softmax(1))

    def code(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return the generator's input: noise and the class."""
        return z if labels is None else join_classes(z, nn.functional.one_hot(labels, self.classes))

    def decode(self, z: Tensor, size: tuple[int, ...] | None = None) -> Tensor:
        """Return the likelihood's parameters for codes, by the averaged generator."""
        return self.generate(self.average, z, size or None)

    def drawn(self, theta: Tensor, rng: torch.Generator) -> Tensor:
        """Return generated scaled records, with sampled categories."""
        return self.likelihood.mean_with_sampled_categories(theta, rng)

    def judge(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the critic's score of records, (b,): for their class, where classes are known."""
        realness: Tensor = self.critic(x)
        return realness[:, 0] if labels is None else realness.gather(1, labels[:, None])[:, 0]

    @torch.no_grad()
    def adapt(self, a: Tensor, b: Tensor) -> None:
        """Adapt the share of augmented records: it rises while the critic separates real from generated ones too well.

        Karras et al., "Training Generative Adversarial Networks with Limited Data" (NeurIPS 2020), section 3.1, with
        the mean sign of C(x) - C(G(z)) for r_t.
        """
        surely = ranks.mean((a - b).sign())
        self.strength.add_(ADAPTATION * (surely - SURE).sign()).clamp_(0, 1)

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the average towards the generator."""
        self.moves += 1
        share = (10 / (self.moves + 10)).clamp_min(1 - DECAY)  # a tensor, so that the host does not wait for it
        for mean, now in zip(self.average.parameters(), self.decoder.parameters(), strict=True):
            mean.lerp_(now, share)
        for held, kept in zip(self.average.buffers(), self.decoder.buffers(), strict=True):
            held.copy_(kept)

    @torch.no_grad()
    def start_at(self, x: Tensor) -> None:  # noqa: D102
        super().start_at(x)
        self.average.load_state_dict(self.decoder.state_dict())
