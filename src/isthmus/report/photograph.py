"""A page about a photograph that was compressed: curves, parts side by side, and a slider, in one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.report import compression_plots, formatting
from isthmus.report.contact_sheet import shown_as_bytes
from isthmus.report.embedding import data_address
from isthmus.report.page import card, environment, inline_svg
from isthmus.report.restoration import compared

__all__ = ["rendered"]

CROP = 240  # pixels of the side of a part
STEP = 16  # pixels between the parts that are considered

Picture = NDArray[Any]


def rendered(
    document: Mapping[str, Any], shown: Sequence[tuple[str, str, Picture]], before: Picture, after: Picture
) -> str:
    """Return the page, without a reference to anything outside itself.

    Parameters
    ----------
    document : mapping
        ``source``, ``width``, ``height``, ``bits``, ``curve``, ``at_size``, ``bd_rate``, ``missing``, ``command``,
        ``isthmus`` and ``created``.
    shown : sequence of (str, str, ndarray)
        The picture as it was and as each format gives it back, in about the same bytes: name, what it takes, pixels.
    before, after : ndarray, (height, width) or (height, width, 3)
        What the slider shows.
    """
    ours = environment()
    ours.filters |= {"number": formatting.number, "short": lambda value: formatting.number(value, 3), "signed": _signed}
    own = document["at_size"][0]
    chart = compression_plots.rate_distortion(document["curve"], own["tool"], "pixel", own["bpp"])
    places = parts_of(before)
    return ours.get_template("photograph.html").render(
        report=document,
        own=own,
        verdict=_verdict(document),
        cards=list(_cards(document)),
        chart=inline_svg(chart, "curve"),
        rows=list(_rows(shown, places)),
        pictures=[compared(str(document["source"]), before, after, {})],
    )


def parts_of(picture: Picture) -> list[tuple[int, int]]:
    """Return top and left of two parts that are worth to look at: the one with most detail, and one of middling."""
    height, width = picture.shape[:2]
    if height <= CROP and width <= CROP:
        return [(0, 0)]
    grey = picture.reshape(height, width, -1).mean(2)
    tops, lefts = (range(0, max(side - CROP, 0) + 1, STEP) for side in (height, width))
    detail = {
        (top, left): float(np.abs(np.diff(grey[top : top + CROP, left : left + CROP], axis=1)).mean())
        for top in tops
        for left in lefts
    }
    ranked = sorted(detail, key=lambda place: detail[place])
    most, middling = ranked[-1], ranked[len(ranked) // 2]
    return [most] if most == middling else [most, middling]


def _rows(
    shown: Sequence[tuple[str, str, Picture]], places: Sequence[tuple[int, int]]
) -> Iterator[dict[str, str | list[str]]]:
    """Yield the parts of each picture, all of them on one scale."""
    parts = [[pixels[top : top + CROP, left : left + CROP] for top, left in places] for _, _, pixels in shown]
    addresses = (data_address(part, optimize=True) for part in shown_as_bytes([part for row in parts for part in row]))
    for name, figures, _ in shown:
        yield {"name": name, "figures": figures, "addresses": list(islice(addresses, len(places)))}


def _signed(share: float | None) -> str:
    """Return a share as a percentage with its sign."""
    return "-" if share is None else f"{100 * share:+.1f} %".replace("-", "\N{MINUS SIGN}")


def _verdict(document: Mapping[str, Any]) -> str:
    own, *others = document["at_size"]
    said = f"{own['compressed_bytes']:,} bytes, {own['bpp']:.3g} bits a pixel, give {own['psnr']:.2f} dB"
    fitting = [row for row in others if row["compressed_bytes"] <= own["compressed_bytes"]]
    if not fitting:
        return f"{said}; the other formats cannot go that low." if others else f"{said}."
    best = max(fitting, key=lambda row: row["psnr"])
    return f"{said}; the best of the other formats in no more bytes, {best['tool']}, {best['psnr']:.2f} dB."


def _cards(document: Mapping[str, Any]) -> Sequence[dict[str, str]]:
    own = document["at_size"][0]
    pixels = document["width"] * document["height"]
    found = [
        card("size", f"{own['compressed_bytes'] / 1000:,.1f} kB", f"of {3 * pixels / 1000:,.0f} kB in memory"),
        card("bits a pixel", f"{own['bpp']:.3f}", f"{document['width']:,} x {document['height']:,} pixels"),
        card("PSNR, dB", f"{own['psnr']:.2f}", "" if own["ssim"] is None else f"SSIM {own['ssim']:.4f}"),
        card("encodes, s", f"{own['encode_seconds']:.1f}", "with the search for the target"),
        card("decodes, s", f"{own['decode_seconds']:.2f}", ""),
    ]
    rate = document["bd_rate"].get(own["tool"])
    if rate is not None:
        tone = "good" if rate < -0.005 else "bad" if rate > 0.005 else ""
        found.append(card("bytes against JPEG", _signed(rate), "for the same PSNR, on the mean", tone))
    return found
