from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus import data, preprocessing
from isthmus.errors import DataError, ParameterError, ShapeError
from isthmus.preprocessing import Differences, Preprocessor, TextPreprocessor


def fit(texts: list[bytes]) -> Preprocessor:
    opened = data.open(texts)
    return preprocessing.for_data(opened).fit(opened)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=12), min_size=2, max_size=9).filter(any))
def test_any_bytes_come_back(stored: Any, texts: list[bytes]) -> None:
    fitted = fit(texts)
    encoded = fitted.encode(texts)
    assert encoded.dtype == np.int16
    assert encoded.shape == (len(texts), max(map(len, texts)))
    assert fitted.decode(encoded.astype(np.float32)) == texts
    assert stored(fitted).decode(encoded) == texts


def test_the_summary_counts_symbols() -> None:
    fitted = fit([b"\x01\x03", b"\x03"])
    assert fitted.classes_ == 257
    assert (fitted.summary_.low[0], fitted.summary_.high[0]) == (1, 256)
    assert fitted.summary_.mean[0] == pytest.approx((1 + 3 + 3 + 256) / 4)
    assert fitted.summary_.std[0] == pytest.approx(np.std([1, 3, 3, 256]))
    assert (fitted.shift_.tolist(), fitted.factor_.tolist()) == ([0], [1])


def test_a_longer_text_is_cut_and_that_is_said() -> None:
    fitted = fit([b"abc", b"de"])
    assert fitted.notes_ == []
    differences = Differences()
    assert fitted.decode(fitted.encode([b"abcdefg", b""], differences)) == [b"abc", b""]
    differences.records = 2
    told = differences.sentences(returned=False)
    assert told == ["1 text is longer than those of the fit, and is cut (3 bytes; of 2 records)"]


def test_refusals() -> None:
    fitted = fit([b"abc", b"de"])
    with pytest.raises(ParameterError, match="TextPreprocessor: scaling must be one of 'none'; got 'unit'"):
        fitted.rescale("unit")
    with pytest.raises(ShapeError, match="must have 3 values each"):
        fitted.decode(np.zeros((1, 4)))

    class Empty:
        """Data of empty texts."""

        schema, array, rows = data.open([b"a", b"b"]).schema, None, None

        def __len__(self) -> int:
            return 2

        def chunks(self) -> Any:
            return iter([(0, [b"", b""])])

    with pytest.raises(DataError, match="at least one text must have at least one byte; all are empty"):
        TextPreprocessor().fit(Empty())
