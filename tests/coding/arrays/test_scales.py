"""Scales: in the order of numbers, and back again bit for bit, or to what arithmetic in fractions says."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from isthmus.coding.arrays import plainbits, scales
from isthmus.coding.arrays.scales import Even, Floating, Grained, Palette, Shares, Whole, ordinals
from isthmus.coding.container import Source
from isthmus.errors import ArtifactError

FLOATS = {2: st.floats(width=16), 4: st.floats(width=32), 8: st.floats()}
FINITE = {size: st.lists(its.filter(np.isfinite), min_size=1, max_size=40) for size, its in FLOATS.items()}


def there_and_back(scale: scales.Scale, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with np.errstate(all="ignore"):
        places = scale.places(x)
        return scale.numbers(places, scale.rest(x, places), x.dtype)


def words(x: np.ndarray[Any, Any]) -> list[int]:
    return x.view(f"u{x.itemsize}").tolist()


@pytest.mark.parametrize("size", [2, 4, 8])
@settings(deadline=None)
@given(data=st.data())
def test_ordinals_are_in_the_order_of_numbers(size: int, data: st.DataObject) -> None:
    x = np.array(data.draw(FINITE[size]), f"f{size}")
    numbers = ordinals(x).tolist()
    for k in range(1, len(x)):
        assert (x[0] < x[k]) <= (numbers[0] < numbers[k])
        assert (words(x)[0] == words(x)[k]) == (numbers[0] == numbers[k])
    assert ordinals(np.array([-0.0, 0.0], f"f{size}")).tolist() == [-1, 0]


@pytest.mark.parametrize("size", [2, 4, 8])
@settings(deadline=None)
@given(data=st.data(), least=st.integers(-140, 140), kept=st.integers(1, 53))
def test_floating_point_numbers_come_back_from_any_even_scale(size: int, data: Any, least: int, kept: int) -> None:
    x = np.array(data.draw(FINITE[size]), f"f{size}")
    precision = scales.PRECISION[size]
    last = int(np.frexp(np.abs(x).max())[1])
    kept = min(kept, precision, scales.PLACE_BITS - max(1, last - least + 2).bit_length())
    assume(kept >= 1)
    scale = Floating(least, kept, precision)
    places = scale.places(x)
    assert np.abs(places).max() <= scales.FARTHEST
    order = np.argsort(x, kind="stable")
    assert (np.diff(places[order]) >= 0).all()
    found = there_and_back(scale, x)
    shown = places != 0  # zeros and what is as small have the place 0, and are somebody else's affair
    assert words(found[shown]) == words(x[shown])
    assert (np.abs(x[~shown].astype(np.float64)) < np.ldexp(1.0, least - kept + 1)).all()


@settings(deadline=None)
@given(st.lists(st.floats(width=32, min_value=2.0**-126, max_value=2.0**20), min_size=2))
def test_a_scale_that_is_even_nowhere_numbers_floats_as_they_are_spaced(numbers: list[float]) -> None:
    x = np.array(numbers, "f4")
    places = Floating(-125, 24, 24).places(x)
    assert (places - ordinals(x)).min() == (places - ordinals(x)).max()


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u4", "i4", "i8", "u8"])
@settings(deadline=None)
@given(data=st.data())
def test_whole_numbers_come_back(dtype: str, data: st.DataObject) -> None:
    info = np.iinfo(dtype)
    x = np.array(data.draw(st.lists(st.integers(info.min, info.max), min_size=1, max_size=30)), dtype)
    reach = int(x.max()) - int(x.min())
    scale = Whole(int(x.min()), 1, max(0, reach.bit_length() - scales.PLACE_BITS))
    assert there_and_back(scale, x).tolist() == x.tolist()
    assert Whole.read(Source.of(scale.to_bytes(), "a test")).to_bytes() == scale.to_bytes()


@settings(deadline=None)
@given(st.lists(st.integers(-(10**7), 10**7), min_size=1), st.integers(0, 12), st.sampled_from(["f4", "f8"]))
def test_decimals_come_back_from_their_digits(whole: list[int], digits: int, dtype: str) -> None:
    written = [Decimal(k).scaleb(-digits) for k in whole]
    x = np.array([float(text) for text in written]).astype(dtype)
    found = there_and_back(Shares(10, digits), x)
    assert found.tolist() == x.tolist() or dtype == "f4"
    assert Shares(10, digits).places(np.array([float(text) for text in written])).tolist() == whole


@settings(deadline=None)
@given(st.lists(st.integers(-(10**9), 10**9), min_size=1), st.integers(-30, 60), st.integers(1, 99))
def test_binary_shares_are_those_of_fractions(whole: list[int], digits: int, step: int) -> None:
    x = np.array([float(Fraction(5 + k * step) / Fraction(2) ** digits) for k in whole])
    scale = Shares(2, digits, step, 5)
    assert scale.places(x).tolist() == whole
    assert there_and_back(scale, x).tolist() == x.tolist()


@pytest.mark.parametrize("size", [2, 4, 8])
@settings(deadline=None)
@given(data=st.data(), digits=st.integers(-20, 20))
def test_grains_are_the_bits_behind_the_point(size: int, data: st.DataObject, digits: int) -> None:
    x = np.array(data.draw(FINITE[size]), f"f{size}")
    x[np.abs(x) < np.finfo(x.dtype).tiny] = 0  # what is smaller may vanish, and is somebody else's affair
    with np.errstate(all="ignore"):
        scale = Grained(digits)
        places = scale.places(x)
        rest, found = scale.rest(x, places), there_and_back(scale, x)
    for k, number in enumerate(x.tolist()):
        share = Fraction(number) * Fraction(2) ** digits
        if abs(share) < scales.FARTHEST:
            assert places[k] == share // 1
        if share.denominator <= 1 << scales.GRAINS_LIMIT and abs(share) < scales.FARTHEST:
            assert 1 << int(rest.lengths[k]) == share.denominator
            assert found[k] == x[k]


@settings(deadline=None)
@given(st.floats(-1e3, 1e3), st.floats(1e-6, 1e3), st.lists(st.floats(-1e4, 1e4), min_size=1))
def test_even_places_are_at_most_half_a_unit_off(base: float, unit: float, numbers: list[float]) -> None:
    x = np.array(numbers)
    assert (np.abs(there_and_back(Even(base, unit), x) - x) <= unit * (0.5 + 1e-6)).all()


def test_even_places_do_not_lead_out_of_the_type() -> None:
    assert there_and_back(Even(0.0, 3e38), np.array([3e38, -3.4e38], "f4")).tolist() == pytest.approx([3e38, -3e38])
    far = np.array([9, -9])
    assert np.isfinite(Even(0.0, 1e38).numbers(far, None, np.dtype("f4"))).all()
    assert Even(0.0, 100.0).numbers(far, None, np.dtype("u1")).tolist() == [255, 0]
    assert Even(0.0, 2.0**61).numbers(far, None, np.dtype("i8")).tolist() == pytest.approx([2**63 - 1, -(2**63)])


def test_the_places_of_a_palette_are_ranks() -> None:
    known = np.array([-1.5, -0.0, 0.0, 7.0, np.inf, np.nan])
    x = np.array([7.0, np.nan, -0.0, -1.5, 0.0])
    assert Palette(known).places(x).tolist() == [3, 5, 1, 0, 2]
    with pytest.raises(ValueError, match="no such rank"):
        Palette(known).numbers(np.array([6]), None, np.dtype("f8"))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, b"\0\0\0"),  # a step of nothing
        (0, b"\0\1\x40"),  # a shift of 64
        (1, b"\0\0\x18"),  # no bits kept
        (1, b"\0\x19\x18"),  # more bits than there are
        (1, b"\0\x28\x35"),  # places of 40 bits
        (1, b"\0\x18\x36"),  # a precision of 54
        (2, b"\3\0\1\0"),  # thirds
        (2, b"\x0a\x2e\1\0"),  # 10^23, which is no double
        (2, b"\x0a\1\1\0"),  # 10^-1
        (2, b"\x0a\0\0\0"),
        (3, np.array([0, np.nan]).tobytes()),
        (3, np.array([np.inf, 1]).tobytes()),
        (3, np.array([0.0, 0.0]).tobytes()),
        (3, np.array([0.0, -1.0]).tobytes()),
        (5, b"\xff\xff\3"),
        (6, b"\0" * 20),
        (4, b"\0" * 20),  # a palette has a plan of its own
    ],
    ids=str,
)
def test_what_is_no_scale_is_refused(code: int, said: bytes) -> None:
    with pytest.raises(ArtifactError):
        scales.read(Source.of(said, "a test"), code)


# ---------------------------------------------------------------------- plain bits


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, (1 << 64) - 1), st.integers(0, 64)), max_size=200))
def test_plain_bits_are_those_of_each_length_in_turn(numbers: list[tuple[int, int]]) -> None:
    lengths = np.array([length for _, length in numbers], np.uint8)
    kept = [number >> (64 - length) if length else 0 for number, length in numbers]
    packed, written = plainbits.packed(np.array(kept, np.uint64), lengths), b""
    for length in range(1, 65):
        bits = "".join(f"{k:0{length}b}" for k, its in zip(kept, lengths.tolist(), strict=True) if its == length)
        written += int(bits.ljust(-(-len(bits) // 8) * 8, "0") or "0", 2).to_bytes(-(-len(bits) // 8), "big")
    assert packed == written
    assert plainbits.size(lengths) == len(packed)
    assert plainbits.unpacked(packed, lengths).tolist() == kept


def test_plain_bits_of_more_numbers_than_are_worked_on_at_once() -> None:
    rng = np.random.default_rng(0)
    for count in (plainbits.AT_ONCE - 1, plainbits.AT_ONCE + 1, 3 * plainbits.AT_ONCE):
        numbers = rng.integers(0, 1 << 11, count).astype(np.uint64)
        lengths = np.full(count, 11, np.uint8)
        assert np.array_equal(plainbits.unpacked(plainbits.packed(numbers, lengths), lengths), numbers)


@pytest.mark.parametrize("content", [b"", b"\xff", b"\xff\xe0\0", b"\xff\xe1"])
def test_plain_bits_that_are_too_few_too_many_or_behind_the_last_are_refused(content: bytes) -> None:
    assert plainbits.unpacked(b"\xff\xe0", np.array([11], np.uint8)).tolist() == [2047]
    with pytest.raises(ValueError, match="bits"):
        plainbits.unpacked(content, np.array([11], np.uint8))
