"""Titled contact sheets side by side: drawn pictures and real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from isthmus.artifact import replacing
from isthmus.report.contact_sheet import shown_as_bytes, side_by_side
from isthmus.report.plots import STYLE, style

__all__ = ["DPI", "in_pairs", "titled_sheets", "write_picture"]

DPI = 150
"""Dots per inch at which a pixel of a sheet is a dot of the picture: nothing is blurred or left out."""

BETWEEN, MARGIN, TITLE, NAMES = 36, 20, 62, 52  # dots: between sheets, around them, over them, and left of them


def titled_sheets(
    panels: Mapping[str, Sequence[NDArray[Any]] | NDArray[Any]],
    *,
    columns: int,
    captions: Mapping[str, str] | None = None,
    rows: Sequence[str] = (),
) -> Figure:
    """Draw sheets of pictures from left to right, all on one scale of grey.

    Parameters
    ----------
    panels : mapping of str to sequence of arrays (height, width) or (height, width, channels)
        The pictures of each sheet, row by row, by its title; all of one size.
    columns : int
        Pictures in a row of a sheet.
    captions : mapping of str to str, optional
        A line under the title, by title.
    rows : sequence of str, optional
        A name for each row, left of the first sheet.

    Returns
    -------
    Figure
        To be saved with ``dpi=DPI``.
    """
    shown = iter(shown_as_bytes([picture for pictures in panels.values() for picture in pictures]))
    sheets = {title: side_by_side([next(shown) for _ in pictures], columns) for title, pictures in panels.items()}
    left = MARGIN + (NAMES if rows else 0)
    width = left + MARGIN + BETWEEN * (len(sheets) - 1) + sum(sheet.shape[1] for sheet in sheets.values())
    height = TITLE + max(sheet.shape[0] for sheet in sheets.values()) + MARGIN
    with style():
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        for title, sheet in sheets.items():
            down, across = sheet.shape[:2]
            box = (left / width, (height - TITLE - down) / height, across / width, down / height)
            axes = figure.add_axes(box)
            axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="none")
            axes.set_axis_off()
            points = 72 / DPI
            axes.annotate(
                title,
                (0, 1),
                (4 * points, 34 * points),
                xycoords="axes fraction",
                textcoords="offset points",
                fontsize=STYLE["axes.titlesize"],
                fontweight="bold",
            )
            axes.annotate(
                (captions or {}).get(title, ""),
                (0, 1),
                (4 * points, 10 * points),
                xycoords="axes fraction",
                textcoords="offset points",
                fontsize=8,
                alpha=0.75,
            )
            if left == MARGIN + NAMES and rows:
                for name, middle in zip(rows, (np.arange(len(rows)) + 0.5) * down / len(rows), strict=True):
                    axes.text(-10, middle, name, ha="right", va="center", fontsize=9, fontweight="bold")
            left += across + BETWEEN
    return figure


def in_pairs(first: NDArray[Any], second: NDArray[Any], *, columns: int) -> NDArray[Any]:
    """Return pictures for a sheet whose rows take turns: one of the first kind, under it the same of the second.

    Parameters
    ----------
    first, second : ndarray, shape (n, height, width) or (n, height, width, channels)
        As many of one as of the other; what does not fill a row is left out.
    columns : int
        Pictures in a row of the sheet.
    """
    whole = len(first) // columns * columns
    shape = (-1, columns, *first.shape[1:])
    rows = np.stack([part[:whole].reshape(shape) for part in (first, second)], axis=1)
    return rows.reshape(-1, *first.shape[1:])


def write_picture(figure: Figure, path: Path, *, force: bool = False) -> None:
    """Write a figure whole or not at all; the suffix says the format.

    Parameters
    ----------
    figure : Figure
    path : Path
    force : bool, default=False
        Whether an existing file may be replaced.

    Raises
    ------
    OutputExistsError
        The file exists and ``force`` is off.
    """
    with replacing(path, force=force) as file:
        figure.savefig(file, format=path.suffix[1:].lower(), dpi=DPI, facecolor="white")
