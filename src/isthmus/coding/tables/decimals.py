"""Numbers as they are written: decimals whose places are fixed, follow from the value, or are coded beside it.

What is known of a column is enough to write each of its numbers again; a cell of which that is not true is no number
here. So "007", "+1", "-0" and "1e5" are numbers only where their column writes all numbers so that they come back.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source, varint
from isthmus.coding.tables.distinct import Distinct
from isthmus.coding.tables.notation import Reading, digits_of, matrix_of, texts_of
from isthmus.coding.tables.packing import at_most, read_string, string

__all__ = ["Decimals"]

MARKS = (b".", b",")
MOST_DIGITS = 18  # of a number: 10^18 is below 2^63
LONGEST = MOST_DIGITS + 2  # characters of one
LARGEST = (1 << 62) - 1
LONGEST_AFFIX = 32  # characters before or behind all numbers of a column
FEW, RARE = 8, 8  # numbers written otherwise than by a rule, to which that is no reason to code for each how it is
BITS_OF_CHARACTER = 4  # that a cell takes which is listed, about
LOOKED_AT = 256  # cells that tell how the others are written
NUMBER = re.compile(rb"(\D*?)(-?)(\d*)(?:([.,])(\d+))?(\D*)", re.DOTALL)
POWERS = 10 ** np.arange(MOST_DIGITS + 1, dtype=np.int64)
MINUS, ZERO = b"-"[0], b"0"[0]
FIXED, SHORTEST, POINTED = range(3)
RULES = (FIXED, SHORTEST, POINTED)

Numbers = NDArray[np.int64]
T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class Decimals:
    """How the numbers of a column are written.

    Parameters
    ----------
    prefix, suffix : bytes, default=b""
        What stands before and behind each: a currency, a unit.
    mark : {b".", b","}, default=b"."
        The decimal mark.
    whole : int, default=1
        Digits before the mark, at least: zeros are put in front.
    places : int, default=0
        Digits behind the mark, at most; values are counted in units of the last of them.
    rule : {0, 1, 2}, default=0
        How many of them are written: all; none that are zeros at the end; the same, but at least one.
    varying : bool, default=False
        Whether some numbers do not follow the rule; their variant says how many more places they have, modulo
        ``places + 1``.
    """

    prefix: bytes = b""
    suffix: bytes = b""
    mark: bytes = b"."
    whole: int = 1
    places: int = 0
    rule: int = FIXED
    varying: bool = False

    @property
    def variants(self) -> int:
        """Ways to write a number."""
        return self.places + 1 if self.varying else 1

    # -------------------------------------------------------------- reading

    @classmethod
    def of(cls, column: Distinct) -> Reading | None:
        """Return the cells of a column as numbers; None where they are not written like numbers."""
        guess = cls._guessed(column.cells)
        if guess is None:
            return None
        values, places, fits = _parsed(guess._bare(column.cells), guess.mark)
        most, fits = _best_places(values, places, fits, column.cells)
        values, places = _in_units(values, places, fits, most)
        notation, variants = replace(guess, places=most)._ruled(values, places, column.counts * fits)
        return Reading(notation, values, variants, fits).confirmed(column.cells)

    def reading(self, cells: Sequence[bytes]) -> Reading:
        """Return cells as numbers that are written in this notation."""
        values, places, fits = _parsed(self._bare(cells), self.mark)
        fits &= _fit(values, places, fits, self.places)
        values, places = _in_units(values, places, fits, self.places)
        variants = (places - self._expected(values)) % (self.places + 1) * self.varying
        return Reading(self, values, variants, fits).confirmed(cells)

    @classmethod
    def _guessed(cls, cells: Sequence[bytes]) -> Self | None:
        """Return what some cells let one expect of the others."""
        some = [cell for cell in cells[:: len(cells) // LOOKED_AT + 1] if len(cell) <= LONGEST + 2 * LONGEST_AFFIX]
        numbers = [found.groups() for cell in some if (found := NUMBER.fullmatch(cell)) and (found[3] or found[5])]
        if not numbers:
            return None
        (prefix, suffix), count = Counter((before, behind) for before, *_, behind in numbers).most_common(1)[0]
        if 2 * count <= len(some) or max(len(prefix), len(suffix)) > LONGEST_AFFIX:
            return None
        mark = _commonest([mark for _, _, _, mark, _, _ in numbers if mark] or [MARKS[0]])
        zeros = [len(whole) for _, _, whole, *_ in numbers if whole[:1] in (b"", b"0")]
        return cls(prefix, suffix, mark, _commonest(zeros or [1]))

    def _bare(self, cells: Sequence[bytes]) -> Sequence[bytes]:
        """Return cells without what stands before and behind numbers; none of those in which that is something else."""
        if not (self.prefix or self.suffix):
            return cells
        return [
            cell.removeprefix(self.prefix).removesuffix(self.suffix)
            if cell.startswith(self.prefix) and cell.endswith(self.suffix)
            else b""
            for cell in cells
        ]

    def _ruled(self, values: Numbers, places: Numbers, weights: Numbers) -> tuple[Self, Numbers]:
        """Return the notation with the rule that most rows follow, and the variants of numbers."""
        guesses = [replace(self, rule=rule) for rule in RULES]
        misfits = [(places - guess._expected(values)) % (self.places + 1) for guess in guesses]
        best = int(np.argmin([weights[misfit != 0].sum() for misfit in misfits]))
        count = int(np.count_nonzero(misfits[best] * weights))
        total = int(np.count_nonzero(weights))
        varying = count > min(FEW, total // 4) and RARE * count > total
        return replace(guesses[best], varying=varying), misfits[best] * varying

    # -------------------------------------------------------------- writing

    def cells(self, values: Numbers, variants: Numbers) -> list[bytes]:
        """Return numbers as they are written."""
        places = (self._expected(values) + variants) % (self.places + 1)
        found = [b""] * len(values)
        for count in np.flatnonzero(np.bincount(places)).tolist():
            rows = np.flatnonzero(places == count)
            written = self._written(values[rows], count)
            if len(rows) == len(values):
                found = written
                break
            for row, cell in zip(rows.tolist(), written, strict=True):
                found[row] = cell
        return [self.prefix + cell + self.suffix for cell in found] if self.prefix or self.suffix else found

    def _expected(self, values: Numbers) -> Numbers:
        """Return the places that numbers have by the rule."""
        if self.rule == FIXED or not self.places:
            return np.full(len(values), self.places)
        shortest = self.places - _trailing_zeros(values, self.places)
        return shortest if self.rule == SHORTEST else np.maximum(shortest, 1)

    def _written(self, values: Numbers, places: int) -> list[bytes]:
        """Return numbers with so many places, without what stands around them."""
        magnitudes = np.abs(values) // POWERS[self.places - places]
        least = places + (self.whole if places else max(self.whole, 1))
        counts = np.maximum(np.searchsorted(POWERS, magnitudes, side="right"), least)
        width = int(counts.max())
        digits = digits_of(magnitudes, width)
        kept = np.arange(width)[::-1, None] < counts
        minus, mark = np.full((1, len(values)), MINUS), np.full((int(places > 0), len(values)), self.mark[0])
        point = width - places
        return texts_of(
            np.vstack([minus, digits[:point], mark, digits[point:]]).astype(np.uint8),
            np.vstack([values < 0, kept[:point], mark > 0, kept[point:]]),
        )

    def to_bytes(self) -> bytes:
        """Return what is known of the column."""
        style = (MARKS.index(self.mark) * len(RULES) + self.rule) * 2 + self.varying
        return string(self.prefix) + string(self.suffix) + varint(self.whole) + varint(self.places) + varint(style)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what :meth:`to_bytes` wrote."""
        prefix, suffix = read_string(source, LONGEST_AFFIX), read_string(source, LONGEST_AFFIX)
        whole = at_most(source, LONGEST + 2 * LONGEST_AFFIX, "digits before a mark")
        places = at_most(source, MOST_DIGITS, "places behind a mark")
        style = at_most(source, 2 * len(RULES) * len(MARKS) - 1, "as the number of a rule for places")
        mark, rule = divmod(style >> 1, len(RULES))
        return cls(prefix, suffix, MARKS[mark], whole, places, rule, bool(style & 1))


def _commonest(items: Iterable[T]) -> T:
    return Counter(items).most_common(1)[0][0]


def _parsed(cells: Sequence[bytes], mark: bytes) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """Return cells as whole numbers, without their mark; the digits behind it; and which of them are numbers: (m,)."""
    characters, lengths = matrix_of(cells, LONGEST)
    digits = characters - np.uint8(ZERO)
    is_digit, is_mark = digits < 10, characters == mark[0]
    negative = characters[0] == MINUS
    n_digits, n_marks = is_digit.sum(0), is_mark.sum(0)
    fits = (n_digits + n_marks + negative == lengths) & (n_marks <= 1) & (n_digits >= 1) & (n_digits <= MOST_DIGITS)
    values = np.zeros(len(cells), np.int64)
    for digit, there in zip(digits, is_digit, strict=True):
        values = np.where(there, 10 * values + digit, values)
    places = np.where(n_marks == 1, lengths - 1 - is_mark.argmax(0), 0)
    return np.where(negative, -values, values), places, fits


def _best_places(
    values: Numbers, places: Numbers, fits: NDArray[np.bool_], cells: Sequence[bytes]
) -> tuple[int, NDArray[np.bool_]]:
    """Return how many places numbers best have, and which cells then are numbers.

    A few numbers with many more places than the others are better listed as cells than a reason to count in units that
    hardly any other needs. What is compared is how many bits it takes to say which numbers there are.
    """
    lengths = np.fromiter(map(len, cells), np.int64, len(cells))
    best, best_cost, best_fits = 0, math.inf, fits
    for most in np.flatnonzero(np.bincount(places[fits])).tolist():
        those = _fit(values, places, fits, most)
        found = values[those] * POWERS[most - places[those]]
        span, count = int(found.max()) - int(found.min()) + 1, len(found)
        cost = count * math.log2(max(1.0, span / count)) + ((lengths[~those] + 1) * BITS_OF_CHARACTER).sum()
        if cost < best_cost:
            best, best_cost, best_fits = most, cost, those
    return best, best_fits


def _fit(values: Numbers, places: Numbers, fits: NDArray[np.bool_], most: int) -> NDArray[np.bool_]:
    """Return which numbers have at most so many places, and can be counted in units of the last of them."""
    those = fits & (places <= most)
    return those & (np.abs(values) <= LARGEST // POWERS[np.where(those, most - places, 0)])


def _in_units(values: Numbers, places: Numbers, fits: NDArray[np.bool_], most: int) -> tuple[Numbers, Numbers]:
    """Return numbers in units of the last place, and how many places they have; of what is none 0 and all."""
    places = np.where(fits, places, most)
    return np.where(fits, values * POWERS[most - places], 0), places


def _trailing_zeros(values: Numbers, most: int) -> Numbers:
    """Return how many zeros numbers end with, but not more than so many."""
    zeros = np.zeros(len(values), np.int64)
    for count in range(1, most + 1):
        zeros[values % POWERS[count] == 0] = count
    return zeros
