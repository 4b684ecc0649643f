"""Classes from codes: every way of learning them, labels that are missing, probabilities that hold."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn

import isthmus
from isthmus import Classifier, ConditionalVAE, metrics
from isthmus.errors import DataError, DataTypeError, ParameterError
from isthmus.tasks.classify import METHODS


@pytest.fixture(scope="module")
def model(digits):
    return isthmus.Autoencoder(latent_dim=16, max_epochs=5, random_state=0).fit(digits[:1200])


QUICK = {"max_epochs": 8, "random_state": 0}
MODELS = {
    "probe": isthmus.Autoencoder(latent_dim=16, **QUICK),
    "spreading": isthmus.Autoencoder(latent_dim=16, **QUICK),
    "head": isthmus.Autoencoder(latent_dim=16, **QUICK),
    "joint": isthmus.Autoencoder(latent_dim=16, **QUICK),
    "fine-tuned": isthmus.DenoisingAutoencoder(latent_dim=16, **QUICK),
    "ladder": isthmus.LadderNetwork(hidden=(64,), latent_dim=32, scaling="unit", **QUICK),
    "m2": isthmus.ConditionalVAE(latent_dim=8, alpha=10.0, **QUICK),
    "m1m2": isthmus.VAE(latent_dim=16, **QUICK),
    "features": isthmus.Autoencoder(latent_dim=16, **QUICK),
    "own": isthmus.ConditionalVAE(latent_dim=8, alpha=10.0, **QUICK),
}


def test_every_method_is_tested():
    assert MODELS.keys() == METHODS.keys()


@pytest.fixture(scope="module", params=METHODS)
def learned(request, digits, digit_labels):
    """Return a classifier of each method, from 700 digits of which 250 have a label."""
    labels = digit_labels[:700].copy()
    labels[250:] = -1
    return Classifier(model=MODELS[request.param], method=request.param, random_state=0).fit(digits[:700], labels)


@pytest.mark.parametrize("best", ["probe", "spreading"])
def test_labels_that_are_left_out_tell_which_method_is_better(best):
    points, classes = make_moons(400, noise=0.08, random_state=0)
    if best == "probe":  # one cloud, cut in two by a line
        points = np.random.default_rng(1).normal(size=(400, 2))
        classes = (points @ [1, 2] > 0).astype(int)
    labels = classes.copy()
    labels[60:] = -1
    found = Classifier(model=FunctionTransformer(), random_state=0).fit(points, labels)
    assert found.method_ == best
    assert found.method_reason_.startswith(f"{best}, because on labels that it has not learned from its log loss is")
    assert found.score(points[60:], classes[60:]) > 0.95
    asked = Classifier(model=FunctionTransformer(), method="probe", random_state=0).fit(points, labels)
    assert asked.method_ == "probe"


@pytest.mark.long
def test_every_method_learns_from_some_labels(learned, digits, digit_labels, tmp_path):
    chances = learned.predict_proba(digits[1200:])
    assert chances.shape == (597, 10)
    assert chances.sum(1) == pytest.approx(1)
    assert learned.score(digits[1200:], digit_labels[1200:]) > 0.5
    assert np.array_equal(learned.predict(digits[1200:]), learned.classes_[chances.argmax(1)])
    learned.save(tmp_path / "c.safetensors")
    again = isthmus.load(tmp_path / "c.safetensors")
    assert np.array_equal(again.predict_proba(digits[1200:]), chances)
    assert again.method_reason_ == learned.method_reason_


def test_a_row_does_not_depend_on_the_others(learned, digits):
    chances = learned.predict_proba(digits[1200:1300])
    alone, reversed_ = learned.predict_proba(digits[1217:1218])[0], learned.predict_proba(digits[1299:1199:-1])[::-1]
    if learned.method_ == "features":  # a network of another kind, whose last bits follow the number of rows
        assert alone == pytest.approx(chances[17], rel=1e-3, abs=1e-5)
        assert reversed_ == pytest.approx(chances, rel=1e-3, abs=1e-5)
        return
    assert np.array_equal(alone, chances[17])
    assert np.array_equal(reversed_, chances)


@pytest.mark.long
def test_the_probe_is_logistic_regression_on_codes(model, digits, digit_labels):
    made = Classifier(model=model, method="probe", calibrate=False).fit(digits[:1200], digit_labels[:1200])
    reference = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    reference.fit(model.transform(digits[:1200]).astype(float), digit_labels[:1200])
    wanted = reference.predict_proba(model.transform(digits[1200:]).astype(float))
    assert made.predict_proba(digits[1200:]) == pytest.approx(wanted, abs=1e-6)


def test_the_probe_of_two_classes_too(model, digits, digit_labels):
    made = Classifier(model=model, method="probe", calibrate=False).fit(digits[:1200], digit_labels[:1200] > 4)
    reference = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    reference.fit(model.transform(digits[:1200]).astype(float), digit_labels[:1200] > 4)
    wanted = reference.predict_proba(model.transform(digits[1200:]).astype(float))
    assert made.predict_proba(digits[1200:]) == pytest.approx(wanted, abs=1e-6)
    assert made.classes_.tolist() == [False, True]


def test_calibration_divides_logits_and_changes_no_class(model, digits, digit_labels):
    rng = np.random.default_rng(0)
    wrong = rng.random(len(digit_labels)) < 0.3  # what a probe learns by heart, and is then too sure of
    labels = np.where(wrong, rng.integers(0, 10, len(digit_labels)), digit_labels)
    plain = Classifier(model=model, method="probe", calibrate=False).fit(digits[:400], labels[:400])
    calibrated = Classifier(model=model, method="probe").fit(digits[:400], labels[:400])
    assert np.array_equal(plain.predict(digits[1200:]), calibrated.predict(digits[1200:]))
    logits = np.log(plain.predict_proba(digits[1200:]))
    scaled = metrics.softmax(logits / calibrated.temperature_)
    assert calibrated.predict_proba(digits[1200:]) == pytest.approx(scaled, abs=1e-9)
    losses = [metrics.log_loss(np.log(c.predict_proba(digits[1200:])), labels[1200:]) for c in (plain, calibrated)]
    assert losses[1] < losses[0] - 0.02


def test_few_labels_are_all_learned_from_and_that_is_said(digits, digit_labels):
    made = Classifier(model=MODELS["head"], method="head", random_state=0).fit(digits[:100], digit_labels[:100])
    assert made.temperature_ == 1
    assert made.notes_ == ["probabilities are not calibrated: that takes 200 labels, or two of each class for a probe"]


@pytest.mark.parametrize("method", ["head", "fine-tuned", "joint"])
def test_a_fitted_model_is_not_changed(method, model, digits, digit_labels):
    before = model.transform(digits[:50])
    made = Classifier(model=model, method=method, random_state=0)
    made.fit(digits[:300], digit_labels[:300])
    assert made.model_ is model
    assert np.array_equal(model.transform(digits[:50]), before)


@pytest.mark.parametrize("method", ["head", "joint"])
def test_an_unfitted_model_becomes_the_trained_one(method, digits, digit_labels):
    made = Classifier(model=MODELS[method], method=method, random_state=0).fit(digits[:600], digit_labels[:600])
    assert made.fitted_method_.model is made.model_
    assert made.model_.max_epochs == 8
    if method == "joint":  # which has learned to reconstruct
        error = np.square(made.model_.reconstruct(digits[:100]).astype(float) - digits[:100]).mean()
        assert error < 0.7 * digits.astype(float).var(axis=0).mean()


@pytest.mark.long
@pytest.mark.parametrize("method", ["head", "joint"])
def test_the_trained_model_says_of_itself_what_is_true(method, digits, digit_labels, tmp_path):
    labels = digit_labels[:600].copy()
    labels[::2] = -1
    made = Classifier(model=MODELS[method], method=method, random_state=0).fit(digits[:600], labels)
    model = made.model_
    assert [record["epoch"] for record in model.history_] == list(range(1, len(model.history_) + 1))
    assert "train_cross_entropy" in model.history_[0]
    assert ("train_reconstruction" in model.history_[0]) == (method == "joint")
    assert model.provenance_["epochs"] == len(model.history_) == 8
    assert "command" not in model.provenance_  # no fit of the model alone makes it
    held_out = model.provenance_["held_out_records"]
    assert 0 < held_out < 100
    assert model.provenance_["train_records"] == model.n_records_ == (300 if method == "head" else 600) - held_out
    assert model.held_out_rows().tolist() == []  # those chosen here are not those of a fit
    assert model.sample(3, random_state=0).shape == (3, 8, 8)
    made.save(tmp_path / "c.safetensors")
    assert isthmus.load(tmp_path / "c.safetensors").model_.history_ == model.history_


def test_a_joint_model_learns_no_preprocessing_from_labels_that_are_left_out(digit_labels):
    X = np.random.default_rng(0).normal(size=(300, 4))
    classes = (X[:, 0] > 0).astype(int)
    made = Classifier(model=isthmus.Autoencoder(**QUICK), method="joint", random_state=0).fit(X, classes)
    held_out = made.model_.provenance_["held_out_records"]
    summary = made.model_.preprocessor_.summary_
    assert held_out > 0
    assert (np.clip(X, summary.low, summary.high) == X).all(axis=1).sum() >= 300 - held_out
    assert (summary.mean != X.mean(axis=0)).all()


class Watched(isthmus.VAE):
    """Remembers the weight of the KL term at every step of training."""

    weights: ClassVar[list[float]] = []

    def kl(self, *parts):
        self.unweighted = super().kl(*parts)
        return self.unweighted

    def losses(self, *parts):
        terms = super().losses(*parts)
        if self.module_.training:
            self.weights.append(float((terms["kl"] / self.unweighted).detach()))
        return terms


def test_the_kl_term_of_a_joint_run_weighs_what_it_does_in_a_plain_fit(digits, digit_labels):
    model = Watched(latent_dim=4, warm_up=0.3, max_epochs=4, batch_size=64, random_state=0)
    Watched.weights.clear()
    model.fit(digits[:300], validation=0)
    plain = Watched.weights.copy()
    assert plain[0] == 0
    assert max(plain) == pytest.approx(1)
    Watched.weights.clear()
    made = Classifier(model=clone(model), method="joint", calibrate=False, random_state=0)
    made.fit(digits[:300], digit_labels[:300])
    joint = Watched.weights[-len(plain) :]

    assert joint == pytest.approx(plain, rel=1e-5)


@pytest.mark.long
def test_reconstruction_helps_where_few_have_a_label(digits, digit_labels):
    labels = np.full(1200, -1)
    labels[:40] = digit_labels[:40]
    kind = isthmus.Autoencoder(latent_dim=16, max_epochs=12, random_state=0)
    scores = {
        method: Classifier(model=kind, method=method, random_state=0)
        .fit(digits[:1200], labels)
        .score(digits[1200:], digit_labels[1200:])
        for method in ("head", "joint")
    }
    assert scores["joint"] > scores["head"]


def test_the_choice_and_its_reason(digits, digit_labels):
    def choose(n, labelled, model=None):
        labels = np.full(n, -1)
        labels[:labelled] = np.arange(labelled) % 3
        made = Classifier(model=model)
        made.classes_ = np.arange(3)
        return made._choose(isthmus.data.open(np.zeros((n, 4))), labels)

    assert choose(50_000, 30) == (
        "ladder",
        "ladder, because 30 records have a label and 49,970 have none: a ladder network learns most from those",
    )
    assert choose(5000, 30) == (
        "spreading",
        "spreading, because 30 records have a label and 4,970 have none: those show where classes lie",
    )
    assert choose(5000, 5000)[0] == "head"
    assert choose(200, 100)[0] == "probe"
    assert choose(5000, 30, isthmus.Autoencoder())[0] == "spreading"
    assert choose(5000, 30, isthmus.ConditionalVAE()) == ("own", "own, because ConditionalVAE learns classes itself")


@pytest.mark.long
def test_a_network_of_ones_own(digits, digit_labels):
    own = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Tanh()), nn.Linear(12, 64)
    for method in ("probe", "spreading", "head", "joint", "fine-tuned", "m1m2"):
        model = isthmus.Autoencoder(network=own, max_epochs=8, random_state=0)
        made = Classifier(model=model, method=method, random_state=0).fit(digits[:800], digit_labels[:800])
        assert made.score(digits[1200:], digit_labels[1200:]) > 0.6


def test_a_transformer_of_another_library(digits, digit_labels):
    from sklearn.decomposition import PCA

    rows = digits.reshape(len(digits), -1).astype(float)
    made = Classifier(model=PCA(16), method="probe").fit(rows[:1200], digit_labels[:1200])
    assert made.score(rows[1200:], digit_labels[1200:]) > 0.85
    with pytest.raises(ParameterError, match=r"the model must have the method losses\(\), which PCA does not have"):
        Classifier(model=PCA(16), method="head").fit(rows, digit_labels)


def test_evaluation(model, digits, digit_labels):
    made = Classifier(model=model, method="probe").fit(digits[:1200], digit_labels[:1200])
    labels = digit_labels[1200:].copy()
    labels[:7] = -1
    found = made.evaluate(digits[1200:], labels)
    assert found.n == 590
    assert found.accuracy.mean == pytest.approx(made.score(digits[1200:], labels))
    assert found.confusion.sum() == 590
    two = np.sort(made.predict_proba(digits[1200:])[found.doubtful], axis=1)
    leads = two[:, -1] - two[:, -2]
    assert leads == pytest.approx(found.leads)
    assert (np.diff(leads) >= 0).all()
    assert found.doubtful.min() >= 7
    document = found.to_dict()
    assert document["classes"]["3"]["support"] == (labels == 3).sum()
    assert "most doubtful rows" in str(found)
    assert f"accuracy {found.accuracy.mean:.4f}" in str(found)


# ---------------------------------------------------------------------- tables


@pytest.fixture(scope="module")
def frame():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    kind = rng.choice(["wren", "crow"], 300)
    size = np.where(kind == "crow", 40, 10) + rng.normal(size=300)
    return pd.DataFrame(
        {"size": size, "weight": size**2 + rng.normal(size=300), "town": rng.choice(["Ulm", "Bonn"], 300)}
    ), kind


@pytest.mark.parametrize("columns", [["size", "weight"], ["size", "weight", "town"]])
def test_columns_are_found_by_name(frame, columns):
    table, kind = frame[0][columns], frame[1]
    made = Classifier(model=isthmus.Autoencoder(max_epochs=3), random_state=0).fit(table, kind)
    chances = made.predict_proba(table)
    assert np.array_equal(made.predict_proba(table[columns[::-1]]), chances)
    with pytest.raises(DataError, match="there is no column 'weight'"):
        made.predict(table.drop(columns="weight"))


def test_a_frame_of_numbers_is_the_array_of_its_values(frame):
    table, kind = frame[0][["size", "weight"]], frame[1]
    made = Classifier(model=isthmus.Autoencoder(max_epochs=3, random_state=0), random_state=0)
    assert np.array_equal(
        clone_fit(made, table, kind).predict_proba(table),
        clone_fit(made, table.to_numpy(), kind).predict_proba(table.to_numpy()),
    )


def clone_fit(made, X, y):
    from sklearn.base import clone

    return clone(made).fit(X, y)


@pytest.mark.long
def test_missing_labels_of_a_frame(frame):
    labels = np.array(frame[1], dtype=object)
    labels[::2] = None
    model = isthmus.Autoencoder(latent_dim=2, max_epochs=30)
    made = Classifier(model=model, random_state=0).fit(frame[0], labels)
    assert made.classes_.tolist() == ["crow", "wren"]
    assert made.score(frame[0], labels) > 0.95


# ---------------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.zeros(100), r"Classifier tells classes apart, and all labels are of one class, 0.0; label records of"),
        (np.full(100, -1), "Classifier: Input y contains NaN or -1 only: none of the 100 records has a label"),
        (np.full(100, None), "none of the 100 records has a label; label a few of each class"),
        (
            np.linspace(0, 1, 100),
            r"Unknown label type: continuous. Labels name classes, and 0.0101\S+ is a measurement",
        ),
        (np.r_[np.full(99, -1), 4], "all labels are of one class, 4"),
        (None, "Classifier requires y to be passed, but the target y is None"),
    ],
)
def test_labels_that_teach_nothing_are_refused(digits, labels, sentence):
    with pytest.raises((DataError, ParameterError), match=sentence):
        Classifier().fit(digits[:100], labels)


def test_a_label_unseen_at_fit_is_refused(model, digits, digit_labels):
    made = Classifier(model=model).fit(digits[:100][digit_labels[:100] < 3], digit_labels[:100][digit_labels[:100] < 3])
    with pytest.raises(
        DataError, match=r"Classifier: the label 3 was not there at fit, where the classes were 0, 1, 2; mend"
    ):
        made.score(digits[:10], digit_labels[:10])
    with pytest.raises(DataError, match="none of the records has a label to be judged by"):
        made.evaluate(digits[:5], np.full(5, -1))


def test_a_model_that_knows_other_classes_is_refused(digits, digit_labels):
    few = digit_labels < 3
    model = isthmus.ConditionalVAE(max_epochs=1, latent_dim=2, random_state=0).fit(digits[few], digit_labels[few])
    with pytest.raises(DataError, match="the ConditionalVAE learned 3 classes, and the labels name 10"):
        Classifier(model=model).fit(digits, digit_labels)


def test_a_model_without_chances_is_refused(digits, digit_labels):
    with pytest.raises(ParameterError, match=r"must have the method class_logits\(\), which Autoencoder does not have"):
        Classifier(model=isthmus.Autoencoder(), method="ladder").fit(digits, digit_labels)


def test_an_unknown_method_names_the_nearest(digits, digit_labels):
    with pytest.raises(ParameterError, match=r"method must be one of .* it is 'prob'; did you mean 'probe'\?"):
        Classifier(method="prob").fit(digits, digit_labels)


@pytest.mark.long
def test_features_need_pictures(digits, digit_labels):
    rows = digits.reshape(len(digits), -1)
    with pytest.raises(DataError, match="feature_network: the data must be pictures of one size"):
        Classifier(model=MODELS["features"], method="features").fit(rows, digit_labels)


def test_fewer_labels_than_classes_leave_the_others_out(digits, digit_labels):
    """What has no label cannot be known: classes are those that the labels name."""
    labels = np.full(300, -1)
    labels[:4] = digit_labels[:4]
    made = Classifier(model=MODELS["probe"], method="probe", random_state=0).fit(digits[:300], labels)
    assert made.classes_.tolist() == [0, 1, 2, 3]
    assert made.temperature_ == 1


@pytest.mark.parametrize(
    ("labels", "types"), [([1, "a"], "int and str"), ([True, "a"], "bool and str"), ([{"a": 1}, {"b": 2}], "dict")]
)
@pytest.mark.parametrize("kind", [Classifier, ConditionalVAE])
def test_labels_of_several_types_or_of_no_order_are_refused(kind: Any, labels: list[Any], types: str) -> None:
    y = np.empty(40, object)
    y[:] = labels * 20
    with pytest.raises(DataTypeError, match=f"these are of type {types}; convert them"):
        kind().fit(np.random.default_rng(0).normal(size=(40, 3)), y)
