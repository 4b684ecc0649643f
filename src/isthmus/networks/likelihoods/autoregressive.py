r"""Autoregressive likelihood: each symbol of a sequence given the code and the symbols before it.

Bowman, Vilnis, Vinyals, Dai, Jozefowicz and Bengio, "Generating Sentences from a Continuous Space" (CoNLL 2016),
section 3, over bytes in the place of words. theta is what the decoder says of each place, and a network sees it beside
the K symbols that were written before (Bengio, Ducharme, Vincent and Jauvin, "A Neural Probabilistic Language Model",
JMLR 2003, section 2: a causal convolution)::

    h_t = relu(U [v(x_{t-1}), ..., v(x_{t-K}), theta_t] + a),    g_t = h_t + relu(W h_t + b)
    p(x_t | x_{<t}, theta) = softmax(V g_t + c)
    log p(x | theta) = sum of log p(x_t | x_{<t}, theta), t up to and including the end symbol

In training some of the symbols before are blanked out, so that the code has to say what they were (Bowman et al.,
section 3.1: word dropout). Differs from the paper: a convolution in the place of a recurrent network, which a processor
takes longer for; and theta differs from place to place, where the paper shows one code to all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.checks.parameters import integer, number
from isthmus.networks import layers
from isthmus.networks.likelihoods.arithmetic import wide, within
from isthmus.networks.likelihoods.base import Likelihood
from isthmus.networks.likelihoods.scale import Facts, SummaryLike

__all__ = ["Autoregressive"]

SYMBOL = 24  # width of the vector that stands for a symbol
BEAM = 8  # beginnings that a search keeps


class Autoregressive(Likelihood):
    """Sequences of symbols, of which the last kind ends a sequence: texts.

    Parameters
    ----------
    width : int, default=64
        Numbers that the decoder gives for each place.
    units : int, default=256
        Of each hidden layer.
    context : int, default=12
        Symbols before that it sees, K above.
    blanks : float, default=0.3
        Share of the symbols before that are not shown in training, in [0, 1).
    classes : int or None, default=None
        Number of symbols, of which the last one ends a sequence. None: learned from the data.
    """

    name = "autoregressive"
    scaling: ClassVar[Mapping[str, str]] = {"text": "none"}
    needs = "symbols as they are"
    options = ("width", "units", "context", "blanks", "classes")
    network = "sequence"
    is_factorised = False
    steps = 0.1
    codes = True

    vectors: nn.Embedding
    first: nn.Linear
    second: nn.Linear
    output: nn.Linear

    def __init__(
        self, width: int = 64, units: int = 256, context: int = 12, blanks: float = 0.3, classes: int | None = None
    ) -> None:
        super().__init__()
        integer("Autoregressive", "width", width, low=1)
        integer("Autoregressive", "units", units, low=1)
        integer("Autoregressive", "context", context, low=1)
        number("Autoregressive", "blanks", blanks, low=0, high=1, below=True)
        integer("Autoregressive", "classes", classes, low=2, optional=True)
        self.width, self.units, self.context, self.blanks, self.classes = width, units, context, blanks, classes

    @classmethod
    def suits(cls, summary: SummaryLike, *, marginals: bool = False) -> str | None:
        """Suit texts, but not those that a file of an earlier version describes."""
        return "the data are texts" if summary.sequences else None

    def fits_scaling(self, scaling: str, summary: SummaryLike) -> bool:
        """Fit "none" alone: symbols are not scaled."""
        return scaling == "none"

    def prepare(self, facts: Facts) -> Self:
        """Return a new one with networks for the data's number of symbols."""
        new = type(self)(self.width, self.units, self.context, self.blanks, self.classes or facts.classes)
        symbols = int(new.classes or 0)
        rng = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        new.vectors = layers.embedding(symbols + 1, SYMBOL, rng)  # the last one stands for a symbol that is not shown
        new.first = layers.linear(new.context * SYMBOL + new.width, new.units, rng)
        new.second = layers.linear(new.units, new.units, rng)
        new.output = layers.linear(new.units, symbols, rng)
        return new

    @property
    def end(self) -> int:
        """Return the symbol that ends a sequence."""
        return int(self.classes or 0) - 1

    def theta_shape(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return ``(width, length)``: what the decoder says of each place."""
        return (self.width, *shape)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return the sum of log p(x_t | x_{<t}, theta): (b, width, length), (b, length) -> (b,)."""
        x = x.long()
        kept = within(x, self.end)
        before = F.pad(x, (self.context, -1), value=self.end)
        if self.training and self.blanks:
            hidden = torch.rand(before.shape, device=x.device) < self.blanks
            before = before.masked_fill(hidden, self.end + 1)
        # What a record gets must not depend on how long others are, so all places count outside of training.
        counted = kept if self.training else torch.ones_like(kept)
        logits = self._logits(before.unfold(1, self.context, 1)[counted], wide(theta).mT[counted])
        nll = F.cross_entropy(logits, x[counted], reduction="none")
        return -nll.new_zeros(x.shape).masked_scatter(counted, nll).mul(kept).sum(1)

    def _logits(self, before: Tensor, said: Tensor) -> Tensor:
        """Return the logits of symbols after others, (n, context), at places of which theta says (n, width)."""
        h = self.first(torch.cat([self.vectors(before).flatten(1), said], 1)).relu()
        logits: Tensor = self.output(h + self.second(h).relu())
        return logits

    def mean(self, theta: Tensor) -> Tensor:
        """Return the likeliest symbol at each place given those chosen before, up to the end: (b, length)."""
        return self._written(theta, lambda logits: logits.argmax(1))

    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return sequences drawn symbol by symbol: (b, length)."""
        return self._written(theta, lambda logits: torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0])

    def _written(self, theta: Tensor, choose: Callable[[Tensor], Tensor]) -> Tensor:
        """Return sequences of symbols, each chosen from its logits (b, classes), filled up with the end symbol."""
        said = wide(theta).mT
        b, length, _ = said.shape
        x = torch.full((b, self.context + length), self.end, device=theta.device)
        ended = torch.zeros(b, dtype=torch.bool, device=theta.device)
        for t in range(length):
            symbols = choose(self._logits(x[:, t : t + self.context], said[:, t])).masked_fill(ended, self.end)
            x[:, t + self.context] = symbols
            ended = ended | (symbols == self.end)
            if ended.all():
                break
        return x[:, self.context :]

    def denoised(self, theta: Tensor, x: Tensor, level: float) -> Tensor:
        """Return the likeliest sequences of which some are a copy with replaced symbols: (b, length).

        The noisy channel of Shannon, "A Mathematical Theory of Communication" (1948), section 12: x~ is what is
        given, of which each symbol was replaced, with probability ``level``, by any of the S there are::

            argmax_x  log p(x | theta) + sum_t log p(x~_t | x_t)
            p(x~_t | x_t) = (1 - level) [x~_t = x_t] + level / S

        The search keeps the BEAM best beginnings at each symbol. No symbol is added or left out.
        """
        given, said = x.long(), wide(theta).mT
        (b, length), symbols = given.shape, self.end
        kept, spread = math.log(1 - level + level / symbols), math.log(level / symbols)
        found = torch.full((b, 1, self.context + length), self.end, device=x.device)
        score = torch.zeros(b, 1, device=x.device)
        for t in range(length):
            before = found[:, :, t : t + self.context]
            beams = before.shape[1]
            logits = self._logits(before.flatten(0, 1), said[:, t].repeat_interleave(beams, 0))
            channel = torch.full((b, 1, symbols + 1), spread, device=x.device)
            channel[:, :, self.end] = -math.inf
            channel.scatter_(2, given[:, t, None, None], kept)
            # The symbol that ends a text is certain to stand where it stands, and nothing behind it counts.
            ended = given[:, t] == self.end
            over = ended & (given[:, t - 1] == self.end) if t else torch.zeros_like(ended)
            step = logits.log_softmax(1).view(b, beams, -1).masked_fill(over[:, None, None], 0.0)
            channel = channel.masked_fill(ended[:, None, None] & (channel != kept), -math.inf)
            total = (score[:, :, None] + step + channel).flatten(1)
            score, place = total.topk(min(BEAM, total.shape[1]))
            found = found.gather(1, (place // (symbols + 1))[:, :, None].expand(-1, -1, found.shape[2]))
            found[:, :, t + self.context] = place % (symbols + 1)
        return found[:, 0, self.context :]

    def statistics(self, x: Tensor) -> Tensor:
        """Return zeros: theta has no meaning before the networks have learned one."""
        return torch.zeros(self.width, *x.shape[1:], device=x.device)

    def initial_theta(self, mean: Tensor) -> Tensor:
        """Return zeros."""
        return mean

    @torch.no_grad()
    def start_at(self, x: Tensor) -> None:
        """Start at the frequencies of the symbols."""
        counts = torch.bincount(x[within(x, self.end)], minlength=self.end + 1).float()
        self.output.bias.copy_(torch.log(counts / counts.sum() + 1e-3 / len(counts)))

    def log_det(self, log_factor: Tensor, x: Tensor) -> float:
        """Return 0: a probability does not depend on units."""
        return 0.0
