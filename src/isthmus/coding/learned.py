"""What a coder of values has learned: arrays by name, with which another one goes on where it stood.

They are what stands in the file of a model. The norm takes them as the compiled coder does, and gives the same bytes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.reference import values as norm
from isthmus.coding.scheme import REGRESSION, TAPS_LIMIT, Scheme

__all__ = ["Learned", "Start", "from_native", "from_norm", "into_norm", "shapes", "why_refused"]

Learned = Mapping[str, NDArray[Any]]

CELLS, NEAR_MORE = 15, 3  # of a slot; log2 of how many times as many cells are near a feature
COUNT_LIMIT = 1 << 40  # values that were learned from
WEIGHT_LIMIT, MAP_COUNT = 1 << 19, 1023
KNOTS = 33
WIDTH = TAPS_LIMIT + 1  # unknowns that the compiled coder has room for
OUTPUTS = 8  # weights that the compiled coder has room for in a final row; a multiple of it in the others


def shapes(scheme: Scheme) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return type and shape of each array by name.

    ``slots`` and ``near`` have a check and cells: 16 bits of probability, 8 of a count, and the last eight bits seen.
    ``regression.k`` is what feature k learned: products, targets and coefficients, each the bits of a double.
    """
    contexts, slots = len(scheme.contexts), 1 << scheme.table
    found: dict[str, tuple[str, tuple[int, ...]]] = {
        "count": ("int64", (1,)),
        "slots.checks": ("uint16", (slots,)),
        "slots.cells": ("uint32", (slots, CELLS)),
        "near.checks": ("uint16", (slots << NEAR_MORE,)),
        "near.cells": ("uint32", (slots << NEAR_MORE,)),
        "by_history": ("uint32", (contexts, 512)),
        "by_level": ("uint32", (contexts, 1024)),
    }
    rows = _rows(scheme)
    found |= {f"weights.{s}": ("int32", (count, 2 * contexts + 1)) for s, count in enumerate(rows)}
    found |= {f"final_weights.{f}": ("int32", (norm.FINAL_ROWS, len(rows))) for f in range(2)}
    found |= {f"curves.{c}": ("uint16", (n, KNOTS)) for c, n in enumerate((norm.NODE_CURVES, norm.CONTEXT_CURVES))}
    for place, n in _regressions(scheme):
        found[f"regression.{place}"] = ("uint64", (n + 2, n))
    return found


def _rows(scheme: Scheme) -> list[int]:
    """Return how many rows each set of weights has."""
    by_node = 1 << scheme.bits if scheme.bits <= 10 else scheme.bits
    return [by_node, scheme.bits, *(scheme.bits * selector.rows for selector in scheme.selectors)]


def _regressions(scheme: Scheme) -> list[tuple[int, int]]:
    """Return place and number of unknowns of each regression."""
    return [(k, feature.unknowns) for k, feature in enumerate(scheme.features) if feature.kind == REGRESSION]


def why_refused(scheme: Scheme, learned: Learned) -> str | None:
    """Return why a coder of a scheme cannot have learned some arrays, or None."""
    if {name: (array.dtype.name, array.shape) for name, array in learned.items()} != shapes(scheme):
        return "they have other names, types or shapes"
    if not 0 <= int(learned["count"][0]) <= COUNT_LIMIT:
        return "they count too much"
    for name, array in learned.items():
        kind = name.split(".")[0]
        if kind in ("slots", "near") and name.endswith("cells") and int((array >> 8 & 255).max()) > norm.SEEN_MOST:
            return "their cells count too much"
        if kind.startswith("by_") and int((array & MAP_COUNT).max()) > norm.MAP_MOST:
            return "their maps count too much"
        if kind in ("weights", "final_weights") and int(np.abs(array.astype(np.int64)).max()) > WEIGHT_LIMIT:
            return "their weights are too large"
        if kind == "regression" and not np.isfinite(array.view(np.float64)).all():
            return "their regressions hold what is no number"
    return None


# ---------------------------------------------------------------------- the compiled coder


def from_native(scheme: Scheme, state: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    """Return the arrays of what the compiled coder gives: memory as it stands there."""
    count, slots, near, maps, *others = state
    contexts, rows = len(scheme.contexts), _rows(scheme)
    of_slots = np.frombuffer(slots, np.uint32).reshape(-1, 1 + CELLS)
    of_near = np.frombuffer(near, np.uint32).reshape(-1, 2)
    of_maps = np.frombuffer(maps, np.uint32).reshape(contexts, 512 + 1024)
    found: dict[str, NDArray[Any]] = {
        "count": np.frombuffer(count, np.int64),
        "slots.checks": of_slots[:, 0].astype(np.uint16),
        "slots.cells": of_slots[:, 1:],
        "near.checks": of_near[:, 0].astype(np.uint16),
        "near.cells": of_near[:, 1],
        "by_history": of_maps[:, :512],
        "by_level": of_maps[:, 512:],
    }
    for s, own in enumerate(others[: len(rows)]):
        found[f"weights.{s}"] = np.frombuffer(own, np.int32).reshape(rows[s], -1)[:, : 2 * contexts + 1]
    for f, own in enumerate(others[len(rows) : len(rows) + 2]):
        found[f"final_weights.{f}"] = np.frombuffer(own, np.int32).reshape(-1, OUTPUTS)[:, : len(rows)]
    for c, own in enumerate(others[len(rows) + 2 : len(rows) + 4]):
        found[f"curves.{c}"] = np.frombuffer(own, np.uint16).reshape(-1, KNOTS)
    rest = iter(others[len(rows) + 4 :])
    for place, n in _regressions(scheme):
        products, targets, coefficients = (np.frombuffer(next(rest), np.uint64) for _ in range(3))
        square = products.reshape(WIDTH, WIDTH)[:n, :n]
        found[f"regression.{place}"] = np.vstack([square, targets[:n], coefficients[:n]])
    return {name: np.ascontiguousarray(array) for name, array in found.items()}


@dataclass(frozen=True, eq=False)
class Start:
    """What coders of a scheme begin with.

    Parameters
    ----------
    scheme : Scheme
    learned : mapping of str to ndarray

    Raises
    ------
    ValueError
        No coder of the scheme can have learned them.
    """

    scheme: Scheme
    learned: Learned

    def __post_init__(self) -> None:
        """Refuse what would lead a coder out of its tables."""
        if why := why_refused(self.scheme, self.learned):
            raise ValueError(why)

    @functools.cached_property
    def native(self) -> tuple[NDArray[Any], ...]:
        """Memory as the compiled coder takes it."""
        learned, contexts, rows = self.learned, len(self.scheme.contexts), _rows(self.scheme)
        parts: list[NDArray[Any]] = [
            learned["count"],
            np.hstack([learned["slots.checks"].astype(np.uint32)[:, None], learned["slots.cells"]]),
            np.stack([learned["near.checks"].astype(np.uint32), learned["near.cells"]], 1),
            np.hstack([learned["by_history"], learned["by_level"]]),
        ]
        padded = -(-(2 * contexts + 1) // OUTPUTS) * OUTPUTS
        parts += [_widened(learned[f"weights.{s}"], padded) for s in range(len(rows))]
        parts += [_widened(learned[f"final_weights.{f}"], OUTPUTS) for f in range(2)]
        parts += [learned[f"curves.{c}"] for c in range(2)]
        for place, n in _regressions(self.scheme):
            own = _widened(learned[f"regression.{place}"], WIDTH)
            square = np.pad(own[:n], ((0, WIDTH - n), (0, 0)))
            parts += [square, own[n], own[n + 1]]
        return tuple(np.ascontiguousarray(part) for part in parts)


def _widened(array: NDArray[Any], width: int) -> NDArray[Any]:
    """Return rows with zeros behind them."""
    return np.pad(array, ((0, 0), (0, width - array.shape[1])))


# ---------------------------------------------------------------------- the norm


def from_norm(coder: norm.ValueCoder) -> dict[str, NDArray[Any]]:
    """Return the arrays of what the norm has learned."""
    found: dict[str, NDArray[Any]] = {
        name: np.zeros(shape, kind) for name, (kind, shape) in shapes(coder.scheme).items()
    }
    found["count"][0] = coder.count
    for kind, table in (("slots", coder.slots), ("near", coder.near)):
        for place, slot in table.slots.items():
            if not slot.check:
                continue
            found[f"{kind}.checks"][place] = slot.check
            cells = [cell.p << 16 | cell.count << 8 | cell.seen for cell in slot.cells]
            found[f"{kind}.cells"][place] = cells if kind == "slots" else cells[0]
    for kind in ("by_history", "by_level"):
        found[kind][:] = [getattr(maps, kind).kept() for maps in coder.maps]
    for s, weights in enumerate(coder.weights):
        found[f"weights.{s}"][:] = weights
    for number in range(2):
        found[f"final_weights.{number}"][:] = coder.final_weights[number]
        found[f"curves.{number}"][:] = np.reshape(coder.curves[number].p, (-1, KNOTS))
    for place, own in coder.regressions.items():
        state = np.vstack([own.products, own.targets, own.coefficients])
        found[f"regression.{place}"][:] = np.ascontiguousarray(state).view(np.uint64)
    return found


def into_norm(coder: norm.ValueCoder, learned: Learned) -> None:
    """Let the norm go on from some arrays."""
    coder.count = int(learned["count"][0])
    for kind, table in (("slots", coder.slots), ("near", coder.near)):
        table.slots.clear()
        cells = learned[f"{kind}.cells"].reshape(len(learned[f"{kind}.checks"]), -1)
        for place in np.flatnonzero(learned[f"{kind}.checks"]).tolist():
            slot = table.slots[place]
            slot.check = int(learned[f"{kind}.checks"][place])
            for cell, word in zip(slot.cells, cells[place].tolist(), strict=True):
                cell.p, cell.count, cell.seen = word >> 16, word >> 8 & 255, word & 255
    for number, maps in enumerate(coder.maps):
        maps.by_history.take(learned["by_history"][number])
        maps.by_level.take(learned["by_level"][number])
    coder.weights = [learned[f"weights.{s}"].astype(np.int64) for s in range(len(coder.weights))]
    coder.final_weights = [learned[f"final_weights.{f}"].astype(np.int64) for f in range(2)]
    for curves, name in zip(coder.curves, ("curves.0", "curves.1"), strict=True):
        curves.p = learned[name].ravel().tolist()
    for place, own in coder.regressions.items():
        state = learned[f"regression.{place}"].view(np.float64)
        own.products, own.targets, own.coefficients = (
            state[: own.n].copy(),
            state[own.n].copy(),
            state[own.n + 1].copy(),
        )
        own.since = 0
