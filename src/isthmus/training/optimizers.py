"""The optimisers: Muon on matrices with AdamW on the rest, and the plain ones of the textbooks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw

from isthmus.training.players import Player
from isthmus.training.precision import small_products

__all__ = [
    "OPTIMIZERS",
    "Muon",
    "Optimizer",
    "default_learning_rate",
    "load_state_tensors",
    "make_optimizers",
    "polar_factor",
    "polar_factor_in_bfloat16",
    "state_tensors",
]

# Odd polynomials p(x) = a x + b x^3 + c x^5, each the best uniform approximation of 1 on the interval that the one
# before leaves of [0.003, 1] (Amsel et al., "The Polar Express", 2025, theorem 3.1). After four, all of it lies within
# 1 +- 0.199. An interval from 0.001 trains a little better in few steps, one from 0.01 in wide networks.
POLAR_STEPS = (
    (8.383677, -24.765929, 18.357101),
    (4.043422, -3.011406, 0.569512),
    (3.505571, -2.626654, 0.52572),
    (2.490116, -1.834275, 0.436835),
)

# The same for products in bfloat16, whose rounding takes singular values of 1 a little beyond the interval. There the
# next polynomial is so steep that a matrix of rank one would come out a million times too long. So each polynomial but
# the last leaves room for that: p(x / 1.01) (same paper, on finite precision).
ROOM = 1.01
ROOMY_STEPS = (*((a / ROOM, b / ROOM**3, c / ROOM**5) for a, b, c in POLAR_STEPS[:-1]), POLAR_STEPS[-1])

PAIR = 2  # polynomials that one Gram matrix serves, where more would save no time
SMALL = 64  # rows of a matrix up to which a call of the fast route for products costs more than it saves
BLOCK = 128  # rows that are made orthogonal to each other
LONG = 3  # columns for each row from which on one Gram matrix for all polynomials is by far the quickest


def polar_factor(
    gradients: Tensor, steps: Sequence[tuple[float, float, float]] = POLAR_STEPS, together: int = PAIR
) -> Tensor:
    """Return approximate polar factors: U p(S) V^T of each G = U S V^T, with p(S) near 1.

    Newton-Schulz iterations X <- a X + b (X X^T) X + c (X X^T)^2 X (Jordan et al., "Muon", 2024). Some iterates are
    polynomials in A = X X^T applied to X, so the iteration runs on the small square side, and the long side is met
    twice for some steps together: once to form A, once to apply the result.

    Parameters
    ----------
    gradients : tensor, shape (k, m, n) with m <= n
        A stack of matrices.
    steps : sequence of (a, b, c)
        The polynomials, in order.
    together : int, default=2
        Steps that one A serves. Of four, rounding of the long directions reaches the short ones 300 times as large: the
        factor of a gradient that is nearly of rank one is exact to 5e-3 then, and to 1e-4 in pairs.

    Returns
    -------
    tensor, shape (k, m, n)
    """
    gram = gradients @ gradients.mT  # (k, m, m)
    squared_norm = gram.diagonal(dim1=-2, dim2=-1).sum(-1).clamp_min(1e-30)[:, None, None]
    x = _moved(gradients, gram / squared_norm, steps[:together]) * squared_norm.rsqrt()
    for i in range(together, len(steps), together):
        x = _moved(x, x @ x.mT, steps[i : i + together])
    return x


def _moved(x: Tensor, gram: Tensor, steps: Sequence[tuple[float, float, float]]) -> Tensor:
    """Return what steps make of x, given X X^T or, of a multiple of x, that of X."""
    total = None
    for i, (a, b, c) in enumerate(steps):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        total = factor if total is None else total @ factor
        if i + 1 < len(steps):
            gram = factor @ gram @ factor
    return x if total is None else total @ x


def polar_factor_in_bfloat16(gradients: Tensor, steps: Sequence[tuple[float, float, float]] = ROOMY_STEPS) -> Tensor:
    """Return what :func:`polar_factor` returns, by products in bfloat16: for processors that have them in hardware.

    Every iterate is written out, X <- a X + b A X + c A^2 X with A = X X^T, because powers of the Gram matrix alone
    lose the small singular values to the rounding (Jordan et al. 2024 iterate so too).
    """
    norm = gradients.flatten(1).norm(dim=1).clamp_min(1e-15)[:, None, None]
    x = (gradients / norm).bfloat16()
    for a, b, c in steps:
        gram = x @ x.mT  # (k, m, m)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.float()


class Optimizer(ABC):
    """Moves parameters along their gradients; its state starts at zero.

    Small and our own, because the first ``torch.optim.Optimizer`` of a process loads torch's compiler, which takes
    longer than many a training run. The arithmetic of Adam and SGD is torch's.

    Parameters
    ----------
    parameters : list of parameters
        Whom it moves.
    peak : float
        Learning rate at the top of the schedule.
    weight_decay : float, default=0
        L2.
    """

    entries: tuple[str, ...] = ()  # names of the state tensors of each parameter

    def __init__(self, parameters: list[nn.Parameter], peak: float, weight_decay: float = 0.0) -> None:
        self.parameters, self.peak, self.weight_decay = parameters, peak, weight_decay
        self.rate = peak
        self.state: dict[str, list[Tensor]] = {}
        self.reset()

    def reset(self) -> None:
        """Reset the state."""
        self.state = {name: [torch.zeros_like(p) for p in self.parameters] for name in self.entries}

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Move every parameter that has a gradient, at the peak rate times ``factor``."""
        self.rate = self.peak * factor
        present = [i for i, parameter in enumerate(self.parameters) if parameter.grad is not None]
        if present:
            self.move(
                [self.parameters[i] for i in present],
                [self.parameters[i].grad for i in present],  # type: ignore[misc]
                {name: [tensors[i] for i in present] for name, tensors in self.state.items()},
            )

    @abstractmethod
    def move(self, parameters: list[Tensor], gradients: list[Tensor], state: dict[str, list[Tensor]]) -> None:
        """Take one step at ``self.rate``, changing parameters and state in place."""


class Muon(Optimizer):
    """Muon: momentum with orthogonalised updates, so that all directions of a weight matrix move equally fast.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024)::

        M <- mu M + (1 - mu) G,    W <- (1 - lr wd) W - lr sqrt(max(1, rows / columns)) polar(mu M + (1 - mu) G)

    Matrices of one size (up to transposition) are orthogonalised as one stack. Kernels of convolutions count as
    matrices of shape (out, in * height * width). A matrix with more than 128 rows (columns, where it has fewer of them)
    is orthogonalised in n equal blocks of rows, each by itself (Khaled et al., "MuonBP: Faster Muon via Block-Periodic
    Orthogonalization", 2025, section 3, without their returns to the whole matrix): the work grows with the square of
    the rows. Blocks are divided by sqrt(n), so that no direction moves faster than in a whole matrix, however alike
    they are; without that, deep networks learned worse.
    """

    entries = ("momentum",)
    mu = 0.95
    precision = "float32"  # of the products behind the polar factor; or "bfloat16"

    def move(  # noqa: D102
        self, parameters: list[Tensor], gradients: list[Tensor], state: dict[str, list[Tensor]]
    ) -> None:
        stacks: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for parameter, gradient, momentum in zip(parameters, gradients, state["momentum"], strict=True):
            momentum.lerp_(gradient, 1 - self.mu)
            direction = _wide(torch.lerp(gradient, momentum, self.mu))
            stacks[direction.shape[0], direction.shape[1]].append((parameter, direction))
        for pairs in stacks.values():
            updates = self._polar_factor(torch.stack([direction for _, direction in pairs]))
            for (parameter, _), update in zip(pairs, updates, strict=True):
                self._apply(parameter, update)

    def _polar_factor(self, directions: Tensor) -> Tensor:
        """Return polar factors, (k, m, n) -> (k, m, n), of matrices with many rows block by block."""
        k, rows, columns = directions.shape
        if rows <= BLOCK:
            return self._of_blocks(directions)
        count = -(-rows // BLOCK)
        size = -(-rows // count)
        blocks = F.pad(directions, (0, 0, 0, count * size - rows)).view(k * count, size, columns)
        return self._of_blocks(blocks).reshape(k, count * size, columns)[:, :rows] * count**-0.5

    def _of_blocks(self, directions: Tensor) -> Tensor:
        rows, columns = directions.shape[1:]
        if rows <= SMALL:
            with small_products():
                return polar_factor(directions)
        if self.precision == "bfloat16" and columns <= LONG * rows:
            return polar_factor_in_bfloat16(directions)
        return polar_factor(directions, together=PAIR if columns <= LONG * rows else len(POLAR_STEPS))

    def _apply(self, parameter: Tensor, update: Tensor) -> None:
        rows, columns = parameter.shape[0], parameter[0].numel()
        if self.weight_decay:
            parameter.mul_(1 - self.rate * self.weight_decay)
        update = update.mT if rows > columns else update
        parameter.add_(update.reshape(parameter.shape), alpha=-self.rate * max(1.0, rows / columns) ** 0.5)


def _wide(matrix: Tensor) -> Tensor:
    """Return a parameter's gradient as a matrix with no more rows than columns."""
    matrix = matrix.flatten(1)
    return matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix


class Adam(Optimizer):
    """Kingma and Ba, "Adam: A Method for Stochastic Optimization" (ICLR 2015), algorithm 1."""

    entries = ("exp_avg", "exp_avg_sq")
    betas = (0.9, 0.999)
    rule: Callable[..., None] = staticmethod(adam)

    def reset(self) -> None:
        super().reset()
        self.state["step"] = [torch.zeros((), device=p.device) for p in self.parameters]

    def move(self, parameters: list[Tensor], gradients: list[Tensor], state: dict[str, list[Tensor]]) -> None:
        fused = parameters[0].device.type in ("cpu", "cuda", "mps")
        self.rule(
            parameters,
            gradients,
            state["exp_avg"],
            state["exp_avg_sq"],
            [],
            state["step"],
            fused=fused,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.rate,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
        )


class AdamW(Adam):
    """Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (ICLR 2019), with a shorter memory."""

    betas = (0.9, 0.95)
    rule = staticmethod(adamw)


class GradientDescent(Optimizer):
    """W <- W - lr (G + wd W)."""

    def move(self, parameters: list[Tensor], gradients: list[Tensor], state: dict[str, list[Tensor]]) -> None:
        if self.weight_decay:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=self.weight_decay))
        torch._foreach_add_(parameters, gradients, alpha=-self.rate)


class SGD(Optimizer):
    """Gradient descent with Nesterov's momentum, as Sutskever et al. (ICML 2013) write it: M <- mu M + G."""

    entries = ("momentum",)
    mu = 0.9

    def move(self, parameters: list[Tensor], gradients: list[Tensor], state: dict[str, list[Tensor]]) -> None:
        if self.weight_decay:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=self.weight_decay))
        torch._foreach_mul_(state["momentum"], self.mu)
        torch._foreach_add_(state["momentum"], gradients)
        ahead = torch._foreach_add(gradients, state["momentum"], alpha=self.mu)
        torch._foreach_add_(parameters, ahead, alpha=-self.rate)


ADAMW_RATE = 6e-3  # of the parameters that Muon leaves to AdamW

# The optimisers by name, with their usual peak rates at 256 records a step; "muon" is the rate of the matrices.
OPTIMIZERS: dict[str, tuple[float, type[Optimizer]]] = {
    "muon": (0.04, Muon),
    "adamw": (ADAMW_RATE, AdamW),
    "adam": (ADAMW_RATE, Adam),
    "sgd": (1e-3, SGD),
    "gradient-descent": (1e-2, GradientDescent),
}


def default_learning_rate(name: str, batch_size: int) -> float:
    """Return the peak rate that an optimiser takes by default.

    It grows with the root of the batch size (Malladi et al., "On the SDEs and Scaling Rules for Adaptive Gradient
    Algorithms", 2022), up to 1,024 records.
    """
    return float(OPTIMIZERS[name][0] * (min(batch_size, 1024) / 256) ** 0.5)


def make_optimizers(
    player: Player,
    name: str,
    learning_rate: float | None,
    weight_decay: float,
    batch_size: int = 256,
    precision: str = "float32",
) -> list[Optimizer]:
    """Return the optimisers that together move a player's parameters.

    Parameters
    ----------
    player : Player
        Whose parameters.
    name : {"muon", "adamw", "adam", "sgd", "gradient-descent"}
        With "muon", biases, gains, look-up tables and flows go to AdamW.
    learning_rate : float or None
        Peak of the schedule; None takes the default for the batch size, times the player's ``lr_scale``. With "muon"
        AdamW's rate moves in proportion.
    weight_decay : float
        L2: added to the gradient by "adam", "sgd" and "gradient-descent", decoupled in "muon" and "adamw".
        Biases and gains are not decayed.
    batch_size : int, default=256
        Records a step.
    precision : {"float32", "bfloat16"}, default="float32"
        Of Muon's own products.
    """
    default, optimizer = OPTIMIZERS[name]
    rate = player.lr_scale * default_learning_rate(name, batch_size) if learning_rate is None else learning_rate
    parameters, tables = list(player.parameters()), player.elementwise_ids()
    matrices = [p for p in parameters if p.ndim >= 2 and not (name == "muon" and id(p) in tables)]
    chosen = {id(p) for p in matrices}
    rest = [p for p in parameters if id(p) not in chosen]
    optimizers: list[Optimizer] = [optimizer(matrices, rate, weight_decay)] if matrices else []
    if rest:
        optimizers.append(AdamW(rest, ADAMW_RATE * rate / default) if name == "muon" else optimizer(rest, rate))
    for each in optimizers:
        if isinstance(each, Muon):
            each.precision = precision
        if isinstance(each, Adam) and player.betas is not None:
            each.betas = player.betas
    return optimizers


def state_tensors(optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    """Return the optimisers' state as named tensors: ``{optimiser}.{parameter}.{entry}``."""
    return {
        f"{i}.{j}.{entry}": tensor
        for i, optimizer in enumerate(optimizers)
        for entry, tensors in optimizer.state.items()
        for j, tensor in enumerate(tensors)
    }


def load_state_tensors(optimizers: Sequence[Optimizer], tensors: dict[str, Tensor]) -> None:
    """Put back what :func:`state_tensors` returned."""
    for name, tensor in state_tensors(optimizers).items():
        tensor.copy_(tensors[name])
