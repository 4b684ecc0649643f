"""A model of one's own data, with which their bytes become fewer: learned once, needed where they are decompressed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from isthmus import artifact, checks, documents
from isthmus.coding.container import as_bytes
from isthmus.coding.kinds import BYTES, AnyCodec
from isthmus.coding.learning import Learning, learned
from isthmus.coding.prior import CLASS, PREDICTOR, Prior, opened_prior, shipped
from isthmus.coding.sources import files_of, pieces
from isthmus.coding.stream import compressed, decompressed
from isthmus.errors import IsthmusError, IsthmusWarning

__all__ = ["Codec"]

PIECE = 1 << 20  # bytes of a file that are learned from at once
LOOKED_AT = 100  # texts of a list that are looked up as names of files
PROBE = b"What was coded with a model decodes with it: 0123456789, A to Z, and a line's end.\n"


class Codec(AnyCodec):
    """A model with which data like those of its fit become smaller.

    It pays where many short texts are alike (log lines, messages, records), of which each has to be had alone, and so
    has too few bytes to learn from by itself. What it compressed can be decompressed only with it: keep its file.

    Attributes
    ----------
    prior_ : Prior
        What a coder begins with.
    fingerprint_ : str
        Names the model in the files that need it: SHA-256 of its numbers, in hexadecimal.
    provenance_ : dict
        ``bytes`` and ``pieces`` (texts, or up to a MiB of a file) that it learned from, and the fingerprint of the
        prior that it ``began`` with.

    Examples
    --------
    >>> import isthmus
    >>> lines = [b"GET /health 200 in %d ms" % number for number in range(100)]
    >>> codec = isthmus.Codec().fit(lines)
    >>> codec.decompress(codec.compress(b"GET /health 200 in 7 ms"))
    b'GET /health 200 in 7 ms'
    """

    content: ClassVar[str] = BYTES
    prior_: Prior

    def fit(self, data: Any, *, progress: Learning | None = None) -> Self:
        """Learn from texts, or from other data of any kind.

        Parameters
        ----------
        data : path, bytes, or iterable of these and of str
            A file or a folder, of which all files are read; bytes; or several. A text (str) in a list is learned from
            as UTF-8, and a str alone is the name of a file or a folder, as everywhere in isthmus.
        progress : callable, optional
            Is told the bytes that were learned from since it was told last.

        Returns
        -------
        Codec
            Itself.

        Raises
        ------
        DataError
            There is nothing to learn from.
        DataTypeError
            Something is neither a path nor bytes nor a text; or the texts of a list are names of files, which have to
            be given as Path objects.

        Warns
        -----
        IsthmusWarning
            Links and special files of a folder were left out, or a file changed while it was read.
        """
        count = {"bytes": 0, "pieces": 0}

        def counted() -> Iterator[bytes]:
            for text in _texts(data):
                count["pieces"] += 1
                count["bytes"] += len(text)
                yield text

        start = shipped()
        prior = learned(counted(), start, progress=progress)
        if not count["bytes"]:
            raise checks.nothing_to_learn()
        self.prior_ = prior
        self.provenance_ = {**count, "began": None if start is None else start.fingerprint.hex()}
        return self

    def compress(self, data: Any, *, verify: bool = True) -> bytes:
        """Return data in fewer bytes, as :func:`isthmus.compress` does with this model."""
        return compressed(data, verify=verify, model=self.fitted())

    def decompress(self, data: Any, *, limit: int | None = None) -> bytes:
        """Return the data that :meth:`compress` was given, as :func:`isthmus.decompress` does with this model."""
        return decompressed(data, limit=limit, model=self.fitted())

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the model as one safetensors file that ``isthmus.load`` reads.

        Parameters
        ----------
        path : path
        force : bool, default=False
            Whether an existing file may be replaced.

        Raises
        ------
        OutputExistsError
            The file exists and ``force`` is off.
        """
        tensors = dict(self.fitted().tensors)
        artifact.write(path, CLASS, {"predictor": PREDICTOR, "provenance": self.provenance_}, tensors, force=force)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the model of a file that :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ArtifactError
            The file is damaged or holds another class.
        FormatNumberError
            The file is of a later format.
        """
        document, prior = opened_prior(path)
        made = cls()
        made.prior_ = prior
        with artifact.understanding(path):
            made.provenance_ = documents.read(dict[str, int | str | None], document.get("provenance"), "provenance")
        return made

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return True: every file holds bytes."""
        return True

    @staticmethod
    def learned_from(provenance: Mapping[str, Any]) -> str:
        """Return what a model learned from, as a phrase."""
        pieces = provenance["pieces"]
        return f"{provenance['bytes']:,} bytes in {pieces:,} piece{'' if pieces == 1 else 's'}"

    def still_computes(self) -> bool:
        """Return whether what the model codes decodes with it."""
        try:
            return self.decompress(self.compress(PROBE, verify=False)) == PROBE
        except IsthmusError:
            return False

    def fitted(self) -> Prior:
        """Return the prior; ParameterError before :meth:`fit`."""
        if not hasattr(self, "prior_"):
            raise checks.codec_not_fitted("Codec")
        return self.prior_


def _texts(data: Any) -> Iterator[bytes]:
    """Yield what is to be learned from, piece by piece."""
    if isinstance(data, str | os.PathLike):
        yield from _of_path(data)
        return
    try:
        yield bytes(memoryview(data).cast("B"))
        return
    except TypeError:
        pass
    if not isinstance(data, Iterable):
        raise checks.nothing_like_texts(data)
    for number, item in enumerate(data):
        if isinstance(item, os.PathLike):
            yield from _of_path(item)
        elif isinstance(item, str):
            if number < LOOKED_AT and 0 < len(item) < 4096 and os.path.isfile(item.replace("\0", " ")):
                raise checks.text_or_file(item)
            yield item.encode()
        else:
            yield bytes(as_bytes("Codec.fit", item))


def _of_path(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """Yield the content of a file, or of all files in a folder."""
    found = files_of(path)
    if found.skipped:
        warnings.warn(IsthmusWarning(checks.skipped_when_learning(found.skipped)), stacklevel=6)
    for file in found.files.values():
        yield from pieces(file, PIECE)
