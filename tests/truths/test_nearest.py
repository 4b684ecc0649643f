"""The search among many rows against the one that compares all of them."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from isthmus.nearest import EXACT, near_rows, nearest_rows, rows_in_cells

N, K = 12_000, 15


def cloud(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return rng.normal(size=(n, d))


def clusters(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Return 20 clusters, the first of which holds half of the rows."""
    return (6 * rng.normal(size=(20, d)))[rng.integers(0, 40, n).clip(max=20) % 20] + rng.normal(size=(n, d))


def near_copies(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Return clusters in which rows come in groups of 20 that are all but the same."""
    return np.repeat(clusters(rng, n // 20, d), 20, axis=0) + 1e-3 * rng.normal(size=(n, d))


def surface(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Return rows on a curved surface of six dimensions."""
    return np.tanh(rng.normal(size=(n, 6)) @ rng.normal(size=(6, d)) / 2) + 0.03 * rng.normal(size=(n, d))


def recall(rows: np.ndarray, found: np.ndarray, k: int = K) -> float:
    """Return the share of neighbours found that are no farther than the k-th nearest."""
    some = np.random.default_rng(9).choice(len(rows), 400, replace=False)
    farthest = nearest_rows(rows, k + 1, rows[some])[1][:, -1:]
    away = np.linalg.norm(rows[some, None].astype(np.float64) - rows[found[some]], axis=2)
    return float((away <= farthest * (1 + 1e-4)).mean())


@pytest.mark.parametrize(
    ("made", "d", "least"),
    [(cloud, 20, 0.95), (clusters, 20, 0.95), (near_copies, 20, 0.95), (surface, 64, 0.9), (clusters, 64, 0.9)],
)
def test_nearly_all_of_the_nearest_rows_are_found(made, d, least):
    rows = made(np.random.default_rng(0), N, d).astype(np.float32) + 50
    found, away = rows_in_cells(rows, K, seed=3)
    assert found.dtype == np.int32
    assert away.dtype == np.float32
    assert recall(rows, found) >= least
    assert (found != np.arange(N)[:, None]).all()
    assert all(len(set(line)) == K for line in found[:500].tolist())
    assert (np.diff(away, axis=1) >= 0).all()
    some = slice(0, 500)
    truly = np.linalg.norm(rows[some, None].astype(np.float64) - rows[found[some]], axis=2)
    assert away[some] == pytest.approx(truly, rel=1e-3, abs=1e-5)


def test_rows_that_are_all_alike_have_neighbours_at_no_distance():
    rows = np.concatenate([np.ones((9_000, 3)), np.random.default_rng(0).normal(size=(3_000, 3))]).astype(np.float32)
    found, away = rows_in_cells(rows, K)
    assert (away[:9_000] == 0).all()
    assert all(len({i, *line}) == K + 1 for i, line in enumerate(found.tolist()))


def test_nearly_all_of_the_nearest_rows_of_others_are_found():
    rng = np.random.default_rng(0)
    rows = clusters(rng, N, 10).astype(np.float32)
    new = rows[rng.permutation(N)[:500]] + rng.normal(size=(500, 10)).astype(np.float32)
    found, away = rows_in_cells(rows, K, new, seed=3)
    exact, distances = nearest_rows(rows, K, new)
    assert np.mean([np.isin(some, all_) for some, all_ in zip(found, exact, strict=True)]) >= 0.95
    assert (away >= distances * (1 - 1e-5)).all()


def test_the_same_seed_finds_the_same_rows():
    rows = cloud(np.random.default_rng(1), N, 5).astype(np.float32)
    for first, again in zip(rows_in_cells(rows, K, seed=1), rows_in_cells(rows, K, seed=1), strict=True):
        assert np.array_equal(first, again)


def test_few_rows_are_compared_with_all_others():
    rows = cloud(np.random.default_rng(1), 300, 5).astype(np.float32)
    for nearly, exactly in zip(near_rows(rows, 7), nearest_rows(rows, 7), strict=True):
        assert np.array_equal(nearly, exactly)


def test_no_jump_where_rows_become_many():
    rows = cloud(np.random.default_rng(1), EXACT + 1, 4).astype(np.float32)
    assert recall(rows, near_rows(rows, K)[0]) >= 0.95


@pytest.mark.parametrize("n", [2, 9, 40])
def test_fewer_rows_than_neighbours(n):
    rows = cloud(np.random.default_rng(1), n, 3).astype(np.float32)
    found, away = rows_in_cells(rows, K)
    assert found.shape == away.shape == (n, min(K, n - 1))
    assert np.array_equal(found, nearest_rows(rows, K)[0])


def test_more_neighbours_than_a_cell_has_rows():
    rows = cloud(np.random.default_rng(1), 4_000, 3).astype(np.float32)
    found, _ = rows_in_cells(rows, 2_500)
    assert all(len(set(line)) == 2_500 for line in found[::100].tolist())


MEMORY = """
import json, resource
import numpy as np
from isthmus.graph import graph_of
rows = np.random.default_rng(0).normal(size=({n}, 8)).astype(np.float32)
graph_of(rows[:100])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
graph_of(rows)
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.long
def test_memory_grows_with_the_rows():
    kilobytes = [
        json.loads(subprocess.run([sys.executable, "-c", MEMORY.format(n=n)], capture_output=True, check=True).stdout)
        for n in (EXACT, 4 * EXACT)
    ]
    assert (kilobytes[1] - kilobytes[0]) / (3 * EXACT) < 1.5  # a row: 1,500 bytes, of which its weights take 300
