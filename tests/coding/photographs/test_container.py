"""Photographs in files: what comes back, what is refused, and what is saved of a damaged one."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus.coding import contents, stream
from isthmus.coding.container import Source, opened
from isthmus.coding.describing import describe
from isthmus.coding.photographs import tiles
from isthmus.coding.pictures import photograph
from isthmus.coding.pictures.frame import Frame
from isthmus.coding.pictures.photograph import Photograph, Plan, coded_tile, pieces_beside
from isthmus.coding.pictures.picture import Picture
from isthmus.coding.pictures.png import Chunk
from isthmus.errors import ArtifactError, FormatNumberError

from .haar import latents, weights

WEIGHTS = weights()
PLAN = Plan(24, 40, 3, 8, 120, WEIGHTS.fingerprint[:4])
PHYS = Chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1))


@pytest.fixture(autouse=True)
def carried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photograph, "shipped", lambda: WEIGHTS)


def picture(height: int = 24, width: int = 40) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([5 * x % 256, 9 * y % 256, (x * y) // 4 % 256], 2).astype(np.uint8)


def written(plan: Plan, samples: np.ndarray | None = None, beside: list[contents.Piece] | None = None) -> bytes:
    """Return the file of a photograph of the plan."""
    samples = picture(plan.height, plan.width) if samples is None else samples
    coded = []
    for place in plan.places:
        part = samples[place.window].astype(np.float64) * (255 / ((1 << plan.bits) - 1))
        coded.append(coded_tile(latents(part, plan.quality), (place.height, place.width), plan, WEIGHTS))
    into = io.BytesIO()
    verify = plan.needs == WEIGHTS.fingerprint[:4]
    contents.write(into, Photograph(plan, coded, WEIGHTS, beside or []), verify=verify)
    return into.getvalue()


def near(one: np.ndarray, other: np.ndarray, peak: int = 255) -> float:
    return 10 * np.log10(peak**2 / np.mean((one.astype(float) - other) ** 2))


def as_png(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(b"".join(stream.Reader(io.BytesIO(data)).pieces())))


def test_pixels_come_back_as_an_array_and_as_a_png_file() -> None:
    data = written(PLAN)
    again = isthmus.decompress(data)
    assert again.shape == (24, 40, 3)
    assert again.dtype == np.uint8
    assert near(again, picture()) > 26
    assert np.array_equal(np.asarray(as_png(data)), again)


def test_grey_is_grey() -> None:
    plan = Plan(24, 40, 1, 8, 120, WEIGHTS.fingerprint[:4])
    grey = picture()[:, :, :1]
    data = written(plan, np.repeat(grey, 3, 2))
    assert isthmus.decompress(data).shape == (24, 40)
    assert near(isthmus.decompress(data), grey[:, :, 0]) > 26
    assert as_png(data).mode == "L"


def test_sixteen_bits_and_transparency() -> None:
    deep, alpha = picture().astype(np.uint16) * 257, np.arange(24 * 40, dtype=np.uint16).reshape(24, 40) * 61
    coded = Picture(alpha)
    plan = Plan(24, 40, 4, 16, 120, WEIGHTS.fingerprint[:4], alpha=coded.coding, is_framed=True)
    beside = pieces_beside(Frame((PHYS,), (), b""), coded)
    data = written(plan, deep, beside)
    again = isthmus.decompress(data)
    assert again.dtype == np.uint16
    assert np.array_equal(again[:, :, 3], alpha)
    assert near(again[:, :, :3], deep, 65535) > 26
    assert as_png(data).info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_description_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "x.isth").write_bytes(written(PLAN))
    found = describe(tmp_path / "x.isth")
    assert (found["content"], found["width"], found["height"], found["channels"]) == ("photograph", 40, 24, 3)
    assert (found["bytes"], found["units"], found["quality"], found["tiles"]) == (24 * 40 * 3, 24 * 40, 120, 1)
    assert sum(found["parts"].values()) == found["compressed_bytes"]


def test_another_model_is_named() -> None:
    data = written(Plan(24, 40, 3, 8, 120, b"\1\2\3\4"))
    with pytest.raises(ArtifactError, match="needs the model 01020304, which was not given"):
        isthmus.decompress(data)


def test_any_altered_byte_is_noticed() -> None:
    data = written(Plan(8, 8, 3, 8, 60, WEIGHTS.fingerprint[:4]), picture(8, 8))
    for at in range(len(data)):
        for flipped in (1, 128):
            altered = bytearray(data)
            altered[at] ^= flipped
            with pytest.raises((ArtifactError, FormatNumberError)):
                isthmus.decompress(bytes(altered))
    for end in range(0, len(data), 7):
        with pytest.raises((ArtifactError, FormatNumberError)):
            isthmus.decompress(data[:end])


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tiles be 24 pixels apart."""
    monkeypatch.setattr(tiles, "PITCH", 24)


def test_sound_tiles_of_a_damaged_file_are_kept_and_others_named(small_tiles: None) -> None:
    plan = Plan(24, 90, 3, 8, 120, WEIGHTS.fingerprint[:4])
    assert len(plan.places) == 4
    data = bytearray(written(plan, picture(24, 90)))
    whole = isthmus.decompress(bytes(data))
    data[len(data) // 2] ^= 16
    with pytest.raises(ArtifactError, match="damaged"):
        isthmus.decompress(bytes(data))
    source = Source.of(bytes(data), "x.isth")
    opened(source)
    found = list(stream.salvage(source))
    lost = [piece for piece in found if isinstance(piece, stream.Lost)]
    assert len(lost) == 1
    place = plan.places[lost[0].number]
    last = place.left + place.width - 1
    assert str(lost[0]) == f"rows 0 to 23, columns {place.left} to {last} (chunk {lost[0].number})"
    saved = np.asarray(Image.open(io.BytesIO(b"".join(piece for piece in found if isinstance(piece, bytes)))))
    inside = slice(place.left + tiles.OVERLAP, last - tiles.OVERLAP)
    assert (saved[:, inside] == photograph.GREY).all()
    beyond = np.r_[: place.left, last + 1 : 90]
    assert np.array_equal(saved[:, beyond], whole[:, beyond])


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ((0, 40, 3, 8), "sides"),
        ((1 << 31, 40, 3, 8), "sides"),
        ((1 << 20, 1 << 20, 3, 8), "sides"),
    ],
)
def test_sides_that_no_photograph_has(said: tuple[int, int, int, int], why: str) -> None:
    plan = Plan(*said, 120, WEIGHTS.fingerprint[:4])
    with pytest.raises(ArtifactError, match=why):
        Plan.read(Source.of(plan.to_bytes(), "x"))


def test_later_versions_are_named() -> None:
    said = bytearray(PLAN.to_bytes())
    said[0] = 2
    with pytest.raises(FormatNumberError):
        Plan.read(Source.of(bytes(said), "x"))
    said[0], said[3] = 1, 0x40
    with pytest.raises(FormatNumberError):
        Plan.read(Source.of(bytes(said), "x"))


def test_pieces_in_another_order_are_refused(small_tiles: None) -> None:
    plan = Plan(24, 60, 3, 8, 120, WEIGHTS.fingerprint[:4])
    reader = photograph.PhotographPixels(plan, "x", WEIGHTS)
    data = [bytes([number]) + bytes(units * 3) for number, (units, _) in enumerate(reader._pieces)]
    assert reader.array(iter(data)).shape == (24, 60, 3)
    for wrong in ([data[1], data[0]], data[:1], [*data, data[-1]], [data[0][:-1], data[1]]):
        with pytest.raises(ArtifactError):
            reader.array(iter(wrong))
