"""The norm against closed forms, and the compiled coder against the norm."""

from __future__ import annotations

import math
import random
import signal
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.coding import coder as coders
from isthmus.coding import reference
from isthmus.coding.coder import Coder
from isthmus.coding.prior import Prior, shipped

from . import samples

RNG = random.Random(3)
KINDS = {
    "text": b"The isthmus, he said, is 12 km wide;\r\nthe Isthmus of which he spoke was wider.\n" * 2,
    "table": b"".join(b"%d,%d,%s\n" % (i, i * i, b"ab" if i % 3 else b"") for i in range(16)),
    "records": bytes((i * k) % 251 for i in range(20) for k in range(1, 9)),
    "noise": RNG.randbytes(100),
    "runs": bytes(90) + b"\xff" * 60 + RNG.randbytes(10),
    "utf-8": "\u5730\u5ce1\u8fde\u63a5\u4e24\u5757\u9646\u5730\u3002".encode() * 5,
}


# ---------------------------------------------------------------------- closed forms


def test_squash_is_the_logistic_function() -> None:
    for x in range(-reference.LIMIT, reference.LIMIT + 1):
        assert abs(reference.squash(x) / 65536 - 1 / (1 + math.exp(-x / 256))) < 0.002
    assert reference.squash(10**6) == reference.squash(reference.LIMIT) == 65535
    assert reference.squash(-(10**6)) == 1


def test_stretch_undoes_squash() -> None:
    for x in range(-1200, 1201):  # beyond, neighbouring log odds have one probability of 12 bits
        assert abs(reference.stretch(reference.squash(x)) - x) <= 10
    found = [reference.stretch(p) for p in range(1, 65536)]
    assert found == sorted(found)


def test_a_probability_is_the_mean_of_what_it_saw() -> None:
    rng = random.Random(0)
    map_ = reference.Adaptive([32768])
    bits = [rng.random() < 0.3 for _ in range(200)]
    for seen, bit in enumerate(bits, 1):
        map_.adapt(0, bit)
        # The start counts for half a bit: after n bits the mean is (ones + 1/4) / (n + 1/2).
        assert abs(map_.p[0] / 2**22 - (sum(bits[:seen]) + 0.25) / (seen + 0.5)) < 1e-4


def test_a_payload_is_as_long_as_its_predictions_say() -> None:
    for name, data in KINDS.items():
        predictor, bits = reference.Predictor(12, 2), 0.0
        for byte in data:
            for k in range(7, -1, -1):
                p = predictor.predict() / 65536
                bits -= math.log2(p if byte >> k & 1 else 1 - p)
                predictor.update(byte >> k & 1)
        length = len(Coder(12, speed=2).encode(data))
        assert bits / 8 - 1 <= length <= bits / 8 + 4, name


def test_the_most_frequent_distance_is_the_length_of_records() -> None:
    predictor = reference.Predictor(12, 2)
    for row in range(40):
        for byte in (7, row, 9, 255 - row, 11):
            predictor._see(byte)
    assert predictor.record == 5


# ---------------------------------------------------------------------- the compiled coder


needs_compiled = pytest.mark.skipif(not coders.is_compiled(), reason="there is no compiled coder here")


@needs_compiled
@pytest.mark.parametrize("speed", [1, 2])
@pytest.mark.parametrize("name", KINDS)
def test_the_compiled_coder_gives_what_the_norm_gives(name: str, speed: int) -> None:
    data = KINDS[name]
    norm, compiled = reference.Coder(12, speed), Coder(12, speed=speed)
    first = compiled.encode(data)
    assert norm.encode(data) == first
    norm.learn(b"seen only")
    compiled.learn(b"seen only")
    assert norm.encode(data[:50]) == compiled.encode(data[:50])
    again = reference.Coder(12, speed)
    assert again.decode(first, len(data)) == data


@needs_compiled
@pytest.mark.parametrize("made", [coders.extreme_prior, samples.model, shipped])
@pytest.mark.parametrize("name", ["text", "noise"])
def test_the_compiled_coder_gives_what_the_norm_gives_with_a_prior(name: str, made: Callable[[], Prior]) -> None:
    data, prior = KINDS[name][:90], made()
    norm, compiled = reference.Coder(12, 1, prior.tensors), Coder(12, prior=prior)
    first = compiled.encode(data)
    assert norm.encode(data) == first
    assert norm.encode(data[:20]) == compiled.encode(data[:20])
    compiled.restart()
    assert compiled.decode(first, len(data)) == data


@needs_compiled
def test_without_wide_registers_the_network_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data, prior = KINDS["text"], samples.model()
    payload = Coder(12, prior=prior).encode(data)
    native = coders._native()
    assert native is not None
    native.wide(False)
    try:
        assert Coder(12, prior=prior).encode(data) == payload
    finally:
        native.wide(True)


@needs_compiled
def test_small_tables_that_forget_are_the_same_tables() -> None:
    data = random.Random(1).randbytes(500)  # 2^10 slots for 26,000 contexts
    assert reference.Coder(10).encode(data) == Coder(10).encode(data)


@needs_compiled
def test_both_refuse_the_same_payloads() -> None:
    data = b"hello hello"
    payload = Coder(12).encode(data)
    others = [
        payload + b"\0",
        payload + b"x",
        payload[:-1],
        b"",
        *(payload[:-1] + bytes([k]) for k in range(0, 256, 16)),
    ]
    for other in others:
        found = []
        for made in (Coder(12), reference.Coder(12)):
            try:
                found.append(made.decode(other, len(data)))
            except ValueError as error:
                found.append(str(error))
        assert found[0] == found[1]


def test_without_the_compiled_coder_the_norm_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = Coder(12).encode(KINDS["text"])
    monkeypatch.setattr(coders, "_native", lambda: None)
    assert not coders.is_compiled()
    assert Coder(12).encode(KINDS["text"]) == payload


def test_a_compiled_coder_that_gives_other_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Off(reference.Coder):
        def encode(self, data: reference.Bytes) -> bytes:
            payload = super().encode(data)
            return payload[:-1] + bytes([payload[-1] ^ 1])

    wrong: Any = SimpleNamespace(
        create=lambda bits, speed, prior: Off(bits, speed, prior),
        encode=lambda state, data: state.encode(data),
        decode=lambda state, payload, length: state.decode(payload, length),
        restart=lambda state: state.restart(),
    )
    monkeypatch.setattr(coders, "_compiled_module", lambda: wrong)
    monkeypatch.setattr(coders, "_native", coders._native.__wrapped__)  # without its cache
    assert not coders.is_compiled()


@needs_compiled
def test_an_interrupted_coder_says_that_it_has_to_be_restarted() -> None:
    made = Coder(12)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            made.encode(bytes(10_000_000))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    with pytest.raises(RuntimeError, match="restart it"):
        made.encode(b"x")
    made.restart()
    assert made.encode(b"x") == Coder(12).encode(b"x")


@pytest.mark.parametrize("back", [pytest.param(Coder, marks=needs_compiled), reference.Coder], ids=["compiled", "norm"])
def test_a_coder_that_was_stopped_can_be_restarted(back: Callable[[int], Any]) -> None:
    made, payload = back(12), back(12).encode(b"sea")
    made.encode(b"shells")
    made.stop()
    for call in (lambda: made.encode(b"x"), lambda: made.decode(payload, 3), lambda: made.learn(b"x")):
        with pytest.raises(RuntimeError, match=r"stopped|restart it"):
            call()
    made.restart()
    assert made.encode(b"sea") == payload
    assert made.encode(b"x" * 5)  # it stays usable


@pytest.mark.parametrize("back", [pytest.param(Coder, marks=needs_compiled), reference.Coder], ids=["compiled", "norm"])
def test_what_another_thread_has_begun_is_interrupted(back: Callable[[int], Any]) -> None:
    made, raised, begun = back(12), [], threading.Event()

    def encode() -> None:
        begun.set()
        try:
            made.encode(bytes(10_000_000))
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=encode)
    thread.start()
    begun.wait()
    time.sleep(0.05)
    made.stop()
    thread.join(10)
    assert raised == ["the coder was stopped"]
    made.restart()
    assert made.encode(b"sea") == back(12).encode(b"sea")


@needs_compiled
def test_one_coder_serves_one_thread_at_a_time() -> None:
    made = Coder(12)
    refused: list[str] = []

    def encode() -> None:
        try:
            made.encode(bytes(200_000))
        except RuntimeError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=encode) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["the coder is at work in another thread"]
