"""Lossy compression of records of one kind, by a model of that kind, at a rate or a quality that a person states."""

from __future__ import annotations

from isthmus.tasks.compression.compress import (
    Compression,
    compress_records,
    compressible,
    decompress_records,
    decompressed_blocks,
    opened_codes,
    rate_distortion,
)

__all__ = [
    "Compression",
    "compress_records",
    "compressible",
    "decompress_records",
    "decompressed_blocks",
    "opened_codes",
    "rate_distortion",
]
