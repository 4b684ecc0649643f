"""Models that make data smaller: which kind is chosen for what, and how the class of a file becomes an object."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus.coding import kinds
from isthmus.coding.coder import table_bits
from isthmus.coding.container import Fields
from isthmus.errors import ArtifactError, ParameterError

from .pictures.samples import digits, png_of

STACK = digits(3)
IDX = struct.pack(">HBB3I", 0, 8, 3, *STACK.shape) + STACK.tobytes()


@pytest.fixture(params=kinds.KINDS)
def codec(request: pytest.FixtureRequest) -> kinds.AnyCodec:
    tables = b"day,sold\n" + b"".join(b"%d,%d\n" % (n, n % 4) for n in range(9))
    data = {"bytes": [b"one line\n", b"and another\n"], "pictures": STACK, "tables": tables}
    return kinds.KINDS[request.param].cls().fit(data[request.param])


def npy(array: np.ndarray, path: Path) -> Path:
    np.save(path, array)
    return path


def test_a_kind_is_what_its_class_says() -> None:
    for content, kind in kinds.KINDS.items():
        assert (kind.cls.content, kind.cls.__name__) == (content, kind.name)
        assert getattr(isthmus, kind.name) is kind.cls


def test_every_kind_is_saved_loaded_and_named(codec: kinds.AnyCodec, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    codec.save(path)
    again = isthmus.load(path)
    assert type(again) is type(codec)
    assert again.fingerprint_ == codec.fingerprint_ == kinds.fitted_in("x", path).fingerprint.hex()
    assert again.provenance_ == codec.provenance_
    assert again.learned_from(again.provenance_)
    assert again.still_computes()
    assert kinds.fitted_in("x", codec).content == codec.content
    assert repr(codec) == f"{type(codec).__name__}()"


def test_none_is_used_before_its_fit(codec: kinds.AnyCodec, tmp_path: Path) -> None:
    new = type(codec)()
    for used in (lambda: kinds.fitted_in("x", new), lambda: new.save(tmp_path / "x"), lambda: new.fingerprint_):
        with pytest.raises(ParameterError, match=rf"{type(codec).__name__}: it must be fitted; call fit\(data\)"):
            used()


def test_none_is_taken_for_one_of_another_class(codec: kinds.AnyCodec, tmp_path: Path) -> None:
    codec.save(tmp_path / "m.safetensors")
    for kind in kinds.KINDS.values():
        if kind.name != type(codec).__name__:
            said = f"holds a {type(codec).__name__}, which is no model of {kind.content}; make one"
            with pytest.raises(ArtifactError, match=said):
                kind.cls.load(tmp_path / "m.safetensors")


def test_bytes_are_not_coded_with_a_model_of_something_else() -> None:
    model = isthmus.PictureCodec().fit(STACK)
    with pytest.raises(ParameterError, match="the model is one of pictures, and these are bytes; leave it out, or"):
        isthmus.compress(b"bytes", model=model)


def test_a_stream_of_bytes_that_names_a_model_of_pictures_is_refused_and_not_decoded_with_it() -> None:
    model = isthmus.PictureCodec().fit(STACK)
    fields = Fields(1, 1, table_bits(None), prior=model.fingerprint[:16])
    with pytest.raises(ArtifactError, match=f"needs the model {model.fingerprint_[:8]}"):
        isthmus.decompress(fields.to_bytes(8), model=model)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"model must be a codec, such as isthmus.Codec, or the path of its file"):
        isthmus.compress(b"x", model=7)


# ------------------------------------------------------------------ what files are learned from as


def test_pictures_are_told_by_name_and_head(tmp_path: Path) -> None:
    for name, content in {
        "a.png": png_of(STACK[0]),
        "train-images-idx3-ubyte": IDX,
        "b.idx": IDX,
        "c.idx.gz": gzip.compress(IDX),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert kinds.content_of([tmp_path / name]) == "pictures", name
    assert kinds.content_of([npy(STACK, tmp_path / "d.npy")]) == "pictures"
    assert kinds.content_of([npy(np.zeros((2, 5, 4, 3), "i2"), tmp_path / "e.npy")]) == "pictures"
    assert kinds.content_of([npy(STACK > 9, tmp_path / "f.npy"), tmp_path / "a.png"]) == "pictures"


def test_what_is_nothing_else_is_bytes(tmp_path: Path) -> None:
    labels = struct.pack(">HBBI", 0, 8, 1, 3) + b"\1\2\3"
    for name, content in {
        "a.txt": b"text",
        "labels-idx1-ubyte": labels,
        "b.idx": b"text",
        "c.idx.gz": b"text",
        "d.idx.gz": gzip.compress(b"text"),
        "e.npy": b"text",
        "f.idx": IDX[:6],
        "g.idx.gz": gzip.compress(IDX)[:12],
    }.items():
        (tmp_path / name).write_bytes(content)
        assert kinds.content_of([tmp_path / name]) == "bytes", name
    for number, other in enumerate([np.zeros((3, 5)), np.zeros((2, 5, 5)), np.zeros((9, 9, 3), "u1")]):
        assert kinds.content_of([npy(other, tmp_path / f"{number}.npy")]) == "bytes"
    assert kinds.content_of([]) == "bytes"
    some = [npy(STACK, tmp_path / "s.npy"), tmp_path / "a.txt"]
    assert (kinds.content_of(some), kinds.other_contents(some)) == ("bytes", ["pictures"])
