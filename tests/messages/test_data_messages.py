"""The sentences about data, word for word, and their exit codes."""

# ruff: noqa: E501 - a sentence is easier to compare where it is not broken

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from isthmus import checks, data
from isthmus.data import public
from isthmus.errors import DataError, DataTypeError, IsthmusError, ParameterError, ShapeError


def refusal(source: Any, **options: Any) -> IsthmusError:
    with pytest.raises(IsthmusError) as caught:
        data.open(source, **options)
    return caught.value


def cell(shape: tuple[int, ...], place: tuple[int, ...], value: float) -> np.ndarray:
    array = np.ones(shape)
    array[place] = value
    return array


ARRAYS = [
    (
        cell((5, 4), (3, 2), np.nan),
        DataError,
        "X contains NaN in row 3, column 2; fill it or drop the row, or pass a data frame, in which values may be missing.",
    ),
    (cell((5, 4), (0, 1), np.inf), DataError, "X contains infinity in row 0, column 1; replace it or drop the row."),
    (
        cell((5, 4, 3), (3, 2, 1), -np.inf),
        DataError,
        "X contains infinity in image 3, row 2, column 1; replace it or drop the row.",
    ),
    (
        cell((5, 4, 3, 2), (4, 2, 1, 1), np.nan),
        DataError,
        "X contains NaN in image 4, row 2, column 1, channel 1; fill it or drop the row, or pass a data frame, in which "
        "values may be missing.",
    ),
    (
        np.zeros(3),
        ShapeError,
        "X: Expected 2D array, got 1D array instead, of shape (3,). Reshape your data with X.reshape(-1, 1) if it is one "
        "column, or X.reshape(1, -1) if it is one record.",
    ),
    (
        np.array(3.0),
        ShapeError,
        "X: Expected 2D array, got scalar array instead. Reshape your data with X.reshape(1, -1).",
    ),
    (
        np.zeros((2, 3, 4, 5, 6)),
        ShapeError,
        "X: an array of 5 dimensions, of shape (2, 3, 4, 5, 6), is neither rows (n, d) nor images (n, height, width) or "
        "(n, height, width, channels); reshape it to one of these.",
    ),
    (
        np.zeros((2, 3, 28, 28)),
        ShapeError,
        "X: the last axis of a stack of images holds 1 to 16 channels, but axis 3 of shape (2, 3, 28, 28) has 28; axis 1 "
        "has 3: move it last with numpy.moveaxis(X, 1, -1).",
    ),
    (
        np.zeros((0, 3)),
        ShapeError,
        "X: Found array with 0 sample(s) (shape=(0, 3)) while a minimum of 1 is required; check the source.",
    ),
    (
        np.zeros((12, 0)),
        ShapeError,
        "X: Found array with 0 feature(s) (shape=(12, 0)) while a minimum of 1 is required; check the source.",
    ),
    (
        np.ones((2, 2)) * 1j,
        DataError,
        "X: Complex data not supported, got dtype complex128; pass the real part, or both as columns.",
    ),
    (
        np.array([["1", "a"]]),
        DataError,
        "X: strings in a numeric array, '1', in row 0, column 0; pass a data frame for a table of mixed columns, "
        "or a list of str for text.",
    ),
    (
        np.array([[1, 2], [3, "a"]], dtype=object),
        DataError,
        "X: strings in a numeric array, 'a' in row 1, column 1; pass a data frame for a table of mixed columns.",
    ),
    (
        np.array([[1, {}]], dtype=object),
        DataTypeError,
        "X: the argument must be a string or a number, as in float(), not 'dict' in row 0, column 1.",
    ),
    (
        np.array([["2020-01-01"]], dtype="datetime64[D]"),
        DataTypeError,
        "X: an array of datetime64[D] holds dates, not numbers; pass a data frame.",
    ),
    (
        np.ma.masked_array([[1.0, 2.0]], [[True, False]]),
        DataTypeError,
        "X: a masked array hides 1 values; pass a data frame with missing values, or fill them with X.filled(value).",
    ),
    (
        None,
        DataTypeError,
        "data: expected an array, a tensor, a data frame, a list, a path or the name of a built-in set, got "
        "builtins.NoneType.",
    ),
]


@pytest.mark.parametrize(("source", "error", "sentence"), ARRAYS, ids=[sentence[:40] for _, _, sentence in ARRAYS])
def test_arrays(source: Any, error: type[IsthmusError], sentence: str) -> None:
    raised = refusal(source)
    assert str(raised) == sentence
    assert type(raised) is error
    assert raised.exit_code == 3


def test_ragged_list() -> None:
    raised = refusal([[1, 2], [3]])
    assert str(raised).startswith("X: it is not a regular array of numbers (")
    assert isinstance(raised, TypeError)


def test_sparse_matrix() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    for make in (sparse.csr_matrix, sparse.csr_array, sparse.coo_array):
        raised = refusal(make(np.eye(3)))
        assert str(raised) == (
            f"X: sparse matrices are not supported, got {make.__name__}; pass a dense array, X.toarray()."
        )
        assert isinstance(raised, TypeError)


def test_labels_of_another_length() -> None:
    x = np.zeros((4, 2))
    assert str(refusal(x, labels=[1, 2])) == "X: labels must hold one value for each of the 4 records, got 2."
    sentence = "X: labels must hold one value for each of the 4 records, got an array of shape (4, 2)."
    assert str(refusal(x, labels=np.zeros((4, 2)))) == sentence


def test_too_few_records() -> None:
    checks.enough_records(data.open(np.zeros((2, 3))), 2)
    with pytest.raises(DataError) as caught:
        checks.enough_records(data.open(np.zeros((1, 3))), 2)
    assert str(caught.value) == (
        "X: Found 1 sample(s) (shape=(1, 3)) while a minimum of 2 is required; pass more records."
    )
    assert caught.value.exit_code == 3


def test_wrong_width_and_kind() -> None:
    schema = data.open(np.zeros((3, 4))).schema
    with pytest.raises(ShapeError, match=r"^X has 1 features, but Autoencoder is expecting 4 features as input\.$"):
        checks.same_shape(schema, data.open(np.zeros((3, 1))), "Autoencoder")
    with pytest.raises(ShapeError) as caught:
        checks.same_shape(schema, data.open(np.zeros((3, 4, 4))), "Autoencoder")
    assert str(caught.value) == (
        "X: Autoencoder was fitted on data of kind 'array' (records of shape 4), got kind 'image' "
        "(records of shape 4 x 4)."
    )
    with pytest.raises(ShapeError) as caught:
        checks.same_shape(data.open(np.zeros((3, 4, 5))).schema, data.open(np.zeros((3, 4, 4))), "Autoencoder")
    assert str(caught.value) == (
        "X: the images have the shape 4 x 4, but Autoencoder is expecting 4 x 5 (height x width x channels; 'any' where "
        "they vary) as input."
    )


@pytest.mark.parametrize(
    "given", [["b", "a", "c", "d", "e", "f", "g"], list("qrstuvw"), ["a"], [*"abcdefg", "h"], ["a", "b", "c"]]
)
def test_feature_names_in_the_words_of_scikit_learn(given: list[str]) -> None:
    pandas = pytest.importorskip("pandas")
    from sklearn.preprocessing import StandardScaler

    frame = pandas.DataFrame(np.eye(7), columns=list("abcdefg"))
    other = pandas.DataFrame(np.ones((2, len(given))), columns=given)
    with pytest.raises(ValueError, match="feature names") as theirs:
        StandardScaler().fit(frame).transform(other)
    with pytest.raises(ShapeError, match="feature names") as ours:
        checks.same_shape(data.open(frame).schema, data.open(other), "StandardScaler")
    assert str(ours.value) == str(theirs.value)


def test_images_of_several_sizes_and_modes(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(folder / "a.png")
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(folder / "b.png")
    assert str(refusal(folder)) == (
        "photos: the images differ in size: 'a.png' is 4 x 6 and 'b.png' is 5 x 6 (height x width). Keep their sizes with "
        "sizes='group' (--sizes group), or cut or fill them to one size with 'crop' or 'pad'."
    )
    assert refusal(folder).exit_code == 3
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(folder / "b.png")
    assert str(refusal(folder)) == (
        "photos: the images differ in their channels: 1 are grey uint8, as 'a.png', 1 are RGB uint8, as 'b.png'; convert "
        "them to 8 bits with mode='grey', 'rgb' or 'rgba' (--mode rgb), or open them apart."
    )
    noise = np.random.default_rng(0).integers(0, 256, (4, 60)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "a.png")
    (folder / "a.png").write_bytes((folder / "a.png").read_bytes()[:-100])
    raised = refusal(folder, mode="grey", sizes="group")
    assert str(raised) == (
        f"data: '{folder / 'a.png'}' cannot be read: it is truncated or damaged (image file is truncated); mend it, "
        "or leave such files out with skip_bad=True (--skip-bad)."
    )
    assert raised.exit_code == 3


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    assert str(refusal("mnits")) == "data: there is no file, folder or pattern 'mnits'; did you mean 'mnist'?"
    assert str(refusal(str(tmp_path / "q*.png"))) == (
        f"data: there is no file, folder or pattern '{tmp_path / 'q*.png'}'; the built-in sets are digits, mnist, "
        "fashion-mnist, kmnist, cifar10."
    )


def test_absent_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path))
    monkeypatch.delenv("ISTHMUS_DATA", raising=False)
    raised = refusal("kmnist")
    assert str(raised) == (
        f"data: the set 'kmnist' is not on this machine (looked in {public.cache() / 'kmnist'}); get it with download=True "
        "(--download), or let ISTHMUS_DATA name a folder that holds 'kmnist'."
    )
    assert raised.exit_code == 5


def test_options() -> None:
    x = np.zeros((2, 2))
    raised = refusal(x, sizes="gruop")
    assert str(raised) == "data: sizes must be one of None, 'group', 'crop', 'pad', got 'gruop'; did you mean 'group'?"
    assert type(raised) is ParameterError
    assert raised.exit_code == 2
    assert str(refusal(x, mode=3)) == "data: mode must be one of None, 'grey', 'rgb', 'rgba', got 3."
    assert str(refusal(x, columns=[5])) == "X: there is no column 5 among '0', '1'."


def test_no_sentence_runs_over_its_end() -> None:
    """Every sentence ends once, and holds no doubled space from a line that was broken in the source."""
    for source, _, sentence in ARRAYS:
        assert sentence.endswith((".", "?"))
        assert "  " not in sentence, source
        assert not re.search(r"\.\.(?!\.)", sentence)


# --- what scikit-learn's own checks look for -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "error", "pattern"),
    [
        (np.ones((10, 1)) * 1j, ValueError, "Complex data not supported"),
        (np.array([[{"foo": "bar"}, 1.0]], dtype=object), TypeError, "argument must be .* string.* number"),
        (np.empty((0, 3)), ValueError, r"0 sample\(s\)"),
        (np.empty((12, 0)), ValueError, r"0 feature\(s\) \(shape=\(\d*, 0\)\) while a minimum of \d* is required."),
        (cell((10, 3), (0, 0), np.nan), ValueError, "NaN"),
        (cell((10, 3), (0, 0), np.inf), ValueError, "inf"),
        (np.ones(3), ValueError, "Reshape your data"),
    ],
)
def test_what_estimator_checks_match(source: Any, error: type[Exception], pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        data.open(source)
