"""Schemes of pictures, built from a few numbers: a file has these, and not the schemes.

What stands here is part of the format (version 1 of the builder): from the same numbers the same scheme is built for
ever. A change is a new version, beside this one.

For photographs, pixels are predicted by least squares over neighbours of the plane and of those before it (Wu, Barthel
and Zhang, "Piecewise 2D Autoregression for Predictive Image Coding", ICIP 1998), by the median of Weinberger, Seroussi
and Sapiro ("The LOCO-I Lossless Image Compression Algorithm", IEEE TIP 2000), and by many fixed linear predictions, of
the plane and of its difference from others. For drawings, what counts is which neighbours are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from isthmus.coding.pictures.drafting import Draft, Pattern, Place
from isthmus.coding.scheme import Scheme, Term, logarithmic

__all__ = ["DRAWING", "KINDS", "PHOTOGRAPH", "QUICK", "SIDES", "VERSION", "built"]

VERSION = 1
PHOTOGRAPH, QUICK, DRAWING = range(3)
KINDS = {"photograph": PHOTOGRAPH, "quick": QUICK, "drawing": DRAWING}
SIDES = 2  # planes before the one that is coded, of which it depends on so many
TABLE = 12, 18  # log2 of slots: at least, at most

HERE = Place(0, 0)
W, WW, WWW = Place(0, -1), Place(0, -2), Place(0, -3)
N, NE, NW, NEE, NWW = Place(1, 0), Place(1, 1), Place(1, -1), Place(1, 2), Place(1, -2)
NN, NNE, NNW, NNEE, NNWW, NNN = Place(2, 0), Place(2, 1), Place(2, -1), Place(2, 2), Place(2, -2), Place(3, 0)
E, S = Place(0, 1), Place(-1, 0)  # of other planes only

AS_LEFT, AS_ABOVE, AS_RIGHT = Pattern({W: 1}), Pattern({N: 1}), Pattern({NE: 1})
PLANE, SLANTED = Pattern({W: 1, N: 1, NW: -1}), Pattern({W: 1, NE: 1, N: -1})
ALONG, DOWN, DOWN_BESIDE = Pattern({W: 2, WW: -1}), Pattern({N: 2, NN: -1}), Pattern({N: 1, NE: 1, NNE: -1})
MEAN, MEAN_ACROSS = Pattern({W: 1, N: 1}, 1), Pattern({W: 1, NE: 1}, 1)
MEAN_OF_FOUR = Pattern({W: 1, N: 1, NE: 1, NW: 1}, 2)
HALF_PLANE = Pattern({W: 3, N: 3, NW: -2}, 2)
LEFT_CURVED, ABOVE_CURVED = Pattern({W: 3, N: 2, NW: -2, WW: -1}, 1), Pattern({N: 3, W: 2, NW: -2, NN: -1}, 1)
RIGHT_CURVED, EDGE = Pattern({W: 2, NE: 2, N: -1, NNE: -1}, 1), Pattern({W: 1, N: 2, NN: -1, NW: -2, NNW: 1})
FALLING, RISING = Pattern({NW: 2, NNWW: -1}), Pattern({NE: 2, NNEE: -1})

OF_FIRST = (
    *(PLANE, MEAN, SLANTED, ALONG, DOWN, MEAN_ACROSS, HALF_PLANE, DOWN_BESIDE),
    *(RIGHT_CURVED, LEFT_CURVED, ABOVE_CURVED, FALLING, RISING, EDGE),
)
OF_SECOND = (PLANE, SLANTED)
OF_THIRD = (PLANE,)
BESIDE = (
    *(AS_LEFT, AS_ABOVE, PLANE, MEAN, AS_RIGHT, SLANTED),
    *(ALONG, DOWN, DOWN_BESIDE, MEAN_OF_FOUR, HALF_PLANE),
)
BESIDE_ONE = (*BESIDE, RIGHT_CURVED, LEFT_CURVED, ABOVE_CURVED)
BESIDE_BOTH = (AS_LEFT, AS_ABOVE)

NEAREST = (W, N, NW, NE, WW, NN, NNE, NWW)
NEAR = (*NEAREST, NEE, NNW, NNEE, NNWW, WWW, Place(1, -3), Place(1, 3), NNN)
FAR = (
    *(*NEAR, Place(0, -4), Place(1, -4), Place(2, -3), Place(2, 3)),
    *(Place(3, -1), Place(3, 1), Place(3, -2), Place(3, 2)),
)
OTHERS = (HERE, W, N, NW, NE, E, S)
FAR_OTHERS = (*OTHERS, WW, NN, Place(0, 2), Place(-1, -1), Place(-1, 1))
SAME: tuple[tuple[Place, ...], ...] = (
    *((), (W,), (N,), (W, N), (W, N, NW), (W, N, NE), (W, N, NW, NE)),
    *((W, NE, NEE), (W, N, NW, NE, WW, NN)),
)
NEAR_SAME = (W, N, NW, NE, WW, NN, NNE, NNW, NEE, NWW, WWW, NNN)
FAR_SAME = (
    *(W, N, NW, NE, WW, NN, NNE, NNW, NEE, NWW, WWW, Place(0, -4), Place(1, -3), Place(1, 3)),
    *(NNWW, NNEE, Place(3, -1), NNN, Place(3, 1), Place(0, -5)),
)
FACTORS = (
    *(31, 1033, 7919, 12007, 20011, 30011, 16411, 9973, 5003, 2999),
    *(26003, 18013, 13007, 22003, 28001, 111, 441, 3217, 4421, 8111),
)


def built(kind: int, width: int, bits: int, sides: int, pixels: int) -> Scheme:
    """Return the scheme of a plane.

    Parameters
    ----------
    kind : int
        PHOTOGRAPH, QUICK or DRAWING.
    width : int
        Pixels of a row.
    bits : int
        Of its numbers, 1 to 16.
    sides : int
        Planes before it that are used, at most 2.
    pixels : int
        That are coded until a coder begins afresh.
    """
    table = min(max(pixels.bit_length() - 1, TABLE[0]), TABLE[1])
    draft = Draft(width)
    (_photograph, _quick, _drawing)[kind](draft, range(1, sides + 1))
    return draft.scheme(bits, table)


# ---------------------------------------------------------------------- photographs


def _photograph(draft: Draft, sides: Sequence[int]) -> None:
    """Declare what serves for photographs."""
    activity = _activity(draft)
    medium = draft.regression(NEAR, product_of(OTHERS, sides), 600, 3)
    quick = draft.regression(NEAREST, product_of(OTHERS[:4], sides), 60, 3)
    steady = draft.regression(FAR, product_of(FAR_OTHERS[: 16 // max(len(sides), 1)], sides), 3000, 4)
    median, plane = draft.median(), draft.linear(PLANE)
    for learned in (medium, quick, steady):
        draft.context(Term(activity, logarithmic(0)), near=learned)
    draft.context(near=steady)
    draft.context(Term(draft.difference(steady, medium), logarithmic(1)), near=steady)
    for pattern in (OF_FIRST, OF_SECOND, OF_THIRD)[len(sides)]:
        draft.context(near=draft.linear(pattern))
    draft.context(near=median)
    _beside(draft, sides)
    _texture(draft, sides, medium, activity)
    _exactly(draft, medium, quick, median, plane, activity)
    _exactly_beside(draft, sides, activity)
    draft.selector(Term(activity, logarithmic(1)), 24)
    draft.selector(Term(medium, 2), 64)
    draft.selector(Term(draft.difference(medium, quick), logarithmic(2)), 32)
    draft.selector(Term(draft.difference(medium, steady), logarithmic(1)), 32)


def product_of(places: Iterable[Place], planes: Sequence[int]) -> list[tuple[Place, int]]:
    """Return each of some places in each of some planes."""
    return [(place, plane) for plane, place in product(planes, places)]


def _activity(draft: Draft) -> int:
    """Return how much neighbours differ."""
    w, n, nw = (draft.pixel(place) for place in (W, N, NW))
    return draft.spread((w, nw), (n, nw), (n, draft.pixel(NE)), (w, draft.pixel(WW)), (n, draft.pixel(NN)))


def _beside(draft: Draft, sides: Sequence[int]) -> None:
    """Declare what is near predictions of the difference from other planes."""
    for side in sides:
        for pattern in BESIDE_ONE if len(sides) == 1 else BESIDE:
            draft.context(near=draft.beside(pattern, (side,)))
    if len(sides) == 2:
        for pattern in BESIDE_BOTH:
            draft.context(near=draft.beside(pattern, sides))


def _texture(draft: Draft, sides: Sequence[int], learned: int, activity: int) -> None:
    """Declare what is near a learned prediction where neighbours were otherwise than predicted."""
    coarse = logarithmic(0)
    gaps = (draft.difference(draft.pixel(place), learned) for place in (W, N, NE, NW))
    draft.context(*(Term(gap, coarse) for gap in gaps), near=learned)
    errors = (
        Pattern({W: 1, WW: -1, NW: -1, NWW: 1}),
        Pattern({N: 1, NW: -1, NN: -1, NNW: 1}),
        Pattern({NE: 1, N: -1, NNE: -1, NN: 1}),
    )
    draft.context(*(Term(draft.linear(error), coarse) for error in errors), near=learned)
    for side in sides:
        error = draft.difference(draft.pixel(HERE, side), draft.median(side))
        draft.context(Term(error, logarithmic(1)), Term(activity, coarse), near=learned)


def _exactly(draft: Draft, medium: int, quick: int, median: int, plane: int, activity: int) -> None:
    """Declare what depends on exact numbers of the plane."""
    w, n, ne, nw = (draft.pixel(place) for place in (W, N, NE, NW))
    draft.context(Term(medium))
    draft.context(Term(medium), Term(quick, 1))
    draft.context(Term(medium, 1), Term(w, 1))
    draft.context(Term(w), Term(n, 1))
    draft.context(Term(n), Term(ne, 1))
    draft.context(Term(w, 1), Term(n, 2), Term(nw, 2), Term(ne, 2))
    draft.context(Term(median), Term(activity, logarithmic(1)))
    draft.context(Term(plane))


def _exactly_beside(draft: Draft, sides: Sequence[int], activity: int) -> None:
    """Declare what depends on exact numbers of other planes."""
    if sides:
        for pattern in (AS_LEFT, AS_ABOVE, PLANE):
            draft.context(Term(draft.beside(pattern, (1,))), Term(activity, logarithmic(1)))
    for side in sides:
        draft.context(Term(draft.pixel(HERE, side)), Term(draft.pixel(W), 1))
    if len(sides) == 2:
        draft.context(*(Term(draft.pixel(HERE, side), 1) for side in sides))


def _quick(draft: Draft, sides: Sequence[int]) -> None:
    """Declare the little that serves for photographs where time is short."""
    activity = _activity(draft)
    learned = draft.regression(NEAREST, product_of(OTHERS[:5], sides), 600, 8)
    draft.context(Term(activity, logarithmic(0)), near=learned)
    draft.context(Term(learned), Term(activity, logarithmic(0)))
    draft.context(near=draft.median())
    if not sides:
        for pattern in (SLANTED, HALF_PLANE, DOWN_BESIDE, ALONG):
            draft.context(near=draft.linear(pattern))
    for side in sides:
        for pattern in (AS_LEFT, MEAN_OF_FOUR, PLANE, DOWN_BESIDE)[: 5 - len(sides)]:
            draft.context(near=draft.beside(pattern, (side,)))
    draft.selector(Term(activity, logarithmic(1)), 24)


# ---------------------------------------------------------------------- drawings


def _drawing(draft: Draft, sides: Sequence[int]) -> None:
    """Declare what serves for drawings, screens and other pictures in which pixels are the same."""
    here = [Term(draft.pixel(HERE, side)) for side in sides]
    exact = {place: Term(draft.pixel(place)) for place in (W, N, NW, NE, WW, NN, NEE)}
    for places in SAME:
        draft.context(*(exact[place] for place in places), *here)
    rows = [
        [Place(0, -k) for k in range(1, 7)],
        [Place(k, 0) for k in range(1, 7)],
        [Place(1, k) for k in range(-3, 5)],
    ]
    for surroundings in (NEAR_SAME, FAR_SAME, *rows):
        draft.context(Term(draft.hashed(product_of(surroundings, (0,)), FACTORS)), *here)
    _as_neighbours_are(draft)
    _as_beside(draft, sides, exact)
    pairs = ((W, NW), (N, NW), (N, NE), (W, WW))
    flatness = draft.spread(*((draft.pixel(one), draft.pixel(other)) for one, other in pairs))
    draft.selector(Term(flatness, logarithmic(1)), 24)
    draft.selector(Term(draft.pixel(W), 2), 64)


def _as_neighbours_are(draft: Draft) -> None:
    """Declare what is near the pixel to the left or above, by which of their neighbours are the same."""
    coarse = logarithmic(0)
    for centre, others in ((W, (N, NW, NE, WW)), (N, (W, NW, NE, NN))):
        middle = draft.pixel(centre)
        gaps = (draft.difference(draft.pixel(place), middle) for place in others)
        draft.context(*(Term(gap, coarse) for gap in gaps), near=middle)


def _as_beside(draft: Draft, sides: Sequence[int], exact: dict[Place, Term]) -> None:
    """Declare what depends on which neighbours are the same in the planes before this one."""
    if not sides:
        return
    for place in (W, N, NW, NE):
        gaps = (draft.difference(draft.pixel(HERE, side), draft.pixel(place, side)) for side in sides)
        draft.context(*(Term(gap) for gap in gaps), near=draft.pixel(place))
    last = sides[-1]
    known = (Term(draft.pixel(place, last)) for place in (HERE, W, N))
    draft.context(exact[W], exact[N], *known)
    for side in sides:
        draft.context(Term(draft.pixel(HERE, side)), exact[W])
    pairs = ((draft.pixel(HERE, side), draft.pixel(place, side)) for side in sides for place in (W, N))
    draft.selector(Term(draft.spread(*pairs), logarithmic(1)), 24)
