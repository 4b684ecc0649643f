"""Row numbers as runs, permutations that are computed, texts and labels in few bytes: beside plain lists of them."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest

from isthmus.data import class_numbers, classes_of, is_labelled, is_missing
from isthmus.data.coded_labels import CodedLabels, code_labels
from isthmus.data.labelling import labels_of, note_on_minus_one
from isthmus.data.rows import Rows, spread
from isthmus.data.texts import Texts


@pytest.mark.parametrize("seed", range(200))
def test_runs_are_the_rows_that_they_stand_for(seed):
    rng = np.random.default_rng(seed)
    listed = np.flatnonzero(rng.random(rng.integers(0, 60)) < rng.random())
    rows = Rows.of(listed)
    assert np.asarray(rows).tolist() == list(rows) == listed.tolist()
    assert len(rows) == len(listed)
    start, stop = rng.integers(0, 62, 2)
    assert rows[start:stop].tolist() == listed[start:stop].tolist()
    assert rows[start:stop:3].tolist() == listed[start:stop:3].tolist()
    assert np.asarray(rows.part(start, stop)).tolist() == listed[start:stop].tolist()
    numbers = rng.integers(0, 65, 9)
    assert rows.below(numbers).tolist() == np.searchsorted(listed, numbers).tolist()
    places = np.flatnonzero(rng.random(len(listed)) < rng.random())
    assert rows[places].tolist() == np.asarray(rows.at(Rows.of(places))).tolist() == listed[places].tolist()
    assert np.asarray(rows.without(places)).tolist() == np.delete(listed, places).tolist()
    assert np.arange(65)[rows].tolist() == listed.tolist()


def test_places_outside_are_refused_and_those_from_the_end_count_back():
    rows = Rows([2, 7], [4, 9])
    assert (rows[-1], rows[0], rows[[0, -1]].tolist()) == (8, 2, [2, 8])
    for place in (4, -5, [0, 4]):
        with pytest.raises(IndexError, match="there are 4 rows"):
            rows[place]


def test_a_trillion_rows_without_a_few_take_no_memory_and_no_time():
    rows = Rows.all(10**12).without(np.array([0, 10**11, 10**11 + 1]))
    assert len(rows) == 10**12 - 3
    assert rows[[0, 10**11 - 2, 10**11 - 1, -1]].tolist() == [1, 10**11 - 1, 10**11 + 2, 10**12 - 1]
    assert sum(sys.getsizeof(part) for part in (rows.starts, rows.stops)) < 1000


def test_spread_rows_are_evenly_spaced_or_the_first_behind_each_edge():
    assert spread(10, 4).tolist() == [0, 3, 6, 9]
    assert spread(3, 9).tolist() == [0, 1, 2]
    assert spread(10, 4, np.array([0, 6, 10])).tolist() == [0, 3, 6, 9]  # of few it costs nothing
    edges = np.array([0, 600_000, 1_200_000, 2_000_000])
    assert spread(2_000_000, 6, edges).tolist() == [0, 1, 600_000, 600_001, 1_200_000, 1_200_001]
    assert spread(2_000_000, 2, edges).tolist() == [0, 1_200_000]


def test_packed_texts_are_a_list_of_them():
    listed = ["", "photo.png", "größe/ü.png", "bad\udcff.png", "x" * 300]
    texts = Texts.of(listed)
    assert texts == listed
    assert texts[1:4] == listed[1:4]
    assert texts[::2] == listed[::2]
    assert texts[-1] == listed[-1]
    assert texts.at(Rows([1], [4]))[1:].at(np.array([1, 0])) == ["bad\udcff.png", "größe/ü.png"]
    assert list(texts) == listed
    assert texts != listed[:-1]
    assert "photo.png" in texts
    with pytest.raises(IndexError):
        texts[5]


# ---------------------------------------------------------------------- labels as codes

COLUMNS = {
    "texts": pa.array(["dog", None, "cat", "dog", "", "bird"] * 50),
    "numbers": pa.array([3, 1, -1, 3, 2, 1] * 50),
    "numbers with gaps": pa.array([3, None, 7, 3, 2, 7] * 50),
    "two signs": pa.array([-1, 1, 1, -1, 1, 1] * 50),
    "few of minus one": pa.array([-1, 0, 1, 1, 0, 1] * 50),
    "mostly minus one": pa.array([-1, -1, 1, -1, 0, -1] * 50),
    "categories": pa.array(["a", "b", None, "a", "c", "a"] * 50).dictionary_encode(),
    "boolean": pa.array([True, False, True, True, False, True] * 50),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("some", [False, True])
def test_codes_are_the_labels_that_they_stand_for(name, some):
    column = pa.chunked_array([COLUMNS[name]])
    plain = labels_of(column)
    coded = code_labels((column.slice(start, 77) for start in range(0, 300, 77)), 300, labels_of)
    assert isinstance(coded, CodedLabels)
    assert coded.codes.nbytes == 300
    if some:
        rows = Rows([3, 100], [50, 280])
        plain, coded = plain[rows], coded.at(Rows.all(300)).at(rows)
    assert len(coded) == len(plain)
    assert coded.tolist() == plain.tolist() == [coded[k] for k in range(len(plain))]
    assert is_missing(coded).tolist() == is_missing(plain).tolist()
    known = is_labelled(plain)
    assert is_labelled(coded).tolist() == known.tolist()
    for found, wanted in zip(classes_of(coded, known), classes_of(plain, known), strict=True):
        assert found.tolist() == wanted.tolist()
        assert found.dtype == wanted.dtype
    classes, _ = classes_of(plain, known)
    numbers = class_numbers(coded, known, classes)
    assert numbers.dtype == np.int8
    assert numbers.tolist() == class_numbers(plain, known, classes).tolist()
    assert note_on_minus_one(coded) == note_on_minus_one(plain)


def test_more_labels_take_two_bytes_and_measurements_none():
    many = pa.chunked_array([pa.array(range(1000))])
    coded = code_labels([many], 1000, labels_of)
    assert coded.codes.dtype == np.uint16
    assert coded.tolist() == list(range(1000))
    assert code_labels([pa.chunked_array([pa.array(range(70_000))])], 70_000, labels_of) is None
    assert code_labels([pa.chunked_array([pa.array([0.5, 0.25])])], 2, labels_of) is None
