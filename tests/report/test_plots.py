"""The pictures: what they show, and that they leave the user's matplotlib alone."""

from __future__ import annotations

import doctest
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from isthmus import metrics
from isthmus.report import comparison, formatting, plots
from isthmus.report.page import inline_svg


def test_settings_come_back() -> None:
    before = dict(mpl.rcParams)
    figure = plots.unit_variances(np.array([1.0, 0.5]), 0.01)
    inline_svg(figure, "a")
    assert dict(mpl.rcParams) == before


def test_pyplot_is_never_loaded() -> None:
    code = (
        "import sys, numpy as np; from isthmus.report import plots; from isthmus.report.page import inline_svg;"
        "inline_svg(plots.unit_variances(np.ones(3), .1), 'a'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_loss_curves_have_one_panel_more_for_the_rate(epochs: int) -> None:
    history = [
        {"epoch": e, "train_loss": 100.0 / e, "validation_loss": 90.0 / e + e, "learning_rate": 0.1}
        for e in range(1, epochs + 1)
    ]
    assert len(plots.loss_curves(history).axes) == 2
    bare = [{"epoch": record["epoch"], "train_loss": record["train_loss"]} for record in history]
    figure = plots.loss_curves(bare)
    assert len(figure.axes) == 1
    assert [line.get_label() for line in figure.axes[0].lines] == ["training"]


def test_the_best_epoch_is_marked() -> None:
    history = [{"train_loss": 1.0, "validation_loss": loss} for loss in (5.0, float("nan"), 2.0, 3.0)]
    figure = plots.loss_curves(history)
    assert figure.axes[0].lines[-1].get_label() == "best, epoch 3"


def test_the_first_steep_step_does_not_flatten_the_rest() -> None:
    history = [{"train_loss": loss} for loss in (1e6, *np.linspace(20, 10, 30))]
    low, high = plots.loss_curves(history).axes[0].get_ylim()
    assert low > 0
    assert high < 100


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (9, 7, 2), (9, 7, 3), (9, 7, 4), (9, 7, 5), (1, 1), (700, 30, 3)])
def test_images_of_any_channels(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(3)]
    figure = plots.image_grid(images, [255 - image for image in images], ["a", "b", "c"])
    shown = [axes.images[0].get_array() for axes in figure.axes[:9]]
    assert len(shown) == 9
    assert max(max(image.shape[:2]) for image in shown) <= 192
    assert "<image" in inline_svg(figure, "x")


def test_error_maps_are_absolute_differences_on_one_scale() -> None:
    dark, bright = np.zeros((4, 4), np.uint8), np.full((4, 4), 200, np.uint8)
    figure = plots.image_grid([dark, bright], [bright, bright], ["a", "b"])
    errors = [figure.axes[place].images[0] for place in (4, 5)]
    np.testing.assert_array_equal(errors[0].get_array(), 200)
    np.testing.assert_array_equal(errors[1].get_array(), 0)
    assert errors[0].get_clim() == errors[1].get_clim() == (0, 200)


def test_a_large_image_is_averaged() -> None:
    image = np.zeros((400, 200))
    image[:, 100:] = 1.0
    small = plots._smaller(image)
    assert small.shape == (133, 66)
    assert small.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("labels", [None, "few", "many", "numbers", "_underscore", "booleans"])
def test_scatter_with_any_labels(labels: str | None) -> None:
    rng = np.random.default_rng(0)
    n = 120
    values = {
        None: None,
        "few": rng.integers(0, 10, n),
        "many": np.array([f"class {i}" for i in range(n)]),
        "numbers": rng.normal(size=n),
        "_underscore": np.where(rng.random(n) < 0.5, "_a", "b").astype(object),
        "booleans": rng.random(n) < 0.5,
    }[labels]
    figure = plots.code_scatter(rng.normal(size=(n, 2)), np.array([0.6, 0.2]), values)
    axes = figure.axes[0]
    assert "first principal component of the codes (60 % of variance)" in axes.get_xlabel()
    expected = {"few": 10, "_underscore": 2, "booleans": 2}.get(str(labels), 0)
    legend = axes.get_legend()
    assert (len(legend.get_texts()) if legend else 0) == expected
    assert len(figure.axes) == (2 if labels == "numbers" else 1)


def test_classes_differ_in_colour_or_marker() -> None:
    looks = {
        (plots.COLOURS[i % len(plots.COLOURS)], plots.MARKERS[i // len(plots.COLOURS)])
        for i in range(plots.MAX_CLASSES)
    }
    assert len(looks) == plots.MAX_CLASSES == 24


@pytest.mark.parametrize("variance", [[0.0], [0.0, 0.0], [1.0, 1e-9], list(np.geomspace(1, 1e-6, 300))])
def test_unit_variances_of_any_code(variance: list[float]) -> None:
    figure = plots.unit_variances(np.array(variance), 0.01 * max(variance))
    assert isinstance(figure, Figure)
    assert inline_svg(figure, "u")


@pytest.mark.parametrize("errors", [[0.0, 0.0], [3.0], [1e7, 2e7, 5e9]])
def test_error_distribution_of_any_errors(errors: list[float]) -> None:
    figure = plots.error_distribution({"model": np.array(errors), "PCA": np.array(errors)}, "error")
    assert inline_svg(figure, "e")


def test_parity_of_constant_columns() -> None:
    zeros = np.zeros((5, 2))
    figure = plots.parity(zeros, zeros, ["a", "b"], [1.0, 1.0])
    assert inline_svg(figure, "p")
    assert figure.axes[0].get_title(loc="left") == "a, R² 1.000"


def test_column_errors_beyond_the_scale_stay_on_it() -> None:
    figure = plots.column_errors(["a", "b"], {"model": np.array([0.1, 50.0]), "PCA": np.array([0.2, 0.3])})
    assert figure.axes[0].get_xlim()[1] < 2
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b"]


@pytest.mark.parametrize(
    "module", [formatting, comparison, metrics.distortion, metrics.codes, metrics.bootstrap, metrics.baselines]
)
def test_examples_in_docstrings(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
