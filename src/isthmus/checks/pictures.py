"""Sentences about pictures that are made smaller: what is no picture, and what cannot be kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isthmus.errors import DataError, DataTypeError, OutOfMemoryError, ParameterError, ShapeError

__all__ = [
    "all_missing",
    "beyond_memory",
    "coded_without_model",
    "filled_and_enlarged",
    "first_of_several",
    "lossy_name",
    "mask_of_another_size",
    "no_picture",
    "no_picture_format",
    "no_picture_of_model",
    "no_pictures_in",
    "no_pictures_of_model_in",
    "no_pictures_to_learn",
    "no_samples",
    "no_stack",
    "not_held",
    "not_to_be_rounded",
    "numbers_missing",
    "one_target_of_pictures",
    "pictures_not_so_small",
    "pictures_of_another_size",
    "pictures_of_another_type",
    "pictures_too_large",
    "pictures_unlike_the_first",
    "png_compressed_anew",
    "png_not_byte_for_byte",
    "profile_left_out",
    "restored_one_by_one",
    "rows_too_long",
    "size_of_several",
    "taken_as_transparency",
    "too_many_channels",
    "unseen_samples",
]


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


def png_not_byte_for_byte(path: str) -> str:
    """Return what is said of a PNG file whose bytes zlib, as it is here, does not make again."""
    return f"{path} comes back with the same pixels and chunks, and not byte for byte; --content bytes keeps its bytes."


# --- stacks, and models of them --------------------------------------------------------------------------------------


def no_stack(shape: tuple[int, ...]) -> ShapeError:
    """Return the error for an array that is no stack of pictures."""
    return ShapeError(f"stack: the shape must be (n, height, width) or (n, height, width, channels), got {shape}.")


def pictures_too_large(shape: tuple[int, ...], most: int) -> ShapeError:
    """Return the error for pictures of a stack that have too many pixels."""
    return ShapeError(
        f"stack: pictures of {shape[0]:,} x {shape[1]:,} pixels, of at most {most:,} in all; compress each by itself."
    )


def no_pictures_to_learn() -> DataError:
    """Return the error for a stack without pictures."""
    return DataError("PictureCodec.fit: there are no pictures to learn from; give one at least.")


def no_pictures_in(path: object, why: str) -> DataError:
    """Return the error for a file of which no pictures can be learned from."""
    return DataError(
        f"{path} {why}; a model of pictures learns from PNG files, and from stacks in .npy and IDX files: leave it out."
    )


def no_picture_of_model(path: object, why: str) -> DataError:
    """Return the error for a file without pictures that is to be compressed with a model of pictures."""
    return DataError(
        f"{path} {why}, and the model is one of pictures (PNG files, stacks in .npy and IDX files); leave it out."
    )


def coded_without_model(path: str) -> str:
    """Return what is said of pictures with a loss, for which a model of exact samples was not used."""
    return f"{path} needs no model: the model knows exact samples, and these are rounded."


def no_pictures_of_model_in(path: object) -> DataError:
    """Return the error for a folder in which there is no picture that a model is for."""
    return DataError(f"{path} holds no pictures such as the model is for; leave the model and the target out.")


def not_to_be_rounded(name: str, what: Any) -> DataTypeError:
    """Return the error for samples of which no step can be found that keeps a target."""
    return DataTypeError(
        f"{name}: with a loss, samples must be whole numbers of 8 to 32 bits, got {what}; leave out the target to lose "
        f"nothing."
    )


def one_target_of_pictures(given: Sequence[str]) -> ParameterError:
    """Return the error for several statements of how much may be lost."""
    return ParameterError(f"compress: exactly one of psnr, bpp and size says how much may be lost; got {given}.")


def size_of_several() -> ParameterError:
    """Return the error for a size that the pictures of a folder should have together."""
    return ParameterError(
        "compress: --size is of one file, and each picture of a folder is compressed alone; give --psnr or --bpp."
    )


def lossy_name(path: str, output: str) -> ParameterError:
    """Return the error for a picture that would be written under the name of a format that loses something."""
    return ParameterError(
        f"decompress: {path} holds its pixels in full, and {output} names a format that would not keep them; give the "
        f"ending that the file had, such as .png or .npy."
    )


def pictures_not_so_small(name: str, target: str, wanted: float, size: int, bpp: float, psnr: float) -> ParameterError:
    """Return the error for a size that no step of the samples gives."""
    said = f"{wanted:,.0f}" if target == "size" else f"{wanted:g}"
    return ParameterError(
        f"compress: {name}: --{target} {said} ({target}=) cannot be met: the smallest file takes {size:,} bytes, "
        f"{bpp:.3g} bits a pixel, at {psnr:.1f} dB; give {size:,} bytes or more (--size)."
    )


def pictures_unlike_the_first(path: object, own: str, first: object, known: str) -> DataError:
    """Return the error for a file of pictures that are not as large as those of the first, or have other samples."""
    return DataError(
        f"{path} holds pictures of {own}, and {first} of {known}; a model is for one size and type: leave out the "
        f"others."
    )


def pictures_of_another_size(name: str, shape: tuple[int, ...], known: tuple[int, ...]) -> ShapeError:
    """Return the error for pictures that are not as large as those of a model."""
    return ShapeError(f"{name}: pictures have the shape {shape}, and the model is for {known}; fit another one.")


def pictures_of_another_type(name: str, dtype: Any, known: Any) -> DataTypeError:
    """Return the error for pictures with other samples than those of a model."""
    return DataTypeError(f"{name}: samples are {dtype}, and the model is for {known}; convert them if none is lost.")


def unseen_samples(name: str) -> DataError:
    """Return the error for samples that no picture had from which a model learned."""
    return DataError(
        f"{name}: there are samples that none of the pictures had from which the model learned, so that it cannot code "
        "them; leave out the model, or fit one with such pictures."
    )


# --- picture files, restored ------------------------------------------------------------------------------------------


def first_of_several(name: str, count: int) -> str:
    """Return what is said of a file of several pages or frames."""
    return f"{name} holds {count:,} pages or frames, of which the first was taken."


def profile_left_out(name: str) -> str:
    """Return what is said of a colour profile that is not about the colours that were read."""
    return f"{name} has a colour profile of other colours than were read, which was left out."


def beyond_memory(name: str, needed: int, most: int, whole: Sequence[str]) -> OutOfMemoryError:
    """Return the error for a picture that cannot be read or written by windows, and takes too much memory.

    Parameters
    ----------
    name : str
        Of the picture.
    needed, most : int
        Bytes.
    whole : sequence of {"decoded", "written"}
        What is done to all of it at once.
    """
    repair = {
        "decoded": "save it as a tiled TIFF file first (vips tiffsave FILE out.tif --tile)",
        "written": "write a .tif or .npy file",
    }
    why = f", since it is {' and '.join(whole)} whole" if whole else ""
    advice = f"{' and '.join(repair[how] for how in whole)}, or " if whole else ""
    return OutOfMemoryError(
        f"restore: {name} takes {needed:,} bytes of memory{why}, and {most:,} are allowed; {advice}allow more with "
        f"memory={needed} (--memory)."
    )


def no_picture_format(path: object, suffix: str, formats: Sequence[str]) -> ParameterError:
    """Return the error for an output whose name is that of no format of pictures."""
    what = f"{suffix} is no format that pictures are written in" if suffix else "its name has no suffix"
    return ParameterError(f"'{path}': {what}; give it one of {', '.join(formats)}.")


def not_held(path: object, kind: str, dtype: Any, channels: int, alpha: bool, formats: Sequence[str]) -> ParameterError:
    """Return the error for a picture that a format cannot hold."""
    what = "channel" if channels == 1 else "channels"
    transparent = ", the last of them transparency" if alpha and channels in (2, 4) else ""
    return ParameterError(
        f"'{path}': {kind} does not hold {dtype} values of {channels} {what}{transparent}; write one of "
        f"{', '.join(formats)}."
    )


def all_missing(name: str) -> DataError:
    """Return the error for a picture of which nothing is known."""
    return DataError(f"restore: all pixels of {name} are missing, so that there is nothing to go by; leave it out.")


def mask_of_another_size(found: Sequence[int], wanted: Sequence[int]) -> ShapeError:
    """Return the error for a mask that does not fit its picture."""
    return ShapeError(
        f"restore: the mask must have the height and width of the picture, {tuple(wanted[:2])}; its shape is "
        f"{tuple(found)}."
    )


def filled_and_enlarged() -> ParameterError:
    """Return the error for a picture that is to be filled and enlarged at once."""
    return ParameterError("restore: a picture is filled in its own size; leave out the scale, then enlarge the result.")


def taken_as_transparency(name: str, channels: int) -> str:
    """Return what is said of an array with as many channels as a picture with transparency."""
    return f"{name}: the last of its {channels} channels was taken as transparency, which is not restored."


def restored_one_by_one(name: str, bands: int) -> str:
    """Return what is said of channels that are no colours."""
    return f"{name}: its {bands:,} bands were restored one by one, as grey pictures."


def numbers_missing(name: str, count: int) -> str:
    """Return what is said of pixels without a number."""
    what = "pixel was" if count == 1 else "pixels were"
    return f"{name}: {count:,} {what} missing (NaN or infinite), and filled."
