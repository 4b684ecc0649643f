"""A page about compression: somebody's data, and what isthmus and the codecs of others make of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.report import compression_plots, formatting
from isthmus.report.contact_sheet import shown_as_bytes, side_by_side
from isthmus.report.document import written
from isthmus.report.embedding import data_address
from isthmus.report.formatting import counted, per
from isthmus.report.page import card, environment, inline_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["RECORDS", "Shown", "figures", "rendered", "written_page"]

RECORDS = "records"  # the kind of data that a model compresses with a loss
NAMED = 16  # parts that bars are drawn of
PARTS = {
    "head": "head",
    "coded": "data, coded",
    "stored": "data, stored as they are",
    "chunk heads": "heads and checks of chunks",
    "end": "end",
    "directory": "directory",
}


@dataclass(frozen=True)
class Shown:
    """The same pictures, as they are or as a codec gives them back.

    Parameters
    ----------
    name : str
        Of the codec.
    figures : str
        What they take, and how good they are.
    pictures : sequence of ndarray
    """

    name: str
    figures: str
    pictures: Sequence[NDArray[Any]]


def written_page(
    path: str | os.PathLike[str], document: dict[str, Any], shown: Sequence[Shown] = (), *, force: bool = False
) -> Path:
    """Write the page and, beside it, its figures as JSON; see :meth:`isthmus.report.Report.write`.

    Parameters
    ----------
    path : path
        The page, or a folder.
    document : dict
        What a comparison of files, or of records by a model, found; with ``isthmus``, ``created`` and ``command``.
    shown : sequence of Shown
        Rows of pictures, where the records are pictures.
    force : bool, default=False
        Whether files of these names may be replaced.
    """
    return written(path, lambda: rendered(document, shown), document, force=force)


def figures(document: Mapping[str, Any]) -> dict[str, Figure]:
    """Return the pictures by name: ``tools`` or ``curve``, and ``went``."""
    found: dict[str, Figure] = {}
    if document["kind"] == RECORDS:
        at = document["at_size"][0]["bpp"] if document["at_size"] else None
        curve = document["curve"]
        found["curve"] = compression_plots.rate_distortion(curve, document["tool"], document["unit"], at)
    else:
        found["tools"] = compression_plots.sizes_and_speeds(document["tools"])
    costs = _costs(document)
    found["went"] = compression_plots.where_bytes_went(costs, sum(document["parts"].values()))
    return found


def rendered(document: Mapping[str, Any], shown: Sequence[Shown] = ()) -> str:
    """Return the page, without a reference to anything outside itself."""
    ours = environment()
    ours.filters |= {"number": formatting.number, "percent": formatting.percent, "short": _short, "per": per}
    is_lossy = document["kind"] == RECORDS
    return ours.get_template("compression.html").render(
        report=document,
        is_lossy=is_lossy,
        title=_title(document),
        verdict=_verdict_of_records(document) if is_lossy else _verdict(document),
        cards=_cards_of_records(document) if is_lossy else _cards(document),
        pictures={name: inline_svg(figure, name) for name, figure in figures(document).items()},
        rows=[{"name": row.name, "figures": row.figures, "address": _address(row.pictures)} for row in shown],
        went=_what_went(document),
        versions=list(dict.fromkeys(row["version"] for row in document.get("tools", document.get("at_size", [])))),
    )


def _title(document: Mapping[str, Any]) -> str:
    names = [os.path.basename(os.path.normpath(path)) for path in document["source"]]
    return f"Compressing {names[0]}" if len(names) == 1 else f"Compressing {len(names):,} files"


def _short(value: float) -> str:
    """Return a speed or a rate with three digits."""
    return formatting.number(value, 3)


# ------------------------------------------------------------------ where the bytes went


def _costs(document: Mapping[str, Any]) -> dict[str, int]:
    """Return what bars are drawn of: columns, members or parts, those that take most first where they are many."""
    costs = document["columns"] or document.get("largest") or _parts(document)
    if len(costs) <= NAMED:
        return dict(costs)
    ranked = sorted(costs.items(), key=lambda one: -one[1])
    return dict(ranked[:NAMED]) | {f"{len(ranked) - NAMED:,} others": sum(cost for _, cost in ranked[NAMED:])}


def _parts(document: Mapping[str, Any]) -> dict[str, int]:
    return {PARTS[name]: count for name, count in document["parts"].items() if count}


def _what_went(document: Mapping[str, Any]) -> str:
    if document["kind"] == RECORDS:
        return "units of the codes"
    if document["columns"]:
        return "columns of the table"
    return "the files that take most" if document.get("largest") else "parts of the file"


# ------------------------------------------------------------------ what a reader sees first


def _verdict(document: Mapping[str, Any]) -> str:
    own = next(row for row in document["tools"] if row["is_own"])
    others = [row for row in document["tools"] if not row["is_own"]]
    if not document["bytes"]:
        return "There is nothing in it."
    said = f"isthmus makes {own['compressed_bytes']:,} bytes of {document['bytes']:,}, {_percent(own['share'])}"
    if others:
        best = others[0]
        ratio = own["compressed_bytes"] / max(best["compressed_bytes"], 1)
        said += f": {_times(ratio)} {best['tool']}, the smallest of the others"
    faster = [row for row in others if row["decompress_mb_per_s"] > own["decompress_mb_per_s"]]
    if faster:
        most = max(row["decompress_mb_per_s"] / max(own["decompress_mb_per_s"], 1e-9) for row in faster)
        said += (
            f". It decodes {_short(own['decompress_mb_per_s'])} MB a second, and others up to {most:,.0f} times as many"
        )
    return said + "."


def _times(ratio: float) -> str:
    if 0.995 < ratio < 1.005:
        return "as many as"
    return f"{100 * abs(ratio - 1):.0f} % {'fewer' if ratio < 1 else 'more'} than"


def _percent(share: float) -> str:
    return formatting.percent(share)


def _cards(document: Mapping[str, Any]) -> list[dict[str, str]]:
    own = next(row for row in document["tools"] if row["is_own"])
    others, unit = [row for row in document["tools"] if not row["is_own"]], document["unit"]
    found = [
        card("size", _percent(own["share"]), f"{own['compressed_bytes']:,} of {document['bytes']:,} bytes"),
        card(f"bits {per(unit)}", _short(own["bits_per_unit"]), counted(document["units"], unit)),
    ]
    if others and others[0]["compressed_bytes"]:
        change = own["compressed_bytes"] / others[0]["compressed_bytes"] - 1
        tone = "good" if change < -0.005 else "bad" if change > 0.005 else ""
        shown = f"{100 * change:+.0f} %".replace("-", "\N{MINUS SIGN}")
        found.append(card("against the smallest other", shown, others[0]["tool"], tone))
    if document["bound"]:
        found.append(card("largest error", f"{own['max_error']:.3g}", f"bound {document['bound']:.3g}"))
    found.append(card("encodes, MB/s", _short(own["compress_mb_per_s"]), "one thread"))
    found.append(card("decodes, MB/s", _short(own["decompress_mb_per_s"]), "one thread"))
    return found


def _verdict_of_records(document: Mapping[str, Any]) -> str:
    if not document["at_size"]:
        return f"What sizes and qualities {document['tool']} reaches on {document['records']:,} records."
    own, *others = document["at_size"]
    said = f"With {own['bpp']:.3g} bits a {document['unit']}, {document['tool']} reaches {own['psnr']:.1f} dB"
    fitting = [row for row in others if row["compressed_bytes"] <= own["compressed_bytes"]]
    if not others:
        return f"{said}."
    if not fitting:
        return f"{said}; the other formats cannot go that low."
    best = max(fitting, key=lambda row: row["psnr"])
    return f"{said}; the best of the other formats that go that low, {best['tool']}, {best['psnr']:.1f} dB."


def _cards_of_records(document: Mapping[str, Any]) -> list[dict[str, str]]:
    curve = [point for point in document["curve"] if point["tool"] == document["tool"]]
    best, least = max(curve, key=lambda point: point["psnr"]), min(curve, key=lambda point: point["bpp"])
    unit = document["unit"]
    found = [
        card("best PSNR, dB", f"{best['psnr']:.2f}", f"with {best['bpp']:.3g} bits a {unit}"),
        card(f"fewest bits a {unit}", f"{least['bpp']:.3g}", f"at {least['psnr']:.2f} dB"),
        card("records", formatting.number(document["records"]), f"{counted(document['pixels'], unit)} in all"),
        card("the model's file", f"{document['model_bytes'] / 1000:,.0f} kB", "not counted"),
    ]
    for row in document["at_size"][:1]:
        found.append(card("encodes, MB/s", _short(row["compress_mb_per_s"]), "with its search for a size"))
        found.append(card("decodes, MB/s", _short(row["decompress_mb_per_s"]), ""))
    return found


def _address(pictures: Sequence[NDArray[Any]]) -> str:
    """Return pictures side by side as a PNG picture, written out as a data address."""
    shown = [np.asarray(picture, np.uint8) for picture in shown_as_bytes(list(pictures))]
    return data_address(side_by_side(shown, len(shown)), optimize=True)
