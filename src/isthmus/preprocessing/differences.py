"""Differences of records from the data of the fit, counted while they are encoded, one sentence a kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Differences", "count_beyond", "count_fractions", "limits_of", "range_of", "shown"]

NAMED = 3  # columns that a sentence names, those with the most; the others are counted
EXAMPLES = 3  # values that are shown of a column
WIDEST = 40  # characters of a name or a value that are shown

Float64 = NDArray[np.float64]
Limits = tuple[str, Float64, Float64]

# By kind, in the order in which they are told: what one is called, and what is said of one and of several.
SENTENCES = {
    "beyond": ("value", "lies beyond those of the fit", "lie beyond those of the fit"),
    "far": (
        "value",
        "lies far beyond those of the fit, where nothing was learned",
        "lie far beyond those of the fit, where nothing was learned",
    ),
    "between": (
        "cell",
        "holds a number that the fit, which had few, did not have, and comes back as the nearest one",
        "hold numbers that the fit, which had few, did not have, and come back as the nearest one",
    ),
    "fractions": (
        "value",
        "has a fraction, where all of the fit were whole numbers",
        "have a fraction, where all of the fit were whole numbers",
    ),
    "unseen": (
        "cell",
        "holds a category that the fit did not have, and is read as a rare one",
        "hold categories that the fit did not have, and are read as rare ones",
    ),
    "rare": (
        "cell",
        "holds a category that was rare in the fit or is new, and is read as one with all of these",
        "hold categories that were rare in the fit or are new, and are read as one",
    ),
    "empty number": (
        "cell",
        "is empty, where the fit had no empty ones, and is read as the mean of its column",
        "are empty, where the fit had no empty ones, and are read as the mean of their column",
    ),
    "empty category": (
        "cell",
        "is empty, where the fit had no empty ones, and is read as a rare category",
        "are empty, where the fit had no empty ones, and are read as a rare category",
    ),
    "empty boolean": (
        "cell",
        "is empty, where the fit had no empty ones, and is read as 0",
        "are empty, where the fit had no empty ones, and are read as 0",
    ),
    "boolean": (
        "cell",
        "is neither 0 nor 1, as all of the fit were, and is read as the nearer one",
        "are neither 0 nor 1, as all of the fit were, and are read as the nearer one",
    ),
    "constant": (
        "cell",
        "differs from the one value that its column had in the fit, and is not looked at",
        "differ from the one value that their column had in the fit, and are not looked at",
    ),
    "finer": (
        "date",
        "is finer than the unit of the fit's, to which it is cut",
        "are finer than the unit of the fit's, to which they are cut",
    ),
    "zone": (
        "date",
        "has a time zone and those of the fit have none, or the other way round, and is read as universal time",
        "have a time zone and those of the fit have none, or the other way round, and are read as universal time",
    ),
    "long": (
        "text",
        "is longer than those of the fit, and is cut",
        "are longer than those of the fit, and are cut",
    ),
}
CLIPPED = (" and comes back clipped to them", " and come back clipped to them")  # where records are given back


@dataclass
class _Found:
    """What was found of one kind in one column."""

    count: int = 0
    about: str = ""
    examples: list[str] = field(default_factory=list)

    @property
    def told(self) -> str:
        """What is told beside the count: what the fit had there, or values found."""
        return self.about or ", ".join(self.examples)


class Differences:
    """Counts of values that differ from the data of the fit, merged over blocks.

    Attributes
    ----------
    records : int
        How many were looked at.
    """

    def __init__(self) -> None:
        self.records = 0
        self._found: dict[str, dict[str, _Found]] = {}

    def add(self, kind: str, place: str, count: int, about: str = "", examples: Iterable[Any] = ()) -> None:
        """Count some more.

        Parameters
        ----------
        kind : str
            Of :data:`SENTENCES`.
        place : str
            Where, such as ``"column 'age'"``; empty where there is one place only.
        count : int
            How many; of none nothing is kept.
        about : str, default=""
            What the fit had there, such as ``"18 to 90"``.
        examples : iterable, default=()
            Values found; it is not looked into once there are enough.
        """
        if not count:
            return
        its = self._found.setdefault(kind, {}).setdefault(place, _Found(about=about))
        its.count += int(count)
        if len(its.examples) < EXAMPLES:
            its.examples = list(dict.fromkeys([*its.examples, *map(shown, examples)]))[:EXAMPLES]

    def sentences(self, *, returned: bool) -> list[str]:
        """Return what was found, a sentence a kind.

        Parameters
        ----------
        returned : bool
            Whether records were given back, within the range of the fit.
        """
        return [self._sentence(kind, returned) for kind in SENTENCES if kind in self._found]

    def _sentence(self, kind: str, returned: bool) -> str:
        noun, one, several = SENTENCES[kind]
        found = sorted(self._found[kind].items(), key=lambda item: -item[1].count)
        total = sum(its.count for _, its in found)
        clause = one if total == 1 else several
        clause += CLIPPED[total != 1] if kind == "beyond" and returned else ""
        what = f"{total:,} {noun}{'' if total == 1 else 's'} {clause}"
        of = f"of {self.records:,} record{'' if self.records == 1 else 's'}"
        if len(found) == 1:
            name, its = found[0]
            return f"{what}{f', in {name}' if name else ''} ({f'{its.told}; ' if its.told else ''}{of})"
        places = [f"{its.count:,} in {name}{f' ({its.told})' if its.told else ''}" for name, its in found[:NAMED]]
        if others := found[NAMED:]:
            places.append(f"{sum(its.count for _, its in others):,} in {len(others):,} more")
        return f"{what}: {', '.join(places)} ({of})"


def limits_of(summary: Any, start: Float64, end: Float64, *, bounded: bool) -> Limits:
    """Return what values beyond some limits are, and the limits of each column or channel.

    Whole numbers come back within the range of the fit, and other numbers within the interval that a bounded likelihood
    has. Nothing bounds the others, and new records always go a little beyond the old ones: these are told of only where
    they are farther out than the fit's are apart.

    Parameters
    ----------
    summary : Summary
        Of the fit.
    start, end : ndarray
        The interval of values that is one full scale, see :func:`isthmus.preprocessing.scaling.unit_range`.
    bounded : bool
        Whether values are brought into that interval.
    """
    low, high = summary.low, summary.high
    if summary.integers:
        return "beyond", low, high
    if bounded:
        return "beyond", start, end
    with np.errstate(over="ignore"):
        width = high - low
        return "far", low - width, high + width


def count_beyond(
    differences: Differences, rows: NDArray[Any], limits: tuple[str, Float64, Float64], summary: Any
) -> None:
    """Count the numbers of rows (b, columns) that lie outside the limits of each column.

    Looked at closely are only blocks in which there are any: the extremes of a block are found at the speed of memory.
    """
    kind, low, high = limits
    if not rows.size or (rows.dtype == np.uint8 and low.max() <= 0 and high.min() >= 255):
        return
    least, most = _extremes(rows)
    if least >= low.max() and most <= high.min():
        return
    several = len(low) > 1
    for column in np.flatnonzero((rows.min(axis=0) < low) | (rows.max(axis=0) > high)):
        its = rows[:, column]
        count = int(((its < low[column]) | (its > high[column])).sum())
        ends = summary.low[column], summary.high[column]
        its_kind = kind if ends[0] < ends[1] else "beyond"  # a constant comes back as it was
        differences.add(its_kind, summary.names[column] if several else "", count, range_of(*ends))


def _extremes(rows: NDArray[Any]) -> tuple[Any, Any]:
    """Return the smallest and the largest number, NaN where one is; of 32-bit floats in one look, on all threads."""
    if rows.dtype == np.float32 and rows.flags.c_contiguous and rows.flags.writeable:
        import torch  # not with the module, which commands load that need no torch

        least, most = torch.aminmax(torch.from_numpy(rows))
        return least.item(), most.item()
    return rows.min(), rows.max()


def count_fractions(differences: Differences, rows: NDArray[Any], summary: Any) -> None:
    """Count the numbers of rows (b, columns) that are not whole, where the source had a type of whole numbers."""
    if rows.dtype.kind != "f" or np.dtype(summary.dtype).kind == "f":
        return
    odd = (rows != np.rint(rows)).sum(axis=0)
    for column in np.flatnonzero(odd):
        differences.add("fractions", summary.names[column] if len(odd) > 1 else "", int(odd[column]))


def range_of(low: Any, high: Any) -> str:
    """Return two ends as a person writes them."""
    low, high = (f"{end:.6g}" if isinstance(end, float | np.floating) else str(end) for end in (low, high))
    return low if low == high else f"{low} to {high}"


def shown(value: Any) -> str:
    """Return a name or a value of somebody else's as it is shown: in quotes, escaped, and cut."""
    text = repr(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 4]}...{text[0]}"
