"""Every object that a file holds comes back from its state as it was, whatever its class."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import isthmus
from isthmus import documents, models, preprocessing, tasks
from isthmus.density import CodeDensity
from isthmus.tasks import classify, cluster
from isthmus.tasks.coder import Coder

QUICK = {"latent_dim": 2, "max_epochs": 1, "random_state": 0}
RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 2
ROWS = (RNG.normal(size=(60, 4)) + 6 * LABELS[:, None]).astype(np.float32)
PICTURES = RNG.integers(0, 255, (60, 4, 4), dtype=np.uint8)
TABLE = pd.DataFrame(
    {
        "number": np.where(RNG.random(60) < 0.2, np.nan, RNG.normal(size=60)),
        "whole": RNG.integers(0, 5, 60),
        "day": pd.date_range("2021-03-01", periods=60, freq="7D"),
        "member": RNG.random(60) < 0.5,
        "town": RNG.choice(["Bern", "Oslo", "Rome"], 60),
        "country": ["nowhere"] * 60,
    }
)
TEXTS = [f"text {number}" for number in range(60)]
OF_METHOD = {  # the model that a method of a task needs, where not any will do
    "ladder": models.LadderNetwork,
    "m2": models.ConditionalVAE,
    "own": models.ConditionalVAE,
    "vade": models.VAE,
}

NOT_IMPORTED = "isthmus.__main__", "isthmus.coding.arrays.zarr"  # the latter needs numcodecs

pytestmark = pytest.mark.filterwarnings("ignore:Clusterer. 1 clusters were found")  # no model here is trained for long


def is_stateful(cls: Any) -> bool:
    if not inspect.isclass(cls) or getattr(cls, "_is_protocol", False) or inspect.isabstract(cls):
        return False
    return callable(getattr(cls, "state", None)) and callable(getattr(cls, "from_state", None))


def stateful_classes() -> dict[str, type]:
    """Return every class of the package that has a state and comes back from it, by name; abstract ones have none."""
    found = {}
    for info in pkgutil.walk_packages(isthmus.__path__, "isthmus."):
        if info.name not in NOT_IMPORTED:
            own = [cls for cls in vars(importlib.import_module(info.name)).values() if is_stateful(cls)]
            found |= {cls.__qualname__: cls for cls in own if cls.__module__ == info.name}
    return found


def made() -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield an object of every class, and what its class needs beside a state to bring it back."""
    for model in models.REGISTRY.values():
        yield model(**QUICK).fit(PICTURES, LABELS), ()
    for name in classify.METHODS:
        data = PICTURES if name == "features" else ROWS
        model = OF_METHOD.get(name, models.VAE)(**QUICK)
        task = tasks.Classifier(model=model, method=name, random_state=0).fit(data, LABELS)
        yield from ((task, ()), (task.fitted_method_, (Coder(task.model_),)))
    for name in cluster.METHODS:
        model = OF_METHOD.get(name, models.Autoencoder)(**QUICK)
        task = tasks.Clusterer(model=model, method=name, n_clusters=2, runs=1, random_state=0).fit(ROWS)
        yield from ((task, ()), (task.fitted_method_, (Coder(task.model_),)))
    detector = tasks.Detector(model=models.Autoencoder(**QUICK), random_state=0).fit(ROWS)
    yield detector, ()
    yield from ((scorer, ()) for scorer in detector.scorers_.values())
    yield tasks.Tuner(model=models.Autoencoder(**QUICK), n_trials=1, cv=2, random_state=0).fit(ROWS), ()
    small = {"start": None, "channels": (4, 4, 4), "patch": 32, "batch_size": 2, "max_steps": 1}
    yield isthmus.Restorer(**small, random_state=0).fit(np.random.default_rng(0).random((2, 64, 64))), ()
    photographic = isthmus.PhotographicCodec(patch=64, batch_size=1, max_steps=1, random_state=0)
    yield photographic.fit(np.random.default_rng(0).random((2, 64, 64))), ()
    yield CodeDensity.fit(ROWS, 0), (4,)
    yield tasks.feature_network(PICTURES, LABELS, cache=False), ()
    for records, scaling in ((ROWS, "quantile"), (PICTURES, "unit"), (TEXTS, "none"), (TABLE, "quantile")):
        data = isthmus.data.open(records)
        fitted = preprocessing.for_data(data).fit(data)
        fitted.rescale(scaling, data)
        yield fitted, ()
        yield fitted.summary_, ()
        inside = [*getattr(fitted, "_columns", ()), *getattr(fitted, "_quantiles", ())]
        yield from ((part, ()) for part in [*inside, getattr(fitted, "_centring", None)] if part is not None)


@pytest.fixture(scope="module")
def examples() -> dict[str, list[tuple[Any, tuple[Any, ...]]]]:
    found: dict[str, list[tuple[Any, tuple[Any, ...]]]] = {}
    for one, beside in made():
        found.setdefault(type(one).__qualname__, []).append((one, beside))
    return found


@pytest.mark.parametrize("name", sorted(stateful_classes()))
def test_an_object_comes_back_from_its_state(name: str, examples: dict[str, Any]) -> None:
    for one, beside in examples[name]:
        document, arrays = one.state()
        text = json.dumps(document, allow_nan=False)
        copies = {key: array.copy() for key, array in arrays.items()}
        again, arrays_again = type(one).from_state(json.loads(text), copies, *beside).state()
        assert json.loads(json.dumps(again, allow_nan=False)) == json.loads(text)
        assert arrays_again.keys() == arrays.keys()
        for key, array in arrays.items():
            assert (arrays_again[key].dtype, arrays_again[key].shape) == (array.dtype, array.shape), key
            assert arrays_again[key].tobytes() == array.tobytes(), key


def test_arrays_under_a_name_are_those_put_there() -> None:
    weight, bias, other = np.ones(3), np.zeros(2), np.arange(4)
    together = documents.prefixed("layer", {"weight": weight, "bias": bias}) | {"layers": other}
    assert set(together) == {"layer.weight", "layer.bias", "layers"}
    assert documents.under("layer", together) == {"weight": weight, "bias": bias}
