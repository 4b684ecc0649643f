"""Weights of the decoder: files, what is refused, and small changes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isthmus import artifact
from isthmus.coding.photographs.changes import changes_from_bytes, changes_to_bytes
from isthmus.coding.photographs.weights import CLASS, SHAPES, Weights
from isthmus.errors import ArtifactError, FormatNumberError
from isthmus.networks.photographic_integers import from_integers

from .samples import weights


@pytest.fixture(scope="module")
def some() -> Weights:
    return weights(1)


def test_names_and_shapes_are_those_of_the_network(some: Weights) -> None:
    assert set(SHAPES) == set(from_integers(some.tensors).state_dict())


def test_weights_are_read_as_they_were_written(some: Weights, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    some.write(path, {"photographs": 3})
    found = Weights.read(path)
    assert found.fingerprint == some.fingerprint
    assert all(np.array_equal(found.tensors[name], some.tensors[name]) for name in SHAPES)
    assert not found.tensors["levels.0.up_bias"].flags.writeable


def test_files_of_something_else_are_refused(some: Weights, tmp_path: Path) -> None:
    arrays = dict(some.tensors)
    cases: list[tuple[str, dict[str, int], type[Exception], str]] = [
        ("Codec", {"decoder": 1}, ArtifactError, "not a PhotographDecoder"),
        (CLASS, {"decoder": 2}, FormatNumberError, "not known to this version"),
        (CLASS, {}, ArtifactError, "make it anew"),
    ]
    for number, (name, document, error, match) in enumerate(cases):
        path = tmp_path / f"{number}.safetensors"
        artifact.write(path, name, document, arrays)
        with pytest.raises(error, match=match):
            Weights.read(path)
    path = tmp_path / "lacks.safetensors"
    artifact.write(path, CLASS, {"decoder": 1}, {"levels.0.up_bias": arrays["levels.0.up_bias"]})
    with pytest.raises(ArtifactError, match="none that the decoder has"):
        Weights.read(path)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("levels.0.look.weight", 32767, "too large"),
        ("levels.3.prior.last_bias", 2**31 - 1, "too large"),
        ("levels.5.up.weight", -32768, "too large"),
        ("levels.1.bias.anchors", -(2**31), "too large"),
        ("levels.2.step.anchors", 9 << 16, "out of bounds"),
        ("levels.2.step.anchors", -(21 << 16), "out of bounds"),
    ],
)
def test_weights_that_could_overflow_are_refused(some: Weights, name: str, value: int, why: str) -> None:
    tensors = dict(some.tensors)
    tensors[name] = np.full_like(tensors[name], value)
    with pytest.raises(ArtifactError, match=why):
        Weights(tensors)


def test_changes_are_added(some: Weights) -> None:
    change = np.zeros(SHAPES["levels.0.up_bias"][1], np.int64)
    change[3] = -5000
    found = some.with_changes({"levels.0.up_bias": change})
    assert found.fingerprint != some.fingerprint
    assert (found.tensors["levels.0.up_bias"] - some.tensors["levels.0.up_bias"]).tolist() == change.tolist()
    assert some.with_changes({}).fingerprint == some.fingerprint


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [("levels.9.up_bias", 0, "does not have"), ("levels.0.look.weight", 40000, "no room"),
     ("levels.0.up_bias", 2**31 - 1, "too large|no room")],
)  # fmt: skip
def test_changes_that_cannot_be_added_are_refused(some: Weights, name: str, value: int, match: str) -> None:
    change = np.full(SHAPES.get(name, ("", (3,)))[1], value, np.int64)
    with pytest.raises(ValueError, match=match):
        some.with_changes({name: change})


def changes(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    sparse = np.where(rng.random(SHAPES["levels.0.up.weight"][1]) < 0.02, rng.integers(-3, 4), 0) << 4
    return {
        "levels.0.up.weight": sparse,
        "levels.0.up_bias": rng.integers(-900, 900, SHAPES["levels.0.up_bias"][1]) << 11,
        "levels.4.step.anchors": np.rint(rng.laplace(0, 4, SHAPES["levels.4.step.anchors"][1])).astype(np.int64),
    }


def test_changes_come_back_from_bytes(some: Weights) -> None:
    given = changes(0)
    found = changes_from_bytes(changes_to_bytes(given), some)
    assert set(found) == set(given)
    assert all(np.array_equal(found[name], given[name]) for name in given)


def test_changes_that_are_few_take_few_bytes(some: Weights) -> None:
    one = np.zeros(SHAPES["levels.1.up.weight"][1], np.int64)
    one.flat[1000] = 64
    assert len(changes_to_bytes({"levels.1.up.weight": one})) < 28
    assert changes_to_bytes({}) == changes_to_bytes({"levels.1.up.weight": one * 0}) == b""
    assert changes_from_bytes(b"", some) == {}


def test_changes_that_cannot_be_written_are_refused() -> None:
    bias = np.ones(SHAPES["levels.0.up_bias"][1], np.int64)
    for given in ({"another": bias}, {"levels.0.up_bias": bias[1:]}, {"levels.0.up_bias": bias * 40001}):
        with pytest.raises(ValueError, match="changes of"):
            changes_to_bytes(given)


def test_bytes_that_are_no_changes_are_refused(some: Weights) -> None:
    content, rng = changes_to_bytes(changes(1)), np.random.default_rng(2)
    others = [content[:-1], content[: len(content) // 2], content + b"\1", b"\xff" * 9]
    for other in [*others, *(rng.bytes(n) for n in (1, 5, 9, 40))]:
        try:
            found = changes_from_bytes(other, some)
        except ValueError:
            continue
        assert all(change.shape == SHAPES[name][1] for name, change in found.items())
