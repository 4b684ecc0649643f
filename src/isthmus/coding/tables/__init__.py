"""Tables as columns of whole numbers, from which they come back byte for byte.

:func:`groups` cuts a text table into groups of rows, and each of these into cells (:mod:`.cells`) and columns
(:mod:`.columns`): planes of whole numbers (:class:`Plane`), text, and a description (:class:`Layout`) that gives the
bytes back from these. What codes the planes is no part of this.
"""

from __future__ import annotations

from isthmus.coding.tables.cells import Table, cut
from isthmus.coding.tables.coding import TextTable, described
from isthmus.coding.tables.dialect import Dialect, NoTable
from isthmus.coding.tables.layout import Group, Layout, analysed
from isthmus.coding.tables.planes import Form, Plane
from isthmus.coding.tables.rows import Stretch, groups
from isthmus.coding.tables.sniffing import sniffed

__all__ = [
    "Dialect",
    "Form",
    "Group",
    "Layout",
    "NoTable",
    "Plane",
    "Stretch",
    "Table",
    "TextTable",
    "analysed",
    "cut",
    "described",
    "groups",
    "sniffed",
]
