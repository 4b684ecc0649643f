"""Every model and every task object works in scikit-learn's own pipelines, searches and cross-validations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ShuffleSplit, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import isthmus
from isthmus import models, tasks

# What keeps an object short here.
FEW: dict[str, dict[str, Any]] = {"Tuner": {"n_trials": 1, "cv": 2}}


def made(name: str) -> Any:
    """Return a small object of either registry."""
    if name in models.REGISTRY:
        return models.REGISTRY[name](latent_dim=2, max_epochs=1, random_state=0)
    small = isthmus.Autoencoder(latent_dim=2, max_epochs=1, random_state=0)
    return tasks.REGISTRY[name](model=small, random_state=0, **FEW.get(name, {}))


def scored(estimator: Any, X: Any, y: Any = None) -> float:
    """Score by the object's own score, or by its outlyingness where it has none."""
    if hasattr(estimator, "score"):
        return float(estimator.score(X, y))
    return float(np.mean(estimator.score_samples(X) if hasattr(estimator, "score_samples") else estimator.predict(X)))


every_object = pytest.mark.parametrize("name", [*models.REGISTRY, *tasks.REGISTRY])


@pytest.fixture(scope="module")
def some(blobs):
    """Return 60 rows and labels of two classes, which objects that learn no classes leave alone."""
    return blobs[:60], np.arange(60) % 2


@every_object
def test_clone_gives_an_unfitted_twin(name, some):
    estimator = made(name).fit(*some)
    twin = clone(estimator)
    assert type(twin) is type(estimator)
    assert not [attribute for attribute in vars(twin) if attribute.endswith("_") and not attribute.startswith("_")]
    assert repr(twin) == repr(clone(made(name)))


@every_object
def test_pipeline_and_cross_validation(name, some):
    pipeline = make_pipeline(StandardScaler(), made(name))
    scores = cross_val_score(pipeline, *some, cv=2, scoring=scored, error_score="raise")
    assert np.isfinite(scores).all()


@every_object
def test_grid_search(name, some):
    parameter = "learning_rate" if name in models.REGISTRY else "model__learning_rate"
    pipeline = Pipeline([("scale", StandardScaler()), ("it", made(name))])
    once = ShuffleSplit(1, test_size=0.5, random_state=0)
    search = GridSearchCV(pipeline, {f"it__{parameter}": [0.001, 0.01]}, cv=once, scoring=scored, error_score="raise")
    search.fit(*some)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_.named_steps["it"]
    assert best.get_params()[parameter] == search.best_params_[f"it__{parameter}"]
