"""Maps as a picture for print, and as a page on which every record can be found."""

from __future__ import annotations

import base64
import colorsys
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import plain
from isthmus.report import formatting, plots
from isthmus.report.facts import scalar
from isthmus.report.page import environment
from isthmus.report.thumbnails import sheets_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from isthmus.data import Data

__all__ = ["Colouring", "MapView", "map_page", "map_picture"]

MAX_NAMES = 250  # values up to which a column is a set of classes; the codes of numbers are 0 to 254, 255 is none
MAX_CELLS = 1_500_000  # values of a table that a page carries
MAX_COLUMNS = 12  # of a record that are shown under the pointer
MAX_TEXT = 280  # characters of a text under the pointer
BLOCK = 4096  # records that are read at a time

PALETTE = (*plots.COLOURS, "#9aa31c", "#d81b60", "#5f7d8c", "#35c7b0")
ABSENT = "#9aa4b2"


@dataclass(frozen=True)
class MapView:
    """One picture: a point for each record.

    Parameters
    ----------
    title : str
        What put the points there.
    points : ndarray, shape (n, 2)
        Finite.
    note : str
        Behind the title.
    """

    title: str
    points: NDArray[Any]
    note: str = ""


@dataclass(frozen=True)
class Colouring:
    """What colours say: a class or a number of each record.

    Parameters
    ----------
    title : str
        Name of the column; empty for one colour.
    values : ndarray, shape (n,)
        Labels, or numbers with at most a few missing.
    """

    title: str
    values: NDArray[Any]
    names: NDArray[Any] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Find out whether the values are classes."""
        kind = self.values.dtype.kind
        names = np.unique(self.values.astype(str) if kind in "OUS" else self.values[self.values == self.values])
        whole = kind in "OUSbiu" or bool((names == np.round(names)).all())
        most = min(MAX_NAMES, max(20, len(self.values) // 2))  # names that nearly every record has its own of are ids
        few = len(names) <= (most if kind in "OUSb" else len(PALETTE) + 8)
        object.__setattr__(self, "names", names if whole and few else None)

    @property
    def classes(self) -> NDArray[Any] | None:
        """Return the different values where they are classes, None where they are numbers on a scale."""
        return self.names

    def usable(self) -> bool:
        """Tell whether there is anything to see: classes not too many to be told apart, or numbers that differ."""
        return self.names is not None or self.values.dtype.kind in "iuf"


# ------------------------------------------------------------------ the picture


def map_picture(views: Sequence[MapView], colouring: Colouring) -> Figure:
    """Draw maps side by side, the first one large.

    Parameters
    ----------
    views : sequence of MapView
        One to three.
    colouring : Colouring
        Of all of them.

    Returns
    -------
    Figure
        With a legend of the classes, or a scale.
    """
    with plots.style():
        return _drawn(views, colouring)


def _drawn(views: Sequence[MapView], colouring: Colouring) -> Figure:
    from matplotlib.figure import Figure

    several = len(views) > 1
    figure = Figure(figsize=(11.0 if several else 7.4, 6.4), layout="constrained")
    if several:
        rest = [[f"{min(i, len(views) - 1)}"] for i in range(1, 3)]
        axes = figure.subplot_mosaic([["0", *rest[0]], ["0", *rest[1]]], width_ratios=[1.75, 1])
        places = [axes[str(i)] for i in range(len(views))]
    else:
        places = [figure.subplots()]
    n = len(views[0].points)
    order = np.random.default_rng(0).permutation(n)  # so that no class lies on top of the others
    drawn = None
    for i, (view, place) in enumerate(zip(views, places, strict=True)):
        size = float(np.clip((45.0 if i == 0 else 14.0) * (500.0 / n) ** 0.75, 0.25 if i == 0 else 0.1, 14.0))
        look: dict[str, Any] = {"s": size, "linewidths": 0, "alpha": 0.75, "rasterized": True}
        x, y = view.points[order].astype(np.float64).T
        if colouring.classes is not None:
            codes = _codes(colouring)[order]
            place.scatter(x, y, color=np.array([*_palette(len(colouring.classes)), ABSENT])[codes], **look)
        else:
            drawn = place.scatter(x, y, c=colouring.values[order].astype(float), cmap="viridis", **look)
        place.set_title(view.title)
        place.set(xticks=[], yticks=[], xlabel=view.note)
        place.set_aspect("equal", adjustable="datalim")  # all titles stay at the top, however flat a map is
        place.xaxis.label.set_fontsize(8)
        for side in place.spines.values():
            side.set_visible(False)
    _explain(figure, places, colouring, drawn)
    return figure


def _explain(figure: Figure, places: Sequence[Any], colouring: Colouring, drawn: Any) -> None:
    from matplotlib.lines import Line2D

    names = colouring.classes
    if names is None:
        bar = figure.colorbar(drawn, ax=list(places), location="bottom", shrink=0.4, aspect=40, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label(colouring.title)
    elif 1 < len(names) <= 40:
        palette = _palette(len(names))
        handles = [
            Line2D([], [], linestyle="", marker="o", markersize=6, color=colour, label=plots.tidy(str(name), 22))
            for name, colour in zip(names, palette, strict=True)
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(names), 10), handletextpad=0.1)


# ------------------------------------------------------------------ the page


def map_page(
    data: Data,
    views: Sequence[MapView],
    colourings: Sequence[Colouring],
    *,
    title: str,
    sentence: str = "",
    scores: Mapping[str, Mapping[str, Any]] | None = None,
    about_scores: str = "",
) -> str:
    """Return a page of HTML that holds everything it needs: zoom, move, and see the record under the pointer.

    Parameters
    ----------
    data : Data
        The records: pictures are shown as thumbnails, rows of a table and texts as they are.
    views : sequence of MapView
        One to three, a point for each record.
    colourings : sequence of Colouring
        What the reader may colour by; none for one colour.
    title, sentence : str
        At the top.
    scores : mapping, optional
        By title of a view, its figures by name, each an :class:`isthmus.metrics.Interval` or a number.
    about_scores : str
        Under the table of figures.

    Returns
    -------
    str
    """
    from markupsafe import Markup

    usable = [one for one in colourings if one.usable()] or [Colouring("", np.zeros(len(data), np.int64))]
    page = {
        "n": len(data),
        "views": [_places(view.points) for view in views],
        "colourings": [_coloured(one) for one in usable],
        "names": None if data.names is None else [str(name) for name in data.names],
        **_details(data),
    }
    return (
        environment()
        .get_template("map.html")
        .render(
            title=title,
            sentence=sentence,
            views=views,
            colourings=[one.title or "nothing" for one in usable],
            scores=[
                {"title": name, "figures": {figure: _shown(value) for figure, value in row.items()}}
                for name, row in (scores or {}).items()
            ],
            about_scores=about_scores,
            page=Markup(_json(page)),  # noqa: S704 - no "<" is left in it, so nothing ends the element early
        )
    )


def _json(document: Any) -> str:
    """Return JSON that may stand inside an element of HTML."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return plain.escaped(text).replace("<", "\\u003c")


def _places(points: NDArray[Any]) -> dict[str, Any]:
    """Return points in 65,536 steps of their range, and how wide and high that is beside the longer of the two."""
    x = np.asarray(points, np.float64)
    low, high = x.min(axis=0), x.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    steps = np.round((x - low) / span * 65535).astype("<u2")
    return {"points": _base64(steps), "extent": (span / span.max()).tolist()}


def _coloured(colouring: Colouring) -> dict[str, Any]:
    if colouring.classes is not None:
        names = [str(scalar(name)) for name in colouring.classes] if colouring.title else [""]
        return {
            "kind": "classes",
            "name": colouring.title,
            "names": [*names, "none"] if _has_none(colouring) else names,
            "palette": [*_palette(len(names)), ABSENT],
            "codes": _base64(_codes(colouring).astype(np.uint8)),
        }
    values = colouring.values.astype(np.float64)
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    steps = np.round(254 * (np.where(known, values, low) - low) / ((high - low) or 1.0))
    return {
        "kind": "numbers",
        "name": colouring.title,
        "low": low,
        "high": high,
        "palette": [*_ramp(255), ABSENT],
        "codes": _base64(np.where(known, steps, 255).astype(np.uint8)),
    }


def _codes(colouring: Colouring) -> NDArray[np.int64]:
    """Return the numbers of the records' classes; one more for those without any."""
    names, values = colouring.classes, colouring.values
    if names is None:
        return np.zeros(len(values), np.int64)
    values = values.astype(str) if values.dtype.kind in "OUS" else values
    found = np.searchsorted(names, values)
    return np.where(values == values, np.minimum(found, len(names) - 1), len(names))


def _has_none(colouring: Colouring) -> bool:
    return bool((colouring.values != colouring.values).any()) if colouring.values.dtype.kind == "f" else False


def _palette(count: int) -> list[str]:
    """Return colours to tell classes apart: the chosen ones, and hues all round where they do not suffice."""
    if count <= len(PALETTE):
        return list(PALETTE[:count])
    return [_hex(colorsys.hls_to_rgb(i * 0.618034 % 1.0, (0.42, 0.58)[i % 2], 0.62)) for i in range(count)]


def _ramp(count: int) -> list[str]:
    import matplotlib as mpl

    return [_hex(colour[:3]) for colour in mpl.colormaps["viridis"](np.linspace(0.0, 0.95, count))]


def _hex(colour: Sequence[float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _shown(figure: Any) -> dict[str, str]:
    """Return a figure and the ends of its interval in words."""
    if figure is None:
        return {"mean": formatting.number(None), "ends": ""}
    if isinstance(figure, int | float):
        return {"mean": f"{figure:.3f}", "ends": ""}
    ends = "" if figure.low != figure.low else f"{figure.low:.3f} to {figure.high:.3f}"
    return {"mean": f"{figure.mean:.3f}", "ends": ends}


# ------------------------------------------------------------------ the record under the pointer


def _details(data: Data) -> dict[str, Any]:
    """Return what a page tells of each record, of bounded size."""
    found: dict[str, Any] = {"thumbnails": None, "columns": [], "texts": None}
    kind = data.schema.kind
    if kind == "image":
        found["thumbnails"] = sheets_of(len(data), _blocks(data), data.schema.shape)
    elif kind == "text":
        texts = (text.decode("utf-8", "replace") for block in _blocks(data) for text in block)
        found["texts"] = [_short(text, MAX_TEXT) for text in texts]
    else:
        found["columns"] = _columns(data)
    return found


def _blocks(data: Data) -> Iterator[Any]:
    return (block for _, block in data.chunks(BLOCK))


def _columns(data: Data) -> list[dict[str, Any]]:
    """Return the first columns of a table or an array, as many as a page may carry."""
    schema = data.schema
    count = max(1, min(MAX_COLUMNS, MAX_CELLS // len(data)))
    if schema.kind == "table":
        names = [column.name for column in schema.columns][:count]
        blocks = [block.select(names) for block in _blocks(data)]
        return [
            {"name": name, "values": [_cell(value) for block in blocks for value in block.column(name).to_pylist()]}
            for name in names
        ]
    width = int(schema.shape[0] or 0)
    names = list(schema.names[:count]) or [str(i) for i in range(min(count, width))]
    whole = np.concatenate([np.asarray(block)[:, : len(names)] for block in _blocks(data)])
    return [
        {"name": name, "values": [_cell(value) for value in column.tolist()]}
        for name, column in zip(names, whole.T, strict=True)
    ]


def _cell(value: Any) -> Any:
    """Return a value as a reader of the page sees it."""
    value = scalar(value)
    if isinstance(value, float):
        return float(f"{value:.5g}") if np.isfinite(value) else None
    return _short(value, 80) if isinstance(value, str) else value
