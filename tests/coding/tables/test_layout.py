"""Descriptions of groups: what they hold, and that whatever else stands there is refused before it costs anything."""

from __future__ import annotations

import io
import random
import tracemalloc

import numpy as np
import pytest

from isthmus.coding.container import Source, varint
from isthmus.coding.tables import Group, Layout, groups
from isthmus.errors import ArtifactError

DATA = (
    b"\xef\xbb\xbf# about\nday,price,who,code,note\n"
    + b"".join(
        b'2020-01-%02d, $%d.50 ,"%s",%03d,%s\n'
        % (1 + row % 28, row % 9, b"ann bob".split()[row % 2], row, b"%x" % (row * 7_654_321_987) + b"q")
        for row in range(60)
    )
    + b'NA, $3.25 ,"eve",+7,\n\n'
)


def group() -> Group:
    (found,) = groups(io.BytesIO(DATA))
    assert isinstance(found, Group)
    return found


def values_of(found: Group) -> list[list[np.ndarray]]:
    return [[plane.values for plane in planes] for planes in found.planes]


def test_a_group_knows_what_it_is_of() -> None:
    layout = group().layout
    assert (layout.n_rows, layout.size, layout.tail) == (61, len(DATA), b"\n\n")
    assert layout.names == [b"day", b"price", b"who", b"code", b"note"]
    assert group().to_bytes() == DATA


def test_a_description_takes_few_bytes() -> None:
    planes_and_texts = sum(len(text) for text in group().texts)
    assert len(group().layout.to_bytes()) < 160
    assert planes_and_texts < 900


def test_altered_descriptions_are_refused_or_give_no_more_than_they_say() -> None:
    found = group()
    side, values = found.layout.to_bytes(), values_of(found)
    rng = random.Random(0)
    refused = 0
    for _ in range(3000):
        altered = bytearray(side)
        for _ in range(rng.choice([1, 1, 2, 5])):
            altered[rng.randrange(len(altered))] = rng.randrange(256)
        try:
            layout = Layout.read(Source(io.BytesIO(bytes(altered)), "it"))
            if [len(forms) for forms in layout.forms] == [len(its) for its in values]:
                assert len(layout.restored(values, found.texts, "it")) == layout.size
        except ArtifactError:
            refused += 1
    assert refused > 1000


def test_a_description_that_is_cut_short_is_refused() -> None:
    side = group().layout.to_bytes()
    for length in range(len(side)):
        with pytest.raises(ArtifactError):
            Layout.read(Source(io.BytesIO(side[:length]), "it"))


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (varint(1 << 20 | 1), "it would have 1,048,577 rows in a group"),
        (varint(1) + varint((1 << 26) + 1), "it would have 67,108,865 bytes in a group"),
        (varint(0) + varint(5) + b"\0\0\0\0\1", "a group in it would have 0 rows of 1 columns"),
        (varint(5) + varint(5) + b"\0\0\0\0\0", "a group in it would have 5 rows of 0 columns"),
        (varint(1 << 20) + varint(1 << 26) + b"\0\0\0\0\5", "a group in it would have 1,048,576 rows of 5 columns"),
        (varint(1) + varint(1 << 26) + b"\0\0\0\0" + varint(65_537), "it would have 65,537 columns"),
        (varint(1) + varint(5) + b"\0\0\6", "it would have 6 bytes in a string"),
    ],
)
def test_more_than_a_group_can_have_is_refused(start: bytes, why: str) -> None:
    with pytest.raises(ArtifactError, match=why):
        Layout.read(Source(io.BytesIO(start + bytes(100)), "it"))


def test_a_small_description_of_a_large_group_takes_no_room() -> None:
    cell = b"x" * 60_000
    column = b"\1\1" + varint(len(cell) + 1) + cell + b"\n"
    side = varint(1 << 20) + varint(1 << 26) + b"\0\0\0\0\1" + column
    layout = Layout.read(Source(io.BytesIO(side), "it"))
    tracemalloc.start()
    with pytest.raises(ArtifactError, match="the cells of a table have more bytes than they should"):
        layout.restored([[np.zeros(1 << 20, np.int32)]], [b""], "it")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 25


def test_spaces_count_as_bytes() -> None:
    spaced = 2 * 3 * 3 * 5 + 1  # the dialect of one column, and spaces before its cells
    side = varint(1 << 20) + varint(1 << 26) + bytes([spaced % 18]) + b"\0\0\0\1"
    side += b"\0" + varint(255) + varint(255) + b"\1\1\2x\n"
    layout = Layout.read(Source(io.BytesIO(side), "it"))
    assert layout.dialect.spaced
    with pytest.raises(ArtifactError, match="more bytes than they should"):
        layout.restored([[np.zeros(1 << 20, np.int32)]], [b""], "it")


@pytest.mark.parametrize("bad", [-1, 5000])
def test_values_that_a_plane_cannot_have_are_refused(bad: int) -> None:
    found = group()
    values = values_of(found)
    values[0][0] = values[0][0].copy()
    values[0][0][3] = bad
    with pytest.raises(ArtifactError, match="a value of a column is none that it can have"):
        found.layout.restored(values, found.texts, "it")


def test_other_numbers_of_rows_are_refused() -> None:
    found = group()
    values = values_of(found)
    with pytest.raises(ArtifactError, match="a value of a column"):
        found.layout.restored([[its[:-1] for its in column] for column in values], found.texts, "it")
    with pytest.raises(ArtifactError, match="a column has not as many cells as there are rows"):
        found.layout.restored(values, [text[: text.rfind(b"\n", 0, -1) + 1] for text in found.texts], "it")


def test_a_table_of_other_length_is_refused() -> None:
    found = group()
    values = values_of(found)
    texts = [text.replace(b"q\n", b"\n", 1) for text in found.texts]
    with pytest.raises(ArtifactError, match="a table has fewer bytes than it should"):
        found.layout.restored(values, texts, "it")
