"""Measures of synthetic tables against SciPy, pandas, scikit-learn and laws whose figures are known."""

from __future__ import annotations

import datetime
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from isthmus.errors import DataError, DataTypeError, ParameterError
from isthmus.metrics import (
    closest_records,
    column_shapes,
    efficacy,
    pair_trends,
    real_baseline,
    tables,
)


def _mixed(n: int, seed: int, shift: float = 0.0, turn: float = 0.0) -> pa.Table:
    """Return numbers, categories, dates and booleans that depend on each other, some cells missing."""
    rng = np.random.default_rng(seed)
    a = rng.normal(shift, 1.0, n)
    b = np.round(a * math.cos(turn) + rng.normal(size=n) * (0.5 + math.sin(turn)), 1)
    group = np.where(rng.random(n) < 1 / (1 + np.exp(-2 * a)), "high", "low")
    day = [datetime.date(2020, 1, 1) + datetime.timedelta(int(10 * x)) for x in a]
    return pa.table(
        {
            "a": pa.array(a, mask=rng.random(n) < 0.1),
            "b": b,
            "group": pa.array(group, mask=rng.random(n) < 0.2).dictionary_encode(),
            "day": day,
            "flag": rng.random(n) < 0.3,
        }
    )


# ------------------------------------------------------------------ columns


def test_shapes_equal_scipy_and_pandas() -> None:
    real, synthetic = _mixed(700, 0), _mixed(500, 1, shift=0.7)
    found = {column.name: column for column in column_shapes(real, synthetic).columns}
    x, y = real.to_pandas(), synthetic.to_pandas()
    for name in ("a", "b", "day"):
        numbers = [pd.to_datetime(frame[name]).astype("int64") if name == "day" else frame[name] for frame in (x, y)]
        statistic = stats.ks_2samp(*(values.dropna() for values in numbers), method="asymp").statistic
        assert found[name].score == pytest.approx(1.0 - statistic, abs=1e-12)
    for name in ("group", "flag"):
        p, q = (frame[name].value_counts(normalize=True) for frame in (x, y))
        assert found[name].score == pytest.approx(1.0 - 0.5 * p.sub(q, fill_value=0).abs().sum(), abs=1e-12)
    assert found["group"].missing_real == pytest.approx(x["group"].isna().mean())
    assert found["a"].missing_synthetic == pytest.approx(y["a"].isna().mean())
    assert [column.kind for column in found.values()] == ["number", "number", "category", "number", "category"]
    assert column_shapes(real, synthetic).score == pytest.approx(np.mean([column.score for column in found.values()]))


def test_a_table_meets_itself_and_nothing_of_another() -> None:
    table = _mixed(200, 2)
    assert column_shapes(table, table).score == 1.0
    assert pair_trends(table, table).score == pytest.approx(1.0)
    other = pa.table({"x": [1.0, 2.0], "y": ["a", "b"]}), pa.table({"x": [10.0, 20.0], "y": ["c", "d"]})
    assert column_shapes(*other).score == 0.0
    assert pair_trends(*other).score == 0.0


def test_missing_everywhere() -> None:
    empty, full = pa.table({"x": pa.array([None, None], pa.float64())}), pa.table({"x": [1.0, 2.0]})
    assert column_shapes(empty, empty).score == 1.0
    assert column_shapes(full, empty).score == 0.0
    assert column_shapes(full, empty).columns[0].missing_synthetic == 1.0
    both = pa.table({"x": pa.array([None, None], pa.string()), "y": pa.array([None, None], pa.float64())})
    assert pair_trends(both, both).score == 1.0


def test_nan_is_missing_and_types_may_differ() -> None:
    real = pa.table({"x": [1, 2, 3], "y": pa.array(["a", "b", "a"]).dictionary_encode()})
    synthetic = pa.table({"y": ["a", "b", "a"], "x": [1.0, 2.0, math.nan]})
    found = column_shapes(real, synthetic)
    assert found.columns[0].missing_synthetic == pytest.approx(1 / 3)
    assert found.columns[1].score == 1.0
    seconds = pa.table({"t": pa.array([0, 10**9], pa.timestamp("ns"))})
    assert column_shapes(seconds, seconds.cast(pa.schema([("t", pa.timestamp("s"))]))).score == 1.0


# ------------------------------------------------------------------ pairs


def test_pairs_equal_pandas() -> None:
    real, synthetic = _mixed(800, 3), _mixed(600, 4, turn=0.8)
    found = {(pair.first, pair.second): pair for pair in pair_trends(real, synthetic).pairs}
    assert len(found) == 10
    x, y = real.to_pandas(), synthetic.to_pandas()
    difference = x["a"].corr(x["b"]) - y["a"].corr(y["b"])
    assert found["a", "b"].score == pytest.approx(1.0 - abs(difference) / 2.0)
    assert found["a", "b"].kind == "correlation"
    groups = [frame["group"].astype(object).fillna("missing") for frame in (x, y)]
    p, q = (pd.crosstab(g, frame["flag"], normalize=True) for g, frame in zip(groups, (x, y), strict=True))
    assert found["group", "flag"].score == pytest.approx(1.0 - 0.5 * p.sub(q, fill_value=0).abs().to_numpy().sum())
    edges = np.linspace(x["b"].min(), x["b"].max(), 11)
    bins = [
        pd.cut(frame["b"], [-np.inf, *edges[:-1] - 1e-9, edges[-1] + 1e-9, np.inf], labels=False) for frame in (x, y)
    ]
    p, q = (pd.crosstab(b, g, normalize=True) for b, g in zip(bins, groups, strict=True))
    assert found["b", "group"].score == pytest.approx(1.0 - 0.5 * p.sub(q, fill_value=0).abs().to_numpy().sum())
    assert found["b", "group"].kind == "contingency"


def test_shuffled_columns_keep_their_shapes_and_lose_their_trends() -> None:
    table = _mixed(3000, 5)
    rng = np.random.default_rng(6)
    shuffled = pa.table({name: table.column(name).take(rng.permutation(3000)) for name in table.column_names})
    assert column_shapes(table, shuffled).score == 1.0
    by_chance = real_baseline(pair_trends, table).score
    assert pair_trends(table, shuffled).score < by_chance - 0.05


def test_a_constant_column_has_no_correlation() -> None:
    x = np.arange(5.0)
    found = pair_trends(pa.table({"a": x, "b": x}), pa.table({"a": x, "b": np.full(5, 0.1)}))
    assert found.score == pytest.approx(0.5)
    assert pair_trends(pa.table({"a": x}), pa.table({"a": x})).score == 1.0


# ------------------------------------------------------------------ use


def _labelled(n: int, seed: int, noise: float = 0.2) -> pa.Table:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.integers(0, 3, n)
    y = (x + z > 1.0) ^ (rng.random(n) < noise)
    return pa.table({"x": x, "z": np.array(["p", "q", "r"])[z], "y": np.where(y, "yes", "no")})


def test_rows_of_the_same_law_serve_as_well_as_real_ones() -> None:
    found = efficacy(_labelled(1500, 7), _labelled(1500, 8), _labelled(1500, 9), "y")
    assert found.figure == "AUC"
    # A label that is wrong with chance 0.2 leaves the best classifier an area near 0.8.
    assert 0.7 < found.real.mean < 0.82
    assert found.difference.low < 0.02
    assert abs(found.difference.mean) < 0.04
    assert found.synthetic.low < found.synthetic.mean < found.synthetic.high
    assert found == efficacy(_labelled(1500, 7), _labelled(1500, 8), _labelled(1500, 9), "y")


def test_rows_with_shuffled_labels_are_of_no_use() -> None:
    real = _labelled(1500, 10)
    wrong = real.set_column(2, "y", real.column("y").take(np.random.default_rng(11).permutation(1500)))
    found = efficacy(real, wrong, _labelled(1500, 12), "y")
    assert found.synthetic.mean == pytest.approx(0.5, abs=0.08)
    assert found.difference.high < -0.1


def test_numbers_have_r2() -> None:
    def table(seed: int) -> pa.Table:
        rng = np.random.default_rng(seed)
        x = rng.uniform(-1, 1, 2000)
        return pa.table({"x": x, "y": 3.0 * x + rng.normal(size=2000)})

    found = efficacy(table(13), table(14), table(15), "y")
    assert found.figure == "R2"
    assert found.real.mean == pytest.approx(3.0 / (3.0 + 1.0), abs=0.08)  # variance of 3 x is 3
    assert found.real.high - found.real.low < 0.1


def test_many_classes_rare_classes_and_classes_never_made() -> None:
    rng = np.random.default_rng(16)
    x = rng.normal(size=900)
    y = np.digitize(x, [-0.5, 0.5]).astype(str)
    real, test = pa.table({"x": x[:600], "y": y[:600]}), pa.table({"x": x[600:], "y": y[600:]})
    assert efficacy(real, real, test, "y").synthetic.mean > 0.99
    without = real.filter(pa.array(y[:600] != "2"))
    assert 0.6 < efficacy(real, without, test, "y").synthetic.mean < 0.95
    one = real.filter(pa.array(y[:600] == "1"))
    assert efficacy(real, one, test, "y").synthetic.mean == 0.5


def test_zeros_and_ones_that_are_missed_by_a_little() -> None:
    rng = np.random.default_rng(17)
    x = rng.normal(size=400)
    exact = pa.table({"x": x, "y": (x > 0).astype(float)})
    nearly = pa.table({"x": x, "y": (x > 0) + rng.normal(0.0, 0.1, 400)})
    found = efficacy(exact, nearly, exact, "y")
    assert (found.figure, found.synthetic.mean > 0.99) == ("AUC", True)


def test_more_categories_than_the_predictor_takes_and_missing_targets() -> None:
    rng = np.random.default_rng(18)
    codes = rng.integers(0, 400, 3000)
    y = pa.array(np.where(codes % 2 == 0, "even", "odd"), mask=rng.random(3000) < 0.05)
    table = pa.table({"code": codes.astype(str), "y": y})
    found = efficacy(table, table, table, "y")
    assert found.real.mean > 0.7
    assert found.real.n == 3000 - y.null_count


def test_the_interval_of_an_area_agrees_with_the_bootstrap() -> None:
    rng = np.random.default_rng(19)
    y = rng.random(800) < 0.3
    score = rng.normal(size=800) + y
    chances = np.column_stack([-score, score])
    halves = []
    for seed in range(10):
        groups = tables._groups(y, True, seed)
        found = tables._interval(tables._with_and_without(tables._area_under_curve, y, chances, groups), 800, 0.95)
        assert found.mean == pytest.approx(roc_auc_score(y, score), abs=2e-3)
        halves.append((found.high - found.low) / 2)
    draws = rng.integers(0, 800, (400, 800))
    spread = np.std([roc_auc_score(y[rows], score[rows]) for rows in draws])
    assert np.mean(halves) == pytest.approx(2.01 * spread, rel=0.1)


def test_a_test_set_of_one_class_has_no_area() -> None:
    real = _labelled(100, 20)
    found = efficacy(real, real, real.filter(pa.compute.equal(real["y"], "yes")), "y")
    assert math.isnan(found.real.mean)


# ------------------------------------------------------------------ privacy


def test_closest_rows_equal_a_naive_search(monkeypatch: pytest.MonkeyPatch) -> None:
    train, held_out, synthetic = _mixed(90, 21), _mixed(40, 22), _mixed(30, 23)
    frame = train.to_pandas()
    day = lambda x: (pd.to_datetime(x) - pd.Timestamp(0)).dt.days  # noqa: E731

    def naive(row: pd.Series) -> np.ndarray:
        total = np.zeros(90)
        for name in ("a", "b", "day"):
            values = day(frame[name]) if name == "day" else frame[name]
            mine = (pd.Timestamp(row[name]) - pd.Timestamp(0)).days if name == "day" else row[name]
            middle, spread = values.mean(), values.std(ddof=0)
            gap = (values.fillna(middle) - (middle if pd.isna(mine) else mine)) / spread
            total += gap.to_numpy() ** 2 + (values.isna() != pd.isna(mine)).to_numpy()
        for name in ("group", "flag"):
            same = frame[name].isna() if pd.isna(row[name]) else frame[name] == row[name]
            total += 1.0 - same.to_numpy(dtype=float)
        return np.sqrt(total)

    monkeypatch.setattr(tables, "_BLOCK_VALUES", 500)
    wanted = np.array([naive(row) for _, row in synthetic.to_pandas().iterrows()])
    found = closest_records(synthetic, train, held_out)
    np.testing.assert_allclose(found.distances, wanted.min(axis=1), rtol=1e-9)
    np.testing.assert_array_equal(found.indices, wanted.argmin(axis=1))


def test_copied_rows_are_found_and_new_ones_are_not() -> None:
    train, held_out = _mixed(800, 24), _mixed(400, 25)
    copies = closest_records(train.slice(100, 50), train, held_out)
    assert copies.copies == 1.0
    np.testing.assert_array_equal(copies.indices, np.arange(100, 150))
    assert copies.p_value < 1e-9
    fresh = closest_records(_mixed(400, 26), train, held_out)
    assert fresh.p_value > 0.01
    assert fresh.ratio.mean == pytest.approx(1.0, abs=0.15)
    assert len(closest_records(train, train, held_out, max_rows=60).distances) == 60


# ------------------------------------------------------------------ what is refused


def test_what_is_refused() -> None:
    table = pa.table({"a": [1.0, 2.0], "b": ["x", "y"]})
    with pytest.raises(DataTypeError) as caught:
        column_shapes(table, table.to_pandas())
    assert str(caught.value) == (
        "column_shapes: synthetic must be a pyarrow.Table; got DataFrame. "
        "Convert a data frame with pyarrow.Table.from_pandas(frame, preserve_index=False) or frame.to_arrow()."
    )
    with pytest.raises(DataError) as caught:
        pair_trends(table, table.select(["a"]))
    assert str(caught.value) == "pair_trends: synthetic must have the columns of real; it lacks 'b'."
    with pytest.raises(DataTypeError) as caught:
        column_shapes(table, pa.table({"a": ["much", "more"], "b": ["x", "y"]}))
    assert str(caught.value) == (
        "column_shapes: the column 'a' must hold values like those of the first table, double; it is string. "
        "Cast it first."
    )
    with pytest.raises(DataError, match=r"closest_records: the column 'a' must hold finite numbers .* row 1 is inf"):
        closest_records(pa.table({"a": [0.0, math.inf], "b": ["x", "y"]}), table, table)
    with pytest.raises(ParameterError) as caught:
        efficacy(table, table, table, "c")
    assert str(caught.value) == "efficacy: target must be one of two or more columns, 'a', 'b'; it is 'c'."
    with pytest.raises(
        DataError, match="efficacy: every table needs two rows or more in which 'b' is known; one has 1"
    ):
        efficacy(table, pa.table({"a": [0.0, 1.0], "b": ["x", None]}), table, "b")
    with pytest.raises(DataError, match="real must have at least one row and one column; got 0 rows"):
        column_shapes(table.slice(0, 0), table)
