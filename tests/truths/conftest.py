"""Data whose likelihood is known."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def gaussian_table() -> np.ndarray:
    """Return 600 rows of six columns: two hidden causes, and noise of deviation 0.3."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(600, 2)) @ rng.normal(size=(2, 6)) + 0.3 * rng.normal(size=(600, 6)) + 5
