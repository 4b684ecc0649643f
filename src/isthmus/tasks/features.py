"""Training of the classifier whose features compare generated pictures with real ones, once for each data set."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import artifact
from isthmus import data as isthmus_data
from isthmus.checks import parameters as checks
from isthmus.checks import tasks as sentences
from isthmus.data import public
from isthmus.errors import ArtifactError

if TYPE_CHECKING:
    from isthmus.metrics.features import FeatureNetwork

__all__ = ["feature_network"]

RECIPE = 1  # to be raised with every change of network or training: cached networks of another recipe are not used
HELD_OUT = 0.1  # share of the pictures that the accuracy is measured on
STEPS = 1200  # half a minute for pictures of 28 x 28 on one core
EPOCHS = 40  # at most: small sets are learned by then
BATCH = 128


def feature_network(
    X: Any,
    y: Any = None,
    *,
    name: str | None = None,
    random_state: int = 0,
    cache: str | Path | bool = True,
) -> FeatureNetwork:
    """Return the feature network of labelled pictures, trained as their classifier.

    It is trained on nine tenths of the pictures by the engine that trains every model, and then kept in a file named
    after the content of the pictures, the labels and the seed; the next call with the same reads the file. The same
    call on another machine may give other weights, which its ``label`` shows.

    Parameters
    ----------
    X : array, path, name, or Data
        Pictures of one size, such as ``data.load("mnist")``: the training part, never what the model is tested on.
    y : array-like, shape (n,), optional
        Their classes, where ``X`` does not bring labels.
    name : str, optional
        For the label; by default that of the data.
    random_state : int, default=0
        Seed of weights, batches and held-out pictures.
    cache : bool or path, default=True
        Whether to keep the file in the user's cache folder (``ISTHMUS_CACHE``), or in which folder.

    Returns
    -------
    FeatureNetwork
        With ``features(images)``, ``probabilities(images)``, ``predict(images)``, ``label`` and ``accuracy``.

    Raises
    ------
    DataError
        The data are not pictures of one size, have no labels, or one class only.

    Examples
    --------
    >>> from isthmus import data
    >>> network = feature_network(data.load("digits"), cache=False)
    >>> network.features(np.zeros((3, 8, 8), np.uint8)).shape
    (3, 64)
    """
    data = isthmus_data.open(X, labels=y)
    checks.integer("feature_network", "random_state", random_state, low=0)
    sentences.labelled_pictures("feature_network", data.schema.kind, data.schema.shape, data.labels)
    images, labels = np.asarray(data.take(np.arange(len(data)))), np.asarray(data.labels)
    name = data.source if name is None else name
    if cache is False:
        return _train(name, images, labels, random_state)
    folder = public.cache() / "features" if cache is True else Path(cache)
    path = folder / f"{_key(images, labels, random_state)}.safetensors"
    found = _read(path)
    if found is None:
        found = _train(name, images, labels, random_state)
        folder.mkdir(parents=True, exist_ok=True)
        artifact.write(path, "FeatureNetwork", *found.state(), force=True)
    found.name = name
    return found


def _key(images: NDArray[Any], labels: NDArray[Any], random_state: int) -> str:
    """Return a name that changes with anything that the weights depend on."""
    about = [RECIPE, random_state, images.shape, str(images.dtype), labels.tolist()]
    digest = hashlib.sha256(json.dumps(about, default=str).encode())
    digest.update(np.ascontiguousarray(images).data)
    return digest.hexdigest()[:24]


def _read(path: Path) -> FeatureNetwork | None:
    """Return the network of a file; None where there is none, or a damaged one."""
    from isthmus.metrics.features import FeatureNetwork

    try:
        with artifact.understanding(path):
            return FeatureNetwork.from_state(*artifact.read(path, "FeatureNetwork"))
    except (FileNotFoundError, ArtifactError):
        return None


def _train(name: str, images: NDArray[Any], labels: NDArray[Any], random_state: int) -> FeatureNetwork:
    """Return a trained network, its accuracy on held-out pictures in it."""
    import torch
    import torch.nn.functional as F

    from isthmus import training
    from isthmus.metrics.features import FeatureNetwork

    classes, numbers = np.unique(labels, return_inverse=True)
    shape = (*images.shape[1:], 1)[:3]
    with torch.random.fork_rng([]):
        torch.manual_seed(random_state)
        peak = float(np.abs(images.astype(np.float64)).max()) or 1.0
        network = FeatureNetwork(name, shape, str(images.dtype), peak, classes.tolist())
    order = np.random.default_rng(random_state).permutation(len(images))
    first = int(HELD_OUT * len(order))
    held_out, train = np.sort(order[:first]), np.sort(order[first:])
    batches = training.ResidentBatches(torch.from_numpy(images.reshape(len(images), *shape)), train)
    batches.labels = torch.from_numpy(numbers)

    def loss(step: training.Step) -> dict[str, torch.Tensor]:
        return {"cross_entropy": F.cross_entropy(network(network.scaled(step.x)), step.labels)}

    epochs = min(EPOCHS, STEPS / batches.steps(BATCH))
    plan = training.Plan(training.Budget(epochs), BATCH, seed=random_state)
    training.Engine(network, [training.Player("classifier", (network,), loss)], batches, plan).run()
    network.standardise(images[train])
    if len(held_out):
        network.accuracy = float((network.class_numbers(images[held_out]) == numbers[held_out]).mean())
    return network.eval()
