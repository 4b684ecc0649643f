"""Measure a fitted model on records it has not seen, beside the baselines it has to beat."""

from __future__ import annotations

import datetime
import inspect
import math
import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import checks, metrics
from isthmus import data as isthmus_data
from isthmus.data import Data, Schema
from isthmus.report.comparison import Comparison, Rows, TableComparison, TextComparison, comparison_for
from isthmus.report.document import FORMAT, FORMAT_NUMBER, Report, Sample

__all__ = ["evaluate"]

MAX_VALUES = 30_000_000  # numbers that are measured at once (240 MB in float64)
MAX_SSIM = 2000  # images whose structural similarity is measured, the dearest of the measures
FOLDS = 5  # parts in which baselines without training records are fitted and scored
SHOWN = 10  # records that are drawn, and as many of the worst
POINTS = 2000  # codes in a scatter

Float64 = NDArray[np.float64]


def evaluate(
    model: Any,  # noqa: ANN401 - anything that keeps the contract of isthmus.base.Model
    data: Any,  # noqa: ANN401 - whatever isthmus.data.open takes
    *,
    baseline_data: Any = None,  # noqa: ANN401
    n: int = 10_000,
    random_state: int = 0,
    command: str | None = None,
    notes: Iterable[str] = (),
) -> Report:
    """Score a fitted model on held-out records and gather what a reader wants to see.

    The reconstruction error is set beside three baselines on the same records: PCA with the model's code size, k-means
    with as many centres, and the mean record. They work on the scale that the model's network sees, and their output is
    rounded and clipped as the model's own. Means over records come with a 95 % bootstrap interval. Nothing is trained.

    Parameters
    ----------
    model : fitted model
        ``reconstruct`` and ``transform`` are needed; what else it has (``score_samples``, ``history_``, ...) is shown.
    data : array, data frame, path, or Data
        Held-out records, labelled or not.
    baseline_data : array, data frame, path, or Data, optional
        Records that the baselines learn from, best those the model was fitted on. Without them each fifth of ``data``
        is given back by baselines fitted on the other four.
    n : int, default=10_000
        Records that are scored at most; a random choice where there are more, and fewer where they are large.
    random_state : int, default=0
        Seed of that choice, of the baselines and of the intervals.
    command : str, optional
        The command line that made this report, for the report.
    notes : iterable of str, default=()
        Sentences to be shown with those about the data.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        The data cannot be used, or there are none.
    ParameterError
        ``n`` is not a whole number of at least 1.

    Examples
    --------
    >>> report = evaluate(model, X_test, baseline_data=X_train)  # doctest: +SKIP
    >>> print(report.summary())  # doctest: +SKIP
    >>> report.write("report.html")  # doctest: +SKIP
    """
    checks.integer("evaluate", "n", n, low=1)
    everything = isthmus_data.open(data)
    checks.enough_records(everything, 1)
    rng = np.random.default_rng(random_state)
    chosen = _choose(everything, n, rng)
    subject = _Subject(model, everything.subset(chosen), chosen, baseline_data, random_state)
    rows, difference = subject.rows()
    document = {
        "format": FORMAT,
        "format_number": FORMAT_NUMBER,
        "created": _now().isoformat(timespec="seconds"),
        "isthmus": _version(),
        "verdict": "",
        "data": _about_data(everything, subject, [*everything.notes, *subject.notes, *notes]),
        "model": _about_model(model, subject.codes),
        "scores": {
            "n": len(chosen),
            "level": 0.95,
            "measures": subject.measures(),
            "rows": rows,
            "difference_to_pca": difference,
            "likelihood": subject.likelihood(),
        },
        "columns": subject.column_scores(),
        "codes": _about_codes(subject.codes, subject.unit_prior),
        "worst": subject.worst(),
        "history": [dict(record) for record in getattr(model, "history_", [])],
        "commands": _commands(model, command),
    }
    document["verdict"] = _verdict(document)
    return Report(_plain(document), subject.sample(rng))


@dataclass
class _Subject:
    """One model on one set of records: everything that is computed once and used in several places."""

    model: Any
    data: Data
    chosen: NDArray[np.int64]
    baseline_data: Any
    random_state: int
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Reconstruct and encode the records, and have the baselines reconstruct them."""
        self.original = self.data.take(np.arange(len(self.data)))
        self.train = None if self.baseline_data is None else self._open_train()
        reference = self.original if self.train is None else self.train.take(_spaced(len(self.train), 20_000))
        self.comparison: Comparison = comparison_for(self.data, reference, _set_aside(self.model))
        self.reconstruction = self.comparison.block(self.model.reconstruct(self.data))
        self.codes = _as_matrix(self.model.transform(self.data))
        self.errors: dict[str, Float64] = {"model": self.comparison.errors(self.original, self.reconstruction)}
        self.titles = {"model": type(self.model).__name__}
        self.sizes = {"model": self.codes.shape[1]}
        self.blocks = {"model": self.reconstruction}
        for baseline, block in self._baselines():
            self.blocks[baseline.name] = block
            self.errors[baseline.name] = self.comparison.errors(self.original, block)
            self.titles[baseline.name], self.sizes[baseline.name] = baseline.title, baseline.size

    @property
    def unit_prior(self) -> bool:
        """Whether the code has a prior of variance 1, against which its variance is measured."""
        return any("train_kl" in record for record in getattr(self.model, "history_", []))

    def _open_train(self) -> Data:
        train = isthmus_data.open(self.baseline_data)
        checks.same_shape(self.data.schema, train, "evaluate")
        return train

    def _baselines(self) -> list[tuple[metrics.Baseline, Any]]:
        """Return each baseline with its reconstructions as a block; none where the kind of data has none."""
        preprocessor = getattr(self.model, "preprocessor_", None)
        if preprocessor is None or None in tuple(preprocessor.shape_):
            self.notes.append("No baselines: PCA, k-means and the mean need records of one size.")
            return []
        if self.data.schema.kind == "text":
            return self._text_baseline()
        rows = Rows(preprocessor)
        test = rows.forward(self.original)
        if self.train is not None:
            limit = max(2, 50_000_000 // test.shape[1])
            train = rows.forward(self.train.take(_spaced(len(self.train), limit)))
            found = self._fit_baselines(train, test)
        elif len(test) > 1:
            self.notes.append(
                f"The baselines were fitted without training records: each {_ordinal(min(FOLDS, len(test)))} of the "
                "records below was given back by baselines fitted on the others."
            )
            found = self._cross_fit(test)
        else:
            self.notes.append("No baselines: they need training records, or more than one record.")
            return []
        return [(baseline, rows.backward(baseline.reconstruction)) for baseline in found]

    def _fit_baselines(self, train: Float64, test: Float64) -> list[metrics.Baseline]:
        size, seed = self.codes.shape[1], self.random_state
        return [
            metrics.pca_baseline(train, test, size, random_state=seed),
            metrics.kmeans_baseline(train, test, size, random_state=seed),
            metrics.mean_baseline(train, test),
        ]

    def _cross_fit(self, rows: Float64) -> list[metrics.Baseline]:
        """Give every part of the rows back by baselines fitted on the other parts."""
        order = np.random.default_rng(self.random_state).permutation(len(rows))
        merged: list[metrics.Baseline] = []
        for part in np.array_split(order, min(FOLDS, len(rows))):
            rest = np.setdiff1d(order, part)
            found = self._fit_baselines(rows[rest], rows[part])
            if not merged:
                merged = [metrics.Baseline(b.name, b.title, b.size, np.empty_like(rows)) for b in found]
            for whole, piece in zip(merged, found, strict=True):
                whole.reconstruction[part] = piece.reconstruction
        return merged

    def _text_baseline(self) -> list[tuple[metrics.Baseline, Any]]:
        """Give every text back as the most common byte at each position: the mean record of text."""
        source = self.train if self.train is not None else self.data
        texts = source.take(_spaced(len(source), 20_000))
        common = bytes(
            int(np.bincount([text[place] for text in texts if len(text) > place]).argmax())
            for place in range(max(len(text) for text in texts))
        )
        block = [common[: len(text)] for text in self.original]
        return [(metrics.Baseline("mean", "most common byte at each place", 0, np.empty((0, 0))), block)]

    # ------------------------------------------------------------------ scores

    def measures(self) -> list[dict[str, str]]:
        """Return the columns of the table of scores."""
        error = self.comparison
        found = [{"key": "error", "title": error.title, "unit": error.unit, "better": "lower", "about": error.explanation}]
        if self.scale() is not None:
            about = "The same with values on a scale from 0 to 1, as most papers state it."
            found.append({"key": "unit_error", "title": "on a 0 to 1 scale", "unit": "", "better": "lower", "about": about})
        if self.data.schema.kind == "image":
            peak = f"{self.peak():g}"
            about = f"Peak signal-to-noise ratio, mean over images, peak {peak}."
            found.append({"key": "psnr", "title": "PSNR", "unit": "dB", "better": "higher", "about": about})
        if self.has_ssim():
            about = "Structural similarity, Wang et al. 2004; 1 is identical."
            found.append({"key": "ssim", "title": "SSIM", "unit": "", "better": "higher", "about": about})
        if "mean" in self.errors:
            about = "Error as a share of what giving back the mean record costs."
            found.append({"key": "share", "title": "share of the mean's", "unit": "", "better": "lower", "about": about})
        return found

    def scale(self) -> float | None:
        """Return the factor to a scale from 0 to 1 for whole numbers of fixed range, else None."""
        if self.data.schema.kind not in ("array", "image") or self.data.schema.dtype not in ("uint8", "uint16"):
            return None
        return float(np.iinfo(self.data.schema.dtype).max)

    def peak(self) -> float:
        """Return the peak for PSNR: the dtype's, or the range of the records where a float type has none."""
        if np.dtype(self.data.schema.dtype).kind != "f":
            return metrics.peak_value(np.zeros(1, self.data.schema.dtype))
        low = min(float(np.min(image)) for image in self.original)
        high = max(float(np.max(image)) for image in self.original)
        return 1.0 if low >= 0.0 and high <= 1.0 else (high - low) or 1.0

    def has_ssim(self) -> bool:
        """Whether the images are large enough for a window to say something about structure."""
        return self.data.schema.kind == "image" and all(min(np.shape(image)[:2]) >= 7 for image in self.original)

    def rows(self) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        """Return the table of scores, the model first, and the model's difference to PCA."""
        mean_error = self.errors["mean"].mean() if "mean" in self.errors else None
        found = [self._row(name, errors, mean_error) for name, errors in self.errors.items()]
        if "pca" not in self.errors:
            return found, None
        rival = float(self.errors["pca"].mean())
        difference = self._interval(self.errors["model"] - self.errors["pca"])
        relative = {key: difference[key] / rival for key in ("mean", "low", "high")} if difference and rival > 0 else None
        return found, {"error": difference, "relative": relative}

    def _row(self, name: str, errors: Float64, mean_error: float | None) -> dict[str, Any]:
        row: dict[str, Any] = {
            "name": name,
            "title": self.titles[name],
            "code_size": self.sizes[name],
            "error": self._interval(errors),
        }
        scale = self.scale()
        if scale is not None:
            row["unit_error"] = self._interval(errors / scale**2)
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
            self.notes.append(
                f"{exact} of the {self.titles[name]} reconstructions are exact; their infinite PSNR is left out of the mean."
            )
        known = mean_squared[mean_squared > 0.0]
        return self._interval(20.0 * math.log10(self.peak()) - 10.0 * np.log10(known)) if len(known) else None

    def _ssim(self, block: Any) -> Float64:  # noqa: ANN401
        pairs = list(zip(self.original, block, strict=True))[:MAX_SSIM]
        if isinstance(self.original, list):
            return np.array([metrics.ssim(x[None], y[None], peak=self.peak())[0] for x, y in pairs])
        return metrics.ssim(self.original[:MAX_SSIM], block[:MAX_SSIM], peak=self.peak())

    def _interval(self, values: Float64) -> dict[str, Any] | None:
        known = values[np.isfinite(values)]
        if not len(known):
            return None
        found = metrics.bootstrap_interval(known, random_state=self.random_state)
        return {"mean": found.mean, "low": found.low, "high": found.high}

    def likelihood(self) -> dict[str, Any] | None:
        """Return the held-out score in nats per record and bits per dimension, where the model has one."""
        if not hasattr(self.model, "score_samples"):
            return None
        nats = np.asarray(self.model.score_samples(self.data), np.float64)
        bits = -nats / (np.log(2.0) * self.comparison.dimensions(self.original))
        lost = int((~np.isfinite(nats)).sum())
        if lost:
            self.notes.append(f"{lost} records have no finite log-likelihood and are left out of its mean.")
        return {
            "nats_per_record": self._interval(nats),
            "bits_per_dimension": self._interval(bits),
            "density": bool(getattr(getattr(self.model, "likelihood_", None), "continuous", False)),
        }

    def column_scores(self) -> list[dict[str, Any]]:
        """Return the error of every column of a table or a narrow array, beside those of PCA and of the mean."""
        if not (isinstance(self.comparison, TableComparison) or self.data.schema.kind == "array"):
            return []
        by_column = {name: self._column_errors(block).mean(axis=0) for name, block in self.blocks.items()}
        names = self.column_names()
        return [
            {"name": names[index]} | {name: float(errors[index]) for name, errors in by_column.items()}
            for index in range(min(len(names), 1000))
        ]

    def _column_errors(self, block: Any) -> Float64:  # noqa: ANN401
        if isinstance(self.comparison, TableComparison):
            return self.comparison.column_errors(self.original, block)
        return np.square(self.original.astype(np.float64) - np.asarray(block, np.float64))

    def column_names(self) -> list[str]:
        """Return the names of the columns that are scored."""
        if isinstance(self.comparison, TableComparison):
            return [column.name for column in self.comparison.columns]
        return list(self.data.schema.names) or [f"column {index}" for index in range(self.original.shape[1])]

    # ------------------------------------------------------------------ what is shown

    def worst(self) -> list[dict[str, Any]]:
        """Return the records with the largest error, worst first."""
        order = np.argsort(self.errors["model"])[::-1][:SHOWN]
        return [self._described(int(index)) for index in order]

    def _described(self, index: int) -> dict[str, Any]:
        record: dict[str, Any] = {"index": int(self.chosen[index]), "error": float(self.errors["model"][index])}
        if self.data.names is not None:
            record["name"] = str(self.data.names[index])
        if self.data.labels is not None:
            record["label"] = _scalar(self.data.labels[index])
        if "pca" in self.errors:
            record["pca_error"] = float(self.errors["pca"][index])
        if isinstance(self.comparison, TableComparison) or self.data.schema.kind == "array":
            record["columns"] = self._worst_columns(index)
        if isinstance(self.comparison, TextComparison):
            record["original"] = self.original[index][:400].decode("utf-8", "replace")
            record["reconstruction"] = self.reconstruction[index][:400].decode("utf-8", "replace")
        return record

    def _worst_columns(self, index: int) -> list[dict[str, Any]]:
        """Return the columns that contribute most to one record's error, with both values."""
        one = self._one(self.original, index), self._one(self.reconstruction, index)
        if isinstance(self.comparison, TableComparison):
            errors = self.comparison.column_errors(*one)[0]
        else:
            errors = np.square(one[0].astype(np.float64) - one[1].astype(np.float64))[0]
        names = self.column_names()
        total = float(errors.sum()) or 1.0
        found = []
        for column in np.argsort(errors)[::-1][:3]:
            if errors[column] <= 0.0:
                break
            values = [self._cell(block, names[column], int(column)) for block in one]
            found.append({"name": names[column], "original": values[0], "reconstruction": values[1]})
            found[-1]["share"] = float(errors[column] / total)
        return found

    @staticmethod
    def _one(block: Any, index: int) -> Any:  # noqa: ANN401
        return block.slice(index, 1) if hasattr(block, "slice") else block[index : index + 1]

    @staticmethod
    def _cell(block: Any, name: str, column: int) -> Any:  # noqa: ANN401
        return _scalar(block.column(name)[0].as_py() if hasattr(block, "column") else block[0, column])

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return the arrays that the pictures are drawn from."""
        count = len(self.data)
        shown = np.sort(rng.choice(count, min(SHOWN, count), replace=False))
        worst = np.argsort(self.errors["model"])[::-1][:SHOWN]
        points = np.sort(rng.choice(count, min(POINTS, count), replace=False))
        scores, shares = metrics.principal_components(self.codes)
        numbers = self._parity(points) if self.data.schema.kind == "array" else None
        return Sample(
            kind=self.data.schema.kind,
            errors={self.titles[name]: self.errors[name] for name in self.errors if name in ("model", "pca", "mean")},
            shown=self._pairs(shown),
            worst=self._pairs(worst),
            scores=scores[points],
            shares=shares,
            labels=None if self.data.labels is None else np.asarray(self.data.labels)[points],
            variance=self.codes.var(axis=0),
            parity=numbers,
        )

    def _pairs(self, indices: NDArray[np.int64]) -> list[tuple[Any, Any, str]]:
        """Return originals, reconstructions and captions of some images or texts."""
        if self.data.schema.kind not in ("image", "text"):
            return []
        return [(self.original[i], self.reconstruction[i], self._caption(int(i))) for i in indices]

    def _caption(self, index: int) -> str:
        if self.data.labels is not None:
            return f"{self.data.labels[index]}"
        return f"record {self.chosen[index]}"

    def _parity(self, points: NDArray[np.int64]) -> tuple[Float64, Float64, list[str], list[float]]:
        """Return originals and reconstructions of the six columns that vary most, their names and explained shares."""
        x, y = np.asarray(self.original, np.float64), np.asarray(self.reconstruction, np.float64)
        variance = x.var(axis=0)
        columns = np.argsort(-variance, kind="stable")[:6]
        lost = np.square(x[:, columns] - y[:, columns]).mean(axis=0)
        explained = 1.0 - lost / np.where(variance[columns] > 0.0, variance[columns], 1.0)
        names = self.column_names()
        return x[points][:, columns], y[points][:, columns], [names[i] for i in columns], explained.tolist()


# ---------------------------------------------------------------------- choosing records


def _choose(data: Data, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the rows to score, in order: all of them, or a random choice where they are many or large."""
    numbers = int(np.prod([side or 512 for side in data.schema.shape]))
    limit = min(n, max(100, MAX_VALUES // max(numbers, 1)))
    if len(data) <= limit:
        return np.arange(len(data), dtype=np.int64)
    return np.sort(rng.choice(len(data), limit, replace=False)).astype(np.int64)


def _spaced(n: int, limit: int) -> NDArray[np.int64]:
    """Return at most ``limit`` evenly spaced row numbers."""
    return np.unique(np.linspace(0, n - 1, min(n, limit)).astype(np.int64))


def _as_matrix(codes: Any) -> Float64:  # noqa: ANN401
    """Return codes as a matrix; codes of differing size are averaged over their positions."""
    if isinstance(codes, list):
        return np.array([np.asarray(code, np.float64).mean(axis=(1, 2)) for code in codes])
    return np.asarray(codes, np.float64).reshape(len(codes), -1)


def _set_aside(model: Any) -> list[str]:  # noqa: ANN401
    """Return the columns of a table that the model's preprocessing leaves out of the code."""
    return list(getattr(getattr(model, "preprocessor_", None), "set_aside_", ()))


# ---------------------------------------------------------------------- parts of the document


def _about_data(data: Data, subject: _Subject, notes: Sequence[str]) -> dict[str, Any]:
    schema: Schema = data.schema
    labels = None
    if data.labels is not None:
        values, counts = np.unique(np.asarray(data.labels).astype(str), return_counts=True)
        common = np.argsort(-counts, kind="stable")[:20]
        labels = {"classes": len(values), "counts": {values[i]: int(counts[i]) for i in common}}
    return {
        "source": str(getattr(data, "source", "")),
        "kind": schema.kind,
        "n": len(data),
        "n_scored": len(subject.data),
        "n_baseline": None if subject.train is None else len(subject.train),
        "shape": list(schema.shape),
        "dimensions": float(subject.comparison.dimensions(subject.original).mean()),
        "dtype": schema.dtype,
        "container": schema.container,
        "columns": [{"name": column.name, "type": column.type, "dtype": column.dtype} for column in schema.columns],
        "labels": labels,
        "notes": list(dict.fromkeys(notes)),
    }


def _about_model(model: Any, codes: Float64) -> dict[str, Any]:  # noqa: ANN401
    provenance = dict(getattr(model, "provenance_", {}))
    module = getattr(model, "module_", None)
    likelihood = getattr(model, "likelihood_", None)
    reason = str(getattr(model, "likelihood_reason_", ""))
    return {
        "class": type(model).__name__,
        "parameters": {name: _scalar(value) for name, value in _parameters(model).items()},
        "likelihood": getattr(likelihood, "name", None) if likelihood is not None else None,
        "likelihood_reason": reason,
        "n_weights": None if module is None else sum(weight.numel() for weight in module.parameters()),
        "code_shape": list(getattr(model, "code_shape_", (codes.shape[1],))),
        "code_size": codes.shape[1],
        "provenance": {name: _scalar(value) for name, value in provenance.items() if name != "command"},
        "notes": list(dict.fromkeys(getattr(model, "notes_", []))),
    }


def _about_codes(codes: Float64, unit_prior: bool) -> dict[str, Any]:
    variance = codes.var(axis=0)
    active = metrics.active_units(codes, relative=not unit_prior)
    threshold = 0.01 if unit_prior else 0.01 * float(variance.max())
    rule = "variance above 0.01" if unit_prior else "variance above 1 % of the largest"
    few = codes.shape[1] <= 2048
    return {
        "units": codes.shape[1],
        "active": int(active.sum()),
        "rule": rule,
        "threshold": threshold,
        "effective_rank": metrics.effective_rank(codes) if few else None,
        "participation_ratio": metrics.participation_ratio(codes) if few else None,
        "mean_absolute_correlation": metrics.mean_absolute_correlation(codes) if few else None,
        "variance": variance[:2048].tolist(),
    }


def _parameters(model: Any) -> dict[str, Any]:  # noqa: ANN401
    return dict(model.get_params(deep=False)) if hasattr(model, "get_params") else {}


def _commands(model: Any, command: str | None) -> dict[str, str]:  # noqa: ANN401
    """Return how the model was fitted and this report was made, as exactly as is known."""
    fitted = getattr(model, "provenance_", {}).get("command")
    if isinstance(fitted, list | tuple):
        fitted = shlex.join(map(str, fitted))
    found = {"fit": str(fitted) if fitted else _constructor(model)}
    return found | ({"report": command} if command else {})


def _constructor(model: Any) -> str:  # noqa: ANN401
    """Return the Python call that makes the same model: the parameters that are not at their default."""
    known = inspect.signature(type(model).__init__).parameters
    changed = []
    for name, value in _parameters(model).items():
        default = known[name].default if name in known else inspect.Parameter.empty
        if not _same(value, default):
            changed.append(f"{name}={_call_value(value)}")
    return f"isthmus.{type(model).__name__}({', '.join(changed)}).fit(X)"


def _same(value: Any, default: Any) -> bool:  # noqa: ANN401
    return type(value) is type(default) and bool(np.all(value == default))


def _call_value(value: Any) -> str:  # noqa: ANN401
    return repr(value) if isinstance(value, str | int | float | bool | tuple | list | None) else type(value).__name__


def _verdict(document: dict[str, Any]) -> str:
    """Return one sentence on the comparison that matters most."""
    name, n = document["model"]["class"], document["data"]["n_scored"]
    difference = document["scores"]["difference_to_pca"]
    if difference is None or not difference["relative"]:
        return f"{name} was scored on {n:,} held-out records."
    relative, pca = difference["relative"], document["scores"]["rows"][1]
    rival = f"PCA with the same code size ({pca['code_size']})"
    if pca["code_size"] < document["model"]["code_size"]:
        rival = f"PCA, of which {pca['code_size']} components are all there are"
    low, high = sorted(abs(relative[end]) for end in ("low", "high"))
    if not all(math.isfinite(relative[end]) for end in ("low", "high")) or relative["low"] <= 0.0 <= relative["high"]:
        return f"On {n:,} held-out records {name} cannot be told from {rival}: the interval of the difference includes 0."
    size = f"{100 * abs(relative['mean']):.0f} % (95 % interval {100 * low:.0f} to {100 * high:.0f} %)"
    if relative["mean"] < 0.0:
        return f"On {n:,} held-out records the error of {name} is lower than that of {rival} by {size}."
    return (
        f"On {n:,} held-out records the error of {name} is higher than that of {rival} by {size}: "
        "the linear method is better here."
    )


# ---------------------------------------------------------------------- plain values


def _now() -> datetime.datetime:
    """Return the time of the report; SOURCE_DATE_EPOCH fixes it, for files that are to be the same byte for byte."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = float(fixed) if fixed.isdigit() else datetime.datetime.now(datetime.UTC).timestamp()
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _version() -> str:
    from isthmus import __version__

    return str(__version__)


def _ordinal(parts: int) -> str:
    return {2: "half", 3: "third", 4: "quarter", 5: "fifth"}[parts]


def _scalar(value: Any) -> Any:  # noqa: ANN401
    """Return a value as JSON has it, or as text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple | list):
        return [_scalar(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _scalar(item) for key, item in value.items()}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value) if isinstance(value, bytes | datetime.date | datetime.time) else type(value).__name__


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return a document with JSON values only; NaN and infinity, which JSON lacks, become null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    value = _scalar(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


