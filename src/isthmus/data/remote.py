"""Files behind a URL (s3, gs, hdfs, file), through the file systems of pyarrow, else those of fsspec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isthmus.checks import data as checks

__all__ = ["RemoteFile", "filesystem"]


@dataclass(frozen=True)
class RemoteFile:
    """A file behind a URL, which stands for a path where Parquet files are read.

    Parameters
    ----------
    url : str
        Of a file system that pyarrow or fsspec knows.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """The last part of the URL, without what follows a question mark."""
        return self.url.partition("?")[0].rpartition("/")[2]

    def open(self) -> Any:
        """Return the file, opened for reads at any place.

        Raises
        ------
        DataError
            It cannot be.
        """
        system, path = filesystem(self.url)
        try:
            return system.open_input_file(path)
        except OSError as error:
            raise checks.unreadable_file(self.url, _said(error)) from error


def filesystem(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it.

    Raises
    ------
    DataError
        Neither library knows it, or it cannot be reached.
    """
    import pyarrow as pa
    from pyarrow import fs

    try:
        found: tuple[Any, str] = fs.FileSystem.from_uri(url)
        return found
    except (pa.ArrowException, ValueError, OSError) as error:
        refused = error
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError, OSError):
        raise checks.unreadable_file(url, _said(refused)) from refused
    return fs.PyFileSystem(fs.FSSpecHandler(system)), path


def _said(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
