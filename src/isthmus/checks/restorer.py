"""Error messages of the restorer: what is no picture, of what nothing is known, and what cannot be learned from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from isthmus.errors import DataError, ParameterError, ShapeError, UnavailableError

__all__ = [
    "CODEC_SIDES",
    "RESTORER_SIDES",
    "are_pictures",
    "coding_did_harm",
    "fine_tuning_did_harm",
    "hardly_any_noise",
    "judged_by_learned",
    "judged_without_clean_pictures",
    "learned_in_levels",
    "learned_reduced",
    "missing_filled",
    "no_colour_picture_alone",
    "no_nearer_than_neighbours",
    "no_nearer_than_what_came_in",
    "no_onnx",
    "noise_is_alike",
    "none_held_out",
    "nothing_known",
    "patch_side",
    "pictures_too_small",
    "small_pictures_left_out",
    "some_pictures",
    "with_holes",
]


def are_pictures(owner: str, source: str, kind: str) -> None:
    """Refuse records that are no pictures."""
    if kind != "image":
        raise DataError(f"{owner}: {source} holds no pictures, but data of kind {kind!r}; give arrays or image files.")


def no_colour_picture_alone(owner: str, shape: Sequence[int]) -> None:
    """Refuse three dimensions of which the last one looks like the channels of a single picture."""
    if shape[-1] in (3, 4):
        raise ShapeError(
            f"{owner}: an array of three dimensions is a stack of grey pictures (n, height, width), and those of shape "
            f"{tuple(shape)} would be {shape[-1]} pixels wide; give X[None] if it is one picture in colour, or "
            f"X[..., None] if it is such a stack."
        )


def nothing_known(owner: str, name: str) -> DataError:
    """Return the error for a picture of which every pixel is missing."""
    return DataError(f"{owner}: all pixels of {name} are missing, so there is nothing to go by; leave it out.")


def missing_filled(numbers: int, pictures: int) -> str:
    """Return what is said of missing numbers."""
    what = "number was" if numbers == 1 else "numbers were"
    where = "1 picture" if pictures == 1 else f"{pictures:,} pictures"
    return f"{numbers:,} missing {what} filled in {where} (NaN and infinities count as missing)"


def no_onnx(package: str) -> UnavailableError:
    """Return the error for a package that writes ONNX files and is not at hand."""
    return UnavailableError(
        f'Restorer.export_onnx needs the package {package}, which is not installed; run: pip install "isthmus[onnx]".'
    )


# --- what is learned from --------------------------------------------------------------------------------------------

# Sides of patches, how many a multiple of how many: of those with a margin of 8 around, which then are multiples of 2,
# 3, 4 and 8; and of those that a pyramid of six levels has whole places of.
RESTORER_SIDES, CODEC_SIDES = (8, 24), (0, 64)


def patch_side(owner: str, side: int, sides: tuple[int, int] = RESTORER_SIDES) -> None:
    """Refuse a side of patches that cannot be reduced and halved without a rest."""
    more, step = sides
    if (side - more) % step:
        what = f"{more} more than a multiple of {step}" if more else f"a multiple of {step}"
        raise ParameterError(f"{owner}: patch must be {what}; it is {side}: take {_side(side, sides)}.")


def _side(most: int, sides: tuple[int, int]) -> int:
    """Return the longest side of patches that is not longer, or the shortest there is."""
    more, step = sides
    return max(step + more, (most - more) // step * step + more)


def pictures_too_small(
    owner: str, side: int, patch: int, margins: int, sides: tuple[int, int] = RESTORER_SIDES
) -> DataError:
    """Return the error for pictures of which no patch can be cut."""
    advice = f"; set patch={_side(side - margins, sides)}" if side >= sum(sides) + margins else ""
    what = f"patches of {patch}{' with their margins' if margins else ''}"
    return DataError(
        f"{owner}: pictures must have {patch + margins} pixels a side at least, for {what}, and the largest has "
        f"{side}{advice or '; give larger ones'}."
    )


def with_holes(owner: str, name: str) -> DataError:
    """Return the error for a picture to learn from in which numbers are missing."""
    return DataError(f"{owner}: {name} has missing numbers (NaN), and is to be learned from; leave it out.")


def small_pictures_left_out(count: int, side: int) -> str:
    """Return what is said of pictures that are smaller than a patch."""
    return f"{count:,} of the pictures, or bands, have less than {side} pixels a side, and were left out"


def some_pictures(count: int, n: int) -> str:
    """Return what is said of pictures that memory is too small for."""
    return f"{count:,} of the {n:,} pictures were learned from, as many as 4 GiB hold"


def learned_reduced() -> str:
    """Return what is said of pictures that were JPEG files."""
    return "pictures from JPEG files were learned from at half their size, where they have no traces of it any more"


def learned_in_levels(dtype: str) -> str:
    """Return what is said of pictures of more than 8 bits."""
    return f"the pictures, of {dtype}, were learned from in 256 levels"


def coding_did_harm(before: float, after: float, pictures: int) -> str:
    """Return what is said of a fit after which held-out pictures take more bits, or come back worse."""
    return (
        f"the fit did harm: the cost of {_held_out(pictures)} (bits a pixel, and lambda times the squared error) was "
        f"{after:.4f}, and {before:.4f} before, so the weights are those that it began with; more pictures or a lower "
        f"learning rate may help"
    )


def none_held_out() -> str:
    """Return what is said of a fit that nothing judges."""
    return "no picture was held out, so that nothing says whether the fit made things better"


def fine_tuning_did_harm(before: float, after: float, pictures: int) -> str:
    """Return what is said of a fit after which held-out pictures are restored worse."""
    return (
        f"the fit did harm: {_held_out(pictures)} came back at {after:.2f} dB, and at {before:.2f} dB before, so the "
        f"weights are those that it began with; more pictures or a lower learning rate may help"
    )


def _held_out(pictures: int) -> str:
    """Return what judged a fit: where none was held out, those that were learned from."""
    numbers = {0: "the pictures", 1: "1 held-out picture"}
    return numbers.get(pictures, f"{pictures:,} held-out pictures")


# --- what is learned from noisy pictures alone -----------------------------------------------------------------------


def judged_without_clean_pictures(found: Mapping[str, float]) -> str:
    """Return what is always said of a fit to noisy pictures, of which no clean ones exist."""
    noise, hidden, neighbours, median = (
        math.sqrt(found[name]) for name in ("noise", "hidden_error", "neighbours_error", "median_error")
    )
    return (
        f"the noise is {noise:.4f} of white (its standard deviation, estimated), and restored pictures are "
        f"{_gain(found):.1f} dB nearer to clean ones, as is estimated without these; hidden pixels are predicted with "
        f"an error of {hidden:.4f}, where their neighbours' mean has {neighbours:.4f} and their median {median:.4f}; "
        f"what is taken away has a correlation of {found['correlation']:.3f} from pixel to pixel"
    )


def _gain(found: Mapping[str, float]) -> float:
    return 10 * math.log10(max(found["noise"], 1e-10) / max(found["error"], 1e-10))


def judged_by_learned() -> str:
    """Return what is said of a fit of which all pictures were learned from."""
    return "no picture was held out, so the fit is judged by the pictures that it learned from, and their hidden pixels"


def noise_is_alike(correlation: float, colour: float) -> str:
    """Return what is said where the noise is not independent from pixel to pixel."""
    return (
        f"the noise of neighbouring pixels is alike (what is taken away has a correlation of {correlation:.2f}; noise "
        f"is {colour:.1f} times as strong at middle frequencies as at high ones), and self_supervised is for noise "
        f"that is not: do not trust the figures; reduce the pictures to half their size and fit again, or fit to clean "
        f"ones"
    )


def hardly_any_noise(noise: float) -> str:
    """Return what is said where there is nothing to remove."""
    return f"there is hardly any noise ({noise:.4f} of white), so there is nothing to be learned: keep the pictures"


def no_nearer_than_what_came_in(found: Mapping[str, float]) -> str:
    """Return what is said of a fit that brought nothing."""
    return (
        f"the result is no better than what came in ({_gain(found):.1f} dB nearer to clean pictures, as is estimated); "
        f"more steps or more pictures may help"
    )


def no_nearer_than_neighbours() -> str:
    """Return what is said of a fit that has learned less than anybody knows of pictures."""
    return "hidden pixels are predicted no better than by their neighbours; more steps or more pictures may help"
