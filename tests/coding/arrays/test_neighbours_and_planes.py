"""Schemes of neighbours against what they are to predict, places that are made up, and plans that are none."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.coding.arrays import neighbours, planes
from isthmus.coding.arrays.dtypes import Leaf
from isthmus.coding.arrays.neighbours import Coded
from isthmus.coding.arrays.planes import Plan, Tolerance, decoded, encoded, fill_in
from isthmus.coding.arrays.scales import Even, Floating, Whole
from isthmus.coding.container import Source
from isthmus.coding.values import ValueCoder
from isthmus.errors import ArtifactError

SHAPES = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@settings(deadline=None)
@given(SHAPES, st.integers(1, 12), st.integers(0, 39), st.booleans())
def test_schemes_of_any_shape_are_such_as_a_file_may_say(shape: list[int], bits: int, raw: int, exact: bool) -> None:
    coded = Coded(bits, 1, raw)
    for scheme, sides in (
        (neighbours.learned(shape, coded, exact=exact), 0),
        (neighbours.learned(shape, Coded(bits, 63), exact=exact), 0),
        (neighbours.unrelated(shape, coded), 1),
        (neighbours.records(shape, bits), 1),
        (neighbours.discrete(shape, bits), 0),
        (neighbours.grains(shape, bits), 0),
    ):
        assert scheme.why_refused(sides) is None
        assert scheme.read(Source.of(scheme.to_bytes(), "a test"), sides) == scheme
    lags = neighbours.regressors(shape)
    assert min(lags) > 0
    assert len(set(lags)) == len(lags)


@pytest.mark.parametrize("shape", [(600,), (25, 24), (10, 8, 9), (5, 6, 5, 6)])
def test_what_neighbours_tell_exactly_costs_nearly_nothing(shape: tuple[int, ...]) -> None:
    """A sum of functions of one axis each is what the extrapolation along all axes gives exactly."""
    axes = np.meshgrid(*(3 * np.arange(n) for n in shape), indexing="ij")
    places = sum(axes).reshape(-1).astype(np.int64)
    payload = ValueCoder(neighbours.learned(shape, Coded(5), exact=True)).encode(places)
    assert len(payload) < 0.35 * len(places) / 8 * 5


def test_a_column_is_told_from_another() -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(0, 4, 800), rng.integers(100, 104, 800), rng.integers(50, 54, 800)], 1)
    columns = np.tile(np.arange(3), 800)
    scheme = neighbours.records(rows.shape, 7)
    payload = ValueCoder(scheme, 1).encode(rows.reshape(-1).astype(np.int64), (columns.astype(np.int64),))
    assert len(payload) < 1.15 * 2 * rows.size / 8  # two bits a number are noise


# ---------------------------------------------------------------------- places that are made up


def test_places_on_a_line_are_interpolated() -> None:
    places = np.array([0, 99, 99, 6, 99, 10, 99])
    fill_in(places, places == 99, (7,))
    assert places.tolist() == [0, 2, 4, 6, 8, 10, 10]


def test_a_hole_in_a_plane_becomes_as_smooth_as_a_solution_of_laplaces_equation() -> None:
    y, x = np.mgrid[:30, :40]
    wanted = 1000 * (x - y)  # which is harmonic
    missing = (np.abs(y - 15) < 4) & (np.abs(x - 20) < 4)
    places = np.where(missing, 10**9, wanted).reshape(-1)
    fill_in(places, missing.reshape(-1), (30, 40))
    assert np.abs(places - wanted.reshape(-1)).max() < 1000


@pytest.mark.parametrize("shape", [(9,), (3, 3)])
def test_where_nothing_is_known_places_are_zero(shape: tuple[int, ...]) -> None:
    places = np.full(9, 7)
    fill_in(places, np.ones(9, bool), shape)
    assert places.tolist() == [0] * 9


# ---------------------------------------------------------------------- planes

FLOAT, INT = Leaf("f", 4), Leaf("i", 2)
SCHEME = neighbours.learned((20, 30), Coded(6, 63), exact=False)


def plan(**changes: Any) -> Plan:
    return Plan(**({"scale": Even(0.0, 0.01), "schemes": (SCHEME,), "is_exact": False} | changes))


@pytest.mark.parametrize(
    "made",
    [
        plan(),
        plan(specials=(1, 2), apart=neighbours.discrete((20, 30), 2)),
        plan(is_moved=True, is_exact=True, scale=Floating(9, 14, 24)),
        plan(is_columned=True, schemes=(neighbours.unrelated((20, 30), Coded(5)),) * 2),
        plan(schemes=()),
    ],
)
def test_a_plan_comes_back(made: Plan) -> None:
    assert Plan.read(Source.of(made.to_bytes(FLOAT), "a test"), FLOAT) == made


@pytest.mark.parametrize(
    ("said", "leaf"),
    [
        (b"\x08\0", FLOAT),  # a flag of later
        (plan().to_bytes(FLOAT)[:-1], FLOAT),
        (plan(scale=Whole(0)).to_bytes(FLOAT), FLOAT),
        (plan(scale=Floating(9, 14, 24)).to_bytes(INT), INT),
        (plan(schemes=(neighbours.unrelated((9,), Coded(5)),)).to_bytes(FLOAT), FLOAT),  # a side that is not there
        (plan(schemes=(SCHEME,) * 9).to_bytes(FLOAT), FLOAT),
        (plan(specials=tuple(range(16)), apart=neighbours.discrete((9,), 5)).to_bytes(FLOAT), FLOAT),
        (b"\0\4\1\4" + bytes(40), FLOAT),  # a palette of a palette
    ],
    ids=range(8),
)
def test_what_is_no_plan_is_refused(said: bytes, leaf: Leaf) -> None:
    with pytest.raises(ArtifactError):
        Plan.read(Source.of(said, "a test"), leaf)


def test_a_palette_in_no_order_is_refused() -> None:
    known = np.array([3.0, 1.0, 2.0], "f4")
    inner = Plan(Floating(3, 24, 24), (neighbours.learned((3,), Coded(5), exact=True),))
    palette = planes.with_numbers(known, inner, FLOAT)
    with pytest.raises(ArtifactError, match="a palette is in no order"):
        Plan.read(Source.of(Plan(palette, ()).to_bytes(FLOAT), "a test"), FLOAT)
    rising = planes.with_numbers(np.sort(known), inner, FLOAT)
    found = Plan.read(Source.of(Plan(rising, ()).to_bytes(FLOAT), "a test"), FLOAT)
    assert found.scale.numbers(np.array([2, 0]), None, np.dtype("f4")).tolist() == [3, 1]


@pytest.mark.parametrize(
    "payload",
    [b"", b"\0", b"\0\1\2\3\4\5", b"\1\0\0", b"\1" + bytes(2400), b"\3", b"\x10", b"\2", b"\6\0\0", b"\x0a\0\0\0\0"],
    ids=str,
)
def test_a_part_that_is_none_is_refused(payload: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"damaged|cut short"):
        decoded(payload, (20, 30), plan(), np.dtype("f4"))


def test_a_number_that_a_plan_does_not_give_back_is_listed() -> None:
    x = np.cumsum(np.random.default_rng(0).normal(0, 0.1, 600)).astype("f4")
    x[[5, 77, 599]] = [1e30, np.nan, -1e25]
    payload, found = encoded(x, (20, 30), plan(), 0, Tolerance(0.4))
    assert payload[0] & planes.LISTED
    assert found.tobytes() == decoded(payload, (20, 30), plan(), x.dtype).tobytes()
    assert found[[5, 77, 599]].tobytes() == x[[5, 77, 599]].tobytes()


def test_the_check_of_numbers_is_of_their_lowest_bytes_first_on_every_machine() -> None:
    x = np.cumsum(np.random.default_rng(0).normal(0, 0.1, 600)).astype("f4")
    payload, found = encoded(x, (20, 30), plan(), 0, Tolerance(0.4))
    assert payload[0] == planes.CODED  # the check follows
    assert payload[1:3] == zlib.crc32(found.astype("<f4").tobytes()).to_bytes(4, "little")[:2]


def test_numbers_that_a_plan_hardly_ever_gives_back_stand_as_they_are() -> None:
    x = np.random.default_rng(0).normal(size=600).astype("f4") * np.float32(1e30)
    payload, found = encoded(x, (20, 30), plan(), 0, Tolerance(0.4))
    assert payload == bytes([planes.PLAIN]) + x.tobytes()
    assert found.tobytes() == x.tobytes()


def test_a_difference_that_is_rounded_to_the_bound_is_beyond_it() -> None:
    x = np.array([1.0])
    beyond = np.array([np.nextafter(0.9, 0)])  # 0.1 and a hair
    assert not Tolerance(0.1).is_kept(x, beyond)[0]
    assert Tolerance(0.1).is_kept(x, np.array([0.9000001]))[0]


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.floats(1, 1e19))
def test_whole_numbers_are_compared_without_wrapping_round(one: int, other: int, most: float) -> None:
    kept = Tolerance(float(int(most))).is_kept(np.array([one], "u8"), np.array([other], "u8"))[0]
    assert kept == (abs(one - other) <= int(most))
