"""Priors and models in compressed files: which is taken, how a file names it, and what is said where it is missing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus.coding import Codec, container
from isthmus.coding import prior as priors
from isthmus.coding.choosing import Choice, is_text
from isthmus.coding.container import STREAM, Fields, Source, check_of, first_bytes, small, varint
from isthmus.coding.describing import describe
from isthmus.coding.learning import learned
from isthmus.coding.prior import Prior, blank, shipped
from isthmus.coding.stream import Lost, salvage
from isthmus.errors import ArtifactError, DataTypeError, FormatNumberError, ParameterError

from . import by_the_norm, samples
from .samples import NOISE, TEXT

LONG = TEXT * 130  # more than a small file holds


@pytest.fixture
def model() -> Prior:
    return samples.model()


@pytest.fixture
def other() -> Prior:
    return learned([b"Quite another thing, of which nobody has heard."], None)


@pytest.fixture
def carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Prior]:
    """Let the package carry a prior that was made here."""
    path = tmp_path / "carried.safetensors"
    Codec().fit([b"by the sea shore; the shells"]).save(path)
    monkeypatch.setattr(priors, "SHIPPED", path)
    shipped.cache_clear()
    yield shipped()
    shipped.cache_clear()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the package carry no prior."""
    monkeypatch.setattr(priors, "SHIPPED", Path("nowhere"))
    shipped.cache_clear()
    yield
    shipped.cache_clear()


def archive_of(members: dict[str, bytes], **how: object) -> bytes:
    file = io.BytesIO()
    isthmus.coding.archive.write_archive(file, members, **how)
    return file.getvalue()


def fields_of(content: bytes) -> Fields:
    source = Source(io.BytesIO(content), "it")
    return Fields.read(source, container.opened(source))


# ------------------------------------------------------------------ which prior is taken


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (TEXT, True),
        ("Straße, naïve, 漢字, и так далее".encode(), True),
        ("漢字".encode() * 12_000, True),  # cut within a character
        (b"a,b\r\n1,2\r\n\f\tend\n", True),
        ("Un café crème et un thé, s'il vous plaît.".encode("latin-1"), True),
        (NOISE, False),
        (bytes(100), False),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", False),
        (TEXT.decode().encode("utf-16"), False),
        (b"", False),
        (TEXT * 200 + NOISE * 1000, True),  # nothing behind 64 KiB is looked at
    ],
)
def test_what_looks_like_text(start: bytes, expected: bool) -> None:
    assert is_text(start) == expected


def test_the_choice(carried: Prior, model: Prior) -> None:
    assert Choice(1).for_data(TEXT) is carried
    assert Choice(1).for_data(NOISE) is None
    assert Choice(2).for_data(TEXT) is None
    assert Choice(1, carried=False).for_data(TEXT) is None
    assert Choice(1, model).for_data(NOISE) is Choice(1, model, carried=False).for_members({}) is model
    with pytest.raises(ParameterError, match="a model is used at speed 'normal' only; leave out the model, or the spe"):
        Choice(2, model)


def test_most_bytes_of_an_archive_decide(carried: Prior, tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(TEXT)
    assert Choice(1).for_members({"noise": NOISE, "text": tmp_path / "t"}) is carried
    assert Choice(1).for_members({"text": TEXT, "noise": NOISE * 3}) is None
    assert Choice(1).for_members({}) is Choice(1).for_members({"empty": b""}) is None


@pytest.mark.parametrize("data", [TEXT, LONG])
def test_the_prior_of_the_package_is_found_by_itself(carried: Prior, data: bytes, other: Prior) -> None:
    compressed = isthmus.compress(data)
    assert isthmus.decompress(compressed) == data == by_the_norm.decoded(compressed)
    assert isthmus.decompress(compressed, model=_codec(other)) == data
    without = isthmus.compress(data, prior=False)
    assert isthmus.decompress(without) == data
    assert without != compressed
    if data is TEXT:
        assert (compressed[2], without[2]) == (0x12, 0x11)
    else:
        assert (fields_of(compressed).prior, fields_of(without).prior) == (carried.fingerprint[:16], None)


def test_an_archive_with_the_prior_of_the_package(carried: Prior) -> None:
    members = {"a": TEXT, "b": NOISE}
    content = archive_of(members)
    assert fields_of(content).prior == carried.fingerprint[:16]
    assert by_the_norm.archive(content) == members == samples.read(content)
    assert fields_of(archive_of(members, speed="fast")).prior is None
    assert fields_of(archive_of(members, prior=False)).prior is None


def test_the_prior_of_the_package_given_as_a_model_is_that_prior(carried: Prior) -> None:
    again = Prior.read(priors.SHIPPED)
    assert again is not carried
    assert isthmus.compress(TEXT, model=_codec(again)) == isthmus.compress(TEXT)


def test_what_is_no_bytes_is_refused_before_a_choice(carried: Prior) -> None:
    with pytest.raises(DataTypeError, match="archive: data must be bytes, got int"):
        archive_of({"a": 5})


@pytest.mark.parametrize("data", [TEXT, LONG])
def test_a_package_without_a_prior(bare: None, data: bytes) -> None:
    assert isthmus.compress(data, verify=False) == isthmus.compress(data, prior=False, verify=False)
    assert archive_of({"a": data}, verify=False) == archive_of({"a": data}, prior=False, verify=False)


# ------------------------------------------------------------------ files with a model


@pytest.mark.parametrize("data", [TEXT, LONG, NOISE, b"", b"x"])
def test_a_model_and_back(model: Prior, data: bytes) -> None:
    compressed = isthmus.compress(data, model=_codec(model))
    assert isthmus.decompress(compressed, model=_codec(model)) == data == by_the_norm.decoded(compressed, model)
    assert len(compressed) <= len(data) + 8


def test_a_model_makes_what_it_knows_smaller(model: Prior, other: Prior, bare: None) -> None:
    sizes = [len(isthmus.compress(TEXT[:90], model=one)) for one in (_codec(model), None, _codec(other))]
    assert sizes[0] < sizes[1]
    assert sizes[0] < sizes[2]


def test_the_coder_begins_with_the_model_wherever_it_begins_afresh(model: Prior) -> None:
    content = samples.stream_of(TEXT, chunk=88, restart=88, model=model)
    source = Source(io.BytesIO(content), "it")
    container.opened(source)
    Fields.read(source, STREAM)
    sizes = []
    while (head := isthmus.coding.stream.Head.read(source, len(sizes))).kind != isthmus.coding.stream.END:
        sizes.append(len(source.take(head.size)))
    assert max(sizes) - min(sizes) < 8  # each chunk is one sentence, of which only the model has heard before
    assert isthmus.decompress(content, model=_codec(model)) == TEXT


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_no_byte(model: Prior, threads: int) -> None:
    found = archive_of({"a": TEXT, "b": LONG}, model=model, threads=threads, verify=threads > 1)
    assert found == archive_of({"a": TEXT, "b": LONG}, model=model, verify=False)


def test_names_and_lengths_need_no_model(model: Prior, other: Prior, tmp_path: Path) -> None:
    path = tmp_path / "x.isth"
    isthmus.Archive.create(path, {"a": TEXT, "b": NOISE, "c": TEXT[9:]}, model=_codec(model)).close()
    with isthmus.Archive(path) as archive:
        assert archive.names == ["a", "b", "c"]
        archive.delete(["b"])
        assert [member.length for member in archive.members] == [len(TEXT), len(TEXT) - 9]
        for read in (lambda: archive.read("a"), lambda: archive.add({"d": TEXT})):
            with pytest.raises(ArtifactError, match=f"x.isth needs the model {model.fingerprint.hex()[:8]}, which was"):
                read()
        with pytest.raises(ArtifactError, match="which was not given"):
            archive.extract(tmp_path / "out" / "deep")
    assert [one.name for one in tmp_path.iterdir()] == ["x.isth"]
    with isthmus.Archive(path, model=_codec(other)) as archive, pytest.raises(ArtifactError, match="the one given is"):
        archive.add({"d": TEXT})
    with isthmus.Archive(path, model=_codec(model)) as archive:
        archive.add({"d": TEXT})
        assert archive.read("d") == archive.read("a") == TEXT
    found = describe(path)
    assert (found["model"], found["carried"]) == (model.fingerprint[:16].hex(), False)
    assert sum(found["parts"].values()) == path.stat().st_size


def test_members_are_added_as_the_archive_was_made(model: Prior, tmp_path: Path) -> None:
    path = tmp_path / "x.isth"
    isthmus.Archive.create(path, {"a": TEXT}, prior=False).close()
    with isthmus.Archive(path, model=_codec(model)) as archive:
        assert archive.read("a") == TEXT
        sentence = "was made without this model, and members are added as it was made; leave out the model, or make a"
        with pytest.raises(ParameterError, match=sentence):
            archive.add({"b": TEXT})


def test_a_file_as_gzip_opens_it(model: Prior, tmp_path: Path) -> None:
    path = tmp_path / "x.isth"
    with isthmus.open_compressed(path, "wt", model=_codec(model)) as file:
        file.write(TEXT.decode())
        file.flush()
    with isthmus.open_compressed(path, "rt", model=_codec(model)) as file:
        assert file.read() == TEXT.decode()
    with pytest.raises(ArtifactError, match=r"x\.isth needs the model"):
        isthmus.open_compressed(path).read()


# ------------------------------------------------------------------ another model, or none

WITH_MODEL = {sample.name: sample for sample in samples.all_samples() if "model" in sample.name}


@pytest.mark.parametrize("name", WITH_MODEL)
def test_another_model_is_named_with_the_one_that_is_needed(name: str, model: Prior, other: Prior) -> None:
    content = WITH_MODEL[name].content
    needed, given = (one.fingerprint.hex()[:8] for one in (model, other))
    for tried, said in ((None, "which was not given"), (other, f"and the one given is {given}")):
        sentence = f"needs the model {needed}, {said}; give the file of that model with -m"
        with pytest.raises(ArtifactError, match=sentence) as caught:
            _read(content, tried)
        assert caught.value.exit_code == 4


def test_a_model_that_is_missing_is_no_damage(other: Prior) -> None:
    source = Source(io.BytesIO(WITH_MODEL["stream, with a model"].content), "it")
    container.opened(source)
    with pytest.raises(ArtifactError, match="needs the model"):
        list(salvage(source, other))


def test_a_damaged_stream_is_saved_with_its_model(model: Prior) -> None:
    content = bytearray(samples.stream_of(TEXT, chunk=100, restart=200, model=model))
    content[40] ^= 1
    source = Source(io.BytesIO(bytes(content)), "it")
    container.opened(source)
    pieces = list(salvage(source, model))
    assert any(isinstance(piece, Lost) for piece in pieces)
    assert TEXT.endswith(b"".join(piece for piece in pieces if isinstance(piece, bytes))[-200:])


def test_a_forged_fingerprint_decodes_to_nothing(model: Prior, other: Prior) -> None:
    content = bytearray(small(TEXT, model))
    content[8:12] = other.fingerprint[:4]
    with pytest.raises(ArtifactError, match="its check does not fit its data"):
        isthmus.decompress(bytes(content), model=_codec(other))
    with pytest.raises(ArtifactError, match=f"needs the model {other.fingerprint.hex()[:8]}, and the one given is"):
        isthmus.decompress(bytes(content), model=_codec(model))


def test_a_forged_fingerprint_in_the_head_of_a_stream(model: Prior, other: Prior) -> None:
    content = samples.stream_of(TEXT, model=model)
    fields = fields_of(content)
    head = fields.to_bytes(STREAM)
    assert content.startswith(head)
    forged = Fields(fields.method, fields.speed, fields.bits, None, other.fingerprint[:16]).to_bytes(STREAM)
    with pytest.raises(ArtifactError, match="chunk 0 does not fit its check"):
        isthmus.decompress(forged + content[len(head) :], model=_codec(other))


def test_the_prior_of_a_later_package(bare: None) -> None:
    content = first_bytes(2) + small(TEXT)[3:]
    with pytest.raises(FormatNumberError, match="written by a later version of isthmus: form 2 is not known"):
        isthmus.decompress(content)


@pytest.mark.parametrize(
    ("coder", "prior", "error", "said"),
    [
        (bytes([1, 1, 12]), bytes(15), ArtifactError, "its head does not say which prior it needs"),
        (bytes([1, 1, 12]), b"", ArtifactError, "its head does not say which prior it needs"),
        (bytes([1, 2, 12]), bytes(16), FormatNumberError, "a prior for method 1, speed 2 is not known"),
        (bytes([0, 0, 0]), bytes(16), FormatNumberError, "a prior for method 0, speed 0 is not known"),
        (bytes([1, 1, 12]), bytes(16), ArtifactError, "needs the model 00000000, which was not given"),
    ],
)
def test_fields_that_name_no_prior(coder: bytes, prior: bytes, error: type, said: str) -> None:
    packed = b"".join(varint(tag) + varint(len(value)) + value for tag, value in ((4, coder), (6, prior)))
    first = first_bytes(STREAM) + varint(len(packed)) + packed
    with pytest.raises(error, match=said):
        isthmus.decompress(first + check_of(first[2:]))


# ------------------------------------------------------------------ the tensors


def test_the_fingerprint_is_that_of_the_norm() -> None:
    prior = samples.model()
    assert prior.fingerprint == by_the_norm.fingerprint(prior)
    assert len(prior.fingerprint) == 32


def test_nobody_changes_a_prior() -> None:
    tensor = np.arange(256, dtype=np.int16)
    prior = Prior({**blank().tensors, "bias": tensor})
    before = prior.fingerprint
    tensor[0] = 9
    assert Prior(prior.tensors).fingerprint == before
    with pytest.raises(ValueError, match="read-only"):
        prior.tensors["bias"][0] = 1
    with pytest.raises(TypeError):
        prior.tensors["bias"] = tensor  # type: ignore[index]


def _codec(prior: Prior) -> Codec:
    codec = Codec()
    codec.prior_ = prior
    return codec


def _read(content: bytes, prior: Prior | None) -> object:
    codec = None if prior is None else _codec(prior)
    if content[2] & 15 == container.ARCHIVE:
        return isthmus.Archive(io.BytesIO(content), model=codec).read("a.txt")
    return isthmus.decompress(content, model=codec)
