"""What comes through a pipe is read once, to its end or to a limit; what is no file in a folder is named."""

from __future__ import annotations

import gzip
import io
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus import data
from isthmus.data import stores, streams
from isthmus.errors import DataError

if not hasattr(os, "mkfifo"):
    pytest.skip("this system has no named pipes", allow_module_level=True)

TABLE = b"height,n,kind\n" + b"".join(b"%d.5,%d,%s\n" % (i, i % 7, (b"oak", b"elm")[i % 2]) for i in range(50))
Piped = Callable[[bytes], None]


@pytest.fixture
def piped() -> Iterator[Piped]:
    """Send bytes to the standard input of this process."""
    before, writers = os.dup(0), []

    def send(content: bytes) -> None:
        reader, writer = os.pipe()
        os.dup2(reader, 0)
        os.close(reader)
        writers.append(Thread(target=_write, args=(writer, content)))
        writers[-1].start()

    yield send
    os.dup2(before, 0)
    os.close(before)
    for thread in writers:
        thread.join(5)


def _write(writer: int, content: bytes) -> None:
    with os.fdopen(writer, "wb") as file:
        try:
            file.write(content)
        except BrokenPipeError:
            return


def saved(write: Callable[..., object], *given: object, **named: object) -> bytes:
    file = io.BytesIO()
    write(file, *given, **named)
    return file.getvalue()


def parquet() -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    return saved(lambda file: parquet.write_table(pa.table({"x": [1.0, 2.0, 3.0]}), file))


CARRIED = {
    "csv": (TABLE, "table", 50),
    "csv.gz": (gzip.compress(TABLE), "table", 50),
    "semicolons": (TABLE.replace(b",", b";"), "table", 50),
    "tsv": (TABLE.replace(b",", b"\t"), "table", 50),
    "utf-16": (TABLE.decode().encode("utf-16"), "table", 50),
    "npy": (saved(np.save, np.ones((5, 3))), "array", 5),
    "npz": (saved(np.savez, X=np.ones((6, 3))), "array", 6),
    "idx": (bytes([0, 0, 8, 2, 0, 0, 0, 4, 0, 0, 0, 3]) + bytes(12), "array", 4),
    "idx.gz": (gzip.compress(bytes([0, 0, 8, 2, 0, 0, 0, 4, 0, 0, 0, 3]) + bytes(12)), "array", 4),
    "parquet": (parquet(), "table", 3),
    "text": (b"It was a bright cold day in April,\nand the clocks were striking thirteen.\n" * 8, "text", 16),
    **{
        kind: (saved(Image.new("RGB", (4, 3)).save, kind), "image", 1)
        for kind in ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "PPM")
    },
}


@pytest.mark.parametrize("carried", CARRIED)
def test_the_first_bytes_tell_what_a_stream_carries(piped: Piped, carried: str) -> None:
    content, kind, records = CARRIED[carried]
    piped(content)
    opened = data.open("-")
    assert opened.schema.kind == kind
    assert len(opened) == records
    assert opened.source.startswith("stdin")
    assert not list(Path(tempfile.gettempdir()).glob(f"{streams.PREFIX}*"))


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_other_names_of_the_standard_input(piped: Piped, name: str) -> None:
    if not os.path.exists(name):
        pytest.skip("this system has no such name")
    piped(TABLE)
    assert len(data.open(name)) == 50


def test_a_named_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = Thread(target=(tmp_path / "pipe").write_bytes, args=(TABLE,))
    writer.start()
    opened = data.open(tmp_path / "pipe", label_column="kind")
    writer.join(5)
    assert list(opened.labels[:2]) == ["oak", "elm"]
    assert "pipe.csv" in opened.notes[0]


def test_columns_that_are_asked_for_make_a_text_a_table(piped: Piped) -> None:
    piped(b"height\n1.5\n2.5\n")
    assert data.open("-").schema.kind == "text"
    piped(b"height\n1.5\n2.5\n")
    opened = data.open("-", columns=["height"])
    assert opened.schema.kind == "table"
    assert len(opened) == 2


def test_a_stream_that_does_not_fit_into_memory_is_streamed(piped: Piped, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "RESIDENT_BYTES", 100)
    for write in (saved(np.save, np.arange(300.0).reshape(100, 3)), parquet()):
        piped(write)
        opened = data.open("-")
        assert not opened.resident
        assert sum(len(block) for _, block in opened.chunks(10)) == len(opened)
    while streams.KEPT:
        streams.KEPT.pop().close()
    assert not list(Path(tempfile.gettempdir()).glob(f"{streams.PREFIX}*"))


def test_an_error_names_the_stream_and_leaves_no_file(piped: Piped) -> None:
    piped(saved(np.save, np.ones((50, 3)))[:300])
    with pytest.raises(DataError, match=r"^data: '-' cannot be read: it is truncated: 1200 bytes"):
        data.open("-")
    assert not list(Path(tempfile.gettempdir()).glob(f"{streams.PREFIX}*"))


def test_a_stream_has_a_limit(piped: Piped, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LONGEST", 2**20)
    piped(b"1,2\n" * 2**20)
    with pytest.raises(DataError, match=r"'-' is refused: more comes through it than is kept, and the limit is 64 GiB"):
        data.open("-")


def test_a_stream_leaves_room_on_the_disk(piped: Piped, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    piped(b"1,2\n" * 2**20)
    with pytest.raises(
        DataError, match=r"could not be kept in .*: it fills more than 90% of what is free there; let TMP"
    ):
        data.open("-")


def test_a_disk_that_is_full(piped: Piped, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(streams.Stream, "_copy", full)
    piped(TABLE)
    with pytest.raises(DataError, match=r"could not be kept .* No space left on device; let TMPDIR name a folder"):
        data.open("-")


def test_nothing_was_sent(piped: Piped) -> None:
    piped(b"")
    with pytest.raises(DataError, match="'-' cannot be read: it is empty"):
        data.open("-")
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
        with pytest.raises(DataError, match="the standard input is a device, and - reads what is sent to it"):
            data.open("-")


def test_a_terminal_is_not_waited_for(piped: Piped) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    piped(b"")
    os.dup2(theirs, 0)
    with pytest.raises(DataError, match="the standard input is a terminal, and - reads what is sent to it"):
        data.open("-")
    os.close(ours)
    os.close(theirs)


def test_what_a_killed_process_left_is_removed_by_the_next(piped: Piped, tmp_path: Path) -> None:
    code = f"""
import os, signal, tempfile
tempfile.tempdir = {str(tmp_path)!r}
from isthmus.data import streams
stream = streams.stream_of("-")
stream.path()
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(isthmus.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], input=TABLE, env=environment, check=False)
    assert [path.name for path in tmp_path.glob("*/*")] == ["stdin.csv"]
    piped(TABLE)
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path)
    try:
        data.open("-")
    finally:
        tempfile.tempdir = before
    assert not list(tmp_path.iterdir())


# --- what is no file -------------------------------------------------------------------------------------------------


def pictures(folder: Path, count: int = 3) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("L", (4, 3)).save(folder / f"{number}.png")
    return folder


def bad_pipe(path: Path) -> None:
    os.mkfifo(path)


def bad_link(path: Path) -> None:
    path.symlink_to("nowhere.png")


def bad_circle(path: Path) -> None:
    path.symlink_to(path.name)


def bad_socket(path: Path) -> None:
    before = os.getcwd()
    os.chdir(path.parent)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(before)


BAD = {
    bad_pipe: "it is a pipe, not a file",
    bad_link: "it is a link to something that is not there",
    bad_circle: "it is a link that leads back to itself",
    bad_socket: "it is a socket, not a file",
}


@pytest.mark.parametrize("make", BAD)
@pytest.mark.parametrize("name", ["x.png", "x", "x.parquet"])
def test_a_folder_that_holds_what_is_no_file(tmp_path: Path, make: Callable[[Path], None], name: str) -> None:
    folder = pictures(tmp_path / "photos")
    make(folder / name)
    sources = [folder, str(folder / "*"), sorted(folder.iterdir())]
    for source in sources:
        with pytest.raises(DataError, match=rf"photos/{name}' cannot be read: {BAD[make]}; remove it, or leave it out"):
            data.open(source)
        opened = data.open(source, skip_bad=True)
        assert len(opened) == 3
        assert any(f"{name}' cannot be read: {BAD[make]}" in note for note in opened.notes)


@pytest.mark.parametrize("make", [bad_link, bad_circle, bad_socket])
def test_a_source_that_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "x.png")
    with pytest.raises(DataError, match=r"x\.png' cannot be read: it is a"):
        data.open(tmp_path / "x.png")


def test_devices_are_refused() -> None:
    with pytest.raises(DataError, match="'/dev/zero' cannot be read: it is a device, neither a file nor a pipe"):
        data.open("/dev/zero")


def test_links_to_folders_are_followed_but_not_in_a_circle(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    pictures(folder / "cats")
    pictures(tmp_path / "elsewhere", 2)
    (folder / "dogs").symlink_to(tmp_path / "elsewhere")
    opened = data.open(folder)
    assert opened.labels.tolist() == ["cats"] * 3 + ["dogs"] * 2
    assert "'dogs' is a link to a folder, which was followed." in opened.notes
    (tmp_path / "elsewhere" / "back").symlink_to(folder)
    with pytest.raises(DataError, match=r"dogs/back' cannot be read: it is a link to a folder that it lies in; remove"):
        data.open(folder)
    assert len(data.open(folder, skip_bad=True)) == 5


def test_a_folder_that_cannot_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "photos"
    pictures(folder / "a")
    pictures(folder / "b")
    scan = os.scandir

    def refused(path: object) -> object:  # as the system answers anybody but the superuser
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DataError, match=r"photos/b' cannot be read: looking into it is not permitted; remove it, or"):
        data.open(folder)
    opened = data.open(folder, skip_bad=True)
    assert len(opened) == 3
    assert any("photos/b' cannot be read: looking into it is not permitted" in note for note in opened.notes)


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="the superuser may look into everything")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    pictures(folder / "a")
    pictures(folder / "b").chmod(0)
    with pytest.raises(DataError, match="looking into it is not permitted"):
        data.open(folder)
    (folder / "b").chmod(0o755)
