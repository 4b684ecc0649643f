from __future__ import annotations

import contextlib
import copy
import io
import os
import pickle
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from isthmus import data
from isthmus.data import stores
from isthmus.errors import DataError, DataTypeError, IsthmusError, ShapeError

RNG = np.random.default_rng(0)


def test_matrix_is_not_copied() -> None:
    x = RNG.normal(size=(7, 3)).astype(np.float32)
    opened = data.open(x)
    assert opened.array is x
    assert opened.schema == data.Schema("array", (3,), "float32", "numpy")
    assert len(opened) == 7
    assert opened.nbytes == x.nbytes
    assert opened.resident
    assert np.shares_memory(opened.chunk(2, 5), x)
    np.testing.assert_array_equal(opened.take(np.array([5, 0, 0])), x[[5, 0, 0]])


@pytest.mark.parametrize("shape", [(5, 4, 6), (5, 4, 6, 1), (5, 4, 6, 3), (5, 4, 6, 16)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "bool"])
def test_images_keep_shape_and_dtype(shape: tuple[int, ...], dtype: str) -> None:
    x = RNG.integers(0, 2, shape).astype(dtype)
    opened = data.open(x)
    assert (opened.schema.kind, opened.schema.shape, opened.schema.dtype) == ("image", shape[1:], dtype)
    assert opened.sizes == [(4, 6)] * 5
    assert data.restore(opened.chunk(0, 5), opened.schema).dtype == dtype


def test_data_pass_through_and_take_new_labels() -> None:
    opened = data.open(RNG.normal(size=(4, 2)))
    assert data.open(opened) is opened
    assert data.open(opened, labels=[1, 2, 3, 4]).labels.tolist() == [1, 2, 3, 4]
    assert opened.labels is None


def test_large_array_opens_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []

    def counted(values: np.ndarray) -> np.ndarray:
        looked_at.append(values.size)
        return is_finite(values)

    is_finite = np.isfinite
    monkeypatch.setattr(np, "isfinite", counted)
    x = RNG.random((20000, 784), dtype=np.float32)
    tracemalloc.start()
    try:
        opened = data.open(x)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.shares_memory(opened.store.array, x)
    assert most < x.nbytes / 100  # nothing as large as the array is made, not even of bytes
    assert sum(looked_at) < x.size / 100  # sums say that all values are finite; values are looked at when they do not


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_value_anywhere_is_found(dtype: str, order: str, bad: float) -> None:
    for row, column in ((0, 0), (1029, 2), (511, 1)):
        x = np.ones((1030, 3), dtype, order=order)
        x[row, column] = bad
        with pytest.raises(DataError, match=rf"row {row}, column {column}"):
            data.open(x)


def test_sums_may_overflow_where_values_do_not() -> None:
    assert len(data.open(np.full((2048, 2), 3e38, np.float32))) == 2048
    assert len(data.open(np.full((2048, 2), np.finfo(np.float64).max))) == 2048
    assert len(data.open(np.full((300, 300), 60000, np.float16))) == 300


def test_converted_values_are_said() -> None:
    opened = data.open(np.array([[1, 2.5], [3, True]], dtype=object))
    assert opened.schema.dtype == "float64"
    assert opened.notes == ["X held Python objects; they were read as float64."]
    opened = data.open(np.ones((3, 2), np.longdouble))
    assert opened.schema.dtype == "float64"
    assert "extended precision" in opened.notes[0]


def test_unusual_memory_layouts() -> None:
    x = np.arange(12.0).reshape(4, 3)
    for odd in (x[::-1], x[:, ::-1], np.asfortranarray(x), x.astype(">f8")):
        opened = data.open(odd)
        np.testing.assert_array_equal(opened.array, odd)
        assert opened.array.dtype.isnative
        assert all(stride > 0 for stride in opened.array.strides)


def test_lists_and_objects_with_array_interface() -> None:
    class Holder:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return np.eye(3)

    assert data.open([[1, 2], [3, 4], [5, 6]]).schema.dtype.startswith("int")
    np.testing.assert_array_equal(data.open(Holder()).array, np.eye(3))
    assert data.open(((1.0, 2.0), (3.0, 4.0))).schema.shape == (2,)


class Labelled:
    """An array of which a library also makes a table, of one column with all its values, as xarray does."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.dtype, self.ndim = values, values.dtype, values.ndim

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self.values

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        import pyarrow as pa

        return pa.table({"values": self.values.ravel()}).__arrow_c_stream__()


def test_arrays_that_are_tables_too_are_arrays() -> None:
    x = RNG.normal(size=(7, 3))
    assert data.open(Labelled(x)).array is x
    with pytest.raises(ShapeError, match="Expected 2D array, got 1D array"):
        data.open(Labelled(x[0]))


@pytest.mark.parametrize("error", [TypeError, ValueError, RuntimeError, NotImplementedError])
def test_objects_that_give_no_array(error: type[Exception]) -> None:
    class Lazy:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            raise error("call compute() first")

    with pytest.raises(DataTypeError, match=r"X: it is not a regular array of numbers \(call compute\(\) first\)"):
        data.open(Lazy())


def test_tensors_without_values_are_refused() -> None:
    import torch

    with pytest.raises(DataTypeError, match=r"X: its values cannot be read .*meta tensor"):
        data.open(torch.ones(3, 2, device="meta"))


def test_columns_and_label_column_of_a_matrix() -> None:
    x = np.arange(12).reshape(4, 3)
    np.testing.assert_array_equal(data.open(x, columns=[2, 0]).array, x[:, [2, 0]])
    opened = data.open(x, label_column=-1)
    np.testing.assert_array_equal(opened.array, x[:, :2])
    np.testing.assert_array_equal(opened.labels, x[:, 2])
    assert opened.notes == ["column 2 of X was set aside as the labels."]
    both = data.open(x, columns=[1], label_column=0)
    np.testing.assert_array_equal(both.array, x[:, [1]])
    np.testing.assert_array_equal(both.labels, x[:, 0])


def test_tensor_shares_memory_and_comes_back() -> None:
    torch = pytest.importorskip("torch")
    x = torch.randn(5, 3, requires_grad=True)
    opened = data.open(x)
    assert opened.schema.container == "torch"
    assert opened.array.ctypes.data == x.data_ptr()
    back = data.restore(opened.chunk(0, 5), opened.schema)
    assert torch.equal(back, x.detach())
    half = data.open(torch.ones(2, 2, dtype=torch.bfloat16))
    assert half.schema.dtype == "float32"
    assert "bfloat16" in half.notes[0]


def test_views_of_views() -> None:
    x = np.arange(40).reshape(20, 2)
    opened = data.open(x, labels=np.arange(20))
    part = opened.subset(np.arange(5, 15))
    assert np.shares_memory(part.array, x)
    again = part.subset([9, 0, 3])
    np.testing.assert_array_equal(again.array, x[[14, 5, 8]])
    np.testing.assert_array_equal(again.chunk(1, 3), x[[5, 8]])
    np.testing.assert_array_equal(again.take([2, 2]), x[[8, 8]])
    assert again.labels.tolist() == [14, 5, 8]
    assert len(opened.subset(x[:, 0] > 30)) == 4
    assert len(opened.subset([])) == 0
    assert opened.subset([]).chunk(0, 10).shape == (0, 2)


def test_chunks_cover_everything_once() -> None:
    x = np.arange(30).reshape(15, 2)
    blocks = list(data.open(x).chunks(rows=4))
    assert [start for start, _ in blocks] == [0, 4, 8, 12]
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), x)
    assert len(list(data.open(x).chunks())) == 1


# --- files -----------------------------------------------------------------------------------------------------------


def test_npy_small_is_read_and_large_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = RNG.normal(size=(100, 5))
    np.save(tmp_path / "x.npy", x)
    small = data.open(tmp_path / "x.npy")
    assert small.resident
    assert small.schema.container == "files"
    np.testing.assert_array_equal(small.array, x)
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 1000)
    large = data.open(str(tmp_path / "x.npy"))
    assert not large.resident
    assert large.array is None
    assert "streamed" in large.notes[0]
    np.testing.assert_array_equal(large.chunk(90, 200), x[90:])
    np.testing.assert_array_equal(large.take([7, 3, 3, 99]), x[[7, 3, 3, 99]])
    np.testing.assert_array_equal(large.subset([9, 8, 7]).chunk(0, 2), x[[9, 8]])
    assert not isinstance(large.chunk(0, 2), np.memmap)


def test_copies_of_a_streamed_array_open_the_file_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.asfortranarray(RNG.normal(size=(100, 5)))
    np.save(tmp_path / "x.npy", x)
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 1000)
    opened = data.open(tmp_path / "x.npy")
    copies = copy.deepcopy(opened), pickle.loads(pickle.dumps(opened))
    del opened
    for found in copies:
        np.testing.assert_array_equal(found.take([99, 5]), x[[99, 5]])


def test_columns_of_a_streamed_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = RNG.normal(size=(100, 5))
    np.save(tmp_path / "x.npy", x)
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 1000)
    opened = data.open(tmp_path / "x.npy", columns=[3, -5])
    assert not opened.resident
    assert opened.schema.shape == (2,)
    assert opened.nbytes == 1600
    np.testing.assert_array_equal(opened.chunk(10, 30), x[10:30][:, [3, 0]])


def test_streamed_values_are_checked_when_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.zeros((100, 5))
    x[77, 3] = np.nan
    np.save(tmp_path / "x.npy", x)
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 1000)
    opened = data.open(tmp_path / "x.npy")
    opened.chunk(0, 70)
    with pytest.raises(DataError, match=r"x.npy contains NaN in row 77, column 3"):
        opened.chunk(70, 90)
    with pytest.raises(DataError, match=r"row 77, column 3"):
        opened.take([1, 99, 77])


def test_fortran_and_big_endian_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.arange(60, dtype=">i4").reshape(20, 3)
    np.save(tmp_path / "big.npy", x)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(x.astype("i4")))
    for limit in (2**30, 10):
        monkeypatch.setattr(stores, "RESIDENT_BYTES", limit)
        for name in ("big", "fortran"):
            opened = data.open(tmp_path / f"{name}.npy")
            assert opened.schema.dtype == "int32"
            assert opened.chunk(0, 20).dtype.isnative
            np.testing.assert_array_equal(opened.chunk(3, 9), x[3:9])


def test_slices_of_memory_maps_read_their_own_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.arange(30_000, dtype=np.int32).reshape(10_000, 3)
    np.save(tmp_path / "x.npy", x)
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 100)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for part in (mapped[7000:], mapped[100:9000][50:], mapped[::2], mapped[:, 1:], mapped[::-1]):
        opened = data.open(part)
        np.testing.assert_array_equal(opened.chunk(10, 20), part[10:20])
        np.testing.assert_array_equal(opened.take([3, 1]), np.asarray(part)[[3, 1]])
    (tmp_path / "x.npy").unlink()
    np.testing.assert_array_equal(data.open(mapped).chunk(5, 9), x[5:9])
    changed = np.memmap(tmp_path / "y", np.int32, "w+", shape=(100, 3))
    changed[:] = 7
    np.testing.assert_array_equal(data.open(changed).chunk(5, 9), 7)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_mapped_pages_do_not_stay_resident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.npy"
    file = np.lib.format.open_memmap(path, "w+", np.uint8, (160, 2**20))
    file[:] = 3
    file.flush()
    del file
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 2**20)
    mapped = np.load(path, mmap_mode="r")
    for opened in (data.open(path), data.open(mapped)):
        assert not opened.resident
        before = _resident_bytes()
        most = before
        for _, block in opened.chunks():
            assert int(block[0, 0]) == 3
            most = max(most, _resident_bytes())
        for start in range(0, 160, 8):
            opened.take(np.arange(start, start + 8)[::-1])
            most = max(most, _resident_bytes())
        assert most - before < 80 * 2**20


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("keys", "chosen", "labelled"),
    [
        (["only"], "only", False),
        (["X", "y"], "X", True),
        (["data", "target", "other"], "data", True),
        (["x_train", "y_train", "x_test", "y_test"], "x_train", True),
        (["measured", "labels"], "measured", True),
    ],
)
def test_npz_says_what_it_took(tmp_path: Path, keys: list[str], chosen: str, labelled: bool) -> None:
    arrays = {key: (np.arange(6) if key[0] in "ytl" else np.full((6, 2), i)) for i, key in enumerate(keys)}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    opened = data.open(tmp_path / "a.npz")
    np.testing.assert_array_equal(opened.array, arrays[chosen])
    assert f"'{chosen}'" in opened.notes[0]
    assert (opened.labels is not None) == labelled


def test_npz_array_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.zeros((3, 2)), b=np.ones((3, 4)), x_test=np.ones((3, 5)), y_test=np.arange(3))
    with pytest.raises(DataError, match=r"a\.npz:a"):
        data.open(tmp_path / "a.npz")
    assert data.open(f"{tmp_path / 'a.npz'}:b").schema.shape == (4,)
    test = data.open(f"{tmp_path / 'a.npz'}:x_test")
    assert test.labels.tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="did you mean"):
        data.open(f"{tmp_path / 'a.npz'}:x_tset")


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([[{}, 1]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "o.npz", X=np.array([[{}, 1]], dtype=object))
    for name in ("o.npy", "o.npz"):
        with pytest.raises(DataError, match="pickled Python objects, which are never loaded"):
            data.open(tmp_path / name)


def test_headers_cannot_ask_for_memory(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**6)})
    (tmp_path / "x.npy").write_bytes(header.getvalue() + bytes(800))
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("X.npy", header.getvalue() + bytes(800))
    for name in ("x.npy", "x.npz"):
        with pytest.raises(DataError, match="truncated"):
            data.open(tmp_path / name)


def test_damaged_files_give_one_sentence(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(4.0).reshape(2, 2))
    np.savez_compressed(tmp_path / "x.npz", X=np.arange(4.0).reshape(2, 2))
    for name in ("x.npy", "x.npz"):
        good = (tmp_path / name).read_bytes()
        for at in range(len(good)):
            flipped = [good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :] for bit in (at % 8, (at + 3) % 8)]
            for bad in (good[:at], *flipped):
                (tmp_path / name).write_bytes(bad)
                with contextlib.suppress(DataError):
                    data.open(tmp_path / name)


def test_errors_are_of_the_built_in_kinds_too() -> None:
    with pytest.raises(ValueError, match="1D array"):
        data.open(np.arange(3))
    with pytest.raises(TypeError, match="sparse"):
        data.open(pytest.importorskip("scipy.sparse").eye_array(3))
    assert issubclass(ShapeError, DataError)
    assert issubclass(DataTypeError, TypeError)


MASKED = np.ma.masked_equal(np.arange(20.0).reshape(10, 2), 3.0)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (MASKED, "X: a masked array hides 1 values; pass a data frame with missing values, or fill them with X.filled"),
        ([MASKED, MASKED], "X: a masked array hides 1 values; pass a data frame"),
        ([MASKED[0], MASKED[1]], "X: a masked array hides 1 values; pass a data frame"),
        (
            np.array([["a", "b"]], dtype=np.dtypes.StringDType()),
            "X: strings in a numeric array, 'a', in row 0, column 0",
        ),
        (np.array([b"a", b"b"]), "X: strings in a numeric array, b'a', in row 0"),
        (np.zeros(3, [("a", float), ("b", int)]), "X: an array of structured type "),
        (np.ones((2, 2), complex), "X: Complex data not supported, got dtype complex128"),
        (np.zeros((2, 2), "M8[D]"), "X: an array of datetime64"),
        (np.zeros((2, 2), "m8[s]"), "X: an array of timedelta64"),
        (
            np.array([[2**70 + 1, 1]], dtype=object),
            "X: 1180591620717411303425 in row 0, column 0 is a whole number that",
        ),
        (np.array([[2**53 + 1, 0.5]], dtype=object), "X: 9007199254740993 in row 0, column 0 is a whole number that"),
        ({"a": [1, 2]}, "data: a dict is no table; make a data frame of it"),
        (
            type("AnnData", (), {})(),
            "data: an AnnData object holds several tables; pass its values as a frame, X.to_df",
        ),
    ],
)
def test_what_is_no_matrix_is_refused_in_one_sentence(source: object, sentence: str) -> None:
    with pytest.raises(IsthmusError) as caught:
        data.open(source)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_the_advice_about_masked_arrays_works() -> None:
    pandas = pytest.importorskip("pandas")
    assert data.open(pandas.DataFrame(MASKED)).chunk(0, 10).column(1)[1].as_py() is None
    assert data.open(MASKED.filled(7.0)).array[1, 1] == 7.0
    assert data.open(np.ma.masked_array(MASKED.data)).array.tolist() == MASKED.data.tolist()


def test_quantised_tensors_are_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(DataTypeError, match=r"tensors of torch\.float8_e4m3fn are not supported"):
        data.open(torch.ones(2, 2).to(torch.float8_e4m3fn))


@pytest.mark.parametrize("values", [[[2**63 + 1, 1], [2**53 + 1, 2]], [[-(2**62) - 1, 1], [0, 2]]])
def test_whole_numbers_of_python_keep_all_digits(values: list[list[int]]) -> None:
    opened = data.open(np.array(values, dtype=object))
    assert opened.array.tolist() == values
    assert opened.notes == [f"X held Python objects; they were read as {opened.schema.dtype}."]
