"""One file a model: named arrays and one JSON document, as a safetensors file that any reader opens.

Layout (format number 1). The file is a plain safetensors file. Its metadata hold:

``isthmus``
    The JSON document: ``{"format": 1, "class": name, "version": library version, "sha256": digest of the arrays,
    "document": {...}}``. What ``document`` holds is the business of the class.
``sha256``
    Digest of the ``isthmus`` string, in hexadecimal.

The arrays' digest covers names, types, shapes and bytes in the order of names, so any altered bit is found. Nothing
on the reading path executes data: no pickle, no code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from isthmus.errors import ArtifactError, FormatNumberError, OutputExistsError

__all__ = ["FORMAT_NUMBER", "describe", "read", "replacing", "write"]

FORMAT_NUMBER = 1
DOCUMENT_LIMIT = 64 * 2**20  # bytes of JSON that a reader accepts
HEADER_LIMIT = 100 * 2**20  # bytes of header that safetensors itself accepts


def write(
    path: str | os.PathLike[str],
    class_name: str,
    document: dict[str, Any],
    arrays: dict[str, np.ndarray],
    *,
    force: bool = False,
) -> None:
    """Write a file whole or not at all: under a temporary name beside it, then renamed.

    Parameters
    ----------
    path : path
        Where to.
    class_name : str
        What the document describes.
    document : dict
        Plain JSON values.
    arrays : dict of str to ndarray
        Any numeric or boolean type.
    force : bool, default=False
        Whether a file of that name may be replaced.

    Raises
    ------
    OutputExistsError
        The file exists and ``force`` is off.
    OSError
        The disk is full or the folder cannot be written; nothing half-written stays behind.
    """
    from safetensors.numpy import save

    from isthmus import __version__

    arrays = {name: np.require(arrays[name], requirements="C") for name in sorted(arrays)}
    envelope = {
        "format": FORMAT_NUMBER,
        "class": class_name,
        "version": __version__,
        "sha256": _digest(arrays),
        "document": document,
    }
    text = json.dumps(envelope, allow_nan=False, sort_keys=True)
    content = save(arrays, {"isthmus": text, "sha256": _sha256(text.encode())})
    with replacing(path, force=force) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its name when the block ends without an error.

    Raises
    ------
    OutputExistsError
        The file exists and ``force`` is off.
    """
    path = Path(path)
    if path.exists() and not force:
        raise OutputExistsError(
            f"{path} exists already; choose another name, or overwrite it with --force (force=True)."
        )
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read(path: str | os.PathLike[str], class_name: str | None = None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the document and the arrays of a file, checked bit for bit.

    Parameters
    ----------
    path : path
        Where from.
    class_name : str, optional
        The class that the file must hold.

    Raises
    ------
    ArtifactError
        The file is truncated, altered, no isthmus file, or of another class.
    FormatNumberError
        The file is of a later format.
    """
    from safetensors import SafetensorError, safe_open

    envelope = describe(path)
    if class_name is not None and envelope["class"] != class_name:
        raise ArtifactError(f"{os.fspath(path)} holds a {envelope['class']}, not a {class_name}.")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise _damaged(path, str(error)) from error
    if _digest(arrays) != envelope["sha256"]:
        raise _damaged(path, "its arrays do not match their checksum")
    return envelope["document"], arrays


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the envelope of a file (format, class, version, document) without its arrays.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ArtifactError
        The file is truncated, altered, or no isthmus file.
    FormatNumberError
        The file is of a later format.
    """
    from safetensors import SafetensorError, safe_open

    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no model file {os.fspath(path)}.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    text = metadata.get("isthmus")
    if text is None:
        raise ArtifactError(f"{os.fspath(path)} is a safetensors file, but not one that isthmus wrote.")
    if len(text) > DOCUMENT_LIMIT or metadata.get("sha256") != _sha256(text.encode()):
        raise _damaged(path, "its description does not match its checksum")
    envelope = json.loads(text)
    if not isinstance(envelope, dict) or not isinstance(envelope.get("format"), int):
        raise _damaged(path, "its description has no format number")
    if envelope["format"] > FORMAT_NUMBER:
        raise FormatNumberError(
            f"{os.fspath(path)} has format {envelope['format']}, this isthmus reads up to {FORMAT_NUMBER}; "
            f"it was written by isthmus {envelope.get('version', '(unknown)')}: install that or a later one."
        )
    return envelope


def _damaged(path: str | os.PathLike[str], why: str) -> ArtifactError:
    return ArtifactError(f"{os.fspath(path)} is damaged or cut short ({why}); copy or download it again.")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()
