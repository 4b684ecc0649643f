"""The schema of a set of records: kind, shape and types, which a fitted model remembers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, NotRequired, TypedDict

from isthmus import documents
from isthmus.errors import ArtifactError

__all__ = ["Column", "Schema"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, as its source has it.

    Parameters
    ----------
    name : str
        The column's name.
    type : {"number", "integer", "boolean", "category", "date"}
        What the values mean. Strings are categories; dates, times and timestamps are dates.
    dtype : str
        The Arrow type, written out (``"int64"``, ``"string"``, ``"timestamp[us, tz=UTC]"``).
    """

    name: str
    type: str
    dtype: str

    @property
    def is_number(self) -> bool:
        """Whether its values are plain numbers; spans of time, which are whole numbers with a unit, are none."""
        return self.type in ("number", "integer") and not self.is_span

    @property
    def is_span(self) -> bool:
        """Whether its values are spans of time."""
        return self.dtype.startswith("duration")


@dataclass(frozen=True, slots=True)
class Schema:
    """Kind, shape and types of records; saved with every model.

    Parameters
    ----------
    kind : {"array", "image", "table", "text"}
        Rows of numbers, pictures, rows of mixed columns, or sequences of bytes.
    shape : tuple of (int or None)
        Of one record: ``(d,)``, ``(height, width)`` or ``(height, width, channels)``, ``(columns,)``, ``(length,)``.
        ``None`` stands for a side of an image that differs from record to record; the length of texts is the longest.
    dtype : str
        NumPy name of the values (``"uint8"``); ``"mixed"`` for tables; ``"str"`` or ``"bytes"`` for text.
    container : {"numpy", "torch", "pandas", "polars", "arrow", "list", "files"}
        What the records came in, and go back into.
    columns : tuple of Column
        Of a table, in order; empty otherwise.
    names : tuple of str
        Of an array's columns, where the source gave names; empty otherwise.
    arrow : str
        A table's Arrow schema, serialised and written in base64: it carries categories and data-frame types exactly.
    """

    kind: str
    shape: tuple[int | None, ...]
    dtype: str
    container: str = "numpy"
    columns: tuple[Column, ...] = ()
    names: tuple[str, ...] = ()
    arrow: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Schema:
        """Return the schema that :meth:`to_dict` wrote.

        Raises
        ------
        ArtifactError
            It makes no sense.
        """
        its = documents.read(_SchemaDocument, document, "schema")
        _check_dtype(its["kind"], its["dtype"])
        return cls(**{**its, "columns": tuple(Column(**column) for column in its.get("columns", ()))})


class _ColumnDocument(TypedDict):
    name: str
    type: Literal["number", "integer", "boolean", "category", "date"]
    dtype: str


class _SchemaDocument(TypedDict):
    kind: Literal["array", "image", "table", "text"]
    shape: tuple[int | None, ...]
    dtype: str
    container: NotRequired[Literal["numpy", "torch", "pandas", "polars", "arrow", "list", "files"]]
    columns: NotRequired[tuple[_ColumnDocument, ...]]
    names: NotRequired[tuple[str, ...]]
    arrow: NotRequired[str]


def _check_dtype(kind: str, dtype: str) -> None:
    """Refuse values of a type that no record of the kind has."""
    allowed = {"table": ("mixed",), "text": ("str", "bytes")}.get(kind)
    if dtype not in allowed if allowed else not documents.is_number_type(dtype):
        raise ArtifactError(f"schema.dtype must be a type of {kind} records; it is {dtype[:40]!r}")
