from __future__ import annotations

import numpy as np
import pytest

from isthmus import data
from isthmus.errors import DataError, ShapeError

pandas = pytest.importorskip("pandas")
X = np.arange(12.0).reshape(4, 3)
FRAME = pandas.DataFrame(X, columns=["a", "b", "c"])


def test_same_kinds_pass_untouched() -> None:
    for source in (X, FRAME, X.reshape(4, 3, 1), ["a", "b"]):
        opened = data.open(source)
        assert data.conform(opened, opened.schema, "Model") is opened


def test_matrix_for_a_table_of_numbers() -> None:
    schema = data.open(FRAME).schema
    with pytest.warns(
        UserWarning, match="X does not have valid feature names, but Model was fitted with feature names"
    ):
        table = data.conform(data.open(X, labels=[1, 2, 3, 4]), schema, "Model")
    assert table.chunk(0, 1).to_pylist() == [{"a": 0.0, "b": 1.0, "c": 2.0}]
    assert table.labels.tolist() == [1, 2, 3, 4]
    with pytest.raises(ShapeError, match="X has 2 features, but Model is expecting 3 features as input"):
        data.conform(data.open(X[:, :2]), schema, "Model")


def test_table_of_numbers_for_a_matrix() -> None:
    schema = data.open(X).schema
    frame = FRAME.assign(c=[True, False, True, False])
    with pytest.warns(UserWarning, match="X has feature names, but Model was fitted without feature names"):
        matrix = data.conform(data.open(frame), schema, "Model")
    np.testing.assert_array_equal(matrix.array[:, :2], X[:, :2])
    np.testing.assert_array_equal(matrix.array[:, 2], [1, 0, 1, 0])
    with (
        pytest.warns(UserWarning, match="feature names"),
        pytest.raises(DataError, match="contains NaN in row 1, column 0"),
    ):
        data.conform(data.open(FRAME.assign(a=[1, np.nan, 2, 3])), schema, "Model")


def test_text_columns_are_no_matrix() -> None:
    with pytest.raises(ShapeError, match="Model was fitted on data of kind 'array'"):
        data.conform(data.open(FRAME.assign(a=list("wxyz"))), data.open(X).schema, "Model")


def test_columns_are_found_by_name_where_all_are_there() -> None:
    schema = data.open(FRAME).schema
    other = data.by_name(data.open(FRAME.assign(d=0)[["d", "c", "a", "b"]], labels=[1, 2, 3, 4]), schema)
    assert other.chunk(0, 4).equals(data.open(FRAME).chunk(0, 4))
    assert other.labels.tolist() == [1, 2, 3, 4]
    for untouched in (data.open(FRAME), data.open(FRAME[["c", "a"]]), data.open(X)):
        assert data.by_name(untouched, schema) is untouched
        assert data.by_name(untouched, data.open(X).schema) is untouched


def test_columns_that_may_change_type() -> None:
    schema = data.open(pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})).schema
    data.conform(data.open(pandas.DataFrame({"a": [1.5, np.nan], "b": [None, None]})), schema, "Model")
    with pytest.raises(
        ShapeError, match=r"column 'b' holds values of type integer \(int64\), but Model was fitted on category"
    ):
        data.conform(data.open(pandas.DataFrame({"a": [1.5, 2], "b": [1, 2]})), schema, "Model")


def test_grouped_sizes_accept_any() -> None:
    schema = data.open([np.zeros((3, 4)), np.zeros((5, 4))], sizes="group").schema
    data.conform(data.open(np.zeros((2, 9, 4))), schema, "Model")
    with pytest.raises(ShapeError, match="the images have the shape 9 x 5, but Model is expecting any x 4"):
        data.conform(data.open(np.zeros((2, 9, 5))), schema, "Model")
