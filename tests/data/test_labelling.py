"""Which records have a label."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.data import class_numbers, is_labelled


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        ([0, 1, 2], "yyy"),
        ([0, -1, 2], "yny"),
        ([1, -1, 1], "yyy"),  # two classes, by old custom
        ([5, -1, 5], "yny"),
        ([-1, -1], "nn"),
        ([1.0, np.nan, 0.0, -1.0], "ynyy"),  # three classes, of which at most half are -1
        ([1, 0, -1, -1, -1, -1], "yynnnn"),  # two classes, and most records without a label
        ([2, 1, 0, -1], "yyyn"),
        ([2, 1, 0, -1, -2], "yyyyy"),  # -2 is a class, and then so is -1
        ([0, -1, 0, -1], "ynyn"),
        ([1.0, np.nan, -1.0], "yny"),
        (["a", "", "b"], "yny"),
        (["-1", "1"], "yy"),
        ([True, False], "yy"),
    ],
)
def test_plain_labels(labels, known):
    assert "".join("ny"[label] for label in is_labelled(np.array(labels)).astype(int)) == known


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        (["a", None, "b"], "yny"),
        ([1, None, 2], "yny"),
        ([1, float("nan"), -1, 2], "ynny"),
        ([1, None, -1], "yny"),
        (["", "a", -1], "nyn"),
        ([True, None], "yn"),
    ],
)
def test_objects(labels, known):
    labels = np.array(labels, dtype=object)
    assert "".join("ny"[label] for label in is_labelled(labels).astype(int)) == known


def test_missing_values_of_pandas():
    pd = pytest.importorskip("pandas")
    assert is_labelled(np.asarray(pd.array([1, None, 2], dtype="Int64"), dtype=object)).tolist() == [True, False, True]
    assert is_labelled(np.asarray(pd.Series(["x", pd.NA, None]), dtype=object)).tolist() == [True, False, False]


def test_numbers_of_classes():
    labels = np.array(["dog", None, "cat", "dog"], dtype=object)
    assert class_numbers(labels, is_labelled(labels), np.array(["cat", "dog"])).tolist() == [1, -1, 0, 1]
