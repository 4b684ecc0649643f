"""What models can do is told by their methods, whatever their class and library."""

from __future__ import annotations

import pytest
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler

import isthmus
from isthmus import capabilities, checks
from isthmus.capabilities import has
from isthmus.documents import Stateful
from isthmus.errors import ParameterError
from isthmus.models import REGISTRY

OF_EVERY_MODEL = (
    *(capabilities.Encodes, capabilities.Decodes, capabilities.Reconstructs, capabilities.Scores),
    *(capabilities.Samples, capabilities.DrawsRecords, capabilities.RemembersRecords),
    *(capabilities.HasEncoder, capabilities.Trainable, capabilities.Configurable, Stateful),
)


@pytest.mark.parametrize("capability", OF_EVERY_MODEL)
def test_every_model_of_isthmus_has_it(capability: type) -> None:
    assert [name for name, model in REGISTRY.items() if not has(model(), capability)] == []


def test_some_models_can_do_more() -> None:
    assert has(isthmus.VAE(), capabilities.HasPosterior, capabilities.DrawsMissing)
    assert has(isthmus.LadderVAE(), capabilities.HasLevels)
    assert has(isthmus.VQVAE(), capabilities.Quantises)
    assert has(isthmus.ConditionalVAE(), capabilities.Classifies)
    plain = isthmus.Autoencoder()
    more = ("HasPosterior", "HasLevels", "Quantises", "Classifies", "DrawsMissing")
    assert not any(has(plain, getattr(capabilities, name)) for name in more)
    assert capabilities.learns_classes(isthmus.ConditionalVAE())
    assert capabilities.has_prior(isthmus.VAE())
    assert not capabilities.has_prior(plain)


def test_models_of_other_libraries_have_what_their_methods_do() -> None:
    assert has(PCA(), capabilities.Encodes, capabilities.Decodes, capabilities.Scores)
    assert not has(PCA(), capabilities.Samples)
    assert not has(StandardScaler(), capabilities.Scores)
    assert not has(None, capabilities.Encodes)
    assert not capabilities.learns_classes(PCA())


def test_a_frozen_model_keeps_its_capabilities() -> None:
    frozen = FrozenEstimator(isthmus.VAE())
    assert has(frozen, capabilities.Encodes, capabilities.HasPosterior)
    assert not has(frozen, capabilities.HasLevels)


def test_methods_of_a_capability_are_its_own_and_those_below_it() -> None:
    assert capabilities.methods_of(capabilities.Encodes) == ("transform",)
    assert set(capabilities.methods_of(capabilities.Trainable)) == {"encode", "losses"}
    assert set(capabilities.methods_of(Stateful)) == {"state", "from_state"}


def test_what_a_model_lacks_is_named() -> None:
    with pytest.raises(ParameterError, match=r"task: the model must have the method sample\(\), which PCA does not"):
        checks.can("task", PCA(), capabilities.Encodes, capabilities.Samples)
    checks.can("task", isthmus.Autoencoder(), *OF_EVERY_MODEL)
