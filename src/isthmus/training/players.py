"""Players: what the engine trains. An autoencoder has one, a generative adversarial network two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from isthmus.training.step import Step

__all__ = ["Loss", "Player"]

Loss = Callable[[Step], dict[str, Tensor]]


@dataclass(frozen=True)
class Player:
    """Somebody with parameters of their own and a loss to lower.

    Parameters
    ----------
    name : str
        Prefix of the player's terms in the history when there is more than one player.
    modules : tuple of torch.nn.Module
        Whose parameters this player moves, and nobody else's.
    loss : callable
        ``loss(step) -> {term: scalar}``: named terms in nats per example, averaged over the batch of a
        :class:`Step`. Their sum is minimised.
    every : int, default=1
        Rhythm: the player moves at every ``every``-th step.
    after : callable, optional
        Called when the player has moved: averages of weights, tables that no gradient moves.
    lr_scale : float, default=1
        Factor on the optimiser's usual learning rate; one that a user asks for is taken as it is.
    betas : (float, float), optional
        Memory of "adam" and "adamw", where it is not the usual one: in a game, momentum drives players round.
    in_validation : bool, default=True
        Whether its loss on held-out records is part of what early stopping looks at; not where it is a game's.
    metrics : callable, optional
        Returns named figures for the history after each epoch, which are no part of the loss.
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
        """Return the ids of weights that are matrices by shape, not by use, and so are not for orthogonal steps.

        They are those of look-up tables, and of modules that have ``orthogonal_steps = False``.
        """
        found = set()
        for module in self.modules:
            for layer in module.modules():
                if isinstance(layer, nn.Embedding | nn.EmbeddingBag) or not getattr(layer, "orthogonal_steps", True):
                    found |= {id(weight) for weight in layer.parameters()}
        return found
