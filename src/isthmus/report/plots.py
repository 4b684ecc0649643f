"""The figures of a report: each function takes plain arrays and returns a matplotlib ``Figure``.

Nothing here touches pyplot, shows a window or changes a global setting beyond the drawing itself. Classes take the
Okabe-Ito colours, which people with any common colour vision tell apart, and a second marker where there are more
classes than colours; maps take cividis. :data:`INK` is the one colour of all text and lines, so that a page can
replace it by its own, light or dark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import NDArray

__all__ = [
    "COLOURS",
    "INK",
    "MAX_CLASSES",
    "code_scatter",
    "column_errors",
    "displayed",
    "entries_used",
    "error_distribution",
    "image_grid",
    "level_kl",
    "loss_curves",
    "marginals",
    "parity",
    "picture_rows",
    "player_losses",
    "style",
    "tidy",
    "unit_kl",
    "unit_variances",
]

INK = "#1b2330"
"""Text, axes and thin lines."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8f4f2a", "#7e57c2")
"""Okabe & Ito 2008 without black, which is text, and yellow, which is lost on white; and two more that stand out."""

MARKERS = ("o", "^", "s")
MAX_CLASSES = len(COLOURS) * len(MARKERS)
"""Classes that a scatter can tell apart; with more it is drawn in one colour."""

MODEL, RIVAL, PLAIN = COLOURS[0], COLOURS[1], "#8a93a3"
"""The model, the baseline to beat, and what stays in the background."""

GAME = {"train_critic_loss": RIVAL, "train_generator_loss": MODEL, "train_critic_penalty": PLAIN}
"""What players lower that others raise, and what keeps a critic's slopes small; with the colours of their curves."""

GRID_SIDE = 64  # pixels of a side of small pictures in rows

STYLE: Any = {  # matplotlib settings by name
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "grid.alpha": 0.14,
    "grid.color": INK,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "isthmus",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.color": INK,
    "ytick.labelsize": 8.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style inside the block; the user's settings come back at its end."""
    with mpl.rc_context(STYLE):
        yield


def _styled(function: Callable[..., Figure]) -> Callable[..., Figure]:
    """Run a plot function inside :func:`style`."""
    from functools import wraps

    @wraps(function)
    def inside(*args: Any, **options: Any) -> Figure:
        with style():
            return function(*args, **options)

    return inside


@_styled
def loss_curves(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw training and validation loss over the epochs, and the learning rate under them.

    Parameters
    ----------
    history : sequence of dict
        A model's ``history_``: ``epoch``, ``train_loss``, ``validation_loss`` (nats per record), ``learning_rate``.

    Returns
    -------
    Figure
        Two panels over one axis of epochs; one where no learning rate was recorded.
    """
    epochs = _column(history, "epoch", default=np.arange(1.0, len(history) + 1))
    rate = _column(history, "learning_rate")
    with_rate = bool(np.isfinite(rate).any())
    figure = Figure(figsize=(9.4, 3.9 if with_rate else 3.1), layout="constrained")
    if with_rate:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
        lower.plot(epochs, rate, color=PLAIN, linewidth=1.4, marker="o" if len(epochs) == 1 else None)
        lower.set(ylabel="learning rate", xlabel="epoch", ylim=(0, None))
        lower.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
        lower.yaxis.get_offset_text().set_size(8)
        lower.yaxis.set_major_locator(MaxNLocator(2))
        lower.grid(axis="y")
    else:
        upper = figure.subplots()
        upper.set_xlabel("epoch")
    curves = {"training": _column(history, "train_loss"), "validation": _column(history, "validation_loss")}
    for colour, (name, values) in zip((PLAIN, MODEL), curves.items(), strict=True):
        if np.isfinite(values).any():
            upper.plot(epochs, values, color=colour, label=name, marker="o" if len(epochs) == 1 else None)
    _mark_best(upper, epochs, curves["validation"])
    upper.set_ylabel("loss, nats per record")
    _loss_limits(upper, [values[np.isfinite(values)] for values in curves.values()])
    upper.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    upper.grid(axis="y")
    upper.legend(loc="upper right")
    return figure


@_styled
def image_grid(
    originals: Sequence[NDArray[Any]],
    reconstructions: Sequence[NDArray[Any]],
    captions: Sequence[str],
    *,
    unit: str = "",
) -> Figure:
    """Draw images over their reconstructions over maps of the absolute error, all on one scale.

    Parameters
    ----------
    originals, reconstructions : sequence of ndarray, shape (height, width) or (height, width, channels)
        Pairs of images; one and three channels are shown as they are, four as RGB with opacity, any other number as
        the mean over the channels.
    captions : sequence of str
        A line over each column.
    unit : str, default=""
        Of the values, for the scale of the error maps.

    Returns
    -------
    Figure
        Three rows, a column an image, and the scale of the error maps.
    """
    count = len(originals)
    low = min(float(np.min(image)) for image in originals)
    high = max(float(np.max(image)) for image in originals)
    maps = [_error_map(x, y) for x, y in zip(originals, reconstructions, strict=True)]
    worst = max(float(error.max()) for error in maps) or 1.0
    tallest = min(1.3, max(image.shape[0] / image.shape[1] for image in originals))
    side = min(8.4 / count, 1.6)  # inches across for one image
    layout = ConstrainedLayoutEngine(w_pad=0.015, h_pad=0.02, wspace=0.02, hspace=0.02)
    figure = Figure(figsize=(9.4, 3.0 * (side * max(tallest, 0.35) + 0.05) + 0.8), layout=layout)
    grid = figure.subplots(3, count, squeeze=False)
    drawn = None
    for column in range(count):
        caption = tidy(captions[column], 14)
        grid[0, column].set_title(caption, fontweight="normal", fontsize=8.5, loc="center")
        for row, image in enumerate((originals[column], reconstructions[column])):
            shown = displayed(image, low, high)
            grid[row, column].imshow(shown, cmap="gray", vmin=0.0, vmax=1.0, interpolation="none")
        error = _smaller(maps[column])
        drawn = grid[2, column].imshow(error, cmap="cividis", vmin=0.0, vmax=worst, interpolation="none")
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[], anchor="N")
        axes.spines[:].set_visible(False)
    for row, name in enumerate(("original", "reconstruction", "error")):
        grid[row, 0].set_ylabel(name, fontsize=8.5, rotation=0, ha="right", va="center")
    if drawn is not None:
        bar = figure.colorbar(
            drawn, ax=list(grid[2]), orientation="horizontal", aspect=60, pad=0.03, shrink=0.5, panchor=False
        )
        bar.set_label(f"absolute error{', ' + unit if unit else ''}", fontsize=8.5)
        bar.outline.set_visible(False)
    return figure


@_styled
def parity(
    original: NDArray[Any], reconstruction: NDArray[Any], names: Sequence[str], explained: Sequence[float]
) -> Figure:
    """Draw reconstructed against original values, a panel a column; a perfect model puts every point on the line.

    Parameters
    ----------
    original, reconstruction : ndarray, shape (n, columns)
        Values in the data's units.
    names : sequence of str
        A title for each panel.
    explained : sequence of float
        Share of each column's variance that the reconstruction explains, for the titles.

    Returns
    -------
    Figure
        Up to three panels a row.
    """
    columns = original.shape[1]
    across = min(3, columns)
    down = -(-columns // across)
    figure = Figure(figsize=(9.4, 2.9 * down + 0.2), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False)
    for index, axes in enumerate(panels.flat):
        if index >= columns:
            axes.set_visible(False)
            continue
        x, y = original[:, index], reconstruction[:, index]
        low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
        margin = 0.04 * (high - low) or 1.0
        limits = (low - margin, high + margin)
        axes.plot(limits, limits, color=INK, linewidth=0.8, alpha=0.55)
        axes.plot(x, y, "o", color=MODEL, markersize=3.2, alpha=0.45, markeredgewidth=0)
        axes.set(xlim=limits, ylim=limits, aspect="equal")
        axes.set_title(f"{tidy(names[index])}, R² {explained[index]:.3f}", fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.grid()
    figure.supxlabel("original", fontsize=9)
    figure.supylabel("reconstruction", fontsize=9)
    return figure


@_styled
def column_errors(names: Sequence[str], errors: Mapping[str, NDArray[np.float64]]) -> Figure:
    """Draw how much of each column is lost, the model beside a baseline.

    Parameters
    ----------
    names : sequence of str
        Columns, from top to bottom.
    errors : mapping of str to ndarray, shape (columns,)
        By method, the model first: error as a share of what giving back the mean record loses (1 is useless).

    Returns
    -------
    Figure
        One line a column.
    """
    figure = Figure(figsize=(9.4, 0.27 * len(names) + 1.1), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(names))
    top = max(1.05, min(1.6, 1.05 * max((float(np.max(values)) for values in errors.values()), default=1.0)))
    axes.axvline(1.0, color=INK, linewidth=0.8, alpha=0.6, linestyle=(0, (4, 3)))
    looks = ((MODEL, "o", MODEL, 6.5), (RIVAL, "D", "none", 5.5))
    for (colour, marker, face, size), (name, values) in zip(looks, errors.items(), strict=False):
        axes.plot(
            np.minimum(values, top), places, marker, color=colour, markerfacecolor=face, markersize=size, label=name
        )
    both = np.stack([np.minimum(values, top) for values in list(errors.values())[:2]])
    axes.hlines(places, both.min(axis=0), both.max(axis=0), color=PLAIN, linewidth=1.0, alpha=0.6, zorder=0)
    axes.set_yticks(places, [tidy(name, 28) for name in names])
    axes.set(xlim=(-0.012 * top, 1.012 * top), ylim=(len(names) - 0.4, -0.6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.set_xlabel("error as a share of the mean record's (dashed: nothing learnt)")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    figure.legend(loc="outside upper left", ncols=2)
    return figure


@_styled
def error_distribution(errors: Mapping[str, NDArray[np.float64]], label: str) -> Figure:
    """Draw how the error is distributed over the held-out records, by method.

    Parameters
    ----------
    errors : mapping of str to ndarray, shape (n,)
        Error of every record by method, the model first.
    label : str
        What is measured, with its unit.

    Returns
    -------
    Figure
        Step histograms over common bins; the last bin holds everything beyond the 99.5 % quantile.
    """
    figure = Figure(figsize=(4.6, 3.3), layout="constrained")
    axes = figure.subplots()
    together = np.concatenate(list(errors.values()))
    high = float(np.quantile(together, 0.995)) or 1.0
    bins = np.linspace(min(0.0, float(together.min())), high, 41)
    for colour, (name, values) in zip((MODEL, RIVAL, PLAIN), errors.items(), strict=False):
        counts, _ = np.histogram(np.minimum(values, high), bins)
        share = 100.0 * counts / max(len(values), 1)
        axes.stairs(share, bins, color=colour, linewidth=1.6, label=tidy(name, 30))
        if colour == MODEL:
            axes.stairs(share, bins, color=colour, fill=True, alpha=0.18)
    axes.set(xlabel=label, ylabel="records, %", xlim=(bins[0], bins[-1]), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    if high >= 1e5:
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(axis="y")
    axes.legend(loc="best")
    return figure


@_styled
def code_scatter(
    scores: NDArray[np.float64], shares: NDArray[np.float64], labels: NDArray[Any] | None = None
) -> Figure:
    """Draw codes along their first two principal components, coloured by class.

    Parameters
    ----------
    scores : ndarray, shape (n, 2)
        Coordinates along the two directions of largest variance.
    shares : ndarray, shape (2,)
        Fractions of the code's variance along them.
    labels : ndarray, shape (n,), optional
        Classes; numbers with more values than there are colours are drawn on a scale, other labels of that many
        values are left out.

    Returns
    -------
    Figure
        A scatter with a legend, or with a scale.
    """
    figure = Figure(figsize=(5.4, 4.2), layout="constrained")
    axes = figure.subplots()
    look: dict[str, Any] = {"s": 13, "alpha": 0.8, "linewidths": 0}
    classes = None if labels is None else _classes(labels)
    if labels is not None and classes is not None and len(classes) <= MAX_CLASSES:
        for index, value in enumerate(classes):
            chosen = labels == value
            colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index // len(COLOURS)]
            axes.scatter(
                scores[chosen, 0], scores[chosen, 1], color=colour, marker=marker, label=tidy(str(value), 16), **look
            )
        columns = 1 + (len(classes) - 1) // 14
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), ncols=columns, markerscale=1.6, handletextpad=0.1)
    elif labels is not None and labels.dtype.kind in "iuf":
        drawn = axes.scatter(scores[:, 0], scores[:, 1], c=labels.astype(float), cmap="viridis", **look)
        figure.colorbar(drawn, ax=axes, pad=0.02, aspect=30).outline.set_visible(False)
    else:
        axes.scatter(scores[:, 0], scores[:, 1], color=MODEL, **(look | {"alpha": 0.55}))
    axes.set_xlabel(f"first principal component of the codes ({100 * shares[0]:.0f} % of variance)")
    axes.set_ylabel(f"second ({100 * shares[1]:.0f} %)")
    axes.grid()
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    return figure


@_styled
def unit_variances(variance: NDArray[np.float64], threshold: float) -> Figure:
    """Draw the variance of every unit of the code over the records, largest first, and the line of activity.

    Parameters
    ----------
    variance : ndarray, shape (units,)
        In squared units of the code.
    threshold : float
        Units above it are active.

    Returns
    -------
    Figure
        Bars on a logarithmic scale; a filled curve where there are more than 64 units.
    """
    figure = Figure(figsize=(4.6, 3.3), layout="constrained")
    axes = figure.subplots()
    ordered = np.sort(variance)[::-1]
    top = max(float(ordered[0]), threshold, 1e-12)
    floor = min(0.3 * threshold, 0.5 * top) if threshold > 0 else 1e-3 * top
    heights = np.maximum(ordered, floor)
    places = np.arange(1, len(ordered) + 1)
    active = ordered > threshold
    if len(ordered) <= 64:
        axes.bar(places[active], heights[active] - floor, bottom=floor, color=MODEL, width=0.78, label="active")
        if not active.all():
            passive = ~active
            axes.bar(places[passive], heights[passive] - floor, bottom=floor, color=PLAIN, width=0.78, label="inactive")
    else:
        axes.fill_between(places, floor, heights, step="mid", color=MODEL, alpha=0.35, linewidth=0)
        axes.step(places, heights, where="mid", color=MODEL, linewidth=1.4)
    axes.axhline(threshold, color=RIVAL, linewidth=1.2, linestyle=(0, (4, 3)), label="threshold")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set(ylim=(floor, 1.6 * top), xlabel="unit of the code, by variance", ylabel="variance over records")
    axes.set_xlim(0.3, len(ordered) + 0.7)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.grid(axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=3, columnspacing=1.2)
    return figure


@_styled
def unit_kl(nats: NDArray[np.float64], active: NDArray[np.bool_]) -> Figure:
    """Draw what each unit of a code says of the record: its divergence from the prior, largest first.

    Parameters
    ----------
    nats : ndarray, shape (units,)
        Means over records.
    active : ndarray of bool, shape (units,)
        Which of them vary with the record.

    Returns
    -------
    Figure
        Bars, with the numbers of the units where there are few; a filled curve where there are more than 64.
    """
    figure = Figure(figsize=(4.6, 3.3), layout="constrained")
    axes = figure.subplots()
    order = np.argsort(-nats, kind="stable")
    places = np.arange(1, len(nats) + 1)
    if len(nats) <= 64:
        for chosen, colour, name in ((active, MODEL, "active"), (~active, PLAIN, "inactive")):
            if chosen.any():
                axes.bar(places[chosen[order]], nats[order][chosen[order]], color=colour, width=0.78, label=name)
    else:
        axes.fill_between(places, 0.0, nats[order], step="mid", color=MODEL, alpha=0.35, linewidth=0)
        axes.step(places, nats[order], where="mid", color=MODEL, linewidth=1.4, label=f"{int(active.sum())} active")
    if len(nats) <= 24:
        axes.set_xticks(places, [str(unit) for unit in order])
        axes.tick_params(axis="x", length=0)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set(xlabel="unit of the code, by KL" if len(nats) > 24 else "unit of the code", ylabel="KL, nats per record")
    axes.set(xlim=(0.3, len(nats) + 0.7), ylim=(0, None))
    axes.grid(axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=2, columnspacing=1.2)
    return figure


@_styled
def level_kl(nats: NDArray[np.float64]) -> Figure:
    """Draw what each level of a hierarchy of codes says of the record: its divergence from its prior.

    Parameters
    ----------
    nats : ndarray, shape (levels,)
        Means over records, from the top.

    Returns
    -------
    Figure
        A bar a level, with its figure.
    """
    figure = Figure(figsize=(4.6, 0.34 * len(nats) + 0.9), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(nats))
    bars = axes.barh(places, nats, color=MODEL, height=0.66)
    axes.bar_label(bars, [f"{value:.2f}" for value in nats], padding=4, fontsize=8.5, color=INK)
    names = [str(place + 1) for place in places]
    names[0] += ", top"
    axes.set_yticks(places, names)
    axes.set(xlim=(0, 1.16 * max(float(nats.max()), 1e-12)), ylim=(len(nats) - 0.4, -0.6))
    axes.set(xlabel="KL, nats per record", ylabel="level")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return figure


@_styled
def player_losses(history: Sequence[Mapping[str, Any]], even: float | None = None) -> Figure:
    """Draw what each player of a game lowers, over the epochs: the game on the left, everything else on the right.

    Parameters
    ----------
    history : sequence of dict
        A model's ``history_``: ``train_critic_loss``, ``train_generator_loss``, ``train_critic_penalty``, and terms
        of other players in nats per record.
    even : float, optional
        The loss of both players where neither wins.

    Returns
    -------
    Figure
        Two panels over one axis of epochs; one where the game is all there is.
    """
    epochs = _column(history, "epoch", default=np.arange(1.0, len(history) + 1))
    game = [key for key in GAME if key in history[-1]]
    others = [key for key in _terms_of_players(history[-1]) if key not in GAME]
    figure = Figure(figsize=(9.4, 3.3), layout="constrained")
    panels = figure.subplots(1, 2 if others else 1, squeeze=False)[0]
    marker = "o" if len(epochs) == 1 else None
    for axes, keys, colours in zip(panels, (game, others), ([GAME[key] for key in game], COLOURS[2:]), strict=False):
        for key, colour in zip(keys, colours, strict=False):
            name = key.removeprefix("train_").replace("_", ", ", 1).replace("_", " ")
            axes.plot(epochs, _column(history, key), color=colour, label=name, marker=marker)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.grid(axis="y")
        _loss_limits(axes, [_column(history, key) for key in keys])
    if even is not None:
        panels[0].axhline(even, color=INK, linewidth=1.0, linestyle=(0, (4, 3)), label="log 2: neither wins")
    for axes, title, unit in zip(panels, ("the game", "beside the game"), ("loss", "nats per record"), strict=False):
        axes.set_title(title)
        axes.set_ylabel(unit)
        axes.legend(loc="best")
    return figure


@_styled
def entries_used(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw how many codebook entries are used, over the epochs.

    Parameters
    ----------
    history : sequence of dict
        A model's ``history_``: ``perplexity``, ``used_entries``, ``dead_entries``.

    Returns
    -------
    Figure
        Three curves.
    """
    epochs = _column(history, "epoch", default=np.arange(1.0, len(history) + 1))
    figure = Figure(figsize=(9.4, 2.7), layout="constrained")
    axes = figure.subplots()
    for key, colour in (("used_entries", MODEL), ("perplexity", COLOURS[2]), ("dead_entries", RIVAL)):
        marker = "o" if len(epochs) == 1 else None
        axes.plot(epochs, _column(history, key), color=colour, label=key.replace("_", " "), marker=marker)
    axes.set(xlabel="epoch", ylabel="entries", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.grid(axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=3, columnspacing=1.4)
    return figure


@_styled
def picture_rows(
    rows: Sequence[Sequence[NDArray[Any]]], names: Sequence[str], captions: Sequence[str], *, apart: str = ""
) -> Figure:
    """Draw pictures of one size in rows and columns, all on one scale.

    Parameters
    ----------
    rows : sequence of sequence of ndarray, shape (height, width) or (height, width, channels)
        Pictures, row by row.
    names : sequence of str
        Left of each row; none where it is empty.
    captions : sequence of str
        Over each column.
    apart : {"", "first", "ends"}, default=""
        Which columns stand apart from the others: none, the first, or the first and the last.

    Returns
    -------
    Figure
        One image with clear gaps, so that it takes little room on a page.
    """
    low = min(float(np.min(picture)) for row in rows for picture in row)
    high = max(float(np.max(picture)) for row in rows for picture in row)
    shown = [[_in_colour(displayed(picture, low, high, side=GRID_SIDE)) for picture in row] for row in rows]
    height, width = shown[0][0].shape[:2]
    gap = max(1, round(max(height, width) / 12))
    left = [column * (width + gap) for column in range(len(captions))]
    if apart:
        last = len(left) - 1 if apart == "ends" else len(left)
        left = [place + 3 * gap * ((column > 0) + (column == last)) for column, place in enumerate(left)]
    top = [row * (height + gap) for row in range(len(rows))]
    sheet = np.zeros((top[-1] + height, left[-1] + width, 4))
    for y, row in zip(top, shown, strict=True):
        for x, picture in zip(left, row, strict=True):
            sheet[y : y + height, x : x + width] = picture
    across = min(8.6 if any(names) else 9.3, 0.9 * len(captions))  # inches
    figure = Figure(figsize=(9.4, across * sheet.shape[0] / sheet.shape[1] + 0.3), layout="constrained")
    axes = figure.subplots()
    axes.imshow((255 * sheet).round().astype(np.uint8), interpolation="none")
    axes.set_xticks([x + (width - 1) / 2 for x in left], [tidy(text, 14) for text in captions])
    axes.set_yticks([y + (height - 1) / 2 for y in top], list(names) or [""] * len(top))
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.set_anchor("W")
    return figure


@_styled
def marginals(columns: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw how columns are distributed, in new records and in real ones.

    Parameters
    ----------
    columns : sequence of dict
        ``name``, ``score``, ``real`` and ``new``, shares; of numbers ``edges`` of bins and, of dates, ``ends``; of
        categories ``values``.

    Returns
    -------
    Figure
        Three panels a row.
    """
    down = -(-len(columns) // 3)
    figure = Figure(figsize=(9.4, 2.15 * down + 0.4), layout="constrained")
    panels = figure.subplots(down, 3, squeeze=False)
    for axes, column in zip(panels.flat, columns, strict=False):
        (_histograms if column["kind"] == "number" else _pairs_of_bars)(axes, column)
        axes.set_title(f"{tidy(column['name'], 20)}, {column['score']:.2f}", fontsize=9)
    for axes in panels.flat[len(columns) :]:
        axes.set_visible(False)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2, columnspacing=1.4)
    return figure


def _histograms(axes: Axes, column: Mapping[str, Any]) -> None:
    edges = np.array(column["edges"])
    axes.stairs(100.0 * np.array(column["real"]), edges, color=PLAIN, fill=True, alpha=0.45, label="real")
    axes.stairs(100.0 * np.array(column["new"]), edges, color=MODEL, linewidth=1.6, label="new")
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, None))
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=float(edges[1] - edges[0]).is_integer()))
    if column["ends"]:
        axes.set_xticks([edges[0], edges[-1]], column["ends"])
        first, last = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
    elif np.abs(edges).max() >= 1e5:
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def _pairs_of_bars(axes: Axes, column: Mapping[str, Any]) -> None:
    places = np.arange(len(column["values"]))
    axes.barh(places - 0.19, 100.0 * np.array(column["real"]), height=0.36, color=PLAIN, alpha=0.6, label="real")
    axes.barh(places + 0.19, 100.0 * np.array(column["new"]), height=0.36, color=MODEL, label="new")
    axes.set_yticks(places, [tidy(str(value), 16) for value in column["values"]])
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(FuncFormatter(_percent))
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _percent(value: float, _: Any) -> str:
    return f"{value:.0f} %"


def _terms_of_players(record: Mapping[str, Any]) -> list[str]:
    """Return the names of all terms in training, without their sum."""
    return [key for key in record if key.startswith("train_") and key != "train_loss"]


def _column(
    history: Sequence[Mapping[str, Any]], key: str, default: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return one entry of every epoch, NaN where it is missing; ``default`` where it is missing throughout."""
    if default is not None and not any(key in record for record in history):
        return default
    values = [record.get(key) for record in history]
    return np.array([np.nan if value is None else float(value) for value in values])


def _mark_best(axes: Axes, epochs: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Put a dot on the lowest validation loss, whose weights are the ones kept."""
    if not np.isfinite(values).any():
        return
    best = int(np.nanargmin(values))
    axes.plot(epochs[best], values[best], "o", color=MODEL, markersize=6, label=f"best, epoch {epochs[best]:g}")


def _loss_limits(axes: Axes, curves: Sequence[NDArray[np.float64]]) -> None:
    """Keep the first steep steps from pressing the rest of the curve flat against the axis."""
    values = np.concatenate(curves) if curves else np.empty(0)
    if len(values) < 8:
        return
    low, high, usual = float(values.min()), float(values.max()), float(np.quantile(values, 0.9))
    if high - low > 4.0 * (usual - low) > 0.0:
        axes.set_ylim(low - 0.06 * (usual - low), usual + 0.6 * (usual - low))


def _classes(labels: NDArray[Any]) -> list[Any]:
    """Return the different labels, numbers in their order, anything else by its text."""
    values = np.unique(labels).tolist() if labels.dtype.kind in "biufUS" else sorted({*labels.tolist()}, key=str)
    return list(values)


def displayed(image: NDArray[Any], low: float, high: float, side: int = 192) -> NDArray[np.float64]:
    """Return an image as values in [0, 1] that matplotlib shows: (h, w), (h, w, 3) or (h, w, 4)."""
    x = np.clip((np.asarray(image, np.float64) - low) / ((high - low) or 1.0), 0.0, 1.0)
    if x.ndim == 3 and x.shape[2] not in (3, 4):
        x = x.mean(axis=2)
    return _smaller(x, side)


def _in_colour(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a picture in [0, 1] as red, green, blue and opacity."""
    if x.ndim == 2:
        x = np.repeat(x[..., np.newaxis], 3, axis=2)
    return x if x.shape[2] == 4 else np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2)


def _error_map(original: NDArray[Any], reconstruction: NDArray[Any]) -> NDArray[np.float64]:
    """Return the absolute error of every pixel, averaged over the channels."""
    error = np.abs(original.astype(np.float64) - reconstruction.astype(np.float64))
    return np.asarray(error.mean(axis=2) if error.ndim == 3 else error)


def _smaller(image: NDArray[np.float64], side: int = 192) -> NDArray[np.float64]:
    """Average blocks of pixels until no side is longer than ``side``; a report is no place for full photographs."""
    step = -(-max(image.shape[:2]) // side)
    if step == 1:
        return image
    height, width = image.shape[0] // step or 1, image.shape[1] // step or 1
    cut = image[: height * step, : width * step]
    blocks = [
        np.array_split(np.arange(size), count) for size, count in zip(cut.shape[:2], (height, width), strict=True)
    ]
    rows = np.stack([cut[block].mean(axis=0) for block in blocks[0]])
    return np.stack([rows[:, block].mean(axis=1) for block in blocks[1]], axis=1)


def tidy(text: str, length: int = 24) -> str:
    """Return a name that fits: printable, shortened, never starting with the underscore that hides a legend entry."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    shown = shown if len(shown) <= length else shown[: length - 1] + "…"
    return "\N{ZERO WIDTH SPACE}" + shown if shown.startswith("_") else shown
