"""Where workers read and write: folders on a disk, or behind a URL that pyarrow or fsspec knows."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isthmus import checks, files
from isthmus.data.remote import RemoteFile, filesystem

__all__ = ["Folder", "host", "is_url", "local_copy", "remote_files"]

WHOLE_AT_ONCE = ("s3", "gcs", "abfs")  # stores in which a file is seen once it is whole, and a rename is a copy


def is_url(name: str) -> bool:
    """Tell whether a name is a URL."""
    return "://" in name


def host() -> str:
    """Return the name of this machine, for sentences."""
    return platform.node() or "this machine"


def remote_files(url: str) -> list[tuple[RemoteFile, int, int]]:
    """Return the files below a URL in order of their names, with their sizes and times in nanoseconds.

    Names that begin with a dot or an underscore are not data, as everywhere where Parquet files lie in folders.
    """
    from pyarrow import fs

    system, path = filesystem(url)
    found = system.get_file_info(path)
    if found.type == fs.FileType.NotFound:
        raise checks.not_seen("data", url, host())
    selected = [found] if found.is_file else system.get_file_info(fs.FileSelector(path, recursive=True))
    chosen = [one for one in selected if one.is_file and (found.is_file or _is_data(one.path, path))]
    base, mark, query = url.partition("?")  # the query may say how to reach the store
    below = sorted(((one.path[len(path.rstrip("/")) :], one) for one in chosen), key=lambda pair: pair[0])
    return [
        (RemoteFile(f"{base.rstrip('/')}{name}{mark}{query}"), one.size or 0, one.mtime_ns or 0) for name, one in below
    ]


def _is_data(path: str, root: str) -> bool:
    return not any(name.startswith((".", "_")) for name in path[len(root) :].strip("/").split("/"))


@contextlib.contextmanager
def local_copy(name: str) -> Iterator[str]:
    """Give the path of a file that may be behind a URL; then it is copied, and removed when the block ends."""
    if not is_url(name):
        yield name
        return
    system, path = filesystem(name)
    with tempfile.TemporaryDirectory(prefix="isthmus-") as folder:
        copy = Path(folder, name.rpartition("/")[2] or "file")
        try:
            with system.open_input_stream(path) as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target)
        except FileNotFoundError as error:
            raise checks.not_seen("--model", name, host()) from error
        yield str(copy)


class Folder:
    """A folder that parts are written to.

    Parameters
    ----------
    name : str
        Its path, or a URL.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        found: tuple[Any, str] = filesystem(name) if is_url(name) else (None, name)
        self._system, path = found
        self.path = path.rstrip("/") or "/"

    def make(self) -> None:
        """Make it, and see that it can be written to.

        Raises
        ------
        ParameterError
            It cannot; what the system says is named.
        """
        try:
            if self._system is not None:
                self._system.create_dir(self.path, recursive=True)
                self._put(b"", ".isthmus-probe")
                self._system.delete_file(f"{self.path}/.isthmus-probe")
                return
            Path(self.path).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise checks.not_writable_folder(self.name, host(), error.strerror or str(error)) from error

    def sizes(self) -> dict[str, int]:
        """Return the size of each file that lies in it by name; -1 for a folder; nothing where there is no folder."""
        if self._system is None:
            try:
                with os.scandir(self.path) as entries:
                    return {one.name: one.stat().st_size if one.is_file() else -1 for one in entries}
            except (FileNotFoundError, NotADirectoryError):
                return {}
        from pyarrow import fs

        found = self._system.get_file_info(fs.FileSelector(self.path, allow_not_found=True))
        return {one.base_name: one.size if one.is_file else -1 for one in found}

    def opened(self, name: str) -> Any:
        """Return a file in it, open to read its bytes."""
        if self._system is None:
            return Path(self.path, name).open("rb")
        return self._system.open_input_stream(f"{self.path}/{name}")

    def read(self, name: str) -> bytes:
        """Return the content of a file in it."""
        with self.opened(name) as stream:
            return bytes(stream.read())

    def remove(self, name: str) -> None:
        """Remove a file in it."""
        if self._system is None:
            Path(self.path, name).unlink(missing_ok=True)
        else:
            self._system.delete_file(f"{self.path}/{name}")

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Give a temporary file of this machine, which becomes the file of that name once the block ends.

        Readers see all of a file or none of it, also where a worker is killed.
        """
        if self._system is None:
            target = Path(self.path, name)
            with files.temporary(target, target.suffix) as part:
                yield part
                with part.open("rb") as written:
                    os.fsync(written.fileno())
                os.replace(part, target)
            return
        with tempfile.TemporaryDirectory(prefix="isthmus-") as folder:
            part = Path(folder, name)
            yield part
            with part.open("rb") as written:
                self._upload(written, name)

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, whole or not at all."""
        with self.writing(name) as part:
            part.write_bytes(content)

    def _put(self, content: bytes, name: str) -> None:
        with self._system.open_output_stream(f"{self.path}/{name}") as stream:
            stream.write(content)

    def _upload(self, source: Any, name: str) -> None:
        """Copy a file to where it belongs; under another name at first, where a half-written file would be seen."""
        at_once = self._system.type_name in WHOLE_AT_ONCE
        first = name if at_once else f".isthmus-{os.getpid()}-{name}"
        with self._system.open_output_stream(f"{self.path}/{first}") as stream:
            shutil.copyfileobj(source, stream, 2**22)
        if not at_once:
            self._system.move(f"{self.path}/{first}", f"{self.path}/{name}")
