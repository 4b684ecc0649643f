"""The files of golden/: how they were written, and two ways to decode them.

``python -m tests.coding.golden_files NAME`` writes those of a new name; files that are there are never written again.
This module needs no pytest, so that it runs on other machines, too (``benchmarks/other_machines.py``).
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import random
import struct
import sys
import tempfile
import warnings
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from isthmus import coding
from isthmus.coding import archive as archives
from isthmus.coding import contents, pictures, reference, tables, values
from isthmus.coding import stream as streams
from isthmus.coding.coder import extreme_prior
from isthmus.coding.container import SMALL_CONTENT
from isthmus.coding.photographs import decoder as photograph_decoder
from isthmus.coding.photographs.changes import changes_to_bytes
from isthmus.coding.photographs.weights import latents_at, sizes
from isthmus.coding.pictures import stored
from isthmus.coding.pictures.photograph import PhotographPixels
from isthmus.coding.prior import Prior
from isthmus.data.photographs import as_photo

from . import by_the_norm, tables_by_the_norm

FOLDER = Path(__file__).with_name("golden")
DIGESTS = FOLDER / "digests.json"
PARQUET = b"\1\1"  # field 2 of such a file
TEXT = b"A canal was cut through the isthmus; the isthmus had been 6,000 m wide, and the canal was 21 m wide.\n"


def digest(data: bytes | dict[str, bytes]) -> str:
    members = {"": data} if isinstance(data, bytes) else data
    return hashlib.sha256(b"".join(name.encode() + b"\0" + members[name] for name in sorted(members))).hexdigest()


def by_the_norm_alone(content: bytes) -> bytes | dict[str, bytes]:
    def coder(bits: int, *, speed: int = 1, prior: Prior | None = None) -> reference.Coder:
        return reference.Coder(bits, speed, prior and prior.tensors)

    if tables_by_the_norm.is_table(content):
        return tables_by_the_norm.table(content)
    if is_array(content) or is_picture(content) or has_files(content) or is_short(content):
        with (
            mock.patch.object(values, "_native", return_value=None),
            mock.patch.object(photograph_decoder, "_back", photograph_decoder.Plain),
        ):
            if has_files(content):
                return _members(content)
            if is_short(content):
                return coding.decompress(content, model=table_model())
            return _picture(content) if is_picture(content) else streams.Reader(io.BytesIO(content)).readall()
    with mock.patch.object(by_the_norm, "Coder", coder):
        decode = by_the_norm.archive if content[2] & 15 == by_the_norm.ARCHIVE else by_the_norm.decoded
        return decode(content, extreme_prior())


def is_array(content: bytes) -> bool:
    """Tell whether a file holds an array."""
    return _holds(content, contents.ARRAY)


def is_picture(content: bytes) -> bool:
    """Tell whether a file holds a picture, or a stack of them."""
    return _holds(content, contents.PICTURE)


def has_files(content: bytes) -> bool:
    """Tell whether a file is an archive of compressed files."""
    return content[2] & 15 == by_the_norm.ARCHIVE and 8 in by_the_norm.fields(content)[0]


def is_short(content: bytes) -> bool:
    """Tell whether a file is a small one of another content than bytes."""
    return content[2] & 15 == SMALL_CONTENT


def _holds(content: bytes, number: int) -> bool:
    is_stream = content[2] & 15 == by_the_norm.STREAM
    return is_stream and by_the_norm.fields(content)[0].get(2, b"")[:1] == bytes([number])


def by_isthmus(content: bytes) -> bytes | dict[str, bytes]:
    if is_array(content):
        return streams.Reader(io.BytesIO(content)).readall()  # an NPY file
    if is_picture(content):
        return _picture(content)
    if has_files(content):
        return _members(content)
    if is_short(content):
        return coding.decompress(content, model=table_model())
    if content[2] & 15 == by_the_norm.STREAM and by_the_norm.fields(content)[0].get(2) == PARQUET:
        return _pieces(content)  # a Parquet file has other bytes with each version of Arrow
    if content[2] & 15 != by_the_norm.ARCHIVE:
        return coding.decompress(content, model=extreme_prior())
    archive = coding.Archive(io.BytesIO(content), model=extreme_prior())
    return {name: archive.read(name) for name in archive.names}


# ---------------------------------------------------------------------- how they were written


def written() -> dict[str, tuple[bytes, bytes | dict[str, bytes]]]:
    """Return files of every form, with their data, as this version writes them."""
    noise = random.Random(7).randbytes(40)
    members = {"a.txt": TEXT, "more/empty": b"", "more/noise": noise}
    return {
        "1-small": (coding.compress(TEXT, prior=False), TEXT),
        "1-small-stored": (coding.compress(noise), noise),
        "1-small-empty": (coding.compress(b""), b""),
        "1-stream": (_stream(TEXT + noise + TEXT, "normal"), TEXT + noise + TEXT),
        "1-stream-fast": (_stream(TEXT * 2 + noise, "fast"), TEXT * 2 + noise),
        "1-archive": (_archive(members, "normal"), members),
        "1-archive-fast": (_archive(members, "fast"), members),
        "1-small-prior": (coding.compress(TEXT), TEXT),
        "1-small-model": (coding.compress(TEXT, model=extreme_prior()), TEXT),
        "1-stream-prior": (_stream(TEXT + noise + TEXT, "normal", prior=True), TEXT + noise + TEXT),
        "1-stream-model": (_stream(TEXT + noise, "normal", model=extreme_prior()), TEXT + noise),
        "1-archive-prior": (_archive(members, "normal", prior=True), members),
        "1-archive-model": (_archive(members, "normal", model=extreme_prior()), members),
        **_tables(),
        **_arrays(),
        **_pictures(),
        **_photographs(),
    }


def _tables() -> dict[str, tuple[bytes, bytes | dict[str, bytes]]]:
    """Return a table of all kinds of columns; one that is none; and a Parquet file."""
    rng = random.Random(18)
    rows = [
        f"{n},2024-01-{n % 28 + 1:02d} 12:{n * 7 % 60:02d}:00,{rng.choice(['north', 'south'])},"
        f"{rng.randrange(900) / 100},{'n/a' if n % 6 == 5 else rng.randrange(10**12)},"
        f'"a note, the {n}th, on {rng.choice(["canals", "locks"])} number {rng.randrange(1000)}"\n'
        for n in range(24)
    ]
    text = ("id,when,where,price,code,note\n" + "".join(rows)).encode()
    squares = b"n,square\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(150))
    return {
        "2-table": (_table(text), text),
        "2-table-bytes": (_table(b"a,b\n1,2\n3\n" * 9), b"a,b\n1,2\n3\n" * 9),
        "2-table-model": (table_model().compress(_batch(9)), _batch(9)),
        "2-archive-files": (_archive(members := {"a.csv": squares, "a.txt": TEXT}, "normal"), members),
        **_parquet(),
    }


def _arrays() -> dict[str, tuple[bytes, bytes | dict[str, bytes]]]:
    """Return fields without loss and within a bound, decimals, and items of several fields."""
    y, x = np.mgrid[:24, :30]
    field = ((x - 7) ** 2 * 3 + y * 40 + (x * y * 7) % 11).astype("<f4") / 16
    holes = field.copy()
    holes[2, 3], holes[5], holes[9, 9] = np.nan, 1e20, -0.0
    items = np.zeros(40, [("n", ">i2"), ("name", "S3"), ("price", "<f8")])
    items["n"], items["name"], items["price"] = np.arange(40) * 7, [b"abc", b"d"] * 20, np.arange(40) * 0.07
    arrays = {
        "2-array": (field, {}),
        "2-array-bounded": (np.asfortranarray(holes), {"max_error": 0.5}),
        "2-array-fields": (items, {}),
    }
    found: dict[str, tuple[bytes, bytes | dict[str, bytes]]] = {}
    for name, (array, bound) in arrays.items():
        content = coding.compress(array, **bound)
        found[name] = content, streams.Reader(io.BytesIO(content)).readall()
    return found


def _pictures() -> dict[str, tuple[bytes, bytes | dict[str, bytes]]]:
    """Return pictures by all kinds of schemes, and stacks, one with a model."""
    y, x = np.mgrid[:7, :6]
    colour = np.stack([y * 9 + x * 5 + y * x % 7, y * 7 + x * 6, 200 - y * 9], 2).astype("u1")
    some = (np.arange(3)[:, None, None] * 3 + y * x * 5 % 97 + y * 11).astype("u1")
    idx = bytes([0, 0, 8, 3]) + np.array(some.shape, ">u4").tobytes() + some.tobytes()
    made = {
        "2-picture": pictures.Picture(colour),
        "2-picture-fast": pictures.Picture(colour[:, :, 0].astype("<u2") * 259, speed="fast"),
        "2-picture-drawing": pictures.Picture(colour // 100 * 50),
        "2-picture-png": pictures.PngPicture(io.BytesIO(_png(colour))),
        "2-stack": pictures.Stack(some.astype(">i2") * -77),
        "2-stack-bits": pictures.Stack(some % 3 == 0),
        "2-stack-model": stored.content_of(io.BytesIO(idx), model=picture_model()),
    }
    files = {"stack.idx": idx, "none.idx": idx[:4] + bytes(4) + idx[8:16], "noise": random.Random(7).randbytes(40)}
    with warnings.catch_warnings(action="ignore"):
        archive = _archive(files, "normal", model=picture_model())
    found: dict[str, tuple[bytes, bytes | dict[str, bytes]]] = {"2-archive-pictures": (archive, files)}
    for name, content in made.items():
        file = io.BytesIO()
        contents.write(file, content)
        found[name] = file.getvalue(), _picture(file.getvalue())
    return found


def _photographs() -> dict[str, tuple[bytes, bytes | dict[str, bytes]]]:
    """Return photographs in colour, with transparency of 16 bits, and in grey with changes of the decoder's weights."""
    from isthmus.tasks.compression import to_target  # with which come torch and others, which no decoder needs

    y, x = np.mgrid[:21, :34]
    colour = np.stack([y * 9 + x * 2, y * 7 + x * 3, 200 - y * 9], 2).astype("u1")
    clear = np.concatenate([colour.astype("<u2") * 257, (x * 1900)[:, :, None].astype("<u2")], 2)
    changes = {"levels.0.up.weight": np.zeros((12, 3, 3, 24), np.int64), "levels.1.up_bias": np.zeros(48, np.int64)}
    changes["levels.0.up.weight"][3, 1], changes["levels.1.up_bias"][5] = 64, -1 << 15
    made = {
        "3-photograph": (colour, 100, b""),
        "3-photograph-clear": (clear, 255, b""),
        "3-photograph-changes": (colour[:, :, 0], 30, changes_to_bytes(changes)),
    }
    found: dict[str, tuple[bytes, bytes | dict[str, bytes]]] = {}
    for name, (pixels, quality, changed) in made.items():
        attempt = SimpleNamespace(tiles=[_latents(*pixels.shape[:2])], changes=changed)
        file = io.BytesIO()
        contents.write(file, to_target.Targeting(as_photo(pixels)).attempt(quality, attempt).content)
        found[name] = file.getvalue(), _picture(file.getvalue())
    return found


def _latents(height: int, width: int) -> list[np.ndarray]:
    """Return latents of a tile, few of which are large, and some planes of which are zero."""
    rng = random.Random(20)
    found = []
    for level, sides in enumerate(sizes(height, width)[1:], 1):
        shape = (*sides, latents_at(level))
        y = np.array([round(rng.gauss(0, 0.6) ** 3) for _ in range(math.prod(shape))], np.int16).reshape(shape)
        y[:, :, 7] = 0
        y[0, 0, 0] = 300 * (-1) ** level
        found.append(y)
    return found


def table_model() -> tables.TableCodec:
    """Return the model with which "2-table-model" was written."""
    return tables.TableCodec().fit([_batch(seed) for seed in range(3)])


def _batch(seed: int) -> bytes:
    """Return a few rows, of which the last has what few have."""
    rng = random.Random(seed)
    rows = [f"{seed * 5 + n},{rng.choice(['north', 'south'])},{rng.randrange(90) / 10}\n" for n in range(4)]
    return ("id,where,price\n" + "".join(rows) + f"{seed},west {seed},n/a\n").encode()


def picture_model() -> pictures.PictureCodec:
    """Return the model with which "2-stack-model" was written."""
    k, y, x = np.mgrid[:3, :7, :6]
    return pictures.PictureCodec().fit((k * 7 + y * x * 5 % 97 + y * 11).astype("u1"))


def _members(content: bytes) -> dict[str, bytes]:
    """Return the members of an archive of pictures."""
    archive = coding.Archive(io.BytesIO(content), model=picture_model())
    return {name: archive.read(name) for name in archive.names}


def _picture(content: bytes) -> bytes:
    """Return the file of a picture; of PNG files and photographs the data of the pieces, since files hang on zlib."""

    def plain(_: Any, pieces: Any) -> Any:
        return pieces

    with (
        mock.patch.object(pictures.PngPixels, "as_file", plain),
        mock.patch.object(PhotographPixels, "as_file", plain),
    ):
        model = picture_model() if 6 in by_the_norm.fields(content)[0] else None
        return streams.Reader(io.BytesIO(content), model=model).readall()


def _png(pixels: np.ndarray) -> bytes:
    """Return a PNG file of RGB with a text, whose rows are not filtered."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0),
        b"tEXt": b"Title\0a canal",
        b"IDAT": zlib.compress(rows, 0),
        b"IEND": b"",
    }
    each = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks.items())
    return b"\x89PNG\r\n\x1a\n" + b"".join(each)


def _table(data: bytes) -> bytes:
    file = io.BytesIO()
    contents.write(file, tables.TextTable(io.BytesIO(data)), name="canal.csv")
    return file.getvalue()


def _parquet() -> dict[str, tuple[bytes, bytes | dict[str, bytes]]]:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {"a": [1, None, 3] * 9, "b": [0.5, 2.25, float("nan")] * 9, "c": ["lock", "canal", None] * 9}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "canal.parquet"
        parquet.write_table(pa.table(columns), path)
        content, file = tables.ParquetTable.of(path), io.BytesIO()
        contents.write(file, content, name="canal.parquet")
    return {"2-table-parquet": (file.getvalue(), _pieces(file.getvalue()))}


def _pieces(content: bytes) -> bytes:
    """Return the data of the pieces of a Parquet file."""
    with mock.patch.object(tables.DescribedParquet, "as_file", lambda self, pieces: pieces):
        return coding.decompress(content)


def _stream(data: bytes, speed: str, *, prior: bool = False, model: Prior | None = None) -> bytes:
    file = io.BytesIO()
    with (
        mock.patch.multiple(streams, CHUNK=40, RESTART=160),
        streams.Writer(file, speed=speed, size=len(data), name="canal.txt", prior=prior, model=model) as writer,
    ):
        writer.write(data)
        writer.flush()
    return file.getvalue()


def _archive(members: dict[str, bytes], speed: str, *, prior: bool = False, model: Any = None) -> bytes:
    file = io.BytesIO()
    archives.write_archive(file, members, speed=speed, prior=prior, model=model)
    return file.getvalue()


def main(prefix: str) -> None:
    digests = json.loads(DIGESTS.read_text()) if DIGESTS.exists() else {}
    for name, (content, data) in written().items():
        if name.startswith(prefix) and name not in digests:
            (FOLDER / f"{name}.isth").write_bytes(content)
            digests[name] = digest(data)
    DIGESTS.write_text(json.dumps(digests, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
