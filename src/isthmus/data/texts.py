"""Very many short texts, such as names of files, in one piece of memory."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.data.rows import RowNumbers, Rows

__all__ = ["Packing", "Paths", "Texts"]


class Texts(Sequence[str]):
    """A list of texts that takes their bytes and four or eight more for each.

    Parameters
    ----------
    content : bytes
        The texts in UTF-8, one after another; bytes that are none, as in a file's name, are kept as they are.
    ends : ndarray of unsigned int, shape (m,)
        Where each ends.
    rows : ndarray of int or Rows, optional
        Which of them these are; by default all. Nothing is copied for some of them.
    """

    __slots__ = ("_content", "_ends", "_rows")

    def __init__(self, content: bytes, ends: NDArray[Any], rows: RowNumbers | None = None) -> None:
        self._content, self._ends, self._rows = content, ends, rows

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """Return texts packed together."""
        packing = Packing()
        for text in texts:
            packing.add(text)
        return packing.texts()

    def __len__(self) -> int:
        return len(self._ends if self._rows is None else self._rows)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            return (
                self.at(Rows.all(len(self)).part(start, stop)) if step == 1 else self.at(np.arange(start, stop, step))
            )
        if not -len(self) <= place < len(self):
            raise IndexError(f"there are {len(self)} texts")
        place = int(place) % len(self)
        row = place if self._rows is None else int(self._rows[place])
        start = int(self._ends[row - 1]) if row else 0
        return self._content[start : int(self._ends[row])].decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and not isinstance(other, str) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Texts({len(self)})"

    def at(self, places: RowNumbers) -> Texts:
        """Return the texts at some places."""
        rows = places
        if self._rows is not None:
            both = isinstance(places, Rows) and isinstance(self._rows, Rows)
            rows = self._rows.at(places) if both else self._rows[np.asarray(places)]  # type: ignore[union-attr,arg-type]
        return Texts(self._content, self._ends, rows)


class Packing:
    """Texts that are packed one by one."""

    def __init__(self) -> None:
        self._content, self._ends = bytearray(), array("Q")

    def add(self, text: str) -> None:
        """Add a text."""
        self._content += text.encode("utf-8", "surrogateescape")
        self._ends.append(len(self._content))

    def texts(self) -> Texts:
        """Return all of them."""
        dtype = np.uint32 if len(self._content) < 2**32 else np.uint64
        return Texts(bytes(self._content), np.array(self._ends, dtype))


class Paths(Sequence[Path]):
    """A list of paths that takes little more than their bytes.

    Parameters
    ----------
    texts : Texts
        The paths; below ``root``, where there is one.
    root : Path, optional
        The folder that all lie in.
    """

    def __init__(self, texts: Texts, root: Path | None = None) -> None:
        self._texts, self._root = texts, root

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return Paths(self._texts[place], self._root)
        text = self._texts[place]
        return Path(text) if self._root is None else self._root / text

    def those(self, test: Callable[[Path], bool]) -> Paths:
        """Return the paths that pass a test."""
        places = np.fromiter((place for place, path in enumerate(self) if test(path)), np.int64)
        return Paths(self._texts.at(Rows.of(places)), self._root)
