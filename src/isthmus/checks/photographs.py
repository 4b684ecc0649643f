"""Sentences about photographs that are compressed with a loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isthmus.errors import DataError, DataTypeError, ParameterError, ShapeError

__all__ = [
    "alpha_hides_colours",
    "compare_one_photograph",
    "effort_of_nothing",
    "effort_of_photographs",
    "exif_unreadable",
    "interrupted_while_learning",
    "loss_with_codec",
    "lossless_is_smaller",
    "lossy_without_target",
    "no_codec_of_photographs",
    "no_photographs_in",
    "one_target_of_photographs",
    "photograph_as_png",
    "photograph_of_lossy_format",
    "photograph_too_large",
    "photograph_under_another_name",
    "photograph_unreachable",
    "photographs_as_png",
    "quality_with_model",
    "samples_of_photographs",
    "shape_of_photographs",
    "target_without_picture",
    "too_long_beside",
    "weights_missing",
]


def samples_of_photographs(dtype: Any) -> DataTypeError:
    """Return the error for samples that no photograph has."""
    return DataTypeError(
        f"compress: samples of a photograph are whole numbers of 8 or 16 bits without a sign, and these are {dtype}; "
        f"convert them with astype, or give no target, to lose nothing."
    )


def shape_of_photographs(shape: tuple[int, ...]) -> ShapeError:
    """Return the error for an array that is no photograph."""
    return ShapeError(
        f"compress: a photograph is (height, width) or (height, width, channels) with 1 to 4 channels and a pixel at "
        f"least, got {shape}; choose channels, or give no target, to lose nothing."
    )


def photograph_too_large(height: int, width: int, limit: int) -> ShapeError:
    """Return the error for more pixels than a photograph has."""
    return ShapeError(
        f"compress: the photograph has {width:,}x{height:,} pixels, and {limit:,} are the most, with rows of 16 MiB; "
        f"cut it into smaller ones."
    )


def one_target_of_photographs(given: Sequence[str]) -> ParameterError:
    """Return the error for several targets, or none."""
    found = " and ".join(given) or "none"
    return ParameterError(
        f"compress: a photograph is compressed to exactly one of psnr, bpp, size and quality; got {found}. Give one "
        f"(--psnr 38, --bpp 0.5, --size 60kB, --quality 60)."
    )


def quality_with_model() -> ParameterError:
    """Return the error for a quality in a scale that a model does not have."""
    return ParameterError(
        "compress: --quality is for photographs, which need no model; leave out -m, or give one of --psnr, --bpp and "
        "--size."
    )


def lossy_without_target() -> ParameterError:
    """Return the error for a loss of which nobody said how large it is."""
    return ParameterError(
        "compress: --lossy keeps photographs to a target, and there is none; give one of --psnr, --bpp, --size and "
        "--quality."
    )


def effort_of_photographs(value: Any) -> ParameterError:
    """Return the error for an effort that there is not."""
    return ParameterError(f"compress: --effort (effort=) of photographs must be from 0 to 9; it is {value!r}.")


def effort_of_nothing() -> ParameterError:
    """Return the error for an effort where nothing is learned."""
    return ParameterError(
        "compress: --effort is how long a photograph is learned, with a target and without a model, or how long the "
        "codes of records are; nothing is learned here. Give one of --psnr, --bpp, --size and --quality, or leave it "
        "out."
    )


def photograph_unreachable(name: str, target: str, wanted: float, size: int, bpp: float, psnr: float) -> ParameterError:
    """Return the error for a target that no quality meets, with what is nearest."""
    said = f"{wanted:,.0f}" if target == "size" else f"{wanted:g}"
    most = target == "psnr"
    reached = f"{'the best' if most else 'the smallest'} that there is has {psnr:.2f} dB in {size:,} bytes"
    repair = "give that or less, or no target, to lose nothing" if most else "give that or more"
    return ParameterError(
        f"compress: {name}: --{target} {said} ({target}=) cannot be met: {reached}, {bpp:.3g} bits a pixel; {repair}."
    )


def target_without_picture(path: object, given: Sequence[str]) -> DataError:
    """Return the error for a loss that is asked for of what is no picture."""
    return DataError(
        f"compress: {', '.join(given)} asks for a loss, which there is without a model for pictures only, and {path} "
        f"is none; give a model of such records with -m, as isthmus fit writes it, or leave out the target."
    )


def no_photographs_in(path: object) -> DataError:
    """Return the error for a folder in which a target is of no use."""
    return DataError(f"compress: {path} holds no picture that a target could be for; leave the target out.")


def compare_one_photograph(count: int) -> ParameterError:
    """Return the error for a comparison of several pictures."""
    return ParameterError(f"compress: --compare with a target shows one picture, and {count} were named; name one.")


def no_codec_of_photographs(model: object) -> ParameterError:
    """Return the error for a model of something else than photographs."""
    return ParameterError(
        f"compress: the model of photographs must be an isthmus.PhotographicCodec, or the path of its file; it is a "
        f"{type(model).__name__}."
    )


def loss_with_codec(path: object, content: str, given: Sequence[str]) -> ParameterError:
    """Return the error for a loss that is asked for of a model with which nothing is lost."""
    return ParameterError(
        f"compress: {', '.join(given)} asks for a loss, and {path} is a model of {content}, with which nothing is "
        f"lost; leave out the model for photographs, or the target."
    )


def weights_missing() -> DataError:
    """Return the error for a package without the weights of its photographic codec."""
    return DataError("compress: this copy of isthmus came without the weights for photographs; install it again.")


# --- notes -----------------------------------------------------------------------------------------------------------


def lossless_is_smaller(path: object, lossy: int) -> str:
    """Return what is said where nothing is lost, since that takes fewer bytes."""
    return (
        f"{path} is compressed without a loss, which takes fewer bytes than the target would ({lossy:,}); --lossy "
        f"keeps to the target in any case"
    )


def photograph_of_lossy_format(path: object, kind: str) -> str:
    """Return what is said of a picture of which something was lost before."""
    return f"{path} is a {kind} file: its pixels are compressed as it gives them, and come back as a PNG file"


def photograph_as_png(path: object) -> str:
    """Return what is said of a picture that comes back in another format."""
    return f"{path} will come back as a PNG file"


def photographs_as_png(formats: Sequence[str]) -> str:
    """Return what is said of members of an archive that come back in another format."""
    return f"members that are {', '.join(formats)} files are pictures with names that end in .png, and come back so"


def photograph_under_another_name(path: object, output: object) -> ParameterError:
    """Return the error for a photograph that would be written under the name of another format than PNG."""
    return ParameterError(
        f"decompress: {path} comes back as a PNG file, and {output} has the ending of another format; give a name that "
        f"ends in .png, and convert that."
    )


def alpha_hides_colours(path: object, share: float) -> str:
    """Return what is said of colours that nobody sees."""
    return f"{path}: colours under full transparency, {100 * share:.0f} % of its pixels, are not kept"


def exif_unreadable(path: object) -> str:
    """Return what is said of a file whose EXIF data are damaged."""
    return f"{path}: what it may say of the camera cannot be read, and is not kept"


def too_long_beside(path: object, limit: int) -> str:
    """Return what is said of a colour profile or EXIF data that are left out."""
    return f"{path}: a colour profile or EXIF data of more than {limit >> 20} MiB are not kept"


def interrupted_while_learning(path: object) -> str:
    """Return what is said where a person ended the search for a better file."""
    return f"interrupted; {path} is the best that was found until then"
