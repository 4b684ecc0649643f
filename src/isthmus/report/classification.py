"""Figures of a classifier: calibration, confusion, and uncertain records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from isthmus.data import Data
from isthmus.metrics import CalibrationCurve
from isthmus.report import plots

if TYPE_CHECKING:
    from isthmus.tasks import Classification

__all__ = ["calibration", "confusion", "doubtful", "pictures"]

WRITTEN = 20  # classes up to which each cell of a confusion matrix has its number written in
ACROSS, DOWN = 10, 3  # doubtful pictures that are shown


def pictures(found: Classification, data: Data) -> dict[str, Figure]:
    """Return the pictures of a classifier's evaluation by name.

    Parameters
    ----------
    found : Classification
    data : Data
        The records that it is about; of pictures the most doubtful ones are shown.
    """
    names = [str(label) for label in found.classes.tolist()]
    drawn = {"calibration": calibration(found.calibration), "confusion": confusion(found.confusion, names)}
    if data.schema.kind == "image" and None not in data.schema.shape:
        rows = found.doubtful[: ACROSS * DOWN]
        captions = [
            f"{names[true]}, not {names[taken]}" if true != taken else f"{names[true]}"
            for true, taken in zip(found.true, found.predicted, strict=True)
        ]
        drawn["doubtful"] = doubtful(np.asarray(data.take(rows)), captions)
    return drawn


def calibration(curve: CalibrationCurve) -> Figure:
    """Draw accuracy against confidence, and above it the number of records in each bin.

    Parameters
    ----------
    curve : CalibrationCurve

    Returns
    -------
    Figure
        Two panels over one axis of probabilities.
    """
    with plots.style():
        figure = Figure(figsize=(4.6, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1, 3.2])
        upper.bar(curve.confidence, curve.count / curve.count.sum(), width=0.03, color=plots.PLAIN)
        upper.set(ylabel="share", ylim=(0, None))
        lower.plot([0, 1], [0, 1], color=plots.INK, linewidth=0.8, linestyle=":")
        low, high = _wilson(curve.accuracy, curve.count)
        lower.vlines(curve.confidence, low, high, color=plots.MODEL, linewidth=1.0, alpha=0.5)
        lower.plot(curve.confidence, curve.accuracy, color=plots.MODEL, marker="o", ms=4, lw=1.0, clip_on=False)
        lower.set(
            xlabel="probability of the class predicted", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02)
        )
        upper.set_title(f"Expected calibration error {curve.expected_error:.3f}")
        lower.grid()
        return figure


def _wilson(share: NDArray[np.float64], n: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of 95 % intervals of shares of n records (Wilson 1927)."""
    z = 1.96
    middle, half = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


def confusion(matrix: NDArray[np.int64], names: Sequence[str]) -> Figure:
    """Draw a confusion matrix: colours are shares of each class, numbers are records.

    Parameters
    ----------
    matrix : ndarray of int, shape (k, k)
        Records of each class (rows) taken for each class (columns).
    names : sequence of str
        Of the classes.

    Returns
    -------
    Figure
        With a number in each cell that is not zero, where there are 20 classes at most.
    """
    k = len(names)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(0.5 * k + 1.6, 3.6, 9.4))
    with plots.style():
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        # The root, or the few mistakes beside many right answers would not be seen.
        axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0.0, vmax=1.0)
        short = [plots.tidy(name, 14) for name in names]
        step = max(1, k // 40)
        axes.set_xticks(range(0, k, step), short[::step], rotation=90 if max(map(len, short)) > 3 else 0)
        axes.set_yticks(range(0, k, step), short[::step])
        axes.set(xlabel="taken for", ylabel="class")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        if k <= WRITTEN:
            for (row, column), count in np.ndenumerate(matrix):
                colour = "white" if shares[row, column] > 0.4 else plots.INK
                if count:
                    axes.text(column, row, f"{count}", ha="center", va="center", color=colour, fontsize=7.5)
        return figure


def doubtful(images: NDArray[Any], captions: Sequence[str]) -> Figure:
    """Draw the pictures with the lowest confidence, each with its class and the predicted one.

    Parameters
    ----------
    images : ndarray, shape (n, height, width[, channels])
        The least sure first.
    captions : sequence of str
    """
    across = min(ACROSS, len(images))
    down = -(-len(images) // across)
    low, high = float(images.min()), float(images.max())
    with plots.style():
        figure = Figure(figsize=(0.94 * across + 0.1, 1.2 * down + 0.1), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False)
        for index, axes in enumerate(grid.flat):
            axes.set_axis_off()
            if index < len(images):
                shown = plots.displayed(images[index], low, high)
                axes.imshow(shown, cmap="gray", vmin=0.0, vmax=1.0, interpolation="none")
                wrong = ", not " in captions[index]
                colour = plots.RIVAL if wrong else plots.INK
                axes.set_title(captions[index], fontsize=7.5, fontweight="normal", loc="center", color=colour)
        return figure
