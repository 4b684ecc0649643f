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
    GRAINS_LIMIT,
    PLACE_BITS,
    PRECISION,
    Even,
    Floating,
    Grained,
    Palette,
    Scale,
    Shares,
    Whole,
)
from isthmus.coding.arrays.survey import Block, Plane, Survey, normal, palette
from isthmus.coding.contents import side_by_side
from isthmus.coding.scheme import Scheme
from isthmus.coding.values import Values

__all__ = ["STORED", "Bound", "Planned", "planned"]

STORED = Plan(Whole(0), ())  # all numbers as they are

TRIAL_SHARE = 16  # one number in so many is coded to see how long they get
LEAST_TRIAL, MOST_TRIAL = 1 << 11, 1 << 12  # in a segment
DISCRETE_BITS = 16
NARROW, SHORT = 64, 8  # places on an axis that are columns, and on one that may be moved
STEP = 63  # places that a step has where numbers are approximate: finer places predict no better
WINDOW = range(2, 13)  # bits of steps
BEYOND_COSTS, BEYOND_SHARE = 20, 0.01  # bits of a number of steps beyond the window; their share of all bits
FINEST = 64  # steps that a prediction is off from which on it does not matter what steps leave out of neighbours
SHARPEST, MOST_BITS = 1, 7  # where all digits are kept: log2 of the steps that half of all are within; bits of steps
EQUATIONS = 1 << 12  # by which least squares are judged
DIGITS, BINARY_DIGITS = range(18), range(-40, 80, 4)  # behind the point
QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.99)  # of exponents, up to which a scale may be even
AS_GOOD = 0.1  # bits that do not matter
ROUGH = 4  # times as far apart as from what is predicted: then neighbours matter
MANY_ZEROS, CLEAR_ZEROS = (
    2,
    4,
)  # that significands end in, in the mean, where it may pay to say in how many; where it does
NOISY = 16  # bits that a number takes where digits are noise
BINARY_FINE = 36  # bits of the finest places on which numbers are looked at
FEW_BITS = 2  # in which nothing is near anything
FEW_UNLIKE = 1000  # one number in so many may not fit a scale
REPEATED = 0.7  # share of numbers that are different, up to which they may be few
REPEATS = 16  # times that each of a few numbers is there, so that it may be taken for a name
APART_MATTERS, MOST_LEFT_OUT = 50, 20  # one number in so many that stands apart, from which on no plain bits are
# spent on them; how many bits a step can leave out instead


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


@np.errstate(all="ignore")
def planned(plane: Plane, bound: Bound, threads: int = 1) -> Planned:
    """Return how a plane is to be coded; so many threads may look for it."""
    survey = Survey.of(plane, bound.fill)
    planner = Planner(plane, survey)
    tolerance, why_exact = planner.tolerance(bound)
    drafts = [*planner.exact()]
    if tolerance.most:
        written = [draft for draft in drafts if isinstance(draft.scale, Palette | Shares)]  # with few digits, all kept
        drafts = [*planner.approximate(tolerance), *written]
    draft = drafts[0] if len(drafts) == 1 else planner.best(drafts, tolerance, threads)
    plan, numbers = draft.planned(plane)
    return Planned(plan, numbers, tolerance if plan.is_lossy else Tolerance(), why_exact)


# ---------------------------------------------------------------------- ways to code a plane


class Planner:
    """Finds ways to code a plane.

    Parameters
    ----------
    plane : Plane
    survey : Survey
        Of it.
    """

    def __init__(self, plane: Plane, survey: Survey) -> None:
        self.plane, self.survey = plane, survey
        self.blocks = [plane.block(number) for number in plane.sampled()]
        self.sample = np.concatenate([normal(block.x, survey.specials) for block in self.blocks])
        shape = plane.shapes[0]
        self.width = shape[-1] if len(shape) > 1 else 1  # of the fastest axis

    def best(self, drafts: Sequence[Draft], tolerance: Tolerance, threads: int) -> Draft:
        """Return the draft with which some numbers take the fewest bytes."""
        most = min(max(self.plane.size // TRIAL_SHARE, LEAST_TRIAL), MOST_TRIAL)
        blocks = [self.plane.block(number, most) for number in self.plane.sampled()]
        costs = side_by_side(drafts, lambda draft: draft.cost(blocks, self.plane.size, tolerance), threads)
        return min(zip(costs, range(len(drafts)), drafts, strict=True))[2]

    # ------------------------------------------------------------------ within a bound

    def tolerance(self, bound: Bound) -> tuple[Tolerance, str | None]:
        """Return how far numbers may be off; with it why they may not, where that was asked for."""
        most = bound.max_error
        if bound.rel_error is not None:
            most = float(self.survey.most) * bound.rel_error - float(self.survey.least) * bound.rel_error
        if most is None:
            return Tolerance(), None
        if self.plane.leaf.kind != "f":
            return Tolerance(float(np.floor(most))), "the bound is below 1" if most < 1 else None
        if most > self._step_of_type(0.95):
            return Tolerance(most), None
        return Tolerance(), "the bound is below the type's step"

    def _step_of_type(self, share: float) -> float:
        """Return how far numbers of the type are apart at most where such a share of the sample is."""
        sizes = np.abs(self.sample)
        return float(np.spacing(np.quantile(sizes, share, method="lower"))) if len(sizes) else 0.0

    def approximate(self, tolerance: Tolerance) -> Iterator[Draft]:
        """Yield ways to code a plane within a bound.

        Where predictions are good to some steps, a step is around what is predicted, so that no neighbour is rounded
        twice; places are then so many in a step that rounding to them costs nothing.
        """
        reach = tolerance.most + 0.5
        if self.plane.leaf.kind == "f":
            reach = tolerance.most - min(self._step_of_type(0.999) / 2, tolerance.most / 8)  # which a cast may add
        unit, base = 2 * reach * (1 - 2.0**-40), float(np.median(self.sample)) if len(self.sample) else 0.0
        fine = Even(base, unit / STEP)
        off = np.concatenate([self._off_on(fine, block, STEP) for block in self.blocks])
        if np.median(off) > FINEST * STEP:
            yield from self._near(Even(base, unit))
        else:
            yield from self._near(fine, STEP)

    def _off_on(self, scale: Scale, block: Block, step: int = 1) -> NDArray[np.float64]:
        places, _ = _filled(Plan(scale, (), self.survey.specials), block)
        return _off(places, block.shape, step)

    # ------------------------------------------------------------------ bit for bit

    def exact(self) -> Iterator[Draft]:
        """Yield ways to code a plane bit for bit."""
        scale, bits = self._best_scale(), PLACE_BITS
        if isinstance(scale, Whole):
            bits = max(1, ((self.survey.most - self.survey.least) // self.survey.divisor).bit_length())
        known = self._palette() if bits > FEW_BITS else None
        few = max(1, (len(known) - 1).bit_length()) if known is not None else PLACE_BITS
        are_names = known is not None and len(known) * REPEATS < self.plane.size and self._is_rough(scale)
        if bits > FEW_BITS and not are_names:
            zeros = self._needless_zeros(scale)
            if zeros < CLEAR_ZEROS:
                yield from self._near(scale)
            if zeros >= MANY_ZEROS:
                yield self._grained()
        if bits <= min(DISCRETE_BITS, few) and not self.survey.specials:
            yield from self._by_bits(scale, bits)
        elif known is not None:
            yield from self._by_bits(_with_plan(known, self.plane), few)

    def _needless_zeros(self, scale: Scale) -> float:
        """Return in how many zeros numbers end, in the mean, that cost bits on a scale."""
        if self.plane.leaf.kind != "f" or not len(self.sample) or self._bits_on(scale) < NOISY:
            return 0.0
        return _zeros(self.sample)

    def _grained(self) -> Draft:
        """Return a way to code numbers that end in more zeros than such as are measured."""
        fine = BINARY_FINE - int(np.frexp(float(np.abs(self.sample).max()))[1])
        off = np.concatenate([self._off_on(Shares(BINARY, fine), block) for block in self.blocks])
        coarse = max(0, int(np.log2(np.median(off) + 1)) - SHARPEST)
        coarse += max(0, _window(off / (1 << coarse)) - MOST_BITS)
        return Draft(self.survey, Grained(fine - coarse), "learned")

    def _near(self, scale: Scale, step: int = 1) -> Iterator[Draft]:
        """Yield ways to code places near what is predicted."""
        yield Draft(self.survey, scale, "learned", step=step)
        if 1 < self.width <= NARROW and self._is_rough(scale, step):
            yield Draft(self.survey, scale, "unrelated", step=step, is_columned=True)
        if 1 < self.width <= SHORT:
            yield Draft(self.survey, scale, "learned", step=step, is_moved=True)

    def _is_rough(self, scale: Scale, step: int = 1) -> bool:
        """Return whether numbers are about as far from what neighbours predict as from each other."""
        off = np.concatenate([self._off_on(scale, block, step) for block in self.blocks])
        places = scale.places(self.sample)
        return bool(np.median(off) * ROUGH > np.median(np.abs(places - np.median(places))))

    def _by_bits(self, scale: Scale, bits: int) -> Iterator[Draft]:
        """Yield ways to code places bit by bit."""
        yield Draft(self.survey, scale, "discrete", bits, is_apart=False)
        if 1 < self.width <= NARROW:
            yield Draft(self.survey, scale, "records", bits, is_columned=True, is_apart=False)

    def _palette(self) -> NDArray[Any] | None:
        """Return the different numbers of the plane, if they are few."""
        word = self.plane.leaf.word
        different = sum(len(np.unique(block.x.view(word))) for block in self.blocks)
        if different > REPEATED * sum(len(block.x) for block in self.blocks):
            return None
        return palette(self.plane, PALETTE_LIMIT)

    # ------------------------------------------------------------------ scales

    def _best_scale(self) -> Scale:
        """Return the scale on which places are predicted best."""
        if self.plane.leaf.kind != "f":
            reach = (self.survey.most - self.survey.least) // self.survey.divisor
            return Whole(self.survey.least, self.survey.divisor, max(0, reach.bit_length() - PLACE_BITS))
        bits = {scale: self._bits_on(scale) for scale in (*self._shares(), *self._floating())}
        best = min(bits.values()) + AS_GOOD
        good = [scale for scale in bits if bits[scale] <= best]  # of these the most even one
        others = sorted(set(bits) - set(good), key=lambda scale: bits[scale])
        return next(scale for scale in (*good, *others) if isinstance(scale, Floating) or self._fits_all(scale))

    def _bits_on(self, scale: Scale) -> float:
        """Return about how many bits a number takes on a scale."""
        off = np.concatenate([self._off_on(scale, block) for block in self.blocks])
        left = scale.left(scale.places(self.sample))
        return float(np.log2(1 + 2 * off).mean()) + (float(left.mean()) if left is not None and len(left) else 0.0)

    def _floating(self) -> Iterator[Scale]:
        """Yield scales of floating-point numbers, even up to some exponent."""
        sizes = np.abs(self.sample).astype(np.float64)
        exponents = np.sort(np.frexp(sizes[sizes > 0])[1])
        last = int(np.frexp(max(abs(self.survey.least), abs(self.survey.most)))[1])
        leasts = {last, int(np.frexp(self.survey.smallest)[1])}
        leasts |= {int(exponents[int(q * (len(exponents) - 1))]) for q in QUANTILES if len(exponents)}
        for least in sorted(leasts, reverse=True):
            room = PLACE_BITS - (max(0, last - least) + 1).bit_length()
            yield Floating(least, max(1, min(self.survey.used, room)), self.survey.used)

    def _shares(self) -> Iterator[Scale]:
        """Yield scales of numbers that were written with few digits, decimal or binary."""
        reach = max(abs(self.survey.least), abs(self.survey.most))
        for radix, digits in ((DECIMAL, DIGITS), (BINARY, BINARY_DIGITS)):
            for count in digits:
                scale = Shares(radix, count)
                if 0 < reach * float(radix) ** count < FARTHEST and _fits(scale, self.sample) == len(self.sample):
                    yield self._narrowed(scale)
                    break

    def _fits_all(self, scale: Scale) -> bool:
        """Return whether a scale gives back nearly all numbers that do not stand apart."""
        fitting = sum(_fits(scale, normal(x, self.survey.specials)) for x in self.plane.parts())
        apart = sum(len(x) - len(normal(x, self.survey.specials)) for x in self.plane.parts())
        return (self.plane.size - apart - fitting) * FEW_UNLIKE <= self.plane.size

    def _narrowed(self, scale: Shares) -> Shares:
        """Return a scale whose places are as few as the sample allows."""
        base = int(scale.places(np.array([self.survey.least], self.plane.leaf.dtype))[0])
        step = int(np.gcd.reduce(scale.places(self.sample) - base))
        return replace(scale, base=base, step=max(1, step))


def _zeros(x: NDArray[Any]) -> float:
    """Return in how many zeros the significands of numbers end, in the mean: in 1, if their digits are noise."""
    bits = PRECISION[x.itemsize] - 1
    words = x.view(f"u{x.itemsize}").astype(np.uint64) | np.uint64(1 << bits)
    ends = np.frexp((words & (~words + np.uint64(1))).astype(np.float64))[1] - 1
    return float(np.minimum(ends, bits).mean())


def _fits(scale: Scale, x: NDArray[Any]) -> int:
    """Return how many numbers a scale gives back, but for the sign of zeros, of which a plane lists some."""
    return int(np.count_nonzero(scale.numbers(scale.places(x), None, x.dtype) == x))


def _with_plan(known: NDArray[Any], plane: Plane) -> Palette:
    """Return a palette with how it stands in a file."""
    own = Plane(plane.leaf, lambda _: known, [known.shape])
    draft = next(draft for draft in Planner(own, Survey.of(own)).exact())
    return with_numbers(known, draft.planned(own)[0], plane.leaf)


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
        made = Plan(self.scale, tuple(schemes), specials, None, None, self.is_moved, self.is_columned, self.step == 1)
        coded = made.coded_shape(shape)
        apart = neighbours.discrete(coded, len(specials).bit_length()) if specials else None
        grains = neighbours.grains(coded, GRAINS_LIMIT.bit_length()) if self.scale.is_grained else None
        return replace(made, apart=apart, grains=grains)

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
        if self.scale.is_grained:
            return Coded(_window(off))
        raw = max(0, int(np.log2(np.median(off) + 1)) - SHARPEST)
        raw += max(0, _window(off / (1 << raw)) - MOST_BITS)
        coded = Coded(_window(off / (1 << raw)), 1, raw)
        if 1 < raw <= MOST_LEFT_OUT and apart * APART_MATTERS > len(places):
            coded = replace(coded, step=(1 << raw) - 1, raw=0)
        return coded

    @np.errstate(all="ignore")
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
    x = plan.laid_out(block.x, block.shape)
    places, classes = places_of(x, plan)
    apart = np.zeros(len(x), bool) if classes is None else classes > 0
    if x.dtype.kind == "f":
        apart |= ~np.isfinite(x)
    if apart.any():
        fill_in(places, apart, plan.coded_shape(block.shape))
    return places, int(np.count_nonzero(apart))


def _window(steps: NDArray[np.float64]) -> int:
    """Return how many bits numbers of steps need, so that little is spent on those beyond."""
    counts = np.unique(np.rint(steps), return_counts=True)[1] / len(steps)
    spent = -float((counts * np.log2(counts)).sum())
    for bits in WINDOW:
        if np.mean(steps >= (1 << (bits - 1)) - 1) * BEYOND_COSTS <= BEYOND_SHARE * spent:
            return bits
    return WINDOW[-1]


def _off(places: Values, shape: Sequence[int], step: int = 1) -> NDArray[np.float64]:
    """Return how far places are from what least squares predict of their neighbours, which a step blurs."""
    lags = neighbours.regressors(shape)
    here = np.arange(max(lags), len(places), max(1, len(places) // EQUATIONS))
    if len(here) < 8 * len(lags):
        return np.abs(np.diff(places, prepend=places[:1])).astype(np.float64)
    target, blurred = places[here].astype(np.float64), places.astype(np.float64)
    if step > 1:
        blurred += np.random.default_rng(0).integers(-(step // 2), step // 2 + 1, len(places))
    columns = np.stack([blurred[here - lag] for lag in lags])
    design, wanted = columns[1:] - columns[0], target - columns[0]
    if not len(design):
        return np.abs(wanted)
    products = design @ design.T
    products[np.diag_indices_from(products)] += np.trace(products) / len(products) * 2.0**-30 + 1e-3
    return np.abs(wanted - np.linalg.solve(products, design @ wanted) @ design)
