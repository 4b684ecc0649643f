"""Archives: members alone, added and deleted; names made by hand; folders that links, pipes and twins lie in."""

from __future__ import annotations

import io
import os
import random
import warnings
from pathlib import Path

import pytest

import isthmus
from isthmus.coding import archive as archives
from isthmus.coding import sources
from isthmus.coding.archive import Archive, Block, Member, write_archive
from isthmus.coding.coder import table_bits
from isthmus.coding.container import ARCHIVE, Fields, check_of
from isthmus.coding.sources import gathered
from isthmus.errors import ArtifactError, DataError, IsthmusWarning, OutputExistsError, ParameterError

from . import by_the_norm, samples
from .samples import NOISE, TEXT

MEMBERS = {"a.txt": TEXT, "more/empty": b"", "more/noise": NOISE}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.isth"
    Archive.create(path, MEMBERS, speed="fast").close()
    return path


# ------------------------------------------------------------------ members


def test_members_in_their_order_each_alone(path: Path) -> None:
    with Archive(path) as archive:
        assert archive.names == list(MEMBERS)
        assert [member.length for member in archive.members] == [len(TEXT), 0, len(NOISE)]
        assert [member.size for member in archive.members][1:] == [0, len(NOISE)]
        for name in reversed(MEMBERS):
            assert archive.read(name) == MEMBERS[name]
    assert by_the_norm.archive(path.read_bytes()) == MEMBERS


def test_an_empty_archive() -> None:
    content = samples.archive_of({})
    assert Archive(io.BytesIO(content)).names == []
    assert by_the_norm.archive(content) == {}


def test_adding_and_deleting_give_the_file_that_would_have_been_made_at_once(path: Path) -> None:
    with Archive(path) as archive:
        archive.add({"new": b"news", "z/z": TEXT})
        assert archive.names == [*MEMBERS, "new", "z/z"]
        archive.delete(["more/empty", "new"])
        assert archive.read("z/z") == TEXT
    left = {"a.txt": TEXT, "more/noise": NOISE, "z/z": TEXT}
    assert path.read_bytes() == samples.archive_of(left)


def test_a_member_is_replaced_only_with_force(path: Path) -> None:
    before = path.read_bytes()
    with Archive(path) as archive:
        sentence = (
            r"x.isth has a member 'a.txt' already; choose another name, or replace it with --force \(force=True\)"
        )
        with pytest.raises(OutputExistsError, match=sentence):
            archive.add({"a.txt": b"other"})
        assert path.read_bytes() == before
        with pytest.raises(DataError, match=r"'a\.txt' and 'A.TXT' are one name where case"):
            archive.add({"A.TXT": b"other"})
        archive.add({"a.txt": b"other"}, force=True)
        assert archive.read("a.txt") == b"other"
        assert archive.names[-1] == "a.txt"


def test_members_that_are_not_there(path: Path) -> None:
    with Archive(path) as archive:
        with pytest.raises(ParameterError, match=r"there is no member 'a\.tx'; did you mean 'a\.txt'\?"):
            archive.read("a.tx")
        with pytest.raises(ParameterError, match=r"no member '0123456789'; isthmus archive list shows what it holds"):
            archive.delete(["0123456789"])


def test_an_archive_without_a_path_is_read_only() -> None:
    with pytest.raises(io.UnsupportedOperation, match="opened by its path"):
        Archive(io.BytesIO(samples.archive_of(MEMBERS))).add({"x": b""})


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_change_no_byte(threads: int) -> None:
    file = io.BytesIO()
    members = {str(number): TEXT[number:] for number in range(20)}
    write_archive(file, members, threads=threads, speed="fast")
    assert file.getvalue() == samples.archive_of(members)


@pytest.mark.parametrize("threads", [1, 3])
def test_nothing_is_coded_that_nobody_waits_for(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(archives, "BLOCK", 10)
    monkeypatch.setattr(archives, "GROUP", 2)

    class Full(io.BytesIO):
        def write(self, content: bytes) -> int:
            if self.tell() > 50:
                raise OSError("no room")
            return super().write(content)

    told: list[int] = []
    with pytest.raises(OSError, match="no room"):
        write_archive(
            Full(), {"a": NOISE * 50}, threads=threads, speed="fast", progress=lambda data, size: told.append(data)
        )
    assert len(told) < 100


def test_large_members_are_cut_and_begin_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    assert archives.BLOCK * archives.GROUP == 16 * 2**20
    data = bytes(archives.BLOCK + 7)
    assert by_the_norm.archive(samples.archive_of({"z": data})) == {"z": data}
    monkeypatch.setattr(archives, "BLOCK", 100)
    monkeypatch.setattr(archives, "GROUP", 3)
    members = {"a": TEXT, "b": NOISE + TEXT}
    content = samples.archive_of(members)
    assert samples.read(content) == members
    with_damage = bytearray(content)
    archive = Archive(io.BytesIO(content))
    with_damage[archive.members[0].blocks[4].position] ^= 255
    pieces = Archive(io.BytesIO(bytes(with_damage))).blocks("a")
    assert b"".join(next(pieces) for _ in range(4)) == TEXT[:400]
    with pytest.raises(ArtifactError, match="member 'a' does not fit its check"):
        next(pieces)


def test_damage_is_local(path: Path) -> None:
    content = bytearray(path.read_bytes())
    with Archive(path) as archive:
        content[archive.members[0].blocks[0].position + 5] ^= 1
    archive = Archive(io.BytesIO(bytes(content)))
    with pytest.raises(ArtifactError, match=r"the archive is damaged: member 'a\.txt' does not fit its check; copy or"):
        archive.read("a.txt")
    assert archive.read("more/noise") == NOISE


def test_the_directory_stands_twice_where_that_is_cheap() -> None:
    members = {"a": random.Random(0).randbytes(20_000)}
    content = samples.archive_of(members)
    assert content[-1] == 2
    size = int.from_bytes(content[-13:-9], "little")
    for copy in range(2):
        damaged = bytearray(content)
        damaged[-14 - copy * size] ^= 255
        assert samples.read(bytes(damaged)) == members
    damaged[-14] ^= 255
    with pytest.raises(ArtifactError, match="its directory does not fit its check"):
        samples.read(bytes(damaged))
    assert samples.archive_of({"a": TEXT})[-1] == 1


def test_no_archive() -> None:
    with pytest.raises(ArtifactError, match="is no archive, but one compressed file; decompress it with"):
        Archive(io.BytesIO(isthmus.compress(b"x")))


def test_disk_full_leaves_the_archive_as_it_was(path: Path, largest_file: object) -> None:
    before = path.read_bytes()
    with Archive(path) as archive:
        with largest_file(5_000), pytest.raises(OSError, match="File too large"):
            archive.add({"noise": random.Random(0).randbytes(20_000)})
        assert path.read_bytes() == before
        assert archive.read("a.txt") == TEXT
    assert [one.name for one in path.parent.iterdir()] == ["x.isth"]


# ------------------------------------------------------------------ extraction


def test_extraction_into_a_new_folder_and_into_one_that_is_there(path: Path, tmp_path: Path) -> None:
    with Archive(path) as archive:
        files = archive.extract(tmp_path / "out")
        assert {one.relative_to(tmp_path / "out").as_posix(): one.read_bytes() for one in files} == MEMBERS
        archive.extract(tmp_path / "some", ["more/noise"])
        assert [one.name for one in (tmp_path / "some").iterdir()] == ["more"]
        archive.extract(tmp_path / "some", ["a.txt"])
        assert (tmp_path / "some" / "a.txt").read_bytes() == TEXT


def test_a_file_that_is_there_is_replaced_only_with_force(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "more").mkdir(parents=True)
    (out / "more" / "noise").write_bytes(b"mine")
    with Archive(path) as archive:
        with pytest.raises(OutputExistsError, match=r"noise exists already; extract to another folder, or"):
            archive.extract(out)
        assert not (out / "a.txt").exists()
        archive.extract(out, force=True)
    assert (out / "more" / "noise").read_bytes() == NOISE


def test_a_folder_where_a_file_goes_and_a_file_where_a_folder_goes(path: Path, tmp_path: Path) -> None:
    for number, make in enumerate((lambda out: (out / "a.txt").mkdir(), lambda out: (out / "more").touch())):
        out = tmp_path / str(number)
        out.mkdir()
        make(out)
        with Archive(path) as archive, pytest.raises(OutputExistsError, match="needs another kind of thing"):
            archive.extract(out, force=True)


@pytest.mark.parametrize("link", ["more", "a.txt", "more/noise"])
@pytest.mark.parametrize("force", [False, True])
def test_no_link_in_the_folder_is_followed(path: Path, tmp_path: Path, link: str, force: bool) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(elsewhere if link == "more" else elsewhere / "target")
    with Archive(path) as archive, pytest.raises(ParameterError, match="is a link, and extraction follows none inside"):
        archive.extract(out, force=force)
    assert list(elsewhere.iterdir()) == []
    assert not (out / "a.txt").exists()


def test_a_damaged_member_leaves_no_new_folder(path: Path, tmp_path: Path) -> None:
    content = bytearray(path.read_bytes())
    with Archive(path) as archive:
        content[archive.members[2].blocks[0].position] ^= 1
    path.write_bytes(bytes(content))
    with Archive(path) as archive, pytest.raises(ArtifactError):
        archive.extract(tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["x.isth"]


# ------------------------------------------------------------------ archives made by hand


def by_hand(names: list[str]) -> bytes:
    """Return an archive with names of any kind, each member one byte, with checks that are right."""
    head = Fields(1, 1, table_bits(0)).to_bytes(ARCHIVE)
    block = Block(1, 1, True, check_of(b"x", 3))
    directory = archives._packed([Member(name, 1, (block,)) for name in names])
    sizes = 2 * len(directory).to_bytes(4, "little")
    return head + b"x" * len(names) + directory + sizes + check_of(directory) + b"\x01"


def test_one_made_by_hand_can_be_sound() -> None:
    assert samples.read(by_hand(["a", "b/c"])) == {"a": b"x", "b/c": b"x"}


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/tmp/x",
        "a//b",
        "",
        ".",
        "nul",
        "com1.txt",
        "a.",
        "a ",
        "C:x",
        "a\\..\\x",
        "a\nb",
        "x" * 300,
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "in" / "x.isth"
    path.parent.mkdir()
    path.write_bytes(by_hand(["good", name]))
    with pytest.raises(ArtifactError, match=r"x\.isth is refused: its member .* it was not made by isthmus, or"):
        Archive(path)
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["in", "x.isth"]


def test_a_zero_byte_in_a_name_is_refused() -> None:
    with pytest.raises(ArtifactError, match="its directory"):
        samples.read(by_hand(["a\x00b"]))


@pytest.mark.parametrize("names", [["a", "A"], ["a", "a"], ["a", "a/b"], ["straße", "STRASSE"], ["é", "e\u0301"]])
def test_names_that_are_one_on_some_systems_are_refused(names: list[str]) -> None:
    with pytest.raises(ArtifactError, match=r"is refused: its members .* and .* it was not made by isthmus"):
        samples.read(by_hand(names))


def test_a_check_on_extraction_does_not_rely_on_that_of_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives.names, "why_refused", lambda name: None)
    archive = Archive(io.BytesIO(by_hand(["../x", "good"])))
    monkeypatch.undo()
    for folder in ("there", "new"):
        (tmp_path / "there").mkdir(exist_ok=True)
        with pytest.raises(ArtifactError, match=r"its member '\.\./x' has the part"):
            archive.extract(tmp_path / folder)
    assert [one.name for one in tmp_path.rglob("*")] == ["there"]


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**40, 2**24])
def test_lengths_that_nothing_stands_behind(length: int) -> None:
    directory = archives._packed([Member("a", length, (Block(1, 1, True, b"abc"),))])
    head = Fields(1, 1, table_bits(0)).to_bytes(ARCHIVE)
    footer = 2 * len(directory).to_bytes(4, "little") + check_of(directory) + b"\x01"
    with pytest.raises(ArtifactError, match="its directory makes no sense"):
        samples.read(head + b"x" + directory + footer)


def test_a_directory_of_a_size_that_it_cannot_have() -> None:
    content = samples.archive_of(MEMBERS)
    for size, length in ((2**32 - 1, 2**32 - 1), (1, 2**26), (1, 2**32 - 1), (0, 0), (9, 2)):
        forged = content[:-13] + size.to_bytes(4, "little") + length.to_bytes(4, "little") + content[-5:]
        with pytest.raises(ArtifactError, match="it does not end like an archive, or its end is missing"):
            samples.read(forged)


# ------------------------------------------------------------------ what is put in


@pytest.mark.parametrize("name", ["../x", "/x", "nul", "a.", "a\\b"])
def test_names_that_are_refused_when_writing(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="and an archive must open on every system; rename the file"):
        Archive.create(tmp_path / "x.isth", {name: b""})
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "void").mkdir()
    (folder / "mon.log").write_bytes(TEXT)
    (folder / "sub" / "deep" / "b").write_bytes(b"")
    return folder


def test_the_files_of_a_folder(folder: Path, tmp_path: Path) -> None:
    with Archive.create(tmp_path / "x.isth", folder) as archive:
        assert archive.names == ["mon.log", "sub/deep/b"]
        assert archive.read("mon.log") == TEXT
    (tmp_path / "other.txt").touch()
    with Archive.create(tmp_path / "y.isth", [folder, tmp_path / "other.txt"]) as archive:
        assert archive.names == ["logs/mon.log", "logs/sub/deep/b", "other.txt"]


def test_links_and_special_files_are_left_out_and_named(folder: Path, tmp_path: Path) -> None:
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "around").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    with pytest.warns(IsthmusWarning, match=r"left out 'around' \(a link\), 'link' \(a link\), 'pipe' \(a pipe\): an"):
        Archive.create(tmp_path / "x.isth", folder).close()
    with Archive(tmp_path / "x.isth") as archive:
        assert archive.names == ["mon.log", "sub/deep/b"]


def test_a_link_that_is_named_is_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder / "mon.log")
    assert gathered([tmp_path / "link", folder / "mon.log"]).files.keys() == {"link", "mon.log"}


def test_a_pipe_that_is_named_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe is a pipe, where a file is needed; send what it gives to the standard"):
        gathered([tmp_path / "pipe"])


def test_the_output_in_its_own_folder_is_no_member(folder: Path) -> None:
    with Archive.create(folder / "x.isth", folder) as archive:
        assert archive.names == ["mon.log", "sub/deep/b"]
    with Archive.create(folder / "x.isth", folder, force=True) as archive:
        assert archive.names == ["mon.log", "sub/deep/b"]


@pytest.mark.parametrize("name", ["aux.txt", "a:b", "end.", "new\nline"])
def test_a_file_whose_name_some_system_cannot_have(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).touch()
    with pytest.raises(DataError, match="and an archive must open on every system; rename the file"):
        Archive.create(tmp_path / "x.isth", folder)


def test_a_name_that_is_no_text(folder: Path, tmp_path: Path) -> None:
    with open(os.fsencode(folder) + b"/\xff", "wb"):
        pass
    with pytest.raises(DataError, match=r"holds the character '\\+udcff'"):
        Archive.create(tmp_path / "x.isth", folder)


def test_case_twins_are_told(folder: Path, tmp_path: Path) -> None:
    (folder / "MON.log").touch()
    if len(list(folder.iterdir())) < 4:
        pytest.skip("here they are one file")
    with pytest.raises(DataError, match=r"'MON\.log' and 'mon.log' are one name where case .* rename one of them"):
        Archive.create(tmp_path / "x.isth", folder)


def test_the_same_name_twice(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mon.log").touch()
    with pytest.raises(DataError, match=r"'mon\.log' and 'mon.log' are the same name"):
        gathered([folder / "mon.log", tmp_path / "mon.log"])


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "growing.log"
    path.write_bytes(bytes(100))
    pieces = sources.pieces(path, 50)
    next(pieces)
    with open(path, "ab") as file:
        file.write(bytes(10))
    with pytest.warns(IsthmusWarning, match=r"growing.log changed while it was read: what was kept is what was read"):
        list(pieces)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(sources.pieces(path, 60)) == [bytes(60), bytes(50)]


def test_more_members_than_an_archive_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    content = samples.archive_of({"a": b"", "b": b"", "c": b""})
    monkeypatch.setattr(archives, "MEMBERS_LIMIT", 2)
    with pytest.raises(DataError, match="an archive holds at most 1,048,576 members, a tebibyte of data and 64 MiB"):
        samples.archive_of({"a": b"", "b": b"", "c": b""})
    with pytest.raises(ArtifactError, match="its directory makes no sense"):
        samples.read(content)
