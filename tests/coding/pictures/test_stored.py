"""Files of pictures of one kind: what is read of them, and what is refused."""

from __future__ import annotations

import functools
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from isthmus.coding.pictures import PictureCodec
from isthmus.coding.pictures.stored import read_stacks
from isthmus.errors import DataError, IsthmusWarning

from .samples import digits, noise, png_of, smooth

STACK = digits(5)


packed = functools.partial(gzip.compress, mtime=0)  # whose time would be in the names of tests


def idx(stack: np.ndarray, code: int = 8) -> bytes:
    big = stack.astype(stack.dtype.newbyteorder(">"))
    return struct.pack(f">HBB{stack.ndim}I", 0, code, stack.ndim, *stack.shape) + big.tobytes()


def test_every_kind_of_file_gives_its_pictures(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", STACK)
    (tmp_path / "b-ubyte").write_bytes(idx(STACK))
    (tmp_path / "c.idx.gz").write_bytes(packed(idx(STACK)))
    for path in sorted(tmp_path.iterdir()):
        assert np.array_equal(read_stacks([path]), STACK), path
    together = read_stacks([tmp_path])
    assert together.shape == (15, 14, 14)
    assert np.array_equal(together[5:10], STACK)


def test_idx_files_of_longer_numbers_have_their_highest_byte_first(tmp_path: Path) -> None:
    stack = noise((2, 3, 4), "i2")
    (tmp_path / "a.idx").write_bytes(idx(stack, 0x0B))
    found = read_stacks([tmp_path / "a.idx"])
    assert found.dtype == ">i2"
    assert np.array_equal(found, stack)


@pytest.mark.parametrize("pixels", [smooth(9, 8), smooth(9, 8)[:, :, 0], noise((4, 5), "u2"), noise((4, 5, 4), "u1")])
def test_png_files_are_pictures_of_a_stack(tmp_path: Path, pixels: np.ndarray) -> None:
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(png_of(pixels))
    found = read_stacks([tmp_path])
    assert found.shape == (2, *pixels.shape)
    assert np.array_equal(found[1], pixels)


def test_a_model_learns_the_same_from_files_as_from_an_array(tmp_path: Path) -> None:
    for number, picture in enumerate(STACK):
        (tmp_path / f"{number}.png").write_bytes(png_of(picture))
    told: list[int] = []
    model = PictureCodec().fit(tmp_path, progress=told.append)
    assert model.fingerprint == PictureCodec().fit(STACK).fingerprint
    assert model.fingerprint == PictureCodec().fit(sorted(tmp_path.iterdir())).fingerprint
    assert sum(told) == STACK.nbytes
    assert model.provenance_ == {"pictures": 5, "size": "14 x 14", "samples": "uint8"}


def test_links_in_a_folder_are_left_out_and_said(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_of(STACK[0]))
    (tmp_path / "b.png").symlink_to("a.png")
    with pytest.warns(IsthmusWarning, match="left out 'b.png'"):
        assert len(read_stacks([tmp_path])) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.png", b"text", "a.png does not begin like a PNG file; a model of pictures learns from PNG files, and from"),
        ("a.png", png_of(STACK[0])[:-20], "a.png "),
        ("a.idx", b"text", "a.idx does not begin like a PNG, .npy or IDX file;"),
        ("a.idx", b"", "a.idx does not begin like a PNG, .npy or IDX file;"),
        ("a.idx", idx(STACK)[:9], "a.idx is truncated within its header;"),
        ("a.idx", idx(STACK)[:-1], "a.idx has another size than its head promises;"),
        ("a.idx", idx(STACK) + b"x", "a.idx has another size than its head promises;"),
        ("a.idx.gz", packed(idx(STACK)[:-1]), "a.idx.gz has another size than its head promises;"),
        ("a.idx.gz", packed(struct.pack(">HBB3I", 0, 8, 3, 1 << 31, 1 << 31, 1)), "promises more than it can"),
        ("a.idx.gz", b"text", "a.idx.gz Not a gzipped file"),
        ("a.idx.gz", packed(idx(STACK))[:-9], "a.idx.gz "),
    ],
)
def test_files_without_pictures_are_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_stacks([tmp_path / name])
    assert said in str(caught.value)


def test_arrays_that_are_no_pictures_in_a_row_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.asfortranarray(STACK))
    np.save(tmp_path / "o.npy", np.array([None]), allow_pickle=True)
    for name, said in (("f.npy", "in Fortran's order"), ("o.npy", "holds Python objects")):
        with pytest.raises(DataError, match=said):
            read_stacks([tmp_path / name])


def test_others_than_the_first_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", STACK)
    np.save(tmp_path / "b.npy", STACK[:, :9])
    np.save(tmp_path / "c.npy", STACK.astype("u2"))
    for other, own in (("b", r"\(9, 14\) uint8"), ("c", r"\(14, 14\) uint16")):
        with pytest.raises(DataError, match=rf"{other}.npy holds pictures of {own}, and .*a.npy of \(14, 14\) uint8;"):
            read_stacks([tmp_path / "a.npy", tmp_path / f"{other}.npy"])


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no pictures to learn from; give one at least"):
        read_stacks([tmp_path])
    with pytest.raises(FileNotFoundError):
        read_stacks([tmp_path / "none"])
