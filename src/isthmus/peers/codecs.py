"""The table of other people's codecs, each at the setting that gives its smallest files.

A codec is a line of :data:`PEERS`, and a function that imports what it needs and returns how it encodes and decodes.
Whether it is installed is only known when that is called.
"""

from __future__ import annotations

import io
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from typing import Any, NamedTuple

import numpy as np

from isthmus.coding.recognising import ARRAY, BYTES, PICTURE, TABLE

__all__ = ["EXACT", "PEERS", "QUALITY", "WITHIN", "Codec", "Coder", "missing", "peers_for"]

EXACT, WITHIN, QUALITY = "exact", "within", "quality"  # what a codec does: nothing is lost, a bound, a quality of 100
FORMS = {BYTES: (BYTES,), TABLE: (BYTES, TABLE), ARRAY: (BYTES, ARRAY), PICTURE: (PICTURE,)}


class Coder(NamedTuple):
    """A way to code data in one form, and back.

    Parameters
    ----------
    encode : callable
        Makes bytes of a sample, in the form that the codec takes, and of a setting: None, a bound of the error, or a
        quality.
    decode : callable
        Makes data in that form of bytes; is also given the sample, for codecs that keep neither types nor shapes.
    """

    encode: Callable[[Any, Any], bytes]
    decode: Callable[[bytes, Any], Any]


@dataclass(frozen=True)
class Codec:
    """A codec.

    Parameters
    ----------
    name : str
        With its setting.
    takes : {"bytes", "table", "array", "picture"} or None
        The form of data that it codes, and in which they come back the same; None is what the sample says.
    package : str or None
        What pip installs; None is part of Python.
    load : callable
        Returns how it codes; ImportError where it is not installed.
    does : {"exact", "within", "quality"}
        Whether it loses nothing, keeps a bound of the error, or has a quality.
    """

    name: str
    takes: str | None
    package: str | None
    load: Callable[[], Coder]
    does: str = EXACT

    @property
    def is_installed(self) -> bool:
        """Whether it can be used here."""
        try:
            self.load()
        except ImportError:
            return False
        return True

    @property
    def version(self) -> str:
        """Of the package that brings it, with its name."""
        if self.package is None:
            return f"Python {platform.python_version()}"
        try:
            return f"{self.package} {metadata.version(self.package)}"
        except metadata.PackageNotFoundError:  # zstd is part of some versions of Python
            return f"Python {platform.python_version()}"


def peers_for(kind: str, *, within: bool = False) -> list[Codec]:
    """Return the codecs for data of a kind: exact ones, and with a bound those that keep it, installed or not.

    Parameters
    ----------
    kind : {"bytes", "table", "array", "picture"}
        What isthmus codes the data as.
    within : bool, default=False
        Whether a bound of the error is given.
    """
    does = (EXACT, WITHIN) if within else (EXACT,)
    return [peer for peer in PEERS if peer.takes in FORMS[kind] and peer.does in does]


def missing(peers: Iterable[Codec]) -> dict[str, str]:
    """Return the codecs that are not installed, with what pip installs."""
    return {peer.name: str(peer.package) for peer in peers if not peer.is_installed}


# ------------------------------------------------------------------ bytes


def _plain(module: str, compress: Callable[[Any, bytes], bytes], decompress: Callable[[Any, bytes], bytes]) -> Coder:
    """Return a coder of bytes by functions of a module."""
    found = import_module(module)
    return Coder(lambda sample, _: compress(found, sample.data), lambda packed, _: decompress(found, packed))


def _gzip() -> Coder:
    return _plain(
        "zlib", lambda zlib, data: zlib.compress(data, 9, 31), lambda zlib, packed: zlib.decompress(packed, 31)
    )


def _bzip2() -> Coder:
    return _plain("bz2", lambda bz2, data: bz2.compress(data), lambda bz2, packed: bz2.decompress(packed))


def _xz() -> Coder:
    return _plain(
        "lzma",
        lambda lzma, data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
        lambda lzma, packed: lzma.decompress(packed),
    )


def _zstd() -> Coder:
    """Return zstd: Python's own from 3.14 on, else the package zstandard."""
    try:
        return _plain(
            "compression.zstd", lambda zstd, data: zstd.compress(data, 19), lambda zstd, packed: zstd.decompress(packed)
        )
    except ImportError:
        return _plain(
            "zstandard",
            lambda zstd, data: zstd.ZstdCompressor(level=19).compress(data),
            lambda zstd, packed: zstd.ZstdDecompressor().decompress(packed),
        )


def _brotli() -> Coder:
    return _plain(
        "brotli",
        lambda brotli, data: brotli.compress(data, quality=11),
        lambda brotli, packed: brotli.decompress(packed),
    )


# ------------------------------------------------------------------ tables and arrays


def _parquet() -> Coder:
    """Return Parquet, which keeps values, and not how they were written in a text."""
    from pyarrow import parquet

    def encode(sample: Any, _: Any) -> bytes:
        found = io.BytesIO()
        parquet.write_table(sample.table, found, compression="zstd", compression_level=19)
        return found.getvalue()

    return Coder(encode, lambda packed, _: parquet.read_table(io.BytesIO(packed), use_threads=False))


def _fpzip() -> Coder:
    fpzip: Any = import_module("fpzip")
    return Coder(
        lambda sample, _: fpzip.compress(np.ascontiguousarray(sample.array), precision=0, order="C"),
        lambda packed, sample: fpzip.decompress(packed, order="C").reshape(sample.array.shape),
    )


def _pcodec() -> Coder:
    pcodec: Any = import_module("pcodec")
    how = pcodec.ChunkConfig(compression_level=12)
    return Coder(
        lambda sample, _: pcodec.standalone.simple_compress(np.ascontiguousarray(sample.array).ravel(), how),
        lambda packed, sample: pcodec.standalone.simple_decompress(packed).reshape(sample.array.shape),
    )


def _zfp() -> Coder:
    """Return zfp, exact without a bound."""
    zfpy: Any = import_module("zfpy")

    def encode(sample: Any, bound: float | None) -> bytes:
        return bytes(zfpy.compress_numpy(np.ascontiguousarray(sample.array), tolerance=bound or -1))

    return Coder(encode, lambda packed, _: zfpy.decompress_numpy(packed))


def _sz3() -> Coder:
    pysz: Any = import_module("pysz")

    def encode(sample: Any, bound: float) -> bytes:
        how = pysz.szConfig()
        how.errorBoundMode, how.absErrorBound = pysz.szErrorBoundMode.ABS, bound
        return bytes(pysz.sz.compress(np.ascontiguousarray(sample.array), how)[0])

    def decode(packed: bytes, sample: Any) -> Any:
        found = np.frombuffer(packed, np.uint8)
        return pysz.sz.decompress(found, sample.array.dtype.type, sample.array.shape)[0]

    return Coder(encode, decode)


# ------------------------------------------------------------------ pictures


def _format(format: str, plugin: str = "", needs: str = "", **how: Any) -> Coder:
    """Return a format of pictures that Pillow writes, or one of its plugins; how well is a setting, where it has one.

    Parameters
    ----------
    format : str
        As Pillow calls it.
    plugin : str, default=""
        The module of the plugin.
    needs : str, default=""
        What Pillow was built with where it has the format.
    **how
        Other settings.
    """
    from PIL import Image, features

    if plugin:
        import_module(plugin)
    if needs and not features.check(needs):
        raise ImportError(needs)

    def encode(sample: Any, quality: int | None) -> bytes:
        found = io.BytesIO()
        sample.picture.save(found, format, **how, **({} if quality is None else {"quality": quality}))
        return found.getvalue()

    def decode(packed: bytes, sample: Any) -> Image.Image:
        with Image.open(io.BytesIO(packed)) as picture:
            return picture.convert(sample.picture.mode)

    return Coder(encode, decode)


JXL: dict[str, Any] = {"format": "JXL", "plugin": "pillow_jxl", "num_threads": 1}
WEBP: dict[str, Any] = {"format": "WEBP", "needs": "webp", "method": 6}

PEERS: tuple[Codec, ...] = (
    Codec("gzip -9", BYTES, None, _gzip),
    Codec("bzip2 -9", BYTES, None, _bzip2),
    Codec("xz -9e", BYTES, None, _xz),
    Codec("zstd -19", BYTES, "zstandard", _zstd),
    Codec("brotli -q 11", BYTES, "brotli", _brotli),
    Codec("Parquet, zstd -19", TABLE, "pyarrow", _parquet),
    Codec("fpzip", ARRAY, "fpzip", _fpzip),
    Codec("pcodec, level 12", ARRAY, "pcodec", _pcodec),
    Codec("zfp, reversible", ARRAY, "zfpy", _zfp),
    Codec("zfp, within the bound", ARRAY, "zfpy", _zfp, WITHIN),
    Codec("SZ3, within the bound", ARRAY, "pysz", _sz3, WITHIN),
    Codec("PNG, optimised", PICTURE, "pillow", partial(_format, "PNG", optimize=True)),
    Codec("WebP, lossless", PICTURE, "pillow", partial(_format, **WEBP, lossless=True, quality=100, exact=True)),
    Codec("JPEG XL, lossless", PICTURE, "pillow-jxl-plugin", partial(_format, **JXL, lossless=True, effort=9)),
    Codec("JPEG", PICTURE, "pillow", partial(_format, "JPEG", optimize=True), QUALITY),
    Codec("WebP", PICTURE, "pillow", partial(_format, **WEBP), QUALITY),
    Codec("AVIF", PICTURE, "pillow", partial(_format, "AVIF", needs="avif"), QUALITY),
    Codec("JPEG XL", PICTURE, "pillow-jxl-plugin", partial(_format, **JXL), QUALITY),
)
"""All of them."""
