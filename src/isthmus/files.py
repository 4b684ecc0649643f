"""Output files: whole or not at all, and written by one process at a time.

What is being written has a name of its own beside the output: hidden, short, so that the output's may be as long as the
system allows, and made from a digest of it. The process that writes holds a lock on it, which the system takes back
when the process ends, however it ends. So what has no holder was left by a process that was killed, and the next that
writes the same output removes it.

Locks are those of ``flock``, which Linux also keeps across machines on NFS. Where there are none (Windows, some network
file systems) everything works but for two things: nothing left behind is removed, and two runs may write one output.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import platform
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from isthmus.errors import OutputExistsError, OutputInUseError, ParameterError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "check_replaceable",
    "claim",
    "claims",
    "hold",
    "known",
    "replacing",
    "sibling",
    "temporary",
    "temporary_folder",
]

LONGEST = 255  # bytes of a file's name on common file systems
HELD = (errno.EAGAIN, errno.EACCES)  # what the system says of a lock that another process holds
OPEN = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # never wait for a pipe

_filled: dict[Path, Path] = {}  # the output of each temporary folder
_claims: list[contextlib.ExitStack] = []  # of the commands that run, the innermost last


@contextlib.contextmanager
def temporary(path: Path, suffix: str = ".part") -> Iterator[Path]:
    """Give an empty file beside ``path`` to write to; what is not moved away when the block ends is removed.

    Parameters
    ----------
    path : Path
        The output.
    suffix : str, default=".part"
        Of the temporary name, for writers that look at it.

    Raises
    ------
    OSError
        The folder cannot be written to.
    """
    for number in itertools.count():
        name = _hidden(path, f"-{number}{suffix}")
        try:
            with _about(path):
                handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | OPEN, 0o666)
        except FileExistsError:
            _sweep(name)
            continue
        held = _lock(handle, name)
        if not held:
            os.close(handle)
        if held is not False:  # else another process took it for one left behind
            break
    try:
        for more in itertools.count(number + 1):
            if not _sweep(_hidden(path, f"-{more}{suffix}")):
                break
        with _about(path):
            yield name
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        if held:
            os.close(handle)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its name when the block ends without an error.

    Raises
    ------
    OutputExistsError
        The file exists and ``force`` is off.
    """
    path = Path(path)
    _check_absent(path, force)
    with temporary(path) as part:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _check_absent(path, force)  # it may have come up meanwhile
        os.replace(part, path)


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside ``path`` to fill; what is not moved away when the block ends is removed.

    Raises
    ------
    OSError
        The folder around it cannot be written to.
    """
    for number in itertools.count():
        name = _hidden(path, f"-{number}")
        try:
            with _about(path):
                name.mkdir()
        except FileExistsError:
            _sweep(name)
            continue
        handle = _opened_folder(name)
        if handle is None or _lock(handle, name) is not False:
            break
        os.close(handle)
    _filled[name] = path
    try:
        with _about(path):
            yield name
    finally:
        del _filled[name]
        shutil.rmtree(name, ignore_errors=True)
        if handle is not None:
            os.close(handle)


@contextlib.contextmanager
def claim(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold an output for this process, so that another one that is to write it is refused before its work.

    Raises
    ------
    OutputInUseError
        Another process holds it; the sentence names that process.
    """
    path = Path(path)
    name = _hidden(path, ".lock")
    handle = _claimed(path, name)
    try:
        yield
    finally:
        if handle is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)
            os.close(handle)


@contextlib.contextmanager
def claims() -> Iterator[None]:
    """Let go at the end of the block of every output that was claimed in it with :func:`hold`."""
    with contextlib.ExitStack() as stack:
        _claims.append(stack)
        stack.callback(_claims.pop)
        yield


def hold(path: str | os.PathLike[str]) -> None:
    """Claim an output until the innermost :func:`claims` ends; see :func:`claim`."""
    if _claims:
        _claims[-1].enter_context(claim(path))


def sibling(path: str | os.PathLike[str], suffix: str) -> Path:
    """Return the name of a file that belongs to ``path``; where it would be too long, the end of the name is cut off.

    Parameters
    ----------
    path : path
        The output.
    suffix : str
        What its name is followed by.
    """
    path = Path(path)
    name = os.fsencode(path.name)
    if len(name) + len(suffix) <= _longest(path.parent):
        return path.with_name(f"{path.name}{suffix}")
    mark = f"~{_digest(path)}{suffix}"
    return path.with_name(os.fsdecode(name[: _longest(path.parent) - len(mark)]) + mark)


def known(path: Path) -> Path:
    """Return the name that a person knows of a path that lies in a temporary folder, of any other the path."""
    for folder, output in _filled.items():
        if path.is_relative_to(folder):
            return output / path.relative_to(folder)
    return path


def check_replaceable(path: Path) -> None:
    """Refuse an output that is a device or a pipe: a file would take its place."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ParameterError(f"{path} is a device or a pipe, and no output can take its place; give another name.")


# ------------------------------------------------------------------ names and locks


def _check_absent(path: Path, force: bool) -> None:
    check_replaceable(path)
    if path.exists() and not force:
        raise OutputExistsError(
            f"{path} exists already; choose another name, or overwrite it with --force (force=True)."
        )


@contextlib.contextmanager
def _about(path: Path) -> Iterator[None]:
    """Let an error of the system name the output, which is the name that a person knows."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and (error.filename is None or f"{os.sep}.isthmus-" in f"{os.sep}{error.filename}"):
            error.filename, error.filename2 = os.fspath(path), None
        raise


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]


def _hidden(path: Path, end: str) -> Path:
    return path.with_name(f".isthmus-{_digest(path)}{end}")


def _longest(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):
        return LONGEST


def _lock(handle: int, name: Path) -> bool | None:
    """Take the lock of an open file; tell whether it is held now and still has its name, None where there are none."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in HELD else None
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(name))
    except FileNotFoundError:
        return False


def _sweep(name: Path) -> bool:
    """Remove what a dead process left; tell whether there was something of that name."""
    try:
        is_folder = stat.S_ISDIR(os.lstat(name).st_mode)
        handle = _opened_folder(name) if is_folder else os.open(name, os.O_RDWR | OPEN)
    except FileNotFoundError:
        return False
    except OSError:  # of another user, or no file
        return True
    if handle is None:
        return True
    try:
        if _lock(handle, name):
            shutil.rmtree(name, ignore_errors=True) if is_folder else os.unlink(name)
    finally:
        os.close(handle)
    return True


def _opened_folder(name: Path) -> int | None:
    """Return a folder opened for its lock; None where the system has no such thing."""
    try:
        return os.open(name, os.O_RDONLY | OPEN)
    except OSError:
        return None


def _claimed(path: Path, name: Path) -> int | None:
    """Return the open and locked file that stands for an output, None where there are no locks."""
    while True:
        handle = _opened_lock(name)
        held = None if handle is None else _lock(handle, name)
        if handle is None or held:
            break
        try:
            if held is None:
                os.unlink(name)
                return None
            if name.exists() and os.path.samestat(os.fstat(handle), os.lstat(name)):
                raise OutputInUseError(_in_use(path, handle))
        finally:
            os.close(handle)
    if handle is not None:
        with contextlib.suppress(OSError):  # a full disk, or a file of another user: the lock is held all the same
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()} {platform.node()}".encode())
    return handle


def _opened_lock(name: Path) -> int | None:
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        with contextlib.suppress(OSError):
            return os.open(name, flags | OPEN, 0o666)
    return None


def _in_use(path: Path, handle: int) -> str:
    """Return the sentence that names who holds an output."""
    number, _, machine = os.read(handle, 300).decode(errors="replace").partition(" ")
    if number == str(os.getpid()):
        return f"{path} is named for two outputs; give each a name of its own."
    where = f" on {machine}" if machine.isprintable() and machine != platform.node() else ""
    who = f"process {number}{where}" if number.isdigit() else "another process"
    return f"{path} is being written by {who}; wait until it ends, or give another name."
