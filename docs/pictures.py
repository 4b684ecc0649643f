"""Make the pictures of the documentation: each use of isthmus before and after, from the commands that the pages show.

Run it from anywhere; it needs no network and no file, and takes about ten minutes on one core::

    make pictures
    python docs/pictures.py                     # the same
    python docs/pictures.py denoise impute      # some of them
    python docs/pictures.py --keep work         # data, models and results stay in the folder work

Every use has its input, the commands that a reader types, and a drawing of what they read and wrote. Each picture is
written twice into docs/assets/pictures, for the light and for the dark theme, on a transparent ground. Digits are the
1,797 of scikit-learn, of 8 x 8 pixels; the wines and irises are scikit-learn's, the people are made up. Records are
chosen by row or by chance, never by how well they came out.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shlex
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from isthmus import cli, data
from isthmus.report import plots
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from PIL import Image
from pyarrow import csv
from sklearn.datasets import load_iris, load_wine
from sklearn.metrics import adjusted_rand_score

FOLDER = Path(__file__).resolve().parent / "assets" / "pictures"
WIDTH = 4.6  # inches; a picture is shown about 460 pixels wide, so that a point is about 1.4 pixels
DOTS = 200  # per inch: twice what a usual screen shows
ACROSS = 10  # digits side by side in a wide picture

# One for each digit, after Tol's "bright" and "muted" schemes; all stand out on white and on slate.
HUES = ("#4477aa", "#ee6677", "#228833", "#b8a128", "#3aa5c9", "#bb4f96", "#7f8a99", "#ee7733", "#009988", "#8f6f4a")


class Theme(NamedTuple):
    """Colours of one of the two themes.

    Parameters
    ----------
    name : {"light", "dark"}
        Ends the file's name.
    ink : str
        Text and strokes of digits.
    muted : str
        Axes, and points in the background.
    ground : tuple of float
        Behind a digit or a cell, red, green, blue and opacity.
    paper : str
        About the colour of the page, around text on points.
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

Pixels = NDArray[np.uint8]
Drawing = Callable[[Theme], Figure]


class Use(NamedTuple):
    """One use of isthmus.

    Parameters
    ----------
    page : str
        The page of the documentation that shows the commands.
    prepare : callable
        Writes the files that the commands read, in the working folder.
    verb : str
        The command of these that the home page shows.
    commands : tuple of str
        What a reader types.
    draw : callable
        Returns the picture in a theme, from the files of the working folder.
    """

    page: str
    prepare: Callable[[], None]
    verb: str
    commands: tuple[str, ...]
    draw: Drawing

    @property
    def shown(self) -> str:
        """The one command that the home page shows."""
        (command,) = [command for command in self.commands if command.startswith(f"isthmus {self.verb} ")]
        return command


# ---------------------------------------------------------------------------------------------------- data


def split_digits() -> None:
    """Write four fifths of the digits to train on, and the others to try it with."""
    train, test = data.split(data.load("digits"), (0.8, 0.2))
    for name, part in (("train", train), ("test", test)):
        np.save(f"{name}.npy", part.array)


def noisy_digits() -> None:
    """Write held-out digits of which a fifth of the pixels is black or white at random."""
    split_digits()
    digits = np.load("test.npy")
    chance = np.random.default_rng(0).random(digits.shape)
    np.save("noisy.npy", np.where(chance < 0.1, 0, np.where(chance > 0.9, 16, digits)).astype(np.uint8))


def torn_digits() -> None:
    """Write held-out digits without a square of four by four pixels, and the mask of it."""
    split_digits()
    digits = np.load("test.npy")
    hole = np.zeros((8, 8), np.uint8)
    hole[2:6, 2:6] = 1
    np.save("mask.npy", hole)
    np.save("torn.npy", np.where(hole, 0, digits))


def few_labels() -> None:
    """Write the labels of five digits of each class, and an empty line for every other digit."""
    labels = data.load("digits").labels
    order = np.random.default_rng(0).permutation(len(labels))
    known = np.concatenate([order[labels[order] == digit][:5] for digit in range(10)])
    lines = np.full(len(labels), "", object)
    lines[known] = labels[known].astype(str)
    Path("few.csv").write_text("\n".join(["digit", *lines]) + "\n", encoding="utf-8")


def wines() -> None:
    """Write the chemistry of 178 wines of three cultivars."""
    found = load_wine()
    names = [name.replace("od280/od315_of_diluted_wines", "od280/od315") for name in found.feature_names]
    columns = {name: found.data[:, place] for place, name in enumerate(names)}
    csv.write_csv(pa.table(columns | {"cultivar": [f"cultivar {kind + 1}" for kind in found.target]}), "wine.csv")


def irises_with_holes() -> None:
    """Write 150 irises, once whole and once with a tenth of the cells empty."""
    found = load_iris()
    names = [name.removesuffix(" (cm)") for name in found.feature_names]
    columns = {name: found.data[:, place].tolist() for place, name in enumerate(names)}
    columns["kind"] = found.target_names[found.target].tolist()
    csv.write_csv(pa.table(columns), "whole.csv")
    rng = np.random.default_rng(0)
    for name, values in columns.items():
        columns[name] = [None if hidden else value for value, hidden in zip(values, rng.random(150) < 0.1, strict=True)]
    csv.write_csv(pa.table(columns), "flowers.csv")


PLANTED = {17: (158, 98), 203: (188, 51), 411: (151, 79)}  # height and weight by row


def people_with_odd_ones() -> None:
    """Write height and weight of 600 made-up people, of whom three are short and heavy, or tall and light."""
    rng = np.random.default_rng(0)
    height = rng.normal(171, 9, 600)
    weight = 22.5 * (height / 100) ** 2 * np.exp(rng.normal(0, 0.11, 600))
    for row, figures in PLANTED.items():
        height[row], weight[row] = figures
    csv.write_csv(pa.table({"height": height.round().astype(int), "weight": weight.round(1)}), "people.csv")


def nothing() -> None:
    """Write nothing: the commands read a set that isthmus knows by name."""


# ------------------------------------------------------------------------------------------------- drawing


def figure(theme: Theme, height: float) -> Figure:
    """Return an empty transparent figure of the common width."""
    return Figure(figsize=(WIDTH, height), facecolor="none")


def panel(figure: Figure, box: tuple[float, float, float, float], theme: Theme, title: str = "") -> Axes:
    """Return axes in a box of the figure (left, bottom, width, height, as shares), with a title above."""
    axes = figure.add_axes(box, facecolor="none")
    if title:
        axes.set_title(title, loc="left", color=theme.ink, fontsize=8.5, fontweight="bold", pad=5)
    axes.tick_params(colors=theme.muted, labelcolor=theme.muted, labelsize=7.5, length=2.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.muted)
    return axes


def bare(axes: Axes) -> Axes:
    """Take away ticks and spines."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return axes


def inked(pixels: Pixels, theme: Theme, ink: str | None = None) -> NDArray[np.float64]:
    """Return digits of 0 to 16 as strokes of ink on the theme's ground: (..., 8, 8) -> (..., 8, 8, 4)."""
    share = (np.asarray(pixels, float) / 16)[..., None]
    ground, colour = np.array(theme.ground), np.array(to_rgba(ink or theme.ink))
    opacity = share + (1 - share) * ground[3]
    mixed = (share * colour[:3] + (1 - share) * ground[3] * ground[:3]) / np.maximum(opacity, 1e-9)
    return np.concatenate([mixed, opacity], axis=-1)


def place(axes: Axes, digits: Sequence[tuple[float, float, NDArray[np.float64]]], wide: float, high: float) -> None:
    """Draw coloured digits at column and row, each in a cell of side 1 with a small gap, on a sheet of a size."""
    for column, row, colours in digits:
        axes.imshow(colours, extent=(column, column + 0.9, row + 0.9, row), interpolation="nearest")
    axes.set(xlim=(0, wide - 0.1), ylim=(high - 0.1, 0))
    axes.set_aspect("equal", anchor="NW")
    bare(axes)


def named(axes: Axes, x: str, y: str, theme: Theme) -> None:
    """Name the axes."""
    axes.set_xlabel(x, color=theme.muted, fontsize=7.5, labelpad=2)
    axes.set_ylabel(y, color=theme.muted, fontsize=7.5, labelpad=1)


def frame(axes: Axes, column: float, row: float, theme: Theme) -> None:
    """Frame the digit at a place, because it is wrong."""
    box = Rectangle((column - 0.02, row - 0.02), 0.94, 0.94, fill=False, edgecolor=theme.alarm, lw=1.2, zorder=3)
    axes.add_patch(box)


def sheet(axes: Axes, pixels: Pixels, across: int, theme: Theme, ink: str | None = None) -> None:
    """Draw digits side by side, row after row."""
    cells = [(i % across, i // across, inked(digit, theme, ink)) for i, digit in enumerate(pixels)]
    place(axes, cells, across, -(-len(pixels) // across))


def named_rows(theme: Theme, rows: Sequence[tuple[str, Pixels, str]], *, height: float) -> Figure:
    """Draw rows of digits, each with a name on the left and a figure on the right."""
    drawn = figure(theme, height)
    axes = panel(drawn, (0.15, 0.02, 0.69, 0.96), theme)
    cells = [
        (column, row, inked(digit, theme))
        for row, (_, digits, _) in enumerate(rows)
        for column, digit in enumerate(digits)
    ]
    place(axes, cells, len(rows[0][1]), len(rows))
    for row, (name, _, figures) in enumerate(rows):
        axes.text(-0.2, row + 0.45, name, ha="right", va="center", color=theme.ink, fontsize=8.5, fontweight="bold")
        axes.text(len(rows[0][1]) + 0.05, row + 0.45, figures, ha="left", va="center", color=theme.muted, fontsize=8)
    return drawn


def arrow(drawn: Figure, x: float, y: float, theme: Theme) -> None:
    """Draw an arrow from what was to what is."""
    drawn.text(x, y, "\N{RIGHTWARDS ARROW}", ha="center", va="center", color=theme.muted, fontsize=14)


def error(these: Pixels, those: Pixels) -> str:
    """Return the mean squared error of a digit, summed over its 64 pixels of 0 to 16."""
    return f"error {np.square(these.astype(float) - those).sum((1, 2)).mean():,.0f}"


def some(count: int, of: int) -> NDArray[np.int64]:
    """Return rows chosen by chance, the same in every picture."""
    return np.random.default_rng(1).permutation(of)[:count]


def rows_of(path: str) -> NDArray[np.float64]:
    """Return a file of numbers as a matrix."""
    table = csv.read_csv(path)
    return np.column_stack([column.to_numpy() for column in table.columns])


# -------------------------------------------------------------------------------------------------- pictures


def draw_codes(theme: Theme) -> Figure:
    """Digits, the eight numbers that each becomes, and the digits that these become."""
    digits, codes, back = np.load("test.npy")[:ACROSS], rows_of("codes.csv")[:ACROSS], np.load("back.npy")
    drawn = named_rows(
        theme,
        [("digit", digits, "64 numbers"), ("code", digits * 0, "8 numbers"), ("decoded", back[:ACROSS], "64 again")],
        height=1.02,
    )
    (axes,) = drawn.axes
    shades = LinearSegmentedColormap.from_list("codes", [HUES[0], to_rgba(theme.muted, 0.15), HUES[7]])
    height = np.abs(codes).max()
    for column, code in enumerate(codes):
        left = column + np.linspace(0.03, 0.76, 8)
        axes.bar(left, -0.42 * code / height, 0.09, 1.45, align="edge", color=shades(0.5 + np.sign(code) / 2))
    return drawn


def draw_map(theme: Theme) -> Figure:
    """A sheet of digits, and all of them as points on a map."""
    digits, points = data.load("digits"), rows_of("points.csv")[:, -2:]
    drawn = figure(theme, 2.15)
    sheet(bare(panel(drawn, (0.01, 0.03, 0.40, 0.84), theme, "1,797 digits")), digits.array[some(100, 1797)], 10, theme)
    arrow(drawn, 0.455, 0.45, theme)
    axes = bare(panel(drawn, (0.51, 0.03, 0.48, 0.84), theme, "map, coloured by digit"))
    for digit, hue in enumerate(HUES):
        own = points[digits.labels == digit]
        axes.scatter(*own.T, s=2.2, color=hue, linewidths=0, alpha=0.9)
        text = axes.text(*np.median(own, axis=0), str(digit), color=theme.ink, fontsize=10, fontweight="bold")
        text.set(ha="center", va="center", path_effects=[withStroke(linewidth=2.5, foreground=theme.paper)])
    return drawn


def draw_clusters(theme: Theme) -> Figure:
    """A hundred digits in the order of the data, and the same by cluster."""
    digits, clusters = data.load("digits"), csv.read_csv("groups.csv")["cluster"].to_numpy()
    most = [np.bincount(digits.labels[clusters == cluster].astype(int)).argmax() for cluster in range(10)]
    order = np.argsort(most)
    chosen = some(100, 1797)
    drawn = figure(theme, 2.15)
    sheet(bare(panel(drawn, (0.01, 0.03, 0.40, 0.84), theme, "100 of 1,797 digits")), digits.array[chosen], 10, theme)
    arrow(drawn, 0.445, 0.45, theme)
    agreement = adjusted_rand_score(digits.labels, clusters)
    axes = panel(drawn, (0.49, 0.03, 0.50, 0.84), theme, f"by cluster, ARI {agreement:.2f}")
    cells, wide = [], 0
    for row, cluster in enumerate(order):
        own = chosen[clusters[chosen] == cluster]
        wide = max(wide, len(own))
        for column, member in enumerate(own):
            cells.append((column, row, inked(digits.array[member], theme, HUES[row])))
            if digits.labels[member] != most[cluster]:
                frame(axes, column, row, theme)
    place(axes, cells, wide, 10)
    return drawn


def draw_classes(theme: Theme) -> Figure:
    """The fifty digits with a label, and others below the class that was predicted for them."""
    digits = data.load("digits")
    lines = Path("few.csv").read_text(encoding="utf-8").splitlines()[1:]
    known = np.array([bool(line) for line in lines])
    predicted = csv.read_csv("classes.csv")["class"].to_numpy()
    right = predicted == digits.labels
    drawn = figure(theme, 2.0)
    left = panel(drawn, (0.01, 0.03, 0.42, 0.84), theme, "50 digits with a label")
    title = f"{(~known).sum():,} without: {100 * right[~known].mean():.1f} % right"
    after = panel(drawn, (0.53, 0.03, 0.46, 0.84), theme, title)
    arrow(drawn, 0.475, 0.42, theme)
    for axes, rows, classes in ((left, known, digits.labels), (after, ~known, predicted)):
        cells = []
        for digit in range(10):
            own = np.flatnonzero(rows & (classes == digit))
            own = own[np.random.default_rng(digit).permutation(len(own))[:7]]
            axes.text(
                digit + 0.45,
                0.45,
                str(digit),
                ha="center",
                va="center",
                color=HUES[digit],
                fontsize=9,
                fontweight="bold",
            )
            for row, member in enumerate(own, 1):
                cells.append((digit, row, inked(digits.array[member], theme)))
                if axes is after and not right[member]:
                    frame(axes, digit, row, theme)
        place(axes, cells, 10, 8)
    return drawn


def draw_outliers(theme: Theme) -> Figure:
    """Draw people by height and weight; then the outliers, and the reason of those that were planted."""
    people, scores = csv.read_csv("people.csv"), csv.read_csv("scores.csv").to_pylist()
    height, weight = (people[name].to_numpy() for name in ("height", "weight"))
    odd = [row for row, found in enumerate(scores) if found["outlier"]]
    drawn = figure(theme, 2.1)
    for left, wide, title in ((0.095, 0.33, "600 people"), (0.53, 0.46, f"{len(odd)} outliers, with reasons")):
        axes = panel(drawn, (left, 0.17, wide, 0.70), theme, title)
        axes.scatter(height, weight, s=3.5, color=theme.muted, linewidths=0, alpha=0.55)
        axes.set(xlim=(130, 205), ylim=(25, 120))
        named(axes, "height, cm", "" if axes is not drawn.axes[0] else "weight, kg", theme)
    arrow(drawn, 0.435, 0.52, theme)
    axes.scatter(height[odd], weight[odd], s=22, facecolors="none", edgecolors=theme.alarm, linewidths=1.1)
    for row in set(odd) & set(PLANTED):
        reason = scores[row]["reason"].split(";")[0].replace(" (", "\n(")
        light = height[row] > 171  # tall and light: text goes below the points, otherwise above them
        x, y = (204, weight[row] - 4) if light else (131, weight[row] + 4)
        text = axes.text(x, y, reason, color=theme.alarm, fontsize=7, linespacing=1)
        text.set(ha="right" if light else "left", va="top" if light else "bottom")
    return drawn


def draw_table(
    axes: Axes, rows: Sequence[Sequence[str]], marks: Sequence[Sequence[str]], names: Sequence[str], theme: Theme
) -> None:
    """Draw cells of text under names; a mark of a colour tints its cell."""
    edges = np.cumsum([0, *([1] * (len(names) - 1)), 1.5])  # the last column has words
    for left, right, name in zip(edges[:-1], edges[1:], names, strict=True):
        axes.text((left + right) / 2, -0.15, name, ha="center", va="bottom", color=theme.muted, fontsize=7, linespacing=1)
    for row, (texts, tints) in enumerate(zip(rows, marks, strict=True)):
        for left, right, text, tint in zip(edges[:-1], edges[1:], texts, tints, strict=True):
            fill = to_rgba(tint, 0.22) if tint else theme.ground
            axes.add_patch(Rectangle((left + 0.03, row + 0.05), right - left - 0.06, 0.9, facecolor=fill))
            middle = (left + right) / 2
            axes.text(middle, row + 0.52, text, ha="center", va="center", color=tint or theme.ink, fontsize=7)
    axes.set(xlim=(0, edges[-1]), ylim=(len(rows), -0.1))
    bare(axes)


def draw_imputed(theme: Theme) -> Figure:
    """Rows of a table with empty cells, and the same filled, each number with its interval."""
    holes, filled, whole = (csv.read_csv(name).to_pylist() for name in ("flowers.csv", "complete.csv", "whole.csv"))
    intervals = {(row["row"], row["column"]): row for row in csv.read_csv("intervals.csv").to_pylist()}
    names = list(holes[0])
    numbers = [key for key in intervals if key[1] != "kind"]
    hold = np.mean([float(intervals[key]["low"]) <= whole[key[0]][key[1]] <= float(intervals[key]["high"]) for key in numbers])
    chosen = [row for row in range(150) if sum(value in (None, "") for value in holes[row].values()) >= 1]
    chosen = sorted(np.random.default_rng(3).permutation(chosen)[:7])
    before, after, marks_before, marks_after = [], [], [], []
    for row in chosen:
        empty = [holes[row][name] in (None, "") for name in names]
        before.append(["" if gone else str(holes[row][name]) for name, gone in zip(names, empty, strict=True)])
        marks_before.append([theme.alarm if gone else "" for gone in empty])
        texts = []
        for name, gone in zip(names, empty, strict=True):
            value = filled[row][name]
            between = intervals.get((row, name)) if gone and name != "kind" else None
            texts.append(f"{between['low']}\N{EN DASH}{between['high']}" if between else str(value))
        after.append(texts)
        marks_after.append([theme.accent if gone else "" for gone in empty])
    short = [name.replace(" ", "\n") for name in names]
    drawn = figure(theme, 2.0)
    draw_table(panel(drawn, (0.005, 0.02, 0.455, 0.72), theme), before, marks_before, short, theme)
    draw_table(panel(drawn, (0.54, 0.02, 0.455, 0.72), theme), after, marks_after, short, theme)
    arrow(drawn, 0.5, 0.38, theme)
    for x, title in (
        (0.01, "a tenth of the cells is empty"),
        (0.535, f"90 % intervals: {100 * hold:.0f} % of {len(numbers)} hold"),
    ):
        drawn.text(x, 0.955, title, color=theme.ink, fontsize=8.5, fontweight="bold", va="center")
    return drawn


def draw_denoised(theme: Theme) -> Figure:
    """Noisy digits, the same denoised, and the originals."""
    noisy, clean, true = (np.load(f"{name}.npy") for name in ("noisy", "clean", "test"))
    rows = [
        ("noisy", noisy[:ACROSS], error(noisy, true)),
        ("denoised", clean[:ACROSS], error(clean, true)),
        ("original", true[:ACROSS], ""),
    ]
    return named_rows(theme, rows, height=1.02)


def draw_inpainted(theme: Theme) -> Figure:
    """Digits with a hole, the same filled, and the originals."""
    hole, torn, filled, true = (np.load(f"{name}.npy") for name in ("mask", "torn", "filled", "test"))
    rows = [
        ("with a hole", torn[:ACROSS], error(torn, true)),
        ("filled", filled[:ACROSS], error(filled, true)),
        ("original", true[:ACROSS], ""),
    ]
    drawn = named_rows(theme, rows, height=1.02)
    (axes,) = drawn.axes
    for row, column in np.ndindex(2, ACROSS):
        side = 0.9 * hole.any(axis=0).mean()
        style = (
            {"facecolor": to_rgba(theme.alarm, 0.45)}
            if row == 0
            else {"fill": False, "edgecolor": theme.accent, "lw": 0.8}
        )
        axes.add_patch(Rectangle((column + (0.9 - side) / 2, row + (0.9 - side) / 2), side, side, **style))
    return drawn


def draw_new(theme: Theme) -> Figure:
    """Digits that the model learned from, and digits that it drew."""
    real, new = data.load("digits").array, np.load("new.npy")
    drawn = figure(theme, 1.55)
    sheet(panel(drawn, (0.01, 0.03, 0.44, 0.80), theme, "digits learned from"), real[some(60, len(real))], 12, theme)
    arrow(drawn, 0.5, 0.45, theme)
    sheet(panel(drawn, (0.55, 0.03, 0.44, 0.80), theme, "new digits"), new[:60], 12, theme, theme.accent)
    return drawn


def draw_between(theme: Theme) -> Figure:
    """Two digits, and seven on the way from one to the other."""
    ends, between = data.load("digits").array[:2], np.load("between.npy")
    drawn = figure(theme, 0.78)
    axes = panel(drawn, (0.01, 0.02, 0.98, 0.70), theme)
    cells = [(0, 0, inked(ends[0], theme)), (len(between) + 1.6, 0, inked(ends[1], theme))]
    cells += [(column + 1.3, 0, inked(digit, theme, theme.accent)) for column, digit in enumerate(between)]
    place(axes, cells, len(between) + 2.6, 1)
    for x, title in ((0, "row 0"), (1.3, "what the model draws on the way"), (len(between) + 1.6, "row 1")):
        axes.text(x, -0.15, title, color=theme.ink, fontsize=8.5, fontweight="bold", va="bottom")
    return drawn


def draw_traversed(theme: Theme) -> Figure:
    """One digit, and what it becomes as each of four latent dimensions goes from low to high."""
    digit, moved = data.load("digits").array[0], np.load("units.npy")
    steps = len(moved) // 4
    drawn = figure(theme, 1.62)
    axes = panel(drawn, (0.01, 0.02, 0.98, 0.84), theme)
    cells = [(0, 1.5, inked(digit, theme))]
    cells += [(2.6 + i % steps, i // steps, inked(each, theme, theme.accent)) for i, each in enumerate(moved)]
    place(axes, cells, steps + 2.6, 4)
    axes.text(0, 1.35, "row 0", color=theme.ink, fontsize=8.5, fontweight="bold", va="bottom")
    axes.text(
        2.6,
        -0.15,
        "one latent dimension a row, from low to high",
        color=theme.ink,
        fontsize=8.5,
        fontweight="bold",
        va="bottom",
    )
    axes.text(1.75, 1.95, "\N{RIGHTWARDS ARROW}", ha="center", va="center", color=theme.muted, fontsize=14)
    return drawn


def draw_explained(theme: Theme) -> Figure:
    """Codes of wines in two latent dimensions, and the columns that drive each."""
    table, codes, found = csv.read_csv("wine.csv"), rows_of("wine-codes.csv"), json.loads(Path("wine.json").read_text())
    drawn = figure(theme, 2.2)
    axes = panel(drawn, (0.075, 0.15, 0.33, 0.73), theme, "codes of 178 wines")
    kinds = table["cultivar"].to_pylist()
    for kind, hue in zip(sorted(set(kinds)), (HUES[0], HUES[7], HUES[8]), strict=True):
        own = codes[[each == kind for each in kinds]]
        axes.scatter(*own.T, s=6, color=hue, linewidths=0, alpha=0.85, label=kind)
    axes.legend(fontsize=6.5, labelcolor=theme.muted, frameon=False, loc="best", handletextpad=0.1, borderpad=0)
    named(axes, "latent dimension 0", "latent dimension 1", theme)
    arrow(drawn, 0.445, 0.52, theme)
    by_unit = sorted(found["units"], key=lambda unit: unit["unit"])
    for row, unit in enumerate(by_unit):
        axes = panel(drawn, (0.70, 0.56 - 0.47 * row, 0.25, 0.32), theme)
        drawn.text(
            0.49,
            0.92 - 0.47 * row,
            f"what drives dimension {unit['unit']}",
            color=theme.ink,
            fontsize=8.5,
            fontweight="bold",
        )
        drivers = unit["driven_by"][:4]
        axes.barh(range(4), [each["share"] for each in drivers], 0.7, color=theme.accent)
        axes.set_yticks(range(4), [each["name"].replace("_", " ") for each in drivers])
        axes.invert_yaxis()
        axes.set(xticks=[])
        axes.spines["bottom"].set_visible(False)
        for place_, each in enumerate(drivers):
            axes.text(each["share"], place_, f" {each['share']:.0%}", va="center", color=theme.muted, fontsize=7.5)
    return drawn


def draw_tuned(theme: Theme) -> Figure:
    """The score of each trial, and how much of the variance between trials each setting explains."""
    found = json.loads(Path("tuned.json").read_text())
    trials = [trial for trial in found["trials"] if trial["value"] is not None]
    drawn = figure(theme, 2.1)
    axes = panel(drawn, (0.115, 0.17, 0.36, 0.70), theme, "trials")
    numbers, values = [trial["number"] for trial in trials], [trial["value"] for trial in trials]
    best = np.maximum.accumulate(values)
    axes.step(numbers, best, where="post", color=theme.accent, lw=1.2, label="best so far")
    axes.scatter(numbers, values, s=12, color=theme.muted, linewidths=0)
    (usual,) = [trial for trial in trials if trial["usual"]]
    axes.scatter(
        usual["number"],
        usual["value"],
        s=26,
        facecolors="none",
        edgecolors=theme.alarm,
        linewidths=1.3,
        label="defaults",
    )
    axes.legend(fontsize=6.5, labelcolor=theme.muted, frameon=False, loc="lower right", borderpad=0)
    named(axes, "trial", f"held out, {found['unit']}", theme)
    arrow(drawn, 0.535, 0.52, theme)
    effects = found["effects"][:5]
    axes = panel(drawn, (0.74, 0.09, 0.20, 0.76), theme)
    drawn.text(0.59, 0.905, "what mattered", color=theme.ink, fontsize=8.5, fontweight="bold")
    axes.barh(range(len(effects)), [each["importance"] for each in effects], 0.6, color=theme.accent)
    axes.set_yticks(range(len(effects)), [each["parameter"].replace("_", " ") for each in effects])
    axes.invert_yaxis()
    axes.set(xticks=[])
    axes.spines["bottom"].set_visible(False)
    for row, each in enumerate(effects):
        axes.text(each["importance"], row, f" {each['importance']:.0%}", va="center", color=theme.muted, fontsize=7.5)
    return drawn


def draw_diagnosed(theme: Theme) -> Figure:
    """Reconstructions of the model that is wrong, and of the one that the advice gives."""
    true, before, after = data.load("digits").array, np.load("before.npy"), np.load("after.npy")
    rows = [
        ("digit", true[:ACROSS], ""),
        ("beta 1,000", before[:ACROSS], error(before, true)),
        ("as advised", after[:ACROSS], error(after, true)),
    ]
    return named_rows(theme, rows, height=1.02)


def draw_parts(theme: Theme) -> Figure:
    """The parts of a model, from the record to the loss."""
    parts = ("record", "encoder", "code", "decoder", "likelihood")
    below = ("scaled, or\ncorrupted", "network", "the narrow\nstrip", "network", "gives\nthe loss")
    drawn = Figure(figsize=(6.9, 1.05), facecolor="none")
    axes = bare(panel(drawn, (0.005, 0.02, 0.99, 0.96), theme))
    axes.set(xlim=(-0.42, 4.42), ylim=(-0.95, 0.42))
    for column, (name, words) in enumerate(zip(parts, below, strict=True)):
        high = 0.16 if name == "code" else 0.3
        tint = theme.accent if name == "code" else theme.muted
        box = FancyBboxPatch(
            (column - 0.34, -high),
            0.68,
            2 * high,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=to_rgba(tint, 0.14),
            edgecolor=tint,
            lw=1,
        )
        axes.add_patch(box)
        axes.text(column, 0, name, ha="center", va="center", color=theme.ink, fontsize=9.5, fontweight="bold")
        axes.text(column, -0.42, words, ha="center", va="top", color=theme.muted, fontsize=8, linespacing=1.1)
        if column:
            axes.annotate(
                "",
                (column - 0.36, 0),
                (column - 0.64, 0),
                arrowprops={"arrowstyle": "->", "color": theme.muted, "lw": 1.1},
            )
    return drawn


# ------------------------------------------------------------------------------------------------------ uses

FIT_VAE = "isthmus fit digits --model vae --latent-dim 8 --max-epochs 40 --seed 0 -o vae.safetensors -q"

USES: dict[str, Use] = {
    "encode": Use(
        "getting-started.md",
        split_digits,
        "encode",
        (
            "isthmus fit train.npy --latent-dim 8 --max-epochs 40 --seed 0 -o digits.safetensors -q",
            "isthmus encode test.npy -m digits.safetensors -o codes.csv",
            "isthmus decode codes.csv -m digits.safetensors -o back.npy",
        ),
        draw_codes,
    ),
    "map": Use(
        "mapping.md",
        nothing,
        "map",
        (
            "isthmus map digits -o digits-map.html --save digits-map.safetensors",
            "isthmus encode digits -m digits-map.safetensors -o points.csv",
        ),
        draw_map,
    ),
    "cluster": Use(
        "clustering.md", nothing, "cluster", ("isthmus cluster digits --clusters 10 -o groups.csv",), draw_clusters
    ),
    "classify": Use(
        "classifying.md",
        few_labels,
        "classify fit",
        (
            "isthmus classify fit digits --labels few.csv --test 0 --save digits-classes.safetensors",
            "isthmus classify predict digits -m digits-classes.safetensors -o classes.csv",
        ),
        draw_classes,
    ),
    "detect": Use(
        "detecting.md", people_with_odd_ones, "detect", ("isthmus detect people.csv -o scores.csv",), draw_outliers
    ),
    "impute": Use(
        "imputing.md",
        irises_with_holes,
        "impute",
        ("isthmus impute flowers.csv -o complete.csv --intervals intervals.csv",),
        draw_imputed,
    ),
    "denoise": Use(
        "models/denoising.md",
        noisy_digits,
        "denoise",
        (
            "isthmus fit train.npy --model denoising-autoencoder --set corruption=salt-and-pepper"
            " --max-epochs 60 --seed 0 -o denoiser.safetensors -q",
            "isthmus denoise noisy.npy -m denoiser.safetensors -o clean.npy",
        ),
        draw_denoised,
    ),
    "inpaint": Use(
        "models/denoising.md",
        torn_digits,
        "inpaint",
        (
            "isthmus fit train.npy --model denoising-autoencoder --set corruption=holes"
            " --max-epochs 60 --seed 0 -o filler.safetensors -q",
            "isthmus inpaint torn.npy --mask mask.npy -m filler.safetensors -o filled.npy",
        ),
        draw_inpainted,
    ),
    "sample": Use(
        "sampling.md",
        nothing,
        "sample",
        (FIT_VAE, "isthmus sample -m vae.safetensors --n 60 -o new.npy"),
        draw_new,
    ),
    "interpolate": Use(
        "sampling.md",
        nothing,
        "interpolate",
        (FIT_VAE, "isthmus interpolate digits -m vae.safetensors --rows 0,1 -o between.npy"),
        draw_between,
    ),
    "traverse": Use(
        "sampling.md",
        nothing,
        "traverse",
        (FIT_VAE, "isthmus traverse digits -m vae.safetensors --units 4 -o units.npy"),
        draw_traversed,
    ),
    "explain": Use(
        "explaining.md",
        wines,
        "explain",
        (
            "isthmus fit wine.csv --labels cultivar --model vae --latent-dim 2 --max-epochs 100 --seed 0 -o wine.safetensors -q",
            "isthmus encode wine.csv --labels cultivar -m wine.safetensors -o wine-codes.csv",
            "isthmus explain wine.csv --labels cultivar -m wine.safetensors --rows all --json > wine.json",
        ),
        draw_explained,
    ),
    "tune": Use(
        "tuning.md",
        nothing,
        "tune",
        ("isthmus tune digits --models vae --trials 20 --set max_epochs=3 --json > tuned.json",),
        draw_tuned,
    ),
    "doctor": Use(
        "doctor.md",
        nothing,
        "doctor",
        (
            "isthmus fit digits --model vae --beta 1000 --latent-dim 8 --max-epochs 12 --seed 0 -o vae.safetensors -q",
            "isthmus doctor vae.safetensors digits",
            "isthmus fit digits --model vae --latent-dim 8 --max-epochs 12 --seed 0 --output vae-2.safetensors -q",
            "isthmus reconstruct digits -m vae.safetensors -o before.npy",
            "isthmus reconstruct digits -m vae-2.safetensors -o after.npy",
        ),
        draw_diagnosed,
    ),
}
OVERVIEW = ("map", "cluster", "classify", "detect", "sample", "impute", "denoise", "inpaint")
GAP = 60  # pixels between the pictures of the overview

FINDS = {"doctor"}  # a verb that ends with exit code 1 where it found something


def typed(command: str) -> None:
    """Run a command of isthmus as a shell would, with its output in a file where it says so."""
    command, _, target = command.partition(" > ")
    words = shlex.split(command)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = cli.main(words[1:])
    if code != (1 if words[1] in FINDS else 0):
        raise SystemExit(f"{command}: exit code {code}")
    if target:
        Path(target).write_text(printed.getvalue(), encoding="utf-8")


def write(name: str, draw: Drawing) -> None:
    """Write a picture for both themes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for theme in (LIGHT, DARK):
        with rc_context(plots.STYLE):
            drawn = draw(theme)
            png = io.BytesIO()
            drawn.savefig(png, format="png", dpi=DOTS, transparent=True)
        with Image.open(png) as picture:
            keep(picture, name, theme)


def keep(picture: Image.Image, name: str, theme: Theme) -> None:
    """Write a picture as WebP and print its size."""
    path = FOLDER / f"{name}-{theme.name}.webp"
    picture.save(path, lossless=True)
    print(f"{path.relative_to(FOLDER.parents[2])}: {path.stat().st_size / 1000:.0f} kB", flush=True)


def write_overview() -> None:
    """Write one picture of those that are named in OVERVIEW, two in a row."""
    for theme in (LIGHT, DARK):
        parts = [Image.open(FOLDER / f"{name}-{theme.name}.webp").convert("RGBA") for name in OVERVIEW]
        rows = [parts[at : at + 2] for at in range(0, len(parts), 2)]
        heights = [max(part.height for part in row) for row in rows]
        whole = Image.new("RGBA", (2 * parts[0].width + GAP, sum(heights) + GAP * (len(rows) - 1)))
        for row, top in zip(rows, np.cumsum([0, *heights]) + GAP * np.arange(len(rows) + 1), strict=False):
            for column, part in enumerate(row):
                whole.paste(part, (column * (part.width + GAP), int(top)))
        keep(whole, "overview", theme)


def main() -> None:
    """Make all pictures, or those that are named."""
    parser = argparse.ArgumentParser(description="Make the pictures of the documentation.")
    parser.add_argument("names", nargs="*", choices=[*USES, "parts", "overview", []], help="some; by default all")
    parser.add_argument(
        "--keep",
        metavar="FOLDER",
        type=Path,
        help="keep data, models and results here; commands that left results there do not run again",
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name in given.names or [*USES, "parts", "overview"]:
            if name not in USES:
                write(name, draw_parts) if name == "parts" else write_overview()
                continue
            folder = (given.keep or Path(temporary)).resolve() / name
            made = folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.chdir(folder):
                if not made:
                    USES[name].prepare()
                    for command in USES[name].commands:
                        print(f"$ {command}", flush=True)
                        typed(command)
                write(name, USES[name].draw)


if __name__ == "__main__":
    main()
