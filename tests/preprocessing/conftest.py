from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from isthmus import preprocessing
from isthmus.preprocessing import Preprocessor


def assert_same_state(one: Preprocessor, other: Preprocessor) -> None:
    """Two preprocessors hold the same, bit for bit."""
    document, arrays = one.state()
    other_document, other_arrays = other.state()
    assert json.loads(json.dumps(document)) == json.loads(json.dumps(other_document))
    assert arrays.keys() == other_arrays.keys()
    for name, array in arrays.items():
        assert array.dtype == other_arrays[name].dtype, name
        assert array.shape == other_arrays[name].shape, name
        assert array.tobytes() == other_arrays[name].tobytes(), name


@pytest.fixture(name="stored", scope="session")
def _stored() -> Callable[[Any], Any]:
    """Through JSON text and raw bytes, as a file would hold it, and back."""

    def stored(fitted: Preprocessor) -> Preprocessor:
        document, arrays = fitted.state()
        read = {n: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape) for n, a in arrays.items()}
        loaded = preprocessing.from_state(type(fitted).__name__, json.loads(json.dumps(document)), read)
        assert type(loaded) is type(fitted)
        assert_same_state(fitted, loaded)
        return loaded

    return stored
