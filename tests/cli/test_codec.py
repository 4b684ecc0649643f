"""fit --model codec, and -m of the verbs that compress: what is written, what is said, and with which exit code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus.cli import main
from isthmus.coding import Codec

from .conftest import ENVIRONMENT, Run

LINE = b"GET /v1/users/%d 200 in %d ms\n"
LOG = b"".join(LINE % (number, number % 9) for number in range(40))
OTHER = b"quite another thing, of which nobody has heard\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    (folder / "old").mkdir(parents=True)
    (folder / "mon.log").write_bytes(LOG)
    (folder / "old" / "sun.log").write_bytes(LOG[::-1])
    (tmp_path / "app.log").write_bytes(LOG)
    Codec().fit(OTHER).save(tmp_path / "other.safetensors")
    return folder


@pytest.fixture
def model(run: Run, corpus: Path) -> str:
    assert run("fit", "corpus/", "--model", "codec", "-o", "logs.safetensors").code == 0
    return Codec.load("logs.safetensors").fingerprint_[:8]


# ------------------------------------------------------------------ fit


def test_a_codec_is_learned_and_described(run: Run, corpus: Path) -> None:
    ran = run("fit", "corpus/", "--model", "codec", "-o", "logs.safetensors")
    codec = Codec.load("logs.safetensors")
    assert codec.fingerprint_ == Codec().fit(corpus).fingerprint_
    assert ran.out.startswith(
        f"logs.safetensors: Codec {codec.fingerprint_[:8]}, learned from {2 * len(LOG):,} bytes in"
    )
    assert ran.out.endswith(" MB/s\n")
    assert ran.err == "next: isthmus compress FILE -m logs.safetensors\n"
    size = Path("logs.safetensors").stat().st_size
    assert run("info", "logs.safetensors").out.splitlines() == [
        f"logs.safetensors: Codec, {size:,} bytes, format 1, by isthmus {isthmus.__version__}",
        f"a model for isthmus compress -m; fingerprint {codec.fingerprint_[:8]}",
        f"learned from {2 * len(LOG):,} bytes in 2 pieces",
        "command: isthmus fit corpus/ --model codec -o logs.safetensors",
    ]
    assert json.loads(run("info", "logs.safetensors", "--json").out)["sha256"] == codec.fingerprint_
    assert run("verify", "logs.safetensors").out.splitlines() == [
        "digests   every bit is as it was written",
        "loads     as Codec",
        "computes  what it codes decodes with it",
        "logs.safetensors: ok",
    ]


def test_several_things_and_the_standard_input(run: Run, corpus: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "isthmus", "fit", "-", "app.log", "--model=codec", "-o", "m.safetensors", "--json"]
    done = subprocess.run(command, input=OTHER, capture_output=True, cwd=tmp_path, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["fingerprint"] == Codec.load(tmp_path / "m.safetensors").fingerprint_
    assert found["provenance"]["bytes"] == len(LOG) + len(OTHER)


def test_the_output_in_the_folder_is_not_learned_from(run: Run, corpus: Path) -> None:
    command = ("fit", "corpus", "--model", "codec", "-o", "corpus/m.safetensors", "--force")
    sizes = [json.loads(run(*command, "--json").out)["provenance"]["bytes"] for _ in range(2)]
    assert sizes == [2 * len(LOG)] * 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("corpus", "--latent-dim", "3"),
            2,
            "fit --model codec: there is no --latent-dim; leave it out. It has --model,",
        ),
        (("corpus", "--config=x.toml"), 2, "fit --model codec: there is no --config; leave it out. It has"),
        (("corpus", "-o", "logs.safetensors"), 2, "'logs.safetensors' exists already; give another name"),
        (("corpus", "-o", "corpus"), 2, "--output must name a file; 'corpus' is a folder."),
        (("nothing",), 3, "nothing: No such file or directory."),
        (("void",), 3, "Codec: the data hold no byte to learn from; give other files, or texts."),
        (("pipe",), 3, "pipe is a pipe, where a file is needed;"),
        ((), 2, "Missing argument"),
        (
            ("corpus", "--content", "words"),
            2,
            "--content must be one of 'auto', 'pictures', 'tables', 'bytes', 'photographs'",
        ),
        (("-", "--content", "pictures"), 2, "the standard input (-) is learned from as bytes, not as pictures; name"),
        (("app.log", "--content", "pictures"), 3, "app.log does not begin like a PNG, .npy or IDX file; a model"),
    ],
)
def test_what_fit_refuses(run: Run, corpus: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    Path("void").mkdir()
    os.mkfifo("pipe")
    Path("logs.safetensors").write_bytes(b"mine")
    ran = run("fit", *arguments, "--model", "codec")
    assert (ran.code, said in ran.err) == (code, True), ran.err
    assert Path("logs.safetensors").read_bytes() == b"mine"
    assert not Path("model.safetensors").exists()


def test_its_help_is_its_own(run: Run) -> None:
    said = run("fit", "--model", "codec", "--help").out
    assert "isthmus fit corpus/ --model codec -o logs.safetensors" in said
    assert "--latent-dim" not in said
    assert "--model codec" in " ".join(run("fit", "--help").out.split())


def test_pictures_are_learned_from_as_such_unless_it_is_said_otherwise(run: Run, tmp_path: Path) -> None:
    np.save("a.npy", np.arange(3 * 6 * 5, dtype="u1").reshape(3, 6, 5))
    Path("a.txt").write_bytes(LOG)
    fit = ("fit", "--model", "codec", "--force", "-o", "m.safetensors", "a.npy")
    ran = run(*fit)
    fingerprint = isthmus.PictureCodec().fit("a.npy").fingerprint_
    phrase = "learned from 3 pictures of 6 x 5, uint8"
    assert ran.out.startswith(f"m.safetensors: PictureCodec {fingerprint[:8]}, {phrase} in ")
    assert ran.err.splitlines() == [
        "note: all files hold pictures, and are learned from as such; --content bytes takes them as bytes; "
        "--content photographs is for a loss.",
        "next: isthmus compress FILE -m m.safetensors",
    ]
    assert run("info", "m.safetensors").out.splitlines()[1:] == [
        f"a model for isthmus compress -m; fingerprint {fingerprint[:8]}",
        phrase,
        "command: isthmus fit --model codec --force -o m.safetensors a.npy",
    ]
    assert "loads     as PictureCodec" in run("verify", "m.safetensors").out
    ran = run(*fit, "--content", "pictures", "--json")
    assert (json.loads(ran.out)["content"], ran.err) == ("pictures", "next: isthmus compress FILE -m m.safetensors\n")
    assert json.loads(run(*fit, "--content", "bytes", "--json").out)["model"] == "Codec"
    ran = run(*fit, "a.txt", "--json")
    assert json.loads(ran.out)["content"] == "bytes"
    assert "note: not all files hold pictures, so all are learned from as bytes; name only those that do" in ran.err


# ------------------------------------------------------------------ compress, decompress, verify, info


def test_a_file_and_back(run: Run, model: str) -> None:
    assert run("compress", "app.log", "-m", "logs.safetensors").code == 0
    assert Path("app.log.isth").read_bytes() == isthmus.compress(LOG, model="logs.safetensors")
    assert run("decompress", "app.log.isth", "-m", "logs.safetensors", "-o", "x").code == 0
    assert Path("x").read_bytes() == LOG
    assert run("verify", "app.log.isth", "-m", "logs.safetensors").out.endswith("app.log.isth: ok\n")
    line = f"needs the model {model}, the file of which -m names"
    assert run("info", "app.log.isth").out.splitlines()[2] == line
    found = json.loads(run("info", "app.log.isth", "--json").out)
    assert (found["model"], found["carried"], found["parts"]["head"]) == (model, False, 12)


def test_an_archive_and_its_members(run: Run, model: str) -> None:
    m = ("-m", "logs.safetensors")
    assert run("compress", "corpus", "-o", "a.isth", *m).code == 0
    assert "mon.log" in run("archive", "list", "a.isth").out
    assert run("archive", "get", "a.isth", "mon.log", *m).out.encode() == LOG
    assert run("archive", "add", "a.isth", "app.log", *m).code == 0
    assert run("archive", "delete", "a.isth", "mon.log").code == 0
    assert run("archive", "extract", "a.isth", "-o", "out", *m).code == 0
    assert Path("out/app.log").read_bytes() == LOG
    assert run("decompress", "a.isth", "-o", "again", *m).code == run("verify", "a.isth", *m).code == 0
    assert f"needs the model {model}, the file of which" in run("info", "a.isth").out
    for arguments in (
        ("archive", "get", "a.isth", "app.log"),
        ("archive", "extract", "a.isth", "-o", "new"),
        ("archive", "add", "a.isth", "other.safetensors"),
        ("decompress", "a.isth", "-o", "new"),
        ("decompress", "a.isth", "-o", "new", "--partial"),
        ("verify", "a.isth"),
    ):
        ran = run(*arguments)
        assert (ran.code, f"a.isth needs the model {model}, which was not given" in ran.err) == (4, True), ran.err
        assert not Path("new").exists()


def test_estimates_and_comparisons_use_the_model(run: Run, model: str) -> None:
    m = ("-m", "logs.safetensors")
    found = json.loads(run("compress", "app.log", "--dry-run", "--json", *m).out)
    size = len(isthmus.compress(LOG, model="logs.safetensors"))
    assert found["compressed_bytes"] == size - 12
    tools = json.loads(run("compress", "app.log", "--compare", "--json", *m).out)["tools"]
    assert {one["tool"]: one["compressed_bytes"] for one in tools}["isthmus (normal, with the model)"] == size


def test_without_the_prior(run: Run, corpus: Path) -> None:
    assert run("compress", "app.log", "--no-prior").code == 0
    assert Path("app.log.isth").read_bytes() == isthmus.compress(LOG, prior=False)
    assert "model" not in run("info", "app.log.isth").out


def test_a_stream_that_is_compressed_as_it_comes(tmp_path: Path, model: str) -> None:
    m = ("-m", "logs.safetensors")
    command = [sys.executable, "-m", "isthmus", "compress", *m, "-", "-o", "app.isth"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        process.stdin.write(LINE % (1, 1))
        process.stdin.flush()
        path, deadline = tmp_path / "app.isth", time.monotonic() + 60
        while time.monotonic() < deadline and not (path.exists() and path.stat().st_size > 40):
            time.sleep(0.05)
        with open(path, "rb") as file:
            line = isthmus.open_compressed(file, model=tmp_path / "logs.safetensors").readline()
        assert line == LINE % (1, 1)
        process.communicate(LINE % (2, 2), timeout=60)
    assert process.returncode == 0
    command = [sys.executable, "-m", "isthmus", "decompress", "-", *m]
    done = subprocess.run(
        command, input=path.read_bytes(), capture_output=True, cwd=tmp_path, env=ENVIRONMENT, check=True
    )
    assert done.stdout == LINE % (1, 1) + LINE % (2, 2)


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "verb", [("compress", "app.log"), ("decompress", "app.log.isth", "-o", "x"), ("verify", "app.log.isth")]
)
@pytest.mark.parametrize(
    ("file", "code", "said"),
    [
        ("nothing", 3, "There is no model file nothing. Make one with isthmus fit"),
        ("app.log", 4, "app.log is no model file"),
        ("app.log.isth", 4, "app.log.isth is no model file"),
        ("half", 4, "half is damaged or cut short"),
        ("altered", 4, "altered is damaged or cut short (its arrays do not match their checksum); copy or download it"),
        (
            "digits.safetensors",
            4,
            "digits.safetensors holds an Autoencoder, which is no codec; make one",
        ),
        ("corpus", 4, "corpus is no model file, but a folder"),
    ],
)
def test_models_that_are_none(
    run: Run, model: str, model_file: Path, verb: tuple[str, ...], file: str, code: int, said: str
) -> None:
    content = Path("logs.safetensors").read_bytes()
    Path("half").write_bytes(content[: len(content) // 2])
    Path("altered").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    shutil.copy(model_file, "digits.safetensors")
    Path("app.log.isth").write_bytes(isthmus.compress(LOG, model="logs.safetensors"))
    ran = run(*verb, "-m", file, *(("--force",) if verb[0] == "compress" else ()))
    if (verb[0], file) == ("compress", "digits.safetensors"):  # which compresses records, once it is said how well
        code, said = 2, "exactly one of psnr, bpp and size has to say which; got none"
    assert (ran.code, said in ran.err) == (code, True), ran.err
    assert not Path("x").exists()


def test_another_model(run: Run, model: str) -> None:
    run("compress", "app.log", "-m", "logs.safetensors")
    given = Codec.load("other.safetensors").fingerprint_[:8]
    ran = run("decompress", "app.log.isth", "-m", "other.safetensors", "-o", "x")
    assert ran.code == 4
    assert ran.err == (
        f"isthmus: app.log.isth needs the model {model}, and the one given is {given}; give the file of that model "
        f"with -m (model=), or install a newer version if it is none of yours.\n"
    )
    assert not Path("x").exists()


def test_a_model_at_fast_speed(run: Run, model: str) -> None:
    ran = run("compress", "app.log", "-m", "logs.safetensors", "--speed", "fast")
    assert ran.code == 2
    assert ran.err == (
        "isthmus: compress: a model is used at speed 'normal' only; leave out the model, or the speed.\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("encode", "digits", "-o", "z.npy"),
        ("score", "digits"),
        ("detect", "digits"),
        ("sample", "-o", "new.npy"),
        ("doctor",),
        ("classify", "predict", "digits"),
    ],
)
def test_verbs_about_records(run: Run, model: str, arguments: tuple[str, ...]) -> None:
    m = () if arguments == ("doctor",) else ("-m",)
    ran = run(*arguments, *m, "logs.safetensors")
    assert ran.code == 4
    assert "logs.safetensors holds a Codec" in ran.err


def test_nothing_of_other_models_is_loaded(corpus: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from isthmus.cli import main; "
        "codes = [main(words.split()) for words in ("
        "'fit corpus --model codec -o m.safetensors', 'info m.safetensors', 'verify m.safetensors', "
        "'compress app.log -m m.safetensors', 'decompress app.log.isth -m m.safetensors -o x', "
        "'verify app.log.isth -m m.safetensors', 'fit --model codec --help')]; assert codes == [0] * 7, codes; "
        "heavy = {'torch', 'sklearn', 'scipy', 'pyarrow', 'matplotlib', 'pandas'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr


def test_progress_on_a_terminal(run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "MB/s" in run("fit", "corpus", "--model", "codec", "-o", "m.safetensors").err
    assert main(["fit", "corpus", "--model", "codec", "-o", "n.safetensors", "-q"]) == 0
