r"""Features of a small classifier of pictures, on which generated pictures are compared with real ones.

Distances between pixels say little about pictures. The usual features are those of the Inception network, which looks
at photographs of 299 x 299 pixels and has to be downloaded. This network is small, learns from the labels of the very
set that is in question, and so knows what tells its pictures apart::

    picture --5x5, stride 2, 32--ReLU--[3x3, stride 2, 64--ReLU]--> ... at most 8 x 8 --linear--> 64 features
    64 features --ReLU--linear--> classes

A network knows the pictures that it learned from better than others: take held-out pictures for the real ones, or they
differ from new pictures of the same law. Figures on features of two networks are no comparison: each goes with the
network's :attr:`FeatureNetwork.label`, which names it and the digest of its weights. Training is
:func:`isthmus.tasks.feature_network`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Self, TypedDict

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from isthmus import documents
from isthmus.checks.metrics import check_feature_pictures
from isthmus.errors import ArtifactError

__all__ = ["WIDTH", "FeatureNetwork"]

WIDTH = 64
"""Features of a picture."""

_FIRST, _REST = 32, 64
"""Channels of the first stage and of all others."""

_LARGEST = 8
"""Sides above this are halved once more."""

_ROWS = 256
"""Pictures that go through the network at once."""

Float32 = NDArray[np.float32]


class FeatureNetwork(nn.Module):
    """A convolutional classifier whose penultimate layer gives features to metrics.

    Parameters
    ----------
    name : str
        What it learned from, for labels: ``"mnist"``.
    shape : (height, width, channels)
        Of one picture.
    dtype : str
        NumPy name of the pictures' type: values of another type may mean something else, and are refused.
    peak : float
        The value that white has; pictures are divided by it.
    classes : sequence of int or str
        The classes, in the order of the outputs.

    Attributes
    ----------
    label : str
        Name and digest, to be shown with every figure.
    accuracy : float or None
        On pictures held out in training.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, name: str, shape: Sequence[int], dtype: str, peak: float, classes: Sequence[int | str]) -> None:
        super().__init__()
        self.name, self.shape, self.dtype, self.peak = name, tuple(int(side) for side in shape), dtype, float(peak)
        self.classes = list(classes)
        self.accuracy: float | None = None
        layers, (channels, height, width) = _stages(self.shape)
        self.stages = nn.Sequential(*layers, nn.Flatten())
        self.to_features = nn.Linear(channels * height * width, WIDTH)
        self.to_classes = nn.Linear(WIDTH, len(self.classes))
        self.register_buffer("mean", torch.zeros(WIDTH))
        self.register_buffer("deviation", torch.ones(WIDTH))

    def raw_features(self, x: Tensor) -> Tensor:
        """Return the numbers before the last layer: pictures (b, channels, height, width) -> (b, 64)."""
        return self.to_features(self.stages(x))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the classes: pictures (b, channels, height, width) -> (b, classes)."""
        return self.to_classes(torch.relu(self.raw_features(x)))

    def scaled(self, images: Tensor) -> Tensor:
        """Return pictures (b, height, width, channels) of the type learned from as (b, channels, height, width)."""
        # Convolutions choose their route, and so their rounding, by the order in memory: let it be one.
        x = images.movedim(3, 1).to(self.mean.dtype, memory_format=torch.contiguous_format, copy=True)
        return x.div_(self.peak)

    # ------------------------------------------------------------------ what metrics ask for

    def features(self, images: ArrayLike) -> Float32:
        """Return the features, each with mean 0 and deviation 1 over the training pictures.

        Parameters
        ----------
        images : array-like, shape (n, height, width) or (n, height, width, channels)
            Pictures of the size and type learned from.

        Returns
        -------
        ndarray of float32, shape (n, 64)
            Without a unit, so that a Fréchet distance of 1 is one variance of the real pictures' features.

        Raises
        ------
        ShapeError, DataTypeError
            The pictures have another size or type.
        """
        return self._each(images, lambda x: (self.raw_features(x) - self.mean) / self.deviation)

    def probabilities(self, images: ArrayLike) -> Float32:
        """Return the chance of each class.

        Parameters
        ----------
        images : array-like, shape (n, height, width) or (n, height, width, channels)
            Pictures of the size and type learned from.

        Returns
        -------
        ndarray of float32, shape (n, classes)
            Rows sum to 1.

        Raises
        ------
        ShapeError, DataTypeError
            The pictures have another size or type.
        """
        return self._each(images, lambda x: self(x).softmax(1))

    def predict(self, images: ArrayLike) -> NDArray[Any]:
        """Return the likeliest class of every picture.

        Parameters
        ----------
        images : array-like, shape (n, height, width) or (n, height, width, channels)
            Pictures of the size and type learned from.

        Returns
        -------
        ndarray, shape (n,)
            Entries of ``classes``.

        Raises
        ------
        ShapeError, DataTypeError
            The pictures have another size or type.
        """
        return np.asarray(self.classes)[self.class_numbers(images)]

    def class_numbers(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return the place of the likeliest class in ``classes``, which :func:`isthmus.metrics.class_coverage` takes.

        Parameters
        ----------
        images : array-like, shape (n, height, width) or (n, height, width, channels)
            Pictures of the size and type learned from.

        Returns
        -------
        ndarray of int64, shape (n,)
            From 0.

        Raises
        ------
        ShapeError, DataTypeError
            The pictures have another size or type.
        """
        return self.probabilities(images).argmax(axis=1)

    def _each(self, images: ArrayLike, function: Callable[[Tensor], Tensor]) -> Float32:
        x = np.asarray(images)
        check_feature_pictures("FeatureNetwork", x.shape, x.dtype, self.shape, self.dtype)
        x = x.reshape(len(x), *self.shape)
        self.eval()
        found = []
        with torch.inference_mode():
            for start in range(0, len(x), _ROWS):
                part = torch.from_numpy(np.require(x[start : start + _ROWS], requirements=["C", "W"]))
                found.append(function(self.scaled(part.to(self.mean.device))).float().cpu().numpy())
        return np.concatenate(found)

    # ------------------------------------------------------------------ after training

    def standardise(self, images: ArrayLike) -> None:
        """Set mean and deviation of the features from the pictures learned from.

        Parameters
        ----------
        images : array-like, shape (n, height, width) or (n, height, width, channels)
            Those pictures.
        """
        raw = self._each(images, self.raw_features).astype(np.float64)
        deviation = raw.std(axis=0)
        self.mean.copy_(torch.from_numpy(raw.mean(axis=0)))
        self.deviation.copy_(torch.from_numpy(np.where(deviation > 0.0, deviation, 1.0)))

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all weights, in hexadecimal."""
        digest = hashlib.sha256()
        for name, weight in self.state_dict().items():
            digest.update(name.encode())
            digest.update(weight.cpu().numpy().tobytes())
        return digest.hexdigest()

    @property
    def label(self) -> str:
        """Return name and digest: figures with the same label were measured with the same network."""
        return f"{self.name} classifier, {WIDTH} features, {self.digest[:12]}"

    def state(self) -> documents.State:
        """Return the network as JSON values and arrays."""
        document = {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "peak": self.peak,
            "classes": self.classes,
            "accuracy": self.accuracy,
        }
        return document, {name: weight.cpu().numpy() for name, weight in self.state_dict().items()}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Return the network that :meth:`state` described, weights bit for bit."""
        its = documents.read(_Document, document, "features")
        documents.check_finite(arrays)
        documents.array(arrays, "stages.0.weight", (None, its["shape"][2], None, None))  # before memory is taken for it
        if min(its["shape"]) < 1 or its["peak"] <= 0 or not documents.is_number_type(its["dtype"]):
            raise ArtifactError("features must be of pictures of numbers, whose peak is above 0")
        with torch.random.fork_rng([]):  # first weights are drawn, and at once replaced
            network = cls(its["name"], its["shape"], its["dtype"], its["peak"], its["classes"])
        network.accuracy = its["accuracy"]
        network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        return network.eval()


class _Document(TypedDict):
    name: str
    shape: tuple[int, int, int]
    dtype: str
    peak: float
    classes: list[int] | list[str] | list[float] | list[bool]
    accuracy: float | None


def _stages(shape: Sequence[int]) -> tuple[list[nn.Module], tuple[int, int, int]]:
    """Return convolutions that halve pictures until their sides are at most 8, and the shape of what they return."""
    height, width, channels = shape
    if max(height, width) <= _LARGEST:  # small already: look at it as it is
        return [nn.Conv2d(channels, _FIRST, 3, padding=1), nn.ReLU()], (_FIRST, height, width)
    layers: list[nn.Module] = []
    kernel, outputs = 5, _FIRST
    while max(height, width) > _LARGEST:
        layers += [nn.Conv2d(channels, outputs, kernel, stride=2, padding=kernel // 2), nn.ReLU()]
        channels, height, width = outputs, -(-height // 2), -(-width // 2)
        kernel, outputs = 3, _REST
    return layers, (channels, height, width)
