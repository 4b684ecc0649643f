"""Whoever does what a message says gets on: each piece of advice is provoked, followed, and seen to work.

The advice is found in the sources: the strings of ``isthmus.checks`` and ``isthmus.cli`` that tell a person what to do.
A new one fails here until it has a test below, or a reason why it can have none.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pytest
import tifffile
from PIL import Image
from torch import nn

import isthmus
from isthmus import (
    VAE,
    Autoencoder,
    Classifier,
    Clusterer,
    ConditionalVAE,
    DenoisingAutoencoder,
    Detector,
    cluster,
    data,
    metrics,
    preprocessing,
    tasks,
)
from isthmus.cli import main
from isthmus.coding.pictures import Picture
from isthmus.errors import IsthmusError
from isthmus.tasks.pictures import restore_file
from isthmus.tasks.tiling import Enlarged, tiles

SOURCES = Path(isthmus.__file__).parent
VERBS = (
    "use|give|pass|write|save|install|fill|drop|add|take|choose|try|leave|fit|set|name|remove|convert|call|make|cut|"
    "open|put|bring|keep|divide|go on|start|select|judge|rename|lower|mend|get|end|round|scale|crop|ask|label|"
    "look|flatten|replace|check|run|search|repeat|say|isthmus.load"
)
ADVICE = re.compile(rf"(?:[;:,.(]|\bor|\band)\s+(?:{VERBS})\b", re.IGNORECASE)

COMMON: dict[str, Any] = {"max_epochs": 1, "random_state": 0, "device": "cpu"}
TESTS: list[Callable[[Path], None]] = []
COVERED: Counter[str] = Counter()


# ------------------------------------------------------------------ what the sources advise


def advice_of(path: Path) -> Iterator[str]:
    """Yield, for each string of a source that gives advice, the module and the function that it is in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
        if isinstance(node, ast.FunctionDef | ast.Module | ast.ClassDef) and ast.get_docstring(node):
            skipped.add(id(node.body[0].value))  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if id(node) in skipped or not isinstance(node, ast.Constant | ast.JoinedStr):
            continue
        if isinstance(node, ast.Constant) and not isinstance(node.value, str):
            continue
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
        inside = [f for f in functions if f.lineno <= node.lineno <= (f.end_lineno or 0)]
        if inside and ADVICE.search(text):
            yield f"{path.parent.name}.{path.stem}.{max(inside, key=lambda f: f.lineno).name}"


def all_advice() -> Counter[str]:
    """Return how many strings with advice each function has."""
    paths = [*sorted((SOURCES / "checks").glob("*.py")), *sorted((SOURCES / "cli").glob("*.py"))]
    return Counter(name for path in paths for name in advice_of(path))


def advises(name: str, strings: int = 1) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Say which function's advice a test follows, and how many of its strings."""

    def register(function: Callable[[Path], None]) -> Callable[[Path], None]:
        COVERED[name] += strings
        if function not in TESTS:
            TESTS.append(function)
        return function

    return register


@contextlib.contextmanager
def told(*fragments: str) -> Iterator[None]:
    """Expect an error of ours whose sentence has all fragments."""
    with pytest.raises(IsthmusError) as caught:
        yield
    for fragment in fragments:
        assert fragment in str(caught.value)


def run(*words: object) -> None:
    """Run a command, which must work."""
    assert main([str(word) for word in words]) == 0


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def rows(n: int = 60, width: int = 4) -> np.ndarray:
    return rng().normal(size=(n, width))


def frame(n: int = 60) -> pd.DataFrame:
    found = pd.DataFrame(rows(n), columns=list("abcd"))
    return found.assign(job=pd.Series(["cook", "judge", "smith"] * (n // 3), dtype="str"))


def classes(n: int = 60) -> np.ndarray:
    return np.arange(n) % 2


def pictures(n: int = 24, side: int = 12) -> np.ndarray:
    return rng().integers(0, 256, (n, side, side), dtype=np.uint8)


@functools.cache
def fitted(kind: str) -> Any:
    records = {"array": rows, "table": frame, "image": pictures}[kind]()
    return Autoencoder(**COMMON).fit(records)


@functools.cache
def fitted_on_sizes() -> Any:
    return Autoencoder(**COMMON).fit(open_sizes())


def several_sizes() -> list[np.ndarray]:
    sides = [16, 20] * 12
    return [rng().integers(0, 256, (side, side), dtype=np.uint8) for side in sides]


def open_sizes() -> Any:
    return data.open(several_sizes(), sizes="group")


def folder_of(path: Path, images: dict[str, np.ndarray]) -> Path:
    path.mkdir()
    for name, image in images.items():
        Image.fromarray(image).save(path / name)
    return path


# ------------------------------------------------------------------ data


@advises("checks.data.dense_type", 2)
def a_dense_array_or_filled_values(tmp: Path) -> None:
    from scipy import sparse

    X = sparse.csr_array(np.eye(30))
    with told("pass a dense array", ".toarray()"):
        data.open(X)
    assert len(data.open(X.toarray())) == 30
    masked = np.ma.masked_array(rows(), rows() > 1)
    with told("pass a data frame with missing values", ".filled(value)"):
        data.open(masked)
    assert len(data.open(masked.filled(0.0))) == 60
    assert len(data.open(pd.DataFrame(masked.filled(np.nan)))) == 60


@advises("checks.data.numeric_dtype", 4)
def another_container_for_what_is_no_number(tmp: Path) -> None:
    X = rows() + 1j
    with told("pass the real part, or both as columns"):
        data.open(X)
    assert data.open(X.real).schema.shape == (4,)
    assert data.open(np.concatenate([X.real, X.imag], axis=1)).schema.shape == (8,)
    words = np.array([["a", "b"], ["c", "d"]])
    with told("pass a data frame for a table of mixed columns, or a list of str for text"):
        data.open(words)
    assert data.open(pd.DataFrame(words)).schema.kind == "table"
    assert data.open(words.ravel().tolist()).schema.kind == "text"
    dates = np.array([["2020-01-01"], ["2020-01-02"]], dtype="datetime64[D]")
    with told("pass a data frame"):
        data.open(dates)
    assert data.open(pd.DataFrame(dates)).schema.kind == "table"
    records = np.array([(1, 2.0), (3, 4.0)], dtype=[("a", int), ("b", float)])
    with told("pass a data frame"):
        data.open(records)
    assert data.open(pd.DataFrame(records)).schema.kind == "table"


@advises("checks.data.object_values")
def a_frame_of_mixed_values(tmp: Path) -> None:
    mixed = np.array([[1, "a"], [2, "b"]], dtype=object)
    with told("pass a data frame for a table of mixed columns"):
        data.open(mixed)
    assert data.open(pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})).schema.kind == "table"


@advises("checks.data.not_empty", 2)
@advises("checks.data.no_columns")
def a_source_that_holds_something(tmp: Path) -> None:
    for nothing in (np.zeros((0, 3)), np.zeros((3, 0)), pd.DataFrame(index=range(3))):
        with told("check the source"):
            data.open(nothing)


@advises("checks.data.finite", 2)
@advises("checks.data.finite_column")
def missing_values_are_filled_dropped_or_empty(tmp: Path) -> None:
    X = rows()
    X[3, 1] = np.nan
    with told("fill it or drop the row, or pass a data frame, in which values may be missing"):
        Autoencoder(**COMMON).fit(X)
    Autoencoder(**COMMON).fit(np.nan_to_num(X))
    Autoencoder(**COMMON).fit(np.delete(X, 3, axis=0))
    Autoencoder(**COMMON).fit(pd.DataFrame(X))
    X[3, 1] = np.inf
    with told("replace it or drop the row"):
        data.open(X)
    assert len(data.open(np.delete(X, 3, axis=0))) == 59
    with told("replace it, or leave the cell empty"):
        data.open(pd.DataFrame(X))
    assert len(data.open(pd.DataFrame(X).replace(np.inf, np.nan))) == 60


@advises("checks.data.enough_records", 2)
def more_records_or_a_model_for_few(tmp: Path) -> None:
    with told("pass more records"):
        Autoencoder(**COMMON).fit(rows(1))
    Autoencoder(**COMMON).fit(rows(2))
    cls = next(c for c in isthmus.models.REGISTRY.values() if c.alternative_for_few)
    with told("pass more records", f"or take {cls.alternative_for_few}, which serves fewer"):
        cls(**COMMON).fit(rows(2))
    getattr(isthmus, cls.alternative_for_few)(**COMMON).fit(rows(2))


@advises("checks.data.duplicate_columns")
def twins_are_renamed(tmp: Path) -> None:
    twins = pd.DataFrame(rows(), columns=["a", "a", "b", "c"])
    with told("rename them"):
        data.open(twins)
    assert len(data.open(twins.set_axis(list("abcd"), axis=1))) == 60


@advises("checks.data.unsupported_column")
def a_column_is_converted_or_left_out(tmp: Path) -> None:
    table = pa.table({"a": [1.0, 2.0], "l": [[1], [2, 3]]})
    with told("convert it, or name the columns to use with columns="):
        data.open(table)
    assert len(data.open(table.set_column(1, "l", pa.array(["1", "2 3"])))) == 2
    assert len(data.open(table, columns=["a"])) == 2


@advises("checks.data.too_wide")
def wide_numbers_are_converted_or_left_out(tmp: Path) -> None:
    wide = polars.DataFrame({"a": [1.0, 2.0], "n": polars.Series([2**70, 1], dtype=polars.Int128)})
    with told("convert it, or name the columns to use with columns="):
        data.open(wide)
    assert len(data.open(wide.with_columns(polars.col("n").cast(polars.String)))) == 2
    assert len(data.open(wide, columns=["a"])) == 2


@advises("checks.data.unsupported_labels")
def labels_are_converted(tmp: Path) -> None:
    table = pa.table({"a": [1.0, 2.0], "l": [[1], [2, 3]]})
    with told("convert it"):
        data.open(table, label_column="l")
    assert data.open(table.set_column(1, "l", pa.array(["1", "2 3"])), label_column="l").labels.tolist() == ["1", "2 3"]


@advises("checks.data.whole_numbers_kept")
def whole_numbers_in_another_unit(tmp: Path) -> None:
    large = np.array([[2**70 + 1, 0.5], [1, 2]], dtype=object)
    with told("give it in another unit, or leave its column out"):
        data.open(large)
    assert len(data.open(large / 2**70)) == 2
    assert len(data.open(large[:, 1:])) == 2


@advises("checks.data.not_a_source", 2)
def tables_of_other_libraries(tmp: Path) -> None:
    with told("make a data frame of it"):
        data.open({"a": [1.0, 2.0]})
    assert len(data.open(pd.DataFrame({"a": [1.0, 2.0]}))) == 2

    several = type("AnnData", (), {"to_df": lambda self: frame()})()
    with told("pass its values as a frame, X.to_df()"):
        data.open(several)
    assert len(data.open(several.to_df())) == 60


@advises("checks.data.unknown_bytes")
def bytes_of_no_known_format(tmp: Path) -> None:
    (tmp / "x.bin").write_bytes(bytes(range(256)))
    with told("give as_bytes=True (--as-bytes) to learn its bytes as they are"):
        data.open(tmp / "x.bin")
    assert len(data.open(tmp / "x.bin", as_bytes=True)) == 4
    run("inspect", tmp / "x.bin", "--as-bytes")


@advises("checks.data.no_name")
def the_folder_that_we_are_in(tmp: Path) -> None:
    Image.fromarray(pictures(1)[0]).save(tmp / "0.png")
    with told("name a file or a folder, or . for this one"):
        data.open("")
    with contextlib.chdir(tmp):
        assert len(data.open(".")) == 1


@advises("checks.data.names_of_files")
def names_of_files_are_paths(tmp: Path) -> None:
    for i, picture in enumerate(pictures(3)):
        Image.fromarray(picture).save(tmp / f"{i}.png")
    names = [str(tmp / f"{i}.png") for i in range(3)]
    with told("give a list of Path objects to open the files, or the names as bytes"):
        data.open(names)
    assert data.open([Path(name) for name in names]).schema.kind == "image"
    assert data.open([name.encode() for name in names]).schema.kind == "text"


@advises("checks.data.only_names")
def a_row_that_is_a_record(tmp: Path) -> None:
    (tmp / "t.csv").write_text("north,south\n")
    with told("say so with header=False (--no-header)"):
        data.open(tmp / "t.csv")
    assert len(data.open(tmp / "t.csv", header=False)) == 1
    run("inspect", tmp / "t.csv", "--no-header")


@advises("checks.data.image_kind")
def pictures_of_a_kind_that_is_read(tmp: Path) -> None:
    tifffile.imwrite(tmp / "c.tif", rows().astype(np.complex64))
    with told("save it as grey or RGB of whole numbers or floats in a TIFF file, or open the values as an array"):
        data.open(tmp / "c.tif")
    tifffile.imwrite(tmp / "r.tif", rows().astype(np.float32))
    assert data.open(tmp / "r.tif").schema.kind == "image"
    np.save(tmp / "r.npy", rows())
    assert len(data.open(tmp / "r.npy")) == 60


@advises("checks.data.refused_in_folder")
def what_is_no_file_is_left_out(tmp: Path) -> None:
    (tmp / "set").mkdir()
    for i, picture in enumerate(pictures(3)):
        Image.fromarray(picture).save(tmp / "set" / f"{i}.png")
    (tmp / "set" / "broken.png").symlink_to(tmp / "nothing.png")
    with told("remove it, or leave it out with skip_bad=True (--skip-bad)"):
        data.open(tmp / "set")
    assert len(data.open(tmp / "set", skip_bad=True)) == 3
    run("inspect", tmp / "set", "--skip-bad")
    (tmp / "set" / "broken.png").unlink()
    assert len(data.open(tmp / "set")) == 3


@advises("checks.data.unreadable_labels")
def labels_in_a_file(tmp: Path) -> None:
    np.save(tmp / "x.npy", rows())
    assert main(["inspect", str(tmp / "x.npy"), "--labels", str(tmp)]) == 3
    (tmp / "labels.txt").write_text("\n".join(map(str, classes())))
    run("inspect", tmp / "x.npy", "--labels", tmp / "labels.txt")


@advises("checks.data.column_values")
def a_column_of_one_type(tmp: Path) -> None:
    mixed = pd.DataFrame({"x": [1, "a", 2.5, None], "y": [1, 2, 3, 4]})
    with told("give all its cells one type"):
        data.open(mixed)
    assert len(data.open(mixed.astype({"x": "str"}))) == 4


@advises("checks.data.column_types")
@advises("checks.preprocessing.refuse_column_type")
def columns_are_converted(tmp: Path) -> None:
    words = frame().assign(a="seven")
    with told("convert the column"):
        fitted("table").transform(words)
    fitted("table").transform(words.assign(a=7.0))
    pre = fitted("table").preprocessor_
    block = data.open(frame()).take(np.arange(3))
    with told("Convert the column first"):
        pre.encode(block.set_column(0, "a", pa.array(["x", "y", "z"])))
    pre.encode(block)


@advises("checks.data.ambiguous_archive")
def an_array_of_an_archive_is_named(tmp: Path) -> None:
    np.savez(tmp / "two.npz", first=rows(), second=rows())
    with told("name one as '", ":first'"):
        data.open(tmp / "two.npz")
    assert len(data.open(f"{tmp / 'two.npz'}:first")) == 60


@advises("checks.data.nothing_in_folder")
def a_single_file_of_a_folder_is_named(tmp: Path) -> None:
    (tmp / "texts").mkdir()
    frame().to_csv(tmp / "texts" / "a.csv", index=False)
    with told("name a single file of another format"):
        data.open(tmp / "texts")
    assert len(data.open(tmp / "texts" / "a.csv")) == 60


@advises("checks.data.unreadable_image")
def a_bad_picture_is_left_out(tmp: Path) -> None:
    folder = folder_of(tmp / "p", {f"{i}.png": picture for i, picture in enumerate(pictures(4))})
    (folder / "bad.png").write_bytes(b"not a picture")
    with told("leave such files out with skip_bad=True (--skip-bad)"):
        data.open(folder).take(np.arange(5))
    assert len(data.open(folder, skip_bad=True)) == 4
    run("inspect", folder, "--skip-bad")


@advises("checks.data.option_not_used")
def an_option_of_another_kind_is_left_out(tmp: Path) -> None:
    with told("leave it out"):
        data.open(rows(), mode="rgb")
    data.open(rows())


@advises("checks.data.not_a_text_table")
@advises("checks.data.open_already")
def an_option_of_opening_is_given_once_and_to_a_text_table(tmp: Path) -> None:
    (tmp / "t.csv").write_text("a;b\n1.234;2\n2.500;3\n", encoding="utf-8")
    with told("decimal is for text tables", "leave it out"):
        data.open(rows(), decimal=",")
    data.open(rows())
    opened = data.open(tmp / "t.csv")
    with told("give it to the first open"):
        data.open(opened, decimal=".")
    assert data.open(tmp / "t.csv", decimal=".").take([0]).to_pylist()[0]["a"] == 1.234


@advises("checks.classify.labels_seen_at_fit")
def a_label_that_was_not_there_is_left_empty(tmp: Path) -> None:
    classifier = Classifier(random_state=0).fit(rows(), classes())
    labels = classes().astype(object)
    labels[3] = 7
    with told("mend it, or leave it empty"):
        classifier.score(rows(), labels)
    labels[3] = None
    classifier.score(rows(), labels)


@advises("checks.data.labels_of_no_order")
def labels_are_converted_to_one_type(tmp: Path) -> None:
    labels = np.array([1, "a"] * 30, dtype=object)
    with told("convert them"):
        ConditionalVAE(**COMMON).fit(rows(), labels)
    ConditionalVAE(**COMMON).fit(rows(), labels.astype(str))


@advises("checks.data.different_sizes")
def pictures_keep_their_sizes_or_get_one(tmp: Path) -> None:
    with told("Keep their sizes with sizes='group' (--sizes group)", "'crop' or 'pad'"):
        data.open(several_sizes())
    for sizes in ("group", "crop", "pad"):
        assert len(data.open(several_sizes(), sizes=sizes)) == 24


@advises("checks.data.cannot_convert")
def a_mode_that_nothing_can_be_converted_to_is_left_out(tmp: Path) -> None:
    np.save(tmp / "f.npy", rng().random((24, 12, 12)))
    for i in range(3):
        Image.fromarray(rng().random((12, 12)).astype(np.float32)).save(tmp / f"{i}.tif")
    with told("leave mode out"):
        data.open(str(tmp / "*.tif"), mode="rgb").take([0])
    assert len(data.open(str(tmp / "*.tif"))) == 3


@advises("checks.data.not_writable")
def a_format_that_holds_the_kind(tmp: Path) -> None:
    table = data.open(frame())
    with told("choose one of") as _:
        data.write(tmp / "x.png", table.take(np.arange(60)), table.schema)
    data.write(tmp / "x.csv", table.take(np.arange(60)), table.schema)


@advises("checks.data.split_fractions")
@advises("checks.data.split_size")
def a_division_that_adds_up(tmp: Path) -> None:
    with told("as in (0.8, 0.1, 0.1)"):
        data.split(data.open(rows()), (0.8, 0.4))
    assert len(data.split(data.open(rows()), (0.8, 0.1, 0.1))) == 3
    with told("pass at least 3 records"):
        data.split(data.open(rows(2)), (0.8, 0.1, 0.1))
    data.split(data.open(rows(3)), (0.8, 0.1, 0.1))


@advises("checks.data.output_absent")
def another_name_or_force(tmp: Path) -> None:
    opened = data.open(rows())
    block = opened.take(np.arange(60))
    data.write(tmp / "x.npy", block, opened.schema)
    with told("give another name, or overwrite it with force=True (--force)"):
        data.write(tmp / "x.npy", block, opened.schema)
    data.write(tmp / "x.npy", block, opened.schema, force=True)
    data.write(tmp / "y.npy", block, opened.schema)


# ------------------------------------------------------------------ preprocessing


@advises("checks.preprocessing.refuse_missing_cell")
def an_empty_cell_is_filled_or_masked(tmp: Path) -> None:
    holes = frame().astype({"a": float})
    holes.loc[3, "a"] = np.nan
    with told("Fill it, or use missing='mask'"):
        opened = data.open(holes)
        pre = preprocessing.for_data(opened, missing="refuse").fit(opened)
        pre.encode(opened.take(np.arange(60)))
    for table, missing in ((frame(), "refuse"), (holes, "mask")):
        opened = data.open(table)
        preprocessing.for_data(opened, missing=missing).fit(opened).encode(opened.take(np.arange(60)))


@advises("checks.preprocessing.refuse_beyond_float32")
def a_value_in_the_unit_of_training(tmp: Path) -> None:
    far = rows()
    far[0, 0] = 1e300
    with told("Drop it or correct its unit"):
        fitted("array").transform(far)
    fitted("array").transform(far[1:])


@advises("checks.preprocessing.refuse_quantiles_without_data")
def quantiles_get_their_data(tmp: Path) -> None:
    opened = data.open(rows())
    pre = preprocessing.for_data(opened).fit(opened).rescale("standard")
    with told("Call rescale('quantile', data)"):
        pre.rescale("quantile")
    pre.rescale("quantile", opened)


@advises("checks.preprocessing.check_columns")
@advises("checks.preprocessing.check_width")
def columns_of_training_are_added_or_selected(tmp: Path) -> None:
    pre = fitted("table").preprocessor_
    block = data.open(frame()).take(np.arange(3))
    with told("Add the column; its cells may be empty"):
        pre.encode(block.drop_columns(["b"]))
    pre.encode(block.set_column(1, "b", pa.nulls(3, pa.float64())))
    pre = fitted("array").preprocessor_
    with told("Select the columns seen in training, in their order"):
        pre.encode(rows(width=6))
    pre.encode(rows(width=6)[:, :4])


@advises("checks.preprocessing.check_channels")
@advises("checks.preprocessing.check_image_units")
def pictures_as_those_of_training(tmp: Path) -> None:
    pre = fitted("image").preprocessor_
    colour = np.repeat(pictures()[..., None], 3, axis=3)
    with told("Convert them to the same colour mode first"):
        pre.encode(colour)
    folder = folder_of(tmp / "colour", {f"{i}.png": picture for i, picture in enumerate(colour[:3])})
    pre.encode(data.open(folder, mode="grey").take(np.arange(3)))
    with told("Pass the original values"):
        fitted("image").transform(pictures() / 255)
    fitted("image").transform(pictures())


# ------------------------------------------------------------------ likelihoods and networks


@advises("checks.likelihood.check_likelihood_kind")
@advises("checks.likelihood.check_likelihood_scaling")
@advises("checks.likelihood.check_unit_support")
@advises("checks.likelihood.check_whole_support", 2)
@advises("checks.likelihood.check_one_hot_support")
def a_likelihood_that_suits_the_data(tmp: Path) -> None:
    def fit(X: Any, **parameters: Any) -> None:
        Autoencoder(**COMMON, **parameters).fit(X)

    with told("use likelihood='table' or 'auto'"):
        fit(frame(), likelihood="bernoulli")
    fit(frame(), likelihood="table")
    with told("use scaling='unit' or 'auto'"):
        fit(np.abs(np.tanh(rows())), likelihood="bernoulli", scaling="standard")
    fit(np.abs(np.tanh(rows())), likelihood="bernoulli", scaling="unit")
    with told("scale the data to [0, 1] or use likelihood='gaussian'"):
        fit(rows(), likelihood="bernoulli")
    fit((rows() + 9) / 18, likelihood="bernoulli")
    fit(rows(), likelihood="gaussian")
    with told("round the data or use likelihood='gaussian'"):
        fit(rows(), likelihood="discretised-logistic")
    fit(np.rint(rows()), likelihood="discretised-logistic")
    wide = np.array([[0, 70_000]] * 30 + [[1, 5]] * 30)
    with told("use likelihood='gaussian'"):
        fit(wide, likelihood="discretised-logistic")
    fit(wide, likelihood="gaussian")
    with told("use likelihood='auto', or give the categories as a column of a table"):
        fit(rows(), likelihood="categorical")
    fit(rows(), likelihood="auto")
    fit(pd.DataFrame({"x": ["a", "b", "c"] * 20}))


@advises("checks.likelihood.check_pictures_only")
@advises("checks.likelihood.check_one_size")
@advises("checks.likelihood.check_tied", 2)
def a_network_that_suits_the_data(tmp: Path) -> None:
    with told("use network='dense' or 'auto'"):
        Autoencoder(**COMMON, network="convolutional").fit(rows())
    Autoencoder(**COMMON, network="dense").fit(rows())
    with told("use network='convolutional', or crop or pad them to one size when opening the data"):
        Autoencoder(**COMMON, network="dense").fit(open_sizes())
    Autoencoder(**COMMON, network="convolutional").fit(open_sizes())
    Autoencoder(**COMMON, network="dense").fit(data.open(several_sizes(), sizes="crop"))
    with told("tied=True needs network='dense'; use it, or leave tied=False"):
        Autoencoder(**COMMON, tied=True, network="convolutional").fit(pictures())
    Autoencoder(**COMMON, tied=True, network="dense").fit(pictures())
    with told("leave tied=False"):
        Autoencoder(**COMMON, tied=True).fit(frame())
    Autoencoder(**COMMON, tied=False).fit(frame())


@advises("checks.likelihood.check_factorised")
@advises("checks.likelihood.check_symbols_only")
@advises("checks.parameters.suits_corruption")
@advises("checks.data.lines_or_window")
def what_is_for_texts(tmp: Path) -> None:
    texts = ["some words", "more of them", "words"] * 10
    with told("use likelihood='categorical' or 'auto'"):
        isthmus.GAN(**COMMON, likelihood="autoregressive").fit(texts)
    isthmus.GAN(**COMMON, likelihood="categorical").fit(texts)
    with told("use network='auto'"):
        Autoencoder(**COMMON, network="sequence").fit(rows())
    Autoencoder(**COMMON, network="auto").fit(rows())
    with told("use corruption='replacement', or leave it out"):
        DenoisingAutoencoder(**COMMON, corruption="masking").fit(texts)
    DenoisingAutoencoder(**COMMON, corruption="replacement").fit(texts)
    (tmp / "t.txt").write_text("\n".join(texts))
    with told("leave one of them out"):
        data.open(tmp / "t.txt", lines=True, window=8)
    data.open(tmp / "t.txt", lines=True)


@advises("checks.likelihood.check_heads")
@advises("checks.likelihood.check_theta_shape")
def own_modules_of_the_right_size(tmp: Path) -> None:
    def fit(cls: Any, encoder: nn.Module, decoder: nn.Module) -> None:
        cls(**COMMON, network=(encoder, decoder)).fit(rows())

    with told("end it in a layer of 4"):
        fit(VAE, nn.Linear(4, 5), nn.Linear(2, 4))
    fit(VAE, nn.Linear(4, 4), nn.Linear(2, 4))
    with told("end the decoder in a layer of that size"):
        fit(Autoencoder, nn.Linear(4, 2), nn.Linear(2, 5))
    fit(Autoencoder, nn.Linear(4, 2), nn.Linear(2, 4))


# ------------------------------------------------------------------ parameters


@advises("checks.parameters.needs_labels")
@advises("checks.parameters.some_labels")
@advises("checks.parameters.all_labelled")
@advises("checks.parameters.several_classes")
def labels_as_a_model_needs_them(tmp: Path) -> None:
    model = ConditionalVAE(**COMMON)
    with told("give one label a record (--labels on the command line)"):
        model.fit(rows())
    model.fit(rows(), classes())
    with told("label a few of each class"):
        model.fit(rows(), np.full(60, -1))
    few = np.where(np.arange(60) < 10, classes(), -1)
    model.fit(rows(), few)
    strict = next(c for c in isthmus.models.REGISTRY.values() if c.learns_classes and not c.takes_unlabelled)
    with told("leave them out, or take ConditionalVAE, which learns from them too"):
        strict(**COMMON).fit(rows(), np.where(np.arange(60) < 10, np.nan, classes()))
    with told("which needs none") as _:
        model.fit(rows(), np.zeros(60, int))


@advises("checks.parameters.needs_pictures")
@advises("checks.parameters.size_of_pictures")
def what_pictures_need(tmp: Path) -> None:
    with told("leave it out"):
        DenoisingAutoencoder(**COMMON, corruption="holes").fit(rows())
    DenoisingAutoencoder(**COMMON).fit(rows())
    with told("say which with size=(height, width)"):
        tasks_model = VAE(**COMMON).fit(open_sizes())
        tasks_model.sample(1)
    VAE(**COMMON).fit(open_sizes()).sample(1, size=(16, 16))


# ------------------------------------------------------------------ tasks


@advises("checks.tasks.is_fitted")
@advises("checks.tasks.mask_wanted")
@advises("checks.impute.nothing_to_fill")
@advises("checks.impute.one_size_to_impute")
def what_filling_needs(tmp: Path) -> None:
    with told("call Autoencoder.fit(X) first, or isthmus.load a file"):
        tasks.impute(Autoencoder(**COMMON), rows())
    mask = np.zeros(4)
    mask[0] = 1
    with told("pass", "that is not zero where values are missing"):
        tasks.inpaint(fitted("array"), rows())
    tasks.inpaint(fitted("array"), rows(), mask)
    with told("say what to replace with mask= (--mask)"):
        tasks.impute(fitted("table"), frame())
    tasks.impute(fitted("table"), frame(), np.append(mask, 0), iterations=1)
    with told("fill them without, with inpaint, or use pictures of one size"):
        tasks.impute(fitted_on_sizes(), open_sizes(), [np.ones((16, 16))] * 24)
    masks = [np.pad([[1]], (0, len(picture) - 1)) for picture in several_sizes()]
    tasks.inpaint(fitted_on_sizes(), open_sizes(), masks, iterations=1)


@advises("checks.tasks.a_model")
@advises("checks.tasks.model_of_isthmus")
@advises("checks.tasks.rows_of_numbers")
def models_and_their_files(tmp: Path) -> None:
    from sklearn.decomposition import PCA

    detector = Detector(model=Autoencoder(**COMMON), random_state=0).fit(rows())
    detector.save(tmp / "d.safetensors")
    np.save(tmp / "x.npy", rows())
    assert main(["encode", str(tmp / "x.npy"), "-m", str(tmp / "d.safetensors"), "-o", str(tmp / "z.npy")]) > 0
    isthmus.load(tmp / "d.safetensors").model_.save(tmp / "m.safetensors")
    run("encode", tmp / "x.npy", "-m", tmp / "m.safetensors", "-o", tmp / "z.npy")
    foreign = Detector(model=PCA(2), random_state=0)
    with told("use one of isthmus's"):
        foreign.fit(rows()).save(tmp / "f.safetensors")
    with told("use a model of isthmus"):
        foreign.fit(frame())
    Detector(model=Autoencoder(**COMMON), random_state=0).fit(frame()).save(tmp / "f.safetensors")


@advises("checks.tasks.needs_tables")
@advises("checks.tasks.codes_of_one_size")
@advises("checks.tasks.labelled_pictures")
def what_tasks_need(tmp: Path) -> None:
    with told("fit on pictures of one size"):
        tasks.traverse(fitted_on_sizes(), open_sizes(), steps=2)
    tasks.traverse(fitted("image"), pictures(), steps=2, units=1)
    with told("pass their classes as y"):
        tasks.feature_network(pictures())
    tasks.feature_network(pictures(), classes(24), cache=False)


@advises("checks.detect.nothing_to_calibrate_on")
def records_to_calibrate_on(tmp: Path) -> None:
    with told("fit on more records with calibration above 0"):
        Detector(model=Autoencoder(**COMMON), calibration=0.0, random_state=0).fit(rows()).p_values(rows())
    Detector(model=Autoencoder(**COMMON), calibration=0.2, random_state=0).fit(rows()).p_values(rows())


@advises("checks.explain.explicable")
@advises("checks.explain.an_encoder")
def what_can_be_explained(tmp: Path) -> None:
    book = isthmus.VQVAE(**COMMON).fit(rows())
    with told("or fit a model without a codebook, such as Autoencoder or VAE"):
        tasks.attribute(book, rows())
    tasks.attribute(fitted("array"), rows(), steps=1)
    tasks.probe(book.transform(rows()), classes())
    with told("take a model of pictures of one size"):
        tasks.attribute(fitted_on_sizes(), open_sizes())
    tasks.attribute(fitted("image"), pictures(), [0], steps=1)


@advises("checks.classify.finite_labels")
@advises("checks.classify.labels_are_classes", 3)
@advises("checks.classify.one_size")
def labels_of_a_classifier(tmp: Path) -> None:
    probe = Classifier(model=fitted("array"), method="probe", random_state=0)
    for wrong in (np.append(np.inf, classes(59)), rows()[:, 0]):
        with told("give whole numbers or names"):
            probe.fit(rows(), wrong)
    probe.fit(rows(), np.where(classes(), "yes", "no"))
    with told("label a few of each class"):
        probe.fit(rows(), np.full(60, -1))
    probe.fit(rows(), np.where(np.arange(60) < 10, classes(), -1))
    with told("label records of another one, or look for outliers instead"):
        probe.fit(rows(), np.zeros(60, int))
    Detector(model=fitted("array"), random_state=0).fit(rows())
    with told("open the pictures with sizes='crop' or 'pad'"):
        Classifier(method="ladder", random_state=0).fit(open_sizes(), classes(24))


@advises("checks.cluster.number_of_clusters")
@advises("checks.cluster.codes_differ")
@advises("checks.cluster.plain_posterior")
@advises("checks.cluster.pictures_with_outlines")
def what_clusters_need(tmp: Path) -> None:
    def fit(X: Any, model: Any = None, **parameters: Any) -> None:
        Clusterer(model=model, random_state=0, runs=1, **parameters).fit(X)

    own = fitted("array")
    with told("ask for at most 5, or leave it out to have it estimated"):
        fit(rows(5), own, n_clusters=9)
    fit(rows(5), own, n_clusters=3, method="k-means")
    with told("look at them with isthmus inspect, or take a model that tells them apart"):
        fit(np.ones((30, 4)), own, n_clusters=2)
    with told("which Autoencoder does not have; a VAE has it"):
        fit(rows(), Autoencoder(**COMMON), n_clusters=2, method="vade")
    with told("pass model=VAE(...), or leave the model out"):
        fit(rows(), VAE(**COMMON, posterior="flow"), n_clusters=2, method="vade")
    fit(rows(), VAE(**COMMON), n_clusters=2, method="vade")
    with told("take features='records'"):
        fit(rows(), own, n_clusters=2, features="gradients")
    fit(rows(), own, n_clusters=2, features="records", method="k-means")


# ------------------------------------------------------------------ metrics


@advises("checks.metrics.check_matrix_pair")
@advises("checks.metrics.check_codes")
@advises("checks.metrics.check_values")
@advises("checks.metrics.check_unit_range")
@advises("checks.metrics.check_tables")
@advises("checks.metrics.check_peak")
@advises("checks.metrics.check_features", 2)
@advises("checks.metrics.check_scales")
def what_metrics_take(tmp: Path) -> None:
    with told("Use ssim for smaller ones"):
        metrics.ms_ssim(np.zeros((1, 32, 32)), np.ones((1, 32, 32)), peak=1.0)
    metrics.ssim(np.zeros((1, 32, 32)), np.ones((1, 32, 32)), peak=1.0)
    with told("Flatten every record to one row first"):
        metrics.pca_baseline(pictures(), pictures(), 2)
    flat = pictures().reshape(24, -1).astype(float)
    metrics.pca_baseline(flat, flat, 2)
    with told("Pass what transform returns"):
        metrics.active_units(np.zeros(5))
    metrics.active_units(fitted("array").transform(rows()))
    with told("Leave such records out first"):
        metrics.bootstrap_interval(np.array([1.0, np.nan, 2.0]))
    metrics.bootstrap_interval(np.array([1.0, 2.0]))
    with told("Divide 8-bit pictures by 255 first"):
        metrics.static_binarisation(pictures())
    metrics.static_binarisation(pictures() / 255)
    with told("pyarrow.Table.from_pandas(frame, preserve_index=False)"):
        metrics.column_shapes(frame(), frame())
    table = pa.Table.from_pandas(frame(), preserve_index=False)
    metrics.column_shapes(table, table)
    x = rng().normal(size=(4, 12, 12)) * 9
    with told("Pass the largest difference that two values can have"):
        metrics.psnr(x, x + 1)
    metrics.psnr(x, x + 1, peak=40.0)


# ------------------------------------------------------------------ tuning


@advises("checks.tune.family_or_model")
@advises("checks.tune.labels_for_objective")
@advises("checks.tune.enough_for_folds")
@advises("checks.tune.reconstruction_of_one_size")
@advises("checks.tune.all_bound_likelihood", 2)
@advises("checks.tune.something_to_search")
@advises("checks.tune.foreign_journal")
def what_a_search_needs(tmp: Path) -> None:
    pytest.importorskip("optuna")
    few: dict[str, Any] = {"n_trials": 1, "random_state": 0, "cv": 2}
    space = {"latent_dim": isthmus.search.Whole(1, 2)}
    own = Autoencoder(**COMMON)

    def search(X: Any, y: Any = None, **parameters: Any) -> None:
        isthmus.Tuner(**{"space": space, **few, **parameters}).fit(X, y)

    with told("leave families at 'auto' to search the settings of Autoencoder"):
        search(rows(), model=own, families=("VAE",))
    search(rows(), model=own)
    with told("give one a record, as y (--labels on the command line)"):
        search(rows(), model=own, objective="classification")
    search(rows(), classes(), model=own, objective="classification")
    with told("Lower cv"):
        search(rows(5), model=own, cv=3)
    search(rows(5), model=own, cv=2)
    with told("take objective='likelihood', or fit on pictures of one size"):
        search(open_sizes(), model=own, objective="reconstruction")
    search(pictures(), model=own, objective="reconstruction")
    with told("take objective='reconstruction'"):
        search(rows(), model=own, objective="likelihood")
    search(rows(), model=own, objective="reconstruction")
    search(rows(), model=VAE(**COMMON), objective="likelihood")
    (tmp / "journal.jsonl").write_text("no journal")
    with told("name another file as storage"):
        search(rows(), model=own, storage=tmp / "journal.jsonl")
    search(rows(), model=own, storage=tmp / "other.jsonl")


@advises("checks.parameters.not_together")
@advises("checks.parameters.divides")
@advises("checks.classify.same_classes")
def parameters_that_go_together(tmp: Path) -> None:
    with told("leave one of them out"):
        VAE(**COMMON, k=5, beta=2.0).fit(rows())
    VAE(**COMMON, k=5).fit(rows())
    VAE(**COMMON, beta=2.0).fit(rows())
    with told("take latent_dim=6"):
        isthmus.LadderVAE(**COMMON, latent_dim=5, levels=2).fit(rows())
    isthmus.LadderVAE(**COMMON, latent_dim=6, levels=2).fit(rows(width=12))
    model = ConditionalVAE(**COMMON).fit(rows(), classes())
    with told("give the labels it was fitted on, or an unfitted model"):
        Classifier(model=model, method="own", random_state=0).fit(rows(), np.arange(60) % 3)
    Classifier(model=model, method="own", random_state=0).fit(rows(), classes())
    Classifier(model=ConditionalVAE(**COMMON), method="own", random_state=0).fit(rows(), np.arange(60) % 3)


# ------------------------------------------------------------------ the command line


@advises("cli.fit.check_checkpoint", 2)
def a_checkpoint_that_is_there_or_not(tmp: Path) -> None:
    np.save(tmp / "x.npy", rows())
    words = ["fit", tmp / "x.npy", "-o", tmp / "m.safetensors", "--max-epochs", "1", "-q"]
    assert main([*map(str, words), "--resume"]) == 2
    run(*words)
    run(*words, "--force")


@advises("cli.inputs.open_data")
def a_model_is_named_with_its_flag(tmp: Path) -> None:
    np.save(tmp / "x.npy", rows())
    fitted("array").save(tmp / "m.safetensors")
    assert main(["encode", str(tmp / "m.safetensors"), "-o", str(tmp / "z.npy")]) > 1
    run("encode", tmp / "x.npy", "--model", tmp / "m.safetensors", "-o", tmp / "z.npy")


@advises("cli.inputs.rows_to_judge")
def all_rows_are_judged(tmp: Path) -> None:
    np.save(tmp / "x.npy", rows() + 0.1)
    fitted("array").save(tmp / "m.safetensors")
    words = ["score", tmp / "x.npy", "-m", tmp / "m.safetensors", "--rows"]
    assert main([*map(str, words), "held-out"]) == 3
    run(*words, "all")


@advises("checks.data.unreadable_settings")
def a_config_that_can_be_read(tmp: Path) -> None:
    np.save(tmp / "x.npy", rows())
    (tmp / "c.toml").write_text("max_epochs = 1\n")
    words = ["fit", tmp / "x.npy", "-o", tmp / "m.safetensors", "-q", "--config"]
    assert main([*map(str, words), str(tmp / "none.toml")]) > 1
    run(*words, tmp / "c.toml")


@advises("checks.detect.one_source_of_normal_records")
@advises("checks.tasks.needs_records")
def records_are_named_once(tmp: Path) -> None:
    np.save(tmp / "x.npy", rows())
    Detector(model=Autoencoder(**COMMON), random_state=0).fit(rows()).save(tmp / "d.safetensors")
    words = ["detect", tmp / "x.npy", "-m", tmp / "d.safetensors", "--top", "0"]
    assert main([*map(str, words), "--reference", str(tmp / "x.npy")]) == 2
    run(*words)
    fitted("array").save(tmp / "m.safetensors")
    assert main(["doctor", str(tmp / "m.safetensors"), "--train", str(tmp / "x.npy")]) > 1
    assert main(["doctor", str(tmp / "m.safetensors"), str(tmp / "x.npy")]) in (0, 1)


@advises("checks.parameters.vectors_only")
def codes_that_are_vectors(tmp: Path) -> None:
    with told("Use pictures of one size, or an encoder that ends in (batch, latent_dim)"):
        VAE(**COMMON, prior="vamp").fit(open_sizes())
    VAE(**COMMON, prior="vamp").fit(pictures())


# ------------------------------------------------------------------ compressed files


def damaged_log(tmp: Path) -> Path:
    """Return a compressed file of two flushed lines of which the second one is damaged."""
    path = tmp / "log.isth"
    with open(path, "wb") as file, isthmus.open_compressed(file, "wb") as compressed:
        for line in (b"first\n", b"second\n"):
            compressed.write(line)
            compressed.flush()
            size = file.tell()
    content = bytearray(path.read_bytes())
    content[size - 1] ^= 255
    path.write_bytes(bytes(content))
    return path


@advises("checks.coding.damaged")
def what_is_sound_of_a_damaged_file(tmp: Path) -> None:
    path = damaged_log(tmp)
    with told("log.isth is damaged", "copy or download it again, or take what is sound of it (--partial)"):
        isthmus.open_compressed(path).read()
    assert main(["decompress", str(path), "--partial"]) == 4
    assert (tmp / "log").read_bytes() == b"first\n"


@advises("checks.coding.cut_short")
def what_is_sound_of_half_a_file(tmp: Path) -> None:
    path = damaged_log(tmp)
    path.write_bytes(path.read_bytes()[:-30])
    with told("is cut short: its end is missing", "or take what is sound of it (--partial)"):
        isthmus.open_compressed(path).read()
    assert main(["decompress", str(path), "--partial"]) == 4
    assert (tmp / "log").read_bytes() == b"first\n"


@advises("checks.coding.not_compressed")
@advises("checks.coding.compressed_already")
def another_file(tmp: Path) -> None:
    (tmp / "x").write_bytes(b"plain")
    with told("is no compressed file of isthmus", "name another"):
        isthmus.open_compressed(tmp / "x")
    run("compress", tmp / "x")
    assert main(["compress", str(tmp / "x.isth")]) == 3  # name the file that it was made of, or --force
    run("compress", tmp / "x.isth", "--force")
    assert isthmus.open_compressed(tmp / "x.isth.isth").read() == (tmp / "x.isth").read_bytes()


@advises("checks.coding.an_archive")
@advises("checks.coding.nothing_to_compress")
@advises("checks.coding.names_collide")
@advises("checks.coding.member_exists")
@advises("checks.coding.link_in_the_way")
@advises("cli.archive.archive")
def archives_of_files(tmp: Path) -> None:
    folder, path = tmp / "logs", tmp / "x.isth"
    folder.mkdir()
    with told("holds no file that can be compressed; name another folder"):
        from isthmus.cli.compress import compress
        from isthmus.cli.terminal import Terminal

        compress(Terminal(quiet=True), [str(folder)])
    (folder / "a").write_bytes(b"alpha")
    run("compress", folder, "-o", path)
    with told("open it with isthmus.Archive"):
        isthmus.open_compressed(path)
    with isthmus.Archive(path) as archive:
        assert archive.read("a") == b"alpha"
        with told("'a' and 'A' are one name where case", "rename one of them"):
            archive.add({"A": b"other"})
        archive.add({"B": b"other"})
        with told("has a member 'a' already", "choose another name, or replace it with --force (force=True)"):
            archive.add({"a": b"other"})
        archive.add({"a": b"other"}, force=True)
        (tmp / "out").mkdir()
        (tmp / "out" / "a").symlink_to(tmp / "elsewhere")
        with told("extraction follows none inside its folder; remove it, or extract to another folder"):
            archive.extract(tmp / "out")
        (tmp / "out" / "a").unlink()
        archive.extract(tmp / "out")
    assert main(["archive", "get", str(path)]) == 2  # name at least one member
    run("archive", "get", path, "a")


@advises("checks.coding.without_suffix")
@advises("cli.compress.decompress")
def outputs_of_compressed_files(tmp: Path) -> None:
    for name in ("a", "b.isth"):
        (tmp / name).write_bytes(isthmus.compress(b"data"))
    assert main(["decompress", str(tmp / "a")]) == 2  # give a name with -o
    assert main(["decompress", str(tmp / "a"), str(tmp / "b.isth"), "-o", str(tmp / "c")]) == 2
    run("decompress", tmp / "a", "-o", tmp / "c")
    run("decompress", tmp / "b.isth")
    assert (tmp / "c").read_bytes() == (tmp / "b").read_bytes() == b"data"


@advises("checks.coding.needs_model")
@advises("checks.coding.no_codec")
@advises("checks.coding.model_at_speed")
@advises("checks.coding.archive_without_model")
@advises("checks.coding.codec_elsewhere")
@advises("checks.coding.no_flag_of")
def models_of_compression(tmp: Path) -> None:
    text, model, path = tmp / "a.log", tmp / "logs.safetensors", tmp / "a.isth"
    text.write_bytes(b"GET /health 200 in 7 ms")
    fit = ["fit", text, "--model", "codec", "-o", model]
    assert main([*map(str, fit), "--latent-dim", "3"]) == 2  # leave it out
    run(*fit)
    with told("holds a Codec, which makes files smaller; give it to isthmus compress -m"):
        from isthmus.cli.inputs import load_model

        load_model(str(model), None)
    with told("leave out the model, or the speed"):
        isthmus.compress(b"x", model=model, speed="fast")
    isthmus.compress(b"x", model=model)
    isthmus.compress(b"x", speed="fast")
    compressed = isthmus.compress(text.read_bytes(), model=model)
    with told("give the file of that model with -m (model=)"):
        isthmus.decompress(compressed)
    assert isthmus.decompress(compressed, model=model) == text.read_bytes()
    isthmus.Archive.create(path, {"a": b"x"}, prior=False).close()
    with told("leave out the model, or make a new archive"):
        isthmus.Archive(path, model=model).add({"b": b"x"})
    isthmus.Archive(path).add({"b": b"x"})
    isthmus.Archive.create(tmp / "new.isth", {"b": b"x"}, model=model).close()
    Autoencoder(latent_dim=2, **COMMON).fit(rows()).save(tmp / "rows.safetensors")
    with told("make one with isthmus fit --model codec"):
        isthmus.compress(b"x", model=tmp / "rows.safetensors")


@advises("checks.coding.codes_need_their_model")
@advises("checks.coding.no_codes")
@advises("checks.coding.compresses_nothing")
@advises("checks.coding.one_target")
@advises("checks.photographs.loss_with_codec")
@advises("checks.coding.target_unreachable", 2)
@advises("checks.coding.records_alone")
def compression_with_a_loss(tmp: Path) -> None:
    X = np.random.default_rng(0).integers(0, 17, (40, 4, 4)).astype(np.uint8)
    path, saved = tmp / "x.isth", tmp / "m.safetensors"
    np.save(tmp / "x.npy", X)
    model = Autoencoder(latent_dim=3, **COMMON).fit(X)
    model.save(saved)
    texts = Autoencoder(latent_dim=3, **COMMON).fit(["some text"] * 30)
    with told("compress texts without a model"):
        tasks.compress_records(texts, ["some text"], path, bpp=1)
    assert isthmus.decompress(isthmus.compress(b"some text")) == b"some text"
    with told("is no model of isthmus; use one of these"):
        tasks.compress_records(_Foreign(), X, path, bpp=1)
    with told("Give one (--psnr 35, --bpp 0.5, --size 200000)"):
        tasks.compress_records(model, X, path)
    codec = isthmus.Codec().fit([b"a harbour, and a strait" * 9])
    codec.save(tmp / "codec.safetensors")
    assert main(["compress", str(tmp / "x.npy"), "--bpp", "1", "-m", str(tmp / "codec.safetensors")]) == 2
    run("compress", tmp / "x.npy", "-m", tmp / "codec.safetensors")
    (tmp / "x.npy.isth").unlink()
    assert main(["compress", str(tmp / "x.npy"), "-m", str(saved), "--bpp", "1", "-c"]) == 2  # leave out -o
    run("compress", tmp / "x.npy", "-m", saved, "--bpp", "2")
    run("compress", tmp / "x.npy", "-m", saved, "--compare")
    for target, word in (({"psnr": 90.0}, " or less"), ({"size": 1}, " bytes")):
        with pytest.raises(IsthmusError) as caught:
            tasks.compress_records(model, X, path, force=True, **target)
        nearest = float(str(caught.value).partition("give ")[2].partition(word)[0].replace(",", ""))
        tasks.compress_records(model, X, path, force=True, **{name: type(was)(nearest) for name, was in target.items()})
    with told("use isthmus decompress -m, or isthmus.tasks.decompress_records"):
        isthmus.decompress(path.read_bytes())
    run("decompress", path, "-m", saved, "-o", tmp / "y.npy")
    assert tasks.decompress_records(model, path).shape == X.shape
    path.write_bytes(isthmus.compress(b"bytes"))
    with told("use isthmus.decompress, or isthmus.Archive"):
        tasks.decompress_records(model, path)
    assert isthmus.decompress(path.read_bytes()) == b"bytes"


@advises("checks.photographs.samples_of_photographs")
@advises("checks.photographs.shape_of_photographs")
@advises("checks.photographs.photograph_too_large")
@advises("checks.photographs.one_target_of_photographs")
@advises("checks.photographs.quality_with_model")
@advises("checks.photographs.lossy_without_target")
@advises("checks.photographs.effort_of_nothing")
@advises("checks.photographs.target_without_picture")
@advises("checks.photographs.no_photographs_in")
@advises("checks.photographs.compare_one_photograph")
@advises("checks.photographs.photograph_under_another_name")
def photographs_to_a_target(tmp: Path) -> None:
    picture, folder = small_pictures()[0], tmp / "texts"
    Image.fromarray(picture).save(tmp / "x.png")
    folder.mkdir()
    (folder / "x.txt").write_text("a harbour")
    with told("convert them with astype, or give no target, to lose nothing"):
        isthmus.compress_photograph(picture.astype(float), quality=20)
    with told("choose channels, or give no target"):
        isthmus.compress_photograph(np.zeros((8, 8, 9), np.uint8), quality=20)
    with told("cut it into smaller ones"):
        isthmus.compress_photograph(np.zeros((1, (1 << 24) + 1), np.uint8), quality=20)
    with told("Give one (--psnr 38, --bpp 0.5, --size 60kB, --quality 60)"):
        isthmus.compress_photograph(picture, quality=20, bpp=1)
    isthmus.compress_photograph(np.zeros((8, 8, 3), np.uint8), quality=20)
    assert main(["compress", str(tmp / "x.png"), "--lossy"]) == 2  # give a target
    assert main(["compress", str(folder / "x.txt"), "--effort", "3"]) == 2  # leave it out
    isthmus.Codec().fit([b"a harbour, and a strait" * 9]).save(tmp / "codec.safetensors")
    with_model = ["compress", str(tmp / "x.png"), "--quality", "20", "-m", str(tmp / "codec.safetensors")]
    assert main(with_model) == 2  # leave out -m
    run("compress", tmp / "x.png", "--quality", "20", "--lossy")
    assert main(["compress", str(folder / "x.txt"), "--quality", "20"]) != 0  # leave out the target
    assert main(["compress", str(folder), "--quality", "20"]) != 0
    run("compress", folder / "x.txt")
    run("compress", folder)
    assert main(["compress", str(tmp / "x.png"), str(tmp / "x.png"), "--quality", "20", "--compare"]) == 2  # name one
    run("compress", tmp / "x.png", "--quality", "20", "--compare")
    assert main(["decompress", str(tmp / "x.isth"), "-o", str(tmp / "back.jpg")]) == 2  # give .png
    run("decompress", tmp / "x.isth", "-o", tmp / "back.png")


@advises("checks.coding.report_of_comparison")
def a_page_of_a_comparison(tmp: Path) -> None:
    (tmp / "x.txt").write_text("She sells sea shells. " * 9)
    page = tmp / "x.html"
    assert main(["compress", str(tmp / "x.txt"), "--report", str(page)]) == 2  # add --compare
    run("compress", tmp / "x.txt", "--compare", "--report", page)
    assert page.exists()


class _Foreign:
    schema_ = None

    def transform(self, X: Any) -> Any:
        return X

    def inverse_transform(self, Z: Any) -> Any:
        return Z


@advises("checks.coding.codec_not_fitted")
@advises("checks.coding.nothing_to_learn")
@advises("checks.coding.nothing_like_texts")
@advises("checks.coding.text_or_file")
def what_a_codec_learns_from(tmp: Path) -> None:
    codec, path = isthmus.Codec(), tmp / "a.log"
    path.write_bytes(b"text")
    with told("call fit(data) first, or isthmus.load a file"):
        codec.compress(b"x")
    for given, said in ((b"", "give other files, or texts"), (5, "pass one of these"), ([str(path)], "give a Path")):
        with told(said):
            codec.fit(given)
    for good in (b"text", "é".encode(), ["text"], path, [path], [str(path).encode()]):
        codec.fit(good).compress(b"x")


@advises("checks.coding.no_file_of_fields")
def fields_that_overlap(tmp: Path) -> None:
    fields = np.dtype({"names": ["a", "b"], "offsets": [0, 2], "formats": ["<i4", "<i4"]})
    compressed = isthmus.compress(np.zeros(3, fields))
    (tmp / "f.isth").write_bytes(compressed)
    with told("use isthmus.decompress, which returns the array"), isthmus.open_compressed(tmp / "f.isth") as file:
        file.read()
    assert isthmus.decompress(compressed).dtype == fields


@advises("checks.coding.items_of_no_size")
@advises("checks.coding.masked_array")
@advises("checks.coding.bound_of_fields")
@advises("checks.coding.bound_without_array")
@advises("checks.coding.bound_of_archive")
def arrays_that_are_compressed(tmp: Path) -> None:
    (tmp / "fields").mkdir()
    np.save(tmp / "fields" / "f.npy", np.linspace(0, 1, 99))
    assert main(["compress", str(tmp / "fields"), "--max-error", "0.1"]) == 2
    run("compress", tmp / "fields")
    run("compress", tmp / "fields" / "f.npy", "--max-error", "0.1")
    with told("convert them with astype"):
        isthmus.compress(np.array(["a", None], object))
    isthmus.compress(np.array(["a", None], object).astype("U4"))
    masked = np.ma.masked_array([1.0, 2.0], [True, False])
    with told(r"pass .filled(value), and that value as fill"):
        isthmus.compress(masked)
    isthmus.compress(masked.filled(-9.0), fill=-9.0)
    fields = np.array([(1.0, 2.0)], [("a", "f4"), ("b", "f4")])
    with told("leave the bound out, or compress each field as an array of its own"):
        isthmus.compress(fields, max_error=0.1)
    isthmus.compress(fields["a"], max_error=0.1)
    with told("leave it out, or give an array (in a file, .npy)"):
        isthmus.compress(b"bytes", max_error=0.1)
    isthmus.compress(b"bytes")


@advises("checks.pictures.no_samples")
def pictures_that_are_compressed(tmp: Path) -> None:
    with told("convert them"):
        Picture(np.zeros((4, 4), complex))
    Picture(np.zeros((4, 4), complex).real)
    with told("compress it as an array (.npy) instead"):
        Picture(np.zeros((4, 4, 99), "u1"))
    isthmus.compress(np.zeros((4, 4, 99), "u1"))


@advises("checks.coding.learned_as_bytes")
@advises("checks.coding.flag_of_photographs")
@advises("checks.coding.photographs_from_one_source")
def what_a_codec_of_photographs_learns_from(tmp: Path) -> None:
    for name in ("a", "b"):
        Image.fromarray(pictures(1, 72)[0]).save(tmp / f"{name}.png")
    few = ["--max-steps", "1", "--batch-size", "1", "--patch", "64", "--validation", "0"]
    fit = ["fit", "--model", "codec", "-o", tmp / "m.safetensors", "--force"]
    assert main([*map(str, fit), str(tmp), "--content", "bytes", *few]) == 2
    assert main([*map(str, fit), str(tmp / "a.png"), str(tmp / "b.png"), *few]) == 2
    run(*fit, tmp / "*.png", *few)  # a pattern, and one flag left out
    assert isinstance(isthmus.load(tmp / "m.safetensors"), isthmus.PhotographicCodec)


@advises("checks.coding.only_bytes_from_standard_input")
@advises("checks.pictures.no_pictures_to_learn")
@advises("checks.pictures.no_pictures_in")
@advises("checks.pictures.pictures_unlike_the_first")
def what_a_model_of_pictures_learns_from(tmp: Path) -> None:
    stack, other, text, model = tmp / "a.npy", tmp / "b.npy", tmp / "a.txt", tmp / "m.safetensors"
    np.save(stack, small_pictures())
    np.save(other, small_pictures()[:, :5])
    text.write_bytes(b"of a canal")
    fit = ["fit", "--model", "codec", "-o", model, "--force"]
    run(*fit, stack, text)  # as bytes
    assert isinstance(isthmus.load(model), isthmus.Codec)
    run(*fit, stack)  # only those that hold pictures are named
    assert isinstance(isthmus.load(model), isthmus.PictureCodec)
    assert main([*map(str, fit), "-", "--content", "pictures"]) == 2  # name files
    with told("give one at least"):
        isthmus.PictureCodec().fit(small_pictures()[:0])
    isthmus.PictureCodec().fit(small_pictures()[:1])
    for unlike in (text, other):
        with told("leave"):
            isthmus.PictureCodec().fit([stack, unlike])
    isthmus.PictureCodec().fit([stack])


@advises("checks.coding.model_of_others")
@advises("checks.coding.model_with_files_only")
@advises("checks.coding.bound_with_codec")
@advises("checks.pictures.no_picture_of_model")
@advises("checks.pictures.pictures_of_another_size")
@advises("checks.pictures.pictures_of_another_type")
@advises("checks.pictures.unseen_samples")
def what_a_model_of_pictures_is_for(tmp: Path) -> None:
    stack, text, model = tmp / "a.npy", tmp / "a.txt", tmp / "m.safetensors"
    X = small_pictures()
    np.save(stack, X)
    text.write_bytes(b"of a canal")
    codec = isthmus.PictureCodec().fit(X)
    codec.save(model)
    with told("leave it out, or fit one of bytes (isthmus fit --model codec --content bytes)"):
        isthmus.compress(b"of a canal", model=codec)
    isthmus.compress(b"of a canal")
    run("fit", text, "--model", "codec", "--content", "bytes", "-o", tmp / "b.safetensors")
    run("compress", text, "-m", tmp / "b.safetensors")
    assert main(["compress", str(stack), "-m", str(model), "--dry-run"]) == 2  # name files, of which each becomes one
    assert main(["compress", str(stack), "-m", str(model), "--max-error", "2"]) == 2  # leave one of them out
    run("compress", stack, "-m", model)
    run("compress", stack, "--max-error", "2", "--force")
    assert main(["compress", str(text), "-m", str(model), "--force"]) == 3  # leave it out
    run("compress", text, "--force")
    with told("fit another one"):
        isthmus.compress(X[:, :5], model=codec)
    isthmus.compress(X[:, :5], model=isthmus.PictureCodec().fit(X[:, :5]))
    with told("convert them if none is lost"):
        isthmus.compress(X.astype("u2"), model=codec)
    isthmus.compress(X.astype("u2").astype("u1"), model=codec)
    few = isthmus.PictureCodec().fit(X // 64 * 64)
    with told("leave out the model, or fit one with such pictures"):
        isthmus.compress(X, model=few)
    isthmus.compress(X)


class Copies:
    """A restorer that gives back what it reads."""

    def tiles_of(self, source: Any, pixels: Any, *, known: Any = None, scale: int = 1, **_: Any) -> Iterator[Any]:
        given = source if scale == 1 else Enlarged(source, scale)
        for tile in tiles(*given.shape[:2], reach=24):
            yield tile, pixels.from_unit(tile.core(tile.read(given)))


@advises("checks.pictures.no_picture_format")
@advises("checks.pictures.not_held")
def a_format_that_holds_the_picture(tmp: Path) -> None:
    np.save(tmp / "a.npy", pictures(1)[0].astype(np.uint16))
    with told("give it one of .png"):
        restore_file(Copies(), tmp / "a.npy", tmp / "a.gif")
    with told("write one of .png"):
        restore_file(Copies(), tmp / "a.npy", tmp / "a.jpg")
    assert restore_file(Copies(), tmp / "a.npy", tmp / "a.png").dtype == "uint16"


@advises("checks.pictures.filled_and_enlarged")
@advises("checks.pictures.all_missing")
def a_picture_filled_then_enlarged(tmp: Path) -> None:
    np.save(tmp / "a.npy", pictures(1)[0])
    mask = np.eye(12, dtype=bool)
    with told("leave out the scale, then enlarge the result"):
        restore_file(Copies(), tmp / "a.npy", tmp / "b.npy", mask=mask, scale=2)
    restore_file(Copies(), tmp / "a.npy", tmp / "b.npy", mask=mask)
    assert restore_file(Copies(), tmp / "b.npy", tmp / "c.npy", scale=2).shape == (24, 24)
    with told("leave it out"):
        restore_file(Copies(), tmp / "a.npy", tmp / "d.npy", mask=np.ones((12, 12), bool))


@advises("checks.pictures.not_to_be_rounded")
@advises("checks.pictures.size_of_several")
@advises("checks.pictures.pictures_not_so_small")
@advises("checks.pictures.lossy_name")
@advises("checks.pictures.no_pictures_of_model_in")
def pictures_with_a_loss(tmp: Path) -> None:
    X, folder, model = small_pictures(), tmp / "scans", tmp / "m.safetensors"
    codec, floats = isthmus.PictureCodec().fit(X), isthmus.PictureCodec().fit(X / 7)
    with told("leave out the target to lose nothing"):
        floats.compress(X / 7, psnr=40)
    isthmus.compress(X / 7, model=floats)
    with pytest.raises(IsthmusError) as caught:
        codec.compress(X, size=9)
    codec.compress(X, size=int(str(caught.value).partition("give ")[2].partition(" bytes")[0]))
    codec.save(model)
    folder.mkdir()
    Image.fromarray(X[0]).save(folder / "a.png")
    assert main(["compress", str(folder), "-m", str(model), "--size", "900"]) == 2  # give --psnr or --bpp
    run("compress", folder, "-m", model, "--psnr", "40")
    run("compress", folder, "-m", model, "--bpp", "40", "--force")
    (tmp / "texts").mkdir()
    (tmp / "texts" / "a.txt").write_bytes(b"of a canal")
    assert main(["compress", str(tmp / "texts"), "-m", str(model), "--psnr", "40"]) == 3  # leave both out
    run("compress", tmp / "texts")
    run("compress", folder / "a.png", "-m", model, "-o", tmp / "a.isth")
    back = ["decompress", tmp / "a.isth", "-m", model, "-o"]
    assert main([*map(str, back), str(tmp / "a.jpg")]) == 2  # give the ending that the file had
    run(*back, tmp / "a.png")


def small_pictures() -> np.ndarray:
    return rng().integers(0, 256, (3, 7, 6)).astype(np.uint8)


@advises("cli.pipes.standard_output", 2)
def bytes_go_to_one_place(tmp: Path) -> None:
    (tmp / "x").write_bytes(b"data")
    assert main(["compress", str(tmp / "x"), "-c", "-o", str(tmp / "y")]) == 2
    assert main(["compress", str(tmp / "x"), "-c", "--json"]) == 2
    run("compress", tmp / "x", "-o", tmp / "y", "--json")


@advises("checks.coding.content_with")
@advises("checks.coding.content_of_archive")
@advises("checks.coding.table_not_byte_for_byte")
@advises("cli.compress.decompress")
def tables_that_are_compressed(tmp: Path) -> None:
    table, form = tmp / "a.csv", tmp / "a.parquet"
    frame = pd.DataFrame({"a": range(90), "b": range(0, 180, 2)})
    frame.to_csv(table, index=False)
    frame.to_parquet(form)
    assert main(["compress", str(table), "--content", "table", "--speed", "fast"]) == 2
    run("compress", table, "--speed", "fast")
    run("compress", table, "--content", "table", "--force")
    assert main(["compress", str(table), str(form), "--content", "table", "-o", str(tmp / "x")]) == 2
    run("compress", table, form, "-o", tmp / "x")
    run("compress", table, form, "--content", "table", "--force")
    run("compress", form, "--content", "bytes", "--force")
    run("decompress", tmp / "a.parquet.isth", "-o", tmp / "b.parquet")
    assert (tmp / "b.parquet").read_bytes() == form.read_bytes()
    assert main(["decompress", str(tmp / "a.parquet.isth"), "--rows", "1:2", "-o", str(tmp / "c")]) == 4
    assert main(["decompress", str(tmp / "a.csv.isth"), "--rows", "1:2", "--partial", "-o", str(tmp / "c")]) == 2
    run("decompress", tmp / "a.csv.isth", "--rows", "1:2", "-o", tmp / "c")


@advises("checks.tables.no_tables_to_learn")
@advises("checks.tables.no_table_to_learn")
@advises("checks.tables.no_table_for_model")
@advises("checks.tables.table_of_other_columns")
def tables_of_the_same_columns(tmp: Path) -> None:
    table, other, none = b"n,k\n1,2\n3,4\n5,2\n", b"a,b,c\n1,2,3\n4,5,6\n", b"words\nand words\n"
    with told("give one at least"):
        isthmus.TableCodec().fit([])
    with told("leave it out"):
        isthmus.TableCodec().fit([table, none])
    with told("leave it out, or fit another model on such tables"):
        isthmus.TableCodec().fit([table, other])
    codec = isthmus.TableCodec().fit([table])
    with told("leave it out, or fit another model on such tables"):
        codec.compress(other)
    isthmus.TableCodec().fit([other]).compress(other)
    with told("leave the model out"):
        codec.compress(none)
    isthmus.compress(none)


# ------------------------------------------------------------------ the restorer


def small_restorer(**parameters: Any) -> isthmus.Restorer:
    small = {"start": None, "channels": (8, 8, 8), "patch": 32, "batch_size": 1, "max_steps": 1, "random_state": 0}
    return isthmus.Restorer(**{**small, **parameters})


@advises("checks.restorer.are_pictures")
@advises("checks.restorer.no_colour_picture_alone")
@advises("checks.restorer.nothing_known")
def pictures_to_restore(tmp: Path) -> None:
    restorer = small_restorer().fit(pictures(2, 48))
    with told("give arrays or image files"):
        restorer.denoise(["no", "pictures"])
    colour = rng().integers(0, 256, (16, 20, 3), dtype=np.uint8)
    with told("give X[None] if it is one picture in colour, or X[..., None] if it is such a stack"):
        restorer.denoise(colour)
    assert restorer.denoise(colour[None]).shape == (1, 16, 20, 3)
    assert restorer.denoise(colour[..., None]).shape == (16, 20, 3, 1)
    with told("there is nothing to go by; leave it out"):
        restorer.inpaint(pictures(2), np.stack([np.zeros((12, 12)), np.ones((12, 12))]))
    assert restorer.inpaint(pictures(2)[:1], np.eye(12)).shape == (1, 12, 12)


@advises("checks.restorer.patch_side")
@advises("checks.restorer.pictures_too_small", 2)
@advises("checks.restorer.with_holes")
def pictures_to_learn_from(tmp: Path) -> None:
    with told("it is 100: take 64"):
        isthmus.PhotographicCodec(patch=100).fit(pictures(2, 48))
    with told("set patch=64"):
        isthmus.PhotographicCodec().fit(pictures(2, 72))
    with told("it is 40: take 32"):
        small_restorer(patch=40).fit(pictures(2, 48))
    with told("set patch=32"):
        small_restorer(patch=128).fit(pictures(2, 48))
    with told("give larger ones"):
        small_restorer().fit(pictures(2, 20))
    X = pictures(2, 48) / 255
    X[1, 3, 3] = np.nan
    with told("X[1] has missing numbers (NaN)", "leave it out"):
        small_restorer().fit(X, validation=0)
    small_restorer().fit(X[:1])


@advises("checks.restoring.no_pictures_in_folder")
@advises("checks.restoring.mask_of_picture_wanted")
@advises("checks.restoring.no_mask_of")
@advises("checks.restoring.mask_marks_nothing")
@advises("checks.restoring.several_masks_of")
@advises("checks.restoring.output_is_input")
@advises("checks.restoring.sharpened_and_enlarged")
@advises("checks.restoring.not_of_a_restorer")
def verbs_that_restore_say_which_pictures_and_masks_they_take(tmp: Path) -> None:
    photo, mask = tmp / "p" / "photo.png", tmp / "masks" / "photo.png"
    for folder in ("p", "masks", "none"):
        (tmp / folder).mkdir()
    Image.fromarray(pictures(1)[0]).save(photo)
    assert main(["denoise", str(tmp / "none")]) == 3
    run("denoise", tmp / "p", "-o", tmp / "of-the-folder")
    assert main(["denoise", str(photo), "-o", str(photo), "--force"]) == 2
    run("denoise", photo, "-o", tmp / "another.png")
    assert main(["inpaint", str(photo)]) == 2
    assert main(["inpaint", str(photo), "--mask", str(tmp / "masks")]) == 2
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(mask)
    assert main(["inpaint", str(photo), "--mask", str(mask)]) == 2
    Image.fromarray(np.eye(12, dtype=np.uint8) * 255).save(mask)
    for suffix in (".bmp", ".tif"):
        mask.replace(mask.with_suffix(suffix))
        Image.fromarray(np.eye(12, dtype=np.uint8) * 255).save(mask)
    mask.unlink()
    assert main(["inpaint", str(photo), "--mask", str(tmp / "masks")]) == 2
    mask.with_suffix(".bmp").replace(mask)
    run("inpaint", photo, "--mask", tmp / "masks")
    run("inpaint", tmp / "p", "--mask", mask, "-o", tmp / "one-mask")
    assert main(["inpaint", str(photo), "--mask", str(mask), "--iterations", "3", "-o", str(tmp / "x.png")]) == 2
    assert main(["enhance", str(photo), "--scale", "2", "--deblur"]) == 2
    run("enhance", photo, "--deblur", "-o", tmp / "sharp.png")
    run("enhance", tmp / "sharp.png")


@advises("checks.restoring.of_pictures_only")
@advises("checks.restoring.one_source")
@advises("checks.restoring.output_of_records")
@advises("checks.restoring.memory_of_a_stack")
def verbs_that_restore_say_what_goes_with_models_and_stacks(tmp: Path) -> None:
    np.save(tmp / "x.npy", rows())
    np.save(tmp / "stack.npy", pictures(2))
    fitted("array").save(tmp / "m.safetensors")
    words = ["denoise", str(tmp / "x.npy"), "-m", str(tmp / "m.safetensors")]
    assert main(words) == 2
    assert main([*words, str(tmp / "x.npy"), "-o", str(tmp / "y.npy")]) == 2
    assert main([*words, "-o", str(tmp / "y.npy"), "--memory", "1GB"]) == 2
    run(*words, "-o", tmp / "y.npy")
    assert main(["denoise", str(tmp / "stack.npy"), "-o", str(tmp / "z.npy"), "--memory", "1GB"]) == 2
    run("denoise", tmp / "stack.npy", "-o", tmp / "z.npy")


@advises("checks.restorer.noise_is_alike")
@advises("checks.restorer.hardly_any_noise")
def noisy_pictures_to_learn_from(tmp: Path) -> None:
    def notes(X: np.ndarray) -> str:
        return "; ".join(small_restorer(self_supervised=True).fit(X).notes_)

    X = np.ones((1, 192, 192)) * np.linspace(0.2, 0.8, 192)
    noise = rng().standard_normal((1, 193, 193))
    alike = X + 0.05 * (noise[:, 1:, 1:] + noise[:, :-1, 1:] + noise[:, 1:, :-1] + noise[:, :-1, :-1])
    assert "reduce the pictures to half their size and fit again" in notes(alike)
    assert "fit again" not in notes(alike[:, ::2, ::2])
    assert "there is nothing to be learned: keep the pictures" in notes(X)


# ------------------------------------------------------------------ jobs


def small_job(tmp: Path, verb: str = "encode", **settings: Any) -> cluster.Outcome:
    """Do a job on rows.parquet in this process."""
    path, model = tmp / "rows.parquet", tmp / "m.safetensors"
    if not path.exists():
        frame().to_parquet(path)
        fitted("table").save(model)
    given = {"data": path, "model": model, "output": tmp / "out", "workers": 0, **settings}
    return cluster.run(verb, given.pop("data"), given.pop("model"), given.pop("output"), **given)


@advises("checks.jobs.not_a_path")
@advises("checks.jobs.not_seen")
@advises("checks.jobs.only_parquet_by_url")
@advises("checks.jobs.keys_elsewhere")
def where_workers_of_a_job_read(tmp: Path) -> None:
    small_job(tmp)
    with told("Save it to a file first: numpy.save, or to_parquet of a data frame"):
        small_job(tmp, data=frame(), output=tmp / "memory")
    with told("give a path that every worker sees, as on a shared disk, or a URL (s3://, gs://, hdfs://)"):
        small_job(tmp, data=tmp / "gone.parquet", output=tmp / "gone")
    frame().assign(place="here").to_csv(tmp / "rows.csv", index=False)
    with told("copy them to a disk that every worker sees, or write them as Parquet"):
        small_job(tmp, data=f"file://{tmp}/rows.csv", output=tmp / "url")
    assert small_job(tmp, data=tmp / "rows.csv", output=tmp / "csv").rows == 60
    assert small_job(tmp, data=f"file://{tmp}/rows.parquet", output=tmp / "url").rows == 60
    with told("write the data as Parquet"):
        small_job(tmp, data=tmp / "rows.csv", output=tmp / "keys", keys="place")
    frame().assign(place="here").to_parquet(tmp / "placed.parquet")
    assert small_job(tmp, data=tmp / "placed.parquet", output=tmp / "keys", keys="place").rows == 60


@advises("checks.jobs.manifest_unreadable")
@advises("checks.jobs.other_job")
@advises("checks.jobs.foreign_files")
def what_the_output_folder_of_a_job_may_hold(tmp: Path) -> None:
    small_job(tmp)
    with told("name another folder, or begin anew with --force"):
        small_job(tmp, "score")
    assert small_job(tmp, "score", output=tmp / "another").rows == 60
    assert small_job(tmp, "score", force=True).done_now == 1
    (tmp / "out" / "_manifest.json").write_text("{")
    with told("name another folder, or begin anew with --force"):
        small_job(tmp)
    assert small_job(tmp, force=True).done_now == 1
    (tmp / "mine").mkdir()
    (tmp / "mine" / "notes.txt").write_text("mine")
    with told("name an empty or a new folder"):
        small_job(tmp, output=tmp / "mine")
    assert small_job(tmp, output=tmp / "mine" / "new").rows == 60


@advises("checks.jobs.no_folder_format")
@advises("checks.jobs.needs_a_detector")
@advises("checks.jobs.one_file_for")
def what_a_job_takes(tmp: Path) -> None:
    small_job(tmp)
    model, path = tmp / "m.safetensors", tmp / "rows.parquet"
    assert main(["detect", str(path), "-o", f"{tmp}/found/", "--workers", "0"]) == 2
    run("detect", path, "-m", model, "--save", tmp / "d.safetensors", "-q")
    run("detect", path, "-m", tmp / "d.safetensors", "-o", f"{tmp}/found/", "--workers", "0", "-q")
    words = ["impute", str(path), "-m", str(model), "-o", f"{tmp}/full/"]
    assert main([*words, "--intervals", str(tmp / "i.csv"), "--workers", "0"]) == 2
    pictures = folder_of(tmp / "photos", {f"{i}.png": image for i, image in enumerate(several_sizes())})
    fitted_on_sizes().save(tmp / "sizes.safetensors")
    with told("give the name of a file, or of a folder of images"):
        small_job(tmp, "reconstruct", data=pictures, model=tmp / "sizes.safetensors", output=tmp / "again")
    run("reconstruct", pictures, "-m", tmp / "sizes.safetensors", "-o", tmp / "again-as-images", "-q")


# ------------------------------------------------------------------ the rest, and the count

OTHERS = "an internal state or a rare one, which a few lines cannot bring about"
WITHOUT = {
    "cli.picture_files.left_out": "it takes advice out of a sentence",
    "checks.tables.columns_too_many": "thousands of columns; a limit of the format",
    "checks.coding.archive_too_large": "a million members; tests of archives reach a lower limit",
    "checks.coding.code_too_large": "four million numbers of one code; a limit of the format",
    "checks.coding.foreign_items": "it asks for another kind of processor",
    "checks.coding.later_codec": "it installs a later version",
    "checks.coding.later_form": "it installs a later version",
    "checks.coding.learning_needs_compiled": "it is for machines without a C compiler",
    "checks.coding.unlike_its_source": "it asks for a report of a bug",
    "checks.coding.output_is_a_terminal": "tests of compress name a file, and use a pipe",
    "checks.coding.input_is_a_terminal": "tests of compress send something, and name files",
    "checks.coding.peers_missing": "it installs packages",
    "checks.photographs.weights_missing": "it installs isthmus again",
    "checks.data.public_set_absent": "it downloads",
    "checks.data.public_set_altered": "it downloads",
    "checks.tune.no_optuna": "it installs a package",
    "checks.restorer.no_onnx": "it installs packages",
    "checks.clusters.cluster_needs": "it installs packages",
    "checks.clusters.no_isthmus_on": "it installs packages on another machine",
    "checks.clusters.other_versions_on": "it installs packages on another machine",
    "checks.clusters.no_cluster": "tests of Ray start a cluster, and give its address",
    "checks.clusters.seen_differently": "it is for several machines; benchmarks/three_hosts.py has three",
    "checks.data.different_modes": "tests of pictures follow it",
    "checks.data.colour_depth": "tests of pictures follow it",
    "cli.inputs.refuse_lost": "tests of tables follow it",
    "cli.scoring.lines": "no advice",
    "cli.sentences.explain": OTHERS,
    "cli.inputs.rows_to_judge": "tests of score give the labels",
    "checks.cluster.is_learned_already": "it says which of two flags to leave out, as tests of cluster do",
    "checks.maps.is_drawn_already": "it says which of two flags to leave out, as tests of map do",
    "checks.maps.needs_flat_codes": "tests of map leave --model out",
    "checks.maps.colours_can_be_told": OTHERS,
    "checks.maps.check_map": OTHERS,
    "checks.maps._finite_rows": OTHERS,
    "cli.fit.keeping": "tests of fit interrupt it and go on",
    "cli.compress._say_if_slow": "a test would have to install a compiler",
    "checks.preprocessing.refuse_state": "it asks for an intact file",
    "checks.preprocessing.check_finite_range": OTHERS,
    "checks.detect.codes_are_finite": OTHERS,
    "checks.parameters.has_codes": OTHERS,
    "checks.tune.no_trial_in_time": OTHERS,
    "checks.tune.same_search": "tests of tuning follow it",
    "checks.metrics.check_held_out_distances": OTHERS,
    "checks.metrics.check_log_weights": OTHERS,
    "checks.metrics.check_feature_pictures": OTHERS,
    "checks.tasks.enough_matching": OTHERS,
    "checks.jobs.part_given_up": "tests of jobs kill workers, and go on with fewer",
}


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.__name__)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("wavelet_codec")
def test_advice_works(test: Callable[[Path], None], tmp_path: Path) -> None:
    test(tmp_path)


def test_every_advice_has_a_test_or_a_reason() -> None:
    found = all_advice()
    missing = {name: count for name, count in found.items() if name not in WITHOUT and COVERED[name] != count}
    assert not missing
    assert not (set(COVERED) | set(WITHOUT)) - set(found)
