"""Members of an archive that are coded as what they are: each stands there as a compressed file of its own."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO, cast

from isthmus import checks
from isthmus.coding import contents
from isthmus.coding.container import SMALL_LIMIT, Source, as_bytes, check_of, opened
from isthmus.coding.contents import Content, Piece
from isthmus.coding.kinds import Known
from isthmus.coding.recognising import AUTO, BYTES, kind_of, recognised
from isthmus.coding.sources import watched_file
from isthmus.coding.stream import data_of
from isthmus.errors import DataError

__all__ = ["Coding", "ContentIn", "Opened", "Window", "checked", "data_in"]

ContentIn = Callable[[str, BinaryIO], Any]  # a Content, or None of bytes

IN_MEMORY, PIECE = 1 << 24, 1 << 20  # bytes of a member that is coded, of one that is copied
CHECK = 4  # bytes
PARQUET = ".parquet"  # does not come back byte for byte, as members of archives do


@dataclass
class Opened:
    """A member that is open, and coded as what it is.

    Parameters
    ----------
    content : Content
        What it is.
    file : binary file
        It, which the content reads.
    size : int
        Its bytes.
    data : bytes or None
        These, where they are so few that they may be fewer as bytes; not looked at with a model.
    closing : contextlib.ExitStack
        Closes the file.
    """

    content: Content
    file: BinaryIO
    size: int
    data: bytes | None
    closing: contextlib.ExitStack

    def coded(self, *, verify: bool, label: str, done: Callable[[Piece, int], object]) -> IO[bytes]:
        """Return a file with the compressed member; parameters are those of :func:`isthmus.coding.contents.write`."""
        how: dict[str, Any] = {"verify": verify, "threads": 1, "label": label, "done": done}
        with self.closing, contextlib.ExitStack() as stack:
            into: Any = stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
            contents.write(into, self.content, short=self.size <= SMALL_LIMIT, **how)
            self.file.seek(0, io.SEEK_END)  # wherever the content has left it
            into.seek(0)
            stack.pop_all()  # whoever copies it closes it
        return cast(IO[bytes], into)


@dataclass
class Coding:
    """As what members are coded.

    Parameters
    ----------
    content : {"auto", "bytes"}
        By the endings of their names, or all as bytes.
    prior : bool
        Whether the prior that the package carries may be used.
    content_in : callable, optional
        Returns a member, by its name and an open file, as what a model of something else than bytes codes; raises where
        it is not for it.
    exactly : bool, default=True
        Whether it has to come back byte for byte.
    """

    content: str = AUTO
    prior: bool = True
    content_in: ContentIn | None = None
    exactly: bool = True
    others: list[str] = field(default_factory=list)  # members that the model is not for

    def any_of(self, given: Mapping[str, Any]) -> bool:
        """Tell whether one of some members may be coded as something else than bytes."""
        return self.content_in is not None or any(self._kind(name) != BYTES for name in given)

    def _kind(self, name: str) -> str:
        return BYTES if name.lower().endswith(PARQUET) else kind_of(name, self.content)

    def opened(self, name: str, given: Any) -> Opened | None:
        """Return a member that comes back byte for byte if it is coded as what it is; None where bytes serve it."""
        if self._kind(name) == BYTES and not self.content_in:
            return None
        with contextlib.ExitStack() as stack:
            if isinstance(given, str | os.PathLike):
                file: BinaryIO = stack.enter_context(watched_file(given))
            else:
                file = stack.enter_context(io.BytesIO(as_bytes("archive", given)))
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            data = file.read() if size <= SMALL_LIMIT else None
            file.seek(0)
            if (content := self._with_model(name, file)) is not None:
                return Opened(content, file, size, None, stack.pop_all())
            if (content := self._without_model(name, file)) is not None:
                return Opened(content, file, size, data, stack.pop_all())
            file.seek(0, io.SEEK_END)  # so that nobody takes it for one that changed
        return None

    def _with_model(self, name: str, file: BinaryIO) -> Content | None:
        """Return what a model codes; None where there is none, or it is not for the member, of which note is taken."""
        if not self.content_in:
            return None
        try:
            content = self.content_in(name, file)
        except DataError:
            self.others.append(name)
            content = None
        if content is not None and (content.is_exact or not self.exactly):
            return content
        file.seek(0)
        if content is not None:
            self.others.append(name)
        return None

    def _without_model(self, name: str, file: BinaryIO) -> Content | None:
        """Return what is exact without a model; None of bytes."""
        content = recognised(name, file, self._kind(name), prior=self.prior, threads=1).content
        return content if content is not None and content.is_exact else None


class Window(io.RawIOBase):
    """A part of a file as a file, whatever others read of it meanwhile.

    Parameters
    ----------
    file : binary file
        That can be searched.
    start, size : int
        The part.
    """

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size, self._place = file, start, size, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place of the part."""
        self._place = max(0, place + (0, self._place, self._size)[whence])
        return self._place

    def tell(self) -> int:
        """Return the place in the part."""
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as the part goes."""
        into = memoryview(buffer).cast("B")
        self._file.seek(self._start + self._place)
        found = self._file.read(max(0, min(len(into), self._size - self._place)))
        into[: len(found)] = found
        self._place += len(found)
        return len(found)


def checked(file: IO[bytes] | io.RawIOBase) -> tuple[int, bytes]:
    """Return the bytes of a file from where it stands, and their check."""
    size, check = 0, check_of(b"", CHECK)
    while piece := file.read(PIECE):
        size += len(piece)
        check = check_of(piece, CHECK, int.from_bytes(check, "little"))
    return size, check


def data_in(window: Window, name: str, check: bytes, model: Known | None) -> Iterator[bytes]:
    """Yield the data of a member that stands in a part of an archive as a compressed file.

    Parameters
    ----------
    window : Window
        The part.
    name : str
        Of the member, for sentences.
    check : bytes
        Of the part.
    model : Known or None
        What a person named as the model that it needs.

    Raises
    ------
    ArtifactError
        It is damaged, or needs another model.
    """
    if checked(window)[1] != check:
        raise checks.damaged(name, "it does not fit its check")
    window.seek(0)
    source = Source(cast(BinaryIO, window), name)
    yield from data_of(source, opened(source), model, threads=1)
