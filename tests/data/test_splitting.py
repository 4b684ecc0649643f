from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus import data
from isthmus.errors import DataError, ParameterError


def rows(part: data.Data) -> list[int]:
    return part.array[:, 0].tolist()


def table(n: int, labels: object = None) -> data.Data:
    return data.open(np.arange(n)[:, None], labels=labels)


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(3, 300),
    classes=st.integers(1, 6),
    fractions=st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.5), (1.0,), (0.2, 0.3), (0.98, 0.01, 0.01)]),
    seed=st.integers(0, 5),
)
def test_parts_are_disjoint_and_proportional(n: int, classes: int, fractions: tuple[float, ...], seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, classes, n)
    parts = data.split(table(n, labels), fractions, random_state=seed)
    taken = [row for part in parts for row in rows(part)]
    assert len(set(taken)) == len(taken)
    assert len(taken) <= n
    if sum(fractions) > 0.999:
        assert len(taken) == n
    for part, fraction in zip(parts, fractions, strict=True):
        assert rows(part) == sorted(rows(part))
        assert abs(len(part) - fraction * n) <= len(parts)
        assert len(part) >= 1
        np.testing.assert_array_equal(part.labels, labels[rows(part)])


def test_classes_keep_their_shares() -> None:
    labels = np.repeat(["a", "b", "c"], [500, 100, 10])
    for part, fraction in zip(data.split(table(610, labels)), (0.8, 0.1, 0.1), strict=True):
        for name, count in (("a", 500), ("b", 100), ("c", 10)):
            assert abs((part.labels == name).sum() - fraction * count) <= 1


def test_measurements_are_no_classes() -> None:
    labels = np.random.default_rng(0).normal(size=50)
    assert [len(part) for part in data.split(table(50, labels))] == [40, 5, 5]
    assert [len(part) for part in data.split(table(50, np.array([None, "a"] * 25, dtype=object)))] == [40, 5, 5]


def test_same_seed_same_parts() -> None:
    first, second, other = (data.split(table(100), random_state=seed)[1] for seed in (1, 1, 2))
    assert rows(first) == rows(second) != rows(other)


def test_splits_of_a_view() -> None:
    half = table(100).subset(np.arange(50, 100))
    assert all(row >= 50 for part in data.split(half) for row in rows(part))


def test_unsuitable_fractions() -> None:
    for bad in ((0.8, 0.3), (0.5, 0.0), (), (-0.1, 0.5), (np.nan,)):
        with pytest.raises(ParameterError, match="fractions must be positive and add up to at most 1"):
            data.split(table(10), bad)
    with pytest.raises(DataError, match="2 records cannot be divided into 3 parts; pass at least 3 records"):
        data.split(table(2))
    assert [len(part) for part in data.split(table(3))] == [1, 1, 1]
