"""What compression would give: an estimate of a size; nothing is written."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from isthmus.cli.meter import metered
from isthmus.cli.terminal import Result, Terminal
from isthmus.coding import names
from isthmus.coding.choosing import Choice
from isthmus.coding.coder import NORMAL, Coder, table_bits
from isthmus.coding.contents import Content, Work
from isthmus.coding.recognising import AUTO, kind_of, recognised, write_recognised
from isthmus.coding.sources import opened_file

__all__ = ["estimate"]

SAMPLE = 1 << 20  # bytes that an estimate looks at
PLACES = 16  # where they are taken
PIECES = 4  # of a table, which are coded for an estimate


def estimate(
    terminal: Terminal,
    paths: Sequence[Path],
    choice: Choice,
    kind: str = AUTO,
    bound: Mapping[str, float | None] | None = None,
) -> Result:
    """Estimate a compressed size: of bytes from pieces of them, coded one after another by one coder.

    One file that is coded as a table or an array is coded, all of it or some of its pieces.

    Parameters
    ----------
    terminal : Terminal
        Where progress is shown.
    paths : sequence of Path
        Files.
    choice : Choice
        Which prior they are coded with.
    kind : str, default="auto"
        What a person says that they are.
    bound : mapping, optional
        How far the numbers of an array may be off.
    """
    sizes = [path.stat().st_size for path in paths]
    total = sum(sizes)
    if len(paths) == 1 and choice.speed == NORMAL and choice.model is None:
        with opened_file(paths[0]) as file:
            found = recognised(paths[0], file, kind_of(paths[0], kind), bound=bound, prior=choice.carried)
            if found.content:
                return _estimate_content(terminal, file, found.content, total, paths[0].name, choice, kind)
    prior = choice.for_members({str(path): path for path in paths})
    coder = Coder(table_bits(total, choice.speed), speed=choice.speed, prior=prior)
    started, sampled, size = time.perf_counter(), 0, 0
    with metered(terminal, min(total, SAMPLE)) as meter:
        for piece in _sample(paths, sizes):
            payload = min(len(coder.encode(piece)), len(piece))
            sampled, size = sampled + len(piece), size + payload
            meter(len(piece), payload)
    seconds = time.perf_counter() - started
    ratio, pace = size / max(sampled, 1), sampled / max(seconds, 1e-9)
    return _estimated(total, sampled, round(total * ratio), total / max(pace, 1e-9))


def _estimated(total: int, sampled: int, size: int, seconds: float, cores: str = "on one core") -> Result:
    """Return what an estimate from so many sampled bytes says."""
    document = {"bytes": total, "sampled_bytes": sampled, "compressed_bytes": size, "seconds": seconds}
    how = "all of them were coded" if sampled == total else f"from a sample of {sampled:,} bytes"
    line = (
        f"{total:,} bytes would take about {size:,} ({100 * size / max(total, 1):.0f} %), in about {seconds:.0f} s "
        f"{cores} ({how}; nothing was written)"
    )
    return Result(document, [line])


def _estimate_content(
    terminal: Terminal, file: BinaryIO, content: Content, total: int, name: str, choice: Choice, kind: str
) -> Result:
    """Estimate the size of a content from some of its pieces, evenly apart, or all where they are few."""
    started, sample, nowhere = time.perf_counter(), _SampledContent(content, file, total), cast(BinaryIO, Nowhere())
    with metered(terminal, sample.bytes) as meter:
        size = write_recognised(
            nowhere,
            sample,
            file,
            size=total,
            name=None if names.why_refused(name) else name,
            verify=False,
            prior=choice.carried,
            whatever=kind != AUTO,
            done=lambda piece, more: meter(len(piece.data), more),
        )
    seconds = time.perf_counter() - started
    sampled = meter.data if sample.step > 1 else total
    share = total / max(sampled, 1)
    return _estimated(total, sampled, round(size * share), seconds * share, "with two threads")


class Nowhere(io.RawIOBase):
    """A file that keeps nothing."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Return how many bytes these are."""
        return len(data)


class _SampledContent:
    """Some pieces of a content, evenly apart, as a content.

    Parameters
    ----------
    content : Content
        All of it.
    file : binary file
        That it reads from.
    total : int
        Its bytes.
    """

    def __init__(self, content: Content, file: BinaryIO, total: int) -> None:
        self._content = content
        self.number, self.fingerprint = content.number, content.fingerprint
        self.at_once, self.is_exact = content.at_once, content.is_exact
        first = next(content.work(), None)
        file.seek(0)
        length = first.bytes if first else 0
        count = -(-total // max(length, 1)) if content.is_exact else 1
        self.step = max(1, count // PIECES)
        self.bytes = total if self.step == 1 else length * -(-count // self.step)

    def description(self) -> bytes:
        """Return what a reader needs before the first piece."""
        return self._content.description()

    def work(self) -> Iterator[Work]:
        """Yield what makes the pieces of the sample: from the middle, since rows may grow along the file."""
        return islice(self._content.work(), self.step // 2, None, self.step)


def _sample(paths: Sequence[Path], sizes: Sequence[int]) -> Iterator[bytes]:
    """Yield all of the data where they are few, else pieces from places that are evenly apart."""
    total = sum(sizes)
    length = SAMPLE // PLACES
    if total <= SAMPLE:
        places = [(index, 0, size) for index, size in enumerate(sizes)]
    else:
        places = [_place(sizes, place * (total - length) // (PLACES - 1), length) for place in range(PLACES)]
    for index, start, count in places:
        with opened_file(paths[index]) as file:
            file.seek(start)
            yield file.read(count)


def _place(sizes: Sequence[int], start: int, length: int) -> tuple[int, int, int]:
    """Return the file in which a byte of all lies, its place there, and how many bytes to take."""
    for index, size in enumerate(sizes):
        if start < size:
            return index, start, min(length, size - start)
        start -= size
    return len(sizes) - 1, 0, 0
