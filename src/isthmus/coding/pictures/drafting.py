"""A scheme in the making, in the terms of pictures: pixels above and to the left, and those of other planes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from isthmus.coding.scheme import Context, Feature, Scheme, Selector, Tap, Term

__all__ = ["Draft", "Pattern", "Place"]


class Place(NamedTuple):
    """Where a neighbour is: rows above the pixel, and columns to its right."""

    up: int
    right: int


class Pattern(NamedTuple):
    """A linear prediction: what neighbours count, and the power of two by which their sum is divided.

    The counts add up to that power, so that a plane that is the same everywhere is predicted exactly.
    """

    counts: Mapping[Place, int]
    shift: int = 0


class Draft:
    """Features, contexts and selectors for the planes of a picture.

    Plane 0 is the one that is coded; plane k is side k, of which every pixel is known.

    Parameters
    ----------
    width : int
        Pixels of a row.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._features: dict[Feature, int] = {}
        self._contexts: dict[Context, None] = {}
        self._selectors: list[Selector] = []

    # ------------------------------------------------------------------ features

    def pixel(self, place: Place, plane: int = 0) -> int:
        """Return the value of a neighbour."""
        return self._feature(Feature.sum(self._tap(place, plane)))

    def linear(self, pattern: Pattern) -> int:
        """Return what a pattern predicts from the plane itself."""
        taps = (self._tap(place, 0, count) for place, count in pattern.counts.items())
        return self._feature(Feature.sum(*taps, shift=pattern.shift))

    def beside(self, pattern: Pattern, planes: Sequence[int]) -> int:
        """Return what a pattern predicts of the difference from the mean of one or two other planes."""
        parts = len(planes)
        taps = [self._tap(place, 0, count * parts) for place, count in pattern.counts.items()]
        for plane in planes:
            taps.append(self._tap(Place(0, 0), plane, 1 << pattern.shift))
            taps += (self._tap(place, plane, -count) for place, count in pattern.counts.items())
        return self._feature(Feature.sum(*taps, shift=pattern.shift + parts - 1))

    def median(self, plane: int = 0) -> int:
        """Return the median of left, above, and left + above - corner."""
        left, above, corner = (self._tap(place, plane) for place in (Place(0, -1), Place(1, 0), Place(1, -1)))
        return self._feature(Feature.median(left, above, corner))

    def regression(self, own: Iterable[Place], others: Iterable[tuple[Place, int]], horizon: int, interval: int) -> int:
        """Return what least squares predict from neighbours of the plane, and of others: pairs of place and plane."""
        taps = [self._tap(place, 0) for place in own] + [self._tap(place, plane) for place, plane in others]
        return self._feature(Feature.regression(*taps, horizon=horizon, interval=interval))

    def hashed(self, places: Iterable[tuple[Place, int]], factors: Sequence[int]) -> int:
        """Return a number that differs where neighbours, pairs of place and plane, do: a sum with odd factors."""
        pairs = zip(places, factors, strict=False)
        return self._feature(Feature.sum(*(self._tap(place, plane, factor) for (place, plane), factor in pairs)))

    def mean(self, places: Iterable[Place], shift: int) -> int:
        """Return the sum of neighbours of the plane, divided by a power of two."""
        return self._feature(Feature.sum(*(self._tap(place, 0) for place in places), shift=shift))

    def packed(self, places: Iterable[Place]) -> int:
        """Return the bits of neighbours, at most 14, as one number."""
        return self._feature(Feature.sum(*(self._tap(place, 0, 1 << k) for k, place in enumerate(places))))

    def numbered(self, place: tuple[int, int], columns: int) -> int:
        """Return the number of a place, which is the features of its row and column."""
        return self._feature(Feature.combination((place[0], columns), (place[1], 1)))

    def added(self, one: int, other: int) -> int:
        """Return the sum of two features."""
        return self._feature(Feature.combination((one, 1), (other, 1)))

    def difference(self, one: int, other: int) -> int:
        """Return by how much a feature is larger than another."""
        return self._feature(Feature.combination((one, 1), (other, -1)))

    def spread(self, *pairs: tuple[int, int]) -> int:
        """Return how far features differ, in pairs."""
        return self._feature(Feature.spread(*pairs))

    def _feature(self, feature: Feature) -> int:
        return self._features.setdefault(feature, len(self._features))

    def _tap(self, place: Place, plane: int, factor: int = 1) -> Tap:
        """Return a neighbour; one that a narrow picture does not have before the pixel is the one just before it."""
        lag = place.up * self._width - place.right
        return Tap(plane, lag if plane else max(lag, 1), factor)

    # ------------------------------------------------------------------ what they are for

    def context(self, *terms: Term, near: int | None = None) -> None:
        """Let bits depend on terms, and on the bits so far or the distance from a feature."""
        self._contexts[Context(terms, near)] = None

    def selector(self, term: Term, rows: int) -> None:
        """Choose weights by a term."""
        self._selectors.append(Selector(term, rows))

    def scheme(self, bits: int, table: int) -> Scheme:
        """Return the scheme of what was declared."""
        return Scheme(bits, tuple(self._features), tuple(self._contexts), tuple(self._selectors), table)
