"""Summary of encoded data for the rest of the library: range, type, and a table's encoded columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from isthmus import documents

__all__ = ["Field", "ScaledSummary", "Summary"]

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Field:
    """One encoded column of a table.

    Parameters
    ----------
    kind : {"number", "mask", "category"}
        A standardised number; 1 where the number beside it was observed and 0 where it was missing; the whole-number
        code of a category, from 0 to ``size - 1``.
    index : int
        Its column in the encoded matrix.
    size : int
        The number of categories, the rare and the missing one included; 1 for numbers and masks.
    name : str
        The source's column, and which part of it this is: ``"born"``, ``"born (observed)"``, ``"born (sine of year)"``.
    mask : int, default=-1
        For a number that can be missing, the column of its mask in the encoded matrix.
    atoms : tuple of float, default=()
        For a number, the values that many records share, in encoded units, rising.
    """

    kind: str
    index: int
    size: int
    name: str
    mask: int = -1
    atoms: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """Statistics of the values, computed in one pass at fit.

    Parameters
    ----------
    kind : {"array", "image", "table", "text"}
        Of the data.
    low, high : ndarray of float64, shape (columns,) or (channels,)
        Smallest and largest value of each column of an array, each channel of pictures, each *number field* of a table
        (there in encoded units), exactly.
    mean, std : ndarray of float64, the same shape
        Mean and standard deviation (of the population). Of arrays and pictures with more than 4,096 records they come
        from an evenly spaced subset of at most that many; ``rescale("standard")`` uses exact ones.
    names : tuple of str
        What each is called in a message: ``"column 3"``, ``"column 'age'"``, ``"channel 0"``.
    integers : bool
        Whether all values are whole numbers below 2**24 in magnitude, or the dtype is an integer one.
    binary : bool
        Whether all values are 0 or 1.
    one_hot : bool
        Whether each row of an array has exactly one 1 and otherwise 0.
    dtype : str
        Of the source: ``"uint8"``, ``"float64"``, ``"mixed"`` for tables.
    atoms : bool, default=False
        Whether columns of an array have values that many records share.
    sequences : bool, default=False
        Whether records are sequences of symbols, to be read in their order: texts, unless the summary is from a file
        of an earlier version, whose networks know of places only.
    """

    kind: str
    low: Float64
    high: Float64
    mean: Float64
    std: Float64
    names: tuple[str, ...]
    integers: bool
    binary: bool
    one_hot: bool
    dtype: str
    atoms: bool = False
    sequences: bool = False

    def state(self) -> documents.State:
        """Return the summary as JSON values and arrays."""
        document = {
            "kind": self.kind,
            "names": list(self.names),
            "integers": self.integers,
            "binary": self.binary,
            "one_hot": self.one_hot,
            "dtype": self.dtype,
        }
        for name in ("atoms", "sequences"):  # earlier versions do not know of them
            if getattr(self, name):
                document[name] = True
        return document, {"low": self.low, "high": self.high, "mean": self.mean, "std": self.std}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Summary:
        """Return the summary that :meth:`state` wrote."""
        its = documents.read(_SummaryDocument, document, "summary")
        shape = documents.array(arrays, "low", (None,)).shape
        low, high, mean, std = (documents.array(arrays, name, shape) for name in ("low", "high", "mean", "std"))
        return cls(**its, low=low, high=high, mean=mean, std=std)


@dataclass(frozen=True, slots=True, eq=False)
class ScaledSummary:
    """A :class:`Summary` in scaled units, as the network sees the values.

    All are of float64 and broadcastable to one encoded record: shape (d,) for arrays and tables, (channels, 1, 1) for
    pictures, (1,) for texts.

    Parameters
    ----------
    low, high : ndarray
        Smallest and largest value found.
    std : ndarray
        Standard deviation; 0 where a column or channel is constant, and 1 of masks and categories.
    bottom, top : ndarray
        Ends of the range that values have by their scaling: 0 and 1 of "unit", -1 and 1 of "symmetric"; otherwise
        ``low`` and ``high``.
    """

    low: Float64
    high: Float64
    std: Float64
    bottom: Float64
    top: Float64


class _SummaryDocument(TypedDict):
    kind: Literal["array", "image", "table", "text"]
    names: tuple[str, ...]
    integers: bool
    binary: bool
    one_hot: bool
    dtype: str
    atoms: NotRequired[bool]
    sequences: NotRequired[bool]
