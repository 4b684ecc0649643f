"""Text and bytes: lists of records, and files cut into windows."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isthmus.checks import data as checks
from isthmus.data import stores
from isthmus.data.recognition import HEAD_BYTES, is_text
from isthmus.data.records import Data
from isthmus.data.schema import Schema

__all__ = ["from_bytes_file", "from_strings", "unpacked"]

UNPACKED_BYTES = 8 * 2**30


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
        The file; a name in ``.gz`` is unpacked. A plain file that is large is memory-mapped and streamed.
    window : int
        Bytes in a record.
    asked : bool, default=False
        Whether bytes were asked for; if not, a note says where they do not look like text.
    """
    checks.at_least_one("window", window)
    size = path.stat().st_size
    if path.suffix.lower() == ".gz":
        content = np.frombuffer(unpacked(path, UNPACKED_BYTES), np.uint8)
    elif size > stores.RESIDENT_BYTES:
        content = np.memmap(path, np.uint8, "r")
    else:
        content = np.fromfile(path, np.uint8)
    if not len(content):
        raise checks.unreadable_file(path, "it is empty")
    notes = [f"{path.name} was read as {len(content):,} bytes, in records of {window} bytes."]
    if not asked and not is_text(content[:HEAD_BYTES].tobytes()):
        notes.append(
            f"{path.name} looks neither like text nor like a format known here: its bytes are learned as they are."
        )
    schema = Schema("text", (min(window, len(content)),), "bytes", "files")
    return Data(schema, stores.WindowStore(content, window), source=path.name, notes=notes)


def unpacked(path: Path, limit: int) -> bytes:
    """Return the content of a gzip-packed file, of ``limit`` bytes at most."""
    try:
        with gzip.open(path) as file:
            content = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise checks.unreadable_file(path, f"it is truncated or damaged ({error})") from error
    if len(content) > limit:
        held = f"{limit / 2**30:.0f} GiB; unpack it first"
        raise checks.too_large(path, "it unpacks to more bytes than are held in memory", held)
    return content
