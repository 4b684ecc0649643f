"""Small data that many tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # before SciPy is imported: else scikit-learn skips a check

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """1,797 real handwritten digits, 8x8, whole numbers from 0 to 16."""
    return load_digits().images.astype(np.uint8)


@pytest.fixture(scope="session")
def digit_labels() -> np.ndarray:
    """Their classes."""
    return load_digits().target


@pytest.fixture(scope="session")
def blobs() -> np.ndarray:
    """200 rows of 6 correlated numbers."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(200, 6))


@pytest.fixture
def largest_file() -> Callable[[int], AbstractContextManager[None]]:
    """Set a limit in bytes for any file that this process writes, which does what a full disk does."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited
