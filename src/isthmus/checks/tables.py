"""Sentences about models of tables."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.errors import DataError

__all__ = [
    "columns_too_many",
    "no_table_for_model",
    "no_table_to_learn",
    "no_tables_to_learn",
    "rows_left_out",
    "table_of_other_columns",
]

LISTED = 8  # columns that a sentence names before it counts the rest


def no_tables_to_learn() -> DataError:
    """Return the error for a model of tables that is to be learned from none."""
    return DataError("TableCodec.fit: there are no tables to learn from; give one at least.")


def no_table_to_learn(name: str, why: str) -> DataError:
    """Return the error for something that is no table, where one is to be learned from; ``why`` is a clause of it."""
    return DataError(f"{name} cannot be learned from as a table: {why}; leave it out.")


def no_table_for_model(name: object, why: str) -> DataError:
    """Return the error for something that is no table, and is to be compressed with a model of tables."""
    return DataError(f"{name} is no table as those of the model: {why}; leave the model out.")


def table_of_other_columns(name: str, own: Sequence[str], known: Sequence[str]) -> DataError:
    """Return the error for a table that has other columns than those of a model."""
    return DataError(
        f"{name} has other columns than the model: {_listed(own)}, where that has {_listed(known)}; leave it out, or "
        f"fit another model on such tables."
    )


def columns_too_many(count: int) -> DataError:
    """Return the error for tables of which a model would have too many bytes."""
    return DataError(
        f"TableCodec.fit: a model of {count:,} columns would be too large; take fewer columns, or compress without one."
    )


def rows_left_out(rows: int) -> str:
    """Return what is said where there are more rows than a model learns from."""
    return f"the model learned from the first {rows:,} rows: it takes no more than 4,194,304 cells and 64 MiB"


def _listed(names: Sequence[str]) -> str:
    """Return names of columns, of many the first ones and how many there are."""
    shown = ", ".join(map(repr, names[:LISTED]))
    return shown if len(names) <= LISTED else f"{shown} and {len(names) - LISTED:,} more"
