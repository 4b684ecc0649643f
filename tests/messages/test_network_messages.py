"""What is said about networks that cannot be built: the whole sentence."""

from __future__ import annotations

import numpy as np
import pytest

import isthmus
from isthmus.errors import DataError, ParameterError


def test_more_stages_than_there_is_to_halve() -> None:
    model = isthmus.Autoencoder(network="convolutional", hidden=(4,) * 6, max_epochs=1)
    with pytest.raises(ParameterError) as error:
        model.fit(np.zeros((30, 8, 8), np.uint8) + np.arange(8, dtype=np.uint8))
    assert str(error.value) == (
        "Autoencoder: hidden must have at most 4 stages for pictures of 8 x 8, since each halves the sides; it has 6."
    )


def test_the_sentence_names_the_model() -> None:
    model = isthmus.DenoisingAutoencoder(likelihood="bernoulli", max_epochs=1)
    with pytest.raises(DataError, match=r"^DenoisingAutoencoder: likelihood='bernoulli' needs values in \[0, 1\]"):
        model.fit(np.linspace(-1, 1, 60).reshape(20, 3))
