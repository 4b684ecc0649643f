"""Search spaces: the values of each parameter that are worth trying, declared as ``search_space`` of each model.

A search that chooses settings (:class:`isthmus.Tuner`) reads them; nothing here knows how values are chosen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from isthmus import documents
from isthmus.errors import ParameterError

__all__ = ["Choice", "Number", "Range", "SearchSpace", "Whole", "drawn", "range_from_dict"]


@dataclass(frozen=True)
class Range:
    """Base of the ranges of one parameter.

    Parameters
    ----------
    kinds : tuple of str, default=()
        Kinds of records that it makes sense for; none named means all.
    """

    kinds: tuple[str, ...] = field(default=(), kw_only=True)

    def suiting(self, kind: str) -> Range | None:
        """Return what of it makes sense for a kind of records; None if nothing does."""
        return None if self.kinds and kind not in self.kinds else self

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values; :func:`range_from_dict` takes them."""
        return {"range": type(self).__name__, **{name: _as_json(value) for name, value in vars(self).items()}}


@dataclass(frozen=True)
class Whole(Range):
    """Whole numbers from ``low`` to ``high``, both included; evenly on a logarithmic scale with ``log``."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        """Refuse ends that leave nothing between them."""
        _ordered(self.low, self.high, self.log)

    def up_to(self, most: int) -> Whole:
        """Return it with nothing above ``most``, but one value at least."""
        return replace(self, low=min(self.low, max(1, most)), high=min(self.high, max(1, most)))


@dataclass(frozen=True)
class Number(Range):
    """Numbers from ``low`` to ``high``; evenly on a logarithmic scale with ``log``."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        """Refuse ends that leave nothing between them."""
        _ordered(self.low, self.high, self.log)


@dataclass(frozen=True)
class Choice(Range):
    """One of some values; None often stands for what the model chooses by itself.

    Parameters
    ----------
    values : tuple
    kinds_of : tuple of (value, tuple of str), default=()
        Kinds of records that single values make sense for; all of them for values that are not named.
    """

    values: tuple[Any, ...]
    kinds_of: tuple[tuple[Any, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        """Refuse a choice without values."""
        if not self.values:
            raise ParameterError("Choice: values must hold one value at least; there are none.")

    def suiting(self, kind: str) -> Range | None:
        """Return it with the values that make sense for a kind of records; None if there are none."""
        others = [value for value, kinds in self.kinds_of if kind not in kinds]
        values = tuple(value for value in self.values if value not in others)
        return replace(self, values=values, kinds_of=()) if values and super().suiting(kind) else None


SearchSpace = Mapping[str, Whole | Number | Choice]


def range_from_dict(document: Mapping[str, Any]) -> Any:
    """Return the range that :meth:`Range.to_dict` wrote."""
    name = documents.read(Literal["Whole", "Number", "Choice"], document.get("range"), "range")
    its = documents.read(
        {"Whole": Whole, "Number": Number, "Choice": Choice}[name],
        {k: v for k, v in document.items() if k != "range"},
        "range",
    )
    return replace(its, values=_from_json(list(its.values))) if isinstance(its, Choice) else its


def drawn(space: SearchSpace, rng: np.random.Generator) -> dict[str, Any]:
    """Return one setting of a space, drawn at random.

    Parameters
    ----------
    space : mapping of str to range
        By parameter.
    rng : numpy.random.Generator
        The only source of chance.
    """
    return {name: _one(among, rng) for name, among in space.items()}


def _one(among: Whole | Number | Choice, rng: np.random.Generator) -> Any:
    if isinstance(among, Choice):
        return among.values[int(rng.integers(len(among.values)))]
    low, high = (math.log(among.low), math.log(among.high)) if among.log else (among.low, among.high)
    value = float(rng.uniform(low, high))
    value = math.exp(value) if among.log else value
    return int(np.clip(round(value), among.low, among.high)) if isinstance(among, Whole) else value


def _ordered(low: float, high: float, log: bool) -> None:
    if not low <= high or (log and low <= 0):
        above = " and both above 0" if log else ""
        raise ParameterError(f"A range must go from low to high{above}; it goes from {low!r} to {high!r}.")


def _as_json(value: Any) -> Any:
    return [_as_json(item) for item in value] if isinstance(value, tuple) else value


def _from_json(value: Any) -> Any:
    return tuple(_from_json(item) for item in value) if isinstance(value, list) else value
