"""Base class of preprocessors: fitted on data, exactly invertible, and stored as JSON values and arrays."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict

import numpy as np
from numpy.typing import NDArray

from isthmus import documents
from isthmus.checks.preprocessing import (
    check_affine_state,
    check_codes_state,
    check_kind_state,
    check_round_trip,
    check_scaling,
    check_shape_state,
    refuse_state,
)
from isthmus.data.schema import Schema
from isthmus.preprocessing.differences import Differences, count_beyond, count_fractions, limits_of
from isthmus.preprocessing.scaling import SCALINGS, unit_range
from isthmus.preprocessing.summary import Field, ScaledSummary, Summary

if TYPE_CHECKING:
    from isthmus.data import Data

__all__ = ["MAX_TRIED_NUMBERS", "Arrays", "EncodedBlock", "Preprocessor"]

MAX_TRIED_NUMBERS = 2**22  # numbers of a blank record that is tried: a network makes many times as many on the way
SMALL = 2  # pixels along a side of a picture that stands for any

Arrays = dict[str, NDArray[Any]]
EncodedBlock = NDArray[Any] | list[NDArray[Any]]  # the list for pictures whose sizes differ
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class _State(TypedDict):
    schema: dict[str, Any]
    shape: tuple[int | None, ...]
    scaling: str
    notes: list[str]
    summary: dict[str, Any]


class Preprocessor(ABC):
    """Base class: encodes records as numbers for a network, and decodes them.

    ::

        block --encode--> encoded --(e - shift_) * factor_--> scaled --network
        block <--decode-- encoded <--(s / factor_) + shift_-- scaled <--network

    ``encode`` and ``decode`` run on the host and work record by record: the result for a record never depends on the
    others of its block. The affine step in the middle belongs to the device.

    Attributes
    ----------
    schema_ : Schema
        Of the data at fit.
    summary_ : Summary
        Ranges, means and kinds of the values.
    shape_ : tuple of (int or None)
        Of one encoded record; ``None`` for the sides of pictures whose sizes differ.
    fields_ : tuple of Field
        What each encoded column of a table is; empty for the other kinds.
    scaling_ : str
        The scaling in force, ``"none"`` after fit.
    shift_, factor_ : ndarray of float32, broadcastable to ``shape_``
        The network sees ``(encoded - shift_) * factor_``. Of one element where all values share one scale.
    step_ : ndarray of float32 or None
        Width of one whole-number step in scaled units, shaped like ``factor_``; ``None`` where values are not whole.
    classes_ : int
        How many symbols the encoded whole numbers stand for: 257 for texts, 0 for kinds whose numbers are quantities.
    notes_ : list of str
        Sentences about what was set aside, pooled or masked at fit.
    """

    kind: ClassVar[str]
    scalings: ClassVar[tuple[str, ...]] = SCALINGS

    schema_: Schema
    summary_: Summary
    shape_: tuple[int | None, ...]
    fields_: tuple[Field, ...] = ()
    classes_: int = 0
    scaling_: str
    shift_: Float32
    factor_: Float32
    step_: Float32 | None

    def __init__(self) -> None:
        self._fit_notes: list[str] = []
        self._scaling_notes: list[str] = []
        self._data: Data | None = None
        self._share = 1.0  # of all records that the fit looks at

    def fit(self, data: Data, *, of: int | None = None) -> Self:
        """Learn everything but the scaling, in one pass over the data.

        Parameters
        ----------
        data : Data
            Training records. A reference to them is kept until :meth:`rescale` is called.
        of : int, optional
            How many records there are, where ``data`` are only some of them.

        Returns
        -------
        Preprocessor
            Itself, with scaling ``"none"``.

        Raises
        ------
        DataError
            A value is not finite, or nothing is left to model.
        """
        self._fit_notes, self._scaling_notes = [], []
        self.schema_, self._share = data.schema, 1.0 if of is None else len(data) / max(len(data), of)
        self._fit(data)
        self.rescale("none", data)
        self._data = data if len(self.scalings) > 1 else None
        return self

    def rescale(self, scaling: str, data: Data | None = None) -> Self:
        """Choose the scaling: sets ``shift_``, ``factor_`` and ``step_``.

        Parameters
        ----------
        scaling : {"none", "unit", "symmetric", "standard", "common", "quantile"}
            ``"unit"`` maps to [0, 1] and ``"symmetric"`` to [-1, 1] (which interval, says
            :func:`~isthmus.preprocessing.scaling.unit_range`), ``"standard"`` to mean 0 and standard deviation 1,
            ``"common"`` to mean 0 in each column or channel with one scale for all of them, so that squared errors keep
            their proportions, and ``"quantile"`` each column to a standard normal distribution, on the host, within
            ``encode``. Pictures have no ``"quantile"``, tables no ``"common"``, texts only ``"none"``.
        data : Data, optional
            The records of fit, for exact means and quantiles; by default those given to :meth:`fit`. The first call
            lets go of them; a later ``"standard"`` without data uses ``summary_``.

        Returns
        -------
        Preprocessor
            Itself.

        Raises
        ------
        ParameterError
            The kind of data has no such scaling, or quantiles are asked for when the data are gone.
        """
        check_scaling(type(self).__name__, scaling, self.scalings)
        data = self._data if data is None else data
        self._scaling_notes = []
        shift, factor = self._rescale(scaling, data)
        self._data = None
        self.scaling_ = scaling
        # Only "none" can ask for more than float32 has, on data that it cannot show to a network as they are anyway.
        most = float(np.finfo(np.float32).max)
        shift = np.clip(shift, -most, most)
        self._set_affine(shift.astype(np.float32), np.clip(factor, 1 / most, most).astype(np.float32))
        return self

    def _set_affine(self, shift: Float32, factor: Float32) -> None:
        self.shift_, self.factor_ = shift, factor
        self.step_ = factor if self.summary_.integers and self.scaling_ != "quantile" else None

    @property
    def notes_(self) -> list[str]:
        """Sentences about what was set aside, pooled or masked at fit."""
        return [*self._fit_notes, *self._scaling_notes]

    @property
    def set_aside_(self) -> tuple[str, ...]:
        """Names of the columns that no code holds: constants and ids of a table."""
        return ()

    @property
    def mean_record(self) -> Float64:
        """The mean record in encoded units, broadcastable to ``shape_``; masks are 1, categories the first code."""
        return self._to_scaled(self.summary_.mean) / self.factor_ + self.shift_

    def scaled_fields(self) -> tuple[Field, ...]:
        """Return ``fields_`` with the atoms of numbers in scaled units, as the network computes them."""
        return self.fields_

    def log_slopes(self) -> tuple[list[int], list[Float64], list[Float64]]:
        """Return of which columns quantiles were taken, and of each its edges of scores and log slopes between them."""
        return [], [], []

    def log_volume(self, shape: tuple[int, ...] | None = None) -> float:
        """Return the log of the volume change from source to scaled units of one record, in nats.

        A density in source units is the density in scaled units times the exponential of this. The quantile map is not
        affine and counts as 1 here; its slopes are those of :meth:`log_slopes`.

        Parameters
        ----------
        shape : tuple of int, optional
            Of one encoded record; needed where ``shape_`` has ``None``.
        """
        whole = tuple(int(side) for side in (self.shape_ if shape is None else shape) if side is not None)
        return float(np.broadcast_to(np.log(self.factor_.astype(np.float64)) - self._log_unit(), whole).sum())

    def scaled_summary(self) -> ScaledSummary:
        """Return ``summary_`` in scaled units."""
        summary = self.summary_
        low, high = (self._to_scaled(values) for values in (summary.low, summary.high))
        std = summary.std.reshape(low.shape)
        if self.scaling_ in ("standard", "quantile"):  # to 1 by what is known of all records, not of a sample
            std = (std > 0).astype(np.float64)
        else:
            std = std * (np.abs(self.factor_.astype(np.float64)) * np.exp(-self._log_unit()))
        return self._with_range(low, high, std)

    def _with_range(self, low: Float64, high: Float64, std: Float64) -> ScaledSummary:
        """Return a summary with the range that values have by the scaling in force."""
        ends = {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}.get(self.scaling_)
        bottom, top = (low, high) if ends is None else map(np.array, ends)
        return ScaledSummary(low, high, std, bottom, top)

    def _with_constants(self, records: NDArray[Any]) -> NDArray[Any]:
        """Return decoded records, (b, columns or channels, ...), with what never varied at fit as it was there."""
        low, high = self.summary_.low, self.summary_.high
        constant = (low == high) & (np.abs(low) < 2**53)  # beyond, float64 has not every whole number
        if constant.any():
            records = records.copy()
            records[:, constant] = low[constant].reshape(-1, *(1 for _ in records.shape[2:]))
        return records

    @property
    def _is_bounded(self) -> bool:
        """Whether numbers come back within one full scale: likelihoods of such numbers ask for these scalings."""
        return self.scaling_ in ("unit", "symmetric")

    def _count(self, rows: NDArray[Any], differences: Differences) -> None:
        """Count the numbers of rows, (b, columns or channels), that are unlike those of the fit."""
        summary = self.summary_
        start, end, _ = unit_range(summary.low, summary.high, summary.dtype, integers=summary.integers)
        count_beyond(differences, rows, limits_of(summary, start, end, bounded=self._is_bounded), summary)
        count_fractions(differences, rows, summary)

    def _to_scaled(self, values: Float64) -> Float64:
        """Return one value a column or channel, as ``summary_`` has them, in scaled units."""
        return (values - self.shift_) * self.factor_

    def _log_unit(self) -> Float64:
        return np.zeros(1)

    @abstractmethod
    def _fit(self, data: Data) -> None:
        """Set summary_, shape_, fields_ and mean_."""

    @abstractmethod
    def _rescale(self, scaling: str, data: Data | None) -> tuple[Float64, Float64]:
        """Return shift and factor."""

    @abstractmethod
    def encode(self, block: Any, differences: Differences | None = None) -> EncodedBlock:
        """Return a block of records as numbers.

        Parameters
        ----------
        block : block of records
            As ``Data.take`` returns it.
        differences : Differences, optional
            Counts values that differ from the data of the fit.

        Returns
        -------
        ndarray, shape (b, *shape_), or list of ndarray
            uint8 where the source is 8-bit or boolean, int16 for texts, float32 otherwise; for pictures of different
            sizes a list, one array (channels, height, width) each.
        """

    @abstractmethod
    def decode(self, x: Any) -> Any:
        """Return encoded records as a block in the source's units, dtypes and order.

        Parameters
        ----------
        x : ndarray of float32, shape (b, *shape_), or list of ndarray
            In encoded units: ``scaled / factor_ + shift_``.

        Returns
        -------
        block of records
            As ``Data.take`` returns it: rounded and clipped to the source's dtype, categories and dates restored,
            columns that were set aside put back.
        """

    @abstractmethod
    def snap(self, x: Any) -> EncodedBlock:
        """Return encoded records rounded and clipped as ``encode(decode(x))`` does, without decoding.

        Quantities are rounded and clipped as in the source's dtype, categories and masks are whole.

        Parameters
        ----------
        x : ndarray of float32, shape (b, *shape_), or list of ndarray
            In encoded units.

        Returns
        -------
        ndarray, shape (b, *shape_), or list of ndarray
            Of the type that :meth:`encode` returns.
        """

    def state(self) -> documents.State:
        """Return everything fitted, as JSON values and arrays."""
        summary, arrays = self.summary_.state()
        own, own_arrays = self._own_state()
        document = {
            "schema": self.schema_.to_dict(),
            "shape": list(self.shape_),
            "scaling": self.scaling_,
            "notes": [*self._fit_notes, *self._scaling_notes],
            "summary": summary,
            **own,
        }
        return document, {**arrays, "shift": self.shift_, "factor": self.factor_, **own_arrays}

    @classmethod
    def from_state(cls, document: dict[str, Any], arrays: Arrays) -> Self:
        """Return the preprocessor that :meth:`state` wrote, equal to it bit for bit.

        Parameters
        ----------
        document : dict
            The JSON part.
        arrays : dict of ndarray
            The arrays.

        Raises
        ------
        ArtifactError
            The state is incomplete or was altered.
        """
        try:
            return cls._from_state(document, arrays)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as reason:
            raise refuse_state(reason) from reason

    @classmethod
    def _from_state(cls, document: dict[str, Any], arrays: Arrays) -> Self:
        self = cls()
        its = documents.read(_State, document, "preprocessing")
        # A file's checksum does not tell one number without an axis from one along an axis.
        arrays = {name: np.atleast_1d(array) for name, array in arrays.items()}
        documents.check_finite(arrays)
        check_shape_state(its["shape"])
        self.schema_ = Schema.from_dict(its["schema"])
        self.summary_ = Summary.from_state(its["summary"], arrays)
        self.shape_, self.scaling_, self._fit_notes = its["shape"], its["scaling"], its["notes"]
        check_scaling(cls.__name__, self.scaling_, cls.scalings)
        check_kind_state(cls.kind, self.schema_.kind)
        self._load_own_state(document, arrays)
        shift, factor = (documents.array(arrays, name, (None,) * arrays[name].ndim) for name in ("shift", "factor"))
        check_affine_state(shift, factor)
        self._set_affine(shift, factor)
        self._prove()
        return self

    def _prove(self) -> None:
        """Encode and decode a blank record, so that an inconsistent file fails when it is loaded and not later."""
        with np.errstate(all="ignore"):  # ranges as wide as floats go overflow, as they do in use
            # Pictures may be of any size here; a small one takes no memory, whatever a file says.
            shape = (*self.shape_[:1], *(SMALL for _ in self.shape_[1:]))
            if math.prod(side or 1 for side in shape) > MAX_TRIED_NUMBERS:
                return
            blank = np.zeros((1, *(side or 1 for side in shape)), np.float32)
            block = self.decode(list(blank) if None in self.shape_ else blank)
            check_round_trip(shape, np.shape(self.encode(block)[0]))
            check_round_trip(shape, ((blank - self.shift_) * self.factor_).shape[1:])
            codes = [field.index for field in self.fields_ if field.kind != "number"]
            unscaled = (codes or slice(None)) if codes or self.classes_ else slice(0)
            check_codes_state(
                *(np.broadcast_to(part, blank.shape[1:])[unscaled] for part in (self.shift_, self.factor_))
            )
            self.scaled_summary()
            self.scaled_fields()
            self.log_slopes()
            self.log_volume(blank.shape[1:])

    @abstractmethod
    def _own_state(self) -> documents.State:
        """Return what the kind adds to the state."""

    @abstractmethod
    def _load_own_state(self, document: dict[str, Any], arrays: Arrays) -> None:
        """Set what :meth:`_own_state` returned."""

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the training data, which copies and pickles do not carry along."""
        return {**self.__dict__, "_data": None}
