"""A group of rows as a piece of a stream: its description, its texts and its planes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from isthmus.coding.container import Source, varint
from isthmus.coding.contents import THREADS
from isthmus.coding.parts import packed, unpacked
from isthmus.coding.tables.cells import names_in
from isthmus.coding.tables.coding import DESCRIPTION_LIMIT, coded_planes, decoded_planes, sizes_of_planes
from isthmus.coding.tables.dialect import Dialect
from isthmus.coding.tables.layout import MOST_BYTES
from isthmus.coding.tables.packing import at_most
from isthmus.coding.tables.planes import Form, Integers, Plane
from isthmus.coding.tables.quoting import unquoted

__all__ = ["DESCRIPTION", "Parts", "columns_of", "costs_of", "named", "payload_of"]

DESCRIPTION = "description of the columns"


class Layout(Protocol):
    """What is known of a group beside its planes and texts."""

    @property
    def columns(self) -> Sequence[Any]:
        """The columns."""

    @property
    def n_rows(self) -> int:
        """Its rows."""

    @property
    def forms(self) -> list[list[Form]]:
        """The planes of each column."""

    def to_bytes(self) -> bytes:
        """Return the description."""


Known = TypeVar("Known", bound=Layout)


def payload_of(
    layout: Layout, texts: Sequence[bytes], planes: Sequence[Sequence[Plane]], *, prior: bool, threads: int = THREADS
) -> bytes:
    """Return a group of rows as it stands in a payload.

    Parameters
    ----------
    layout : Layout
        What is known of it beside the rest.
    texts : sequence of bytes
        Of each column.
    planes : sequence of sequence of Plane
        Of each column.
    prior : bool
        Whether texts may be coded with the prior that the package carries.
    threads : int, default=2
        That may be used.
    """
    lengths = b"".join(varint(len(text)) for text in texts)
    described = packed(layout.to_bytes(), prior=prior) + packed(lengths)
    return described + packed(b"".join(texts), prior=prior) + coded_planes(planes, threads)


class Parts(Generic[Known]):
    """What stands in a payload before the planes, read from a source that is left there.

    Parameters
    ----------
    source : Source
        Of what :func:`payload_of` returned.
    read : callable
        Returns the layout of a source.
    """

    def __init__(self, source: Source, read: Callable[[Source], Known]) -> None:
        self._source = source
        self.layout = read(Source.of(unpacked(source, DESCRIPTION_LIMIT), source.name))
        lengths = Source.of(unpacked(source, 10 * len(self.layout.columns)), source.name)
        self.sizes = [at_most(lengths, MOST_BYTES, "bytes of text") for _ in self.layout.columns]
        before = source.position
        self.text = unpacked(source, MOST_BYTES)
        self.text_size = source.position - before  # as it stands there
        if len(self.text) != sum(self.sizes) or lengths.up_to(1):
            raise source.damaged("its texts have other lengths")

    def texts(self) -> list[bytes]:
        """Return the text of each column."""
        joined = Source.of(self.text, "the texts")
        return [joined.take(size) for size in self.sizes]

    def planes(self, units: int) -> list[list[Integers]]:
        """Return the values of each column's planes, which end the source, in a group of so many rows."""
        if self.layout.n_rows != units:
            raise self._source.damaged("a group of rows has another number of them")
        found = decoded_planes(self._source, self.layout.forms, units)
        if self._source.up_to(1):
            raise self._source.damaged("more follows the last of its columns")
        return found

    def sizes_by_column(self) -> list[int]:
        """Return the bytes of the payload that each column takes; texts that are coded together by their lengths."""
        texts = [self.text_size * size // max(len(self.text), 1) for size in self.sizes]
        planes = sizes_of_planes(self._source, self.layout.forms, self.layout.n_rows)
        return [sum(both) for both in zip(texts, planes, strict=True)]


def costs_of(payload: bytes, sizes: Sequence[int], names: Sequence[str]) -> dict[str, int]:
    """Return the bytes of a payload by column; what all columns share stands under a name of its own."""
    return {DESCRIPTION: len(payload) - sum(sizes), **dict(zip(names, sizes, strict=True))}


def named(names: Iterable[str], reserved: Iterable[str] = ()) -> list[str]:
    """Return a name for each column, no two the same: its own, and its place where it has none or shares it."""
    found: list[str] = []
    taken = {DESCRIPTION, *reserved}
    for place, name in _numbered(names):
        shown = name or f"column {place}"
        found.append(shown if shown not in taken else f"{shown} (column {place})")
        taken.add(found[-1])
    return found


def columns_of(head: bytes, count: int, dialect: Dialect, reserved: Iterable[str] = ()) -> list[str]:
    """Return a name for each of so many columns: as it is written before the rows, without quotes; else its place.

    Where there are fewer names, as R writes them, the first columns have none.
    """
    written = names_in(head, dialect)
    written = [b""] * (count - len(written)) + written if len(written) <= count else [b""] * count
    inner = [unquoted(name, dialect.quote) if dialect.quote else None for name in written]
    plain = [name if found is None else found for name, found in zip(written, inner, strict=True)]
    return named((name.decode("utf-8", "replace") for name in plain), reserved)


def _numbered(names: Iterable[str]) -> Iterator[tuple[int, str]]:
    return enumerate((name.strip() for name in names), 1)
