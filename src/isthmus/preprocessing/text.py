"""Preprocessor of texts, as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import documents
from isthmus.checks.preprocessing import check_longest_state, check_text_length, check_width
from isthmus.preprocessing.base import Arrays, Preprocessor
from isthmus.preprocessing.differences import Differences
from isthmus.preprocessing.statistics import blocks
from isthmus.preprocessing.summary import Summary

if TYPE_CHECKING:
    from isthmus.data import Data

__all__ = ["END", "TextPreprocessor"]

END = 256  # fills a text up to the common length; the symbols before it are the 256 bytes
SYMBOLS = END + 1

Float64 = NDArray[np.float64]


class TextPreprocessor(Preprocessor):
    """Texts, each of ``shape_ = (length,)`` symbols: the bytes 0 to 255, and 256 after the end.

    ``length`` is that of the data's schema or, where that leaves it open, of the longest text at fit. A longer text is
    cut, and counted; any other comes back byte for byte.
    """

    kind = "text"
    scalings = ("none",)
    classes_ = SYMBOLS

    def _fit(self, data: Data) -> None:
        counts, length, texts = np.zeros(SYMBOLS, dtype=np.int64), 0, 0
        for _, block in blocks(data):
            counts += np.bincount(np.frombuffer(b"".join(block), dtype=np.uint8), minlength=SYMBOLS)
            length = max(length, max(map(len, block), default=0))
            texts += len(block)
        check_text_length(length)
        length = data.schema.shape[0] or length
        counts[END] = texts * length - counts.sum()
        symbols = np.arange(SYMBOLS, dtype=np.float64)
        found = np.flatnonzero(counts)
        shares = counts / counts.sum()
        mean = float(shares @ symbols)
        self.shape_ = (length,)
        self.summary_ = Summary(
            kind=self.kind,
            low=symbols[found[:1]],
            high=symbols[found[-1:]],
            mean=np.array([mean]),
            std=np.sqrt(np.array([shares @ (symbols - mean) ** 2])),
            names=("the texts",),
            integers=True,
            binary=False,
            one_hot=False,
            sequences=True,
            dtype=data.schema.dtype,
        )

    def _rescale(self, scaling: str, data: Data | None) -> tuple[Float64, Float64]:
        return np.zeros(1), np.ones(1)

    def encode(self, block: Sequence[bytes], differences: Differences | None = None) -> NDArray[np.int16]:
        """Return texts as symbols.

        Parameters
        ----------
        block : sequence of bytes
            Texts; those longer than ``length`` are cut.
        differences : Differences, optional
            What counts those that are cut.

        Returns
        -------
        ndarray of int16, shape (b, length)
            Bytes, then 256 to the end.
        """
        length = int(self.shape_[0] or 0)
        longest = max(map(len, block), default=0)
        if longest > length:
            if differences is not None:
                differences.add("long", "", sum(len(text) > length for text in block), f"{length} bytes")
            block = [text[:length] for text in block]
        symbols = np.full((len(block), length), END, dtype=np.int16)
        lengths = np.fromiter(map(len, block), dtype=np.intp, count=len(block))
        symbols[np.arange(length) < lengths[:, None]] = np.frombuffer(b"".join(block), dtype=np.uint8)
        return symbols

    def decode(self, x: NDArray[Any]) -> list[bytes]:
        """Return symbols as texts, each up to its first end symbol.

        Parameters
        ----------
        x : ndarray, shape (b, length)
            Symbols, rounded here.

        Returns
        -------
        list of bytes
            The texts.

        Raises
        ------
        ShapeError
            The length differs from training.
        """
        symbols, lengths = self._read(x)
        characters = symbols.astype(np.uint8)
        return [row[:length].tobytes() for row, length in zip(characters, lengths, strict=True)]

    def _read(self, x: NDArray[Any]) -> tuple[NDArray[np.int16], NDArray[np.intp]]:
        """Return numbers as symbols, (b, length), and how many of each text stand before its first end symbol."""
        x = np.asarray(x)
        check_width(x.shape, int(self.shape_[0] or 0))
        symbols = np.clip(np.rint(x), 0, END).astype(np.int16)
        ended = np.concatenate([symbols == END, np.ones((len(symbols), 1), dtype=bool)], axis=1)
        return symbols, ended.argmax(axis=1)

    def snap(self, x: NDArray[Any]) -> NDArray[np.int16]:  # noqa: D102
        symbols, lengths = self._read(x)
        symbols[np.arange(symbols.shape[1]) >= lengths[:, None]] = END
        return symbols

    def _own_state(self) -> documents.State:
        return {}, {}

    def _load_own_state(self, document: dict[str, Any], arrays: Arrays) -> None:
        """Nothing beyond what all preprocessors have, but no longer texts than memory is for."""
        check_longest_state(self.shape_)
