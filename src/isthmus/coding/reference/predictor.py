"""The predictor: what the next bit is, from all bits before it and from what a prior says of texts.

It mixes contexts, as Mahoney, "Adaptive Weighing of Context Models for Lossless Data Compression" (Florida Tech.
CS-2005-16) describes it: what followed the same context earlier predicts the coming bit; each prediction enters, as the
logarithm of its odds (`stretch`), a sum with weights that are learned while coding; `squash` turns the sum into a
probability; tables that learn what a probability was worth refine it (`Predictor._refine`). With a prior, a network
(`isthmus.coding.reference.network`) is one more voice in the sum, and all that is learned begins as the prior has it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.reference.network import Network, grams
from isthmus.coding.reference.numbers import MASK, RATES, Adaptive, Curves, clip, dot, learn, mix, squash, stretch

__all__ = ["SELECTIONS", "SPEEDS", "WITH_PRIOR", "Context", "Matcher", "Predictor", "Tensors", "first_weights"]

Tensors: TypeAlias = Mapping[str, NDArray[Any]]

# ---------------------------------------------------------------------- sizes


class Speed(NamedTuple):
    """How much of the predictor is used."""

    contexts: tuple[int, ...]  # which of those that `Predictor._set_contexts` lists
    sets: int
    matchers: int
    apms: int
    shares: tuple[int, ...]  # of the mixed and the refined probabilities in the last one, in eighths
    weight: int  # of a context's first input, before anything is learned (65536 is one)
    rates: tuple[int, int]  # how fast weights learn at the end, and how much faster at first, in 4,194,304ths


SPEEDS = {
    1: Speed(tuple(range(26)), 9, 2, 3, (1, 1, 2, 4), 3500, (26, 294)),
    2: Speed(tuple(range(6)), 2, 1, 1, (4, 4), 9000, (26, 294)),
}
WITH_PRIOR = Speed((*range(6), 8, 9, 10, 11, 17, 18, 19, 20, 21, 24, 25), 10, 2, 3, (1, 1, 2, 4), 3500, (20, 100))
SELECTIONS = (256, 2048, 2048, 256, 256, 1024, 2048, 1024, 1024, 512)  # weights to choose from, in each set
APM_CONTEXTS = (256, 65536, 65536)
MATCH_MIN = (5, 20)  # bytes that have to agree before a match is followed
ORDERS = (0, 1, 2, 3, 4, 7, 8)  # the contexts that are the last bytes: 1, 2, 3, 4, about 5, 5 and 8 of them


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

    def take(self, known: NDArray[np.uint8]) -> None:
        """Take over the 64 bytes of a slot that a prior knows, if it is of the same context."""
        check, *cells = known.view("<u2")[[0, *range(2, 32)]].tolist()
        if check == self.check:
            self.last, self.run = known[2:4].tolist()
            self.p = cells[::2]
            self.count = [state >> 8 for state in cells[1::2]]
            self.seen = [state & 0xFF for state in cells[1::2]]


class Context:
    """One context: its maps from what a cell knows to a probability, and what the coming bit reads."""

    def __init__(self, number: int) -> None:
        self.number = number
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


def first_weights(speed: Speed) -> list[int]:
    """Return the weights of the inputs before anything is learned: of contexts, of matchers, of the constant."""
    weight, few = speed.weight, speed.weight // 5
    return [weight, few, weight * 2 // 5, few] * len(speed.contexts) + [weight, weight] * speed.matchers + [0]


class Predictor:
    """What the next bit is, from all bits before it.

    Parameters
    ----------
    bits : int
        Logarithm of the number of slots.
    speed : int, default=1
        1, or 2 for the fast one.
    prior : mapping of str to ndarray, optional
        Tensors of a prior, at speed 1.
    """

    def __init__(self, bits: int, speed: int = 1, prior: Tensors | None = None) -> None:
        self.speed, self.bits, self.prior = SPEEDS[speed] if prior is None else WITH_PRIOR, bits, prior
        contexts, sets, matchers, apms, *_ = self.speed
        self.slots: dict[int, Slot] = defaultdict(Slot)
        self.buffer = bytearray(1 << (bits + 2))
        self.contexts = [Context(number) for number in contexts]
        self.matchers = [Matcher(bits - 2, least) for least in MATCH_MIN[:matchers]]
        start = first_weights(self.speed)
        self.weights = [np.tile(np.array(start), (count, 1)) for count in SELECTIONS[:sets]]
        self.final_weights = [np.full((256, sets), 65536 // sets) for _ in range(2)]
        self.apms = [Curves(count) for count in APM_CONTEXTS[:apms]]

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
        if prior is not None:
            self._begin_as(prior)
            self._step_network()
        self._set_contexts()
        self._set_slots()

    def _begin_as(self, prior: Tensors) -> None:
        """Take over what a prior learned, and its network."""
        self.network, self.network_curves = Network(prior), Curves(256)
        self.weights = [
            np.tile(row.astype(np.int64), (count, 1))
            for row, count in zip(prior["first.weights"], SELECTIONS, strict=True)
        ]
        self.final_weights = [np.tile(row.astype(np.int64), (256, 1)) for row in prior["first.final_weights"]]
        for k, context in enumerate(self.contexts):
            context.by_history.take(prior["first.by_history"][k])
            context.by_level.take(prior["first.by_level"][k])
            context.by_run.take(prior["first.by_run"][k])
        for k, matcher in enumerate(self.matchers):
            matcher.by_length.take(prior["first.by_length"][k])

    def _step_network(self) -> None:
        """Let the network read the last byte."""
        self.network.step(self.c4 & 0xFF, grams(self.c4, self.folded, *self.words[:2]))

    def predict(self) -> int:
        """Return the probability that the coming bit is one, 1 to 65535."""
        inputs: list[int] = []
        for context in self.contexts:
            inputs += self._read_context(context)
        for matcher in self.matchers:
            inputs += self._read_match(matcher)
        inputs.append(256)
        if self.prior is not None:
            inputs += self._read_network()
        self.inputs = np.array(inputs)
        known = {context.number for context in self.contexts if context.history >= 0}
        order = max((k + 1 for k, number in enumerate(ORDERS) if number in known), default=0)
        longest = max(0, *(matcher.place for matcher in self.matchers))
        self.selected = self._selected(order, longest)[: self.speed.sets]
        chosen = [weights[place] for weights, place in zip(self.weights, self.selected, strict=True)]
        self.outputs = np.array([clip(dot(self.inputs, weights)) for weights in chosen])
        self.final_selected = self.partial, order * 32 + longest
        final = [clip(dot(self.outputs, self.final_weights[f][self.final_selected[f]])) for f in range(2)]
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

    def _read_network(self) -> list[int]:
        """Return the three inputs of the network: its log odds, its surplus, and what it was worth so far."""
        odds = self.odds = self.network.odds(self.partial)
        worth = self.network_curves.at(self.partial, odds)
        return [odds, (squash(odds) - 32768) >> 5, stretch(worth)]

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
            (self.odds + 2816) // 88 * 8 + bit if self.prior is not None else 0,
        ]

    def _refine(self, mixed: int) -> int:
        """Return the mean of a probability and of what it was worth so far in some contexts."""
        places = (
            self.partial,
            self.partial | (self.c4 & 0xFF) << 8,
            mix(self.partial | (self.c4 & 0xFFFF) << 8, 3) >> 40 & 0xFFFF,
        )
        p = 4 + self.speed.shares[0] * squash(mixed)
        for apm, place, share in zip(self.apms, places, self.speed.shares[1:], strict=False):
            p += share * apm.at(place, mixed)
        return max(1, min(65535, p >> 3))

    def update(self, bit: int) -> None:
        """Learn from the bit that came."""
        least, more = self.speed.rates
        rate = least + more * 1024 // (1024 + min(self.pos, 1000000) // 4)
        for weights, place, output in zip(self.weights, self.selected, self.outputs.tolist(), strict=True):
            learn(weights[place], self.inputs, ((bit << 16) - squash(output)) * rate >> 8)
        for weights, place, p in zip(self.final_weights, self.final_selected, self.final_probabilities, strict=True):
            learn(weights[place], self.outputs, ((bit << 16) - p) >> 3)
        target = 65535 if bit else 0
        for curves in self.apms if self.prior is None else (*self.apms, self.network_curves):
            curves.adapt(bit)
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
            if self.prior is not None:
                self._step_network()
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
        for context in self.contexts:
            context.hash = mix(found[context.number] * 0xD6E8FEB86659FD93, (context.number + 1) << 40)

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
        if self.prior is not None and len(known := self.prior["slots"]):
            least.take(known[hashed * len(known) >> 64])
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
