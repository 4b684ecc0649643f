"""Records to compressed files and back by a model of their kind, as compress and decompress do it with -m."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from isthmus import checks
from isthmus.cli import inputs, outputs
from isthmus.cli.terminal import Result, Terminal, columns, counted
from isthmus.coding import kinds, names
from isthmus.coding.archive import write_archive
from isthmus.coding.codes import CodedRecords, opened_codes
from isthmus.coding.container import Source
from isthmus.coding.contents import Content
from isthmus.coding.describing import describe
from isthmus.coding.sources import gathered, watched_file
from isthmus.coding.stream import Lost
from isthmus.files import replacing
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.coding.pictures import PictureCodec
    from isthmus.report.compression import Shown

__all__ = ["compare", "compress_pictures", "compress_records", "decompress_records", "is_of_records"]

POINTS = 8  # of a curve
NEAR = 1.0  # decibels below its best, within which a model is compared with formats at one size
MOST = 12  # pictures that are shown
CROP, ACROSS = 192, 560  # pixels of a side of each, at most, and of all side by side


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


# ------------------------------------------------------------------ compare


def compare(
    terminal: Terminal, paths: Sequence[str], model: str, *, for_page: bool = False
) -> tuple[Result, list[Shown]]:
    """Set sizes and qualities that a model reaches beside those of picture formats; nothing is written.

    Parameters
    ----------
    terminal : Terminal
        For what is told.
    paths : sequence of str
        The one that has the records.
    model : str
        The file of their model.
    for_page : bool, default=False
        Whether a page is made of it: then records are compressed at one size, too, and pictures of them returned.
    """
    from isthmus import peers, tasks
    from isthmus.tasks.compression import peak_of, psnr_of

    fitted = inputs.load_model(model, None)
    [path] = paths
    data = inputs.open_for(terminal, fitted, path, {})
    curve = tasks.rate_distortion(fitted, data, POINTS)
    peak, found = peak_of(data), list[dict[str, Any]]()
    name = f"isthmus, {type(fitted).__name__}"
    found += [_point(name, f"{2**one.octaves:,.0f}", one.compressed_bytes, one.psnr, one.pixels) for one in curve]
    pixels, is_pictures = curve[0].pixels, fitted.schema_.kind == "image"
    pictures = list(data.take(np.arange(len(data)))) if is_pictures else []
    for rate in peers.rates_of_formats(pictures, lambda error: psnr_of(error, peak)):
        found.append(_point(rate.tool, f"{rate.quality}", rate.compressed_bytes, rate.psnr, pixels))
    missing = peers.missing(peers.lossy_formats()) if is_pictures else {}
    document = {"records": len(data), "curve": found, "missing": missing, "of_fit": _is_of_fit(fitted, data)}
    if document["of_fit"]:
        terminal.say(f"note: {checks.compared_on_its_own()}")
    shown: list[Shown] = []
    if for_page:
        about: dict[str, Any] = {"kind": "records", "source": [path], "tool": name, "unit": _what(fitted.schema_.kind)}
        about |= {"pixels": pixels, "model": model, "model_bytes": os.path.getsize(model), "left_out": {}}
        best = max(one.psnr for one in curve)
        size = min(one.compressed_bytes for one in curve if one.psnr >= best - NEAR)
        its, shown = _at_size(fitted, data, name, pictures, size, lambda error: psnr_of(error, peak))
        document |= {**about, **its}
    return Result(document, _table(document, fitted.schema_.kind, os.path.getsize(model))), shown


def _is_of_fit(fitted: Any, data: Any) -> bool:
    """Tell whether records are those that a model was fitted on, or that were divided for it."""
    from isthmus.tasks.held_out import is_divided

    return is_divided(fitted, data) or fitted.fingerprint(data) == fitted.provenance_.get("fingerprint")


def _table(document: dict[str, Any], kind: str, model_bytes: int) -> list[str]:
    rows = [
        (one["tool"], one["setting"], f"{one['compressed_bytes']:,}", f"{one['bpp']:.3f}", f"{one['psnr']:.2f}")
        for one in document["curve"]
    ]
    table = columns(("tool", "step or quality", "bytes", f"bits a {_what(kind)}", "PSNR"), rows)
    head = f"{counted(document['records'], 'record')}; the model's own file ({model_bytes:,} bytes) is not counted"
    return [head, *table, *([checks.peers_missing(document["missing"])] if document["missing"] else [])]


def _point(tool: str, setting: str, size: int, psnr: float, pixels: int) -> dict[str, Any]:
    bpp = 8 * size / pixels
    return {"tool": tool, "setting": setting, "compressed_bytes": size, "bpp": bpp, "psnr": psnr}


def _at_size(
    fitted: Any, data: Any, name: str, pictures: Sequence[Any], size: int, psnr_of: Callable[[float], float]
) -> tuple[dict[str, Any], list[Shown]]:
    """Return what a model and each format make of records in so many bytes, and some pictures as they come back."""
    from isthmus import peers, tasks
    from isthmus.report.compression import Shown

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.isth"
        started = time.perf_counter()
        made = tasks.compress_records(fitted, data, file, size=size, verify=False)
        coded = time.perf_counter()
        again = _decoded(fitted, file)
        seconds = coded - started, time.perf_counter() - coded
        found = describe(file)
    count = sum(np.asarray(picture).nbytes for picture in pictures) or data.nbytes
    rows = [_speeds(_point(name, "-", made.compressed_bytes, made.psnr, made.pixels), seconds, count, __version__)]
    chosen = _crops(pictures)
    shown = [Shown("original", "", chosen), _shown(rows[0], _crops(again))] if pictures else []
    for setting in peers.fairest(peers.settings_of(pictures)):
        its = peers.at_size(setting, size, psnr_of, len(chosen))
        point = _point(setting.tool, f"{its.rate.quality}", its.rate.compressed_bytes, its.rate.psnr, made.pixels)
        rows.append(_speeds(point, (its.encode_seconds, its.decode_seconds), count, setting.codec.version))
        shown.append(_shown(rows[-1], _crops(its.pictures)))
    return {"at_size": rows, "parts": found["parts"], "columns": found["columns"]}, shown


def _decoded(fitted: Any, file: Path) -> list[Any]:
    """Return the records of a compressed file."""
    from isthmus.tasks.compression import records_of

    with open(file, "rb") as opened:
        coded = opened_codes(Source(opened, str(file)))
        if coded is None:
            raise checks.no_codes(file)
        return [record for batch in coded.batches() for record in records_of(fitted, batch, coded)]


def _speeds(point: dict[str, Any], seconds: tuple[float, float], count: int, version: str) -> dict[str, Any]:
    encode, decode = (count / 1e6 / max(one, 1e-9) for one in seconds)
    version = f"isthmus {version}" if version == __version__ else version
    return {**point, "compress_mb_per_s": encode, "decompress_mb_per_s": decode, "version": version}


def _crops(pictures: Sequence[Any]) -> list[Any]:
    """Return the first pictures, or the middle of each where they are large: so many as fit side by side."""
    found = []
    for picture in pictures[:MOST]:
        array = np.asarray(picture)
        top, left = (max(0, (side - CROP) // 2) for side in array.shape[:2])
        found.append(array[top : top + CROP, left : left + CROP])
    alike = [one for one in found if one.shape == found[0].shape]
    return alike[: max(1, ACROSS // alike[0].shape[1])] if alike else []


def _shown(row: dict[str, Any], pictures: Sequence[Any]) -> Shown:
    from isthmus.report.compression import Shown

    figures = f"{row['compressed_bytes']:,} bytes, {row['bpp']:.3g} bits a pixel, {row['psnr']:.1f} dB"
    return Shown(row["tool"], figures + (", its lowest quality" if row["setting"] == "1" else ""), pictures)


# ------------------------------------------------------------------ back again


def decompress_records(
    terminal: Terminal, coded: CodedRecords, output: str, model: str | None, *, partial: bool, force: bool
) -> dict[str, Any]:
    """Write the records of a file of codes in the format that the name of the output says.

    Parameters
    ----------
    terminal : Terminal
        For what is told.
    coded : CodedRecords
        The file.
    output : str
        Where to.
    model : str or None
        What a person named as the model that it needs.
    partial : bool
        Whether what is sound of a damaged file is written.
    force : bool
        Whether what is there may be replaced.
    """
    if model is None:
        coded.check_model(None)
    fitted = _needed(coded, str(model))
    started = time.perf_counter()
    path = outputs.check_records_output(output, force, fitted.schema_)
    pieces = list(coded.sound() if partial else coded.batches())
    lost = [str(piece) for piece in pieces if isinstance(piece, Lost)]
    batches = [piece for piece in pieces if not isinstance(piece, Lost)]
    if not batches:
        raise coded.source.damaged("nothing in it is sound")
    found = [name for batch in batches for name in batch.names or ()]
    from isthmus.tasks.compression import records_of

    count, blocks = sum(map(len, batches)), (records_of(fitted, batch, coded) for batch in batches)
    outputs.write_records(path, count, blocks, fitted.schema_, found or None, force=force)
    seconds = time.perf_counter() - started
    record = {"source": coded.source.name, "output": str(path), "records": count, "seconds": seconds}
    return {**record, "bytes": _bytes_of(path), "lost": lost}


def _needed(coded: CodedRecords, model: str) -> Any:
    """Return the model of a file, once it is known to be the one that codes need."""
    from isthmus.tasks.compression import compressible, fingerprint_of

    if not is_of_records(model):
        coded.check_model(kinds.fitted_in("decompress", model).fingerprint)
    fitted = inputs.load_model(model, None)
    compressible(fitted)
    coded.check_model(fingerprint_of(fitted))
    return fitted


def _bytes_of(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)
