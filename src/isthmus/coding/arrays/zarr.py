"""The codec that Zarr and others find by its name, ``isthmus``; it needs numcodecs, which isthmus itself does not.

>>> import zarr  # doctest: +SKIP
>>> codec = {"id": "isthmus", "max_error": 1e-3}  # doctest: +SKIP
>>> zarr.create_array("field.zarr", data=field, zarr_format=2, compressors=codec)  # doctest: +SKIP
"""

from __future__ import annotations

import io
from typing import Any

from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ensure_ndarray, ndarray_copy

from isthmus.coding import contents
from isthmus.coding.arrays.content import ArrayContent
from isthmus.coding.stream import decompressed

__all__ = ["Isthmus"]


class Isthmus(Codec):
    """Chunks of an array as compressed files of isthmus: bit for bit, or within a bound.

    Parameters
    ----------
    max_error, rel_error, fill
        As :func:`isthmus.coding.arrays.encode` takes them; a relative error is one of each chunk's own range.
    """

    codec_id = "isthmus"

    def __init__(self, max_error: float | None = None, rel_error: float | None = None, fill: Any = None) -> None:
        self.max_error, self.rel_error, self.fill = max_error, rel_error, fill

    def encode(self, buf: Any) -> bytes:
        """Return a chunk as a compressed file."""
        file = io.BytesIO()
        bound = {"max_error": self.max_error, "rel_error": self.rel_error, "fill": self.fill}
        contents.write(file, ArrayContent(ensure_ndarray(buf), **bound), verify=False, label="the chunk")
        return file.getvalue()

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Return the chunk of a compressed file, in the type, shape and order that it had; or fill in an array."""
        return ndarray_copy(decompressed(ensure_bytes(buf)), out)
