"""Verb ``export``: a network for other programs."""

from __future__ import annotations

from isthmus import checks
from isthmus.cli import outputs, restoring
from isthmus.cli.terminal import Result, Terminal

__all__ = ["export"]


def export(terminal: Terminal, *, onnx: str, model: str = restoring.SHIPPED, force: bool = False) -> Result:
    """Write the network of a restorer as an ONNX file, which other programs run.

    What goes in and what comes out stands in the documentation of isthmus.Restorer.export_onnx. It needs pip install
    "isthmus[onnx]".

    Parameters
    ----------
    onnx : str
        Where to: a file that ends in .onnx.
    model : str
        A file of a restorer; shipped names the one that comes with isthmus.

    Examples
    --------
    isthmus export --onnx restorer.onnx
    isthmus export --onnx scans.onnx -m scans.safetensors
    """
    path = outputs.check_output(onnx, force, (".onnx",), "--onnx")
    weights = restoring.weights_of(model)
    if weights is None:
        raise checks.not_of_a_restorer("export", f"{model} is a model of records")
    weights.restorer.export_onnx(path, force=force)
    size = path.stat().st_size
    return Result({"output": onnx, "bytes": size, "digest": weights.digest}, [f"{onnx}: {size:,} bytes"])
