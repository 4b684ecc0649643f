"""Data from a pipe: read once, up to a limit, into a temporary file that every reader can open.

A pipe has no name that tells what it carries, no length, and no second time. So all of it is copied to a file, named by
its first bytes, and what reads files reads that one.
"""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import stat
import tempfile
import weakref
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

from isthmus.checks import data as checks
from isthmus.data import reading, recognition
from isthmus.idx import is_idx

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["STANDARD_INPUT", "Stream", "stream_of", "suffix_of"]

STANDARD_INPUT = "-"
LONGEST = 64 * 2**30  # bytes that are taken from a pipe
SHARE = 0.9  # of the room that is left on the disk
PIECE = 2**20
HEAD = 2**16  # first bytes that tell what a stream carries
LINES = 20  # of them, that tell a table
OPENED_BY_NUMBER = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")

Progress = Callable[[str], AbstractContextManager[Callable[[int], None]]]


def stream_of(name: str, progress: Progress | None = None) -> Stream | None:
    """Return the stream that a source names; None where it names something else.

    Parameters
    ----------
    name : str
        ``-`` is the standard input. A named pipe, ``/dev/stdin`` and what ``<(command)`` stands for are streams, too.
    progress : callable, optional
        As :class:`Stream` takes it.

    Raises
    ------
    DataError
        It is a socket or a device: what sends without end, or waits for a person.
    """
    if name == STANDARD_INPUT:
        return Stream(name, "stdin", progress)
    path = Path(os.path.expanduser(name))
    found = reading.status(path)
    if found is None or stat.S_ISDIR(found.st_mode):
        return None
    if str(path).startswith(OPENED_BY_NUMBER):
        return Stream(str(path), "stdin" if path.name in ("stdin", "0") else "pipe", progress)
    if stat.S_ISREG(found.st_mode):
        return None
    if not stat.S_ISFIFO(found.st_mode):
        raise checks.unreadable_file(path, f"it is {reading.kind_of_file(found.st_mode)}, neither a file nor a pipe")
    return Stream(str(path), path.name, progress)


class Stream:
    """What comes through a pipe, as a file.

    Parameters
    ----------
    name : str
        As :func:`stream_of` takes it.
    shown : str
        What notes call it.
    progress : callable, optional
        ``progress(shown)`` is entered while the pipe is read, and gives a function that is told the bytes so far.
    """

    def __init__(self, name: str, shown: str, progress: Progress | None = None) -> None:
        self.name = name
        self.shown = shown
        self.progress = progress or (lambda _: nullcontext(lambda _: None))
        self._path: Path | None = None
        self._remove: Callable[[], object] | None = None

    def path(self, *, table: bool = False) -> Path:
        """Return the file that holds all of it; the first call waits for the end of the stream.

        Parameters
        ----------
        table : bool, default=False
            Whether a text is a table without doubt, since the columns of one were asked for.

        Raises
        ------
        DataError
            It is empty, longer than the limit, or a terminal.
        """
        if self._path is None:
            folder = _folder()
            self._remove = weakref.finalize(self, _removed, *folder)
            self._path = self._copied(folder[0], table=table)
        return self._path

    def close(self) -> None:
        """Remove the file; at the latest that happens at the end of the process."""
        if self._remove is not None:
            self._remove()

    def keep(self) -> None:
        """Keep the file until the end of the process, since records are read from it later."""
        KEPT.append(self)

    def _copied(self, folder: Path, *, table: bool) -> Path:
        with self._opened() as source, self.progress(self.shown) as tell:
            head = source.read(PIECE)
            while head and len(head) < HEAD and (more := source.read(PIECE)):
                head += more
            if not head:
                raise checks.unreadable_file(self.name, "it is empty")
            path = folder / (self.shown + suffix_of(head, table=table))
            try:
                with path.open("wb") as file:
                    self._copy(head, source, file, tell)
            except OSError as error:
                raise checks.stream_not_kept(self.name, str(folder.parent), error.strerror or str(error)) from error
        return path

    def _copy(self, head: bytes, source: IO[bytes], file: IO[bytes], tell: Callable[[int], None]) -> None:
        folder = tempfile.gettempdir()
        room, size, piece = int(SHARE * shutil.disk_usage(folder).free), 0, head
        while piece:
            size += len(piece)
            if size > LONGEST:
                raise checks.too_large(
                    self.name, "more comes through it than is kept", "64 GiB; save it to a file first"
                )
            if size > room:
                raise checks.stream_not_kept(self.name, folder, f"it fills more than {SHARE:.0%} of what is free there")
            file.write(piece)
            tell(size)
            piece = source.read(PIECE)

    def _opened(self) -> IO[bytes]:
        """Return the stream, opened; a named pipe waits here for somebody who writes to it."""
        if self.name != STANDARD_INPUT:
            with reading.decoding(self.name, "it could not be opened"):
                return open(self.name, "rb", buffering=0)
        try:
            mode = os.fstat(0).st_mode
        except OSError as error:
            raise checks.unreadable_file(self.name, "the standard input is closed") from error
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISDIR(mode):
            raise checks.no_standard_input(terminal=os.isatty(0))
        os.set_blocking(0, True)
        return open(0, "rb", buffering=0, closefd=False)


KEPT: list[Stream] = []


# --- what it carries -------------------------------------------------------------------------------------------------


def suffix_of(head: bytes, *, table: bool = False) -> str:
    r"""Return the suffix that a file beginning like this needs; "" where its first bytes are enough, or tell nothing.

    Parameters
    ----------
    head : bytes
        The first ones.
    table : bool, default=False
        Whether a text is a table without doubt.

    Examples
    --------
    >>> suffix_of(b"a,b\n1,2\n3,4\n")
    '.csv'
    """
    if head[:2] == b"\x1f\x8b":
        with contextlib.suppress(zlib.error):
            return suffix_of(zlib.decompressobj(31).decompress(head, HEAD), table=table) + ".gz"
        return ".gz"
    if is_idx(head):
        return ".idx"
    found = recognition.recognise(head, "stream.json")
    if found is recognition.JSON_LINES:
        return ".jsonl"
    return _suffix_of_table(head, table=table) if found in (None, recognition.JSON) else ""


def _suffix_of_table(head: bytes, *, table: bool) -> str:
    """Return the suffix of a text table: its first lines have the same number of cells, two or more."""
    text = head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1", errors="replace")
    if "\0" in text:
        return ""
    lines = text.splitlines()[:LINES] if len(head) < HEAD else text.splitlines()[:-1][:LINES]
    lines = [line for line in lines if line.strip()]
    for delimiter, suffix in (("\t", ".tsv"), (",", ".csv"), (";", ".csv"), ("|", ".csv")):
        with contextlib.suppress(csv.Error):
            widths = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
            if len(lines) > 1 and len(widths) == 1 and max(widths) > 1:
                return suffix
    return ".csv" if table else ""


# --- where it is kept ------------------------------------------------------------------------------------------------

PREFIX = "isthmus-stream-"


def _folder() -> tuple[Path, int | None]:
    """Return a new temporary folder with a lock that ends with this process; remove those that others left behind."""
    parent = Path(tempfile.gettempdir())
    for left in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = _locked(left)
            if lock is not None:
                _removed(left, lock)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    return folder, _locked(folder)


def _locked(folder: Path) -> int | None:
    """Return a lock on a folder; None where another process holds it, or there are no locks."""
    if fcntl is None:
        return None
    handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _removed(folder: Path, lock: int | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)
