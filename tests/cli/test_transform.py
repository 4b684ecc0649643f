"""encode, decode, reconstruct, denoise, inpaint: files in, files out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest
from PIL import Image
from pyarrow import parquet

import isthmus
from isthmus.cli import inputs, main

from .conftest import Run

SMALL = ("--latent-dim", "3", "--hidden", "8", "--max-epochs", "2", "-q")


def test_encode_streams_into_an_array_equal_to_transform(
    run: Run, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 10_000)  # several blocks
    ran = run("encode", "digits", "-m", model_file, "-o", "codes.npy", "--json")
    assert json.loads(ran.out) == {"output": "codes.npy", "records": 1797, "code_shape": [4]}
    assert np.array_equal(np.load("codes.npy"), isthmus.load(model_file).transform("digits"))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".npy"])
def test_codes_decode_to_the_same_records_from_every_format(run: Run, model_file: Path, suffix: str) -> None:
    assert run("encode", "digits", "-m", model_file, "-o", f"codes{suffix}").code == 0
    ran = run("decode", f"codes{suffix}", "-m", model_file, "-o", "records.npy")
    assert ran.out == "records.npy: 1,797 records\n"
    expected = isthmus.load(model_file).reconstruct("digits")
    found = np.load("records.npy")
    assert found.dtype == expected.dtype
    # A table in text holds enough digits for 32-bit floats.
    assert np.array_equal(found, expected)


def test_reconstruct_and_denoise_write_what_python_returns(run: Run, model_file: Path) -> None:
    assert run("reconstruct", "digits", "-m", model_file, "-o", "a.npy").code == 0
    assert run("denoise", "digits", "-m", model_file, "-o", "b.npy").code == 0
    assert np.array_equal(np.load("a.npy"), isthmus.load(model_file).reconstruct("digits"))
    assert np.array_equal(np.load("a.npy"), np.load("b.npy"))


def test_images_keep_their_names_and_codes_name_them(run: Run, photo_folder: Path) -> None:
    assert run("fit", photo_folder, *SMALL).code == 0
    assert run("reconstruct", photo_folder, "-o", "again").code == 0
    names = sorted(path.relative_to(photo_folder).as_posix() for path in photo_folder.rglob("*.png"))
    assert sorted(path.relative_to("again").as_posix() for path in Path("again").rglob("*.png")) == names
    assert run("encode", photo_folder, "-o", "codes.parquet").code == 0
    table = parquet.read_table("codes.parquet")
    assert table.column_names == ["name", "z0", "z1", "z2"]
    assert sorted(table.column("name").to_pylist()) == names
    assert run("decode", "codes.parquet", "-o", "decoded").code == 0
    assert sorted(path.relative_to("decoded").as_posix() for path in Path("decoded").rglob("*.png")) == names
    picture, decoded = (np.asarray(Image.open(f"{folder}/a/p00.png")) for folder in ("again", "decoded"))
    assert np.array_equal(picture, decoded)


def test_inpaint_fills_what_an_image_marks_and_nothing_else(run: Run, photo_folder: Path) -> None:
    mask = np.zeros((10, 12), np.uint8)
    mask[2:5, 3:9] = 255
    Image.fromarray(mask).save("mask.png")
    run("fit", photo_folder, *SMALL)
    ran = run("inpaint", photo_folder, "--mask", "mask.png", "-m", "model.safetensors", "-o", "filled")
    assert ran.out == "filled: 24 records\n"
    for path in photo_folder.rglob("*.png"):
        before = np.asarray(Image.open(path))
        after = np.asarray(Image.open(Path("filled") / path.relative_to(photo_folder)))
        assert np.array_equal(before[mask == 0], after[mask == 0])
        assert not np.array_equal(before[mask != 0], after[mask != 0])


def test_inpaint_completes_a_table(run: Run, table_file: Path) -> None:
    rows = table_file.read_text().splitlines()
    holes = [row if index % 5 else f"{row.split(',')[0]},,{row.split(',')[2]}" for index, row in enumerate(rows, 4)]
    Path("holes.csv").write_text("\n".join(holes) + "\n")
    run("fit", "holes.csv", *SMALL)
    assert run("inpaint", "holes.csv", "-o", "full.csv").code == 0
    before, after = (pyarrow.csv.read_csv(name) for name in ("holes.csv", "full.csv"))
    assert before.column("income").null_count == 20
    assert after.column("income").null_count == 0
    assert after.column("age").equals(before.column("age"))
    assert after.column("city").equals(before.column("city"))
    known = before.column("income").is_valid()
    assert after.column("income").filter(known).equals(before.column("income").filter(known))


def test_columns_are_put_in_order_by_name_and_others_left_out(run: Run, table_file: Path) -> None:
    run("fit", table_file, *SMALL)
    run("encode", table_file, "-o", "a.npy")
    table = pyarrow.csv.read_csv(table_file)
    pyarrow.csv.write_csv(table.select(["city", "income", "age"]).append_column("new", [list(range(100))]), "moved.csv")
    ran = run("encode", "moved.csv", "-o", "b.npy")
    assert "note: left out 'new'" in ran.err
    assert np.array_equal(np.load("a.npy"), np.load("b.npy"))


def test_a_missing_column_is_refused_by_name(run: Run, table_file: Path) -> None:
    run("fit", table_file, *SMALL)
    pyarrow.csv.write_csv(pyarrow.csv.read_csv(table_file).drop(["income"]), "short.csv")
    ran = run("encode", "short.csv", "-o", "codes.npy")
    assert ran.code == 3
    assert "there is no column 'income'" in ran.err
    assert not Path("codes.npy").exists()


def test_images_of_several_sizes(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / "mixed"
    folder.mkdir()
    for index in range(24):
        Image.fromarray(rng.integers(0, 256, (8 + index % 3, 9), dtype=np.uint8)).save(folder / f"m{index:02d}.png")
    assert run("fit", folder, "--sizes", "group", *SMALL).code == 0
    # What the fit was told about sizes is remembered.
    assert run("encode", folder, "-o", "codes.npz").code == 0
    assert run("decode", "codes.npz", "-o", "decoded").code == 0
    assert run("reconstruct", folder, "-o", "again").code == 0
    assert np.asarray(Image.open("again/m01.png")).shape == (9, 9)
    assert len(list(Path("decoded").iterdir())) == 24
    ran = run("encode", folder, "-o", "codes.csv")
    assert ran.code == 2
    assert ran.err == "isthmus: --output must end in .npz; it is 'codes.csv'.\n"


def test_text(run: Run) -> None:
    Path("book.txt").write_text("It was the best of times, it was the worst of times, " * 60)
    assert run("fit", "book.txt", *SMALL).code == 0
    assert run("reconstruct", "book.txt", "-o", "again.txt").code == 0
    # The last of the 50 windows of 64 bytes is not full, which the model may not have learnt.
    assert 3180 - 64 < Path("again.txt").stat().st_size <= 50 * 64


def test_a_failed_write_leaves_nothing_behind(run: Run, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    ran = run("encode", "digits", "-m", model_file, "-o", "codes.npy")
    assert ran.code == 1
    assert ran.err.endswith("isthmus: codes.npy: No space left on device; nothing half-written was left behind.\n")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_column_of_labels_and_the_index_come_back(run: Run, tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    columns = {"x": rng.normal(size=40), "l": pd.Categorical(list("ab") * 20), "y": rng.normal(size=40)}
    frame = pd.DataFrame(columns, index=pd.Index(rng.permutation(40)))
    frame.loc[frame.index[:3], "x"] = np.nan
    frame.loc[frame.index[5], "l"] = None
    name = f"t{suffix}"
    frame.to_csv(tmp_path / name, index=False) if suffix == ".csv" else frame.to_parquet(tmp_path / name)
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    before = read(tmp_path / name)
    assert run("fit", name, "--labels", "l", "--max-epochs", 1, "--latent-dim", 1, "-o", "m.safetensors").code == 0
    for verb in ("reconstruct", "denoise", "inpaint", "impute"):
        assert run(verb, name, "-m", "m.safetensors", "-o", f"{verb}{suffix}").code == 0
        after = read(tmp_path / f"{verb}{suffix}")
        assert list(after.columns) == ["x", "l", "y"]
        pd.testing.assert_series_equal(after["l"], before["l"])
        assert dict(after.dtypes) == dict(before.dtypes)
    known = before["x"].notna()
    assert after["x"][known].equals(before["x"][known])  # impute is the last
    assert run("augment", name, "-m", "m.safetensors", "--n", 2, "-o", f"more{suffix}").code == 0
    more = read(tmp_path / f"more{suffix}")
    assert more["l"].tolist()[-4:] == ["a", "a", "b", "b"]
    assert (more["l"].isna().sum(), list(more.columns)) == (1, ["x", "l", "y"])


def test_the_column_of_labels_of_a_matrix_comes_back(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    matrix = np.column_stack([rng.normal(size=40), np.arange(40) % 3, rng.normal(size=40)])
    np.save(tmp_path / "t.npy", matrix)
    assert run("fit", "t.npy", "--labels", 1, "--max-epochs", 1, "--latent-dim", 1, "-o", "m.safetensors").code == 0
    assert run("reconstruct", "t.npy", "-m", "m.safetensors", "-o", "again.npy").code == 0
    again = np.load(tmp_path / "again.npy")
    assert again.shape == matrix.shape
    np.testing.assert_array_equal(again[:, 1], matrix[:, 1])


def test_only_the_columns_asked_for_are_looked_at(run: Run, tmp_path: Path) -> None:
    table = pa.table({"a": np.arange(30.0) % 7, "s": [[1]] * 30, "l": list("ab") * 15})
    parquet.write_table(table, tmp_path / "t.parquet")
    ran = run("inspect", "t.parquet")
    assert (ran.code, "name the columns to use with columns= (--columns)." in ran.err) == (3, True)
    assert run("inspect", "t.parquet", "--columns", "a").code == 0
    assert "classes       a: 15, b: 15" in run("inspect", "t.parquet", "--columns", "a", "--labels", "l").out


def test_a_text_table_is_read_as_its_flags_say_also_by_later_verbs(run: Run) -> None:
    rows = "".join(
        f"{i % 7},{i};{i % 12 + 1}/{i % 5 + 1}/2020;{i % 9:03d};{'-' if i % 4 else 'M'}\n" for i in range(60)
    )
    Path("t.csv").write_text(f"price;when;zip;size\n{rows}", encoding="utf-8")
    flags = ("--decimal", ",", "--day-first", "--missing", "-", "--as-text", "")
    told = json.loads(run("inspect", "t.csv", *flags, "--json").out)
    types = {column["name"]: (column["type"], column["missing"]) for column in told["columns"]}
    assert types == {"price": ("number", 0), "when": ("date", 0), "zip": ("integer", 0), "size": ("category", 45)}
    assert run("fit", "t.csv", *SMALL, *flags).code == 0
    assert run("reconstruct", "t.csv", "-o", "back.csv").code == 0
    back = pyarrow.csv.read_csv("back.csv")
    assert [str(field.type) for field in back.schema][:3] == ["double", "date32[day]", "int64"]


def test_a_new_text_table_is_read_in_the_types_of_the_fit(run: Run) -> None:
    rows = "".join(f"{i % 7},{i};{i % 4:05d};{'SML'[i % 3]}\n" for i in range(60))
    Path("t.csv").write_text(f"price;zip;size\n{rows}", encoding="utf-8")
    assert run("fit", "t.csv", *SMALL, "--labels", "size", "--decimal", ",").code == 0
    Path("new.csv").write_text("size;zip;price\nM;1;3,5\nL;80331;-\n", encoding="utf-8")
    told = run("reconstruct", "new.csv", "-o", "back.csv")
    assert told.code == 0
    assert "2 cells hold categories that the fit did not have" in told.err
    Path("new.csv").write_text("price;zip;size\nmuch;00001;M\n", encoding="utf-8")
    told = run("encode", "new.csv", "-o", "codes.csv")
    assert (told.code, "new.csv: column 'price' held values of type number" in told.err) == (3, True)
    # What was said of the text table of the fit is not asked of a file that has types.
    pd.DataFrame({"price": [1.5, 2.5], "zip": ["00001", "00002"]}).to_parquet("new.parquet")
    assert run("encode", "new.parquet", "-o", "codes.csv").code == 0
    assert "decimal is for text tables" in run("encode", "new.parquet", "-o", "c.csv", "--decimal", ",").err


def test_tables_can_be_written_for_spreadsheets(run: Run) -> None:
    rows = "".join(f"{'=1+1' if i % 2 else 'plain'},{-i % 7}.5\n" for i in range(40))
    Path("t.csv").write_text(f"name,number\n{rows}", encoding="utf-8")
    assert run("fit", "t.csv", *SMALL).code == 0
    for flags, names in (((), {"=1+1", "plain"}), (("--guard-formulas",), {"'=1+1", "plain"})):
        assert run("sample", "--n", "200", "--seed", "1", "-o", "new.csv", "--force", *flags).code == 0
        assert set(pyarrow.csv.read_csv("new.csv").column("name").to_pylist()) <= names
    assert run("reconstruct", "t.csv", "-o", "back.csv", "--guard-formulas").code == 0
    assert "'=1+1" in Path("back.csv").read_text(encoding="utf-8")


def test_the_nans_of_an_array_are_filled_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    X = np.random.default_rng(0).normal(size=(200, 2)) @ np.random.default_rng(1).normal(size=(2, 5))
    np.save("clean.npy", X)
    X[:100, 1] = np.nan
    np.save("holes.npy", X)
    isthmus.Autoencoder(max_epochs=2, random_state=0, device="cpu").fit(np.load("clean.npy")).save("model.safetensors")
    assert main(["impute", "holes.npy", "-o", "whole.npy"]) == 0
    assert "whole.npy: 200 records, 100 cells filled, in 100 of them" in capsys.readouterr().out
    whole = np.load("whole.npy")
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(whole[:, 0], X[:, 0])
