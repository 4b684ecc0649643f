"""Sentences about pictures that are made smaller: what is no picture, and what cannot be kept."""

from __future__ import annotations

from typing import Any

from isthmus.errors import DataTypeError, ShapeError

__all__ = ["no_picture", "no_samples", "png_compressed_anew", "rows_too_long", "too_many_channels"]


def no_samples(dtype: Any) -> DataTypeError:
    """Return the error for a type that no samples have."""
    return DataTypeError(
        f"picture: samples must be truth values, whole numbers or floats of up to 64 bits, got {dtype}; convert them."
    )


def no_picture(shape: tuple[int, ...]) -> ShapeError:
    """Return the error for an array that is no picture."""
    return ShapeError(f"picture: the shape must be (height, width) or (height, width, channels), got {shape}.")


def too_many_channels(count: int, most: int) -> ShapeError:
    """Return the error for more channels than a picture has."""
    return ShapeError(f"picture: {count:,} channels, of at most {most}; compress it as an array (.npy) instead.")


def rows_too_long(size: int, most: int) -> ShapeError:
    """Return the error for rows that are longer than a strip can be."""
    return ShapeError(
        f"picture: a row has {size:,} bytes, of at most {most:,}; compress it as an array (.npy) instead."
    )


def png_compressed_anew(version: str) -> str:
    """Return what is said where the bytes of a PNG file cannot be repeated."""
    return (
        f"the PNG file has the pixels and chunks of the one that was compressed, but other bytes: zlib {version} does "
        f"not make those of the zlib that it was compressed with"
    )
