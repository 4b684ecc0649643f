"""The figures of a report, against figures computed another way."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

import isthmus.data
from isthmus.errors import DataError, ParameterError, ShapeError
from isthmus.report import Report, evaluate


def rows_of(report: Report) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in report.to_dict()["scores"]["rows"]}


@pytest.fixture(scope="module")
def report(image_model: Any, images: tuple[np.ndarray, ...]) -> Report:
    train, test, labels = images
    return evaluate(image_model, isthmus.data.open(test, labels=labels), baseline_data=train)


def test_image_errors_are_sums_of_squares(report: Report, image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    test = images[1].astype(float)
    squares = ((test - image_model.reconstruct(images[1]).astype(float)) ** 2).sum(axis=(1, 2))
    row = rows_of(report)["model"]
    assert row["error"]["mean"] == pytest.approx(squares.mean())
    assert row["error"]["low"] < squares.mean() < row["error"]["high"]
    assert row["unit_error"]["mean"] == pytest.approx(squares.mean() / 16**2)  # these digits have 16 levels
    assert row["psnr"]["mean"] == pytest.approx(np.mean(10 * np.log10(16**2 / (squares / 64))))
    assert row["code_size"] == 8


def test_pca_is_that_of_scikit_learn_rounded_and_clipped(report: Report, images: tuple[np.ndarray, ...]) -> None:
    train, test = (part.reshape(len(part), -1).astype(float) for part in images[:2])
    pca = PCA(8).fit(train)
    given = np.clip(np.rint(pca.inverse_transform(pca.transform(test))), 0, 255)
    expected = ((test - given) ** 2).sum(axis=1).mean()
    assert rows_of(report)["pca"]["error"]["mean"] == pytest.approx(expected, rel=1e-3)
    mean = np.clip(np.rint(train.mean(axis=0)), 0, 255)
    assert rows_of(report)["mean"]["error"]["mean"] == pytest.approx(((test - mean) ** 2).sum(axis=1).mean(), rel=1e-3)
    assert rows_of(report)["mean"]["share"]["mean"] == 1.0


def test_the_model_that_is_pca_cannot_be_told_from_it(report: Report) -> None:
    document = report.to_dict()
    assert abs(document["scores"]["difference_to_pca"]["relative"]["mean"]) < 1e-3
    assert document["verdict"] == (
        "On 200 held-out records LinearModel cannot be told from PCA with the same code size (8): "
        "the interval of the difference includes 0."
    )


@pytest.mark.parametrize(("better", "word"), [(True, "lower"), (False, "higher")])
def test_the_verdict_names_the_winner(
    monkeypatch: pytest.MonkeyPatch, image_model: Any, images: tuple[np.ndarray, ...], better: bool, word: str
) -> None:
    train, test, _ = images
    monkeypatch.setattr(
        image_model, "reconstruct", lambda data: data.array if better else 0 * data.array, raising=False
    )
    found = evaluate(image_model, test, baseline_data=train).to_dict()
    assert f"the error of LinearModel is {word} than that of PCA with the same code size (8) by " in found["verdict"]
    assert found["verdict"].endswith("the linear method is better here.") != better


def test_log_likelihood_in_nats_and_bits(report: Report, image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    nats = image_model.score_samples(images[1])
    found = report.to_dict()["scores"]["likelihood"]
    assert found["nats_per_record"]["mean"] == pytest.approx(nats.mean())
    assert found["bits_per_dimension"]["mean"] == pytest.approx(-nats.mean() / 64 / math.log(2))


def test_worst_records_and_their_numbers(report: Report, image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    squares = ((images[1].astype(float) - image_model.reconstruct(images[1]).astype(float)) ** 2).sum(axis=(1, 2))
    worst = report.to_dict()["worst"]
    assert [record["index"] for record in worst] == np.argsort(-squares, kind="stable")[:10].tolist()
    assert worst[0]["error"] == squares.max()
    assert worst[0]["label"] == images[2][worst[0]["index"]]
    assert "pca_error" in worst[0]


def test_codes_are_described(report: Report, image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    codes = report.to_dict()["codes"]
    assert (codes["units"], codes["active"]) == (8, 8)
    np.testing.assert_allclose(codes["variance"], image_model.transform(images[1]).var(axis=0), rtol=1e-5)
    assert codes["rule"] == "variance above 1 % of the largest"


def test_activity_is_measured_against_the_prior_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, image_model: Any, images: tuple[np.ndarray, ...]
) -> None:
    history = [record | {"train_kl": 1.0} for record in image_model.history_]
    monkeypatch.setattr(image_model, "history_", history)
    monkeypatch.setattr(
        image_model, "transform", lambda data: np.outer(np.arange(len(data)) % 2, [1.0, 0.1]), raising=False
    )
    monkeypatch.setattr(image_model, "reconstruct", lambda data: data.array, raising=False)
    codes = evaluate(image_model, images[1], baseline_data=images[0]).to_dict()["codes"]
    assert (codes["rule"], codes["threshold"], codes["active"]) == ("variance above 0.01", 0.01, 1)


def test_without_training_records_the_baselines_never_see_what_they_give_back(
    image_model: Any, images: tuple[np.ndarray, ...]
) -> None:
    apart = evaluate(image_model, images[1])
    own = evaluate(image_model, images[1], baseline_data=images[1])  # fitted on the very records: too good
    assert rows_of(apart)["pca"]["error"]["mean"] > rows_of(own)["pca"]["error"]["mean"]
    assert apart.to_dict()["data"]["n_baseline"] is None
    assert apart.to_dict()["data"]["notes"] == [
        "The baselines were fitted without training records: each of 5 parts of these records was given back by "
        "baselines fitted on the others."
    ]


def test_more_records_than_n_are_chosen_by_the_seed(image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    first = evaluate(image_model, images[1], n=30, random_state=1).to_dict()
    again = evaluate(image_model, images[1], n=30, random_state=1).to_dict()
    other = evaluate(image_model, images[1], n=30, random_state=2).to_dict()
    assert (first["data"]["n"], first["data"]["n_scored"]) == (200, 30)
    assert first["scores"] == again["scores"]
    assert first["scores"] != other["scores"]
    assert max(record["index"] for record in first["worst"]) > 30  # numbers are those of the data that were given


def test_global_generators_are_left_alone(image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is what is watched
    evaluate(image_model, images[1], n=30)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_perfect_model(monkeypatch: pytest.MonkeyPatch, image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    monkeypatch.setattr(image_model, "reconstruct", lambda data: data.array, raising=False)
    report = evaluate(image_model, images[1], baseline_data=images[0])
    row = rows_of(report)["model"]
    assert row["error"]["mean"] == 0.0
    assert row["psnr"] is None
    assert row["ssim"]["mean"] == pytest.approx(1.0)
    assert report.to_dict()["worst"] == []
    expected = "200 of the reconstructions by LinearModel are exact; their infinite PSNR is left out of the mean."
    assert expected in report.to_dict()["data"]["notes"]
    assert "Every record came back exactly." in report.to_html()


def test_the_peak_of_16_bit_images_is_that_of_the_type(linear_model: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 65536, (40, 8, 9), dtype=np.uint16)
    model = linear_model(latent_dim=2).fit(images)
    squares = ((images.astype(float) - model.reconstruct(images).astype(float)) ** 2).mean(axis=(1, 2))
    row = rows_of(evaluate(model, images))["model"]
    assert row["psnr"]["mean"] == pytest.approx(np.mean(10 * np.log10(65535**2 / squares)))


def test_columns_of_one_quantity_keep_their_unit(linear_model: Callable[..., Any], blobs: np.ndarray) -> None:
    model = linear_model(latent_dim=2).fit(blobs)
    report = evaluate(model, blobs)
    assert report.to_dict()["scores"]["measures"][0]["unit"] == "squared units of the data"
    squares = ((blobs - model.reconstruct(blobs)) ** 2).sum(axis=1)
    assert rows_of(report)["model"]["error"]["mean"] == pytest.approx(squares.mean())


def test_columns_of_several_quantities_are_standardised(linear_model: Callable[..., Any], blobs: np.ndarray) -> None:
    data = blobs * [1, 1, 1, 1, 1, 1000] + 5
    model = linear_model(latent_dim=2).fit(data)
    report = evaluate(model, data, baseline_data=data)
    squares = (data - model.reconstruct(data)) ** 2
    row = rows_of(report)["model"]
    assert row["error"]["mean"] == pytest.approx((squares / data.var(axis=0)).sum(axis=1).mean())
    assert row["raw_error"]["mean"] == pytest.approx(squares.sum(axis=1).mean())
    assert [measure["key"] for measure in report.to_dict()["scores"]["measures"]] == ["error", "raw_error", "share"]
    by_column = [column["model"] for column in report.to_dict()["columns"]]
    np.testing.assert_allclose(by_column, squares.mean(axis=0) / data.var(axis=0))


def test_table_errors_by_hand(monkeypatch: pytest.MonkeyPatch, linear_model: Callable[..., Any]) -> None:
    train = pd.DataFrame(
        {
            "x": [0.0, 2.0, 4.0, 6.0],
            "kind": ["a", "b", "a", "a"],
            "day": pd.to_datetime(["2020-01-01", "2020-01-03", "2020-01-05", "2020-01-07"]),
            "same": [7, 7, 7, 7],
        }
    )
    train = pd.concat([train] * 5, ignore_index=True)
    model = linear_model(latent_dim=1).fit(train)
    test = train.iloc[:2].assign(x=[2.0, np.nan])
    given = test.assign(x=[4.0, 3.0], kind=["b", "b"], day=pd.to_datetime(["2020-01-01", "2020-01-07"]), same=[8, 8])
    monkeypatch.setattr(model, "reconstruct", lambda _: given, raising=False)
    document = evaluate(model, test, baseline_data=train).to_dict()
    x, day = train["x"].var(ddof=0), 5.0  # days squared
    errors = {record["index"]: record["error"] for record in document["worst"]}
    assert errors[0] == pytest.approx(2.0**2 / x + 1.0 + 0.0)  # the constant column is not coded, and does not count
    assert errors[1] == pytest.approx(1.0 + 0.0 + 4.0**2 / day)  # a missing number that came back as one counts 1
    assert [column["name"] for column in document["columns"]] == ["x", "kind", "day"]
    first = next(record for record in document["worst"] if record["index"] == 0)["columns"]
    assert {column["name"]: (column["original"], column["reconstruction"]) for column in first} == {
        "kind": ("a", "b"),
        "x": (2.0, 4.0),
    }


def test_wrong_bytes_of_texts(
    monkeypatch: pytest.MonkeyPatch, linear_model: Callable[..., Any], texts: tuple[list[str], list[str]]
) -> None:
    model = linear_model(latent_dim=2).fit(texts[0])
    monkeypatch.setattr(model, "reconstruct", lambda data: [t.decode()[:-2] for t in data.take(range(len(data)))])
    row = rows_of(evaluate(model, texts[1], baseline_data=texts[0]))["model"]
    removed = [len(text.encode()) - len(text[:-2].encode()) for text in texts[1]]
    assert row["error"]["mean"] == pytest.approx(np.mean(removed))


def test_images_of_different_sizes(monkeypatch: pytest.MonkeyPatch, linear_model: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((9, 12), (20, 8), (7, 7))]
    data = isthmus.data.open(images, sizes="group")
    model = linear_model()
    model.schema_ = data.schema
    model.preprocessor_ = isthmus.preprocessing.for_data(data).fit(data)
    model.code_shape_ = (2, None, None)
    monkeypatch.setattr(model, "transform", lambda _: [np.full((2, i + 1, 1), i) for i in range(3)], raising=False)
    monkeypatch.setattr(model, "reconstruct", lambda _: [image // 2 for image in images], raising=False)
    monkeypatch.delattr(type(model), "score_samples")
    report = evaluate(model, images)
    document = report.to_dict()
    errors = [((image.astype(float) - image // 2) ** 2).sum() for image in images]
    assert rows_of(report)["model"]["error"]["mean"] == pytest.approx(np.mean(errors))
    assert document["model"]["code_size"] == 4
    assert document["scores"]["likelihood"] is None
    assert "No baselines: PCA, k-means and the mean need records of one size." in document["data"]["notes"]
    assert "any × any × 3" in report.to_html()


def test_every_kind_gives_a_whole_report(any_kind: tuple[Any, Any, Any]) -> None:
    model, train, test = any_kind
    report = evaluate(model, test, baseline_data=train, command="isthmus report x")
    document = report.to_dict()
    assert set(document) == {
        "format", "format_number", "created", "isthmus", "verdict", "data", "model", "scores", "columns", "codes",
        "worst", "meaning", "generation", "training", "history", "commands",
    }  # fmt: skip
    assert (document["format"], document["format_number"]) == ("isthmus-report", 1)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["model"]["class"] == "LinearModel"
    assert document["model"]["provenance"]["seconds"] == 12.5
    assert document["commands"] == {"fit": "isthmus fit 'my data.csv' --seed 0", "report": "isthmus report x"}
    assert document["data"]["n"] == len(test)
    if document["data"]["kind"] != "text":  # symbols of texts have no order that a linear code could use
        assert rows_of(report)["model"]["error"]["mean"] <= rows_of(report)["mean"]["error"]["mean"]


def test_a_model_with_the_bare_calls(images: tuple[np.ndarray, ...]) -> None:
    class Bare:
        def transform(self, data: Any) -> np.ndarray:
            return data.array.reshape(len(data), -1)[:, 10:14].astype(np.float32)

        def reconstruct(self, data: Any) -> np.ndarray:
            return data.array // 2

    report = evaluate(Bare(), images[1])
    assert list(rows_of(report)) == ["model"]
    assert report.to_dict()["verdict"].endswith("a record; there is no baseline to set it beside.")
    assert report.to_dict()["commands"] == {"fit": "isthmus.Bare().fit(X)"}
    assert report.to_html()
    assert "Bare" in report.summary()


def test_the_call_that_makes_the_same_model(image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    command = image_model.provenance_.pop("command")
    try:
        found = evaluate(image_model, images[1][:20]).to_dict()["commands"]["fit"]
    finally:
        image_model.provenance_["command"] = command
    assert found == "isthmus.LinearModel(latent_dim=8).fit(X)"


@pytest.mark.long
def test_records_of_the_fit_are_not_called_held_out(
    monkeypatch: pytest.MonkeyPatch, image_model: Any, images: tuple[np.ndarray, ...]
) -> None:
    monkeypatch.setattr(image_model, "fingerprint", lambda data: "ab" * 32 if len(data) == 400 else "", raising=False)
    seen, new = evaluate(image_model, images[0]), evaluate(image_model, images[1])
    assert seen.to_dict()["verdict"].startswith("On 400 records of the fit ")
    assert "400 records of the fit" in seen.summary()
    assert "The model was fitted on these records" in seen.to_html()
    assert new.to_dict()["data"]["held_out"]
    assert "fitted on:" not in new.to_html()


def test_one_record(image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    report = evaluate(image_model, images[1][:1], baseline_data=images[0])
    error = rows_of(report)["model"]["error"]
    assert error["low"] is error["high"] is None
    assert report.to_html()
    assert "NaN" not in json.dumps(report.to_dict())
    alone = evaluate(image_model, images[1][:1])
    assert "No baselines: they need training records, or more than one record." in alone.to_dict()["data"]["notes"]


def test_labels_come_with_the_records_or_beside_them(report: Report, image_model: Any, images: Any) -> None:
    train, test, labels = images
    beside = evaluate(image_model, test, labels, baseline_data=train)
    assert beside.sample.labels is not None
    np.testing.assert_array_equal(beside.sample.labels, report.sample.labels)


def test_a_file_is_read_with_the_types_of_the_fit(
    tmp_path: Path, linear_model: Callable[..., Any], frames: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    train, test = (frame.assign(line=np.arange(len(frame)) % 3) for frame in frames)
    model = linear_model(latent_dim=2).fit(train.astype({"line": "str"}))  # names of lines that look like numbers
    test.to_csv(tmp_path / "rides.csv", index=False)
    columns = evaluate(model, tmp_path / "rides.csv").to_dict()["data"]["columns"]
    assert {column["name"]: column["type"] for column in columns}["line"] == "category"


def test_a_model_that_was_not_fitted_is_refused(images: Any) -> None:
    with pytest.raises(NotFittedError, match="Autoencoder"):
        evaluate(isthmus.Autoencoder(), images[1])


def test_what_is_refused(image_model: Any, images: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(ParameterError, match="evaluate: n must be a whole number of at least 1; it is 0"):
        evaluate(image_model, images[1], n=0)
    with pytest.raises(ShapeError):
        evaluate(image_model, images[1][:, :7])
    with pytest.raises(ShapeError):
        evaluate(image_model, images[1], baseline_data=images[1][:, :7])
    with pytest.raises(DataError):
        evaluate(image_model, images[1][:0])
