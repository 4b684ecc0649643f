"""The input of a job as a worker sees it: which records there are, and those of one part.

Parquet files are read by row groups, each by the worker that has its part. Other sources are opened whole, once a
process: of arrays (``.npy``, IDX) that reads nothing yet, of a folder of images it lists them, and text tables and
JSON lines are read to memory by every worker.
"""

from __future__ import annotations

import glob
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus import checks
from isthmus.cluster import places
from isthmus.cluster.plan import Job, Part
from isthmus.data.arrays import from_array
from isthmus.data.images import is_image
from isthmus.data.opening import files_below
from isthmus.data.parquet import ParquetFile, ParquetStore, choice_of, column_names, group_rows, streamed
from isthmus.data.public import split_name
from isthmus.data.reading import decoding
from isthmus.data.records import Data
from isthmus.data.rows import spread
from isthmus.data.side_columns import SideColumns
from isthmus.data.stores import RESIDENT_BYTES, ArrayStore, Store
from isthmus.errors import DataError, IsthmusError

if TYPE_CHECKING:
    import pyarrow as pa

    from isthmus.base import Model
    from isthmus.cli.terminal import Terminal
    from isthmus.data.schema import Schema

__all__ = ["Input", "files_of", "open_input"]

PARQUET = (".parquet", ".pq")
EVERY = "auto"  # keys by default: labels, an index, and columns that no code holds


class Window(Store):
    """Neighbouring records of a store, which keep their numbers in sentences about a row."""

    def __init__(self, store: Store, start: int, stop: int) -> None:
        self.store, self.start = store, start
        self.length = stop - start
        self.nbytes = int(store.nbytes * self.length / max(store.length, 1))
        self.resident = store.resident

    def take(self, indices: np.ndarray) -> Any:
        """Return the records of the given numbers."""
        return self.store.take(np.asarray(indices) + self.start)

    def chunk(self, start: int, stop: int) -> Any:
        """Return neighbouring records."""
        return self.store.chunk(self.start + start, self.start + min(stop, self.length))

    def select(self, names: Sequence[str]) -> Store:
        """Return a window of some columns."""
        return Window(self.store.select(names), self.start, self.start + self.length)

    def sides(self) -> np.ndarray:
        """Return height and width of every image."""
        return self.store.sides()[self.start : self.start + self.length]


class Input(ABC):
    """All records of a job.

    Attributes
    ----------
    row_bytes : float
        Bytes that a record takes in memory.
    schema : Schema
        Of the records, as they lie there.
    """

    row_bytes: float
    schema: Schema

    @abstractmethod
    def sizes(self) -> list[tuple[str, Sequence[int]]]:
        """Return each file and the numbers of records of its groups, as :func:`isthmus.cluster.plan.cut` takes them."""

    @abstractmethod
    def part(self, part: Part) -> Data:
        """Return the records of a part, as the model knows them, with what stands beside them."""

    @abstractmethod
    def keys(self, part: Part) -> pa.Table | None:
        """Return the columns that tell a part's records apart: names, labels, an index, ids; None where there are none.

        They are written beside what a verb finds.
        """

    @abstractmethod
    def some(self, most: int) -> Any:
        """Return a block of up to ``most`` records from anywhere: those that one process would take."""


def open_input(job: Job, model: Model, terminal: Terminal, *, with_holes: bool = False) -> Input:
    """Open the records of a job for a model.

    Parameters
    ----------
    job : Job
    model : Model
        Fitted.
    terminal : Terminal
        Is told what a person should know.
    with_holes : bool
        Whether NaNs of an array are left where they are.

    Raises
    ------
    DataError
        They are not there, or not what the model was fitted on.
    """
    found = _parquet_files(job.data)
    if found is not None and model.schema_.kind in ("table", "array"):
        return ParquetInput(job, model, found, terminal)
    if places.is_url(job.data):
        raise checks.only_parquet_by_url(job.data)
    if with_holes and job.data.lower().endswith(".npy"):
        return HolesInput(job)
    return WholeInput(job, model, terminal)


def files_of(job: Job) -> list[tuple[str, int, int]]:
    """Return each file of the input with its size and the time of its last change, in nanoseconds."""
    if places.is_url(job.data):
        return [(str(file), size, time) for file, size, time in places.remote_files(job.data)]
    if split_name(job.data) is not None:
        return []
    paths = [path for path in _below(job.data) if isinstance(path, Path)]
    if not paths:
        raise checks.not_seen("data", job.data, places.host())
    return [(str(path), found.st_size, found.st_mtime_ns) for path in paths for found in [path.stat()]]


def _below(name: str) -> list[Path]:
    """Return the files that a path or a pattern names, in order."""
    path = Path(os.path.expanduser(name))
    if path.is_dir():
        found = [one for one in files_below(path, []) if isinstance(one, Path)]
        return sorted(found, key=lambda one: one.relative_to(path).as_posix())
    if path.exists():
        return [path]
    return [Path(one) for one in sorted(glob.glob(str(path), recursive=True)) if not os.path.isdir(one)]


def _parquet_files(name: str) -> list[ParquetFile] | None:
    """Return the Parquet files that a name means, None where it means something else."""
    if places.is_url(name):
        remote = [file for file, _, _ in places.remote_files(name) if file.name.lower().endswith(PARQUET)]
        return list(remote) or None
    if split_name(name) is not None:
        return None
    paths = _below(name)
    stored = [path for path in paths if path.suffix.lower() in PARQUET]
    return list(stored) if len(stored) > sum(map(is_image, paths)) else None


class ParquetInput(Input):
    """Parquet files, of which a part's are opened and no others.

    Parameters
    ----------
    job : Job
    model : Model
        Fitted on a table.
    files : sequence of Path or RemoteFile
        In order.
    terminal : Terminal
        Is told which are left out.
    """

    def __init__(self, job: Job, model: Model, files: Sequence[ParquetFile], terminal: Terminal) -> None:
        self.terminal, self.skip_bad = terminal, bool(dict(job.opening).get("skip_bad"))
        self.source, self.files = job.data, {str(file): file for file in files}
        first = next((file for file in files if self._groups(file) is not None), files[0])
        known = column_names(first)
        self.label = _label(job, model, known)
        self.columns = _columns(job, model, first, self.label)
        beside = [*([self.label] if self.label else []), *choice_of(first, self.columns, self.label, job.data).levels]
        self.key_names = _chosen_keys(job, model, known, beside, lambda name: checks.key_not_found(name, known))
        self.schema = streamed([first], self.columns, source=job.data).schema
        self.row_bytes = 8.0 * len(self.columns)  # numbers and dates take no more
        self._opened: tuple[tuple[str, ...], Data] | None = None

    def sizes(self) -> list[tuple[str, Sequence[int]]]:
        """Return each file and the numbers of rows of its groups."""
        return [(name, groups) for name, file in self.files.items() if (groups := self._groups(file)) is not None]

    def _groups(self, file: ParquetFile) -> tuple[int, ...] | None:
        """Return the rows of a file's groups; None of one that cannot be read, where such are left out."""
        try:
            return group_rows(file)
        except DataError as error:
            if not self.skip_bad:
                raise
            self.terminal.say(f"left out: {str(error).removeprefix('data: ')}")
            return None

    def part(self, part: Part) -> Data:
        """Return the records of a part, with the column of labels beside them."""
        if self._opened is None or self._opened[0] != part.files:  # what was opened last is kept open
            files = [self.files[name] for name in part.files]
            self._opened = (part.files, streamed(files, self.columns, source=self.source, first=part.first))
        data = self._opened[1]
        window = Window(data.store, part.start - part.first, part.stop - part.first)
        return Data(data.schema, window, source=self.source, side_columns=self._beside(part))

    def keys(self, part: Part) -> pa.Table | None:
        """Return the key columns of a part's records."""
        return self._read_keys(part, self.key_names)

    def some(self, most: int) -> Any:
        """Return records from anywhere: all row groups that hold one are read."""
        data = streamed(list(self.files.values()), self.columns, source=self.source)
        is_read_whole = data.store.nbytes <= RESIDENT_BYTES  # by one process, for which all rows are as near
        return data.take(spread(len(data), most, None if is_read_whole else data.edges))

    def _beside(self, part: Part) -> SideColumns:
        """Return labels and index of a part, in their places, to be written back with records."""
        import pyarrow as pa

        choice = choice_of(self.files[part.files[0]], self.columns, self.label, self.source)
        aside = self._read_keys(part, [name for name in choice.names if name not in choice.keep])
        return replace(choice.side_columns((pa.table({}) if aside is None else aside).column), is_part=True)

    def _read_keys(self, part: Part, names: Sequence[str]) -> pa.Table | None:
        if not names:
            return None
        files = [self.files[name] for name in part.files]
        store = ParquetStore(files, names, self.source, cells=1, first=part.first)
        return store.chunk(part.start - part.first, part.stop - part.first)


class WholeInput(Input):
    """Records of any other source, opened as every verb opens them."""

    def __init__(self, job: Job, model: Model, terminal: Terminal) -> None:
        from isthmus.cli import inputs

        if split_name(job.data) is None and not _below(job.data):
            raise checks.not_seen("data", job.data, places.host())
        opening = {name: value for name, value in job.opening if value is not None}
        self.data = model.opened(inputs.open_for(terminal, model, job.data, opening))
        self.schema = self.data.schema
        self.row_bytes = self.data.nbytes / max(len(self.data), 1)
        columns = [column.name for column in self.data.schema.columns]
        beside = list(_beside_columns(self.data.side_columns))
        known = [*columns, *beside]
        self.key_names = _chosen_keys(job, model, known, beside, lambda name: checks.keys_elsewhere(name, job.data))

    def sizes(self) -> list[tuple[str, Sequence[int]]]:
        """Return the number of records, which can be cut anywhere."""
        return [("", [len(self.data)])]

    def part(self, part: Part) -> Data:
        """Return the records of a part."""
        rows = np.arange(part.start, part.stop)
        data, several = self.data, slice(part.start, part.stop)
        return Data(
            data.schema,
            Window(data.store, part.start, part.stop) if data.rows is None else data.subset(rows).store,
            labels=None if data.labels is None else data.labels[several],
            names=None if data.names is None else data.names[several],
            source=data.source,
            rows=None if data.rows is None else data.rows[several],
            side_columns=data.side_columns.take(rows),
        )

    def keys(self, part: Part) -> pa.Table | None:
        """Return names, labels and index of a part's records, and columns that no code holds."""
        import pyarrow as pa

        from isthmus.cli import outputs

        records = self.part(part)
        found: dict[str, Any] = (
            {} if records.names is None else {"name": [outputs.as_utf8(name) for name in records.names]}
        )
        beside = _beside_columns(records.side_columns)
        block = records.chunk(0, len(records)) if set(self.key_names) - set(beside) else pa.table({})
        cells = dict(zip(block.column_names, block.columns, strict=True))
        for name in self.key_names:
            found[name] = beside[name] if name in beside else cells[name]
        return pa.table(found) if found else None

    def some(self, most: int) -> Any:
        """Return records from anywhere."""
        return self.data.take(self.data.spread(most))


class HolesInput(Input):
    """Rows of an ``.npy`` file that may hold NaNs.

    Parameters
    ----------
    job : Job
    """

    def __init__(self, job: Job) -> None:
        if not os.path.exists(job.data):
            raise checks.not_seen("data", job.data, places.host())
        with decoding(job.data):
            self.array = np.load(job.data, mmap_mode="r", allow_pickle=False)
        self.source, self.row_bytes = job.data, float(self.array[:1].nbytes)

    def sizes(self) -> list[tuple[str, Sequence[int]]]:
        """Return the number of rows."""
        return [("", [len(self.array)])]

    def part(self, part: Part) -> Data:
        """Return the rows of a part."""
        rows = np.array(self.array[part.start : part.stop])
        data = from_array(np.nan_to_num(rows), name=self.source)
        return Data(data.schema, ArrayStore(rows), source=self.source)

    def keys(self, part: Part) -> None:
        """Return nothing: an array has no keys."""

    def some(self, most: int) -> Any:
        """Return rows from anywhere."""
        return np.array(self.array[spread(len(self.array), most)])


def _beside_columns(side: SideColumns) -> dict[str, Any]:
    columns = [*side.columns, *([side.labels] if side.labels is not None else [])]
    return {column.name or "label": column.cells for column in columns}


def _label(job: Job, model: Model, known: Sequence[str]) -> str | None:
    """Return the column of labels: of the flag, else of the fit where these data have it."""
    asked = dict(job.opening).get("labels")
    if asked is not None and asked not in known:
        raise checks.no_such_column(job.data, str(asked), list(known))
    named = asked or model.provenance_.get("opening", {}).get("labels")
    return str(named) if named in known else None


def _chosen_keys(
    job: Job, model: Model, known: Sequence[str], beside: Sequence[str], refused: Callable[[str], IsthmusError]
) -> list[str]:
    """Return the columns that are passed through: those named, or those beside the records and ids."""
    asked = str(job.option("keys") or EVERY)
    if asked == "none":
        return []
    if asked != EVERY:
        names = [name.strip() for name in asked.split(",") if name.strip()]
        for name in names:
            if name not in known:
                raise refused(name)
        return names
    ids = [name for name in getattr(model.preprocessor_, "ids_", ()) if name in known]
    return list(dict.fromkeys([*beside, *ids]))


def _columns(job: Job, model: Model, file: ParquetFile, label: str | None) -> list[str]:
    """Return the columns that the model takes: those of its fit by name, or all of a matrix but the labels."""
    from isthmus.cli import inputs

    if model.schema_.kind == "table":
        known, wanted = column_names(file), [column.name for column in model.schema_.columns]
        left_out = [name for name in known if name not in set(wanted)]
        inputs.refuse_lost(job.data, [name for name in wanted if name not in known], left_out)
        return wanted
    asked = dict(job.opening).get("columns")
    return list(choice_of(file, str(asked).split(",") if asked else None, label, job.data).keep)
