"""Values that many records share: which they are, and that they come back exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from isthmus import data, preprocessing
from isthmus.preprocessing import Differences, TablePreprocessor
from isthmus.preprocessing.atoms import Tally, atoms_of

N = 1000


def fitted(frame: Any, scaling: str = "standard") -> Any:
    opened = data.open(frame)
    return preprocessing.for_data(opened).fit(opened).rescale(scaling)


def back(pre: Any, frame: Any) -> Any:
    opened = data.open(frame)
    block = opened.take(np.arange(len(opened)))
    encoded = pre.encode(block)
    scaled = (encoded - pre.shift_) * pre.factor_
    out = scaled / pre.factor_ + pre.shift_  # as a network gives them back
    return data.restore(pre.decode(out, block) if isinstance(pre, TablePreprocessor) else pre.decode(out), pre.schema_)


def atoms(column: Any) -> tuple[Any, ...]:
    """Return the atoms of a column, and whether it has no other values."""
    pre = fitted(pd.DataFrame({"a": column, "b": np.random.default_rng(9).normal(size=len(column))}))
    first = next(column for column, _ in pre.places())
    return (first.atoms.tolist(), first.alone) if first.kind == "numbers" else (first.kind,)


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# ------------------------------------------------------------------ which


def mostly(value: float, share: float, others: Any) -> Any:
    return np.where(draws(1).random(len(others)) < share, value, others)


NORMAL = draws().normal(size=N)
RECOGNISED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "codes": (draws().choice([1, 5, 9, 40], N), ([1, 5, 9, 40], True)),
    "two numbers": (draws().choice([1.5, -2.0], N), ([-2.0, 1.5], True)),
    "zeros and ones": (draws().integers(0, 2, N), ("booleans",)),
    "nearly all zero": (mostly(0, 0.92, draws().lognormal(8, 1, N)), ([0.0], False)),
    "among both signs": (mostly(0.25, 0.3, NORMAL), ([0.25], False)),
    "a number for not known": (mostly(-999, 0.06, NORMAL), ([-999.0], False)),
    "a cap": (np.minimum(draws().exponential(size=N), 3.0), ([3.0], False)),
    "few values, one of them often": (mostly(0, 0.8, draws().integers(0, 5, N)), ([0, 1, 2, 3, 4], True)),
    "a density": (NORMAL, ([], False)),
    "rounded": (NORMAL.round(1), ([], False)),
    "ages": (draws().integers(17, 90, N), ([], False)),
    "heavy tails": (draws().standard_cauchy(N), ([], False)),
    "too few records": (draws().choice([1, 5, 9, 40], 30), ([], False)),
    "missing and one value": (np.where(draws().random(N) < 0.5, np.nan, 7.0), ([], False)),
    "missing and codes": (mostly(np.nan, 0.5, draws().choice([1.0, 4.0], N)), ([1.0, 4.0], True)),
    "all equal": (np.full(N, 3.0), ("set aside",)),
}  # fmt: skip


@pytest.mark.parametrize("name", RECOGNISED)
def test_which_values_are_atoms(name: str) -> None:
    column, expected = RECOGNISED[name]
    assert atoms(column) == expected


def test_dates_have_none() -> None:
    days = pd.to_datetime("2020-01-01") + pd.to_timedelta(draws().integers(0, 5, N), unit="D")
    pre = fitted(pd.DataFrame({"day": days, "b": NORMAL}))
    assert all(field.atoms == () for field in pre.fields_)


def test_wide_tables_have_few_of_each_column() -> None:
    tally = Tally()
    tally.update(np.repeat([1, 2, 3, 4], [400, 300, 200, 100]))
    assert atoms_of(tally, (1, 4), N, 15)[1]
    values, alone = atoms_of(tally, (1, 4), N, 8192 // 2)
    assert (values.tolist(), alone) == ([1, 2], False)
    assert len(atoms_of(tally, (1, 4), N, 10_000)[0]) == 0


def test_counts_are_as_many_as_memory_allows() -> None:
    rng, tally = draws(), Tally()
    for _ in range(5):
        tally.update(np.where(rng.random(20_000) < 0.3, 0.0, rng.normal(size=20_000)))
    assert not tally.is_whole
    assert len(tally.values) <= 4096
    assert 0.29 - 1 / 4096 < tally.counts[tally.values == 0][0] / 100_000 < 0.31


# ------------------------------------------------------------------ there and back


@pytest.mark.parametrize("scaling", TablePreprocessor.scalings)
@pytest.mark.parametrize("dtype", ["int8", "int64", "Int64", "float32", "float64"])
def test_they_come_back_exactly(scaling: str, dtype: str, stored: Any) -> None:
    codes = pd.Series(draws().choice([1, 5, 9, 40], N)).astype(dtype)
    far = pd.Series(mostly(99, 0.1, draws().integers(20, 70, N))).astype(dtype)
    frame = pd.DataFrame({"code": codes, "far": far, "x": NORMAL})
    if dtype == "Int64":
        frame.loc[::7, ["code", "far"]] = pd.NA
    pre = fitted(frame, scaling)
    for one in (pre, stored(pre)):
        out = back(one, frame)
        assert (out.dtypes == frame.dtypes).all()
        pd.testing.assert_series_equal(out["code"], frame["code"])
        pd.testing.assert_series_equal(out["far"], frame["far"])
    assert stored(pre).fields_ == pre.fields_


@pytest.mark.parametrize("scaling", ["standard", "quantile"])
def test_the_network_sees_where_they_are(scaling: str) -> None:
    """What stands in the matrix for an atom is, scaled, bit for bit what the likelihood is told."""
    frame = pd.DataFrame({"a": mostly(0.1, 0.4, NORMAL), "code": draws().choice([1, 5, 9, 40], N)})
    pre = fitted(frame, scaling)
    x = pre.encode(data.open(frame).take(np.arange(N)))
    scaled = (x - pre.shift_) * pre.factor_
    amount, code = pre.scaled_fields()
    assert (scaled[frame["a"] == 0.1, 0] == np.float32(amount.atoms[0])).all()
    np.testing.assert_array_equal(np.unique(scaled[:, 1]), np.float32(code.atoms))


def test_a_number_for_not_known_does_not_set_the_scale() -> None:
    ages = mostly(99_999, 0.1, draws().integers(18, 90, N))
    pre = fitted(pd.DataFrame({"age": ages, "b": NORMAL}))
    scaled = (
        pre.encode(data.open(pd.DataFrame({"age": ages, "b": NORMAL})).take(np.arange(N))) - pre.shift_
    ) * pre.factor_
    others = scaled[ages < 99_999, 0]
    assert others.std() == pytest.approx(1, abs=0.02)
    assert scaled[:, 0].max() < others.max() + 1.01


def test_what_is_none_of_a_few_values_comes_back_as_the_nearest() -> None:
    frame = pd.DataFrame({"code": draws().choice([1, 5, 9, 40], N), "x": NORMAL})
    pre = fitted(frame)
    other = pd.DataFrame({"code": [2, 7, 8, 1000, -3], "x": np.zeros(5)})
    assert back(pre, other)["code"].tolist() in ([1, 5, 9, 40, 1], [1, 9, 9, 40, 1])
    differences = Differences()
    pre.encode(data.open(other).take(np.arange(5)), differences)
    told = differences.sentences(returned=True)
    assert len(told) == 1 or "hold numbers that the fit, which had few, did not have" in told[1]
    assert "lie beyond those of the fit and come back clipped to them, in column 'code'" in told[0]


def test_rows_of_numbers_have_them_too(stored: Any) -> None:
    X = np.stack([draws().choice([1, 5, 9, 40], N), mostly(0.1, 0.9, draws().lognormal(8, 1, N)), NORMAL], 1)
    pre = fitted(X)
    assert [field.atoms != () for field in pre.scaled_fields()] == [True, True, False]
    out = back(pre, X)
    assert (out[X[:, 1] == 0.1, 1] == 0.1).all()
    assert stored(pre).scaled_fields() == pre.scaled_fields()


def test_pixels_have_none() -> None:
    for X in (
        draws().integers(0, 17, (N, 9)),
        draws().integers(0, 256, (N, 9)).astype(np.uint8),
        NORMAL.reshape(-1, 5),
    ):
        assert fitted(X).scaled_fields() == ()


def test_values_near_an_atom_are_told_from_it() -> None:
    amounts = mostly(0, 0.5, np.exp(draws().uniform(np.log(0.01), np.log(1e6), N)).round(2))
    frame = pd.DataFrame({"amount": amounts, "b": NORMAL})
    out = back(fitted(frame), frame)["amount"]
    assert (out[amounts == 0] == 0).all()
    assert (out[amounts > 0.2] > 0).all()  # 32 bits tell no less apart where values reach a million
    np.testing.assert_allclose(out, amounts, atol=0.1)


# ------------------------------------------------------------------ the slope of quantiles


def test_slopes_make_a_density_of_scores_one_of_values() -> None:
    """Normal scores have the density of the values that they came from: compared with the true one."""
    x = draws().lognormal(0, 1, 10_000)
    found = preprocessing.quantiles.QuantileMap.fit(x, x.min(), x.max())
    edges, logs = found.log_slopes()
    assert (np.diff(edges) > 0).all()
    new = draws(1).lognormal(0, 1, 2000).clip(x.min(), x.max())
    z = found.forward(new)
    log_density = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) + logs[np.searchsorted(edges, z, "right")]
    true = -np.log(new) - 0.5 * np.log(new) ** 2 - 0.5 * np.log(2 * np.pi)
    assert log_density.mean() == pytest.approx(true.mean(), abs=0.05)


def test_slopes_of_whole_numbers_give_their_shares() -> None:
    x = draws().poisson(6, 10_000).astype(float)
    found = preprocessing.quantiles.QuantileMap.fit(x, x.min(), x.max())
    edges, logs = found.log_slopes()
    for value in (3.0, 6.0, 9.0):
        z = found.forward(np.array([value]))
        density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * np.exp(logs[np.searchsorted(edges, z, "right")])
        assert density[0] == pytest.approx((x == value).mean(), rel=0.05)
