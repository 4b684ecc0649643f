"""Records to compressed files and back by a model of their kind, as compress and decompress do it with -m."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from isthmus import checks
from isthmus.cli import inputs, outputs
from isthmus.cli.terminal import Result, Terminal, columns, counted
from isthmus.coding import kinds, names
from isthmus.coding.archive import write_archive
from isthmus.coding.codes import CodedRecords
from isthmus.coding.contents import Content
from isthmus.coding.sources import gathered, watched_file
from isthmus.files import replacing

if TYPE_CHECKING:
    from isthmus.coding.pictures import PictureCodec

__all__ = ["compare", "compress_pictures", "compress_records", "decompress_records", "is_of_records"]

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


def compress_pictures(
    terminal: Terminal,
    paths: Sequence[str],
    targets: Sequence[str],
    codec: PictureCodec,
    wanted: dict[str, Any],
    *,
    verify: bool,
    force: bool,
) -> Result:
    """Compress files of pictures with a loss, each to its target, by a model that codes samples exactly."""
    done = []
    for path, target in zip(paths, [outputs.check_file_output(target, force) for target in targets], strict=True):
        started = time.perf_counter()
        if os.path.isdir(path):
            one = _folder_of_pictures(terminal, path, target, codec, wanted, verify=verify, force=force)
        else:
            one = _file_of_pictures(terminal, path, target, codec, wanted, verify=verify, force=force)
        done.append({"source": path, "output": str(target), **one, "seconds": time.perf_counter() - started})
    return Result({"files": done}, [_line(one, "image") for one in done])


def _file_of_pictures(
    terminal: Terminal,
    path: str,
    target: Path,
    codec: PictureCodec,
    wanted: dict[str, Any],
    *,
    verify: bool,
    force: bool,
) -> dict[str, Any]:
    """Compress one file of pictures with a loss."""
    with watched_file(path) as file:
        made = codec.rounding_in(path, file).within(wanted, verify=verify)
        file.seek(0, os.SEEK_END)  # all of it was read, in whatever order
    with replacing(target, force=force) as into:
        into.write(made.data)
    if made.step > 1:
        terminal.say(f"note: {checks.coded_without_model(str(target))}")
    found = {"records": made.pictures, "compressed_bytes": len(made.data), "bpp": made.bpp}
    return {**found, "psnr": made.psnr if made.step > 1 else None, "steps": [made.step]}


def _folder_of_pictures(
    terminal: Terminal,
    path: str,
    target: Path,
    codec: PictureCodec,
    wanted: dict[str, Any],
    *,
    verify: bool,
    force: bool,
) -> dict[str, Any]:
    """Compress a folder as an archive, each of whose members keeps a target."""
    if "size" in wanted:
        raise checks.size_of_several()
    found: list[_Member] = []

    def content_in(name: str, file: BinaryIO) -> Content:
        rounding = codec.rounding_in(name, file)
        step = rounding.step_within(wanted)
        found.append(_Member(rounding.pictures, rounding.pixels, step, rounding.psnr(step)))
        return rounding.content(step)

    members = gathered([path], but=target)
    if members.skipped:
        terminal.say(f"note: {checks.skipped_in_folder(members.skipped)}")
    if not members.files:
        raise checks.nothing_to_compress(path)
    with replacing(target, force=force) as into:
        size = write_archive(into, members.files, model=codec, verify=verify, content_in=content_in)
        if not found:
            raise checks.no_pictures_of_model_in(path)
    pixels = sum(one.pixels for one in found)
    errors = sum(one.pixels * 10 ** (-one.psnr / 10) for one in found)
    psnr = 10 * math.log10(pixels / errors) if errors else None
    bpp, steps = 8 * size / max(pixels, 1), sorted({one.step for one in found})
    count = sum(one.pictures for one in found)
    return {"records": count, "compressed_bytes": size, "bpp": bpp, "psnr": psnr, "steps": steps}


class _Member(NamedTuple):
    """What became of one member of an archive."""

    pictures: int
    pixels: int
    step: int
    psnr: float


def _line(one: dict[str, Any], kind: str) -> str:
    return (
        f"{one['output']}: {counted(one['records'], 'picture' if kind == 'image' else 'row')} in "
        f"{one['compressed_bytes']:,} bytes, {one['bpp']:.3f} bits a {_what(kind)}, {_quality(one)}, "
        f"{one['seconds']:.1f} s"
    )


def _quality(one: dict[str, Any]) -> str:
    if one["psnr"] is None:
        return "nothing is lost"
    steps = one.get("steps", [])
    span = f"{steps[0]} to {steps[-1]}" if len(steps) > 1 else "".join(map(str, steps))
    step = f" (samples rounded to steps of {span})" if span else ""
    return f"PSNR {one['psnr']:.2f} dB{step}"


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
