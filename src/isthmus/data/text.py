"""Text and bytes: lists of records, and files by lines or cut into windows."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import stores
from isthmus.data.reading import PACKED_LIMIT, FileArray, decoding, read_bounded, require_file
from isthmus.data.recognition import HEAD_BYTES, is_text
from isthmus.data.records import Data
from isthmus.data.schema import Schema

__all__ = ["WINDOW", "from_bytes_file", "from_lines_file", "from_strings", "has_short_lines", "unpacked"]

WINDOW = 64  # bytes in a record of a file that is not read by lines
LONGEST_LINE = 1024  # bytes up to which a line is a record by default


def from_strings(records: Sequence[str] | Sequence[bytes], *, name: str = "X") -> Data:
    """Open a list of texts, or of byte strings: each is one record.

    Parameters
    ----------
    records : sequence of str or of bytes
        Texts are encoded as UTF-8.
    name : str, default="X"
        What the list is called in a sentence.
    """
    dtype = "str" if isinstance(records[0], str) else "bytes"
    content: list[bytes] = []
    for number, record in enumerate(records):
        if isinstance(record, str) and dtype == "str":
            content.append(record.encode("utf-8", errors="surrogatepass"))
        elif isinstance(record, (bytes, bytearray)) and dtype == "bytes":
            content.append(bytes(record))
        else:
            raise checks.unreadable_object(
                name, f"item 0 is {dtype} and item {number} is {type(record).__name__}; give all items one type"
            )
    longest = max(len(record) for record in content)
    checks.not_empty((len(content), longest), name)
    return Data(Schema("text", (longest,), dtype, "list"), stores.ListStore(content), source=name)


def from_bytes_file(path: Path, *, window: int, asked: bool = False) -> Data:
    """Open any file as bytes: every ``window`` bytes are one record, and the last one may be shorter.

    Parameters
    ----------
    path : Path
        The file; a name in ``.gz`` is unpacked. A plain file that is large is streamed.
    window : int
        Bytes in a record.
    asked : bool, default=False
        Whether bytes were asked for.

    Raises
    ------
    DataError
        Bytes were not asked for, and the first ones do not look like text.
    """
    checks.at_least_one("window", window)
    size = require_file(path).st_size
    content: np.ndarray | FileArray
    if path.suffix.lower() == ".gz":
        content = np.frombuffer(unpacked(path, PACKED_LIMIT), np.uint8)
    else:
        content = FileArray(path, np.dtype(np.uint8), (size,))
        content = content if size > stores.RESIDENT_BYTES else content.all()
    if not len(content):
        raise checks.unreadable_file(path, "it is empty")
    head = content.read(0, HEAD_BYTES) if isinstance(content, FileArray) else content[:HEAD_BYTES]
    if not asked and not is_text(head.tobytes()):
        raise checks.unknown_bytes(path)
    notes = [f"{path.name} was read as {len(content):,} bytes, in records of {window} bytes."]
    schema = Schema("text", (min(window, len(content)),), "bytes", "files")
    return Data(schema, stores.WindowStore(content, window), source=path.name, notes=notes)


def has_short_lines(path: Path) -> bool:
    """Tell whether a file is a text in UTF-8 of two lines or more, none of which is long, and is held in memory."""
    if path.suffix.lower() != ".gz" and path.stat().st_size > stores.RESIDENT_BYTES:
        return False
    content = _content(path)
    lines = content.split(b"\n", 2)
    if len(lines) < 2 or not any(lines[1:]) or not is_text(content[:HEAD_BYTES]):
        return False
    return _is_utf8(content) and max(map(len, content.split(b"\n"))) <= LONGEST_LINE


def from_lines_file(path: Path) -> Data:
    """Open a text file of which every line is one record, without its line end.

    Parameters
    ----------
    path : Path
        The file, held in memory; a name in ``.gz`` is unpacked. Empty lines are records, too.
    """
    content = _content(path)
    lines = content.removesuffix(b"\n").split(b"\n")
    longest = max(map(len, lines))
    checks.not_empty((len(lines), longest), path.name)
    notes = [f"{path.name} was read as {len(lines):,} lines, of {longest} bytes at most; each is a record."]
    dtype = "str" if _is_utf8(content) else "bytes"
    return Data(Schema("text", (longest,), dtype, "list"), stores.ListStore(lines), source=path.name, notes=notes)


def _content(path: Path) -> bytes:
    return bytes(unpacked(path, PACKED_LIMIT)) if path.suffix.lower() == ".gz" else path.read_bytes()


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def unpacked(path: Path, limit: int) -> bytearray:
    """Return the content of a gzip-packed file, of ``limit`` bytes at most."""
    require_file(path)
    with decoding(path), gzip.open(path) as file:
        content = read_bounded(file, limit)
    if len(content) > limit:
        held = f"{limit / 2**30:.0f} GiB; unpack it first"
        raise checks.too_large(path, "it unpacks to more bytes than are held in memory", held)
    return content
