"""The norm of what stands inside a compressed file: how bytes are predicted, and how predictions become bits.

It is written to be read, and to be translated: a decoder in another language follows it line by line. ``_native.c``
does the same a few hundred times faster, under the same names, and must give the same bytes.

All numbers are integers. A probability of a one has 16 bits (1 to 65535) or, where it is learned slowly, 22. ``>>``
rounds towards minus infinity, ``//`` too. Hashes are 64-bit numbers that wrap around.

The predictor mixes contexts, as Mahoney, "Adaptive Weighing of Context Models for Lossless Data Compression" (Florida
Tech. CS-2005-16) describes it: what followed the same context earlier predicts the coming bit; each prediction enters,
as the logarithm of its odds (`stretch`), a sum with weights that are learned while coding; `squash` turns the sum into
a probability; tables that learn what a probability was worth refine it (`Predictor._refine`).
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bytes", "Coder", "Predictor"]

Bytes: TypeAlias = bytes | bytearray | memoryview

# ---------------------------------------------------------------------- logarithms of odds, in units of 1/256

LIMIT = 2815
KNOTS = (
    *(32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090, 63615, 64030),
    *(64357, 64614, 64816, 64974, 65097, 65194, 65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489, 65500, 65508),
    *(65514, 65519, 65523, 65526, 65528, 65530, 65531, 65532, 65533, 65534, 65534, 65535, 65535),
)  # of 65536 / (1 + exp(-x / 256)) at every 64th x, rounded


def squash(x: int) -> int:
    """Return the probability whose log odds are ``x`` (clipped to LIMIT on both sides)."""
    knot, part = divmod(min(abs(x), LIMIT), 64)
    p = (KNOTS[knot] * (64 - part) + KNOTS[knot + 1] * part) // 64
    return p if x >= 0 else 65536 - p


def _stretched() -> list[int]:
    """Return, for each 16th probability, the least log odds whose probability is not below its middle."""
    found, x = [], -LIMIT
    for i in range(4096):
        while x < LIMIT and squash(x) < 16 * i + 8:
            x += 1
        found.append(x)
    return found


STRETCHED = _stretched()


def stretch(p: int) -> int:
    """Return the log odds of a probability."""
    return STRETCHED[p >> 4]


def clip(x: int) -> int:
    """Return log odds within LIMIT."""
    return max(-LIMIT, min(LIMIT, x))


def mix(a: int, b: int) -> int:
    """Return a hash of two numbers."""
    h = (a + b + 1) * 0x9E3779B97F4A7C15 & MASK
    h = (h ^ h >> 29) * 0xD6E8FEB86659FD93 & MASK
    return h ^ h >> 32


MASK = 2**64 - 1
RATES = [131072 // (2 * n + 3) for n in range(401)]  # 65536 / (n + 1.5): the mean of what was seen so far

# ---------------------------------------------------------------------- sizes


class Speed(NamedTuple):
    """How much of the predictor is used."""

    contexts: int
    sets: int
    matchers: int
    apms: int
    shares: tuple[int, ...]  # of the mixed and the refined probabilities in the last one, in eighths
    weight: int  # of a context's first input, before anything is learned (65536 is one)


SPEEDS = {1: Speed(26, 9, 2, 3, (1, 1, 2, 4), 3500), 2: Speed(6, 2, 1, 1, (4, 4), 9000)}
SELECTIONS = (256, 2048, 2048, 256, 256, 1024, 2048, 1024, 1024)  # weights to choose from, in each set
APM_CONTEXTS = (256, 65536, 65536)
APM_STEP, APM_KNOTS = 176, 33
MATCH_MIN = (5, 20)  # bytes that have to agree before a match is followed
ORDERS = (0, 1, 2, 3, 4, 7, 8)  # the contexts that are the last bytes: 1, 2, 3, 4, about 5, 5 and 8 of them


class Adaptive:
    """Probabilities that move towards the bits that followed, by less the more they have seen."""

    def __init__(self, start: list[int], most: int = 400) -> None:
        self.p = [p << 6 for p in start]
        self.n = [0] * len(start)
        self.most = most

    def __getitem__(self, place: int) -> int:
        return self.p[place] >> 6

    def adapt(self, place: int, bit: bool) -> None:
        """Move one towards a bit."""
        target = 2**22 - 1 if bit else 0
        self.p[place] += (target - self.p[place]) * RATES[self.n[place]] >> 16
        self.n[place] += self.n[place] < self.most


class Slot:
    """What followed one context within half a byte: a cell for each of the 15 beginnings of four bits."""

    def __init__(self) -> None:
        self.give_to(0)

    def give_to(self, check: int) -> None:
        """Forget one context for another one.

        Whoever still uses the slot, because two contexts of this byte fall on it, goes on with the new one.
        """
        self.check = check
        self.last, self.run = 0, 0  # the byte that came last in this context, and how many times in a row
        self.p = [32768] * 15
        self.count = [0] * 15  # of the bits that each cell saw, up to 63
        self.seen = [0] * 15  # the last eight of them, the newest lowest


class Context:
    """One context: its maps from what a cell knows to a probability, and what the coming bit reads."""

    def __init__(self) -> None:
        self.by_history = Adaptive([_of_history(place) for place in range(512)])
        self.by_level = Adaptive([squash(place // 16 * 88 + 44 - 2816) for place in range(64 * 16)])
        self.by_run = Adaptive([squash(300 + place // 8 * 30) for place in range(128)])
        self.hash = 0
        self.first = self.slot = Slot()
        self.history = self.level = self.run = -1  # places in the maps; -1 where the context is new
        self.run_bit = 0


def _of_history(place: int) -> int:
    """Return the probability to begin with after up to eight bits: 1 and the bits, or 256 and eight of more."""
    seen = max(place.bit_length() - 1, 0) if place < 256 else 8
    ones = (place & ((1 << seen) - 1)).bit_count()
    return (10 * ones + 4) * 65535 // (10 * seen + 8) if place < 256 else (10 * ones + 2) * 65535 // (10 * seen + 4)


class Matcher:
    """The longest earlier place that looks like this one, and the byte that stood there next."""

    def __init__(self, bits: int, least: int) -> None:
        self.table = [0] * (1 << bits)
        self.bits, self.least = bits, least
        self.at, self.length = 0, 0
        self.byte = 0  # expected, with 256 added; 0 where none is
        self.place, self.bit = -1, 0
        self.by_length = Adaptive([32768 + 480 * place for place in range(32)])


# ---------------------------------------------------------------------- the predictor


class Predictor:
    """What the next bit is, from all bits before it.

    Parameters
    ----------
    bits : int
        Logarithm of the number of slots.
    speed : int, default=1
        1, or 2 for the fast one.
    """

    def __init__(self, bits: int, speed: int = 1) -> None:
        self.speed, self.bits = SPEEDS[speed], bits
        contexts, sets, matchers, apms, _, weight = self.speed
        self.slots: dict[int, Slot] = defaultdict(Slot)
        self.buffer = bytearray(1 << (bits + 2))
        self.contexts = [Context() for _ in range(contexts)]
        self.matchers = [Matcher(bits - 2, least) for least in MATCH_MIN[:matchers]]
        start = [weight, weight // 5, weight * 2 // 5, weight // 5] * contexts + [weight, weight] * matchers + [0]
        self.weights = [np.tile(np.array(start), (count, 1)) for count in SELECTIONS[:sets]]
        self.final_weights = [np.full((256, sets), 65536 // sets) for _ in range(2)]
        knots = [squash((knot - 16) * APM_STEP) for knot in range(APM_KNOTS)]
        self.apms = [knots * count for count in APM_CONTEXTS[:apms]]

        self.pos = 0
        self.c4 = self.c8 = 0  # the last four bytes, and the four before them
        self.words = [0, 0, 0]  # hashes: of the word so far, and of the two before it
        self.shape = 0  # kinds of the last 16 bytes
        self.folded = 0  # the last eight bytes in lower case, with one space for all white space
        self.marks = 0  # hash of the punctuation of this line
        self.line = self.line_before = 0  # where this line begins, and the one before
        self.first_of_line = 0
        self.mark = 0  # the last byte that is neither a letter nor white space
        self.letters = 0  # of the word so far
        self.followers = [0] * 256  # the two bytes that came last after each byte
        self.seen_at = [0] * 256
        self.distances = [0] * 2048  # how often equal bytes stood so far apart
        self.record = self.votes = 0  # the most frequent of these distances, and all of their counts

        self.partial, self.bit_place = 1, 0  # the bits of this byte after a leading one, and how many they are
        self._set_contexts()
        self._set_slots()

    def predict(self) -> int:
        """Return the probability that the coming bit is one, 1 to 65535."""
        inputs: list[int] = []
        for context in self.contexts:
            inputs += self._read_context(context)
        for matcher in self.matchers:
            inputs += self._read_match(matcher)
        self.inputs = np.array([*inputs, 256])
        order = max(
            (k + 1 for k, i in enumerate(ORDERS) if i < len(self.contexts) and self.contexts[i].history >= 0), default=0
        )
        longest = max(0, *(matcher.place for matcher in self.matchers))
        self.selected = self._selected(order, longest)[: self.speed.sets]
        chosen = [weights[place] for weights, place in zip(self.weights, self.selected, strict=True)]
        self.outputs = np.array([clip(_dot(self.inputs, weights)) for weights in chosen])
        self.final_selected = self.partial, order * 32 + longest
        final = [clip(_dot(self.outputs, self.final_weights[f][self.final_selected[f]])) for f in range(2)]
        self.final_probabilities = [squash(x) for x in final]
        return self._refine(sum(final) >> 1)

    def _read_context(self, context: Context) -> list[int]:
        """Return the four inputs of a context: zeros where nothing is known."""
        cell, slot = self._cell, context.slot
        p, count, seen = slot.p[cell], slot.count[cell], slot.seen[cell]
        context.run = -1
        if not count:
            context.history = -1
            return [0, 0, 0, 0]
        context.history = 1 << count | seen & ((1 << count) - 1) if count < 8 else 256 + seen
        context.level = (stretch(p) + 2816) // 88 * 16 + _sure(count)
        by_history, by_level = context.by_history[context.history], context.by_level[context.level]
        first, run = context.first, 0
        if first.run and (first.last | 256) >> (8 - self.bit_place) == self.partial:
            context.run_bit = first.last >> (7 - self.bit_place) & 1
            context.run = min(first.run, 15) * 8 + self.bit_place
            run = stretch(context.by_run[context.run])
        return [
            (stretch(by_history) + stretch(by_level)) >> 1,
            stretch(p),
            (by_history + by_level - 65536) >> 6,
            run if context.run_bit else -run,
        ]

    def _read_match(self, matcher: Matcher) -> list[int]:
        """Return the two inputs of a matcher; one that was wrong within this byte is silent until the next."""
        if not matcher.byte or matcher.byte >> (8 - self.bit_place) != self.partial:
            matcher.length, matcher.byte, matcher.place = 0, 0, -1
            return [0, 0]
        matcher.bit = matcher.byte >> (7 - self.bit_place) & 1
        matcher.place = _length_class(matcher.length)
        p = matcher.by_length[matcher.place]
        sign = 1 if matcher.bit else -1
        return [sign * stretch(p), sign * ((p - 32768) >> 5)]

    def _selected(self, order: int, longest: int) -> list[int]:
        """Return which weights each set uses."""
        bit, c1, c2, c3 = self.bit_place, self.c4 & 0xFF, self.c4 >> 8 & 0xFF, self.c4 >> 16 & 0xFF
        return [
            self.partial,
            order * 256 + self.partial,
            (self.matchers[0].byte & 0xFF) * 8 + bit,
            c1,
            c2,
            (KINDS[c1] * 16 + KINDS[c2]) * 4 + (bit >> 1),
            longest * 8 + bit,
            min(self.pos - self.line, 127) * 8 + bit,
            min(self.letters, 15) * 64 + KINDS[c3] * 4 + (bit >> 1),
        ]

    def _refine(self, mixed: int) -> int:
        """Return the mean of a probability and of what it was worth so far in some contexts.

        Each of these is a curve through 33 points over the log odds, of which the nearer of two neighbours learns.
        """
        knot, part = divmod(mixed + LIMIT + 1, APM_STEP)
        places = (
            self.partial,
            self.partial | (self.c4 & 0xFF) << 8,
            mix(self.partial | (self.c4 & 0xFFFF) << 8, 3) >> 40 & 0xFFFF,
        )
        self.apm_places = []
        p = 4 + self.speed.shares[0] * squash(mixed)
        for apm, place, share in zip(self.apms, places, self.speed.shares[1:], strict=False):
            at = place * APM_KNOTS + knot
            self.apm_places.append(at + (part > APM_STEP // 2))
            p += share * ((apm[at] * (APM_STEP - part) + apm[at + 1] * part) // APM_STEP)
        return max(1, min(65535, p >> 3))

    def update(self, bit: int) -> None:
        """Learn from the bit that came."""
        rate = 26 + 294 * 1024 // (1024 + min(self.pos, 1000000) // 4)
        for weights, place, output in zip(self.weights, self.selected, self.outputs.tolist(), strict=True):
            _learn(weights[place], self.inputs, ((bit << 16) - squash(output)) * rate >> 8)
        for weights, place, p in zip(self.final_weights, self.final_selected, self.final_probabilities, strict=True):
            _learn(weights[place], self.outputs, ((bit << 16) - p) >> 3)
        target = 65535 if bit else 0
        for apm, place in zip(self.apms, self.apm_places, strict=True):
            apm[place] += _towards_zero(target - apm[place], 48)
        cell = self._cell
        for context in self.contexts:
            if context.history >= 0:
                context.by_history.adapt(context.history, bool(bit))
                context.by_level.adapt(context.level, bool(bit))
            if context.run >= 0:
                context.by_run.adapt(context.run, context.run_bit == bit)
            slot = context.slot
            slot.p[cell] += (target - slot.p[cell]) * RATES[min(slot.count[cell], 60)] >> 16
            slot.count[cell] = min(slot.count[cell] + 1, 63)
            slot.seen[cell] = (slot.seen[cell] << 1 | bit) & 0xFF
        for matcher in self.matchers:
            if matcher.place >= 0:
                matcher.by_length.adapt(matcher.place, matcher.bit == bit)
        self.partial = self.partial << 1 | bit
        self.bit_place += 1
        if self.bit_place == 8:
            self._see(self.partial & 0xFF)
            self.partial, self.bit_place = 1, 0
            self._set_contexts()
            for matcher in self.matchers:
                self._set_match(matcher)
        if self.bit_place % 4 == 0:
            self._set_slots()

    @property
    def _cell(self) -> int:
        """Return which cell of a slot the coming bit belongs to."""
        low = (1 << (self.bit_place & 3)) - 1
        return low + (self.partial & low)

    # ------------------------------------------------------------------ between two bytes

    def _see(self, c: int) -> None:
        """Take note of a whole byte."""
        for context in self.contexts:
            first = context.first
            first.run = min(first.run + 1, 255) if first.last == c else 1
            first.last = c
        c1 = self.c4 & 0xFF
        self.buffer[self.pos % len(self.buffer)] = c
        self.pos += 1
        self.followers[c1] = (self.followers[c1] << 8 | c) & 0xFFFF
        self._count_record(c)
        self.c8 = (self.c8 << 8 | self.c4 >> 24) & 0xFFFFFFFF
        self.c4 = (self.c4 << 8 | c) & 0xFFFFFFFF
        self._see_word(c)
        if c == NEWLINE:
            self.line_before, self.line = self.line, self.pos
            self.marks = self.first_of_line = 0
        elif self.pos - self.line == 1:
            self.first_of_line = c
        folded = SPACE if c in (NEWLINE, 13, 9) else _fold(c)
        if folded != SPACE or self.folded & 0xFF != SPACE:
            self.folded = (self.folded << 8 | folded) & MASK
        self.shape = (self.shape << 4 | KINDS[c]) & MASK

    def _see_word(self, c: int) -> None:
        """Lengthen the word, or end it."""
        if KINDS[c] in LETTERS:
            self.words[0] = mix(self.words[0], _fold(c))
            self.letters += 1
            return
        if self.words[0]:
            self.words = [0, *self.words[:2]]
        self.letters = 0
        if c not in (SPACE, NEWLINE):
            self.mark = c
            if KINDS[c] != DIGIT:
                self.marks = mix(self.marks & 0xFFFFFFFF, c)

    def _count_record(self, c: int) -> None:
        """Guess the length of records: the distance at which equal bytes stand apart most often.

        Far ones count for more, by their logarithm, since near ones come by chance.
        """
        distance, self.seen_at[c] = self.pos - self.seen_at[c], self.pos
        if not 2 <= distance < 2048:
            return
        weight = distance.bit_length() - 1
        self.distances[distance] += weight
        self.votes += weight
        if self.distances[distance] > self.distances[self.record]:
            self.record = distance
        if self.distances[distance] >= 1000:
            self.distances = [count // 2 for count in self.distances]
            self.votes = sum(self.distances)

    def _set_contexts(self) -> None:
        """Hash what the coming byte may depend on."""
        c4, c8, words = self.c4, self.c8, self.words
        c1, c2 = c4 & 0xFF, c4 >> 8 & 0xFF
        column = self.pos - self.line
        above, above_next = (self._above(self.line_before + column + k) for k in range(2))
        is_regular = 20 * self.distances[self.record] > self.votes
        record = self.record if is_regular else 1
        back, back2 = (self._byte(self.pos - k * record) for k in (1, 2))
        pair = mix(words[0], words[1])
        found = (
            c1,
            c4 & 0xFFFF,
            c4 & 0xFFFFFF,
            c4,
            mix(self.folded & 0xFFFFFFFFFF, 5),
            mix(words[0], c1),
            pair,
            mix(c4, c8 & 0xFF),
            mix(c4, c8),
            0,
            mix(pair, words[2]),
            mix(words[0], words[2] + 7),
            c4 & 0xFFFF00,
            c4 & 0xFF00FF,
            (c4 & 0xFFFF0000) >> 8,
            mix(self.followers[c1], c1),
            mix(words[1] + (c4 & 0xFFFF), 9),
            mix(above | above_next << 8, c1),
            mix(self.shape, 0),
            mix(self.shape & 0xFFFFFF, c1 | c2 << 8),
            mix(self.marks, words[0]),
            mix(self.first_of_line, min(column, 255)),
            mix(words[0] * 7 + column, 9),
            mix(words[0] * 7 + self.mark, 9),
            mix(back | c1 << 8 | record << 16, 1) if is_regular else mix(self.folded & 0xFFFFFFFFFFFF, 6),
            mix(back | back2 << 8 | record << 16, 2 * (self.pos % record)) if is_regular else 0,
        )
        for i, context in enumerate(self.contexts):
            context.hash = mix(found[i] * 0xD6E8FEB86659FD93, (i + 1) << 40)

    def _set_slots(self) -> None:
        """Find the slot of every context for the coming half of a byte."""
        for context in self.contexts:
            context.slot = self._find(mix(context.hash, (self.partial + 1) << 20) if self.bit_place else context.hash)
            if not self.bit_place:
                context.first = context.slot

    def _find(self, hashed: int) -> Slot:
        """Return the slot of a hash: one of three neighbours; the one that is least used makes room for a new one."""
        check, place = hashed & 0xFFFF or 1, hashed >> (64 - self.bits)
        near = [self.slots[place ^ k] for k in range(3)]
        for slot in near:
            if slot.check == check:
                return slot
        least = min(near, key=lambda slot: slot.count[0])
        least.give_to(check)
        return least

    def _set_match(self, matcher: Matcher) -> None:
        """Follow a match, or look for one."""
        if matcher.length and self._byte(matcher.at) == self.c4 & 0xFF:
            matcher.length = min(matcher.length + 1, 65535)
            matcher.at += 1
        else:
            matcher.length = 0
        if self.pos >= matcher.least:
            hashed = 0
            for k in range(1, matcher.least + 1):
                hashed = (hashed + self._byte(self.pos - k) + 1) * 0x9E3779B97F4A7C15 & MASK
            place = ((hashed ^ hashed >> 31) * 0xD6E8FEB86659FD93 & MASK) >> (64 - matcher.bits)
            at = matcher.table[place]
            if not matcher.length and at:
                length = 0
                while length < min(400, at) and self._byte(at - length - 1) == self._byte(self.pos - length - 1):
                    length += 1
                if length >= matcher.least:
                    matcher.length, matcher.at = length, at
            matcher.table[place] = self.pos
        matcher.byte = self._byte(matcher.at) | 256 if matcher.length else 0

    def _byte(self, pos: int) -> int:
        return self.buffer[pos % len(self.buffer)]

    def _above(self, pos: int) -> int:
        """Return a byte of the line before, or its end."""
        return self._byte(pos) if pos < self.line else NEWLINE


NEWLINE, SPACE, DIGIT = 10, 32, 3
LETTERS = (1, 2, 4)


def _kinds() -> list[int]:
    """Return, for each byte: lower case, upper case, digit, beyond ASCII, space, newline, control, or which mark."""
    kinds = [7] * 32 + [8 + (c & 7) for c in range(32, 128)] + [4] * 128
    kinds[97:123], kinds[65:91], kinds[48:58] = [1] * 26, [2] * 26, [DIGIT] * 10
    kinds[SPACE], kinds[NEWLINE] = 5, 6
    return kinds


KINDS = _kinds()


def _fold(c: int) -> int:
    return c + 32 if 65 <= c <= 90 else c


def _sure(count: int) -> int:
    """Return a class of counts."""
    return count if count < 12 else 12 + (count >= 16) + (count >= 24) + (count >= 40)


def _length_class(length: int) -> int:
    """Return a class of lengths, 0 to 31."""
    if length < 16:
        return length
    if length < 32:
        return 16 + (length - 16) // 4
    if length < 64:
        return 20 + (length - 32) // 8
    return 24 + (length - 64) // 48 if length < 400 else 31


def _dot(inputs: NDArray[np.int64], weights: NDArray[np.int64]) -> int:
    return int((inputs * weights >> 8).sum()) >> 8


def _learn(weights: NDArray[np.int64], inputs: NDArray[np.int64], error: int) -> None:
    """Move weights, in place, against the error; each stays within 8 (65536 is one)."""
    weights += (inputs * error + (1 << 13)) >> 14
    np.clip(weights, -(1 << 19), 1 << 19, out=weights)


def _towards_zero(a: int, b: int) -> int:
    return a // b if a >= 0 else -(-a // b)


# ---------------------------------------------------------------------- the arithmetic coder


class Coder:
    """Bits to bytes and back: an interval of 32-bit numbers that each bit narrows in proportion to its probability.

    Witten, Neal and Cleary, "Arithmetic Coding for Data Compression" (CACM 1987), with two symbols and whole bytes out.

    Parameters
    ----------
    bits, speed
        Of the predictor.
    """

    def __init__(self, bits: int, speed: int = 1) -> None:
        self._settings = bits, speed
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self.predictor = Predictor(*self._settings)

    def encode(self, data: Bytes) -> bytes:
        """Return the payload of some bytes."""
        low, high, out = 0, 0xFFFFFFFF, bytearray()
        for byte in data:
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
