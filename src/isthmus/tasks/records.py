"""Records and their reconstructions side by side, as the network sees them: rows of numbers in comparable units."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import data as isthmus_data
from isthmus.data import Data

__all__ = ["Feature", "Reader", "reader_of"]

MOST_CATEGORIES = 20  # values of a column up to which each of them is tried in a row

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Feature:
    """What a person calls one feature of a record, and the encoded numbers that it became.

    Parameters
    ----------
    name : str
    place : slice
        Of the flat encoded record.
    """

    name: str
    place: slice


class Reader(ABC):
    """How records become numbers that reconstructions can be compared with.

    Attributes
    ----------
    is_class : ndarray of bool, shape (d,)
        Which numbers are codes of classes, equal or not; the others are quantities.
    mask : ndarray of int64, shape (d,)
        Of a quantity that can be missing, the number that says whether it was there; else -1.
    picture : tuple of int or None
        Channels, height and width of pictures.
    """

    is_class: NDArray[np.bool_]
    mask: NDArray[np.int64]
    picture: tuple[int, int, int] | None = None

    @abstractmethod
    def numbers(self, block: Any) -> Float64:
        """Return a block of records as rows of numbers, (b, d), in the units that the network sees."""

    @abstractmethod
    def decoded(self, codes: Float32) -> Any:
        """Return the block of records that codes stand for."""

    @abstractmethod
    def reconstructed(self, data: Data) -> Any:
        """Return the block of the reconstructions of records."""

    @property
    @abstractmethod
    def features(self) -> list[Feature]:
        """The features of a record by the names that a person knows."""

    @abstractmethod
    def cell(self, block: Any, row: int, feature: int) -> Any:
        """Return one value of a block, in the units and type of the data."""

    def categories(self, feature: int) -> Any:
        """Return the values that a feature can have, as an Arrow array; None where it is a quantity, or has many."""
        return None

    def pairs(self, data: Data) -> Iterator[tuple[Float64, Float64]]:
        """Yield records and their reconstructions as numbers, block by block."""
        for start, block in data.chunks():
            rows = data.subset(np.arange(start, start + len(block)))
            yield self.numbers(block), self.numbers(self.reconstructed(rows))

    def quantities(self, data: Data) -> Float64:
        """Return the numbers of records that are no classes, (n, quantities)."""
        return np.concatenate([self.numbers(block)[:, ~self.is_class] for _, block in data.chunks()])


def reader_of(model: Any, data: Data | None = None) -> Reader:
    """Return how records are read with a fitted model; one of another library needs data to learn the scale from."""
    return ModelReader(model) if data is None or hasattr(model, "preprocessor_") else MatrixReader(model, data)


class ModelReader(Reader):
    """Records of any kind, as a model of isthmus encodes and scales them."""

    def __init__(self, model: Any) -> None:
        self.model, self.pre = model, model.preprocessor_
        shape = tuple(int(side or 0) for side in self.pre.shape_)
        size = int(np.prod(shape))
        self.is_class, self.mask = np.full(size, self.pre.classes_ > 0), np.full(size, -1)
        for field in self.pre.fields_:
            self.is_class[field.index], self.mask[field.index] = field.kind != "number", field.mask
        if model.schema_.kind == "image":
            self.picture = shape  # type: ignore[assignment]

    def numbers(self, block: Any) -> Float64:
        encoded = np.asarray(self.pre.encode(block), np.float64)
        return np.asarray((encoded - self.pre.shift_) * self.pre.factor_).reshape(len(encoded), -1)

    def decoded(self, codes: Float32) -> Any:
        return self._block(self.model.inverse_transform(codes))

    def reconstructed(self, data: Data) -> Any:
        return self._block(self.model.reconstruct(data))

    def _block(self, records: Any) -> Any:
        data = isthmus_data.by_name(isthmus_data.open(records), self.model.schema_)
        return data.chunk(0, len(data))

    @cached_property
    def features(self) -> list[Feature]:
        schema = self.model.schema_
        if schema.kind == "table":
            found = ((column.name, place) for column, place in self.pre.places())
            return [Feature(name, place) for name, place in found if place.start < place.stop]
        if schema.kind == "image":
            return _pixels(schema.shape)
        return [Feature(name, slice(i, i + 1)) for i, name in enumerate(_names(schema, len(self.is_class)))]

    @cached_property
    def _columns(self) -> dict[str, Any]:
        return {column.name: column for column, _ in self.pre.places()}

    def categories(self, feature: int) -> Any:
        if self.model.schema_.kind != "table":
            return None
        column = self._columns[self.features[feature].name]
        values = column.values.slice(0, len(column.values) - 1) if column.kind == "categories" else ()
        return values if 0 < len(values) <= MOST_CATEGORIES else None

    def cell(self, block: Any, row: int, feature: int) -> Any:
        kind = self.model.schema_.kind
        if kind == "table":
            return block.column(self.features[feature].name)[row].as_py()
        if kind == "text":
            text = block[row]
            return chr(text[feature]) if feature < len(text) else ""
        return np.asarray(block[row]).reshape(-1)[feature].item()


class MatrixReader(Reader):
    """Rows of numbers for a model of another library, each divided by its deviation in training."""

    def __init__(self, model: Any, data: Data) -> None:
        self.model, self.schema = model, data.schema
        rows = self._rows(data.chunk(0, len(data)))
        deviation = rows.std(axis=0)
        self.scale = np.where(deviation > 0, deviation, 1.0)
        self.is_class, self.mask = np.zeros(rows.shape[1], bool), np.full(rows.shape[1], -1)

    def _rows(self, block: Any) -> Float64:
        return np.asarray(block, np.float64).reshape(len(block), -1)

    def numbers(self, block: Any) -> Float64:
        return self._rows(block) / self.scale

    def decoded(self, codes: Float32) -> Any:
        return self.model.inverse_transform(codes)

    def reconstructed(self, data: Data) -> Any:
        rows = np.asarray(data.chunk(0, len(data))).reshape(len(data), -1)
        if hasattr(self.model, "reconstruct"):
            return self.model.reconstruct(rows)
        return self.model.inverse_transform(self.model.transform(rows))

    @cached_property
    def features(self) -> list[Feature]:
        if self.schema.kind == "image":
            return _pixels(self.schema.shape)
        return [Feature(name, slice(i, i + 1)) for i, name in enumerate(_names(self.schema, len(self.scale)))]

    def cell(self, block: Any, row: int, feature: int) -> Any:
        return np.asarray(block[row]).reshape(-1)[feature].item()


def _names(schema: Any, count: int) -> list[str]:
    """Return the names of an array's columns or a text's places, their numbers where they have none."""
    if schema.names:
        return list(schema.names)
    what = "character" if schema.kind == "text" else "column"
    return [f"{what} {index}" for index in range(count)]


def _pixels(shape: tuple[int | None, ...]) -> list[Feature]:
    """Return the pixels of pictures (height, width[, channels]), line by line; encoded ones have channels first."""
    height, width, channels = (*(int(side or 0) for side in shape), 1)[:3]
    encoded = np.arange(channels * height * width).reshape(channels, height, width).transpose(1, 2, 0).reshape(-1)
    names = [
        f"pixel ({y}, {x})" + (f" channel {c}" if channels > 1 else "")
        for y in range(height)
        for x in range(width)
        for c in range(channels)
    ]
    return [Feature(name, slice(int(i), int(i) + 1)) for name, i in zip(names, encoded, strict=True)]
