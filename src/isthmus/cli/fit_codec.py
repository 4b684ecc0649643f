"""``isthmus fit --model codec``: torch is loaded for codecs of photographs only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from isthmus import checks
from isthmus.checks.coding import SHORT
from isthmus.cli import outputs
from isthmus.cli.meter import Meter, metered
from isthmus.cli.pipes import PIECE, STANDARD
from isthmus.cli.terminal import Result, Terminal
from isthmus.coding import kinds
from isthmus.coding.kinds import AnyCodec
from isthmus.coding.photographs.weights import Weights
from isthmus.coding.sources import files_of

__all__ = ["fit_codec"]

AUTO = "auto"
PHOTOGRAPHS = Weights.content
PNG = ".png"
PICTURES = {PNG, ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".bmp"}


def fit_codec(
    terminal: Terminal,
    data: list[str],
    *,
    model: str = "codec",
    content: str = "auto",
    output: str = "model.safetensors",
    from_: str | None = None,
    mode: str | None = None,
    validation: float | None = None,
    max_steps: int | None = None,
    max_seconds: float | None = None,
    batch_size: int | None = None,
    patch: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    device: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    resume: bool = False,
    force: bool = False,
) -> Result:
    """Learn what your files are like, for isthmus compress -m, which makes them smaller with it.

    It pays where many short files or lines are alike, of which each has to be had alone: logs, messages, records; for
    tables of the same columns; and for pictures of one kind and size. What was compressed with a model can be
    decompressed only with that model, so keep its file.

    With --content photographs it tunes the codec that compress --psnr uses to pictures of your own kind, of any sizes,
    which come back with a loss: for pictures unlike photographs, such as scans, maps, micrographs. Some are held out
    and scored before and after; where they cost more, the weights stay as they were. Interrupted with Ctrl-C it leaves
    a checkpoint, and --resume goes on from there.

    Parameters
    ----------
    data : list of str
        Files and folders, of which all files are learned from; - is the standard input. Of photographs one file,
        folder or pattern.
    model : {"codec"}
        The other models have other flags: see isthmus models.
    content : {"auto", "bytes", "pictures", "tables", "photographs"}
        What the files are learned from as. auto takes PNG files, and .npy and IDX files of whole numbers in which
        picture follows on picture, for pictures, and .csv, .tsv and .tab for tables, where all files are such;
        picture files of other formats, or PNG files of several sizes, for photographs; else bytes. The flags from
        --from on are of photographs, and say that these are some.
    output : str
        Where to.
    from_ : {"shipped", "nothing"}
        What to begin with: the weights that come with isthmus (the default), or none.
    mode : {"grey", "rgb", "rgba"}
        Convert pictures to these channels, where they differ.
    validation : float
        Share of the pictures to hold out; by default a tenth, one of two at least.
    max_steps : int
        Steps of training; by default 1,000.
    max_seconds : float
        Wall time to train for.
    batch_size : int
        Patches a step; by default 4.
    patch : int
        Pixels a side of a patch: a multiple of 64, by default 256.
    learning_rate : float
        At the start; by default 0.003 from the weights of isthmus, else 0.008.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to learn.
    precision : {"auto", "float32", "bfloat16"}
        Of convolutions; auto takes bfloat16 where the device has it in hardware.
    resume : bool
        Go on from the checkpoint of an interrupted run of the same command.

    Examples
    --------
    isthmus fit corpus/ --model codec -o logs.safetensors
    isthmus compress app.log -m logs.safetensors
    isthmus decompress app.log.isth -m logs.safetensors
    isthmus fit scans/ --model codec -o scans.safetensors
    isthmus fit exports/ --model codec -o exports.safetensors
    isthmus fit maps/ --model codec --content photographs --max-seconds 600 -o maps.safetensors
    isthmus compress map.png --psnr 38 -m maps.safetensors
    """
    checks.choice("fit --model codec", "--content", content, (AUTO, *kinds.KINDS, PHOTOGRAPHS))
    given = {
        name: value
        for name, value in {
            "start": from_,
            "mode": mode,
            "validation": validation,
            "max_steps": max_steps,
            "max_seconds": max_seconds,
            "batch_size": batch_size,
            "patch": patch,
            "learning_rate": learning_rate,
            "device": device,
            "precision": precision,
        }.items()
        if value is not None
    }
    flags = [*given, *(["resume"] if resume else [])]
    if content == PHOTOGRAPHS or (content == AUTO and flags):
        how: dict[str, Any] = {"seed": seed, "threads": threads, "resume": resume, "force": force}
        return _fit_to_photographs(terminal, data, output, given, **how)
    if flags:
        raise checks.flag_of_photographs(flags[0], content)
    files = _files(terminal, data, Path(output))
    content = _content(terminal, data, files) if content == AUTO else content
    if content == PHOTOGRAPHS:
        return _fit_to_photographs(terminal, data, output, {}, seed=seed, threads=threads, resume=False, force=force)
    path = outputs.check_file_output(output, force)
    cls = kinds.KINDS[content].cls
    if STANDARD in data and cls.content != kinds.BYTES:
        raise checks.only_bytes_from_standard_input(cls.content)
    total = None if STANDARD in data else sum(file.stat().st_size for file in files)
    learned = _texts(data, files) if cls.content == kinds.BYTES else files
    with metered(terminal, total) as meter:
        codec = cls().fit(learned, progress=lambda count: meter(count, 0))
    codec.provenance_["command"] = terminal.command
    codec.save(path, force=force)
    terminal.say(f"next: isthmus compress FILE -m {output}")
    return _learned(codec, output, meter)


def _fit_to_photographs(
    terminal: Terminal,
    data: Sequence[str],
    output: str,
    given: Mapping[str, Any],
    *,
    seed: int,
    threads: int | None,
    resume: bool,
    force: bool,
) -> Result:
    """Tune the codec of photographs, for which torch is loaded."""
    if len(data) > 1 or STANDARD in data:
        raise checks.photographs_from_one_source(data)
    from isthmus.cli.commands import use_threads
    from isthmus.cli.fit_photographs import fit_photographs

    if threads is not None:
        use_threads(threads, of_torch=True)
    return fit_photographs(terminal, data[0], output, given, seed=seed, resume=resume, force=force)


def _content(terminal: Terminal, data: Sequence[str], files: Sequence[Path]) -> str:
    """Return what files are learned from as where nobody says it, and tell where that is not plain."""
    if STANDARD in data:
        return kinds.BYTES
    content = PHOTOGRAPHS if _are_photographs(files) else kinds.content_of(files)
    if content != kinds.BYTES:
        terminal.say(f"note: {checks.learned_as(content)}")
    elif others := kinds.other_contents(files):
        terminal.say(f"note: {checks.learned_as_bytes(others)}")
    return content


def _are_photographs(files: Sequence[Path]) -> bool:
    """Tell whether all files are pictures, and not PNG files of one size, as a model without a loss is for."""
    suffixes = {file.suffix.lower() for file in files}
    if not suffixes or not suffixes <= PICTURES:
        return False
    return suffixes != {PNG} or len({_size_of_png(file) for file in files}) > 1


def _size_of_png(path: Path) -> bytes:
    """Return width and height as they stand in a PNG file."""
    with open(path, "rb") as file:
        return file.read(24)[16:]


def _learned(codec: AnyCodec, output: str, meter: Meter) -> Result:
    """Return what is said of a model that was learned."""
    name, seconds = type(codec).__name__, meter.seconds
    record = {"output": output, "model": name, "fingerprint": codec.fingerprint_, "seconds": seconds}
    phrase = f"{meter.data:,} bytes" if codec.content == kinds.BYTES else codec.learned_from(codec.provenance_)
    pace = meter.data / 1e6 / max(seconds, 1e-9)
    line = f"{output}: {name} {codec.fingerprint_[:SHORT]}, learned from {phrase} in {seconds:.1f} s at {pace:.2f} MB/s"
    return Result({**record, "content": codec.content, "provenance": codec.provenance_}, [line])


def _files(terminal: Terminal, data: Iterable[str], output: Path) -> list[Path]:
    """Return the files that are named or lie in folders, but for the output; tell what is left out."""
    found: list[Path] = []
    for path in data:
        if path == STANDARD:
            continue
        gathered = files_of(path, but=output)
        if gathered.skipped:
            terminal.say(f"note: {checks.skipped_when_learning(gathered.skipped)}")
        found += gathered.files.values()
    return found


def _texts(data: Sequence[str], files: Iterable[Path]) -> Iterator[Path | bytes]:
    """Yield what is to be learned from: the files, and the standard input in pieces."""
    yield from files
    if STANDARD in data:
        if sys.stdin.isatty():
            raise checks.input_is_a_terminal("fit")
        while piece := sys.stdin.buffer.read(PIECE):
            yield piece
