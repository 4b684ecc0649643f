"""Dates and times of one fixed pattern as whole numbers: days, seconds or fractions of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.container import Source
from isthmus.coding.tables.distinct import Distinct
from isthmus.coding.tables.notation import ZERO, Reading, digits_of, matrix_of
from isthmus.coding.tables.packing import read_string, string
from isthmus.coding.tables.planes import Integers

__all__ = ["Moments"]

FIELDS = b"YMDhmsf"  # year, month, day, hour, minute, second, digits of its fraction
LONGEST = 40  # characters
LOOKED_AT = 256  # cells that tell how the others are written
MOMENT = re.compile(
    rb"(?P<date>(?P<year>\d{4})(?P<mark>[-/.])\d\d(?P=mark)\d\d|\d\d(?P<mark2>[-/.])\d\d(?P=mark2)\d{4})?"
    rb"(?P<between>[ T])?(?P<time>\d\d:\d\d(?P<seconds>:\d\d(?P<point>[.,])?(?P<fraction>(?(point)\d{1,9}|)))?)?"
    rb"(?P<zone>[A-Z ]{0,4}|[+-]\d\d:?\d\d)"
)
FURTHEST = 4_000_000  # days before and after 1970 that have a year of four digits, about

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Moments:
    """How the dates and times of a column are written.

    Parameters
    ----------
    picture : bytes
        A cell in which the digits are letters: ``YYYY-MM-DD hh:mm:ss.ff``.
    """

    picture: bytes
    variants = 1

    @classmethod
    def of(cls, column: Distinct) -> Reading | None:
        """Return the cells of a column as days since 1970, or seconds, or their fractions; None where they are none."""
        some = column.cells[:: len(column.cells) // LOOKED_AT + 1]
        pictures = Counter(picture for cell in some for picture in _pictures(cell)).most_common(2)
        readings = [cls(picture).reading(column.cells) for picture, count in pictures if 2 * count > len(some)]
        return max(readings, key=lambda reading: int(reading.known.sum()), default=None)

    def reading(self, cells: Sequence[bytes]) -> Reading:
        """Return cells that look like the picture as numbers."""
        width = len(self.picture)
        characters, lengths = matrix_of(cells, width)
        if len(characters) < width:
            return Reading(self, lengths, lengths, np.zeros(len(cells), bool))
        digits = (characters - np.uint8(ZERO)).astype(np.int64)
        known = (lengths == width) & (digits[self._is_digit] < 10).all(0)
        fields = [self._number(digits, field) for field in FIELDS]
        values = np.where(known, self._counted(fields), 0)
        return Reading(self, values, np.zeros_like(values), known).confirmed(cells)

    def cells(self, values: Integers, variants: Integers) -> list[bytes]:
        """Return dates and times as they are written."""
        found = np.repeat(np.frombuffer(self.picture, np.uint8)[:, None], len(values), 1)
        for field, numbers in zip(FIELDS, self._fields(values.astype(np.int64)), strict=True):
            places = self._places(field)
            found[places] = digits_of(numbers, len(places))
        return np.ascontiguousarray(found.T).view(f"S{len(self.picture)}").ravel().tolist()

    def _places(self, field: int) -> NDArray[np.int64]:
        """Return where the digits of a field stand."""
        return np.flatnonzero(np.frombuffer(self.picture, np.uint8) == field)

    @cached_property
    def _is_digit(self) -> NDArray[np.bool_]:
        return np.isin(np.frombuffer(self.picture, np.uint8), list(FIELDS))

    @cached_property
    def _parts(self) -> int:
        """In how many parts a second is divided."""
        return 10 ** len(self._places(b"f"[0]))

    def _number(self, digits: Numbers, field: int) -> Numbers:
        """Return the number that the digits of a field make; 0 where there is no such field."""
        value = np.zeros(digits.shape[1], np.int64)
        for place in self._places(field):
            value = 10 * value + digits[place]
        return value

    def _counted(self, fields: Sequence[Numbers]) -> Numbers:
        """Return dates and times as days, or seconds or parts of them if the picture has a time."""
        year, month, day, hour, minute, second, part = fields
        if b"Y" in self.picture:
            months = (12 * (year - 1970) + month - 1).view("datetime64[M]")
            days = months.astype("datetime64[D]").view(np.int64) + day - 1
        else:
            days = np.zeros_like(year)
        if b"h" not in self.picture:
            return days
        return (((24 * days + hour) * 60 + minute) * 60 + second) * self._parts + part

    def _fields(self, values: Numbers) -> list[Numbers]:
        """Return what :meth:`_counted` was given."""
        seconds, part = np.divmod(values, self._parts)
        days, seconds = np.divmod(seconds, 86_400) if b"h" in self.picture else (seconds, np.zeros_like(seconds))
        if b"Y" not in self.picture:  # as hours, of which there may be more than a day has
            days, seconds = np.zeros_like(days), seconds + 86_400 * days
        date = np.clip(days, -FURTHEST, FURTHEST).view("datetime64[D]")
        first = date.astype("datetime64[M]")
        years, month = np.divmod(first.view(np.int64), 12)
        day = (date - first.astype("datetime64[D]")).view(np.int64)
        minutes, second = np.divmod(seconds, 60)
        hour, minute = np.divmod(minutes, 60)
        return [years + 1970, month + 1, day + 1, hour, minute, second, part]

    def to_bytes(self) -> bytes:
        """Return the picture."""
        return string(self.picture)

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what :meth:`to_bytes` wrote."""
        found = cls(read_string(source, LONGEST))
        if any(found.picture.count(field) > 9 for field in (b"Y", b"f")) or not found._is_digit.any():
            raise source.damaged("the dates of a column are written as none are")
        return found


def _pictures(cell: bytes) -> Iterator[bytes]:
    """Yield what the picture of a date or a time may be; 01/02/2020 is in January or in February."""
    found = MOMENT.fullmatch(cell) if len(cell) <= LONGEST else None
    if found is None or not (found["date"] or found["time"]):
        return
    mark = found["mark"] or found["mark2"]
    dates = [b""]
    if found["date"]:
        orders = [(b"YYYY", b"MM", b"DD")] if found["year"] else [(b"DD", b"MM", b"YYYY"), (b"MM", b"DD", b"YYYY")]
        dates = [mark.join(order) for order in orders]
    time = b""
    if found["time"]:
        time = b"hh:mm" + (b":ss" if found["seconds"] else b"") + (found["point"] or b"")
        time += b"f" * len(found["fraction"] or b"")
    for date in dates:
        yield date + (found["between"] or b"") + time + found["zone"]
