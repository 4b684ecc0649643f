"""Every task object passes scikit-learn's own battery, and its file gives it back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

import isthmus
from isthmus.errors import ParameterError
from isthmus.tasks import REGISTRY

# Checks that cannot hold, each with its reason. Empty, and meant to stay so.
EXPECTED_FAILURES: dict[str, str] = {}


def quick_model() -> Any:
    return isthmus.Autoencoder(latent_dim=2, max_epochs=2, random_state=0)


# What keeps a task short here.
FEW: dict[str, dict[str, Any]] = {"Tuner": {"n_trials": 1, "cv": 2}}


def quick(task: Any, **parameters: Any) -> Any:
    """Return a task object with a small model."""
    return task(model=quick_model(), **FEW.get(task.__name__, {}), **parameters)


CHECKS = [
    pytest.param(estimator, check, id=f"{name}-{getattr(check, 'func', check).__name__}")
    for name, task in REGISTRY.items()
    for estimator, check in estimator_checks_generator(
        quick(task), expected_failed_checks=EXPECTED_FAILURES, mark="skip"
    )
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_scikit_learn_check(estimator, check):
    """The check raises, and pytest reports, if the contract is broken."""
    assert check(estimator) is None


@pytest.mark.parametrize("task", REGISTRY.values(), ids=REGISTRY)
def test_constructs_without_arguments_and_clones(task):
    assert clone(task()).get_params() == task().get_params()


@pytest.mark.parametrize("task", REGISTRY.values(), ids=REGISTRY)
def test_a_misspelt_parameter_gets_its_nearest_name(task):
    with pytest.raises(ParameterError, match="random_state"):
        task(random_stat=0)


@pytest.mark.parametrize("task", [isthmus.Classifier, isthmus.Clusterer, isthmus.Detector])
def test_a_model_without_a_seed_has_that_of_the_task(task, blobs):
    def fitted(model, random_state):
        return task(model=model, random_state=random_state).fit(blobs, blobs[:, 0] > 0).model_

    without, own = isthmus.Autoencoder(max_epochs=1), isthmus.Autoencoder(max_epochs=1, random_state=7)
    assert np.array_equal(fitted(without, 1).transform(blobs), fitted(without, 1).transform(blobs))
    assert not np.array_equal(fitted(without, 1).transform(blobs), fitted(without, 2).transform(blobs))
    assert fitted(own, 1).random_state == 7
    assert without.random_state is None


@pytest.mark.parametrize("task", [isthmus.Classifier, isthmus.Clusterer, isthmus.Detector])
def test_the_own_model_of_a_task_computes_where_asked(task, blobs):
    with pytest.raises(ParameterError, match="device must be 'auto'"):
        task(device="nowhere", random_state=0).fit(blobs, np.arange(len(blobs)) % 2)
    assert task(device="cpu", random_state=0).fit(blobs, np.arange(len(blobs)) % 2).model_.device == "cpu"


@pytest.mark.parametrize("task", REGISTRY.values(), ids=REGISTRY)
def test_a_fitted_model_is_used_as_it_is(task, blobs):
    model = quick_model().fit(blobs)
    labels = np.arange(len(blobs)) % 3
    fitted = quick(task, random_state=0).set_params(model=model).fit(blobs, labels)
    assert (fitted.model_ is model) is not task.fits_anew


@pytest.mark.parametrize("task", REGISTRY.values(), ids=REGISTRY)
def test_a_file_gives_the_object_back(task, blobs, tmp_path):
    labels = np.arange(len(blobs)) % 3
    fitted = quick(task, random_state=0).fit(blobs, labels)
    fitted.save(tmp_path / "task.safetensors")
    again = isthmus.load(tmp_path / "task.safetensors")
    assert type(again) is task
    methods = [name for name in ("predict", "transform", "predict_proba", "decision_function") if hasattr(task, name)]
    assert methods
    for method in methods:
        assert np.array_equal(getattr(fitted, method)(blobs), getattr(again, method)(blobs))
