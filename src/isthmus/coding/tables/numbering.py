"""Numbers, and what stands in their place where there is none, as planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isthmus.coding.tables.planes import Form, Integers, Plane
from isthmus.coding.tables.scales import Scale

__all__ = ["NUMBER", "Numbering", "better_apart"]

NUMBER = -1  # instead of an exception
ONE_PLANE = 1 << 10  # values up to which numbers and exceptions share a plane in any case
RARELY = 32  # rows for each exception from which on they do so, however many numbers there are


@dataclass(frozen=True)
class Numbering:
    """How numbers and exceptions share planes.

    Parameters
    ----------
    scale : Scale
        Which numbers there are.
    exceptions : int, default=0
        How many things can stand in the place of a number.
    apart : bool, default=False
        Whether exceptions have a plane of their own. Otherwise they have the first values of the plane of numbers.
    variants : int, default=1
        In how many ways a number can be written. With one, there is no plane of them.
    """

    scale: Scale
    exceptions: int = 0
    apart: bool = False
    variants: int = 1

    @property
    def forms(self) -> list[Form]:
        """The planes: of exceptions, of numbers, of the ways in which they are written."""
        shared, where = (0, 0) if self.apart else (self.exceptions, None)
        found = [Form(size=self.exceptions + 1, ordered=False, name="exception")] if self.apart else []
        found.append(Form(size=shared + self.scale.size, ordered=True, name=self.scale.name, where=where))
        if self.variants > 1:
            found.append(Form(size=self.variants, ordered=False, name="variant", where=where))
        return found

    def planes(self, numbers: Integers, exceptions: Integers, variants: Integers, codes: Any = ...) -> list[Plane]:
        """Return the planes of numbers.

        Parameters
        ----------
        numbers : (m,)
            Of the scale; any ones where there is an exception.
        exceptions : (m,)
            Which exception there is, from 0; :data:`NUMBER` where there is none.
        variants : (m,)
            In which way the number is written.
        codes : (rows,), optional
            Which of these each row has; by default there is one for each row.
        """
        known = exceptions == NUMBER
        places, variants = np.where(known, self.scale.places(numbers), 0), np.where(known, variants, 0)
        if self.apart:
            values = [exceptions + 1, places, variants]
        else:
            values = [np.where(known, places + self.exceptions, exceptions), variants]
        return [form.filled(found[codes]) for form, found in zip(self.forms, values, strict=False)]

    def parted(self, values: Sequence[Integers]) -> tuple[Integers, Integers, Integers]:
        """Return of each row the place of its number on the scale, its exception, and its variant, given the planes."""
        if self.apart:
            places, exceptions = values[1], values[0] - 1
        else:
            known = values[0] >= self.exceptions
            places = np.where(known, values[0] - self.exceptions, 0)
            exceptions = np.where(known, NUMBER, values[0])
        return places, exceptions, values[-1] if self.variants > 1 else np.zeros_like(places)


def better_apart(scale: Scale, exceptions: int, share: float) -> bool:
    """Tell whether exceptions should have a plane of their own; ``share`` of the rows have one of them."""
    return exceptions > 0 and exceptions + scale.size > ONE_PLANE and share * RARELY > 1
