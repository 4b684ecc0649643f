"""``isthmus fit --model codec``, and what info and verify say of its file: nothing here needs torch."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from isthmus import checks
from isthmus.checks.coding import SHORT
from isthmus.cli import config, outputs
from isthmus.cli.commands import COMMON, flags_of_function
from isthmus.cli.meter import metered
from isthmus.cli.pipes import PIECE, STANDARD
from isthmus.cli.terminal import Result, Terminal, counted
from isthmus.coding import Codec
from isthmus.coding.sources import files_of
from isthmus.errors import IsthmusError

__all__ = ["about", "fit_codec", "is_named", "refuse_other_flags", "still_computes"]

PROBE = b"What was coded with a model decodes with it: 0123456789, A to Z, and a line's end.\n"


def is_named(arguments: Sequence[str]) -> bool:
    """Tell whether a command line says that the model is a codec."""
    (named,) = config.scan(arguments, "--model/-m")
    return str(named).lower() == Codec.__name__.lower()


def refuse_other_flags(arguments: Sequence[str]) -> None:
    """Refuse flags that only other models have."""
    own = [flag.long for flag in flags_of_function(fit_codec, leave_out=("terminal", "data"))]
    known = [*own, *(f"--{name}" for name in COMMON), "--help"]
    for word in itertools.takewhile("--".__ne__, arguments):
        flag = word.partition("=")[0]
        if flag.startswith("--") and flag not in known:
            raise checks.no_flag_of_codec(flag, own)


def fit_codec(
    terminal: Terminal,
    data: list[str],
    *,
    model: str = "codec",
    output: str = "model.safetensors",
    force: bool = False,
) -> Result:
    """Learn what your files are like, for isthmus compress -m, which makes them smaller with it.

    It pays where many short files or lines are alike, of which each has to be had alone: logs, messages, records. What
    was compressed with a model can be decompressed only with that model, so keep its file.

    Parameters
    ----------
    data : list of str
        Files and folders, of which all files are learned from; - is the standard input.
    model : {"codec"}
        The other models have other flags: see isthmus models.
    output : str
        Where to.

    Examples
    --------
    isthmus fit corpus/ --model codec -o logs.safetensors
    isthmus compress app.log -m logs.safetensors
    isthmus decompress app.log.isth -m logs.safetensors
    """
    path = outputs.check_file_output(output, force)
    files = _files(terminal, data, path)
    total = None if STANDARD in data else sum(file.stat().st_size for file in files)
    with metered(terminal, total) as meter:
        codec = Codec().fit(_texts(data, files), progress=lambda count: meter(count, 0))
    codec.provenance_["command"] = terminal.command
    codec.save(path, force=force)
    terminal.say(f"next: isthmus compress FILE -m {output}")
    seconds = meter.seconds
    record = {"output": output, "model": "Codec", "fingerprint": codec.fingerprint_, "seconds": seconds}
    pace = meter.data / 1e6 / max(seconds, 1e-9)
    line = (
        f"{output}: Codec {codec.fingerprint_[:SHORT]}, learned from {meter.data:,} bytes in {seconds:.1f} s at "
        f"{pace:.2f} MB/s"
    )
    return Result({**record, "provenance": codec.provenance_}, [line])


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


def about(document: Mapping[str, Any], fingerprint: str) -> list[str]:
    """Return what info says of a model, given what its file says."""
    provenance = document["provenance"]
    command = provenance.get("command")
    return [
        f"a model for isthmus compress -m; fingerprint {fingerprint[:SHORT]}",
        f"learned from {provenance['bytes']:,} bytes in {counted(provenance['pieces'], 'piece')}",
        *([f"command: {command}"] if command else []),
    ]


def still_computes(codec: Codec) -> tuple[bool, str]:
    """Return whether what a model codes decodes with it."""
    try:
        return codec.decompress(codec.compress(PROBE, verify=False)) == PROBE, "what it codes decodes with it"
    except IsthmusError as error:
        return False, str(error)
