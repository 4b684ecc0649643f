r"""Meaning of a code: inputs that drive each unit, its most activating records, and concepts that it encodes.

Integrated gradients (Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, equation 1), of
unit z_k at a record x against a baseline x'::

    IG_i(x) = (x_i - x'_i) int_0^1 d z_k / d x_i (x' + a (x - x')) da

They are complete (proposition 1): sum_i IG_i(x) = z_k(x) - z_k(x'). The integral is a sum over the nodes of the
Gauss-Legendre rule, and what is missing from completeness is told.

Linear probes: Alain and Bengio, "Understanding Intermediate Layers Using Linear Classifier Probes", 2017.

What a record becomes as one unit is moved is :func:`isthmus.tasks.traverse`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus import checks, telling
from isthmus import data as isthmus_data
from isthmus.data import Data
from isthmus.encoded import as_tensor
from isthmus.errors import DataError
from isthmus.preprocessing import Features
from isthmus.tasks.classify.methods import logistic_regression

__all__ = [
    "Activation",
    "Attribution",
    "Explanation",
    "Probe",
    "attribute",
    "explain",
    "most_activating",
    "probe",
    "units_that_vary",
]

STEPS = 50  # nodes of the integral
ROWS = 4096  # records, times nodes, that go through the encoder at once
NUMBERS = 2**24  # numbers in them, where records are large
SHOWN = 8  # units that are explained, those that vary most
MAX_ATTRIBUTED_RECORDS = 100  # that attributions are averaged over
STRONGEST = 8  # records of each unit
FOLDS = 5
MIN_PROBE_RECORDS = 20  # records a probe needs
MAX_PROBE_RECORDS = 2000  # records that it is fitted on, and judged on
MAX_CONCEPTS = 40  # columns that are looked for
CLASSES = 20  # values up to which whole numbers are classes

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Attribution:
    """Which inputs drive some units of the code.

    Parameters
    ----------
    units : list of int
    values : ndarray of float32, shape (units, n, ...)
        Integrated gradients, each number the share of an input in what the unit is beyond its baseline. Of arrays
        (units, n, columns), of tables by column (what became of it summed), of pictures
        (units, n, height, width[, channels]), of texts by place.
    names : list of str
        Columns, or places of a text; none of pictures.
    codes, baseline_codes : ndarray of float32, shape (n, units), (units,)
        The units at the records, and at the baseline.
    gap : float
        How far sums are from what completeness demands, as a share of the mean of what they should be, at the worst.
    """

    units: list[int]
    values: Float32
    names: list[str]
    codes: Float32
    baseline_codes: Float32
    gap: float

    def importance(self) -> Float64:
        """Return the mean size of each input's part over the records, shape (units, ...): how much it drives a unit."""
        return np.asarray(np.abs(self.values).mean(axis=1, dtype=np.float64))


@dataclass(frozen=True)
class Activation:
    """The records with the highest and the lowest values of a unit.

    Parameters
    ----------
    unit : int
    highest, lowest : list of int
        Rows, the most extreme first.
    values_of_highest, values_of_lowest : list of float
        Of the unit, there.
    """

    unit: int
    highest: list[int]
    lowest: list[int]
    values_of_highest: list[float]
    values_of_lowest: list[float]


@dataclass(frozen=True)
class Probe:
    """Score of a linear model that predicts one concept from codes, on held-out records.

    Parameters
    ----------
    concept : str
        "class", or a column.
    measure : {"accuracy", "R2"}
        Of words and classes, and of numbers.
    score : float
        Over five folds.
    standard_error : float
        Of that.
    baseline : float
        The same without codes: the share of the commonest value, or 0.
    units : list of int
        Those that carry it, the first most.
    weights : list of float
        Size of their weights in the probe, codes having deviation 1, as shares of all.
    records : int
    """

    concept: str
    measure: str
    score: float
    standard_error: float
    baseline: float
    units: list[int]
    weights: list[float]
    records: int


@dataclass(frozen=True)
class Explanation:
    """Explanation of a model's code; see :func:`explain`.

    Parameters
    ----------
    units : list of int
        Those explained.
    deviations : list of float
        Standard deviation of each over the records.
    attribution : Attribution
    activations : list of Activation
    probes : list of Probe
    notes : list of str
    """

    units: list[int]
    deviations: list[float]
    attribution: Attribution
    activations: list[Activation]
    probes: list[Probe]
    notes: list[str]

    def drivers(self, most: int = 5) -> list[list[tuple[str, float]]]:
        """Return the inputs that drive each unit most, by name, with their shares of all; none of pictures."""
        importance = self.attribution.importance().reshape(len(self.units), -1)
        found = []
        for row in importance if self.attribution.names else []:
            order = np.argsort(-row, kind="stable")[:most]
            total = float(row.sum()) or 1.0
            found.append([(self.attribution.names[i], float(row[i]) / total) for i in order if row[i] > 0])
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the pictures' maps as JSON values."""
        drivers = self.drivers()
        return {
            "units": [
                {
                    "unit": unit,
                    "deviation": deviation,
                    "highest": activation.highest,
                    "lowest": activation.lowest,
                    "values_of_highest": activation.values_of_highest,
                    "values_of_lowest": activation.values_of_lowest,
                    "driven_by": [{"name": name, "share": share} for name, share in drivers[place]]
                    if drivers
                    else None,
                }
                for place, (unit, deviation, activation) in enumerate(
                    zip(self.units, self.deviations, self.activations, strict=True)
                )
            ],
            "records": int(self.attribution.values.shape[1]),
            "completeness_gap": self.attribution.gap,
            "probes": [asdict(one) for one in self.probes],
            "notes": self.notes,
        }


@telling.tells
def explain(model: Any, X: Any, y: Any = None, *, units: int | None = None, random_state: int = 0) -> Explanation:
    """Explain the units of a model's code.

    Parameters
    ----------
    model : fitted model
        One of isthmus's, also with networks of the user's own.
    X : array, data frame, path, or Data
        Records, best such as the model was not fitted on.
    y : array of shape (n,), optional
        Labels, by default those of ``X``: a concept to look for in the codes.
    units : int, optional
        How many units, those that vary most; by default 8.
    random_state : int, default=0
        Seed of the choice of records that attributions are averaged over, and of the folds of probes.

    Returns
    -------
    Explanation

    Raises
    ------
    ParameterError
        The model has no encoder to look into.
    DataError
        The records do not fit the model, or are texts of which no gradient can be taken.
    """
    data = _opened("explain", model, X, y)
    codes = np.asarray(model.transform(data), np.float32)
    checks.integer("explain", "units", units, low=1, high=codes.shape[1], optional=True)
    chosen = units_that_vary(codes, units or SHOWN)
    rng = np.random.default_rng(random_state)
    some = np.sort(rng.permutation(len(data))[:MAX_ATTRIBUTED_RECORDS])
    attribution = attribute(model, data.subset(some), chosen)
    notes = []
    if len(some) < len(data):
        notes.append(f"attributions are averaged over {len(some):,} records, drawn at random")
    probes, without = _probes(codes, data, random_state)
    return Explanation(
        chosen,
        [float(deviation) for deviation in codes[:, chosen].std(axis=0)],
        attribution,
        [most_activating(codes, unit) for unit in chosen],
        probes,
        [*notes, *without],
    )


def units_that_vary(codes: Float32, most: int) -> list[int]:
    """Return the units that vary most over the records, the first most; none that are constant but the first."""
    deviations = codes.std(axis=0)
    order = np.argsort(-deviations, kind="stable")[:most]
    return [int(unit) for unit in order if deviations[unit] > 0] or [int(order[0])]


# ---------------------------------------------------------------------- integrated gradients


@telling.tells
def attribute(
    model: Any, X: Any, units: Sequence[int] | None = None, *, baseline: Any = None, steps: int = STEPS
) -> Attribution:
    """Return which inputs drive units of the code, by integrated gradients.

    Parameters
    ----------
    model : fitted model
        One of isthmus's, also with networks of the user's own.
    X : array, data frame, path, or Data
        Records.
    units : sequence of int, optional
        Of the flattened code; by default all.
    baseline : record, optional
        One record in the container of ``X``, against which others are explained; by default the mean of ``X`` as the
        network sees it, and of categories the commonest.
    steps : int, default=50
        Nodes of the integral.

    Returns
    -------
    Attribution

    Raises
    ------
    ParameterError
        The model has no encoder to look into, or has no such unit.
    DataError
        The records are texts, whose symbols cannot be changed a little, or pictures of several sizes.
    """
    checks.integer("attribute", "steps", steps, low=1)
    data = _opened("attribute", model, X, None)
    x = _scaled(model, data)
    width = int(np.prod([side or 1 for side in model.code_shape_]))
    wanted = list(range(width)) if units is None else [int(unit) for unit in units]
    for unit in wanted:
        checks.integer("attribute", "each of units", unit, low=0, high=width - 1)
    base = _baseline(model, x) if baseline is None else _scaled(model, _one(model, baseline))
    frozen = _categories(model)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    at = torch.as_tensor((nodes + 1) / 2, dtype=x.dtype, device=x.device)
    share = torch.as_tensor(weights / 2, dtype=x.dtype, device=x.device)
    parts = [_integrated(model, block, base, frozen, wanted, at, share) for block in _blocks(x, steps)]
    values = torch.cat([part for part, _, _ in parts], 1)
    ends = torch.cat([end for _, end, _ in parts], 0)
    starts = torch.cat([start for _, _, start in parts], 0)
    change = (ends - starts).T
    gap = (values.flatten(2).sum(2) - change).abs().amax() / change.abs().mean().clamp_min(1e-12)
    shaped, names = _by_input(model, values.cpu().numpy())
    return Attribution(
        wanted, shaped, names, ends.cpu().numpy(), starts.mean(0).cpu().numpy(), float(gap) if change.numel() else 0.0
    )


def _opened(task: str, model: Any, X: Any, y: Any) -> Data:
    """Return records as a model takes them; refuse models without an encoder, and records without gradients."""
    checks.is_fitted(task, model)
    checks.an_encoder(task, model)
    data: Data = model.opened(X, y)
    checks.explicable(task, model.schema_.kind, model.preprocessor_.shape_)
    return data


def _scaled(model: Any, data: Data) -> Tensor:
    """Return records as the network takes them, on its device."""
    device = next(model.module_.parameters()).device
    scaled: Tensor = model.module_.scale(as_tensor(model.encoded(data).values).to(device)).float()
    return scaled


def _one(model: Any, record: Any) -> Data:
    """Return the one record that others are explained against."""
    data: Data = model.opened(record)
    checks.one_baseline(len(data))
    return data


def _baseline(model: Any, x: Tensor) -> Tensor:
    """Return the mean of scaled records, with the commonest value where numbers are codes of categories."""
    base = x.mean(0, keepdim=True)
    for index in np.flatnonzero(_categories(model)):
        base[:, index] = x[:, index].mode().values
    return base


def _categories(model: Any) -> NDArray[np.bool_]:
    """Return which scaled numbers are codes of categories, or have atoms: there is nothing between two of them."""
    fields = getattr(getattr(model.module_, "likelihood", None), "fields", ())
    return np.array([field.kind == "category" or len(field.atoms) > 0 for field in fields], bool)


def _blocks(x: Tensor, steps: int) -> tuple[Tensor, ...]:
    rows = max(1, min(ROWS, NUMBERS // max(1, x[0].numel())) // steps)
    return torch.split(x, rows)


def _integrated(
    model: Any,
    x: Tensor,
    base: Tensor,
    frozen: NDArray[np.bool_],
    units: list[int],
    at: Tensor,
    weights: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return integrated gradients (units, b, ...), and the units at the records and at the baseline: (b, units) each.

    Categories have nothing in between: they go first, one after the other, from their baseline value to their own, and
    each is credited with the jump that the unit makes, averaged over one order and its reverse. The integral then runs
    over the quantities alone. So the sum stays complete.
    """
    start = base.expand_as(x).clone()
    order = np.flatnonzero(frozen).tolist()
    jumps = {index: torch.zeros((len(x), len(units)), device=x.device) for index in order}
    with torch.no_grad():
        first, last = _units(model, start, units), _units(model, x, units)
        for indices in (order, order[::-1]):
            start, before = base.expand_as(x).clone(), first
            for index in indices:
                start[:, index] = x[:, index]
                after = _units(model, start, units)
                jumps[index] += (after - before) / 2
                before = after
    change = x - start
    points = (start[:, None] + at.view(1, -1, *[1] * (x.ndim - 1)) * change[:, None]).flatten(0, 1).requires_grad_()
    with torch.enable_grad():
        found = _units(model, points, units)
        slopes = [torch.autograd.grad(found[:, k].sum(), points, retain_graph=True)[0] for k in range(len(units))]
    parts = []
    for k, slope in enumerate(slopes):
        by_node = slope.view(len(x), len(at), *x.shape[1:])
        part = change * torch.einsum("bn...,n->b...", by_node, weights)
        for index, jump in jumps.items():
            part[:, index] = jump[:, k]
        parts.append(part.detach())
    return torch.stack(parts), last, first


def _units(model: Any, x: Tensor, units: list[int]) -> Tensor:
    """Return some units of the code of scaled records, (b, units)."""
    codes: Tensor = model.encode(x).flatten(1).float()[:, units]
    return codes


def _by_input(model: Any, values: Float32) -> tuple[Float32, list[str]]:
    """Return attributions by what a person calls an input: columns of a table, pixels with channels last."""
    schema = model.schema_
    if schema.kind == "image":
        moved = np.moveaxis(values, 2, -1)
        return np.ascontiguousarray(moved[..., 0] if len(schema.shape) == 2 else moved), []
    features = Features.of(model.preprocessor_)
    totals = features.totals(values.reshape(-1, values.shape[-1])).reshape(*values.shape[:2], -1)
    return totals.astype(np.float32), list(features.names)


# ---------------------------------------------------------------------- records and concepts


def most_activating(codes: Float32, unit: int, count: int = STRONGEST) -> Activation:
    """Return the records that a unit is highest and lowest for.

    Parameters
    ----------
    codes : array, shape (n, units)
    unit : int
    count : int, default=8
        Of each.
    """
    order = np.argsort(codes[:, unit], kind="stable")
    high, low = order[::-1][:count], order[:count]
    return Activation(unit, high.tolist(), low.tolist(), codes[high, unit].tolist(), codes[low, unit].tolist())


def probe(codes: Any, values: Any, *, concept: str = "class", random_state: int = 0) -> Probe:
    """Return the held-out score of a linear model that predicts values from codes.

    Ridge regression of numbers, logistic regression of anything else, in five folds; codes get mean 0 and deviation 1.

    Parameters
    ----------
    codes : array, shape (n, units)
    values : array, shape (n,)
        Numbers of many values, or classes; missing ones are left out.
    concept : str, default="class"
        What it is called.
    random_state : int, default=0
        Seed of the folds.

    Raises
    ------
    DataError
        Fewer than 20 records have a value, or all have the same.
    """
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = ~isthmus_data.is_missing(np.asarray(values))
    Z, given = np.asarray(codes, np.float64)[known], np.asarray(values)[known]
    checks.enough_to_probe(concept, len(given), MIN_PROBE_RECORDS, len(set(given.tolist())))
    numeric = _is_quantity(given)
    if not numeric:
        checks.few_values_to_probe(concept, len(set(given.tolist())), len(given))
    y: Any = given.astype(np.float64) if numeric else np.unique(given.astype(str), return_inverse=True)[1]
    folds = FOLDS if numeric else min(FOLDS, int(np.bincount(y).max()))
    rare = not numeric and int(np.bincount(y).min()) < folds
    split: Any = KFold if numeric or rare else StratifiedKFold
    learner = make_pipeline(StandardScaler(), Ridge(1.0)) if numeric else logistic_regression()
    scores = []
    for train, test in split(folds, shuffle=True, random_state=random_state).split(Z, y):
        if not numeric and len(np.unique(y[train])) < 2:
            continue
        found = learner.fit(Z[train], y[train]).predict(Z[test])
        scores.append(_r2(y[test], found, y[train].mean()) if numeric else float(np.mean(found == y[test])))
    weights = np.atleast_2d(learner.fit(Z, y)[-1].coef_)
    sizes = np.sqrt(np.square(weights).mean(axis=0))
    order = np.argsort(-sizes, kind="stable")[:5]
    error = float(np.std(scores, ddof=1) / len(scores) ** 0.5) if len(scores) > 1 else float("nan")
    total = float(sizes.sum()) or 1.0
    return Probe(
        concept,
        "R2" if numeric else "accuracy",
        float(np.mean(scores)),
        error,
        0.0 if numeric else float(np.bincount(y).max() / len(y)),
        order.tolist(),
        [float(sizes[unit]) / total for unit in order],
        len(given),
    )


def _r2(y: Float64, found: Float64, mean: float) -> float:
    """Return the share of the variance around the mean of the other folds that is explained."""
    around = float(np.square(y - mean).sum())
    return 1.0 - float(np.square(y - found).sum()) / around if around > 0 else 0.0


def _is_quantity(values: NDArray[Any]) -> bool:
    """Tell whether values are measurements: numbers with a fraction, or of more values than classes have."""
    if values.dtype.kind not in "iuf":
        return False
    distinct = np.unique(values)
    return bool((distinct != np.round(distinct)).any() or len(distinct) > min(CLASSES, len(values) // 10))


def _probes(codes: Float32, data: Data, random_state: int) -> tuple[list[Probe], list[str]]:
    """Return a probe of the classes, and of each column of a table, the best found first; and what could not be."""
    concepts: dict[str, NDArray[Any]] = {}
    if len(data) < MIN_PROBE_RECORDS and (data.labels is not None or data.schema.kind == "table"):
        return [], [f"probes of classes and columns take {MIN_PROBE_RECORDS} records or more; there are {len(data)}"]
    if data.labels is not None:
        labels = np.asarray(data.labels)
        known = isthmus_data.is_labelled(labels)
        # Numbers of classes are names, not quantities.
        names = labels.copy() if labels.dtype.kind == "f" else labels.astype(str).astype(object)
        names[~known] = np.nan if labels.dtype.kind == "f" else None
        concepts["class"] = names
    if data.schema.kind == "table":
        table = data.chunk(0, len(data))
        for column in data.schema.columns[:MAX_CONCEPTS]:
            concepts[column.name] = _values(table.column(column.name))
    rows = np.sort(np.random.default_rng(random_state).permutation(len(data))[:MAX_PROBE_RECORDS])
    found, without = [], []
    for name, values in concepts.items():
        try:
            found.append(probe(codes[rows], values[rows], concept=name, random_state=random_state))
        except DataError as error:
            without.append(str(error))
    return sorted(found, key=lambda one: one.baseline - one.score), without


def _values(column: Any) -> NDArray[Any]:
    """Return a column of a table as an array: numbers, days of dates, or words."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if pa.types.is_temporal(kind) and not pa.types.is_time(kind):
        seconds = column if pa.types.is_duration(kind) else pc.cast(column, pa.timestamp("s"), safe=False)
        column = pc.cast(seconds, pa.int64())
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        return np.asarray(pc.cast(column, pa.float64()).to_numpy(), np.float64)
    return np.array([None if value is None else str(value) for value in column.to_pylist()], object)
