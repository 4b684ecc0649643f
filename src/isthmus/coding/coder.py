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
from types import ModuleType
from typing import Protocol

from isthmus.coding import reference
from isthmus.coding.prior import Prior
from isthmus.coding.reference import Bytes

__all__ = ["BITS", "FAST", "NORMAL", "Coder", "is_compiled", "table_bits"]

NORMAL, FAST = 1, 2
BITS = {NORMAL: (12, 21), FAST: (12, 20)}  # least and most: 256 KiB to 128 MiB of slots, or 64 MiB
SLOTS_A_BYTE = {NORMAL: 32, FAST: 8}  # that text takes, about
# Of the payloads of the self-test, as the norm gives them.
SELF_TEST = {
    NORMAL: "72ccd3a7bc7426fbd375ddd750bcac9bacd0a16945c059f07e971aad635511a3",
    FAST: "4c1e25386da7513ca8dde7ef36a673c6c59c82307df3e7642f5827a703126fec",
}


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
        native = _native()
        self._back: Back = Compiled(native, bits, speed) if native else reference.Coder(bits, speed)
        self._prior = prior
        self._begin()

    def encode(self, data: Bytes) -> bytes:
        """Return the payload of some bytes.

        After an interruption (Ctrl-C) the coder has to be restarted, or raises RuntimeError.
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
        """Forget everything but the prior."""
        self._back.restart()
        self._begin()

    def _begin(self) -> None:
        if self._prior is not None:
            self._back.learn(self._prior.tensors["dictionary"].tobytes())


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


class Compiled:
    """The coder of ``_native.c``."""

    def __init__(self, native: ModuleType, bits: int, speed: int) -> None:
        self._native = native
        self._state = native.create(bits, speed)

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


def _compiled_module() -> ModuleType | None:
    """Return the compiled module, if it was built."""
    try:
        return importlib.import_module("isthmus.coding._native")
    except ImportError:
        return None


def self_test(tried: Back) -> str:
    """Return a digest of what a coder makes of data that reach the ends of its tables, and of decoding it again.

    Long runs push probabilities, weights and counts to where they are cut off; noise after them is what costs most.
    """
    rng = random.Random(0)  # noqa: S311 - the same bytes everywhere
    words = b" ".join(rng.choice((b"in", b"the", b"Strait", b"12")) for _ in range(60)) + b"\n"
    noise = rng.randbytes(120)
    pieces = [b"\0" * 300 + noise, words + b"\xff" * 300 + words, (noise[:7] + words[:4] + b"\n") * 20 + noise[::-1]]
    payloads = [tried.encode(piece) for piece in pieces]
    tried.restart()
    try:
        decoded = [tried.decode(payload, len(piece)) for payload, piece in zip(payloads, pieces, strict=True)]
    except ValueError as error:
        return str(error)
    if decoded != pieces:
        return "decodes to other bytes"
    return hashlib.sha256(b"\0".join(payloads)).hexdigest()
