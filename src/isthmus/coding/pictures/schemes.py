"""Schemes of pictures, built from a few numbers: a file has these, and not the schemes.

What stands here is part of the format (version 1 of the builder): from the same numbers the same scheme is built for
ever. A change is a new version, beside this one.

For photographs, pixels are predicted by least squares over neighbours of the plane and of those before it (Wu, Barthel
and Zhang, "Piecewise 2D Autoregression for Predictive Image Coding", ICIP 1998), by the median of Weinberger, Seroussi
and Sapiro ("The LOCO-I Lossless Image Compression Algorithm", IEEE TIP 2000), and by many fixed linear predictions, of
the plane and of its difference from others. For drawings, what counts is which neighbours are the same. In stacks of
pictures of one kind the place in the picture counts as well, and more of what is around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from isthmus.coding.pictures.drafting import Draft, Pattern, Place
from isthmus.coding.scheme import Scheme, Term, logarithmic

__all__ = ["DRAWING", "KINDS", "PHOTOGRAPH", "PLACES", "QUICK", "SIDES", "STACK", "VERSION", "built"]

VERSION = 1
PHOTOGRAPH, QUICK, DRAWING, STACK = range(4)
KINDS = {"photograph": PHOTOGRAPH, "quick": QUICK, "drawing": DRAWING, "stack": STACK}
SIDES = 2  # planes before the one that is coded, of which it depends on so many
PLACES = 32  # rows that are told apart in a stack, and columns
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
OF_STACK = (*NEAREST[:7], NNW, NEE, NWW, NNEE, NNWW, NNN)
FAR_OF_STACK = (
    *(*OF_STACK, WWW, Place(1, -3), Place(1, 3), Place(3, -1), Place(3, 1), Place(4, 0), Place(0, -4)),
    *(Place(2, -3), Place(2, 3), Place(3, -2), Place(3, 2)),
)
ABOUT: tuple[tuple[int, tuple[Place, ...]], ...] = (
    *((3, NEAREST[:4]), (4, NEAREST[:4]), (2, NEAREST[:6]), (3, NEAREST[:6]), (5, (W, N, NE))),
    *((6, (W, WW)), (6, (N, NN)), (4, (W, NE, NEE)), (7, (W, N)), (5, (W, N, NW))),
)
AROUND = (NNWW, NNW, NN, NNE, NNEE, NWW, NEE, WW)
ABOVE = (*(Place(3, k) for k in range(-3, 4)), WWW, Place(0, -4))
FAR_ABOVE = tuple(Place(row, k) for row in (4, 5) for k in range(-3, 4))
FAR_LEFT = tuple(Place(row, k) for k in (-5, -7) for row in range(4))
FAR_RIGHT = tuple(Place(1, k) for k in range(3, 7))
PATTERNS_OF_STACK = (*OF_FIRST[:8], RIGHT_CURVED, LEFT_CURVED)
BESIDE_IN_STACK = (AS_LEFT, AS_ABOVE, PLANE, MEAN_OF_FOUR, SLANTED, DOWN)

BEFORE = [Place(row, k) for row in range(10) for k in range(-9, 10) if row or k < 0]
BY_DISTANCE = sorted(BEFORE, key=lambda place: (place.up**2 + place.right**2, place.up, place.right))
RINGS = [
    [place for place in BY_DISTANCE if low <= place.up**2 + place.right**2 < high][:40]
    for low, high in ((0, 6), (6, 17), (17, 40))
]
BEYOND = (
    *(Place(3, 0), Place(3, -1), Place(3, 1), Place(3, -2), Place(3, 2)),
    *(WWW, Place(0, -4), Place(4, 0), Place(2, -3), Place(2, 3)),
)
FACTORS = (
    *(31, 1033, 7919, 12007, 20011, 30011, 16411, 9973, 5003, 2999),
    *(26003, 18013, 13007, 22003, 28001, 111, 441, 3217, 4421, 8111),
)


def _blocks() -> list[list[Place]]:
    """Return blocks of two rows and three columns in which pixels that are not the nearest lie, the nearest first."""
    found: dict[tuple[int, int], list[Place]] = {}
    for place in BY_DISTANCE[4:120]:
        found.setdefault((place.up // 2, (place.right + 100) // 3), []).append(place)
    return sorted(found.values(), key=lambda block: min(place.up**2 + place.right**2 for place in block))


BLOCKS = _blocks()


def built(kind: int, width: int, bits: int, sides: int, pixels: int) -> Scheme:
    """Return the scheme of a plane.

    Parameters
    ----------
    kind : int
        PHOTOGRAPH, QUICK, DRAWING or STACK. The last has two sides more, which are the row and the column of a pixel,
        both below 32.
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
    draft, planes = Draft(width), range(1, sides + 1)
    if kind == STACK:
        place = draft.pixel(HERE, sides + 1), draft.pixel(HERE, sides + 2)
        _bits_of_stack(draft, planes, place) if bits == 1 else _stack(draft, planes, place, bits)
    else:
        (_photograph, _quick, _drawing)[kind](draft, planes)
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


# ---------------------------------------------------------------------- stacks of one kind


def _stack(draft: Draft, sides: Sequence[int], place: tuple[int, int], bits: int) -> None:
    """Declare what serves for pictures of one kind."""
    medium = draft.regression(OF_STACK, product_of(OTHERS, sides), 2000, 4)
    quick = draft.regression(OF_STACK, product_of(OTHERS[:1], sides), 200, 4)
    steady = draft.regression(FAR_OF_STACK, product_of(OTHERS, sides), 20000, 16)
    activity, row = _activity(draft), place[0]
    _as_neighbours_say(draft, place, bits)
    _as_regions_say(draft, place, bits)
    _as_learned(draft, medium, quick, steady, bits)
    middle, far = draft.mean(AROUND, 3), draft.mean(ABOVE, 3)
    draft.context(Term(middle, _top(bits, 3)), Term(far, _top(bits, 3)), near=steady)
    draft.context(*(Term(part, 2) for part in place), near=steady)
    draft.context(Term(activity, logarithmic(1)), near=steady)
    draft.context(Term(activity, logarithmic(0)), near=medium)
    for pattern in PATTERNS_OF_STACK:
        draft.context(near=draft.linear(pattern))
    for side in sides:
        for pattern in BESIDE_IN_STACK:
            draft.context(near=draft.beside(pattern, (side,)))
    _texture(draft, (), medium, activity)
    draft.selector(Term(draft.mean((W, N, NE, NW), 2), _top(bits, 5)), 32)
    draft.selector(Term(middle, _top(bits, 4)), 16)
    draft.selector(Term(row), PLACES)
    draft.selector(Term(draft.difference(medium, steady), logarithmic(1)), 32)


def _top(bits: int, kept: int) -> int:
    """Return the scale on which so many of the highest bits of a number are kept."""
    return max(bits - kept, 0)


def _as_neighbours_say(draft: Draft, place: tuple[int, int], bits: int) -> None:
    """Declare what depends on neighbours, exactly or about, and on the place."""
    places = [Term(part) for part in place], [Term(part, 1) for part in place], [Term(part, 2) for part in place]

    def about(kept: int, *others: Place) -> list[Term]:
        return [Term(draft.pixel(other), _top(bits, kept)) for other in others]

    draft.context(*places[0])
    draft.context(*about(16, W), *about(6, N))
    draft.context(*about(16, N), *about(4, W))
    draft.context(*about(16, W), places[1][1])
    for kept, others in ABOUT:
        draft.context(*about(kept, *others))
    draft.context(*about(2, *NEAREST[:4]), *places[2])
    draft.context(*about(3, W, N), *places[1])
    draft.context(*about(4, W, NE, N), places[2][0])


def _as_regions_say(draft: Draft, place: tuple[int, int], bits: int) -> None:
    """Declare what depends on neighbours, and on means of what lies further away."""
    around, above, top = draft.mean(AROUND, 3), draft.mean(ABOVE, 3), draft.mean(FAR_ABOVE, 3)
    left, right = draft.mean(FAR_LEFT, 3), draft.mean(FAR_RIGHT, 2)
    close = [Term(draft.pixel(other), _top(bits, 2)) for other in NEAREST[:4]]
    some = [Term(draft.pixel(other), _top(bits, 3)) for other in (W, N, NE)]
    draft.context(*close, *(Term(part, _top(bits, 4)) for part in (around, above)))
    draft.context(*some, *(Term(part, _top(bits, 3)) for part in (above, around)))
    for parts in ((top, left), (right, around), (top, above)):
        draft.context(*close, *(Term(part, _top(bits, 3)) for part in parts))
    draft.context(*some[:2], *(Term(part, 2) for part in place), *(Term(part, _top(bits, 2)) for part in (top, above)))


def _as_learned(draft: Draft, medium: int, quick: int, steady: int, bits: int) -> None:
    """Declare what is near learned predictions, or depends on them."""
    median, few = draft.median(), [Term(draft.pixel(other), _top(bits, 3)) for other in (W, N)]
    for learned in (medium, quick, steady, median):
        draft.context(near=learned)
    draft.context(*(Term(draft.pixel(other), _top(bits, 2)) for other in (W, N, NE)), near=medium)
    draft.context(*few, near=median)
    draft.context(Term(medium, _top(bits, 6)), *few)
    draft.context(Term(medium))


def _bits_of_stack(draft: Draft, sides: Sequence[int], place: tuple[int, int]) -> None:
    """Declare what serves for pictures of black and white of one kind: all contexts have small cells of their own."""
    zero = draft.mean((), 0)
    here = [Term(draft.pixel(HERE, side)) for side in sides]
    spot = draft.numbered(place, PLACES)

    def pattern(others: Sequence[Place]) -> list[Term]:
        return [Term(draft.packed(others[start : start + 14])) for start in range(0, len(others), 14)]

    for count in (4, 8, 12, 16, 22, 28, 36, 46):
        draft.context(*pattern(BY_DISTANCE[:count]), *here, near=zero)
    for count in (0, 4, 7, 10):
        draft.context(*pattern(BY_DISTANCE[:count]), Term(spot), *here, near=zero)
    for count in (10, 16):
        draft.context(*pattern(BY_DISTANCE[:count]), *(Term(part, 1) for part in place), *here, near=zero)
    inner, middle, outer = (draft.mean(ring, 0) for ring in RINGS)
    draft.context(*pattern(BY_DISTANCE[:8]), Term(middle, 1), Term(outer, 2), *here, near=zero)
    for block in BLOCKS:
        draft.context(*pattern(block), Term(spot), *here, near=zero)
    draft.selector(Term(spot), PLACES**2)
    draft.selector(Term(draft.added(inner, middle)), 40)
    draft.selector(Term(draft.packed(BY_DISTANCE[:10])), 1 << 10)
    draft.selector(Term(draft.packed(BEYOND)), 1 << 10)
