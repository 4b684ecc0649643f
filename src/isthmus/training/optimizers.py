"""The optimisers: Muon on matrices with AdamW on the rest, and the plain ones of the textbooks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.training.players import Player

__all__ = ["OPTIMIZERS", "Muon", "load_state_tensors", "make_optimizers", "polar_factor", "set_rate", "state_tensors"]

# Odd polynomials p(x) = a x + b x^3 + c x^5, each the best uniform approximation of 1 on the interval that the one
# before leaves of [0.01, 1] (Amsel et al., "The Polar Express", 2025, theorem 3.1): after four, |p(s) - 1| < 0.0126.
POLAR_STEPS = (
    (8.093389, -23.620574, 17.446275),
    (3.636584, -2.721926, 0.536546),
    (2.661299, -1.977156, 0.452617),
    (1.956171, -1.337507, 0.383853),
)


def polar_factor(gradients: Tensor, steps: Sequence[tuple[float, float, float]] = POLAR_STEPS) -> Tensor:
    """Return the nearest matrices with orthonormal rows: U V^T of each G = U S V^T, to a few per cent.

    Newton-Schulz iterations X <- a X + b (X X^T) X + c (X X^T)^2 X (Jordan et al., "Muon", 2024). All iterates are
    polynomials in A = G G^T applied to G, so the iteration runs on the small square side, and the long side is met
    only twice: once to form A, once to apply the result.

    Parameters
    ----------
    gradients : tensor, shape (k, m, n) with m <= n
        A stack of matrices.
    steps : sequence of (a, b, c)
        The polynomials, in order.

    Returns
    -------
    tensor, shape (k, m, n)
    """
    gram = gradients @ gradients.mT  # (k, m, m)
    squared_norm = gram.diagonal(dim1=-2, dim2=-1).sum(-1).clamp_min(1e-30)[:, None, None]
    gram = gram / squared_norm
    total: Tensor | None = None
    for i, (a, b, c) in enumerate(steps):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        total = factor if total is None else total @ factor
        if i + 1 < len(steps):
            gram = factor @ gram @ factor
    assert total is not None
    return (total @ gradients) * squared_norm.rsqrt()


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal: every direction of a weight matrix moves at the same speed.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024)::

        M <- mu M + (1 - mu) G,    W <- (1 - lr wd) W - lr sqrt(max(1, rows / columns)) polar(mu M + (1 - mu) G)

    Matrices of one size (up to transposition) are orthogonalised as one stack. Kernels of convolutions count as
    matrices of shape (out, in * height * width).

    Parameters
    ----------
    params : iterable of parameters
        Each with two axes or more.
    lr : float
        Step: the spectral norm of each update.
    momentum : float, default=0.95
        mu above.
    weight_decay : float, default=0
        wd above, decoupled from the gradient.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, *, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            stacks: dict[tuple[int, ...], list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    rows, columns = parameter.shape[0], parameter[0].numel()
                    stacks[min(rows, columns), max(rows, columns)].append(parameter)
            for parameters in stacks.values():
                self._step_stack(parameters, group["lr"], group["momentum"], group["weight_decay"])

    def _step_stack(self, parameters: list[nn.Parameter], lr: float, momentum: float, weight_decay: float) -> None:
        directions = []
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(parameter)
            gradient = parameter.grad
            state["momentum"].lerp_(gradient, 1 - momentum)
            directions.append(_wide(torch.lerp(gradient, state["momentum"], momentum)))
        updates = polar_factor(torch.stack(directions))
        for parameter, update in zip(parameters, updates, strict=True):
            rows, columns = parameter.shape[0], parameter[0].numel()
            if weight_decay:
                parameter.mul_(1 - lr * weight_decay)
            update = update.mT if rows > columns else update
            parameter.add_(update.reshape(parameter.shape), alpha=-lr * max(1.0, rows / columns) ** 0.5)


def _wide(matrix: Tensor) -> Tensor:
    """Return a parameter's gradient as a matrix with no more rows than columns."""
    matrix = matrix.flatten(1)
    return matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix


def _adamw(parameters: list[nn.Parameter], lr: float, weight_decay: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr, betas=(0.9, 0.95), weight_decay=weight_decay, fused=True)


def _adam(parameters: list[nn.Parameter], lr: float, weight_decay: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr, weight_decay=weight_decay, fused=True)


def _sgd(parameters: list[nn.Parameter], lr: float, weight_decay: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr, momentum=0.9, nesterov=True, weight_decay=weight_decay)


def _gradient_descent(parameters: list[nn.Parameter], lr: float, weight_decay: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr, weight_decay=weight_decay)


Make = Callable[[list[nn.Parameter], float, float], torch.optim.Optimizer]

ADAMW_RATE = 6e-3  # of the parameters that Muon leaves to AdamW

# Peak learning rates, measured on 784-128-64-32 (see benchmarks/); "muon" is the rate of the matrices.
OPTIMIZERS: dict[str, tuple[float, Make]] = {
    "muon": (0.04, lambda parameters, lr, decay: Muon(parameters, lr, weight_decay=decay)),
    "adamw": (ADAMW_RATE, _adamw),
    "adam": (ADAMW_RATE, _adam),
    "sgd": (1e-3, _sgd),
    "gradient-descent": (1e-2, _gradient_descent),
}


def make_optimizers(
    player: Player, name: str, learning_rate: float | None, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """Return the optimisers that together move a player's parameters; each group keeps its peak rate as ``peak``.

    Parameters
    ----------
    player : Player
        Whose parameters.
    name : {"muon", "adamw", "adam", "sgd", "gradient-descent"}
        With "muon", biases, gains and look-up tables go to AdamW.
    learning_rate : float or None
        Peak of the schedule; None takes the optimiser's own default. With "muon" AdamW's rate moves in proportion.
    weight_decay : float
        L2: added to the gradient by "adam", "sgd" and "gradient-descent", decoupled in "muon" and "adamw".
        Biases and gains are not decayed.
    """
    default, make = OPTIMIZERS[name]
    rate = default if learning_rate is None else learning_rate
    parameters, tables = list(player.parameters()), player.embeddings()
    matrices = [p for p in parameters if p.ndim >= 2 and not (name == "muon" and id(p) in tables)]
    chosen = {id(p) for p in matrices}
    rest = [p for p in parameters if id(p) not in chosen]
    optimizers = [make(matrices, rate, weight_decay)] if matrices else []
    if rest:
        rest_make, rest_rate = (_adamw, ADAMW_RATE * rate / default) if name == "muon" else (make, rate)
        optimizers.append(rest_make(rest, rest_rate, 0.0))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers


def set_rate(optimizers: Iterable[torch.optim.Optimizer], factor: float) -> None:
    """Set every group's rate to its peak times ``factor``."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor


def state_tensors(optimizers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Return the optimisers' state as named tensors: ``{optimiser}.{parameter}.{entry}``."""
    tensors: dict[str, Tensor] = {}
    for i, optimizer in enumerate(optimizers):
        for j, parameter in enumerate(_parameters(optimizer)):
            for entry, value in optimizer.state.get(parameter, {}).items():
                if value is not None:
                    tensors[f"{i}.{j}.{entry}"] = torch.as_tensor(value)
    return tensors


def load_state_tensors(optimizers: Sequence[torch.optim.Optimizer], tensors: dict[str, Tensor]) -> None:
    """Put back what :func:`state_tensors` returned."""
    states: dict[tuple[int, int], dict[str, Any]] = defaultdict(dict)
    for name, tensor in tensors.items():
        i, j, entry = name.split(".", 2)
        states[int(i), int(j)][entry] = tensor
    for i, optimizer in enumerate(optimizers):
        for j, parameter in enumerate(_parameters(optimizer)):
            state = states.get((i, j), {})
            optimizer.state[parameter] = {name: t.to(parameter.device, copy=True) for name, t in state.items()}


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
