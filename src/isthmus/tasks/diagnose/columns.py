"""Checks of new records, column by column and in pairs: shares, values, and dependence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.preprocessing.atoms import Tally, atoms_of
from isthmus.preprocessing.scaling import one_quantity
from isthmus.tasks.diagnose.examination import Examination, Float64
from isthmus.tasks.diagnose.finding import Finding, NotKnownError, percent
from isthmus.tasks.diagnose.tables import Column

__all__ = ["dependence", "shared_values", "values_made_up"]

SURE = 5.0  # standard errors beyond which a difference of shares, or of correlations, is not chance
SHARE_OFF = 0.15  # of the records: sound models are within 0.07
MADE_UP = 0.1  # of what is drawn: more than rare values that no record here happens to have
# Rank correlation from which two columns depend on each other, and how much of it is gone: sound models lose a third.
DEPENDENT, LOST = 0.4, 0.6
FEW_LOST = 0.1  # of the pairs that depend on each other: a GAN of 178 wines loses one of 22
COMPARED = 64  # columns whose pairs are looked at: 2,016 pairs
FREQUENT, CATEGORIES = 0.05, 10  # share of a category from which it is compared, and how many of a column are


def shared_values(examined: Examination) -> Finding | None:
    """Find values that many records share, and far more or fewer of the new ones."""
    off: list[tuple[float, dict[str, Any]]] = []
    for name, real, new in _numbers(examined):
        for value in _atoms(real)[0]:
            share, drawn = float((real == value).mean()), float((new == value).mean())
            chance = np.sqrt(max(share * (1 - share), 1 / len(real)) * (1 / len(real) + 1 / len(new)))
            if abs(share - drawn) > max(SHARE_OFF, SURE * chance):
                off.append(
                    (abs(share - drawn), {"column": name, "value": float(value), "share": share, "drawn": drawn})
                )
    if not off:
        return None
    worst = max(off, key=lambda one: one[0])[1]
    return Finding(
        "shares-lost",
        0.72,
        f"{percent(worst['share'])} of the records have the value {worst['value']:g} in {worst['column']}, and "
        f"{percent(worst['drawn'])} of new ones: the model does not draw this value as often as it occurs.",
        {**worst, "columns": sorted({one["column"] for _, one in off})},
        "Fit again with the default likelihood and scaling, which model values that many records share.",
        _usual_likelihood(examined),
    )


def values_made_up(examined: Examination) -> Finding | None:
    """Find new values in columns of which records have a few values only."""
    off: list[tuple[float, dict[str, Any]]] = []
    for name, real, new in _numbers(examined):
        values, alone = _atoms(real)
        made_up = ~np.isin(new, values)
        if alone and made_up.mean() > MADE_UP:
            example = float(np.median(new[made_up]))
            off.append((float(made_up.mean()), {"column": name, "values": values.tolist(), "example": example}))
    if not off:
        return None
    share, worst = max(off, key=lambda one: one[0])
    known = ", ".join(f"{value:g}" for value in worst["values"][:5]) + (", ..." if len(worst["values"]) > 5 else "")
    return Finding(
        "values-made-up",
        0.71,
        f"{percent(share)} of new records have a value in {worst['column']} that no record has, such as "
        f"{worst['example']:g}: records have {known} only.",
        {**worst, "share": share, "columns": sorted(one["column"] for _, one in off)},
        "Fit again with the default likelihood and scaling, which keep to the values of such a column.",
        _usual_likelihood(examined),
    )


def dependence(examined: Examination) -> Finding | None:
    """Find two columns that depend on each other in records, and hardly or otherwise in new ones."""
    real, new = examined.columns(examined.seen), examined.columns(examined.new_records)
    if len(real) < 2:
        raise NotKnownError("it needs two columns")
    chosen = np.unique(np.linspace(0, len(real) - 1, min(COMPARED, len(real))).round().astype(int))
    coded = [_as_ranks(real[i], new[i]) for i in chosen]
    owners = np.repeat(chosen, [one.shape[1] for one, _ in coded])
    a, b = (_correlations(np.concatenate(parts, axis=1)) for parts in zip(*coded, strict=True))
    difference = np.where(owners[:, None] < owners, np.abs(a - b), 0.0)
    counts = len(examined.seen), len(examined.new_records)
    sure = SURE * np.sqrt(1 / counts[0] + 1 / counts[1])
    depends = (np.abs(a) > DEPENDENT) & (owners[:, None] < owners)
    wrong = depends & (difference > np.maximum(LOST * np.abs(a), sure))
    if np.count_nonzero(wrong) <= FEW_LOST * np.count_nonzero(depends):
        return None
    i, j = np.unravel_index(np.where(wrong, difference, 0.0).argmax(), a.shape)
    names = [real[owners[k]].name for k in (i, j)]
    pairs = {(int(owners[k]), int(owners[m])) for k, m in zip(*np.nonzero(wrong), strict=True)}
    return Finding(
        "dependence-lost",
        0.62,
        f"The ranks of {names[0]} and {names[1]} correlate by {a[i, j]:.2f} in records and by {b[i, j]:.2f} in new "
        f"ones: the model misses the dependence between these columns.",
        {
            "columns": names,
            "correlation": float(a[i, j]),
            "drawn": float(b[i, j]),
            "pairs": len(pairs),
            "all_pairs": [[real[k].name, real[m].name] for k, m in sorted(pairs)[:20]],
        },
        "Take a larger latent_dim, a lower beta, or train longer.",
        {"beta": 0.25} if examined.parameters.get("beta", 0.0) != 0.25 and "beta" in examined.parameters else {},
    )


def _numbers(examined: Examination) -> Iterator[tuple[str, Float64, Float64]]:
    """Yield name, values of records and of new ones, of each column of numbers in which some are known."""
    if examined.kind == "array" and one_quantity(examined.summary.low, examined.summary.high):
        raise NotKnownError("values that all columns share are those of one quantity, as of pixels")
    for real, new in zip(examined.columns(examined.seen), examined.columns(examined.new_records), strict=True):
        if real.kind == "number":
            one, other = (column.values[~np.isnan(column.values)] for column in (real, new))
            if len(one) and len(other):
                yield real.name, one, other


def _atoms(values: Float64) -> tuple[NDArray[Any], bool]:
    """Return the values that many of a column share, and whether it has no others."""
    tally = Tally()
    tally.update(values)
    return atoms_of(tally, (values.min(), values.max()), len(values), 1)


def _usual_likelihood(examined: Examination) -> dict[str, Any]:
    return {name: "auto" for name in ("likelihood", "scaling") if examined.asked(name) is not None}


def _as_ranks(real: Column, new: Column) -> tuple[Float64, Float64]:
    """Return ranks of numbers (n, 1), or a column of zeros and ones for each frequent category, (n, categories)."""
    if real.kind != "category":
        return tuple(_ranks(column.values)[:, None] for column in (real, new))  # type: ignore[return-value]
    known, counts = np.unique([str(value) for value in real.values], return_counts=True)
    order = np.argsort(-counts)[:CATEGORIES]
    frequent = known[order[counts[order] >= FREQUENT * len(real.values)]]
    return tuple(
        (np.array([str(value) for value in column.values])[:, None] == frequent).astype(np.float64)
        for column in (real, new)
    )


def _ranks(values: Float64) -> Float64:
    """Return the ranks of numbers, equal ones alike, those that are missing in the middle."""
    from scipy import stats

    ranks, known = np.zeros(len(values)), ~np.isnan(values)
    if known.any():
        ranks[known] = stats.rankdata(values[known])
        ranks[~known] = ranks[known].mean()
    return ranks


def _correlations(x: Float64) -> Float64:
    """Return Pearson's correlations of columns, (n, d) -> (d, d); 0 with one that does not vary."""
    x = x - x.mean(axis=0)
    norm = np.linalg.norm(x, axis=0)
    x = np.divide(x, norm, out=np.zeros_like(x), where=norm > 1e-9)
    return np.asarray(x.T @ x)
