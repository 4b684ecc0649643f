"""How values are predicted: a declaration that stands in the file, so that a decoder need not know how it was found.

Whole numbers are coded one after another. Beside them stand *sides*: other sequences as long, which the decoder has
already. A scheme says which neighbours of a value, among those before it and in the sides, are looked at (`Feature`),
what the next bit may depend on (`Context`), and which weights are used (`Selector`). How to choose a good one is the
writer's affair; what one means is specified by `isthmus.coding.reference.values`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from isthmus.coding.container import Source, varint

__all__ = ["LARGEST", "Context", "Feature", "Scheme", "Selector", "Tap", "Term", "logarithmic"]

LARGEST = 1 << 40  # values lie between its negative and it
BITS_LIMIT, STEP_LIMIT, RAW_LIMIT, REACH_LIMIT = 24, 1 << 20, 40, 56
FEATURES_LIMIT, CONTEXTS_LIMIT, SELECTORS_LIMIT, TERMS_LIMIT, TAPS_LIMIT = 120, 64, 4, 8, 40
SIDES_LIMIT, LAG_LIMIT, FACTOR_LIMIT, SHIFT_LIMIT = 255, 1 << 40, 1 << 15, 31
TABLE_LEAST, TABLE_MOST = 6, 20  # log2 of slots of 64 bytes
CHOICES_LIMIT = 1024  # rows of weights that a selector has for each bit
SUM, MEDIAN, SPREAD, COMBINATION, REGRESSION = range(5)


class Tap(NamedTuple):
    """A neighbour of the value: ``lag`` places before it in a source, behind it where that is negative.

    Source 0 is the values themselves, whose lag is at least 1; source k is side k. Outside of the sequence are zeros.
    The factor is used in a sum.
    """

    source: int
    lag: int
    factor: int = 1


@dataclass(frozen=True)
class Feature:
    """A number that is computed from neighbours, or from features before it, for each value.

    Make one with :meth:`sum`, :meth:`median`, :meth:`spread`, :meth:`combination` or :meth:`regression`.

    Parameters
    ----------
    kind : int
        SUM, MEDIAN, SPREAD, COMBINATION or REGRESSION.
    taps : tuple of Tap
        Of a spread, ``Tap(a, b, factor)`` are two features; of a combination, ``Tap(a, 0, factor)`` is one.
    settings : tuple of int
        Of a sum, a spread and a combination the shift; of a regression horizon, interval, ridge and whether it is
        centred.
    """

    kind: int
    taps: tuple[Tap, ...]
    settings: tuple[int, ...] = ()

    @classmethod
    def sum(cls, *taps: Tap, shift: int = 0) -> Self:
        """Return the sum of neighbours with their factors, divided by 2^shift and rounded."""
        return cls(SUM, taps, (shift,))

    @classmethod
    def median(cls, left: Tap, above: Tap, corner: Tap) -> Self:
        """Return the median of left, above and left + above - corner.

        The predictor of Weinberger, Seroussi and Sapiro, "The LOCO-I Lossless Image Compression Algorithm" (IEEE TIP
        2000), section III-A.
        """
        return cls(MEDIAN, (left, above, corner))

    @classmethod
    def spread(cls, *pairs: tuple[int, int], factor: int = 1, shift: int = 0) -> Self:
        """Return the sum of the absolute differences of pairs of features, times factor, divided by 2^shift."""
        return cls(SPREAD, tuple(Tap(a, b, factor) for a, b in pairs), (shift,))

    @classmethod
    def combination(cls, *terms: tuple[int, int], shift: int = 0) -> Self:
        """Return the sum of features, each a pair of its place and a factor, divided by 2^shift and rounded."""
        return cls(COMBINATION, tuple(Tap(place, 0, factor) for place, factor in terms), (shift,))

    @classmethod
    def regression(
        cls, *taps: Tap, horizon: int = 500, interval: int = 4, ridge: int = 14, centred: bool = True
    ) -> Self:
        """Return what least squares over the values so far predict from neighbours.

        Parameters
        ----------
        taps : Tap
            Regressors; factors are not used.
        horizon : int, default=500
            Values that count: the weight of one falls by 1 - 1 / horizon with each that follows.
        interval : int, default=4
            Values after which the equations are solved anew.
        ridge : int, default=14
            What is added to the diagonal: its mean divided by 2^ridge.
        centred : bool, default=True
            Whether the value and all regressors are taken less the first regressor, so that only their differences
            matter; else 1 is one more regressor.
        """
        return cls(REGRESSION, taps, (horizon, interval, ridge, int(centred)))

    @property
    def unknowns(self) -> int:
        """Coefficients of a regression."""
        return len(self.taps) - 1 if self.settings[3] else len(self.taps) + 1


class Term(NamedTuple):
    """A feature as a context sees it: divided by 2^scale, or on a logarithmic scale (`logarithmic`)."""

    feature: int
    scale: int = 0


def logarithmic(steps: int = 1) -> int:
    """Return the scale with 2^steps steps from a number to its double, exact near zero, with its sign."""
    return -1 - steps


class Context(NamedTuple):
    """What bits may depend on: some terms, and the bits of this value so far.

    Where ``near`` is a feature, a bit depends not on the bits so far, but on how far the threshold that it decides on
    is from that feature.
    """

    terms: tuple[Term, ...] = ()
    near: int | None = None


class Selector(NamedTuple):
    """Which of ``rows`` rows of weights is used: that of a term, clipped; 0 is the first, or in the middle if signed.

    It is signed where its scale is logarithmic.
    """

    term: Term
    rows: int


@dataclass(frozen=True)
class Scheme:
    """How values are predicted.

    Parameters
    ----------
    bits : int
        Of a value, which is not negative; or, around a feature, of the number of steps it is from it: steps
        beyond are coded as such, at some cost.
    features, contexts, selectors
        At most 120, 64 and 4.
    table : int
        Log2 of the slots of 64 bytes that contexts have, 6 to 20; those that are near a feature have as many again.
    around : int, optional
        A feature: coded is how far the value is from it.
    step : int, default=1
        Around a feature: a value is that far from it times a whole number. With more than 1 values are changed to the
        nearest such number, which is at most step // 2 off.
    raw : int, default=0
        Around a feature, with a step of 1: lowest bits of the difference that are coded as they are.
    """

    bits: int
    features: tuple[Feature, ...] = ()
    contexts: tuple[Context, ...] = ()
    selectors: tuple[Selector, ...] = ()
    table: int = 12
    around: int | None = None
    step: int = 1
    raw: int = 0

    def program(self) -> list[int]:
        """Return it as numbers, the form in which the compiled coder takes it."""
        out = [self.bits, self.table, -1 if self.around is None else self.around, self.step, self.raw]
        out.append(len(self.features))
        for feature in self.features:
            settings = (*feature.settings, 0, 0, 0, 0)[:4]
            out += [feature.kind, len(feature.taps), *settings]
            for tap in feature.taps:
                out += tap
        out.append(len(self.contexts))
        for context in self.contexts:
            out += [len(context.terms), -1 if context.near is None else context.near]
            for term in context.terms:
                out += term
        out.append(len(self.selectors))
        for selector in self.selectors:
            out += [*selector.term, selector.rows]
        return out

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file: the numbers of the program, each as a varint, negative ones folded in."""
        return b"".join(varint(2 * x if x >= 0 else -2 * x - 1) for x in self.program())

    @classmethod
    def read(cls, source: Source, sides: int) -> Self:
        """Return a scheme for values with so many sides.

        Raises
        ------
        ArtifactError
            It is none that an encoder may write.
        """
        scheme = cls._of(Program(source))
        why = scheme.why_refused(sides)
        if why:
            raise source.damaged(f"a scheme {why}")
        return scheme

    @classmethod
    def _of(cls, numbers: Program) -> Self:
        """Return the scheme of a program."""
        bits, table, around, step, raw = (numbers.next() for _ in range(5))
        features = tuple(_feature(numbers) for _ in range(numbers.count(FEATURES_LIMIT)))
        contexts = []
        for _ in range(numbers.count(CONTEXTS_LIMIT)):
            terms, near = numbers.count(TERMS_LIMIT), numbers.next()
            contexts.append(
                Context(tuple(Term(numbers.next(), numbers.next()) for _ in range(terms)), None if near < 0 else near)
            )
        selectors = tuple(
            Selector(Term(numbers.next(), numbers.next()), numbers.next())
            for _ in range(numbers.count(SELECTORS_LIMIT))
        )
        around_feature = None if around < 0 else around
        return cls(bits, features, tuple(contexts), selectors, table, around_feature, step, raw)

    def why_refused(self, sides: int) -> str | None:
        """Return what is wrong with it for values with so many sides, or None."""
        count = len(self.features)
        if not (1 <= self.bits <= BITS_LIMIT and TABLE_LEAST <= self.table <= TABLE_MOST):
            return "has a size that it cannot have"
        if not (1 <= self.step <= STEP_LIMIT and self.step % 2 and 0 <= self.raw <= RAW_LIMIT):
            return "has a step that it cannot have"
        if self.bits + self.raw + self.step.bit_length() > REACH_LIMIT:
            return "reaches too far"
        if self.step > 1 and self.raw:
            return "leaves out bits that it also keeps"
        if self.around is None and (self.step, self.raw) != (1, 0):
            return "has steps from nothing"
        if sides > SIDES_LIMIT or count > FEATURES_LIMIT:
            return "looks at too much"
        for place, feature in enumerate(self.features):
            if not _is_sound(feature, place, sides):
                return f"has a feature {place} that it cannot have"
        if not 1 <= len(self.contexts) <= CONTEXTS_LIMIT or len(self.selectors) > SELECTORS_LIMIT:
            return "has no contexts, or too many"
        terms = [term for context in self.contexts for term in context.terms]
        terms += [selector.term for selector in self.selectors]
        named = [context.near for context in self.contexts] + [self.around]
        if any(not (0 <= term.feature < count and -4 <= term.scale <= SHIFT_LIMIT) for term in terms):
            return "has a term of no feature"
        if any(place is not None and not 0 <= place < count for place in named):
            return "is near no feature"
        if any(len(context.terms) > TERMS_LIMIT for context in self.contexts):
            return "has a context of too many terms"
        if any(not 1 <= selector.rows <= CHOICES_LIMIT for selector in self.selectors):
            return "has too many weights"
        return None


def _is_sound(feature: Feature, place: int, sides: int) -> bool:
    """Return whether a feature can stand at a place."""
    kind, taps, settings = feature.kind, feature.taps, feature.settings
    if kind not in range(5) or len(taps) > TAPS_LIMIT or any(abs(tap.factor) >= FACTOR_LIMIT for tap in taps):
        return False
    if kind in (SPREAD, COMBINATION):
        inner = [tap.source for tap in taps] + [tap.lag for tap in taps]
        return all(0 <= other < place or other == 0 <= place for other in inner) and place > 0 and _shift_fits(settings)
    if any(not (0 <= tap.source <= sides and abs(tap.lag) < LAG_LIMIT and (tap.source or tap.lag > 0)) for tap in taps):
        return False
    if kind == SUM:
        return _shift_fits(settings)
    if kind == MEDIAN:
        return len(taps) == 3
    horizon, interval, ridge, centred = settings
    return 2 <= horizon <= 1 << 20 and 1 <= interval <= 256 and 0 <= ridge <= 40 and centred in (0, 1) and len(taps) > 1


def _shift_fits(settings: Sequence[int]) -> bool:
    return 0 <= settings[0] <= SHIFT_LIMIT


def _feature(numbers: Program) -> Feature:
    kind, count = numbers.next(), numbers.count(TAPS_LIMIT)
    settings = tuple(numbers.next() for _ in range(4))
    kept = {SUM: 1, SPREAD: 1, COMBINATION: 1, REGRESSION: 4}.get(kind, 0)
    taps = tuple(Tap(numbers.next(), numbers.next(), numbers.next()) for _ in range(count))
    return Feature(kind, taps, settings[:kept])


class Program:
    """The numbers of a scheme, as they stand in a file.

    Parameters
    ----------
    source : Source
        Of the bytes.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def next(self) -> int:
        """Return the next number."""
        folded = self._source.varint()
        return -(folded + 1 >> 1) if folded % 2 else folded >> 1

    def count(self, most: int) -> int:
        """Return the next number, of which so many things follow."""
        found = self.next()
        if not 0 <= found <= most:
            raise self._source.damaged(f"a scheme lists {found:,} of something")
        return found
