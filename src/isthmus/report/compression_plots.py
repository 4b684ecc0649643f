"""The figures of a page about compression: each function takes plain values and returns a matplotlib ``Figure``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from isthmus.report.plots import COLOURS, INK, style, tidy

__all__ = ["rate_distortion", "sizes_and_speeds", "where_bytes_went"]

OWN, OTHERS = COLOURS[0], "#8a93a3"  # isthmus, and what stands beside it
ACROSS = 9.4  # inches
ROOM = 1.6  # that an axis goes on beyond the values, as a factor
EACH = "a file each"  # how the name of a format ends that has a file for each picture


def sizes_and_speeds(tools: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the share of the source that each codec makes of it, and how fast it encodes and decodes.

    Parameters
    ----------
    tools : sequence of dict
        ``tool``, ``is_own``, ``share``, ``compress_mb_per_s`` and ``decompress_mb_per_s``, the smallest first.
    """
    with style():
        figure = Figure(figsize=(ACROSS, 0.32 * len(tools) + 1.1), layout="constrained")
        sizes, speeds = figure.subplots(1, 2, sharey=True, width_ratios=[1.15, 1])
        places = range(len(tools))
        colours = [OWN if tool["is_own"] else OTHERS for tool in tools]
        shares = [100 * tool["share"] for tool in tools]
        sizes.barh(places, shares, 0.62, color=colours)
        for place, share in zip(places, shares, strict=True):
            _beside(sizes, share, place, f"{share:.1f} %")
        sizes.set_yticks(list(places), [tidy(tool["tool"], 44) for tool in tools])
        sizes.set(xlim=(0, 1.17 * max(*shares, 1e-9)), ylim=(len(tools) - 0.4, -0.6), xticks=[])
        sizes.set_title("size, as a share of the source")
        _bare(sizes)
        _speeds(speeds, tools, colours)
    return figure


def _speeds(axes: Axes, tools: Sequence[Mapping[str, Any]], colours: Sequence[str]) -> None:
    """Draw two points a codec, on a scale of powers of ten."""
    for place, (tool, colour) in enumerate(zip(tools, colours, strict=True)):
        encode, decode = tool["compress_mb_per_s"], tool["decompress_mb_per_s"]
        axes.plot([encode, decode], [place, place], color=colour, linewidth=1, alpha=0.6, zorder=1)
        axes.plot(encode, place, "o", color=colour, markerfacecolor="none", markersize=6)
        axes.plot(decode, place, "o", color=colour, markersize=6)
    values = [tool[way] for tool in tools for way in ("compress_mb_per_s", "decompress_mb_per_s")]
    if all(values):  # none where the source is empty
        _in_powers_of_ten(axes, values)
    axes.set_title("speed, MB of the source a second")
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    marks = [
        Line2D([], [], marker="o", linestyle="", color=INK, markerfacecolor="none", label="encode"),
        Line2D([], [], marker="o", linestyle="", color=INK, label="decode"),
    ]
    axes.legend(handles=marks, loc="upper left", bbox_to_anchor=(0, -0.12 - 0.35 / len(tools)), ncols=2)


def where_bytes_went(costs: Mapping[str, int], total: int) -> Figure:
    """Draw what parts of a compressed file take.

    Parameters
    ----------
    costs : mapping of str to int
        Bytes by part.
    total : int
        Bytes of the file.
    """
    with style():
        figure = Figure(figsize=(ACROSS, 0.27 * len(costs) + 0.45), layout="constrained")
        axes = figure.subplots()
        places = range(len(costs))
        axes.barh(places, list(costs.values()), 0.62, color=OWN)
        for place, count in zip(places, costs.values(), strict=True):
            _beside(axes, count, place, f"{count:,} bytes, {100 * count / max(total, 1):.1f} %")
        axes.set_yticks(list(places), [tidy(name, 40) for name in costs])
        axes.set(xlim=(0, 1.25 * max([*costs.values(), 1])), ylim=(len(costs) - 0.4, -0.6), xticks=[])
        _bare(axes)
    return figure


def _in_powers_of_ten(axes: Axes, values: Sequence[float]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(min(values) / ROOM, max(values) * ROOM)  # also around one value
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _beside(axes: Axes, x: float, y: float, text: str) -> None:
    """Write a figure behind the end of a bar."""
    axes.annotate(text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5)


def _bare(axes: Axes) -> None:
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def rate_distortion(curve: Sequence[Mapping[str, Any]], own: str, unit: str, marked: float | None) -> Figure:
    """Draw PSNR over bits a pixel, a line a codec.

    Parameters
    ----------
    curve : sequence of dict
        ``tool``, ``bpp`` and ``psnr`` of each point.
    own : str
        The tool that is isthmus.
    unit : str
        "pixel" or "number".
    marked : float or None
        Bits a pixel at which pictures are shown.
    """
    with style():
        figure = Figure(figsize=(ACROSS, 4.6), layout="constrained")
        axes = figure.subplots()
        hues = itertools.cycle(COLOURS[1:])
        by_format: dict[str, str] = {}
        for tool in dict.fromkeys(point["tool"] for point in curve):
            points = sorted((point["bpp"], point["psnr"]) for point in curve if point["tool"] == tool)
            name = tool.partition(",")[0]
            if tool != own and name not in by_format:
                by_format[name] = next(hues)
            look: dict[str, Any] = {"color": OWN, "linewidth": 2.6, "zorder": 3} if tool == own else {}
            look = look or {"color": by_format[name], "linestyle": (0, (4, 2)) if tool.endswith(EACH) else "-"}
            axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=tidy(tool, 34), **look)
        if marked:
            axes.axvline(marked, color=INK, linewidth=0.8, alpha=0.55, linestyle=(0, (2, 2)))
            place: Any = {"xycoords": ("data", "axes fraction"), "xytext": (4, 0), "textcoords": "offset points"}
            axes.annotate("the pictures below", (marked, 0.02), fontsize=8.5, rotation=90, **place)
        _in_powers_of_ten(axes, [point["bpp"] for point in curve])
        axes.set(xlabel=f"bits a {unit}", ylabel="PSNR, dB")
        axes.grid()
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
