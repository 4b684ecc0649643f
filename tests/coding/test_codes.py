"""Codes as a content of a stream: whole numbers come back exactly, and nothing that was altered does."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import isthmus
from isthmus.coding import contents, values
from isthmus.coding.codes import Batch, Codes, Described, Lattice, opened_codes, payload_of
from isthmus.coding.container import Source
from isthmus.coding.describing import describe
from isthmus.errors import ArtifactError, IsthmusError

FINGERPRINT = bytes(range(32))


def lattice_of(units: int, records: int, *, size: int = 0) -> Lattice:
    if size:
        return Lattice(records, units, size=size)
    return Lattice.around(np.zeros(units), np.ones(units), np.linspace(1, 5, units), 0, records)


def compressed(batches: Sequence[Batch], lattice: Lattice) -> bytes:
    into = io.BytesIO()
    written = contents.write(into, Codes(lattice, lambda: batches, FINGERPRINT), name="x")
    assert written == len(into.getvalue())
    return into.getvalue()


def decompressed(content: bytes) -> list[Batch]:
    coded = opened_codes(Source.of(content, "x"))
    if coded is None:  # as whoever reads it goes on then
        isthmus.decompress(content)
        return []
    coded.check_model(FINGERPRINT)
    return list(coded.batches())


def same(found: Sequence[Batch], wanted: Sequence[Batch]) -> bool:
    return [batch.to_bytes() for batch in found] == [batch.to_bytes() for batch in wanted]


def normal(shape: tuple[int, ...], seed: int = 0, spread: float = 9) -> NDArray[np.int64]:
    return np.rint(np.random.default_rng(seed).normal(size=shape) * spread).astype(np.int64)


# ------------------------------------------------------------------ there and back


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 22), st.integers(0, 99)
)
def test_any_numbers_come_back(n: int, units: int, height: int, width: int, bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.integers(-(1 << bits), (1 << bits) + 1, (n, units, height, width)) * rng.integers(0, 2, (units, 1, 1))
    batch = Batch([numbers], [f"p{k}\n.png" for k in range(n)] if seed % 2 else None)
    assert same(decompressed(compressed([batch], lattice_of(units, n))), [batch])


@pytest.mark.parametrize("shape", [(3000, 3, 1, 1), (40, 2, 16, 20), (1, 1, 1, 1), (400, 400, 1, 1)])
@pytest.mark.parametrize("size", [0, 64])
def test_shapes(shape: tuple[int, ...], size: int) -> None:
    numbers = np.abs(normal(shape)) % 64 if size else normal(shape)
    batch = Batch([numbers])
    assert same(decompressed(compressed([batch], lattice_of(shape[1], shape[0], size=size))), [batch])


def test_sizes_that_differ_and_several_pieces() -> None:
    def batch(seed: int) -> Batch:
        shapes = [(1, 3, 2 + k % 3, 4) for k in range(7)]
        sizes = [(8 * shape[2] - 1, 30, *shape[2:]) for shape in shapes]
        return Batch([normal(shape, seed + k) for k, shape in enumerate(shapes)], [f"{k}" for k in range(7)], sizes)

    batches = [batch(0), batch(50)]
    found = decompressed(compressed(batches, lattice_of(3, 14)))
    assert same(found, batches)
    assert found[1].sizes == batches[1].sizes
    assert found[0].names == batches[0].names


def test_names_that_are_no_unicode() -> None:
    batch = Batch([normal((1, 2, 1, 1))], ["caf\udce9.png"])
    assert decompressed(compressed([batch], lattice_of(2, 1)))[0].names == ["caf\udce9.png"]


def test_the_norm_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    for shape, size in (((30, 3, 1, 1), 0), ((2, 2, 5, 6), 0), ((20, 3, 1, 1), 16)):
        numbers = np.abs(normal(shape)) % 16 if size else normal(shape)
        lattice = lattice_of(shape[1], shape[0], size=size)
        payload = payload_of(Batch([numbers]), lattice)
        with monkeypatch.context() as patch:
            patch.setattr(values, "_native", lambda: None)
            assert payload_of(Batch([numbers]), lattice) == payload


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6), st.integers(-2000, 2000), st.integers(0, 99))
def test_codes_are_at_most_half_a_step_off(centres: list[float], fineness: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    middle, spreads = np.array(centres), rng.uniform(0.01, 100, len(centres))
    lattice = Lattice.around(middle, spreads, rng.uniform(0.1, 10, len(centres)), fineness, 20)
    codes = middle + spreads * rng.normal(size=(20, len(centres)))
    again = Lattice.read(Source.of(lattice.to_bytes(), "x"))
    assert again == lattice
    numbers = lattice.quantised(codes)
    inside = np.abs(numbers) < 1 << 22
    off = np.abs(lattice.codes(numbers) - codes)
    assert (off <= lattice.steps * 0.5001 + 1e-6 * np.abs(codes) + 1e-9)[inside].all()


def test_coarse_steps_leave_codes_near_their_centres() -> None:
    lattice = Lattice.around(np.array([5.0, -300.0]), np.array([1.0, 0.2]), np.ones(2), 256 * 12, 1)
    assert np.allclose(lattice.codes(np.zeros((1, 2), np.int64)), [[5.0, -300.0]], atol=0.1)


# ------------------------------------------------------------------ for ever


def by_arithmetic(n: int, units: int, height: int, width: int) -> NDArray[np.int64]:
    i, j, k, column = np.indices((n, units, height, width))
    return (i * i * 7 + j * 13 + k * (i + 3) + column * 5) % (11 + 4 * j) - 5


WRITTEN_ONCE = [  # units, maps, and indices of a codebook
    (
        by_arithmetic(9, 3, 1, 1),
        "c169182b010178020f04090300990104090002040900091304030200000610000102030405060708090a0b0c0d0e0fce3d00"
        "1910092f0d3cb53260b9af0114ff036667d50b9f4fb761752769f73874f6a09f7b1304f6c22c910010fb472fd46dd363a8f8"
        "9b3556b2e3ce2507010ae6e2c4446ca0a7010d3cb5320133000013000000",
    ),
    (
        np.cumsum(by_arithmetic(3, 2, 6, 7) // 4, 3),
        "c1691829010178020d0403020099010406000206000904030200000610000102030405060708090a0b0c0d0e0f396c369910"
        "03629b2d03643e8c430dff02e241b16ad84544d381866b0d03f6c645004cc6b70c117e42c4bcb10bdb98c73ebb183de0fb4c"
        "604a926aa04074b1371c65f9fd532cdb69ff0c601ba9b00bd9645968b42368f829bd3e8e0a2c06cf8737043fc1b5365b861d"
        "338ee7d3f73c07010a0c6338f7003c87089b2d03640131000013000000",
    ),
    (
        np.abs(by_arithmetic(9, 3, 1, 1)),
        "c169182001017802040409032004030200000610000102030405060708090a0b0c0d0e0f98d5d38310091a3d3fdf39cb920d"
        "03ff036a1304fd769cad000db7d164b0acdbe3e6862f0b5f200701091f548980d236713d3fdf390128000012000000",
    ),
]


@pytest.mark.parametrize(("numbers", "content"), WRITTEN_ONCE)
def test_a_file_that_was_written_once_decodes_for_ever(
    numbers: NDArray[np.int64], content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for is_compiled in (True, False):
        if not is_compiled:
            monkeypatch.setattr(values, "_native", lambda: None)
        [batch] = decompressed(bytes.fromhex(content))
        assert (batch.values[0] == numbers).all()


# ------------------------------------------------------------------ how small


def test_gaussians_take_what_they_are_worth() -> None:
    numbers = normal((2000, 16, 1, 1))
    bits = 0.5 * np.log2(2 * np.pi * np.e * (numbers.var() + 1 / 12)) * numbers.size
    assert 8 * len(compressed([Batch([numbers])], lattice_of(16, 2000))) < 1.01 * bits + 2000


def test_units_that_depend_on_each_other_take_less() -> None:
    numbers = normal((4000, 6, 1, 1), spread=40)
    numbers[:, 1:] = numbers[:, :1] * 2 + numbers[:, 1:] // 10
    alone = sum(0.5 * np.log2(2 * np.pi * np.e * numbers[:, k].var()) for k in range(6)) * 4000
    assert 8 * len(compressed([Batch([numbers])], lattice_of(6, 4000))) < 0.7 * alone


def test_maps_are_predicted_from_their_neighbours() -> None:
    numbers = np.cumsum(np.cumsum(normal((20, 1, 32, 32), spread=1), 2), 3)
    alone = 0.5 * np.log2(2 * np.pi * np.e * numbers.var()) * numbers.size
    assert 8 * len(compressed([Batch([numbers])], lattice_of(1, 20))) < 0.5 * alone


# ------------------------------------------------------------------ what is said of them


def test_costs_add_up(tmp_path: object) -> None:
    numbers = normal((3000, 3, 1, 1)) * np.array([0, 1, 40])[:, None, None]
    batch, lattice = Batch([numbers]), lattice_of(3, 3000)
    payload = payload_of(batch, lattice)
    costs = Described(lattice, "x").costs(payload)
    assert sum(costs.values()) == len(payload)
    assert costs["unit 0"] < 20 < costs["unit 1"] < costs["unit 2"]


def test_describing(tmp_path: object) -> None:
    path = f"{tmp_path}/x.isth"
    with open(path, "wb") as file:
        file.write(compressed([Batch([normal((50, 4, 1, 1))])], lattice_of(4, 50)))
    found = describe(path)
    assert (found["content"], found["units"], found["name"]) == ("codes", 50, "x")
    assert found["model"] == FINGERPRINT[:16].hex()
    assert sum(found["parts"].values()) == found["compressed_bytes"]


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize("shape", [(12, 3, 1, 1), (2, 2, 4, 5)])
def test_every_altered_byte_is_found(shape: tuple[int, ...]) -> None:
    content = compressed([Batch([normal(shape)], [f"{k}" for k in range(shape[0])])], lattice_of(shape[1], shape[0]))
    for place in range(len(content)):
        for flip in (1, 128):
            altered = bytearray(content)
            altered[place] ^= flip
            with pytest.raises(IsthmusError):
                decompressed(bytes(altered))
    for length in range(len(content)):
        with pytest.raises(IsthmusError):
            decompressed(content[:length])


def test_another_model_and_none() -> None:
    coded = opened_codes(Source.of(compressed([Batch([normal((2, 2, 1, 1))])], lattice_of(2, 2)), "x"))
    assert coded is not None
    with pytest.raises(ArtifactError, match="needs the model 00010203, which was not given"):
        coded.check_model(None)
    with pytest.raises(ArtifactError, match="needs the model 00010203, and the one given is 61616161"):
        coded.check_model(b"a" * 32)


def test_a_piece_that_is_left_out_is_missed() -> None:
    content = compressed([Batch([normal((2, 2, 1, 1))])], lattice_of(2, 3))
    with pytest.raises(ArtifactError, match="another number of records"):
        decompressed(content)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 1 << 24))
def test_hostile_payloads_raise_and_allocate_nothing(payload: bytes, units: int) -> None:
    for lattice in (lattice_of(3, 5), lattice_of(3, 5, size=9)):
        with pytest.raises((ArtifactError, ValueError)):
            Described(lattice, "x").data(units, payload)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=30))
def test_hostile_lattices(content: bytes) -> None:
    try:
        found = Lattice.read(Source.of(content, "x"))
    except ArtifactError:
        return
    assert found.units < 1 << 21


def test_other_content_is_left_where_it_was() -> None:
    into = io.BytesIO(b"\xc1\x69\x10" + bytes(20))
    assert opened_codes(Source(into, "x")) is None
    assert into.tell() == 0
