"""Text tables of all kinds, for tests: made cell by cell, so that their cells are known."""

from __future__ import annotations

import io
from dataclasses import dataclass

from hypothesis import strategies as st

from isthmus.coding.container import Source
from isthmus.coding.tables import Group, Layout, groups

NUMBERS = [
    "0",
    "1",
    "-1",
    "17",
    "1e5",
    "-0",
    "007",
    "+1",
    ".5",
    "5.",
    "0.70",
    "7.4",
    "-3.25",
    str(2**70),
    "1E-05",
    "0.0",
]
OTHERS = ["", "NA", "nan", "?", "a", "Ω", "b c", "x\0y", "\x1b1", "2020-01-31", "12:30", "$5", "10%", "-"]
SEPARATORS = [",", ";", "|", "\t"]
NEWLINES = ["\n", "\r\n", "\r"]


@dataclass(frozen=True)
class Written:
    """A table and how it is written."""

    rows: list[list[str]]
    separator: str
    newline: str
    quoted: str
    ending: str

    def to_bytes(self) -> bytes:
        lines = [self.separator.join(map(self._cell, row)) for row in self.rows]
        return (self.newline.join(lines) + self.ending).encode()

    def _cell(self, cell: str) -> str:
        special = any(sign in cell for sign in (self.separator, '"', "\n", "\r"))
        if self.quoted == "always" or special or (self.quoted == "filled" and cell):
            return '"' + cell.replace('"', '""') + '"'
        return cell


def cells(special: bool) -> st.SearchStrategy[str]:
    """Return cells, some of which need quotes."""
    odd = ['say "so"', '"', "two\nlines", "a,b;c|d\te", "\r"] if special else []
    return st.one_of(
        st.sampled_from(NUMBERS),
        st.sampled_from(OTHERS + odd),
        st.integers(-(10**6), 10**6).map(str),
        st.decimals(-100, 100, places=2).map(str),
        st.floats(allow_nan=False).map(repr),
        st.text("abc01.-", max_size=6),
    )


@st.composite
def columns(draw: st.DrawFn, n_rows: int) -> list[str]:
    """Return a column: of a few cells, of cells of one kind, or of anything."""
    pool = draw(st.lists(cells(special=True), min_size=1, max_size=4))
    kind = draw(
        st.sampled_from(
            [
                st.sampled_from(pool),
                st.integers(0, 30).map(str),
                st.integers(-(2**63), 2**63).map(str),
                st.decimals(-1, 1, places=3).map(str),
                st.floats(-100, 100, width=32).map(repr),
                st.integers(0, 999).map("{:04d}".format),
                st.integers(0, 500).map("${}.50".format),
                st.one_of(st.integers(0, 9).map(str), st.just("NA")),
                cells(special=True),
            ]
        )
    )
    return draw(st.lists(kind, min_size=n_rows, max_size=n_rows))


@st.composite
def tables(draw: st.DrawFn) -> Written:
    """Return a table."""
    n_rows, n_columns = draw(st.integers(1, 40)), draw(st.integers(1, 5))
    found = [draw(columns(n_rows)) for _ in range(n_columns)]
    rows = [list(row) for row in zip(*found, strict=True)]
    if draw(st.booleans()):
        rows.insert(0, [f"name {place}" for place in range(n_columns)])
    newline = draw(st.sampled_from(NEWLINES))
    return Written(
        rows,
        draw(st.sampled_from(SEPARATORS)),
        newline,
        draw(st.sampled_from(["needed", "always", "filled"])),
        draw(st.sampled_from(["", newline, 2 * newline])),
    )


def restored(data: bytes, **limits: int) -> tuple[bytes, list[str]]:
    """Return data from what groups of them become, and why some are left as bytes; descriptions are read again."""
    found, reasons = [], []
    for group in groups(io.BytesIO(data), **limits):
        if not isinstance(group, Group):
            found.append(group.data)
            reasons.append(group.why)
            continue
        side = group.layout.to_bytes()
        source = Source(io.BytesIO(side), "it")
        layout = Layout.read(source)
        assert (layout, source.position) == (group.layout, len(side))
        assert [[plane.name for plane in planes] for planes in group.planes] == [
            [form.name for form in forms] for forms in layout.forms
        ]
        values = [[plane.values for plane in planes] for planes in group.planes]
        found.append(layout.restored(values, group.texts, "it"))
    return b"".join(found), reasons
