"""The held-out digits as text, compressed, beside xz."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus import coding
from isthmus.cli.demo.drawing import pictures_of

if TYPE_CHECKING:
    from isthmus.data import Data

__all__ = ["NAMES", "compress_digits", "sentence"]

NAMES = ("digits.csv", "digits.csv.isth")


def compress_digits(test: Data, folder: Path) -> dict[str, Any]:
    """Write digits as a CSV file, and that compressed; return their sizes in bytes, and that which xz reaches."""
    rows = pictures_of(test).reshape(len(test), -1).astype(int).tolist()
    text = "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
    compressed = coding.compress(text)
    for name, content in zip(NAMES, (text, compressed), strict=True):
        (folder / name).write_bytes(content)
    xz = len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    return {"bytes": len(text), "compressed": len(compressed), "xz": xz}


def sentence(found: dict[str, Any]) -> str:
    """Return the sizes in one line."""
    shares = [f"{100 * found[name] / found['bytes']:.1f} %" for name in ("compressed", "xz")]
    return (
        f"The held-out digits as text, {found['bytes']:,} bytes, compressed without loss: "
        f"{found['compressed']:,} bytes, {shares[0]} (xz -9e: {shares[1]})."
    )
