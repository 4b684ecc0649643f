"""The coder of whole numbers that tables, arrays and pictures are coded with: the compiled one, or the norm.

Both give the same bytes. The compiled one is checked when it is first asked for, as that of bytes is; the norm is some
hundreds of times slower.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.learned import Start, from_native, from_norm, into_norm
from isthmus.coding.reference.arithmetic import Bytes
from isthmus.coding.reference.values import ValueCoder as Norm
from isthmus.coding.scheme import LARGEST, Context, Feature, Scheme, Selector, Tap, Term, logarithmic

__all__ = ["ValueCoder", "Values", "is_compiled"]

Values = NDArray[np.int64]

# Of the payloads of the self-test, as the norm gives them.
SELF_TEST = "453821b8331f82bf84ae358a20a4a523ce7603a0a121ab4cf5064e67b6eb4f5c"


class ValueCoder:
    """Sequences of whole numbers to payloads and back; what it learned from one serves the next.

    Parameters
    ----------
    scheme : Scheme
        How values are predicted. A decoder needs the encoder's.
    sides : int, default=0
        Sequences beside the values, which a decoder has already.

    Raises
    ------
    ValueError
        The scheme is none.
    MemoryError
        There is no room for its tables.
    """

    def __init__(self, scheme: Scheme, sides: int = 0) -> None:
        why = scheme.why_refused(sides)
        if why:
            raise ValueError(f"a scheme {why}")
        self.scheme = scheme
        native = _native()
        self._back: Back = Plain(scheme) if native is None else Compiled(native, scheme, sides)

    def encode(self, values: Values, sides: Sequence[Values] = ()) -> bytes:
        """Return the payload of values.

        Parameters
        ----------
        values : ndarray of int64, shape (n,)
            Below 2^40 in size; of a scheme around nothing 0 to 2^bits - 1. Where the scheme has steps, they are
            changed to what a decoder will get, each by at most half a step.
        sides : sequence of ndarray of int64, shape (n,)
        """
        return self._back.encode(*self._checked(values, sides))

    def decode(self, payload: Bytes, count: int, sides: Sequence[Values] = ()) -> Values:
        """Return the values of a payload.

        Raises
        ------
        ValueError
            No values so many have this payload.
        """
        values = np.zeros(count, np.int64)
        self._back.decode(payload, values, tuple(sides))
        return values

    def learn(self, values: Values, sides: Sequence[Values] = ()) -> None:
        """See values without coding them; they may be changed as by :meth:`encode`."""
        self._back.learn(*self._checked(values, sides))

    def learned(self) -> dict[str, NDArray[Any]]:
        """Return what it has learned: see :func:`isthmus.coding.learned.shapes`."""
        return self._back.learned()

    def begin(self, start: Start) -> None:
        """Know what another coder of the same scheme had learned, and nothing else."""
        if start.scheme != self.scheme:
            raise ValueError("what a coder of another scheme learned")
        self._back.begin(start)

    def stop(self) -> None:
        """Interrupt what another thread has begun with it; it raises RuntimeError there, and cannot be used again."""
        self._back.stop()

    def _checked(self, values: Values, sides: Sequence[Values]) -> tuple[Values, tuple[Values, ...]]:
        around = self.scheme.around is not None
        low, high = (-LARGEST, LARGEST) if around else (0, (1 << self.scheme.bits) - 1)
        if len(values) and not (low <= int(values.min()) and int(values.max()) <= high):
            raise ValueError(f"values from {low} to {high}")
        return values, tuple(sides)


class Back(Protocol):
    """What codes: the norm, or the compiled module."""

    def encode(self, values: Values, sides: Sequence[Values]) -> bytes:
        """Return the payload of values."""

    def decode(self, payload: Bytes, values: Values, sides: Sequence[Values]) -> None:
        """Fill in the values of a payload."""

    def learn(self, values: Values, sides: Sequence[Values]) -> None:
        """See values without coding them."""

    def learned(self) -> dict[str, NDArray[Any]]:
        """Return what it has learned."""

    def begin(self, start: Start) -> None:
        """Know what another one had learned."""

    def stop(self) -> None:
        """Interrupt what another thread has begun."""


class Plain(Norm):
    """The norm."""

    def learned(self) -> dict[str, NDArray[Any]]:
        """Return what it has learned."""
        return from_norm(self)

    def begin(self, start: Start) -> None:
        """Know what another one had learned."""
        into_norm(self, start.learned)


class Compiled:
    """The coder of ``_values.c``."""

    def __init__(self, native: ModuleType, scheme: Scheme, sides: int) -> None:
        self._native, self._scheme = native, scheme
        self._state = native.create(np.array(scheme.program(), np.int64), sides)

    def encode(self, values: Values, sides: Sequence[Values]) -> bytes:
        """Return the payload of values."""
        return self._native.encode(self._state, values, tuple(sides))

    def decode(self, payload: Bytes, values: Values, sides: Sequence[Values]) -> None:
        """Fill in the values of a payload."""
        self._native.decode(self._state, payload, values, tuple(sides))

    def learn(self, values: Values, sides: Sequence[Values]) -> None:
        """See values without coding them."""
        self._native.learn(self._state, values, tuple(sides))

    def learned(self) -> dict[str, NDArray[Any]]:
        """Return what it has learned."""
        return from_native(self._scheme, self._native.state(self._state))

    def begin(self, start: Start) -> None:
        """Know what another one had learned."""
        self._native.take(self._state, start.native)

    def stop(self) -> None:
        """Interrupt what another thread has begun."""
        self._native.stop(self._state)


def is_compiled() -> bool:
    """Return whether the compiled coder is there and gives what the norm gives."""
    return _native() is not None


@functools.cache
def _native() -> ModuleType | None:
    """Return the compiled module, if it is there and passes the self-test."""
    try:
        native = importlib.import_module("isthmus.coding._values")
    except ImportError:
        return None
    return native if self_test(functools.partial(Compiled, native)) == SELF_TEST else None


def self_test(made: Any) -> str:
    """Return a digest of what coders make of numbers that reach the ends of their tables, and of decoding it again."""
    values, side = extreme_values()
    payloads = []
    for scheme in extreme_schemes():
        given = values.copy() if scheme.around is not None else values & (1 << scheme.bits) - 1
        try:
            payloads.append(made(scheme, 1).encode(given, (side,)))
            decoded = np.zeros_like(given)
            made(scheme, 1).decode(payloads[-1], decoded, (side,))
        except ValueError as error:
            return str(error)
        if not np.array_equal(decoded, given):
            return "decodes to other values"
    return hashlib.sha256(b"\0".join(payloads)).hexdigest()


def extreme_values() -> tuple[Values, Values]:
    """Return values that are the same for long, rise, jump as far as they can, and are noise; and a side."""
    noise = np.frombuffer(hashlib.shake_256(b"isthmus").digest(300), np.uint8).astype(np.int64)
    ends = np.array([LARGEST, -LARGEST] * 4 + [0] * 8, np.int64)
    values = np.concatenate([np.zeros(150, np.int64), np.arange(60) ** 2 // 8, ends, noise[:120]])
    side = np.concatenate([noise[:100] * 0 + 7, values[:-100] + noise[: len(values) - 100] % 3])
    return values, np.clip(side, -LARGEST, LARGEST)


def extreme_schemes() -> list[Scheme]:
    """Return schemes that use everything that a scheme can say."""
    own, above, side, ahead = Tap(0, 1), Tap(0, 9, -3), Tap(1, 0, 2), Tap(1, -2)
    features = (
        Feature.sum(own),
        Feature.sum(own, above, side, Tap(0, 2, 1), shift=2),
        Feature.median(own, Tap(0, 9), Tap(0, 10)),
        Feature.spread((0, 1), (1, 2), shift=1),
        Feature.combination((0, 3), (2, 1), shift=2),
        Feature.regression(own, Tap(0, 2), side, ahead, Tap(0, 9), horizon=60, interval=3),
        Feature.regression(own, side, ahead, horizon=5000, interval=1, ridge=30, centred=False),
    )
    contexts = (
        Context(),
        Context((Term(0),)),
        Context((Term(3, logarithmic(1)), Term(1, 2))),
        Context((), near=5),
        Context((Term(3, logarithmic(0)),), near=6),
        Context((Term(4, 1),), near=2),
    )
    selectors = Selector(Term(3, logarithmic(1)), 24), Selector(Term(1, 3), 16)
    plain = Scheme(8, features, contexts, selectors, table=8)
    wide = Scheme(17, features, contexts, (), table=10)
    steps = Scheme(5, features, contexts, selectors, table=8, around=5, step=7)
    kept = Scheme(6, features, contexts, selectors[:1], table=9, around=2, raw=3)
    return [plain, wide, steps, kept]
