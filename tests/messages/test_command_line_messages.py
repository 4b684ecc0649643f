"""What the command line says when something is wrong with a command, a file or a disk: the whole sentence."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus.cli import main, registry
from isthmus.models import REGISTRY

Said = Callable[..., tuple[int, str]]
QUICK = ("--max-epochs", "1", "--hidden", "4", "--latent-dim", "2", "-q")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    """Run a command in an empty folder; return its exit code and the last line of standard error."""
    monkeypatch.chdir(tmp_path)

    def once(*arguments: str) -> tuple[int, str]:
        code = main(list(arguments))
        lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: ")]
        assert code == 0 or len(lines) == 1, lines
        return code, lines[-1] if lines else ""

    return once


def table(path: str = "people.csv") -> None:
    rng = np.random.default_rng(0)
    ages = rng.integers(20, 70, 60)
    rows = [f"p{i:03d},{age},{age * 900},{'old' if age > 45 else 'young'}" for i, age in enumerate(ages)]
    Path(path).write_text("\n".join(["id,age,income,group", *rows]) + "\n")


# ------------------------------------------------------------------ commands


def test_no_sentence_names_the_program_twice(said: Said) -> None:
    table()
    names = ", ".join(map(repr, registry.model_names()))
    assert said("models", "foo")[1].startswith(f"isthmus: the model must be one of {names}; it is 'foo'")
    assert said("fit", "people.csv", "--test", "2") == (
        2,
        "isthmus: --test must be a number of at least 0 and below 1; it is 2.0.",
    )
    assert said("fit", "people.csv", "--threads", "0") == (
        2,
        "isthmus: --threads must be a whole number of at least 1; it is 0.",
    )


def test_every_argument_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("inspect", "info", "verify", "models"):
        main([verb, "--help"])
        arguments = capsys.readouterr().out.split("Arguments:\n")[1].split("Options:")[0]
        assert any(words in arguments for words in ("A file (.npy", "The model's file", "A model's name.")), arguments


def test_parameters_are_listed_with_their_choices(capsys: pytest.CaptureFixture[str]) -> None:
    main(["models", "denoising-autoencoder"])
    assert (
        "  corruption      gaussian|salt-and-pepper|masking|holes|blur|downscale|replacement\n"
        in capsys.readouterr().out
    )


def test_an_interruption_while_loading(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("isthmus.cli.app._application", interrupted)
    assert said("fit", "digits") == (130, "isthmus: interrupted")


# ------------------------------------------------------------------ outputs


def test_an_output_that_is_a_folder(said: Said) -> None:
    table()
    for name in (".", "models"):
        Path(name).mkdir(exist_ok=True)
        sentence = f"isthmus: --output must name a file; {name!r} is a folder."
        assert said("fit", "people.csv", "-o", name, "--force") == (2, sentence)


def test_an_output_in_a_folder_that_cannot_be_written_to(said: Said) -> None:
    table()
    code, sentence = said("fit", "people.csv", "-o", "people.csv/m.safetensors")
    assert code == 2
    assert sentence == (
        "isthmus: --output must be in a folder that can be written to; in 'people.csv' nothing can: File exists."
    )


def test_a_format_that_does_not_hold_the_records_is_refused_before_they_are_read(said: Said) -> None:
    table()
    assert said("fit", "people.csv", *QUICK)[0] == 0
    Path("people.csv").unlink()
    assert said("reconstruct", "people.csv", "-o", "again") == (
        2,
        "isthmus: 'again': records of kind 'table' are not written to a folder; choose one of .csv, .tsv, .parquet, "
        ".npy, .npz.",
    )


@contextmanager
def no_larger_than(size: int) -> Iterator[None]:
    """Let the system refuse to write more bytes to one file, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("output", ["codes.npy", "codes.csv", "codes.parquet", "again.npz", "report.html"])
def test_a_disk_that_fills_up_names_the_file_and_leaves_nothing(said: Said, output: str) -> None:
    assert said("fit", "digits", *QUICK)[0] == 0
    verb = {"again.npz": "reconstruct", "report.html": "report"}.get(output, "encode")
    before = sorted(Path().iterdir())
    with no_larger_than(4096):
        code, sentence = said(verb, "digits", "-o", output)
    assert code == 1
    assert output in sentence
    assert "File too large; nothing" in sentence
    assert sorted(Path().iterdir()) == before


# ------------------------------------------------------------------ data


@pytest.mark.long
def test_a_command_that_ends_at_once_after_reading_a_table_ends_in_good_order(tmp_path: Path) -> None:
    """Threads that have read the table must not abort a process that ends while they do."""
    (tmp_path / "a.csv").write_text("a,b\n" + "1,2\n3,4\n" * 20)
    script = "import sys; from isthmus.cli import main; sys.exit(main(['fit', 'a.csv', '--labels', '7']))"
    folder = str(Path(isthmus.__file__).parents[1])
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"PYTHONPATH": folder, "PATH": "", "OMP_NUM_THREADS": "1"},
            check=False,
        )
        assert (done.returncode, done.stderr.splitlines()[-1]) == (
            3,
            "isthmus: a.csv: there is no column 7 among 'a', 'b'.",
        )


def test_a_row_of_a_table_that_is_too_short_is_named(said: Said) -> None:
    Path("ragged.csv").write_text("a,b,c\n1,2,3\n4,5\n6,7,8\n")
    assert said("inspect", "ragged.csv") == (
        3,
        "isthmus: data: 'ragged.csv' cannot be read: it is no regular table: line 3: 3 columns expected, 2 found: 4,5.",
    )


def test_strings_in_an_array_are_shown_as_they_are(said: Said) -> None:
    np.save("x.npy", np.array([["1.5", "two"], ["3", "4"]]))
    assert said("inspect", "x.npy")[1].startswith(
        "isthmus: x.npy: strings in a numeric array, '1.5', in row 0, column 0;"
    )


def test_a_file_is_no_variable(said: Said) -> None:
    np.save("x.npy", np.zeros(5))
    assert "Reshape your data with array.reshape(-1, 1) if it is one column" in said("inspect", "x.npy")[1]


def test_an_image_that_cannot_be_read_says_how_to_go_on(said: Said) -> None:
    Path("photos").mkdir()
    for index in range(3):
        Image.fromarray(np.full((8, 8), index, np.uint8)).save(f"photos/{index}.png")
    Path("photos/1.png").write_text("no image")
    assert said("inspect", "photos") == (
        3,
        "isthmus: data: 'photos/1.png' cannot be read: it is no sound PNG, JPEG, TIFF, WebP, BMP, GIF, AVIF or PPM "
        "image; mend it, or leave such files out with skip_bad=True (--skip-bad).",
    )


def test_a_container_is_not_learned_as_text(said: Said) -> None:
    Path("cells.h5ad").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(5000))
    assert said("fit", "cells.h5ad", "-o", "m.safetensors") == (
        3,
        "isthmus: data: 'cells.h5ad' is an HDF5 file (AnnData), which this version does not read; open adata.X of "
        "anndata.read_h5ad, or adata.to_df().",
    )
    assert not Path("m.safetensors").exists()


# ------------------------------------------------------------------ model files


def test_a_file_of_another_kind_is_not_called_damaged(said: Said) -> None:
    np.save("x.npy", np.zeros(5))
    assert said("info", "x.npy") == (
        4,
        "isthmus: x.npy is no model file: those are safetensors files, as isthmus fit and save write them.",
    )


def test_a_checkpoint_is_no_model(said: Said) -> None:
    isthmus.artifact.write("run.checkpoint", "Checkpoint", {}, {"x": np.zeros(2)})
    assert "Checkpoint" not in REGISTRY
    assert said("encode", "digits", "-m", "run.checkpoint", "-o", "codes.npy") == (
        4,
        "isthmus: run.checkpoint is the checkpoint of a run that did not end, not a model; go on from it with --resume "
        "(fit(..., resume=path)).",
    )


def test_names_that_a_terminal_cannot_show_do_not_stop_the_printing(said: Said) -> None:
    document = {"schema": {"kind": "text", "shape": [4], "dtype": "bytes", "columns": []}, "notes": ["\udcff"]}
    isthmus.artifact.write("odd.safetensors", "Autoencoder", document, {})
    assert said("info", "odd.safetensors") == (0, "")


# ------------------------------------------------------------------ records that training never saw


def test_labels_of_the_fit_are_remembered(said: Said, capsys: pytest.CaptureFixture[str]) -> None:
    table()
    assert said("fit", "people.csv", "--labels", "group", *QUICK)[0] == 0
    assert main(["compare", "people.csv"]) == 0
    told = capsys.readouterr()
    assert "these are the data of the fit; judged are the 6 records it never saw" in told.err
    assert "On 6 held-out records" in told.out
    # Other data may have no such column.
    Path("new.csv").write_text("id,age,income\n" + "\n".join(f"q{i},{30 + i},{27000 + i}" for i in range(12)) + "\n")
    assert said("encode", "new.csv", "-o", "codes.npy") == (0, "")


def test_columns_of_the_fit_are_remembered(said: Said) -> None:
    np.save("x.npy", np.random.default_rng(0).normal(size=(30, 5)))
    assert said("fit", "x.npy", "--columns", "0,2,4", *QUICK)[0] == 0
    assert said("encode", "x.npy", "-o", "codes.npy") == (0, "")
    np.save("three.npy", np.zeros((4, 3)))
    assert said("encode", "three.npy", "-o", "three_codes.npy") == (0, "")


def test_records_that_were_trained_on_are_not_called_held_out(said: Said, capsys: pytest.CaptureFixture[str]) -> None:
    table()
    assert said("fit", "people.csv", *QUICK)[0] == 0
    assert main(["compare", "people.csv", "--rows", "all"]) == 0
    out = capsys.readouterr().out
    assert "On 60 records of the fit" in out
    assert "held-out" not in out
