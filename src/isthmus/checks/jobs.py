"""Error messages about jobs: where workers read and write, what an output folder holds, and parts that fail."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.errors import DataError, IsthmusError, OutputExistsError, ParameterError

__all__ = [
    "foreign_files",
    "job_interrupted",
    "key_not_found",
    "keys_elsewhere",
    "manifest_unreadable",
    "needs_a_detector",
    "no_folder_format",
    "no_manifest",
    "not_a_job",
    "not_a_path",
    "not_seen",
    "not_writable_folder",
    "one_file_for",
    "only_parquet_by_url",
    "other_job",
    "part_failed",
    "part_given_up",
    "worker_cannot_start",
]


def not_a_job(verb: str, known: Sequence[str]) -> ParameterError:
    """Return the error for a verb that is done in one piece."""
    return ParameterError(f"{verb!r} is not done in parts; those that are: {', '.join(known)}.")


def not_a_path(value: object) -> ParameterError:
    """Return the error for records that lie in the memory of this process."""
    return ParameterError(
        f"a job's data must be a path or a URL, which workers open themselves; it is {type(value).__name__}. "
        f"Save it to a file first: numpy.save, or to_parquet of a data frame."
    )


def not_seen(what: str, path: str, host: str) -> DataError:
    """Return the error for a path that a worker does not have."""
    return DataError(
        f"{what}: there is no {path!r} on {host}, where a worker runs; give a path that every worker sees, as on a "
        f"shared disk, or a URL (s3://, gs://, hdfs://)."
    )


def not_writable_folder(path: str, host: str, reason: str) -> ParameterError:
    """Return the error for an output folder that a worker cannot write to."""
    return ParameterError(f"--output must be a folder that workers can write to; {path!r} is not, on {host}: {reason}.")


def only_parquet_by_url(url: str) -> DataError:
    """Return the error for a URL of files that are not read over a network."""
    return DataError(
        f"data: {url!r} names no Parquet files (.parquet), and others are not read by URL; copy them to a disk that "
        f"every worker sees, or write them as Parquet."
    )


def no_folder_format(kind: str, verb: str) -> ParameterError:
    """Return the error for records that have no format in parts."""
    return ParameterError(
        f"{verb}: {kind} are not written in parts; give the name of a file, or of a folder of images."
    )


def needs_a_detector() -> ParameterError:
    """Return the error for a job without a model: workers would each train one."""
    return ParameterError(
        "detect: an output folder takes a model or a detector; write one with isthmus fit DATA -o MODEL, or isthmus "
        "detect CLEAN --save DETECTOR, and name it with -m."
    )


def one_file_for(verb: str, **flags: object) -> None:
    """Refuse flags about one file that go with no folder of parts."""
    for name, value in flags.items():
        if value is not None:
            raise ParameterError(f"{verb}: --{name} is not written or read in parts; name a file as --output.")


def key_not_found(name: str, known: Sequence[str]) -> DataError:
    """Return the error for a key that the input does not have."""
    return DataError(f"--keys: there is no column {name!r}; there are {', '.join(map(repr, known))}.")


def keys_elsewhere(name: str, source: str) -> ParameterError:
    """Return the error for a key that is only read from Parquet files."""
    return ParameterError(
        f"--keys: column {name!r} of {source} is none that the model was fitted on, and such columns are passed "
        f"through from Parquet files only; write the data as Parquet."
    )


def manifest_unreadable(path: str, reason: str) -> IsthmusError:
    """Return the error for a manifest that is damaged."""
    return DataError(f"{path} is no manifest of a job ({reason}); name another folder, or begin anew with --force.")


def no_manifest(folder: str) -> DataError:
    """Return the error for a folder that no job wrote."""
    return DataError(f"{folder} has no _manifest.json, and so is the output of no job.")


def other_job(folder: str, what: str, there: str, here: str) -> OutputExistsError:
    """Return the error for a folder that holds parts of another job.

    Parameters
    ----------
    folder : str
        The output.
    what : str
        In what the two differ: a model, data, an option.
    there, here : str
        Fingerprint or value of the job that wrote the parts, and of this one.
    """
    return OutputExistsError(
        f"{folder} holds parts of a job with other {what} ({there}; now it is {here}); name another folder, or begin "
        f"anew with --force."
    )


def foreign_files(folder: str, names: Sequence[str]) -> OutputExistsError:
    """Return the error for a folder with files that no job wrote."""
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return OutputExistsError(
        f"{folder} holds files that are not this job's: {', '.join(map(repr, names[:3]))}{more}; name an empty or a "
        f"new folder."
    )


def part_failed(part: object, name: str, error: IsthmusError, finished: int, parts: int) -> IsthmusError:
    """Return the error of a part as one of its job; it says what is finished and how to go on.

    Parameters
    ----------
    part : Part
        Which one.
    name : str
        Of the file that it would have become.
    error : IsthmusError
        What went wrong.
    finished, parts : int
        Parts that are done, and all.
    """
    sentence = str(error).rstrip(".")
    return type(error)(
        f"{part}, {name}: {sentence}. {finished:,} of {parts:,} parts are finished and kept: the same command goes on."
    )


def part_given_up(part: object, tries: int, how: str) -> IsthmusError:
    """Return the error for a part over which every worker died.

    Parameters
    ----------
    part : Part
        Which one.
    tries : int
        Workers that died.
    how : str
        The last of them.
    """
    return IsthmusError(
        f"{part}: {tries} workers that did it ended one after the other, the last one {how}; try fewer workers "
        f"(--workers 1) or smaller parts (--part-rows), as memory may have run out."
    )


def worker_cannot_start(how: str, said: str) -> IsthmusError:
    """Return the error for a worker that ends before it does anything."""
    return IsthmusError(f"a worker could not begin: it ended {how}{': ' + said if said else ''}.")


def job_interrupted(finished: int, parts: int, folder: str) -> str:
    """Return the sentence for a person who ended a job."""
    return f"interrupted; {finished:,} of {parts:,} parts are in {folder}: the same command goes on with the others"
