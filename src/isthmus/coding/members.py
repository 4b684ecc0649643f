"""Members of an archive that are compressed files of their own: by a model of pictures or tables, or as bytes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from isthmus.coding import contents
from isthmus.coding.container import Source, opened
from isthmus.coding.kinds import Known
from isthmus.coding.sources import opened_file, pieces_of
from isthmus.coding.stream import CHUNK, Writer, data_of
from isthmus.errors import DataError

__all__ = ["CodedMember", "ContentIn", "coded_member", "data_of_member"]


ContentIn = Callable[[str, BinaryIO], contents.Content | None]


class CodedMember(NamedTuple):
    """A member as it stands in an archive.

    Parameters
    ----------
    name : str
    data : bytes
        The compressed file.
    size : int
        Bytes of the member itself.
    is_exact : bool
        Whether it comes back byte for byte.
    why_bytes : str or None
        Why it is coded as bytes, where the model is not for it.
    """

    name: str
    data: bytes
    size: int
    is_exact: bool = True
    why_bytes: str | None = None


def coded_member(
    content_in: ContentIn, name: str, content: bytes | str | os.PathLike[str], *, verify: bool
) -> CodedMember:
    """Return a member, bytes or the file that has them, coded with a model; as bytes where it is not for it.

    Parameters
    ----------
    content_in : callable
        Returns what it is coded as, given its name and an open file: :meth:`AnyCodec.content_in`.
    name : str
    content : bytes or path
    verify : bool
        Whether what was coded is decoded again and compared.
    """
    into, why = io.BytesIO(), None
    with opened_file(content) if isinstance(content, str | os.PathLike) else io.BytesIO(content) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        try:
            found = content_in(name, file)
        except DataError as error:
            found, why = None, str(error)
            file.seek(0)
        if found is not None:
            contents.write(into, found, verify=verify, threads=1)
            return CodedMember(name, into.getvalue(), size, found.is_exact)
        with Writer(into, size=size, verify=verify, threads=1) as writer:
            for piece in pieces_of(file, CHUNK):
                writer.write(piece)
    return CodedMember(name, into.getvalue(), size, why_bytes=why)


def data_of_member(data: bytes, label: str, model: Known) -> Iterator[bytes]:
    """Yield what a member holds, of its compressed file; errors are those of :func:`isthmus.coding.stream.data_of`."""
    source = Source.of(data, label)
    yield from data_of(source, opened(source), model)
