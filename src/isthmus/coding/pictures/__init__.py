"""Pictures made smaller: by themselves, as PNG files, in stacks, and photographs with a loss. See docs/format.md."""

from __future__ import annotations

from typing import Any

from isthmus import checks
from isthmus.coding.container import Source
from isthmus.coding.contents import Described
from isthmus.coding.pictures.model import PictureCodec
from isthmus.coding.pictures.photograph import PHOTOGRAPH, Photograph, PhotographPixels
from isthmus.coding.pictures.picture import (
    ARRAY,
    STACK_FILE,
    ArrayPixels,
    Encoded,
    Picture,
    Stack,
    Strip,
    decode,
    encode,
    encode_stack,
)
from isthmus.coding.pictures.png import NoPixelsError
from isthmus.coding.pictures.png_picture import PNG, PngPicture, PngPixels

__all__ = [
    "Encoded",
    "NoPixelsError",
    "Photograph",
    "PhotographPixels",
    "Picture",
    "PictureCodec",
    "PngPicture",
    "PngPixels",
    "Stack",
    "Strip",
    "decode",
    "described",
    "encode",
    "encode_stack",
]


def described(source: Source, model: Any = None) -> Described:
    """Return what reads the pieces of a picture.

    Parameters
    ----------
    source : Source
        Of its description.
    model : PictureCodec, optional
        What it was coded with; not looked at where it was coded without one.

    Raises
    ------
    FormatNumberError
        A later version wrote it.
    ArtifactError
        It is no description.
    """
    form = source.varint()
    if form in (ARRAY, STACK_FILE):
        found: Described = ArrayPixels.read(source, form, model)
    elif form == PNG:
        found = PngPixels.read(source, model)
    elif form == PHOTOGRAPH:
        found = PhotographPixels.read(source, model)
    else:
        raise checks.later_form(source.name, f"a picture of form {form}")
    if source.up_to(1):
        raise source.damaged("more bytes follow its description")
    return found
