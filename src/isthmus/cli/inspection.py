"""Verbs that describe data and models: inspect, info, verify, models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.cli import docstrings
from isthmus.cli.terminal import Result, Terminal, counted, shape_words

if TYPE_CHECKING:
    from isthmus.base import Model

__all__ = ["info", "inspect", "models", "probe", "verify"]

PROBES = 4  # codes that are decoded to see whether a model still does what it did
KEPT = 32  # numbers of each that are remembered
CLOSE = 1e-3  # of the largest of them: other processors round differently


def inspect(terminal: Terminal, data: str, *, opening: Mapping[str, Any]) -> Result:
    """Summarise data: kind, number, shapes, types, range, missing cells, duplicates, suspicious columns.

    Parameters
    ----------
    data : str
        A file (.npy, .npz, IDX, .csv, .tsv, .parquet, an image, text), a folder or pattern of images, or a named set
        (digits, mnist, fashion-mnist, kmnist, cifar10).

    Examples
    --------
    isthmus inspect photos/
    isthmus inspect survey.csv --json
    """
    from isthmus import data as isthmus_data
    from isthmus.cli.inputs import as_source, open_data

    found = isthmus_data.inspect(open_data(Terminal(quiet=True), as_source(terminal, data), opening))
    return Result(found.to_dict(), str(found).splitlines())


def info(terminal: Terminal, file: str) -> Result:
    """Describe a model's file: its class, the data of its fit, its scores; or a compressed file.

    Of a compressed file: how it was coded, and where its bytes went.

    Parameters
    ----------
    file : str
        The model's file, a compressed one, or the folder of a job.

    Examples
    --------
    isthmus info model.safetensors
    isthmus info model.safetensors --json
    isthmus info notes.txt.isth
    """
    from isthmus.cli import compressed

    return compressed.info(file) if compressed.is_compressed(file) else _about_model(file)


def _about_model(model: str) -> Result:
    from isthmus import artifact
    from isthmus.cli import codec, restorer

    envelope = artifact.describe(model)
    document = envelope["document"]
    size = os.path.getsize(model)
    head = (
        f"{model}: {envelope['class']}, {size:,} bytes, format {envelope['format']}, by isthmus {envelope['version']}"
    )
    with artifact.understanding(model):
        about = codec.about(envelope, model) or restorer.about(envelope) or _about_learning(document)
    return Result({"path": model, "bytes": size, **envelope}, [head, *about])


def _about_learning(document: Mapping[str, Any]) -> list[str]:
    return [
        *_about_data(document.get("schema", {})),
        *_about_fit(document.get("provenance", {}), document.get("history", [])),
        *_about_parameters(document.get("parameters", {})),
        *_about_scores(document.get("scores", {})),
        *(f"note: {note}" for note in document.get("notes", [])),
    ]


def _about_data(schema: Mapping[str, Any]) -> list[str]:
    if not schema:
        return []
    if schema["kind"] == "table":
        lines = [f"records: table, {counted(len(schema['columns']), 'column')}"]
    else:
        lines = [f"records: {schema['kind']}, {shape_words(schema['shape'])}, {schema['dtype']}"]
    columns = [f"{column['name']} ({column['type']})" for column in schema["columns"]]
    return [*lines, f"columns: {', '.join(columns)}"] if columns else lines


def _about_fit(provenance: Mapping[str, Any], history: list[dict[str, Any]]) -> list[str]:
    if not provenance:
        return []
    p = provenance
    lines = [
        f"fitted on {p['records']:,} records of {p['source']}, in {p['seconds']:.1f} s and "
        f"{counted(len(history), 'epoch')}, on {p['device']} ({p['precision']}, {counted(p['threads'], 'thread')}), "
        f"seed {p['seed']}, torch {p['torch']}"
    ]
    command = p.get("command")
    return [*lines, f"command: {command}"] if command else lines


def _about_parameters(parameters: Mapping[str, Any]) -> list[str]:
    network = parameters.get("network")
    modules = network.get("modules", []) if isinstance(network, dict) else []  # of the user's own, with their digests
    own = {"network": f"({', '.join(str(module['name']) for module in modules)})"} if modules else {}
    shown = (dict(parameters) | own).items()
    chosen = [f"{name}={value}" for name, value in shown if value not in (None, []) and name != "verbose"]
    lines = [f"parameters: {', '.join(chosen)}"] if chosen else []
    return lines + [f"source of {module['name']}: SHA-256 {module['source_sha256']}" for module in modules]


def _about_scores(scores: Mapping[str, Any]) -> list[str]:
    held_out = scores.get("held_out")
    if not held_out or not held_out["nats_per_record"]:
        return []
    error = held_out["error"]
    return [
        f"held out {held_out['records']:,} records: log-likelihood {held_out['nats_per_record']['mean']:.4g} nats a "
        f"record, {error['name']} {error.get('mean', float('nan')):.4g}"
    ]


def verify(terminal: Terminal, file: str, *, model: str | None = None) -> Result:
    """Check a model's file: its digests, that it loads, and that it still computes what it did when it was fitted.

    A compressed file is decoded, and every check in it looked at; nothing is written. Of a job's folder each part is
    read, and set beside the size and the checksum that were written down.

    Parameters
    ----------
    file : str
        The model's file, or a compressed one.
    model : str
        What a compressed file was compressed with, where that was a model: isthmus info FILE says so.

    Examples
    --------
    isthmus verify model.safetensors
    isthmus verify notes.txt.isth
    isthmus verify codes/
    """
    if "://" in file or os.path.isdir(file):
        return _verified_job(file)
    from isthmus.cli import compressed

    return compressed.verify(terminal, file, model) if compressed.is_compressed(file) else _verified_model(file)


def _verified_job(folder: str) -> Result:
    from isthmus import cluster

    unlike = cluster.verify(folder)
    lines = [f"{name}: missing, or not as it was written" for name in unlike]
    document = {"path": folder, "passed": not unlike, "unlike": list(unlike)}
    return Result(document, [*lines, f"{folder}: {'NOT ok' if unlike else 'ok'}"], not unlike)


def _verified_model(model: str) -> Result:
    import isthmus
    from isthmus import artifact
    from isthmus.coding.kinds import AnyCodec

    artifact.read(model)
    fitted = isthmus.load(model)
    checks = {"digests": "every bit is as it was written", "loads": f"as {type(fitted).__name__}"}
    with artifact.understanding(model):
        if isinstance(fitted, AnyCodec):
            passed, checks["computes"] = fitted.still_computes(), "what it codes decodes with it"
        elif hasattr(fitted, "still_computes"):  # a restorer; its class would load torch for codecs, too
            passed, checks["computes"] = fitted.still_computes(), "an even picture comes back nearly even"
        else:
            passed, checks["computes"] = _still_computes(getattr(fitted, "model_", fitted))  # a task's, or the model
    lines = [f"{name:9} {what}" for name, what in checks.items()]
    return Result(
        {"path": model, "passed": passed, **checks}, [*lines, f"{model}: {'ok' if passed else 'NOT ok'}"], passed
    )


def _still_computes(model: Model) -> tuple[bool, str]:
    """Return whether a model decodes fixed codes to finite numbers, and to those kept in its file."""
    found = probe(model)
    if not np.isfinite(found).all():
        return False, "numbers that are not finite"
    kept = np.asarray(model.scores_.get("probe", []), np.float64)
    if kept.shape != found.shape:
        return True, "finite numbers (none were kept with the file to compare them to)"
    off = float(np.abs(found - kept).max() / max(1e-12, np.abs(kept).max()))
    if off == 0:
        return True, "the same as when it was fitted, bit for bit"
    return off < CLOSE, f"what it did when it was fitted, up to a share of {off:.1e}"


def probe(model: Model) -> np.ndarray:
    """Return a few numbers that a model's decoder makes of fixed codes; they are kept with its file.

    Returns
    -------
    ndarray of float64, one-dimensional
    """
    import torch

    shape = [PROBES, *(8 if side is None else side for side in model.code_shape_)]
    codes = torch.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
    device = next(model.module_.parameters()).device
    with torch.inference_mode():
        theta = model.decode(codes.to(device))
    return theta.flatten(1)[:, :KEPT].double().cpu().numpy().ravel()


def models(terminal: Terminal, name: str | None = None) -> Result:
    """List the models, and the weights that come with isthmus; or the parameters of one model.

    Parameters
    ----------
    name : str
        A model's name.

    Examples
    --------
    isthmus models
    isthmus models denoising-autoencoder
    """
    from isthmus.cli import registry, shipped
    from isthmus.cli.commands import flags_of_function

    if name is None:
        summaries = {key: docstrings.of_class(cls).summary for key, cls in registry.model_names().items()}
        summaries |= {key: docstrings.of_function(registry.own_fit(key)).summary for key in registry.OWN_FITS}
        weights = shipped.weights()
        lines = [f"{key:24}{text}" for key, text in summaries.items()]
        return Result({"models": summaries, "shipped": weights}, [*lines, "", *shipped.lines(weights)])
    if function := registry.own_fit(name):
        kind, said = name, docstrings.of_function(function)
        found = flags_of_function(function, leave_out=("terminal", "data"))
    else:
        cls = registry.model_class(name)
        kind, said = cls.__name__, docstrings.of_class(cls)
        found = registry.flags_of_model(cls)
    flags = {flag.name: flag.help for flag in found}
    lines = [f"{kind}: {docstrings.plain(said.summary)}", ""]
    for flag in found:
        lines += _indented(f"{flag.name.strip('_'):16}{flag.metavar or ''}", flag.help)
    return Result({"model": name, "class": kind, "summary": said.summary, "parameters": flags}, lines)


def _indented(head: str, text: str) -> list[str]:
    import textwrap

    return [f"  {head}", *textwrap.wrap(text, 100, initial_indent=" " * 6, subsequent_indent=" " * 6)]
