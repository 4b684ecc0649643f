"""Which prior data are coded with: a model that was named, else that of the package where they look like text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from isthmus import checks
from isthmus.coding.coder import NORMAL
from isthmus.coding.container import as_bytes
from isthmus.coding.prior import Prior, shipped
from isthmus.coding.sources import opened_file

__all__ = ["Choice", "Given", "is_text"]

START = 1 << 16  # bytes that are looked at
SHARE = 0.9  # of them that are text in what looks like text
CONTROL = bytes({*range(32), 127} - set(b"\t\n\v\f\r"))

Given = Mapping[str, bytes | str | os.PathLike[str]]  # content, or the file that has it, by name in an archive


def is_text(start: bytes | memoryview) -> bool:
    """Tell whether data look like text by their first 64 KiB.

    That is so where nine in ten bytes are of valid UTF-8 without control characters, but for tab and what ends lines
    and pages. Nothing hangs on it but how small the data become.
    """
    looked_at = bytes(start[:START])
    valid = looked_at.decode("utf-8", errors="ignore").encode()
    return len(valid.translate(None, CONTROL)) > SHARE * len(looked_at)


@dataclass(frozen=True)
class Choice:
    """Which prior data are coded with.

    Parameters
    ----------
    speed : int
        Of the predictor; only the normal one has priors.
    model : Prior, optional
        For all data.
    carried : bool, default=True
        Whether that of the package may be used where there is no model, and data look like text.

    Raises
    ------
    ParameterError
        There is a model, and the speed is not normal; or it is one of something else than bytes.
    """

    speed: int
    model: Prior | None = None
    carried: bool = True

    def __post_init__(self) -> None:
        """Refuse a model that would not be used."""
        if self.model is not None and not isinstance(self.model, Prior):
            raise checks.model_of_others(self.model.content, "bytes")
        if self.model is not None and self.speed != NORMAL:
            raise checks.model_at_speed()

    def for_data(self, start: bytes | memoryview) -> Prior | None:
        """Return the prior for data that start so."""
        return self.model or (self._carried() if is_text(start) else None)

    def for_members(self, contents: Given) -> Prior | None:
        """Return the one prior for all members of an archive: of the package's, whether most bytes look like text."""
        if self.model or not self._carried():
            return self.model
        sizes = {True: 0, False: 0}
        for content in contents.values():
            start, size = _start_and_size(content)
            sizes[is_text(start)] += size
        return self._carried() if sizes[True] > sizes[False] else None

    def _carried(self) -> Prior | None:
        return shipped() if self.carried and self.speed == NORMAL else None


def _start_and_size(content: bytes | str | os.PathLike[str]) -> tuple[bytes | memoryview, int]:
    """Return the first bytes of a member, and how many it has."""
    if not isinstance(content, str | os.PathLike):
        data = as_bytes("archive", content)
        return data[:START], len(data)
    with opened_file(content) as file:
        return file.read(START), os.fstat(file.fileno()).st_size
