"""PNG, JPEG, WebP, GIF, BMP and AVIF files, read by Pillow; what Pillow would drop is read separately."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isthmus.checks import data as checks
from isthmus.data.deep_colour import is_deep, read_png
from isthmus.data.image_header import PAGES, WHITE, Header
from isthmus.data.recognition import HEAD_BYTES

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["FORMATS", "avif_bits", "headers", "pixels", "refuse_without_avif"]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "AVIF")
# Those with frames, and the fewest bytes of a frame. JPEG files of several pictures hold copies, or a depth map.
ANIMATED = {"PNG": 54, "WEBP": 40, "GIF": 14, "AVIF": 12}

# What Pillow's modes hold: channels, values. Other modes (palette, CMYK, YCbCr, Lab) are read as RGB, and that is said.
PIXELS: dict[str, tuple[int, str]] = {
    "1": (1, "bool"),
    "L": (1, "uint8"),
    "LA": (2, "uint8"),
    "RGB": (3, "uint8"),
    "RGBA": (4, "uint8"),
    "I;16": (1, "uint16"),
}
FEW_BITS = {"L;2": 2, "L;4": 4}
ORIENTATION = 0x0112


def headers(path: Path) -> list[Header]:
    """Return a header for every image or frame of a file, without decoding any."""
    from PIL import Image

    with Image.open(path, formats=FORMATS) as image:
        kind = image.format or ""
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and frames * ANIMATED.get(kind, 1) > path.stat().st_size:
            raise ValueError(f"it claims {frames} frames, and is too short for them")
        conversions = []
        pillow_mode, channels, dtype = _as_read(image, frames)
        stored = _stored(image)
        if image.mode == "P":
            conversions.append(f"of mode P were read as {pillow_mode}")
        elif image.mode not in PIXELS:
            conversions.append(f"of mode {image.mode} were read as {pillow_mode}")
        elif "transparency" in image.info:
            conversions.append("mark a colour as transparent, which became a channel")
        if stored in FEW_BITS:
            conversions.append(f"have {FEW_BITS[stored]} bits a pixel, spread over 0 to 255 as PNG has it")
        orientation = _orientation(image)
        if orientation != 1:
            conversions.append("were turned upright as their EXIF data say")
        height, width = (image.width, image.height) if orientation in (5, 6, 7, 8) else (image.height, image.width)
        if frames > 1 and kind not in ANIMATED:
            conversions.append("come with further pictures (copies, or depth), which were left out")
            frames = 1
        if frames > 1:
            conversions.append(PAGES)
        name = "JPEG" if kind == "MPO" else kind
        return [
            Header(
                name,
                (height, width),
                channels,
                dtype,
                WHITE[dtype],
                place=number,
                orientation=orientation,
                conversions=tuple(conversions),
                cut_from=16 if frames > 1 and is_deep(image) else avif_bits(path) if kind == "AVIF" else 0,
            )
            for number in range(frames)
        ]


def avif_bits(path: Path) -> int:
    """Return the bits of a channel of an AVIF file of more than 8, else 0; from its configuration record, av1C."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    at = head.find(b"av1C")
    flags = head[at + 6] if 0 <= at < len(head) - 6 else 0
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 0


def _stored(image: Image.Image) -> str:
    """Return Pillow's name for how the pixels are stored, where they are stored in one piece."""
    tiles = getattr(image, "tile", ())
    raw = tiles[0].args if tiles else ""
    raw = raw[0] if isinstance(raw, tuple) and raw else raw
    return raw if isinstance(raw, str) else ""


def _as_read(image: Image.Image, frames: int) -> tuple[str, int, str]:
    """Return the mode that Pillow is to give, and the channels and the values of what is read."""
    transparent = "transparency" in image.info
    if frames == 1 and (channels := is_deep(image)):
        return image.mode, channels + transparent, "uint16"
    if image.mode == "I;16":
        return image.mode, 1 + transparent, "uint16"
    if image.format == "GIF" and frames > 1:
        # The frames of an animation may cover a part of the picture, the first one too.
        return "RGBA", 4, "uint8"
    modes = {"1": "LA", "L": "LA", "RGB": "RGBA"} if transparent else {}
    plain = "RGBA" if transparent or image.mode in ("PA", "RGBa", "La") else "RGB"
    mode = modes.get(image.mode, image.mode if image.mode in PIXELS else plain)
    return mode, *PIXELS[mode]


def _orientation(image: Image.Image) -> int:
    """Return how an image is turned, without decoding it.

    In a PNG file the EXIF data may also follow the pixels; those are not looked for, since that would mean to decode
    every file for its header.
    """
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    orientation = image.getexif().get(ORIENTATION, 1)
    return orientation if orientation in range(2, 9) else 1


def pixels(path: Path, wanted: Sequence[Header]) -> Iterator[np.ndarray]:
    """Return the images of the given headers of one file, of shape ``(height, width[, channels])``; not turned yet."""
    from PIL import Image

    content = path.read_bytes()  # of a path, decoders may map pages: to cut the file short would kill the process
    with ExitStack() as stack:
        image, again = (stack.enter_context(Image.open(BytesIO(content), formats=FORMATS)) for _ in range(2))
        frames = getattr(image, "n_frames", 1) if wanted[0].format in ANIMATED else 1
        for header in wanted:
            if header.place:
                image.seek(header.place)
            yield _pixels(image, again, frames)


def _pixels(image: Image.Image, again: Image.Image, frames: int) -> np.ndarray:
    """Return one decoded frame."""
    key = image.info.get("transparency")
    mode, _, dtype = _as_read(image, frames)
    if dtype == "uint16":
        array = read_png((image, again)) if is_deep(image) else np.array(image, np.uint16)
        if key is None:
            return array
        opaque = (array.reshape(*array.shape[:2], -1) != np.asarray(key)).any(axis=-1)
        return np.dstack([array, opaque * np.uint16(65535)])
    image.load()
    return np.array(image if image.mode == mode else image.convert(mode))


def refuse_without_avif(path: Path) -> None:
    """Refuse AVIF files where Pillow was built without the library for them."""
    from PIL import features

    if not features.check("avif"):
        raise checks.unreadable_file(
            path,
            "it is an AVIF file, and this Pillow was built without AVIF; install the wheel of Pillow 11.3 or later",
        )
