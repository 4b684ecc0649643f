"""Netpbm files: PBM, PGM, PPM, PAM and PFM, with their exact values.

Pillow stretches a PGM or PPM file of fewer or more than 255 levels to 8 bits; here a file of 12 bits gives 0 to 4095.

Reference: the manual pages pbm(5), pgm(5), ppm(5), pam(5) and pfm(5) of Netpbm 11.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from isthmus.checks import data as checks
from isthmus.data.image_header import PAGES, Header

__all__ = ["headers", "pixels"]

HEAD_BYTES = 4096
PIXEL_CHANNELS = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3, b"Pf": 1, b"PF": 3, b"PF4": 4}
IN_DIGITS = (b"P1", b"P2", b"P3")
ALPHA = (b"BLACKANDWHITE_ALPHA", b"GRAYSCALE_ALPHA", b"RGB_ALPHA")
TOKEN = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*([^\s#]+)")


def headers(path: Path) -> list[Header]:
    """Return a header for every image of a file: those with binary pixels may follow one another."""
    size, at = path.stat().st_size, 0
    found: list[Header] = []
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(HEAD_BYTES)
            if found and not re.match(rb"P[4567Ff]", head):
                if head.strip(b"\0 \t\r\n"):
                    raise ValueError("it is followed by bytes of no image")
                break
            header, at = _parse(head, at, path)
            found.append(header)
            if header.place[0] in IN_DIGITS:
                break
            if at > size:
                raise ValueError(f"it ends {at - size} bytes early")
    return found if len(found) == 1 else [replace(header, conversions=(*header.conversions, PAGES)) for header in found]


def _parse(head: bytes, start: int, path: Path) -> tuple[Header, int]:
    """Return the header that some bytes begin with, and where in the file the image ends if its pixels are binary."""
    magic = TOKEN.match(head)
    kind = magic.group(1) if magic else b""
    alpha = kind == b"PF4"
    if kind == b"P7":
        (width, height, channels, white), tuples, at = _parse_pam(head)
        alpha = tuples in ALPHA
    elif kind in PIXEL_CHANNELS:
        numbers, at = _numbers(head, 3 if kind not in (b"P1", b"P4") else 2)
        width, height, channels = int(numbers[0]), int(numbers[1]), PIXEL_CHANNELS[kind]
        white = 1 if len(numbers) == 2 else 0 if kind.startswith((b"PF", b"Pf")) else int(numbers[2])
    else:
        raise ValueError("it has no header of a Netpbm file")
    checks.image_size(path, (height, width))
    if min(width, height, channels) < 1 or not 0 <= white < 65536:
        raise ValueError("its header is damaged")
    order = ""
    if white == 0:
        scale = float(numbers[2])
        order = "<f4" if scale < 0 else ">f4"
    elif kind == b"P4":
        order = "bits"
    else:
        order = "u1" if white < 256 else ">u2"
    dtype = (
        "float32" if white == 0 else "uint16" if white > 255 else "bool" if white == 1 and channels == 1 else "uint8"
    )
    line = -(-width // 8) if order == "bits" else width * channels * np.dtype(order).itemsize
    conversions = (
        (f"hold values of 0 to {white}, which were kept",) if white not in (0, 255, 65535) and dtype != "bool" else ()
    )
    if white == 0 and abs(scale) != 1:
        conversions = (f"have a scale of {abs(scale):g}, by which their values were not multiplied",)
    place = (kind, start + at, order)
    header = Header("Netpbm", (height, width), channels, dtype, white, alpha, place, conversions=conversions)
    return header, start + at + height * line


def _numbers(head: bytes, count: int) -> tuple[list[bytes], int]:
    """Return the numbers after the magic, and where the pixels begin: after one white space."""
    at = len(TOKEN.match(head).group(0))  # type: ignore[union-attr]
    found = []
    for _ in range(count):
        token = TOKEN.match(head, at)
        if token is None or token.end() >= len(head):
            raise ValueError("its header is damaged")
        found.append(token.group(1))
        at = token.end()
    return found, at + 1


def _parse_pam(head: bytes) -> tuple[tuple[int, ...], bytes, int]:
    """Return width, height, depth and greatest value of a PAM file, its kind, and where the pixels begin."""
    end = re.search(rb"\nENDHDR[ \t]*\n", head)
    if end is None:
        raise ValueError("its header is damaged")
    lines = [line.split(None, 1) for line in head[: end.start()].split(b"\n")[1:]]
    fields = {line[0]: line[1].strip() for line in lines if len(line) == 2 and not line[0].startswith(b"#")}
    values = tuple(int(fields.get(name, b"0")) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    if values[3] < 1:
        raise ValueError("its header is damaged")
    return values, fields.get(b"TUPLTYPE", b""), end.end()


def pixels(path: Path, wanted: Sequence[Header]) -> Iterator[np.ndarray]:
    """Return the images of the given headers of one file, of shape ``(height, width[, channels])``."""
    with path.open("rb") as file:
        for header in wanted:
            yield _pixels(file, header)


def _pixels(file: IO[bytes], header: Header) -> np.ndarray:
    kind, offset, order = header.place
    height, width = header.size
    count = height * width * header.channels
    shape = (height, width, header.channels) if header.channels > 1 else (height, width)
    file.seek(offset)
    if kind == b"P4":
        line = -(-width // 8)
        content = file.read(height * line)
        return ~np.unpackbits(np.frombuffer(content, np.uint8).reshape(height, line), axis=1, count=width).astype(bool)
    if kind in IN_DIGITS:
        text = re.sub(rb"#[^\n\r]*", b" ", file.read())
        # The digits of a bitmap need no space between them.
        digits = np.frombuffer(b"".join(text.split()), "S1") if kind == b"P1" else np.array(text.split(), "S8")
        values: np.ndarray = digits[:count].astype(np.uint32)
    else:
        values = np.frombuffer(file.read(count * np.dtype(order).itemsize), order)
    if len(values) < count:
        raise ValueError("its pixels are too few")
    if header.white and values.max() > header.white:
        raise ValueError(f"it holds the value {values.max()}, and the greatest by its header is {header.white}")
    array = values.reshape(shape).astype(header.dtype)
    if header.dtype == "float32":
        return np.ascontiguousarray(array[::-1])  # PFM begins at the bottom
    return ~array if kind == b"P1" else array
