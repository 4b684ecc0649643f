"""A photograph set beside what other formats make of it: curves, sizes, and a page to look at."""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus import checks
from isthmus.cli.photographs import Asked, seeking
from isthmus.cli.restored import made_by
from isthmus.cli.terminal import Result, Terminal, columns
from isthmus.coding.stream import decompressed
from isthmus.files import replacing

if TYPE_CHECKING:
    from isthmus.tasks.compression.to_target import Made, Targeting

__all__ = ["compare"]

OWN = "isthmus"
QUALITIES = 10, 40, 75, 110, 145, 180, 215, 245  # of 255, at which the curve is measured
AGAINST = "JPEG"  # which BD-rates are given against


def compare(terminal: Terminal, paths: Sequence[str], asked: Asked, page: Path | None, *, force: bool) -> Result:
    """Set a picture that meets a target beside other formats of its size; nothing is written but the page.

    Parameters
    ----------
    terminal : Terminal
    paths : sequence of str
        One picture.
    asked : Asked
    page : Path or None
        Where a page goes; its figures go beside it as .json.
    force : bool
        Whether what is there may be replaced.
    """
    from isthmus.tasks.compression.to_target import target_of

    if len(paths) != 1 or os.path.isdir(paths[0]):
        raise checks.compare_one_photograph(len(paths))
    found, photo = seeking(terminal, paths[0], asked)
    started = time.perf_counter()
    made = found.made(*target_of(asked.targets), effort=asked.effort, lossy=True)
    coded = time.perf_counter()
    again = decompressed(made.data, model=asked.weights)
    seconds = coded - started, time.perf_counter() - coded
    colours = photo.colours[:, :, 0] if photo.colours.shape[2] == 1 else photo.colours
    back = again if again.ndim == 2 else again[:, :, : photo.colours.shape[2]].reshape(colours.shape)
    document, shown = _beside_formats(found, made, colours, back, seconds)
    about = {"source": paths[0], "height": found.height, "width": found.width, "bits": photo.bits, **document}
    lines = _table(about)
    if page is not None:
        about = {**about, **made_by(terminal)}
        _write_page(page, about, shown, colours, back, force=force)
        about |= {"page": str(page), "figures": str(page.with_suffix(".json"))}
        lines = [*lines, "", f"{page} (and {page.with_suffix('.json').name} beside it)"]
    return Result(about, lines)


def _beside_formats(
    found: Targeting, made: Made, colours: Any, back: Any, seconds: tuple[float, float]
) -> tuple[dict[str, Any], list[tuple[str, str, Any]]]:
    """Return what was measured, and the picture as each gives it back: name, what it takes, pixels."""
    from isthmus import peers

    peak = (1 << found.photo.bits) - 1

    def psnr_of(error: float) -> float:
        return math.inf if error == 0 else 10 * math.log10(peak**2 / error)

    tried = [found.at(quality) for quality in QUALITIES]
    curve = [_point(OWN, f"{100 * (one.quality or 0) / 255:.0f}", len(one.data), one.psnr, found) for one in tried]
    own = _point(OWN, f"{100 * (made.quality or 0) / 255:.0f}", len(made.data), made.psnr, found)
    rows = [{**own, "encode_seconds": seconds[0], "decode_seconds": seconds[1], "ssim": _ssim(colours, back)}]
    shown = [("original", "", colours), (OWN, _said(own), back)]
    pictures = [colours] if colours.dtype == "uint8" else []  # others have formats of their own only
    for rate in peers.rates_of_formats(pictures, psnr_of):
        curve.append(_point(_plain(rate.tool), f"{rate.quality}", rate.compressed_bytes, rate.psnr, found))
    for setting in peers.settings_of(pictures):
        its = peers.at_size(setting, len(made.data), psnr_of, 1)
        point = _point(_plain(setting.tool), f"{its.rate.quality}", its.rate.compressed_bytes, its.rate.psnr, found)
        spent = {"encode_seconds": its.encode_seconds, "decode_seconds": its.decode_seconds}
        rows.append({**point, **spent, "ssim": _ssim(colours, its.pictures[0])})
        shown.append((point["tool"], _said(point), its.pictures[0]))
    missing = peers.missing(peers.lossy_formats()) if pictures else {}
    return {"curve": curve, "at_size": rows, "bd_rate": _bd_rates(curve), "missing": missing}, shown


def _plain(tool: str) -> str:
    """Return the name of a format; that a picture is a file is clear where there is one."""
    return tool.partition(",")[0]


def _point(tool: str, setting: str, size: int, psnr: float, found: Targeting) -> dict[str, Any]:
    bpp = 8 * size / found.pixels
    return {"tool": tool, "setting": setting, "compressed_bytes": size, "bpp": bpp, "psnr": psnr}


def _said(point: Mapping[str, Any]) -> str:
    return f"{point['compressed_bytes']:,} bytes, {point['bpp']:.3g} bits a pixel, {point['psnr']:.2f} dB"


def _ssim(one: Any, other: Any) -> float | None:
    """Return the structural similarity; None of pictures smaller than its window."""
    from isthmus.metrics import ssim

    if min(one.shape[:2]) < 16:
        return None
    return float(ssim(one[None], other[None], peak=255 if one.dtype == "uint8" else 65535)[0])


def _bd_rates(curve: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return the rate of each tool against JPEG at the same PSNR, a share; None where they have none in common."""
    from isthmus.metrics import bd_rate

    by_tool: dict[str, tuple[list[float], list[float]]] = {}
    for point in curve:
        if math.isfinite(point["psnr"]):
            rates, qualities = by_tool.setdefault(point["tool"], ([], []))
            rates.append(point["bpp"])
            qualities.append(point["psnr"])
    if AGAINST not in by_tool:
        return {}
    found = {tool: bd_rate(*points, *by_tool[AGAINST]) for tool, points in by_tool.items()}
    return {tool: value if math.isfinite(value) else None for tool, value in found.items()}


def _table(document: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            one["tool"],
            one["setting"],
            f"{one['compressed_bytes']:,}",
            f"{one['bpp']:.3f}",
            f"{one['psnr']:.2f}",
            "-" if one["ssim"] is None else f"{one['ssim']:.4f}",
            _share(document["bd_rate"].get(one["tool"])),
        )
        for one in document["at_size"]
    ]
    head = (
        f"{document['source']}: {document['width']:,}x{document['height']:,}; each at its best in about the same bytes"
    )
    titles = ("tool", "quality", "bytes", "bits a pixel", "PSNR", "SSIM", f"BD-rate, {AGAINST}")
    missing = [checks.peers_missing(document["missing"])] if document["missing"] else []
    return [head, *columns(titles, rows), *missing]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f} %"


def _write_page(
    page: Path,
    document: Mapping[str, Any],
    shown: Sequence[tuple[str, str, Any]],
    colours: Any,
    back: Any,
    *,
    force: bool,
) -> None:
    """Write the page and, beside it, its figures as JSON."""
    import json

    from isthmus.report.photograph import rendered

    into = io.StringIO()
    json.dump(document, into, indent=1)
    text = rendered(document, shown, colours, back)
    with replacing(page, force=force) as file:
        file.write(text.encode())
    with replacing(page.with_suffix(".json"), force=force) as file:
        file.write(into.getvalue().encode())
