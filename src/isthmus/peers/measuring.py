"""What a codec makes of files: bytes, times, and whether all of it comes back."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from isthmus.peers.codecs import EXACT, WITHIN, Codec
from isthmus.peers.samples import Sample, differs

__all__ = ["LeftOut", "Measured", "measured", "timed"]

RUNS = 3
SECONDS = 4.0  # after which nothing is run again
FAILURES = (
    ValueError,
    TypeError,
    RuntimeError,
    OSError,
    KeyError,
)  # that libraries raise of data which they do not take

Found = TypeVar("Found")


@dataclass(frozen=True)
class Measured:
    """What a codec made of files.

    Parameters
    ----------
    tool : str
        Its name.
    compressed_bytes : int
        Of all of them, each alone.
    encode_seconds, decode_seconds : float
        Medians over the runs, of all files.
    max_error : float
        How far a number is off, at most; 0 where all came back bit for bit.
    version : str
        Of the package that brings the codec.
    """

    tool: str
    compressed_bytes: int
    encode_seconds: float
    decode_seconds: float
    max_error: float
    version: str


class LeftOut(Exception):  # noqa: N818 - that a codec does not take some data is no error
    """A codec does not take the data, or did not give them back: why, as a clause about it."""


def measured(codec: Codec, samples: Sequence[Sample]) -> Measured:
    """Encode files and decode them again, each alone and more than once, and compare.

    Parameters
    ----------
    codec : Codec
        One that is installed.
    samples : sequence of Sample
        The files; codecs that are exact do not look at their bounds.

    Raises
    ------
    LeftOut
        It does not take these data, or other data came back than it was given.
    """
    coder, is_within = codec.load(), codec.does == WITHIN
    try:
        forms = [sample.form(codec.takes or sample.kind) for sample in samples]  # which is no work of the codec
        packed, encoding = timed(lambda: [coder.encode(one, one.bound if is_within else None) for one in samples])
        pairs = list(zip(packed, samples, strict=True))
        again, decoding = timed(lambda: [coder.decode(one, sample) for one, sample in pairs])
    except FAILURES as error:
        raise LeftOut(f"does not take these data ({_first_line(error)})") from error
    most = max((_error(*both) for both in zip(forms, again, strict=True)), default=0.0)
    if codec.does == EXACT and most:
        raise LeftOut("gave back other data than it was given")
    if most == math.inf:
        raise LeftOut("gave back other values that are not finite")
    return Measured(codec.name, sum(map(len, packed)), encoding, decoding, most, codec.version)


def timed(work: Callable[[], Found]) -> tuple[Found, float]:
    """Return what some work gives, and the median of the seconds that it takes in three runs, or in fewer long ones."""
    took: list[float] = []
    while len(took) < RUNS and sum(took) < SECONDS:
        started = time.perf_counter()
        found = work()
        took.append(time.perf_counter() - started)
    return found, statistics.median(took)


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:120] if lines else type(error).__name__


def _error(one: Any, other: Any) -> float:
    """Return how far numbers are off, at most; infinity where anything else is not as it was."""
    if not differs(one, other):
        return 0.0
    if not isinstance(one, np.ndarray) or one.dtype != other.dtype or one.shape != other.shape:
        return math.inf
    return _largest_difference(one, other)


def _largest_difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    if one.dtype.kind not in "iufc":
        return math.inf
    usual = np.isfinite(one)
    if one[~usual].tobytes() != other[~usual].tobytes():
        return math.inf
    wide = np.complex128 if one.dtype.kind == "c" else np.longdouble
    return float(np.abs(one[usual].astype(wide) - other[usual].astype(wide)).max(initial=0))
