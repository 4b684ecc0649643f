"""One file a model: named arrays and one JSON document, as a safetensors file that any reader opens.

Layout (format number 1). The file is a plain safetensors file. Its metadata hold:

``isthmus``
    The JSON document: ``{"format": 1, "class": name, "version": library version, "sha256": digest of the arrays,
    "document": {...}}``. What ``document`` holds is the business of the class.
``sha256``
    Digest of the ``isthmus`` string, in hexadecimal.

The arrays' digest covers names, types, shapes and bytes in the order of names, so any altered bit is found that could
mean something. Nothing on the reading path executes data: no pickle, no code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from isthmus.errors import ArtifactError, FormatNumberError, IsthmusError
from isthmus.files import replacing
from isthmus.version import __version__

__all__ = ["FORMAT_NUMBER", "brief", "describe", "digest", "read", "replacing", "understanding", "write"]

FORMAT_NUMBER = 1
DOCUMENT_LIMIT = 64 * 2**20  # bytes of JSON that a reader accepts
HEADER_LIMIT = 100_000_000  # bytes of header that safetensors itself accepts
SENSELESS = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
WORDS = 200  # characters of another library's sentence that ours quote


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
    ArtifactError
        The document is larger than readers accept.
    OSError
        The disk is full or the folder cannot be written; nothing half-written stays behind.
    """
    from safetensors.numpy import save

    arrays = {name: np.require(arrays[name], requirements="C") for name in sorted(arrays)}
    envelope = {
        "format": FORMAT_NUMBER,
        "class": class_name,
        "version": __version__,
        "sha256": digest(arrays),
        "document": document,
    }
    text = json.dumps(envelope, allow_nan=False, sort_keys=True)
    content = save(arrays, {"isthmus": text, "sha256": _sha256(text.encode())})
    if len(text) > DOCUMENT_LIMIT or int.from_bytes(content[:8], "little") > HEADER_LIMIT:
        raise ArtifactError(
            f"The description of this {class_name} takes {len(text):,} bytes, and no reader accepts that many; "
            f"fit on fewer columns or categories."
        )
    with replacing(path, force=force) as file:
        file.write(content)


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
    except (SafetensorError, ValueError, TypeError, LookupError, AttributeError) as error:
        # NumPy lacks some of safetensors' types, which are then looked for in vain.
        raise _damaged(path, str(error)) from error
    if digest(arrays) != envelope["sha256"]:
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
        if os.path.exists(path):
            raise ArtifactError(f"{os.fspath(path)} is no model file, but a folder, a device or a pipe.")
        raise FileNotFoundError(f"There is no model file {os.fspath(path)}. Make one with isthmus fit, or with save.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, ValueError) as error:
        if not _begins_like_one(path):
            raise ArtifactError(
                f"{os.fspath(path)} is no model file: those are safetensors files, as isthmus fit and save write them."
            ) from error
        raise _damaged(path, str(error)) from error
    text = metadata.get("isthmus")
    if text is None:
        raise ArtifactError(f"{os.fspath(path)} is a safetensors file, but not one that isthmus wrote.")
    if len(text) > DOCUMENT_LIMIT or metadata.get("sha256") != _sha256(text.encode()):
        raise _damaged(path, "its description does not match its checksum")
    return _envelope(path, text)


def _envelope(path: str | os.PathLike[str], text: str) -> dict[str, Any]:
    """Return the JSON document of a file, of which the parts that every reader needs are there and of their types."""
    try:
        envelope = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"its description is no JSON that can be read: {error}") from error
    number = envelope.get("format") if isinstance(envelope, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise _damaged(path, "its description has no format number")
    if number > FORMAT_NUMBER:
        version = envelope.get("version")
        raise FormatNumberError(
            f"{os.fspath(path)} has format {brief(number)}, this isthmus reads up to {FORMAT_NUMBER}; it was written "
            f"by isthmus {brief(version) if isinstance(version, str) else '(unknown)'}: install that or a later one."
        )
    if not all(isinstance(envelope.get(key), str) for key in ("class", "version", "sha256")):
        raise _damaged(path, "its description lacks its class, its version or its checksum")
    if not envelope["class"].isidentifier() or len(envelope["class"]) > WORDS:
        raise _damaged(path, "its class is no name")
    if not isinstance(envelope.get("document"), dict):
        raise _damaged(path, "its description has no document")
    return envelope


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


@contextlib.contextmanager
def understanding(path: str | os.PathLike[str], together_with: str = "") -> Iterator[None]:
    """Turn every error that an invalid document causes into one, where its checksums are right.

    Only a file that was put together by something other than :func:`write` can be like that.

    Parameters
    ----------
    path : path
        The file.
    together_with : str, default=""
        What else may be at fault, such as modules of the user's own.

    Raises
    ------
    FormatNumberError
        As it is raised in the block: a later version wrote what is described.
    ArtifactError
        For every other error in the block but those of memory.
    """
    try:
        yield
    except FormatNumberError:
        raise
    except (IsthmusError, *SENSELESS) as error:
        why = str(error) if isinstance(error, IsthmusError) else f"{type(error).__name__}: {error}"
        raise ArtifactError(
            f"{os.fspath(path)} has the right checksums, but its description and {together_with} do not go together "
            f"({brief(why)})."
            if together_with
            else f"{os.fspath(path)} has the right checksums, but isthmus cannot make sense of its description "
            f"({brief(why)}); make it anew."
        ) from error


def _begins_like_one(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file could be the beginning of a safetensors file: a length, then JSON."""
    with open(path, "rb") as file:
        return file.read(9)[8:] in (b"{", b"")


def _damaged(path: str | os.PathLike[str], why: str) -> ArtifactError:
    return ArtifactError(f"{os.fspath(path)} is damaged or cut short ({brief(why)}); copy or download it again.")


def brief(said: Any) -> str:
    """Return text from a file on one line and of bounded length."""
    line = " ".join(str(said)[: 4 * WORDS].split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= WORDS else f"{line[:WORDS]}..."


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of names, types, shapes and bytes of arrays, in hexadecimal.

    One number without an axis counts as one along an axis.
    """
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name], arrays[name].dtype.newbyteorder("<"))  # everywhere the same
        found.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        found.update(array.data if array.size else b"")
    return found.hexdigest()
