"""Records to compressed files and back by a model of their kind, as compress and decompress do it with -m."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli import inputs, outputs
from isthmus.cli.terminal import Result, Terminal, columns, counted
from isthmus.coding import kinds, names
from isthmus.coding.codes import CodedRecords

if TYPE_CHECKING:
    pass

__all__ = ["compare", "compress_records", "decompress_records", "is_of_records"]

POINTS = 8  # of a curve


def is_of_records(path: str | None) -> bool:
    """Tell whether the file of a model holds one of records, and not one that makes data smaller without a loss."""
    return path is not None and not kinds.is_codec(path)


def compress_records(
    terminal: Terminal,
    paths: Sequence[str],
    targets: Sequence[str],
    model: str,
    wanted: dict[str, Any],
    *,
    verify: bool,
    force: bool,
) -> Result:
    """Compress files and folders of records, each to its target."""
    from isthmus import tasks
    from isthmus.tasks.compression import one_target_of

    one_target_of(**{name: value for name, value in wanted.items() if name != "effort"})
    fitted = inputs.load_model(model, None)
    done = []
    for path, target in zip(paths, [outputs.check_file_output(target, force) for target in targets], strict=True):
        data = inputs.open_for(terminal, fitted, path, {})
        base = os.path.basename(os.path.normpath(path))
        kept = None if names.why_refused(base) else base
        started = time.perf_counter()
        made = tasks.compress_records(fitted, data, target, **wanted, name=kept, verify=verify, force=force)
        seconds = time.perf_counter() - started
        done.append({"source": path, "output": str(target), **made.to_dict(), "seconds": seconds})
    return Result({"files": done}, [_line(one, fitted.schema_.kind) for one in done])


def _line(one: dict[str, Any], kind: str) -> str:
    return (
        f"{one['output']}: {counted(one['records'], 'picture' if kind == 'image' else 'row')} in "
        f"{one['compressed_bytes']:,} bytes, {one['bpp']:.3f} bits a {_what(kind)}, PSNR {one['psnr']:.2f} dB, "
        f"{one['seconds']:.1f} s"
    )


def _what(kind: str) -> str:
    return "pixel" if kind == "image" else "number"


def compare(terminal: Terminal, paths: Sequence[str], model: str) -> Result:
    """Set sizes and qualities that a model reaches beside those of picture formats; nothing is written."""
    from isthmus import tasks
    from isthmus.report.codecs import rates_of_formats
    from isthmus.tasks.compression import peak_of, psnr_of

    fitted = inputs.load_model(model, None)
    [path] = paths
    data = inputs.open_for(terminal, fitted, path, {})
    curve = tasks.rate_distortion(fitted, data, POINTS)
    peak, found = peak_of(data), list[dict[str, Any]]()
    name = f"isthmus, {type(fitted).__name__}"
    found += [_point(name, f"{2**one.octaves:,.0f}", one.compressed_bytes, one.psnr, one.pixels) for one in curve]
    if fitted.schema_.kind == "image":
        pictures = data.take(np.arange(len(data)))
        for rate in rates_of_formats(pictures, lambda error: psnr_of(error, peak)):
            found.append(_point(rate.tool, f"{rate.quality}", rate.compressed_bytes, rate.psnr, curve[0].pixels))
    rows = [
        (one["tool"], one["setting"], f"{one['compressed_bytes']:,}", f"{one['bpp']:.3f}", f"{one['psnr']:.2f}")
        for one in found
    ]
    kind = _what(fitted.schema_.kind)
    table = columns(("tool", "step or quality", "bytes", f"bits a {kind}", "PSNR"), rows)
    head = f"{counted(len(data), 'record')}; the model's own file ({os.path.getsize(model):,} bytes) is not counted"
    return Result({"records": len(data), "curve": found}, [head, *table])


def _point(tool: str, setting: str, size: int, psnr: float, pixels: int) -> dict[str, Any]:
    bpp = 8 * size / pixels
    return {"tool": tool, "setting": setting, "compressed_bytes": size, "bpp": bpp, "psnr": psnr}


def decompress_records(
    terminal: Terminal, coded: CodedRecords, output: str, model: str | None, *, force: bool
) -> dict[str, Any]:
    """Write the records of a file of codes in the format that the name of the output says."""
    if model is None:
        coded.check_model(None)
    fitted = _needed(coded, str(model))
    started = time.perf_counter()
    path = outputs.check_records_output(output, force, fitted.schema_)
    batches = list(coded.batches())
    found = [name for batch in batches for name in batch.names or ()]
    from isthmus.tasks.compression import records_of

    blocks = (records_of(fitted, batch, coded) for batch in batches)
    outputs.write_records(path, len(coded), blocks, fitted.schema_, found or None, force=force)
    seconds = time.perf_counter() - started
    record = {"source": coded.source.name, "output": str(path), "records": len(coded), "seconds": seconds}
    return {**record, "bytes": _bytes_of(path), "lost": []}


def _needed(coded: CodedRecords, model: str) -> Any:
    """Return the model of a file, once it is known to be the one that codes need."""
    from isthmus.tasks.compression import compressible, fingerprint_of

    if not is_of_records(model):
        coded.check_model(kinds.load(model).fitted().fingerprint)
    fitted = inputs.load_model(model, None)
    compressible(fitted)
    coded.check_model(fingerprint_of(fitted))
    return fitted


def _bytes_of(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)
