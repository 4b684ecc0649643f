"""What all pictures of the documentation share: two themes, letters, digits, and where they go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

WIDTH = 4.6  # inches; a picture is shown some 450 pixels wide, so a point of a letter is about 1.35 pixels
ACROSS = 10  # digits in a row of a wide picture

HUES = ("#4477aa", "#ee6677", "#228833", "#b8a128", "#3aa5c9", "#bb4f96", "#7f8a99", "#ee7733", "#009988", "#8f6f4a")
"""One for each digit, after Tol's "bright" and "muted" schemes; all stand out on white and on slate."""

Pixels = NDArray[np.uint8]
Colours = NDArray[np.float64]
Box = tuple[float, float, float, float]  # left, bottom, width and height, as shares of a figure


class Theme(NamedTuple):
    """Colours of one of the two themes.

    Parameters
    ----------
    name : {"light", "dark"}
        Ends the name of a file.
    ink, muted : str
        Text and strokes of digits; axes and points in the background.
    ground : tuple of float
        Behind a digit or a cell: red, green, blue and opacity.
    paper : str
        About the colour of the page, around text that lies on points.
    accent, alarm : str
        What was made; what is wrong or missing.
    """

    name: str
    ink: str
    muted: str
    ground: tuple[float, float, float, float]
    paper: str
    accent: str
    alarm: str


LIGHT = Theme("light", "#20262e", "#6a7280", (0, 0, 0, 0.045), "#ffffff", "#00796b", "#d1495b")
DARK = Theme("dark", "#e2e4e9", "#a3a9b5", (1, 1, 1, 0.07), "#1e2129", "#4db6ac", "#ff8a80")


class Canvas:
    """A transparent figure in the colours of a theme.

    Parameters
    ----------
    theme : Theme
        Its colours.
    height : float
        In inches.
    width : float, default=WIDTH
        In inches.
    """

    def __init__(self, theme: Theme, height: float, width: float = WIDTH) -> None:
        self.theme = theme
        self.figure = Figure(figsize=(width, height), facecolor="none")

    def panel(self, box: Box, title: str = "") -> Axes:
        """Return axes in a box of the figure, with a title above."""
        axes = self.figure.add_axes(box, facecolor="none")
        if title:
            axes.set_title(title, loc="left", color=self.theme.ink, fontsize=8.5, fontweight="bold", pad=5)
        axes.tick_params(colors=self.theme.muted, labelcolor=self.theme.muted, labelsize=7.5, length=2.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(self.theme.muted)
        return axes

    def bare(self, box: Box, title: str = "") -> Axes:
        """Return axes without ticks and spines."""
        axes = self.panel(box, title)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        return axes

    def arrow(self, x: float, y: float) -> None:
        """Draw an arrow from the input to the result."""
        self.figure.text(x, y, "\N{RIGHTWARDS ARROW}", ha="center", va="center", color=self.theme.muted, fontsize=14)

    def heading(self, at: Axes | Figure, x: float, y: float, text: str, **where: str) -> None:
        """Write a heading that is no title of axes."""
        at.text(x, y, text, color=self.theme.ink, fontsize=8.5, fontweight="bold", **where)

    def note(self, axes: Axes, x: float, y: float, text: str, **where: str) -> None:
        """Write a small remark."""
        axes.text(x, y, text, color=self.theme.muted, fontsize=7.5, **where)

    def names(self, axes: Axes, x: str, y: str = "") -> None:
        """Name the axes."""
        axes.set_xlabel(x, color=self.theme.muted, fontsize=7.5, labelpad=2)
        axes.set_ylabel(y, color=self.theme.muted, fontsize=7.5, labelpad=1)

    def bars(self, box: Box, shares: dict[str, float]) -> None:
        """Draw bars with names on the left and percentages on the right, the first on top."""
        axes = self.panel(box)
        axes.barh(range(len(shares)), list(shares.values()), 0.65, color=self.theme.accent)
        axes.set_yticks(range(len(shares)), [name.replace("_", " ") for name in shares])
        axes.invert_yaxis()
        axes.set(xticks=[])
        axes.spines["bottom"].set_visible(False)
        for row, share in enumerate(shares.values()):
            self.note(axes, share, row, f" {100 * share:.0f} %", va="center")

    # ------------------------------------------------------------------ digits

    def inked(self, digit: Pixels, ink: str = "") -> Colours:
        """Return a digit of 0 to 16 as strokes of ink on the theme's ground: (8, 8) -> (8, 8, 4)."""
        share = (np.asarray(digit, float) / 16)[..., None]
        ground, colour = np.array(self.theme.ground), np.array(to_rgba(ink or self.theme.ink))
        opacity = share + (1 - share) * ground[3]
        mixed = (share * colour[:3] + (1 - share) * ground[3] * ground[:3]) / np.maximum(opacity, 1e-9)
        return np.concatenate([mixed, opacity], axis=-1)

    def place(self, axes: Axes, digits: Iterable[tuple[float, float, Colours]], wide: float, high: float) -> None:
        """Draw digits at column and row, in cells of side 1 with a gap, on a sheet so many cells wide and high."""
        for column, row, colours in digits:
            axes.imshow(colours, extent=(column, column + 0.9, row + 0.9, row), interpolation="nearest")
        axes.set(xlim=(0, wide - 0.1), ylim=(high - 0.1, 0), xticks=[], yticks=[])
        axes.set_aspect("equal", anchor="NW")
        axes.spines[:].set_visible(False)

    def sheet(self, axes: Axes, digits: Pixels, across: int, ink: str = "") -> None:
        """Draw digits side by side, row after row."""
        cells = [(i % across, i // across, self.inked(digit, ink)) for i, digit in enumerate(digits)]
        self.place(axes, cells, across, -(-len(digits) // across))

    def frame(self, axes: Axes, column: float, row: float) -> None:
        """Frame the digit of a cell, because it is wrong."""
        box = Rectangle((column - 0.02, row - 0.02), 0.94, 0.94, fill=False, edgecolor=self.theme.alarm, lw=1.2)
        axes.add_patch(box)


def rows_of_digits(theme: Theme, rows: Sequence[tuple[str, Pixels, str]]) -> tuple[Canvas, Axes]:
    """Draw the first digits of each row, with a name on the left and a remark on the right."""
    canvas = Canvas(theme, 1.02)
    axes = canvas.bare((0.158, 0.02, 0.69, 0.96))
    cells = []
    for row, (name, digits, remark) in enumerate(rows):
        cells += [(column, row, canvas.inked(digit)) for column, digit in enumerate(digits[:ACROSS])]
        canvas.heading(axes, -0.2, row + 0.45, name, ha="right", va="center")
        canvas.note(axes, ACROSS + 0.05, row + 0.45, remark, va="center")
    canvas.place(axes, cells, ACROSS, len(rows))
    return canvas, axes
