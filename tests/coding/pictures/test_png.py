"""PNG files: taken apart, and put together again byte for byte; and why one is kept as bytes instead."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from isthmus.coding.container import Source
from isthmus.coding.pictures import NoPixelsError, PngPicture, described
from isthmus.coding.pictures import deflating as deflations
from isthmus.coding.pictures import png as pngs
from isthmus.coding.pictures.deflating import Deflation, found_deflation
from isthmus.coding.pictures.filters import filtered
from isthmus.coding.pictures.frame import Frame
from isthmus.coding.pictures.png import Header, Png, packed_rows, samples_of
from isthmus.errors import ArtifactError, FormatNumberError, IsthmusWarning

from .samples import chunk, decoded_by_pillow, drawn, noise, png_by_hand, png_of, smooth

PLAIN = b"\0ab\0cd"  # two rows of two grey pixels
TEXT = chunk(b"tEXt", b"Comment\0a canal " * 9)


def pieces_of(content: bytes) -> tuple[PngPicture, list[tuple[int, bytes, bytes | None]]]:
    picture = PngPicture(io.BytesIO(content))
    return picture, [(piece.units, piece.data, piece.payload) for piece in (work() for work in picture.work())]


def back_of(content: bytes) -> tuple[bytes, bool]:
    """Return the file that comes back, and whether it was promised to be the same."""
    picture, pieces = pieces_of(content)
    reader = described(Source(io.BytesIO(picture.description()), "a test"))
    data = [own if payload is None else reader.data(units, payload) for units, own, payload in pieces]
    assert data == [own for _, own, _ in pieces]
    return b"".join(reader.as_file(iter(data))), picture.is_exact


FILES = {
    "RGB": png_of(smooth()),
    "grey": png_of(smooth()[..., 0]),
    "grey and alpha": png_of(smooth(channels=2)),
    "RGBA": png_of(smooth(channels=4)),
    "drawing": png_of(drawn()),
    "palette": png_of(drawn()[..., 0] // 70),
    "1 bit": png_of(smooth()[..., 0] > 120),
    "16 bits": png_of(noise((9, 7), "<u2")),
    "1 x 1": png_of(np.zeros((1, 1, 4), np.uint8)),
    "smallest": png_of(smooth(), optimize=True),
    "level 1": png_of(smooth(), compress_level=1),
    "level 0": png_of(smooth(), compress_level=0),
    "several chunks": png_by_hand(PLAIN, pieces=3),
    "text": png_by_hand(PLAIN, before=TEXT, after=TEXT + chunk(b"tIME", b"\7\xea\x0b\x1e\0\0\0")),
    "rest": png_by_hand(PLAIN, rest=b"and more"),
    "2 bits": png_by_hand(b"\0\xe4\0\x1b", size=(4, 2), depth=2),
    "16 bits of RGB": png_by_hand(b"\0" + bytes(range(12)) + b"\2" + bytes(12), depth=16, colour=2),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_comes_back_byte_for_byte(name: str) -> None:
    assert back_of(FILES[name]) == (FILES[name], True)


@pytest.mark.parametrize("level", range(1, 10))  # what level 0 makes hangs on the room that a caller has
@pytest.mark.parametrize(
    "strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_RLE, zlib.Z_HUFFMAN_ONLY, zlib.Z_FIXED]
)
def test_what_zlib_made_is_found_at_all_its_settings(level: int, strategy: int) -> None:
    pixels = smooth(120, 130)
    kinds = np.random.default_rng(0).integers(0, 5, len(pixels)).astype(np.uint8)
    rows = filtered(pixels.reshape(len(pixels), -1), np.zeros(390, np.uint8), kinds, 3)
    packing = zlib.compressobj(level, zlib.DEFLATED, 14, 9, strategy)
    packed = packing.compress(np.hstack([kinds[:, None], rows]).tobytes()) + packing.flush()
    content = png_by_hand(b"", size=(130, 120), colour=2, compressed=packed)
    found = found_deflation(Png(io.BytesIO(content)))
    assert found is not None
    assert b"".join(found.compressed([np.hstack([kinds[:, None], rows]).tobytes()])) == packed


def test_a_window_that_is_noted_smaller_than_it_is_comes_back() -> None:
    rows = b"".join(b"\0" + bytes([k % 7] * 2) for k in range(2))
    packed = bytearray(zlib.compress(rows, 9))
    packed[:2] = b"\x18\xd3"  # a window of 512 bytes, as libpng notes it
    assert back_of(png_by_hand(rows, compressed=bytes(packed)))[1]


def _stored_in_two(rows: bytes) -> bytes:
    """Return rows in two blocks that are stored, which zlib makes of no so few bytes."""
    half = len(rows) // 2
    blocks = [(0, rows[:half]), (1, rows[half:])]
    stored = b"".join(struct.pack("<BHH", last, len(part), 65535 - len(part)) + part for last, part in blocks)
    return b"\x78\x01" + stored + struct.pack(">I", zlib.adler32(rows))


@pytest.mark.parametrize(
    "content",
    [
        png_by_hand(PLAIN, compressed=_stored_in_two(PLAIN), before=TEXT, after=TEXT),
        png_by_hand(b"\0\xff\0\xff", size=(3, 2), depth=1),  # spare bits that are no zeros
        png_by_hand(
            b"\4" + bytes(range(12)) + b"\3" + bytes(12),
            depth=16,
            colour=2,
            compressed=_stored_in_two(b"\4" + bytes(range(12)) + b"\3" + bytes(12)),
        ),
    ],
)
def test_what_cannot_be_repeated_comes_back_with_the_same_pixels_and_chunks(content: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back, is_exact = back_of(content)
    assert not is_exact
    one, other = Png(io.BytesIO(content)), Png(io.BytesIO(back))
    assert (one.header, one.before, one.after, one.rest) == (other.header, other.before, other.after, other.rest)
    assert (decoded_by_pillow(back) == decoded_by_pillow(content)).all()


def test_another_zlib_gives_the_same_pixels_and_says_so() -> None:
    picture, pieces = pieces_of(FILES["text"])
    reader = described(Source(io.BytesIO(picture.description()), "a test"))

    def other(self: Deflation, rows: object) -> object:
        yield zlib.compress(b"".join(rows), 0)  # type: ignore[call-overload]

    data = [own for _, own, _ in pieces]
    with mock.patch.object(Deflation, "compressed", other), pytest.warns(IsthmusWarning, match="but other bytes: zlib"):
        back = b"".join(reader.as_file(iter(data)))
    assert back != FILES["text"]
    assert (decoded_by_pillow(back) == decoded_by_pillow(FILES["text"])).all()
    assert back.count(TEXT) == 2


def test_large_files_are_read_twice_and_in_parts() -> None:
    content = png_of(smooth(90, 50))
    with (
        mock.patch("isthmus.coding.pictures.png_picture.IN_MEMORY", 0),
        mock.patch.object(pngs, "BLOCK", 1000),
        mock.patch.object(deflations, "START", 500),
    ):
        assert back_of(content) == (content, True)


# ---------------------------------------------------------------------- what is not taken apart

INTERLACED = png_by_hand(b"\0a\0b\0cd", interlaced=1)
SOUND = png_by_hand(PLAIN)
HEADER = struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0)


def without(kind: bytes) -> bytes:
    at = SOUND.index(kind) - 4
    size = struct.unpack(">I", SOUND[at : at + 4])[0]
    return SOUND[:at] + SOUND[at + size + 12 :]


REFUSED = {
    "does not begin like a PNG file": [b"", b"GIF89a", SOUND[1:]],
    "is cut short": [SOUND[:20], SOUND[:-1], SOUND[:-12], SOUND[:50]],
    "does not begin with the header of a picture": [
        without(b"IHDR"),
        SOUND.replace(chunk(b"IHDR", HEADER), chunk(b"tEXt", HEADER)),
    ],
    "a check in it does not fit": [
        SOUND[:-1] + b"\0",
        SOUND.replace(chunk(b"IHDR", HEADER), chunk(b"IHDR", HEADER)[:-1] + b"x"),
    ],
    "a chunk in it is none": [png_by_hand(PLAIN, before=chunk(b"a1bc", b"")), png_by_hand(PLAIN, before=b"\xff" * 12)],
    "is interlaced": [INTERLACED],
    "is animated": [
        png_by_hand(PLAIN, before=chunk(b"acTL", bytes(8))),
        png_by_hand(PLAIN, after=chunk(b"fdAT", bytes(8))),
    ],
    "changes what its pixels mean": [png_by_hand(PLAIN, before=chunk(b"CgBI", b""))],
    "sides that no picture has": [png_by_hand(PLAIN, size=(0, 2)), png_by_hand(PLAIN, size=(2, 1 << 31))],
    "a kind of pixels that there is not": [
        png_by_hand(PLAIN, depth=3),
        png_by_hand(PLAIN, colour=1),
        png_by_hand(PLAIN, depth=16, colour=3),
    ],
    "rows that are too long": [png_by_hand(PLAIN, size=((1 << 24) + 1, 2))],
    "compressed in no known way": [SOUND.replace(chunk(b"IHDR", HEADER), chunk(b"IHDR", HEADER[:10] + b"\1\0\0"))],
    "fewer pixels than it says": [png_by_hand(PLAIN[:3]), png_by_hand(PLAIN[:5])],
    "more pixels than it says": [png_by_hand(PLAIN + b"\0ef")],
    "filtered in no known way": [png_by_hand(b"\5ab\0cd")],
    "cannot be decompressed": [png_by_hand(PLAIN, compressed=b"no zlib at all")],
    "something behind its pixels": [png_by_hand(PLAIN, compressed=zlib.compress(PLAIN) + b"more")],
    "pixels in several places": [png_by_hand(PLAIN, after=TEXT + chunk(b"IDAT", b""))],
    "no pixels, or something in its end": [without(b"IDAT"), SOUND.replace(chunk(b"IEND", b""), chunk(b"IEND", b"x"))],
}


@pytest.mark.parametrize(
    ("why", "content"), [(why, content) for why, contents in REFUSED.items() for content in contents]
)
def test_a_file_that_is_not_taken_apart_says_why(why: str, content: bytes) -> None:
    with pytest.raises(NoPixelsError, match=why):
        PngPicture(io.BytesIO(content))


def test_a_file_may_not_hold_too_much_else() -> None:
    for content in (
        png_by_hand(PLAIN, before=TEXT * 9),
        png_by_hand(PLAIN, rest=bytes(2000)),
        png_by_hand(PLAIN, before=chunk(b"tEXt", bytes(2000))),
    ):
        with mock.patch.object(pngs, "KEPT_LIMIT", 500), pytest.raises(NoPixelsError, match="has too much"):
            PngPicture(io.BytesIO(content))
    with mock.patch.object(pngs, "COUNT_LIMIT", 3), pytest.raises(NoPixelsError, match="too many chunks"):
        PngPicture(io.BytesIO(png_by_hand(PLAIN, before=TEXT * 9)))


def test_a_few_bytes_that_stand_for_gigabytes_are_not_unpacked() -> None:
    bomb = zlib.compress(bytes(1 << 26), 9)
    with pytest.raises(NoPixelsError, match="more pixels than it says"):
        Png(io.BytesIO(png_by_hand(b"", compressed=bomb))).rows().__next__()


# ---------------------------------------------------------------------- samples


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("width", [1, 3, 8, 9])
def test_samples_are_packed_as_they_were(depth: int, width: int) -> None:
    header = Header(width, 3, depth, 0)
    samples = (
        np.random.default_rng(0).integers(0, 1 << depth, (3, width, 1)).astype(np.uint16 if depth == 16 else np.uint8)
    )
    rows = packed_rows(samples, header)
    assert rows.shape == (3, header.row)
    assert (samples_of(rows, header) == samples).all()
    bits = "".join(f"{int(sample):0{depth}b}" for sample in samples[1, :, 0])
    assert rows[1].tobytes() == int(bits.ljust(header.row * 8, "0"), 2).to_bytes(header.row, "big")


# ---------------------------------------------------------------------- what a reader gets


def test_a_description_of_other_pixels_is_refused() -> None:
    picture, _ = pieces_of(FILES["RGB"])
    said = picture.description()
    for other, why in (
        (said[:1] + b"\x10" + said[2:], "none of a PNG file"),
        (said[:2] + b"\0" + said[3:], "none of a PNG file"),
        (said[:2] + b"\5" + said[3:], "none of a PNG file"),
        (said + b"\0", "more bytes follow its description"),
    ):
        with pytest.raises(ArtifactError, match=why):
            described(Source(io.BytesIO(other), "a test"))
    with pytest.raises(FormatNumberError, match="a picture of form 7"):
        described(Source(io.BytesIO(b"\7" + said[1:]), "a test"))


@pytest.mark.parametrize("place", range(60))
def test_a_frame_that_was_altered_is_another_or_refused(place: int) -> None:
    frame = Frame.of(Png(io.BytesIO(FILES["text"])), Deflation(b"\x78\x9c", 6, 0, 8, 15))
    said = bytearray(frame.to_bytes())
    assert Frame.read(bytes(said), Header(2, 2, 8, 0)) == frame
    said[place * (len(said) - 1) // 59] ^= 0x81
    with contextlib.suppress(ArtifactError):
        assert Frame.read(bytes(said), Header(2, 2, 8, 0)) != frame


@pytest.mark.parametrize("payload", [b"", b"\xff\xff\xff\xff\xff\1", b"\3", b"\1\5abcde", b"\3ab"])
def test_a_payload_of_no_frame_is_refused(payload: bytes) -> None:
    picture, _ = pieces_of(FILES["text"])
    reader = described(Source(io.BytesIO(picture.description()), "a test"))
    with pytest.raises(ValueError, match="the frame of a PNG file"):
        reader.data(0, payload)


@pytest.mark.parametrize("cut", [1, 3, 150], ids=["a byte", "a pixel", "a row"])
def test_strips_that_are_not_those_of_the_picture_are_refused(cut: int) -> None:
    picture, pieces = pieces_of(FILES["RGB"])
    reader = described(Source(io.BytesIO(picture.description()), "a test"))
    whole = [data for _, data, _ in pieces]
    assert b"".join(reader.as_file(iter(whole))) == FILES["RGB"]
    for altered in ([*whole[:-1], whole[-1][:-cut]], [*whole, whole[-1][-cut:]], whole[:-1]):
        with pytest.raises(ArtifactError, match=r"not those of its shape|no whole rows"):
            b"".join(reader.as_file(iter(altered)))


@pytest.mark.parametrize("sizes", [((0, 1 << 60),), ((5, 1 << 19), (0, 1 << 19), (1, 1))])
def test_more_chunks_than_a_file_has_are_refused_before_they_are_written(sizes: tuple[tuple[int, int], ...]) -> None:
    frame = Frame.of(Png(io.BytesIO(FILES["text"])), Deflation(b"\x78\x9c", 6, 0, 8, 15))
    assert frame.compression is not None
    altered = replace(frame, compression=frame.compression._replace(sizes=sizes))
    with pytest.raises(ArtifactError, match="its chunks have a size that none has, or are too many"):
        Frame.read(altered.to_bytes(), Header(2, 2, 8, 0))
