"""Verbs that take records through a fitted model: encode, decode, reconstruct."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isthmus.cli import inputs, jobs, outputs
from isthmus.cli.terminal import Result, Terminal, shape_words

if TYPE_CHECKING:
    from isthmus.base import Model
    from isthmus.data import Data

__all__ = ["decode", "encode", "reconstruct", "rewritten"]


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
    job: Mapping[str, Any],
) -> Result:
    """Write the codes of records.

    Records stream through: data may be larger than memory.

    Parameters
    ----------
    output : str
        Where to: .npy, or .parquet, .csv, .tsv with file names beside the codes; .npz for images of several sizes. A
        name that ends in / is a folder of parts, which all processors work on, and which a second run completes.

    Examples
    --------
    isthmus encode photos/ -o codes.parquet
    isthmus encode big.npy -m model.safetensors -o codes.npy
    isthmus encode events/ -m model.safetensors -o codes/
    """
    if jobs.is_asked("encode", output, model, job):
        return jobs.run(terminal, "encode", data, model, output, job, force=force, opening=opening, device=device)
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
    job: Mapping[str, Any],
) -> Result:
    """Write records after crossing the code, there and back.

    Parameters
    ----------
    output : str
        Where to: .npy, .npz, .csv, .tsv, .parquet, .txt; a name without suffix is a folder of images, which keep their
        names. Of other records a name that ends in / is a folder of parts, which all processors work on, and which a
        second run completes.

    Examples
    --------
    isthmus reconstruct photos/ -o photos-again
    isthmus reconstruct table.csv -m model.safetensors -o again.csv
    isthmus reconstruct events/ -m model.safetensors -o again/
    """
    if jobs.is_asked("reconstruct", output, model, job):
        return jobs.run(terminal, "reconstruct", data, model, output, job, force=force, opening=opening, device=device)
    fitted = inputs.load_model(model, device)
    return rewritten(terminal, fitted, data, opening, output, force, inputs.each(fitted, fitted.reconstruct))


def rewritten(
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
