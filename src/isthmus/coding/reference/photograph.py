"""The norm of photographs: latents of a tile to a payload and back, and latents to the picture, in whole numbers.

The decoder is that of :mod:`isthmus.networks.photographic`, whose docstring says what it is for; here is how it is
computed. A level from 6, the coarsest, to 1 goes on from the state s, which is zero at first::

    t = look * s + bias                                   3x3 places; 21 fractional bits, as all sums
    h = features * cut(t) + above * f(y) + before * f(y) + bias       f(y) = sign(y) 512 log2(1 + abs(y))
    mean, scale = last * cut(hidden * cut(h) + bias) + bias, + coupling * f(latents of the place before)
    d = y * step
    u = cut(t + inject * d)
    s = carry * (s, d) + up * u + bias                    of four places each; then at twice the sides

Numbers in the decoder (states, d, u, layers) have 9 fractional bits and are cut to -8191 to 8191; those named cut(x)
are cut to 0 to 8191. Kernels have 12 fractional bits, and see zeros outside the picture. `Weights` refuses kernels
with which a sum could reach 2^31, so that 32-bit integers serve, in any order. ``>>`` rounds down. Steps and biases
depend on the quality: see `Weights.at`.

The stream is one of asymmetric numeral systems (Duda, "Asymmetric numeral systems", 2013) with a state of 63 bits,
frequencies out of 65536 and words of 32 bits; an encoder begins, and a decoder ends, with a state of 65536. For each
level, from 6 to 1: one bit for each latent of a place, the lowest for the first, whether it is ever not zero; those
that are not are left out. Then rows, places and latents in order, each as `isthmus.coding.photographs.tables` says, the
bits below its value with equal frequencies. A value outside the window is followed by how far, in an Exp-Golomb code.
The payload begins with the last state of the encoder in as few bytes as it needs, but at least five if words follow;
these come in the order in which they are read.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.photographs.tables import PLAIN_INDEX, distribution, logarithms
from isthmus.coding.photographs.weights import LEVELS, MOST, STATES, Level, latents_at, sizes

__all__ = ["Latents", "RangeDecoder", "RangeEncoder", "compand", "decode", "encode"]

Whole = NDArray[np.int64]
Latents = Sequence[NDArray[np.int16]]  # of level 1 first

FIRST = 1 << 16  # state of an encoder at first; it never becomes less
LEAST = 1 << 31  # of states, where words are left
DOUBLINGS = 16  # at most, of what is beyond the window


class RangeEncoder:
    """Values to a payload."""

    def __init__(self) -> None:
        self._symbols: list[tuple[int, int]] = []

    def symbol(self, cumulative: Sequence[int], symbol: int) -> int:
        """Code which of the intervals between some frequencies, the first 0 and the last 65536, and return it."""
        self._symbols.append((cumulative[symbol], cumulative[symbol + 1] - cumulative[symbol]))
        return symbol

    def plain(self, number: int, bits: int) -> int:
        """Code a number of up to 15 bits as it is, and return it."""
        self._symbols.append((number << 16 - bits, 1 << 16 - bits))
        return number

    def end(self) -> bytes:
        """Return the payload: symbols are coded from the last to the first, and decoded from the first."""
        state, words = FIRST, []
        for start, frequency in reversed(self._symbols):
            if state >= frequency << 47:
                words.append((state & 0xFFFFFFFF).to_bytes(4, "little"))
                state >>= 32
            state = (state // frequency << 16) + state % frequency + start
        size = (state.bit_length() + 7) // 8
        return state.to_bytes(max(size, 5) if words else size, "little") + b"".join(reversed(words))


class RangeDecoder:
    """A payload to values. It looks at no value that it is given, so that one way of coding serves both."""

    def __init__(self, payload: bytes) -> None:
        size = len(payload) if len(payload) <= 8 else 5 + (len(payload) - 5) % 4
        self._state = int.from_bytes(payload[:size], "little")
        self._words = [int.from_bytes(payload[at : at + 4], "little") for at in range(size, len(payload), 4)]
        self._words.reverse()
        least, shortest = (LEAST, 5) if self._words else (FIRST, 0)
        if not least <= self._state < 1 << 63 or (size > shortest and not payload[size - 1]):
            raise _damaged()

    def _take(self, start: int, frequency: int) -> None:
        self._state = frequency * (self._state >> 16) + (self._state & 65535) - start
        if self._state < LEAST and self._words:
            self._state = self._state << 32 | self._words.pop()
        if self._state < FIRST:
            raise _damaged()

    def symbol(self, cumulative: Sequence[int], _: int = 0) -> int:
        """Return the interval."""
        symbol = bisect.bisect_right(cumulative, self._state & 65535) - 1
        self._take(cumulative[symbol], cumulative[symbol + 1] - cumulative[symbol])
        return symbol

    def plain(self, _: int, bits: int) -> int:
        """Return a number of some bits."""
        number = (self._state & 65535) >> 16 - bits
        self._take(number << 16 - bits, 1 << 16 - bits)
        return number

    def end(self) -> None:
        """Check that the payload ends as an encoder would have ended it.

        Raises
        ------
        ValueError
            It does not.
        """
        if self._state != FIRST or self._words:
            raise _damaged()


class Coder(Protocol):
    """What codes a value, or finds it: an encoder or a decoder."""

    def symbol(self, cumulative: Sequence[int], symbol: int) -> int:
        """Code an interval, and return it."""

    def plain(self, number: int, bits: int) -> int:
        """Code a number as it is, and return it."""


def encode(latents: Latents, height: int, width: int, levels: Sequence[Level]) -> tuple[bytes, NDArray[np.int16]]:
    """Return the payload of the latents of a tile, (h_l, w_l, c) with level 1 first, and its picture.

    See :func:`decode`.
    """
    encoder = RangeEncoder()
    found = [y.astype(np.int64) for y in latents]
    picture = _go_through(encoder, found, height, width, levels)
    return encoder.end(), picture


def decode(
    payload: bytes, height: int, width: int, levels: Sequence[Level]
) -> tuple[list[NDArray[np.int16]], NDArray[np.int16]]:
    """Return the latents of a tile, level 1 first, and its picture, int16 (height, width, 3) with 9 fractional bits.

    Raises
    ------
    ValueError
        It is no payload of such a tile.
    """
    decoder = RangeDecoder(payload)
    shapes = sizes(height, width)
    latents = [np.zeros((*shapes[level], latents_at(level)), np.int64) for level in range(1, LEVELS + 1)]
    picture = _go_through(decoder, latents, height, width, levels)
    decoder.end()
    return [y.astype(np.int16) for y in latents], picture


def _go_through(
    coder: Coder, latents: list[Whole], height: int, width: int, levels: Sequence[Level]
) -> NDArray[np.int16]:
    """Code latents, which a decoder fills in, and return the picture."""
    shapes = sizes(height, width)
    state = np.zeros((*shapes[LEVELS], STATES[LEVELS]), np.int64)
    for number in reversed(range(LEVELS)):
        y, level = latents[number], levels[number]
        t = convolved(state, level.look) + level.bias
        coded = _coded_channels(coder, y)
        if coded:
            _code(coder, y, convolved(rounded(t, 0), level.features) + level.prior_bias, level, coded)
        d = np.clip((y * level.step + 1024) >> 11, -MOST, MOST)
        u = rounded(t + convolved(d, level.inject), 0)
        out = convolved(np.concatenate([state, d], 2), level.carry) + convolved(u, level.up) + level.up_bias
        state = doubled(rounded(out))[: shapes[number][0], : shapes[number][1]]
    return state.astype(np.int16)


def convolved(x: Whole, kernels: NDArray[np.int16]) -> Whole:
    """Return the sums of a convolution with kernels of odd sides, which sees zeros outside."""
    rows, columns = kernels.shape[1:3]
    return _sums(np.pad(x, ((rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0))), kernels)


def _sums(x: Whole, kernels: NDArray[np.int16]) -> Whole:
    """Return the sums wherever the kernels are inside. Doubles are exact here, in any order: no sum reaches 2^53."""
    rows, columns = kernels.shape[1:3]
    height, width = x.shape[0] - rows + 1, x.shape[1] - columns + 1
    found = np.zeros((height, width, len(kernels)))
    for row in range(rows):
        for column in range(columns):
            seen = x[row : row + height, column : column + width].astype(np.float64)
            found += seen @ kernels[:, row, column].T.astype(np.float64)
    return found.astype(np.int64)


def rounded(sums: Whole, least: int = -MOST) -> Whole:
    """Return sums as numbers with 9 fractional bits, cut."""
    return np.clip((sums + 2048) >> 12, least, MOST)


def doubled(x: Whole) -> Whole:
    """Return places of twice the sides: plane 4 c + 2 i + j of (y, x) is plane c of (2 y + i, 2 x + j)."""
    height, width, planes = x.shape
    blocks = x.reshape(height, width, planes // 4, 2, 2).transpose(0, 3, 1, 4, 2)
    return blocks.reshape(2 * height, 2 * width, planes // 4)


def compand(y: Whole) -> Whole:
    """Return what networks see of latents."""
    known = logarithms().astype(np.int64)
    return np.sign(y) * known[np.minimum(np.abs(y), len(known) - 1)]


def _coded_channels(coder: Coder, y: Whole) -> list[int]:
    """Code which latents of a place are ever not zero, and return them."""
    count = y.shape[2]
    bits = coder.plain(sum(1 << c for c in range(count) if y[:, :, c].any()), count)
    return [c for c in range(count) if bits >> c & 1]


def _code(coder: Coder, y: Whole, features: Whole, level: Level, coded: Sequence[int]) -> None:
    """Code the latents of a level, which a decoder fills in."""
    height, width, count = y.shape
    seen = np.zeros((height + 2, width + 4, count), np.int64)  # two more rows above, two places on both sides
    hidden, last, means, scales = (
        np.asarray(x, np.int64) for x in (level.hidden[:, 0, 0], level.last[:, 0, 0], *level.coupling)
    )
    for row in range(height):
        above = _sums(seen[row : row + 2], level.above)[0] + features[row]
        for place in range(width):
            before = _sums(seen[row + 2 : row + 3, place : place + 2], level.before)[0, 0]
            h = rounded(hidden @ rounded(above[place] + before, 0) + level.hidden_bias, 0)
            out = last @ h + level.last_bias
            f = seen[row + 2, place + 2]
            for c in coded:
                mean = int(rounded(out[c] + means[c, :c] @ f[:c])) * 4
                scale = int(rounded(out[count + c] + scales[c, :c] @ np.abs(f[:c])))
                index = min(max((scale + 32) >> 6, -32), 80) + 32
                y[row, place, c] = code_value(coder, int(y[row, place, c]), (mean + 16) >> 5, index)
                f[c] = compand(y[row, place, c])


def code_value(coder: Coder, value: int, mean: int, index: int) -> int:
    """Code a value by its mean in sixteenths and the index of its scale, and return it."""
    bits = max(0, (index - PLAIN_INDEX + 7) // 8)
    if bits:
        mean = (mean - 8 * ((1 << bits) - 1) + (1 << bits - 1)) >> bits  # in the middle of what it is rounded to
    whole = (mean + 8) >> 4
    window, cumulative = distribution(index - 8 * bits, mean - 16 * whole)
    found = whole + _code_around(coder, (value >> bits) - whole, window, cumulative)
    if bits:
        found = found << bits | coder.plain(value & (1 << bits) - 1, bits)
    if not -32768 <= found <= 32767:
        raise _damaged()
    return found


def _code_around(coder: Coder, value: int, window: int, cumulative: Sequence[int]) -> int:
    """Code a value within the window, or that it is beyond and how far, and return it."""
    symbol = coder.symbol(cumulative, min(max(value, -window - 1), window + 1) + window + 1)
    if 0 < symbol <= 2 * window + 1:
        return symbol - window - 1
    beyond = _code_excess(coder, abs(value) - window - 1) + window + 1
    return beyond if symbol else -beyond


def _code_excess(coder: Coder, excess: int) -> int:
    """Code a number from 0 by how often one more than it can be halved, and the bits below, and return it."""
    doublings = 0
    while coder.plain(int((excess + 1) >> doublings > 1), 1):
        doublings += 1
        if doublings > DOUBLINGS:
            raise _damaged()
    found = 1
    for k in reversed(range(doublings)):
        found = found << 1 | coder.plain((excess + 1) >> k & 1, 1)
    return found - 1


def _damaged() -> ValueError:
    return ValueError("not the payload of a tile of this size")
