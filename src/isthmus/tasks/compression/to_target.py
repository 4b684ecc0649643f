"""One photograph compressed to a target: a quality, a rate or a size, whatever setting of the encoder that takes."""

from __future__ import annotations

import io
import math
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus import checks, files
from isthmus.coding import contents
from isthmus.coding.container import SMALL_FINGERPRINT
from isthmus.coding.contents import THREADS, Content, Piece, side_by_side
from isthmus.coding.photographs import tiles
from isthmus.coding.photographs.weights import Weights, shipped
from isthmus.coding.pictures.frame import Frame
from isthmus.coding.pictures.photograph import (
    PIXELS_LIMIT,
    QUALITIES,
    Photograph,
    Plan,
    Tile,
    changed,
    coded_tile,
    joined,
    pieces_beside,
)
from isthmus.coding.pictures.picture import Picture, encode
from isthmus.coding.pictures.png import SIGNATURE, Chunk, NoPixelsError, Png
from isthmus.coding.pictures.png_picture import PngPicture
from isthmus.data.photographs import Photo, as_photo, read_photo

__all__ = [
    "TARGETS",
    "CompressedPhotograph",
    "Made",
    "Targeting",
    "codec_of",
    "compress_photograph",
    "psnr_between",
    "target_of",
]

TARGETS = ("psnr", "bpp", "size", "quality")
KEPT = (b"cHRM", b"gAMA", b"iCCP", b"sRGB", b"cICP", b"pHYs", b"eXIf")  # chunks of a PNG file that fit any pixels
LOWER = 3  # qualities by which the encoder that takes minutes begins below the quick one
MARGIN, SLACK = 0.01, 0.004  # decibels, and share of the bits, by which it has to go beyond the target
SLOPES = {"psnr": 0.12, "size": 0.025}  # decibels, and binary logarithms of bytes, from one quality to the next, about
STARTS = {"psnr": (18.0, 0.12), "size": (-5.0, 0.03)}  # at quality 0, about, and from one to the next
ROWS = 256  # that are compared at once
EXACT = 150.0  # decibels that stand for infinitely many
CROP = 64  # pixels of the side of a part by which it is judged what a picture takes without a loss
LIKELY = 1.3  # times the bytes of the lossy file that a picture may take by such parts, to be coded without a loss
UNLIKELY = 4.0  # times these that parts take in deflate, beyond which nothing else is tried
QUICKLY = 1 << 20  # pixels beyond which pictures are coded in little time

Latents = list[NDArray[np.int16]]


class Attempt(Protocol):
    """What an encoder makes of a picture at a quality."""

    @property
    def tiles(self) -> Sequence[Latents]:
        """Latents of each tile, finest first."""

    @property
    def changes(self) -> bytes:
        """Of the weights of the decoder."""


class Encodes(Protocol):
    """An encoder of one picture."""

    def coded(self, quality: int, goal: tuple[str, float] | None = None) -> Attempt:
        """Return what it makes of it, at a quality from 0 to 255; or what meets a goal, "psnr" or "bits"."""


#: Told how far an encoder is that takes minutes: the share that is done, bytes and PSNR of the best so far; returns
#: whether to go on.
Progress = Callable[[float, float, float], bool]


def _encoder(picture: NDArray[Any], *, bits: int, effort: int, progress: Progress | None, model: Any) -> Encodes:
    from isthmus.tasks.compression.photographs import Encoder

    found: Encodes = Encoder(picture, bits=bits, effort=effort, progress=progress, model=model)
    return found


class Made(NamedTuple):
    """A photograph at one quality.

    Parameters
    ----------
    quality : int or None
        From 0 to 255; None where nothing is lost.
    content : Content
        What stands in a stream.
    data : bytes
        The whole compressed file.
    psnr : float
        In decibels, over all colours of all pixels that are not wholly transparent.
    """

    quality: int | None
    content: Content
    data: bytes
    psnr: float


@dataclass(frozen=True)
class CompressedPhotograph:
    """A photograph as a compressed file.

    Parameters
    ----------
    data : bytes
        The file; :func:`isthmus.decompress` gives the pixels back.
    psnr : float
        Decibels between the pixels and those that come back; infinite where nothing is lost.
    bpp : float
        Bits of the file for each pixel.
    quality : float or None
        From 0 to 100; None where nothing is lost.
    height, width : int
    notes : tuple of str
        Sentences on what differs from what one may expect.
    """

    data: bytes = field(repr=False)
    psnr: float
    bpp: float
    quality: float | None
    height: int
    width: int
    notes: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the file, whole or not at all.

        Raises
        ------
        OutputExistsError
            There is one already, and ``force`` is off.
        """
        with files.replacing(Path(path), force=force) as file:
            file.write(self.data)


def compress_photograph(
    picture: Any,
    *,
    psnr: float | None = None,
    bpp: float | None = None,
    size: int | None = None,
    quality: float | None = None,
    effort: int = 0,
    lossy: bool = False,
    threads: int = THREADS,
    model: Any = None,
) -> CompressedPhotograph:
    """Return a photograph in few bytes, near to what it was: by the codec that isthmus carries, or one of one's own.

    Exactly one of psnr, bpp, size and quality says how near, or how few.

    Parameters
    ----------
    picture : ndarray or path
        (height, width) or (height, width, channels), of 8 or 16 bits: grey, RGB, either with transparency. Or the file
        of one, of which colour profile and EXIF are kept.
    psnr : float, optional
        Decibels that it has at least when it comes back.
    bpp : float, optional
        Bits of the file for each pixel, at most.
    size : int, optional
        Bytes of the file, at most.
    quality : float, optional
        From 0 to 100.
    effort : int, default=0
        0 takes seconds. 1 to 9 learn the one picture, for minutes, and make the file smaller.
    lossy : bool, default=False
        Whether the target is kept to even where the picture takes fewer bytes without a loss, as drawings do.
    threads : int, default=2
        That may be used. No byte hangs on it.
    model : PhotographicCodec or path, optional
        One that was fitted to such pictures; whoever decompresses the file needs it too.

    Raises
    ------
    ParameterError
        There is not exactly one target, or none of its kind can be met; the nearest is named.
    ArtifactError
        The file of the model is damaged, or holds something else.
    DataError, DataTypeError, ShapeError
        It is no picture of such samples.

    Notes
    -----
    Transparency comes back exactly. Colours that it hides wholly do not, unless nothing is lost.
    """
    effort_of(effort)
    target = target_of({"psnr": psnr, "bpp": bpp, "size": size, "quality": quality})
    is_path = isinstance(picture, str | os.PathLike)
    photo = read_photo(picture) if is_path else as_photo(picture)
    name = os.fspath(picture) if is_path else "the photograph"
    targeting = Targeting(photo, name, path=picture if is_path else None, threads=threads, model=codec_of(model))
    return targeting.within(*target, effort=effort, lossy=lossy)


def codec_of(model: Any) -> Any:
    """Return a codec of photographs as it is, or that of a file; ParameterError for anything else but None."""
    if isinstance(model, str | os.PathLike):
        from isthmus.models.photographic_codec import PhotographicCodec

        return PhotographicCodec.load(model)
    if model is not None and not (hasattr(model, "networks") and hasattr(model, "fitted")):
        raise checks.no_codec_of_photographs(model)
    return model


def target_of(given: Mapping[str, Any]) -> tuple[str, float]:
    """Return the name and the value of the target that was given; ParameterError where that is not one."""
    found = {name: value for name, value in given.items() if value is not None}
    if len(found) != 1:
        raise checks.one_target_of_photographs([f"--{name}" for name in found])
    [(name, value)] = found.items()
    if name == "quality":
        checks.number("compress", "--quality", value, low=0, high=100)
    else:
        checks.number("compress", f"--{name}", value, low=0, above=True)
    return name, float(value)


def effort_of(effort: int) -> int:
    """Return an effort that there is; ParameterError for others."""
    if isinstance(effort, bool) or effort not in range(10):
        raise checks.effort_of_photographs(effort)
    return effort


class Targeting:
    """What seeks the setting of an encoder with which a photograph meets a target.

    Parameters
    ----------
    photo : Photo
    name : str, default="the photograph"
        What sentences call it.
    path : path, optional
        Its file, which comes back byte for byte where nothing is lost and it is a PNG file.
    threads : int, default=2
        That may be used.
    progress : callable, optional
        Is told how far an encoder is that takes minutes, and says whether it goes on.
    model : PhotographicCodec, optional
        By default the one that isthmus carries.
    """

    def __init__(
        self,
        photo: Photo,
        name: str = "the photograph",
        *,
        path: str | os.PathLike[str] | None = None,
        threads: int = THREADS,
        progress: Progress | None = None,
        model: Any = None,
    ) -> None:
        self.photo, self._name, self._path, self._threads = photo, name, path, threads
        self._progress, self._model = progress, model
        self.height, self.width = photo.pixels.shape[:2]
        self.pixels = self.height * self.width
        self.notes = [*photo.notes]
        self.was_stopped = False
        if self.pixels > PIXELS_LIMIT or photo.pixels[0].nbytes > 1 << 24:
            raise checks.photograph_too_large(self.height, self.width, PIXELS_LIMIT)
        if (share := self._hidden_share) and photo.colours[photo.alpha == 0].any():
            self.notes.append(checks.alpha_hides_colours(name, share))

    # ------------------------------------------------------------------ what is asked for

    def within(self, target: str, value: float, *, effort: int = 0, lossy: bool = False) -> CompressedPhotograph:
        """Return it as :func:`compress_photograph` does."""
        made = self.made(target, value, effort=effort, lossy=lossy)
        bpp, quality = 8 * len(made.data) / self.pixels, None
        if made.quality is not None:
            quality = value if target == "quality" else 100 * made.quality / (QUALITIES - 1)
        notes = tuple(self.notes)
        return CompressedPhotograph(made.data, made.psnr, bpp, quality, self.height, self.width, notes)

    def made(self, target: str, value: float, *, effort: int = 0, lossy: bool = False) -> Made:
        """Return the photograph that meets a target: without a loss, where that takes fewer bytes.

        Raises
        ------
        ParameterError
            No quality meets it; the nearest is named.
        """
        found, exact = self._lossy(target, value, effort), None
        if not lossy and self._may_be_smaller(len(found.data)):
            exact = self._exact()
        if exact is not None and len(exact.data) <= len(found.data):
            self.notes.append(checks.lossless_is_smaller(self._name, len(found.data)))
            return exact
        if not self._meets(target, value, found):
            bpp = 8 * len(found.data) / self.pixels
            raise checks.photograph_unreachable(self._name, target, value, len(found.data), bpp, found.psnr)
        return found

    def at(self, quality: int) -> Made:
        """Return it at a quality from 0 to 255, as the quick encoder makes it."""
        return self._quick.at(quality)

    @cached_property
    def _quick(self) -> _Tried:
        return _Tried(self, 0)

    def _meets(self, target: str, value: float, made: Made) -> bool:
        if target == "quality":
            return True
        return made.psnr >= value if target == "psnr" else len(made.data) <= self._most(target, value)

    def _most(self, target: str, value: float) -> int:
        """Return the bytes that a file has at most."""
        return int(value if target == "size" else value * self.pixels / 8)

    def _lossy(self, target: str, value: float, effort: int) -> Made:
        """Return what meets the target, or what comes nearest."""
        quick = self._quick
        if target == "quality":
            quality = round(value / 100 * (QUALITIES - 1))
            return (quick if not effort else _Tried(self, effort)).at(quality)
        kind, wanted = ("psnr", value) if target == "psnr" else ("size", math.log2(max(self._most(target, value), 1)))
        search = _Search(quick, kind, wanted, math.log2(self.pixels) if kind == "size" else 0.0)
        found = search.found()
        if not effort or not self._meets(target, value, found):
            return found
        return self._patient(effort, search, found, self._goal(target, value, found))

    def _patient(self, effort: int, search: _Search, found: Made, goal: tuple[str, float]) -> Made:
        """Return what is learned for minutes towards a target that was met in seconds, if it is better.

        What is learned gains, at the same quality, both bytes and decibels. So it begins at a lower one.
        """
        quality = max((found.quality or 0) - LOWER, 0)
        made = self.attempt(quality, self.encoder(effort).coded(quality, goal))
        return made if search.is_met(made) and search.is_better(made, found) else found

    def _goal(self, target: str, value: float, found: Made) -> tuple[str, float]:
        """Return what an encoder has to reach, a little beyond what the file has to."""
        if target == "psnr":
            return "psnr", value + MARGIN
        beside = len(found.data) - getattr(found.content, "payload", 0)
        return "bits", max(8 * (self._most(target, value) - beside) * (1 - SLACK), 8.0)

    # ------------------------------------------------------------------ with a loss

    def attempt(self, quality: int, attempt: Attempt) -> Made:
        """Return the photograph of what an encoder made of it at a quality."""
        known = carried_weights() if self._model is None else self._model.fitted()
        weights = changed(known, attempt.changes)
        channels, alpha = self.photo.pixels.shape[2], self._alpha
        plan = Plan(
            self.height,
            self.width,
            channels,
            self.photo.bits,
            quality,
            known.fingerprint[:SMALL_FINGERPRINT],
            attempt.changes,
            None if alpha is None else alpha.coding,
            self._frame is not None,
        )

        def coded(one: tuple[Latents, tiles.Tile]) -> Tile:
            latents, place = one
            return coded_tile(latents, (place.height, place.width), plan, weights)

        pairs = zip(attempt.tiles, plan.places, strict=True)
        found = list(side_by_side(pairs, coded, self._threads))
        error = _squared_error(self.photo.colours, joined(plan, [tile.samples for tile in found]), self._hidden)
        content = Photograph(plan, found, weights, self._beside)
        return Made(quality, content, self._file(content), self._psnr(error))

    def _psnr(self, error: float) -> float:
        return _decibels(error, (1 << self.photo.bits) - 1)

    def _file(self, content: Content) -> bytes:
        into = io.BytesIO()
        contents.write(into, content, verify=False, threads=self._threads, short=True)  # tiles were decoded already
        return into.getvalue()

    def encoder(self, effort: int) -> Encodes:
        """Return an encoder of the colours."""
        return _encoder(self._shown, bits=self.photo.bits, effort=effort, progress=self._told, model=self._model)

    def _told(self, *done: float) -> bool:
        """Tell how far an encoder is, and return whether it goes on."""
        if self._progress is not None and not self._progress(*done):
            self.was_stopped = True
        return not self.was_stopped

    @cached_property
    def _hidden(self) -> NDArray[np.bool_] | None:
        """Which pixels nobody sees; None where there are none."""
        alpha = self.photo.alpha
        return None if alpha is None or alpha.all() else alpha == 0

    @property
    def _hidden_share(self) -> float:
        return 0.0 if self._hidden is None else float(self._hidden.mean())

    @cached_property
    def _shown(self) -> NDArray[Any]:
        """The colours that an encoder gets, (height, width, 3); those that nobody sees are like their neighbours."""
        colours = self.photo.colours
        if self._hidden is not None:
            colours = _filled(colours.astype(np.float32), ~self._hidden).round().astype(colours.dtype)
        return np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3)))

    @cached_property
    def _alpha(self) -> Picture | None:
        alpha = self.photo.alpha
        return None if alpha is None else Picture(np.ascontiguousarray(alpha))

    @cached_property
    def _beside(self) -> list[Piece]:
        return pieces_beside(self._frame, self._alpha)

    @cached_property
    def _frame(self) -> Frame | None:
        """What stood beside the pixels, as a PNG file has it."""
        chunks = tuple(Chunk(*one) for one in self.photo.beside)
        if self._png is not None:
            own = (*self._png.before, *self._png.after)
            chunks = tuple(chunk for chunk in own if chunk.kind in KEPT)
        return Frame(chunks, (), b"") if chunks else None

    # ------------------------------------------------------------------ without a loss

    @cached_property
    def _png(self) -> Png | None:
        """The file, where it is a PNG file that can be taken apart."""
        if self._path is None:
            return None
        with open(self._path, "rb") as file:
            if file.read(len(SIGNATURE)) != SIGNATURE:
                return None
            try:
                return Png(file)
            except NoPixelsError:
                return None

    def _may_be_smaller(self, size: int) -> bool:
        """Tell whether it is worth to code it without a loss, which takes long, by parts of it."""
        rows = [round(share * max(self.height - CROP, 0)) for share in (0.1, 0.5, 0.9)]
        columns = [round(share * max(self.width - CROP, 0)) for share in (0.1, 0.5, 0.9)]
        parts = [self.photo.pixels[row : row + CROP, column : column + CROP] for row in rows for column in columns]
        share = self.pixels / sum(part.shape[0] * part.shape[1] for part in parts)
        differences = b"".join(np.diff(part, axis=1, prepend=part[:, :1]).tobytes() for part in parts)
        if len(zlib.compress(differences, 1)) * share > UNLIKELY * size:
            return False
        return encode(np.concatenate(parts), speed="fast", verify=False).size * share < LIKELY * size

    def _exact(self) -> Made:
        """Return it without a loss; a PNG file byte for byte, others as a PNG file of these pixels."""
        if self._path is not None and self._png is not None:
            data = Path(self._path).read_bytes()
        else:
            data = _as_png(self.photo, self._frame)
        speed = "normal" if self.pixels <= QUICKLY else "fast"
        content = PngPicture(io.BytesIO(data), name=self._name, speed=speed)
        content.is_exact = content.is_exact and self._png is not None
        into = io.BytesIO()
        contents.write(into, content, threads=self._threads)
        return Made(None, content, into.getvalue(), math.inf)


def carried_weights() -> Weights:
    """Return the weights that isthmus carries; DataError where it came without."""
    found = shipped()
    if found is None:
        raise checks.weights_missing()
    return found


class _Tried:
    """What an encoder made of a photograph, by quality."""

    def __init__(self, of: Targeting, effort: int) -> None:
        self._of, self._effort = of, effort
        self.known: dict[int, Made] = {}

    @cached_property
    def _encoder(self) -> Encodes:
        return self._of.encoder(self._effort)

    def at(self, quality: int) -> Made:
        """Return it at a quality."""
        if quality not in self.known:
            self.known[quality] = self._of.attempt(quality, self._encoder.coded(quality))
        return self.known[quality]


class _Search:
    """Seeks the least quality of a PSNR, or the greatest that fits a size, between those that were tried.

    Parameters
    ----------
    tried : _Tried
    kind : {"psnr", "size"}
    wanted : float
        Decibels, or the binary logarithm of bytes.
    start : float
        What has to be added to what is usual at quality 0.
    """

    def __init__(self, tried: _Tried, kind: str, wanted: float, start: float) -> None:
        self._tried, self.kind, self._wanted = tried, kind, wanted
        first, slope = STARTS[kind]
        self._guess = round((wanted - first - start) / slope)

    def value(self, made: Made) -> float:
        """Return what is compared with what is wanted."""
        return min(made.psnr, EXACT) if self.kind == "psnr" else math.log2(len(made.data))

    def off(self, made: Made) -> float:
        """Return what is missing to what is wanted; negative where it is beyond."""
        return self._wanted - self.value(made)

    def is_met(self, made: Made) -> bool:
        """Tell whether it meets the target."""
        return self.off(made) <= 0 if self.kind == "psnr" else self.off(made) >= 0

    def is_better(self, one: Made, other: Made) -> bool:
        """Tell whether one of two that meet the target is better."""
        return len(one.data) < len(other.data) if self.kind == "psnr" else one.psnr > other.psnr

    def found(self) -> Made:
        """Return what meets the target, or what comes nearest."""
        below, above = -1, QUALITIES  # the last that is too low for what is wanted, and the first that is not
        guess = self._guess
        while above - below > 1:
            guess = min(max(guess, below + 1), above - 1)
            off = self.off(self._tried.at(guess))
            if off > 0 or (off == 0 and self.kind == "size"):
                below = guess
            else:
                above = guess
            guess = self._next(below, above, guess, off)
        chosen = above if self.kind == "psnr" else below
        return self._tried.at(min(max(chosen, 0), QUALITIES - 1))

    def _next(self, below: int, above: int, last: int, off: float) -> int:
        """Return where to look next: on the line between both ends, or beyond the only one that is known."""
        if below < 0 or above == QUALITIES:
            ends = sorted(self._tried.known)
            step = off / SLOPES[self.kind] if len(ends) < 2 else off / self._slope(ends[0], ends[-1])
            return last + (math.ceil(step) + 2 if step > 0 else math.floor(step) - 2)
        missing = self.off(self._tried.at(below))
        share = missing / max(missing - self.off(self._tried.at(above)), 1e-9)
        shortest = (above - below) // 8  # so that the other end comes nearer, too
        return min(max(round(below + share * (above - below)), below + shortest), above - shortest)

    def _slope(self, one: int, other: int) -> float:
        gained = self.value(self._tried.at(other)) - self.value(self._tried.at(one))
        return max(gained / (other - one), SLOPES[self.kind] / 4)


# ------------------------------------------------------------------ numbers


def psnr_between(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the PSNR of two pictures of whole numbers without a sign, of one type, in decibels."""
    error = _squared_error(one, other, None)
    return _decibels(error, int(np.iinfo(one.dtype).max))


def _decibels(error: float, peak: int) -> float:
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def _squared_error(one: NDArray[Any], other: NDArray[Any], hidden: NDArray[np.bool_] | None) -> float:
    """Return the mean squared error over all numbers of pixels that are not hidden."""
    total, count = 0.0, 0
    for start in range(0, len(one), ROWS):
        rows = slice(start, start + ROWS)
        away = one[rows].astype(np.int64) - other[rows]
        away = away if hidden is None else away[~hidden[rows]]
        total, count = total + float((away * away).sum()), count + away.size
    return total / max(count, 1)


def _filled(values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return numbers, (height, width, channels), of which unknown ones are means of known ones around them."""
    if known.all() or not known.any():
        return np.where(known[:, :, None], values, 0)
    height, width = known.shape
    below, right = height % 2, width % 2
    weight = np.pad(known, ((0, below), (0, right))).astype(np.float32)[:, :, None]
    sums = np.pad(values * known[:, :, None], ((0, below), (0, right), (0, 0)))
    counts, sums = (x.reshape(x.shape[0] // 2, 2, -1, 2, x.shape[2]).sum((1, 3)) for x in (weight, sums))
    coarse = _filled(sums / np.maximum(counts, 1), counts[:, :, 0] > 0)
    finer = coarse.repeat(2, 0).repeat(2, 1)[:height, :width]
    return np.where(known[:, :, None], values, finer)


def _as_png(photo: Photo, frame: Frame | None) -> bytes:
    """Return a photograph as a PNG file."""
    pixels = photo.pixels.astype("<u2" if photo.bits == 16 else "u1")
    height, width, channels = pixels.shape
    plan = Plan(height, width, channels, photo.bits, 0, b"")
    return b"".join((frame or Frame((), (), b"")).as_file(plan.header, iter((pixels,))))
