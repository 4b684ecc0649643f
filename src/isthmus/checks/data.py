"""Error messages about data: what is wrong, where it is, and how to repair it.

A function that *checks* raises; one that only names a situation returns the error for the caller to raise.
Rows, columns and pixels are counted from 0, as NumPy counts them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from isthmus.checks.parameters import close_names
from isthmus.errors import (
    ArtifactError,
    DataError,
    DataTypeError,
    IsthmusError,
    OutputExistsError,
    ParameterError,
    ShapeError,
    UnavailableError,
)
from isthmus.plain import escaped, shortened

__all__ = [
    "all_finite",
    "ambiguous_archive",
    "at_least_one",
    "believable_size",
    "cannot_convert",
    "cell_unlike_fit",
    "colour_depth",
    "column_types",
    "column_values",
    "dense_type",
    "different_modes",
    "different_sizes",
    "duplicate_columns",
    "enough_records",
    "feature_names",
    "finite",
    "finite_column",
    "finite_results",
    "image_kind",
    "image_size",
    "image_size_refused",
    "known_encoding",
    "labels_of_no_order",
    "names_of_files",
    "no_columns",
    "no_standard_input",
    "no_such_column",
    "no_such_file",
    "not_a_source",
    "not_a_text_table",
    "not_empty",
    "not_read",
    "not_storable",
    "not_writable",
    "nothing_in_folder",
    "numeric_dtype",
    "object_values",
    "one_dimension",
    "one_of",
    "only_names",
    "open_already",
    "option_not_used",
    "output_absent",
    "public_set_absent",
    "public_set_altered",
    "rank",
    "refused_in_folder",
    "same_length",
    "same_shape",
    "split_fractions",
    "split_size",
    "stream_not_kept",
    "too_large",
    "too_wide",
    "unreadable_file",
    "unreadable_image",
    "unreadable_labels",
    "unreadable_object",
    "unreadable_settings",
    "unsupported_column",
    "unsupported_labels",
    "whole_numbers_kept",
    "write_failed",
    "wrong_width",
]


def _listed(values: Iterable[object], limit: int = 8) -> str:
    """Write values as a list in a sentence, cut after ``limit``."""
    texts = [str(value) for value in values]
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" where a known name is close, else nothing."""
    close = close_names(name, known)
    return f"; did you mean '{close[0]}'?" if close else "."


# --- what a source is ------------------------------------------------------------------------------------------------


def not_a_source(source: object) -> DataTypeError:
    """Return the error for an object that holds no data we can read."""
    name = type(source).__qualname__
    if name == "AnnData":
        return DataTypeError("data: an AnnData object holds several tables; pass its values as a frame, X.to_df().")
    if isinstance(source, dict):
        return DataTypeError("data: a dict is no table; make a data frame of it, such as pandas.DataFrame(X).")
    return DataTypeError(
        f"data: expected an array, a tensor, a data frame, a list, a path or the name of a built-in set, got "
        f"{type(source).__module__}.{name}."
    )


def one_dimension(source: object, name: str) -> ShapeError:
    """Return the error for a single column of a data frame."""
    how = f"with {name}.to_frame()" if hasattr(source, "to_frame") else "such as a pandas.DataFrame"
    return ShapeError(
        f"{name}: Expected a 2-dimensional container but got {type(source).__name__}. Reshape your data to a frame: "
        f"of one column {how}, or of one row."
    )


def nothing_in_folder(source: str, files: Sequence[str]) -> DataError:
    """Return the error for a folder or a list of files in which nothing can be opened as one set."""
    what = f"only {_listed(files, 4)}" if files else "no files"
    return DataError(
        f"data: '{source}' holds {what}, but a folder is opened as images (PNG, JPEG, TIFF, WebP, BMP, GIF, AVIF, PPM) "
        f"or as Parquet files; name a single file of another format."
    )


def no_such_file(source: str, names: Sequence[str]) -> DataError:
    """Return the error for a text that is neither a path nor a pattern nor the name of a set."""
    hint = close_names(source, names)
    repair = f"did you mean '{hint[0]}'?" if hint else f"the built-in sets are {_listed(names)}."
    return DataError(f"data: there is no file, folder or pattern '{source}'; {repair}")


def no_name() -> DataError:
    """Return the error for an empty name, as a variable of a shell that was not set gives it."""
    return DataError("data: the name of the source is empty; name a file or a folder, or . for this one.")


def unreadable_file(path: object, what: str) -> DataError:
    """Return the error for a file that is truncated, altered or not what its name says."""
    return DataError(f"data: '{path}' cannot be read: {what}.")


def not_read(path: object, name: str, advice: str) -> DataError:
    """Return the error for a file or folder of a known format that this version does not read."""
    return DataError(f"data: '{path}' is {name}, which this version does not read; {advice}.")


def unknown_bytes(path: object) -> DataError:
    """Return the error for a file that is neither text nor of a known format."""
    return DataError(
        f"data: '{path}' looks neither like text nor like a format known here; give as_bytes=True (--as-bytes) to "
        f"learn its bytes as they are."
    )


def names_of_files(name: str, count: int, first: str) -> DataTypeError:
    """Return the error for a list of texts that are names of files."""
    return DataTypeError(
        f"{name}: the {count} texts of this list are names of files, as '{first}'; give a list of Path objects to open "
        f"the files, or the names as bytes to learn the names."
    )


def no_standard_input(*, terminal: bool) -> DataError:
    """Return the error for a standard input that nothing was sent to."""
    what = "a terminal" if terminal else "a device"
    return DataError(
        f"data: the standard input is {what}, and - reads what is sent to it, as in 'isthmus inspect - < table.csv' or "
        f"'zcat table.csv.gz | isthmus inspect -'."
    )


def stream_not_kept(name: object, folder: str, reason: str) -> DataError:
    """Return the error for a stream that there is no room for."""
    return DataError(
        f"data: '{name}' is a stream, which could not be kept in a temporary file in {folder}: {reason}; let TMPDIR "
        f"name a folder with more room."
    )


def unreadable_image(path: object, what: str) -> DataError:
    """Return the error for an image file that is truncated or damaged; a set can do without it."""
    return DataError(
        f"data: '{path}' cannot be read: {what}; mend it, or leave such files out with skip_bad=True (--skip-bad)."
    )


def unreadable_labels(path: object, what: str) -> DataError:
    """Return the error for a file of labels that is none."""
    return DataError(f"--labels: '{path}' cannot be read: {what}; name a file with one label a row.")


def unreadable_settings(path: object, what: str) -> DataError:
    """Return the error for a file of settings that is none."""
    return DataError(f"--config: '{path}' cannot be read: {what}; name a TOML or JSON file.")


def unreadable_object(name: str, what: str) -> DataTypeError:
    """Return the error for an object of a type that cannot be read as numbers."""
    return DataTypeError(f"{name}: {what}.")


def refused_in_folder(error: DataError) -> DataError:
    """Return the error for something in a folder that is refused; a set can do without it."""
    return DataError(f"{str(error).rstrip('.')}; remove it, or leave it out with skip_bad=True (--skip-bad).")


def too_large(path: object, what: str, limit: str) -> DataError:
    """Return the error for a file that asks for more than a reader is willing to hold."""
    return DataError(f"data: '{path}' is refused: {what}, and the limit is {limit}.")


def only_names(path: object) -> DataError:
    """Return the error for a text table that ends after the names of its columns."""
    return DataError(
        f"data: '{path}' holds the names of columns and no rows; if its first row is a record, say so with "
        f"header=False (--no-header)."
    )


# Deflate cannot shrink further than this, and a picture that shrinks more is of one colour.
MAX_COMPRESSION = 1032
ALWAYS_BELIEVED = 64 * 2**20


def believable_size(path: object, claimed: int, stored: int) -> None:
    """Check that a picture does not claim more memory than its file can be packed from.

    Parameters
    ----------
    path : path
        The file.
    claimed : int
        Bytes of its pixels, as its header says.
    stored : int
        Bytes of the file, or the values in them where these are smaller than a byte.
    """
    if claimed > ALWAYS_BELIEVED and claimed > MAX_COMPRESSION * stored:
        raise DataError(
            f"data: '{path}' is refused: it claims to hold a picture of {claimed / 2**20:,.0f} MiB, "
            f"{claimed // stored:,} times what it stores, and the limit is {MAX_COMPRESSION:,}; it is damaged or a "
            f"trap."
        )


def ambiguous_archive(path: object, keys: Sequence[str]) -> DataError:
    """Return the error for an archive of several arrays none of which is plainly the data."""
    return DataError(
        f"data: '{path}' holds the arrays {_listed(keys)}, and none is named X, data or x_train; "
        f"name one as '{path}:{keys[0] if keys else 'name'}'."
    )


def one_of(name: str, value: object, allowed: Sequence[object]) -> None:
    """Check that an option has one of a few values."""
    if value not in allowed:
        shown = _listed(repr(item) for item in allowed)
        hint = _nearest(value, [item for item in allowed if isinstance(item, str)]) if isinstance(value, str) else "."
        raise ParameterError(f"data: {name} must be one of {shown}, got {value!r}{hint}")


def known_encoding(encoding: str | None) -> None:
    """Check that an option names an encoding of characters that Python knows."""
    try:
        "a".encode(encoding or "utf-8")
    except (LookupError, ValueError, TypeError) as error:
        raise ParameterError(
            f"data: encoding must be None or the name of an encoding such as 'utf-8', 'cp1252' or 'shift-jis', got "
            f"{encoding!r}."
        ) from error


def option_not_used(name: str, kind: str, kinds: str) -> ParameterError:
    """Return the error for an option that means nothing for these data."""
    return ParameterError(f"data: {name} is for {kinds}, and these data are of kind {kind!r}; leave it out.")


def lines_or_window(other: str) -> ParameterError:
    """Return the error for a file that is to be read by lines and by bytes at once."""
    return ParameterError(f"data: lines=True and {other} contradict each other; leave one of them out.")


def not_a_text_table(name: str, source: str) -> ParameterError:
    """Return the error for an option of text tables that other data have no use for."""
    return ParameterError(f"data: {name} is for text tables (.csv, .tsv), and {source} is none; leave it out.")


def open_already(name: str, source: str) -> ParameterError:
    """Return the error for an option that data which are open already have no use for."""
    return ParameterError(f"data: {name} is for opening, and {source} is open already; give it to the first open.")


def at_least_one(name: str, value: int) -> None:
    """Check that an option is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ParameterError(f"data: {name} must be a whole number of at least 1, got {value!r}.")


# --- arrays ----------------------------------------------------------------------------------------------------------


def dense_type(source: object, name: str) -> None:
    """Check that an object is not one of the array-like things that hold no plain dense numbers."""
    if hasattr(source, "tocsr") or type(source).__module__.split(".")[0] == "sparse":
        raise DataTypeError(
            f"{name}: sparse matrices are not supported, got {type(source).__name__}; pass a dense array, "
            f"{name}.toarray()."
        )
    if isinstance(source, np.ma.MaskedArray) and np.ma.is_masked(source):
        raise DataTypeError(
            f"{name}: a masked array hides {int(np.ma.getmaskarray(source).sum())} values; pass a data frame with "
            f"missing values, or fill them with {name}.filled(value)."
        )


def numeric_dtype(array: np.ndarray, name: str) -> None:
    """Check that an array holds real numbers."""
    kind = array.dtype.kind
    if kind == "c":
        raise DataError(
            f"{name}: Complex data not supported, got dtype {array.dtype}; pass the real part, or both as columns."
        )
    if kind in "UST":
        where = _position(array, [0] * array.ndim) if array.size else "shape " + str(array.shape)
        first = f", {array.reshape(-1).tolist()[0]!r}," if array.size else ""
        raise DataError(
            f"{name}: strings in a numeric array{first} in {where}; pass a data frame for a table of mixed columns, "
            f"or a list of str for text."
        )
    if kind in "mM":
        raise DataTypeError(f"{name}: an array of {array.dtype} holds dates, not numbers; pass a data frame.")
    if kind == "V":
        raise DataTypeError(f"{name}: an array of structured type {array.dtype} is not a matrix; pass a data frame.")


def object_values(array: np.ndarray, name: str) -> None:
    """Check that an array of Python objects holds numbers only; raise for the first that is none."""
    for index, value in np.ndenumerate(array):
        where = _position(array, index)
        if isinstance(value, (str, bytes)):
            raise DataError(
                f"{name}: strings in a numeric array, {value!r} in {where}; pass a data frame for a table of mixed "
                f"columns."
            )
        if isinstance(value, complex):
            raise DataError(f"{name}: Complex data not supported, got {value!r} in {where}.")
        if value is not None and not hasattr(value, "__float__"):
            raise DataTypeError(
                f"{name}: the argument must be a string or a number, as in float(), not "
                f"{type(value).__name__!r} in {where}."
            )


def whole_numbers_kept(array: np.ndarray, floats: np.ndarray, name: str) -> None:
    """Check that no whole number of an array of Python objects was changed by reading it as a float."""
    for index, value in np.ndenumerate(array):
        if isinstance(value, int) and value != int(floats[index]):
            raise DataError(
                f"{name}: {value} in {_position(array, index)} is a whole number that neither 64 bits nor, beside "
                f"others, float64 holds exactly; give it in another unit, or leave its column out."
            )


def _variable(name: str) -> str:
    """Return what an array is called in a piece of code: its name, where that is no file's."""
    return name if name.isidentifier() else "array"


def rank(shape: tuple[int, ...], name: str) -> None:
    """Check that an array is a matrix, or a stack of images with its channels last."""
    if len(shape) == 0:
        raise ShapeError(
            f"{name}: Expected 2D array, got scalar array instead. Reshape your data with "
            f"{_variable(name)}.reshape(1, -1)."
        )
    if len(shape) == 1:
        raise ShapeError(
            f"{name}: Expected 2D array, got 1D array instead, of shape {shape}. Reshape your data with "
            f"{_variable(name)}.reshape(-1, 1) if it is one column, or {_variable(name)}.reshape(1, -1) if it is one "
            f"record."
        )
    if len(shape) > 4:
        raise ShapeError(
            f"{name}: an array of {len(shape)} dimensions, of shape {shape}, is neither rows (n, d) nor images "
            f"(n, height, width) or (n, height, width, channels); reshape it to one of these."
        )
    if len(shape) == 4 and not 1 <= shape[3] <= 16 and 0 not in shape:
        hint = (
            f"axis 1 has {shape[1]}: move it last with numpy.moveaxis({name}, 1, -1)"
            if shape[1] <= 16
            else "transpose it"
        )
        raise ShapeError(
            f"{name}: the last axis of a stack of images holds 1 to 16 channels, but axis 3 of shape {shape} has "
            f"{shape[3]}; {hint}."
        )


def not_empty(shape: tuple[int, ...], name: str) -> None:
    """Check that there is at least one record, and something in it."""
    if shape[0] == 0:
        raise ShapeError(
            f"{name}: Found array with 0 sample(s) (shape={shape}) while a minimum of 1 is required; check the source."
        )
    if 0 in shape[1:]:
        raise ShapeError(
            f"{name}: Found array with 0 feature(s) (shape={shape}) while a minimum of 1 is required; check the source."
        )


def all_finite(array: np.ndarray) -> bool:
    """Return whether no value is NaN or infinite, in one pass at the speed of memory.

    A matrix-vector product with ones reads every value once and lets NaN and infinities through. A sum of finite values
    may overflow, so a product that is not finite is only a suspicion, and the values themselves decide.
    """
    if array.dtype.kind != "f" or array.size == 0:
        return True
    if array.flags.c_contiguous and array.dtype.itemsize in (4, 8) and array.dtype.isnative:
        flat = array.reshape(-1)
        width = 1024
        whole = flat.size // width * width
        # Products this small stay on one thread. Those of NumPy's matrix library would go on spinning for a while after
        # larger ones, in the way of torch's: encoding between such checks was measured to take ten times as long.
        lines, ones = flat[:whole].reshape(-1, width), np.ones(width, array.dtype)
        with np.errstate(all="ignore"):
            sums = [np.isfinite(lines[i : i + 64] @ ones).all() for i in range(0, len(lines), 64)]
            if all(sums) and np.isfinite(flat[whole:]).all():
                return True
    rows = max(1, len(array) * 2**22 // array.size)
    return all(bool(np.isfinite(array[start : start + rows]).all()) for start in range(0, len(array), rows))


def finite(array: np.ndarray, name: str, *, first: int = 0, names: Sequence[str] = ()) -> None:
    """Check that records hold no NaN and no infinity; name the first bad cell.

    Parameters
    ----------
    array : ndarray of shape (n, ...)
        Records.
    name : str
        What the array is called in the sentence.
    first : int, default=0
        Number of the first record, where the array is a part of a larger one.
    names : sequence of str, default=()
        Names of the columns of a matrix.
    """
    if all_finite(array):
        return
    for row, record in enumerate(array):
        bad = np.argwhere(~np.isfinite(record))
        if len(bad):
            value = "NaN" if np.isnan(record[tuple(bad[0])]) else "infinity"
            where = _position(array, (first + row, *bad[0]), names)
            repair = "; fill it or drop the row, or pass a data frame, in which values may be missing"
            raise DataError(
                f"{name} contains {value} in {where}{repair if value == 'NaN' else '; replace it or drop the row'}."
            )


def _position(array: np.ndarray, index: Sequence[Any], names: Sequence[str] = ()) -> str:
    """Say in words where in an array of records a value lies."""
    index = [int(i) for i in index]
    if array.ndim == 2:
        column = f"'{names[index[1]]}'" if names else str(index[1])
        return f"row {index[0]}, column {column}"
    words = ("image", "row", "column", "channel") if array.ndim > 2 else ("row",)
    return ", ".join(f"{word} {i}" for word, i in zip(words, index, strict=False))


def enough_records(data: Any, minimum: int, otherwise: str = "") -> None:
    """Check that data have at least ``minimum`` records; ``otherwise`` names a model that serves fewer."""
    n = len(data)
    if n < minimum:
        shape = (n, *data.schema.shape)
        raise DataError(
            f"{data.source}: Found {n} sample(s) (shape={shape}) while a minimum of {minimum} is required; "
            f"pass more records{f', or take {otherwise}, which serves fewer' if otherwise else ''}."
        )


def same_length(n: int, labels: np.ndarray, source: str) -> None:
    """Check that there is one label a record."""
    if labels.ndim != 1 or len(labels) != n:
        got = f"{len(labels)}" if labels.ndim == 1 else f"an array of shape {labels.shape}"
        raise DataError(f"{source}: labels must hold one value for each of the {n} records, got {got}.")


# --- images ----------------------------------------------------------------------------------------------------------


def different_sizes(source: str, first: str, one: tuple[int, ...], second: str, other: tuple[int, ...]) -> ShapeError:
    """Return the error for images of several sizes where nothing was said about them."""
    return ShapeError(
        f"{source}: the images differ in size: {first} is {one[0]} x {one[1]} and {second} is {other[0]} x {other[1]} "
        f"(height x width). Keep their sizes with sizes='group' (--sizes group), or cut or fill them to one size with "
        f"'crop' or 'pad'."
    )


def different_modes(source: str, names: Sequence[str], pixels: Sequence[str], by_mode: bool) -> ShapeError:
    """Return the error for images of several colour modes or depths; ``by_mode`` says whether a mode unites them."""
    counts = Counter(pixels)
    found = [f"{count} are {pixel}, as {names[pixels.index(pixel)]}" for pixel, count in counts.most_common()]
    repair = (
        "convert them to 8 bits with mode='grey', 'rgb' or 'rgba' (--mode rgb), or open them apart"
        if by_mode
        else "give all of them the same channels and values, or open them apart"
    )
    return ShapeError(f"{source}: the images differ in their channels: {_listed(found, 4)}; {repair}.")


def image_kind(path: object, what: str) -> DataError:
    """Return the error for a kind of image that has no place in an array of pixels."""
    return DataError(
        f"data: '{path}' holds {what}, which is not read; save it as grey or RGB of whole numbers or floats in a TIFF "
        f"file, or open the values as an array (.npy)."
    )


def colour_depth(path: object, bits: int, modes: bool = True) -> DataError:
    """Return the error for an image of which only the upper 8 bits could be read; ``modes`` says whether one may."""
    otherwise = ", or accept 8 with mode='rgb' (--mode rgb)" if modes else ""
    return DataError(
        f"data: '{path}' has {bits} bits a channel, of which only 8 would be read; save it as a TIFF or PNG file of 16 "
        f"bits{otherwise}."
    )


def image_size(path: object, size: tuple[int, int], *, limited: bool = True) -> None:
    """Check that a header claims pixels, and no more than Pillow allows, against decompression bombs.

    Parameters
    ----------
    path : path
        The file.
    size : tuple of int
        Height and width.
    limited : bool, default=True
        Whether there is a limit; a picture of which parts are decoded at a time needs none.
    """
    from PIL import Image

    if limited and Image.MAX_IMAGE_PIXELS and size[0] * size[1] > 2 * Image.MAX_IMAGE_PIXELS:
        raise image_size_refused(path, 2 * Image.MAX_IMAGE_PIXELS)
    if min(size) < 1:
        raise unreadable_image(path, f"it is truncated or damaged (a size of {size[0]} x {size[1]})")


def image_size_refused(path: object, limit: int) -> DataError:
    """Return the error for an image that claims too many pixels."""
    return too_large(path, "it claims more pixels than an image of this kind should have", f"{limit:,} pixels")


def cannot_convert(path: object, found: str, mode: str) -> DataError:
    """Return the error for an image that has no plain meaning in the wanted mode."""
    return DataError(f"data: '{path}' holds {found} to mode={mode!r}; leave mode out.")


# --- tables ----------------------------------------------------------------------------------------------------------


def no_columns(source: str) -> ShapeError:
    """Return the error for a table without columns."""
    return ShapeError(f"{source}: Found a table with 0 feature(s) while a minimum of 1 is required; check the source.")


def duplicate_columns(source: str, names: Sequence[str]) -> DataError:
    """Return the error for a table in which a name stands for several columns."""
    return DataError(f"{source}: the column names {_listed(repr(n) for n in names)} occur more than once; rename them.")


def unsupported_column(source: str, name: str, dtype: str) -> DataTypeError:
    """Return the error for a column of a type that has no place in a table of records."""
    return DataTypeError(
        f"{source}: column '{name}' has the type {dtype}, but a column holds numbers, true/false, text or dates; "
        f"convert it, or name the columns to use with columns= (--columns)."
    )


def unsupported_labels(source: str, name: str, dtype: str) -> DataTypeError:
    """Return the error for a column of labels of a type that names no classes."""
    return DataTypeError(
        f"{source}: column '{name}' has the type {dtype}, but labels are numbers, true/false, text or dates; "
        f"convert it."
    )


def labels_of_no_order(labels: np.ndarray) -> DataTypeError:
    """Return the error for labels that cannot be sorted: of several types, or of one that has no order."""
    types = " and ".join(sorted({type(label).__name__ for label in labels.tolist()}))
    return DataTypeError(
        f"data: labels are all numbers, all true/false, all text or all dates, and these are of type {types}; "
        f"convert them."
    )


def too_wide(source: str, name: str, dtype: str) -> DataTypeError:
    """Return the error for a column of numbers of more bits than numbers have here."""
    return DataTypeError(
        f"{source}: column '{name}' holds {dtype}, but numbers have 64 bits at most; convert it, or name the columns "
        f"to use with columns= (--columns)."
    )


def column_values(source: str, name: str, what: str) -> DataTypeError:
    """Return the error for a column whose cells are of several types."""
    return DataTypeError(f"{source}: column '{name}' mixes types ({what}); give all its cells one type.")


def finite_column(source: str, name: str, row: int) -> DataError:
    """Return the error for a number in a table that is infinite."""
    return DataError(f"{source} contains infinity in row {row}, column '{name}'; replace it, or leave the cell empty.")


def no_such_column(source: str, name: object, names: Sequence[str]) -> DataError:
    """Return the error for a column that a table does not have."""
    hint = _nearest(str(name), names)
    return DataError(f"{source}: there is no column {name!r} among {_listed(repr(n) for n in names)}{hint}")


def feature_names(fitted: Sequence[str], given: Sequence[str]) -> None:
    """Check column names and their order against those of fit, in scikit-learn's words."""
    if list(fitted) == list(given):
        return
    message = "The feature names should match those that were passed during fit.\n"
    unseen = sorted(set(given) - set(fitted))
    missing = sorted(set(fitted) - set(given))
    for title, names in (
        ("Feature names unseen at fit time:\n", unseen),
        ("Feature names seen at fit time, yet now missing:\n", missing),
    ):
        if names:
            shown = [shortened(escaped(name)) for name in names[:5]]
            message += title + "".join(f"- {name}\n" for name in shown) + ("- ...\n" if len(names) > 5 else "")
    if not unseen and not missing:
        message += "Feature names must be in the same order as they were in fit.\n"
    raise ShapeError(message, lines=True)


def column_types(owner: str, source: str, fitted: Sequence[Any], given: Sequence[Any]) -> None:
    """Check that columns mean what they meant in fit: a column may be empty, and whole numbers are numbers."""
    alike = {"integer": "number"}
    for old, new in zip(fitted, given, strict=True):
        same_kind = alike.get(old.type, old.type) == alike.get(new.type, new.type) and old.is_span == new.is_span
        if new.dtype == "null" or same_kind:
            continue
        raise ShapeError(
            f"{source}: column '{new.name}' holds values of type {new.type} ({new.dtype}), but {owner} was fitted on "
            f"{old.type} ({old.dtype}); convert the column."
        )


def cell_unlike_fit(source: str, column: Any, cell: str, row: int) -> ShapeError:
    """Return the error for a cell of text in a column that held none in fit."""
    return ShapeError(
        f"{source}: column {column.name!r} held values of type {column.type} in the fit, and row {row} holds "
        f"{cell[:40]!r}; missing= (--missing) names cells to take as missing."
    )


# --- against a fitted model ------------------------------------------------------------------------------------------


def same_shape(schema: Any, data: Any, owner: str) -> None:
    """Check that data have the kind, the width, the sizes and the columns that a model was fitted on.

    Parameters
    ----------
    schema : Schema
        Of the data in fit.
    data : Data
        The data of this call.
    owner : str
        Class name of the model, for the sentence.
    """
    given = data.schema
    if schema.kind != given.kind:
        raise ShapeError(
            f"{data.source}: {owner} was fitted on data of kind {schema.kind!r} (records of shape {_shape(schema)}), "
            f"got kind {given.kind!r} (records of shape {_shape(given)})."
        )
    if schema.kind == "array" and schema.shape != given.shape:
        raise wrong_width(given.shape[0], owner, schema.shape[0])
    if schema.kind == "image":
        _same_sizes(schema, data, owner)
    if schema.kind == "table":
        feature_names([c.name for c in schema.columns], [c.name for c in given.columns])
        column_types(owner, data.source, schema.columns, given.columns)


def wrong_width(width: int | None, owner: str, expected: int | None) -> ShapeError:
    """Return the error for rows of another width than in fit, in scikit-learn's words."""
    return ShapeError(f"X has {width} features, but {owner} is expecting {expected} features as input.")


def _same_sizes(schema: Any, data: Any, owner: str) -> None:
    """Check the height, width and channels of images; a side that varied in fit may have any length."""
    given = data.schema.shape
    agree = len(schema.shape) == len(given) and all(
        old is None or old == new for old, new in zip(schema.shape, given, strict=True)
    )
    if not agree:
        raise ShapeError(
            f"{data.source}: the images have the shape {_shape(data.schema)}, but {owner} is expecting "
            f"{_shape(schema)} (height x width x channels; 'any' where they vary) as input."
        )


def _shape(schema: Any) -> str:
    """Write the shape of a record as a person would."""
    return " x ".join("any" if side is None else str(side) for side in schema.shape)


# --- public sets -----------------------------------------------------------------------------------------------------


def public_set_absent(name: str, folders: Sequence[str], reason: str = "") -> UnavailableError:
    """Return the error for a public data set that is not on this machine."""
    looked = _listed(folders) if folders else "ISTHMUS_DATA, which is not set"
    if reason:
        return UnavailableError(
            f"data: the set '{name}' could not be downloaded ({reason}); copy its files to a folder '{name}' inside "
            f"the folder that ISTHMUS_DATA names."
        )
    return UnavailableError(
        f"data: the set '{name}' is not on this machine (looked in {looked}); get it with download=True (--download), "
        f"or let ISTHMUS_DATA name a folder that holds '{name}'."
    )


def public_set_altered(path: object, expected: str, found: str) -> ArtifactError:
    """Return the error for a file of a public set whose checksum is wrong."""
    return ArtifactError(
        f"data: '{path}' is altered or truncated: its sha256 is {found[:16]}..., expected {expected[:16]}...; "
        f"remove it and get it again."
    )


# --- splits and output -----------------------------------------------------------------------------------------------


def split_fractions(fractions: Sequence[float]) -> None:
    """Check the shares of a split: positive, and together at most 1."""
    good = len(fractions) > 0 and all(np.isfinite(f) and f > 0 for f in fractions)
    if not good or sum(fractions) > 1 + 1e-9:
        raise ParameterError(
            f"split: fractions must be positive and add up to at most 1, as in (0.8, 0.1, 0.1), got {tuple(fractions)}."
        )


def split_size(n: int, parts: int) -> None:
    """Check that every part of a split can have a record."""
    if n < parts:
        raise DataError(f"split: {n} records cannot be divided into {parts} parts; pass at least {parts} records.")


def output_absent(path: Any, force: bool) -> None:
    """Check that an output is not there yet, unless overwriting was asked for."""
    if force:
        return
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists() or path.is_symlink():
        raise OutputExistsError(
            f"'{path}' exists already; give another name, or overwrite it with force=True (--force)."
        )


def finite_results(owner: str, blocks: Sequence[Any]) -> None:
    """Refuse to hand out numbers that are none.

    Parameters
    ----------
    owner : str
        The model, for the sentence.
    blocks : sequence of ndarray or Tensor, (b, ...)
        What it computed, in the order of the records.
    """
    # A sum is the cheapest look at every value; all are asked for before the first is waited for.
    sums = [block.sum() for block in blocks]
    for number, total in enumerate(sums):
        if np.isfinite(float(total)):
            continue
        block = np.asarray(blocks[number].cpu() if hasattr(blocks[number], "cpu") else blocks[number])
        bad = np.flatnonzero(~np.isfinite(block).reshape(len(block), -1).all(axis=1))
        if len(bad):  # else only the sum was too large
            row = sum(len(block) for block in blocks[:number]) + int(bad[0])
            raise DataError(
                f"{owner}: what it computes for record {row} is not finite; its numbers lie too far beyond those that "
                f"it was fitted on, or its weights make no sense."
            )


def write_failed(path: object, reason: str) -> IsthmusError:
    """Return the error for an output that could not be written."""
    return IsthmusError(f"'{path}' could not be written: {reason}; nothing was left behind.")


def not_writable(path: object, kind: str, suffix: str, allowed: Sequence[str]) -> ParameterError:
    """Return the error for a file format that does not hold this kind of records."""
    how = f"as {suffix}" if suffix else "to a folder"
    return ParameterError(
        f"'{path}': records of kind {kind!r} are not written {how}; choose one of {_listed(allowed)}."
    )


def not_storable(path: object, what: str, repair: str) -> DataError:
    """Return the error for records that a file format cannot hold exactly."""
    return DataError(f"'{path}': {what}; {repair}.")
