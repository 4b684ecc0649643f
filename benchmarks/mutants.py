"""Damaged files: sound ones of every reader, changed at random, the checksums made right again in half of them.

Case ``number`` of a seed is the same file on every machine with the same versions of the libraries that write the sound
ones. A checksum that fails hides everything behind it; a mutant whose checksums are right gets past that outer door.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

__all__ = ["FORMATS", "LARGE", "SLOW", "Format", "Outcome", "case", "run", "sound"]

Change = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Format:
    """One reader under attack.

    Parameters
    ----------
    name : str
        Of the reader, in the figures.
    file : str
        Name of the file, whose suffix chooses the reader.
    sound : callable
        Returns sound files.
    read : callable
        Reads all of a file.
    repaired : callable or None
        Changes a file behind its checksums and makes these right again; None where there are none.
    """

    name: str
    file: str
    sound: Callable[[], list[bytes]]
    read: Callable[[Path], None]
    repaired: Callable[[bytes, Change, np.random.Generator], bytes] | None = None
    kept: list[bytes] = field(default_factory=list)

    @property
    def seeds(self) -> list[bytes]:
        """The sound files, made once."""
        if not self.kept:
            self.kept.extend(self.sound())
        return self.kept


# ---------------------------------------------------------------------- changes

NUMBERS = [0, 1, 2, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]
WORDS = [
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n\n", b'"', b"'", b",,,,", b"\t", b";", b"=", b"\\", b"\x1b[2J"),
    *(
        b"1e999",
        b"-0",
        b"nan",
        b"inf",
        b"9" * 400,
        b"0x" + b"f" * 99,
        b"1e-400",
        b"True",
        b"None",
        b"-1",
        b"\xed\xa0\x80",
    ),
    *(b"[" * 3000, b"(" * 300, b"{" * 3000, b"-" * 3000, b"a" * 5000, b"((((1,),),),)", b"lambda:0", b"f'{x}'", b"#"),
    *(
        b"O",
        b"|O",
        b"<U9999999",
        b"|V0",
        b"<f16",
        b"[('a','<f8')]",
        b"1979-05-27T07:32:00Z",
        b"[a]\n[a]",
        b"a.b=1\na=2",
    ),
]


def changed(content: bytes, rng: np.random.Generator, donor: bytes) -> bytes:
    """Return a file with one to four changes, half of them near one of its ends, where formats keep their promises."""
    made = bytearray(content)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3, 4]))):
        if made:
            kinds = ROUGH if rng.integers(3) == 0 else GENTLE
            kinds[int(rng.integers(len(kinds)))](made, rng, donor)
    return bytes(made)


def _place(made: bytearray, rng: np.random.Generator) -> int:
    where, near = rng.integers(4), min(len(made), 128)
    if where == 0:
        return int(rng.integers(near))
    if where == 1:
        return len(made) - 1 - int(rng.integers(near))
    return int(rng.integers(len(made)))


def _bits(made: bytearray, rng: np.random.Generator, donor: bytes) -> None:
    for _ in range(int(rng.integers(1, 9))):
        made[_place(made, rng)] ^= 1 << int(rng.integers(8))


def _byte(made: bytearray, rng: np.random.Generator, donor: bytes) -> None:
    made[_place(made, rng)] = int(rng.integers(256))


def _number(made: bytearray, rng: np.random.Generator, donor: bytes) -> None:
    size = int(rng.choice([1, 2, 4, 8]))
    number = NUMBERS[int(rng.integers(len(NUMBERS)))] % 2 ** (8 * size)
    place = _place(made, rng)
    made[place : place + size] = number.to_bytes(size, "little" if rng.integers(2) else "big")


def _word(made: bytearray, rng: np.random.Generator, donor: bytes) -> None:
    place = _place(made, rng)
    made[place : place + int(rng.integers(4))] = WORDS[int(rng.integers(len(WORDS)))]


def _cut(made: bytearray, rng: np.random.Generator, donor: bytes) -> None:
    del made[_place(made, rng) :]


def _without(made: bytearray, rng: np.random.Generator, donor: bytes) -> None:
    place = _place(made, rng)
    del made[place : place + int(rng.integers(1, 64))]


def _again(made: bytearray, rng: np.random.Generator, donor: bytes) -> None:
    place, other = _place(made, rng), _place(made, rng)
    made[other:other] = made[place : place + int(rng.integers(1, 256))]


def _from_another(made: bytearray, rng: np.random.Generator, donor: bytes) -> None:
    place, start = _place(made, rng), int(rng.integers(len(donor)))
    made[place:] = donor[start:]


GENTLE = [_bits, _byte, _number]  # keep every other byte where it was
ROUGH = [_word, _cut, _without, _again, _from_another]


# ---------------------------------------------------------------------- checksums made right again


def _in_gzip(content: bytes, change: Change, rng: np.random.Generator) -> bytes:
    return gzip.compress(change(gzip.decompress(content)), 1, mtime=0)


def _in_zip(content: bytes, change: Change, rng: np.random.Generator) -> bytes:
    """Change one member of an archive; zipfile writes the sums."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    chosen = list(members)[int(rng.integers(len(members)))]
    members[chosen] = change(members[chosen])
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED if rng.integers(2) else zipfile.ZIP_STORED) as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member)
    return made.getvalue()


def _in_png(content: bytes, change: Change, rng: np.random.Generator) -> bytes:
    """Change the body of one chunk, of pixels also behind the sum of their packing; all sums are right."""
    chunks, at = [], 8
    while at + 12 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        chunks.append((kind, content[at + 8 : at + 8 + size]))
        at += 12 + size
    chosen = int(rng.integers(len(chunks)))
    kind, body = chunks[chosen]
    unpacked = kind == b"IDAT" and rng.integers(2) == 1
    chunks[chosen] = (kind, zlib.compress(change(zlib.decompress(body)), 1) if unpacked else change(body))
    if rng.integers(4) == 0:
        rng.shuffle(chunks)  # type: ignore[arg-type]
    return content[:8] + b"".join(
        struct.pack(">I", len(body)) + bytes(kind) + body + struct.pack(">I", zlib.crc32(bytes(kind) + body))
        for kind, body in chunks
    )


def _in_npy(content: bytes, change: Change, rng: np.random.Generator) -> bytes:
    """Change the header's text and make its length right."""
    size = int.from_bytes(content[8:10], "little")
    header = change(content[10 : 10 + size])[: 2**16 - 1]
    return content[:8] + len(header).to_bytes(2, "little") + header + content[10 + size :]


def _in_parquet(content: bytes, change: Change, rng: np.random.Generator) -> bytes:
    """Change the description at the end and make its length right."""
    size = int.from_bytes(content[-8:-4], "little")
    footer = change(content[-8 - size : -8])
    return content[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def _in_riff(content: bytes, change: Change, rng: np.random.Generator) -> bytes:
    made = change(content[12:])
    return b"RIFF" + (len(made) + 4).to_bytes(4, "little") + b"WEBP" + made


# ---------------------------------------------------------------------- sound files


def _saved(write: Callable[..., object], *given: object, **named: object) -> bytes:
    file = io.BytesIO()
    write(file, *given, **named)
    return file.getvalue()


def _arrays() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 3))
    return [
        *(x, x.astype("f4"), x.astype(">f8"), np.asfortranarray(x), x.astype("f2"), x.astype(np.longdouble), x > 0),
        *(rng.integers(0, 255, (5, 4, 4), dtype=np.uint8), rng.integers(0, 9, (4, 3, 3, 2)), x.astype("i8")),
    ]


def _npy() -> list[bytes]:
    made = [_saved(np.save, array) for array in _arrays()]
    for version in ((2, 0), (3, 0)):
        made.append(_saved(np.lib.format.write_array, _arrays()[0], version))
    return made


def _npz() -> list[bytes]:
    x, y = _arrays()[0], np.arange(7)
    return [
        *(_saved(np.savez, X=x, y=y), _saved(np.savez_compressed, X=x, y=y), _saved(np.savez, x)),
        _saved(np.savez_compressed, x_train=_arrays()[7], y_train=np.arange(5), x_test=x),
    ]


def _codes() -> list[bytes]:
    codes = {str(n): np.full((n + 1, 2), n, "f4") for n in range(3)}
    return [_saved(np.savez, **codes), _saved(np.savez, **codes, names=np.array(["a", "b", "c"]))]


def _idx() -> list[bytes]:
    rng, made = np.random.default_rng(0), []
    for number, dtype in ((0x08, "u1"), (0x0B, ">i2"), (0x0D, ">f4"), (0x0E, ">f8")):
        for shape in ((6, 4), (5, 4, 4)):
            values = rng.integers(0, 99, shape).astype(dtype)
            made.append(bytes([0, 0, number, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + values.tobytes())
    return made


def _csv() -> list[bytes]:
    rng = np.random.default_rng(0)
    rows = [(f"{a:.3f}", str(int(b)), "abc"[int(b) % 3]) for a, b in rng.normal(0, 9, (20, 2))]
    plain = "height,n,kind\n" + "".join(",".join(row) + "\n" for row in rows)
    quoted = '"a b";"c"\n' + "".join(f'"x ""{n}""";{a}\n' for a, n, _ in rows)
    missing = "id,when,who\n" + "".join(
        f"{i},2024-01-{i + 1:02},{'NA' if i % 4 else chr(34) + 'Ann, Bob' + chr(34)}\n" for i in range(20)
    )
    return [
        plain.encode(),
        quoted.encode(),
        missing.encode(),
        plain.encode("utf-16"),
        "ä,ö\n1,2\n3,4\n".encode("latin-1"),
    ]


def _tsv() -> list[bytes]:
    return [made.replace(b",", b"\t") for made in _csv()[:3]]


def _text() -> list[bytes]:
    return [b"The quick brown fox jumps over the lazy dog. " * 5, "\n".join("Zürich").encode("latin-1")]


def _parquet() -> list[bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(
        {
            "x": [1.5, None, 3.0, 4.0],
            "n": [1, 2, 3, 4],
            "who": ["a", None, "b", "a"],
            "kind": pa.array(["u", "v", "u", None]).dictionary_encode(),
            "when": pa.array([0, 1, 2, 3], pa.timestamp("us")),
            "yes": [True, False, None, True],
        }
    )
    ways = ({"compression": "snappy"}, {"compression": "none"}, {"compression": "gzip", "use_dictionary": False})
    made = [_saved(lambda file, **way: parquet.write_table(table, file, **way), **way) for way in ways]
    zstd = {"compression": "zstd", "data_page_version": "2.0", "write_page_checksum": True, "row_group_size": 2}
    return [*made, _saved(lambda file: parquet.write_table(table, file, **zstd))]


def _arrow() -> list[bytes]:
    from pyarrow import feather, ipc, parquet

    table = parquet.read_table(io.BytesIO(_parquet()[0]))
    made = [_saved(lambda file, way: feather.write_feather(table, file, way), way) for way in ("lz4", "zstd")]
    for open_writer in (ipc.new_file, ipc.new_stream):
        file = io.BytesIO()
        with open_writer(file, table.schema) as writer:
            for batch in table.to_batches(max_chunksize=2):
                writer.write_batch(batch)
        made.append(file.getvalue())
    return [*made, _saved(lambda file: feather.write_feather(table, file, "uncompressed"))]


def _json_lines() -> list[bytes]:
    rows = [{"x": n / 4, "n": n, "who": "ab"[n % 2], "day": f"2024-01-{n + 1:02}", "yes": n > 3} for n in range(9)]
    some = [{"x": 1, "ä": "\U0001f600\\u0041"}, {"x": None, "n": 2**53 + 1}, {"ä": "x"}]
    return ["".join(json.dumps(row) + "\n" for row in rows).encode(), "\n".join(map(json.dumps, some)).encode()]


def _pictures(kind: str, *ways: tuple[str, dict[str, object]]) -> list[bytes]:
    """Save a small picture in modes of Pillow, with options of its writer."""
    from PIL import Image

    rng, made = np.random.default_rng(0), []
    colour = Image.fromarray(rng.integers(0, 255, (9, 11, 4), dtype=np.uint8))
    for mode, options in ways:
        if mode in ("I;16", "F", "I"):
            dtype = {"I;16": "u2", "F": "f4", "I": "i4"}[mode]
            picture = Image.fromarray(rng.integers(0, 60_000, (9, 11)).astype(dtype))
        else:
            picture = colour.convert("RGB").convert(mode) if mode != "RGBA" else colour
        made.append(_saved(picture.save, kind, **options))
    return made


def _png() -> list[bytes]:
    from PIL import PngImagePlugin

    from isthmus.data.deep_colour import write_png

    said = PngImagePlugin.PngInfo()
    said.add_text("Title", "a picture", zip=True)
    said.add_itxt("Author", "somebody", "en")
    deep = write_png(np.random.default_rng(0).integers(0, 2**16, (6, 5, 3)).astype(np.uint16))
    plain = [(mode, {}) for mode in ("L", "RGB", "RGBA", "LA", "1", "I;16")]
    return [deep, *_pictures("PNG", *plain, ("P", {"transparency": 0}), ("RGB", {"pnginfo": said, "exif": _EXIF}))]


def _jpeg() -> list[bytes]:
    return _pictures(
        "JPEG", ("RGB", {}), ("L", {}), ("RGB", {"progressive": True, "exif": _EXIF}), ("CMYK", {"optimize": True})
    )


def _tiff() -> list[bytes]:
    packed = [("RGB", {"compression": way}) for way in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")]
    plain = [(mode, {}) for mode in ("L", "RGB", "RGBA", "1", "I;16", "F", "P", "CMYK")]
    return _pictures("TIFF", *plain, *packed, ("I;16", {"compression": "tiff_lzw"}), ("RGB", {"exif": _EXIF}))


def _tiff_of_bands() -> list[bytes]:
    """Return what only tifffile writes: planes, tiles, BigTIFF, predictors, stacks with names for their axes."""
    import tifffile

    rng = np.random.default_rng(0)
    deep = rng.integers(0, 60_000, (9, 11, 5)).astype(np.uint16)
    planes = np.moveaxis(deep[..., :3], -1, 0)
    deflate: dict[str, object] = {"compression": "zlib", "predictor": True}
    ways: list[tuple[np.ndarray, dict[str, object]]] = [
        (deep, {"photometric": "minisblack", "bigtiff": True}),
        (deep[..., :3], {"photometric": "rgb", "byteorder": ">", "rowsperstrip": 2, "bigtiff": True}),
        (planes, {"photometric": "rgb", "planarconfig": "separate"}),
        (np.tile(deep[..., 0], (3, 3)), {"photometric": "minisblack", "tile": (16, 16), **deflate}),
        (deep[..., 0].astype(np.float64), {"photometric": "minisblack", "compression": "zlib"}),
        (deep[..., 0].astype(np.uint8), {"photometric": "miniswhite"}),
        (np.moveaxis(deep, -1, 0), {"photometric": "minisblack"}),  # five pages
        (np.moveaxis(deep, -1, 0), {"imagej": True, "metadata": {"axes": "CYX"}}),
        (deep[None, ..., 0].astype(np.int8), {"ome": True, "metadata": {"axes": "ZYX"}}),
    ]
    return [_saved(tifffile.imwrite, array, **options) for array, options in ways]


def _webp() -> list[bytes]:
    return _pictures("WEBP", ("RGB", {}), ("RGBA", {"lossless": True}), ("RGBA", {"exif": _EXIF}))


def _bmp() -> list[bytes]:
    return _pictures("BMP", ("RGB", {}), ("P", {}), ("1", {}), ("L", {}), ("RGBA", {}))


def _moving(kind: str, **options: object) -> bytes:
    """Save three pictures as one that moves."""
    from PIL import Image

    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 255, (9, 11, 3), dtype=np.uint8)) for _ in range(3)]
    return _saved(frames[0].save, kind, save_all=True, append_images=frames[1:], duration=90, **options)


def _apng() -> list[bytes]:
    return [_moving("PNG"), _moving("PNG", blend=1, disposal=2, default_image=True)]


def _gif() -> list[bytes]:
    one = _pictures("GIF", ("P", {}), ("L", {"interlace": 1}), ("1", {}), ("P", {"transparency": 3}))
    return [*one, _moving("GIF"), _moving("GIF", disposal=2, loop=0)]


def _avif() -> list[bytes]:
    from PIL import features

    if not features.check("avif"):
        return _gif()  # refused; its mutants too
    return [
        *_pictures("AVIF", ("RGB", {"speed": 10}), ("RGBA", {"speed": 10, "exif": _EXIF})),
        _moving("AVIF", speed=10),
    ]


def _pnm() -> list[bytes]:
    text = b"P2\n# a picture\n3 2\n15\n0 1 2\n3 4 15\n"
    binary = _pictures("PPM", ("RGB", {}), ("L", {}), ("1", {}), ("I;16", {}))
    return [*binary, 2 * binary[1], text, b"P3\n1 1\n255\n1 2 3\n", b"P1\n3 2\n101010\n"]


def _pam() -> list[bytes]:
    head = b"P7\nWIDTH 3\nHEIGHT 2\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n"
    two = head % (2, 255, b"GRAYSCALE_ALPHA") + bytes(range(12))
    return [two, head % (4, 4095, b"RGB_ALPHA") + bytes(48), head % (1, 1, b"BLACKANDWHITE") + bytes([0, 1] * 3)]


def _pfm() -> list[bytes]:
    values = np.linspace(-1, 1, 18, dtype="<f4").tobytes()
    return [b"PF\n3 2\n-1.0\n" + values, b"Pf\n3 6\n-1.0\n" + values, b"Pf\n6 3\n2.5\n" + values]


# A turned picture: byte order, one entry, the tag of the orientation.
_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


def _settings() -> list[bytes]:
    return [
        b'model = "vae"\nlatent_dim = 4\nhidden = [64, 32]\nlikelihood = "gaussian"\n[set]\nbeta = 2.0\n',
        b"# of a fit\nmax-epochs = 3\nseed = 0\nbatch_size = 64\ndropout = 1e-1\nactivation = '''relu'''\n",
    ]


def _settings_json() -> list[bytes]:
    return [
        json.dumps(
            {"model": "vae", "latent_dim": 4, "hidden": [64, 32], "batch_size": None, "set": {"beta": 2}}
        ).encode()
    ]


def _labels_npy() -> list[bytes]:
    labels = [np.arange(9) % 3, np.array(["a", "bb", "c"]), np.array([[1], [2]]), np.array([1.0, np.nan])]
    return [_saved(np.save, label) for label in [*labels, np.array(["2024-01-01"], "M8[D]")]]


def _labels_text() -> list[bytes]:
    return ["\n".join("abc" * 5).encode(), "Zürich\nBern\n\nUlm\n".encode()]


def _labels_csv() -> list[bytes]:
    return [b"label\n" + b"a\nb\n" * 9, b"1\n2\n" * 9]


# ---------------------------------------------------------------------- readers


def _read_data(path: Path) -> None:
    from isthmus import data

    opened = data.open(path)
    for _ in opened.chunks(1000):
        pass


def _read_labels(path: Path) -> None:
    from isthmus.cli.inputs import read_labels

    read_labels(str(path))


def _read_codes(path: Path) -> None:
    from isthmus.cli.inputs import open_codes

    list(open_codes(str(path), varying=True)[1])


@cache
def _flags() -> list[object]:
    import isthmus
    from isthmus.cli import commands, fit, inputs, registry

    own = commands.flags_of_function(fit.fit, leave_out=("terminal", "config", "parameters", "opening"))
    return [*own, *inputs.flags_of_opening(), *registry.flags_of_model(isthmus.VAE)]


def _read_settings(path: Path) -> None:
    from isthmus.cli import config

    config.defaults_from(str(path), config.read(str(path)), _flags())  # type: ignore[arg-type]


def _packed(sound: Callable[[], list[bytes]]) -> Callable[[], list[bytes]]:
    return lambda: [gzip.compress(made, 6, mtime=0) for made in sound()]


FORMATS = [
    Format("npy", "x.npy", _npy, _read_data, _in_npy),
    Format("npz", "x.npz", _npz, _read_data, _in_zip),
    Format("npz of codes", "codes.npz", _codes, _read_codes, _in_zip),
    Format("idx", "x.idx", _idx, _read_data),
    Format("idx.gz", "x.idx.gz", _packed(_idx), _read_data, _in_gzip),
    Format("csv", "x.csv", _csv, _read_data),
    Format("csv.gz", "x.csv.gz", _packed(_csv), _read_data, _in_gzip),
    Format("tsv", "x.tsv", _tsv, _read_data),
    Format("parquet", "x.parquet", _parquet, _read_data, _in_parquet),
    Format("arrow", "x.arrow", _arrow, _read_data),
    Format("json lines", "x.jsonl", _json_lines, _read_data),
    Format("json lines.gz", "x.jsonl.gz", _packed(_json_lines), _read_data, _in_gzip),
    Format("text", "x.txt", _text, _read_data),
    Format("text.gz", "x.gz", _packed(_text), _read_data, _in_gzip),
    Format("png", "x.png", _png, _read_data, _in_png),
    Format("apng", "x.png", _apng, _read_data, _in_png),
    Format("jpeg", "x.jpg", _jpeg, _read_data),
    Format("tiff", "x.tif", _tiff, _read_data),
    Format("tiff of tifffile", "x.tif", _tiff_of_bands, _read_data),
    Format("gif", "x.gif", _gif, _read_data),
    Format("avif", "x.avif", _avif, _read_data),
    Format("webp", "x.webp", _webp, _read_data, _in_riff),
    Format("bmp", "x.bmp", _bmp, _read_data),
    Format("pnm", "x.ppm", _pnm, _read_data),
    Format("pam", "x.pam", _pam, _read_data),
    Format("pfm", "x.pfm", _pfm, _read_data),
    Format("labels npy", "y.npy", _labels_npy, _read_labels, _in_npy),
    Format("labels text", "y.txt", _labels_text, _read_labels),
    Format("labels csv", "y.csv", _labels_csv, _read_labels),
    Format("settings toml", "run.toml", _settings, _read_settings),
    Format("settings json", "run.json", _settings_json, _read_settings),
]


# ---------------------------------------------------------------------- one case


SLOW = 2.0  # seconds of the processor that one small file may take
LARGE = 512 * 2**20  # bytes


@dataclass(frozen=True)
class Outcome:
    """What a reader did with a mutant.

    Parameters
    ----------
    format : str
        The reader.
    repaired : bool
        Whether the checksums were made right again.
    what : {"opened", "refused", "foreign", "memory", "slow"}
        Read; refused with one sentence; ended with an exception of somebody else; took more memory or more time than a
        small file is worth.
    said : str
        The exception.
    seconds : float
        Of the processor.
    """

    format: str
    repaired: bool
    what: str
    said: str
    seconds: float


def case(number: int, seed: int = 0) -> tuple[Format, bytes, bool]:
    """Return the reader, the mutant and whether its checksums are right, of one case."""
    rng = np.random.default_rng([seed, number])
    chosen = FORMATS[number % len(FORMATS)]
    sound = chosen.seeds[int(rng.integers(len(chosen.seeds)))]
    donors = chosen.seeds if rng.integers(4) else FORMATS[int(rng.integers(len(FORMATS)))].seeds
    donor = donors[int(rng.integers(len(donors)))]
    if chosen.repaired is not None and number // len(FORMATS) % 2 == 1:
        return chosen, chosen.repaired(sound, lambda part: changed(part, rng, donor), rng), True
    return chosen, changed(sound, rng, donor), False


def run(number: int, folder: Path, seed: int = 0) -> Outcome:
    """Write the mutant of a case to a folder, read it, and remove it."""
    from isthmus.errors import IsthmusError

    chosen, content, repaired = case(number, seed)
    path = folder / chosen.file
    path.write_bytes(content)
    what, said = "opened", ""
    start, before = time.process_time(), _peak_bytes(reset=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chosen.read(path)
    except IsthmusError as error:
        what, said = "refused", f"{type(error).__name__}: {error}"
    except MemoryError as error:
        what, said = "memory", f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        what, said = "foreign", f"{type(error).__name__}: {error}"
    seconds, taken = time.process_time() - start, _peak_bytes() - before
    path.unlink()
    if what in ("opened", "refused") and (taken > LARGE or seconds > SLOW):
        what, said = "memory" if taken > LARGE else "slow", f"{taken:,} bytes, {seconds:.1f} s, {said}"
    return Outcome(chosen.name, repaired, what, said, seconds)


def sound(folder: Path) -> None:
    """Read every sound file; each must open, or nothing is learned from its mutants."""
    for chosen in FORMATS:
        for content in chosen.seeds:
            path = folder / chosen.file
            path.write_bytes(content)
            chosen.read(path)
            path.unlink()


def _peak_bytes(*, reset: bool = False) -> int:
    """Return the most memory that the process had resident since the last reset; 0 where the system does not say."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024
