"""Views of records in a report: one class for each kind says what is shown of them, and of how many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from isthmus.report import marginals
from isthmus.report.measurement import Measurement
from isthmus.report.selection import MAX_CELLS, cells

__all__ = ["RowView", "view_of"]

MIN_DRAWN = 20
MAX_VALUES = 20_000_000  # numbers in what is drawn (160 MB in float64), which means fewer records where these are large
CHANGED = 4  # columns told of a unit, those that change most
NOTICED = 1e-4  # squared deviations: a column that changes by less than a hundredth of its deviation does not change
MAX_TEXT = 120


class RowView:
    """Rows of arrays and tables: the values of some columns."""

    steps: ClassVar[int] = 5  # of a path, both ends included
    unit_steps: ClassVar[int] = 2  # of a unit that is moved
    paths: ClassVar[int] = 1
    shown: ClassVar[int] = 5  # new records that are shown with their nearest ones
    most_drawn: ClassVar[int] = 2000  # marginals of few rows are mostly chance

    def __init__(self, found: Measurement) -> None:
        self.found = found

    def drawn(self) -> int:
        """Return how many new records to draw."""
        values = float(self.found.comparison.dimensions(self.found.original[:1]).mean())
        return int(max(MIN_DRAWN, min(self.most_drawn, MAX_VALUES // max(values, 1.0))))

    def pictures(self, block: Any, rows: Iterable[int]) -> list[Any]:
        """Return the pictures among some records of a block: none of rows and texts."""
        return []

    def together(self, block: Any, random_state: int) -> dict[str, Any]:
        """Return what is shown of all new records together."""
        return {"columns": marginals.compare(self.found, block, random_state)}

    def each(self, block: Any) -> dict[str, Any]:
        """Return what is shown of each of some records."""
        names = self.found.column_names()[:MAX_CELLS]
        return {"columns": names, "rows": [cells(block, row, names) for row in range(len(block))]}

    def change(self, block: Any, start: int) -> dict[str, Any]:
        """Return in what the record at ``start`` and the next one differ."""
        names = self.found.column_names()
        errors = self.found.column_errors(block[start : start + 1], block[start + 1 : start + 2])[0]
        low, high = cells(block, start, names), cells(block, start + 1, names)
        order = np.argsort(-errors, kind="stable")[:CHANGED].tolist()
        chosen = [column for column in order if errors[column] > NOTICED]
        return {"columns": [{"name": names[column], "low": low[column], "high": high[column]} for column in chosen]}

    def pair(self, block: Any, row: int, neighbours: Any, place: int) -> dict[str, Any]:
        """Return a new record and its nearest real one."""
        names = self.found.column_names()[:MAX_CELLS]
        return {"columns": names, "new": cells(block, row, names), "nearest": cells(neighbours, place, names)}


class PictureView(RowView):
    """Pictures, which are drawn: the document has nothing of them."""

    steps = unit_steps = 9
    paths = 4
    shown = 10
    most_drawn = 400

    def pictures(self, block: Any, rows: Iterable[int]) -> list[Any]:
        return [block[row] for row in rows]

    def together(self, block: Any, random_state: int) -> dict[str, Any]:
        return {}

    def each(self, block: Any) -> dict[str, Any]:
        return {}

    def change(self, block: Any, start: int) -> dict[str, Any]:
        return {}

    def pair(self, block: Any, row: int, neighbours: Any, place: int) -> dict[str, Any]:
        return {}


class TextView(RowView):
    """Texts, by their beginning."""

    def drawn(self) -> int:
        return 10

    def together(self, block: Any, random_state: int) -> dict[str, Any]:
        return self.each(block)

    def each(self, block: Any) -> dict[str, Any]:
        return {"texts": [record[:MAX_TEXT].decode("utf-8", "replace") for record in block]}

    def change(self, block: Any, start: int) -> dict[str, Any]:
        return self.each(block[start : start + 2])


VIEWS: dict[str, type[RowView]] = {"image": PictureView, "text": TextView}


def view_of(found: Measurement) -> RowView:
    """Return the view of records of a measurement's kind."""
    return VIEWS.get(found.data.schema.kind, RowView)(found)
