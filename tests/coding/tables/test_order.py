"""What planes tell of each other, against a plain count; and orders that are known from how the data were made."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.coding.tables import Plane
from isthmus.coding.tables.order import PRIOR, ROWS, Context, Ranked, _Sample, ranked


def plane(values: object, *, ordered: bool = False, size: int | None = None, where: int | None = None) -> Plane:
    found = np.asarray(values, np.int32)
    return Plane(values=found, size=size or int(found.max()) + 1, ordered=ordered, name="value", where=where)


def contexts_of(found: list[Ranked], number: int) -> tuple[Context, ...]:
    return next(ranking.contexts for ranking in found if ranking.plane == number)


def places(found: list[Ranked]) -> list[int]:
    return [ranking.plane for ranking in found]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=40))
def test_what_a_context_saves_is_counted_row_by_row(rows: list[tuple[int, int, int]]) -> None:
    columns = [[plane(column, size=4)] for column in zip(*rows, strict=True)]
    (saved,) = _Sample.of(columns).saved(0, [[(1, 0), (2, 0)]])
    alone = Counter(row[0] for row in rows)
    expected = 0.0
    for target, *context in rows:
        others = [row[0] for row in rows if list(row[1:]) == context]
        usual = alone[target] / len(rows)
        told = (others.count(target) - 1 + PRIOR * usual) / (len(others) - 1 + PRIOR)
        expected += math.log2(told / usual)
    assert saved == pytest.approx(expected / len(rows))


@pytest.mark.parametrize("at_once", [1, 2 * 60, 1 << 17])
def test_combinations_save_what_they_save_alone(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    columns = [[plane(rng.integers(0, size, 60), size=size)] for size in (3, 50, 1 << 22, 1, 1 << 22)]
    terms = [[(k, 0)] for k in range(1, 5)] + [[(1, 0), (2, 0)], [(3, 0), (4, 0)], [(1, 0), (2, 0), (4, 2)], [(1, 0)]]
    alone = [_Sample.of(columns).saved(0, [one])[0] for one in terms]
    monkeypatch.setattr("isthmus.coding.tables.order.AT_ONCE", at_once)
    assert _Sample.of(columns).saved(0, terms) == pytest.approx(alone, abs=1e-12)


def test_a_function_of_two_planes_is_found() -> None:
    rng = np.random.default_rng(0)
    first, second, noise = rng.integers(0, 8, (3, 5000))
    columns = [[plane((first + second) % 8)], [plane(noise)], [plane(first)], [plane(second)]]
    found = ranked(columns)
    best = (
        contexts_of(found, places(found)[-1])[0] if places(found)[-1] != 1 else contexts_of(found, places(found)[-2])[0]
    )
    assert best.score > 2.9
    assert 1 not in best.planes
    assert len(best.planes) == 2


def test_a_code_of_another_column_saves_all_of_it() -> None:
    codes = np.random.default_rng(0).integers(0, 16, 4000)
    names = (codes * 7 + 3) % 16
    (_, second) = ranked([[plane(names)], [plane(codes, ordered=True)]])
    assert second.contexts[0].score == pytest.approx(4, abs=0.05)


def test_what_is_unrelated_saves_nothing() -> None:
    values = np.random.default_rng(0).integers(0, 50, (3, 4000))
    for ranking in ranked([[plane(column)] for column in values]):
        assert all(context.score < 0.01 for context in ranking.contexts)


def test_a_plane_of_other_values_in_each_row_tells_nothing() -> None:
    rng = np.random.default_rng(0)
    key, target = rng.permutation(4000), rng.integers(0, 16, 4000)
    scores = [c.score for ranking in ranked([[plane(key)], [plane(target)]]) for c in ranking.contexts]
    assert max(scores) < 1e-6


def test_high_bits_of_ordered_planes_are_looked_at() -> None:
    rng = np.random.default_rng(0)
    large = rng.integers(0, 1 << 20, 8000)
    found = ranked([[plane(large, ordered=True)], [plane(large >> 17)]])
    second = found[1]
    assert second.contexts[0].score > (2.9 if second.plane == 1 else 2.5)
    shifts = {shift for context in contexts_of(found, second.plane) for _, shift in context.terms}
    assert shifts <= {0, 14, 16}


def test_a_plane_follows_the_one_that_says_where_it_has_values() -> None:
    rng = np.random.default_rng(0)
    missing = rng.integers(0, 2, 2000)
    value = np.where(missing, 0, rng.integers(0, 1000, 2000))
    other = value // 10
    found = ranked([[plane(other)], [plane(missing), plane(value, where=0)]])
    order = places(found)
    assert order.index(1) < order.index(2)


def test_contexts_are_earlier_planes_the_best_first() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 10, 3000)
    columns = [[plane((base + rng.integers(0, 3, 3000)) % 10)] for _ in range(6)]
    found = ranked(columns)
    assert sorted(places(found)) == list(range(6))
    for number, ranking in enumerate(found):
        scores = [context.score for context in ranking.contexts]
        assert scores == sorted(scores, reverse=True)
        assert all(set(context.planes) <= set(places(found)[:number]) for context in ranking.contexts)
        assert {len(context.planes) for context in ranking.contexts} == set(range(1, min(number, 4) + 1))
        assert len(ranking.contexts) == len(set(ranking.contexts))


def test_few_rows_and_no_planes() -> None:
    assert ranked([]) == []
    assert ranked([[], []]) == []
    assert places(ranked([[plane([3])], [plane([0])]])) == [0, 1]


def test_a_sample_is_the_same_each_time() -> None:
    values = np.random.default_rng(0).integers(0, 9, (3, 3 * ROWS))
    columns = [[plane(column)] for column in values]
    assert ranked(columns) == ranked(columns)
    assert _Sample.of(columns).rows == ROWS


def test_of_very_many_planes_only_neighbours_are_tried() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 4, 200)
    columns = [[plane((base + number) % 4)] for number in range(700)]
    found = ranked(columns)
    assert places(found) == list(range(700))
    assert all(max(context.planes) >= number - 2 for number, r in enumerate(found) for context in r.contexts)
