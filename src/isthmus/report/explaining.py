"""Figures of a code's meaning: the inputs that drive each unit, and its most activating records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from isthmus.data import Data
from isthmus.errors import DataError, ParameterError
from isthmus.report import plots
from isthmus.report.facts import scalar
from isthmus.tasks.explain import Explanation, explain

if TYPE_CHECKING:
    from isthmus.report.measurement import Measurement

__all__ = ["about_meaning", "driver_bars", "picture", "told", "unit_pictures"]

UNITS = 6  # of a report
RECORDS = 5  # of each end, drawn beside a unit
INPUTS = 6  # bars of a unit
ACROSS = 3  # panels of bars in a row
COLUMNS = 3  # told of a record


def about_meaning(model: Any, found: Measurement, random_state: int) -> Explanation | None:
    """Return what a report says of the meaning of the code, None where it cannot be told.

    Parameters
    ----------
    model : fitted model
    found : Measurement
        The scored records.
    random_state : int
        Seed.
    """
    width = found.codes.shape[1]
    try:
        return explain(model, found.data, units=min(UNITS, width), random_state=random_state)
    except (DataError, ParameterError):  # no gradient goes through the model, or none of these records has one
        return None


def told(explanation: Explanation, data: Data, numbers: NDArray[np.int64]) -> dict[str, Any]:
    """Return an explanation as JSON values, its records by their numbers in the source, of rows with their cells.

    Parameters
    ----------
    explanation : Explanation
    data : Data
        The records that it is about.
    numbers : ndarray of int, shape (n,)
        Which rows of the source they are, counted from 0.
    """
    document = explanation.to_dict()
    for unit in document["units"]:
        for end in ("highest", "lowest"):
            rows = unit[end][:RECORDS]
            if unit["driven_by"] is not None:
                names = [one["name"] for one in unit["driven_by"]][:COLUMNS]
                unit[f"{end}_cells"] = [_cells(data, row, names) for row in rows]
            unit[end] = [int(numbers[row]) for row in rows]
    return document


def _cells(data: Data, row: int, names: list[str]) -> list[dict[str, Any]]:
    """Return some columns of one record."""
    block = data.take([row])
    if data.schema.kind == "table":
        return [{"name": name, "value": scalar(block.column(name)[0].as_py())} for name in names]
    own = data.schema.names or [f"column {index}" for index in range(block.shape[1])]
    cells = dict(zip(own, block[0], strict=True))
    return [{"name": name, "value": scalar(cells[name])} for name in names]


def picture(explanation: Explanation, data: Data) -> Figure:
    """Return the picture of an explanation: maps and records of pictures, bars of everything else.

    Parameters
    ----------
    explanation : Explanation
    data : Data
        The records that it is about.
    """
    return unit_pictures(explanation, data) if data.schema.kind == "image" else driver_bars(explanation)


def unit_pictures(explanation: Explanation, data: Data) -> Figure:
    """Draw a row for each unit: which pixels drive it, and the pictures that it is highest and lowest for."""
    maps = explanation.attribution.importance()
    maps = maps.sum(-1) if maps.ndim > 3 else maps
    count = min(RECORDS, len(data) // 2) or 1
    ratios = [1.0, 0.25, *[1.0] * count, 0.25, *[1.0] * count]
    with plots.style():
        engine = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
        figure = Figure(figsize=(9.4, 0.86 * len(explanation.units) + 0.5), layout=engine)
        grid = figure.subplots(len(explanation.units), len(ratios), squeeze=False, width_ratios=ratios)
        pictures = _shown(explanation, data)
        low, high = min(map(np.min, pictures.values())), max(map(np.max, pictures.values()))
        for row, (unit, activation) in enumerate(zip(explanation.units, explanation.activations, strict=True)):
            for axes in grid[row]:
                axes.set_axis_off()
            _map(grid[row, 0], maps[row])
            grid[row, 0].text(-0.12, 0.5, f"unit {unit}", transform=grid[row, 0].transAxes, ha="right", va="center")
            shown = [(2, activation.highest), (3 + count, activation.lowest)]
            for first, rows in shown:
                for place, index in enumerate(rows[:count]):
                    image = plots.displayed(pictures[index], low, high)
                    grid[row, first + place].imshow(image, cmap="gray", vmin=0.0, vmax=1.0, interpolation="none")
        for column, title in ((0, "driven by"), (2, "highest for"), (3 + count, "lowest for")):
            grid[0, column].set_title(title, loc="left", fontsize=8.5)
        return figure


def _map(axes: Any, values: NDArray[np.float64]) -> None:
    axes.imshow(values, cmap="cividis", vmin=0.0, vmax=float(values.max()) or 1.0, interpolation="none")


def _shown(explanation: Explanation, data: Data) -> dict[int, NDArray[Any]]:
    """Return the pictures that some unit is highest or lowest for, by row."""
    rows = sorted({row for one in explanation.activations for row in (*one.highest, *one.lowest)})
    return dict(zip(rows, data.take(rows), strict=True))


def driver_bars(explanation: Explanation) -> Figure:
    """Draw a panel for each unit: the inputs that drive it most, as shares of all."""
    drivers = explanation.drivers(INPUTS)
    across = 2 if len(drivers) == 4 else min(ACROSS, len(drivers))
    down = -(-len(drivers) // across)
    with plots.style():
        bars = max(len(found) for found in drivers) or 1
        figure = Figure(figsize=(9.4, down * (0.24 * bars + 0.62)), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False, sharex=True)
        for axes in grid.flat[len(drivers) :]:
            axes.set_axis_off()
        for axes, unit, found in zip(grid.flat, explanation.units, drivers, strict=False):
            places = np.arange(len(found))
            axes.barh(places, [100 * share for _, share in found], height=0.66, color=plots.MODEL)
            axes.set_yticks(places, [plots.tidy(name, 22) for name, _ in found])
            axes.set(ylim=(bars - 0.4, -0.6))
            axes.set_title(f"unit {unit}")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")
            axes.tick_params(axis="y", length=0)
            axes.tick_params(axis="x", labelbottom=True)
            axes.grid(axis="x")
        return figure
