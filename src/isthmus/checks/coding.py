"""Sentences about compressed files: what is wrong with one, what an archive refuses, and what became of the rest."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from isthmus.checks.parameters import nearest
from isthmus.errors import (
    ArtifactError,
    DataError,
    DataTypeError,
    FormatNumberError,
    IsthmusError,
    OutputExistsError,
    ParameterError,
)

__all__ = [
    "an_archive",
    "archive_too_large",
    "archive_without_model",
    "bound_not_used",
    "bound_of_archive",
    "bound_of_fields",
    "bound_with_codec",
    "bound_without_array",
    "bytes_only",
    "changed_while_read",
    "code_too_large",
    "codec_elsewhere",
    "codec_not_fitted",
    "codec_or_path",
    "codec_too_large",
    "codes_need_their_model",
    "compared_on_its_own",
    "compressed_already",
    "compressed_as_bytes",
    "compressed_mode",
    "compresses_no_kind",
    "compresses_nothing",
    "content_of_archive",
    "content_with",
    "cut_short",
    "damaged",
    "flag_of_photographs",
    "foreign_items",
    "input_is_a_terminal",
    "items_of_no_size",
    "known_members",
    "later_codec",
    "later_form",
    "learned_as",
    "learned_as_bytes",
    "learning_needs_compiled",
    "link_in_the_way",
    "masked_array",
    "member_exists",
    "member_in_the_way",
    "members_without_model",
    "model_at_speed",
    "model_of_others",
    "model_with_files_only",
    "name_refused",
    "names_collide",
    "needs_model",
    "no_archive",
    "no_bytes",
    "no_codec",
    "no_codes",
    "no_file_of_fields",
    "no_flag_of",
    "no_rows_in",
    "not_compressed",
    "nothing_like_texts",
    "nothing_to_compress",
    "nothing_to_learn",
    "one_target",
    "only_bytes_from_standard_input",
    "output_is_a_terminal",
    "partly_lost",
    "peers_missing",
    "photographs_from_one_source",
    "records_alone",
    "report_of_comparison",
    "rows_as_bytes",
    "rows_beyond",
    "rows_flag",
    "skipped_in_folder",
    "skipped_when_learning",
    "still_there",
    "table_in_utf_16",
    "table_no_parquet",
    "table_not_byte_for_byte",
    "table_of_type",
    "table_rows_differ",
    "table_too_wide",
    "table_unlike_its_bytes",
    "table_with_dictionaries",
    "table_with_long_row",
    "table_with_open_quote",
    "table_without_rows",
    "table_without_separator",
    "target_unreachable",
    "text_or_file",
    "too_long",
    "unlike_its_source",
    "unsafe_member",
    "unsafe_members",
    "without_suffix",
]

LISTED = 5  # things that a sentence names before it counts the rest
SHORT = 8  # hexadecimal digits of a fingerprint that a sentence shows


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - LISTED:,} more" if len(texts) > LISTED else ""
    return ", ".join(texts[:LISTED]) + more


# --- files that cannot be read ---------------------------------------------------------------------------------------


def not_compressed(name: str) -> ArtifactError:
    """Return the error for data that do not begin like a compressed file."""
    return ArtifactError(f"{name} is no compressed file of isthmus: it does not begin like one; name another.")


def later_form(name: str, what: str) -> FormatNumberError:
    """Return the error for a file that needs more than this version knows."""
    return FormatNumberError(
        f"{name} was written by a later version of isthmus: {what} is not known to this one; install a newer version."
    )


def damaged(name: str, why: str) -> ArtifactError:
    """Return the error for a file in which something is not as it was written."""
    return ArtifactError(
        f"{name} is damaged: {why}; copy or download it again, or take what is sound of it (--partial)."
    )


def cut_short(name: str) -> ArtifactError:
    """Return the error for a file whose end is missing."""
    return ArtifactError(
        f"{name} is cut short: its end is missing; copy or download it again, or take what is sound of it (--partial)."
    )


def foreign_items(name: str, size: int) -> ArtifactError:
    """Return the error for numbers that only another kind of processor has."""
    return ArtifactError(
        f"{name} holds long doubles of {size} bytes, which this kind of processor does not have; open it on one like "
        f"that which wrote it."
    )


def no_file_of_fields(name: str) -> ArtifactError:
    """Return the error for an array that NumPy's file format has no words for."""
    return ArtifactError(
        f"{name} holds an array whose fields overlap or stand in another order than in memory, which no .npy file can "
        f"say; use isthmus.decompress, which returns the array."
    )


def an_archive(name: str) -> ArtifactError:
    """Return the error for an archive where one piece of data was expected."""
    return ArtifactError(
        f"{name} is an archive of several files; open it with isthmus.Archive, or see isthmus archive --help."
    )


def no_archive(name: str) -> ArtifactError:
    """Return the error for a compressed file that holds one piece of data, where an archive was expected."""
    return ArtifactError(f"{name} is no archive, but one compressed file; decompress it with isthmus decompress.")


def too_long(name: str, limit: int) -> DataError:
    """Return the error for data that are longer than the caller allows."""
    return DataError(f"{name} holds more than the {limit:,} bytes that limit allows; raise it if you trust the source.")


def partly_lost(name: str, saved: str, lost: Sequence[str]) -> ArtifactError:
    """Return the error for a file of which a part could be saved."""
    return ArtifactError(f"{name} is damaged: {saved} saved; lost: {_listed(lost)}. Copy or download it again.")


def unlike_its_source(name: str) -> IsthmusError:
    """Return the error for a payload that does not decode to what it was made of."""
    return IsthmusError(
        f"{name}: what was coded does not decode to the same bytes, so nothing was kept; this is a bug, or memory is "
        f"faulty: report it, and keep the source."
    )


# --- models of compression -------------------------------------------------------------------------------------------


def needs_model(name: str, needed: str, given: str | None) -> ArtifactError:
    """Return the error for a compressed file that needs a model, and got another, or none."""
    found = f"and the one given is {given[:SHORT]}" if given else "which was not given"
    return ArtifactError(
        f"{name} needs the model {needed[:SHORT]}, {found}; give the file of that model with -m (model=), "
        "or install a newer version if it is none of yours."
    )


def no_codec(path: object, name: str, content: str | None = None) -> ArtifactError:
    """Return the error for the file of something else where a model of compression was expected, of any data or one."""
    expected = "codec" if content is None else f"model of {content}"
    return ArtifactError(
        f"{path} holds {_with_article(name)}, which is no {expected}; make one with isthmus fit --model codec."
    )


def later_codec(path: object, number: int) -> FormatNumberError:
    """Return the error for a model whose numbers this version does not understand."""
    return FormatNumberError(
        f"{path} is a model for predictor {number:,}, which is not known to this version; install a newer version."
    )


def model_at_speed() -> ParameterError:
    """Return the error for a model and a speed that does without."""
    return ParameterError("compress: a model is used at speed 'normal' only; leave out the model, or the speed.")


def model_of_others(content: str, given: str) -> ParameterError:
    """Return the error for a model that learned from something else than what is to be compressed."""
    return ParameterError(
        f"compress: the model is one of {content}, and these are {given}; leave it out, or fit one of {given} "
        f"(isthmus fit --model codec --content {given})."
    )


def bound_with_codec(flag: str, content: str) -> ParameterError:
    """Return the error for a bound on the error of arrays, with a model of something else."""
    return ParameterError(f"compress: {flag} is for arrays, and the model is one of {content}; leave one of them out.")


def model_with_files_only(content: str, other: str) -> ParameterError:
    """Return the error for what cannot be had with a model of something else than bytes."""
    return ParameterError(
        f"compress: with a model of {content} there is no {other}; name files, of which each becomes one."
    )


def learned_as(content: str) -> str:
    """Return what is said where files are learned from as something else than bytes."""
    others = "; --content photographs is for a loss" if content == "pictures" else ""
    return f"all files hold {content}, and are learned from as such; --content bytes takes them as bytes{others}."


def learned_as_bytes(contents: Sequence[str]) -> str:
    """Return what is said where only some files could be learned from as something else than bytes."""
    what = " or ".join(contents)
    return f"not all files hold {what}, so all are learned from as bytes; name only those that do, or say --content."


def only_bytes_from_standard_input(content: str) -> ParameterError:
    """Return the error for something else than bytes that should come from the standard input."""
    return ParameterError(
        f"fit --model codec: the standard input (-) is learned from as bytes, not as {content}; name files."
    )


def flag_of_photographs(name: str, content: str) -> ParameterError:
    """Return the error for a flag of a fit to photographs where something else is learned from."""
    return ParameterError(
        f"fit --model codec: --{name.replace('start', 'from').replace('_', '-')} is for --content photographs, and "
        f"--content is {content}; leave out one of them."
    )


def photographs_from_one_source(sources: Sequence[str]) -> ParameterError:
    """Return the error for several things, or a pipe, that photographs are to be learned from."""
    return ParameterError(
        f"fit --model codec: photographs are learned from one file, folder or pattern, and "
        f"{_listed(sources)} were given; name a folder, or a pattern in quotes."
    )


def members_without_model(found: Sequence[str]) -> str:
    """Return what is said of members that a model is not for."""
    return f"{_listed(found)}: coded without the model, which is not for them"


def archive_without_model(name: str) -> ParameterError:
    """Return the error for a model where members are to be added to an archive that was made without it."""
    return ParameterError(
        f"{name} was made without this model, and members are added as it was made; leave out the model, or make a new "
        f"archive."
    )


def codec_not_fitted(name: str) -> ParameterError:
    """Return the error for a model that has learned nothing."""
    return ParameterError(f"{name}: it must be fitted; call fit(data) first, or isthmus.load a file.")


def codec_or_path(owner: str, model: Any) -> ParameterError:
    """Return the error for something that is no model of compression."""
    return ParameterError(
        f"{owner}: model must be a codec, such as isthmus.Codec, or the path of its file; it is a "
        f"{type(model).__name__}."
    )


def codec_elsewhere(path: object, name: str) -> ArtifactError:
    """Return the error for a model of compression where a model of records was expected."""
    return ArtifactError(f"{path} holds a {name}, which makes files smaller; give it to isthmus compress -m.")


def no_flag_of(model: str, flag: str, known: Sequence[str]) -> ParameterError:
    """Return the error for a flag that only other models have."""
    return ParameterError(f"fit --model {model}: there is no {flag}; leave it out. It has {', '.join(known)}.")


def codec_too_large(path: object, limit: int) -> ArtifactError:
    """Return the error for the file of a model that is larger than any that isthmus makes."""
    return ArtifactError(f"{path} is larger than the {limit:,} bytes that the file of a codec can have.")


def nothing_to_learn() -> DataError:
    """Return the error for data of no bytes."""
    return DataError("Codec: the data hold no byte to learn from; give other files, or texts.")


def nothing_like_texts(data: Any) -> DataTypeError:
    """Return the error for something that holds neither bytes nor texts."""
    return DataTypeError(
        f"Codec.fit: data must be paths, bytes or texts, got {type(data).__name__}; pass one of these."
    )


def text_or_file(text: str) -> DataTypeError:
    """Return the error for a text that is the name of a file."""
    return DataTypeError(
        f"Codec.fit: the text {text!r} is the name of a file; give a Path to learn from the file, or bytes to learn "
        f"from its name."
    )


def skipped_when_learning(skipped: Sequence[str]) -> str:
    """Return what is said of things in a folder that are not learned from."""
    return f"left out {_listed(skipped)}: only regular files are learned from"


def _with_article(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"


# --- codes of a model of records --------------------------------------------------------------------------------------


def codes_need_their_model(name: str) -> ArtifactError:
    """Return the error for codes whose records are asked for where only bytes are made."""
    return ArtifactError(
        f"{name} holds codes of a model of records, which that model alone decodes; use isthmus decompress -m, or "
        f"isthmus.tasks.decompress_records."
    )


def no_codes(path: object) -> ArtifactError:
    """Return the error for a compressed file of something else, where codes of a model were expected."""
    return ArtifactError(f"{path} holds no codes of a model of records; use isthmus.decompress, or isthmus.Archive.")


def compresses_nothing(name: str) -> ParameterError:
    """Return the error for a model that cannot be named in a file."""
    return ParameterError(f"compress_records: {name} is no model of isthmus; use one of these.")


def compresses_no_kind(name: str, kind: str) -> ParameterError:
    """Return the error for a model of records that are neither pictures nor rows of numbers."""
    return ParameterError(
        f"compress_records: {_with_article(name)} of {kind}s is no codec: with loss there are pictures and rows of "
        f"numbers only; compress {kind}s without a model, which gives them back exactly."
    )


def one_target(given: Sequence[str]) -> ParameterError:
    """Return the error for no statement of how much may be lost, or for several."""
    found = " and ".join(given) if given else "none"
    return ParameterError(
        f"compress: what a model of records compresses comes back with a loss, and exactly one of psnr, bpp and size "
        f"has to say which; got {found}. Give one (--psnr 35, --bpp 0.5, --size 200000), or leave out the model to "
        f"lose nothing."
    )


def records_alone() -> ParameterError:
    """Return the error for a way of working that there is only for bytes."""
    return ParameterError(
        "compress: with a model of records there is no standard input or output, no --dry-run (use --compare), and one "
        "output for each path; leave out -o to have each beside its source."
    )


def report_of_comparison() -> ParameterError:
    """Return the error for a page about a comparison that is not made."""
    return ParameterError(
        "compress: --report writes the page of a comparison, and nothing is compared; add --compare, without --dry-run."
    )


def compared_on_its_own() -> str:
    """Return what is said where a model is set beside other codecs on the records that it was fitted on."""
    return "the model was fitted on these records, or on most of them: on others it is not as good"


def peers_missing(missing: Mapping[str, str]) -> str:
    """Return what is said of codecs that are not installed, given what pip installs for each."""
    packages = " ".join(dict.fromkeys(missing.values()))
    return f"not installed, and so not compared: {', '.join(missing)}; install them with: pip install {packages}"


def target_unreachable(
    target: str, wanted: float, nearest: Mapping[str, Any], *, varies: bool = True
) -> ParameterError:
    """Return the error for a target that a model does not reach; codes of a codebook have one rate, which is said."""
    psnr, bpp, size = nearest["psnr"], nearest["bpp"], nearest["compressed_bytes"]
    said = f"{wanted:,.0f}" if target == "size" else f"{wanted:g}"
    if target == "psnr":
        reached = f"this model reaches {psnr:.1f} dB at most on these records, with {bpp:.3g} bits a pixel"
        repair = f"give {math.floor(10 * psnr) / 10:.1f} or less, or fit a model with more latent dimensions"
    else:
        reached = f"the smallest file of this model takes {size:,} bytes, {bpp:.3g} bits a pixel, at {psnr:.1f} dB"
        repair = f"give {size:,} bytes or more (--size), or fit a model with fewer latent dimensions"
    if not varies:
        reached += "; its codes are indices of a codebook, and have one rate"
    return ParameterError(f"compress: --{target} {said} ({target}=) cannot be met: {reached}; {repair}.")


def code_too_large(name: str, limit: int) -> DataError:
    """Return the error for a record with more numbers in its code than a piece of a file holds."""
    return DataError(
        f"compress_records: a code of this {name} has more than the {limit:,} numbers that a piece of a file holds; "
        f"cut the pictures into smaller ones."
    )


# --- what is to be compressed ----------------------------------------------------------------------------------------


def bytes_only(owner: str, data: Any) -> DataTypeError:
    """Return the error for something that is no bytes."""
    how = "encode the text first: text.encode()" if isinstance(data, str) else "pass bytes, or an object of that kind"
    return DataTypeError(f"{owner}: data must be bytes, got {type(data).__name__}; {how}.")


def compressed_mode(mode: Any) -> ParameterError:
    """Return the error for a mode that no compressed file can be opened in."""
    return ParameterError(f"open_compressed: mode must be one of 'rb', 'wb', 'xb', 'rt', 'wt', 'xt'; it is {mode!r}.")


def no_bytes(path: object, what: str) -> DataError:
    """Return the error for a path behind which there is no regular file."""
    how = "name the files in it" if what == "a folder" else "send what it gives to the standard input (-)"
    return DataError(f"{path} is {what}, where a file is needed; {how}.")


def nothing_to_compress(path: object) -> DataError:
    """Return the error for a folder without files."""
    return DataError(f"{path} holds no file that can be compressed; name another folder.")


def compressed_already(path: object) -> DataError:
    """Return the error for a file that isthmus compressed before."""
    return DataError(
        f"{path} is compressed already; name the file that it was made of, or compress it again with --force."
    )


def changed_while_read(path: object) -> str:
    """Return what is said of a file that another program wrote to meanwhile."""
    return f"{path} changed while it was read: what was kept is what was read, which may be a mixture"


def skipped_in_folder(skipped: Sequence[str]) -> str:
    """Return what is said of things in a folder that are no files."""
    return f"left out {_listed(skipped)}: an archive holds regular files only"


def name_refused(name: str, why: str, repair: str) -> DataError:
    """Return the error for a name that not every system can have."""
    return DataError(f"archive: {name!r} {why}, and an archive must open on every system; {repair}.")


def names_collide(first: str, second: str, why: str) -> DataError:
    """Return the error for two names of which some systems make one."""
    return DataError(f"archive: {first!r} and {second!r} {why}; rename one of them.")


# --- text that is no table, and is compressed as bytes: clauses that follow its name ---------------------------------


def table_without_rows() -> str:
    """Return what is said of a text that has no rows, or none below the names of columns."""
    return "it has no rows"


def table_no_parquet() -> str:
    """Return what is said of a file that is no Parquet file, or one that Arrow cannot read."""
    return "it cannot be read as a Parquet file"


def table_not_byte_for_byte(path: object) -> str:
    """Return what is said of a file whose values are kept, and not its bytes."""
    return (
        f"{path} is compressed as a table: it will come back with the same schema, metadata and values, but not byte "
        f"for byte; use --content bytes where the bytes themselves count"
    )


def no_rows_in(path: object) -> ArtifactError:
    """Return the error for a compressed file of which rows are wanted, and which holds no table."""
    return ArtifactError(f"{path} is not compressed as a table, so no rows can be had; decompress all of it.")


def rows_flag(text: str) -> ParameterError:
    """Return the error for rows that are written otherwise than they should be."""
    return ParameterError(
        f"decompress: --rows must be like 1000:2000, which is from row 1000 up to but not including 2000, counted from "
        f"0; it is {text!r}."
    )


def rows_beyond(path: object, start: int, count: int) -> ParameterError:
    """Return the error for rows that begin behind the last one."""
    return ParameterError(f"{path} has {count:,} rows, and row {start:,} was wanted; they are counted from 0.")


def table_without_separator() -> str:
    """Return what is said of a text that nothing separates into cells."""
    return "nothing stands equally often in each of its lines that could separate cells"


def table_rows_differ(row: int, count: int, usual: int) -> str:
    """Return what is said of a text whose rows have different lengths; rows are counted from 1."""
    return f"its rows have different lengths: row {row:,} has {_cells(count)}, and others have {usual:,}"


def table_in_utf_16() -> str:
    """Return what is said of a text in an encoding in which no byte separates cells."""
    return "it is in UTF-16, in which no single byte separates cells"


def table_too_wide(count: int, limit: int) -> str:
    """Return what is said of a text with more columns than a table can have."""
    return f"it has {count:,} columns, and a table can have {limit:,}"


def table_of_type(column: str, dtype: str) -> str:
    """Return what is said of an Arrow table with a column of values that are tables or lists themselves."""
    return f"its column {column!r} is of type {dtype}, of which no planes of numbers are made"


def table_with_dictionaries(column: str) -> str:
    """Return what is said of an Arrow table with a column whose chunks have dictionaries that do not make one."""
    return f"the dictionaries of its column {column!r} cannot be made one"


def table_with_open_quote() -> str:
    """Return what is said of a text in which quotes do not come in pairs."""
    return "a quote in it is not closed"


def table_with_long_row(limit: int) -> str:
    """Return what is said of a text with a row that is longer than a group of rows can be."""
    return f"it has a row of more than {limit:,} bytes"


def table_unlike_its_bytes() -> str:
    """Return what is said of a text that was cut into cells from which it does not come back."""
    return "its cells do not give its bytes again, which is a bug worth reporting"


def compressed_as_bytes(path: object, why: str) -> str:
    """Return what is said of a file that is compressed as bytes, though its name says something else."""
    return f"{path} is compressed as bytes, since {why}"


def rows_as_bytes(path: object, found: Sequence[tuple[int, int, str]]) -> str:
    """Return what is said of groups of rows that are compressed as bytes; rows are counted from 0 below the header."""
    start, stop, why = found[0]
    rows = f"rows {start:,} to {stop - 1:,}" if stop - start > 1 else f"row {start:,}"
    more = f", and {len(found) - 1:,} more groups like it," if len(found) > 1 else ""
    return f"{rows} of {path}{more} {'are' if more or stop - start > 1 else 'is'} compressed as bytes, since {why}"


def content_with(content: str, flag: str) -> ParameterError:
    """Return the error for a content that cannot be coded with some setting."""
    return ParameterError(
        f"compress: --content {content} does not go with {flag}, which is for bytes; leave one of the two out."
    )


def content_of_archive(content: str) -> ParameterError:
    """Return the error for members of an archive that should be coded as something else than bytes."""
    return ParameterError(
        f"compress: --content {content} is for files that are compressed alone, and members of an archive are coded by "
        f"the endings of their names; leave it out, or name the files one by one without -o."
    )


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count:,} cells"


# --- arrays -------------------------------------------------------------------------------------------


def items_of_no_size(dtype: Any) -> DataTypeError:
    """Return the error for an array whose items are not bytes that could be kept."""
    return DataTypeError(
        f"array: items of type {dtype} are objects, or have no fixed size below 32 MiB; convert them with astype, to "
        f"numbers or to text of a fixed length."
    )


def masked_array() -> DataTypeError:
    """Return the error for an array with a mask beside it."""
    return DataTypeError(
        "array: a masked array has a mask beside its numbers, which would be lost; pass .filled(value), and that value "
        "as fill."
    )


def bound_of_fields(names: Sequence[str]) -> ParameterError:
    """Return the error for one bound for things of several kinds."""
    return ParameterError(
        f"array: max_error and rel_error are of numbers of one kind, and items have the fields {_listed(names)}; leave "
        f"the bound out, or compress each field as an array of its own."
    )


# --- archives --------------------------------------------------------------------------------------------------------


def archive_too_large(name: str) -> DataError:
    """Return the error for more than an archive can hold."""
    return DataError(
        f"{name}: an archive holds at most 1,048,576 members, a tebibyte of data and 64 MiB of names; make several."
    )


def known_members(name: str, wanted: Sequence[str], there: Collection[str]) -> None:
    """Refuse a member that an archive does not have; looking one up in ``there`` is best quick."""
    for member in wanted:
        if member not in there:
            hint = nearest(member, list(there)) or "; isthmus archive list shows what it holds."
            raise ParameterError(f"{name}: there is no member {member!r}{hint}")


def member_exists(name: str, member: str) -> OutputExistsError:
    """Return the error for a member that would take the place of another."""
    return OutputExistsError(
        f"{name} has a member {member!r} already; choose another name, or replace it with --force (force=True)."
    )


def still_there(path: object) -> OutputExistsError:
    """Return the error for a file that stands where a member is to be written."""
    return OutputExistsError(
        f"{path} exists already; extract to another folder, or overwrite it with --force (force=True)."
    )


def member_in_the_way(path: object) -> OutputExistsError:
    """Return the error for a file or folder that stands where a member needs the other."""
    return OutputExistsError(
        f"{path} stands where a member of the archive needs another kind of thing; extract to another folder."
    )


def link_in_the_way(path: object) -> ParameterError:
    """Return the error for a link in the target folder, which could lead out of it."""
    return ParameterError(
        f"{path} is a link, and extraction follows none inside its folder; remove it, or extract to another folder."
    )


def unsafe_member(name: str, member: str, why: str) -> ArtifactError:
    """Return the error for an archive with a name that no writer of isthmus gives."""
    return ArtifactError(
        f"{name} is refused: its member {member!r} {why}; it was not made by isthmus, or somebody altered it."
    )


def unsafe_members(name: str, first: str, second: str, why: str) -> ArtifactError:
    """Return the error for an archive with two names that no writer of isthmus puts into one."""
    return ArtifactError(
        f"{name} is refused: its members {first!r} and {second!r} {why}; it was not made by isthmus, or somebody "
        f"altered it."
    )


# --- outputs ---------------------------------------------------------------------------------------------------------


def output_is_a_terminal(verb: str) -> ParameterError:
    """Return the error for compressed data that would go to a screen."""
    return ParameterError(f"{verb}: compressed data make no sense on a terminal; name a file with -o, or use a pipe.")


def input_is_a_terminal(verb: str) -> DataError:
    """Return the error for a standard input that nothing was sent to."""
    return DataError(f"{verb}: the standard input is a terminal; send something to it, or name a file.")


def without_suffix(path: object, suffix: str) -> ParameterError:
    """Return the error for a compressed file whose name does not tell that of the output."""
    return ParameterError(f"{path} does not end in {suffix}, so the output needs a name; give one with -o.")


def learning_needs_compiled() -> IsthmusError:
    """Return the error for learning a model where there is no compiled coder."""
    return IsthmusError(
        "Codec.fit: the compiled part of isthmus is missing here, and without it learning would take days; install "
        "isthmus where there is a C compiler, or fit the model on another machine."
    )


def bound_without_array(path: str, name: str) -> ParameterError:
    """Return the error for a bound on the error of something that is no array."""
    return ParameterError(
        f"compress: {name} is for arrays, and {path} holds none; leave it out, or give an array (in a file, .npy)."
    )


def bound_of_archive(name: str) -> ParameterError:
    """Return the error for a bound on the error of members of an archive."""
    return ParameterError(
        f"compress: {name} is for arrays that are compressed alone, and members of an archive come back byte for byte; "
        f"leave it out, or name the files one by one without -o."
    )


def bound_not_used(why: str) -> str:
    """Return what is said where a bound on the error is not used."""
    return f"the array is compressed without loss, since {why}"
