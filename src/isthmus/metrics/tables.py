"""Quality of a synthetic table: its columns, pairs of columns, use in training, and privacy.

All functions take Arrow tables with the same column names. Strings, booleans and categories are categories; numbers,
dates, times and durations are numbers. Empty cells and NaN are missing. Scores of columns and pairs run from 0 to 1,
higher is better, and 1 is out of reach: two real samples differ too, by what ``real_baseline(column_shapes, real)``
says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.checks.metrics import check_no_infinity, check_tables, check_target, table_values_differ
from isthmus.checks.parameters import integer
from isthmus.metrics.bootstrap import Interval, jackknife_interval
from isthmus.metrics.chance import own_generator
from isthmus.metrics.samples import Memorisation, memorisation_from_distances

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ColumnShape",
    "ColumnShapes",
    "Efficacy",
    "PairTrend",
    "PairTrends",
    "closest_records",
    "column_shapes",
    "efficacy",
    "pair_trends",
]

Float64 = NDArray[np.float64]
Codes = NDArray[np.int64]

_BINS = 10
"""Bins of a column of numbers where it meets a category."""

_MAX_CATEGORIES = 255
"""Categories that scikit-learn's boosted trees take."""

_GROUPS = 50
"""Groups of rows that the jackknife leaves out one by one."""

_BLOCK_VALUES = 1 << 22
"""Distances that are held at a time (32 MiB)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """One column of several tables: float64 with NaN for numbers, codes with -1 for categories; missing alike."""

    name: str
    kind: str
    values: list[NDArray[Any]]

    def missing(self, table: int) -> NDArray[np.bool_]:
        values = self.values[table]
        return np.asarray(np.isnan(values) if self.kind == "number" else values < 0)


# ------------------------------------------------------------------ columns


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """Similarity of one column's distribution.

    Parameters
    ----------
    name : str
        The column.
    kind : {"number", "category"}
        What it was taken for.
    score : float
        From 0 to 1.
    missing_real, missing_synthetic : float
        Shares of missing cells, which the score leaves out.
    """

    name: str
    kind: str
    score: float
    missing_real: float
    missing_synthetic: float


@dataclass(frozen=True, slots=True)
class ColumnShapes:
    """Similarity of each column's distribution.

    Parameters
    ----------
    columns : tuple of ColumnShape
        In the order of the real table.
    """

    columns: tuple[ColumnShape, ...]

    @property
    def score(self) -> float:
        """Return the mean over columns."""
        return float(np.mean([column.score for column in self.columns]))


def column_shapes(real: pa.Table, synthetic: pa.Table) -> ColumnShapes:
    """Compare the distribution of each column.

    Numbers: one less the Kolmogorov-Smirnov statistic, the largest distance of the two distribution functions.
    Categories: one less the total variation, half the sum of the differences of shares. Both among cells that are not
    missing, as in the "column shapes" of SDMetrics.

    Parameters
    ----------
    real : pyarrow.Table
        Rows that the model may or may not have seen.
    synthetic : pyarrow.Table
        Generated rows with the same columns.

    Returns
    -------
    ColumnShapes
        A score a column, and their mean.

    Raises
    ------
    DataTypeError, DataError
        They are not Arrow tables with the same columns and at least one row.

    Examples
    --------
    >>> import pyarrow as pa
    >>> real, synthetic = pa.table({"a": ["x", "x", "y", "y"]}), pa.table({"a": ["x", "x", "x", "y"]})
    >>> column_shapes(real, synthetic).score
    0.75
    """
    check_tables("column_shapes", real=real, synthetic=synthetic)
    return ColumnShapes(tuple(_shape(column) for column in _read("column_shapes", real, synthetic)))


def _shape(column: _Column) -> ColumnShape:
    missing = [column.missing(table) for table in (0, 1)]
    x, y = (values[~gone] for values, gone in zip(column.values, missing, strict=True))
    if len(x) == 0 or len(y) == 0:
        score = float(len(x) == len(y))
    elif column.kind == "number":
        score = 1.0 - _kolmogorov_smirnov(x, y)
    else:
        score = 1.0 - _total_variation(x, y)
    return ColumnShape(column.name, column.kind, score, float(missing[0].mean()), float(missing[1].mean()))


def _kolmogorov_smirnov(x: Float64, y: Float64) -> float:
    """Return the largest distance of two empirical distribution functions."""
    x, y = np.sort(x), np.sort(y)
    at = np.concatenate([x, y])
    difference = np.searchsorted(x, at, side="right") / len(x) - np.searchsorted(y, at, side="right") / len(y)
    return float(np.abs(difference).max())


def _total_variation(x: Codes, y: Codes) -> float:
    """Return half the sum of the differences of shares."""
    _, codes = np.unique(np.concatenate([x, y]), return_inverse=True)
    n = int(codes.max()) + 1
    p, q = np.bincount(codes[: len(x)], minlength=n), np.bincount(codes[len(x) :], minlength=n)
    return float(0.5 * np.abs(p / len(x) - q / len(y)).sum())


# ------------------------------------------------------------------ pairs


@dataclass(frozen=True, slots=True)
class PairTrend:
    """Similarity of the dependence of two columns.

    Parameters
    ----------
    first, second : str
        The columns.
    kind : {"correlation", "contingency"}
        How they were compared.
    score : float
        From 0 to 1.
    """

    first: str
    second: str
    kind: str
    score: float


@dataclass(frozen=True, slots=True)
class PairTrends:
    """Similarity of the dependence of every two columns.

    Parameters
    ----------
    pairs : tuple of PairTrend
        Every pair once; none for a table of one column.
    """

    pairs: tuple[PairTrend, ...]

    @property
    def score(self) -> float:
        """Return the mean over pairs, 1 where there are none."""
        return float(np.mean([pair.score for pair in self.pairs])) if self.pairs else 1.0


def pair_trends(real: pa.Table, synthetic: pa.Table) -> PairTrends:
    """Compare how every two columns depend on each other.

    Two numbers: one less half the difference of Pearson's correlations (a column that does not vary correlates with
    nothing, 0). Otherwise one less the total variation of the two contingency tables, where a number takes ten bins of
    equal width over the range of the real column, and missing cells are a category of their own. These are the "column
    pair trends" of SDMetrics, but for the bins, which it takes from either table by itself.

    With many categories two real tables score well below 1 by chance.

    Parameters
    ----------
    real : pyarrow.Table
        Rows that the model may or may not have seen.
    synthetic : pyarrow.Table
        Generated rows with the same columns.

    Returns
    -------
    PairTrends
        A score a pair, and their mean.

    Raises
    ------
    DataTypeError, DataError
        They are not Arrow tables with the same columns and at least one row.

    Examples
    --------
    >>> import pyarrow as pa
    >>> x = np.arange(10.0)
    >>> pair_trends(pa.table({"a": x, "b": x}), pa.table({"a": x, "b": -x})).score
    0.0
    """
    check_tables("pair_trends", real=real, synthetic=synthetic)
    columns = _read("pair_trends", real, synthetic)
    binned = [_binned(column) for column in columns]
    pairs = []
    for i, j in combinations(range(len(columns)), 2):
        a, b = columns[i], columns[j]
        if a.kind == b.kind == "number":
            kind, score = "correlation", _correlation_similarity(a, b)
        else:
            kind, score = "contingency", _contingency_similarity(binned[i], binned[j])
        pairs.append(PairTrend(a.name, b.name, kind, score))
    return PairTrends(tuple(pairs))


def _correlation_similarity(a: _Column, b: _Column) -> float:
    real, synthetic = (_correlation(a.values[table], b.values[table]) for table in (0, 1))
    return 1.0 - abs(real - synthetic) / 2.0


def _contingency_similarity(a: list[Codes], b: list[Codes]) -> float:
    width = 1 + max(int(codes.max()) for codes in b)
    real, synthetic = (a[table] * width + b[table] for table in (0, 1))
    return 1.0 - _total_variation(real, synthetic)


def _binned(column: _Column) -> list[Codes]:
    """Return a column as whole numbers from 0, where 0 stands for missing."""
    if column.kind == "category":
        return [values + 1 for values in column.values]
    real = column.values[0]
    edges = np.histogram_bin_edges(real[~np.isnan(real)], _BINS)
    found = []
    for values in column.values:
        # 1: below the range; 2 to 11: the bins, the last with its upper edge; 12: above the range.
        codes = np.digitize(values, edges) + 1
        codes[values == edges[-1]] = _BINS + 1
        codes[np.isnan(values)] = 0
        found.append(codes.astype(np.int64))
    return found


def _correlation(x: Float64, y: Float64) -> float:
    """Return Pearson's correlation over rows where both are known, 0 where one of them does not vary."""
    known = ~(np.isnan(x) | np.isnan(y))
    if not known.any():
        return 0.0
    x, y = x[known] - x[known].mean(), y[known] - y[known].mean()
    size = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(np.clip(x @ y / size, -1.0, 1.0)) if size > 0.0 else 0.0


# ------------------------------------------------------------------ use


@dataclass(frozen=True, slots=True)
class Efficacy:
    """Scores on real rows of a predictor that was trained on synthetic rows, and of one trained on real rows.

    Parameters
    ----------
    target : str
        The column that was predicted.
    figure : {"AUC", "R2"}
        Area under the ROC curve (for more than two classes the mean over classes, each against the rest; 0.5 for
        guessing), or the coefficient of determination (0 for the mean).
    synthetic, real : Interval
        Of the predictor trained on synthetic rows, and on real ones.
    difference : Interval
        Synthetic less real, on the same test rows: an interval that covers 0 cannot tell the two apart.
    """

    target: str
    figure: str
    synthetic: Interval
    real: Interval
    difference: Interval


def efficacy(
    real: pa.Table,
    synthetic: pa.Table,
    test: pa.Table,
    target: str,
    *,
    level: float = 0.95,
    random_state: int = 0,
) -> Efficacy:
    """Train on synthetic rows and test on real ones, beside training on real ones: Esteban, Hyland & Rätsch 2017.

    The predictor is scikit-learn's ``HistGradientBoostingClassifier``, or its regressor where the target is a number
    with more than two values, at its defaults and without early stopping. It takes missing cells as they are; beyond
    the 254 most frequent ones, categories are one. Rows with a missing target are left out.

    Parameters
    ----------
    real : pyarrow.Table
        Rows that the model learned from.
    synthetic : pyarrow.Table
        Generated rows; as many as real ones for a fair comparison.
    test : pyarrow.Table
        Real rows that neither has seen.
    target : str
        The column to predict from all others.
    level : float, default=0.95
        Confidence level, over test rows.
    random_state : int, default=0
        Seed of predictors and intervals.

    Returns
    -------
    Efficacy
        Both figures and their difference; ends of intervals are NaN where a class has too few test rows, and figures
        too where test rows hold one class or number only.

    Raises
    ------
    DataTypeError, DataError
        They are not Arrow tables with the same columns, or the target is missing nearly everywhere.
    ParameterError
        ``target`` is no column, or ``level`` is not allowed.

    References
    ----------
    C. Esteban, S. L. Hyland and G. Rätsch, "Real-valued (medical) time series generation with recurrent conditional
    GANs", arXiv:1706.02633, 2017.

    Examples
    --------
    >>> import pyarrow as pa
    >>> x = np.linspace(0.0, 1.0, 200)
    >>> table = pa.table({"x": x, "y": np.where(x > 0.5, "high", "low")})
    >>> efficacy(table, table, table, "y").synthetic.mean
    1.0
    """
    check_tables("efficacy", real=real, synthetic=synthetic, test=test)
    columns = {column.name: column for column in _read("efficacy", real, synthetic, test)}
    known = [~columns[target].missing(table) for table in range(3)] if target in columns else []
    check_target("efficacy", target, list(columns), min((int(rows.sum()) for rows in known), default=0))
    y = [values[rows] for values, rows in zip(columns.pop(target).values, known, strict=True)]
    x, categorical = _features(list(columns.values()), known)
    values = np.unique(np.concatenate([y[0], y[2]]))
    is_classes = len(values) <= 2 or y[0].dtype.kind == "i"
    if is_classes and y[1].dtype.kind == "f":  # a generator of numbers may miss the two that there are by a little
        y[1] = values[np.abs(y[1][:, np.newaxis] - values).argmin(axis=1)]
    learn = _class_scores if is_classes else _predictions
    from_real, from_synthetic = (learn(x[t], y[t], x[2], y[2], categorical, random_state) for t in (0, 1))
    measure = _area_under_curve if is_classes else _determination
    groups = _groups(y[2], is_classes, random_state)
    on_real, on_synthetic = (_with_and_without(measure, y[2], found, groups) for found in (from_real, from_synthetic))
    return Efficacy(
        target,
        "AUC" if is_classes else "R2",
        _interval(on_synthetic, len(groups), level),
        _interval(on_real, len(groups), level),
        _interval(on_synthetic - on_real, len(groups), level),
    )


def _features(columns: Sequence[_Column], rows: Sequence[NDArray[np.bool_]]) -> tuple[list[Float64], NDArray[np.bool_]]:
    """Return what the predictor sees of each table, shape (n, columns), and which columns are categories."""
    tables = [np.empty((int(chosen.sum()), len(columns))) for chosen in rows]
    for j, column in enumerate(columns):
        values = _few_categories(column) if column.kind == "category" else column.values
        for table, one, chosen in zip(tables, values, rows, strict=True):
            table[:, j] = one[chosen]
            table[column.kind == "category" and table[:, j] < 0, j] = np.nan
    return tables, np.array([column.kind == "category" for column in columns])


def _few_categories(column: _Column) -> list[Codes]:
    """Return codes below 255: the most frequent categories of all tables, and one code for all others."""
    together = np.concatenate(column.values)
    counts = np.bincount(together[together >= 0], minlength=1)
    if len(counts) <= _MAX_CATEGORIES:
        return column.values
    new = np.full(len(counts) + 1, _MAX_CATEGORIES - 1)
    new[np.argsort(-counts, kind="stable")[: _MAX_CATEGORIES - 1]] = np.arange(_MAX_CATEGORIES - 1)
    new[-1] = -1  # where code -1, missing, points to
    return [new[values] for values in column.values]


def _class_scores(
    x: Float64, y: NDArray[Any], x_test: Float64, y_test: NDArray[Any], categorical: NDArray[np.bool_], seed: int
) -> Float64:
    """Return the chance of each class of the test rows, shape (n, classes): 0 for those that were not learned."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    classes, learned = np.unique(y_test), np.unique(y)
    chances = np.zeros((len(x_test), len(classes)))
    at = np.searchsorted(classes, learned)
    there = (at < len(classes)) & (classes[np.minimum(at, len(classes) - 1)] == learned)
    if len(learned) == 1:
        chances[:, at[there]] = 1.0
        return chances
    model = HistGradientBoostingClassifier(
        categorical_features=categorical, early_stopping=False, random_state=seed
    ).fit(x, y)
    chances[:, at[there]] = model.predict_proba(x_test)[:, there]
    return chances


def _predictions(
    x: Float64, y: NDArray[Any], x_test: Float64, y_test: NDArray[Any], categorical: NDArray[np.bool_], seed: int
) -> Float64:
    """Return the predicted number of each test row."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(categorical_features=categorical, early_stopping=False, random_state=seed)
    return np.asarray(model.fit(x, y).predict(x_test))


def _area_under_curve(y: NDArray[Any], chances: Float64) -> float:
    """Return the mean over classes of the area under the ROC curve, each class against the rest."""
    from sklearn.metrics import roc_auc_score

    classes = np.unique(y)
    if len(classes) < 2 or len(classes) < chances.shape[1]:
        return float("nan")
    if len(classes) == 2:
        return float(roc_auc_score(y == classes[1], chances[:, 1] - chances[:, 0]))
    return float(np.mean([roc_auc_score(y == one, chances[:, i]) for i, one in enumerate(classes)]))


def _determination(y: NDArray[Any], predicted: Float64) -> float:
    """Return R2, NaN for a target that does not vary."""
    total = float(np.square(y - y.mean()).sum())
    return 1.0 - float(np.square(y - predicted).sum()) / total if total > 0.0 else float("nan")


def _groups(y: NDArray[Any], is_classes: bool, random_state: int) -> NDArray[np.int64]:
    """Return a group for each test row, at random; every class is spread over the groups."""
    order = own_generator(random_state, "efficacy").permutation(len(y))
    if is_classes:
        order = order[np.argsort(y[order], kind="stable")]
    groups = np.empty(len(y), np.int64)
    groups[order] = np.arange(len(y)) % min(_GROUPS, len(y))
    return groups


def _with_and_without(
    measure: Callable[[NDArray[Any], Float64], float], y: NDArray[Any], found: Float64, groups: NDArray[np.int64]
) -> Float64:
    """Return a figure of all test rows, and then without each group of them, shape (1 + groups,)."""
    kept = [groups != group for group in range(int(groups.max()) + 1)]
    return np.array([measure(y, found), *(measure(y[rows], found[rows]) for rows in kept)])


def _interval(figures: Float64, n: int, level: float) -> Interval:
    """Return the jackknife interval, without ends where a figure could not be had."""
    if not np.isfinite(figures).all():
        return Interval(float(figures[0]), float("nan"), float("nan"), level, n)
    return jackknife_interval(float(figures[0]), figures[1:], n=n, level=level)


# ------------------------------------------------------------------ privacy


def closest_records(
    synthetic: pa.Table,
    train: pa.Table,
    held_out: pa.Table,
    *,
    max_rows: int = 10_000,
    level: float = 0.95,
    random_state: int = 0,
) -> Memorisation:
    """Measure the distance of every synthetic row to its closest training row, beside that of held-out rows.

    The squared distance of two rows is the sum over columns: of numbers the squared difference in training standard
    deviations, of categories 1 where they differ; a missing cell differs by 1 from all that are not missing. Real rows
    that were not trained on say how near two people may be by chance.

    Parameters
    ----------
    synthetic : pyarrow.Table
        Generated rows.
    train : pyarrow.Table
        Rows that the model learned from.
    held_out : pyarrow.Table
        Real rows that it did not learn from.
    max_rows : int, default=10000
        Random rows of either that are looked at where there are more; training rows are all compared.
    level : float, default=0.95
        Confidence level.
    random_state : int, default=0
        Seed of rows and intervals.

    Returns
    -------
    Memorisation
        As :func:`isthmus.metrics.memorisation`; rows are those of ``synthetic`` unless it has more than ``max_rows``,
        then a random choice of them in their order.

    Raises
    ------
    DataTypeError, DataError
        They are not Arrow tables with the same columns, or every held-out row is a copy.
    ParameterError
        ``max_rows`` or ``level`` is not allowed.

    Examples
    --------
    >>> import pyarrow as pa
    >>> train, held_out = pa.table({"a": [0.0, 1.0, 2.0]}), pa.table({"a": [0.5]})
    >>> found = closest_records(train, train, held_out)
    >>> found.copies, found.indices
    (1.0, array([0, 1, 2]))
    """
    owner = "closest_records"
    integer(owner, "max_rows", max_rows, low=1)
    check_tables(owner, train=train, synthetic=synthetic, held_out=held_out)
    generator = own_generator(random_state, owner)
    columns = _read(owner, train, _some(synthetic, max_rows, generator), _some(held_out, max_rows, generator))
    numbers, codes = _points(columns)
    distances, indices = _closest(numbers[1], codes[1], numbers[0], codes[0])
    baseline, _ = _closest(numbers[2], codes[2], numbers[0], codes[0])
    return memorisation_from_distances(
        distances, indices, baseline, owner=owner, level=level, random_state=random_state
    )


def _some(table: pa.Table, rows: int, generator: np.random.Generator) -> pa.Table:
    if table.num_rows <= rows:
        return table
    return table.take(np.sort(generator.choice(table.num_rows, rows, replace=False)))


def _points(columns: Sequence[_Column]) -> tuple[list[Float64], list[Codes]]:
    """Return numbers (n, a) in deviations of the first table and codes (n, b) of each table."""
    numbers: list[list[Float64]] = [[np.zeros(len(values))] for values in columns[0].values]
    codes: list[list[Codes]] = [[np.zeros(len(values), np.int64)] for values in columns[0].values]
    for column in columns:
        if column.kind == "category":
            for table, values in enumerate(column.values):
                codes[table].append(values)
            continue
        known = column.values[0][~column.missing(0)]
        middle, spread = (known.mean(), known.std() or 1.0) if len(known) else (0.0, 1.0)
        for table, values in enumerate(column.values):
            gone = column.missing(table)
            numbers[table].append(np.where(gone, 0.0, (values - middle) / spread))
            codes[table].append(gone.astype(np.int64))
    return [np.column_stack(one) for one in numbers], [np.column_stack(one) for one in codes]


def _closest(
    numbers: Float64, codes: Codes, other_numbers: Float64, other_codes: Codes
) -> tuple[Float64, NDArray[np.int64]]:
    """Return the distance of every row from its closest other row, and which one that is."""
    indices = np.empty(len(numbers), np.int64)
    columns = np.ascontiguousarray(other_codes.T, np.int32)
    b = np.einsum("ij,ij->i", other_numbers, other_numbers)
    rows = max(1, _BLOCK_VALUES // len(other_numbers))
    for start in range(0, len(numbers), rows):
        # The square of the row itself is the same for all others.
        squares = b - 2.0 * numbers[start : start + rows] @ other_numbers.T
        for column, mine in zip(columns, codes[start : start + rows].T, strict=True):
            squares += mine[:, np.newaxis] != column
        indices[start : start + rows] = squares.argmin(axis=1)
    # From the rows themselves: the distance of a copy is 0 and not rounding.
    squares = np.square(numbers - other_numbers[indices]).sum(axis=1) + (codes != other_codes[indices]).sum(axis=1)
    return np.sqrt(squares), indices


# ------------------------------------------------------------------ reading


def _read(owner: str, *tables: pa.Table) -> list[_Column]:
    """Return the columns of tables, those of the first saying what is a number and what a category."""
    found = []
    for field in tables[0].schema:
        columns = [table.column(field.name) for table in tables]
        if _is_category(field.type):
            found.append(_Column(field.name, "category", _categories(columns)))
        else:
            values = [_numbers(owner, field.name, column, field.type) for column in columns]
            found.append(_Column(field.name, "number", values))
    return found


def _is_category(dtype: pa.DataType) -> bool:
    from pyarrow import types

    is_number = types.is_integer(dtype) or types.is_floating(dtype) or types.is_decimal(dtype)
    return not is_number and not types.is_temporal(dtype)


def _categories(columns: Sequence[pa.ChunkedArray]) -> list[Codes]:
    """Return the same code for the same value in all tables, -1 for missing."""
    import pyarrow as pa

    chunks = [chunk for column in columns for chunk in _as_text(column).chunks]
    indices = pa.chunked_array(chunks, pa.large_string()).combine_chunks().dictionary_encode().indices
    codes = indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return np.split(codes, np.cumsum([len(column) for column in columns])[:-1])


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.large_string())


def _numbers(owner: str, name: str, column: pa.ChunkedArray, dtype: pa.DataType) -> Float64:
    """Return numbers as float64 with NaN for missing; times count the units of the first table."""
    import pyarrow as pa

    try:
        if pa.types.is_temporal(dtype):
            column = column.cast(dtype, safe=False).cast(_ticks(dtype))
        values = np.array(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise table_values_differ(owner, name, str(dtype), str(column.type)) from error
    check_no_infinity(owner, name, values)
    return values


def _ticks(dtype: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return pa.int32() if dtype.bit_width == 32 else pa.int64()
