"""The coder that a file is written and read with: the compiled one, or the norm where there is none.

Both give the same bytes. The compiled one is checked when it is first asked for: it has to give a known payload for
data that reach the ends of every table. One that does not is refused, and the norm, which is some two hundred times
slower, takes its place.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import random
import weakref
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding import reference
from isthmus.coding.prior import SHAPES, SLOT, Prior, blank
from isthmus.coding.reference import Bytes

__all__ = ["BITS", "FAST", "NORMAL", "Coder", "Learner", "is_compiled", "learner", "table_bits"]

NORMAL, FAST = 1, 2
BITS = {NORMAL: (12, 21), FAST: (12, 20)}  # least and most: 256 KiB to 128 MiB of slots, or 64 MiB
SLOTS_A_BYTE = {NORMAL: 32, FAST: 8}  # that text takes, about
# Of the payloads of the self-test, as the norm gives them.
SELF_TEST = {
    NORMAL: "72ccd3a7bc7426fbd375ddd750bcac9bacd0a16945c059f07e971aad635511a3",
    FAST: "4c1e25386da7513ca8dde7ef36a673c6c59c82307df3e7642f5827a703126fec",
}
SELF_TEST_WITH_PRIOR = "717b93aaf4d39b17ae81281e56dedc7be0aa45c5b09493e60820c85b692123b7"


class Coder:
    """Bytes to payloads and back; what it learned from one call serves the next.

    Parameters
    ----------
    bits : int
        Logarithm of the number of slots, of 64 bytes each; 10 to 24. A decoder needs the encoder's: `table_bits`.
    speed : int, default=1
        1, or 2 for the fast one.
    prior : Prior, optional
        What it knows before the first byte. A decoder needs the encoder's.

    Raises
    ------
    MemoryError
        There is no room for the slots.
    """

    def __init__(self, bits: int, *, speed: int = NORMAL, prior: Prior | None = None) -> None:
        native = _native() if prior is None else _native_with_prior()
        tensors = None if prior is None else prior.tensors
        self._back: Back = Compiled(native, bits, speed, prior) if native else reference.Coder(bits, speed, tensors)

    def encode(self, data: Bytes) -> bytes:
        """Return the payload of some bytes.

        After an interruption (Ctrl-C, or :meth:`stop`) the coder has to be restarted, or raises RuntimeError.
        """
        return self._back.encode(data)

    def decode(self, payload: Bytes, length: int) -> bytes:
        """Return the ``length`` bytes of a payload.

        Nearly any payload gives some bytes: a check has to say whether they are the right ones.

        Raises
        ------
        ValueError
            No bytes of this length have this payload. The coder has to be restarted.
        """
        return self._back.decode(payload, length)

    def learn(self, data: Bytes) -> None:
        """See bytes without coding them."""
        self._back.learn(data)

    def restart(self) -> None:
        """Forget everything but the prior, also that the coder was interrupted or stopped."""
        self._back.restart()

    def stop(self) -> None:
        """Interrupt what another thread does with it, as Ctrl-C does in the main thread.

        There, and whenever some bytes are coded, decoded or learned before :meth:`restart`, RuntimeError is raised. A
        thread that restarts the coder on its way thereby undoes a stop: tell it otherwise, too, that it is to leave.
        """
        self._back.stop()


class Back(Protocol):
    """What codes: the norm, or the compiled module."""

    def encode(self, data: Bytes) -> bytes:
        """Return the payload of some bytes."""

    def decode(self, payload: Bytes, length: int) -> bytes:
        """Return the bytes of a payload."""

    def learn(self, data: Bytes) -> None:
        """See bytes without coding them."""

    def restart(self) -> None:
        """Forget everything."""

    def stop(self) -> None:
        """Interrupt what another thread has begun."""


class Compiled:
    """The coder of ``_native.c``."""

    def __init__(self, native: ModuleType, bits: int, speed: int, prior: Prior | None = None) -> None:
        self._native = native
        self._state = native.create(bits, speed, None if prior is None else _taken(native, prior))

    def encode(self, data: Bytes) -> bytes:
        """Return the payload of some bytes."""
        return self._native.encode(self._state, data)

    def decode(self, payload: Bytes, length: int) -> bytes:
        """Return the bytes of a payload."""
        return self._native.decode(self._state, payload, length)

    def learn(self, data: Bytes) -> None:
        """See bytes without coding them."""
        self._native.learn(self._state, data)

    def restart(self) -> None:
        """Forget everything."""
        self._native.restart(self._state)

    def stop(self) -> None:
        """Interrupt what another thread has begun."""
        self._native.stop(self._state)


class Learner(Compiled):
    """The compiled coder, of which can be had what it has learned."""

    def begin(self, *, clear: bool) -> None:
        """Begin another text, with the same weights and maps; with the same slots, too, unless they are cleared."""
        self._native.begin(self._state, clear)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the weights and maps that were learned, as the tensors of a prior."""
        names = [name for name in SHAPES if name.startswith("first.")]
        return {
            name: np.frombuffer(found, SHAPES[name][0]).reshape(SHAPES[name][1])
            for name, found in zip(names, self._native.state(self._state), strict=True)
        }

    def slots(self) -> NDArray[np.uint8]:
        """Return the slots: (n, 64)."""
        return np.frombuffer(self._native.slots(self._state), np.uint8).reshape(-1, SLOT)


def learner(bits: int, prior: Prior) -> Learner:
    """Return a coder to learn with.

    Raises
    ------
    IsthmusError
        There is no compiled one.
    """
    native = _native_with_prior()
    if native is None:
        raise checks.learning_needs_compiled()
    return Learner(native, bits, NORMAL, prior)


_TAKEN: weakref.WeakKeyDictionary[Prior, Any] = weakref.WeakKeyDictionary()


def _taken(native: ModuleType, prior: Prior) -> Any:
    """Return a prior as the compiled module takes it: made once, and shared by all coders."""
    if prior not in _TAKEN:
        _TAKEN[prior] = native.prior(*(prior.tensors[name] for name in (*SHAPES, "slots")))
    return _TAKEN[prior]


def table_bits(length: int | None, speed: int = NORMAL) -> int:
    """Return the size of the tables (log2 of slots) for some bytes, or for a stream of unknown length: the most.

    It is the number of binary digits of 32 times the length (8 times at speed 2), at least 12 and at most 21 (20).
    """
    least, most = BITS[speed]
    if length is None:
        return most
    return min(max((length * SLOTS_A_BYTE[speed]).bit_length(), least), most)


def is_compiled() -> bool:
    """Return whether the compiled coder is there and gives what the norm gives."""
    return _native() is not None


@functools.cache
def _native() -> ModuleType | None:
    """Return the compiled module, if it is there and passes the self-test."""
    native = _compiled_module()
    if native is None:
        return None
    passed = all(self_test(Compiled(native, 12, speed)) == wanted for speed, wanted in SELF_TEST.items())
    return native if passed else None


@functools.cache
def _native_with_prior() -> ModuleType | None:
    """Return the compiled module, if it also gives what the norm gives with a prior."""
    native = _native()
    if native is None:
        return None
    passed = self_test(Compiled(native, 12, NORMAL, extreme_prior()), briefly=True) == SELF_TEST_WITH_PRIOR
    return native if passed else None


def extreme_prior() -> Prior:
    """Return a prior whose numbers reach as far as they can: sums of its network come near 2^31."""
    tensors, rng = dict(blank().tensors), random.Random(1)  # noqa: S311 - the same numbers everywhere
    for name, (kind, shape) in SHAPES.items():
        if not name.startswith("first."):
            most = {"nodes": 290, "node_bias": 500}.get(name, np.iinfo(kind).max)
            pattern = np.array([rng.choice((-most, most)) for _ in range(997)], kind)
            tensors[name] = np.resize(pattern, shape)
    tensors["nodes"] >>= np.arange(256)[:, None] % 10  # some of them in the middle
    return Prior(tensors)


def _compiled_module() -> ModuleType | None:
    """Return the compiled module, if it was built."""
    try:
        return importlib.import_module("isthmus.coding._native")
    except ImportError:
        return None


def self_test(tried: Back, *, briefly: bool = False) -> str:
    """Return a digest of what a coder makes of data that reach the ends of its tables, and of decoding it again.

    Long runs push probabilities, weights and counts to where they are cut off; noise after them is what costs most.
    They are left out where only the network is new, whose state forgets within some bytes.
    """
    rng = random.Random(0)  # noqa: S311 - the same bytes everywhere
    words = b" ".join(rng.choice((b"in", b"the", b"Strait", b"12")) for _ in range(60)) + b"\n"
    noise = rng.randbytes(120)
    pieces = [b"\0" * 300 + noise, words + b"\xff" * 300 + words, (noise[:7] + words[:4] + b"\n") * 20 + noise[::-1]]
    pieces = pieces[2:] if briefly else pieces
    payloads = [tried.encode(piece) for piece in pieces]
    tried.restart()
    try:
        decoded = [tried.decode(payload, len(piece)) for payload, piece in zip(payloads, pieces, strict=True)]
    except ValueError as error:
        return str(error)
    if decoded != pieces:
        return "decodes to other bytes"
    return hashlib.sha256(b"\0".join(payloads)).hexdigest()
