"""Tiles: the compiled decoder against the norm, the norm against the network, and payloads that are none."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest
import torch

from isthmus.coding.photographs import decoder
from isthmus.coding.photographs.decoder import Compiled, Plain, decode_tile, decoded_tile, encode_tile, encoded_tile
from isthmus.coding.photographs.weights import Weights, sizes
from isthmus.coding.reference import photograph as reference
from isthmus.networks.photographic_integers import from_integers

from .samples import latents, weights

native = pytest.importorskip("isthmus.coding._photographs")


@pytest.fixture(scope="module")
def some() -> Weights:
    return weights()


@pytest.fixture(params=[0, 1, 2], ids=["plain", "avx2", "avx512"])
def instructions(request: pytest.FixtureRequest):
    if native.choose(request.param) != request.param:
        native.choose(2)
        pytest.skip("this processor does not have them")
    yield request.param
    native.choose(2)


def test_the_compiled_decoder_is_used_where_it_is_there() -> None:
    assert decoder.is_compiled()


def test_the_norm_passes_the_self_test() -> None:
    assert decoder.self_test(Plain()) == decoder.SELF_TEST


def test_all_instructions_pass_the_self_test(instructions: int) -> None:
    assert decoder.self_test(Compiled(native)) == decoder.SELF_TEST


def test_a_decoder_that_gives_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch, some: Weights) -> None:
    monkeypatch.setattr(decoder, "SELF_TEST", "another")
    decoder._back.cache_clear()
    try:
        assert not decoder.is_compiled()
        payload = encode_tile(latents(3, 5), 3, 5, 7, some)
        found = decoded_tile(payload, 3, 5, 7, some)
    finally:
        decoder._back.cache_clear()
    monkeypatch.undo()
    assert decoder.is_compiled()
    again = decoded_tile(payload, 3, 5, 7, some)
    assert all(map(np.array_equal, [*found[0], found[1]], [*again[0], again[1]]))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 18), (11, 1), (2, 3), (9, 12)])
@pytest.mark.parametrize("size", [0.1, 2.0, 900.0])
def test_the_compiled_decoder_gives_what_the_norm_gives(
    instructions: int, some: Weights, height: int, width: int, size: float
) -> None:
    given = latents(height, width, 1, size)
    payload, picture = reference.encode(given, height, width, some.at(200))
    again, made = encoded_tile(given, height, width, 200, some)
    assert again == payload == encode_tile(given, height, width, 200, some)
    found, decoded = decoded_tile(payload, height, width, 200, some)
    assert all(map(np.array_equal, [*given, picture, picture], [*found, made, decoded]))


def test_a_wide_tile_comes_back(instructions: int, some: Weights) -> None:
    given = latents(70, 201, 2)
    payload, picture = encoded_tile(given, 70, 201, 99, some)
    found, decoded = decoded_tile(payload, 70, 201, 99, some)
    assert all(map(np.array_equal, [*given, picture], [*found, decoded]))


@pytest.mark.parametrize("quality", [0, 131, 255])
def test_picture_and_bits_are_those_of_the_network(quality: int) -> None:
    (height, width), some = (110, 91), weights(told=0.1)
    given = latents(height, width, 3, zeros=0)
    payload, picture = encoded_tile(given, height, width, quality, some)
    planes = [torch.from_numpy(y.astype(np.float64)).permute(2, 0, 1)[None] for y in given]
    with torch.no_grad():
        coded = from_integers(some.tensors).double()(
            lambda number, _: planes[number], sizes(height, width), torch.tensor([quality / 255], dtype=torch.float64)
        )
    bits = sum(float(level) for level in coded.bits)
    assert 8 * len(payload) == pytest.approx(bits, rel=0.01, abs=800)
    exact = coded.picture[0].permute(1, 2, 0).numpy()
    assert np.abs(picture / 512 - exact).mean() < 0.004
    assert abs((picture / 512 - exact).mean()) < 0.0004  # 1/80 of a level
    assert exact.std() > 0.2


def test_a_tile_of_nothing_takes_few_bytes(some: Weights) -> None:
    given = [np.zeros_like(y) for y in latents(40, 40)]
    payload, picture = encoded_tile(given, 40, 40, 128, some)
    assert len(payload) <= 11
    assert np.array_equal(decode_tile(payload, 40, 40, 128, some), picture)


def test_latents_may_be_read_only_and_in_any_order(some: Weights) -> None:
    given = latents(20, 30)
    others = [np.asfortranarray(y) for y in given]
    for y in others:
        y.flags.writeable = False
    assert encode_tile(others, 20, 30, 50, some) == encode_tile(given, 20, 30, 50, some)


@pytest.mark.parametrize("back", [Plain(), None], ids=["norm", "compiled"])
def test_payloads_that_are_cut_lengthened_or_random_are_refused(back: Plain | None, some: Weights) -> None:
    height, width = (5, 6) if back else (60, 50)
    coder, rng = back or Compiled(native), random.Random(0)
    given = latents(height, width, 5)
    payload = coder.encode(given, height, width, 80, some)
    others = [payload[:length] for length in sorted(rng.sample(range(len(payload)), 12))]
    others += [payload + b"\0", payload + b"\1", payload + b"\1\2\3\4", b"\0" * 8, b"\xff" * 8, b"\xff" * 5]
    others += [rng.randbytes(length) for length in (*range(1, 14), 100, 997)]
    for other in others:
        picture, found = np.zeros((height, width, 3), np.int16), [np.zeros_like(y) for y in given]
        with pytest.raises(ValueError, match="not the payload of a tile"):
            coder.decode(other, found, picture, 80, some)


def test_altered_payloads_give_an_error_or_another_picture(some: Weights) -> None:
    rng, given = random.Random(1), latents(40, 33, 6, 5.0)
    payload, picture = encoded_tile(given, 40, 33, 80, some)
    for _ in range(60):
        altered = bytearray(payload)
        altered[rng.randrange(len(payload))] ^= 1 << rng.randrange(8)
        try:
            found = decode_tile(altered, 40, 33, 80, some)
        except ValueError:
            continue
        assert not np.array_equal(found, picture)


def test_sizes_that_no_tile_has_are_refused(some: Weights) -> None:
    for height, width, quality in ((0, 5, 1), (5, 2049, 1), (5, 5, 256), (5, 5, -1)):
        with pytest.raises(ValueError, match="a tile of"):
            decode_tile(b"", height, width, quality, some)
    with pytest.raises(ValueError, match="latents of other shapes"):
        encode_tile(latents(8, 8), 9, 8, 1, some)
    with pytest.raises(ValueError, match="latents of other shapes"):
        encode_tile([y.astype(np.int32) for y in latents(8, 8)], 8, 8, 1, some)


def test_the_compiled_module_refuses_buffers_of_other_sizes(some: Weights) -> None:
    class Spy:
        def code(self, *args: object) -> bytes:
            self.args = args
            return b""

    spy = Spy()
    Compiled(spy).encode(latents(8, 8), 8, 8, 1, some, np.zeros((8, 8, 3), np.int16))  # type: ignore[arg-type]
    assert native.code(*spy.args)
    for place, given in enumerate(spy.args[2:-1], 2):
        short = np.ascontiguousarray(np.ravel(given)[:-1])
        with pytest.raises(ValueError, match="of another size"):
            native.code(*spy.args[:place], short, *spy.args[place + 1 :])
    with pytest.raises(TypeError):
        native.code(*spy.args[:4], None, *spy.args[5:])
    with pytest.raises(ValueError, match="of another size"):
        native.code(-1, *spy.args[1:])


def test_threads_decode_tiles_side_by_side(some: Weights) -> None:
    given = latents(90, 100, 8)
    payload, picture = encoded_tile(given, 90, 100, 60, some)
    found = [None] * 4

    def decode(k: int) -> None:
        found[k] = decode_tile(payload, 90, 100, 60, some)

    threads = [threading.Thread(target=decode, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(one, picture) for one in found)


def test_samples_are_rounded_and_cut() -> None:
    picture = np.array([[[-8191, 0, 8191], [-2048, -2041, -2040], [2031, 2032, 8]]], np.int16)
    eight = decoder.samples(picture, 8)
    assert eight.dtype == np.uint8
    assert np.array_equal(eight, np.clip((picture.astype(int) + 2048 + 8) >> 4, 0, 255))
    sixteen = decoder.samples(picture, 16)
    assert sixteen.dtype == np.uint16
    exact = np.clip((picture / 512 * 32 + 128) / 255 * 65535, 0, 65535)
    assert np.abs(sixteen - exact).max() <= 0.5
