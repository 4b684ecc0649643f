"""New records in a report: whether they are copies, what lies between them, what units do, columns beside real ones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import isthmus
import isthmus.data
from isthmus import metrics
from isthmus.errors import ParameterError
from isthmus.report import evaluate

Images = tuple[np.ndarray, ...]


def nearest(queries: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distances = np.linalg.norm(queries[:, None] - references[None], axis=2)
    return distances.min(axis=1), distances.argmin(axis=1)


@pytest.fixture
def shuffled(digits: np.ndarray) -> Images:
    """Digits for fitting, for scoring, and others: neighbours in the set are by one hand, and so alike."""
    order = np.random.default_rng(0).permutation(len(digits))
    return digits[order[:400]], digits[order[400:600]], digits[order[600:1000]]


def pictures_on(html: str) -> set[str]:
    return set(re.findall(r'aria-label="(\w+)"', html))


def test_records_of_the_fit_are_named_copies(drawing_model: Callable[..., Any], shuffled: Images) -> None:
    train, test, _ = shuffled
    drawing = drawing_model(latent_dim=8).fit(train)
    drawing.given = train[::-1]
    report = evaluate(drawing, test, baseline_data=train)
    found = report.to_dict()["generation"]["nearest"]
    assert (found["among"], found["n"], found["copies"]) == ("training records", 400, True)
    assert (found["identical"], found["held_out_identical"], found["distance"]) == (1.0, 0.0, 0.0)
    assert found["ratio"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert found["sentence"] == (
        "They are copies: 100 % of new records are identical to one trained on, which 0.0 % of those held out are: the "
        "model copies training records. Get more records, a smaller network, or stop earlier; do "
        "not publish such samples of private data. On average they are 0.00 times as far from the nearest record "
        "trained on as held-out records are (95 % interval 0.00 to 0.00)."
    )
    for new, neighbour, caption in report.made.new:  # type: ignore[union-attr]
        np.testing.assert_array_equal(new, neighbour)
        assert caption == "0"
    np.testing.assert_array_equal(report.made.new[3][0], train[-4])  # type: ignore[union-attr]
    assert "<mark>They are copies: " in report.to_html()
    assert "New records: They are copies: 100 %" in report.summary()


def test_records_of_the_fit_with_a_little_noise_are_named_copies(blobs: np.ndarray, drawing_model: Any) -> None:
    train, test = blobs[:100], blobs[100:]
    drawing = drawing_model(latent_dim=2).fit(train)
    drawing.given = np.repeat(train, 4, axis=0) + 1e-3 * np.random.default_rng(0).normal(size=(400, 6))
    found = evaluate(drawing, test, baseline_data=train).to_dict()["generation"]["nearest"]
    assert (found["identical"], found["copies"]) == (0.0, True)
    assert found["share_nearer"] > 0.9
    assert found["sentence"].startswith(
        f"They are copies: {100 * found['share_nearer']:.0f} % of new records are nearer to one trained on than to any "
        "held out, where 50 % would be by chance: the model copies training records."
    )
    assert "do not publish such samples of private data. On average they are 0.0" in found["sentence"]


def test_real_records_that_nobody_saw_are_no_copies(drawing_model: Callable[..., Any], shuffled: Images) -> None:
    train, test, others = shuffled
    drawing = drawing_model(latent_dim=8).fit(train)
    drawing.given = others
    report = evaluate(drawing, test, baseline_data=train)
    found = report.to_dict()["generation"]["nearest"]
    new, seen, unseen = (drawing.encoded(block).one_hot for block in (drawing.given, train, test))
    distances, indices = nearest(new, seen)
    assert found["distance"] == pytest.approx(distances.mean())
    assert found["ratio"]["mean"] == pytest.approx(distances.mean() / nearest(unseen, seen)[0].mean())
    assert found["copies"] is False
    assert found["by_chance"] == 400 / 600
    assert found["share_nearer"] == pytest.approx(found["by_chance"], abs=0.1)
    assert found["sentence"] == (
        f"They are no copies: {100 * found['share_nearer']:.0f} % of new records are nearer to one trained on than to "
        f"any held out, and 67 % would be by chance. On average they are "
        f"{found['ratio']['mean']:.2f} times as far from the nearest record trained on as held-out records are "
        f"(95 % interval {found['ratio']['low']:.2f} to {found['ratio']['high']:.2f})."
    )
    assert [shown["distance"] for shown in found["closest"]] == pytest.approx(np.sort(distances)[:10])
    made: Any = report.made
    np.testing.assert_array_equal(made.new[0][1], train[indices[0]])
    np.testing.assert_array_equal(made.closest[0][0], drawing.given[distances.argmin()])
    np.testing.assert_allclose(made.distances["held-out records"], nearest(unseen, seen)[0])


def test_without_records_of_the_fit_the_nearest_are_held_out_ones(drawing: Any, images: Images) -> None:
    report = evaluate(drawing, images[1])
    found = report.to_dict()["generation"]["nearest"]
    assert (found["among"], found["n"], found["copies"]) == ("held-out records", 200, None)
    assert found["sentence"] == (
        "Whether they are copies cannot be said: the records trained on are not at hand, so the nearest held-out ones "
        "are shown."
    )
    assert "distances" not in report.figures()
    assert [tick.get_text() for tick in report.figures()["new"].axes[0].get_yticklabels()] == [
        "new", "nearest\nheld-out",
    ]  # fmt: skip


def test_records_of_another_kind_say_nothing_of_copies(drawing: Any, images: Images) -> None:
    train, test, _ = images  # by other hands than those of the fit
    found = evaluate(drawing, test, baseline_data=train).to_dict()["generation"]["nearest"]
    assert found["copies"] is None
    assert found["sentence"] == (
        "Whether they are copies cannot be said: the records are unlike those of the fit, so new ones are farther from "
        "them in any case."
    )


def test_one_record_over_and_over_says_nothing_of_copies(drawing_model: Callable[..., Any], shuffled: Images) -> None:
    train, test, _ = shuffled
    drawing = drawing_model(latent_dim=8).fit(train)
    drawing.given = np.repeat(np.rint(train.mean(axis=0)).astype(np.uint8)[None], 400, axis=0)
    found = evaluate(drawing, test, baseline_data=train).to_dict()["generation"]["nearest"]
    assert found["copies"] is None
    assert found["sentence"] == (
        "Whether they are copies cannot be said: new records are of a few kinds, which are near or far by chance."
    )


def test_too_few_records_say_nothing_of_copies(drawing: Any, images: Images) -> None:
    found = evaluate(drawing, images[1][:10], baseline_data=images[0]).to_dict()["generation"]["nearest"]
    assert found["copies"] is None
    assert found["sentence"] == (
        "Whether they are copies cannot be said: it needs records of the fit and others."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("has_prior", "sentence"),
    [
        (True, "DrawingModel draws the codes of new records from its own prior."),
        (
            False,
            "DrawingModel has no prior of codes: those of new records are drawn from a mixture of Gaussians that was "
            "fitted, after training, to codes of records that it was trained on.",
        ),
    ],
)
def test_where_new_records_come_from(drawing: Any, images: Images, has_prior: bool, sentence: str) -> None:
    drawing.has_prior = has_prior
    report = evaluate(drawing, images[1])
    assert report.to_dict()["generation"]["how"] == sentence
    assert report.to_dict()["generation"]["between"]["path"] == ("spherical" if has_prior else "linear")
    assert sentence in report.to_html()


def test_ways_between_records(drawing: Any, images: Images) -> None:
    drawing.has_prior = False
    report = evaluate(drawing, images[1], baseline_data=images[0])
    found, made = report.to_dict()["generation"]["between"], report.made
    assert (found["steps"], len(found["pairs"]), len({*(p["from"] for p in found["pairs"])})) == (9, 4, 4)
    one, other = images[1][found["pairs"][0]["from"]], images[1][found["pairs"][0]["to"]]
    row = made.between[0]  # type: ignore[union-attr]
    np.testing.assert_array_equal(row[0], one)
    np.testing.assert_array_equal(row[-1], other)
    np.testing.assert_array_equal(row[1], drawing.reconstruct(one[None])[0])
    middle = drawing.transform(np.stack([one, other])).mean(axis=0, keepdims=True)
    np.testing.assert_array_equal(row[5], drawing.inverse_transform(middle)[0])
    captions = [tick.get_text() for tick in report.figures()["between"].axes[0].get_xticklabels()]
    assert captions == ["record", "0 %", "12 %", "25 %", "38 %", "50 %", "62 %", "75 %", "88 %", "100 %", "record"]


def test_units_that_vary_most_are_moved(drawing: Any, images: Images) -> None:
    report = evaluate(drawing, images[1], baseline_data=images[0])
    found = report.to_dict()["generation"]["units"]
    codes = drawing.transform(images[1])
    assert [moved["unit"] for moved in found["units"]] == np.argsort(-codes.std(axis=0))[:6].tolist()
    assert found["record"] == np.square(codes - codes.mean(axis=0)).sum(axis=1).argmin()
    changed = codes[found["record"]][None].copy()
    unit = found["units"][0]["unit"]
    changed[0, unit] = codes[:, unit].mean() - 2.5 * codes[:, unit].std()
    np.testing.assert_array_equal(report.made.moved[0][0], drawing.inverse_transform(changed)[0])  # type: ignore[union-attr]
    axes = report.figures()["moved"].axes[0]
    assert axes.get_yticklabels()[0].get_text() == f"unit {unit}"
    assert [tick.get_text()[:4] for tick in axes.get_xticklabels()][::4] == ["−2.5", "mean", "+2.5"]  # noqa: RUF001


def test_codes_of_numbers_have_no_ways(drawing: Any, images: Images) -> None:
    drawing.code_indices = lambda data: None
    report = evaluate(drawing, images[1])
    found = report.to_dict()["generation"]
    assert found["between"] is found["units"] is None
    assert not {"between", "moved"} & set(report.figures())
    assert found["note"] == (
        "Codes are entries of a codebook, which have no order: there is nothing between two of them, so no paths from "
        "record to record are shown, and no moves of units."
    )
    assert found["note"] in report.to_html()


def test_new_records_can_be_left_out(
    drawing: Any, images: Images, image_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = evaluate(drawing, images[1], samples=False)
    assert report.to_dict()["generation"] is report.made is None
    assert "New records" not in report.to_html()
    assert "New records" not in report.summary()
    assert evaluate(image_model, images[1]).to_dict()["generation"] is None  # it draws nothing
    monkeypatch.setattr(drawing, "has_prior", False, raising=False)
    monkeypatch.setattr("isthmus.report.generation.MAX_CODE", 7)
    assert evaluate(drawing, images[1]).to_dict()["generation"] is None  # a density of wide codes takes long


def test_a_model_that_cannot_draw_says_so(drawing: Any, images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    def sample(*_: Any, **__: Any) -> None:
        raise ParameterError("This model comes from a file without a density of its codes; fit and save it again.")

    monkeypatch.setattr(drawing, "sample", sample, raising=False)
    document = evaluate(drawing, images[1]).to_dict()
    assert document["generation"] is None
    assert (
        "No new records are shown: This model comes from a file without a density of its codes; fit and save it again."
        in document["data"]["notes"]
    )


def test_new_records_follow_from_the_seed(drawing: Any, images: Images) -> None:
    one, same, other = (
        evaluate(drawing, images[1], baseline_data=images[0], random_state=seed).to_dict()["generation"]
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one["nearest"]["distance"] != other["nearest"]["distance"]


def test_columns_beside_real_ones_by_hand(drawing_model: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame(
        {
            "x": rng.integers(0, 3, 60).astype(float),
            "kind": ["a"] * 30 + ["b"] * 30,
            "day": pd.to_datetime(["2020-01-01", "2020-01-31"] * 30),
        }
    )
    model = drawing_model(latent_dim=2).fit(real)
    model.given = real.assign(kind="a", x=np.where(real["x"] == 2, np.nan, real["x"]))
    report = evaluate(model, real)
    found = report.to_dict()["generation"]["columns"]
    columns = {column["name"]: column for column in found["columns"]}
    assert found["columns"][0]["name"] == "kind"  # the worst comes first
    assert columns["kind"] | {"score": 0.5} == columns["kind"]
    assert (columns["kind"]["values"], columns["kind"]["real"], columns["kind"]["new"]) == (
        ["a", "b"], [0.5, 0.5], [1.0, 0.0],
    )  # fmt: skip
    assert columns["x"]["edges"] == [-0.5, 0.5, 1.5, 2.5]
    assert columns["x"]["real"] == pytest.approx([(real["x"] == value).mean() for value in range(3)])
    assert columns["x"]["new"][2] == 0.0
    assert columns["x"]["missing_new"] == pytest.approx((real["x"] == 2).mean())
    assert columns["day"]["ends"] == ["2020-01-01", "2020-01-31"]
    assert columns["day"]["score"] == 1.0
    real_table, new_table = (pa.Table.from_pandas(frame) for frame in (real, model.given))
    assert found["shapes"]["score"] == pytest.approx(metrics.column_shapes(real_table, new_table).score)
    assert found["pairs"]["score"] == pytest.approx(metrics.pair_trends(real_table, new_table).score)
    assert found["halves"] is True
    halves = metrics.real_baseline(metrics.pair_trends, real_table)
    assert found["pairs"]["real"] == pytest.approx(halves.score)
    beside = evaluate(model, real, baseline_data=real.iloc[:50]).to_dict()["generation"]["columns"]
    fifty = pa.Table.from_pandas(real.iloc[:50])
    assert (beside["halves"], beside["shapes"]["real"]) == (False, metrics.column_shapes(real_table, fifty).score)
    titles = [axes.get_title(loc="left") for axes in report.figures()["marginals"].axes]
    assert titles[0] == "kind, 0.50"
    assert "day, 1.00" in titles


def test_rows_of_tables_beside_their_nearest(drawing_model: Callable[..., Any], frames: Any) -> None:
    train, test = frames
    model = drawing_model(latent_dim=3).fit(train)
    model.given = train.iloc[::-1].reset_index(drop=True)
    report = evaluate(model, test, baseline_data=train)
    found = report.to_dict()["generation"]
    first = found["nearest"]["new"][0]
    assert first["columns"] == ["age", "income <k$>", "city", "member", "born", "_n_"]  # without id and constant
    assert first["new"] == first["nearest"]
    assert first["distance"] == 0.0
    assert first["new"][2] == train["city"].iloc[-1]
    assert len(found["between"]["pairs"][0]["rows"]) == 5
    moved = found["units"]["units"][0]
    assert all(column["low"] != column["high"] for column in moved["columns"])
    assert 1 <= len(moved["columns"]) <= 4
    html = report.to_html()
    assert "Real and new columns" in html
    assert "00:00:00" not in html


def test_many_columns_are_not_compared(drawing_model: Callable[..., Any]) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 41))
    assert evaluate(drawing_model().fit(rows), rows).to_dict()["generation"]["columns"] is None
    found = evaluate(drawing_model().fit(rows[:, :40]), rows[:, :40]).to_dict()["generation"]["columns"]
    assert len(found["columns"]) == 12


@pytest.fixture(params=["image", "array", "table", "text"])
def any_drawing(request: pytest.FixtureRequest, drawing_model: Callable[..., Any]) -> tuple[Any, Any, Any]:
    """Return a stand-in that draws, its training records and held-out ones, of each kind of data."""
    if request.param == "image":
        train, test, _ = request.getfixturevalue("images")
    elif request.param == "array":
        train, test = np.split(request.getfixturevalue("blobs"), [150])
    else:
        train, test = request.getfixturevalue("frames" if request.param == "table" else "texts")
    return drawing_model(latent_dim=3).fit(train), train, test


def test_every_kind_is_drawn(any_drawing: tuple[Any, Any, Any]) -> None:
    model, train, test = any_drawing
    report = evaluate(model, test, baseline_data=train)
    document = report.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    found, kind = document["generation"], document["data"]["kind"]
    assert (found["nearest"] is None) == (kind == "text")
    assert (found["columns"] is not None) == (kind in ("array", "table"))
    assert found["units"]["units"]
    assert found["between"]["pairs"]
    expected = {
        "image": {"new", "closest", "distances", "between", "moved"},
        "array": {"distances", "marginals"},
        "table": {"distances", "marginals"},
        "text": set(),
    }[kind]
    html = report.to_html()
    assert {"new", "closest", "distances", "between", "moved", "marginals"} & pictures_on(html) == expected
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert not re.search(r"https?:|//[a-z]|@import|@font-face", html.replace("data:image/png;base64", ""))
    for heading in ("New records", "From one record to another", "One unit of the code at a time"):
        assert f"{heading}</h" in html


def test_texts_are_shown_as_they_are(drawing_model: Callable[..., Any], texts: tuple[list[str], list[str]]) -> None:
    model = drawing_model(latent_dim=3).fit(texts[0])
    model.given = [f"<i>new {number}" for number in range(10)]
    report = evaluate(model, texts[1])
    assert report.to_dict()["generation"]["texts"][:2] == ["<i>new 0", "<i>new 1"]
    assert "&lt;i&gt;new 9" in report.to_html()


@pytest.mark.long
def test_large_pictures_stay_small_on_the_page(drawing_model: Callable[..., Any]) -> None:
    photographs = np.random.default_rng(0).integers(0, 256, (8, 130, 160, 3), dtype=np.uint8)
    model = drawing_model(latent_dim=6).fit(photographs)
    report = evaluate(model, photographs)
    assert report.to_dict()["generation"]["n"] == 320  # as many as 20 million numbers allow
    without = evaluate(model, photographs, samples=False)
    assert len(report.to_html().encode()) - len(without.to_html().encode()) < 2_000_000


@pytest.mark.long
@pytest.mark.parametrize("name", ["Autoencoder", "VAE", "ConditionalVAE", "LadderVAE", "VQVAE", "GAN", "VAEGAN"])
def test_models_of_every_family(name: str, digits: np.ndarray, digit_labels: np.ndarray) -> None:
    train = isthmus.data.open(digits[:300], labels=digit_labels[:300])
    model = getattr(isthmus, name)(latent_dim=4, max_epochs=1, random_state=0).fit(train)
    report = evaluate(model, digits[300:400], baseline_data=train)
    document, pictures = report.to_dict(), pictures_on(report.to_html())
    assert document["generation"]["has_prior"] == (name != "Autoencoder")
    assert {"new", "closest", "distances", "loss"} <= pictures
    assert ({"between", "moved"} <= pictures) == (name != "VQVAE")
    assert ("entries" in pictures) == (name == "VQVAE")
    assert ("kl" in pictures) == (name in ("VAE", "ConditionalVAE", "VAEGAN"))
    assert ("levels" in pictures) == (name == "LadderVAE")
    assert document["training"]["game"] == (name in ("GAN", "VAEGAN"))


def test_a_mixed_table_of_a_variational_model(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    model = isthmus.VAE(prior="normal", max_epochs=1, random_state=0).fit(frames[0])
    report = evaluate(model, frames[1], baseline_data=frames[0])
    assert report.to_dict()["generation"]["n"] == 2000
    assert {"kl", "marginals"} <= pictures_on(report.to_html())
