"""Verbs that restore: denoise, inpaint, enhance.

Pictures are restored by the weights that come with isthmus, or by those of a restorer that -m names; other records, and
pictures for which -m names a model of such, by that model.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus import artifact, checks
from isthmus.cli import inputs, outputs, picture_files, sizes, transform
from isthmus.cli.meter import metered_pixels
from isthmus.cli.picture_files import Job
from isthmus.cli.terminal import Result, Terminal, counted
from isthmus.errors import ArtifactError, ParameterError
from isthmus.files import replacing
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.data import Data
    from isthmus.models.restorer import Restorer
    from isthmus.report.restoration import Compared

__all__ = ["denoise", "enhance", "inpaint"]

SHIPPED = "shipped"  # the name of the weights that come with isthmus, where a file could be named
MODEL = "model.safetensors"  # the file of a model of records
FEW = 10  # notes that are told one by one


def denoise(
    terminal: Terminal,
    data: list[str],
    *,
    output: str | None = None,
    model: str | None = None,
    memory: str | None = None,
    report: str | None = None,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Remove noise and JPEG blocks from pictures, or noise from other records.

    Pictures need no model: the weights that come with isthmus restore them, of any size, in grey and colour, of 8 or 16
    bits or floats. The result of photo.jpg is photo-denoised.png beside it, that of a folder is the folder
    NAME-denoised, unless -o says otherwise. NaN of pictures of floats counts as missing, and is filled.

    Tables, texts and arrays of rows are restored by the model that -m names, by default model.safetensors: one with a
    code narrower than its records does it, and one fitted with --model denoising-autoencoder does it best.

    Parameters
    ----------
    data : list of str
        Noisy pictures: files, folders, patterns, a stack (.npy) or a named set; or other records.
    output : str
        Where to: a file whose suffix says the format, or a folder. Of records .npy, .npz, .csv, .tsv, .parquet.
    model : str
        A model of such records, or a restorer tuned to such pictures. By default that of isthmus for pictures, which
        shipped names, and model.safetensors for other records.
    memory : str
        Of pictures: what each may take in memory, such as 500MB or 2GiB; by default 1GiB.
    report : str
        Of pictures: write a page (.html) that shows them before and after, under a slider.

    Examples
    --------
    isthmus denoise noisy.png
    isthmus denoise scans/ -o clean/
    isthmus denoise photo.jpg --report page.html
    isthmus denoise table.csv -m model.safetensors -o clean.csv
    """
    sources, how = picture_files.sources_of(terminal, data), _How("denoise", "denoised")
    restorer = _restorer(terminal, sources, model, device)
    if restorer is not None:
        return _pictures(terminal, restorer, sources, how, output, memory, report, force, opening)
    from isthmus import tasks

    source, output = _of_records(how, sources, output, memory, report)
    fitted = inputs.load_model(model or MODEL, device)
    restore = transform.each(fitted, lambda block: tasks.denoise(fitted, block))
    return transform.rewritten(terminal, fitted, source, opening, output, force, restore)


def inpaint(
    terminal: Terminal,
    data: list[str],
    *,
    output: str | None = None,
    mask: str | None = None,
    iterations: int = 10,
    start: str = "auto",
    model: str | None = None,
    memory: str | None = None,
    report: str | None = None,
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Fill marked pixels of pictures, or cells of other records; the others come back exactly as they were.

    Pictures need no model: the weights that come with isthmus fill them. The result of photo.jpg is photo-inpainted.png
    beside it, that of a folder is the folder NAME-inpainted, unless -o says otherwise.

    Tables and arrays of rows are filled by the model that -m names, by default model.safetensors.

    Parameters
    ----------
    data : list of str
        Pictures with holes: files, folders, patterns, a stack (.npy) or a named set; or other records.
    output : str
        Where to: a file whose suffix says the format, or a folder. Of records .npy, .npz, .csv, .tsv, .parquet.
    mask : str
        What to fill: not zero where something is missing, and of a picture neither black nor transparent. Of pictures a
        file, or a folder with one of the same name for each; by default the NaNs of floats. Of records an array of the
        shape of one or of all, or a table of zeros and ones; by default the empty cells of a table.
    iterations : int
        With a model of records: rounds between code and record.
    start : {"auto", "mean", "neighbours", "blank"}
        With a model of records: what fills the holes at first, mean, neighbours, blank, or auto to try all.
    model : str
        A model of such records, or a restorer tuned to such pictures. By default that of isthmus for pictures, which
        shipped names, and model.safetensors for other records.
    memory : str
        Of pictures: what each may take in memory, such as 500MB or 2GiB; by default 1GiB.
    report : str
        Of pictures: write a page (.html) that shows them before and after, under a slider.

    Examples
    --------
    isthmus inpaint photo.png --mask mask.png
    isthmus inpaint scans/ --mask masks/ -o whole/
    isthmus inpaint survey.csv -m model.safetensors -o complete.csv
    """
    sources, how = picture_files.sources_of(terminal, data), _How("inpaint", "inpainted", mask=mask)
    restorer = _restorer(terminal, sources, model, device)
    if restorer is not None:
        if (iterations, start) != (10, "auto"):
            raise checks.not_of_a_restorer("inpaint", "--iterations, or --start,", "models of records")
        return _pictures(terminal, restorer, sources, how, output, memory, report, force, opening)
    from isthmus import tasks

    source, output = _of_records(how, sources, output, memory, report)
    fitted = inputs.load_model(model or MODEL, device)

    def fill(records: Data) -> Iterable[Any]:
        rows = inputs.block_rows(records)
        return tasks.inpaint_blocks(fitted, records, mask, rows=rows, iterations=iterations, start=start)

    return transform.rewritten(terminal, fitted, source, opening, output, force, fill)


def enhance(
    terminal: Terminal,
    data: list[str],
    *,
    output: str | None = None,
    scale: int | None = None,
    deblur: bool = False,
    model: str | None = None,
    memory: str | None = None,
    report: str | None = None,
    device: str | None = None,
    threads: int | None = None,
    skip_bad: bool = False,
    force: bool = False,
) -> Result:
    """Enlarge pictures two to four times, or sharpen them.

    No model is needed: the weights that come with isthmus do it. Detail that the picture does not hold is what the
    network takes for likely. The result of photo.jpg is photo-enhanced.png beside it, that of a folder is the folder
    NAME-enhanced, unless -o says otherwise.

    Parameters
    ----------
    data : list of str
        Pictures: files, folders, patterns, a stack (.npy) or a named set.
    output : str
        Where to: a file whose suffix says the format, or a folder.
    scale : int
        Pixels for one, to each side: 2, 3 or 4; by default 2.
    deblur : bool
        Sharpen them in their own size instead.
    model : str
        A restorer tuned to such pictures; by default that of isthmus.
    memory : str
        What each picture may take in memory, such as 500MB or 2GiB; by default 1GiB.
    report : str
        Write a page (.html) that shows them before and after, under a slider.
    skip_bad : bool
        Leave unreadable pictures of a folder out, instead of stopping.

    Examples
    --------
    isthmus enhance small.png --scale 4
    isthmus enhance blurred.jpg --deblur
    isthmus enhance thumbnails/ -o large/
    """
    if deblur and scale is not None:
        raise checks.sharpened_and_enlarged()
    if scale is not None:
        checks.integer("enhance", "--scale", scale, low=2, high=4)
    how = _How("enhance", "enhanced", scale=1 if deblur else scale or 2, deblur=deblur)
    sources = picture_files.sources_of(terminal, data)
    restorer = _restorer(terminal, sources, model or SHIPPED, device)
    if restorer is None:
        raise checks.not_of_a_restorer("enhance", "-m", f"restorers of pictures; {model} is another model")
    return _pictures(terminal, restorer, sources, how, output, memory, report, force, {"skip_bad": skip_bad})


# ------------------------------------------------------------------ who does it


@dataclass(frozen=True)
class _How:
    """What is done to pictures.

    Parameters
    ----------
    verb : str
    done : str
        What the names of results end in.
    scale : int
        How much they are enlarged.
    deblur : bool
        Whether blur is removed.
    mask : str, optional
        What is filled, where anything is.
    """

    verb: str
    done: str
    scale: int = 1
    deblur: bool = False
    mask: str | None = None

    def of(self, restorer: Restorer, pictures: Any) -> Any:
        """Return what becomes of a stack of pictures."""
        if self.verb == "inpaint":
            return restorer.inpaint(pictures, self.mask)
        if self.deblur:
            return restorer.deblur(pictures)
        return restorer.enhance(pictures, scale=self.scale) if self.scale > 1 else restorer.denoise(pictures)

    @property
    def sentence(self) -> str:
        """What was done, for the page."""
        if self.verb == "denoise":
            return "Noise and JPEG blocks were removed."
        if self.verb == "inpaint":
            return "Marked pixels were filled; all others are as they were."
        return "Blur was removed." if self.deblur else f"Enlarged {self.scale} times to each side."

    @property
    def caution(self) -> str:
        """What a reader of the page should keep in mind."""
        if self.verb == "denoise":
            return "Fine texture that cannot be told from noise is removed with it."
        return "Detail that was not in the picture is what the network takes for likely: it may look right and be wrong."


def _restorer(terminal: Terminal, sources: Sequence[str], model: str | None, device: str | None) -> _Chosen | None:
    """Return what restores pictures; None where a model of records is to do it.

    For pictures that is what comes with isthmus unless -m names a file, and never a file that happens to lie in the
    folder; other records are for a model.
    """
    from isthmus.models.restorer import SHIPPED as FILE

    if model is None and not all(map(picture_files.are_pictures, sources)):
        return None
    if model in (None, SHIPPED):
        terminal.say(f"restoring with the weights that come with isthmus ({FILE.stem})")
        return _Chosen.of(str(FILE), FILE.stem, device)
    return _Chosen.of(str(model), os.path.basename(str(model)), device) if _is_restorer(str(model)) else None


def _is_restorer(path: str) -> bool:
    with _digest_named(path):
        return bool(artifact.describe(path)["class"] == "Restorer")
