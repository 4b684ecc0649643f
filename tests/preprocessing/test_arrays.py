from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isthmus import data, preprocessing
from isthmus.errors import ArtifactError, DataError, ParameterError, ShapeError
from isthmus.preprocessing import ArrayPreprocessor, Preprocessor
from isthmus.preprocessing.scaling import LEAST_EXPONENT
from isthmus.preprocessing.statistics import SAMPLE

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "float32", "float64"]


def fit(x: np.ndarray, scaling: str = "none") -> Preprocessor:
    opened = data.open(x)
    return preprocessing.for_data(opened).fit(opened).rescale(scaling)


def scaled(fitted: Preprocessor, x: np.ndarray) -> np.ndarray:
    return (fitted.encode(x).astype(np.float32) - fitted.shift_) * fitted.factor_


def there_and_back(fitted: Preprocessor, x: np.ndarray) -> np.ndarray:
    values = scaled(fitted, x)
    return fitted.decode(values / fitted.factor_ + fitted.shift_)


matrices = st.tuples(st.integers(2, 12), st.integers(1, 4))


@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_whole_numbers_come_back_exactly_or_within_their_spread(draw: Any) -> None:
    dtype = np.dtype(draw.draw(st.sampled_from(INTEGERS)))
    x = draw.draw(hnp.arrays(dtype, matrices))
    fitted = fit(x)
    back = fitted.decode(fitted.encode(x))
    assert back.dtype == dtype
    for column in range(x.shape[1]):
        values = [int(v) for v in x[:, column]]
        spread = max(values) - min(values)
        error = max(abs(int(b) - v) for b, v in zip(back[:, column], values, strict=True))
        assert error <= (0 if spread <= 2**24 else spread * 2.0**-23)


@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_floats_come_back_to_the_precision_of_their_spread(draw: Any) -> None:
    dtype = np.dtype(draw.draw(st.sampled_from(FLOATS)))
    x = draw.draw(hnp.arrays(dtype, matrices, elements={"allow_nan": False, "allow_infinity": False}))
    fitted = fit(x)
    back = fitted.decode(fitted.encode(x))
    assert back.dtype == dtype
    reach = np.abs(x.astype(np.float64)).max(axis=0)
    # Below 2^-900, where no column is brought to about 1 any more, 32-bit floats end at 2^-149 of it.
    floor = np.ldexp(1.0, LEAST_EXPONENT - 149)
    assert (np.abs(back.astype(np.float64) / 2 - x.astype(np.float64) / 2) <= reach * 2.0**-23 + floor).all()
    if dtype.itemsize < 8 and (reach < 1e30).all() and ((reach > 1e-30) | (reach == 0)).all():
        np.testing.assert_array_equal(back, x)


@settings(max_examples=40, deadline=None)
@given(draw=st.data())
def test_every_scaling_is_finite_and_inverted(draw: Any, stored: Any) -> None:
    dtype = np.dtype(draw.draw(st.sampled_from(["uint8", "int16", "uint16", "int64", "float32", "float64"])))
    bounds = {"min_value": 0 if dtype.kind == "u" else -1000, "max_value": 200}
    x = draw.draw(hnp.arrays(dtype, matrices, elements=bounds))
    for scaling in preprocessing.SCALINGS:
        fitted = fit(x, scaling)
        values = scaled(fitted, x)
        assert np.isfinite(values).all()
        assert values.dtype == np.float32
        back = there_and_back(fitted, x)
        assert back.dtype == dtype
        np.testing.assert_allclose(back, x, rtol=0, atol=0 if dtype.kind != "f" else 0.002)
        loaded = stored(fitted)
        np.testing.assert_array_equal(loaded.encode(x), fitted.encode(x))
        np.testing.assert_array_equal(there_and_back(loaded, x), back)


def test_booleans_stay_8_bit_and_come_back() -> None:
    x = np.random.default_rng(0).random((20, 5)) > 0.5
    fitted = fit(x)
    encoded = fitted.encode(x)
    assert encoded.dtype == np.uint8
    assert np.shares_memory(encoded, x)
    assert fitted.summary_.binary
    back = fitted.decode(encoded.astype(np.float32))
    assert back.dtype == bool
    np.testing.assert_array_equal(back, x)


def test_values_far_from_zero_keep_what_float32_would_lose() -> None:
    rng = np.random.default_rng(0)
    whole = 2**60 + rng.integers(0, 2**20, (50, 2))
    np.testing.assert_array_equal(fit(whole).decode(fit(whole).encode(whole)), whole)
    narrow = 1e9 + rng.normal(size=(50, 2))
    np.testing.assert_allclose(fit(narrow).decode(fit(narrow).encode(narrow)), narrow, rtol=0, atol=1e-6)
    top = np.iinfo(np.uint64).max - rng.integers(0, 1000, (50, 1)).astype(np.uint64)
    np.testing.assert_array_equal(fit(top).decode(fit(top).encode(top)), top)


def test_output_beyond_a_dtype_is_clipped_to_it() -> None:
    for dtype in INTEGERS:
        x = np.array([[1, 2], [3, 4], [5, 7]], dtype)
        out = fit(x).decode(np.array([[-1e30, 1e30]], np.float32))
        assert out.dtype == dtype
        if np.dtype(dtype).itemsize < 8:
            assert out.tolist() == [[np.iinfo(dtype).min, np.iinfo(dtype).max]]
        assert (out[0, 0] <= 1) & (out[0, 1] >= 2**7 - 1)
    assert fit(np.array([[1.0], [2.0]], np.float16)).decode(np.array([[1e30]], np.float32)) == np.finfo(np.float16).max


def test_arrays_that_need_no_change_are_not_copied() -> None:
    for dtype in ("uint8", "float32"):
        x = np.arange(12).reshape(4, 3).astype(dtype)
        assert np.shares_memory(fit(x).encode(x), x)
        assert fit(x).encode(x).dtype == dtype


def test_unit_takes_the_range_of_8_bits() -> None:
    x = np.array([[0, 250], [10, 7]], np.uint8)
    fitted = fit(x, "unit")
    assert fitted.shift_.tolist() == [0]
    np.testing.assert_array_equal(fitted.factor_, np.float32([1 / 255]))
    np.testing.assert_array_equal(fitted.step_, np.float32([1 / 255]))
    fitted.rescale("symmetric")
    assert fitted.shift_.tolist() == [127.5]
    np.testing.assert_allclose(scaled(fitted, np.array([[0, 255]], np.uint8)), [[-1, 1]])
    np.testing.assert_array_equal(fitted.step_, np.float32([2 / 255]))


def test_unit_takes_the_largest_value_found_where_few_bits_are_used() -> None:
    x = np.array([[0, 16], [3, 7]], np.uint8)
    fitted = fit(x, "unit")
    np.testing.assert_array_equal(fitted.factor_, np.float32([1 / 16]))
    assert fitted.notes_ == ["the uint8 values reach 16 of 255: [0, 16] is taken as their full scale"]
    assert fitted.rescale("none").notes_ == []


def test_unit_leaves_fractions_and_ranges_other_columns() -> None:
    x = np.array([[0.2, -3.0, 5.0], [0.7, 3.0, 5.0]])
    fitted = fit(x, "unit")
    np.testing.assert_allclose(scaled(fitted, x), [[0.2, 0, 0], [0.7, 1, 0]], rtol=1e-6)
    assert fitted.step_ is None
    np.testing.assert_allclose(scaled(fit(x, "symmetric"), x), [[-0.6, -1, 0], [0.4, 1, 0]], rtol=1e-5)


def test_whole_numbers_of_one_kind_share_a_scale_and_others_do_not() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 17, (200, 10)).astype(np.float64)
    pixels[:, 0] = 0
    fitted = fit(pixels, "unit")
    assert fitted.summary_.integers
    assert fitted.factor_.tolist() == [0.0625]
    assert fitted.step_ is not None
    people = np.stack([rng.integers(0, 90, 200), rng.integers(0, 90_000, 200), rng.integers(1, 5, 200)], axis=1)
    fitted = fit(people, "unit")
    np.testing.assert_allclose(1 / fitted.factor_, people.max(axis=0) - people.min(axis=0), rtol=1e-6)
    assert fitted.step_.shape == (3,)


def test_standard_is_exact_also_beyond_the_sample() -> None:
    x = np.random.default_rng(0).gamma(2.0, size=(3 * SAMPLE + 5, 3)).astype(np.float32)
    x[1::2] *= 100  # an evenly spaced subset with an even stride would never see these
    fitted = fit(x, "standard")
    np.testing.assert_allclose(fitted.shift_, x.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(1 / fitted.factor_, x.std(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_array_equal(fitted.summary_.low, x.min(axis=0))
    np.testing.assert_array_equal(fitted.summary_.high, x.max(axis=0))


def test_a_constant_column_is_kept_with_factor_1() -> None:
    x = np.array([[3.5, 1.5], [3.5, 2.0], [3.5, 4.0]])
    for scaling in preprocessing.SCALINGS:
        fitted = fit(x, scaling)
        assert np.broadcast_to(fitted.factor_, (2,))[0] == 1 or scaling == "common"
        if scaling != "none":
            np.testing.assert_array_equal(scaled(fitted, x)[:, 0], 0)
        np.testing.assert_allclose(there_and_back(fitted, x), x, rtol=1e-6)


def test_one_scale_for_all_columns_keeps_the_proportions_of_squared_errors() -> None:
    x = np.random.default_rng(0).normal(size=(5000, 3)) * [0.01, 1.0, 3.0] + [5.0, 0.0, -2.0]
    fitted = fit(x, "common")
    z = scaled(fitted, x)
    assert fitted.factor_.shape == (1,)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(z.var(axis=0), x.var(axis=0) / x.var(axis=0).mean(), rtol=1e-5)
    np.testing.assert_allclose(there_and_back(fitted, x), x, rtol=1e-5, atol=1e-6)
    assert fit(np.full((4, 2), 3.0), "common").factor_ == 1
    assert fit(np.array([[0.0, 0.0], [1e300, 1.0]]), "common").factor_.min() > 0


def test_quantiles_make_any_column_normal_and_extend_beyond_it() -> None:
    x = np.random.default_rng(0).lognormal(0, 2, size=(20_000, 2))
    fitted = fit(x, "quantile")
    z = fitted.encode(x)
    assert z.dtype == np.float32
    assert abs(z.mean()) < 0.03
    assert abs(z.std() - 1) < 0.03
    assert abs((z**3).mean()) < 0.1
    np.testing.assert_allclose(there_and_back(fitted, x), x, rtol=1e-3, atol=1e-6)
    beyond = np.array([[x[:, 0].max() * 2, x[:, 1].min() - 5]])
    np.testing.assert_allclose(there_and_back(fitted, beyond), beyond, rtol=1e-3)
    few = np.random.default_rng(0).choice([-1.5, 0.1, 7.25], size=(100, 1))
    np.testing.assert_array_equal(there_and_back(fit(few, "quantile"), few), few)


def test_scores_a_little_off_lead_back_to_a_value_that_many_records_share() -> None:
    rng = np.random.default_rng(0)
    x = np.where(rng.random((5000, 1)) < 0.9, 0.0, rng.lognormal(3, 1, (5000, 1)))
    fitted = fit(x, "quantile")
    zero = fitted.encode(np.zeros((1, 1)))
    assert fitted.decode(zero + np.float32(0.5)) == 0 == fitted.decode(zero - np.float32(3))
    others = np.array([[0.01], [0.3], [5.0], [80.0], [-1.0], [1e5]])
    np.testing.assert_allclose(there_and_back(fitted, others), others, rtol=2e-3)
    z = fitted.encode(np.sort(np.concatenate([x, others]), axis=0))
    assert (np.diff(z[:, 0]) >= 0).all()


def test_the_summary_says_what_the_values_are() -> None:
    rng = np.random.default_rng(0)
    one_hot = np.eye(4)[rng.integers(0, 4, 50)]
    assert fit(one_hot).summary_.one_hot
    assert fit(one_hot.astype(np.uint8)).summary_.one_hot
    zero_one = rng.integers(0, 2, (50, 4))
    summary = fit(zero_one).summary_
    assert (summary.binary, summary.integers, summary.one_hot) == (True, True, False)
    counts = rng.poisson(3, (50, 4)).astype(np.float32)
    summary = fit(counts).summary_
    assert (summary.binary, summary.integers, summary.dtype) == (False, True, "float32")
    summary = fit(rng.normal(size=(50, 4))).summary_
    assert (summary.binary, summary.integers) == (False, False)
    assert summary.names == ("column 0", "column 1", "column 2", "column 3")


def test_the_summary_in_scaled_units() -> None:
    x = 1e9 + np.random.default_rng(0).normal(size=(100, 2)) * [1.0, 5.0]
    standard = fit(x, "standard").scaled_summary()
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(standard.low, z.min(axis=0), rtol=1e-4)
    np.testing.assert_allclose(standard.high, z.max(axis=0), rtol=1e-4)
    np.testing.assert_allclose(standard.std, 1, rtol=1e-6)
    quantile = fit(x, "quantile").scaled_summary()
    assert (quantile.low < -2).all()
    assert (quantile.high > 2).all()
    assert quantile.std.tolist() == [1, 1]
    assert quantile.bottom is quantile.low
    assert quantile.top is quantile.high


@pytest.mark.parametrize(("scaling", "ends"), [("unit", (0, 1)), ("symmetric", (-1, 1))])
def test_the_summary_knows_the_range_of_a_scaling(scaling: str, ends: tuple[int, int]) -> None:
    x = np.random.default_rng(0).integers(3, 200, (100, 2)).astype(np.uint8)
    summary = fit(x, scaling).scaled_summary()
    assert (summary.bottom.item(), summary.top.item()) == ends
    scaled = 2 * x.astype(float) / 255 - 1 if scaling == "symmetric" else x / 255
    np.testing.assert_allclose(summary.low, scaled.min(axis=0), rtol=1e-5)
    np.testing.assert_allclose(summary.std, scaled.std(axis=0), rtol=1e-5)


def test_the_summary_counts_a_narrow_column_in_its_own_unit() -> None:
    x = np.random.default_rng(0).normal(size=(100, 2)) * [1e-35, 1.0]
    fitted = fit(x, "common")
    scaled = (fitted.encode(x) - fitted.shift_.astype(float)) * fitted.factor_
    np.testing.assert_allclose(fitted.scaled_summary().std, scaled.std(axis=0), rtol=1e-4)


def test_the_volume_change_of_scaling() -> None:
    x = np.random.default_rng(0).normal(size=(100, 3)) * [1e-40, 1.0, 5.0]
    fitted = fit(x, "standard")
    assert fitted.log_volume() == pytest.approx(-np.log(x.std(axis=0)).sum(), rel=1e-5)
    assert fit(x.astype(np.float32)[:, 1:]).log_volume() == 0
    pictures = np.zeros((3, 4, 5), np.uint8) + np.arange(3, dtype=np.uint8)[:, None, None] * 100
    assert fit(pictures, "unit").log_volume() == pytest.approx(-20 * np.log(255))


def test_a_row_does_not_depend_on_its_block() -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    for scaling in preprocessing.SCALINGS:
        fitted = fit(x, scaling)
        whole = fitted.encode(x)
        for row in range(3):
            np.testing.assert_array_equal(fitted.encode(x[row : row + 1])[0], whole[row])


def test_streamed_records_give_the_same_as_resident_ones(tmp_path: Any) -> None:
    x = np.random.default_rng(0).integers(0, 200, (9000, 6)).astype(np.int32)
    np.save(tmp_path / "x.npy", x)

    class Streamed:
        """Data of which only chunks can be had."""

        schema, array, rows = data.open(x).schema, None, None

        def __len__(self) -> int:
            return len(x)

        def chunks(self) -> Any:
            return ((start, x[start : start + 700]) for start in range(0, len(x), 700))

    for scaling in preprocessing.SCALINGS:
        resident = fit(x, scaling)
        streamed = ArrayPreprocessor().fit(Streamed()).rescale(scaling)
        np.testing.assert_allclose(streamed.summary_.mean, resident.summary_.mean, rtol=1e-12)
        np.testing.assert_allclose(streamed.summary_.std, resident.summary_.std, rtol=1e-12)
        np.testing.assert_array_equal(streamed.encode(x), resident.encode(x))


def test_another_dtype_of_the_same_numbers_is_encoded_alike() -> None:
    x = np.random.default_rng(0).integers(0, 200, (30, 3))
    fitted = fit(x, "standard")
    for dtype in ("uint8", "int16", "float32", "float64"):
        np.testing.assert_array_equal(scaled(fitted, x.astype(dtype)), scaled(fitted, x))


def test_copies_do_not_carry_the_training_data() -> None:
    x = np.random.default_rng(0).normal(size=(2000, 50))
    opened = data.open(x)
    fitted = preprocessing.for_data(opened).fit(opened)
    assert len(pickle.dumps(fitted)) < 20_000
    other = copy.deepcopy(fitted)
    np.testing.assert_array_equal(other.encode(x), fitted.encode(x))
    with pytest.raises(
        ParameterError, match="scaling='quantile' must be the first rescale after fit, or be given data"
    ):
        other.rescale("quantile")
    assert other.rescale("quantile", opened).scaling_ == "quantile"


def test_refusals() -> None:
    fitted = fit(np.arange(12.0).reshape(4, 3) + 0.5)
    with pytest.raises(ShapeError, match=r"must have 3 values each, as in training; got an array of shape \(2, 4\)"):
        fitted.encode(np.zeros((2, 4)))
    with pytest.raises(ShapeError, match="must have 3 values each"):
        fitted.decode(np.zeros((2, 4)))
    with pytest.raises(ParameterError, match=r"ArrayPreprocessor: scaling must be one of 'none', 'unit'.*got 'minmax'"):
        fitted.rescale("minmax")
    with pytest.raises(DataError, match=r"within the range of 32-bit floats \(3.4e38\)"):
        fitted.encode(np.full((1, 3), 1e300))
    with pytest.raises(ParameterError, match="for_data: missing must be 'mask' or 'refuse'; got 'drop'"):
        preprocessing.for_data(data.open(np.eye(3)), missing="drop")
    with pytest.raises(ParameterError, match="categories must be 'auto' or a whole number of at least 1; got 0"):
        preprocessing.for_data(data.open(np.eye(3)), categories=0)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_values_that_are_not_finite_are_refused_by_name(value: float, word: str) -> None:
    x = np.arange(12.0).reshape(4, 3)
    opened = data.open(x)
    bad = x.copy()
    bad[2, 1] = value

    class Altered:
        """Data whose values were not checked when they were opened."""

        schema, array, rows = opened.schema, bad, None

        def __len__(self) -> int:
            return len(bad)

    with pytest.raises(DataError, match=f"column 1 contains {word}"):
        ArrayPreprocessor().fit(Altered())


def test_altered_states_are_refused() -> None:
    document, arrays = fit(np.arange(12.0).reshape(4, 3)).state()
    with pytest.raises(ArtifactError, match=r"preprocessing must be one of ArrayPreprocessor, .*; got 'os.system'"):
        preprocessing.from_state("os.system", document, arrays)
    for name in ("offset", "shift", "low"):
        less = {key: value for key, value in arrays.items() if key != name}
        with pytest.raises(ArtifactError, match=f"preprocessing part must be complete and unaltered.*{name}"):
            ArrayPreprocessor.from_state(document, less)
    for name in ("schema", "shape", "summary", "centring"):
        with pytest.raises(ArtifactError, match="its preprocessing part must be complete"):
            ArrayPreprocessor.from_state({**document, name: None}, arrays)
    with pytest.raises(ArtifactError, match="its preprocessing part must be complete"):
        ArrayPreprocessor.from_state({**document, "scaling": "log"}, arrays)
