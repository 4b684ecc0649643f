"""compress, decompress and archive as a person types them: what is written, what is said, and with which exit code."""

from __future__ import annotations

import bz2
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

import isthmus
from isthmus.cli import compress as verbs
from isthmus.cli import estimates, pipes
from isthmus.coding import coder

from .conftest import ENVIRONMENT, Run

TEXT = b"She sells sea shells by the sea shore; the shells she sells are sea shells, I am sure. " * 6
NOISE = random.Random(0).randbytes(3000)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_bytes(TEXT)
    return path


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    (folder / "old").mkdir(parents=True)
    (folder / "mon.log").write_bytes(TEXT)
    (folder / "old" / "noise").write_bytes(NOISE)
    return folder


def piped(data: bytes, *arguments: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "isthmus", *arguments]
    return subprocess.run(command, input=data, capture_output=True, cwd=folder, env=ENVIRONMENT, check=False)


# ------------------------------------------------------------------ there and back


def test_a_file_and_back(run: Run, notes: Path) -> None:
    ran = run("compress", "notes.txt")
    assert ran.code == 0
    assert ran.out.startswith(f"notes.txt.isth: {len(TEXT):,} bytes in ")
    assert "bits a byte" in ran.out
    assert notes.read_bytes() == TEXT
    assert isthmus.decompress(Path("notes.txt.isth").read_bytes()) == TEXT
    notes.unlink()
    assert run("decompress", "notes.txt.isth").out == f"notes.txt: {len(TEXT)} bytes\n"
    assert notes.read_bytes() == TEXT
    assert Path("notes.txt.isth").exists()


def test_without_the_compiled_coder_it_works_and_says_why_it_is_slow(
    run: Run, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("compress", "notes.txt", "-q").err == ""
    compressed = Path("notes.txt.isth").read_bytes()
    monkeypatch.setattr(coder, "_native", lambda: None)
    ran = run("compress", "notes.txt", "--no-verify", "--force")
    assert ran.code == 0
    assert "isthmus was installed without its compiled coder" in " ".join(ran.err.split())
    assert Path("notes.txt.isth").read_bytes() == compressed
    notes.write_bytes(b"")
    ran = run("decompress", "notes.txt.isth", "--force")
    assert "install a C compiler, and isthmus again" in " ".join(ran.err.split())
    assert notes.read_bytes() == TEXT


def test_several_files_each_beside_its_own(run: Run, notes: Path, logs: Path) -> None:
    ran = run("compress", "notes.txt", "logs/mon.log", "--json")
    found = json.loads(ran.out)["files"]
    assert [one["output"] for one in found] == ["notes.txt.isth", "logs/mon.log.isth"]
    assert [one["bytes"] for one in found] == [len(TEXT)] * 2
    assert found[0]["compressed_bytes"] == Path("notes.txt.isth").stat().st_size
    assert run("decompress", "notes.txt.isth", "logs/mon.log.isth", "--force").code == 0


def test_a_folder_becomes_an_archive(run: Run, logs: Path) -> None:
    assert run("compress", "logs/", "-o", "x.isth").code == 0
    listed = run("archive", "list", "x.isth")
    assert [line.split()[:2] for line in listed.out.splitlines()[2:]] == [["mon.log", "522"], ["old/noise", "3,000"]]
    assert json.loads(run("archive", "list", "x.isth", "--json").out)["members"][1]["name"] == "old/noise"
    assert run("archive", "get", "x.isth", "mon.log").out.encode() == TEXT
    assert run("archive", "get", "x.isth", "old/noise", "-o", "n").code == 0
    assert Path("n").read_bytes() == NOISE
    assert run("archive", "extract", "x.isth", "-o", "out").out == "out: 2 files, 3,522 bytes\n"
    assert Path("out/old/noise").read_bytes() == NOISE
    assert run("decompress", "x.isth").out == "x: 3,522 bytes\n"
    assert Path("x/mon.log").read_bytes() == TEXT


def test_a_folder_without_a_name_for_its_archive(run: Run, logs: Path) -> None:
    assert run("compress", "logs/").out.startswith("logs.isth: ")
    assert run("compress", "logs", "--force").code == 0


def test_several_paths_become_one_archive_with_a_name(run: Run, notes: Path, logs: Path) -> None:
    assert run("compress", "notes.txt", "logs", "-o", "all.isth").code == 0
    with isthmus.Archive("all.isth") as archive:
        assert archive.names == ["notes.txt", "logs/mon.log", "logs/old/noise"]


def test_members_are_added_and_deleted(run: Run, notes: Path, logs: Path) -> None:
    run("compress", "logs", "-o", "x.isth")
    assert run("archive", "add", "x.isth", "notes.txt").out.startswith("x.isth: 3 members, ")
    assert run("archive", "add", "x.isth", "notes.txt").code == 2
    assert run("archive", "add", "x.isth", "notes.txt", "--force").code == 0
    assert run("archive", "delete", "x.isth", "mon.log", "old/noise").out.startswith("x.isth: 1 member, ")
    with isthmus.Archive("x.isth") as archive:
        assert archive.names == ["notes.txt"]
        assert archive.read("notes.txt") == TEXT


@pytest.mark.parametrize("arguments", [("--speed", "fast"), ("--no-verify",), ("--threads", "1"), ("--threads", "3")])
def test_flags_that_change_no_data(run: Run, logs: Path, arguments: tuple[str, ...]) -> None:
    assert run("compress", "logs", "-o", "x.isth", *arguments).code == 0
    with isthmus.Archive("x.isth") as archive:
        assert archive.read("old/noise") == NOISE


def test_an_odd_name_is_compressed_alone_and_left_out_of_the_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a:b.txt").write_bytes(bytes(70_000))
    assert run("compress", "a:b.txt", "--no-verify").code == 0
    assert json.loads(run("info", "a:b.txt.isth", "--json").out)["name"] is None


def test_large_files_keep_their_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "zeros").write_bytes(bytes(70_000))
    assert run("compress", "zeros").code == 0
    assert run("info", "zeros.isth").out.splitlines()[2] == "name: zeros"


# ------------------------------------------------------------------ pipes


def test_standard_output(run: Run, notes: Path, tmp_path: Path) -> None:
    for arguments in (("-c",), ("-o", "-")):
        done = piped(b"", "compress", "notes.txt", *arguments, folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")
        assert isthmus.decompress(done.stdout) == TEXT
    (tmp_path / "x.isth").write_bytes(done.stdout)
    for arguments in (("x.isth", "-c"), ("x.isth", "-o", "-"), ("-", "-c")):
        done = piped(done.stdout, "decompress", *arguments, folder=tmp_path)
        assert (done.returncode, done.stdout) == (0, TEXT)
        done = piped(b"", "compress", "notes.txt", "-c", folder=tmp_path)


def test_an_archive_goes_through_a_pipe_too(logs: Path, tmp_path: Path) -> None:
    done = piped(b"", "compress", "logs", "-c", folder=tmp_path)
    assert done.returncode == 0
    back = piped(done.stdout, "decompress", "-", "-o", "out", folder=tmp_path)
    assert back.returncode == 0, back.stderr
    assert (tmp_path / "out" / "old" / "noise").read_bytes() == NOISE
    refused = piped(done.stdout, "decompress", "-", folder=tmp_path)
    assert refused.returncode == 4
    assert b"isthmus: - is an archive of several files; open it with" in refused.stderr


def test_a_stream_and_back(tmp_path: Path) -> None:
    done = piped(TEXT + NOISE, "compress", "-", folder=tmp_path)
    assert done.returncode == 0
    assert isthmus.decompress(done.stdout) == TEXT + NOISE
    assert piped(done.stdout, "decompress", "-", folder=tmp_path).stdout == TEXT + NOISE
    done = piped(TEXT, "compress", "-", "-o", "x.isth", folder=tmp_path)
    assert done.stdout.startswith(b"x.isth: 522 bytes in ")
    assert isthmus.decompress((tmp_path / "x.isth").read_bytes()) == TEXT
    assert piped(TEXT, "compress", "-", "-o", "x.isth", folder=tmp_path).returncode == 2


@pytest.mark.long
def test_a_reader_that_goes_away(tmp_path: Path, notes: Path) -> None:
    (tmp_path / "x.isth").write_bytes(isthmus.compress(bytes(600_000), verify=False))
    script = f"{sys.executable} -m isthmus decompress x.isth -c | head -c 5 | wc -c"
    done = subprocess.run(script, shell=True, capture_output=True, cwd=tmp_path, env=ENVIRONMENT, check=False)
    assert (done.stdout.strip(), done.stderr) == (b"5", b"")


def streaming(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "isthmus", "compress", "-", "-o", "app.isth", *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert what()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_an_interrupted_stream_leaves_a_whole_file(tmp_path: Path, name: str, code: int) -> None:
    if signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here, as nohup and a shell's background have it, and so it is by the child")
    path = tmp_path / "app.isth"
    with streaming(tmp_path) as process:
        process.stdin.write(b"first\n")
        process.stdin.flush()
        wait_for(lambda: path.exists() and path.stat().st_size > 20)  # a chunk a second, however short
        with open(path, "rb") as file:
            assert isthmus.open_compressed(file).read(6) == b"first\n"
        process.stdin.write(b"second\n")
        process.stdin.flush()
        time.sleep(0.3)
        process.send_signal(getattr(signal, name))
        process.wait(timeout=60)
        said = process.stderr.read()
    assert process.returncode == code
    assert said == b"isthmus: interrupted; app.isth holds, whole, what had come until then\n"
    assert isthmus.decompress(path.read_bytes()) == b"first\nsecond\n"


def test_what_a_killed_stream_wrote_can_be_had(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "app.isth"
    with streaming(tmp_path) as process:
        process.stdin.write(TEXT * 140)  # more than 64 kB
        process.stdin.flush()
        wait_for(lambda: path.exists() and path.stat().st_size > 25)
        process.kill()
    ran = run("decompress", "app.isth")
    assert (ran.code, "app.isth is cut short: its end is missing" in ran.err) == (4, True)
    assert not Path("app").exists()
    ran = run("decompress", "app.isth", "--partial")
    assert ran.code == 4
    assert "bytes saved; lost: all from byte" in ran.err
    saved = Path("app").read_bytes()
    assert saved
    assert (TEXT * 140).startswith(saved)


def test_compressed_bytes_never_go_to_a_terminal(run: Run, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    ran = run("compress", "notes.txt", "-c")
    assert ran.code == 2
    assert ran.err == (
        "isthmus: compress: compressed data make no sense on a terminal; name a file with -o, or use a pipe.\n"
    )


def test_a_terminal_as_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    for verb in ("compress", "decompress"):
        ran = run(verb, "-", "-o", "x")
        assert ran.code == 3
        assert ran.err.startswith(f"isthmus: {verb}: the standard input is a terminal; send something to it, or name")


# ------------------------------------------------------------------ what is refused


def test_an_output_that_is_there_is_kept_without_force(run: Run, notes: Path) -> None:
    Path("notes.txt.isth").write_bytes(b"mine")
    ran = run("compress", "notes.txt")
    assert (ran.code, "'notes.txt.isth' exists already" in ran.err) == (2, True)
    assert Path("notes.txt.isth").read_bytes() == b"mine"
    assert run("compress", "notes.txt", "--force").code == 0
    ran = run("decompress", "notes.txt.isth")
    assert (ran.code, "'notes.txt' exists already" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("compress", "nothing"), 3, "nothing: No such file or directory."),
        (
            ("compress", "notes.txt", "-"),
            2,
            "compress: the standard input (-) goes alone, and is",
        ),
        (
            ("compress", "notes.txt", "--speed", "fas"),
            2,
            "compress: --speed must be one of 'normal', 'fast'; it is",
        ),
        (("compress", "notes.txt", "--threads", "0"), 2, "--threads must be a whole number of at least 1; it is 0."),
        (
            ("compress", "notes.txt", "-c", "--json"),
            2,
            "compress: --json would mix with the bytes; write them",
        ),
        (
            ("compress", "notes.txt", "-c", "-o", "x"),
            2,
            "compress: --output and --stdout do not go together;",
        ),
        (("compress", "empty"), 3, "empty holds no file that can be compressed; name another folder."),
        (("compress", "x.isth"), 3, "x.isth is compressed already; name the file that it was made of, or compress it"),
        (
            ("compress", "pipe"),
            3,
            "pipe is a pipe, where a file is needed; send what it gives to the standard input (-)",
        ),
        (("decompress", "logs"), 3, "logs is a folder, where a file is needed; name the files in it."),
        (("decompress", "notes.txt"), 4, "notes.txt is no compressed file of isthmus: it does not begin like one"),
        (("decompress", "nothing.isth"), 3, "nothing.isth: No such file or directory."),
        (("decompress", "y"), 2, "y does not end in .isth, so the output needs a name; give one with -o."),
        (
            ("decompress", "x.isth", "y", "-o", "z"),
            2,
            "decompress: -o names one output; leave it out, or",
        ),
        (("archive", "lst", "x.isth"), 2, "archive: the first argument must be one of 'list', 'get', 'extract', 'add'"),
        (("archive", "get", "x.isth"), 2, "archive get: name at least one member."),
        (("archive", "list", "x.isth"), 4, "x.isth is no archive, but one compressed file; decompress it with isthmus"),
        (("archive", "list", "nothing"), 3, "nothing: No such file or directory."),
        (("archive", "get", "a.isth", "mon.lg"), 2, "a.isth: there is no member 'mon.lg'; did you mean 'mon.log'?"),
    ],
)
def test_what_is_refused_and_how(
    run: Run, notes: Path, logs: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    Path("empty").mkdir()
    os.mkfifo("pipe")
    Path("x.isth").write_bytes(isthmus.compress(TEXT))
    Path("y").write_bytes(isthmus.compress(TEXT))
    isthmus.Archive.create("a.isth", logs).close()
    before = sorted(Path().rglob("*"))
    ran = run(*arguments)
    assert ran.code == code, ran
    assert ran.err.startswith(f"isthmus: {said}"), ran.err
    assert ran.out == ""
    assert sorted(Path().rglob("*")) == before


def test_a_later_version_has_its_own_exit_code(run: Run) -> None:
    Path("x.isth").write_bytes(b"\xc1\x69\x28rest")
    for arguments in (
        ("decompress", "x.isth"),
        ("info", "x.isth"),
        ("verify", "x.isth"),
        ("archive", "list", "x.isth"),
    ):
        ran = run(*arguments)
        assert ran.code == 6
        assert ran.err == (
            "isthmus: x.isth was written by a later version of isthmus: format 2 is not known to this one; install a "
            "newer version.\n"
        )


def test_links_in_a_folder_are_left_out_and_named(run: Run, logs: Path) -> None:
    (logs / "link").symlink_to("/etc/passwd")
    ran = run("compress", "logs")
    assert ran.code == 0
    assert ran.err == "note: left out 'link' (a link): an archive holds regular files only\n"


def test_a_full_disk_leaves_nothing(run: Run, tmp_path: Path, largest_file: Callable[[int], object]) -> None:
    Path("noise").write_bytes(random.Random(0).randbytes(100_000))
    with largest_file(50_000):
        ran = run("compress", "noise", "--no-verify")
    assert ran.code == 1
    assert ran.err == "isthmus: noise.isth: File too large; nothing half-written was left behind.\n"
    assert [one.name for one in tmp_path.iterdir()] == ["noise"]
    assert run("compress", "noise", "--no-verify").code == 0
    Path("noise").unlink()
    with largest_file(50_000):
        ran = run("decompress", "noise.isth")
    assert ran.code == 1
    assert [one.name for one in tmp_path.iterdir()] == ["noise.isth"]


@pytest.mark.filterwarnings("always::isthmus.errors.IsthmusWarning")
def test_a_file_that_changes_while_it_is_read(run: Run, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = isthmus.coding.sources.pieces_of

    def read(source: BinaryIO, size: int) -> object:
        for number, piece in enumerate(before(source, 100)):
            if number == 1:
                with open("notes.txt", "ab") as file:
                    file.write(b"more")
            yield piece

    monkeypatch.setattr(verbs, "pieces_of", read)
    ran = run("compress", "notes.txt")
    assert ran.code == 0
    assert ran.err == (
        "note: notes.txt changed while it was read: what was kept is what was read, which may be a mixture\n"
    )
    assert isthmus.decompress(Path("notes.txt.isth").read_bytes()) == TEXT + b"more"


# ------------------------------------------------------------------ damage


def test_what_is_sound_of_a_damaged_archive(run: Run, logs: Path) -> None:
    run("compress", "logs", "-o", "x.isth")
    content = bytearray(Path("x.isth").read_bytes())
    with isthmus.Archive("x.isth") as archive:
        content[archive.members[0].blocks[0].position] ^= 255
    Path("x.isth").write_bytes(bytes(content))
    for arguments in (("verify", "x.isth"), ("decompress", "x.isth"), ("archive", "get", "x.isth", "mon.log")):
        ran = run(*arguments)
        assert ran.code == 4
        assert ran.err.startswith(
            "isthmus: x.isth is damaged: member 'mon.log' does not fit its check; copy or download"
        )
    assert not Path("x").exists()
    ran = run("decompress", "x.isth", "--partial")
    assert ran.code == 4
    assert ran.err == (
        "isthmus: x.isth is damaged: 3,000 bytes saved; lost: member 'mon.log'. Copy or download it again.\n"
    )
    assert [one.name for one in Path("x").iterdir()] == ["old"]


def test_nothing_is_lost_of_a_sound_file(run: Run, notes: Path) -> None:
    run("compress", "notes.txt")
    assert run("decompress", "notes.txt.isth", "--partial", "--force").code == 0
    ran = run("decompress", "notes.txt.isth", "--partial", "-c")
    assert ran.out.encode() == TEXT


# ------------------------------------------------------------------ looking at files


def test_info_and_verify(run: Run, notes: Path, logs: Path) -> None:
    run("compress", "notes.txt")
    run("compress", "logs")
    size = Path("notes.txt.isth").stat().st_size
    shown = run("info", "notes.txt.isth").out.splitlines()
    assert shown[:4] == [
        "notes.txt.isth: compressed by isthmus, format 1, small",
        f"522 bytes in {size}, {100 * size / 522:.1f} % ({8 * size / 522:.3f} bits a byte)",
        "begins with the prior that isthmus carries",
        "",
    ]
    assert [line.split() for line in shown[6:]] == [
        ["head", "and", "its", "check", "8", f"{800 / size:.1f}", "%", f"{64 / 522:.3f}"],
        ["payload,", "coded", f"{size - 8}", f"{100 - 800 / size:.1f}", "%", f"{8 * (size - 8) / 522:.3f}"],
    ]
    found = json.loads(run("info", "logs.isth", "--json").out)
    assert (found["form"], found["members"], found["stored"]) == ("archive", 2, 1)
    assert [one["name"] for one in found["largest"]] == ["old/noise", "mon.log"]
    line = next(line for line in run("info", "logs.isth").out.splitlines() if line.startswith("old/noise"))
    assert line.split() == [
        "old/noise",
        "3,000",
        "3,000",
        f"{300_000 / Path('logs.isth').stat().st_size:.1f}",
        "%",
        "8.000",
    ]
    Path("empty").touch()
    run("compress", "empty")
    assert run("info", "empty.isth").out.splitlines()[-1].split()[-4:] == ["8", "100.0", "%", "-"]
    assert run("verify", "notes.txt.isth").out == (
        "decodes   522 bytes decoded, every check fits\nnotes.txt.isth: ok\n"
    )
    assert run("verify", "logs.isth").out.splitlines()[-1] == "logs.isth: ok"


def test_an_estimate_writes_nothing(run: Run, notes: Path, logs: Path) -> None:
    before = sorted(Path().rglob("*"))
    found = json.loads(run("compress", "notes.txt", "--dry-run", "--json").out)
    assert found["bytes"] == found["sampled_bytes"] == len(TEXT)
    assert found["compressed_bytes"] == len(isthmus.compress(TEXT)) - 8
    assert "nothing was written" in run("compress", "logs", "--dry-run").out
    assert sorted(Path().rglob("*")) == before


def test_an_estimate_from_a_sample(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "SAMPLE", 4000)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "noise").write_bytes(random.Random(0).randbytes(20_000))
    (tmp_path / "half" / "zeros").write_bytes(bytes(20_000))
    found = json.loads(run("compress", "half", "--dry-run", "--json").out)
    assert found["bytes"] == 40_000
    assert 3500 < found["sampled_bytes"] <= 4000
    assert 18_000 < found["compressed_bytes"] < 25_000


def test_a_comparison_with_the_tools_that_are_here(run: Run, logs: Path) -> None:
    before = sorted(Path().rglob("*"))
    ran = run("compress", "logs", "--compare", "--json")
    found = json.loads(ran.out)
    sizes = {one["tool"]: one["compressed_bytes"] for one in found["tools"]}
    assert {"isthmus (normal)", "gzip -9", "bzip2 -9", "xz -9e"} <= set(sizes)
    assert sizes["bzip2 -9"] == len(bz2.compress(TEXT)) + len(bz2.compress(NOISE))
    assert sizes["isthmus (normal)"] == len(isthmus.compress(TEXT)) + len(isthmus.compress(NOISE))
    assert found["tools"] == sorted(found["tools"], key=lambda one: one["compressed_bytes"])
    assert "gzip -9" in run("compress", "logs", "--compare").out
    assert sorted(Path().rglob("*")) == before


# ------------------------------------------------------------------ what is loaded


def test_nothing_of_models_is_loaded(notes: Path, logs: Path, tmp_path: Path) -> None:
    script = (
        "import sys, isthmus; from isthmus.cli import main; "
        "assert isthmus.decompress(isthmus.compress(b'x')) == b'x'; "
        "codes = [main(words.split()) for words in ("
        "'compress notes.txt --threads 2', 'decompress notes.txt.isth -o n', 'compress logs', "
        "'archive list logs.isth', 'archive add logs.isth notes.txt', 'compress notes.txt --dry-run', "
        "'info notes.txt.isth', 'verify logs.isth')]; assert codes == [0] * 8, codes; "
        "heavy = {'torch', 'sklearn', 'scipy', 'pyarrow', 'matplotlib', 'pandas'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr


def test_help_says_that_nothing_is_encrypted(run: Run) -> None:
    assert "There is no encryption." in run("compress", "--help").out


def test_a_pipe_has_a_chunk_for_64_kb_or_a_second() -> None:
    assert pipes.PIECE == 65_536
    assert verbs.SECONDS == 1


@pytest.mark.parametrize("data", [b"", b"x"])
def test_next_to_nothing(run: Run, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    assert run("compress", "x").out.startswith(f"x.isth: {len(data)} bytes in {8 + len(data)}")
    assert run("info", "x.isth").code == run("verify", "x.isth").code == 0
    assert run("compress", "x", "--dry-run").code == run("compress", "x", "--compare").code == 0
    (tmp_path / "x").unlink()
    run("decompress", "x.isth")
    assert (tmp_path / "x").read_bytes() == data


def test_progress_on_a_terminal(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zeros").write_bytes(bytes(300_000))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    said = run("compress", "zeros", "--no-verify").err
    assert "MB/s, ratio " in said
    assert run("compress", "zeros", "--no-verify", "--force", "-q").err == ""


def test_a_folder_that_is_named_by_a_dot(run: Run, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(logs)
    assert verbs._beside(".", False) == f"{logs}.isth"
    assert verbs._beside("old/..", False) == f"{logs}.isth"
    assert verbs._beside("..", False) == f"{logs.parent}.isth"


@pytest.mark.parametrize("name", ["x.npy", "x.png", "x.csv", "x.tsv", "x.parquet", "x-idx3-ubyte", "x.idx", "x.txt"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not",
        b"not a table\n",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00v\x00{'descr'",
        b"\x89PNG\r\n\x1a\n",
        b"PAR1 PAR1",
        bytes(3) + b"\x03",
    ],
)
def test_a_file_that_is_not_what_its_name_says_comes_back_whole(
    run: Run, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    assert run("compress", tmp_path / name).code == 0
    assert run("decompress", tmp_path / f"{name}.isth", "-o", tmp_path / "back").code == 0
    assert (tmp_path / "back").read_bytes() == content
