"""Types as a file says them, leaves against NumPy's own fields, and how arrays are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from isthmus.coding.arrays import dtypes
from isthmus.coding.arrays.dtypes import Leaf, leaves
from isthmus.coding.arrays.layout import BYTES_LIMIT, NUMBERS_LIMIT, Layout
from isthmus.coding.container import Source, varint
from isthmus.errors import ArtifactError, DataTypeError

from .samples import TYPES, any_bits


def read(said: bytes) -> np.dtype[Any]:
    return dtypes.read(Source.of(said, "a test"))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_type_comes_back_with_its_names_titles_offsets_and_alignment(dtype: Any) -> None:
    dtype = np.dtype(dtype)
    found = read(dtypes.to_bytes(dtype))
    assert found == dtype
    assert (found.fields, found.isalignedstruct, found.itemsize) == (
        dtype.fields,
        dtype.isalignedstruct,
        dtype.itemsize,
    )


@pytest.mark.parametrize("unit", dtypes.UNITS)
def test_moments_of_every_unit_come_back(unit: str) -> None:
    for kind in "Mm":
        dtype = np.dtype(f"{kind}8" + ("" if unit == "generic" else f"[7{unit}]"))
        assert read(dtypes.to_bytes(dtype)) == dtype


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x01",  # no size
        bytes([dtypes.INT, 3]),
        bytes([dtypes.FLOAT, 1]),
        bytes([dtypes.COMPLEX, 4]),
        bytes([dtypes.TEXT, 6]),
        bytes([14, 4]),
        bytes([127, 4]),
        bytes([dtypes.MOMENT, 8, 14, 1]),
        bytes([dtypes.MOMENT, 4, 10, 1]),
        bytes([dtypes.VOID]) + varint((1 << 25) + 1),
        bytes([dtypes.ROW, 33]),
        bytes([dtypes.ROW, 2]) + varint(1 << 24) + varint(1 << 24) + bytes([dtypes.INT, 8]),
        bytes([dtypes.ROW, 1, 2]) * 20 + bytes([dtypes.INT, 8]),
        bytes([dtypes.STRUCT, 8, 0]) + varint(1 << 13),
        bytes([dtypes.STRUCT, 4, 0, 1, 1]) + b"a" + bytes([0, 0, dtypes.FLOAT, 8]),  # longer than the item
        bytes([dtypes.STRUCT, 9, 1, 1, 1]) + b"a" + bytes([0, 1, dtypes.FLOAT, 8]),  # not aligned
        bytes([dtypes.STRUCT, 8, 0, 2, *[1, ord("a"), 0, 0, dtypes.INT, 4] * 2]),  # one name twice
        bytes([dtypes.STRUCT, 8, 0, 1, 1, 0xFF, 0, 0, dtypes.INT, 4]),  # no UTF-8
    ],
    ids=range(19),
)
def test_what_is_no_type_is_refused(said: bytes) -> None:
    with pytest.raises(ArtifactError):
        read(said)


def test_numbers_that_only_another_processor_has_are_named() -> None:
    with pytest.raises(
        ArtifactError, match="holds long doubles of 10 bytes, which this kind of processor does not have"
    ):
        read(bytes([dtypes.LONG, 10]))


@pytest.mark.parametrize("said", [bytes([dtypes.BOOL | dtypes.BIG, 1]), bytes([dtypes.INT | dtypes.BIG, 1])])
def test_a_type_has_one_form(said: bytes) -> None:
    with pytest.raises(ArtifactError):
        Layout.read(Source.of(said + bytes([2, 3]), "a test"))


@pytest.mark.parametrize("dtype", [object, [("a", "O")], np.dtypes.StringDType()], ids=str)
def test_items_of_no_fixed_size_are_refused(dtype: Any) -> None:
    with pytest.raises(DataTypeError, match="convert them with astype"):
        dtypes.to_bytes(np.dtype(dtype))


def test_the_leaves_of_a_structure_are_its_fields() -> None:
    array = any_bits([("a", "u1"), ("c", ">c8"), ("b", "<f4", (2, 3)), ("m", "<M8[s]"), ("t", "<U2")], (50,))
    items = np.frombuffer(array.tobytes(), np.uint8).reshape(50, -1)
    found = [leaf.taken(items) for leaf in leaves(array.dtype)]
    wanted = [
        array["a"],
        array["c"].real,
        array["c"].imag,
        array["b"],
        array["m"].view("i8"),
        array["t"].copy().view("u4"),
    ]
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype.isnative
        assert np.array_equal(one.reshape(50, -1), other.reshape(50, -1), equal_nan=one.dtype.kind == "f")


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_what_is_taken_is_put_back(dtype: Any) -> None:
    array = any_bits(dtype, (20,))
    size = array.dtype.itemsize
    items = np.frombuffer(array.tobytes(), np.uint8).reshape(20, size)
    found = np.zeros_like(items)
    for leaf in leaves(array.dtype):
        leaf.put(found, leaf.taken(items))
    assert found.tobytes() == array.tobytes()


def test_an_item_of_very_many_leaves_is_taken_for_bytes() -> None:
    pair = np.dtype([("a", "f4"), ("b", "i2", 3)])
    assert leaves(np.dtype((pair, (5000,)))) == [Leaf("u", 1, count=50_000)]
    assert len(leaves(np.dtype((pair, (50,))))) == 51


def test_a_leaf_of_too_many_numbers_is_several() -> None:
    found = leaves(np.dtype("V10000000"))
    assert [leaf.count for leaf in found] == [1 << 22, 1 << 22, 10_000_000 - (1 << 23)]
    assert [leaf.offset for leaf in found] == [0, 1 << 22, 1 << 23]


# ---------------------------------------------------------------------- layouts

LENGTHS = st.lists(st.integers(1, 9) | st.sampled_from([1000, 60_000, 5_000_000]), min_size=0, max_size=4)


@settings(deadline=None)
@given(LENGTHS, st.sampled_from(["u1", "<f4", "<f8", "V300", ("<f4", 7), "V20000000"]), st.booleans())
def test_segments_cover_an_array_and_are_of_a_size_that_can_be_read(shape: Any, dtype: Any, is_fortran: bool) -> None:
    made = np.dtype([("a", dtype)]) if isinstance(dtype, tuple) else np.dtype(dtype)
    layout = Layout(made, tuple(shape), is_fortran)
    assume(layout.size * made.itemsize < 1 << 33)
    position = 0
    for first, last in layout.segments():
        assert first == position
        part = layout.shape_of(last - first)
        assert part is not None
        assert np.prod(part) == last - first
        if last - first > 1:
            assert (last - first) * made.itemsize <= BYTES_LIMIT
            assert (last - first) * max(leaf.count for leaf in layout.leaves) <= NUMBERS_LIMIT
        position = last
    assert position == layout.size


def test_two_threads_have_work_where_there_is_enough() -> None:
    assert len(list(Layout(np.dtype("f4"), (15, 100, 100)).segments())) == 2
    assert len(list(Layout(np.dtype("f4"), (10, 100)).segments())) == 1
    assert len(list(Layout(np.dtype("f4"), (1000, 100, 100)).segments())) % 2 == 0


@pytest.mark.parametrize("shape", [(), (0,), (3, 1 << 50, 0), (7, 5), (1,) * 64])
@pytest.mark.parametrize("is_fortran", [False, True])
def test_a_layout_comes_back(shape: tuple[int, ...], is_fortran: bool) -> None:
    layout = Layout(np.dtype(">f8"), shape, is_fortran)
    assert Layout.read(Source.of(layout.to_bytes(), "a test")) == layout


@pytest.mark.parametrize("shape", [(1 << 60, 0, 9), (1 << 63,), (1 << 32, 1 << 32)])
def test_more_bytes_than_any_memory_has_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArtifactError, match="more bytes than any memory"):
        Layout.read(Source.of(Layout(np.dtype("f8"), shape).to_bytes(), "a test"))


def test_more_axes_than_numpy_has_are_refused() -> None:
    with pytest.raises(ArtifactError, match="an array would have 65 axes"):
        Layout.read(Source.of(dtypes.to_bytes(np.dtype("f8")) + varint(130) + b"\1" * 65, "a test"))


@pytest.mark.parametrize("items", [0, 1, 7, 36, 40, 1 << 40])
def test_a_segment_is_of_whole_steps(items: int) -> None:
    assert (Layout(np.dtype("f4"), (5, 7)).shape_of(items) is None) == (items not in (7, 14, 21, 28, 35))
