"""A page about restored pictures: each before and after, under a slider, in one file without links to others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.report import formatting
from isthmus.report.contact_sheet import shown_as_bytes
from isthmus.report.embedding import data_address
from isthmus.report.page import card, environment

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MOST", "Compared", "View", "compared", "rendered"]

MOST = 12  # pictures on a page, each of which takes up to some megabytes
SIDE = 1600  # pixels of the longer side of a whole picture, at most
CROP = (480, 720)  # height and width of the part that is shown pixel by pixel
COLUMN = 1000  # pixels of the width of the page, into which larger pictures are fitted
SMALL = 320  # pixels of the longer side up to which a picture is magnified
QUALITY = 92  # of whole pictures in JPEG; parts shown pixel by pixel are PNG

Picture = NDArray[Any]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """A picture, or a part of it, as it was and as it is.

    Parameters
    ----------
    title : str
        What of the picture it is.
    width, height : int
        Of both, in pixels.
    before, after : str
        Data addresses.
    magnified : int
        Times that a small picture is magnified.
    exact : bool
        Whether a pixel of it is one of the page, on a narrow one too, which shows less of it then.
    """

    title: str
    width: int
    height: int
    before: str
    after: str
    magnified: int = 1
    exact: bool = False


@dataclass(frozen=True)
class Compared:
    """One restored picture on the page.

    Parameters
    ----------
    name : str
        Of its file.
    facts : mapping of str to str
        What is known of it, by what it is called.
    views : sequence of View
        The whole, and a part of a large one.
    enlarged : bool
        Whether the picture as it was is shown enlarged.
    deep : bool
        Whether its numbers are others than bytes, so that they are shown on a scale of their own.
    """

    name: str
    facts: Mapping[str, str]
    views: Sequence[View]
    enlarged: bool = False
    deep: bool = False


def compared(
    name: str, before: Picture, after: Picture, facts: Mapping[str, str], *, missing: NDArray[np.bool_] | None = None
) -> Compared:
    """Return a restored picture as the page shows it.

    Parameters
    ----------
    name : str
        Of its file.
    before : ndarray, shape (height, width[, channels])
        As it was; it is enlarged by bicubic interpolation where it was smaller.
    after : ndarray, shape (height, width[, channels])
        As it is.
    facts : mapping of str to str
        What is known of it, by what it is called.
    missing : ndarray of bool, shape (height, width), optional
        What was filled: white in the picture as it was, and what the part around which is shown.
    """
    was, now = (_viewable(picture) for picture in _on_one_scale(before, after))
    enlarged = was.size != now.size
    if missing is not None and missing.any():
        was = _marked(was, missing)
    was = was.resize(now.size, _resampling().BICUBIC) if enlarged else was
    views = [_whole(was, now)]
    if max(now.size) > COLUMN:
        views.append(_part(was, now, missing))
    return Compared(name, facts, views, enlarged, before.dtype not in (np.uint8, np.bool_))


def rendered(document: Mapping[str, Any], pictures: Sequence[Compared]) -> str:
    """Return the page, without a reference to anything outside itself.

    Parameters
    ----------
    document : mapping
        ``verb``, ``title``, ``done`` and ``caution`` (sentences), ``enlarged`` (whether pictures were), ``count``,
        ``megapixels``, ``seconds``, ``weights``, ``digest``, ``command``, ``isthmus`` and ``created``.
    pictures : sequence of Compared
        Those that are shown, no more than :data:`MOST`.
    """
    template = environment().get_template("restoration.html")
    return template.render(
        report=document,
        cards=list(_cards(document)),
        pictures=pictures,
        large=any(len(picture.views) > 1 for picture in pictures),
        deep=any(picture.deep for picture in pictures),
    )


def _cards(document: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    megapixels, seconds = document["megapixels"], document["seconds"]
    yield card("pictures", formatting.number(document["count"]), formatting.megapixels(megapixels))
    yield card("time", formatting.duration(seconds), f"{megapixels / max(seconds, 1e-9):.2g} megapixels a second")
    yield card("weights", document["weights"], f"digest {document['digest'][:12]}")


# ------------------------------------------------------------------ pictures as a browser shows them


def _on_one_scale(before: Picture, after: Picture) -> list[Bytes]:
    """Return both in bytes; numbers of other types from the lowest of both, black, to the highest, white."""
    known = np.nan_to_num(before, nan=float(np.nanmin(before))) if before.dtype.kind == "f" else before
    arrays = [known.astype(np.uint8) * 255, after.astype(np.uint8) * 255] if before.dtype == bool else [known, after]
    if all(array.dtype == np.uint8 for array in arrays):  # as they are, however dark
        return [_channels(array) for array in arrays]
    return shown_as_bytes(arrays)


def _channels(picture: Bytes) -> Bytes:
    """Return grey or colours, with or without transparency; of many bands the mean."""
    if picture.ndim == 3 and picture.shape[2] == 1:
        return picture[..., 0]
    if picture.ndim == 3 and picture.shape[2] > 4:
        return picture.mean(axis=2).round().astype(np.uint8)
    return picture


def _viewable(picture: Bytes) -> Image.Image:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(picture))


def _marked(picture: Image.Image, missing: NDArray[np.bool_]) -> Image.Image:
    """Return a picture that is white where it was missing."""
    from PIL import Image

    white = Image.new(picture.mode, picture.size, (255,) * len(picture.getbands()))
    return Image.composite(white, picture, Image.fromarray(missing))


def _whole(was: Image.Image, now: Image.Image) -> View:
    longest = max(now.size)
    if longest <= SIDE:
        times = max(1, SMALL // longest)
        return View("", *now.size, _lossless(was), _lossless(now), magnified=times)
    width, height = (max(1, round(side * SIDE / longest)) for side in now.size)
    before, after = (_lossy(picture.resize((width, height), _resampling().LANCZOS)) for picture in (was, now))
    return View("the whole picture, fitted to the page", width, height, before, after)


def _part(was: Image.Image, now: Image.Image, missing: NDArray[np.bool_] | None) -> View:
    """Return the middle of a picture, or of what of it was missing, in full resolution."""
    row, column = now.height / 2, now.width / 2
    where = "the middle"
    if missing is not None and missing.any():
        # The median lies where most is missing, also of holes far apart.
        row, column = (float(np.median(places)) for places in np.nonzero(missing))
        where = "around what was missing"
    height, width = min(CROP[0], now.height), min(CROP[1], now.width)
    top = int(min(max(0, row - height / 2), now.height - height))
    left = int(min(max(0, column - width / 2), now.width - width))
    box = (left, top, left + width, top + height)
    before, after = (_lossless(picture.crop(box)) for picture in (was, now))
    return View(f"{where}, pixel by pixel", width, height, before, after, exact=True)


def _lossless(picture: Image.Image) -> str:
    return data_address(np.asarray(picture))


def _lossy(picture: Image.Image) -> str:
    """Return a picture as JPEG, or as PNG where it is transparent."""
    if picture.mode not in ("L", "RGB"):
        return _lossless(picture)
    return data_address(np.asarray(picture), "JPEG", quality=QUALITY, subsampling=0)


def _resampling() -> Any:
    from PIL import Image

    return Image.Resampling
