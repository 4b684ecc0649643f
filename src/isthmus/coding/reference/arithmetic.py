"""The arithmetic coder: bits to bytes and back, by the probabilities of a predictor."""

from __future__ import annotations

from typing import TypeAlias

from isthmus.coding.reference.predictor import Predictor, Tensors

__all__ = ["Bytes", "Coder"]

Bytes: TypeAlias = bytes | bytearray | memoryview


class Coder:
    """Bits to bytes and back: an interval of 32-bit numbers that each bit narrows in proportion to its probability.

    Witten, Neal and Cleary, "Arithmetic Coding for Data Compression" (CACM 1987), with two symbols and whole bytes out.

    Parameters
    ----------
    bits, speed, prior
        Of the predictor.
    """

    def __init__(self, bits: int, speed: int = 1, prior: Tensors | None = None) -> None:
        self._settings = bits, speed, prior
        self.restart()

    def restart(self) -> None:
        """Forget everything, and that it was stopped."""
        self._is_stopped = False
        self.predictor = Predictor(*self._settings)

    def stop(self) -> None:
        """Interrupt what another thread does: it raises RuntimeError there, as does all until it is restarted."""
        self._is_stopped = True

    def _go_on(self) -> None:
        if self._is_stopped:
            raise RuntimeError("the coder was stopped")

    def encode(self, data: Bytes) -> bytes:
        """Return the payload of some bytes."""
        low, high, out = 0, 0xFFFFFFFF, bytearray()
        for byte in data:
            self._go_on()
            for k in range(7, -1, -1):
                bit = byte >> k & 1
                low, high = _narrow(low, high, self.predictor.predict(), bit)
                self.predictor.update(bit)
                while low >> 24 == high >> 24:
                    out.append(high >> 24)
                    low, high = _shift(low), _shift(high) | 255
        return bytes(out) + _last_bytes(low, high)

    def decode(self, payload: Bytes, length: int) -> bytes:
        """Return the ``length`` bytes of a payload; after its end come zeros.

        Raises
        ------
        ValueError
            It is not as long as theirs, or ends otherwise.
        """
        low, high, at = 0, 0xFFFFFFFF, 4
        window = int.from_bytes(bytes(payload[:4]).ljust(4, b"\0"), "big")
        out = bytearray()
        for _ in range(length):
            self._go_on()
            byte = 0
            for _ in range(8):
                p = self.predictor.predict()
                bit = int(window <= _middle(low, high, p))
                low, high = _narrow(low, high, p, bit)
                self.predictor.update(bit)
                byte = byte << 1 | bit
                while low >> 24 == high >> 24:
                    low, high = _shift(low), _shift(high) | 255
                    window = _shift(window) | (payload[at] if at < len(payload) else 0)
                    at += 1
            out.append(byte)
            if at - 4 > len(payload):
                break
        if at - 4 > len(payload) or payload[at - 4 :] != _last_bytes(low, high):
            raise ValueError("not the payload of so many bytes")
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
