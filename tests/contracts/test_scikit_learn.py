"""Every model passes scikit-learn's own battery, nothing left out."""

from __future__ import annotations

import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from isthmus.models import REGISTRY

# Checks that cannot hold, each with its reason. Empty, and meant to stay so.
EXPECTED_FAILURES: dict[str, str] = {}

CHECKS = [
    pytest.param(estimator, check, id=f"{name}-{getattr(check, 'func', check).__name__}")
    for name, model in REGISTRY.items()
    for estimator, check in estimator_checks_generator(
        model(max_epochs=2), expected_failed_checks=EXPECTED_FAILURES, mark="skip"
    )
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_scikit_learn_check(estimator, check):
    """The check raises, and pytest reports, if the contract is broken."""
    assert check(estimator) is None


@pytest.mark.parametrize("model", REGISTRY.values(), ids=REGISTRY)
def test_constructs_without_arguments_and_clones(model):
    estimator = model()
    assert clone(estimator).get_params() == estimator.get_params()


def test_works_in_a_pipeline(blobs):
    model = REGISTRY["Autoencoder"](latent_dim=2, max_epochs=2, random_state=0)
    codes = make_pipeline(StandardScaler(), model).fit_transform(blobs)
    assert codes.shape == (len(blobs), 2)
