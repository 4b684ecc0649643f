"""A file of codes that is read: the whole numbers, which need no model, and which model it takes to go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from isthmus import checks
from isthmus.coding import contents
from isthmus.coding.codes.batch import Batch
from isthmus.coding.codes.coding import Described
from isthmus.coding.container import FINGERPRINT, STREAM, Fields, Source, opened, varint
from isthmus.coding.stream import Lost, pieces, sound_pieces

__all__ = ["CodedRecords", "opened_codes"]


@dataclass(frozen=True)
class CodedRecords:
    """A compressed file of codes that is read.

    Parameters
    ----------
    source : Source
        The file, of which the head is taken.
    fields : Fields
        What its head says.
    described : Described
        Its content.
    """

    source: Source
    fields: Fields
    described: Described

    def __len__(self) -> int:
        """Return the number of records."""
        return self.described.lattice.records

    def check_model(self, fingerprint: bytes | None) -> None:
        """Refuse another model than that of the file, by its fingerprint, or none."""
        needed = self.fields.prior or b""
        if fingerprint is None or fingerprint[:FINGERPRINT] != needed:
            raise checks.needs_model(self.source.name, needed.hex(), None if fingerprint is None else fingerprint.hex())

    def batches(self) -> Iterator[Batch]:
        """Yield the whole numbers, each piece checked."""
        count = 0
        for units, data in pieces(self.source, self.described):
            count += units
            yield self.described.batch(units, data)
        if count != len(self):
            raise self.source.damaged("it holds another number of records than it says")

    def sound(self) -> Iterator[Batch | Lost]:
        """Yield what is sound of a damaged file, and what is lost between."""
        for piece in sound_pieces(self.source, self.described):
            yield piece if isinstance(piece, Lost) else self.described.batch(piece.units, piece.data)


def opened_codes(source: Source) -> CodedRecords | None:
    """Return the codes of a file, None where it holds something else; the file is then where it was."""
    here = source.position
    if opened(source) == STREAM:
        fields = Fields.read(source, STREAM)
        if fields.content is not None and fields.content.startswith(varint(contents.CODES)):
            described = contents.reader_of(fields.content, source.name)
            return CodedRecords(source, fields, cast(Described, described))
    source.seek(here)
    return None
