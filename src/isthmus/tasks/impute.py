r"""Imputation: fill missing cells, with an interval for each.

Rows of numbers and tables are filled by what the model and regressions on the other columns say together, weighed by
how far each is off in cells that were hidden, whose errors give the intervals too: :mod:`isthmus.tasks.blending`. What
the model says, and what pictures and columns of too few known cells are filled with:

Draws. A model with a posterior of codes (it has the method ``conditional_draws``) draws the missing cells from
p(missing | observed), see :mod:`isthmus.models.vae`. A number is filled with the mean of its draws and lies between
their quantiles; a category is the most frequent one. Every other model fills as :func:`isthmus.tasks.inpaint` does.

Intervals that hold. Draws are as good as the model, and other models have none. So cells whose value is known are
hidden (the cells of other records' holes), filled in the same way, and each column's intervals are widened, or
narrowed, until they hold that share of them (conformalised quantile regression: Romano, Patterson and Candes, NeurIPS
2019, equations 6 to 8)::

    E = max(low - x, x - high)        of m hidden cells of a column, in the units that the network sees
    q = the ceil((m + 1) level)-th smallest E
    interval of a missing cell: [low - q, high + q]

With low = high = the filled value, where there are no draws, these are split-conformal residuals. A cell that is
missing for a reason that the hidden ones have not is not covered by that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus import checks, telling
from isthmus import data as isthmus_data
from isthmus.base import seed_of, seed_to_fit
from isthmus.capabilities import DrawsMissing, Reconstructs, has
from isthmus.data import Data, Schema
from isthmus.encoded import Encoded
from isthmus.preprocessing import Features
from isthmus.preprocessing.differences import shown
from isthmus.tasks.blending import MIN_KNOWN_CELLS, ColumnFit, blend
from isthmus.tasks.cells import Cells
from isthmus.tasks.held_out import rows_not_trained_on
from isthmus.tasks.masks import Marks, as_type, put, to_places
from isthmus.tasks.restore import begin, refine, with_types_of, without_nan

__all__ = ["Imputation", "impute"]

HIDDEN_RECORDS = 1000  # at most, whose known cells are hidden to see how far off their filling is
MIN_HELD_OUT_RECORDS = 10  # that were held out from a fit, for them alone to tell how far off the filling is
REPEATED = 200  # records to hide cells of, where each may serve more than once, with other cells hidden
HIDDEN_SHARE = 0.1  # of cells that are hidden at random, where the holes of other records hide none
EPOCHS = 30  # of a model of its own
MIN_HIDDEN_CELLS = 50  # hidden cells that a column needs for a width of its own; with fewer all columns share one
NUMBERS = 2**24  # numbers held at once: draws of a block of records

Bools = NDArray[np.bool_]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Imputation:
    """Filled records, with an interval for each filled cell.

    Parameters
    ----------
    records : records
        In the container and with the types of ``X``; observed cells are untouched.
    low, high : records
        The same records with the ends of the intervals in the filled cells; categories have no interval, and stand
        there as they were filled. Where no known cell of a column could be hidden, and so the error of its
        filling is, both are empty: NaN in an array, of whole numbers the ends of their type.
    marked : ndarray of bool, shape (n, ...)
        Which cells were filled: of a table (n, columns). Those of a column without any value stay empty.
    chance : ndarray of float64, of the same shape
        Of filled cells: the share of draws that agree on a category, or of hidden cells that were filled rightly; the
        level of the interval of a number. NaN elsewhere, and where there is no interval.
    level : float
        Share of the intervals that hold the true value.
    columns : tuple of ColumnFit
        Of a table, or an array (n, columns): what each column was filled by, and how far off that is in cells that were
        hidden from it, beside the mean or the most frequent value. Without the columns that the model alone filled.
    """

    records: Any
    low: Any
    high: Any
    marked: Bools
    chance: Float64
    level: float
    columns: tuple[ColumnFit, ...] = ()


@dataclass(frozen=True)
class Filled:
    """Encoded records (b, *shape) with filled cells, and the ends of their intervals."""

    middle: Float32
    low: Float32
    high: Float32
    chance: Float32

    @classmethod
    def without_draws(cls, encoded: Float32) -> Filled:
        """Return records whose intervals are the filled values themselves."""
        return cls(encoded, encoded, encoded, np.full(encoded.shape, np.nan, np.float32))


@telling.tells
def impute(
    model: Any,
    X: Any,
    mask: Any = None,
    *,
    level: float = 0.9,
    draws: int = 50,
    iterations: int = 10,
    random_state: Any = 0,
    device: str = "auto",
) -> Imputation:
    """Fill missing cells of records, each with an interval; observed cells come back exactly as they were.

    Rows of numbers and tables are filled from what their other cells say, the model's word beside that of regressions
    on the other columns: each counts by how far off it is in cells that were hidden, see
    :mod:`isthmus.tasks.blending`. Pictures, columns with fewer than eight known cells, and so a row that comes alone,
    are filled by the model only.

    Parameters
    ----------
    model : fitted model or None
        With the method ``reconstruct``, and its preprocessor, such as a ``VAE``. With None a denoising autoencoder
        learns on ``X`` to fill what it does not see. A model that was fitted on ``X`` itself is judged by the records
        that its fit held out, and has no say where these are fewer than ten.
    X : array, data frame, path, or Data
        Records with missing cells, of the shape that the model was fitted on.
    mask : array, data frame, path or list, optional
        What to fill, as :func:`isthmus.tasks.inpaint` takes it; by default the empty cells of a table and the NaNs of
        an array.
    level : float, default=0.9
        Share of the intervals that are to hold the true value.
    draws : int, default=50
        Of each missing cell, for models that draw.
    iterations : int, default=10
        Rounds between code and record by which cells are filled at first.
    random_state : int, RandomState or None, default=0
        Seed of the draws, of the cells that are hidden, of the regressions, and of a model of its own.
    device : str, default="auto"
        Where a model of its own is trained: "cpu", "cuda", "mps", or the fastest at hand.

    Returns
    -------
    Imputation
        Filled records, and both ends of the intervals, in the container and with the types of ``X``.

    Raises
    ------
    ParameterError
        The model cannot reconstruct, or a parameter is not allowed.
    ShapeError
        The mask fits neither one record nor all of them.
    DataError
        No cell is missing, or the data cannot be used with this model.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from isthmus import VAE
    >>> from isthmus.tasks import impute
    >>> X = load_iris().data
    >>> model = VAE(max_epochs=20, random_state=0).fit(X)
    >>> holes = X.copy()
    >>> holes[::10, 2] = np.nan
    >>> filled = impute(model, holes)
    >>> filled.records.shape, bool(np.isnan(filled.records).any())
    ((150, 4), False)
    """
    if model is not None:
        checks.can("impute", model, Reconstructs)
        checks.is_fitted("impute", model)
    checks.number("impute", "level", level, low=0, high=1, above=True, below=True)
    checks.integer("impute", "draws", draws, low=2)
    checks.integer("impute", "iterations", iterations, low=1)
    given, (X, mask) = X, without_nan(X) if mask is None else (X, mask)
    data = with_types_of(model, isthmus_data.open(X, schema=getattr(model, "schema_", None)))
    checks.one_size_to_impute(data.schema.kind, varies=None in data.schema.shape and data.schema.kind == "image")
    own = model is None
    seed = seed_to_fit(random_state, device) if own else seed_of(random_state)
    if model is None:
        model = _model_of(data, mask, seed, device)
        fresh = model.held_out_rows()
    else:
        data = isthmus_data.conform(data, model.schema_, "impute")
        fresh = rows_not_trained_on(model, data)
    telling.belongs(data, given)
    task = _Imputer(model, fresh, float(level), int(draws), int(iterations), seed, own)
    return task.impute(data, mask)


def _model_of(data: Data, mask: Any, seed: int, device: str) -> Any:
    """Return an autoencoder that learned to fill what was hidden, from records without what is to be filled."""
    from isthmus.models import DenoisingAutoencoder

    block = data.chunk(0, len(data))
    marked = np.ascontiguousarray(Marks(mask, data).of(0, block))
    checks.nothing_to_fill(data.source, int(marked.sum()))
    known = isthmus_data.open(isthmus_data.restore(_without(block, marked), data.schema))
    own = DenoisingAutoencoder(corruption="masking", max_epochs=EPOCHS, random_state=seed, device=device)
    return own.fit(known)


@dataclass(frozen=True)
class _Imputer:
    """Fills cells, and computes their intervals.

    Parameters
    ----------
    model : fitted model
    fresh : array of int
        Records that it was not trained on.
    level : float
    draws, iterations : int
    seed : int
    own : bool
        Whether the model was fitted on these very records.
    """

    model: Any
    fresh: NDArray[np.int64]
    level: float
    draws: int
    iterations: int
    seed: int
    own: bool

    def impute(self, data: Data, mask: Any) -> Imputation:
        """Return the records filled, with intervals."""
        block = data.chunk(0, len(data))
        marked = np.ascontiguousarray(Marks(mask, data).of(0, block))
        checks.nothing_to_fill(data.source, int(marked.sum()))
        records, _ = begin(self.model, data, 0, block, marked)
        found = self._by_columns(data.schema, records, block, marked) if marked.ndim == 2 else None
        rest = marked if found is None else found.rest
        ends, chance = [block] * 3, np.full(marked.shape, np.nan)
        if rest.any():
            ends, chance = self._by_model(records, block, marked, rest)
        if found is not None:
            ends = [put(old, new, marked & ~rest) for old, new in zip(ends, found.ends, strict=True)]
            chance = np.where(rest, chance, found.chance)
        hollow = self._hollow(block, ends[0], marked)
        if hollow.any():
            marked, chance = marked & ~hollow, np.where(hollow, np.nan, chance)
            ends = [_emptied(end, hollow) for end in ends]
            self._tell(data, hollow, "stay empty: there is no value in that column to learn from")
        unsure = marked & np.isnan(chance) & self._are_numbers(data, marked)
        if unsure.any():
            ends = [ends[0], *(_emptied(end, unsure, side) for end, side in zip(ends[1:], ("min", "max"), strict=True))]
            self._tell(data, unsure, "are filled without an interval: no known cell there tells how far off that is")
        middle, low, high = (isthmus_data.restore(end, data.schema, data.side_columns) for end in ends)
        return Imputation(middle, low, high, marked, chance, self.level, () if found is None else found.fits)

    def _hollow(self, block: Any, filled: Any, marked: Bools) -> Bools:
        """Return which cells nothing could fill: those of columns that neither the model's fit nor the records know."""
        if not isinstance(block, np.ndarray):
            return marked & _empty(filled) if marked.ndim == 2 else np.zeros(marked.shape, bool)
        return marked & (self.own & (marked.ndim == 2) & marked.all(axis=0))

    def _are_numbers(self, data: Data, marked: Bools) -> Bools:
        """Return which cells are numbers or dates, and not categories."""
        if data.schema.kind != "table":
            return np.ones(marked.shape, bool)
        kinds = np.array([column.type in ("number", "integer", "date") for column in data.schema.columns])
        return np.broadcast_to(kinds, marked.shape)

    def _tell(self, data: Data, cells: Bools, what: str) -> None:
        """Tell of cells, column by column."""
        counts = cells.reshape(len(cells), -1).sum(axis=0)
        names = [column.name for column in data.schema.columns] or list(data.schema.names)
        places = [f"column {shown(names[i]) if names else i}" for i in np.flatnonzero(counts)]
        where = telling.listed(places) if cells.ndim == 2 else f"{len(places):,} pixels"
        telling.note(f"{int(counts.sum()):,} cells of {where} {what}")

    def _by_columns(self, schema: Schema, records: Encoded, block: Any, marked: Bools) -> _ByColumns | None:
        """Return what the other columns and the model together say; None where no column has enough known cells."""
        known = ~(marked | _empty(block))
        cells = Cells.learn(schema, block, known)
        served = marked.any(axis=0) & cells.has_place & (known.sum(axis=0) >= MIN_KNOWN_CELLS)
        if not served.any():
            return None

        def fill(rows: NDArray[np.int64], its: Bools) -> Float64:
            encoded = self.fill(records.take(rows), its).middle
            return cells.numbers(self.model.preprocessor_.decode(encoded), its)

        found = blend(
            cells,
            cells.numbers(block, known),
            marked & served,
            fill,
            self.fresh if len(self.fresh) >= MIN_HELD_OUT_RECORDS else self.fresh[:0],
            self.level,
            self.seed,
        )
        ends = [cells.put(block, x) for x in (found.middle, found.low, found.high)]
        numbers = ~np.array([column.is_category for column in cells.columns])
        judged = {fit.name for fit in found.fits if fit.hidden}
        level = [self.level if column.name in judged else np.nan for column in cells.columns]
        chance = np.where(marked & served, np.where(numbers, level, found.chance), np.nan)
        return _ByColumns(ends, chance, marked & ~served, found.fits)

    def _by_model(self, records: Encoded, block: Any, marked: Bools, rest: Bools) -> tuple[list[Any], Float64]:
        """Return blocks with what the model alone fills in, the ends of its intervals, and the chance."""
        filled, share = self.fill(records, marked), self.widths(records, marked)
        ends = [filled.low - share.below, filled.high + share.below]
        chance = np.where(np.isnan(filled.chance), share.right, filled.chance)
        chance = np.where(share.judged, chance, np.nan)
        # An interval holds the value that was filled, however narrow draws of known cells would have it.
        ends = [np.minimum(ends[0], filled.middle), np.maximum(ends[1], filled.middle)]
        blocks = [put(block, self.model.preprocessor_.decode(x), rest) for x in (filled.middle, *ends)]
        return blocks, np.where(rest, self._to_cells(chance.astype(np.float64), block), np.nan)

    def fill(self, records: Encoded, marked: Bools) -> Filled:
        """Return encoded records with filled cells, and the ends of the intervals that draws give."""
        pre = self.model.preprocessor_
        rows = max(1, NUMBERS // (self.draws * int(np.prod(pre.shape_))))
        parts = []
        for some in np.array_split(np.arange(len(records)), -(-len(records) // rows)):
            holes = to_places(marked[some], pre)
            filled = refine(self.model, records.take(some), holes, iterations=self.iterations)
            parts.append(self._with_draws(np.asarray(filled.values), self._to_fields(marked[some])))
        names = ("middle", "low", "high", "chance")
        return Filled(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def _with_draws(self, encoded: NDArray[Any], marked: Bools) -> Filled:
        if not has(self.model, DrawsMissing) or not marked.any():
            return Filled.without_draws(encoded.astype(np.float32))
        rows = marked.reshape(len(marked), -1).any(axis=1)
        drawn = np.stack(
            list(
                self.model.conditional_draws(
                    np.ascontiguousarray(encoded[rows]), marked[rows], self.draws, random_state=self.seed
                )
            )
        )
        tail = (1 - self.level) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail], axis=0).astype(np.float32)
        middle, chance = drawn.mean(axis=0, dtype=np.float64), np.full(drawn.shape[1:], np.nan)
        for column, missing in self._categories:
            values, shares = _most_frequent(drawn[:, :, column], encoded[rows][:, column], missing)
            middle[:, column], low[:, column], high[:, column], chance[:, column] = values, values, values, shares
        found = [encoded.astype(np.float32) for _ in range(3)] + [np.full(encoded.shape, np.nan, np.float32)]
        for whole, part in zip(found, (middle, low, high, chance), strict=True):
            whole[rows] = np.where(marked[rows], part, whole[rows])
        return Filled(*found)

    # ------------------------------------------------------------------ how far off the filling is

    def widths(self, records: Encoded, marked: Bools) -> _Widths:
        """Return how much wider intervals have to be, from known cells that are hidden and filled in the same way."""
        pre, rng = self.model.preprocessor_, np.random.default_rng(self.seed)
        rows = self._rows_to_hide(len(records), rng)
        hidden = self._hidden(marked, rows, rng)
        known = records.take(rows)
        truth = np.asarray(known.values, np.float32)
        filled = self.fill(known, hidden | marked[rows])
        fields = self._to_fields(hidden)
        factor = np.broadcast_to(pre.factor_, pre.shape_)
        excess = np.maximum(filled.low - truth, truth - filled.high) * factor
        below = self._by_column(excess, fields) / factor
        right = np.full(pre.shape_, self.level)
        for column, _ in self._categories:
            hits = (filled.middle[:, column] == truth[:, column])[fields[:, column]]
            right[column] = (hits.sum() + 1) / (len(hits) + 2)
        judged: Bools = np.ones(pre.shape_, bool) if fields.ndim > 2 else np.asarray(fields.any(axis=0))
        return _Widths(below.astype(np.float32), right, judged)

    def _by_column(self, excess: Float32, hidden: Bools) -> Float64:
        """Return q of every column, in scaled units; columns with few hidden cells share one.

        What is no number has 0: a mask says that a number is there, and says so at both ends of its interval.
        """
        shape = excess.shape[1:]
        numbers = np.ones(shape, bool)
        numbers[[field.index for field in self.model.preprocessor_.fields_ if field.kind != "number"]] = False
        found = np.where(numbers, _quantile(excess[hidden & numbers], self.level), 0.0)
        if len(shape) == 1:
            for column in np.flatnonzero(numbers & (hidden.sum(axis=0) >= MIN_HIDDEN_CELLS)):
                found[column] = _quantile(excess[hidden[:, column], column], self.level)
        return found

    def _hidden(self, marked: Bools, rows: NDArray[np.int64], rng: np.random.Generator) -> Bools:
        """Return which known cells of some records to hide: the holes of other records, or cells at random."""
        others = marked[rng.choice(np.flatnonzero(marked.reshape(len(marked), -1).any(axis=1)), len(rows))]
        hidden: Bools = others & ~marked[rows]
        if hidden.sum() < MIN_HIDDEN_CELLS:
            hidden = (rng.random(hidden.shape) < HIDDEN_SHARE) & ~marked[rows]
        # A record with nothing left to go by says nothing of those with holes.
        hidden[(hidden | marked[rows]).reshape(len(rows), -1).all(axis=1)] = False
        return hidden

    def _rows_to_hide(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return records whose known cells are hidden: of the data of the fit those that it held out, where it did.

        A model remembers the cells of others, and intervals would be too narrow.
        """
        rows = np.arange(n) if len(self.fresh) < MIN_HELD_OUT_RECORDS else self.fresh
        times = max(1, REPEATED // len(rows))
        return np.sort(np.tile(rng.permutation(rows)[:HIDDEN_RECORDS], times))

    # ------------------------------------------------------------------ cells of records and of encoded records

    def _to_fields(self, marked: Bools) -> Bools:
        """Return marks of cells as marks of encoded numbers; where a cell is filled, a number is there."""
        pre = self.model.preprocessor_
        fields = np.array(to_places(marked, pre))
        fields[:, [field.index for field in pre.fields_ if field.kind == "mask"]] = False
        return fields

    def _to_cells(self, values: Float64, block: Any) -> Float64:
        """Return figures of encoded numbers as figures of the cells that they stand for."""
        pre = self.model.preprocessor_
        if not pre.fields_:
            return np.moveaxis(values, 1, -1).reshape(block.shape) if values.ndim > 2 else values
        cells = np.full((len(values), len(self.model.schema_.columns)), np.nan)
        for index, (_, place) in enumerate(pre.places()):
            if place.start < place.stop:
                cells[:, index] = values[:, place.start]
        return cells

    @cached_property
    def _categories(self) -> list[tuple[int, int]]:
        """The encoded columns that are categories, each with the code of a missing one, or -1."""
        pre, missing = self.model.preprocessor_, Features.of(self.model.preprocessor_).missing
        return [(field.index, int(missing[field.index])) for field in pre.fields_ if field.kind == "category"]


@dataclass(frozen=True)
class _ByColumns:
    """Blocks with filled cells, both ends of their intervals, the chance, which cells are left, and what was used."""

    ends: list[Any]
    chance: Float64
    rest: Bools
    fits: tuple[ColumnFit, ...]


@dataclass(frozen=True)
class _Widths:
    """What intervals grow by, in encoded units, how often a category is filled rightly, and whether cells were hidden.

    (*shape_,) each.
    """

    below: Float32
    right: Float64
    judged: Bools


def _empty(block: Any) -> Bools:
    """Return which cells of rows hold nothing, (b, columns)."""
    if isinstance(block, np.ndarray):
        return np.isnan(block) if block.dtype.kind == "f" else np.zeros(block.shape, bool)
    return np.stack([column.is_null().to_numpy() for column in block.columns], axis=1)


def _emptied(block: Any, cells: Bools, end: str = "") -> Any:
    """Return a block in which some cells hold nothing; of whole numbers of an array an end of their type, or as before.

    Parameters
    ----------
    block : block of records
    cells : marks
    end : {"", "min", "max"}
    """
    if not isinstance(block, np.ndarray):
        return _without(block, cells)
    if block.dtype.kind == "f":
        return np.where(cells, np.nan, block).astype(block.dtype)
    return np.where(cells, getattr(np.iinfo(block.dtype), end), block) if end else block


def _without(block: Any, marked: Bools) -> Any:
    """Return a block without its marked cells: empty in a table, elsewhere the mean of those of other records."""
    if not isinstance(block, np.ndarray):
        import pyarrow as pa
        import pyarrow.compute as pc

        columns = [
            pc.if_else(pa.array(~np.ascontiguousarray(its)), column, pa.scalar(None, column.type))
            for column, its in zip(block.columns, marked.T, strict=True)
        ]
        return pa.Table.from_arrays(columns, schema=block.schema)
    counts = (~marked).sum(axis=0)
    sums = np.where(marked, 0, block).sum(axis=0, dtype=np.float64)
    mean = np.where(counts > 0, sums / np.maximum(counts, 1), sums.sum() / max(counts.sum(), 1))
    return np.where(marked, as_type(mean, block.dtype), block)


def _most_frequent(drawn: Float32, before: NDArray[Any], missing: int) -> tuple[Float64, Float64]:
    """Return the code that most draws (draws, b) have, and their share; draws of "missing" are none."""
    codes = drawn.astype(np.int64)
    counts = np.stack([(codes == code).sum(axis=0) for code in range(int(codes.max()) + 1)], axis=1).astype(np.float64)
    if 0 <= missing < counts.shape[1]:
        counts[:, missing] = 0
    total = counts.sum(axis=1)
    shares = counts.max(axis=1) / np.maximum(total, 1)
    return np.where(total > 0, counts.argmax(axis=1), before), shares


def _quantile(excess: NDArray[Any], level: float) -> float:
    """Return the ceil((m + 1) level)-th smallest of m figures, the largest if there are fewer; 0 of none."""
    if not len(excess):
        return 0.0
    rank = min(len(excess), int(np.ceil((len(excess) + 1) * level)))
    return float(np.partition(excess, rank - 1)[rank - 1])
