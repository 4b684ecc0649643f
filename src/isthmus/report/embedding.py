"""Pictures inside a page, so that it refers to nothing outside itself."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["data_address"]


def data_address(picture: NDArray[np.uint8], kind: str = "PNG", **options: Any) -> str:
    """Return a picture as the address of an image element.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width) or (height, width, 3 or 4)
    kind : {"PNG", "JPEG", "WEBP"}, default="PNG"
    **options
        Of Pillow's writer.
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
