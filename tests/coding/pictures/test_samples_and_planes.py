"""Samples as words and planes: they come back bit for bit, and words are in the order of samples."""

from __future__ import annotations

import io

import numpy as np
import pytest

from isthmus.coding.container import Source
from isthmus.coding.pictures.layout import Layout, Levels, Survey
from isthmus.coding.pictures.samples import dtype_of, joined, read_dtype, split
from isthmus.errors import ArtifactError, DataTypeError, ShapeError

from .samples import drawn, noise, smooth

TYPES = [
    "?",
    "u1",
    "i1",
    *(order + kind for kind in ("u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8") for order in "<>"),
]


def source_of(content: bytes) -> Source:
    return Source(io.BytesIO(content), "a test")


@pytest.mark.parametrize("dtype", TYPES)
def test_samples_of_any_bits_are_their_words(dtype: str) -> None:
    samples = noise((5, 7, 2), dtype)
    assert joined(split(samples), samples.dtype).tobytes() == samples.tobytes()
    assert read_dtype(source_of(dtype_of(samples.dtype))) == samples.dtype


@pytest.mark.parametrize("dtype", TYPES)
def test_words_are_in_the_order_of_samples(dtype: str) -> None:
    info = np.iinfo if np.dtype(dtype).kind in "ui" else np.finfo
    ends = [0, 1] if dtype == "?" else [info(dtype).min, info(dtype).max]
    values = np.unique(np.array([*ends, 0, 1, 2, 100, *([-1, -2] if ends[0] < 0 else [])], object).astype(dtype))
    numbers = [0] * len(values)
    for word in split(values):
        numbers = [number << 16 | int(part) for number, part in zip(numbers, word, strict=True)]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("dtype", ["S3", "U1", "M8[s]", "c8", "V2", "O"])
def test_no_picture_has_other_samples(dtype: str) -> None:
    with pytest.raises(DataTypeError, match=r"samples must be truth values, whole numbers or floats of up to 64 bits"):
        Survey(np.dtype(dtype), 3)


@pytest.mark.parametrize("said", [b"\4\1", b"\1\3", b"\3\1", b"\x81\1", b"\0\2"])
def test_a_type_that_there_is_not_is_refused(said: bytes) -> None:
    with pytest.raises(ArtifactError, match="its samples are of no type"):
        read_dtype(source_of(said))


# ---------------------------------------------------------------------- levels


def levels_of(*values: int, bits: int = 16) -> Levels:
    seen = np.zeros(1 << bits, bool)
    seen[list(values)] = True
    return Levels.of(seen)


@pytest.mark.parametrize(
    ("values", "bits", "listed"),
    [
        ((7,), 0, (7,)),
        ((0, 255), 1, (0, 255)),
        (tuple(range(200)), 8, ()),
        (tuple(range(0, 65536, 257)), 8, tuple(range(0, 65536, 257))),
        (tuple(range(0, 60000, 2)), 16, ()),
        ((0, 1), 1, ()),
        ((3, 4, 9), 2, (3, 4, 9)),
        ((), 1, ()),
    ],
)
def test_levels_are_listed_where_they_are_few(values: tuple[int, ...], bits: int, listed: tuple[int, ...]) -> None:
    levels = levels_of(*values)
    assert levels == Levels(bits, listed)
    assert Levels.read(source_of(levels.to_bytes()), 16) == levels
    words = np.array(values, np.uint16)
    assert (levels.words(levels.numbers(words)) == words).all()
    assert not len(values) or int(levels.numbers(words).max()) < 1 << levels.bits


def test_even_levels_take_few_bytes() -> None:
    assert len(levels_of(*range(0, 65536, 257)).to_bytes()) < 8


@pytest.mark.parametrize(
    "said",
    [
        b"\0\0",  # no bits
        b"\0\x11",  # 17
        b"\x81\x08\0\1",  # 1,025 levels
        b"\2\0\0\0",  # a step of 0
        b"\3\0\0\2\2",  # steps that are the same, but listed
        b"\2\xff\xff\3\1",  # beyond 16 bits
        b"\1\0\1",  # a step to nowhere
    ],
)
def test_levels_that_there_are_not_are_refused(said: bytes) -> None:
    with pytest.raises(ArtifactError, match="a plane"):
        Levels.read(source_of(said), 16)


def test_a_level_that_there_is_not_has_no_word() -> None:
    with pytest.raises(ValueError, match="a level"):
        levels_of(3, 4, 9).words(np.array([3]))


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        (Levels(8), Levels(3), True),
        (Levels(3), Levels(8), False),
        (Levels(8), Levels(1, (0, 255)), True),
        (Levels(1, (0, 255)), Levels(1, (0, 255)), True),
        (Levels(1, (0, 255)), Levels(0, (255,)), True),
        (Levels(1, (0, 255)), Levels(1, (0, 254)), False),
        (Levels(1, (0, 255)), Levels(1), False),
    ],
)
def test_levels_hold_others(own: Levels, other: Levels, expected: bool) -> None:
    assert own.holds(other) == expected


# ---------------------------------------------------------------------- layouts


def layouts_of(pixels: np.ndarray) -> list[Layout]:
    survey = Survey(pixels.dtype, pixels.shape[2] if pixels.ndim == 3 else 0)
    for start in range(0, len(pixels), 7):
        survey.add(pixels[start : start + 7])
    return survey.layouts(*pixels.shape[:2])


@pytest.mark.parametrize(
    "pixels",
    [
        smooth(),
        drawn(),
        noise((5, 6), "?"),
        noise((5, 6, 1), ">u2"),
        noise((5, 6, 2), "u1"),
        noise((9, 6, 4), "<f4"),
        noise((5, 3, 64), "i1"),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_pixels_come_back_from_every_layout(pixels: np.ndarray) -> None:
    for layout in layouts_of(pixels):
        back = Layout.read(source_of(layout.to_bytes()))
        assert (back.shape, back.dtype, back.levels) == (pixels.shape, pixels.dtype, layout.levels)
        planes = layout.planes(pixels)
        assert all(
            int(plane.max(initial=0)) >> levels.bits == 0 for plane, levels in zip(planes, layout.levels, strict=True)
        )
        assert back.rows(planes).tobytes() == pixels.tobytes()


def test_few_colours_are_numbered_from_dark_to_light() -> None:
    of_colours, of_channels = layouts_of(drawn())
    light = of_colours.colours.astype(int).sum(1)
    assert 1 < len(light) <= 256
    assert (np.diff(light) >= 0).all()
    assert not len(of_channels.colours)


def test_many_colours_and_one_channel_have_one_layout() -> None:
    assert len(layouts_of(smooth(60, 60))) == 1
    assert len(layouts_of(smooth()[..., 0])) == 1
    assert len(layouts_of(np.repeat(smooth()[..., :1] * 0 + np.uint8(3), 3, 2))) == 1


def test_colours_are_counted_over_all_rows() -> None:
    pixels = np.zeros((300, 1, 3), np.uint8)
    pixels[:, 0, 0], pixels[::2, 0, 1] = np.arange(300) % 256, 1
    pixels[256:, 0, 1] = 2
    assert len(layouts_of(pixels[:200])) == 2
    assert len(layouts_of(pixels)) == 1


def test_a_colour_that_there_is_not_is_refused() -> None:
    layout = layouts_of(drawn())[0]
    with pytest.raises(ValueError, match="a colour"):
        layout.rows([np.array([len(layout.colours)])])


def test_more_channels_than_a_picture_has() -> None:
    with pytest.raises(ShapeError, match=r"65 channels, of at most 64; compress it as an array"):
        Survey(np.dtype("u1"), 65)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"\1\1" + b"\xff" * 9 + b"\1" + b"\1\3\0", "a size that none has"),
        (b"\1\1\1\1\x41\0", "a size that none has"),
        (b"\1\1\1\1\3\x81\2", "a size that none has"),
        (b"\1\1\1\x81\x80\x80\x10\3\0", "rows are too long"),
        (b"\1\1\1\1\3\2\0\0\0\1", "cut short"),
    ],
)
def test_a_layout_that_there_is_not_is_refused(said: bytes, why: str) -> None:
    with pytest.raises(ArtifactError, match=why):
        Layout.read(source_of(said))
