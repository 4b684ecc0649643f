"""Players: networks with a loss and an optimiser. An autoencoder has one, a generative adversarial network two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from isthmus.training.step import Step

__all__ = ["Loss", "Player"]

Loss = Callable[[Step], dict[str, Tensor]]


@dataclass(frozen=True)
class Player:
    """Modules that are trained together by one loss.

    Parameters
    ----------
    name : str
        Prefix of the player's terms in the history when there is more than one player.
    modules : tuple of torch.nn.Module
        Modules whose parameters this player alone updates.
    loss : callable
        ``loss(step) -> {term: scalar}``: named terms in nats per example, averaged over the batch of a
        :class:`Step`. Their sum is minimised.
    every : int, default=1
        The player is updated at every ``every``-th step.
    after : callable, optional
        Called after each update: for averages of weights, and tables that have no gradient.
    lr_scale : float, default=1
        Factor on the optimiser's default learning rate; not applied to one that the user sets.
    betas : (float, float), optional
        Coefficients of "adam" and "adamw", where not the default: in adversarial training, momentum makes players
        oscillate.
    in_validation : bool, default=True
        Whether its loss on held-out records counts for early stopping; an adversarial loss does not.
    metrics : callable, optional
        Returns named figures for the history after each epoch.
    """

    name: str
    modules: tuple[nn.Module, ...]
    loss: Loss
    every: int = 1
    lr_scale: float = 1.0
    betas: tuple[float, float] | None = None
    in_validation: bool = True
    after: Callable[[], None] | None = None
    metrics: Callable[[], dict[str, float]] | None = None

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield each trainable parameter once, in a stable order."""
        seen: set[int] = set()
        for module in self.modules:
            for parameter in module.parameters():
                if parameter.requires_grad and id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield parameter

    def elementwise_ids(self) -> set[int]:
        """Return the ids of 2-D parameters that Muon must not orthogonalise.

        They are those of embeddings, and of modules with ``orthogonal_steps = False``.
        """
        found = set()
        for module in self.modules:
            for layer in module.modules():
                if isinstance(layer, nn.Embedding | nn.EmbeddingBag) or not getattr(layer, "orthogonal_steps", True):
                    found |= {id(weight) for weight in layer.parameters()}
        return found
