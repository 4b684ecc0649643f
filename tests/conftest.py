"""Small data that many tests share."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # before SciPy is imported: else scikit-learn skips a check

import numpy as np
import pytest
from sklearn.datasets import load_digits

KNOW_MANY = (
    *("data.rows", "data.splitting", "data.parquet", "data.images"),
    *("fitting", "tasks.held_out", "training.loader"),
)  # modules that know how many records are very many
SMALLER = {
    "data.splitting.MOST_APART": 200,
    "data.splitting.RUNS": 8,
    "data.looking.MOST_RECORDS": 1000,
    "data.looking.RUNS": 8,
    "data.parquet.WHOLE": 64,
    "data.parquet.LEAST": 16,
    "data.stores.RESIDENT_BYTES": 1,
    "training.loader.MOST_RESIDENT": 1000,
}


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


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call 1,000 records very many, and stream them."""
    for name in KNOW_MANY:
        monkeypatch.setattr(importlib.import_module(f"isthmus.{name}"), "LISTED", 1000)
    for name, value in SMALLER.items():
        monkeypatch.setattr(f"isthmus.{name}", value)


@functools.cache
def _wavelets() -> tuple[Any, Any]:
    """Return the module of a codec of wavelets, which is in a package of tests, and its weights."""
    path = Path(__file__).parent / "coding" / "photographs" / "haar.py"
    spec = importlib.util.spec_from_file_location("wavelets", path)
    assert spec
    assert spec.loader
    wavelets = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(wavelets)
    return wavelets, wavelets.weights()


@pytest.fixture
def wavelet_codec(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compress photographs by a codec that has learned nothing, in place of the shipped one."""
    from isthmus.coding.photographs import weights
    from isthmus.coding.pictures import photograph
    from isthmus.models.photographic_codec import PhotographicCodec
    from isthmus.tasks.compression import to_target

    wavelets, known = _wavelets()
    for module in (weights, photograph, to_target):
        monkeypatch.setattr(module, "shipped", lambda: known)
    monkeypatch.setattr(to_target, "_encoder", wavelets.Encoder)
    PhotographicCodec._shipped.cache_clear()
    yield
    PhotographicCodec._shipped.cache_clear()  # what was read meanwhile are no weights that ship
