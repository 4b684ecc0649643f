"""Archives whose members are compressed files: by a model of pictures, or as bytes where it is not for them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus.coding import contents
from isthmus.coding.archive import write_archive
from isthmus.coding.container import STREAM, Fields, Source, opened
from isthmus.coding.describing import describe
from isthmus.coding.recognising import recognised
from isthmus.errors import ArtifactError, FormatNumberError, IsthmusWarning, ParameterError

from .pictures.samples import decoded_by_pillow, digits, png_of

PICTURES = {f"scans/{number}.png": png_of(picture) for number, picture in enumerate(digits(4, seed=2))}
OTHERS = {"readme.txt": b"of a canal " * 9, "empty": b"", "small.png": png_of(digits(1)[0, :9])}
MEMBERS = {**PICTURES, **OTHERS}


@pytest.fixture(scope="module")
def model() -> isthmus.PictureCodec:
    return isthmus.PictureCodec().fit(digits(9))


@pytest.fixture
def archive(model: isthmus.PictureCodec, tmp_path: Path) -> Path:
    with pytest.warns(IsthmusWarning, match="readme.txt, empty, small.png: coded without the model"):
        isthmus.Archive.create(tmp_path / "a.isth", MEMBERS, model=model).close()
    return tmp_path / "a.isth"


def test_each_member_can_be_had_alone(archive: Path, model: isthmus.PictureCodec) -> None:
    with isthmus.Archive(archive, model=model) as found:
        assert {name: found.read(name) for name in found.names} == MEMBERS
        assert {one.name: one.length for one in found.members} == {name: len(data) for name, data in MEMBERS.items()}


def test_pictures_become_smaller_than_without_the_model(archive: Path, model: isthmus.PictureCodec) -> None:
    with isthmus.Archive(archive, model=model) as found:
        sizes = {one.name: one.size for one in found.members}
    coded = (recognised(name, io.BytesIO(data), "picture").content for name, data in PICTURES.items())
    alone = [contents.write(io.BytesIO(), content) for content in coded]
    assert sum(sizes[name] for name in PICTURES) < sum(alone) + 18 * len(alone)  # that name the model


def test_it_is_extracted_added_to_and_deleted_from(archive: Path, model: isthmus.PictureCodec, tmp_path: Path) -> None:
    new = png_of(digits(1, seed=3)[0])
    with isthmus.Archive(archive, model=model) as found:
        found.add({"new.png": new})
        found.delete(["empty"])
        found.extract(tmp_path / "out")
    assert (tmp_path / "out" / "new.png").read_bytes() == new
    assert (tmp_path / "out" / "scans" / "2.png").read_bytes() == MEMBERS["scans/2.png"]
    assert not (tmp_path / "out" / "empty").exists()


def test_names_and_lengths_need_no_model_and_contents_do(archive: Path, model: isthmus.PictureCodec) -> None:
    text = isthmus.Codec().fit(b"text")
    for given, said in ((None, "which was not given"), (text, f"and the one given is {text.fingerprint_[:8]}")):
        with isthmus.Archive(archive, model=given) as found:
            assert found.names == list(MEMBERS)
            for used in (lambda: found.extract("x"), lambda: found.add({"x": b""})):
                with pytest.raises(ArtifactError, match=f"needs the model {model.fingerprint_[:8]}, {said}"):
                    used()
    told = describe(archive)
    assert told["members"] == len(MEMBERS)
    assert 1 <= told["files"] <= len(PICTURES)  # some are fewer as bytes
    assert model.fingerprint_.startswith(told["model"])
    assert sum(told["parts"].values()) == archive.stat().st_size


def test_no_altered_byte_gives_another_member(archive: Path, model: isthmus.PictureCodec) -> None:
    content = archive.read_bytes()
    for place in range(0, len(content), 61):
        altered = io.BytesIO(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            with isthmus.Archive(altered, model=model) as found:
                read = {name: found.read(name) for name in found.names}
        except (ArtifactError, FormatNumberError):
            continue
        assert read == MEMBERS


def test_no_byte_hangs_on_threads(model: isthmus.PictureCodec) -> None:
    files = [io.BytesIO() for _ in range(2)]
    for threads, file in enumerate(files):
        write_archive(file, PICTURES, model=model, threads=2 * threads + 1)
    assert files[0].getvalue() == files[1].getvalue()


def test_a_loss_is_that_of_the_content(model: isthmus.PictureCodec) -> None:
    file = io.BytesIO()

    def content_in(name: str, opened: io.BytesIO) -> object:
        return model.rounding_in(name, opened).content(32)

    write_archive(file, PICTURES, model=model, content_in=content_in)
    found = isthmus.Archive(file, model=model)
    pixels = decoded_by_pillow(found.read("scans/0.png"))
    assert set(np.unique(pixels)) <= set(range(16, 256, 32))


def test_a_model_goes_with_normal_speed_only(model: isthmus.PictureCodec, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="a model is used at speed 'normal' only"):
        isthmus.Archive.create(tmp_path / "a.isth", PICTURES, model=model, speed="fast")
    assert not (tmp_path / "a.isth").exists()


def test_field_8_is_of_archives() -> None:
    source = Source.of(Fields(0, files=b"").to_bytes(STREAM), "it")
    opened(source)
    with pytest.raises(FormatNumberError, match="field 8"):
        Fields.read(source, STREAM)
