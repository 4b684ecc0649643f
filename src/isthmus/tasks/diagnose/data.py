"""Checks of the data, their scaling, and the fit of the likelihood."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from isthmus.preprocessing.scaling import unit_range
from isthmus.tasks.diagnose.examination import Examination, Float64
from isthmus.tasks.diagnose.finding import Finding, NotKnownError, percent

__all__ = [
    "constant_columns",
    "dominating_column",
    "duplicate_records",
    "extreme_values",
    "likelihood_mismatch",
    "scale_at_its_floor",
    "scale_exploded",
    "unscaled_values",
    "values_out_of_range",
]

# Weights start for inputs of a deviation near 1 (He et al. 2015). An autoencoder of data at 10 times or a tenth of that
# learned as well as at 1, at 100 times or a hundredth clearly less.
TOO_WIDE, TOO_NARROW = 30.0, 1 / 30
# One column with so much of the variance: a model that knows it and nothing else has explained so much.
DOMINATES = 0.9
# A normal value lies beyond 12 deviations once in 10^32; a value that makes half of its column's variance by itself
# sets the scale for all others, whatever their law.
ALONE = 0.5
# Records of the same kind lie outside the range of n earlier ones with a chance of 2 / (n + 1) a column: 1 % for 200.
# Of m such records their share scatters around that, and of many columns the worst is looked at.
OUTSIDE, SCATTER = 0.05, 4.0
# Barz and Denzler, "Do We Train on Test Data?" (2020), found 3 % and 10 % of the test pictures of CIFAR-10 and -100
# among those to train on, and errors up to 14 % lower for it.
COPIES = 0.05
LEAST_WIDTH = 8  # numbers in a record below which equal records are no wonder
# A fixed scale three times off weighs the reconstruction nine times wrongly against every other term.
FACTOR_OFF = 3.0
# A learned scale lies within e^-7 and e^7 of the data's spread (isthmus.networks.likelihoods.REACH); in usual runs from
# e^-3.1 to e^0.7. It starts at 1: above that, the network does worse than the mean.
FLOOR, CEILING = -6.0, 1.5


def values_out_of_range(examined: Examination) -> Finding | None:
    """Find records that differ from those of the fit."""
    if examined.kind not in ("array", "image"):
        raise NotKnownError("only arrays and pictures have a range that is checked")
    summary = examined.summary
    outside, names = _outside(examined, summary), summary.names
    worst = int(outside.argmax())
    if outside[worst] <= _usually_outside(int(examined.told("train_records")), len(examined.records)):
        return None
    return Finding(
        "values-out-of-range",
        0.98,
        f"{percent(outside[worst])} of the values of {names[worst]} lie outside [{summary.low[worst]:g}, "
        f"{summary.high[worst]:g}], the range of the records fitted on: these records are of another kind, or in "
        f"other units, and the model has never seen such values.",
        {
            "column": names[worst],
            "share_outside": float(outside[worst]),
            "fitted_low": float(summary.low[worst]),
            "fitted_high": float(summary.high[worst]),
            "columns_outside": int((outside > OUTSIDE).sum()),
        },
        "Bring the records to the units of the fit, or fit on records like these.",
    )


def _usually_outside(fitted_on: int, judged: int) -> float:
    """Return the share of a column's values outside the range fitted on that records of the same kind may have."""
    chance = 2 / (fitted_on + 1)
    return max(OUTSIDE, chance + SCATTER * math.sqrt(chance / judged))


def _outside(examined: Examination, summary: Any) -> Float64:
    """Return the share of values outside the range fitted on, of each column or channel."""
    block = examined.records.take(np.arange(len(examined.records)))
    if examined.kind == "image":  # a list where sizes differ
        block = np.concatenate([np.reshape(picture, (-1, len(summary.low))) for picture in block])
    slack = 1e-6 * (summary.high - summary.low)  # narrower types round
    beyond = (block < summary.low - slack) | (block > summary.high + slack)
    return np.asarray(beyond.mean(axis=0), np.float64)


def unscaled_values(examined: Examination) -> Finding | None:
    """Find values far from the size that a network starts for; symbols of texts are names, and have no size."""
    if examined.kind == "text":
        return None
    spread = float(np.sqrt(np.mean(np.square(examined.deviations))))
    if TOO_NARROW <= spread <= TOO_WIDE or spread == 0:
        return None
    scaling = examined.model.preprocessor_.scaling_
    return Finding(
        "unscaled-values",
        0.93,
        f"With scaling={scaling!r} the network sees values that deviate by {spread:.3g}, and its weights start for "
        f"values that deviate by about 1: it learns {'hardly anything' if spread < 1 else 'only their size'}.",
        {"deviation": spread, "scaling": scaling},
        "Leave scaling at 'auto', which follows from the likelihood; results come back in the data's own units.",
        {"scaling": "auto"},
    )


def dominating_column(examined: Examination) -> Finding | None:
    """Find one column that outweighs all others together."""
    share = np.square(examined.deviations)
    names = examined.summary.names
    if len(share) < 3 or not share.sum() > 0 or examined.kind == "image":
        return None
    share = share / share.sum()
    worst = int(share.argmax())
    if share[worst] <= DOMINATES:
        return None
    scaling = examined.model.preprocessor_.scaling_
    return Finding(
        "dominating-column",
        0.7,
        f"With scaling={scaling!r} {names[worst]} holds {percent(share[worst])} of what varies: the network can earn "
        f"nearly everything with it, and leave the other {len(share) - 1} columns alone.",
        {"column": names[worst], "share_of_variance": float(share[worst]), "scaling": scaling},
        "Scale each column by itself.",
        {"scaling": "standard"},
    )


def extreme_values(examined: Examination) -> Finding | None:
    """Find a column whose scale is set by one record."""
    summary = examined.summary
    if examined.kind == "image" or summary.integers or _is_one_quantity(summary):
        return None
    if examined.model.preprocessor_.scaling_ == "quantile":
        return None  # on which no value is extreme
    n = int(examined.told("train_records"))
    spread = np.where(summary.std > 0, summary.std, np.inf)
    farthest = np.maximum(summary.high - summary.mean, summary.mean - summary.low) / spread
    share = np.minimum(1.0, np.square(farthest) / n)
    worst = int(share.argmax())
    if share[worst] <= ALONE or n < 50:
        return None
    return Finding(
        "extreme-values",
        0.75,
        f"One record of {n:,} makes {percent(share[worst])} of the variance of {summary.names[worst]}: it lies "
        f"{farthest[worst]:.0f} deviations off, and after scaling all others are nearly equal.",
        {
            "column": summary.names[worst],
            "share_of_variance": float(share[worst]),
            "deviations": float(farthest[worst]),
            "low": float(summary.low[worst]),
            "high": float(summary.high[worst]),
        },
        "Check whether it is a mistake; if not, take scaling='quantile', on which no value is extreme.",
        {"scaling": "quantile"},
    )


def constant_columns(examined: Examination) -> Finding | None:
    """Find columns that say nothing."""
    names = [f"column {name!r}" for name in getattr(examined.model.preprocessor_, "set_aside_", ())]
    told = [note for note in examined.notes if "constant" in note]
    names = [name for name in names if any(name.removeprefix("column ") in note for note in told)]
    if examined.kind == "array":
        names = [examined.summary.names[index] for index in _constant(examined.summary)]
    if not names:
        return None
    which = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return Finding(
        "constant-columns",
        0.35,
        f"{which[0].upper()}{which[1:]} had one value in all records fitted on: the model cannot "
        f"represent another value.",
        {"columns": names},
        "Leave such columns out, or find out why they do not vary.",
    )


def _constant(summary: Any) -> Any:
    """Return which columns never vary, without pixels that are always background: those show nothing wrong."""
    constant = summary.low == summary.high
    if _is_one_quantity(summary):
        constant &= (summary.low > summary.low.min()) & (summary.high < summary.high.max())
    return np.flatnonzero(constant)


def duplicate_records(examined: Examination) -> Finding | None:
    """Find records that are copies of each other."""
    if examined.kind not in ("array", "image") or examined.x.shape[1] < LEAST_WIDTH:
        raise NotKnownError("records of few values repeat by chance")
    x = examined.x
    if examined.has_unseen:
        known = {row.tobytes() for row in examined.seen_x}
        copies = float(np.mean([row.tobytes() in known for row in x]))
        what = "of the held-out records are copies of records trained on"
    else:
        copies = 1 - len({row.tobytes() for row in x}) / len(x)
        what = "of the records repeat an earlier one"
    if copies <= COPIES:
        return None
    return Finding(
        "duplicate-records",
        0.72,
        f"{percent(copies)} {what}: figures of held-out records are too good, as the model has seen them.",
        {"share": copies, "records": len(x)},
        "Leave out the copies before the records are divided: isthmus inspect DATA counts them.",
    )


def likelihood_mismatch(examined: Examination) -> Finding | None:
    """Find a likelihood that is none for these values, or whose fixed scale is far from their errors."""
    likelihood = examined.likelihood
    if why := likelihood.mismatch(examined.model.preprocessor_.summary_):
        return Finding(
            "likelihood-mismatch",
            0.55,
            f"likelihood={likelihood.name!r} {why}: its values are not probabilities of these data, so likelihoods and "
            f"bounds cannot be compared.",
            {
                "likelihood": likelihood.name,
                "low": float(examined.summary.low.min()),
                "high": float(examined.summary.high.max()),
            },
            "Leave likelihood at 'auto'.",
            {"likelihood": "auto"},
        )
    if not isinstance(getattr(likelihood, "scale", "learned"), float | int) or not _other_terms(examined):
        return None
    error = math.sqrt(float(np.square(examined.reconstruction - examined.x).mean()))
    off = error / float(likelihood.scale)
    if 1 / FACTOR_OFF <= off <= FACTOR_OFF or off == 0:
        return None
    weighs = f"{off**-2:.3g} times too {'little' if off < 1 else 'much'}" if off < 1 else f"{off**2:.3g} times too much"
    return Finding(
        "scale-mismatch",
        0.74,
        f"The likelihood's scale is fixed at {likelihood.scale:g}, and errors are {error:.3g}: against "
        f"{', '.join(_other_terms(examined))} the reconstruction weighs {weighs}.",
        {"scale": float(likelihood.scale), "error": error, "terms": _other_terms(examined)},
        "Take a likelihood with a learned scale: it sets the weight.",
        {"likelihood": "auto"},
    )


def _other_terms(examined: Examination) -> list[str]:
    """Return the terms of the objective beside the reconstruction."""
    names = [key.removeprefix("train_") for key in examined.history[-1] if key.startswith("train_")]
    return [name for name in names if name != "loss" and not name.endswith("reconstruction")]


def _log_scales(examined: Examination) -> Float64:
    """Return the logarithm of each learned scale, in units of the spread at which it started."""
    width = getattr(examined.likelihood, "width", None)
    if width is None or not getattr(width, "learned", False):
        raise NotKnownError("the likelihood has no learned scale")
    import torch

    with torch.no_grad():
        found = (width.log() - width.start).double().cpu().numpy()
    return np.asarray(np.atleast_1d(found).ravel())


def scale_at_its_floor(examined: Examination) -> Finding | None:
    """Find a likelihood that grows without bound, as an error goes to zero."""
    scales = _log_scales(examined)
    low = int((scales < FLOOR).sum())
    if not low:
        return None
    return Finding(
        "scale-at-its-floor",
        0.68,
        f"{low} of {len(scales)} scales of the likelihood fell to their floor, {math.exp(float(scales.min())):.1g} of "
        f"the spread of the data: some values are reconstructed exactly, and their density, which has no bound, "
        f"dominates the objective.",
        {"scales": len(scales), "at_floor": low, "smallest": math.exp(float(scales.min()))},
        "Leave out columns that are copies or functions of others, or fix the scale.",
        {"likelihood": "gaussian-fixed"},
    )


def scale_exploded(examined: Examination) -> Finding | None:
    """Find a likelihood wider than the data."""
    scales = _log_scales(examined)
    worst = float(scales.max())
    if worst <= CEILING:
        return None
    return Finding(
        "scale-exploded",
        0.9,
        f"A scale of the likelihood rose to {math.exp(worst):.3g} times the spread of the data: the network's answers "
        f"are farther off than the mean record would be.",
        {"largest": math.exp(worst)},
        "Lower the learning rate, and look for extreme values in the data.",
        {"learning_rate": None},
    )


def _is_one_quantity(summary: Any) -> bool:
    """Whether all columns share one scale, as pixels do."""
    low, high, _ = unit_range(summary.low, summary.high, summary.dtype, integers=True)
    return bool((low == low[0]).all() and (high == high[0]).all())
