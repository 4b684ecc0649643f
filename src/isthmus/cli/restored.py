"""Pictures restored for the verbs that restore them: files one by one, or a stack; results, progress, and the page."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus import checks
from isthmus.cli import inputs, outputs, picture_files, sizes
from isthmus.cli.meter import metered_pixels
from isthmus.cli.picture_files import STACK, Job
from isthmus.cli.terminal import Result, Terminal, counted
from isthmus.errors import DataError
from isthmus.files import replacing
from isthmus.report.formatting import duration, megapixels
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.data import Data
    from isthmus.models.restorer import Restorer
    from isthmus.report.restoration import Compared
    from isthmus.tasks.pictures import RestoredFile

__all__ = ["Given", "How", "Weights", "made_by", "restored"]

TOLD = 10  # notes that are told one by one
FLOATS = ("float16", "float32", "float64")  # numbers of which some may be missing without a mask
DRAWN = 64.0  # megapixels of a result up to which it is drawn on the page, for which all of it is read


@dataclass(frozen=True)
class Weights:
    """A restorer, and how its file is told from others.

    Parameters
    ----------
    restorer : Restorer
    name : str
    digest : str
        Of its numbers, as ``isthmus info`` shows it.
    own : bool
        Whether they come with isthmus, which is told where nobody named them.
    """

    restorer: Restorer
    name: str
    digest: str
    own: bool = False

    def tell(self, terminal: Terminal) -> None:
        """Tell what restores, before the work."""
        if self.own:
            terminal.say(f"restoring with the weights that come with isthmus ({self.name})")


@dataclass(frozen=True)
class Given:
    """What a person said beside the pictures, as the flags of the same names have it."""

    output: str | None = None
    memory: str | None = None
    report: str | None = None
    force: bool = False


@dataclass(frozen=True)
class How:
    """What is done to pictures.

    Parameters
    ----------
    verb : {"denoise", "inpaint", "enhance"}
    scale : int
        How much they are enlarged.
    deblur : bool
        Whether blur is removed.
    mask : str, optional
        What is filled.
    """

    verb: str
    scale: int = 1
    deblur: bool = False
    mask: str | None = None

    @property
    def done(self) -> str:
        """What the names of results end in: "denoised"."""
        return f"{self.verb.removesuffix('e')}ed"

    @property
    def fills(self) -> bool:
        """Whether all that is known comes back as it is."""
        return self.verb == "inpaint"

    def size(self, job: Job) -> float:
        """Return the megapixels of a result."""
        height, width = job.picture.shape[:2]
        return self.scale**2 * height * width / 1e6

    def of_stack(self, restorer: Restorer, pictures: Any) -> Any:
        """Return what becomes of a stack of pictures."""
        if self.fills:
            return restorer.inpaint(pictures, self.mask)
        if self.deblur:
            return restorer.deblur(pictures)
        return restorer.enhance(pictures, scale=self.scale) if self.scale > 1 else restorer.denoise(pictures)

    @property
    def sentence(self) -> str:
        """What was done, for the page."""
        if self.verb == "denoise":
            return "Noise and JPEG blocks were removed."
        if self.fills:
            return "Marked pixels were filled; all others are as they were."
        return "Blur was removed." if self.deblur else f"Enlarged {self.scale} times to each side."

    @property
    def caution(self) -> str:
        """What whoever looks at results should keep in mind."""
        if self.verb == "denoise":
            return "Fine texture that cannot be told from noise is removed with it."
        return (
            "Detail that was not in the picture is what the network takes for likely: it may look right and be wrong."
        )


@dataclass
class _Done:
    """What was restored: files for machines, notes for people, and pictures for the page."""

    files: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shown: list[Compared] = field(default_factory=list)


def restored(
    terminal: Terminal, weights: Weights, sources: Sequence[str], how: How, given: Given, opening: Mapping[str, Any]
) -> Result:
    """Restore pictures, each from its file to another, or a stack of them.

    Parameters
    ----------
    terminal : Terminal
    weights : Weights
        What restores.
    sources : sequence of str
        Files, folders and patterns; or one stack or set.
    how : How
    given : Given
    opening : mapping
        Flags of how data are opened, most of which are for records of other kinds.
    """
    page = None if given.report is None else outputs.check_output(given.report, given.force, outputs.PAGES, "--report")
    if STACK in (kinds := [picture_files.kind_of(source) for source in sources]):
        if len(kinds) > 1:
            raise checks.one_source(how.verb, "pictures in a stack or a set go alone", len(kinds))
        done = _of_stack(terminal, weights, sources[0], how, given, opening, for_page=page is not None)
    else:
        done = _of_files(terminal, weights, sources, how, given, opening, for_page=page is not None)
    notes = [f"note: {note}" for note in done.notes[:TOLD]]
    if len(done.notes) > TOLD:
        notes.append(f"note: and {len(done.notes) - TOLD:,} notes more, which --json has")
    terminal.say(*notes)
    document: dict[str, Any] = {"files": done.files, "weights": {"name": weights.name, "sha256": weights.digest}}
    if done.notes:
        document["notes"] = done.notes
    lines = [_line(one) for one in done.files]
    if page is not None:
        _write_page(terminal, page, how, weights, done, force=given.force)
        document["page"] = str(page)
        lines.append(str(page))
    return Result(document, lines)


def _line(one: Mapping[str, Any]) -> str:
    many = f"{counted(one['pictures'], 'picture')} of " if one["pictures"] != 1 else ""
    filled = f", {counted(one['filled'], 'pixel')} filled" if one["filled"] else ""
    return f"{one['output']}: {many}{_size(one)}, {megapixels(one['megapixels'])} in {one['seconds']:.1f} s{filled}"


def _size(one: Mapping[str, Any]) -> str:
    return f"{one['width']}x{one['height']} {one['pixels']}"


def _pixels(channels: int, dtype: str, *, alpha: bool = True, white: int = 0) -> str:
    """Return what kind of pixels a picture has, as in "RGB", and in "grey uint16"."""
    from isthmus.data.image_header import Header

    return Header("", (0, 0), channels, dtype, white, alpha).pixel.removesuffix(" uint8")


# ------------------------------------------------------------------ files


def _of_files(
    terminal: Terminal,
    weights: Weights,
    sources: Sequence[str],
    how: How,
    given: Given,
    opening: Mapping[str, Any],
    *,
    for_page: bool,
) -> _Done:
    """Restore picture files one by one."""
    skip_bad = bool(opening.get("skip_bad"))
    for name, value in opening.items():
        if name != "skip_bad" and value not in (None, False):
            raise checks.option_not_used(name, "image", "records")
    settings = {"memory": sizes.as_bytes("--memory", given.memory), "force": given.force}
    done, force = _Done(), given.force
    found = picture_files.jobs(terminal, sources, given.output, how.done, mask=how.mask, skip_bad=skip_bad, force=force)
    for job in found:
        if how.fills and how.mask is None and job.picture.header.dtype not in FLOATS:
            raise checks.mask_of_picture_wanted(job.name)
    weights.tell(terminal)
    with metered_pixels(terminal, sum(map(how.size, found))) as tell:
        before = 0.0
        for job in found:
            try:
                made = _restored_file(weights.restorer, job, how, settings, partial(_told, tell, before))
            except DataError as error:
                if not skip_bad or len(found) == 1:
                    raise
                done.notes.append(picture_files.left_out(error))
            else:
                done.files.append(_record(job, made))
                done.notes += made.notes
                if for_page:
                    done.shown += _compared(job, made, how, len(done.shown))
            before += how.size(job)
    return done


def _told(tell: Any, before: float, done: float, *_: float) -> None:
    """Tell how many megapixels of all pictures are done, of which so many were before this one."""
    tell(before + done)


def _restored_file(restorer: Restorer, job: Job, how: How, settings: Mapping[str, Any], progress: Any) -> RestoredFile:
    from isthmus.tasks.pictures import restore_file

    return restore_file(
        restorer,
        job.picture.path,
        job.output,
        mask=job.mask,
        only_missing=how.fills,
        scale=how.scale,
        deblur=how.deblur,
        progress=progress,
        **settings,
    )


def _record(job: Job, made: RestoredFile) -> dict[str, Any]:
    header = job.picture.header
    channels = made.shape[2] if len(made.shape) == 3 else 1
    return {
        "source": str(made.source),
        "output": str(made.output),
        "pictures": 1,
        "width": made.shape[1],
        "height": made.shape[0],
        "pixels": _pixels(channels, made.dtype, alpha=header.alpha, white=header.white),
        "dtype": made.dtype,
        "megapixels": made.megapixels,
        "seconds": made.seconds,
        "filled": made.missing,
        "by_windows": made.by_windows,
    }


# ------------------------------------------------------------------ stacks


def _of_stack(
    terminal: Terminal,
    weights: Weights,
    source: str,
    how: How,
    given: Given,
    opening: Mapping[str, Any],
    *,
    for_page: bool,
) -> _Done:
    """Restore the pictures of a stack or a set, in memory."""
    from isthmus import data

    if given.memory is not None:
        raise checks.memory_of_a_stack(how.verb)
    name = given.output or f"{Path(source).stem if Path(source).suffix else source.replace('/', '-')}-{how.done}.npy"
    path = outputs.check_output(name, given.force)
    # As an array, of which NaNs are missing pixels; of opened data they would be refused.
    is_array = source.lower().endswith(".npy")
    pictures: Any = data.arrays.read_npy(Path(source)) if is_array else inputs.open_data(terminal, source, opening)
    terminal.say(f"note: {source} is taken as a stack of {counted(len(pictures), 'picture')}")
    weights.tell(terminal)
    started = time.perf_counter()
    made = data.open(how.of_stack(weights.restorer, pictures))
    outputs.write_records(path, len(made), [made.chunk(0, len(made))], made.schema, None, force=given.force)
    height, width, channels = ([side or 0 for side in made.schema.shape] + [1])[:3]
    one = {
        "source": source,
        "output": str(path),
        "pictures": len(made),
        "width": width,
        "height": height,
        "pixels": _pixels(channels, str(made.schema.dtype)),
        "dtype": str(made.schema.dtype),
        "megapixels": len(made) * height * width / 1e6,
        "seconds": time.perf_counter() - started,
        "filled": 0,
        "by_windows": False,
    }
    shown = list(_compared_in_stack(source, pictures, made)) if for_page else []
    return _Done([one], shown=shown)


# ------------------------------------------------------------------ the page


def _compared(job: Job, made: RestoredFile, how: How, count: int) -> Iterator[Compared]:
    """Yield one restored file as the page shows it, where so many are shown already."""
    import numpy as np

    from isthmus.data.windows import Picture
    from isthmus.report.restoration import MOST, compared

    if count >= MOST or made.megapixels > DRAWN:
        return
    before, after = _all_of(job.picture), _all_of(Picture(made.output))
    missing = _marked(_all_of(Picture(job.mask))) if job.mask else np.zeros(before.shape[:2], np.bool_)
    if before.dtype.kind == "f":
        missing |= ~np.isfinite(before.reshape(*before.shape[:2], -1)).all(axis=2)
    yield compared(job.name, before, after, dict(_facts(job, made, how)), missing=missing)


def _compared_in_stack(source: str, pictures: Any, made: Data) -> Iterator[Compared]:
    """Yield the first pictures of a stack as the page shows them."""
    import numpy as np

    from isthmus.report.restoration import MOST, compared

    few = np.arange(min(MOST, len(made)))
    before = pictures[few] if isinstance(pictures, np.ndarray) else pictures.take(few)
    for number, pair in enumerate(zip(before, made.take(few), strict=True)):
        yield compared(f"{source}[{number}]", *pair, {})


def _all_of(picture: Any) -> Any:
    with picture.opened() as read:
        return read(0, 0, *picture.shape[:2])


def _marked(mask: Any) -> Any:
    from isthmus.tasks.masks import painted

    return painted(mask[None])[0]


def _facts(job: Job, made: RestoredFile, how: How) -> Iterator[tuple[str, str]]:
    record, (height, width) = _record(job, made), job.picture.shape[:2]
    if how.scale > 1:
        yield "size before", f"{width}x{height}"
    yield "size", _size(record)
    yield "time", duration(made.seconds)
    if made.missing:
        yield "filled", f"{counted(made.missing, 'pixel')}, {100 * made.missing / (height * width):.1f} %"
    yield "result", str(made.output)
    yield from (("note", note) for note in made.notes[:1])


def made_by(terminal: Terminal) -> dict[str, str]:
    """Return what a page says of how it came to be."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"command": terminal.command, "isthmus": __version__, "created": now}


def _write_page(terminal: Terminal, page: Path, how: How, weights: Weights, done: _Done, *, force: bool) -> None:
    from isthmus.report.restoration import rendered

    count = sum(one["pictures"] for one in done.files)
    document = {
        "verb": how.verb,
        "title": f"{how.done[0].upper()}{how.done[1:]}: "
        + (Path(done.files[0]["source"]).name if len(done.files) == 1 else counted(count, "picture")),
        "done": how.sentence,
        "caution": how.caution,
        "enlarged": how.scale > 1,
        "count": count,
        "megapixels": sum(one["megapixels"] for one in done.files),
        "seconds": sum(one["seconds"] for one in done.files),
        "weights": weights.name,
        "digest": weights.digest,
        **made_by(terminal),
    }
    with replacing(page, force=force) as file:
        file.write(rendered(document, done.shown).encode())
