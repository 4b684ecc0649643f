"""The coder of values: whole numbers, each of which is coded bit by bit with what its neighbours say of it.

What neighbours are looked at is declared (`isthmus.coding.scheme`). As in `isthmus.coding.reference.predictor`, what
followed the same context earlier predicts the coming bit, and predictions are mixed by weights that are learned while
coding (Mahoney, Florida Tech. CS-2005-16). Two kinds of contexts are new. One is *near* a number that was predicted:
what followed thresholds that were as far from it. The other uses least squares over the values so far, as Wu, Barthel
and Zhang, "Piecewise 2D Autoregression for Predictive Image Coding" (ICIP 1998), do for pictures; that is in doubles,
each operation of which is rounded as IEEE 754 says, in an order that is fixed here.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.reference.arithmetic import BitDecoder, BitEncoder, Bytes
from isthmus.coding.reference.numbers import MASK, RATES, Adaptive, Curves, clip, dot, learn, mix, squash, stretch
from isthmus.coding.scheme import LARGEST, MEDIAN, REGRESSION, SPREAD, SUM, Feature, Scheme, Tap

__all__ = ["ValueCoder", "logarithm"]

Values = NDArray[np.int64]

GROUP = 4  # bits that share a slot
SEEN_MOST = 250  # of a cell
MAP_MOST = 255  # of a map
LEAST_RATE, MORE_RATE, FADING = 20, 150, 256  # how fast weights learn: at the end, more at first, and until when
NEAR_PLAIN, NEAR_STEPS = 200, 48  # distances from a feature that are told apart, at the last three bits and above
QUARTERS = 2  # log2 of the parts of a step that distances are measured in, where values are made of steps
NODE_CURVES, CONTEXT_CURVES = 1024, 4096
FINAL_ROWS = 1024
LONGEST = 43  # bits of a number of steps


def logarithm(value: int, steps: int) -> int:
    """Return a number on a scale with 2^steps steps from a number to its double, exact near zero, with its sign."""
    size = abs(value)
    length = size.bit_length()
    if length > steps + 1:
        size = (length - steps - 1 << steps) + (size >> length - steps - 1)
    return -size if value < 0 else size


def scaled(value: int, scale: int) -> int:
    """Return a number divided by 2^scale, or on the logarithmic scale -1 - scale."""
    return value >> scale if scale >= 0 else logarithm(value, -1 - scale)


def sureness(count: int) -> int:
    """Return a class of counts, 0 to 15."""
    bounds = (1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 40, 64, 100, 160, 250)
    return sum(count >= bound for bound in bounds)


def over(value: int, step: int) -> int:
    """Return a number divided by an odd one or by one, rounded to the nearest whole number."""
    return (value + step // 2) // step if value >= 0 else -((-value + step // 2) // step)


# ---------------------------------------------------------------------- what is remembered


class Cell:
    """What bits followed in one context at one place: a probability, how many, and the last eight."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know nothing."""
        self.p, self.count, self.seen = 32768, 0, 0

    def adapt(self, bit: int) -> None:
        """Note a bit."""
        self.p += ((65535 if bit else 0) - self.p) * RATES[self.count] >> 16
        self.count = min(self.count + 1, SEEN_MOST)
        self.seen = (self.seen << 1 | bit) & 0xFF


class Slot:
    """The 15 cells of four bits of one context, or the one cell near a feature."""

    def __init__(self, cells: int) -> None:
        self.check = 0
        self.cells = [Cell() for _ in range(cells)]

    def give_to(self, check: int) -> None:
        """Forget one context for another one.

        Whoever still uses it, because two contexts of this value fall on it, goes on with the new one.
        """
        self.check = check
        for cell in self.cells:
            cell.forget()


class Table:
    """Slots by hash; one that is needed for another context is given to it if it has seen least of three.

    Parameters
    ----------
    bits : int
        Log2 of the number of slots.
    cells : int
        Of a slot.
    """

    def __init__(self, bits: int, cells: int) -> None:
        self.bits = bits
        self.slots: dict[int, Slot] = defaultdict(lambda: Slot(cells))

    def find(self, key: int) -> Slot:
        """Return the slot of a context."""
        check, place = key & 0xFFFF or 1, key >> 64 - self.bits
        near = [self.slots[place ^ k] for k in range(3)]
        for slot in near:
            if slot.check == check:
                return slot
        least = min(near, key=lambda slot: slot.cells[0].count)
        least.give_to(check)
        return least


class Maps:
    """What the cells of one context were worth so far: by their last bits, and by their probability and count."""

    def __init__(self) -> None:
        self.by_history = Adaptive([_of_history(place) for place in range(512)], MAP_MOST)
        self.by_level = Adaptive([squash(place // 16 * 88 + 44 - 2816) for place in range(64 * 16)], MAP_MOST)


def _of_history(place: int) -> int:
    """Return the probability to begin with after up to eight bits: 1 and the bits, or 256 and eight of more."""
    seen = max(place.bit_length() - 1, 0) if place < 256 else 8
    ones = (place & ((1 << seen) - 1)).bit_count()
    return (10 * ones + 4) * 65535 // (10 * seen + 8) if place < 256 else (10 * ones + 2) * 65535 // (10 * seen + 4)


class Regression:
    """Least squares over the values so far, with weights that fall exponentially (recursive least squares).

    Parameters
    ----------
    feature : Feature
        Its settings.
    """

    def __init__(self, feature: Feature) -> None:
        self.n = n = feature.unknowns
        horizon, self.interval, ridge, self.centred = feature.settings
        self.keep, self.ridge = 1.0 - 1.0 / horizon, math.ldexp(1.0, -ridge)
        self.new = 1.0 - self.keep
        self.products, self.targets = np.zeros((n, n)), np.zeros(n)
        self.coefficients, self.x = np.zeros(n), np.zeros(n)
        self.origin, self.since = 0.0, 0

    def predict(self, neighbours: Sequence[int]) -> int:
        """Return the prediction from the values of the regressors, rounded, within LARGEST."""
        self.origin = float(neighbours[0]) if self.centred else 0.0
        self.x[:] = [float(v) - self.origin for v in neighbours[1:]] if self.centred else [*neighbours, 1]
        total = 0.0
        for coefficient, x in zip(self.coefficients.tolist(), self.x.tolist(), strict=True):
            total += coefficient * x
        total += self.origin
        if not -LARGEST < total < LARGEST:  # also where it is no number
            return neighbours[0]
        return math.floor(total + 0.5)

    def learn(self, value: int) -> None:
        """Note the value that came, and now and then solve the equations."""
        target = float(value) - self.origin
        for i in range(self.n):
            self.products[i] = self.products[i] * self.keep + self.x * (self.x[i] * self.new)
        self.targets = self.targets * self.keep + self.x * (target * self.new)
        self.since += 1
        if self.since == self.interval:
            self.since = 0
            self._solve()

    def _solve(self) -> None:
        """Solve by Cholesky's method, row by row; where that fails the coefficients stay."""
        n, upper = self.n, self.products.copy()
        trace = 0.0
        for i in range(n):
            trace += float(upper[i, i])
        added = trace / n * self.ridge + 0.001
        for i in range(n):
            upper[i, i] += added
        z, w = self.targets.copy(), self.coefficients.copy()
        for k in range(n):
            pivot = float(upper[k, k])
            if not pivot > 1e-9:
                return
            root = math.sqrt(pivot)
            upper[k, k] = root
            upper[k, k + 1 :] *= 1.0 / root
            for i in range(k + 1, n):
                upper[i, i:] -= upper[k, i] * upper[k, i:]
            z[k] /= root
            z[k + 1 :] -= upper[k, k + 1 :] * z[k]
        for k in range(n - 1, -1, -1):
            w[k] = z[k] / upper[k, k]
            z[:k] -= upper[:k, k] * w[k]
        self.coefficients = w


# ---------------------------------------------------------------------- the coder


class ValueCoder:
    """Values to payloads and back; what it learned from one sequence serves the next.

    Parameters
    ----------
    scheme : Scheme
        How they are predicted; it has been checked.
    """

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        count = len(scheme.contexts)
        self.slots, self.near = Table(scheme.table, 15), Table(scheme.table + 3, 1)
        self.maps = [Maps() for _ in range(count)]
        self.regressions = {k: Regression(f) for k, f in enumerate(scheme.features) if f.kind == REGRESSION}
        first = np.zeros(2 * count + 1, np.int64)
        first[0:-1:2], first[1::2] = 65536 // (count + 2), 16384 // (count + 2)
        rows = [self._node_rows, scheme.bits, *(scheme.bits * selector.rows for selector in scheme.selectors)]
        self.weights = [np.tile(first, (n, 1)) for n in rows]
        self.final_weights = [np.full((FINAL_ROWS, len(rows)), 65536 // len(rows)) for _ in range(2)]
        self.curves = Curves(NODE_CURVES), Curves(CONTEXT_CURVES)
        self.count = 0  # of values so far
        self.features: list[int] = []
        self.is_stopped = False

    @property
    def _node_rows(self) -> int:
        """Rows of weights that are chosen by the bits so far; of long values by their number."""
        return 1 << self.scheme.bits if self.scheme.bits <= 10 else self.scheme.bits

    # ------------------------------------------------------------------ sequences

    def encode(self, values: Values, sides: Sequence[Values]) -> bytes:
        """Return the payload of values; where a step is greater than 1, they are changed to what a decoder gets."""
        encoder = BitEncoder()
        for place in range(len(values)):
            self._begin(place, values, sides)
            values[place] = self._code(encoder, int(values[place]))
        return encoder.end()

    def decode(self, payload: Bytes, values: Values, sides: Sequence[Values]) -> None:
        """Fill in the values of a payload.

        Raises
        ------
        ValueError
            It is not as long as theirs, or ends otherwise.
        """
        decoder = BitDecoder(payload)
        for place in range(len(values)):
            self._begin(place, values, sides)
            values[place] = self._code(decoder, 0)
            if decoder.is_beyond_end:
                break
        decoder.end("values")

    def learn(self, values: Values, sides: Sequence[Values]) -> None:
        """See values without coding them."""
        self.encode(values, sides)

    def stop(self) -> None:
        """Interrupt what another thread has begun; it raises RuntimeError there."""
        self.is_stopped = True

    def _begin(self, place: int, values: Values, sides: Sequence[Values]) -> None:
        """Compute the features of the value at a place, and the contexts from them."""
        if self.is_stopped:
            raise RuntimeError("the coder was stopped")
        sources = (values, *sides)

        def at(tap: Tap) -> int:
            k = place - tap.lag
            return int(sources[tap.source][k]) if 0 <= k < len(values) else 0

        features = self.features = []
        for number, feature in enumerate(self.scheme.features):
            found = self._feature(number, feature, at)
            features.append(max(-LARGEST, min(LARGEST, found)))
        self.hashes = []
        for number, context in enumerate(self.scheme.contexts):
            key = (number + 1) * 0xD6E8FEB86659FD93 & MASK
            for term in context.terms:
                key = mix(key, scaled(features[term.feature], term.scale) & MASK)
            self.hashes.append(key)
        self.selected = [
            _chosen(scaled(features[s.term.feature], s.term.scale), s.term.scale, s.rows) for s in self.scheme.selectors
        ]

    def _feature(self, number: int, feature: Feature, at: Any) -> int:
        """Return the value of a feature."""
        taps, known = feature.taps, self.features
        if feature.kind == REGRESSION:
            return self.regressions[number].predict([at(tap) for tap in taps])
        if feature.kind == MEDIAN:
            left, above, corner = map(at, taps)
            return sorted((left, above, left + above - corner))[1]
        shift = feature.settings[0]
        if feature.kind == SPREAD:
            return sum(tap.factor * abs(known[tap.source] - known[tap.lag]) for tap in taps) >> shift
        summed = feature.kind == SUM  # else it is a COMBINATION
        total = sum(tap.factor * (at(tap) if summed else known[tap.source]) for tap in taps)
        return total + (1 << shift >> 1) >> shift

    # ------------------------------------------------------------------ a value

    def _code(self, coder: BitEncoder | BitDecoder, value: int) -> int:
        """Code a value, and return it as a decoder has it; a decoder looks at none that it is given."""
        scheme = self.scheme
        if scheme.around is None:
            found = self._code_bits(coder, value, 0)
        else:
            found = self._code_around(coder, value, self.features[scheme.around])
        for regression in self.regressions.values():
            regression.learn(found)
        self.count += 1
        return found

    def _code_around(self, coder: BitEncoder | BitDecoder, value: int, centre: int) -> int:
        """Code how far a value is from a feature."""
        scheme = self.scheme
        half, unit = 1 << scheme.bits - 1, scheme.step << scheme.raw
        escape = 2 * half - 1
        steps = over(value - centre, scheme.step) if scheme.step > 1 else value - centre >> scheme.raw
        coded = steps + half if -half <= steps < half - 1 else escape
        coded = self._code_bits(coder, coded, centre - half * unit)
        steps = coded - half if coded != escape else _code_plainly(coder, steps)
        low = coder.plain(value - centre & (1 << scheme.raw) - 1, scheme.raw)
        return max(-LARGEST, min(LARGEST, centre + steps * unit + low))

    def _code_bits(self, coder: BitEncoder | BitDecoder, value: int, origin: int) -> int:
        """Code the bits of a number from the highest; ``origin`` is the value that 0 stands for."""
        self.node, low = 1, 0
        for k in range(self.scheme.bits - 1, -1, -1):
            self.k = k
            middle = low + (1 << k)
            p = self._predict(origin + (middle * self.scheme.step << self.scheme.raw))
            bit = coder.bit(p, value >> k & 1)
            self._update(bit)
            low = middle if bit else low
            self.node = self.node << 1 | bit
        return low

    # ------------------------------------------------------------------ a bit

    def _predict(self, threshold: int) -> int:
        """Return the probability that the value is not below a threshold, 1 to 65535."""
        self.cells = self._find_cells(threshold)
        inputs: list[int] = []
        self.places: list[tuple[int, int] | None] = []
        for maps, cell in zip(self.maps, self.cells, strict=True):
            if not cell.count:
                self.places.append(None)
                inputs += [0, 0]
                continue
            few = cell.count < 8
            history = 1 << cell.count | cell.seen & (1 << cell.count) - 1 if few else 256 + cell.seen
            level = (stretch(cell.p) + 2816) // 88 * 16 + sureness(cell.count)
            self.places.append((history, level))
            worth = stretch(maps.by_history[history]) + stretch(maps.by_level[level]) >> 1
            inputs += [worth, stretch(cell.p)]
        self.inputs = np.array([*inputs, 256])
        k, bits = self.k, self.scheme.bits
        self.rows = [self.node if bits <= 10 else k, k]
        self.rows += [k * s.rows + row for s, row in zip(self.scheme.selectors, self.selected, strict=True)]
        chosen = [weights[row] for weights, row in zip(self.weights, self.rows, strict=True)]
        self.outputs = np.array([clip(dot(self.inputs, weights)) for weights in chosen])
        self.final_rows = self.rows[0], self.rows[min(2, len(self.rows) - 1)] % FINAL_ROWS
        final = [clip(dot(self.outputs, self.final_weights[f][self.final_rows[f]])) for f in range(2)]
        self.final_probabilities = [squash(x) for x in final]
        mixed = sum(final) >> 1
        second = mix(self.hashes[min(1, len(self.hashes) - 1)], self.node)
        by_node = self.curves[0].at(self.node % NODE_CURVES, mixed)
        by_context = self.curves[1].at(second >> 20 & CONTEXT_CURVES - 1, mixed)
        return max(1, min(65535, 2 * squash(mixed) + by_node + by_context + 2 >> 2))

    def _find_cells(self, threshold: int) -> list[Cell]:
        """Return the cell of each context for the coming bit."""
        place = (self.scheme.bits - 1 - self.k) % GROUP
        if not place:
            self.first = [
                None if context.near is not None else self.slots.find(mix(key, self.node))
                for context, key in zip(self.scheme.contexts, self.hashes, strict=True)
            ]
        within = (1 << place) - 1
        cells = []
        for context, key, slot in zip(self.scheme.contexts, self.hashes, self.first, strict=True):
            if slot is None and context.near is not None:
                distance = self._distance(threshold - self.features[context.near])
                cells.append(self.near.find(mix(key, distance * 32 + self.k & MASK)).cells[0])
            elif slot is not None:
                cells.append(slot.cells[within + (self.node & within)])
        return cells

    def _distance(self, gap: int) -> int:
        """Return a class of distances of the threshold from a feature: finer for the last bits, and close to it."""
        step, raw, k = self.scheme.step, self.scheme.raw, self.k
        fine = QUARTERS if step > 1 or raw else 0
        gap = over(gap << fine, step) if step > 1 else gap << fine >> raw
        if k >= 3:
            gap >>= k - 2 + fine
        most = NEAR_STEPS if k >= 3 else NEAR_PLAIN
        if abs(gap) > most:
            beyond = most + logarithm(abs(gap) - most, 1)
            gap = beyond if gap > 0 else -beyond
        return gap

    def _update(self, bit: int) -> None:
        """Learn from the bit that came."""
        rate = LEAST_RATE + MORE_RATE * FADING // (FADING + min(self.count, 1_000_000))
        for weights, row, output in zip(self.weights, self.rows, self.outputs.tolist(), strict=True):
            learn(weights[row], self.inputs, ((bit << 16) - squash(output)) * rate >> 8)
        for final, row, p in zip(self.final_weights, self.final_rows, self.final_probabilities, strict=True):
            learn(final[row], self.outputs, (bit << 16) - p >> 3)
        for curves in self.curves:
            curves.adapt(bit)
        for maps, cell, places in zip(self.maps, self.cells, self.places, strict=True):
            if places:
                maps.by_history.adapt(places[0], bool(bit))
                maps.by_level.adapt(places[1], bool(bit))
            cell.adapt(bit)


def _chosen(value: int, scale: int, rows: int) -> int:
    """Return a row for a term: from 0, or with 0 in the middle where the scale has a sign."""
    return max(0, min(rows - 1, value + (rows // 2 if scale < 0 else 0)))


def _code_plainly(coder: BitEncoder | BitDecoder, number: int) -> int:
    """Code a whole number with its sign: how many bits it has, and the bits (Elias' gamma code)."""
    folded = (2 * number if number >= 0 else -2 * number - 1) + 1
    length = coder.plain(folded.bit_length(), 6)
    if not 0 < length <= LONGEST:
        raise ValueError("a number that no value needs")
    folded = coder.plain(folded & (1 << length - 1) - 1, length - 1) | 1 << length - 1
    return folded >> 1 if folded % 2 else -(folded >> 1)
