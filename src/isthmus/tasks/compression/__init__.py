"""Lossy compression of records of one kind, by a model of that kind, at a rate or a quality that a person states."""

from __future__ import annotations

from isthmus.tasks.compression.compress import (
    Compression,
    compress_records,
    compressible,
    decompress_records,
    fingerprint_of,
    one_target_of,
    rate_distortion,
    records_of,
)
from isthmus.tasks.compression.records import peak_of, psnr_of

__all__ = [
    "Compression",
    "compress_records",
    "compressible",
    "decompress_records",
    "fingerprint_of",
    "one_target_of",
    "peak_of",
    "psnr_of",
    "rate_distortion",
    "records_of",
]
