"""The pictures of a classifier."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from isthmus import data, metrics
from isthmus.report import classification
from isthmus.tasks import Classification


@pytest.fixture
def found():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 3, 60)
    logits = rng.normal(size=(60, 3))
    logits[np.arange(60), numbers] += 1
    return Classification.of(np.array(["a", "b", "a long name of a class"]), metrics.softmax(logits), numbers)


def test_pictures_of_rows_and_of_images(found):
    before = dict(mpl.rcParams)
    rows = data.open(np.random.default_rng(0).normal(size=(60, 4)))
    assert classification.pictures(found, rows).keys() == {"calibration", "confusion"}
    images = data.open(np.random.default_rng(0).integers(0, 255, (60, 9, 7, 3), dtype=np.uint8))
    drawn = classification.pictures(found, images)
    assert drawn.keys() == {"calibration", "confusion", "doubtful"}
    assert all(isinstance(figure, Figure) for figure in drawn.values())
    assert dict(mpl.rcParams) == before


def test_doubtful_pictures_stand_in_their_order(found):
    images = np.zeros((60, 8, 8), np.uint8)
    images += np.arange(60, dtype=np.uint8)[:, None, None]
    figure = classification.pictures(found, data.open(images))["doubtful"]
    shown = [round(float(axes.images[0].get_array().mean()) * 59) for axes in figure.axes if axes.images]
    assert sorted(shown) != shown
    order = np.argsort(np.argsort(found.doubtful[:30]))
    assert np.argsort(np.argsort(shown)).tolist() == order.tolist()
    wrong = [axes.get_title(loc="center") for axes in figure.axes if ", not " in axes.get_title(loc="center")]
    assert len(wrong) == (found.true != found.predicted)[:30].sum()


def test_a_confusion_matrix_has_its_numbers_where_they_can_be_read():
    few = classification.confusion(np.array([[3, 1], [0, 2]]), ["a", "b"])
    assert [text.get_text() for text in few.axes[0].texts] == ["3", "1", "2"]
    many = classification.confusion(np.eye(50, dtype=int), [str(k) for k in range(50)])
    assert not many.axes[0].texts


def test_the_curve_of_one_bin():
    curve = metrics.CalibrationCurve(np.array([0.9]), np.array([1.0]), np.array([5]))
    figure = classification.calibration(curve)
    assert figure.axes[0].get_title(loc="left") == "Expected calibration error 0.100"
