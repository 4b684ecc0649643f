"""compress --compare: what isthmus and the codecs of others make of somebody's files; they stay as they are."""

from __future__ import annotations

import io
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.cli.meter import metered
from isthmus.cli.terminal import Result, Terminal, columns
from isthmus.coding import contents
from isthmus.coding.choosing import Choice
from isthmus.coding.container import Source, opened
from isthmus.coding.describing import describe
from isthmus.coding.recognising import ARRAY, BYTES, PICTURE, TABLE, Recognised, write_recognised
from isthmus.coding.sources import opened_file
from isthmus.coding.stream import compressed, data_of
from isthmus.peers import PIXELS, Codec, LeftOut, Measured, Sample, measured, missing, peers_for
from isthmus.peers.codecs import EXACT, WITHIN, Coder
from isthmus.report.formatting import per
from isthmus.version import __version__

__all__ = ["Asked", "compare"]

COMPARED = 256 << 20  # bytes that a comparison takes into memory
APART = 1e15  # a fill value is so many times as large as all other numbers
LARGEST = 5  # files that are named
OWN = "isthmus"
HOW = {TABLE: "as a table", ARRAY: "as an array", PICTURE: "as a picture"}
KIND_OF = {contents.TABLE: TABLE, contents.ARRAY: ARRAY, contents.PICTURE: PICTURE}


@dataclass(frozen=True)
class Asked:
    """How isthmus compresses in a comparison.

    Parameters
    ----------
    choice : Choice
        Speed, and prior or model.
    recognised : callable
        Tells what a file with some path is coded as.
    bound : mapping
        ``max_error``, ``rel_error`` and ``fill``.
    whatever : bool
        Whether a person says what the files are.
    """

    choice: Choice
    recognised: Callable[[str, BinaryIO], Recognised]
    bound: Mapping[str, float]
    whatever: bool = False

    @property
    def has_bound(self) -> bool:
        """Whether numbers may be off."""
        return not self.bound.keys().isdisjoint(("max_error", "rel_error"))


def compare(terminal: Terminal, named: Sequence[str], paths: Sequence[Path], asked: Asked) -> Result:
    """Compress files with isthmus and with the codecs for their kind, each file alone, and compare what comes back.

    Parameters
    ----------
    terminal : Terminal
        Where progress is shown.
    named : sequence of str
        Files and folders, as a person named them.
    paths : sequence of Path
        All files.
    asked : Asked
        How isthmus compresses them.

    Returns
    -------
    Result
        Its document is what the page is made of.
    """
    samples, kinds = _samples(terminal, paths, asked)
    kind = kinds[0] if len(set(kinds)) == 1 else BYTES
    own, peers = _Own(kind, asked), peers_for(kind, within=asked.has_bound and kind == ARRAY)
    absent = missing(peers)
    found, left_out = _tried(terminal, [own.codec, *(peer for peer in peers if peer.name not in absent)], samples)
    if own.codec.name in left_out:
        raise checks.unlike_its_source(", ".join(named))
    total = sum(len(sample.data) for sample in samples)
    document = {
        "source": list(named),
        "kind": kind,
        "bytes": total,
        "whole_bytes": sum(path.stat().st_size for path in paths),
        "files": len(samples),
        "bound": max((sample.bound or 0 for sample in samples), default=0) or None,
        **_described(own.packed, total),
        "left_out": left_out,
        "missing": absent,
    }
    document["tools"] = [_row(one, document) for one in sorted(found, key=lambda one: one.compressed_bytes)]
    return Result(document, _lines(document))


def _tried(
    terminal: Terminal, codecs: Sequence[Codec], samples: Sequence[Sample]
) -> tuple[list[Measured], dict[str, str]]:
    """Return what codecs make of files, and why some of them make nothing."""
    found, left_out = list[Measured](), dict[str, str]()
    total = sum(len(sample.data) for sample in samples)
    with metered(terminal, total * len(codecs)) as meter:
        for codec in codecs:
            try:
                found.append(measured(codec, samples))
            except LeftOut as why:
                left_out[codec.name] = str(why)
            meter(total, 0)
    return found, left_out


def _row(one: Measured, document: Mapping[str, Any]) -> dict[str, Any]:
    total, size, is_own = document["bytes"], one.compressed_bytes, one.tool.startswith(OWN)
    return {
        "tool": one.tool,
        "is_own": is_own,
        "compressed_bytes": size,
        "share": size / max(total, 1),
        "bits_per_byte": 8 * size / max(total, 1),
        "bits_per_unit": 8 * size / max(document["units"], 1),
        "compress_mb_per_s": total / 1e6 / max(one.encode_seconds, 1e-9),
        "decompress_mb_per_s": total / 1e6 / max(one.decode_seconds, 1e-9),
        "max_error": one.max_error,
        "version": f"{OWN} {__version__}" if is_own else one.version,
    }


def _lines(document: Mapping[str, Any]) -> list[str]:
    """Return the table, and what has to be said about it."""
    total, whole, bound = document["bytes"], document["whole_bytes"], document["bound"]
    what = f"the first {total:,} of {whole:,} bytes" if total < whole else f"{total:,} bytes"
    head = ["tool", "bytes", "share", f"bits {per(document['unit'])}", "compress MB/s", "decompress MB/s"]
    rows = [
        (
            row["tool"],
            f"{row['compressed_bytes']:,}",
            f"{100 * row['share']:.1f} %",
            f"{row['bits_per_unit']:.3f}",
            f"{row['compress_mb_per_s']:.2f}",
            f"{row['decompress_mb_per_s']:.2f}",
            *([f"{row['max_error']:.4g}"] if bound else []),
        )
        for row in document["tools"]
    ]
    return [
        f"{what}, each file alone, one thread, medians of up to three runs; the files stay as they are",
        *columns([*head, *(["largest error"] if bound else [])], rows),
        *([f"bound of the error: {bound:.6g}"] if bound else []),
        *_remarks(document),
    ]


def _remarks(document: Mapping[str, Any]) -> list[str]:
    """Return what is said below a comparison: which codecs are not in it, and the versions of those that are."""
    said = [f"{tool} {why}" for tool, why in document["left_out"].items()]
    if document["missing"]:
        said.append(checks.peers_missing(document["missing"]))
    versions = dict.fromkeys(row["version"] for row in document["tools"])
    return [*said, f"versions: {', '.join(versions)}"]


# ------------------------------------------------------------------ the files


def _samples(terminal: Terminal, paths: Sequence[Path], asked: Asked) -> tuple[list[Sample], list[str]]:
    """Return files, up to a limit for all, and what each is coded as."""
    found, kinds, room = list[Sample](), list[str](), COMPARED
    for path in paths:
        with opened_file(path) as file:
            data = file.read(room)
            is_whole = not file.read(1)
            file.seek(0)
            seen = asked.recognised(str(path), file) if is_whole else Recognised()
            if seen.why_not:
                why = checks.bound_not_used(seen.why_not) if seen.content else None
                terminal.say(f"note: {why or checks.compressed_as_bytes(path, seen.why_not)}")
        kinds.append(BYTES if seen.content is None else KIND_OF[seen.content.number])
        as_bytes = seen.content is None or (seen.content.is_exact and not asked.has_bound)
        form = BYTES if as_bytes else PIXELS if kinds[-1] == PICTURE else kinds[-1]
        bound = _absolute(np.load(io.BytesIO(data)), asked.bound) if kinds[-1] == ARRAY and asked.has_bound else None
        found.append(Sample(path, data, form, bound))
        room -= len(data)
        if room <= 0:
            break
    return found, kinds


def _absolute(array: NDArray[Any], bound: Mapping[str, float]) -> float:
    """Return how far numbers may be off, in absolute value: what the codecs of others take."""
    if "max_error" in bound:
        return bound["max_error"]
    sizes = np.unique(np.abs(array[np.isfinite(array) & (array != bound.get("fill"))]))
    while len(sizes) > 1 and sizes[-1] >= APART * sizes[-2]:
        sizes = sizes[:-1]
    usual = array[np.abs(array) <= sizes[-1]] if len(sizes) else array.ravel()[:0]
    parts = [usual.real, usual.imag] if usual.dtype.kind == "c" else [usual]
    reach = max(float(np.ptp(part.astype(np.float64))) for part in parts) if usual.size else 0.0
    return bound["rel_error"] * reach


# ------------------------------------------------------------------ isthmus


class _Own:
    """What isthmus makes of files, as one of the codecs.

    Parameters
    ----------
    kind : str
        What it codes them as.
    asked : Asked
        How.
    """

    def __init__(self, kind: str, asked: Asked) -> None:
        self._asked = asked
        self.packed: dict[Path, bytes] = {}  # by the file, what it became last
        self.codec = Codec(self._name(kind), None, None, self._coder, WITHIN if asked.has_bound else EXACT)

    def _name(self, kind: str) -> str:
        how = (
            self._asked.choice.name
            if kind == BYTES
            else f"{HOW[kind]}, within the bound"
            if self._asked.has_bound
            else HOW[kind]
        )
        return f"{OWN} ({how}{', with the model' if self._asked.choice.model else ''})"

    def _coder(self) -> Coder:
        return Coder(self._encode, self._decode)

    def _encode(self, sample: Sample, _: Any) -> bytes:
        """Return the compressed file, as compress writes it."""
        choice = self._asked.choice
        with opened_file(sample.path) as file:
            content = self._asked.recognised(str(sample.path), file).content if _is_all(file, sample) else None
            if content is None:
                packed = compressed(
                    sample.data, speed=choice.name, verify=False, model=choice.model, prior=choice.carried
                )
            else:
                into = io.BytesIO()
                how: dict[str, Any] = {"prior": choice.carried, "whatever": self._asked.whatever}
                write_recognised(into, content, file, size=len(sample.data), verify=False, threads=1, **how)
                packed = into.getvalue()
        self.packed[sample.path] = packed
        return packed

    def _decode(self, packed: bytes, sample: Sample) -> Any:
        source = Source.of(packed, str(sample.path))
        data = b"".join(data_of(source, opened(source), self._asked.choice.model, threads=1))
        return Sample(sample.path, data).form(sample.kind)


def _is_all(file: BinaryIO, sample: Sample) -> bool:
    """Tell whether a sample is all of its file, which is then where it was."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size == len(sample.data)


def _described(packed: Mapping[Path, bytes], total: int) -> dict[str, Any]:
    """Return where the bytes of compressed files went: parts, columns of one table, or the files that take most."""
    found = [_one_described(content) for content in packed.values()]
    parts = sum((Counter(one["parts"]) for one in found), Counter[str]())
    units = {one.get("unit") for one in found}  # one, where all files are of a kind
    has_units = len(units) == 1 and units != {None}
    sizes = {str(path): len(content) for path, content in packed.items()}
    largest = dict(sorted(sizes.items(), key=lambda one: -one[1])[:LARGEST])
    return {
        "unit": units.pop() if has_units else "byte",
        "units": sum(one["units"] for one in found) if has_units else total,
        "parts": dict(parts),
        "columns": found[0].get("columns", {}) if len(found) == 1 else {},
        "largest": largest if len(packed) > 1 else {},
    }


def _one_described(content: bytes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "packed"
        path.write_bytes(content)
        return describe(path)
