"""Error messages about filling missing cells."""

from __future__ import annotations

from isthmus.errors import DataError, ParameterError

__all__ = ["nothing_to_fill", "one_size_to_impute"]


def one_size_to_impute(kind: str, *, varies: bool) -> None:
    """Refuse records that have no cells, or pictures whose cells differ from one to the next."""
    if varies:
        raise ParameterError(
            "impute: pictures of several sizes have no intervals; fill them without, with inpaint, or use pictures of "
            "one size."
        )
    if kind == "text":
        raise DataError("impute: cells of arrays, images and tables can be filled; the data are of kind 'text'.")


def nothing_to_fill(source: str, marked: int) -> None:
    """Refuse data in which no cell is missing or marked."""
    if not marked:
        raise DataError(
            f"impute: {source} has no empty cell and no marked one, so there is nothing to fill; say what to replace "
            f"with mask= (--mask)."
        )
