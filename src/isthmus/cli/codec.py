"""``isthmus fit --model codec``, and what info says of its file: nothing here needs torch."""

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
from isthmus.coding.sources import files_of

__all__ = ["about", "fit_codec"]

AUTO = "auto"


def fit_codec(
    terminal: Terminal,
    data: list[str],
    *,
    model: str = "codec",
    content: str = "auto",
    output: str = "model.safetensors",
    force: bool = False,
) -> Result:
    """Learn what your files are like, for isthmus compress -m, which makes them smaller with it.

    It pays where many short files or lines are alike, of which each has to be had alone: logs, messages, records; for
    tables of the same columns; and for pictures of one kind and size. What was compressed with a model can be
    decompressed only with that model, so keep its file.

    Parameters
    ----------
    data : list of str
        Files and folders, of which all files are learned from; - is the standard input.
    model : {"codec"}
        The other models have other flags: see isthmus models.
    content : {"auto", "bytes", "pictures", "tables"}
        What the files are learned from as. auto takes PNG files, and .npy and IDX files of whole numbers in which
        picture follows on picture, for pictures, and .csv, .tsv and .tab for tables, where all files are such; else
        bytes.
    output : str
        Where to.

    Examples
    --------
    isthmus fit corpus/ --model codec -o logs.safetensors
    isthmus compress app.log -m logs.safetensors
    isthmus decompress app.log.isth -m logs.safetensors
    isthmus fit scans/ --model codec -o scans.safetensors
    isthmus fit exports/ --model codec -o exports.safetensors
    """
    checks.choice("fit --model codec", "--content", content, (AUTO, *kinds.KINDS))
    path = outputs.check_file_output(output, force)
    files = _files(terminal, data, path)
    cls = kinds.KINDS[_content(terminal, data, files) if content == AUTO else content].cls
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


def _content(terminal: Terminal, data: Sequence[str], files: Sequence[Path]) -> str:
    """Return what files are learned from as where nobody says it, and tell where that is not plain."""
    if STANDARD in data:
        return kinds.BYTES
    content = kinds.content_of(files)
    if content != kinds.BYTES:
        terminal.say(f"note: {checks.learned_as(content)}")
    elif others := kinds.other_contents(files):
        terminal.say(f"note: {checks.learned_as_bytes(others)}")
    return content


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


def about(envelope: Mapping[str, Any]) -> list[str]:
    """Return what info says of a model, given what its file says; nothing where it is none that makes data smaller."""
    kind = next((kind for kind in kinds.KINDS.values() if kind.name == envelope["class"]), None)
    if kind is None:
        return []
    provenance = envelope["document"]["provenance"]
    command = provenance.get("command")
    return [
        f"a model for isthmus compress -m; fingerprint {envelope['sha256'][:SHORT]}",
        f"learned from {kind.cls.learned_from(provenance)}",
        *([f"command: {command}"] if command else []),
    ]
