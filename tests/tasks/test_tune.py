"""Tuner: its figures against their definitions, its journal, its stops, and what it refuses."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.base import clone

import isthmus
from isthmus import Autoencoder, Tuner
from isthmus import data as isthmus_data
from isthmus.errors import ArtifactError, DataError, ParameterError, TrainingError, UnavailableError
from isthmus.search import Choice, Number, Whole, range_from_dict
from isthmus.tasks.tune import Findings, Trial
from isthmus.tasks.tune.findings import _worth, effects_of
from isthmus.tasks.tune.objectives import OBJECTIVES, reconstruction_error
from isthmus.tasks.tune.search import folds_of, space_for

QUICK = {"model": Autoencoder(max_epochs=2), "cv": 2, "random_state": 0}
ONLY = {"hidden", "activation", "norm", "dropout", "learning_rate", "batch_size", "weight_decay", "tied"}


def nearness_to_five(model, X, y):
    """Score that one parameter decides."""
    return -float((model.code_shape_[0] - 5) ** 2)


@pytest.fixture(scope="module")
def searched(blobs):
    """Return a search in which the size of the code is all that matters."""
    space = dict.fromkeys(ONLY) | {"latent_dim": Whole(1, 8), "dropout": Number(0.0, 0.3)}
    return Tuner(**QUICK, objective=nearness_to_five, n_trials=30, space=space).fit(blobs)


def test_the_best_setting_is_found_and_what_mattered_is_named(searched):
    assert searched.best_params_["latent_dim"] == 5
    assert searched.best_score_ == 0
    assert searched.model_.code_shape_ == (5,)
    first = searched.findings_.effects[0]
    assert first.parameter == "latent_dim"
    assert first.importance > 0.7
    known = [(trial.settings["latent_dim"], trial.value) for trial in searched.findings_.complete]
    assert all(value == -((size - 5) ** 2) for size, value in known)


def test_a_trial_that_was_stopped_early_counts_with_what_others_gained_from_there():
    study = optuna.create_study(direction="minimize")
    size = {"size": optuna.distributions.IntDistribution(1, 9)}
    trials = []
    for number, (its, reports, value) in enumerate(
        [(1, {0: 5.0, 1: 4.0}, 3.0), (2, {0: 6.0, 1: 4.5}, 4.0), (8, {0: 9.0}, None), (9, {0: 10.0, 1: 8.0}, None)]
    ):
        state = optuna.trial.TrialState.PRUNED if value is None else optuna.trial.TrialState.COMPLETE
        study.add_trial(
            optuna.trial.create_trial(
                state=state, params={"size": its}, distributions=size, intermediate_values=reports, value=value
            )
        )
        trials.append(Trial(number, "pruned" if value is None else "complete", "A", {"size": its}, value, (), 1.0))
    assert _worth(study, trials) == pytest.approx({0: 3.0, 1: 4.0, 2: 9.0 - 2.0, 3: 8.0 - 0.75})
    twice = [replace(trial, number=trial.number + 4) for trial in trials]
    study.add_trials(study.get_trials())
    (effect,) = effects_of(study, [*trials, *twice], higher_is_better=False)
    assert (effect.parameter, effect.best, effect.trials) == ("size", "1 to 2", 8)


def test_the_tables_say_what_was_tried(searched):
    text = str(searched.findings_)
    assert "score, higher is better) of 30 trials: " in text
    assert text.splitlines()[2].startswith(f"{searched.findings_.best.number:5d}")
    assert "what mattered  importance" in text
    assert Findings.from_dict(json.loads(json.dumps(searched.findings_.to_dict()))) == searched.findings_


def test_a_parameter_is_judged_within_families():
    """Where one family is better throughout, what it happened to be tried with gets no credit for that."""

    def trial(number, family, rate, value):
        return Trial(number, "complete", family, {"rate": rate}, value, (value,), 1.0)

    trials = [trial(0, "A", "low", 10.0), trial(1, "A", "low", 10.0), trial(2, "A", "high", 11.0)]
    trials += [trial(3, "B", "high", 1.0), trial(4, "B", "high", 1.0), trial(5, "B", "low", 0.0)]
    study = optuna.create_study(direction="maximize")
    found = {effect.parameter: effect for effect in effects_of(study, trials, higher_is_better=True)}
    assert (found["rate"].best, found["rate"].worst) == ("high", "low")
    assert found["rate"].difference == pytest.approx(8 / 9)
    assert (found["model"].best, found["model"].difference) == ("A", pytest.approx(31 / 3 - 2 / 3))
    assert effects_of(study, trials[:4], higher_is_better=True) == ()


def test_a_trial_is_a_fit_on_each_fold_and_the_best_one_is_fitted_on_all(blobs):
    tuner = Tuner(**QUICK, n_trials=3).fit(blobs)
    assert tuner.objective_ == "reconstruction"  # this model has no likelihood to set beside others
    assert "latent_dim" not in tuner.best_params_  # larger codes always reconstruct better
    data = isthmus_data.open(blobs)
    folds = folds_of(data, 2, tuner.seed_)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(blobs)))
    trial = tuner.findings_.trials[0]
    assert trial.usual
    for (train, test), value in zip(folds, trial.folds, strict=True):
        model = clone(QUICK["model"]).set_params(random_state=0).fit(blobs[train])
        assert reconstruction_error(model, data.subset(train), data.subset(test)) == value
    assert trial.value == np.mean(trial.folds)
    again = Autoencoder(max_epochs=2, random_state=0).set_params(**tuner.best_params_).fit(blobs)
    if not tuner.findings_.best.usual:
        assert np.array_equal(again.transform(blobs), tuner.transform(blobs))
    assert tuner.score(blobs) == -reconstruction_error(tuner.model_, data, data)


def test_reconstruction_error_is_a_share_of_that_of_the_mean(blobs):
    model = Autoencoder(latent_dim=2, max_epochs=3, random_state=0).fit(blobs)
    pre = model.preprocessor_
    train, test = isthmus_data.open(blobs[:150]), isthmus_data.open(blobs[150:])
    wrong = np.square((blobs[150:] - model.reconstruct(blobs[150:])) * pre.factor_).sum()
    constant = np.square((blobs[150:] - blobs[:150].mean(0)) * pre.factor_).sum()
    assert reconstruction_error(model, train, test) == pytest.approx(wrong / constant, rel=1e-5)


def test_reconstruction_error_of_a_table_is_the_mean_over_its_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "kind": rng.choice(["a", "b", "c"], 200, p=[0.6, 0.3, 0.1])})
    model = Autoencoder(latent_dim=1, max_epochs=3, random_state=0).fit(frame)
    data = isthmus_data.open(frame)
    back = model.reconstruct(frame)
    of_x = np.square(frame["x"] - back["x"]).sum() / np.square(frame["x"] - frame["x"].mean()).sum()
    commonest = frame["kind"].mode()[0]
    of_kind = (frame["kind"] != back["kind"]).sum() / (frame["kind"] != commonest).sum()
    assert reconstruction_error(model, data, data) == pytest.approx((of_x + of_kind) / 2, rel=1e-3)


def test_families_are_compared_by_their_bound_on_the_likelihood(digits):
    tuner = Tuner(families=("VAE", "VQVAE"), settings={"max_epochs": 1}, n_trials=2, cv=2, random_state=0)
    tuner.fit(digits[:120])
    assert tuner.objective_ == "likelihood"
    assert {trial.family for trial in tuner.findings_.trials} == {"VAE", "VQVAE"}
    assert all(trial.usual for trial in tuner.findings_.trials)
    assert tuner.score(digits[:120]) == tuner.model_.score(digits[:120])


def test_accuracy_of_a_probe_needs_labels_and_divides_classes_in_proportion(digits, digit_labels):
    tuner = Tuner(**QUICK, objective="classification", n_trials=1)
    with pytest.raises(ParameterError, match="objective='classification' needs labels; give one a record, as y"):
        tuner.fit(digits[:100])
    tuner.fit(digits[:200], digit_labels[:200])
    assert 0.3 < tuner.best_score_ <= 1
    assert 0 < tuner.score(digits[200:300], digit_labels[200:300]) <= 1
    for train, test in folds_of(isthmus_data.open(digits[:200], labels=digit_labels[:200]), 2, 0):
        counts = [np.bincount(digit_labels[rows], minlength=10) for rows in (train, test)]
        assert np.abs(counts[0] - counts[1]).max() <= 1


# ---------------------------------------------------------------------- the journal


@pytest.mark.long
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(blobs, tmp_path):
    def tried(n_trials, storage):
        findings = Tuner(**QUICK, n_trials=n_trials, storage=storage).fit(blobs).findings_
        return [(trial.settings, trial.state, trial.folds) for trial in findings.trials]

    whole = tried(5, None)
    assert tried(2, tmp_path / "journal") == whole[:2]
    assert tried(5, tmp_path / "journal") == whole
    assert tried(3, tmp_path / "journal") == whole  # there are enough already
    lines = (tmp_path / "journal").read_bytes().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)  # nothing but JSON is ever read


def test_a_damaged_journal_is_one_sentence(blobs, tmp_path):
    path = tmp_path / "journal"
    Tuner(**QUICK, n_trials=2, storage=path).fit(blobs)
    lines = path.read_bytes().splitlines(keepends=True)
    damages = (
        [*lines[:3], lines[3][:9] + b"\n", *lines[4:]],
        [*lines[:3], b"[1]\n", *lines[4:]],
        [line.replace(b'"op_code":4', b'"op_code":"x"') for line in lines],
    )
    for number, damaged in enumerate(damages):
        path.write_bytes(b"".join(damaged))
        assert damaged != lines
        with pytest.raises(ArtifactError, match="journal is no journal of trials, or a damaged one") as error:
            Tuner(**QUICK, n_trials=2, storage=path).fit(blobs)
        assert path.read_bytes() == b"".join(damaged) or number > 1, "nothing is added"
        assert str(error.value).isprintable()


def test_without_a_seed_the_journal_says_which_folds(blobs, tmp_path):
    tuner = Tuner(**QUICK | {"random_state": None}, n_trials=1, storage=tmp_path / "journal").fit(blobs)
    again = clone(tuner).set_params(n_trials=2).fit(blobs)
    assert again.seed_ == tuner.seed_
    assert again.findings_.trials[0] == tuner.findings_.trials[0]


def test_an_interruption_keeps_what_was_found(blobs, tmp_path):
    def interrupt(trial):
        if trial.number == 1:
            raise KeyboardInterrupt

    tuner = Tuner(**QUICK, n_trials=9, storage=tmp_path / "journal").fit(blobs, on_trial=interrupt)
    assert len(tuner.findings_.trials) == 2
    assert tuner.notes_ == ["the search was interrupted; the best setting until then is taken"]
    assert tuner.transform(blobs).shape[0] == len(blobs)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"cv": 3}, "another number of folds"),
        ({"model": Autoencoder(max_epochs=3)}, "other settings that are not searched"),
        ({"space": {"dropout": None}}, "other families or ranges"),
        ({"objective": nearness_to_five, "model": Autoencoder(latent_dim=5, max_epochs=2)}, "another objective"),
        ({"random_state": 1}, "another seed"),
    ],
)
def test_the_journal_of_another_search_is_refused(changed, word, blobs, tmp_path):
    Tuner(**QUICK, n_trials=1, storage=tmp_path / "journal").fit(blobs)
    with pytest.raises(ParameterError, match=f"holds trials of {word}, which cannot be set beside these; name another"):
        Tuner(**{**QUICK, **changed}, n_trials=1, storage=tmp_path / "journal").fit(blobs)


def test_a_journal_of_other_records_is_refused(blobs, tmp_path):
    Tuner(**QUICK, n_trials=1, storage=tmp_path / "journal").fit(blobs)
    with pytest.raises(ParameterError, match="holds trials of other data"):
        Tuner(**QUICK, n_trials=1, storage=tmp_path / "journal").fit(blobs[:, :5])


@pytest.mark.parametrize("content", [b"\x00\x01 not JSON", b"[1, 2]\n", b'{"a": 1}\n'])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(content, blobs, tmp_path):
    path = tmp_path / "mine.dat"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"mine\.dat is no journal of trials, or a damaged one"):
        Tuner(**QUICK, n_trials=1, storage=path).fit(blobs)
    assert path.read_bytes() == content


def test_the_file_of_a_search_gives_it_back(searched, blobs, tmp_path):
    space = {"latent_dim": Whole(1, 3), "activation": Choice(("relu", "gelu"))} | dict.fromkeys(ONLY - {"activation"})
    tuner = Tuner(**QUICK, n_trials=2, space=space, objective="reconstruction").fit(blobs)
    tuner.save(tmp_path / "search.safetensors")
    again = isthmus.load(tmp_path / "search.safetensors")
    assert again.findings_ == tuner.findings_
    assert again.best_params_ == tuner.best_params_
    assert again.get_params()["space"] == space
    assert np.array_equal(again.transform(blobs), tuner.transform(blobs))


# ---------------------------------------------------------------------- stops and processes


def test_trials_behind_the_others_are_stopped(blobs):
    good_first = {"learning_rate": Choice((None, 1e-7))} | dict.fromkeys(ONLY - {"learning_rate"})
    tuner = Tuner(model=Autoencoder(max_epochs=8), cv=2, n_trials=9, space=good_first, random_state=0).fit(blobs[:80])
    pruned = [trial for trial in tuner.findings_.trials if trial.state == "pruned"]
    assert pruned
    assert all(trial.settings["learning_rate"] == 1e-7 and trial.value is None for trial in pruned)
    assert max(len(trial.folds) for trial in pruned) < 2


def test_time_ends_a_search(blobs):
    tuner = Tuner(**QUICK, max_seconds=1.5).fit(blobs)
    assert len(tuner.findings_.trials) >= 2
    assert sum(trial.seconds for trial in tuner.findings_.trials[:-1]) < 1.5  # none began when it was over
    with pytest.raises(TrainingError, match="the time ran out before the first trial was complete; give more of it"):
        Tuner(**QUICK, max_seconds=1e-6).fit(blobs)


@pytest.mark.long
def test_several_processes_find_as_many_trials(blobs):
    tuner = Tuner(**QUICK, n_trials=2, n_jobs=2).fit(blobs)
    alone = Tuner(**QUICK, n_trials=1).fit(blobs)
    assert len(tuner.findings_.trials) == 2
    first = next(trial for trial in tuner.findings_.trials if trial.usual)
    assert first.folds == alone.findings_.trials[0].folds


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"n_jobs": 0}, "n_jobs must be a whole number of at least 1, or -1 for all cores; it is 0"),
        ({"max_seconds": 0}, "max_seconds must be a number above 0, or None; it is 0"),
        ({"n_trials": 0}, "n_trials must be a whole number of at least 1, or None; it is 0"),
        ({"cv": 1}, "cv must be a whole number of at least 2; it is 1"),
        ({"objective": "likelyhood"}, "objective must be one of .* did you mean 'likelihood'"),
        ({"objective": "likelihood"}, "compares log p.x., which Autoencoder cannot tell .* take objective='reconstr"),
        ({"families": ("VAE",)}, "model and families do not go together; leave families at 'auto' to search the sett"),
        ({"model": None, "families": ("VEA",)}, "there is no model family 'VEA'; did you mean 'VAE'"),
        ({"model": None, "families": "VAE"}, "families must be 'auto' or names of models, as in"),
        ({"model": None, "families": ("VAE",), "settings": {"beat": 1}}, "VAE has no parameter 'beat'; did you mean"),
        ({"space": {"latent_dims": None}}, "Tuner has no parameter 'latent_dims'; did you mean 'latent_dim'"),
        ({"space": dict.fromkeys(ONLY)}, "nothing is left to search: every parameter of Autoencoder is given"),
        ({"model": None, "families": ("ConditionalVAE",)}, "ConditionalVAE requires y to be passed"),
    ],
)
def test_what_cannot_be_searched_is_refused(parameters, sentence, blobs):
    with pytest.raises(ParameterError, match=sentence):
        Tuner(**{**QUICK, "n_trials": 1, **parameters}).fit(blobs)


def test_other_libraries_models_are_refused(blobs):
    from sklearn.decomposition import PCA

    with pytest.raises(ParameterError, match="one of isthmus's, which declare a search_space; PCA is none of them"):
        Tuner(model=PCA()).fit(blobs)


def test_too_few_records_for_the_folds_are_refused(blobs):
    with pytest.raises(DataError, match=r"cv=5 needs 10 records or more, two for each fold; there are 8\. Lower cv"):
        Tuner(cv=5).fit(blobs[:8])


def test_where_every_trial_fails_the_reason_is_told(blobs):
    def broken(model, X, y):
        raise ValueError("no score today")

    with pytest.raises(TrainingError, match="all 2 trials failed, the last of them so: no score today"):
        Tuner(**QUICK, objective=broken, n_trials=2).fit(blobs)


@pytest.mark.long
def test_what_fails_is_not_suggested_again_and_again(blobs):
    def brittle(model, X, y):
        if model.activation == "gelu":
            raise ValueError("not with gelu")
        return nearness_to_five(model, X, y)

    space = dict.fromkeys(ONLY) | {"activation": Choice(("relu", "gelu")), "latent_dim": Whole(1, 8)}
    found = Tuner(**QUICK, objective=brittle, n_trials=100, space=space).fit(blobs).findings_
    failed = [trial for trial in found.trials if trial.state == "failed"]
    assert failed
    assert all(trial.why == "not with gelu" for trial in failed)
    assert sum(trial.number >= 20 for trial in failed) <= 20  # of eighty, half of which chance would choose


def test_values_that_make_no_sense_for_the_records_are_not_tried(blobs):
    priors = Choice(("normal", "vamp"), kinds_of=(("vamp", ("array", "image")),))
    assert priors.suiting("table") == Choice(("normal",))
    assert priors.suiting("image").values == ("normal", "vamp")
    assert range_from_dict(json.loads(json.dumps(priors.to_dict()))) == priors
    its = {"objective": OBJECTIVES["likelihood"], "given": {}}
    table = isthmus_data.open(pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}))
    assert "vamp" not in space_for(isthmus.VAE(), table, **its)["prior"].values
    assert "vamp" in space_for(isthmus.VAE(), isthmus_data.open(blobs), **its)["prior"].values


def test_without_optuna_a_sentence_says_what_to_install(blobs, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r'Tuner needs the package optuna.* pip install "isthmus\[tune\]"'):
        Tuner(**QUICK).fit(blobs)


def test_columns_are_found_by_name_and_a_missing_one_is_named():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    tuner = Tuner(**QUICK, n_trials=1).fit(frame)
    other = frame.assign(d=1.0)[["c", "d", "a", "b"]]
    assert np.array_equal(tuner.transform(other), tuner.transform(frame))
    assert tuner.score(other) == tuner.score(frame)
    with pytest.raises(DataError, match="now missing:\n- b"):
        tuner.transform(frame[["a", "c"]])
