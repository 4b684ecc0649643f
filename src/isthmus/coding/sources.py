"""What is to be compressed: files, and the files of folders, with what was left out and what changed meanwhile said."""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from isthmus import checks
from isthmus.coding import names
from isthmus.errors import IsthmusWarning

__all__ = ["Gathered", "check_names", "files_of", "gathered", "opened_file", "pieces", "pieces_of", "watched_file"]

KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISLNK: "a link",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


@dataclass
class Gathered:
    """Files to be put into an archive.

    Parameters
    ----------
    files : dict of str to Path
        By the name that each has in the archive.
    skipped : list of str
        What lies in the folders and is no file, and what it is.
    """

    files: dict[str, Path] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


def gathered(paths: Iterable[str | os.PathLike[str]], *, but: Path | None = None) -> Gathered:
    """Return files, and all files in folders, by name in an archive.

    Of one folder names are relative to it; of several things each begins with the last part of its path. A link that is
    named itself is followed; those that lie in a folder are skipped, as are pipes, sockets and devices.

    Parameters
    ----------
    paths : iterable of path
        Files and folders.
    but : Path, optional
        The output, which may lie in a folder itself.

    Raises
    ------
    DataError
        A name is not such as every system can have, two are the same on some, or something named is no file.
    OSError
        A folder cannot be read.
    """
    found, given = Gathered(), [Path(path) for path in paths]
    left_out = _real(but)
    for path in given:
        _gather(found, path, "" if len(given) == 1 else f"{_last_part(path)}/", left_out)
    check_names(found.files)
    return found


def files_of(path: str | os.PathLike[str], *, but: Path | None = None) -> Gathered:
    """Return a file, or all files in a folder, whatever their names; otherwise as :func:`gathered`."""
    found = Gathered()
    _gather(found, Path(path), "", _real(but))
    return found


def _real(path: Path | None) -> str:
    return "" if path is None else os.path.realpath(path)


def _gather(found: Gathered, path: Path, start: str, left_out: str) -> None:
    if path.is_dir():
        _gather_folder(found, path, start, left_out)
        return
    kind = kind_of(os.stat(path).st_mode)
    if kind:
        raise checks.no_bytes(path, kind)
    _add(found, _last_part(path), path)


def _gather_folder(found: Gathered, folder: Path, start: str, left_out: str) -> None:
    with os.scandir(folder) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    for entry in inside:
        path, name = Path(entry.path), start + entry.name
        if os.path.realpath(entry.path) == left_out or entry.name.startswith(".isthmus-"):
            continue  # the output, its lock and its temporary file
        if entry.is_dir(follow_symlinks=False):
            _gather_folder(found, path, f"{name}/", left_out)
            continue
        kind = kind_of(entry.stat(follow_symlinks=False).st_mode)
        if kind:
            found.skipped.append(f"{name!r} ({kind})")
        else:
            _add(found, name, path)


def _add(found: Gathered, name: str, path: Path) -> None:
    if name in found.files:
        raise checks.names_collide(name, name, "are the same name")
    found.files[name] = path


def _last_part(path: Path) -> str:
    return path.name or path.resolve().name or "root"


def check_names(found: Iterable[str]) -> None:
    """Refuse names of members that not every system can have, or that some systems take for one.

    Raises
    ------
    DataError
        The sentence says which, and why.
    """
    kept = list(found)
    for name in kept:
        why = names.why_refused(name)
        if why:
            raise checks.name_refused(name, why, "rename the file")
    collision = names.why_they_collide(kept)
    if collision:
        raise checks.names_collide(*collision)


def kind_of(mode: int) -> str:
    """Return what something is that is no regular file; nothing of a file."""
    return next((what for test, what in KINDS.items() if test(mode)), "")


def opened_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file to be read; refuse a device, which might never end."""
    kind = kind_of(os.stat(path).st_mode)
    if kind:
        raise checks.no_bytes(os.fspath(path), kind)
    return open(path, "rb")


@contextlib.contextmanager
def watched_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a regular file that is to be read to its end.

    Warns
    -----
    IsthmusWarning
        It changed while it was read.
    """
    with opened_file(path) as file:
        before = os.fstat(file.fileno())
        yield file
        after = os.fstat(file.fileno())
        changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
        if changed or file.tell() != after.st_size:
            warnings.warn(IsthmusWarning(checks.changed_while_read(os.fspath(path))), stacklevel=2)


def pieces(path: str | os.PathLike[str], size: int) -> Iterator[bytes]:
    """Yield the content of a file in pieces of ``size`` bytes, the last one shorter; warns as :func:`watched_file`."""
    with watched_file(path) as file:
        yield from pieces_of(file, size)


def pieces_of(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield what follows in a file in pieces of ``size`` bytes, the last one shorter."""
    while piece := file.read(size):
        yield piece
