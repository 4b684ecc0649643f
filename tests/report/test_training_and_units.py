"""What a report says of the divergence of units, of players that train against each other, and of a book's entries."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from isthmus import metrics
from isthmus.report import evaluate, plots
from isthmus.report.page import inline_svg

Images = tuple[np.ndarray, ...]


@pytest.fixture
def variational(image_model: Any, images: Images, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the stand-in with a posterior, of whose units the last is the same for every record."""

    def posterior(data: Any) -> tuple[np.ndarray, np.ndarray]:
        mean = np.random.default_rng(0).normal(size=(len(data), 8)) * [2, 2, 1, 1, 1, 1, 1, 0]
        return mean, np.tile([-4.0, -4, -2, -2, -1, -1, -1, 0], (len(data), 1))

    monkeypatch.setattr(image_model, "code_posterior", posterior, raising=False)
    monkeypatch.setattr(image_model, "module_", SimpleNamespace(parameters=list), raising=False)
    monkeypatch.setattr(image_model, "transform", lambda data: posterior(data)[0], raising=False)
    monkeypatch.setattr(image_model, "reconstruct", lambda data: data.array, raising=False)
    return image_model


def test_divergence_of_each_unit(variational: Any, images: Images) -> None:
    report = evaluate(variational, images[1])
    codes = report.to_dict()["codes"]
    expected = metrics.kl_per_unit(*variational.code_posterior(images[1]))
    np.testing.assert_allclose(codes["kl"]["nats"], expected)
    assert codes["kl"]["total"] == pytest.approx(expected.sum())
    assert codes["kl"]["active"] == [True] * 7 + [False]
    assert (codes["rule"], codes["active"], codes["level_kl"]) == ("variance above 0.01", 7, None)
    html = " ".join(report.to_html().split())
    assert "What each unit says of the record" in html
    assert f"{expected.sum():.1f} nats in all" in html


def test_divergence_that_is_no_sum_over_units_is_left_out(variational: Any, images: Images) -> None:
    variational.module_.has_exact_kl = False
    report = evaluate(variational, images[1])
    assert report.to_dict()["codes"]["kl"] is None
    assert "What each unit says of the record" not in report.to_html()


def test_divergence_of_each_level(variational: Any, images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variational, "level_kl", lambda data: np.array([3.0, 0.5]), raising=False)
    report = evaluate(variational, images[1])
    assert (report.to_dict()["codes"]["kl"], report.to_dict()["codes"]["level_kl"]) == (None, [3.0, 0.5])
    axes = report.figures()["levels"].axes[0]
    assert [bar.get_width() for bar in axes.patches] == [3.0, 0.5]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1, top", "2"]
    assert "What each level says of the record" in report.to_html()


@pytest.mark.parametrize("units", [1, 5, 40, 300])
def test_bars_of_units_are_ordered_and_marked(units: int) -> None:
    nats = np.random.default_rng(0).random(units)
    active = nats > 0.3
    figure = plots.unit_kl(nats, active)
    axes = figure.axes[0]
    if units == 5:
        assert [label.get_text() for label in axes.get_xticklabels()] == [str(unit) for unit in np.argsort(-nats)]
    if units <= 64:
        by_colour = {label: len(bars) for bars, label in zip(axes.containers, ("active", "inactive"), strict=False)}
        assert by_colour.get("active", 0) in (active.sum(), (~active).sum())
        assert sum(by_colour.values()) == units
    assert inline_svg(figure, "k")


def game(**terms: float) -> list[dict[str, Any]]:
    return [{"epoch": epoch, "learning_rate": 0.1, "train_loss": 1.0} | terms for epoch in (1, 2, 3)]


def test_losses_of_players() -> None:
    history = game(
        train_encoder_reconstruction=60.0, train_critic_loss=0.6, train_critic_penalty=0.1, train_generator_loss=0.8
    )
    left, right = plots.player_losses(history, math.log(2)).axes
    lines = {line.get_label(): (line.get_color(), line.get_ydata()[0]) for line in left.lines}
    assert lines == {
        "critic, loss": (plots.RIVAL, 0.6),
        "generator, loss": (plots.MODEL, 0.8),
        "critic, penalty": (plots.PLAIN, 0.1),
        "log 2: neither wins": (plots.INK, pytest.approx(0.6931, abs=1e-4)),
    }
    assert [line.get_label() for line in right.lines] == ["encoder, reconstruction"]
    assert right.get_ylabel() == "nats per record"
    assert len(plots.player_losses(game(train_critic_loss=0.6, train_generator_loss=0.8)).axes) == 1


@pytest.mark.parametrize(("loss", "even"), [(None, math.log(2)), ("relativistic", math.log(2)), ("hinge", None)])
def test_the_level_at_which_neither_wins(
    image_model: Any, images: Images, monkeypatch: pytest.MonkeyPatch, loss: str | None, even: float | None
) -> None:
    monkeypatch.setattr(image_model, "history_", game(train_critic_loss=0.6, train_generator_loss=0.8))
    monkeypatch.setattr(image_model, "stops_early", False, raising=False)
    parameters = {"latent_dim": 8} | ({"loss": loss} if loss else {})
    monkeypatch.setattr(image_model, "get_params", lambda deep=True: parameters, raising=False)
    report = evaluate(image_model, images[1])
    assert report.to_dict()["training"] == {"game": True, "even": even, "keeps_best": False}
    html = report.to_html()
    assert "What each player lowers, by epoch." in html
    assert ("log 2: neither wins" in html) == (even is not None)
    assert "The weights are those of the end: no loss says which are the best." in html


def test_a_plain_history_is_no_game(image_model: Any, images: Images) -> None:
    report = evaluate(image_model, images[1])
    assert report.to_dict()["training"] == {"game": False, "even": None, "keeps_best": True}
    assert "the weights of the best epoch on validation records are kept" in report.to_html()


def test_entries_of_a_book(image_model: Any, images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    used = [{"perplexity": 5.0 + e, "used_entries": 8 + e, "dead_entries": 8 - e} for e in range(20)]
    history = [record | entry for record, entry in zip(image_model.history_, used, strict=True)]
    monkeypatch.setattr(image_model, "history_", history)
    report = evaluate(image_model, images[1])
    lines = {line.get_label(): line.get_ydata() for line in report.figures()["entries"].axes[0].lines}
    assert list(lines) == ["used entries", "perplexity", "dead entries"]
    np.testing.assert_array_equal(lines["dead entries"], [8.0 - e for e in range(20)])
    assert "Codebook entries" in report.to_html()


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (9, 7, 2), (9, 7, 3), (9, 7, 4), (300, 20, 3), (1, 1)])
def test_pictures_in_rows(shape: tuple[int, ...]) -> None:
    pictures = [np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8) for _ in range(4)]
    figure = plots.picture_rows([pictures, pictures], ["a", "b"], ["1", "2", "3", "4"], apart="ends")
    (image,) = figure.axes[0].images
    assert image.get_array().shape[2] == 4
    assert max(image.get_array().shape[:2]) <= 64 * 4 + 100
    assert "<image" in inline_svg(figure, "p")


def test_gaps_between_pictures_are_clear() -> None:
    white = np.full((8, 8), 255, np.uint8)
    figure = plots.picture_rows([[white, 0 * white]], [], ["a", "b"])
    sheet = figure.axes[0].images[0].get_array()
    assert sheet.shape == (8, 17, 4)
    assert (sheet[:, :8] == 255).all()
    assert (sheet[:, 8] == 0).all()
    assert (sheet[:, 9:, :3] == 0).all()
    assert (sheet[:, 9:, 3] == 255).all()
