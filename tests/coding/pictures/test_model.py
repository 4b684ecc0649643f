"""Models of pictures of one kind: what is coded with them comes back, alone and in stacks; what else is refused."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus import artifact
from isthmus.coding import contents
from isthmus.coding.container import Source, opened
from isthmus.coding.describing import describe
from isthmus.coding.pictures import PictureCodec, Stack, decode, encode_stack
from isthmus.coding.pictures.stored import content_of
from isthmus.coding.stream import Lost, salvage
from isthmus.errors import (
    ArtifactError,
    DataError,
    DataTypeError,
    FormatNumberError,
    IsthmusError,
    ParameterError,
    ShapeError,
)

from .samples import digits, noise, png_of, smooth

SEEN, NEW = digits(12), digits(4, seed=1)


@pytest.fixture(scope="module")
def model() -> PictureCodec:
    return PictureCodec().fit(SEEN)


def of_file(content: bytes, codec: PictureCodec | None) -> bytes:
    into = io.BytesIO()
    contents.write(into, content_of(io.BytesIO(content), model=codec))
    return into.getvalue()


def idx(stack: np.ndarray) -> bytes:
    return struct.pack(">HBB3I", 0, 8, 3, *stack.shape) + stack.tobytes()


def npy(stack: np.ndarray) -> bytes:
    into = io.BytesIO()
    np.save(into, stack)
    return into.getvalue()


# ------------------------------------------------------------------ what comes back


@pytest.mark.parametrize(
    "stack",
    [
        noise((3, 1, 1), "u1"),
        noise((3, 2, 5), "bool"),
        noise((2, 4, 5, 4), "u1"),
        noise((2, 5, 4), ">i2"),
        noise((2, 3, 4, 2), "<u4"),
        noise((2, 3, 3), "f8"),
        np.stack([smooth(8, 9, seed=k) for k in range(3)]),
        np.zeros((2, 3, 4), "u1"),
        digits(3).transpose(0, 2, 1),
    ],
    ids=lambda stack: f"{stack.shape} {stack.dtype}",
)
def test_stacks_of_any_type_come_back(stack: np.ndarray) -> None:
    codec = PictureCodec().fit(stack)
    again = isthmus.decompress(isthmus.compress(stack, model=codec), model=codec)
    assert (again.dtype, again.shape) == (stack.dtype, stack.shape)
    assert again.tobytes() == stack.tobytes()
    assert again.flags.writeable


def test_stacks_without_pictures_come_back(model: PictureCodec) -> None:
    for codec in (model, None):
        file = of_file(npy(SEEN[:0]), codec)
        assert isthmus.decompress(file, model=codec).shape == (0, 14, 14)
    assert isthmus.decompress(model.compress(SEEN[:0]), model=model).shape == (0, 14, 14)


def test_pictures_of_no_pixels_are_no_stack() -> None:
    for shape in ((2, 0, 3), (2, 3, 0), (2, 3, 3, 0)):
        with pytest.raises(ShapeError, match="stack: the shape must be"):
            PictureCodec().fit(np.zeros(shape, "u1"))
    with pytest.raises(DataError, match="there are no pictures to learn from"):
        PictureCodec().fit(SEEN[:0])


def test_samples_in_another_order_of_bytes_are_coded_and_keep_it() -> None:
    stack = noise((3, 4, 5), "<i2")
    codec = PictureCodec().fit(stack)
    again = codec.decompress(codec.compress(stack.astype(">i2")))
    assert again.dtype == np.dtype(">i2")
    assert np.array_equal(again, stack)


def test_files_come_back_byte_for_byte(model: PictureCodec) -> None:
    version_2 = io.BytesIO()
    np.lib.format.write_array(version_2, NEW, version=(2, 0))
    for content in (npy(NEW), idx(NEW), version_2.getvalue(), png_of(NEW[0]), npy(NEW[:0])):
        for codec in (model, None):
            file = of_file(content, codec)
            with isthmus.open_compressed(io.BytesIO(file), model=codec) as opened:
                assert opened.read() == content


def test_a_stack_in_a_file_is_an_array_in_python(model: PictureCodec) -> None:
    assert np.array_equal(isthmus.decompress(of_file(idx(NEW), model), model=model), NEW)
    assert isthmus.decompress(of_file(png_of(NEW[0]), model), model=model) == png_of(NEW[0])
    with pytest.raises(DataError, match="more than the 700 bytes that limit allows"):
        isthmus.decompress(of_file(idx(NEW), model), model=model, limit=700)


def test_what_was_learned_makes_pictures_of_the_kind_smaller(model: PictureCodec) -> None:
    for new, share in ((NEW, 0.9), (NEW[:1], 1)):
        alone, learned = encode_stack(new), encode_stack(new, model=model)
        assert sum(len(strip.payload) for strip in learned.strips) < share * sum(len(s.payload) for s in alone.strips)


def test_no_byte_hangs_on_threads_or_on_what_was_coded_before(model: PictureCodec) -> None:
    rgb = np.stack([smooth(8, 9, seed=k) for k in range(3)])
    assert PictureCodec().fit(rgb, threads=1).fingerprint == PictureCodec().fit(rgb, threads=3).fingerprint
    first = model.compress(NEW)
    model.compress(SEEN)
    assert model.compress(NEW) == first


def test_samples_that_are_new_are_coded_unless_pictures_of_the_kind_have_few() -> None:
    dim = PictureCodec().fit(SEEN // 3)
    assert np.array_equal(dim.decompress(dim.compress(NEW)), NEW)
    deep = PictureCodec().fit(noise((2, 9, 9), "u2") >> 4)
    new = noise((1, 9, 9), "u2", seed=1)
    assert np.array_equal(deep.decompress(deep.compress(new >> 4)), new >> 4)
    with pytest.raises(DataError, match="samples that none of the pictures had"):
        deep.compress(new)


@pytest.mark.parametrize(("stack", "bits"), [(SEEN > 99, 1), (SEEN // 128, 1), (SEEN // 128 * 255, 1), (SEEN // 16, 4)])
def test_few_levels_are_coded_in_few_bits(stack: np.ndarray, bits: int) -> None:
    assert [levels.bits for levels in PictureCodec().fit(stack).layout.levels] == [bits]


# ------------------------------------------------------------------ the file of a model


def test_a_loaded_model_codes_the_same(model: PictureCodec, tmp_path: Path) -> None:
    model.save(tmp_path / "m.safetensors")
    again = isthmus.load(tmp_path / "m.safetensors")
    assert isinstance(again, isthmus.PictureCodec)
    assert again.compress(NEW) == isthmus.compress(NEW, model=tmp_path / "m.safetensors") == model.compress(NEW)
    assert again.layout.shape == (14, 14)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("layout", lambda array: array[:-1]),
        ("layout", lambda array: np.append(array, np.uint8(0))),
        ("layout", lambda array: np.concatenate([array[:1], np.array([0, 9], "u1"), array[3:]])),
        ("0.slots.cells", lambda array: array[1:]),
        ("0.slots.cells", lambda array: array | 0xFF00),
        ("0.weights.0", lambda array: array * 0 + (1 << 30)),
        ("0.regression.0", lambda array: array * 0 + 0x7FF8000000000000),
        ("0.count", lambda array: array * 0 - 1),
        ("0.count", None),
        ("1.count", lambda array: np.zeros(1, "i8")),
    ],
)
def test_altered_models_are_refused(model: PictureCodec, tmp_path: Path, name: str, change: object) -> None:
    tensors = dict(model.tensors)
    if name == "0.regression.0":
        name = next(key for key in tensors if key.startswith("0.regression"))
    if change is None:
        del tensors[name]
    else:
        tensors[name] = change(tensors.get(name))
    artifact.write(tmp_path / "m", "PictureCodec", {"provenance": model.provenance_}, tensors)
    with pytest.raises(ArtifactError):
        PictureCodec.load(tmp_path / "m")


def test_models_of_later_versions_are_told(model: PictureCodec, tmp_path: Path) -> None:
    tensors = {**model.tensors, "layout": np.concatenate([np.array([9], np.uint8), model.tensors["layout"][1:]])}
    artifact.write(tmp_path / "m", "PictureCodec", {"provenance": model.provenance_}, tensors)
    with pytest.raises(FormatNumberError, match="schemes of builder 9"):
        PictureCodec.load(tmp_path / "m")


# ------------------------------------------------------------------ what is refused


def test_pictures_that_the_model_is_not_for_are_refused(model: PictureCodec) -> None:
    few = PictureCodec().fit(SEEN // 64 * 64)
    for given, codec, error, said in (
        (NEW[:, :9], model, ShapeError, r"stack: pictures have the shape \(9, 14\), and the model is for \(14, 14\)"),
        (NEW[..., None], model, ShapeError, r"\(14, 14, 1\), and the model is for \(14, 14\); fit another one"),
        (NEW.astype("u2"), model, DataTypeError, "stack: samples are uint16, and the model is for uint8; convert them"),
        (NEW, few, DataError, "stack: there are samples that none of the pictures had from which the model learned"),
        (NEW[0], model, ShapeError, r"stack: the shape must be \(n, height, width\) or .*got \(14, 14\)"),
        (b"bytes", model, ParameterError, "the model is one of pictures, and these are bytes"),
    ):
        with pytest.raises(error, match=said):
            isthmus.compress(given, model=codec)


def test_files_that_the_model_is_not_for_are_named(model: PictureCodec) -> None:
    for content, said in (
        (b"text", "a.x does not begin like a PNG, .npy or IDX file, and the model is one of pictures"),
        (b"", "a.x does not begin like"),
        (struct.pack(">HBBI", 0, 8, 1, 2) + b"ab", "a.x holds an array of 1 axes, which is no stack of pictures"),
        (npy(NEW[0]), "a.x holds an array of 2 axes"),
        (npy(NEW[:, :9]), r"a.x: pictures have the shape \(9, 14\)"),
        (png_of(NEW[0, :9]), r"a.x: pictures have the shape \(9, 14\)"),
        (png_of(smooth(14, 14)), r"a.x: pictures have the shape \(14, 14, 3\)"),
        (png_of(NEW[0].astype("u2")), "a.x: samples are uint16"),
        (png_of(NEW[0])[:-30], "a.x .*, and the model is one of pictures"),
    ):
        with pytest.raises(IsthmusError, match=said):
            model.content_in("a.x", io.BytesIO(content))


def test_the_model_is_needed_and_named(model: PictureCodec, tmp_path: Path) -> None:
    other, text = PictureCodec().fit(SEEN[:5]), isthmus.Codec().fit(b"text")
    needed = model.fingerprint_[:8]
    for content in (npy(NEW), png_of(NEW[0])):
        file = of_file(content, model)
        for given, said in (
            (None, "which was not given"),
            (other, f"and the one given is {other.fingerprint_[:8]}"),
            (text, f"and the one given is {text.fingerprint_[:8]}"),
        ):
            with pytest.raises(ArtifactError, match=f"the data needs the model {needed}, {said}"):
                isthmus.decompress(file, model=given)
        (tmp_path / "a.isth").write_bytes(file)
        found = describe(tmp_path / "a.isth")
        assert (found["model"][:8], found["carried"], found["content"]) == (needed, False, "picture")


@pytest.mark.parametrize("other", [NEW[:, :, :9], NEW[:, :9], NEW.astype("i1")])
def test_a_file_that_names_a_model_of_other_pictures_is_refused(model: PictureCodec, other: np.ndarray) -> None:
    codec = PictureCodec().fit(other)
    description = encode_stack(other, model=codec).description.replace(codec.fingerprint[:4], model.fingerprint[:4])
    with pytest.raises(ArtifactError, match="its model is for other pictures"):
        decode(description, [], model=model)


def test_of_a_damaged_stack_the_other_pictures_are_saved(model: PictureCodec) -> None:
    into, told = io.BytesIO(), list[int]()
    content = Stack(NEW, model=model, pictures=1)
    contents.write(into, content, done=lambda piece, written: told.append(written))
    damaged = bytearray(into.getvalue())
    start = damaged.rindex(content.fingerprint[:4]) + 8  # the end of the head, or a little behind it
    damaged[start + told[0] + told[1] // 2] ^= 1
    source = Source.of(bytes(damaged), "the data")
    opened(source)
    *pieces, lost = salvage(source, model)
    found = np.load(io.BytesIO(b"".join(pieces)))
    assert isinstance(lost, Lost)
    kept = [np.array_equal(one, other) for one, other in zip(found, NEW, strict=True)]
    assert kept.count(False) == 1
    assert not found[kept.index(False)].any()


def test_no_altered_byte_gives_other_pictures(model: PictureCodec) -> None:
    file = of_file(npy(NEW[:2]), model)
    for place in range(0, len(file), 13):
        altered = file[:place] + bytes([file[place] ^ 8]) + file[place + 1 :]
        try:
            found = isthmus.decompress(altered, model=model)
        except (ArtifactError, FormatNumberError):
            continue
        assert np.array_equal(found, NEW[:2])
