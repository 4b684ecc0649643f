"""Pictures that a command names: in files, folders and patterns, where their results go, and their masks."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus import checks
from isthmus.checks.data import no_name
from isthmus.cli import outputs
from isthmus.cli.terminal import Terminal
from isthmus.errors import DataError, ParameterError

if TYPE_CHECKING:
    from isthmus.data.windows import Picture

__all__ = ["FILES", "RECORDS", "STACK", "Job", "jobs", "kind_of", "left_out", "sources_of"]

FILES, STACK, RECORDS = "files", "stack", "records"  # what a source holds
AGAIN = (".png", ".tif", ".npy")  # formats without a loss, the usual one first
LOSSY = ("JPEG", "AVIF")


@dataclass(frozen=True)
class Job:
    """One picture file and what becomes of it.

    Parameters
    ----------
    picture : Picture
        Its header was read.
    name : str
        What it is called, in a folder with the way to it.
    output : Path
        Where its result goes.
    mask : Path, optional
        The file of its mask.
    """

    picture: Picture
    name: str
    output: Path
    mask: Path | None = None


@dataclass(frozen=True)
class _Found:
    """A picture file: its path, what it is called, and the folder that was named, where it was one."""

    path: Path
    name: str
    folder: Path | None = None


# ------------------------------------------------------------------ what is named


def sources_of(terminal: Terminal, data: Sequence[str]) -> list[str]:
    """Return the names of sources; that of a pipe becomes the file that keeps what comes through it."""
    from isthmus.data import streams

    found = []
    for source in data:
        stream = streams.stream_of(source, terminal.reading) if source else None
        if stream is not None:
            found.append(str(stream.path()))
            stream.keep()
        else:
            found.append(source)
    return found


def kind_of(source: str) -> str:
    """Return what a source holds: "files" of pictures, a "stack" or a set of them, or other "records".

    What can be none of them is for the reader of pictures, which says what is wrong: what is not there, a film, a
    photograph in a format that is not read.
    """
    from isthmus.data import public, reading

    if public.split_name(source) is not None:
        return STACK
    path = Path(os.path.expanduser(source))
    found = reading.status(path)
    if found is None:
        matches = _matches(path)
        return FILES if not matches or any(_kind_of_file(match) == FILES for match in matches) else RECORDS
    if stat.S_ISDIR(found.st_mode):
        return FILES if _is_folder_of_pictures(path) else RECORDS
    return _kind_of_file(path)


def _kind_of_file(path: Path) -> str:
    from isthmus import data
    from isthmus.data import arrays, idx, images, recognition

    if images.is_image(path):
        return FILES
    found = recognition.recognise(recognition.first_bytes(path), path, path)
    reader = None if found is None else found.reader
    if reader == "npy":
        # As in isthmus.data.open, but that three or four numbers along the last of three axes are colours; none are no
        # picture, which is then said.
        shape = arrays.npy(path).shape
        return FILES if len(shape) == 3 and shape[-1] in (0, 3, 4) else STACK if len(shape) in (3, 4) else RECORDS
    if reader == "npz" or idx.is_idx_file(path):
        return STACK if data.open(path).schema.kind == "image" else RECORDS
    return FILES if reader == "image" or (found is not None and reader is None) else RECORDS


def _is_folder_of_pictures(folder: Path) -> bool:
    """Tell whether a folder holds pictures, or at least no table either."""
    from isthmus.data import images, opening

    files = [path for path in opening.files_below(folder, []) if isinstance(path, Path)]
    return any(map(images.is_image, files)) or not any(path.suffix.lower() in opening.PARQUET for path in files)


def _matches(path: Path) -> list[Path]:
    """Return the files that a pattern names, in order."""
    from isthmus.data.opening import PATTERN

    if not any(character in str(path) for character in PATTERN):
        return []
    found = sorted(glob.glob(str(path), recursive=True))
    return [Path(match) for match in found if not os.path.isdir(match)]


# ------------------------------------------------------------------ pictures, results, masks


def jobs(
    terminal: Terminal,
    sources: Sequence[str],
    output: str | None,
    done: str,
    *,
    mask: str | None = None,
    skip_bad: bool = False,
    force: bool = False,
) -> list[Job]:
    """Return the pictures of sources with where their results go, all of which can be written.

    Parameters
    ----------
    terminal : Terminal
        Where it is told what was left out.
    sources : sequence of str
        Files, folders and patterns.
    output : str or None
        A file, or a folder: a name that ends in a slash or has no suffix, or that of one that is there.
    done : str
        What names end in where no output is named: the result of ``photo.png`` is ``photo-denoised.png`` beside it.
    mask : str, optional
        A file for all pictures, or a folder with one of the same name for each.
    skip_bad : bool, default=False
        Whether files of folders and patterns that cannot be read are left out.
    force : bool, default=False
        Whether what is there may be replaced.

    Raises
    ------
    DataError
        There is no such file, or it is no picture.
    ParameterError, OutputExistsError
        A result cannot go where it should.
    """
    folder = None if output is None else _as_folder(output)
    files = [found for source in sources for found in _files_of(terminal, source, folder, skip_bad)]
    pictures = list(_readable(terminal, files, skip_bad))
    if not pictures:
        raise checks.no_pictures_left(", ".join(sources))
    if output is not None and folder is None and len(pictures) > 1:
        raise checks.one_output_of_several(output, len(pictures))
    masks = _Masks(mask)
    found, taken = list[Job](), set[Path]()
    for one, picture in pictures:
        target = _target(one, picture, output, folder, done, taken)
        found.append(Job(picture, one.name, target, masks.of(one)))
    _check_targets(found, force)
    _tell_of_suffixes(terminal, found, told=output is None or folder is not None)
    return found


def _files_of(terminal: Terminal, source: str, output: Path | None, skip_bad: bool) -> Iterator[_Found]:
    """Yield the picture files of a source; of a folder without those below the output."""
    from isthmus.data import opening, public, reading

    path = Path(os.path.expanduser(source))
    if not source:
        raise no_name()
    status = reading.status(path)
    if status is None:
        matches = _matches(path)
        if not matches:
            raise checks.no_such_file(source, public.NAMES)
        yield from (_Found(match, match.name) for match in matches)
    elif not stat.S_ISDIR(status.st_mode):
        yield _Found(path, path.name)
    else:
        notes: list[str] = []
        below = list(opening.files_below(path, notes))
        terminal.say(*(f"note: {note}" for note in notes))
        yield from _pictures_in(terminal, path, below, output, skip_bad)


def _pictures_in(
    terminal: Terminal, folder: Path, below: Sequence[Path | DataError], output: Path | None, skip_bad: bool
) -> Iterator[_Found]:
    """Yield the picture files of a folder, in the order of their names; what was left out is told."""
    from isthmus.data import images

    for error in (one for one in below if isinstance(one, DataError)):
        _leave_out(terminal, error, skip_bad)
    files = [path for path in below if isinstance(path, Path)]
    if output is not None:
        files = [path for path in files if output.resolve() not in path.resolve().parents]
    pictures = sorted(path for path in files if images.is_image(path))
    if not pictures:
        raise checks.no_pictures_in_folder(folder, [path.name for path in files])
    if len(pictures) < len(files):
        others = len(files) - len(pictures)
        left = "1 is no picture and was" if others == 1 else f"{others:,} are no pictures and were"
        terminal.say(f"note: of the {len(files):,} files in {folder}, {left} left out.")
    for path in pictures:
        yield _Found(path, path.relative_to(folder).as_posix(), folder)


def _leave_out(terminal: Terminal, error: DataError, skip_bad: bool) -> None:
    if not skip_bad:
        raise error if "--skip-bad" in str(error) else checks.refused_in_folder(error) from error
    terminal.say(f"note: {left_out(error)}")


def left_out(error: DataError) -> str:
    """Return what is said of a picture that is left out: what is wrong with it, without what to do."""
    return f"left out: {str(error).removeprefix('data: ').partition('; mend it')[0].rstrip('.')}"


def _readable(terminal: Terminal, files: Sequence[_Found], skip_bad: bool) -> Iterator[tuple[_Found, Picture]]:
    """Yield the files whose headers can be read, once each."""
    from isthmus.data.windows import Picture

    seen: set[Path] = set()
    for one in files:
        if (place := one.path.resolve()) in seen:
            continue
        seen.add(place)
        try:
            picture = Picture(one.path)
        except DataError as error:
            if len(files) == 1:
                raise
            _leave_out(terminal, error, skip_bad)
        else:
            yield one, picture


def _as_folder(output: str) -> Path | None:
    """Return an output that is a folder; None where it is a file."""
    path = Path(output)
    ends = tuple(filter(None, (os.sep, os.altsep)))
    return path if path.is_dir() or output.endswith(ends) or not path.suffix else None


def _target(
    one: _Found, picture: Picture, output: str | None, folder: Path | None, done: str, taken: set[Path]
) -> Path:
    """Return where the result of a picture goes, which is not where that of another goes."""
    if output is not None and folder is None:
        return Path(output)
    stem, suffix = str(Path(one.name).with_suffix("")), _suffix(picture)
    if folder is None and one.folder is None:
        base = one.path.with_name(f"{Path(one.name).stem}-{done}")
    elif folder is None:
        beside = Path(os.path.abspath(str(one.folder)))  # "." has no name of its own
        base = beside.with_name(f"{beside.name}-{done}") / stem
        base = Path(os.path.relpath(base)) if not Path(str(one.folder)).is_absolute() else base
    else:
        base = folder / stem
    target, again = base.with_name(base.name + suffix), 2
    while target in taken:
        target, again = base.with_name(f"{base.name}-{again}{suffix}"), again + 1
    taken.add(target)
    return target


def _suffix(picture: Picture) -> str:
    """Return the suffix of a result: that of the picture, or of another format where that one loses something."""
    from isthmus.data.tiled_writing import BY_SUFFIX, Layout

    layout, own = Layout.of(picture), picture.path.suffix
    known = BY_SUFFIX.get(own.lower())
    if known is not None and known.name not in LOSSY and known.takes(layout):
        return own
    return next(suffix for suffix in AGAIN if BY_SUFFIX[suffix].takes(layout))


def _check_targets(found: Sequence[Job], force: bool) -> None:
    """Refuse results that cannot be written, before any work."""
    sources = {job.picture.path.resolve() for job in found}
    for job in found:
        if job.output.resolve() in sources:
            raise checks.output_is_input(job.output)
        outputs.check_output(str(job.output), force, hold=len(found) == 1)


def _tell_of_suffixes(terminal: Terminal, found: Sequence[Job], *, told: bool) -> None:
    """Tell once where results are of another format than their pictures, which nobody asked for."""
    changed = [job for job in found if job.output.suffix != job.picture.path.suffix]
    if told and changed:
        was = sorted({job.picture.path.suffix or "no suffix" for job in changed})
        now = sorted({job.output.suffix for job in changed})
        terminal.say(f"note: {checks.written_without_loss(was, now)}")


class _Masks:
    """The masks that a command names."""

    def __init__(self, mask: str | None) -> None:
        from isthmus.data import reading

        self.path = None if mask is None else Path(os.path.expanduser(mask))
        self.by_name: dict[str, list[str]] | None = None
        if self.path is None:
            return
        if not mask or reading.status(self.path) is None:
            raise ParameterError(f"inpaint: --mask must be a file or a folder; there is no {mask!r}.")
        if self.path.is_dir():
            self.by_name = {}
            for path in sorted(path.relative_to(self.path) for path in self.path.rglob("*") if path.is_file()):
                self.by_name.setdefault(str(path.with_suffix("")), []).append(path.as_posix())

    def of(self, one: _Found) -> Path | None:
        """Return the mask of a picture."""
        if self.path is None or self.by_name is None:
            return self.path
        found = self.by_name.get(str(Path(one.name).with_suffix("")), [])
        if one.name in found:
            found = [one.name]
        if not found:
            raise checks.no_mask_of(one.name, self.path)
        if len(found) > 1:
            raise checks.several_masks_of(one.name, found)
        return self.path / found[0]
