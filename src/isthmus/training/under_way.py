"""An epoch that has begun: what a checkpoint inside it holds besides weights, optimisers and counters.

Going on inside an epoch takes the batches in the order in which they came, leaves out those that are done, and draws
noise from where each rank's generators stood.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self, TypedDict

import torch
from torch import Tensor, nn

from isthmus import documents
from isthmus.errors import ArtifactError
from isthmus.training import distributed

__all__ = ["Document", "UnderWay"]

NOISE, LAYERS, GPU = "noise", "layers", "gpu"  # generators: of losses, of layers such as dropout, and on a GPU


class Document(TypedDict):
    """What the document of a checkpoint says of an epoch under way."""

    step: int
    done: int
    seen: int
    rate: float  # of the last step, which the history shows
    ranks: int


@dataclass
class UnderWay:
    """An epoch that has begun.

    Parameters
    ----------
    good : dict of str to tensor
        Everything that a step may change, as it was at the beginning: where to go back to.
    step : int
        Steps of the run before it.
    done : int, default=0
        Batches that were taken.
    seen : int, default=0
        Records that were learned from.
    rate : float, default=0
        Learning rate of the last step.
    sums : dict of str to tensor
        Of the terms, over these.
    own : dict of str to tensor
        Where this rank's generators stand, and those of its buffers that are not among the weights, or differ from the
        first rank's; none at the beginning.
    """

    good: dict[str, Tensor]
    step: int
    done: int = 0
    seen: int = 0
    rate: float = 0.0
    sums: dict[str, Tensor] = field(default_factory=dict)
    own: dict[str, Tensor] = field(default_factory=dict)

    def add(self, terms: dict[str, Tensor], records: int) -> None:
        """Add up terms, which are means over so many records."""
        for name, term in terms.items():
            self.sums[name] = self.sums.get(name, torch.zeros((), device=term.device)) + term.detach() * records
        self.seen += records

    def take_up(self, noise: torch.Generator, module: nn.Module) -> None:
        """Bring generators and buffers to where they stood on this rank."""
        if not self.own:
            return
        noise.set_state(self.own[NOISE])
        torch.set_rng_state(self.own[LAYERS])
        if noise.device.type == "cuda" and GPU in self.own:
            torch.cuda.set_rng_state(self.own[GPU], noise.device)
        buffers = documents.under("buffer", self.own)
        for name, buffer in module.named_buffers():
            if name in buffers:
                buffer.copy_(buffers[name])

    # ------------------------------------------------------------------ in a checkpoint

    def document(self) -> Document:
        """Return its numbers."""
        ranks = distributed.world()
        return {"step": self.step, "done": self.done, "seen": self.seen, "rate": self.rate, "ranks": ranks}

    def tensors(self, noise: torch.Generator, module: nn.Module) -> dict[str, Tensor]:
        """Return its tensors, and on the first rank those of all of them."""
        own = {NOISE: noise.get_state(), LAYERS: torch.get_rng_state()}
        if noise.device.type == "cuda":
            own[GPU] = torch.cuda.get_rng_state(noise.device)
        kept = module.state_dict() if distributed.world() == 1 else {}  # what the weights hold of this rank's buffers
        own |= {f"buffer.{name}": buffer for name, buffer in module.named_buffers() if name not in kept}
        first, *others = distributed.collected(own)
        ranks = [first, *({name: its[name] for name in its if _differs(its[name], first[name])} for its in others)]
        found = documents.prefixed("good", self.good) | documents.prefixed("sum", self.sums)
        for rank, its in enumerate(ranks):
            found |= documents.prefixed(f"rank{rank}", its)
        return found

    @classmethod
    def read(cls, document: Document, tensors: dict[str, Tensor], device: torch.device) -> Self:
        """Return what a checkpoint holds; with other ranks or on another kind of device, noise begins anew."""
        if min(document["step"], document["done"], document["seen"]) < 0:
            raise ArtifactError("an epoch under way must count steps, batches, records and ranks")
        sums = {name: total.to(device) for name, total in documents.under("sum", tensors).items()}
        own: dict[str, Tensor] = {}
        if document["ranks"] == distributed.world():
            own = documents.under("rank0", tensors) | documents.under(f"rank{distributed.rank()}", tensors)
            if own[NOISE].shape != torch.Generator(device).get_state().shape:
                own = {}
        good, its = documents.under("good", tensors), document
        return cls(good, its["step"], its["done"], its["seen"], its["rate"], sums, own)


def _differs(a: Tensor, b: Tensor) -> bool:
    return a.shape != b.shape or not torch.equal(a, b)
