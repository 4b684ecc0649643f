"""Error messages of the verbs that restore: which pictures, where results go, and what goes with what."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.errors import ArtifactError, DataError, ParameterError

__all__ = [
    "damaged_weights",
    "mask_marks_nothing",
    "mask_of_picture_wanted",
    "memory_of_a_stack",
    "no_mask_of",
    "no_pictures_in_folder",
    "no_pictures_left",
    "not_of_a_restorer",
    "of_pictures_only",
    "one_output_of_several",
    "one_source",
    "output_is_input",
    "output_of_records",
    "several_masks_of",
    "sharpened_and_enlarged",
    "written_without_loss",
]


def no_pictures_in_folder(folder: object, files: Sequence[str]) -> DataError:
    """Return the error for a folder without pictures."""
    some = ", ".join(repr(name) for name in files[:3])
    more = f" and {len(files) - 3:,} more" if len(files) > 3 else ""
    what = f"but {some}{more}" if files else "and no other files"
    return DataError(
        f"data: '{folder}' holds no pictures (PNG, JPEG, TIFF, WebP, BMP, GIF, AVIF, PPM), {what}; name a folder with "
        f"pictures."
    )


def no_pictures_left(source: str) -> DataError:
    """Return the error for sources of which no picture can be read."""
    return DataError(f"data: none of the pictures in {source} can be read.")


def mask_of_picture_wanted(name: str) -> ParameterError:
    """Return the error for a picture of which nothing says what is missing."""
    return ParameterError(
        f"inpaint: nothing says what of '{name}' is missing; name with mask= (--mask) a picture of its size that is "
        f"white there and black elsewhere."
    )


def mask_marks_nothing(name: str) -> ParameterError:
    """Return the error for a mask that leaves nothing to fill."""
    return ParameterError(
        f"inpaint: the mask marks no pixel of '{name}': all of it is black, transparent or zero; make it white where "
        f"something is missing."
    )


def no_mask_of(name: str, folder: object) -> ParameterError:
    """Return the error for a picture without a mask in the folder of masks."""
    return ParameterError(
        f"inpaint: there is no mask for '{name}' in {folder}; give each picture one of its name, or name one file as "
        f"the mask of all pictures."
    )


def several_masks_of(name: str, masks: Sequence[str]) -> ParameterError:
    """Return the error for a picture with several masks in the folder of masks, none of exactly its name."""
    return ParameterError(
        f"inpaint: {' and '.join(map(repr, masks))} may both be the mask of '{name}'; leave one of them."
    )


def one_output_of_several(output: str, count: int) -> ParameterError:
    """Return the error for one file as the output of several pictures."""
    return ParameterError(
        f"--output must name a folder, as there are {count:,} pictures; {output!r} is the name of a file."
    )


def output_is_input(path: object) -> ParameterError:
    """Return the error for a result that would take the place of a picture."""
    return ParameterError(
        f"{path} is a picture to be read, and a result never takes its place, with --force neither; give another name "
        f"with -o."
    )


def written_without_loss(was: Sequence[str], now: Sequence[str]) -> str:
    """Return what is said of results in another format than their pictures."""
    return f"results of {', '.join(was)} are written as {', '.join(now)}, which loses nothing; -o names another format."


def not_of_a_restorer(verb: str, what: str) -> ParameterError:
    """Return the error for an option that does not go with a restorer of pictures."""
    return ParameterError(f"{verb}: {what}, and pictures are restored here; leave it out.")


def of_pictures_only(verb: str, flag: str) -> ParameterError:
    """Return the error for an option of pictures where a model of records does the work."""
    return ParameterError(
        f"{verb}: {flag} is for pictures that a restorer restores, and here a model of records does it; leave it out."
    )


def one_source(verb: str, why: str, count: int) -> ParameterError:
    """Return the error for several sources where one is taken."""
    return ParameterError(f"{verb}: {why}, and {count} are named; take one at a time.")


def output_of_records(verb: str) -> ParameterError:
    """Return the error for records without an output."""
    return ParameterError(f"{verb}: name the file or the folder of the records with -o (--output).")


def sharpened_and_enlarged() -> ParameterError:
    """Return the error for a picture that is to be sharpened in its own size and enlarged."""
    return ParameterError(
        "enhance: --deblur sharpens a picture in its own size; leave out --scale, then enlarge the result."
    )


def memory_of_a_stack(verb: str) -> ParameterError:
    """Return the error for a limit of memory where pictures come in one array."""
    return ParameterError(
        f"{verb}: --memory is for picture files, and the pictures of a stack or a set are in memory together; leave it "
        f"out."
    )


def damaged_weights(error: Exception, digest: str) -> ArtifactError:
    """Return the error for weights that cannot be loaded, with the digest of the file to compare it by."""
    return type(error)(f"{str(error).rstrip('.')}. Its SHA-256 is {digest}.")  # type: ignore[return-value]
