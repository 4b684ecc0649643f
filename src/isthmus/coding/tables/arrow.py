"""Arrow tables as planes of whole numbers and texts, and back: equal, with the schema and its metadata.

What a table is, is kept; how it lies in memory is not: it comes back in one chunk, and what stands in cells that are
null is gone. pyarrow is needed here, and nowhere else in this package.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from isthmus import checks
from isthmus.coding.container import Source, varint
from isthmus.coding.tables.cells import MOST_COLUMNS
from isthmus.coding.tables.columns import Column, described
from isthmus.coding.tables.dialect import Dialect, NoTable
from isthmus.coding.tables.distinct import Distinct, spread
from isthmus.coding.tables.fixed_width import FixedWidth
from isthmus.coding.tables.layout import MOST_BYTES, MOST_CELLS, MOST_ROWS, fits, lengths
from isthmus.coding.tables.packing import at_most, packed, read_packed, read_string, string
from isthmus.coding.tables.planes import Form, Integers, Plane

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ArrowGroup", "ArrowLayout", "arrow_groups"]

PLAIN = Dialect(b"")  # cells stand in no quotes
MOST_SCHEMA = 1 << 24  # bytes
NULL = Form(size=2, ordered=False, name="null")

Values = Sequence[Integers]
Known = NDArray[np.bool_]


# ------------------------------------------------------------------ columns by how Arrow stores them


@dataclass(frozen=True)
class Fixed:
    """A column whose values have one width, and are numbers of at most 64 bits: also flags, dates, times, decimals."""

    numbers: FixedWidth

    @classmethod
    def of(cls, array: pa.Array) -> tuple[Self, list[Plane], bytes] | None:
        """Return a column, its planes and its text; None where numbers have more bits."""
        known, values = _known(array), _values(array)
        if values.ndim == 2:  # decimals of several words, lowest first; mostly the others only repeat its sign
            if ((values[:, 1:] != values[:, :1] >> 63).any(1) & known).any():
                return None
            values = values[:, 0]
        numbers, planes = FixedWidth.of(values, known)
        return cls(numbers), planes, b""

    @property
    def forms(self) -> list[Form]:
        """Its planes."""
        return self.numbers.forms

    def array(self, values: Values, text: bytes, n_rows: int, dtype: pa.DataType) -> pa.Array:
        """Return the column, which has an Arrow type."""
        numpy, words = _numpy_type(dtype)
        found, known = self.numbers.values(values, numpy)
        if words > 1:
            found = np.stack([found] + [found >> 63] * (words - 1), 1)
        return _array(found, known, dtype)

    def to_bytes(self) -> bytes:
        """Return all that the planes do not say."""
        return self.numbers.to_bytes()

    @classmethod
    def read(cls, source: Source, n_rows: int) -> Self:
        """Return what :meth:`to_bytes` wrote."""
        return cls(FixedWidth.read(source, n_rows))


@dataclass(frozen=True)
class Strings:
    """A column of strings, bytes, or decimals of many digits.

    Parameters
    ----------
    column : Column
        What its cells are; those that are null are empty in it.
    nulls : bool
        Whether there are such; a plane then says which.
    size : int
        Bytes of its cells.
    """

    column: Column
    nulls: bool
    size: int

    @classmethod
    def of(cls, array: pa.Array) -> tuple[Self, list[Plane], bytes]:
        """Return a column, its planes and its text."""
        known = _known(array)
        cells = Distinct.of(_cells(array, known))
        column, planes, text = described(cells, PLAIN)
        nulls = [] if known.all() else [NULL.filled(~known)]
        return cls(column, bool(nulls), int(lengths(cells).sum())), planes + nulls, text

    @property
    def forms(self) -> list[Form]:
        """Its planes: those of its cells, and that of nulls."""
        return self.column.forms + [NULL] * self.nulls

    def array(self, values: Values, text: bytes, n_rows: int, dtype: pa.DataType) -> pa.Array | None:
        """Return the column, which has an Arrow type; None where its text does not hold as many cells."""
        cells = self.column.cells(values, text, n_rows, PLAIN)
        if cells is None or int(lengths(cells).sum()) != self.size:
            return None
        known = values[-1] == 0 if self.nulls else np.ones(n_rows, bool)
        return _string_array(spread(cells.cells, cells.codes), known, dtype)

    def to_bytes(self) -> bytes:
        """Return all that planes and text do not say."""
        return varint(2 * self.size + self.nulls) + self.column.to_bytes()

    @classmethod
    def read(cls, source: Source, n_rows: int) -> Self:
        """Return what :meth:`to_bytes` wrote."""
        size, nulls = divmod(at_most(source, 2 * MOST_BYTES + 1, "bytes in a column"), 2)
        return cls(Column.read(source, n_rows, size, PLAIN), bool(nulls), size)


@dataclass(frozen=True)
class Coded:
    """A column of a dictionary.

    Parameters
    ----------
    codes : Fixed
        Which entry each row has.
    entries : tuple of bytes, or bytes
        The dictionary, of strings; of anything else as an Arrow stream.
    """

    codes: Fixed
    entries: tuple[bytes, ...] | bytes

    @classmethod
    def of(cls, array: pa.DictionaryArray) -> tuple[Self, list[Plane], bytes] | None:
        """Return a column, its planes and its text."""
        found = Fixed.of(array.indices)
        if found is None:
            return None
        codes, planes, _ = found
        dictionary = array.dictionary
        if _is_string(dictionary.type) and dictionary.null_count == 0:
            return cls(codes, tuple(_cells(dictionary, _known(dictionary)))), planes, b""
        return cls(codes, _as_stream(dictionary)), planes, b""

    @property
    def forms(self) -> list[Form]:
        """Its planes."""
        return self.codes.forms

    def array(self, values: Values, text: bytes, n_rows: int, dtype: pa.DataType) -> pa.Array:
        """Return the column, which has an Arrow type."""
        import pyarrow as pa

        codes = self.codes.array(values, text, n_rows, dtype.index_type)
        if isinstance(self.entries, bytes):
            entries = _from_stream(self.entries)
        else:
            entries = _string_array(self.entries, np.ones(len(self.entries), bool), dtype.value_type)
        return pa.DictionaryArray.from_arrays(codes, entries, ordered=dtype.ordered)

    def to_bytes(self) -> bytes:
        """Return all that the planes do not say."""
        entries = self.entries
        listed = varint(1) + string(entries) if isinstance(entries, bytes) else varint(0) + packed(entries)
        return self.codes.to_bytes() + listed

    @classmethod
    def read(cls, source: Source, n_rows: int) -> Self:
        """Return what :meth:`to_bytes` wrote."""
        codes = Fixed.read(source, n_rows)
        if at_most(source, 1, "as the kind of a dictionary"):
            return cls(codes, read_string(source, MOST_BYTES))
        return cls(codes, tuple(read_packed(source, MOST_CELLS, 2 * MOST_BYTES)))


@dataclass(frozen=True)
class Nothing:
    """A column of Arrow's type of nulls."""

    @classmethod
    def of(cls, array: pa.Array) -> tuple[Self, list[Plane], bytes]:
        """Return the column, no planes and no text."""
        return cls(), [], b""

    @property
    def forms(self) -> list[Form]:
        """No planes."""
        return []

    def array(self, values: Values, text: bytes, n_rows: int, dtype: pa.DataType) -> pa.Array:
        """Return the column."""
        import pyarrow as pa

        return pa.nulls(n_rows)

    def to_bytes(self) -> bytes:
        """Return nothing."""
        return b""

    @classmethod
    def read(cls, source: Source, n_rows: int) -> Self:
        """Return the column."""
        return cls()


Stored = Fixed | Strings | Coded | Nothing
KINDS: tuple[type[Stored], ...] = (Fixed, Strings, Coded, Nothing)


def _stored(array: pa.Array) -> tuple[Stored, list[Plane], bytes] | None:
    """Return a column, its planes and its text; None where its type has no place here."""
    for kind in _kinds_of(array.type):
        found = kind.of(array)
        if found is not None:
            return found
    return None


def _kinds_of(dtype: pa.DataType) -> list[type[Stored]]:
    """Return as what a column of an Arrow type can be stored."""
    from pyarrow import types

    if types.is_null(dtype):
        return [Nothing]
    if types.is_dictionary(dtype):
        return [Coded]
    if types.is_decimal128(dtype) or types.is_decimal256(dtype):
        return [Fixed, Strings]
    if _is_string(dtype):
        return [Strings]
    plain = types.is_boolean(dtype) or types.is_integer(dtype) or types.is_floating(dtype) or types.is_decimal(dtype)
    return [Fixed] if plain or (types.is_temporal(dtype) and not types.is_interval(dtype)) else []


# ------------------------------------------------------------------ whole tables


@dataclass(frozen=True)
class ArrowLayout:
    """What is known of a group of rows of an Arrow table beside its planes and texts.

    Parameters
    ----------
    schema : bytes
        Of the table, as Arrow writes it.
    n_rows : int
        Its rows.
    columns : tuple of Fixed, Strings, Coded or Nothing
        Its columns.
    """

    schema: bytes
    n_rows: int
    columns: tuple[Stored, ...]

    @property
    def forms(self) -> list[list[Form]]:
        """The planes of each column."""
        return [column.forms for column in self.columns]

    def restored(self, values: Sequence[Values], texts: Sequence[bytes], name: str) -> pa.Table:
        """Return the rows.

        Parameters
        ----------
        values : sequence of sequence of NDArray
            Of each column's planes.
        texts : sequence of bytes
            Of each column.
        name : str
            Of the file, for sentences.

        Raises
        ------
        ArtifactError
            They cannot be those of a group with this description.
        """
        import pyarrow as pa

        try:
            schema = pa.ipc.read_schema(pa.py_buffer(self.schema))
            arrays = []
            for field, column, its, text in zip(schema, self.columns, values, texts, strict=True):
                if not all(fits(form, plane, self.n_rows) for form, plane in zip(column.forms, its, strict=True)):
                    raise checks.damaged(name, "a value of a column is none that it can have")
                dtype = _without_extension(field.type)
                array = column.array(its, text, self.n_rows, dtype) if type(column) in _kinds_of(dtype) else None
                if array is None:
                    raise checks.damaged(name, "a column does not have the cells that it should have")
                arrays.append(_with_extension(array, field.type))
            return pa.Table.from_arrays(arrays, schema=schema)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise checks.damaged(name, f"Arrow finds no table in it ({str(error)[:120]})") from error

    def to_bytes(self) -> bytes:
        """Return the description."""
        columns = (varint(KINDS.index(type(column))) + column.to_bytes() for column in self.columns)
        return b"".join([varint(self.n_rows), string(self.schema), varint(len(self.columns)), *columns])

    @classmethod
    def read(cls, source: Source) -> Self:
        """Return what :meth:`to_bytes` wrote.

        Raises
        ------
        ArtifactError
            It is none, or of a group that is larger than groups are.
        """
        n_rows, schema = at_most(source, MOST_ROWS, "rows in a group"), read_string(source, MOST_SCHEMA)
        count = at_most(source, MOST_COLUMNS, "columns")
        if not n_rows or n_rows * count > max(MOST_CELLS, count):
            raise source.damaged(f"a group in it would have {n_rows:,} rows of {count:,} columns")
        columns = []
        for _ in range(count):
            kind = KINDS[at_most(source, len(KINDS) - 1, "as the number of a kind of columns")]
            columns.append(kind.read(source, n_rows))
        return cls(schema, n_rows, tuple(columns))


@dataclass(frozen=True, eq=False)
class ArrowGroup:
    """A group of rows of an Arrow table as planes of numbers, and texts.

    Parameters
    ----------
    layout : ArrowLayout
        What is known of it beside these.
    planes : list of list of Plane
        Of each column.
    texts : list of bytes
        Of each column: what is coded byte by byte; empty where it has planes only.
    """

    layout: ArrowLayout
    planes: list[list[Plane]]
    texts: list[bytes]

    def to_table(self) -> pa.Table:
        """Return the rows."""
        values = [[plane.values for plane in planes] for planes in self.planes]
        return self.layout.restored(values, self.texts, "the table")


def arrow_groups(
    table: pa.Table, *, cells: int = MOST_CELLS, rows: int = MOST_ROWS, size: int = MOST_BYTES
) -> Iterator[ArrowGroup] | NoTable:
    """Return the groups of rows of an Arrow table.

    Parameters
    ----------
    table : pyarrow.Table
        With columns of any type that is not nested.
    cells, rows, size : int
        Of a group, at most; ``size`` in bytes of memory. A group has one row at least.

    Returns
    -------
    iterator of ArrowGroup, or NoTable
        The latter where the table has no rows or no columns, or a column of a type that has no place here.
    """
    if not table.num_rows or not table.num_columns:
        return NoTable(checks.table_without_rows())
    if table.num_columns > MOST_COLUMNS:
        return NoTable(checks.table_too_wide(table.num_columns, MOST_COLUMNS))
    for field in table.schema:
        if not _kinds_of(_without_extension(field.type)):
            return NoTable(checks.table_of_type(field.name, str(field.type)))
    unified = _with_one_dictionary(table)
    if isinstance(unified, NoTable):
        return unified
    by_size = size * table.num_rows // max(1, table.nbytes)
    most = max(1, min(cells // table.num_columns, rows, by_size))
    return (_group(unified.slice(start, most)) for start in range(0, table.num_rows, most))


def _group(table: pa.Table) -> ArrowGroup:
    """Return some rows as a group."""
    columns, planes, texts = [], [], []
    for column in table.columns:
        stored = _stored(_one_array(column))
        assert stored is not None  # noqa: S101  its type was looked at
        columns.append(stored[0])
        planes.append(stored[1])
        texts.append(stored[2])
    return ArrowGroup(ArrowLayout(table.schema.serialize().to_pybytes(), table.num_rows, tuple(columns)), planes, texts)


# ------------------------------------------------------------------ arrays and their buffers


def _without_extension(dtype: pa.DataType) -> pa.DataType:
    """Return the type in which values of a type are stored."""
    import pyarrow as pa

    return dtype.storage_type if isinstance(dtype, pa.BaseExtensionType) else dtype


def _with_extension(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    """Return values with the type that they are stored for."""
    import pyarrow as pa

    return pa.ExtensionArray.from_storage(dtype, array) if isinstance(dtype, pa.BaseExtensionType) else array


def _with_one_dictionary(table: pa.Table) -> pa.Table | NoTable:
    """Return a table in which all chunks of a column have the same dictionary."""
    import pyarrow as pa

    for place, column in enumerate(table.columns):
        if not pa.types.is_dictionary(column.type) or column.num_chunks < 2:
            continue
        first, *others = (chunk.dictionary for chunk in column.chunks)
        if not all(first.equals(other) for other in others):
            try:
                table = table.set_column(place, table.schema.field(place), column.unify_dictionaries())
            except pa.ArrowException:  # there are nulls among the entries, or more of them than codes
                return NoTable(checks.table_with_dictionaries(table.schema.field(place).name))
    return table


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece, as it is stored."""
    import pyarrow as pa

    array = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
    return array.storage if isinstance(array.type, pa.BaseExtensionType) else array


def _is_string(dtype: pa.DataType) -> bool:
    """Tell whether the values of a type are bytes of any number."""
    from pyarrow import types

    strings = types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype)
    binary = types.is_binary(dtype) or types.is_large_binary(dtype) or types.is_binary_view(dtype)
    return strings or binary or (types.is_fixed_size_binary(dtype) and dtype.byte_width > 0)


def _known(array: pa.Array) -> Known:
    """Return which cells are not null."""
    return array.is_valid().to_numpy(zero_copy_only=False)


def _numpy_type(dtype: pa.DataType) -> tuple[np.dtype[Any], int]:
    """Return the type of NumPy in which values lie in memory, and how many of these are one value."""
    from pyarrow import types

    if types.is_boolean(dtype):
        return np.dtype(np.uint8), 1
    if types.is_integer(dtype) or types.is_floating(dtype):
        return np.dtype(dtype.to_pandas_dtype()), 1
    return np.dtype(f"i{min(dtype.bit_width, 64) // 8}"), max(1, dtype.bit_width // 64)


def _values(array: pa.Array) -> NDArray[Any]:
    """Return what lies in memory for each value: (rows,) or, where a value takes several words, (rows, words)."""
    from pyarrow import types

    numpy, words = _numpy_type(array.type)
    buffer = array.buffers()[1]
    stop = array.offset + len(array)
    if types.is_boolean(array.type):
        return np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")[array.offset : stop]
    found = np.frombuffer(buffer, numpy, count=stop * words)[array.offset * words :]
    return found if words == 1 else found.reshape(len(array), words)


def _array(values: NDArray[Any], known: Known, dtype: pa.DataType) -> pa.Array:
    """Return values, not all of which are known, as an array of a type."""
    import pyarrow as pa

    if pa.types.is_boolean(dtype):
        values = np.packbits(values, bitorder="little")
    validity = None if known.all() else pa.array(known).buffers()[1]
    return pa.Array.from_buffers(dtype, len(known), [validity, pa.py_buffer(np.ascontiguousarray(values))])


def _binary_type(dtype: pa.DataType) -> pa.DataType | None:
    """Return the type of bytes that strings of a type are; None where all values are of one length."""
    import pyarrow as pa

    pairs = (
        ((pa.string(), pa.binary()), pa.binary()),
        ((pa.large_string(), pa.large_binary()), pa.large_binary()),
        ((pa.string_view(), pa.binary_view()), pa.binary_view()),
    )
    return next((binary for those, binary in pairs if dtype in those), None)


def _cells(array: pa.Array, known: Known) -> list[bytes]:
    """Return values as bytes; where they are null, none."""
    binary = _binary_type(array.type)
    if binary is not None:
        return [cell or b"" for cell in array.view(binary).to_pylist()]
    width, raw = array.type.byte_width, array.buffers()[1].to_pybytes()
    starts = range(array.offset * width, (array.offset + len(array)) * width, width)
    return [raw[start : start + width] if there else b"" for start, there in zip(starts, known.tolist(), strict=True)]


def _string_array(cells: Sequence[bytes], known: Known, dtype: pa.DataType) -> pa.Array | None:
    """Return values from their bytes as an array of a type; None where a length is none that it has."""
    import pyarrow as pa

    there = known.tolist()
    binary = _binary_type(dtype)
    if binary is not None:
        return pa.array([cell if is_there else None for cell, is_there in zip(cells, there, strict=True)], binary).view(
            dtype
        )
    width = dtype.byte_width
    if any(len(cell) != width * is_there for cell, is_there in zip(cells, there, strict=True)):
        return None
    data = b"".join(cell if is_there else bytes(width) for cell, is_there in zip(cells, there, strict=True))
    return _array(np.frombuffer(data, np.uint8), known, dtype)


def _as_stream(array: pa.Array) -> bytes:
    """Return an array as an Arrow stream."""
    import pyarrow as pa

    batch = pa.record_batch([array], [""])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _from_stream(data: bytes) -> pa.Array:
    """Return the array of an Arrow stream, if that is sound."""
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        array = reader.read_next_batch().column(0)
    array.validate(full=True)
    return array
