"""Preprocessor of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus import documents
from isthmus.checks.preprocessing import (
    check_channels,
    check_finite_range,
    check_image_units,
    refuse_image_rank,
)
from isthmus.preprocessing.arrays import shared
from isthmus.preprocessing.base import Arrays, EncodedBlock, Preprocessor
from isthmus.preprocessing.differences import Differences
from isthmus.preprocessing.scaling import SCALINGS, Centring, affine, unit_range
from isthmus.preprocessing.statistics import SAMPLE, Extremes, Moments, blocks, evenly_spaced
from isthmus.preprocessing.summary import Summary

if TYPE_CHECKING:
    from isthmus.data import Data

__all__ = ["ImagePreprocessor"]

Float64 = NDArray[np.float64]
Pictures = NDArray[Any] | list[NDArray[Any]]


class ImagePreprocessor(Preprocessor):
    """Pictures, each of ``shape_ = (channels, height, width)``; channels last outside, first inside.

    8-bit and boolean pictures stay 8-bit; other dtypes become float32. A block of grey pictures is reshaped without a
    copy, channels are moved with one. Scaling is per channel. Decoding rounds whole-number dtypes and clips them to the
    dtype's range; pictures of a float dtype that lay within [0, 1] at fit are clipped to it, and channels that had one
    value come back with it.

    The smallest and largest values are exact. Means and spreads of more than 4,096 pictures are those of an evenly
    spaced subset of at most that many, except that ``rescale("standard")`` and ``"common"`` compute exact ones.
    """

    kind = "image"
    scalings = tuple(scaling for scaling in SCALINGS if scaling != "quantile")
    _centring: Centring

    def _fit(self, data: Data) -> None:
        shape = data.schema.shape
        channels = 1 if len(shape) == 2 else int(shape[2] or 1)
        extremes, moments = self._scan(data, SAMPLE)
        low = extremes.low.reshape(-1, channels).min(axis=0)
        high = extremes.high.reshape(-1, channels).max(axis=0)
        labels = tuple(f"channel {i}" for i in range(channels))
        check_finite_range(low, high, labels)
        mean, std = moments.of_groups(channels, low, high)
        self.shape_ = (channels, shape[0], shape[1])
        self.summary_ = Summary(
            kind=self.kind,
            low=low.astype(np.float64),
            high=high.astype(np.float64),
            mean=mean,
            std=std,
            names=labels,
            integers=extremes.integers,
            binary=extremes.binary,
            one_hot=False,
            dtype=data.schema.dtype,
        )
        self._centring = Centring.choose(low.reshape(-1, 1, 1), high.reshape(-1, 1, 1), np.dtype(data.schema.dtype))

    def _scan(self, data: Data, sample: int) -> tuple[Extremes, Moments]:
        """Look at all pictures: position by position where they have one size, otherwise pixel by pixel."""
        extremes, moments = Extremes(one_hot=False), Moments()
        for start, block in blocks(data):
            if isinstance(block, list):
                for picture in block:
                    extremes.update(_rows(picture[None], pixels=True))
                for picture in block[(-start) % -(-len(data) // sample) :: -(-len(data) // sample)]:
                    moments.update(_rows(picture[None], pixels=True))
            else:
                extremes.update(_rows(block))
                moments.update(_rows(evenly_spaced(block, start, len(data), sample)))
        return extremes, moments

    def _rescale(self, scaling: str, data: Data | None) -> tuple[Float64, Float64]:
        summary, channels = self.summary_, len(self.summary_.low)
        mean, std = summary.mean, summary.std
        if scaling in ("standard", "common") and data is not None and len(data) > SAMPLE:
            moments = Moments()
            for _, block in blocks(data):
                for rows in [_rows(p[None], pixels=True) for p in block] if isinstance(block, list) else [_rows(block)]:
                    moments.update(rows)
            mean, std = moments.of_groups(channels, summary.low, summary.high)
        start, end, note = unit_range(summary.low, summary.high, summary.dtype, integers=summary.integers)
        if note and scaling in ("unit", "symmetric"):
            self._scaling_notes.append(note)
        shift, factor = (shared(v).reshape(-1, 1, 1) for v in affine(scaling, start, end, mean, std))
        return shared(self._centring.centre(shift)), shared(factor * self._centring.unit)

    def encode(self, block: Pictures, differences: Differences | None = None) -> EncodedBlock:
        """Return pictures with their channels first.

        Parameters
        ----------
        block : ndarray, shape (b, height, width) or (b, height, width, channels), or list of single pictures
            Of any real dtype.
        differences : Differences, optional
            Counts numbers that differ from those of the fit.

        Returns
        -------
        ndarray, shape (b, channels, height, width), or list of ndarray, each (channels, height, width)
            uint8 for 8-bit and boolean pictures, otherwise float32. A view of the block where only its shape changes.

        Raises
        ------
        ShapeError
            The rank or the number of channels differs from training.
        DataError
            Fractions in [0, 1] where training had whole numbers on a larger scale, or a value beyond 32-bit floats.
        """
        if isinstance(block, list):
            return [self._encode(np.asarray(picture)[None], differences)[0] for picture in block]
        return self._encode(np.asarray(block), differences)

    def _encode(self, block: NDArray[Any], differences: Differences | None) -> NDArray[Any]:
        if block.ndim not in (3, 4):
            refuse_image_rank(block.shape)
        channels = len(self.summary_.low)
        check_channels(block.shape[3] if block.ndim == 4 else 1, channels)
        if block.dtype == bool:
            block = block.view(np.uint8)
        if block.dtype.kind == "f" and np.dtype(self.summary_.dtype).kind != "f":
            check_image_units(block, self.summary_.dtype, float(self.summary_.high.max()))
        if differences is not None:
            self._count(_rows(block, pixels=True), differences)
        if channels == 1:
            return self._centred(block.reshape(len(block), 1, *block.shape[1:3]))
        return self._centred(np.ascontiguousarray(block.transpose(0, 3, 1, 2)))

    def _centred(self, pictures: NDArray[Any]) -> NDArray[Any]:
        """Return pictures, channels first, in encoded units."""
        return pictures if pictures.dtype == np.uint8 and self._centring.identity else self._centring.encode(pictures)

    def decode(self, x: Pictures) -> Pictures:
        """Return pictures in the source's units, dtype and axis order.

        Parameters
        ----------
        x : ndarray, shape (b, channels, height, width), or list of ndarray, each (channels, height, width)
            In encoded units.

        Returns
        -------
        ndarray, shape (b, height, width[, channels]), or list of single pictures
            Of the source's dtype.
        """
        if isinstance(x, list):
            return [self._decode(np.asarray(picture)[None])[0] for picture in x]
        return self._decode(np.asarray(x))

    def _decode(self, x: NDArray[Any]) -> NDArray[Any]:
        pictures = self._decoded(x)
        if len(self.schema_.shape) == 2:
            return pictures[:, 0]
        return np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))

    def _decoded(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return pictures in the source's units and dtype, channels first."""
        if x.ndim != 4:
            refuse_image_rank(x.shape)
        check_channels(x.shape[1], len(self.summary_.low))
        pictures = self._with_constants(self._centring.decode(x))
        return np.clip(pictures, 0, 1) if pictures.dtype.kind == "f" and self._is_share else pictures

    def snap(self, x: Pictures) -> EncodedBlock:  # noqa: D102
        if isinstance(x, list):
            return [self.snap(picture[None])[0] for picture in x]
        pictures = self._decoded(x)
        return self._centred(pictures.view(np.uint8) if pictures.dtype == bool else pictures)

    @property
    def _is_share(self) -> bool:
        """Whether all values of the fit lay within [0, 1]."""
        return bool(self.summary_.low.min() >= 0 and self.summary_.high.max() <= 1)

    @property
    def _is_bounded(self) -> bool:
        return super()._is_bounded or self._is_share

    def _to_scaled(self, values: Float64) -> Float64:
        return (self._centring.centre(values.reshape(-1, 1, 1)) - self.shift_) * self.factor_

    def _log_unit(self) -> Float64:
        return np.log(self._centring.unit.astype(np.float64))

    def _own_state(self) -> documents.State:
        centring, arrays = self._centring.state()
        return {"centring": centring}, arrays

    def _load_own_state(self, document: dict[str, Any], arrays: Arrays) -> None:
        self._centring = Centring.from_state(document["centring"], arrays)


def _rows(block: NDArray[Any], *, pixels: bool = False) -> NDArray[Any]:
    """Return (b, h, w[, c]) as rows (b, h * w * c), or with ``pixels`` as (b * h * w, c)."""
    if not pixels:
        return block.reshape(len(block), -1)
    return block.reshape(-1, 1 if block.ndim == 3 else block.shape[3])
