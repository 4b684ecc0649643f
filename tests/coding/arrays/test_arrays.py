"""Arrays made smaller: every type, shape and order comes back, no number is beyond its bound, damage is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.coding import arrays, values
from isthmus.coding.arrays import decode, encode
from isthmus.coding.container import Source
from isthmus.errors import ArtifactError, DataTypeError, ParameterError

from . import by_the_page
from .samples import SHAPES, TYPES, any_bits, field, same, table


def there_and_back(array: np.ndarray[Any, Any], **how: Any) -> np.ndarray[Any, Any]:
    packed = encode(array, **how)
    return decode(packed.description, packed.pieces)


def off(array: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> Any:
    wide = np.clongdouble if array.dtype.kind == "c" else np.longdouble
    return np.abs(array.astype(wide) - found.astype(wide)).max()


# ---------------------------------------------------------------------- bit for bit


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_bits_of_any_type_come_back(dtype: Any, shape: tuple[int, ...]) -> None:
    array = any_bits(dtype, shape)
    assert same(there_and_back(array), array)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_the_page_says_all_that_a_decoder_needs(dtype: Any) -> None:
    for shape in SHAPES:
        packed = encode(any_bits(dtype, shape))
        assert same(by_the_page.decoded(packed.description, packed.pieces), decode(packed.description, packed.pieces))


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", "<c8", "<i2", "<u8", "<M8[ns]"])
def test_fortran_order_comes_back(dtype: str) -> None:
    array = np.asfortranarray(any_bits(dtype, (9, 5, 7)))
    assert there_and_back(array).flags.f_contiguous
    assert same(there_and_back(array), array)


def test_an_array_in_neither_order_comes_back_in_c_order() -> None:
    array = field((6, 7, 8)).transpose(1, 0, 2)
    found = there_and_back(array)
    assert found.flags.c_contiguous
    assert np.array_equal(found, array)
    assert np.array_equal(there_and_back(field((40, 40))[::3, ::-2]), field((40, 40))[::3, ::-2])


def test_payloads_of_nans_negative_zeros_and_subnormals_come_back() -> None:
    words = np.array([0x7FC00001, 0xFFC12345, 0x7F800001, 0x80000000, 1, 0x80000001, 0x007FFFFF, 0x7F800000], "<u4")
    array = field((30, 40))
    array.reshape(-1)[::7] = np.resize(words, len(array.reshape(-1)[::7])).view(np.float32)
    assert same(there_and_back(array), array)
    many = np.arange(5000, dtype="<u4") + 0x7FC00000  # more of them than special numbers
    assert same(there_and_back(many.view("<f4")), many.view("<f4"))


def test_a_shape_of_huge_length_without_items_comes_back() -> None:
    array = np.zeros((1 << 40, 0, 3), np.int16)
    assert there_and_back(array).shape == array.shape


def test_an_array_of_bools_may_hold_other_bytes_than_0_and_1() -> None:
    array = np.array([0, 1, 2, 255] * 50, np.uint8).view(bool)
    assert there_and_back(array).view(np.uint8).tolist() == array.view(np.uint8).tolist()


MADE = {
    "smooth": field(),
    "smooth, double": field(dtype=np.float64),
    "smooth, half": field((40, 50)).astype(np.float16),
    "plane": field((150, 160)),
    "line": np.cumsum(np.random.default_rng(0).normal(size=9000)),
    "rising": np.arange(9000) * 86_400_000_000_000 + 1_600_000_000_000_000_000,
    "decimals": np.round(np.cumsum(np.random.default_rng(0).normal(size=(90, 100)), 0), 2),
    "table": table(),
    "differences": np.diff(field((150, 161)) * 0.01 + 3, axis=1),
    "names": np.random.default_rng(0).choice(np.array([3.5, -1.0, 7.25, np.nan]), (80, 90)),
    "colours": np.random.default_rng(0).integers(0, 9, (60, 70, 3)).astype(np.uint8),
    "masked": np.where(np.arange(50) < 15, np.float32(1e20), field()),
    "spread": np.random.default_rng(0).normal(size=9000) * 10.0 ** np.random.default_rng(1).integers(-300, 300, 9000),
    "wide": np.random.default_rng(0).integers(-(1 << 62), 1 << 62, 5000),
    "text": np.array([f"row {k % 37:03d}" for k in range(3000)]),
}


@pytest.mark.parametrize("name", MADE)
def test_numbers_of_each_kind_come_back_and_take_no_more_than_they_have(name: str) -> None:
    array = MADE[name]
    packed = encode(array)
    assert same(decode(packed.description, packed.pieces), array)
    assert packed.size < array.nbytes + 200


@pytest.mark.parametrize(
    ("name", "times"),
    [("smooth", 2), ("rising", 250), ("decimals", 3), ("table", 12), ("names", 25), ("masked", 2.5), ("text", 100)],
)
def test_what_is_predictable_becomes_smaller(name: str, times: float) -> None:
    assert encode(MADE[name], verify=False).size * times < MADE[name].nbytes


@pytest.mark.parametrize("name", ["differences", "table", "masked", "colours"])
def test_the_page_decodes_each_way_of_coding(name: str) -> None:
    array = MADE[name][:40] if name != "table" else MADE[name]
    packed = encode(array)
    assert same(by_the_page.decoded(packed.description, packed.pieces), array)


# ---------------------------------------------------------------------- within a bound


@pytest.mark.parametrize("name", ["smooth", "smooth, double", "smooth, half", "plane", "line", "decimals", "spread"])
@pytest.mark.parametrize("share", [1e-5, 1e-3, 1e-2, 0.3])
def test_no_number_is_beyond_a_relative_bound(name: str, share: float) -> None:
    array = MADE[name]
    packed = encode(array, rel_error=share)
    found = decode(packed.description, packed.pieces)
    reach = np.longdouble(array.max()) - np.longdouble(array.min())
    assert off(array, found) <= share * reach * (1 + 1e-15)
    assert found.dtype == array.dtype
    assert packed.why_exact or packed.size <= encode(array, verify=False).size


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["<f2", ">f4", "<f8", "<i1", "<u2", "<i4", "<u8", "<c8", "<c16"]),
    st.sampled_from([(400,), (20, 30), (4, 9, 11), (3, 3, 3, 9)]),
    st.floats(-9, 9),
    st.floats(-3, 3),
    st.integers(0, 99),
)
def test_no_number_is_beyond_any_bound(
    dtype: str, shape: tuple[int, ...], power: float, size: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    made = np.cumsum(rng.normal(size=shape), -1) * 10.0**size + 1j * rng.normal(size=shape)
    kind = np.dtype(dtype).kind
    with np.errstate(all="ignore"):
        array = (made if kind == "c" else np.abs(made.real) if kind == "u" else made.real).astype(dtype)
    usual = np.isfinite(array)
    found = there_and_back(array, max_error=10.0**power)
    assert off(array[usual], found[usual]) <= 10.0**power
    assert array[~usual].tobytes() == found[~usual].tobytes()


def test_the_bound_holds_after_the_cast_to_the_type() -> None:
    """A step of 2e in doubles, rounded to float32, would be off by up to half a step of float32 more."""
    array = (287 + np.random.default_rng(0).random((60, 70))).astype(np.float32)
    for bound in (np.spacing(np.float32(287)) * np.array([1.1, 1.5, 2, 3, 7, 30])).tolist():
        assert off(array, there_and_back(array, max_error=bound)) <= bound


def test_what_stands_apart_comes_back_bit_for_bit() -> None:
    array = field()
    strange = [np.float32(1e20), np.float32(np.nan), np.float32(np.inf), np.float32(-np.inf), np.float32(-9.9692e36)]
    rng = np.random.default_rng(0)
    apart = rng.random(array.shape) < 0.2
    array[apart] = rng.choice(strange, int(apart.sum()))
    found = there_and_back(array, rel_error=1e-3)
    assert found[apart].tobytes() == array[apart].tobytes()
    assert off(array[~apart], found[~apart]) <= 1e-3 * np.ptp(array[~apart].astype(np.float64))


@pytest.mark.parametrize("dtype", ["<f4", "<i2", ">i4"])
def test_a_fill_value_that_is_named_is_kept_and_not_in_the_range(dtype: str) -> None:
    array = field((30, 40, 50)).astype(dtype)
    array[:, :20] = -9999
    usual = array != -9999
    found = there_and_back(array, rel_error=0.05, fill=-9999)
    assert (found[~usual] == -9999).all()
    assert 0 < off(array[usual], found[usual]) <= 0.05 * np.ptp(array[usual].astype(np.float64))
    several = there_and_back(array, rel_error=0.05, fill=[-9999, 280])
    assert ((several == 280) >= (array == 280)).all()


def test_of_complex_numbers_the_absolute_value_is_bounded() -> None:
    array = (field((40, 50)) + 1j * field((40, 50), seed=1)).astype(np.complex64)
    assert 0.7 < off(array, there_and_back(array, max_error=0.5)) / 0.5 <= 1


def test_numbers_far_from_all_others_are_kept_within_the_bound() -> None:
    array = field((40, 50), np.float64)
    array[3, 4], array[7, 7] = 1e12, -4e14
    assert off(array, there_and_back(array, max_error=0.01)) <= 0.01


def test_the_largest_number_of_a_type_does_not_overflow() -> None:
    array = np.full((50, 60), 65504, np.float16)
    array[::2] = -65504
    array[::3] = 60000
    found = there_and_back(array, max_error=3000)
    assert np.isfinite(found).all()
    assert off(array, found) <= 3000
    bytes_ = np.random.default_rng(0).choice(np.array([0, 1, 254, 255], np.uint8), (40, 50))
    assert off(bytes_, there_and_back(bytes_, max_error=9)) <= 9


@pytest.mark.parametrize(
    ("array", "how", "why"),
    [
        (field(), {"max_error": 1e-9}, "the bound is below the type's step"),
        (field((40, 50)).astype(np.int32), {"max_error": 0.5}, "the bound is below 1"),
        (MADE["names"] > 2, {"max_error": 1}, "items of type bool are not rounded"),
        (MADE["text"], {"max_error": 1}, "items of type <U7 are not rounded"),
        (MADE["rising"].view("<M8[ns]"), {"rel_error": 0.1}, "items of type datetime64[ns] are not rounded"),
        (field().astype(np.longdouble), {"max_error": 1}, "are not rounded"),
    ],
)
def test_a_bound_that_cannot_be_used_is_said_and_every_bit_is_kept(array: Any, how: dict[str, Any], why: str) -> None:
    packed = encode(array, **how)
    assert why in (packed.why_exact or "")
    assert same(decode(packed.description, packed.pieces), array)


def test_no_bound_and_a_bound_of_nothing_need_no_reason() -> None:
    assert encode(field()).why_exact is None
    assert encode(field(), rel_error=0.01).why_exact is None
    constant = np.full((30, 30), 2.5)
    assert same(there_and_back(constant, rel_error=0.01), constant)


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.array([{}, 1], object), "array: items of type object are objects, or have no fixed size"),
        (np.zeros(3, [("a", object)]), "are objects, or have no fixed size"),
        (np.array(["a", "bc"], np.dtypes.StringDType()), "are objects, or have no fixed size"),
        (np.ma.masked_array([1, 2], [True, False]), "array: a masked array has a mask beside its numbers"),
    ],
)
def test_items_without_a_fixed_size_are_refused(array: Any, sentence: str) -> None:
    with pytest.raises(DataTypeError, match=sentence):
        encode(array)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"max_error": -1.0}, "max_error must be a number"),
        ({"max_error": float("nan")}, "max_error must be a number"),
        ({"max_error": float("inf")}, "max_error must be a number"),
        ({"rel_error": 2.0}, "rel_error must be a number"),
        ({"max_error": "1"}, "max_error must be a number"),
        ({"max_error": 1.0, "rel_error": 0.1}, "does not go together with"),
    ],
)
def test_a_bound_that_is_none_is_refused(how: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        encode(field(), **how)


def test_one_bound_for_several_fields_is_refused() -> None:
    with pytest.raises(
        ParameterError, match="numbers of one kind, and items have the fields a, b; leave the bound out"
    ):
        encode(np.zeros(3, [("a", "f4"), ("b", "i4")]), max_error=1)


@pytest.mark.parametrize("name", ["masked", "table", "differences", "names"])
def test_each_altered_bit_of_a_segment_is_found(name: str) -> None:
    packed = encode(MADE[name][:12])
    items, check, payload = packed.pieces[0]
    rng = np.random.default_rng(0)
    for bit in rng.choice(8 * len(payload), 120, replace=False).tolist():
        altered = bytearray(payload)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ArtifactError):
            decode(packed.description, [(items, check, bytes(altered))])
    for altered in (payload[:-1], payload + b"\0", b"", payload[1:]):
        with pytest.raises(ArtifactError):
            decode(packed.description, [(items, check, altered)])


def test_an_altered_description_gives_an_array_or_one_sentence() -> None:
    packed, refused = encode(MADE["table"]), 0
    bits = range(0, 8 * len(packed.description), 29)
    for bit in bits:
        altered = bytearray(packed.description)
        altered[bit // 8] ^= 1 << bit % 8
        try:
            found = decode(bytes(altered), packed.pieces)
        except ArtifactError:
            refused += 1
            continue
        layout = arrays.Description.read(Source.of(bytes(altered), "a test")).layout
        assert (found.shape, found.dtype) == (layout.shape, layout.dtype)
    assert refused > len(bits) // 2


def test_segments_that_are_not_there_are_missed_before_anything_is_allocated() -> None:
    packed = encode(np.zeros((1 << 10, 1 << 10), np.float64))
    with pytest.raises(ArtifactError, match="other segments than its shape"):
        decode(packed.description, packed.pieces[:-1])
    plans = arrays.Description.read(Source.of(packed.description, "a test")).plans
    huge = arrays.Description(arrays.Layout(np.dtype("f8"), (1 << 59,)), plans)
    with pytest.raises(ArtifactError):
        decode(huge.to_bytes(), packed.pieces)


def test_a_payload_does_not_stand_for_more_numbers_than_it_can() -> None:
    packed = encode(field((64, 64, 64)), rel_error=0.9)
    description = arrays.Description.read(Source.of(packed.description, "a test"))
    with pytest.raises(ArtifactError):
        description.data(64**3, b"\2\0\0\1\0")


# ---------------------------------------------------------------------- how it is done


def test_no_byte_hangs_on_the_number_of_threads() -> None:
    array = field((40, 60, 70))
    assert encode(array, threads=1) == encode(array, threads=2) == encode(array, threads=5)
    assert len(encode(array, verify=False).pieces) == 2


def test_no_byte_hangs_on_whether_the_coder_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    array = field((3, 9, 20))
    found = [encode(array), encode(array, rel_error=0.01)]
    monkeypatch.setattr(values, "_native", lambda: None)
    assert [encode(array, verify=False), encode(array, rel_error=0.01, verify=False)] == found


def test_each_segment_is_decoded_alone() -> None:
    array = field((40, 60, 70))
    packed = encode(array)
    description = arrays.Description.read(Source.of(packed.description, "a test"))
    items, _, payload = packed.pieces[1]
    assert description.data(items, payload) == array.reshape(-1)[-items:].tobytes()


def test_plans_that_are_too_long_for_a_description_are_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "DESCRIPTION_LIMIT", 1500)
    wide = np.zeros(40, [(f"{k}", "<f8") for k in range(40)])
    rng = np.random.default_rng(0)
    for name in wide.dtype.names or ():
        wide[name] = rng.choice(rng.normal(size=9), 40)
    packed = encode(wide, verify=False)
    assert len(packed.description) <= arrays.DESCRIPTION_LIMIT
    assert same(decode(packed.description, packed.pieces), wide)
