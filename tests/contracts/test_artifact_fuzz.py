"""Whatever stands in a file: reading it gives the model or one sentence, takes little memory, and runs nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import resource
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

import isthmus
from isthmus import artifact, data, preprocessing
from isthmus.cli import main
from isthmus.description import no_more_than
from isthmus.errors import ArtifactError, DataError
from isthmus.networks.priors import MixturePrior

from . import forging
from .forging import changed, places, signed

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("image", "table")
WHOLE = {name: (GOLDEN / f"format-1-{name}.safetensors").read_bytes() for name in NAMES}
ARRAYS = {name: load(content) for name, content in WHOLE.items()}
ENVELOPES = {name: artifact.describe(GOLDEN / f"format-1-{name}.safetensors") for name in NAMES}
MEMORY = 600  # MiB more than before, at most: threads and libraries that are loaded take some

few = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
names = st.sampled_from(NAMES)


@pytest.fixture(scope="module", autouse=True)
def within_memory():
    """Compare the memory that was taken at most before and after: lies about sizes must not be believed."""
    before = _peak()
    yield
    assert _peak() - before < MEMORY


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "model.safetensors"


def read(path: Path, content: bytes) -> list[str]:
    """Return the sentences with which a file's content is refused by the ways of reading it; none where it is whole."""
    path.write_bytes(content)
    sentences = []
    for way in (artifact.describe, artifact.read, isthmus.load):
        try:
            way(path)
        except ArtifactError as error:
            sentence = str(error)
            assert sentence.startswith((str(path), "The weights in")), sentence
            assert str(path) in sentence
            assert sentence.isprintable(), sentence
            assert len(sentence) < 600
            sentences.append(sentence)
    return sentences


def refused_or_the_same(path: Path, name: str, content: bytes) -> bool:
    """Tell whether a changed file is refused by all ways of reading, or means what it did (as with another space)."""
    sentences = read(path, content)
    if sentences:
        return len(sentences) >= 2
    arrays = artifact.read(path)[1]
    equal = (np.array_equal(np.atleast_1d(arrays[key]), np.atleast_1d(old)) for key, old in ARRAYS[name].items())
    return artifact.describe(path) == ENVELOPES[name] and all(equal)


# ------------------------------------------------------------------ altered bytes


@few
@given(name=names, data=st.data())
def test_altered_bytes(path, name, data):
    content = bytearray(WHOLE[name])
    places = data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4))
    for place in places:
        content[place] ^= data.draw(st.integers(1, 255))
    assert refused_or_the_same(path, name, bytes(content))


@few
@given(name=names, data=st.data())
def test_bytes_that_are_cut_put_in_or_left_out(path, name, data):
    content = WHOLE[name]
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.one_of(st.integers(start, len(content)), st.just(len(content))))
    put_in = data.draw(st.binary(max_size=20))
    assert refused_or_the_same(path, name, content[:start] + put_in + content[stop:])


@few
@given(name=names, length=st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 30_000)))
@example(name="image", length=2**64 - 1)
@example(name="image", length=2**63)
@example(name="image", length=99_999_999)
def test_another_length_of_the_header(path, name, length):
    assert refused_or_the_same(path, name, struct.pack("<Q", length) + WHOLE[name][8:])


@few
@given(content=st.binary(max_size=200))
def test_any_bytes(path, content):
    assert read(path, content)


# ------------------------------------------------------------------ altered headers

TYPES = ("BOOL", "U8", "I8", "I64", "F16", "BF16", "F32", "F64", "F8_E4M3", "F8_E8M0", "F4", "C64", "U16", "X", 3, None)
sides = st.one_of(st.integers(0, 70), st.sampled_from([-1, 2**31, 2**62, 2**64, 1.5, None]))


@few
@given(
    name=names,
    which=st.integers(0, 1000),
    part=st.one_of(
        st.tuples(st.just("dtype"), st.sampled_from(TYPES)),
        st.tuples(st.just("shape"), st.lists(sides, max_size=5)),
        st.tuples(st.just("data_offsets"), st.lists(sides, max_size=3)),
    ),
)
def test_another_type_shape_or_place_of_a_tensor(path, name, which, part):
    length = struct.unpack("<Q", WHOLE[name][:8])[0]
    header = json.loads(WHOLE[name][8 : 8 + length])
    tensors = sorted(set(header) - {"__metadata__"})
    tensor = tensors[which % len(tensors)]
    header[tensor][part[0]] = part[1]
    text = json.dumps(header).encode()
    assert refused_or_the_same(path, name, struct.pack("<Q", len(text)) + text + WHOLE[name][8 + length :])


@pytest.mark.parametrize("kind", [kind for kind in TYPES if isinstance(kind, str)])
def test_types_that_numpy_lacks(path, kind):
    header = json.loads(WHOLE["image"][8 : 8 + struct.unpack("<Q", WHOLE["image"][:8])[0]])
    header = {"__metadata__": header["__metadata__"], "x": {"dtype": kind, "shape": [2, 8], "data_offsets": [0, 16]}}
    text = json.dumps(header).encode()
    assert "damaged or cut short" in read(path, struct.pack("<Q", len(text)) + text + bytes(16))[-1]


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b'{"__metadata__":' + b'{"isthmus":' * 100_000,
        b'{"a":{"dtype":"' + b"F" * 100_000 + b'"}}',
        b'{"__metadata__":{"isthmus":3}}',
        b'{"__metadata__":{"isthmus":"\xff"}}',
        b"{}",
        b"null",
    ],
    ids=range(7),
)
def test_headers_of_all_kinds(path, header):
    assert read(path, struct.pack("<Q", len(header)) + header)


# ------------------------------------------------------------------ files whose checksums are right


PLACES = {name: places(envelope) for name, envelope in ENVELOPES.items()}
values = st.one_of(
    st.just(...),
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, 2, 10**6, 10**9, 2**63, 10**30, 0.5, -1.5, 1e300]),
    st.text(max_size=10),
    st.sampled_from(
        [[], {}, [[]], [1] * 1000, {"a": {}}, "x" * 10_000, ["x", None], "cuda", "float16", "\ud800", "QUJD"]
    ),
)


@settings(few, max_examples=250)
@given(name=names, which=st.integers(0, 10_000), value=values)
def test_any_part_of_a_description_may_be_wrong(path, name, which, value):
    place = PLACES[name][which % len(PLACES[name])]
    read(path, signed(changed(ENVELOPES[name], place, value), ARRAYS[name]))


@few
@given(name=names, which=st.integers(0, 1000), what=st.sampled_from(["drop", "flat", "bool", "long", "empty", "nan"]))
def test_any_array_may_be_wrong(path, name, which, what):
    arrays = dict(ARRAYS[name])
    key = sorted(arrays)[which % len(arrays)]
    old = arrays.pop(key)
    new = {
        "flat": old.reshape(-1),
        "bool": old.astype(bool),
        "long": np.concatenate([old.reshape(-1)] * 3),
        "empty": old.reshape(-1)[:0],
        "nan": np.full_like(old, np.nan if old.dtype.kind == "f" else 0),
    }
    if what != "drop":
        arrays[key] = new[what]
    read(path, signed(ENVELOPES[name], arrays))


@few
@given(name=names, which=st.integers(0, 10_000), value=values)
def test_verify_and_info_say_one_sentence(path, capsys, name, which, value):
    place = PLACES[name][which % len(PLACES[name])]
    path.write_bytes(signed(changed(ENVELOPES[name], place, value), ARRAYS[name]))
    for verb in ("verify", "info"):
        code = main([verb, str(path)])
        said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: ")]
        assert (code in (0, 1) and not said) or (code in (4, 6) and len(said) == 1), (code, said)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "NaN", "1" * 5000, '"' + "x" * 2_000_000 + '"'])
def test_a_description_that_is_deep_or_long(path, text):
    content = save({}, {"isthmus": text, "sha256": hashlib.sha256(text.encode()).hexdigest()})
    assert len(read(path, content)) == 3


@pytest.mark.parametrize(
    ("name", "part", "value"),
    [
        ("image", "latent_dim", 10**8),
        ("image", "latent_dim", 10**15),
        ("image", "hidden", [10**5, 10**5]),
        ("image", "hidden", [1] * 14),
        ("image", "shape", [10**9, 8, 8]),
        ("image", "shape", [1, 10**6, 8]),
        ("table", "shape", [10**9]),
        ("table", "hidden", [10**6, 10**6]),
        ("table", "hidden", [1] * 100_000),
        ("table", "latent_dim", 10**8),
    ],
)
def test_a_description_of_a_network_that_would_take_all_memory(path, name, part, value):
    place = ("preprocessing", "state", part) if part == "shape" else ("parameters", part)
    forged = changed(ENVELOPES[name], ("document", *place), value)
    assert "cannot make sense of its description" in read(path, signed(forged, ARRAYS[name]))[-1]


def test_what_no_reader_would_accept_is_not_written(path, monkeypatch):
    monkeypatch.setattr(artifact, "DOCUMENT_LIMIT", 1000)
    with pytest.raises(ArtifactError, match=r"The description of this Model takes 1,\d+ bytes, and no reader accepts"):
        artifact.write(path.with_name("large.safetensors"), "Model", {"notes": ["x" * 1000]}, {})
    assert not path.with_name("large.safetensors").exists()


def test_reading_runs_nothing(path):
    """No code object is run, nothing is imported by a name in the file, and no process is started."""
    texts = [signed(changed(ENVELOPES["table"], place, "os.system"), ARRAYS["table"]) for place in PLACES["table"]]
    read(path, WHOLE["table"])  # loads what reading needs
    seen: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple) -> None:
        if watching and event in ("exec", "compile", "import", "os.system", "subprocess.Popen", "pickle.find_class"):
            seen.append(f"{event} {arguments!r:.100}")

    sys.addaudithook(watch)
    for content in texts[:: max(1, len(texts) // 60)]:
        read(path, content)
    watching = False
    assert seen == []


# ------------------------------------------------------------------ files of every kind, read and used


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return [*forging.golden(), *forging.fitted(tmp_path_factory.mktemp("sources"))]


def test_sound_files_are_read_and_used(path, sources, capsys):
    for source in sources:
        path.write_bytes(signed(source.envelope, source.arrays))
        found = forging.outcome(path, source)
        # The oldest files have no density of codes to draw from.
        assert found.kind == ("refused at use" if source.name in ("image", "table") else "used"), (source.name, found)
        if source.name != "own":
            assert main(["verify", str(path)]) == 0, capsys.readouterr().err
            assert main(["info", str(path)]) == 0, capsys.readouterr().err


@pytest.mark.long
def test_forged_files_end_in_one_sentence_or_work(path, sources):
    for number in range(390):
        source = sources[number % len(sources)]
        path.write_bytes(forging.mutant(source, np.random.default_rng([15, number])))
        found = forging.outcome(path, source)
        assert not found.is_fault, (source.name, number, found)
        assert found.kind == "used" or (found.said.isprintable() and len(found.said) < 700), found.said


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(path, tmp_path, capsys, value):
    arrays = {name: array.copy() for name, array in ARRAYS["image"].items()}
    name = next(name for name in sorted(arrays) if name.startswith("module.") and arrays[name].dtype == np.float32)
    arrays[name].flat[0] = value
    sentence = f"its array '{name.removeprefix('module.')}' holds numbers that are not finite"
    assert sentence in read(path, signed(ENVELOPES["image"], arrays))[-1]
    np.save(tmp_path / "x.npy", np.zeros((3, 8, 8), np.uint8))
    codes = tmp_path / "codes.npy"
    for verb in (["verify", str(path)], ["encode", str(tmp_path / "x.npy"), "-m", str(path), "-o", str(codes)]):
        assert main(verb) == 4
        assert sentence in capsys.readouterr().err
    assert not codes.exists()


def test_weights_that_are_too_large(path):
    arrays = ARRAYS["image"] | {
        name: np.full_like(array, 1e38) for name, array in ARRAYS["image"].items() if name.endswith("weight")
    }
    assert "what it computes for record 0 is not finite" in read(path, signed(ENVELOPES["image"], arrays))[-1]


def test_results_that_are_not_finite_are_refused():
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    model = isthmus.Autoencoder(latent_dim=2, hidden=(), max_epochs=1, random_state=0, scaling="none").fit(rows)
    rows[7] = 3e38
    for use in (model.transform, model.reconstruct, model.score_samples):
        with pytest.raises(
            DataError, match=r"^Autoencoder: what it computes for record 7 is not finite; its numbers lie"
        ):
            use(rows)
    with pytest.raises(DataError, match="record 1 is not finite"):
        model.inverse_transform(np.array([[0, 0], [3e38, -3e38]], np.float32))


def test_a_network_of_ones_own_and_a_forged_description(path, sources):
    own = next(source for source in sources if source.name == "own")
    forged = changed(own.envelope, ("document", "parameters", "max_epochs"), [3])
    path.write_bytes(signed(forged, own.arrays))
    sentence = (
        r"its description and the modules given do not go together \(parameters.max_epochs must be a number or null"
    )
    with pytest.raises(ArtifactError, match=sentence):
        isthmus.load(path, network=own.network())


def test_a_prior_that_a_file_claims_takes_no_memory() -> None:
    before = _peak()
    for width, components in ((1000, 10**6), (1, 2**30)):  # four GB
        with pytest.raises(ArtifactError, match="larger network"), no_more_than([torch.zeros(100)] * 3, 2):
            MixturePrior(width, components, torch.Generator())
    assert _peak() - before < 512


def _state(rows: np.ndarray) -> tuple[dict, dict]:
    opened = data.open(rows)
    return preprocessing.for_data(opened).fit(opened).state()


def test_a_record_that_a_file_claims_is_not_made() -> None:
    document, arrays = _state(np.random.default_rng(0).normal(size=(50, 4)))
    for side in (2**28, 2**60):
        before = _peak()
        with contextlib.suppress(ArtifactError):
            preprocessing.from_state("ArrayPreprocessor", document | {"shape": [side]}, arrays)
        assert _peak() - before < 256


def test_atoms_are_one_list() -> None:
    rng = np.random.default_rng(0)
    rows = np.where(rng.random((400, 3)) < 0.5, 0.0, rng.normal(size=(400, 3)) * (1, 50, 3000) + (0, 500, 0))
    document, arrays = _state(rows)
    assert arrays["atoms"].shape == (3,)
    with pytest.raises(ArtifactError, match="'atoms' must be any"):
        preprocessing.from_state("ArrayPreprocessor", document, arrays | {"atoms": arrays["atoms"][:, None]})
