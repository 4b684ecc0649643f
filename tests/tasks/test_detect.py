"""Detector: scores against closed forms, p-values that hold, reasons that name what was changed."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from torch import nn

import isthmus
from isthmus import Autoencoder, Detector, data
from isthmus.density import CodeDensity
from isthmus.errors import DataError, ParameterError
from isthmus.tasks import Reason
from isthmus.tasks.detect.isolation import TREES, Forest
from isthmus.tasks.detect.scores import Ellipsoid, Neighbours, Residuals, ScoreDistribution, combined
from isthmus.tasks.foreign import features_of

SMALL = {"max_epochs": 20, "optimizer": "adamw", "network": "dense", "random_state": 0}


def numbers(n: int = 1000, seed: int = 0) -> np.ndarray:
    """Return rows of eight numbers that three others explain."""
    rng = np.random.default_rng(seed)
    weights = np.random.default_rng(99).normal(size=(3, 8))
    return (rng.normal(size=(n, 3)) @ weights + 0.2 * rng.normal(size=(n, 8))).astype(np.float32)


@pytest.fixture(scope="module")
def fitted() -> Detector:
    return Detector(model=Autoencoder(latent_dim=3, **SMALL), random_state=0).fit(numbers())


class Itself(TransformerMixin, BaseEstimator):
    """Gives records as their own codes."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return np.asarray(X, np.float32)


# ------------------------------------------------------------------ scores


def test_density_of_codes_is_that_of_scikit_learn():
    codes = numbers(2000)[:, :3]
    density = CodeDensity.fit(codes, 0, components=4, ridge=1e-3)
    mixture = GaussianMixture(4)
    mixture.weights_, mixture.means_ = density.weights.astype(float), density.means.astype(float)
    factors = density.factors.astype(float)
    mixture.covariances_ = factors @ factors.transpose(0, 2, 1)
    mixture.precisions_cholesky_ = np.linalg.inv(factors).transpose(0, 2, 1)
    assert np.allclose(density.log_prob(codes), mixture.score_samples(codes.astype(float)), rtol=1e-4)


def test_the_middle_of_a_code_is_that_of_its_likeliest_gaussian():
    factors = np.array([[[1, 0], [1, 2]], [[3, 0], [0, 1]]], np.float32)
    density = CodeDensity(np.array([0.5, 0.5], np.float32), np.array([[0, 0], [20, 0]], np.float32), factors)
    codes = np.array([[1, 3], [20, 4], [0, 0]], np.float32)
    middle, distance = density.middles(codes)
    assert middle.tolist() == [[0, 0], [20, 0], [0, 0]]
    assert np.allclose(distance, [2**0.5, 4, 0])  # L^-1 (1, 3) = (1, 1)


def concentrated(X, ridge):
    """Return the Gaussian of the likeliest four fifths of rows, fitted again four times, written out."""
    some = X
    for _ in range(5):
        covariance = np.cov(some.T.astype(float), bias=True) + ridge(some)
        gaussian = multivariate_normal(some.mean(axis=0), covariance)
        likelihood = gaussian.logpdf(X)
        some = X[likelihood >= np.quantile(likelihood, 0.2)]
    return gaussian


def test_distance_with_one_gaussian_is_the_concentrated_mahalanobis_distance():
    X = numbers(60)[:, :2]
    detector = Detector(model=Itself(), calibration=0, random_state=0).fit(X)
    assert detector.method_ == "distance"
    assert len(detector.density_.weights) == 1
    gaussian = concentrated(X, lambda rows: 1e-3 * rows.var(axis=0).mean() * np.eye(2))
    assert np.allclose(detector.score_samples(X), 2 * gaussian.logpdf(X), atol=1e-3)


def test_linear_is_the_concentrated_mahalanobis_distance_of_the_numbers():
    X = numbers(200).astype(float) * [1, 10, 100, 1000, 1, 1, 1, 1]
    gaussian = concentrated(X, lambda rows: 1e-3 * np.diag(X.var(axis=0)))
    expected = np.einsum("nd,de,ne->n", X - gaussian.mean, np.linalg.inv(gaussian.cov), X - gaussian.mean)
    assert np.allclose(Ellipsoid.learn(X).anomaly_score(X), np.log(expected), atol=1e-6)


def test_concentration_does_not_take_outliers_for_usual():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(270, 4)), rng.normal(6, 0.3, size=(30, 4))])
    found = Ellipsoid.learn(X)
    assert np.allclose(found.mean, 0, atol=0.2)
    assert found.anomaly_score(X)[270:].min() > found.anomaly_score(X)[:270].max()


@pytest.mark.parametrize(("n", "d"), [(1000, 7), (90, 13), (5, 2)])
def test_a_forest_is_that_of_scikit_learn(n, d):
    x = np.random.default_rng(0).normal(size=(n, d))
    theirs = IsolationForest(n_estimators=TREES, random_state=3).fit(x.astype(np.float32))
    assert np.allclose(Forest.grow(x, 3).anomaly_score(x), -theirs.score_samples(x.astype(np.float32)), atol=1e-12)


@pytest.mark.long
def test_rows_of_numbers_are_also_compared_by_themselves(fitted, digits):
    assert list(fitted.scorers_) == ["linear", "isolation", "neighbours"]
    assert list(fitted.score_distributions_) == ["reconstruction", "distance", "linear", "isolation", "neighbours"]
    assert Detector(random_state=0).fit(digits[:100]).scorers_ == {}
    wide = np.random.default_rng(0).normal(size=(30, 501)).astype(np.float32)
    assert Detector(model=Autoencoder(latent_dim=2, **SMALL), random_state=0).fit(wide).scorers_ == {}


def test_reconstruction_counts_each_feature_by_its_spread():
    X = numbers()
    model = Autoencoder(latent_dim=3, **SMALL).fit(X[:500])
    records, features = model.encoded(X[500:]), features_of(model)
    x, r = records.scaled, model.reconstructed(records).snapped().scaled
    residuals = Residuals.learn(features, [(x, r)])
    pre = model.preprocessor_
    difference = (X[500:] - model.reconstruct(X[500:])).astype(np.float64) * pre.factor_
    mean = np.square(difference).mean(axis=0)
    expected = np.log((np.square(difference) / (mean + mean.mean())).sum(axis=1))
    assert np.allclose(residuals.anomaly_score(features, x, r), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("as_frame", [False, True])
def test_a_record_is_encoded_once_and_passes_the_encoder_once(monkeypatch, as_frame):
    X = numbers()
    X = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])]) if as_frame else X
    detector = Detector(model=Autoencoder(latent_dim=3, **SMALL), random_state=0).fit(X[:500])
    passes = dict.fromkeys(("encode", "network"), 0)

    def counted(name, function):
        def call(x, *args):
            passes[name] += len(x)
            return function(x, *args)

        return call

    new, pre = X[500:564], detector.model_.preprocessor_
    monkeypatch.setattr(pre, "encode", counted("encode", pre.encode))
    monkeypatch.setattr(detector.model_, "encode", counted("network", detector.model_.encode))
    detector.score_samples(new)
    assert passes == {"encode": 64, "network": 64}
    passes.update(encode=0)
    detector.reasons(new)
    assert passes["encode"] == 64


def test_categories_count_the_surprise_of_being_right_or_wrong():
    class Fake:
        is_class, mask, picture = np.array([True, False, False]), np.array([-1, -1, 0]), None

    residuals = Residuals(np.array([0.1, 4.0, 1.0]))
    x, r = np.array([[0.0, 2.0, 5.0], [1.0, 2.0, 5.0]]), np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    found = residuals.parts(Fake(), x, r)
    assert np.allclose(found[0], [-2 * np.log(0.1), 1.0, 0.0])  # its number is missing: its mask, the first, is 0
    assert np.allclose(found[1], [-2 * np.log(0.9), 1.0, 25.0])


def test_combination_by_hand():
    usual = {way: ScoreDistribution(np.linspace(0, 8, 33), 2.0) for way in ("distance", "neighbours")}
    half, tail = -np.log(0.5), -np.log(0.2)
    found = combined(usual, {"distance": np.array([5.0, -50.0, 12.0]), "neighbours": np.array([5.0, 5.0, 8.0])})
    assert np.allclose(found, [np.sqrt(5) * half, 2 * half, np.hypot(tail + 2, 2 * tail)])


def test_surprise_is_minus_the_log_of_the_share_that_is_as_odd():
    oddness = np.random.default_rng(0).exponential(3.0, 100_000) + 7
    learned = ScoreDistribution.learn(oddness)
    x = np.array([7.5, 8.0, 10.0, 16.0, 40.0])
    assert np.allclose(learned.surprisal(x), (x - 7) / 3, rtol=0.03)  # an exponential law's own
    assert np.isfinite(ScoreDistribution.learn(np.ones(5)).surprisal(np.array([0.0, 1.0, 2.0]))).all()


def test_neighbours_are_those_of_scikit_learn():
    x, new = (np.random.default_rng(seed).normal(size=(400, 6)) for seed in (0, 1))
    theirs = NearestNeighbors(n_neighbors=20).fit(x).kneighbors(new)[0][:, -1]
    assert np.allclose(Neighbours.learn(x, 0).anomaly_score(new), np.log(theirs), atol=1e-5)
    assert np.isfinite(Neighbours.learn(x[:3], 0).anomaly_score(x)).all()


@pytest.mark.parametrize("method", ["combined", "reconstruction", "distance", "likelihood"])
def test_every_method_finds_broken_relations(method, fitted):
    rng = np.random.default_rng(1)
    usual, odd = numbers(300, seed=1), numbers(300, seed=2)
    odd = np.stack([rng.permutation(column) for column in odd.T], axis=1) * (3 if method == "distance" else 1)
    detector = Detector(model=fitted.model_, method=method, random_state=0).fit(numbers())
    scores = detector.score_samples(np.concatenate([usual, odd]))
    assert roc_auc_score(np.arange(600) < 300, scores) > 0.85


def test_the_default_finds_outliers_among_the_records_it_learns_from():
    rng = np.random.default_rng(0)
    odd = np.stack([rng.permutation(column) for column in numbers(50, seed=2).T], axis=1)
    X = np.concatenate([numbers(950), odd])
    detector = Detector(contamination=0.05, random_state=0)
    found = detector.fit_predict(X)
    assert (found == -1).sum() == 50
    assert roc_auc_score(np.arange(1000) < 950, detector.score_samples(X)) > 0.9


def test_one_class_of_pictures(digits, digit_labels):
    detector = Detector(random_state=0).fit(digits[digit_labels == 0][:150])
    rest = np.concatenate([digits[digit_labels == 0][150:], digits[digit_labels != 0][:500]])
    usual = np.arange(len(rest)) < (digit_labels == 0).sum() - 150
    assert roc_auc_score(usual, detector.score_samples(rest)) > 0.98


def test_a_row_does_not_depend_on_the_others(fitted):
    X = numbers(100, seed=3)
    whole = fitted.score_samples(X)
    assert np.allclose(fitted.score_samples(X[40:41]), whole[40:41], rtol=1e-5)
    assert np.array_equal(fitted.score_samples(X[::-1]), whole[::-1])


# ------------------------------------------------------------------ p-values and thresholds


def test_false_alarms_come_as_often_as_said():
    detector = Detector(model=Autoencoder(latent_dim=3, **SMALL), calibration=0.5, random_state=0).fit(numbers(4000))
    p = detector.p_values(numbers(20_000, seed=5))
    for level in (0.01, 0.05, 0.1, 0.5):
        error = np.sqrt(level * (1 - level) * (1 / 20_000 + 1 / 2000))
        assert abs((p <= level).mean() - level) < 4 * error + 1 / 2001
    assert p.min() >= 1 / 2001


def test_p_values_by_hand(fitted):
    X = numbers(50, seed=6)
    calibration, scores = fitted.calibration_scores_, fitted.score_samples(X)
    assert len(calibration) == 200
    expected = [(1 + (calibration <= score).sum()) / 201 for score in scores]
    assert np.array_equal(fitted.p_values(X), expected)
    assert np.array_equal(fitted.predict(X) == -1, fitted.p_values(X) <= 0.01)


def test_contamination_is_the_share_predicted():
    X = numbers(400)
    detector = Detector(model=Autoencoder(latent_dim=3, **SMALL), contamination=0.1, random_state=0).fit(X)
    assert (detector.predict(X) == -1).sum() == 40
    assert np.allclose(detector.decision_function(X), detector.score_samples(X) - detector.offset_)


def test_a_fitted_model_on_other_records_keeps_some_of_them_back():
    model = Autoencoder(latent_dim=3, **SMALL).fit(numbers())
    detector = Detector(model=model, random_state=0).fit(numbers(500, seed=7))
    assert detector.model_ is model
    assert len(detector.calibration_scores_) == 100
    assert detector.notes_ == []


@pytest.mark.long
def test_a_fitted_model_on_its_own_records_uses_those_it_held_out():
    X = numbers()
    model = Autoencoder(latent_dim=3, **SMALL).fit(X)
    detector = Detector(model=model, random_state=0).fit(X)
    assert len(detector.calibration_scores_) == 50
    assert "half of the 100 that it held out" in detector.notes_[0]
    assert "about one of 51 usual records is taken for an outlier, and no p-value is below 1/51" in detector.notes_[1]
    everything = Autoencoder(latent_dim=3, **SMALL).fit(X, validation=0)
    with pytest.raises(DataError, match="p-values need records that the model has not learned from"):
        Detector(model=everything, random_state=0).fit(X).p_values(X)


# ------------------------------------------------------------------ reasons


def people(n: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, n)
    return pd.DataFrame(
        {
            "id": [f"p{i:04d}" for i in range(n)],
            "age": age,
            "income": np.round(age * 900.0 + rng.normal(0, 900, n), 2),
            "city": np.where(age < 40, "Bern", np.where(age < 60, "Oslo", "Rome")),
        }
    )


@pytest.fixture(scope="module")
def of_people() -> Detector:
    return Detector(model=isthmus.Autoencoder(latent_dim=2, **SMALL), random_state=0).fit(people())


def test_reasons_name_the_cells_that_were_changed(of_people):
    rows = people().iloc[:3].copy()
    rows.loc[0, "income"] = 250_000.0
    first, second, _ = of_people.reasons(rows)
    assert first[0].name == "income"
    assert first[0].value == 250_000.0
    assert abs(first[0].expected - rows.loc[0, "age"] * 900) < 15_000
    assert 1 <= len(second) <= 3
    assert all(reason.value != reason.expected for reason in (*first, *second))
    assert 0.9 < sum(reason.share for reason in first) <= 1 + 1e-9
    assert of_people.predict(rows)[0] == -1


def test_reasons_name_a_category_that_contradicts_the_numbers(of_people):
    rows = people().iloc[:3].copy()
    rows.loc[1, "city"] = "Bern"  # at 57
    assert str(of_people.reasons(rows)[1][0]) == "city Bern (expected Oslo)"


def test_an_empty_cell_where_there_were_none_is_no_error(of_people):
    rows = people().iloc[:2].copy()
    rows.loc[0, "income"] = np.nan
    assert np.isfinite(of_people.score_samples(rows)).all()


@pytest.mark.long
def test_reasons_of_pictures_are_pixels(digits):
    detector = Detector(model=Autoencoder(latent_dim=8, **SMALL), random_state=0).fit(digits)
    picture = digits[:1].copy()
    picture[0, 0, 7] = 16
    (reasons,) = detector.reasons(picture, k=1)
    assert (reasons[0].name, reasons[0].value) == ("pixel (0, 7)", 16)
    colour = np.random.default_rng(0).integers(0, 256, (60, 6, 5, 3), dtype=np.uint8)
    detector = Detector(model=Autoencoder(latent_dim=2, max_epochs=1, random_state=0)).fit(colour)
    odd = colour[:1].copy()
    odd[0, 2, 3, 1] = 255 - odd[0, 2, 3, 1]
    found = detector.reasons(odd, k=90)[0]
    assert {reason.name for reason in found} >= {"pixel (2, 3) channel 1", "pixel (5, 4) channel 2"}
    assert {r.name: r.value for r in found}["pixel (2, 3) channel 1"] == odd[0, 2, 3, 1]


def test_one_wild_number_is_found_among_those_it_leads_astray(fitted):
    X = numbers(50, seed=8)
    X[np.arange(50), np.arange(50) % 8] += 8
    found = [reasons[0] for reasons in fitted.reasons(X, k=1)]
    assert np.mean([reason.name == f"column {i % 8}" for i, reason in enumerate(found)]) > 0.9
    assert np.mean([abs(reason.expected) < abs(reason.value) for reason in found]) > 0.8


def test_expected_values_are_those_of_a_usual_code():
    detector = Detector(model=PCA(3), random_state=0).fit(numbers())
    far = numbers(20, seed=8) * 6  # relations hold, the code is out of the ordinary
    reasons = detector.reasons(far, k=8)
    assert np.mean([abs(reason.expected) < abs(reason.value) for row in reasons for reason in row]) > 0.9


# ------------------------------------------------------------------ models, kinds and files


class Narrow(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, outputs))

    def forward(self, x):
        return self.layers(x)


def test_networks_of_the_users_own():
    torch.manual_seed(0)
    model = Autoencoder(network=(Narrow(8, 3), Narrow(3, 8)), max_epochs=10, random_state=0)
    detector = Detector(model=model, random_state=0).fit(numbers())
    assert detector.p_values(numbers(10, seed=1)).shape == (10,)
    assert len(detector.reasons(numbers(2))) == 2


def test_a_transformer_of_another_library():
    detector = Detector(model=PCA(3), random_state=0).fit(numbers())
    odd = np.random.default_rng(1).normal(size=(200, 8)).astype(np.float32) * 2
    usual = numbers(200, seed=1)
    assert detector.method_ == "combined"
    assert roc_auc_score(np.arange(400) < 200, detector.score_samples(np.concatenate([usual, odd]))) > 0.95
    assert detector.reasons(odd, k=2)[0][0].name.startswith("column ")
    with pytest.raises(ParameterError, match="only models of isthmus can be saved"):
        detector.save("nowhere.safetensors")


@pytest.mark.parametrize("name", ["VAE", "LadderVAE", "VQVAE"])
def test_other_models(name):
    detector = Detector(model=getattr(isthmus, name)(latent_dim=4, max_epochs=2, random_state=0), random_state=0)
    assert np.isfinite(detector.fit(numbers(200)).score_samples(numbers(20))).all()


def test_text():
    texts = [f"the {word} is red" for word in ("sun", "sea", "dog", "cat", "sky")] * 20
    detector = Detector(model=Autoencoder(latent_dim=4, max_epochs=5, random_state=0), random_state=0).fit(texts)
    assert np.isfinite(detector.score_samples(["the sun is red", "XXXXXXXX"])).all()
    assert detector.reasons(["the sun is rXd"], k=1)[0][0].name.startswith("character ")


def test_a_file_gives_p_values_and_reasons_back(of_people, tmp_path):
    of_people.save(tmp_path / "detector.safetensors")
    again = isthmus.load(tmp_path / "detector.safetensors")
    assert np.array_equal(again.p_values(people()), of_people.p_values(people()))
    assert again.reasons(people()[:5]) == of_people.reasons(people()[:5])


@pytest.mark.long
def test_a_second_fit_forgets_the_first(fitted):
    detector = Detector(model=Autoencoder(latent_dim=2, **SMALL), random_state=0).fit(numbers())
    assert detector.fit(numbers()[:, :5]).score_samples(numbers(3)[:, :5]).shape == (3,)


# ------------------------------------------------------------------ what is refused


class KMeansWithoutCodes(BaseEstimator):
    """Has nothing that gives codes."""


class Bad(Itself):
    wrong: ClassVar[float] = np.nan

    def transform(self, X):
        codes = np.array(X, np.float32)
        codes[1, 0] = self.wrong
        return codes


def test_parameters():
    X = numbers(50)
    for parameters, sentence in (
        ({"method": "isolation"}, "Detector: method must be one of 'auto', 'combined'"),
        ({"contamination": 0.6}, "Detector: contamination must be a number above 0 and at most 0.5; it is 0.6"),
        ({"contamination": "few"}, "Detector: contamination must be 'auto' or a number above 0"),
        ({"calibration": 1.0}, "Detector: calibration must be a number of at least 0 and below 1; it is 1.0"),
    ):
        with pytest.raises(ParameterError, match=sentence):
            Detector(**parameters).fit(X)


def test_models_that_cannot():
    X = numbers(50)
    with pytest.raises(ParameterError, match=r"Detector: the model must have the method transform\(\)"):
        Detector(model=KMeansWithoutCodes()).fit(X)
    with pytest.raises(ParameterError, match=r"the method reconstruct\(\), which Itself does not have"):
        Detector(model=Itself(), method="combined").fit(X)
    with pytest.raises(ParameterError, match=r"the method score_samples\(\), which Itself does not have"):
        Detector(model=Itself(), method="likelihood").fit(X)
    with pytest.raises(ParameterError, match=r"reasons: the model must have the method inverse_transform\(\)"):
        Detector(model=Itself()).fit(X).reasons(X)
    with pytest.raises(DataError, match="Detector: the model's codes must be finite numbers; that of record 1 is not"):
        Detector(model=Bad(), calibration=0).fit(X)


def test_pictures_of_several_sizes():
    pictures = data.open([np.zeros((8 + 8 * (i % 2), 8), np.uint8) for i in range(8)], sizes="group")
    with pytest.raises(ParameterError, match="pictures of several sizes have codes of several sizes"):
        Detector(model=Autoencoder(latent_dim=2, max_epochs=1)).fit(pictures)


def test_columns_are_found_by_name_and_a_lost_one_is_named(of_people):
    rows = people()[:20]
    other = rows[["city", "income", "id", "age"]]
    assert np.array_equal(of_people.score_samples(other), of_people.score_samples(rows))
    assert of_people.reasons(other) == of_people.reasons(rows)
    with pytest.raises(DataError, match="now missing:\n- income"):
        of_people.score_samples(rows.drop(columns="income"))


def test_a_reason_says_two_different_values() -> None:
    assert str(Reason("x", 12.34, 12.3408, 1.0)) == "x 12.34 (expected 12.341)"
    assert not Reason("x", 0.1, float(np.float32(0.1)), 1.0).says_something
    assert not Reason("x", "a", "a", 1.0).says_something
    assert not Reason("x", 3, 3.0, 1.0).says_something
    assert Reason("x", None, 3.0, 1.0).says_something
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(200, 4)), 1)
    for reasons in Detector(random_state=0).fit(X).reasons(X[:40]):
        for reason in reasons:
            value, expected = str(reason).removeprefix(f"{reason.name} ").removesuffix(")").split(" (expected ")
            assert value != expected
