"""One function for each picture: it reads the files of the working folder and returns what it drew in a theme."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from isthmus import data
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from PIL import Image
from pyarrow import csv
from sklearn.metrics import adjusted_rand_score

from canvas import ACROSS, HUES, Canvas, Pixels, Theme, rows_of_digits
from inputs import PLANTED

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"

CHOSEN = np.random.default_rng(1).permutation(1797)
"""All digits in an order of chance: pictures of some digits take the first."""


def numbers(path: str) -> NDArray[np.float64]:
    """Return a table of numbers as a matrix."""
    return np.column_stack([column.to_numpy() for column in csv.read_csv(path).columns])


def error(these: Pixels, those: Pixels) -> str:
    """Return the squared error of a digit, summed over 64 pixels of 0 to 16, as a mean over all."""
    return f"error {np.square(these.astype(float) - those).sum((1, 2)).mean():,.0f}"


def codes(theme: Theme) -> Figure:
    """Draw digits, the eight numbers that each becomes, and the digits that these become."""
    digits, found = np.load("test.npy"), numbers("codes.csv")[:ACROSS]
    rows = [("digit", digits, "64 numbers"), ("code", 0 * digits, "8 numbers"), ("decoded", np.load("back.npy"), "")]
    canvas, axes = rows_of_digits(theme, rows)
    for column, code in enumerate(found):
        colours = [HUES[7] if number > 0 else HUES[0] for number in code]
        heights = -0.42 * code / np.abs(found).max()
        axes.bar(column + np.linspace(0.03, 0.76, 8), heights, 0.09, 1.45, align="edge", color=colours)
    return canvas.figure


def mapped(theme: Theme) -> Figure:
    """Draw a sheet of digits, and all of them as points on a map."""
    digits, points = data.load("digits"), numbers("points.csv")
    canvas = Canvas(theme, 2.15)
    canvas.sheet(canvas.bare((0.01, 0.03, 0.40, 0.84), "1,797 digits"), digits.array[CHOSEN[:100]], 10)
    canvas.arrow(0.455, 0.45)
    axes = canvas.bare((0.51, 0.03, 0.48, 0.84), "map, coloured by digit")
    for digit, hue in enumerate(HUES):
        own = points[digits.labels == digit]
        axes.scatter(*own.T, s=2.2, color=hue, linewidths=0, alpha=0.9)
        text = axes.text(*np.median(own, axis=0), str(digit), color=theme.ink, fontsize=10, fontweight="bold")
        text.set(ha="center", va="center", path_effects=[withStroke(linewidth=2.5, foreground=theme.paper)])
    return canvas.figure


def clusters(theme: Theme) -> Figure:
    """Draw a hundred digits by chance, and the same by cluster."""
    digits, found = data.load("digits"), csv.read_csv("groups.csv")["cluster"].to_numpy()
    canvas = Canvas(theme, 2.15)
    chosen = CHOSEN[:100]
    canvas.sheet(canvas.bare((0.01, 0.03, 0.40, 0.84), "100 of 1,797 digits"), digits.array[chosen], 10)
    canvas.arrow(0.445, 0.45)
    agreement = adjusted_rand_score(digits.labels, found)
    axes = canvas.bare((0.49, 0.03, 0.50, 0.84), f"by cluster, ARI {agreement:.2f}")
    most = [np.bincount(digits.labels[found == cluster].astype(int)).argmax() for cluster in range(10)]
    cells, widest = [], 0
    for row, cluster in enumerate(np.argsort(most)):
        own = chosen[found[chosen] == cluster]
        widest = max(widest, len(own))
        for column, member in enumerate(own):
            cells.append((column, row, canvas.inked(digits.array[member], HUES[row])))
            if digits.labels[member] != most[cluster]:
                canvas.frame(axes, column, row)
    canvas.place(axes, cells, widest, 10)
    return canvas.figure


def classes(theme: Theme) -> Figure:
    """Draw the fifty digits with a label, and others below the class that was predicted for them."""
    digits, predicted = data.load("digits"), csv.read_csv("classes.csv")["class"].to_numpy()
    known = np.array([line != "" for line in Path("few.csv").read_text(encoding="utf-8").splitlines()[1:]])
    right = (predicted == digits.labels)[~known].mean()
    canvas = Canvas(theme, 2.0)
    labelled = canvas.bare((0.01, 0.03, 0.42, 0.84), "50 digits with a label")
    canvas.arrow(0.475, 0.42)
    others = canvas.bare((0.53, 0.03, 0.46, 0.84), f"{(~known).sum():,} without: {100 * right:.1f} % right")
    for axes, rows, named in ((labelled, known, digits.labels), (others, ~known, predicted)):
        cells = []
        for digit, hue in enumerate(HUES):
            at_top = {"ha": "center", "va": "center", "color": hue, "fontsize": 9, "fontweight": "bold"}
            axes.text(digit + 0.45, 0.45, str(digit), **at_top)
            own = CHOSEN[(rows & (named == digit))[CHOSEN]][:7]
            for row, member in enumerate(own, 1):
                cells.append((digit, row, canvas.inked(digits.array[member])))
                if digits.labels[member] != digit:
                    canvas.frame(axes, digit, row)
        canvas.place(axes, cells, 10, 8)
    return canvas.figure


def outliers(theme: Theme) -> Figure:
    """Draw people by height and weight; then the outliers, and the reason of those that were planted."""
    scores = csv.read_csv("scores.csv").to_pylist()
    height, weight = numbers("people.csv").T
    odd = [row for row, found in enumerate(scores) if found["outlier"]]
    canvas = Canvas(theme, 2.1)
    before = canvas.panel((0.095, 0.17, 0.33, 0.70), "600 people")
    canvas.arrow(0.435, 0.52)
    after = canvas.panel((0.53, 0.17, 0.46, 0.70), f"{len(odd)} outliers, with reasons")
    for axes in (before, after):
        axes.scatter(height, weight, s=3.5, color=theme.muted, linewidths=0, alpha=0.55)
        axes.set(xlim=(130, 205), ylim=(25, 120))
        canvas.names(axes, "height, cm", "weight, kg" if axes is before else "")
    after.scatter(height[odd], weight[odd], s=22, facecolors="none", edgecolors=theme.alarm, linewidths=1.1)
    for row in set(odd) & set(PLANTED):
        reason = scores[row]["reason"].split(";")[0].replace(" (", "\n(")
        light = height[row] > 171  # the text of tall and light people goes below the points, else above them
        x, y = (204, weight[row] - 4) if light else (131, weight[row] + 4)
        text = after.text(x, y, reason, color=theme.alarm, fontsize=7, linespacing=1)
        text.set(ha="right" if light else "left", va="top" if light else "bottom")
    return canvas.figure


def imputed(theme: Theme) -> Figure:
    """Draw rows of a table with empty cells, and the same filled, each number with its interval."""
    holes, filled, whole = (csv.read_csv(name).to_pylist() for name in ("flowers.csv", "complete.csv", "whole.csv"))
    intervals = {(cell["row"], cell["column"]): cell for cell in csv.read_csv("intervals.csv").to_pylist()}
    held = [
        float(cell["low"]) <= whole[row][name] <= float(cell["high"])
        for (row, name), cell in intervals.items()
        if name != "kind"
    ]
    incomplete = sorted({row for row, _ in intervals})
    rows = sorted(np.random.default_rng(3).permutation(incomplete)[:7])
    names = list(whole[0])
    before = [["" if (row, name) in intervals else str(holes[row][name]) for name in names] for row in rows]
    after = [[_cell(filled[row][name], intervals.get((row, name))) for name in names] for row in rows]
    marked = [[(row, name) in intervals for name in names] for row in rows]
    canvas = Canvas(theme, 2.0)
    draw_table(canvas, canvas.bare((0.005, 0.02, 0.455, 0.72)), names, before, marked, theme.alarm)
    draw_table(canvas, canvas.bare((0.54, 0.02, 0.455, 0.72)), names, after, marked, theme.accent)
    canvas.arrow(0.5, 0.38)
    canvas.heading(canvas.figure, 0.008, 0.955, "a tenth of the cells is empty", va="center")
    title = f"90 % intervals: {100 * np.mean(held):.0f} % of {len(held)} hold"
    canvas.heading(canvas.figure, 0.543, 0.955, title, va="center")
    return canvas.figure


def _cell(value: Any, interval: dict[str, Any] | None) -> str:
    """Return what stands in a cell: the ends of its interval where they differ, else its value."""
    if interval is None or interval["low"] == interval["high"]:
        return str(value)
    return f"{interval['low']}\N{EN DASH}{interval['high']}"


def draw_table(
    canvas: Canvas,
    axes: Axes,
    names: Sequence[str],
    texts: Sequence[Sequence[str]],
    marked: Sequence[Sequence[bool]],
    tint: str,
) -> None:
    """Draw a table, its marked cells in a colour; the last column holds words and is wider."""
    edges = np.cumsum([0, *([1] * (len(names) - 1)), 1.5])
    for left, right, name in zip(edges[:-1], edges[1:], names, strict=True):
        canvas.note(axes, (left + right) / 2, -0.15, name.replace(" ", "\n"), ha="center", va="bottom")
    for (row, column), mark in np.ndenumerate(np.array(marked)):
        left, right = edges[column], edges[column + 1]
        fill = to_rgba(tint, 0.22) if mark else canvas.theme.ground
        axes.add_patch(Rectangle((left + 0.03, row + 0.05), right - left - 0.06, 0.9, facecolor=fill))
        text = axes.text((left + right) / 2, row + 0.52, texts[row][column], ha="center", va="center", fontsize=7)
        text.set_color(tint if mark else canvas.theme.ink)
    axes.set(xlim=(0, edges[-1]), ylim=(len(texts), -0.1))


def denoised(theme: Theme) -> Figure:
    """Draw noisy digits, the same denoised, and the originals."""
    noisy, clean, true = (np.load(f"{name}.npy") for name in ("noisy", "clean", "test"))
    rows = [("noisy", noisy, error(noisy, true)), ("denoised", clean, error(clean, true)), ("original", true, "")]
    return rows_of_digits(theme, rows)[0].figure


def inpainted(theme: Theme) -> Figure:
    """Draw digits with a hole, the same filled, and the originals."""
    torn, filled, true = (np.load(f"{name}.npy") for name in ("torn", "filled", "test"))
    rows = [("hole", torn, error(torn, true)), ("filled", filled, error(filled, true)), ("original", true, "")]
    canvas, axes = rows_of_digits(theme, rows)
    side = 0.9 * np.load("mask.npy").any(axis=0).mean()
    for column in range(ACROSS):
        corner = column + (0.9 - side) / 2
        axes.add_patch(Rectangle((corner, (0.9 - side) / 2), side, side, facecolor=to_rgba(theme.alarm, 0.45)))
        around = {"fill": False, "edgecolor": theme.accent, "lw": 0.8}
        axes.add_patch(Rectangle((corner, 1 + (0.9 - side) / 2), side, side, **around))
    return canvas.figure


def restored(theme: Theme) -> Figure:
    """Draw a photograph that was damaged in three ways, and what was made of each."""
    canvas = Canvas(theme, 2.55)
    columns = (
        (("noise", "noisy"), ("denoised", "noisy-denoised")),
        (("a bar is missing", "photo"), ("inpainted", "photo-inpainted")),
        (("80 x 60 pixels", "small"), ("four times as large", "small-enhanced")),
    )
    for column, pair in enumerate(columns):
        for row, (title, name) in enumerate(pair):
            axes = canvas.bare((0.01 + 0.335 * column, 0.51 - 0.5 * row, 0.315, 0.41), title)
            with Image.open(f"{name}.png") as picture:
                axes.imshow(np.asarray(picture), interpolation="antialiased")
    return canvas.figure


def sampled(theme: Theme) -> Figure:
    """Draw digits that the model learned from, and digits that it drew."""
    canvas = Canvas(theme, 1.12)
    real = data.load("digits").array[CHOSEN[:60]]
    canvas.sheet(canvas.bare((0.01, 0.0, 0.44, 0.79), "60 training digits"), real, 12)
    canvas.arrow(0.5, 0.42)
    canvas.sheet(canvas.bare((0.55, 0.0, 0.44, 0.79), "60 new digits"), np.load("new.npy"), 12, theme.accent)
    return canvas.figure


def interpolated(theme: Theme) -> Figure:
    """Draw two digits, and those on the way from one to the other."""
    ends, between = data.load("digits").array[:2], np.load("between.npy")
    canvas = Canvas(theme, 0.62)
    axes = canvas.bare((0.01, 0.0, 0.98, 0.66))
    last = len(between) + 1.6
    cells = [(0.0, 0.0, canvas.inked(ends[0])), (last, 0.0, canvas.inked(ends[1]))]
    cells += [(column + 1.3, 0.0, canvas.inked(digit, theme.accent)) for column, digit in enumerate(between)]
    canvas.place(axes, cells, last + 1, 1)
    for x, title in ((0, "row 0"), (1.3, "decoded codes between them"), (last, "row 1")):
        canvas.heading(axes, x, -0.15, title, va="bottom")
    return canvas.figure


def traversed(theme: Theme) -> Figure:
    """Draw a digit, and what it becomes as each of four latent dimensions goes from low to high."""
    moved = np.load("units.npy")
    steps = len(moved) // 4
    canvas = Canvas(theme, 1.62)
    axes = canvas.bare((0.01, 0.02, 0.98, 0.84))
    cells = [(0.0, 1.5, canvas.inked(data.load("digits").array[0]))]
    cells += [(2.6 + i % steps, i // steps, canvas.inked(digit, theme.accent)) for i, digit in enumerate(moved)]
    canvas.place(axes, cells, steps + 2.6, 4)
    canvas.heading(axes, 0, 1.35, "row 0", va="bottom")
    canvas.heading(axes, 2.6, -0.15, "one latent dimension a row, from low to high", va="bottom")
    canvas.arrow(0.165, 0.44)
    return canvas.figure


def explained(theme: Theme) -> Figure:
    """Draw codes of wines in two latent dimensions, and the columns that drive each."""
    kinds, found = csv.read_csv("wine.csv")["cultivar"].to_numpy(), numbers("wine-codes.csv")
    canvas = Canvas(theme, 2.2)
    axes = canvas.panel((0.095, 0.15, 0.33, 0.73), "codes of 178 wines")
    for kind, hue in zip(sorted(set(kinds)), (HUES[0], HUES[7], HUES[8]), strict=True):
        axes.scatter(*found[kinds == kind].T, s=6, color=hue, linewidths=0, alpha=0.85, label=kind)
    beside = {"bbox_to_anchor": (-0.04, 1.02), "loc": "upper left", "handletextpad": -0.3, "borderpad": 0}
    axes.legend(fontsize=6, labelcolor=theme.muted, frameon=False, **beside)
    canvas.names(axes, "latent dimension 0", "latent dimension 1")
    canvas.arrow(0.445, 0.52)
    units = {unit["unit"]: unit["driven_by"][:4] for unit in json.loads(Path("wine.json").read_text())["units"]}
    for unit, top in ((0, 0.92), (1, 0.45)):
        canvas.heading(canvas.figure, 0.49, top, f"what drives dimension {unit}")
        canvas.bars((0.70, top - 0.36, 0.23, 0.32), {each["name"]: each["share"] for each in units[unit]})
    return canvas.figure


def tuned(theme: Theme) -> Figure:
    """Draw the score of each trial, and how much of the variance between trials each setting explains."""
    found = json.loads(Path("tuned.json").read_text())
    trials = {trial["number"]: trial["value"] for trial in found["trials"] if trial["value"] is not None}
    canvas = Canvas(theme, 2.1)
    axes = canvas.panel((0.115, 0.17, 0.36, 0.70), "trials")
    best = np.maximum.accumulate(list(trials.values()))
    axes.step(list(trials), best, where="post", color=theme.accent, lw=1.2, label="best so far")
    axes.scatter(list(trials), list(trials.values()), s=12, color=theme.muted, linewidths=0)
    usual = found["usual"]
    axes.scatter(usual, trials[usual], s=26, facecolors="none", edgecolors=theme.alarm, lw=1.3, label="defaults")
    axes.legend(fontsize=6.5, labelcolor=theme.muted, frameon=False, loc="lower right", borderpad=0)
    canvas.names(axes, "trial", f"held out, {found['unit']}")
    canvas.arrow(0.535, 0.52)
    canvas.heading(canvas.figure, 0.59, 0.905, "what mattered")
    canvas.bars((0.74, 0.09, 0.19, 0.76), {each["parameter"]: each["importance"] for each in found["effects"][:5]})
    return canvas.figure


def compressed(theme: Theme) -> Figure:
    """Draw the first lines of a text, and what share of its size each tool needs for it."""
    found = json.loads(Path("sizes.json").read_text())
    lines = [line for line in Path("help.txt").read_text().splitlines() if line.strip()][:9]
    canvas = Canvas(theme, 1.7)
    page = canvas.bare((0.02, 0.04, 0.40, 0.82), "100 kB of text")
    for row, line in enumerate(lines):
        text = line if len(line) <= 38 else line[:35] + "..."
        page.text(0, 1 - (row + 0.5) / len(lines), text, color=theme.muted, fontsize=6, family="monospace", va="center")
    canvas.arrow(0.475, 0.46)
    canvas.heading(canvas.figure, 0.52, 0.89, "size of the compressed file")
    shares = {each["tool"].partition(" (")[0]: each["compressed_bytes"] / found["bytes"] for each in found["tools"]}
    canvas.bars((0.66, 0.06, 0.25, 0.78), shares)
    return canvas.figure


def rates(theme: Theme) -> Figure:
    """Draw digits, and the quality that a model and picture formats reach with so many bits."""
    found = json.loads(Path("scans.json").read_text())
    canvas = Canvas(theme, 2.15)
    canvas.sheet(canvas.bare((0.01, 0.03, 0.40, 0.84), "100 of 300 scans"), data.load("digits").array[:100], 10)
    canvas.arrow(0.445, 0.45)
    axes = canvas.panel((0.56, 0.17, 0.42, 0.70), "quality, dB")
    own = found["tool"]
    hues = dict(zip(("JPEG", "WebP", "AVIF", "JPEG XL"), (HUES[7], HUES[2], HUES[5], HUES[3]), strict=True))
    for tool in dict.fromkeys(point["tool"] for point in found["curve"]):
        points = sorted((point["bpp"], point["psnr"]) for point in found["curve"] if point["tool"] == tool)
        name, _, how = tool.partition(", ")
        if tool == own:
            axes.plot(*zip(*points, strict=True), color=theme.accent, lw=2.2, label="isthmus")
        elif how == "one sheet":
            axes.plot(*zip(*points, strict=True), color=hues[name], lw=1.2, label=name)
    axes.set(xscale="log", xticks=(0.1, 0.3, 1, 3), xticklabels=("0.1", "0.3", "1", "3"))
    axes.minorticks_off()
    axes.legend(fontsize=6.5, labelcolor=theme.muted, frameon=False, loc="upper left", borderpad=0)
    canvas.names(axes, "bits a pixel")
    return canvas.figure


def photographs(theme: Theme) -> Figure:
    """Draw the quality that the photographic codec and picture formats reach with so many bits, from the benchmark."""
    found = json.loads((RESULTS / "photographs.json").read_text())["measurements"]["quick"]["means"]
    canvas = Canvas(theme, 2.3)
    hues = {"JPEG": HUES[7], "WebP": HUES[2], "AVIF": HUES[5], "JPEG XL": HUES[3]}
    for box, key, title in (
        ((0.075, 0.16, 0.40, 0.72), "psnr", "PSNR, dB"),
        ((0.575, 0.16, 0.40, 0.72), "ms_ssim_db", "MS-SSIM, dB"),
    ):
        axes = canvas.panel(box, title)
        for tool, hue in hues.items():
            if tool in found:
                axes.plot(found[tool]["bpp"], found[tool][key], color=hue, lw=1.2, label=tool)
        axes.plot(found["isthmus"]["bpp"], found["isthmus"][key], color=theme.accent, lw=2.2, label="isthmus")
        low, high = {"psnr": (24, 42), "ms_ssim_db": (8, 26)}[key]
        axes.set(xlim=(0, 2.5), xticks=(0, 1, 2), ylim=(low, high))
        canvas.names(axes, "bits a pixel")
    handles, labels = axes.get_legend_handles_labels()
    style = {"fontsize": 7, "labelcolor": theme.muted, "frameon": False, "borderpad": 0}
    axes.legend(handles[::-1], labels[::-1], loc="lower right", **style)
    return canvas.figure


def diagnosed(theme: Theme) -> Figure:
    """Draw reconstructions of the model that is wrong, and of the one that the advice gives."""
    true, before, after = data.load("digits").array, np.load("before.npy"), np.load("after.npy")
    rows = [("digit", true, ""), ("before", before, error(before, true)), ("after", after, error(after, true))]
    return rows_of_digits(theme, rows)[0].figure


def parts(theme: Theme) -> Figure:
    """Draw the parts of a model, from the record to the loss."""
    below = {
        "record": "scaled, or\ncorrupted",
        "encoder": "network",
        "code": "a short\nvector",
        "decoder": "network",
        "likelihood": "gives\nthe loss",
    }
    canvas = Canvas(theme, 1.05, 6.9)
    axes = canvas.bare((0.005, 0.02, 0.99, 0.96))
    axes.set(xlim=(-0.42, 4.42), ylim=(-0.95, 0.42))
    for column, (name, remark) in enumerate(below.items()):
        high, tint = (0.16, theme.accent) if name == "code" else (0.3, theme.muted)
        colours = {"facecolor": to_rgba(tint, 0.14), "edgecolor": tint, "lw": 1}
        round_ = "round,pad=0,rounding_size=0.06"
        axes.add_patch(FancyBboxPatch((column - 0.34, -high), 0.68, 2 * high, boxstyle=round_, **colours))
        canvas.heading(axes, column, 0, name, ha="center", va="center")
        canvas.note(axes, column, -0.42, remark, ha="center", va="top")
        if column:
            arrow = {"arrowstyle": "->", "color": theme.muted, "lw": 1.1}
            axes.annotate("", (column - 0.36, 0), (column - 0.64, 0), arrowprops=arrow)
    return canvas.figure
