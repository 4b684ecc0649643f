"""Archives of tables, arrays and pictures: each member is coded as what it is, had alone, and byte for byte."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus.coding import archive as archives
from isthmus.coding.container import FILES, Fields, Source, opened
from isthmus.errors import ArtifactError, FormatNumberError, IsthmusWarning, ParameterError

from .pictures.samples import digits, png_of


def npy(array: np.ndarray) -> bytes:
    into = io.BytesIO()
    np.save(into, array)
    return into.getvalue()


def table(rows: int, seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    lines = (b"%d,%s,%d\n" % (k, (b"Ulm", b"Bern")[rng.integers(2)], rng.integers(30)) for k in range(rows))
    return b"number,city,sold\n" + b"".join(lines)


MEMBERS: dict[str, bytes] = {
    "note.txt": b"a note, as there are many\n",
    "days/long.csv": table(8000),
    "days/short.csv": table(20),
    "days/none.csv": b"no table\n",
    "empty.csv": b"",
    "field.npy": npy(np.arange(9000.0).reshape(90, 100) / 8),
    "digits.png": png_of(np.vstack(digits(12))),
    "broken.png": b"\x89PNG\r\n\x1a\n and no more",
    "last.bin": bytes(range(256)) * 9,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "all.isth"
    isthmus.Archive.create(path, MEMBERS).close()
    return path


def test_each_member_is_had_alone_and_in_any_order(path: Path) -> None:
    with isthmus.Archive(path) as archive:
        assert archive.names == list(MEMBERS)
        for name in [*MEMBERS, *reversed(MEMBERS)]:
            assert archive.read(name) == MEMBERS[name]
        assert [member.length for member in archive.members] == [len(data) for data in MEMBERS.values()]
        both = zip(archive.blocks("days/long.csv"), archive.blocks("field.npy"), strict=False)
        assert all(MEMBERS["days/long.csv"].startswith(one) and MEMBERS["field.npy"][:8] for one, _ in both)
        sizes = {member.name: sum(size for _, size in archive.metered(member.name)) for member in archive.members}
        assert sizes == {member.name: member.size for member in archive.members}


def test_what_is_none_of_them_is_bytes_and_what_is_takes_less(path: Path, tmp_path: Path) -> None:
    with isthmus.Archive(path) as archive:
        files = {member.name for member in archive.members if member.is_file}
        sizes = {member.name: member.size for member in archive.members}
    assert {"days/long.csv", "field.npy", "digits.png"} <= files
    assert not files & {"note.txt", "days/none.csv", "empty.csv", "broken.png", "last.bin"}
    with isthmus.Archive.create(tmp_path / "bytes.isth", MEMBERS, content="bytes") as archive:
        assert not any(member.is_file for member in archive.members)
        plain = {member.name: member.size for member in archive.members}
    assert all(sizes[name] <= plain[name] for name in MEMBERS)
    assert sizes["days/long.csv"] < 0.9 * plain["days/long.csv"]
    assert sizes["field.npy"] < 0.5 * plain["field.npy"]


def test_archives_without_such_members_are_as_they_were(tmp_path: Path) -> None:
    """So that versions before can open them; the others they refuse as a later form, by a field with an even tag."""
    text = {"a.txt": b"alpha", "b.parquet": b"none"}
    for how in ({"content": "auto"}, {"content": "bytes"}):
        with isthmus.Archive.create(tmp_path / "text.isth", text, force=True, **how) as archive:
            assert archive.fields.files is None
    with isthmus.Archive.create(tmp_path / "fast.isth", MEMBERS, speed="fast") as archive:
        assert archive.fields.files is None
    with isthmus.Archive.create(tmp_path / "mixed.isth", MEMBERS) as archive:
        assert archive.fields.files == b""
        head = archive.fields.to_bytes(archives.ARCHIVE)
    assert bytes([8, 1]) + FILES in head
    later = head.replace(bytes([8, 1]) + FILES, bytes([8, 1, 2]))
    with pytest.raises(ArtifactError):  # its check is another
        Fields.read(_behind_first(later), archives.ARCHIVE)
    with pytest.raises(FormatNumberError, match="members of form 02"):
        Fields._understood({4: bytes([1, 1, 22]), 8: b"\x02"}, Source.of(b"", "it"), archives.ARCHIVE)


def _behind_first(content: bytes) -> Source:
    source = Source.of(content, "it")
    assert opened(source) == archives.ARCHIVE
    return source


def test_all_bytes_are_told(tmp_path: Path) -> None:
    told = []
    into = io.BytesIO()
    archives.write_archive(into, MEMBERS, progress=lambda data, size: told.append((data, size)))
    assert sum(data for data, _ in told) == sum(map(len, MEMBERS.values()))
    with isthmus.Archive(into) as archive:
        assert sum(size for _, size in told) == sum(member.size for member in archive.members)


@pytest.mark.parametrize("threads", [1, 3])
def test_files_of_a_folder_come_back(tmp_path: Path, threads: int) -> None:
    for name, data in MEMBERS.items():
        target = tmp_path / "in" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    with isthmus.Archive.create(tmp_path / "x.isth", tmp_path / "in", threads=threads) as archive:
        archive.extract(tmp_path / "out")
    found = {str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert found == MEMBERS
    isthmus.Archive.create(tmp_path / "y.isth", tmp_path / "in", threads=4 - threads).close()
    assert (tmp_path / "x.isth").read_bytes() == (tmp_path / "y.isth").read_bytes()


def test_members_are_added_and_deleted(path: Path, tmp_path: Path) -> None:
    with isthmus.Archive(path) as archive:
        archive.delete(["days/long.csv", "note.txt"])
        archive.add({"new.csv": table(3000, 1), "new.txt": b"text"})
        archive.add({"plain.csv": table(3000, 2)}, content="bytes")
        expected = {**MEMBERS, "new.csv": table(3000, 1), "new.txt": b"text", "plain.csv": table(3000, 2)}
        for name in ("days/long.csv", "note.txt"):
            del expected[name]
        assert {name: archive.read(name) for name in archive.names} == expected
        files = {member.name for member in archive.members if member.is_file}
        assert "new.csv" in files
        assert "plain.csv" not in files
    with isthmus.Archive.create(tmp_path / "old.isth", {"a.txt": b"alpha"}) as archive:
        archive.add({"new.csv": table(3000, 1)})
        assert (archive.read("a.txt"), archive.read("new.csv")) == (b"alpha", table(3000, 1))


def test_a_damaged_member_is_refused_and_the_others_are_sound(path: Path) -> None:
    content = path.read_bytes()
    with isthmus.Archive(path) as archive:
        members = {member.name: member for member in archive.members}
    for name in ("days/long.csv", "field.npy", "digits.png"):
        block = members[name].blocks[0]
        for place in (0, 2, block.size // 2, block.size - 1):
            altered = bytearray(content)
            altered[block.position + place] ^= 16
            damaged = isthmus.Archive(io.BytesIO(altered))
            with pytest.raises(ArtifactError, match=name):
                damaged.read(name)
            assert damaged.read("last.bin") == MEMBERS["last.bin"]


def test_a_length_that_is_another_is_refused(path: Path, tmp_path: Path) -> None:
    with isthmus.Archive(path) as archive:
        fields, found = archive.fields, archive.members
    member = next(one for one in found if one.name == "field.npy")
    (block,) = member.blocks
    payload = path.read_bytes()[block.position : block.position + block.size]
    for length in (member.length + 1, 0):
        listed = [archives.Member("field.npy", length, (block,), archives.EXACT)]
        directory = archives._packed(listed, files=True)
        sizes = len(directory).to_bytes(4, "little") * 2
        footer = sizes + archives.check_of(directory) + b"\x01"
        made = fields.to_bytes(archives.ARCHIVE) + payload + directory + footer
        with pytest.raises(ArtifactError, match="not as many bytes as it should"):
            isthmus.Archive(io.BytesIO(made)).read("field.npy")


def test_a_model_of_tables_serves_its_members(tmp_path: Path) -> None:
    codec = isthmus.TableCodec().fit([table(60, seed) for seed in range(8)])
    days = {f"{seed}.csv": table(60, seed) for seed in range(20, 24)} | {"note.txt": b"a note\n"}
    with pytest.warns(IsthmusWarning, match="note.txt: coded without the model"):
        isthmus.Archive.create(tmp_path / "x.isth", days, model=codec).close()
    with isthmus.Archive(tmp_path / "x.isth", model=codec) as archive:
        assert {name: archive.read(name) for name in days} == days
        sizes = [member.size for member in archive.members][:4]
        archive.add({"more.csv": table(60, 30)})
        assert archive.read("more.csv") == table(60, 30)
    with isthmus.Archive.create(tmp_path / "y.isth", days) as archive:
        alone = [member.size for member in archive.members][:4]
    assert sum(sizes) < 0.8 * sum(alone)
    with isthmus.Archive(tmp_path / "x.isth") as archive:
        assert archive.read("note.txt") == b"a note\n"
        with pytest.raises(ArtifactError, match=f"needs the model {codec.fingerprint_[:8]}"):
            archive.read("20.csv")
    others = {"other.csv": b"a,b\n" + b"1,2\n" * 99, "21.csv": table(60, 21)}
    with pytest.warns(IsthmusWarning, match="other.csv: coded without the model, which is not for them"):
        isthmus.Archive.create(tmp_path / "z.isth", others, model=codec).close()
    with isthmus.Archive(tmp_path / "z.isth", model=codec) as archive:
        assert {name: archive.read(name) for name in others} == others


def test_a_content_that_no_archive_has(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="content"):
        isthmus.Archive.create(tmp_path / "x.isth", MEMBERS, content="table")
