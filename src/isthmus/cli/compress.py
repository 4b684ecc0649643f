"""Verbs that make files smaller, and whole again: compress, decompress."""

from __future__ import annotations

import functools
import os
import re
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self

from isthmus import checks
from isthmus.cli import lossy as records
from isthmus.cli import outputs, pages, photograph_comparison, photographs, sizes
from isthmus.cli.lossy import is_of_records
from isthmus.cli.meter import Meter, metered
from isthmus.cli.pipes import PIECE, STANDARD, as_it_comes, opened_input, standard_output
from isthmus.cli.terminal import Result, Terminal, counted, signals_at_the_end
from isthmus.coding import Archive, names
from isthmus.coding.archive import write_archive
from isthmus.coding.choosing import Choice
from isthmus.coding.coder import is_compiled
from isthmus.coding.codes import opened_codes
from isthmus.coding.container import ARCHIVE, SMALL_CONTENT, SPEEDS, STREAM, Fields, Source, opened
from isthmus.coding.contents import PICTURE, TABLE, Piece
from isthmus.coding.kinds import AnyCodec, Known, fitted_in
from isthmus.coding.photographs.weights import holds_codec
from isthmus.coding.pictures import PictureCodec
from isthmus.coding.pictures.photograph import PHOTOGRAPH
from isthmus.coding.pictures.png_picture import PNG
from isthmus.coding.recognising import ARRAY, AUTO, BYTES, KINDS, Recognised, kind_of, recognised, write_recognised
from isthmus.coding.selection import chosen_rows
from isthmus.coding.short import Short
from isthmus.coding.sources import Gathered, gathered, pieces_of, watched_file
from isthmus.coding.stream import CHUNK, Lost, Writer, data_of, salvage
from isthmus.errors import ArtifactError, IsthmusError, ParameterError
from isthmus.files import replacing

__all__ = ["SUFFIX", "THREADS", "compress", "decompress", "extracted", "read_model", "without_suffix", "written"]

SUFFIX = ".isth"
THREADS = 2  # by default: one codes, one verifies
ROWS = re.compile(r"(\d{0,15}):(\d{0,15})")
LOSSY = (".jpg", ".jpeg", ".webp", ".avif", ".heic")  # endings of pictures of which something is lost
OTHERS = (*LOSSY, ".tif", ".tiff", ".bmp", ".gif", ".npy")  # in which no photograph comes back
SECONDS = 1.0  # after which what came through a pipe is written, however little it is


def compress(
    terminal: Terminal,
    paths: list[str],
    *,
    output: str | None = None,
    stdout: bool = False,
    model: str | None = None,
    speed: str = "normal",
    content: str = "auto",
    max_error: float | None = None,
    rel_error: float | None = None,
    fill: float | None = None,
    no_prior: bool = False,
    no_verify: bool = False,
    dry_run: bool = False,
    compare: bool = False,
    report: str | None = None,
    psnr: float | None = None,
    bpp: float | None = None,
    size: str | None = None,
    quality: float | None = None,
    effort: int = 0,
    lossy: bool = False,
    threads: int | None = None,
    force: bool = False,
) -> Result:
    """Make files smaller; folders become archives. The sources are kept.

    A file becomes FILE.isth beside it, a folder FOLDER.isth, an archive of which each member can be had alone; with -o,
    several paths become one archive. Links and special files in a folder are left out, which is said; times and
    permissions are not kept. What was coded is decoded again and compared before anything takes its name.

    A stream (-) is written as it comes, to the standard output or to the file that -o names: what came in a second, or
    64 kB of it, can be read at once, and Ctrl-C leaves a whole file.

    With -m and a model of tables (isthmus fit --model codec), tables of the same columns become smaller, however short.
    With -m and a model of pictures of one kind (isthmus fit --model codec), PNG files and stacks (.npy, IDX) become
    smaller, and come back byte for byte; with --psnr, --bpp or --size near to it.

    With -m and a model of records, as isthmus fit writes it, records of its kind are compressed with a loss, which
    --psnr, --bpp or --size states: a folder of pictures, an .npy. decompress needs the model, too.

    Photographs become much smaller with a loss that --psnr, --bpp, --size or --quality states, without a model:
    photo.png becomes photo.isth, a folder an archive of whose pictures each keeps the target. They come back as PNG
    files. Where a picture takes fewer bytes without a loss, as drawings do, nothing is lost, which is said. Pictures
    unlike photographs become smaller yet with -m and a codec that learned from such (isthmus fit FOLDER --model codec),
    which decompress needs, too.

    There is no encryption.

    Parameters
    ----------
    paths : list of str
        Files and folders; - is the standard input.
    output : str
        The compressed file; - is the standard output.
    stdout : bool
        Write to the standard output.
    model : str
        What isthmus fit --model codec learned from data like these, or a model of such records; decompress needs it.
    speed : {"normal", "fast"}
        fast takes a fraction of the time, and files are larger.
    content : {"auto", "bytes", "table", "array", "picture"}
        What a file is coded as: auto takes .csv, .tsv, .tab and .parquet for tables, .npy for arrays and .png for
        pictures. They come back byte for byte, but Parquet, and some PNG files, with the same values, which is said;
        what cannot be read as one is coded as bytes, and so are members of archives that would not come back byte for
        byte. Of archives only auto and bytes.
    max_error : float
        How far a number of an array may be off when it comes back; NaN, infinities and fill values are exact.
    rel_error : float
        The same, as a share of the range of the array's finite numbers.
    fill : float
        A fill value of the array. Those that are 1e15 times as large as all other numbers are found without it.
    no_prior : bool
        Begin without the prior that isthmus carries, with which what looks like text becomes smaller.
    no_verify : bool
        Do not decode again what was coded.
    dry_run : bool
        Estimate the size from a sample, and write nothing.
    compare : bool
        Compress in memory, also with the codecs of others for such data (gzip, xz, zstd, Parquet, PNG, ...), decode
        again, show sizes and speeds, and write nothing. With a model of records, show sizes and PSNR beside JPEG, WebP
        and others.
    report : str
        With --compare: write what was measured as a page, too; a name that ends in .html, or a folder.
    psnr : float
        Of photographs, and with a model of records or pictures: decibels that these have at least when they come back.
    bpp : float
        Of these: bits for each pixel, or number, that the file has at most.
    size : str
        Of these: bytes that the file has at most, such as 60000 or 60kB.
    quality : float
        Of photographs: from 0 to 100.
    effort : int
        Of photographs: 0 takes seconds; 1 to 9 learn the one picture, for minutes, and make the file smaller. With a
        model of records: steps in which the code of each is made better; 20 save about a tenth.
    lossy : bool
        Of photographs: keep to the target even where fewer bytes would lose nothing.
    threads : int
        Processor threads to use; by default 2. Each more takes its own memory, and makes archives faster.

    Examples
    --------
    isthmus compress notes.txt
    isthmus compress logs/ -o logs.isth
    tail -f app.log | isthmus compress - > app.isth
    isthmus compress app.log -m logs.safetensors
    isthmus compress scans/ -m scans.safetensors --psnr 38
    isthmus compress survey.csv --compare --report sizes.html
    isthmus compress photo.png --psnr 38
    isthmus compress photo.png --size 60kB --effort 5
    isthmus compress scan.png --psnr 38 -m scans.safetensors
    """
    if report is not None and (dry_run or not compare):
        raise checks.report_of_comparison()
    page = None if report is None else outputs.check_page_output(report, force, "--report")
    losses = {"psnr": psnr, "bpp": bpp, "size": sizes.as_bytes("--size", size)}
    wanted = _given(**losses, quality=quality)
    of_photographs = model is not None and holds_codec(model)
    if of_photographs or (model is None and wanted):
        if bound := _given(max_error=max_error, rel_error=rel_error, fill=fill):
            raise checks.bound_without_array(", ".join(paths), _flag(min(bound)))
        asked = photographs.Asked(wanted, effort, lossy, threads or THREADS, model)
        if compare:
            return photograph_comparison.compare(terminal, paths, asked, page, force=force)
        how: dict[str, Any] = {"output": output, "stdout": stdout, "dry_run": dry_run, "force": force}
        return photographs.compress(terminal, paths, asked, **how)
    if quality is not None or lossy:
        raise checks.quality_with_model() if quality is not None else checks.lossy_without_target()
    if model is not None and is_of_records(model):
        if compare:
            told, shown = records.compare(
                terminal, _records_alone(paths, dry_run, ""), model, for_page=page is not None
            )
            return told if page is None else pages.with_page(terminal, told, page, shown, force=force)
        alone, into = _records_alone(paths, dry_run or stdout, output), _targets(paths, output, force)
        targets = {**losses, "effort": effort}
        return records.compress_records(terminal, alone, into, model, targets, verify=not no_verify, force=force)
    if effort:
        raise checks.effort_of_nothing()
    known = read_model(model)
    codec = known if isinstance(known, AnyCodec) else None  # which is of something else than bytes
    bound = _given(max_error=max_error, rel_error=rel_error, fill=fill)
    if codec and bound:
        raise checks.bound_with_codec(_flag(min(bound)), codec.content)
    if given := _given(**losses):
        if not isinstance(codec, PictureCodec):
            raise checks.loss_with_codec(model, known.content, [_flag(name) for name in given])
        alone, into = _records_alone(paths, dry_run or compare or stdout, output), _targets(paths, output, force)
        return records.compress_pictures(terminal, alone, into, codec, given, verify=not no_verify, force=force)
    checks.choice("compress", "--speed", speed, ("normal", "fast"))
    choice = Choice(SPEEDS[speed], None if codec else known, not no_prior)
    checks.choice("compress", "--content", content, KINDS)
    if content not in (AUTO, BYTES) and (speed != "normal" or known):
        raise checks.content_with(content, "-m" if known else "--speed fast")
    if codec and (not_with := _not_with(codec, paths, speed, content, told=dry_run or compare)):
        raise not_with
    its = _As(content, bound, codec)
    settings = {
        "speed": speed,
        "model": known,
        "prior": choice.carried,
        "verify": not no_verify,
        "threads": threads or THREADS,
    }
    _say_if_slow(terminal)
    if STANDARD in paths:
        if len(paths) > 1 or dry_run or compare or content not in (AUTO, BYTES):
            raise ParameterError("compress: the standard input (-) goes alone, and is compressed as it comes.")
        if bound:
            raise checks.bound_without_array("the standard input", _flag(min(bound)))
        return _compress_stream(terminal, output, stdout, settings, force)
    if dry_run or compare:
        result = _only_told(terminal, paths, choice, its, dry_run=dry_run)
        return result if page is None else pages.with_page(terminal, result, page, force=force)
    return _compress_files(terminal, paths, output, stdout, its, settings, force)


def _compress_files(
    terminal: Terminal,
    paths: Sequence[str],
    output: str | None,
    stdout: bool,
    how: _As,
    settings: Mapping[str, Any],
    force: bool,
) -> Result:
    """Compress files and folders to the standard output, to the file that is named, or each to one beside it."""
    with standard_output(terminal, "compress", output, stdout) as to_stdout:
        if to_stdout is not None:
            _compress_job(terminal, _Job.of(paths, None, how), to_stdout, "the standard output", settings)
            return Result({})
        wanted = [(paths, output)] if output is not None else [([path], _beside(path, force)) for path in paths]
        jobs = [_Job.of(*one, how) for one in wanted]  # before locks of the outputs lie in the folders
        files = [outputs.check_file_output(target, force) for _, target in wanted]
        done = []
        for job, target in zip(jobs, files, strict=True):
            with replacing(target, force=force) as file:
                meter = _compress_job(terminal, job, file, str(target), settings)
            done.append(_record(job.paths, str(target), meter))
    return Result({"files": done}, [_line(record) for record in done])


def _targets(paths: Sequence[str], output: str | None, force: bool) -> list[str]:
    """Return where each goes: the file that is named, or one beside each."""
    return [output] if output is not None else [_beside(path, force) for path in paths]


def _given(**values: Any) -> dict[str, Any]:
    """Return what a person said something of."""
    return {name: value for name, value in values.items() if value is not None}


def _flag(name: str) -> str:
    """Return the flag of a parameter."""
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True)
class _As:
    """What a file that is compressed alone is coded as.

    Parameters
    ----------
    content : str, default="auto"
        What a person said that it is.
    bound : mapping
        How far the numbers of an array may be off.
    codec : AnyCodec, optional
        The model of something else than bytes with which it is coded.
    """

    content: str = AUTO
    bound: Mapping[str, float] = field(default_factory=dict)
    codec: AnyCodec | None = None

    def recognised(self, path: str, file: BinaryIO, settings: Mapping[str, Any]) -> Recognised:
        """Return what a file is coded as; at another speed than normal, and with a model of bytes, it is bytes."""
        if self.codec:
            return Recognised(self.codec.content_in(path, file))
        kind = kind_of(path, self.content)
        if self.bound and kind != ARRAY:
            raise checks.bound_without_array(path, _flag(min(self.bound)))
        if settings["speed"] != "normal" or settings["model"] is not None:
            kind = BYTES
        how = {"prior": settings["prior"], "threads": settings["threads"]}
        return recognised(path, file, kind, bound=self.bound, **how)


@dataclass(frozen=True)
class _Job:
    """What becomes one compressed file.

    Parameters
    ----------
    paths : sequence of str
        Files and folders.
    members : Gathered or None
        The members of an archive; None for one file that is compressed alone.
    how : _As
        What a file that is compressed alone is coded as.
    """

    paths: Sequence[str]
    members: Gathered | None
    how: _As = _As()

    @classmethod
    def of(cls, paths: Sequence[str], output: str | None, how: _As = _As()) -> Self:
        """Look up what is to be compressed."""
        if len(paths) == 1 and not os.path.isdir(paths[0]):
            return cls(paths, None, how)
        if how.content not in (AUTO, BYTES):
            raise checks.content_of_archive(how.content)
        if how.bound:
            raise checks.bound_of_archive(_flag(min(how.bound)))
        members = gathered(paths, but=None if output is None else Path(output))
        if not members.files:
            raise checks.nothing_to_compress(", ".join(paths))
        return cls(paths, members, how)

    def files(self) -> list[Path]:
        """Return the files to be read."""
        return [Path(path) for path in self.paths] if self.members is None else list(self.members.files.values())


def _not_with(codec: AnyCodec, paths: Sequence[str], speed: str, content: str, *, told: bool) -> ParameterError | None:
    """Return the error for what does not go with a model of something else than bytes."""
    if speed != "normal":
        return checks.model_at_speed()
    if content == BYTES:
        return checks.content_with(content, "-m")
    if STANDARD in paths or told:
        return checks.model_with_files_only(codec.content, "standard input" if STANDARD in paths else "estimate")
    return None


def _records_alone(paths: Sequence[str], elsewhere: bool, output: str | None) -> Sequence[str]:
    """Refuse what records are not compressed to or from; several go to files beside them, and to none that is named."""
    if elsewhere or output == STANDARD or STANDARD in paths or (output is not None and len(paths) > 1):
        raise checks.records_alone()
    return paths


def read_model(path: str | None) -> Any:
    """Return what coders take of the model in a file, where one is named."""
    return fitted_in("compress", path)


def _only_told(terminal: Terminal, paths: Sequence[str], choice: Choice, how: _As, *, dry_run: bool) -> Result:
    job = _Job.of(paths, None, how)
    _tell_skipped(terminal, job)
    if dry_run:
        from isthmus.cli import estimates

        kind = how.content if job.members is None else BYTES
        return estimates.estimate(terminal, job.files(), choice, kind, how.bound)
    from isthmus.cli import comparison

    is_archive = any(os.path.isdir(path) for path in paths)  # of which members are bytes
    its = _As(BYTES, how.bound) if is_archive else how
    settings = {"speed": choice.name, "model": choice.model, "prior": choice.carried, "threads": 1}
    recognise = functools.partial(its.recognised, settings=settings)
    asked = comparison.Asked(choice, recognise, its.bound, whatever=its.content != AUTO)
    return comparison.compare(terminal, paths, job.files(), asked)


def _say_if_slow(terminal: Terminal) -> None:
    if not is_compiled():
        terminal.say(
            "note: isthmus was installed without its compiled coder, so this takes about two seconds a kilobyte; "
            "install a C compiler, and isthmus again."
        )


def _tell_skipped(terminal: Terminal, job: _Job) -> None:
    if job.members is not None and job.members.skipped:
        terminal.say(f"note: {checks.skipped_in_folder(job.members.skipped)}")


def _beside(path: str, force: bool) -> str:
    """Return the name of what a file or a folder becomes."""
    if path.endswith(SUFFIX) and os.path.isfile(path) and not force:
        raise checks.compressed_already(path)
    plain = os.path.normpath(path)
    return (os.path.abspath(plain) if os.path.basename(plain) in (".", "..") else plain) + SUFFIX


def _compress_job(terminal: Terminal, job: _Job, file: BinaryIO, label: str, settings: Mapping[str, Any]) -> Meter:
    """Compress one file, or several things as one archive."""
    _tell_skipped(terminal, job)
    if job.members is None:
        return _compress_file(terminal, job.paths[0], job.how, file, label, settings)
    total = sum(path.stat().st_size for path in job.files())
    with metered(terminal, total) as meter:
        how = {**settings, "content": job.how.content}
        size = write_archive(file, job.members.files, label=label, progress=meter, **how)
    meter(0, size - meter.compressed)
    return meter


def _compress_file(
    terminal: Terminal, path: str, how: _As, file: BinaryIO, label: str, settings: Mapping[str, Any]
) -> Meter:
    """Compress one file as what it is."""
    size, name = os.stat(path).st_size, os.path.basename(path)
    name_kept = None if names.why_refused(name) else name
    with metered(terminal, size) as meter, watched_file(path) as source:
        found = how.recognised(path, source, settings)
        if found.why_not and not found.content:
            terminal.say(f"note: {checks.compressed_as_bytes(path, found.why_not)}")
        elif found.why_not:
            terminal.say(f"note: {path}: {checks.bound_not_used(found.why_not)}.")
        if found.content:
            if not found.content.is_exact:
                say = checks.table_not_byte_for_byte if found.content.number == TABLE else checks.png_not_byte_for_byte
                terminal.say(f"note: {say(path)}")
            told = _Told(meter)
            written = write_recognised(
                file,
                found.content,
                source,
                size=size,
                name=name_kept,
                verify=settings["verify"],
                prior=settings["prior"],
                threads=settings["threads"],
                label=label,
                done=told,
                whatever=how.content != AUTO or how.codec is not None,
            )
            meter.data = size  # whatever stands for it
            if told.as_bytes:
                terminal.say(f"note: {checks.rows_as_bytes(path, told.as_bytes)}")
        else:
            with Writer(file, size=size, name=name_kept, label=label, **settings) as writer:
                for piece in pieces_of(source, CHUNK):
                    writer.write(piece)
                    meter(len(piece), writer.written - meter.compressed)
            written = writer.written
    meter(0, written - meter.compressed)
    return meter


class _Told:
    """Counts the pieces of a content as they are written, and takes note of those that are coded as bytes.

    Parameters
    ----------
    meter : Meter
        Is told their bytes.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter, self._rows = meter, 0
        self.as_bytes: list[tuple[int, int, str]] = []  # first row and the one behind the last, from 0, and why

    def __call__(self, piece: Piece, written: int) -> None:
        """Count a piece, for which so many bytes were written."""
        if piece.why_bytes:
            self.as_bytes.append((self._rows, self._rows + piece.units, piece.why_bytes))
        self._rows += piece.units
        self._meter(len(piece.data), written)


def _record(paths: Sequence[str], output: str, meter: Meter) -> dict[str, Any]:
    data, compressed = meter.data, meter.compressed
    bits = 8 * compressed / data if data else None
    return {
        "source": paths[0] if len(paths) == 1 else list(paths),
        "output": output,
        "bytes": data,
        "compressed_bytes": compressed,
        "bits_per_byte": bits,
        "seconds": meter.seconds,
    }


def _line(record: dict[str, Any]) -> str:
    data, compressed = record["bytes"], record["compressed_bytes"]
    share = f" ({100 * compressed / data:.1f} %, {record['bits_per_byte']:.2f} bits a byte)" if data else ""
    speed = data / 1e6 / max(record["seconds"], 1e-9)
    return f"{record['output']}: {data:,} bytes in {compressed:,}{share}, {record['seconds']:.1f} s at {speed:.2f} MB/s"


# ------------------------------------------------------------------ a stream that is compressed as it comes


def _compress_stream(
    terminal: Terminal, output: str | None, stdout: bool, settings: Mapping[str, Any], force: bool
) -> Result:
    """Compress the standard input; whatever ends it, what came until then is whole."""
    with standard_output(terminal, "compress", output, stdout or output is None) as to_stdout:
        if to_stdout is not None:
            _write_as_it_comes(terminal, to_stdout, "the standard output", settings)
            return Result({})
        target = str(outputs.check_file_output(str(output), force))
        with open(target, "wb" if force else "xb") as file:
            try:
                meter = _write_as_it_comes(terminal, file, target, settings)
            except OSError as error:
                raise IsthmusError(
                    f"{target}: {error.strerror}; what was written until then can be had with isthmus decompress "
                    f"--partial."
                ) from error
    record = _record([STANDARD], target, meter)
    return Result({"files": [record]}, [_line(record)])


def _write_as_it_comes(terminal: Terminal, file: BinaryIO, label: str, settings: Mapping[str, Any]) -> Meter:
    """Compress the standard input; a chunk is written for each 64 kB, and for what came in a second."""
    with (
        signals_at_the_end(f"interrupted; {label} holds, whole, what had come until then") as received,
        metered(terminal, None) as meter,
        Writer(file, label=label, **settings) as writer,
    ):
        due = 0.0
        for piece in as_it_comes("compress", received):
            now = time.monotonic()
            due = due if writer.waiting else now + SECONDS
            writer.write(piece)
            if writer.waiting and (writer.waiting >= PIECE or now >= due):
                writer.flush()
            meter(len(piece), writer.written - meter.compressed)
        writer.close()
        meter(0, writer.written - meter.compressed)
    return meter


# ------------------------------------------------------------------ decompress


def decompress(
    terminal: Terminal,
    paths: list[str],
    *,
    output: str | None = None,
    stdout: bool = False,
    model: str | None = None,
    rows: str | None = None,
    partial: bool = False,
    force: bool = False,
) -> Result:
    """Bring compressed files back; archives become folders. The compressed files are kept.

    FILE.isth becomes FILE beside it. Nothing takes its name before all of it was decoded and checked. What a model of
    records compressed becomes a folder of pictures, or a file of the format that the name of the output says.

    Parameters
    ----------
    paths : list of str
        Compressed files; - is the standard input.
    output : str
        The file, or the folder of an archive; - is the standard output.
    stdout : bool
        Write to the standard output.
    model : str
        What the files were compressed with, where that was a model: isthmus info FILE says so.
    rows : str
        Of a table only some rows, such as 1000:2000, counted from 0; no others are decoded but those beside them.
    partial : bool
        Of a damaged file, write what is sound; exit code 4 and a sentence that names the rest.

    Examples
    --------
    isthmus decompress notes.txt.isth
    isthmus decompress survey.csv.isth --rows 1000:2000 -o some.csv
    isthmus decompress app.isth -c | grep ERROR
    isthmus decompress damaged.isth --partial -o sound.txt
    isthmus decompress scans.isth -m scans.safetensors -o scans-again
    """
    if output not in (None, STANDARD) and len(paths) > 1:
        raise ParameterError("decompress: -o names one output; leave it out, or name one file at a time.")
    if rows is not None and partial:
        raise ParameterError("decompress: --rows and --partial do not go together; leave one of them out.")
    chosen = None if rows is None else _chosen(rows)
    _say_if_slow(terminal)
    done: list[dict[str, Any]] = []
    damage: list[ArtifactError] = []
    with standard_output(terminal, "decompress", output, stdout or (output is None and STANDARD in paths)) as to_stdout:
        # Read once, if there is something that needs it. Of codes no bytes are made, which their own reader says.
        prior = functools.cache(lambda: None if to_stdout and is_of_records(model) else read_model(model))
        for path in paths:
            searchable = partial or chosen is not None or to_stdout is None
            with opened_input("decompress", path, searchable=searchable) as file:
                coded = None if to_stdout is not None else opened_codes(Source(file, path))
                if coded is not None:
                    if chosen is not None:
                        raise checks.no_rows_in(path)
                    its = output or without_suffix(path)
                    record = records.decompress_records(terminal, coded, its, model, partial=partial, force=force)
                else:
                    how: dict[str, Any] = {"chosen": chosen, "partial": partial, "force": force}
                    record = _bring_back(terminal, path, file, output, to_stdout, prior(), **how)
            if lost := record.pop("lost"):
                saved = counted(record["records"], "record") if "records" in record else f"{record['bytes']:,} bytes"
                damage.append(checks.partly_lost(path, saved, lost))
            done.append(record)
    if damage:
        terminal.say(*map(str, damage[:-1]))
        raise damage[-1]
    shown = [] if to_stdout is not None else [f"{one['output']}: {one['bytes']:,} bytes" for one in done]
    return Result({"files": done}, shown)


def _bring_back(
    terminal: Terminal,
    path: str,
    file: BinaryIO,
    output: str | None,
    to_stdout: BinaryIO | None,
    model: Known | None,
    *,
    chosen: tuple[int, int | None] | None,
    partial: bool,
    force: bool,
) -> dict[str, Any]:
    """Write the data of one compressed file; return what was written where, and what of it is lost."""
    source = Source(file, path)
    form = opened(source)
    if form == ARCHIVE and chosen is None:
        if to_stdout is not None:
            raise checks.an_archive(path)
        archive = Archive(file if path == STANDARD else path, model=model)
        return extracted(terminal, archive, None, output or without_suffix(path), partial=partial, force=force)
    if to_stdout is not None:
        return written(terminal, source, form, to_stdout, model, chosen=chosen, partial=partial)
    picture = _form_of_picture(source, form)
    if output is not None:
        _refuse_lossy_name(source, picture, output)
    target = outputs.check_file_output(output or _own_name(path, picture), force)
    with replacing(target, force=force) as whole:
        record = written(terminal, source, form, whole, model, chosen=chosen, partial=partial)
    return {"output": str(target), **record}


def _form_of_picture(source: Source, form: int) -> int | None:
    """Return the form of the picture in a file; None of anything else."""
    here = source.position
    content = None
    if form == STREAM:
        content = Fields.read(source, STREAM).content
    elif form == SMALL_CONTENT:
        content = Short.read(source).content
    source.seek(here)
    return content[1] if content and content[0] == PICTURE else None


def _refuse_lossy_name(source: Source, picture: int | None, output: str) -> None:
    """Refuse to write a picture under the name of a format in which it does not come back."""
    suffix = Path(output).suffix.lower()
    if picture == PHOTOGRAPH and suffix in OTHERS:
        raise checks.photograph_under_another_name(source.name, output)
    if picture is not None and suffix in LOSSY:
        raise checks.lossy_name(source.name, output)


def _own_name(path: str, picture: int | None) -> str:
    """Return the name of what a file becomes; pictures that come back as PNG files end as these do."""
    name = without_suffix(path)
    return name + ".png" if picture in (PHOTOGRAPH, PNG) and not name.lower().endswith(".png") else name


def written(
    terminal: Terminal,
    source: Source,
    form: int,
    file: BinaryIO | None,
    model: Known | None,
    *,
    chosen: tuple[int, int | None] | None = None,
    partial: bool = False,
) -> dict[str, Any]:
    """Decode a compressed file, whose first bytes are taken, and write the data.

    Parameters
    ----------
    terminal : Terminal
        Where progress is shown.
    source : Source
        The compressed file.
    form : int
        Small or stream.
    file : binary file or None
        Where to; None checks only.
    model : Known or None
        What a person named as the model that it needs.
    chosen : tuple of (int, int or None), optional
        Rows of a table to be written alone: the first one, and the one behind the last.
    partial : bool, default=False
        Whether what is sound of a damaged one is written.

    Returns
    -------
    dict
        ``source``, ``bytes`` of data, ``seconds``, ``lost``.
    """
    lost = []
    found: Iterator[bytes | Lost]
    if chosen is not None:
        found = chosen_rows(source, form, *chosen, model)
    else:
        found = salvage(source, model) if partial and form == STREAM else data_of(source, form, model)
    with metered(terminal, None) as meter:
        for piece in found:
            if isinstance(piece, Lost):
                lost.append(str(piece))
                continue
            meter(len(piece), source.position - meter.compressed)
            if file is not None:
                file.write(piece)
                file.flush()
    return {"source": source.name, "bytes": meter.data, "seconds": meter.seconds, "lost": lost}


def _chosen(rows: str) -> tuple[int, int | None]:
    """Return the rows that a person wants: the first one, and the one behind the last, None where that is the end."""
    found = ROWS.fullmatch(rows)
    if not found or (found[2] and int(found[1] or 0) >= int(found[2])):
        raise checks.rows_flag(rows)
    return int(found[1] or 0), int(found[2]) if found[2] else None


def without_suffix(path: str) -> str:
    """Return the name of what a compressed file was made of."""
    if path == STANDARD or not path.endswith(SUFFIX) or not os.path.basename(path)[: -len(SUFFIX)]:
        raise checks.without_suffix(path, SUFFIX)
    return path[: -len(SUFFIX)]


def extracted(
    terminal: Terminal,
    archive: Archive,
    members: Sequence[str] | None,
    folder: str,
    *,
    partial: bool = False,
    force: bool = False,
) -> dict[str, Any]:
    """Write members of an archive into a folder.

    Parameters
    ----------
    terminal : Terminal
        Where progress is shown.
    archive : Archive
        It is closed afterwards.
    members : sequence of str or None
        Their names; None is all.
    folder : str
        Where to.
    partial : bool, default=False
        Whether sound members are written where others are damaged.
    force : bool, default=False
        Whether files that are there may be replaced.

    Returns
    -------
    dict
        ``source``, ``output``, ``members``, ``bytes`` of data, ``seconds``, ``lost``.
    """
    with archive, metered(terminal, None) as meter:
        _ = archive.prior  # a model that is not here is no damage
        wanted = archive.names if members is None else list(members)
        lost = [name for name in wanted if not _is_sound(archive, name)] if partial else []
        sound = [name for name in wanted if name not in set(lost)]
        archive.extract(folder, sound, force=force, progress=meter)
    return {
        "source": archive.label,
        "output": folder,
        "members": len(sound),
        "bytes": meter.data,
        "seconds": meter.seconds,
        "lost": [f"member {name!r}" for name in lost],
    }


def _is_sound(archive: Archive, name: str) -> bool:
    try:
        deque(archive.blocks(name), maxlen=0)
    except ArtifactError:
        return False
    return True
