"""Verbs that apply a fitted model: encode, decode, reconstruct, denoise, inpaint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isthmus.cli import inputs, outputs
from isthmus.cli.terminal import Result, Terminal, shape_words

if TYPE_CHECKING:
    from isthmus.base import Model
    from isthmus.data import Data

__all__ = ["decode", "denoise", "encode", "inpaint", "reconstruct"]


def encode(
    terminal: Terminal,
    data: str,
    *,
    output: str,
    model: str = "model.safetensors",
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Write the codes of records.

    Records stream through: data may be larger than memory.

    Parameters
    ----------
    output : str
        Where to: .npy, or .parquet, .csv, .tsv with file names beside the codes; .npz for images of several sizes.

    Examples
    --------
    isthmus encode photos/ -o codes.parquet
    isthmus encode big.npy -m model.safetensors -o codes.npy
    """
    fitted = inputs.load_model(model, device)
    varying = None in fitted.code_shape_
    path = outputs.check_output(output, force, (".npz",) if varying else outputs.MATRICES)
    records = inputs.open_for(terminal, fitted, data, opening)
    codes = (fitted.transform(block) for block in inputs.blocks(records))
    outputs.write_codes(path, len(records), codes, records.names, force=force, varying=varying)
    shape = list(fitted.code_shape_)
    n = len(records)
    document = {"output": output, "records": n, "code_shape": shape}
    return Result(document, [f"{output}: {n:,} code{'s' if n != 1 else ''} of {shape_words(shape)} numbers"])


def decode(
    terminal: Terminal,
    codes: str,
    *,
    output: str,
    model: str = "model.safetensors",
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
) -> Result:
    """Write the records that codes stand for, in the units and types of the data that the model was fitted on.

    Parameters
    ----------
    codes : str
        What encode wrote: .npy, .npz, .parquet, .csv or .tsv.
    output : str
        Where to: .npy, .npz, .csv, .tsv, .parquet, .txt; a folder of images is a name without suffix.

    Examples
    --------
    isthmus decode codes.npy -o records.npy
    isthmus decode codes.parquet -m model.safetensors -o pictures
    """
    fitted = inputs.load_model(model, device)
    path = outputs.check_records_output(output, force, fitted.schema_)
    n, parts, names = inputs.open_codes(codes, varying=None in fitted.code_shape_)
    blocks = (fitted.decoded(part).block() for part in parts)
    outputs.write_records(path, n, blocks, fitted.schema_, names, force=force)
    return _written(output, n)


def reconstruct(
    terminal: Terminal,
    data: str,
    *,
    output: str,
    model: str = "model.safetensors",
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Write records after crossing the code, there and back.

    Parameters
    ----------
    output : str
        Where to: .npy, .npz, .csv, .tsv, .parquet, .txt; a name without suffix is a folder of images, which keep their
        names.

    Examples
    --------
    isthmus reconstruct photos/ -o photos-again
    isthmus reconstruct table.csv -m model.safetensors -o again.csv
    """
    fitted = inputs.load_model(model, device)
    return _rewrite(terminal, fitted, data, opening, output, force, _each(fitted, fitted.reconstruct))


def denoise(
    terminal: Terminal,
    data: str,
    *,
    output: str,
    model: str = "model.safetensors",
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Write records with the noise removed.

    Any model with a code narrower than its records does it; one fitted with --model denoising-autoencoder does it best.

    Parameters
    ----------
    data : str
        Noisy records: a file, a folder or pattern of images, or a named set.
    output : str
        Where to: .npy, .npz, .csv, .tsv, .parquet; a name without suffix is a folder of images, which keep their names.

    Examples
    --------
    isthmus fit clean/ --model denoising-autoencoder
    isthmus denoise noisy/ -o restored
    """
    from isthmus import tasks

    fitted = inputs.load_model(model, device)
    restore = _each(fitted, lambda block: tasks.denoise(fitted, block))
    return _rewrite(terminal, fitted, data, opening, output, force, restore)


def inpaint(
    terminal: Terminal,
    data: str,
    *,
    output: str,
    mask: str | None = None,
    iterations: int = 10,
    start: str = "auto",
    model: str = "model.safetensors",
    device: str | None = None,
    threads: int | None = None,
    force: bool = False,
    opening: Mapping[str, Any],
) -> Result:
    """Fill marked cells of records; the others come back exactly as they were.

    Parameters
    ----------
    data : str
        Records with holes: a file, a folder or pattern of images, or a named set.
    output : str
        Where to: .npy, .npz, .csv, .tsv, .parquet; a name without suffix is a folder of images, which keep their names.
    mask : str
        What to fill: not zero where a value is missing. An image or .npy of the shape of one record or of all, a folder
        with one mask a picture, a table of zeros and ones. Without it the empty cells of a table are filled.
    iterations : int
        Rounds between code and record.
    start : {"auto", "mean", "neighbours", "blank"}
        What fills the holes at first: mean, neighbours, blank, or auto to try all.

    Examples
    --------
    isthmus inpaint scratched/ --mask scratch.png -o repaired
    isthmus inpaint survey.csv -o complete.csv
    """
    from isthmus import tasks

    fitted = inputs.load_model(model, device)

    def fill(records: Data) -> Iterable[Any]:
        rows = inputs.block_rows(records)
        return tasks.inpaint_blocks(fitted, records, mask, rows=rows, iterations=iterations, start=start)

    return _rewrite(terminal, fitted, data, opening, output, force, fill)


def _each(fitted: Model, function: Callable[[Data], Any]) -> Callable[[Data], Iterable[Any]]:
    """Return what applies a function to records block by block."""
    from isthmus.data import to_block

    return lambda records: (to_block(function(block), fitted.schema_) for block in inputs.blocks(records))


def _rewrite(
    terminal: Terminal,
    fitted: Model,
    source: str,
    opening: Mapping[str, Any],
    output: str,
    force: bool,
    function: Callable[[Data], Iterable[Any]],
) -> Result:
    """Write what becomes of records, in their own format and under their own names."""
    path = outputs.check_records_output(output, force, fitted.schema_)
    records = inputs.open_for(terminal, fitted, source, opening)
    # Rows of a table are not named: names are those of image files.
    names: Sequence[str] | None = records.names if records.schema.kind == "image" else None
    blocks, side_columns = function(records), records.side_columns
    outputs.write_records(path, len(records), blocks, fitted.schema_, names, side_columns=side_columns, force=force)
    return _written(output, len(records))


def _written(output: str, n: int) -> Result:
    return Result({"output": output, "records": n}, [f"{output}: {n:,} record{'s' if n != 1 else ''}"])
