"""Scaling of the source's numbers to the range that a likelihood needs, as 32-bit floats, and back.

Two steps, of which the first is nearly always the identity::

    source --(x - offset) / unit--> encoded --(e - shift) * factor--> scaled
            on the host, float64              on the device, float32

A 32-bit float has 24 bits. *Centring* spends them on where a column's values lie rather than on their distance from
zero: whole numbers beyond 2**24, dates, and 64-bit floats in a narrow band far from zero lose their offset in 64-bit
arithmetic first. After it, a whole number is exact when it lies within 2**24 units of the offset; beyond that it is off
by at most 2**-24 of its distance from the offset. *Scaling* is the affine map that a likelihood's support asks for;
because the device does it, 8-bit data stay 8-bit in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import documents
from isthmus.checks.preprocessing import refuse_beyond_float32
from isthmus.errors import ArtifactError

__all__ = ["SCALINGS", "Centring", "affine", "one_quantity", "unit_range"]

SCALINGS = ("none", "unit", "symmetric", "standard", "common", "quantile")
EXACT = 1 << 24  # whole numbers up to here are exact in 32-bit floats
FAR = 16.0  # a float64 column is centred when its distance from zero exceeds this many times its width
LARGE, SMALL = 1e30, 1e-30  # widths beyond these are brought to about 1 by a power of two
LEAST_EXPONENT = -900  # of that power; narrower columns (there are none in practice) count as constant when scaled

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Centring:
    """The host's part, ``e = (x - offset) / unit``, for one or many columns.

    Parameters
    ----------
    dtype : numpy dtype
        Of the source.
    offset : ndarray, broadcastable to the records
        Of the source's dtype for whole numbers, otherwise float64.
    unit : ndarray, broadcastable to the records
        int64 for whole numbers (1 except for dates, whose unit is the day, hour, ... that all of them are multiples
        of), otherwise float64 powers of two.

    Attributes
    ----------
    identity : bool
        Whether centring changes nothing.
    """

    dtype: np.dtype[Any]
    offset: NDArray[Any]
    unit: NDArray[Any]
    identity: bool = field(init=False, repr=False)

    @classmethod
    def choose(cls, low: NDArray[Any], high: NDArray[Any], dtype: np.dtype[Any]) -> Centring:
        """Return the centring for columns with these ranges.

        Parameters
        ----------
        low, high : ndarray
            Smallest and largest value of each column, in the source's dtype (uint8 for booleans).
        dtype : numpy dtype
            Of the source.
        """
        with np.errstate(over="ignore"):
            largest = np.maximum(np.abs(low.astype(np.float64)), np.abs(high.astype(np.float64)))
            width = high.astype(np.float64) - low.astype(np.float64)
        if dtype.kind != "f":
            middle = low // 2 + high // 2  # their sum could overflow
            return cls(dtype, np.where(largest > EXACT, middle, 0).astype(dtype), np.ones(low.shape, np.int64))
        low, high = low.astype(np.float64), high.astype(np.float64)
        far = (largest / FAR > width) & (dtype.itemsize == 8)
        offset = np.where(far, low / 2 + high / 2, 0.0)
        reach = np.maximum(np.abs(low - offset), np.abs(high - offset))
        power = np.ldexp(1.0, np.maximum(np.frexp(reach)[1] - 1, LEAST_EXPONENT))
        unit = np.where((reach > LARGE) | ((reach < SMALL) & (reach > 0)), power, 1.0)
        return cls(dtype, offset, unit)

    def __post_init__(self) -> None:
        """See once whether anything changes: it is asked of every block."""
        object.__setattr__(self, "identity", not self.offset.any() and bool((self.unit == 1).all()))

    def centre(self, x: NDArray[Any]) -> Float64:
        """Return ``(x - offset) / unit`` in float64, for ``x`` of any real dtype.

        Differences of 64-bit integers are exact to the precision of float64 and cannot overflow.
        """
        if x.dtype.kind in "iu" and x.dtype.itemsize == 8 and self.offset.dtype.kind in "iu":
            upper = (x >> 20).astype(np.int64) - (self.offset >> 20).astype(np.int64)
            lower = (x & 0xFFFFF).astype(np.int64) - (self.offset & 0xFFFFF).astype(np.int64)
            difference = upper * 2.0**20 + lower
        else:
            difference = x.astype(np.float64) - self.offset.astype(np.float64)
        if (self.unit != 1).any():
            difference = difference / self.unit
        return np.asarray(difference, dtype=np.float64)

    def encode(self, x: NDArray[Any]) -> Float32:
        """Return ``(x - offset) / unit`` as float32; ``x`` itself where nothing changes.

        Raises
        ------
        DataError
            A value is beyond the range of float32.
        """
        with np.errstate(over="raise", under="ignore"):
            try:
                return (x if self.identity else self.centre(x)).astype(np.float32, copy=False)
            except FloatingPointError:
                refuse_beyond_float32()

    def decode(self, e: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """Return ``offset + unit * e`` in the source's dtype, rounded and clipped to its range where that is whole."""
        if self.dtype == bool:
            return e >= 0.5
        if self.dtype.kind == "f":
            return self._decode_float(e)
        if self.dtype.itemsize < 4 and self.identity:
            bounds = np.iinfo(self.dtype)
            whole = np.rint(e)
            return np.clip(whole, bounds.min, bounds.max, out=whole).astype(self.dtype)
        return self._decode_whole(e.astype(np.float64))

    def _decode_float(self, e: NDArray[np.floating[Any]]) -> NDArray[Any]:
        if not self.identity:
            with np.errstate(over="ignore"):
                e = e.astype(np.float64) * self.unit + self.offset
        if e.dtype.itemsize > self.dtype.itemsize or not self.identity:
            bounds = np.finfo(self.dtype)
            e = np.clip(e, bounds.min, bounds.max)
        return e.astype(self.dtype, copy=False)

    def _decode_whole(self, e: Float64) -> NDArray[Any]:
        bounds = np.iinfo(self.dtype)
        unit = self.unit.astype(np.int64)
        offset = np.asarray(self.offset)
        # The room above and below the offset: a float strictly below the rounded room is within the true one.
        above = np.array([bounds.max - int(o) for o in offset.flat], dtype=np.float64).reshape(offset.shape)
        below = np.array([int(o) - bounds.min for o in offset.flat], dtype=np.float64).reshape(offset.shape)
        steps = np.rint(e)
        distance = steps * unit
        too_high, too_low = distance >= above, -distance >= below
        reach = np.floor(np.nextafter(2.0**63, 0) / unit)
        steps = np.clip(steps, -reach, reach)
        # Modular arithmetic in 64 bits gives the right result for signed and unsigned dtypes alike.
        total = offset.astype(np.uint64 if self.dtype.kind == "u" else np.int64).view(np.uint64)
        total = total + (steps.astype(np.int64) * unit).view(np.uint64)
        whole = total.view(np.int64 if self.dtype.kind == "i" else np.uint64)
        return np.where(too_high, bounds.max, np.where(too_low, bounds.min, whole)).astype(self.dtype)

    def state(self) -> documents.State:
        """Return the centring as JSON values and arrays."""
        return {"dtype": self.dtype.name}, {"offset": self.offset, "unit": self.unit}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Centring:
        """Return the centring that :meth:`state` wrote."""
        name = documents.read(str, documents.read(dict[str, Any], document, "centring").get("dtype"), "centring.dtype")
        if not documents.is_number_type(name):
            raise ArtifactError(f"centring.dtype must be a type of numbers; it is {name[:40]!r}")
        for part in ("offset", "unit"):
            if part not in arrays or arrays[part].dtype.kind not in "biuf":
                raise ArtifactError(f"its array {part!r} must hold numbers")
        documents.check_finite({"offset": arrays["offset"], "unit": arrays["unit"]})
        if not (arrays["unit"] > 0).all():
            raise ArtifactError("its array 'unit' must be above 0")
        return cls(np.dtype(name), arrays["offset"], arrays["unit"])


def unit_range(low: Float64, high: Float64, dtype: str, *, integers: bool) -> tuple[Float64, Float64, str]:
    """Return the interval that ``"unit"`` maps to [0, 1], for each column or channel.

    The rules, in order:

    1. A column within [0, 1] is left as it is: the interval is [0, 1].
    2. ``uint8`` and ``uint16``: from 0 to the dtype's largest value; but to the largest value *found* when that is at
       most a quarter of the dtype's (16 levels stored in 8 bits, 12-bit photographs stored in 16).
    3. Other whole numbers share one interval, from the smallest to the largest value, when half of the columns that
       vary span at least half of it: then they are one quantity, such as pixels or counts, and not a table of several.
    4. Otherwise each column has its own interval, from its smallest to its largest value.

    Parameters
    ----------
    low, high : ndarray of float64, shape (columns,)
        Smallest and largest value of each column or channel.
    dtype : str
        Of the source.
    integers : bool
        Whether all values are whole numbers.

    Returns
    -------
    start, end : ndarray of float64, shape (columns,)
        The interval; ``start == end`` where a column is constant.
    note : str
        A sentence where rule 2 took the largest value found; empty otherwise.
    """
    within = (low >= 0) & (high <= 1)
    if within.all():
        return np.zeros_like(low), np.ones_like(high), ""
    if dtype in ("uint8", "uint16"):
        limit, found = np.iinfo(dtype).max, float(high.max())
        if found * 4 > limit:
            return np.zeros_like(low), np.full_like(high, limit), ""
        note = f"the {dtype} values reach {found:g} of {limit}: [0, {found:g}] is taken as their full scale"
        return np.zeros_like(low), np.full_like(high, found), note
    if integers and _share_one_scale(low, high):
        return np.full_like(low, low.min()), np.full_like(high, high.max()), ""
    return np.where(within, 0.0, low), np.where(within, 1.0, high), ""


def one_quantity(low: NDArray[Any], high: NDArray[Any]) -> bool:
    """Return whether columns hold one quantity, as pixels do: one width, or all of them within [0, 1] or in 8 bits."""
    if low.dtype in (np.uint8, np.uint16):
        return True
    low, high = low.astype(np.float64), high.astype(np.float64)
    within = bool((low >= 0).all() and (high <= 1).all())
    return len(low) > 1 and (within or _share_one_scale(low / 4, high / 4))  # a quarter: no width overflows


def _share_one_scale(low: Float64, high: Float64) -> bool:
    width = high - low
    varying = width[width > 0]
    return bool(varying.size and np.median(varying) * 2 >= high.max() - low.min())


def affine(scaling: str, start: Float64, end: Float64, mean: Float64, std: Float64) -> tuple[Float64, Float64]:
    """Return shift and factor of ``(x - shift) * factor`` in the source's units.

    Parameters
    ----------
    scaling : {"none", "unit", "symmetric", "standard", "common"}
        To leave the values, to map [start, end] to [0, 1] or to [-1, 1], to mean 0 and standard deviation 1, or to mean
        0 and, by one factor for all, a mean square deviation of 1.
    start, end, mean, std : ndarray of float64, one shape
        Of each column or channel.

    Returns
    -------
    shift, factor : ndarray of float64, the same shape
        The factor is 1 where a column is constant.
    """
    if scaling == "none":
        return np.zeros_like(mean), np.ones_like(mean)
    if scaling == "standard":
        return mean.copy(), _reciprocal(std)
    if scaling == "common":
        largest = max(float(std.max()), np.finfo(np.float64).tiny)  # divided out, so that no square overflows
        return mean.copy(), _reciprocal(np.full_like(std, largest * np.sqrt(np.mean((std / largest) ** 2))))
    with np.errstate(over="ignore"):
        width = end - start
    if scaling == "unit":
        return start.copy(), _reciprocal(width)
    return start / 2 + end / 2, _reciprocal(width / 2)


def _reciprocal(width: Float64) -> Float64:
    usable = (width > 2.0**LEAST_EXPONENT) & np.isfinite(width)
    return np.divide(1.0, width, out=np.ones_like(width), where=usable)
