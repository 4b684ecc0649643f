"""Verbs that restore: denoise, inpaint, enhance.

Pictures are restored by the weights that come with isthmus, or by those of a restorer that -m names; other records, and
pictures for which -m names a model of such, by that model.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus import artifact, checks
from isthmus.cli import inputs, picture_files, transform
from isthmus.cli.picture_files import RECORDS
from isthmus.cli.restored import Given, How, Weights, restored
from isthmus.cli.terminal import Result, Terminal
from isthmus.data import arrays
from isthmus.errors import ArtifactError

if TYPE_CHECKING:
    from isthmus.data import Data

__all__ = ["SHIPPED", "denoise", "enhance", "inpaint", "weights_of"]

SHIPPED = "shipped"  # the name of the weights that come with isthmus, where a file could be named
MODEL = "model.safetensors"  # the file of a model of records
USUAL = {"iterations": 10, "start": "auto"}  # of models of records


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
    sources, given = picture_files.sources_of(terminal, data), Given(output, memory, report, force)
    weights = _weights(sources, model, device)
    if weights is not None:
        return restored(terminal, weights, sources, How("denoise"), given, opening)
    from isthmus import tasks

    source, output = _of_records("denoise", sources, given)
    fitted = _model(terminal, source, model, device)
    restore = inputs.each(fitted, lambda block: tasks.denoise(fitted, block))
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
    sources, given = picture_files.sources_of(terminal, data), Given(output, memory, report, force)
    weights = _weights(sources, model, device)
    if weights is not None:
        if (iterations, start) != tuple(USUAL.values()):
            raise checks.not_of_a_restorer("inpaint", "--iterations and --start are for models of records")
        return restored(terminal, weights, sources, How("inpaint", mask=mask), given, opening)
    from isthmus import tasks

    source, output = _of_records("inpaint", sources, given)
    fitted = _model(terminal, source, model, device)

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
    sources = picture_files.sources_of(terminal, data)
    weights = _weights(sources, model or SHIPPED, device)
    if weights is None:
        raise checks.not_of_a_restorer("enhance", f"{model} is a model of records")
    how = How("enhance", scale=1 if deblur else scale or 2, deblur=deblur)
    return restored(terminal, weights, sources, how, Given(output, memory, report, force), {"skip_bad": skip_bad})


# ------------------------------------------------------------------ who does it


def _weights(sources: Sequence[str], model: str | None, device: str | None) -> Weights | None:
    """Return what restores pictures; None where a model of records is to do it.

    For pictures that is what comes with isthmus unless -m names a file, and never a file that happens to lie in the
    folder; other records are for a model.
    """
    if model is None and any(picture_files.kind_of(source) == RECORDS for source in sources):
        return None
    return weights_of(model or SHIPPED, device)


def weights_of(model: str, device: str | None = None) -> Weights | None:
    """Return the restorer of a file, or the one that comes with isthmus; None where the file holds another model."""
    if model == SHIPPED:
        from isthmus.models.restorer import SHIPPED as FILE

        return _loaded(str(FILE), FILE.stem, device, own=True)
    with _digest_named(model):
        is_restorer = artifact.describe(model)["class"] == "Restorer"
    return _loaded(model, os.path.basename(model), device) if is_restorer else None


def _loaded(path: str, name: str, device: str | None, *, own: bool = False) -> Weights:
    from isthmus.models.restorer import Restorer

    with _digest_named(path):
        return Weights(Restorer.load(path, device=device), name, artifact.describe(path)["sha256"], own)


@contextmanager
def _digest_named(path: str) -> Iterator[None]:
    """Name the digest of a file of weights that is damaged: of one that was published, it can be compared."""
    try:
        yield
    except ArtifactError as error:
        if not os.path.isfile(path):
            raise
        raise checks.damaged_weights(error, _digest(path)) from error


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_records(verb: str, sources: Sequence[str], given: Given) -> tuple[str, str]:
    """Return the source and the output of records that a model restores, for which the options of pictures are not."""
    for flag, value in (("--memory", given.memory), ("--report", given.report)):
        if value is not None:
            raise checks.of_pictures_only(verb, flag)
    if len(sources) > 1:
        raise checks.one_source(verb, "a model takes the records of one source", len(sources))
    if given.output is None:
        raise checks.output_of_records(verb)
    return sources[0], given.output


def _model(terminal: Terminal, source: str, model: str | None, device: str | None) -> Any:
    """Return the model of records; of an array that may be a picture it is told what it was taken for."""
    if model is None and source.lower().endswith(".npy") and len(arrays.npy(Path(source)).shape) == 2:
        terminal.say(f"note: {source} is taken as rows of numbers, for a model; with -m {SHIPPED} it is one picture")
    return inputs.load_model(model or MODEL, device)
