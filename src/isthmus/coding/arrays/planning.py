"""How a plane is best coded: found out from samples of it, before it is coded.

Nothing here is part of the format: a decoder does what a plan says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.arrays import neighbours
from isthmus.coding.arrays.neighbours import Coded
from isthmus.coding.arrays.planes import (
    PALETTE_LIMIT,
    SCHEMES_LIMIT,
    Plan,
    Tolerance,
    encoded,
    fill_in,
    places_of,
    with_numbers,
)
from isthmus.coding.arrays.scales import (
    BINARY,
    DECIMAL,
    FARTHEST,
    PLACE_BITS,
    PRECISION,
    Even,
    Floating,
    Palette,
    Scale,
    Shares,
    Whole,
)
from isthmus.coding.arrays.survey import Block, Plane, Survey, palette
from isthmus.coding.scheme import Scheme
from isthmus.coding.values import Values

__all__ = ["STORED", "Bound", "Planned", "planned"]

STORED = Plan(Whole(0), ())  # all numbers as they are

TRIAL = 1 << 13  # numbers of a segment that are coded to see how long they get
DISCRETE_BITS = 16
NARROW, SHORT = 64, 8  # places on an axis that are columns, and on one that may be moved
STEP = 63  # places that a step has where numbers are approximate: finer places predict no better
WINDOW = range(2, 13)  # bits of steps
BEYOND = 0.003  # share of numbers that may be farther from their prediction than the window reaches
FINEST = 64  # steps that a prediction is off from which on it does not matter what steps leave out of neighbours
SHARPEST = 3  # log2 of the steps that half of all numbers are within, where all digits are kept
DIGITS = range(18)  # behind the point
FEW_UNLIKE = 1000  # one number in so many may not fit a scale
REPEATED = 0.7  # share of numbers that are different, up to which they may be few
APART_MATTERS = 50  # one number in so many that stands apart, from which on no plain bits are spent on them


@dataclass(frozen=True)
class Bound:
    """How far numbers may be off.

    Parameters
    ----------
    max_error : float, optional
        In absolute value.
    rel_error : float, optional
        As a share of the range of the numbers that do not stand apart.
    fill : tuple of numbers
        Fill values, besides those that are found.
    """

    max_error: float | None = None
    rel_error: float | None = None
    fill: tuple[Any, ...] = ()


class Planned(NamedTuple):
    """What was found out.

    Parameters
    ----------
    plan : Plan
    numbers : list of int
        Of the scheme that each segment takes.
    tolerance : Tolerance
        That holds.
    why_exact : str or None
        Why nothing is off where it might have been.
    """

    plan: Plan
    numbers: list[int]
    tolerance: Tolerance
    why_exact: str | None = None


def planned(plane: Plane, bound: Bound) -> Planned:
    """Return how a plane is to be coded."""
    survey = Survey.of(plane, bound.fill)
    blocks = [plane.block(number) for number in plane.sampled()]
    tolerance, why_exact = _tolerance(survey, bound, blocks)
    drafts = [*_exact(plane, survey, blocks)]
    if tolerance.most:
        few = [draft for draft in drafts if isinstance(draft.scale, Palette)]
        drafts = [*_approximate(plane, survey, tolerance, blocks), *few]
    trial = [plane.block(number, TRIAL) for number in plane.sampled()]
    draft = drafts[0] if len(drafts) == 1 else min(drafts, key=lambda one: one.cost(trial, plane.size, tolerance))
    plan, numbers = draft.planned(plane)
    return Planned(plan, numbers, tolerance if plan.is_lossy else Tolerance(), why_exact)


# ---------------------------------------------------------------------- how far numbers may be off


def _tolerance(survey: Survey, bound: Bound, blocks: Sequence[Block]) -> tuple[Tolerance, str | None]:
    """Return how far numbers may be off; with it why they may not, where that was asked for."""
    most = bound.max_error
    if bound.rel_error is not None:
        most = float(survey.most) * bound.rel_error - float(survey.least) * bound.rel_error
    if most is None:
        return Tolerance(), None
    if blocks[0].x.dtype.kind != "f":
        return Tolerance(float(np.floor(most))), "the bound is below 1" if most < 1 else None
    return (
        (Tolerance(most), None) if most > _step_of_type(blocks) else (Tolerance(), "the bound is below the type's step")
    )


def _step_of_type(blocks: Sequence[Block]) -> float:
    """Return how far numbers of the type are apart where nearly all of a sample are."""
    sizes = np.concatenate([np.abs(block.x[np.isfinite(block.x)]) for block in blocks])
    return float(np.spacing(np.quantile(sizes, 0.95, method="lower"))) if len(sizes) else 0.0


# ---------------------------------------------------------------------- drafts


@dataclass(frozen=True)
class Draft:
    """A way to code a plane.

    Parameters
    ----------
    survey : Survey
        Of the plane.
    scale : Scale
    family : {"learned", "unrelated", "records", "discrete"}
        Of the function of `isthmus.coding.arrays.neighbours` that makes a scheme.
    bits : int, optional
        Of places, where a scheme has no prediction.
    step : int, default=1
        Of a scheme that leaves something out.
    is_moved, is_columned, is_apart
        Of the plan.
    """

    survey: Survey
    scale: Scale
    family: str
    bits: int | None = None
    step: int = 1
    is_moved: bool = False
    is_columned: bool = False
    is_apart: bool = True

    def plan(self, schemes: Sequence[Scheme], shape: Sequence[int]) -> Plan:
        """Return the plan with some schemes."""
        specials = self.survey.specials if self.is_apart else ()
        made = Plan(self.scale, tuple(schemes), specials, None, self.is_moved, self.is_columned, self.step == 1)
        apart = neighbours.discrete(made.coded_shape(shape), len(specials).bit_length()) if specials else None
        return replace(made, apart=apart)

    def planned(self, plane: Plane) -> tuple[Plan, list[int]]:
        """Return the plan for a plane, and the number of the scheme for each segment."""
        shapes = plane.shapes if self.is_moved else [plane.shapes[0]] * len(plane.shapes)
        wanted = [self.scheme(shape, plane.block(number)) for number, shape in enumerate(shapes)]
        common = [scheme for scheme, _ in Counter(wanted).most_common(SCHEMES_LIMIT)]
        return self.plan(common, shapes[0]), [common.index(one) if one in common else 0 for one in wanted]

    def scheme(self, shape: Sequence[int], block: Block) -> Scheme:
        """Return the scheme for a segment of a shape, of which a block was looked at."""
        made, coded = self.plan((), shape).coded_shape(shape), self.coded(block)
        if self.family == "learned":
            return neighbours.learned(made, coded, exact=self.step == 1)
        if self.family == "unrelated":
            return neighbours.unrelated(made, coded)
        return (neighbours.records if self.family == "records" else neighbours.discrete)(made, coded.bits)

    def coded(self, block: Block) -> Coded:
        """Return how differences are best coded, as a block shows it."""
        if self.bits is not None:
            return Coded(self.bits)
        plan = self.plan((), block.shape)
        places, apart = _filled(plan, block)
        off = np.abs(places).astype(np.float64)
        if self.family == "learned":
            off = _off(places, plan.coded_shape(block.shape), self.step)
        if self.step > 1:
            return Coded(_window(off / self.step), self.step)
        raw = max(0, int(np.log2(np.median(off) + 1)) - SHARPEST)
        coded = Coded(_window(off / (1 << raw)), 1, raw)
        if raw > 1 and apart * APART_MATTERS > len(places):
            coded = replace(coded, step=(1 << raw) - 1, raw=0)
        return coded

    def cost(self, blocks: Sequence[Block], size: int, tolerance: Tolerance) -> float:
        """Return about how many bytes a plane of a size takes, of which some blocks are coded."""
        taken = 0
        for block in blocks:
            plan = self.plan([self.scheme(block.shape, block)], block.shape)
            payload, _ = encoded(block.x, block.shape, plan, 0, tolerance if plan.is_lossy else Tolerance())
            taken += len(payload)
        share = sum(len(block.x) for block in blocks) / size
        return taken / share + (len(self.scale.coded) if isinstance(self.scale, Palette) else 0)


def _filled(plan: Plan, block: Block) -> tuple[Values, int]:
    """Return the places of a block, made up where numbers stand apart, and how many do."""
    places, classes = places_of(plan.laid_out(block.x, block.shape), plan)
    if classes is None:
        return places, 0
    fill_in(places, classes > 0, plan.coded_shape(block.shape))
    return places, int(np.count_nonzero(classes))


def _window(steps: NDArray[np.float64]) -> int:
    """Return how many bits numbers of steps need, so that few are beyond."""
    for bits in WINDOW:
        if np.mean(steps >= (1 << (bits - 1)) - 0.5) <= BEYOND:
            return bits
    return WINDOW[-1]


def _off(places: Values, shape: Sequence[int], step: int = 1) -> NDArray[np.float64]:
    """Return how far places are from what least squares predict of their neighbours, which a step blurs."""
    lags = neighbours.regressors(shape)
    first = max(lags)
    target = places[first:].astype(np.float64)
    if len(target) < 8 * len(lags):
        return np.abs(np.diff(places, prepend=places[:1])).astype(np.float64)
    blurred = places + np.random.default_rng(0).integers(-(step // 2), step // 2 + 1, len(places)).astype(np.float64)
    columns = np.stack([blurred[first - lag : len(places) - lag] for lag in lags])
    design, wanted = columns[1:] - columns[0], target - columns[0]
    if not len(design):
        return np.abs(wanted)
    products = design @ design.T
    products[np.diag_indices_from(products)] += np.trace(products) / len(products) * 2.0**-30 + 1e-3
    return np.abs(wanted - np.linalg.solve(products, design @ wanted) @ design)


# ---------------------------------------------------------------------- without loss


def _exact(plane: Plane, survey: Survey, blocks: Sequence[Block]) -> Iterator[Draft]:
    """Yield ways to code a plane bit for bit."""
    scale = _best_scale(plane, survey, blocks)
    span = int(scale.places(np.array([survey.most], plane.leaf.dtype))[0]) if isinstance(scale, Whole) else FARTHEST
    bits = max(1, span.bit_length())
    if bits > 2:
        yield from _near(plane, survey, scale)
    if isinstance(scale, Whole) and bits <= DISCRETE_BITS and not survey.specials:
        yield from _by_bits(plane, survey, scale, bits)
    different = sum(len(np.unique(block.x.view(plane.leaf.word))) for block in blocks)
    if bits > 2 and different < REPEATED * sum(len(block.x) for block in blocks):
        known = palette(plane, PALETTE_LIMIT)
        if known is not None and (bits := max(1, (len(known) - 1).bit_length())) < span.bit_length():
            yield from _by_bits(plane, survey, _with_plan(known, plane), bits)


def _near(plane: Plane, survey: Survey, scale: Scale, step: int = 1) -> Iterator[Draft]:
    """Yield ways to code places near what is predicted."""
    yield Draft(survey, scale, "learned", step=step)
    width = _width(plane)
    if 1 < width <= NARROW:
        yield Draft(survey, scale, "unrelated", step=step, is_columned=True)
    if 1 < width <= SHORT:
        yield Draft(survey, scale, "learned", step=step, is_moved=True)


def _by_bits(plane: Plane, survey: Survey, scale: Scale, bits: int) -> Iterator[Draft]:
    """Yield ways to code places bit by bit."""
    yield Draft(survey, scale, "discrete", bits, is_apart=False)
    if 1 < _width(plane) <= NARROW:
        yield Draft(survey, scale, "records", bits, is_columned=True, is_apart=False)


def _width(plane: Plane) -> int:
    """Return the length of the fastest axis, 1 where it is the only one."""
    shape = plane.shapes[0]
    return shape[-1] if len(shape) > 1 else 1


def _with_plan(known: NDArray[Any], plane: Plane) -> Palette:
    """Return a palette with how it stands in a file."""
    own = Plane(plane.leaf, lambda _: known, [known.shape])
    survey, blocks = Survey.of(own), [own.block(0)]
    draft = next(_near(own, survey, _best_scale(own, survey, blocks)))
    return with_numbers(known, draft.planned(own)[0], plane.leaf)


def _best_scale(plane: Plane, survey: Survey, blocks: Sequence[Block]) -> Scale:
    """Return the scale on which places are predicted best."""
    if plane.leaf.kind != "f":
        reach = (survey.most - survey.least) // survey.divisor
        return Whole(survey.least, survey.divisor, max(0, reach.bit_length() - PLACE_BITS))
    scales = [*_floating(survey, blocks), *_shares(plane, survey, blocks)]
    return scales[0] if len(scales) == 1 else min(scales, key=lambda scale: _bits_on(scale, survey, blocks))


def _bits_on(scale: Scale, survey: Survey, blocks: Sequence[Block]) -> float:
    """Return about how many bits a number takes on a scale."""
    plan, total, count = Plan(scale, (), survey.specials), 0.0, 0
    for block in blocks:
        places, _ = _filled(plan, block)
        off, left = _off(places, block.shape), scale.left(places)
        total += float(np.log2(1 + 2 * off).mean()) * len(places) + (0.0 if left is None else float(left.sum()))
        count += len(places)
    return total / count


def _floating(survey: Survey, blocks: Sequence[Block]) -> Iterator[Scale]:
    """Yield scales of floating-point numbers, even up to some exponent."""
    sizes = np.concatenate([np.abs(block.x[np.isfinite(block.x)]).astype(np.float64) for block in blocks])
    exponents = np.sort(np.frexp(sizes[sizes > 0])[1])
    last = int(np.frexp(max(abs(survey.least), abs(survey.most)))[1])
    leasts = {last, int(np.frexp(survey.smallest)[1])}
    leasts |= {int(exponents[int(q * (len(exponents) - 1))]) for q in (0.01, 0.1, 0.5, 0.9, 0.99) if len(exponents)}
    for least in sorted(leasts):
        room = PLACE_BITS - (max(0, last - least) + 1).bit_length()
        yield Floating(least, max(1, min(survey.used, room)), survey.used)


def _shares(plane: Plane, survey: Survey, blocks: Sequence[Block]) -> Iterator[Scale]:
    """Yield scales of numbers that were written with few digits, decimal or binary."""
    sample = np.concatenate([block.x for block in blocks])
    sample = sample[~np.isin(sample.view(plane.leaf.word), np.array(survey.specials, plane.leaf.word))]
    reach = max(abs(survey.least), abs(survey.most))
    for radix, digits in ((DECIMAL, DIGITS), (BINARY, range(-40, 80, 4))):
        for count in digits:
            if not 0 < reach * float(radix) ** count < FARTHEST:
                continue
            scale = Shares(radix, count)
            if _fits(scale, sample) == len(sample):
                if all(
                    _fits(scale, x, survey.specials) * FEW_UNLIKE >= len(x) * (FEW_UNLIKE - 1) for x in plane.parts()
                ):
                    yield _narrowed(scale, survey, sample)
                break


def _fits(scale: Scale, x: NDArray[Any], specials: Sequence[int] = ()) -> int:
    """Return how many numbers a scale gives back, or stand apart."""
    word = f"u{x.itemsize}"
    kept = scale.numbers(scale.places(x), None, x.dtype).view(word) == x.view(word)
    if specials:
        kept |= np.isin(x.view(word), np.array(specials, word))
    return int(np.count_nonzero(kept))


def _narrowed(scale: Shares, survey: Survey, sample: NDArray[Any]) -> Shares:
    """Return a scale whose places are as few as a sample allows."""
    base = int(scale.places(np.array([survey.least], sample.dtype))[0])
    step = int(np.gcd.reduce(scale.places(sample) - base))
    return replace(scale, base=base, step=max(1, step))


# ---------------------------------------------------------------------- within a bound


def _approximate(plane: Plane, survey: Survey, tolerance: Tolerance, blocks: Sequence[Block]) -> Iterator[Draft]:
    """Yield ways to code a plane within a bound.

    Where predictions are good to some steps, a step is around what is predicted, so that no neighbour is rounded twice;
    places are then so many in a step that rounding to them costs nothing.
    """
    reach = tolerance.most + 0.5
    if plane.leaf.kind == "f":
        largest = max(abs(survey.least), abs(survey.most))
        half = float(np.spacing(np.array(largest, plane.leaf.dtype))) / 2  # that a cast may add
        reach = tolerance.most - min(half, tolerance.most / 8)
    base = float(np.median(np.concatenate([block.x[np.isfinite(block.x)] for block in blocks]).astype(np.float64)))
    fine = Even(base, 2 * reach * (1 - 2.0**-40) / STEP)
    plan = Plan(fine, (), survey.specials)
    off = np.concatenate([_off(_filled(plan, block)[0], block.shape, STEP) for block in blocks])
    if np.median(off) > FINEST * STEP:
        yield from _near(plane, survey, Even(base, 2 * reach * (1 - 2.0**-40)))
    else:
        yield from _near(plane, survey, fine, STEP)
