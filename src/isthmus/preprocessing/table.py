"""Preprocessor of tables of mixed columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from isthmus import documents
from isthmus.checks.preprocessing import (
    check_categories,
    check_columns,
    check_missing,
    check_some_fields,
    check_width,
    refuse_missing_cell,
    refuse_quantiles_without_data,
)
from isthmus.data.arrow_schema import empty_table
from isthmus.data.column_types import plain, plain_type
from isthmus.data.restoring import plain_table, restore_table
from isthmus.preprocessing.base import Arrays, Preprocessor
from isthmus.preprocessing.columns import Dates, Numbers, SetAside, TableColumn, column_from_state
from isthmus.preprocessing.differences import Differences
from isthmus.preprocessing.quantiles import QUANTILE_SAMPLE
from isthmus.preprocessing.scaling import SCALINGS, affine, unit_range
from isthmus.preprocessing.scans import Scan, scan_for
from isthmus.preprocessing.summary import Field, ScaledSummary, Summary

if TYPE_CHECKING:
    import pyarrow as pa

    from isthmus.data import Data

__all__ = ["TablePreprocessor"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class _TableState(TypedDict):
    columns: list[dict[str, Any]]
    max_categories: int
    missing: Literal["mask", "refuse"]


class TablePreprocessor(Preprocessor):
    """Rows of mixed columns, each a vector of ``shape_ = (m,)`` with one :class:`Field` for each number.

    =====================  ===========================================================================================
    column                 becomes
    =====================  ===========================================================================================
    numbers                a number; beside it a mask (1 where observed) if cells were missing in training. Values that
                           many records share are told apart (see :mod:`isthmus.preprocessing.atoms`)
    dates, times, spans    a number of days, hours, ... with its mask, and sine and cosine of day, week and year where
                           the column spans them
    booleans, 0/1 numbers  a code 0 or 1; 2 where missing
    strings, categories    a code for each category, one for all rare and unseen ones, one for missing cells
    constants, ids         nothing; they are put back
    =====================  ===========================================================================================

    An id is a column of at least 10 strings that are all distinct, or of whole numbers that are, and that lie close
    together (see :mod:`isthmus.data.numbering`), in any order.
    A missing number is encoded as the column's mean. What is not in training (an empty cell in a full column, a new
    category, a number out of range) is counted by a :class:`~isthmus.preprocessing.differences.Differences`.

    Going back, numbers have the decimals and lie in the range of training. They are those of the source to the
    precision of 32-bit floats (see :mod:`isthmus.preprocessing.scaling`): exactly for whole numbers spread over less
    than 2**25, for decimals with up to about 7 digits, and for dates spread over less than 2**25 days, hours, ...
    whichever is the coarsest unit that fits them all. Wider ones are off by at most 2**-25 of their spread.

    Parameters
    ----------
    max_categories : int, default=256
        Categories that keep a code of their own; the less frequent share one.
    missing : {"mask", "refuse"}, default="mask"
        Whether missing cells are modelled, or refused with the first one named.
    """

    kind = "table"
    scalings = tuple(scaling for scaling in SCALINGS if scaling != "common")  # columns of one table have several units
    _columns: tuple[TableColumn, ...]
    _places: tuple[slice, ...]

    def __init__(self, *, max_categories: int = 256, missing: str = "mask") -> None:
        super().__init__()
        owner = type(self).__name__
        self.max_categories = check_categories(owner, max_categories)
        check_missing(owner, missing)
        self.missing = missing
        self._types: dict[str, pa.DataType] = {}

    @property
    def set_aside_(self) -> tuple[str, ...]:
        """Names of the columns that no code holds: constants and ids."""
        return tuple(column.name for column in self._columns if isinstance(column, SetAside))

    @property
    def ids_(self) -> tuple[str, ...]:
        """Names of those that are ids, which tell records apart and say nothing else of them."""
        return tuple(column.name for column in self._columns if isinstance(column, SetAside) and column.id)

    def _fit(self, data: Data) -> None:
        self._learn_types()
        scans = [
            scan_for(c.name, c.type, self._types[c.name], missing=self.missing, most=self.max_categories)
            for c in data.schema.columns
        ]
        for scan in scans:
            scan.share = self._share
        self._look_at(data, scans)
        self._look_at(data, [rest for scan in scans if (rest := scan.rest(len(scans))) is not None])
        learned = [scan.column() for scan in scans]
        self._columns = tuple(column for column, _ in learned)
        self._fit_notes = [note for _, note in learned if note]
        self._lay_out()
        check_some_fields(self.fields_, self._fit_notes)
        ranges = np.concatenate([column.ranges for column in self._columns])
        self.summary_ = Summary(
            kind=self.kind,
            low=ranges[:, 0].copy(),
            high=ranges[:, 1].copy(),
            mean=ranges[:, 2].copy(),
            std=ranges[:, 3].copy(),
            names=tuple(f"column {field.name!r}" for field in self.fields_ if field.kind == "number"),
            integers=False,
            binary=False,
            one_hot=False,
            dtype=data.schema.dtype,
        )
        self.shape_ = (len(self.fields_),)

    @staticmethod
    def _look_at(data: Data, scans: list[Scan]) -> None:
        if not scans:
            return
        for start, block in data.chunks():
            for scan in scans:
                scan.update(block.column(scan.name), start)

    def _learn_types(self) -> None:
        schema = empty_table(self.schema_).schema
        self._types = {field.name: plain_type(field.type) for field in schema}

    def _lay_out(self) -> None:
        fields: list[Any] = []
        starts = [0]
        for column in self._columns:
            fields += column.fields(len(fields))
            starts.append(len(fields))
        self.fields_ = tuple(fields)
        self._places = tuple(map(slice, starts, starts[1:]))

    @property
    def mean_record(self) -> Float64:  # noqa: D102
        kinds = np.array([field.kind for field in self.fields_])
        mean = np.where(kinds == "mask", 1.0, 0.0)
        # Quantiles are normal scores, whose mean is 0.
        mean[kinds == "number"] = 0 if self.scaling_ == "quantile" else self.summary_.mean
        return mean

    def scaled_fields(self) -> tuple[Field, ...]:
        """Return the fields with their atoms in scaled units, as the network computes them."""
        shift, factor = (np.broadcast_to(part, len(self.fields_)) for part in (self.shift_, self.factor_))

        def scaled(field: Field) -> Field:
            atoms = (np.array(field.atoms, np.float32) - shift[field.index]) * factor[field.index]
            return replace(field, atoms=tuple(atoms.tolist())) if field.atoms else field

        return tuple(map(scaled, self.fields_))

    def places(self) -> Iterator[tuple[TableColumn, slice]]:
        """Yield each column of the source, and its place in the encoded matrix; that of one set aside is empty."""
        yield from zip(self._columns, self._places, strict=True)

    def _rescale(self, scaling: str, data: Data | None) -> tuple[Float64, Float64]:
        self._columns = self._with_quantiles(data) if scaling == "quantile" else self._without_quantiles()
        shift, factor = np.zeros(len(self.fields_)), np.ones(len(self.fields_))
        for column, place in self.places():
            low, high, mean, std = column.ranges.T
            start, end, _ = unit_range(low, high, "float64", integers=False) if len(low) else (low, high, "")
            shifts, factors = affine("standard" if scaling == "quantile" else scaling, start, end, mean, std)
            if scaling == "quantile":
                shifts[:1], factors[:1] = 0, 1  # the column's main number; a date's periods are standardised
            numbers = [field.index for field in self.fields_[place] if field.kind == "number"]
            shift[numbers], factor[numbers] = shifts, factors
        self._lay_out()  # atoms lie elsewhere among quantiles
        return shift, factor

    def _without_quantiles(self) -> tuple[TableColumn, ...]:
        def plain(column: TableColumn) -> TableColumn:
            if isinstance(column, Dates):
                return replace(column, number=replace(column.number, quantiles=None))
            return replace(column, quantiles=None) if isinstance(column, Numbers) else column

        return tuple(map(plain, self._columns))

    def _with_quantiles(self, data: Data | None) -> tuple[TableColumn, ...]:
        import pyarrow as pa

        if data is None:
            refuse_quantiles_without_data(type(self).__name__)
        stride = -(-len(data) // QUANTILE_SAMPLE)
        parts = [block.take(np.arange((-start) % stride, len(block), stride)) for start, block in data.chunks()]
        sample = pa.concat_tables(parts)

        def learned(column: TableColumn) -> TableColumn:
            if isinstance(column, Dates):
                return column.with_quantiles(sample.column(column.name), self._types[column.name])
            return column.with_quantiles(sample.column(column.name)) if isinstance(column, Numbers) else column

        return tuple(map(learned, self._columns))

    def encode(self, block: pa.Table, differences: Differences | None = None) -> Float32:
        """Return rows as numbers.

        Parameters
        ----------
        block : pyarrow.Table
            With the columns of training, in any order; others are not looked at.
        differences : Differences, optional
            Counts cells that differ from those of the fit.

        Returns
        -------
        ndarray of float32, shape (b, m)
            One column a field.

        Raises
        ------
        ShapeError
            A column is absent.
        DataTypeError
            A column holds another kind of values.
        DataError
            A cell is empty and that is refused.
        """
        check_columns([column.name for column in self._columns if not isinstance(column, SetAside)], block.column_names)
        matrix = np.empty((len(block), len(self.fields_)), dtype=np.float32)
        present = set(block.column_names)
        for column, place in self.places():
            if isinstance(column, SetAside):
                if differences is not None and column.name in present:
                    column.encode(block.column(column.name), differences)
                continue
            cells = plain(block.column(column.name))
            if self.missing == "refuse" and cells.null_count:
                refuse_missing_cell(column.name, int(np.argmin(cells.is_valid().to_numpy())))
            if isinstance(column, Dates):
                matrix[:, place] = column.encode_as(cells, self._types[column.name], differences)
            else:
                matrix[:, place] = column.encode(cells, differences)
        return matrix

    def decode(self, x: NDArray[Any], like: pa.Table | None = None) -> pa.Table:
        """Return rows in the source's types, with its columns in their order.

        Parameters
        ----------
        x : ndarray of float32, shape (b, m)
            In encoded units; category codes are rounded, masks cut at one half.
        like : pyarrow.Table, optional
            The records that ``x`` came from: constants and ids, which no code holds, are copied from there. Otherwise
            constants come back as in training, and ids empty or as 0.

        Returns
        -------
        pyarrow.Table
            Columns and categories as at fit, in plain types (see :mod:`isthmus.data.column_types`).

        Raises
        ------
        ShapeError
            The width differs from training.
        """
        import pyarrow as pa

        x = np.asarray(x)
        check_width(x.shape, len(self.fields_))
        arrays = {}
        present = set() if like is None else set(like.column_names)
        for column, place in self.places():
            if like is not None and isinstance(column, SetAside) and column.name in present:
                arrays[column.name] = column.copied(like.column(column.name))
            else:
                arrays[column.name] = column.decode(x[:, place], self._types[column.name])
        return plain_table(restore_table(pa.table(arrays), self.schema_))

    def snap(self, x: NDArray[Any]) -> Float32:  # noqa: D102
        x = np.asarray(x)
        check_width(x.shape, len(self.fields_))
        snapped = np.empty(x.shape, np.float32)
        for column, place in self.places():
            if place.start < place.stop:
                snapped[:, place] = column.snap(x[:, place])
        return snapped

    def scaled_summary(self) -> ScaledSummary:
        """Return the summary of each field in scaled units, (m,); masks and categories go from 0 to their last code."""
        numbers = [field.index for field in self.fields_ if field.kind == "number"]
        low = np.zeros(len(self.fields_))
        high = np.array([float(max(1, field.size - 1)) for field in self.fields_])
        std = np.ones(len(self.fields_))
        low[numbers], high[numbers], std[numbers] = self.summary_.low, self.summary_.high, self.summary_.std
        for column, place in self.places():
            number = column.number if isinstance(column, Dates) else column
            if isinstance(number, Numbers) and number.quantiles is not None:
                ends = number.quantiles.forward(np.array([low[place.start], high[place.start]]))
                low[place.start], high[place.start], std[place.start] = ends[0], ends[1], 1.0
        return self._with_range(self._to_scaled(low), self._to_scaled(high), std * self.factor_)

    def log_slopes(self) -> tuple[list[int], list[Float64], list[Float64]]:  # noqa: D102
        indices, edges, logs = [], [], []
        for column, place in self.places():
            number = column.number if isinstance(column, Dates) else column
            if isinstance(number, Numbers) and number.quantiles is not None:
                its_edges, its_logs = number.quantiles.log_slopes()
                indices.append(place.start)
                edges.append(its_edges)
                logs.append(its_logs)
        return indices, edges, logs

    def _log_unit(self) -> Float64:
        units = np.zeros(len(self.fields_))
        for column, place in self.places():
            number = column.number if isinstance(column, Dates) else column
            if isinstance(number, Numbers):
                units[place.start] = np.log(float(number.centring.unit[0]))
        return units

    def _own_state(self) -> documents.State:
        columns: list[dict[str, Any]] = []
        arrays: Arrays = {}
        for index, column in enumerate(self._columns):
            document, its_arrays = column.state()
            columns.append({"kind": column.kind, **document})
            arrays |= documents.prefixed(f"column.{index}", its_arrays)
        own = {"columns": columns, "max_categories": self.max_categories, "missing": self.missing}
        return own, arrays

    def _load_own_state(self, document: dict[str, Any], arrays: Arrays) -> None:
        its = documents.read(_TableState, document, "preprocessing")
        self.max_categories, self.missing = its["max_categories"], its["missing"]
        of_column: list[Arrays] = [{} for _ in its["columns"]]
        for key, array in arrays.items():
            if key.startswith("column."):
                _, index, name = key.split(".", 2)
                of_column[int(index)][name] = array
        self._columns = tuple(map(column_from_state, its["columns"], of_column))
        self._learn_types()
        self._lay_out()
