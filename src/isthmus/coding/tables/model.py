"""A model of tables with the same columns: what was learned from some of them, with which others become smaller."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Self

import numpy as np

from isthmus import checks
from isthmus.coding import contents, kinds
from isthmus.coding.container import Source, as_bytes, varint
from isthmus.coding.contents import THREADS
from isthmus.coding.learned import Start
from isthmus.coding.learned_codec import LearnedCodec
from isthmus.coding.scheme import Scheme
from isthmus.coding.stream import decompressed
from isthmus.coding.tables.cells import Table
from isthmus.coding.tables.coding import Split, bytes_of_plans, planned, read_plans
from isthmus.coding.tables.dialect import NoTable
from isthmus.coding.tables.distinct import Distinct
from isthmus.coding.tables.gathering import Gathered, gathered
from isthmus.coding.tables.knowing import Columns, LearnedPlanes, Schemes, within
from isthmus.coding.tables.known import Recorded, opened, recorded
from isthmus.coding.tables.layout import MOST_ROWS, Layout, column_of, lengths
from isthmus.coding.tables.modelled import ModelledTable
from isthmus.coding.tables.packing import at_most
from isthmus.coding.tables.pieces import columns_of
from isthmus.errors import IsthmusWarning

__all__ = ["TableCodec"]

VERSION = 1  # of the rules by which schemes follow from columns and plans
AIM = 1 << 24  # bytes of what coders learn, where columns are not too many
SUFFIXES = (".csv", ".tsv", ".tab")

Progress = Callable[[int], None]  # is told the bytes that were learned from since it was told last


class TableCodec(LearnedCodec):
    r"""A model with which text tables of the same columns as those of its fit become smaller: exports, batches.

    It pays where tables are short, from ten rows to some thousand, so that one alone has too few to learn from. What
    was compressed with it can be decompressed only with it: keep its file.

    Attributes
    ----------
    layout : Layout
        What is known of the columns.
    fingerprint_ : str
        Names the model in the files that need it.
    provenance_ : dict
        How many ``tables``, ``rows`` and ``columns`` it learned from.

    Examples
    --------
    >>> import isthmus
    >>> days = [b"day,sold\n" + b"".join(b"%d,%d\n" % (d, 9 + d % 7 + n % 5) for n in range(20)) for d in range(40)]
    >>> codec = isthmus.TableCodec().fit(days[:-1])
    >>> codec.columns
    ['day', 'sold']
    >>> codec.decompress(codec.compress(days[-1])) == days[-1]
    True
    """

    content: ClassVar[str] = "tables"
    version: ClassVar[int] = VERSION
    layout: Layout
    planes: LearnedPlanes
    _read_schemes: Schemes

    def fit(self, tables: Any, *, progress: Progress | None = None, threads: int = THREADS) -> Self:
        """Learn from tables.

        Parameters
        ----------
        tables : path, bytes, or sequence of these
            Text tables: their bytes, files, and folders of files. At most 4,194,304 cells and 64 MiB are learned from.
        progress : callable, optional
            Is told the bytes that were learned from since it was told last.
        threads : int, default=2
            That may be used.

        Raises
        ------
        DataError
            There is no table; or something is none, or has other columns than the first.

        Warns
        -----
        IsthmusWarning
            Rows were left out, since there are more than can be learned from.
        """
        found = gathered(tables)
        if found.is_full:
            warnings.warn(IsthmusWarning(checks.rows_left_out(found.rows)), stacklevel=2)
        self.layout = _layout_of(found)
        before = [self.recorded(table) for table in found.tables]
        done = _Shares(progress, found.size)
        schemes = self._planned(before, found.rows)
        self._take(LearnedPlanes(schemes, schemes.learn(_columns(before), threads, done.one_of(len(schemes.of)))))
        self.provenance_ = {"tables": found.count, "rows": found.rows, "columns": len(found.columns)}
        return self

    def _planned(self, tables: Sequence[Sequence[Recorded | None]], rows: int) -> Schemes:
        """Return how planes are predicted: as if all rows were those of one table."""
        forms, joined = self.layout.forms, []
        for place, its in enumerate(forms):
            known = [table[place] for table in tables]
            joined.append(
                [
                    form.filled(np.concatenate([np.zeros(0, np.int64), *(one.values[k] for one in known if one)]))
                    for k, form in enumerate(its)
                ]
            )
        split = Split.of(forms)
        schemes = within(forms, planned(split.forms, split.cut(joined)), rows, AIM)
        if schemes.size > kinds.FILE_LIMIT:
            raise checks.columns_too_many(len(forms))
        return schemes

    def _take(self, planes: LearnedPlanes) -> None:
        self.planes = planes
        self.forget_file()

    @property
    def columns(self) -> list[str]:
        """The names of the columns; their places where tables have no header."""
        return columns_of(self.layout.head, len(self.layout.columns), self.layout.dialect)

    def recorded(self, table: Table) -> list[Recorded | None]:
        """Return the cells of each column of a table as far as it is like that of the model; None of others."""
        found, before = [], np.zeros(table.n_rows, np.int64)
        for place, column in enumerate(self.layout.columns):
            found.append(recorded(column, table, place, before))
            if table.gaps is not None:
                before = lengths(Distinct.of(table.columns[place]))
        return found

    def fitted(self) -> Self:
        """Return itself; ParameterError before :meth:`fit`."""
        if not hasattr(self, "planes"):
            raise checks.codec_not_fitted(type(self).__name__)
        return self

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Tell whether a file is a text table, by its name."""
        return path.suffix.lower() in SUFFIXES

    @staticmethod
    def learned_from(provenance: Mapping[str, Any]) -> str:
        """Return what a model learned from, as a phrase."""
        rows, tables, columns = (provenance[name] for name in ("rows", "tables", "columns"))
        return f"{_counted(rows, 'row')} of {_counted(tables, 'table')} with {_counted(columns, 'column')}"

    def still_computes(self) -> bool:
        """Return whether what the model codes decodes with it: of each plane the lowest number, in two rows."""
        columns = [[np.zeros(2, np.int64) for _ in forms] for forms in self.layout.forms]
        source = Source.of(self.fitted().planes.encode(columns, 2), "the model")
        found = self.planes.decode(source, [True] * len(columns), 2)
        return not any(plane.any() for column in found for plane in column)

    # ------------------------------------------------------------------ what it is for

    def compress(self, data: Any, *, verify: bool = True) -> bytes:
        """Return the bytes of a text table in fewer bytes, as :func:`isthmus.compress` does with this model.

        Raises
        ------
        DataError
            They are no table, or one of other columns.
        """
        into, given = io.BytesIO(), as_bytes("compress", data)
        content = self.content_in("the data", io.BytesIO(given))
        contents.write(into, content, verify=verify, short=True)
        return into.getvalue()

    def decompress(self, data: Any, *, limit: int | None = None) -> bytes:
        """Return the bytes that :meth:`compress` was given, as :func:`isthmus.decompress` does with this model."""
        found: bytes = decompressed(data, limit=limit, model=self.fitted())
        return found

    def content_in(self, path: str | os.PathLike[str], file: BinaryIO) -> Any:
        """Return a text table as a content of a stream.

        Raises
        ------
        DataError
            It is none, or has other columns.
        """
        found = ModelledTable.of(file, self.fitted(), os.fspath(path))
        if isinstance(found, NoTable):
            raise checks.no_table_for_model(path, found.why)
        return found

    # ------------------------------------------------------------------ as a file

    @property
    def starts(self) -> Mapping[int, Start]:
        """With what the coder of each plane begins."""
        return self.planes.starts

    def layout_bytes(self) -> bytes:
        """Return what is known of the columns, as it stands in the file."""
        schemes = self.planes.schemes
        return self.layout.to_bytes() + varint(schemes.rows) + bytes_of_plans(schemes.plans)

    def read_layout(self, source: Source) -> Mapping[int, Scheme]:
        """Read what is known of the columns, and return the scheme of each plane that is coded."""
        self.layout = Layout.read(source)
        forms = self.layout.forms
        rows = at_most(source, MOST_ROWS, "rows that tables of coders are made for")
        self._read_schemes = Schemes(forms, read_plans(source, Split.of(forms).forms), rows)
        return self._read_schemes.of

    def begin_with(self, starts: Mapping[int, Start]) -> None:
        """Take what was learned for the layout that was read."""
        self._take(LearnedPlanes(self._read_schemes, dict(starts)))


class _Shares:
    """Tells of parts of the work as of parts of the bytes that are learned from.

    Parameters
    ----------
    progress : callable or None
        Is told bytes.
    size : int
        All of them.
    """

    def __init__(self, progress: Progress | None, size: int) -> None:
        self._progress, self._size, self._done, self._told = progress, size, 0, 0

    def one_of(self, count: int) -> Callable[[], None]:
        """Return what is to be called after each part of so many."""

        def done() -> None:
            self._done += 1
            now = self._size * self._done // count
            if self._progress:
                self._progress(now - self._told)
            self._told = now

        return done


def _layout_of(found: Gathered) -> Layout:
    """Return what is known of the columns of tables, as if all their rows were those of one."""
    first = found.tables[0]
    gaps = None
    if first.gaps is not None:
        parts = zip(*(table.gaps or [] for table in found.tables), strict=True)
        gaps = [np.concatenate(part) for part in parts]
    cells = [
        [cell for part in column for cell in part] for column in zip(*(t.columns for t in found.tables), strict=True)
    ]
    joined = Table(found.dialect, cells, gaps, first.head, first.tail, found.size)
    columns, before = [], np.zeros(found.rows, np.int64)
    for place, column in enumerate(joined.columns):
        distinct = Distinct.of(column)
        described, _, _, before = column_of(distinct, joined, place, before)
        columns.append(opened(described, distinct))
    return Layout(found.dialect, max(found.rows, 2), found.size, first.head, first.tail, tuple(columns))


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _columns(tables: Sequence[Sequence[Recorded | None]]) -> list[Columns]:
    return [[None if one is None else one.values for one in table] for table in tables]
