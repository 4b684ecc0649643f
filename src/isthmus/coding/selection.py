"""Some rows of a compressed table, for which only the groups that hold them are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from isthmus import checks
from isthmus.coding import contents
from isthmus.coding.chunks import END, Head, Restart
from isthmus.coding.container import SMALL_CONTENT, STREAM, Fields, Source, check_of
from isthmus.coding.contents import Chosen
from isthmus.coding.kinds import Known
from isthmus.coding.short import Short
from isthmus.coding.stream import end_of
from isthmus.coding.tables import DescribedParquet, DescribedText

__all__ = ["chosen_rows"]


def chosen_rows(source: Source, form: int, start: int, stop: int | None, model: Known | None = None) -> Iterator[bytes]:
    """Yield the bytes of a file with some rows of a table: of a text what stands before its first row, and these.

    Parameters
    ----------
    source : Source
        Of a compressed file that can be searched, and whose first bytes are taken.
    form : int
        Its form.
    start, stop : int
        The rows, from 0; ``stop`` is the one behind the last, and None is all that follow.
    model : Known, optional
        What a person named as the model that it needs.

    Raises
    ------
    ArtifactError
        It holds no table, or what is wanted of it is damaged.
    ParameterError
        There are not so many rows.
    """
    if form == SMALL_CONTENT:
        yield from _of_short(source, start, stop, model)
        return
    fields = Fields.read(source, STREAM) if form == STREAM else None
    if fields is None or fields.content is None:
        raise checks.no_rows_in(source.name)
    table = contents.reader_of(fields.content, source.name, model)
    if not isinstance(table, DescribedText | DescribedParquet):
        raise checks.no_rows_in(source.name)
    places, _ = end_of(source)
    if not places:
        raise source.damaged("its end is missing, which says where its rows are")
    _, head, _ = _chunk(source, places[-1])
    count = places[-1].units + head.units
    stop = _stop(source, start, stop, count)
    _, _, first = _chunk(source, places[0])
    chosen = _chosen(source, table, [*places, Restart(units=count)], start, stop)
    yield from table.chosen_as_file(first, chosen, range(start, stop))


def _of_short(source: Source, start: int, stop: int | None, model: Known | None) -> Iterator[bytes]:
    """Yield the bytes of a file with some rows of a table of one group, which is all of a small file."""
    short = Short.read(source)
    table = contents.reader_of(short.content, source.name, model)
    if not isinstance(table, DescribedText | DescribedParquet):
        raise checks.no_rows_in(source.name)
    stop = _stop(source, start, stop, short.units)
    data = contents.decoded(table, short.units, short.payload)
    if data is None or not short.holds(data):
        raise source.damaged("its check does not fit its data")
    chosen = [Chosen(short.units, short.payload, data, start, stop)]
    yield from table.chosen_as_file(short.payload, chosen, range(start, stop))


def _stop(source: Source, start: int, stop: int | None, count: int) -> int:
    """Return the row behind the last one that is wanted; refuse rows behind all that there are."""
    if not 0 <= start < max(count, 1):
        raise checks.rows_beyond(source.name, start, count)
    return count if stop is None else min(stop, count)


def _chosen(
    source: Source, table: DescribedText | DescribedParquet, places: list[Restart], start: int, stop: int
) -> Iterator[Chosen]:
    """Yield the rows of each group that has some of them."""
    for here, following in pairwise(places):
        if here.units >= stop or following.units <= start:
            continue
        content, head, payload = _chunk(source, here)
        data = content if payload is None else contents.decoded(table, head.units, payload)
        if data is None or check_of(data) != head.check:
            raise source.damaged(f"chunk {here.number:,} does not fit its check")
        yield Chosen(head.units, payload, data, max(0, start - here.units), min(stop - here.units, head.units))


def _chunk(source: Source, place: Restart) -> tuple[bytes, Head, bytes | None]:
    """Return what stands behind the head of a chunk, its head, and its payload; None where that is stored."""
    source.seek(place.position)
    head = Head.read(source, place.number, of_bytes=False)
    if head.kind == END:
        raise source.damaged("its end is not that of its chunks")
    content = source.take(head.size)
    return content, head, None if head.stored else content
