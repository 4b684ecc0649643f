"""What every compressed file has in common, and the whole of the small one: see docs/format.md, which is the norm.

A reader takes what a file says only after a check, and allocates nothing that a file declares before it has compared it
with a limit and with the bytes that are there.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

from isthmus import checks
from isthmus.coding import names
from isthmus.coding.coder import NORMAL, Coder, table_bits
from isthmus.coding.kinds import Known
from isthmus.coding.prior import Prior, shipped
from isthmus.errors import ArtifactError

__all__ = [
    "ARCHIVE",
    "EMPTY",
    "MAGIC",
    "SMALL_CONTENT",
    "SMALL_LIMIT",
    "SPEEDS",
    "STREAM",
    "VALUES",
    "Fields",
    "Source",
    "as_bytes",
    "believable",
    "check_of",
    "coded",
    "decoded",
    "is_compressed",
    "needed_model",
    "needed_prior",
    "opened",
    "small",
    "small_data",
    "varint",
]

MAGIC = b"\xc1\x69"
FORMAT_NUMBER = 1
SMALL_STORED, SMALL_PREDICTED, SMALL_WITH_PRIOR, SMALL_WITH_MODEL, SMALL_CONTENT, STREAM, ARCHIVE = 0, 1, 2, 3, 4, 8, 9
FORMS = (SMALL_STORED, SMALL_PREDICTED, SMALL_WITH_PRIOR, SMALL_WITH_MODEL, SMALL_CONTENT, STREAM, ARCHIVE)
SMALL_LIMIT = 65_535  # bytes of data
SMALL_HEAD = 8  # bytes before them
FIELDS_LIMIT = 65_535  # bytes of fields
VARINT_LIMIT = 10  # bytes of one
SPEEDS = {"normal": 1, "fast": 2}
STORED, PREDICTED, VALUES = 0, 1, 2  # methods
SMALL_FINGERPRINT, FINGERPRINT = 4, 16  # bytes that name a model in a small file, and a prior in the others
FILES = b"\x01"  # form of the members of an archive that may be files of their own
DENSEST = 1 << 16  # units that a byte of payload can stand for, at most
FLUSHED = 4  # bytes that the end of a payload may leave out: they are zeros
AT_ONCE = 1 << 26  # bytes that a file is asked for, since it may make room for all of them
EMPTY = zlib.crc32(b"")


class Source:
    """The bytes of a file in their order, of which a reader says how many it needs.

    Parameters
    ----------
    file : binary file
        Read from where it stands.
    name : str
        Of the file, for sentences.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file, self.name = file, name
        self.position = 0
        self._noted: bytearray | None = None

    @classmethod
    def of(cls, content: bytes | memoryview, name: str) -> Self:
        """Return the source of bytes that are at hand."""
        return cls(io.BytesIO(content), name)

    def take(self, count: int) -> bytes:
        """Return exactly so many bytes.

        Raises
        ------
        ArtifactError
            The file ends before.
        """
        found = self.up_to(count)
        if len(found) < count:
            raise checks.cut_short(self.name)
        return found

    def up_to(self, count: int) -> bytes:
        """Return so many bytes, or fewer where the file ends."""
        pieces, missing = [], count
        while missing and (piece := self.file.read(min(missing, AT_ONCE))):
            pieces.append(piece)
            missing -= len(piece)
        found = b"".join(pieces)
        self.position += len(found)
        if self._noted is not None:
            self._noted += found
        return found

    def note(self) -> None:
        """Keep from now on what is taken."""
        self._noted = bytearray()

    def noted(self) -> bytes:
        """Return what was taken since :meth:`note`, and keep no more."""
        found, self._noted = bytes(self._noted or b""), None
        return found

    def varint(self) -> int:
        """Return a number of seven bits a byte, lowest first."""
        value = 0
        for place in range(VARINT_LIMIT):
            byte = self.take(1)[0]
            value |= (byte & 127) << 7 * place
            if byte < 128:
                if (byte == 0 and place) or value >> 64:
                    break
                return value
        raise self.damaged("a number in it is written as none")

    def damaged(self, why: str) -> ArtifactError:
        """Return the error for something that is not as it was written."""
        return checks.damaged(self.name, why)

    def seek(self, position: int) -> None:
        """Go to a place, counted from where the file stood at first."""
        self.file.seek(position - self.position, 1)
        self.position = position


def varint(value: int) -> bytes:
    """Return a number in seven bits a byte, lowest first."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def check_of(data: bytes | memoryview, size: int = 4, start: int = EMPTY) -> bytes:
    """Return the lowest ``size`` bytes of CRC-32; ``start`` is that of what stands before."""
    return zlib.crc32(data, start).to_bytes(4, "little")[:size]


def is_compressed(start: bytes) -> bool:
    """Tell whether a file begins like a compressed one."""
    return start[: len(MAGIC)] == MAGIC


def first_bytes(form: int) -> bytes:
    """Return what a file of a form begins with."""
    return MAGIC + bytes([FORMAT_NUMBER << 4 | form])


def opened(source: Source) -> int:
    """Return the form of a file, whose first bytes are taken.

    Raises
    ------
    ArtifactError
        It does not begin like a compressed file.
    FormatNumberError
        A later version wrote it.
    """
    first = source.up_to(3)
    if not is_compressed(first):
        raise checks.not_compressed(source.name)
    if len(first) < 3:
        raise checks.cut_short(source.name)
    number, form = first[2] >> 4, first[2] & 15
    if number != FORMAT_NUMBER:
        raise checks.later_form(source.name, f"format {number}")
    if form not in FORMS:
        raise checks.later_form(source.name, f"form {form}")
    return form


def as_bytes(owner: str, data: Any) -> memoryview:
    """Return data as bytes in one row, which are not copied; refuse what holds none."""
    try:
        return memoryview(data).cast("B")
    except TypeError:
        raise checks.bytes_only(owner, data) from None


# ------------------------------------------------------------------ payloads


def coded(coder: Coder | None, data: bytes | memoryview) -> bytes | None:
    """Return the payload of data, None where it would not be smaller than they are; the coder learns from them."""
    if coder is None:
        return None
    payload = coder.encode(data)
    return payload if len(payload) < len(data) else None


def decoded(coder: Coder, payload: bytes, length: int) -> bytes | None:
    """Return the data of a payload, None where it cannot be that of so many bytes."""
    if not believable(len(payload), length):
        return None
    try:
        return coder.decode(payload, length)
    except ValueError:
        return None


def believable(payload: int, length: int) -> bool:
    """Tell whether so many bytes of payload can hold so many of data.

    A probability has 16 bits, so a byte takes at least 8 log2(1 / (1 - 2^-16)) bits, 1/45,426 of a byte.
    """
    return payload < length <= DENSEST * (payload + FLUSHED)


# ------------------------------------------------------------------ small files


def small(data: bytes, prior: Prior | None = None) -> bytes:
    """Return the compressed file of at most 65,535 bytes."""
    form, named = _form_with(prior)
    payload = coded(Coder(table_bits(len(data)), prior=prior), data)
    if payload is None or len(named) + len(payload) >= len(data):
        form, named, payload = SMALL_STORED, b"", data
    first = first_bytes(form) + len(data).to_bytes(2, "little")
    return first + check_of(first[2:] + named + data, 3) + named + payload


def _form_with(prior: Prior | None) -> tuple[int, bytes]:
    """Return the form of a small file that is predicted with a prior, and what names that."""
    if prior is None:
        return SMALL_PREDICTED, b""
    carried = shipped()
    if carried is not None and prior.fingerprint == carried.fingerprint:
        return SMALL_WITH_PRIOR, b""
    return SMALL_WITH_MODEL, prior.fingerprint[:SMALL_FINGERPRINT]


def small_data(source: Source, form: int, model: Known | None = None) -> bytes:
    """Return the data of a small file, whose first bytes are taken; ``model`` is the one that a person named."""
    size = source.take(2)
    check, length = source.take(3), int.from_bytes(size, "little")
    named = source.take(SMALL_FINGERPRINT) if form == SMALL_WITH_MODEL else b""
    rest = source.up_to(length + 1)  # one more than there can be
    if form == SMALL_STORED:
        data: bytes | None = rest if len(rest) == length else None
    else:
        data = decoded(Coder(table_bits(length), prior=_prior_of(form, named, model, source)), rest, length)
    if data is None or check_of(first_bytes(form)[2:] + size + named + data, 3) != check:
        raise source.damaged("its check does not fit its data, or its end is missing")
    return data


def _prior_of(form: int, named: bytes, model: Known | None, source: Source) -> Prior | None:
    """Return the prior that a small file is predicted with."""
    if form == SMALL_PREDICTED:
        return None
    if form == SMALL_WITH_MODEL:
        return needed_prior(named, model, source.name)
    if shipped() is None:
        raise checks.later_form(source.name, f"form {form}")
    return shipped()


def needed_prior(fingerprint: bytes, model: Known | None, name: str) -> Prior:
    """Return the prior whose fingerprint begins so: that of the package, or the model that a person named.

    Parameters
    ----------
    fingerprint : bytes
        Its beginning.
    model : Known or None
        What was named.
    name : str
        Of the file that needs it, for sentences.

    Raises
    ------
    ArtifactError
        It is another, or none was named.
    """
    for prior in (model, shipped()):
        if isinstance(prior, Prior) and prior.fingerprint.startswith(fingerprint):
            return prior
    raise checks.needs_model(name, fingerprint.hex(), None if model is None else model.fingerprint.hex())


def needed_model(fingerprint: bytes | None, model: Known | None, name: str) -> Known:
    """Return the model that a person named, whose fingerprint begins so; errors are those of :func:`needed_prior`."""
    if fingerprint is None or model is None or not model.fingerprint.startswith(fingerprint):
        needed = (fingerprint or b"").hex()
        raise checks.needs_model(name, needed, None if model is None else model.fingerprint.hex())
    return model


# ------------------------------------------------------------------ fields of a stream or an archive


@dataclass(frozen=True)
class Fields:
    """What stands at the head of a stream or an archive.

    Parameters
    ----------
    method : int
        0 is stored, 1 predicted, 2 by the coder of values.
    speed : int
        Of the coder.
    bits : int
        Size of its tables, as log2 of their entries.
    name : str, optional
        Of what was compressed.
    prior : bytes, optional
        The 16 first bytes of the fingerprint of the prior that the coder begins with.
    content : bytes, optional
        What is in the stream where it is not bytes: its number, and what it says of itself.
    files : bytes, optional
        Of an archive of which members may be compressed files of their own: the 16 first bytes of the fingerprint of
        the model that these need; none where they need none.
    """

    method: int
    speed: int = 0
    bits: int = 0
    name: str | None = None
    prior: bytes | None = None
    content: bytes | None = None
    files: bytes | None = None

    @classmethod
    def predicted(cls, speed: int, bits: int, prior: Prior | None, name: str | None = None) -> Self:
        """Return the fields of data that a coder with a prior codes."""
        return cls(PREDICTED, speed, bits, name, None if prior is None else prior.fingerprint[:FINGERPRINT])

    def to_bytes(self, form: int) -> bytes:
        """Return the head of a file: first bytes, fields, check."""
        fields = {4: bytes([self.method, self.speed, self.bits])}
        if self.name is not None:
            fields[1] = self.name.encode()
        if self.content is not None:
            fields[2] = self.content
        if self.prior is not None:
            fields[6] = self.prior
        if self.files is not None:
            fields[8] = FILES + self.files
        packed = b"".join(varint(tag) + varint(len(value)) + value for tag, value in sorted(fields.items()))
        first = first_bytes(form) + varint(len(packed)) + packed
        return first + check_of(first[2:])

    @classmethod
    def read(cls, source: Source, form: int) -> Self:
        """Return the fields of a file, whose first bytes are taken."""
        source.note()
        size = source.varint()
        if size > FIELDS_LIMIT:
            raise source.damaged(f"its head would have {size:,} bytes")
        packed = source.take(size)
        if check_of(first_bytes(form)[2:] + source.noted()) != source.take(4):
            raise source.damaged("its head does not fit its check")
        return cls._understood(_by_tag(packed, source), source, form)

    @classmethod
    def _understood(cls, fields: Mapping[int, bytes], source: Source, form: int) -> Self:
        """Return what fields mean, each of which is what it should be, or was written by a later version."""
        unknown = [tag for tag in fields if tag % 2 == 0 and tag not in (2, 4, 6, *([8] if form == ARCHIVE else []))]
        if unknown:
            raise checks.later_form(source.name, f"field {unknown[0]}")
        files = fields.get(8)
        if files is not None and (files[:1] != FILES or len(files) not in (1, 1 + FINGERPRINT)):
            raise checks.later_form(source.name, f"members of form {files[:1].hex()}")
        coder = fields.get(4, b"")
        if len(coder) != 3:
            raise source.damaged("its head does not say how it is coded")
        method, speed, bits = coder
        content = fields.get(2)
        if method > VALUES or (method == VALUES) != (content is not None):
            raise checks.later_form(source.name, f"method {method} for such a content")
        if speed not in (SPEEDS.values() if method == PREDICTED else (0,)):
            raise checks.later_form(source.name, f"method {method}, speed {speed}")
        if not (table_bits(0, speed) <= bits <= table_bits(None, speed) if method == PREDICTED else bits == 0):
            raise checks.later_form(source.name, f"a table of 2^{bits}")
        prior = fields.get(6)
        if prior is not None and len(prior) != FINGERPRINT:
            raise source.damaged("its head does not say which prior it needs")
        if prior is not None and (method, speed) not in ((PREDICTED, NORMAL), (VALUES, 0)):
            raise checks.later_form(source.name, f"a prior for method {method}, speed {speed}")
        return cls(method, speed, bits, _name(fields.get(1), source), prior, content, files and files[1:])

    def found_prior(self, model: Known | None, name: str) -> Prior | None:
        """Return the prior that the coder needs; errors are those of :func:`needed_prior`."""
        return None if self.prior is None else needed_prior(self.prior, model, name)

    def coder(self, length: int | None = None, *, prior: Prior | None = None) -> Coder | None:
        """Return a new coder, for as few bytes as ``length`` if that is given; None where all is stored."""
        if self.method != PREDICTED:
            return None
        bits = self.bits if length is None else min(self.bits, table_bits(length, self.speed))
        return Coder(bits, speed=self.speed, prior=prior)


def _by_tag(packed: bytes, source: Source) -> dict[int, bytes]:
    """Return fields by tag."""
    inner = Source(io.BytesIO(packed), source.name)
    fields: dict[int, bytes] = {}
    while inner.position < len(packed):
        tag = inner.varint()
        size = inner.varint()
        if size > len(packed) or (fields and tag <= max(fields)):
            raise source.damaged("its fields are in no order")
        fields[tag] = inner.take(size)
    return fields


def _name(value: bytes | None, source: Source) -> str | None:
    """Return the name in a field."""
    if value is None:
        return None
    try:
        name = value.decode()
    except UnicodeDecodeError:
        name = ""
    if "/" in name or names.why_refused(name):
        raise source.damaged("the name in its head is none")
    return name
