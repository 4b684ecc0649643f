"""Which records have a label."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from isthmus import Autoencoder, Classifier, data
from isthmus.data import class_numbers, classes_of, is_labelled


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


CATEGORIES = pd.Categorical(["a", "b", None, "b"])


@pytest.mark.parametrize(
    "records",
    [
        pd.DataFrame({"x": np.arange(4.0), "l": CATEGORIES}),
        pa.table({"x": np.arange(4.0), "l": pa.array(["a", "b", None, "b"]).dictionary_encode()}),
        pa.table({"x": np.arange(4.0), "l": pa.array(["a", "b", None, "b"])}),
        pl.DataFrame({"x": np.arange(4.0), "l": pl.Series(["a", "b", None, "b"], dtype=pl.Enum(["a", "b"]))}),
        pl.DataFrame({"x": np.arange(4.0), "l": pl.Series(["a", "b", None, "b"], dtype=pl.Categorical)}),
    ],
)
def test_a_missing_category_is_no_label(records):
    opened = data.open(records, label_column="l")
    assert opened.labels.tolist() == ["a", "b", None, "b"]
    assert data.inspect(opened).class_counts == {"a": 1, "b": 2, "missing": 1}


@pytest.mark.parametrize(
    "labels",
    [
        CATEGORIES,
        pd.Series(CATEGORIES),
        pd.DataFrame({"l": CATEGORIES}),
        pd.Series(["a", "b", None, "b"], dtype=pd.ArrowDtype(pa.string())),
        pl.Series(["a", "b", None, "b"], dtype=pl.Categorical),
        pl.DataFrame({"l": ["a", "b", None, "b"]}),
        pa.array(["a", "b", None, "b"]).dictionary_encode(),
        pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array([None, "b"]).dictionary_encode()]),
        pa.table({"l": ["a", "b", None, "b"]}),
        np.ma.masked_equal(["a", "b", "?", "b"], "?"),
    ],
)
def test_labels_of_any_library_stay_missing(labels):
    opened = data.open(np.arange(8.0).reshape(4, 2), labels=labels)
    assert data.is_missing(opened.labels).tolist() == [False, False, True, False]
    assert opened.labels[[0, 1, 3]].tolist() == ["a", "b", "b"]


FAR = 2**53


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([FAR, FAR + 1, None, FAR], dtype="Int64"),
        pl.Series([FAR, FAR + 1, None, FAR]),
        pa.array([FAR, FAR + 1, None, FAR]),
        np.ma.masked_equal([FAR, FAR + 1, 0, FAR], 0),
        np.array([FAR, FAR + 1, None, FAR], dtype=object),
    ],
)
def test_whole_numbers_beside_gaps_do_not_merge(labels):
    found = data.open(np.arange(8.0).reshape(4, 2), labels=labels).labels
    classes, counts = classes_of(found, is_labelled(found))
    assert (classes.tolist(), counts.tolist()) == ([FAR, FAR + 1], [2, 1])
    assert classes.dtype == np.int64


def test_the_classes_of_the_fit_decide_what_minus_one_is():
    assert is_labelled(np.array([0, -1, 1]), np.array([0, 1, 2])).tolist() == [True, False, True]
    assert is_labelled(np.array([-1, -1, 5]), np.array([-1, 0, 5])).tolist() == [True, True, True]


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        ([0, 1, 2], ""),
        ([-1, 1, 1], ""),
        ([-2, -1, 0], ""),
        ([-1, 0, 1], "the labels -1, 0 and 1 were read as three classes; leave a label empty where there is none."),
        (
            [2, 0, 1, -1],
            "1 of the 4 labels are -1, which means none where labels may be missing; name it otherwise where it is a "
            "class.",
        ),
        ([0, 1, -1, -1, -1, -1], "4 of the 6 labels are -1, which means none where labels may be missing; name it "),
        ([-1, -1], "2 of the 2 labels are -1, which means none where labels may be missing."),
    ],
)
def test_how_minus_one_is_read_is_said(labels, note):
    records = np.random.default_rng(0).normal(size=(len(labels), 2))
    for opened in (
        data.open(records, labels=labels),
        data.open(np.column_stack([records, labels]), label_column=2),
        data.open(pd.DataFrame({"x": records[:, 0], "l": labels}), label_column="l"),
    ):
        said = [each for each in opened.notes if "-1" in each]
        assert len(said) == bool(note)
        assert not note or said[0].startswith(note)


def test_three_classes_with_minus_one_are_learned():
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3 - 1
    records = rng.normal(size=(90, 3)) + 4 * np.eye(3)[labels + 1]
    model = Autoencoder(hidden=(8,), latent_dim=2, max_epochs=2, random_state=0).fit(records)
    made = Classifier(model=model, method="probe", random_state=0).fit(records, labels)
    assert made.classes_.tolist() == [-1, 0, 1]
    assert made.evaluate(records[:2], labels[:2]).n == 2
