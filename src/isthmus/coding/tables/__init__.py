"""Tables as columns of whole numbers, from which they come back byte for byte.

:func:`groups` cuts a text table into groups of rows, and each of these into cells (:mod:`.cells`) and columns
(:mod:`.columns`): planes of whole numbers (:class:`Plane`), text, and a description (:class:`Layout`) that gives the
bytes back from these. :mod:`.coding` codes the planes, and :mod:`.pieces` puts all into a piece of a stream.
"""

from __future__ import annotations

from typing import Any

from isthmus import checks
from isthmus.coding.container import Source
from isthmus.coding.tables.cells import Table, cut
from isthmus.coding.tables.dialect import Dialect, NoTable
from isthmus.coding.tables.layout import Group, Layout, analysed
from isthmus.coding.tables.model import TableCodec
from isthmus.coding.tables.modelled import MODELLED, DescribedModelled, ModelledTable
from isthmus.coding.tables.parquet import PARQUET, DescribedParquet, ParquetTable
from isthmus.coding.tables.planes import Form, Plane
from isthmus.coding.tables.rows import Stretch, groups
from isthmus.coding.tables.sniffing import sniffed
from isthmus.coding.tables.text import TEXT, DescribedText, TextTable

__all__ = [
    "DescribedModelled",
    "DescribedParquet",
    "DescribedText",
    "Dialect",
    "Form",
    "Group",
    "Layout",
    "ModelledTable",
    "NoTable",
    "ParquetTable",
    "Plane",
    "Stretch",
    "Table",
    "TableCodec",
    "TextTable",
    "analysed",
    "cut",
    "described",
    "groups",
    "sniffed",
]

READERS: dict[int, type[DescribedText | DescribedParquet]] = {TEXT: DescribedText, PARQUET: DescribedParquet}


def described(source: Source, model: Any = None) -> DescribedText | DescribedParquet:
    """Return the table that a description in a file tells of.

    Raises
    ------
    FormatNumberError
        A later version wrote it.
    ArtifactError
        It is none.
    """
    kind = source.varint()
    if kind == MODELLED:
        return DescribedModelled.read(source, model)
    if kind not in READERS:
        raise checks.later_form(source.name, f"a table of kind {kind}")
    if source.up_to(1):
        raise source.damaged("more follows the kind of its table")
    return READERS[kind](source.name)
