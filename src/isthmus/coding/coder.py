"""The predictor and the arithmetic coder behind one interface: bytes to a payload, and back.

A simple model of order 2 stands here until the real one does: each bit of a byte is predicted from the two bytes
before it and from the bits of it that are known, and coded by a binary arithmetic coder with 32-bit bounds.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

__all__ = ["Coder", "Prior", "table_bits"]

FEWEST_BITS, MOST_BITS = 12, 22
ONE = 1 << 16
RATE = 4  # a probability moves by 1/16 of what it was wrong by
PAST_END = 4  # bytes that a decoder may read behind the last byte of a payload; they are zeros
MASK = (1 << 32) - 1


@dataclass(frozen=True)
class Prior:
    """A model that was trained before, which the predictor mixes in.

    Parameters
    ----------
    fingerprint : bytes
        SHA-256 of what it is made of.
    """

    fingerprint: bytes


def table_bits(length: int | None, speed: int = 1) -> int:
    """Return the size of the predictor's tables, as log2 of their entries, for so many bytes; None is any number."""
    if length is None:
        return MOST_BITS
    return min(max(length.bit_length() + 2, FEWEST_BITS), MOST_BITS)


class Coder:
    """A predictor that learns while it codes, and the arithmetic coder behind it.

    Parameters
    ----------
    bits : int
        Size of the tables, as :func:`table_bits` returns it.
    speed : {1, 2}, default=1
        1 is normal, 2 is fast.
    prior : Prior, optional
        A model that was trained before.
    """

    def __init__(self, bits: int, *, speed: int = 1, prior: Prior | None = None) -> None:
        self._bits = bits
        self.restart()

    def restart(self) -> None:
        """Forget everything: the coder is as new."""
        self._table = array("H", [ONE // 2]) * (1 << self._bits)
        self._before = 0

    def encode(self, data: bytes | memoryview) -> bytes:
        """Return the payload of some data, which ends by itself; the state goes on to the next call."""
        table, payload = self._table, bytearray()
        low, high = 0, MASK
        for byte in bytes(data):
            base, node = self._context(), 1
            for shift in range(7, -1, -1):
                bit = byte >> shift & 1
                slot = base ^ node
                chance = table[slot]
                middle = low + ((high - low) * chance >> 16)
                if bit:
                    high = middle
                    table[slot] = chance + (ONE - 1 - chance >> RATE)
                else:
                    low = middle + 1
                    table[slot] = chance - (chance - 1 >> RATE)
                node = node << 1 | bit
                while not (low ^ high) >> 24:
                    payload.append(low >> 24)
                    low = low << 8 & MASK
                    high = (high << 8 & MASK) | 255
            self._after(byte)
        return bytes(payload) + _shortest_between(low, high)

    def decode(self, payload: bytes | memoryview, length: int) -> bytes:
        """Return the data of a payload, ``length`` bytes; the state goes on to the next call.

        Raises
        ------
        ValueError
            The payload ends too early for so many bytes, or does not end as :meth:`encode` ends it.
        """
        table, data, padded = self._table, bytearray(), bytes(payload) + bytes(PAST_END)
        low, high, value, place = 0, MASK, int.from_bytes(padded[:4], "big"), 4
        for _ in range(length):
            base, node = self._context(), 1
            while node < 256:
                slot = base ^ node
                chance = table[slot]
                middle = low + ((high - low) * chance >> 16)
                if value <= middle:
                    high = middle
                    table[slot] = chance + (ONE - 1 - chance >> RATE)
                    node = node << 1 | 1
                else:
                    low = middle + 1
                    table[slot] = chance - (chance - 1 >> RATE)
                    node <<= 1
                while not (low ^ high) >> 24:
                    if place == len(padded):
                        raise ValueError("the payload ends too early")
                    low = low << 8 & MASK
                    high = (high << 8 & MASK) | 255
                    value = (value << 8 & MASK) | padded[place]
                    place += 1
            data.append(node & 255)
            self._after(node & 255)
        if _shortest_between(low, high) != payload[place - PAST_END :]:
            raise ValueError("the payload does not end with its data")
        return bytes(data)

    def learn(self, data: bytes | memoryview) -> None:
        """Update the state by data that are stored as they are: afterwards it is as if they had been coded."""
        self.encode(data)

    def _context(self) -> int:
        return (self._before * 0x9E3779B1 & MASK) >> (32 - self._bits) & ~255

    def _after(self, byte: int) -> None:
        self._before = (self._before << 8 | byte) & 0xFFFF


def _shortest_between(low: int, high: int) -> bytes:
    """Return the fewest bytes that are a number from ``low`` to ``high`` once zeros follow them."""
    for count in range(5):
        step = 1 << (32 - 8 * count)
        value = -(-low // step) * step
        if value <= high:
            break
    return value.to_bytes(4, "big")[:count]
