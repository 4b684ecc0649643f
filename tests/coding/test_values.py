"""The coder of values: the norm against closed forms and the compiled one against the norm, by any scheme."""

from __future__ import annotations

import io
import math
import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from isthmus.coding import values as coders
from isthmus.coding.container import Source, varint
from isthmus.coding.reference import values as reference
from isthmus.coding.scheme import (
    LARGEST,
    REGRESSION,
    SPREAD,
    SUM,
    Context,
    Feature,
    Scheme,
    Selector,
    Tap,
    Term,
)
from isthmus.coding.values import ValueCoder
from isthmus.errors import ArtifactError

OWN = Tap(0, 1)
PLAIN = Scheme(8, (Feature.sum(OWN),), (Context(), Context((Term(0),)), Context((), near=0)), table=8)


def walk(count: int, seed: int = 0, size: int = 3) -> NDArray[np.int64]:
    """Return a random walk."""
    return np.cumsum(np.random.default_rng(seed).integers(-size, size + 1, count)).astype(np.int64)


# ---------------------------------------------------------------------- closed forms


def test_a_logarithm_is_exact_near_zero_and_then_has_steps_to_the_double() -> None:
    assert [reference.logarithm(x, 1) for x in (0, 1, 2, 3, -3)] == [0, 1, 2, 3, -3]
    for steps in range(4):
        assert reference.logarithm(1 << 20, steps) - reference.logarithm(1 << 19, steps) == 1 << steps
        assert reference.logarithm(-(1 << 20), steps) == -reference.logarithm(1 << 20, steps)
        found = [reference.logarithm(x, steps) for x in range(3000)]
        assert found == sorted(found)


@pytest.mark.parametrize("centred", [True, False])
def test_a_regression_is_that_of_weighted_least_squares(centred: bool) -> None:
    rng, horizon = np.random.default_rng(0), 50
    x = rng.integers(0, 1000, (200, 3))
    y = x[:, 0] + (2 * x[:, 1] - x[:, 2]) // 3 + rng.integers(-5, 6, 200)
    feature = Feature.regression(*[Tap(1, k) for k in range(3)], horizon=horizon, interval=1, ridge=40, centred=centred)
    made = reference.Regression(feature)
    for row, value in zip(x.tolist(), y.tolist(), strict=True):
        made.predict(row)
        made.learn(value)
    design = x[:, 1:] - x[:, :1] if centred else np.column_stack([x, np.ones(200)])
    target = y - x[:, 0] if centred else y
    weights = np.sqrt((1 - 1 / horizon) ** np.arange(199, -1, -1))
    wanted = np.linalg.lstsq(design * weights[:, None], target * weights, rcond=None)[0]
    # What is added to the diagonal moves the constant most, which a column of ones says least about.
    np.testing.assert_allclose(made.coefficients, wanted, rtol=2e-2, atol=2e-3)


def test_a_payload_is_as_long_as_its_predictions_say(monkeypatch: pytest.MonkeyPatch) -> None:
    bits = 0.0
    plain = reference.BitEncoder.bit

    def counted(self: reference.BitEncoder, p: int, bit: int) -> int:
        nonlocal bits
        bits -= math.log2(p / 65536 if bit else 1 - p / 65536)
        return plain(self, p, bit)

    monkeypatch.setattr(reference.BitEncoder, "bit", counted)
    payload = reference.ValueCoder(PLAIN).encode(walk(200) + 100, ())
    assert bits / 8 - 1 <= len(payload) <= bits / 8 + 4


def test_values_that_follow_from_a_side_cost_nothing() -> None:
    side = np.random.default_rng(1).integers(0, 200, 3000)
    scheme = Scheme(8, (Feature.sum(Tap(1, 0)),), (Context((Term(0),)), Context((), near=0)))
    payload = ValueCoder(scheme, 1).encode(255 - side, [side])
    assert len(payload) < 500  # until each of the 200 has been seen
    second = ValueCoder(scheme, 1)
    second.learn(255 - side, [side])
    assert len(second.encode(255 - side, [side])) < 30


# ---------------------------------------------------------------------- the compiled coder


def any_scheme(rng: random.Random, sides: int) -> Scheme:
    """Return a scheme of any kind."""

    def tap() -> Tap:
        source = rng.randint(0, sides)
        return Tap(source, rng.choice((1, 2, 7, 300)) if not source else rng.randint(-3, 3), rng.randint(-4, 4))

    features = [Feature.sum(OWN)]
    for place in range(1, rng.randint(2, 9)):
        inner = [(rng.randrange(place), rng.randrange(place)) for _ in range(rng.randint(1, 3))]
        features.append(
            rng.choice(
                (
                    Feature.sum(*[tap() for _ in range(rng.randint(0, 4))], shift=rng.randint(0, 3)),
                    Feature.median(tap(), tap(), tap()),
                    Feature.spread(*inner, factor=rng.randint(1, 3), shift=rng.randint(0, 2)),
                    Feature.combination(*[(a, rng.randint(-3, 3)) for a, _ in inner], shift=rng.randint(0, 2)),
                    Feature.regression(
                        *[tap() for _ in range(rng.randint(2, 5))],
                        horizon=rng.choice((2, 30, 1 << 20)),
                        interval=rng.randint(1, 5),
                        ridge=rng.randint(0, 40),
                        centred=rng.random() < 0.5,
                    ),
                )
            )
        )

    def term() -> Term:
        return Term(rng.randrange(len(features)), rng.randint(-4, 6))

    contexts = [
        Context(tuple(term() for _ in range(rng.randint(0, 3))), rng.choice((None, rng.randrange(len(features)))))
        for _ in range(rng.randint(1, 7))
    ]
    selectors = [Selector(term(), rng.randint(1, 40)) for _ in range(rng.randint(0, 3))]
    around = rng.choice((None, rng.randrange(len(features))))
    step = 1 if around is None else rng.choice((1, 3, 63))
    raw = 0 if around is None or step > 1 else rng.choice((0, 2))
    bits = rng.choice((1, 3, 8, 11, 14))
    return Scheme(bits, tuple(features), tuple(contexts), tuple(selectors), rng.randint(6, 9), around, step, raw)


@pytest.mark.parametrize("seed", range(25))
def test_the_compiled_coder_gives_what_the_norm_gives(seed: int) -> None:
    if not coders.is_compiled():
        pytest.skip("no compiler")
    rng = random.Random(seed)
    sides = [walk(120, seed + k, 20) for k in range(rng.randint(0, 2))]
    scheme = any_scheme(rng, len(sides))
    values = walk(120, seed, rng.choice((1, 9, 10**6)))
    values = values if scheme.around is not None else values & (1 << scheme.bits) - 1
    native = coders._native()
    found = []
    for made in (lambda: reference.ValueCoder(scheme), lambda: coders.Compiled(native, scheme, len(sides))):
        given = values.copy()
        coder = made()
        payloads = [
            coder.encode(given[:60], [s[:60] for s in sides]),
            coder.encode(given[60:], [s[60:] for s in sides]),
        ]
        assert np.abs(given - values).max() <= scheme.step // 2
        decoder, out = made(), np.zeros_like(given)
        decoder.decode(payloads[0], out[:60], [s[:60] for s in sides])
        decoder.decode(payloads[1], out[60:], [s[60:] for s in sides])
        assert np.array_equal(out, given)
        found.append((payloads, given.tolist()))
    assert found[0] == found[1]


def test_contexts_that_take_each_other_s_places_learn_what_the_norm_learns() -> None:
    if not coders.is_compiled():
        pytest.skip("no compiler")
    # More contexts than fill the last vector, more values than are coded between two looks at signals, and few slots:
    # cells are shared and given away within a bit, and the last bit of a call is learned before the state is read.
    features = tuple(Feature.sum(Tap(0, lag)) for lag in range(1, 5))
    contexts = [Context((Term(k % 4), Term(k // 4))) for k in range(9)] + [Context((), near=k) for k in range(2)]
    scheme = Scheme(3, features, tuple(contexts), (), table=6)
    values = np.random.default_rng(0).integers(0, 8, 530)
    norm, compiled = coders.Plain(scheme), coders.Compiled(coders._native(), scheme, 0)
    for some in (values[:520], values[520:]):
        assert compiled.encode(some.copy(), ()) == norm.encode(some.copy(), ())
        mine, its = compiled.learned(), norm.learned()
        assert mine.keys() == its.keys()
        assert all(np.array_equal(mine[name], its[name]) for name in its)


def test_the_compiled_coder_is_used_where_it_was_built() -> None:
    pytest.importorskip("isthmus.coding._values")
    assert coders.is_compiled()
    assert isinstance(ValueCoder(PLAIN)._back, coders.Compiled)


def test_a_compiled_coder_that_gives_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coders, "SELF_TEST", "0" * 64)
    coders._native.cache_clear()
    try:
        assert not coders.is_compiled()
        assert isinstance(ValueCoder(PLAIN)._back, reference.ValueCoder)
    finally:
        coders._native.cache_clear()


def test_the_norm_passes_the_self_test_itself() -> None:
    assert coders.self_test(lambda scheme, sides: reference.ValueCoder(scheme)) == coders.SELF_TEST


# ---------------------------------------------------------------------- steps and escapes


def test_with_steps_no_value_is_further_off_than_half_of_one() -> None:
    scheme = Scheme(3, (Feature.sum(OWN),), (Context(),), around=0, step=9)
    values = walk(2000, size=40)
    values[700] = 10**9  # far outside of the 3 bits
    given = values.copy()
    payload = ValueCoder(scheme).encode(given)
    assert np.abs(given - values).max() == 4
    assert np.array_equal(ValueCoder(scheme).decode(payload, len(values)), given)


@pytest.mark.parametrize("value", [0, 1, -1, 6, 7, 8, -8, -9, LARGEST, -LARGEST])
def test_a_jump_of_any_size_comes_back(value: int) -> None:
    scheme = Scheme(4, (Feature.sum(OWN),), (Context(),), around=0, raw=1)
    given = np.array([0, value, 0, -value], np.int64)
    assert ValueCoder(scheme).decode(ValueCoder(scheme).encode(given.copy()), 4).tolist() == given.tolist()


# ---------------------------------------------------------------------- what is refused


def test_values_that_no_bits_hold_are_refused() -> None:
    for value in (-1, 256):
        with pytest.raises(ValueError, match="0 to 255"):
            ValueCoder(PLAIN).encode(np.array([3, value], np.int64))
    around = Scheme(8, (Feature.sum(OWN),), (Context(),), around=0)
    with pytest.raises(ValueError, match="values from"):
        ValueCoder(around).encode(np.array([2 * LARGEST], np.int64))


@pytest.mark.parametrize("damage", [lambda p: p[:-4], lambda p: p + b"\0", lambda p: b"", lambda p: p + b"x"])
def test_a_payload_of_another_length_is_refused(damage: Callable[[bytes], bytes]) -> None:
    payload = ValueCoder(PLAIN).encode(walk(300) + 100)
    with pytest.raises(ValueError, match="payload"):
        ValueCoder(PLAIN).decode(damage(payload), 300)


def test_a_number_that_no_value_needs_is_refused() -> None:
    scheme = Scheme(1, (Feature.sum(OWN),), (Context(),), around=0)
    rng = random.Random(0)
    refused = 0
    for made in (lambda: ValueCoder(scheme), lambda: Norm(scheme)):
        for _ in range(60):
            try:
                made().decode(rng.randbytes(40), 12)
            except ValueError:
                refused += 1
    assert refused == 120


class Norm(ValueCoder):
    """The norm behind the face of the coder."""

    def __init__(self, scheme: Scheme) -> None:
        self.scheme, self._back = scheme, reference.ValueCoder(scheme)


SOUND = partial(Scheme, 8, (Feature.sum(OWN),), (Context(),))
REFUSED: dict[str, Scheme] = {
    "no bits": Scheme(0, (), (Context(),)),
    "too many bits": Scheme(25, (), (Context(),)),
    "no contexts": Scheme(8),
    "a table of 2^21": SOUND(table=21),
    "an even step": SOUND(around=0, step=2),
    "a step from nothing": SOUND(step=3),
    "a step, and bits kept": SOUND(around=0, step=3, raw=1),
    "steps that reach too far": Scheme(24, (Feature.sum(OWN),), (Context(),), around=0, raw=40),
    "around no feature": SOUND(around=1),
    "its own value": Scheme(8, (Feature.sum(Tap(0, 0)),), (Context(),)),
    "a value to come": Scheme(8, (Feature.sum(Tap(0, -1)),), (Context(),)),
    "a side that is not there": Scheme(8, (Feature.sum(Tap(2, 0)),), (Context(),)),
    "a feature of itself": Scheme(8, (Feature.combination((0, 1)),), (Context(),)),
    "a feature to come": Scheme(8, (Feature.sum(OWN), Feature(SPREAD, (Tap(0, 1),), (0,))), (Context(),)),
    "a kind that is none": Scheme(8, (Feature(9, (OWN,), (0,)),), (Context(),)),
    "a shift of 40": Scheme(8, (Feature.sum(OWN, shift=40),), (Context(),)),
    "a factor of 2^15": Scheme(8, (Feature.sum(Tap(0, 1, 1 << 15)),), (Context(),)),
    "a median of two": Scheme(8, (Feature(1, (OWN, OWN)),), (Context(),)),
    "a regression of one": Scheme(8, (Feature.regression(OWN),), (Context(),)),
    "a horizon of one": Scheme(8, (Feature(REGRESSION, (OWN, OWN), (1, 1, 1, 1)),), (Context(),)),
    "a term of no feature": Scheme(8, (), (Context((Term(0),)),)),
    "a scale of 40": Scheme(8, (Feature.sum(OWN),), (Context((Term(0, 40),)),)),
    "near no feature": Scheme(8, (), (Context((), near=0),)),
    "too many rows": Scheme(8, (Feature.sum(OWN),), (Context(),), (Selector(Term(0), 1025),)),
    "too many taps": Scheme(8, (Feature(SUM, (OWN,) * 41, (0,)),), (Context(),)),
    "too many terms": Scheme(8, (Feature.sum(OWN),), (Context((Term(0),) * 9),)),
    "too many contexts": Scheme(8, (), (Context(),) * 65),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_scheme_that_reaches_outside_is_refused(what: str) -> None:
    scheme = REFUSED[what]
    assert scheme.why_refused(1)
    with pytest.raises(ValueError, match="a scheme"):
        ValueCoder(scheme, 1)
    with pytest.raises(ArtifactError, match="scheme"):
        Scheme.read(Source(io.BytesIO(scheme.to_bytes()), "a file"), 1)


@pytest.mark.parametrize("what", REFUSED)
def test_the_compiled_module_reads_no_scheme_that_reaches_outside_of_memory(what: str) -> None:
    native = pytest.importorskip("isthmus.coding._values")
    harmless = {"a shift of 40", "an even step", "a step from nothing", "a step, and bits kept", "a factor of 2^15"}
    if what in harmless:
        pytest.skip("changes what is computed, not where")
    with pytest.raises(ValueError, match="scheme"):
        native.create(np.array(REFUSED[what].program(), np.int64), 1)


def test_a_scheme_comes_back_from_its_bytes() -> None:
    rng = random.Random(5)
    for _ in range(50):
        scheme = any_scheme(rng, 2)
        assert Scheme.read(Source(io.BytesIO(scheme.to_bytes()), "a file"), 2) == scheme


def test_bytes_that_list_too_much_are_refused() -> None:
    for packed in (b"", b"\x10\x18", PLAIN.to_bytes()[:-1], b"\x10\x18\x01\x02\x00" + varint(1 << 40)):
        with pytest.raises(ArtifactError):
            Scheme.read(Source(io.BytesIO(packed), "a file"), 0)


def test_a_coder_that_is_stopped_raises() -> None:
    for made in (lambda: ValueCoder(PLAIN), lambda: Norm(PLAIN)):
        coder: Any = made()
        values = np.zeros(3_000_000 if isinstance(coder._back, coders.Compiled) else 20_000, np.int64)
        threading.Timer(0.05, coder.stop).start()
        with pytest.raises(RuntimeError, match="stopped"):
            coder.encode(values)
