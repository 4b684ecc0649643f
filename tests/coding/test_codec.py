"""Codec as Python has it: what it learns from, its file, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus import artifact
from isthmus.coding import codec as codecs
from isthmus.coding import kinds
from isthmus.coding.codec import Codec
from isthmus.coding.prior import blank
from isthmus.errors import (
    ArtifactError,
    DataError,
    DataTypeError,
    FormatNumberError,
    IsthmusWarning,
    OutputExistsError,
    ParameterError,
)

LINES = [b"GET /v1/users/%d 200 in %d ms\n" % (number, number % 7) for number in range(60)]


@pytest.fixture
def codec() -> Codec:
    return Codec().fit(LINES)


@pytest.fixture
def path(codec: Codec, tmp_path: Path) -> Path:
    codec.save(tmp_path / "logs.safetensors")
    return tmp_path / "logs.safetensors"


def seen_by(data: object, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the texts that a fit learns from."""
    seen: list[bytes] = []
    real = codecs.learned

    def learned(texts, start, *, progress=None):
        seen.extend(texts)
        return real(seen, start, progress=progress)

    monkeypatch.setattr(codecs, "learned", learned)
    Codec().fit(data)
    return seen


# ------------------------------------------------------------------ what it learns from


def test_files_folders_bytes_and_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "corpus"
    (folder / "sub").mkdir(parents=True)
    (folder / "b:.log").write_bytes(b"second")  # a name that no archive takes
    (folder / "a").write_bytes(b"first")
    (folder / "sub" / "c").write_bytes(b"third")
    in_folder = [b"first", b"second", b"third"]
    for data, expected in (
        (folder, in_folder),
        (str(folder), in_folder),
        (str(folder / "a"), [b"first"]),
        ([folder / "a", "a text", b"bytes", folder], [b"first", b"a text", b"bytes", *in_folder]),
        ((line for line in LINES), LINES),
        (b"bytes", [b"bytes"]),
        (np.arange(3, dtype=np.uint8), [b"\0\1\2"]),
        ("é".encode(), ["é".encode()]),
        (["é"], ["é".encode()]),
    ):
        assert seen_by(data, monkeypatch) == expected


def test_a_large_file_is_learned_from_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "PIECE", 10)
    (tmp_path / "x").write_bytes(bytes(25))
    assert [len(piece) for piece in seen_by(tmp_path / "x", monkeypatch)] == [10, 10, 5]


def test_links_in_a_folder_are_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.warns(IsthmusWarning, match=r"left out 'link' \(a link\): only regular files are learned from"):
        Codec().fit(tmp_path)


def test_how_far_it_is(codec: Codec) -> None:
    told: list[int] = []
    Codec().fit(LINES, progress=told.append)
    assert sum(told) == sum(map(len, LINES)) == codec.provenance_["bytes"]
    assert codec.provenance_["pieces"] == 60


@pytest.mark.parametrize("data", [b"", [], [b""], [""]])
def test_nothing_to_learn_from(data: object) -> None:
    with pytest.raises(DataError, match="the data hold no byte to learn from; give other files, or texts"):
        Codec().fit(data)


def test_what_cannot_be_learned_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataTypeError, match="data must be paths, bytes or texts, got int; pass one of these"):
        Codec().fit(5)
    with pytest.raises(DataTypeError, match=r"Codec\.fit: data must be bytes, got float"):
        Codec().fit([1.5])
    with pytest.raises(FileNotFoundError):
        Codec().fit("nowhere")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe is a pipe, where a file is needed"):
        Codec().fit(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.log").write_bytes(b"text")
    with pytest.raises(DataTypeError, match=r"the text 'a\.log' is the name of a file; give a Path"):
        Codec().fit(["a.log"])
    assert Codec().fit([b"a.log"]).provenance_["bytes"] == 5


def test_one_that_has_not_learned() -> None:
    for use in (
        lambda: Codec().compress(b"x"),
        lambda: Codec().decompress(b"x"),
        lambda: Codec().save("x"),
        lambda: Codec().fingerprint_,
        lambda: isthmus.compress(b"x", model=Codec()),
    ):
        with pytest.raises(ParameterError, match=r"Codec: it must be fitted; call fit\(data\) first, or isthmus.load"):
            use()
    assert not Path("x").exists()


def test_a_model_is_a_codec_or_a_path() -> None:
    with pytest.raises(ParameterError, match=r"compress: model must be a codec, such as isthmus\.Codec, or the"):
        isthmus.compress(b"x", model=True)


# ------------------------------------------------------------------ its file


def test_saved_and_loaded(codec: Codec, path: Path) -> None:
    for again in (Codec.load(path), isthmus.load(path)):
        assert isinstance(again, Codec)
        assert again.fingerprint_ == codec.fingerprint_
        assert again.provenance_ == codec.provenance_
        assert again.decompress(codec.compress(LINES[3])) == LINES[3]
    assert isthmus.decompress(isthmus.compress(LINES[4], model=path), model=str(path)) == LINES[4]
    with pytest.raises(OutputExistsError):
        codec.save(path)
    codec.save(path, force=True)


def test_the_same_data_give_the_same_model(codec: Codec) -> None:
    assert Codec().fit(LINES).fingerprint_ == codec.fingerprint_
    assert Codec().fit([b"other"]).fingerprint_ != codec.fingerprint_
    assert repr(codec) == "Codec()"


def test_a_file_cut_short_or_altered_anywhere(path: Path, tmp_path: Path) -> None:
    content, damaged = path.read_bytes(), tmp_path / "damaged"
    for length in (*range(0, 4000, 400), *range(4000, len(content), len(content) // 7)):
        damaged.write_bytes(content[:length])
        with pytest.raises(ArtifactError, match="damaged"):
            isthmus.compress(b"x", model=damaged)
    for place in (*range(0, 4000, 200), *range(4000, len(content), len(content) // 20)):
        altered = bytearray(content)
        altered[place] ^= 1
        damaged.write_bytes(bytes(altered))
        with pytest.raises(ArtifactError, match="damaged"):
            Codec.load(damaged)


def forged(path: Path, document: dict | None = None, tensors: dict | None = None, **envelope: object) -> Path:
    """Write a model's file that says something else, with checks that are right."""
    before, arrays = artifact.read(path)
    artifact.write(path, "Codec", before if document is None else document, tensors or arrays, force=True)
    if envelope:
        from safetensors import safe_open
        from safetensors.numpy import save

        with safe_open(path, framework="numpy") as file:
            text = json.dumps(json.loads(file.metadata()["isthmus"]) | envelope)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        path.write_bytes(save(arrays, {"isthmus": text, "sha256": artifact._sha256(text.encode())}))
    return path


def test_a_model_of_a_later_version(path: Path) -> None:
    forged(path, {"predictor": 2, "provenance": {}})
    with pytest.raises(FormatNumberError, match="is a model for predictor 2, which is not known to this version; inst"):
        Codec.load(path)
    forged(path, format=2)
    with pytest.raises(FormatNumberError, match=r"has format 2, this isthmus reads up to 1"):
        isthmus.compress(b"x", model=path)


@pytest.mark.parametrize(
    ("document", "tensors"),
    [
        ({}, None),
        ({"predictor": "1"}, None),
        ({"predictor": True, "provenance": {}}, None),
        ({"predictor": 1}, None),
        ({"predictor": 1, "provenance": {"bytes": [1]}}, None),
        (None, {"x": np.zeros(3, np.uint8)}),
        (None, {**blank().tensors, "bias": np.zeros(256)}),
        (None, {f"t{number}": np.zeros(1, np.uint8) for number in range(300)}),
    ],
)
def test_a_file_with_right_checksums_that_makes_no_sense(path: Path, document: dict, tensors: dict) -> None:
    forged(path, document, tensors)
    with pytest.raises(ArtifactError, match="has the right checksums, but isthmus cannot make sense of"):
        Codec.load(path)


def test_a_file_that_is_too_large_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "FILE_LIMIT", 100)
    with pytest.raises(ArtifactError, match=r"logs\.safetensors is larger than the 100 bytes that the file of a codec"):
        Codec.load(path)


def test_the_file_of_something_else(tmp_path: Path) -> None:
    artifact.write(tmp_path / "a.safetensors", "Autoencoder", {}, {"x": np.zeros(3)})
    with pytest.raises(ArtifactError, match="holds an Autoencoder, which is no codec; make one"):
        isthmus.compress(b"x", model=tmp_path / "a.safetensors")
    (tmp_path / "x.isth").write_bytes(isthmus.compress(b"x"))
    with pytest.raises(ArtifactError, match=r"x\.isth is no model file"):
        isthmus.compress(b"x", model=tmp_path / "x.isth")
    with pytest.raises(FileNotFoundError, match="There is no model file"):
        isthmus.compress(b"x", model=tmp_path / "nothing")


def test_no_torch_is_needed(path: Path) -> None:
    script = (
        "import sys, isthmus; codec = isthmus.load(sys.argv[1]); "
        "assert codec.decompress(isthmus.compress(b'x', model=codec)) == b'x'; isthmus.Codec().fit([b'y']); "
        "sys.exit('torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(isthmus.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", script, str(path)], env=environment, check=False).returncode == 0
