"""The figures and sentences of a page about compression, from figures that are made up."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from isthmus.report import compression, compression_plots
from isthmus.report.compression import Shown


def tool(name: str, size: int, **others: Any) -> dict[str, Any]:
    """Return a row about 1,000 bytes."""
    row = {"tool": name, "is_own": name.startswith("isthmus"), "compressed_bytes": size, "share": size / 1000}
    speeds = {"compress_mb_per_s": 0.5, "decompress_mb_per_s": 2.0, "max_error": 0.0, "version": f"{name} 1"}
    return {**row, "bits_per_unit": 8 * size / 100, **speeds, **others}


def document(**others: Any) -> dict[str, Any]:
    return {
        "source": ["data/x.csv"],
        "kind": "table",
        "bytes": 1000,
        "whole_bytes": 1000,
        "files": 1,
        "bound": None,
        "unit": "row",
        "units": 100,
        "parts": {"head": 20, "coded": 180},
        "columns": {"a": 100, "b": 80},
        "largest": {},
        "left_out": {},
        "missing": {},
        "tools": [tool("isthmus (as a table)", 200), tool("xz", 400, decompress_mb_per_s=100.0)],
        "isthmus": "1",
        "created": "2026-01-02T03:04:05+00:00",
        "command": "isthmus compress data/x.csv --compare",
        **others,
    }


def test_the_verdict_has_the_size_the_best_other_and_the_price() -> None:
    page = compression.rendered(document())
    said = "isthmus makes 200 bytes of 1,000, 20.0 %: 50 % fewer than xz, the smallest of the others. It decodes"
    assert f"{said} 2.00 MB a second, and others up to 50 times as many." in page
    assert "\N{MINUS SIGN}50 %" in page


@pytest.mark.parametrize(
    ("size", "said", "tone"), [(200, "as many as xz", ""), (100, "100 % more than xz", "bad"), (201, "as many", "")]
)
def test_a_smaller_or_equal_rival_is_said(size: int, said: str, tone: str) -> None:
    found = document(tools=sorted([tool("xz", size), tool("isthmus", 200)], key=lambda one: one["compressed_bytes"]))
    page = compression.rendered(found)
    assert said in page
    assert f'<div class="card {tone}">\n    <div class="title">against' in page


def test_what_is_left_out_and_missing_is_said() -> None:
    page = compression.rendered(document(left_out={"zfp": "gave back other data"}, missing={"SZ3": "pysz"}))
    assert "zfp gave back other data." in page
    assert "<code>pip install pysz</code>" in page


def test_many_columns_are_added_up() -> None:
    found = document(columns={f"column {n}": n for n in range(40)})
    page = compression.rendered(found)
    assert "column 39" in page
    assert "column 23" not in page
    assert "24 others" in page
    assert f"{sum(range(24)):,} bytes" in page


@pytest.mark.parametrize("count", [1, 2, 20])
def test_figures_have_room_for_one_thing_or_many(count: int) -> None:
    tools = [tool(f"t{n}", 100 + n) for n in range(count)]
    curve = [{"tool": f"t{n % 9}", "bpp": 0.1 + n, "psnr": 20.0 + n} for n in range(count)]
    bars = compression_plots.sizes_and_speeds(tools), compression_plots.where_bytes_went(dict.fromkeys("abc", 3), 9)
    lines = compression_plots.rate_distortion(curve, "t0", "pixel", 0.1)
    for figure in (*bars, lines):
        drawn = io.BytesIO()
        figure.savefig(drawn, format="svg")  # a warning is an error here
        assert drawn.getvalue().endswith(b"</svg>\n")
    assert [len(figure.axes[0].get_yticks()) for figure in bars] == [count, 3]
    assert len(lines.axes[0].get_lines()) >= min(count, 9)


def test_pictures_are_shown_side_by_side() -> None:
    points = [{"tool": "isthmus, VAE", "setting": "1", "compressed_bytes": 90, "bpp": 0.5, "psnr": 20.0}]
    speeds = {"compress_mb_per_s": 1.0, "decompress_mb_per_s": 2.0, "version": "isthmus 1"}
    jpeg = {"tool": "JPEG, one sheet", "setting": "1", "compressed_bytes": 200, "bpp": 1.1, "psnr": 18.0}
    found = document(
        kind="records", tool="isthmus, VAE", unit="pixel", records=3, pixels=1440, model="m.safetensors", of_fit=True,
        model_bytes=5000, curve=points, at_size=[{**one, **speeds} for one in (*points, jpeg)],
    )  # fmt: skip
    pictures = [np.full((8, 8), 9 * n, np.uint8) for n in range(3)]
    page = compression.rendered(found, [Shown("original", "", pictures), Shown("<b>", "90 bytes", pictures)])
    assert page.count("data:image/png;base64,") == 2
    assert "The model was fitted on these records" in page
    assert "<b></b>" not in page
    assert "With 0.5 bits a pixel, isthmus, VAE reaches 20.0 dB; the other formats cannot go that low." in page
