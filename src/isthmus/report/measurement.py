"""All figures of a model on a set of records, each computed once, and the scores that follow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import data as isthmus_data
from isthmus import metrics
from isthmus.capabilities import HasLevels, HasPosterior, Scores, TakesEncoded, has
from isthmus.data import Data
from isthmus.preprocessing.scaling import unit_range
from isthmus.report import baselines
from isthmus.report.comparison import NumberComparison, TableComparison, comparison_for

__all__ = ["Measurement", "likelihood_of"]

MAX_SSIM = 2000  # images whose structural similarity is measured, the dearest of the measures
MAX_REFERENCE = 20_000  # training records that say how the columns spread
MAX_COLUMNS = 1000  # columns whose errors are told one by one

Float64 = NDArray[np.float64]


class Measurement:
    """One model on one set of records: reconstructions, codes, baselines, and the error of every record.

    Parameters
    ----------
    model : fitted model
        With ``reconstruct`` and ``transform``.
    data : Data
        The records to score.
    train : Data or None
        What the baselines learn from, and what says how columns spread.
    random_state : int
        Seed of the baselines and of the intervals.

    Attributes
    ----------
    original : block of records
        The records.
    blocks : dict of str to block of records
        What each method gives back, the model (``"model"``) first, then the baselines by name.
    errors : dict of str to ndarray, shape (n,)
        Error of every record by method.
    titles, sizes : dict
        Name in tables and number of values in the code, by method.
    codes : ndarray of float64, shape (n, units)
        Codes; those of images of different sizes are averaged over their positions.
    code_size : int
        Numbers in a code, the mean where sizes differ.
    notes : list of str
        What a reader has to know about the figures.
    level : float
        Confidence level of all intervals.
    """

    level = 0.95

    def __init__(self, model: Any, data: Data, train: Data | None, random_state: int) -> None:
        self.model, self.data, self.train, self.random_state = model, data, train, random_state
        self.original = data.take(np.arange(len(data)))
        reference = self.original if train is None else train.take(baselines.spaced(len(train), MAX_REFERENCE))
        preprocessor = getattr(model, "preprocessor_", None)
        self.comparison = comparison_for(data, reference, getattr(preprocessor, "set_aside_", ()))
        codes, back = _crossed(model, data)
        self.codes = _as_matrix(codes)
        self.code_size = round(float(np.mean([np.size(code) for code in codes])))
        self.blocks: dict[str, Any] = {}
        self.errors: dict[str, Float64] = {}
        self.titles: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self._add("model", type(model).__name__, self.code_size, back)
        found, self.notes = baselines.reconstruct(preprocessor, data, train, self.codes.shape[1], random_state)
        for baseline, block in found:
            self._add(baseline.name, baseline.title, baseline.size, block)

    def _add(self, name: str, title: str, size: int, block: Any) -> None:
        self.titles[name], self.sizes[name], self.blocks[name] = title, size, block
        self.errors[name] = self.comparison.errors(self.original, block)

    @property
    def unit_prior(self) -> bool:
        """Whether the code has a prior of variance 1, against which its variance is measured."""
        told = any("train_kl" in record for record in getattr(self.model, "history_", []))
        return told or has(self.model, HasPosterior)

    def unit_kl(self) -> Float64 | None:
        """Return the divergence of each unit from the prior, in nats, where it is one of units by themselves."""
        if not has(self.model, HasPosterior) or has(self.model, HasLevels):
            return None
        if None in self.model.code_shape_ or not getattr(self.model.module_, "has_exact_kl", True):
            return None  # codes of several sizes; a prior, or a posterior, that ties the units to each other
        return metrics.kl_per_unit(*self.model.code_posterior(self.data))

    def level_kl(self) -> Float64 | None:
        """Return the divergence of each level of a hierarchy from its prior, from the top, in nats."""
        return np.asarray(self.model.level_kl(self.data), np.float64) if has(self.model, HasLevels) else None

    @property
    def scales(self) -> Float64 | None:
        """The standard deviations that an array's columns are measured in, where they are several quantities."""
        return getattr(self.comparison, "scales", None) if self.data.schema.kind == "array" else None

    def measures(self) -> list[dict[str, str]]:
        """Return the columns of the table of scores."""
        error = self.comparison
        found = [_measure("error", error.title, error.unit, "lower", error.explanation)]
        if self.scales is not None:
            about = "The same, each column in its own unit: columns of large numbers decide it."
            found.append(_measure("raw_error", "squared error", "squared units of the data", "lower", about))
        unit = self.unit()
        if unit is not None:
            about = f"The same with values divided by their full scale, {unit:g}, as most papers state it."
            found.append(_measure("unit_error", "on a 0 to 1 scale", "", "lower", about))
        if self.data.schema.kind == "image":
            about = (
                f"Peak signal-to-noise ratio, mean over images; the peak is the full scale, {self.full_scale()[0]:g}."
            )
            found.append(_measure("psnr", "PSNR", "dB", "higher", about))
        if self.has_ssim():
            about = "Structural similarity, Wang et al. 2004; 1 is identical."
            if len(self.data) > MAX_SSIM:
                about += f" Of the first {MAX_SSIM:,} records."
            found.append(_measure("ssim", "SSIM", "", "higher", about))
        if "mean" in self.errors:
            about = "Error as a share of what giving back the mean record costs."
            found.append(_measure("share", "share of the mean's", "", "lower", about))
        return found

    def full_scale(self) -> tuple[float, bool]:
        """Return the width of the interval that the values fill, and whether all columns or channels share it.

        It is the one that preprocessing takes for training records: the type's where they fill it, the largest value
        found where they stay far below. Without preprocessing it is the range of the records here.
        """
        summary = getattr(getattr(self.model, "preprocessor_", None), "summary_", None)
        if summary is None:
            low = np.array([min(float(np.min(record)) for record in self.original)])
            high = np.array([max(float(np.max(record)) for record in self.original)])
            whole = np.dtype(self.data.schema.dtype).kind in "iu"
        else:
            low, high, whole = summary.low, summary.high, summary.integers
        start, end, _ = unit_range(low, high, self.data.schema.dtype, integers=whole)
        shared = bool((start == start[0]).all() and (end == end[0]).all())
        return float(end.max() - start.min()) or 1.0, shared and (whole or self.data.schema.kind == "image")

    def unit(self) -> float | None:
        """Return the width of the value range, if all values share one range that is not [0, 1]; else None."""
        if self.data.schema.kind not in ("array", "image"):
            return None
        width, shared = self.full_scale()
        return width if shared and width != 1.0 and self.scales is None else None

    def has_ssim(self) -> bool:
        """Whether the images are large enough for a window to say something about structure."""
        return self.data.schema.kind == "image" and all(min(np.shape(image)[:2]) >= 7 for image in self.original)

    def rows(self) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        """Return the table of scores, the model first, and the model's difference to PCA."""
        mean_error = self.errors["mean"].mean() if "mean" in self.errors else None
        found = [self._row(name, errors, mean_error) for name, errors in self.errors.items()]
        if "pca" not in self.errors:
            return found, None
        ours, theirs = self.errors["model"], self.errors["pca"]
        difference = self._interval(ours - theirs)
        relative = None
        if difference and theirs.mean() > 0:
            share = metrics.bootstrap_ratio(ours, theirs, level=self.level, random_state=self.random_state)
            relative = {"mean": share.mean - 1, "low": share.low - 1, "high": share.high - 1}
        return found, {"error": difference, "relative": relative}

    def _row(self, name: str, errors: Float64, mean_error: float | None) -> dict[str, Any]:
        row: dict[str, Any] = {
            "name": name,
            "title": self.titles[name],
            "code_size": self.sizes[name],
            "error": self._interval(errors),
        }
        if self.scales is not None:
            row["raw_error"] = self._interval(metrics.squared_error(self.original, self.blocks[name]))
        unit = self.unit()
        if unit is not None:
            row["unit_error"] = self._interval(errors / unit**2)
        if self.data.schema.kind == "image":
            row["psnr"] = self._psnr(name, errors)
        if self.has_ssim():
            row["ssim"] = self._interval(self._ssim(self.blocks[name]))
        if mean_error:
            row["share"] = {"mean": float(errors.mean() / mean_error), "low": None, "high": None}
        return row

    def _psnr(self, name: str, errors: Float64) -> dict[str, Any] | None:
        mean_squared = errors / self.comparison.dimensions(self.original)
        exact = int((mean_squared == 0.0).sum())
        if exact:
            what = f"{exact} of the reconstructions by {self.titles[name]} are exact"
            self.notes.append(f"{what}; their infinite PSNR is left out of the mean.")
        known = mean_squared[mean_squared > 0.0]
        return self._interval(20.0 * math.log10(self.full_scale()[0]) - 10.0 * np.log10(known))

    def _ssim(self, block: Any) -> Float64:
        peak = self.full_scale()[0]
        x, y = self.original[:MAX_SSIM], block[:MAX_SSIM]
        if isinstance(x, list):
            return np.array(
                [metrics.ssim(a[np.newaxis], b[np.newaxis], peak=peak)[0] for a, b in zip(x, y, strict=True)]
            )
        return metrics.ssim(x, y, peak=peak)

    def _interval(self, values: Float64) -> dict[str, Any] | None:
        known = values[np.isfinite(values)]
        if not len(known):
            return None
        found = metrics.bootstrap_interval(known, level=self.level, random_state=self.random_state)
        return {"mean": found.mean, "low": found.low, "high": found.high}

    def likelihood(self) -> dict[str, Any] | None:
        """Return the held-out score in nats per record and bits per dimension, where the model has one."""
        if not has(self.model, Scores):
            return None
        nats = np.asarray(self.model.score_samples(self.data), np.float64)
        bits = -nats / (np.log(2.0) * self.comparison.dimensions(self.original))
        lost = int((~np.isfinite(nats)).sum())
        if lost:
            self.notes.append(f"{lost} records have no finite log-likelihood and are left out of its mean.")
        return {
            "nats_per_record": self._interval(nats),
            "bits_per_dimension": self._interval(bits),
            "density": bool(getattr(likelihood_of(self.model), "continuous", False)),
        }

    def column_scores(self) -> list[dict[str, Any]]:
        """Return the error of every column of a table or a narrow array, beside those of PCA and of the mean."""
        if self.data.schema.kind not in ("array", "table"):
            return []
        by_column = {name: self.column_errors(self.original, block).mean(axis=0) for name, block in self.blocks.items()}
        names = self.column_names()
        return [
            {"name": names[index]} | {name: float(errors[index]) for name, errors in by_column.items()}
            for index in range(min(len(names), MAX_COLUMNS))
        ]

    def column_errors(self, original: Any, reconstruction: Any) -> Float64:
        """Return the error of every value, shape (n, columns), of an array or a table."""
        assert isinstance(self.comparison, NumberComparison | TableComparison)  # noqa: S101 - for the type checker
        return self.comparison.column_errors(original, reconstruction)

    def column_names(self) -> list[str]:
        """Return the names of the columns that are scored."""
        if isinstance(self.comparison, TableComparison):
            return [column.name for column in self.comparison.columns]
        return list(self.data.schema.names) or [f"column {index}" for index in range(self.original.shape[1])]


def _crossed(model: Any, data: Data) -> tuple[Any, Any]:
    """Return the codes of records, and a block of what these stand for."""
    if not has(model, TakesEncoded):  # a model of another library
        return model.transform(data), isthmus_data.to_block(model.reconstruct(data), data.schema)
    codes, back = model.crossed(model.encoded(data))
    return codes, back.block()


def _as_matrix(codes: Any) -> Float64:
    """Return codes as a matrix; codes of differing size are averaged over their positions."""
    if isinstance(codes, list):
        return np.array([np.asarray(code, np.float64).mean(axis=(1, 2)) for code in codes])
    return np.asarray(codes, np.float64).reshape(len(codes), -1)


def _measure(key: str, title: str, unit: str, better: str, about: str) -> dict[str, str]:
    return {"key": key, "title": title, "unit": unit, "better": better, "about": about}


def likelihood_of(model: Any) -> Any:
    """Return a model's likelihood, wherever it keeps it, or None."""
    module = getattr(model, "module_", None)
    return getattr(model, "likelihood_", None) or getattr(module, "likelihood", None)
