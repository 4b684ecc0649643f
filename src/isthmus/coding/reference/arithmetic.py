"""The arithmetic coder: bits to bytes and back, by the probabilities of a predictor.

Witten, Neal and Cleary, "Arithmetic Coding for Data Compression" (CACM 1987), with two symbols and whole bytes out: an
interval of 32-bit numbers that each bit narrows in proportion to its probability.
"""

from __future__ import annotations

from typing import TypeAlias

from isthmus.coding.reference.predictor import Predictor, Tensors

__all__ = ["BitDecoder", "BitEncoder", "Bytes", "Coder"]

Bytes: TypeAlias = bytes | bytearray | memoryview

EVEN = 32768  # the probability of a bit that is coded as it is


class BitEncoder:
    """Bits to a payload."""

    def __init__(self) -> None:
        self._low, self._high, self._out = 0, 0xFFFFFFFF, bytearray()

    def bit(self, p: int, bit: int) -> int:
        """Code a bit that is one with probability p / 65536, and return it."""
        self._low, self._high = _narrow(self._low, self._high, p, bit)
        while self._low >> 24 == self._high >> 24:
            self._out.append(self._high >> 24)
            self._low, self._high = _shift(self._low), _shift(self._high) | 255
        return bit

    def plain(self, number: int, bits: int) -> int:
        """Code the bits of a number as they are, the highest first, and return it."""
        for k in range(bits - 1, -1, -1):
            self.bit(EVEN, number >> k & 1)
        return number

    def end(self) -> bytes:
        """Return the payload."""
        return bytes(self._out) + _last_bytes(self._low, self._high)


class BitDecoder:
    """A payload to bits; after its end come zeros.

    It has the methods of an encoder, and looks at no bit that it is given, so that one way of coding serves both.
    """

    def __init__(self, payload: Bytes) -> None:
        self._payload, self._at = payload, 4
        self._low, self._high = 0, 0xFFFFFFFF
        self._window = int.from_bytes(bytes(payload[:4]).ljust(4, b"\0"), "big")

    @property
    def is_beyond_end(self) -> bool:
        """Whether more zeros were needed than a payload may leave out."""
        return self._at - 4 > len(self._payload)

    def bit(self, p: int, _: int = 0) -> int:
        """Return the next bit, which is one with probability p / 65536."""
        bit = int(self._window <= _middle(self._low, self._high, p))
        self._low, self._high = _narrow(self._low, self._high, p, bit)
        while self._low >> 24 == self._high >> 24:
            self._low, self._high = _shift(self._low), _shift(self._high) | 255
            byte = self._payload[self._at] if self._at < len(self._payload) else 0
            self._window = _shift(self._window) | byte
            self._at += 1
        return bit

    def plain(self, _: int, bits: int) -> int:
        """Return a number whose bits were coded as they are."""
        number = 0
        for _k in range(bits):
            number = number << 1 | self.bit(EVEN)
        return number

    def end(self, what: str) -> None:
        """Check that the payload ends as an encoder would have ended it; ``what`` it stands for is said if not.

        Raises
        ------
        ValueError
            It does not.
        """
        if self.is_beyond_end or self._payload[self._at - 4 :] != _last_bytes(self._low, self._high):
            raise ValueError(f"not the payload of so many {what}")


class Coder:
    """Bytes to payloads and back.

    Parameters
    ----------
    bits, speed, prior
        Of the predictor.
    """

    def __init__(self, bits: int, speed: int = 1, prior: Tensors | None = None) -> None:
        self._settings = bits, speed, prior
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self.predictor = Predictor(*self._settings)
        self._is_stopped = False

    def stop(self) -> None:
        """Interrupt what another thread has begun; it raises RuntimeError there."""
        self._is_stopped = True

    def _go_on(self) -> None:
        if self._is_stopped:
            raise RuntimeError("the coder was stopped")

    def encode(self, data: Bytes) -> bytes:
        """Return the payload of some bytes."""
        encoder = BitEncoder()
        for byte in data:
            self._go_on()
            for k in range(7, -1, -1):
                self.predictor.update(encoder.bit(self.predictor.predict(), byte >> k & 1))
        return encoder.end()

    def decode(self, payload: Bytes, length: int) -> bytes:
        """Return the ``length`` bytes of a payload.

        Raises
        ------
        ValueError
            It is not as long as theirs, or ends otherwise.
        """
        decoder, out = BitDecoder(payload), bytearray()
        for _ in range(length):
            self._go_on()
            byte = 0
            for _ in range(8):
                bit = decoder.bit(self.predictor.predict())
                self.predictor.update(bit)
                byte = byte << 1 | bit
            out.append(byte)
            if decoder.is_beyond_end:
                break
        decoder.end("bytes")
        return bytes(out)

    def learn(self, data: Bytes) -> None:
        """See bytes without coding them."""
        for byte in data:
            self._go_on()
            for k in range(7, -1, -1):
                self.predictor.predict()
                self.predictor.update(byte >> k & 1)


def _last_bytes(low: int, high: int) -> bytes:
    """Return as few bytes as lead, with zeros after them, to a number from low to high."""
    n = next(n for n in range(5) if -(-low >> 32 - 8 * n) << 32 - 8 * n <= high)
    return (-(-low >> 32 - 8 * n)).to_bytes(n, "big")


def _middle(low: int, high: int, p: int) -> int:
    return low + ((high - low) * p >> 16)


def _narrow(low: int, high: int, p: int, bit: int) -> tuple[int, int]:
    middle = _middle(low, high, p)
    return (low, middle) if bit else (middle + 1, high)


def _shift(x: int) -> int:
    return x << 8 & 0xFFFFFFFF
