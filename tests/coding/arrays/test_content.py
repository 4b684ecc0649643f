"""Arrays in files and in memory: they come back as they were, or within a bound, and say what they are."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import isthmus
from isthmus.coding import contents
from isthmus.coding.arrays.content import ArrayContent, DescribedArray, NoArray
from isthmus.coding.container import Source, opened
from isthmus.coding.describing import describe
from isthmus.coding.stream import Lost, Reader, salvage
from isthmus.errors import ArtifactError, DataError, IsthmusWarning, ParameterError

FIELD = np.cumsum(np.cumsum(np.random.default_rng(0).normal(size=(40, 50)), 0), 1).astype("f4")
ARRAYS = {
    "field": FIELD,
    "fortran": np.asfortranarray(FIELD),
    "big-endian": FIELD.astype(">f8"),
    "no axes": np.array(3.25),
    "empty": np.zeros((0, 3), "i2"),
    "bools": FIELD > 0,
    "text": np.array([["Ulm", "Bonn"], ["", "x"]]),
    "structure": np.array([(1, 2.5), (3, -0.0)], [("a", "i4"), ("b", "f8")]),
    "days": np.array(["2026-11-30", "NaT"], "M8[D]"),
    "odd": np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 5e-324]),
}


def file_of(array: NDArray[np.generic]) -> bytes:
    into = io.BytesIO()
    np.save(into, array, allow_pickle=False)
    return into.getvalue()


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_in_memory_comes_back_as_it_was(name: str) -> None:
    array = ARRAYS[name]
    back = isthmus.decompress(isthmus.compress(array))
    assert (back.dtype, back.shape, back.tobytes("A")) == (array.dtype, array.shape, array.tobytes("A"))
    assert back.flags.f_contiguous == array.flags.f_contiguous


@pytest.mark.parametrize("name", ARRAYS)
def test_a_file_of_an_array_comes_back_byte_for_byte(name: str, tmp_path: Path) -> None:
    data, into = file_of(ARRAYS[name]), io.BytesIO()
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    with open(path, "rb") as file:
        content = ArrayContent.of_file(file)
        assert isinstance(content, ArrayContent)
        contents.write(into, content)
    assert Reader(io.BytesIO(into.getvalue())).readall() == data
    assert isthmus.decompress(into.getvalue()).tobytes("A") == ARRAYS[name].tobytes("A")


def test_an_array_in_memory_becomes_a_file_that_numpy_reads() -> None:
    read = np.load(io.BytesIO(Reader(io.BytesIO(isthmus.compress(FIELD))).readall()))
    assert np.array_equal(read, FIELD)


@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
@pytest.mark.parametrize("names", [("é", "b"), ("€", "b"), ("a'\\", "\n\U0001f600")], ids=ascii)
def test_fields_of_any_name_come_back_and_become_a_file(names: tuple[str, str]) -> None:
    array = np.array([(1, 2.5), (3, -0.0)], [(names[0], "<i4"), (names[1], "<f8")])
    compressed, saved = isthmus.compress(array), file_of(array)
    assert isthmus.decompress(compressed).dtype == array.dtype
    file = isthmus.open_compressed(io.BytesIO(compressed)).read()
    assert np.load(io.BytesIO(file)).dtype == array.dtype
    into = io.BytesIO()
    contents.write(into, ArrayContent.of_file(io.BytesIO(saved)))
    assert isthmus.open_compressed(io.BytesIO(into.getvalue())).read() == saved
    assert isthmus.decompress(into.getvalue()).dtype == array.dtype


@pytest.mark.parametrize("offsets", [(0, 2), (4, 0)], ids=["overlapping", "in another order"])
def test_fields_that_no_file_can_say_are_had_as_an_array(offsets: tuple[int, int]) -> None:
    fields = np.dtype({"names": ["a", "b"], "offsets": offsets, "formats": ["<i4", "<i4"], "itemsize": 8})
    array = np.frombuffer(bytes(range(24)), fields)
    compressed = isthmus.compress(array)
    back = isthmus.decompress(compressed)
    assert back.dtype == fields
    assert all((back[name] == array[name]).all() for name in "ab")
    with pytest.raises(ArtifactError, match=r"which no \.npy file can say; use isthmus\.decompress"):
        isthmus.open_compressed(io.BytesIO(compressed)).read()


def test_what_is_lost_of_a_huge_array_takes_no_room() -> None:
    described = DescribedArray(Source.of(ArrayContent(np.zeros(3)).description(), "it"))
    lost = described.instead(0, 1 << 50)
    assert {len(next(lost)) for _ in range(5)} == {1 << 20}


class Again:
    """An array whose pieces are written more often than once, or never."""

    def __init__(self, array: NDArray[np.generic], times: int) -> None:
        self._content, self._times = ArrayContent(array), times

    def work(self) -> list[contents.Work]:
        return list(self._content.work()) * self._times

    def __getattr__(self, name: str) -> object:
        return getattr(self._content, name)


@pytest.mark.parametrize("times", [0, 2, 3])
def test_pieces_that_are_not_those_of_the_shape_are_refused(times: int) -> None:
    into = io.BytesIO()
    contents.write(into, Again(np.arange(30), times))
    for read in (isthmus.decompress, lambda content: isthmus.open_compressed(io.BytesIO(content)).read()):
        with pytest.raises(ArtifactError, match="its pieces are not those of its shape"):
            read(into.getvalue())


@pytest.mark.parametrize("bound", [{"max_error": 0.1}, {"rel_error": 1e-3}])
def test_no_number_is_farther_off_than_the_bound(bound: dict[str, float]) -> None:
    array = FIELD.copy()
    array[3, 4:9] = np.nan
    array[7] = 1e20
    back = isthmus.decompress(isthmus.compress(array, **bound))
    finite = np.isfinite(array) & (array < 1e19)
    most = bound.get("max_error") or bound["rel_error"] * float(array[finite].max() - array[finite].min())
    assert np.abs(back[finite].astype("f8") - array[finite]).max() <= most
    assert np.array_equal(back[~finite], array[~finite], equal_nan=True)
    assert len(isthmus.compress(array, **bound)) < len(isthmus.compress(array)) / 2


def test_a_bound_below_the_steps_of_the_type_is_said() -> None:
    with pytest.warns(IsthmusWarning, match="without loss, since the bound is below"):
        content = isthmus.compress(FIELD, max_error=1e-30)
    assert np.array_equal(isthmus.decompress(content), FIELD)


def test_a_bound_for_what_is_no_array_is_refused() -> None:
    with pytest.raises(ParameterError, match="max_error is for arrays"):
        isthmus.compress(b"abc", max_error=1.0)


def test_more_than_a_limit_does_not_come_out() -> None:
    content = isthmus.compress(np.zeros((1000, 1000)))
    with pytest.raises(DataError, match="limit"):
        isthmus.decompress(content, limit=1000)
    assert isthmus.decompress(content, limit=8_000_000).shape == (1000, 1000)


def test_no_altered_byte_gives_another_array() -> None:
    content = isthmus.compress(FIELD[:12, :12])
    for at in range(3, len(content), 3):
        altered = bytearray(content)
        altered[at] ^= 16
        with pytest.raises((ArtifactError, IsthmusWarning, Exception)) as raised:
            isthmus.decompress(bytes(altered))
        assert isinstance(raised.value, isthmus.errors.IsthmusError)


def test_what_is_sound_of_a_damaged_array_keeps_its_place(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(400, 500))
    content = bytearray(isthmus.compress(array))
    content[2000] ^= 1  # in the first segment of two
    source = Source.of(bytes(content), "it")
    opened(source)
    found = list(salvage(source))
    lost = [piece for piece in found if isinstance(piece, Lost)]
    read = np.load(io.BytesIO(b"".join(piece for piece in found if isinstance(piece, bytes))))
    assert [(one.start, one.unit) for one in lost] == [(0, "item")]
    assert lost[0].stop is not None
    assert not read.ravel()[: lost[0].stop].any()
    assert np.array_equal(read.ravel()[lost[0].stop :], array.ravel()[lost[0].stop :])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not begin"),
        (b"a,b\n1,2\n", "does not begin"),
        (file_of(FIELD)[:-1], "another size"),
        (file_of(FIELD) + b"\0", "another size"),
    ],
)
def test_a_file_that_holds_no_array(data: bytes, why: str) -> None:
    found = ArrayContent.of_file(io.BytesIO(data))
    assert isinstance(found, NoArray)
    assert why in found.why


def test_objects_are_no_array() -> None:
    into = io.BytesIO()
    np.save(into, np.array([{}, []], object), allow_pickle=True)
    into.seek(0)
    found = ArrayContent.of_file(into)
    assert isinstance(found, NoArray)
    assert "objects" in found.why


def test_what_an_array_is_can_be_had_without_decoding(tmp_path: Path) -> None:
    path = tmp_path / "a.isth"
    path.write_bytes(isthmus.compress(FIELD))
    found = describe(path)
    assert (found["content"], found["unit"], found["units"], found["bytes"]) == ("array", "item", 2000, 8000)
